//! The fast handle on one item.

use std::error::Error;
use std::fmt;
#[cfg(not(all(test, loom)))]
use std::sync::LazyLock;
use std::sync::{Arc, OnceLock, Weak};
use std::task::Waker;
use std::time::Duration;

use super::Session;
use super::callback_sink::Calls;
use super::cancel_wait::{Answer, CancelGuard, Host, Waiting};
use super::state::slot::Slot;
use crate::util::panic::contained;
use crate::util::sync::deadline;
use crate::util::text::error_chain;
use crate::{
    CallbackError, ErrorId, ItemId, ItemStatus, LogLevel, LogRecord, ProgressUpdate, SlotHandle,
    SyncCallback, Verdict,
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
///     let item = ItemReporter::new(callback, id)?;
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
    slot: Arc<Slot>,
    session: Weak<Session>,
    /// A method that ends the item was called.
    done: bool,
    item: ItemId,
    /// The way to a callback that gives no slot.
    calls: Option<Calls>,
    /// Who waits here for a cancel, once somebody does.
    waiting: OnceLock<Box<Waiting>>,
}

impl ItemReporter {
    /// A reporter of this item on any callback. It makes no call: an id that the callback does not know may show only at
    /// the first report.
    ///
    /// # Errors
    ///
    /// None as things are; a callback that knows the item to be out of reach may answer one in a later version.
    pub fn new(callback: &Arc<dyn SyncCallback>, item: ItemId) -> Result<Self, CallbackError> {
        if let Some((owner, number)) = callback.slot(item).map(SlotHandle::into_parts) {
            if let Ok(session) = owner.downcast::<Session>() {
                if let Some(slot) = session.table.by_number(number) {
                    return Ok(Self::on_slot(slot.into_arc(), Arc::downgrade(&session)));
                }
            }
        }
        let mut reporter = Self::on_slot(vacant(), Weak::new());
        reporter.item = item;
        let other = callback.for_reporter(item);
        reporter.calls = Some(Calls::new(other.as_ref().unwrap_or(callback)));
        Ok(reporter)
    }

    pub(super) fn on_slot(slot: Arc<Slot>, session: Weak<Session>) -> Self {
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
        if self.slot.take_plain(update) || self.slot.take_in_work(update) {
            Ok(Verdict::Continue)
        } else {
            self.slow(update)
        }
    }

    /// What the fast path does not take.
    fn slow(&self, update: &ProgressUpdate<'_>) -> Result<Verdict, CallbackError> {
        match &self.calls {
            None => self.session()?.report(&self.slot, update, None),
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
            None => {
                let update = ProgressUpdate::CHECK;
                self.session()?.report(&self.slot, &update, Some(amount))
            }
            Some(calls) => calls.advance(self.item, amount),
        }
    }

    /// The session of the slot, unless it is gone.
    fn session(&self) -> Result<Arc<Session>, CallbackError> {
        self.session.upgrade().ok_or(CallbackError::Released)
    }

