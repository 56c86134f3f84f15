#!/usr/bin/env python3
"""Times the example `mirror` against `cp -a`, in pairs.

    cargo build --release -p syncmgr-mirror
    scripts/mirror_vs_cp.py [--pairs N] [--plain] [--mirror BINARY] DIRECTORY

DIRECTORY should lie on a tmpfs (such as /dev/shm) with 4.5 GiB free; a new directory in it holds everything and is removed at
the end. Two trees are copied: 20,000 small files, and 2 GiB in large files. After one pair that is not
measured come at least 7 pairs; in every other pair the mirror goes first. Each copy goes into a new place. The table gives median
and quartiles of the pairs' ratios, mirror time / cp time. The unmeasured copies of both programs are compared to
the source: names, kinds, contents, link targets, permissions, times.

The mirror runs on a pseudo-terminal, so that it draws its bars; with --plain it prints lines.

Exit status: 0, or 1 if a copy differs or, on a tmpfs, a median is above its bar (1.25 and 1.10).
"""

import argparse
import os
import pathlib
import pty
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

SMALL_FILES = 20_000
LARGE_BYTES = 2 << 30
BARS = {"small": 1.25, "large": 1.10}


def make_small(root):
    """20 items of 10 directories of 100 files, of 0 to 8,191 bytes."""
    dice = random.Random(1)
    for number in range(SMALL_FILES):
        folder = root / f"item{number // 1000:02}" / f"dir{number // 100 % 10}"
        if number % 100 == 0:
            folder.mkdir(parents=True, exist_ok=True)
        (folder / f"file{number % 100:03}").write_bytes(dice.randbytes(dice.randrange(8192)))


def make_large(root):
    """8 items of one file each."""
    root.mkdir()
    size = LARGE_BYTES // 8
    for number in range(8):
        with open(root / f"large{number}", "wb") as file:
            for _ in range(size >> 20):
                file.write(os.urandom(1 << 20))


def look(root):
    """What must be the same in a copy, by relative path."""
    found = {}
    stack = [root]
    while stack:
        path = stack.pop()
        stat = path.lstat()
        if path.is_symlink():
            content = os.readlink(path)
        elif path.is_dir():
            content = None
            stack.extend(path.iterdir())
        else:
            content = path
        found[path.relative_to(root)] = (stat.st_mode, stat.st_mtime_ns, content)
    return found


def differences(source, copy):
    """The paths at which a copy differs from its source."""
    here, there = look(source), look(copy)
    for path in sorted(here.keys() | there.keys()):
        one, other = here.get(path), there.get(path)
        if one is None or other is None or one[:2] != other[:2]:
            yield path
        elif isinstance(one[2], pathlib.Path):
            if one[2].read_bytes() != other[2].read_bytes():
                yield path
        elif one[2] != other[2]:
            yield path


def time_cp(source, dest):
    """Seconds that cp takes."""
    start = time.perf_counter()
    subprocess.run(["cp", "-a", source, dest], check=True)
    return time.perf_counter() - start


def drain(terminal):
    """Reads what is drawn, as a terminal would."""
    try:
        while os.read(terminal, 65536):
            pass
    except OSError:
        pass


def time_mirror(binary, plain, source, dest):
    """Seconds that the mirror takes."""
    command = [binary, source, dest]
    if plain:
        start = time.perf_counter()
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        return time.perf_counter() - start
    terminal, end = pty.openpty()
    reader = threading.Thread(target=drain, args=(terminal,))
    reader.start()
    start = time.perf_counter()
    try:
        subprocess.run(command, check=True, stdin=end, stdout=end, stderr=end)
        return time.perf_counter() - start
    finally:
        os.close(end)
        reader.join()
        os.close(terminal)


def measure(place, binary, plain, name, make, pairs):
    """The pairs' times for one tree, and whether the copies were the same as the source."""
    source = place / name
    make(source)
    runs = {
        "mirror": lambda dest: time_mirror(binary, plain, source, dest),
        "cp": lambda dest: time_cp(source, dest),
    }
    times, same = [], True
    for number in range(pairs + 1):
        order = ["mirror", "cp"] if number % 2 else ["cp", "mirror"]
        pair = {}
        for program in order:
            dest = place / f"{name}-{program}"
            pair[program] = runs[program](dest)
            if number == 0:
                for path in differences(source, dest):
                    same = False
                    print(f"{program}: {path} differs", file=sys.stderr)
            shutil.rmtree(dest)
        if number > 0:
            times.append(pair)
    shutil.rmtree(source)
    return times, same


def main():
    """Measures both trees and prints the table."""
    parser = argparse.ArgumentParser(description="Times the example `mirror` against `cp -a`.")
    parser.add_argument("directory", type=pathlib.Path)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--plain", action="store_true")
    target = os.environ.get("CARGO_TARGET_DIR", pathlib.Path(__file__).parents[1] / "target")
    built = pathlib.Path(target, "release", "mirror")
    parser.add_argument("--mirror", type=pathlib.Path, default=built)
    options = parser.parse_args()
    if not options.mirror.exists():
        parser.error(f"{options.mirror} is missing: cargo build --release -p syncmgr-mirror")
    if options.pairs < 7:
        parser.error("fewer than 7 pairs tell nothing")
    kind = subprocess.run(
        ["stat", "-f", "-c", "%T", options.directory], check=True, capture_output=True, text=True
    ).stdout.strip()
    print(f"{options.pairs} pairs on {kind}, {os.cpu_count()} cores")
    print("tree    mirror s    cp s   ratio: quartile  median  quartile   bar")
    good = True
    with tempfile.TemporaryDirectory(dir=options.directory, prefix="mirror-vs-cp-") as place:
        for name, make in (("small", make_small), ("large", make_large)):
            times, same = measure(
                pathlib.Path(place), options.mirror, options.plain, name, make, options.pairs
            )
            ratios = [pair["mirror"] / pair["cp"] for pair in times]
            low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive")
            mirror, cp = (
                statistics.median(pair[program] for pair in times) for program in ("mirror", "cp")
            )
            print(
                f"{name:6}  {mirror:8.3f}  {cp:6.3f}          {low:8.2f}  {middle:6.2f}"
                f"  {high:8.2f}  {BARS[name]:4.2f}"
            )
            good &= same and (kind != "tmpfs" or middle <= BARS[name])
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
