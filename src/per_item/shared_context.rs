//! The context of an item for several threads, and the state that all contexts of an item share.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use parking_lot::Mutex;

use super::callback_lease::CallbackLease;
use super::cancelled::Cancelled;
use super::error::Error;
use super::last_report::LastReport;
use super::maximum::{MaxReport, Maximum};
use super::queue::Queue;
use crate::session::{CancelSource, CancelWait, WaitAnswer};
use crate::util::text::error_chain;
use crate::{
    CallbackError, ItemReporter, ItemStatus, LogLevel, LogRecord, ProgressUpdate, SyncCallback,
    SyncFlags, SyncItem, Verdict,
};

/// The context of an item for several threads: see [`ItemContext::share`](super::ItemContext::share).
///
/// It has the methods of [`ItemContext`](super::ItemContext), but its [`advance`](Self::advance) costs an atomic add instead of a store,
/// since any number of threads may add at the same time.
///
/// # Examples
///
/// ```
/// use std::thread;
/// use syncmgr::per_item;
///
/// # const BLOCKS: [&[u8]; 4] = [b"one", b"two", b"three", b"four"];
/// let report = per_item::each([("blocks", BLOCKS)], |item, blocks| {
///     let shared = item.share();
///     thread::scope(|scope| {
///         let (left, right) = blocks.split_at(2);
///         let threads = [left, right].map(|part| {
///             let shared = &shared;
///             scope.spawn(move || part.iter().try_for_each(|block| shared.advance(block.len() as u64)))
///         });
///         for thread in threads {
///             thread.join().map_err(|_| "a thread panicked")??;
///         }
///         Ok(())
///     })
/// })
/// .run();
/// assert_eq!(report.items()[0].value, 15);
/// ```
#[derive(Clone)]
pub struct SharedContext {
    pub(super) state: Arc<ContextState>,
    /// It was made to measure the item: it is refused once that is done.
    is_for_measure: bool,
}

/// What all contexts of an item share.
pub(super) struct ContextState {
    pub(super) item: SyncItem,
    /// Its place in the prepare, which most likely is that in the list; 0 for one that came later.
    place: usize,
    pub(super) reporter: ItemReporter,
    pub(super) lease: Arc<CallbackLease>,
    /// Where what the work finds goes; none while the item is only measured.
    queue: Option<Arc<Queue>>,
    /// The work was told to end, or has ended: it makes no reports any more (rule H02). Also set by those who wait for a cancel, as
    /// what they are told on the thread of the work tells that thread.
    /// `Relaxed`: read by the thread that wrote it, or after the work has returned; another may report once more, and is told by
    /// that, or refused by the host.
    stop_requested: AtomicBool,
    /// The work has returned. `Relaxed`, as above.
    ended: AtomicBool,
    /// The item was measured. `Relaxed`, as above.
    measured: AtomicBool,
    last: Mutex<LastReport>,
    pub(super) maximum: Maximum,
    /// Who waits here for a cancel, once somebody does.
    waiting: OnceLock<Box<CancelWait>>,
}

impl ContextState {
    fn new(
        item: SyncItem,
        place: usize,
        reporter: ItemReporter,
        lease: Arc<CallbackLease>,
        queue: Option<Arc<Queue>>,
        max: u64,
    ) -> Self {
        Self {
            item,
            place,
            // The round ends the item, however the work does.
            reporter: reporter.without_end(),
            lease,
            queue,
            stop_requested: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            measured: AtomicBool::new(false),
            last: Mutex::default(),
            maximum: Maximum::new(max),
            waiting: OnceLock::new(),
        }
    }

    /// Begins anew with another item of the same round.
    pub(super) fn renew(&mut self, item: SyncItem, place: usize, reporter: ItemReporter, max: u64) {
        self.item = item;
        self.place = place;
        self.reporter = reporter.without_end();
        *self.stop_requested.get_mut() = false;
        *self.ended.get_mut() = false;
        *self.measured.get_mut() = false;
        *self.last.get_mut() = LastReport::default();
        self.maximum = Maximum::new(max);
        self.waiting = OnceLock::new();
    }
}

