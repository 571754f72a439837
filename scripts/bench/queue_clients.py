# Clients and servers: each client puts integers into the servers' Queue, one at a time, and gets the answer from a Queue
# of its own. Four at one, one at four, four at four.
from twin import mp, now, count, figure


def serve(requests, back, n):
    for _ in range(n):
        request = requests.get()
        back[request % len(back)].put(request)


def ask(k, clients, requests, own, barrier, n):
    barrier.wait()
    for i in range(n):
        request = i * clients + k
        requests.put(request)
        assert own.get() == request


def time(clients, servers):
    n = count(2000) // 4 * 4 + 4
    requests, back, barrier = mp.Queue(), [mp.Queue() for _ in range(clients)], mp.Barrier(clients + 1)
    processes = [mp.Process(target=serve, args=(requests, back, clients * n // servers)) for _ in range(servers)]
    processes += [mp.Process(target=ask, args=(k, clients, requests, back[k], barrier, n)) for k in range(clients)]
    for p in processes:
        p.start()
    barrier.wait()
    start = now()
    for p in processes:
        p.join()
        assert p.exitcode == 0
    return (now() - start) / n * 1e6


figure("time", time(4, 1))
figure("servers", time(1, 4))
figure("both", time(4, 4))
