//! Items that come while a session runs: proposed and committed by the handler, asked for by the host.

use syncmgr::{
    CallbackError, HResult, ItemFlags, ItemId, ItemStatus, Phase, ProgressUpdate, Session,
    SyncCallback, SyncItem, Verdict,
};

use support::{Stage, Wakes, id, ids, item, open, synchronizing};

const UPDATING: ProgressUpdate<'static> = ProgressUpdate::new().status(ItemStatus::Updating);

fn seen(session: &Session) -> Vec<ItemId> {
    let views = session.snapshot().items.into_iter();
    views.map(|view| view.id).collect()
}

#[test]
fn a_proposed_item_shows_only_once_it_is_committed() {
    let session = synchronizing(1);
    let cursor = session.snapshot().cursor;
    assert_eq!(session.propose_item(item(7)), Ok(()));
    assert_eq!(session.item(id(7)), None);
    assert_eq!(seen(&session), ids(1));
    assert_eq!(session.items().len(), 1);
    assert_eq!(session.progress(id(7), &UPDATING), Ok(Verdict::Continue));
    assert_eq!(session.cancel_item(id(7)), Err(CallbackError::UnknownItem));
    assert!(session.changes(cursor).items().is_empty());

    assert_eq!(session.commit_item(id(7)), Ok(()));
    assert_eq!(seen(&session), [id(1), id(7)]);
    assert_eq!(session.items()[1], item(7));
    let changes = session.changes(cursor);
    assert_eq!(changes.items().len(), 1);
    assert_eq!(changes.items()[0].id, id(7));
}

#[test]
fn a_proposed_item_is_reported_unseen_and_listed_with_its_end_when_it_is_committed() {
    let session = synchronizing(1);
    let cursor = session.snapshot().cursor;
    assert_eq!(session.propose_item(item(7)), Ok(()));
    let reporter = support::reporter(&session, 7);
    let update = ProgressUpdate::new().value(3).max(4).text("new");
    assert_eq!(reporter.report(&update), Ok(Verdict::Continue));
    assert_eq!(reporter.set(4), Ok(Verdict::Continue));
    assert_eq!(reporter.succeed(), Ok(()));
    let snapshot = session.snapshot();
    assert_eq!(snapshot.items.len(), 1);
    assert_eq!((snapshot.totals.items, snapshot.totals.value), (1, 0));
    assert_eq!(snapshot.cursor, cursor, "no observer is told");
    assert_eq!(session.driver().unfinished_items(), ids(1));

    assert_eq!(session.commit_item(id(7)), Ok(()));
    let changes = session.changes(cursor);
    assert_eq!(changes.items().len(), 1);
    let view = &changes.items()[0];
    assert_eq!((view.id, view.status), (id(7), ItemStatus::Succeeded));
    assert_eq!((view.value, view.max, &*view.text), (4, 4, "new"));
    assert!(view.selected);
    let totals = session.snapshot().totals;
    assert_eq!((totals.items, totals.finished, totals.value), (2, 1, 4));
    assert_eq!(session.driver().unfinished_items(), ids(1));
    let late = session.progress(id(7), &UPDATING);
    assert_eq!(late, Err(CallbackError::ItemFinished));
}

#[test]
fn an_item_that_is_committed_in_progress_goes_on_in_the_same_reporter() {
    let session = synchronizing(1);
    assert_eq!(session.propose_item(item(7)), Ok(()));
    let reporter = support::reporter(&session, 7);
    assert_eq!(reporter.set(1), Ok(Verdict::Continue));
    let wakes = support::Wakes::new();
    let waits = session.wake_on_cancel(Some(id(7)), &wakes.waker());
    assert_eq!(waits, Ok(()));
    assert_eq!(session.commit_item(id(7)), Ok(()));
    assert_eq!(
        session.driver().unfinished_items(),
        [id(1), id(7)],
        "it needs an end now"
    );
    let cursor = session.snapshot().cursor;
    assert_eq!(reporter.set(2), Ok(Verdict::Continue));
    assert_eq!(session.changes(cursor).items()[0].value, 2, "it is in work");
    assert_eq!(session.cancel_item(id(7)), Ok(()));
    assert_eq!(wakes.count(), 1);
    assert_eq!(reporter.set(3), Ok(Verdict::CancelItem));
    assert_eq!(reporter.stop(), Ok(()));
    assert_eq!(support::view(&session, 7).status, ItemStatus::Stopped);
}

