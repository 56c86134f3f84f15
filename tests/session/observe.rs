//! How a session is watched: changes since a cursor, the wait for one, the bounded journal, and when it is over.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use syncmgr::{
    Changes, Cursor, HResult, ItemId, ItemStatus, LogLevel, LogRecord, Phase, Session,
    SyncCallback, Verdict,
};

use support::{
    LIMIT, Stage, driven, id, ids, item, items, join, open, status, synchronizing, value, view,
};

/// What is done to a session, and what it is called.
type Step = (&'static str, fn(&Session));

fn named(changes: &Changes) -> Vec<ItemId> {
    let mut named: Vec<_> = changes.items().iter().map(|view| view.id).collect();
    named.sort();
    named
}

#[test]
fn a_snapshot_lists_every_item_in_order() {
    let session = Session::builder()
        .items([item(3), item(1)])
        .item(item(2))
        .build()
        .expect("distinct items build");
    assert_eq!(session.add_item(item(9)), Ok(()));
    assert_eq!(session.add_item(item(4)), Ok(()));
    let snapshot = session.snapshot();
    let order: Vec<_> = snapshot.items.iter().map(|view| view.id).collect();
    assert_eq!(order, [3, 1, 2, 9, 4].map(id));
    for seen in &snapshot.items {
        assert_eq!(session.item(seen.id).as_ref(), Some(seen));
    }
    assert_eq!(snapshot.phase, Phase::Open);
}

#[test]
fn nothing_has_changed_since_a_snapshot() {
    for stage in Stage::ALL {
        let session = stage.session(3);
        let snapshot = session.snapshot();
        let changes = session.changes(snapshot.cursor);
        assert_eq!(named(&changes), [], "{stage:?}");
        assert!(changes.log().is_empty(), "{stage:?}");
        assert!(changes.is_complete(), "{stage:?}");
        assert_eq!(changes.phase(), stage.phase());
        assert_eq!(changes.cursor(), snapshot.cursor, "{stage:?}");
    }
}

#[test]
fn an_item_in_work_is_in_every_changes() {
    let session = synchronizing(3);
    assert_eq!(session.progress(id(2), &value(5)), Ok(Verdict::Continue));
    let mut cursor = session.snapshot().cursor;
    for step in 6..9 {
        assert_eq!(session.progress(id(2), &value(step)), Ok(Verdict::Continue));
        let changes = session.changes(cursor);
        assert_eq!(
            named(&changes),
            [id(2)],
            "a plain value is seen without an event"
        );
        assert_eq!(changes.items()[0].value, step);
        cursor = changes.cursor();
    }
    assert_eq!(
        session.progress(id(2), &status(ItemStatus::Succeeded)),
        Ok(Verdict::Continue)
    );
    let last = session.changes(cursor);
    assert_eq!(named(&last), [id(2)]);
    assert_eq!(
        (last.items()[0].status, last.items()[0].value),
        (ItemStatus::Succeeded, 8)
    );
    assert_eq!(
        named(&session.changes(last.cursor())),
        [],
        "a finished item is told once"
    );
}

#[test]
fn a_status_that_changed_is_told_once_to_each_cursor() {
    let session = synchronizing(3);
    let start = session.snapshot().cursor;
    assert_eq!(
        session.progress(id(1), &status(ItemStatus::Skipped)),
        Ok(Verdict::Continue)
    );
    let middle = session.changes(start).cursor();
    assert_eq!(
        session.progress(id(3), &status(ItemStatus::Failed)),
        Ok(Verdict::Continue)
    );
    assert_eq!(named(&session.changes(start)), [id(1), id(3)]);
    assert_eq!(named(&session.changes(middle)), [id(3)]);
    assert_eq!(named(&session.changes(session.snapshot().cursor)), []);
}

#[test]
fn the_default_cursor_is_the_beginning() {
    let session = open(3);
    assert_eq!(
        session.progress(id(2), &status(ItemStatus::Succeeded)),
        Ok(Verdict::Continue)
    );
    let all = session.changes(Cursor::default());
    assert!(all.is_complete());
    assert_eq!(named(&all), [id(2)]);
    assert!(Cursor::default() < all.cursor(), "cursors grow");
}

#[test]
fn cursors_grow_with_each_event() {
    let session = synchronizing(2);
    let mut last = session.snapshot().cursor;
    let steps: [Step; 5] = [
        ("a status", |s| {
            assert_eq!(s.progress(id(1), &value(1)), Ok(Verdict::Continue))
        }),
        ("a log entry", |s| {
            assert_eq!(s.log_error(&LogRecord::new(LogLevel::Warning, "w")), Ok(()))
        }),
        ("a cancel", |s| assert_eq!(s.cancel_item(id(2)), Ok(()))),
        ("a phase", |s| {
            assert_eq!(s.synchronize_completed(HResult::S_OK), Ok(()))
        }),
        ("the release", |session| session.driver().release()),
    ];
    for (name, step) in steps {
        step(&session);
        let now = session.changes(last).cursor();
        assert!(now > last, "{name} is an event");
        last = now;
    }
}

#[test]
fn cancels_are_told() {
    let session = synchronizing(4);
    assert_eq!(
        session.progress(id(4), &status(ItemStatus::Succeeded)),
        Ok(Verdict::Continue)
    );
    let start = session.snapshot().cursor;
    assert_eq!(session.cancel_item(id(1)), Ok(()));
    let one = session.changes(start);
    assert_eq!(named(&one), [id(1)]);
    assert_eq!(one.items()[0].verdict, Verdict::CancelItem);
    session.cancel_all();
    let all = session.changes(one.cursor());
    assert_eq!(
        named(&all),
        [id(1), id(2), id(3)],
        "every unfinished item that takes part"
    );
    assert!(
        all.items()
            .iter()
            .all(|view| view.verdict == Verdict::CancelAll),
        "{:?}",
        all.items()
    );
}

#[test]
fn cancel_all_is_told_only_for_items_that_take_part() {
    let session = driven(3);
    support::start_round(&session, &[id(1), id(3)]);
    let start = session.snapshot().cursor;
    session.cancel_all();
    assert_eq!(named(&session.changes(start)), [id(1), id(3)]);
}

#[test]
fn changes_carry_the_log_entries_since_the_cursor() {
    let session = open(1);
    assert_eq!(
        session.log_error(&LogRecord::new(LogLevel::Error, "before")),
        Ok(())
    );
    let start = session.snapshot().cursor;
    for text in ["one", "two"] {
        assert_eq!(
            session.log_error(&LogRecord::new(LogLevel::Warning, text)),
            Ok(())
        );
    }
    let changes = session.changes(start);
    let texts: Vec<_> = changes
        .log()
        .iter()
        .map(|entry| entry.text.as_str())
        .collect();
    assert_eq!(texts, ["one", "two"]);
    assert!(session.changes(changes.cursor()).log().is_empty());
    assert_eq!(session.changes(Cursor::default()).log().len(), 3);
}

#[test]
fn an_item_that_was_added_is_told() {
    let session = synchronizing(1);
    let start = session.snapshot().cursor;
    assert_eq!(session.add_item(item(2)), Ok(()));
    assert_eq!(named(&session.changes(start)), [id(2)]);
}

#[test]
fn a_retry_is_told() {
    let session = driven(2);
    support::start_round(&session, &ids(2));
    for n in 1..=2 {
        assert_eq!(
            session.progress(id(n), &status(ItemStatus::Failed)),
            Ok(Verdict::Continue)
        );
    }
    assert_eq!(session.synchronize_completed(HResult::S_OK), Ok(()));
    let start = session.snapshot().cursor;
    assert_eq!(session.driver().begin_prepare(&[id(2)]), Ok(()));
    let changes = session.changes(start);
    assert_eq!(changes.phase(), Phase::Preparing);
    let anew = changes.items().iter().find(|view| view.id == id(2));
    assert_eq!(
        anew.map(|view| view.status),
        Some(ItemStatus::Pending),
        "{:?}",
        changes.items()
    );
}

#[test]
fn a_journal_that_ran_over_says_so_and_a_snapshot_recovers() {
    let session = Session::builder()
        .items(items(20))
        .journal_capacity(8)
        .build()
        .expect("distinct items build");
    let start = session.snapshot().cursor;
    for n in 1..=20 {
        assert_eq!(
            session.progress(id(n), &status(ItemStatus::Succeeded)),
            Ok(Verdict::Continue)
        );
    }
    let lost = session.changes(start);
    assert!(!lost.is_complete());
    assert!(!session.changes(Cursor::default()).is_complete());

    let snapshot = session.snapshot();
    assert!(
        snapshot
            .items
            .iter()
            .all(|view| view.status == ItemStatus::Succeeded),
        "the snapshot has lost nothing"
    );
    assert_eq!(snapshot.totals.finished, 20);
    let found = session.changes(snapshot.cursor);
    assert!(found.is_complete());
    assert_eq!(named(&found), []);
    assert_eq!(
        session.progress(id(3), &status(ItemStatus::Failed)),
        Ok(Verdict::Continue)
    );
    let next = session.changes(snapshot.cursor);
    assert!(next.is_complete());
    assert_eq!(named(&next), [id(3)]);
}

#[test]
fn a_journal_that_is_just_full_is_complete() {
    let session = Session::builder()
        .items(items(8))
        .journal_capacity(8)
        .build()
        .expect("distinct items build");
    let start = session.snapshot().cursor;
    for n in 1..=8 {
        assert_eq!(
            session.progress(id(n), &status(ItemStatus::Succeeded)),
            Ok(Verdict::Continue)
        );
    }
    let changes = session.changes(start);
    assert!(changes.is_complete());
    assert_eq!(named(&changes), ids(8));
}

#[test]
fn it_is_over_when_it_can_change_no_more() {
    for (stage, over) in [
        (Stage::Open, false),
        (Stage::OpenCompleted, true),
        (Stage::Idle, false),
        (Stage::Preparing, false),
        (Stage::Prepared, false),
        (Stage::Synchronizing, false),
        (Stage::Completed, false),
        (Stage::Released, true),
    ] {
        let session = stage.session(1);
        assert_eq!(
            session.changes(Cursor::default()).is_over(),
            over,
            "{stage:?}"
        );
        session.driver().release();
        assert!(
            session.changes(Cursor::default()).is_over(),
            "{stage:?} and released"
        );
    }
}

#[test]
fn a_wait_ends_with_each_kind_of_event() {
    let events: [Step; 6] = [
        ("a status", |s| {
            assert_eq!(s.progress(id(1), &value(1)), Ok(Verdict::Continue))
        }),
        ("a final status", |s| {
            assert_eq!(
                s.progress(id(1), &status(ItemStatus::Failed)),
                Ok(Verdict::Continue)
            );
        }),
        ("a log entry", |s| {
            assert_eq!(s.log_error(&LogRecord::new(LogLevel::Warning, "w")), Ok(()))
        }),
        ("a cancel", |s| assert_eq!(s.cancel_item(id(1)), Ok(()))),
        ("a phase", |s| {
            assert_eq!(s.synchronize_completed(HResult::S_OK), Ok(()))
        }),
        ("the release", |session| session.driver().release()),
    ];
    for (name, event) in events {
        let session = synchronizing(1);
        let cursor = session.snapshot().cursor;
        let waiting = {
            let session = Arc::clone(&session);
            thread::spawn(move || session.wait_for_change(cursor, Duration::MAX))
        };
        event(&session);
        let changes = join(name, waiting);
        assert!(changes.cursor() > cursor, "{name}");
        assert!(changes.is_complete(), "{name}");
    }
}

#[test]
fn a_wait_for_what_has_happened_ends_at_once() {
    let session = synchronizing(1);
    let cursor = session.snapshot().cursor;
    session.cancel_all();
    let started = Instant::now();
    let changes = session.wait_for_change(cursor, LIMIT);
    assert!(started.elapsed() < LIMIT / 2);
    assert_eq!(named(&changes), [id(1)]);
}

#[test]
fn a_wait_without_an_event_lasts_its_timeout() {
    const FRAME: Duration = Duration::from_millis(20);
    let session = synchronizing(1);
    let cursor = session.snapshot().cursor;
    let started = Instant::now();
    let changes = session.wait_for_change(cursor, FRAME);
    assert!(started.elapsed() >= FRAME);
    assert_eq!((named(&changes), changes.cursor()), (vec![], cursor));
}

#[test]
fn plain_values_never_end_a_wait() {
    const FRAME: Duration = Duration::from_millis(60);
    let session = synchronizing(1);
    assert_eq!(session.progress(id(1), &value(1)), Ok(Verdict::Continue));
    let cursor = session.snapshot().cursor;
    let stop = Arc::new(AtomicBool::new(false));
    let writer = {
        let (session, stop) = (Arc::clone(&session), Arc::clone(&stop));
        thread::spawn(move || {
            let reporter = session
                .reporter(id(1))
                .expect("a known item has a reporter");
            let mut step = 1;
            while !stop.load(Ordering::Relaxed) {
                step += 1;
                assert_eq!(reporter.set(step), Ok(Verdict::Continue));
                assert_eq!(session.progress(id(1), &value(step)), Ok(Verdict::Continue));
            }
        })
    };
    let started = Instant::now();
    let changes = session.wait_for_change(cursor, FRAME);
    let waited = started.elapsed();
    stop.store(true, Ordering::Relaxed);
    join("the writer", writer);
    assert!(waited >= FRAME, "it ended after {waited:?}");
    assert_eq!(
        named(&changes),
        [id(1)],
        "the frame shows the value nevertheless"
    );
    assert!(changes.items()[0].value > 1);
    assert_eq!(changes.cursor(), cursor);
}

#[test]
fn two_observers_do_not_disturb_each_other() {
    let session = synchronizing(2);
    let start = session.snapshot().cursor;
    assert_eq!(
        session.progress(id(1), &status(ItemStatus::Succeeded)),
        Ok(Verdict::Continue)
    );
    for _ in 0..3 {
        assert_eq!(
            named(&session.changes(start)),
            [id(1)],
            "reading consumes nothing"
        );
    }
    let ahead = session.changes(start).cursor();
    assert_eq!(named(&session.changes(ahead)), []);
    assert_eq!(named(&session.changes(start)), [id(1)]);
}

#[test]
fn a_cursor_from_another_sessions_future_harms_nothing() {
    let busy = open(50);
    for n in 1..=50 {
        assert_eq!(
            busy.progress(id(n), &status(ItemStatus::Succeeded)),
            Ok(Verdict::Continue)
        );
    }
    let session = open(1);
    let changes = session.changes(busy.snapshot().cursor);
    assert_eq!(changes.phase(), Phase::Open);
    let waited = session.wait_for_change(busy.snapshot().cursor, Duration::from_millis(1));
    assert_eq!(waited.phase(), Phase::Open);
    assert_eq!(view(&session, 1).status, ItemStatus::Pending);
}
