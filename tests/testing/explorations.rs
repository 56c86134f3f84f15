//! What an exploration says, word for word, and which points a sample takes.

use std::cell::Cell;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use syncmgr::testing::mock::{Script, Step};
use syncmgr::testing::{Exploration, Harness, Incident, explore_cancellations, explore_faults};
use syncmgr::{
    HResult, HandlerFlags, ItemId, ItemStatus, LogLevel, LogRecord, SyncEvent, SyncFlags, Verdict,
};

use ItemStatus::{Stopped, Succeeded, Updating};

const PHOTOS: ItemId = ItemId::from_u128(1);
const MAIL: ItemId = ItemId::from_u128(2);

/// One item of three reports, on the host's thread.
fn script() -> Script {
    Script::new().item(PHOTOS, "photos").inline().synchronize([
        Step::report(PHOTOS).status(Updating),
        Step::report(PHOTOS).value(1),
        Step::report(PHOTOS).status(Succeeded),
    ])
}

/// The same, and it does not listen: one report more, since the first after a cancel is a question.
fn ignores_verdicts() -> Script {
    script().ignore_verdicts().synchronize([
        Step::report(PHOTOS).status(Updating),
        Step::report(PHOTOS).value(1),
        Step::report(PHOTOS).value(2),
        Step::report(PHOTOS).status(Succeeded),
    ])
}

/// The text of an exploration up to the report of the smallest failure, which has to follow.
#[track_caller]
fn told(exploration: &Exploration) -> String {
    let text = exploration.to_string();
    match exploration.failures().first() {
        None => text,
        Some(smallest) => {
            let report = smallest.report().to_string();
            let told = text.strip_suffix(&report);
            told.expect("the report stands in the end").to_owned()
        }
    }
}

#[test]
fn an_exploration_without_a_failure_says_how_much_was_explored() {
    let exploration = explore_cancellations(|| script().handler());
    assert_eq!(
        told(&exploration),
        "11 of 11 points explored in 12 runs: none failed\n"
    );
    assert_eq!(exploration.diverged(), 0);
    let of_one = || Script::new().item(PHOTOS, "photos").inline();
    let faults = explore_faults(|| of_one().synchronize([Step::check(PHOTOS)]).handler());
    assert_eq!(
        told(&faults),
        "2 of 2 points explored in 3 runs: none failed\n"
    );
}

#[test]
fn an_exploration_of_nothing_asks_for_the_items() {
    assert_eq!(
        told(&explore_cancellations(|| Script::new().handler())),
        "0 of 0 points explored in 1 run: nothing was explored, since the handler made no report in its first run; \
         has it items, and is what it works on still there?\n"
    );
}

#[test]
fn a_failure_of_the_run_without_reports_is_shown_all_the_same() {
    let handler = || {
        let twice = [
            Step::complete_synchronize(HResult::S_OK),
            Step::complete_synchronize(HResult::S_OK),
        ];
        Script::new()
            .item(PHOTOS, "photos")
            .ignore_verdicts()
            .inline()
            .synchronize(twice)
            .handler()
    };
    let exploration = explore_faults(handler);
    assert_eq!(
        told(&exploration),
        "0 of 0 points explored in 2 runs: 1 failed (H07 in 1, H15 in 1)\n\
         the run in which nothing is done to the handler fails already\n\
         the smallest, made again by\n\n    Harness::new(handler).run().assert_conformant();\n\n"
    );
}

#[test]
fn the_smallest_failure_is_shown_with_its_line() {
    // It does not listen: each cancel before its last report is a failure, and each skip.
    let exploration = explore_cancellations(|| ignores_verdicts().handler());
    assert_eq!(
        told(&exploration),
        "14 of 14 points explored in 16 runs: 5 failed (H02 in 4, H03 in 1)\n\
         the smallest, made again by\n\n    Harness::new(handler).skip(\"photos\").run().assert_conformant();\n\n\
         H02, the smallest: Harness::new(handler).skip(\"photos\").run()\n\
         H03, the smallest: Harness::new(handler).intervene(Intervention::CancelAll { item: \"photos\".into(), report: 1 }).run()\n\n"
    );
    assert_eq!(exploration.runs(), 16);
}

