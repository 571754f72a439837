# A Semaphore taken and given back alone, and by two processes at once; between two processes, there and back: two
# Events, the turns of a Condition; a Barrier of both.
from twin import mp, now, count, figure, pair_time


def take(semaphore, n):
    for _ in range(n):
        semaphore.acquire()
        semaphore.release()


def listen(there, back, turns):
    for _ in range(turns):
        there.wait()
        there.clear()
        back.set()


def speak(there, back, turns):
    for _ in range(turns):
        there.set()
        back.wait()
        back.clear()


def take_turns(condition, turn, me, turns):
    for _ in range(turns):
        with condition:
            condition.wait_for(lambda: turn.value == me)
            turn.value = 1 - me
            condition.notify()


def second(condition, turn, turns):
    take_turns(condition, turn, 1, turns)


def first(condition, turn, turns):
    take_turns(condition, turn, 0, turns)


def meet(barrier, turns):
    for _ in range(turns):
        barrier.wait()


def talk(name, other, ours, *args):
    n = count(2000)
    child = mp.Process(target=other, args=(*args, n + 1))
    child.start()
    ours(*args, 1)
    start = now()
    ours(*args, n)
    figure(name, (now() - start) / n * 1e6)
    child.join()


semaphore = mp.Semaphore(1)
n = count(500000)
start = now()
take(semaphore, n)
figure("semaphore", (now() - start) / n * 1e9)
n = count(50000)
figure("contended", pair_time(take, semaphore, n) / (2 * n) * 1e9)
talk("event", listen, speak, mp.Event(), mp.Event())
talk("condition", second, first, mp.Condition(), mp.Value("i", 0, lock=False))
talk("barrier", meet, meet, mp.Barrier(2))
