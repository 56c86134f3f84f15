//! For each rule of the handler one that breaks it, as somebody would write it: the kit reports that rule, that call, and
//! nothing else. Beside it stands one that comes as close as is allowed, in `rules_kept`.

#![cfg(feature = "testing")]

#[path = "support/handler.rs"]
mod handler;
mod support;

use std::any::Any;
use std::sync::{Arc, Barrier, Mutex};

use handler::{Script as Closures, Scripted};
use support::{id, join, status, value};
use syncmgr::testing::{Action, Harness, Rule, Script, Severity, Step, Trace, Violation};
use syncmgr::{
    ErrorId, HResult, HandlerError, HandlerFlags, HandlerInfo, ItemFlags, ItemId, ItemList,
    ItemStatus, LogLevel, LogRecord, LogSelector, Participation, Prepared, ProgressUpdate,
    SyncCallback, SyncEvent, SyncFlags, SyncHandler, SyncItem, Uuid,
};

use ItemStatus::{Failed, Skipped, Stopped, Succeeded, Updating};

const PHOTOS: ItemId = id(1);
const MAIL: ItemId = id(2);

fn photos() -> Script {
    Script::new().item(PHOTOS, "photos")
}

/// The only breach, which has to be of this rule; its text names what matters.
#[track_caller]
fn only(trace: &Trace, rule: Rule) -> Violation {
    let found = trace.violations();
    assert_eq!(found.len(), 1, "{rule}: {trace}");
    assert_eq!(found[0].rule, rule, "{trace}");
    assert!(trace.breaks(rule) && !trace.calls()[found[0].at].action.name().is_empty());
    assert!(
        found[0].led_by.iter().all(|led_by| *led_by != found[0].at),
        "{trace}"
    );
    let report = trace.report().to_string();
    assert!(
        report.contains(&format!("{rule} ({})", found[0].severity)),
        "{report}"
    );
    assert!(report.contains(found[0].advice()), "{report}");
    if found[0].is_fault() {
        assert!(!trace.is_conformant());
    }
    found[0].clone()
}

/// The name of the call at fault.
fn call_at(trace: &Trace, violation: &Violation) -> &'static str {
    trace.calls()[violation.at].action.name()
}

#[test]
fn h01_an_item_is_done_before_anybody_was_asked() {
    // A cache that finds the item up to date and says so.
    let script = photos()
        .deaf()
        .synchronize([Step::report(PHOTOS).status(Succeeded)]);
    let trace = Harness::new(script.handler()).run();
    let found = only(&trace, Rule::VerdictBeforeItem);
    assert_eq!(found.severity, Severity::Must);
    assert_eq!(call_at(&trace, &found), "progress");
    assert!(found.message.contains("\"photos\""), "{}", found.message);
}

#[test]
fn h01_the_first_report_tells_of_work_done() {
    let script = photos().synchronize([
        Step::report(PHOTOS).value(1).max(10),
        Step::report(PHOTOS).status(Succeeded),
    ]);
    let trace = Harness::new(script.handler()).run();
    let found = only(&trace, Rule::VerdictBeforeItem);
    assert_eq!(found.severity, Severity::Should);
    assert!(trace.is_conformant(), "a handler that resumes may: {trace}");
    trace.assert_conformant();
}

#[test]
fn h02_the_verdict_is_not_looked_at() {
    let script = photos().deaf().synchronize([
        Step::report(PHOTOS).status(Updating).max(3),
        Step::report(PHOTOS).value(1),
        Step::report(PHOTOS).value(2),
        Step::report(PHOTOS).value(3).status(Succeeded),
    ]);
    let trace = Harness::new(script.handler()).cancel_item_at(2).run();
    let found = only(&trace, Rule::StopCancelledItem);
    let calls = trace.calls();
    assert_eq!(calls[found.at].action.update().value, Some(2), "{trace}");
    assert_eq!(
        calls[found.led_by[0]].action.update().value,
        Some(1),
        "{trace}"
    );
    assert_eq!(found.item, Some(PHOTOS));
    assert_eq!(found.repeats, 0);
}

#[test]
fn h02_counts_what_is_done_again_and_again() {
    let steps = (0..5).map(|n| Step::report(PHOTOS).value(n));
    let steps = steps.chain([Step::report(PHOTOS).status(Stopped)]);
    let trace = Harness::new(photos().deaf().synchronize(steps).handler())
        .cancel_item_at_report(PHOTOS, 1)
        .run();
    assert_eq!(only(&trace, Rule::StopCancelledItem).repeats, 3);
}

