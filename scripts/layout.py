#!/usr/bin/env python3
"""Checks the layout of `src`.

    scripts/layout.py          checks it
    scripts/layout.py --edges  also prints which file uses which

1. The modules form layers (LAYERS): a file uses only its own module and modules of lower layers.
2. There is no cycle of uses between files.
3. No two types share a name, except `State` and `Inner`, which must be private to their file.
4. No file has more than 500 lines.
5. Only `util/clock.rs` reads the time.

A use is an import or a path in the code, outside of unit tests. It counts for the file that defines the
name, also where another file re-exports it. A file that declares modules does not use them by that.

Exit status: 0, or 1 if a check fails.
"""

import collections
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SRC = ROOT / "src"
# From the lowest to the highest. Modules of one layer do not use each other.
LAYERS = [
    ["util"],
    ["contract"],
    ["session", "raw"],
    ["driver"],
    ["manager", "per_item"],
    ["json"],
    ["testing"],
    ["telemetry", "render"],
]
# The crate root only re-exports, and the guide is documentation.
EXEMPT = {"lib", "guide"}
SHARED_NAMES = {"State", "Inner"}
MOST_LINES = 500
CLOCK = "util/clock.rs"
READS_TIME = re.compile(r"\b(?:Instant|SystemTime)::now\b|\.elapsed\(\)")

ITEM = re.compile(
    r"(?:^|[;{}\]\s])(?P<vis>pub(?:\s*\([^)]*\))?\s+)?(?:(?:const|async|unsafe|extern\s+\"C\")\s+)*"
    r"(?P<kind>fn|struct|enum|trait|type|const|static|union|macro_rules!)\s+(?P<name>\w+)"
)
TYPES = {"struct", "enum", "trait", "type", "union"}
# A path from the crate root or a parent module, or from a child module that the file declares.
PATH = re.compile(r"(?<![:\w])[a-z_]\w*(?:::\w+)+")
USE = re.compile(r"(?P<vis>pub(?:\s*\([^)]*\))?\s+)?\buse\s+(?P<tree>[^;]+);")


def without_comments(text):
    """Blanks comments, strings and unit tests. Paths in `with = "…"` are code, so they are kept."""
    kept = re.findall(r'\bwith\s*=\s*"([\w:]+)"', text)
    pattern = r'//[^\n]*|/\*.*?\*/|b?r(#*)".*?"\1|b?"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])\''
    text = re.sub(pattern, '""', text, flags=re.S)
    text = re.split(r"#\[cfg\((?:all\()?test\b[^\n]*\]\s*mod tests \{", text)[0]
    return text + "".join(f"\n{path};" for path in kept)


def top_level(text):
    """The text without what is in braces, except `bitflags!` and other macros that contain items."""
    text = re.sub(r"\b(?:bitflags::)?\w+! \{\s*(?=(?:#\[[^\]]*\]\s*)*(?:pub|struct|enum))", "  ", text)
    out, depth = [], 0
    for char in text:
        if char == "}":
            depth = max(depth - 1, 0)
        if depth == 0:
            out.append(char)
        if char == "{":
            depth += 1
    return "".join(out)


def flatten(tree, prefix=()):
    """The paths of a use tree, each with the name that it gets."""
    tree = tree.strip()
    depth, start, parts = 0, 0, []
    for place, char in enumerate(tree):
        depth += {"{": 1, "}": -1}.get(char, 0)
        if char == "," and depth == 0:
            parts.append(tree[start:place])
            start = place + 1
    parts.append(tree[start:])
    for part in filter(None, (part.strip() for part in parts)):
        brace = part.find("{")
        if brace >= 0:
            head = tuple(filter(None, part[:brace].strip().removesuffix("::").split("::")))
            yield from flatten(part[brace + 1 : part.rindex("}")], prefix + head)
            continue
        path, _, name = part.partition(" as ")
        segments = prefix + tuple(path.strip().split("::"))
        if segments[-1] == "self":
            segments = segments[:-1]
        yield segments, (name.strip() or segments[-1])


class File:
    def __init__(self, path):
        self.path = path
        relative = path.relative_to(SRC).with_suffix("").parts
        self.module = () if relative == ("lib",) else relative[:-1] if relative[-1] == "mod" else relative
        raw = path.read_text()
        self.lines = raw.count("\n")
        self.text = without_comments(raw)
        top = top_level(self.text)
        self.items = {}
        self.types = []
        for match in ITEM.finditer(top):
            kind, name = match["kind"], match["name"]
            self.items[name] = kind
            if kind in TYPES:
                self.types.append((name, bool(match["vis"])))
        self.imports, self.globs = {}, []
        self.uses = []
        for match in USE.finditer(self.text):
            for segments, name in flatten(match["tree"]):
                if name == "*":
                    self.globs.append(segments[:-1])
                elif name != "_":
                    self.imports.setdefault(name, segments)
                exported = bool(match["vis"]) and path.name in ("mod.rs", "lib.rs")
                if not exported:
                    self.uses.append(segments[:-1] if name == "*" else segments)
        body = USE.sub("", self.text)
        body = re.sub(r"\bpub\s*\(\s*(?:crate|super|in [^)]*)\)", "", body)
        self.uses += [tuple(path.split("::")) for path in PATH.findall(body)]

    @property
    def name(self):
        return str(self.path.relative_to(SRC))


