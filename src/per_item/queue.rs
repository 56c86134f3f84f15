//! The items that wait for a worker.

use std::collections::VecDeque;

use parking_lot::Mutex;

use crate::SyncItem;

/// What is to be done. Locked for a push or a pop only.
#[derive(Debug, Default)]
pub(super) struct Queue(Mutex<VecDeque<Waiting>>);

/// An item that waits.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) item: SyncItem,
    /// It came after the prepare.
    pub(super) late: bool,
}

impl Queue {
    /// A queue of the items of the prepare.
    pub(super) fn new(items: impl IntoIterator<Item = SyncItem>) -> Self {
        let waiting = |item| Waiting { item, late: false };
        Self(Mutex::new(items.into_iter().map(waiting).collect()))
    }

    /// Adds an item that came later.
    pub(super) fn push(&self, item: SyncItem) {
        self.0.lock().push_back(Waiting { item, late: true });
    }

    /// Takes all that is left.
    pub(super) fn take(&self) -> VecDeque<Waiting> {
        std::mem::take(&mut self.0.lock())
    }

    pub(super) fn pop(&self) -> Option<Waiting> {
        self.0.lock().pop_front()
    }
}
