# A Value's documented idiom, `with v.get_lock(): v.value += 1`, by one process and by two.
from twin import mp, now, count, figure


def add(v, n):
    for _ in range(n):
        with v.get_lock():
            v.value += 1


def add_when_told(v, n, barrier):
    barrier.wait()
    add(v, n)
    barrier.wait()


n = count(200000)
v = mp.Value("l", 0)
start = now()
add(v, n)
figure("alone", n / (now() - start) / 1e6)
assert v.value == n

half = count(50000)
v.value = 0
barrier = mp.Barrier(3)
pair = [mp.Process(target=add_when_told, args=(v, half, barrier)) for _ in range(2)]
for p in pair:
    p.start()
barrier.wait()
start = now()
barrier.wait()
figure("two", 2 * half / (now() - start) / 1e6)
for p in pair:
    p.join()
assert v.value == 2 * half
