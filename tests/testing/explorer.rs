//! The explorer: how many points there are, the smallest failure and its line, samples, divergence, faults, the world.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use support::rules;

use syncmgr::testing::mock::{Script as Steps, Step};
use syncmgr::testing::{
    Action, Exploration, Harness, Incident, Intervention, Rule, Trace, explore_cancellations,
    explore_faults,
};
use syncmgr::{
    CallbackError, Dialog, HResult, HandlerFlags, ItemId, ItemStatus, LogLevel, LogRecord,
    SyncHandler, Verdict,
};

use support::handler::Script;
use support::rules::{bothering, broken, copy, finish, obedient};
use support::{id, ids, status, value};

/// The steps of an item of `parts` parts: so many reports and two.
fn parts(item: ItemId, parts: u64) -> Vec<Step> {
    let mut steps = vec![Step::report(item).status(ItemStatus::Updating).max(parts)];
    steps.extend((1..=parts).map(|part| Step::report(item).value(part)));
    steps.push(Step::report(item).status(ItemStatus::Succeeded));
    steps
}

/// A script of items 1 to `n` that obeys, on the host's thread.
fn good(n: u128, of: u64) -> Steps {
    ids(n)
        .into_iter()
        .fold(Steps::new(), |script, item| {
            script.item(item, &format!("item {item}")[..8])
        })
        .synchronize(
            ids(n)
                .into_iter()
                .flat_map(|item| parts(item, of))
                .collect::<Vec<_>>(),
        )
        .inline()
}

/// Forgets to look at the answers of the second part and of the one after it.
fn deaf_once() -> Script {
    obedient(2).synchronize(|handler| {
        let callback = handler.callback();
        copy(&*callback, id(1));
        let mut end = ItemStatus::Succeeded;
        if callback.progress(id(2), &status(ItemStatus::Updating))? == Verdict::Continue {
            let _forgotten = callback.progress(id(2), &value(1))?;
            let _forgotten = callback.progress(id(2), &value(2))?;
            if callback.progress(id(2), &value(3))? != Verdict::Continue {
                end = ItemStatus::Stopped;
            }
        } else {
            end = ItemStatus::Stopped;
        }
        finish(&*callback, id(2), end);
        handler.complete_synchronize(HResult::S_OK);
        Ok(())
    })
}

#[track_caller]
fn all_well(exploration: &Exploration) {
    assert_eq!(exploration.failed(), 0, "{exploration}");
    assert!(exploration.failures().is_empty(), "{exploration}");
    assert_eq!(exploration.reproduction(), None, "{exploration}");
    exploration.assert_conformant();
}

/// What the work says when it panics, as it has to.
#[track_caller]
fn text_of_panic(work: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(work)).expect_err("it panics");
    panic
        .downcast_ref::<String>()
        .cloned()
        .expect("it says a text")
}

// Counts ----------------------------------------------------------------------------------------------------------

#[test]
fn points_are_every_report_and_every_kind_of_cancel() {
    // As documented: three kinds at each report; before, two skips of each item, and one while the item before it begins.
    for (items, of) in [(1, 1), (1, 4), (3, 1)] {
        let exploration = explore_cancellations(|| good(items, of).handler());
        all_well(&exploration);
        let reports = items as usize * (of as usize + 2);
        let points = reports * 3 + items as usize * 2 + (items as usize - 1);
        assert_eq!(
            exploration.points(),
            points,
            "{items} items of {of} parts: {exploration}"
        );
        assert_eq!(exploration.explored(), points);
        assert_eq!(exploration.runs(), points + 1);
        assert_eq!(exploration.diverged(), 0, "{exploration}");
    }
}

#[test]
fn a_handler_without_calls_has_no_points() {
    let exploration = explore_cancellations(|| good(0, 1).handler());
    // That it proves nothing, `assert_conformant` says: see `exploring`.
    assert_eq!(exploration.failed(), 0, "{exploration}");
    assert_eq!((exploration.points(), exploration.runs()), (0, 1));
}

