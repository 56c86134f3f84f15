//! Scripted handlers: each setting and each step does what it says.

#![cfg(feature = "testing")]

use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use syncmgr::testing::{Action, Answer, Call, Harness, Recorder, Script, Side, Step, Trace};
use syncmgr::{
    CallbackError, ErrorId, HResult, HandlerError, HandlerFlags, ItemId, ItemName, ItemStatus,
    LogLevel, LogRecord, LogSelector, Participation, Prepared, Session, SyncEvent, SyncFlags,
    SyncHandler, SyncItem,
};

use ItemStatus::{Failed, Skipped, Stopped, Succeeded, Updating};

const ONE: ItemId = ItemId::from_u128(1);
const TWO: ItemId = ItemId::from_u128(2);
const THREE: ItemId = ItemId::from_u128(3);

/// A script of items one and two, on the host's thread.
fn script() -> Script {
    Script::new().item(ONE, "one").item(TWO, "two").inline()
}

/// The calls of the handler, as a trace writes them, with their answers.
fn calls(trace: &Trace) -> Vec<String> {
    let text = trace.to_string();
    let timeline = text.split("\n\n").next().unwrap_or_default();
    let lines = timeline.lines().skip(2).filter_map(|line| {
        let number: usize = line.get(..5)?.trim().parse().ok()?;
        let call = trace.calls().get(number - 1)?;
        let line = line.get(33..)?.trim();
        let line = line.split("    <- ").next()?;
        (call.action.side() == Side::Handler).then(|| line.to_owned())
    });
    lines.collect()
}

/// The calls of the handler in a run without any cancel.
#[track_caller]
fn makes(script: Script, expected: &[&str]) {
    let trace = Harness::new(script.handler()).run();
    assert_eq!(calls(&trace), expected, "{trace}");
}

fn named<'a>(trace: &'a Trace, name: &'a str) -> Vec<&'a Call> {
    let calls = trace.calls().iter();
    calls.filter(|call| call.action.name() == name).collect()
}

// What it tells of itself -------------------------------------------------------------------------------------------

#[test]
fn a_script_tells_its_name_its_flags_and_its_items() {
    let plain = Script::new().handler();
    let info = plain.info().unwrap();
    assert_eq!(info.name.as_str(), "script");
    assert_eq!(info.flags, HandlerFlags::empty());
    let list = plain.items().unwrap();
    assert!(list.is_complete() && list.items().is_empty());

    let unchecked = SyncItem::new(TWO, ItemName::shortened("two")).checked(false);
    let told = Script::new()
        .name("told")
        .flags(HandlerFlags::MAY_ESTABLISH_CONNECTION)
        .item(ONE, "one")
        .sync_item(unchecked.clone())
        .incomplete()
        .handler();
    let info = told.info().unwrap();
    assert_eq!(info.name.as_str(), "told");
    assert_eq!(info.flags, HandlerFlags::MAY_ESTABLISH_CONNECTION);
    let list = told.items().unwrap();
    assert!(!list.is_complete());
    let one = SyncItem::new(ONE, ItemName::shortened("one"));
    assert_eq!(list.items(), [one, unchecked]);
    assert_eq!(
        Script::default().handler().info().unwrap().name.as_str(),
        "script"
    );
}

#[test]
fn it_answers_what_it_is_told_to_answer() {
    let joins = |script: Script| {
        let flags = SyncFlags::new(SyncEvent::Manual);
        let answer = script.handler().initialize(flags, None);
        answer.map_err(|error| error.hresult())
    };
    assert_eq!(joins(Script::new()), Ok(Participation::Joins));
    let declines = Script::new().participation(Ok(Participation::Declines));
    assert_eq!(joins(declines), Ok(Participation::Declines));
    let fails = Script::new().participation(Err(HResult::E_FAIL));
    assert_eq!(joins(fails), Err(HResult::E_FAIL));
}

