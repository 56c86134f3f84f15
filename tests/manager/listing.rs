//! What a user is shown to choose from, and what becomes of the choices.

use std::time::{Duration, SystemTime};

use support::gate::{
    Gate, finish, gated, goes_well, initialized, named, names, rounds, update, wait_for,
};
use support::id;
use support::manager::{Records, handler_id, script, succeed};
use syncmgr::testing::mock::{Script, Step};
use syncmgr::{
    Choices, HResult, HandlerFlags, ItemFlags, ItemId, ItemStatus, Listing, RegisterFlags,
    Registration, SyncFlags, SyncItem, SyncManager, Verdict,
};

/// The one handler that is listed.
#[track_caller]
fn listed(manager: &SyncManager) -> Listing {
    let mut listing = manager.listing();
    assert_eq!(listing.len(), 1, "{listing:?}");
    listing.remove(0)
}

fn ids(listing: &Listing) -> Vec<ItemId> {
    listing.items.iter().map(|item| item.id).collect()
}

fn enumerate(manager: &SyncManager) {
    goes_well(&manager.enumerate(handler_id(1)).unwrap());
}

#[test]
fn a_handler_is_listed_once_it_was_asked_and_nothing_is_synchronized_for_it() {
    let manager = SyncManager::new();
    let records = Records::default();
    let registration = Registration::new()
        .description("Letters")
        .flags(RegisterFlags::IDLE);
    let script = Script::new()
        .name("Mail")
        .sync_item(named(1))
        .sync_item(named(2).checked(false));
    records.register_for(&manager, 1, registration.clone(), script);
    assert!(manager.listing().is_empty());

    enumerate(&manager);
    let listing = listed(&manager);
    assert_eq!(listing.handler, handler_id(1));
    assert_eq!(listing.registration, registration);
    assert_eq!(listing.info.name, "Mail");
    assert_eq!(listing.items, [named(1), named(2).checked(false)]);
    assert!(listing.complete);

    let trace = &records.traces()[0];
    let (flags, cookie) = initialized(trace);
    assert!(flags.contains(SyncFlags::SETTINGS));
    assert_eq!(cookie, None);
    assert_eq!(rounds(trace), Vec::<Vec<ItemId>>::new());
    assert!(!names(trace).contains(&"synchronize"));
    records.judge();
}

#[test]
fn every_handler_is_enumerated_and_listed_in_the_order_of_registration() {
    let manager = SyncManager::new();
    let records = Records::default();
    for n in [3, 1, 2] {
        records.register(&manager, n, script(n));
    }
    let run = manager.enumerate_all();
    assert_eq!(run.handlers(), [3, 1, 2].map(handler_id));
    goes_well(&run);
    let listing = manager.listing();
    let order: Vec<_> = listing.iter().map(|handler| handler.handler).collect();
    assert_eq!(order, [3, 1, 2].map(handler_id));
    records.judge();
}

#[test]
fn a_run_lists_too_and_the_newest_list_counts() {
    let manager = SyncManager::new();
    let records = Records::default();
    records.register_made(&manager, 1, |time| match time {
        1 => Script::new().sync_item(named(1)).sync_item(named(2)),
        _ => Script::new().sync_item(named(2)).sync_item(named(3)),
    });
    update(&manager);
    assert_eq!(ids(&listed(&manager)), [id(1), id(2)]);
    enumerate(&manager);
    assert_eq!(ids(&listed(&manager)), [id(2), id(3)]);
    records.judge();
}

#[test]
fn the_list_is_there_while_the_handler_works_and_stays_where_it_fails_the_next_time() {
    let manager = SyncManager::new();
    let records = Records::default();
    let gate = Gate::new();
    let works = Script::new()
        .sync_item(named(1))
        .synchronize(gated(id(1), &gate));
    records.register_made(&manager, 1, move |time| match time {
        1 => works.clone(),
        2 => Script::new().participation(Err(HResult::E_FAIL)),
        _ => panic!("not made"),
    });
    manager.choose(handler_id(1), id(9), true);
    let run = manager.update_all();
    gate.reached();
    assert_eq!(ids(&listed(&manager)), [id(1)]);
    gate.open();
    goes_well(&run);
    manager.choose(handler_id(1), id(8), true);
    for _ in 0..2 {
        let run = manager.enumerate(handler_id(1)).unwrap();
        assert!(!finish(&run).is_success());
        assert_eq!(ids(&listed(&manager)), [id(1)]);
    }
    let choices = manager.choices();
    assert_eq!(choices.get(handler_id(1), id(9)), None);
    assert_eq!(
        choices.get(handler_id(1), id(8)),
        Some(true),
        "no list since"
    );
    records.judge();
}

