//! The harness: each setting does what it says, and whatever a handler does, the harness comes back with a trace.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};
use support::rules;

use syncmgr::testing::mock::{Expect, Script as Steps, ScriptedHost, Step};
use syncmgr::testing::{Action, Answer, Harness, Incident, Intervention, Rule, Side, Trace};
use syncmgr::{
    CallbackError, Dialog, ErrorId, ErrorOutcome, HResult, HandlerError, HandlerFlags, HandlerInfo,
    HandlerName, ItemId, ItemList, ItemReporter, ItemStatus, LogLevel, LogRecord, Participation,
    Phase, Prepared, PropertiesOutcome, SyncCallback, SyncEvent, SyncFlags, Uuid, Verdict,
};

use support::handler::{Script, Scripted, Seen};
use support::rules::{
    bothering, broken, clean, copy, copy_all, finish, named, obedient, only, places, reports,
};
use support::{LIMIT, id, ids, item, status, value, within};

/// The deadline of the tests that reach it.
const SOON: Duration = Duration::from_millis(250);

/// Runs the harness; a hang of it fails the test.
#[track_caller]
fn run(harness: Harness) -> Trace {
    within("Harness::run", move || harness.run())
}

fn verdicts(trace: &Trace, item: ItemId) -> Vec<Option<Verdict>> {
    let calls = reports(trace, item).into_iter();
    calls
        .map(|place| trace.calls()[place].answer.verdict())
        .collect()
}

const GO: Option<Verdict> = Some(Verdict::Continue);
const ITEM: Option<Verdict> = Some(Verdict::CancelItem);
const ALL: Option<Verdict> = Some(Verdict::CancelAll);

// What is synchronized, and how ----------------------------------------------------------------------------------

#[test]
fn without_settings_every_checked_item_is_synchronized_by_hand() {
    let script = obedient(0).items(|_| {
        Ok(ItemList::Complete(vec![
            item(1),
            item(2).checked(false),
            item(3),
        ]))
    });
    let trace = run(Harness::new(script.build()));
    clean(&trace);
    assert_eq!(trace.status(id(1)), Some(ItemStatus::Succeeded));
    assert_eq!(trace.status(id(2)), None);
    assert_eq!(trace.status(id(3)), Some(ItemStatus::Succeeded));
    let Action::Initialize { flags, cookie } = &trace.calls()[0].action else {
        panic!("{trace}");
    };
    assert_eq!((*flags, cookie), (SyncFlags::new(SyncEvent::Manual), &None));
    let names: Vec<&str> = trace
        .calls()
        .iter()
        .filter(|call| call.action.side() == Side::Host)
        .map(|call| call.action.name())
        .collect();
    assert_eq!(
        names,
        [
            "initialize",
            "info",
            "items",
            "set_progress_callback",
            "prepare_for_sync",
            "synchronize",
            "set_progress_callback",
        ]
    );
}

#[test]
fn select_chooses_the_items() {
    let trace = run(Harness::new(obedient(3).build()).select([id(3), id(1)]));
    clean(&trace);
    assert_eq!(trace.status(id(2)), None);
    assert_eq!(trace.status(id(3)), Some(ItemStatus::Succeeded));
    let nothing = run(Harness::new(obedient(3).build()).select([]));
    clean(&nothing);
    assert!(named(&nothing, "prepare_for_sync").is_empty(), "{nothing}");
}

#[test]
fn flags_and_cookie_reach_the_handler() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let script = || {
        let seen = Arc::clone(&seen);
        obedient(1).initialize(move |flags, cookie| {
            seen.lock()
                .unwrap()
                .push((flags, cookie.map(<[u8]>::to_vec)));
            Ok(Participation::Joins)
        })
    };
    let flags = SyncFlags::new(SyncEvent::Idle) | SyncFlags::MAY_BOTHER_USER;
    clean(&run(Harness::new(script().build()).flags(flags)));
    // The cookie sets the event, before or after the flags; that no other came is told.
    let invoked = SyncFlags::new(SyncEvent::Invoke) | SyncFlags::MAY_BOTHER_USER;
    let other = "the event idle, since a cookie makes it invoke";
    for harness in [
        Harness::new(script().build()).cookie("photos").flags(flags),
        Harness::new(script().build())
            .flags(flags)
            .cookie(b"photos"),
    ] {
        let trace = run(harness);
        clean(&trace);
        assert_eq!(trace.unmet_conditions(), [other]);
    }
    for harness in [
        Harness::new(obedient(1).build()).cookie("photos"),
        Harness::new(obedient(1).build())
            .cookie("photos")
            .flags(invoked),
    ] {
        assert_eq!(run(harness).unmet_conditions(), [""; 0]);
    }
    let cookie = Some(b"photos".to_vec());
    let expected = [(flags, None), (invoked, cookie.clone()), (invoked, cookie)];
    assert_eq!(*seen.lock().unwrap(), expected);
}

#[test]
fn a_handler_that_takes_no_part_is_let_go() {
    let script = obedient(1).initialize(|_, _| Ok(Participation::Declines));
    let trace = run(Harness::new(script.build()));
    clean(&trace);
    assert!(named(&trace, "info").is_empty(), "{trace}");
}

// Cancels ---------------------------------------------------------------------------------------------------------

#[test]
fn the_nth_report_itself_answers_the_cancel_of_its_own_item() {
    // Items of four reports each: begin, two parts, end.
    for (report, of_item, expected) in [
        (1, 1, vec![ITEM, ITEM]),
        (2, 1, vec![GO, ITEM, ITEM]),
        (3, 1, vec![GO, GO, ITEM, ITEM]),
        (4, 1, vec![GO, GO, GO, ITEM]),
        (5, 2, vec![ITEM, ITEM]),
        (8, 2, vec![GO, GO, GO, ITEM]),
    ] {
        let trace = run(Harness::new(obedient(2).build()).cancel_item_at(report));
        clean(&trace);
        assert_eq!(verdicts(&trace, id(of_item)), expected, "report {report}");
        assert_eq!(
            verdicts(&trace, id(3 - of_item)),
            [GO; 4],
            "the other goes on"
        );
    }
}

