#!/usr/bin/env python3
"""From measured output to docs/performance.md and docs/performance.svg.

    scripts/performance.py collect TARGET/criterion RUN...
        reads what criterion left behind and what each run of the bars printed, and keeps it in
        docs/performance.json
    scripts/performance.py
        fills the tables of docs/performance.md from that file, and draws docs/performance.svg

Python's standard library is all it needs.
"""

import json
import math
import re
import sys
from html import escape
from pathlib import Path

DOCS = Path(__file__).resolve().parent.parent / "docs"
DATA = DOCS / "performance.json"
PAGE = DOCS / "performance.md"
PICTURE = DOCS / "performance.svg"

# What each peer does with a report, and where its answer whether to go on comes from.
PEERS = {
    "syncmgr, a reporter an item": (
        "own",
        "a store; readers get value, maximum, status and text as one",
    ),
    "syncmgr, by id": ("own", "the id is looked up, then the same store; readers get the same"),
    "AtomicU64 and CancellationToken": (
        "`CancellationToken` beside it",
        "a store; no statuses, texts or observers",
    ),
    "atomic-progress and CancellationToken": (
        "`CancellationToken` beside it",
        "a store; a name and a total; no statuses",
    ),
    "prodash and CancellationToken": (
        "`CancellationToken` beside it",
        "a sequentially consistent store; a tree of named tasks",
    ),
    "indicatif, hidden, and CancellationToken": (
        "`CancellationToken` beside it",
        "a store and a look at the clock, and at times the state's lock; draws, if it is not hidden",
    ),
    "Mutex<HashMap>": (
        "own: a flag in the map",
        "a lock and a look-up; no statuses, texts or observers",
    ),
    "mpsc channel and AtomicBool": (
        "own: an `AtomicBool` an item",
        "a message to a thread that keeps the values",
    ),
    "progress-token": (
        "own: a token in each task",
        "locks, and a walk to the root that sums up the children and tells the subscribers",
    ),
    "howudoin": (
        "own, one for the process: a question to its consumer thread, which answers",
        "a message to the consumer thread",
    ),
}


def collect(criterion, runs):
    """Reads criterion's estimates and the tables of bars."""
    measured = []
    for described in sorted(Path(criterion).glob("**/new/benchmark.json")):
        what = json.loads(described.read_text())
        estimates = json.loads(described.with_name("estimates.json").read_text())
        median = estimates["median"]
        elements = (what["throughput"] or {}).get("Elements", 1)
        measured.append(
            {
                "group": what["group_id"],
                "name": what["function_id"],
                "size": what["value_str"],
                "elements": elements,
                "ns": round(median["point_estimate"], 4),
                "low": round(median["confidence_interval"]["lower_bound"], 4),
                "high": round(median["confidence_interval"]["upper_bound"], 4),
            }
        )
    bars = []
    for run in runs:
        rows = []
        for line in Path(run).read_text().splitlines():
            cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
            if len(cells) == 7 and re.fullmatch(r"P\d+b?|-", cells[0]):
                if cells[0] == "-":
                    cells[5:] = ["no bar", ""]
                cells[1] = re.sub(r" \(\d+ looks\)", "", cells[1])
                rows.append(cells)
        bars.append(rows)
    DATA.write_text(json.dumps({"bars": bars, "criterion": measured}, indent=1) + "\n")


def in_ns(ns):
    """A time as a person reads it."""
    if ns < 10:
        return f"{ns:.2f}"
    if ns < 100:
        return f"{ns:.1f}"
    return f"{ns:,.0f}"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)


class Data:
    def __init__(self):
        data = json.loads(DATA.read_text())
        self.bars = data["bars"]
        self.all = data["criterion"]

    def ns(self, group, name, size=None):
        for one in self.all:
            if (one["group"], one["name"], one["size"]) == (group, name, size):
                return one["ns"]
        raise SystemExit(f"{group}/{name}/{size} was not measured")

    def each(self, group):
        return [one for one in self.all if one["group"] == group]


