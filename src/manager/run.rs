//! A run of several handlers.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::job::{Job, Leave};
use super::job_share::JobShare;
use super::run_events::RunEvents;
use super::run_observer::{RunObserver, RunProgress};
use super::scheduler::{CANCELLED, Scheduler};
use super::workers::ensure_workers;
use crate::driver::HandlerReport;
use crate::session::ItemView;
use crate::session::{Phase, Session};
use crate::util::clock;
use crate::{CallbackError, HandlerId, HandlerInfo, ItemId};

/// A run of several handlers, started by a [`SyncManager`](crate::SyncManager).
///
/// It is a handle: dropping it stops nothing, and clones are the same run. A handler that was running already when this run
/// was asked for comes when that run is over; its session is the one that [`sessions`](Self::sessions) shows then.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use syncmgr::per_item::{HandlerBuilder, from_items};
/// use syncmgr::{HandlerId, ItemId, ItemStatus, Registration, SyncHandler, SyncItem, SyncManager};
///
/// const MAIL: HandlerId = HandlerId::from_u128(1);
/// const INBOX: ItemId = ItemId::from_u128(2);
///
/// fn mail() -> Arc<dyn SyncHandler> {
///     let inbox = SyncItem::new(INBOX, "Inbox".parse().unwrap());
///     let source = from_items([inbox], |item| Ok(item.wait_cancelled(Duration::MAX)?));
///     HandlerBuilder::new("Mail".parse().unwrap(), source).build()
/// }
///
/// let manager = SyncManager::new();
/// manager.register(MAIL, Registration::new(), mail)?;
/// let run = manager.update_all();
/// run.cancel_item(MAIL, INBOX)?; // also before it has told its items
/// let report = match run.wait_timeout(Duration::from_secs(60)) {
///     Ok(report) => report,
///     Err(unfinished) => {
///         eprintln!("{unfinished}"); // which handlers, in which phase, with what open
///         run.cancel_all();
///         run.wait()
///     }
/// };
/// let item = report.items().next().map(|(_, item)| item.status);
/// assert!(matches!(item, Some(ItemStatus::Skipped | ItemStatus::Stopped)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
#[must_use = "the run goes on without it, but nobody learns what it came to"]
pub struct Run {
    scheduler: Arc<Scheduler>,
    shares: Arc<[JobShare]>,
    events: Arc<RunEvents>,
    /// Behind [`progress`](Self::progress). Locked with nothing else.
    progress: Arc<Mutex<RunObserver>>,
}

impl Run {
    pub(super) fn new(scheduler: Arc<Scheduler>, shares: Vec<JobShare>) -> Self {
        let shares: Arc<[JobShare]> = shares.into();
        let events = Arc::new(RunEvents::default());
        for (place, share) in shares.iter().enumerate() {
            share.notify(&events, place);
        }
        let observer = RunObserver::new(Arc::clone(&shares), Arc::clone(&events));
        Self {
            scheduler,
            shares,
            events,
            progress: Arc::new(Mutex::new(observer)),
        }
    }

    /// The handlers of the run, in the order in which they were asked for.
    #[must_use]
    pub fn handlers(&self) -> Vec<HandlerId> {
        self.shares.iter().map(|share| share.job.id).collect()
    }

    /// The sessions of the handlers that have told their items; it grows as they do. Those of handlers that have been let go
    /// are here too, to be looked at.
    #[must_use]
    pub fn sessions(&self) -> Vec<(HandlerId, Arc<Session>)> {
        let shares = self.shares.iter();
        shares
            .filter_map(|share| Some((share.job.id, share.session()?)))
            .collect()
    }

    /// The session of one handler, once it has told its items.
    #[must_use]
    pub fn session(&self, handler: HandlerId) -> Option<Arc<Session>> {
        self.share(handler)?.session()
    }

    /// What one handler told about itself, once it has: before its session is there.
    #[must_use]
    pub fn info(&self, handler: HandlerId) -> Option<HandlerInfo> {
        self.share(handler)?.shared()?.info()
    }

