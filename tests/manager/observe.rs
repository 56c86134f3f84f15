//! Who follows a run: looks, sums, waits and what a run came to.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use support::gate::{Gate, finish, gated, goes_well, named, of, succeed_in, wait_for};
use support::manager::{Records, handler_id, script, succeed};
use support::{Deadline, id, join};
use syncmgr::testing::mock::{Script, Step};
use syncmgr::{
    HResult, HandlerId, ItemId, ItemStatus, ItemView, Participation, Phase, Registration, Run,
    RunChanges, RunObserver, RunProgress, SyncManager, Totals,
};

/// Looks, and compares the sums with those of the sessions: nothing may move meanwhile.
#[track_caller]
fn look(run: &Run, observer: &mut RunObserver) -> RunChanges {
    let changes = observer.refresh();
    let mut totals = Totals::default();
    for (_, session) in run.sessions() {
        let one = session.snapshot().totals;
        totals.value += one.value;
        totals.max += one.max;
        totals.items += one.items;
        totals.finished += one.finished;
        totals.measured += one.measured;
    }
    assert_eq!(changes.progress.totals, totals);
    assert_eq!(observer.progress(), changes.progress);
    assert_eq!(run.progress(), changes.progress);
    let progress = changes.progress;
    let handlers = progress.waiting + progress.running + progress.finished;
    assert_eq!(handlers, progress.handlers);
    assert_eq!(changes.is_over(), progress.finished == progress.handlers);
    changes
}

fn counts(progress: RunProgress) -> (usize, usize, usize) {
    (progress.waiting, progress.running, progress.finished)
}

/// The items that a look tells of a handler.
fn told(changes: &RunChanges, n: u128) -> Vec<ItemId> {
    let sessions = changes.sessions.iter();
    let of = sessions.filter(|(handler, _)| *handler == handler_id(n));
    of.flat_map(|(_, changes)| changes.items())
        .map(|view| view.id)
        .collect()
}

/// Two items, of which the first stands at a gate with a value of 3 of 10.
fn two(n: u128, gate: &Gate) -> Script {
    Script::new()
        .sync_item(named(n))
        .sync_item(named(n + 10))
        .synchronize([
            Step::report(id(n)).status(ItemStatus::Updating).max(10),
            Step::report(id(n)).value(3),
            gate.step(),
            Step::report(id(n)).value(10),
            Step::report(id(n)).status(ItemStatus::Succeeded),
            Step::report(id(n + 10)).status(ItemStatus::Updating),
            Step::report(id(n + 10)).status(ItemStatus::Succeeded),
        ])
}

#[test]
fn a_run_is_followed_from_the_first_handler_to_the_last() {
    let manager = SyncManager::builder().concurrency(1).build();
    let records = Records::default();
    let gates = [Gate::new(), Gate::new()];
    for (n, gate) in (1..).zip(&gates) {
        records.register(&manager, n, two(n, gate));
    }
    let run = manager.update_all();
    let mut observer = run.observe();
    gates[0].reached();
    let first = look(&run, &mut observer);
    assert_eq!(counts(first.progress), (1, 1, 0));
    assert_eq!(
        (first.progress.totals.value, first.progress.totals.max),
        (3, 10)
    );
    assert_eq!(
        told(&first, 1),
        [id(1), id(11)],
        "the first look tells every item"
    );
    assert_eq!(told(&first, 2), []);
    assert_eq!(first.ended, []);

    let again = look(&run, &mut observer);
    assert_eq!(told(&again, 1), [id(1)], "what is in work");
    assert_eq!(again.ended, []);

    gates[0].open();
    gates[1].reached();
    let second = look(&run, &mut observer);
    assert_eq!(counts(second.progress), (0, 1, 1));
    assert_eq!(second.progress.totals.finished, 2);
    assert_eq!(second.ended, [handler_id(1)]);
    assert_eq!(told(&second, 1), [id(1), id(11)], "both have ended since");
    assert_eq!(told(&second, 2), [id(2), id(12)]);

    gates[1].open();
    goes_well(&run);
    let last = look(&run, &mut observer);
    assert_eq!(counts(last.progress), (0, 0, 2));
    assert_eq!(last.ended, [handler_id(2)]);
    assert!(last.is_over());
    assert_eq!(told(&last, 1), []);
    assert_eq!(told(&last, 2), [id(2), id(12)]);

    let after = look(&run, &mut observer);
    assert!(after.is_over() && after.sessions.is_empty() && after.ended.is_empty());
    assert_eq!(after.progress, last.progress);
    records.judge();
}

