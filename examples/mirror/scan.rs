//! What prepare does: counts the bytes of each item, so that its maximum is known.

use crate::dir::{Dir, Kind};
use crate::job::{Job, Subject};
use std::ffi::OsStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The items to count, and which is next.
pub struct Scan {
    source: Arc<Dir>,
    jobs: Vec<Arc<Job>>,
    /// Relaxed: only that no two threads get the same number matters.
    next: AtomicUsize,
}

impl Scan {
    pub fn new(source: Arc<Dir>, jobs: Vec<Arc<Job>>) -> Self {
        Self {
            source,
            jobs,
            next: AtomicUsize::new(0),
        }
    }

    /// Counts until there is nothing left to count. Run by each thread.
    pub fn run(&self) {
        while let Some(job) = self.jobs.get(self.next.fetch_add(1, Ordering::Relaxed)) {
            if let Subject::Entry(name) = &job.subject {
                job.plan(count(&self.source, name, job));
            }
        }
    }
}

/// The bytes of the files at that name and under it. What cannot be read counts nothing here; synchronize tells why. Asks for
/// the verdict at each directory.
fn count(dir: &Dir, name: &OsStr, job: &Job) -> u64 {
    match dir.look(name) {
        Ok(meta) if meta.kind == Kind::File => meta.size,
        Ok(meta) if meta.kind == Kind::Dir && job.check() => {
            let Ok(inner) = dir.sub(name) else { return 0 };
            let names = inner.names().unwrap_or_default();
            names.iter().map(|name| count(&inner, name, job)).sum()
        }
        _ => 0,
    }
}
