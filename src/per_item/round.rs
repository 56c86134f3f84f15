//! One round: the items of one prepare, and the workers that do them.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use super::callback_lease::CallbackLease;
use super::cancelled::Cancelled;
use super::context::ItemContext;
use super::error::Error;
use super::handler_state::HandlerState;
use super::queue::{Queue, QueuedItem};
use super::work_failure::WorkFailure;
use super::worker_group::start_threads;
use crate::util::panic::contained;
use crate::{
    CallbackError, ErrorId, HResult, ItemId, ItemList, ItemReporter, ItemStatus, LogLevel,
    LogRecord, LogSelector, ProgressUpdate, SyncHandler, SyncItem,
};

/// What there is to do, and who does it: threads or tasks.
pub(super) trait WorkSource: Send + Sync {
    fn items(&self) -> Result<ItemList, Error>;

    /// Starts so many workers, the last of which [completes](Round::complete) the round. Where it answers an error, none of them
    /// was started.
    fn start(self: Arc<Self>, round: &Arc<Round>, workers: usize) -> io::Result<()>;
}

pub(super) struct Round {
    pub(super) handler: Arc<HandlerState>,
    /// Keeps the handler alive while its workers run.
    _owner: Arc<dyn SyncHandler>,
    lease: Arc<CallbackLease>,
    queue: Arc<Queue>,
    /// How many items the prepare has named.
    #[cfg(feature = "async")]
    pub(super) size: usize,
}

impl Round {
    pub(super) fn new(
        handler: Arc<HandlerState>,
        owner: Arc<dyn SyncHandler>,
        lease: Arc<CallbackLease>,
        items: Vec<SyncItem>,
    ) -> Arc<Self> {
        Arc::new(Self {
            handler,
            _owner: owner,
            lease,
            #[cfg(feature = "async")]
            size: items.len(),
            queue: Arc::new(Queue::new(items)),
        })
    }

    /// Starts the workers that measure the items, for the prepare.
    pub(super) fn measure(self: Arc<Self>, workers: usize) -> io::Result<()> {
        let (round, end) = (Arc::clone(&self), Arc::clone(&self));
        let work = move || {
            while let Some(waiting) = self.queue.pop() {
                if !self.lease.is_open() {
                    break;
                }
                // Where the host panics, the item has no maximum.
                contained(|| {
                    if let Some((reporter, true)) = self.ask(waiting.item.id) {
                        let lease = Arc::clone(&self.lease);
                        let work = ItemContext::new(waiting.item, reporter, lease, None, 0);
                        self.handler.measure(&work);
                    }
                });
            }
        };
        start_threads(&round.handler.active, workers, work, move || {
            if end.lease.is_open() {
                // A cancel so far is no failure: each item gets its final status later.
                let _ = end.lease.callback.prepare_for_sync_completed(HResult::S_OK);
            }
        })
    }

    /// Completes the round after all workers have ended. Must be called once. `tell` reports the result
    /// to the host, as [`completed`](Self::completed) does, and drops the queue, whose buffer has room for
    /// all items of the round.
    pub(super) fn complete(
        self: &Arc<Self>,
        tell: impl FnOnce(&Arc<Self>, HResult, VecDeque<QueuedItem>) + Send + 'static,
    ) {
        if self.lease.is_open() {
            let round = Arc::clone(self);
            self.queue.close(move |left| {
                let result = round.result(&left);
                tell(&round, result, left);
            });
        }
    }

    /// What the round comes to; items are left that nobody will start where the workers were dropped.
    fn result(&self, left: &VecDeque<QueuedItem>) -> HResult {
        if !left.is_empty() {
            self.give_up(left);
        }
        match self.handler.finish() {
            Some(Err(broken)) => {
                self.log(LogLevel::Error, &broken.to_string());
                HResult::E_FAIL
            }
            _ if !left.is_empty() => HResult::E_ABORT,
            _ => HResult::S_OK,
        }
    }

