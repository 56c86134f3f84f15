//! What the work of one item reports to.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use parking_lot::Mutex;

use super::interrupted::Interrupted;
use super::queue::Queue;
use crate::{
    CallbackError, ItemReporter, ItemStatus, LogLevel, LogRecord, ProgressUpdate, SyncCallback,
    SyncFlags, SyncItem,
};

/// One item in work: what its work reports to, and asks.
///
/// Every report answers `Ok`, or [`Interrupted`] where the work is to end, to be passed on by `?`. It costs what a report by
/// [`ItemReporter`] does, and one load. Threads of the work's own may share it ([`std::thread::scope`]).
///
/// ```no_run
/// use syncmgr::per_item::{Error, Work};
///
/// fn copy(work: &Work<'_>) -> Result<(), Error> {
///     let blocks: [&[u8]; 2] = [b"one", b"two"];
///     work.max(6)?;
///     for block in blocks {
///         // ... write the block ...
///         work.advance(block.len() as u64)?; // a cancel ends the function here
///     }
///     Ok(())
/// }
/// # let _ = copy;
/// ```
pub struct Work<'a> {
    item: SyncItem,
    reporter: ItemReporter,
    desk: &'a Desk,
    /// Where what the work finds goes; none while it is only measured.
    queue: Option<&'a Queue>,
    /// The work was told to end: it is not asked whether it has.
    /// `Relaxed`: read by the thread that wrote it, or after the work has returned.
    told: AtomicBool,
    /// The status that an `Ok` stands for, as a place in [`ENDS`]. `Relaxed`, as above.
    end: AtomicU8,
    /// The text that goes with it.
    last_words: Mutex<Option<String>>,
}

/// What an `Ok` may stand for.
const ENDS: [ItemStatus; 5] = [
    ItemStatus::Succeeded,
    ItemStatus::Failed,
    ItemStatus::Skipped,
    ItemStatus::Deleted,
    ItemStatus::Stopped,
];

/// The host's callback, for as long as the host lets the handler have it.
pub(super) struct Desk {
    pub(super) callback: Arc<dyn SyncCallback>,
    pub(super) flags: SyncFlags,
    /// The callback was not taken away (rule H13). Written with `Release` when it is, read with `Acquire` before each call: a
    /// thread that knows of the end makes no call. One that is about to call at that moment may still do so.
    open: AtomicBool,
}

impl Desk {
    pub(super) fn new(callback: Arc<dyn SyncCallback>, flags: SyncFlags) -> Arc<Self> {
        Arc::new(Self {
            callback,
            flags,
            open: AtomicBool::new(true),
        })
    }

    pub(super) fn close(&self) {
        self.open.store(false, Ordering::Release);
    }

    pub(super) fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }

    /// The callback, unless it was taken away.
    pub(super) fn callback(&self) -> Result<&Arc<dyn SyncCallback>, CallbackError> {
        if self.is_open() {
            Ok(&self.callback)
        } else {
            Err(CallbackError::Released)
        }
    }
}

impl<'a> Work<'a> {
    pub(super) fn new(
        item: SyncItem,
        reporter: ItemReporter,
        desk: &'a Desk,
        queue: Option<&'a Queue>,
    ) -> Self {
        Self {
            item,
            reporter,
            desk,
            queue,
            told: AtomicBool::new(false),
            end: AtomicU8::new(0),
            last_words: Mutex::new(None),
        }
    }

    /// The item, as it was listed.
    #[must_use]
    pub fn item(&self) -> &SyncItem {
        &self.item
    }

    /// Why the handler was started, and whether it may bother the user.
    #[must_use]
    pub fn flags(&self) -> SyncFlags {
        self.desk.flags
    }

    /// Reports how much of the item is done, in the units of its [maximum](Self::max).
    ///
    /// # Errors
    ///
    /// [`Interrupted`]: pass it on.
    #[inline]
    pub fn set(&self, value: u64) -> Result<(), Interrupted> {
        self.open()?;
        self.heed(Interrupted::of(self.reporter.set(value)))
    }

    /// Adds to what is done.
    ///
    /// # Errors
    ///
    /// [`Interrupted`]: pass it on.
    #[inline]
    pub fn advance(&self, amount: u64) -> Result<(), Interrupted> {
        self.open()?;
        self.heed(Interrupted::of(self.reporter.advance(amount)))
    }

    /// Asks whether to go on, where there is nothing to report.
    ///
    /// # Errors
    ///
    /// [`Interrupted`]: pass it on.
    #[inline]
    pub fn check(&self) -> Result<(), Interrupted> {
        self.open()?;
        self.heed(Interrupted::of(self.reporter.check()))
    }

    /// Reports how much there is to do.
    ///
    /// # Errors
    ///
    /// [`Interrupted`]: pass it on.
    pub fn max(&self, max: u64) -> Result<(), Interrupted> {
        self.report(&ProgressUpdate::new().max(max))
    }

