//! The host that answers from a list: what it takes, what it answers, and what it says of what came beside the list.

use std::fmt::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};

use support::hooked::OnWrite;
use syncmgr::testing::mock::{Expect, ScriptedHost};
use syncmgr::{
    CallbackError, Dialog, ErrorId, ErrorOutcome, HResult, ItemId, ItemStatus, LogLevel, LogRecord,
    LogSelector, ProgressUpdate, PropertiesOutcome, SyncCallback, Verdict,
};

const ONE: ItemId = ItemId::from_u128(1);
const TWO: ItemId = ItemId::from_u128(2);

/// What it says when it panics, up to the trace that follows.
#[track_caller]
fn fault(work: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(work)).expect_err("it panics");
    let text = panic.downcast_ref::<String>().expect("it says a text");
    text.split("\n\n").next().unwrap_or_default().to_owned()
}

type Made = fn(&dyn SyncCallback) -> Result<(), CallbackError>;

/// One call of each kind, in words and as it is made.
fn calls() -> Vec<(&'static str, Expect, Made)> {
    vec![
        (
            "progress of the item 00000000-0000-0000-0000-000000000001",
            Expect::report(ONE, Verdict::Continue),
            |callback| callback.progress(ONE, &ProgressUpdate::new()).map(drop),
        ),
        ("log_error", Expect::log_error(), |callback| {
            callback.log_error(&LogRecord::new(LogLevel::Error, "x"))
        }),
        ("delete_log_error", Expect::delete_log_error(), |callback| {
            callback.delete_log_error(LogSelector::ById(ErrorId::from_u128(1)))
        }),
        (
            "prepare_for_sync_completed",
            Expect::prepare_for_sync_completed(),
            |callback| callback.prepare_for_sync_completed(HResult::S_OK),
        ),
        (
            "synchronize_completed",
            Expect::synchronize_completed(),
            |callback| callback.synchronize_completed(HResult::S_OK),
        ),
        (
            "show_error_completed",
            Expect::show_error_completed(),
            |callback| callback.show_error_completed(ErrorOutcome::Done),
        ),
        (
            "show_properties_completed",
            Expect::show_properties_completed(),
            |callback| callback.show_properties_completed(PropertiesOutcome::Done),
        ),
        (
            "enable_modeless",
            Expect::enable_modeless(Dialog::Granted),
            |callback| callback.enable_modeless(true).map(drop),
        ),
        (
            "establish_connection",
            Expect::establish_connection(),
            |callback| callback.establish_connection(Some("office")),
        ),
    ]
}

#[test]
fn each_kind_of_call_is_taken_where_it_is_expected_and_refused_where_it_is_told() {
    for (name, expect, call) in calls() {
        let host = ScriptedHost::new([
            expect.clone(),
            expect.clone().refused(CallbackError::ItemFinished),
        ]);
        let callback = host.callback();
        assert_eq!(call(&*callback), Ok(()), "{name}");
        assert_eq!(call(&*callback), Err(CallbackError::ItemFinished), "{name}");
        assert_eq!(host.finish().calls().len(), 2, "{name}");
    }
}

#[test]
fn a_call_beside_the_list_is_told_with_what_was_expected() {
    for (name, expect, call) in calls() {
        let text = fault(|| {
            let host = ScriptedHost::new([expect.clone()]);
            let callback = host.callback();
            assert_eq!(call(&*callback), Ok(()), "{name}");
            assert_eq!(call(&*callback), Err(CallbackError::WrongPhase), "{name}");
            let _trace = host.finish();
        });
        let asks = if name.starts_with("progress") {
            ", only asks"
        } else {
            ""
        };
        let expected = format!(
            "calls came that were not expected:\n  after 1 call came {name}{asks}, where nothing was expected"
        );
        assert_eq!(text, expected);
    }
}

#[test]
fn each_call_that_did_not_come_is_told() {
    let text = fault(|| {
        let host = ScriptedHost::new(calls().into_iter().map(|(_, expect, _)| expect));
        let _trace = host.finish();
    });
    let names: Vec<&str> = calls().into_iter().map(|(name, ..)| name).collect();
    let expected = format!(
        "0 calls came as expected, then none of these:\n  {}",
        names.join("\n  ")
    );
    assert_eq!(text, expected);
}