#[test]
fn an_observer_that_comes_after_the_end_is_told_everything_at_once() {
    let manager = SyncManager::new();
    let records = Records::default();
    for n in 1..=3 {
        records.register(&manager, n, script(n));
    }
    let run = manager.update_all();
    goes_well(&run);
    for _ in 0..2 {
        let mut observer = run.observe();
        assert_eq!(observer.progress().finished, 0, "it has not looked yet");
        let changes = look(&run, &mut observer);
        assert!(changes.is_over());
        let mut ended = changes.ended.clone();
        ended.sort();
        assert_eq!(ended, [1, 2, 3].map(handler_id));
        for n in 1..=3 {
            assert_eq!(told(&changes, n), [id(n)]);
        }
        assert!(look(&run, &mut observer).sessions.is_empty());
    }
    records.judge();
}

#[test]
fn several_observers_do_not_take_anything_from_each_other() {
    let manager = SyncManager::builder().concurrency(1).build();
    let records = Records::default();
    let gates = [Gate::new(), Gate::new()];
    for (n, gate) in (1..).zip(&gates) {
        records.register(&manager, n, two(n, gate));
    }
    let run = manager.update_all();
    let (mut often, mut seldom) = (run.observe(), run.clone().observe());
    gates[0].reached();
    look(&run, &mut often);
    look(&run, &mut often);
    gates[0].open();
    gates[1].reached();
    assert_eq!(look(&run, &mut often).ended, [handler_id(1)]);
    let late = look(&run, &mut seldom);
    assert_eq!(late.ended, [handler_id(1)]);
    assert_eq!(told(&late, 1), [id(1), id(11)]);
    gates[1].open();
    goes_well(&run);
    assert_eq!(look(&run, &mut seldom).ended, [handler_id(2)]);
    assert_eq!(look(&run, &mut often).ended, [handler_id(2)]);
    records.judge();
}

#[test]
fn handlers_that_fail_before_they_have_a_session_are_told_as_ended() {
    let manager = SyncManager::new();
    let records = Records::default();
    let made = manager.register(handler_id(1), Registration::new(), || panic!("not made"));
    assert_eq!(made, Ok(()));
    let fails = Script::new().participation(Err(HResult::E_FAIL));
    records.register(&manager, 2, fails);
    let declines = Script::new().participation(Ok(Participation::Declines));
    records.register(&manager, 3, declines);
    let twice = Script::new().sync_item(named(1)).sync_item(named(1));
    records.register(&manager, 4, twice);
    records.register(&manager, 5, script(5));
    let run = manager.update_all();
    let mut observer = run.observe();
    let deadline = Deadline::new("the end of the run");
    let mut ended = Vec::new();
    let mut sessions = Vec::new();
    loop {
        let changes = observer.refresh();
        ended.extend(changes.ended.iter().copied());
        sessions.extend(changes.sessions.iter().map(|(handler, _)| *handler));
        if changes.is_over() {
            break;
        }
        deadline.tick();
    }
    ended.sort();
    assert_eq!(ended, [1, 2, 3, 4, 5].map(handler_id), "each once");
    sessions.dedup();
    assert_eq!(sessions, [handler_id(5)]);
    assert_eq!(observer.progress().totals.items, 1);
    let report = finish(&run);
    assert_eq!(report.handlers.len(), 5);
    assert!(of(&report, 1).items().is_empty());
    assert!(of(&report, 3).is_success(), "it took no part");
    assert_eq!(report.items().count(), 1);
    records.judge();
}

