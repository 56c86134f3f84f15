//! What observers and the driver with a deadline see.

use super::*;

/// Follows a session by `changes` until it is over; answers what it saw of the item last.
fn follow(session: &Session) -> Option<(ItemStatus, u64, u64)> {
    let mut last = None;
    let mut cursor = Cursor::default();
    loop {
        let changes = session.wait_for_change(cursor, Duration::MAX);
        assert!(changes.is_complete());
        assert!(changes.cursor() >= cursor, "went back");
        cursor = changes.cursor();
        let view = changes.items().iter().find(|view| view.id == A);
        let in_work = last.is_some_and(|(status, _, _): (ItemStatus, u64, u64)| !status.is_final());
        assert!(
            view.is_some() || !in_work || changes.is_over(),
            "an item in work is listed by every call"
        );
        if let Some(view) = view {
            last = Some((view.status, view.value, view.max));
        }
        if changes.is_over() {
            return last;
        }
    }
}

#[test]
fn an_observer_by_changes_sees_the_last_value_and_status() {
    check(|| {
        let session = open(&[A]);
        let worker = spawn(&session, |session| {
            let reporter = session.reporter(A).expect("known");
            assert_eq!(reporter.set(1), Ok(Verdict::Continue));
            assert_eq!(reporter.set(2), Ok(Verdict::Continue));
            assert_eq!(reporter.succeed(), Ok(()));
            session.synchronize_completed(HResult::S_OK).expect("open");
        });
        let last = follow(&session);
        assert_eq!(last, Some((ItemStatus::Succeeded, 2, 0)));
        join(worker);
    });
}

#[test]
fn an_observer_by_changes_sees_the_last_value_of_an_item_that_is_left_open() {
    check(|| {
        let session = open(&[A]);
        let worker = spawn(&session, |session| {
            let reporter = begun(session, A);
            assert_eq!(reporter.report(&value(2).max(4)), Ok(Verdict::Continue));
            session.synchronize_completed(HResult::S_OK).expect("open");
        });
        let last = follow(&session);
        assert_eq!(last, Some((ItemStatus::Updating, 2, 4)));
        join(worker);
    });
}

#[test]
fn an_item_that_ends_is_listed_by_every_look() {
    check(|| {
        let session = open(&[A]);
        let reporter = begun(&session, A);
        let cursor = session.changes(Cursor::default()).cursor();
        let worker = thread::spawn(move || reporter.succeed());
        let changes = session.changes(cursor);
        assert_eq!(changes.items().len(), 1, "neither in work nor ended");
        assert_eq!(join(worker), Ok(()));
    });
}

#[test]
fn a_proposed_item_that_ends_while_it_is_committed_is_listed_with_its_end() {
    check(|| {
        let session = open(&[]);
        session.propose_item(item(A)).expect("new");
        let reporter = begun(&session, A);
        let cursor = session.changes(Cursor::default()).cursor();
        let worker = thread::spawn(move || reporter.succeed());
        assert_eq!(session.commit_item(A), Ok(()));
        assert_eq!(join(worker), Ok(()));
        let changes = session.changes(cursor);
        let statuses: Vec<_> = changes.items().iter().map(|view| view.status).collect();
        assert_eq!(statuses, [ItemStatus::Succeeded]);
        let later = session.changes(changes.cursor());
        assert!(later.items().is_empty(), "it is in work no more");
    });
}

#[test]
fn an_item_that_ended_is_in_work_no_more() {
    check(|| {
        let session = open(&[A]);
        let other = spawn(&session, |session| session.progress(A, &value(1)));
        let ended = session.progress(A, &status(ItemStatus::Succeeded));
        assert_eq!(ended, Ok(Verdict::Continue));
        one_of(
            join(other),
            &[Ok(Verdict::Continue), Err(CallbackError::ItemFinished)],
        );
        let cursor = session.snapshot().cursor;
        assert_eq!(session.changes(cursor).items(), []);
    });
}

/// Worker, user and observer at once.
#[test]
fn an_observer_by_changes_sees_how_a_cancelled_item_ends() {
    check_bounded(2, || {
        let session = open(&[A]);
        let reporter = begun(&session, A);
        let user = spawn(&session, |session| session.cancel_item(A));
        let worker = spawn(&session, |session| {
            let verdict = reporter.set(2).expect("in work");
            assert_eq!(reporter.stop(), Ok(()));
            session.synchronize_completed(HResult::S_OK).expect("open");
            verdict
        });
        assert_eq!(follow(&session), Some((ItemStatus::Stopped, 2, 0)));
        let verdict = join(worker);
        assert_eq!(join(user), Ok(()));
        let view = session.item(A).expect("known");
        assert!(verdict == Verdict::Continue || view.verdict == verdict);
    });
}

#[test]
fn no_change_falls_between_a_snapshot_and_the_changes_after_it() {
    check(|| {
        let session = open(&[A]);
        let worker = spawn(&session, |session| {
            session.reporter(A).expect("known").skip().expect("open");
            session.add_item(item(B)).expect("new");
        });
        let snapshot = session.snapshot();
        join(worker);
        let changes = session.changes(snapshot.cursor);
        let views = || snapshot.items.iter().chain(changes.items());
        let last = views().rfind(|view| view.id == A);
        assert_eq!(last.expect("known").status, ItemStatus::Skipped);
        assert!(views().any(|view| view.id == B), "the added item");
    });
}

#[test]
fn a_cancel_of_everything_is_listed_for_an_item_in_work() {
    check(|| {
        let session = open(&[A]);
        let cursor = session.snapshot().cursor;
        let other = spawn(&session, |session| session.cancel_all());
        let changes = session.wait_for_change(cursor, Duration::MAX);
        assert_eq!(changes.items().len(), 1);
        assert_eq!(changes.items()[0].verdict, Verdict::CancelAll);
        join(other);
    });
}

#[test]
fn a_call_of_the_handler_is_activity_once() {
    check(|| {
        let session = open(&[A]);
        let reporter = begun(&session, A);
        assert!(session.driver().take_activity());
        let worker = thread::spawn(move || reporter.set(2));
        let during = session.driver().take_activity();
        assert_eq!(join(worker), Ok(Verdict::Continue));
        let after = session.driver().take_activity();
        assert!(during != after, "{during}, {after}");
        assert!(!session.driver().take_activity());
    });
}

#[test]
fn a_question_of_the_handler_is_activity_too() {
    check(|| {
        let session = open(&[A]);
        let reporter = begun(&session, A);
        assert_eq!(reporter.check(), Ok(Verdict::Continue));
        assert!(session.driver().take_activity());
        let worker = thread::spawn(move || reporter.check());
        let during = session.driver().take_activity();
        assert_eq!(join(worker), Ok(Verdict::Continue));
        assert!(during || session.driver().take_activity());
        assert!(!session.driver().take_activity());
    });
}
