//! What the manager, its runs and its threads share.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::job::{Job, Make};
use super::listing::CachedListing;
use super::pending::Pending;
use super::start_request::Distinct;
use super::{Choices, LogFilter, Registration};
use crate::driver::HandlerReport;
use crate::session::DialogArbiter;
use crate::session::LogEntry;
use crate::session::{Connections, Connector, Session};
use crate::util::clock;
use crate::util::panic::Foreign;
use crate::util::sync::{Mutex, Signal};
use crate::{ErrorFlags, HandlerId, HandlerInfo, ItemId, ItemList, LogLevel, PropertiesOutcome};

pub(super) type ShowErrorIf = dyn Fn(&LogEntry) -> bool + Send + Sync;
pub(super) type Chooser = dyn Fn(HandlerId, &ItemList, &[ItemId]) -> Vec<ItemId> + Send + Sync;

/// The settings of a manager, which do not change.
pub(super) struct Settings {
    pub(super) concurrency: usize,
    pub(super) dialogs: bool,
    pub(super) deadline: Option<Duration>,
    pub(super) max_retries: u32,
    pub(super) log_capacity: usize,
    pub(super) connector: Option<Arc<dyn Connector>>,
    pub(super) show_error_if: Option<Arc<ShowErrorIf>>,
    pub(super) chooser: Option<Arc<Chooser>>,
}

pub(super) struct Scheduler {
    pub(super) settings: Settings,
    pub(super) arbiter: DialogArbiter,
    /// The first lock; a job's is taken after it.
    pub(super) state: Mutex<State>,
    /// A job is over, or became ready.
    pub(super) changed: Signal,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) handlers: HashMap<HandlerId, Entry>,
    /// The ids in the order of their first registration.
    pub(super) order: Vec<HandlerId>,
    /// Each handler that has a job running or ready. Kept apart from the registrations, so that an id that is registered
    /// anew still waits for its old run.
    pub(super) busy: HashMap<HandlerId, Busy>,
    pub(super) ready: VecDeque<Arc<Job>>,
    pub(super) running: Vec<Arc<Job>>,
    pub(super) workers: usize,
    /// How many workers close connections. They are not among `workers`, and drive again afterwards if
    /// they are needed.
    pub(super) closing: usize,
    pub(super) supervised: bool,
    pub(super) choices: Choices,
    /// What each registered handler told of itself and its items, when it was asked last.
    pub(super) known: HashMap<HandlerId, CachedListing>,
    /// The entries of runs that are over, and of the manager itself.
    pub(super) log: VecDeque<LogEntry>,
    pub(super) log_sequence: u64,
    /// How many entries are not there any more, or never were.
    pub(super) log_lost: u64,
}

/// A handler that has something to do.
pub(super) struct Busy {
    /// Running, or ready to run.
    pub(super) current: Arc<Job>,
    /// The starts that come after it.
    pub(super) pending: Pending,
}

#[derive(Clone)]
pub(super) struct Entry {
    pub(super) registration: Registration,
    pub(super) make: Arc<Make>,
}

impl State {
    /// Adds a job: it is ready immediately, or waits behind the handler's other ones. Returns the pending
    /// job of an identical start, if there is one: the new one is not needed then.
    pub(super) fn ask(&mut self, job: &Arc<Job>) -> Option<Arc<Job>> {
        match self.busy.get_mut(&job.id) {
            Some(Busy { current, pending }) => {
                let shared = pending.share(job, current);
                if shared.is_none() {
                    pending.push(job, current);
                }
                shared
            }
            None => {
                let busy = Busy {
                    current: Arc::clone(job),
                    pending: Pending::behind(job),
                };
                self.busy.insert(job.id, busy);
                self.ready.push_back(Arc::clone(job));
                None
            }
        }
    }

    /// Returns `true` if there is something to do for one more worker.
    pub(super) fn wants_worker(&self, concurrency: usize) -> bool {
        self.workers < (self.ready.len() + self.running.len()).min(concurrency)
    }

