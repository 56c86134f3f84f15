//! Where a worker takes its next item.

use std::sync::Arc;

use super::queue::QueuedItem;
use super::round::Round;
use super::shared_context::SharedContext;
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

/// An item that is to be worked on.
pub(super) struct BegunItem {
    pub(super) context: SharedContext,
    /// It came after the prepare, so it is to be measured first.
    pub(super) late: bool,
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
            let Some(item) = self.source.find(id) else {
                continue;
            };
            // Refused where it takes part already; then the host does it in another run. Of two workers one is refused.
            let add = |item| self.lease.callback.add_item(item);
            let _ = self.queue.add(item, add);
        }
        Ok(())
    }

    /// The reporter of an item, and whether the item may be begun. None where the host has let go: there is nobody to tell.
    fn ask(&self, id: ItemId) -> Option<(ItemReporter, bool)> {
        let reporter = ItemReporter::new(&self.lease.callback, id);
        // Asked first, so that a skip that is told later concerns an item that has reported (rules H01, H14).
        let goes_on = !self.handler.is_skipped(id) && reporter.check().ok()?.is_continue();
        let begins = goes_on && !self.handler.is_skipped(id);
        Some((reporter, begins))
    }

    /// The next item of the prepare that is to be measured: `Begun`, without having begun.
    pub(super) fn step_of_measure(&self) -> NextItem {
        let Some(QueuedItem::Prepared(id)) = self.queue.pop().filter(|_| self.lease.is_open())
        else {
            return NextItem::Over;
        };
        // Where the host panics, the item has no maximum.
        match contained(|| self.ask(id)).flatten() {
            Some((reporter, true)) => {
                let lease = Arc::clone(&self.lease);
                NextItem::Begun(BegunItem {
                    context: SharedContext::new(self.find(id), reporter, lease, None, 0),
                    late: false,
                })
            }
            _ => NextItem::Passed,
        }
    }

    /// Begins the next item, or ends it if it is cancelled or skipped: one item a call, so that a task can yield between two.
    pub(super) fn step(&self) -> NextItem {
        let Some(waiting) = self.next() else {
            return NextItem::Over;
        };
        let (item, late) = match waiting {
            QueuedItem::Prepared(id) => (self.find(id), false),
            QueuedItem::Late(item) => (item, true),
        };
        let id = item.id;
        match contained(|| self.begin_one(item)) {
            Some(Some(context)) => return NextItem::Begun(BegunItem { context, late }),
            Some(None) => {}
            None => self.fail_by_host(id),
        }
        NextItem::Passed
    }

    fn begin_one(&self, item: SyncItem) -> Option<SharedContext> {
        // So that it is seen before it has a value.
        const IN_WORK: ProgressUpdate<'_> = ProgressUpdate::new().status(ItemStatus::Updating);
        let (reporter, begins) = self.ask(item.id)?;
        if !begins || !reporter.report(&IN_WORK).ok()?.is_continue() {
            let _ = reporter.skip();
            return None;
        }
        let (lease, queue) = (Arc::clone(&self.lease), Arc::clone(&self.queue));
        let max = self.handler.measured(item.id);
        Some(SharedContext::new(item, reporter, lease, Some(queue), max))
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