#[test]
fn h03_the_next_report_after_a_cancel_of_everything_goes_on() {
    let script = photos().deaf().synchronize([
        Step::report(PHOTOS).status(Updating),
        Step::report(PHOTOS).text("almost done"),
        Step::report(PHOTOS).status(Succeeded),
    ]);
    let trace = Harness::new(script.handler()).cancel_all_at(1).run();
    let found = only(&trace, Rule::StopAllWhenCancelled);
    assert_eq!(
        trace.calls()[found.led_by[0]].action.update().status,
        Some(Updating)
    );
}

#[test]
fn h03_each_workers_next_report_is_clean_and_its_second_is_a_breach() {
    const WORKERS: u128 = 4;
    let make = |reports: u64| {
        let cancelled = Arc::new(Barrier::new(WORKERS as usize));
        let mut script = Script::new().deaf();
        let mut steps = Vec::new();
        for n in 1..=WORKERS {
            script = script.item(id(n), &format!("item {n}"));
            let cancelled = cancelled.clone();
            let mut worker = vec![
                Step::report(id(n)).status(Updating),
                Step::run(move || {
                    cancelled.wait();
                }),
            ];
            worker.extend((1..=reports).map(|n_th| Step::report(id(n)).value(n_th)));
            worker.push(Step::report(id(n)).status(Stopped));
            steps.push(Step::spawn(worker));
        }
        // The last of them to begin cancels everything, after all have begun.
        let begun = Arc::new(Mutex::new(0));
        Harness::new(script.synchronize(steps).handler()).cancel_all_when(move |call| {
            let mut begun = begun.lock().unwrap();
            *begun += usize::from(call.action.update().value == Some(1));
            *begun == 1
        })
    };
    // All of them report once more after the barrier; whoever comes first there cancels for all.
    let trace = make(1).run();
    assert_eq!(trace.violations(), [], "{trace}");
    let trace = make(2).run();
    assert!(!trace.violations().is_empty());
    for found in trace.violations() {
        assert_eq!(found.rule, Rule::StopAllWhenCancelled, "{trace}");
        assert_eq!(
            trace.calls()[found.at].action.update().value,
            Some(2),
            "{trace}"
        );
    }
    let items: std::collections::BTreeSet<_> =
        trace.violations().iter().map(|found| found.item).collect();
    assert_eq!(
        items.len(),
        trace.violations().len(),
        "once an item: {trace}"
    );
}

#[test]
fn h04_an_item_that_the_user_did_not_select_is_reported() {
    // It goes through its own list in place of the one that it was given.
    let script = photos().item(MAIL, "mail").deaf().synchronize([
        Step::report(PHOTOS).status(Updating),
        Step::report(PHOTOS).status(Succeeded),
        Step::report(MAIL).status(Updating),
        Step::report(MAIL).status(Succeeded),
    ]);
    let trace = Harness::new(script.handler()).select([PHOTOS]).run();
    let found = only(&trace, Rule::OnlyPreparedItems);
    assert_eq!((found.item, found.repeats), (Some(MAIL), 1));
    assert!(found.message.contains("\"mail\""), "{}", found.message);
}

/// Items 1 to `n` by closures, each succeeding after it asked.
fn closures(n: u128) -> Closures {
    Closures::new(n).synchronize(|handler| {
        work(handler);
        handler.complete_synchronize(HResult::S_OK);
        Ok(())
    })
}

fn work(handler: &Arc<Scripted>) {
    let callback = handler.callback();
    for item in handler.round() {
        let _ = callback.progress(item, &status(Updating));
        let _ = callback.progress(item, &status(Succeeded));
    }
}

fn run(closures: Closures) -> Trace {
    Harness::new(closures.build()).run()
}

#[test]
fn h05_the_prepare_is_completed_by_two_places() {
    let trace = run(closures(1).prepare(|handler| {
        let callback = handler.callback();
        // The worker does, and so does the method that started it.
        let worker = callback.clone();
        let worker = std::thread::spawn(move || worker.prepare_for_sync_completed(HResult::S_OK));
        join("the worker", worker)?;
        let _ = callback.prepare_for_sync_completed(HResult::S_OK);
        Ok(Prepared::Started)
    }));
    let found = only(&trace, Rule::PrepareCompletedOnce);
    assert_eq!(call_at(&trace, &found), "prepare_for_sync_completed");
    assert_eq!(
        found.led_by.len(),
        2,
        "the prepare, and the first completion: {trace}"
    );
}