#[test]
fn each_point_is_hit_once() {
    // Which cancel hit which report, as the handler saw it.
    let seen = Arc::new(Mutex::new(Vec::new()));
    let exploration = explore_cancellations(|| {
        let seen = Arc::clone(&seen);
        let script = obedient(1).synchronize(move |handler| {
            let callback = handler.callback();
            let mut first = None;
            for report in 1..=3 {
                let update = value(report - 1);
                let told = callback.progress(id(1), &update)?;
                if told != Verdict::Continue {
                    first = Some((report, told));
                    break;
                }
            }
            seen.lock().unwrap().push(first);
            finish(&*callback, id(1), ItemStatus::Stopped);
            handler.complete_synchronize(HResult::S_OK);
            Ok(())
        });
        script.build() as Arc<dyn SyncHandler>
    });
    all_well(&exploration);
    let seen = seen.lock().unwrap();
    for report in 1..=3 {
        let count = |told| {
            seen.iter()
                .filter(|first| **first == Some((report, told)))
                .count()
        };
        assert_eq!(count(Verdict::CancelAll), 1, "{seen:?}");
        // By a cancel of the item and by a skip; at the first report by the two skips before it too.
        assert_eq!(
            count(Verdict::CancelItem),
            if report == 1 { 4 } else { 2 },
            "{seen:?}"
        );
    }
}

// Failures --------------------------------------------------------------------------------------------------------

#[test]
fn the_smallest_failure_and_the_line_that_makes_it_again() {
    let exploration = explore_cancellations(|| deaf_once().build() as Arc<dyn SyncHandler>);
    println!("{exploration}");
    // Cancel of the item, of all, and the skip: each at the second report of item 2.
    assert_eq!(exploration.failed(), 3, "{exploration}");
    assert_eq!(exploration.failures().len(), 3);
    for trace in exploration.failures() {
        // The first further report is a question, the second is the breach.
        let rule = broken(trace);
        assert!(
            rule == [Rule::StopCancelledItem; 2] || rule == [Rule::StopAllWhenCancelled; 2],
            "{trace}"
        );
    }
    let sizes: Vec<usize> = exploration
        .failures()
        .iter()
        .map(|trace| trace.calls().len())
        .collect();
    assert!(sizes.is_sorted(), "{sizes:?}");

    let line = exploration.reproduction().expect("it does the same again");
    assert_eq!(
        line,
        r#"Harness::new(handler).cancel_item_at_report("item 2", 2).run().assert_conformant();"#
    );
    // This very line.
    let handler = deaf_once().build();
    let said = text_of_panic(|| {
        Harness::new(handler)
            .cancel_item_at_report("item 2", 2)
            .run()
            .assert_conformant();
    });
    assert!(said.contains("H02"), "{said}");
    let again = Harness::new(deaf_once().build())
        .cancel_item_at_report("item 2", 2)
        .run();
    assert_eq!(again.violations(), exploration.failures()[0].violations());

    let text = exploration.to_string();
    for part in [line, "H02", "item 2", &again.violations()[0].message] {
        assert!(text.contains(part), "{part:?} in {text}");
    }
    assert!(text_of_panic(|| exploration.assert_conformant()).contains(line));
}

#[test]
fn a_failure_without_any_cancel_is_the_smallest() {
    let handler = || {
        let steps = [Step::report(id(1)).status(ItemStatus::Succeeded)];
        Steps::new()
            .item(id(1), "photos")
            .ignore_verdicts()
            .inline()
            .synchronize(steps)
            .handler()
    };
    let exploration = explore_cancellations(handler);
    println!("{exploration}");
    assert!(exploration.failed() >= 1);
    assert_eq!(
        broken(&exploration.failures()[0]),
        [Rule::VerdictBeforeItem]
    );
    let line = exploration.reproduction().expect("it does the same again");
    assert_eq!(line, "Harness::new(handler).run().assert_conformant();");
    assert_eq!(
        broken(&Harness::new(handler()).run()),
        [Rule::VerdictBeforeItem]
    );
}

