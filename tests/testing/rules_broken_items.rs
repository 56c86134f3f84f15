//! Handlers that break one rule about items, each as somebody would write it: H01 to H04 and H14 to H17.

use std::sync::{Arc, Barrier};
use std::thread;
use support::handler;

use syncmgr::testing::{Harness, Intervention, Recorder, Rule, Severity};
use syncmgr::{HResult, ItemReporter, ItemStatus, ProgressUpdate, Session, Verdict};

use support::handler::Script;
use support::rules::{Skipped, broken, clean, copy, finish, named, obedient, only, reports, tells};
use support::{id, ids, item, items, status, value};

// H01 -------------------------------------------------------------------------------------------------------------

#[test]
fn h01_an_item_that_is_done_before_anybody_was_asked() {
    // "It is so small that it is done at once."
    let handler = obedient(2).synchronize(|handler| {
        let callback = handler.callback();
        copy(&*callback, id(1));
        finish(&*callback, id(2), ItemStatus::Succeeded);
        handler.complete_synchronize(HResult::S_OK);
        Ok(())
    });
    let trace = Harness::new(handler.build()).run();
    let found = only(&trace, Rule::VerdictBeforeItem);
    tells(found, reports(&trace, id(2))[0], &[], &["item 2"]);
    assert_eq!(found.severity, Severity::Must);
    assert_eq!(found.item, Some(id(2)));
    assert_eq!(found.repeats, 0);
    assert!(found.is_fault());
    assert!(!trace.is_conformant());
}

#[test]
fn h01_a_first_report_that_tells_of_work_done_is_a_question() {
    // The loop copies a part, and then reports it.
    let handler = obedient(1).synchronize(|handler| {
        let callback = handler.callback();
        let mut end = ItemStatus::Succeeded;
        for part in 1..=3 {
            if callback.progress(id(1), &value(part)) != Ok(Verdict::Continue) {
                end = ItemStatus::Stopped;
                break;
            }
        }
        finish(&*callback, id(1), end);
        handler.complete_synchronize(HResult::S_OK);
        Ok(())
    });
    let trace = Harness::new(handler.build()).run();
    let found = only(&trace, Rule::VerdictBeforeItem);
    tells(found, reports(&trace, id(1))[0], &[], &["item 1", "1"]);
    assert_eq!(found.severity, Severity::Should);
    assert!(!found.is_fault());
    assert!(trace.is_conformant());
    trace.assert_conformant();
}

#[test]
fn h01_is_asked_anew_in_each_round() {
    let error = syncmgr::ErrorId::from_u128(1);
    let handler = obedient(1)
        .synchronize(move |handler| {
            let callback = handler.callback();
            let first_round = handler.count(|seen| matches!(seen, handler::Seen::Prepare(_))) == 1;
            if first_round {
                let record = syncmgr::LogRecord::new(syncmgr::LogLevel::Error, "no disk");
                callback.log_error(&record.item(id(1)).jump_text(error))?;
                let _asked = callback.progress(id(1), &ProgressUpdate::CHECK)?;
                finish(&*callback, id(1), ItemStatus::Failed);
            } else {
                finish(&*callback, id(1), ItemStatus::Succeeded);
            }
            handler.complete_synchronize(HResult::S_OK);
            Ok(())
        })
        .show_error(|handler, _| {
            let callback = handler.callback();
            callback.show_error_completed(syncmgr::ErrorOutcome::Retry(&[id(1)]))?;
            Ok(())
        });
    let trace = Harness::new(handler.build()).show_errors().run();
    let found = only(&trace, Rule::VerdictBeforeItem);
    tells(found, *reports(&trace, id(1)).last().unwrap(), &[], &[]);
}

// H02 -------------------------------------------------------------------------------------------------------------

