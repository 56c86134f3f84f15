//! A stream that looks no more often than it is told.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use futures_core::Stream;

use super::changes::Changes;
use super::observer::Observer;

/// A stream of looks, at most one in each frame (feature `async`): see [`Observer::throttle`].
///
/// `O` is the observer, `S` and `F` are the function that starts a frame and its future.
#[cfg_attr(docsrs, doc(cfg(feature = "async")))]
pub struct ThrottledObserver<O, S, F> {
    observer: O,
    sleep: S,
    /// The end of the frame of the last look.
    frame: Option<Pin<Box<F>>>,
    /// The last look found items in work, whose plain values may have changed since.
    in_work: bool,
}

/// An observer that is looked at in frames.
pub(crate) trait FrameSource: Stream {
    /// The last look found the end.
    fn is_over(&self) -> bool;
    /// Asks for a task to be woken. Returns `false` if there is something new already.
    fn wake(&self, waker: &Waker) -> bool;
    /// Looks.
    fn look(&mut self) -> Self::Item;
    /// Whether a look has found items in work.
    fn is_in_work(look: &Self::Item) -> bool;
}

impl<O, S, F> ThrottledObserver<O, S, F> {
    pub(crate) fn new(observer: O, sleep: S) -> Self {
        Self {
            observer,
            sleep,
            frame: None,
            in_work: false,
        }
    }

    /// Returns the observer, for its totals.
    pub fn get_ref(&self) -> &O {
        &self.observer
    }
}

// The future is pinned in its box.
impl<O, S, F> Unpin for ThrottledObserver<O, S, F> {}

impl<O: FrameSource, S: FnMut() -> F, F: Future> Stream for ThrottledObserver<O, S, F> {
    type Item = <O as Stream>::Item;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if this.observer.is_over() {
            return Poll::Ready(None);
        }
        // Taken out, so that a frame that panics is not polled again.
        if let Some(mut frame) = this.frame.take() {
            if frame.as_mut().poll(context).is_pending() {
                this.frame = Some(frame);
                return Poll::Pending;
            }
        }
        if !this.in_work && this.observer.wake(context.waker()) {
            return Poll::Pending;
        }
        // Before the look, which is lost if this panics.
        let frame = Box::pin((this.sleep)());
        let look = this.observer.look();
        this.in_work = O::is_in_work(&look);
        this.frame = Some(frame);
        Poll::Ready(Some(look))
    }
}

impl<O: fmt::Debug, S, F> fmt::Debug for ThrottledObserver<O, S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThrottledObserver")
            .field("observer", &self.observer)
            .finish_non_exhaustive()
    }
}

impl FrameSource for Observer {
    fn is_over(&self) -> bool {
        Observer::is_over(self)
    }

    fn wake(&self, waker: &Waker) -> bool {
        self.wake_on_change(waker)
    }

    fn look(&mut self) -> Changes {
        self.refresh()
    }

    fn is_in_work(look: &Changes) -> bool {
        look.has_item_in_work()
    }
}

impl Observer {
    /// Turns the stream into one that looks at most once in each frame, and in each frame as long as items are in work, so that
    /// their plain values are seen too (feature `async`).
    ///
    /// `sleep` starts the timer of a frame: that of your runtime.
    ///
    /// # Examples
    ///
    /// ```ignore
    /// use std::time::Duration;
    /// use tokio_stream::StreamExt;
    ///
    /// let mut frames = Observer::new(session).throttle(|| tokio::time::sleep(Duration::from_millis(16)));
    /// while let Some(changes) = frames.next().await {
    ///     draw(changes.items(), frames.get_ref().totals());
    /// }
    /// ```
    #[cfg_attr(docsrs, doc(cfg(feature = "async")))]
    pub fn throttle<S: FnMut() -> F, F: Future>(self, sleep: S) -> ThrottledObserver<Self, S, F> {
        ThrottledObserver::new(self, sleep)
    }
}
