# 100 MB of bytes from one process to another through a Queue.
from twin import mp, now, count, figure


def consume(queue, back):
    back.put("ready")
    back.put(len(queue.get()))


size = count(100_000_000)
queue, back = mp.Queue(), mp.Queue()
consumer = mp.Process(target=consume, args=(queue, back))
consumer.start()
data = b"x" * size
back.get()
start = now()
queue.put(data)
assert back.get() == size
figure("rate", size / (now() - start) / 1e9)
consumer.join()
