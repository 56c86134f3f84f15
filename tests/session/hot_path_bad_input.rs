//! What a worker can do wrong on the fast path: values at the edge, reporters kept too long, one item from two sides at
//! once, and a session that grows by a million items while it is reported into.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use syncmgr::{
    CallbackError, Cursor, HResult, ItemReporter, ItemStatus, ProgressUpdate, Session,
    SyncCallback, Verdict,
};

use support::{LIMIT, id, item, open, start_round, status, synchronizing, value, within};

const GO_ON: Result<Verdict, CallbackError> = Ok(Verdict::Continue);

#[track_caller]
fn reporter(session: &Arc<Session>, n: u128) -> ItemReporter {
    session.reporter(id(n)).expect("a known item")
}

#[track_caller]
fn kept(session: &Session, n: u128) -> u64 {
    session.item(id(n)).expect("a known item").value
}

/// Everything that a reporter can be asked without ending its item.
#[track_caller]
fn each_answers(reporter: &ItemReporter, wanted: Result<Verdict, CallbackError>) {
    assert_eq!(reporter.set(7), wanted, "set");
    assert_eq!(reporter.advance(7), wanted, "advance");
    assert_eq!(reporter.check(), wanted, "check");
    let update = ProgressUpdate::new().text("late").value(7).max(7);
    assert_eq!(reporter.report(&update), wanted, "report");
}

// ---------------------------------------------------------------------------------------------------- values

#[test]
fn the_largest_value_is_stored_first_or_later_by_reporter_or_by_id() {
    let session = open(2);
    let first = reporter(&session, 1);
    for _ in 0..2 {
        assert_eq!(first.set(u64::MAX), GO_ON);
        assert_eq!(kept(&session, 1), u64::MAX);
        assert_eq!(session.progress(id(2), &value(u64::MAX)), GO_ON);
        assert_eq!(kept(&session, 2), u64::MAX);
    }
    first.succeed().expect("the item is open");
    assert_eq!(kept(&session, 1), u64::MAX);
}

#[test]
fn the_largest_value_of_the_largest_maximum_is_all_of_it_and_sums_stop_there() {
    let session = open(2);
    let update = value(u64::MAX).max(u64::MAX);
    for n in 1..=2 {
        assert_eq!(session.progress(id(n), &update), GO_ON);
        let view = session.item(id(n)).expect("known");
        assert_eq!(view.fraction(), Some(1.0));
    }
    let totals = session.snapshot().totals;
    assert_eq!((totals.value, totals.max), (u64::MAX, u64::MAX));
}

#[test]
fn a_value_above_the_maximum_is_stored_as_given_and_the_fraction_stops_at_one() {
    let session = open(1);
    assert_eq!(session.progress(id(1), &value(u64::MAX).max(10)), GO_ON);
    let view = session.item(id(1)).expect("known");
    assert_eq!((view.value, view.max), (u64::MAX, 10));
    assert_eq!(view.fraction(), Some(1.0));
    assert_eq!(session.snapshot().totals.value, 10);
}

#[test]
fn an_advance_past_the_largest_value_wraps_and_the_verdict_stays() {
    let session = open(1);
    let reporter = reporter(&session, 1);
    // The first one goes the long way, the others the short one.
    for (amount, wanted) in [
        (u64::MAX, u64::MAX),
        (1, 0),
        (u64::MAX, u64::MAX),
        (u64::MAX, u64::MAX - 1),
        (0, u64::MAX - 1),
        (3, 1),
    ] {
        assert_eq!(reporter.advance(amount), GO_ON);
        assert_eq!(kept(&session, 1), wanted, "advanced by {amount}");
    }
}

#[test]
fn a_cancelled_item_that_is_advanced_past_the_largest_value_wraps_and_is_told() {
    let session = open(1);
    let reporter = reporter(&session, 1);
    assert_eq!(reporter.set(u64::MAX), GO_ON);
    session.cancel_item(id(1)).expect("known");
    assert_eq!(reporter.advance(2), Ok(Verdict::CancelItem));
    assert_eq!(kept(&session, 1), 1);
    assert_eq!(reporter.set(u64::MAX), Ok(Verdict::CancelItem));
    assert_eq!(kept(&session, 1), u64::MAX);
}

#[test]
fn advances_of_several_threads_past_the_largest_value_lose_no_step() {
    const EACH: u64 = 50_000;
    let session = open(1);
    let reporter = reporter(&session, 1);
    assert_eq!(reporter.set(u64::MAX - EACH), GO_ON);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..EACH {
                    assert_eq!(reporter.advance(1), GO_ON);
                }
            });
        }
    });
    assert_eq!(kept(&session, 1), 3 * EACH - 1);
}

// ------------------------------------------------------------------------------------- reporters kept too long

#[test]
fn a_reporter_kept_after_the_release_is_refused_and_changes_nothing() {
    let session = open(1);
    let reporter = reporter(&session, 1);
    assert_eq!(reporter.set(5), GO_ON);
    session.driver().release();
    let before = session.item(id(1));
    each_answers(&reporter, Err(CallbackError::Released));
    assert_eq!(session.item(id(1)), before);
    assert_eq!(reporter.succeed(), Err(CallbackError::Released));
    assert_eq!(session.item(id(1)), before);
}