#[test]
fn without_a_callback_it_can_do_nothing() {
    let script = Script::new()
        .show_error([], Ok(()))
        .show_properties([], Ok(()));
    let unexpected = |result: Result<(), HandlerError>| {
        assert_eq!(result.unwrap_err().hresult(), HResult::E_UNEXPECTED);
    };
    let handler = script.handler();
    unexpected(Arc::clone(&handler).prepare_for_sync(&[]).map(drop));
    unexpected(Arc::clone(&handler).synchronize());
    unexpected(Arc::clone(&handler).show_error(ErrorId::from_u128(1)));
    unexpected(Arc::clone(&handler).show_properties(None));
    let plain = Script::new().handler();
    let not_there = Arc::clone(&plain).show_properties(None).unwrap_err();
    assert_eq!(not_there.hresult(), HResult::E_NOTIMPL);
    let not_there = plain.show_error(ErrorId::from_u128(1)).unwrap_err();
    assert_eq!(not_there.hresult(), HResult::E_NOTIMPL);
}

// Completions -------------------------------------------------------------------------------------------------------

#[test]
fn it_completes_by_itself_or_by_its_steps() {
    let skipped = [
        "progress(\"one\", skipped) -> Continue",
        "progress(\"two\", skipped) -> Continue",
    ];
    let own = "prepare_for_sync_completed(S_OK) -> ok";
    let end = "synchronize_completed(S_OK) -> ok";
    makes(script(), &[own, skipped[0], skipped[1], end]);
    makes(
        script().prepare([Step::complete_prepare(HResult::S_OK)]),
        &[own, skipped[0], skipped[1], end],
    );
    makes(
        script().prepare([Step::spawn([Step::complete_prepare(HResult::E_FAIL)])]),
        &["prepare_for_sync_completed(E_FAIL) -> ok"],
    );
    let failed = "synchronize_completed(E_ABORT) -> ok";
    let completes = Step::complete_synchronize(HResult::E_ABORT);
    let ends = [ONE, TWO].map(|item| Step::report(item).status(Skipped));
    let mut steps = ends.to_vec();
    steps.push(completes.clone());
    makes(
        script().synchronize(steps.clone()),
        &[own, skipped[0], skipped[1], failed],
    );
    makes(
        script().synchronize([Step::spawn([Step::spawn(steps)])]),
        &[own, skipped[0], skipped[1], failed],
    );
    // Other steps, also on other threads, are no completions.
    makes(
        script().synchronize([Step::spawn([Step::can_continue()])]),
        &[
            own,
            "can_continue(the handler as a whole) -> Continue",
            skipped[0],
            skipped[1],
            end,
        ],
    );
}

#[test]
fn it_completes_nothing_where_nothing_is_due() {
    let needs_user = Prepared::NeedsUser.into();
    for (answer, code) in [
        (Ok(Prepared::NeedsUser), needs_user),
        (Err(HResult::E_FAIL), HResult::E_FAIL),
    ] {
        let trace = Harness::new(script().prepared(answer).handler()).run();
        trace.assert_conformant();
        assert_eq!(calls(&trace), [] as [&str; 0], "{trace}");
        let answered = named(&trace, "prepare_for_sync")[0].answer.hresult();
        assert_eq!(answered, Some(code));
    }
    let trace = Harness::new(script().synchronized(Err(HResult::E_FAIL)).handler()).run();
    trace.assert_conformant();
    assert!(named(&trace, "synchronize_completed").is_empty(), "{trace}");
    let failed = named(&trace, "synchronize")[0].answer.hresult();
    assert_eq!(failed, Some(HResult::E_FAIL));
    let silent = script()
        .prepare([Step::complete_prepare(HResult::S_OK)])
        .without_completions();
    let trace = Harness::new(silent.handler())
        .deadline(Duration::from_millis(30))
        .run();
    assert!(named(&trace, "synchronize_completed").is_empty(), "{trace}");
}

