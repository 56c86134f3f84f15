//! A cancel can also wake: who is woken, by what, and how often.

use std::sync::Arc;
use std::sync::mpsc;
use std::task::{Wake, Waker};
use std::thread;

use syncmgr::{CallbackError, HResult, ItemStatus, ProgressUpdate, Session, SyncCallback, Verdict};

use support::{Stage, Wakes, driven, id, join, open, receive, status, synchronizing, text, value};

/// Registers a new counting waker for item `n`.
#[track_caller]
fn watch(session: &Session, n: u128) -> Arc<Wakes> {
    let wakes = Wakes::new();
    assert_eq!(
        session.wake_on_cancel(Some(id(n)), &wakes.waker()),
        Ok(()),
        "item {n}"
    );
    wakes
}

/// Registers a new counting waker for the whole handler.
#[track_caller]
fn watch_all(session: &Session) -> Arc<Wakes> {
    let wakes = Wakes::new();
    assert_eq!(session.wake_on_cancel(None, &wakes.waker()), Ok(()));
    wakes
}

#[test]
fn a_cancel_wakes_the_wakers_of_its_item() {
    let session = synchronizing(2);
    let (first, second) = (watch(&session, 1), watch(&session, 2));
    assert_eq!(session.cancel_item(id(1)), Ok(()));
    assert_eq!((first.count(), second.count()), (1, 0));
    assert_eq!(session.skip_item(id(2)), Ok(()));
    assert_eq!(second.count(), 1);
}

#[test]
fn cancel_all_wakes_every_waker() {
    let session = synchronizing(3);
    let wakes = [
        watch(&session, 1),
        watch(&session, 2),
        watch(&session, 3),
        watch_all(&session),
    ];
    session.cancel_all();
    assert_eq!(wakes.each_ref().map(|wakes| wakes.count()), [1; 4]);
}

#[test]
fn a_waker_that_comes_after_the_cancel_is_woken_at_once() {
    let session = synchronizing(2);
    assert_eq!(session.cancel_item(id(1)), Ok(()));
    assert_eq!(watch(&session, 1).count(), 1);
    assert_eq!(watch(&session, 2).count(), 0);
    assert_eq!(watch_all(&session).count(), 0);
    session.cancel_all();
    assert_eq!(watch(&session, 2).count(), 1);
    assert_eq!(watch_all(&session).count(), 1);
}

#[test]
fn reports_wake_nobody() {
    let session = synchronizing(2);
    let (first, all) = (watch(&session, 1), watch_all(&session));
    let updates = [
        value(1),
        ProgressUpdate::new().max(9),
        text("words"),
        status(ItemStatus::Paused),
        ProgressUpdate::CHECK,
    ];
    for update in updates {
        assert_eq!(session.progress(id(1), &update), Ok(Verdict::Continue));
    }
    assert_eq!(
        session.progress(id(2), &status(ItemStatus::Succeeded)),
        Ok(Verdict::Continue)
    );
    assert_eq!((first.count(), all.count()), (0, 0));
}

#[test]
fn the_end_of_an_item_wakes_its_wakers() {
    for last in [
        ItemStatus::Succeeded,
        ItemStatus::Failed,
        ItemStatus::Skipped,
        ItemStatus::Stopped,
        ItemStatus::Deleted,
    ] {
        let session = synchronizing(2);
        let (first, second) = (watch(&session, 1), watch(&session, 2));
        assert_eq!(
            session.progress(id(1), &status(last)),
            Ok(Verdict::Continue)
        );
        assert_eq!((first.count(), second.count()), (1, 0), "{last:?}");
        assert_eq!(
            watch(&session, 1).count(),
            1,
            "a waker of a finished item is woken at once"
        );
        assert_eq!(session.cancel_item(id(1)), Ok(()));
        assert_eq!(
            first.count(),
            1,
            "the item has ended, so nobody waits for its cancel"
        );
    }
}

#[test]
fn the_end_by_a_reporter_wakes_too() {
    let session = synchronizing(1);
    let wakes = watch(&session, 1);
    let reporter = session
        .reporter(id(1))
        .expect("a known item has a reporter");
    assert_eq!(reporter.succeed(), Ok(()));
    assert_eq!(wakes.count(), 1);
}

#[test]
fn completion_wakes_whoever_still_waits() {
    for session in [open(2), synchronizing(2)] {
        let (first, all) = (watch(&session, 1), watch_all(&session));
        assert_eq!(session.synchronize_completed(HResult::S_OK), Ok(()));
        assert_eq!((first.count(), all.count()), (1, 1));
        assert_eq!(
            watch(&session, 2).count(),
            1,
            "on a completed session it is woken at once"
        );
        assert_eq!(
            watch_all(&session).count(),
            1,
            "on a completed session it is woken at once"
        );
    }
}

#[test]
fn a_prepare_that_fails_wakes_too() {
    let session = Stage::Preparing.session(1);
    let (first, all) = (watch(&session, 1), watch_all(&session));
    assert_eq!(session.prepare_for_sync_completed(HResult::E_FAIL), Ok(()));
    assert_eq!((first.count(), all.count()), (1, 1));
}

#[test]
fn release_wakes_whoever_still_waits() {
    for stage in [
        Stage::Open,
        Stage::Idle,
        Stage::Preparing,
        Stage::Prepared,
        Stage::Synchronizing,
    ] {
        let session = stage.session(1);
        let (first, all) = (watch(&session, 1), watch_all(&session));
        session.driver().release();
        assert_eq!((first.count(), all.count()), (1, 1), "{stage:?}");
        let late = Wakes::new();
        assert_eq!(
            session.wake_on_cancel(Some(id(1)), &late.waker()),
            Err(CallbackError::Released)
        );
        assert_eq!(
            session.wake_on_cancel(None, &late.waker()),
            Err(CallbackError::Released)
        );
    }
}

