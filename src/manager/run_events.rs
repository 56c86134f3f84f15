//! What those who follow a run are told: which of its jobs have begun, which have a session, and which are over. So a look at a
//! run need not ask each job that waits or has long been over.
//!
//! Tasks that wait for events are user code, and events are told while the manager's state is locked. So those that are to be woken
//! are gathered in the job's [`Subscribers`], and woken by whoever told the events, with no lock held: [`Job::ring`](super::job::Job::ring).

use std::sync::{Arc, Weak};
use std::task::Waker;

use parking_lot::Mutex;

use crate::util::panic::Foreign;
use crate::util::waker_set::WakerSet;

/// The events of one run. Locked last, and for a push or a copy only.
#[derive(Debug, Default)]
pub(super) struct RunEvents(Mutex<Lists>);

/// Places of jobs in the run, each once, in the order in which it happened.
#[derive(Debug, Default)]
struct Lists {
    begun: Vec<usize>,
    ended: Vec<usize>,
    /// How many sessions have come.
    sessions: usize,
    /// To be woken by the next events.
    tasks: WakerSet,
}

/// How far a reader has read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct EventCursor {
    begun: usize,
    ended: usize,
    sessions: usize,
}

impl RunEvents {
    /// What has begun and ended since, and the next place.
    pub(super) fn since(&self, place: EventCursor) -> (Vec<usize>, Vec<usize>, EventCursor) {
        let lists = self.0.lock();
        let after = |list: &[usize], from| list.get(from..).unwrap_or_default().to_vec();
        let next = EventCursor {
            begun: lists.begun.len(),
            ended: lists.ended.len(),
            sessions: lists.sessions,
        };
        (
            after(&lists.begun, place.begun),
            after(&lists.ended, place.ended),
            next,
        )
    }

    /// How many jobs are over.
    pub(super) fn ended(&self) -> usize {
        self.0.lock().ended.len()
    }

    /// Keeps the waker until there are events after `place`; answers false, and keeps nothing, where there are some already. One
    /// that wakes the same task gives way to it.
    pub(super) fn wake_on_change(&self, place: EventCursor, waker: &Waker) -> bool {
        let is_new = |lists: &Lists| {
            let EventCursor {
                begun,
                ended,
                sessions,
            } = place;
            lists.begun.len() > begun || lists.ended.len() > ended || lists.sessions > sessions
        };
        self.keep(waker, |lists| !is_new(lists))
    }

    /// As [`wake_on_change`](Self::wake_on_change), until so many jobs are over.
    #[cfg(feature = "async")]
    pub(super) fn wake_on_end(&self, jobs: usize, waker: &Waker) -> bool {
        self.keep(waker, |lists| lists.ended.len() < jobs)
    }

    fn keep(&self, waker: &Waker, waits: impl FnOnce(&Lists) -> bool) -> bool {
        // Cloned and dropped with no lock held: both are user code.
        let waker = waker.clone();
        let mut lists = self.0.lock();
        let waits = waits(&lists);
        let replaced = match waits {
            true => lists.tasks.keep(waker),
            false => Some(Foreign::new(waker)),
        };
        drop(lists);
        drop(replaced);
        waits
    }
}

/// The runs that share a job, each with the job's place in it. A run that no caller holds any more is
/// not notified.
#[derive(Debug, Default)]
pub(super) struct Subscribers {
    runs: Vec<(Weak<RunEvents>, usize)>,
    /// How many there were after the last cleanup.
    kept: usize,
    woken: Woken,
}

/// The tasks that must be woken.
#[derive(Debug, Default)]
pub(super) struct Woken {
    pub(super) tasks: Vec<Waker>,
    /// A run may be dropped meanwhile, and its last waiting tasks with this: not under a lock.
    events: Vec<Arc<RunEvents>>,
}

impl Subscribers {
    /// Adds a run, which is notified from now on, and immediately of what has happened already.
    pub(super) fn add(
        &mut self,
        events: &Arc<RunEvents>,
        place: usize,
        begun: bool,
        session: bool,
        ended: bool,
    ) {
        let mut lists = events.0.lock();
        if begun {
            lists.begun.push(place);
        }
        lists.sessions += usize::from(session);
        if ended {
            lists.ended.push(place);
            return;
        }
        // Identical starts can be repeated while one is pending, so the dropped ones must not pile up.
        if self.runs.len() >= (2 * self.kept).max(16) {
            self.runs.retain(|(events, _)| events.strong_count() > 0);
            self.kept = self.runs.len();
        }
        self.runs.push((Arc::downgrade(events), place));
    }

    pub(super) fn begun(&mut self) {
        self.notify(|lists, place| lists.begun.push(place));
    }

    /// The session exists.
    pub(super) fn session(&mut self) {
        self.notify(|lists, _| lists.sessions += 1);
    }

    /// The last notification.
    pub(super) fn ended(&mut self) {
        self.notify(|lists, place| lists.ended.push(place));
        self.runs = Vec::new();
    }

    /// Notifies one run of the job's end, and removes it.
    pub(super) fn end_one(&mut self, events: &Arc<RunEvents>) {
        let is_it = |(other, _): &(Weak<RunEvents>, usize)| other.as_ptr() == Arc::as_ptr(events);
        if let Some(found) = self.runs.iter().position(is_it) {
            let (_, place) = self.runs.swap_remove(found);
            Self::push(&mut self.woken, Arc::clone(events), |lists| {
                lists.ended.push(place)
            });
        }
    }

    fn notify(&mut self, what: impl Fn(&mut Lists, usize)) {
        for (events, place) in &self.runs {
            if let Some(events) = events.upgrade() {
                Self::push(&mut self.woken, events, |lists| what(lists, *place));
            }
        }
    }

    fn push(woken: &mut Woken, events: Arc<RunEvents>, what: impl FnOnce(&mut Lists)) {
        let mut lists = events.0.lock();
        what(&mut lists);
        let tasks = std::mem::take(&mut lists.tasks);
        woken.tasks.extend(tasks.into_wakers());
        drop(lists);
        woken.events.push(events);
    }

    /// The tasks to be woken, with no lock held.
    pub(super) fn take_woken(&mut self) -> Woken {
        std::mem::take(&mut self.woken)
    }
}