#[test]
fn a_failure_that_does_not_come_again_is_said_to_diverge() {
    let runs = Cell::new(0);
    let exploration = explore_cancellations(|| {
        runs.set(runs.get() + 1);
        match runs.get() {
            4 => ignores_verdicts().handler(),
            _ => script().handler(),
        }
    });
    // The fourth run is the third point.
    assert_eq!(
        told(&exploration),
        "11 of 11 points explored in 13 runs: 1 failed (H02 in 1)\n\
         the smallest, which diverged when it was made again: this line may or may not do it\n\n    \
         Harness::new(handler).cancel_item_at_report(\"photos\", 1).run().assert_conformant();\n\n"
    );
    assert_eq!(exploration.reproduction(), None);
}

#[test]
fn a_run_that_diverged_before_its_point_is_counted_and_not_made_again() {
    // The second report says something else in the one run that fails, and it fails by what comes after it.
    let runs = Cell::new(0);
    let exploration = explore_cancellations(|| {
        runs.set(runs.get() + 1);
        let steps = [
            Step::report(PHOTOS).status(Updating),
            Step::report(PHOTOS).value(7),
            Step::report(PHOTOS).value(8),
            Step::report(PHOTOS).value(9),
            Step::report(PHOTOS).status(Succeeded),
        ];
        match runs.get() {
            // The sixth point.
            7 => script().ignore_verdicts().synchronize(steps).handler(),
            _ => script().handler(),
        }
    });
    assert_eq!(
        told(&exploration),
        "11 of 11 points explored in 12 runs, 1 diverged from the first: 1 failed (H02 in 1)\n\
         the smallest, which diverged when it was made again: this line may or may not do it\n\n    \
         Harness::new(handler).cancel_item_at_report(\"photos\", 2).run().assert_conformant();\n\n"
    );
}

#[test]
fn a_sample_names_its_seed() {
    let exploration = Harness::explore(
        || {
            let harness = Harness::new(script().handler());
            (harness.max_runs(5).seed(77), ())
        },
        |_, ()| {},
    );
    assert_eq!(
        told(&exploration),
        "4 of 14 points explored in 5 runs (a sample, seed 77): none failed\n"
    );
}

#[test]
fn a_sample_of_all_but_one_takes_no_point_twice() {
    for seed in 0..20 {
        let hit = Arc::new(Mutex::new(Vec::new()));
        let exploration = Harness::explore(
            || {
                let harness = Harness::new(script().handler());
                (harness.max_runs(14).seed(seed), hit.clone())
            },
            |trace, hit| {
                let first = trace.to_string();
                let first = first.lines().next().unwrap_or_default();
                let what = first.split(", ").skip(1).collect::<String>();
                hit.lock().unwrap().push(what);
            },
        );
        assert_eq!((exploration.explored(), exploration.points()), (13, 14));
        let mut hit = hit.lock().unwrap().clone();
        hit.sort();
        hit.dedup();
        // The first run too.
        assert_eq!(hit.len(), 14, "{hit:?}");
    }
}

#[test]
fn as_many_runs_as_there_are_points_and_one_are_no_sample() {
    let explore = |runs| {
        Harness::explore(
            || (Harness::new(script().handler()).max_runs(runs), ()),
            |_, ()| {},
        )
    };
    assert_eq!(
        told(&explore(15)),
        "14 of 14 points explored in 15 runs: none failed\n"
    );
    assert_eq!(
        told(&explore(14)),
        "13 of 14 points explored in 14 runs (a sample, seed 1): none failed\n"
    );
}

