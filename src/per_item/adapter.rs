//! The handler that a builder makes of a list and a closure.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use super::callback_lease::CallbackLease;
use super::handler_state::HandlerState;
use super::round::{Round, WorkSource};
use crate::util::panic::Foreign;
use crate::{
    ErrorId, ErrorOutcome, HResult, HandlerError, HandlerInfo, ItemId, ItemList, ItemName,
    ItemStatus, Participation, Prepared, SyncCallback, SyncFlags, SyncHandler, SyncItem,
};

// A worker may be the last owner of the handler, so panics in the drop of this are contained.
pub(super) type ItemOrder = Foreign<Box<dyn Fn(&SyncItem, &SyncItem) -> Ordering + Send + Sync>>;

/// A handler of independent items.
pub(super) struct Adapter {
    pub(super) source: Arc<dyn WorkSource>,
    pub(super) info: HandlerInfo,
    pub(super) workers: usize,
    pub(super) order: Option<ItemOrder>,
    pub(super) shared: Arc<HandlerState>,
}

impl Adapter {
    fn lease(&self) -> Result<Arc<CallbackLease>, HandlerError> {
        // A host calls this only after it has set one (rule M03).
        let lease = self.shared.state.lock().lease.clone();
        lease.ok_or(HandlerError::Code(HResult::E_UNEXPECTED))
    }

    /// The chosen items, in the order in which they are to be begun.
    fn chosen(&self) -> Vec<SyncItem> {
        let mut items: Vec<SyncItem> = {
            let state = self.shared.state.lock();
            let item = |id: &ItemId| match state.listed.get(id) {
                Some(item) => item.clone(),
                // A host may know it from an earlier list.
                None => SyncItem::new(*id, ItemName::truncate_start(&id.to_string())),
            };
            state.chosen.iter().map(item).collect()
        };
        if let Some(order) = &self.order {
            items.sort_by(|a, b| order(a, b));
        }
        items
    }

    fn round(self: &Arc<Self>, lease: Arc<CallbackLease>, items: Vec<SyncItem>) -> Arc<Round> {
        let owner: Arc<dyn SyncHandler> = Arc::clone(self) as _;
        Round::new(Arc::clone(&self.shared), owner, lease, items)
    }

    /// So many workers for so many items.
    fn workers(&self, items: usize) -> usize {
        self.workers.min(items).max(1)
    }
}

impl SyncHandler for Adapter {
    fn initialize(
        &self,
        flags: SyncFlags,
        _cookie: Option<&[u8]>,
    ) -> Result<Participation, HandlerError> {
        let mut state = self.shared.state.lock();
        state.flags = flags;
        state.logged.clear(); // those of an earlier run are in another log (rule H20)
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
            let name = item.name.as_str();
            if item.id == ItemId::NIL {
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
        self.shared.state.lock().listed = listed;
        Ok(list)
    }

    fn set_progress_callback(
        &self,
        callback: Option<Arc<dyn SyncCallback>>,
    ) -> Result<(), HandlerError> {
        let old = {
            let mut state = self.shared.state.lock();
            let flags = state.flags;
            let lease = callback.map(|callback| CallbackLease::new(callback, flags));
            std::mem::replace(&mut state.lease, lease)
        };
        if let Some(old) = old {
            old.close();
            if self.shared.wait {
                self.shared.active.rest();
            }
        }
        Ok(())
    }

    fn prepare_for_sync(self: Arc<Self>, items: &[ItemId]) -> Result<Prepared, HandlerError> {
        let lease = self.lease()?;
        {
            let mut state = self.shared.state.lock();
            state.chosen = items.to_vec();
            state.skipped.clear();
            state.measured.clear();
        }
        if self.shared.measure.is_some() {
            let items = self.chosen();
            let workers = self.workers(items.len());
            self.round(lease, items).measure(workers)?;
            return Ok(Prepared::Started);
        }
        // Refused only where the host has let go. No `?`: after a completion the answer is `Started` (rule H06).
        let _ = lease.callback.prepare_for_sync_completed(HResult::S_OK);
        Ok(Prepared::Started)
    }

    fn synchronize(self: Arc<Self>) -> Result<(), HandlerError> {
        let lease = self.lease()?;
        let items = self.chosen();
        self.shared.state.lock().chosen.clear();
        let workers = self.workers(items.len());
        let source = Arc::clone(&self.source);
        source.start(&self.round(lease, items), workers)?;
        Ok(())
    }

    fn set_item_status(&self, item: ItemId, status: ItemStatus) -> Result<(), HandlerError> {
        if status == ItemStatus::Skipped {
            self.shared.state.lock().skipped.insert(item);
        }
        Ok(())
    }

    fn show_error(self: Arc<Self>, error: ErrorId) -> Result<(), HandlerError> {
        let lease = self.lease()?;
        let item = self.shared.state.lock().logged.get(&error).copied();
        let item = item.ok_or(HandlerError::InvalidArgument)?;
        // No `?`, as above (rule H09).
        let _ = lease
            .callback
            .show_error_completed(ErrorOutcome::Retry(&[item]));
        Ok(())
    }
}