#[test]
fn errors_and_properties_are_shown_by_their_steps() {
    let error = ErrorId::from_u128(9);
    let record = LogRecord::new(LogLevel::Error, "boom").jump_text(error);
    let script = || {
        script()
            .synchronize([Step::log(&record)])
            .show_properties([Step::complete_show_properties(HResult::E_FAIL)], Ok(()))
            .show_error(
                [Step::complete_show_error(
                    HResult::S_SYNCMGR_RETRYSYNC,
                    [TWO],
                )],
                Ok(()),
            )
    };
    let trace = Harness::new(script().handler())
        .show_properties(None)
        .show_errors()
        .max_retries(1)
        .run();
    trace.assert_conformant();
    let made = calls(&trace);
    assert_eq!(made[0], "show_properties_completed(E_FAIL) -> ok");
    let shown = "show_error_completed(S_SYNCMGR_RETRYSYNC, \"two\") -> ok";
    assert_eq!(made.iter().filter(|call| *call == shown).count(), 2);
    // In the second round, of item two alone, item one has no part.
    assert_eq!(named(&trace, "prepare_for_sync").len(), 2);
    let of = |name: &str| trace.item(name).to_string().matches("skipped").count();
    assert_eq!((of("one"), of("two")), (1, 2), "{trace}");

    let fails = script()
        .show_properties([], Err(HResult::E_ABORT))
        .show_error([], Err(HResult::E_ABORT));
    let trace = Harness::new(fails.handler())
        .show_properties(None)
        .show_errors()
        .run();
    for name in ["show_properties", "show_error"] {
        let answer = named(&trace, name)[0].answer.hresult();
        assert_eq!(answer, Some(HResult::E_ABORT), "{trace}");
    }
}

// Items -------------------------------------------------------------------------------------------------------------

#[test]
fn each_item_of_the_round_has_an_end_whatever_its_steps() {
    let steps = |item| Step::report(item).status(Updating);
    makes(
        script().item(THREE, "three").synchronize([
            steps(ONE),
            steps(TWO),
            Step::report(TWO).status(Failed),
            // It has ended.
            Step::report(TWO).status(Succeeded),
        ]),
        &[
            "prepare_for_sync_completed(S_OK) -> ok",
            "progress(\"one\", updating) -> Continue",
            "progress(\"two\", updating) -> Continue",
            "progress(\"two\", failed) -> Continue",
            "progress(\"one\", stopped) -> Continue",
            "progress(\"three\", skipped) -> Continue",
            "synchronize_completed(S_OK) -> ok",
        ],
    );
    makes(
        script().deaf().synchronize([
            steps(ONE),
            Step::report(ONE).status(Failed),
            Step::report(ONE).status(Failed),
            Step::report(TWO),
        ]),
        &[
            "prepare_for_sync_completed(S_OK) -> ok",
            "progress(\"one\", updating) -> Continue",
            "progress(\"one\", failed) -> Continue",
            "progress(\"one\", failed) -> Continue",
            "progress(\"two\", only asks) -> Continue",
            "synchronize_completed(S_OK) -> ok",
        ],
    );
}

#[test]
fn an_item_that_is_cancelled_is_stopped_at_once_and_does_no_more() {
    let trace = Harness::new(
        script()
            .synchronize([
                Step::report(ONE).status(Updating),
                Step::report(ONE).value(1),
                Step::report(TWO).status(Updating),
                Step::report(TWO).status(Succeeded),
            ])
            .handler(),
    )
    .cancel_item_at(1)
    .run();
    trace.assert_conformant();
    assert_eq!(
        calls(&trace)[1..],
        [
            "progress(\"one\", updating)",
            "progress(\"one\", stopped) -> CancelItem",
            "progress(\"two\", updating) -> Continue",
            "progress(\"two\", succeeded) -> Continue",
            "synchronize_completed(S_OK) -> ok",
        ]
    );
}

#[test]
fn a_step_of_an_item_that_is_not_in_the_round_is_not_done() {
    let steps = [
        Step::report(ONE).status(Updating),
        Step::report(TWO).status(Updating),
        Step::report(THREE).status(Updating),
        Step::report(ONE).status(Succeeded),
    ];
    let trace = Harness::new(script().synchronize(steps).handler())
        .select([ONE])
        .run();
    trace.assert_conformant();
    assert_eq!(
        calls(&trace)[1..],
        [
            "progress(\"one\", updating) -> Continue",
            "progress(\"one\", succeeded) -> Continue",
            "synchronize_completed(S_OK) -> ok",
        ]
    );
}

#[test]
fn an_item_that_is_added_takes_part_where_it_was_taken() {
    let late = |id| SyncItem::new(id, ItemName::shortened("late"));
    makes(
        script().synchronize([
            Step::add_item(late(THREE)),
            // The host knows that one.
            Step::add_item(late(ONE)),
            Step::report(ONE).status(Succeeded),
            Step::report(TWO).status(Succeeded),
            Step::report(THREE).status(Updating),
        ]),
        &[
            "prepare_for_sync_completed(S_OK) -> ok",
            "add_item(\"late\") -> ok",
            "add_item(\"one\") -> refused: InvalidArgument",
            "progress(\"one\", succeeded) -> Continue",
            "progress(\"two\", succeeded) -> Continue",
            "progress(\"late\", updating) -> Continue",
            "progress(\"late\", stopped) -> Continue",
            "synchronize_completed(S_OK) -> ok",
        ],
    );
}

