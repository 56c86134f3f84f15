//! What the checker says of each breach of the host's rules, word for word.

// What a case breaks is asserted before its trace is handed out.
#![allow(unused_must_use)]

use support::lines::*;
use syncmgr::testing::Rule;

const GRANTED: &str = r#"{"dialog":"granted"}"#;

/// A round in which item one is done: nine calls.
fn done() -> Lines {
    Lines::synchronizing(&[ONE])
        .report(ONE, UPDATING)
        .report(ONE, FAILED)
        .complete()
}

#[test]
fn m01_names_the_prepare_and_its_completion() {
    Lines::new()
        .host(&set_callback(1), DONE)
        .host(SYNCHRONIZE, DONE)
        .says(
            Rule::SynchronizeAfterPrepare,
            2,
            &[],
            "call 2 synchronizes although the prepare was not completed",
        );
    let prepared = |result: &str| {
        Lines::new()
            .host(&set_callback(1), DONE)
            .host(&prepare(&[ONE]), STARTED)
            .handler(&completed("prepare_for_sync", result), DONE)
            .host(SYNCHRONIZE, DONE)
    };
    prepared("E_FAIL").says(
        Rule::SynchronizeAfterPrepare,
        4,
        &[2, 3],
        "call 4 synchronizes although call 3 had completed the prepare with E_FAIL (0x80004005)",
    );
    prepared("S_OK").breaks(&[]);
    Lines::synchronizing(&[ONE]).host(SYNCHRONIZE, DONE).says(
        Rule::SynchronizeAfterPrepare,
        7,
        &[4, 6],
        "call 7 synchronizes again; call 6 did in this round",
    );
    // The completion of the round before is none of this one.
    done()
        .host(&prepare(&[ONE]), STARTED)
        .host(SYNCHRONIZE, DONE)
        .says(
            Rule::SynchronizeAfterPrepare,
            11,
            &[10],
            "call 11 synchronizes although the prepare was not completed",
        );
}

#[test]
fn m02_names_the_prepare() {
    Lines::prepared(&[]).says(
        Rule::NothingWithoutSelection,
        4,
        &[],
        "call 4 prepares no items",
    );
}

