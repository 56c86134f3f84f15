//! Waiting at a reporter for the cancel of its item: a callback, or a blocked thread. What ends the wait, how often, on which
//! thread, and what is left of it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::task::Waker;
use std::thread;
use std::time::Duration;

use support::forward::{Counts, Forward};
use support::{
    Wakes, id, ids, item, join, open, receive, reporter, status, synchronizing, until, within,
};
use syncmgr::{
    CallbackError, CancelGuard, Dialog, ErrorOutcome, HResult, ItemId, ItemReporter, ItemStatus,
    LogLevel, LogRecord, LogSelector, ProgressUpdate, PropertiesOutcome, Session, SyncCallback,
    Verdict,
};

const FOR_EVER: Duration = Duration::MAX;

/// Counts its calls, and knows when it is dropped.
struct Counted {
    calls: Arc<AtomicUsize>,
    drops: Arc<AtomicUsize>,
}

/// How often a callback was called and dropped.
#[derive(Clone, Default)]
struct Count {
    calls: Arc<AtomicUsize>,
    drops: Arc<AtomicUsize>,
}

impl Count {
    fn callback(&self) -> impl FnOnce() + Send + 'static + use<> {
        let counted = Counted {
            calls: Arc::clone(&self.calls),
            drops: Arc::clone(&self.drops),
        };
        move || {
            let counted = counted;
            counted.calls.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    fn drops(&self) -> usize {
        self.drops.load(Ordering::SeqCst)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.drops.fetch_add(1, Ordering::SeqCst);
    }
}

/// What lets work go, in words, and what a wait then answers.
type Cause = (&'static str, fn(&Session), Result<Verdict, CallbackError>);

const CAUSES: [Cause; 5] = [
    (
        "cancel_item",
        |session| session.cancel_item(id(1)).expect("it takes part"),
        Ok(Verdict::CancelItem),
    ),
    (
        "skip_item",
        |session| session.skip_item(id(1)).expect("it takes part"),
        Ok(Verdict::CancelItem),
    ),
    (
        "cancel_all",
        |session| session.cancel_all(),
        Ok(Verdict::CancelAll),
    ),
    (
        "completion",
        |session| {
            let completed = session.synchronize_completed(HResult::S_OK);
            completed.expect("it synchronizes");
        },
        Err(CallbackError::WrongPhase),
    ),
    (
        "release",
        |session| session.driver().release(),
        Err(CallbackError::Released),
    ),
];

/// Reporters on the session itself, and through a wrapper that gives no slot.
fn reporters(session: &Arc<Session>) -> [(&'static str, ItemReporter); 2] {
    let wrapper: Arc<dyn SyncCallback> = Arc::new(Forward {
        inner: session.clone(),
        counts: Counts::new(),
    });
    let through = ItemReporter::new(&wrapper, id(1));
    [("session", reporter(session, 1)), ("wrapper", through)]
}

#[test]
fn every_cause_calls_a_callback_once_before_its_call_returns() {
    for (cause, happens, _) in CAUSES {
        for way in 0..2 {
            let session = synchronizing(2);
            let mut all = reporters(&session).into_iter();
            let (way, item) = all.nth(way).expect("there are two");
            let count = Count::default();
            let guard = item.on_cancel(count.callback()).expect("it wakes");
            assert!(!guard.was_called());
            assert_eq!((count.calls(), count.drops()), (0, 0), "{cause}, {way}");
            happens(&session);
            assert_eq!((count.calls(), count.drops()), (1, 1), "{cause}, {way}");
            assert!(guard.was_called(), "{cause}, {way}");
            session.cancel_all();
            session.driver().release();
            drop(guard);
            assert_eq!((count.calls(), count.drops()), (1, 1), "{cause}, {way}");
        }
    }
}

#[test]
fn it_is_called_on_the_thread_that_cancels() {
    let session = synchronizing(1);
    let item = reporter(&session, 1);
    let (sent, called_on) = mpsc::channel();
    let _guard = item
        .on_cancel(move || sent.send(thread::current().id()).expect("the test waits"))
        .expect("it wakes");
    let canceller = thread::spawn(move || {
        session.cancel_item(id(1)).expect("it takes part");
        thread::current().id()
    });
    let canceller = join("the cancel", canceller);
    assert_eq!(receive("the callback", &called_on), canceller);
}

#[test]
fn what_is_cancelled_already_calls_it_at_once() {
    for cancel in [
        (|session: &Session| session.cancel_item(id(1)).unwrap()) as fn(&Session),
        |session| session.skip_item(id(1)).unwrap(),
        |session| session.cancel_all(),
    ] {
        let session = synchronizing(1);
        cancel(&session);
        for (way, item) in reporters(&session) {
            let (sent, called_on) = mpsc::channel();
            let guard = item.on_cancel(move || sent.send(thread::current().id()).unwrap());
            assert!(guard.expect("it wakes").was_called(), "{way}");
            assert_eq!(called_on.try_recv(), Ok(thread::current().id()), "{way}");
        }
    }
}

#[test]
fn where_nothing_is_to_be_waited_for_it_is_refused_and_not_called() {
    type Case = (&'static str, fn(&Session), CallbackError);
    let cases: [Case; 3] = [
        (
            "release",
            |session| session.driver().release(),
            CallbackError::Released,
        ),
        (
            "completion",
            |session| session.synchronize_completed(HResult::S_OK).unwrap(),
            CallbackError::WrongPhase,
        ),
        (
            "final status",
            |session| {
                let ended = session.progress(id(1), &status(ItemStatus::Succeeded));
                assert_eq!(ended, Ok(Verdict::Continue));
            },
            CallbackError::ItemFinished,
        ),
    ];
    for (what, happens, error) in cases {
        let session = synchronizing(1);
        let reporters = reporters(&session);
        happens(&session);
        for (way, item) in reporters {
            let count = Count::default();
            let guard = item.on_cancel(count.callback());
            assert_eq!(guard.err(), Some(error), "{what}, {way}");
            assert_eq!((count.calls(), count.drops()), (0, 1), "{what}, {way}");
            let waited = item.wait_cancelled(FOR_EVER);
            assert_eq!(waited, Err(error), "{what}, {way}");
        }
    }
}

#[test]
fn a_final_status_does_not_call_it_and_lets_it_go() {
    for last in [
        ItemStatus::Succeeded,
        ItemStatus::Failed,
        ItemStatus::Skipped,
        ItemStatus::Stopped,
        ItemStatus::Deleted,
    ] {
        let session = synchronizing(1);
        let item = reporter(&session, 1);
        let count = Count::default();
        let guard = item.on_cancel(count.callback()).expect("it wakes");
        let ended = item.report(&status(last));
        assert_eq!(ended, Ok(Verdict::Continue), "{last:?}");
        assert_eq!((count.calls(), count.drops()), (0, 1), "{last:?}");
        session.cancel_item(id(1)).expect("it takes part");
        session.cancel_all();
        session.driver().release();
        assert!(!guard.was_called(), "{last:?}");
        assert_eq!(count.calls(), 0, "{last:?}");
    }
}

#[test]
fn once_the_guard_is_dropped_it_is_not_called() {
    let session = synchronizing(1);
    for (way, item) in reporters(&session) {
        let count = Count::default();
        drop(item.on_cancel(count.callback()).expect("it wakes"));
        assert_eq!((count.calls(), count.drops()), (0, 1), "{way}");
    }
    let item = reporter(&session, 1);
    let count = Count::default();
    drop(item.on_cancel(count.callback()).expect("it wakes"));
    session.cancel_item(id(1)).expect("it takes part");
    session.driver().release();
    assert_eq!((count.calls(), count.drops()), (0, 1));
}

#[test]
fn a_cancel_of_another_item_calls_nothing() {
    let session = synchronizing(2);
    let item = reporter(&session, 1);
    let count = Count::default();
    let guard = item.on_cancel(count.callback()).expect("it wakes");
    session.cancel_item(id(2)).expect("it takes part");
    session.skip_item(id(2)).expect("it takes part");
    assert_eq!(count.calls(), 0);
    session.cancel_item(id(1)).expect("it takes part");
    assert_eq!(count.calls(), 1);
    drop(guard);
}

#[test]
fn a_panic_in_one_keeps_nobody_else_from_being_woken() {
    let session = synchronizing(1);
    let item = Arc::new(reporter(&session, 1));
    let count = Count::default();
    let first = item.on_cancel(count.callback()).expect("it wakes");
    let second = item.on_cancel(|| panic!("on purpose")).expect("it wakes");
    let third = item.on_cancel(count.callback()).expect("it wakes");
    let wakes = Wakes::new();
    let registered = session.wake_on_cancel(Some(id(1)), &wakes.waker());
    assert_eq!(registered, Ok(()));
    let sleeper = {
        let item = Arc::clone(&item);
        thread::spawn(move || item.wait_cancelled(FOR_EVER))
    };
    assert_eq!(session.cancel_item(id(1)), Ok(()));
    assert_eq!((count.calls(), wakes.count()), (2, 1));
    assert!(first.was_called() && second.was_called() && third.was_called());
    assert_eq!(join("the sleeper", sleeper), Ok(Verdict::CancelItem));
}

#[test]
fn a_panic_where_it_is_set_goes_no_further() {
    let session = synchronizing(1);
    session.cancel_all();
    let item = reporter(&session, 1);
    let guard = item.on_cancel(|| panic!("on purpose"));
    assert!(guard.expect("it wakes").was_called());
}

#[test]
fn what_a_callback_owns_may_panic_when_it_is_dropped() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("on purpose");
        }
    }
    let session = synchronizing(1);
    let item = reporter(&session, 1);
    let bomb = Bomb;
    drop(item.on_cancel(move || drop(bomb)).expect("it wakes"));
    let bomb = Bomb;
    let guard = item.on_cancel(move || _ = &bomb).expect("it wakes");
    session.cancel_item(id(1)).expect("it takes part");
    assert!(guard.was_called());
}

#[test]
fn many_callbacks_at_one_reporter_are_all_called() {
    let session = synchronizing(1);
    let item = reporter(&session, 1);
    let count = Count::default();
    let mut guards: Vec<CancelGuard<'_>> = (0..1_000)
        .map(|_| item.on_cancel(count.callback()).expect("it wakes"))
        .collect();
    for place in (0..1_000).step_by(2).rev() {
        drop(guards.swap_remove(place));
    }
    assert_eq!((count.calls(), count.drops()), (0, 500));
    session.cancel_item(id(1)).expect("it takes part");
    assert_eq!((count.calls(), count.drops()), (500, 1_000));
    assert!(guards.iter().all(CancelGuard::was_called));
}

/// Calls everything in the session that a callback may call, and more.
fn call_everything(session: &Session) {
    let _ = session.progress(id(2), &ProgressUpdate::new().value(1).max(2).text("inside"));
    let _ = session.progress(id(2), &status(ItemStatus::Succeeded));
    let _ = session.can_continue(Some(id(1)));
    let _ = session.can_continue(None);
    let _ = session.log_error(&LogRecord::new(LogLevel::Information, "inside"));
    let _ = session.delete_log_error(LogSelector::All);
    let _ = session.enable_modeless(true);
    let _ = session.enable_modeless(false);
    let _ = session.set_handler_text("inside");
    let _ = session.wake_on_cancel(Some(id(1)), Waker::noop());
    let _ = session.wake_on_cancel(None, Waker::noop());
    let _ = session.add_item(item(50));
    let _ = session.cancel_item(id(1));
    let _ = session.skip_item(id(2));
    let _ = session.snapshot();
    let _ = session.driver().unfinished_items();
    session.cancel_all();
    let _ = session.synchronize_completed(HResult::S_OK);
    session.driver().release();
}

#[test]
fn a_callback_may_call_everything_of_the_session() {
    for (cause, happens, _) in CAUSES {
        within(cause, move || {
            let session = synchronizing(2);
            let item = Arc::new(reporter(&session, 1));
            let sum = Arc::new(AtomicUsize::new(0));
            let inside = {
                let (session, item, sum) = (session.clone(), item.clone(), sum.clone());
                move || {
                    call_everything(&session);
                    // At the same reporter, too; all of that is over by now.
                    let more = sum.clone();
                    let again = item.on_cancel(move || _ = more.fetch_add(1, Ordering::SeqCst));
                    assert_eq!(again.err(), Some(CallbackError::Released));
                    let waited = item.wait_cancelled(FOR_EVER);
                    assert_eq!(waited, Err(CallbackError::Released));
                    sum.fetch_add(10, Ordering::SeqCst);
                }
            };
            let guard = item.on_cancel(inside).expect("it wakes");
            happens(&session);
            assert!(guard.was_called());
            assert_eq!(sum.load(Ordering::SeqCst), 10, "{cause}");
        });
    }
}

#[test]
fn a_callback_may_wait_and_set_others_at_its_own_reporter() {
    let session = synchronizing(1);
    let item = Arc::new(reporter(&session, 1));
    let count = Count::default();
    let inside = {
        let (item, count) = (item.clone(), count.clone());
        move || {
            assert_eq!(item.wait_cancelled(FOR_EVER), Ok(Verdict::CancelItem));
            for _ in 0..3 {
                let guard = item.on_cancel(count.callback()).expect("it wakes");
                assert!(guard.was_called());
            }
        }
    };
    let (one, other) = (item.on_cancel(inside), item.on_cancel(count.callback()));
    within("the cancel", move || session.cancel_item(id(1))).expect("it takes part");
    assert!(one.expect("it wakes").was_called() && other.expect("it wakes").was_called());
    assert_eq!((count.calls(), count.drops()), (4, 4));
}

#[test]
fn a_callback_may_drop_the_guard_of_another_and_its_own() {
    // Guards borrow their reporter; one that lives as long as the program lets callbacks have them.
    let session = synchronizing(1);
    let item: &'static ItemReporter = Box::leak(Box::new(reporter(&session, 1)));
    let count = Count::default();
    let kept: Arc<Mutex<Vec<CancelGuard<'static>>>> = Arc::default();
    let inside = {
        let (kept, count) = (Arc::clone(&kept), count.clone());
        move || {
            let guards = std::mem::take(&mut *kept.lock().expect("nobody panicked"));
            assert_eq!(guards.len(), 3);
            drop(guards); // its own among them
            count.callback()();
        }
    };
    let all = [
        item.on_cancel(inside).expect("it wakes"),
        item.on_cancel(count.callback()).expect("it wakes"),
        item.on_cancel(count.callback()).expect("it wakes"),
    ];
    kept.lock().expect("nobody panicked").extend(all);
    within("the cancel", move || session.cancel_item(id(1))).expect("it takes part");
    // Those that were set after it were dropped before their turn.
    assert_eq!((count.calls(), count.drops()), (1, 3));
}

#[test]
fn the_drop_of_a_guard_waits_for_a_callback_that_is_being_called() {
    let session = synchronizing(1);
    let item = reporter(&session, 1);
    let (began, begun) = mpsc::channel();
    let (go_on, goes_on) = mpsc::channel();
    let order = Arc::new(Mutex::new(Vec::new()));
    let inside = {
        let order = Arc::clone(&order);
        move || {
            began.send(()).expect("the test waits");
            receive("the word to go on", &goes_on);
            order
                .lock()
                .expect("nobody panicked")
                .push("callback ended");
        }
    };
    let guard = item.on_cancel(inside).expect("it wakes");
    let canceller = thread::spawn(move || session.cancel_item(id(1)));
    receive("the callback", &begun);
    assert!(guard.was_called());
    thread::scope(|scope| {
        let (dropping, is_dropping) = mpsc::channel();
        let dropper = {
            let order = Arc::clone(&order);
            scope.spawn(move || {
                dropping.send(()).expect("the test waits");
                drop(guard);
                order.lock().expect("nobody panicked").push("guard dropped");
            })
        };
        receive("the drop", &is_dropping);
        for _ in 0..1_000 {
            thread::yield_now(); // a drop that does not wait is done by now, most likely
        }
        go_on.send(()).expect("the callback waits");
        dropper.join().expect("the drop does not panic");
    });
    join("the cancel", canceller).expect("it takes part");
    let order = order.lock().expect("nobody panicked");
    assert_eq!(*order, ["callback ended", "guard dropped"]);
}

/// A callback of the test's own: forwards to a session what its hooks let through, and gives no slot.
#[derive(Default)]
pub(super) struct Hooked {
    session: OnceLock<Arc<Session>>,
    wake: OnceLock<Box<OnWake>>,
    asked: OnceLock<Box<dyn Fn() + Send + Sync>>,
    pub(super) registered: AtomicUsize,
    pub(super) asks: AtomicUsize,
}

/// What is done in place of a registration; none: it is forwarded.
type OnWake = dyn Fn(&Waker) -> Option<Result<(), CallbackError>> + Send + Sync;

impl Hooked {
    pub(super) fn new(session: &Arc<Session>) -> Arc<Self> {
        let hooked = Self::default();
        let _ = hooked.session.set(session.clone());
        Arc::new(hooked)
    }

