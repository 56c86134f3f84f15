//! Rounds, retries and completions: what counts, what is refused, and what the driver is told.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use syncmgr::{
    CallbackError, Completion, ErrorOutcome, HResult, HandlerId, HostEvent, ItemStatus, Phase,
    ProgressUpdate, PropertiesOutcome, Session, SyncCallback, Verdict,
};

use support::{Stage, driven, id, ids, join, start_round, status, synchronizing, value, view};

/// All that is queued for the driver now.
fn events(session: &Session) -> Vec<HostEvent> {
    std::iter::from_fn(|| session.driver().next_event(Duration::ZERO)).collect()
}

#[test]
fn the_first_completion_of_a_prepare_counts() {
    let session = Stage::Preparing.session(1);
    assert_eq!(session.prepare_for_sync_completed(HResult::E_FAIL), Ok(()));
    assert_eq!(
        session.prepare_for_sync_completed(HResult::S_OK),
        Err(CallbackError::WrongPhase)
    );
    assert_eq!(session.phase(), Phase::Completed);
    assert_eq!(
        session.driver().begin_synchronize(),
        Err(CallbackError::WrongPhase)
    );
    assert_eq!(
        events(&session),
        [HostEvent::PrepareCompleted(HResult::E_FAIL)]
    );
}

#[test]
fn the_first_completion_of_a_synchronization_counts() {
    let session = synchronizing(1);
    let _ = events(&session);
    assert_eq!(session.synchronize_completed(HResult::S_OK), Ok(()));
    assert_eq!(
        session.synchronize_completed(HResult::E_FAIL),
        Err(CallbackError::WrongPhase)
    );
    assert_eq!(
        events(&session),
        [HostEvent::SynchronizeCompleted(HResult::S_OK)]
    );
}

#[test]
fn an_early_completion_is_refused_and_does_not_count() {
    let session = driven(1);
    assert_eq!(
        session.prepare_for_sync_completed(HResult::S_OK),
        Err(CallbackError::WrongPhase)
    );
    assert_eq!(session.driver().begin_prepare(&ids(1)), Ok(()));
    assert_eq!(
        session.synchronize_completed(HResult::S_OK),
        Err(CallbackError::WrongPhase)
    );
    assert_eq!(session.phase(), Phase::Preparing);
    assert_eq!(session.prepare_for_sync_completed(HResult::S_OK), Ok(()));
    assert_eq!(
        session.synchronize_completed(HResult::S_OK),
        Err(CallbackError::WrongPhase)
    );
    assert_eq!(session.phase(), Phase::Prepared);
    assert_eq!(session.driver().begin_synchronize(), Ok(()));
    assert_eq!(
        session.prepare_for_sync_completed(HResult::S_OK),
        Err(CallbackError::WrongPhase)
    );
    assert_eq!(session.synchronize_completed(HResult::S_FALSE), Ok(()));
    let expected = [
        HostEvent::PrepareCompleted(HResult::S_OK),
        HostEvent::SynchronizeCompleted(HResult::S_FALSE),
    ];
    assert_eq!(events(&session), expected);
}

#[test]
fn refused_completions_are_kept_with_their_phase() {
    let session = driven(1);
    assert!(session.driver().refused_completions().is_empty());
    let _ = session.synchronize_completed(HResult::E_ABORT);
    assert_eq!(session.driver().begin_prepare(&ids(1)), Ok(()));
    assert_eq!(session.prepare_for_sync_completed(HResult::S_OK), Ok(()));
    let _ = session.prepare_for_sync_completed(HResult::E_FAIL);
    let refused = session.driver().refused_completions();
    assert_eq!(refused.len(), 2, "{refused:?}");
    assert_eq!(
        (refused[0].call, refused[0].result, refused[0].phase),
        (Completion::Synchronize, HResult::E_ABORT, Phase::Idle)
    );
    assert_eq!(
        (refused[1].call, refused[1].result, refused[1].phase),
        (Completion::Prepare, HResult::E_FAIL, Phase::Prepared)
    );
}

#[test]
fn only_the_first_refused_completions_are_kept() {
    let session = driven(1);
    for n in 0..40 {
        assert_eq!(
            session.prepare_for_sync_completed(HResult(n)),
            Err(CallbackError::WrongPhase)
        );
    }
    let kept: Vec<_> = session
        .driver()
        .refused_completions()
        .iter()
        .map(|refused| refused.result)
        .collect();
    assert_eq!(kept, (0..16).map(HResult).collect::<Vec<_>>());
}

