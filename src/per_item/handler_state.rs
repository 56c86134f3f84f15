//! The state of a handler, which its rounds and workers share.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use foldhash::fast::RandomState;
use parking_lot::Mutex;

use super::callback_lease::CallbackLease;
use super::error::Error;
use super::measure::MeasureFn;
use super::prepared_items::PreparedItems;
use super::shared_context::SharedContext;
use super::work_failure::{WorkFailure, guarded};
use super::worker_group::ActiveWorkers;
use crate::util::panic::Foreign;
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
    /// Whether any item was skipped, to be asked without the lock. `Release` and `Acquire`: who sees it also sees the item.
    pub(super) has_skipped: AtomicBool,
    /// Whether any error was logged, likewise.
    pub(super) has_logged: AtomicBool,
    /// Not locked while the host or the user's code is called.
    pub(super) state: Mutex<RoundState>,
}

#[derive(Default)]
pub(super) struct RoundState {
    pub(super) flags: SyncFlags,
    pub(super) lease: Option<Arc<CallbackLease>>,
    /// The items of the last prepare.
    pub(super) prepared: Option<PreparedItems>,
    pub(super) skipped: HashSet<ItemId, RandomState>,
    /// The errors in the log, each with its item.
    pub(super) logged: HashMap<ErrorId, ItemId>,
}

impl HandlerState {
    pub(super) fn is_skipped(&self, item: ItemId) -> bool {
        self.has_skipped.load(Ordering::Acquire) && self.state.lock().skipped.contains(&item)
    }

    /// The host has skipped an item.
    pub(super) fn skip(&self, item: ItemId) {
        self.state.lock().skipped.insert(item);
        self.has_skipped.store(true, Ordering::Release);
    }

    /// An error of an item was logged.
    pub(super) fn set_logged(&self, error: ErrorId, item: ItemId) {
        self.state.lock().logged.insert(error, item);
        self.has_logged.store(true, Ordering::Release);
    }

    /// Forgets an error; answers whether it was in the log.
    pub(super) fn forget(&self, error: ErrorId) -> bool {
        self.has_logged.load(Ordering::Acquire) && self.state.lock().logged.remove(&error).is_some()
    }

    /// Reports how much there is to do for an item, and returns it. The outer `None` means that the host panicked.
    pub(super) fn measure(&self, item: &SharedContext) -> Option<Option<u64>> {
        let Some(measure) = &self.measure else {
            return Some(None);
        };
        contained(|| {
            let measured = measure.call(&item.for_measure());
            item.end_measure();
            report_max(item, measured)
        })
    }

    /// As [`measure`](Self::measure), in a task.
    #[cfg(feature = "async")]
    pub(super) async fn measure_in_task(&self, item: &SharedContext) -> Option<Option<u64>> {
        let Some(measure) = &self.measure else {
            return Some(None);
        };
        let measured = measure.call_in_task(&item.for_measure()).await;
        item.end_measure();
        contained(|| report_max(item, measured))
    }

    /// Whether there is a future that measures.
    #[cfg(feature = "async")]
    pub(super) fn measures_in_tasks(&self) -> bool {
        matches!(self.measure, Some(MeasureFn::Async(_)))
    }

    /// What is to be done at the end; none where nothing is.
    pub(super) fn finish(&self) -> Option<Result<(), WorkFailure>> {
        let finish = self.finish.as_ref()?;
        Some(guarded(&**finish))
    }
}

fn report_max(item: &SharedContext, measured: Result<u64, WorkFailure>) -> Option<u64> {
    match measured {
        Ok(max) => {
            // An answer that ends the work is remembered there.
            let _ = item.max(max);
            Some(max)
        }
        Err(WorkFailure::Cancelled(..)) => None,
        Err(broken) => {
            let text = format!("how much there is to do is not known: {broken}");
            let _ = item.log(LogLevel::Warning, &text);
            None
        }
    }
}
