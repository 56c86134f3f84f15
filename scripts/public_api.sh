#!/usr/bin/env bash
# The public API as a list, so that a change of it shows in review: docs/public-api.txt.
#
#   scripts/public_api.sh          compares the list with the code
#   scripts/public_api.sh --write  writes it
#
# It needs `cargo install cargo-public-api`. That stable Rust writes rustdoc's JSON is asked for by RUSTC_BOOTSTRAP.
set -euo pipefail
cd "$(dirname "$0")/.."

export CARGO_TARGET_DIR=target/public-api
RUSTC_BOOTSTRAP=1 cargo rustdoc --quiet -p syncmgr --lib --all-features --locked -- -Z unstable-options --output-format json
list() {
  # Without what every type implements by itself or by derive, and without what bitflags generates; `guide`
  # is in the documentation only.
  cargo public-api --rustdoc-json target/public-api/doc/syncmgr.json -sss \
    | grep --invert-match '^pub mod syncmgr::guide' | scripts/own_api.py
}
if [ "${1:-}" = --write ]; then
  list > docs/public-api.txt
else
  diff docs/public-api.txt <(list) || {
    echo 'the public API is not what docs/public-api.txt says: scripts/public_api.sh --write, and a line in the changelog'
    exit 1
  }
fi
