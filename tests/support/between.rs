//! A recorder between a host and a handler, both of which do as they are told.

use std::any::Any;
use std::sync::{Arc, Mutex};
use std::task::Waker;

use syncmgr::testing::{Call, Recorder};
use syncmgr::{
    CallbackError, Dialog, ErrorId, ErrorOutcome, HResult, HandlerError, HandlerInfo, HandlerName,
    ItemId, ItemList, ItemName, ItemStatus, LogRecord, LogSelector, Participation, Phase, Prepared,
    ProgressUpdate, PropertiesOutcome, SyncCallback, SyncFlags, SyncHandler, SyncItem, Uuid,
    Verdict,
};
pub const ONE: ItemId = ItemId::from_u128(1);
pub const TWO: ItemId = ItemId::from_u128(2);

/// What was called, and what is to be done before the call is answered.
#[derive(Default)]
pub struct Seen {
    pub calls: Mutex<Vec<String>>,
    pub inside: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Seen {
    pub fn see(&self, call: impl Into<String>) {
        self.calls.lock().unwrap().push(call.into());
        let inside = self.inside.lock().unwrap().take();
        if let Some(inside) = inside {
            inside();
        }
    }

    /// The next call of either side does this before it is answered.
    pub fn inside(&self, work: impl FnOnce() + Send + 'static) {
        *self.inside.lock().unwrap() = Some(Box::new(work));
    }

    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }
}

/// A callback that answers each call in a way that no other one does.
pub struct Host {
    pub seen: Arc<Seen>,
    pub fails: bool,
}

impl Host {
    pub fn done(&self, call: impl Into<String>) -> Result<(), CallbackError> {
        self.seen.see(call);
        match self.fails {
            true => Err(CallbackError::Other(HResult::E_OUTOFMEMORY)),
            false => Ok(()),
        }
    }
}

impl SyncCallback for Host {
    fn progress(&self, id: ItemId, update: &ProgressUpdate<'_>) -> Result<Verdict, CallbackError> {
        self.done(format!("progress {id:?} {:?}", update.value))?;
        Ok(Verdict::CancelItem)
    }

    fn log_error(&self, record: &LogRecord<'_>) -> Result<(), CallbackError> {
        self.done(format!("log_error {}", record.text))
    }

    fn delete_log_error(&self, which: LogSelector) -> Result<(), CallbackError> {
        self.done(format!("delete_log_error {which:?}"))
    }

    fn prepare_for_sync_completed(&self, result: HResult) -> Result<(), CallbackError> {
        self.done(format!("prepare_for_sync_completed {result}"))
    }

    fn synchronize_completed(&self, result: HResult) -> Result<(), CallbackError> {
        self.done(format!("synchronize_completed {result}"))
    }

    fn show_error_completed(&self, outcome: ErrorOutcome<'_>) -> Result<(), CallbackError> {
        self.done(format!("show_error_completed {outcome:?}"))
    }

    fn show_properties_completed(&self, outcome: PropertiesOutcome) -> Result<(), CallbackError> {
        self.done(format!("show_properties_completed {outcome:?}"))
    }

    fn enable_modeless(&self, enable: bool) -> Result<Dialog, CallbackError> {
        self.done(format!("enable_modeless {enable}"))?;
        Ok(Dialog::Granted)
    }

    fn establish_connection(&self, connection: Option<&str>) -> Result<(), CallbackError> {
        self.done(format!("establish_connection {connection:?}"))
    }

    fn can_continue(&self, item: Option<ItemId>) -> Result<Verdict, CallbackError> {
        self.done(format!("can_continue {item:?}"))?;
        Ok(Verdict::CancelAll)
    }

    fn wake_on_cancel(&self, item: Option<ItemId>, _: &Waker) -> Result<(), CallbackError> {
        self.done(format!("wake_on_cancel {item:?}"))
    }

    fn add_item(&self, item: SyncItem) -> Result<(), CallbackError> {
        self.done(format!("add_item {:?}", item.id))
    }

    fn propose_item(&self, item: SyncItem) -> Result<(), CallbackError> {
        self.done(format!("propose_item {:?}", item.id))
    }

    fn commit_item(&self, item: ItemId) -> Result<(), CallbackError> {
        self.done(format!("commit_item {item:?}"))
    }

    fn additional_items(&self) -> Result<Vec<ItemId>, CallbackError> {
        self.done("additional_items")?;
        Ok(vec![TWO, ONE])
    }

    fn set_handler_text(&self, text: &str) -> Result<Verdict, CallbackError> {
        self.done(format!("set_handler_text {text}"))?;
        Ok(Verdict::CancelAll)
    }
}

