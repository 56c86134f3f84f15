//! One item in work: its verdicts, its counts, its one final status.
//!
//! Several threads work on one item, and the contract says that after the answer "cancel" a handler makes no further report
//! about the item but its final status. So the first thread that hears it raises a flag here, and every thread looks
//! at the flag before it asks: `Job::go_on` is the only place where a verdict is judged.

use crate::copy::Watcher;
use crate::fault::Fault;
use crate::show::{count, escaped};
use std::ffi::OsString;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use syncmgr::{
    CallbackError, ItemId, ItemReporter, ItemStatus, LogLevel, LogRecord, ProgressUpdate,
    SyncCallback, Verdict,
};

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

/// One item of one round.
pub struct Job {
    pub item: ItemId,
    pub subject: Subject,
    /// Raised for all items of the round at once.
    all_stop: Arc<AtomicBool>,
    callback: Arc<dyn SyncCallback>,
    reporter: ItemReporter,
    /// WAITING, WORKING or DROPPED.
    state: AtomicU8,
    /// No more reports but the final status. Relaxed, as all here: a flag that is seen a moment later costs that moment; what
    /// must not be missed, the verdict, is the session's matter, and the pool's lock orders the rest.
    stop: AtomicBool,
    /// Bytes that prepare found, and that the listing of directories has found since.
    planned: Mutex<Planned>,
    begun: Mutex<Option<Instant>>,
    tally: Tally,
}

#[derive(Default)]
struct Planned {
    listed: u64,
    max: u64,
}

#[derive(Default)]
struct Tally {
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

const WAITING: u8 = 0;
const WORKING: u8 = 1;
const DROPPED: u8 = 2;

impl Job {
    pub fn new(
        item: ItemId,
        subject: Subject,
        callback: &Arc<dyn SyncCallback>,
        all_stop: &Arc<AtomicBool>,
    ) -> Result<Self, CallbackError> {
        Ok(Self {
            item,
            subject,
            all_stop: Arc::clone(all_stop),
            callback: Arc::clone(callback),
            reporter: ItemReporter::new(callback, item)?,
            state: AtomicU8::new(WAITING),
            stop: AtomicBool::new(false),
            planned: Mutex::default(),
            begun: Mutex::default(),
            tally: Tally::default(),
        })
    }

    /// Judges an answer of the host. An error means that the host wants no more of this item.
    fn go_on(&self, answer: Result<Verdict, CallbackError>) -> bool {
        match answer {
            Ok(Verdict::Continue) => return true,
            Ok(Verdict::CancelItem) | Err(_) => self.stop.store(true, Relaxed),
            Ok(Verdict::CancelAll) => self.all_stop.store(true, Relaxed),
        }
        false
    }

    /// Whether nobody has been told to stop yet. Asks the flags, not the host.
    pub fn goes_on(&self) -> bool {
        !self.stop.load(Relaxed) && !self.all_stop.load(Relaxed)
    }

    /// Asks the host.
    pub fn check(&self) -> bool {
        self.goes_on() && self.go_on(self.reporter.check())
    }

    fn report(&self, update: &ProgressUpdate<'_>) -> bool {
        self.goes_on() && self.go_on(self.reporter.report(update))
    }

    /// Prepare found so many bytes. Asks first: an item that was skipped before its first report gets none but its final
    /// status, and what was asked about is told by the next answer.
    pub fn plan(&self, bytes: u64) {
        self.planned
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .max = bytes;
        if self.check() {
            self.report(&ProgressUpdate::new().max(bytes));
        }
    }

    /// Begins the item, if it may begin: asks for the verdict first, then makes sure that it was not dropped meanwhile.
    pub fn begin(&self) -> bool {
        let may_begin = self.state.load(Relaxed) == WAITING
            && self.check()
            && (self.state)
                .compare_exchange(WAITING, WORKING, Relaxed, Relaxed)
                .is_ok();
        if may_begin {
            *self.begun.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        }
        may_begin && self.report(&ProgressUpdate::new().status(ItemStatus::Updating))
    }

    /// The host skips the item: if it waits, it is never begun; if it is in work, it stops.
    pub fn skip(&self) {
        if (self.state)
            .compare_exchange(WAITING, DROPPED, Relaxed, Relaxed)
            .is_err()
        {
            self.stop.store(true, Relaxed);
        }
    }

    /// Shows where the work is.
    pub fn at(&self, text: &str) -> bool {
        self.report(&ProgressUpdate::new().text(text))
    }

    /// Something could not be mirrored. The other files of the item are done all the same, unless they would all
    /// meet the same.
    pub fn fault(&self, fault: &Fault) {
        self.tally.faults.fetch_add(1, Relaxed);
        self.log(LogLevel::Error, &fault.to_string());
        if fault.is_hopeless() {
            self.stop.store(true, Relaxed);
        }
    }

    /// Puts a line in the host's log. A full log is counted there.
    pub fn log(&self, level: LogLevel, text: &str) {
        let mut record = LogRecord::new(level, text);
        record.item = Some(self.item);
        _ = self.callback.log_error(&record);
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

    pub fn counts(&self) -> Counts {
        let tally = &self.tally;
        Counts {
            bytes: tally.bytes.load(Relaxed),
            copied: tally.copied.load(Relaxed),
            unchanged: tally.unchanged.load(Relaxed),
            removed: tally.removed.load(Relaxed),
            left_out: tally.left_out.load(Relaxed),
            faults: tally.faults.load(Relaxed),
            time: Duration::from_nanos(tally.nanos.load(Relaxed)),
        }
    }

    /// Gives the item its final status. Called once, by the thread that ends the last of its work, or instead of it.
    pub fn finish(&self) {
        let begun = *self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(begun) = begun {
            let nanos = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
            self.tally.nanos.store(nanos, Relaxed);
        }
        let counts = self.counts();
        let nothing = counts.copied + counts.unchanged + counts.removed == 0;
        let status = if counts.faults > 0 {
            ItemStatus::Failed
        } else if self.state.load(Relaxed) == DROPPED {
            ItemStatus::Skipped
        } else if !self.goes_on() {
            ItemStatus::Stopped
        } else if nothing && counts.left_out > 0 {
            ItemStatus::Skipped
        } else {
            ItemStatus::Succeeded
        };
        let text = counts.to_string();
        let mut update = ProgressUpdate::new().status(status).text(&text);
        if status == ItemStatus::Succeeded {
            let max = self
                .planned
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .max;
            update = update.value(max);
        }
        // The answer changes nothing any more.
        _ = self.reporter.report(&update);
    }
}

impl Watcher for Job {
    fn advance(&self, bytes: u64) -> bool {
        self.goes_on() && self.go_on(self.reporter.advance(bytes))
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