    /// A worker takes the next job.
    fn take(&mut self) -> Option<Arc<Job>> {
        let job = self.ready.pop_front()?;
        self.running.push(Arc::clone(&job));
        job.begin();
        if let Some(busy) = self.busy.get_mut(&job.id) {
            busy.pending.unshare(&job);
        }
        Some(job)
    }

    /// The registered handlers, in the order of their first registration.
    pub(super) fn in_order(&self) -> impl Iterator<Item = (HandlerId, &Entry)> {
        let known = |id: &HandlerId| Some((*id, self.handlers.get(id)?));
        self.order.iter().filter_map(known)
    }

    /// What the handler told; known no longer than it is registered. Returns what is not known any
    /// more, to be dropped with no lock held, since it may be long.
    fn know(&mut self, id: HandlerId, known: CachedListing) -> Option<CachedListing> {
        if !self.handlers.contains_key(&id) {
            return Some(known);
        }
        self.known.insert(id, known)
    }

    /// The run of a handler has told something about its items.
    fn learn(&mut self, job: &Job, report: &HandlerReport) {
        let listed = job.listed();
        self.choices.run_is_over(job.id, &listed.temporary);
        let known = self.known.get_mut(&job.id);
        if let (Some(known), Some(session), Some(count)) = (known, &report.session, listed.count) {
            known.grow(session.items_from(count));
        }
        let mut deleted = Distinct::default();
        for (target, outcome) in &report.properties {
            if let (Some(item), PropertiesOutcome::ItemDeleted) = (target, outcome) {
                self.choices.forget(job.id, *item);
                deleted.extend([*item]);
            }
        }
        if let Some(known) = self.known.get_mut(&job.id) {
            known.remove_all(&deleted);
        }
    }

    /// Removes the pending jobs whose items this one's run has all done.
    fn take_done_by(&mut self, job: &Job, session: &Arc<Session>) -> Vec<Arc<Job>> {
        match self.busy.get_mut(&job.id) {
            Some(busy) => busy.pending.take_done_by(job, session),
            None => Vec::new(),
        }
    }

    /// Takes out of a handler's jobs what has not begun, so that nothing of it comes to its turn; and tells which job is on
    /// its way.
    pub(super) fn take_waiting(&mut self, id: HandlerId) -> (Option<Arc<Job>>, Vec<Arc<Job>>) {
        let Some(busy) = self.busy.get_mut(&id) else {
            return (None, Vec::new());
        };
        let mut waiting = busy.pending.take();
        let current = Arc::clone(&busy.current);
        let is_it = |other: &Arc<Job>| Arc::ptr_eq(other, &current);
        let Some(place) = self.ready.iter().position(is_it) else {
            return (Some(current), waiting);
        };
        self.ready.remove(place);
        self.busy.remove(&id);
        waiting.insert(0, current);
        (None, waiting)
    }

    fn keep(&mut self, entry: LogEntry, capacity: usize) {
        if capacity == 0 {
            self.log_lost += 1;
            return;
        }
        if self.log.len() >= capacity {
            self.log.pop_front();
            self.log_lost += 1;
        }
        self.log.push_back(entry);
    }

    /// The job is over: what is pending behind it is ready. Adds jobs to `ended`, to be dropped with no
    /// lock held.
    fn leave(&mut self, job: &Arc<Job>, ended: &mut Vec<Arc<Job>>) {
        let is_it = |other: &Arc<Job>| Arc::ptr_eq(other, job);
        match self.running.iter().position(is_it) {
            Some(place) => {
                self.running.swap_remove(place);
            }
            // It is among the first where a whole run is cancelled.
            None => {
                if let Some(place) = self.ready.iter().position(is_it) {
                    self.ready.remove(place);
                }
            }
        }
        let Some(busy) = self.busy.get_mut(&job.id) else {
            return;
        };
        if !is_it(&busy.current) {
            ended.extend(busy.pending.remove(job, &busy.current));
            return;
        }
        busy.pending.unshare(job); // it may have ended before it began
        let Some(next) = busy.pending.next(ended) else {
            self.busy.remove(&job.id);
            return;
        };
        busy.current = Arc::clone(&next);
        self.ready.push_back(next);
    }
}

