//! The sync handler, method by method.
//!
//! `prepare_for_sync` and `synchronize` start threads and answer at once; the last of these threads calls the completion.
//! Each item is done by one thread. The comments name the rules of the contract that each step keeps.

use super::crew::Crew;
use crate::copy::{Copied, Copier, Place, Watcher};
use crate::dir::{Dir, Kind};
use crate::fault::{Problem, ProtocolViolation, Step};
use crate::place::Places;
use crate::show::{escaped, shortened};
use crate::temp::Namer;
use std::cell::Cell;
use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use syncmgr::{
    CallbackError, ErrorId, ErrorOutcome, HResult, HandlerError, HandlerInfo, HandlerName, ItemId,
    ItemList, ItemName, ItemReporter, ItemStatus, LogSelector, Participation, Prepared,
    ProgressUpdate, SyncCallback, SyncFlags, SyncHandler, SyncItem, Uuid, Verdict,
};

/// Copies the entries of one directory into another; each is an item.
pub struct Mirror {
    source: Dir,
    dest: Dir,
    names: Vec<(ItemId, OsString)>,
    threads: usize,
    namer: Namer,
    crew: Arc<Crew>,
    /// Never locked while the host is called.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    callback: Option<Arc<dyn SyncCallback>>,
    round: Option<Arc<Round>>,
}

/// The items of one prepare. Relaxed, all of its flags: one that is seen a moment later costs that moment.
struct Round {
    items: Vec<Item>,
    /// The callback was taken away: nothing goes on.
    over: AtomicBool,
}

struct Item {
    id: ItemId,
    name: OsString,
    /// Those that prepare has counted.
    bytes: AtomicU64,
    skipped: AtomicBool,
    failed: AtomicBool,
}

impl Round {
    fn find(&self, id: ItemId) -> Option<&Item> {
        self.items.iter().find(|item| item.id == id)
    }
}

/// An item has the same id in every run: it comes from the raw bytes of its name.
const NAMESPACE: Uuid = Uuid::from_u128(0x2f0e_6b1d_90c4_4c55_8d3a_1be7_7a94_c620);