#[test]
fn one_cancelled_item_does_not_wake_the_handler() {
    let session = synchronizing(2);
    let all = watch_all(&session);
    assert_eq!(session.cancel_item(id(1)), Ok(()));
    assert_eq!(
        session.progress(id(1), &status(ItemStatus::Stopped)),
        Ok(Verdict::CancelItem)
    );
    assert_eq!(all.count(), 0);
    session.cancel_all();
    assert_eq!(all.count(), 1);
}

#[test]
fn a_waker_of_the_same_task_replaces_the_earlier_one() {
    let session = synchronizing(1);
    let wakes = Wakes::new();
    for _ in 0..100 {
        assert_eq!(session.wake_on_cancel(Some(id(1)), &wakes.waker()), Ok(()));
        assert_eq!(session.wake_on_cancel(None, &wakes.waker()), Ok(()));
    }
    // One handle is this test's, and one is kept for the item and for the handler each.
    assert!(
        Arc::strong_count(&wakes) <= 3,
        "{} handles are kept",
        Arc::strong_count(&wakes)
    );
    assert_eq!(session.cancel_item(id(1)), Ok(()));
    assert_eq!(wakes.count(), 1);
}

#[test]
fn wakers_of_different_tasks_stand_side_by_side() {
    let session = synchronizing(1);
    let tasks: Vec<_> = (0..10).map(|_| watch(&session, 1)).collect();
    assert_eq!(session.cancel_item(id(1)), Ok(()));
    let counts: Vec<_> = tasks.iter().map(|task| task.count()).collect();
    assert_eq!(counts, [1; 10]);
}

#[test]
fn no_waker_is_kept_past_the_end() {
    let session = synchronizing(2);
    let (first, all) = (watch(&session, 1), watch_all(&session));
    assert_eq!(
        session.progress(id(1), &status(ItemStatus::Succeeded)),
        Ok(Verdict::Continue)
    );
    assert_eq!(
        Arc::strong_count(&first),
        1,
        "the item's waker is kept until the item ends"
    );
    session.driver().release();
    assert_eq!(Arc::strong_count(&all), 1, "no waker outlives the release");
}

#[test]
fn an_unknown_item_has_no_wakers() {
    let session = driven(2);
    let wakes = Wakes::new();
    assert_eq!(
        session.wake_on_cancel(Some(id(9)), &wakes.waker()),
        Err(CallbackError::UnknownItem)
    );
    assert_eq!(session.driver().begin_prepare(&[id(1)]), Ok(()));
    assert_eq!(
        session.wake_on_cancel(Some(id(2)), &wakes.waker()),
        Err(CallbackError::UnknownItem),
        "an item that the round leaves out is unknown to the handler"
    );
    assert_eq!(wakes.count(), 0);
}

#[test]
fn a_waker_of_an_added_item_is_woken() {
    let session = synchronizing(1);
    assert_eq!(session.add_item(support::item(2)), Ok(()));
    let added = watch(&session, 2);
    assert_eq!(session.cancel_item(id(2)), Ok(()));
    assert_eq!(added.count(), 1);
    session.cancel_all();
    assert_eq!(session.add_item(support::item(3)), Ok(()));
    assert_eq!(watch(&session, 3).count(), 1, "born cancelled");
}

/// Wakes a thread that blocks on a channel, as a cancel would wake a blocked read.
struct Bell(mpsc::Sender<()>);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        // A second ring after the reader has gone is nobody's loss.
        let _ = self.0.send(());
    }
}

#[test]
fn a_blocked_worker_is_woken_by_a_cancel_from_another_thread() {
    let session = synchronizing(1);
    let (ready, is_ready) = mpsc::channel();
    let worker = {
        let session = Arc::clone(&session);
        thread::spawn(move || {
            let (ring, rung) = mpsc::channel();
            let waker = Waker::from(Arc::new(Bell(ring)));
            // Register first, then ask: a cancel between the two is not lost.
            assert_eq!(session.wake_on_cancel(Some(id(1)), &waker), Ok(()));
            assert_eq!(session.can_continue(Some(id(1))), Ok(Verdict::Continue));
            assert!(ready.send(()).is_ok(), "the test waits for this");
            receive("the wake-up", &rung);
            session.can_continue(Some(id(1)))
        })
    };
    receive("the worker", &is_ready);
    assert_eq!(session.cancel_item(id(1)), Ok(()));
    assert_eq!(join("the worker", worker), Ok(Verdict::CancelItem));
}

#[test]
fn registering_first_and_asking_then_never_misses_a_cancel() {
    for round in 0..2_000 {
        let session = open(1);
        let cancelling = {
            let session = Arc::clone(&session);
            thread::spawn(move || session.cancel_item(id(1)))
        };
        let wakes = watch(&session, 1);
        let told = session.can_continue(Some(id(1))) == Ok(Verdict::CancelItem);
        assert_eq!(join("the cancelling thread", cancelling), Ok(()));
        assert!(
            told || wakes.count() > 0,
            "round {round}: neither told nor woken"
        );
        assert!(
            wakes.count() > 0,
            "round {round}: a kept waker was not woken"
        );
    }
}
