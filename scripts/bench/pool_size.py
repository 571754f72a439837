# Pools of 1 to 64 workers: made, a task for each worker, closed and joined.
from twin import mp, now, count, figure


def cycle(workers):
    pool = mp.Pool(workers)
    pool.map(abs, range(workers), 1)
    pool.close()
    pool.join()


for workers in (1, 4, 16, 64):
    n = count(20 // workers + 2)
    start = now()
    for _ in range(n):
        cycle(workers)
    figure(f"w{workers}", (now() - start) / n * 1e3)
