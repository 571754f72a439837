# What multiprocessing sends with: pickle's dumps and loads. A closure it cannot.
import math
import pickle
from time import process_time

from twin import count, figure


def document(size):
    groups = []
    for k in range(size // 331 + 1):
        if k % 100 == 0:
            groups.append({"name": f"group {k // 100 + 1}", "members": []})
        groups[-1]["members"].append({
            "id": k, "name": f"member {k}", "email": f"member{k}@example.org", "active": k % 2 == 0, "score": k / 8,
            "tags": ["alpha", "beta", "gamma"],
            "address": {"street": f"{k % 997} Main Street", "city": "Springfield", "zip": 10000 + k % 89999,
                        "at": [48.137154 + k / 1024, 11.576124 - k / 1024]},
            "visits": [{"at": 1700000000 + k, "page": "/start"},
                       {"at": 1700000060 + k, "page": "/help", "from": "search"}],
        })
    return groups


def time(n, f, x):
    start = process_time()
    for _ in range(n):
        f(x)
    return (process_time() - start) / n


def dumps(value):
    return pickle.dumps(value, pickle.HIGHEST_PROTOCOL)


for name, n, per, value in (
    ("integer", 100000, 1e9, 42),
    ("string", 100000, 1e9, "0123456789"),
    ("list", 50000, 1e9, [1, 2, 3]),
    ("record", 50000, 1e9, {"x": 1, "y": 2, "s": "abc"}),
    ("floats", 300, 1e6, [math.sin(i) * 1000 for i in range(1, 1001)]),
    ("document", 1, 1e3, document(count(10_000_000))),
):
    data = dumps(value)
    assert pickle.loads(data) == value
    n = count(n)
    figure(f"{name}_encode", time(n, dumps, value) * per)
    figure(f"{name}_decode", time(n, pickle.loads, data) * per)
