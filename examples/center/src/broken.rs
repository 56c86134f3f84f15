//! What stands in for a handler that cannot be made, such as a mirror whose source is gone.
//!
//! A factory has to answer a handler, so the error waits for the first call: `initialize` answers it, and the run of this
//! handler has failed.

use std::error::Error;
use std::sync::Arc;

use syncmgr::{
    HandlerError, HandlerInfo, HandlerName, ItemId, ItemList, ItemStatus, Participation, Prepared,
    SyncCallback, SyncFlags, SyncHandler,
};

/// A handler that only says why there is none.
pub struct Broken(String);

impl Broken {
    /// Says this error.
    pub fn new(error: &dyn Error) -> Arc<Self> {
        Arc::new(Self(error.to_string()))
    }

    fn error<T>(&self) -> Result<T, HandlerError> {
        Err(HandlerError::failed(self.0.clone()))
    }
}

impl SyncHandler for Broken {
    fn initialize(&self, _: SyncFlags, _: Option<&[u8]>) -> Result<Participation, HandlerError> {
        self.error()
    }

    fn info(&self) -> Result<HandlerInfo, HandlerError> {
        Ok(HandlerInfo::new(HandlerName::truncate_start("broken")))
    }

    fn items(&self) -> Result<ItemList, HandlerError> {
        self.error()
    }

    fn set_progress_callback(&self, _: Option<Arc<dyn SyncCallback>>) -> Result<(), HandlerError> {
        Ok(())
    }

    fn prepare_for_sync(self: Arc<Self>, _: &[ItemId]) -> Result<Prepared, HandlerError> {
        self.error()
    }

    fn synchronize(self: Arc<Self>) -> Result<(), HandlerError> {
        self.error()
    }

    fn set_item_status(&self, _: ItemId, _: ItemStatus) -> Result<(), HandlerError> {
        Err(HandlerError::InvalidArgument)
    }
}
