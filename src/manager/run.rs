//! One handler, from `initialize` to its release.

use std::any::Any;
use std::collections::{HashSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Fault, HandlerReport, RunOptions};
use crate::session::{HostEvent, Phase, Session};
use crate::{
    CallbackError, ErrorId, HResult, HandlerError, HandlerInfo, ItemId, ItemList, ItemStatus,
    LogLevel, LogRecord, Participation, SyncCallback, SyncFlags, SyncHandler, SyncItem,
};

/// Takes one handler through its whole life, on this thread: initialize, list, prepare, synchronize, errors and retries,
/// release.
///
/// ```text
/// initialize, info, items        the session is built and handed to `on_session`
/// set_progress_callback(some)
/// prepare_for_sync               then its completion is awaited, from whatever thread it comes
/// synchronize                    likewise; only after a prepare that was completed with S_OK (rule M01)
/// show_error                     for the errors that the options want shown; a retry goes back to prepare_for_sync
/// set_progress_callback(none)
/// ```
///
/// - Where no item is selected, neither prepare nor synchronize is called (rule M02), and no callback is set.
/// - [`skip_item`](Session::skip_item) reaches the handler as `set_item_status(SKIPPED)` in its two windows (rule M04):
///   between the return of a call and its completion.
/// - A method that panics ends the run; its text stands in the report and in the session's log. A completion that never
///   comes ends it past the [`deadline`](RunOptions::deadline), if there is one; a method that never returns blocks it.
/// - No lock is held while the handler is called: it may call back from inside any method.
///
/// ```
/// # use std::sync::{Arc, Mutex, PoisonError};
/// use syncmgr::*;
///
/// /// The smallest handler: one item, done on the caller's thread.
/// #[derive(Default)]
/// struct Tidy {
///     callback: Mutex<Option<Arc<dyn SyncCallback>>>,
/// }
/// const ROOM: ItemId = ItemId::from_u128(1);
///
/// impl Tidy {
///     fn callback(&self) -> Result<Arc<dyn SyncCallback>, CallbackError> {
///         let callback = self.callback.lock().unwrap_or_else(PoisonError::into_inner);
///         callback.clone().ok_or(CallbackError::Released)
///     }
/// }
///
/// impl SyncHandler for Tidy {
///     fn initialize(&self, _: SyncFlags, _: Option<&[u8]>) -> Result<Participation, HandlerError> {
///         Ok(Participation::Joins)
///     }
///     fn info(&self) -> Result<HandlerInfo, HandlerError> {
///         Ok(HandlerInfo::new(HandlerName::try_from("Tidy")?))
///     }
///     fn items(&self) -> Result<ItemList, HandlerError> {
///         Ok(ItemList::Complete(vec![SyncItem::new(ROOM, ItemName::try_from("Room")?)]))
///     }
///     fn set_progress_callback(&self, callback: Option<Arc<dyn SyncCallback>>) -> Result<(), HandlerError> {
///         *self.callback.lock().unwrap_or_else(PoisonError::into_inner) = callback;
///         Ok(())
///     }
///     fn prepare_for_sync(self: Arc<Self>, _: &[ItemId]) -> Result<Prepared, HandlerError> {
///         self.callback()?.prepare_for_sync_completed(HResult::S_OK)?;
///         Ok(Prepared::Started)
///     }
///     fn synchronize(self: Arc<Self>) -> Result<(), HandlerError> {
///         let callback = self.callback()?;
///         let room = ItemReporter::new(&callback, ROOM)?;
///         match room.check()? {
///             Verdict::Continue => room.succeed()?,
///             _ => room.skip()?,
///         }
///         callback.synchronize_completed(HResult::S_OK)?;
///         Ok(())
///     }
///     fn set_item_status(&self, _: ItemId, _: ItemStatus) -> Result<(), HandlerError> {
///         Ok(())
///     }
/// }
///
/// let report = run_handler(Arc::new(Tidy::default()), RunOptions::new());
/// assert!(report.is_success());
/// assert_eq!(report.rounds, 1);
/// ```
pub fn run_handler(handler: Arc<dyn SyncHandler>, mut options: RunOptions) -> HandlerReport {
    let mut start = Start {
        handler: &handler,
        faults: Vec::new(),
        info: None,
    };
    let (session, end, rounds) = match start.begin(&mut options) {
        Ok(Begun { session, items }) => {
            let mut run = Run {
                handler: &handler,
                session: &session,
                options: &options,
                faults: std::mem::take(&mut start.faults),
                skips: VecDeque::new(),
                shown: 0,
                rounds: 0,
            };
            // What panics here is the host's own `show_error_if`: the handler is let go all the same.
            let end = catch_unwind(AssertUnwindSafe(|| run.drive(items)));
            let end = run.finish(end);
            let rounds = run.rounds;
            start.faults = run.faults;
            (Some(session), end, rounds)
        }
        Err((session, end)) => {
            let phase = session
                .as_ref()
                .map_or(Phase::Idle, |session| session.phase());
            if let Some(session) = &session {
                session.release();
            }
            let ended = Ended {
                end,
                phase,
                open: Vec::new(),
            };
            (session, ended, 0)
        }
    };
    let Start { faults, info, .. } = start;
    // The last reference may be ours, and a handler's drop is its own code.
    let _ = catch_unwind(AssertUnwindSafe(|| drop(handler)));
    HandlerReport {
        result: end.end.result,
        phase: end.phase,
        session,
        open: end.open,
        rounds,
        abandoned: 0,
        info,
        error: end.end.error,
        faults,
    }
}

