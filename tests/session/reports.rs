//! What a progress report changes: status, value, maximum and text, and what it leaves alone.

use syncmgr::{
    CallbackError, ErrorId, HResult, ItemId, ItemStatus, LogLevel, LogRecord, ProgressUpdate,
    Session, SyncCallback, Verdict,
};

use support::{Stage, id, item, open, status, synchronizing, text, value, view};

const FINAL: [ItemStatus; 5] = [
    ItemStatus::Succeeded,
    ItemStatus::Failed,
    ItemStatus::Skipped,
    ItemStatus::Stopped,
    ItemStatus::Deleted,
];

const PASSING: [ItemStatus; 5] = [
    ItemStatus::Pending,
    ItemStatus::Updating,
    ItemStatus::Paused,
    ItemStatus::Resuming,
    ItemStatus::UpdatingIndeterminate,
];

#[test]
fn an_item_starts_pending_and_empty() {
    let session = open(2);
    let first = view(&session, 1);
    assert_eq!(first.id, id(1));
    assert_eq!(first.name, item(1).name);
    assert_eq!(first.status, ItemStatus::Pending);
    assert_eq!((first.value, first.max), (0, 0));
    assert_eq!(first.text, "");
    assert_eq!(first.verdict, Verdict::Continue);
    assert!(first.selected);
    assert_eq!(session.item(id(3)), None);
    assert_eq!(session.item(ItemId::NIL), None);
}