#[test]
fn of_racing_completions_one_counts() {
    for round in 0..500 {
        let session = synchronizing(1);
        let _ = events(&session);
        let racers: Vec<_> = (0..2)
            .map(|n| {
                let session = Arc::clone(&session);
                thread::spawn(move || session.synchronize_completed(HResult(n)).is_ok())
            })
            .collect();
        let counted: Vec<bool> = racers
            .into_iter()
            .map(|racer| join("a completing thread", racer))
            .collect();
        assert_eq!(
            counted.iter().filter(|&&taken| taken).count(),
            1,
            "round {round}: {counted:?}"
        );
        let winner = HResult(i32::from(counted[1]));
        assert_eq!(
            events(&session),
            [HostEvent::SynchronizeCompleted(winner)],
            "round {round}"
        );
        assert_eq!(
            session.driver().refused_completions().len(),
            1,
            "round {round}"
        );
    }
}

#[test]
fn host_events_come_in_order_and_each_once() {
    let session = driven(3);
    assert_eq!(session.driver().begin_prepare(&ids(3)), Ok(()));
    assert_eq!(session.skip_item(id(2)), Ok(()));
    assert_eq!(session.prepare_for_sync_completed(HResult::S_OK), Ok(()));
    assert_eq!(session.driver().begin_synchronize(), Ok(()));
    assert_eq!(session.skip_item(id(3)), Ok(()));
    assert_eq!(
        session.show_properties_completed(PropertiesOutcome::ItemDeleted),
        Ok(())
    );
    assert_eq!(session.synchronize_completed(HResult::S_OK), Ok(()));
    assert_eq!(session.show_error_completed(ErrorOutcome::Done), Ok(()));
    assert_eq!(
        session.show_error_completed(ErrorOutcome::Retry(&[id(3), id(1)])),
        Ok(())
    );
    assert_eq!(
        session.show_error_completed(ErrorOutcome::Other(HResult::E_FAIL)),
        Ok(())
    );
    let expected = [
        HostEvent::Skip(id(2)),
        HostEvent::PrepareCompleted(HResult::S_OK),
        HostEvent::Skip(id(3)),
        HostEvent::ShowPropertiesCompleted(PropertiesOutcome::ItemDeleted),
        HostEvent::SynchronizeCompleted(HResult::S_OK),
        HostEvent::ShowErrorCompleted(HResult::S_OK, vec![]),
        HostEvent::ShowErrorCompleted(HResult::S_SYNCMGR_RETRYSYNC, vec![id(3), id(1)]),
        HostEvent::ShowErrorCompleted(HResult::E_FAIL, vec![]),
    ];
    assert_eq!(events(&session), expected);
    assert_eq!(events(&session), [], "each comes once");
}

#[test]
fn cancels_and_reports_are_no_host_events() {
    let session = synchronizing(2);
    let _ = events(&session);
    assert_eq!(session.progress(id(1), &value(1)), Ok(Verdict::Continue));
    assert_eq!(session.cancel_item(id(1)), Ok(()));
    assert_eq!(
        session.progress(id(2), &status(ItemStatus::Succeeded)),
        Ok(Verdict::Continue)
    );
    assert_eq!(
        session.skip_item(id(2)),
        Ok(()),
        "a finished item may be skipped, which changes nothing"
    );
    session.cancel_all();
    assert_eq!(events(&session), []);
}

#[test]
fn host_events_that_were_taken_are_never_dropped() {
    let session = synchronizing(1);
    let _ = events(&session);
    // The driver awaits one of these at a time, so they are taken as long as it fetches them.
    for round in 0..300 {
        for n in 0..16 {
            let outcome = ErrorOutcome::Other(HResult(round * 16 + n));
            assert_eq!(session.show_error_completed(outcome), Ok(()));
        }
        let expected: Vec<_> = (0..16)
            .map(|n| HostEvent::ShowErrorCompleted(HResult(round * 16 + n), vec![]))
            .collect();
        assert_eq!(events(&session), expected);
    }
}

#[test]
fn completions_that_no_driver_fetches_are_refused_after_the_sixteenth() {
    let session = synchronizing(1);
    let _ = events(&session);
    let mut taken = 0;
    for n in 0..1_000 {
        let answer = match n % 2 {
            0 => session.show_error_completed(ErrorOutcome::Retry(&[id(1)])),
            _ => session.show_properties_completed(PropertiesOutcome::Done),
        };
        match answer {
            Ok(()) => taken += 1,
            Err(error) => assert_eq!(error, CallbackError::WrongPhase),
        }
    }
    assert_eq!(taken, 16);
    assert_eq!(session.synchronize_completed(HResult::S_OK), Ok(()));
    let events = events(&session);
    assert_eq!(events.len(), 17);
    assert_eq!(
        events[16],
        HostEvent::SynchronizeCompleted(HResult::S_OK),
        "other events are not held up"
    );
    assert_eq!(session.show_error_completed(ErrorOutcome::Done), Ok(()));
}

