//! One handler's job in a run: from its start being asked for to its report.

use std::collections::HashSet;
use std::sync::{Arc, OnceLock};

use foldhash::fast::RandomState;
use parking_lot::Mutex;

use super::job_group::JobGroup;
use super::run_events::{RunEvents, Subscribers};
use super::start_request::{Distinct, StartRequest};
use crate::driver::call_monitor::CallMonitor;
use crate::driver::{HandlerReport, ProtocolViolation};
use crate::session::{Phase, Session};
use crate::util::wake::wake;
use crate::{CallbackError, HResult, HandlerId, HandlerInfo, ItemId, SyncHandler};

/// Makes a handler for each run.
pub(super) type Make = dyn Fn() -> Arc<dyn SyncHandler> + Send + Sync;

/// One handler's job in a run.
pub(super) struct Job {
    pub(super) id: HandlerId,
    /// What was requested.
    pub(super) request: Arc<StartRequest>,
    pub(super) make: Arc<Make>,
    pub(super) group: Arc<JobGroup>,
    pub(super) monitor: CallMonitor,
    /// Locked with nothing of the manager's locked but its state, and never while user code is called.
    state: Mutex<State>,
}

struct State {
    /// The items of the request that are left to do.
    left: Option<Vec<ItemId>>,
    /// How many runs share the job, without those that cancelled it before it began.
    runs: usize,
    session: Option<Arc<Session>>,
    begun: bool,
    /// The items are offered to the handler's run in progress.
    offered: bool,
    /// Everything is cancelled; before there is a session this is kept here.
    cancelled: bool,
    cancels: Distinct<ItemId>,
    skips: Distinct<ItemId>,
    /// Items that were asked for while there was no session, or that it did not take: it does not know of them.
    requests: Distinct<ItemId>,
    listed: ListedItems,
    /// What went wrong on the host's side.
    failure: Option<String>,
    subscribers: Subscribers,
    /// Shared by all jobs that it ended.
    report: Option<Arc<HandlerReport>>,
}

/// Asks a session for items; answers those that it does not take.
fn offer(session: &Session, items: Vec<ItemId>) -> Vec<ItemId> {
    // One that is nil would have the others refused.
    let (mut unknown, known): (Vec<_>, Vec<_>) =
        items.into_iter().partition(|item| *item == ItemId::NIL);
    // Refused where it is released: then they are done afterwards.
    if session.request_items(&known).is_err() {
        unknown.extend(known);
    }
    unknown
}

/// What is remembered of the handler's list.
#[derive(Clone, Debug, Default)]
pub(super) struct ListedItems {
    /// How many items the first one had.
    pub(super) count: Option<usize>,
    /// The items whose choices are for one run only.
    pub(super) temporary: Vec<ItemId>,
}

impl State {
    /// Nothing was cancelled or skipped, and it is not over.
    fn is_untouched(&self) -> bool {
        self.report.is_none()
            && !self.cancelled
            && self.cancels.list().is_empty()
            && self.skips.list().is_empty()
    }
}

/// What was left when a run stopped wanting a job.
pub(super) enum Leave {
    /// It has begun, so it is cancelled for every run that shares it.
    Begun,
    /// Other runs still want it.
    Shared,
    /// Nothing: it must not begin.
    Unwanted,
}

impl Job {
    pub(super) fn new(
        id: HandlerId,
        make: Arc<Make>,
        group: Arc<JobGroup>,
        request: Arc<StartRequest>,
    ) -> Arc<Self> {
        let left = request.items.clone();
        Arc::new(Self {
            id,
            request,
            make,
            group,
            monitor: CallMonitor::default(),
            state: Mutex::new(State {
                left,
                runs: 1,
                session: None,
                begun: false,
                offered: false,
                cancelled: false,
                cancels: Distinct::default(),
                skips: Distinct::default(),
                requests: Distinct::default(),
                listed: ListedItems::default(),
                failure: None,
                subscribers: Subscribers::default(),
                report: None,
            }),
        })
    }

    /// A worker has taken the job: it begins. To be called with the manager's state locked, so that whoever ends a job that
    /// has not begun, or joins it to another, does so before or not at all.
    pub(super) fn begin(&self) {
        let mut state = self.state.lock();
        if state.report.is_none() {
            state.begun = true;
            state.subscribers.begun();
        }
    }

    /// Wakes the tasks that wait for what happened to the job. Must be called after
    /// [`begin`](Self::begin), [`set_session`](Self::set_session), [`leave`](Self::leave) and
    /// [`end`](Self::end), with no lock held.
    pub(super) fn ring(&self) {
        let woken = self.state.lock().subscribers.take_woken();
        wake(woken.tasks);
    }

