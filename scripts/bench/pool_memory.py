# Proportional memory of one of eight idle workers of a Pool that have done something.
import os
import time

from twin import mp, figure


def pid(_):
    time.sleep(0.01)
    return os.getpid()


def pss(process):
    with open(f"/proc/{process}/smaps_rollup") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


with mp.Pool(8) as pool:
    pids = set(pool.map(pid, range(32), 1))
    figure("pss", sum(map(pss, pids)) / len(pids))
