//! The fast handle on one item.

use std::error::Error;
use std::fmt;
#[cfg(not(all(test, loom)))]
use std::sync::LazyLock;
use std::sync::{Arc, OnceLock, Weak};

use super::Session;
use super::callback_sink::CallbackSink;
use super::cancel_wait::CancelWait;
use super::session_link::{LinkedSession, SessionLink};
use super::state::slot::{Slot, SlotReport};
use crate::contract::SlotHandle;
use crate::util::panic::contained;
use crate::util::text::error_chain;
use crate::{
    CallbackError, ErrorId, ItemId, ItemStatus, LogLevel, LogRecord, ProgressUpdate, SyncCallback,
    Verdict,
};

/// The handle by which a worker reports one item: a report costs as much as the store that it makes.
///
/// Each report answers the [`Verdict`]: go on, stop this item, or stop everything. The methods that end the item take
/// the reporter with them.
///
/// On a [`Session`] it goes straight to the item's place. On any other [`SyncCallback`], such as a
/// wrapper that records calls, it calls [`progress`](SyncCallback::progress), so that the wrapper sees each report.
///
/// - Use one reporter for each item: several work, but through a wrapper each counts its own total for
///   [`advance`](Self::advance).
/// - A reporter from before a retry of its item, or from before an [`add_item`](SyncCallback::add_item) that took the item
///   into the round, and one whose session was released or dropped, is answered
///   [`Released`](CallbackError::Released). Through a `testing::Recorder` it is too; any other wrapper
///   passes on the item's id only, so its host cannot know the reporter's round.
/// - Dropped while its thread panics, it ends its item `FAILED`, unless the item has ended already. Dropped otherwise, it
///   reports nothing.
///
/// ```
/// use std::sync::Arc;
/// use syncmgr::{CallbackError, ItemId, ItemReporter, SyncCallback, Verdict};
///
/// fn copy(callback: &Arc<dyn SyncCallback>, id: ItemId, blocks: &[&[u8]]) -> Result<(), CallbackError> {
///     let item = ItemReporter::new(callback, id);
///     if item.check()? != Verdict::Continue {
///         return item.skip(); // rule H01: ask before the item is started
///     }
///     for block in blocks {
///         // ... write the block ...
///         if item.advance(block.len() as u64)? != Verdict::Continue {
///             return item.stop(); // rule H02: nothing but a final status after a cancel
///         }
///     }
///     item.succeed()
/// }
/// # use syncmgr::{ItemName, Session, SyncItem};
/// # let id = ItemId::from_u128(1);
/// # let session = Session::builder().item(SyncItem::new(id, ItemName::try_from("a")?)).build()?;
/// # let callback: Arc<dyn SyncCallback> = session.clone();
/// # copy(&callback, id, &[b"one", b"two"])?;
/// # assert_eq!(session.item(id).map(|view| view.value), Some(6));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a reporter that is dropped reports nothing"]
pub struct ItemReporter {
    /// A reporter that goes by calls has a slot that is never live, so that the fast path need not ask which of the two
    /// it is.
    pub(super) slot: Arc<Slot>,
    pub(super) session: SessionLink,
    /// A method that ends the item was called.
    pub(super) done: bool,
    pub(super) item: ItemId,
    /// The way to a callback that gives no slot.
    pub(super) calls: Option<CallbackSink>,
    /// Who waits here for a cancel, once somebody does.
    pub(super) waiting: OnceLock<Box<CancelWait>>,
}

impl ItemReporter {
    /// Creates a reporter of an item on any callback. It makes no call: if the callback does not know the
    /// item, the first report returns the error.
    pub fn new(callback: &Arc<dyn SyncCallback>, item: ItemId) -> Self {
        match Self::find(callback, item) {
            Some((session, slot)) => {
                Self::on_slot(slot, SessionLink::Weak(Arc::downgrade(&session)))
            }
            None => Self::by_calls(callback, item),
        }
    }

    /// The session that the callback is, and the item's slot there.
    pub(super) fn find(
        callback: &Arc<dyn SyncCallback>,
        item: ItemId,
    ) -> Option<(Arc<Session>, Arc<Slot>)> {
        let (owner, number) = callback.slot(item).map(SlotHandle::into_parts)?;
        let session = owner.downcast::<Session>().ok()?;
        let slot = session.table.by_number(number)?.into_arc();
        Some((session, slot))
    }

