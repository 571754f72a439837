# Bytes of eight sizes from one process to another through a Queue, one by one.
from twin import mp, now, count, figure


def consume(queue, back, n):
    back.put("ready")
    back.put(sum(len(queue.get()) for _ in range(n)))


def rate(size):
    n = max(2, count(min(20000, 100_000_000 // size)))
    queue, back, data = mp.Queue(), mp.Queue(), b"x" * size
    consumer = mp.Process(target=consume, args=(queue, back, n))
    consumer.start()
    back.get()
    start = now()
    for _ in range(n):
        queue.put(data)
    assert back.get() == n * size
    seconds = now() - start
    consumer.join()
    return n * size / seconds / 1e6


for size in (8, 64, 512, 4096, 32768, 262144, 2097152, 16777216):
    figure(f"b{size}", rate(size))
