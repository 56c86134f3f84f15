//! Workers that are threads.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

use super::round::{NotDone, Round, Source};
use super::{Error, PerItem};
use crate::ItemList;

pub(super) struct Threads<P>(pub(super) P);

impl<P: PerItem> Threads<P> {
    fn work(&self, round: &Round) {
        while let Some(work) = round.begin() {
            // The error is the work's own code too, its text and its drop.
            let done = catch_unwind(AssertUnwindSafe(|| {
                let done = self.0.synchronize(&work);
                done.map_err(|error| NotDone::error(&error))
            }));
            let done = done.unwrap_or_else(|payload| Err(NotDone::panicked(payload)));
            round.end(&work, done);
        }
    }
}

impl<P: PerItem> Source for Threads<P> {
    fn items(&self) -> Result<ItemList, Error> {
        self.0.items()
    }

    /// Where there is a thread for one of them at least, the round goes on.
    fn start(self: Arc<Self>, round: &Arc<Round>, workers: usize) -> io::Result<()> {
        for number in 0..workers {
            let (source, on_thread) = (Arc::clone(&self), Arc::clone(round));
            let name = "syncmgr item".to_owned();
            let started = thread::Builder::new().name(name).spawn(move || {
                let worker = Worker(on_thread);
                source.work(&worker.0);
            });
            match started {
                Ok(_) => {}
                // Nothing has begun, so nothing is to be completed (rule H08).
                Err(error) if number == 0 => return Err(error),
                Err(_) => {
                    round.leave(workers - number);
                    break;
                }
            }
        }
        Ok(())
    }
}

/// A worker that leaves the round when it ends, however it does.
pub(super) struct Worker(pub(super) Arc<Round>);

impl Drop for Worker {
    fn drop(&mut self) {
        self.0.leave(1);
    }
}
