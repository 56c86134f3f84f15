//! Properties: what becomes of items that are deleted or changed while their properties are shown.

#![cfg(feature = "testing")]

#[path = "support/gate.rs"]
mod gate;
#[path = "support/manager.rs"]
mod manager;
mod support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use gate::{Gate, finish, gated, goes_well, initialized, named, names, of, rounds, succeed_in};
use manager::{Records, handler_id, succeed};
use support::{id, join, until, within};
use syncmgr::testing::{Action, Recorder, Script, Step, Trace};
use syncmgr::{
    Fault, HResult, HandlerError, HandlerFlags, HandlerInfo, HandlerReport, ItemFlags, ItemId,
    ItemList, ItemStatus, Participation, Phase, Prepared, PropertiesOutcome, RunOptions,
    SyncCallback, SyncFlags, SyncHandler, SyncItem, SyncManager, Verdict, run_handler,
};

/// Test item `n`, which has properties.
fn owns(n: u128) -> SyncItem {
    named(n).flags(ItemFlags::HAS_PROPERTIES)
}

/// Items 1 to `n`, and properties that are completed with this result.
fn shows(n: u128, result: HResult) -> Script {
    let steps = (1..=n).flat_map(|n| succeed(id(n)));
    let script = Script::new()
        .flags(HandlerFlags::HAS_PROPERTIES)
        .synchronize(steps)
        .show_properties([Step::complete_show_properties(result)], Ok(()));
    (1..=n).map(owns).fold(script, Script::sync_item)
}

/// Drives a handler once, by itself.
fn run(script: &Script, options: RunOptions) -> (HandlerReport, Trace) {
    let recorder = Recorder::new();
    let handler = recorder.handler(script.handler());
    let report = within("the run", move || run_handler(handler, options));
    let trace = recorder.trace();
    for found in trace.violations() {
        assert!(found.rule.binds_handler(), "{trace}");
    }
    (report, trace)
}

fn targets(trace: &Trace) -> Vec<Option<ItemId>> {
    let calls = trace.calls().iter();
    calls
        .filter_map(|call| match call.action {
            Action::ShowProperties { target } => Some(target),
            _ => None,
        })
        .collect()
}

#[test]
fn properties_are_shown_one_after_the_other_before_anything_is_prepared() {
    let options = RunOptions::new()
        .show_properties(id(2))
        .show_properties(None)
        .show_properties(id(1));
    let (report, trace) = run(&shows(2, HResult::S_OK), options);
    assert!(report.is_success(), "{report:?}");
    let asked = [Some(id(2)), None, Some(id(1))];
    assert_eq!(targets(&trace), asked);
    let done = asked.map(|target| (target, PropertiesOutcome::Done));
    assert_eq!(report.properties, done);
    let names = names(&trace);
    let place = |name| names.iter().rposition(|other| *other == name);
    assert!(
        place("show_properties_completed") < place("prepare_for_sync"),
        "{trace}"
    );
    assert_eq!(rounds(&trace), [vec![id(1), id(2)]]);
}

#[test]
fn an_item_that_was_deleted_takes_no_part() {
    let script = shows(2, HResult::S_SYNCMGR_ITEMDELETED);
    let (report, trace) = run(&script, RunOptions::new().show_properties(id(1)));
    assert!(report.is_success(), "{report:?}");
    assert_eq!(
        report.properties,
        [(Some(id(1)), PropertiesOutcome::ItemDeleted)]
    );
    assert_eq!(rounds(&trace), [vec![id(2)]]);
}

#[test]
fn nothing_is_prepared_where_the_only_item_was_deleted() {
    let script = shows(1, HResult::S_SYNCMGR_ITEMDELETED);
    let (report, trace) = run(&script, RunOptions::new().show_properties(id(1)));
    assert!(report.is_success(), "{report:?}");
    assert_eq!(rounds(&trace), Vec::<Vec<ItemId>>::new());
    assert!(!names(&trace).contains(&"synchronize"));
}

#[test]
fn a_named_item_that_was_deleted_takes_no_part_either() {
    let script = shows(3, HResult::S_SYNCMGR_ITEMDELETED);
    let options = RunOptions::new()
        .select([id(1), id(2)])
        .show_properties(id(2));
    let (report, trace) = run(&script, options);
    assert!(report.is_success(), "{report:?}");
    assert_eq!(rounds(&trace), [vec![id(1)]]);
}