#[test]
fn after_four_silent_runs_no_more_are_made() {
    let explore = |silent_after: usize| {
        let runs = Cell::new(0);
        Harness::explore(
            || {
                runs.set(runs.get() + 1);
                if runs.get() <= silent_after {
                    return (Harness::new(script().handler()), ());
                }
                let silent = script()
                    .prepare([Step::complete_prepare(HResult::S_OK)])
                    .without_completions();
                let harness = Harness::new(silent.handler()).deadline(Duration::from_millis(100));
                (harness, ())
            },
            |_, ()| {},
        )
    };
    // The first run is silent, and three more; then the smallest once again.
    let at_once = explore(0);
    assert_eq!(
        told(&at_once),
        "3 of 14 points explored in 5 runs, and no more, since the handler fell silent too often: 4 failed (H07 in 4)\n\
         the run in which nothing is done to the handler fails already\n\
         the smallest, made again by\n\n    harness.run().assert_conformant();\n\n"
    );
    let later = explore(2);
    assert_eq!((later.explored(), later.runs()), (5, 7), "{later}");
}

#[test]
fn the_failure_without_a_cancel_stands_before_those_with_fewer_calls() {
    // A cancel at the first report ends the item early, so that run has fewer calls than the first one.
    let handler = || {
        let steps = [
            Step::report(PHOTOS).status(Updating),
            Step::work(PHOTOS, || {}),
            Step::report(PHOTOS).value(1),
            Step::report(PHOTOS).value(2),
            Step::report(PHOTOS).status(Succeeded),
            Step::complete_synchronize(HResult::S_OK),
            Step::complete_synchronize(HResult::S_OK),
        ];
        script().synchronize(steps).handler()
    };
    let exploration = explore_cancellations(handler);
    let sizes: Vec<usize> = exploration
        .failures()
        .iter()
        .map(|trace| trace.calls().len())
        .collect();
    assert!(sizes[1..].is_sorted(), "{sizes:?}");
    assert!(sizes[1] < sizes[0], "{sizes:?}");
    assert!(
        exploration.failures()[0].unmet_conditions().is_empty()
            && told(&exploration).contains("Harness::new(handler).run().assert_conformant();"),
        "{exploration}"
    );
}

#[test]
fn of_very_many_failures_the_smallest_are_kept() {
    let handler = || {
        let mut steps = vec![Step::report(PHOTOS).status(Updating)];
        steps.extend((1..=20).map(|part| Step::report(PHOTOS).value(part)));
        steps.push(Step::report(PHOTOS).status(Stopped));
        script().ignore_verdicts().synchronize(steps).handler()
    };
    let exploration = explore_cancellations(handler);
    assert!(exploration.failed() > 50, "{exploration}");
    assert_eq!(exploration.failures().len(), 32);
}

#[test]
fn faults_are_each_entry_each_connection_and_each_dialog() {
    let record = LogRecord::new(LogLevel::Warning, "slow");
    let steps = [
        Step::report(PHOTOS).status(Updating),
        Step::log(&record),
        Step::connect(None),
        Step::connect(Some("office")),
        Step::dialog(),
        Step::dialog(),
        Step::dialog(),
        Step::report(PHOTOS).status(Succeeded),
    ];
    let seen = Arc::new(Mutex::new(Vec::new()));
    let flags = SyncFlags::new(SyncEvent::Manual);
    let exploration = Harness::explore(
        || {
            let script = script()
                .flags(HandlerFlags::MAY_ESTABLISH_CONNECTION)
                .synchronize(steps.clone());
            let harness = Harness::new(script.handler());
            let harness = harness.flags(flags | SyncFlags::MAY_BOTHER_USER);
            (harness, seen.clone())
        },
        |trace, seen| {
            let text = trace.to_string();
            let first = text.lines().next().unwrap_or_default();
            let what = first.split(", ").nth(1).unwrap_or("nothing");
            let what = what.split(':').next().unwrap_or_default();
            seen.lock().unwrap().push(what.to_owned());
            assert_eq!(trace.unmet_conditions(), [] as [String; 0]);
        },
    );
    exploration.assert_conformant();
    assert_eq!(exploration.diverged(), 0, "{exploration}");
    assert_eq!(
        *seen.lock().unwrap(),
        [
            "nothing",
            "\"photos\" skipped before the prepare",
            "\"photos\" skipped in synchronize",
            "\"photos\" cancelled at its report 1",
            "everything cancelled at report 1 of \"photos\"",
            "\"photos\" skipped at its report 1",
            "the callback released at report 1 of \"photos\"",
            "\"photos\" cancelled at its report 2",
            "everything cancelled at report 2 of \"photos\"",
            "\"photos\" skipped at its report 2",
            "the callback released at report 2 of \"photos\"",
            "log entry 1 refused",
            "connection 1 refused",
            "connection 2 refused",
            "dialog 1 denied",
            "dialog 2 denied",
            "dialog 3 denied",
        ]
    );
}