#[test]
fn a_proposed_item_that_failed_is_never_listed() {
    let session = synchronizing(1);
    assert_eq!(session.propose_item(item(7)), Ok(()));
    let failed = ProgressUpdate::new().status(ItemStatus::Failed);
    assert_eq!(session.progress(id(7), &failed), Ok(Verdict::Continue));
    let refused = Err(CallbackError::InvalidArgument);
    assert_eq!(session.commit_item(id(7)), refused);
    assert_eq!(session.propose_item(item(7)), refused, "it is proposed");
    assert_eq!(session.synchronize_completed(HResult::S_OK), Ok(()));
    assert_eq!(session.commit_item(id(7)), refused);
    assert_eq!(seen(&session), ids(1));

    // It may do better in the next round.
    support::start_round(&session, &ids(1));
    assert_eq!(session.progress(id(7), &UPDATING), Ok(Verdict::Continue));
    let succeeded = ProgressUpdate::new().status(ItemStatus::Succeeded);
    assert_eq!(session.progress(id(7), &succeeded), Ok(Verdict::Continue));
    assert_eq!(session.commit_item(id(7)), Ok(()));
    assert_eq!(seen(&session), [id(1), id(7)]);
}

#[test]
fn a_proposed_item_that_succeeded_can_be_committed_after_the_completion_and_in_the_next_round() {
    for is_retried in [false, true] {
        let session = synchronizing(1);
        assert_eq!(session.propose_item(item(7)), Ok(()));
        assert_eq!(support::reporter(&session, 7).succeed(), Ok(()));
        assert_eq!(session.synchronize_completed(HResult::S_OK), Ok(()));
        if is_retried {
            support::start_round(&session, &ids(1));
        }
        assert_eq!(session.commit_item(id(7)), Ok(()));
        let view = support::view(&session, 7);
        assert_eq!(
            (view.status, view.selected),
            (ItemStatus::Succeeded, true),
            "{is_retried}"
        );
    }
}

#[test]
fn a_proposed_item_is_told_of_a_cancel_of_all_the_completion_and_the_release() {
    let session = synchronizing(1);
    assert_eq!(session.propose_item(item(7)), Ok(()));
    let reporter = support::reporter(&session, 7);
    assert_eq!(reporter.set(1), Ok(Verdict::Continue));
    let wakes = support::Wakes::new();
    let waits = session.wake_on_cancel(Some(id(7)), &wakes.waker());
    assert_eq!(waits, Ok(()));
    session.cancel_all();
    assert_eq!(wakes.count(), 1);
    assert_eq!(reporter.set(2), Ok(Verdict::CancelAll));
    assert_eq!(session.synchronize_completed(HResult::S_OK), Ok(()));
    assert_eq!(reporter.set(3), Err(CallbackError::WrongPhase));
    session.driver().release();
    assert_eq!(reporter.set(4), Err(CallbackError::Released));
}

#[test]
fn an_item_that_is_proposed_before_the_prepare_takes_reports_from_then_on() {
    let session = Stage::Idle.session(1);
    assert_eq!(session.propose_item(item(7)), Ok(()));
    let early = session.progress(id(7), &UPDATING);
    assert_eq!(early, Err(CallbackError::WrongPhase));
    assert_eq!(session.driver().begin_prepare(&ids(1)), Ok(()));
    assert_eq!(session.progress(id(7), &UPDATING), Ok(Verdict::Continue));
}

#[test]
fn a_value_of_a_proposed_item_is_a_sign_of_life() {
    let session = synchronizing(1);
    assert_eq!(session.propose_item(item(7)), Ok(()));
    let reporter = support::reporter(&session, 7);
    assert_eq!(reporter.set(1), Ok(Verdict::Continue));
    let _ = session.driver().take_activity();
    assert!(!session.driver().take_activity());
    assert_eq!(reporter.set(2), Ok(Verdict::Continue));
    assert!(session.driver().take_activity());
    assert!(!session.driver().take_activity());
}

#[test]
fn who_reports_and_waits_for_a_proposal_that_is_added_is_told_so() {
    let session = synchronizing(1);
    assert_eq!(session.propose_item(item(7)), Ok(()));
    let reporter = support::reporter(&session, 7);
    assert_eq!(reporter.set(1), Ok(Verdict::Continue));
    let wakes = support::Wakes::new();
    let waits = session.wake_on_cancel(Some(id(7)), &wakes.waker());
    assert_eq!(waits, Ok(()));
    assert_eq!(session.add_item(item(7)), Ok(()));
    assert_eq!(wakes.count(), 1);
    assert_eq!(reporter.set(2), Err(CallbackError::Released));
    assert_eq!(support::view(&session, 7).status, ItemStatus::Pending);
    assert_eq!(session.driver().unfinished_items(), [id(1), id(7)]);
}

