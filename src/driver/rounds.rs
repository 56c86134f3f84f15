//! From the callback to the release.

use std::collections::{HashSet, VecDeque};
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;

use super::enumerate::{bad_items, distinct, known, selected};
use super::guarded_call::{RunEnd, call, log};
use super::options::RunOptions;
use super::options::Select;
use super::report::ProtocolViolation;
use crate::session::HostEvent;
use crate::session::{Phase, Session, SessionBuilder};
use crate::util::clock;
use crate::{
    CallbackError, HResult, HandlerError, ItemId, ItemStatus, LogLevel, Prepared,
    PropertiesOutcome, SyncCallback, SyncFlags, SyncHandler,
};

pub(crate) struct RoundsEnd {
    pub(crate) end: RunEnd,
    pub(crate) phase: Phase,
    pub(crate) open: Vec<ItemId>,
}

/// How many completions that nothing waits for are reported.
const UNEXPECTED_MOST: usize = 16;

/// Something that the driver waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum AwaitedCompletion {
    Prepare,
    Synchronize,
    ShowError,
    ShowProperties,
}

impl AwaitedCompletion {
    const fn completion(self) -> &'static str {
        match self {
            AwaitedCompletion::Prepare => "prepare_for_sync_completed",
            AwaitedCompletion::Synchronize => "synchronize_completed",
            AwaitedCompletion::ShowError => "show_error_completed",
            AwaitedCompletion::ShowProperties => "show_properties_completed",
        }
    }

    /// The phase in which the handler may be told to skip an item (rule M04).
    const fn window(self) -> Option<Phase> {
        match self {
            AwaitedCompletion::Prepare => Some(Phase::Preparing),
            AwaitedCompletion::Synchronize => Some(Phase::Synchronizing),
            AwaitedCompletion::ShowError | AwaitedCompletion::ShowProperties => None,
        }
    }
}

/// From the callback to the release.
pub(crate) struct Rounds<'a> {
    pub(crate) handler: &'a Arc<dyn SyncHandler>,
    pub(crate) session: &'a Arc<Session>,
    pub(crate) options: &'a RunOptions,
    pub(crate) faults: Vec<ProtocolViolation>,
    pub(crate) select: Option<Select>,
    /// What came of the properties that were shown.
    pub(crate) properties: Vec<(Option<ItemId>, PropertiesOutcome)>,
    /// Skips that wait for a window.
    pub(crate) skips: VecDeque<ItemId>,
    /// The sequence number of the last log entry that was offered to the user.
    pub(crate) shown: u64,
    pub(crate) rounds: u32,
}

