#!/usr/bin/env python3
"""Drops what `bitflags` generates from a list of the public API.

    scripts/own_api.py < LIST

The methods and trait implementations that every flags type gets are documented by bitflags. The types, their
constants and their other methods stay.
"""

import re
import sys

GENERATED = (
    "all all_named bits complement contains difference empty extend fmt from_bits from_bits_retain from_bits_truncate"
    " from_iter from_name insert intersection into_iter intersects is_all is_empty iter iter_names remove set sub"
    " sub_assign bitand bitand_assign bitor bitor_assign bitxor bitxor_assign not symmetric_difference toggle union"
    " Bits FLAGS Internal IntoIter Item Output Primitive"
).split()
# What is derived or written by hand for a flags type as well.
OWN_TRAITS = ("serde_core::", "core::convert::")


def main():
    lines = sys.stdin.read().splitlines()
    flags = [match[1] for line in lines if (match := re.match(r"impl bitflags::traits::Flags for (\S+)$", line))]
    paths = "|".join(map(re.escape, flags))
    member = re.compile(rf"pub (?:const |type )?(?:fn )?(?:{paths})::(?:{'|'.join(GENERATED)})\b")
    header = re.compile(rf"impl(?:<.*?>)? (?:(?P<trait>\S+(?:<.*?>)?) for )?(?:{paths})$")
    kept = []
    for line in lines:
        match = header.match(line)
        if match and match["trait"] and not match["trait"].startswith(OWN_TRAITS):
            continue
        if member.match(line):
            continue
        kept.append(line)
    # An `impl` block of which nothing is left.
    out = []
    for line, following in zip(kept, kept[1:] + [""]):
        match = header.match(line)
        if match and not match["trait"] and not any(following.startswith(f"pub {kind}{path}::") for kind in ("fn ", "const fn ", "const ") for path in flags):
            continue
        out.append(line)
    print("\n".join(out))


if __name__ == "__main__":
    main()
