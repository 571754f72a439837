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


def _when_told(barrier, times, k, body, *args):
    barrier.wait()
    times[k] = now()
    body(*args)
    times[k + 2] = now()


def pair_time(body, *args):
    """Seconds from when the first of two processes begins until both are through that do the same at once. They look
    at the clock themselves: a third that waits for them may get its CPU when they are long through."""
    barrier, times = mp.Barrier(2), mp.Array("d", 4, lock=False)
    pair = [mp.Process(target=_when_told, args=(barrier, times, k, body, *args)) for k in range(2)]
    for p in pair:
        p.start()
    for p in pair:
        p.join()
        if p.exitcode:
            sys.exit("a child failed")
    return max(times[2:]) - min(times[:2])


__all__ = ["mp", "now", "count", "check", "figure", "pair_time"]
