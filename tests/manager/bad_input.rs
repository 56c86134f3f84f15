//! Nonsense from the host, from handlers and from what the host gave the manager: it is answered, and harms nobody else.

use std::time::Duration;
use support::gate;

use support::gate::{Gate, finish, gated, goes_well, named, of, rounds, status_of, update};
use support::id;
use support::manager::{Records, handler_id, script, succeed};
use syncmgr::testing::mock::{Script, Step};
use syncmgr::{
    BuildError, CallbackError, ErrorId, ErrorOutcome, HResult, HandlerId, InvokeFlags, ItemId,
    ItemStatus, LogFilter, LogLevel, LogRecord, ManagerError, ProtocolViolation, Registration,
    SyncManager,
};

/// Items 1 to 3, all of them done.
fn three() -> Script {
    let script = Script::new().synchronize((1..=3).flat_map(|n| succeed(id(n))));
    (1..=3).map(named).fold(script, Script::sync_item)
}

#[test]
fn the_nil_id_and_an_unknown_one_are_no_handlers_anywhere() {
    let manager = SyncManager::new();
    let records = Records::default();
    records.register(&manager, 1, script(1));
    for id in [HandlerId::NIL, handler_id(9)] {
        let unknown = Some(ManagerError::UnknownHandler { id });
        let (item, flags) = (support::id(1), InvokeFlags::empty());
        assert_eq!(manager.update_items(id, flags, b"").err(), unknown);
        assert_eq!(manager.sync_items(id, [item]).err(), unknown);
        assert_eq!(manager.sync_items(id, []).err(), unknown);
        assert_eq!(manager.enumerate(id).err(), unknown);
        assert_eq!(manager.show_properties(id, None).err(), unknown);
        assert_eq!(manager.show_properties(id, item).err(), unknown);
        assert_eq!(manager.unregister(id).err(), unknown);
        assert_eq!(manager.registration(id), None);
        assert!(manager.log(&LogFilter::new().handler(id)).is_empty());
        assert_eq!(
            unknown.map(|error| error.hresult()),
            Some(HResult::E_INVALIDARG)
        );
    }
    assert_eq!(ManagerError::NilHandler.hresult(), HResult::E_INVALIDARG);
    assert_eq!(manager.handlers(), [handler_id(1)]);
    assert_eq!(records.made(), 0, "nothing was started");
}

#[test]
fn a_run_knows_nothing_of_handlers_that_are_not_in_it() {
    let manager = SyncManager::new();
    let records = Records::default();
    records.register(&manager, 1, script(1));
    let run = manager.update_all();
    for handler in [HandlerId::NIL, handler_id(9)] {
        let unknown = Err(CallbackError::UnknownItem);
        assert!(run.session(handler).is_none());
        assert_eq!(run.skip_item(handler, id(1)), unknown);
        assert_eq!(run.cancel_item(handler, id(1)), unknown);
        run.cancel_handler(handler);
    }
    let report = finish(&run);
    assert!(report.is_success());
    assert!(report.handler(handler_id(9)).is_none());
    records.judge();
}

#[test]
fn unknown_items_that_are_named_are_left_out_with_a_warning() {
    let manager = SyncManager::new();
    let records = Records::default();
    records.register(&manager, 1, three());
    let wanted = [id(2), id(9), ItemId::NIL, id(2), id(1)];
    let run = manager.sync_items(handler_id(1), wanted).unwrap();
    goes_well(&run);
    let mut done = rounds(&records.traces()[0]).concat();
    done.sort();
    assert_eq!(done, [id(1), id(2)], "each once");
    let warnings = manager.log(&LogFilter::new().level(LogLevel::Warning));
    assert!(
        warnings
            .iter()
            .any(|entry| entry.item == Some(id(9)) || entry.text.contains(&id(9).to_string())),
        "{warnings:?}"
    );
    records.judge();
}

