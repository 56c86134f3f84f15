//! Futures of the user's code, and how to poll them.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use super::error::Error;
use super::work_failure::WorkFailure;
use crate::util::panic::contained;

/// A future whose panic, and that of whose drop, is an answer.
pub(super) struct TaskFuture<F>(Option<Pin<Box<F>>>);

impl<T, F: Future<Output = Result<T, Error>>> TaskFuture<F> {
    /// Calls a function that returns a future, and waits for that.
    pub(super) async fn call(function: impl FnOnce() -> F) -> Result<T, WorkFailure> {
        let begun = catch_unwind(AssertUnwindSafe(|| Box::pin(function())));
        let mut future = Self(Some(begun.map_err(WorkFailure::panicked)?));
        poll_fn(|context| future.poll(context)).await
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<T, WorkFailure>> {
        let Some(future) = &mut self.0 else {
            return Poll::Pending; // it was ready
        };
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
            Ok(polled) => polled.map_err(WorkFailure::error),
            Err(payload) => Poll::Ready(Err(WorkFailure::panicked(payload))),
        }
    }
}

impl<F> Drop for TaskFuture<F> {
    fn drop(&mut self) {
        let future = self.0.take();
        contained(|| drop(future));
    }
}

/// Lets the runtime do something else.
pub(super) fn yield_once() -> impl Future<Output = ()> {
    let mut yielded = false;
    poll_fn(move |context| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
}

/// Blocks the thread until a future is ready.
pub(super) fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        thread::park(); // a wake before it makes it return at once
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