#[test]
fn questions_are_no_failures() {
    let handler = || {
        let steps = [
            Step::report(id(1)).value(7),
            Step::report(id(1)).status(ItemStatus::Succeeded),
        ];
        Steps::new()
            .item(id(1), "photos")
            .inline()
            .synchronize(steps)
            .handler()
    };
    assert!(
        Harness::new(handler())
            .run()
            .breaks(Rule::VerdictBeforeItem)
    );
    all_well(&explore_cancellations(handler));
}

#[test]
fn a_panic_is_a_failure() {
    let exploration = explore_cancellations(|| {
        let script = obedient(1).synchronize(|handler| {
            let callback = handler.callback();
            let told = callback.progress(id(1), &status(ItemStatus::Updating))?;
            assert_ne!(told, Verdict::CancelAll, "never thought of");
            finish(&*callback, id(1), ItemStatus::Stopped);
            handler.complete_synchronize(HResult::S_OK);
            Ok(())
        });
        script.build() as Arc<dyn SyncHandler>
    });
    assert_eq!(exploration.failed(), 1, "{exploration}");
    assert!(matches!(
        exploration.failures()[0].incidents(),
        [Incident::Panicked { .. }]
    ));
    assert!(
        exploration.to_string().contains("never thought of"),
        "{exploration}"
    );
    assert_eq!(
        exploration.reproduction(),
        Some(
            r#"Harness::new(handler).intervene(Intervention::CancelAll { item: "item 1".into(), report: 1 }).run().assert_conformant();"#
        )
    );
}

#[test]
fn random_ids_of_each_run_are_known_by_their_names() {
    let handler = |deaf: bool| {
        let (one, two) = (ItemId::new_random(), ItemId::new_random());
        let steps = [one, two]
            .into_iter()
            .flat_map(|item| parts(item, 2))
            .collect::<Vec<_>>();
        let script = Steps::new()
            .item(one, "one")
            .item(two, "two")
            .inline()
            .synchronize(steps);
        if deaf {
            script.ignore_verdicts().handler()
        } else {
            script.handler()
        }
    };
    let exploration = explore_cancellations(|| handler(false));
    all_well(&exploration);
    assert_eq!(exploration.diverged(), 0, "{exploration}");
    let exploration = explore_cancellations(|| handler(true));
    println!("{exploration}");
    let line = exploration.reproduction().expect("it does the same again");
    assert_eq!(
        line,
        r#"Harness::new(handler).skip("one").run().assert_conformant();"#
    );
    let again = Harness::new(handler(true)).skip("one").run();
    assert_eq!(broken(&again), broken(&exploration.failures()[0]));
}

#[test]
fn several_workers_are_explored_by_the_reports_of_their_items() {
    let handler = || {
        let spawned = ids(3).into_iter().map(|item| Step::spawn(parts(item, 2)));
        ids(3)
            .into_iter()
            .fold(Steps::new(), |script, item| {
                script.item(item, &format!("no {item}")[..4])
            })
            .synchronize(spawned.collect::<Vec<_>>())
            .handler()
    };
    let exploration = explore_cancellations(handler);
    assert_eq!(exploration.failed(), 0, "{exploration}");
    assert_eq!(exploration.explored(), exploration.points());
    assert!(exploration.points() >= 3 * 4 * 3, "{exploration}");
}

#[test]
fn a_run_that_differs_is_said_to_diverge_and_claims_no_line() {
    // The first run of four parts breaks a rule at the last; every later one has fewer.
    let runs = AtomicUsize::new(0);
    let exploration = explore_cancellations(|| {
        let run = runs.fetch_add(1, Ordering::SeqCst) as u64;
        good(1, 30 - run.min(29)).handler()
    });
    assert!(exploration.diverged() > 0, "{exploration}");
    assert!(
        exploration.to_string().contains("diverged"),
        "{exploration}"
    );

    // A failure that comes only once.
    let runs = AtomicUsize::new(0);
    let exploration = explore_cancellations(|| {
        let once = runs.fetch_add(1, Ordering::SeqCst) == 4;
        if once {
            good(1, 2).ignore_verdicts().handler()
        } else {
            good(1, 2).handler()
        }
    });
    println!("{exploration}");
    assert_eq!(exploration.failed(), 1, "{exploration}");
    assert_eq!(exploration.reproduction(), None, "{exploration}");
    assert!(
        exploration.to_string().contains("diverged"),
        "{exploration}"
    );
}

