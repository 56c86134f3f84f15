//! One round: the items of one prepare, what is asked and told about each of them, and its end.

use std::any::Any;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::Error;
use super::handler::Adapter;
use super::interrupted::Interrupted;
use super::queue::Queue;
use super::work::{Desk, Work};
use crate::manager::panic_text;
use crate::session::{discard, error_chain as chain};
use crate::{
    CallbackError, ErrorId, HResult, ItemId, ItemList, ItemReporter, ItemStatus, LogLevel,
    LogRecord, LogSelector, ProgressUpdate, SyncItem, Uuid, Verdict,
};

/// What there is to do, and who does it: threads or tasks.
pub(super) trait Source: Send + Sync {
    fn items(&self) -> Result<ItemList, Error>;

    /// Starts so many workers of the round. Where it answers an error, none of them was started; else each of them
    /// [leaves](Round::leave) the round in the end.
    fn start(self: Arc<Self>, round: &Arc<Round>, workers: usize) -> io::Result<()>;
}

pub(super) struct Round {
    adapter: Arc<Adapter>,
    desk: Arc<Desk>,
    queue: Arc<Queue>,
    /// How many workers have not ended, those included that are still to be started. `AcqRel`: the last one completes
    /// the round after all reports of the others.
    workers: AtomicUsize,
}

/// What became of the work of one item.
pub(super) type Done = Result<(), NotDone>;

/// Why the work of an item came to no good end.
pub(super) enum NotDone {
    /// It answered an error: the text of it and its sources, and whether there is a cancel in it.
    Error(String, Option<Interrupted>),
    Panicked(String),
    /// Its future was dropped.
    #[cfg(feature = "async")]
    Dropped,
}

impl NotDone {
    pub(super) fn error(error: &Error) -> Self {
        Self::Error(chain(&**error), Interrupted::find(&**error))
    }

    pub(super) fn panicked(payload: Box<dyn Any + Send>) -> Self {
        let text = panic_text(&*payload);
        discard(payload);
        Self::Panicked(text)
    }
}

impl Round {
    pub(super) fn new(
        adapter: Arc<Adapter>,
        desk: Arc<Desk>,
        queue: Queue,
        workers: usize,
    ) -> Arc<Self> {
        Arc::new(Self {
            adapter,
            desk,
            queue: Arc::new(queue),
            workers: AtomicUsize::new(workers),
        })
    }

    /// One more takes part, who [leaves](Self::leave) the round.
    #[cfg(feature = "async")]
    pub(super) fn join(&self) {
        self.workers.fetch_add(1, Ordering::AcqRel);
    }

    /// So many workers have ended. With the last one the round is over.
    pub(super) fn leave(&self, workers: usize) {
        if self.workers.fetch_sub(workers, Ordering::AcqRel) == workers && self.desk.is_open() {
            let result = self.give_up_the_rest();
            let _ = self.desk.callback.synchronize_completed(result);
        }
    }

    /// Where the workers were dropped, items are left that nobody will start.
    fn give_up_the_rest(&self) -> HResult {
        let left = self.queue.take();
        for item in &left {
            let Ok(reporter) = ItemReporter::new(&self.desk.callback, item.id) else {
                continue;
            };
            let text = "not started: the tasks that do the items were dropped";
            let record = LogRecord::new(LogLevel::Warning, text).item(item.id);
            let _ = self.desk.callback.log_error(&record);
            if reporter.check().is_ok() {
                let _ = reporter.skip();
            }
        }
        match left.is_empty() {
            true => HResult::S_OK,
            false => HResult::E_ABORT,
        }
    }

    /// A line about the round as a whole.
    #[cfg(feature = "async")]
    pub(super) fn log(&self, level: LogLevel, text: &str) {
        if let Ok(callback) = self.desk.callback() {
            let _ = callback.log_error(&LogRecord::new(level, text));
        }
    }

    /// The next item: one that waits, or one that the host asks for.
    fn next(&self) -> Option<SyncItem> {
        if !self.desk.is_open() {
            return None;
        }
        if let Some(item) = self.queue.pop() {
            return Some(item);
        }
        // A host may not offer it.
        let wanted = self.desk.callback().ok()?.additional_items().ok()?;
        for id in wanted {
            let Some(item) = self.adapter.listed(id) else {
                continue;
            };
            // Refused where it takes part already; then the host does it in another run. Of two workers one is refused.
            if self.desk.callback.add_item(item.clone()).is_ok() {
                self.queue.push(item);
            }
        }
        self.queue.pop()
    }