    /// Tells the host, which has to look at each item of the round.
    pub(super) fn completed(&self, result: HResult) {
        if self.lease.is_open() {
            let _ = self.lease.callback.synchronize_completed(result);
        }
    }

    fn give_up(&self, left: &VecDeque<QueuedItem>) {
        for QueuedItem { item, .. } in left {
            // A host that panics here gets the completion all the same.
            contained(|| {
                let reporter = ItemReporter::new(&self.lease.callback, item.id);
                if reporter.check().is_ok() {
                    let skipped = ProgressUpdate::new().status(ItemStatus::Skipped);
                    let _ = reporter.report(&skipped.text("not started"))?;
                }
                Ok::<(), CallbackError>(())
            });
        }
        let count = left.len();
        let text = format!("the tasks that do the items were dropped; not started: {count}");
        self.log(LogLevel::Error, &text);
    }

    /// A line about the round as a whole.
    pub(super) fn log(&self, level: LogLevel, text: &str) {
        if let Ok(callback) = self.lease.callback() {
            contained(|| callback.log_error(&LogRecord::new(level, text)));
        }
    }

    /// The next item: one that waits, or one that the host asks for.
    fn next(&self) -> Option<QueuedItem> {
        if !self.lease.is_open() {
            return None;
        }
        if let Some(waiting) = self.queue.pop() {
            return Some(waiting);
        }
        contained(|| self.take_requests());
        self.queue.pop()
    }

    /// Adds the items that the host asks for.
    fn take_requests(&self) -> Result<(), CallbackError> {
        // A host may not offer it.
        for id in self.lease.callback()?.additional_items()? {
            let Some(item) = self.handler.listed(id) else {
                continue;
            };
            // Refused where it takes part already; then the host does it in another run. Of two workers one is refused.
            let add = |item| self.lease.callback.add_item(item);
            let _ = self.queue.add(item, add);
        }
        Ok(())
    }

    /// The reporter of an item, and whether the item may be begun. None where the host has let go: there is nobody to tell.
    fn ask(&self, id: ItemId) -> Option<(ItemReporter, bool)> {
        let reporter = ItemReporter::new(&self.lease.callback, id);
        // Asked first, so that a skip that is told later concerns an item that has reported (rules H01, H14).
        let goes_on = !self.handler.is_skipped(id) && reporter.check().ok()?.is_continue();
        let begins = goes_on && !self.handler.is_skipped(id);
        Some((reporter, begins))
    }

    /// Begins the next item that is to be worked on; those that are cancelled or skipped are ended on the way. None where
    /// there is nothing left for this worker.
    pub(super) fn begin(&self) -> Option<ItemContext> {
        loop {
            match self.step() {
                NextItem::Begun(work) => return Some(work),
                NextItem::Passed => {}
                NextItem::Over => return None,
            }
        }
    }

    /// Begins the next item, or ends it if it is cancelled or skipped: one item a call, so that a task can yield between two.
    pub(super) fn step(&self) -> NextItem {
        let Some(waiting) = self.next() else {
            return NextItem::Over;
        };
        let id = waiting.item.id;
        match contained(|| self.begin_one(waiting)) {
            Some(Some(work)) => return NextItem::Begun(work),
            Some(None) => {}
            None => self.fail_by_host(id),
        }
        NextItem::Passed
    }

    fn begin_one(&self, QueuedItem { item, late }: QueuedItem) -> Option<ItemContext> {
        // So that it is seen before it has a value.
        const IN_WORK: ProgressUpdate<'_> = ProgressUpdate::new().status(ItemStatus::Updating);
        let (reporter, begins) = self.ask(item.id)?;
        if !begins || !reporter.report(&IN_WORK).ok()?.is_continue() {
            let _ = reporter.skip();
            return None;
        }
        let (lease, queue) = (Arc::clone(&self.lease), Arc::clone(&self.queue));
        let max = self.handler.measured(item.id);
        let work = ItemContext::new(item, reporter, lease, Some(queue), max);
        if late {
            self.handler.measure(&work);
        }
        Some(work)
    }

