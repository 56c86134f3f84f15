//! The adapter: a whole handler of a [`PerItem`].

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread;

use parking_lot::Mutex;

use super::PerItem;
use super::queue::Queue;
use super::round::{Round, Source};
#[cfg(feature = "async")]
use super::tasks::{AsyncPerItem, Task, Tasks};
use super::threads::Threads;
use super::work::Desk;
use crate::{
    ErrorId, ErrorOutcome, HResult, HandlerError, HandlerFlags, HandlerInfo, HandlerName, ItemId,
    ItemList, ItemName, ItemStatus, Participation, Prepared, SyncCallback, SyncFlags, SyncHandler,
    SyncItem,
};

type Order = dyn Fn(&SyncItem, &SyncItem) -> Ordering + Send + Sync;

/// Makes a [`SyncHandler`] of a [`PerItem`]: see the [module](super).
///
/// ```
/// use syncmgr::per_item::{self, Handler};
/// use syncmgr::{ItemId, SyncItem};
///
/// let handler = || {
///     let items = (1..=3).map(|n| SyncItem::new(ItemId::from_u128(n), "a letter".parse().unwrap()));
///     let letters = per_item::from_items(items, |work| Ok(work.advance(1)?));
///     Handler::new("Mail".parse().unwrap(), letters).workers(2).build()
/// };
/// # let _ = handler;
/// # #[cfg(feature = "testing")]
/// syncmgr::testing::explore_cancellations(handler).assert_conformant(); // with the feature `testing`
/// ```
#[must_use = "it does nothing until `build`"]
pub struct Handler {
    source: Arc<dyn Source>,
    info: HandlerInfo,
    workers: usize,
    order: Option<Box<Order>>,
    retry: bool,
}

impl Handler {
    /// A handler of this name that does its items one after the other, on a thread of its own.
    pub fn new(name: HandlerName, source: impl PerItem) -> Self {
        Self::of(name, Threads(source))
    }

    /// As [`new`](Self::new), for work that is a future. `spawn` is given one [`Task`] for each [worker](Self::workers), to be
    /// run by whatever runtime there is: see [`AsyncPerItem`].
    #[cfg(feature = "async")]
    #[cfg_attr(docsrs, doc(cfg(feature = "async")))]
    pub fn new_async(
        name: HandlerName,
        source: impl AsyncPerItem,
        spawn: impl Fn(Task) + Send + Sync + 'static,
    ) -> Self {
        Self::of(name, Tasks::new(source, spawn))
    }

    fn of(name: HandlerName, source: impl Source + 'static) -> Self {
        Self {
            source: Arc::new(source),
            info: HandlerInfo::new(name),
            workers: 1,
            order: None,
            retry: true,
        }
    }

    /// What the handler can do besides: [`MAY_ESTABLISH_CONNECTION`](HandlerFlags::MAY_ESTABLISH_CONNECTION) for work that
    /// asks for connections.
    pub fn flags(mut self, flags: HandlerFlags) -> Self {
        self.info = self.info.flags(flags);
        self
    }

    /// How many items are done at the same time, each on a thread or task of its own: one, unless this says otherwise; at
    /// least one.
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers.max(1);
        self
    }

    /// As many items at the same time as there are cores.
    pub fn worker_per_core(self) -> Self {
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        self.workers(cores)
    }

    /// In which order the items are begun. Without this call it is that of the prepare: the user's.
    pub fn order_by(
        mut self,
        order: impl Fn(&SyncItem, &SyncItem) -> Ordering + Send + Sync + 'static,
    ) -> Self {
        self.order = Some(Box::new(order));
        self
    }

    /// Whether an item that failed can be done again: its error is then logged with jump text, and done again where the host
    /// shows it. It can, unless this says otherwise.
    pub fn retry(mut self, retry: bool) -> Self {
        self.retry = retry;
        self
    }

    /// The handler.
    #[must_use]
    pub fn build(self) -> Arc<dyn SyncHandler> {
        Arc::new(Adapter {
            source: self.source,
            info: self.info,
            workers: self.workers,
            order: self.order,
            retry: self.retry,
            state: Mutex::new(State::default()),
        })
    }
}

impl fmt::Debug for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handler")
            .field("info", &self.info)
            .field("workers", &self.workers)
            .field("retry", &self.retry)
            .finish_non_exhaustive()
    }
}

/// The handler itself.
pub(super) struct Adapter {
    source: Arc<dyn Source>,
    info: HandlerInfo,
    workers: usize,
    order: Option<Box<Order>>,
    pub(super) retry: bool,
    /// Never locked while the host or the work is called.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    flags: SyncFlags,
    desk: Option<Arc<Desk>>,
    listed: HashMap<ItemId, SyncItem>,
    chosen: Vec<ItemId>,
    skipped: HashSet<ItemId>,
    /// The errors in the log, each with its item.
    logged: HashMap<ErrorId, ItemId>,
}

