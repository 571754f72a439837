# Lock.acquire() and release() with nobody else there.
from twin import mp, now, count, figure

n = count(1000000)
lock = mp.Lock()
acquire, release = lock.acquire, lock.release
start = now()
for _ in range(n):
    acquire()
    release()
figure("pair", (now() - start) / n * 1e9)