#[test]
fn a_reporter_kept_after_the_session_is_gone_is_refused() {
    let session = open(2);
    let (begun, waiting) = (reporter(&session, 1), reporter(&session, 2));
    assert_eq!(begun.set(5), GO_ON);
    drop(session);
    for reporter in [begun, waiting] {
        each_answers(&reporter, Err(CallbackError::Released));
        let failed = std::io::Error::other("too late");
        assert_eq!(reporter.fail(&failed), Err(CallbackError::Released));
    }
}

#[test]
fn a_reporter_kept_after_the_completion_is_refused_until_the_retry_and_for_ever_after() {
    let session = synchronizing(2);
    let (named, left_out) = (reporter(&session, 1), reporter(&session, 2));
    assert_eq!(named.set(5), GO_ON);
    assert_eq!(left_out.set(5), GO_ON);
    session
        .synchronize_completed(HResult::S_OK)
        .expect("synchronizing");
    each_answers(&named, Err(CallbackError::WrongPhase));
    start_round(&session, &[id(1)]);
    each_answers(&named, Err(CallbackError::Released));
    each_answers(&left_out, Err(CallbackError::UnknownItem));
    assert_eq!((kept(&session, 1), kept(&session, 2)), (0, 5));

    let fresh = reporter(&session, 1);
    assert_eq!(fresh.set(9), GO_ON);
    each_answers(&named, Err(CallbackError::Released));
    assert_eq!(named.succeed(), Err(CallbackError::Released));
    assert_eq!(kept(&session, 1), 9);
    assert_eq!(fresh.check(), GO_ON);
}

#[test]
fn a_reporter_of_a_finished_item_is_refused_and_only_a_failure_may_follow() {
    for last in [
        ItemStatus::Succeeded,
        ItemStatus::Skipped,
        ItemStatus::Stopped,
        ItemStatus::Failed,
    ] {
        let session = open(1);
        let (reporter, other) = (reporter(&session, 1), reporter(&session, 1));
        assert_eq!(reporter.set(5), GO_ON);
        assert_eq!(session.progress(id(1), &status(last)), GO_ON);
        let before = session.item(id(1));
        each_answers(&reporter, Err(CallbackError::ItemFinished));
        assert_eq!(reporter.succeed(), Err(CallbackError::ItemFinished));
        assert_eq!(session.item(id(1)), before, "after {last:?}");
        let failed = std::io::Error::other("found out later");
        assert_eq!(other.fail(&failed), Ok(()));
        let view = session.item(id(1)).expect("known");
        assert_eq!((view.status, view.value), (ItemStatus::Failed, 5));
    }
}

/// The end comes from another thread, while the reporter stores as fast as it can: what the item is seen to have ended
/// with is what it keeps.
#[test]
fn a_reporter_that_goes_on_beside_the_end_of_its_item_moves_the_last_value_no_more() {
    within("the rounds", || {
        for _ in 0..2_000 {
            let session = open(1);
            let reporter = reporter(&session, 1);
            assert_eq!(reporter.set(1), GO_ON);
            let worker = thread::spawn(move || {
                let mut last_taken = 1;
                for value in 2.. {
                    match reporter.set(value) {
                        GO_ON => last_taken = value,
                        refused => {
                            assert_eq!(refused, Err(CallbackError::ItemFinished));
                            break;
                        }
                    }
                }
                last_taken
            });
            assert_eq!(
                session.progress(id(1), &status(ItemStatus::Succeeded)),
                GO_ON
            );
            let seen = kept(&session, 1);
            let last_taken = worker.join().expect("the worker does not panic");
            assert_eq!(kept(&session, 1), seen);
            // Reports that were taken at the same time may count as late ones.
            assert!((1..=last_taken).contains(&seen), "{seen} of {last_taken}");
        }
    });
}

// ------------------------------------------------------------------------------- one item from two sides at once

#[test]
fn one_item_reported_by_id_and_by_reporter_at_once_keeps_one_of_the_last_values() {
    const REPORTS: u64 = 200_000;
    within("the reports", || {
        let session = open(1);
        let reporter = reporter(&session, 1);
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            let by_reporter = scope.spawn(|| {
                for n in 1..=REPORTS {
                    assert_eq!(reporter.set(2 * n), GO_ON);
                }
            });
            let by_id = scope.spawn(|| {
                for n in 1..=REPORTS {
                    assert_eq!(session.progress(id(1), &value(2 * n + 1)), GO_ON);
                }
            });
            let observer = scope.spawn(|| {
                while !over.load(Ordering::Acquire) {
                    let seen = kept(&session, 1);
                    assert!(seen <= 2 * REPORTS + 1, "{seen} was never reported");
                }
            });
            by_reporter.join().expect("the reporter does not panic");
            by_id.join().expect("the other does not panic");
            over.store(true, Ordering::Release);
            observer.join().expect("the observer does not panic");
        });
        let last = kept(&session, 1);
        assert!(
            [2 * REPORTS, 2 * REPORTS + 1].contains(&last),
            "{last} is not the last value of either"
        );
        // Both sides are told of a cancel, and both are refused after the end.
        session.cancel_item(id(1)).expect("known");
        let told = Ok(Verdict::CancelItem);
        assert_eq!(
            (reporter.set(1), session.progress(id(1), &value(2))),
            (told, told)
        );
        assert_eq!(session.progress(id(1), &status(ItemStatus::Stopped)), told);
        let refused = Err(CallbackError::ItemFinished);
        assert_eq!(
            (reporter.set(3), session.progress(id(1), &value(4))),
            (refused, refused)
        );
        assert_eq!(kept(&session, 1), 2);
    });
}