#[test]
fn what_was_chosen_shows_in_the_list_at_once() {
    let manager = SyncManager::new();
    let records = Records::default();
    let script = Script::new()
        .sync_item(named(1))
        .sync_item(named(2).checked(false));
    records.register(&manager, 1, script);
    manager.choose(handler_id(1), id(1), false);
    enumerate(&manager);
    let checked = |manager: &SyncManager| -> Vec<bool> {
        let items = listed(manager).items.into_iter();
        items.map(|item| item.checked).collect()
    };
    assert_eq!(checked(&manager), [false, false]);
    manager.choose(handler_id(1), id(2), true);
    assert_eq!(checked(&manager), [false, true]);
    manager.set_choices(Choices::new());
    assert_eq!(checked(&manager), [true, false]);
    records.judge();
}

#[test]
fn what_is_hidden_is_not_listed_and_takes_part() {
    let manager = SyncManager::new();
    let records = Records::default();
    let script = Script::new()
        .sync_item(named(1))
        .sync_item(named(2).flags(ItemFlags::HIDDEN))
        .synchronize([1, 2].into_iter().flat_map(|n| succeed(id(n))));
    records.register(&manager, 1, script);
    update(&manager);
    assert_eq!(ids(&listed(&manager)), [id(1)]);
    assert_eq!(rounds(&records.traces()[0]), [vec![id(1), id(2)]]);
    records.judge();
}

#[test]
fn a_handler_is_listed_by_its_flags_and_by_what_there_is_to_see() {
    let hidden = named(1).flags(ItemFlags::HIDDEN);
    let with = |flags, item: Option<SyncItem>| {
        let script = Script::new().flags(flags);
        item.into_iter().fold(script, Script::sync_item)
    };
    let cases = [
        (with(HandlerFlags::empty(), None), false),
        (with(HandlerFlags::empty(), Some(hidden.clone())), false),
        (with(HandlerFlags::empty(), Some(named(1))), true),
        (with(HandlerFlags::ALWAYS_LIST_HANDLER, None), true),
        (with(HandlerFlags::ALWAYS_LIST_HANDLER, Some(hidden)), true),
        (with(HandlerFlags::HIDDEN, Some(named(1))), false),
    ];
    for (number, (script, shown)) in cases.into_iter().enumerate() {
        let manager = SyncManager::new();
        let records = Records::default();
        records.register(&manager, 1, script);
        enumerate(&manager);
        assert_eq!(manager.listing().len(), usize::from(shown), "case {number}");
        records.judge();
    }
}

#[test]
fn the_time_of_the_last_update_is_there_only_where_the_handler_keeps_it() {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    let manager = SyncManager::new();
    let records = Records::default();
    let mut unsaid = named(2);
    unsaid.last_update = Some(time);
    let script = Script::new()
        .sync_item(named(1).last_update(time))
        .sync_item(unsaid)
        .sync_item(named(3));
    records.register(&manager, 1, script);
    enumerate(&manager);
    let items = listed(&manager).items.into_iter();
    let times: Vec<_> = items.map(|item| item.last_update).collect();
    assert_eq!(times, [Some(time), None, None]);
}

#[test]
fn a_handler_that_is_unregistered_is_listed_no_more_and_its_choices_stay() {
    let manager = SyncManager::new();
    let records = Records::default();
    records.register(&manager, 1, script(1));
    enumerate(&manager);
    manager.choose(handler_id(1), id(1), false);
    assert_eq!(manager.unregister(handler_id(1)), Ok(Registration::new()));
    assert!(manager.listing().is_empty());
    records.register(&manager, 1, script(1));
    assert!(manager.listing().is_empty(), "it was never asked");
    enumerate(&manager);
    assert!(!listed(&manager).items[0].checked);
    records.judge();
}

#[test]
fn an_enumeration_drops_the_choices_of_what_a_complete_list_has_no_more() {
    for complete in [true, false] {
        let manager = SyncManager::new();
        let records = Records::default();
        let list = match complete {
            true => script(1),
            false => script(1).incomplete(),
        };
        records.register(&manager, 1, list);
        manager.choose(handler_id(1), id(9), false);
        enumerate(&manager);
        assert_eq!(listed(&manager).complete, complete);
        let kept = (!complete).then_some(false);
        let choices = manager.choices();
        assert_eq!(choices.get(handler_id(1), id(9)), kept, "{complete}");
        records.judge();
    }
}

#[test]
fn a_choice_for_a_temporary_item_outlasts_the_look_at_the_list() {
    let manager = SyncManager::new();
    let records = Records::default();
    let temporary = named(1).flags(ItemFlags::TEMPORARY).checked(false);
    let script = Script::new()
        .sync_item(temporary)
        .synchronize(succeed(id(1)));
    records.register(&manager, 1, script);
    enumerate(&manager);
    manager.choose(handler_id(1), id(1), true);
    enumerate(&manager);
    assert!(listed(&manager).items[0].checked);
    update(&manager);
    assert_eq!(rounds(&records.traces()[2]), [vec![id(1)]]);
    assert!(!listed(&manager).items[0].checked, "it was for one run");
    records.judge();
}

