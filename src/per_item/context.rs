//! What the work of one item reports to.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

use super::callback_lease::{CallbackLease, LeasedSource};
use super::cancelled::Cancelled;
use super::error::Error;
use super::maximum::{MaxReport, Maximum};
use super::queue::Queue;
use crate::session::{CancelWait, WaitAnswer};
use crate::util::text::error_chain;
use crate::{
    CallbackError, ItemReporter, ItemStatus, LogLevel, LogRecord, ProgressUpdate, SyncCallback,
    SyncFlags, SyncItem,
};

/// One item in work: what its work reports to, and asks.
///
/// Every report answers `Ok`, or [`Cancelled`] where the work is to end, to be passed on by `?`. It costs what a report by
/// [`ItemReporter`] does, and three loads and a store; for [`advance`](Self::advance) an atomic add in place of the store. Threads
/// of the work's own may share it ([`std::thread::scope`]).
///
/// ```no_run
/// use syncmgr::per_item::{Error, ItemContext};
///
/// fn copy(work: &ItemContext) -> Result<(), Error> {
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
pub struct ItemContext {
    item: SyncItem,
    pub(super) reporter: ItemReporter,
    lease: Arc<CallbackLease>,
    /// Where what the work finds goes; none while it is only measured.
    queue: Option<Arc<Queue>>,
    /// The work was told to end, or has ended: it makes no reports any more. Shared with those who wait for a cancel, since what
    /// they are told on the thread of the work tells that thread (rule H02).
    /// `Relaxed`: read by the thread that wrote it, or after the work has returned; another may report once more, and is told by
    /// that, or refused by the host.
    stop_requested: Arc<AtomicBool>,
    /// The work has returned. `Relaxed`, as above.
    ended: AtomicBool,
    last: Mutex<LastReport>,
    pub(super) maximum: Maximum,
    /// Who waits here for a cancel, once somebody does.
    waiting: OnceLock<Box<CancelWait>>,
}

/// What the work says of its item's end.
struct LastReport {
    /// What an `Ok` stands for.
    status: ItemStatus,
    /// The text that goes with the final status, whatever that is.
    final_text: Option<String>,
}

impl ItemContext {
    pub(super) fn new(
        item: SyncItem,
        reporter: ItemReporter,
        lease: Arc<CallbackLease>,
        queue: Option<Arc<Queue>>,
        max: u64,
    ) -> Self {
        Self {
            item,
            // The round ends the item, however the work does.
            reporter: reporter.without_end(),
            lease,
            queue,
            stop_requested: Arc::new(AtomicBool::new(false)),
            ended: AtomicBool::new(false),
            last: Mutex::new(LastReport {
                status: ItemStatus::Succeeded,
                final_text: None,
            }),
            maximum: Maximum::new(max),
            waiting: OnceLock::new(),
        }
    }

    /// The item, as it was listed.
    #[must_use]
    pub fn item(&self) -> &SyncItem {
        &self.item
    }

    /// Returns the item's name, as the user sees it: a long one was shortened.
    #[must_use]
    pub fn name(&self) -> &str {
        self.item.name.as_str()
    }

    /// Why the handler was started, and whether it may bother the user.
    #[must_use]
    pub fn flags(&self) -> SyncFlags {
        self.lease.flags
    }

    /// Reports how much of the item is done, in the units of its [maximum](Self::max).
    ///
    /// A value above the maximum raises it, since there was more to do than was told (rule H17); so a file that grows while it is
    /// read is no breach.
    ///
    /// # Errors
    ///
    /// [`Cancelled`]: pass it on.
    #[inline]
    pub fn set(&self, value: u64) -> Result<(), Cancelled> {
        self.open()?;
        if self.maximum.set(value) {
            self.observe_verdict(Cancelled::of(self.reporter.set(value)))
        } else {
            self.raise(&MaxReport::of(ProgressUpdate::new().value(value)))
        }
    }

