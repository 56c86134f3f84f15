//! What the harness does to a handler while it works: cancels, skips and faults, each at its call.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::call::{Action, Call};
use super::item_ref::ItemRef;
use super::labels::Labels;
use super::recorder::{CallWatcher, Intercept, Recorder, RecorderState, StartedCall};
use crate::util::panic::panicked;
use crate::{CallbackError, HResult, ItemId, Session, SyncCallback};

/// How long a worker is held at a report until the host comes to tell the handler of a skip.
const GRACE: Duration = Duration::from_millis(250);

/// How long a worker is held once the host is inside `set_item_status`. Only a handler that keeps its lock during the report
/// lets this time pass: `set_item_status` then waits for that lock.
const TELLING: Duration = Duration::from_millis(50);

type Predicate = Box<dyn Fn(&Call) -> bool + Send + Sync>;

/// When something is done.
pub(super) enum Trigger {
    /// At the n-th report of all.
    Report(usize),
    /// At the k-th report of an item.
    OfItem(ItemRef, usize),
    /// At the first call of the handler for which this holds.
    Holds(Predicate),
    /// When the session is built, before anything is prepared.
    Start,
    /// When `prepare_for_sync` is called for the n-th time.
    Prepare(usize),
    /// When `synchronize` is called.
    Synchronize,
}

/// What is done, to the item of the report unless it names one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    CancelItem,
    CancelAll,
    Skip,
    SkipThis(ItemRef),
    /// The first item of the round that had no report yet.
    SkipNext,
    /// The callback answers `Released` from here on.
    Release,
}

/// What the harness was told to do.
#[derive(Default)]
pub(super) struct Interventions {
    pub(super) triggers: Vec<(Trigger, Effect)>,
    /// The number of the log entry that is refused, counted from 1; likewise of the connection and of the dialog.
    pub(super) log: Option<usize>,
    pub(super) connections: Option<usize>,
    pub(super) dialogs: Option<usize>,
    session: OnceLock<Arc<Session>>,
    progress: Mutex<ItemProgress>,
}

#[derive(Default)]
struct ItemProgress {
    /// The triggers that were due, by their place: none acts a second time at a call of the handler.
    fired: Vec<usize>,
    /// The triggers whose act came about, by their place.
    came: Vec<usize>,
    /// The threads that are inside a predicate of the test.
    asking: Vec<ThreadId>,
    prepares: usize,
    /// Items that are skipped, and the handler was not told yet.
    waiting: Vec<ItemId>,
    logged: usize,
    connected: usize,
    asked: usize,
    released: bool,
    panic: Option<String>,
}

impl Interventions {
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

    /// Whether the act of the trigger at this place came about.
    pub(super) fn came(&self, place: usize) -> bool {
        self.progress.lock().came.contains(&place)
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
        self.at_host(recorder, |when| matches!(when, Trigger::Start));
    }

    /// The number of this prepare, counted from 1.
    fn next_prepare(&self) -> usize {
        let prepares = &mut self.progress.lock().prepares;
        *prepares = prepares.saturating_add(1);
        *prepares
    }

    /// What is due at a step of the host.
    fn at_host(&self, recorder: &Recorder, due: impl Fn(&Trigger) -> bool) {
        for (place, (when, act)) in self.triggers.iter().enumerate() {
            // An item that the session does not know was not skipped.
            if due(when) && self.act(recorder, act, None, true) {
                self.progress.lock().came.push(place);
            }
        }
    }

    /// Does it, and answers whether it was taken. A refusal is written down, as the answer.
    fn act(
        &self,
        recorder: &Recorder,
        act: &Effect,
        item: Option<ItemId>,
        on_host_thread: bool,
    ) -> bool {
        let Some(session) = self.session.get() else {
            return false;
        };
        match (act, item) {
            (Effect::CancelItem, Some(item)) => recorder.cancel_item(session, item).is_ok(),
            (Effect::Skip, Some(item)) => recorder.skip_item(session, item).is_ok(),
            (Effect::SkipThis(which), _) => {
                let item = which.find(&recorder.state().names);
                let skipped = item.filter(|item| recorder.skip_item(session, *item).is_ok());
                self.progress.lock().waiting.extend(skipped);
                skipped.is_some()
            }
            (Effect::SkipNext, _) => {
                let next = recorder.state().next_unreported();
                let skipped = next.filter(|next| recorder.skip_item(session, *next).is_ok());
                // On the host's thread it is told only after the call that lasts now.
                if let Some(next) = skipped.filter(|_| !on_host_thread) {
                    wait_told(recorder, &[next]);
                }
                skipped.is_some()
            }
            (Effect::CancelAll, _) => {
                recorder.cancel_all(session);
                true
            }
            (Effect::Release, _) => {
                let first = !std::mem::replace(&mut self.progress.lock().released, true);
                if first {
                    recorder.note(Action::CallbackReleased);
                }
                true
            }
            (Effect::CancelItem | Effect::Skip, None) => false,
        }
    }