#[test]
fn h05_an_error_path_forgets_to_complete_the_prepare() {
    let handler = closures(1).prepare(|_| Ok(Prepared::Started)).build();
    let trace = Harness::new(handler)
        .deadline(std::time::Duration::from_millis(50))
        .run();
    let found = only(&trace, Rule::PrepareCompletedOnce);
    assert_eq!(call_at(&trace, &found), "prepare_for_sync");
    assert!(found.message.contains("gave up"), "{}", found.message);
}

#[test]
fn h06_a_prepare_fails_in_both_ways() {
    let trace = run(closures(1).prepare(|handler| {
        let _ = handler
            .callback()
            .prepare_for_sync_completed(HResult::E_FAIL);
        Err(HandlerError::failed("the server is down"))
    }));
    let found = only(&trace, Rule::NoPrepareCompletedAfterRefusal);
    assert_eq!(call_at(&trace, &found), "prepare_for_sync_completed");
    let trace = run(closures(1).prepare(|handler| {
        let _ = handler
            .callback()
            .prepare_for_sync_completed(HResult::S_FALSE);
        Ok(Prepared::NeedsUser)
    }));
    only(&trace, Rule::NoPrepareCompletedAfterRefusal);
}

#[test]
fn h07_the_last_of_two_workers_is_not_known_so_both_complete() {
    let trace = run(closures(2).synchronize(|handler| {
        let callback = handler.callback();
        let workers = handler.round().into_iter().map(|item| {
            let callback = callback.clone();
            std::thread::spawn(move || {
                let _ = callback.progress(item, &status(Updating));
                let _ = callback.progress(item, &status(Succeeded));
                callback
            })
        });
        let workers: Vec<_> = workers.collect();
        for worker in workers {
            let callback = join("a worker", worker);
            let _ = callback;
        }
        let _ = callback.synchronize_completed(HResult::S_OK);
        let _ = callback.synchronize_completed(HResult::S_OK);
        Ok(())
    }));
    let found = only(&trace, Rule::SynchronizeCompletedOnce);
    assert_eq!(call_at(&trace, &found), "synchronize_completed");
}

#[test]
fn h07_a_cancel_keeps_it_from_completing() {
    let make = || {
        closures(1)
            .synchronize(|handler| {
                let callback = handler.callback();
                let go_on = callback.progress(PHOTOS, &status(Updating))?.is_continue();
                let last = if go_on { Succeeded } else { Stopped };
                let _ = callback.progress(PHOTOS, &status(last))?;
                if go_on {
                    callback.synchronize_completed(HResult::S_OK)?;
                }
                Ok(())
            })
            .build()
    };
    assert_eq!(Harness::new(make()).run().violations(), []);
    let trace = Harness::new(make())
        .deadline(std::time::Duration::from_millis(50))
        .cancel_item_at(1)
        .run();
    let found = only(&trace, Rule::SynchronizeCompletedOnce);
    assert_eq!(call_at(&trace, &found), "synchronize");
}

#[test]
fn h08_a_synchronize_fails_in_both_ways() {
    let trace = run(closures(1).synchronize(|handler| {
        work(handler);
        let _ = handler.callback().synchronize_completed(HResult::E_FAIL);
        Err(HandlerError::failed("the disk is full"))
    }));
    let found = only(&trace, Rule::NoSynchronizeCompletedAfterFailure);
    assert!(found.message.contains("E_FAIL"), "{}", found.message);
}

const ERROR: ErrorId = ErrorId::from_u128(7);

/// One item that fails with an error to be shown.
fn failing() -> Script {
    photos().synchronize([
        Step::report(PHOTOS).status(Updating),
        Step::log(&LogRecord::new(LogLevel::Error, "the disk is full").jump_text(ERROR)),
        Step::report(PHOTOS).status(Failed),
    ])
}

#[test]
fn h09_showing_an_error_fails_in_both_ways() {
    let done = Step::complete_show_error(HResult::S_OK, []);
    let script = failing().show_error([done.clone()], Err(HResult::E_FAIL));
    let trace = Harness::new(script.handler()).show_errors().run();
    let found = only(&trace, Rule::ShowErrorCompletedOnce);
    assert_eq!(call_at(&trace, &found), "show_error_completed");
    // Twice, after a success.
    let script = failing().show_error([done.clone(), done], Ok(()));
    let trace = Harness::new(script.handler()).show_errors().run();
    only(&trace, Rule::ShowErrorCompletedOnce);
}