    /// Adds to what is done; a total above the maximum raises it, as for [`set`](Self::set).
    ///
    /// # Errors
    ///
    /// [`Cancelled`]: pass it on.
    #[inline]
    pub fn advance(&self, amount: u64) -> Result<(), Cancelled> {
        self.open()?;
        match self.maximum.add(amount) {
            None => self.observe_verdict(Cancelled::of(self.reporter.advance(amount))),
            Some(value) => self.raise(&MaxReport::growth(amount, value)),
        }
    }

    /// Asks whether to go on, where there is nothing to report.
    ///
    /// # Errors
    ///
    /// [`Cancelled`]: pass it on.
    #[inline]
    pub fn check(&self) -> Result<(), Cancelled> {
        self.open()?;
        self.observe_verdict(Cancelled::of(self.reporter.check()))
    }

    /// Reports how much there is to do. A maximum below what is done already is told as that; one of 0 tells nothing.
    ///
    /// # Errors
    ///
    /// [`Cancelled`]: pass it on.
    pub fn max(&self, max: u64) -> Result<(), Cancelled> {
        self.report(&ProgressUpdate::new().max(max))
    }

    /// Reports a line of text about what goes on.
    ///
    /// # Errors
    ///
    /// [`Cancelled`]: pass it on.
    pub fn text(&self, text: &str) -> Result<(), Cancelled> {
        self.report(&ProgressUpdate::new().text(text))
    }

    /// Reports anything, but no final status: that is given when the work returns. One in the update is left out.
    ///
    /// # Errors
    ///
    /// [`Cancelled`]: pass it on.
    pub fn report(&self, update: &ProgressUpdate<'_>) -> Result<(), Cancelled> {
        self.open()?;
        let mut update = update.clone();
        update.status = update.status.filter(|status| !status.is_final());
        let is_direct = update.value.is_none_or(|value| self.maximum.set(value));
        if is_direct && update.max.is_none() {
            self.observe_verdict(Cancelled::of(self.reporter.report(&update)))
        } else {
            self.raise(&MaxReport::of(update))
        }
    }

    /// One of many parts of the item, of which one may fail and the others go on: what it has come to. An error is logged with what
    /// it is about, the answer is `None`, and the item ends `Failed` when the work is done, unless [`set_outcome`](Self::set_outcome) says
    /// otherwise afterwards.
    ///
    /// A cancel is no failure of a part: without this, work that logs the errors of its parts and goes on would log it once for
    /// each part that is left.
    ///
    /// ```no_run
    /// use std::fs::File;
    /// use std::io;
    /// use std::path::PathBuf;
    /// use syncmgr::per_item::{Error, ItemContext};
    ///
    /// fn checksums(work: &ItemContext, files: &[PathBuf]) -> Result<(), Error> {
    ///     for path in files {
    ///         let copied = File::open(path)
    ///             .and_then(|file| io::copy(&mut work.wrap_read(file), &mut io::sink()));
    ///         if let Some(bytes) = work.record_part(path.display(), copied)? {
    ///             println!("{}: {bytes} bytes", path.display());
    ///         }
    ///     }
    ///     Ok(())
    /// }
    /// # let _ = checksums;
    /// ```
    ///
    /// # Errors
    ///
    /// [`Cancelled`]: pass it on.
    pub fn record_part<T>(
        &self,
        what: impl fmt::Display,
        result: Result<T, impl Into<Error>>,
    ) -> Result<Option<T>, Cancelled> {
        let error = match result {
            Ok(part) => return Ok(Some(part)),
            Err(error) => error.into(),
        };
        if let Some(interrupted) = Cancelled::find(&*error) {
            return self.observe_verdict(Err(interrupted)).map(|()| None);
        }
        // What fails after a cancel most likely fails by it: a socket that was closed.
        self.check()?;
        self.set_outcome(ItemStatus::Failed);
        // A full log does not keep the item from failing.
        let _ = self.log(
            LogLevel::Error,
            &format!("{what}: {}", error_chain(&*error)),
        );
        Ok(None)
    }

