//! The items that wait for a worker.

use std::collections::VecDeque;

use parking_lot::Mutex;

use crate::util::panic::contained;
use crate::{CallbackError, SyncItem};

/// What is to be done. Locked for a push or a pop only.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<QueuedItem>,
    /// How many are adding an item to the host's session now.
    adding: usize,
    /// The round is over: nobody would do what is added.
    closed: bool,
    /// Called with what was not begun by the last thread that was adding when the queue was closed.
    over: Option<Box<Over>>,
}

type Over = dyn FnOnce(VecDeque<QueuedItem>) + Send;

/// An item that waits.
#[derive(Debug)]
pub(super) struct QueuedItem {
    pub(super) item: SyncItem,
    /// It came after the prepare.
    pub(super) late: bool,
}

impl Queue {
    /// A queue of the items of the prepare.
    pub(super) fn new(items: impl IntoIterator<Item = SyncItem>) -> Self {
        let waiting = |item| QueuedItem { item, late: false };
        let queue = Self::default();
        queue.state.lock().waiting = items.into_iter().map(waiting).collect();
        queue
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
        let waiting = QueuedItem { item, late: true };
        adding.0.state.lock().waiting.push_back(waiting);
        Ok(())
    }

    pub(super) fn pop(&self) -> Option<QueuedItem> {
        self.state.lock().waiting.pop_front()
    }

    /// The round is over: calls `over` with what nobody has begun. While the host is still adding items, the last of the threads
    /// that do so calls it instead. Nobody waits for them, because the host may have ended the workers from inside `add_item`.
    pub(super) fn close(&self, over: impl FnOnce(VecDeque<QueuedItem>) + Send + 'static) {
        let left = {
            let mut state = self.state.lock();
            state.closed = true;
            if state.adding > 0 {
                state.over = Some(Box::new(over));
                return;
            }
            std::mem::take(&mut state.waiting)
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
        let left = std::mem::take(&mut state.waiting);
        drop(state);
        // The host is called, which may have panicked in `add_item` already.
        contained(|| over(left));
    }
}