/// How a run ended.
struct End {
    result: HResult,
    error: Option<String>,
}

impl End {
    fn of(result: HResult) -> Self {
        Self {
            result,
            error: None,
        }
    }

    /// An error that a call answered. One that carries a success code where there is nothing to go on with is still none.
    fn failed(error: &HandlerError) -> Self {
        let code = error.hresult();
        Self {
            result: if code == HResult::S_OK {
                HResult::E_UNEXPECTED
            } else {
                code
            },
            error: Some(error.to_string()),
        }
    }
}

struct Ended {
    end: End,
    phase: Phase,
    open: Vec<ItemId>,
}

/// Calls a method of the handler; a panic ends the run.
fn call<R>(
    handler: &Arc<dyn SyncHandler>,
    session: Option<&Session>,
    faults: &mut Vec<Fault>,
    name: &'static str,
    method: impl FnOnce(Arc<dyn SyncHandler>) -> R,
) -> Result<R, End> {
    catch_unwind(AssertUnwindSafe(|| method(Arc::clone(handler)))).map_err(|payload| {
        let fault = Fault::Panicked {
            call: name,
            message: panic_text(payload),
        };
        let text = fault.to_string();
        log(session, LogLevel::Error, &text);
        faults.push(fault);
        End {
            result: HResult::E_UNEXPECTED,
            error: Some(text),
        }
    })
}

/// The driver's own entry in the session's log. A full log loses it; the report has it as well.
fn log(session: Option<&Session>, level: LogLevel, text: &str) {
    if let Some(session) = session {
        let _ = session.log_error(&LogRecord::new(level, text));
    }
}

/// What a panic said.
fn panic_text(payload: Box<dyn Any + Send>) -> String {
    let text = match payload.downcast_ref::<&str>() {
        Some(text) => (*text).to_owned(),
        None => match payload.downcast_ref::<String>() {
            Some(text) => text.clone(),
            None => "it gave no text".to_owned(),
        },
    };
    // A payload may be anything, and so may its drop.
    let _ = catch_unwind(AssertUnwindSafe(|| drop(payload)));
    text
}

/// From `initialize` to the list of items: there is no session yet.
struct Start<'a> {
    handler: &'a Arc<dyn SyncHandler>,
    faults: Vec<Fault>,
    info: Option<HandlerInfo>,
}

struct Begun {
    session: Arc<Session>,
    items: Vec<ItemId>,
}

