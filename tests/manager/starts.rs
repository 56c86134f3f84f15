//! What starts a handler, with which flags, and for which items.

use support::gate::{initialized, prepared};
use support::manager::{Records, handler_id, script, succeed};
use support::{id, within};
use syncmgr::testing::mock::Script;
use syncmgr::{
    Choices, HandlerId, InvokeFlags, ItemFlags, ItemId, ItemName, ManagerError, RegisterFlags,
    Registration, SyncEvent, SyncFlags, SyncItem, SyncManager,
};

#[test]
fn a_signal_starts_those_that_are_registered_for_it() {
    let cases = [
        (RegisterFlags::CONNECT, SyncEvent::Connect),
        (
            RegisterFlags::PENDING_DISCONNECT,
            SyncEvent::PendingDisconnect,
        ),
        (RegisterFlags::IDLE, SyncEvent::Idle),
    ];
    let manager = SyncManager::new();
    let records = Records::default();
    for (n, (flags, _)) in (1..).zip(cases) {
        records.register_for(&manager, n, Registration::new().flags(flags), script(n));
    }
    for (n, (_, event)) in (1..).zip(cases) {
        let run = manager.signal(event);
        assert_eq!(run.handlers(), [handler_id(n)], "{event}");
        assert!(within("the run", move || run.wait()).is_success());
    }
    for event in [SyncEvent::Manual, SyncEvent::Scheduled] {
        let run = manager.signal(event);
        assert_eq!(run.handlers(), [1, 2, 3].map(handler_id), "{event}");
        assert!(within("the run", move || run.wait()).is_success());
    }
    let none = manager.signal(SyncEvent::Invoke);
    assert_eq!(none.handlers(), []);
    assert!(none.is_over());
    records.judge();
}

#[test]
fn the_flags_tell_the_event_and_whether_anybody_may_be_bothered() {
    let all = RegisterFlags::CONNECT | RegisterFlags::PENDING_DISCONNECT | RegisterFlags::IDLE;
    for (event, bothered) in [
        (SyncEvent::Connect, true),
        (SyncEvent::PendingDisconnect, true),
        (SyncEvent::Manual, true),
        (SyncEvent::Idle, false),
        (SyncEvent::Scheduled, false),
    ] {
        for dialogs in [true, false] {
            let manager = SyncManager::builder().dialogs(dialogs).build();
            let records = Records::default();
            records.register_for(&manager, 1, Registration::new().flags(all), script(1));
            let run = manager.signal(event);
            assert!(within("the run", move || run.wait()).is_success());
            let (flags, cookie) = initialized(&records.traces()[0]);
            assert_eq!(flags.event(), event);
            let may = flags.contains(SyncFlags::MAY_BOTHER_USER);
            assert_eq!(may, bothered && dialogs, "{event}, dialogs {dialogs}");
            assert!(!flags.contains(SyncFlags::SETTINGS));
            assert_eq!(cookie, None);
            records.judge();
        }
    }
}

#[test]
fn one_handler_is_started_for_any_event_whatever_it_is_registered_for() {
    let manager = SyncManager::new();
    let records = Records::default();
    for n in 1..=2 {
        records.register(&manager, n, script(n));
    }
    for raw in 1..=6 {
        let event = SyncEvent::try_from(raw).unwrap();
        let run = manager.signal_handler(handler_id(2), event).unwrap();
        assert_eq!(run.handlers(), [handler_id(2)]);
        assert!(within("the run", move || run.wait()).is_success());
        let (flags, cookie) = initialized(records.traces().last().unwrap());
        let nobody = matches!(event, SyncEvent::Idle | SyncEvent::Scheduled);
        assert_eq!(flags.bits(), if nobody { raw } else { 0x200 | raw });
        assert_eq!(cookie, None);
    }
    records.judge();
}

#[test]
fn a_cookie_comes_with_the_event_invoke() {
    let manager = SyncManager::new();
    let records = Records::default();
    records.register(&manager, 1, script(1));
    let run = manager.update_items(handler_id(1), InvokeFlags::START_SYNC, b"since monday");
    let run = run.unwrap();
    assert!(within("the run", move || run.wait()).is_success());
    let (flags, cookie) = initialized(&records.traces()[0]);
    assert_eq!(flags.event(), SyncEvent::Invoke);
    assert_eq!(cookie.as_deref(), Some(&b"since monday"[..]));
    records.judge();
}

#[test]
fn who_is_not_registered_is_named() {
    let manager = SyncManager::new();
    let unknown = ManagerError::UnknownHandler { id: handler_id(1) };
    assert_eq!(
        manager
            .update_items(handler_id(1), InvokeFlags::empty(), b"")
            .err(),
        Some(unknown)
    );
    assert_eq!(
        manager.sync_items(handler_id(1), [id(1)]).err(),
        Some(unknown)
    );
    assert_eq!(
        manager
            .signal_handler(handler_id(1), SyncEvent::Manual)
            .err(),
        Some(unknown)
    );
    assert_eq!(manager.unregister(handler_id(1)).err(), Some(unknown));
    assert_eq!(manager.registration(handler_id(1)), None);
    assert!(unknown.to_string().contains(&handler_id(1).to_string()));
    let nil = manager.register(HandlerId::NIL, Registration::new(), || script(1).handler());
    assert_eq!(nil, Err(ManagerError::NilHandler));
}

