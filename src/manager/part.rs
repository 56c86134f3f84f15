//! One handler's part in a run: from its start being asked for to its report.

use std::sync::Arc;

use parking_lot::Mutex;

use super::watch::Watch;
use super::{Fault, HandlerReport};
use crate::session::{Connections, Phase, Session};
use crate::{CallbackError, HResult, HandlerId, InvokeFlags, ItemId, SyncFlags, SyncHandler};

/// Makes a handler for each run.
pub(super) type Make = dyn Fn() -> Arc<dyn SyncHandler> + Send + Sync;

/// How a handler is to be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) flags: SyncFlags,
    pub(super) cookie: Option<Vec<u8>>,
    /// How the choice is made: by whoever was asked for it, unless the program that invokes wants it at once.
    pub(super) invoke: InvokeFlags,
    /// These items, whatever was chosen; none: what was chosen.
    pub(super) items: Option<Vec<ItemId>>,
}

impl Order {
    /// Whether one run can do for both. Then this one is it.
    pub(super) fn join(&mut self, other: &Order) -> bool {
        let same = self.flags == other.flags
            && self.cookie == other.cookie
            && self.invoke == other.invoke
            && self.items.is_some() == other.items.is_some();
        if !same {
            return false;
        }
        if let (Some(items), Some(more)) = (&mut self.items, &other.items) {
            for item in more {
                if !items.contains(item) {
                    items.push(*item);
                }
            }
        }
        true
    }
}

/// What one start asked for at once: its connections stay open until the last part of it is over (rule M08).
pub(super) struct Batch {
    state: Mutex<BatchState>,
}

struct BatchState {
    connections: Option<Connections>,
    left: usize,
}

impl Batch {
    pub(super) fn new(connections: Option<Connections>, parts: usize) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(BatchState {
                connections,
                left: parts,
            }),
        })
    }

    pub(super) fn connections(&self) -> Option<Connections> {
        self.state.lock().connections.clone()
    }

    /// A part is over, or joined another batch. With the last one the connections are handed out, to be closed with no lock
    /// held.
    pub(super) fn leave(&self) -> Option<Connections> {
        let mut state = self.state.lock();
        state.left = state.left.saturating_sub(1);
        if state.left == 0 {
            state.connections.take()
        } else {
            None
        }
    }
}

/// One handler's part in a run.
pub(super) struct Part {
    pub(super) id: HandlerId,
    pub(super) make: Arc<Make>,
    pub(super) batch: Arc<Batch>,
    pub(super) watch: Watch,
    /// Locked with nothing of the manager's locked but its state, and never while user code is called.
    state: Mutex<State>,
}

struct State {
    order: Order,
    session: Option<Arc<Session>>,
    begun: bool,
    /// Everything is cancelled; before there is a session this is kept here.
    cancelled: bool,
    cancels: Vec<ItemId>,
    skips: Vec<ItemId>,
    temporary: Vec<ItemId>,
    report: Option<HandlerReport>,
}

impl Part {
    pub(super) fn new(
        id: HandlerId,
        make: Arc<Make>,
        batch: Arc<Batch>,
        order: Order,
    ) -> Arc<Self> {
        Arc::new(Self {
            id,
            make,
            batch,
            watch: Watch::default(),
            state: Mutex::new(State {
                order,
                session: None,
                begun: false,
                cancelled: false,
                cancels: Vec::new(),
                skips: Vec::new(),
                temporary: Vec::new(),
                report: None,
            }),
        })
    }

    /// Takes another start in, if the part has not begun and one run can do for both.
    pub(super) fn join(&self, order: &Order) -> bool {
        let mut state = self.state.lock();
        !state.begun && !state.cancelled && state.report.is_none() && state.order.join(order)
    }

    /// The part begins; none where it was cancelled before.
    pub(super) fn begin(&self) -> Option<Order> {
        let mut state = self.state.lock();
        state.begun = true;
        (!state.cancelled).then(|| state.order.clone())
    }

    /// The session is there: what was cancelled and skipped before is cancelled and skipped now.
    pub(super) fn set_session(&self, session: &Arc<Session>) {
        let (cancelled, cancels, skips) = {
            let mut state = self.state.lock();
            state.session = Some(session.clone());
            (
                state.cancelled,
                std::mem::take(&mut state.cancels),
                std::mem::take(&mut state.skips),
            )
        };
        if cancelled {
            session.cancel_all();
        }
        // An item that the handler does not list cannot be cancelled, and need not be.
        for item in cancels {
            let _ = session.cancel_item(item);
        }
        for item in skips {
            let _ = session.skip_item(item);
        }
    }

    pub(super) fn session(&self) -> Option<Arc<Session>> {
        self.state.lock().session.clone()
    }

    pub(super) fn cancel_all(&self) {
        let session = {
            let mut state = self.state.lock();
            state.cancelled = true;
            state.session.clone()
        };
        if let Some(session) = session {
            session.cancel_all();
        }
    }

    pub(super) fn cancel_item(&self, item: ItemId) -> Result<(), CallbackError> {
        self.stop(item, |state| &mut state.cancels, Session::cancel_item)
    }

    pub(super) fn skip_item(&self, item: ItemId) -> Result<(), CallbackError> {
        self.stop(item, |state| &mut state.skips, Session::skip_item)
    }

    fn stop(
        &self,
        item: ItemId,
        early: impl FnOnce(&mut State) -> &mut Vec<ItemId>,
        now: impl FnOnce(&Session, ItemId) -> Result<(), CallbackError>,
    ) -> Result<(), CallbackError> {
        let session = {
            let mut state = self.state.lock();
            if state.session.is_none() {
                if state.report.is_some() {
                    return Err(CallbackError::Released);
                }
                early(&mut state).push(item);
            }
            state.session.clone()
        };
        match session {
            Some(session) => now(&session, item),
            None => Ok(()),
        }
    }

    pub(super) fn set_temporary(&self, items: Vec<ItemId>) {
        self.state.lock().temporary = items;
    }

    pub(super) fn take_temporary(&self) -> Vec<ItemId> {
        std::mem::take(&mut self.state.lock().temporary)
    }

    pub(super) fn is_over(&self) -> bool {
        self.state.lock().report.is_some()
    }

    pub(super) fn has_begun(&self) -> bool {
        self.state.lock().begun
    }

    pub(super) fn report(&self) -> Option<HandlerReport> {
        self.state.lock().report.clone()
    }

    /// The part is over; answers false where it was over before.
    pub(super) fn end(&self, report: HandlerReport) -> bool {
        let mut state = self.state.lock();
        let first = state.report.is_none();
        if first {
            state.report = Some(report);
        }
        first
    }

    /// The report of a part that nothing was done for.
    pub(super) fn never_begun(&self, why: &str) -> HandlerReport {
        self.failed(HResult::E_ABORT, why.to_owned(), Vec::new())
    }

    /// The report of a part that ended outside the driver.
    pub(super) fn failed(
        &self,
        result: HResult,
        error: String,
        faults: Vec<Fault>,
    ) -> HandlerReport {
        let seen = self.watch.seen();
        let session = self.session();
        let phase = session
            .as_ref()
            .map_or(Phase::Idle, |session| session.phase());
        let open = match &session {
            Some(session) if seen.rounds > 0 => session.open_items(),
            _ => Vec::new(),
        };
        HandlerReport {
            result,
            phase,
            session,
            open,
            rounds: seen.rounds,
            abandoned: 0,
            info: seen.info,
            error: Some(error),
            faults,
        }
    }
}
