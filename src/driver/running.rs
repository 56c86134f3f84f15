//! A handler that runs on a thread of its own.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
#[cfg(feature = "async")]
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};

use super::options::RunOptions;
use super::report::HandlerReport;
use super::run_handler::run_handler;
use crate::session::Session;
use crate::util::clock::deadline;
use crate::util::inside::{Inside, RunId};
use crate::util::panic::panicked;
use crate::util::sync::{Mutex, Signal};
#[cfg(feature = "async")]
use crate::util::waker_set::WakerSet;
use crate::{HResult, SyncHandler};

/// Runs a handler as [`run_handler`] does, on a thread of its own, and returns immediately.
///
/// If the system cannot start a thread, nothing is called, and the report says so.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use syncmgr::per_item::{HandlerBuilder, from_items};
/// use syncmgr::{ItemId, RunOptions, SyncItem, start};
///
/// let items = [SyncItem::new(ItemId::from_u128(1), "letters".parse()?)];
/// let mail = from_items(items, |item| {
///     loop {
///         item.advance(1)?; // until it is cancelled
///     }
/// });
/// let handler = HandlerBuilder::new("Mail".parse()?, mail).build();
///
/// let running = start(handler, RunOptions::new());
/// assert!(running.wait_timeout(Duration::from_millis(10)).is_err());
/// running.cancel_all(); // from a signal handler's thread, a button, ...
/// let report = running.wait()?;
/// assert!(report.was_cancelled());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn start(handler: Arc<dyn SyncHandler>, options: RunOptions) -> Running {
    Running::start(handler, options, |report| report)
}

/// A handler that runs on a thread of its own: see [`start`].
///
/// Dropping it detaches the run, which continues: see [`cancel_on_drop`](Self::cancel_on_drop). `R` is the type of the report.
pub struct Running<R = HandlerReport> {
    run: Arc<BackgroundRun>,
    report: Box<dyn Fn(HandlerReport) -> R + Send + Sync>,
    cancels_on_drop: bool,
}

/// Why there is no report yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum WaitError {
    /// The timeout has passed.
    #[error("the run is not over yet")]
    TimedOut,
    /// The handler waits for the end of its own run, which would never come: on the thread that drives it, or on a worker of
    /// [`per_item`](crate::per_item).
    #[error("a handler cannot wait for the end of its own run")]
    InsideHandler,
}

/// What the thread and the handles share.
struct BackgroundRun {
    id: RunId,
    /// Locked only to read or change it.
    state: Mutex<BackgroundState>,
    changed: Signal,
}

#[derive(Default)]
struct BackgroundState {
    session: Option<Arc<Session>>,
    /// `cancel_all` was called, perhaps before there was a session.
    is_cancelled: bool,
    report: Option<HandlerReport>,
    #[cfg(feature = "async")]
    wakers: WakerSet,
}

impl<R> Running<R> {
    pub(crate) fn start(
        handler: Arc<dyn SyncHandler>,
        options: RunOptions,
        report: impl Fn(HandlerReport) -> R + Send + Sync + 'static,
    ) -> Self {
        let run = Arc::new(BackgroundRun {
            id: RunId::new(),
            state: Mutex::new(BackgroundState::default()),
            changed: Signal::new(),
        });
        let own = Arc::clone(&run);
        let options = options.on_session(move |session| own.begin(session));
        let own = Arc::clone(&run);
        let thread = thread::Builder::new().name("syncmgr-run".to_owned());
        let spawned = thread.spawn(move || {
            let inside = Inside::enter(Some(own.id));
            let report = catch_unwind(AssertUnwindSafe(|| run_handler(handler, options)));
            drop(inside);
            // Only code of the host panics there.
            let report = report.unwrap_or_else(|panic| {
                let text = format!("the host panicked: {}", panicked(panic));
                HandlerReport::without_run(HResult::E_UNEXPECTED, text)
            });
            own.end(report);
        });
        if let Err(error) = spawned {
            let text = format!("no thread can be started: {error}");
            run.end(HandlerReport::without_run(HResult::E_OUTOFMEMORY, text));
        }
        Self {
            run,
            report: Box::new(report),
            cancels_on_drop: false,
        }
    }

    /// Cancels the run when this is dropped, unless it is over. By default it continues.
    #[must_use = "dropping it cancels the run"]
    pub fn cancel_on_drop(mut self) -> Self {
        self.cancels_on_drop = true;
        self
    }