#[test]
fn a_committed_item_is_listed_after_the_run_and_one_that_is_only_proposed_is_not() {
    let manager = SyncManager::new();
    let records = Records::default();
    let steps = [
        Step::call(|callback| {
            assert_eq!(callback.propose_item(named(7)), Ok(()));
            assert_eq!(callback.propose_item(named(8).checked(false)), Ok(()));
            assert_eq!(callback.propose_item(named(9)), Ok(()));
            assert_eq!(callback.commit_item(id(7)), Ok(()));
            assert_eq!(callback.commit_item(id(8)), Ok(()));
        }),
        Step::add_item(named(6)),
    ];
    let six = [Step::report(id(6)).status(ItemStatus::Updating)];
    let steps = steps.into_iter().chain(succeed(id(1))).chain(six);
    let script = Script::new().sync_item(named(1)).synchronize(steps);
    records.register(&manager, 1, script);
    manager.choose(handler_id(1), id(7), false);
    let report = finish(&manager.update_all());
    assert_eq!(rounds(&records.traces()[0]), [vec![id(1)]]);
    let mut listing = ids(&listed(&manager));
    listing.sort();
    assert_eq!(listing, [1, 6, 7, 8].map(id));
    let selected: Vec<_> = report
        .items()
        .filter(|(_, view)| view.selected)
        .map(|(_, view)| view.id)
        .collect();
    assert_eq!(selected, [id(1), id(6)]);
    records.judge();
}

#[test]
fn the_text_of_a_handler_is_shown_and_answered() {
    let manager = SyncManager::new();
    let records = Records::default();
    let say = Step::call(|callback| {
        let answer = callback.set_handler_text("3 of 5 folders");
        assert_eq!(answer, Ok(Verdict::Continue));
        assert_eq!(callback.can_continue(None), Ok(Verdict::Continue));
    });
    records.register(&manager, 1, script(1).prepare([say]));
    let run = manager.update_all();
    wait_for(&run);
    let session = run.session(handler_id(1)).expect("it told its items");
    assert_eq!(session.handler_text(), "3 of 5 folders");
    records.judge();
}

#[test]
fn choices_are_told_in_the_order_of_the_ids_and_can_be_taken_back() {
    let mut choices = Choices::new();
    for (handler, item) in [(2, 1), (1, 5), (1, 2)] {
        choices.set(handler_id(handler), id(item), item == 5);
    }
    choices.set(handler_id(1), id(2), false);
    let told: Vec<_> = choices.iter().collect();
    assert_eq!(
        told,
        [
            (handler_id(1), id(2), false),
            (handler_id(1), id(5), true),
            (handler_id(2), id(1), false)
        ]
    );
    assert_eq!(told.iter().copied().collect::<Choices>(), choices);
    let mut changed = choices.clone();
    changed.extend([(handler_id(1), id(2), true), (handler_id(3), id(1), false)]);
    assert_eq!(changed.get(handler_id(1), id(2)), Some(true));
    assert_eq!(changed.len(), choices.len() + 1);
    choices.forget_handler(handler_id(1));
    choices.forget(handler_id(2), id(9));
    assert_eq!((choices.len(), choices.is_empty()), (1, false));
    choices.forget(handler_id(2), id(1));
    assert_eq!(choices, Choices::default());
}

#[test]
fn a_listing_shows_what_the_handler_returned_last_though_its_items_are_the_same() {
    let manager = SyncManager::new();
    let records = Records::default();
    records.register_made(&manager, 1, |time| {
        let name = ["Mail", "Letters", "Letters", "Letters"][time - 1];
        let script = script(1).name(name);
        match time {
            3 => script.incomplete(),
            _ => script,
        }
    });
    for (name, complete) in [
        ("Mail", true),
        ("Letters", true),
        ("Letters", false),
        ("Letters", true),
    ] {
        goes_well(&manager.enumerate(handler_id(1)).unwrap());
        let listing = listed(&manager);
        assert_eq!(
            (listing.info.name.as_str(), listing.complete),
            (name, complete)
        );
    }
    records.judge();
}

#[test]
fn a_registration_keeps_its_flags_when_it_gets_a_description() {
    let registration = Registration::new()
        .flags(RegisterFlags::CONNECT)
        .description("Mail");
    assert_eq!(registration.flags, RegisterFlags::CONNECT);
    assert_eq!(registration.description.as_deref(), Some("Mail"));
}