// Samples ---------------------------------------------------------------------------------------------------------

/// Explores a handler of many reports with these settings; answers the exploration and what was hit, in order.
fn sample(settings: impl Fn(Harness) -> Harness) -> (Exploration, Vec<Option<usize>>) {
    let hits = Mutex::new(Vec::new());
    let exploration = Harness::explore(
        || (settings(Harness::new(good(1, 400).handler())), ()),
        |trace, ()| {
            let at = rules::places(trace, |call| {
                call.answer
                    .verdict()
                    .is_some_and(|verdict| !verdict.is_continue())
            });
            hits.lock().unwrap().push(at.first().copied());
        },
    );
    (exploration, hits.into_inner().unwrap())
}

#[test]
fn of_many_points_a_seeded_sample_is_explored_and_it_says_so() {
    let (first, hits) = sample(|harness| harness.max_runs(20));
    all_well(&first);
    assert_eq!(first.runs(), 20, "{first}");
    assert_eq!(first.explored(), 19, "{first}");
    assert!(first.points() > 402 * 3, "{first}");
    let text = first.to_string();
    println!("{text}");
    assert!(
        text.contains("sample") && text.contains(&first.points().to_string()),
        "{text}"
    );
    let different: BTreeSet<_> = hits.iter().collect();
    assert!(different.len() > 5, "spread over the run: {hits:?}");

    let (_, same) = sample(|harness| harness.max_runs(20));
    assert_eq!(hits, same, "the same seed");
    let (_, other) = sample(|harness| harness.max_runs(20).seed(7));
    assert_ne!(hits, other, "another seed");
    let (_, other_again) = sample(|harness| harness.max_runs(20).seed(7));
    assert_eq!(other, other_again);
}

#[test]
fn a_handler_of_thousands_of_reports_is_bounded() {
    let exploration = explore_cancellations(|| good(1, 3_000).handler());
    all_well(&exploration);
    assert!(exploration.runs() <= 1_000, "{}", exploration.runs());
    assert!(exploration.points() > 9_000);
}

#[test]
fn one_run_is_enough_to_be_allowed() {
    let (exploration, _) = sample(|harness| harness.max_runs(1));
    assert_eq!(
        (exploration.runs(), exploration.explored()),
        (1, 0),
        "{exploration}"
    );
}

// Faults ----------------------------------------------------------------------------------------------------------

/// Uses the log, a connection and a dialog; `sound` tells whether it looks at what they answer.
fn demanding(sound: bool) -> Arc<dyn SyncHandler> {
    let script = obedient(1)
        .info(|_| {
            let name = syncmgr::HandlerName::try_from("demanding")?;
            Ok(syncmgr::HandlerInfo::new(name).flags(HandlerFlags::MAY_ESTABLISH_CONNECTION))
        })
        .synchronize(move |handler| {
            let callback = handler.callback();
            let _full = callback.log_error(&LogRecord::new(LogLevel::Information, "begins"));
            if callback.establish_connection(Some("vpn")).is_err() {
                finish(&*callback, id(1), ItemStatus::Failed);
                handler.complete_synchronize(HResult::E_FAIL);
                return Ok(());
            }
            let granted = callback.enable_modeless(true) == Ok(Dialog::Granted);
            if granted || !sound {
                let _back = callback.enable_modeless(false);
            }
            copy(&*callback, id(1));
            // On a released callback nothing more is due.
            let _taken = callback.synchronize_completed(HResult::S_OK);
            Ok(())
        });
    script.build()
}

