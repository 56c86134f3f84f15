//! One handler's part in a run: from its start being asked for to its report.

use std::collections::HashSet;
use std::sync::{Arc, Weak};

use foldhash::fast::RandomState;
use parking_lot::Mutex;

use super::news::{News, Readers};
use super::order::{Distinct, Order};
use super::watch::Watch;
use super::{Fault, HandlerReport};
use crate::session::{Connections, Phase, Session, wake};
use crate::{CallbackError, HResult, HandlerId, HandlerInfo, ItemId, SyncHandler};

/// Makes a handler for each run.
pub(super) type Make = dyn Fn() -> Arc<dyn SyncHandler> + Send + Sync;

/// What one start asked for at once: its connections stay open until the last part of it is over (rule M08).
pub(super) struct Batch {
    state: Mutex<BatchState>,
}

struct BatchState {
    connections: Option<Connections>,
    left: usize,
}

impl Batch {
    pub(super) fn new(connections: Option<Connections>, parts: usize) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(BatchState {
                connections,
                left: parts,
            }),
        })
    }

    pub(super) fn connections(&self) -> Option<Connections> {
        self.state.lock().connections.clone()
    }

    /// A part is over, or joined another batch. With the last one the connections are handed out, to be closed with no lock
    /// held.
    pub(super) fn leave(&self) -> Option<Connections> {
        let mut state = self.state.lock();
        state.left = state.left.saturating_sub(1);
        if state.left == 0 {
            state.connections.take()
        } else {
            None
        }
    }
}

/// One handler's part in a run.
pub(super) struct Part {
    pub(super) id: HandlerId,
    pub(super) make: Arc<Make>,
    pub(super) batch: Arc<Batch>,
    pub(super) watch: Watch,
    /// Locked with nothing of the manager's locked but its state, and never while user code is called.
    state: Mutex<State>,
}

struct State {
    order: Order,
    session: Option<Arc<Session>>,
    begun: bool,
    /// The part that this one's start is done by, from its begin to its end.
    leader: Option<Arc<Part>>,
    /// The parts that this one does besides.
    followers: Vec<Arc<Part>>,
    /// Everything is cancelled; before there is a session this is kept here.
    cancelled: bool,
    cancels: Distinct<ItemId>,
    skips: Distinct<ItemId>,
    /// Items that were asked for while there was no session, or that it did not take: it does not know of them.
    requests: Distinct<ItemId>,
    listed: Listed,
    /// What went wrong on the host's side.
    failure: Option<String>,
    readers: Readers,
    /// Shared by all parts that one run was for.
    report: Option<Arc<HandlerReport>>,
}

/// Asks a session for items; answers those that it does not take.
fn offer(session: &Session, items: Vec<ItemId>) -> Vec<ItemId> {
    // One that is nil would have the others refused.
    let (mut unknown, known): (Vec<_>, Vec<_>) = items.into_iter().partition(|item| item.is_nil());
    // Refused where it is released: then they are done afterwards.
    if session.request_items(&known).is_err() {
        unknown.extend(known);
    }
    unknown
}

/// What is remembered of the handler's list.
#[derive(Clone, Debug, Default)]
pub(super) struct Listed {
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

impl Part {
    pub(super) fn new(
        id: HandlerId,
        make: Arc<Make>,
        batch: Arc<Batch>,
        order: Order,
    ) -> Arc<Self> {
        Arc::new(Self {
            id,
            make,
            batch,
            watch: Watch::default(),
            state: Mutex::new(State {
                order,
                session: None,
                begun: false,
                leader: None,
                followers: Vec::new(),
                cancelled: false,
                cancels: Distinct::default(),
                skips: Distinct::default(),
                requests: Distinct::default(),
                listed: Listed::default(),
                failure: None,
                readers: Readers::default(),
                report: None,
            }),
        })
    }

    /// A worker has taken the part: it begins. To be called with the manager's state locked, so that whoever ends a part that
    /// has not begun, or joins it to another, does so before or not at all.
    pub(super) fn begin(&self) {
        let mut state = self.state.lock();
        if state.report.is_none() {
            state.begun = true;
            state.readers.begun();
        }
    }

