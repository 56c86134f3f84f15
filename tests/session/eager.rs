//! Hosts that wake without need at every registration, wakers that register again inside `wake`, and wakers that lead to
//! wakers: no wait spins or forgets its time, and the stack stays bounded.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Wake, Waker};
use std::thread;
use std::time::Duration;

use support::{Wakes, id, join, open, reporter, synchronizing, until, within};
use syncmgr::{ItemReporter, ProgressUpdate, Session, SyncCallback, Verdict};

use crate::waiting::Hooked;

const FOR_EVER: Duration = Duration::MAX;

/// How long the chains are. On the stack, they would overflow it.
const CHAIN: u128 = 20_000;

/// A host that keeps no wakers, so that whoever waits has to ask.
fn eager(session: &Arc<Session>) -> Arc<Hooked> {
    Hooked::new(session).on_wake(|waker| {
        waker.wake_by_ref();
        Some(Ok(()))
    })
}

#[test]
fn a_callback_at_a_host_that_wakes_every_registration_is_called_after_the_cancel() {
    let session = synchronizing(1);
    let host = eager(&session);
    within("the callback", {
        let (session, host) = (session.clone(), host.clone());
        move || {
            let item = host.reporter();
            let called = Arc::new(AtomicUsize::new(0));
            let guard = item.on_cancel({
                let called = Arc::clone(&called);
                move || _ = called.fetch_add(1, Ordering::SeqCst)
            });
            let guard = guard.expect("the host takes wakers");
            // It is asked now and then, and not in a loop.
            let asked = host.asks.load(Ordering::SeqCst);
            until("a question", || host.asks.load(Ordering::SeqCst) > asked);
            assert_eq!(called.load(Ordering::SeqCst), 0);
            session.cancel_item(id(1)).expect("it takes part");
            until("the call", || guard.was_called());
            drop(guard);
            assert_eq!(called.load(Ordering::SeqCst), 1);
        }
    });
    assert!(host.registered.load(Ordering::SeqCst) <= 100);
}

#[test]
fn a_wait_at_a_host_that_wakes_every_registration_ends_when_its_time_has_passed() {
    let session = synchronizing(1);
    let host = eager(&session);
    for timeout in [Duration::ZERO, Duration::from_millis(30)] {
        let host = host.clone();
        let waited = within("the wait", move || host.reporter().wait_cancelled(timeout));
        assert_eq!(waited, Ok(Verdict::Continue), "{timeout:?}");
    }
}

#[test]
fn a_wait_at_a_host_that_wakes_every_registration_asks_now_and_then_until_the_cancel() {
    let session = synchronizing(1);
    let host = eager(&session);
    let item = Arc::new(host.reporter());
    let wait = {
        let item = Arc::clone(&item);
        thread::spawn(move || item.wait_cancelled(FOR_EVER))
    };
    until("the polling", || host.asks.load(Ordering::SeqCst) >= 80);
    assert!(host.registered.load(Ordering::SeqCst) <= 70);
    session.cancel_item(id(1)).expect("it takes part");
    assert_eq!(join("the wait", wait), Ok(Verdict::CancelItem));
}

#[test]
fn a_host_that_keeps_wakers_again_is_registered_at_again() {
    let session = synchronizing(1);
    let is_eager = Arc::new(AtomicBool::new(true));
    let host = Hooked::new(&session).on_wake({
        let is_eager = Arc::clone(&is_eager);
        move |waker| {
            let eager = is_eager.load(Ordering::SeqCst);
            eager.then(|| {
                waker.wake_by_ref();
                Ok(())
            })
        }
    });
    let item = host.reporter();
    drop(item.on_cancel(|| {}).expect("the host takes wakers"));
    is_eager.store(false, Ordering::SeqCst);
    // The polling ends where nobody waits; then a callback is the host's to call, before the cancel returns.
    let registered = host.registered.load(Ordering::SeqCst);
    until("a registration", || {
        drop(item.on_cancel(|| {}).expect("the host takes wakers"));
        thread::sleep(Duration::from_millis(1));
        host.registered.load(Ordering::SeqCst) > registered
    });
    let guard = item.on_cancel(|| {}).expect("the host takes wakers");
    session.cancel_item(id(1)).expect("it takes part");
    assert!(guard.was_called());
}

#[test]
fn waits_at_a_cancelled_item_are_not_taken_for_an_eager_host() {
    let session = synchronizing(1);
    let host = Hooked::new(&session);
    let item = host.reporter();
    session.cancel_item(id(1)).expect("it takes part");
    for _ in 0..200 {
        assert_eq!(item.wait_cancelled(FOR_EVER), Ok(Verdict::CancelItem));
    }
    assert_eq!(host.registered.load(Ordering::SeqCst), 200, "not polled");
}

