//! Properties: what becomes of items that are deleted or changed while their properties are shown.

use std::time::Duration;

use support::gate::{Gate, finish, gated, goes_well, initialized, of, rounds, succeed_in};
use support::id;
use support::manager::{Records, handler_id};
use support::properties::{Changing, owns, shows, targets};
use syncmgr::testing::Recorder;
use syncmgr::testing::mock::{Script, Step};
use syncmgr::{HResult, HandlerFlags, ItemId, PropertiesOutcome, SyncFlags, SyncManager};

#[test]
fn the_manager_shows_properties_and_synchronizes_nothing() {
    let manager = SyncManager::new();
    let records = Records::default();
    records.register(&manager, 1, shows(2, HResult::S_OK));
    for target in [None, Some(id(2))] {
        let run = manager.show_properties(handler_id(1), target).unwrap();
        let report = succeed_in(&run);
        let done = [(target, PropertiesOutcome::Done)];
        assert_eq!(of(&report, 1).properties, done);
        let traces = records.traces();
        let trace = traces.last().unwrap();
        assert!(initialized(trace).0.contains(SyncFlags::SETTINGS));
        assert_eq!(targets(trace), [target]);
        assert_eq!(rounds(trace), Vec::<Vec<ItemId>>::new());
    }
    records.judge();
}

#[test]
fn a_deleted_item_is_taken_off_the_list_and_its_choice_away() {
    let manager = SyncManager::new();
    let records = Records::default();
    records.register(&manager, 1, shows(2, HResult::S_SYNCMGR_ITEMDELETED));
    goes_well(&manager.enumerate(handler_id(1)).unwrap());
    for n in [1, 2] {
        manager.choose(handler_id(1), id(n), false);
    }
    let run = manager.show_properties(handler_id(1), id(1)).unwrap();
    goes_well(&run);
    let listing = manager.listing();
    let ids: Vec<_> = listing[0].items.iter().map(|item| item.id).collect();
    assert_eq!(ids, [id(2)]);
    let choices = manager.choices();
    assert_eq!(choices.get(handler_id(1), id(1)), None);
    assert_eq!(choices.get(handler_id(1), id(2)), Some(false));
    records.judge();
}

#[test]
fn the_items_are_listed_anew_where_they_changed() {
    let manager = SyncManager::new();
    let recorder = Recorder::new();
    let handler = recorder.handler(Changing::new(
        vec![owns(1), owns(2)],
        vec![owns(2), owns(3)],
    ));
    let made = manager.register(handler_id(1), syncmgr::Registration::new(), move || {
        handler.clone()
    });
    assert_eq!(made, Ok(()));
    manager.choose(handler_id(1), id(1), false);
    manager.choose(handler_id(1), id(2), false);
    let run = manager.show_properties(handler_id(1), None).unwrap();
    let report = succeed_in(&run);
    let changed = [(None, PropertiesOutcome::ItemsChanged)];
    assert_eq!(of(&report, 1).properties, changed);
    let listing = manager.listing();
    let ids: Vec<_> = listing[0].items.iter().map(|item| item.id).collect();
    assert_eq!(ids, [id(2), id(3)]);
    let choices = manager.choices();
    assert_eq!(choices.get(handler_id(1), id(1)), None, "it is gone (M07)");
    assert_eq!(choices.get(handler_id(1), id(2)), Some(false));
    recorder.trace().assert_conformant();
}

#[test]
fn properties_of_a_handler_that_runs_come_after_it() {
    let manager = SyncManager::new();
    let records = Records::default();
    let gate = Gate::new();
    let script = Script::new()
        .flags(HandlerFlags::HAS_PROPERTIES)
        .sync_item(owns(1))
        .synchronize(gated(id(1), &gate))
        .show_properties(
            [Step::complete_show_properties(
                HResult::S_SYNCMGR_ITEMDELETED,
            )],
            Ok(()),
        );
    records.register(&manager, 1, script);
    let run = manager.update_all();
    gate.reached();
    let shown = manager.show_properties(handler_id(1), id(1)).unwrap();
    assert_eq!(records.made(), 1);
    assert!(shown.wait_timeout(Duration::ZERO).is_err());
    gate.open();
    goes_well(&run);
    let report = succeed_in(&shown);
    assert_eq!(of(&report, 1).properties.len(), 1);
    let traces = records.traces();
    assert_eq!(targets(&traces[0]), []);
    assert_eq!(targets(&traces[1]), [Some(id(1))]);
    assert!(
        finish(&run)
            .handler(handler_id(1))
            .unwrap()
            .properties
            .is_empty()
    );
    records.judge();
}

#[test]
fn what_two_starts_want_to_see_of_a_handler_that_waits_is_all_shown() {
    let manager = SyncManager::new();
    let records = Records::default();
    let gate = Gate::new();
    let script = shows(2, HResult::S_OK).synchronize(gated(id(1), &gate));
    records.register(&manager, 1, script);
    let run = manager.update_all();
    gate.reached();
    let wanted = [Some(id(1)), None, Some(id(2))];
    let shown = wanted.map(|target| manager.show_properties(handler_id(1), target).unwrap());
    gate.open();
    goes_well(&run);
    for (run, target) in shown.iter().zip(wanted) {
        let report = succeed_in(run);
        let properties = &of(&report, 1).properties;
        assert!(
            properties.contains(&(target, PropertiesOutcome::Done)),
            "{target:?}: {properties:?}"
        );
    }
    let mut asked: Vec<_> = records.traces().iter().flat_map(targets).collect();
    asked.sort();
    assert_eq!(asked, [None, Some(id(1)), Some(id(2))]);
    records.judge();
}
