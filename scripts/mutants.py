#!/usr/bin/env python3
"""Changes the code, one small change at a time, and checks that a test notices.

    scripts/mutants.py [MODULE[:PART] ...]

MODULE is a module of `src`; PART is one of its parts, numbered from 0, of some minutes each on two cores. Without arguments
the variable MUTANTS lists them, or is `all` or `none`. Without that variable it is one part, by the day of the year.

It needs cargo-mutants (`cargo install cargo-mutants`). Each change is first tried against the test programs of its module
(MODULES). What they miss is looked up in the table of docs/mutants.md; what is not there is tried against the
whole suite, with the doc tests and the mirror.

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

# The modules: how many parts, and which programs of `tests` are about them.
MODULES = {
    "contract": (2, ["contract", "docs", "json"]),
    "driver": (3, ["driver", "json", "manager"]),
    "json": (4, ["json"]),
    "manager": (8, ["driver", "json", "manager", "session"]),
    "per_item": (4, ["per_item"]),
    "session": (8, ["driver", "session"]),
    "telemetry": (3, ["telemetry"]),
    "testing": (12, ["testing"]),
    "util": (3, ["driver", "manager", "session"]),
}
PARTS = [(module, part) for module, (parts, _) in MODULES.items() for part in range(parts)]
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
    """The parts to be run."""
    words = arguments or os.environ.get("MUTANTS", "").split()
    if words == ["none"]:
        return []
    if words == ["all"]:
        return PARTS
    if not words:
        return [PARTS[datetime.date.today().timetuple().tm_yday % len(PARTS)]]
    parts = []
    for word in words:
        module, _, number = word.partition(":")
        found = [part for part in PARTS if part[0] == module and number in ("", str(part[1]))]
        if not found:
            known = ", ".join(f"{name} (0 to {count - 1})" for name, (count, _) in MODULES.items())
            sys.exit(f"no part `{word}`; the modules and their parts are: {known}")
        parts += found
    return parts


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
    parts = chosen(sys.argv[1:])
    counts = collections.Counter()
    missed = []
    for module, part in parts:
        count, programs = MODULES[module]
        tests = [f"--cargo-arg=--test={program}" for program in programs]
        result = mutate(
            OUTPUT / f"{module}-{part}",
            f"--file=src/{module}/**",
            f"--shard={part}/{count}",
            "--sharding=slice",
            *tests,
        )
        counts.update({kind: len(names) for kind, names in result.items()})
        missed += result["missed"]
    print(*(f"{module}:{part}" for module, part in parts), sep=" ", end=": ")
    print(", ".join(f"{count} {kind}" for kind, count in counts.items()))

    survivors = unexplained(missed)
    if survivors:
        print(f"{len(survivors)} of the missed have no reason in {REASONS.name}; against the whole suite:")
        # No config: the tests are what `cargo test --all-features` runs. It may take the time that a slow machine needs.
        files = sorted({f"--file={key(name)[0]}" for name in survivors})
        only = [f"--re=^{re.escape(name)}$" for name in survivors]
        packages = [f"--test-package={name}" for name in ("syncmgr", "syncmgr-tests", "syncmgr-mirror")]
        result = mutate(
            OUTPUT / "whole", "--no-config", "--all-features", "--minimum-test-timeout=300", *packages, *files, *only
        )
        survivors = result["missed"]
    for name in survivors:
        print("no test notices:", name)
    sys.exit(1 if survivors else 0)


if __name__ == "__main__":
    main()