#[test]
fn properties_that_are_refused_keep_nothing_from_being_synchronized() {
    for (answer, code) in [
        (Some(Err(HResult::E_INVALIDARG)), HResult::E_INVALIDARG),
        (None, HResult::E_NOTIMPL),
    ] {
        let mut script = Script::new().sync_item(owns(1)).synchronize(succeed(id(1)));
        if let Some(answer) = answer {
            script = script.show_properties([], answer);
        }
        let (report, trace) = run(&script, RunOptions::new().show_properties(id(1)));
        let refused = PropertiesOutcome::Other(code);
        assert_eq!(report.properties, [(Some(id(1)), refused)]);
        assert_eq!(rounds(&trace), [vec![id(1)]], "{code}");
        assert_eq!(report.items()[0].status, ItemStatus::Succeeded);
    }
}

#[test]
fn a_code_that_has_no_name_is_told_as_it_came() {
    let (report, trace) = run(
        &shows(1, HResult::E_ABORT),
        RunOptions::new().show_properties(id(1)),
    );
    let other = PropertiesOutcome::Other(HResult::E_ABORT);
    assert_eq!(report.properties, [(Some(id(1)), other)]);
    assert_eq!(rounds(&trace), [vec![id(1)]]);
}

#[test]
fn the_completion_may_come_before_the_return_after_it_and_from_any_thread() {
    let complete = || Step::complete_show_properties(HResult::S_SYNCMGR_ITEMDELETED);
    for when in ["before", "thread", "after"] {
        // Opened once the call has returned, where the completion is to come after it.
        let returned = Gate::new();
        if when != "after" {
            returned.open();
        }
        let gate = returned.clone();
        let later = Step::call(move |callback| {
            let (gate, callback) = (gate.clone(), callback.clone());
            thread::spawn(move || {
                gate.pass();
                let _ = callback.show_properties_completed(PropertiesOutcome::ItemDeleted);
            });
        });
        let steps = match when {
            "before" => vec![complete()],
            _ => vec![later],
        };
        let script = Script::new()
            .sync_item(owns(1))
            .sync_item(owns(2))
            .synchronize(succeed(id(2)))
            .show_properties(steps, Ok(()));
        let recorder = Recorder::new();
        let handler = recorder.handler(script.handler());
        let driver =
            thread::spawn(move || run_handler(handler, RunOptions::new().show_properties(id(1))));
        until("the call has returned", || {
            let trace = recorder.trace();
            let mut calls = trace.calls().iter();
            calls.any(|call| call.action.name() == "show_properties" && call.has_returned())
        });
        returned.open();
        let report = join("the run", driver);
        assert!(report.is_success(), "{when}: {report:?}");
        assert_eq!(rounds(&recorder.trace()), [vec![id(2)]], "{when}");
    }
}

#[test]
fn properties_that_are_never_completed_end_the_run_past_the_deadline() {
    let script = Script::new().sync_item(owns(1)).show_properties([], Ok(()));
    let options = RunOptions::new()
        .deadline(Duration::from_millis(50))
        .show_properties(id(1));
    let (report, trace) = run(&script, options);
    assert_eq!(report.result, HResult::E_ABORT);
    assert_eq!(report.phase, Phase::Idle);
    assert!(
        matches!(
            report.faults[..],
            [Fault::NotCompleted {
                call: "show_properties_completed",
                ..
            }]
        ),
        "{:?}",
        report.faults
    );
    assert_eq!(rounds(&trace), Vec::<Vec<ItemId>>::new());
}

#[test]
fn properties_that_panic_end_the_run() {
    let script = Script::new()
        .sync_item(owns(1))
        .show_properties([Step::run(|| panic!("no such page"))], Ok(()));
    let (report, trace) = run(&script, RunOptions::new().show_properties(id(1)));
    assert_eq!(report.result, HResult::E_UNEXPECTED);
    assert!(
        matches!(&report.faults[..], [Fault::Panicked { message, .. }] if message.contains("no such page")),
        "{:?}",
        report.faults
    );
    assert_eq!(rounds(&trace), Vec::<Vec<ItemId>>::new());
}

#[test]
fn properties_alone_are_shown_where_the_handler_is_started_for_its_settings() {
    let flags = SyncFlags::new(syncmgr::SyncEvent::Manual) | SyncFlags::SETTINGS;
    let options = RunOptions::new().flags(flags).show_properties(None);
    let (report, trace) = run(&shows(1, HResult::S_OK), options);
    assert!(report.is_success(), "{report:?}");
    assert_eq!(report.properties, [(None, PropertiesOutcome::Done)]);
    assert_eq!(rounds(&trace), Vec::<Vec<ItemId>>::new());
}

