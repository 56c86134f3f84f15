//! The completions that end the steps of a round, and those that are refused.

use std::fmt;

use super::Phase;
use crate::HResult;

/// One of the two completions that end a step of a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Completion {
    /// `prepare_for_sync_completed`.
    #[cfg_attr(feature = "serde", serde(rename = "prepare_for_sync_completed"))]
    Prepare,
    /// `synchronize_completed`.
    #[cfg_attr(feature = "serde", serde(rename = "synchronize_completed"))]
    Synchronize,
}

impl fmt::Display for Completion {
    /// The name of the call: `prepare_for_sync_completed`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Prepare => "prepare_for_sync_completed",
            Self::Synchronize => "synchronize_completed",
        })
    }
}

/// A completion that was answered [`WrongPhase`](crate::CallbackError::WrongPhase): a second one, or one that nothing had been
/// begun for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct RefusedCompletion {
    /// Which of the two it was.
    pub call: Completion,
    /// What the handler passed.
    pub result: HResult,
    /// The phase in which it came.
    pub phase: Phase,
}