/// A handler that was given a callback of an open session with its items, and prepared both: so nothing is refused.
fn prepared(script: &Script) -> (Arc<dyn SyncHandler>, Recorder) {
    let item = |id, name: &str| SyncItem::new(id, ItemName::shortened(name));
    let session = Session::builder()
        .items([item(ONE, "one"), item(TWO, "two")])
        .build()
        .unwrap();
    let recorder = Recorder::new();
    let handler = script.handler();
    let callback = recorder.callback(session);
    handler.set_progress_callback(Some(callback)).unwrap();
    let answer = Arc::clone(&handler).prepare_for_sync(&[ONE, TWO]);
    assert!(answer.is_ok());
    (handler, recorder)
}

fn statuses(recorder: &Recorder, item: ItemId) -> Vec<ItemStatus> {
    let trace = recorder.trace();
    let reports = trace.calls().iter();
    reports
        .filter(|call| call.action.reported() == Some(item))
        .filter_map(|call| call.action.update().status)
        .collect()
}

#[test]
fn an_item_that_is_skipped_before_it_begins_is_not_begun() {
    let steps = [ONE, TWO].into_iter().flat_map(|item| {
        [
            Step::report(item).status(Updating),
            Step::report(item).status(Succeeded),
        ]
    });
    let (handler, recorder) = prepared(&script().synchronize(steps));
    let unknown = handler.set_item_status(THREE, Skipped).unwrap_err();
    assert_eq!(unknown.hresult(), HResult::E_INVALIDARG);
    assert!(handler.set_item_status(ONE, Skipped).is_ok());
    assert!(handler.set_item_status(ONE, Skipped).is_ok(), "once more");
    Arc::clone(&handler).synchronize().unwrap();
    assert_eq!(statuses(&recorder, ONE), [Skipped]);
    assert_eq!(statuses(&recorder, TWO), [Updating, Succeeded]);
    // What has ended is not skipped any more.
    assert!(handler.set_item_status(TWO, Skipped).is_ok());
}

#[test]
fn a_skip_that_comes_while_the_first_report_is_made_waits_for_it() {
    let handler: Arc<Mutex<Option<Arc<dyn SyncHandler>>>> = Arc::default();
    let (told, waits) = mpsc::channel();
    /// Skips the item from another thread while its first report is being made.
    struct SkipInside {
        inner: Arc<Session>,
        skip: Mutex<Option<Box<dyn FnOnce() + Send>>>,
    }
    impl syncmgr::SyncCallback for SkipInside {
        fn progress(
            &self,
            item: ItemId,
            update: &syncmgr::ProgressUpdate<'_>,
        ) -> Result<syncmgr::Verdict, CallbackError> {
            if let Some(skip) = self.skip.lock().unwrap().take() {
                skip();
            }
            self.inner.progress(item, update)
        }
        fn log_error(&self, _: &LogRecord<'_>) -> Result<(), CallbackError> {
            Ok(())
        }
        fn delete_log_error(&self, _: LogSelector) -> Result<(), CallbackError> {
            Ok(())
        }
        fn prepare_for_sync_completed(&self, _: HResult) -> Result<(), CallbackError> {
            Ok(())
        }
        fn synchronize_completed(&self, _: HResult) -> Result<(), CallbackError> {
            Ok(())
        }
        fn show_error_completed(&self, _: syncmgr::ErrorOutcome<'_>) -> Result<(), CallbackError> {
            Ok(())
        }
        fn show_properties_completed(
            &self,
            _: syncmgr::PropertiesOutcome,
        ) -> Result<(), CallbackError> {
            Ok(())
        }
        fn enable_modeless(&self, _: bool) -> Result<syncmgr::Dialog, CallbackError> {
            Ok(syncmgr::Dialog::Denied)
        }
        fn establish_connection(&self, _: Option<&str>) -> Result<(), CallbackError> {
            Ok(())
        }
    }
    let one = SyncItem::new(ONE, ItemName::shortened("one"));
    let session = Session::builder().item(one).build().unwrap();
    let (place, waited) = (handler.clone(), Arc::new(Mutex::new(None)));
    let seen = waited.clone();
    let skip = move || {
        let handler = place.lock().unwrap().take().unwrap();
        std::thread::spawn(move || {
            let answer = handler.set_item_status(ONE, Skipped);
            let _heard = told.send(answer.is_ok());
        });
        // It does not come back while the report is being made.
        let early = waits.recv_timeout(Duration::from_millis(30));
        *seen.lock().unwrap() = Some((early, waits));
    };
    let callback = SkipInside {
        inner: session.clone(),
        skip: Mutex::new(Some(Box::new(skip))),
    };
    let scripted = Script::new()
        .item(ONE, "one")
        .inline()
        .synchronize([
            Step::report(ONE).status(Updating),
            Step::report(ONE).status(Succeeded),
        ])
        .handler();
    *handler.lock().unwrap() = Some(scripted.clone());
    let callback: Arc<dyn syncmgr::SyncCallback> = Arc::new(callback);
    scripted.set_progress_callback(Some(callback)).unwrap();
    Arc::clone(&scripted).prepare_for_sync(&[ONE]).unwrap();
    Arc::clone(&scripted).synchronize().unwrap();
    let (early, waits) = waited.lock().unwrap().take().unwrap();
    assert_eq!(early, Err(mpsc::RecvTimeoutError::Timeout));
    assert_eq!(waits.recv_timeout(Duration::from_secs(20)), Ok(true));
    // It was begun, so it goes on.
    let view = session.item(ONE).unwrap();
    assert_eq!(view.status, Succeeded);
}

