//! What counts as a change that observers are told of, what only shows in an item in work, and how long an item is in work.

use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use syncmgr::{
    Cursor, ErrorId, HResult, ItemId, ItemStatus, LogLevel, LogRecord, LogSelector, ProgressUpdate,
    Session, SyncCallback, Verdict,
};

use support::{id, join, open, receive, status, synchronizing, text, value, view};

/// What is done to a session, and what it is called.
type Step = (&'static str, fn(&Session));

/// The items that changed since the cursor, which moves on.
fn told(session: &Session, cursor: &mut Cursor) -> Vec<ItemId> {
    let changes = session.changes(*cursor);
    *cursor = changes.cursor();
    changes.items().iter().map(|view| view.id).collect()
}

#[track_caller]
fn report(session: &Session, update: &ProgressUpdate<'_>) {
    assert_eq!(session.progress(id(1), update), Ok(Verdict::Continue));
}

#[test]
fn what_is_reported_of_an_item_that_waits_is_told_once() {
    let session = open(2);
    let mut cursor = session.snapshot().cursor;
    for update in [ProgressUpdate::new().max(10), text("in the queue")] {
        report(&session, &update);
        assert_eq!(told(&session, &mut cursor), [id(1)], "{update:?}");
        assert_eq!(told(&session, &mut cursor), [], "{update:?}");
    }
}

#[test]
fn a_question_tells_nobody() {
    let session = open(1);
    let before = session.snapshot().cursor;
    report(&session, &ProgressUpdate::CHECK);
    assert_eq!(session.snapshot().cursor, before);
}

#[test]
fn a_failure_that_is_reported_again_is_told() {
    let session = open(1);
    report(&session, &status(ItemStatus::Failed));
    let mut cursor = session.snapshot().cursor;
    report(
        &session,
        &status(ItemStatus::Failed).text("the disk is full"),
    );
    assert_eq!(told(&session, &mut cursor), [id(1)]);
    assert_eq!(told(&session, &mut cursor), []);
}

#[test]
fn a_status_that_stays_as_it_is_wakes_nobody() {
    let session = open(1);
    report(&session, &status(ItemStatus::Paused));
    let before = session.snapshot().cursor;
    report(&session, &status(ItemStatus::Paused));
    assert_eq!(session.snapshot().cursor, before);
}

#[test]
fn an_item_with_a_status_is_in_work_though_it_has_no_value() {
    for reported in [
        ItemStatus::Updating,
        ItemStatus::UpdatingIndeterminate,
        ItemStatus::Paused,
        ItemStatus::Resuming,
    ] {
        let session = open(2);
        report(&session, &status(reported));
        let mut cursor = session.snapshot().cursor;
        for _ in 0..3 {
            assert_eq!(told(&session, &mut cursor), [id(1)], "{reported:?}");
        }
    }
}

#[test]
fn an_item_that_is_said_to_be_pending_is_not_in_work() {
    let session = open(1);
    report(&session, &status(ItemStatus::Pending));
    let mut cursor = session.snapshot().cursor;
    assert_eq!(told(&session, &mut cursor), []);
}

#[test]
fn the_end_of_the_round_ends_the_work_of_the_items_that_were_left_in_it() {
    let ends: [Step; 2] = [
        ("completion", |s| {
            assert_eq!(s.synchronize_completed(HResult::S_OK), Ok(()))
        }),
        ("release", |session| session.driver().release()),
    ];
    for (name, end) in ends {
        let session = synchronizing(2);
        report(&session, &value(7));
        let mut cursor = session.snapshot().cursor;
        end(&session);
        let changes = session.changes(cursor);
        assert_eq!(changes.items(), [view(&session, 1)], "{name}");
        assert_eq!(changes.items()[0].value, 7, "{name}");
        cursor = changes.cursor();
        assert_eq!(told(&session, &mut cursor), [], "after the {name}");
    }
}

#[test]
fn the_value_of_a_late_failure_outlasts_the_round_and_the_release() {
    let session = synchronizing(1);
    report(&session, &value(3));
    report(&session, &status(ItemStatus::Succeeded));
    report(&session, &status(ItemStatus::Failed).value(2));
    assert_eq!(view(&session, 1).value, 2);
    assert_eq!(session.synchronize_completed(HResult::S_OK), Ok(()));
    assert_eq!(view(&session, 1).value, 2);
    session.driver().release();
    assert_eq!(view(&session, 1).value, 2);
}

#[test]
fn log_entries_that_are_deleted_are_told_and_deleting_none_is_not() {
    let session = open(0);
    let error = ErrorId::from_u128(7);
    for which in [LogSelector::All, LogSelector::ById(error)] {
        let record = LogRecord::new(LogLevel::Error, "e").error_id(error);
        assert_eq!(session.log_error(&record), Ok(()));
        let logged = session.snapshot().cursor;
        assert_eq!(session.delete_log_error(which), Ok(()));
        let deleted = session.snapshot().cursor;
        assert!(deleted > logged, "{which:?}");
        assert_eq!(session.delete_log_error(LogSelector::All), Ok(()));
        assert_eq!(session.snapshot().cursor, deleted, "{which:?}");
    }
}

/// An event that comes while the observer sleeps ends its wait. Whether it sleeps cannot be seen, so there are many rounds, in
/// each of which it is told to wait before the event is made.
#[test]
fn an_observer_that_sleeps_is_woken_by_each_event() {
    const ROUNDS: usize = 1_000;
    let session = open(1);
    let (seen, rounds) = mpsc::channel();
    let observer = {
        let session = Arc::clone(&session);
        thread::spawn(move || {
            let mut cursor = session.snapshot().cursor;
            for round in 0..ROUNDS {
                seen.send(round).expect("the test listens");
                let changes = session.wait_for_change(cursor, Duration::MAX);
                assert!(changes.cursor() > cursor, "round {round}");
                cursor = changes.cursor();
            }
        })
    };
    for round in 0..ROUNDS {
        assert_eq!(receive("the observer's next round", &rounds), round);
        assert_eq!(session.set_handler_text("news"), Ok(Verdict::Continue));
    }
    join("the observer", observer);
}