/// For the round: what it may do with the state.
impl Adapter {
    pub(super) fn is_skipped(&self, item: ItemId) -> bool {
        self.state.lock().skipped.contains(&item)
    }

    /// An item that was listed.
    pub(super) fn listed(&self, item: ItemId) -> Option<SyncItem> {
        self.state.lock().listed.get(&item).cloned()
    }

    pub(super) fn is_logged(&self, error: ErrorId, item: ItemId) {
        self.state.lock().logged.insert(error, item);
    }

    /// Forgets an error; answers whether it was in the log.
    pub(super) fn forget(&self, error: ErrorId) -> bool {
        self.state.lock().logged.remove(&error).is_some()
    }

    fn desk(&self) -> Result<Arc<Desk>, HandlerError> {
        // A host calls this only after it has set one (rule M03).
        let desk = self.state.lock().desk.clone();
        desk.ok_or(HandlerError::Code(HResult::E_UNEXPECTED))
    }

    /// The chosen items, in the order in which they are to be begun.
    fn take_chosen(&self) -> Vec<SyncItem> {
        let mut items: Vec<SyncItem> = {
            let mut state = self.state.lock();
            let chosen = std::mem::take(&mut state.chosen);
            let item = |id: &ItemId| match state.listed.get(id) {
                Some(item) => item.clone(),
                // A host may know it from an earlier list.
                None => SyncItem::new(*id, ItemName::shortened(&id.to_string())),
            };
            chosen.iter().map(item).collect()
        };
        if let Some(order) = &self.order {
            items.sort_by(|a, b| order(a, b));
        }
        items
    }
}

impl SyncHandler for Adapter {
    fn initialize(
        &self,
        flags: SyncFlags,
        _cookie: Option<&[u8]>,
    ) -> Result<Participation, HandlerError> {
        self.state.lock().flags = flags;
        Ok(Participation::Joins)
    }

    fn info(&self) -> Result<HandlerInfo, HandlerError> {
        Ok(self.info.clone())
    }

    fn items(&self) -> Result<ItemList, HandlerError> {
        let list = self.source.items().map_err(HandlerError::Failed)?;
        let mut listed = HashMap::with_capacity(list.items().len());
        for item in list.items() {
            // Rule H21, told here with the item's name.
            let name = &item.name;
            if item.id.is_nil() {
                let text =
                    format!("the item {name:?} has the nil id; an item needs one of its own");
                return Err(HandlerError::failed(text));
            }
            if listed.insert(item.id, item.clone()).is_some() {
                let id = item.id;
                let text = format!("the item {name:?} is listed twice, or another has its id {id}");
                return Err(HandlerError::failed(text));
            }
        }
        self.state.lock().listed = listed;
        Ok(list)
    }

    fn set_progress_callback(
        &self,
        callback: Option<Arc<dyn SyncCallback>>,
    ) -> Result<(), HandlerError> {
        let old = {
            let mut state = self.state.lock();
            let flags = state.flags;
            let desk = callback.map(|callback| Desk::new(callback, flags));
            std::mem::replace(&mut state.desk, desk)
        };
        if let Some(old) = old {
            old.close();
        }
        Ok(())
    }

    fn prepare_for_sync(self: Arc<Self>, items: &[ItemId]) -> Result<Prepared, HandlerError> {
        let desk = self.desk()?;
        {
            let mut state = self.state.lock();
            state.chosen = items.to_vec();
            state.skipped.clear();
        }
        // Refused only where the host has let go. No `?`: after a completion the answer is `Started` (rule H06).
        let _ = desk.callback.prepare_for_sync_completed(HResult::S_OK);
        Ok(Prepared::Started)
    }

    fn synchronize(self: Arc<Self>) -> Result<(), HandlerError> {
        let desk = self.desk()?;
        let items = self.take_chosen();
        let workers = self.workers.min(items.len()).max(1);
        let source = Arc::clone(&self.source);
        let round = Round::new(self, desk, Queue::new(items), workers);
        source.start(&round, workers)?;
        Ok(())
    }

    fn set_item_status(&self, item: ItemId, status: ItemStatus) -> Result<(), HandlerError> {
        if status == ItemStatus::Skipped {
            self.state.lock().skipped.insert(item);
        }
        Ok(())
    }

    fn show_error(self: Arc<Self>, error: ErrorId) -> Result<(), HandlerError> {
        let desk = self.desk()?;
        let item = self.state.lock().logged.get(&error).copied();
        let item = item.ok_or(HandlerError::InvalidArgument)?;
        // No `?`, as above (rule H09).
        let _ = desk
            .callback
            .show_error_completed(ErrorOutcome::Retry(&[item]));
        Ok(())
    }
}
