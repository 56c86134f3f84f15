//! `run_handler`: one handler through its whole life.

mod answers;
mod completions;
mod deadline;
mod faults;
mod host_code;
mod life;
mod outcomes;
mod panics;
mod properties;
mod reentrant;
mod retry;
mod running;
mod selection;
mod skip;
