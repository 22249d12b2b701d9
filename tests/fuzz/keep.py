#!/usr/bin/env python3
"""Chooses what of a fuzzer's finds is worth keeping: keep.py TRACES COUNT prints so many names at most.

TRACES is what `afl-showmap -e -i FINDS -o TRACES` wrote: a file for each find with the ways that it takes, one a line. Each that is
chosen takes the most ways that none before it took. (`afl-cmin` keeps every find that takes one way of its own, which with threads
is most of them.)
"""

import sys
from pathlib import Path


def main() -> None:
    ways = {file.name: set(file.read_text().split()) for file in Path(sys.argv[1]).iterdir()}
    for _ in range(int(sys.argv[2])):
        best = max(ways, key=lambda name: (len(ways[name]), name), default=None)
        if best is None or not ways[best]:
            return
        print(best)
        taken = ways.pop(best)
        for left in ways.values():
            left -= taken


if __name__ == "__main__":
    main()