/// The reports.
impl SharedContext {
    /// Returns the item, as it was listed.
    #[must_use]
    pub fn item(&self) -> &SyncItem {
        &self.state.item
    }

    /// Returns the item's name, as the user sees it: a long one was shortened.
    #[must_use]
    pub fn name(&self) -> &str {
        self.state.item.name.as_str()
    }

    /// Returns why the handler was started, and whether it may bother the user.
    #[must_use]
    pub fn flags(&self) -> SyncFlags {
        self.state.lease.flags
    }

    /// Reports how much of the item is done: see [`ItemContext::set`](super::ItemContext::set).
    ///
    /// # Errors
    ///
    /// Returns [`Cancelled`] if the work is to end: pass it on.
    pub fn set(&self, value: u64) -> Result<(), Cancelled> {
        self.open()?;
        if self.state.maximum.set(value) {
            self.observe_verdict(Cancelled::of(self.state.reporter.set(value)))
        } else {
            self.raise(&MaxReport::of(ProgressUpdate::new().value(value)))
        }
    }

    /// Adds to what is done. No step of any thread is lost. A total above the maximum raises it.
    ///
    /// # Errors
    ///
    /// Returns [`Cancelled`] if the work is to end: pass it on.
    #[inline]
    pub fn advance(&self, amount: u64) -> Result<(), Cancelled> {
        self.open()?;
        match self.state.maximum.add(amount) {
            None => self.observe_verdict(Cancelled::of(self.state.reporter.advance(amount))),
            Some(value) => self.raise(&MaxReport::growth(amount, value)),
        }
    }

    /// Asks whether to go on, if there is nothing to report.
    ///
    /// # Errors
    ///
    /// Returns [`Cancelled`] if the work is to end: pass it on.
    #[inline]
    pub fn check(&self) -> Result<(), Cancelled> {
        self.open()?;
        self.observe_verdict(Cancelled::of(self.state.reporter.check()))
    }

    /// Reports how much there is to do: see [`ItemContext::max`](super::ItemContext::max).
    ///
    /// # Errors
    ///
    /// Returns [`Cancelled`] if the work is to end: pass it on.
    pub fn max(&self, max: u64) -> Result<(), Cancelled> {
        self.report(&ProgressUpdate::new().max(max))
    }

    /// Reports a line of text about what is being done.
    ///
    /// # Errors
    ///
    /// Returns [`Cancelled`] if the work is to end: pass it on.
    pub fn text(&self, text: &str) -> Result<(), Cancelled> {
        self.report(&ProgressUpdate::new().text(text))
    }

    /// Makes any report except a final status: see [`ItemContext::report`](super::ItemContext::report).
    ///
    /// # Errors
    ///
    /// Returns [`Cancelled`] if the work is to end: pass it on.
    pub fn report(&self, update: &ProgressUpdate<'_>) -> Result<(), Cancelled> {
        self.open()?;
        let mut update = update.clone();
        update.status = update.status.filter(|status| !status.is_final());
        let is_direct = update
            .value
            .is_none_or(|value| self.state.maximum.set(value));
        if is_direct && update.max.is_none() {
            self.observe_verdict(Cancelled::of(self.state.reporter.report(&update)))
        } else {
            self.raise(&MaxReport::of(update))
        }
    }

    /// Records the result of one part of the item: see [`ItemContext::record_part`](super::ItemContext::record_part).
    ///
    /// # Errors
    ///
    /// Returns [`Cancelled`] if the work is to end: pass it on.
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

    /// Logs something about the item. This is also allowed after a cancellation.
    ///
    /// # Errors
    ///
    /// As for [`log_error`](SyncCallback::log_error).
    pub fn log(&self, level: LogLevel, text: &str) -> Result<(), CallbackError> {
        self.log_record(&LogRecord::new(level, text))
    }