#[test]
fn one_item_reported_from_both_sides_through_retries_takes_no_value_of_an_earlier_round() {
    const ROUNDS: u64 = 300;
    within("the rounds", || {
        let session = synchronizing(1);
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            // By id: taken in each round, refused between them, never told that the callback is released.
            let by_id = scope.spawn(|| {
                while !over.load(Ordering::Acquire) {
                    let answer = session.progress(id(1), &value(1));
                    let between = Err(CallbackError::WrongPhase);
                    assert!(answer == GO_ON || answer == between, "{answer:?}");
                }
            });
            for _ in 0..ROUNDS {
                let kept_too_long = reporter(&session, 1);
                let late = scope.spawn(move || {
                    // Until its round is over; then for ever refused.
                    while kept_too_long.set(1_000) != Err(CallbackError::Released) {}
                    each_answers(&kept_too_long, Err(CallbackError::Released));
                });
                session
                    .synchronize_completed(HResult::S_OK)
                    .expect("synchronizing");
                start_round(&session, &[id(1)]);
                let value = kept(&session, 1);
                assert!(value <= 1, "{value} is of the round before");
                late.join().expect("the late reporter does not panic");
                let value = kept(&session, 1);
                assert!(value <= 1, "{value} is of the round before");
            }
            over.store(true, Ordering::Release);
            by_id.join().expect("the reports by id do not panic");
        });
    });
}

// --------------------------------------------------------------------------------- a session that grows meanwhile

/// Two workers report while a third thread adds a million items one by one and an observer follows. The items take
/// their reports as soon as they are added, and nothing of the others is lost.
#[test]
fn a_million_items_added_one_by_one_hold_up_no_report() {
    const ADDED: u128 = 1_000_000;
    let start = Instant::now();
    within("adding them", || {
        let session = open(2);
        let over = AtomicBool::new(false);
        let (by_reporter, by_id) = thread::scope(|scope| {
            let by_reporter = scope.spawn(|| {
                let reporter = reporter(&session, 1);
                let mut last = 0;
                while !over.load(Ordering::Acquire) {
                    last += 1;
                    assert_eq!(reporter.set(last), GO_ON);
                }
                last
            });
            let by_id = scope.spawn(|| {
                let mut last = 0;
                while !over.load(Ordering::Acquire) {
                    last += 1;
                    assert_eq!(session.progress(id(2), &value(last)), GO_ON);
                }
                last
            });
            for n in 3..=ADDED + 2 {
                assert_eq!(session.add_item(item(n)), Ok(()));
                if n % 100_000 == 0 {
                    assert_eq!(session.progress(id(n), &value(n as u64)), GO_ON);
                    // The ring has gone on: the observer is told so, and takes a snapshot when it wants to.
                    assert!(!session.changes(Cursor::default()).is_complete());
                }
            }
            over.store(true, Ordering::Release);
            let last = (by_reporter.join(), by_id.join());
            (
                last.0.expect("the worker does not panic"),
                last.1.expect("the worker does not panic"),
            )
        });
        let snapshot = session.snapshot();
        assert_eq!(snapshot.items.len() as u128, ADDED + 2);
        assert_eq!(snapshot.items[0].value, by_reporter);
        assert_eq!(snapshot.items[1].value, by_id);
        for n in (100_000..=ADDED).step_by(100_000) {
            assert_eq!(kept(&session, n), n as u64);
        }
        // What was added is cancelled with the rest.
        session.cancel_all();
        for n in [1, 3, ADDED + 2] {
            assert_eq!(
                session.progress(id(n), &value(1)),
                Ok(Verdict::CancelAll),
                "item {n}"
            );
        }
    });
    assert!(start.elapsed() < LIMIT);
}

#[test]
fn an_item_that_is_added_twice_is_refused_and_the_first_goes_on() {
    let session = open(1);
    session.add_item(item(2)).expect("new");
    let reporter = reporter(&session, 2);
    assert_eq!(reporter.set(5), GO_ON);
    for n in 1..=2 {
        assert_eq!(
            session.add_item(item(n)),
            Err(CallbackError::InvalidArgument)
        );
    }
    assert_eq!(reporter.set(6), GO_ON);
    assert_eq!(kept(&session, 2), 6);
    assert_eq!(session.snapshot().items.len(), 2);
}
