//! Random calls on a session: after each of them every observer that looks knows what a snapshot knows.
//!
//! A failure is shrunk, and its seed is kept beside this file. `PROPTEST_CASES=…` tries more cases.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::bool::weighted;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::{select, subsequence};
use proptest::test_runner::{Config, FileFailurePersistence, TestCaseError, TestRunner};

use syncmgr::{
    ErrorId, HResult, ItemId, ItemStatus, ItemView, LogLevel, LogRecord, LogSelector, Observer,
    Phase, ProgressUpdate, Session, SyncCallback,
};

use support::{id, item, items};

/// How many items a session is built with; the next ones may be added or proposed.
const LISTED: u128 = 4;
const KNOWN: u128 = 7;

/// How many retries were begun, over all cases.
static RETRIES: AtomicUsize = AtomicUsize::new(0);

/// A call by the handler, the driver or the user. What it is answered does not matter here.
#[derive(Clone, Debug)]
enum Op {
    Report(u128, Option<ItemStatus>, Option<u64>, Option<u64>, bool),
    Set(u128, u64),
    Advance(u128, u64),
    Succeed(u128),
    Cancel(u128),
    Skip(u128),
    CancelAll,
    /// Whatever comes next in the life of the session; a prepare has these items.
    Drive(Vec<u128>),
    Prepare(Vec<u128>),
    Prepared(bool),
    Synchronize,
    Synchronized,
    Add(u128),
    Propose(u128),
    Commit(u128),
    Request(u128),
    Log(u128),
    DeleteLog(Option<u128>),
    Text,
    Release,
    /// An observer that does not look each time looks now.
    Look,
}

fn statuses() -> impl Strategy<Value = ItemStatus> {
    use ItemStatus::{
        Deleted, Failed, Paused, Pending, Resuming, Skipped, Stopped, Succeeded, Updating,
        UpdatingIndeterminate,
    };
    select(vec![
        Stopped,
        Skipped,
        Pending,
        Updating,
        Succeeded,
        Failed,
        Paused,
        Resuming,
        UpdatingIndeterminate,
        Deleted,
    ])
}

fn values() -> impl Strategy<Value = u64> {
    prop_oneof![
        8 => 0..20_u64,
        1 => Just(u64::MAX),
        1 => any::<u64>(),
    ]
}

fn ops() -> impl Strategy<Value = Op> {
    let n = || 1..=KNOWN;
    let some = || subsequence((1..=KNOWN).collect::<Vec<_>>(), 0..=4);
    prop_oneof![
        30 => (n(), option::of(statuses()), option::of(values()), option::of(values()), any::<bool>())
            .prop_map(|(n, status, value, max, text)| Op::Report(n, status, value, max, text)),
        18 => (n(), values()).prop_map(|(n, value)| Op::Set(n, value)),
        9 => (n(), values()).prop_map(|(n, value)| Op::Advance(n, value)),
        9 => n().prop_map(Op::Succeed),
        6 => n().prop_map(Op::Cancel),
        6 => n().prop_map(Op::Skip),
        1 => Just(Op::CancelAll),
        30 => some().prop_map(Op::Drive),
        2 => some().prop_map(Op::Prepare),
        2 => any::<bool>().prop_map(|fails| Op::Prepared(!fails)),
        2 => Just(Op::Synchronize),
        2 => Just(Op::Synchronized),
        6 => n().prop_map(Op::Add),
        3 => n().prop_map(Op::Propose),
        3 => n().prop_map(Op::Commit),
        3 => n().prop_map(Op::Request),
        3 => n().prop_map(Op::Log),
        3 => option::of(n()).prop_map(Op::DeleteLog),
        3 => Just(Op::Text),
        1 => Just(Op::Release),
        18 => Just(Op::Look),
    ]
}

fn left_aside<T>(_answer: T) {}

