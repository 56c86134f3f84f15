//! A scripted host for tests of code that reports progress.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::testing::call::Action;
use crate::testing::format;
use crate::testing::recorder::Recorder;
use crate::testing::trace::Trace;
use crate::{
    CallbackError, Dialog, ErrorOutcome, HResult, ItemId, LogRecord, LogSelector, ProgressUpdate,
    PropertiesOutcome, SyncCallback, Verdict,
};

/// A call that is expected of the handler, and what it is answered: see [`ScriptedHost`].
#[derive(Clone, Debug)]
#[must_use = "it is expected only once it is given to a `ScriptedHost`"]
pub struct Expect {
    method: &'static str,
    item: Option<ItemId>,
    update: Option<ProgressUpdate<'static>>,
    answer: Reply,
}

#[derive(Clone, Copy, Debug)]
enum Reply {
    Verdict(Verdict),
    Dialog(Dialog),
    Done,
    Refuse(CallbackError),
}

impl Expect {
    fn new(method: &'static str, answer: Reply) -> Self {
        Self {
            method,
            item: None,
            update: None,
            answer,
        }
    }

    /// A report of an item, whatever it says, with this verdict. `can_continue` with an item counts too.
    pub fn report(item: ItemId, verdict: Verdict) -> Self {
        Self {
            item: Some(item),
            ..Self::new("progress", Reply::Verdict(verdict))
        }
    }

    /// The same, and it has to say just this.
    pub fn saying(mut self, update: &ProgressUpdate<'_>) -> Self {
        self.update = Some(update.clone().into_owned());
        self
    }

    /// `enable_modeless`, with this answer.
    pub fn enable_modeless(answer: Dialog) -> Self {
        Self::new("enable_modeless", Reply::Dialog(answer))
    }

    /// `log_error`, taken.
    pub fn log_error() -> Self {
        Self::new("log_error", Reply::Done)
    }

    /// `delete_log_error`, taken.
    pub fn delete_log_error() -> Self {
        Self::new("delete_log_error", Reply::Done)
    }

    /// `prepare_for_sync_completed`, taken.
    pub fn prepare_for_sync_completed() -> Self {
        Self::new("prepare_for_sync_completed", Reply::Done)
    }

    /// `synchronize_completed`, taken.
    pub fn synchronize_completed() -> Self {
        Self::new("synchronize_completed", Reply::Done)
    }

    /// `show_error_completed`, taken.
    pub fn show_error_completed() -> Self {
        Self::new("show_error_completed", Reply::Done)
    }

    /// `show_properties_completed`, taken.
    pub fn show_properties_completed() -> Self {
        Self::new("show_properties_completed", Reply::Done)
    }

    /// `establish_connection`, taken.
    pub fn establish_connection() -> Self {
        Self::new("establish_connection", Reply::Done)
    }

    /// The call is refused, in place of the answer.
    pub fn refused(mut self, error: CallbackError) -> Self {
        self.answer = Reply::Refuse(error);
        self
    }

    fn is(&self, method: &str, item: Option<ItemId>, update: Option<&ProgressUpdate<'_>>) -> bool {
        self.method == method
            && (self.item.is_none() || self.item == item)
            && (self.update.is_none() || self.update.as_ref() == update)
    }

    fn words(&self) -> String {
        let mut words = self.method.to_owned();
        if let Some(item) = self.item {
            words.push_str(&format!(" of the item {item}"));
        }
        if let Some(update) = &self.update {
            words.push_str(&format::update(update));
        }
        words
    }
}

/// A host that answers from a list: for tests of what reports, where a [`Session`](crate::Session) would answer too well.
///
/// The calls have to come in the order of the list. One that comes beside it is answered `WrongPhase` and remembered;
/// [`finish`](Self::finish) then fails, as it does when calls are missing. A host that is dropped without `finish` fails too.
///
/// ```
/// use syncmgr::testing::mock::{Expect, ScriptedHost};
/// use syncmgr::{ItemId, ItemReporter, Verdict};
///
/// let photos = ItemId::from_u128(1);
/// let host = ScriptedHost::new([
///     Expect::report(photos, Verdict::Continue),
///     Expect::report(photos, Verdict::CancelItem),
///     Expect::report(photos, Verdict::CancelItem),
/// ]);
///
/// let reporter = ItemReporter::new(&host.callback(), photos);
/// assert_eq!(reporter.check()?, Verdict::Continue);
/// assert_eq!(reporter.set(1)?, Verdict::CancelItem);
/// reporter.stop()?;
/// host.finish().assert_conformant();
/// # Ok::<(), syncmgr::CallbackError>(())
/// ```
#[must_use = "a scripted host has to be finished"]
pub struct ScriptedHost {
    inner: Arc<Inner>,
    recorder: Recorder,
    finished: bool,
}

struct Inner {
    state: Mutex<State>,
}

struct State {
    expected: VecDeque<Expect>,
    /// How many calls came as expected.
    met: usize,
    /// What came beside the list, in words.
    beside: Vec<String>,
}

impl ScriptedHost {
    /// A host that answers these calls, in this order.
    pub fn new(expected: impl IntoIterator<Item = Expect>) -> Self {
        Self {
            inner: Arc::new(Inner {
                state: Mutex::new(State {
                    expected: expected.into_iter().collect(),
                    met: 0,
                    beside: Vec::new(),
                }),
            }),
            recorder: Recorder::new(),
            finished: false,
        }
    }

