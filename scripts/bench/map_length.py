# map by a Pool of two over tasks of one to ten million turns of a loop, in chunks as it likes and in chunks of one: its
# speed over that of a plain loop.
from twin import mp, now, count, figure


def task(turns):
    total = 0
    for i in range(turns):
        total += i % 7
    return total


def speed_up(turns, n, chunk):
    items = [turns] * n
    start = now()
    results = [task(item) for item in items]
    serial = now() - start
    start = now()
    assert pool.map(task, items, chunk) == results
    return serial / (now() - start)


with mp.Pool(2) as pool:
    pool.map(task, (1, 1))
    for power in range(8):
        turns = 10**power
        most = max(2, 5_000_000 // turns)
        figure(f"turns{turns}", speed_up(turns, count(min(50000, most)), None))
        figure(f"single{turns}", speed_up(turns, count(min(5000, most)), 1))