/// Makes the call.
fn make(session: &Arc<Session>, op: &Op) {
    let reporter = |n: u128| session.reporter(id(n)).ok();
    let callback: &dyn SyncCallback = &**session;
    match op {
        Op::Report(n, status, value, max, text) => {
            let mut update = ProgressUpdate::new();
            update.text = text.then(|| "a text".into());
            update.status = *status;
            update.value = *value;
            update.max = *max;
            let _ = callback.progress(id(*n), &update);
        }
        Op::Set(n, value) => left_aside(reporter(*n).map(|reporter| reporter.set(*value))),
        Op::Advance(n, value) => left_aside(reporter(*n).map(|reporter| reporter.advance(*value))),
        Op::Succeed(n) => left_aside(reporter(*n).map(|reporter| reporter.succeed())),
        Op::Cancel(n) => left_aside(session.cancel_item(id(*n))),
        Op::Skip(n) => left_aside(session.skip_item(id(*n))),
        Op::CancelAll => session.cancel_all(),
        Op::Drive(items) => make(
            session,
            &match session.phase() {
                Phase::Preparing => Op::Prepared(true),
                Phase::Prepared => Op::Synchronize,
                Phase::Synchronizing => Op::Synchronized,
                _ => Op::Prepare(items.clone()),
            },
        ),
        Op::Prepare(items) => {
            let items: Vec<ItemId> = items.iter().copied().map(id).collect();
            let retry = session.phase() == Phase::Completed;
            if session.driver().begin_prepare(&items).is_ok() && retry {
                RETRIES.fetch_add(1, Ordering::Relaxed);
            }
        }
        Op::Prepared(well) => {
            let result = if *well {
                HResult::S_OK
            } else {
                HResult::E_FAIL
            };
            left_aside(callback.prepare_for_sync_completed(result));
        }
        Op::Synchronize => left_aside(session.driver().begin_synchronize()),
        Op::Synchronized => left_aside(callback.synchronize_completed(HResult::S_OK)),
        Op::Add(n) => left_aside(callback.add_item(item(*n))),
        Op::Propose(n) => left_aside(callback.propose_item(item(*n))),
        Op::Commit(n) => left_aside(callback.commit_item(id(*n))),
        Op::Request(n) => left_aside(session.request_items(&[id(*n)])),
        Op::Log(n) => {
            let record = LogRecord::new(LogLevel::Error, "e").error_id(ErrorId::from_u128(*n));
            left_aside(callback.log_error(&record));
        }
        Op::DeleteLog(n) => {
            let which = n.map_or(LogSelector::All, |n| {
                LogSelector::ById(ErrorId::from_u128(n))
            });
            left_aside(callback.delete_log_error(which));
        }
        Op::Text => left_aside(callback.set_handler_text("a text")),
        Op::Release => session.driver().release(),
        Op::Look => {}
    }
}

/// Whether both views say the same; a cancel of everything is told only of items that take part.
fn agree(seen: &ItemView, is: &ItemView) -> bool {
    let mut seen = seen.clone();
    if !is.selected {
        seen.verdict = is.verdict;
    }
    seen == *is
}

/// An observer and what it was told of each item last.
struct Follower {
    observer: Observer,
    seen: BTreeMap<ItemId, ItemView>,
}

impl Follower {
    fn new(session: &Arc<Session>) -> Self {
        Self {
            observer: Observer::new(session.clone()),
            seen: BTreeMap::new(),
        }
    }

    /// Looks, and knows what a snapshot knows.
    fn look(&mut self) -> Result<(), TestCaseError> {
        let changes = self.observer.refresh();
        for view in changes.items() {
            self.seen.insert(view.id, view.clone());
        }
        let snapshot = self.observer.session().snapshot();
        let mut items = snapshot.items;
        items.sort_by_key(|view| view.id);
        let seen: Vec<_> = self.seen.values().cloned().collect();
        let same = |what: &str, holds| match holds {
            true => Ok(()),
            false => Err(TestCaseError::fail(format!(
                "{what}: told {seen:#?} {:?}, there is {items:#?} {:?}",
                self.observer.totals(),
                snapshot.totals
            ))),
        };
        same("complete", changes.is_complete())?;
        same("the phase", changes.phase() == snapshot.phase)?;
        same("the sums", self.observer.totals() == snapshot.totals)?;
        same(
            "the items",
            seen.len() == items.len() && seen.iter().zip(&items).all(|(seen, is)| agree(seen, is)),
        )
    }
}

fn follow(session: &Arc<Session>, ops: &[Op]) -> Result<(), TestCaseError> {
    let (mut always, mut sometimes) = (Follower::new(session), Follower::new(session));
    always.look()?;
    for op in ops {
        make(session, op);
        always.look()?;
        if matches!(op, Op::Look) {
            sometimes.look()?;
        }
    }
    sometimes.look()
}

#[test]
fn observers_know_what_a_snapshot_knows() {
    let default = Config::default();
    let config = Config {
        cases: default.cases.max(2_000),
        source_file: Some(file!()),
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("failures"))),
        max_shrink_iters: 20_000,
        ..default
    };
    let journals = select(vec![1, 2, 5, 16_384]);
    let cases = (journals, weighted(0.8), vec(ops(), 0..120));
    let result = TestRunner::new(config).run(&cases, |(journal, driven, ops)| {
        let builder = Session::builder()
            .items(items(LISTED))
            .journal_capacity(journal);
        let builder = if driven { builder.driven() } else { builder };
        follow(&builder.build().expect("distinct items build"), &ops)
    });
    if let Err(error) = result {
        panic!("{error}");
    }
    let retries = RETRIES.load(Ordering::Relaxed);
    assert!(retries >= 100, "only {retries} retries were met");
}
