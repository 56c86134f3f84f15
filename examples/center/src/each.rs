//! A handler whose items are independent: each is done by one thread, from its first report to its last.
//!
//! What the contract asks of every such handler stands here once. What is done for an item a [`Work`] tells.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use syncmgr::{
    ErrorId, ErrorOutcome, HResult, HandlerError, HandlerInfo, ItemId, ItemList, ItemStatus,
    Participation, Prepared, ProgressUpdate, SyncCallback, SyncFlags, SyncHandler, SyncItem,
};

use crate::task::{End, Flags, Logged, Task};
use syncmgr_mirror::by_hand::crew::Crew;

/// What is done for the items.
pub trait Work: Send + Sync + 'static {
    /// What the handler tells about itself.
    fn info(&self) -> Result<HandlerInfo, HandlerError>;

    /// What can be synchronized.
    fn items(&self) -> Vec<SyncItem>;

    /// How much there is to do for an item, in the units in which the work is advanced; 0 where that is not known.
    fn measure(&self, item: ItemId) -> u64;

    /// The status of an item that is being worked on.
    fn status(&self, _item: ItemId) -> ItemStatus {
        ItemStatus::Updating
    }

    /// Does the item. It asks the task at every point at which it can stop.
    fn perform(&self, task: &Task) -> End;

    /// Shows an error, and answers the items to do again; none where the handler did not log it.
    fn show_error(&self, error: ErrorId, callback: &dyn SyncCallback) -> Option<Vec<ItemId>>;
}

/// A handler that does a [`Work`].
pub struct Each<W> {
    work: Arc<W>,
    threads: usize,
    crew: Arc<Crew>,
    logged: Logged,
    /// Never locked while the host is called.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    callback: Option<Arc<dyn SyncCallback>>,
    round: Option<Arc<Round>>,
}

/// The items of one prepare.
struct Round {
    items: Vec<(ItemId, Flags)>,
    by_id: HashMap<ItemId, usize>,
    all_stop: Arc<AtomicBool>,
}

impl Round {
    /// Takes one item after the other, on each thread that calls this with the same counter.
    fn each(&self, next: &AtomicUsize, mut act: impl FnMut(ItemId, &Flags)) {
        // Relaxed: only that no two threads get the same item matters.
        while let Some((item, flags)) = self.items.get(next.fetch_add(1, Relaxed)) {
            act(*item, flags);
        }
    }
}

