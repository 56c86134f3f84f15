//! The recorder of the calls between a host and a handler.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::thread::{self, ThreadId};
use std::time::Instant;

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::answer::Answer;
use super::call::{Action, Call, Side};
use super::labels::Labels;
use super::trace::Trace;
use crate::util::clock;
use crate::{CallbackError, HResult, ItemId, Phase, Prepared, Session};

/// Records what passes between a host and a handler, whichever they are.
///
/// It is a cheap handle: clones write into the same trace. Wrap the handler and drive the wrapper; or wrap a callback alone
/// and hand the wrapper to what reports. Every call is passed on as it is, so neither side sees a difference, but for
/// one: the wrapped callback gives reporters no shortcut, so that each report is seen.
///
/// The trace can be taken at any time; what has not ended by then is in it without an answer.
///
/// ```
/// use std::sync::Arc;
/// use syncmgr::testing::{Recorder, Rule};
/// use syncmgr::{ItemId, ItemStatus, ProgressUpdate, Session, SyncCallback, SyncItem};
///
/// let photos = ItemId::from_u128(1);
/// let session = Session::builder().item(SyncItem::new(photos, "photos".parse()?)).build()?;
///
/// let recorder = Recorder::new();
/// let callback = recorder.callback(session);
/// let _ = callback.progress(photos, &ProgressUpdate::new().status(ItemStatus::Succeeded))?;
///
/// // It never asked whether to start.
/// assert_eq!(recorder.trace().violations()[0].rule, Rule::VerdictBeforeItem);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Recorder {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<RecorderState>,
    /// Something was written, a callback was dropped, or the host has finished.
    changed: Condvar,
    watch: OnceLock<Arc<dyn CallWatcher>>,
}

/// A hook that decides about each call before the recorder forwards it; the harness implements it.
pub(super) trait CallWatcher: Send + Sync {
    /// Called with no lock held, on the thread of the call, which is written down already.
    fn before(&self, recorder: &Recorder, call: &StartedCall) -> Intercept;
}

/// What is done with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Intercept {
    /// It is passed on.
    Pass,
    /// It is answered with this, and not passed on.
    Refuse(CallbackError),
    /// It is answered `Denied`, and not passed on.
    Deny,
}

/// A call that has begun.
#[derive(Clone, Copy, Debug)]
pub(super) struct StartedCall {
    /// Its place in the trace.
    pub(super) at: usize,
    /// For a report: how many there were, of all items, this one included.
    pub(super) report: usize,
    /// For a report: how many there were of its item, this one included.
    pub(super) of_item: usize,
    /// Whether it came on the thread on which the host makes its calls.
    pub(super) on_host_thread: bool,
}

pub(super) struct RecorderState {
    pub(super) calls: Vec<Call>,
    /// The last place in time that was given out.
    pub(super) clock: u64,
    pub(super) labels: Labels,
    pub(super) phase: Phase,
    /// The items whose `set_item_status` has returned in this round.
    pub(super) notified: HashSet<ItemId>,
    /// When the host entered `set_item_status`, while it is inside.
    pub(super) notifying: Option<Instant>,
    /// When the host's last step began: a completion from before it says nothing of what came since.
    step: u64,
    /// How many reports each item had.
    reports: HashMap<ItemId, usize>,
    /// The items of the last prepare.
    round: Vec<ItemId>,
    /// How many wrapped callbacks are still held by somebody.
    pub(super) live: usize,
    /// How many calls are written down; of the handler's none beyond.
    pub(super) max_calls: usize,
    /// The host's thread has finished.
    pub(super) finished: bool,
    /// The host has given up waiting for the handler.
    pub(super) gave_up: bool,
    /// How many workers the harness holds inside a call.
    pub(super) held: usize,
    /// How many workers it has released again.
    pub(super) holds_ended: u64,
    /// The next callback is set twice, so that the first one is replaced.
    pub(super) replaces_callback: bool,
    all_reports: usize,
    threads: HashMap<ThreadId, u32>,
    host: Option<ThreadId>,
    callbacks: u32,
    frozen: bool,
}

