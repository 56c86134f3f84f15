//! One round: the items of one prepare, and the workers that do them.

use std::io;
use std::sync::Arc;

use super::callback_lease::CallbackLease;
use super::error::Error;
use super::handler_state::HandlerState;
use super::prepared_items::PreparedItems;
use super::queue::{Queue, UnstartedItems};
use crate::util::panic::contained;
use crate::{
    CallbackError, HResult, ItemId, ItemList, ItemName, ItemReporter, ItemStatus, LogLevel,
    LogRecord, ProgressUpdate, SyncHandler, SyncItem,
};

/// What there is to do, and who does it: threads or tasks.
pub(super) trait WorkSource: Send + Sync {
    /// The items that can be done. An error if they cannot be told apart (rule H21).
    fn items(&self) -> Result<ItemList, Error>;

    /// An item that was listed, most likely at this place of the list.
    fn find(&self, id: ItemId, place: usize) -> Option<SyncItem>;

    /// Starts so many workers that measure the items of a round, the last of which [completes the prepare](Round::measured).
    ///
    /// # Errors
    ///
    /// None of them was started.
    fn measure(self: Arc<Self>, round: &Arc<Round>, workers: usize) -> io::Result<()>;

    /// Starts so many workers that do the items of a round, the last of which [completes](Round::complete) it.
    ///
    /// # Errors
    ///
    /// None of them was started.
    fn start(self: Arc<Self>, round: &Arc<Round>, workers: usize) -> io::Result<()>;
}

pub(super) struct Round {
    pub(super) handler: Arc<HandlerState>,
    pub(super) source: Arc<dyn WorkSource>,
    /// Keeps the handler alive while its workers run.
    _owner: Arc<dyn SyncHandler>,
    pub(super) lease: Arc<CallbackLease>,
    pub(super) queue: Arc<Queue>,
    pub(super) items: PreparedItems,
    /// How many items the prepare has named.
    #[cfg(feature = "async")]
    pub(super) size: usize,
}

impl Round {
    pub(super) fn new(
        handler: Arc<HandlerState>,
        source: Arc<dyn WorkSource>,
        owner: Arc<dyn SyncHandler>,
        lease: Arc<CallbackLease>,
        items: PreparedItems,
    ) -> Arc<Self> {
        Arc::new(Self {
            handler,
            source,
            _owner: owner,
            lease,
            #[cfg(feature = "async")]
            size: items.ids.len(),
            queue: Arc::new(Queue::new(Arc::clone(&items.ids))),
            items,
        })
    }

    /// The item at this place of the prepare.
    pub(super) fn find(&self, id: ItemId, place: usize) -> SyncItem {
        let unknown = || SyncItem::new(id, ItemName::truncate_start(&id.to_string()));
        // A host may know it from an earlier list.
        self.source.find(id, place).unwrap_or_else(unknown)
    }

    /// Completes the prepare after all items have been measured.
    pub(super) fn measured(&self) {
        if self.lease.is_open() {
            // A cancel so far is no failure: each item gets its final status later.
            let _ = self
                .lease
                .callback
                .prepare_for_sync_completed(HResult::S_OK);
        }
    }

    /// Completes the round after all workers have ended. Must be called once. `tell` reports the result
    /// to the host, as [`completed`](Self::completed) does, and drops the queue, whose buffer has room for
    /// all items of the round.
    pub(super) fn complete(
        self: &Arc<Self>,
        tell: impl FnOnce(&Arc<Self>, HResult, UnstartedItems) + Send + 'static,
    ) {
        if self.lease.is_open() {
            let round = Arc::clone(self);
            self.queue.close(move |left| {
                let result = round.result(&left);
                tell(&round, result, left);
            });
        }
    }

    /// What the round comes to; items are left that nobody will start if the workers were dropped.
    fn result(&self, left: &UnstartedItems) -> HResult {
        let not_started = self.give_up(left);
        match self.handler.finish() {
            Some(Err(broken)) => {
                self.log(LogLevel::Error, &broken.to_string());
                HResult::E_FAIL
            }
            _ if not_started > 0 => HResult::E_ABORT,
            _ => HResult::S_OK,
        }
    }

    /// Tells the host, which has to look at each item of the round.
    pub(super) fn completed(&self, result: HResult) {
        if self.lease.is_open() {
            let _ = self.lease.callback.synchronize_completed(result);
        }
    }

    /// Ends the items that nobody will start, and returns how many they are.
    fn give_up(&self, left: &UnstartedItems) -> usize {
        let mut count = 0;
        for id in left.ids() {
            count += 1;
            // A host that panics here gets the completion all the same.
            contained(|| {
                let reporter = ItemReporter::new(&self.lease.callback, id);
                if reporter.check().is_ok() {
                    let skipped = ProgressUpdate::new().status(ItemStatus::Skipped);
                    let _ = reporter.report(&skipped.text("not started"))?;
                }
                Ok::<(), CallbackError>(())
            });
        }
        if count > 0 {
            let text = format!("the tasks that do the items were dropped; not started: {count}");
            self.log(LogLevel::Error, &text);
        }
        count
    }

    /// A line about the round as a whole.
    pub(super) fn log(&self, level: LogLevel, text: &str) {
        if let Ok(callback) = self.lease.callback() {
            contained(|| callback.log_error(&LogRecord::new(level, text)));
        }
    }
}