impl Mirror {
    pub fn new(places: Places, threads: usize) -> io::Result<Arc<Self>> {
        let mut names = places.source_dir.names()?;
        names.sort_unstable();
        let id = |name: &OsString| ItemId::from_name(NAMESPACE, name.as_encoded_bytes());
        Ok(Arc::new(Self {
            source: places.source_dir,
            dest: places.dest_dir,
            names: names.into_iter().map(|name| (id(&name), name)).collect(),
            threads,
            namer: Namer::new(),
            crew: Arc::default(),
            state: Mutex::default(),
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a step works with: the host calls none before it has set a callback and made a prepare (rules M01, M03).
    fn step(&self) -> Result<(Arc<dyn SyncCallback>, Arc<Round>), HandlerError> {
        let state = self.state();
        let step = state.callback.clone().zip(state.round.clone());
        step.ok_or(HandlerError::InvalidArgument)
    }

    /// Does something for each item of the round on threads of its own, and then completes.
    fn for_each(
        self: Arc<Self>,
        act: impl Fn(&Mirror, Task<'_>) + Send + Sync + 'static,
        complete: impl FnOnce(&dyn SyncCallback) + Send + Sync + 'static,
    ) -> Result<(), HandlerError> {
        let (callback, round) = self.step()?;
        let (host, crew, threads) = (Arc::clone(&callback), Arc::clone(&self.crew), self.threads);
        let next = AtomicUsize::new(0);
        let work = move || {
            // Relaxed: only that no two threads get the same number matters.
            while let Some(item) = round.items.get(next.fetch_add(1, Relaxed)) {
                let reporter = ItemReporter::new(&callback, item.id);
                act(&self, Task::new(reporter, &round, item));
            }
        };
        Ok(crew.start(threads, work, move || complete(&*host))?)
    }

    /// Counts the bytes of an item, so that its maximum is known.
    fn measure(&self, task: &Task<'_>) {
        let item = task.item;
        // H14: an item that was skipped before its first report gets none but its final status.
        if !item.skipped.load(Relaxed) && task.check() {
            let bytes = count(&self.source, &item.name, task);
            item.bytes.store(bytes, Relaxed);
            task.report(&ProgressUpdate::new().max(bytes));
        }
    }

    /// Does an item, from the first question to its final status (rule H15).
    fn perform(&self, task: Task<'_>) {
        let item = task.item;
        // H01: ask before it is begun. H14: one that is skipped is not. The order lets no skip slip between the two.
        let begins = task.check() && !item.skipped.load(Relaxed);
        if !begins {
            return task.end(ItemReporter::skip);
        }
        let updating = ProgressUpdate::new().status(ItemStatus::Updating);
        let mut copier = Copier::new(&self.namer);
        let copied = match task.report(&updating) {
            true => self.copy(&self.source, &self.dest, &item.name, &task, &mut copier),
            false => Ok(()),
        };
        match copied {
            Err((path, problem)) => {
                item.failed.store(true, Relaxed);
                let fault = ProtocolViolation { path, problem };
                task.end(|reporter| reporter.fail_as(&fault, error_of(item.id)));
            }
            Ok(()) if task.goes_on() => task.end(ItemReporter::succeed),
            Ok(()) => task.end(ItemReporter::stop),
        }
    }

    /// Copies what stands at that name, with all that is under it. The first thing that goes wrong ends it.
    fn copy(
        &self,
        source: &Dir,
        dest: &Dir,
        name: &OsStr,
        task: &Task<'_>,
        copier: &mut Copier<'_>,
    ) -> Result<(), (PathBuf, Problem)> {
        let here = |problem| (PathBuf::from(name), problem);
        let at = |step| move |error| here(Problem::Io(step, error));
        let meta = source.look(name).map_err(at(Step::Look))?;
        let taken = true;
        let place = Place {
            source,
            dest,
            name,
            taken,
        };
        let copied = match meta.kind {
            Kind::File => copier.file(place, &meta, task),
            Kind::Link => copier.link(place, &meta),
            Kind::Special => Ok(Copied::Unchanged), // pipes, sockets and devices are left out
            Kind::Dir => {
                let inner = source.sub(name).map_err(at(Step::Open))?;
                match dest.make_dir(name) {
                    Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                        return Err(at(Step::Create)(error));
                    }
                    _ => {}
                }
                let copy = dest.sub(name).map_err(at(Step::Enter))?;
                copy.unlock_mode().map_err(at(Step::Keep))?;
                for inside in inner.names().map_err(at(Step::List))? {
                    if !task.check() {
                        break;
                    }
                    self.copy(&inner, &copy, &inside, task, copier)
                        .map_err(|(path, problem)| (Path::new(name).join(path), problem))?;
                }
                copy.keep(&meta).map_err(at(Step::Keep))?;
                Ok(Copied::Unchanged)
            }
        };
        copied.map(drop).map_err(here)
    }
}

fn count(dir: &Dir, name: &OsStr, task: &Task<'_>) -> u64 {
    match dir.look(name) {
        Ok(meta) if meta.kind == Kind::File => meta.size,
        Ok(meta) if meta.kind == Kind::Dir && task.check() => {
            let inner = dir.sub(name).and_then(|inner| Ok((inner.names()?, inner)));
            // What cannot be read counts nothing here; synchronize tells why.
            let Ok((names, inner)) = inner else { return 0 };
            names.iter().map(|name| count(&inner, name, task)).sum()
        }
        _ => 0,
    }
}

/// An item has one error at a time, which goes by the item's id.
fn error_of(item: ItemId) -> ErrorId {
    ErrorId::from(item.as_uuid())
}

/// One item on one thread: the only place where a verdict is judged.
struct Task<'r> {
    reporter: ItemReporter,
    round: &'r Round,
    item: &'r Item,
    done: Cell<u64>,
    /// This thread was told to stop, so nothing but the final status is reported (rules H02, H03).
    told: Cell<bool>,
}

impl<'r> Task<'r> {
    fn new(reporter: ItemReporter, round: &'r Round, item: &'r Item) -> Self {
        let (done, told) = Default::default();
        Self {
            reporter,
            round,
            item,
            done,
            told,
        }
    }

    /// An error means that the host wants no more of this item.
    fn judge(&self, answer: Result<Verdict, CallbackError>) -> bool {
        self.told.set(answer != Ok(Verdict::Continue));
        !self.told.get()
    }

    fn goes_on(&self) -> bool {
        !self.told.get() && !self.round.over.load(Relaxed)
    }

    fn check(&self) -> bool {
        self.goes_on() && self.judge(self.reporter.check())
    }

    fn report(&self, update: &ProgressUpdate<'_>) -> bool {
        self.goes_on() && self.judge(self.reporter.report(update))
    }

    fn end(self, how: impl FnOnce(ItemReporter) -> Result<(), CallbackError>) {
        // Refused only where the host has let go: there is nobody to tell.
        _ = how(self.reporter);
    }
}

impl Watcher for Task<'_> {
    /// H17: the value never exceeds the maximum, also where files have grown since they were counted.
    fn advance(&self, bytes: u64) -> bool {
        let done = self.done.get() + bytes;
        self.done.set(done);
        let update = ProgressUpdate::new().value(done);
        if done > self.item.bytes.load(Relaxed) {
            self.report(&update.max(done))
        } else {
            self.report(&update)
        }
    }

    fn expect(&self, _: u64) {}
}

impl SyncHandler for Mirror {
    fn initialize(&self, _: SyncFlags, _: Option<&[u8]>) -> Result<Participation, HandlerError> {
        Ok(Participation::Joins)
    }

    fn info(&self) -> Result<HandlerInfo, HandlerError> {
        Ok(HandlerInfo::new(HandlerName::truncate_start(
            "Mirror by hand",
        )))
    }

    fn items(&self) -> Result<ItemList, HandlerError> {
        // A file's name may be any bytes and 255 of them; an item's name is text of at most 127 units.
        let item = |(id, name): &(ItemId, OsString)| {
            SyncItem::new(
                *id,
                ItemName::truncate_start(&shortened(&escaped(name), 100)),
            )
        };
        Ok(ItemList::Complete(self.names.iter().map(item).collect()))
    }

    /// H13: no call on a callback after it was taken away. So whoever is still at work is told to stop, and waited for.
    fn set_progress_callback(
        &self,
        callback: Option<Arc<dyn SyncCallback>>,
    ) -> Result<(), HandlerError> {
        let old = {
            let mut state = self.state();
            if let Some(round) = &state.round {
                round.over.store(true, Relaxed);
            }
            std::mem::replace(&mut state.callback, callback)
        };
        self.crew.rest();
        drop(old);
        Ok(())
    }

    /// H05: completed once, by the last thread. H06: where this answers an error no thread was started, and so never.
    fn prepare_for_sync(self: Arc<Self>, items: &[ItemId]) -> Result<Prepared, HandlerError> {
        let item = |(id, name): &(ItemId, OsString)| Item {
            id: *id,
            name: name.clone(),
            bytes: AtomicU64::new(0),
            skipped: AtomicBool::new(false),
            failed: AtomicBool::new(false),
        };
        let chosen = self.names.iter().filter(|(id, _)| items.contains(id));
        let chosen: Vec<_> = chosen.map(item).collect();
        if chosen.is_empty() || chosen.len() != items.len() {
            return Err(HandlerError::InvalidArgument);
        }
        self.state().round = Some(Arc::new(Round {
            items: chosen,
            over: AtomicBool::new(false),
        }));
        self.for_each(
            |mirror, task| mirror.measure(&task),
            // A cancel so far is no failure: synchronize gives each item its final status.
            |host| _ = host.prepare_for_sync_completed(HResult::S_OK),
        )?;
        Ok(Prepared::Started)
    }

    /// H07: completed once, by the last thread, when every item has its final status (H15). H08: never after an error.
    fn synchronize(self: Arc<Self>) -> Result<(), HandlerError> {
        self.for_each(Self::perform, |host| {
            _ = host.synchronize_completed(HResult::S_OK);
        })
    }

    /// H14: an item that waits is never begun. One in work is told by its verdict.
    fn set_item_status(&self, item: ItemId, status: ItemStatus) -> Result<(), HandlerError> {
        let (_, round) = self.step()?;
        match round.find(item) {
            Some(item) if status == ItemStatus::Skipped => {
                item.skipped.store(true, Relaxed);
                Ok(())
            }
            _ => Err(HandlerError::InvalidArgument),
        }
    }

    /// The user has seen why an item failed, and mended it: it is done again. H09: completed once, and only after a success.
    fn show_error(self: Arc<Self>, error: ErrorId) -> Result<(), HandlerError> {
        let (host, round) = self.step()?;
        let is_it = |item: &&Item| error_of(item.id) == error && item.failed.swap(false, Relaxed);
        let item = round.items.iter().find(is_it);
        let item = item.ok_or(HandlerError::InvalidArgument)?.id;
        // H20: it was logged here, and not deleted since.
        _ = host.delete_log_error(LogSelector::ById(error));
        _ = host.show_error_completed(ErrorOutcome::Retry(&[item])); // H18: an item that was listed
        Ok(())
    }
}
