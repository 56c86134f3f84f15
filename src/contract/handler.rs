//! The handler's side of the contract: `ISyncMgrSynchronize`.

use std::any::Any;
use std::sync::Arc;

use uuid::Uuid;

use crate::{
    ErrorId, HandlerError, HandlerInfo, ItemId, ItemList, ItemStatus, Participation, Prepared,
    SyncCallback, SyncFlags,
};

/// The handler's side: what a host calls to learn about items and to have them synchronized.
pub trait SyncHandler: Send + Sync {
    /// Tells why the handler is started, and asks whether it takes part.
    fn initialize(
        &self,
        flags: SyncFlags,
        cookie: Option<&[u8]>,
    ) -> Result<Participation, HandlerError>;
    /// Returns what the handler tells about itself.
    fn info(&self) -> Result<HandlerInfo, HandlerError>;
    /// Returns the handler's items.
    fn items(&self) -> Result<ItemList, HandlerError>;
    /// Sets, replaces or takes away the callback.
    fn set_progress_callback(
        &self,
        callback: Option<Arc<dyn SyncCallback>>,
    ) -> Result<(), HandlerError>;
    /// Prepares the named items.
    fn prepare_for_sync(self: Arc<Self>, items: &[ItemId]) -> Result<Prepared, HandlerError>;
    /// Synchronizes the items of the prepare.
    fn synchronize(self: Arc<Self>) -> Result<(), HandlerError>;
    /// Tells that an item is to be skipped.
    fn set_item_status(&self, item: ItemId, status: ItemStatus) -> Result<(), HandlerError>;

    /// Returns an object for an item.
    fn item_object(
        &self,
        item: ItemId,
        interface: Uuid,
    ) -> Result<Box<dyn Any + Send>, HandlerError> {
        let _ = (item, interface);
        Err(HandlerError::NotImplemented)
    }

    /// Shows the properties of an item, or with `None` the handler's own.
    fn show_properties(self: Arc<Self>, target: Option<ItemId>) -> Result<(), HandlerError> {
        let _ = target;
        Err(HandlerError::NotImplemented)
    }

    /// Shows an error that the handler logged.
    fn show_error(self: Arc<Self>, error: ErrorId) -> Result<(), HandlerError> {
        let _ = error;
        Err(HandlerError::NotImplemented)
    }
}
