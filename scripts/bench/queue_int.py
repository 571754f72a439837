# Integers from one process to another through a Queue, one by one.
from twin import mp, now, count, figure


def consume(queue, back, n):
    back.put("ready")
    get = queue.get
    back.put(sum(get() for _ in range(n)))


n = count(50000)
queue, back = mp.Queue(), mp.Queue()
consumer = mp.Process(target=consume, args=(queue, back, n))
consumer.start()
back.get()
start = now()
put = queue.put
for i in range(1, n + 1):
    put(i)
assert back.get() == n * (n + 1) // 2
figure("rate", n / (now() - start) / 1e6)
consumer.join()
