//! A callback that forwards each call to another callback.

use std::task::Waker;

use crate::{
    CallbackError, Dialog, ErrorOutcome, HResult, ItemId, LogRecord, LogSelector, ProgressUpdate,
    PropertiesOutcome, SyncCallback, SyncItem, Verdict,
};

/// A wrapper around a callback that forwards every method that it does not override.
///
/// A type that implements this trait is a [`SyncCallback`]. Use it for hosts of tests that change or
/// count one call, so that the other methods need not be written by hand. Reports through an
/// [`ItemReporter`](crate::ItemReporter) pass through the wrapper too.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use syncmgr::testing::mock::ForwardingCallback;
/// use syncmgr::{CallbackError, ItemId, LogRecord, Session, SyncCallback, SyncItem};
///
/// /// A host whose log is full.
/// struct FullLog(Arc<dyn SyncCallback>);
///
/// impl ForwardingCallback for FullLog {
///     fn inner(&self) -> &dyn SyncCallback {
///         &*self.0
///     }
///
///     fn log_error(&self, _: &LogRecord<'_>) -> Result<(), CallbackError> {
///         Err(CallbackError::LogFull)
///     }
/// }
///
/// let id = ItemId::from_u128(1);
/// let session = Session::builder().item(SyncItem::new(id, "a".parse()?)).build()?;
/// let host: Arc<dyn SyncCallback> = Arc::new(FullLog(session.clone()));
/// syncmgr::ItemReporter::new(&host, id).fail(&std::fmt::Error)?; // the item fails without an entry
/// assert!(session.log().is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[expect(
    missing_docs,
    reason = "each method is that of SyncCallback with the same name"
)]
pub trait ForwardingCallback: Send + Sync {
    /// Returns the wrapped callback.
    fn inner(&self) -> &dyn SyncCallback;

    fn progress(
        &self,
        item: ItemId,
        update: &ProgressUpdate<'_>,
    ) -> Result<Verdict, CallbackError> {
        self.inner().progress(item, update)
    }

    fn log_error(&self, record: &LogRecord<'_>) -> Result<(), CallbackError> {
        self.inner().log_error(record)
    }

    fn delete_log_error(&self, which: LogSelector) -> Result<(), CallbackError> {
        self.inner().delete_log_error(which)
    }

    fn prepare_for_sync_completed(&self, result: HResult) -> Result<(), CallbackError> {
        self.inner().prepare_for_sync_completed(result)
    }

    fn synchronize_completed(&self, result: HResult) -> Result<(), CallbackError> {
        self.inner().synchronize_completed(result)
    }

    fn show_error_completed(&self, outcome: ErrorOutcome<'_>) -> Result<(), CallbackError> {
        self.inner().show_error_completed(outcome)
    }

    fn show_properties_completed(&self, outcome: PropertiesOutcome) -> Result<(), CallbackError> {
        self.inner().show_properties_completed(outcome)
    }

    fn enable_modeless(&self, enable: bool) -> Result<Dialog, CallbackError> {
        self.inner().enable_modeless(enable)
    }

    fn establish_connection(&self, connection: Option<&str>) -> Result<(), CallbackError> {
        self.inner().establish_connection(connection)
    }

    fn can_continue(&self, item: Option<ItemId>) -> Result<Verdict, CallbackError> {
        self.inner().can_continue(item)
    }

    fn wake_on_cancel(&self, item: Option<ItemId>, waker: &Waker) -> Result<(), CallbackError> {
        self.inner().wake_on_cancel(item, waker)
    }

    fn add_item(&self, item: SyncItem) -> Result<(), CallbackError> {
        self.inner().add_item(item)
    }

    fn propose_item(&self, item: SyncItem) -> Result<(), CallbackError> {
        self.inner().propose_item(item)
    }

    fn commit_item(&self, item: ItemId) -> Result<(), CallbackError> {
        self.inner().commit_item(item)
    }

    fn additional_items(&self) -> Result<Vec<ItemId>, CallbackError> {
        self.inner().additional_items()
    }

    fn set_handler_text(&self, text: &str) -> Result<Verdict, CallbackError> {
        self.inner().set_handler_text(text)
    }
}

/// Forwards to the method with the same name.
impl<T: ForwardingCallback> SyncCallback for T {
    fn progress(
        &self,
        item: ItemId,
        update: &ProgressUpdate<'_>,
    ) -> Result<Verdict, CallbackError> {
        ForwardingCallback::progress(self, item, update)
    }

    fn log_error(&self, record: &LogRecord<'_>) -> Result<(), CallbackError> {
        ForwardingCallback::log_error(self, record)
    }

    fn delete_log_error(&self, which: LogSelector) -> Result<(), CallbackError> {
        ForwardingCallback::delete_log_error(self, which)
    }

    fn prepare_for_sync_completed(&self, result: HResult) -> Result<(), CallbackError> {
        ForwardingCallback::prepare_for_sync_completed(self, result)
    }

    fn synchronize_completed(&self, result: HResult) -> Result<(), CallbackError> {
        ForwardingCallback::synchronize_completed(self, result)
    }

    fn show_error_completed(&self, outcome: ErrorOutcome<'_>) -> Result<(), CallbackError> {
        ForwardingCallback::show_error_completed(self, outcome)
    }

    fn show_properties_completed(&self, outcome: PropertiesOutcome) -> Result<(), CallbackError> {
        ForwardingCallback::show_properties_completed(self, outcome)
    }

    fn enable_modeless(&self, enable: bool) -> Result<Dialog, CallbackError> {
        ForwardingCallback::enable_modeless(self, enable)
    }

    fn establish_connection(&self, connection: Option<&str>) -> Result<(), CallbackError> {
        ForwardingCallback::establish_connection(self, connection)
    }

    fn can_continue(&self, item: Option<ItemId>) -> Result<Verdict, CallbackError> {
        ForwardingCallback::can_continue(self, item)
    }

    fn wake_on_cancel(&self, item: Option<ItemId>, waker: &Waker) -> Result<(), CallbackError> {
        ForwardingCallback::wake_on_cancel(self, item, waker)
    }

    fn add_item(&self, item: SyncItem) -> Result<(), CallbackError> {
        ForwardingCallback::add_item(self, item)
    }

    fn propose_item(&self, item: SyncItem) -> Result<(), CallbackError> {
        ForwardingCallback::propose_item(self, item)
    }

    fn commit_item(&self, item: ItemId) -> Result<(), CallbackError> {
        ForwardingCallback::commit_item(self, item)
    }

    fn additional_items(&self) -> Result<Vec<ItemId>, CallbackError> {
        ForwardingCallback::additional_items(self)
    }

    fn set_handler_text(&self, text: &str) -> Result<Verdict, CallbackError> {
        ForwardingCallback::set_handler_text(self, text)
    }
}