impl<W: Work> Each<W> {
    /// A handler that does so many items at once.
    pub fn new(work: W, threads: usize) -> Arc<Self> {
        Arc::new(Self {
            work: Arc::new(work),
            threads,
            crew: Arc::default(),
            logged: Logged::default(),
            state: Mutex::default(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn callback(&self) -> Result<Arc<dyn SyncCallback>, HandlerError> {
        let callback = self.state().callback.clone();
        callback.ok_or(HandlerError::InvalidArgument)
    }
}

impl<W: Work> SyncHandler for Each<W> {
    fn initialize(&self, _: SyncFlags, _: Option<&[u8]>) -> Result<Participation, HandlerError> {
        Ok(Participation::Joins)
    }

    fn info(&self) -> Result<HandlerInfo, HandlerError> {
        self.work.info()
    }

    fn items(&self) -> Result<ItemList, HandlerError> {
        Ok(ItemList::Complete(self.work.items()))
    }

    /// H13: no call on a callback after it was taken away. So whoever is still at work is told to stop, and waited for.
    fn set_progress_callback(
        &self,
        callback: Option<Arc<dyn SyncCallback>>,
    ) -> Result<(), HandlerError> {
        let old = {
            let mut state = self.state();
            if let Some(round) = &state.round {
                round.all_stop.store(true, Relaxed);
            }
            std::mem::replace(&mut state.callback, callback)
        };
        self.crew.rest();
        drop(old);
        Ok(())
    }

    /// Measures the items on a thread of its own, so that their maxima are known.
    fn prepare_for_sync(self: Arc<Self>, items: &[ItemId]) -> Result<Prepared, HandlerError> {
        let callback = self.callback()?;
        let known = self.work.items();
        if items.is_empty()
            || !items
                .iter()
                .all(|id| known.iter().any(|item| item.id == *id))
        {
            return Err(HandlerError::InvalidArgument);
        }
        let all_stop = Arc::new(AtomicBool::new(false));
        let of_item = |item: &ItemId| {
            let flags = Flags {
                all_stop: Arc::clone(&all_stop),
                ..Flags::default()
            };
            (*item, flags)
        };
        let round = Arc::new(Round {
            items: items.iter().map(of_item).collect(),
            by_id: items.iter().copied().zip(0..).collect(),
            all_stop,
        });
        self.state().round = Some(Arc::clone(&round));
        let this = Arc::clone(&self);
        let next = AtomicUsize::new(0);
        let ended = Arc::clone(&callback);
        // H05: exactly once, by the last thread. If this fails no thread was started, and H06: never.
        self.crew.start(
            1,
            move || {
                round.each(&next, |item, flags| {
                    if let Ok(task) = Task::new(&callback, item, flags, &this.logged)
                        && task.check()
                    {
                        // The panic of one item is not to end the others, nor this item, which has yet to begin.
                        let max = catch_unwind(AssertUnwindSafe(|| this.work.measure(item)));
                        task.report(&ProgressUpdate::new().max(max.unwrap_or(0)));
                    }
                });
            },
            // A cancel so far is no failure: synchronize gives each item its final status.
            move || _ = ended.prepare_for_sync_completed(HResult::S_OK),
        )?;
        Ok(Prepared::Started)
    }

    fn synchronize(self: Arc<Self>) -> Result<(), HandlerError> {
        let callback = self.callback()?;
        let round = self.state().round.clone();
        let round = round.ok_or(HandlerError::InvalidArgument)?;
        let this = Arc::clone(&self);
        let next = AtomicUsize::new(0);
        let ended = Arc::clone(&callback);
        // H07: exactly once, by the last thread, when every item has its final status (H15).
        self.crew.start(
            self.threads.min(round.items.len()),
            move || {
                round.each(&next, |item, flags| {
                    if let Ok(task) = Task::new(&callback, item, flags, &this.logged) {
                        // A task that is dropped by a panic ends its item FAILED.
                        _ = catch_unwind(AssertUnwindSafe(|| perform(&*this.work, task)));
                    }
                });
            },
            move || _ = ended.synchronize_completed(HResult::S_OK),
        )?;
        Ok(())
    }

    /// H14: an item that waits is never begun; one in work stops.
    fn set_item_status(&self, item: ItemId, status: ItemStatus) -> Result<(), HandlerError> {
        let round = self.state().round.clone();
        let round = round.ok_or(HandlerError::InvalidArgument)?;
        match round.by_id.get(&item) {
            Some(place) if status == ItemStatus::Skipped => {
                round.items[*place].1.dropped.store(true, Relaxed);
                Ok(())
            }
            _ => Err(HandlerError::InvalidArgument),
        }
    }

    fn show_error(self: Arc<Self>, error: ErrorId) -> Result<(), HandlerError> {
        let callback = self.callback()?;
        let again = self.work.show_error(error, &*callback);
        let again = again.ok_or(HandlerError::InvalidArgument)?;
        // H09: this call has made its completion, so it answers a success even where the host wanted none any more.
        _ = callback.show_error_completed(match again.as_slice() {
            [] => ErrorOutcome::Done,
            items => ErrorOutcome::Retry(items),
        });
        Ok(())
    }
}

/// Brings one item to its final status. H01: the question comes before the start.
fn perform<W: Work>(work: &W, task: Task) {
    if !task.check() {
        return task.leave_out();
    }
    let begun = ProgressUpdate::new().status(work.status(task.item()));
    let end = match task.report(&begun) {
        true => work.perform(&task),
        false => End::Stopped,
    };
    task.finish(end);
}
