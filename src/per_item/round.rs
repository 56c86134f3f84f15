//! One round: the items of one prepare, and the workers that do them.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use super::callback_lease::CallbackLease;
use super::context::ItemContext;
use super::error::Error;
use super::handler_state::HandlerState;
use super::queue::{Queue, QueuedItem};
use super::worker_group::start_threads;
use crate::util::panic::contained;
use crate::{
    CallbackError, HResult, ItemList, ItemReporter, ItemStatus, LogLevel, LogRecord,
    ProgressUpdate, SyncHandler, SyncItem,
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
    pub(super) lease: Arc<CallbackLease>,
    pub(super) queue: Arc<Queue>,
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
}