#[test]
fn looks_at_every_moment_lead_to_what_the_report_says() {
    let manager = SyncManager::builder().concurrency(3).build();
    let records = Records::default();
    for n in 1..=12_u128 {
        let items = (1..=8).map(|item| 100 * n + item);
        let script = items
            .clone()
            .fold(Script::new(), |script, item| script.sync_item(named(item)));
        let steps = items.flat_map(|item| {
            let values = (1..=4).map(move |value| Step::report(id(item)).value(value));
            let begin = Step::report(id(item)).status(ItemStatus::Updating).max(4);
            [begin].into_iter().chain(values).chain(succeed(id(item)))
        });
        // An `Updating` before the end is no harm.
        records.register(&manager, n, script.synchronize(steps));
    }
    let run = manager.update_all();
    let observers: Vec<_> = (0..2)
        .map(|_| {
            let mut observer = run.observe();
            thread::spawn(move || {
                let deadline = Deadline::new("the end of the run");
                let mut seen: BTreeMap<(HandlerId, ItemId), ItemView> = BTreeMap::new();
                let mut before = RunProgress::default();
                loop {
                    let changes = observer.refresh();
                    for (handler, session) in &changes.sessions {
                        for view in session.items() {
                            seen.insert((*handler, view.id), view.clone());
                        }
                    }
                    // The sums are those of the items that were told, no more and no less.
                    let progress = changes.progress;
                    assert_eq!(progress.totals.items, seen.len() as u64);
                    assert_eq!(
                        progress.totals.value,
                        seen.values().map(|view| view.value.min(4)).sum::<u64>()
                    );
                    let finished = seen.values().filter(|view| view.is_finished()).count();
                    assert_eq!(progress.totals.finished, finished as u64);
                    assert!(progress.finished >= before.finished);
                    assert!(progress.waiting <= before.waiting || before.handlers == 0);
                    assert!(progress.running <= 3);
                    before = progress;
                    if changes.is_over() {
                        return seen;
                    }
                    deadline.tick();
                }
            })
        })
        .collect();
    let report = succeed_in(&run);
    let last: BTreeMap<_, _> = report
        .items()
        .map(|(handler, view)| ((handler, view.id), view))
        .collect();
    assert_eq!(last.len(), 96);
    for observer in observers {
        assert_eq!(join("an observer", observer), last);
    }
    records.judge();
}

#[test]
fn a_run_of_nobody_is_over() {
    let run = SyncManager::new().update_all();
    assert!(run.is_over());
    assert_eq!(run.progress(), RunProgress::default());
    let report = run.wait();
    assert!(report.is_success() && report.handlers.is_empty());
    assert_eq!(report.items().count(), 0);
    let mut observer = run.observe();
    assert!(observer.refresh().is_over());
    run.cancel_all();
}

#[test]
fn a_run_tells_how_far_it_is_by_itself_too() {
    let manager = SyncManager::builder().concurrency(1).build();
    let records = Records::default();
    let gate = Gate::new();
    records.register(&manager, 1, two(1, &gate));
    records.register(&manager, 2, script(2));
    let run = manager.update_all();
    gate.reached();
    for run in [&run, &run.clone()] {
        let progress = run.progress();
        assert_eq!(progress.handlers, 2);
        assert_eq!(counts(progress), (1, 1, 0));
        assert_eq!((progress.totals.value, progress.totals.items), (3, 2));
    }
    assert_eq!(run.sessions().len(), 1);
    assert!(run.session(handler_id(1)).is_some());
    assert!(run.session(handler_id(2)).is_none());
    gate.open();
    goes_well(&run);
    assert_eq!(counts(run.progress()), (0, 0, 2));
    assert_eq!(run.sessions().len(), 2);
    records.judge();
}