#[test]
fn h02_a_worker_that_does_not_look_at_the_answer() {
    let handler = obedient(2).synchronize(|handler| {
        let callback = handler.callback();
        for item in handler.round() {
            let _ = callback.progress(item, &status(ItemStatus::Updating).max(4))?;
            for part in 1..=4 {
                let _ = callback.progress(item, &value(part))?;
            }
            finish(&*callback, item, ItemStatus::Succeeded);
        }
        handler.complete_synchronize(HResult::S_OK);
        Ok(())
    });
    let trace = Harness::new(handler.build()).cancel_item_at(2).run();
    assert_eq!(broken(&trace), [Rule::StopCancelledItem; 2], "{trace}");
    let of_item = reports(&trace, id(1));
    let first = &trace.violations()[0];
    tells(first, of_item[2], &[of_item[1]], &["item 1", "CancelItem"]);
    assert_eq!((first.severity, first.repeats), (Severity::Should, 0));
    let found = &trace.violations()[1];
    tells(found, of_item[3], &of_item[1..3], &["item 1", "CancelItem"]);
    assert_eq!(
        found.repeats, 1,
        "the last part; the final status is allowed"
    );
    assert_eq!(found.severity, Severity::Must);
    assert_eq!(found.item, Some(id(1)));
    let call = found.at + 1;
    assert_eq!(
        found.to_string(),
        format!("H02 (must) at call {call}: {}", found.message)
    );
}

#[test]
fn h02_the_clean_up_is_reported_as_work() {
    // It stops, and tells with a text that it is removing the half file.
    let handler = || {
        obedient(1).synchronize(|handler| {
            let callback = handler.callback();
            let first = callback.progress(id(1), &status(ItemStatus::Updating))?;
            let end = match first {
                Verdict::Continue => ItemStatus::Succeeded,
                _ => {
                    let _ = callback.progress(id(1), &support::text("removing the half file"))?;
                    ItemStatus::Stopped
                }
            };
            finish(&*callback, id(1), end);
            handler.complete_synchronize(HResult::S_OK);
            Ok(())
        })
    };
    clean(&Harness::new(handler().build()).run());
    let trace = Harness::new(handler().build()).cancel_item_at(1).run();
    let found = only(&trace, Rule::StopCancelledItem);
    let of_item = reports(&trace, id(1));
    tells(found, of_item[1], &[of_item[0]], &["item 1"]);
    assert_eq!(found.repeats, 0);
}

#[test]
fn h02_each_of_two_workers_is_told_by_its_own_answer() {
    // Two threads on one item. The one that was not told makes its next report; the second one is too much.
    for broken_too in [false, true] {
        let handler = obedient(1).synchronize(move |handler| {
            let callback = handler.callback();
            let _ = callback.progress(id(1), &status(ItemStatus::Updating))?;
            thread::scope(|scope| {
                let first = scope.spawn(|| callback.progress(id(1), &value(1)));
                assert_eq!(first.join().unwrap(), Ok(Verdict::CancelItem));
                let second = scope.spawn(|| {
                    assert_eq!(callback.progress(id(1), &value(2)), Ok(Verdict::CancelItem));
                    if broken_too {
                        let _ = callback.progress(id(1), &value(3));
                    }
                });
                second.join().unwrap();
            });
            finish(&*callback, id(1), ItemStatus::Stopped);
            handler.complete_synchronize(HResult::S_OK);
            Ok(())
        });
        let trace = Harness::new(handler.build()).cancel_item_at(2).run();
        if broken_too {
            let of_item = reports(&trace, id(1));
            let found = only(&trace, Rule::StopCancelledItem);
            tells(found, of_item[3], &[of_item[2]], &[]);
        } else {
            clean(&trace);
        }
    }
}

#[test]
fn h02_a_reporter_that_is_not_asked() {
    let recorder = Recorder::new();
    let session = Session::builder().items(items(1)).build().unwrap();
    let callback = recorder.callback(session.clone());
    let reporter = ItemReporter::new(&callback, id(1));
    assert_eq!(reporter.check(), Ok(Verdict::Continue));
    recorder.cancel_item(&session, id(1)).unwrap();
    assert_eq!(reporter.set(1), Ok(Verdict::CancelItem));
    assert_eq!(reporter.set(2), Ok(Verdict::CancelItem));
    reporter.stop().unwrap();
    let trace = recorder.trace();
    let of_item = reports(&trace, id(1));
    let found = only(&trace, Rule::StopCancelledItem);
    tells(found, of_item[2], &[of_item[1]], &["item"]);
}

