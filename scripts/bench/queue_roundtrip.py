# An integer to another process and back through two Queues.
from twin import mp, now, count, figure


def echo(there, back, n):
    for _ in range(n + 1):
        back.put(there.get())


n = count(4000)
there, back = mp.Queue(), mp.Queue()
child = mp.Process(target=echo, args=(there, back, n))
child.start()
there.put(0)
back.get()
start = now()
for i in range(n):
    there.put(i)
    back.get()
figure("time", (now() - start) / n * 1e6)
child.join()