    /// Calls `callback` once when the item is cancelled, alone or with everything: for work that cannot ask, since it is blocked in
    /// a read or waits for another program. It is also called when the host takes no more reports of the item (the session was
    /// completed or released, or the item was retried), since the work is to end then too; not when the item has its final
    /// status.
    ///
    /// It is called on the thread that cancels, before that call returns, so it is to be short and not to block: close the
    /// socket, kill the child, cancel a token. Where the item is cancelled already, it is called here. It may use the host, but
    /// reports nothing of the item. A panic in it goes no further.
    ///
    /// Where several threads wait at one reporter, or cancel at the same time, it is called on one of them, and another may go
    /// on before it has returned. Callbacks that cancel further items nest; from the 16th level on, the next one is called as soon
    /// as the one that cancels has returned.
    ///
    /// It waits as long as the guard is kept; dropping the guard waits for a callback that is being called on another thread at
    /// that moment, so do not hold a lock then that the callback takes. The guard may be kept over an `.await`. A callback that takes
    /// a lock which the blocked work holds blocks who cancels: with one `Mutex<Child>`, `lock().kill()` here waits for `lock().wait()`
    /// there. [`ItemContext::wait_cancelled`](crate::per_item::ItemContext::wait_cancelled) shows how a child is killed without a lock.
    ///
    /// To know whether to call it, the host is asked, on the thread that sets it and on those that wake it. As by any other
    /// answer, that thread is told of the cancel then (rules H02 and H03): where
    /// [`was_called`](CancelGuard::was_called) holds, the item is to be ended, and no more work of it to be reported.
    ///
    /// ```
    /// use std::net::{Shutdown, TcpStream};
    /// use syncmgr::{CallbackError, ItemReporter};
    ///
    /// fn receive(item: &ItemReporter, socket: &TcpStream) -> Result<(), Box<dyn std::error::Error>> {
    ///     let other_end = socket.try_clone()?;
    ///     let _guard = item.on_cancel(move || _ = other_end.shutdown(Shutdown::Both))?;
    ///     // ... reads of the socket end when the item is cancelled ...
    ///     Ok(())
    /// }
    /// # let _ = receive;
    /// ```
    ///
    /// tokio's `CancellationToken` is tied to the item in one line (for async work, too), and so is any other:
    ///
    /// ```
    /// # use std::sync::{Arc, atomic::{AtomicBool, Ordering}};
    /// # use syncmgr::{ItemId, ItemName, Session, SyncItem};
    /// # #[derive(Clone, Default)]
    /// # struct CancellationToken(Arc<AtomicBool>);
    /// # impl CancellationToken {
    /// #     fn new() -> Self { Self::default() }
    /// #     fn cancel(&self) { self.0.store(true, Ordering::Relaxed) }
    /// #     fn is_cancelled(&self) -> bool { self.0.load(Ordering::Relaxed) }
    /// # }
    /// # let id = ItemId::from_u128(1);
    /// # let session = Session::builder().item(SyncItem::new(id, ItemName::try_from("a")?)).build()?;
    /// # let item = session.reporter(id)?;
    /// let token = CancellationToken::new();
    /// let _tied = item.on_cancel({ let token = token.clone(); move || token.cancel() })?;
    /// session.cancel_item(id)?;
    /// assert!(token.is_cancelled());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The callback is not called then: [`NotImplemented`](CallbackError::NotImplemented) where the host does not
    /// [wake](SyncCallback::wake_on_cancel), and as for [`set`](Self::set).
    pub fn on_cancel(
        &self,
        callback: impl FnOnce() + Send + 'static,
    ) -> Result<CancelGuard<'_>, CallbackError> {
        self.waiting().call(callback)
    }

    /// Blocks the thread until the item is cancelled, at most as long as `timeout`; `Duration::MAX` waits for ever. A sleep that a
    /// cancel ends: answers the verdict, which is `Continue` when the time has passed. While it sleeps it is silent: under a host
    /// with a [deadline](crate::RunOptions::deadline), wait for less than that at a time.
    ///
    /// ```
    /// use std::time::Duration;
    /// use syncmgr::{CallbackError, ItemReporter, Verdict};
    ///
    /// fn with_patience(item: ItemReporter) -> Result<(), CallbackError> {
    ///     for seconds in [1, 2, 4] {
    ///         // ... try, and if that was too early: ...
    ///         if item.wait_cancelled(Duration::from_secs(seconds))? != Verdict::Continue {
    ///             return item.stop();
    ///         }
    ///     }
    ///     item.succeed()
    /// }
    /// # let _ = with_patience;
    /// ```
    ///
    /// # Errors
    ///
    /// At once: [`NotImplemented`](CallbackError::NotImplemented) where the host does not [wake](SyncCallback::wake_on_cancel). At
    /// once, or as soon as it is so: as for [`set`](Self::set); so a wait ends when the host lets the handler go.
    pub fn wait_cancelled(&self, timeout: Duration) -> Result<Verdict, CallbackError> {
        self.waiting().block(deadline(timeout))
    }

    /// Waits until the item is cancelled (feature `async`): answers `CancelItem` or `CancelAll`. To be raced against the work, by
    /// the `select` of any runtime.
    ///
    /// Each poll asks the host; nothing is kept there that grows with the number of waits. Dropping the future ends the wait.
    ///
    /// # Errors
    ///
    /// As for [`wait_cancelled`](Self::wait_cancelled): it fails rather than waiting for a wake-up that never comes.
    #[cfg(feature = "async")]
    #[cfg_attr(docsrs, doc(cfg(feature = "async")))]
    pub fn cancelled(&self) -> impl Future<Output = Result<Verdict, CallbackError>> + Send + '_ {
        self.waiting().cancelled()
    }

    fn waiting(&self) -> &Waiting {
        let new = || Box::new(Waiting::new(self.host()));
        self.waiting.get_or_init(new)
    }

    /// For who ends the item himself, however the work does: dropped while its thread panics, it makes no call.
    pub(crate) fn without_end(mut self) -> Self {
        self.done = true;
        self
    }

    /// What is asked by those who wait, on whatever thread they are woken.
    pub(crate) fn host(&self) -> impl Host + use<> {
        let callback = self.calls.as_ref().map(Calls::callback);
        Asked(Self {
            slot: Arc::clone(&self.slot),
            session: Weak::clone(&self.session),
            done: true, // it is not what ends the item
            item: self.item,
            calls: callback.map(Calls::new),
            waiting: OnceLock::new(),
        })
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

/// A reporter that only asks.
struct Asked(ItemReporter);

impl Host for Asked {
    fn register(&self, waker: &Waker) -> Result<(), CallbackError> {
        let item = Some(self.0.item);
        match &self.0.calls {
            None => self.0.session()?.wake_on_cancel(item, waker),
            Some(calls) => calls.callback().wake_on_cancel(item, waker),
        }
    }

    fn ask(&self) -> Answer {
        self.0.check()
    }

    /// A wrapper's host keeps it until the item ends: [`SyncCallback`] has no call for this.
    fn forget(&self, waker: &Waker) {
        if let Ok(session) = self.0.session() {
            session.forget_waker(self.0.slot.number(), waker);
        }
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
        if let Some(waiting) = self.waiting.get() {
            waiting.forget(); // whoever waited here borrowed the reporter, so nobody does
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
