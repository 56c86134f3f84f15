//! What the worker threads do: items, task by task.

use crate::copy::{Copied, Copier, Place, Watcher};
use crate::dir::{Dir, Kind, Meta};
use crate::fault::{Fault, Problem, Step};
use crate::folder::{Folder, remove_leftovers};
use crate::job::{Job, Subject};
use crate::pool::{Pool, Turn};
use crate::remove::{Limits, remove};
use crate::show::escaped;
use crate::temp::{self, Namer};
use std::collections::HashSet;
use std::ffi::OsString;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use syncmgr::{LogLevel, LogRecord, SyncCallback};

/// A piece of the work on an item.
enum Task {
    /// A directory: make tasks of what it holds.
    Enter(Arc<Folder>, Entry),
    /// Files and links of one directory.
    Copy(Arc<Folder>, Vec<Entry>),
    /// What the destination has and the source has not.
    Remove(Arc<Folder>, Vec<OsString>),
}

/// An entry of a directory of the source.
struct Entry {
    name: OsString,
    meta: Meta,
    /// Whether the destination has something of that name.
    taken: bool,
}

/// So many files make one task: few enough to spread over threads, enough to be worth the lock.
const BATCH: usize = 64;
/// Or so many bytes.
const BATCH_BYTES: u64 = 8 << 20;

/// One synchronization: what its threads share.
pub struct Work {
    pool: Pool<Task>,
    top: Arc<Folder>,
    limits: Limits,
    namer: Namer,
    delete: bool,
    /// What the destination had at its top when the work began; `None` if that could not be listed.
    there: OnceLock<Option<HashSet<OsString>>>,
    callback: Arc<dyn SyncCallback>,
}

impl Work {
    pub fn new(
        source: Arc<Dir>,
        dest: Arc<Dir>,
        jobs: &[Arc<Job>],
        delete: bool,
        callback: Arc<dyn SyncCallback>,
    ) -> io::Result<Self> {
        Ok(Self {
            pool: Pool::new(jobs.iter().cloned()),
            limits: Limits {
                source: source.meta()?,
                dest: dest.meta()?,
            },
            top: Arc::new(Folder::top(source, dest)),
            namer: Namer::new(),
            delete,
            there: OnceLock::new(),
            callback,
        })
    }

    /// Works until there is nothing left to do. Run by each thread.
    pub fn run(&self) {
        self.there();
        let mut copier = Copier::new(&self.namer);
        let mut last = None;
        while let Some(turn) = self.pool.next(last.as_ref()) {
            let (Turn::Begin(job) | Turn::Do(job, _)) = &turn;
            let job = Arc::clone(job);
            let turn = AssertUnwindSafe(|| self.turn(turn, &mut copier));
            if catch_unwind(turn).is_err() {
                job.fault(&Fault {
                    path: PathBuf::from(job.subject.text()),
                    problem: Problem::Panicked,
                });
            }
            if self.pool.done(&job) {
                job.finish();
            }
            last = Some(job);
        }
    }

    /// The names at the top of the destination. The first thread to ask lists them, and removes the leftovers there,
    /// which belong to no single item.
    fn there(&self) -> Option<&HashSet<OsString>> {
        let list = || {
            let log = |level, text: &str| _ = self.callback.log_error(&LogRecord::new(level, text));
            match (self.top.source.names(), self.top.dest.names()) {
                (Ok(here), Ok(there)) => {
                    let here: HashSet<_> = here.into_iter().collect();
                    let ours = |name: &&OsString| temp::is_ours(name) && !here.contains(*name);
                    let leftovers: Vec<_> = there.iter().filter(ours).cloned().collect();
                    remove_leftovers(&self.top.dest, &leftovers, log);
                    Some(there.into_iter().collect())
                }
                (Err(error), _) | (_, Err(error)) => {
                    log(
                        LogLevel::Warning,
                        &format!("cannot look for leftovers: {error}"),
                    );
                    None
                }
            }
        };
        self.there.get_or_init(list).as_ref()
    }

    fn turn(&self, turn: Turn<Task>, copier: &mut Copier<'_>) {
        match turn {
            Turn::Begin(job) => {
                if job.begin() {
                    self.begin(&job);
                }
            }
            // Whoever was told to stop leaves the rest of the tasks undone.
            Turn::Do(job, _) if !job.goes_on() => {}
            Turn::Do(job, Task::Enter(folder, entry)) => {
                let path = folder.path(&entry.name);
                if job.at(&escaped(&path)) {
                    if let Err(problem) = self.enter(&job, &folder, &entry) {
                        job.fault(&Fault { path, problem });
                    }
                }
            }
            Turn::Do(job, Task::Copy(folder, entries)) => {
                if job.check() {
                    copy(&job, &folder, &entries, copier);
                }
            }
            Turn::Do(job, Task::Remove(folder, names)) => {
                for name in names {
                    // It may have come to the source since.
                    let gone = matches!(folder.source.look(&name),
                        Err(error) if error.kind() == io::ErrorKind::NotFound);
                    if gone {
                        remove(&folder.dest, &name, &folder.path(&name), &job, &self.limits);
                    }
                    if !job.goes_on() {
                        break;
                    }
                }
            }
        }
    }

