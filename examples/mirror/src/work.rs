//! What is done for an item, task by task.

use crate::copy::{Copied, Copier, Place, Watcher};
use crate::dir::{Dir, Kind, Meta};
use crate::fault::{Problem, ProtocolViolation, Step};
use crate::folder::{Folder, remove_leftovers};
use crate::handler::Mirror;
use crate::hands::{Tasks, share};
use crate::job::{Job, Subject};
use crate::remove::remove;
use crate::show::escaped;
use crate::temp;
use std::collections::HashSet;
use std::ffi::OsString;
use std::io;
use std::sync::Arc;
use syncmgr::per_item::SharedContext;
use syncmgr::{LogLevel, LogRecord};

/// A piece of the work on an item.
enum Task<'j> {
    /// A directory: make tasks of what it holds.
    Enter(Arc<Folder<'j>>, Entry),
    /// Files and links of one directory.
    Copy(Arc<Folder<'j>>, Vec<Entry>),
    /// What the destination has and the source has not.
    Remove(Arc<Folder<'j>>, Vec<OsString>),
}

/// An entry of a directory of the source.
struct Entry {
    name: OsString,
    meta: Meta,
    /// Whether the destination may have something of that name.
    taken: bool,
}

/// So many files make one task: few enough to spread over threads, enough to be worth the lock.
const BATCH: usize = 64;
/// Or so many bytes.
const BATCH_BYTES: u64 = 8 << 20;

/// Does an item, on as many threads as are free.
pub fn perform(mirror: &Mirror, job: &Job<'_>) {
    let work = Performance { mirror, job };
    let first = work.first();
    share(&mirror.hands, first, || {
        let mut copier = Copier::new(&mirror.namer);
        move |task, tasks: &Tasks<_>| work.task(task, tasks, &mut copier)
    });
}

/// Removes the leftovers at the top of the destination, which belong to no single item.
pub fn sweep_top(mirror: &Mirror, work: &SharedContext) {
    let log = |level, text: &str| {
        if let Ok(callback) = work.callback() {
            _ = callback.log_error(&LogRecord::new(level, text));
        }
    };
    match (mirror.source.names(), mirror.dest.names()) {
        (Ok(here), Ok(mut there)) => {
            let here: HashSet<_> = here.into_iter().collect();
            there.retain(|name| temp::is_ours(name) && !here.contains(name));
            remove_leftovers(&mirror.dest, &there, log);
        }
        (Err(error), _) | (_, Err(error)) => {
            let text = format!("cannot look for leftovers: {error}");
            log(LogLevel::Warning, &text);
        }
    }
}

/// The work on one item.
#[derive(Clone, Copy)]
struct Performance<'j> {
    mirror: &'j Mirror,
    job: &'j Job<'j>,
}

impl<'j> Performance<'j> {
    fn task(self, task: Task<'j>, tasks: &Tasks<Task<'j>>, copier: &mut Copier<'_>) {
        let job = self.job;
        // Whoever was told to stop leaves the rest of the tasks undone.
        if !job.goes_on() {
            return;
        }
        match task {
            Task::Enter(folder, entry) => {
                let path = folder.path(&entry.name);
                if job.at(&escaped(&path)) {
                    match self.enter(&folder, &entry) {
                        Ok(found) => tasks.push(found),
                        Err(problem) => job.fault(&ProtocolViolation { path, problem }),
                    }
                }
            }
            Task::Copy(folder, entries) => {
                if job.check() {
                    copy(job, &folder, &entries, copier);
                }
            }
            Task::Remove(folder, names) => {
                for name in names {
                    // It may have come to the source since.
                    let gone = matches!(folder.source.look(&name),
                        Err(error) if error.kind() == io::ErrorKind::NotFound);
                    if gone {
                        let path = folder.path(&name);
                        remove(&folder.dest, &name, &path, job, &self.mirror.limits);
                    }
                    if !job.goes_on() {
                        break;
                    }
                }
            }
        }
    }

    /// The first tasks of the item.
    fn first(self) -> Vec<Task<'j>> {
        let (mirror, job) = (self.mirror, self.job);
        let source = Arc::clone(&mirror.source);
        let top = Arc::new(Folder::top(source, Arc::clone(&mirror.dest)));
        match job.subject {
            Subject::Entry(name) => match top.source.look(name) {
                Ok(meta) => {
                    if meta.kind == Kind::File {
                        job.expect(meta.size);
                    }
                    let entry = Entry {
                        name: name.clone(),
                        meta,
                        taken: true,
                    };
                    return tasks(job, &top, vec![entry]);
                }
                Err(error) => job.fault(&top.fault(name, Problem::Io(Step::Look, error))),
            },
            Subject::Extras => match (top.source.names(), top.dest.names()) {
                (Ok(here), Ok(mut there)) => {
                    let here: HashSet<_> = here.into_iter().collect();
                    // Temporary names may be in use by the other items.
                    there.retain(|name| !here.contains(name) && !temp::is_ours(name));
                    return vec![Task::Remove(top, there)];
                }
                (Err(error), _) | (_, Err(error)) => {
                    job.fault(&top.fault(".".as_ref(), Problem::Io(Step::List, error)));
                }
            },
        }
        Vec::new()
    }

    /// Opens a directory, lists both sides, and makes tasks of the difference.
    fn enter(self, parent: &Arc<Folder<'j>>, entry: &Entry) -> Result<Vec<Task<'j>>, Problem> {
        let (mirror, job) = (self.mirror, self.job);
        let folder = parent.enter(job, &entry.name, entry.taken, &mirror.limits.dest)?;
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
        if mirror.delete && !extras.is_empty() {
            all.push(Task::Remove(Arc::clone(&folder), extras));
        }
        all.extend(tasks(job, &folder, entries));
        Ok(all)
    }
}

/// Tasks for the entries of a folder: the directories first, so that they are done last.
fn tasks<'j>(job: &Job<'_>, folder: &Arc<Folder<'j>>, entries: Vec<Entry>) -> Vec<Task<'j>> {
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

fn copy(job: &Job<'_>, folder: &Folder<'_>, entries: &[Entry], copier: &mut Copier<'_>) {
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
