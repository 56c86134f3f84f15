//! `ItemReporter`: the fast handle of one item, what it stores, and what becomes of it when things end before it does.

use std::fmt;
use std::sync::Arc;
use std::thread;

use syncmgr::{
    CallbackError, ErrorId, HResult, ItemReporter, ItemStatus, LogLevel, LogRecord, LogSelector,
    ProgressUpdate, Session, SyncCallback, Verdict,
};

use support::forward::Forward;
use support::{Stage, driven, id, join, open, reporter, start_round, synchronizing, value, view};

#[derive(Debug)]
struct DiskFull;

impl fmt::Display for DiskFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the disk is full")
    }
}

impl std::error::Error for DiskFull {}

#[test]
fn set_stores_the_value() {
    let session = open(1);
    let reporter = reporter(&session, 1);
    assert_eq!(reporter.item(), id(1));
    for value in [0, 5, 3, u64::MAX] {
        assert_eq!(reporter.set(value), Ok(Verdict::Continue));
        let seen = view(&session, 1);
        assert_eq!((seen.status, seen.value), (ItemStatus::Updating, value));
    }
}

#[test]
fn making_a_reporter_is_no_report() {
    let session = open(1);
    let before = session.snapshot();
    let kept = reporter(&session, 1);
    assert_eq!(session.snapshot().cursor, before.cursor);
    assert_eq!(view(&session, 1).status, ItemStatus::Pending);
    drop(kept);
    assert_eq!(
        session.snapshot().cursor,
        before.cursor,
        "dropping one is none either"
    );
    assert_eq!(view(&session, 1).status, ItemStatus::Pending);
}

#[test]
fn check_changes_nothing() {
    let session = open(1);
    let reporter = reporter(&session, 1);
    assert_eq!(reporter.check(), Ok(Verdict::Continue));
    assert_eq!(view(&session, 1).status, ItemStatus::Pending);
    assert_eq!(reporter.set(4), Ok(Verdict::Continue));
    let before = view(&session, 1);
    assert_eq!(reporter.check(), Ok(Verdict::Continue));
    assert_eq!(view(&session, 1), before);
}

#[test]
fn report_carries_every_member() {
    let session = open(1);
    let reporter = reporter(&session, 1);
    let update = ProgressUpdate::new()
        .text("half")
        .status(ItemStatus::Resuming)
        .value(5)
        .max(10);
    assert_eq!(reporter.report(&update), Ok(Verdict::Continue));
    let seen = view(&session, 1);
    assert_eq!(
        (seen.text.as_str(), seen.status, seen.value, seen.max),
        ("half", ItemStatus::Resuming, 5, 10)
    );
}

#[test]
fn advance_adds_to_what_the_item_has() {
    let session = open(1);
    let reporter = reporter(&session, 1);
    assert_eq!(reporter.advance(3), Ok(Verdict::Continue));
    let seen = view(&session, 1);
    assert_eq!((seen.status, seen.value), (ItemStatus::Updating, 3));
    assert_eq!(reporter.advance(0), Ok(Verdict::Continue));
    assert_eq!(session.progress(id(1), &value(100)), Ok(Verdict::Continue));
    assert_eq!(reporter.advance(4), Ok(Verdict::Continue));
    assert_eq!(view(&session, 1).value, 104);
    assert_eq!(reporter.set(10), Ok(Verdict::Continue));
    assert_eq!(reporter.advance(1), Ok(Verdict::Continue));
    assert_eq!(view(&session, 1).value, 11);
}

#[test]
fn advance_wraps_past_the_largest_value() {
    let session = open(1);
    let reporter = reporter(&session, 1);
    assert_eq!(reporter.set(u64::MAX), Ok(Verdict::Continue));
    assert_eq!(reporter.advance(3), Ok(Verdict::Continue));
    assert_eq!(view(&session, 1).value, 2);
}

#[test]
fn advances_of_two_threads_add_up() {
    const STEPS: u64 = 100_000;
    let session = open(1);
    let shared = Arc::new(reporter(&session, 1));
    let own = reporter(&session, 1);
    let other = {
        let shared = Arc::clone(&shared);
        thread::spawn(move || {
            (0..STEPS).for_each(|_| assert_eq!(shared.advance(1), Ok(Verdict::Continue)))
        })
    };
    let third = thread::spawn(move || {
        (0..STEPS).for_each(|_| assert_eq!(own.advance(2), Ok(Verdict::Continue)))
    });
    (0..STEPS).for_each(|_| assert_eq!(shared.advance(1), Ok(Verdict::Continue)));
    join("the second advancing thread", other);
    join("the third advancing thread", third);
    assert_eq!(view(&session, 1).value, 4 * STEPS);
}

