//! The items that wait for a worker.

use std::collections::VecDeque;

use parking_lot::Mutex;

use crate::util::panic::contained;
use crate::{CallbackError, ItemId, SyncItem};

/// What is to be done. Locked for a push or a pop only.
pub(super) struct Queue {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The items of the prepare; those before `begun` were handed out.
    prepared: Vec<ItemId>,
    begun: usize,
    /// Those that came after it.
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
    /// It is one of the prepare.
    Prepared(ItemId),
    /// It came after the prepare.
    Late(SyncItem),
}

/// The items that nobody has begun.
#[derive(Default)]
pub(super) struct UnstartedItems {
    prepared: Vec<ItemId>,
    begun: usize,
    late: VecDeque<SyncItem>,
}

impl UnstartedItems {
    pub(super) fn ids(&self) -> impl Iterator<Item = ItemId> {
        let prepared = self.prepared.iter().skip(self.begun).copied();
        prepared.chain(self.late.iter().map(|item| item.id))
    }
}

impl State {
    fn take(&mut self) -> UnstartedItems {
        UnstartedItems {
            prepared: std::mem::take(&mut self.prepared),
            begun: self.begun,
            late: std::mem::take(&mut self.late),
        }
    }
}

impl Queue {
    /// A queue of the items of the prepare.
    pub(super) fn new(prepared: Vec<ItemId>) -> Self {
        Self {
            state: Mutex::new(State {
                prepared,
                ..State::default()
            }),
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
        let mut state = self.state.lock();
        if let Some(id) = state.prepared.get(state.begun).copied() {
            state.begun += 1;
            return Some(QueuedItem::Prepared(id));
        }
        state.late.pop_front().map(QueuedItem::Late)
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
            state.take()
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
        let left = state.take();
        drop(state);
        // The host is called, which may have panicked in `add_item` already.
        contained(|| over(left));
    }
}