#[test]
fn a_chain_of_callbacks_that_each_cancel_the_next_item_is_called_to_its_end() {
    let session = open(CHAIN);
    let items: Vec<ItemReporter> = (1..=CHAIN).map(|n| reporter(&session, n)).collect();
    let called = Arc::new(AtomicUsize::new(0));
    let guards: Vec<_> = (1..=CHAIN)
        .zip(&items)
        .map(|(n, item)| {
            let (session, called) = (session.clone(), Arc::clone(&called));
            let callback = move || {
                called.fetch_add(1, Ordering::SeqCst);
                if n < CHAIN {
                    session.cancel_item(id(n + 1)).expect("it takes part");
                    assert!(
                        !session
                            .reporter(id(n + 1))
                            .unwrap()
                            .check()
                            .unwrap()
                            .is_continue()
                    );
                }
            };
            item.on_cancel(callback).expect("it wakes")
        })
        .collect();
    session.cancel_item(id(1)).expect("it takes part");
    // All of them before the first cancel has returned.
    assert_eq!(called.load(Ordering::SeqCst), CHAIN as usize);
    assert!(guards.iter().all(|guard| guard.was_called()));
}

#[test]
fn a_callback_that_cancels_has_the_next_one_called_before_its_cancel_returns() {
    let session = open(2);
    let (first, second) = (reporter(&session, 1), Arc::new(reporter(&session, 2)));
    let order = Arc::new(Mutex::new(Vec::new()));
    let note = |what: &'static str| {
        let order = Arc::clone(&order);
        move || order.lock().expect("nobody panicked").push(what)
    };
    let (session_inside, after) = (session.clone(), note("cancelled"));
    let _first = first.on_cancel(move || {
        session_inside.cancel_item(id(2)).expect("it takes part");
        after();
    });
    let _second = second.on_cancel(note("called"));
    session.cancel_item(id(1)).expect("it takes part");
    assert_eq!(*order.lock().unwrap(), ["called", "cancelled"]);
}

/// A waker that cancels the next item.
struct Next(Arc<Session>, u128, Arc<AtomicUsize>);

impl Wake for Next {
    fn wake(self: Arc<Self>) {
        self.2.fetch_add(1, Ordering::SeqCst);
        if self.1 < CHAIN {
            self.0.cancel_item(id(self.1 + 1)).expect("it takes part");
        }
    }
}

#[test]
fn a_chain_of_wakers_that_each_cancel_the_next_item_is_woken_to_its_end() {
    let session = open(CHAIN);
    let woken = Arc::new(AtomicUsize::new(0));
    for n in 1..=CHAIN {
        let waker = Waker::from(Arc::new(Next(session.clone(), n, Arc::clone(&woken))));
        session.wake_on_cancel(Some(id(n)), &waker).unwrap();
    }
    session.cancel_item(id(1)).expect("it takes part");
    assert_eq!(woken.load(Ordering::SeqCst), CHAIN as usize);
}

/// A waker that is registered again whenever it is woken, as often as it may be.
struct Again {
    session: Arc<Session>,
    whole: bool,
    woken: AtomicUsize,
}

impl Again {
    fn register(self: &Arc<Self>) {
        let item = (!self.whole).then(|| id(1));
        let waker = Waker::from(Arc::clone(self));
        self.session.wake_on_cancel(item, &waker).unwrap();
    }
}

impl Wake for Again {
    fn wake(self: Arc<Self>) {
        self.woken.fetch_add(1, Ordering::SeqCst);
        self.register();
    }
}

#[test]
fn a_waker_that_registers_again_inside_its_wake_is_not_woken_without_end() {
    for whole in [false, true] {
        let session = open(1);
        let again = Arc::new(Again {
            session: session.clone(),
            whole,
            woken: AtomicUsize::new(0),
        });
        again.register();
        assert_eq!(again.woken.load(Ordering::SeqCst), 0);
        session.cancel_all();
        let woken = again.woken.load(Ordering::SeqCst);
        assert!((1..=100).contains(&woken), "woken {woken} times");
        // A registration from outside is answered as ever.
        again.register();
        assert!(again.woken.load(Ordering::SeqCst) > woken);
        let other = Wakes::new();
        session.wake_on_cancel(Some(id(1)), &other.waker()).unwrap();
        assert_eq!(other.count(), 1);
    }
}

/// A waker of an observer that waits for the next change, and makes it.
struct Observes(Arc<Session>, AtomicUsize);

impl Wake for Observes {
    fn wake(self: Arc<Self>) {
        let times = self.1.fetch_add(1, Ordering::SeqCst);
        if times < CHAIN as usize {
            let cursor = self.0.snapshot().cursor;
            let waker = Waker::from(Arc::clone(&self));
            assert!(self.0.wake_on_change(cursor, &waker));
            let _ = self.0.set_handler_text(&times.to_string()).unwrap();
        }
    }
}

#[test]
fn an_observer_that_makes_the_next_change_when_it_is_woken_does_not_use_up_the_stack() {
    let session = open(1);
    let observer = Arc::new(Observes(session.clone(), AtomicUsize::new(0)));
    let waker = Waker::from(Arc::clone(&observer));
    assert!(session.wake_on_change(session.snapshot().cursor, &waker));
    let update = ProgressUpdate::new().value(1);
    let _ = session.progress(id(1), &update).unwrap();
    assert_eq!(observer.1.load(Ordering::SeqCst), CHAIN as usize + 1);
}
