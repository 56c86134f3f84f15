//! Workers that are threads.

use std::io;
use std::sync::Arc;

use super::context::ItemContext;
use super::error::Error;
use super::next_item::{BegunItem, ItemWorker, NextItem};
use super::round::{Round, WorkSource};
use super::work_failure::guarded;
use super::worker_group::start_threads;
use crate::{ItemId, ItemList, SyncItem};

/// Items that are done by threads.
pub(super) trait ThreadSource: Send + Sync + 'static {
    fn items(&self) -> Result<ItemList, Error>;
    fn find(&self, id: ItemId, place: usize) -> Option<SyncItem>;
    fn synchronize(&self, item: &ItemContext) -> Result<(), Error>;
}

pub(super) struct ThreadWorkers<S>(pub(super) S);

impl<S: ThreadSource> WorkSource for ThreadWorkers<S> {
    fn items(&self) -> Result<ItemList, Error> {
        self.0.items()
    }

    fn find(&self, id: ItemId, place: usize) -> Option<SyncItem> {
        self.0.find(id, place)
    }

    fn measure(self: Arc<Self>, round: &Arc<Round>, workers: usize) -> io::Result<()> {
        measure_on_threads(round, workers)
    }

    fn start(self: Arc<Self>, round: &Arc<Round>, workers: usize) -> io::Result<()> {
        let (on_thread, end) = (Arc::clone(round), Arc::clone(round));
        let work = move || {
            let mut worker = ItemWorker::default();
            loop {
                let BegunItem { context, place } = match on_thread.step(&mut worker) {
                    NextItem::Begun(begun) => begun,
                    NextItem::Passed => continue,
                    NextItem::Over => return,
                };
                if place.is_none() && !on_thread.measure(&context, None) {
                    on_thread.end_by_host(&context);
                    continue;
                }
                let item = ItemContext::new(context.clone());
                let done = guarded(|| self.0.synchronize(&item));
                drop(item);
                on_thread.end(&context, done);
                worker.done(context);
            }
        };
        start_threads(&round.handler.active, workers, work, move || {
            end.complete(|round, result, _| round.completed(result))
        })
    }
}

/// Measures the items of a round on so many threads.
pub(super) fn measure_on_threads(round: &Arc<Round>, workers: usize) -> io::Result<()> {
    let (on_thread, end) = (Arc::clone(round), Arc::clone(round));
    let work = move || {
        let mut worker = ItemWorker::default();
        loop {
            match on_thread.step_of_measure(&mut worker) {
                NextItem::Begun(BegunItem { context, place }) => {
                    // Where the host panics, the item has no maximum.
                    on_thread.measure(&context, place);
                    worker.done(context);
                }
                NextItem::Passed => {}
                NextItem::Over => return,
            }
        }
    };
    start_threads(&round.handler.active, workers, work, move || end.measured())
}
