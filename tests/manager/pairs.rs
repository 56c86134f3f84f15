//! Two things at once: what is done to a manager while a handler of it runs, shows a dialog or holds a connection.

use std::any::Any;
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use support::gate::{
    Gate, finish, gated, goes_well, initialized, is_cancelled, may_connect, named, of, rounds,
    status_of, succeed_in, wait_for,
};
use support::manager::{REMOVED, Records, handler_id, remove, script, succeed};
use support::{LIMIT, id, join, receive, until};
use syncmgr::testing::mock::{Script, Step};
use syncmgr::{
    CallbackError, Dialog, HResult, InvokeFlags, ItemStatus, LogFilter, ManagerError, Phase,
    RegisterFlags, Registration, Run, SyncCallback, SyncEvent, SyncManager, SyncManagerBuilder,
    Verdict,
};

/// Waits until everything is cancelled.
fn until_cancelled(callback: &Arc<dyn SyncCallback>) {
    until("the cancel", || {
        callback.can_continue(None) == Ok(Verdict::CancelAll)
    });
}

/// A handler that has the turn, comes to the gate, and keeps the turn until it is told to stop.
fn shows_a_dialog(n: u128, gate: &Gate) -> Script {
    let gate = gate.clone();
    gate.open();
    Script::new().sync_item(named(n)).synchronize([
        Step::report(id(n)).status(ItemStatus::Updating),
        Step::call(move |callback| {
            assert_eq!(callback.enable_modeless(true), Ok(Dialog::Granted));
            gate.pass();
            until_cancelled(callback);
        }),
        Step::report(id(n)).value(1),
    ])
}

#[test]
fn stopped_while_it_shows_a_dialog() {
    let manager = Arc::new(SyncManager::new());
    let records = Records::default();
    let gate = Gate::new();
    records.register(&manager, 1, shows_a_dialog(1, &gate));
    records.register(&manager, 2, script(2).prepare([Step::dialog()]));
    let run = manager.sync_items(handler_id(1), [id(1)]).unwrap();
    gate.reached();
    assert!(manager.dialog_arbiter().is_taken());
    let same = manager.clone();
    let gone = thread::spawn(move || remove(&same, 1));
    assert_eq!(join("the stop", gone), REMOVED);
    assert!(!manager.dialog_arbiter().is_taken());
    assert!(run.is_over());
    let report = finish(&run);
    assert_eq!(status_of(of(&report, 1), 1), Some(ItemStatus::Stopped));
    goes_well(&manager.update_all());
    records.judge();
}

#[test]
fn unregistered_by_itself() {
    let manager = Arc::new(
        SyncManager::builder()
            .deadline(Duration::from_millis(200))
            .build(),
    );
    let records = Records::default();
    let weak = Arc::downgrade(&manager);
    let (tell, told) = std::sync::mpsc::channel();
    let script = script(1).prepare([Step::run(move || {
        let manager = weak.upgrade().expect("the test holds it");
        tell.send(manager.unregister(handler_id(1))).unwrap();
    })]);
    records.register(&manager, 1, script);
    let run = manager.update_all();
    let answer = receive("unregister", &told);
    assert_eq!(answer, Ok(Registration::new()));
    wait_for(&run);
    assert_eq!(manager.registration(handler_id(1)), None);
    assert_eq!(
        manager.enumerate(handler_id(1)).err(),
        Some(ManagerError::UnknownHandler { id: handler_id(1) })
    );
    records.judge();
}

/// A manager whose one thread is kept busy by handler 2, and a run of handler 1 that waits for it.
fn waits(manager: SyncManagerBuilder, records: &Records, gate: &Gate) -> (SyncManager, Run, Run) {
    let manager = manager.concurrency(1).build();
    let busy = Script::new()
        .sync_item(named(2))
        .synchronize(gated(id(2), gate));
    records.register(&manager, 2, busy);
    records.register(&manager, 1, script(1));
    let first = manager.sync_items(handler_id(2), [id(2)]).unwrap();
    gate.reached();
    let waits = manager.update_items(handler_id(1), InvokeFlags::empty(), b"");
    (manager, first, waits.unwrap())
}

