//! Spans and events of sessions and runs.

mod faults;
mod messages;
mod runs;
mod sessions;
mod spans;