    /// Makes the first task of an item.
    fn begin(&self, job: &Arc<Job>) {
        let top = &self.top;
        match &job.subject {
            Subject::Entry(name) => match top.source.look(name) {
                Ok(meta) => {
                    let entry = Entry {
                        name: name.clone(),
                        meta,
                        taken: self.there().is_none_or(|there| there.contains(name)),
                    };
                    if meta.kind == Kind::File {
                        job.expect(meta.size);
                    }
                    self.pool.push(job, tasks(job, top, vec![entry]));
                }
                Err(error) => job.fault(&top.fault(name, Problem::Io(Step::Look, error))),
            },
            Subject::Extras => match (top.source.names(), top.dest.names()) {
                (Ok(here), Ok(there)) => {
                    let here: HashSet<_> = here.into_iter().collect();
                    // Temporary names may be in use by the other items.
                    let extra = |name: &OsString| !here.contains(name) && !temp::is_ours(name);
                    let extras: Vec<_> = there.into_iter().filter(extra).collect();
                    self.pool
                        .push(job, vec![Task::Remove(Arc::clone(top), extras)]);
                }
                (Err(error), _) | (_, Err(error)) => {
                    job.fault(&top.fault(".".as_ref(), Problem::Io(Step::List, error)));
                }
            },
        }
    }

    /// Opens a directory, lists both sides, and makes tasks of the difference.
    fn enter(&self, job: &Arc<Job>, parent: &Arc<Folder>, entry: &Entry) -> Result<(), Problem> {
        let folder = parent.enter(job, &entry.name, entry.taken, &self.limits.dest)?;
        let folder = Arc::new(folder);
        let list = |dir: &Dir| dir.names().map_err(|error| Problem::Io(Step::List, error));
        let names = list(&folder.source)?;
        let mut there: HashSet<OsString> = if folder.fresh {
            HashSet::new()
        } else {
            list(&folder.dest)?.into_iter().collect()
        };
        let mut entries = Vec::with_capacity(names.len());
        let mut bytes = 0;
        for name in names {
            // What remains in `there` is not in the source, whatever becomes of this entry.
            let taken = there.remove(&name);
            match folder.source.look(&name) {
                Ok(meta) => {
                    if meta.kind == Kind::File {
                        bytes += meta.size;
                    }
                    entries.push(Entry { name, meta, taken });
                }
                Err(error) => job.fault(&folder.fault(&name, Problem::Io(Step::Look, error))),
            }
        }
        job.expect(bytes);
        let (leftovers, extras): (Vec<_>, Vec<_>) =
            there.into_iter().partition(|name| temp::is_ours(name));
        remove_leftovers(&folder.dest, &leftovers, |level, text| {
            job.log(
                level,
                &format!("{}: {text}", escaped(folder.path("".as_ref()))),
            );
        });
        let mut all = Vec::new();
        if self.delete && !extras.is_empty() {
            all.push(Task::Remove(Arc::clone(&folder), extras));
        }
        all.extend(tasks(job, &folder, entries));
        self.pool.push(job, all);
        Ok(())
    }
}

/// Tasks for the entries of a folder: the directories first, so that they are done last.
fn tasks(job: &Job, folder: &Arc<Folder>, entries: Vec<Entry>) -> Vec<Task> {
    let mut tasks = Vec::new();
    let mut copies = Vec::new();
    let mut batch = Vec::new();
    let mut bytes = 0;
    for entry in entries {
        match entry.meta.kind {
            Kind::Dir => tasks.push(Task::Enter(Arc::clone(folder), entry)),
            Kind::File | Kind::Link => {
                bytes += entry.meta.size;
                batch.push(entry);
                if batch.len() >= BATCH || bytes >= BATCH_BYTES {
                    copies.push(Task::Copy(Arc::clone(folder), std::mem::take(&mut batch)));
                    bytes = 0;
                }
            }
            Kind::Special => {
                job.left_out();
                let path = escaped(folder.path(&entry.name));
                let text = format!("{path}: left out: it is a pipe, a socket or a device");
                job.log(LogLevel::Warning, &text);
            }
        }
    }
    if !batch.is_empty() {
        copies.push(Task::Copy(Arc::clone(folder), batch));
    }
    tasks.extend(copies);
    tasks
}

fn copy(job: &Job, folder: &Folder, entries: &[Entry], copier: &mut Copier<'_>) {
    for entry in entries {
        if !job.goes_on() {
            return;
        }
        let place = Place {
            source: &folder.source,
            dest: &folder.dest,
            name: &entry.name,
            taken: entry.taken,
        };
        let result = if entry.meta.kind == Kind::Link {
            copier.link(place, &entry.meta)
        } else {
            if entry.meta.size >= BATCH_BYTES {
                job.at(&escaped(folder.path(&entry.name)));
            }
            copier.file(place, &entry.meta, job)
        };
        match result {
            Ok(Copied::New(bytes)) => job.copied(bytes),
            Ok(Copied::Unchanged) => job.unchanged(),
            Ok(Copied::Stopped) => {}
            Err(problem) => job.fault(&folder.fault(&entry.name, problem)),
        }
    }
}
