# A million shared doubles, without a lock, as mphost's have none: filled, read and written in slices of a thousand, read one by one.
from twin import mp, now, count, figure

n = count(1000) * 1000
array = mp.Array("d", n, lock=False)


def rate(run):
    start = now()
    run()
    return n / (now() - start) / 1e6


def fill():
    array[:] = [1.0] * n


def read():
    for i in range(0, n, 1000):
        array[i:i + 1000]


def write():
    part = [1.0] * 1000
    for i in range(0, n, 1000):
        array[i:i + 1000] = part


figure("fill", rate(fill))
figure("read", rate(read))
figure("write", rate(write))
figure("element", rate(lambda: sum(array[i] for i in range(n))))