#[test]
fn an_item_that_was_in_an_earlier_round_has_no_part_in_the_next() {
    let steps = [ONE, TWO].map(|item| Step::report(item).status(Updating));
    let (handler, recorder) = prepared(&script().synchronize(steps));
    Arc::clone(&handler).prepare_for_sync(&[TWO]).unwrap();
    Arc::clone(&handler).synchronize().unwrap();
    assert_eq!(statuses(&recorder, ONE), []);
    assert_eq!(statuses(&recorder, TWO), [Updating, Stopped]);
    // It is known, and there is nothing to skip.
    assert!(handler.set_item_status(ONE, Skipped).is_ok());
}

// Steps -------------------------------------------------------------------------------------------------------------

#[test]
fn each_step_makes_its_call() {
    let error = ErrorId::from_u128(9);
    let record = LogRecord::new(LogLevel::Error, "boom")
        .item(ONE)
        .error_id(error);
    let flags = SyncFlags::new(SyncEvent::Manual) | SyncFlags::MAY_BOTHER_USER;
    let script = script()
        .flags(HandlerFlags::MAY_ESTABLISH_CONNECTION)
        .synchronize([
            Step::check(ONE),
            Step::report(ONE).status(Updating).value(1).max(2).text("a"),
            Step::log(&record),
            Step::delete_log(LogSelector::One(error)),
            Step::delete_log(LogSelector::All),
            Step::dialog(),
            Step::enable_modeless(true),
            Step::enable_modeless(false),
            Step::connect(None),
            Step::connect(Some("office")),
            Step::can_continue(),
        ]);
    let run = |harness: Harness| {
        let made = calls(&harness.flags(flags).run());
        made[1..made.len() - 3].to_vec()
    };
    let granted = run(Harness::new(script.handler()));
    assert_eq!(
        granted,
        [
            "progress(\"one\", only asks) -> Continue",
            "progress(\"one\", updating, value 1, max 2, \"a\") -> Continue",
            "log_error(error, \"boom\", \"one\", error 1) -> ok",
            "delete_log_error(error 1) -> ok",
            "delete_log_error(all) -> ok",
            "enable_modeless(true) -> Granted",
            "enable_modeless(false) -> Granted",
            "enable_modeless(true) -> Granted",
            "enable_modeless(false) -> Granted",
            "establish_connection(the default one)",
            "establish_connection(\"office\")",
            "can_continue(the handler as a whole) -> Continue",
        ]
    );
    // A turn that is not granted is not given back.
    let denied = run(Harness::new(script.handler()).deny_dialog_at(1));
    assert_eq!(denied[5], "enable_modeless(true) -> Denied");
    assert_eq!(denied[6], "enable_modeless(true) -> Granted");
}

