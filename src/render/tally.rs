//! What has to be remembered of items beyond one look: how those that did not go well ended, and what failed ones said.
//!
//! The sums are the observer's. Here is only what they do not tell, at the cost of what a look tells.

use std::collections::{HashMap, HashSet};

use foldhash::fast::RandomState;

use super::source::{Key, Standing};
use super::text::clean;
use crate::{ItemStatus, ItemView, LogEntry};

/// How an item ended.
#[derive(Debug, Clone, Copy)]
struct ItemEnding {
    status: ItemStatus,
    /// It was stopped, or skipped by a cancel: a handler may also skip an item because there was nothing to do.
    cancelled: bool,
    /// What it has not done of its maximum, and will not do.
    lost: u64,
}

impl ItemEnding {
    fn of(view: &ItemView) -> Self {
        Self {
            status: view.status,
            cancelled: match view.status {
                ItemStatus::Stopped => true,
                ItemStatus::Skipped => !view.verdict.is_continue(),
                _ => false,
            },
            lost: view.max.saturating_sub(view.value),
        }
    }
}

/// The counts, kept from look to look.
#[derive(Debug, Default)]
pub(super) struct ItemTally {
    /// The ends of those that did not go well or not to their maximum.
    ends: HashMap<Key, ItemEnding, RandomState>,
    /// Those that have told a maximum and not ended.
    measured: HashSet<Key, RandomState>,
    /// The last error that was logged for an item that has not failed.
    errors: HashMap<Key, String, RandomState>,
    lost: u128,
    pub(super) failed: u64,
    pub(super) cancelled: u64,
    /// Remembered ends that are neither.
    well: u64,
    pub(super) handlers_failed: u64,
}

/// What the last look of an item tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SeenItem {
    /// It takes no part.
    Apart,
    /// It has not ended.
    Open,
    /// It has ended.
    Ended,
    /// Its end was seen before.
    Before,
}

impl ItemTally {
    /// An item was told; `before` is the status in which it was told last.
    pub(super) fn see(
        &mut self,
        key: Key,
        view: &ItemView,
        before: Option<ItemStatus>,
    ) -> SeenItem {
        if let Some(old) = self.ends.remove(&key) {
            self.lost -= u128::from(old.lost);
            *self.counter(old) -= 1;
        }
        if !view.selected {
            self.measured.remove(&key);
            self.errors.remove(&key);
            return SeenItem::Apart;
        }
        if !view.is_finished() {
            if view.max > 0 {
                self.measured.insert(key);
            } else {
                self.measured.remove(&key);
            }
            return SeenItem::Open;
        }
        self.measured.remove(&key);
        let end = ItemEnding::of(view);
        if end.lost > 0 || view.status != ItemStatus::Succeeded {
            self.lost += u128::from(end.lost);
            *self.counter(end) += 1;
            self.ends.insert(key, end);
        }
        // A retry that came and ended so between two looks is not told again, but may have done more, or less.
        match before == Some(view.status) {
            true => SeenItem::Before,
            false => SeenItem::Ended,
        }
    }

    /// The counter of such ends; those that nobody counts share one that goes up and down with them.
    fn counter(&mut self, end: ItemEnding) -> &mut u64 {
        match end.status {
            ItemStatus::Failed => &mut self.failed,
            _ if end.cancelled => &mut self.cancelled,
            _ => &mut self.well,
        }
    }

    /// An error was logged for an item. Answers its text where the item has failed already.
    pub(super) fn error(&mut self, key: Key, entry: &LogEntry) -> Option<String> {
        let text = clean(&entry.text);
        let end = self.ends.get(&key);
        if end.is_some_and(|end| end.status == ItemStatus::Failed) {
            return Some(text);
        }
        // One that ended otherwise may fail yet, or has by now, by this look.
        self.errors.insert(key, text);
        None
    }

    /// Why an item that has just ended failed: its last error, or else its own text. Forgets the errors of one that did not.
    pub(super) fn reason(&mut self, key: Key, view: &ItemView) -> Option<String> {
        let error = self.errors.remove(&key);
        (view.status == ItemStatus::Failed).then(|| error.unwrap_or_else(|| clean(&view.text)))
    }

    /// What is done of what is to be done, and that: what ended items leave undone is done with. None where a maximum is not
    /// told yet, so that nobody knows.
    pub(super) fn settled(&self, standing: &Standing) -> Option<(u64, u64)> {
        let totals = &standing.totals;
        let open = totals.items.saturating_sub(totals.finished);
        let all_told = self.measured.len() as u64 >= open && !standing.more_to_come;
        (all_told && totals.max > 0).then(|| {
            let settled = u128::from(totals.measured) + self.lost;
            let settled = settled.min(u128::from(totals.max));
            (u64::try_from(settled).unwrap_or(u64::MAX), totals.max)
        })
    }
}
