# A process started and joined by a parent that has a heap of small lists; at most 100 MB of them.
from twin import mp, now, count, figure


def nothing():
    pass


def time(n):
    start = now()
    for _ in range(n):
        p = mp.Process(target=nothing)
        p.start()
        p.join()
    return (now() - start) / n * 1e6


heap = []
for size in (1, 10, 100):
    lists = max(size * 100, count(size * 1_000_000 / 104))  # a list of one number: 64 bytes, its number and place 40
    while len(heap) < lists:
        heap.append([len(heap) + 1000])
    figure(f"mb{size}", time(count(max(20, 300 // size))))
