#!/usr/bin/env python3
"""Changes the code, one small change at a time, and looks whether a test notices.

    scripts/mutants.py [SHARD ...]

It needs cargo-mutants (`cargo install cargo-mutants`). `.cargo/mutants.toml` says what is changed, and runs the quick tests on
each change. What they miss is looked up in the table of docs/mutants.md; what does not stand there is run against the
whole suite, with the doc tests and the example.

There are 24 shards, 0 to 23, of about the same length: some minutes each on two cores. Without arguments the variable
MUTANTS_SHARDS says which are run: numbers with blanks between them, `all`, or `none`. Without it, it is one, by the day
of the year: each has its turn in 24 days.

The lists of what was caught and missed, and the logs, are left in target/mutants.

Exit status: 0, or 1 if a change was missed by everything and has no reason in docs/mutants.md, or cargo-mutants failed.
"""

import collections
import datetime
import os
import pathlib
import re
import subprocess
import sys

SHARDS = 24
ROOT = pathlib.Path(__file__).resolve().parent.parent
OUTPUT = ROOT / "target" / "mutants"
REASONS = ROOT / "docs" / "mutants.md"
# cargo-mutants: all caught, some missed, some ran out of time.
FINE = (0, 2, 3)
# A mutant as cargo-mutants names it: file, place, what was changed.
NAME = re.compile(r"(?P<file>[^:]+):\d+:\d+: (?P<change>.*)")
# A row of the table: file, change, how many of that name, reason.
ROW = re.compile(r"\| `(?P<file>src/[^`]+)` \| `(?P<change>(?:[^`|\\]|\\.)+)` \| (?P<count>\d+) \| (?P<reason>.+) \|$")


def chosen(arguments):
    """The shards to be run."""
    words = arguments or os.environ.get("MUTANTS_SHARDS", "").split()
    if words == ["none"]:
        return []
    if words == ["all"]:
        return list(range(SHARDS))
    if not words:
        return [datetime.date.today().timetuple().tm_yday % SHARDS]
    shards = [int(word) for word in words]
    if not all(0 <= shard < SHARDS for shard in shards):
        sys.exit(f"shards are numbered from 0 to {SHARDS - 1}")
    return shards


def mutate(output, *arguments):
    """Runs cargo-mutants; answers the names of what was caught, missed and so on, by kind."""
    output.mkdir(parents=True, exist_ok=True)
    command = ["cargo", "mutants", "--jobs=1", "--no-times", "--colors=never", "--output", str(output), *arguments]
    code = subprocess.run(command, cwd=ROOT, check=False).returncode
    if code not in FINE:
        sys.exit(f"cargo mutants ended with {code}; its logs are in {output}")
    kinds = ("caught", "timeout", "unviable", "missed")
    return {kind: (output / "mutants.out" / f"{kind}.txt").read_text().splitlines() for kind in kinds}


def key(name):
    """A mutant without its place, which moves with every edit of the file."""
    match = NAME.fullmatch(name)
    return match["file"], match["change"]


def reasons():
    """How many mutants of each name may survive."""
    rows = (ROW.fullmatch(line) for line in REASONS.read_text().splitlines())
    return {(row["file"], row["change"].replace("\\|", "|")): int(row["count"]) for row in rows if row}


def unexplained(missed):
    """The missed ones that the table does not cover. Where it covers fewer than there are, any may be the new one."""
    allowed = reasons()
    count = collections.Counter(map(key, missed))
    return [name for name in missed if count[key(name)] > allowed.get(key(name), 0)]


def main():
    shards = chosen(sys.argv[1:])
    counts = collections.Counter()
    missed = []
    for shard in shards:
        result = mutate(OUTPUT / str(shard), f"--shard={shard}/{SHARDS}", "--sharding=slice")
        counts.update({kind: len(names) for kind, names in result.items()})
        missed += result["missed"]
    print(f"shards {shards} of {SHARDS}:", ", ".join(f"{count} {kind}" for kind, count in counts.items()))

    survivors = unexplained(missed)
    if survivors:
        print(f"{len(survivors)} of the missed have no reason in {REASONS.name}; against the whole suite:")
        # No config: the tests are what `cargo test --all-features` runs. It may take the time that a slow machine needs.
        files = sorted({f"--file={key(name)[0]}" for name in survivors})
        only = [f"--re=^{re.escape(name)}$" for name in survivors]
        result = mutate(OUTPUT / "whole", "--no-config", "--all-features", "--minimum-test-timeout=300", *files, *only)
        survivors = result["missed"]
    for name in survivors:
        print("no test notices:", name)
    sys.exit(1 if survivors else 0)


if __name__ == "__main__":
    main()