#[test]
fn waiting_for_a_host_event_ends_with_the_event() {
    for timeout in [support::LIMIT, Duration::MAX] {
        let session = Stage::Preparing.session(1);
        let waiting = {
            let session = Arc::clone(&session);
            thread::spawn(move || session.driver().next_event(timeout))
        };
        assert_eq!(session.prepare_for_sync_completed(HResult::S_OK), Ok(()));
        let event = join("host_event", waiting);
        assert_eq!(
            event,
            Some(HostEvent::PrepareCompleted(HResult::S_OK)),
            "{timeout:?}"
        );
    }
}

#[test]
fn waiting_for_a_host_event_ends_with_the_timeout() {
    let session = Stage::Preparing.session(1);
    assert_eq!(session.driver().next_event(Duration::ZERO), None);
    assert_eq!(session.driver().next_event(Duration::from_millis(5)), None);
}

#[test]
fn the_release_ends_the_wait_once_the_queue_is_empty() {
    let session = synchronizing(1);
    let _ = events(&session);
    let waiting = {
        let session = Arc::clone(&session);
        thread::spawn(move || session.driver().next_event(Duration::MAX))
    };
    session.driver().release();
    assert_eq!(join("host_event", waiting), None);

    let session = synchronizing(1);
    let _ = events(&session);
    assert_eq!(session.synchronize_completed(HResult::S_OK), Ok(()));
    session.driver().release();
    assert_eq!(
        session.driver().next_event(Duration::MAX),
        Some(HostEvent::SynchronizeCompleted(HResult::S_OK))
    );
    assert_eq!(session.driver().next_event(Duration::MAX), None);
    assert_eq!(session.driver().next_event(Duration::MAX), None);
}

#[test]
fn a_retry_starts_the_named_items_anew_and_keeps_the_others() {
    let session = driven(3);
    start_round(&session, &ids(3));
    for n in 1..=3 {
        let update = ProgressUpdate::new().value(10).max(20).text("round one");
        assert_eq!(session.progress(id(n), &update), Ok(Verdict::Continue));
    }
    assert_eq!(session.cancel_item(id(1)), Ok(()));
    assert_eq!(
        session.progress(id(1), &status(ItemStatus::Stopped)),
        Ok(Verdict::CancelItem)
    );
    assert_eq!(
        session.progress(id(2), &status(ItemStatus::Failed)),
        Ok(Verdict::Continue)
    );
    assert_eq!(
        session.progress(id(3), &status(ItemStatus::Succeeded)),
        Ok(Verdict::Continue)
    );
    assert_eq!(session.synchronize_completed(HResult::S_OK), Ok(()));
    let kept = view(&session, 3);

    assert_eq!(session.driver().begin_prepare(&[id(2), id(1)]), Ok(()));
    assert_eq!(session.phase(), Phase::Preparing);
    for n in 1..=2 {
        let anew = view(&session, n);
        assert_eq!(
            (anew.status, anew.verdict),
            (ItemStatus::Pending, Verdict::Continue),
            "item {n}"
        );
        assert_eq!(
            (anew.value, anew.max, anew.text.as_str()),
            (0, 0, ""),
            "item {n}"
        );
        assert_eq!(
            session.progress(id(n), &value(1)),
            Ok(Verdict::Continue),
            "item {n}"
        );
    }
    assert_eq!(view(&session, 3), kept);
    assert_eq!(
        session.progress(id(3), &value(1)),
        Err(CallbackError::UnknownItem),
        "it is not in this round"
    );
    assert_eq!(
        session.cancel_item(id(3)),
        Err(CallbackError::UnknownItem),
        "it is not in this round"
    );
    assert_eq!(
        session.skip_item(id(3)),
        Err(CallbackError::UnknownItem),
        "it is not in this round"
    );
    assert_eq!(view(&session, 3), kept);
}

#[test]
fn a_retry_may_name_an_item_that_took_no_part_before() {
    let session = driven(2);
    start_round(&session, &[id(1)]);
    assert_eq!(session.synchronize_completed(HResult::S_OK), Ok(()));
    start_round(&session, &[id(2)]);
    assert_eq!(session.progress(id(2), &value(1)), Ok(Verdict::Continue));
    assert!(
        view(&session, 1).selected,
        "it took part in the first round"
    );
    assert!(view(&session, 2).selected);
}