#[test]
fn faults_are_each_entry_each_connection_each_dialog_and_each_report() {
    let exploration = explore_faults(|| {
        Steps::new()
            .item(id(1), "photos")
            .flags(HandlerFlags::MAY_ESTABLISH_CONNECTION)
            .inline()
            .synchronize([
                Step::connect(None),
                Step::connect(Some("vpn")),
                Step::log(&LogRecord::new(LogLevel::Information, "begins")),
                Step::report(id(1)).status(ItemStatus::Updating),
                Step::report(id(1)).status(ItemStatus::Succeeded),
            ])
            .handler()
    });
    all_well(&exploration);
    // Two connections, one entry, two reports.
    assert_eq!(exploration.points(), 5, "{exploration}");
    assert_eq!(exploration.runs(), 6);
}

#[test]
fn harness_explore_makes_cancels_and_faults_with_its_settings() {
    let explore = |sound| {
        Harness::explore(
            || (Harness::new(demanding(sound)).flags(bothering()), ()),
            |_, ()| {},
        )
    };
    let exploration = explore(true);
    all_well(&exploration);
    // Four reports with three cancels and one release each, two skips before; an entry, a connection, a dialog.
    assert_eq!(exploration.points(), 4 * 4 + 2 + 3, "{exploration}");

    let exploration = explore(false);
    println!("{exploration}");
    assert_eq!(exploration.failed(), 1, "{exploration}");
    assert_eq!(broken(&exploration.failures()[0]), [Rule::DialogTurns]);
    let line = exploration.reproduction().expect("it does the same again");
    // The settings of its own harness belong to it.
    assert!(
        line.contains(".intervene(Intervention::DenyDialog(1))"),
        "{line}"
    );
    let trace = Harness::new(demanding(false))
        .flags(bothering())
        .intervene(Intervention::DenyDialog(1))
        .run();
    assert_eq!(broken(&trace), [Rule::DialogTurns]);
}

#[test]
fn a_line_of_harness_explore_keeps_its_settings() {
    let exploration = Harness::explore(
        || (Harness::new(demanding(false)).flags(bothering()), ()),
        |_, ()| {},
    );
    let line = exploration.reproduction().expect("it does the same again");
    let as_it_stands = Harness::new(demanding(false))
        .intervene(Intervention::DenyDialog(1))
        .run();
    assert_ne!(broken(&as_it_stands), broken(&exploration.failures()[0]));
    assert_ne!(
        line,
        "Harness::new(handler).intervene(Intervention::DenyDialog(1)).run().assert_conformant();"
    );
}

#[test]
fn a_release_that_is_taken_for_an_error_of_the_item_is_found() {
    // It goes on with the next items on a released callback.
    let exploration = explore_faults(|| {
        let script = obedient(1).synchronize(|handler| {
            let callback = handler.callback();
            let told = callback.progress(id(1), &status(ItemStatus::Updating));
            if told == Err(CallbackError::Released) {
                // Without the hook, which writes a backtrace: that may take longer than a released handler may be silent.
                resume_unwind(Box::new("not thought of"));
            }
            finish(&*callback, id(1), ItemStatus::Succeeded);
            let _taken = callback.synchronize_completed(HResult::S_OK);
            Ok(())
        });
        script.build() as Arc<dyn SyncHandler>
    });
    assert_eq!(exploration.failed(), 1, "{exploration}");
    assert_eq!(
        exploration.reproduction(),
        Some(
            r#"Harness::new(handler).intervene(Intervention::Release { item: "item 1".into(), report: 1 }).run().assert_conformant();"#
        )
    );
}

// The world -------------------------------------------------------------------------------------------------------

