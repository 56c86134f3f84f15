//! What the harness does to a handler while it works: cancels, skips and faults, each at its call.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::call::{Action, Call};
use super::names::Names;
use super::recorder::{Begun, Intercept, Recorder, State, Watch};
use crate::session::panic_text;
use crate::{CallbackError, HResult, ItemId, Session, SyncCallback};

/// How long a worker is held at a report until the host comes to tell the handler of a skip.
const GRACE: Duration = Duration::from_millis(250);

/// How long a worker is held once the host is inside `set_item_status`. Only a handler that keeps its lock during the report
/// lets this time pass: `set_item_status` then waits for that lock.
const TELLING: Duration = Duration::from_millis(50);

/// An item, by its id or by what a [`Trace`](super::Trace) calls it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Which {
    /// By its id.
    Id(ItemId),
    /// By its name; the second of two with the same name is called `name (2)`.
    Name(String),
}

impl From<ItemId> for Which {
    fn from(id: ItemId) -> Self {
        Self::Id(id)
    }
}

impl From<&str> for Which {
    fn from(name: &str) -> Self {
        Self::Name(name.to_owned())
    }
}

impl From<String> for Which {
    fn from(name: String) -> Self {
        Self::Name(name)
    }
}

impl Which {
    /// The item of a trace.
    pub(super) fn find(&self, names: &Names) -> Option<ItemId> {
        match self {
            Self::Id(id) => Some(*id),
            Self::Name(name) => names.find(name),
        }
    }

    fn is(&self, id: ItemId, name: Option<&str>) -> bool {
        match self {
            Self::Id(wanted) => *wanted == id,
            Self::Name(wanted) => name == Some(wanted),
        }
    }
}

type Predicate = Mutex<Box<dyn FnMut(&Call) -> bool + Send>>;

/// When something is done.
pub(super) enum When {
    /// At the n-th report of all.
    Report(usize),
    /// At the k-th report of an item.
    OfItem(Which, usize),
    /// At the first call of the handler for which this holds.
    Holds(Predicate),
    /// When the session is built, before anything is prepared.
    Start,
    /// When `synchronize` is called.
    Synchronize,
}

/// What is done, to the item of the report unless it names one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Act {
    CancelItem,
    CancelAll,
    Skip,
    SkipThis(Which),
    /// The first item of the round that had no report yet.
    SkipNext,
    /// The callback answers `Released` from here on.
    Release,
}

/// What the harness was told to do.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) triggers: Vec<(When, Act)>,
    /// The number of the log entry that is refused, counted from 1; likewise of the connection and of the dialog.
    pub(super) log: Option<usize>,
    pub(super) connections: Option<usize>,
    pub(super) dialogs: Option<usize>,
    session: OnceLock<Arc<Session>>,
    progress: Mutex<Progress>,
}

#[derive(Default)]
struct Progress {
    /// The triggers that were due, by their place.
    fired: Vec<usize>,
    /// Items that are skipped, and the handler was not told yet.
    waiting: Vec<ItemId>,
    logged: usize,
    connected: usize,
    asked: usize,
    released: bool,
    panic: Option<String>,
}

impl Plan {
    pub(super) fn session(&self) -> Option<&Arc<Session>> {
        self.session.get()
    }

    /// Whether the k-th entry, connection or dialog that was to be refused came.
    pub(super) fn refused_came(&self) -> [bool; 3] {
        let progress = self.progress.lock();
        let came = |wanted: Option<usize>, count| wanted.is_none_or(|wanted| wanted <= count);
        [
            came(self.log, progress.logged),
            came(self.connections, progress.connected),
            came(self.dialogs, progress.asked),
        ]
    }

    /// Whether the trigger at this place was due.
    pub(super) fn has_fired(&self, place: usize) -> bool {
        self.progress.lock().fired.contains(&place)
    }

    pub(super) fn is_released(&self) -> bool {
        self.progress.lock().released
    }

    /// What a predicate of the test said when it panicked.
    pub(super) fn take_panic(&self) -> Option<String> {
        self.progress.lock().panic.take()
    }

    /// The session is there, and nothing is prepared.
    pub(super) fn start(&self, recorder: &Recorder, session: Arc<Session>) {
        // The driver hands it out once.
        let _ = self.session.set(session);
        self.at_host(recorder, |when| matches!(when, When::Start));
    }

    /// What is due at a step of the host.
    fn at_host(&self, recorder: &Recorder, due: impl Fn(&When) -> bool) {
        for (place, (when, act)) in self.triggers.iter().enumerate() {
            // An item that the session does not know was not skipped.
            if due(when) && self.act(recorder, act, None, true) {
                self.progress.lock().fired.push(place);
            }
        }
    }

    /// Does it, and answers whether it was taken. A refusal is written down, as the answer.
    fn act(
        &self,
        recorder: &Recorder,
        act: &Act,
        item: Option<ItemId>,
        on_host_thread: bool,
    ) -> bool {
        let Some(session) = self.session.get() else {
            return false;
        };
        match (act, item) {
            (Act::CancelItem, Some(item)) => recorder.cancel_item(session, item).is_ok(),
            (Act::Skip, Some(item)) => recorder.skip_item(session, item).is_ok(),
            (Act::SkipThis(which), _) => {
                let item = which.find(&recorder.state().names);
                let skipped = item.filter(|item| recorder.skip_item(session, *item).is_ok());
                self.progress.lock().waiting.extend(skipped);
                skipped.is_some()
            }
            (Act::SkipNext, _) => {
                let next = recorder.state().next_unreported();
                let skipped = next.filter(|next| recorder.skip_item(session, *next).is_ok());
                // On the host's thread it is told only after the call that lasts now.
                if let Some(next) = skipped.filter(|_| !on_host_thread) {
                    wait_told(recorder, &[next]);
                }
                skipped.is_some()
            }
            (Act::CancelAll, _) => {
                recorder.cancel_all(session);
                true
            }
            (Act::Release, _) => {
                let first = !std::mem::replace(&mut self.progress.lock().released, true);
                if first {
                    recorder.note(Action::CallbackReleased);
                }
                true
            }
            (Act::CancelItem | Act::Skip, None) => false,
        }
    }