    #[inline]
    fn open(&self) -> Result<(), Cancelled> {
        if self.lease.is_open() && !self.stop_requested() {
            Ok(())
        } else {
            self.closed()
        }
    }

    /// No call is made any more: what a told thread may still do is the adapter's (rule H02).
    #[cold]
    fn closed(&self) -> Result<(), Cancelled> {
        if !self.lease.is_open() {
            return self.observe_verdict(Err(Cancelled::Refused(CallbackError::Released)));
        }
        // Only asks, which is always allowed.
        let answer = Cancelled::of(self.reporter.check());
        answer.and(Err(Cancelled::Item))
    }

    #[inline]
    pub(super) fn observe_verdict(&self, answer: Result<(), Cancelled>) -> Result<(), Cancelled> {
        if answer.is_err() {
            self.stop_requested.store(true, Ordering::Relaxed);
        }
        answer
    }

    pub(super) fn stop_requested(&self) -> bool {
        self.stop_requested.load(Ordering::Relaxed)
    }

    /// Who waits for a cancel of the item.
    pub(super) fn waiting(&self) -> &CancelWait {
        let new = || {
            Box::new(CancelWait::new(LeasedSource {
                lease: Arc::clone(&self.lease),
                stop_requested: Arc::clone(&self.stop_requested),
                host: self.reporter.host(),
            }))
        };
        self.waiting.get_or_init(new)
    }

    /// A host that does not wake has not told the work to end.
    pub(super) fn heed_wait(&self, answer: WaitAnswer) -> Result<(), Cancelled> {
        match answer {
            Err(error @ CallbackError::NotImplemented) => Err(Cancelled::Refused(error)),
            answer => self.observe_verdict(Cancelled::of(answer)),
        }
    }

