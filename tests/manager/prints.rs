//! How the parts of the manager print themselves, also while they are in use, and what their defaults are.

use std::sync::Arc;
use std::time::Duration;

use support::gate::{Gate, finish, gated, goes_well, named, of, succeed_in};
use support::manager::{Records, handler_id, script, succeed};
use support::{id, within};
use syncmgr::testing::mock::{Script, Step};
use syncmgr::{
    DialogArbiter, HResult, HandlerId, ItemFlags, PropertiesOutcome, Registration, RunOptions,
    SyncEvent, SyncFlags, SyncManager, run_handler,
};

#[test]
fn options_print_what_is_set_and_no_closure() {
    let plain = format!("{:?}", RunOptions::new());
    assert_eq!(format!("{:?}", RunOptions::default()), plain);
    let flags = SyncFlags::new(SyncEvent::Manual);
    let begin = format!(
        "RunOptions {{ flags: {flags:?}, select: false, deadline: None, max_retries: 16, session: SessionBuilder "
    );
    assert!(plain.starts_with(&begin), "{plain}");
    assert!(plain.ends_with(", .. }"), "{plain}");

    let options = RunOptions::new()
        .flags(SyncFlags::new(SyncEvent::Idle))
        .select([id(1)])
        .deadline(Duration::from_secs(7))
        .max_retries(3)
        .show_error_if(|_| true)
        .on_session(|_| {});
    let text = format!("{options:?}");
    let begin =
        "RunOptions { flags: SyncFlags(Idle), select: true, deadline: Some(7s), max_retries: 3, ";
    assert!(text.starts_with(begin), "{text}");
}

#[test]
fn the_default_options_run_as_the_new_ones() {
    for options in [RunOptions::default(), RunOptions::new()] {
        let handler = Script::new()
            .sync_item(named(1))
            .sync_item(named(2).checked(false))
            .synchronize(succeed(id(1)))
            .handler();
        let report = run_handler(handler, options);
        assert!(report.is_success(), "{report:?}");
        assert_eq!(report.rounds, 1);
        assert_eq!(
            report
                .items()
                .iter()
                .map(|view| view.selected)
                .collect::<Vec<_>>(),
            [true, false]
        );
    }
}

#[test]
fn a_manager_by_default_is_a_new_one() {
    let manager = SyncManager::default();
    assert_eq!(format!("{manager:?}"), format!("{:?}", SyncManager::new()));
    let records = Records::default();
    records.register(&manager, 1, script(1));
    goes_well(&manager.update_all());
    assert_eq!(manager.handlers(), [handler_id(1)]);
}

#[test]
fn a_run_and_who_follows_it_print_how_far_they_are_while_it_works() {
    let manager = Arc::new(SyncManager::builder().concurrency(1).build());
    let records = Records::default();
    let gate = Gate::new();
    let waits = Script::new().sync_item(named(1));
    records.register(&manager, 1, waits.synchronize(gated(id(1), &gate)));
    records.register(&manager, 2, script(2));
    let run = manager.update_all();
    let mut observer = run.observe();
    gate.reached();
    let _ = observer.refresh();
    // On a thread of its own, so that a lock that is held would be noticed.
    let (shown, other, same) = (run.clone(), observer, Arc::clone(&manager));
    let (run_text, observer_text, manager_text, mut observer) = within("printing", move || {
        let texts = (format!("{shown:?}"), format!("{other:?}"));
        (texts.0, texts.1, format!("{same:?}"), other)
    });
    assert_eq!(run_text, "Run { handlers: 2, finished: 0, .. }");
    let progress = format!("{:?}", run.progress());
    assert!(
        progress.starts_with("RunProgress { handlers: 2, waiting: 1, running: 1, finished: 0, "),
        "{progress}"
    );
    assert_eq!(
        observer_text,
        format!("RunObserver {{ progress: {progress}, .. }}")
    );
    assert_eq!(
        manager_text,
        "SyncManager { handlers: 2, running: 1, ready: 1, .. }"
    );
    gate.open();
    let _ = succeed_in(&run);
    assert_eq!(format!("{run:?}"), "Run { handlers: 2, finished: 2, .. }");
    let _ = observer.refresh();
    let text = format!("{observer:?}");
    assert!(
        text.contains("waiting: 0, running: 0, finished: 2"),
        "{text}"
    );
}

#[test]
fn a_handler_that_is_not_in_a_run_has_nothing_there() {
    let manager = SyncManager::new();
    let records = Records::default();
    records.register(&manager, 1, script(1));
    let run = manager.update_all();
    let _ = succeed_in(&run);
    assert!(run.handler_report(handler_id(1)).is_some());
    for unknown in [handler_id(2), HandlerId::NIL] {
        assert!(run.handler_report(unknown).is_none());
        assert!(run.session(unknown).is_none());
        assert!(run.info(unknown).is_none());
    }
}

#[test]
fn the_turn_for_dialogs_is_one_for_the_manager_and_its_host() {
    let manager = SyncManager::new();
    let arbiter: DialogArbiter = manager.dialog_arbiter();
    let seen = arbiter.clone();
    let records = Records::default();
    let asks = script(1).prepare([Step::call(move |callback| {
        assert!(callback.enable_modeless(true).is_ok());
        assert!(seen.is_taken());
        assert!(callback.enable_modeless(false).is_ok());
    })]);
    records.register(&manager, 1, asks);
    goes_well(&manager.update_all());
    assert!(!arbiter.is_taken());
}

#[test]
fn an_item_that_is_deleted_by_a_handler_that_was_unregistered_meanwhile_is_forgotten() {
    let manager = Arc::new(SyncManager::new());
    let records = Records::default();
    let (record, same) = (records.clone(), Arc::clone(&manager));
    let make = move || {
        let manager = Arc::clone(&same);
        let leave = Step::run(move || {
            assert!(manager.unregister(handler_id(1)).is_ok());
        });
        let deleted = Step::complete_show_properties(HResult::S_SYNCMGR_ITEMDELETED);
        let script = Script::new()
            .sync_item(named(1).flags(ItemFlags::HAS_PROPERTIES))
            .show_properties([leave, deleted], Ok(()));
        record.record(script.handler())
    };
    let registered = manager.register(handler_id(1), Registration::new(), make);
    assert_eq!(registered, Ok(()));
    manager.choose(handler_id(1), id(1), false);
    manager.choose(handler_id(1), id(2), false);
    let run = manager.show_properties(handler_id(1), id(1)).unwrap();
    let report = finish(&run);
    let shown = [(Some(id(1)), PropertiesOutcome::ItemDeleted)];
    assert_eq!(of(&report, 1).properties, shown);
    assert_eq!(manager.listing(), []);
    assert_eq!(manager.choices().get(handler_id(1), id(1)), None);
}

#[test]
fn a_builder_prints_its_settings() {
    let text = format!("{:?}", SyncManager::builder().concurrency(3));
    assert!(text.contains("concurrency: 3"), "{text}");
}
