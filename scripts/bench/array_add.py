# Adding to an Array's elements under its lock, `with a.get_lock()`, by one process and by two.
from twin import mp, now, count, figure, pair_time


def add_to_all(a, n):
    lock, cells = a.get_lock(), a.get_obj()
    for i in range(n):
        with lock:
            cells[i % 1000] += 1


def add_to_one(a, n):
    lock, cells = a.get_lock(), a.get_obj()
    for _ in range(n):
        with lock:
            cells[0] += 1


a = mp.Array("q", 1000)
n = count(200000)
start = now()
add_to_all(a, n)
figure("alone", n / (now() - start) / 1e6)
half = count(50000)
figure("two", 2 * half / pair_time(add_to_all, a, half) / 1e6)
figure("one", 2 * half / pair_time(add_to_one, a, half) / 1e6)
assert sum(a.get_obj()) == n + 4 * half
