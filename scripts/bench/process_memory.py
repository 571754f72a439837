# Proportional memory of a sleeping process, one of 1 to 100.
from twin import mp, count, figure


def sleep(ready, go):
    ready.put(True)
    go.wait()


def pss(process):
    with open(f"/proc/{process}/smaps_rollup") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


go, ready, ps = mp.Event(), mp.Queue(), []
for wanted in (1, 10, 100):
    while len(ps) < max(2 if wanted > 1 else 1, count(wanted)):
        ps.append(mp.Process(target=sleep, args=(ready, go)))
        ps[-1].start()
        ready.get()
    figure(f"n{wanted}", sum(pss(p.pid) for p in ps) / len(ps))
go.set()
for p in ps:
    p.join()