    pub(super) fn by_calls(callback: &Arc<dyn SyncCallback>, item: ItemId) -> Self {
        let mut reporter = Self::on_slot(vacant(), SessionLink::Weak(Weak::new()));
        reporter.item = item;
        let other = callback.for_reporter(item);
        reporter.calls = Some(CallbackSink::new(other.as_ref().unwrap_or(callback)));
        reporter
    }

    pub(super) fn on_slot(slot: Arc<Slot>, session: SessionLink) -> Self {
        Self {
            item: slot.id(),
            slot,
            session,
            done: false,
            calls: None,
            waiting: OnceLock::new(),
        }
    }

    /// The item.
    #[must_use]
    pub fn item(&self) -> ItemId {
        self.item
    }

    /// Reports the value: how much of the item is done, in the units of its maximum. Answers the verdict.
    ///
    /// This is the fast path: one load, one branch, one store, on a cache line that no other item shares.
    ///
    /// # Errors
    ///
    /// [`ItemFinished`](CallbackError::ItemFinished), [`WrongPhase`](CallbackError::WrongPhase),
    /// [`UnknownItem`](CallbackError::UnknownItem) and [`Released`](CallbackError::Released), as for
    /// [`progress`](SyncCallback::progress).
    #[inline]
    pub fn set(&self, value: u64) -> Result<Verdict, CallbackError> {
        if self.slot.set_if_live(value) {
            Ok(Verdict::Continue)
        } else {
            self.slow_set(value)
        }
    }

    /// Stores the value if the item is in work and not cancelled, and returns whether it was. It makes no call.
    #[inline]
    pub(crate) fn set_if_live(&self, value: u64) -> bool {
        self.slot.set_if_live(value)
    }

    /// Adds to the value. Past `u64::MAX` it wraps. Answers the verdict.
    ///
    /// Several threads may advance one item: no step is lost. It costs an atomic add in place of a store.
    ///
    /// # Errors
    ///
    /// As for [`set`](Self::set).
    #[inline]
    pub fn advance(&self, amount: u64) -> Result<Verdict, CallbackError> {
        if self.slot.add_if_live(amount) {
            Ok(Verdict::Continue)
        } else {
            self.slow_advance(amount)
        }
    }

    /// Asks for the verdict and reports nothing. Due before an item is started (rule H01), and while there is nothing to
    /// report.
    ///
    /// # Errors
    ///
    /// As for [`set`](Self::set).
    #[inline]
    pub fn check(&self) -> Result<Verdict, CallbackError> {
        if self.slot.check_if_live() {
            Ok(Verdict::Continue)
        } else {
            self.slow_check()
        }
    }

    /// Reports anything: text, status, value and maximum in one update. Answers the verdict.
    ///
    /// # Errors
    ///
    /// As for [`set`](Self::set).
    pub fn report(&self, update: &ProgressUpdate<'_>) -> Result<Verdict, CallbackError> {
        if self.slot.try_store(update) || self.slot.try_update(update) {
            Ok(Verdict::Continue)
        } else {
            self.slow(update)
        }
    }

    /// What the fast path does not take.
    fn slow(&self, update: &ProgressUpdate<'_>) -> Result<Verdict, CallbackError> {
        match &self.calls {
            None => self
                .session()?
                .report(&self.slot, &SlotReport::Update(update)),
            Some(calls) => calls.report(self.item, update),
        }
    }

    #[cold]
    #[inline(never)]
    fn slow_set(&self, value: u64) -> Result<Verdict, CallbackError> {
        self.slow(&ProgressUpdate::new().value(value))
    }

    #[cold]
    #[inline(never)]
    fn slow_check(&self) -> Result<Verdict, CallbackError> {
        self.slow(&ProgressUpdate::CHECK)
    }

    #[cold]
    #[inline(never)]
    fn slow_advance(&self, amount: u64) -> Result<Verdict, CallbackError> {
        match &self.calls {
            None => self
                .session()?
                .report(&self.slot, &SlotReport::Advance(amount)),
            Some(calls) => calls.advance(self.item, amount),
        }
    }

