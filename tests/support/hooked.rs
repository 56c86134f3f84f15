//! What the attacks on the manager share: a handler around another one that tells each call of it first, and its drop; gates.

use std::any::Any;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::{fmt, io};

use syncmgr::testing::mock::{Script, Step};
use syncmgr::{
    ErrorId, HandlerError, HandlerFlags, HandlerInfo, ItemId, ItemList, ItemStatus, Participation,
    Prepared, Registration, SyncCallback, SyncFlags, SyncHandler, SyncManager, SyncManagerBuilder,
    Uuid,
};

use super::manager::{Records, handler_id, script};

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

/// Calls a closure for each piece of text that is written to it.
pub struct OnWrite<F: FnMut()>(pub F);

impl<F: FnMut()> fmt::Write for OnWrite<F> {
    fn write_str(&mut self, _: &str) -> fmt::Result {
        (self.0)();
        Ok(())
    }
}

impl<F: FnMut()> io::Write for OnWrite<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (self.0)();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        (self.0)();
        Ok(())
    }
}

/// Does something when it is dropped.
pub struct OnDrop<F: Fn()>(pub F);

impl<F: Fn()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Registers a handler that tells each of its calls.
pub fn register_hooked(
    records: &Records,
    manager: &SyncManager,
    n: u128,
    script: Script,
    hook: impl Fn(&'static str) + Send + Sync + 'static,
) {
    let (hook, records) = (Arc::new(hook), records.clone());
    let make = move || {
        let hook = Arc::clone(&hook);
        records.record(Hooked::around(script.handler(), move |call| hook(call)))
    };
    let registered = manager.register(handler_id(n), Registration::new(), make);
    assert_eq!(registered, Ok(()));
}

/// A script that stops in its prepare until the gate is opened.
pub fn held(n: u128, gate: &Gate) -> Script {
    let gate = gate.clone();
    script(n).prepare([Step::run(move || gate.pass())])
}

/// Asks for a connection, which is closed when the whole run is over.
pub fn connects(n: u128) -> Script {
    script(n)
        .flags(HandlerFlags::MAY_ESTABLISH_CONNECTION)
        .prepare([Step::connect(None)])
}

/// A manager whose connections call this when they are closed.
pub fn closing(close: impl Fn() + Send + Sync + 'static) -> SyncManagerBuilder {
    let close = Arc::new(close);
    SyncManager::builder().connector(move |_: Option<&str>| {
        let close = Arc::clone(&close);
        Ok(Box::new(OnDrop(move || close())) as Box<dyn Any + Send>)
    })
}
