//! How a trace calls what passed: the words of each call and each answer, and the names of items and errors.

use support::lines::*;

/// The timeline of these calls, without number, thread and phase, and without the marks of breaches: only the words.
fn words(lines: Lines) -> Vec<String> {
    let text = lines.trace().to_string();
    let timeline = text.split("\n\n").next().unwrap_or_default();
    let words = timeline.lines().skip(2).map(|line| {
        let words = line.get(33..).unwrap_or(line);
        words.split("    <- ").next().unwrap_or_default().to_owned()
    });
    words.collect()
}

/// Each call of the host is written so.
#[track_caller]
fn host_is_written(calls: &[(&str, &str, &str)]) {
    let lines = calls.iter().fold(Lines::new(), |lines, (call, answer, _)| {
        lines.host(call, answer)
    });
    let expected: Vec<&str> = calls.iter().map(|(_, _, words)| *words).collect();
    assert_eq!(words(lines), expected);
}

/// Each call of the handler is written so, after the call that names the items.
#[track_caller]
fn handler_is_written(calls: &[(&str, &str, &str)]) {
    let names = listed(&[(ONE, "one"), (TWO, "two")]);
    let lines = Lines::new().host(r#"{"call":"items"}"#, &names);
    let lines = calls.iter().fold(lines, |lines, (call, answer, _)| {
        lines.handler(call, answer)
    });
    let expected: Vec<&str> = calls.iter().map(|(_, _, words)| *words).collect();
    assert_eq!(words(lines)[1..], expected);
}

#[test]
fn what_the_host_asks_first_is_written_with_flags_and_lists() {
    let list = |complete: bool, items: &str| {
        format!(r#"{{"list":{{"complete":{complete},"items":[{items}]}}}}"#)
    };
    let four = format!(r#"{{"id":"{FOUR}","name":"four","flags":1,"checked":false}}"#);
    let joins = r#"{"participation":"joins"}"#;
    host_is_written(&[
        (
            r#"{"call":"initialize","flags":517,"cookie":[1]}"#,
            joins,
            "initialize(invoke, MAY_BOTHER_USER, cookie of 1 byte) -> Joins",
        ),
        (
            r#"{"call":"initialize","flags":5,"cookie":[1,2]}"#,
            joins,
            "initialize(invoke, cookie of 2 bytes) -> Joins",
        ),
        (
            r#"{"call":"initialize","flags":3,"cookie":null}"#,
            r#"{"participation":"declines"}"#,
            "initialize(manual) -> Declines",
        ),
        (
            r#"{"call":"info"}"#,
            r#"{"info":{"name":"everything","flags":2}}"#,
            r#"info() -> "everything", MAY_ESTABLISH_CONNECTION"#,
        ),
        (
            r#"{"call":"info"}"#,
            r#"{"info":{"name":"plain","flags":0}}"#,
            r#"info() -> "plain""#,
        ),
        (
            r#"{"call":"items"}"#,
            &listed(&[(ONE, "one"), (TWO, "two"), (THREE, "one")]),
            r#"items() -> complete: "one", "two", "one (2)""#,
        ),
        (
            r#"{"call":"items"}"#,
            &list(false, &four),
            r#"items() -> incomplete: "four" (HAS_PROPERTIES) (unchecked)"#,
        ),
        (
            r#"{"call":"items"}"#,
            &list(true, ""),
            "items() -> complete",
        ),
    ]);
}

#[test]
fn the_hosts_steps_are_written_with_the_names_of_items_and_the_numbers_of_errors() {
    let names = listed(&[(ONE, "one"), (TWO, "two")]);
    let skip = format!(r#"{{"call":"set_item_status","item":"{ONE}","status":"skipped"}}"#);
    let object = format!(r#"{{"call":"item_object","item":"{TWO}","interface":"{ONE}"}}"#);
    host_is_written(&[
        (
            r#"{"call":"items"}"#,
            &names,
            r#"items() -> complete: "one", "two""#,
        ),
        (
            &set_callback(7),
            DONE,
            "set_progress_callback(callback 7) -> ok",
        ),
        (
            &prepare(&[ONE, TWO]),
            STARTED,
            r#"prepare_for_sync("one", "two") -> Started"#,
        ),
        (
            &prepare(&[]),
            r#"{"prepared":"needs_user"}"#,
            "prepare_for_sync() -> NeedsUser",
        ),
        (
            SYNCHRONIZE,
            &failed("E_FAIL"),
            r#"synchronize() -> E_FAIL: "x""#,
        ),
        (
            SYNCHRONIZE,
            &failed("0x80041234"),
            r#"synchronize() -> 0x80041234: "x""#,
        ),
        (&skip, DONE, r#"set_item_status("one", skipped) -> ok"#),
        (&object, r#""object""#, r#"item_object("two") -> an object"#),
        (
            &with("show_properties", "target", ONE),
            DONE,
            r#"show_properties("one") -> ok"#,
        ),
        (
            r#"{"call":"show_properties","target":null}"#,
            DONE,
            "show_properties(the handler's own) -> ok",
        ),
        (
            &with("show_error", "error", TWO),
            DONE,
            "show_error(error 1) -> ok",
        ),
        (
            &with("show_error", "error", ONE),
            DONE,
            "show_error(error 2) -> ok",
        ),
        (
            TAKEN_AWAY,
            r#"{"panicked":"boom"}"#,
            r#"set_progress_callback(none) -> panicked: "boom""#,
        ),
        (SYNCHRONIZE, NONE, "synchronize() -> (has not returned)"),
    ]);
}

#[test]
fn what_is_no_call_is_written_in_words() {
    host_is_written(&[
        (
            r#"{"call":"items"}"#,
            &listed(&[(ONE, "one")]),
            r#"items() -> complete: "one""#,
        ),
        (
            &with("cancel_item", "item", ONE),
            DONE,
            r#"* the user cancels "one" -> ok"#,
        ),
        (CANCELS_ALL, DONE, "* the user cancels everything -> ok"),
        (
            &with("skip_item", "item", ONE),
            r#"{"refused":"unknown_item"}"#,
            r#"* the user skips "one" -> refused: UnknownItem"#,
        ),
        (
            r#"{"call":"connection_opened","name":null}"#,
            NONE,
            "* a connection opens",
        ),
        (
            &with("connection_opened", "name", "office"),
            NONE,
            r#"* a connection opens: "office""#,
        ),
        (
            r#"{"call":"connection_closed","name":null}"#,
            NONE,
            "* a connection closes",
        ),
        (
            &with("connection_closed", "name", "office"),
            NONE,
            r#"* a connection closes: "office""#,
        ),
        (RELEASED, NONE, "* the callback is released"),
        (GAVE_UP, NONE, "* the host gives up waiting"),
        (DROPPED, NONE, "* the host drops the handler"),
    ]);
}

#[test]
fn reports_are_written_with_what_they_say_and_what_they_were_answered() {
    handler_is_written(&[
        (
            &progress(ONE, ""),
            CONTINUE,
            r#"progress("one", only asks) -> Continue"#,
        ),
        (
            &progress(
                ONE,
                r#""status":"updating","value":1,"max":2,"text":"a\nb""#,
            ),
            CANCEL,
            r#"progress("one", updating, value 1, max 2, "a\nb") -> CancelItem"#,
        ),
        (
            &progress(THREE, UPDATING),
            CANCEL_ALL,
            "progress(unknown item 1, updating) -> CancelAll",
        ),
        (
            &progress(FOUR, UPDATING),
            CANCEL_ALL,
            "progress(unknown item 2, updating) -> CancelAll",
        ),
        (
            &progress(NIL, UPDATING),
            r#"{"refused":"unknown_item"}"#,
            "progress(the nil item, updating) -> refused: UnknownItem",
        ),
        (
            r#"{"call":"can_continue","item":null}"#,
            CONTINUE,
            "can_continue(the handler as a whole) -> Continue",
        ),
        (
            &with("can_continue", "item", ONE),
            CONTINUE,
            r#"can_continue("one") -> Continue"#,
        ),
        (
            r#"{"call":"wake_on_cancel","item":null}"#,
            DONE,
            "wake_on_cancel(the handler as a whole) -> ok",
        ),
        (
            &with("wake_on_cancel", "item", ONE),
            DONE,
            r#"wake_on_cancel("one") -> ok"#,
        ),
        (
            &with("handler_text", "text", "at work"),
            CONTINUE,
            r#"set_handler_text("at work") -> Continue"#,
        ),
    ]);
}

#[test]
fn log_entries_are_written_with_their_item_their_error_and_whether_they_can_be_shown() {
    handler_is_written(&[
        (
            r#"{"call":"log_error","record":{"level":"error","text":"plain"}}"#,
            DONE,
            r#"log_error(error, "plain") -> ok"#,
        ),
        (
            &format!(
                r#"{{"call":"log_error","record":{{"level":"warning","text":"of one","item":"{ONE}","error_id":"{TWO}"}}}}"#
            ),
            DONE,
            r#"log_error(warning, "of one", "one", error 1) -> ok"#,
        ),
        (
            &format!(
                r#"{{"call":"log_error","record":{{"level":"information","text":"more","flags":1,"error_id":"{ONE}"}}}}"#
            ),
            DONE,
            r#"log_error(information, "more", error 2, jump text) -> ok"#,
        ),
        // The flag alone shows nothing: there is no id to show.
        (
            r#"{"call":"log_error","record":{"level":"information","text":"less","flags":1}}"#,
            r#"{"refused":"log_full"}"#,
            r#"log_error(information, "less") -> refused: LogFull"#,
        ),
        (
            &with("delete_log_error", "error", TWO),
            DONE,
            "delete_log_error(error 1) -> ok",
        ),
        (
            r#"{"call":"delete_log_error","error":null}"#,
            DONE,
            "delete_log_error(all) -> ok",
        ),
    ]);
}

#[test]
fn the_other_calls_of_the_handler_are_written_with_their_arguments() {
    let retry = format!(
        r#"{{"call":"show_error_completed","result":"S_SYNCMGR_RETRYSYNC","items":["{ONE}","{TWO}"]}}"#
    );
    let add = |call: &str, id: &str, name: &str| {
        format!(r#"{{"call":"{call}","item":{}}}"#, item(id, name))
    };
    handler_is_written(&[
        (
            &completed("prepare_for_sync", "S_OK"),
            DONE,
            "prepare_for_sync_completed(S_OK) -> ok",
        ),
        (
            &completed("synchronize", "E_ABORT"),
            DONE,
            "synchronize_completed(E_ABORT) -> ok",
        ),
        (
            &completed("show_properties", "0x80041234"),
            DONE,
            "show_properties_completed(0x80041234) -> ok",
        ),
        (
            &retry,
            DONE,
            r#"show_error_completed(S_SYNCMGR_RETRYSYNC, "one", "two") -> ok"#,
        ),
        (
            r#"{"call":"show_error_completed","result":"S_OK","items":[]}"#,
            DONE,
            "show_error_completed(S_OK) -> ok",
        ),
        (
            &modeless(true),
            r#"{"dialog":"granted"}"#,
            "enable_modeless(true) -> Granted",
        ),
        (
            &modeless(false),
            r#"{"dialog":"denied"}"#,
            "enable_modeless(false) -> Denied",
        ),
        (
            r#"{"call":"establish_connection","name":null}"#,
            DONE,
            "establish_connection(the default one) -> ok",
        ),
        (
            &with("establish_connection", "name", "office"),
            DONE,
            r#"establish_connection("office") -> ok"#,
        ),
        (
            &add("add_item", THREE, "three"),
            DONE,
            r#"add_item("three") -> ok"#,
        ),
        (
            &add("propose_item", FOUR, "four"),
            DONE,
            r#"propose_item("four") -> ok"#,
        ),
        (
            &with("commit_item", "item", ONE),
            DONE,
            r#"commit_item("one") -> ok"#,
        ),
        (
            r#"{"call":"additional_items"}"#,
            &format!(r#"{{"items":{}}}"#, list(&[ONE, TWO])),
            r#"additional_items() -> ["one", "two"]"#,
        ),
        (
            r#"{"call":"additional_items"}"#,
            r#"{"items":[]}"#,
            "additional_items() -> []",
        ),
    ]);
}

#[test]
fn a_text_of_more_than_sixty_characters_is_cut() {
    let call = |text: &str| with("handler_text", "text", text);
    let sixty = "ä".repeat(60);
    handler_is_written(&[
        (
            &call(&sixty),
            CONTINUE,
            &format!(r#"set_handler_text("{sixty}") -> Continue"#),
        ),
        (
            &call(&(sixty.clone() + "b")),
            CONTINUE,
            &format!(r#"set_handler_text("{sixty}"…) -> Continue"#),
        ),
    ]);
}

#[test]
fn of_more_than_eight_items_the_first_are_written_and_how_many_more() {
    let ids: Vec<String> = (1..=10)
        .map(|number| format!("00000000-0000-0000-0000-{number:012}"))
        .collect();
    let names: Vec<String> = (1..=10).map(|number| format!("i{number}")).collect();
    let items: Vec<(&str, &str)> = ids
        .iter()
        .zip(&names)
        .map(|(id, name)| (id.as_str(), name.as_str()))
        .collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let eight = r#""i1", "i2", "i3", "i4", "i5", "i6", "i7", "i8""#;
    let call = r#"{"call":"items"}"#;
    host_is_written(&[
        (
            call,
            &listed(&items[..8]),
            &format!("items() -> complete: {eight}"),
        ),
        (
            call,
            &listed(&items),
            &format!("items() -> complete: {eight}, and 2 more"),
        ),
        (
            &prepare(&ids[..8]),
            STARTED,
            &format!("prepare_for_sync({eight}) -> Started"),
        ),
        (
            &prepare(&ids),
            STARTED,
            &format!("prepare_for_sync({eight}, and 2 more) -> Started"),
        ),
    ]);
}

#[test]
fn what_was_never_named_is_numbered_in_the_order_in_which_it_is_mentioned() {
    let id = |number: u32| format!("00000000-0000-0000-0000-{number:012}");
    // Each kind of call that can mention an item names another one.
    let calls = [
        prepare(&[&id(1), &id(2)]),
        format!(
            r#"{{"call":"set_item_status","item":"{}","status":"skipped"}}"#,
            id(3)
        ),
        format!(
            r#"{{"call":"item_object","item":"{}","interface":"{NIL}"}}"#,
            id(4)
        ),
        with("show_properties", "target", &id(5)),
        progress(&id(6), ""),
        with("can_continue", "item", &id(7)),
        with("wake_on_cancel", "item", &id(8)),
        with("commit_item", "item", &id(9)),
        with("cancel_item", "item", &id(10)),
        with("skip_item", "item", &id(11)),
        format!(
            r#"{{"call":"log_error","record":{{"level":"error","text":"x","item":"{}"}}}}"#,
            id(12)
        ),
        format!(
            r#"{{"call":"show_error_completed","result":"S_OK","items":["{}"]}}"#,
            id(13)
        ),
    ];
    let lines = calls
        .iter()
        .fold(Lines::new(), |lines, call| lines.host(call, DONE));
    let lines = lines.host(
        r#"{"call":"additional_items"}"#,
        &format!(r#"{{"items":{}}}"#, list(&[&id(14), &id(1), &id(15)])),
    );
    let trace = lines.trace();
    for number in 1..=15 {
        let item =
            syncmgr::ItemId::from_u128(u128::from_str_radix(&number.to_string(), 16).unwrap());
        assert_eq!(trace.name_of(item), format!("unknown item {number}"));
    }
    let nobody = syncmgr::ItemId::from_u128(0xFF);
    assert_eq!(trace.name_of(nobody), format!("the item {nobody}"));
}

#[test]
fn an_item_keeps_the_name_that_it_was_given_first() {
    let add = |id: &str, name: &str| format!(r#"{{"call":"add_item","item":{}}}"#, item(id, name));
    handler_is_written(&[
        (&add(ONE, "other"), DONE, r#"add_item("one") -> ok"#),
        (&add(THREE, "two"), DONE, r#"add_item("two (2)") -> ok"#),
        (&add(FOUR, "two"), DONE, r#"add_item("two (3)") -> ok"#),
        // Learned before anything is written: the name comes later in the trace.
        (
            &progress(THREE, ""),
            CONTINUE,
            r#"progress("two (2)", only asks) -> Continue"#,
        ),
    ]);
}