#[test]
fn the_nth_report_itself_answers_the_cancel_of_all() {
    let trace = run(Harness::new(obedient(3).build()).cancel_all_at(6));
    clean(&trace);
    assert_eq!(verdicts(&trace, id(1)), [GO; 4]);
    assert_eq!(verdicts(&trace, id(2)), [GO, ALL, ALL]);
    assert_eq!(verdicts(&trace, id(3)), [ALL, ALL]);
}

#[test]
fn a_report_that_never_comes_cancels_nothing() {
    for harness in [
        Harness::new(obedient(1).build()).cancel_item_at(5),
        Harness::new(obedient(1).build()).cancel_all_at(0),
    ] {
        let trace = run(harness);
        clean(&trace);
        assert_eq!(verdicts(&trace, id(1)), [GO; 4]);
    }
    let harness = Harness::new(obedient(1).build()).cancel_item_at_report("no such item", 1);
    let trace = run(harness);
    assert!(trace.is_conformant(), "{trace}"); // its assertion fails: it tests nothing
    assert_eq!(verdicts(&trace, id(1)), [GO; 4]);
}

#[test]
fn questions_count_as_reports() {
    let script = obedient(1).synchronize(|handler| {
        let callback = handler.callback();
        let _ = callback.can_continue(None)?; // this one does not
        let _ = callback.can_continue(Some(id(1)))?;
        let _ = callback.can_continue(Some(id(1)))?;
        finish(&*callback, id(1), ItemStatus::Stopped);
        handler.complete_synchronize(HResult::S_OK);
        Ok(())
    });
    let trace = run(Harness::new(script.build()).cancel_item_at(2));
    clean(&trace);
    assert_eq!(verdicts(&trace, id(1)), [GO, ITEM, ITEM]);
}

#[test]
fn the_kth_report_of_an_item_by_its_id_and_by_its_name() {
    for which in ["id", "name"] {
        let harness = Harness::new(obedient(3).build());
        let harness = match which {
            "id" => harness.cancel_item_at_report(id(2), 2),
            _ => harness.cancel_item_at_report("item 2", 2),
        };
        let trace = run(harness);
        clean(&trace);
        assert_eq!(verdicts(&trace, id(1)), [GO; 4]);
        assert_eq!(verdicts(&trace, id(2)), [GO, ITEM, ITEM]);
        let trace = run(
            Harness::new(obedient(3).build()).intervene(Intervention::CancelAll {
                item: "item 2".into(),
                report: 4,
            }),
        );
        clean(&trace);
        assert_eq!(verdicts(&trace, id(2)), [GO, GO, GO, ALL]);
        assert_eq!(verdicts(&trace, id(3)), [ALL, ALL]);
    }
}

#[test]
fn the_second_of_two_with_one_name() {
    let list = vec![item(1), syncmgr::SyncItem::new(id(2), item(1).name)];
    let script = obedient(0).items(move |_| Ok(ItemList::Complete(list.clone())));
    let trace = run(Harness::new(script.build()).cancel_item_at_report("item 1 (2)", 1));
    clean(&trace);
    assert_eq!(verdicts(&trace, id(1)), [GO; 4]);
    assert_eq!(verdicts(&trace, id(2)), [ITEM, ITEM]);
}

#[test]
fn what_a_trace_calls_an_item_names_it_to_the_harness() {
    let first = run(Harness::new(obedient(2).build()));
    let name = first.name_of(id(2));
    let trace = run(Harness::new(obedient(2).build()).cancel_item_at_report(name, 1));
    clean(&trace);
    assert_eq!(verdicts(&trace, id(2)), [ITEM, ITEM]);
}

#[test]
fn several_cancels_are_all_made() {
    let harness = Harness::new(obedient(3).build())
        .cancel_item_at_report(id(1), 1)
        .cancel_item_at_report(id(3), 3);
    let trace = run(harness);
    clean(&trace);
    assert_eq!(verdicts(&trace, id(1)), [ITEM, ITEM]);
    assert_eq!(verdicts(&trace, id(2)), [GO; 4]);
    assert_eq!(verdicts(&trace, id(3)), [GO, GO, ITEM, ITEM]);
}

#[test]
fn predicates_cancel_at_the_first_call_for_which_they_hold() {
    let second_part = |call: &syncmgr::testing::Call| call.action.update().value == Some(2);
    let trace = run(Harness::new(obedient(2).build()).cancel_item_when(second_part));
    clean(&trace);
    assert_eq!(verdicts(&trace, id(1)), [GO, GO, ITEM, ITEM]);
    assert_eq!(verdicts(&trace, id(2)), [GO; 4], "only the first");

    // Any call of the handler, here the completion of the prepare.
    let harness = Harness::new(obedient(2).build())
        .cancel_all_when(|call| matches!(call.action, Action::PrepareForSyncCompleted { .. }));
    let trace = run(harness);
    clean(&trace);
    assert_eq!(verdicts(&trace, id(1)), [ALL, ALL]);
    assert_eq!(verdicts(&trace, id(2)), [ALL, ALL]);

    // It is asked only about the handler's calls, each of them, in order.
    let asked = Arc::new(Mutex::new(Vec::new()));
    let names = Arc::clone(&asked);
    let harness = Harness::new(obedient(1).build()).cancel_all_when(move |call| {
        assert_eq!(call.action.side(), Side::Handler);
        assert_eq!(call.answer, Answer::None);
        names.lock().unwrap().push(call.action.name());
        false
    });
    clean(&run(harness));
    assert_eq!(
        asked.lock().unwrap().concat(),
        "prepare_for_sync_completed".to_owned() + &"progress".repeat(4) + "synchronize_completed"
    );
}