#[test]
fn what_is_set_on_another_step_than_a_report_changes_nothing() {
    let changed = Step::can_continue()
        .status(Failed)
        .value(1)
        .max(2)
        .text("a");
    assert_eq!(format!("{changed:?}"), "can_continue");
}

#[test]
fn the_prepare_is_done_on_the_hosts_thread_or_on_its_own() {
    let thread = |script: Script, name: &str| {
        let trace = Harness::new(script.handler()).run();
        trace.assert_conformant();
        let host = trace.calls()[0].thread;
        named(&trace, name)[0].thread == host
    };
    let prepared = "prepare_for_sync_completed";
    assert!(thread(script(), prepared));
    assert!(thread(script().prepare([Step::run(|| {})]), prepared));
    assert!(!thread(script().prepare_on_thread([]), prepared));
    let synchronized = "synchronize_completed";
    assert!(thread(script(), synchronized));
    let plain = Script::new().item(ONE, "one");
    assert!(!thread(plain, synchronized));
}

#[test]
fn the_steps_of_the_prepare_are_done_there() {
    makes(
        script()
            .prepare([Step::can_continue()])
            .synchronize([ONE, TWO].map(|item| Step::report(item).status(Skipped))),
        &[
            "can_continue(the handler as a whole) -> Continue",
            "prepare_for_sync_completed(S_OK) -> ok",
            "progress(\"one\", skipped) -> Continue",
            "progress(\"two\", skipped) -> Continue",
            "synchronize_completed(S_OK) -> ok",
        ],
    );
}

#[test]
fn threads_that_are_spawned_are_waited_for() {
    // Each takes its time, and yet all is done before the completion.
    let steps = [ONE, TWO].map(|item| {
        Step::spawn([
            Step::run(|| {
                for _ in 0..200 {
                    std::thread::yield_now();
                }
            }),
            Step::report(item).status(Updating),
            Step::spawn([Step::report(item).status(Succeeded)]),
        ])
    });
    for _ in 0..20 {
        let trace = Harness::new(script().synchronize(steps.clone()).handler()).run();
        trace.assert_conformant();
        assert_eq!(trace.status("one"), Some(Succeeded), "{trace}");
        assert_eq!(trace.status("two"), Some(Succeeded), "{trace}");
    }
    let trace = Harness::new(
        script()
            .prepare([Step::spawn([
                Step::run(|| {
                    for _ in 0..200 {
                        std::thread::yield_now();
                    }
                }),
                Step::can_continue(),
            ])])
            .handler(),
    )
    .run();
    trace.assert_conformant();
    assert_eq!(
        named(&trace, "can_continue")[0].answer,
        Answer::Verdict(syncmgr::Verdict::Continue),
        "{trace}"
    );
}

#[test]
fn the_steps_of_the_release_are_done_when_the_callback_is_taken_away() {
    let script = script().release([Step::can_continue(), Step::report(ONE)]);
    let trace = Harness::new(script.handler()).run();
    trace.assert_conformant();
    let asked = named(&trace, "can_continue");
    let [asked] = &asked[..] else {
        panic!("{trace}");
    };
    let taken_away = named(&trace, "set_progress_callback")[1];
    assert!(taken_away.begun < asked.begun && asked.ended < taken_away.ended);
    assert_eq!(asked.callback, Some(1));
    // A new callback in place of the old one is no release.
    let (handler, recorder) = prepared(&script);
    let session = Session::builder().build().unwrap();
    handler
        .set_progress_callback(Some(recorder.callback(session)))
        .unwrap();
    assert!(named(&recorder.trace(), "can_continue").is_empty());
    // It goes to the callback that is taken away, and what is not there is not called.
    handler.set_progress_callback(None).unwrap();
    handler.set_progress_callback(None).unwrap();
    let trace = recorder.trace();
    let asked: Vec<Option<u32>> = named(&trace, "can_continue")
        .iter()
        .map(|call| call.callback)
        .collect();
    assert_eq!(asked, [Some(2)]);
    assert!(matches!(
        trace.calls().last().unwrap().action,
        Action::CanContinue { item: None }
    ));
}
