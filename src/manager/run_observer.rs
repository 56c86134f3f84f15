//! An observer of a run of several handlers.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::task::Waker;

use super::job_share::JobShare;
use super::run_events::{EventCursor, RunEvents};
use crate::HandlerId;
use crate::session::Observer;
use crate::session::{Changes, Sums, Totals};
#[cfg(feature = "async")]
use crate::session::{FrameSource, ThrottledObserver};

/// How far a run is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct RunProgress {
    /// How many handlers take part.
    pub handlers: usize,
    /// How many of them wait for their turn.
    pub waiting: usize,
    /// How many are driven now.
    pub running: usize,
    /// How many have been let go.
    pub finished: usize,
    /// The sums over the items of the handlers that have told theirs.
    pub totals: Totals,
}

/// What has changed in a run since the last look.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct RunChanges {
    /// How far the run is.
    pub progress: RunProgress,
    /// What has changed in the session of each handler that is driven or was let go since: see [`Observer::refresh`]. A session
    /// that is seen for the first time tells all of its items.
    #[cfg_attr(feature = "serde", serde(with = "super::by_handler::changes"))]
    pub sessions: Vec<(HandlerId, Changes)>,
    /// The handlers that were let go since.
    pub ended: Vec<HandlerId>,
}

impl RunChanges {
    /// Whether every handler has been let go: no look tells more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.progress.finished == self.progress.handlers
    }
}

/// Follows a run: [`Run::observe`](crate::Run::observe) makes one, and any number may follow one run.
///
/// A look costs what has changed: the handlers that are driven now, or were let go since the last look, and of their items those
/// that are in work or changed. Handlers that wait or were let go before cost nothing.
///
/// ```
/// # use syncmgr::per_item::{HandlerBuilder, from_items};
/// # use syncmgr::{HandlerId, Registration, SyncManager};
/// # let mail = || HandlerBuilder::new("Mail".parse().unwrap(), from_items([], |_| Ok(()))).build();
/// # let manager = SyncManager::new();
/// # manager.register(HandlerId::from_u128(1), Registration::new(), mail)?;
/// let run = manager.update_all();
/// let mut observer = run.observe();
/// loop {
///     let changes = observer.refresh();
///     for (handler, changes) in &changes.sessions {
///         for item in changes.items() {
///             println!("{handler} {}: {}", item.name, item.status); // draw its row
///         }
///     }
///     if changes.is_over() {
///         break;
///     }
///     std::thread::sleep(std::time::Duration::from_millis(50));
/// }
/// # Ok::<(), syncmgr::ManagerError>(())
/// ```
pub struct RunObserver {
    shares: Arc<[JobShare]>,
    events: Arc<RunEvents>,
    place: EventCursor,
    /// The jobs that are driven, by their places in the run, each with its session once there is one.
    active: BTreeMap<usize, Option<Observer>>,
    finished: usize,
    /// The sums of those that are over.
    settled: Sums,
    looked: bool,
}

impl RunObserver {
    pub(super) fn new(shares: Arc<[JobShare]>, events: Arc<RunEvents>) -> Self {
        Self {
            shares,
            events,
            place: EventCursor::default(),
            active: BTreeMap::new(),
            finished: 0,
            settled: Sums::default(),
            looked: false,
        }
    }

    /// What has changed since the last look; the first look tells everything that has happened so far.
    pub fn refresh(&mut self) -> RunChanges {
        self.refresh_by(Observer::refresh)
    }

    /// As [`refresh`](Self::refresh), and for each session, beside each of its items, the status in which it was seen last: see
    /// [`Observer::refresh_with_previous`].
    #[cfg(feature = "indicatif")]
    pub(crate) fn refresh_with_previous(
        &mut self,
    ) -> (RunChanges, Vec<Vec<Option<crate::ItemStatus>>>) {
        let mut all = Vec::new();
        let changes = self.refresh_by(|observer| {
            let (changes, before) = observer.refresh_with_previous();
            all.push(before);
            changes
        });
        (changes, all)
    }