    /// Wakes the tasks that what was told about the part is to wake, and about those that it does besides. To be called after
    /// [`begin`](Self::begin), [`lead`](Self::lead), [`set_session`](Self::set_session) and [`end`](Self::end), with no lock held.
    pub(super) fn ring(&self) {
        let (own, followers) = {
            let mut state = self.state.lock();
            (state.readers.take_woken(), state.followers.clone())
        };
        let theirs = followers
            .iter()
            .map(|follower| follower.state.lock().readers.take_woken());
        let all: Vec<_> = std::iter::once(own).chain(theirs).collect();
        for woken in all {
            wake(woken.tasks);
        }
    }

    /// Takes in another part, which waits behind this one that begins, if one run can do for both: it has this one's session and
    /// report from now on. Otherwise nothing happens. To be called with the manager's state locked: the only place where two
    /// parts are.
    pub(super) fn lead(self: &Arc<Self>, other: &Arc<Part>) -> bool {
        let mut leader = self.state.lock();
        let mut follower = other.state.lock();
        let joined =
            leader.is_untouched() && follower.is_untouched() && leader.order.join(&follower.order);
        if joined {
            follower.begun = true;
            follower.readers.begun();
            follower.leader = Some(Arc::clone(self));
            leader.followers.push(Arc::clone(other));
        }
        joined
    }

    /// Takes in the start of a part that nobody holds any more, if one run can do for both.
    pub(super) fn absorb(&self, orphan: &Part) -> bool {
        let mut state = self.state.lock();
        let orphan = orphan.state.lock();
        let waits = !state.begun && !orphan.begun;
        waits && state.is_untouched() && orphan.is_untouched() && state.order.join(&orphan.order)
    }

    /// What is to be done; none where it was cancelled, or ended, before.
    pub(super) fn order(&self) -> Option<Order> {
        let state = self.state.lock();
        let goes_on = !state.cancelled && state.report.is_none();
        goes_on.then(|| state.order.clone())
    }

    /// Tells a run what becomes of the part, which has this place in it.
    pub(super) fn tell(&self, news: Weak<News>, place: usize) {
        let mut state = self.state.lock();
        let (begun, ended) = (state.begun, state.report.is_some());
        state.readers.add(news, place, begun, ended);
    }

