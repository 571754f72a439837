# How often each word stands in a gigabyte of text, by a Pool of two: a word is what stands between spaces.
import os
import sys
from collections import Counter

from twin import mp, now, check, figure

path = sys.argv[2]


def pieces(size, n):
    """n pieces of the file that end where lines end."""
    with open(path, "rb") as file:
        start = 0
        for k in range(1, n + 1):
            file.seek(size * k // n)
            file.readline()
            end = min(file.tell(), size) if k < n else size
            if end > start:
                yield start, end
            start = end


def words_of(piece):
    with open(path, "rb") as file:
        file.seek(piece[0])
        return Counter(file.read(piece[1] - piece[0]).split())


size = os.path.getsize(path)
with mp.Pool(2) as pool:
    pool.map(abs, range(2))
    start = now()
    words = Counter()
    for part in pool.imap_unordered(words_of, pieces(size, 64)):
        words.update(part)
    figure("rate", size / (now() - start) / 1e6)
check("distinct", len(words))
check("squares", sum(n * n for n in words.values()))