    fn share(&self, handler: HandlerId) -> Option<&JobShare> {
        self.shares.iter().find(|share| share.job.id == handler)
    }

    fn stop(
        &self,
        handler: HandlerId,
        stop: impl FnOnce(&Job) -> Result<(), CallbackError>,
    ) -> Result<(), CallbackError> {
        let share = self.share(handler).ok_or(CallbackError::UnknownItem)?;
        stop(share.shared().ok_or(CallbackError::Released)?)
    }

    fn cancel(&self, share: &JobShare) {
        match share.leave(&self.events, CANCELLED) {
            Leave::Begun => share.job.cancel_all(),
            Leave::Shared => self.scheduler.left_by_one(&share.job),
            Leave::Unwanted => drop(self.scheduler.end(&share.job, Job::never_begun(CANCELLED))),
        }
    }

    /// Skips an item of a handler: see [`Session::skip_item`]. Before the handler has told its items, this is remembered.
    ///
    /// # Errors
    ///
    /// [`UnknownItem`](CallbackError::UnknownItem) for a handler that is not in the run, and as for
    /// [`Session::skip_item`].
    pub fn skip_item(&self, handler: HandlerId, item: ItemId) -> Result<(), CallbackError> {
        self.stop(handler, |job| job.skip_item(item))
    }

    /// Cancels an item of a handler: see [`Session::cancel_item`]. Before the handler has told its items, this is remembered.
    ///
    /// # Errors
    ///
    /// As for [`skip_item`](Self::skip_item).
    #[doc(alias = "StopItemSync")]
    pub fn cancel_item(&self, handler: HandlerId, item: ItemId) -> Result<(), CallbackError> {
        self.stop(handler, |job| job.cancel_item(item))
    }

    /// Cancels everything that one handler does in this run. If it has started, that is also what it does
    /// for the runs that share it. If it is pending, it ends immediately, for this run only, and its items
    /// are not offered to the run before it any more. Does nothing if the handler is not in this run.
    #[doc(alias = "StopHandlerSync")]
    pub fn cancel_handler(&self, handler: HandlerId) {
        if let Some(share) = self.share(handler) {
            self.cancel(share);
            ensure_workers(&self.scheduler);
        }
    }

    /// Cancels everything in this run, as [`cancel_handler`](Self::cancel_handler) does.
    #[doc(alias = "StopSyncAll")]
    pub fn cancel_all(&self) {
        for share in self.shares.iter() {
            self.cancel(share);
        }
        ensure_workers(&self.scheduler); // for what came behind one that had not begun
    }

    /// What became of one handler, once it has been let go.
    #[must_use]
    pub fn handler_report(&self, handler: HandlerId) -> Option<HandlerReport> {
        self.share(handler)?.report()
    }

    /// How far the run is. It costs what has changed since this was asked last, of this run or a clone of it: see
    /// [`RunObserver`].
    #[must_use]
    pub fn progress(&self) -> RunProgress {
        self.progress.lock().refresh().progress
    }

    /// Follows the run from its start: for who draws it.
    #[must_use]
    pub fn observe(&self) -> RunObserver {
        RunObserver::new(Arc::clone(&self.shares), Arc::clone(&self.events))
    }

