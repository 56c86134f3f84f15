//! A handler whose every method is a closure, and that remembers what the host called.

use std::any::Any;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use syncmgr::{
    ErrorId, ErrorOutcome, HResult, HandlerError, HandlerInfo, HandlerName, HandlerReport, ItemId,
    ItemList, ItemStatus, Participation, Prepared, RunOptions, SyncCallback, SyncFlags,
    SyncHandler, SyncItem, Uuid, run_handler,
};

use crate::{items, status, within};

/// One call of the host, as the handler saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    Initialize,
    Info,
    Items,
    SetCallback,
    ClearCallback,
    Prepare(Vec<ItemId>),
    Synchronize,
    SetItemStatus(ItemId, ItemStatus),
    ItemObject(ItemId),
    ShowProperties(Option<ItemId>),
    ShowError(ErrorId),
}

type Hook<T> = Box<dyn Fn(&Arc<Scripted>) -> Result<T, HandlerError> + Send + Sync>;
type Early<T> = Box<dyn Fn(&Scripted) -> Result<T, HandlerError> + Send + Sync>;
type Initialize =
    Box<dyn Fn(SyncFlags, Option<&[u8]>) -> Result<Participation, HandlerError> + Send + Sync>;
type Skip = Box<dyn Fn(&Scripted, ItemId) -> Result<(), HandlerError> + Send + Sync>;
type Object = Box<dyn Fn(ItemId, Uuid) -> Result<Box<dyn Any + Send>, HandlerError> + Send + Sync>;
type Properties =
    Box<dyn Fn(&Arc<Scripted>, Option<ItemId>) -> Result<(), HandlerError> + Send + Sync>;
type Show = Box<dyn Fn(&Arc<Scripted>, ErrorId) -> Result<(), HandlerError> + Send + Sync>;

/// What the handler does in each method; the default does its duty and nothing else.
pub struct Script {
    initialize: Initialize,
    info: Early<HandlerInfo>,
    items: Early<ItemList>,
    callback_set: Early<()>,
    callback_cleared: Early<()>,
    prepare: Hook<Prepared>,
    synchronize: Hook<()>,
    set_item_status: Skip,
    item_object: Object,
    show_properties: Properties,
    show_error: Show,
    recorded: bool,
}

impl Script {
    /// A handler of items 1 to `n` that completes everything at once and succeeds.
    pub fn new(n: u128) -> Self {
        Self::of(items(n))
    }

    /// A handler of these items that completes everything at once and succeeds.
    pub fn of(items: Vec<SyncItem>) -> Self {
        Self {
            initialize: Box::new(|_, _| Ok(Participation::Joins)),
            info: Box::new(|_| Ok(HandlerInfo::new(HandlerName::try_from("scripted")?))),
            items: Box::new(move |_| Ok(ItemList::Complete(items.clone()))),
            callback_set: Box::new(|_| Ok(())),
            callback_cleared: Box::new(|_| Ok(())),
            prepare: Box::new(|handler| {
                handler.complete_prepare(HResult::S_OK);
                Ok(Prepared::Started)
            }),
            synchronize: Box::new(|handler| {
                handler.finish_all(ItemStatus::Succeeded);
                handler.complete_synchronize(HResult::S_OK);
                Ok(())
            }),
            set_item_status: Box::new(|_, _| Ok(())),
            item_object: Box::new(|_, _| Err(HandlerError::NotImplemented)),
            show_properties: Box::new(|_, _| Err(HandlerError::NotImplemented)),
            show_error: Box::new(|handler, _| {
                handler
                    .callback()
                    .show_error_completed(ErrorOutcome::Done)?;
                Ok(())
            }),
            recorded: true,
        }
    }

    /// The run is not recorded: for a handler that calls without end.
    pub fn unrecorded(mut self) -> Self {
        self.recorded = false;
        self
    }

    pub fn initialize(
        mut self,
        hook: impl Fn(SyncFlags, Option<&[u8]>) -> Result<Participation, HandlerError>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        self.initialize = Box::new(hook);
        self
    }

    pub fn info(
        mut self,
        hook: impl Fn(&Scripted) -> Result<HandlerInfo, HandlerError> + Send + Sync + 'static,
    ) -> Self {
        self.info = Box::new(hook);
        self
    }