/// A handler that answers each call as it is told.
#[derive(Default)]
pub struct Handler {
    pub seen: Arc<Seen>,
    pub fails: Mutex<bool>,
    pub prepares: Mutex<Option<Result<Prepared, HandlerError>>>,
}

impl Handler {
    pub fn done(&self, call: impl Into<String>) -> Result<(), HandlerError> {
        self.seen.see(call);
        match *self.fails.lock().unwrap() {
            true => Err(HandlerError::Code(HResult::E_OUTOFMEMORY)),
            false => Ok(()),
        }
    }
}

impl SyncHandler for Handler {
    fn initialize(
        &self,
        flags: SyncFlags,
        cookie: Option<&[u8]>,
    ) -> Result<Participation, HandlerError> {
        self.done(format!("initialize {:?} {cookie:?}", flags.event()))?;
        Ok(Participation::Declines)
    }

    fn info(&self) -> Result<HandlerInfo, HandlerError> {
        self.done("info")?;
        Ok(HandlerInfo::new(HandlerName::truncate_start("probe")))
    }

    fn items(&self) -> Result<ItemList, HandlerError> {
        self.done("items")?;
        let item = SyncItem::new(ONE, ItemName::truncate_start("one"));
        Ok(ItemList::Incomplete(vec![item]))
    }

    fn set_progress_callback(
        &self,
        callback: Option<Arc<dyn SyncCallback>>,
    ) -> Result<(), HandlerError> {
        self.done(format!("set_progress_callback {}", callback.is_some()))
    }

    fn prepare_for_sync(self: Arc<Self>, items: &[ItemId]) -> Result<Prepared, HandlerError> {
        self.done(format!("prepare_for_sync {items:?}"))?;
        let answer = self.prepares.lock().unwrap().take();
        answer.unwrap_or(Ok(Prepared::Started))
    }

    fn synchronize(self: Arc<Self>) -> Result<(), HandlerError> {
        self.done("synchronize")
    }

    fn set_item_status(&self, item: ItemId, status: ItemStatus) -> Result<(), HandlerError> {
        self.done(format!("set_item_status {item:?} {status}"))
    }

    fn item_object(&self, item: ItemId, of: Uuid) -> Result<Box<dyn Any + Send>, HandlerError> {
        self.done(format!("item_object {item:?} {of}"))?;
        Ok(Box::new(7_u8))
    }

    fn show_properties(self: Arc<Self>, target: Option<ItemId>) -> Result<(), HandlerError> {
        self.done(format!("show_properties {target:?}"))
    }

    fn show_error(self: Arc<Self>, error: ErrorId) -> Result<(), HandlerError> {
        self.done(format!("show_error {error:?}"))
    }
}

/// A recorder between a handler and a host, both of which do as they are told.
pub struct Between {
    pub recorder: Recorder,
    pub seen: Arc<Seen>,
    pub probe: Arc<Handler>,
    pub handler: Arc<dyn SyncHandler>,
    pub callback: Arc<dyn SyncCallback>,
}

pub fn between() -> Between {
    let recorder = Recorder::new();
    let seen = Arc::new(Seen::default());
    let probe = Arc::new(Handler {
        seen: seen.clone(),
        ..Handler::default()
    });
    let host = Host {
        seen: seen.clone(),
        fails: false,
    };
    Between {
        handler: recorder.handler(probe.clone()),
        callback: recorder.callback(Arc::new(host)),
        recorder,
        seen,
        probe,
    }
}

impl Between {
    /// The phase that a call has which begins now.
    pub fn phase(&self) -> Phase {
        let _text = self.callback.set_handler_text("now");
        self.last().phase
    }

    pub fn last(&self) -> Call {
        self.recorder.trace().calls().last().unwrap().clone()
    }

    pub fn prepare(&self) {
        let _answer = Arc::clone(&self.handler).prepare_for_sync(&[ONE]);
    }

    pub fn prepares(&self, answer: Result<Prepared, HandlerError>) {
        *self.probe.prepares.lock().unwrap() = Some(answer);
        self.prepare();
    }

    pub fn prepared(&self, result: HResult) {
        let _taken = self.callback.prepare_for_sync_completed(result);
    }

    pub fn synchronize(&self) {
        let _answer = Arc::clone(&self.handler).synchronize();
    }

    pub fn synchronized(&self) {
        let _taken = self.callback.synchronize_completed(HResult::S_OK);
    }

    pub fn synchronizing() -> Self {
        let between = between();
        between.prepare();
        between.prepared(HResult::S_OK);
        between.synchronize();
        between
    }
}
