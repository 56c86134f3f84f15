//! What the integration tests share: sessions in a known phase, deadlines that only a failure reaches, wakers that count.

#![cfg(feature = "full")]

pub mod between;
pub mod forward;
pub mod gate;
pub mod handler;
pub mod hooked;
pub mod hostile;
pub mod lines;
pub mod manager;
pub mod properties;
pub mod rest;
pub mod rules;
pub mod scripts;
pub mod subscriber;
pub mod telemetry;
pub mod works;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::task::{Wake, Waker};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use syncmgr::{
    HResult, HandlerReport, ItemId, ItemName, ItemReporter, ItemStatus, ItemView, Phase,
    ProgressUpdate, Session, SyncCallback, SyncItem,
};

/// No test waits longer than this for anything; one that does has failed.
pub const LIMIT: Duration = Duration::from_secs(20);

/// The id of test item number `n`.
pub const fn id(n: u128) -> ItemId {
    ItemId::from_u128(n)
}

/// Test item number `n`.
pub fn item(n: u128) -> SyncItem {
    let name = ItemName::try_from(format!("item {n}")).expect("a short name is a name");
    SyncItem::new(id(n), name)
}

/// Test items 1 to `n`.
pub fn items(n: u128) -> Vec<SyncItem> {
    (1..=n).map(item).collect()
}

/// The ids of test items 1 to `n`.
pub fn ids(n: u128) -> Vec<ItemId> {
    (1..=n).map(id).collect()
}

/// An update that names a value only.
pub fn value(value: u64) -> ProgressUpdate<'static> {
    ProgressUpdate::new().value(value)
}

/// An update that names a status only.
pub fn status(status: ItemStatus) -> ProgressUpdate<'static> {
    ProgressUpdate::new().status(status)
}

/// An update that names a text only.
pub fn text(text: &str) -> ProgressUpdate<'_> {
    ProgressUpdate::new().text(text)
}

/// An open session of items 1 to `n`.
pub fn open(n: u128) -> Arc<Session> {
    Session::builder()
        .items(items(n))
        .build()
        .expect("distinct items build")
}

/// A driven session of items 1 to `n`, idle.
pub fn driven(n: u128) -> Arc<Session> {
    Session::builder()
        .items(items(n))
        .driven()
        .build()
        .expect("distinct items build")
}

/// A driven session of items 1 to `n` that synchronizes all of them.
pub fn synchronizing(n: u128) -> Arc<Session> {
    Stage::Synchronizing.session(n)
}

/// Takes a driven session that is idle or completed into `Synchronizing` with these items.
#[track_caller]
pub fn start_round(session: &Session, items: &[ItemId]) {
    assert_eq!(
        session.driver().begin_prepare(items),
        Ok(()),
        "begin_prepare"
    );
    assert_eq!(
        session.prepare_for_sync_completed(HResult::S_OK),
        Ok(()),
        "prepare completes"
    );
    assert_eq!(
        session.driver().begin_synchronize(),
        Ok(()),
        "begin_synchronize"
    );
}

/// A reporter of test item `n`, which must exist.
#[track_caller]
pub fn reporter(session: &Arc<Session>, n: u128) -> ItemReporter {
    session
        .reporter(id(n))
        .unwrap_or_else(|error| panic!("no reporter of item {n}: {error}"))
}

/// The view of test item `n`, which must exist.
#[track_caller]
pub fn view(session: &Session, n: u128) -> ItemView {
    session
        .item(id(n))
        .unwrap_or_else(|| panic!("item {n} has no view"))
}

/// Every phase that a session can be in, and the two ways to `Completed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    Open,
    OpenCompleted,
    Idle,
    Preparing,
    Prepared,
    Synchronizing,
    Completed,
    Released,
}

impl Stage {
    pub const ALL: [Stage; 8] = [
        Stage::Open,
        Stage::OpenCompleted,
        Stage::Idle,
        Stage::Preparing,
        Stage::Prepared,
        Stage::Synchronizing,
        Stage::Completed,
        Stage::Released,
    ];

    /// A session of items 1 to `n`, all of them in the round, in this stage.
    pub fn session(self, n: u128) -> Arc<Session> {
        let session = match self {
            Stage::Open | Stage::OpenCompleted => open(n),
            _ => driven(n),
        };
        self.enter(&session, n);
        session
    }

