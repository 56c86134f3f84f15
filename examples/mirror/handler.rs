//! The sync handler: what a host sees of the mirror.
//!
//! Each method returns at once. `prepare_for_sync` and `synchronize` start threads and answer "started"; the last of
//! these threads calls the completion. The comments name the rules of the contract that each step keeps.

use crate::crew::Crew;
use crate::dir::Dir;
use crate::job::{Counts, Job, Subject};
use crate::place::Places;
use crate::scan::Scan;
use crate::show::shortened;
use crate::work::Work;
use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use syncmgr::{
    HResult, HandlerError, HandlerInfo, HandlerName, ItemId, ItemList, ItemName, ItemStatus,
    LogLevel, LogRecord, Participation, Prepared, SyncCallback, SyncFlags, SyncHandler, SyncItem,
    Uuid,
};

/// Makes one directory a copy of another; each entry of the source is an item.
pub struct Mirror {
    source: Arc<Dir>,
    dest: Arc<Dir>,
    /// In the order of their numbers, from 1.
    subjects: Vec<(ItemId, Subject)>,
    delete: bool,
    threads: usize,
    crew: Arc<Crew>,
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
    jobs: Vec<Arc<Job>>,
    by_id: HashMap<ItemId, usize>,
    /// Every job looks at it: nothing goes on.
    all_stop: Arc<AtomicBool>,
}

/// The ids of our items are made in this name space from the raw bytes of their names, so an item has the same id
/// in every run.
const NAMESPACE: Uuid = Uuid::from_u128(0x7d1c_9a54_38e6_4f0b_a2c5_60d1_97be_f843);

impl Mirror {
    /// A mirror of the source's entries but those of the names in `without`.
    pub fn new(
        places: Places,
        delete: bool,
        threads: usize,
        without: &[&str],
    ) -> io::Result<Arc<Self>> {
        // Other mirrors see that this one is at work here.
        places.dest_dir.lock(false);
        let mut names: Vec<OsString> = places.source_dir.names()?;
        names.retain(|name| !without.iter().any(|left_out| name == left_out));
        names.sort_unstable();
        let mut subjects: Vec<_> = names
            .into_iter()
            .map(|name| (id(name.as_encoded_bytes()), Subject::Entry(name)))
            .collect();
        if delete {
            // No entry has an empty name.
            subjects.push((id(b""), Subject::Extras));
        }
        Ok(Arc::new(Self {
            source: Arc::new(places.source_dir),
            dest: Arc::new(places.dest_dir),
            subjects,
            delete,
            threads,
            crew: Arc::default(),
            state: Mutex::default(),
        }))
    }

    /// The items in the order of their numbers.
    pub fn subjects(&self) -> &[(ItemId, Subject)] {
        &self.subjects
    }

    /// What was done for an item in the last round.
    pub fn counts(&self, item: ItemId) -> Counts {
        let round = self.state().round.clone();
        let job = round.and_then(|round| round.job(item).cloned());
        job.map(|job| job.counts()).unwrap_or_default()
    }