#[test]
fn the_world_is_looked_at_after_each_run_and_its_panic_is_a_failure() {
    let looks = Cell::new(0);
    let worlds = Cell::new(0);
    let exploration = Harness::explore(
        || {
            worlds.set(worlds.get() + 1);
            (Harness::new(good(1, 2).handler()), worlds.get())
        },
        |trace: &Trace, world| {
            assert!(world <= worlds.get());
            looks.set(looks.get() + 1);
            assert_ne!(
                trace.status(id(1)),
                Some(ItemStatus::Stopped),
                "the half file is still there"
            );
        },
    );
    println!("{exploration}");
    assert!(
        looks.get() >= exploration.runs(),
        "{} of {}",
        looks.get(),
        exploration.runs()
    );
    assert!(exploration.failed() > 0, "{exploration}");
    let first = &exploration.failures()[0];
    let told = |incident: &Incident| matches!(incident, Incident::After { text } if text.contains("the half file is still there"));
    assert!(first.incidents().iter().any(told), "{first}");
    assert!(broken(first).is_empty());
    assert!(
        exploration
            .to_string()
            .contains("the half file is still there"),
        "{exploration}"
    );
}

#[test]
fn a_world_that_panics_each_time_does_not_end_the_exploration() {
    let exploration = Harness::explore(
        || (Harness::new(good(1, 1).handler()), ()),
        |_, ()| panic!("always"),
    );
    assert_eq!(
        exploration.failed(),
        exploration.points() + 1,
        "{exploration}"
    );
}

#[test]
fn what_the_panic_of_a_world_carried_may_panic_when_it_is_dropped() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("in the drop of what the panic carried");
        }
    }
    let exploration = Harness::explore(
        || (Harness::new(good(1, 1).handler()), ()),
        |_, ()| panic_any(Bomb),
    );
    assert_eq!(
        exploration.failed(),
        exploration.points() + 1,
        "{exploration}"
    );
}

#[test]
fn a_line_that_is_claimed_makes_a_failure_of_the_world_again() {
    let exploration = Harness::explore(
        || (Harness::new(good(1, 1).handler()), ()),
        |_, ()| panic!("always"),
    );
    let line = exploration.reproduction();
    assert_ne!(
        line,
        Some("Harness::new(handler).run().assert_conformant();"),
        "{exploration}"
    );
}

#[test]
fn settings_of_the_harness_hold_in_each_run() {
    let exploration = Harness::explore(
        || {
            (
                Harness::new(good(3, 1).handler())
                    .select([id(2)])
                    .cookie("x"),
                (),
            )
        },
        |trace, ()| {
            assert_eq!(trace.status(id(1)), None);
            let invoked = trace.calls().iter().any(|call| {
                matches!(&call.action, Action::Initialize { cookie: Some(cookie), .. } if cookie == b"x")
            });
            assert!(invoked, "{trace}");
        },
    );
    all_well(&exploration);
    assert_eq!(exploration.points(), 3 * 4 + 2, "{exploration}");
}

#[test]
fn the_handler_of_the_documentation_is_explored_in_a_moment() {
    // It begins each item under the lock that a skip takes, on a thread of its own.
    let begun = std::time::Instant::now();
    let exploration = explore_cancellations(|| {
        let skipped = rules::Skipped::new();
        let told = skipped.clone();
        let script = obedient(8)
            .synchronize(move |handler| {
                let (handler, skipped) = (Arc::clone(handler), skipped.clone());
                std::thread::spawn(move || {
                    let callback = handler.callback();
                    for item in handler.round() {
                        let first = skipped.look(|skipped| {
                            (!skipped.contains(&item))
                                .then(|| callback.progress(item, &status(ItemStatus::Updating)))
                        });
                        let end = match first {
                            None => ItemStatus::Skipped,
                            Some(first) => rules::copy_parts(&*callback, item, first),
                        };
                        finish(&*callback, item, end);
                    }
                    handler.complete_synchronize(HResult::S_OK);
                });
                Ok(())
            })
            .set_item_status(move |_, item| {
                told.insert(item);
                Ok(())
            });
        script.build() as Arc<dyn SyncHandler>
    });
    println!("{} runs in {:?}", exploration.runs(), begun.elapsed());
    all_well(&exploration);
}
