//! What is done to a manager while a handler shows an error or retries.

use std::sync::Arc;
use std::thread;

use support::gate::{
    Gate, answers, fails, finish, gated, goes_well, is_cancelled, jump, named, names, of, rounds,
    shows_errors, status_of, succeed_in, wait_for,
};
use support::manager::{REMOVED, Records, handler_id, remove};
use support::{id, join, until};
use syncmgr::testing::mock::{Script, Step};
use syncmgr::testing::{Action, Answer};
use syncmgr::{ErrorOutcome, HResult, ItemId, ItemStatus, Phase, Run, Verdict};

const AGAIN: HResult = HResult::S_SYNCMGR_RETRYSYNC;

/// Shows the error: these steps, and a retry of these items.
fn retries(script: Script, before: impl IntoIterator<Item = Step>, items: &[ItemId]) -> Script {
    let retry = Step::complete_show_error(AGAIN, items.iter().copied());
    script.show_error(before.into_iter().chain([retry]), Ok(()))
}

/// The ways to cancel all that a handler does.
fn cancels() -> [fn(&Run); 2] {
    [
        |run| run.cancel_all(),
        |run| {
            run.cancel_handler(handler_id(1));
        },
    ]
}

#[test]
fn cancelled_while_it_shows_the_error() {
    for cancel in cancels() {
        let manager = shows_errors().build();
        let records = Records::default();
        let gate = Gate::new();
        records.register(&manager, 1, retries(fails(), [gate.step()], &[id(1)]));
        let run = manager.update_all();
        gate.reached();
        cancel(&run);
        gate.open();
        let report = finish(&run);
        let one = of(&report, 1);
        assert_eq!((one.rounds, one.phase), (1, Phase::Completed));
        assert_eq!(one.faults, []);
        assert_eq!(status_of(one, 1), Some(ItemStatus::Succeeded));
        records.judge();
    }
}

#[test]
fn cancelled_between_the_answer_and_the_retry() {
    for cancel in cancels() {
        let manager = shows_errors().build();
        let records = Records::default();
        let gate = Gate::new();
        let steps = [Step::complete_show_error(AGAIN, [id(1)]), gate.step()];
        records.register(&manager, 1, fails().show_error(steps, Ok(())));
        let run = manager.update_all();
        gate.reached();
        cancel(&run);
        gate.open();
        let report = finish(&run);
        let one = of(&report, 1);
        assert_eq!((one.rounds, one.phase), (1, Phase::Completed));
        assert_eq!(one.faults, []);
        records.judge();
    }
}

#[test]
fn cancelled_in_the_second_prepare() {
    for cancel in cancels() {
        let manager = shows_errors().build();
        let records = Records::default();
        let gate = Gate::at(2);
        let script = fails().prepare([gate.step()]);
        records.register(&manager, 1, retries(script, [], &[id(1)]));
        let run = manager.update_all();
        gate.reached();
        cancel(&run);
        gate.open();
        let report = finish(&run);
        let one = of(&report, 1);
        assert_eq!(one.rounds, 2);
        let status = status_of(one, 1).unwrap();
        assert_ne!(status, ItemStatus::Succeeded, "of the second round");
        assert_eq!(one.faults, []);
        records.judge();
    }
}

#[test]
fn an_item_cancelled_in_the_second_prepare_is_stopped_and_the_others_are_not() {
    let manager = shows_errors().build();
    let records = Records::default();
    let gate = Gate::at(2);
    let script = fails().prepare([gate.step()]);
    records.register(&manager, 1, retries(script, [], &[id(1), id(2)]));
    let run = manager.update_all();
    gate.reached();
    assert_eq!(run.cancel_item(handler_id(1), id(1)), Ok(()));
    gate.open();
    let report = finish(&run);
    let one = of(&report, 1);
    assert_eq!(one.rounds, 2);
    assert_ne!(status_of(one, 1), Some(ItemStatus::Succeeded));
    assert_eq!(status_of(one, 2), Some(ItemStatus::Succeeded));
    records.judge();
}

