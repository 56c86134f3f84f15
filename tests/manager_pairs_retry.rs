//! What is done to a manager while a handler shows an error or retries.

#![cfg(feature = "testing")]

#[path = "support/gate.rs"]
mod gate;
#[path = "support/manager.rs"]
mod manager;
mod support;

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use gate::{
    Gate, answers, finish, gated, goes_well, named, names, of, rounds, status_of, succeed_in,
    wait_for,
};
use manager::{Records, handler_id, script, succeed};
use support::{id, join, until};
use syncmgr::testing::{Action, Answer, Script, Step};
use syncmgr::{
    CallbackError, ErrorId, ErrorOutcome, Fault, HResult, HandlerFlags, ItemId, ItemStatus,
    LogLevel, LogRecord, Phase, Registration, Run, SyncCallback, SyncManager, Verdict,
};

const AGAIN: HResult = HResult::S_SYNCMGR_RETRYSYNC;

fn jump() -> Step {
    Step::log(&LogRecord::new(LogLevel::Error, "no space").jump_text(ErrorId::from_u128(7)))
}

/// A manager that shows every error and allows one retry.
fn shows_errors() -> SyncManager {
    SyncManager::new().show_error_if(|_| true).max_retries(1)
}

/// Item 1 and, not checked, item 2; an error is logged in each round.
fn fails() -> Script {
    let steps = [jump()].into_iter();
    Script::new()
        .sync_item(named(1))
        .sync_item(named(2).checked(false))
        .synchronize(steps.chain([1, 2].into_iter().flat_map(|n| succeed(id(n)))))
}

/// Shows the error: these steps, and a retry of these items.
fn retries(script: Script, before: impl IntoIterator<Item = Step>, items: &[ItemId]) -> Script {
    let retry = Step::complete_show_error(AGAIN, items.iter().copied());
    script.show_error(before.into_iter().chain([retry]), Ok(()))
}