def bars_table(data):
    """Every run of every bar: none is left out."""
    rows, bar = {}, ""
    for run in data.bars:
        for cells in run:
            bar = bar if cells[0] == "-" else cells[0]
            rows.setdefault((bar, cells[0], cells[1]), []).append(cells[2:])
    lines = []
    for (_, bar, what), runs in sorted(rows.items(), key=lambda row: row[0][0]):
        floor, ours, _, wanted, _ = runs[0]
        met = sum(run[4] == "met" for run in runs)
        verdict = f"{'met' if met else 'missed'} in all {len(runs)}"
        if 0 < met < len(runs):
            verdict = f"met in {met} of {len(runs)}"
        ratios = "<br>".join(run[2] for run in runs)
        if bar == "-":
            bar = verdict = ""
        lines.append((bar, what, floor, ours, ratios, wanted, verdict))
    head = ("bar", "what", "against", "ours", "ratio in each run", "wanted", "")
    return table(head, lines)


def peers_table(data):
    rows = []
    for name, (verdict, does) in PEERS.items():
        one, many = (data.ns(f"{count} items", name) for count in (1, 1000))
        rows.append((f"`{name}`" if "<" in name else name, in_ns(one), in_ns(many), verdict, does))
    rows.sort(key=lambda row: float(row[1].replace(",", "")))
    return table(("what", "1 item, ns", "1,000 items, ns", "verdict", "what a report does"), rows)


def growth_table(data):
    sizes = ("10", "1000", "100000", "1000000")
    rows = {}
    for one in data.each("session"):
        each = one["ns"] / one["elements"]
        per = "item" if one["elements"] > 1 else "call"
        rows.setdefault((per, one["name"]), {})[one["size"]] = in_ns(each)
    lines = [
        (name, per, *(cells.get(size, "-") for size in sizes))
        for (per, name), cells in sorted(rows.items(), reverse=True)
    ]
    return table(("what", "for each", "10", "1,000", "100,000", "1,000,000"), lines)


def report_table(data):
    rows = []
    for group, kind in (("report", ""), ("after a retry", ", after a retry"), ("through a wrapper", ", through a wrapper")):
        for one in sorted(data.each(group), key=lambda one: one["ns"]):
            name = one["name"].replace(", 1 items in turn", ", one item").replace("1000", "1,000")
            rows.append((name + kind, in_ns(one["ns"])))
    return table(("what", "ns"), rows)


def random_table(data):
    rows = []
    for what in ("floor", "ItemReporter::set", "progress"):
        few, many = (data.ns("random order", f"{what}, {count} items") for count in (1000, 1000000))
        rows.append((what, in_ns(few), in_ns(many), f"{many / few:.1f}"))
    return table(("what", "1,000 items, ns", "1,000,000 items, ns", "times"), rows)


def threads_table(data):
    rows = []
    places = ("2 threads on 1 item", "2 threads on 2 items", "4 threads on 1 item", "4 threads on 4 items")
    for what in ("floor", "ItemReporter::set", "ItemReporter::advance", "ItemReporter::advance, every 64th step"):
        cells = []
        for place in places:
            ns = data.ns("threads", f"{what}, {place}")
            cells.append(f"{int(place[0]) / ns * 1000:,.0f}")
        rows.append((what, *cells))
    return table(("million reports a second, all threads together", *places), rows)


def fill(data):
    """Puts the tables between their marks."""
    text = PAGE.read_text()
    tables = {
        "bars": bars_table,
        "peers": peers_table,
        "growth": growth_table,
        "report": report_table,
        "random": random_table,
        "threads": threads_table,
    }
    for name, make in tables.items():
        mark = re.compile(rf"(<!-- {name}: [^\n]*-->\n).*?(<!-- end -->)", re.S)
        if not mark.search(text):
            raise SystemExit(f"{PAGE} has no place for the table of {name}")
        text = mark.sub(lambda found: found[1] + make(data) + "\n" + found[2], text)
    PAGE.write_text(text)