#[test]
fn h09_an_error_that_was_shown_is_never_completed() {
    let script = failing().show_error([], Ok(()));
    let trace = Harness::new(script.handler())
        .show_errors()
        .deadline(std::time::Duration::from_millis(50))
        .run();
    let found = only(&trace, Rule::ShowErrorCompletedOnce);
    assert_eq!(call_at(&trace, &found), "show_error");
}

#[test]
fn h10_showing_properties_is_completed_twice() {
    let done = Step::complete_show_properties(HResult::S_OK);
    let script = photos().show_properties([done.clone(), done.clone()], Ok(()));
    let trace = Harness::new(script.handler()).show_properties(None).run();
    only(&trace, Rule::ShowPropertiesCompletedOnce);
    let script = photos().show_properties([done], Err(HResult::E_INVALIDARG));
    let trace = Harness::new(script.handler()).show_properties(PHOTOS).run();
    only(&trace, Rule::ShowPropertiesCompletedOnce);
}

fn may_bother() -> SyncFlags {
    SyncFlags::new(SyncEvent::Manual) | SyncFlags::MAY_BOTHER_USER
}

fn dialogs(steps: impl IntoIterator<Item = bool>) -> Script {
    photos().prepare(steps.into_iter().map(Step::enable_modeless))
}

#[test]
fn h11_a_turn_is_kept() {
    let trace = Harness::new(dialogs([true]).handler())
        .flags(may_bother())
        .run();
    let found = only(&trace, Rule::DialogTurns);
    assert_eq!(
        trace.calls()[found.at].action,
        Action::EnableModeless { enable: true }
    );
    assert!(
        found.message.contains("never given back"),
        "{}",
        found.message
    );
}

#[test]
fn h11_a_denied_turn_is_given_back() {
    let handler = dialogs([true, false]).handler();
    let trace = Harness::new(handler)
        .flags(may_bother())
        .deny_dialogs()
        .run();
    let found = only(&trace, Rule::DialogTurns);
    assert_eq!(
        trace.calls()[found.at].action,
        Action::EnableModeless { enable: false }
    );
}

#[test]
fn h11_a_second_dialog_is_asked_for_while_the_first_is_open() {
    let trace = Harness::new(dialogs([true, true, false]).handler())
        .flags(may_bother())
        .run();
    let found = only(&trace, Rule::DialogTurns);
    assert_eq!(found.led_by.len(), 1, "{trace}");
}

#[test]
fn h12_a_dialog_in_a_run_in_which_nobody_may_be_bothered() {
    let trace = Harness::new(photos().prepare([Step::dialog()]).handler()).run();
    let found = only(&trace, Rule::NoDialogUnlessMayBother);
    assert!(found.message.contains("preparing"), "{}", found.message);
    let steps = [Step::report(PHOTOS).status(Updating), Step::dialog()];
    let trace = Harness::new(photos().synchronize(steps).handler()).run();
    let found = only(&trace, Rule::NoDialogUnlessMayBother);
    assert!(found.message.contains("synchronizing"), "{}", found.message);
}

/// Remembers its callback in a worker that outlives the run.
#[test]
fn h13_a_worker_keeps_the_callback_and_calls_it_after_the_release() {
    let (go, gone) = std::sync::mpsc::channel::<()>();
    let gone = Mutex::new(Some(gone));
    let go = Mutex::new(Some(go));
    let handler = closures(1)
        .callback_set(move |handler| {
            let callback = handler.callback();
            let gone = gone.lock().unwrap().take();
            std::thread::spawn(move || {
                // Until the handler has let go, which is just before the call returns.
                while gone.as_ref().is_some_and(|gone| gone.recv().is_ok()) {}
                // The host takes it away right after; the late call tries until that shows.
                support::until("the release", || {
                    callback.can_continue(None) == Err(syncmgr::CallbackError::Released)
                });
            });
            Ok(())
        })
        .callback_cleared(move |_| {
            drop(go.lock().unwrap().take());
            Ok(())
        })
        .build();
    let trace = Harness::new(handler).listen(support::LIMIT).run();
    let found = only(&trace, Rule::NoCallAfterRelease);
    assert_eq!(call_at(&trace, &found), "can_continue");
    assert_eq!(
        trace.calls()[found.led_by[0]].action,
        Action::SetProgressCallback { set: None }
    );
}

