# Proportional memory of one of eight idle workers of a Pool that have done something, and of one of 1 to 100.
import os
import time

from twin import mp, count, figure


def pid(_):
    time.sleep(0.01)
    return os.getpid()


def pss_of(process):
    with open(f"/proc/{process}/smaps_rollup") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def pss(workers):
    with mp.Pool(workers) as pool:
        pids = set(pool.map(pid, range(4 * workers), 1))
        return sum(map(pss_of, pids)) / len(pids)


figure("pss", pss(8))
for n in (1, 10, 100):
    figure(f"n{n}", pss(max(2 if n > 1 else 1, count(n))))
