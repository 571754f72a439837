# What imap over a million items in chunks of 1000 adds to the parent's memory, and how fast they come.
from twin import mp, now, count, figure


def square(x):
    return x * x + 1


def pss():
    with open("/proc/self/smaps_rollup") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


n = count(1000000)
with mp.Pool(2) as pool:
    assert sum(1 for _ in pool.imap(square, iter(range(n // 10 + 1)), 1000)) == n // 10 + 1
    before, start = pss(), now()
    assert sum(1 for _ in pool.imap(square, iter(range(n)), 1000)) == n
    figure("rate", n / (now() - start) / 1e6)
    figure("growth", pss() - before)
