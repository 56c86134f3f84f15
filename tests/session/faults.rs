//! Faults around a session: cancels that must not be lost, user code that panics in a drop, callbacks that come late.

use std::any::Any;
use std::collections::VecDeque;
use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::task::{Wake, Waker};
use std::thread;
use std::time::Duration;

use syncmgr::{
    CallbackError, HResult, HostEvent, ItemId, ItemName, ItemReporter, ItemStatus, ProgressUpdate,
    Session, SyncCallback, SyncItem, Verdict,
};

use support::forward_the_rest;

/// Only a failure waits so long.
const LIMIT: Duration = Duration::from_secs(20);

const A: ItemId = ItemId::from_u128(1);
const B: ItemId = ItemId::from_u128(2);

type Outcome = Result<(), Box<dyn Error>>;

fn item(id: ItemId) -> Result<SyncItem, Box<dyn Error>> {
    Ok(SyncItem::new(id, ItemName::try_from("an item")?))
}

fn driven(ids: &[ItemId]) -> Result<Arc<Session>, Box<dyn Error>> {
    let mut builder = Session::builder().driven();
    for id in ids {
        builder = builder.item(item(*id)?);
    }
    Ok(builder.build()?)
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_cancel_of_an_item_outside_the_round_holds_when_the_handler_adds_it() -> Outcome {
    let session = driven(&[A, B])?;
    session.cancel_item(B)?;
    session.driver().begin_prepare(&[A])?;
    session.add_item(item(B)?)?;
    assert_eq!(
        session.progress(B, &ProgressUpdate::new().value(1))?,
        Verdict::CancelItem
    );
    Ok(())
}

#[test]
fn a_skip_of_an_item_outside_the_round_holds_when_the_handler_adds_it() -> Outcome {
    let session = driven(&[A, B])?;
    session.skip_item(B)?;
    assert_eq!(
        session.driver().next_event(Duration::ZERO),
        Some(HostEvent::Skip(B))
    );
    session.driver().begin_prepare(&[A])?;
    assert!(!session.driver().is_skipped(B), "it takes no part");
    session.add_item(item(B)?)?;
    assert!(
        session.driver().is_skipped(B),
        "the driver is to tell the handler"
    );
    assert_eq!(session.can_continue(Some(B))?, Verdict::CancelItem);
    session.skip_item(B)?;
    assert_eq!(
        session.driver().next_event(Duration::ZERO),
        None,
        "the driver knows it already"
    );
    Ok(())
}

#[test]
fn a_cancel_from_an_earlier_round_holds_until_a_retry_names_the_item() -> Outcome {
    let session = driven(&[A, B])?;
    session.driver().begin_prepare(&[A, B])?;
    session.cancel_item(B)?;
    session.prepare_for_sync_completed(HResult::E_FAIL)?;
    session.driver().begin_prepare(&[A])?;
    session.add_item(item(B)?)?;
    assert_eq!(session.can_continue(Some(B))?, Verdict::CancelItem);
    session.prepare_for_sync_completed(HResult::E_FAIL)?;
    session.driver().begin_prepare(&[B])?;
    assert_eq!(session.can_continue(Some(B))?, Verdict::Continue);
    Ok(())
}

#[test]
fn changes_list_the_items_that_the_first_prepare_leaves_out() -> Outcome {
    let session = driven(&[A, B])?;
    let snapshot = session.snapshot();
    assert!(snapshot.items.iter().all(|view| view.selected));
    session.driver().begin_prepare(&[A])?;
    let changes = session.changes(snapshot.cursor);
    let left = changes.items().iter().find(|view| view.id == B);
    assert_eq!(left.map(|view| view.selected), Some(false));
    Ok(())
}

/// A connection that panics when it is closed.
struct Brittle;

impl Drop for Brittle {
    fn drop(&mut self) {
        panic!("the line is cut");
    }
}

#[test]
fn a_connection_that_panics_when_it_closes_keeps_nobody_from_being_woken() -> Outcome {
    let session = Session::builder()
        .item(item(A)?)
        .connector(|_: Option<&str>| Ok(Box::new(Brittle) as Box<dyn Any + Send>))
        .build()?;
    session.establish_connection(None)?;
    let wakes = Arc::new(Wakes::default());
    session.wake_on_cancel(Some(A), &Waker::from(wakes.clone()))?;
    let released = catch_unwind(AssertUnwindSafe(|| session.driver().release()));
    assert_eq!(wakes.0.load(Ordering::SeqCst), 1, "the waiter sleeps on");
    assert!(released.is_ok(), "the panic of a drop is nobody's here");
    Ok(())
}

/// A host of somebody else: it forwards to a session, and can hold up or panic in `progress`.
struct Wrapper {
    inner: Arc<Session>,
    /// Each of the first reports waits at a gate of its own until it is let go.
    gates: Mutex<VecDeque<(Sender<()>, Receiver<()>)>>,
    reports: AtomicU64,
    brittle: bool,
}

impl Wrapper {
    fn new(inner: &Arc<Session>) -> Self {
        Self {
            inner: inner.clone(),
            gates: Mutex::default(),
            reports: AtomicU64::new(0),
            brittle: false,
        }
    }

    /// Makes the next gate: what tells that a report waits there, and what lets it go.
    fn gate(&self) -> Result<(Receiver<()>, Sender<()>), Box<dyn Error>> {
        let (here, arrived) = mpsc::channel();
        let (go, wait) = mpsc::channel();
        let mut gates = self.gates.lock().map_err(|_| "poisoned")?;
        gates.push_back((here, wait));
        Ok((arrived, go))
    }
}

impl SyncCallback for Wrapper {
    fn progress(
        &self,
        item: ItemId,
        update: &ProgressUpdate<'_>,
    ) -> Result<Verdict, CallbackError> {
        assert!(!self.brittle, "the wrapper is broken");
        self.reports.fetch_add(1, Ordering::SeqCst);
        let gate = self
            .gates
            .lock()
            .ok()
            .and_then(|mut gates| gates.pop_front());
        if let Some((here, go)) = gate {
            let _ = here.send(());
            go.recv_timeout(LIMIT).expect("the test lets it go");
        }
        self.inner.progress(item, update)
    }
    forward_the_rest!(inner);
}

#[test]
fn two_threads_that_advance_through_a_wrapper_lose_no_step() -> Outcome {
    let session = Session::builder().item(item(A)?).build()?;
    let wrapper = Wrapper::new(&session);
    let (arrived, go) = wrapper.gate()?;
    let callback: Arc<dyn SyncCallback> = Arc::new(wrapper);
    let reporter = Arc::new(ItemReporter::new(&callback, A));
    let slow = thread::spawn({
        let reporter = reporter.clone();
        move || reporter.advance(1)
    });
    arrived.recv_timeout(LIMIT)?; // its total of 1 is on the way
    assert_eq!(reporter.advance(10)?, Verdict::Continue); // and is overtaken by 11
    go.send(())?;
    assert_eq!(
        slow.join().map_err(|_| "the worker panicked")??,
        Verdict::Continue
    );
    assert_eq!(session.item(A).map(|view| view.value), Some(11));
    Ok(())
}

#[test]
fn of_three_threads_that_advance_through_a_wrapper_the_last_one_out_reports_the_sum() -> Outcome {
    let session = Session::builder().item(item(A)?).build()?;
    let wrapper = Wrapper::new(&session);
    let gates = [wrapper.gate()?, wrapper.gate()?];
    let callback: Arc<dyn SyncCallback> = Arc::new(wrapper);
    let reporter = Arc::new(ItemReporter::new(&callback, A));
    let mut slow = Vec::new();
    for (amount, (arrived, go)) in [1, 10].into_iter().zip(gates) {
        let reporter = reporter.clone();
        slow.push((go, thread::spawn(move || reporter.advance(amount))));
        arrived.recv_timeout(LIMIT)?; // its total is on the way
    }
    assert_eq!(reporter.advance(100)?, Verdict::Continue); // and is overtaken by 111
    for (go, worker) in slow.into_iter().rev() {
        go.send(())?;
        let answer = worker.join().map_err(|_| "the worker panicked")??;
        assert_eq!(answer, Verdict::Continue);
    }
    assert_eq!(session.item(A).map(|view| view.value), Some(111));
    Ok(())
}

#[test]
fn advances_at_one_time_that_are_refused_leave_nothing_to_be_reported_later() -> Outcome {
    let session = driven(&[A])?;
    let wrapper = Arc::new(Wrapper::new(&session));
    let (arrived, go) = wrapper.gate()?;
    let callback: Arc<dyn SyncCallback> = wrapper.clone();
    let reporter = Arc::new(ItemReporter::new(&callback, A));
    let slow = thread::spawn({
        let reporter = reporter.clone();
        move || reporter.advance(1)
    });
    arrived.recv_timeout(LIMIT)?;
    assert_eq!(reporter.advance(10), Err(CallbackError::WrongPhase));
    go.send(())?;
    let answer = slow.join().map_err(|_| "the worker panicked")?;
    assert_eq!(answer, Err(CallbackError::WrongPhase));
    assert_eq!(wrapper.reports.load(Ordering::SeqCst), 2);

    session.driver().begin_prepare(&[A])?;
    assert_eq!(reporter.advance(100)?, Verdict::Continue);
    assert_eq!(wrapper.reports.load(Ordering::SeqCst), 3, "it went once");
    Ok(())
}

#[test]
fn a_reporter_dropped_in_a_panic_does_not_undo_the_end_of_its_item_through_a_wrapper() -> Outcome {
    let session = Session::builder().item(item(A)?).build()?;
    let callback: Arc<dyn SyncCallback> = Arc::new(Wrapper::new(&session));
    let worker = thread::spawn(move || {
        let _reporter = ItemReporter::new(&callback, A);
        let ended = callback.progress(A, &ProgressUpdate::new().status(ItemStatus::Succeeded));
        assert_eq!(ended, Ok(Verdict::Continue));
        panic!("after the end of the item");
    });
    assert!(worker.join().is_err());
    assert_eq!(
        session.item(A).map(|view| view.status),
        Some(ItemStatus::Succeeded)
    );
    Ok(())
}

#[test]
fn a_reporter_dropped_in_a_panic_survives_a_wrapper_that_panics() -> Outcome {
    let session = Session::builder().item(item(A)?).build()?;
    let mut wrapper = Wrapper::new(&session);
    wrapper.brittle = true;
    let callback: Arc<dyn SyncCallback> = Arc::new(wrapper);
    let worker = thread::spawn(move || {
        let _reporter = ItemReporter::new(&callback, A);
        panic!("a worker panics");
    });
    assert!(worker.join().is_err()); // a second panic in the drop would end the process
    Ok(())
}