#[test]
fn an_item_cancelled_while_its_error_is_shown_is_done_by_the_retry_that_names_it() {
    let manager = shows_errors().build();
    let records = Records::default();
    let gate = Gate::new();
    records.register(&manager, 1, retries(fails(), [gate.step()], &[id(1)]));
    let run = manager.update_all();
    gate.reached();
    assert_eq!(run.cancel_item(handler_id(1), id(1)), Ok(()));
    gate.open();
    let report = finish(&run);
    assert_eq!(of(&report, 1).rounds, 2);
    assert_eq!(status_of(of(&report, 1), 1), Some(ItemStatus::Succeeded));
    records.judge();
}

#[test]
fn stopped_while_it_shows_the_error() {
    let manager = Arc::new(shows_errors().build());
    let records = Records::default();
    let gate = Gate::new();
    records.register(&manager, 1, retries(fails(), [gate.step()], &[id(1)]));
    let run = manager.update_all();
    gate.reached();
    let same = manager.clone();
    let gone = thread::spawn(move || remove(&same, 1));
    is_cancelled(&run, 1);
    gate.open();
    assert_eq!(join("the stop", gone), REMOVED);
    let report = finish(&run);
    assert_eq!(of(&report, 1).rounds, 1);
    records.judge();
}

#[test]
fn stopped_while_it_waits_for_the_turn_to_show_its_error() {
    let manager = Arc::new(shows_errors().build());
    let records = Records::default();
    let turn = Gate::new();
    let holds = Script::new().sync_item(named(2)).synchronize([
        Step::report(id(2)).status(ItemStatus::Updating),
        Step::enable_modeless(true),
        turn.step(),
        Step::enable_modeless(false),
        Step::report(id(2)).status(ItemStatus::Succeeded),
    ]);
    records.register(&manager, 2, holds);
    let first = manager.update_all();
    turn.reached();
    let denied = Gate::new();
    let at = denied.clone();
    at.open();
    let waits = Step::call(move |callback| {
        let granted = || callback.enable_modeless(true) == Ok(syncmgr::Dialog::Granted);
        assert!(!granted());
        at.pass();
        until("the turn or the cancel", || {
            granted() || callback.can_continue(None) == Ok(Verdict::CancelAll)
        });
        let done = callback.show_error_completed(ErrorOutcome::Done);
        assert_eq!(done, Ok(()));
    });
    records.register(&manager, 1, fails().show_error([waits], Ok(())));
    let run = manager.sync_items(handler_id(1), [id(1)]).unwrap();
    denied.reached();
    let same = manager.clone();
    let gone = thread::spawn(move || remove(&same, 1));
    assert_eq!(join("the stop", gone), REMOVED);
    assert!(run.is_over());
    assert!(manager.dialog_arbiter().is_taken(), "by the other");
    turn.open();
    goes_well(&first);
    assert!(!manager.dialog_arbiter().is_taken());
    records.judge();
}

#[test]
fn the_manager_dropped_while_an_error_is_shown() {
    let manager = shows_errors().build();
    let records = Records::default();
    let gate = Gate::new();
    records.register(&manager, 1, retries(fails(), [gate.step()], &[id(1)]));
    let run = manager.update_all();
    gate.reached();
    drop(manager);
    gate.open();
    let report = finish(&run);
    assert_eq!(of(&report, 1).rounds, 1, "no retry any more");
    records.judge();
}

#[test]
fn the_manager_dropped_in_a_retry() {
    let manager = shows_errors().build();
    let records = Records::default();
    let gate = Gate::at(2);
    let steps = [jump()].into_iter().chain(gated(id(1), &gate));
    let script = Script::new().sync_item(named(1)).synchronize(steps);
    records.register(&manager, 1, retries(script, [], &[id(1)]));
    let run = manager.update_all();
    gate.reached();
    drop(manager);
    gate.open();
    let report = finish(&run);
    assert_eq!(of(&report, 1).rounds, 2);
    assert_eq!(status_of(of(&report, 1), 1), Some(ItemStatus::Stopped));
    records.judge();
}