#[test]
fn a_predicate_that_panics_is_the_tests_own_fault() {
    let harness = Harness::new(obedient(1).build()).cancel_item_when(|_| panic!("my predicate"));
    let panic = catch_unwind(AssertUnwindSafe(|| run(harness))).unwrap_err();
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text
        .or(panic.downcast_ref::<&str>().copied())
        .unwrap_or_default();
    assert!(text.contains("my predicate"), "{text:?}");
}

// Skips -----------------------------------------------------------------------------------------------------------

/// A handler that works on a thread of its own, and begins each item under the lock that the skip takes. `late` completes
/// its prepare from another thread too.
fn threaded(n: u128, late: bool) -> Script {
    let skipped = rules::Skipped::new();
    let told = skipped.clone();
    obedient(n)
        .prepare(move |handler| {
            if late {
                let callback = handler.callback();
                thread::spawn(move || callback.prepare_for_sync_completed(HResult::S_OK));
            } else {
                handler.complete_prepare(HResult::S_OK);
            }
            Ok(Prepared::Started)
        })
        .synchronize(move |handler| {
            let (handler, skipped) = (Arc::clone(handler), skipped.clone());
            thread::spawn(move || {
                let callback = handler.callback();
                for item in handler.round() {
                    if skipped.contains(item) {
                        finish(&*callback, item, ItemStatus::Skipped);
                        continue;
                    }
                    match callback.can_continue(Some(item)) {
                        Ok(Verdict::Continue) => copy(&*callback, item),
                        _ => finish(&*callback, item, ItemStatus::Skipped),
                    }
                }
                let _taken = callback.synchronize_completed(HResult::S_OK);
            });
            Ok(())
        })
        .set_item_status(move |_, item| {
            told.insert(item);
            Ok(())
        })
}

/// The places between which the handler was told to skip an item: after `from` had returned, before `to` did.
#[track_caller]
fn told_between(trace: &Trace, from: &str, to: &str) {
    let told = named(trace, "set_item_status");
    assert_eq!(told.len(), 1, "{trace}");
    let told = &trace.calls()[told[0]];
    let from = &trace.calls()[named(trace, from)[0]];
    let to = &trace.calls()[named(trace, to)[0]];
    assert!(from.is_before(told), "{trace}");
    assert!(told.ended < to.ended, "{trace}");
}

#[test]
fn a_skip_reaches_the_handler_in_the_window_of_the_prepare() {
    let trace = run(Harness::new(threaded(2, true).build()).skip(id(2)));
    clean(&trace);
    told_between(&trace, "prepare_for_sync", "prepare_for_sync_completed");
    assert_eq!(trace.status(id(2)), Some(ItemStatus::Skipped));
    assert_eq!(trace.status(id(1)), Some(ItemStatus::Succeeded));
}

#[test]
fn a_skip_reaches_the_handler_in_the_window_of_the_synchronization() {
    for by_name in [false, true] {
        let harness = Harness::new(threaded(2, false).build());
        let trace = run(match by_name {
            false => harness.skip(id(1)),
            true => harness.intervene(Intervention::SkipInSynchronize("item 1".into())),
        });
        clean(&trace);
        told_between(&trace, "synchronize", "synchronize_completed");
        assert_eq!(trace.status(id(1)), Some(ItemStatus::Skipped));
        // It asks, or does not even ask.
        assert!(reports(&trace, id(1)).len() <= 2, "{trace}");
    }
}

#[test]
fn an_item_in_work_is_skipped_by_its_report() {
    let trace = run(
        Harness::new(threaded(2, false).build()).intervene(Intervention::Skip {
            item: id(1).into(),
            report: 3,
        }),
    );
    clean(&trace);
    assert_eq!(verdicts(&trace, id(1)), [GO, GO, ITEM, ITEM]);
    // It may have ended before the host's thread came to tell it.
    if !named(&trace, "set_item_status").is_empty() {
        told_between(&trace, "synchronize", "synchronize_completed");
    }
}

#[test]
fn the_next_item_is_skipped_while_one_begins() {
    let trace = run(
        Harness::new(threaded(3, false).build()).intervene(Intervention::SkipNext {
            item: "item 1".into(),
            report: 1,
        }),
    );
    clean(&trace);
    let told = named(&trace, "set_item_status")[0];
    assert!(
        matches!(trace.calls()[told].action, Action::SetItemStatus { item, .. } if item == id(2))
    );
    assert_eq!(trace.status(id(2)), Some(ItemStatus::Skipped));
    assert_eq!(trace.status(id(3)), Some(ItemStatus::Succeeded));
    // After the last item there is none.
    let trace = run(
        Harness::new(threaded(1, false).build()).intervene(Intervention::SkipNext {
            item: "item 1".into(),
            report: 2,
        }),
    );
    clean(&trace);
    assert!(named(&trace, "set_item_status").is_empty(), "{trace}");
}

#[test]
fn a_handler_that_works_inside_synchronize_has_no_window() {
    // The verdict tells it all the same.
    let trace = run(Harness::new(obedient(2).build()).skip(id(2)));
    clean(&trace);
    assert_eq!(verdicts(&trace, id(2)), [ITEM, ITEM]);
    let trace = run(
        Harness::new(obedient(2).build()).intervene(Intervention::SkipNext {
            item: id(1).into(),
            report: 1,
        }),
    );
    clean(&trace);
}

