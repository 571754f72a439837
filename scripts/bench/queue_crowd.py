# Integers through one Queue with eight processes, beside the same with two.
from twin import mp, now, count, figure


def produce(queue, back, go, each):
    back.put("ready")
    go.wait()
    for i in range(each):
        queue.put(i)
    queue.close()
    queue.join_thread()
    back.put(0)


def consume(queue, back, go):
    back.put("ready")
    go.wait()
    got = 0
    while queue.get() is not None:
        got += 1
    back.put(got)


def rate(producers, consumers):
    each = count(30000 // producers)
    queue, back, go = mp.Queue(), mp.Queue(), mp.Event()
    ps = [mp.Process(target=produce, args=(queue, back, go, each)) for _ in range(producers)]
    ps += [mp.Process(target=consume, args=(queue, back, go)) for _ in range(consumers)]
    for p in ps:
        p.start()
    for _ in ps:
        back.get()
    start = now()
    go.set()
    got = 0
    for k in range(1, len(ps) + 1):
        got += back.get()
        if k == producers:
            for _ in range(consumers):
                queue.put(None)
    seconds = now() - start
    for p in ps:
        p.join()
    assert got == each * producers
    return got / seconds / 1e6


figure("one_to_one", rate(1, 1))
figure("one_to_seven", rate(1, 7))
figure("seven_to_one", rate(7, 1))
figure("four_to_four", rate(4, 4))
