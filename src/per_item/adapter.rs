//! The handler that a builder makes of a list and a closure.

use std::cmp::Ordering;
use std::sync::{Arc, atomic};

use super::callback_lease::CallbackLease;
use super::handler_state::HandlerState;
use super::prepared_items::PreparedItems;
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
    fn in_order(&self, items: &[ItemId]) -> Arc<[ItemId]> {
        let Some(order) = &self.order else {
            return items.into();
        };
        // A host may know an item from an earlier list.
        let unknown = |id: ItemId| SyncItem::new(id, ItemName::truncate_start(&id.to_string()));
        let find = |id: &ItemId| self.source.find(*id, 0).unwrap_or_else(|| unknown(*id));
        let mut items: Vec<SyncItem> = items.iter().map(find).collect();
        items.sort_by(|a, b| order(a, b));
        items.into_iter().map(|item| item.id).collect()
    }

    fn round(self: &Arc<Self>, lease: Arc<CallbackLease>, items: PreparedItems) -> Arc<Round> {
        let owner: Arc<dyn SyncHandler> = Arc::clone(self) as _;
        let (shared, source) = (Arc::clone(&self.shared), Arc::clone(&self.source));
        Round::new(shared, source, owner, lease, items)
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
        self.source.items().map_err(HandlerError::Failed)
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
        let is_measured = self.shared.measure.is_some();
        let items = PreparedItems::new(self.in_order(items), is_measured);
        {
            let mut state = self.shared.state.lock();
            state.prepared = Some(items.clone());
            state.skipped.clear();
            self.shared
                .has_skipped
                .store(false, atomic::Ordering::Relaxed);
        }
        if is_measured {
            let workers = self.workers(items.ids.len());
            let round = self.round(lease, items);
            Arc::clone(&self.source).measure(&round, workers)?;
            return Ok(Prepared::Started);
        }
        // Refused only where the host has let go. No `?`: after a completion the answer is `Started` (rule H06).
        let _ = lease.callback.prepare_for_sync_completed(HResult::S_OK);
        Ok(Prepared::Started)
    }

    fn synchronize(self: Arc<Self>) -> Result<(), HandlerError> {
        let lease = self.lease()?;
        // A host calls this only after a prepare (rule M01).
        let items = self.shared.state.lock().prepared.take();
        let items = items.unwrap_or_else(|| PreparedItems::new(Arc::default(), false));
        let workers = self.workers(items.ids.len());
        let source = Arc::clone(&self.source);
        source.start(&self.round(lease, items), workers)?;
        Ok(())
    }

    fn set_item_status(&self, item: ItemId, status: ItemStatus) -> Result<(), HandlerError> {
        if status == ItemStatus::Skipped {
            self.shared.skip(item);
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
