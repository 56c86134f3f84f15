//! A handler is taken out of the registry, also by itself, and stopped.

use std::sync::{Arc, Mutex, mpsc};

use support::gate::{
    Gate, finish, gated, goes_well, is_cancelled, named, of, status_of, succeed_in,
};
use support::hooked::Hooked;
use support::manager::{REMOVED, Records, handler_id, remove, script, succeed};
use support::{id, join, receive, within};
use syncmgr::testing::mock::{Script, Step};
use syncmgr::{HResult, HandlerFlags, ItemStatus, ManagerError, Registration, SyncManager};

type Answer = Result<Registration, ManagerError>;

/// Registers handler 1, which unregisters itself in the call of this name, or in its worker.
fn unregisters_itself(
    manager: &Arc<SyncManager>,
    records: &Records,
    at: &'static str,
) -> mpsc::Receiver<Answer> {
    let (tell, told) = mpsc::channel();
    let (weak, tell) = (Arc::downgrade(manager), Mutex::new(tell));
    let leave = Arc::new(move |call: &str| {
        if call == at {
            let manager = weak.upgrade().expect("the test holds it");
            let answer = manager.unregister(handler_id(1));
            tell.lock().unwrap().send(answer).unwrap();
        }
    });
    let in_worker = leave.clone();
    let worker = Step::run(move || in_worker("worker"));
    let shown = Step::complete_show_properties(HResult::S_OK);
    let script = Script::new()
        .flags(HandlerFlags::HAS_PROPERTIES)
        .sync_item(named(1))
        .synchronize([worker].into_iter().chain(succeed(id(1))))
        .show_properties([shown], Ok(()));
    let records = records.clone();
    let made = manager.register(handler_id(1), Registration::new(), move || {
        let leave = leave.clone();
        records.record(Hooked::around(script.handler(), move |call| leave(call)))
    });
    assert_eq!(made, Ok(()));
    told
}

#[test]
fn a_handler_unregisters_itself_in_its_own_run_and_is_not_cancelled() {
    for at in ["initialize", "items", "prepare", "synchronize", "worker"] {
        let (manager, records) = (Arc::new(SyncManager::new()), Records::default());
        let told = unregisters_itself(&manager, &records, at);
        let run = manager.update_all();
        assert_eq!(receive(at, &told), Ok(Registration::new()), "{at}");
        let report = succeed_in(&run);
        let status = status_of(of(&report, 1), 1);
        assert_eq!(status, Some(ItemStatus::Succeeded), "{at}");
        assert_eq!(manager.registration(handler_id(1)), None, "{at}");
        assert_eq!(manager.listing(), [], "{at}");
        records.judge();
    }
}

#[test]
fn a_handler_unregisters_itself_when_its_properties_are_shown_and_is_not_cancelled() {
    let (manager, records) = (Arc::new(SyncManager::new()), Records::default());
    let told = unregisters_itself(&manager, &records, "show_properties");
    let run = manager.show_properties(handler_id(1), None).unwrap();
    assert_eq!(receive("the answer", &told), Ok(Registration::new()));
    let report = succeed_in(&run);
    let shown = &of(&report, 1).properties;
    assert_eq!(shown, &[(None, syncmgr::PropertiesOutcome::Done)]);
    assert!(!report.was_cancelled());
    records.judge();
}

#[test]
fn an_unregistration_leaves_what_runs_and_what_waits() {
    let (manager, records, gate) = (SyncManager::new(), Records::default(), Gate::new());
    let works = Script::new()
        .sync_item(named(1))
        .sync_item(named(2).checked(false));
    let steps = gated(id(1), &gate).into_iter().chain(succeed(id(2)));
    records.register(&manager, 1, works.synchronize(steps));
    let run = manager.update_all();
    gate.reached();
    let waits = manager.sync_items(handler_id(1), [id(2)]).unwrap();
    assert_eq!(manager.unregister(handler_id(1)), Ok(Registration::new()));
    let unknown = ManagerError::UnknownHandler { id: handler_id(1) };
    assert_eq!(manager.unregister(handler_id(1)), Err(unknown));
    assert_eq!(manager.enumerate(handler_id(1)).err(), Some(unknown));
    assert!(!run.is_over() && !waits.is_over());
    gate.open();
    let (run, waits) = (succeed_in(&run), succeed_in(&waits));
    let done = Some(ItemStatus::Succeeded);
    assert_eq!(status_of(of(&run, 1), 1), done);
    assert_eq!(status_of(of(&waits, 1), 2), done);
    assert!(manager.listing().is_empty());
    assert!(manager.update_all().handlers().is_empty());
    records.judge();
}

#[test]
fn a_stop_leaves_the_registration_and_a_later_start_runs_the_handler_again() {
    let manager = Arc::new(SyncManager::new());
    let (records, gate) = (Records::default(), Gate::new());
    records.register_made(&manager, 1, {
        let gate = gate.clone();
        move |time| match time {
            1 => Script::new()
                .sync_item(named(1))
                .synchronize(gated(id(1), &gate)),
            _ => script(1),
        }
    });
    let run = manager.update_all();
    gate.reached();
    let same = manager.clone();
    let stop = std::thread::spawn(move || same.stop_handler(handler_id(1)));
    is_cancelled(&run, 1);
    gate.open();
    assert!(join("the stop", stop));
    assert!(run.is_over());
    assert_eq!(
        status_of(of(&finish(&run), 1), 1),
        Some(ItemStatus::Stopped)
    );
    assert!(manager.registration(handler_id(1)).is_some());
    goes_well(&manager.update_all());
    records.judge();
}

#[test]
fn a_stop_of_a_handler_that_does_not_run_has_nothing_to_wait_for() {
    let (manager, records) = (SyncManager::new(), Records::default());
    assert!(manager.stop_handler(handler_id(1)), "never registered");
    records.register(&manager, 1, script(1));
    assert!(manager.stop_handler(handler_id(1)), "never started");
    goes_well(&manager.update_all());
    assert!(manager.stop_handler(handler_id(1)), "over");
    assert_eq!(remove(&manager, 1), REMOVED);
    assert!(
        manager.stop_handler(handler_id(1)),
        "not registered any more"
    );
}

#[test]
fn a_stop_gives_up_a_handler_that_hangs_and_releases_its_session() {
    // The handler's reports keep the supervisor from giving it up first.
    let manager = Arc::new(
        SyncManager::builder()
            .deadline(std::time::Duration::from_millis(200))
            .build(),
    );
    let (records, gate) = (Records::default(), Gate::new());
    let at = gate.clone();
    let (tell, told) = mpsc::channel();
    let works = Step::call(move |callback| {
        at.pass();
        // Works on in spite of the cancel, until it is refused.
        let answer = loop {
            match callback.can_continue(Some(id(1))) {
                Ok(_) => std::thread::yield_now(),
                Err(refused) => break refused,
            }
        };
        tell.send(answer).unwrap();
    });
    let script = Script::new()
        .sync_item(named(1))
        .synchronize([Step::report(id(1)).status(ItemStatus::Updating), works]);
    records.register(&manager, 1, script.ignore_verdicts());
    let run = manager.update_all();
    gate.reached();
    gate.open();
    let same = manager.clone();
    assert!(!within("the stop", move || same.stop_handler(handler_id(1))));
    let released = syncmgr::CallbackError::Released;
    assert_eq!(receive("the refusal", &told), released);
    let report = finish(&run);
    assert_eq!(of(&report, 1).result, HResult::E_ABORT);
    records.judge();
}