    /// The session of the slot, unless it is gone.
    pub(super) fn session(&self) -> Result<LinkedSession<'_>, CallbackError> {
        self.session.get()
    }

    /// For who ends the item himself, however the work does: dropped while its thread panics, it makes no call.
    pub(crate) fn without_end(mut self) -> Self {
        self.done = true;
        self
    }

    /// Ends the item as done.
    ///
    /// # Errors
    ///
    /// As for [`set`](Self::set); that the item was cancelled is none.
    pub fn succeed(self) -> Result<(), CallbackError> {
        self.end(ItemStatus::Succeeded, None)
    }

    /// Ends the item as failed: logs the error with its first 64 sources, at level `Error`, and shows it as the item's text.
    ///
    /// A log that refuses the entry does not keep the status from being set. For an error that the user can follow to
    /// [`show_error`](crate::SyncHandler::show_error), or that is to be deleted later, there is
    /// [`fail_as`](Self::fail_as).
    ///
    /// # Errors
    ///
    /// As for [`set`](Self::set).
    pub fn fail(self, error: &dyn Error) -> Result<(), CallbackError> {
        let text = error_chain(error);
        let record = LogRecord::new(LogLevel::Error, &text);
        self.end(ItemStatus::Failed, Some(record))
    }

    /// Ends the item as failed as [`fail`](Self::fail) does, and gives the log entry an id, by which it can be shown and
    /// deleted: see [`LogRecord::jump_text`].
    ///
    /// # Errors
    ///
    /// As for [`set`](Self::set).
    ///
    /// ```
    /// use std::io;
    /// use syncmgr::{ErrorId, ItemId, Session, SyncItem};
    ///
    /// let (id, error) = (ItemId::from_u128(1), ErrorId::from_u128(7));
    /// let session = Session::builder().item(SyncItem::new(id, "a".parse()?)).build()?;
    /// session.reporter(id)?.fail_as(&io::Error::other("the disk is full"), error)?;
    /// let log = session.log();
    /// assert_eq!((log[0].text.as_str(), log[0].error_id), ("the disk is full", Some(error)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn fail_as(self, error: &dyn Error, id: ErrorId) -> Result<(), CallbackError> {
        let text = error_chain(error);
        let record = LogRecord::new(LogLevel::Error, &text).jump_text(id);
        self.end(ItemStatus::Failed, Some(record))
    }

    /// Ends the item as skipped: it was not started.
    ///
    /// # Errors
    ///
    /// As for [`set`](Self::set).
    pub fn skip(self) -> Result<(), CallbackError> {
        self.end(ItemStatus::Skipped, None)
    }

    /// Ends the item as stopped: the answer to a cancel of an item that was started.
    ///
    /// # Errors
    ///
    /// As for [`set`](Self::set).
    pub fn stop(self) -> Result<(), CallbackError> {
        self.end(ItemStatus::Stopped, None)
    }

    fn end(
        mut self,
        status: ItemStatus,
        error: Option<LogRecord<'_>>,
    ) -> Result<(), CallbackError> {
        self.finish(status, error)
    }

    fn finish(
        &mut self,
        status: ItemStatus,
        error: Option<LogRecord<'_>>,
    ) -> Result<(), CallbackError> {
        self.done = true;
        let mut update = ProgressUpdate::new().status(status);
        if let Some(record) = error {
            let record = record.item(self.item);
            // The status matters more than the log; a callback that is gone says so at the report.
            let _ = match &self.calls {
                None => self
                    .session()
                    .and_then(|session| session.log_error(&record)),
                Some(calls) => calls.log_error(&record),
            };
            update = update.text(record.text);
        }
        self.report(&update).map(|_| ())
    }
}

/// A slot that is never live.
fn vacant() -> Arc<Slot> {
    #[cfg(not(all(test, loom)))]
    {
        static VACANT: LazyLock<Arc<Slot>> = LazyLock::new(|| Arc::new(Slot::vacant()));
        Arc::clone(&VACANT)
    }
    // The model checker's atomics live no longer than one execution.
    #[cfg(all(test, loom))]
    Arc::new(Slot::vacant())
}

impl Drop for ItemReporter {
    fn drop(&mut self) {
        // Waiting borrows the reporter, so nothing waits any more. Another host than a session keeps the waker until the item
        // ends: `SyncCallback` has no call for this.
        if let (Some(waiting), Ok(session)) = (self.waiting.get(), self.session()) {
            session.forget_waker(self.slot.number(), &waiting.waker());
        }
        if self.done || !std::thread::panicking() {
            return;
        }
        // A second panic, in somebody else's callback or in what hangs on a session that ends here, would end the process.
        contained(|| {
            if self.check() != Err(CallbackError::ItemFinished) {
                let record = LogRecord::new(LogLevel::Error, "worker panicked");
                let _ = self.finish(ItemStatus::Failed, Some(record));
            }
        });
    }
}

impl fmt::Debug for ItemReporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ItemReporter")
            .field("item", &self.item)
            .finish_non_exhaustive()
    }
}
