//! Waiting for the cancellation of an item.

use std::time::Duration;

use super::cancelled::Cancelled;
use super::context::ItemContext;
use super::shared_context::SharedContext;
#[cfg(feature = "async")]
use super::task_context::TaskContext;
use crate::util::clock;
use crate::{CallbackError, CancelGuard};

/// For work that is blocked or sleeps, and so cannot ask.
impl ItemContext {
    /// Calls `callback` once when the item is cancelled or the host lets go, on the thread on which that happens: see
    /// [`ItemReporter::on_cancel`](crate::ItemReporter::on_cancel). The work is told by that, too: its next report returns
    /// [`Cancelled`], and the item ends `Stopped`, even if the work fails by what the callback has done, such as closing its
    /// socket.
    ///
    /// The callback must not take a lock that the work holds while it is blocked, such as that of a `Mutex<Child>` in
    /// `lock().wait()`: the thread that cancels would wait for it. [`wait_cancelled`](Self::wait_cancelled) shows how to kill a
    /// child without a lock.
    ///
    /// # Errors
    ///
    /// As for [`ItemReporter::on_cancel`](crate::ItemReporter::on_cancel).
    pub fn on_cancel(
        &self,
        callback: impl FnOnce() + Send + 'static,
    ) -> Result<CancelGuard<'_>, CallbackError> {
        self.shared.on_cancel(callback)
    }

    /// Sleeps for this long, or until the item is cancelled. `Duration::MAX` is for ever.
    ///
    /// While it sleeps it is silent: under a host with a [deadline](crate::RunOptions::deadline), sleep for less than that at a time.
    ///
    /// # Errors
    ///
    /// Returns [`Cancelled`] if the work is to end: pass it on. If the host does not [wake](crate::SyncCallback::wake_on_cancel), it
    /// returns that immediately, and the item fails.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use std::process::{Child, Command, ExitStatus};
    /// use std::time::Duration;
    /// use syncmgr::per_item::{Error, ItemContext};
    ///
    /// struct Running(Child);
    ///
    /// impl Drop for Running {
    ///     fn drop(&mut self) {
    ///         let _ = self.0.kill(); // it may have ended
    ///         let _ = self.0.wait(); // so that no zombie is left
    ///     }
    /// }
    ///
    /// fn run(item: &ItemContext, command: &mut Command) -> Result<ExitStatus, Error> {
    ///     let mut child = Running(command.spawn()?);
    ///     loop {
    ///         if let Some(status) = child.0.try_wait()? {
    ///             break Ok(status);
    ///         }
    ///         item.wait_cancelled(Duration::from_millis(20))?; // a cancellation ends the function, and the child with it
    ///     }
    /// }
    /// # let _ = run;
    /// ```
    pub fn wait_cancelled(&self, timeout: Duration) -> Result<(), Cancelled> {
        self.shared.wait_cancelled(timeout)
    }
}

/// For threads that are blocked or sleep, and so cannot ask.
impl SharedContext {
    /// Calls `callback` once when the item is cancelled or the host lets go: see [`ItemContext::on_cancel`].
    ///
    /// # Errors
    ///
    /// As for [`ItemReporter::on_cancel`](crate::ItemReporter::on_cancel).
    pub fn on_cancel(
        &self,
        callback: impl FnOnce() + Send + 'static,
    ) -> Result<CancelGuard<'_>, CallbackError> {
        self.waiting().call(callback)
    }

    /// Sleeps for this long, or until the item is cancelled: see [`ItemContext::wait_cancelled`].
    ///
    /// # Errors
    ///
    /// Returns [`Cancelled`] if the work is to end: pass it on.
    pub fn wait_cancelled(&self, timeout: Duration) -> Result<(), Cancelled> {
        let until = clock::deadline(timeout);
        self.heed_wait(self.waiting().block(until))
    }
}

/// For work that waits, and so cannot ask.
#[cfg(feature = "async")]
impl TaskContext {
    /// Calls `callback` once when the item is cancelled or the host lets go: see [`ItemContext::on_cancel`].
    ///
    /// # Errors
    ///
    /// As for [`ItemReporter::on_cancel`](crate::ItemReporter::on_cancel).
    ///
    /// # Examples
    ///
    /// A `CancellationToken` is tied to the item in one line. The guard may be kept over an `.await`:
    ///
    /// ```
    /// # use syncmgr::per_item::{Error, TaskContext};
    /// # #[derive(Clone)]
    /// # struct CancellationToken;
    /// # impl CancellationToken {
    /// #     fn new() -> Self { Self }
    /// #     fn cancel(&self) {}
    /// # }
    /// # async fn receive(_: CancellationToken) {}
    /// async fn fetch(item: TaskContext) -> Result<(), Error> {
    ///     let token = CancellationToken::new();
    ///     let _tied = item.on_cancel({ let token = token.clone(); move || token.cancel() })?;
    ///     receive(token).await;
    ///     Ok(())
    /// }
    /// # fn is_send(_: impl Send) {}
    /// # let _ = |item| is_send(fetch(item));
    /// ```
    pub fn on_cancel(
        &self,
        callback: impl FnOnce() + Send + 'static,
    ) -> Result<CancelGuard<'_>, CallbackError> {
        self.shared.on_cancel(callback)
    }

    /// Waits until the item is cancelled, or the host lets go. If the host does not [wake](crate::SyncCallback::wake_on_cancel), it
    /// returns [`Refused`](Cancelled::Refused) immediately: passed on, that fails the item.
    pub fn cancelled(&self) -> impl Future<Output = Cancelled> + Send + '_ {
        let mut answer = self.shared.waiting().cancelled();
        std::future::poll_fn(move |context| {
            let answer = std::pin::Pin::new(&mut answer).poll(context);
            answer.map(|answer| match self.shared.heed_wait(answer) {
                Err(cancelled) => cancelled,
                // Not ready then.
                Ok(()) => Cancelled::Item,
            })
        })
    }

    /// Runs a future until the item is cancelled. Then the future is dropped at the `.await` that it has come to.
    ///
    /// So it must be one that may be dropped there. What it has handed to another thread goes on: tokio creates files so, and
    /// one may come into being after its name was cleaned up.
    ///
    /// # Errors
    ///
    /// Returns [`Cancelled`] if the work is to end: pass it on.
    ///
    /// # Examples
    ///
    /// ```
    /// # use syncmgr::per_item::{Error, TaskContext};
    /// # async fn receive() -> Result<Vec<u8>, Error> { Ok(Vec::new()) }
    /// async fn fetch(item: TaskContext) -> Result<(), Error> {
    ///     let bytes = item.until_cancelled(receive()).await??; // the first `?` is the cancellation
    ///     item.advance(bytes.len() as u64).await?;
    ///     Ok(())
    /// }
    /// # let _ = fetch;
    /// ```
    pub async fn until_cancelled<F: Future>(&self, future: F) -> Result<F::Output, Cancelled> {
        let mut future = std::pin::pin!(future);
        let mut cancelled = std::pin::pin!(self.cancelled());
        std::future::poll_fn(|context| {
            // The cancellation first: it must not wait for a future that is always ready.
            if let std::task::Poll::Ready(cancelled) = cancelled.as_mut().poll(context) {
                return std::task::Poll::Ready(Err(cancelled));
            }
            future.as_mut().poll(context).map(Ok)
        })
        .await
    }
}
