//! Attacks on the manager by user code: it panics, hangs or calls back wherever it is called or dropped.

use std::fmt::Write;
use std::panic::panic_any;
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Wake, Waker};
use std::time::Duration;

use support::hooked::{Gate, Hooked, OnDrop, OnWrite, closing, connects, held, register_hooked};
use support::manager::{Records, handler_id, remove, script, succeed};
use support::{id, item, within};
use syncmgr::testing::mock::Step;
use syncmgr::{
    ErrorId, ItemStatus, LogLevel, LogRecord, ProtocolViolation, Registration, SyncHandler,
    SyncManager,
};

#[test]
fn a_handler_whose_drop_does_not_return_is_given_up() {
    let records = Records::default();
    let manager = SyncManager::builder()
        .concurrency(1)
        .deadline(Duration::from_millis(50))
        .build();
    let gate = Gate::default();
    let held = gate.clone();
    register_hooked(&records, &manager, 1, script(1).inline(), move |call| {
        if call == "drop" {
            held.pass();
        }
    });
    records.register(&manager, 2, script(2));
    let run = manager.update_all();
    let report = within("the run", move || run.wait());
    gate.open();
    let first = report.handler(handler_id(1)).unwrap();
    assert!(
        matches!(
            first.faults[..],
            [ProtocolViolation::DidNotReturn { call: "drop", .. }]
        ),
        "{first:?}"
    );
    assert!(report.handler(handler_id(2)).unwrap().is_success());
}

#[test]
fn connections_that_panic_when_they_are_closed_keep_nobody_from_going_on() {
    let records = Records::default();
    let manager = closing(|| panic!("the line is dead"))
        .concurrency(1)
        .build();
    for n in 1..=2 {
        records.register(&manager, n, connects(n));
    }
    for _ in 0..2 {
        let run = manager.update_all();
        assert!(within("the run", move || run.wait()).is_success());
    }
}

#[test]
fn while_a_connection_is_closed_other_handlers_are_driven() {
    let records = Records::default();
    let (closes, gate) = (Gate::default(), Gate::default());
    let (told, held) = (closes.clone(), gate.clone());
    let manager = closing(move || {
        told.open();
        held.pass();
    })
    .concurrency(1)
    .build();
    records.register(&manager, 1, connects(1));
    let first = manager.update_all();
    within("the close", move || closes.pass());
    assert!(within("the first run", move || first.wait()).is_success());
    records.register(&manager, 2, script(2));
    let second = manager.sync_items(handler_id(2), [id(2)]).unwrap();
    assert!(within("the second run", move || second.wait()).is_success());
    gate.open();
}

#[test]
fn a_factory_is_dropped_with_no_lock_held() {
    let records = Records::default();
    let manager = Arc::new(SyncManager::new());
    let (gate, asked) = (Gate::default(), Gate::default());
    let (held, told) = (gate.clone(), asked.clone());
    let takes = Step::call(move |callback| {
        told.open();
        held.pass();
        assert_eq!(callback.additional_items(), Ok(vec![id(2)]));
    });
    let first = script(1)
        .prepare([takes, Step::add_item(item(2))])
        .synchronize(succeed(id(1)).into_iter().chain(succeed(id(2))));
    let register = |make: Box<dyn Fn() -> Arc<dyn SyncHandler> + Send + Sync>| {
        let registered = manager.register(handler_id(1), Registration::new(), make);
        assert_eq!(registered, Ok(()));
    };
    let recorded = records.clone();
    register(Box::new(move || recorded.record(first.handler())));
    let run = manager.update_all();
    within("the first run begins", move || asked.pass());
    // Only the run that waits has this factory, and nobody has the run.
    let dropped = Gate::default();
    let (told, calls) = (dropped.clone(), Arc::downgrade(&manager));
    let on_drop = OnDrop(move || {
        if let Some(manager) = calls.upgrade() {
            assert_eq!(manager.handlers(), [handler_id(1)]);
        }
        told.open();
    });
    register(Box::new(move || {
        let _ = &on_drop;
        script(1).handler()
    }));
    drop(manager.sync_items(handler_id(1), [id(2)]).unwrap());
    let recorded = records.clone();
    register(Box::new(move || recorded.record(script(1).handler())));
    assert!(!dropped.is_open());
    gate.open();
    assert!(within("the run", move || run.wait()).is_success());
    within("the factory is dropped", move || dropped.pass());
    assert_eq!(manager.handlers(), [handler_id(1)]);
}

