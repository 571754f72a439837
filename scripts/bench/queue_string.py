# 100 MB of bytes from one process to another through a Queue: the first, and five more.
from twin import mp, now, count, figure

MORE = 5


def consume(queue, back):
    back.put("ready")
    for _ in range(MORE + 1):
        back.put(len(queue.get()))


def send():
    queue.put(data)
    assert back.get() == size


size = count(100_000_000)
queue, back = mp.Queue(), mp.Queue()
consumer = mp.Process(target=consume, args=(queue, back))
consumer.start()
data = b"x" * size
back.get()
start = now()
send()
later = now()
for _ in range(MORE):
    send()
figure("rate", size / (later - start) / 1e9)
figure("next", MORE * size / (now() - later) / 1e9)
consumer.join()