#[test]
fn a_registration_is_kept_replaced_and_given_back() {
    let manager = SyncManager::new();
    let records = Records::default();
    let first = Registration::new()
        .description("Mail")
        .flags(RegisterFlags::CONNECT);
    records.register_for(&manager, 2, first.clone(), script(2));
    records.register(&manager, 1, script(1));
    assert_eq!(manager.registration(handler_id(2)), Some(first));
    let second = Registration::new().description("Post");
    records.register_for(&manager, 2, second.clone(), script(2));
    assert_eq!(
        manager.handlers(),
        [2, 1].map(handler_id),
        "the order stays"
    );
    assert_eq!(manager.unregister(handler_id(2)), Ok(second));
    assert_eq!(manager.handlers(), [handler_id(1)]);
}

/// Items 1 to 3, of which the third is unchecked.
fn three() -> Script {
    let items = [1, 2, 3].map(|n| {
        let name = ItemName::try_from(format!("item {n}")).unwrap();
        SyncItem::new(id(n), name).checked(n != 3)
    });
    let steps = [1, 2, 3].into_iter().flat_map(|n| succeed(id(n)));
    let script = Script::new().synchronize(steps);
    items.into_iter().fold(script, Script::sync_item)
}

fn run_of(manager: &SyncManager, records: &Records) -> Vec<ItemId> {
    let run = manager.update_all();
    assert!(within("the run", move || run.wait()).is_success());
    records.judge();
    prepared(records.traces().last().unwrap())
}

#[test]
fn what_was_chosen_counts_more_than_what_the_handler_says() {
    let manager = SyncManager::new();
    let records = Records::default();
    records.register(&manager, 1, three());
    assert_eq!(run_of(&manager, &records), [id(1), id(2)]);
    manager.choose(handler_id(1), id(1), false);
    manager.choose(handler_id(1), id(3), true);
    assert_eq!(run_of(&manager, &records), [id(2), id(3)]);
    assert_eq!(run_of(&manager, &records), [id(2), id(3)], "remembered");
    let run = manager.sync_items(handler_id(1), [id(1)]).unwrap();
    assert!(within("the run", move || run.wait()).is_success());
    assert_eq!(prepared(records.traces().last().unwrap()), [id(1)], "named");
}

#[test]
fn nothing_is_prepared_where_nothing_is_chosen() {
    let manager = SyncManager::new();
    let records = Records::default();
    records.register(&manager, 1, three());
    for n in 1..=3 {
        manager.choose(handler_id(1), id(n), false);
    }
    assert_eq!(run_of(&manager, &records), []);
}

#[test]
fn a_choice_is_dropped_with_its_item_after_a_complete_list_only() {
    for complete in [true, false] {
        let manager = SyncManager::new();
        let records = Records::default();
        manager.choose(handler_id(1), id(1), false);
        manager.choose(handler_id(1), id(9), false);
        manager.choose(handler_id(2), id(9), false);
        let script = if complete {
            three()
        } else {
            three().incomplete()
        };
        records.register(&manager, 1, script);
        run_of(&manager, &records);
        let choices = manager.choices();
        assert_eq!(choices.get(handler_id(1), id(1)), Some(false));
        let kept = (!complete).then_some(false);
        assert_eq!(
            choices.get(handler_id(1), id(9)),
            kept,
            "M07, complete: {complete}"
        );
        assert_eq!(
            choices.get(handler_id(2), id(9)),
            Some(false),
            "another handler's"
        );
    }
}

#[test]
fn a_choice_for_a_temporary_item_is_for_one_run() {
    let manager = SyncManager::new();
    let records = Records::default();
    let temporary = SyncItem::new(id(1), "now".parse().unwrap())
        .flags(ItemFlags::TEMPORARY)
        .checked(false);
    records.register(
        &manager,
        1,
        Script::new()
            .sync_item(temporary)
            .synchronize(succeed(id(1))),
    );
    manager.choose(handler_id(1), id(1), true);
    assert_eq!(run_of(&manager, &records), [id(1)]);
    assert_eq!(run_of(&manager, &records), []);
    assert!(manager.choices().is_empty());
}

#[test]
fn a_chooser_is_asked_unless_the_start_is_to_be_at_once() {
    let manager = SyncManager::builder()
        .chooser(|_, list, chosen| {
            assert_eq!(list.items().len(), 3);
            assert_eq!(chosen, [id(1), id(2)]);
            vec![id(3)]
        })
        .build();
    let records = Records::default();
    records.register(&manager, 1, three());
    assert_eq!(run_of(&manager, &records), [id(3)]);
    let run = manager
        .update_items(handler_id(1), InvokeFlags::START_SYNC, b"")
        .unwrap();
    assert!(within("the run", move || run.wait()).is_success());
    assert_eq!(prepared(records.traces().last().unwrap()), [id(1), id(2)]);
}

#[test]
fn choices_are_carried_to_another_manager() {
    let mut choices = Choices::new();
    choices.set(handler_id(1), id(2), false);
    let manager = SyncManager::new();
    manager.set_choices(choices.clone());
    assert_eq!(manager.choices(), choices);
    let records = Records::default();
    records.register(&manager, 1, three());
    assert_eq!(run_of(&manager, &records), [id(1)]);
    choices.forget(handler_id(1), id(2));
    assert!(choices.is_empty());
}
