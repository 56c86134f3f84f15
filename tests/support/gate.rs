//! Gates at which a handler waits for the test, and what the tests of the manager read from runs and traces.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

use syncmgr::testing::mock::{Script, Step};
use syncmgr::testing::{Action, Answer, Trace};
use syncmgr::{
    ErrorId, HandlerFlags, HandlerReport, ItemId, ItemName, ItemStatus, LogLevel, LogRecord, Run,
    RunReport, SyncCallback, SyncFlags, SyncItem, SyncManager, SyncManagerBuilder, Verdict,
};

use super::manager::{handler_id, succeed};
use crate::{LIMIT, id, until, within};

/// A handler waits here until the test opens it.
#[derive(Clone)]
pub struct Gate(Arc<Shared>);

struct Shared {
    /// Who comes earlier than this is let through.
    at: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    came: usize,
    open: bool,
}

impl Gate {
    pub fn new() -> Self {
        Self::at(1)
    }

    /// A gate that is closed from the pass of this number on.
    pub fn at(pass: usize) -> Self {
        Self(Arc::new(Shared {
            at: pass,
            state: Mutex::default(),
            changed: Condvar::new(),
        }))
    }

    /// The handler's side: comes here, and waits until the gate is open.
    pub fn pass(&self) {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.came += 1;
        self.0.changed.notify_all();
        if state.came < self.0.at {
            return;
        }
        let waited = self
            .0
            .changed
            .wait_timeout_while(state, LIMIT, |state| !state.open);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        assert!(state.open, "the gate was not opened within {LIMIT:?}");
    }

    pub fn step(&self) -> Step {
        let gate = self.clone();
        Step::run(move || gate.pass())
    }

    /// The test's side: waits until somebody stands at the closed gate.
    #[track_caller]
    pub fn reached(&self) {
        let state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .0
            .changed
            .wait_timeout_while(state, LIMIT, |state| state.came < self.0.at);
        let came = waited.unwrap_or_else(PoisonError::into_inner).0.came;
        assert!(
            came >= self.0.at,
            "nobody came to the gate within {LIMIT:?}"
        );
    }

    /// Lets everybody through from now on.
    pub fn open(&self) {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.open = true;
        self.0.changed.notify_all();
    }
}

/// Waits for a run.
#[track_caller]
pub fn finish(run: &Run) -> RunReport {
    let run = run.clone();
    within("the run", move || run.wait())
}

/// Waits for a run that has to go well.
#[track_caller]
pub fn succeed_in(run: &Run) -> RunReport {
    let report = finish(run);
    assert!(report.is_success(), "{report:?}");
    report
}

/// Waits for a run in which handler 1 does all that is due of it, and items of it are cancelled or skipped.
#[track_caller]
pub fn cancelled_in(run: &Run) -> RunReport {
    let report = finish(run);
    crate::went_through(of(&report, 1));
    report
}

/// As [`finish`], where nobody asks what it came to.
#[track_caller]
pub fn wait_for(run: &Run) {
    let _ = finish(run);
}

/// As [`succeed_in`], where nobody asks for more.
#[track_caller]
pub fn goes_well(run: &Run) {
    let _ = succeed_in(run);
}

/// Synchronizes everything, which has to go well.
#[track_caller]
pub fn update(manager: &SyncManager) {
    goes_well(&manager.update_all());
}

/// The report of handler number `n`.
#[track_caller]
pub fn of(report: &RunReport, n: u128) -> &HandlerReport {
    report
        .handler(handler_id(n))
        .unwrap_or_else(|| panic!("handler {n} is not in {report:?}"))
}

/// The status of item `n` as its handler's report tells it.
pub fn status_of(report: &HandlerReport, n: u128) -> Option<ItemStatus> {
    let mut items = report.items().into_iter();
    items.find(|view| view.id == id(n)).map(|view| view.status)
}

/// The items of each round.
pub fn rounds(trace: &Trace) -> Vec<Vec<ItemId>> {
    let calls = trace.calls().iter();
    calls
        .filter_map(|call| match &call.action {
            Action::PrepareForSync { items } => Some(items.clone()),
            _ => None,
        })
        .collect()
}

/// The items that the handler was to prepare, in all rounds.
pub fn prepared(trace: &Trace) -> Vec<ItemId> {
    rounds(trace).concat()
}

/// The names of the calls, in the order in which they began.
pub fn names(trace: &Trace) -> Vec<&'static str> {
    trace
        .calls()
        .iter()
        .map(|call| call.action.name())
        .collect()
}

/// The answers to the calls of this name.
pub fn answers(trace: &Trace, name: &str) -> Vec<Answer> {
    let calls = trace.calls().iter();
    calls
        .filter(|call| call.action.name() == name)
        .map(|call| call.answer.clone())
        .collect()
}

/// What the handler was initialized with.
#[track_caller]
pub fn initialized(trace: &Trace) -> (SyncFlags, Option<Vec<u8>>) {
    let mut calls = trace.calls().iter();
    calls
        .find_map(|call| match &call.action {
            Action::Initialize { flags, cookie } => Some((*flags, cookie.clone())),
            _ => None,
        })
        .expect("it was initialized")
}

/// Test item number `n`, as a handler lists it.
pub fn named(n: u128) -> SyncItem {
    SyncItem::new(id(n), ItemName::truncate_start(&format!("item {n}")))
}

/// A script that may connect.
pub fn may_connect(n: u128) -> Script {
    Script::new()
        .flags(HandlerFlags::MAY_ESTABLISH_CONNECTION)
        .sync_item(named(n))
}

/// The steps of an item whose work waits at a gate.
pub fn gated(item: ItemId, gate: &Gate) -> [Step; 4] {
    [
        Step::report(item).status(ItemStatus::Updating),
        gate.step(),
        Step::report(item).value(1),
        Step::report(item).status(ItemStatus::Succeeded),
    ]
}

/// An error that the user can follow.
pub fn jump() -> Step {
    Step::log(&LogRecord::new(LogLevel::Error, "no space").jump_text(ErrorId::from_u128(7)))
}

/// A manager that shows every error and allows one retry.
pub fn shows_errors() -> SyncManagerBuilder {
    SyncManager::builder()
        .show_error_if(|_| true)
        .max_retries(1)
}

/// Item 1 and, not checked, item 2; an error is logged in each round.
pub fn fails() -> Script {
    let steps = [jump()].into_iter();
    Script::new()
        .sync_item(named(1))
        .sync_item(named(2).checked(false))
        .synchronize(steps.chain([1, 2].into_iter().flat_map(|n| succeed(id(n)))))
}

/// Waits until a handler's run was told to stop.
#[track_caller]
pub fn is_cancelled(run: &Run, n: u128) {
    until("the cancel", || {
        let session = run.session(handler_id(n)).expect("it told its items");
        session.can_continue(None) == Ok(Verdict::CancelAll)
    });
}
