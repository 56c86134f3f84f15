//! What the checker says of each breach of the rules of the handler that are not of reports and completions, word for word: the calls, the item, and what led there.

// What a case breaks is asserted before its trace is handed out.
#![allow(unused_must_use)]

use support::lines::*;
use syncmgr::testing::Rule;

const GRANTED: &str = r#"{"dialog":"granted"}"#;
const DENIED: &str = r#"{"dialog":"denied"}"#;

#[test]
fn h11_tells_why_there_is_no_turn() {
    let round = || Lines::new().host(&set_callback(1), DONE).phase("completed");
    let back = |lines: Lines| lines.handler(&modeless(false), GRANTED);
    back(round()).says(
        Rule::DialogTurns,
        2,
        &[],
        "call 2 calls enable_modeless(false) without a turn for a dialog to give back: none was asked for",
    );
    back(round().handler(&modeless(true), DENIED)).says(
        Rule::DialogTurns,
        3,
        &[2],
        "call 3 calls enable_modeless(false) without a turn for a dialog to give back: call 2 was denied it",
    );
    back(back(round().handler(&modeless(true), GRANTED))).says(
        Rule::DialogTurns,
        4,
        &[2, 3],
        "call 4 calls enable_modeless(false) without a turn for a dialog to give back: call 3 gave back the turn of call 2",
    );
    // A worker that was denied its dialog gives back the turn of another one, which is then
    // without.
    let both = round()
        .handler(&modeless(true), GRANTED)
        .handler_at(2, (5, 6), &modeless(true), DENIED)
        .handler_at(2, (7, 8), &modeless(false), GRANTED);
    both.clone().breaks(&[]);
    back(both).says(
        Rule::DialogTurns,
        5,
        &[2, 3, 4],
        "call 5 calls enable_modeless(false) without a turn for a dialog to give back: call 4 gave back the turn of call 2, although call 3 was denied it",
    );
}

#[test]
fn h11_a_turn_that_is_never_given_back() {
    let held = || {
        Lines::new()
            .host(&set_callback(1), DONE)
            .phase("completed")
            .handler(&modeless(true), GRANTED)
    };
    held().host(TAKEN_AWAY, DONE).says(
        Rule::DialogTurns,
        2,
        &[3],
        "call 2 was granted the turn for a dialog by enable_modeless(true), and it was never given back until call 3 took the callback away",
    );
    held()
        .host(DROPPED, NONE)
        .breaks(&[Rule::DialogTurns, Rule::CallbackAroundUse]);
    assert_eq!(
        Lines::undecided(held()),
        [(
            Rule::DialogTurns,
            "a turn for a dialog is not given back, and the trace ends before the handler's life does"
                .to_owned()
        )]
    );
    let released = held().host(RELEASED, NONE).host(TAKEN_AWAY, DONE);
    assert_eq!(Lines::undecided(released), []);
}

#[test]
fn h12_names_the_phase_and_the_flags() {
    let asks = |flags: u32, phase: &'static str| {
        Lines::new()
            .host(
                &format!(r#"{{"call":"initialize","flags":{flags},"cookie":null}}"#),
                r#"{"participation":"joins"}"#,
            )
            .host(&set_callback(1), DONE)
            .phase(phase)
            .handler(&modeless(true), DENIED)
    };
    for phase in ["preparing", "prepared", "synchronizing"] {
        asks(3, phase).says(
            Rule::NoDialogUnlessMayBother,
            3,
            &[1],
            &format!(
                "call 3 calls enable_modeless(true) while {phase}, and the flags of call 1 lack MAY_BOTHER_USER"
            ),
        );
        asks(0x203, phase).breaks(&[]);
    }
    for phase in ["idle", "completed"] {
        asks(3, phase).breaks(&[]);
    }
    let without = |lines: Lines, phase: &'static str| {
        Lines::undecided(lines.phase(phase).handler(&modeless(true), DENIED))
    };
    let expected = [(
        Rule::NoDialogUnlessMayBother,
        "the trace does not have initialize, so whether the user may be bothered is not known"
            .to_owned(),
    )];
    let host = || Lines::new().host(&set_callback(1), DONE);
    assert_eq!(without(host(), "preparing"), expected);
    assert_eq!(without(host(), "completed"), []);
    assert_eq!(without(Lines::new(), "open"), expected);
}

