//! Settings and data of explorations: what was done in a run, which rules were violated, skips of a retry, a second callback.

use std::sync::{Arc, Mutex, OnceLock};

use support::id;
use support::rules::{copy, obedient};

use syncmgr::testing::mock::{Script, Step};
use syncmgr::testing::{
    Action, Harness, Incident, Intervention, ItemRef, Rule, explore_cancellations, explore_faults,
};
use syncmgr::{
    ErrorId, HResult, ItemId, ItemName, ItemStatus, LogLevel, LogRecord, Phase, SyncCallback,
    SyncEvent, SyncFlags, SyncItem,
};

use ItemStatus::{Failed, Skipped, Stopped, Succeeded, Updating};

const PHOTOS: ItemId = ItemId::from_u128(1);
const MAIL: ItemId = ItemId::from_u128(2);
const ERROR: ErrorId = ErrorId::from_u128(9);

fn of(item: ItemId) -> [Step; 2] {
    [
        Step::report(item).status(Updating),
        Step::report(item).status(Succeeded),
    ]
}

/// Reports so often that a handler which ignores a cancellation is in breach, not only asked about.
fn of_four(item: ItemId) -> [Step; 4] {
    let [first, last] = of(item);
    let value = |value| Step::report(item).value(value);
    [first, value(1), value(2), last]
}

/// One item, on the host's thread.
fn script() -> Script {
    Script::new()
        .item(PHOTOS, "photos")
        .inline()
        .synchronize(of(PHOTOS))
}

#[test]
fn an_exploration_of_cancellations_takes_the_settings_of_a_harness() {
    let flags = SyncFlags::new(SyncEvent::Scheduled);
    let two = |items: &[ItemId]| {
        let steps = items.iter().flat_map(|item| of_four(*item));
        script().item(MAIL, "mail").synchronize(steps)
    };
    let exploration = explore_cancellations(|| {
        Harness::new(two(&[MAIL]).ignore_verdicts().handler())
            .flags(flags)
            .select([MAIL])
            .max_runs(8)
            .seed(7)
    });
    // Four reports with three cancellations each, and two skips, of "mail" alone.
    assert_eq!((exploration.points(), exploration.explored()), (14, 7));
    assert!(
        exploration.to_string().contains("(a sample, seed 7)"),
        "{exploration}"
    );
    let line = exploration.reproduction().unwrap();
    assert!(line.starts_with("harness."), "{line}");
    for trace in exploration.failures() {
        let mut calls = trace.calls().iter();
        assert!(calls.any(
            |call| matches!(call.action, Action::Initialize { flags: given, .. } if given == flags)
        ));
    }

    let faults = explore_faults(|| Harness::new(two(&[PHOTOS]).handler()).select([PHOTOS]));
    faults.assert_conformant();
    assert_eq!(faults.points(), 4);
}

#[test]
fn the_intervention_of_a_run_is_known_after_it() {
    let seen = Mutex::new(Vec::new());
    let exploration = Harness::explore(
        || (Harness::new(script().handler()), ()),
        |trace, ()| seen.lock().unwrap().push(trace.intervention().cloned()),
    );
    exploration.assert_conformant();
    let seen = seen.into_inner().unwrap();
    let words: Vec<String> = seen
        .iter()
        .map(|seen| {
            seen.as_ref()
                .map_or("nothing".to_owned(), Intervention::to_string)
        })
        .collect();
    assert_eq!(
        words,
        [
            "nothing",
            "skip(\"photos\")",
            "intervene(Intervention::SkipInSynchronize(\"photos\".into()))",
            "cancel_item_at_report(\"photos\", 1)",
            "intervene(Intervention::CancelAll { item: \"photos\".into(), report: 1 })",
            "intervene(Intervention::Skip { item: \"photos\".into(), report: 1 })",
            "intervene(Intervention::Release { item: \"photos\".into(), report: 1 })",
            "cancel_item_at_report(\"photos\", 2)",
            "intervene(Intervention::CancelAll { item: \"photos\".into(), report: 2 })",
            "intervene(Intervention::Skip { item: \"photos\".into(), report: 2 })",
            "intervene(Intervention::Release { item: \"photos\".into(), report: 2 })",
        ]
    );
    let item = ItemRef::from("photos");
    assert_eq!(seen[1], Some(Intervention::SkipBeforePrepare(item.clone())));
    let last = seen[10].as_ref().unwrap();
    assert_eq!((last.item(), last.report()), (Some(&item), Some(2)));
    let fault = Intervention::FillLog(3);
    assert_eq!((fault.item(), fault.report()), (None, None));
    assert_eq!(fault.to_string(), "intervene(Intervention::FillLog(3))");
    // A run that was not part of an exploration had none.
    assert_eq!(Harness::new(script().handler()).run().intervention(), None);
}

#[test]
fn the_intervention_of_a_failure_is_known() {
    let exploration = explore_cancellations(|| {
        let script = script().ignore_verdicts().synchronize(of_four(PHOTOS));
        script.handler()
    });
    let item = ItemRef::from("photos");
    let smallest = Intervention::SkipBeforePrepare(item);
    assert_eq!(exploration.failures()[0].intervention(), Some(&smallest));
}

