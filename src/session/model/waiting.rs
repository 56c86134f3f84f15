//! Who waits at a reporter for a cancel is woken by it: blocked threads, callbacks and tasks. A wait that nobody ends is a
//! deadlock to loom.

use super::wrapper::Wrapper;
use super::*;
use crate::LogRecord;

const FOR_EVER: Duration = Duration::MAX;

/// A thread waits for item A; what happens at the same time ends the wait with this answer.
fn ends_the_wait(
    make: fn() -> Arc<Session>,
    happens: fn(&Arc<Session>),
    answer: Result<Verdict, CallbackError>,
) {
    check(move || {
        let session = make();
        let reporter = session.reporter(A).expect("known");
        let other = spawn(&session, happens);
        assert_eq!(reporter.wait_cancelled(FOR_EVER), answer);
        join(other);
    });
}

fn cancel(session: &Arc<Session>) {
    session.cancel_item(A).expect("known");
}

#[test]
fn a_cancel_of_the_item_ends_the_wait() {
    ends_the_wait(|| open(&[A]), cancel, Ok(Verdict::CancelItem));
}

#[test]
fn a_cancel_of_everything_ends_the_wait() {
    ends_the_wait(
        || open(&[A]),
        |session| session.cancel_all(),
        Ok(Verdict::CancelAll),
    );
}

#[test]
fn the_end_of_the_item_ends_the_wait() {
    ends_the_wait(
        || open(&[A]),
        |session| {
            let answer = session.progress(A, &status(ItemStatus::Succeeded));
            assert_eq!(answer, Ok(Verdict::Continue));
        },
        Err(CallbackError::ItemFinished),
    );
}

#[test]
fn the_completion_ends_the_wait() {
    ends_the_wait(
        || synchronizing(&[A]),
        |session| {
            session
                .synchronize_completed(HResult::S_OK)
                .expect("synchronizing");
        },
        Err(CallbackError::WrongPhase),
    );
}

#[test]
fn the_release_ends_the_wait() {
    ends_the_wait(
        || open(&[A]),
        |session| session.driver().release(),
        Err(CallbackError::Released),
    );
}

#[test]
fn a_wake_without_need_does_not_end_the_wait_and_loses_no_cancel() {
    for spurious in 0..=2 {
        check(move || {
            let session = open(&[A]);
            let host = Wrapper::host(&session, spurious, false);
            let reporter = ItemReporter::new(&host, A);
            let other = spawn(&session, cancel);
            let answer = reporter.wait_cancelled(FOR_EVER);
            assert_eq!(answer, Ok(Verdict::CancelItem));
            join(other);
        });
    }
}

#[test]
fn two_threads_that_wait_at_one_reporter_are_both_woken() {
    check_bounded(2, || {
        let session = open(&[A]);
        let reporter = Arc::new(session.reporter(A).expect("known"));
        let other = {
            let reporter = Arc::clone(&reporter);
            thread::spawn(move || reporter.wait_cancelled(FOR_EVER))
        };
        let canceller = spawn(&session, cancel);
        let answer = reporter.wait_cancelled(FOR_EVER);
        assert_eq!(answer, Ok(Verdict::CancelItem));
        assert_eq!(join(other), Ok(Verdict::CancelItem));
        join(canceller);
    });
}

#[test]
fn a_host_that_does_not_wake_is_told_of_to_everybody_who_waits() {
    check(|| {
        let session = open(&[A]);
        let host = Wrapper::host(&session, 0, true);
        let reporter = Arc::new(ItemReporter::new(&host, A));
        let other = {
            let reporter = Arc::clone(&reporter);
            thread::spawn(move || reporter.wait_cancelled(FOR_EVER))
        };
        let refused = Err(CallbackError::NotImplemented);
        assert_eq!(reporter.wait_cancelled(FOR_EVER), refused);
        assert_eq!(join(other), refused);
        let guard = reporter.on_cancel(|| {});
        assert_eq!(guard.err(), Some(CallbackError::NotImplemented));
    });
}

/// Counts calls, and knows of one that is under way.
struct CountedWaker {
    begun: AtomicUsize,
    ended: AtomicUsize,
}

impl CountedWaker {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            begun: AtomicUsize::new(0),
            ended: AtomicUsize::new(0),
        })
    }

    fn callback(self: &Arc<Self>) -> impl FnOnce() + Send + 'static {
        let counted = Arc::clone(self);
        move || {
            counted.begun.fetch_add(1, Ordering::SeqCst);
            counted.ended.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn counts(&self) -> (usize, usize) {
        let begun = self.begun.load(Ordering::SeqCst);
        (begun, self.ended.load(Ordering::SeqCst))
    }
}