#[test]
fn h13_names_the_call_that_took_the_callback_away() {
    let callback = || Lines::new().host(&set_callback(1), DONE);
    let waker = r#"{"call":"wake_on_cancel","item":null}"#;
    let says = "call 3 calls wake_on_cancel on a callback that call 2 had taken away";
    for answer in [DONE, &failed("E_FAIL"), r#"{"panicked":"boom"}"#] {
        let lines = callback().host(TAKEN_AWAY, answer).handler(waker, DONE);
        lines.says(Rule::NoCallAfterRelease, 3, &[2], says);
    }
    let replaced = |answer: &str| {
        callback()
            .host(&set_callback(2), answer)
            .handler(waker, DONE)
    };
    replaced(DONE).says(Rule::NoCallAfterRelease, 3, &[2], says);
    // A new one that the handler did not take leaves it the old one.
    replaced(&failed("E_FAIL")).breaks(&[]);
    replaced(&failed("E_FAIL"))
        .host(TAKEN_AWAY, DONE)
        .handler(waker, DONE)
        .says(
            Rule::NoCallAfterRelease,
            5,
            &[4],
            "call 5 calls wake_on_cancel on a callback that call 4 had taken away",
        );
    // One that overlaps came before, for all that is known; and no other rule judges a late one.
    callback()
        .host_at((3, 6), TAKEN_AWAY, DONE)
        .handler_at(1, (4, 5), waker, DONE)
        .breaks(&[]);
    callback()
        .host_at((3, 0), TAKEN_AWAY, NONE)
        .handler(waker, DONE)
        .breaks(&[]);
    callback()
        .host(TAKEN_AWAY, DONE)
        .report(FOUR, SUCCEEDED)
        .breaks(&[Rule::NoCallAfterRelease]);
}

#[test]
fn h13_does_not_ask_for_a_completion_that_is_not_due() {
    let late = |answer: &str, earlier: bool| {
        let lines = Lines::new()
            .host(&set_callback(1), DONE)
            .phase("preparing")
            .host(&prepare(&[ONE]), answer);
        let done = completed("prepare_for_sync", "E_FAIL");
        let lines = if earlier {
            lines.handler(&done, DONE)
        } else {
            lines
        };
        lines.host(TAKEN_AWAY, DONE).handler(&done, DONE)
    };
    let rule = Rule::NoCallAfterRelease;
    late(&failed("E_FAIL"), false).says(
        rule,
        4,
        &[2, 3],
        "call 4 calls prepare_for_sync_completed on a callback that call 3 had taken away; it is not due earlier either: prepare_for_sync (call 2) answered E_FAIL (0x80004005): nothing is to be completed",
    );
    late(r#"{"panicked":"boom"}"#, false).says(
        rule,
        4,
        &[2, 3],
        "call 4 calls prepare_for_sync_completed on a callback that call 3 had taken away; it is not due earlier either: prepare_for_sync (call 2) panicked: nothing is to be completed",
    );
    late(STARTED, true).says(
        rule,
        5,
        &[3, 4],
        "call 5 calls prepare_for_sync_completed on a callback that call 4 had taken away; it is not due earlier either: call 3 had completed prepare_for_sync already",
    );
    // One that was due, and came too late.
    let message = late(STARTED, false).trace().violations()[0].message.clone();
    assert!(message.ends_with("call 3 had taken away"), "{message}");
}

