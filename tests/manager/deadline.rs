//! Handlers that fall silent: past the deadline they are given up, wherever they are.

use std::cell::RefCell;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use support::gate::{Gate, fails, finish, gated, goes_well, of, shows_errors, status_of, wait_for};
use support::hooked::register_hooked;
use support::manager::{Records, handler_id, remove, script};
use support::{LIMIT, id};
use syncmgr::testing::mock::Step;
use syncmgr::{
    HResult, HandlerFlags, ItemStatus, ProtocolViolation, Registration, SyncEvent, SyncManager,
};

/// Long enough for a handler that works, on a busy machine too.
const SILENCE: Duration = Duration::from_millis(200);

#[test]
fn stopped_while_it_hangs() {
    let manager = SyncManager::builder().deadline(SILENCE).build();
    let records = Records::default();
    let hang = Gate::new();
    records.register(&manager, 1, script(1).prepare([hang.step()]));
    let run = manager.update_all();
    hang.reached();
    let started = Instant::now();
    // Whether it is given up here or by the supervisor depends on the threads.
    let (registration, _) = remove(&manager, 1);
    assert_eq!(registration, Ok(Registration::new()));
    assert!(started.elapsed() < LIMIT / 2);
    assert_eq!(manager.handlers(), []);
    let report = finish(&run);
    assert_eq!(of(&report, 1).result, HResult::E_ABORT);
    hang.open();
    records.judge();
}

#[test]
fn hung_while_it_has_the_turn() {
    let manager = SyncManager::builder().deadline(SILENCE).build();
    let records = Records::default();
    let hang = Gate::new();
    let steps = [Step::enable_modeless(true), hang.step()];
    records.register(&manager, 1, script(1).prepare(steps));
    wait_for(&manager.update_all());
    assert!(!manager.dialog_arbiter().is_taken());
    hang.open();
}

#[test]
fn stopped_while_its_completion_of_the_error_is_awaited() {
    let deadline = SILENCE;
    let manager = shows_errors().deadline(deadline).build();
    let records = Records::default();
    let shown = Gate::new();
    shown.open();
    let script = fails().show_error([shown.step()], Ok(()));
    records.register(&manager, 1, script);
    let run = manager.update_all();
    shown.reached();
    // Whether it is given up here or by the supervisor depends on the threads.
    let (registration, _) = remove(&manager, 1);
    assert_eq!(registration, Ok(Registration::new()));
    let report = finish(&run);
    assert_eq!(of(&report, 1).rounds, 1);
    assert_eq!(status_of(of(&report, 1), 1), Some(ItemStatus::Succeeded));
    records.judge();
}

#[test]
fn the_deadline_while_an_error_is_shown() {
    let hang = Gate::new();
    for hangs in [true, false] {
        let manager = shows_errors().deadline(SILENCE).build();
        let records = Records::default();
        let steps = match hangs {
            true => vec![hang.step()],
            false => vec![],
        };
        records.register(&manager, 1, fails().show_error(steps, Ok(())));
        records.register(&manager, 2, script(2));
        let report = finish(&manager.update_all());
        let one = of(&report, 1);
        assert_eq!(one.abandoned_threads, u32::from(hangs));
        let in_time = match &one.faults[..] {
            [ProtocolViolation::DidNotReturn { call, .. }] => *call == "show_error" && hangs,
            [ProtocolViolation::NotCompleted { call, .. }] => {
                *call == "show_error_completed" && !hangs
            }
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
    for hangs in [true, false] {
        let manager = SyncManager::builder().deadline(SILENCE).build();
        let records = Records::default();
        let shown = Gate::new();
        if !hangs {
            shown.open();
        }
        let script = script(1)
            .flags(HandlerFlags::HAS_PROPERTIES)
            .show_properties([shown.step()], Ok(()));
        records.register(&manager, 1, script);
        let run = manager.show_properties(handler_id(1), None).unwrap();
        shown.reached();
        let after = manager.enumerate(handler_id(1)).unwrap();
        let report = finish(&run);
        let one = of(&report, 1);
        assert_eq!(one.result, HResult::E_ABORT);
        assert_eq!(one.abandoned_threads, u32::from(hangs));
        goes_well(&after);
        shown.open();
        records.judge();
    }
}

#[test]
fn silence_of_one_call_is_not_counted_for_the_next_one() {
    const DEADLINE: Duration = Duration::from_secs(2);
    // No call of the callback comes between these two, so only their return ends the silence.
    let slow = |call| {
        if matches!(call, "initialize" | "items") {
            thread::sleep(DEADLINE * 3 / 5);
        }
    };
    let manager = SyncManager::builder().deadline(DEADLINE).build();
    let records = Records::default();
    register_hooked(&records, &manager, 1, script(1), slow);
    goes_well(&manager.update_all());
    records.judge();
}

/// Sends when the thread that has it ends.
struct OnExit(mpsc::Sender<()>);

impl Drop for OnExit {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

thread_local! {
    static EXIT: RefCell<Option<OnExit>> = const { RefCell::new(None) };
}

#[test]
fn an_abandoned_worker_ends_when_its_call_returns_and_takes_no_other_handler() {
    let manager = SyncManager::builder()
        .concurrency(1)
        .deadline(SILENCE)
        .build();
    let records = Records::default();
    let hang = Gate::new();
    let (exits, exited) = mpsc::channel();
    let marked = Step::run(move || EXIT.set(Some(OnExit(exits.clone()))));
    records.register(&manager, 1, script(1).prepare([marked, hang.step()]));
    let report = finish(&manager.update_all());
    assert_eq!(of(&report, 1).abandoned_threads, 1);
    // The only worker that is left is busy with one handler, and another one waits.
    let busy = Gate::new();
    for n in [2, 3] {
        let script = script(n).synchronize(gated(id(n), &busy)).inline();
        records.register(&manager, n, script);
    }
    let runs = [2, 3].map(|n| {
        manager
            .signal_handler(handler_id(n), SyncEvent::Manual)
            .unwrap()
    });
    busy.reached();
    hang.open();
    exited
        .recv_timeout(LIMIT)
        .expect("the abandoned worker ends");
    assert!(runs[1].session(handler_id(3)).is_none(), "3 has to wait");
    busy.open();
    for run in &runs {
        assert_eq!(finish(run).handlers.len(), 1);
    }
    records.judge();
}

#[test]
fn a_handler_that_hangs_before_its_first_round_has_no_unfinished_items() {
    let manager = SyncManager::builder().deadline(SILENCE).build();
    let records = Records::default();
    let hang = Gate::new();
    let gate = hang.clone();
    register_hooked(&records, &manager, 1, script(1), move |call| {
        if call == "set callback" {
            gate.pass();
        }
    });
    let run = manager.update_all();
    let report = finish(&run);
    let one = of(&report, 1);
    assert_eq!((one.rounds, one.abandoned_threads), (0, 1));
    assert!(one.unfinished.is_empty(), "{:?}", one.unfinished);
    hang.open();
}

#[test]
fn a_handler_that_never_completes_is_silent_and_does_not_hang() {
    let manager = SyncManager::builder().deadline(SILENCE).build();
    let records = Records::default();
    let script = script(1).without_completions();
    records.register(&manager, 1, script);
    let report = finish(&manager.update_all());
    let one = of(&report, 1);
    assert_eq!(one.abandoned_threads, 0, "{report:?}");
    assert!(
        matches!(one.faults[..], [ProtocolViolation::NotCompleted { .. }]),
        "{:?}",
        one.faults
    );
}
