//! The items that wait for a worker.

use std::collections::VecDeque;

use parking_lot::{Condvar, Mutex};

use crate::{CallbackError, SyncItem};

/// What is to be done. Locked for a push or a pop only.
#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// Nobody adds any more.
    added: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Waiting>,
    /// How many are adding an item to the host's session now.
    adding: usize,
    /// The round is over: nobody would do what is added.
    closed: bool,
}

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
        let waiting = Waiting { item, late: true };
        adding.0.state.lock().waiting.push_back(waiting);
        Ok(())
    }

    pub(super) fn pop(&self) -> Option<Waiting> {
        self.state.lock().waiting.pop_front()
    }

    /// The round is over: answers what nobody has begun.
    pub(super) fn close(&self) -> VecDeque<Waiting> {
        let mut state = self.state.lock();
        state.closed = true;
        while state.adding > 0 {
            self.added.wait(&mut state);
        }
        std::mem::take(&mut state.waiting)
    }
}

/// Somebody adds, however that ends.
struct Adding<'a>(&'a Queue);

impl Drop for Adding<'_> {
    fn drop(&mut self) {
        self.0.state.lock().adding -= 1;
        self.0.added.notify_all();
    }
}