    /// Lets one more run share the job. Returns `false` if an identical start needs a job of its own,
    /// because this one has begun, or something of it is cancelled, skipped or done.
    pub(super) fn share(&self) -> bool {
        let mut state = self.state.lock();
        let is_whole =
            state.left.as_ref().map(Vec::len) == self.request.items.as_ref().map(Vec::len);
        let shares = !state.begun && is_whole && state.is_untouched();
        state.runs += usize::from(shares);
        shares
    }

    /// Returns the items that are left to do, or `None` if the job was cancelled or has ended.
    pub(super) fn to_do(&self) -> Option<Option<Vec<ItemId>>> {
        let state = self.state.lock();
        let goes_on = !state.cancelled && state.report.is_none();
        goes_on.then(|| state.left.clone())
    }

    /// Notifies a run from now on. The job has this place in it.
    pub(super) fn notify(&self, events: &Arc<RunEvents>, place: usize) {
        let mut state = self.state.lock();
        let State {
            begun,
            report,
            session,
            subscribers,
            ..
        } = &mut *state;
        subscribers.add(events, place, *begun, session.is_some(), report.is_some());
    }

    /// A run does not want the job any more. If others do, the run gets this report, and is notified of
    /// the end.
    pub(super) fn leave(
        &self,
        events: &Arc<RunEvents>,
        left: &OnceLock<HandlerReport>,
        report: HandlerReport,
    ) -> Leave {
        let mut state = self.state.lock();
        if left.get().is_some() {
            return Leave::Shared;
        }
        if state.begun {
            return Leave::Begun;
        }
        state.runs = state.runs.saturating_sub(1);
        if state.runs == 0 {
            state.cancelled = true;
            return Leave::Unwanted;
        }
        drop(left.set(report));
        state.subscribers.end_one(events);
        Leave::Shared
    }

    /// The session is there: what was cancelled and skipped before is cancelled and skipped now.
    pub(super) fn set_session(&self, session: &Arc<Session>) {
        let (cancelled, cancels, skips) = {
            let mut state = self.state.lock();
            state.session = Some(session.clone());
            state.subscribers.session();
            // Before anybody sees the session, so that none is asked for twice.
            let requests = std::mem::take(&mut state.requests);
            let unknown = offer(session, requests.into_list());
            state.requests.extend(unknown);
            (
                state.cancelled,
                std::mem::take(&mut state.cancels),
                std::mem::take(&mut state.skips),
            )
        };
        if cancelled {
            session.cancel_all();
        }
        // An item that the handler does not list cannot be cancelled, and need not be.
        for item in cancels.into_list() {
            let _ = session.cancel_item(item);
        }
        for item in skips.into_list() {
            let _ = session.skip_item(item);
        }
        self.ring();
    }

    pub(super) fn session(&self) -> Option<Arc<Session>> {
        self.state.lock().session.clone()
    }

    /// What its handler returned about itself.
    pub(super) fn info(&self) -> Option<HandlerInfo> {
        let report = self.state.lock().report.clone();
        report
            .and_then(|report| report.info.clone())
            .or_else(|| self.monitor.seen().info)
    }

    /// Cancels everything, for every run that shares the job.
    pub(super) fn cancel_all(&self) {
        let session = {
            let mut state = self.state.lock();
            state.cancelled = true;
            state.session.clone()
        };
        if let Some(session) = session {
            session.cancel_all();
        }
    }

    pub(super) fn cancel_item(&self, item: ItemId) -> Result<(), CallbackError> {
        self.stop(item, |state| &mut state.cancels, Session::cancel_item)
    }

    pub(super) fn skip_item(&self, item: ItemId) -> Result<(), CallbackError> {
        self.stop(item, |state| &mut state.skips, Session::skip_item)
    }

    fn stop(
        &self,
        item: ItemId,
        early: fn(&mut State) -> &mut Distinct<ItemId>,
        now: fn(&Session, ItemId) -> Result<(), CallbackError>,
    ) -> Result<(), CallbackError> {
        let session = {
            let mut state = self.state.lock();
            if state.session.is_none() {
                if state.report.is_some() {
                    return Err(CallbackError::Released);
                }
                early(&mut state).extend([item]);
            }
            state.session.clone()
        };
        session.map_or(Ok(()), |session| now(&session, item))
    }

    /// Items that another start asks for while this job is on its way: its handler may take them in.
    pub(super) fn request(&self, items: Vec<ItemId>) {
        if items.is_empty() {
            return;
        }
        let mut state = self.state.lock();
        let unknown = match &state.session {
            Some(session) => offer(session, items),
            None => items,
        };
        state.requests.extend(unknown);
    }

