# apply of a trivial task, one at a time.
from twin import mp, now, count, figure


def same(x):
    return x


n = count(3000)
with mp.Pool(2) as pool:
    for i in range(10):
        pool.apply(same, (i,))
    start = now()
    for i in range(n):
        pool.apply(same, (i,))
    figure("time", (now() - start) / n * 1e6)
