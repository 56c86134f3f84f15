//! The model of an item.

use std::collections::BTreeSet;

use syncmgr::{ItemId, ItemStatus, Verdict};

use super::Task;

/// One item.
#[derive(Debug, Clone)]
pub struct Item {
    pub id: ItemId,
    pub status: ItemStatus,
    pub value: u64,
    pub max: u64,
    pub text: String,
    /// By `cancel_item` or `skip_item`.
    pub cancelled: bool,
    pub skipped: bool,
    /// By `cancel_all`, which leaves alone what has a final status.
    pub cancelled_with_all: bool,
    /// From its first value or status to its end: every observer sees it at every look.
    pub in_work: bool,
    /// Counted up when the item starts anew. A reporter knows the life that it was made in.
    pub life: u32,
    pub waiting: BTreeSet<Task>,
}

impl Item {
    pub(super) fn new(id: ItemId, life: u32) -> Self {
        Self {
            id,
            status: ItemStatus::Pending,
            value: 0,
            max: 0,
            text: String::new(),
            cancelled: false,
            skipped: false,
            cancelled_with_all: false,
            in_work: false,
            life,
            waiting: BTreeSet::new(),
        }
    }

    pub(super) fn start_anew(&mut self) {
        *self = Self::new(self.id, self.life + 1);
    }

    pub fn is_finished(&self) -> bool {
        self.status.is_final()
    }

    pub fn verdict(&self) -> Verdict {
        match (self.cancelled_with_all, self.cancelled) {
            (true, _) => Verdict::CancelAll,
            (_, true) => Verdict::CancelItem,
            _ => Verdict::Continue,
        }
    }
}