#[test]
fn items_asked_for_while_an_error_is_shown_are_done_by_the_retry_that_names_them() {
    let manager = shows_errors().build();
    let records = Records::default();
    let gate = Gate::new();
    let script = retries(fails(), [gate.step()], &[id(1), id(2)]);
    records.register(&manager, 1, script);
    let run = manager.update_all();
    gate.reached();
    let waits = manager.sync_items(handler_id(1), [id(2)]).unwrap();
    gate.open();
    goes_well(&run);
    let report = succeed_in(&waits);
    assert_eq!(status_of(of(&report, 1), 2), Some(ItemStatus::Succeeded));
    assert_eq!(of(&report, 1).rounds, 2);
    assert_eq!(records.made(), 1);
    records.judge();
}

#[test]
fn items_asked_for_in_a_retry_are_told_to_the_handler() {
    let manager = shows_errors().build();
    let records = Records::default();
    let gate = Gate::at(2);
    let ask = Step::call(|callback| {
        let _ = callback.additional_items();
    });
    let steps = [jump()].into_iter().chain(gated(id(1), &gate)).chain([ask]);
    let script = Script::new()
        .sync_item(named(1))
        .sync_item(named(2).checked(false))
        .synchronize(steps);
    records.register(&manager, 1, retries(script, [], &[id(1)]));
    let run = manager.update_all();
    gate.reached();
    let waits = manager.sync_items(handler_id(1), [id(2)]).unwrap();
    gate.open();
    wait_for(&run);
    wait_for(&waits);
    let traces = records.traces();
    let told = answers(&traces[0], "additional_items");
    assert_eq!(told, [vec![], vec![id(2)]].map(Answer::Items));
    assert_eq!(rounds(&traces[1])[0], [id(2)]);
    records.judge();
}

#[test]
fn skipped_during_the_prepare_of_a_retry() {
    let manager = shows_errors().build();
    let records = Records::default();
    let gate = Gate::at(2);
    let script = fails().prepare_on_thread([gate.step()]);
    records.register(&manager, 1, retries(script, [], &[id(1), id(2)]));
    let run = manager.update_all();
    gate.reached();
    assert_eq!(run.skip_item(handler_id(1), id(1)), Ok(()));
    let skip = Action::SetItemStatus {
        item: id(1),
        status: ItemStatus::Skipped,
    };
    until("the skip was told", || {
        let trace = &records.traces()[0];
        let mut calls = trace.calls().iter();
        calls.any(|call| call.action == skip && call.has_returned())
    });
    gate.open();
    let report = finish(&run);
    assert_eq!(status_of(of(&report, 1), 1), Some(ItemStatus::Skipped));
    assert_eq!(status_of(of(&report, 1), 2), Some(ItemStatus::Succeeded));
    records.judge();
}

#[test]
fn skipped_while_the_error_is_shown_and_done_by_the_retry_all_the_same() {
    let manager = shows_errors().build();
    let records = Records::default();
    let gate = Gate::new();
    records.register(&manager, 1, retries(fails(), [gate.step()], &[id(1)]));
    let run = manager.update_all();
    gate.reached();
    assert_eq!(run.skip_item(handler_id(1), id(1)), Ok(()));
    gate.open();
    let report = finish(&run);
    assert_eq!(status_of(of(&report, 1), 1), Some(ItemStatus::Succeeded));
    assert!(!names(&records.traces()[0]).contains(&"set_item_status"));
    records.judge();
}

#[test]
fn a_start_that_waits_comes_after_the_retries() {
    let manager = shows_errors().build();
    let records = Records::default();
    let gate = Gate::new();
    records.register(&manager, 1, retries(fails(), [gate.step()], &[id(1)]));
    let run = manager.update_all();
    gate.reached();
    let waits = manager.update_all();
    gate.open();
    goes_well(&run);
    goes_well(&waits);
    let traces = records.traces();
    assert_eq!(rounds(&traces[0]).len(), 2);
    assert_eq!(traces.len(), 2);
    records.judge();
}
