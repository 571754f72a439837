# A Pool of two: made, one task, closed and joined.
from twin import mp, now, count, figure


def double(x):
    return 2 * x


n = count(20)
start = now()
for _ in range(n):
    pool = mp.Pool(2)
    assert pool.apply(double, (21,)) == 42
    pool.close()
    pool.join()
figure("time", (now() - start) / n * 1e3)