#[test]
fn a_callback_is_called_once_before_the_cancel_returns_or_where_it_is_set() {
    check(|| {
        let session = open(&[A]);
        let reporter = session.reporter(A).expect("known");
        let counted = CountedWaker::new();
        let other = spawn(&session, cancel);
        let guard = reporter.on_cancel(counted.callback()).expect("it wakes");
        join(other);
        drop(guard);
        assert_eq!(counted.counts(), (1, 1));
        assert_eq!(Arc::strong_count(&counted), 1, "the callback is still kept");
    });
}

#[test]
fn a_callback_is_called_once_by_two_cancels() {
    check_bounded(2, || {
        let session = open(&[A]);
        let reporter = session.reporter(A).expect("known");
        let counted = CountedWaker::new();
        let guard = reporter.on_cancel(counted.callback()).expect("it wakes");
        let one = spawn(&session, cancel);
        let two = spawn(&session, |session| session.cancel_all());
        join(one);
        join(two);
        assert!(guard.was_called());
        assert_eq!(counted.counts(), (1, 1));
    });
}

#[test]
fn once_its_guard_is_dropped_a_callback_is_not_called_nor_under_way() {
    check(|| {
        let session = open(&[A]);
        let reporter = session.reporter(A).expect("known");
        let counted = CountedWaker::new();
        let guard = reporter.on_cancel(counted.callback()).expect("it wakes");
        let other = spawn(&session, cancel);
        drop(guard);
        let (begun, ended) = counted.counts();
        assert_eq!(begun, ended, "under way");
        join(other);
        assert_eq!(counted.counts(), (begun, ended), "called afterwards");
        drop(reporter);
        assert_eq!(Arc::strong_count(&counted), 1, "the callback is still kept");
    });
}

#[test]
fn once_its_guard_is_dropped_the_host_is_asked_no_more() {
    check(|| {
        let session = open(&[A]);
        let wrapper = Wrapper::new(&session, 0, false);
        let host: Arc<dyn SyncCallback> = wrapper.clone();
        let reporter = ItemReporter::new(&host, A);
        let guard = reporter.on_cancel(|| {}).expect("it wakes");
        let other = spawn(&session, cancel);
        drop(guard);
        let asked = wrapper.asked();
        join(other);
        assert_eq!(wrapper.asked(), asked, "asked afterwards");
    });
}

#[test]
fn a_guard_is_dropped_beside_a_wake_without_need() {
    check(|| {
        let session = open(&[A]);
        let wrapper = Wrapper::new(&session, 0, false);
        let host: Arc<dyn SyncCallback> = wrapper.clone();
        let reporter = ItemReporter::new(&host, A);
        let counted = CountedWaker::new();
        let guard = reporter.on_cancel(counted.callback()).expect("it wakes");
        let other = thread::spawn({
            let wrapper = Arc::clone(&wrapper);
            move || wrapper.wake()
        });
        drop(guard);
        assert_eq!(Arc::strong_count(&counted), 1, "the callback is still kept");
        join(other);
        assert_eq!(counted.counts(), (0, 0), "nothing was cancelled");
        cancel(&session);
        assert_eq!(counted.counts(), (0, 0), "its guard was dropped");
    });
}

#[test]
fn a_callback_beside_a_thread_that_waits_is_called_once_and_both_are_woken() {
    check_bounded(2, || {
        let session = open(&[A]);
        let reporter = Arc::new(session.reporter(A).expect("known"));
        let counted = CountedWaker::new();
        let other = {
            let reporter = Arc::clone(&reporter);
            thread::spawn(move || reporter.wait_cancelled(FOR_EVER))
        };
        let guard = reporter.on_cancel(counted.callback()).expect("it wakes");
        cancel(&session);
        assert_eq!(join(other), Ok(Verdict::CancelItem));
        assert!(guard.was_called());
        assert_eq!(counted.counts(), (1, 1));
    });
}

#[test]
fn a_callback_of_a_host_that_does_not_wake_is_never_called() {
    check_bounded(2, || {
        let session = open(&[A]);
        let host = Wrapper::host(&session, 0, true);
        let reporter = Arc::new(ItemReporter::new(&host, A));
        let counted = CountedWaker::new();
        let other = {
            let reporter = Arc::clone(&reporter);
            thread::spawn(move || reporter.wait_cancelled(FOR_EVER))
        };
        let refused = CallbackError::NotImplemented;
        let guard = reporter.on_cancel(counted.callback());
        assert_eq!(guard.err(), Some(refused));
        assert_eq!(join(other), Err(refused));
        assert_eq!(counted.counts(), (0, 0));
    });
}

