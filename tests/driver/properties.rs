//! Properties that are shown before a run of one handler: which items take part then.

use std::thread;
use std::time::Duration;

use support::gate::{Gate, names, rounds};
use support::manager::succeed;
use support::properties::{Changing, owns, shows, targets};
use support::{id, join, until, within};
use syncmgr::testing::mock::{Script, Step};
use syncmgr::testing::{Recorder, Trace};
use syncmgr::{
    HResult, HandlerReport, ItemId, ItemStatus, Phase, PropertiesOutcome, ProtocolViolation,
    RunOptions, SyncFlags, run_handler,
};

/// Drives a handler once, by itself.
fn run(script: &Script, options: RunOptions) -> (HandlerReport, Trace) {
    let recorder = Recorder::new();
    let handler = recorder.handler(script.handler());
    let report = within("the run", move || run_handler(handler, options));
    let trace = recorder.trace();
    for found in trace.violations() {
        assert!(found.rule.binds_handler(), "{trace}");
    }
    (report, trace)
}

#[test]
fn properties_are_shown_one_after_the_other_before_anything_is_prepared() {
    let options = RunOptions::new()
        .show_properties(id(2))
        .show_properties(None)
        .show_properties(id(1));
    let (report, trace) = run(&shows(2, HResult::S_OK), options);
    assert!(report.is_success(), "{report:?}");
    let asked = [Some(id(2)), None, Some(id(1))];
    assert_eq!(targets(&trace), asked);
    let done = asked.map(|target| (target, PropertiesOutcome::Done));
    assert_eq!(report.properties, done);
    let names = names(&trace);
    let place = |name| names.iter().rposition(|other| *other == name);
    assert!(
        place("show_properties_completed") < place("prepare_for_sync"),
        "{trace}"
    );
    assert_eq!(rounds(&trace), [vec![id(1), id(2)]]);
}

#[test]
fn an_item_that_was_deleted_takes_no_part() {
    let script = shows(2, HResult::S_SYNCMGR_ITEMDELETED);
    let (report, trace) = run(&script, RunOptions::new().show_properties(id(1)));
    assert!(report.is_success(), "{report:?}");
    assert_eq!(
        report.properties,
        [(Some(id(1)), PropertiesOutcome::ItemDeleted)]
    );
    assert_eq!(rounds(&trace), [vec![id(2)]]);
}

#[test]
fn nothing_is_prepared_where_the_only_item_was_deleted() {
    let script = shows(1, HResult::S_SYNCMGR_ITEMDELETED);
    let (report, trace) = run(&script, RunOptions::new().show_properties(id(1)));
    assert!(report.is_success(), "{report:?}");
    assert_eq!(rounds(&trace), Vec::<Vec<ItemId>>::new());
    assert!(!names(&trace).contains(&"synchronize"));
}

#[test]
fn a_named_item_that_was_deleted_takes_no_part_either() {
    let script = shows(3, HResult::S_SYNCMGR_ITEMDELETED);
    let options = RunOptions::new()
        .select([id(1), id(2)])
        .show_properties(id(2));
    let (report, trace) = run(&script, options);
    assert!(report.is_success(), "{report:?}");
    assert_eq!(rounds(&trace), [vec![id(1)]]);
}

#[test]
fn properties_that_are_refused_keep_nothing_from_being_synchronized() {
    for (answer, code) in [
        (Some(Err(HResult::E_INVALIDARG)), HResult::E_INVALIDARG),
        (None, HResult::E_NOTIMPL),
    ] {
        let mut script = Script::new().sync_item(owns(1)).synchronize(succeed(id(1)));
        if let Some(answer) = answer {
            script = script.show_properties([], answer);
        }
        let (report, trace) = run(&script, RunOptions::new().show_properties(id(1)));
        let refused = PropertiesOutcome::Other(code);
        assert_eq!(report.properties, [(Some(id(1)), refused)]);
        assert_eq!(rounds(&trace), [vec![id(1)]], "{code}");
        assert_eq!(report.items()[0].status, ItemStatus::Succeeded);
    }
}

#[test]
fn a_code_that_has_no_name_is_told_as_it_came() {
    let (report, trace) = run(
        &shows(1, HResult::E_ABORT),
        RunOptions::new().show_properties(id(1)),
    );
    let other = PropertiesOutcome::Other(HResult::E_ABORT);
    assert_eq!(report.properties, [(Some(id(1)), other)]);
    assert_eq!(rounds(&trace), [vec![id(1)]]);
}

#[test]
fn the_completion_may_come_before_the_return_after_it_and_from_any_thread() {
    let complete = || Step::complete_show_properties(HResult::S_SYNCMGR_ITEMDELETED);
    for when in ["before", "thread", "after"] {
        // Opened once the call has returned, where the completion is to come after it.
        let returned = Gate::new();
        if when != "after" {
            returned.open();
        }
        let gate = returned.clone();
        let later = Step::call(move |callback| {
            let (gate, callback) = (gate.clone(), callback.clone());
            thread::spawn(move || {
                gate.pass();
                let _ = callback.show_properties_completed(PropertiesOutcome::ItemDeleted);
            });
        });
        let steps = match when {
            "before" => vec![complete()],
            _ => vec![later],
        };
        let script = Script::new()
            .sync_item(owns(1))
            .sync_item(owns(2))
            .synchronize(succeed(id(2)))
            .show_properties(steps, Ok(()));
        let recorder = Recorder::new();
        let handler = recorder.handler(script.handler());
        let driver =
            thread::spawn(move || run_handler(handler, RunOptions::new().show_properties(id(1))));
        until("the call has returned", || {
            let trace = recorder.trace();
            let mut calls = trace.calls().iter();
            calls.any(|call| call.action.name() == "show_properties" && call.has_returned())
        });
        returned.open();
        let report = join("the run", driver);
        assert!(report.is_success(), "{when}: {report:?}");
        assert_eq!(rounds(&recorder.trace()), [vec![id(2)]], "{when}");
    }
}

