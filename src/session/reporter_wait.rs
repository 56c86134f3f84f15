//! Waiting at a reporter for the cancellation of its item.

use std::sync::{Arc, OnceLock};
use std::task::Waker;
use std::time::Duration;

use super::ItemReporter;
use super::callback_sink::CallbackSink;
use super::cancel_wait::{CancelGuard, CancelSource, CancelWait, WaitAnswer};
use crate::util::clock::deadline;
use crate::{CallbackError, SyncCallback, Verdict};

impl ItemReporter {
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

    fn waiting(&self) -> &CancelWait {
        let new = || Box::new(CancelWait::new(self.host()));
        self.waiting.get_or_init(new)
    }

    /// What is asked by those who wait, on whatever thread they are woken.
    pub(crate) fn host(&self) -> impl CancelSource + use<> {
        let callback = self.calls.as_ref().map(CallbackSink::callback);
        ReporterSource(Self {
            slot: Arc::clone(&self.slot),
            session: self.session.clone(),
            done: true, // it is not what ends the item
            item: self.item,
            calls: callback.map(CallbackSink::new),
            waiting: OnceLock::new(),
        })
    }
}

/// A reporter that only asks.
struct ReporterSource(ItemReporter);

impl CancelSource for ReporterSource {
    fn register(&self, waker: &Waker) -> Result<(), CallbackError> {
        let item = Some(self.0.item);
        match &self.0.calls {
            None => self.0.session()?.wake_on_cancel(item, waker),
            Some(calls) => calls.callback().wake_on_cancel(item, waker),
        }
    }

    fn ask(&self) -> WaitAnswer {
        self.0.check()
    }
}