#[track_caller]
fn is_cancelled(run: &Run, n: u128) {
    until("the cancel", || {
        let session = run.session(handler_id(n)).expect("it told its items");
        session.can_continue(None) == Ok(Verdict::CancelAll)
    });
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
        let manager = shows_errors();
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
        let manager = shows_errors();
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
        let manager = shows_errors();
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
    let manager = shows_errors();
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
    let manager = shows_errors();
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
fn unregistered_while_it_shows_the_error() {
    let manager = Arc::new(shows_errors());
    let records = Records::default();
    let gate = Gate::new();
    records.register(&manager, 1, retries(fails(), [gate.step()], &[id(1)]));
    let run = manager.update_all();
    gate.reached();
    let same = manager.clone();
    let gone = thread::spawn(move || same.unregister(handler_id(1)));
    is_cancelled(&run, 1);
    gate.open();
    assert_eq!(join("unregister", gone), Ok(Registration::new()));
    let report = finish(&run);
    assert_eq!(of(&report, 1).rounds, 1);
    records.judge();
}

#[test]
fn unregistered_while_its_completion_of_the_error_is_awaited() {
    let deadline = Duration::from_millis(100);
    let manager = shows_errors().deadline(deadline);
    let records = Records::default();
    let shown = Gate::new();
    shown.open();
    let script = fails().show_error([shown.step()], Ok(()));
    records.register(&manager, 1, script);
    let run = manager.update_all();
    shown.reached();
    assert_eq!(manager.unregister(handler_id(1)), Ok(Registration::new()));
    let report = finish(&run);
    assert_eq!(of(&report, 1).rounds, 1);
    assert_eq!(status_of(of(&report, 1), 1), Some(ItemStatus::Succeeded));
    records.judge();
}

#[test]
fn unregistered_while_it_waits_for_the_turn_to_show_its_error() {
    let manager = Arc::new(shows_errors());
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
    let gone = thread::spawn(move || same.unregister(handler_id(1)));
    assert_eq!(join("unregister", gone), Ok(Registration::new()));
    assert!(run.is_over());
    assert!(manager.dialog_arbiter().is_taken(), "by the other");
    turn.open();
    goes_well(&first);
    assert!(!manager.dialog_arbiter().is_taken());
    records.judge();
}

#[test]
fn the_manager_dropped_while_an_error_is_shown() {
    let manager = shows_errors();
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
    let manager = shows_errors();
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
    let manager = shows_errors();
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
    let manager = shows_errors();
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
    let manager = shows_errors();
    let records = Records::default();
    let gate = Gate::at(2);
    let script = fails().prepare_on_thread([gate.step()]);
    records.register(&manager, 1, retries(script, [], &[id(1), id(2)]));
    let run = manager.update_all();
    gate.reached();
    assert_eq!(run.skip(handler_id(1), id(1)), Ok(()));
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
    let manager = shows_errors();
    let records = Records::default();
    let gate = Gate::new();
    records.register(&manager, 1, retries(fails(), [gate.step()], &[id(1)]));
    let run = manager.update_all();
    gate.reached();
    assert_eq!(run.skip(handler_id(1), id(1)), Ok(()));
    gate.open();
    let report = finish(&run);
    assert_eq!(status_of(of(&report, 1), 1), Some(ItemStatus::Succeeded));
    assert!(!names(&records.traces()[0]).contains(&"set_item_status"));
    records.judge();
}

#[test]
fn a_start_that_waits_comes_after_the_retries() {
    let manager = shows_errors();
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

#[test]
fn the_deadline_while_an_error_is_shown() {
    let hang = Gate::new();
    for hangs in [true, false] {
        let manager = shows_errors().deadline(Duration::from_millis(50));
        let records = Records::default();
        let steps = match hangs {
            true => vec![hang.step()],
            false => vec![],
        };
        records.register(&manager, 1, fails().show_error(steps, Ok(())));
        records.register(&manager, 2, script(2));
        let report = finish(&manager.update_all());
        let one = of(&report, 1);
        assert_eq!(one.abandoned, u32::from(hangs));
        let in_time = match &one.faults[..] {
            [Fault::DidNotReturn { call, .. }] => *call == "show_error" && hangs,
            [Fault::NotCompleted { call, .. }] => *call == "show_error_completed" && !hangs,
            _ => false,
        };
        assert!(in_time, "{:?}", one.faults);
        assert_eq!(status_of(one, 1), Some(ItemStatus::Succeeded));
        assert!(!one.is_success());
        assert!(of(&report, 2).is_success());
        records.judge();
    }
    hang.open();
}

#[test]
fn the_deadline_while_properties_are_shown() {
    let hang = Gate::new();
    for hangs in [true, false] {
        let manager = SyncManager::new().deadline(Duration::from_millis(50));
        let records = Records::default();
        let steps = match hangs {
            true => vec![hang.step()],
            false => vec![],
        };
        let script = script(1)
            .flags(HandlerFlags::HAS_PROPERTIES)
            .show_properties(steps, Ok(()));
        records.register(&manager, 1, script);
        let run = manager.show_properties(handler_id(1), None).unwrap();
        let after = manager.enumerate(handler_id(1)).unwrap();
        let report = finish(&run);
        let one = of(&report, 1);
        assert_eq!(one.result, HResult::E_ABORT);
        assert_eq!(one.abandoned, u32::from(hangs));
        goes_well(&after);
        records.judge();
    }
    hang.open();
}

#[test]
fn a_panic_while_an_error_is_shown_with_a_turn_and_a_connection() {
    let open = Arc::new(AtomicUsize::new(0));
    struct Line(Arc<AtomicUsize>);
    impl Drop for Line {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }
    let opens = open.clone();
    let manager = shows_errors().connector(
        move |_: Option<&str>| -> Result<Box<dyn Any + Send>, CallbackError> {
            opens.fetch_add(1, Ordering::SeqCst);
            Ok(Box::new(Line(opens.clone())))
        },
    );
    let records = Records::default();
    let steps = [
        Step::connect(None),
        Step::enable_modeless(true),
        Step::run(|| panic!("cannot show it")),
    ];
    let script = fails()
        .flags(HandlerFlags::MAY_ESTABLISH_CONNECTION)
        .show_error(steps, Ok(()));
    records.register(&manager, 1, script);
    let report = finish(&manager.update_all());
    let one = of(&report, 1);
    assert!(
        matches!(&one.faults[..], [Fault::Panicked { call, .. }] if *call == "show_error"),
        "{:?}",
        one.faults
    );
    assert_eq!(status_of(one, 1), Some(ItemStatus::Succeeded));
    assert!(!manager.dialog_arbiter().is_taken());
    until("the connection is closed", || {
        open.load(Ordering::SeqCst) == 0
    });
    records.judge();
}
