//! Which run a thread works for, so that code of a handler that waits for the end of its own run gets an error.
//!
//! The thread that drives a handler enters the run. A worker of `per_item` inherits it from the thread that starts it, and a
//! task from the thread that spawns it. Threads that a handler starts by itself are not known.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

/// A run, unique in the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RunId(u64);

/// The number of the next run. `Relaxed`: only its uniqueness matters.
static NEXT: AtomicU64 = AtomicU64::new(1);

thread_local! {
    static INSIDE: Cell<Option<RunId>> = const { Cell::new(None) };
}

impl RunId {
    pub(crate) fn new() -> Self {
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// The run that this thread works for.
    pub(crate) fn current() -> Option<Self> {
        INSIDE.try_with(Cell::get).ok().flatten()
    }
}

/// While it exists, this thread works for a run.
#[must_use]
pub(crate) struct Inside(Option<RunId>);

impl Inside {
    pub(crate) fn enter(run: Option<RunId>) -> Self {
        Self(INSIDE.try_with(|inside| inside.replace(run)).ok().flatten())
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        let _ = INSIDE.try_with(|inside| inside.set(self.0));
    }
}
