//! Waiting for the cancellation of an item.

use std::time::{Duration, Instant};

use super::cancelled::Cancelled;
use super::context::ItemContext;
use crate::{CallbackError, CancelGuard};

/// For work that cannot ask, since it is blocked or sleeps.
impl ItemContext {
    /// Calls `callback` once when the item is cancelled or the host lets go, on the thread on which that happens: see
    /// [`ItemReporter::on_cancel`](crate::ItemReporter::on_cancel). The work is told by that, too: its next report answers
    /// [`Cancelled`], and the item ends `Stopped`, though the work fails by what the callback has done, such as closing its
    /// socket.
    ///
    /// The callback is not to take a lock that the work holds while it is blocked, such as that of a `Mutex<Child>` in
    /// `lock().wait()`: the one who cancels would wait for it. A child is killed without one as
    /// [`wait_cancelled`](Self::wait_cancelled) shows.
    ///
    /// A `CancellationToken` is tied to the item in one line; the guard may be kept over an `.await`:
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use syncmgr::per_item::{Error, ItemContext};
    /// # #[derive(Clone)]
    /// # struct CancellationToken;
    /// # impl CancellationToken {
    /// #     fn new() -> Self { Self }
    /// #     fn cancel(&self) {}
    /// # }
    /// # async fn receive(_: CancellationToken) {}
    /// async fn fetch(item: Arc<ItemContext>) -> Result<(), Error> {
    ///     let token = CancellationToken::new();
    ///     let _tied = item.on_cancel({ let token = token.clone(); move || token.cancel() })?;
    ///     receive(token).await;
    ///     Ok(())
    /// }
    /// # fn is_send(_: impl Send) {}
    /// # let _ = |item| is_send(fetch(item));
    /// ```
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

    /// Sleeps so long, or until the item is cancelled. `Duration::MAX` is for ever.
    ///
    /// While it sleeps it is silent: under a host with a [deadline](crate::RunOptions::deadline), wait for less than that at a time.
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
    /// fn run(work: &ItemContext, command: &mut Command) -> Result<ExitStatus, Error> {
    ///     let mut child = Running(command.spawn()?);
    ///     loop {
    ///         if let Some(status) = child.0.try_wait()? {
    ///             break Ok(status);
    ///         }
    ///         work.wait_cancelled(Duration::from_millis(20))?; // a cancel ends the function, and the child with it
    ///     }
    /// }
    /// # let _ = run;
    /// ```
    ///
    /// # Errors
    ///
    /// [`Cancelled`]: pass it on. Where the host does not [wake](crate::SyncCallback::wake_on_cancel), it is that at once, and
    /// the item fails.
    pub fn wait_cancelled(&self, timeout: Duration) -> Result<(), Cancelled> {
        let until = Instant::now().checked_add(timeout);
        self.heed_wait(self.waiting().block(until))
    }

    /// Waits until the item is cancelled, or the host lets go (feature `async`). It never waits where the host does not
    /// [wake](crate::SyncCallback::wake_on_cancel): the answer says so then, and passed on, it fails the item.
    #[cfg(feature = "async")]
    #[cfg_attr(docsrs, doc(cfg(feature = "async")))]
    pub fn cancelled(&self) -> impl Future<Output = Cancelled> + Send + '_ {
        let mut answer = self.waiting().cancelled();
        std::future::poll_fn(move |context| {
            let answer = std::pin::Pin::new(&mut answer).poll(context);
            answer.map(|answer| match self.heed_wait(answer) {
                Err(interrupted) => interrupted,
                // Not ready then.
                Ok(()) => Cancelled::Item,
            })
        })
    }

    /// Does what the future does, until the item is cancelled (feature `async`): then the future is dropped at the `await` that it
    /// has come to.
    ///
    /// So it must be one that may be dropped there. What it has handed to another thread goes on: tokio creates files so, and
    /// one may come into being after its name was cleaned up.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use syncmgr::per_item::{Error, ItemContext};
    /// # async fn receive() -> Result<Vec<u8>, Error> { Ok(Vec::new()) }
    /// async fn fetch(work: Arc<ItemContext>) -> Result<(), Error> {
    ///     let bytes = work.until_cancelled(receive()).await??; // the outer `?` is the cancel
    ///     work.advance(bytes.len() as u64)?;
    ///     Ok(())
    /// }
    /// # let _ = fetch;
    /// ```
    ///
    /// # Errors
    ///
    /// [`Cancelled`]: pass it on.
    #[cfg(feature = "async")]
    #[cfg_attr(docsrs, doc(cfg(feature = "async")))]
    pub async fn until_cancelled<F: Future>(&self, future: F) -> Result<F::Output, Cancelled> {
        let mut future = std::pin::pin!(future);
        let mut cancelled = std::pin::pin!(self.cancelled());
        std::future::poll_fn(|context| {
            // The cancel first: it is not to wait for a future that is always ready.
            if let std::task::Poll::Ready(interrupted) = cancelled.as_mut().poll(context) {
                return std::task::Poll::Ready(Err(interrupted));
            }
            future.as_mut().poll(context).map(Ok)
        })
        .await
    }
}
