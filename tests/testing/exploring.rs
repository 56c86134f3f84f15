//! What an exploration and a trace say where a test would otherwise prove nothing, or show the wrong thing.

use std::panic::catch_unwind;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use support::rules::{copy, obedient};
use support::{id, item};
use syncmgr::testing::mock::{Script, Step};
use syncmgr::testing::{
    Harness, Incident, Intervention, Rule, explore_cancellations, explore_faults,
};
use syncmgr::{HResult, ItemId, ItemStatus, SyncHandler};

use ItemStatus::{Stopped, Succeeded, Updating};

const PHOTOS: ItemId = ItemId::from_u128(1);
const MAIL: ItemId = ItemId::from_u128(2);

fn script() -> Script {
    let steps = [PHOTOS, MAIL].into_iter().flat_map(|item| {
        [
            Step::report(item).status(Updating).max(2),
            Step::report(item).value(1),
            Step::report(item).status(Succeeded),
        ]
    });
    Script::new()
        .item(PHOTOS, "photos")
        .item(MAIL, "mail")
        .synchronize(steps)
}

#[track_caller]
fn panics(assertion: impl FnOnce() + std::panic::UnwindSafe) -> String {
    let payload = catch_unwind(assertion).expect_err("it has to fail");
    payload.downcast_ref::<String>().expect("a text").clone()
}

#[test]
fn an_exploration_of_nothing_proves_nothing_and_says_so() {
    let exploration = explore_cancellations(|| Script::new().handler());
    assert_eq!(
        (
            exploration.runs(),
            exploration.points(),
            exploration.failed()
        ),
        (1, 0, 0)
    );
    let text = panics(move || exploration.assert_conformant());
    assert!(text.contains("nothing was explored"), "{text}");
}

#[test]
fn every_point_is_explored_with_each_kind_of_cancel() {
    let exploration = explore_cancellations(|| script().handler());
    exploration.assert_conformant();
    // Six reports with three kinds each, two skips of each item before it begins, one while the other begins, one run before all.
    assert_eq!(exploration.points(), 6 * 3 + 2 * 2 + 1);
    assert_eq!(exploration.runs(), exploration.points() + 1);
    assert_eq!(exploration.explored(), exploration.points());
    let faults = explore_faults(|| script().handler());
    faults.assert_conformant();
    assert_eq!(
        faults.points(),
        6,
        "the callback is released at each report"
    );
}

#[test]
fn a_sample_is_the_same_for_the_same_seed_and_says_what_it_is() {
    let sample = |seed| {
        let world = Arc::new(Mutex::new(Vec::new()));
        let seen = world.clone();
        let exploration = Harness::explore(
            || (Harness::new(script().handler()).max_runs(8).seed(seed), ()),
            move |trace, ()| {
                seen.lock()
                    .unwrap()
                    .push(trace.to_string().lines().next().unwrap().to_owned())
            },
        );
        exploration.assert_conformant();
        assert_eq!((exploration.runs(), exploration.explored()), (8, 7));
        assert!(exploration.points() > 7);
        assert!(
            exploration
                .to_string()
                .contains(&format!("a sample, seed {seed}")),
            "{exploration}"
        );
        let what = |line: &String| line.split(", ").skip(1).collect::<String>();
        world.lock().unwrap().iter().map(what).collect::<Vec<_>>()
    };
    assert_eq!(sample(1), sample(1));
    assert_ne!(sample(1), sample(2));
}

#[test]
fn a_handler_that_fails_already_without_a_cancel_is_shown_so() {
    let completes_twice = Script::new()
        .item(PHOTOS, "photos")
        .synchronize([
            Step::report(PHOTOS).status(Updating),
            Step::report(PHOTOS).status(Succeeded),
            Step::complete_synchronize(HResult::S_OK),
            Step::complete_synchronize(HResult::S_OK),
        ])
        .inline();
    let exploration = explore_cancellations(|| completes_twice.handler());
    assert!(exploration.failures()[0].breaks(Rule::SynchronizeCompletedOnce));
    let line = "Harness::new(handler).run().assert_conformant();";
    assert_eq!(exploration.reproduction(), Some(line));
    assert!(
        exploration
            .to_string()
            .contains("nothing is done to the handler fails already"),
        "{exploration}"
    );
}

#[test]
fn the_smallest_failure_comes_with_the_line_that_makes_it_again() {
    let script = || {
        Script::new()
            .item(PHOTOS, "photos")
            .ignore_verdicts()
            .inline()
            .synchronize([
                Step::report(PHOTOS).status(Updating),
                Step::report(PHOTOS).value(1),
                Step::report(PHOTOS).value(2),
                Step::report(PHOTOS).status(Stopped),
            ])
    };
    let exploration = explore_cancellations(|| script().handler());
    let line = exploration
        .reproduction()
        .expect("it is the same each time")
        .to_owned();
    assert_eq!(
        line,
        r#"Harness::new(handler).skip("photos").run().assert_conformant();"#
    );
    let again = Harness::new(script().handler()).skip("photos").run();
    assert!(again.breaks(Rule::StopCancelledItem), "{again}");
    let text = panics(move || exploration.assert_conformant());
    assert!(text.contains(&line) && text.contains("H02"), "{text}");
}

