# The same on a Manager's dict, without a lock around the two steps.
from twin import mp, now, count, figure

n = count(5000)
keys = [f"key{k}" for k in range(1, 1001)]
with mp.Manager() as manager:
    d = manager.dict({key: 0 for key in keys})
    start = now()
    for i in range(n):
        d[keys[i % 1000]] += 1
    figure("rate", n / (now() - start) / 1e6)
