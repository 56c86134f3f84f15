//! One item in work, on one thread: what is reported of it, and whether the work goes on.
//!
//! The first "no" is remembered here, so that nothing but the final status follows it (rules H02, H03).

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use syncmgr::{
    CallbackError, ErrorId, ItemId, ItemReporter, ItemStatus, LogLevel, LogRecord, LogSelector,
    ProgressUpdate, SyncCallback, Verdict,
};

/// Where a callback cannot wake who waits, the question is asked this often.
const SLICE: Duration = Duration::from_millis(50);

/// Flags that outlive a task: the host's threads raise them too. Relaxed: a flag that is seen a moment later costs that
/// moment, and what must not be missed, the verdict, is the session's matter.
#[derive(Clone, Default)]
pub struct Flags {
    /// Nothing of the round goes on.
    pub all_stop: Arc<AtomicBool>,
    /// This item was skipped or cancelled.
    pub dropped: Arc<AtomicBool>,
}

impl Flags {
    fn goes_on(&self) -> bool {
        !self.all_stop.load(Relaxed) && !self.dropped.load(Relaxed)
    }
}

/// The ids of the errors that the handler logged and did not delete (rule H20).
pub type Logged = Arc<Mutex<HashSet<ErrorId>>>;

/// How the work on an item ended.
pub enum End {
    /// It is done; the text says what was done.
    Succeeded(String),
    /// It was told to stop.
    Stopped,
    /// It failed. With an id the error can be shown.
    Failed(String, Option<ErrorId>),
}

/// One item in work.
pub struct Task {
    reporter: ItemReporter,
    callback: Arc<dyn SyncCallback>,
    flags: Flags,
    logged: Logged,
    waker: Waker,
}

impl Task {
    /// The task of this item, for the calling thread.
    pub fn new(
        callback: &Arc<dyn SyncCallback>,
        item: ItemId,
        flags: &Flags,
        logged: &Logged,
    ) -> Result<Self, CallbackError> {
        Ok(Self {
            reporter: ItemReporter::new(callback, item),
            callback: Arc::clone(callback),
            flags: flags.clone(),
            logged: Arc::clone(logged),
            waker: Waker::from(Arc::new(Unpark(thread::current()))),
        })
    }

    pub fn item(&self) -> ItemId {
        self.reporter.item()
    }

    /// Whether nobody has said no yet. Asks the flags, not the host.
    pub fn goes_on(&self) -> bool {
        self.flags.goes_on()
    }

    /// Judges an answer of the host. An error means that the host wants no more of this item.
    fn judge(&self, answer: Result<Verdict, CallbackError>) -> bool {
        match answer {
            Ok(Verdict::Continue) => return self.goes_on(),
            Ok(Verdict::CancelItem) | Err(_) => self.flags.dropped.store(true, Relaxed),
            Ok(Verdict::CancelAll) => self.flags.all_stop.store(true, Relaxed),
        }
        false
    }

    /// Asks the host.
    pub fn check(&self) -> bool {
        self.goes_on() && self.judge(self.reporter.check())
    }

    /// Reports anything but a final status.
    pub fn report(&self, update: &ProgressUpdate<'_>) -> bool {
        self.goes_on() && self.judge(self.reporter.report(update))
    }

    /// So much more is done.
    pub fn advance(&self, amount: u64) -> bool {
        self.goes_on() && self.judge(self.reporter.advance(amount))
    }

    /// Waits so long, or until the item is cancelled.
    pub fn pause(&self, time: Duration) -> bool {
        let until = Instant::now() + time;
        loop {
            // First the waker, then the question, then the wait: so no cancel falls between.
            let item = Some(self.item());
            let wakes = self.callback.wake_on_cancel(item, &self.waker).is_ok();
            if !self.check() {
                return false;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            thread::park_timeout(if wakes { left } else { left.min(SLICE) });
        }
    }

    /// The error is no longer true: takes its entry out of the host's log, if there is one.
    pub fn forget(&self, error: ErrorId) {
        let known = self.logged().remove(&error);
        if known {
            // A host that has dropped the entry meanwhile has what was wanted.
            _ = self.callback.delete_log_error(LogSelector::ById(error));
        }
    }

    /// Gives the item its final status. The answer changes nothing any more.
    pub fn finish(self, end: End) {
        let update = ProgressUpdate::new();
        _ = match &end {
            End::Succeeded(text) => (self.reporter)
                .report(&update.status(ItemStatus::Succeeded).text(text))
                .map(drop),
            End::Stopped => self.reporter.stop(),
            End::Failed(text, error) => {
                self.log(text, *error);
                (self.reporter)
                    .report(&update.status(ItemStatus::Failed).text(text))
                    .map(drop)
            }
        };
    }

    /// Ends the item that was never begun.
    pub fn leave_out(self) {
        _ = self.reporter.skip();
    }

    /// Not by [`ItemReporter::fail_as`], which does not tell whether the log took the entry: only then may it be deleted.
    fn log(&self, text: &str, error: Option<ErrorId>) {
        let record = LogRecord::new(LogLevel::Error, text).item(self.item());
        match error {
            Some(error) => {
                if self.callback.log_error(&record.jump_text(error)).is_ok() {
                    self.logged().insert(error);
                }
            }
            None => _ = self.callback.log_error(&record),
        }
    }

    fn logged(&self) -> std::sync::MutexGuard<'_, HashSet<ErrorId>> {
        self.logged.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes a thread that waits in [`Task::pause`].
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