    pub(super) fn on_wake(
        self: Arc<Self>,
        hook: impl Fn(&Waker) -> Option<Result<(), CallbackError>> + Send + Sync + 'static,
    ) -> Arc<Self> {
        assert!(self.wake.set(Box::new(hook)).is_ok());
        self
    }

    fn on_ask(self: Arc<Self>, hook: impl Fn() + Send + Sync + 'static) -> Arc<Self> {
        assert!(self.asked.set(Box::new(hook)).is_ok());
        self
    }

    pub(super) fn reporter(self: &Arc<Self>) -> ItemReporter {
        let callback: Arc<dyn SyncCallback> = self.clone();
        ItemReporter::new(&callback, id(1))
    }

    fn inner(&self) -> &Arc<Session> {
        self.session.get().expect("set when it was made")
    }
}

impl SyncCallback for Hooked {
    fn progress(
        &self,
        item: ItemId,
        update: &ProgressUpdate<'_>,
    ) -> Result<Verdict, CallbackError> {
        self.asks.fetch_add(1, Ordering::SeqCst);
        if let Some(hook) = self.asked.get() {
            hook();
        }
        self.inner().progress(item, update)
    }

    fn log_error(&self, record: &LogRecord<'_>) -> Result<(), CallbackError> {
        self.inner().log_error(record)
    }