#[test]
fn the_violated_rules_are_data() {
    let exploration = explore_cancellations(|| {
        let script = script().ignore_verdicts().synchronize(of_four(PHOTOS));
        script.handler()
    });
    let rules = exploration.violated_rules();
    assert_eq!(
        rules.iter().map(|(rule, _)| *rule).collect::<Vec<_>>(),
        [Rule::StopCancelledItem, Rule::StopAllWhenCancelled]
    );
    for (rule, runs) in rules {
        let told = format!("{rule} in {runs}");
        assert!(exploration.to_string().contains(&told), "{exploration}");
    }
    assert!(!exploration.is_conformant());
    // An incident is none, and neither is an advisory finding.
    let exploration = Harness::explore(
        || (Harness::new(script().handler()), ()),
        |_, ()| panic!("always"),
    );
    assert_eq!(exploration.violated_rules(), []);
}

#[test]
fn incidents_are_displayed_in_one_line() {
    let panicked = Incident::Panicked {
        at: 6,
        text: "out of paper".to_owned(),
    };
    let after = Incident::After {
        text: "half a file".to_owned(),
    };
    for (incident, text) in [
        (panicked, "call 7 panicked: out of paper"),
        (
            Incident::DidNotReturn { at: 0 },
            "call 1 had not returned when the host gave up waiting",
        ),
        (after, "the check after the run panicked: half a file"),
    ] {
        assert_eq!(incident.to_string(), text);
    }
}

/// Two items, of which "mail" fails in every round, asks to be done again, and is alone in the retry.
fn retrying() -> Script {
    let record = LogRecord::new(LogLevel::Error, "no connection")
        .item(MAIL)
        .jump_text(ERROR);
    let mail = [
        Step::report(MAIL).status(Updating),
        Step::log(&record),
        Step::report(MAIL).status(Failed),
    ];
    let steps = of(PHOTOS).into_iter().chain(mail);
    script().item(MAIL, "mail").synchronize(steps).show_error(
        [Step::complete_show_error(
            HResult::S_SYNCMGR_RETRYSYNC,
            [MAIL],
        )],
        Ok(()),
    )
}

#[test]
fn an_item_can_be_skipped_in_the_prepare_of_a_retry() {
    let harness = || {
        Harness::new(retrying().handler())
            .show_errors()
            .max_retries(1)
    };
    let trace = harness()
        .intervene(Intervention::SkipInPrepare {
            item: "mail".into(),
            prepare: 2,
        })
        .run();
    trace.assert_conformant();
    assert_eq!(trace.unmet_conditions(), [] as [String; 0]);
    let mut skips = trace.calls().iter().enumerate();
    let (at, skip) = skips
        .find(|(_, call)| matches!(call.action, Action::SkipItem { .. }))
        .unwrap();
    assert_eq!(skip.phase, Phase::Preparing);
    let before = &trace.calls()[..at];
    let prepares = before
        .iter()
        .filter(|call| matches!(call.action, Action::PrepareForSync { .. }));
    assert_eq!(prepares.count(), 2, "{trace}");
    // In the first round it failed. The prepare was completed before the handler could be notified.
    assert_eq!(trace.status("mail"), Some(Stopped), "{trace}");
    // The retry is of "mail" alone, and there is no second one.
    for (item, prepare) in [("photos", 2), ("mail", 3)] {
        let trace = harness()
            .intervene(Intervention::SkipInPrepare {
                item: item.into(),
                prepare,
            })
            .run();
        assert_eq!(
            trace.unmet_conditions(),
            [format!("{item:?} skipped in prepare {prepare}")],
            "{trace}"
        );
    }
    let trace = harness()
        .intervene(Intervention::SkipInPrepare {
            item: "photos".into(),
            prepare: 1,
        })
        .run();
    trace.assert_conformant();
    assert_eq!(trace.status("photos"), Some(Stopped), "{trace}");
}

#[test]
fn a_handler_is_notified_of_a_skip_while_it_prepares_a_retry() {
    let script = retrying().prepare_on_thread([]);
    let trace = Harness::new(script.handler())
        .show_errors()
        .max_retries(1)
        .intervene(Intervention::SkipInPrepare {
            item: "mail".into(),
            prepare: 2,
        })
        .run();
    trace.assert_conformant();
    let mut calls = trace.calls().iter();
    let notified = calls.find(|call| matches!(call.action, Action::SetItemStatus { .. }));
    assert_eq!(
        notified.map(|call| call.phase),
        Some(Phase::Preparing),
        "{trace}"
    );
    // It was not started again.
    assert_eq!(trace.status("mail"), Some(Skipped), "{trace}");
}

