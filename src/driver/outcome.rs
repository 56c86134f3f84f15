//! How the items of a run ended, in plain words.

use std::fmt;

use crate::ItemStatus;
use crate::session::ItemView;

/// How a selected item ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// It was synchronized, or deleted.
    Succeeded,
    /// It failed.
    Failed,
    /// It was cancelled or skipped by the user: before it started, or in its work.
    Cancelled,
    /// The handler itself skipped it, as there was nothing to do.
    Skipped,
    /// The handler did not end it.
    Unfinished,
}

impl Outcome {
    /// Returns the outcome of an item as it is now, or `None` if the item is not selected.
    #[must_use]
    pub fn of(item: &ItemView) -> Option<Self> {
        item.selected.then_some(match item.status {
            ItemStatus::Succeeded | ItemStatus::Deleted => Self::Succeeded,
            ItemStatus::Failed => Self::Failed,
            ItemStatus::Stopped => Self::Cancelled,
            ItemStatus::Skipped if !item.verdict.is_continue() => Self::Cancelled,
            ItemStatus::Skipped => Self::Skipped,
            ItemStatus::Pending
            | ItemStatus::Updating
            | ItemStatus::UpdatingIndeterminate
            | ItemStatus::Paused
            | ItemStatus::Resuming => Self::Unfinished,
        })
    }
}

/// How many items ended in which way.
///
/// Its `Display` lists the counts that are not 0: `3 succeeded, 1 failed`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct OutcomeCounts {
    /// See [`Outcome::Succeeded`].
    pub succeeded: usize,
    /// See [`Outcome::Failed`].
    pub failed: usize,
    /// See [`Outcome::Cancelled`].
    pub cancelled: usize,
    /// See [`Outcome::Skipped`].
    pub skipped: usize,
    /// See [`Outcome::Unfinished`].
    pub unfinished: usize,
}

impl OutcomeCounts {
    pub(crate) fn of(items: impl Iterator<Item = ItemView>) -> Self {
        let mut counts = Self::default();
        for outcome in items.filter_map(|item| Outcome::of(&item)) {
            *match outcome {
                Outcome::Succeeded => &mut counts.succeeded,
                Outcome::Failed => &mut counts.failed,
                Outcome::Cancelled => &mut counts.cancelled,
                Outcome::Skipped => &mut counts.skipped,
                Outcome::Unfinished => &mut counts.unfinished,
            } += 1;
        }
        counts
    }

    /// Returns how many items there are in all.
    #[must_use]
    pub const fn total(&self) -> usize {
        self.succeeded + self.failed + self.cancelled + self.skipped + self.unfinished
    }
}

impl fmt::Display for OutcomeCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = [
            (self.succeeded, "succeeded"),
            (self.failed, "failed"),
            (self.cancelled, "cancelled"),
            (self.skipped, "skipped"),
            (self.unfinished, "unfinished"),
        ];
        let parts: Vec<String> = counts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, word)| format!("{count} {word}"))
            .collect();
        match parts.is_empty() {
            true => f.pad("no items"),
            false => f.pad(&parts.join(", ")),
        }
    }
}