#[test]
fn a_wait_that_ends_too_early_tells_who_is_not_done_and_can_be_made_again() {
    let manager = SyncManager::builder().concurrency(1).build();
    let records = Records::default();
    let gate = Gate::new();
    records.register(&manager, 1, script(1));
    records.register(&manager, 2, two(2, &gate));
    records.register(&manager, 3, script(3));
    let run = manager.update_all();
    gate.reached();
    let unfinished = run.wait_timeout(Duration::from_millis(1)).unwrap_err();
    let open = vec![id(2), id(12)];
    assert_eq!(
        unfinished.handlers,
        [
            (handler_id(2), Phase::Synchronizing, open),
            (handler_id(3), Phase::Idle, Vec::new()),
        ]
    );
    let text = unfinished.to_string();
    assert!(text.contains(&handler_id(2).to_string()), "{text}");
    assert!(!run.is_over());
    gate.open();
    let waiting = run.clone();
    let report = support::within("the run", move || waiting.wait_timeout(Duration::MAX));
    assert!(report.expect("it ends").is_success());
    assert!(run.is_over());
    records.judge();
}

#[test]
fn the_report_has_every_item_of_every_handler_those_that_took_no_part_too() {
    let manager = SyncManager::new();
    let records = Records::default();
    for n in [1, 2] {
        let script = Script::new()
            .sync_item(named(n))
            .sync_item(named(n + 10).checked(false))
            .synchronize(
                [Step::add_item(named(n + 20))]
                    .into_iter()
                    .chain(succeed(id(n)))
                    .chain(succeed(id(n + 20))),
            );
        records.register(&manager, n, script);
    }
    let report = succeed_in(&manager.update_all());
    let items: Vec<_> = report
        .items()
        .map(|(handler, view)| (handler, view.id, view.selected, view.status))
        .collect();
    let mut expected = Vec::new();
    for n in [1, 2] {
        let done = ItemStatus::Succeeded;
        expected.push((handler_id(n), id(n), true, done));
        expected.push((handler_id(n), id(n + 10), false, ItemStatus::Pending));
        expected.push((handler_id(n), id(n + 20), true, done));
    }
    assert_eq!(items, expected);
    records.judge();
}

#[test]
fn a_run_that_waits_for_the_handler_is_followed_once_it_is_its_turn() {
    let manager = SyncManager::new();
    let records = Records::default();
    let gate = Gate::new();
    let script = Script::new()
        .sync_item(named(1))
        .synchronize(gated(id(1), &gate));
    records.register(&manager, 1, script);
    let first = manager.update_all();
    gate.reached();
    let second = manager.update_all();
    let mut observer = second.observe();
    let changes = look(&second, &mut observer);
    assert_eq!(counts(changes.progress), (1, 0, 0));
    assert!(changes.sessions.is_empty());
    gate.open();
    goes_well(&first);
    goes_well(&second);
    let changes = look(&second, &mut observer);
    assert_eq!(counts(changes.progress), (0, 0, 1));
    assert_eq!(told(&changes, 1), [id(1)]);
    assert_eq!(changes.ended, [handler_id(1)]);
    records.judge();
}

#[test]
fn two_starts_that_are_one_run_are_both_told_of_it() {
    let manager = SyncManager::new();
    let records = Records::default();
    let gate = Gate::new();
    let script = Script::new()
        .sync_item(named(1))
        .synchronize(gated(id(1), &gate));
    records.register(&manager, 1, script);
    let first = manager.update_all();
    gate.reached();
    let runs = [manager.update_all(), manager.update_all()];
    let mut observers = runs.each_ref().map(Run::observe);
    gate.open();
    goes_well(&first);
    for (run, observer) in runs.iter().zip(&mut observers) {
        goes_well(run);
        let changes = look(run, observer);
        assert_eq!(changes.ended, [handler_id(1)]);
        assert_eq!(told(&changes, 1), [id(1)]);
    }
    assert_eq!(records.made(), 2);
    records.judge();
}

