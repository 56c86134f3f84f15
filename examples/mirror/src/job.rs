//! One item in work: what its threads report, its counts, what it ends as.
//!
//! Several threads work on one item. The first one that is told to stop raises a flag here, and every thread looks at it
//! before it goes on: `Job::go_on` is the only place where an answer of the host is judged.

use crate::copy::Watcher;
use crate::fault::ProtocolViolation;
use crate::show::{count, escaped};
use std::ffi::OsString;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use syncmgr::per_item::{Cancelled, SharedContext};
use syncmgr::{ItemStatus, LogLevel, ProgressUpdate};

/// What an item stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// An entry of the source directory.
    Entry(OsString),
    /// With `--delete`: what the destination has beside the entries of the source.
    Extras,
}

impl Subject {
    /// The name as a person reads it.
    pub fn text(&self) -> String {
        match self {
            Self::Entry(name) => escaped(name),
            Self::Extras => "(not in the source)".into(),
        }
    }
}

/// One item in work. Several threads share it.
pub struct Job<'a> {
    work: &'a SharedContext,
    pub subject: &'a Subject,
    tally: &'a Tally,
    /// Nothing goes on: the host said so, or there is no use. Relaxed, as all here: a flag that is seen a moment later costs that
    /// moment.
    stop: AtomicBool,
    /// Bytes that prepare found, and that the listing of directories has found since.
    planned: Mutex<Planned>,
    begun: Instant,
}

struct Planned {
    listed: u64,
    max: u64,
}

/// What was done for an item so far.
#[derive(Default)]
pub struct Tally {
    bytes: AtomicU64,
    copied: AtomicU64,
    unchanged: AtomicU64,
    removed: AtomicU64,
    left_out: AtomicU64,
    faults: AtomicU64,
    nanos: AtomicU64,
}

/// What was done for an item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Bytes of the files that were copied.
    pub bytes: u64,
    /// Files and links that were copied.
    pub copied: u64,
    /// Files and links that were there already.
    pub unchanged: u64,
    /// Files, links and directories that were removed from the destination.
    pub removed: u64,
    /// Pipes, sockets and devices, which are not mirrored.
    pub left_out: u64,
    /// What could not be mirrored.
    pub faults: u64,
    /// From the beginning to the final status.
    pub time: Duration,
}

impl Tally {
    pub fn counts(&self) -> Counts {
        Counts {
            bytes: self.bytes.load(Relaxed),
            copied: self.copied.load(Relaxed),
            unchanged: self.unchanged.load(Relaxed),
            removed: self.removed.load(Relaxed),
            left_out: self.left_out.load(Relaxed),
            faults: self.faults.load(Relaxed),
            time: Duration::from_nanos(self.nanos.load(Relaxed)),
        }
    }
}

impl<'a> Job<'a> {
    /// An item of so many bytes, as far as prepare has counted.
    pub fn new(work: &'a SharedContext, subject: &'a Subject, tally: &'a Tally, max: u64) -> Self {
        Self {
            work,
            subject,
            tally,
            stop: AtomicBool::new(false),
            planned: Mutex::new(Planned { listed: 0, max }),
            begun: Instant::now(),
        }
    }

    /// Judges an answer of the host.
    fn go_on(&self, answer: Result<(), Cancelled>) -> bool {
        if answer.is_err() {
            self.stop.store(true, Relaxed);
        }
        answer.is_ok()
    }

    /// Whether nobody has been told to stop yet. Asks the flag, not the host.
    pub fn goes_on(&self) -> bool {
        !self.stop.load(Relaxed)
    }

    /// Asks the host.
    pub fn check(&self) -> bool {
        self.goes_on() && self.go_on(self.work.check())
    }

    fn report(&self, update: &ProgressUpdate<'_>) -> bool {
        self.goes_on() && self.go_on(self.work.report(update))
    }

    /// Shows that the item is in work.
    pub fn begin(&self) -> bool {
        self.report(&ProgressUpdate::new().status(ItemStatus::Updating))
    }

    /// Shows where the work is.
    pub fn at(&self, text: &str) -> bool {
        self.report(&ProgressUpdate::new().text(text))
    }

    /// Something could not be mirrored. The other files of the item are done all the same, unless they would all
    /// meet the same.
    pub fn fault(&self, fault: &ProtocolViolation) {
        self.tally.faults.fetch_add(1, Relaxed);
        self.log(LogLevel::Error, &fault.to_string());
        if fault.is_hopeless() {
            self.stop.store(true, Relaxed);
        }
    }

    /// Puts a line in the host's log. A full log is counted there.
    pub fn log(&self, level: LogLevel, text: &str) {
        _ = self.work.log(level, text);
    }

    pub fn copied(&self, bytes: u64) {
        self.tally.bytes.fetch_add(bytes, Relaxed);
        self.tally.copied.fetch_add(1, Relaxed);
    }

    pub fn unchanged(&self) {
        self.tally.unchanged.fetch_add(1, Relaxed);
    }

    pub fn removed(&self) {
        self.tally.removed.fetch_add(1, Relaxed);
    }

    pub fn left_out(&self) {
        self.tally.left_out.fetch_add(1, Relaxed);
    }

    /// Says what the item ends as. Called once, when all of its threads are done.
    pub fn end(&self) {
        let nanos = u64::try_from(self.begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.tally.nanos.store(nanos, Relaxed);
        let counts = self.tally.counts();
        let nothing = counts.copied + counts.unchanged + counts.removed == 0;
        self.work.set_final_text(counts.to_string());
        if counts.faults > 0 {
            // The log says what.
            self.work.set_outcome(ItemStatus::Failed);
        } else if nothing && counts.left_out > 0 {
            self.work.set_outcome(ItemStatus::Skipped);
        } else {
            let planned = self.planned.lock().unwrap_or_else(PoisonError::into_inner);
            let max = planned.max;
            drop(planned);
            self.report(&ProgressUpdate::new().value(max));
        }
    }
}

impl Watcher for Job<'_> {
    fn advance(&self, bytes: u64) -> bool {
        self.goes_on() && self.go_on(self.work.advance(bytes))
    }

    /// The value never exceeds the maximum: whatever is copied was expected here first. The lock keeps two threads
    /// from reporting two maxima in the wrong order; nobody takes it from inside a callback.
    fn expect(&self, bytes: u64) {
        let mut planned = self.planned.lock().unwrap_or_else(PoisonError::into_inner);
        planned.listed += bytes;
        if planned.listed > planned.max {
            planned.max = planned.listed;
            self.report(&ProgressUpdate::new().max(planned.max));
        }
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} copied, {} unchanged", self.copied, self.unchanged)?;
        for (number, what) in [(self.removed, "removed"), (self.left_out, "left out")] {
            if number > 0 {
                write!(f, ", {number} {what}")?;
            }
        }
        if self.faults > 0 {
            write!(f, ", {}", count(self.faults, "error"))?;
        }
        Ok(())
    }
}