    /// Leads a session fresh from its builder into this stage, with items 1 to `n` in the round.
    #[track_caller]
    pub fn enter(self, session: &Session, n: u128) {
        match self {
            Stage::Open | Stage::Idle => {}
            Stage::OpenCompleted => {
                assert_eq!(
                    session.synchronize_completed(HResult::S_OK),
                    Ok(()),
                    "an open session completes"
                );
            }
            Stage::Preparing => assert_eq!(
                session.driver().begin_prepare(&ids(n)),
                Ok(()),
                "begin_prepare"
            ),
            Stage::Prepared => {
                Stage::Preparing.enter(session, n);
                assert_eq!(
                    session.prepare_for_sync_completed(HResult::S_OK),
                    Ok(()),
                    "prepare completes"
                );
            }
            Stage::Synchronizing => start_round(session, &ids(n)),
            Stage::Completed => {
                Stage::Synchronizing.enter(session, n);
                assert_eq!(
                    session.synchronize_completed(HResult::S_OK),
                    Ok(()),
                    "synchronize completes"
                );
            }
            Stage::Released => session.driver().release(),
        }
        assert_eq!(
            session.phase(),
            self.phase(),
            "the session did not reach {self:?}"
        );
    }

    /// What `Session::phase` answers in this stage.
    pub fn phase(self) -> Phase {
        match self {
            Stage::Open => Phase::Open,
            Stage::Idle => Phase::Idle,
            Stage::Preparing => Phase::Preparing,
            Stage::Prepared => Phase::Prepared,
            Stage::Synchronizing => Phase::Synchronizing,
            Stage::OpenCompleted | Stage::Completed => Phase::Completed,
            Stage::Released => Phase::Released,
        }
    }
}

/// A bound on a loop: `tick` panics when the loop runs longer than [`LIMIT`].
pub struct Deadline {
    what: String,
    started: Instant,
}

impl Deadline {
    pub fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            started: Instant::now(),
        }
    }

    #[track_caller]
    pub fn tick(&self) {
        assert!(
            self.started.elapsed() < LIMIT,
            "{}: not seen within {LIMIT:?}",
            self.what
        );
        thread::yield_now();
    }
}

/// Spins until the condition holds; panics after [`LIMIT`].
#[track_caller]
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Deadline::new(what);
    while !holds() {
        deadline.tick();
    }
}

/// Runs `work` on a thread of its own and waits for it; panics after [`LIMIT`], and passes on a panic of the work.
#[track_caller]
pub fn within<T: Send + 'static>(what: &str, work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = mpsc::channel();
    let worker = thread::spawn(move || {
        // The receiver is gone only when this test has failed already.
        let _ = done.send(work());
    });
    match result.recv_timeout(LIMIT) {
        Ok(value) => value,
        Err(RecvTimeoutError::Timeout) => panic!("{what}: not done within {LIMIT:?}"),
        Err(RecvTimeoutError::Disconnected) => match worker.join() {
            Err(payload) => std::panic::resume_unwind(payload),
            Ok(()) => panic!("{what}: the thread ended without a result"),
        },
    }
}

/// The handler did all that is due of it, though items were cancelled or left out.
#[track_caller]
pub fn went_through(report: &HandlerReport) {
    assert!(!report.is_success(), "{report:?}");
    assert_eq!(report.result, HResult::S_OK, "{report:?}");
    assert!(report.unfinished.is_empty(), "{report:?}");
    assert!(report.faults.is_empty(), "{report:?}");
    assert!(report.failed_items().is_empty(), "{report:?}");
}

/// Joins a thread; panics after [`LIMIT`], and passes on its panic.
#[track_caller]
pub fn join<T>(what: &str, thread: JoinHandle<T>) -> T {
    until(what, || thread.is_finished());
    match thread.join() {
        Ok(value) => value,
        Err(payload) => std::panic::resume_unwind(payload),
    }
}

/// Receives from a channel; panics after [`LIMIT`].
#[track_caller]
pub fn receive<T>(what: &str, channel: &mpsc::Receiver<T>) -> T {
    match channel.recv_timeout(LIMIT) {
        Ok(value) => value,
        Err(error) => panic!("{what}: {error}"),
    }
}

/// Counts how often it was woken.
#[derive(Default)]
pub struct Wakes(AtomicUsize);

impl Wakes {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    pub fn waker(self: &Arc<Self>) -> Waker {
        Waker::from(Arc::clone(self))
    }

    pub fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}