class Crate:
    def __init__(self):
        self.files = [File(path) for path in sorted(SRC.rglob("*.rs"))]
        self.modules = {file.module: file for file in self.files}

    def resolve(self, module, segments, depth=0):
        """The file that defines what a path names, or None for another crate."""
        first, rest = segments[0], list(segments[1:])
        if first == "crate":
            at = ()
        elif first == "self":
            at = module
        elif first == "super":
            at = module[:-1]
        elif module + (first,) in self.modules:
            at = module + (first,)
        else:
            return None
        while rest and rest[0] == "super":
            at, rest = at[:-1], rest[1:]
        return self.find(at, rest, depth)

    def find(self, at, rest, depth):
        while rest and at + (rest[0],) in self.modules:
            at, rest = at + (rest[0],), rest[1:]
        file = self.modules[at]
        if not rest or rest[0] in file.items or depth > 8:
            return file
        if rest[0] in file.imports:
            target = self.resolve(at, file.imports[rest[0]], depth + 1)
            return target
        for glob in file.globs:
            found = self.resolve(at, tuple(glob) + (rest[0],), depth + 1)
            if found and rest[0] in found.items:
                return found
        return file

    def edges(self):
        edges = {}
        for file in self.files:
            targets = set()
            for use in file.uses:
                target = self.resolve(file.module, use)
                if target is not None and target is not file:
                    targets.add(target.name)
            edges[file.name] = sorted(targets)
        return edges


def cycles(edges):
    """The strongly connected components of more than one file (Tarjan)."""
    index, low, stack, on, out = {}, {}, [], set(), []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        on.add(node)
        for target in edges.get(node, ()):
            if target not in index:
                visit(target)
                low[node] = min(low[node], low[target])
            elif target in on:
                low[node] = min(low[node], index[target])
        if low[node] == index[node]:
            found = []
            while True:
                found.append(stack.pop())
                on.discard(found[-1])
                if found[-1] == node:
                    break
            if len(found) > 1:
                out.append(sorted(found))

    sys.setrecursionlimit(10_000)
    for node in edges:
        if node not in index:
            visit(node)
    return out


def top(name):
    return name.split("/")[0].removesuffix(".rs")


def main():
    crate = Crate()
    edges = crate.edges()
    problems = []
    rank = {module: place for place, layer in enumerate(LAYERS) for module in layer}
    for file, targets in edges.items():
        own = top(file)
        if own in EXEMPT:
            continue
        if own not in rank:
            problems.append(f"{file}: the module {own} has no layer")
            continue
        for target in targets:
            other = top(target)
            if other != own and (other in EXEMPT or rank.get(other, 99) >= rank[own]):
                problems.append(f"{file} uses {target}, which is not of a lower layer")
    for cycle in cycles({file: edges[file] for file in edges if top(file) not in EXEMPT}):
        inner = [f"{file} -> {target}" for file in cycle for target in edges[file] if target in cycle]
        problems.append("cycle: " + ", ".join(inner))
    names = collections.defaultdict(list)
    for file in crate.files:
        for name, visible in file.types:
            if name in SHARED_NAMES and not visible:
                continue
            names[name].append(file.name)
    for name, places in sorted(names.items()):
        # Two versions of one type for different targets are in one file.
        if len(set(places)) > 1:
            problems.append(f"the type {name} is defined in {', '.join(sorted(set(places)))}")
    for path in sorted(SRC.rglob("*.rs")):
        name = path.relative_to(SRC).as_posix()
        if name != CLOCK and READS_TIME.search(without_comments(path.read_text())):
            problems.append(f"{name} reads the time; only {CLOCK} may")
    for file in crate.files:
        if file.lines > MOST_LINES:
            problems.append(f"{file.name} has {file.lines} lines, {MOST_LINES} are allowed")
    if "--edges" in sys.argv[1:]:
        for file, targets in edges.items():
            print(f"{file}: {' '.join(targets)}")
    for problem in problems:
        print(problem)
    print(f"{len(crate.files)} files, {sum(map(len, edges.values()))} uses, {len(problems)} problems")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