#[test]
fn a_fault_whose_call_does_not_come_again_has_diverged() {
    // Two entries in the first run, one in each later one.
    let runs = Cell::new(0);
    let record = LogRecord::new(LogLevel::Warning, "slow");
    let exploration = explore_faults(|| {
        runs.set(runs.get() + 1);
        let mut steps = vec![Step::check(PHOTOS), Step::log(&record)];
        if runs.get() == 1 {
            steps.push(Step::log(&record));
        }
        script().synchronize(steps).handler()
    });
    // The release at each of two reports, and the two entries.
    assert_eq!(
        told(&exploration),
        "4 of 4 points explored in 5 runs, 3 reached, 1 diverged from the first: none failed, but not enough was reached\n\
         not reached: intervene(Intervention::FillLog(2))\n\
         the log: 1 of 2 points reached\n\
         a point that is not reached tests nothing: at least nine in ten of each item must be\n\
         let the handler make the same calls in each run: a report for each part of the work and not by the clock, and a \
         fresh handler with fresh data for each run\n"
    );
}

#[test]
fn the_next_item_is_skipped_at_the_first_report_of_each_but_the_last() {
    let steps = [PHOTOS, MAIL].into_iter().flat_map(|item| {
        [
            Step::report(item).status(Updating),
            Step::report(item).status(Succeeded),
        ]
    });
    let steps: Vec<Step> = steps.collect();
    let seen = Mutex::new(Vec::new());
    let exploration = Harness::explore(
        || {
            let script = script().item(MAIL, "mail").synchronize(steps.clone());
            (Harness::new(script.handler()), ())
        },
        |trace, ()| {
            let text = trace.to_string();
            if text.contains("the next item skipped") {
                let first = text.lines().next().unwrap_or_default();
                seen.lock().unwrap().push(first.to_owned());
            }
        },
    );
    exploration.assert_conformant();
    let seen = seen.into_inner().unwrap();
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert!(
        seen[0].contains("the next item skipped at report 1 of \"photos\""),
        "{seen:?}"
    );
}

#[test]
fn a_failure_in_the_look_at_the_world_is_made_again_by_a_run_that_looks() {
    let exploration = Harness::explore(
        || (Harness::new(script().handler()), ()),
        |trace, ()| assert_ne!(trace.status("photos"), Some(Stopped), "half a file"),
    );
    let line = "let trace = harness.skip(\"photos\").run(); // then look at the world";
    assert_eq!(exploration.reproduction(), Some(line), "{exploration}");
    let found = exploration.failures()[0].incidents();
    assert!(matches!(found, [Incident::After { text }] if text.contains("half a file")));
}

