//! Where a session stands in its life.

use std::fmt;

/// Where a session stands in its life.
///
/// ```text
/// Open ------------------------------------------------------> Completed --> Released
/// Idle --> Preparing --> Prepared --> Synchronizing --> Completed
///              |                                            ^ |
///              +--- prepare failed -------------------------+ +--> Preparing (a retry)
/// ```
///
/// A session that a tool reports into on its own starts `Open`; one that was built
/// [`driven`](crate::SessionBuilder::driven) starts `Idle`. It can be released from anywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
pub enum Phase {
    /// There is no handler to drive: reports are taken for every item, and one `synchronize_completed` ends it.
    Open,
    /// Nothing was started. Reports and completions are refused.
    Idle,
    /// `prepare_for_sync` was called and is not completed.
    Preparing,
    /// The prepare was completed with `S_OK`.
    Prepared,
    /// `synchronize` was called and is not completed.
    Synchronizing,
    /// The round is over, by a completion. A driver may begin another.
    Completed,
    /// The handler was let go. Every call is refused.
    Released,
}

impl fmt::Display for Phase {
    /// The phase in lower case: `synchronizing`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Open => "open",
            Self::Idle => "idle",
            Self::Preparing => "preparing",
            Self::Prepared => "prepared",
            Self::Synchronizing => "synchronizing",
            Self::Completed => "completed",
            Self::Released => "released",
        })
    }
}

impl Phase {
    /// Whether reports of items that take part are taken.
    #[must_use]
    pub const fn takes_reports(self) -> bool {
        matches!(
            self,
            Self::Open | Self::Preparing | Self::Prepared | Self::Synchronizing
        )
    }

    /// Whether nothing more will come.
    pub(super) const fn is_over(self, driven: bool) -> bool {
        match self {
            Self::Released => true,
            Self::Completed => !driven,
            _ => false,
        }
    }
}