    /// The host panicked in a call about an item: the item has failed, unless the host says that it has ended.
    fn fail_by_host(&self, id: ItemId) {
        contained(|| {
            let reporter = ItemReporter::new(self.lease.callback()?, id);
            if reporter.check() != Err(CallbackError::ItemFinished) {
                let failed = ProgressUpdate::new().status(ItemStatus::Failed);
                let _ = reporter.report(&failed.text("the host panicked"))?;
            }
            Ok::<(), CallbackError>(())
        });
    }

    /// Ends an item as its work says.
    pub(super) fn end(&self, work: &ItemContext, done: Result<(), WorkFailure>) {
        if contained(|| self.set_outcome(work, done)).is_none() {
            work.close();
            self.fail_by_host(work.item().id);
        }
    }

    fn set_outcome(&self, work: &ItemContext, done: Result<(), WorkFailure>) {
        const NO_WAKE: Cancelled = Cancelled::Refused(CallbackError::NotImplemented);
        let end = match done {
            // What went wrong is not undone by a cancel.
            Ok(()) if work.end() == ItemStatus::Failed => ItemEnd::Status(ItemStatus::Failed),
            Ok(()) if work.stop_requested() => ItemEnd::Status(ItemStatus::Stopped),
            Ok(()) => ItemEnd::Status(work.end()),
            // A host that does not wake is no cancel.
            Err(WorkFailure::Cancelled(NO_WAKE, text)) if !work.stop_requested() => {
                ItemEnd::Failed(text)
            }
            Err(WorkFailure::Cancelled(..)) => ItemEnd::Status(ItemStatus::Stopped),
            Err(WorkFailure::Error(text)) if work.stop_requested() => {
                // Most likely what became of the cancel on its way; what else it may be is not to be lost.
                let _ = work.log(LogLevel::Information, &text);
                ItemEnd::Status(ItemStatus::Stopped)
            }
            #[cfg(feature = "async")]
            Err(WorkFailure::Dropped) if work.stop_requested() => {
                ItemEnd::Status(ItemStatus::Stopped)
            }
            Err(broken) => ItemEnd::Failed(broken.to_string()),
        };
        if !self.lease.is_open() {
            return;
        }
        let id = work.item().id;
        match end {
            ItemEnd::Status(status) => {
                if status == ItemStatus::Succeeded {
                    self.delete_error(id);
                }
                work.finish(status, None);
            }
            ItemEnd::Failed(text) => {
                self.log_error(id, &text);
                work.finish(ItemStatus::Failed, Some(text));
            }
        }
    }

    /// Deletes the error that an item had in an earlier round.
    fn delete_error(&self, item: ItemId) {
        let error = error_of(item);
        if self.handler.forget(error) {
            let _ = self
                .lease
                .callback
                .delete_log_error(LogSelector::ById(error));
        }
    }

    /// Logs why an item failed, in place of an earlier reason.
    fn log_error(&self, item: ItemId, text: &str) {
        self.delete_error(item);
        let record = LogRecord::new(LogLevel::Error, text).item(item);
        let error = error_of(item);
        let logged = match self.handler.retry {
            true => self.lease.callback.log_error(&record.jump_text(error)),
            false => self.lease.callback.log_error(&record.error_id(error)),
        };
        // A full log does not keep the item from failing.
        if logged.is_ok() {
            self.handler.is_logged(error, item);
        }
    }
}

/// What became of the next item.
#[expect(
    clippy::large_enum_variant,
    reason = "it is taken apart where it is made"
)]
pub(super) enum NextItem {
    /// It is to be worked on.
    Begun(ItemContext),
    /// It was ended without work, or takes no reports.
    Passed,
    /// There is none for this worker.
    Over,
}

/// How an item ends.
enum ItemEnd {
    Status(ItemStatus),
    Failed(String),
}

/// An item has one error at a time, which goes by the item's id.
fn error_of(item: ItemId) -> ErrorId {
    ErrorId::from(item.as_uuid())
}
