//! One round: the items of one prepare, and the workers that do them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::{fmt, io};

use super::crew::Crew;
use super::handler::Adapter;
use super::interrupted::Interrupted;
use super::queue::{Queue, Waiting};
use super::work::{Desk, Work};
use super::{Error, PerItem};
use crate::manager::panic_text;
use crate::session::{discard, error_chain as chain};
use crate::{
    ErrorId, HResult, ItemId, ItemReporter, ItemStatus, LogLevel, LogRecord, LogSelector,
    ProgressUpdate, SyncItem, Uuid,
};

pub(super) struct Round<P> {
    adapter: Arc<Adapter<P>>,
    desk: Arc<Desk>,
    queue: Queue,
}

impl<P: PerItem> Round<P> {
    pub(super) fn new(
        adapter: Arc<Adapter<P>>,
        desk: Arc<Desk>,
        items: impl IntoIterator<Item = SyncItem>,
    ) -> Arc<Self> {
        Arc::new(Self {
            adapter,
            desk,
            queue: Queue::new(items),
        })
    }

    /// Starts the workers that measure the items, for the prepare.
    pub(super) fn measure(self: Arc<Self>, workers: usize) -> io::Result<()> {
        let (round, end) = (Arc::clone(&self), Arc::clone(&self));
        let work = move || {
            while let Some(waiting) = self.queue.pop() {
                if !self.desk.is_open() {
                    break;
                }
                if let Some((reporter, true)) = self.begin(waiting.item.id) {
                    let work = Work::new(waiting.item, reporter, &self.desk, None);
                    self.adapter.measure(&work);
                }
            }
        };
        Crew::start(&round.adapter.at_work, workers, work, move || {
            if end.desk.is_open() {
                // A cancel so far is no failure: each item gets its final status later.
                let _ = end.desk.callback.prepare_for_sync_completed(HResult::S_OK);
            }
        })
    }

    /// Starts the workers that do the items.
    pub(super) fn start(self: Arc<Self>, workers: usize) -> io::Result<()> {
        let (round, end) = (Arc::clone(&self), Arc::clone(&self));
        Crew::start(
            &round.adapter.at_work,
            workers,
            move || self.work(),
            move || end.complete(),
        )
    }

    /// All items have ended.
    fn complete(&self) {
        let result = match self.adapter.finish() {
            None | Some(Ok(())) => HResult::S_OK,
            Some(Err(broken)) => {
                let text = broken.to_string();
                if let Ok(callback) = self.desk.callback() {
                    let _ = callback.log_error(&LogRecord::new(LogLevel::Error, &text));
                }
                HResult::E_FAIL
            }
        };
        if self.desk.is_open() {
            let _ = self.desk.callback.synchronize_completed(result);
        }
    }

    fn work(&self) {
        while let Some(waiting) = self.next() {
            if !self.desk.is_open() {
                break;
            }
            self.one(waiting);
        }
    }

    /// The next item: one that waits, or one that the host asks for.
    fn next(&self) -> Option<Waiting> {
        if let Some(waiting) = self.queue.pop() {
            return Some(waiting);
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

    /// The reporter of an item, and whether the item may be begun. None where the host has let go: there is nobody to tell.
    fn begin(&self, id: ItemId) -> Option<(ItemReporter, bool)> {
        let reporter = ItemReporter::new(&self.desk.callback, id).ok()?;
        // Asked first, so that a skip that is told later concerns an item that has reported (rules H01, H14).
        let goes_on = !self.adapter.is_skipped(id) && reporter.check().ok()?.is_continue();
        let begins = goes_on && !self.adapter.is_skipped(id);
        Some((reporter, begins))
    }

    /// Does one item, from the first question to its final status.
    fn one(&self, waiting: Waiting) {
        let id = waiting.item.id;
        let reporter = match self.begin(id) {
            Some((reporter, true)) => reporter,
            Some((reporter, false)) => {
                let _ = reporter.skip();
                return;
            }
            None => return,
        };
        let work = Work::new(waiting.item, reporter, &self.desk, Some(&self.queue));
        if waiting.late {
            self.adapter.measure(&work);
        }
        let result = guarded(|| self.adapter.source.synchronize(&work));
        let end = match result {
            // What went wrong is not undone by a cancel.
            Ok(()) if work.end() == ItemStatus::Failed => End::Status(ItemStatus::Failed),
            Ok(()) if work.was_told() => End::Status(ItemStatus::Stopped),
            Ok(()) => End::Status(work.end()),
            Err(Broken::Interrupted) => End::Status(ItemStatus::Stopped),
            Err(Broken::Error(text)) if work.was_told() => {
                // Most likely what became of the cancel on its way; what else it may be is not to be lost.
                let _ = work.log(LogLevel::Information, &text);
                End::Status(ItemStatus::Stopped)
            }
            Err(broken) => End::Failed(broken.to_string()),
        };
        let (reporter, text) = work.into_end();
        if !self.desk.is_open() {
            return;
        }
        let (status, text) = match end {
            End::Status(status) => (status, text),
            End::Failed(error) => {
                self.log_error(id, &error);
                (ItemStatus::Failed, text.or(Some(error)))
            }
        };
        if status == ItemStatus::Succeeded {
            self.delete_error(id);
        }
        let mut update = ProgressUpdate::new().status(status);
        if let Some(text) = &text {
            update = update.text(text);
        }
        // Refused only where the host has let go meanwhile.
        let _ = reporter.report(&update);
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

/// Why a function of the work's own did not answer what was asked of it.
pub(super) enum Broken {
    /// It passes on that it is to end.
    Interrupted,
    Error(String),
    Panic(String),
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interrupted => f.write_str("interrupted"),
            Self::Error(text) => f.write_str(text),
            Self::Panic(text) => write!(f, "panicked: {text}"),
        }
    }
}

/// Calls a function of the work's own. Its error is its own code too: the text and the drop.
pub(super) fn guarded<T>(call: impl FnOnce() -> Result<T, Error>) -> Result<T, Broken> {
    let result = catch_unwind(AssertUnwindSafe(|| {
        call().map_err(|error| match Interrupted::find(&*error) {
            Some(_) => Broken::Interrupted,
            None => Broken::Error(chain(&*error)),
        })
    }));
    result.unwrap_or_else(|payload| {
        let text = panic_text(&*payload);
        discard(payload);
        Err(Broken::Panic(text))
    })
}

/// An item has one error at a time, which goes by the item's id.
fn error_of(item: ItemId) -> ErrorId {
    ErrorId::from(Uuid::from(item))
}