    /// Gives the destination itself the permissions and times of the source.
    pub fn keep_top(&self) -> io::Result<()> {
        self.dest.keep(&self.source.meta()?)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn id(name: &[u8]) -> ItemId {
    ItemId::from_name(NAMESPACE, name)
}

impl Round {
    fn job(&self, item: ItemId) -> Option<&Arc<Job>> {
        Some(&self.jobs[*self.by_id.get(&item)?])
    }
}

impl SyncHandler for Mirror {
    fn initialize(&self, _: SyncFlags, _: Option<&[u8]>) -> Result<Participation, HandlerError> {
        Ok(Participation::Joins)
    }

    fn info(&self) -> Result<HandlerInfo, HandlerError> {
        Ok(HandlerInfo::new(HandlerName::shortened("Directory mirror")))
    }

    fn items(&self) -> Result<ItemList, HandlerError> {
        // A file's name may be any bytes and 255 of them; an item's name is text of at most 127 units.
        let item = |(id, subject): &(ItemId, Subject)| {
            let name = shortened(&subject.text(), 100);
            SyncItem::new(*id, ItemName::shortened(&name))
        };
        Ok(ItemList::Complete(self.subjects.iter().map(item).collect()))
    }

    /// H13: no call on a callback after it was taken away. So whoever is still at work is told to stop, and waited for.
    fn set_progress_callback(
        &self,
        callback: Option<Arc<dyn SyncCallback>>,
    ) -> Result<(), HandlerError> {
        let old = {
            let mut state = self.state();
            if let Some(round) = &state.round {
                round.all_stop.store(true, Ordering::Relaxed);
            }
            std::mem::replace(&mut state.callback, callback)
        };
        self.crew.rest();
        drop(old);
        Ok(())
    }

    /// Counts the bytes of each item on threads of its own, so that its maximum is known.
    fn prepare_for_sync(self: Arc<Self>, items: &[ItemId]) -> Result<Prepared, HandlerError> {
        let callback = self.state().callback.clone();
        let callback = callback.ok_or(HandlerError::InvalidArgument)?;
        let wanted: HashSet<_> = items.iter().collect();
        let all_stop = Arc::new(AtomicBool::new(false));
        let mut jobs = Vec::with_capacity(items.len());
        let mut by_id = HashMap::with_capacity(items.len());
        for (item, subject) in &self.subjects {
            if wanted.contains(item) {
                by_id.insert(*item, jobs.len());
                let job = Job::new(*item, subject.clone(), &callback, &all_stop)?;
                jobs.push(Arc::new(job));
            }
        }
        if jobs.is_empty() || jobs.len() != wanted.len() {
            return Err(HandlerError::InvalidArgument);
        }
        let scan = Scan::new(Arc::clone(&self.source), jobs.clone());
        self.state().round = Some(Arc::new(Round {
            jobs,
            by_id,
            all_stop,
        }));
        // H05: exactly once, by the last thread. If this fails no thread was started, and H06: never.
        self.crew.start(
            self.threads,
            move || scan.run(),
            // A cancel so far is no failure: synchronize gives each item its final status.
            move || _ = callback.prepare_for_sync_completed(HResult::S_OK),
        )?;
        Ok(Prepared::Started)
    }

    fn synchronize(self: Arc<Self>) -> Result<(), HandlerError> {
        let (callback, round) = {
            let state = self.state();
            (state.callback.clone(), state.round.clone())
        };
        let callback = callback.ok_or(HandlerError::InvalidArgument)?;
        let round = round.ok_or(HandlerError::InvalidArgument)?;
        let work = Work::new(
            Arc::clone(&self.source),
            Arc::clone(&self.dest),
            &round.jobs,
            self.delete,
            Arc::clone(&callback),
        )?;
        let this = Arc::clone(&self);
        // H07: exactly once, by the last thread, when every item has its final status (H15).
        self.crew.start(
            self.threads,
            move || work.run(),
            move || {
                let result = this.keep_top().map_or_else(
                    |error| {
                        let text = format!(
                            "cannot set the times and permissions of the destination: {error}"
                        );
                        _ = callback.log_error(&LogRecord::new(LogLevel::Error, &text));
                        HResult::E_FAIL
                    },
                    |()| HResult::S_OK,
                );
                _ = callback.synchronize_completed(result);
            },
        )?;
        Ok(())
    }

    /// H14: an item that waits is never begun.
    fn set_item_status(&self, item: ItemId, status: ItemStatus) -> Result<(), HandlerError> {
        let round = self.state().round.clone();
        match round.as_ref().and_then(|round| round.job(item)) {
            Some(job) if status == ItemStatus::Skipped => {
                job.skip();
                Ok(())
            }
            _ => Err(HandlerError::InvalidArgument),
        }
    }
}
