//! The interventions of a harness, each with its trigger and its effect.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};
use std::thread::{self, ThreadId};
use std::time::Duration;

use parking_lot::Mutex;

use super::call::{Action, Call};
use super::item_ref::ItemRef;
use super::labels::Labels;
use super::recorder::{CallWatcher, Intercept, Recorder, RecorderState, StartedCall};
use crate::util::clock;
use crate::util::panic::panicked;
use crate::{CallbackError, HResult, ItemId, Session, SyncCallback};

/// How long a worker is held at a report until the host notifies the handler of a skip.
const GRACE: Duration = Duration::from_millis(250);

/// How long a worker is held once the host is inside `set_item_status`. The time passes only if
/// the handler holds its lock during the report: `set_item_status` then waits for that lock.
const NOTIFY_GRACE: Duration = Duration::from_millis(50);

type Predicate = Box<dyn Fn(&Call) -> bool + Send + Sync>;

/// The event at which the harness intervenes.
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

/// The effect of a trigger. It applies to the item of the report, unless it names an item.
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

/// The interventions that the settings of a harness request.
#[derive(Default)]
pub(super) struct Interventions {
    pub(super) triggers: Vec<(Trigger, Effect)>,
    /// The number of the log entry that is refused, counted from 1; likewise of the connection and of the dialog.
    pub(super) log: Option<usize>,
    pub(super) connections: Option<usize>,
    pub(super) dialogs: Option<usize>,
    session: OnceLock<Arc<Session>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The indices of the predicate triggers that have fired. Each fires at most once.
    fired: Vec<usize>,
    /// The indices of the triggers whose effect occurred.
    occurred: Vec<usize>,
    /// The threads that are inside a predicate of the test.
    in_predicate: Vec<ThreadId>,
    prepares: usize,
    /// The skipped items of which the handler has not been notified yet.
    waiting: Vec<ItemId>,
    log_entries: usize,
    connections: usize,
    dialogs: usize,
    released: bool,
    panic: Option<String>,
}

impl Interventions {
    pub(super) fn session(&self) -> Option<&Arc<Session>> {
        self.session.get()
    }

    /// Returns whether each call to refuse has occurred: log entry, connection, dialog.
    pub(super) fn refused_occurred(&self) -> [bool; 3] {
        let state = self.state.lock();
        let occurred = |wanted: Option<usize>, count| wanted.is_none_or(|wanted| wanted <= count);
        [
            occurred(self.log, state.log_entries),
            occurred(self.connections, state.connections),
            occurred(self.dialogs, state.dialogs),
        ]
    }

    /// Returns whether the effect of the trigger at this index occurred.
    pub(super) fn occurred(&self, place: usize) -> bool {
        self.state.lock().occurred.contains(&place)
    }

    pub(super) fn is_released(&self) -> bool {
        self.state.lock().released
    }

    /// What a predicate of the test said when it panicked.
    pub(super) fn take_panic(&self) -> Option<String> {
        self.state.lock().panic.take()
    }

    /// The session is there, and nothing is prepared.
    pub(super) fn start(&self, recorder: &Recorder, session: Arc<Session>) {
        // The driver hands it out once.
        let _ = self.session.set(session);
        self.at_host(recorder, |trigger| matches!(trigger, Trigger::Start));
    }

    /// The number of this prepare, counted from 1.
    fn next_prepare(&self) -> usize {
        let prepares = &mut self.state.lock().prepares;
        *prepares = prepares.saturating_add(1);
        *prepares
    }

    /// Applies the effects that are due at a step of the host.
    fn at_host(&self, recorder: &Recorder, due: impl Fn(&Trigger) -> bool) {
        for (place, (trigger, effect)) in self.triggers.iter().enumerate() {
            // An item that the session does not know was not skipped.
            if due(trigger) && self.apply(recorder, effect, None, true) {
                self.state.lock().occurred.push(place);
            }
        }
    }

    /// Applies an effect. Returns whether the session accepted it; the recorder records a refusal.
    fn apply(
        &self,
        recorder: &Recorder,
        effect: &Effect,
        item: Option<ItemId>,
        on_host_thread: bool,
    ) -> bool {
        let Some(session) = self.session.get() else {
            return false;
        };
        match (effect, item) {
            (Effect::CancelItem, Some(item)) => recorder.cancel_item(session, item).is_ok(),
            (Effect::Skip, Some(item)) => recorder.skip_item(session, item).is_ok(),
            (Effect::SkipThis(which), _) => {
                let item = which.find(&recorder.state().labels);
                let skipped = item.filter(|item| recorder.skip_item(session, *item).is_ok());
                self.state.lock().waiting.extend(skipped);
                skipped.is_some()
            }
            (Effect::SkipNext, _) => {
                let next = recorder.state().next_unreported();
                let skipped = next.filter(|next| recorder.skip_item(session, *next).is_ok());
                // On the host's thread, the host notifies only after the current call.
                if let Some(next) = skipped.filter(|_| !on_host_thread) {
                    wait_notified(recorder, &[next]);
                }
                skipped.is_some()
            }
            (Effect::CancelAll, _) => {
                recorder.cancel_all(session);
                true
            }
            (Effect::Release, _) => {
                let first = !std::mem::replace(&mut self.state.lock().released, true);
                if first {
                    recorder.note(Action::CallbackReleased);
                }
                true
            }
            (Effect::CancelItem | Effect::Skip, None) => false,
        }
    }

