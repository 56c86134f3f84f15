#!/usr/bin/env python3
"""Which code of `src` does no test run?

    scripts/coverage.py            runs all tests, then as below
    scripts/coverage.py --again    takes the counts of the last run
    scripts/coverage.py --table    the same, and prints the rows for docs/coverage.md in place of an answer

It needs cargo-llvm-cov (`cargo install cargo-llvm-cov`) and LLVM's tools of the compiler (`rustup component add
llvm-tools`). Every test of the workspace is run but the doc tests, which stable Rust does not count: what only an example
of the docs runs counts as not covered.

Counted are LLVM's regions, which are smaller than lines: each way of a branch and each `?` is one. The result is held against
the table of docs/coverage.md, which names a function, how many of its regions may be without a test, and why. A function is
named and not a line, since lines move with every edit.

What was counted is left in target/coverage.

Exit status: 0; 1 if a test failed, or if there are regions without a test that the table does not name; 2 if a tool is
missing.
"""

import collections
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = ROOT / "target" / "coverage"
COUNTS = TARGET / "counts.json"
REASONS = ROOT / "docs" / "coverage.md"
FUNCTION = re.compile(r"\bfn\s+(\w+)")
# A row of the table: file, function, how many regions of it, reason.
ROW = re.compile(r"\| `(?P<file>src/[^`]+)` \| `(?P<function>\w+)` \| (?P<count>\d+) \| (?P<reason>.+) \|$")


def environment():
    """What cargo and the tests have to be told so that they count."""
    base = os.environ | {"CARGO_TARGET_DIR": str(TARGET), "SYNCMGR_SOAK_SECONDS": "5"}
    told = subprocess.run(
        ["cargo", "llvm-cov", "show-env"], cwd=ROOT, env=base, check=False, text=True, capture_output=True
    )
    if told.returncode != 0:
        print(told.stderr, file=sys.stderr)
        sys.exit(2)
    return base | dict(word.split("=", 1) for word in shlex.split(told.stdout))


def run(env, *command):
    """Runs cargo; ends the program where it fails."""
    done = subprocess.run(["cargo", *command], cwd=ROOT, env=env, check=False)
    if done.returncode != 0:
        sys.exit(1)


def count(env):
    """Runs the tests and leaves what they ran in COUNTS."""
    every = ["--workspace", "--all-features", "--locked"]
    run(env, "llvm-cov", "clean", "--workspace")
    # Some tests start the examples.
    run(env, "build", "--bins", "--examples", *every)
    run(env, "test", "--lib", "--bins", "--tests", *every)
    # Some tests kill a process while it writes its counts down.
    run(env, "llvm-cov", "report", "--failure-mode=all", "--json", "--output-path", str(COUNTS))


def regions(counts):
    """How often each region of `src` ran, and its place: a generic function has the runs of all its types."""
    runs = collections.Counter()
    for function in counts["functions"]:
        for first, column, last, end, times, file, _, kind in function["regions"]:
            path = pathlib.Path(function["filenames"][file])
            if kind == 0 and path.is_relative_to(ROOT / "src"):
                runs[str(path.relative_to(ROOT)), first, column, last, end] += times
    return runs


def function_at(lines, number):
    """The function that a line belongs to."""
    for line in reversed(lines[:number]):
        if found := FUNCTION.search(line):
            return found[1]
    return "?"


def allowed():
    """How many regions of each function may be without a test, by docs/coverage.md."""
    rows = (ROW.fullmatch(line) for line in REASONS.read_text().splitlines())
    return {(row["file"], row["function"]): (int(row["count"]), row["reason"]) for row in rows if row}


def main():
    arguments = sys.argv[1:]
    if not set(arguments) <= {"--again", "--table"}:
        sys.exit(__doc__)
    if not arguments:
        count(environment())
    counts = json.loads(COUNTS.read_text())["data"][0]
    runs = regions(counts)
    missed = collections.defaultdict(list)
    for place, times in sorted(runs.items()):
        if times == 0:
            file, first, column, last, end = place
            lines = (ROOT / file).read_text().splitlines()
            text = lines[first - 1][column - 1 : end - 1 if first == last else None].strip()
            missed[file, function_at(lines, first)].append(f"{file}:{first}:{column}: {text}")

    known = allowed()
    if "--table" in arguments:
        for key, places in missed.items():
            reason = known.get(key, (0, "?"))[1]
            print(f"| `{key[0]}` | `{key[1]}` | {len(places)} | {reason} |")

    lines = {"count": 0, "covered": 0}
    for file in counts["files"]:
        if pathlib.Path(file["filename"]).is_relative_to(ROOT / "src"):
            for kind in lines:
                lines[kind] += file["summary"]["lines"][kind]
    gaps = sum(map(len, missed.values()))
    print(f"lines: {lines['covered']} of {lines['count']}, {lines['covered'] / lines['count']:.2%}")
    print(f"regions: {len(runs) - gaps} of {len(runs)}, {(len(runs) - gaps) / len(runs):.2%}")

    new = [place for key, places in missed.items() if len(places) > known.get(key, (0,))[0] for place in places]
    for place in new:
        print("no test runs this, and docs/coverage.md gives no reason:", place)
    sys.exit(1 if new and "--table" not in arguments else 0)


if __name__ == "__main__":
    main()
