//! What the manager, its runs and its threads share.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use parking_lot::{Condvar, Mutex};

use super::part::{Make, Order, Part};
use super::{Choices, HandlerReport, LogFilter, Registration};
use crate::session::{Connector, DialogArbiter, LogEntry};
use crate::{ErrorFlags, HandlerId, ItemId, ItemList, LogLevel};

pub(super) type ShowErrorIf = dyn Fn(&LogEntry) -> bool + Send + Sync;
pub(super) type Chooser = dyn Fn(HandlerId, &ItemList, &[ItemId]) -> Vec<ItemId> + Send + Sync;

/// What a manager is set to. It does not change once a handler was registered.
#[derive(Clone)]
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

pub(super) struct Hub {
    pub(super) settings: Settings,
    pub(super) arbiter: DialogArbiter,
    /// The first lock; a part's is taken after it.
    pub(super) state: Mutex<State>,
    /// A part is over, or became ready.
    pub(super) changed: Condvar,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) handlers: HashMap<HandlerId, Entry>,
    /// The ids in the order of their first registration.
    pub(super) order: Vec<HandlerId>,
    /// For each handler that has a part running or ready: the parts that wait behind it. Kept apart from the registrations,
    /// so that an id that is registered anew still waits for its old run.
    pub(super) busy: HashMap<HandlerId, VecDeque<Arc<Part>>>,
    pub(super) ready: VecDeque<Arc<Part>>,
    pub(super) running: Vec<Arc<Part>>,
    pub(super) workers: usize,
    pub(super) supervised: bool,
    pub(super) choices: Choices,
    /// The entries of runs that are over, and of the manager itself.
    pub(super) log: VecDeque<LogEntry>,
    pub(super) log_sequence: u64,
}

#[derive(Clone)]
pub(super) struct Entry {
    pub(super) registration: Registration,
    pub(super) make: Arc<Make>,
}

impl State {
    /// Asks for a part: joined to one that waits, or behind the one that runs, or ready at once. Answers the part, and whether
    /// it is a new one.
    pub(super) fn ask(
        &mut self,
        id: HandlerId,
        order: &Order,
        new: impl FnOnce() -> Arc<Part>,
    ) -> (Arc<Part>, bool) {
        if let Some(waiting) = self.busy.get_mut(&id) {
            if let Some(joined) = waiting.iter().find(|part| part.join(order)) {
                return (Arc::clone(joined), false);
            }
            let part = new();
            waiting.push_back(Arc::clone(&part));
            return (part, true);
        }
        let part = new();
        self.busy.insert(id, VecDeque::new());
        self.ready.push_back(Arc::clone(&part));
        (part, true)
    }

    /// The part that is running or ready to run, of this handler.
    pub(super) fn current(&self, id: HandlerId) -> Option<Arc<Part>> {
        let mut parts = self.running.iter().chain(&self.ready);
        parts.find(|part| part.id == id).cloned()
    }

    fn keep(&mut self, entry: LogEntry, capacity: usize) {
        if capacity == 0 {
            return;
        }
        if self.log.len() >= capacity {
            self.log.pop_front();
        }
        self.log.push_back(entry);
    }

    /// The part is over: what waits behind it is ready.
    fn leave(&mut self, part: &Arc<Part>) {
        let is_it = |other: &Arc<Part>| Arc::ptr_eq(other, part);
        match self.running.iter().position(is_it) {
            Some(place) => {
                self.running.swap_remove(place);
            }
            None => self.ready.retain(|other| !is_it(other)),
        }
        let Some(waiting) = self.busy.get_mut(&part.id) else {
            return;
        };
        // A part that only waited leaves the others as they are.
        if let Some(place) = waiting.iter().position(is_it) {
            waiting.remove(place);
            return;
        }
        match waiting.pop_front() {
            Some(next) => self.ready.push_back(next),
            None => {
                self.busy.remove(&part.id);
            }
        }
    }
}

impl Hub {
    pub(super) fn new(settings: Settings) -> Arc<Self> {
        Arc::new(Self {
            settings,
            arbiter: DialogArbiter::new(),
            state: Mutex::new(State::default()),
            changed: Condvar::new(),
        })
    }

    /// The next part for a worker; none where nothing is ready, and the worker is to end.
    pub(super) fn next(&self) -> Option<Arc<Part>> {
        let mut state = self.state.lock();
        match state.ready.pop_front() {
            Some(part) => {
                state.running.push(Arc::clone(&part));
                Some(part)
            }
            None => {
                state.workers -= 1;
                self.changed.notify_all();
                None
            }
        }
    }

    /// The part is over; answers false where it was given up before.
    pub(super) fn end(&self, part: &Arc<Part>, report: HandlerReport) -> bool {
        self.over(part, report, |_| {})
    }

    /// As [`end`](Self::end), for a part whose worker is left behind.
    pub(super) fn give_up(&self, part: &Arc<Part>, report: HandlerReport) -> bool {
        self.over(part, report, |state| state.workers -= 1)
    }

    fn over(&self, part: &Arc<Part>, report: HandlerReport, then: impl FnOnce(&mut State)) -> bool {
        let log = report.session.as_ref().map(|session| session.log());
        let temporary = part.take_temporary();
        let connections;
        {
            let mut state = self.state.lock();
            if !part.end(report) {
                return false;
            }
            for entry in log.into_iter().flatten() {
                state.keep(entry, self.settings.log_capacity);
            }
            state.choices.run_is_over(part.id, &temporary);
            state.leave(part);
            then(&mut state);
            connections = part.batch.leave();
        }
        // Closes them, if no session shares them: user code.
        drop(connections);
        self.changed.notify_all();
        true
    }

    /// The parts that are running, a while from now; none where the last worker has ended.
    pub(super) fn running_after(&self, slice: Duration) -> Option<Vec<Arc<Part>>> {
        let until = Instant::now() + slice;
        let mut state = self.state.lock();
        while state.workers > 0 {
            if self.changed.wait_until(&mut state, until).timed_out() {
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
            time: SystemTime::now(),
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
            let kept = state.log.iter().filter(|entry| filter.takes(entry));
            (kept.cloned().collect::<Vec<_>>(), state.running.clone())
        };
        for session in running.iter().filter_map(|part| part.session()) {
            entries.extend(
                session
                    .log()
                    .into_iter()
                    .filter(|entry| filter.takes(entry)),
            );
        }
        entries
    }

    /// Waits until the part is over, or the time has come; answers whether it is.
    pub(super) fn wait_for(&self, part: &Part, until: Option<Instant>) -> bool {
        let mut state = self.state.lock();
        while !part.is_over() {
            match until {
                None => self.changed.wait(&mut state),
                Some(until) => {
                    if self.changed.wait_until(&mut state, until).timed_out() {
                        return part.is_over();
                    }
                }
            }
        }
        true
    }
}