    /// The callback, for the handler. Each call of this makes another one of the same host.
    #[must_use]
    pub fn callback(&self) -> Arc<dyn SyncCallback> {
        let inner: Arc<dyn SyncCallback> = self.inner.clone();
        self.recorder.callback(inner)
    }

    /// Ends the test: answers the trace of what came.
    ///
    /// # Panics
    ///
    /// If a call came that was not expected, or one that was did not come.
    #[track_caller]
    pub fn finish(mut self) -> Trace {
        self.finished = true;
        let trace = self.recorder.trace();
        if let Some(fault) = self.inner.fault() {
            panic!("{fault}\n\n{trace}");
        }
        trace
    }
}

impl fmt::Debug for ScriptedHost {
    /// With no lock held: the formatter is the caller's code.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (expected, met) = {
            let state = self.inner.state.lock();
            (state.expected.clone(), state.met)
        };
        f.debug_struct("ScriptedHost")
            .field("expected", &expected)
            .field("met", &met)
            .finish_non_exhaustive()
    }
}

impl Drop for ScriptedHost {
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        let fault = self.inner.fault();
        if std::thread::panicking() {
            // What made the test panic may be this.
            if let Some(fault) = fault {
                eprintln!("the scripted host: {fault}");
            }
        } else {
            let fault = fault.unwrap_or_else(|| "all calls came as expected".to_owned());
            panic!("a scripted host was dropped without `finish`; {fault}");
        }
    }
}

impl Inner {
    /// What went wrong, in words.
    fn fault(&self) -> Option<String> {
        let state = self.state.lock();
        if !state.beside.is_empty() {
            return Some(format!(
                "calls came that were not expected:\n  {}",
                state.beside.join("\n  ")
            ));
        }
        let missing: Vec<String> = state.expected.iter().map(Expect::words).collect();
        (!missing.is_empty()).then(|| {
            format!(
                "{} came as expected, then none of these:\n  {}",
                format::counted(state.met, "call", "calls"),
                missing.join("\n  ")
            )
        })
    }

    /// The answer of a call: from the list, if it is the next one there.
    fn take(
        &self,
        method: &str,
        item: Option<ItemId>,
        update: Option<&ProgressUpdate<'_>>,
    ) -> Result<Reply, CallbackError> {
        let mut state = self.state.lock();
        match state.expected.front() {
            Some(next) if next.is(method, item, update) => {
                let answer = next.answer;
                state.expected.pop_front();
                state.met += 1;
                match answer {
                    Reply::Refuse(error) => Err(error),
                    answer => Ok(answer),
                }
            }
            next => {
                let next = next.map_or_else(|| "nothing".to_owned(), Expect::words);
                let of = item.map_or_else(String::new, |item| format!(" of the item {item}"));
                let saying = update.map_or_else(String::new, format::update);
                let met = format::counted(state.met, "call", "calls");
                state.beside.push(format!(
                    "after {met} came {method}{of}{saying}, where {next} was expected"
                ));
                Err(CallbackError::WrongPhase)
            }
        }
    }

    fn verdict(&self, item: ItemId, update: &ProgressUpdate<'_>) -> Result<Verdict, CallbackError> {
        match self.take("progress", Some(item), Some(update))? {
            Reply::Verdict(verdict) => Ok(verdict),
            _ => Err(CallbackError::WrongPhase),
        }
    }

    fn done(&self, action: &Action) -> Result<(), CallbackError> {
        self.take(action.name(), None, None).map(drop)
    }
}

impl SyncCallback for Inner {
    fn progress(
        &self,
        item: ItemId,
        update: &ProgressUpdate<'_>,
    ) -> Result<Verdict, CallbackError> {
        self.verdict(item, update)
    }

    fn log_error(&self, record: &LogRecord<'_>) -> Result<(), CallbackError> {
        self.done(&Action::LogError {
            record: record.clone().into_owned(),
        })
    }

    fn delete_log_error(&self, which: LogSelector) -> Result<(), CallbackError> {
        self.done(&which.into())
    }

    fn prepare_for_sync_completed(&self, result: HResult) -> Result<(), CallbackError> {
        self.done(&Action::PrepareForSyncCompleted { result })
    }

    fn synchronize_completed(&self, result: HResult) -> Result<(), CallbackError> {
        self.done(&Action::SynchronizeCompleted { result })
    }

    fn show_error_completed(&self, outcome: ErrorOutcome<'_>) -> Result<(), CallbackError> {
        let items = outcome.items().to_vec();
        self.done(&Action::ShowErrorCompleted {
            result: outcome.into(),
            items,
        })
    }

    fn show_properties_completed(&self, outcome: PropertiesOutcome) -> Result<(), CallbackError> {
        self.done(&Action::ShowPropertiesCompleted {
            result: outcome.into(),
        })
    }

    fn enable_modeless(&self, enable: bool) -> Result<Dialog, CallbackError> {
        let action = Action::EnableModeless { enable };
        match self.take(action.name(), None, None)? {
            Reply::Dialog(dialog) => Ok(dialog),
            _ => Err(CallbackError::WrongPhase),
        }
    }

    fn establish_connection(&self, connection: Option<&str>) -> Result<(), CallbackError> {
        self.done(&Action::EstablishConnection {
            name: connection.map(str::to_owned),
        })
    }
}
