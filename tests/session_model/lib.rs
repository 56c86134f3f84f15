//! A session in simple words, and what runs the same calls on it and on a real one: every answer and every look agrees.
//!
//! The property test in `tests/session/model.rs` makes the calls at random, the fuzzer in `fuzz` by coverage.

pub mod check;
pub mod lives;
pub mod model;
pub mod ops;
pub mod reached;
pub mod wrapper;