    /// Holds a worker until the handler was told of the skips.
    fn hold(&self, recorder: &Recorder) {
        let Some(session) = self.session.get() else {
            return;
        };
        let mut waiting = self.progress.lock().waiting.clone();
        waiting.retain(|item| session.is_skipped(*item));
        if !waiting.is_empty() {
            wait_told(recorder, &waiting);
            // Told, or not to be told in time: nobody is held twice.
            self.progress.lock().waiting.clear();
        }
    }

    /// The acts that are due at a call of the handler.
    fn due(&self, call: &Call, begun: &Begun, name: Option<&str>) -> Vec<Act> {
        let mut acts = Vec::new();
        let item = call.action.reported();
        for (place, (when, act)) in self.triggers.iter().enumerate() {
            let due = match when {
                When::Report(number) => item.is_some() && begun.report == *number,
                When::OfItem(which, number) => {
                    item.is_some_and(|item| which.is(item, name)) && begun.of_item == *number
                }
                When::Holds(predicate) => !self.has_fired(place) && self.holds(predicate, call),
                When::Start | When::Synchronize => false,
            };
            if due {
                self.progress.lock().fired.push(place);
                acts.push(act.clone());
            }
        }
        acts
    }

    /// Asks the test's own predicate. It is called inside a call of the handler, which is not to be hit by its panic.
    fn holds(&self, predicate: &Predicate, call: &Call) -> bool {
        let mut predicate = predicate.lock();
        match catch_unwind(AssertUnwindSafe(|| predicate(call))) {
            Ok(holds) => holds,
            Err(payload) => {
                let text = panic_text(&*payload);
                self.progress.lock().panic.get_or_insert(text);
                false
            }
        }
    }

    fn refuse(&self, action: &Action) -> Intercept {
        let mut progress = self.progress.lock();
        let mut next = |count: fn(&mut Progress) -> &mut usize| {
            let count = count(&mut progress);
            *count = count.saturating_add(1);
            *count
        };
        match action {
            Action::LogError { .. } if self.log == Some(next(|p| &mut p.logged)) => {
                Intercept::Refuse(CallbackError::LogFull)
            }
            Action::EstablishConnection { .. }
                if self.connections == Some(next(|p| &mut p.connected)) =>
            {
                Intercept::Refuse(CallbackError::NotConnected)
            }
            Action::EnableModeless { enable: true }
                if self.dialogs == Some(next(|p| &mut p.asked)) =>
            {
                Intercept::Deny
            }
            _ => Intercept::Pass,
        }
    }

    /// What a released callback answers. The host behind it is told that the handler has ended, if it has.
    fn released(&self, action: &Action) -> Intercept {
        if let Some(session) = self.session.get() {
            // Out of place, it is refused: as it would be without the release.
            let _ = match action {
                Action::PrepareForSyncCompleted { .. } => {
                    session.prepare_for_sync_completed(HResult::E_ABORT)
                }
                Action::SynchronizeCompleted { .. } => {
                    session.synchronize_completed(HResult::E_ABORT)
                }
                _ => Ok(()),
            };
        }
        Intercept::Refuse(CallbackError::Released)
    }
}

impl Watch for Plan {
    fn before(&self, recorder: &Recorder, begun: &Begun) -> Intercept {
        let (call, name) = {
            let state = recorder.state();
            let Some(call) = state.calls.get(begun.at) else {
                return Intercept::Pass; // the trace was taken
            };
            let item = call.action.reported();
            let name = item.and_then(|item| state.names.plain(item));
            (call.clone(), name.map(str::to_owned))
        };
        if call.callback.is_none() {
            if call.action == Action::Synchronize {
                self.at_host(recorder, |when| matches!(when, When::Synchronize));
            }
            return Intercept::Pass;
        }
        let can_wait = call.action.reported().is_some()
            || matches!(call.action, Action::PrepareForSyncCompleted { .. });
        if can_wait && !begun.on_host_thread {
            self.hold(recorder);
        }
        for act in self.due(&call, begun, name.as_deref()) {
            // That the report came is what the setting asked for.
            let _ = self.act(recorder, &act, call.action.reported(), begun.on_host_thread);
        }
        if self.is_released() {
            return self.released(&call.action);
        }
        self.refuse(&call.action)
    }
}

/// Waits until the handler was told to skip these items, or the grace has passed.
fn wait_told(recorder: &Recorder, items: &[ItemId]) {
    let is_told =
        |state: &State| state.finished || items.iter().all(|item| state.told.contains(item));
    let until = Instant::now() + GRACE;
    let mut telling = None;
    recorder.wait_until(until, |state| {
        telling = state.telling;
        is_told(state) || telling.is_some()
    });
    if let Some(since) = telling {
        recorder.wait_until(until.min(since + TELLING), is_told);
    }
}
