# The same on a Manager's dict, without a lock around the two steps.
from twin import mp, now, count, figure, pair_time


def add(d, keys, n):
    for i in range(n):
        d[keys[i % 1000]] += 1


keys = [f"key{k}" for k in range(1, 1001)]
with mp.Manager() as manager:
    d = manager.dict({key: 0 for key in keys})
    n = count(5000)
    start = now()
    add(d, keys, n)
    figure("rate", n / (now() - start) / 1e6)
    n = count(2500)
    figure("two", 2 * n / pair_time(add, d, keys, n) / 1e6)