#[test]
fn stopped_while_others_are_before_it() {
    let (records, gate) = (Records::default(), Gate::new());
    let manager = SyncManager::builder().deadline(LIMIT / 100);
    let (manager, _, waits) = waits(manager, &records, &gate);
    assert_eq!(remove(&manager, 1), REMOVED);
    records.register(&manager, 1, script(1));
    let anew = manager.sync_items(handler_id(1), [id(1)]).unwrap();
    gate.open();
    let report = finish(&waits);
    assert_eq!(of(&report, 1).result, HResult::E_ABORT);
    let report = succeed_in(&anew);
    assert_eq!(status_of(of(&report, 1), 1), Some(ItemStatus::Succeeded));
    assert_eq!(records.made(), 2);
    records.judge();
}

#[test]
fn nobody_waits_for_a_handler_that_does_not_run_to_be_stopped() {
    let (records, gate) = (Records::default(), Gate::new());
    let (manager, first, _) = waits(SyncManager::builder(), &records, &gate);
    let started = Instant::now();
    assert_eq!(remove(&manager, 1), REMOVED);
    let waited = started.elapsed();
    gate.open();
    goes_well(&first);
    assert!(waited < Duration::from_secs(2), "{waited:?}");
}

#[test]
fn signalled_while_it_runs() {
    let manager = SyncManager::new();
    let records = Records::default();
    let gate = Gate::new();
    let flags = RegisterFlags::CONNECT | RegisterFlags::IDLE;
    let script = Script::new()
        .sync_item(named(1))
        .synchronize(gated(id(1), &gate));
    records.register_for(&manager, 1, Registration::new().flags(flags), script);
    let run = manager.update_all();
    gate.reached();
    let events = [SyncEvent::Connect, SyncEvent::Idle, SyncEvent::Connect];
    let runs = events.map(|event| manager.signal(event));
    let none = manager.signal(SyncEvent::PendingDisconnect);
    assert!(none.is_over(), "it is not registered for that");
    assert_eq!(records.made(), 1);
    gate.open();
    goes_well(&run);
    runs.iter().for_each(goes_well);
    let traces = records.traces();
    let events: Vec<_> = traces
        .iter()
        .map(|trace| initialized(trace).0.event())
        .collect();
    let order = [SyncEvent::Manual, SyncEvent::Connect, SyncEvent::Idle];
    assert_eq!(events, order);
    records.judge();
}

#[test]
fn replaced_while_it_runs() {
    let manager = SyncManager::new();
    let (old, new) = (Records::default(), Records::default());
    let gate = Gate::new();
    let script = Script::new()
        .sync_item(named(1))
        .synchronize(gated(id(1), &gate));
    old.register(&manager, 1, script);
    let run = manager.update_all();
    gate.reached();
    let other = Script::new()
        .sync_item(named(2))
        .synchronize(succeed(id(2)));
    let registration = Registration::new().description("new");
    new.register_for(&manager, 1, registration.clone(), other);
    assert_eq!(manager.registration(handler_id(1)), Some(registration));
    let next = manager.update_all();
    assert_eq!((old.made(), new.made()), (1, 0), "not both at once");
    gate.open();
    let report = succeed_in(&run);
    assert_eq!(status_of(of(&report, 1), 1), Some(ItemStatus::Succeeded));
    let report = succeed_in(&next);
    assert_eq!(status_of(of(&report, 1), 2), Some(ItemStatus::Succeeded));
    assert_eq!((old.made(), new.made()), (1, 1));
    old.judge();
    new.judge();
}

#[test]
fn stopped_and_registered_anew_while_it_runs() {
    let manager = Arc::new(SyncManager::new());
    let (old, new) = (Records::default(), Records::default());
    let gate = Gate::new();
    let slow = Script::new()
        .sync_item(named(1))
        .synchronize(gated(id(1), &gate));
    old.register(&manager, 1, slow);
    let run = manager.update_all();
    gate.reached();
    let same = manager.clone();
    let gone = thread::spawn(move || remove(&same, 1));
    is_cancelled(&run, 1);
    new.register(&manager, 1, script(1));
    let next = manager.update_all();
    assert_eq!(new.made(), 0, "its old run goes on");
    gate.open();
    assert_eq!(join("the stop", gone), REMOVED);
    let report = succeed_in(&next);
    assert_eq!(status_of(of(&report, 1), 1), Some(ItemStatus::Succeeded));
    let report = finish(&run);
    assert_eq!(status_of(of(&report, 1), 1), Some(ItemStatus::Stopped));
    old.judge();
    new.judge();
}