#[test]
fn a_retry_of_unknown_items_or_none_changes_nothing() {
    let session = driven(2);
    start_round(&session, &ids(2));
    assert_eq!(
        session.progress(id(1), &status(ItemStatus::Failed)),
        Ok(Verdict::Continue)
    );
    assert_eq!(session.synchronize_completed(HResult::S_OK), Ok(()));
    let before = session.snapshot();
    assert_eq!(
        session.driver().begin_prepare(&[id(1), id(9)]),
        Err(CallbackError::UnknownItem)
    );
    assert_eq!(
        session.driver().begin_prepare(&[]),
        Err(CallbackError::InvalidArgument)
    );
    let after = session.snapshot();
    assert_eq!((after.items, after.phase), (before.items, Phase::Completed));
    assert_eq!(
        session.driver().begin_prepare(&[id(1)]),
        Ok(()),
        "a right retry is still taken"
    );
}

#[test]
fn a_prepare_that_failed_can_be_retried() {
    let session = Stage::Preparing.session(1);
    assert_eq!(session.prepare_for_sync_completed(HResult::E_FAIL), Ok(()));
    assert_eq!(session.phase(), Phase::Completed);
    start_round(&session, &ids(1));
    assert_eq!(session.progress(id(1), &value(1)), Ok(Verdict::Continue));
}

#[test]
fn after_cancel_all_there_is_no_retry() {
    let session = synchronizing(1);
    session.cancel_all();
    assert_eq!(
        session.progress(id(1), &status(ItemStatus::Stopped)),
        Ok(Verdict::CancelAll)
    );
    assert_eq!(session.synchronize_completed(HResult::S_OK), Ok(()));
    assert_eq!(
        session.driver().begin_prepare(&ids(1)),
        Err(CallbackError::WrongPhase)
    );
    assert_eq!(session.phase(), Phase::Completed);
    assert_eq!(view(&session, 1).status, ItemStatus::Stopped);

    let session = Stage::Completed.session(1);
    session.cancel_all();
    assert_eq!(
        session.driver().begin_prepare(&ids(1)),
        Err(CallbackError::WrongPhase),
        "cancelled after the completion"
    );
}

#[test]
fn the_first_prepare_keeps_the_cancels_made_before_it() {
    let session = driven(2);
    assert_eq!(session.cancel_item(id(1)), Ok(()));
    start_round(&session, &ids(2));
    assert_eq!(session.progress(id(1), &value(1)), Ok(Verdict::CancelItem));
    assert_eq!(session.progress(id(2), &value(1)), Ok(Verdict::Continue));

    let session = driven(2);
    session.cancel_all();
    start_round(&session, &ids(2));
    assert_eq!(session.progress(id(1), &value(1)), Ok(Verdict::CancelAll));
    assert_eq!(session.progress(id(2), &value(1)), Ok(Verdict::CancelAll));
    assert_eq!(session.can_continue(None), Ok(Verdict::CancelAll));
}

#[test]
fn a_completion_counts_once_in_each_round() {
    let session = driven(1);
    for round in 1..=3 {
        start_round(&session, &ids(1));
        assert_eq!(
            session.synchronize_completed(HResult(round)),
            Ok(()),
            "round {round}"
        );
        assert_eq!(
            session.synchronize_completed(HResult(9)),
            Err(CallbackError::WrongPhase),
            "round {round}"
        );
        let expected = [
            HostEvent::PrepareCompleted(HResult::S_OK),
            HostEvent::SynchronizeCompleted(HResult(round)),
        ];
        assert_eq!(events(&session), expected, "round {round}");
    }
}

#[test]
fn a_round_leaves_the_code_that_completed_it() {
    let session = driven(1);
    assert_eq!(session.result(), None);
    assert_eq!(session.driver().begin_prepare(&ids(1)), Ok(()));
    assert_eq!(
        session.prepare_for_sync_completed(HResult::E_ACCESSDENIED),
        Ok(())
    );
    assert_eq!(session.result(), Some(HResult::E_ACCESSDENIED));
    start_round(&session, &ids(1));
    assert_eq!(session.result(), None, "a prepare with S_OK ends nothing");
    assert_eq!(session.synchronize_completed(HResult::S_FALSE), Ok(()));
    let second = session.synchronize_completed(HResult::E_FAIL);
    assert_eq!(second, Err(CallbackError::WrongPhase));
    assert_eq!(session.result(), Some(HResult::S_FALSE), "the first counts");
    session.driver().release();
    assert_eq!(session.result(), Some(HResult::S_FALSE));
}

#[test]
fn a_session_knows_the_handler_that_it_was_built_for() {
    assert_eq!(driven(1).handler(), None);
    let id = HandlerId::from_u128(7);
    let session = Session::builder().handler(id).build();
    assert_eq!(
        session.map(|session| session.handler()).ok(),
        Some(Some(id))
    );
}