// H03 -------------------------------------------------------------------------------------------------------------

#[test]
fn h03_a_worker_that_knows_only_one_kind_of_cancel() {
    let handler = || {
        obedient(1).synchronize(|handler| {
            let callback = handler.callback();
            let mut verdict = callback.progress(id(1), &status(ItemStatus::Updating).max(4))?;
            let mut end = ItemStatus::Succeeded;
            for part in 1..=4 {
                if verdict == Verdict::CancelItem {
                    end = ItemStatus::Stopped;
                    break;
                }
                verdict = callback.progress(id(1), &value(part))?;
            }
            finish(&*callback, id(1), end);
            handler.complete_synchronize(HResult::S_OK);
            Ok(())
        })
    };
    clean(&Harness::new(handler().build()).cancel_item_at(2).run());
    let trace = Harness::new(handler().build()).cancel_all_at(2).run();
    let of_item = reports(&trace, id(1));
    assert_eq!(broken(&trace), [Rule::StopAllWhenCancelled; 2], "{trace}");
    let found = &trace.violations()[1];
    tells(found, of_item[3], &of_item[1..3], &["item 1", "CancelAll"]);
    assert_eq!((found.severity, found.repeats), (Severity::Must, 1));
}

#[test]
fn h03_a_new_item_is_started_after_its_first_report_told_of_the_cancel() {
    // The cancelled item is stopped, the loop goes on to the next.
    let handler = obedient(2).synchronize(|handler| {
        let callback = handler.callback();
        copy(&*callback, id(1));
        let _ = callback.progress(id(2), &ProgressUpdate::CHECK)?;
        let _ = callback.progress(id(2), &status(ItemStatus::Updating))?;
        finish(&*callback, id(2), ItemStatus::Succeeded);
        handler.complete_synchronize(HResult::S_OK);
        Ok(())
    });
    let trace = Harness::new(handler.build()).cancel_all_at(2).run();
    let of_item = reports(&trace, id(2));
    let found = only(&trace, Rule::StopAllWhenCancelled);
    tells(found, of_item[1], &[of_item[0]], &["item 2"]);
    assert_eq!((found.item, found.severity), (Some(id(2)), Severity::Must));
}

#[test]
fn h03_the_next_report_of_each_worker_is_free_and_its_second_is_not() {
    const WORKERS: usize = 4;
    for broken_too in [false, true] {
        let handler = obedient(WORKERS as u128).synchronize(move |handler| {
            let callback = handler.callback();
            let cancelled = Barrier::new(WORKERS);
            thread::scope(|scope| {
                for item in handler.round() {
                    let (callback, cancelled) = (&callback, &cancelled);
                    scope.spawn(move || {
                        let begun = callback.progress(item, &status(ItemStatus::Updating));
                        assert_eq!(begun, Ok(Verdict::Continue));
                        cancelled.wait();
                        if item == id(1) {
                            let told = callback.progress(item, &value(1));
                            assert_eq!(told, Ok(Verdict::CancelAll));
                            cancelled.wait();
                        } else {
                            cancelled.wait();
                            let told = callback.progress(item, &value(1));
                            assert_eq!(told, Ok(Verdict::CancelAll));
                        }
                        if broken_too {
                            let _ = callback.progress(item, &value(2));
                        }
                        finish(&**callback, item, ItemStatus::Stopped);
                    });
                }
            });
            handler.complete_synchronize(HResult::S_OK);
            Ok(())
        });
        let trace = Harness::new(handler.build())
            .cancel_all_at(WORKERS + 1)
            .run();
        if !broken_too {
            clean(&trace);
            continue;
        }
        println!("{}", trace.report());
        assert_eq!(
            broken(&trace),
            [Rule::StopAllWhenCancelled; WORKERS],
            "one for each worker\n{trace}"
        );
        for item in ids(WORKERS as u128) {
            let of_item = reports(&trace, item);
            let found = trace
                .violations()
                .iter()
                .find(|found| found.item == Some(item));
            tells(found.unwrap(), of_item[2], &[of_item[1]], &[]);
        }
    }
}

// H04 -------------------------------------------------------------------------------------------------------------

