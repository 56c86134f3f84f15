//! The state of a handler, which its rounds and workers share.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use parking_lot::Mutex;

use super::callback_lease::CallbackLease;
use super::context::ItemContext;
use super::error::Error;
use super::work_failure::{WorkFailure, guarded};
use super::worker_group::ActiveWorkers;
use crate::util::panic::Foreign;
use crate::{ErrorId, ItemId, LogLevel, SyncFlags, SyncItem};

// A worker may be the last owner of the handler, so panics in the drop of these are contained.
pub(super) type MeasureFn = Foreign<Box<dyn Fn(&ItemContext) -> Result<u64, Error> + Send + Sync>>;
pub(super) type FinishFn = Foreign<Box<dyn Fn() -> Result<(), Error> + Send + Sync>>;

/// What the rounds of a handler share.
pub(super) struct HandlerState {
    pub(super) measure: Option<MeasureFn>,
    pub(super) finish: Option<FinishFn>,
    pub(super) retry: bool,
    pub(super) wait: bool,
    pub(super) active: Arc<ActiveWorkers>,
    /// Not locked while the host or the user's code is called.
    pub(super) state: Mutex<RoundState>,
}

#[derive(Default)]
pub(super) struct RoundState {
    pub(super) flags: SyncFlags,
    pub(super) lease: Option<Arc<CallbackLease>>,
    pub(super) listed: HashMap<ItemId, SyncItem>,
    pub(super) chosen: Vec<ItemId>,
    /// How much there is to do for those that were measured.
    pub(super) measured: HashMap<ItemId, u64>,
    pub(super) skipped: HashSet<ItemId>,
    /// The errors in the log, each with its item.
    pub(super) logged: HashMap<ErrorId, ItemId>,
}

impl HandlerState {
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

    /// The maximum that was reported for an item in the prepare; 0 for none.
    pub(super) fn measured(&self, item: ItemId) -> u64 {
        self.state.lock().measured.get(&item).copied().unwrap_or(0)
    }

    /// Reports how much there is to do for an item.
    pub(super) fn measure(&self, work: &ItemContext) {
        let Some(measure) = &self.measure else {
            return;
        };
        match guarded(|| measure(work)) {
            // An answer that ends the work is remembered there.
            Ok(max) => {
                self.state.lock().measured.insert(work.item().id, max);
                let _ = work.max(max);
            }
            Err(WorkFailure::Cancelled(..)) => {}
            Err(broken) => {
                let text = format!("how much there is to do is not known: {broken}");
                let _ = work.log(LogLevel::Warning, &text);
            }
        }
    }

    /// What is to be done at the end; none where nothing is.
    pub(super) fn finish(&self) -> Option<Result<(), WorkFailure>> {
        let finish = self.finish.as_ref()?;
        Some(guarded(&**finish))
    }
}