/// Lists other items once its properties were shown.
struct Changing {
    lists: [Vec<SyncItem>; 2],
    shown: AtomicUsize,
    callback: Mutex<Option<Arc<dyn SyncCallback>>>,
    round: Mutex<Vec<ItemId>>,
}

impl Changing {
    fn new(before: Vec<SyncItem>, after: Vec<SyncItem>) -> Arc<Self> {
        Arc::new(Self {
            lists: [before, after],
            shown: AtomicUsize::new(0),
            callback: Mutex::default(),
            round: Mutex::default(),
        })
    }

    fn callback(&self) -> Result<Arc<dyn SyncCallback>, HandlerError> {
        let callback = self.callback.lock().unwrap_or_else(PoisonError::into_inner);
        callback
            .clone()
            .ok_or(HandlerError::from(HResult::E_UNEXPECTED))
    }
}

impl SyncHandler for Changing {
    fn initialize(&self, _: SyncFlags, _: Option<&[u8]>) -> Result<Participation, HandlerError> {
        Ok(Participation::Joins)
    }

    fn info(&self) -> Result<HandlerInfo, HandlerError> {
        Ok(HandlerInfo::new("changing".parse()?).flags(HandlerFlags::HAS_PROPERTIES))
    }

    fn items(&self) -> Result<ItemList, HandlerError> {
        let list = self.shown.load(Ordering::SeqCst).min(1);
        Ok(ItemList::Complete(self.lists[list].clone()))
    }

    fn set_progress_callback(
        &self,
        callback: Option<Arc<dyn SyncCallback>>,
    ) -> Result<(), HandlerError> {
        *self.callback.lock().unwrap_or_else(PoisonError::into_inner) = callback;
        Ok(())
    }

    fn prepare_for_sync(self: Arc<Self>, items: &[ItemId]) -> Result<Prepared, HandlerError> {
        *self.round.lock().unwrap_or_else(PoisonError::into_inner) = items.to_vec();
        self.callback()?.prepare_for_sync_completed(HResult::S_OK)?;
        Ok(Prepared::Started)
    }

    fn synchronize(self: Arc<Self>) -> Result<(), HandlerError> {
        let callback = self.callback()?;
        let round = self.round.lock().unwrap_or_else(PoisonError::into_inner);
        for item in round.iter() {
            let update = syncmgr::ProgressUpdate::new();
            let begun = callback.progress(*item, &update.status(ItemStatus::Updating))?;
            let end = match begun {
                Verdict::Continue => ItemStatus::Succeeded,
                _ => ItemStatus::Stopped,
            };
            let _known = callback.progress(*item, &update.status(end))?;
        }
        callback.synchronize_completed(HResult::S_OK)?;
        Ok(())
    }

    fn set_item_status(&self, _: ItemId, _: ItemStatus) -> Result<(), HandlerError> {
        Ok(())
    }

    fn show_properties(self: Arc<Self>, _: Option<ItemId>) -> Result<(), HandlerError> {
        self.shown.fetch_add(1, Ordering::SeqCst);
        let changed = PropertiesOutcome::ItemsChanged;
        self.callback()?.show_properties_completed(changed)?;
        Ok(())
    }
}

#[test]
fn of_a_list_that_changed_new_items_take_part_as_the_selection_says_and_gone_ones_do_not() {
    let before = vec![owns(1), owns(2)];
    let after = vec![owns(2), owns(3), owns(4).checked(false)];
    for (named, expected) in [
        (None, vec![id(2), id(3)]),
        (Some([id(1), id(2)]), vec![id(2)]),
        (Some([id(2), id(4)]), vec![id(2), id(4)]),
    ] {
        let recorder = Recorder::new();
        let handler = recorder.handler(Changing::new(before.clone(), after.clone()));
        let mut options = RunOptions::new().show_properties(None);
        if let Some(named) = named {
            options = options.select(named);
        }
        let report = within("the run", move || run_handler(handler, options));
        let trace = recorder.trace();
        trace.assert_conformant();
        assert_eq!(report.properties, [(None, PropertiesOutcome::ItemsChanged)]);
        assert_eq!(rounds(&trace), [expected], "selected: {named:?}");
        assert!(report.is_success(), "{report:?}");
    }
}

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