#[test]
fn h04_all_items_are_reported_and_not_those_of_the_prepare() {
    let handler = obedient(2).synchronize(|handler| {
        let callback = handler.callback();
        for item in ids(2) {
            copy(&*callback, item);
        }
        handler.complete_synchronize(HResult::S_OK);
        Ok(())
    });
    let trace = Harness::new(handler.build()).select([id(1)]).run();
    let prepare = named(&trace, "prepare_for_sync")[0];
    let found = only(&trace, Rule::OnlyPreparedItems);
    tells(found, reports(&trace, id(2))[0], &[prepare], &["item 2"]);
    assert_eq!(found.item, Some(id(2)));
}

#[test]
fn h04_an_item_that_was_found_on_the_way_is_not_added() {
    let handler = obedient(1).synchronize(|handler| {
        let callback = handler.callback();
        copy(&*callback, id(1));
        let _ = callback.progress(id(9), &status(ItemStatus::Updating));
        handler.complete_synchronize(HResult::S_OK);
        Ok(())
    });
    let trace = Harness::new(handler.build()).run();
    let found = only(&trace, Rule::OnlyPreparedItems);
    tells(found, reports(&trace, id(9))[0], &[], &[]);
    assert_eq!(found.item, Some(id(9)));
}

// H14 -------------------------------------------------------------------------------------------------------------

/// A worker of its own that reads the skipped items once, when it begins.
fn reads_the_skipped_once() -> Script {
    let skipped = Skipped::new();
    let seen = skipped.clone();
    obedient(2)
        .synchronize(move |handler| {
            let handler = Arc::clone(handler);
            let skipped = seen.now();
            thread::spawn(move || {
                let callback = handler.callback();
                for item in handler.round() {
                    if skipped.contains(&item) {
                        finish(&*callback, item, ItemStatus::Skipped);
                    } else {
                        copy(&*callback, item);
                    }
                }
                let _ = callback.synchronize_completed(HResult::S_OK);
            });
            Ok(())
        })
        .set_item_status(move |_, item| {
            skipped.insert(item);
            Ok(())
        })
}

#[test]
fn h14_the_skipped_items_are_read_only_once() {
    clean(&Harness::new(reads_the_skipped_once().build()).run());
    let trace = Harness::new(reads_the_skipped_once().build())
        .intervene(Intervention::SkipInSynchronize(id(2).into()))
        .run();
    let told = named(&trace, "set_item_status")[0];
    let found = only(&trace, Rule::SkippedItemNotStarted);
    tells(found, reports(&trace, id(2))[0], &[told], &["item 2"]);
    assert_eq!(found.item, Some(id(2)));
    assert_eq!(found.repeats, 0, "it obeys the verdict");
}

#[test]
fn h14_the_skip_comes_while_the_item_before_it_begins() {
    let trace = Harness::new(reads_the_skipped_once().build())
        .intervene(Intervention::SkipNext {
            item: id(1).into(),
            report: 1,
        })
        .run();
    let told = named(&trace, "set_item_status")[0];
    let found = only(&trace, Rule::SkippedItemNotStarted);
    tells(found, reports(&trace, id(2))[0], &[told], &["item 2"]);
}

#[test]
fn h14_and_the_answers_are_not_looked_at_either() {
    // The same item breaks H14 by its first report and H02 by what comes after the answer.
    let handler = obedient(2)
        .synchronize(|handler| {
            let handler = Arc::clone(handler);
            thread::spawn(move || {
                let callback = handler.callback();
                for item in handler.round() {
                    let _ = callback.progress(item, &status(ItemStatus::Updating));
                    let _ = callback.progress(item, &value(1));
                    finish(&*callback, item, ItemStatus::Succeeded);
                }
                let _ = callback.synchronize_completed(HResult::S_OK);
            });
            Ok(())
        })
        .build();
    let trace = Harness::new(handler)
        .intervene(Intervention::SkipInSynchronize(id(2).into()))
        .run();
    println!("{}", trace.report());
    assert!(trace.breaks(Rule::SkippedItemNotStarted), "{trace}");
    let other =
        |rule: &Rule| *rule != Rule::SkippedItemNotStarted && *rule != Rule::StopCancelledItem;
    assert!(!broken(&trace).iter().any(other), "{trace}");
}