#[test]
fn a_committed_item_of_which_nothing_was_reported_takes_part_only_once_it_is_added() {
    let session = synchronizing(1);
    assert_eq!(session.propose_item(item(7)), Ok(()));
    assert_eq!(session.commit_item(id(7)), Ok(()));
    assert_eq!(
        session.progress(id(7), &UPDATING),
        Err(CallbackError::UnknownItem)
    );
    assert_eq!(session.snapshot().totals.items, 1);
    assert_eq!(session.driver().unfinished_items(), ids(1));

    assert_eq!(session.add_item(item(7)), Ok(()));
    assert_eq!(session.progress(id(7), &UPDATING), Ok(Verdict::Continue));
    assert_eq!(session.snapshot().totals.items, 2);
    assert_eq!(session.driver().unfinished_items(), [id(1), id(7)]);
}

#[test]
fn a_retry_may_name_a_committed_item() {
    let session = synchronizing(1);
    assert_eq!(session.propose_item(item(7)), Ok(()));
    assert_eq!(session.commit_item(id(7)), Ok(()));
    assert_eq!(session.synchronize_completed(HResult::S_OK), Ok(()));
    assert_eq!(session.driver().begin_prepare(&[id(7)]), Ok(()));
    assert_eq!(session.progress(id(7), &UPDATING), Ok(Verdict::Continue));
}

#[test]
fn a_commit_wakes_who_waits_for_an_item_that_then_waits_for_the_next_round() {
    for (begun, wakes) in [(false, 1), (true, 0)] {
        let session = synchronizing(1);
        assert_eq!(session.propose_item(item(7)), Ok(()));
        let woken = Wakes::new();
        let registered = session.wake_on_cancel(Some(id(7)), &woken.waker());
        assert_eq!(registered, Ok(()));
        if begun {
            assert_eq!(session.progress(id(7), &UPDATING), Ok(Verdict::Continue));
        }
        assert_eq!(session.commit_item(id(7)), Ok(()));
        assert_eq!(woken.count(), wakes, "begun: {begun}");
        session.cancel_all();
        assert_eq!(woken.count(), 1);
    }
}

#[test]
fn a_retry_cannot_name_an_item_that_is_only_proposed() {
    let session = synchronizing(1);
    assert_eq!(session.propose_item(item(7)), Ok(()));
    assert_eq!(session.synchronize_completed(HResult::S_OK), Ok(()));
    assert_eq!(
        session.driver().begin_prepare(&[id(7)]),
        Err(CallbackError::UnknownItem)
    );
}

#[test]
fn before_the_first_prepare_a_committed_item_is_like_the_listed_ones() {
    let session = Session::builder()
        .item(item(1))
        .driven()
        .build()
        .expect("one item");
    assert_eq!(session.propose_item(item(7)), Ok(()));
    assert_eq!(session.commit_item(id(7)), Ok(()));
    assert_eq!(session.cancel_item(id(7)), Ok(()));
    assert_eq!(session.driver().begin_prepare(&[id(7)]), Ok(()));
    assert_eq!(session.progress(id(7), &UPDATING), Ok(Verdict::CancelItem));
    assert_eq!(session.driver().unfinished_items(), [id(7)]);
}

#[test]
fn in_an_open_session_a_committed_item_takes_part_at_once() {
    let session = open(1);
    assert_eq!(session.propose_item(item(7)), Ok(()));
    assert_eq!(session.commit_item(id(7)), Ok(()));
    assert_eq!(session.progress(id(7), &UPDATING), Ok(Verdict::Continue));
    assert_eq!(session.snapshot().totals.items, 2);
}

#[test]
fn an_item_that_is_committed_after_a_cancel_of_all_is_cancelled() {
    for stage in [Stage::Open, Stage::Synchronizing] {
        let session = stage.session(1);
        assert_eq!(session.propose_item(item(7)), Ok(()));
        session.cancel_all();
        assert_eq!(session.commit_item(id(7)), Ok(()));
        let view = session.item(id(7)).expect("it was committed");
        assert_eq!(view.verdict, Verdict::CancelAll, "{stage:?}");
    }
}

#[test]
fn what_is_there_cannot_be_proposed_and_what_is_not_proposed_not_committed() {
    let refused = Err(CallbackError::InvalidArgument);
    let session = synchronizing(1);
    assert_eq!(session.propose_item(item(1)), refused, "it is listed");
    let nil = SyncItem::new(ItemId::NIL, item(1).name);
    assert_eq!(session.propose_item(nil), refused);
    assert_eq!(session.commit_item(id(7)), refused, "nobody proposed it");
    assert_eq!(session.commit_item(id(1)), refused, "it is listed");

    assert_eq!(session.propose_item(item(7)), Ok(()));
    assert_eq!(session.propose_item(item(7)), refused, "it is proposed");
    assert_eq!(session.commit_item(id(7)), Ok(()));
    assert_eq!(session.commit_item(id(7)), refused, "it is committed");
    assert_eq!(session.propose_item(item(7)), refused, "it is committed");
    assert_eq!(seen(&session), [id(1), id(7)]);
}