    /// The items that were asked for and are left to do, since the session of this job did not take them in.
    pub(super) fn left(&self, session: &Session) -> HashSet<ItemId, RandomState> {
        let mut left: HashSet<_, _> = session.requested_items().into_iter().collect();
        left.extend(self.state.lock().requests.list());
        left
    }

    /// Takes back what [`request`](Self::request) asked for.
    pub(super) fn withdraw(&self, items: Vec<ItemId>) {
        let session = {
            let mut state = self.state.lock();
            let Some(session) = state.session.clone() else {
                state.requests.remove_all(&items.into_iter().collect());
                return;
            };
            session
        };
        session.withdraw_items(&items);
    }

    /// Calls `with` with the items that are left to do and whether they are offered to the handler's run
    /// in progress, which `with` may change. The job is locked meanwhile.
    pub(super) fn with_left<R>(&self, with: impl FnOnce(&[ItemId], &mut bool) -> R) -> R {
        let mut state = self.state.lock();
        let State { left, offered, .. } = &mut *state;
        with(left.as_deref().unwrap_or_default(), offered)
    }

    /// The session of the job before this one has ended, which may have done items that this one waits to do. They are not
    /// done again; answers whether nothing is left.
    pub(super) fn is_done_by(
        &self,
        session: &Arc<Session>,
        left: &HashSet<ItemId, RandomState>,
    ) -> bool {
        let mut state = self.state.lock();
        if state.begun || state.cancelled || !state.offered {
            return false;
        }
        let Some(items) = &mut state.left else {
            return false;
        };
        // One that was cancelled there, or did not come to its end, was not done.
        let is_done = |item: &ItemId| !left.contains(item) && session.is_done(*item);
        let some = !items.is_empty();
        items.retain(|item| !is_done(item));
        some && items.is_empty()
    }

    /// What the handler listed. The session is built of the first list.
    pub(super) fn set_listed(&self, count: usize, temporary: Vec<ItemId>) {
        let listed = &mut self.state.lock().listed;
        listed.count.get_or_insert(count);
        listed.temporary = temporary;
    }

    /// The host could not do its side of the run.
    pub(super) fn fail(&self, error: String) {
        self.state.lock().failure = Some(error);
    }

    pub(super) fn failure(&self) -> Option<String> {
        self.state.lock().failure.clone()
    }

    pub(super) fn listed(&self) -> ListedItems {
        self.state.lock().listed.clone()
    }

    /// Whether its worker was left behind in a call that did not return.
    pub(super) fn was_given_up(&self) -> bool {
        let state = self.state.lock();
        let report = state.report.as_ref();
        report.is_some_and(|report| report.abandoned_threads > 0)
    }

    pub(super) fn is_over(&self) -> bool {
        self.state.lock().report.is_some()
    }

    pub(super) fn report(&self) -> Option<HandlerReport> {
        let report = self.state.lock().report.clone();
        report.map(|report| HandlerReport::clone(&report)) // with no lock held: it may be long
    }

    /// Ends the job. Returns `false` if it had ended before.
    pub(super) fn end(&self, report: &Arc<HandlerReport>) -> bool {
        let mut state = self.state.lock();
        if state.report.is_some() {
            return false;
        }
        if state.session.is_none() {
            state.session = report.session.clone(); // of the run that did this one's items
        }
        state.report = Some(Arc::clone(report));
        state.subscribers.ended();
        true
    }

    /// The report of a job that nothing was done for.
    pub(super) fn never_begun(why: &str) -> HandlerReport {
        HandlerReport {
            never_begun: true,
            ..HandlerReport::without_run(HResult::E_ABORT, why.to_owned())
        }
    }

    /// The report of a job that a call ended which did not return in time.
    pub(super) fn too_late(&self, fault: ProtocolViolation) -> HandlerReport {
        self.failed(HResult::E_ABORT, fault.to_string(), vec![fault])
    }

    /// The report of a job that ended outside the driver.
    pub(super) fn failed(
        &self,
        result: HResult,
        error: String,
        faults: Vec<ProtocolViolation>,
    ) -> HandlerReport {
        let seen = self.monitor.seen();
        let session = self.session();
        let phase = session
            .as_ref()
            .map_or(Phase::Idle, |session| session.phase());
        let open = match &session {
            Some(session) if seen.rounds > 0 => session.driver().unfinished_items(),
            _ => Vec::new(),
        };
        HandlerReport {
            phase,
            session,
            unfinished: open,
            rounds: seen.rounds,
            info: seen.info,
            faults,
            ..HandlerReport::without_run(result, error)
        }
    }
}