#[test]
fn a_report_has_to_be_of_the_item_and_say_what_is_expected() {
    let updating = ProgressUpdate::new().status(ItemStatus::Updating);
    let report = |item, update: &ProgressUpdate<'_>| {
        fault(|| {
            let expected = Expect::report(ONE, Verdict::Continue).saying(&updating);
            let host = ScriptedHost::new([Expect::report(ONE, Verdict::Continue), expected]);
            let callback = host.callback();
            let any = callback.progress(ONE, &ProgressUpdate::new().value(7));
            assert_eq!(any, Ok(Verdict::Continue), "whatever it says");
            let other = callback.progress(item, update);
            assert_eq!(other, Err(CallbackError::WrongPhase));
            // It is remembered as beside the list, and what is expected stays so.
            assert_eq!(callback.progress(ONE, &updating), Ok(Verdict::Continue));
            let _trace = host.finish();
        })
    };
    let expected =
        "progress of the item 00000000-0000-0000-0000-000000000001, updating was expected";
    assert_eq!(
        report(TWO, &updating),
        format!(
            "calls came that were not expected:\n  \
             after 1 call came progress of the item 00000000-0000-0000-0000-000000000002, updating, where {expected}"
        )
    );
    assert_eq!(
        report(ONE, &ProgressUpdate::new().value(8)),
        format!(
            "calls came that were not expected:\n  \
             after 1 call came progress of the item 00000000-0000-0000-0000-000000000001, value 8, where {expected}"
        )
    );
}

#[test]
fn the_answers_of_reports_and_dialogs_are_those_of_the_list() {
    let host = ScriptedHost::new([
        Expect::report(ONE, Verdict::Continue),
        Expect::report(ONE, Verdict::CancelItem),
        Expect::report(ONE, Verdict::CancelAll),
        Expect::enable_modeless(Dialog::Denied),
        Expect::enable_modeless(Dialog::Granted),
    ]);
    let callback = host.callback();
    let asks = ProgressUpdate::new();
    assert_eq!(callback.progress(ONE, &asks), Ok(Verdict::Continue));
    // The short form counts too.
    assert_eq!(callback.can_continue(Some(ONE)), Ok(Verdict::CancelItem));
    assert_eq!(callback.progress(ONE, &asks), Ok(Verdict::CancelAll));
    assert_eq!(callback.enable_modeless(true), Ok(Dialog::Denied));
    assert_eq!(callback.enable_modeless(true), Ok(Dialog::Granted));
    let _trace = host.finish();
}

#[test]
fn a_host_that_is_dropped_without_its_end_fails_and_says_why() {
    let text = fault(|| drop(ScriptedHost::new([])));
    assert_eq!(
        text,
        "a scripted host was dropped without `finish`; all calls came as expected"
    );
    let text = fault(|| drop(ScriptedHost::new([Expect::log_error()])));
    assert_eq!(
        text,
        "a scripted host was dropped without `finish`; 0 calls came as expected, then none of these:\n  log_error"
    );
}

#[test]
fn a_test_that_fails_by_itself_is_not_hidden_by_its_host() {
    // A panic while it is dropped would end the whole program.
    let text = fault(|| {
        let _host = ScriptedHost::new([Expect::log_error()]);
        panic!("{}", "the test's own");
    });
    assert_eq!(text, "the test's own");
}

#[test]
fn a_host_that_is_dropped_in_a_panic_does_not_panic_too() {
    for beside in [false, true] {
        let panic = catch_unwind(AssertUnwindSafe(|| {
            let host = ScriptedHost::new([Expect::log_error()]);
            let callback = host.callback();
            let entry = LogRecord::new(LogLevel::Error, "x");
            assert_eq!(callback.log_error(&entry), Ok(()));
            if beside {
                assert_eq!(callback.log_error(&entry), Err(CallbackError::WrongPhase));
            }
            panic!("the test's own");
        }));
        let panic = panic.expect_err("it panics");
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"the test's own"));
    }
}

#[test]
fn a_scripted_host_may_be_called_while_it_is_printed() {
    for place in 0..20 {
        support::within("the text", move || {
            let host = ScriptedHost::new([Expect::log_error()]);
            let callback = host.callback();
            let call = || callback.log_error(&LogRecord::new(LogLevel::Error, "x"));
            let mut writes = 0;
            let mut out = OnWrite(|| {
                if writes == place {
                    assert_eq!(call(), Ok(()));
                }
                writes += 1;
            });
            write!(out, "{host:?}").expect("it takes everything");
            if writes <= place {
                assert_eq!(call(), Ok(()));
            }
            let _trace = host.finish();
        });
    }
}