    fn delete_log_error(&self, which: LogSelector) -> Result<(), CallbackError> {
        self.inner().delete_log_error(which)
    }

    fn prepare_for_sync_completed(&self, result: HResult) -> Result<(), CallbackError> {
        self.inner().prepare_for_sync_completed(result)
    }

    fn synchronize_completed(&self, result: HResult) -> Result<(), CallbackError> {
        self.inner().synchronize_completed(result)
    }

    fn show_error_completed(&self, outcome: ErrorOutcome<'_>) -> Result<(), CallbackError> {
        self.inner().show_error_completed(outcome)
    }

    fn show_properties_completed(&self, outcome: PropertiesOutcome) -> Result<(), CallbackError> {
        self.inner().show_properties_completed(outcome)
    }

    fn enable_modeless(&self, enable: bool) -> Result<Dialog, CallbackError> {
        self.inner().enable_modeless(enable)
    }

    fn establish_connection(&self, connection: Option<&str>) -> Result<(), CallbackError> {
        self.inner().establish_connection(connection)
    }

    fn wake_on_cancel(&self, item: Option<ItemId>, waker: &Waker) -> Result<(), CallbackError> {
        self.registered.fetch_add(1, Ordering::SeqCst);
        if let Some(answer) = self.wake.get().and_then(|hook| hook(waker)) {
            return answer;
        }
        self.inner().wake_on_cancel(item, waker)
    }
}

#[test]
fn waits_over_and_over_leave_nothing_behind_and_register_once() {
    const TIMES: usize = 100_000;
    let session = synchronizing(1);
    let host = Hooked::new(&session);
    let item = host.reporter();
    let count = Count::default();
    for _ in 0..TIMES {
        drop(item.on_cancel(count.callback()).expect("it wakes"));
        let waited = item.wait_cancelled(Duration::ZERO);
        assert_eq!(waited, Ok(Verdict::Continue));
    }
    assert_eq!((count.calls(), count.drops()), (0, TIMES));
    assert_eq!(host.registered.load(Ordering::SeqCst), 1);
    // One question where a callback is set, two where a wait begins and ends.
    assert_eq!(host.asks.load(Ordering::SeqCst), 3 * TIMES);
    session.cancel_item(id(1)).expect("it takes part");
    assert_eq!(count.calls(), 0);
    // Nobody listens, so nobody asks.
    assert_eq!(host.asks.load(Ordering::SeqCst), 3 * TIMES);
}

#[test]
fn a_dropped_reporter_leaves_nothing_with_its_host() {
    let session = synchronizing(1);
    let host = Hooked::new(&session);
    let item = host.reporter();
    let count = Count::default();
    drop(item.on_cancel(count.callback()).expect("it wakes"));
    drop(item);
    assert_eq!(count.drops(), 1);
    // The waker that the session still keeps does not keep the callback.
    assert_eq!(Arc::strong_count(&host), 1);
}

#[test]
fn a_wait_that_times_out_answers_continue() {
    let session = synchronizing(1);
    for (way, item) in reporters(&session) {
        for timeout in [
            Duration::ZERO,
            Duration::from_nanos(1),
            Duration::from_millis(2),
        ] {
            let waited = item.wait_cancelled(timeout);
            assert_eq!(waited, Ok(Verdict::Continue), "{timeout:?}, {way}");
        }
    }
}

#[test]
fn what_is_cancelled_already_is_not_waited_for() {
    let session = synchronizing(1);
    session.cancel_item(id(1)).expect("it takes part");
    for (way, item) in reporters(&session) {
        for timeout in [Duration::ZERO, Duration::from_secs(1), FOR_EVER] {
            let waited = item.wait_cancelled(timeout);
            assert_eq!(waited, Ok(Verdict::CancelItem), "{timeout:?}, {way}");
        }
    }
}

/// Waits until so many wakers were given to the host.
fn registered(host: &Hooked, count: usize) {
    until("the wait", || {
        host.registered.load(Ordering::SeqCst) >= count
    });
}

#[test]
fn every_cause_ends_the_waits_of_all_threads() {
    for (cause, happens, answer) in CAUSES {
        let session = synchronizing(1);
        let host = Hooked::new(&session);
        let item = Arc::new(host.reporter());
        let waits: Vec<_> = (0..4)
            .map(|_| {
                let item = Arc::clone(&item);
                thread::spawn(move || item.wait_cancelled(FOR_EVER))
            })
            .collect();
        // Each of them asks once before it sleeps.
        until("the waits", || host.asks.load(Ordering::SeqCst) >= 4);
        happens(&session);
        for wait in waits {
            assert_eq!(join(cause, wait), answer, "{cause}");
        }
    }
}

#[test]
fn the_end_of_the_item_ends_a_wait() {
    let session = synchronizing(1);
    let host = Hooked::new(&session);
    let item = Arc::new(host.reporter());
    let wait = {
        let item = Arc::clone(&item);
        thread::spawn(move || item.wait_cancelled(FOR_EVER))
    };
    registered(&host, 1);
    let ended = session.progress(id(1), &status(ItemStatus::Stopped));
    assert_eq!(ended, Ok(Verdict::Continue));
    assert_eq!(join("the wait", wait), Err(CallbackError::ItemFinished));
}

#[test]
fn a_retry_lets_go_of_those_who_wait_at_a_reporter_from_before() {
    let session = synchronizing(2);
    let (left, named) = (Arc::new(reporter(&session, 2)), reporter(&session, 1));
    let count = Count::default();
    let guard = named.on_cancel(count.callback()).expect("it wakes");
    session.synchronize_completed(HResult::S_OK).unwrap();
    assert_eq!(count.calls(), 1, "the completion lets go");
    session.driver().begin_prepare(&[id(1)]).unwrap();
    session.prepare_for_sync_completed(HResult::S_OK).unwrap();
    session.driver().begin_synchronize().unwrap();
    drop(guard);
    let stale = named.on_cancel(count.callback());
    assert_eq!(stale.err(), Some(CallbackError::Released));
    assert_eq!(named.wait_cancelled(FOR_EVER), Err(CallbackError::Released));
    // The item that was left out takes no reports.
    let out = left.wait_cancelled(FOR_EVER);
    assert_eq!(out, Err(CallbackError::UnknownItem));
    assert_eq!(count.calls(), 1);
    // And one of the new round waits for the new round's cancel.
    let fresh = reporter(&session, 1);
    let guard = fresh.on_cancel(count.callback()).expect("it wakes");
    session.cancel_item(id(1)).unwrap();
    assert_eq!((guard.was_called(), count.calls()), (true, 2));
}

#[test]
fn a_session_that_is_gone_is_not_waited_for() {
    let session = open(1);
    let item = reporter(&session, 1);
    let count = Count::default();
    let guard = item.on_cancel(count.callback()).expect("it wakes");
    drop(session);
    drop(guard);
    assert_eq!(item.wait_cancelled(FOR_EVER), Err(CallbackError::Released));
    let refused = item.on_cancel(count.callback()).err();
    assert_eq!(refused, Some(CallbackError::Released));
    // Its end let the first one go.
    assert_eq!((count.calls(), count.drops()), (1, 2));
}

#[test]
fn a_host_that_does_not_wake_is_told_at_once() {
    let session = synchronizing(1);
    let host = Hooked::new(&session).on_wake(|_| Some(Err(CallbackError::NotImplemented)));
    let item = host.reporter();
    let count = Count::default();
    let refused = item.on_cancel(count.callback()).err();
    assert_eq!(refused, Some(CallbackError::NotImplemented));
    let waited = item.wait_cancelled(FOR_EVER);
    assert_eq!(waited, Err(CallbackError::NotImplemented));
    assert_eq!((count.calls(), count.drops()), (0, 1));
}

/// A host whose first registration hangs until the test lets it go on, then answers this; the others answer it at once.
fn hangs_once(
    session: &Arc<Session>,
    answer: fn() -> Option<Result<(), CallbackError>>,
) -> (Arc<Hooked>, mpsc::Receiver<()>, mpsc::Sender<()>) {
    let (came, comes) = mpsc::channel();
    let (go_on, goes_on) = mpsc::channel();
    let goes_on = Mutex::new(Some(goes_on));
    let host = Hooked::new(session).on_wake(move |_| {
        let first = goes_on.lock().expect("nobody panicked").take();
        if let Some(goes_on) = first {
            came.send(()).expect("the test waits");
            receive("the word to go on", &goes_on);
        }
        answer()
    });
    (host, comes, go_on)
}

#[test]
fn a_callback_does_not_rely_on_a_registration_that_is_still_under_way() {
    let session = synchronizing(1);
    let (host, comes, go_on) = hangs_once(&session, || None);
    let item = Arc::new(host.reporter());
    let wait = {
        let item = Arc::clone(&item);
        thread::spawn(move || item.wait_cancelled(FOR_EVER))
    };
    receive("the first registration", &comes);
    let count = Count::default();
    let guard = item.on_cancel(count.callback()).expect("it wakes");
    session.cancel_item(id(1)).expect("it takes part");
    assert!(guard.was_called(), "the cancel has returned");
    go_on.send(()).expect("it hangs");
    assert_eq!(join("the wait", wait), Ok(Verdict::CancelItem));
    assert_eq!((count.calls(), count.drops()), (1, 1));
}

#[test]
fn a_host_that_does_not_wake_calls_nothing_though_another_thread_waits() {
    let session = synchronizing(1);
    let refuses = || Some(Err(CallbackError::NotImplemented));
    let (host, comes, go_on) = hangs_once(&session, refuses);
    let item = Arc::new(host.reporter());
    let wait = {
        let item = Arc::clone(&item);
        thread::spawn(move || item.wait_cancelled(FOR_EVER))
    };
    receive("the first registration", &comes);
    let count = Count::default();
    let guard = item.on_cancel(count.callback());
    go_on.send(()).expect("it hangs");
    let waited = join("the wait", wait);
    assert_eq!(waited, Err(CallbackError::NotImplemented));
    assert_eq!(count.calls(), 0, "nothing was cancelled");
    assert_eq!(guard.err(), Some(CallbackError::NotImplemented));
}

#[test]
fn wakes_without_need_are_waited_over() {
    for spurious in [1, 2, 50] {
        let session = synchronizing(1);
        let left = AtomicUsize::new(spurious);
        let less = |left: usize| left.checked_sub(1);
        let host = Hooked::new(&session).on_wake(move |waker| {
            let order = Ordering::SeqCst;
            left.fetch_update(order, order, less).ok()?;
            waker.wake_by_ref();
            Some(Ok(()))
        });
        let item = Arc::new(host.reporter());
        let count = Count::default();
        let guard = item.on_cancel(count.callback()).expect("it wakes");
        assert_eq!(count.calls(), 0, "{spurious}");
        let wait = {
            let item = Arc::clone(&item);
            thread::spawn(move || item.wait_cancelled(FOR_EVER))
        };
        registered(&host, spurious + 1);
        session.cancel_item(id(1)).expect("it takes part");
        assert!(guard.was_called(), "{spurious}");
        assert_eq!(join("the wait", wait), Ok(Verdict::CancelItem));
        assert_eq!((count.calls(), count.drops()), (1, 1), "{spurious}");
    }
}

#[test]
fn a_wake_without_need_is_followed_by_another_registration() {
    let session = synchronizing(1);
    let kept: Arc<Mutex<Option<Waker>>> = Arc::default();
    let into = Arc::clone(&kept);
    let first = AtomicUsize::new(0);
    let host = Hooked::new(&session).on_wake(move |waker| {
        // The first one is with the test alone, the others with the session.
        let is_first = first.fetch_add(1, Ordering::SeqCst) == 0;
        is_first.then(|| *into.lock().expect("nobody panicked") = Some(waker.clone()))?;
        Some(Ok(()))
    });
    let item = host.reporter();
    let guard = item.on_cancel(|| {}).expect("it wakes");
    let waker = kept.lock().expect("nobody panicked").take();
    waker.expect("it was registered").wake();
    assert!(!guard.was_called());
    session.cancel_item(id(1)).expect("it takes part");
    assert!(guard.was_called());
}

#[test]
fn a_cancel_at_the_moment_of_the_registration_is_seen_by_the_question_after_it() {
    let session = synchronizing(1);
    let inner = session.clone();
    // It should wake at once, and does not.
    let host = Hooked::new(&session).on_wake(move |_| {
        inner.cancel_item(id(1)).expect("it takes part");
        Some(Ok(()))
    });
    let item = host.reporter();
    assert!(item.on_cancel(|| {}).expect("it wakes").was_called());
    let session = synchronizing(1);
    let inner = session.clone();
    let host = Hooked::new(&session).on_wake(move |_| {
        inner.cancel_item(id(1)).expect("it takes part");
        Some(Ok(()))
    });
    let item = host.reporter();
    let waited = within("the wait", move || item.wait_cancelled(FOR_EVER));
    assert_eq!(waited, Ok(Verdict::CancelItem));
}

#[test]
fn a_future_that_is_dropped_leaves_no_waker_behind() {
    let session = synchronizing(1);
    let item = reporter(&session, 1);
    let wakes = Wakes::new();
    let waker = wakes.waker();
    for _ in 0..1_000 {
        let mut future = std::pin::pin!(item.cancelled());
        let mut context = std::task::Context::from_waker(&waker);
        assert!(future.as_mut().poll(&mut context).is_pending());
    }
    assert_eq!(Arc::strong_count(&wakes), 2);
    session.cancel_item(id(1)).expect("it takes part");
    assert_eq!(wakes.count(), 0);
}

#[test]
fn a_waker_that_is_taken_back_leaves_those_of_others() {
    let session = synchronizing(1);
    let (first, second) = (reporter(&session, 1), reporter(&session, 1));
    let count = Count::default();
    let guard = first.on_cancel(|| ()).expect("it wakes");
    let other = second.on_cancel(count.callback()).expect("it wakes");
    drop(guard);
    drop(first); // takes its waker back
    session.cancel_item(id(1)).expect("it takes part");
    assert_eq!(count.calls(), 1);
    drop(other);
}

#[test]
fn a_host_that_panics_when_it_is_asked_does_not_hang_the_guard() {
    let session = synchronizing(1);
    let calls = AtomicUsize::new(0);
    let host = Hooked::new(&session).on_ask(move || {
        // Not where the callback is set, but where the cancel has woken it.
        let call = calls.fetch_add(1, Ordering::SeqCst);
        assert_ne!(call, 1, "on purpose");
    });
    let item = host.reporter();
    let count = Count::default();
    let guard = item.on_cancel(count.callback()).expect("it wakes");
    let canceller = thread::spawn(move || session.cancel_item(id(1)));
    join("the cancel", canceller).expect("it takes part");
    drop(guard);
    assert_eq!((count.calls(), count.drops()), (1, 1));
}

#[test]
fn guards_and_reporters_go_from_thread_to_thread() {
    fn is_send<T: Send>() {}
    fn is_sync<T: Sync>() {}
    is_send::<CancelGuard<'static>>();
    is_sync::<CancelGuard<'static>>();
    is_send::<ItemReporter>();
    is_sync::<ItemReporter>();
    let session = synchronizing(1);
    let item = reporter(&session, 1);
    let guard = item.on_cancel(|| {}).expect("it wakes");
    let text = format!("{guard:?}");
    assert_eq!(text, "CancelGuard { was_called: false, .. }");
    assert_eq!(ids(1), [item.item()]);
}

mod judged {
    use super::*;
    use syncmgr::SyncHandler;
    use syncmgr::per_item::{self, HandlerBuilder};
    use syncmgr::testing::{Harness, Recorder};