    /// Logs a record as [`log`](Self::log) does. Its item is set to this one.
    ///
    /// # Errors
    ///
    /// As for [`log_error`](SyncCallback::log_error).
    pub fn log_record(&self, record: &LogRecord<'_>) -> Result<(), CallbackError> {
        self.callback()?
            .log_error(&record.clone().item(self.state.item.id))
    }

    /// Adds an item that the work has found: see [`ItemContext::add_item`](super::ItemContext::add_item).
    ///
    /// # Errors
    ///
    /// As for [`ItemContext::add_item`](super::ItemContext::add_item).
    pub fn add_item(&self, item: SyncItem) -> Result<(), CallbackError> {
        if self.state.ended.load(Ordering::Relaxed) || self.has_measured() {
            return Err(match self.state.lease.is_open() {
                true => CallbackError::ItemFinished,
                false => CallbackError::Released,
            });
        }
        let queue = self.state.queue.as_ref().ok_or(CallbackError::WrongPhase)?;
        let callback = self.callback()?;
        queue.add(item, |item| callback.add_item(item))
    }

    /// Returns the host's callback, for what is not offered here: connections and dialogs.
    ///
    /// # Errors
    ///
    /// Returns [`Released`](CallbackError::Released) if the host has taken it away.
    pub fn callback(&self) -> Result<&Arc<dyn SyncCallback>, CallbackError> {
        self.state.lease.callback()
    }

    /// Sets what the item ends as if the work returns `Ok`: see [`ItemContext::set_outcome`](super::ItemContext::set_outcome).
    pub fn set_outcome(&self, status: ItemStatus) {
        use ItemStatus::{Deleted, Failed, Skipped, Stopped, Succeeded};
        self.state.last.lock().status = match status {
            Failed | Skipped | Deleted | Stopped => status,
            _ => Succeeded,
        };
    }

    /// Sets the text that goes with the final status, whatever that is.
    pub fn set_final_text(&self, text: impl Into<String>) {
        let text = text.into(); // user code
        self.state.last.lock().final_text = Some(text);
    }
}

/// What the adapter does with it.
impl SharedContext {
    pub(super) fn new(
        item: SyncItem,
        place: usize,
        reporter: ItemReporter,
        lease: &Arc<CallbackLease>,
        queue: Option<&Arc<Queue>>,
        max: u64,
    ) -> Self {
        let (lease, queue) = (Arc::clone(lease), queue.map(Arc::clone));
        let state = ContextState::new(item, place, reporter, lease, queue, max);
        Self {
            state: Arc::new(state),
            is_for_measure: false,
        }
    }

    /// The context for measuring the item, until [`end_measure`](Self::end_measure).
    pub(super) fn for_measure(&self) -> Self {
        Self {
            state: Arc::clone(&self.state),
            is_for_measure: true,
        }
    }

    /// Refuses the reports of what has measured the item.
    pub(super) fn end_measure(&self) {
        self.state.measured.store(true, Ordering::Relaxed);
    }

    /// Whether it was made to measure, and that is done.
    #[inline]
    fn has_measured(&self) -> bool {
        self.is_for_measure && self.state.measured.load(Ordering::Relaxed)
    }

    /// The state, if nobody else has kept the context, to renew it for another item of the round.
    pub(super) fn state_mut(&mut self) -> Option<&mut ContextState> {
        Arc::get_mut(&mut self.state)
    }

    #[inline]
    fn open(&self) -> Result<(), Cancelled> {
        if self.state.lease.is_open() && !self.stop_requested() && !self.has_measured() {
            Ok(())
        } else {
            self.closed()
        }
    }

    /// No call is made any more: what a told thread may still do is the adapter's (rule H02).
    #[cold]
    fn closed(&self) -> Result<(), Cancelled> {
        if !self.state.lease.is_open() {
            return self.observe_verdict(Err(Cancelled::Refused(CallbackError::Released)));
        }
        // Only asks, which is always allowed.
        let answer = Cancelled::of(self.state.reporter.check());
        answer.and(Err(Cancelled::Item))
    }