#[test]
fn an_exploration_skips_in_the_prepare_of_each_retry() {
    let explore = |script: Script| {
        explore_cancellations(move || {
            let harness = Harness::new(script.handler());
            harness.show_errors().max_retries(2)
        })
    };
    let exploration = explore(retrying());
    exploration.assert_conformant();
    assert_eq!(exploration.reached(), exploration.points(), "{exploration}");
    // Two skips of each item, one of the next one; "photos" has two reports, "mail" two in each of three rounds; two retries.
    assert_eq!(exploration.points(), 4 + 1 + 2 * 3 + 6 * 3 + 2);
    let deaf = explore(retrying().ignore_verdicts());
    let mut skips = deaf
        .failures()
        .iter()
        .filter_map(|trace| trace.intervention());
    assert!(
        skips.any(|done| matches!(done, Intervention::SkipInPrepare { prepare: 2, .. })),
        "{deaf}"
    );
}

#[test]
fn an_item_that_was_added_is_not_skipped_before_the_prepare() {
    // The retry is of an item that the first list does not have.
    let added = SyncItem::new(ItemId::from_u128(3), ItemName::truncate_start("added"));
    let record = LogRecord::new(LogLevel::Error, "no connection").jump_text(ERROR);
    let script = script()
        .synchronize(
            [Step::add_item(added.clone()), Step::log(&record)]
                .into_iter()
                .chain(of(PHOTOS))
                .chain(of(added.id)),
        )
        .show_error(
            [Step::complete_show_error(
                HResult::S_SYNCMGR_RETRYSYNC,
                [added.id],
            )],
            Ok(()),
        );
    let exploration =
        explore_cancellations(|| Harness::new(script.handler()).show_errors().max_retries(1));
    exploration.assert_conformant();
    assert_eq!(exploration.reached(), exploration.points(), "{exploration}");
}

#[test]
fn a_callback_can_be_replaced() {
    let trace = Harness::new(script().handler()).replace_callback().run();
    trace.assert_conformant();
    let calls = trace.calls().iter();
    let set = calls.filter_map(|call| match call.action {
        Action::SetProgressCallback { set } => Some(set),
        _ => None,
    });
    assert_eq!(set.collect::<Vec<_>>(), [Some(1), Some(2), None], "{trace}");
    let mut reports = trace
        .calls()
        .iter()
        .filter(|call| call.action.reported().is_some());
    assert!(reports.all(|call| call.callback == Some(2)), "{trace}");
}

#[test]
fn a_handler_that_keeps_its_first_callback_violates_a_rule_once_it_is_replaced() {
    let handler = || {
        let kept: Arc<OnceLock<Arc<dyn SyncCallback>>> = Arc::default();
        let first = Arc::clone(&kept);
        let script = obedient(1)
            .callback_set(move |handler| {
                let _ = first.set(handler.callback());
                Ok(())
            })
            .synchronize(move |handler| {
                copy(&**kept.get().expect("a callback was set"), id(1));
                handler.complete_synchronize(HResult::S_OK);
                Ok(())
            });
        script.build()
    };
    Harness::new(handler()).run().assert_conformant();
    let trace = Harness::new(handler()).replace_callback().run();
    assert!(trace.breaks(Rule::NoCallAfterRelease), "{trace}");
}

#[test]
fn an_intervention_is_printed_as_the_call_that_makes_it() {
    let item = || ItemRef::from("mail");
    let id = ItemRef::from(ItemId::from_u128(0xab));
    let text = [
        Intervention::CancelItem {
            item: item(),
            report: 1,
        },
        Intervention::CancelAll {
            item: ItemRef::Position(2),
            report: 3,
        },
        Intervention::Skip {
            item: id.clone(),
            report: 1,
        },
        Intervention::SkipNext {
            item: item(),
            report: 2,
        },
        Intervention::Release {
            item: item(),
            report: 1,
        },
        Intervention::SkipBeforePrepare(id),
        Intervention::SkipInPrepare {
            item: item(),
            prepare: 2,
        },
        Intervention::SkipInSynchronize(ItemRef::Position(1)),
        Intervention::FillLog(1),
        Intervention::RefuseConnection(2),
        Intervention::DenyDialog(3),
    ]
    .map(|intervention| intervention.to_string());
    let expected = [
        r#"cancel_item_at_report("mail", 1)"#,
        "intervene(Intervention::CancelAll { item: ItemRef::Position(2), report: 3 })",
        "intervene(Intervention::Skip { item: ItemId::from_u128(0xab).into(), report: 1 })",
        r#"intervene(Intervention::SkipNext { item: "mail".into(), report: 2 })"#,
        r#"intervene(Intervention::Release { item: "mail".into(), report: 1 })"#,
        "skip(ItemId::from_u128(0xab))",
        r#"intervene(Intervention::SkipInPrepare { item: "mail".into(), prepare: 2 })"#,
        "intervene(Intervention::SkipInSynchronize(ItemRef::Position(1)))",
        "intervene(Intervention::FillLog(1))",
        "intervene(Intervention::RefuseConnection(2))",
        "intervene(Intervention::DenyDialog(3))",
    ];
    assert_eq!(text, expected);
}