    #[test]
    fn waiting_breaks_no_rule() {
        for cancel in [
            (|recorder: &Recorder, session: &Session| {
                recorder.cancel_item(session, id(1)).unwrap();
            }) as fn(&Recorder, &Session),
            |recorder, session| recorder.skip_item(session, id(1)).unwrap(),
            |recorder, session| recorder.cancel_all(session),
        ] {
            let session = open(1);
            let recorder = Recorder::new();
            let callback = recorder.callback(session.clone());
            let item = ItemReporter::new(&callback, id(1));
            assert_eq!(item.check(), Ok(Verdict::Continue));
            let count = Count::default();
            let guard = item.on_cancel(count.callback()).expect("it wakes");
            assert_eq!(item.wait_cancelled(Duration::ZERO), Ok(Verdict::Continue));
            let canceller = {
                let (recorder, session) = (recorder.clone(), session.clone());
                thread::spawn(move || cancel(&recorder, &session))
            };
            let verdict = item.wait_cancelled(FOR_EVER).expect("it goes on");
            assert_ne!(verdict, Verdict::Continue);
            join("the cancel", canceller);
            assert!(guard.was_called());
            drop(guard);
            assert_eq!(item.stop(), Ok(()));
            callback.synchronize_completed(HResult::S_OK).unwrap();
            recorder.trace().assert_conformant();
        }
    }