impl Start<'_> {
    fn call<R>(
        &mut self,
        name: &'static str,
        method: impl FnOnce(Arc<dyn SyncHandler>) -> Result<R, HandlerError>,
    ) -> Result<Result<R, HandlerError>, End> {
        call(self.handler, None, &mut self.faults, name, method)
    }

    /// Either the session and the items to prepare, or how the run ended before that.
    fn begin(&mut self, options: &mut RunOptions) -> Result<Begun, (Option<Arc<Session>>, End)> {
        let items = self.list(options.flags).map_err(|end| (None, end))?;
        let checked: Vec<ItemId> = items
            .iter()
            .filter(|item| item.checked)
            .map(|item| item.id)
            .collect();
        let session = match options.session().items(items).build() {
            Ok(session) => session,
            Err(error) => {
                let end = End {
                    result: error.hresult(),
                    error: Some(error.to_string()),
                };
                self.faults.push(Fault::BadItems(error));
                return Err((None, end));
            }
        };
        for on_session in options.on_session.drain(..) {
            on_session(Arc::clone(&session));
        }
        let items = match options.select.take() {
            None => checked,
            Some(wanted) => known(&session, wanted),
        };
        if items.is_empty() || options.flags.contains(SyncFlags::SETTINGS) {
            return Err((Some(session), End::of(HResult::S_OK)));
        }
        Ok(Begun { session, items })
    }

    fn list(&mut self, flags: SyncFlags) -> Result<Vec<SyncItem>, End> {
        match self.call("initialize", |handler| handler.initialize(flags, None))? {
            Ok(Participation::Joins) => {}
            Ok(Participation::Declines) => return Err(End::of(HResult::S_FALSE)),
            Err(error) if error.hresult() == HResult::S_OK => {}
            Err(error) => return Err(End::failed(&error)),
        }
        let info = self.call("info", |handler| handler.info())?;
        self.info = Some(info.map_err(|error| End::failed(&error))?);
        let items = self.call("items", |handler| handler.items())?;
        items
            .map(ItemList::into_items)
            .map_err(|error| End::failed(&error))
    }
}

/// The items of `wanted` that the session knows, each once.
fn known(session: &Session, wanted: Vec<ItemId>) -> Vec<ItemId> {
    let (known, unknown): (Vec<_>, Vec<_>) = distinct(wanted)
        .into_iter()
        .partition(|item| session.item(*item).is_some());
    for item in unknown {
        let text = format!("the selected item {item} is not in the handler's list; it is left out");
        log(Some(session), LogLevel::Warning, &text);
    }
    known
}

/// Each item once, where it stands first.
fn distinct(items: Vec<ItemId>) -> Vec<ItemId> {
    let mut seen = HashSet::with_capacity(items.len());
    items
        .into_iter()
        .filter(|item| seen.insert(*item))
        .collect()
}

/// Something that the driver waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Prepare,
    Synchronize,
    ShowError,
}

impl Step {
    const fn completion(self) -> &'static str {
        match self {
            Step::Prepare => "prepare_for_sync_completed",
            Step::Synchronize => "synchronize_completed",
            Step::ShowError => "show_error_completed",
        }
    }

    /// The phase in which the handler may be told to skip an item (rule M04).
    const fn window(self) -> Option<Phase> {
        match self {
            Step::Prepare => Some(Phase::Preparing),
            Step::Synchronize => Some(Phase::Synchronizing),
            Step::ShowError => None,
        }
    }
}

/// From the callback to the release.
struct Run<'a> {
    handler: &'a Arc<dyn SyncHandler>,
    session: &'a Arc<Session>,
    options: &'a RunOptions,
    faults: Vec<Fault>,
    /// Skips that wait for a window.
    skips: VecDeque<ItemId>,
    /// The sequence number of the last log entry that was offered to the user.
    shown: u64,
    rounds: u32,
}

