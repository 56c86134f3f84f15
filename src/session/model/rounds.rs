//! Completions and retries.

use super::*;

#[test]
fn a_cancel_beside_a_retry_is_taken_and_the_item_is_known_throughout() {
    check(|| {
        let session = completed(&[A], ItemStatus::Failed);
        let user = spawn(&session, |session| session.cancel_item(A));
        session.driver().begin_prepare(&[A]).expect("a retry");
        assert_eq!(join(user), Ok(()));
        // Before the retry, which cleared it, or after.
        one_of(
            session.progress(A, &value(1)),
            &[Ok(Verdict::Continue), Ok(Verdict::CancelItem)],
        );
    });
}

#[test]
fn two_cancels_one_after_the_other_beside_a_retry_keep_their_order() {
    check(|| {
        let session = completed(&[A, B], ItemStatus::Stopped);
        let user = spawn(&session, |session| {
            (session.cancel_item(A), session.cancel_item(B))
        });
        session.driver().begin_prepare(&[A, B]).expect("a retry");
        assert_eq!(join(user), (Ok(()), Ok(())));
        let a = session.progress(A, &value(1)).expect("in the round");
        let b = session.progress(B, &value(1)).expect("in the round");
        assert!(
            a == Verdict::Continue || b == Verdict::CancelItem,
            "the first cancel came after the retry, the second before it"
        );
    });
}

#[test]
fn a_store_from_before_a_retry_never_lands_after_it() {
    check(|| {
        let session = synchronizing(&[A]);
        let reporter = begun(&session, A);
        let worker = thread::spawn(move || {
            let first = reporter.set(77);
            (first, reporter.set(78))
        });
        session
            .synchronize_completed(HResult::S_OK)
            .expect("synchronizing");
        session.driver().begin_prepare(&[A]).expect("a retry");
        let view = session.item(A).expect("known");
        assert_eq!((view.status, view.value), (ItemStatus::Pending, 0));
        let (first, second) = join(worker);
        let refused = [Err(CallbackError::WrongPhase), Err(CallbackError::Released)];
        one_of(first, &[Ok(Verdict::Continue), refused[0], refused[1]]);
        one_of(second, &[Ok(Verdict::Continue), refused[0], refused[1]]);
        let view = session.item(A).expect("known");
        assert_eq!((view.status, view.value), (ItemStatus::Pending, 0));
    });
}

#[test]
fn a_report_by_id_beside_a_retry_never_hears_that_the_callback_is_released() {
    check(|| {
        let session = completed(&[A], ItemStatus::Failed);
        let worker = spawn(&session, |session| session.progress(A, &value(7)));
        session.driver().begin_prepare(&[A]).expect("a retry");
        let answer = join(worker);
        one_of(
            answer,
            &[Ok(Verdict::Continue), Err(CallbackError::WrongPhase)],
        );
        let view = session.item(A).expect("known");
        assert_eq!(view.value, if answer.is_ok() { 7 } else { 0 });
    });
}

#[test]
fn a_report_is_either_taken_before_the_completion_or_refused() {
    check(|| {
        let session = synchronizing(&[A]);
        let reporter = begun(&session, A);
        let worker = thread::spawn(move || (reporter.report(&value(2).max(9)), reporter.set(3)));
        session
            .synchronize_completed(HResult::S_OK)
            .expect("synchronizing");
        let frozen = session.item(A).expect("known");
        let (first, second) = join(worker);
        one_of(
            first,
            &[Ok(Verdict::Continue), Err(CallbackError::WrongPhase)],
        );
        one_of(
            second,
            &[Ok(Verdict::Continue), Err(CallbackError::WrongPhase)],
        );
        assert!(first.is_ok() || second.is_err(), "refused, then taken");
        assert_eq!(session.item(A).expect("known"), frozen, "changed after it");
        one_of((frozen.value, frozen.max), &[(1, 0), (2, 9), (3, 9)]);
    });
}

#[test]
fn a_completion_counts_once() {
    check(|| {
        let session = synchronizing(&[A]);
        let other = spawn(&session, |session| {
            session.synchronize_completed(HResult::E_FAIL)
        });
        let mine = session.synchronize_completed(HResult::S_OK);
        let theirs = join(other);
        assert_ne!(mine.is_ok(), theirs.is_ok());
        let first = HostEvent::PrepareCompleted(HResult::S_OK);
        assert_eq!(session.driver().next_event(Duration::ZERO), Some(first));
        let result = if mine.is_ok() {
            HResult::S_OK
        } else {
            HResult::E_FAIL
        };
        let second = HostEvent::SynchronizeCompleted(result);
        assert_eq!(session.driver().next_event(Duration::ZERO), Some(second));
        assert_eq!(session.driver().next_event(Duration::ZERO), None);
        assert_eq!(session.driver().refused_completions().len(), 1);
    });
}
