//! The context of an item whose work is a task.

use std::fmt;
use std::sync::Arc;

use super::cancelled::Cancelled;
use super::error::Error;
use super::shared_context::SharedContext;
use crate::{
    CallbackError, ItemStatus, LogLevel, LogRecord, ProgressUpdate, SyncCallback, SyncFlags,
    SyncItem,
};

/// The context of one item whose work is a future (feature `async`).
///
/// It is to a task what [`ItemContext`](super::ItemContext) is to a thread. Its reports are `async`, as a host may let work wait in a
/// report. Clones report to the same item, and may be moved to tasks of your own; what these report after the work has returned
/// is refused.
///
/// # Examples
///
/// ```
/// use syncmgr::per_item::{Error, TaskContext};
///
/// # async fn receive() -> Result<Vec<u8>, Error> { Ok(Vec::new()) }
/// async fn fetch(item: TaskContext) -> Result<(), Error> {
///     let bytes = item.until_cancelled(receive()).await??; // the first `?` is the cancellation
///     item.advance(bytes.len() as u64).await?;
///     Ok(())
/// }
/// # let _ = fetch;
/// ```
#[derive(Clone)]
#[cfg_attr(docsrs, doc(cfg(feature = "async")))]
pub struct TaskContext {
    pub(super) shared: SharedContext,
}

impl TaskContext {
    pub(super) fn new(shared: SharedContext) -> Self {
        Self { shared }
    }

    /// Returns the item, as it was listed.
    #[must_use]
    pub fn item(&self) -> &SyncItem {
        self.shared.item()
    }

    /// Returns the item's name, as the user sees it: a long one was shortened.
    #[must_use]
    pub fn name(&self) -> &str {
        self.shared.name()
    }

    /// Returns why the handler was started, and whether it may bother the user.
    #[must_use]
    pub fn flags(&self) -> SyncFlags {
        self.shared.flags()
    }

    /// Returns a context whose reports are not `async`, for threads and blocking code.
    #[must_use]
    pub fn share(&self) -> SharedContext {
        self.shared.clone()
    }

    /// Reports how much of the item is done: see [`ItemContext::set`](super::ItemContext::set).
    ///
    /// # Errors
    ///
    /// Returns [`Cancelled`] if the work is to end: pass it on.
    pub async fn set(&self, value: u64) -> Result<(), Cancelled> {
        self.shared.set(value)
    }

    /// Adds to what is done. No step of any task is lost. A total above the maximum raises it.
    ///
    /// # Errors
    ///
    /// Returns [`Cancelled`] if the work is to end: pass it on.
    pub async fn advance(&self, amount: u64) -> Result<(), Cancelled> {
        self.shared.advance(amount)
    }

    /// Asks whether to go on, if there is nothing to report.
    ///
    /// # Errors
    ///
    /// Returns [`Cancelled`] if the work is to end: pass it on.
    pub async fn check(&self) -> Result<(), Cancelled> {
        self.shared.check()
    }

    /// Reports how much there is to do: see [`ItemContext::max`](super::ItemContext::max).
    ///
    /// # Errors
    ///
    /// Returns [`Cancelled`] if the work is to end: pass it on.
    pub async fn max(&self, max: u64) -> Result<(), Cancelled> {
        self.shared.max(max)
    }

    /// Reports a line of text about what is being done.
    ///
    /// # Errors
    ///
    /// Returns [`Cancelled`] if the work is to end: pass it on.
    pub async fn text(&self, text: &str) -> Result<(), Cancelled> {
        self.shared.text(text)
    }

    /// Makes any report except a final status: see [`ItemContext::report`](super::ItemContext::report).
    ///
    /// # Errors
    ///
    /// Returns [`Cancelled`] if the work is to end: pass it on.
    pub async fn report(&self, update: &ProgressUpdate<'_>) -> Result<(), Cancelled> {
        self.shared.report(update)
    }

    /// Records the result of one part of the item: see [`ItemContext::record_part`](super::ItemContext::record_part).
    ///
    /// # Errors
    ///
    /// Returns [`Cancelled`] if the work is to end: pass it on.
    pub async fn record_part<T>(
        &self,
        what: impl fmt::Display,
        result: Result<T, impl Into<Error>>,
    ) -> Result<Option<T>, Cancelled> {
        self.shared.record_part(what, result)
    }

    /// Sets what the item ends as if the work returns `Ok`: see [`ItemContext::set_outcome`](super::ItemContext::set_outcome).
    pub fn set_outcome(&self, status: ItemStatus) {
        self.shared.set_outcome(status);
    }

    /// Sets the text that goes with the final status, whatever that is.
    pub fn set_final_text(&self, text: impl Into<String>) {
        self.shared.set_final_text(text);
    }

    /// Logs something about the item. This is also allowed after a cancellation.
    ///
    /// # Errors
    ///
    /// As for [`log_error`](SyncCallback::log_error).
    pub fn log(&self, level: LogLevel, text: &str) -> Result<(), CallbackError> {
        self.shared.log(level, text)
    }

    /// Logs a record as [`log`](Self::log) does. Its item is set to this one.
    ///
    /// # Errors
    ///
    /// As for [`log_error`](SyncCallback::log_error).
    pub fn log_record(&self, record: &LogRecord<'_>) -> Result<(), CallbackError> {
        self.shared.log_record(record)
    }

    /// Adds an item that the work has found: see [`ItemContext::add_item`](super::ItemContext::add_item).
    ///
    /// # Errors
    ///
    /// As for [`ItemContext::add_item`](super::ItemContext::add_item).
    pub fn add_item(&self, item: SyncItem) -> Result<(), CallbackError> {
        self.shared.add_item(item)
    }

    /// Returns the host's callback, for what is not offered here: connections and dialogs.
    ///
    /// # Errors
    ///
    /// Returns [`Released`](CallbackError::Released) if the host has taken it away.
    pub fn callback(&self) -> Result<&Arc<dyn SyncCallback>, CallbackError> {
        self.shared.callback()
    }
}

impl fmt::Debug for TaskContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskContext")
            .field("item", self.item())
            .finish_non_exhaustive()
    }
}
