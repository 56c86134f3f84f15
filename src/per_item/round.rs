//! One round: the items of one prepare, and the workers that do them.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::PerItem;
use super::handler::Adapter;
use super::interrupted::Interrupted;
use super::queue::Queue;
use super::work::{Desk, Work};
use crate::manager::panic_text;
use crate::session::{discard, error_chain as chain};
use crate::{
    ErrorId, HResult, ItemId, ItemReporter, ItemStatus, LogLevel, LogRecord, LogSelector,
    ProgressUpdate, SyncItem, Uuid, Verdict,
};

pub(super) struct Round<P> {
    adapter: Arc<Adapter<P>>,
    desk: Arc<Desk>,
    queue: Queue,
    /// How many workers have not ended, those included that are still to be started. `AcqRel`: the last one completes
    /// the round after all reports of the others.
    workers: AtomicUsize,
}

impl<P: PerItem> Round<P> {
    pub(super) fn new(
        adapter: Arc<Adapter<P>>,
        desk: Arc<Desk>,
        queue: Queue,
        workers: usize,
    ) -> Arc<Self> {
        Arc::new(Self {
            adapter,
            desk,
            queue,
            workers: AtomicUsize::new(workers),
        })
    }

    /// Starts the workers. Where there is a thread for one of them at least, the round goes on.
    pub(super) fn start(self: &Arc<Self>, workers: usize) -> io::Result<()> {
        for number in 0..workers {
            let round = Arc::clone(self);
            let name = "syncmgr item".to_owned();
            let started = thread::Builder::new().name(name).spawn(move || {
                let worker = Worker(round);
                worker.0.work();
            });
            match started {
                Ok(_) => {}
                // Nothing has begun, so nothing is to be completed (rule H08).
                Err(error) if number == 0 => return Err(error),
                Err(_) => {
                    self.leave(workers - number);
                    break;
                }
            }
        }
        Ok(())
    }

    /// So many workers have ended. With the last one the round is over.
    fn leave(&self, workers: usize) {
        if self.workers.fetch_sub(workers, Ordering::AcqRel) == workers && self.desk.is_open() {
            let _ = self.desk.callback.synchronize_completed(HResult::S_OK);
        }
    }

    fn work(&self) {
        while let Some(item) = self.next() {
            if !self.desk.is_open() {
                break;
            }
            self.one(item);
        }
    }

    /// The next item: one that waits, or one that the host asks for.
    fn next(&self) -> Option<SyncItem> {
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

    /// Does one item, from the first question to its final status.
    fn one(&self, item: SyncItem) {
        let id = item.id;
        let Ok(reporter) = ItemReporter::new(&self.desk.callback, id) else {
            return;
        };
        // Asked first, so that a skip that is told later concerns an item that has reported (rules H01, H14).
        let verdict = match self.adapter.is_skipped(id) {
            true => Ok(Verdict::CancelItem),
            false => reporter.check(),
        };
        match verdict {
            Ok(Verdict::Continue) if !self.adapter.is_skipped(id) => {}
            Ok(_) => {
                let _ = reporter.skip();
                return;
            }
            // The host has let go: there is nobody to tell.
            Err(_) => return,
        }

        let work = Work::new(item, reporter, &self.desk, &self.queue);
        // The error is the work's own code too, its text and its drop.
        let result = catch_unwind(AssertUnwindSafe(|| {
            let done = self.adapter.source.synchronize(&work);
            done.map_err(|error| (Interrupted::find(&*error), chain(&*error)))
        }));
        let end = match result {
            Ok(Ok(())) if work.was_told() => End::Status(ItemStatus::Stopped),
            Ok(Ok(())) => End::Status(work.end()),
            Ok(Err((Some(_), _))) => End::Status(ItemStatus::Stopped),
            Ok(Err((None, text))) if work.was_told() => {
                // Most likely what became of the cancel on its way; what else it may be is not to be lost.
                let _ = work.log(LogLevel::Information, &text);
                End::Status(ItemStatus::Stopped)
            }
            Ok(Err((None, text))) => End::Failed(text),
            Err(payload) => {
                let text = format!("panicked: {}", panic_text(&*payload));
                discard(payload);
                End::Failed(text)
            }
        };
        let reporter = work.into_reporter();
        if !self.desk.is_open() {
            return;
        }
        // Refused only where the host has let go meanwhile.
        let _ = match end {
            End::Status(status) => {
                if status == ItemStatus::Succeeded {
                    self.delete_error(id);
                }
                reporter.report(&ProgressUpdate::new().status(status))
            }
            End::Failed(text) => {
                self.log_error(id, &text);
                let failed = ProgressUpdate::new().status(ItemStatus::Failed);
                reporter.report(&failed.text(&text))
            }
        };
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

/// A worker that leaves the round when it ends, however it does.
struct Worker<P: PerItem>(Arc<Round<P>>);

impl<P: PerItem> Drop for Worker<P> {
    fn drop(&mut self) {
        self.0.leave(1);
    }
}