#[test]
fn while_the_connections_of_a_handler_that_was_given_up_are_closed_others_are_given_up() {
    let records = Records::default();
    let (closes, close_gate, gate) = (Gate::default(), Gate::default(), Gate::default());
    let (told, held_close) = (closes.clone(), close_gate.clone());
    let manager = closing(move || {
        told.open();
        held_close.pass();
    })
    .deadline(Duration::from_millis(50))
    .build();
    let pass = gate.clone();
    let hangs = [Step::connect(None), Step::run(move || pass.pass())];
    records.register(&manager, 1, connects(1).prepare(hangs));
    let first = manager.update_all();
    within("the close", move || closes.pass());
    records.register(&manager, 2, held(2, &gate));
    let second = manager.sync_items(handler_id(2), [id(2)]).unwrap();
    for run in [first, second] {
        let report = within("a run", move || run.wait());
        assert_eq!(report.handlers[0].1.abandoned_threads, 1);
    }
    close_gate.open();
    gate.open();
}

/// Waits at a gate when it wakes.
struct Held(Gate);

impl Wake for Held {
    fn wake(self: Arc<Self>) {
        self.0.pass();
    }
}

#[test]
fn while_a_waker_of_a_handler_that_was_given_up_hangs_others_are_given_up() {
    let records = Records::default();
    let manager = SyncManager::builder()
        .deadline(Duration::from_millis(50))
        .build();
    let gate = Gate::default();
    let (waker, pass) = (Waker::from(Arc::new(Held(gate.clone()))), gate.clone());
    let waits = Step::call(move |callback| {
        assert_eq!(callback.wake_on_cancel(None, &waker), Ok(()));
        pass.pass();
    });
    records.register(&manager, 1, script(1).prepare([waits]));
    let first = manager.update_all();
    let report = within("the first run", move || first.wait());
    assert_eq!(report.handlers[0].1.abandoned_threads, 1);
    records.register(&manager, 2, held(2, &gate));
    let second = manager.sync_items(handler_id(2), [id(2)]).unwrap();
    let report = within("the second run", move || second.wait());
    assert_eq!(report.handlers[0].1.abandoned_threads, 1);
    gate.open();
}

/// What a panic carries; its drop panics too.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("in the drop of what the panic carried");
    }
}

#[test]
fn a_panic_may_carry_something_whose_drop_panics() {
    let records = Records::default();
    for place in ["factory", "chooser", "show_error_if", "prepare", "drop"] {
        let throw = move |here: &str| {
            if here == place {
                panic_any(Bomb);
            }
        };
        let manager = SyncManager::builder()
            .concurrency(1)
            .chooser(move |handler, _, chosen| {
                if handler == handler_id(1) {
                    throw("chooser");
                }
                chosen.to_vec()
            })
            .show_error_if(move |_| {
                throw("show_error_if");
                false
            })
            .build();
        let error = LogRecord::new(LogLevel::Error, "oh").jump_text(ErrorId::from_u128(1));
        let script_1 = script(1).inline().prepare([Step::log(&error)]);
        let recorded = records.clone();
        let make = move || {
            throw("factory");
            recorded.record(Hooked::around(script_1.handler(), move |call| {
                throw(call);
                if place == "show_error_if" && call == "drop" {
                    panic!("while the panic of the host passes");
                }
            }))
        };
        manager
            .register(handler_id(1), Registration::new(), make)
            .unwrap();
        records.register(&manager, 2, script(2));
        let run = manager.update_all();
        let report = within("the run", move || run.wait());
        assert!(
            report.handler(handler_id(2)).unwrap().is_success(),
            "{place}"
        );
        let first = report.handler(handler_id(1)).unwrap();
        assert_eq!(first.is_success(), place == "drop", "{place}");
    }
}

