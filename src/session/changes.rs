//! What has changed since an observer's last look.

use super::Phase;
use super::item_view::ItemView;
use super::log_entry::LogEntry;
#[cfg(feature = "async")]
use crate::ItemStatus;

/// How far an observer has read a session's journal.
///
/// A cursor belongs to the session that gave it. [`Cursor::default`] stands before the first entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Cursor(pub(super) u64);

/// What is in work, and what has changed since a cursor.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Changes {
    pub(super) cursor: Cursor,
    pub(super) phase: Phase,
    pub(super) items: Vec<ItemView>,
    pub(super) log: Vec<LogEntry>,
    pub(super) complete: bool,
    pub(super) over: bool,
}

impl Changes {
    /// From where to go on.
    #[must_use]
    pub fn cursor(&self) -> Cursor {
        self.cursor
    }

    /// The phase.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// The items in work, and those whose status, verdict or part in the run changed after the cursor that was given,
    /// each once, in the order in which they were built and added.
    #[must_use]
    pub fn items(&self) -> &[ItemView] {
        &self.items
    }

    /// The log entries that came after the cursor that was given and were not deleted since.
    #[must_use]
    pub fn log(&self) -> &[LogEntry] {
        &self.log
    }

    /// Whether the journal reaches back to the cursor that was given. Where it does not, take a
    /// [`snapshot`](crate::Session::snapshot): items may have changed that are not listed here. The log entries are all
    /// here in any case.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// Whether nothing more will come: the session is released, or it is completed and has no driver who could start
    /// another round.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// Whether it tells of items that are in work.
    #[cfg(feature = "async")]
    pub(crate) fn has_item_in_work(&self) -> bool {
        let in_work = |item: &ItemView| !item.is_finished() && item.status != ItemStatus::Pending;
        self.items.iter().any(in_work)
    }

    /// Leaves out the items that are not wanted.
    #[cfg(feature = "serde")]
    pub(crate) fn retain_items(&mut self, keep: impl FnMut(&ItemView) -> bool) {
        self.items.retain(keep);
    }
}
