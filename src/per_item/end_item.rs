//! How an item ends, as its work says.

use super::cancelled::Cancelled;
use super::round::Round;
use super::shared_context::SharedContext;
use super::work_failure::WorkFailure;
use crate::util::panic::contained;
use crate::{CallbackError, ErrorId, ItemId, ItemStatus, LogLevel, LogRecord, LogSelector};

impl Round {
    /// Ends an item as its work says.
    pub(super) fn end(&self, work: &SharedContext, done: Result<(), WorkFailure>) {
        if contained(|| self.set_outcome(work, done)).is_none() {
            self.end_by_host(work);
        }
    }

    fn set_outcome(&self, work: &SharedContext, done: Result<(), WorkFailure>) {
        const NO_WAKE: Cancelled = Cancelled::Refused(CallbackError::NotImplemented);
        let outcome = work.outcome();
        let end = match done {
            // What went wrong is not undone by a cancel.
            Ok(()) if outcome == ItemStatus::Failed => ItemEnd::Status(ItemStatus::Failed),
            Ok(()) if work.stop_requested() => ItemEnd::Status(ItemStatus::Stopped),
            Ok(()) => ItemEnd::Status(outcome),
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
            self.handler.set_logged(error, item);
        }
    }
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