#[test]
fn m03_names_what_comes_without_a_callback() {
    Lines::new()
        .host(r#"{"call":"show_properties","target":null}"#, DONE)
        .says(
            Rule::CallbackAroundUse,
            1,
            &[],
            "show_properties (call 1) comes while no callback is set",
        );
    Lines::new()
        .host(&set_callback(1), DONE)
        .host(TAKEN_AWAY, DONE)
        .host(&prepare(&[ONE]), STARTED)
        .says(
            Rule::CallbackAroundUse,
            3,
            &[],
            "prepare_for_sync (call 3) comes while no callback is set",
        );
    Lines::new()
        .host(&set_callback(1), DONE)
        .host(DROPPED, NONE)
        .says(
            Rule::CallbackAroundUse,
            2,
            &[1],
            "the handler is let go, and the callback that call 1 had set was not taken away",
        );
    Lines::new()
        .host(&set_callback(1), DONE)
        .host(TAKEN_AWAY, DONE)
        .host(DROPPED, NONE)
        .breaks(&[]);
}

#[test]
fn m04_tells_why_there_is_no_window() {
    let skipped = skip(ONE, "skipped");
    let says = |lines: Lines, at: usize, related_calls: &[usize], message: &str| {
        lines
            .host(&skipped, DONE)
            .says(Rule::SkipInItsWindows, at, related_calls, message);
    };
    says(
        Lines::new().host(r#"{"call":"items"}"#, &listed(&[(ONE, "one")])),
        2,
        &[],
        r#"call 2 for "one" comes while no prepare and no synchronize is in hand"#,
    );
    let begun = Lines::prepared(&[ONE]);
    let time = begun.next();
    says(
        begun.host_at((time.0, 0), SYNCHRONIZE, NONE),
        7,
        &[6],
        r#"call 7 for "one" comes before call 6 has returned"#,
    );
    says(
        Lines::prepared(&[ONE]).host(SYNCHRONIZE, &failed("E_FAIL")),
        7,
        &[6],
        r#"call 7 for "one" comes after call 6 has failed"#,
    );
    Lines::synchronizing(&[ONE])
        .host(&skip(ONE, "failed"), DONE)
        .says(
            Rule::SkipInItsWindows,
            7,
            &[6],
            r#"call 7 for "one" sets the status failed; only Skipped is used"#,
        );
    // The host's next step ends the window; its completion alone does not, for it may not have seen it.
    done().host(&skipped, DONE).breaks(&[]);
    says(
        done().host(TAKEN_AWAY, DONE),
        11,
        &[],
        r#"call 11 for "one" comes while no prepare and no synchronize is in hand"#,
    );
    let log = format!(
        r#"{{"call":"log_error","record":{{"level":"error","text":"x","flags":1,"error_id":"{ONE}"}}}}"#
    );
    says(
        done()
            .handler(&log, DONE)
            .host(&with("show_error", "error", ONE), &failed("E_FAIL")),
        12,
        &[],
        r#"call 12 for "one" comes while no prepare and no synchronize is in hand"#,
    );
}

#[test]
fn m05_names_the_error() {
    let log = |flags: u32| {
        format!(
            r#"{{"call":"log_error","record":{{"level":"error","text":"x","flags":{flags},"error_id":"{ONE}"}}}}"#
        )
    };
    let shown = |flags: u32| {
        done()
            .handler(&log(flags), DONE)
            .host(&with("show_error", "error", ONE), &failed("E_FAIL"))
    };
    shown(1).breaks(&[]);
    shown(0).says(
        Rule::ShowErrorOnlyForJumpText,
        11,
        &[],
        "call 11 shows error 1, and no entry with jump text has that id",
    );
}

#[test]
fn m06_names_the_event() {
    let begins = |flags: u32, cookie: &str| {
        Lines::new().host(
            &format!(r#"{{"call":"initialize","flags":{flags},"cookie":{cookie}}}"#),
            r#"{"participation":"joins"}"#,
        )
    };
    begins(3, "[1]").says(
        Rule::CookieOnlyWithInvoke,
        1,
        &[],
        "call 1 passes a cookie, and the event is manual",
    );
    begins(5, "[1]").breaks(&[]);
    begins(3, "null").breaks(&[]);
}

#[test]
fn m08_names_the_connection_and_the_step() {
    let closed = |name: &str| format!(r#"{{"call":"connection_closed","name":{name}}}"#);
    Lines::synchronizing(&[ONE])
        .host(&closed("null"), NONE)
        .says(
            Rule::ConnectionsOutliveHandlers,
            7,
            &[6],
            "call 7 closes the default connection while call 6 is not completed",
        );
    Lines::prepared(&[ONE])
        .host(&closed(r#""office""#), NONE)
        .says(
            Rule::ConnectionsOutliveHandlers,
            6,
            &[4],
            r#"call 6 closes the connection "office" while call 4 is not completed"#,
        );
    done().host(&closed("null"), NONE).breaks(&[]);
    let failed_prepare = Lines::new()
        .host(&set_callback(1), DONE)
        .host(&prepare(&[ONE]), STARTED)
        .handler(&completed("prepare_for_sync", "E_FAIL"), DONE)
        .host(&closed("null"), NONE);
    failed_prepare.breaks(&[]);
}

#[test]
fn m09_names_the_turn_that_is_not_given_back() {
    let turn = || Lines::new().phase("open").handler(&modeless(true), GRANTED);
    // That the handler asks while it has one is no breach of its own.
    let rule = &[Rule::OneDialogAtATime];
    let trace = turn().handler(&modeless(true), GRANTED).breaks(rule);
    let found = &trace.violations()[0];
    assert_eq!(
        found.message,
        "call 2 is granted a dialog while the turn of call 1 is not given back"
    );
    assert_eq!((found.at, &found.related_calls[..]), (1, &[0][..]));
    // The end of any work gives it back too.
    for over in [
        completed("prepare_for_sync", "S_OK"),
        completed("synchronize", "S_OK"),
        r#"{"call":"show_error_completed","result":"S_OK","items":[]}"#.to_owned(),
        completed("show_properties", "S_OK"),
        modeless(false),
    ] {
        let trace = turn()
            .handler(&over, DONE)
            .handler(&modeless(true), GRANTED)
            .trace();
        assert!(!trace.breaks(Rule::OneDialogAtATime), "{trace}");
    }
    let trace = turn()
        .host(TAKEN_AWAY, DONE)
        .handler(&modeless(true), GRANTED)
        .trace();
    assert!(!trace.breaks(Rule::OneDialogAtATime), "{trace}");
}

#[test]
fn m10_names_the_cancel() {
    let round = || Lines::synchronizing(&[ONE, TWO]);
    let says = |lines: Lines| {
        lines.report(ONE, UPDATING).says(
            Rule::CancelIsSeen,
            8,
            &[7],
            r#"call 8 of "one" is answered Continue after the cancel of call 7"#,
        );
    };
    says(round().host(&with("cancel_item", "item", ONE), DONE));
    says(round().host(&with("skip_item", "item", ONE), DONE));
    says(round().host(CANCELS_ALL, DONE));
    says(round().handler_at(2, (13, 14), &progress(ONE, ""), CANCEL));
    // Another item's, one that was refused, one that ended nothing.
    let other = round().host(&with("cancel_item", "item", TWO), DONE);
    other.report(ONE, UPDATING).breaks(&[]);
    let refused = round().host(
        &with("cancel_item", "item", ONE),
        r#"{"refused":"unknown_item"}"#,
    );
    refused.report(ONE, UPDATING).breaks(&[]);
    // The one that had returned first.
    round()
        .host(CANCELS_ALL, DONE)
        .host(CANCELS_ALL, DONE)
        .report(ONE, UPDATING)
        .says(
            Rule::CancelIsSeen,
            9,
            &[7],
            r#"call 9 of "one" is answered Continue after the cancel of call 7"#,
        );
}

#[test]
fn m10_an_item_that_has_ended_is_not_cancelled_any_more() {
    let ended = || {
        Lines::synchronizing(&[ONE])
            .report(ONE, UPDATING)
            .report(ONE, FAILED)
    };
    ended()
        .host(&with("cancel_item", "item", ONE), DONE)
        .report(ONE, "")
        .breaks(&[]);
    ended().host(CANCELS_ALL, DONE).report(ONE, "").breaks(&[]);
    // An end that was refused is none.
    Lines::synchronizing(&[ONE])
        .report(ONE, UPDATING)
        .handler(&progress(ONE, FAILED), r#"{"refused":"released"}"#)
        .host(&with("cancel_item", "item", ONE), DONE)
        .report(ONE, "")
        .breaks(&[Rule::CancelIsSeen]);
}

#[test]
fn m10_a_retry_takes_the_cancel_of_its_items_back_and_the_first_round_does_not() {
    let again = |lines: Lines, item: &str| {
        lines
            .host(&prepare(&[item]), STARTED)
            .handler(&completed("prepare_for_sync", "S_OK"), DONE)
            .host(SYNCHRONIZE, DONE)
            .report(item, UPDATING)
    };
    let cancelled = Lines::synchronizing(&[ONE, TWO])
        .host(&with("cancel_item", "item", ONE), DONE)
        .handler(&progress(ONE, r#""status":"stopped""#), CANCEL)
        .report(TWO, UPDATING)
        .report(TWO, FAILED)
        .complete();
    again(cancelled.clone(), ONE).breaks(&[]);
    // That it has ended is taken back with it.
    again(cancelled, ONE)
        .host(&with("cancel_item", "item", ONE), DONE)
        .report(ONE, r#""value":0"#)
        .breaks(&[Rule::CancelIsSeen]);
    // A cancel of everything holds.
    let all = Lines::synchronizing(&[ONE])
        .host(CANCELS_ALL, DONE)
        .handler(&progress(ONE, r#""status":"stopped""#), CANCEL_ALL)
        .complete();
    again(all, ONE).breaks(&[Rule::CancelIsSeen]);
    // Made before the first round, it holds in it.
    let before = Lines::new()
        .host(&set_callback(1), DONE)
        .host(&with("skip_item", "item", ONE), DONE);
    again(before, ONE).breaks(&[Rule::CancelIsSeen]);
}