    /// Holds a worker until the handler was told of the skips.
    fn hold(&self, recorder: &Recorder) {
        let Some(session) = self.session.get() else {
            return;
        };
        let mut waiting = self.progress.lock().waiting.clone();
        waiting.retain(|item| session.driver().is_skipped(*item));
        if !waiting.is_empty() {
            wait_told(recorder, &waiting);
            // Notified, or not to be notified in time: no worker is held for them again.
            let mut progress = self.progress.lock();
            progress.waiting.retain(|item| !waiting.contains(item));
        }
    }

    /// The triggers that are due at a report, by their place.
    fn due(&self, begun: &StartedCall, item: Option<ItemId>, names: &Labels) -> Vec<usize> {
        let Some(item) = item else {
            return Vec::new();
        };
        let triggers = self.triggers.iter().enumerate();
        let due = triggers.filter(|(_, (when, _))| match when {
            Trigger::Report(number) => begun.report == *number,
            Trigger::OfItem(which, number) => begun.of_item == *number && which.is(item, names),
            Trigger::Holds(_) | Trigger::Start | Trigger::Prepare(_) | Trigger::Synchronize => {
                false
            }
        });
        due.map(|(place, _)| place).collect()
    }

    /// Whether the test's predicate holds for this call and for no earlier one. It is foreign code: no lock is held, several
    /// threads may be inside it at the same time, and a panic must not reach the handler.
    fn holds(&self, place: usize, act: &Effect, predicate: &Predicate, call: &Call) -> bool {
        let thread = thread::current().id();
        {
            let mut progress = self.progress.lock();
            // A call that a predicate makes itself is none of the handler's.
            if progress.fired.contains(&place) || progress.asking.contains(&thread) {
                return false;
            }
            progress.asking.push(thread);
        }
        let answer = catch_unwind(AssertUnwindSafe(|| predicate(call))).map_err(panicked);
        let mut progress = self.progress.lock();
        progress.asking.retain(|asking| *asking != thread);
        let holds = match answer {
            Ok(holds) => holds,
            Err(text) => {
                progress.panic.get_or_insert(text);
                false
            }
        };
        // Only a report has an item to cancel. Of several threads, the first one acts.
        let can_act = *act != Effect::CancelItem || call.action.reported().is_some();
        let is_first = holds && can_act && !progress.fired.contains(&place);
        if is_first {
            progress.fired.push(place);
        }
        is_first
    }

    fn refuse(&self, action: &Action) -> Intercept {
        let mut progress = self.progress.lock();
        let mut next = |count: fn(&mut ItemProgress) -> &mut usize| {
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

impl CallWatcher for Interventions {
    fn before(&self, recorder: &Recorder, begun: &StartedCall) -> Intercept {
        let (call, at_report) = {
            let state = recorder.state();
            let Some(call) = state.calls.get(begun.at) else {
                return Intercept::Pass; // the trace was taken
            };
            let at_report = self.due(begun, call.action.reported(), &state.names);
            (call.clone(), at_report)
        };
        if call.callback.is_none() {
            match call.action {
                Action::PrepareForSync { .. } => {
                    let prepare = self.next_prepare();
                    self.at_host(
                        recorder,
                        |when| matches!(when, Trigger::Prepare(number) if *number == prepare),
                    );
                }
                Action::Synchronize => {
                    self.at_host(recorder, |when| matches!(when, Trigger::Synchronize));
                }
                _ => {}
            }
            return Intercept::Pass;
        }
        let item = call.action.reported();
        let can_wait =
            item.is_some() || matches!(call.action, Action::PrepareForSyncCompleted { .. });
        if can_wait && !begun.on_host_thread {
            self.hold(recorder);
        }
        let mut due = Vec::new();
        for (place, (when, act)) in self.triggers.iter().enumerate() {
            let is_due = match when {
                Trigger::Holds(predicate) => self.holds(place, act, predicate, &call),
                _ => at_report.contains(&place),
            };
            if is_due {
                due.push((place, act));
            }
        }
        for (place, act) in due {
            let is_done = self.act(recorder, act, item, begun.on_host_thread);
            // That the report was made is what the setting asked for; but there may be no next item.
            if is_done || *act != Effect::SkipNext {
                self.progress.lock().came.push(place);
            }
        }
        if self.is_released() {
            return self.released(&call.action);
        }
        self.refuse(&call.action)
    }
}

/// Holds a worker until the handler was told to skip these items, the grace has passed, or the host lets the handler go.
fn wait_told(recorder: &Recorder, items: &[ItemId]) {
    let is_told = |state: &RecorderState| {
        state.finished || state.gave_up || items.iter().all(|item| state.told.contains(item))
    };
    // What the harness itself delays must not pass for silence of the handler.
    recorder.change(|state| state.held += 1);
    let until = Instant::now() + GRACE;
    let mut telling = None;
    recorder.wait_until(until, |state| {
        telling = state.telling;
        is_told(state) || telling.is_some()
    });
    if let Some(since) = telling {
        recorder.wait_until(until.min(since + TELLING), is_told);
    }
    recorder.change(|state| {
        state.held -= 1;
        state.holds_ended += 1;
    });
}
