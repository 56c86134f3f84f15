//! Handlers that have properties.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use syncmgr::testing::mock::{Script, Step};
use syncmgr::testing::{Action, Trace};
use syncmgr::{
    HResult, HandlerError, HandlerFlags, HandlerInfo, ItemFlags, ItemId, ItemList, ItemStatus,
    Participation, Prepared, ProgressUpdate, PropertiesOutcome, SyncCallback, SyncFlags,
    SyncHandler, SyncItem, Verdict,
};

use super::gate::named;
use super::manager::succeed;
use crate::id;

/// Test item `n`, which has properties.
pub fn owns(n: u128) -> SyncItem {
    named(n).flags(ItemFlags::HAS_PROPERTIES)
}

/// Items 1 to `n`, and properties that are completed with this result.
pub fn shows(n: u128, result: HResult) -> Script {
    let steps = (1..=n).flat_map(|n| succeed(id(n)));
    let script = Script::new()
        .flags(HandlerFlags::HAS_PROPERTIES)
        .synchronize(steps)
        .show_properties([Step::complete_show_properties(result)], Ok(()));
    (1..=n).map(owns).fold(script, Script::sync_item)
}

pub fn targets(trace: &Trace) -> Vec<Option<ItemId>> {
    let calls = trace.calls().iter();
    calls
        .filter_map(|call| match call.action {
            Action::ShowProperties { target } => Some(target),
            _ => None,
        })
        .collect()
}

/// Lists other items once its properties were shown.
pub struct Changing {
    lists: [Vec<SyncItem>; 2],
    shown: AtomicUsize,
    callback: Mutex<Option<Arc<dyn SyncCallback>>>,
    round: Mutex<Vec<ItemId>>,
}

impl Changing {
    pub fn new(before: Vec<SyncItem>, after: Vec<SyncItem>) -> Arc<Self> {
        Arc::new(Self {
            lists: [before, after],
            shown: AtomicUsize::new(0),
            callback: Mutex::default(),
            round: Mutex::default(),
        })
    }

    fn callback(&self) -> Result<Arc<dyn SyncCallback>, HandlerError> {
        let callback = self.callback.lock().unwrap_or_else(PoisonError::into_inner);
        callback
            .clone()
            .ok_or(HandlerError::from(HResult::E_UNEXPECTED))
    }
}

impl SyncHandler for Changing {
    fn initialize(&self, _: SyncFlags, _: Option<&[u8]>) -> Result<Participation, HandlerError> {
        Ok(Participation::Joins)
    }

    fn info(&self) -> Result<HandlerInfo, HandlerError> {
        Ok(HandlerInfo::new("changing".parse()?).flags(HandlerFlags::HAS_PROPERTIES))
    }

    fn items(&self) -> Result<ItemList, HandlerError> {
        let list = self.shown.load(Ordering::SeqCst).min(1);
        Ok(ItemList::Complete(self.lists[list].clone()))
    }

    fn set_progress_callback(
        &self,
        callback: Option<Arc<dyn SyncCallback>>,
    ) -> Result<(), HandlerError> {
        *self.callback.lock().unwrap_or_else(PoisonError::into_inner) = callback;
        Ok(())
    }

    fn prepare_for_sync(self: Arc<Self>, items: &[ItemId]) -> Result<Prepared, HandlerError> {
        *self.round.lock().unwrap_or_else(PoisonError::into_inner) = items.to_vec();
        self.callback()?.prepare_for_sync_completed(HResult::S_OK)?;
        Ok(Prepared::Started)
    }

    fn synchronize(self: Arc<Self>) -> Result<(), HandlerError> {
        let callback = self.callback()?;
        let round = self.round.lock().unwrap_or_else(PoisonError::into_inner);
        for item in round.iter() {
            let update = ProgressUpdate::new();
            let begun = callback.progress(*item, &update.clone().status(ItemStatus::Updating))?;
            let end = match begun {
                Verdict::Continue => ItemStatus::Succeeded,
                _ => ItemStatus::Stopped,
            };
            let _known = callback.progress(*item, &update.status(end))?;
        }
        callback.synchronize_completed(HResult::S_OK)?;
        Ok(())
    }

    fn set_item_status(&self, _: ItemId, _: ItemStatus) -> Result<(), HandlerError> {
        Ok(())
    }

    fn show_properties(self: Arc<Self>, _: Option<ItemId>) -> Result<(), HandlerError> {
        self.shown.fetch_add(1, Ordering::SeqCst);
        let changed = PropertiesOutcome::ItemsChanged;
        self.callback()?.show_properties_completed(changed)?;
        Ok(())
    }
}