#[test]
fn nothing_is_prepared_for_items_that_are_all_unknown_or_none() {
    for wanted in [vec![], vec![id(9)], vec![ItemId::NIL]] {
        let manager = SyncManager::new();
        let records = Records::default();
        records.register(&manager, 1, three());
        let run = manager.sync_items(handler_id(1), wanted.clone()).unwrap();
        let report = finish(&run);
        assert!(of(&report, 1).is_success(), "{wanted:?}: {report:?}");
        for trace in records.traces() {
            assert_eq!(rounds(&trace), Vec::<Vec<ItemId>>::new(), "{wanted:?}");
        }
        records.judge();
    }
}

#[test]
fn nonsense_that_is_asked_for_while_it_runs_hurts_nobody() {
    for wanted in [
        vec![],
        vec![ItemId::NIL],
        vec![id(9)],
        vec![id(2), id(2), id(9)],
    ] {
        let manager = SyncManager::new();
        let records = Records::default();
        let gate = Gate::new();
        let ask = Step::call(|callback| {
            let items = callback.additional_items().expect("it is not released");
            assert!(!items.contains(&ItemId::NIL), "{items:?}");
        });
        let steps = gated(id(1), &gate)
            .into_iter()
            .chain([ask])
            .chain(succeed(id(2)));
        let script = Script::new()
            .sync_item(named(1))
            .sync_item(named(2).checked(false))
            .synchronize(steps);
        records.register(&manager, 1, script);
        let run = manager.update_all();
        gate.reached();
        let waits = manager.sync_items(handler_id(1), wanted.clone()).unwrap();
        gate.open();
        goes_well(&run);
        let report = finish(&waits);
        assert!(report.is_success(), "{wanted:?}: {report:?}");
        if wanted.contains(&id(2)) {
            assert_eq!(status_of(of(&report, 1), 2), Some(ItemStatus::Succeeded));
        }
        records.judge();
    }
}

#[test]
fn an_item_that_is_asked_for_beside_a_nil_one_is_not_lost() {
    let manager = SyncManager::new();
    let records = Records::default();
    let gate = Gate::new();
    let script = Script::new()
        .sync_item(named(1))
        .sync_item(named(2).checked(false))
        .synchronize(gated(id(1), &gate).into_iter().chain(succeed(id(2))));
    records.register(&manager, 1, script);
    let run = manager.update_all();
    gate.reached();
    let waits = manager.sync_items(handler_id(1), [id(2), ItemId::NIL]);
    gate.open();
    goes_well(&run);
    let report = finish(&waits.unwrap());
    assert_eq!(status_of(of(&report, 1), 2), Some(ItemStatus::Succeeded));
    records.judge();
}

#[test]
fn a_chooser_that_names_unknown_items_chooses_the_others() {
    let manager = SyncManager::builder()
        .chooser(|_, _, _| vec![id(9), id(3), ItemId::NIL, id(3), id(1)])
        .build();
    let records = Records::default();
    records.register(&manager, 1, three());
    update(&manager);
    let mut done = rounds(&records.traces()[0]).concat();
    done.sort();
    assert_eq!(done, [id(1), id(3)]);
    records.judge();
}

#[test]
fn a_list_with_an_id_twice_or_a_nil_one_is_a_fault() {
    let nil = syncmgr::SyncItem::new(ItemId::NIL, named(1).name);
    for second in [named(1), nil] {
        let manager = SyncManager::new();
        let records = Records::default();
        let list = Script::new().sync_item(named(1)).sync_item(second.clone());
        records.register(&manager, 1, list);
        records.register(&manager, 2, script(2));
        let report = finish(&manager.update_all());
        let one = of(&report, 1);
        assert_eq!(one.result, HResult::E_INVALIDARG);
        let named_it = matches!(
            one.faults[..],
            [ProtocolViolation::BadItems(
                BuildError::DuplicateItem { .. } | BuildError::NilItem { .. }
            )]
        );
        assert!(named_it, "{:?}", one.faults);
        assert!(of(&report, 2).is_success());
        records.judge();
    }
}