    /// Reports a line of text about what goes on.
    ///
    /// # Errors
    ///
    /// [`Interrupted`]: pass it on.
    pub fn text(&self, text: &str) -> Result<(), Interrupted> {
        self.report(&ProgressUpdate::new().text(text))
    }

    /// Reports anything, but no final status: that is given when the work returns. One in the update is left out.
    ///
    /// # Errors
    ///
    /// [`Interrupted`]: pass it on.
    pub fn report(&self, update: &ProgressUpdate<'_>) -> Result<(), Interrupted> {
        self.open()?;
        let mut update = *update;
        update.status = update.status.filter(|status| !status.is_final());
        self.heed(Interrupted::of(self.reporter.report(&update)))
    }

    #[inline]
    fn open(&self) -> Result<(), Interrupted> {
        if self.desk.is_open() && !self.was_told() {
            Ok(())
        } else {
            self.closed()
        }
    }

    /// No call is made any more: what a told thread may still do is the adapter's (rule H02).
    #[cold]
    fn closed(&self) -> Result<(), Interrupted> {
        if !self.desk.is_open() {
            return self.heed(Err(Interrupted::Refused(CallbackError::Released)));
        }
        // Only asks, which is always allowed.
        let answer = Interrupted::of(self.reporter.check());
        answer.and(Err(Interrupted::Item))
    }

    #[inline]
    fn heed(&self, answer: Result<(), Interrupted>) -> Result<(), Interrupted> {
        if answer.is_err() {
            self.told.store(true, Ordering::Relaxed);
        }
        answer
    }

    pub(super) fn was_told(&self) -> bool {
        self.told.load(Ordering::Relaxed)
    }

    /// What the item ends as where the work answers `Ok`: `Succeeded`, unless this says `Skipped` (there was nothing to do),
    /// `Deleted`, `Stopped` or `Failed`. Any other status is taken for `Succeeded`.
    ///
    /// `Failed` is for work of many parts that has [logged](Self::log) what went wrong with each: nothing more is logged, the
    /// item's text stays, and no error of the item can be shown to do it again. It stands after a cancel too.
    pub fn end_as(&self, status: ItemStatus) {
        let place = ENDS.iter().position(|end| *end == status);
        let place = u8::try_from(place.unwrap_or(0)).unwrap_or(0);
        self.end.store(place, Ordering::Relaxed);
    }

    pub(super) fn end(&self) -> ItemStatus {
        let place = usize::from(self.end.load(Ordering::Relaxed));
        ENDS.get(place).copied().unwrap_or(ItemStatus::Succeeded)
    }

    /// The line of text that goes with the final status, whatever that is: what has become of the item. After a cancel it is
    /// the only one that can still be said.
    pub fn end_text(&self, text: impl Into<String>) {
        *self.last_words.lock() = Some(text.into());
    }

    /// Logs something about the item. Logging is free after a cancel, too.
    ///
    /// # Errors
    ///
    /// As for [`log_error`](SyncCallback::log_error).
    pub fn log(&self, level: LogLevel, text: &str) -> Result<(), CallbackError> {
        self.log_record(&LogRecord::new(level, text))
    }

    /// As [`log`](Self::log), with all that an entry can say. The item is put in.
    ///
    /// # Errors
    ///
    /// As for [`log_error`](SyncCallback::log_error).
    pub fn log_record(&self, record: &LogRecord<'_>) -> Result<(), CallbackError> {
        self.desk.callback()?.log_error(&record.item(self.item.id))
    }

    /// Adds an item that the work has found: it is done by one of the workers, as the listed ones are.
    ///
    /// # Errors
    ///
    /// As for [`add_item`](SyncCallback::add_item); a host may not offer it.
    /// [`WrongPhase`](CallbackError::WrongPhase) while items are only [measured](super::Handler::measure).
    pub fn add_item(&self, item: SyncItem) -> Result<(), CallbackError> {
        let queue = self.queue.ok_or(CallbackError::WrongPhase)?;
        self.desk.callback()?.add_item(item.clone())?;
        queue.push(item);
        Ok(())
    }

    /// The host's callback, for what is not offered here: connections, dialogs. Statuses and completions are the adapter's.
    ///
    /// # Errors
    ///
    /// [`Released`](CallbackError::Released) where the host has taken it away.
    pub fn callback(&self) -> Result<&Arc<dyn SyncCallback>, CallbackError> {
        self.desk.callback()
    }

    /// The reporter, to end the item with, and the text to end it with.
    pub(super) fn into_end(self) -> (ItemReporter, Option<String>) {
        (self.reporter, self.last_words.into_inner())
    }
}

impl fmt::Debug for Work<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Work")
            .field("item", &self.item)
            .finish_non_exhaustive()
    }
}
