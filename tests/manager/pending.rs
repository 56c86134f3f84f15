//! Items that are asked for while their handler runs.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use support::gate::{
    Gate, finish, gated, goes_well, named, of, rounds, status_of, succeed_in, wait_for,
};
use support::id;
use support::manager::{Records, handler_id, succeed};
use syncmgr::testing::mock::{Script, Step};
use syncmgr::{
    CallbackError, HResult, ItemId, ItemStatus, ProgressUpdate, Run, SyncManager, Verdict,
};

/// What a handler was told of additional items.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<ItemId>>>);

impl Told {
    /// Asks for them.
    fn step(&self) -> Step {
        let told = self.clone();
        Step::call(move |callback| {
            *told.0.lock().unwrap() = callback.additional_items().expect("it is not released");
        })
    }

    fn take(&self) -> Vec<ItemId> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

/// A handler of items 1 to 4, of which the first is done at the gate by itself; then come these steps.
fn works(gate: &Gate, then: impl IntoIterator<Item = Step>) -> Script {
    let script = Script::new().sync_item(named(1));
    let script = (2..=4).fold(script, |script, n| {
        script.sync_item(named(n).checked(false))
    });
    script.synchronize(gated(id(1), gate).into_iter().chain(then))
}

/// As [`works`], and later runs do whatever they are asked to.
fn works_once(gate: &Gate, then: Vec<Step>) -> impl Fn(usize) -> Script + Send + Sync + use<> {
    let first = works(gate, then);
    move |time| match time {
        1 => first.clone(),
        _ => works(&opened(), (2..=4).flat_map(|n| succeed(id(n)))),
    }
}

fn opened() -> Gate {
    let gate = Gate::new();
    gate.open();
    gate
}

fn ask(manager: &SyncManager, items: impl IntoIterator<Item = u128>) -> Run {
    let items = items.into_iter().map(id);
    manager.sync_items(handler_id(1), items).unwrap()
}

#[test]
fn a_handler_that_does_not_run_is_started_for_the_items_that_were_named() {
    let manager = SyncManager::new();
    let records = Records::default();
    records.register(&manager, 1, works(&opened(), succeed(id(3))));
    let report = succeed_in(&ask(&manager, [3]));
    assert_eq!(rounds(&records.traces()[0]), [vec![id(3)]]);
    assert_eq!(status_of(of(&report, 1), 3), Some(ItemStatus::Succeeded));
    records.judge();
}

#[test]
fn the_running_handler_sees_what_was_requested_and_what_it_leaves_is_done_after_it_once() {
    let manager = SyncManager::new();
    let records = Records::default();
    let (gate, told) = (Gate::new(), Told::default());
    records.register_made(&manager, 1, works_once(&gate, vec![told.step()]));
    let run = manager.update_all();
    gate.reached();
    let waiting = [ask(&manager, [3]), ask(&manager, [2, 3])];
    gate.open();
    goes_well(&run);
    assert_eq!(told.take(), [id(3), id(2)]);
    for (run, n) in waiting.iter().zip([3, 2]) {
        let report = succeed_in(run);
        assert_eq!(status_of(of(&report, 1), n), Some(ItemStatus::Succeeded));
    }
    let traces = records.traces();
    assert_eq!(traces.len(), 3);
    assert_eq!(rounds(&traces[1]), [vec![id(3)]]);
    assert_eq!(rounds(&traces[2]), [vec![id(2)]], "item 3 is done already");
    records.judge();
}

#[test]
fn the_items_that_the_handler_takes_in_are_done_by_it_and_the_others_after_it() {
    let manager = SyncManager::new();
    let records = Records::default();
    let (gate, told) = (Gate::new(), Told::default());
    let takes = [Step::add_item(named(2)), told.step()];
    let then = takes.into_iter().chain(succeed(id(2))).collect();
    records.register_made(&manager, 1, works_once(&gate, then));
    let run = manager.update_all();
    gate.reached();
    let waiting = ask(&manager, [2, 3]);
    gate.open();
    let report = succeed_in(&run);
    assert_eq!(told.take(), [id(3)], "the other was taken");
    assert_eq!(status_of(of(&report, 1), 2), Some(ItemStatus::Succeeded));
    goes_well(&waiting);
    let traces = records.traces();
    assert_eq!(traces.len(), 2);
    assert_eq!(rounds(&traces[1]), [vec![id(3)]]);
    records.judge();
}

#[test]
fn where_it_takes_all_of_them_the_waiting_run_is_told_what_it_came_to() {
    let manager = SyncManager::new();
    let records = Records::default();
    let gate = Gate::new();
    let takes = [Step::add_item(named(2)), Step::add_item(named(3))];
    let then = takes
        .into_iter()
        .chain([2, 3].into_iter().flat_map(|n| succeed(id(n))));
    records.register_made(&manager, 1, works_once(&gate, then.collect()));
    let run = manager.update_all();
    gate.reached();
    let waiting = [ask(&manager, [2]), ask(&manager, [3, 2])];
    let mut observer = waiting[0].observe();
    let changes = observer.refresh();
    assert!(changes.ended.is_empty() && !changes.is_over());
    gate.open();
    let first = succeed_in(&run).handlers[0].1.session.clone().unwrap();
    for run in &waiting {
        let report = succeed_in(run);
        let report = of(&report, 1);
        assert!(Arc::ptr_eq(report.session.as_ref().unwrap(), &first));
        assert!(Arc::ptr_eq(&run.session(handler_id(1)).unwrap(), &first));
        for n in [2, 3] {
            assert_eq!(status_of(report, n), Some(ItemStatus::Succeeded));
        }
        let progress = run.progress();
        assert_eq!((progress.handlers, progress.finished), (1, 1));
        assert_eq!(progress.totals.items, 3);
    }
    let changes = observer.refresh();
    assert!(changes.is_over());
    assert_eq!(changes.ended, [handler_id(1)]);
    assert_eq!(changes.sessions[0].1.items().len(), 4);
    assert_eq!(changes.progress, waiting[0].progress());
    assert_eq!(records.made(), 1);
    records.judge();
}

#[test]
fn a_run_whose_items_were_all_taken_does_not_wait_for_those_of_another_run() {
    let manager = SyncManager::new();
    let records = Records::default();
    let (gate, after) = (Gate::new(), Gate::at(2));
    let takes = [Step::add_item(named(2))];
    let first = works(&gate, takes.into_iter().chain(succeed(id(2))));
    let later = works(&opened(), [after.step()].into_iter().chain(succeed(id(3))));
    after.pass();
    records.register_made(&manager, 1, move |time| match time {
        1 => first.clone(),
        _ => later.clone(),
    });
    let run = manager.update_all();
    gate.reached();
    let (taken, left) = (ask(&manager, [2]), ask(&manager, [2, 3]));
    gate.open();
    let session = succeed_in(&run).handlers[0].1.session.clone().unwrap();
    after.reached();
    let is_over = taken.is_over();
    after.open();
    let report = succeed_in(&taken);
    assert_eq!(status_of(of(&report, 1), 2), Some(ItemStatus::Succeeded));
    let of_taken = of(&report, 1).session.as_ref().unwrap();
    assert!(Arc::ptr_eq(of_taken, &session), "{report:?}");
    assert!(is_over);
    goes_well(&left);
    assert_eq!(rounds(&records.traces()[1]), [vec![id(3)]]);
    records.judge();
}

#[test]
fn a_handler_that_fails_with_what_it_took_tells_so_to_who_waits() {
    for result in [HResult::S_OK, HResult::E_FAIL] {
        let manager = SyncManager::new();
        let records = Records::default();
        let gate = Gate::new();
        let then = vec![
            Step::add_item(named(2)),
            Step::report(id(2)).status(ItemStatus::Updating),
            Step::report(id(2)).status(ItemStatus::Failed),
            Step::complete_synchronize(result),
        ];
        records.register_made(&manager, 1, works_once(&gate, then));
        let run = manager.update_all();
        gate.reached();
        let waiting = ask(&manager, [2]);
        gate.open();
        wait_for(&run);
        let report = finish(&waiting);
        let one = of(&report, 1);
        assert_eq!(one.result, result);
        assert_eq!(status_of(one, 2), Some(ItemStatus::Failed));
        assert!(!report.is_success());
        assert_eq!(records.made(), 1);
        records.judge();
    }
}

#[test]
fn a_cancel_of_the_waiting_run_after_its_items_were_taken_ends_all_the_same() {
    let manager = SyncManager::new();
    let records = Records::default();
    let (gate, after) = (Gate::new(), Gate::new());
    let takes = [Step::add_item(named(2)), after.step()];
    let then = takes.into_iter().chain(succeed(id(2))).collect();
    records.register_made(&manager, 1, works_once(&gate, then));
    let run = manager.update_all();
    gate.reached();
    let waiting = ask(&manager, [2]);
    gate.open();
    after.reached();
    waiting.cancel_all();
    after.open();
    let report = succeed_in(&run);
    assert_eq!(status_of(of(&report, 1), 1), Some(ItemStatus::Succeeded));
    wait_for(&waiting);
    assert_eq!(records.made(), 1, "it was not to be done any more");
    records.judge();
}

#[test]
fn an_item_that_takes_part_already_is_done_once_more() {
    let manager = SyncManager::new();
    let records = Records::default();
    let gate = Gate::new();
    let refused = Step::call(|callback| {
        let refused = Err(CallbackError::InvalidArgument);
        assert_eq!(callback.add_item(named(1)), refused);
    });
    records.register_made(&manager, 1, works_once(&gate, vec![refused]));
    let run = manager.update_all();
    gate.reached();
    let waiting = ask(&manager, [1]);
    gate.open();
    goes_well(&run);
    goes_well(&waiting);
    let traces = records.traces();
    assert_eq!(traces.len(), 2);
    assert_eq!(rounds(&traces[1]), [vec![id(1)]]);
    records.judge();
}

#[test]
fn a_cancel_of_the_waiting_run_takes_its_request_back() {
    let manager = SyncManager::new();
    let records = Records::default();
    let (gate, told) = (Gate::new(), Told::default());
    records.register_made(&manager, 1, works_once(&gate, vec![told.step()]));
    let run = manager.update_all();
    gate.reached();
    let waiting = ask(&manager, [2, 3]);
    waiting.cancel_all();
    gate.open();
    goes_well(&run);
    assert_eq!(told.take(), []);
    let report = finish(&waiting);
    assert_eq!(of(&report, 1).result, HResult::E_ABORT);
    assert_eq!(records.made(), 1);
    records.judge();
}

#[test]
fn a_request_that_another_run_shares_stays_when_one_of_the_two_is_cancelled() {
    let manager = SyncManager::new();
    let records = Records::default();
    let (gate, told) = (Gate::new(), Told::default());
    records.register_made(&manager, 1, works_once(&gate, vec![told.step()]));
    let run = manager.update_all();
    gate.reached();
    let (left, kept) = (ask(&manager, [2, 3]), ask(&manager, [3, 4]));
    left.cancel_handler(handler_id(1));
    gate.open();
    goes_well(&run);
    let told = told.take();
    assert!(told.contains(&id(3)) && told.contains(&id(4)), "{told:?}");
    let report = succeed_in(&kept);
    for n in [3, 4] {
        assert_eq!(status_of(of(&report, 1), n), Some(ItemStatus::Succeeded));
    }
    wait_for(&left);
    assert_eq!(records.made(), 2);
    records.judge();
}

#[test]
fn a_request_of_the_cancelled_run_alone_is_not_done_for_the_other_one() {
    let manager = SyncManager::new();
    let records = Records::default();
    let (gate, told) = (Gate::new(), Told::default());
    records.register_made(&manager, 1, works_once(&gate, vec![told.step()]));
    let run = manager.update_all();
    gate.reached();
    let (left, kept) = (ask(&manager, [2]), ask(&manager, [3]));
    left.cancel_all();
    gate.open();
    goes_well(&run);
    assert_eq!(told.take(), [id(3)]);
    goes_well(&kept);
    wait_for(&left);
    assert_eq!(rounds(&records.traces()[1]), [vec![id(3)]]);
    records.judge();
}

#[test]
fn what_is_asked_for_before_the_handler_has_a_session_is_not_lost() {
    let manager = SyncManager::new();
    let records = Records::default();
    let (made, told) = (Gate::new(), Told::default());
    let script = works_once(&opened(), vec![told.step()]);
    let at_make = made.clone();
    records.register_made(&manager, 1, move |time| {
        at_make.pass();
        script(time)
    });
    let run = manager.update_all();
    made.reached();
    let waiting = ask(&manager, [2]);
    made.open();
    goes_well(&run);
    assert_eq!(told.take(), [id(2)]);
    let report = succeed_in(&waiting);
    assert_eq!(status_of(of(&report, 1), 2), Some(ItemStatus::Succeeded));
    assert_eq!(rounds(&records.traces()[1]), [vec![id(2)]]);
    records.judge();
}

#[test]
fn a_handler_that_ends_before_it_asks_leaves_it_to_the_next_run() {
    let ends = [
        (Step::run(|| {}), false),
        (Step::complete_synchronize(HResult::E_FAIL), false),
        (Step::run(|| panic!("inside its call")), true),
    ];
    for (end, inline) in ends {
        let manager = SyncManager::new();
        let records = Records::default();
        let gate = Gate::new();
        let script = works_once(&gate, vec![end]);
        records.register_made(&manager, 1, move |time| match inline {
            true => script(time).inline(),
            false => script(time),
        });
        let run = manager.update_all();
        gate.reached();
        let waiting = ask(&manager, [2]);
        gate.open();
        wait_for(&run);
        let report = succeed_in(&waiting);
        assert_eq!(status_of(of(&report, 1), 2), Some(ItemStatus::Succeeded));
        records.judge();
    }
}

#[test]
fn a_handler_that_hangs_leaves_it_to_the_next_run_too() {
    let manager = SyncManager::builder()
        .deadline(Duration::from_millis(200))
        .build();
    let records = Records::default();
    let (gate, hang) = (Gate::new(), Gate::new());
    records.register_made(&manager, 1, works_once(&gate, vec![hang.step()]));
    let run = manager.update_all();
    gate.reached();
    let waiting = ask(&manager, [2]);
    gate.open();
    assert_eq!(of(&finish(&run), 1).result, HResult::E_ABORT);
    let report = succeed_in(&waiting);
    assert_eq!(status_of(of(&report, 1), 2), Some(ItemStatus::Succeeded));
    hang.open();
    records.judge();
}

#[test]
fn a_run_that_only_lists_leaves_it_to_the_next_run() {
    let manager = SyncManager::new();
    let records = Records::default();
    let made = Gate::new();
    let at_make = made.clone();
    records.register_made(&manager, 1, move |_| {
        at_make.pass();
        works(&opened(), succeed(id(2)))
    });
    let listing = manager.enumerate(handler_id(1)).unwrap();
    made.reached();
    let waiting = ask(&manager, [2]);
    made.open();
    goes_well(&listing);
    goes_well(&waiting);
    assert_eq!(rounds(&records.traces()[1]), [vec![id(2)]]);
    records.judge();
}

#[test]
fn what_is_asked_for_while_other_handlers_are_before_it_is_done_with_what_waits() {
    let manager = SyncManager::builder().concurrency(1).build();
    let records = Records::default();
    let gate = Gate::new();
    let busy = Script::new()
        .sync_item(named(1))
        .synchronize(gated(id(1), &gate));
    records.register(&manager, 2, busy);
    records.register(
        &manager,
        1,
        works(&opened(), [2, 3].into_iter().flat_map(|n| succeed(id(n)))),
    );
    let first = manager.sync_items(handler_id(2), [id(1)]).unwrap();
    gate.reached();
    let waiting = [ask(&manager, [2]), ask(&manager, [3])];
    gate.open();
    goes_well(&first);
    let mut done = Vec::new();
    for run in &waiting {
        goes_well(run);
    }
    for trace in &records.traces()[1..] {
        done.extend(rounds(trace).concat());
    }
    done.sort();
    assert_eq!(done, [id(2), id(3)], "each once");
    records.judge();
}

#[test]
fn a_cancel_of_the_running_run_leaves_what_was_asked_for_to_be_done() {
    let manager = SyncManager::new();
    let records = Records::default();
    let gate = Gate::new();
    records.register_made(&manager, 1, works_once(&gate, Vec::new()));
    let run = manager.update_all();
    gate.reached();
    let waiting = ask(&manager, [2]);
    run.cancel_all();
    gate.open();
    let report = finish(&run);
    assert_eq!(status_of(of(&report, 1), 1), Some(ItemStatus::Stopped));
    let report = succeed_in(&waiting);
    assert_eq!(status_of(of(&report, 1), 2), Some(ItemStatus::Succeeded));
    records.judge();
}

#[test]
fn requests_of_a_run_that_waits_for_two_others_are_passed_from_the_first_to_the_second() {
    let manager = SyncManager::new();
    let records = Records::default();
    let (gate, told) = (Gate::new(), Told::default());
    let first = works(&gate, []);
    let second = works(&opened(), succeed(id(2)).into_iter().chain([told.step()]));
    let third = works(&opened(), succeed(id(3)));
    records.register_made(&manager, 1, move |time| match time {
        1 => first.clone(),
        2 => second.clone(),
        _ => third.clone(),
    });
    let run = manager.update_all();
    gate.reached();
    let next = ask(&manager, [2, 4]);
    // One run cannot do for both: this one has an item that is cancelled.
    assert_eq!(next.cancel_item(handler_id(1), id(4)), Ok(()));
    let last = ask(&manager, [3]);
    gate.open();
    goes_well(&run);
    wait_for(&next);
    assert_eq!(told.take(), [id(3)]);
    let report = succeed_in(&last);
    assert_eq!(status_of(of(&report, 1), 3), Some(ItemStatus::Succeeded));
    assert_eq!(records.made(), 3);
    records.judge();
}

#[test]
fn a_handler_that_asks_until_nothing_is_left_ends_though_its_own_items_are_asked_for() {
    let manager = SyncManager::new();
    let records = Records::default();
    let gate = Gate::new();
    let all = Step::call(|callback| {
        for _ in 0..100 {
            let more = callback.additional_items().expect("it is not released");
            if more.is_empty() {
                return;
            }
            for item in more {
                if callback.add_item(named(item.as_u128())).is_ok() {
                    let done = ProgressUpdate::new().status(ItemStatus::Succeeded);
                    assert_eq!(callback.progress(item, &done), Ok(Verdict::Continue));
                }
            }
        }
        panic!("it asks for ever");
    });
    records.register_made(&manager, 1, works_once(&gate, vec![all]));
    let run = manager.update_all();
    gate.reached();
    let again = ask(&manager, [1, 2]);
    gate.open();
    goes_well(&run);
    goes_well(&again);
    let traces = records.traces();
    assert_eq!(traces.len(), 2);
    assert_eq!(
        rounds(&traces[1]),
        [vec![id(1)]],
        "what takes part is done once more"
    );
    records.judge();
}

#[test]
fn a_cancelled_request_is_taken_back_before_the_handler_has_a_session() {
    let manager = SyncManager::new();
    let records = Records::default();
    let (made, told) = (Gate::new(), Told::default());
    let at_make = made.clone();
    let script = works_once(&opened(), vec![told.step()]);
    records.register_made(&manager, 1, move |time| {
        at_make.pass();
        script(time)
    });
    let run = manager.update_all();
    made.reached();
    let (left, kept) = (ask(&manager, [2, 3]), ask(&manager, [3, 4]));
    left.cancel_all();
    made.open();
    goes_well(&run);
    let mut told = told.take();
    told.sort();
    assert_eq!(told, [id(3), id(4)], "item 2 was cancelled");
    wait_for(&left);
    wait_for(&kept);
    records.judge();
}

#[test]
fn the_first_pending_start_is_offered_however_many_items_it_has() {
    let manager = SyncManager::new();
    let records = Records::default();
    let (gate, told) = (Gate::new(), Told::default());
    records.register_made(&manager, 1, works_once(&gate, vec![told.step()]));
    let run = manager.update_all();
    gate.reached();
    let waiting = ask(&manager, 1_000..11_001);
    gate.open();
    goes_well(&run);
    assert_eq!(told.take().len(), 10_001);
    wait_for(&waiting);
}

#[test]
fn cancelled_starts_leave_room_for_the_items_of_later_ones() {
    let manager = SyncManager::new();
    let records = Records::default();
    let (gate, told) = (Gate::new(), Told::default());
    records.register_made(&manager, 1, works_once(&gate, vec![told.step()]));
    let run = manager.update_all();
    gate.reached();
    let first = ask(&manager, [2]);
    for _ in 0..10_050 {
        ask(&manager, [3]).cancel_all();
    }
    let last = ask(&manager, [4]);
    gate.open();
    goes_well(&run);
    assert_eq!(told.take(), [id(2), id(4)]);
    for run in [first, last] {
        wait_for(&run);
    }
}