impl Rounds<'_> {
    fn call<R>(
        &mut self,
        name: &'static str,
        method: impl FnOnce(Arc<dyn SyncHandler>) -> Result<R, HandlerError>,
    ) -> Result<Result<R, RunEnd>, RunEnd> {
        call(
            self.handler,
            Some(self.session),
            &self.options.monitor,
            &mut self.faults,
            name,
            method,
        )
    }

    pub(crate) fn drive(&mut self, mut items: Vec<ItemId>) -> Result<HResult, RunEnd> {
        let callback: Arc<dyn SyncCallback> = self.session.clone();
        let set = self.call("set_progress_callback", |handler| {
            handler.set_progress_callback(Some(callback))
        })?;
        match set {
            Err(error) if error.result.is_failure() => return Err(error),
            _ => {}
        }
        items = self.show_properties(items)?;
        if items.is_empty() {
            return Ok(HResult::S_OK);
        }
        // The first round cannot be refused: the items are the session's own, and nothing was begun.
        self.session
            .driver()
            .begin_prepare(&items)
            .map_err(refused)?;
        loop {
            self.rounds += 1;
            self.options.monitor.round(self.rounds);
            self.prepare(&items)?;
            drop(items);
            let result = self.synchronize()?;
            match self.show_errors()? {
                Some(again) => items = again,
                None => return Ok(result),
            }
        }
    }

    /// What is asked of the handler beside the synchronization; answers the items that still take part.
    fn show_properties(&mut self, mut items: Vec<ItemId>) -> Result<Vec<ItemId>, RunEnd> {
        for (item, interface) in &self.options.item_objects {
            // There is no use for one.
            let _ = self.call("item_object", |handler| {
                handler.item_object(*item, *interface).map(drop)
            })?;
        }
        let mut deleted = HashSet::new();
        for target in &self.options.show_properties {
            let answer = self.call("show_properties", |handler| {
                handler.show_properties(*target)
            })?;
            let outcome = match answer {
                Err(error) if error.result.is_failure() => error.result.into(),
                _ => self.wait(AwaitedCompletion::ShowProperties)?.0.into(),
            };
            self.properties.push((*target, outcome));
            match (outcome, target) {
                (PropertiesOutcome::ItemDeleted, Some(item)) => {
                    deleted.insert(*item);
                }
                // The handler's own are no item, so some item of it must be meant.
                (PropertiesOutcome::ItemDeleted, None) | (PropertiesOutcome::ItemsChanged, _) => {
                    items = self.list_again()?;
                }
                _ => {}
            }
        }
        items.retain(|item| !deleted.contains(item));
        Ok(items)
    }

    /// Asks for the items anew: new ones are added to the session. Answers those that take part.
    fn list_again(&mut self) -> Result<Vec<ItemId>, RunEnd> {
        let list = self.call("items", |handler| handler.items())?;
        let list = list.map_err(RunEnd::failed)?;
        if let Err(error) = SessionBuilder::check(list.items()) {
            return Err(bad_items(&mut self.faults, error));
        }
        let wanted = selected(self.select.as_mut(), &list);
        if self.options.flags.contains(SyncFlags::SETTINGS) {
            return Ok(Vec::new());
        }
        let mut listed = HashSet::with_capacity(list.items().len());
        let mut refused = None;
        for item in list.into_items() {
            listed.insert(item.id);
            if self.session.item(item.id).is_none() {
                if let Err(error) = self.session.add_item(item) {
                    let (count, _) = refused.get_or_insert((0_usize, error));
                    *count += 1;
                }
            }
        }
        if let Some((count, error)) = refused {
            let text = format!("{count} items of the new list are left out: {error}");
            self.session.log_own(LogLevel::Warning, &text);
        }
        let mut items = known(self.session, wanted);
        items.retain(|item| listed.contains(item));
        Ok(items)
    }

    fn prepare(&mut self, items: &[ItemId]) -> Result<(), RunEnd> {
        let answer = self.call("prepare_for_sync", |handler| {
            handler.prepare_for_sync(items)
        });
        let started = answer.and_then(|answer| match answer {
            Ok(Prepared::Started) => Ok(()),
            Ok(Prepared::NeedsUser) => Err(RunEnd::by(
                "prepare_for_sync",
                HResult::S_FALSE,
                "it needs the user, who may not be bothered",
            )),
            Err(error) => self.only_s_ok(error),
        });
        if let Err(end) = started {
            return Err(self.complete(AwaitedCompletion::Prepare, end));
        }
        match self.wait(AwaitedCompletion::Prepare)? {
            (HResult::S_OK, _) => Ok(()),
            (result, _) => Err(RunEnd::by(
                AwaitedCompletion::Prepare.completion(),
                result,
                result,
            )),
        }
    }

    fn synchronize(&mut self) -> Result<HResult, RunEnd> {
        self.session.driver().begin_synchronize().map_err(refused)?;
        let answer = self.call("synchronize", |handler| handler.synchronize());
        let started = answer.and_then(|answer| match answer {
            Ok(()) => Ok(()),
            Err(error) => self.only_s_ok(error),
        });
        if let Err(end) = started {
            return Err(self.complete(AwaitedCompletion::Synchronize, end));
        }
        self.wait(AwaitedCompletion::Synchronize)
            .map(|(result, _)| result)
    }

    /// Goes on where the code is `S_OK`, and ends the run with any other; what it says is logged.
    fn only_s_ok(&self, error: RunEnd) -> Result<(), RunEnd> {
        if error.result == HResult::S_OK {
            return Ok(());
        }
        if let Some(text) = &error.error {
            log(Some(self.session), LogLevel::Error, text);
        }
        Err(error)
    }

    /// A call that did not answer `S_OK` is not completed by the handler, so the driver does it. A handler that did it
    /// all the same is at fault, and the answer of its call counts.
    fn complete(&mut self, step: AwaitedCompletion, end: RunEnd) -> RunEnd {
        let phase = self.session.phase();
        if step.window() == Some(phase) {
            // Refused only if the handler completes at this very moment; the report then says so.
            let _ = match step {
                AwaitedCompletion::Prepare => self.session.prepare_for_sync_completed(end.result),
                _ => self.session.synchronize_completed(end.result),
            };
        } else if phase != Phase::Released {
            self.out_of_place(step);
        }
        end
    }

    /// Shows the errors that the user wants to see; a retry that one of them asks for is begun, and answered by its
    /// items.
    fn show_errors(&mut self) -> Result<Option<Vec<ItemId>>, RunEnd> {
        let Some(wanted) = &self.options.show_error_if else {
            return Ok(None);
        };
        for entry in self.session.log_after(self.shown) {
            if self.session.is_cancelled() {
                break; // the user wants to see nothing more
            }
            self.shown = entry.sequence;
            let Some(error) = entry.error_id else {
                continue;
            };
            if !entry.can_be_shown()
                || !wanted(&entry)
                || !self.session.is_logged(entry.sequence, error)
            {
                continue;
            }
            self.discard_events();
            let answer = self.call("show_error", |handler| handler.show_error(error))?;
            if answer.is_err_and(|error| error.result.is_failure()) {
                continue;
            }
            let (result, items) = self.wait(AwaitedCompletion::ShowError)?;
            if result == HResult::S_SYNCMGR_RETRYSYNC {
                if let Some(items) = self.retry(items) {
                    return Ok(Some(items));
                }
            }
        }
        Ok(None)
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
        if let Some(delay) = &self.options.retry_delay {
            self.session.pause_unless_cancelled(delay(self.rounds));
        }
        // Skips from before belong to the round that is over.
        self.discard_events();
        self.skips.clear();
        match self.session.driver().begin_prepare(&items) {
            Ok(()) => Some(items),
            // Everything was cancelled meanwhile: nobody's fault.
            Err(CallbackError::WrongPhase | CallbackError::Released) => None,
            Err(error) => {
                self.faults.push(ProtocolViolation::BadRetry(error));
                None
            }
        }
    }

    /// Before a show-error and a retry, and in the end: a completion that is there already belongs to nothing.
    fn discard_events(&mut self) {
        while let Some(event) = self.session.driver().next_event(Duration::ZERO) {
            self.unexpected(&event);
        }
    }

    fn unexpected(&mut self, event: &HostEvent) {
        // The session lets a prepare or synchronize be completed only where that is awaited; a skip may come too late; and
        // the properties may be shown by whoever holds the handler beside this driver, which never does.
        if matches!(event, HostEvent::ShowErrorCompleted(..)) {
            self.out_of_place(AwaitedCompletion::ShowError);
        }
    }

    /// A completion that nothing waits for. The first of them are remembered.
    fn out_of_place(&mut self, step: AwaitedCompletion) {
        let is_one = |fault: &&ProtocolViolation| {
            matches!(fault, ProtocolViolation::UnexpectedCompletion { .. })
        };
        if self.faults.iter().filter(is_one).count() < UNEXPECTED_MOST {
            self.faults.push(ProtocolViolation::UnexpectedCompletion {
                call: step.completion(),
            });
        }
    }

    /// Waits for a completion, and tells the handler of skips meanwhile.
    fn wait(&mut self, step: AwaitedCompletion) -> Result<(HResult, Vec<ItemId>), RunEnd> {
        loop {
            self.tell_skips(step)?;
            match (step, self.next_event()) {
                (AwaitedCompletion::Prepare, Some(HostEvent::PrepareCompleted(result)))
                | (AwaitedCompletion::Synchronize, Some(HostEvent::SynchronizeCompleted(result))) =>
                {
                    return Ok((result, Vec::new()));
                }
                (
                    AwaitedCompletion::ShowError,
                    Some(HostEvent::ShowErrorCompleted(result, items)),
                ) => {
                    return Ok((result, items));
                }
                (
                    AwaitedCompletion::ShowProperties,
                    Some(HostEvent::ShowPropertiesCompleted(outcome)),
                ) => {
                    return Ok((outcome.into(), Vec::new()));
                }
                (_, Some(HostEvent::Skip(item))) => self.skips.push_back(item),
                (_, Some(event)) => self.unexpected(&event),
                (_, None) if self.session.phase() == Phase::Released => {
                    return Err(RunEnd {
                        result: HResult::E_ABORT,
                        error: Some("the session was released while the handler worked".into()),
                    });
                }
                (_, None) => {
                    let fault = ProtocolViolation::NotCompleted {
                        call: step.completion(),
                        after: self.options.deadline.unwrap_or(Duration::MAX),
                    };
                    let text = fault.to_string();
                    log(Some(self.session), LogLevel::Error, &text);
                    self.faults.push(fault);
                    return Err(RunEnd {
                        result: HResult::E_ABORT,
                        error: Some(text),
                    });
                }
            }
        }
    }

    /// Tells the handler of the items to skip, while a window is open (rule M04).
    fn tell_skips(&mut self, step: AwaitedCompletion) -> Result<(), RunEnd> {
        while step.window() == Some(self.session.phase()) {
            let Some(item) = self.skips.pop_front() else {
                break;
            };
            if !self.session.driver().is_skipped(item) {
                continue; // a retry took it back, or the item is not in the round
            }
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
            return self.session.driver().next_event(Duration::MAX);
        };
        // Looking eight times a deadline notices silence at most an eighth of it late.
        let slice = (deadline / 8).max(Duration::from_millis(1));
        let mut active = clock::now();
        loop {
            let left = deadline.saturating_sub(clock::elapsed(active));
            let event = self.session.driver().next_event(left.min(slice));
            if event.is_some() || self.session.phase() == Phase::Released {
                return event;
            }
            if self.session.driver().take_activity() {
                active = clock::now();
            } else if clock::elapsed(active) >= deadline {
                return None;
            }
        }
    }

    /// Lets the handler go, whatever has happened before.
    pub(crate) fn finish(
        &mut self,
        end: std::thread::Result<Result<HResult, RunEnd>>,
    ) -> RoundsEnd {
        let phase = self.session.phase();
        let open = if self.rounds > 0 {
            self.session.driver().unfinished_items()
        } else {
            Vec::new()
        };
        let release_parts = self.call("set_progress_callback", |handler| {
            handler.set_progress_callback(None)
        });
        self.session.driver().release();
        self.discard_events(); // after the release, when no more can come
        let refused = self.session.driver().refused_completions();
        self.faults.extend(
            refused
                .into_iter()
                .map(ProtocolViolation::RefusedCompletion),
        );
        let end = match end {
            Ok(Ok(result)) => match release_parts {
                Err(end) => end,
                Ok(_) => RunEnd::of(result),
            },
            Ok(Err(end)) => end,
            Err(panic) => resume_unwind(panic),
        };
        RoundsEnd { end, phase, open }
    }
}

/// The session refused a step that it cannot refuse unless somebody released it meanwhile.
fn refused(error: CallbackError) -> RunEnd {
    RunEnd {
        result: error.hresult(),
        error: Some(error.to_string()),
    }
}
