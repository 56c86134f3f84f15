//! Wrappers that forward every call and count it: of a callback, and of a handler whose callback they wrap.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::task::Waker;

use syncmgr::{
    CallbackError, Dialog, ErrorId, ErrorOutcome, HResult, HandlerError, HandlerInfo, ItemId,
    ItemList, ItemStatus, LogRecord, LogSelector, Participation, Prepared, ProgressUpdate,
    PropertiesOutcome, SyncCallback, SyncFlags, SyncHandler, SyncItem, Uuid, Verdict,
};

/// How often each method was called, and every value that went through `progress`, in order.
#[derive(Default)]
pub struct Counts {
    calls: Mutex<BTreeMap<&'static str, usize>>,
    order: Mutex<Vec<&'static str>>,
    values: Mutex<Vec<u64>>,
}

impl Counts {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    pub fn of(&self, method: &str) -> usize {
        let calls = self
            .calls
            .lock()
            .expect("no test thread panicked in a count");
        calls.get(method).copied().unwrap_or(0)
    }

    pub fn order(&self) -> Vec<&'static str> {
        self.order
            .lock()
            .expect("no test thread panicked in a count")
            .clone()
    }

    pub fn values(&self) -> Vec<u64> {
        self.values
            .lock()
            .expect("no test thread panicked in a count")
            .clone()
    }

    fn count(&self, method: &'static str) {
        *self
            .calls
            .lock()
            .expect("no test thread panicked in a count")
            .entry(method)
            .or_insert(0) += 1;
        self.order
            .lock()
            .expect("no test thread panicked in a count")
            .push(method);
    }
}

/// A callback that forwards every call, and gives no slot.
pub struct Forward {
    pub inner: Arc<dyn SyncCallback>,
    pub counts: Arc<Counts>,
}

impl SyncCallback for Forward {
    fn progress(
        &self,
        item: ItemId,
        update: &ProgressUpdate<'_>,
    ) -> Result<Verdict, CallbackError> {
        self.counts.count("progress");
        if let Some(value) = update.value {
            self.counts
                .values
                .lock()
                .expect("no test thread panicked in a count")
                .push(value);
        }
        self.inner.progress(item, update)
    }

    fn log_error(&self, record: &LogRecord<'_>) -> Result<(), CallbackError> {
        self.counts.count("log_error");
        self.inner.log_error(record)
    }

    fn delete_log_error(&self, which: LogSelector) -> Result<(), CallbackError> {
        self.counts.count("delete_log_error");
        self.inner.delete_log_error(which)
    }

    fn prepare_for_sync_completed(&self, result: HResult) -> Result<(), CallbackError> {
        self.counts.count("prepare_for_sync_completed");
        self.inner.prepare_for_sync_completed(result)
    }

    fn synchronize_completed(&self, result: HResult) -> Result<(), CallbackError> {
        self.counts.count("synchronize_completed");
        self.inner.synchronize_completed(result)
    }

    fn show_error_completed(&self, outcome: ErrorOutcome<'_>) -> Result<(), CallbackError> {
        self.counts.count("show_error_completed");
        self.inner.show_error_completed(outcome)
    }

    fn show_properties_completed(&self, outcome: PropertiesOutcome) -> Result<(), CallbackError> {
        self.counts.count("show_properties_completed");
        self.inner.show_properties_completed(outcome)
    }

    fn enable_modeless(&self, enable: bool) -> Result<Dialog, CallbackError> {
        self.counts.count("enable_modeless");
        self.inner.enable_modeless(enable)
    }

    fn establish_connection(&self, connection: Option<&str>) -> Result<(), CallbackError> {
        self.counts.count("establish_connection");
        self.inner.establish_connection(connection)
    }

    fn can_continue(&self, item: Option<ItemId>) -> Result<Verdict, CallbackError> {
        self.counts.count("can_continue");
        self.inner.can_continue(item)
    }

    fn wake_on_cancel(&self, item: Option<ItemId>, waker: &Waker) -> Result<(), CallbackError> {
        self.counts.count("wake_on_cancel");
        self.inner.wake_on_cancel(item, waker)
    }

    fn add_item(&self, item: SyncItem) -> Result<(), CallbackError> {
        self.counts.count("add_item");
        self.inner.add_item(item)
    }

    fn propose_item(&self, item: SyncItem) -> Result<(), CallbackError> {
        self.counts.count("propose_item");
        self.inner.propose_item(item)
    }

    fn commit_item(&self, item: ItemId) -> Result<(), CallbackError> {
        self.counts.count("commit_item");
        self.inner.commit_item(item)
    }

    fn additional_items(&self) -> Result<Vec<ItemId>, CallbackError> {
        self.counts.count("additional_items");
        self.inner.additional_items()
    }

    fn set_handler_text(&self, text: &str) -> Result<Verdict, CallbackError> {
        self.counts.count("set_handler_text");
        self.inner.set_handler_text(text)
    }
}

/// A handler that forwards every call and puts a [`Forward`] between the host's callback and the handler.
pub struct WrappingHandler {
    pub inner: Arc<dyn SyncHandler>,
    pub counts: Arc<Counts>,
}

impl SyncHandler for WrappingHandler {
    fn initialize(
        &self,
        flags: SyncFlags,
        cookie: Option<&[u8]>,
    ) -> Result<Participation, HandlerError> {
        self.inner.initialize(flags, cookie)
    }

    fn info(&self) -> Result<HandlerInfo, HandlerError> {
        self.inner.info()
    }

    fn items(&self) -> Result<ItemList, HandlerError> {
        self.inner.items()
    }

    fn set_progress_callback(
        &self,
        callback: Option<Arc<dyn SyncCallback>>,
    ) -> Result<(), HandlerError> {
        let wrap = |inner| {
            Arc::new(Forward {
                inner,
                counts: Arc::clone(&self.counts),
            }) as Arc<dyn SyncCallback>
        };
        self.inner.set_progress_callback(callback.map(wrap))
    }

    fn prepare_for_sync(self: Arc<Self>, items: &[ItemId]) -> Result<Prepared, HandlerError> {
        Arc::clone(&self.inner).prepare_for_sync(items)
    }

    fn synchronize(self: Arc<Self>) -> Result<(), HandlerError> {
        Arc::clone(&self.inner).synchronize()
    }

    fn set_item_status(&self, item: ItemId, status: ItemStatus) -> Result<(), HandlerError> {
        self.inner.set_item_status(item, status)
    }

    fn item_object(
        &self,
        item: ItemId,
        interface: Uuid,
    ) -> Result<Box<dyn Any + Send>, HandlerError> {
        self.inner.item_object(item, interface)
    }

    fn show_properties(self: Arc<Self>, target: Option<ItemId>) -> Result<(), HandlerError> {
        Arc::clone(&self.inner).show_properties(target)
    }

    fn show_error(self: Arc<Self>, error: ErrorId) -> Result<(), HandlerError> {
        Arc::clone(&self.inner).show_error(error)
    }
}