#[test]
fn a_handler_that_holds_its_lock_is_let_go() {
    let lock = Arc::new(Mutex::new(()));
    let taken = Arc::clone(&lock);
    let script = threaded(1, false)
        .synchronize(move |handler| {
            let (handler, lock) = (Arc::clone(handler), Arc::clone(&lock));
            thread::spawn(move || {
                let all_along = lock.lock().unwrap();
                copy_all(&handler);
                drop(all_along);
                handler.complete_synchronize(HResult::S_OK);
            });
            Ok(())
        })
        .set_item_status(move |_, _| {
            drop(taken.lock().unwrap());
            Ok(())
        });
    let begun = Instant::now();
    let trace =
        run(Harness::new(script.build()).intervene(Intervention::SkipInSynchronize(id(1).into())));
    assert!(trace.incidents().is_empty(), "{trace}");
    assert!(begun.elapsed() < LIMIT / 2);
}

// Dialogs, connections, the log -----------------------------------------------------------------------------------

type Setting = fn(Harness) -> Harness;

/// A handler that does this three times before it copies, and keeps what it was answered.
fn asks<T: Send + 'static>(
    ask: impl Fn(&dyn SyncCallback) -> T + Send + Sync + 'static,
) -> (Script, Arc<Mutex<Vec<T>>>) {
    let answers = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&answers);
    let script = obedient(1)
        .info(|_| {
            let name = HandlerName::try_from("asks")?;
            Ok(HandlerInfo::new(name).flags(HandlerFlags::MAY_ESTABLISH_CONNECTION))
        })
        .synchronize(move |handler| {
            let callback = handler.callback();
            for _ in 0..3 {
                kept.lock().unwrap().push(ask(&*callback));
            }
            copy_all(handler);
            handler.complete_synchronize(HResult::S_OK);
            Ok(())
        });
    (script, answers)
}

#[test]
fn dialogs_are_granted_denied_or_denied_once() {
    use Dialog::{Denied, Granted};
    let cases: [(Setting, [Dialog; 3]); 4] = [
        (|harness| harness, [Granted; 3]),
        (Harness::deny_dialogs, [Denied; 3]),
        (
            |harness| harness.intervene(Intervention::DenyDialog(2)),
            [Granted, Denied, Granted],
        ),
        (
            |harness| harness.intervene(Intervention::DenyDialog(9)),
            [Granted; 3],
        ),
    ];
    for (setting, expected) in cases {
        let (script, answers) = asks(|callback| {
            let answer = callback.enable_modeless(true).unwrap();
            if answer == Granted {
                let _back = callback.enable_modeless(false);
            }
            answer
        });
        let trace = run(setting(Harness::new(script.build()).flags(bothering())));
        clean(&trace);
        assert_eq!(*answers.lock().unwrap(), expected);
    }
}

#[test]
fn connections_are_made_refused_or_refused_once() {
    const NO: Result<(), CallbackError> = Err(CallbackError::NotConnected);
    let cases: [(Setting, [Result<(), CallbackError>; 3]); 3] = [
        (|harness| harness, [Ok(()); 3]),
        (Harness::refuse_connections, [NO; 3]),
        (
            |harness| harness.intervene(Intervention::RefuseConnection(3)),
            [Ok(()), Ok(()), NO],
        ),
    ];
    for (setting, expected) in cases {
        let (script, answers) = asks(|callback| callback.establish_connection(Some("vpn")));
        let trace = run(setting(Harness::new(script.build())));
        clean(&trace);
        assert_eq!(*answers.lock().unwrap(), expected);
        let opened = places(&trace, |call| {
            matches!(call.action, Action::ConnectionOpened { .. })
        });
        assert_eq!(
            opened.len(),
            expected.iter().filter(|answer| answer.is_ok()).count(),
            "{trace}"
        );
    }
}

#[test]
fn the_log_takes_entries_is_full_or_full_once() {
    const FULL: Result<(), CallbackError> = Err(CallbackError::LogFull);
    let cases: [(Setting, [Result<(), CallbackError>; 3]); 3] = [
        (|harness| harness, [Ok(()); 3]),
        (Harness::full_log, [FULL; 3]),
        (
            |harness| harness.intervene(Intervention::FillLog(1)),
            [FULL, Ok(()), Ok(())],
        ),
    ];
    for (setting, expected) in cases {
        let (script, answers) =
            asks(|callback| callback.log_error(&LogRecord::new(LogLevel::Warning, "slow")));
        let trace = run(setting(Harness::new(script.build())));
        clean(&trace);
        assert_eq!(*answers.lock().unwrap(), expected);
    }
}

#[test]
fn the_callback_answers_released_from_a_report_on() {
    let script = || {
        obedient(2).synchronize(|handler| {
            let callback = handler.callback();
            for item in handler.round() {
                let reporter = ItemReporter::new(&callback, item);
                for part in 0..3 {
                    if reporter.set(part)? != Verdict::Continue {
                        break;
                    }
                }
                reporter.stop()?;
            }
            handler.complete_synchronize(HResult::S_OK);
            Ok(())
        })
    };
    let trace = run(
        Harness::new(script().build()).intervene(Intervention::Release {
            item: id(2).into(),
            report: 2,
        }),
    );
    let of_item = reports(&trace, id(2));
    assert_eq!(
        trace.calls()[of_item[0]].answer,
        Answer::Verdict(Verdict::Continue)
    );
    for place in &of_item[1..] {
        assert_eq!(
            trace.calls()[*place].answer,
            Answer::Refused(CallbackError::Released)
        );
    }
    clean(&trace);
    let noted = places(&trace, |call| call.action == Action::CallbackReleased);
    assert_eq!(noted.len(), 1, "{trace}");
}