#[test]
fn properties_that_are_never_completed_end_the_run_past_the_deadline() {
    let script = Script::new().sync_item(owns(1)).show_properties([], Ok(()));
    let options = RunOptions::new()
        .deadline(Duration::from_millis(50))
        .show_properties(id(1));
    let (report, trace) = run(&script, options);
    assert_eq!(report.result, HResult::E_ABORT);
    assert_eq!(report.phase, Phase::Idle);
    assert!(
        matches!(
            report.faults[..],
            [ProtocolViolation::NotCompleted {
                call: "show_properties_completed",
                ..
            }]
        ),
        "{:?}",
        report.faults
    );
    assert_eq!(rounds(&trace), Vec::<Vec<ItemId>>::new());
}

#[test]
fn properties_that_panic_end_the_run() {
    let script = Script::new()
        .sync_item(owns(1))
        .show_properties([Step::run(|| panic!("no such page"))], Ok(()));
    let (report, trace) = run(&script, RunOptions::new().show_properties(id(1)));
    assert_eq!(report.result, HResult::E_UNEXPECTED);
    assert!(
        matches!(&report.faults[..], [ProtocolViolation::Panicked { message, .. }] if message.contains("no such page")),
        "{:?}",
        report.faults
    );
    assert_eq!(rounds(&trace), Vec::<Vec<ItemId>>::new());
}

#[test]
fn properties_alone_are_shown_where_the_handler_is_started_for_its_settings() {
    let flags = SyncFlags::new(syncmgr::SyncEvent::Manual) | SyncFlags::SETTINGS;
    let options = RunOptions::new().flags(flags).show_properties(None);
    let (report, trace) = run(&shows(1, HResult::S_OK), options);
    assert!(report.is_success(), "{report:?}");
    assert_eq!(report.properties, [(None, PropertiesOutcome::Done)]);
    assert_eq!(rounds(&trace), Vec::<Vec<ItemId>>::new());
}

#[test]
fn of_a_list_that_changed_new_items_take_part_as_the_selection_says_and_gone_ones_do_not() {
    let before = vec![owns(1), owns(2)];
    let after = vec![owns(2), owns(3), owns(4).checked(false)];
    for (named, expected) in [
        (None, vec![id(2), id(3)]),
        (Some([id(1), id(2)]), vec![id(2)]),
        (Some([id(2), id(4)]), vec![id(2), id(4)]),
    ] {
        let recorder = Recorder::new();
        let handler = recorder.handler(Changing::new(before.clone(), after.clone()));
        let mut options = RunOptions::new().show_properties(None);
        if let Some(named) = named {
            options = options.select(named);
        }
        let report = within("the run", move || run_handler(handler, options));
        let trace = recorder.trace();
        trace.assert_conformant();
        assert_eq!(report.properties, [(None, PropertiesOutcome::ItemsChanged)]);
        assert_eq!(rounds(&trace), [expected], "selected: {named:?}");
        assert!(report.is_success(), "{report:?}");
    }
}

#[test]
fn a_handler_that_deletes_itself_keeps_its_items() {
    let script = shows(2, HResult::S_SYNCMGR_ITEMDELETED);
    let (report, trace) = run(&script, RunOptions::new().show_properties(None));
    assert_eq!(report.properties, [(None, PropertiesOutcome::ItemDeleted)]);
    assert_eq!(rounds(&trace), [vec![id(1), id(2)]]);
}

#[test]
fn a_list_that_changed_into_one_that_cannot_be_used_ends_the_run() {
    let recorder = Recorder::new();
    let twice = vec![owns(2), owns(2)];
    let handler = recorder.handler(Changing::new(vec![owns(1)], twice));
    let options = RunOptions::new().show_properties(None);
    let report = within("the run", move || run_handler(handler, options));
    assert!(!report.is_success(), "{report:?}");
    assert!(
        matches!(report.faults[..], [ProtocolViolation::BadItems(_)]),
        "{report:?}"
    );
    assert_eq!(rounds(&recorder.trace()), Vec::<Vec<ItemId>>::new());
}

#[test]
fn the_hosts_own_warnings_are_bounded_and_those_left_out_are_counted() {
    const SHOWN: usize = 20;
    let handler = Changing::new(vec![owns(1)], vec![owns(1)]);
    // Each new list lacks the same selected item.
    let mut options = RunOptions::new().select([id(1), id(9)]);
    for _ in 0..SHOWN {
        options = options.show_properties(None);
    }
    let report = within("the run", move || run_handler(handler, options));
    assert!(report.is_success(), "{report:?}");
    let session = report.session.expect("it has one");
    assert_eq!(session.log().len(), 16);
    assert_eq!(session.log_refused(), (SHOWN + 1 - 16) as u64);
}
