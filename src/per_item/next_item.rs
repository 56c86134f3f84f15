//! Where a worker takes its next item.

use std::sync::Arc;

use super::queue::{Queue, QueuedItem};
use super::round::Round;
use super::shared_context::SharedContext;
use crate::session::WorkerHost;
use crate::util::panic::contained;
use crate::{CallbackError, ItemId, ItemReporter, ItemStatus, ProgressUpdate, SyncItem};

/// What became of the next item.
pub(super) enum NextItem {
    /// It is to be worked on.
    Begun(BegunItem),
    /// It was ended without work, or takes no reports.
    Passed,
    /// There is none for this worker.
    Over,
}

/// What a worker keeps from one item to the next.
#[derive(Default)]
pub(super) struct ItemWorker {
    host: WorkerHost,
    /// A context that is not needed any more.
    spare: Option<SharedContext>,
}

impl ItemWorker {
    /// The item of this context is done.
    pub(super) fn done(&mut self, context: SharedContext) {
        self.spare = Some(context);
    }
}

/// An item that is to be worked on.
pub(super) struct BegunItem {
    pub(super) context: SharedContext,
    /// Its place in the prepare. None if it came later, so it is to be measured first.
    pub(super) place: Option<usize>,
}

impl Round {
    /// The next item: one that waits, or one that the host asks for.
    fn next(&self) -> Option<QueuedItem> {
        if !self.lease.is_open() {
            return None;
        }
        if let Some(waiting) = self.queue.pop() {
            return Some(waiting);
        }
        contained(|| self.take_requests());
        self.queue.pop()
    }

    /// Adds the items that the host asks for.
    fn take_requests(&self) -> Result<(), CallbackError> {
        // A host may not offer it.
        for id in self.lease.callback()?.additional_items()? {
            let Some(item) = self.source.find(id, 0) else {
                continue;
            };
            // Refused where it takes part already; then the host does it in another run. Of two workers one is refused.
            let add = |item| self.lease.callback.add_item(item);
            let _ = self.queue.add(item, add);
        }
        Ok(())
    }

    /// The next item of the prepare that is to be measured: `Begun`, without having begun.
    pub(super) fn step_of_measure(&self, worker: &mut ItemWorker) -> NextItem {
        let Some(QueuedItem::Prepared(place, id)) =
            self.queue.pop().filter(|_| self.lease.is_open())
        else {
            return NextItem::Over;
        };
        // Where the host panics, the item has no maximum.
        match contained(|| self.ask(worker, id, place)).flatten() {
            Some(reporter) => NextItem::Begun(BegunItem {
                context: self.context(worker, self.find(id, place), place, reporter, None, 0),
                place: Some(place),
            }),
            _ => NextItem::Passed,
        }
    }

    /// Measures an item: one of the prepare at its place, or one that came later. Returns `false` if the host panicked.
    pub(super) fn measure(&self, item: &SharedContext, place: Option<usize>) -> bool {
        self.keep_max(self.handler.measure(item), place)
    }

    /// As [`measure`](Self::measure), in a task.
    #[cfg(feature = "async")]
    pub(super) async fn measure_in_task(&self, item: &SharedContext, place: Option<usize>) -> bool {
        self.keep_max(self.handler.measure_in_task(item).await, place)
    }

    fn keep_max(&self, measured: Option<Option<u64>>, place: Option<usize>) -> bool {
        if let (Some(Some(max)), Some(place)) = (measured, place) {
            self.items.set_max(place, max);
        }
        measured.is_some()
    }

    /// Ends an item about which the host panicked.
    pub(super) fn end_by_host(&self, item: &SharedContext) {
        item.close();
        self.fail_by_host(item.item().id);
    }

    /// Begins the next item, or ends it if it is cancelled or skipped: one item a call, so that a task can yield between two.
    pub(super) fn step(&self, worker: &mut ItemWorker) -> NextItem {
        let Some(waiting) = self.next() else {
            return NextItem::Over;
        };
        let (item, place) = match waiting {
            QueuedItem::Prepared(place, id) => (self.find(id, place), Some(place)),
            QueuedItem::Late(item) => (item, None),
        };
        let id = item.id;
        match contained(|| self.begin_one(worker, item, place)) {
            Some(Some(context)) => return NextItem::Begun(BegunItem { context, place }),
            Some(None) => {}
            None => self.fail_by_host(id),
        }
        NextItem::Passed
    }

    /// The reporter of an item, if it goes on.
    fn ask(&self, worker: &mut ItemWorker, id: ItemId, place: usize) -> Option<ItemReporter> {
        if self.handler.is_skipped(id) {
            return None;
        }
        let callback = &self.lease.callback;
        let reporter = worker.host.reporter(callback, id, place).ok()??;
        (!self.handler.is_skipped(id)).then_some(reporter)
    }

    fn begin_one(
        &self,
        worker: &mut ItemWorker,
        item: SyncItem,
        place: Option<usize>,
    ) -> Option<SharedContext> {
        // Asked first, so that a skip that is told later concerns an item that has reported (rules H01, H14); and reported as in
        // work, so that it is seen before it has a value. If the host has let go, there is nobody to tell.
        let goes_on = || !self.handler.is_skipped(item.id);
        let callback = &self.lease.callback;
        let (reporter, begun) = worker.host.begin(callback, item.id, place, goes_on).ok()?;
        if !begun {
            let _ = reporter.skip();
            return None;
        }
        let max = place.map_or(0, |place| self.items.max(place));
        let place = place.unwrap_or(0);
        Some(self.context(worker, item, place, reporter, Some(&self.queue), max))
    }

    /// A context for an item: the spare one, unless somebody has kept it.
    fn context(
        &self,
        worker: &mut ItemWorker,
        item: SyncItem,
        place: usize,
        reporter: ItemReporter,
        queue: Option<&Arc<Queue>>,
        max: u64,
    ) -> SharedContext {
        if let Some(mut spare) = worker.spare.take() {
            if let Some(state) = spare.state_mut() {
                state.renew(item, place, reporter, max);
                return spare;
            }
        }
        SharedContext::new(item, place, reporter, &self.lease, queue, max)
    }

    /// The host panicked in a call about an item: the item has failed, unless the host says that it has ended.
    pub(super) fn fail_by_host(&self, id: ItemId) {
        contained(|| {
            let reporter = ItemReporter::new(self.lease.callback()?, id);
            if reporter.check() != Err(CallbackError::ItemFinished) {
                let failed = ProgressUpdate::new().status(ItemStatus::Failed);
                let _ = reporter.report(&failed.text("the host panicked"))?;
            }
            Ok::<(), CallbackError>(())
        });
    }
}