/// How many jobs are ended without giving the lock back in between.
const CHUNK: usize = 1_000;

impl Drop for Scheduler {
    /// The last owner may be a worker, and the closures are foreign code.
    fn drop(&mut self) {
        let settings = &mut self.settings;
        drop(settings.connector.take().map(Foreign::new));
        drop(settings.show_error_if.take().map(Foreign::new));
        drop(settings.chooser.take().map(Foreign::new));
    }
}

/// Why a job that was cancelled early did nothing.
pub(super) const CANCELLED: &str = "it was cancelled before it was started";

/// The connections of starts that are over. Dropping it closes those that no session shares, which is
/// user code that may take its time.
#[derive(Default)]
#[must_use = "dropping it closes connections; no lock may be held"]
pub(super) struct Closing(Vec<Connections>);

impl Closing {
    /// What is to be closed now that these jobs are no more.
    pub(super) fn of(jobs: &[Arc<Job>]) -> Self {
        Self(jobs.iter().filter_map(|job| job.group.leave()).collect())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Scheduler {
    pub(super) fn new(settings: Settings) -> Arc<Self> {
        Arc::new(Self {
            settings,
            arbiter: DialogArbiter::new(),
            state: Mutex::new(State::default()),
            changed: Signal::new(),
        })
    }

    /// The next job for a worker; none where nothing is ready, and the worker is to end.
    pub(super) fn next(&self) -> Option<Arc<Job>> {
        let mut state = self.state.lock();
        let job = state.take();
        if job.is_none() {
            state.workers -= 1;
            self.changed.notify_all();
        }
        drop(state);
        if let Some(job) = &job {
            job.ring();
        }
        job
    }

    /// The job is over; nothing happens where it was over before. Answers what is to be closed.
    pub(super) fn end(&self, job: &Arc<Job>, report: HandlerReport) -> Closing {
        self.over(job, report, |_| {}).unwrap_or_default()
    }

    /// As [`end`](Self::end), for a job whose worker is left behind. None where the job was over before.
    pub(super) fn give_up(&self, job: &Arc<Job>, report: HandlerReport) -> Option<Closing> {
        self.over(job, report, |state| state.workers -= 1)
    }

    /// What the handler told, compared and copied with no lock held.
    pub(super) fn know(&self, id: HandlerId, info: HandlerInfo, list: &ItemList) {
        let known = self.state.lock().known.get(&id).cloned();
        let known = match known {
            Some(known) if known.is(list) => CachedListing { info, ..known },
            _ => CachedListing::new(info, list),
        };
        let old = self.state.lock().know(id, known);
        drop(old);
    }

    /// The items of a list that take part by the user's choices. Those for items that are not
    /// listed any more are dropped (rule M07).
    pub(super) fn chosen(&self, id: HandlerId, list: &ItemList) -> Vec<ItemId> {
        let choices = self.state.lock().choices.of(id);
        let gone = choices.not_in(id, list);
        if !gone.is_empty() {
            self.state.lock().choices.forget_all(id, &gone);
        }
        choices.select(id, list)
    }

    /// A worker drives no handler any more.
    pub(super) fn retire(&self) {
        self.state.lock().workers -= 1;
        self.changed.notify_all();
    }

    /// A worker goes to close connections; another one may take its place.
    pub(super) fn step_aside(&self) {
        let mut state = self.state.lock();
        state.workers -= 1;
        state.closing += 1;
        drop(state);
        self.changed.notify_all();
    }

    /// A worker has closed connections. Returns `true` if it is a worker again.
    pub(super) fn step_back(&self) -> bool {
        let mut state = self.state.lock();
        state.closing -= 1;
        let wanted = state.wants_worker(self.settings.concurrency);
        state.workers += usize::from(wanted);
        wanted
    }

    fn over(
        &self,
        job: &Arc<Job>,
        report: HandlerReport,
        then: impl FnOnce(&mut State),
    ) -> Option<Closing> {
        let log = report.session.as_ref().map(|session| session.log());
        let mut closing = Closing::default();
        let report = Arc::new(report);
        // Dropped with no lock held: a job may be the last one that keeps its factory.
        let mut over = vec![Arc::clone(job)];
        let mut ended = Vec::new();
        {
            let mut state = self.state.lock();
            if !job.end(&report) {
                return None;
            }
            for entry in log.into_iter().flatten() {
                state.keep(entry, self.settings.log_capacity);
            }
            state.learn(job, &report);
            if let Some(session) = &report.session {
                state.log_lost += session.log_refused();
                // Before the job leaves, so that none of them comes to its turn.
                over.extend(state.take_done_by(job, session));
            }
            state.leave(job, &mut ended);
            closing.0.extend(job.group.leave());
            then(&mut state);
        }
        // They may be very many, so others are let in between.
        for some in over.get(1..).unwrap_or_default().chunks(CHUNK) {
            let _state = self.state.lock(); // whoever waits for one of them looks with it locked
            let ended = some.iter().filter(|job| job.end(&report));
            closing.0.extend(ended.filter_map(|job| job.group.leave()));
        }
        self.changed.notify_all();
        for job in &over {
            job.ring();
        }
        Some(closing)
    }

    /// One of several runs has cancelled its share in a job.
    pub(super) fn left_by_one(&self, job: &Job) {
        drop(self.state.lock()); // a waiting thread checks with it locked
        self.changed.notify_all();
        job.ring();
    }

    /// The jobs that are running, a while from now; none where the last worker has ended.
    pub(super) fn running_after(&self, slice: Duration) -> Option<Vec<Arc<Job>>> {
        let until = clock::now() + slice;
        let mut state = self.state.lock();
        while state.workers > 0 {
            let (guard, is_late) = self.changed.wait(state, Some(until));
            state = guard;
            if is_late {
                return Some(state.running.clone());
            }
        }
        state.supervised = false;
        None
    }

    /// The manager's own entry in the log.
    pub(super) fn log(&self, handler: Option<HandlerId>, level: LogLevel, text: &str) {
        let mut state = self.state.lock();
        state.log_sequence += 1;
        let entry = LogEntry {
            time: clock::system_time(),
            sequence: state.log_sequence,
            handler,
            level,
            text: text.to_owned(),
            item: None,
            error_id: None,
            flags: ErrorFlags::empty(),
            name: None,
            link: None,
            link_text: None,
            context: None,
        };
        state.keep(entry, self.settings.log_capacity);
    }

    /// The log of runs that are over, then that of those that go on.
    pub(super) fn entries(&self, filter: &LogFilter) -> Vec<LogEntry> {
        let (mut entries, running) = {
            let state = self.state.lock();
            let kept = state.log.iter().filter(|entry| filter.matches(entry));
            (kept.cloned().collect::<Vec<_>>(), state.running.clone())
        };
        for session in running.iter().filter_map(|job| job.session()) {
            entries.extend(
                session
                    .log()
                    .into_iter()
                    .filter(|entry| filter.matches(entry)),
            );
        }
        entries
    }

    /// Waits until `is_over` returns `true`, or until the time has come. Returns what `is_over` returned.
    pub(super) fn wait_for(&self, is_over: impl Fn() -> bool, until: Option<Instant>) -> bool {
        let mut state = self.state.lock();
        while !is_over() {
            let (guard, is_late) = self.changed.wait(state, until);
            if is_late {
                return is_over();
            }
            state = guard;
        }
        true
    }
}