/// A run of which the first handler stands at the gate and the second was cancelled before its turn.
fn cancelled(records: &Records, gate: &Gate) -> (SyncManager, Run) {
    let manager = SyncManager::builder().concurrency(1).build();
    records.register(&manager, 1, two(1, gate));
    records.register(&manager, 2, script(2));
    records.register(&manager, 3, script(3));
    let run = manager.update_all();
    gate.reached();
    run.cancel_handler(handler_id(2));
    (manager, run)
}

#[test]
fn what_is_cancelled_before_its_turn_is_told_as_ended() {
    let (records, gate) = (Records::default(), Gate::new());
    let (_manager, run) = cancelled(&records, &gate);
    let mut observer = run.observe();
    let first = look(&run, &mut observer);
    assert_eq!(first.progress.running, 1);
    gate.open();
    wait_for(&run);
    let last = look(&run, &mut observer);
    let mut ended = [first.ended, last.ended.clone()].concat();
    ended.sort();
    assert_eq!(ended, [1, 2, 3].map(handler_id));
    assert_eq!(told(&last, 2), []);
    assert_eq!(records.made(), 2);
    records.judge();
}

#[test]
fn what_is_cancelled_before_its_turn_is_over_at_once() {
    let (records, gate) = (Records::default(), Gate::new());
    let (_manager, run) = cancelled(&records, &gate);
    let changes = look(&run, &mut run.observe());
    gate.open();
    assert_eq!(counts(changes.progress), (1, 1, 1));
    assert_eq!(changes.ended, [handler_id(2)]);
}

#[test]
fn what_a_handler_told_about_itself_is_known_once_it_has() {
    let manager = SyncManager::builder().concurrency(1).build();
    let records = Records::default();
    let gates = [Gate::new(), Gate::new()];
    let of_each = gates.clone();
    records.register_made(&manager, 1, move |time| {
        let gate = &of_each[time - 1];
        let script = Script::new().name(&format!("time {time}"));
        script.sync_item(named(1)).synchronize(gated(id(1), gate))
    });
    let name = |run: &Run| run.info(handler_id(1)).map(|info| info.name.to_string());
    let first = manager.update_all();
    gates[0].reached();
    let (second, third) = (manager.update_all(), manager.update_all());
    assert_eq!(name(&first).as_deref(), Some("time 1"));
    assert_eq!(name(&second), None, "it waits");
    gates[0].open();
    gates[1].reached();
    assert_eq!(name(&second).as_deref(), Some("time 2"));
    assert_eq!(
        name(&third).as_deref(),
        Some("time 2"),
        "one run does for both"
    );
    gates[1].open();
    for run in [&first, &second, &third] {
        goes_well(run);
    }
    assert_eq!(name(&first).as_deref(), Some("time 1"));
    assert_eq!(name(&third).as_deref(), Some("time 2"));
    assert_eq!(first.info(handler_id(2)), None);
    records.judge();
}

#[test]
fn a_wait_that_ends_too_early_lists_the_handlers_that_have_not_ended() {
    let manager = SyncManager::new();
    let records = Records::default();
    let gate = Gate::new();
    for n in [1, 2] {
        let script = Script::new().sync_item(named(n));
        records.register(&manager, n, script.synchronize(gated(id(n), &gate)));
    }
    let run = manager.update_all();
    let error = run.wait_timeout(Duration::ZERO).unwrap_err();
    let text = error.to_string();
    let parts: Vec<_> = text.split("; ").collect();
    assert_eq!(parts.len(), 3, "{text}");
    assert!(
        parts[0].starts_with("the run is not over: the handler"),
        "{text}"
    );
    assert!(parts[1].starts_with("the handler"), "{text}");
    gate.open();
    goes_well(&run);
    records.judge();
}