    /// What the item ends as where the work answers `Ok`: `Succeeded`, unless this says `Skipped` (there was nothing to do),
    /// `Deleted`, `Stopped` or `Failed`. Any other status is taken for `Succeeded`.
    ///
    /// `Failed` is for work of many parts that has [logged](Self::log) what went wrong with each: nothing more is logged, the
    /// item's text stays, and no error of the item can be shown to do it again. It stands after a cancel too.
    ///
    /// ```
    /// use syncmgr::per_item::{HandlerBuilder, from_items};
    /// use syncmgr::{ItemId, ItemStatus, RunOptions, SyncItem, run_handler};
    ///
    /// let inbox = SyncItem::new(ItemId::from_u128(1), "Inbox".parse()?);
    /// let source = from_items([inbox], |item| {
    ///     item.set_outcome(ItemStatus::Skipped);
    ///     item.set_final_text("nothing new");
    ///     Ok(())
    /// });
    /// let report = run_handler(HandlerBuilder::new("Mail".parse()?, source).build(), RunOptions::new());
    /// let inbox = &report.items()[0];
    /// assert_eq!((inbox.status, inbox.text.as_str()), (ItemStatus::Skipped, "nothing new"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set_outcome(&self, status: ItemStatus) {
        use ItemStatus::{Deleted, Failed, Skipped, Stopped, Succeeded};
        self.last.lock().status = match status {
            Failed | Skipped | Deleted | Stopped => status,
            _ => Succeeded,
        };
    }

    pub(super) fn end(&self) -> ItemStatus {
        self.last.lock().status
    }

    /// The line of text that goes with the final status, whatever that is: what has become of the item. After a cancel it is
    /// the only one that can still be said.
    pub fn set_final_text(&self, text: impl Into<String>) {
        let text = text.into(); // user code
        self.last.lock().final_text = Some(text);
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
        self.lease
            .callback()?
            .log_error(&record.clone().item(self.item.id))
    }

    /// Adds an item that the work has found: it is done by one of the workers, as the listed ones are.
    ///
    /// # Errors
    ///
    /// As for [`add_item`](SyncCallback::add_item); a host may not offer it. [`ItemFinished`](CallbackError::ItemFinished) where
    /// the work has returned, since nobody may be left to do the item, and [`WrongPhase`](CallbackError::WrongPhase) while items
    /// are only [measured](super::HandlerBuilder::measure).
    ///
    /// ```
    /// use syncmgr::per_item::{HandlerBuilder, from_items};
    /// use syncmgr::{ItemId, RunOptions, SyncItem, run_handler};
    ///
    /// let folder = SyncItem::new(ItemId::from_u128(1), "Inbox".parse()?);
    /// let source = from_items([folder], |item| {
    ///     if item.item().id == ItemId::from_u128(1) {
    ///         item.add_item(SyncItem::new(ItemId::from_u128(2), "Inbox/2026".parse()?))?;
    ///     }
    ///     Ok(())
    /// });
    /// let report = run_handler(HandlerBuilder::new("Mail".parse()?, source).build(), RunOptions::new());
    /// assert_eq!(report.items().len(), 2);
    /// assert!(report.is_success());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn add_item(&self, item: SyncItem) -> Result<(), CallbackError> {
        if self.ended.load(Ordering::Relaxed) {
            return Err(match self.lease.is_open() {
                true => CallbackError::ItemFinished,
                false => CallbackError::Released,
            });
        }
        let queue = self.queue.as_ref().ok_or(CallbackError::WrongPhase)?;
        let callback = self.lease.callback()?;
        queue.add(item, |item| callback.add_item(item))
    }

    /// The host's callback, for what is not offered here: connections, dialogs. Statuses and completions are the adapter's.
    ///
    /// # Errors
    ///
    /// [`Released`](CallbackError::Released) where the host has taken it away.
    pub fn callback(&self) -> Result<&Arc<dyn SyncCallback>, CallbackError> {
        self.lease.callback()
    }

    /// Refuses all further reports and additions.
    pub(super) fn close(&self) {
        self.stop_requested.store(true, Ordering::Relaxed);
        self.ended.store(true, Ordering::Relaxed);
    }

    /// Ends the item, with this text unless the work has said another. What the work has left behind, such as a thread of its own,
    /// is answered [`Cancelled`] from now on.
    pub(super) fn finish(&self, status: ItemStatus, text: Option<String>) {
        let text = self.last.lock().final_text.take().or(text);
        let mut update = ProgressUpdate::new().status(status);
        if let Some(text) = &text {
            update = update.text(text);
        }
        // Left to a thread that is still in a call of the host.
        if let Some((value, max)) = self.maximum.left() {
            update = update.value(value).max(max);
        }
        self.close();
        if self.lease.is_open() {
            // Refused only where the host has let go meanwhile.
            let _ = self.reporter.report(&update);
        }
    }
}

impl ItemContext {
    /// Reports what cannot be reported directly: a maximum, a value above it, or one while another thread reports one.
    #[cold]
    pub(super) fn raise(&self, report: &MaxReport<'_>) -> Result<(), Cancelled> {
        let Some(mut turn) = self.maximum.turn(report) else {
            let rest = ProgressUpdate {
                value: None,
                max: None,
                ..report.update.clone()
            };
            return self.tell(&rest, 0);
        };
        self.tell(&turn.grow_max(report), report.more)?;
        while let Some(due) = turn.next() {
            self.tell(&turn.grow_max(&due), due.more)?;
        }
        Ok(())
    }

    fn tell(&self, update: &ProgressUpdate<'_>, more: u64) -> Result<(), Cancelled> {
        if more == 0 || !update.mask().is_empty() {
            self.observe_verdict(Cancelled::of(self.reporter.report(update)))?;
        }
        match more {
            0 => Ok(()),
            more => self.observe_verdict(Cancelled::of(self.reporter.advance(more))),
        }
    }
}

impl fmt::Debug for ItemContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ItemContext")
            .field("item", &self.item)
            .finish_non_exhaustive()
    }
}
