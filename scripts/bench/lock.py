# Lock.acquire() and release() with nobody else there, and by two processes at once.
from twin import mp, now, count, figure, pair_time


def pairs(lock, n):
    acquire, release = lock.acquire, lock.release
    for _ in range(n):
        acquire()
        release()


lock = mp.Lock()
n = count(1000000)
start = now()
pairs(lock, n)
figure("pair", (now() - start) / n * 1e9)
n = count(50000)
figure("two", pair_time(pairs, lock, n) / (2 * n) * 1e9)
