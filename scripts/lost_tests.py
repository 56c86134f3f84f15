#!/usr/bin/env python3
"""Which tests of an older revision are gone?

    cargo test --all-features -- --list > before.txt      # of the older revision
    cargo test --all-features -- --list > after.txt
    scripts/lost_tests.py before.txt after.txt

A test is known by its own name, without the program and the modules that it is in, so one that moved is not lost. A doc test
is known by its path without the line. Where several tests share a name, each of them has to be there.

Exit status: 0, or 1 if a test is gone.
"""

import collections
import pathlib
import re
import sys


def names(path):
    """How many tests there are of each name."""
    lines = pathlib.Path(path).read_text().splitlines()
    tests = (line.removesuffix(": test") for line in lines if line.endswith(": test"))
    return collections.Counter(
        re.sub(r" \(line \d+\)", "", test) if test.startswith(("src/", "README", "docs/")) else test.rsplit("::", 1)[-1]
        for test in tests
    )


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    before, after = map(names, sys.argv[1:])
    for name in (before - after).elements():
        print("lost:", name)
    print(f"{before.total()} tests before, {after.total()} after")
    sys.exit(1 if before - after else 0)


if __name__ == "__main__":
    main()
