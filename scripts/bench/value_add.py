# `with v.get_lock()` around one step of the cell itself, by one process and by two: v.value would take the lock again,
# twice.
from twin import mp, now, count, figure, pair_time


def add(v, n):
    lock, cell = v.get_lock(), v.get_obj()
    for _ in range(n):
        with lock:
            cell.value += 1


n = count(200000)
v = mp.Value("l", 0)
start = now()
add(v, n)
figure("alone", n / (now() - start) / 1e6)
half = count(50000)
figure("two", 2 * half / pair_time(add, v, half) / 1e6)
assert v.value == n + 2 * half