#[test]
fn h18_names_the_item_of_the_retry() {
    let error = with("show_error", "error", ONE);
    let logged = format!(
        r#"{{"call":"log_error","record":{{"level":"error","text":"x","flags":1,"error_id":"{ONE}"}}}}"#
    );
    let retry = |item: &str| {
        format!(
            r#"{{"call":"show_error_completed","result":"S_SYNCMGR_RETRYSYNC","items":["{item}"]}}"#
        )
    };
    let shown = |lines: Lines| {
        lines
            .report(ONE, UPDATING)
            .report(ONE, FAILED)
            .handler(&logged, DONE)
            .complete()
            .host(&error, DONE)
    };
    shown(Lines::synchronizing(&[ONE]))
        .handler(&retry(FOUR), DONE)
        .says(
            Rule::RetryOnlyKnownItems,
            12,
            &[],
            "call 12 asks for a retry of unknown item 1 (the id 00000000-0000-0000-0000-000000000004), which was neither listed nor added; no retry follows",
        );
    let next = prepare(&[ONE]);
    let followed = shown(Lines::synchronizing(&[ONE]))
        .handler(&retry(FOUR), DONE)
        .host(&next, STARTED);
    assert!(
        followed.trace().violations()[0]
            .message
            .ends_with("neither listed nor added")
    );
    shown(Lines::synchronizing(&[ONE]))
        .handler(&retry(THREE), DONE)
        .breaks(&[]);
    let propose = format!(r#"{{"call":"propose_item","item":{}}}"#, item(FOUR, "four"));
    let proposed = || Lines::synchronizing(&[ONE]).handler(&propose, DONE);
    shown(proposed()).handler(&retry(FOUR), DONE).says(
        Rule::RetryOnlyKnownItems,
        13,
        &[],
        r#"call 13 asks for a retry of "four", which was proposed and not committed; no retry follows"#,
    );
    let commit = with("commit_item", "item", FOUR);
    shown(proposed().handler(&commit, DONE))
        .handler(&retry(FOUR), DONE)
        .breaks(&[]);
    shown(proposed().handler(&commit, r#"{"refused":"wrong_phase"}"#))
        .handler(&retry(FOUR), DONE)
        .breaks(&[Rule::RetryOnlyKnownItems]);
    let alone = Lines::new().phase("open").handler(&retry(FOUR), DONE);
    assert!(Lines::undecided(alone).contains(&(
        Rule::RetryOnlyKnownItems,
        "the trace does not have the list of items".to_owned()
    )));
}

#[test]
fn h19_names_the_code() {
    let object = format!(r#"{{"call":"item_object","item":"{ONE}","interface":"{TWO}"}}"#);
    let answers = |answer: &str| Lines::new().host(&object, answer);
    answers(r#""object""#).says(
        Rule::NoItemObject,
        1,
        &[],
        "item_object (call 1) of unknown item 1 answers S_OK (0x00000000), where E_NOTIMPL is due",
    );
    answers(&failed("E_FAIL")).says(
        Rule::NoItemObject,
        1,
        &[],
        "item_object (call 1) of unknown item 1 answers E_FAIL (0x80004005), where E_NOTIMPL is due",
    );
    answers(&failed("E_NOTIMPL")).breaks(&[]);
    answers(r#"{"panicked":"boom"}"#).breaks(&[]);
}

#[test]
fn h20_names_the_error_with_its_id() {
    Lines::prepared(&[ONE])
        .handler(&with("delete_log_error", "error", TWO), DONE)
        .says(
            Rule::DeleteOnlyOwnErrors,
            6,
            &[],
            "call 6 deletes error 1 (the id 00000000-0000-0000-0000-000000000002), which this handler had not logged before",
        );
    Lines::prepared(&[ONE])
        .handler(r#"{"call":"delete_log_error","error":null}"#, DONE)
        .breaks(&[]);
}

#[test]
fn h21_names_the_place_and_the_fault() {
    let items = |items: &[(&str, &str)]| Lines::new().host(r#"{"call":"items"}"#, &listed(items));
    items(&[(ONE, "one"), (TWO, "two"), (ONE, "again")]).says(
        Rule::WellFormedItems,
        1,
        &[],
        r#"items (call 1) lists the id 00000000-0000-0000-0000-000000000001 twice: at the places 1 and 3, the latter "again""#,
    );
    items(&[(NIL, "nothing")]).says(
        Rule::WellFormedItems,
        1,
        &[],
        r#"in items (call 1) the item "nothing" has the nil id"#,
    );
    let add = |item: &str| {
        Lines::prepared(&[ONE]).handler(&format!(r#"{{"call":"add_item","item":{item}}}"#), DONE)
    };
    let timed =
        |rest: &str| format!(r#"{{"id":"{FOUR}","name":"four","flags":8,"checked":true{rest}}}"#);
    add(&timed("")).says(
        Rule::WellFormedItems,
        6,
        &[],
        r#"in add_item (call 6) the item "four" has LAST_UPDATE_TIME among its flags, and no time; SyncItem::last_update sets both"#,
    );
    add(&timed(r#","last_update":132444736001234567"#)).breaks(&[]);
    add(&item(FOUR, "four")).breaks(&[]);
}

#[test]
fn h22_names_the_flags() {
    let asks = |flags: u32| {
        Lines::new()
            .host(
                r#"{"call":"info"}"#,
                &format!(r#"{{"info":{{"name":"x","flags":{flags}}}}}"#),
            )
            .host(&set_callback(1), DONE)
            .handler(&with("establish_connection", "name", "office"), DONE)
    };
    asks(0).says(
        Rule::ConnectOnlyIfDeclared,
        3,
        &[1],
        "call 3 asks for a connection, and the flags that call 1 answered lack MAY_ESTABLISH_CONNECTION",
    );
    asks(2).breaks(&[]);
    let alone = Lines::new().handler(&with("establish_connection", "name", "office"), DONE);
    assert_eq!(
        Lines::undecided(alone),
        [(
            Rule::ConnectOnlyIfDeclared,
            "the trace does not have info, so the handler's flags are not known".to_owned()
        )]
    );
}