#[test]
fn each_ending_leaves_its_status_and_keeps_the_value() {
    type End = fn(ItemReporter) -> Result<(), CallbackError>;
    let ends: [(End, ItemStatus); 4] = [
        (ItemReporter::succeed, ItemStatus::Succeeded),
        (|reporter| reporter.fail(&DiskFull), ItemStatus::Failed),
        (ItemReporter::skip, ItemStatus::Skipped),
        (ItemReporter::stop, ItemStatus::Stopped),
    ];
    for (end, status) in ends {
        let session = open(1);
        let first = reporter(&session, 1);
        let second = reporter(&session, 1);
        assert_eq!(first.set(7), Ok(Verdict::Continue));
        assert_eq!(end(first), Ok(()), "{status:?}");
        let seen = view(&session, 1);
        assert_eq!((seen.status, seen.value), (status, 7));
        assert_eq!(
            second.set(8),
            Err(CallbackError::ItemFinished),
            "{status:?}"
        );
        assert_eq!(
            second.advance(8),
            Err(CallbackError::ItemFinished),
            "{status:?}"
        );
        assert_eq!(
            second.check(),
            Err(CallbackError::ItemFinished),
            "{status:?}"
        );
        assert_eq!(view(&session, 1), seen, "{status:?}");
    }
}

#[test]
fn an_ending_of_a_cancelled_item_is_taken() {
    let session = synchronizing(2);
    let (first, second) = (reporter(&session, 1), reporter(&session, 2));
    assert_eq!(session.cancel_item(id(1)), Ok(()));
    assert_eq!(first.set(1), Ok(Verdict::CancelItem));
    assert_eq!(first.stop(), Ok(()));
    session.cancel_all();
    assert_eq!(second.check(), Ok(Verdict::CancelAll));
    assert_eq!(second.succeed(), Ok(()));
    assert_eq!(view(&session, 1).status, ItemStatus::Stopped);
    assert_eq!(view(&session, 2).status, ItemStatus::Succeeded);
}

#[test]
fn an_ending_tells_why_it_was_refused() {
    let session = open(1);
    let (first, second) = (reporter(&session, 1), reporter(&session, 1));
    assert_eq!(first.succeed(), Ok(()));
    assert_eq!(second.stop(), Err(CallbackError::ItemFinished));
    assert_eq!(view(&session, 1).status, ItemStatus::Succeeded);
    let third = reporter(&session, 1);
    session.driver().release();
    assert_eq!(third.skip(), Err(CallbackError::Released));
}

#[test]
fn fail_logs_the_error_of_its_item() {
    let session = open(1);
    assert_eq!(reporter(&session, 1).fail(&DiskFull), Ok(()));
    let log = session.log();
    assert_eq!(log.len(), 1, "{log:?}");
    assert_eq!((log[0].level, log[0].item), (LogLevel::Error, Some(id(1))));
    assert!(
        log[0].text.contains("the disk is full"),
        "{:?}",
        log[0].text
    );
}

#[test]
fn a_full_log_does_not_keep_an_item_from_failing() {
    let session = Session::builder()
        .item(support::item(1))
        .log_capacity(1)
        .build()
        .expect("one item builds");
    assert_eq!(
        session.log_error(&LogRecord::new(LogLevel::Warning, "the only one")),
        Ok(())
    );
    let _ = reporter(&session, 1).fail(&DiskFull);
    assert_eq!(view(&session, 1).status, ItemStatus::Failed);
    assert_eq!(session.log().len(), 1);
    assert_eq!(session.log_refused(), 1);
}

#[test]
fn an_unknown_item_has_no_reporter() {
    for stage in [
        Stage::Open,
        Stage::Idle,
        Stage::Preparing,
        Stage::Synchronizing,
    ] {
        let session = stage.session(1);
        assert_eq!(
            session.reporter(id(9)).err(),
            Some(CallbackError::UnknownItem),
            "{stage:?}"
        );
    }
}

#[test]
fn a_reporter_made_before_the_first_prepare_works_in_the_round() {
    let session = driven(2);
    let early = reporter(&session, 1);
    let outside = reporter(&session, 2);
    assert_eq!(early.set(1), Err(CallbackError::WrongPhase));
    start_round(&session, &[id(1)]);
    assert_eq!(early.set(2), Ok(Verdict::Continue));
    assert_eq!(view(&session, 1).value, 2);
    assert_eq!(outside.set(2), Err(CallbackError::UnknownItem));
    assert_eq!(outside.check(), Err(CallbackError::UnknownItem));
    assert_eq!(view(&session, 2).value, 0);
}