    /// Holds a worker until the handler has been notified of the skips.
    fn hold(&self, recorder: &Recorder) {
        let Some(session) = self.session.get() else {
            return;
        };
        let mut waiting = self.state.lock().waiting.clone();
        waiting.retain(|item| session.driver().is_skipped(*item));
        if !waiting.is_empty() {
            wait_notified(recorder, &waiting);
            // Notified, or not to be notified in time: no worker is held for them again.
            let mut state = self.state.lock();
            state.waiting.retain(|item| !waiting.contains(item));
        }
    }

    /// The triggers that are due at a report, by their place.
    fn due(&self, begun: &StartedCall, item: Option<ItemId>, labels: &Labels) -> Vec<usize> {
        let Some(item) = item else {
            return Vec::new();
        };
        let triggers = self.triggers.iter().enumerate();
        let due = triggers.filter(|(_, (trigger, _))| match trigger {
            Trigger::Report(number) => begun.report == *number,
            Trigger::OfItem(which, number) => begun.of_item == *number && which.is(item, labels),
            Trigger::Holds(_) | Trigger::Start | Trigger::Prepare(_) | Trigger::Synchronize => {
                false
            }
        });
        due.map(|(place, _)| place).collect()
    }

    /// Whether the test's predicate holds for this call and for no earlier one. It is foreign code: no lock is held, several
    /// threads may be inside it at the same time, and a panic must not reach the handler.
    fn holds(&self, place: usize, effect: &Effect, predicate: &Predicate, call: &Call) -> bool {
        let thread = thread::current().id();
        {
            let mut state = self.state.lock();
            // A call that a predicate makes itself is none of the handler's.
            if state.fired.contains(&place) || state.in_predicate.contains(&thread) {
                return false;
            }
            state.in_predicate.push(thread);
        }
        let answer = catch_unwind(AssertUnwindSafe(|| predicate(call))).map_err(panicked);
        let mut state = self.state.lock();
        state
            .in_predicate
            .retain(|in_predicate| *in_predicate != thread);
        let holds = match answer {
            Ok(holds) => holds,
            Err(text) => {
                state.panic.get_or_insert(text);
                false
            }
        };
        // Only a report has an item to cancel. Of several threads, the first one acts.
        let can_apply = *effect != Effect::CancelItem || call.action.reported().is_some();
        let is_first = holds && can_apply && !state.fired.contains(&place);
        if is_first {
            state.fired.push(place);
        }
        is_first
    }

    fn refuse(&self, action: &Action) -> Intercept {
        let mut state = self.state.lock();
        let mut next = |count: fn(&mut State) -> &mut usize| {
            let count = count(&mut state);
            *count = count.saturating_add(1);
            *count
        };
        match action {
            Action::LogError { .. } if self.log == Some(next(|state| &mut state.log_entries)) => {
                Intercept::Refuse(CallbackError::LogFull)
            }
            Action::EstablishConnection { .. }
                if self.connections == Some(next(|state| &mut state.connections)) =>
            {
                Intercept::Refuse(CallbackError::NotConnected)
            }
            Action::EnableModeless { enable: true }
                if self.dialogs == Some(next(|state| &mut state.dialogs)) =>
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
            let at_report = self.due(begun, call.action.reported(), &state.labels);
            (call.clone(), at_report)
        };
        if call.callback.is_none() {
            match call.action {
                Action::PrepareForSync { .. } => {
                    let prepare = self.next_prepare();
                    self.at_host(
                        recorder,
                        |trigger| matches!(trigger, Trigger::Prepare(number) if *number == prepare),
                    );
                }
                Action::Synchronize => {
                    self.at_host(recorder, |trigger| matches!(trigger, Trigger::Synchronize));
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
        for (place, (trigger, effect)) in self.triggers.iter().enumerate() {
            let is_due = match trigger {
                Trigger::Holds(predicate) => self.holds(place, effect, predicate, &call),
                _ => at_report.contains(&place),
            };
            if is_due {
                due.push((place, effect));
            }
        }
        for (place, effect) in due {
            let is_done = self.apply(recorder, effect, item, begun.on_host_thread);
            // That the report was made is what the setting asked for; but there may be no next item.
            if is_done || *effect != Effect::SkipNext {
                self.state.lock().occurred.push(place);
            }
        }
        if self.is_released() {
            return self.released(&call.action);
        }
        self.refuse(&call.action)
    }
}

/// Holds a worker until the handler has been notified of these skips, the grace period has passed,
/// or the host has finished or given up.
fn wait_notified(recorder: &Recorder, items: &[ItemId]) {
    let is_notified = |state: &RecorderState| {
        state.finished || state.gave_up || items.iter().all(|item| state.notified.contains(item))
    };
    // What the harness itself delays must not pass for silence of the handler.
    recorder.change(|state| state.held += 1);
    let until = clock::now() + GRACE;
    let mut notifying = None;
    recorder.wait_until(until, |state| {
        notifying = state.notifying;
        is_notified(state) || notifying.is_some()
    });
    if let Some(since) = notifying {
        recorder.wait_until(until.min(since + NOTIFY_GRACE), is_notified);
    }
    recorder.change(|state| {
        state.held -= 1;
        state.holds_ended += 1;
    });
}