#[test]
fn a_list_that_cannot_be_used_changes_no_choice() {
    let manager = SyncManager::new();
    let records = Records::default();
    let list = Script::new().sync_item(named(1)).sync_item(named(1));
    records.register(&manager, 1, list);
    manager.choose(handler_id(1), id(8), false);
    let _ = finish(&manager.update_all());
    let choices = manager.choices();
    assert_eq!(choices.get(handler_id(1), id(8)), Some(false));
    records.judge();
}

#[test]
fn a_list_that_cannot_be_used_is_not_listed() {
    let manager = SyncManager::new();
    let records = Records::default();
    let list = Script::new().sync_item(named(1)).sync_item(named(1));
    records.register(&manager, 1, list);
    let run = manager.enumerate(handler_id(1)).unwrap();
    let report = finish(&run);
    assert!(!report.is_success(), "{report:?}");
    assert!(manager.listing().is_empty(), "{:?}", manager.listing());
    records.judge();
}

#[test]
fn choices_for_handlers_that_nobody_knows_are_kept_for_later() {
    let manager = SyncManager::new();
    let records = Records::default();
    manager.choose(handler_id(1), id(1), false);
    manager.choose(HandlerId::NIL, ItemId::NIL, true);
    records.register(&manager, 2, script(2));
    update(&manager);
    assert_eq!(manager.choices().get(handler_id(1), id(1)), Some(false));
    records.register(&manager, 1, three());
    goes_well(
        &manager
            .update_items(handler_id(1), InvokeFlags::empty(), b"")
            .unwrap(),
    );
    assert_eq!(rounds(&records.traces()[1]), [vec![id(2), id(3)]]);
    records.judge();
}

#[test]
fn settings_of_nothing_are_settings_too() {
    let manager = SyncManager::builder()
        .concurrency(0)
        .max_retries(0)
        .log_capacity(0)
        .build();
    let records = Records::default();
    records.register(&manager, 1, script(1));
    records.register(&manager, 2, script(2));
    update(&manager);
    records.judge();
    let manager = SyncManager::builder()
        .concurrency(usize::MAX)
        .max_retries(u32::MAX)
        .log_capacity(usize::MAX)
        .deadline(Duration::MAX)
        .build();
    records.register(&manager, 1, script(1));
    update(&manager);
    records.judge();
}

#[test]
fn a_retry_of_unknown_items_is_a_fault_of_that_handler() {
    let manager = SyncManager::builder().show_error_if(|_| true).build();
    let records = Records::default();
    let error = LogRecord::new(LogLevel::Error, "e").jump_text(ErrorId::from_u128(7));
    let retry = Step::call(|callback| {
        let unknown = [id(9)];
        let outcome = ErrorOutcome::Retry(&unknown);
        assert_eq!(callback.show_error_completed(outcome), Ok(()));
    });
    let bad = script(1)
        .prepare([Step::log(&error)])
        .show_error([retry], Ok(()));
    records.register(&manager, 1, bad);
    records.register(&manager, 2, script(2));
    let report = finish(&manager.update_all());
    let one = of(&report, 1);
    assert!(
        matches!(one.faults[..], [ProtocolViolation::BadRetry(_)]),
        "{one:?}"
    );
    assert_eq!(one.rounds, 1);
    assert!(of(&report, 2).is_success());
    records.judge();
}

#[test]
fn a_registration_says_nothing_or_a_lot() {
    let manager = SyncManager::new();
    let long = "x".repeat(100_000);
    let registration = Registration::new().description(long.as_str());
    let records = Records::default();
    records.register_for(&manager, 1, registration.clone(), script(1));
    assert_eq!(manager.registration(handler_id(1)), Some(registration));
    let again = manager.update_items(handler_id(1), InvokeFlags::all(), long.as_bytes());
    goes_well(&again.unwrap());
    let (_, cookie) = gate::initialized(&records.traces()[0]);
    assert_eq!(cookie.map(|cookie| cookie.len()), Some(100_000));
    records.judge();
}