#[test]
fn a_reporter_from_before_a_retry_is_released_for_ever() {
    let session = driven(1);
    start_round(&session, &[id(1)]);
    let stale = reporter(&session, 1);
    assert_eq!(stale.set(5), Ok(Verdict::Continue));
    for round in 2..5 {
        assert_eq!(session.synchronize_completed(HResult::S_OK), Ok(()));
        start_round(&session, &[id(1)]);
        assert_eq!(stale.set(6), Err(CallbackError::Released), "round {round}");
        assert_eq!(
            stale.advance(6),
            Err(CallbackError::Released),
            "round {round}"
        );
        assert_eq!(stale.check(), Err(CallbackError::Released), "round {round}");
        assert_eq!(
            stale.report(&support::text("stale")),
            Err(CallbackError::Released),
            "round {round}"
        );
        let seen = view(&session, 1);
        assert_eq!(
            (seen.status, seen.value, seen.text.as_str()),
            (ItemStatus::Pending, 0, ""),
            "round {round}"
        );
        let fresh = reporter(&session, 1);
        assert_eq!(fresh.set(round), Ok(Verdict::Continue), "round {round}");
        assert_eq!(stale.set(9), Err(CallbackError::Released), "round {round}");
        assert_eq!(view(&session, 1).value, round);
    }
    assert_eq!(stale.fail(&DiskFull), Err(CallbackError::Released));
    assert_eq!(view(&session, 1).status, ItemStatus::Updating);
}

#[test]
fn a_reporter_kept_after_completion_and_release_is_refused() {
    let session = synchronizing(1);
    let kept = reporter(&session, 1);
    assert_eq!(kept.set(1), Ok(Verdict::Continue));
    assert_eq!(session.synchronize_completed(HResult::S_OK), Ok(()));
    assert_eq!(kept.set(2), Err(CallbackError::WrongPhase));
    assert_eq!(kept.advance(2), Err(CallbackError::WrongPhase));
    session.driver().release();
    assert_eq!(kept.set(3), Err(CallbackError::Released));
    assert_eq!(kept.advance(3), Err(CallbackError::Released));
    assert_eq!(kept.check(), Err(CallbackError::Released));
    assert_eq!(view(&session, 1).value, 1);
    assert_eq!(kept.succeed(), Err(CallbackError::Released));
}

#[test]
fn a_reporter_outlives_its_session() {
    let session = open(2);
    let (first, second) = (reporter(&session, 1), reporter(&session, 2));
    assert_eq!(first.set(1), Ok(Verdict::Continue));
    assert_eq!(second.set(1), Ok(Verdict::Continue));
    drop(session);
    // Nobody is left to read it, so only that it answers counts.
    let answers = [
        first.set(2),
        first.advance(1),
        first.check(),
        first.report(&support::text("on")),
    ];
    assert!(
        answers.iter().all(|answer| *answer == answers[0]),
        "{answers:?}"
    );
    let _ = first.succeed();

    let session = open(1);
    let third = reporter(&session, 1);
    session.driver().release();
    drop(session);
    assert_eq!(third.set(2), Err(CallbackError::Released));
    assert_eq!(third.stop(), Err(CallbackError::Released));
    drop(second);
}

#[test]
fn a_panic_ends_the_item_of_a_reporter_on_the_stack() {
    let session = synchronizing(2);
    let worker = reporter(&session, 1);
    let panicked = thread::spawn(move || {
        assert_eq!(worker.set(3), Ok(Verdict::Continue));
        panic!("the worker of item 1 breaks");
    })
    .join();
    assert!(panicked.is_err());
    let seen = view(&session, 1);
    assert_eq!((seen.status, seen.value), (ItemStatus::Failed, 3));
    let log = session.log();
    let told = seen.text.contains("worker panicked")
        || log
            .iter()
            .any(|entry| entry.item == Some(id(1)) && entry.text.contains("worker panicked"));
    assert!(
        told,
        "neither the text {:?} nor the log {log:?} tells it",
        seen.text
    );
    assert_eq!(
        view(&session, 2).status,
        ItemStatus::Pending,
        "the other item goes on"
    );
    assert_eq!(session.progress(id(2), &value(1)), Ok(Verdict::Continue));
}

#[test]
fn a_panic_ends_the_item_through_a_plain_callback_too() {
    let session = synchronizing(1);
    let callback: Arc<dyn SyncCallback> = session.clone();
    let worker = ItemReporter::new(&callback, id(1));
    let panicked = thread::spawn(move || {
        let _worker = worker;
        panic!("the worker breaks before its first report");
    })
    .join();
    assert!(panicked.is_err());
    assert_eq!(view(&session, 1).status, ItemStatus::Failed);
}

#[test]
fn a_panic_after_the_release_harms_nothing() {
    let session = synchronizing(1);
    let worker = reporter(&session, 1);
    session.driver().release();
    let panicked = thread::spawn(move || {
        let _worker = worker;
        panic!("the worker breaks after the release");
    })
    .join();
    assert!(panicked.is_err());
    assert_eq!(view(&session, 1).status, ItemStatus::Pending);
}