    /// Two items, whose work waits for ever for a cancel, in both ways.
    fn waits() -> Arc<dyn SyncHandler> {
        let work = |work: &per_item::ItemContext| {
            let (sent, called) = mpsc::channel();
            let _guard = work.on_cancel(move || _ = sent.send(()))?;
            for _ in 0..3 {
                work.advance(1)?;
                work.wait_cancelled(Duration::ZERO)?;
                if called.try_recv().is_ok() {
                    work.check()?;
                }
            }
            Ok(())
        };
        let items = per_item::from_items(support::items(3), work);
        HandlerBuilder::new("waits".parse().unwrap(), items)
            .workers(2)
            .build()
    }

    #[test]
    fn work_that_waits_is_conformant_at_every_cancel_and_fault() {
        let make = || (Harness::new(waits()), ());
        Harness::explore(make, |_, ()| {}).assert_conformant();
    }
}

/// Counts how often it is woken.
#[derive(Default)]
struct WakeCount(AtomicUsize);

impl std::task::Wake for WakeCount {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn wakers_that_are_never_taken_back_are_bounded_and_each_is_woken() {
    const WAKERS: usize = 10_000;
    for item in [Some(id(1)), None] {
        let session = open(1);
        let counts: Vec<_> = (0..WAKERS)
            .map(|_| Arc::new(WakeCount::default()))
            .collect();
        for count in &counts {
            let waker = std::task::Waker::from(Arc::clone(count));
            assert_eq!(session.wake_on_cancel(item, &waker), Ok(()));
        }
        let kept = counts.iter().filter(|count| Arc::strong_count(count) > 1);
        assert!(kept.count() <= 4_096);
        let woken = |count: &&Arc<WakeCount>| count.0.load(Ordering::SeqCst) > 0;
        assert!(counts.iter().filter(woken).count() < WAKERS);
        session.cancel_all();
        for count in &counts {
            assert_eq!(count.0.load(Ordering::SeqCst), 1);
        }
    }
}