    /// Begins the next item that is to be worked on; those that are cancelled or skipped are ended on the way. None where
    /// there is nothing left for this worker.
    pub(super) fn begin(&self) -> Option<Work> {
        loop {
            let item = self.next()?;
            if let Some(reporter) = self.ask(item.id) {
                let (desk, queue) = (Arc::clone(&self.desk), Arc::clone(&self.queue));
                return Some(Work::new(item, reporter, desk, queue));
            }
        }
    }

    /// Asks whether an item is to be started; ends it where it is not.
    fn ask(&self, id: ItemId) -> Option<ItemReporter> {
        let reporter = ItemReporter::new(&self.desk.callback, id).ok()?;
        // Asked first, so that a skip that is told later concerns an item that has reported (rules H01, H14).
        let verdict = match self.adapter.is_skipped(id) {
            true => Ok(Verdict::CancelItem),
            false => reporter.check(),
        };
        match verdict {
            Ok(Verdict::Continue) if !self.adapter.is_skipped(id) => Some(reporter),
            Ok(_) => {
                let _ = reporter.skip();
                None
            }
            // The host has let go: there is nobody to tell.
            Err(_) => None,
        }
    }

    /// Ends an item as its work says.
    pub(super) fn end(&self, work: &Work, done: Done) {
        const NO_WAKE: Interrupted = Interrupted::Refused(CallbackError::NotImplemented);
        let end = match done {
            Ok(()) if work.was_told() => End::Status(ItemStatus::Stopped),
            Ok(()) => End::Status(work.end()),
            // A host that does not wake is no cancel.
            Err(NotDone::Error(text, Some(NO_WAKE))) if !work.was_told() => End::Failed(text),
            Err(NotDone::Error(_, Some(_))) => End::Status(ItemStatus::Stopped),
            Err(NotDone::Error(text, None)) if work.was_told() => {
                // Most likely what became of the cancel on its way; what else it may be is not to be lost.
                let _ = work.log(LogLevel::Information, &text);
                End::Status(ItemStatus::Stopped)
            }
            Err(NotDone::Error(text, None)) => End::Failed(text),
            Err(NotDone::Panicked(text)) => End::Failed(format!("panicked: {text}")),
            #[cfg(feature = "async")]
            Err(NotDone::Dropped) if work.was_told() => End::Status(ItemStatus::Stopped),
            #[cfg(feature = "async")]
            Err(NotDone::Dropped) => {
                End::Failed("the task that did the item was dropped before its end".to_owned())
            }
        };
        if !self.desk.is_open() {
            return;
        }
        let id = work.item().id;
        match end {
            End::Status(status) => {
                if status == ItemStatus::Succeeded {
                    self.delete_error(id);
                }
                work.finish(&ProgressUpdate::new().status(status));
            }
            End::Failed(text) => {
                self.log_error(id, &text);
                let failed = ProgressUpdate::new().status(ItemStatus::Failed);
                work.finish(&failed.text(&text));
            }
        }
    }

    /// Deletes the error that an item had in an earlier round.
    fn delete_error(&self, item: ItemId) {
        let error = error_of(item);
        if self.adapter.forget(error) {
            let _ = self.desk.callback.delete_log_error(LogSelector::One(error));
        }
    }

    /// Logs why an item failed, in place of an earlier reason.
    fn log_error(&self, item: ItemId, text: &str) {
        self.delete_error(item);
        let record = LogRecord::new(LogLevel::Error, text).item(item);
        let error = error_of(item);
        let logged = match self.adapter.retry {
            true => self.desk.callback.log_error(&record.jump_text(error)),
            false => self.desk.callback.log_error(&record.error_id(error)),
        };
        // A full log does not keep the item from failing.
        if logged.is_ok() {
            self.adapter.is_logged(error, item);
        }
    }
}

/// How an item ends.
enum End {
    Status(ItemStatus),
    Failed(String),
}

/// An item has one error at a time, which goes by the item's id.
fn error_of(item: ItemId) -> ErrorId {
    ErrorId::from(Uuid::from(item))
}