    fn refresh_by(&mut self, mut look: impl FnMut(&mut Observer) -> Changes) -> RunChanges {
        self.looked = true;
        let (begun, ended, place) = self.events.since(self.place);
        self.place = place;
        for job in begun {
            self.active.insert(job, None);
        }
        // A job may end without having begun.
        for job in &ended {
            self.active.entry(*job).or_default();
        }

        let mut sessions = Vec::new();
        for (place, observer) in &mut self.active {
            let Some(share) = self.shares.get(*place) else {
                continue;
            };
            if observer.is_none() {
                *observer = share.session().map(Observer::new);
            }
            if let Some(observer) = observer {
                sessions.push((share.job.id, look(observer)));
            }
        }
        // Looked at once more after they had ended: they will not change again.
        for job in &ended {
            if let Some(Some(observer)) = self.active.remove(job) {
                self.settled.add_all(observer.sums());
            }
        }
        self.finished += ended.len();
        let name = |place: &usize| self.shares.get(*place).map(|share| share.job.id);
        RunChanges {
            progress: self.progress(),
            sessions,
            ended: ended.iter().filter_map(name).collect(),
        }
    }

    /// Asks for a task to be woken once there is something new to look at: a handler has begun or was let go, or something is
    /// journalled in the session of one that is driven. Answers false where there is already, as before the first look; then it
    /// may be woken or not.
    ///
    /// The waker is woken once, by the thread that made the change, before its call returns; then it has to be registered
    /// again. That may be a thread that drives handlers, so a waker is to be short and not to block. It may be woken without
    /// need. Once the [run is over](RunChanges::is_over), nothing wakes it.
    #[must_use = "where it answers false, nothing need be woken"]
    pub fn wake_on_change(&self, waker: &Waker) -> bool {
        let mut sessions = self.active.values().flatten();
        self.looked
            && self.events.wake_on_change(self.place, waker)
            && sessions.all(|observer| observer.is_over() || observer.wake_on_change(waker))
    }

    /// How far the run was at the last look.
    #[must_use]
    pub fn progress(&self) -> RunProgress {
        let mut sums = self.settled;
        for observer in self.active.values().flatten() {
            sums.add_all(observer.sums());
        }
        let running = self.active.len();
        RunProgress {
            handlers: self.shares.len(),
            waiting: self.shares.len() - running - self.finished,
            running,
            finished: self.finished,
            totals: sums.totals(),
        }
    }
}

/// A stream (feature `async`): yields a [look](RunObserver::refresh) immediately, then one each time there is
/// [something new](RunObserver::wake_on_change), and ends when the run is over: the last look says so. Plain values wake nobody,
/// and many small items wake it often. To draw, use [`throttle`](RunObserver::throttle).
///
/// `next` is that of `tokio_stream::StreamExt` or `futures::StreamExt`:
///
/// ```ignore
/// use tokio_stream::StreamExt;
///
/// let mut observer = run.observe();
/// while let Some(changes) = observer.next().await {
///     draw(&changes.progress, &changes.sessions);
/// }
/// ```
#[cfg(feature = "async")]
#[cfg_attr(docsrs, doc(cfg(feature = "async")))]
impl futures_core::Stream for RunObserver {
    type Item = RunChanges;

    fn poll_next(
        self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<RunChanges>> {
        let observer = self.get_mut();
        if observer.is_over() {
            return std::task::Poll::Ready(None);
        }
        if observer.wake_on_change(context.waker()) {
            return std::task::Poll::Pending;
        }
        std::task::Poll::Ready(Some(observer.refresh()))
    }
}

#[cfg(feature = "async")]
impl FrameSource for RunObserver {
    fn is_over(&self) -> bool {
        RunObserver::is_over(self)
    }

    fn wake(&self, waker: &Waker) -> bool {
        self.wake_on_change(waker)
    }

    fn look(&mut self) -> RunChanges {
        self.refresh()
    }

    fn is_in_work(look: &RunChanges) -> bool {
        let mut sessions = look.sessions.iter();
        sessions.any(|(_, changes)| changes.has_item_in_work())
    }
}

#[cfg(feature = "async")]
impl RunObserver {
    /// Turns the stream into one that looks at most once in each frame: see [`Observer::throttle`] (feature `async`).
    #[cfg_attr(docsrs, doc(cfg(feature = "async")))]
    pub fn throttle<S: FnMut() -> F, F: Future>(self, sleep: S) -> ThrottledObserver<Self, S, F> {
        ThrottledObserver::new(self, sleep)
    }

    fn is_over(&self) -> bool {
        self.looked && self.finished == self.shares.len()
    }
}

impl fmt::Debug for RunObserver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunObserver")
            .field("progress", &self.progress())
            .finish_non_exhaustive()
    }
}