    /// Whether every handler has been let go.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.events.ended() == self.shares.len()
    }

    /// Waits until every handler has been let go, and tells what it came to.
    ///
    /// Not from inside a handler of the run: it would wait for itself.
    pub fn wait(&self) -> RunReport {
        for share in self.shares.iter() {
            self.scheduler.wait_for(|| share.is_over(), None);
        }
        self.report()
    }

    /// As [`wait`](Self::wait), at most as long as this.
    ///
    /// # Errors
    ///
    /// [`WaitTimeout`] tells which handlers are not done, where they stand, and what is open. They go on, and may be waited for
    /// again.
    ///
    /// ```
    /// use std::time::Duration;
    /// use syncmgr::SyncManager;
    ///
    /// let run = SyncManager::new().update_all(); // of no handlers
    /// match run.wait_timeout(Duration::from_secs(10)) {
    ///     Ok(report) => assert!(report.is_success()),
    ///     Err(unfinished) => println!("{unfinished}"), // which handlers, in which phase, and what is open
    /// }
    /// ```
    pub fn wait_timeout(&self, timeout: Duration) -> Result<RunReport, WaitTimeout> {
        let until = clock::deadline(timeout);
        for share in self.shares.iter() {
            if !self.scheduler.wait_for(|| share.is_over(), until) {
                return Err(self.unfinished());
            }
        }
        Ok(self.report())
    }

    /// As [`wait`](Self::wait), for a task (feature `async`): ready once every handler has been let go.
    ///
    /// ```
    /// # use syncmgr::{Run, RunReport};
    /// async fn to_the_end(run: Run) -> RunReport {
    ///     run.finished().await
    /// }
    /// # let _ = to_the_end;
    /// ```
    #[cfg(feature = "async")]
    #[cfg_attr(docsrs, doc(cfg(feature = "async")))]
    pub fn finished(&self) -> impl Future<Output = RunReport> + Send + '_ {
        std::future::poll_fn(|context| {
            if self.events.wake_on_end(self.shares.len(), context.waker()) {
                return std::task::Poll::Pending;
            }
            std::task::Poll::Ready(self.report())
        })
    }

    fn report(&self) -> RunReport {
        let shares = self.shares.iter();
        RunReport {
            handlers: shares
                .filter_map(|share| Some((share.job.id, share.report()?)))
                .collect(),
        }
    }

    fn unfinished(&self) -> WaitTimeout {
        let open = self.shares.iter().filter(|share| !share.is_over());
        WaitTimeout {
            handlers: open
                .map(|share| match share.session() {
                    Some(session) => (
                        share.job.id,
                        session.phase(),
                        session.driver().unfinished_items(),
                    ),
                    None => (share.job.id, Phase::Idle, Vec::new()),
                })
                .collect(),
        }
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let finished = self.events.ended();
        f.debug_struct("Run")
            .field("handlers", &self.shares.len())
            .field("finished", &finished)
            .finish_non_exhaustive()
    }
}

/// What a run came to.
#[derive(Clone, Debug)]
#[must_use = "whether the run went well stands in the report only"]
#[non_exhaustive]
pub struct RunReport {
    /// Each handler with its report, in the order in which they were asked for.
    pub handlers: Vec<(HandlerId, HandlerReport)>,
}

impl RunReport {
    /// Whether [every handler succeeded](HandlerReport::is_success).
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.handlers.iter().all(|(_, report)| report.is_success())
    }

    /// Whether everything was cancelled in [one of the handlers](HandlerReport::was_cancelled).
    #[must_use]
    pub fn was_cancelled(&self) -> bool {
        self.handlers
            .iter()
            .any(|(_, report)| report.was_cancelled())
    }

    /// The report of one handler.
    #[must_use]
    pub fn handler(&self, id: HandlerId) -> Option<&HandlerReport> {
        let mut handlers = self.handlers.iter();
        handlers
            .find(|(handler, _)| *handler == id)
            .map(|(_, report)| report)
    }

    /// How every item of every handler ended.
    pub fn items(&self) -> impl Iterator<Item = (HandlerId, ItemView)> + '_ {
        self.handlers.iter().flat_map(|(handler, report)| {
            let items = report.items().into_iter();
            items.map(|item| (*handler, item))
        })
    }
}

/// A run was not over in time.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct WaitTimeout {
    /// Each handler that is not done: where it stands, and its items that have no final status.
    #[cfg_attr(feature = "serde", serde(with = "super::by_handler::open"))]
    pub handlers: Vec<(HandlerId, Phase, Vec<ItemId>)>,
}

impl fmt::Display for WaitTimeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the run is not over: ")?;
        for (place, (handler, phase, open)) in self.handlers.iter().enumerate() {
            let comma = if place > 0 { "; " } else { "" };
            write!(
                f,
                "{comma}the handler {handler} is {phase} and has {} open",
                open.len()
            )?;
        }
        write!(f, "; wait longer, or cancel the run")
    }
}

impl std::error::Error for WaitTimeout {}
