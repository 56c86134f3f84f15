//! The items that wait for a worker.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use crate::util::panic::contained;
use crate::{CallbackError, ItemId, SyncItem};

/// What is to be done.
pub(super) struct Queue {
    /// The items of the prepare, in the order in which they are begun.
    prepared: Arc<[ItemId]>,
    /// How many of them were handed out, or more. `Relaxed`: it only hands out each place once.
    begun: AtomicUsize,
    /// Locked for a push or a pop only.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The items that came after the prepare.
    late: VecDeque<SyncItem>,
    /// How many are adding an item to the host's session now.
    adding: usize,
    /// The round is over: nobody would do what is added.
    closed: bool,
    /// Called with what was not begun by the last thread that was adding when the queue was closed.
    over: Option<Box<Over>>,
}

type Over = dyn FnOnce(UnstartedItems) + Send;

/// An item that waits.
pub(super) enum QueuedItem {
    /// It is one of the prepare, at this place.
    Prepared(usize, ItemId),
    /// It came after the prepare.
    Late(SyncItem),
}

/// The items that nobody has begun.
pub(super) struct UnstartedItems {
    prepared: Arc<[ItemId]>,
    begun: usize,
    late: VecDeque<SyncItem>,
}

impl UnstartedItems {
    pub(super) fn ids(&self) -> impl Iterator<Item = ItemId> {
        let prepared = self.prepared.iter().skip(self.begun).copied();
        prepared.chain(self.late.iter().map(|item| item.id))
    }
}

impl Queue {
    /// A queue of the items of the prepare.
    pub(super) fn new(prepared: Arc<[ItemId]>) -> Self {
        Self {
            prepared,
            begun: AtomicUsize::new(0),
            state: Mutex::default(),
        }
    }

    /// What nobody has begun. To be called once, when nobody begins anything more.
    fn take(&self, state: &mut State) -> UnstartedItems {
        UnstartedItems {
            prepared: Arc::clone(&self.prepared),
            begun: self.begun.swap(usize::MAX / 2, Ordering::Relaxed),
            late: std::mem::take(&mut state.late),
        }
    }

    /// Adds an item that came later, once `host` has taken it. The round is not over between the two.
    pub(super) fn add(
        &self,
        item: SyncItem,
        host: impl FnOnce(SyncItem) -> Result<(), CallbackError>,
    ) -> Result<(), CallbackError> {
        let adding = {
            let mut state = self.state.lock();
            if state.closed {
                return Err(CallbackError::WrongPhase);
            }
            state.adding += 1;
            Adding(self)
        };
        host(item.clone())?;
        adding.0.state.lock().late.push_back(item);
        Ok(())
    }

    pub(super) fn pop(&self) -> Option<QueuedItem> {
        // Asked first, so that the count does not grow without end.
        if self.begun.load(Ordering::Relaxed) < self.prepared.len() {
            let place = self.begun.fetch_add(1, Ordering::Relaxed);
            if let Some(id) = self.prepared.get(place) {
                return Some(QueuedItem::Prepared(place, *id));
            }
        }
        self.state.lock().late.pop_front().map(QueuedItem::Late)
    }

    /// The round is over: calls `over` with what nobody has begun. While the host is still adding items, the last of the threads
    /// that do so calls it instead. Nobody waits for them, because the host may have ended the workers from inside `add_item`.
    pub(super) fn close(&self, over: impl FnOnce(UnstartedItems) + Send + 'static) {
        let left = {
            let mut state = self.state.lock();
            state.closed = true;
            if state.adding > 0 {
                state.over = Some(Box::new(over));
                return;
            }
            self.take(&mut state)
        };
        over(left);
    }
}

/// Somebody adds, however that ends.
struct Adding<'a>(&'a Queue);

impl Drop for Adding<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.adding -= 1;
        if state.adding > 0 {
            return;
        }
        let Some(over) = state.over.take() else {
            return;
        };
        let left = self.0.take(&mut state);
        drop(state);
        // The host is called, which may have panicked in `add_item` already.
        contained(|| over(left));
    }
}
