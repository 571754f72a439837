# map by a Pool of two over tasks of one to a million turns of a loop: its speed over that of a plain loop.
from twin import mp, now, count, figure


def task(turns):
    total = 0
    for i in range(turns):
        total += i % 7
    return total


with mp.Pool(2) as pool:
    pool.map(task, (1, 1))
    for power in range(7):
        turns = 10**power
        n = count(min(50000, 5_000_000 // turns))
        items = [turns] * n
        start = now()
        results = [task(item) for item in items]
        serial = now() - start
        start = now()
        assert pool.map(task, items) == results
        figure(f"turns{turns}", serial / (now() - start))
