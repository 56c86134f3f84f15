//! Which points of an exploration were reached, and what it says if too few were.

use std::cell::Cell;
use std::fmt::{self, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use syncmgr::testing::mock::{Script, Step};
use syncmgr::testing::{
    Exploration, Harness, Intervention, ItemRef, explore_cancellations, explore_faults,
};
use syncmgr::{HandlerFlags, ItemId, ItemStatus, LogLevel, LogRecord, SyncHandler};

use ItemStatus::{Succeeded, Updating};

const PHOTOS: ItemId = ItemId::from_u128(1);
const MAIL: ItemId = ItemId::from_u128(2);

/// One item of so many reports, on the host's thread.
fn named(name: &str, reports: u64) -> Script {
    let mut steps = vec![Step::report(PHOTOS).status(Updating)];
    steps.extend((2..reports).map(|part| Step::report(PHOTOS).value(part)));
    steps.push(Step::report(PHOTOS).status(Succeeded));
    Script::new().item(PHOTOS, name).inline().synchronize(steps)
}

/// A function that numbers its calls from 1.
fn counting<T>(make: impl Fn(u64) -> T) -> impl FnMut() -> T {
    let runs = Cell::new(0);
    move || {
        runs.set(runs.get() + 1);
        make(runs.get())
    }
}

#[track_caller]
fn failure(exploration: &Exploration) -> String {
    let asserted = catch_unwind(AssertUnwindSafe(|| exploration.assert_conformant()));
    let payload = asserted.expect_err("the exploration must not pass");
    let text = payload.downcast_ref::<String>();
    text.expect("the message is a text").clone()
}

#[test]
fn items_that_no_later_run_lists_fail_the_exploration() {
    // As names do that contain a temporary directory.
    let handler = |run| -> Arc<dyn SyncHandler> { named(&format!("/tmp/{run}/a"), 3).handler() };
    let exploration = explore_cancellations(counting(handler));
    let text = failure(&exploration);
    assert!(text.contains("\"/tmp/1/a\""), "{text}");
    // The same with faults.
    failure(&explore_faults(counting(handler)));
    failure(&Harness::explore(
        counting(|run| (Harness::new(handler(run)), ())),
        |_, ()| {},
    ));
}

#[test]
fn an_item_of_which_fewer_than_nine_in_ten_points_were_reached_fails_the_exploration() {
    // Later runs make one report less: three of the 20 points of "photos" are out of reach.
    let exploration = explore_cancellations(counting(|run| {
        named("photos", if run == 1 { 6 } else { 5 }).handler()
    }));
    failure(&exploration);
    // Three of 32 are allowed.
    let exploration = explore_cancellations(counting(|run| {
        named("photos", if run == 1 { 10 } else { 9 }).handler()
    }));
    exploration.assert_conformant();
}

#[test]
fn an_item_that_is_reached_does_not_make_up_for_one_that_is_not() {
    let exploration = explore_cancellations(counting(|run| {
        let script = named("photos", 40).item(MAIL, &format!("mail {run}"));
        script.handler()
    }));
    let text = failure(&exploration);
    assert!(text.contains("\"mail 1\""), "{text}");
}

#[test]
fn a_log_entry_that_later_runs_do_not_make_fails_the_exploration() {
    let record = LogRecord::new(LogLevel::Warning, "slow");
    let exploration = explore_faults(counting(|run| {
        let steps = [
            Step::report(PHOTOS).status(Updating),
            Step::report(PHOTOS).status(Succeeded),
        ];
        let log = Step::log(&record);
        let first = (run == 1).then_some(log);
        named("photos", 2)
            .synchronize(first.into_iter().chain(steps))
            .handler()
    }));
    failure(&exploration);
}

#[test]
fn an_exploration_whose_sample_has_no_point_fails() {
    let exploration = Harness::explore(
        || (Harness::new(named("photos", 3).handler()).max_runs(1), ()),
        |_, ()| {},
    );
    failure(&exploration);
}

#[test]
fn a_setting_of_the_harness_that_names_an_item_that_is_not_listed_fails_the_exploration() {
    let exploration = Harness::explore(
        || {
            let harness = Harness::new(named("photos", 3).handler());
            (harness.cancel_item_at_report("photo", 2), ())
        },
        |_, ()| {},
    );
    let text = failure(&exploration);
    assert!(text.contains("\"photo\""), "{text}");
}

#[test]
fn what_was_not_reached_is_listed_and_explained() {
    let exploration = explore_cancellations(counting(|run| {
        let script = named("photos", if run == 1 { 6 } else { 5 });
        script.item(MAIL, &format!("/tmp/{run}/mail")).handler()
    }));
    // One report of "mail", that it was skipped, and the skip of "mail" at the first report of "photos".
    assert_eq!((exploration.points(), exploration.reached()), (26, 18));
    assert_eq!(
        failure(&exploration),
        "26 of 26 points explored in 27 runs, 18 reached, 11 diverged from the first: none failed, but not enough was reached\n\
         not reached: skip(\"/tmp/1/mail\"), intervene(Intervention::SkipInSynchronize(\"/tmp/1/mail\".into())), \
         cancel_item_at_report(\"photos\", 6), intervene(Intervention::CancelAll { item: \"photos\".into(), report: 6 }), intervene(Intervention::Skip { item: \"photos\".into(), report: 6 }), \
         cancel_item_at_report(\"/tmp/1/mail\", 1), intervene(Intervention::CancelAll { item: \"/tmp/1/mail\".into(), report: 1 }), \
         intervene(Intervention::Skip { item: \"/tmp/1/mail\".into(), report: 1 })\n\
         \"photos\": 17 of 20 points reached\n\
         \"/tmp/1/mail\": 0 of 5 points reached, because no later run listed this item\n\
         a point that is not reached tests nothing: at least nine in ten of each item must be\n\
         give items the same names in each run, without the path of a temporary directory, or identify them by their \
         position in the list (Harness::items_by_position, ItemRef::Position)\n\
         let the handler make the same calls in each run: a report for each part of the work and not by the clock, and a \
         fresh handler with fresh data for each run\n"
    );
    assert!(!exploration.is_conformant());
    let item = ItemRef::from("photos");
    let missed = Intervention::CancelAll { item, report: 6 };
    assert!(exploration.unreached().contains(&missed));
}

#[test]
fn of_very_many_missed_points_ten_are_shown() {
    let handler = |run| named(&format!("{run}"), 20).handler();
    let text = explore_faults(counting(handler)).to_string();
    assert!(
        text.contains(
            "not reached: intervene(Intervention::Release { item: \"1\".into(), report: 1 }), "
        ),
        "{text}"
    );
    assert!(
        text.contains(
            "intervene(Intervention::Release { item: \"1\".into(), report: 10 }), and 10 more\n"
        ),
        "{text}"
    );
}

#[test]
fn items_can_be_identified_by_their_position() {
    let script = |run| {
        let steps = [PHOTOS, MAIL].into_iter().flat_map(|item| {
            [
                Step::report(item).status(Updating),
                Step::report(item).value(1),
                Step::report(item).value(2),
                Step::report(item).status(Succeeded),
            ]
        });
        let script = Script::new().item(PHOTOS, &format!("/tmp/{run}/a"));
        let script = script.item(MAIL, &format!("/tmp/{run}/b"));
        script.inline().synchronize(steps)
    };
    let explore = |deaf: bool| {
        explore_cancellations(counting(|run| {
            let script = if deaf {
                script(run).ignore_verdicts()
            } else {
                script(run)
            };
            Harness::new(script.handler()).items_by_position()
        }))
    };
    let exploration = explore(false);
    exploration.assert_conformant();
    assert_eq!(exploration.reached(), exploration.points());
    assert_eq!(exploration.diverged(), 0, "{exploration}");

    let exploration = explore(true);
    let line = exploration.reproduction().unwrap();
    assert_eq!(
        line,
        "harness.skip(ItemRef::Position(1)).run().assert_conformant();"
    );
    let again = Harness::new(script(7).ignore_verdicts().handler());
    let again = again.skip(ItemRef::Position(1)).run();
    assert!(!again.is_conformant(), "{again}");
    assert!(
        again.to_string().contains("\"/tmp/7/a\" skipped before"),
        "{again}"
    );
    // There are two.
    let trace = Harness::new(script(7).handler())
        .cancel_item_at_report(ItemRef::Position(3), 1)
        .cancel_item_at_report(ItemRef::Position(0), 1)
        .run();
    assert_eq!(
        trace.unmet_conditions(),
        [
            "item 3 of the list cancelled at its report 1",
            "item 0 of the list cancelled at its report 1"
        ]
    );
    assert_eq!(trace.status(ItemRef::Position(1)), Some(Succeeded));
}

/// A handler of which two in three runs make one report less, on the host's thread or on its own.
fn restless(run: u64, inline: bool) -> Arc<dyn SyncHandler> {
    let steps = |reports: u64| {
        let mut steps = vec![Step::report(PHOTOS).status(Updating)];
        steps.extend((2..reports).map(|part| Step::report(PHOTOS).value(part)));
        steps.push(Step::report(PHOTOS).status(Succeeded));
        steps
    };
    let steps = steps(if run % 3 == 1 { 4 } else { 3 });
    let script = Script::new().item(PHOTOS, "photos");
    let script = match inline {
        true => script.inline().synchronize(steps),
        false => script.synchronize([Step::spawn(steps)]),
    };
    script.handler()
}

#[test]
fn a_point_that_threads_missed_is_tried_twice_more() {
    let exploration = explore_cancellations(counting(|run| restless(run, false)));
    exploration.assert_conformant();
    assert_eq!(exploration.reached(), exploration.points(), "{exploration}");
    assert_eq!(exploration.unreached(), []);
    // Which of the tries hits depends on how many were made before.
    assert!(
        exploration.runs() > exploration.points() + 3,
        "{exploration}"
    );
    // On the host's thread chance plays no part.
    let exploration = explore_cancellations(counting(|run| restless(run, true)));
    assert_eq!(exploration.runs(), exploration.points() + 1);
    failure(&exploration);
}

#[test]
fn points_of_an_item_that_cannot_pass_any_more_are_not_tried_again() {
    let exploration = explore_cancellations(counting(|run| {
        let item = if run == 1 { "photos" } else { "other" };
        let mut steps = vec![Step::report(PHOTOS).status(Updating)];
        steps.extend((0..17).map(|part| Step::report(PHOTOS).value(part)));
        steps.push(Step::report(PHOTOS).status(Succeeded));
        let script = Script::new().item(PHOTOS, item);
        script.synchronize([Step::spawn(steps)]).handler()
    }));
    failure(&exploration);
    // 19 reports have 59 points: six of them make it certain.
    assert_eq!((exploration.points(), exploration.reached()), (59, 0));
    assert_eq!(exploration.runs(), 1 + 59 + 6 * 2, "{exploration}");
}

#[test]
fn a_next_item_that_has_started_already_is_missed_and_not_held_against_the_handler() {
    // Only in the first run "photos" is the first one.
    let of = |item| {
        [
            Step::report(item).status(Updating),
            Step::report(item).status(Succeeded),
        ]
    };
    let exploration = explore_cancellations(counting(|run| {
        let (photos, mail) = (of(PHOTOS), of(MAIL));
        let steps = match run {
            1 => [photos, mail],
            _ => [mail, photos],
        };
        let script = named("photos", 2).item(MAIL, "mail");
        script.synchronize(steps.concat()).handler()
    }));
    exploration.assert_conformant();
    let (item, report) = (ItemRef::from("photos"), 1);
    let missed = Intervention::SkipNext { item, report };
    assert_eq!(exploration.unreached(), [missed]);
    assert!(
        exploration
            .to_string()
            .ends_with("none failed\nnot reached: intervene(Intervention::SkipNext { item: \"photos\".into(), report: 1 })\n"),
        "{exploration}"
    );
}

#[test]
fn a_next_item_that_is_not_there_did_not_come_about() {
    let trace = Harness::new(named("photos", 2).handler())
        .intervene(Intervention::SkipNext {
            item: "photos".into(),
            report: 1,
        })
        .run();
    let about = "the next item skipped at report 1 of \"photos\"";
    assert_eq!(trace.unmet_conditions(), [about]);
}

#[test]
fn a_selected_item_that_is_not_listed_fails_the_exploration() {
    let exploration =
        explore_cancellations(|| Harness::new(named("photos", 3).handler()).select([PHOTOS, MAIL]));
    let text = failure(&exploration);
    assert!(
        text.contains(&format!("the item {MAIL} is named by a setting")),
        "{text}"
    );
}

#[test]
fn a_run_whose_harness_names_an_item_that_is_not_listed_fails_its_assertion() {
    let harness = || Harness::new(named("photos", 3).handler());
    harness()
        .cancel_item_at_report("photos", 2)
        .run()
        .assert_conformant();
    for harness in [
        harness().cancel_item_at_report("photso", 2),
        harness().skip(ItemRef::Position(2)),
        harness().select([MAIL]),
    ] {
        let trace = harness.run();
        assert!(trace.is_conformant(), "{trace}");
        let failure = catch_unwind(AssertUnwindSafe(|| trace.assert_conformant()));
        let text = *failure.expect_err("it fails").downcast::<String>().unwrap();
        assert!(
            text.contains("which the handler neither listed nor added"),
            "{text}"
        );
    }
}

/// A place that takes so many bytes and no more.
struct Limited(usize);

impl fmt::Write for Limited {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 = self.0.checked_sub(text.len()).ok_or(fmt::Error)?;
        Ok(())
    }
}