#[test]
fn a_callback_survives_wakes_without_need() {
    for spurious in 0..=2 {
        check(move || {
            let session = open(&[A]);
            let host = Wrapper::host(&session, spurious, false);
            let reporter = ItemReporter::new(&host, A);
            let counted = CountedWaker::new();
            let other = spawn(&session, cancel);
            let guard = reporter.on_cancel(counted.callback()).expect("it wakes");
            join(other);
            assert!(guard.was_called());
            assert_eq!(counted.counts(), (1, 1));
        });
    }
}

#[test]
fn a_callback_is_not_called_by_the_end_of_the_item_and_not_kept() {
    check(|| {
        let session = open(&[A]);
        let reporter = session.reporter(A).expect("known");
        let counted = CountedWaker::new();
        let guard = reporter.on_cancel(counted.callback()).expect("it wakes");
        let other = spawn(&session, |session| {
            let answer = session.progress(A, &status(ItemStatus::Succeeded));
            assert_eq!(answer, Ok(Verdict::Continue));
        });
        join(other);
        assert!(!guard.was_called());
        assert_eq!(counted.counts(), (0, 0));
        assert_eq!(Arc::strong_count(&counted), 1, "the callback is still kept");
    });
}

#[cfg(feature = "async")]
#[test]
fn a_task_is_woken_by_the_cancel_or_sees_it() {
    check(|| {
        let session = open(&[A]);
        let reporter = session.reporter(A).expect("known");
        let wakes = Wakes::new();
        let waker = wakes.waker();
        let mut context = std::task::Context::from_waker(&waker);
        let mut future = Box::pin(reporter.cancelled());
        let other = spawn(&session, cancel);
        let first = future.as_mut().poll(&mut context);
        join(other);
        let told = std::task::Poll::Ready(Ok(Verdict::CancelItem));
        assert!(first == told || wakes.count() > 0, "a lost wake-up");
        assert_eq!(future.as_mut().poll(&mut context), told);
        drop(future);
        drop(waker);
        assert_eq!(Arc::strong_count(&wakes), 1, "the waker is still kept");
    });
}

#[cfg(feature = "async")]
#[test]
fn a_task_that_gives_up_leaves_nothing_behind() {
    check(|| {
        let session = open(&[A]);
        let reporter = session.reporter(A).expect("known");
        let wakes = Wakes::new();
        let waker = wakes.waker();
        let mut context = std::task::Context::from_waker(&waker);
        let other = spawn(&session, cancel);
        let mut future = Box::pin(reporter.cancelled());
        let _ = future.as_mut().poll(&mut context);
        drop(future);
        join(other);
        drop(waker);
        assert_eq!(Arc::strong_count(&wakes), 1, "the waker is still kept");
    });
}

/// An observer asks to be woken; what is journalled at the same time either wakes it or is told.
fn wakes_the_observer(make: fn() -> Arc<Session>, happens: fn(&Arc<Session>)) {
    check(move || {
        let session = make();
        let wakes = Wakes::new();
        let cursor = session.snapshot().cursor;
        let other = spawn(&session, happens);
        let waits = session.wake_on_change(cursor, &wakes.waker());
        join(other);
        assert!(!waits || wakes.count() > 0, "a lost wake-up");
        assert_eq!(Arc::strong_count(&wakes), 1, "the waker is still kept");
        assert!(session.changes(cursor).cursor() > cursor);
    });
}

#[test]
fn a_status_wakes_the_observer_or_is_told() {
    wakes_the_observer(
        || open(&[A]),
        |session| {
            let answer = session.progress(A, &status(ItemStatus::Succeeded));
            assert_eq!(answer, Ok(Verdict::Continue));
        },
    );
}

#[test]
fn a_cancel_wakes_the_observer_or_is_told() {
    wakes_the_observer(|| open(&[A]), cancel);
}

#[test]
fn a_log_entry_wakes_the_observer_or_is_told() {
    wakes_the_observer(
        || open(&[A]),
        |session| {
            let record = LogRecord::new(crate::LogLevel::Error, "no space left");
            session.log_error(&record).expect("there is room");
        },
    );
}

#[test]
fn the_release_wakes_the_observer_or_is_told() {
    wakes_the_observer(|| open(&[A]), |session| session.driver().release());
}

#[test]
fn two_changes_at_once_wake_the_observer_or_are_told() {
    check_bounded(2, || {
        let session = open(&[A, B]);
        let wakes = Wakes::new();
        let cursor = session.snapshot().cursor;
        let one = spawn(&session, cancel);
        let two = spawn(&session, |session| session.cancel_item(B).expect("known"));
        let waits = session.wake_on_change(cursor, &wakes.waker());
        join(one);
        join(two);
        assert!(!waits || wakes.count() > 0, "a lost wake-up");
    });
}