#[test]
fn an_update_changes_the_members_that_it_names_and_no_other() {
    let session = open(2);
    let all = ProgressUpdate::new()
        .text("first")
        .status(ItemStatus::Updating)
        .value(10)
        .max(100);
    assert_eq!(session.progress(id(1), &all), Ok(Verdict::Continue));

    let steps: [(ProgressUpdate<'_>, &str, ItemStatus, u64, u64); 5] = [
        (value(11), "first", ItemStatus::Updating, 11, 100),
        (
            ProgressUpdate::new().max(200),
            "first",
            ItemStatus::Updating,
            11,
            200,
        ),
        (text("second"), "second", ItemStatus::Updating, 11, 200),
        (
            status(ItemStatus::Paused),
            "second",
            ItemStatus::Paused,
            11,
            200,
        ),
        (ProgressUpdate::CHECK, "second", ItemStatus::Paused, 11, 200),
    ];
    for (update, text, status, value, max) in steps {
        assert_eq!(
            session.progress(id(1), &update),
            Ok(Verdict::Continue),
            "{update:?}"
        );
        let seen = view(&session, 1);
        assert_eq!(
            (seen.text.as_str(), seen.status, seen.value, seen.max),
            (text, status, value, max),
            "{update:?}"
        );
    }
    let other = view(&session, 2);
    assert_eq!(
        (other.status, other.value, other.max),
        (ItemStatus::Pending, 0, 0)
    );
}

#[test]
fn an_empty_update_only_asks() {
    for stage in [
        Stage::Open,
        Stage::Preparing,
        Stage::Prepared,
        Stage::Synchronizing,
    ] {
        let session = stage.session(1);
        let before = view(&session, 1);
        assert_eq!(
            session.progress(id(1), &ProgressUpdate::CHECK),
            Ok(Verdict::Continue),
            "{stage:?}"
        );
        assert_eq!(
            session.progress(id(1), &ProgressUpdate::new()),
            Ok(Verdict::Continue),
            "{stage:?}"
        );
        assert_eq!(
            session.can_continue(Some(id(1))),
            Ok(Verdict::Continue),
            "{stage:?}"
        );
        assert_eq!(view(&session, 1), before, "{stage:?}");
    }
}

#[test]
fn the_first_value_turns_a_pending_item_updating() {
    for first in [0, 1, u64::MAX] {
        let session = open(1);
        assert_eq!(
            session.progress(id(1), &value(first)),
            Ok(Verdict::Continue)
        );
        let seen = view(&session, 1);
        assert_eq!((seen.status, seen.value), (ItemStatus::Updating, first));
    }
}

#[test]
fn a_text_or_a_maximum_leaves_an_item_pending() {
    let session = open(1);
    assert_eq!(
        session.progress(id(1), &text("soon")),
        Ok(Verdict::Continue)
    );
    assert_eq!(
        session.progress(id(1), &ProgressUpdate::new().max(7)),
        Ok(Verdict::Continue)
    );
    let seen = view(&session, 1);
    assert_eq!(
        (seen.status, seen.max, seen.text.as_str()),
        (ItemStatus::Pending, 7, "soon")
    );
}

#[test]
fn a_value_does_not_end_a_status_that_was_told() {
    for told in [
        ItemStatus::Paused,
        ItemStatus::Resuming,
        ItemStatus::UpdatingIndeterminate,
    ] {
        let session = open(1);
        assert_eq!(session.progress(id(1), &value(1)), Ok(Verdict::Continue));
        assert_eq!(
            session.progress(id(1), &status(told)),
            Ok(Verdict::Continue)
        );
        assert_eq!(session.progress(id(1), &value(2)), Ok(Verdict::Continue));
        let seen = view(&session, 1);
        assert_eq!((seen.status, seen.value), (told, 2));
    }
}

#[test]
fn a_marquee_told_before_the_first_value_stays_one() {
    let session = open(1);
    assert_eq!(
        session.progress(id(1), &status(ItemStatus::UpdatingIndeterminate)),
        Ok(Verdict::Continue)
    );
    assert_eq!(session.progress(id(1), &value(2)), Ok(Verdict::Continue));
    let seen = view(&session, 1);
    assert_eq!(
        (seen.status, seen.value),
        (ItemStatus::UpdatingIndeterminate, 2)
    );
}

#[test]
fn every_status_can_follow_every_status_that_is_not_final() {
    for before in PASSING {
        for after in PASSING.into_iter().chain(FINAL) {
            let session = synchronizing(1);
            assert_eq!(
                session.progress(id(1), &status(before)),
                Ok(Verdict::Continue),
                "{before:?}"
            );
            assert_eq!(
                session.progress(id(1), &status(after)),
                Ok(Verdict::Continue),
                "{before:?} to {after:?}"
            );
            assert_eq!(view(&session, 1).status, after, "{before:?} to {after:?}");
        }
    }
}

#[test]
fn an_item_may_end_with_its_first_report() {
    for last in FINAL {
        let session = open(1);
        assert_eq!(
            session.progress(id(1), &status(last)),
            Ok(Verdict::Continue),
            "{last:?}"
        );
        assert_eq!(view(&session, 1).status, last);
    }
}

#[test]
fn a_final_status_takes_the_values_of_its_own_update_along() {
    let session = open(1);
    let last = ProgressUpdate::new()
        .text("done")
        .status(ItemStatus::Succeeded)
        .value(9)
        .max(9);
    assert_eq!(session.progress(id(1), &last), Ok(Verdict::Continue));
    let seen = view(&session, 1);
    assert_eq!(
        (seen.status, seen.value, seen.max, seen.text.as_str()),
        (ItemStatus::Succeeded, 9, 9, "done")
    );
}

#[test]
fn a_report_after_a_final_status_is_refused_and_changes_nothing() {
    for last in FINAL {
        let session = open(2);
        let end = ProgressUpdate::new()
            .text("end")
            .status(last)
            .value(3)
            .max(4);
        assert_eq!(session.progress(id(1), &end), Ok(Verdict::Continue));
        let before = view(&session, 1);

        let mut late = vec![
            ProgressUpdate::CHECK,
            value(4),
            ProgressUpdate::new().max(99),
            text("late"),
            ProgressUpdate::new().text("late").value(4).max(99),
        ];
        late.extend(PASSING.map(status));
        late.extend(
            FINAL
                .into_iter()
                .filter(|&status| status != ItemStatus::Failed)
                .map(status),
        );
        for update in late {
            let answer = session.progress(id(1), &update);
            assert_eq!(
                answer,
                Err(CallbackError::ItemFinished),
                "{update:?} after {last:?}"
            );
            assert_eq!(view(&session, 1), before, "{update:?} after {last:?}");
        }
        assert_eq!(
            session.can_continue(Some(id(1))),
            Err(CallbackError::ItemFinished)
        );
        assert_eq!(
            CallbackError::ItemFinished.hresult(),
            HResult::E_ACCESSDENIED
        );
        assert_eq!(
            session.progress(id(2), &value(1)),
            Ok(Verdict::Continue),
            "the other item goes on"
        );
    }
}

#[test]
fn failed_may_follow_any_final_status() {
    for last in FINAL {
        let session = open(1);
        assert_eq!(session.progress(id(1), &value(3)), Ok(Verdict::Continue));
        assert_eq!(
            session.progress(id(1), &status(last)),
            Ok(Verdict::Continue)
        );
        let answer = session.progress(id(1), &status(ItemStatus::Failed));
        assert_eq!(answer, Ok(Verdict::Continue), "FAILED after {last:?}");
        let seen = view(&session, 1);
        assert_eq!(
            (seen.status, seen.value),
            (ItemStatus::Failed, 3),
            "FAILED after {last:?}"
        );
        assert_eq!(
            session.progress(id(1), &value(4)),
            Err(CallbackError::ItemFinished)
        );
    }
}

#[test]
fn a_failure_that_follows_may_say_why() {
    let session = open(1);
    assert_eq!(
        session.progress(id(1), &status(ItemStatus::Succeeded)),
        Ok(Verdict::Continue)
    );
    let why = ProgressUpdate::new()
        .status(ItemStatus::Failed)
        .text("the disk was full after all");
    assert_eq!(session.progress(id(1), &why), Ok(Verdict::Continue));
    let seen = view(&session, 1);
    assert_eq!(
        (seen.status, seen.text.as_str()),
        (ItemStatus::Failed, "the disk was full after all")
    );
}

#[test]
fn an_unknown_item_is_refused_and_nothing_changes() {
    let session = open(2);
    let before = session.snapshot();
    let all = ProgressUpdate::new()
        .text("who")
        .status(ItemStatus::Succeeded)
        .value(1)
        .max(2);
    for unknown in [id(3), id(u128::MAX), ItemId::NIL] {
        for update in [ProgressUpdate::CHECK, value(1), all.clone()] {
            assert_eq!(
                session.progress(unknown, &update),
                Err(CallbackError::UnknownItem),
                "{unknown}"
            );
        }
        assert_eq!(
            session.can_continue(Some(unknown)),
            Err(CallbackError::UnknownItem)
        );
        assert_eq!(session.item(unknown), None);
    }
    assert_eq!(CallbackError::UnknownItem.hresult(), HResult::E_INVALIDARG);
    let after = session.snapshot();
    assert_eq!(after.items, before.items);
    assert_eq!(after.cursor, before.cursor, "a refused report is no event");
}

#[test]
fn an_item_outside_the_round_takes_no_report() {
    let session = support::driven(3);
    support::start_round(&session, &[id(1), id(3)]);
    assert_eq!(
        session.progress(id(2), &value(1)),
        Err(CallbackError::UnknownItem)
    );
    assert_eq!(
        session.progress(id(2), &ProgressUpdate::CHECK),
        Err(CallbackError::UnknownItem)
    );
    assert_eq!(session.progress(id(3), &value(1)), Ok(Verdict::Continue));
    let left_out = view(&session, 2);
    assert!(!left_out.selected);
    assert_eq!(left_out.value, 0);
    assert!(view(&session, 1).selected);
}

#[test]
fn a_value_above_the_maximum_is_kept_and_the_fraction_clamped() {
    let session = open(1);
    let update = ProgressUpdate::new().value(150).max(100);
    assert_eq!(session.progress(id(1), &update), Ok(Verdict::Continue));
    let seen = view(&session, 1);
    assert_eq!((seen.value, seen.max), (150, 100));
    assert_eq!(seen.fraction(), Some(1.0));

    assert_eq!(session.progress(id(1), &value(25)), Ok(Verdict::Continue));
    assert_eq!(view(&session, 1).fraction(), Some(0.25));
    assert_eq!(
        session.progress(id(1), &ProgressUpdate::new().value(u64::MAX).max(u64::MAX)),
        Ok(Verdict::Continue)
    );
    assert_eq!(view(&session, 1).fraction(), Some(1.0));
}

#[test]
fn there_is_no_fraction_before_a_maximum_is_told() {
    let session = open(1);
    assert_eq!(view(&session, 1).fraction(), None);
    assert_eq!(session.progress(id(1), &value(5)), Ok(Verdict::Continue));
    assert_eq!(view(&session, 1).fraction(), None);
}

#[test]
fn a_value_may_fall() {
    let session = open(1);
    for value in [u64::MAX, 7, 0] {
        assert_eq!(
            session.progress(id(1), &support::value(value)),
            Ok(Verdict::Continue)
        );
        assert_eq!(view(&session, 1).value, value);
    }
}

#[test]
fn a_report_may_be_made_in_every_phase_of_a_round() {
    for stage in [Stage::Preparing, Stage::Prepared, Stage::Synchronizing] {
        let session = stage.session(1);
        assert_eq!(
            session.progress(id(1), &value(5)),
            Ok(Verdict::Continue),
            "{stage:?}"
        );
        assert_eq!(view(&session, 1).value, 5, "{stage:?}");
    }
}

#[test]
fn a_report_outside_a_round_is_refused_and_changes_nothing() {
    for (stage, error) in [
        (Stage::Idle, CallbackError::WrongPhase),
        (Stage::Completed, CallbackError::WrongPhase),
        (Stage::OpenCompleted, CallbackError::WrongPhase),
        (Stage::Released, CallbackError::Released),
    ] {
        let session = stage.session(1);
        let before = view(&session, 1);
        for update in [
            ProgressUpdate::CHECK,
            value(5),
            text("late"),
            status(ItemStatus::Failed),
        ] {
            assert_eq!(
                session.progress(id(1), &update),
                Err(error),
                "{update:?} in {stage:?}"
            );
        }
        assert_eq!(view(&session, 1), before, "{stage:?}");
        assert_eq!(error.hresult(), HResult::E_UNEXPECTED);
    }
}

#[test]
fn duplicate_and_nil_items_do_not_build() {
    let twice = Session::builder()
        .items([item(1), item(2), item(1)])
        .build();
    let error = twice.expect_err("a duplicate id builds no session");
    assert!(
        matches!(&error, syncmgr::BuildError::DuplicateItem { id: which, .. } if *which == id(1)),
        "{error:?}"
    );
    assert_eq!(error.hresult(), HResult::E_INVALIDARG);
    assert!(
        error.to_string().contains("item 1"),
        "it names the item: {error}"
    );

    let nil = Session::builder()
        .item(syncmgr::SyncItem::new(ItemId::NIL, item(7).name))
        .build();
    let error = nil.expect_err("a nil id builds no session");
    assert!(
        matches!(&error, syncmgr::BuildError::NilItem { .. }),
        "{error:?}"
    );
    assert!(
        error.to_string().contains("item 7"),
        "it names the item: {error}"
    );
}

#[test]
fn a_session_without_items_builds() {
    let session = open(0);
    assert!(session.snapshot().items.is_empty());
    assert_eq!(
        session.progress(id(1), &value(1)),
        Err(CallbackError::UnknownItem)
    );
    assert_eq!(session.synchronize_completed(HResult::S_OK), Ok(()));
}

#[test]
fn a_refused_report_is_a_call_of_the_handler() {
    let session = synchronizing(1);
    let reporter = session
        .reporter(id(1))
        .expect("a known item has a reporter");
    assert_eq!(
        session.progress(id(1), &status(ItemStatus::Stopped)),
        Ok(Verdict::Continue)
    );
    assert!(session.driver().take_activity());
    assert!(
        !session.driver().take_activity(),
        "nothing has happened since"
    );
    let calls: [(&str, &dyn Fn() -> bool); 5] = [
        ("of a finished item", &|| {
            session.progress(id(1), &value(1)).is_err()
        }),
        ("of an unknown item", &|| {
            session.can_continue(Some(id(9))).is_err()
        }),
        ("by a reporter", &|| reporter.set(1).is_err()),
        ("a check by a reporter", &|| reporter.check().is_err()),
        ("a log entry with a nil id", &|| {
            let record = LogRecord::new(LogLevel::Error, "nil").error_id(ErrorId::NIL);
            session.log_error(&record).is_err()
        }),
    ];
    for (name, is_refused) in calls {
        assert!(is_refused(), "{name}");
        assert!(session.driver().take_activity(), "{name}");
        assert!(!session.driver().take_activity(), "{name}, asked again");
    }
}
