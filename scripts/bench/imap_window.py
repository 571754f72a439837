# imap of x*x+1 with at most so many items under way: Pool.imap reads all its input at once, so by hand, with a
# semaphore in the input and one task an item (in chunks it would wait for itself).
from threading import Semaphore

from twin import mp, now, count, figure


def square(x):
    return x * x + 1


def numbers(n, room):
    for i in range(1, n + 1):
        room.acquire()
        yield i


with mp.Pool(2) as pool:
    pool.map(square, range(2))
    for window in (16, 256, 4096, 65536):
        n, got, room = count(10000), 0, Semaphore(window)
        start = now()
        for _ in pool.imap(square, numbers(n, room)):
            room.release()
            got += 1
        assert got == n
        figure(f"w{window}", n / (now() - start) / 1e6)