#[test]
fn a_handler_that_falls_silent_is_not_waited_for_at_each_point() {
    let exploration = Harness::explore(
        || {
            (
                Harness::new(script().without_completions().handler())
                    .deadline(Duration::from_millis(20)),
                (),
            )
        },
        |_, ()| {},
    );
    assert!(
        exploration.explored() < exploration.points(),
        "{exploration}"
    );
    assert!(exploration.runs() < 8, "{exploration}");
    assert!(
        exploration.to_string().contains("fell silent"),
        "{exploration}"
    );
}

#[test]
fn a_look_at_the_world_that_fails_is_an_incident_and_the_others_go_on() {
    let exploration = Harness::explore(
        || (Harness::new(script().handler()), "a world"),
        |trace, world| {
            let cancelled = trace.status("photos") == Some(Stopped);
            assert!(!cancelled, "{world} is not as it should be");
        },
    );
    assert!(exploration.failed() > 0 && exploration.failed() < exploration.runs());
    let incident = Incident::After {
        text: "a world is not as it should be".to_owned(),
    };
    assert_eq!(exploration.failures()[0].incidents(), [incident]);
    assert!(
        exploration
            .reproduction()
            .unwrap()
            .contains("then look at the world"),
        "{exploration}"
    );
}

#[test]
fn what_did_not_come_about_is_told() {
    let trace = Harness::new(script().handler())
        .cancel_item_at_report("photos", 99)
        .skip("photo")
        .intervene(Intervention::DenyDialog(1))
        .intervene(Intervention::FillLog(1))
        .intervene(Intervention::RefuseConnection(1))
        .cancel_item_at(2)
        .run();
    let unreached = [
        "\"photos\" cancelled at its report 99",
        "\"photo\" skipped before the prepare",
        "dialog 1 denied",
        "log entry 1 refused",
        "connection 1 refused",
    ];
    // The skip was asked for, and found no such item.
    let found: Vec<&str> = trace
        .unmet_conditions()
        .iter()
        .map(String::as_str)
        .collect();
    assert_eq!(found, unreached, "{trace}");
    assert!(
        trace
            .to_string()
            .contains("its report 99 (which did not come about)"),
        "{trace}"
    );
}

#[test]
fn a_handler_with_a_thread_of_its_own_is_the_same_item_by_item() {
    let text = || {
        let ids = [ItemId::new_random(), ItemId::new_random()];
        let mut script = Script::new();
        let mut steps = Vec::new();
        for (id, name) in ids.into_iter().zip(["photos", "mail"]) {
            script = script.item(id, name);
            steps.push(Step::spawn([
                Step::report(id).status(Updating),
                Step::report(id).status(Succeeded),
            ]));
        }
        Harness::new(script.synchronize(steps).handler())
            .run()
            .by_item()
            .to_string()
    };
    let first = text();
    assert!(first.contains("\"mail\"\n  prepare_for_sync"), "{first}");
    for _ in 0..20 {
        assert_eq!(text(), first);
    }
}

#[test]
fn work_on_an_item_is_done_only_while_it_may_be() {
    let run = |harness: fn(Harness) -> Harness| {
        let done = Arc::new(Mutex::new(0));
        let count = done.clone();
        let script = Script::new().item(PHOTOS, "photos").synchronize([
            Step::report(PHOTOS).status(Updating),
            Step::work(PHOTOS, move || *count.lock().unwrap() += 1),
            Step::report(PHOTOS).status(Succeeded),
        ]);
        let trace = harness(Harness::new(script.handler())).run();
        trace.assert_conformant();
        *done.lock().unwrap()
    };
    assert_eq!(run(|harness| harness), 1);
    assert_eq!(run(|harness| harness.cancel_item_at(1)), 0);
    assert_eq!(run(|harness| harness.skip("photos")), 0);
    assert_eq!(run(|harness| harness.cancel_item_at(2)), 1);
}

#[test]
fn a_handler_that_proposes_an_item_and_commits_it_is_conformant_wherever_it_is_cancelled() {
    let make = || {
        let script = obedient(1).synchronize(|handler| {
            let callback = handler.callback();
            for item in handler.round() {
                copy(&*callback, item);
            }
            callback.propose_item(item(7))?;
            copy(&*callback, id(7));
            callback.commit_item(id(7))?;
            handler.complete_synchronize(HResult::S_OK);
            Ok(())
        });
        let handler: Arc<dyn SyncHandler> = script.build();
        (Harness::new(handler), ())
    };
    Harness::explore(make, |_, ()| {}).assert_conformant();
}