#[test]
fn no_error_is_shown_by_a_callback_that_is_released() {
    // Logged before the release, so that the host has it; nobody could complete what shows it.
    let script = obedient(1).synchronize(|handler| {
        let callback = handler.callback();
        callback.log_error(&LogRecord::new(LogLevel::Error, "full").jump_text(FULL))?;
        let reporter = ItemReporter::new(&callback, id(1));
        assert_eq!(reporter.set(0), Ok(Verdict::Continue));
        assert_eq!(reporter.set(1), Err(CallbackError::Released));
        let _ = callback.synchronize_completed(HResult::S_OK);
        Ok(())
    });
    let trace = run(Harness::new(script.build())
        .show_errors()
        .intervene(Intervention::Release {
            item: id(1).into(),
            report: 2,
        }));
    clean(&trace);
    assert!(trace.was_released());
    assert_eq!(named(&trace, "show_error"), [0; 0]);
    let trace = run(Harness::new(retries().build()).show_errors().max_retries(1));
    assert!(!named(&trace, "show_error").is_empty(), "it is otherwise");
}

// Errors, properties, objects -------------------------------------------------------------------------------------

const FULL: ErrorId = ErrorId::from_u128(0xF);

/// Logs two errors, one of which can be shown, in each round; a shown error retries item 1.
fn retries() -> Script {
    obedient(2)
        .synchronize(|handler| {
            let callback = handler.callback();
            callback.log_error(&LogRecord::new(LogLevel::Error, "plain"))?;
            callback.log_error(&LogRecord::new(LogLevel::Warning, "full").jump_text(FULL))?;
            copy_all(handler);
            handler.complete_synchronize(HResult::S_OK);
            Ok(())
        })
        .show_error(|handler, _| {
            let callback = handler.callback();
            Ok(callback.show_error_completed(ErrorOutcome::Retry(&[id(1)]))?)
        })
}

#[test]
fn errors_are_shown_only_on_demand_and_retried_as_often_as_allowed() {
    let trace = run(Harness::new(retries().build()));
    clean(&trace);
    assert!(named(&trace, "show_error").is_empty());

    let rounds = |harness: Harness| {
        let trace = run(harness);
        clean(&trace);
        named(&trace, "prepare_for_sync").len()
    };
    assert_eq!(
        rounds(Harness::new(retries().build()).show_errors()),
        17,
        "16 retries"
    );
    assert_eq!(
        rounds(Harness::new(retries().build()).show_errors().max_retries(3)),
        4
    );
    assert_eq!(
        rounds(Harness::new(retries().build()).show_errors().max_retries(0)),
        1
    );
}

#[test]
fn reports_are_counted_on_through_retries() {
    // Eight reports in the first round; the second one begins with the ninth.
    let harness = Harness::new(retries().build())
        .show_errors()
        .max_retries(1)
        .cancel_item_at(9);
    let trace = run(harness);
    clean(&trace);
    assert_eq!(verdicts(&trace, id(1)), [GO, GO, GO, GO, ITEM, ITEM]);
    let harness = Harness::new(retries().build()).show_errors().max_retries(1);
    let trace = run(harness.cancel_item_at_report(id(1), 5));
    clean(&trace);
    assert_eq!(verdicts(&trace, id(1)), [GO, GO, GO, GO, ITEM, ITEM]);
}

#[test]
fn properties_and_objects_are_asked_for_before_the_prepare() {
    let script = obedient(1).show_properties(|handler, _| {
        Ok(handler
            .callback()
            .show_properties_completed(PropertiesOutcome::Done)?)
    });
    let harness = Harness::new(script.build())
        .show_properties(None)
        .show_properties(id(1))
        .item_object(id(1), Uuid::from_u128(1))
        .item_object(id(1), Uuid::from_u128(2));
    let trace = run(harness);
    clean(&trace);
    let shown: Vec<_> = trace
        .calls()
        .iter()
        .filter_map(|call| match call.action {
            Action::ShowProperties { target } => Some(target),
            _ => None,
        })
        .collect();
    assert_eq!(shown, [None, Some(id(1))]);
    let asked: Vec<_> = trace
        .calls()
        .iter()
        .filter_map(|call| match call.action {
            Action::ItemObject { item, interface } => Some((item, interface)),
            _ => None,
        })
        .collect();
    assert_eq!(
        asked,
        [(id(1), Uuid::from_u128(1)), (id(1), Uuid::from_u128(2))]
    );
    let prepare = named(&trace, "prepare_for_sync")[0];
    assert!(
        named(&trace, "show_properties")
            .iter()
            .all(|place| *place < prepare)
    );
    assert!(
        named(&trace, "item_object")
            .iter()
            .all(|place| *place < prepare)
    );
}

// Silence, panics, endless handlers -------------------------------------------------------------------------------

fn gave_up(trace: &Trace) -> bool {
    !places(trace, |call| call.action == Action::GaveUp).is_empty()
}

#[test]
fn a_handler_that_never_completes_is_given_up() {
    let begun = Instant::now();
    let script = obedient(1).synchronize(|handler| {
        copy_all(handler);
        Ok(())
    });
    let trace = run(Harness::new(script.build()).deadline(SOON));
    let _ = only(&trace, Rule::SynchronizeCompletedOnce);
    assert!(gave_up(&trace), "{trace}");
    assert!(begun.elapsed() >= SOON);
    let released = named(&trace, "set_progress_callback");
    assert_eq!(released.len(), 2, "the callback is taken away\n{trace}");
}

/// Blocks a thread until the test is over.
#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    fn wait(&self) {
        let (open, changed) = &*self.0;
        let mut open = open.lock().unwrap();
        while !*open {
            open = changed.wait_timeout(open, LIMIT).unwrap().0;
        }
    }

    fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }
}