    /// The session is there: what was cancelled and skipped before is cancelled and skipped now.
    pub(super) fn set_session(&self, session: &Arc<Session>) {
        let (cancelled, cancels, skips) = {
            let mut state = self.state.lock();
            state.session = Some(session.clone());
            state.readers.session();
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
        // It is theirs too.
        let followers = self.state.lock().followers.clone();
        for follower in followers {
            follower.state.lock().readers.session();
        }
        self.ring();
    }

    pub(super) fn session(&self) -> Option<Arc<Session>> {
        let leader = {
            let state = self.state.lock();
            match &state.leader {
                None => return state.session.clone(),
                Some(leader) => Arc::clone(leader),
            }
        };
        leader.session() // a leader has no leader
    }

    /// What its handler told about itself.
    pub(super) fn info(&self) -> Option<HandlerInfo> {
        let (told, leader) = {
            let state = self.state.lock();
            let report = state.report.as_ref();
            let told = report.and_then(|report| report.info.clone());
            (told, state.leader.clone())
        };
        told.or_else(|| match leader {
            Some(leader) => leader.info(), // a leader has no leader
            None => self.watch.seen().info,
        })
    }

    /// Cancels everything; answers whether the part had begun.
    pub(super) fn cancel_all(&self) -> bool {
        let (session, begun, leader) = {
            let mut state = self.state.lock();
            state.cancelled = true;
            (state.session.clone(), state.begun, state.leader.clone())
        };
        if let Some(leader) = leader {
            return leader.cancel_all();
        }
        if let Some(session) = session {
            session.cancel_all();
        }
        begun
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
        // One look at both, so that the part does not get a leader between, who would never learn of it.
        let (session, leader) = {
            let mut state = self.state.lock();
            if state.session.is_none() && state.leader.is_none() {
                if state.report.is_some() {
                    return Err(CallbackError::Released);
                }
                early(&mut state).extend([item]);
            }
            (state.session.clone(), state.leader.clone())
        };
        match (leader, session) {
            (Some(leader), _) => leader.stop(item, early, now),
            (None, Some(session)) => now(&session, item),
            (None, None) => Ok(()),
        }
    }

    /// Items that another start asks for while this part is on its way: its handler may take them in.
    pub(super) fn request(&self, items: &[ItemId]) {
        let mut state = self.state.lock();
        let unknown = match &state.session {
            Some(session) => offer(session, items.to_vec()),
            None => items.to_vec(),
        };
        state.requests.extend(unknown);
    }

    /// The items that were asked for and are left to do, since the session of this part did not take them in.
    pub(super) fn left(&self, session: &Session) -> HashSet<ItemId, RandomState> {
        let mut left: HashSet<_, _> = session.requested_items().into_iter().collect();
        left.extend(self.state.lock().requests.list());
        left
    }

    /// Takes back what [`request`](Self::request) asked for.
    pub(super) fn withdraw(&self, items: &Distinct<ItemId>) {
        let session = {
            let mut state = self.state.lock();
            state.requests.remove_all(items);
            state.session.clone()
        };
        if let Some(session) = session {
            session.withdraw_items(items.list());
        }
    }

    /// Calls `with` with the items that this part was asked for, if it waits for its turn. `with`
    /// is none of the user's code: the part is locked.
    pub(super) fn wanted<R>(&self, with: impl FnOnce(&Distinct<ItemId>) -> R) -> Option<R> {
        let state = self.state.lock();
        let waits = !state.begun && !state.cancelled && state.report.is_none();
        let items = state.order.items.as_ref().filter(|_| waits);
        items.map(with)
    }

    /// The session of the part before this one has ended, which may have done items that this one waits to do. They are not
    /// done again; answers whether nothing is left.
    pub(super) fn is_done_by(
        &self,
        session: &Arc<Session>,
        left: &HashSet<ItemId, RandomState>,
    ) -> bool {
        let mut state = self.state.lock();
        if state.begun || state.cancelled {
            return false;
        }
        let Some(items) = &mut state.order.items else {
            return false;
        };
        // One that was cancelled there, or did not come to its end, was not done.
        let is_done = |item: &ItemId| !left.contains(item) && session.is_done(*item);
        let some = !items.list().is_empty();
        items.retain(|item| !is_done(item));
        some && items.list().is_empty()
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

    pub(super) fn listed(&self) -> Listed {
        self.state.lock().listed.clone()
    }

    /// Whether its worker was left behind in a call that did not return.
    pub(super) fn was_given_up(&self) -> bool {
        let state = self.state.lock();
        let report = state.report.as_ref();
        report.is_some_and(|report| report.abandoned > 0)
    }

    pub(super) fn is_over(&self) -> bool {
        self.state.lock().report.is_some()
    }

    pub(super) fn report(&self) -> Option<HandlerReport> {
        let report = self.state.lock().report.clone();
        report.map(|report| HandlerReport::clone(&report)) // with no lock held: it may be long
    }

    /// The part is over, and with it those that it did besides: it answers them. None where it was over before.
    pub(super) fn end(&self, report: &Arc<HandlerReport>) -> Option<Vec<Arc<Part>>> {
        let mut state = self.state.lock();
        if state.report.is_some() {
            return None;
        }
        state.leader = None;
        if state.session.is_none() {
            state.session = report.session.clone(); // of the part that did this one's work
        }
        state.report = Some(Arc::clone(report));
        state.readers.ended();
        Some(std::mem::take(&mut state.followers))
    }

    /// The report of a part that nothing was done for.
    pub(super) fn never_begun(&self, why: &str) -> HandlerReport {
        HandlerReport {
            never_begun: true,
            ..self.failed(HResult::E_ABORT, why.to_owned(), Vec::new())
        }
    }

    /// The report of a part that a call ended which did not return in time.
    pub(super) fn too_late(&self, fault: Fault) -> HandlerReport {
        self.failed(HResult::E_ABORT, fault.to_string(), vec![fault])
    }

    /// The report of a part that ended outside the driver.
    pub(super) fn failed(
        &self,
        result: HResult,
        error: String,
        faults: Vec<Fault>,
    ) -> HandlerReport {
        let seen = self.watch.seen();
        let session = self.session();
        let phase = session
            .as_ref()
            .map_or(Phase::Idle, |session| session.phase());
        let open = match &session {
            Some(session) if seen.rounds > 0 => session.open_items(),
            _ => Vec::new(),
        };
        HandlerReport {
            result,
            phase,
            session,
            open,
            rounds: seen.rounds,
            abandoned: 0,
            info: seen.info,
            error: Some(error),
            faults,
            properties: Vec::new(),
            never_begun: false,
        }
    }
}
