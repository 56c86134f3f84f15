//! The release, and the end of the session.

use super::*;

#[test]
fn a_report_after_the_release_returned_is_refused() {
    check(|| {
        let session = open(&[A]);
        let reporter = begun(&session, A);
        let returned = Arc::new(AtomicUsize::new(0));
        let worker = {
            let returned = Arc::clone(&returned);
            thread::spawn(move || {
                let later = returned.load(Ordering::Acquire) == 1;
                let answer = reporter.set(2);
                one_of(
                    answer,
                    &[Ok(Verdict::Continue), Err(CallbackError::Released)],
                );
                assert!(!later || answer.is_err(), "taken after the release");
                later
            })
        };
        session.driver().release();
        returned.store(1, Ordering::Release);
        let frozen = session.item(A).expect("known");
        join(worker);
        assert_eq!(session.item(A).expect("known"), frozen, "changed after it");
    });
}

#[test]
fn a_driver_that_waits_hears_the_release() {
    check(|| {
        let session = synchronizing(&[A]);
        let first = HostEvent::PrepareCompleted(HResult::S_OK);
        assert_eq!(session.driver().next_event(Duration::MAX), Some(first));
        let user = spawn(&session, |session| session.driver().release());
        assert_eq!(session.driver().next_event(Duration::MAX), None);
        assert_eq!(session.phase(), Phase::Released);
        join(user);
    });
}

#[test]
fn a_driver_that_waits_hears_the_completion() {
    check(|| {
        let session = open(&[]);
        let worker = spawn(&session, |session| {
            session.synchronize_completed(HResult::S_OK)
        });
        let event = HostEvent::SynchronizeCompleted(HResult::S_OK);
        assert_eq!(session.driver().next_event(Duration::MAX), Some(event));
        assert_eq!(session.phase(), Phase::Completed);
        assert_eq!(join(worker), Ok(()));
    });
}

#[test]
fn a_reporter_that_outlives_the_session_is_refused() {
    check(|| {
        let session = open(&[A]);
        let reporter = begun(&session, A);
        let worker = thread::spawn(move || {
            let first = reporter.report(&value(2));
            (first, reporter)
        });
        drop(session); // perhaps not the last reference: the worker may have one for a moment
        let (first, reporter) = join(worker);
        one_of(
            first,
            &[Ok(Verdict::Continue), Err(CallbackError::Released)],
        );
        assert_eq!(reporter.set(3), Err(CallbackError::Released));
    });
}

/// A worker reports while the session ends; who sees that it is over sees the last of it.
fn nothing_changes_once_it_is_over(end: fn(&Arc<Session>)) {
    check(move || {
        let session = open(&[A]);
        let reporter = begun(&session, A);
        let worker = thread::spawn(move || reporter.set(2).is_ok());
        let ender = spawn(&session, end);
        let seen = session.changes(Cursor::default());
        let view = session.item(A).expect("known");
        let _ = join(worker);
        join(ender);
        if seen.is_over() {
            assert_eq!(session.item(A).expect("known"), view, "changed after it");
        }
    });
}

#[test]
fn nothing_changes_once_the_session_is_seen_completed() {
    nothing_changes_once_it_is_over(|session| {
        session.synchronize_completed(HResult::S_OK).expect("open");
    });
}

#[test]
fn nothing_changes_once_the_session_is_seen_released() {
    nothing_changes_once_it_is_over(|session| session.driver().release());
}
