# Bytes of eight sizes to another process and back through two Queues, one at a time.
from twin import mp, now, count, figure


def echo(there, back, n):
    for _ in range(n + 1):
        back.put(there.get())


def time(size):
    n = count(max(5, min(1000, 50_000_000 // size)))
    there, back, data = mp.Queue(), mp.Queue(), b"x" * size
    child = mp.Process(target=echo, args=(there, back, n))
    child.start()
    there.put(data)
    back.get()
    start = now()
    for _ in range(n):
        there.put(data)
        assert len(back.get()) == size
    seconds = now() - start
    child.join()
    return seconds / n * 1e6


for size in (8, 64, 512, 4096, 32768, 262144, 2097152, 16777216):
    figure(f"b{size}", time(size))
