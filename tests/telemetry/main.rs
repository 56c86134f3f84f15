//! Spans and events of sessions and runs.

mod faults;
mod runs;
mod sessions;
mod spans;