#[test]
fn h14_the_skip_is_not_looked_at_and_the_item_is_started() {
    // Only the verdict of the first report stops it.
    let script = photos()
        .item(MAIL, "mail")
        .deaf()
        .prepare_on_thread([])
        .synchronize([
            Step::report(PHOTOS).status(Updating),
            Step::report(PHOTOS).status(Succeeded),
            Step::report(MAIL).status(Updating),
            Step::report(MAIL).status(Stopped),
        ]);
    for trace in [
        Harness::new(script.handler()).skip(MAIL).run(),
        Harness::new(script.handler())
            .skip_in_synchronize("mail")
            .run(),
        Harness::new(script.handler())
            .skip_next_at_report("photos", 1)
            .run(),
    ] {
        let found = only(&trace, Rule::SkippedItemNotStarted);
        assert_eq!(found.item, Some(MAIL));
        let told = &trace.calls()[found.led_by[0]].action;
        assert_eq!(
            *told,
            Action::SetItemStatus {
                item: MAIL,
                status: Skipped
            }
        );
    }
}

#[test]
fn h15_what_a_cancel_kept_from_being_started_gets_no_final_status() {
    let make = || {
        closures(3)
            .synchronize(|handler| {
                let callback = handler.callback();
                for item in handler.round() {
                    if !callback.progress(item, &status(Updating))?.is_continue() {
                        let _ = callback.progress(item, &status(Stopped))?;
                        break; // and the rest?
                    }
                    let _ = callback.progress(item, &status(Succeeded))?;
                }
                handler.complete_synchronize(HResult::S_OK);
                Ok(())
            })
            .build()
    };
    assert_eq!(Harness::new(make()).run().violations(), []);
    let trace = Harness::new(make()).cancel_all_at(1).run();
    let found = only(&trace, Rule::FinalStatusBeforeCompletion);
    assert!(
        found
            .message
            .contains("2 items have no final status: \"item 2\", \"item 3\""),
        "{}",
        found.message
    );
}

#[test]
fn h16_two_workers_end_one_item() {
    let script = photos().deaf().synchronize([
        Step::report(PHOTOS).status(Updating),
        Step::spawn([Step::report(PHOTOS).status(Succeeded)]),
    ]);
    assert_eq!(Harness::new(script.handler()).run().violations(), []);
    let ended = Arc::new(Barrier::new(2));
    let (one, two) = (ended.clone(), ended);
    let script = photos().deaf().synchronize([
        Step::report(PHOTOS).status(Updating),
        Step::spawn([
            Step::report(PHOTOS).status(Succeeded),
            Step::run(move || {
                one.wait();
            }),
        ]),
        Step::spawn([
            Step::run(move || {
                two.wait();
            }),
            Step::report(PHOTOS).status(Succeeded),
        ]),
    ]);
    let trace = Harness::new(script.handler()).run();
    let found = only(&trace, Rule::OnlyFailedAfterFinal);
    assert_eq!(found.led_by.len(), 1);
}

#[test]
fn h17_the_file_grew_while_it_was_copied() {
    let script = photos().synchronize([
        Step::report(PHOTOS).status(Updating).max(10),
        Step::report(PHOTOS).value(10),
        Step::report(PHOTOS).value(12),
        Step::report(PHOTOS).status(Succeeded),
    ]);
    let trace = Harness::new(script.handler()).run();
    let found = only(&trace, Rule::ValueWithinMaximum);
    assert!(found.message.contains("12 of 10"), "{}", found.message);
    assert_eq!(trace.calls()[found.led_by[0]].action.update().max, Some(10));
}

#[test]
fn h18_a_retry_names_what_nobody_knows() {
    let retry = Step::complete_show_error(HResult::S_SYNCMGR_RETRYSYNC, [id(9)]);
    let script = failing().show_error([retry], Ok(()));
    let trace = Harness::new(script.handler()).show_errors().run();
    let found = only(&trace, Rule::RetryOnlyKnownItems);
    assert_eq!(found.item, Some(id(9)));
}

#[test]
fn h20_an_error_that_was_never_logged_is_deleted() {
    let other = ErrorId::from_u128(8);
    let script = photos().synchronize([
        Step::report(PHOTOS).status(Updating),
        Step::log(&LogRecord::new(LogLevel::Error, "boom").error_id(ERROR)),
        Step::delete_log(LogSelector::One(ERROR)),
        Step::delete_log(LogSelector::One(other)),
        Step::report(PHOTOS).status(Succeeded),
    ]);
    let trace = Harness::new(script.handler()).run();
    let found = only(&trace, Rule::DeleteOnlyOwnErrors);
    assert!(found.message.contains("error 2"), "{}", found.message);
}

