# What the Python twins share: the share of the work to do, the figures, the clock, two processes at once.
import multiprocessing
import sys
from time import perf_counter as now

mp = multiprocessing.get_context("fork")
scale = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0


def count(full):
    return max(1, int(full * scale))


def figure(name, value):
    print(f"{name} {value:.9g}", flush=True)


def check(name, value):
    """Part of the result, which all twins must agree on."""
    print(f"check {name} {value}", flush=True)


def _when_told(barrier, body, *args):
    barrier.wait()
    body(*args)
    barrier.wait()


def pair_time(body, *args):
    """Seconds that two processes take that do the same at once."""
    barrier = mp.Barrier(3)
    pair = [mp.Process(target=_when_told, args=(barrier, body, *args)) for _ in range(2)]
    for p in pair:
        p.start()
    barrier.wait()
    start = now()
    barrier.wait()
    seconds = now() - start
    for p in pair:
        p.join()
    return seconds


__all__ = ["mp", "now", "count", "check", "figure", "pair_time"]