impl Recorder {
    /// An empty trace to be.
    #[must_use]
    pub fn new() -> Self {
        Self {
            shared: Arc::new(Shared {
                state: Mutex::new(RecorderState {
                    calls: Vec::new(),
                    clock: 0,
                    labels: Labels::default(),
                    // Until a handler is heard of, the callback stands alone, as that of an open session.
                    phase: Phase::Open,
                    notified: HashSet::new(),
                    notifying: None,
                    step: 0,
                    reports: HashMap::new(),
                    round: Vec::new(),
                    live: 0,
                    max_calls: usize::MAX,
                    finished: false,
                    gave_up: false,
                    held: 0,
                    holds_ended: 0,
                    replaces_callback: false,
                    all_reports: 0,
                    threads: HashMap::new(),
                    host: None,
                    callbacks: 0,
                    frozen: false,
                }),
                changed: Condvar::new(),
                watch: OnceLock::new(),
            }),
        }
    }

    /// Cancels an item of a session, as the user would, and writes that down (rule M10).
    ///
    /// # Errors
    ///
    /// Those of [`Session::cancel_item`].
    pub fn cancel_item(&self, session: &Session, item: ItemId) -> Result<(), CallbackError> {
        self.refusable(Action::CancelItem { item }, || session.cancel_item(item))
    }

    /// Skips an item of a session, as the user would, and writes that down.
    ///
    /// # Errors
    ///
    /// Those of [`Session::skip_item`].
    pub fn skip_item(&self, session: &Session, item: ItemId) -> Result<(), CallbackError> {
        self.refusable(Action::SkipItem { item }, || session.skip_item(item))
    }

    /// Cancels everything in a session, as the user would, and writes that down.
    pub fn cancel_all(&self, session: &Session) {
        // It refuses nothing.
        let _ = self.refusable(Action::CancelAll, || {
            session.cancel_all();
            Ok(())
        });
    }

    fn refusable(
        &self,
        action: Action,
        call: impl FnOnce() -> Result<(), CallbackError>,
    ) -> Result<(), CallbackError> {
        let at = self.begin(action, None).at;
        let result = call();
        self.end(at, Answer::of_callback(&result, |()| Answer::Done));
        result
    }

    /// The trace so far, judged by the rules.
    pub fn trace(&self) -> Trace {
        Trace::from_calls(self.state().calls.clone())
    }

    /// The trace; nothing is written into it any more.
    pub(super) fn freeze(&self) -> Vec<Call> {
        let mut state = self.state();
        state.frozen = true;
        std::mem::take(&mut state.calls)
    }

    pub(super) fn watch(&self, watch: Arc<dyn CallWatcher>) {
        // Set once, by the harness that made this recorder.
        let _ = self.shared.watch.set(watch);
    }

    pub(super) fn state(&self) -> MutexGuard<'_, RecorderState> {
        self.shared.state.lock()
    }

    /// Changes the state, and wakes whoever waits for it.
    pub(super) fn change<R>(&self, change: impl FnOnce(&mut RecorderState) -> R) -> R {
        let result = change(&mut self.state());
        self.shared.changed.notify_all();
        result
    }

    /// Waits until the state is as wanted, or the time has come; answers whether it is.
    pub(super) fn wait_until(
        &self,
        until: Instant,
        mut wanted: impl FnMut(&RecorderState) -> bool,
    ) -> bool {
        let mut state = self.state();
        loop {
            if wanted(&state) {
                return true;
            }
            if self
                .shared
                .changed
                .wait_until(&mut state, until)
                .timed_out()
            {
                return wanted(&state);
            }
        }
    }

    /// Whether the callback that is set now is to be replaced by another one; `true` once.
    pub(super) fn take_replacement(&self) -> bool {
        std::mem::take(&mut self.state().replaces_callback)
    }

    pub(super) fn next_callback(&self) -> u32 {
        let mut state = self.state();
        state.callbacks += 1;
        state.callbacks
    }

    /// Writes down that a call begins.
    pub(super) fn begin(&self, action: Action, callback: Option<u32>) -> StartedCall {
        let id = thread::current().id();
        self.change(|state| state.begin(id, action, callback))
    }

    /// Writes down what a call answered.
    pub(super) fn end(&self, at: usize, answer: Answer) {
        self.change(|state| state.end(at, answer));
    }

    /// Writes down something that is no call.
    pub(super) fn note(&self, action: Action) {
        let id = thread::current().id();
        self.change(|state| {
            let id = match action {
                Action::GaveUp => state.host.unwrap_or(id),
                _ => id,
            };
            let begun = state.begin(id, action, None);
            state.end(begun.at, Answer::None);
        });
    }

    /// Asks the harness, if there is one, what is to be done with a call.
    pub(super) fn intercept(&self, call: &StartedCall) -> Intercept {
        match self.shared.watch.get() {
            Some(watch) => watch.before(self, call),
            None => Intercept::Pass,
        }
    }
}