#[test]
fn a_method_that_never_returns_is_left_behind() {
    type Hang = Box<dyn Fn(Script, Gate) -> Script>;
    let methods: [(&str, Hang); 9] = [
        (
            "initialize",
            Box::new(|script, gate| {
                script.initialize(move |_, _| {
                    gate.wait();
                    Ok(Participation::Joins)
                })
            }),
        ),
        (
            "info",
            Box::new(|script, gate| {
                script.info(move |_| {
                    gate.wait();
                    Err(HResult::E_FAIL.into())
                })
            }),
        ),
        (
            "items",
            Box::new(|script, gate| {
                script.items(move |_| {
                    gate.wait();
                    Err(HResult::E_FAIL.into())
                })
            }),
        ),
        (
            "set_progress_callback",
            Box::new(|script, gate| {
                script.callback_set(move |_| {
                    gate.wait();
                    Ok(())
                })
            }),
        ),
        (
            "prepare_for_sync",
            Box::new(|script, gate| {
                script.prepare(move |_| {
                    gate.wait();
                    Err(HResult::E_FAIL.into())
                })
            }),
        ),
        (
            "synchronize",
            Box::new(|script, gate| {
                script.synchronize(move |_| {
                    gate.wait();
                    Err(HResult::E_FAIL.into())
                })
            }),
        ),
        (
            "show_properties",
            Box::new(|script, gate| {
                script.show_properties(move |_, _| {
                    gate.wait();
                    Err(HResult::E_FAIL.into())
                })
            }),
        ),
        (
            "show_error",
            Box::new(|script, gate| {
                retries_with(script).show_error(move |_, _| {
                    gate.wait();
                    Err(HResult::E_FAIL.into())
                })
            }),
        ),
        (
            "item_object",
            Box::new(|script, gate| {
                script.item_object(move |_, _| {
                    gate.wait();
                    Err(HandlerError::NotImplemented)
                })
            }),
        ),
    ];
    for (name, hang) in methods {
        let gate = Gate::default();
        let script = hang(obedient(1), gate.clone());
        let harness = Harness::new(script.build())
            .deadline(SOON)
            .linger(Duration::ZERO)
            .show_errors()
            .show_properties(id(1))
            .item_object(id(1), Uuid::from_u128(1));
        let trace = run(harness);
        gate.open();
        assert!(gave_up(&trace), "{name}: {trace}");
        let [Incident::DidNotReturn { at }] = trace.incidents() else {
            panic!("{name}: {trace}");
        };
        assert_eq!(trace.calls()[*at].action.name(), name, "{trace}");
        assert_eq!(broken(&trace), [], "{name}: {trace}");
        assert!(!trace.is_conformant());
        let report = trace.report().to_string();
        assert!(report.contains(name), "{report}");
    }
}

/// With an error to be shown.
fn retries_with(script: Script) -> Script {
    script.synchronize(|handler| {
        let record = LogRecord::new(LogLevel::Error, "full").jump_text(FULL);
        handler.callback().log_error(&record)?;
        copy_all(handler);
        handler.complete_synchronize(HResult::S_OK);
        Ok(())
    })
}

#[test]
fn a_panic_in_each_method_is_an_incident_with_its_text() {
    type Panics = fn(Script) -> Script;
    let methods: [(&str, Panics); 10] = [
        ("initialize", |script| {
            script.initialize(|_, _| panic!("boom {}", 1))
        }),
        ("info", |script| script.info(|_| panic!("boom {}", 1))),
        ("items", |script| script.items(|_| panic!("boom {}", 1))),
        ("set_progress_callback", |script| {
            script.callback_set(|_| panic!("boom {}", 1))
        }),
        ("prepare_for_sync", |script| {
            script.prepare(|_| panic!("boom {}", 1))
        }),
        ("synchronize", |script| {
            script.synchronize(|_| panic!("boom {}", 1))
        }),
        ("show_properties", |script| {
            script.show_properties(|_, _| panic!("boom {}", 1))
        }),
        ("show_error", |script| {
            retries_with(script).show_error(|_, _| panic!("boom {}", 1))
        }),
        ("item_object", |script| {
            script.item_object(|_, _| panic!("boom {}", 1))
        }),
        ("set_progress_callback", |script| {
            script.callback_cleared(|_| panic!("boom {}", 1))
        }),
    ];
    for (name, panics) in methods {
        let harness = Harness::new(panics(obedient(1)).build())
            .linger(Duration::ZERO)
            .show_errors()
            .show_properties(id(1))
            .item_object(id(1), Uuid::from_u128(1));
        let trace = run(harness);
        let [Incident::Panicked { at, text }] = trace.incidents() else {
            panic!("{name}: {trace}");
        };
        assert_eq!(trace.calls()[*at].action.name(), name, "{trace}");
        assert_eq!(text, "boom 1");
        assert_eq!(broken(&trace), [], "{name}: {trace}");
        assert!(!trace.is_conformant());
        let released = named(&trace, "set_progress_callback");
        let was_set = name != "initialize" && name != "info" && name != "items";
        assert_eq!(
            released.len(),
            if was_set { 2 } else { 0 },
            "{name}: {trace}"
        );
    }
}

#[test]
fn a_panic_in_set_item_status_is_an_incident() {
    let script = threaded(1, false).set_item_status(|_, _| panic!("boom"));
    let trace = run(Harness::new(script.build())
        .intervene(Intervention::SkipInSynchronize(id(1).into()))
        .deadline(SOON * 4));
    let panicked = trace
        .incidents()
        .iter()
        .any(|incident| matches!(incident, Incident::Panicked { text, .. } if text == "boom"));
    assert!(panicked, "{trace}");
}

