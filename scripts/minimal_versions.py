#!/usr/bin/env python3
"""Does the library build with the lowest versions of its dependencies that Cargo.toml allows?

Of the package only the library is looked at: dev-dependencies and the other packages of the workspace are for whoever works
on it, and are built with what Cargo.lock says. Needs nothing but cargo; that stable Rust takes the unstable flag is asked for
by RUSTC_BOOTSTRAP, here only.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
NOT_OF_THE_LIBRARY = re.compile(r"^\[+(workspace|.*dev-dependencies|bench|example|test)\b")


def without_the_rest(manifest: str) -> str:
    """The manifest without the tables that the library does not need."""
    tables = re.split(r"(?m)^(?=\[)", manifest)
    return "".join(table for table in tables if not NOT_OF_THE_LIBRARY.match(table))


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder)
        for name in ("src", "docs"):
            shutil.copytree(ROOT / name, copy / name)
        shutil.copy(ROOT / "README.md", copy)
        manifest = without_the_rest((ROOT / "Cargo.toml").read_text())
        # A workspace of its own, whatever is in the directories above.
        (copy / "Cargo.toml").write_text(manifest + "\n[workspace]\n")
        unstable = os.environ | {"RUSTC_BOOTSTRAP": "1"}
        steps = [
            (["cargo", "update", "-Z", "direct-minimal-versions"], unstable),
            (["cargo", "tree", "--depth", "1", "--all-features"], os.environ),
            (["cargo", "check", "--lib", "--all-features"], os.environ),
            (["cargo", "check", "--lib"], os.environ),
        ]
        target = {"CARGO_TARGET_DIR": str(ROOT / "target" / "minimal-versions")}
        for command, environment in steps:
            done = subprocess.run(command, cwd=copy, env=environment | target, check=False)
            if done.returncode != 0:
                return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