    /// Returns the session, to draw it or to cancel single items. Blocks until the handler has listed its items.
    ///
    /// Returns `None` if the run ended without one, or if the handler itself calls this while it lists its items.
    #[must_use]
    pub fn session(&self) -> Option<Arc<Session>> {
        let mut state = self.run.state.lock();
        while state.session.is_none() && state.report.is_none() && !self.run.is_inside() {
            state = self.run.changed.wait(state, None).0;
        }
        state.session.clone()
    }

    /// Cancels everything, as [`Session::cancel_all`] does. Also takes effect while the handler still lists its items: they are
    /// cancelled before they start.
    pub fn cancel_all(&self) {
        self.run.cancel_all();
    }

    /// Returns `true` if the run is over.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.run.state.lock().report.is_some()
    }

    /// Blocks until the run is over, and returns the report. Can be called any number of times, from any thread.
    ///
    /// # Errors
    ///
    /// Returns [`WaitError::InsideHandler`] if the handler itself calls it.
    pub fn wait(&self) -> Result<R, WaitError> {
        self.wait_until(None)
    }

    /// Blocks until the run is over, but no longer than `timeout`, and returns the report.
    ///
    /// # Errors
    ///
    /// - Returns [`WaitError::TimedOut`] if the run is not over by then; it continues.
    /// - Returns [`WaitError::InsideHandler`] if the handler itself calls it.
    pub fn wait_timeout(&self, timeout: Duration) -> Result<R, WaitError> {
        self.wait_until(deadline(timeout))
    }

    fn wait_until(&self, until: Option<Instant>) -> Result<R, WaitError> {
        let mut state = self.run.state.lock();
        loop {
            if let Some(report) = &state.report {
                let report = report.clone();
                drop(state);
                return Ok((self.report)(report));
            }
            if self.run.is_inside() {
                return Err(WaitError::InsideHandler);
            }
            let (next, late) = self.run.changed.wait(state, until);
            state = next;
            if late && state.report.is_none() {
                return Err(WaitError::TimedOut);
            }
        }
    }

    /// Waits in a task until the run is over, and returns the report (feature `async`).
    ///
    /// # Errors
    ///
    /// Returns [`WaitError::InsideHandler`] if a worker of the handler itself polls it.
    #[cfg(feature = "async")]
    #[cfg_attr(docsrs, doc(cfg(feature = "async")))]
    pub fn finished(&self) -> impl Future<Output = Result<R, WaitError>> + Send + '_ {
        std::future::poll_fn(move |context| self.poll_finished(context))
    }

    #[cfg(feature = "async")]
    fn poll_finished(&self, context: &mut Context<'_>) -> Poll<Result<R, WaitError>> {
        let waker = context.waker().clone(); // foreign code, so without the lock
        let mut state = self.run.state.lock();
        if let Some(report) = &state.report {
            let report = report.clone();
            drop(state);
            return Poll::Ready(Ok((self.report)(report)));
        }
        if self.run.is_inside() {
            return Poll::Ready(Err(WaitError::InsideHandler));
        }
        let replaced = state.wakers.keep(waker);
        drop(state);
        drop(replaced);
        Poll::Pending
    }
}

impl<R> Drop for Running<R> {
    fn drop(&mut self) {
        if self.cancels_on_drop {
            self.run.cancel_all();
        }
    }
}

impl<R> fmt::Debug for Running<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running")
            .field("is_over", &self.is_over())
            .finish_non_exhaustive()
    }
}

impl BackgroundRun {
    fn is_inside(&self) -> bool {
        RunId::current() == Some(self.id)
    }

    fn begin(&self, session: Arc<Session>) {
        let mut state = self.state.lock();
        state.session = Some(Arc::clone(&session));
        let is_cancelled = state.is_cancelled;
        drop(state);
        self.changed.notify_all();
        if is_cancelled {
            session.cancel_all();
        }
    }

    fn cancel_all(&self) {
        let mut state = self.state.lock();
        state.is_cancelled = true;
        let session = state.session.clone();
        drop(state);
        if let Some(session) = session {
            session.cancel_all();
        }
    }

    fn end(&self, report: HandlerReport) {
        let mut state = self.state.lock();
        state.report = Some(report);
        #[cfg(feature = "async")]
        let wakers = std::mem::take(&mut state.wakers);
        drop(state);
        self.changed.notify_all();
        #[cfg(feature = "async")]
        crate::util::wake::wake(wakers.into_wakers());
    }
}
