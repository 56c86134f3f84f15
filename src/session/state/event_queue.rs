//! What a driver must act on: in order, each once, never dropped.

use std::collections::VecDeque;
use std::time::Duration;

use crate::util::clock::deadline;
use crate::util::sync::Mutex;
use crate::util::sync::Signal;
use crate::{HResult, ItemId, PropertiesOutcome};

/// Something that the driver of a session must act on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HostEvent {
    /// The handler completed its prepare with this result. `S_OK`: go on with
    /// [`begin_synchronize`](crate::SessionDriver::begin_synchronize).
    PrepareCompleted(HResult),
    /// The handler completed its synchronize with this result.
    SynchronizeCompleted(HResult),
    /// The handler completed a `show_error` with this result. `S_SYNCMGR_RETRYSYNC`: prepare and synchronize again
    /// with these items.
    ShowErrorCompleted(HResult, Vec<ItemId>),
    /// The handler completed a `show_properties`.
    ShowPropertiesCompleted(PropertiesOutcome),
    /// The user wants this item skipped: tell the handler by `set_item_status` in one of its two windows (rule M04), if
    /// [`SessionDriver::is_skipped`](crate::SessionDriver::is_skipped) still says so then.
    Skip(ItemId),
}

/// How many completions of `show_error` and `show_properties` are kept for the driver. It awaits
/// one at a time, and the session does not know which.
const COMPLETIONS_MOST: usize = 16;

#[derive(Debug)]
pub(crate) struct EventQueue {
    state: Mutex<State>,
    signal: Signal,
}

#[derive(Debug, Default)]
struct State {
    events: VecDeque<HostEvent>,
    /// How many of them are completions that the session takes in any phase.
    completions: usize,
    closed: bool,
}

impl State {
    fn pop(&mut self) -> Option<HostEvent> {
        use HostEvent::{ShowErrorCompleted, ShowPropertiesCompleted};
        let event = self.events.pop_front()?;
        if matches!(event, ShowErrorCompleted(..) | ShowPropertiesCompleted(_)) {
            self.completions -= 1; // it was counted when it came
        }
        Some(event)
    }
}

impl EventQueue {
    pub(crate) fn new() -> Self {
        Self {
            state: Mutex::new(State::default()),
            signal: Signal::new(),
        }
    }

    pub(crate) fn push(&self, event: HostEvent) {
        self.state.lock().events.push_back(event);
        self.signal.notify_all();
    }

    /// As [`push`](Self::push), for the completion of a `show_error` or `show_properties`. Returns
    /// `false`, and takes nothing, if too many of them wait.
    pub(crate) fn push_completion(&self, event: HostEvent) -> bool {
        let mut state = self.state.lock();
        if state.completions >= COMPLETIONS_MOST {
            return false;
        }
        state.completions += 1;
        state.events.push_back(event);
        drop(state);
        self.signal.notify_all();
        true
    }

    /// Nothing more will come: nobody is to wait any longer.
    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
        self.signal.notify_all();
    }

    pub(crate) fn take(&self, timeout: Duration) -> Option<HostEvent> {
        let until = deadline(timeout);
        let mut state = self.state.lock();
        loop {
            if let Some(event) = state.pop() {
                return Some(event);
            }
            if state.closed {
                return None;
            }
            let (woken, late) = self.signal.wait(state, until);
            state = woken;
            if late {
                return state.pop();
            }
        }
    }
}