#[test]
fn the_manager_may_be_called_from_inside_each_method_and_whatever_else_is_the_users() {
    let records = Records::default();
    let manager = Arc::new(SyncManager::new());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (calls, names) = (Arc::downgrade(&manager), seen.clone());
    let look = Arc::new(move |place: &'static str| {
        let Some(manager) = calls.upgrade() else {
            return;
        };
        names.lock().unwrap().push(place);
        let _ = (manager.handlers(), manager.listing(), manager.choices());
        let _ = (manager.log(&Default::default()), format!("{manager:?}"));
        manager.choose(handler_id(7), id(7), false);
        manager
            .register(handler_id(7), Registration::new(), || script(7).handler())
            .unwrap();
        let run = manager.sync_items(handler_id(7), [id(7)]).unwrap();
        run.cancel_all();
        let run = manager.sync_items(handler_id(1), [id(1)]).unwrap();
        run.cancel_all();
        assert!(remove(&manager, 7).0.is_ok());
    });
    let hook = Arc::clone(&look);
    register_hooked(&records, &manager, 1, script(1).inline(), move |call| {
        hook(call)
    });
    for run in [
        manager.update_all(),
        manager.show_properties(handler_id(1), None).unwrap(),
    ] {
        let _ = within("the run", move || run.wait());
    }
    let seen = seen.lock().unwrap();
    for call in [
        "initialize",
        "items",
        "set callback",
        "prepare",
        "synchronize",
        "drop",
    ] {
        assert!(seen.contains(&call), "{call}");
    }
}

#[test]
fn a_handler_may_unregister_itself_and_drop_the_last_manager() {
    let records = Records::default();
    for drops in [false, true] {
        let manager = SyncManager::builder()
            .deadline(Duration::from_secs(1))
            .build();
        let slot = Arc::new(Mutex::new(None::<Arc<SyncManager>>));
        let mine = slot.clone();
        let (alone, gone) = mpsc::channel::<()>();
        let gone = Mutex::new(gone);
        register_hooked(&records, &manager, 1, script(1), move |call| {
            if call == "prepare" {
                let _ = gone.lock().unwrap().recv(); // nobody else has the manager now
                let manager = mine.lock().unwrap().take().expect("it was put there");
                if drops {
                    drop(manager);
                } else {
                    manager
                        .register(handler_id(2), Registration::new(), || script(2).handler())
                        .unwrap();
                    assert!(manager.unregister(handler_id(2)).is_ok());
                    assert!(manager.unregister(handler_id(1)).is_ok());
                }
            }
        });
        let manager = Arc::new(manager);
        *slot.lock().unwrap() = Some(manager.clone());
        let run = manager.update_all();
        drop(manager);
        drop(alone);
        let report = within("the run", move || run.wait());
        let session = report.handlers[0].1.session.clone().unwrap();
        let status = session.item(id(1)).unwrap().status;
        // The hook drops the last manager in both cases.
        assert_ne!(status, ItemStatus::Succeeded, "drops: {drops}");
    }
}

#[test]
fn a_manager_may_be_used_while_it_is_printed() {
    within("the text", || {
        let manager = SyncManager::new();
        let mut out = OnWrite(|| {
            let made = || script(1).handler();
            let added = manager.register(handler_id(1), Registration::new(), made);
            assert_eq!(added, Ok(()));
        });
        write!(out, "{manager:?}").expect("it takes everything");
        assert_eq!(manager.handlers(), [handler_id(1)]);
    });
}
