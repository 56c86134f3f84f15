//! Scripted handlers: each step does what it says, where and when it says so.

use support::scripts::*;

use syncmgr::testing::mock::{Script, Step};
use syncmgr::testing::{Action, Answer, Harness, Intervention};
use syncmgr::{
    ErrorId, HandlerFlags, ItemStatus, LogLevel, LogRecord, LogSelector, Session, SyncEvent,
    SyncFlags,
};

use ItemStatus::{Failed, Skipped, Succeeded, Updating};

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
            Step::delete_log(LogSelector::ById(error)),
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
    let denied = run(Harness::new(script.handler()).intervene(Intervention::DenyDialog(1)));
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