impl RecorderState {
    /// A number that changes when a call begins or ends, and when the harness releases a worker that it held.
    pub(super) fn signs_of_life(&self) -> u64 {
        self.clock.wrapping_add(self.holds_ended)
    }

    /// The first item of the round that had no report yet.
    pub(super) fn next_unreported(&self) -> Option<ItemId> {
        let mut round = self.round.iter();
        round.find(|item| !self.reports.contains_key(item)).copied()
    }

    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    fn begin(&mut self, id: ThreadId, action: Action, callback: Option<u32>) -> StartedCall {
        let begun = self.tick();
        if action.side() == Side::Host && self.host.is_none() {
            self.host = Some(id);
        }
        let mut report = 0;
        let mut of_item = 0;
        if let Some(item) = action.reported() {
            self.all_reports = self.all_reports.saturating_add(1);
            report = self.all_reports;
            let count = self.reports.entry(item).or_insert(0);
            *count = count.saturating_add(1);
            of_item = *count;
        }
        match &action {
            Action::PrepareForSync { items } => {
                self.phase = Phase::Preparing;
                self.notified.clear();
                self.round.clone_from(items);
            }
            Action::Synchronize => self.phase = Phase::Synchronizing,
            // The host would not be here if the work had not ended, whether or not the completion has returned.
            Action::ShowError { .. } => self.phase = Phase::Completed,
            Action::SetItemStatus { .. } => self.notifying = Some(clock::now()),
            _ => {}
        }
        if matches!(
            action,
            Action::PrepareForSync { .. } | Action::Synchronize | Action::ShowError { .. }
        ) {
            self.step = begun;
        }
        self.labels.learn_action(&action);
        let next = self.threads.len() as u32; // there are never 2^32 threads
        let thread = *self.threads.entry(id).or_insert(next);
        let is_full = self.calls.len() >= self.max_calls && action.side() == Side::Handler;
        // There is no such place: what the call answers is not written down either.
        let at = if is_full || self.frozen {
            usize::MAX
        } else {
            self.calls.len()
        };
        if at != usize::MAX {
            self.calls.push(Call {
                thread,
                phase: self.phase,
                begun,
                ended: None,
                callback,
                action,
                answer: Answer::None,
            });
        }
        StartedCall {
            at,
            report,
            of_item,
            on_host_thread: self.host == Some(id),
        }
    }

    fn end(&mut self, at: usize, answer: Answer) {
        let ended = self.tick();
        self.labels.learn_answer(&answer);
        // Gone where the trace was taken meanwhile.
        let Some(call) = self.calls.get_mut(at) else {
            return;
        };
        let is_current = call.begun >= self.step;
        match (&call.action, &answer) {
            (Action::SetItemStatus { item, .. }, _) => {
                self.notified.insert(*item);
                self.notifying = None;
            }
            (Action::PrepareForSyncCompleted { .. } | Action::SynchronizeCompleted { .. }, _)
                if !is_current => {}
            (Action::PrepareForSyncCompleted { result }, Answer::Done) => {
                self.phase = match *result {
                    HResult::S_OK => Phase::Prepared,
                    _ => Phase::Completed,
                };
            }
            (Action::PrepareForSync { .. }, Answer::Prepared(Prepared::Started)) => {}
            (Action::PrepareForSync { .. }, _) if self.phase == Phase::Preparing => {
                self.phase = Phase::Completed;
            }
            (Action::SynchronizeCompleted { .. }, Answer::Done) => self.phase = Phase::Completed,
            (Action::Synchronize, answer)
                if answer.hresult() != Some(HResult::S_OK)
                    && self.phase == Phase::Synchronizing =>
            {
                self.phase = Phase::Completed;
            }
            (Action::SetProgressCallback { set: None }, _) => self.phase = Phase::Released,
            _ => {}
        }
        call.ended = Some(ended);
        call.answer = answer;
    }
}

impl Default for Recorder {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder")
            .field("calls", &self.state().calls.len())
            .finish_non_exhaustive()
    }
}
