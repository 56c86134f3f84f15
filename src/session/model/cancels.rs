//! Reports and cancels.

use super::*;

/// The worker learns by its own means that the cancel call has returned: then its next report is told. One that is
/// not known to come later may be answered either way, but no report goes back to `Continue`.
fn told(cancel: fn(&Session), verdict: Verdict, by_id: bool) {
    check(move || {
        let session = open(&[A]);
        let reporter = begun(&session, A);
        let returned = Arc::new(AtomicUsize::new(0));
        let worker = {
            let (returned, session) = (Arc::clone(&returned), Arc::clone(&session));
            thread::spawn(move || {
                let report = |done| match by_id {
                    true => session.progress(A, &value(done)),
                    false => reporter.set(done),
                };
                let mut told = false;
                for done in 2..4 {
                    let later = returned.load(Ordering::Acquire) == 1;
                    let answer = report(done).expect("the item is in work");
                    one_of(answer, &[Verdict::Continue, verdict]);
                    assert!(!(later || told) || answer == verdict, "a missed cancel");
                    told = answer == verdict;
                }
            })
        };
        cancel(&session);
        returned.store(1, Ordering::Release);
        join(worker);
        let view = session.item(A).expect("known");
        assert_eq!((view.value, view.verdict), (3, verdict));
    });
}

#[test]
fn a_report_after_cancel_item_returned_is_told() {
    told(
        |session| session.cancel_item(A).expect("known"),
        Verdict::CancelItem,
        false,
    );
}

#[test]
fn a_report_by_id_after_cancel_item_returned_is_told() {
    told(
        |session| session.cancel_item(A).expect("known"),
        Verdict::CancelItem,
        true,
    );
}

#[test]
fn a_report_after_cancel_all_returned_is_told() {
    told(Session::cancel_all, Verdict::CancelAll, false);
}

#[test]
fn a_check_and_an_advance_after_a_cancel_returned_are_told() {
    check(|| {
        let session = open(&[A]);
        let reporter = begun(&session, A);
        assert_eq!(reporter.check(), Ok(Verdict::Continue)); // from now on checks are quiet
        let returned = Arc::new(AtomicUsize::new(0));
        let worker = {
            let returned = Arc::clone(&returned);
            thread::spawn(move || {
                let later = returned.load(Ordering::Acquire) == 1;
                let answers = [reporter.check(), reporter.advance(1)];
                for answer in answers {
                    one_of(answer, &[Ok(Verdict::Continue), Ok(Verdict::CancelItem)]);
                }
                let told = [Ok(Verdict::CancelItem); 2];
                assert!(!later || answers == told, "a missed cancel");
            })
        };
        session.cancel_item(A).expect("known");
        returned.store(1, Ordering::Release);
        join(worker);
        assert_eq!(session.item(A).expect("known").value, 2);
    });
}

#[test]
fn the_second_of_two_cancel_all_calls_returns_no_earlier_than_the_cancel() {
    check(|| {
        let session = open(&[A]);
        let reporter = begun(&session, A);
        let other = spawn(&session, |session| session.cancel_all());
        session.cancel_all();
        assert_eq!(reporter.set(2), Ok(Verdict::CancelAll));
        join(other);
    });
}

#[test]
fn an_item_added_while_everything_is_cancelled_is_cancelled() {
    check(|| {
        let session = open(&[A]);
        let adder = spawn(&session, |session| {
            session.add_item(item(B)).expect("new");
        });
        session.cancel_all();
        join(adder);
        assert_eq!(session.progress(B, &value(1)), Ok(Verdict::CancelAll));
        assert_eq!(session.progress(A, &value(1)), Ok(Verdict::CancelAll));
    });
}

#[test]
fn a_cancel_and_the_end_of_the_item_leave_one_of_two_states() {
    check(|| {
        let session = open(&[A]);
        let reporter = begun(&session, A);
        let worker = thread::spawn(move || reporter.succeed());
        assert_eq!(session.cancel_item(A), Ok(()));
        assert_eq!(join(worker), Ok(()));
        let view = session.item(A).expect("known");
        assert_eq!((view.status, view.value), (ItemStatus::Succeeded, 1));
        one_of(view.verdict, &[Verdict::Continue, Verdict::CancelItem]);
    });
}

/// A skip reaches the driver once, or the item had ended before it.
#[test]
fn a_skip_is_told_to_the_driver_once_or_came_after_the_end() {
    check(|| {
        let session = open(&[A]);
        let worker = spawn(&session, |session| {
            session.progress(A, &status(ItemStatus::Succeeded))
        });
        let other = spawn(&session, |session| session.skip_item(A));
        assert_eq!(session.skip_item(A), Ok(()));
        assert_eq!(join(other), Ok(()));
        let skipped = join(worker) == Ok(Verdict::CancelItem);
        let verdict = session.item(A).expect("known").verdict;
        assert_eq!(verdict == Verdict::CancelItem, skipped);
        let told = session.driver().next_event(Duration::ZERO);
        assert_eq!(told.is_some(), skipped, "{told:?}");
        assert_eq!(session.driver().next_event(Duration::ZERO), None);
    });
}