// H15 -------------------------------------------------------------------------------------------------------------

#[test]
fn h15_a_cancel_leaves_the_rest_of_the_loop_without_a_status() {
    let handler = || {
        obedient(2).synchronize(|handler| {
            let callback = handler.callback();
            for item in handler.round() {
                let verdict = callback.progress(item, &status(ItemStatus::Updating))?;
                if verdict == Verdict::CancelAll {
                    finish(&*callback, item, ItemStatus::Stopped);
                    break;
                }
                finish(&*callback, item, ItemStatus::Succeeded);
            }
            handler.complete_synchronize(HResult::S_OK);
            Ok(())
        })
    };
    clean(&Harness::new(handler().build()).run());
    let trace = Harness::new(handler().build()).cancel_all_at(1).run();
    let completed = named(&trace, "synchronize_completed")[0];
    let found = only(&trace, Rule::FinalStatusBeforeCompletion);
    tells(found, completed, &[], &["item 2"]);
    assert!(!found.message.contains("item 1"), "{found:?}");
}

#[test]
fn h15_an_item_that_was_added_is_forgotten() {
    let handler = obedient(1).synchronize(|handler| {
        let callback = handler.callback();
        copy(&*callback, id(1));
        callback.add_item(item(2))?;
        let _ = callback.progress(id(2), &status(ItemStatus::Updating))?;
        handler.complete_synchronize(HResult::S_OK);
        Ok(())
    });
    let trace = Harness::new(handler.build()).run();
    let completed = named(&trace, "synchronize_completed")[0];
    let found = only(&trace, Rule::FinalStatusBeforeCompletion);
    tells(found, completed, &[], &["item 2"]);
}

#[test]
fn h15_an_item_that_was_committed_in_progress_is_forgotten() {
    let handler = obedient(1).synchronize(|handler| {
        let callback = handler.callback();
        copy(&*callback, id(1));
        callback.propose_item(item(2))?;
        let _ = callback.progress(id(2), &status(ItemStatus::Updating))?;
        callback.commit_item(id(2))?;
        handler.complete_synchronize(HResult::S_OK);
        Ok(())
    });
    let trace = Harness::new(handler.build()).run();
    let completed = named(&trace, "synchronize_completed")[0];
    let found = only(&trace, Rule::FinalStatusBeforeCompletion);
    tells(found, completed, &[], &["item 2"]);
}

#[test]
fn h16_a_proposed_item_is_reported_after_its_end() {
    let handler = obedient(1).synchronize(|handler| {
        let callback = handler.callback();
        callback.propose_item(item(2))?;
        copy(&*callback, id(2));
        let late = callback.progress(id(2), &status(ItemStatus::Updating));
        assert_eq!(late, Err(syncmgr::CallbackError::ItemFinished));
        copy(&*callback, id(1));
        handler.complete_synchronize(HResult::S_OK);
        Ok(())
    });
    let trace = Harness::new(handler.build()).run();
    only(&trace, Rule::OnlyFailedAfterFinal);
}

// H16 -------------------------------------------------------------------------------------------------------------

#[test]
fn h16_a_last_sweep_reports_again_what_has_failed() {
    let handler = obedient(2).synchronize(|handler| {
        let callback = handler.callback();
        let _ = callback.progress(id(1), &status(ItemStatus::Updating))?;
        finish(&*callback, id(1), ItemStatus::Failed);
        let _ = callback.progress(id(2), &status(ItemStatus::Updating))?;
        for item in handler.round() {
            finish(&*callback, item, ItemStatus::Succeeded);
        }
        handler.complete_synchronize(HResult::S_OK);
        Ok(())
    });
    let trace = Harness::new(handler.build()).run();
    let of_item = reports(&trace, id(1));
    let found = only(&trace, Rule::OnlyFailedAfterFinal);
    tells(found, of_item[2], &[of_item[1]], &["item 1"]);
    assert_eq!(found.item, Some(id(1)));
    assert_eq!(trace.status(id(1)), Some(ItemStatus::Failed));
}

