//! Model checks of the session: what must hold in every interleaving of two or three threads, tried out by loom on the
//! real code. Each test's name is the property.
//!
//! ```text
//! RUSTFLAGS="--cfg loom" cargo test --release --lib --features async model
//! ```
//!
//! A `CARGO_TARGET_DIR` of its own keeps the flag from rebuilding everything else. Models of two threads are small, so all
//! their interleavings are tried; those of three are bounded. `LOOM_MAX_PREEMPTIONS=3` tries, for all of them, only the
//! interleavings with at most so many involuntary switches of thread. `LOOM_LOG=1` with one test's name shows what led to
//! a failure.
//!
//! What these models cannot show: that a cancel has left the core when its call returns (`slot` says why a
//! read-modify-write does that), and anything about time, since loom has none.

mod cancels;
mod observers;
mod release;
mod rounds;
mod values;
mod waiting;
mod wakers;
mod wrapper;

use std::sync::Arc;
use std::task::{Wake, Waker};
use std::time::Duration;

use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use super::changes::Cursor;
use super::state::event_queue::HostEvent;
use super::{ItemReporter, Phase, Session};
use crate::{
    CallbackError, HResult, ItemId, ItemName, ItemStatus, ProgressUpdate, SyncCallback, SyncItem,
    Verdict,
};

const A: ItemId = ItemId::from_u128(1);
const B: ItemId = ItemId::from_u128(2);

/// Tries every interleaving of the model.
fn check(model: impl Fn() + Send + Sync + 'static) {
    explore(None, model);
}

/// Tries the interleavings with at most so many involuntary switches of thread: for models of three threads.
fn check_bounded(switches: usize, model: impl Fn() + Send + Sync + 'static) {
    explore(Some(switches), model);
}

fn explore(switches: Option<usize>, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(switches);
    builder.max_branches = 20_000;
    builder.check(model);
}

fn item(id: ItemId) -> SyncItem {
    let name = ItemName::try_from("an item").expect("a short name");
    SyncItem::new(id, name)
}

/// An open session of these items.
fn open(items: &[ItemId]) -> Arc<Session> {
    let items = items.iter().copied().map(item);
    Session::builder().items(items).build().expect("distinct")
}

/// A driven session of these items, all of them in the round, in `Synchronizing`.
fn synchronizing(items: &[ItemId]) -> Arc<Session> {
    let all = items.iter().copied().map(item);
    let session = Session::builder().items(all).driven().build();
    let session = session.expect("distinct");
    session.driver().begin_prepare(items).expect("idle");
    session
        .prepare_for_sync_completed(HResult::S_OK)
        .expect("preparing");
    session.driver().begin_synchronize().expect("prepared");
    session
}

/// A driven session of these items whose first round is over, each item with this status.
fn completed(items: &[ItemId], last: ItemStatus) -> Arc<Session> {
    let session = synchronizing(items);
    for item in items {
        let answer = session.progress(*item, &status(last));
        assert_eq!(answer, Ok(Verdict::Continue));
    }
    session
        .synchronize_completed(HResult::S_OK)
        .expect("synchronizing");
    session
}

/// A reporter of an item that has begun, so that it takes the fast path.
fn begun(session: &Arc<Session>, item: ItemId) -> ItemReporter {
    let reporter = session.reporter(item).expect("known");
    assert_eq!(reporter.set(1), Ok(Verdict::Continue));
    reporter
}

fn value(value: u64) -> ProgressUpdate<'static> {
    ProgressUpdate::new().value(value)
}

fn status(status: ItemStatus) -> ProgressUpdate<'static> {
    ProgressUpdate::new().status(status)
}

fn spawn<T: 'static>(
    session: &Arc<Session>,
    work: impl FnOnce(&Arc<Session>) -> T + 'static,
) -> thread::JoinHandle<T> {
    let session = Arc::clone(session);
    thread::spawn(move || work(&session))
}

/// Joins a thread of the model.
fn join<T>(thread: thread::JoinHandle<T>) -> T {
    thread.join().expect("no thread of a model panics")
}

/// What was asked last was answered in one of these ways.
#[track_caller]
fn one_of<T: PartialEq + std::fmt::Debug>(answer: T, allowed: &[T]) {
    assert!(
        allowed.contains(&answer),
        "{answer:?} is none of {allowed:?}"
    );
}

/// Counts how often it was woken.
#[derive(Debug)]
struct Wakes(AtomicUsize);

impl Wakes {
    fn new() -> Arc<Self> {
        Arc::new(Self(AtomicUsize::new(0)))
    }

    fn waker(self: &Arc<Self>) -> Waker {
        Waker::from(Arc::clone(self))
    }

    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}
