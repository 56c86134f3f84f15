//! Scripted handlers: what they tell, what they answer, and when they complete.

use std::sync::Arc;
use std::time::Duration;
use support::scripts::*;

use syncmgr::testing::Harness;
use syncmgr::testing::mock::{Script, Step};
use syncmgr::{
    ErrorId, HResult, HandlerError, HandlerFlags, ItemName, ItemStatus, LogLevel, LogRecord,
    Participation, Prepared, SyncEvent, SyncFlags, SyncItem,
};

use ItemStatus::Skipped;

#[test]
fn a_script_tells_its_name_its_flags_and_its_items() {
    let plain = Script::new().handler();
    let info = plain.info().unwrap();
    assert_eq!(info.name.as_str(), "script");
    assert_eq!(info.flags, HandlerFlags::empty());
    let list = plain.items().unwrap();
    assert!(list.is_complete() && list.items().is_empty());

    let unchecked = SyncItem::new(TWO, ItemName::truncate_start("two")).checked(false);
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
    let one = SyncItem::new(ONE, ItemName::truncate_start("one"));
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