/// The line of the smallest failure, where the runs fail of which the trace begins so.
fn line_of(what: &str, make: impl Fn() -> Harness) -> String {
    let exploration = Harness::explore(
        || (make(), ()),
        |trace, ()| {
            let text = trace.to_string();
            let first = text.lines().next().unwrap_or_default();
            assert!(!first.contains(what), "it was done");
        },
    );
    assert_eq!(exploration.failed(), 1, "{exploration}");
    exploration.reproduction().unwrap_or_default().to_owned()
}

#[test]
fn the_line_of_each_point_makes_it_again() {
    let record = LogRecord::new(LogLevel::Warning, "slow");
    let make = || {
        let script = script()
            .flags(HandlerFlags::MAY_ESTABLISH_CONNECTION)
            .item(MAIL, "mail")
            .synchronize([
                Step::report(PHOTOS).status(Updating),
                Step::log(&record),
                Step::log(&record),
                Step::connect(None),
                Step::dialog(),
                Step::report(PHOTOS).status(Succeeded),
                Step::report(MAIL).status(Updating),
                Step::report(MAIL).status(Succeeded),
            ]);
        let flags = SyncFlags::new(SyncEvent::Manual) | SyncFlags::MAY_BOTHER_USER;
        Harness::new(script.handler()).flags(flags)
    };
    for (what, line) in [
        ("\"mail\" skipped before the prepare", r#"skip("mail")"#),
        (
            "\"photos\" skipped in synchronize",
            r#"intervene(Intervention::SkipInSynchronize("photos".into()))"#,
        ),
        (
            "\"photos\" cancelled at its report 2",
            r#"cancel_item_at_report("photos", 2)"#,
        ),
        (
            "everything cancelled at report 1 of \"mail\"",
            r#"intervene(Intervention::CancelAll { item: "mail".into(), report: 1 })"#,
        ),
        (
            "\"mail\" skipped at its report 2",
            r#"intervene(Intervention::Skip { item: "mail".into(), report: 2 })"#,
        ),
        (
            "the next item skipped at report 1 of \"photos\"",
            r#"intervene(Intervention::SkipNext { item: "photos".into(), report: 1 })"#,
        ),
        (
            "the callback released at report 2 of \"mail\"",
            r#"intervene(Intervention::Release { item: "mail".into(), report: 2 })"#,
        ),
        ("log entry 2 refused", "intervene(Intervention::FillLog(2))"),
        (
            "connection 1 refused",
            "intervene(Intervention::RefuseConnection(1))",
        ),
        ("dialog 1 denied", "intervene(Intervention::DenyDialog(1))"),
    ] {
        let expected = format!("let trace = harness.{line}.run(); // then look at the world");
        assert_eq!(line_of(what, make), expected, "{what}");
    }
}

#[test]
fn what_runs_fail_by_is_counted_call_by_call() {
    // Each run that is told of a cancel hangs until the test is over; the others look at the world.
    let (let_go, held) = std::sync::mpsc::channel::<()>();
    let held = Arc::new(Mutex::new(held));
    let exploration = Harness::explore(
        || {
            let held = held.clone();
            let hangs = Step::call(move |callback| {
                if callback.can_continue(None) == Ok(Verdict::CancelAll) {
                    let _ = held.lock().unwrap().recv();
                }
            });
            let script = script().synchronize([
                Step::report(PHOTOS).status(Updating),
                hangs,
                Step::report(PHOTOS).status(Succeeded),
            ]);
            let harness = Harness::new(script.handler()).deadline(Duration::from_millis(200));
            (harness, ())
        },
        |trace, ()| {
            let text = trace.to_string();
            let first = text.lines().next().unwrap_or_default();
            assert!(!first.contains("cancelled at its report"), "half a file");
        },
    );
    drop(let_go);
    let text = exploration.to_string();
    let first = text.lines().next().unwrap_or_default();
    // On a machine that stands still some that do not hang are given up too.
    let (_, causes) = first.split_once(" failed (").unwrap_or_default();
    assert!(
        causes.starts_with("a call that did not return in ")
            && causes.ends_with(", the look at the world in 2)"),
        "{text}"
    );
}
