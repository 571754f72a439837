# map of x*x+1 over 100 000 integers by a Pool of two, in chunks of several sizes, beside the plain loop.
from statistics import median

from twin import mp, now, count, figure


def square(x):
    return x * x + 1


def rate(call):
    times = []
    for _ in range(3):
        start = now()
        results = call()
        times.append(now() - start)
        assert len(results) == n and results[-1] == n * n + 1
    return n / median(times) / 1e6


with mp.Pool(2) as pool:
    pool.map(square, range(4), 1)
    n = count(100000)
    items = list(range(1, n + 1))
    figure("default", rate(lambda: pool.map(square, items)))
    for chunk, full in ((10, 20000), (100, 100000), (1000, 100000), (10000, 100000), (1, 5000)):
        n = count(full)
        items = list(range(1, n + 1))
        figure(f"chunk{chunk}", rate(lambda: pool.map(square, items, chunk)))
    n = count(100000)
    items = list(range(1, n + 1))
    figure("loop", rate(lambda: [square(x) for x in items]))
