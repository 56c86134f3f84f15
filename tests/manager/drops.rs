//! Foreign values whose drop panics on a thread of the manager: the panic goes no further.

use std::any::Any;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Wake, Waker};

use support::gate::{Gate, gated, goes_well, named};
use support::manager::{Records, handler_id, script};
use support::{id, until};
use syncmgr::testing::mock::{Script, Step};
use syncmgr::{CallbackError, Registration, SyncHandler, SyncManager};

/// Counts its drop, and panics in it.
struct Bomb(Arc<AtomicUsize>);

impl Drop for Bomb {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
        panic!("the drop of a captured value");
    }
}

/// How many bombs went off.
#[derive(Default)]
struct Dropped(Arc<AtomicUsize>);

impl Dropped {
    fn bomb(&self) -> Bomb {
        Bomb(Arc::clone(&self.0))
    }

    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// Registers a handler whose factory has captured a bomb.
fn register_with_bomb(
    manager: &SyncManager,
    records: &Records,
    n: u128,
    script: Script,
    bomb: Bomb,
) {
    let records = records.clone();
    let made = manager.register(
        handler_id(n),
        Registration::new(),
        move || -> Arc<dyn SyncHandler> {
            let _captured = &bomb;
            records.record(script.handler())
        },
    );
    assert_eq!(made, Ok(()));
}

#[test]
fn a_factory_that_panics_when_its_last_run_drops_it_keeps_no_later_run_from_starting() {
    let manager = SyncManager::builder().concurrency(1).build();
    let (records, dropped, gate) = (Records::default(), Dropped::default(), Gate::new());
    let slow = Script::new()
        .sync_item(named(1))
        .synchronize(gated(id(1), &gate));
    register_with_bomb(&manager, &records, 1, slow, dropped.bomb());
    let run = manager.update_all();
    gate.reached();
    // Now only the run has the old factory, and nobody has the run.
    records.register(&manager, 1, script(1));
    drop(run);
    assert_eq!(dropped.count(), 0);
    gate.open();
    until("the drop", || dropped.count() == 1);
    goes_well(&manager.update_all());
}

#[test]
fn a_registration_whose_factory_panics_when_it_is_dropped_is_replaced_and_removed() {
    let manager = SyncManager::new();
    let (records, dropped) = (Records::default(), Dropped::default());
    for _ in 0..2 {
        register_with_bomb(&manager, &records, 1, script(1), dropped.bomb());
    }
    assert_eq!(dropped.count(), 1);
    assert_eq!(manager.unregister(handler_id(1)), Ok(Registration::new()));
    assert_eq!(dropped.count(), 2);
}

#[test]
fn all_closures_of_a_manager_may_panic_when_its_last_worker_drops_them() {
    let (records, dropped, gate) = (Records::default(), Dropped::default(), Gate::new());
    let bombs = [(); 3].map(|()| dropped.bomb());
    let [connects, shows, chooses] = bombs;
    let manager = SyncManager::builder()
        .connector(
            move |_: Option<&str>| -> Result<Box<dyn Any + Send>, CallbackError> {
                let _captured = &connects;
                Err(CallbackError::NotConnected)
            },
        )
        .show_error_if(move |_| {
            let _captured = &shows;
            false
        })
        .chooser(move |_, _, chosen| {
            let _captured = &chooses;
            chosen.to_vec()
        })
        .build();
    let slow = Script::new()
        .sync_item(named(1))
        .synchronize(gated(id(1), &gate));
    register_with_bomb(&manager, &records, 1, slow, dropped.bomb());
    register_with_bomb(&manager, &records, 2, script(2), dropped.bomb());
    let run = manager.sync_items(handler_id(1), [id(1)]).unwrap();
    gate.reached();
    drop(run);
    drop(manager);
    assert_eq!(dropped.count(), 0, "the worker has all of it");
    gate.open();
    until("the drops", || dropped.count() == 5);
}

#[test]
fn a_connector_may_panic_when_it_is_dropped_and_each_of_its_connections_too() {
    let (records, dropped) = (Records::default(), Dropped::default());
    let (opened, captured) = (Arc::clone(&dropped.0), dropped.bomb());
    let manager = SyncManager::builder()
        .concurrency(1)
        .connector(
            move |_: Option<&str>| -> Result<Box<dyn Any + Send>, CallbackError> {
                let _captured = &captured;
                Ok(Box::new(Bomb(Arc::clone(&opened))))
            },
        )
        .build();
    let steps = [(); 3].map(|()| Step::connect(None));
    let flags = syncmgr::HandlerFlags::MAY_ESTABLISH_CONNECTION;
    records.register(&manager, 1, script(1).flags(flags).prepare(steps));
    goes_well(&manager.update_all());
    until("the connections are closed", || dropped.count() == 3);
    goes_well(&manager.update_all());
    until("the connections are closed", || dropped.count() == 6);
    drop(manager);
    until("the connector is dropped", || dropped.count() == 7);
}

/// A waker that panics when it wakes and when it is dropped.
struct Panics(#[expect(dead_code, reason = "it is dropped")] Bomb);

impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        panic!("when it wakes");
    }
}

fn panics(bomb: Bomb) -> Waker {
    Waker::from(Arc::new(Panics(bomb)))
}

#[test]
fn a_waker_may_panic_when_it_wakes_and_when_it_is_dropped() {
    let manager = SyncManager::builder().concurrency(1).build();
    let (records, dropped) = (Records::default(), Dropped::default());
    let wakers = Mutex::new(vec![panics(dropped.bomb()), panics(dropped.bomb())]);
    let waits = Step::call(move |callback| {
        for waker in wakers.lock().unwrap().drain(..) {
            assert_eq!(callback.wake_on_cancel(None, &waker), Ok(()));
        }
    });
    records.register(&manager, 1, script(1).prepare([waits]));
    records.register(&manager, 2, script(2));
    goes_well(&manager.update_all());
    until("the wakers are dropped", || dropped.count() == 2);
}

#[test]
fn tasks_that_wait_for_a_run_that_nobody_holds_may_panic_when_they_are_dropped() {
    let manager = SyncManager::builder().concurrency(1).build();
    let (records, dropped, gate) = (Records::default(), Dropped::default(), Gate::new());
    let slow = Script::new()
        .sync_item(named(1))
        .synchronize(gated(id(1), &gate));
    records.register(&manager, 1, slow);
    records.register(&manager, 2, script(2));
    let first = manager.sync_items(handler_id(1), [id(1)]).unwrap();
    gate.reached();
    let waits = manager.sync_items(handler_id(2), [id(2)]).unwrap();
    let mut observer = waits.observe();
    let _ = observer.refresh();
    for _ in 0..2 {
        assert!(observer.wake_on_change(&panics(dropped.bomb())));
    }
    drop((waits, observer));
    assert_eq!(dropped.count(), 2);
    gate.open();
    goes_well(&first);
    goes_well(&manager.sync_items(handler_id(2), [id(2)]).unwrap());
}
