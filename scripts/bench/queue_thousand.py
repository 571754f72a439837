# Two hundred processes put into one Queue, the parent gets: messages from the first word on until the last.
from twin import mp, now, count, figure


def produce(queue, ready, go, each):
    ready.put(True)
    go.wait()
    for i in range(1, each + 1):
        queue.put(i)


processes, each = count(200), 200
queue, ready, go = mp.Queue(), mp.Queue(), mp.Event()
ps = [mp.Process(target=produce, args=(queue, ready, go, each)) for _ in range(processes)]
for p in ps:
    p.start()
for _ in ps:
    ready.get()
start = now()
go.set()
total = sum(queue.get() for _ in range(processes * each))
figure("rate", processes * each / (now() - start) / 1e6)
assert total == processes * each * (each + 1) // 2
for p in ps:
    p.join()