#[test]
fn a_reporter_dropped_otherwise_reports_nothing() {
    let session = open(1);
    let worker = reporter(&session, 1);
    assert_eq!(worker.set(3), Ok(Verdict::Continue));
    let before = session.snapshot();
    drop(worker);
    let after = session.snapshot();
    assert_eq!(after.items, before.items);
    assert_eq!(after.cursor, before.cursor);
    assert_eq!(session.progress(id(1), &value(4)), Ok(Verdict::Continue));
}

#[test]
fn two_sessions_of_one_id_do_not_mix() {
    let (left, right) = (open(1), open(1));
    let (of_left, of_right) = (reporter(&left, 1), reporter(&right, 1));
    assert_eq!(left.cancel_item(id(1)), Ok(()));
    for step in 1..100 {
        assert_eq!(of_left.set(step), Ok(Verdict::CancelItem));
        assert_eq!(of_right.set(2 * step), Ok(Verdict::Continue));
        assert_eq!(left.progress(id(1), &value(step)), Ok(Verdict::CancelItem));
        assert_eq!(
            right.progress(id(1), &value(2 * step)),
            Ok(Verdict::Continue)
        );
        assert_eq!(
            (view(&left, 1).value, view(&right, 1).value),
            (step, 2 * step)
        );
    }
}

#[test]
fn fail_as_logs_one_entry_that_can_be_shown_and_deleted() {
    let session = open(1);
    let reporter = session.reporter(id(1)).expect("a reporter");
    let error = ErrorId::from_u128(7);
    assert_eq!(reporter.fail_as(&std::fmt::Error, error), Ok(()));
    let log = session.log();
    let [entry] = log.as_slice() else {
        panic!("{log:?}");
    };
    assert_eq!((entry.item, entry.error_id), (Some(id(1)), Some(error)));
    assert!(entry.can_be_shown());
    assert_eq!(view(&session, 1).text, std::fmt::Error.to_string());
    assert_eq!(session.delete_log_error(LogSelector::ById(error)), Ok(()));
    assert!(session.log().is_empty());
}

#[test]
fn a_session_prints_itself_in_a_line_however_many_items_it_has() {
    let text = format!("{:?}", open(10_000));
    assert!(
        text.contains("items: 10000") && text.contains("phase: Open"),
        "{text}"
    );
    assert!(text.len() < 200, "{text}");
}

#[test]
fn a_counter_goes_on_from_the_value_of_its_reporter() {
    let session = open(1);
    let mut own = reporter(&session, 1);
    assert_eq!(own.set(5), Ok(Verdict::Continue));
    assert_eq!(own.advance(2), Ok(Verdict::Continue));
    let mut counter = own.counter();
    assert_eq!(counter.total(), 7);
    assert_eq!(counter.advance(3), Ok(Verdict::Continue));
    assert_eq!((counter.total(), view(&session, 1).value), (10, 10));
    // Another reporter overwrites, until the next step.
    assert_eq!(reporter(&session, 1).set(1), Ok(Verdict::Continue));
    assert_eq!(view(&session, 1).value, 1);
    assert_eq!(counter.advance(0), Ok(Verdict::Continue));
    assert_eq!(view(&session, 1).value, 10);
    assert_eq!(counter.advance(u64::MAX), Ok(Verdict::Continue), "it wraps");
    assert_eq!(view(&session, 1).value, 9);
    session.cancel_item(id(1)).expect("it takes part");
    assert_eq!(counter.advance(1), Ok(Verdict::CancelItem));
    assert_eq!(view(&session, 1).value, 10);
    assert_eq!(session.synchronize_completed(HResult::S_OK), Ok(()));
    assert_eq!(counter.advance(1), Err(CallbackError::WrongPhase));
    assert_eq!(counter.total(), 10, "what is refused is not added");
    assert_eq!(own.advance(1), Err(CallbackError::WrongPhase));
}

#[test]
fn a_counter_counts_through_a_wrapper() {
    let session = open(1);
    let wrapper: Arc<dyn SyncCallback> = Arc::new(Forward {
        inner: session.clone(),
        counts: Arc::default(),
    });
    let mut own = ItemReporter::new(&wrapper, id(1));
    assert_eq!(own.advance(4), Ok(Verdict::Continue));
    let mut counter = own.counter();
    assert_eq!(counter.advance(3), Ok(Verdict::Continue));
    assert_eq!((counter.total(), view(&session, 1).value), (7, 7));
    assert_eq!(own.advance(1), Ok(Verdict::Continue));
    assert_eq!(view(&session, 1).value, 8);
}
