//! Any bytes as calls on two sessions, which have to agree with their models: see `tests/session_model`.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../tests/session_model/check/mod.rs"]
mod check;
#[path = "../../tests/session_model/model/mod.rs"]
mod model;
#[path = "../../tests/session_model/ops/mod.rs"]
mod ops;
// What was reached is for the property test; the fuzzer measures its own coverage.
#[allow(dead_code)]
#[path = "../../tests/session_model/reached.rs"]
mod reached;
#[path = "../../tests/session_model/wrapper.rs"]
mod wrapper;

fuzz_target!(|bytes: &[u8]| check::check(bytes));