#[test]
fn h21_ids_flags_and_times_of_the_list() {
    let listed = |items: Vec<SyncItem>| {
        let handler = Closures::new(1).items(move |_| Ok(ItemList::Complete(items.clone())));
        run(handler)
    };
    let twice = listed(vec![support::item(1), support::item(1)]);
    only(&twice, Rule::WellFormedItems);
    let nil = SyncItem::new(ItemId::NIL, "nil".parse().unwrap());
    let found = only(&listed(vec![nil]), Rule::WellFormedItems);
    assert!(found.message.contains("nil id"), "{}", found.message);
    let timeless = support::item(1).flags(ItemFlags::LAST_UPDATE_TIME);
    let handler = closures(1).items(move |_| Ok(ItemList::Complete(vec![timeless.clone()])));
    let found = only(&run(handler), Rule::WellFormedItems);
    assert!(found.message.contains("no time"), "{}", found.message);
}

#[test]
fn h22_a_connection_that_the_flags_do_not_announce() {
    let steps = [Step::report(PHOTOS).status(Updating), Step::connect(None)];
    let trace = Harness::new(photos().synchronize(steps).handler()).run();
    let found = only(&trace, Rule::ConnectOnlyIfDeclared);
    assert_eq!(call_at(&trace, &found), "establish_connection");
    let declared = photos()
        .flags(HandlerFlags::MAY_ESTABLISH_CONNECTION)
        .synchronize([Step::connect(None)]);
    assert_eq!(Harness::new(declared.handler()).run().violations(), []);
}

/// Hands out an object for its items, as some ports do.
struct WithObjects(Arc<Scripted>);

impl SyncHandler for WithObjects {
    fn initialize(&self, f: SyncFlags, c: Option<&[u8]>) -> Result<Participation, HandlerError> {
        self.0.initialize(f, c)
    }
    fn info(&self) -> Result<HandlerInfo, HandlerError> {
        self.0.info()
    }
    fn items(&self) -> Result<ItemList, HandlerError> {
        self.0.items()
    }
    fn set_progress_callback(
        &self,
        callback: Option<Arc<dyn SyncCallback>>,
    ) -> Result<(), HandlerError> {
        self.0.set_progress_callback(callback)
    }
    fn prepare_for_sync(self: Arc<Self>, items: &[ItemId]) -> Result<Prepared, HandlerError> {
        self.0.clone().prepare_for_sync(items)
    }
    fn synchronize(self: Arc<Self>) -> Result<(), HandlerError> {
        self.0.clone().synchronize()
    }
    fn set_item_status(&self, item: ItemId, status: ItemStatus) -> Result<(), HandlerError> {
        self.0.set_item_status(item, status)
    }
    fn item_object(&self, _: ItemId, _: Uuid) -> Result<Box<dyn Any + Send>, HandlerError> {
        Ok(Box::new("an object"))
    }
}

#[test]
fn h19_an_item_has_an_object() {
    let handler = Arc::new(WithObjects(closures(1).build()));
    let trace = Harness::new(handler).item_object(PHOTOS, Uuid::nil()).run();
    let found = only(&trace, Rule::NoItemObject);
    assert_eq!(call_at(&trace, &found), "item_object");
}

#[test]
fn the_report_names_the_rule_the_call_what_led_to_it_and_what_to_do_instead() {
    let script = photos().deaf().synchronize([
        Step::report(PHOTOS).status(Updating),
        Step::report(PHOTOS).value(1),
        Step::report(PHOTOS).status(Stopped),
    ]);
    let trace = Harness::new(script.handler()).cancel_item_at(1).run();
    let panic = std::panic::catch_unwind(|| trace.assert_conformant()).unwrap_err();
    let text = panic.downcast_ref::<String>().unwrap();
    for wanted in [
        "1 breach",
        "H02 (must) at call",
        "\"photos\"",
        "led by:    call",
        "instead:   look at the answer of every report",
        "<- H02",
        "the item of report 1 cancelled",
    ] {
        assert!(text.contains(wanted), "{wanted:?} is missing: {text}");
    }
    let _ = (value(1), ProgressUpdate::new());
}