#[test]
fn chosen_while_it_runs() {
    let manager = SyncManager::new();
    let records = Records::default();
    let gate = Gate::new();
    let script = Script::new()
        .sync_item(named(1))
        .sync_item(named(2))
        .synchronize(gated(id(1), &gate).into_iter().chain(succeed(id(2))));
    records.register(&manager, 1, script);
    let run = manager.update_all();
    gate.reached();
    manager.choose(handler_id(1), id(2), false);
    manager.choose(handler_id(1), id(9), true);
    gate.open();
    let report = succeed_in(&run);
    assert_eq!(status_of(of(&report, 1), 2), Some(ItemStatus::Succeeded));
    goes_well(&manager.update_all());
    assert_eq!(rounds(&records.traces()[1]), [vec![id(1)]]);
    assert_eq!(manager.choices().get(handler_id(1), id(2)), Some(false));
    records.judge();
}

#[test]
fn the_manager_dropped_while_a_dialog_is_shown() {
    let manager = SyncManager::new();
    let arbiter = manager.dialog_arbiter();
    let records = Records::default();
    let gate = Gate::new();
    records.register(&manager, 1, shows_a_dialog(1, &gate));
    let run = manager.update_all();
    gate.reached();
    assert!(arbiter.is_taken());
    drop(manager);
    let report = finish(&run);
    assert_eq!(status_of(of(&report, 1), 1), Some(ItemStatus::Stopped));
    assert_eq!(of(&report, 1).phase, Phase::Completed);
    assert!(!arbiter.is_taken());
    records.judge();
}

#[test]
fn the_manager_dropped_by_a_handler_of_its_own() {
    let manager = Arc::new(SyncManager::new());
    let records = Records::default();
    let held = Arc::new(Mutex::new(Some(manager.clone())));
    let gate = Gate::new();
    let at = gate.clone();
    let script = Script::new().inline().sync_item(named(1)).synchronize([
        Step::report(id(1)).status(ItemStatus::Updating),
        Step::run(move || {
            at.pass();
            drop(held.lock().unwrap().take());
        }),
        Step::report(id(1)).value(1),
    ]);
    records.register(&manager, 1, script);
    let run = manager.update_all();
    gate.reached();
    drop(manager);
    gate.open();
    let report = finish(&run);
    assert_eq!(status_of(of(&report, 1), 1), Some(ItemStatus::Stopped));
    records.judge();
}

#[test]
fn everything_cancelled_beside_a_start_that_waits() {
    let manager = SyncManager::new();
    let records = Records::default();
    let gate = Gate::new();
    let script = Script::new()
        .sync_item(named(1))
        .synchronize(gated(id(1), &gate));
    records.register(&manager, 1, script);
    let run = manager.update_all();
    gate.reached();
    let waits = manager.update_all();
    run.cancel_all();
    gate.open();
    let report = finish(&run);
    assert_eq!(status_of(of(&report, 1), 1), Some(ItemStatus::Stopped));
    let report = succeed_in(&waits);
    assert_eq!(status_of(of(&report, 1), 1), Some(ItemStatus::Succeeded));
    records.judge();
}

#[test]
fn the_manager_is_called_from_every_place_that_it_calls() {
    let held: Arc<OnceLock<Arc<SyncManager>>> = Arc::default();
    let calls = {
        let held = held.clone();
        move || {
            let manager = held.get().expect("it was set before the start");
            manager.choose(handler_id(9), id(9), true);
            let _ = (manager.listing(), manager.choices(), manager.handlers());
            let _ = (manager.log(&LogFilter::new()), manager.log_lost());
            let _ = manager.registration(handler_id(1));
            if let Ok(run) = manager.enumerate(handler_id(1)) {
                assert_eq!(run.progress().handlers, 1);
            }
        }
    };
    let (choose, open, show) = (calls.clone(), calls.clone(), calls.clone());
    let (make, handler, close) = (calls.clone(), calls.clone(), calls);
    struct Closes<F: Fn()>(F);
    impl<F: Fn()> Drop for Closes<F> {
        fn drop(&mut self) {
            self.0();
        }
    }
    let manager = SyncManager::builder()
        .chooser(move |_, _, chosen| {
            choose();
            chosen.to_vec()
        })
        .connector(
            move |_: Option<&str>| -> Result<Box<dyn Any + Send>, CallbackError> {
                open();
                Ok(Box::new(Closes(close.clone())))
            },
        )
        .show_error_if(move |_| {
            show();
            true
        })
        .build();
    let manager = Arc::new(manager);
    assert!(held.set(manager.clone()).is_ok());
    let error = syncmgr::ErrorId::from_u128(7);
    let record = syncmgr::LogRecord::new(syncmgr::LogLevel::Error, "e").jump_text(error);
    let steps = [Step::run(handler), Step::log(&record)];
    let script = may_connect(1)
        .prepare([Step::connect(None)])
        .synchronize(steps.into_iter().chain(succeed(id(1))))
        .show_error([Step::complete_show_error(HResult::S_OK, [])], Ok(()));
    let records = Records::default();
    records.register_made(&manager, 1, move |time| {
        // An enumeration makes a handler too: once is enough.
        if time == 1 {
            make();
        }
        script.clone()
    });
    let run = manager.update_all();
    goes_well(&run);
    assert_eq!(manager.unregister(handler_id(1)), Ok(Registration::new()));
    records.judge();
}

