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
        session.release();
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
        assert_eq!(session.host_event(Duration::MAX), Some(first));
        let user = spawn(&session, |session| session.release());
        assert_eq!(session.host_event(Duration::MAX), None);
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
        assert_eq!(session.host_event(Duration::MAX), Some(event));
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
