//! A handler around another one, that tells each call of it first, and its drop.

#![allow(dead_code)]

use std::any::Any;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use syncmgr::{
    ErrorId, HandlerError, HandlerInfo, ItemId, ItemList, ItemStatus, Participation, Prepared,
    SyncCallback, SyncFlags, SyncHandler, Uuid,
};

type Hook = dyn Fn(&'static str) + Send + Sync;

pub struct Hooked {
    inner: Arc<dyn SyncHandler>,
    hook: Arc<Hook>,
}

impl Hooked {
    /// Calls `hook` with the name of each method before it is passed on, and with "drop" when it is dropped.
    pub fn around(
        inner: Arc<dyn SyncHandler>,
        hook: impl Fn(&'static str) + Send + Sync + 'static,
    ) -> Arc<dyn SyncHandler> {
        let hook = Arc::new(hook);
        Arc::new(Self { inner, hook })
    }
}

impl Drop for Hooked {
    fn drop(&mut self) {
        (self.hook)("drop");
    }
}

impl SyncHandler for Hooked {
    fn initialize(
        &self,
        flags: SyncFlags,
        cookie: Option<&[u8]>,
    ) -> Result<Participation, HandlerError> {
        (self.hook)("initialize");
        self.inner.initialize(flags, cookie)
    }

    fn info(&self) -> Result<HandlerInfo, HandlerError> {
        (self.hook)("info");
        self.inner.info()
    }

    fn items(&self) -> Result<ItemList, HandlerError> {
        (self.hook)("items");
        self.inner.items()
    }

    fn set_progress_callback(
        &self,
        callback: Option<Arc<dyn SyncCallback>>,
    ) -> Result<(), HandlerError> {
        let set = callback.is_some();
        (self.hook)(if set { "set callback" } else { "take callback" });
        self.inner.set_progress_callback(callback)
    }

    fn prepare_for_sync(self: Arc<Self>, items: &[ItemId]) -> Result<Prepared, HandlerError> {
        (self.hook)("prepare");
        Arc::clone(&self.inner).prepare_for_sync(items)
    }

    fn synchronize(self: Arc<Self>) -> Result<(), HandlerError> {
        (self.hook)("synchronize");
        Arc::clone(&self.inner).synchronize()
    }

    fn set_item_status(&self, item: ItemId, status: ItemStatus) -> Result<(), HandlerError> {
        (self.hook)("set_item_status");
        self.inner.set_item_status(item, status)
    }

    fn item_object(
        &self,
        item: ItemId,
        interface: Uuid,
    ) -> Result<Box<dyn Any + Send>, HandlerError> {
        (self.hook)("item_object");
        self.inner.item_object(item, interface)
    }

    fn show_properties(self: Arc<Self>, target: Option<ItemId>) -> Result<(), HandlerError> {
        (self.hook)("show_properties");
        Arc::clone(&self.inner).show_properties(target)
    }

    fn show_error(self: Arc<Self>, error: ErrorId) -> Result<(), HandlerError> {
        (self.hook)("show_error");
        Arc::clone(&self.inner).show_error(error)
    }
}

/// A gate that is closed, then open for ever.
#[derive(Clone, Default)]
pub struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    pub fn open(&self) {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.1.notify_all();
    }

    pub fn is_open(&self) -> bool {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns once it is open.
    pub fn pass(&self) {
        let mut open = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        while !*open {
            open = self.0.1.wait(open).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Does something when it is dropped.
pub struct OnDrop<F: Fn()>(pub F);

impl<F: Fn()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}