#[test]
fn h16_a_value_comes_after_the_end() {
    let handler = obedient(1).synchronize(|handler| {
        let callback = handler.callback();
        copy(&*callback, id(1));
        // "So that the bar is full."
        for _ in 0..2 {
            let _ = callback.progress(id(1), &value(2));
        }
        handler.complete_synchronize(HResult::S_OK);
        Ok(())
    });
    let trace = Harness::new(handler.build()).run();
    let of_item = reports(&trace, id(1));
    let found = only(&trace, Rule::OnlyFailedAfterFinal);
    tells(found, of_item[4], &[of_item[3]], &["item 1"]);
    assert_eq!(found.repeats, 1);
}

// H17 -------------------------------------------------------------------------------------------------------------

#[test]
fn h17_a_file_that_grew_while_it_was_copied() {
    let handler = obedient(1).synchronize(|handler| {
        let callback = handler.callback();
        let _ = callback.progress(id(1), &status(ItemStatus::Updating).max(2))?;
        for part in 1..=4 {
            if !callback.progress(id(1), &value(part))?.is_continue() {
                break;
            }
        }
        finish(&*callback, id(1), ItemStatus::Succeeded);
        handler.complete_synchronize(HResult::S_OK);
        Ok(())
    });
    let trace = Harness::new(handler.build()).run();
    let of_item = reports(&trace, id(1));
    let found = only(&trace, Rule::ValueWithinMaximum);
    tells(found, of_item[3], &[of_item[0]], &["item 1", "3", "2"]);
    assert_eq!(found.repeats, 1);
}

#[test]
fn h17_the_maximum_is_told_too_late_and_too_low() {
    let handler = obedient(1).synchronize(|handler| {
        let callback = handler.callback();
        let _ = callback.progress(id(1), &status(ItemStatus::Updating))?;
        let _ = callback.progress(id(1), &value(700))?;
        let _ = callback.progress(id(1), &ProgressUpdate::new().max(100))?;
        finish(&*callback, id(1), ItemStatus::Succeeded);
        handler.complete_synchronize(HResult::S_OK);
        Ok(())
    });
    let trace = Harness::new(handler.build()).run();
    let of_item = reports(&trace, id(1));
    let found = only(&trace, Rule::ValueWithinMaximum);
    tells(found, of_item[2], &[of_item[1]], &["700", "100"]);
}

#[test]
fn h17_the_status_that_allowed_it_has_ended() {
    let handler = obedient(1).synchronize(|handler| {
        let callback = handler.callback();
        let first = status(ItemStatus::UpdatingIndeterminate).max(1);
        let _ = callback.progress(id(1), &first)?;
        let _ = callback.progress(id(1), &value(5))?;
        let _ = callback.progress(id(1), &status(ItemStatus::Updating).value(6))?;
        finish(&*callback, id(1), ItemStatus::Succeeded);
        handler.complete_synchronize(HResult::S_OK);
        Ok(())
    });
    let trace = Harness::new(handler.build()).run();
    let found = only(&trace, Rule::ValueWithinMaximum);
    tells(found, reports(&trace, id(1))[2], &[], &["6", "1"]);
}

// -----------------------------------------------------------------------------------------------------------------

#[test]
fn a_breach_of_one_item_says_nothing_of_the_others() {
    let handler = obedient(3).synchronize(|handler| {
        let callback = handler.callback();
        copy(&*callback, id(1));
        let _ = callback.progress(id(2), &status(ItemStatus::Updating).max(1).value(2))?;
        finish(&*callback, id(2), ItemStatus::Succeeded);
        copy(&*callback, id(3));
        handler.complete_synchronize(HResult::S_OK);
        Ok(())
    });
    let trace = Harness::new(handler.build()).run();
    // Its first report carries a value above 0 too: a question of its own.
    let faults = trace.violations().iter().filter(|found| found.is_fault());
    assert_eq!(
        faults
            .map(|found| (found.rule, found.item))
            .collect::<Vec<_>>(),
        [(Rule::ValueWithinMaximum, Some(id(2)))]
    );
    assert!(
        trace
            .violations()
            .iter()
            .all(|found| found.item == Some(id(2)))
    );
}
