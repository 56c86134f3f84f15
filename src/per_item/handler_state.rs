//! The state of a handler, which its rounds and workers share.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use foldhash::fast::RandomState;
use parking_lot::Mutex;

use super::callback_lease::CallbackLease;
use super::error::Error;
use super::measure::MeasureFn;
use super::shared_context::SharedContext;
use super::work_failure::{WorkFailure, guarded};
use super::worker_group::ActiveWorkers;
use crate::util::panic::Foreign;
#[cfg(feature = "async")]
use crate::util::panic::contained;
use crate::{ErrorId, ItemId, LogLevel, SyncFlags};

// A worker may be the last owner of the handler, so panics in the drop of this are contained.
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
    pub(super) chosen: Vec<ItemId>,
    /// How much there is to do for those that were measured.
    pub(super) measured: HashMap<ItemId, u64, RandomState>,
    pub(super) skipped: HashSet<ItemId, RandomState>,
    /// The errors in the log, each with its item.
    pub(super) logged: HashMap<ErrorId, ItemId>,
}

impl HandlerState {
    pub(super) fn is_skipped(&self, item: ItemId) -> bool {
        self.state.lock().skipped.contains(&item)
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
    pub(super) fn measure(&self, item: &SharedContext) {
        if let Some(measure) = &self.measure {
            self.set_measured(item, measure.call(item));
        }
    }

    /// As [`measure`](Self::measure), in a task.
    #[cfg(feature = "async")]
    pub(super) async fn measure_in_task(&self, item: &SharedContext) {
        if let Some(measure) = &self.measure {
            let measured = measure.call_in_task(item).await;
            contained(|| self.set_measured(item, measured));
        }
    }

    /// Whether there is a future that measures.
    #[cfg(feature = "async")]
    pub(super) fn measures_in_tasks(&self) -> bool {
        matches!(self.measure, Some(MeasureFn::Async(_)))
    }

    fn set_measured(&self, item: &SharedContext, measured: Result<u64, WorkFailure>) {
        match measured {
            // An answer that ends the work is remembered there.
            Ok(max) => {
                self.state.lock().measured.insert(item.item().id, max);
                let _ = item.max(max);
            }
            Err(WorkFailure::Cancelled(..)) => {}
            Err(broken) => {
                let text = format!("how much there is to do is not known: {broken}");
                let _ = item.log(LogLevel::Warning, &text);
            }
        }
    }

    /// What is to be done at the end; none where nothing is.
    pub(super) fn finish(&self) -> Option<Result<(), WorkFailure>> {
        let finish = self.finish.as_ref()?;
        Some(guarded(&**finish))
    }
}
