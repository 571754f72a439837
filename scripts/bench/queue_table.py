# Small dicts {"x": 1, "y": 2, "s": "abc"} from one process to another through a Queue, one by one.
from twin import mp, now, count, figure


def consume(queue, back, n):
    back.put("ready")
    total = 0
    for _ in range(n):
        message = queue.get()
        total += message["x"] + message["y"] + len(message["s"])
    back.put(total)


n = count(50000)
queue, back = mp.Queue(), mp.Queue()
consumer = mp.Process(target=consume, args=(queue, back, n))
consumer.start()
back.get()
start = now()
for i in range(n):
    queue.put({"x": 1, "y": 2, "s": "abc"})
assert back.get() == 6 * n
figure("rate", n / (now() - start) / 1e6)
consumer.join()
