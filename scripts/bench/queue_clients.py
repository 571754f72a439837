# Four clients at one server: each puts integers into its Queue, one at a time, and gets the answer from one of its own.
from twin import mp, now, count, figure

CLIENTS = 4


def serve(requests, back, n):
    for _ in range(CLIENTS * n):
        request = requests.get()
        back[request % CLIENTS].put(request)


def ask(k, requests, own, barrier, n):
    barrier.wait()
    for i in range(n):
        request = i * CLIENTS + k
        requests.put(request)
        assert own.get() == request


n = count(2000)
requests, back, barrier = mp.Queue(), [mp.Queue() for _ in range(CLIENTS)], mp.Barrier(CLIENTS + 1)
processes = [mp.Process(target=serve, args=(requests, back, n))]
processes += [mp.Process(target=ask, args=(k, requests, back[k], barrier, n)) for k in range(CLIENTS)]
for p in processes:
    p.start()
barrier.wait()
start = now()
for p in processes:
    p.join()
    assert p.exitcode == 0
figure("time", (now() - start) / n * 1e6)