    pub fn items(
        mut self,
        hook: impl Fn(&Scripted) -> Result<ItemList, HandlerError> + Send + Sync + 'static,
    ) -> Self {
        self.items = Box::new(hook);
        self
    }

    /// Runs once the callback is kept.
    pub fn callback_set(
        mut self,
        hook: impl Fn(&Scripted) -> Result<(), HandlerError> + Send + Sync + 'static,
    ) -> Self {
        self.callback_set = Box::new(hook);
        self
    }

    /// Runs while the callback is still kept; it is dropped afterwards.
    pub fn callback_cleared(
        mut self,
        hook: impl Fn(&Scripted) -> Result<(), HandlerError> + Send + Sync + 'static,
    ) -> Self {
        self.callback_cleared = Box::new(hook);
        self
    }

    pub fn prepare(
        mut self,
        hook: impl Fn(&Arc<Scripted>) -> Result<Prepared, HandlerError> + Send + Sync + 'static,
    ) -> Self {
        self.prepare = Box::new(hook);
        self
    }

    pub fn synchronize(
        mut self,
        hook: impl Fn(&Arc<Scripted>) -> Result<(), HandlerError> + Send + Sync + 'static,
    ) -> Self {
        self.synchronize = Box::new(hook);
        self
    }

    pub fn set_item_status(
        mut self,
        hook: impl Fn(&Scripted, ItemId) -> Result<(), HandlerError> + Send + Sync + 'static,
    ) -> Self {
        self.set_item_status = Box::new(hook);
        self
    }

    pub fn item_object(
        mut self,
        hook: impl Fn(ItemId, Uuid) -> Result<Box<dyn Any + Send>, HandlerError> + Send + Sync + 'static,
    ) -> Self {
        self.item_object = Box::new(hook);
        self
    }

    pub fn show_properties(
        mut self,
        hook: impl Fn(&Arc<Scripted>, Option<ItemId>) -> Result<(), HandlerError>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        self.show_properties = Box::new(hook);
        self
    }

    pub fn show_error(
        mut self,
        hook: impl Fn(&Arc<Scripted>, ErrorId) -> Result<(), HandlerError> + Send + Sync + 'static,
    ) -> Self {
        self.show_error = Box::new(hook);
        self
    }

    pub fn build(self) -> Arc<Scripted> {
        Arc::new(Scripted {
            script: self,
            callback: Mutex::new(None),
            round: Mutex::new(Vec::new()),
            seen: Mutex::new(Vec::new()),
            inside: AtomicBool::new(false),
            nested: AtomicBool::new(false),
        })
    }

    /// Builds the handler and runs it with these options.
    #[track_caller]
    pub fn run(self, options: RunOptions) -> (Arc<Scripted>, HandlerReport) {
        let handler = self.build();
        let report = handler.run(options);
        (handler, report)
    }
}

/// The handler that a [`Script`] builds.
pub struct Scripted {
    script: Script,
    callback: Mutex<Option<Arc<dyn SyncCallback>>>,
    round: Mutex<Vec<ItemId>>,
    seen: Mutex<Vec<Seen>>,
    inside: AtomicBool,
    nested: AtomicBool,
}

impl Scripted {
    /// Runs this handler on a thread of its own, with the time limit of all tests.
    #[track_caller]
    pub fn run(self: &Arc<Self>, options: RunOptions) -> HandlerReport {
        let handler: Arc<dyn SyncHandler> = self.clone();
        let recorder = syncmgr::testing::Recorder::new();
        let handler = match self.script.recorded {
            true => recorder.handler(handler),
            false => handler,
        };
        let report = within("run_handler", move || run_handler(handler, options));
        // Whatever the handler does, the driver keeps the rules that bind it.
        {
            let trace = recorder.trace();
            let mut found = trace.violations().iter();
            let host = found.find(|found| !found.rule.binds_handler());
            assert_eq!(host, None, "the driver broke a rule of the host: {trace}");
        }
        report
    }

    /// The callback that the host set.
    #[track_caller]
    pub fn callback(&self) -> Arc<dyn SyncCallback> {
        let callback = lock(&self.callback).clone();
        callback.expect("the host set no callback")
    }

    /// The items of the last prepare.
    pub fn round(&self) -> Vec<ItemId> {
        lock(&self.round).clone()
    }

    /// Everything the host called, in order.
    pub fn seen(&self) -> Vec<Seen> {
        lock(&self.seen).clone()
    }

