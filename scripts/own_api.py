#!/usr/bin/env python3
"""Shortens a list of the public API to one line for each thing that a user can name.

    scripts/own_api.py < LIST

It drops:

- the methods and trait implementations that `bitflags` generates for each flags type;
- the methods of trait implementations, which are those of the trait, and the headers of other `impl` blocks;
- implementations of traits that other types derive, and of `Drop`, which nobody can call;
- lines that occur before, such as an implementation that is listed both for its trait and for its type.
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
# Not listed where they are derived, so not where they are written by hand either.
USUAL_TRAITS = re.compile(r"core::(?:fmt::Debug|hash::Hash|default::Default|ops::drop::Drop)$")
HEADER = re.compile(r"impl(?:<.*?>)? (?:(?P<trait>.+) for )?(?P<type>\S.*)$")
# A function of a type, not of a module.
METHOD = re.compile(r"pub (?:const |async )?fn (?:\S+::)?[A-Z]\w*(?:<.*?>)?::")
DEFINITION = re.compile(r"(?:#\[\w+\] )?pub (?:mod|struct|enum|trait|union|macro|use|type) ")


def main():
    lines = sys.stdin.read().splitlines()
    flags = {match[1] for line in lines if (match := re.match(r"impl bitflags::traits::Flags for (\S+)$", line))}
    paths = "|".join(map(re.escape, sorted(flags)))
    member = re.compile(rf"pub (?:const |type )?(?:fn )?(?:{paths})::(?:{'|'.join(GENERATED)})\b")
    kept, in_trait_impl = {}, False
    for line in lines:
        if line.startswith("impl"):
            header = HEADER.match(line)
            in_trait_impl = header["trait"] is not None
            generated = header["type"] in flags and in_trait_impl and not header["trait"].startswith(OWN_TRAITS)
            usual = in_trait_impl and USUAL_TRAITS.match(header["trait"])
            if in_trait_impl and not generated and not usual:
                kept[line] = None
            continue
        if DEFINITION.match(line):
            in_trait_impl = in_trait_impl and line.startswith("pub type")
        if member.match(line) or (in_trait_impl and METHOD.match(line)):
            continue
        kept[line] = None
    print("\n".join(kept))


if __name__ == "__main__":
    main()
