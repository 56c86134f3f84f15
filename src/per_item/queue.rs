//! The items that wait for a worker.

use std::collections::VecDeque;

use parking_lot::Mutex;

use crate::SyncItem;

/// What is to be done. Locked for a push or a pop only.
#[derive(Debug, Default)]
pub(super) struct Queue(Mutex<VecDeque<SyncItem>>);

impl Queue {
    pub(super) fn new(items: impl IntoIterator<Item = SyncItem>) -> Self {
        Self(Mutex::new(items.into_iter().collect()))
    }

    pub(super) fn push(&self, item: SyncItem) {
        self.0.lock().push_back(item);
    }

    /// Takes all that is left.
    pub(super) fn take(&self) -> VecDeque<SyncItem> {
        std::mem::take(&mut self.0.lock())
    }

    pub(super) fn pop(&self) -> Option<SyncItem> {
        self.0.lock().pop_front()
    }
}