/// A manager whose handler works at the gate, and a run that asked it for item 2 meanwhile.
fn asked(records: &Records, gate: &Gate) -> (Arc<SyncManager>, Run, Run) {
    let manager = Arc::new(SyncManager::new());
    let works = Script::new()
        .sync_item(named(1))
        .sync_item(named(2).checked(false))
        .sync_item(named(3).checked(false));
    let steps = [2, 3].into_iter().flat_map(|n| succeed(id(n)));
    let steps = gated(id(1), gate).into_iter().chain(steps);
    records.register(&manager, 1, works.synchronize(steps));
    let run = manager.update_all();
    gate.reached();
    let waits = manager.sync_items(handler_id(1), [id(2), id(3)]).unwrap();
    (manager, run, waits)
}

#[test]
fn stopped_while_items_are_asked_for() {
    let (records, gate) = (Records::default(), Gate::new());
    let (manager, run, waits) = asked(&records, &gate);
    let same = manager.clone();
    let gone = thread::spawn(move || remove(&same, 1));
    is_cancelled(&run, 1);
    gate.open();
    assert_eq!(join("the stop", gone), REMOVED);
    let report = finish(&run);
    assert_eq!(status_of(of(&report, 1), 1), Some(ItemStatus::Stopped));
    let report = finish(&waits);
    assert_eq!(of(&report, 1).result, HResult::E_ABORT);
    assert_eq!(records.made(), 1);
    records.judge();
}

#[test]
fn the_manager_dropped_while_items_are_asked_for() {
    let (records, gate) = (Records::default(), Gate::new());
    let (manager, run, waits) = asked(&records, &gate);
    drop(manager);
    gate.open();
    let report = finish(&run);
    assert_eq!(status_of(of(&report, 1), 1), Some(ItemStatus::Stopped));
    let report = finish(&waits);
    assert_eq!(of(&report, 1).result, HResult::E_ABORT);
    assert_eq!(records.made(), 1);
    records.judge();
}

#[test]
fn an_item_cancelled_while_it_is_asked_for() {
    for skips in [false, true] {
        let (records, gate) = (Records::default(), Gate::new());
        let (_manager, run, waits) = asked(&records, &gate);
        let cancelled = match skips {
            true => waits.skip_item(handler_id(1), id(2)),
            false => waits.cancel_item(handler_id(1), id(2)),
        };
        assert_eq!(cancelled, Ok(()));
        gate.open();
        goes_well(&run);
        let report = finish(&waits);
        assert_ne!(status_of(of(&report, 1), 2), Some(ItemStatus::Succeeded));
        assert_eq!(status_of(of(&report, 1), 3), Some(ItemStatus::Succeeded));
        records.judge();
    }
}

#[test]
fn replaced_while_items_are_asked_for() {
    let (records, gate) = (Records::default(), Gate::new());
    let (manager, run, waits) = asked(&records, &gate);
    let new = Script::new().sync_item(named(2)).sync_item(named(3));
    let steps = [2, 3].into_iter().flat_map(|n| succeed(id(n)));
    records.register(&manager, 1, new.synchronize(steps));
    gate.open();
    goes_well(&run);
    let report = succeed_in(&waits);
    for n in [2, 3] {
        assert_eq!(status_of(of(&report, 1), n), Some(ItemStatus::Succeeded));
    }
    assert_eq!(records.made(), 2);
    records.judge();
}
