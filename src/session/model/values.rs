//! Values, maxima and final statuses.

use super::*;

#[test]
fn a_value_and_its_maximum_are_seen_as_a_pair() {
    check(|| {
        let session = open(&[A]);
        let worker = spawn(&session, |session| {
            for update in [value(10).max(10), value(20).max(20)] {
                let answer = session.progress(A, &update);
                assert_eq!(answer, Ok(Verdict::Continue));
            }
        });
        let pairs = [(0, 0), (10, 10), (20, 20)];
        let mut last = 0;
        for _ in 0..2 {
            let view = session.item(A).expect("known");
            one_of((view.value, view.max), &pairs);
            assert!(view.value >= last, "went back");
            last = view.value;
        }
        join(worker);
    });
}

#[test]
fn two_threads_that_advance_one_item_lose_no_step() {
    check(|| {
        let session = open(&[A]);
        let reporter = Arc::new(session.reporter(A).expect("known"));
        let other = {
            let reporter = Arc::clone(&reporter);
            thread::spawn(move || {
                for _ in 0..2 {
                    assert_eq!(reporter.advance(1), Ok(Verdict::Continue));
                }
            })
        };
        for _ in 0..2 {
            assert_eq!(reporter.advance(10), Ok(Verdict::Continue));
        }
        join(other);
        let view = session.item(A).expect("known");
        assert_eq!((view.value, view.status), (22, ItemStatus::Updating));
    });
}

#[test]
fn the_last_value_of_a_finished_item_stays_whatever_comes_late() {
    check(|| {
        let session = open(&[A]);
        let reporter = begun(&session, A);
        let late = thread::spawn(move || reporter.set(5));
        let answer = session.progress(A, &status(ItemStatus::Succeeded));
        assert_eq!(answer, Ok(Verdict::Continue));
        let seen = session.item(A).expect("known");
        one_of(seen.value, &[1, 5]);
        one_of(
            join(late),
            &[Ok(Verdict::Continue), Err(CallbackError::ItemFinished)],
        );
        assert_eq!(session.item(A).expect("known"), seen, "changed after it");
    });
}

#[test]
fn the_text_and_maximum_of_a_finished_item_stay_whatever_comes_late() {
    check(|| {
        let session = open(&[A]);
        let reporter = begun(&session, A);
        let late = thread::spawn(move || reporter.report(&value(5).max(9).text("late")));
        let answer = session.progress(A, &status(ItemStatus::Succeeded));
        assert_eq!(answer, Ok(Verdict::Continue));
        let seen = session.item(A).expect("known");
        let whole = (seen.value, seen.max, seen.text.as_str());
        one_of(whole, &[(1, 0, ""), (5, 9, "late")]);
        let taken = join(late);
        one_of(
            taken,
            &[Ok(Verdict::Continue), Err(CallbackError::ItemFinished)],
        );
        assert_eq!(taken.is_ok(), seen.max == 9, "told otherwise than done");
        assert_eq!(session.item(A).expect("known"), seen, "changed after it");
    });
}

#[test]
fn a_value_set_before_the_final_status_is_the_last_value() {
    check(|| {
        let session = open(&[A]);
        let reporter = begun(&session, A);
        let worker = thread::spawn(move || reporter.set(5));
        // The set happens before the status, which another thread reports.
        assert_eq!(join(worker), Ok(Verdict::Continue));
        let ender = spawn(&session, |session| {
            session.progress(A, &status(ItemStatus::Succeeded))
        });
        let seen = session.item(A).expect("known");
        assert_eq!(seen.value, 5);
        assert_eq!(join(ender), Ok(Verdict::Continue));
        assert_eq!(session.item(A).expect("known").value, 5);
    });
}

#[test]
fn a_final_status_is_taken_from_one_of_two_threads() {
    check(|| {
        let session = open(&[A]);
        let reporter = begun(&session, A);
        let worker = thread::spawn(move || reporter.stop());
        let mine = session.progress(A, &status(ItemStatus::Succeeded));
        let theirs = join(worker);
        assert_ne!(mine.is_ok(), theirs.is_ok(), "{mine:?}, {theirs:?}");
        let wanted = if mine.is_ok() {
            ItemStatus::Succeeded
        } else {
            ItemStatus::Stopped
        };
        assert_eq!(session.item(A).expect("known").status, wanted);
    });
}

#[test]
fn a_report_by_id_and_one_by_reporter_go_to_one_place() {
    check(|| {
        let session = open(&[A]);
        let reporter = session.reporter(A).expect("known");
        let worker = thread::spawn(move || reporter.set(1));
        assert_eq!(session.progress(A, &value(2)), Ok(Verdict::Continue));
        assert_eq!(join(worker), Ok(Verdict::Continue));
        one_of(session.item(A).expect("known").value, &[1, 2]);
        assert_eq!(session.progress(A, &value(3)), Ok(Verdict::Continue));
        assert_eq!(session.item(A).expect("known").value, 3);
    });
}

#[test]
fn an_item_added_while_another_is_reported_is_found() {
    check(|| {
        let session = open(&[A]);
        let adder = spawn(&session, |session| {
            session.add_item(item(B)).expect("new");
            session.progress(B, &value(4))
        });
        one_of(
            session.progress(B, &value(2)),
            &[Ok(Verdict::Continue), Err(CallbackError::UnknownItem)],
        );
        assert_eq!(join(adder), Ok(Verdict::Continue));
        one_of(session.item(B).expect("added").value, &[2, 4]);
    });
}

/// A worker writes something of its own, then reports by `report`; who looks at the item and sees the new value also
/// sees what was written. The write and the look at it are `Relaxed`, so nothing but the report orders them.
fn published(report: fn(&Session, &ItemReporter), look: fn(&Arc<Session>) -> u64) {
    check(move || {
        let session = open(&[A]);
        let reporter = begun(&session, A);
        let written = Arc::new(AtomicUsize::new(0));
        let worker = {
            let (written, session) = (Arc::clone(&written), Arc::clone(&session));
            thread::spawn(move || {
                written.store(1, Ordering::Relaxed);
                report(&session, &reporter);
            })
        };
        if look(&session) == 5 {
            assert_eq!(written.load(Ordering::Relaxed), 1, "the value came first");
        }
        join(worker);
    });
}

fn seen(session: &Arc<Session>) -> u64 {
    session.item(A).expect("known").value
}

/// The value after another thread has ended the item: its copy at that moment.
fn seen_at_the_end(session: &Arc<Session>) -> u64 {
    let ender = spawn(session, |session| {
        session.progress(A, &status(ItemStatus::Succeeded))
    });
    let value = seen(session);
    assert_eq!(join(ender), Ok(Verdict::Continue));
    value.max(seen(session))
}

#[test]
fn who_sees_a_value_sees_what_the_worker_did_before_it() {
    published(
        |_, reporter| {
            let _ = reporter.set(5);
        },
        seen,
    );
}

#[test]
fn who_sees_a_value_by_id_sees_what_the_worker_did_before_it() {
    published(
        |session, _| {
            let _ = session.progress(A, &value(5));
        },
        seen,
    );
}

#[test]
fn who_sees_an_advanced_value_sees_what_the_worker_did_before_it() {
    published(
        |_, reporter| {
            let _ = reporter.advance(4);
        },
        seen,
    );
}

#[test]
fn who_sees_the_last_value_sees_what_the_worker_did_before_it() {
    published(
        |_, reporter| {
            let _ = reporter.set(5);
        },
        seen_at_the_end,
    );
}
