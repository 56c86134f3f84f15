//! Any bytes as calls on two sessions, which have to agree with their models: see `tests/session_model`.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| syncmgr_session_model::check::check(bytes));