    /// How often the host called something like this.
    pub fn count(&self, like: impl Fn(&Seen) -> bool) -> usize {
        self.seen().iter().filter(|seen| like(seen)).count()
    }

    /// Whether the host is in a method of this handler now.
    pub fn is_inside(&self) -> bool {
        self.inside.load(Ordering::SeqCst)
    }

    /// Whether the host ever called a method while another one had not returned.
    pub fn was_nested(&self) -> bool {
        self.nested.load(Ordering::SeqCst)
    }

    /// Reports this final status for every item of the round.
    #[track_caller]
    pub fn finish_all(&self, last: ItemStatus) {
        let callback = self.callback();
        for item in self.round() {
            let answer = callback.progress(item, &status(last));
            assert!(
                answer.is_ok(),
                "a final status of {item} was refused: {answer:?}"
            );
        }
    }

    #[track_caller]
    pub fn complete_prepare(&self, result: HResult) {
        assert_eq!(
            self.callback().prepare_for_sync_completed(result),
            Ok(()),
            "prepare_for_sync_completed"
        );
    }

    #[track_caller]
    pub fn complete_synchronize(&self, result: HResult) {
        assert_eq!(
            self.callback().synchronize_completed(result),
            Ok(()),
            "synchronize_completed"
        );
    }

    fn enter(&self, seen: Seen) -> Inside<'_> {
        lock(&self.seen).push(seen);
        if self.inside.swap(true, Ordering::SeqCst) {
            self.nested.store(true, Ordering::SeqCst);
        }
        Inside(&self.inside)
    }
}

/// The host is in a method of the handler for as long as this lives, through a panic too.
struct Inside<'a>(&'a AtomicBool);

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

/// A scripted panic must not hide what the test asks for afterwards, so poison is ignored.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SyncHandler for Scripted {
    fn initialize(
        &self,
        flags: SyncFlags,
        cookie: Option<&[u8]>,
    ) -> Result<Participation, HandlerError> {
        let _inside = self.enter(Seen::Initialize);
        (self.script.initialize)(flags, cookie)
    }

    fn info(&self) -> Result<HandlerInfo, HandlerError> {
        let _inside = self.enter(Seen::Info);
        (self.script.info)(self)
    }

    fn items(&self) -> Result<ItemList, HandlerError> {
        let _inside = self.enter(Seen::Items);
        (self.script.items)(self)
    }

    fn set_progress_callback(
        &self,
        callback: Option<Arc<dyn SyncCallback>>,
    ) -> Result<(), HandlerError> {
        if callback.is_some() {
            let _inside = self.enter(Seen::SetCallback);
            *lock(&self.callback) = callback;
            (self.script.callback_set)(self)
        } else {
            let _inside = self.enter(Seen::ClearCallback);
            let answer = (self.script.callback_cleared)(self);
            let dropped = lock(&self.callback).take();
            drop(dropped);
            answer
        }
    }

    fn prepare_for_sync(self: Arc<Self>, items: &[ItemId]) -> Result<Prepared, HandlerError> {
        let _inside = self.enter(Seen::Prepare(items.to_vec()));
        *lock(&self.round) = items.to_vec();
        (self.script.prepare)(&self)
    }

    fn synchronize(self: Arc<Self>) -> Result<(), HandlerError> {
        let _inside = self.enter(Seen::Synchronize);
        (self.script.synchronize)(&self)
    }

    fn set_item_status(&self, item: ItemId, status: ItemStatus) -> Result<(), HandlerError> {
        let _inside = self.enter(Seen::SetItemStatus(item, status));
        (self.script.set_item_status)(self, item)
    }

    fn item_object(
        &self,
        item: ItemId,
        interface: Uuid,
    ) -> Result<Box<dyn Any + Send>, HandlerError> {
        let _inside = self.enter(Seen::ItemObject(item));
        (self.script.item_object)(item, interface)
    }

    fn show_properties(self: Arc<Self>, target: Option<ItemId>) -> Result<(), HandlerError> {
        let _inside = self.enter(Seen::ShowProperties(target));
        (self.script.show_properties)(&self, target)
    }

    fn show_error(self: Arc<Self>, error: ErrorId) -> Result<(), HandlerError> {
        let _inside = self.enter(Seen::ShowError(error));
        (self.script.show_error)(&self, error)
    }
}