#[test]
fn calls_that_only_the_first_run_makes_are_not_reached_and_named() {
    let exploration = explore_faults(counting(|run| {
        let mut steps = vec![Step::report(PHOTOS).status(Updating)];
        if run == 1 {
            let information = LogRecord::new(LogLevel::Information, "begins");
            steps.extend([Step::connect(None), Step::dialog(), Step::log(&information)]);
        }
        steps.push(Step::report(PHOTOS).status(Succeeded));
        let flags = HandlerFlags::MAY_ESTABLISH_CONNECTION;
        let script = Script::new().flags(flags).item(PHOTOS, "photos");
        script.synchronize(steps).handler()
    }));
    let text = failure(&exploration);
    for subject in ["the log", "connections", "dialogs"] {
        let line = format!("{subject}: 0 of 1 point reached\n");
        assert!(text.contains(&line), "{text}");
    }
}

#[test]
fn a_place_that_takes_no_more_is_told_so_wherever_it_is_full() {
    // It fails by several rules and does not reach some points, of which one is of a missing item.
    let exploration = Harness::explore(
        || {
            let script = named("photos", 2).item(MAIL, "mail").ignore_verdicts();
            let script = script.synchronize([
                Step::report(PHOTOS).status(Updating),
                Step::report(PHOTOS).value(1),
                Step::report(PHOTOS).value(2),
                Step::report(MAIL).status(Updating),
                Step::report(MAIL).value(1),
                Step::report(MAIL).value(2),
                Step::report(MAIL).status(Succeeded),
                Step::report(PHOTOS).status(Succeeded),
            ]);
            let harness = Harness::new(script.handler()).max_runs(12).seed(3);
            (harness.cancel_item_at_report("photo", 2), ())
        },
        |_, ()| {},
    );
    let runs = AtomicUsize::new(0);
    let fewer = explore_faults(|| {
        let more = runs.fetch_add(1, Ordering::SeqCst) == 0;
        let reports = if more { 9 } else { 1 };
        named("photos", reports).item(MAIL, "mail").handler()
    });
    for printed in [exploration.to_string(), fewer.to_string()] {
        assert!(printed.lines().count() > 3, "{printed}");
    }
    for exploration in [exploration, fewer] {
        let whole = exploration.to_string().len();
        for room in 0..whole {
            let written = write!(Limited(room), "{exploration}");
            assert_eq!(written, Err(fmt::Error), "{room} of {whole}");
        }
        assert_eq!(write!(Limited(whole), "{exploration}"), Ok(()));
    }
}
