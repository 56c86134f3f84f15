//! The failure of a user's closure.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::cancelled::Cancelled;
use super::error::Error;
use crate::util::panic::{contained, panicked};
use crate::util::text::error_chain;

/// Why a function of the work's own did not answer what was asked of it.
pub(super) enum WorkFailure {
    /// It passes on that it is to end, in an error of this text.
    Cancelled(Cancelled, String),
    Error(String),
    Panic(String),
    /// Its future was dropped.
    #[cfg(feature = "async")]
    Dropped,
}

impl WorkFailure {
    /// The error is the work's own code too: its text and its drop, each of which may panic.
    pub(super) fn error(error: Error) -> Self {
        let told = catch_unwind(AssertUnwindSafe(|| {
            let text = error_chain(&*error);
            match Cancelled::find(&*error) {
                Some(interrupted) => Self::Cancelled(interrupted, text),
                None => Self::Error(text),
            }
        }));
        contained(|| drop(error));
        told.unwrap_or_else(Self::panicked)
    }

    pub(super) fn panicked(payload: Box<dyn Any + Send>) -> Self {
        Self::Panic(panicked(payload))
    }
}

impl fmt::Display for WorkFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancelled(_, text) | Self::Error(text) => f.write_str(text),
            Self::Panic(text) => write!(f, "panicked: {text}"),
            #[cfg(feature = "async")]
            Self::Dropped => f.write_str("the task that did the item was dropped before its end"),
        }
    }
}

/// Calls a function of the work's own.
pub(super) fn guarded<T>(call: impl FnOnce() -> Result<T, Error>) -> Result<T, WorkFailure> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(answer) => answer.map_err(WorkFailure::error),
        Err(payload) => Err(WorkFailure::panicked(payload)),
    }
}