impl Run<'_> {
    fn call<R>(
        &mut self,
        name: &'static str,
        method: impl FnOnce(Arc<dyn SyncHandler>) -> R,
    ) -> Result<R, End> {
        call(
            self.handler,
            Some(self.session),
            &mut self.faults,
            name,
            method,
        )
    }

    fn drive(&mut self, mut items: Vec<ItemId>) -> Result<HResult, End> {
        let callback: Arc<dyn SyncCallback> = self.session.clone();
        let set = self.call("set_progress_callback", |handler| {
            handler.set_progress_callback(Some(callback))
        })?;
        match set {
            Err(error) if error.hresult().is_failure() => return Err(End::failed(&error)),
            _ => {}
        }
        // The first round cannot be refused: the items are the session's own, and nothing was begun.
        self.session.begin_prepare(&items).map_err(refused)?;
        loop {
            self.rounds += 1;
            self.prepare(&items)?;
            let result = self.synchronize()?;
            match self.show_errors()? {
                Some(again) => items = again,
                None => return Ok(result),
            }
        }
    }

    fn prepare(&mut self, items: &[ItemId]) -> Result<(), End> {
        let answer = self
            .call("prepare_for_sync", |handler| {
                handler.prepare_for_sync(items)
            })
            .map(|answer| (answer.as_ref().err().map(End::failed), answer))
            .map_err(|end| self.complete(Step::Prepare, end))?;
        let code = match &answer.1 {
            Ok(prepared) => HResult::from(*prepared),
            Err(error) => error.hresult(),
        };
        if code != HResult::S_OK {
            let end = answer.0.unwrap_or(End::of(code));
            return Err(self.complete(Step::Prepare, end));
        }
        match self.wait(Step::Prepare)? {
            (HResult::S_OK, _) => Ok(()),
            (result, _) => Err(End::of(result)),
        }
    }

    fn synchronize(&mut self) -> Result<HResult, End> {
        self.session.begin_synchronize().map_err(refused)?;
        let answer = self
            .call("synchronize", |handler| handler.synchronize())
            .map_err(|end| self.complete(Step::Synchronize, end))?;
        match answer {
            Err(error) if error.hresult() != HResult::S_OK => {
                Err(self.complete(Step::Synchronize, End::failed(&error)))
            }
            _ => self.wait(Step::Synchronize).map(|(result, _)| result),
        }
    }

    /// A call that did not answer `S_OK` is not completed by the handler, so the driver does it. A handler that did it
    /// all the same is at fault, and the answer of its call counts.
    fn complete(&mut self, step: Step, end: End) -> End {
        if Some(self.session.phase()) == step.window() {
            let _ = match step {
                Step::Prepare => self.session.prepare_for_sync_completed(end.result),
                _ => self.session.synchronize_completed(end.result),
            };
        } else if self.session.phase() != Phase::Released {
            self.faults.push(Fault::UnexpectedCompletion {
                call: step.completion(),
            });
        }
        if let Some(text) = &end.error {
            if !matches!(self.faults.last(), Some(Fault::Panicked { .. })) {
                log(Some(self.session), LogLevel::Error, text);
            }
        }
        end
    }

    /// Shows the errors that the user wants to see; a retry that one of them asks for is begun, and answered by its
    /// items.
    fn show_errors(&mut self) -> Result<Option<Vec<ItemId>>, End> {
        let Some(wanted) = &self.options.show_error_if else {
            return Ok(None);
        };
        for entry in self.session.log() {
            if entry.sequence <= self.shown {
                continue;
            }
            self.shown = entry.sequence;
            let Some(error) = entry.error_id else {
                continue;
            };
            if !entry.can_be_shown() || !wanted(&entry) || !self.is_logged(error) {
                continue;
            }
            self.discard_events();
            let answer = self.call("show_error", |handler| handler.show_error(error))?;
            if answer.is_err_and(|error| error.hresult().is_failure()) {
                continue;
            }
            let (result, items) = self.wait(Step::ShowError)?;
            if result == HResult::S_SYNCMGR_RETRYSYNC {
                if let Some(items) = self.retry(items) {
                    return Ok(Some(items));
                }
            }
        }
        Ok(None)
    }

    /// Whether the handler has not deleted the error meanwhile.
    fn is_logged(&self, error: ErrorId) -> bool {
        let log = self.session.log();
        log.iter().any(|entry| entry.error_id == Some(error))
    }

    /// Begins a retry with these items, if there may be one.
    fn retry(&mut self, items: Vec<ItemId>) -> Option<Vec<ItemId>> {
        let items = distinct(items);
        if self.rounds > self.options.max_retries {
            let text = format!(
                "a retry was asked for and not made: {} are allowed, and all were made",
                self.options.max_retries
            );
            log(Some(self.session), LogLevel::Warning, &text);
            return None;
        }
        match self.session.begin_prepare(&items) {
            Ok(()) => Some(items),
            // Everything was cancelled meanwhile: nobody's fault.
            Err(CallbackError::WrongPhase | CallbackError::Released) => None,
            Err(error) => {
                self.faults.push(Fault::BadRetry(error));
                None
            }
        }
    }

    /// Before a show-error: a completion that is there already belongs to nothing.
    fn discard_events(&mut self) {
        while let Some(event) = self.session.host_event(Duration::ZERO) {
            self.unexpected(&event);
        }
    }

    fn unexpected(&mut self, event: &HostEvent) {
        let call = match event {
            HostEvent::ShowErrorCompleted(..) => "show_error_completed",
            HostEvent::ShowPropertiesCompleted(..) => "show_properties_completed",
            // The session lets each of these come only where it is awaited, or skips of a round that is over.
            HostEvent::PrepareCompleted(..)
            | HostEvent::SynchronizeCompleted(..)
            | HostEvent::Skip(..) => return,
        };
        self.faults.push(Fault::UnexpectedCompletion { call });
    }

    /// Waits for a completion, and tells the handler of skips meanwhile.
    fn wait(&mut self, step: Step) -> Result<(HResult, Vec<ItemId>), End> {
        loop {
            self.tell_skips(step)?;
            match (step, self.next_event()) {
                (Step::Prepare, Some(HostEvent::PrepareCompleted(result)))
                | (Step::Synchronize, Some(HostEvent::SynchronizeCompleted(result))) => {
                    return Ok((result, Vec::new()));
                }
                (Step::ShowError, Some(HostEvent::ShowErrorCompleted(result, items))) => {
                    return Ok((result, items));
                }
                (_, Some(HostEvent::Skip(item))) => self.skips.push_back(item),
                (_, Some(event)) => self.unexpected(&event),
                (_, None) if self.session.phase() == Phase::Released => {
                    return Err(End {
                        result: HResult::E_ABORT,
                        error: Some("the session was released while the handler worked".into()),
                    });
                }
                (_, None) => {
                    let fault = Fault::NotCompleted {
                        call: step.completion(),
                        after: self.options.deadline.unwrap_or(Duration::MAX),
                    };
                    let text = fault.to_string();
                    log(Some(self.session), LogLevel::Error, &text);
                    self.faults.push(fault);
                    return Err(End {
                        result: HResult::E_ABORT,
                        error: Some(text),
                    });
                }
            }
        }
    }

    /// Tells the handler of the items to skip, while a window is open (rule M04).
    fn tell_skips(&mut self, step: Step) -> Result<(), End> {
        while step.window() == Some(self.session.phase()) {
            let Some(item) = self.skips.pop_front() else {
                break;
            };
            // Its answer changes nothing: the item is cancelled, and a handler that does not skip hears it there.
            let _ = self.call("set_item_status", |handler| {
                handler.set_item_status(item, ItemStatus::Skipped)
            })?;
        }
        Ok(())
    }

    /// The next event; none past the deadline, or where the session is released.
    fn next_event(&self) -> Option<HostEvent> {
        let Some(deadline) = self.options.deadline else {
            return self.session.host_event(Duration::MAX);
        };
        // Looking eight times a deadline notices silence at most an eighth of it late.
        let slice = (deadline / 8).max(Duration::from_millis(1));
        let mut active = Instant::now();
        loop {
            let left = deadline.saturating_sub(active.elapsed());
            let event = self.session.host_event(left.min(slice));
            if event.is_some() || self.session.phase() == Phase::Released {
                return event;
            }
            if self.session.take_activity() {
                active = Instant::now();
            } else if active.elapsed() >= deadline {
                return None;
            }
        }
    }

    /// Lets the handler go, whatever has happened before.
    fn finish(&mut self, end: std::thread::Result<Result<HResult, End>>) -> Ended {
        let phase = self.session.phase();
        let open = if self.rounds > 0 {
            self.session.open_items()
        } else {
            Vec::new()
        };
        self.discard_events();
        let let_go = self.call("set_progress_callback", |handler| {
            handler.set_progress_callback(None)
        });
        self.session.release();
        let refused = self.session.refused_completions();
        self.faults
            .extend(refused.into_iter().map(Fault::RefusedCompletion));
        let end = match end {
            Ok(Ok(result)) => match let_go {
                Err(end) => end,
                Ok(_) => End::of(result),
            },
            Ok(Err(end)) => end,
            Err(panic) => resume_unwind(panic),
        };
        Ended { end, phase, open }
    }
}

/// The session refused a step that it cannot refuse unless somebody released it meanwhile.
fn refused(error: CallbackError) -> End {
    End {
        result: error.hresult(),
        error: Some(error.to_string()),
    }
}