#[test]
fn adding_a_proposed_item_takes_the_proposal_away() {
    let session = synchronizing(1);
    assert_eq!(session.propose_item(item(7)), Ok(()));
    let added = SyncItem::new(id(7), item(7).name).flags(ItemFlags::TEMPORARY);
    assert_eq!(session.add_item(added.clone()), Ok(()));
    assert_eq!(
        session.commit_item(id(7)),
        Err(CallbackError::InvalidArgument)
    );
    assert_eq!(session.items()[1], added);
}

#[test]
fn an_item_that_was_asked_for_stays_until_the_handler_takes_it() {
    let session = synchronizing(2);
    assert_eq!(session.additional_items(), Ok(Vec::new()));
    assert_eq!(session.request_items(&[id(8), id(7), id(8)]), Ok(()));
    assert_eq!(session.request_items(&[id(7), id(9)]), Ok(()));
    let asked = vec![id(8), id(7), id(9)];
    assert_eq!(session.additional_items(), Ok(asked.clone()));
    assert_eq!(
        session.additional_items(),
        Ok(asked),
        "asking takes nothing"
    );

    assert_eq!(session.add_item(item(7)), Ok(()));
    assert_eq!(session.additional_items(), Ok(vec![id(8), id(9)]));
    assert_eq!(session.requested_items(), [id(8), id(9)]);
    session.driver().release();
    assert_eq!(session.additional_items(), Err(CallbackError::Released));
    assert_eq!(
        session.requested_items(),
        [id(8), id(9)],
        "for the next run"
    );
}

#[test]
fn an_item_that_takes_part_can_be_asked_for_once_more() {
    let session = synchronizing(1);
    assert_eq!(session.request_items(&[id(1)]), Ok(()));
    assert_eq!(
        session.add_item(item(1)),
        Err(CallbackError::InvalidArgument)
    );
    assert_eq!(session.requested_items(), [id(1)]);
    assert_eq!(session.synchronize_completed(HResult::S_OK), Ok(()));
    assert_eq!(session.driver().begin_prepare(&[id(1)]), Ok(()));
    assert_eq!(session.requested_items(), [], "the retry does it");
}

#[test]
fn a_refused_request_changes_nothing() {
    let session = synchronizing(1);
    let nil = [id(7), ItemId::NIL];
    assert_eq!(
        session.request_items(&nil),
        Err(CallbackError::InvalidArgument)
    );
    assert_eq!(session.requested_items(), []);
    session.driver().release();
    assert_eq!(
        session.request_items(&[id(7)]),
        Err(CallbackError::Released)
    );
    assert_eq!(session.requested_items(), []);
}

#[test]
fn after_the_end_of_an_open_session_nothing_is_committed() {
    let session = open(1);
    assert_eq!(session.propose_item(item(7)), Ok(()));
    assert_eq!(session.synchronize_completed(HResult::S_OK), Ok(()));
    assert_eq!(session.phase(), Phase::Completed);
    assert_eq!(session.commit_item(id(7)), Err(CallbackError::WrongPhase));
    assert_eq!(seen(&session), ids(1));
}

#[test]
fn a_loop_over_additional_items_ends_though_a_participating_item_is_requested_again() {
    let session = synchronizing(2);
    assert_eq!(session.request_items(&[id(1), id(7), id(2)]), Ok(()));
    let mut rounds = 0;
    loop {
        let more = session.additional_items().unwrap();
        if more.is_empty() {
            break;
        }
        rounds += 1;
        assert!(rounds < 10, "{more:?} again and again");
        for id in more {
            let added = SyncItem::new(id, item(7).name);
            assert_eq!(session.add_item(added), Ok(()));
        }
        // The one that was added is requested once more.
        assert_eq!(session.request_items(&[id(7)]), Ok(()));
    }
    assert_eq!(rounds, 1);
    assert_eq!(
        session.requested_items(),
        [id(1), id(2), id(7)],
        "for the next run"
    );
    // A retry with other items takes them out of the round, so that they can be added to it.
    assert_eq!(session.synchronize_completed(HResult::S_OK), Ok(()));
    assert_eq!(session.driver().begin_prepare(&[id(2)]), Ok(()));
    assert_eq!(session.additional_items(), Ok(vec![id(1), id(7)]));
    assert_eq!(session.requested_items(), [id(1), id(7)]);
}
