# What the Python twins share: the share of the work to do, the figures, the clock.
import multiprocessing
import sys
from time import perf_counter as now

mp = multiprocessing.get_context("fork")
scale = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0


def count(full):
    return max(1, int(full * scale))


def figure(name, value):
    print(f"{name} {value:.9g}", flush=True)


__all__ = ["mp", "now", "count", "figure"]