    #[inline]
    pub(super) fn observe_verdict(&self, answer: Result<(), Cancelled>) -> Result<(), Cancelled> {
        if answer.is_err() {
            self.state.stop_requested.store(true, Ordering::Relaxed);
        }
        answer
    }

    #[inline]
    pub(super) fn stop_requested(&self) -> bool {
        self.state.stop_requested.load(Ordering::Relaxed)
    }

    /// Who waits for a cancel of the item.
    pub(super) fn waiting(&self) -> &CancelWait {
        let new = || {
            Box::new(CancelWait::new(LeasedSource {
                lease: Arc::clone(&self.state.lease),
                state: Arc::downgrade(&self.state),
                host: self.state.reporter.host(),
            }))
        };
        self.state.waiting.get_or_init(new)
    }

    /// A host that does not wake has not told the work to end.
    pub(super) fn heed_wait(&self, answer: WaitAnswer) -> Result<(), Cancelled> {
        match answer {
            Err(error @ CallbackError::NotImplemented) => Err(Cancelled::Refused(error)),
            answer => self.observe_verdict(Cancelled::of(answer)),
        }
    }

    /// Where the item most likely is in the list.
    pub(super) fn place(&self) -> usize {
        self.state.place
    }

    /// What an `Ok` of the work stands for.
    pub(super) fn outcome(&self) -> ItemStatus {
        self.state.last.lock().status
    }

    /// Refuses all further reports and additions.
    pub(super) fn close(&self) {
        self.state.stop_requested.store(true, Ordering::Relaxed);
        self.state.ended.store(true, Ordering::Relaxed);
    }

    /// Ends the item, with this text unless the work has said another. What the work has left behind, such as a thread of its own,
    /// is answered [`Cancelled`] from now on.
    pub(super) fn finish(&self, status: ItemStatus, text: Option<String>) {
        let text = self.state.last.lock().final_text.take().or(text);
        let mut update = ProgressUpdate::new().status(status);
        if let Some(text) = &text {
            update = update.text(text);
        }
        // Left to a thread that is still in a call of the host.
        if let Some((value, max)) = self.state.maximum.left() {
            update = update.value(value).max(max);
        }
        self.close();
        if self.state.lease.is_open() {
            // Refused only if the host has let go meanwhile.
            let _ = self.state.reporter.report(&update);
        }
    }

    /// Reports what cannot be reported directly: a maximum, a value above it, or one while another thread reports one.
    #[cold]
    fn raise(&self, report: &MaxReport<'_>) -> Result<(), Cancelled> {
        let Some(mut turn) = self.state.maximum.turn(report) else {
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
            self.observe_verdict(Cancelled::of(self.state.reporter.report(update)))?;
        }
        match more {
            0 => Ok(()),
            more => self.observe_verdict(Cancelled::of(self.state.reporter.advance(more))),
        }
    }
}

/// Asks no callback that was taken away (rule H13), and tells the work what it is told.
struct LeasedSource<H> {
    lease: Arc<CallbackLease>,
    /// Gone after the work has ended: then there is nobody to tell.
    state: Weak<ContextState>,
    host: H,
}

impl<H: CancelSource> CancelSource for LeasedSource<H> {
    fn register(&self, waker: &std::task::Waker) -> Result<(), CallbackError> {
        self.lease.callback()?;
        self.host.register(waker)
    }

    fn ask(&self) -> WaitAnswer {
        self.lease.callback()?;
        let answer = self.host.ask();
        if answer != Ok(Verdict::Continue) {
            if let Some(state) = self.state.upgrade() {
                state.stop_requested.store(true, Ordering::Relaxed);
            }
        }
        answer
    }
}

impl fmt::Debug for SharedContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedContext")
            .field("item", &self.state.item)
            .finish_non_exhaustive()
    }
}
