# A process started and joined, one after the other, with nothing to do.
from twin import mp, now, count, figure


def nothing():
    pass


n = count(200)
start = now()
for _ in range(n):
    p = mp.Process(target=nothing)
    p.start()
    p.join()
figure("time", (now() - start) / n * 1e6)