#[test]
fn a_handler_that_reports_for_ever_is_given_up() {
    let gave_up_on = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&gave_up_on);
    let script = obedient(1).synchronize(move |handler| {
        let (callback, seen) = (handler.callback(), Arc::clone(&seen));
        thread::spawn(move || {
            let _ = callback.progress(id(1), &status(ItemStatus::Updating));
            while callback.progress(id(1), &value(0)) != Err(CallbackError::Released) {}
            seen.store(true, Ordering::SeqCst);
        });
        Ok(())
    });
    let trace = run(Harness::new(script.build()).max_calls(2_000).deadline(SOON));
    assert!(gave_up(&trace), "{trace}");
    assert!(
        trace.breaks(Rule::SynchronizeCompletedOnce),
        "{}",
        trace.report()
    );
    assert!(
        trace.calls().len() <= 2_010,
        "{} calls",
        trace.calls().len()
    );
    support::until("the worker ends", || gave_up_on.load(Ordering::SeqCst));
}

#[test]
fn a_sign_of_life_puts_the_deadline_off() {
    // It works for longer than the deadline, and reports often enough.
    let script = obedient(1).synchronize(|handler| {
        let handler = Arc::clone(handler);
        thread::spawn(move || {
            let callback = handler.callback();
            let begun = Instant::now();
            let _ = callback.progress(id(1), &status(ItemStatus::Updating));
            while begun.elapsed() < SOON * 3 {
                let _ = callback.progress(id(1), &value(0));
                // A fast machine would make more calls than the harness records.
                thread::sleep(SOON / 20);
            }
            finish(&*callback, id(1), ItemStatus::Succeeded);
            handler.complete_synchronize(HResult::S_OK);
        });
        Ok(())
    });
    clean(&run(Harness::new(script.build()).deadline(SOON)));
}

#[test]
fn a_handler_that_completes_with_a_failure_is_released() {
    for code in [HResult::E_FAIL, HResult::S_FALSE] {
        let script = obedient(1).prepare(move |handler| {
            handler.complete_prepare(code);
            Ok(Prepared::Started)
        });
        let trace = run(Harness::new(script.build()));
        clean(&trace);
        assert!(named(&trace, "synchronize").is_empty());
    }
}

// Late calls ------------------------------------------------------------------------------------------------------

/// Makes one call once the handler was dropped.
fn late(calls: Arc<AtomicUsize>) -> Script {
    let alive = Mutex::new(None);
    obedient(1).callback_set(move |handler| {
        let (sender, closed) = mpsc::channel::<()>();
        let (callback, calls) = (handler.callback(), Arc::clone(&calls));
        thread::spawn(move || {
            let _closed = closed.recv();
            let answer = callback.log_error(&LogRecord::new(LogLevel::Warning, "late"));
            assert_eq!(answer, Err(CallbackError::Released));
            calls.fetch_add(1, Ordering::SeqCst);
        });
        *alive.lock().unwrap() = Some(sender);
        Ok(())
    })
}

#[test]
fn late_calls_are_listened_for() {
    let calls = Arc::new(AtomicUsize::new(0));
    let trace = run(Harness::new(late(Arc::clone(&calls)).build()).linger(LIMIT));
    let _ = only(&trace, Rule::NoCallAfterRelease);
}

#[test]
fn nobody_listens_once_the_callback_is_dropped() {
    // Otherwise this would take as long as it is told to listen.
    let begun = Instant::now();
    clean(&run(Harness::new(obedient(1).build()).linger(LIMIT * 2)));
    assert!(begun.elapsed() < LIMIT);
}

#[test]
fn a_callback_that_is_kept_is_listened_to_for_the_time_told() {
    let kept = Arc::new(Mutex::new(None));
    let place = Arc::clone(&kept);
    let script = obedient(1).callback_set(move |handler| {
        *place.lock().unwrap() = Some(handler.callback());
        Ok(())
    });
    let begun = Instant::now();
    clean(&run(Harness::new(script.build()).linger(SOON)));
    assert!(begun.elapsed() >= SOON);
}

// Traces ----------------------------------------------------------------------------------------------------------

#[test]
fn the_text_of_a_trace_is_the_same_in_each_run_also_with_random_ids() {
    let texts: Vec<String> = (0..3)
        .map(|_| {
            let (one, two) = (ItemId::new_random(), ItemId::new_random());
            let error = ErrorId::new_random();
            let steps = [one, two].into_iter().flat_map(|item| {
                [
                    Step::report(item).status(ItemStatus::Updating).max(2),
                    Step::log(
                        &LogRecord::new(LogLevel::Error, "full")
                            .item(item)
                            .jump_text(error),
                    ),
                    Step::report(item).value(1).text("half"),
                    Step::report(item).status(ItemStatus::Succeeded),
                ]
            });
            let script = Steps::new()
                .item(one, "one")
                .item(two, "two")
                .synchronize(steps)
                .inline();
            let trace = run(Harness::new(script.handler()).cancel_item_at(2));
            clean(&trace);
            trace.to_string()
        })
        .collect();
    assert_eq!(texts[0], texts[1]);
    assert_eq!(texts[1], texts[2]);
    assert!(!texts[0].contains("00000000"), "{}", texts[0]);
}

#[test]
fn the_text_of_an_item_is_the_same_with_several_workers() {
    let texts: Vec<Vec<String>> = (0..5)
        .map(|_| {
            let spawned = ids(4).into_iter().map(|item| {
                Step::spawn([
                    Step::report(item).status(ItemStatus::Updating).max(2),
                    Step::report(item).value(1),
                    Step::report(item).status(ItemStatus::Succeeded),
                ])
            });
            let script = ids(4)
                .into_iter()
                .fold(Steps::new(), |script, item| script.item(item, "an item"));
            let trace =
                run(Harness::new(script.synchronize(spawned).handler())
                    .cancel_item_at_report(id(2), 2));
            clean(&trace);
            ids(4)
                .into_iter()
                .map(|item| trace.item(item).to_string())
                .collect()
        })
        .collect();
    assert!(texts.iter().all(|run| *run == texts[0]), "{texts:#?}");
}