STYLE = """
    text { font: 13px system-ui, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1f2328; }
    .title { font-size: 17px; font-weight: 600; }
    .soft { fill: #59636e; }
    .ours { font-weight: 600; }
    .value { paint-order: stroke; stroke: #ffffff; stroke-width: 4px; }
    .page { fill: #ffffff; }
    .grid { stroke: #d1d9e0; stroke-width: 1; }
    .one { fill: #0969da; }
    .many { fill: #8cbdf0; }
    @media (prefers-color-scheme: dark) {
      text { fill: #f0f6fc; }
      .soft { fill: #9198a1; }
      .value { stroke: #0d1117; }
      .page { fill: #0d1117; }
      .grid { stroke: #3d444d; }
      .one { fill: #58a6ff; }
      .many { fill: #2f5f9e; }
    }
"""


def draw(data):
    """A bar chart of the peers, on a logarithmic scale."""
    rows = [(name, *(data.ns(f"{count} items", name) for count in (1, 1000))) for name in PEERS]
    rows.sort(key=lambda row: row[1])
    decades = range(-1, math.ceil(math.log10(max(max(row[1:]) for row in rows))) + 1)
    left, right, top, step, bar = 290, 90, 104, 42, 14
    width = 860
    bottom = top + step * len(rows)
    height = bottom + 62

    def x(ns):
        share = (math.log10(ns) - decades[0]) / (decades[-1] - decades[0])
        return left + share * (width - left - right)

    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" aria-labelledby="title about">',
        '  <title id="title">What a report with its verdict costs</title>',
        '  <desc id="about">Nanoseconds a report, on a logarithmic scale, of one item and of 1,000 items in turn.</desc>',
        f"  <style>{STYLE}  </style>",
        f'  <rect class="page" width="{width}" height="{height}"/>',
        '  <text class="title" x="24" y="34">What a report with its verdict costs</text>',
        '  <text class="soft" x="24" y="56">Nanoseconds a report (median), one thread, logarithmic scale: shorter is better</text>',
    ]
    for place, (kind, label) in enumerate((("one", "1 item"), ("many", "1,000 items in turn"))):
        at = left + place * 90
        out.append(f'  <rect class="{kind}" x="{at}" y="72" width="14" height="14" rx="2"/>')
        out.append(f'  <text x="{at + 20}" y="84">{label}</text>')
    for decade in decades:
        at = x(10.0**decade)
        label = f"{10.0**decade:,.1f}" if decade < 0 else f"{10**decade:,}"
        out.append(f'  <line class="grid" x1="{at:.1f}" y1="{top - 6}" x2="{at:.1f}" y2="{bottom}"/>')
        out.append(f'  <text class="soft" x="{at:.1f}" y="{bottom + 18}" text-anchor="middle">{label}</text>')
    middle = (left + width - right) / 2
    out.append(f'  <text class="soft" x="{middle:.0f}" y="{bottom + 42}" text-anchor="middle">nanoseconds a report</text>')
    for place, (name, one, many) in enumerate(rows):
        y = top + place * step
        ours = " ours" if name.startswith("syncmgr") else ""
        out.append(f'  <text class="name{ours}" x="{left - 12}" y="{y + bar + 5}" text-anchor="end">{escape(name)}</text>')
        for kind, ns, at in (("one", one, y), ("many", many, y + bar + 2)):
            out.append(f'  <rect class="{kind}" x="{left}" y="{at}" width="{x(ns) - left:.1f}" height="{bar}" rx="2"/>')
            out.append(f'  <text class="value{ours}" x="{x(ns) + 6:.1f}" y="{at + 12}">{in_ns(ns)}</text>')
    out.append("</svg>")
    PICTURE.write_text("\n".join(out) + "\n")


def main(arguments):
    if arguments[:1] == ["collect"] and len(arguments) > 2:
        collect(arguments[1], arguments[2:])
    elif not arguments:
        data = Data()
        fill(data)
        draw(data)
    else:
        raise SystemExit(__doc__)


main(sys.argv[1:])
