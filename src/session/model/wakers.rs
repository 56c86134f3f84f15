//! Nobody who asked to be woken sleeps on.

use super::*;

/// A task registers its waker, then asks; what happens at the same time either wakes it or is seen by the question.
fn woken(
    target: Option<ItemId>,
    happens: fn(&Arc<Session>),
    asks: fn(&Session) -> bool,
    make: fn() -> Arc<Session>,
) {
    check(move || {
        let session = make();
        let wakes = Wakes::new();
        let other = spawn(&session, happens);
        let registered = session.wake_on_cancel(target, &wakes.waker());
        let seen = registered.is_err() || asks(&session);
        join(other);
        assert!(seen || wakes.count() > 0, "a lost wake-up");
        assert!(wakes.count() <= 1, "woken twice");
        assert_eq!(Arc::strong_count(&wakes), 1, "the waker is still kept");
    });
}

fn is_told(session: &Session) -> bool {
    session.can_continue(Some(A)) != Ok(Verdict::Continue)
}

#[test]
fn a_cancel_of_the_item_wakes_or_is_seen() {
    woken(
        Some(A),
        |session| session.cancel_item(A).expect("known"),
        is_told,
        || open(&[A]),
    );
}

#[test]
fn a_cancel_of_everything_wakes_or_is_seen() {
    woken(
        Some(A),
        |session| session.cancel_all(),
        is_told,
        || open(&[A]),
    );
}

#[test]
fn a_cancel_of_everything_wakes_who_waits_for_the_handler_or_is_seen() {
    woken(
        None,
        |session| session.cancel_all(),
        |session| session.can_continue(None) != Ok(Verdict::Continue),
        || open(&[]),
    );
}

#[test]
fn the_end_of_an_item_that_is_committed_meanwhile_wakes() {
    check(|| {
        let session = open(&[]);
        session.propose_item(item(A)).expect("new");
        let reporter = begun(&session, A);
        let wakes = Wakes::new();
        let registered = session.wake_on_cancel(Some(A), &wakes.waker());
        assert_eq!(registered, Ok(()));
        let other = spawn(&session, |session| session.commit_item(A));
        assert_eq!(reporter.succeed(), Ok(()));
        assert_eq!(join(other), Ok(()));
        assert_eq!(wakes.count(), 1);
        assert_eq!(Arc::strong_count(&wakes), 1, "the waker is still kept");
    });
}

#[test]
fn the_end_of_the_item_wakes_or_is_seen() {
    woken(
        Some(A),
        |session| {
            let answer = session.progress(A, &status(ItemStatus::Succeeded));
            assert_eq!(answer, Ok(Verdict::Continue));
        },
        is_told,
        || open(&[A]),
    );
}

#[test]
fn the_completion_wakes_or_is_seen() {
    woken(
        Some(A),
        |session| {
            session
                .synchronize_completed(HResult::S_OK)
                .expect("synchronizing");
        },
        is_told,
        || synchronizing(&[A]),
    );
}

#[test]
fn the_release_wakes_or_is_seen() {
    woken(
        Some(A),
        |session| session.driver().release(),
        is_told,
        || open(&[A]),
    );
}