#[test]
fn calls_have_their_phase_thread_and_callback() {
    let trace = run(Harness::new(threaded(1, false).build()));
    clean(&trace);
    let first = reports(&trace, id(1))[0];
    let call = &trace.calls()[first];
    assert_eq!(call.phase, Phase::Synchronizing);
    assert_eq!(call.callback, Some(1));
    assert_ne!(call.thread, trace.calls()[0].thread);
    assert_eq!(trace.calls()[0].thread, 0);
    assert_eq!(trace.calls()[0].phase, Phase::Idle);
    assert!(trace.calls().is_sorted_by_key(|call| call.begun));
    for call in trace.calls() {
        assert!(call.ended.is_none_or(|ended| ended >= call.begun));
        assert_eq!(call.callback.is_some(), call.action.side() == Side::Handler);
    }
}

#[test]
fn a_trace_judged_again_says_the_same() {
    let script = obedient(2).synchronize(|handler| {
        finish(&*handler.callback(), id(1), ItemStatus::Succeeded);
        handler.complete_synchronize(HResult::S_OK);
        Ok(())
    });
    let trace = run(Harness::new(script.build()));
    let again = Trace::from_calls(trace.calls().to_vec());
    assert_eq!(again.violations(), trace.violations());
    assert_eq!(again.undecided(), trace.undecided());
    assert_eq!(
        broken(&again),
        [Rule::VerdictBeforeItem, Rule::FinalStatusBeforeCompletion]
    );
}

// Scripts and scripted hosts --------------------------------------------------------------------------------------

#[test]
fn a_script_drops_what_is_cancelled_skipped_or_not_chosen() {
    let steps = || {
        ids(3).into_iter().flat_map(|item| {
            [
                Step::report(item).status(ItemStatus::Updating),
                Step::report(item).value(1),
                Step::report(item).status(ItemStatus::Succeeded),
            ]
        })
    };
    let script = ids(3)
        .into_iter()
        .fold(Steps::new(), |script, item| script.item(item, "x"));
    let script = script.synchronize(steps());
    for report in 1..=9 {
        clean(&run(Harness::new(script.handler()).cancel_item_at(report)));
        clean(&run(Harness::new(script.handler()).cancel_all_at(report)));
    }
    for item in ids(3) {
        let trace = run(Harness::new(script.handler()).skip(item));
        clean(&trace);
        // Where it was held at the item's first report, that report was answered before the skip was told.
        let end = trace.status(item);
        assert!(
            end == Some(ItemStatus::Skipped) || end == Some(ItemStatus::Stopped),
            "{trace}"
        );
        clean(&run(
            Harness::new(script.handler()).intervene(Intervention::SkipInSynchronize(item.into()))
        ));
        clean(&run(Harness::new(script.handler()).select([item])));
        clean(&run(Harness::new(script.handler()).intervene(
            Intervention::SkipNext {
                item: item.into(),
                report: 1,
            },
        )));
    }
}

#[test]
fn a_scripted_host_answers_from_its_list_and_says_what_came_beside() {
    let host = ScriptedHost::new([
        Expect::report(id(1), Verdict::Continue).saying(&status(ItemStatus::Updating)),
        Expect::log_error().refused(CallbackError::LogFull),
        Expect::enable_modeless(Dialog::Denied),
        Expect::report(id(1), Verdict::CancelAll),
        Expect::synchronize_completed(),
    ]);
    let callback = host.callback();
    assert_eq!(
        callback.progress(id(1), &status(ItemStatus::Updating)),
        Ok(Verdict::Continue)
    );
    let record = LogRecord::new(LogLevel::Error, "x");
    assert_eq!(callback.log_error(&record), Err(CallbackError::LogFull));
    assert_eq!(callback.enable_modeless(true), Ok(Dialog::Denied));
    assert_eq!(
        callback.progress(id(1), &status(ItemStatus::Stopped)),
        Ok(Verdict::CancelAll)
    );
    assert_eq!(callback.synchronize_completed(HResult::S_OK), Ok(()));
    let trace = host.finish();
    assert!(trace.violations().is_empty(), "{trace}");

    let beside = || {
        let host = ScriptedHost::new([Expect::report(id(1), Verdict::Continue)]);
        let answer = host.callback().progress(id(2), &value(7));
        assert_eq!(answer, Err(CallbackError::WrongPhase));
        let _trace = host.finish();
    };
    let panic = catch_unwind(beside).unwrap_err();
    let text = panic.downcast_ref::<String>().cloned().unwrap_or_default();
    println!("{text}");
    assert!(text.contains('7') && text.contains("progress"), "{text}");

    let missing = || {
        let _trace = ScriptedHost::new([Expect::synchronize_completed()]).finish();
    };
    let panic = catch_unwind(missing).unwrap_err();
    let text = panic.downcast_ref::<String>().cloned().unwrap_or_default();
    println!("{text}");
    assert!(text.contains("synchronize_completed"), "{text}");
    assert!(
        catch_unwind(|| drop(ScriptedHost::new([]))).is_err(),
        "it was not finished"
    );
}

#[test]
fn a_handler_with_threads_of_its_own_works() {
    let script = obedient(8).synchronize(|handler| {
        let handler = Arc::clone(handler);
        thread::spawn(move || {
            let callback = handler.callback();
            thread::scope(|scope| {
                for item in handler.round() {
                    let callback = &*callback;
                    scope.spawn(move || copy(callback, item));
                }
            });
            handler.complete_synchronize(HResult::S_OK);
        });
        Ok(())
    });
    let handler: Arc<Scripted> = script.build();
    let seen = handler.clone();
    clean(&run(Harness::new(handler).cancel_all_at(13)));
    assert!(!seen.was_nested(), "{:?}", seen.seen());
    assert_eq!(seen.seen().last(), Some(&Seen::ClearCallback));
}
