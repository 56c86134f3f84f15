//! The host's side of the contract: `ISyncMgrSynchronizeCallback`.

use std::task::Waker;

use crate::{
    CallbackError, Dialog, ErrorOutcome, HResult, ItemId, LogRecord, LogSelector, ProgressUpdate,
    PropertiesOutcome, SlotHandle, SyncItem, Verdict,
};

/// The host's side: what a handler calls to report and to ask.
pub trait SyncCallback: Send + Sync {
    /// Reports about an item, and answers whether to go on.
    fn progress(&self, item: ItemId, update: &ProgressUpdate<'_>)
    -> Result<Verdict, CallbackError>;
    /// Adds an entry to the log.
    fn log_error(&self, record: &LogRecord<'_>) -> Result<(), CallbackError>;
    /// Deletes entries of this handler from the log.
    fn delete_log_error(&self, which: LogSelector) -> Result<(), CallbackError>;
    /// Tells that the prepare has ended.
    fn prepare_for_sync_completed(&self, result: HResult) -> Result<(), CallbackError>;
    /// Tells that the synchronization has ended.
    fn synchronize_completed(&self, result: HResult) -> Result<(), CallbackError>;
    /// Tells that showing an error has ended.
    fn show_error_completed(&self, outcome: ErrorOutcome<'_>) -> Result<(), CallbackError>;
    /// Tells that showing properties has ended.
    fn show_properties_completed(&self, outcome: PropertiesOutcome) -> Result<(), CallbackError>;
    /// Asks for the turn to show a dialog, or gives it back.
    fn enable_modeless(&self, enable: bool) -> Result<Dialog, CallbackError>;
    /// Asks for a network connection.
    fn establish_connection(&self, connection: Option<&str>) -> Result<(), CallbackError>;

    /// Asks whether to go on, without a report.
    fn can_continue(&self, item: Option<ItemId>) -> Result<Verdict, CallbackError> {
        match item {
            Some(item) => self.progress(item, &ProgressUpdate::CHECK),
            None => Err(CallbackError::NotImplemented),
        }
    }

    /// Asks to be woken when the item, or the whole, is cancelled.
    fn wake_on_cancel(&self, item: Option<ItemId>, waker: &Waker) -> Result<(), CallbackError> {
        let _ = (item, waker);
        Err(CallbackError::NotImplemented)
    }

    /// Adds an item to the work in hand.
    fn add_item(&self, item: SyncItem) -> Result<(), CallbackError> {
        let _ = item;
        Err(CallbackError::NotImplemented)
    }

    /// Proposes an item.
    fn propose_item(&self, item: SyncItem) -> Result<(), CallbackError> {
        let _ = item;
        Err(CallbackError::NotImplemented)
    }

    /// Commits a proposed item.
    fn commit_item(&self, item: ItemId) -> Result<(), CallbackError> {
        let _ = item;
        Err(CallbackError::NotImplemented)
    }

    /// Returns the items asked for since the work began.
    fn additional_items(&self) -> Result<Vec<ItemId>, CallbackError> {
        Err(CallbackError::NotImplemented)
    }

    /// Sets a line of text for the handler as a whole, and answers whether to go on.
    fn handler_text(&self, text: &str) -> Result<Verdict, CallbackError> {
        let _ = text;
        Err(CallbackError::NotImplemented)
    }

    /// Returns the place where this callback keeps the item, for the crate's own reporter.
    #[doc(hidden)]
    fn slot(&self, item: ItemId) -> Option<SlotHandle> {
        let _ = item;
        None
    }
}
