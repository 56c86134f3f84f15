//! Workers that are threads.

use std::io;
use std::sync::Arc;

use super::error::Error;
use super::round::{Round, WorkSource};
use super::traits::PerItem;
use super::work_failure::guarded;
use super::worker_group::start_threads;
use crate::ItemList;
use crate::util::panic::Foreign;

pub(super) struct ThreadWorkers<P>(pub(super) Foreign<P>);

impl<P: PerItem> WorkSource for ThreadWorkers<P> {
    fn items(&self) -> Result<ItemList, Error> {
        self.0.items()
    }

    fn start(self: Arc<Self>, round: &Arc<Round>, workers: usize) -> io::Result<()> {
        let (on_thread, end) = (Arc::clone(round), Arc::clone(round));
        let work = move || {
            while let Some(work) = on_thread.begin() {
                let done = guarded(|| self.0.synchronize(&work));
                on_thread.end(&work, done);
            }
        };
        start_threads(&round.handler.active, workers, work, move || {
            end.complete(|round, result, _| round.completed(result))
        })
    }
}
