//! Traces as JSON lines: what is written is read as it was, old files are still read, and what a type forbids elsewhere can be
//! judged here.

use std::time::{Duration, SystemTime};

use syncmgr::json::JsonErrorKind;
use syncmgr::testing::mock::{Script, Step};
use syncmgr::testing::{Action, Answer, Harness, Rule, Trace};
use syncmgr::{
    ErrorId, HResult, HandlerFlags, ItemFlags, ItemId, ItemName, ItemStatus, LogLevel, LogRecord,
    LogSelector, SyncEvent, SyncFlags, SyncItem, Uuid,
};

const PHOTOS: ItemId = ItemId::from_u128(1);
const MAIL: ItemId = ItemId::from_u128(2);
const LATE: ItemId = ItemId::from_u128(3);
const ERROR: ErrorId = ErrorId::from_u128(9);

/// A run with every call that a trace can hold.
fn everything() -> Trace {
    let photos = SyncItem::new(PHOTOS, ItemName::try_from("photos").unwrap())
        .flags(ItemFlags::HAS_PROPERTIES)
        .last_update(SystemTime::UNIX_EPOCH + Duration::from_nanos(1_600_000_000_123_456_700));
    let late = SyncItem::new(LATE, ItemName::try_from("late \"one\"").unwrap()).checked(false);
    let script = Script::new()
        .name("everything")
        .flags(HandlerFlags::MAY_ESTABLISH_CONNECTION)
        .sync_item(photos)
        .item(MAIL, "mail")
        .incomplete()
        .inline()
        .show_properties([Step::complete_show_properties(HResult::S_OK)], Ok(()))
        .show_error(
            [Step::complete_show_error(
                HResult::S_SYNCMGR_RETRYSYNC,
                [PHOTOS],
            )],
            Ok(()),
        )
        .synchronize([
            Step::check(PHOTOS),
            Step::connect(None),
            Step::connect(Some("office")),
            Step::dialog(),
            Step::can_continue(),
            Step::call(|callback| {
                let _ = callback.can_continue(Some(PHOTOS));
                let _ = callback.set_handler_text("at work");
                let _ = callback.wake_on_cancel(None, std::task::Waker::noop());
                let _ = callback.additional_items();
                let _ = callback.propose_item(SyncItem::new(LATE, "late".parse().unwrap()));
                let _ = callback.commit_item(LATE);
            }),
            Step::add_item(late),
            Step::report(PHOTOS)
                .status(ItemStatus::Updating)
                .max(2)
                .text("ä\n\"x\""),
            Step::report(PHOTOS).value(1),
            Step::log(
                &LogRecord::new(LogLevel::Error, "boom")
                    .item(PHOTOS)
                    .jump_text(ERROR),
            ),
            Step::log(
                &LogRecord::new(LogLevel::Information, "fine").error_id(ErrorId::from_u128(8)),
            ),
            Step::delete_log(LogSelector::ById(ErrorId::from_u128(8))),
            Step::report(PHOTOS).status(ItemStatus::Failed),
            Step::check(LATE),
            Step::report(LATE).status(ItemStatus::Succeeded),
        ]);
    let flags = SyncFlags::new(SyncEvent::Invoke) | SyncFlags::MAY_BOTHER_USER;
    Harness::new(script.handler())
        .flags(flags)
        .cookie(b"cookie")
        .skip(MAIL)
        .show_properties(None)
        .item_object(PHOTOS, Uuid::nil())
        .show_errors()
        .max_retries(1)
        .cancel_item_at_report("photos", 8)
        .run()
}

#[test]
fn a_trace_is_read_as_it_was_written() {
    let trace = everything();
    assert!(trace.is_conformant(), "{trace}");
    assert!(trace.calls().len() > 50, "{trace}");
    let text = trace.to_json_lines();
    let read = Trace::from_json_lines(&text).unwrap();
    assert_eq!(read.calls(), trace.calls());
    assert_eq!(read.to_string(), trace.to_string());
    assert_eq!(read.to_json_lines(), text);
}

#[test]
fn a_run_on_the_hosts_thread_writes_the_same_text_each_time() {
    assert_eq!(everything().to_string(), everything().to_string());
    assert_eq!(everything().to_json_lines(), everything().to_json_lines());
}

/// Kept since version 1 was made. It is not to be changed: later versions have to read it as it is.
const SAMPLE: &str = include_str!("../data/trace-1.jsonl");

#[test]
fn a_trace_of_version_1_is_still_read_and_judged() {
    let trace = Trace::from_json_lines(SAMPLE).unwrap();
    assert_eq!(trace.calls().len(), SAMPLE.lines().count() - 1);
    assert_eq!(trace.violations(), [], "{trace}");
    assert_eq!(trace.status(PHOTOS), Some(ItemStatus::Stopped));
    assert_eq!(trace.status(LATE), Some(ItemStatus::Succeeded));
    assert_eq!(trace.name_of(LATE), "late");
}

#[test]
fn a_breach_in_a_trace_that_was_read_is_found() {
    // The report after the cancel says more than its final status.
    let broken = SAMPLE.replacen(r#""status":"stopped""#, r#""value":2"#, 1);
    assert_ne!(broken, SAMPLE);
    let trace = Trace::from_json_lines(&broken).unwrap();
    assert!(trace.breaks(Rule::StopCancelledItem), "{trace}");
}

/// A trace of these calls, numbered and timed one after the other.
fn lines(calls: &[(&str, &str)]) -> Trace {
    let mut text = "{\"syncmgr_trace\":1}\n".to_owned();
    for (place, (action, answer)) in calls.iter().enumerate() {
        let (begun, ended) = (2 * place + 1, 2 * place + 2);
        text.push_str(&format!(
            "{{\"thread\":0,\"phase\":\"idle\",\"begun\":{begun},\"ended\":{ended},\"action\":{action},\"answer\":{answer}}}\n"
        ));
    }
    Trace::from_json_lines(&text).unwrap()
}

#[track_caller]
fn breaks_only(trace: &Trace, rule: Rule) {
    let rules: Vec<Rule> = trace.violations().iter().map(|found| found.rule).collect();
    assert_eq!(rules, [rule], "{trace}");
}

#[test]
fn a_name_that_no_type_could_hold_is_found_in_a_trace() {
    let item = |name: &str| {
        format!(
            r#"{{"list":{{"complete":true,"items":[{{"id":"00000000-0000-0000-0000-000000000001","name":"{name}","checked":true}}]}}}}"#
        )
    };
    let list = |name: &str| lines(&[(r#"{"call":"items"}"#, &item(name))]);
    assert_eq!(list(&"n".repeat(127)).violations(), []);
    breaks_only(&list(&"n".repeat(128)), Rule::WellFormedItems);
    breaks_only(&list("a\\u0000b"), Rule::WellFormedItems);

    let info = |name: &str| {
        let answer = format!(r#"{{"info":{{"name":"{name}","flags":0}}}}"#);
        lines(&[(r#"{"call":"info"}"#, &answer)])
    };
    assert_eq!(info(&"n".repeat(31)).violations(), []);
    breaks_only(&info(&"n".repeat(32)), Rule::WellFormedItems);
}

#[test]
fn flags_without_a_name_survive() {
    let trace = lines(&[(
        r#"{"call":"initialize","flags":2147484419,"cookie":null}"#,
        r#"{"participation":"joins"}"#,
    )]);
    assert!(trace.to_json_lines().contains("2147484419"), "{trace}");
}

#[test]
fn what_is_no_trace_is_refused_with_its_line() {
    let error = |text: &str| Trace::from_json_lines(text).unwrap_err();
    let told = |text: &str| (error(text).kind(), error(text).line());
    assert_eq!(told(""), (JsonErrorKind::InvalidData, Some(1)));
    let head = "line 1 is not the head of a trace, such as {\"syncmgr_trace\":1}: ";
    assert!(error("").to_string().starts_with(head));
    assert_eq!(told("{\"a\":1}"), (JsonErrorKind::WrongDocument, Some(1)));
    let version = (JsonErrorKind::UnsupportedVersion, Some(1));
    assert_eq!(told("{\"syncmgr_trace\":2}"), version);
    assert_eq!(
        error("{\"syncmgr_trace\":0}").to_string(),
        format!("{head}the syncmgr_trace has the version 0; versions 1 to 1 can be read")
    );
    let about = "{\"syncmgr_trace\":1,\"about\":7}";
    assert_eq!(told(about), (JsonErrorKind::InvalidData, Some(1)));
    let bad = SAMPLE.lines().next().unwrap().to_owned() + "\n\n{\"thread\":0}\n";
    let error_3 = error(&bad);
    let invalid = |line| (JsonErrorKind::InvalidData, Some(line));
    assert_eq!((error_3.kind(), error_3.line()), invalid(3));
    assert!(
        error_3
            .to_string()
            .starts_with("line 3 is not a call: missing field"),
        "{error_3}"
    );

    // Out of order: the first call again.
    let first = SAMPLE.lines().nth(1).unwrap();
    let twice = format!("{{\"syncmgr_trace\":1}}\n{first}\n{first}\n");
    assert_eq!(told(&twice), invalid(3));
    let backwards = format!(
        "{{\"syncmgr_trace\":1}}\n{}\n",
        first.replace("\"ended\":2", "\"ended\":1")
    );
    assert_eq!(told(&backwards), invalid(2));
    let unknown = SAMPLE.replacen("S_OK", "S_NOTHING", 1);
    let unknown = error(&unknown).to_string();
    assert!(unknown.contains("S_NOTHING"), "{unknown}");
}

#[test]
fn a_code_is_read_by_its_name_or_of_eight_digits() {
    let completed = |result: &str| {
        let action = format!(r#"{{"call":"synchronize_completed","result":"{result}"}}"#);
        let text = format!(
            "{{\"syncmgr_trace\":1}}\n{{\"thread\":0,\"phase\":\"open\",\"begun\":1,\"ended\":2,\"callback\":1,\"action\":{action},\"answer\":\"done\"}}\n"
        );
        Trace::from_json_lines(&text)
    };
    let read = |result: &str| match &completed(result).unwrap().calls()[0].action {
        Action::SynchronizeCompleted { result } => *result,
        other => panic!("{other:?}"),
    };
    assert_eq!(read("E_FAIL"), HResult::E_FAIL);
    assert_eq!(read("0x80070002"), HResult::from_u32(0x8007_0002));
    for wrong in ["0x080070002", "0x8007000Z", "80070002", ""] {
        let error = completed(wrong).unwrap_err().to_string();
        assert!(
            error.contains(
                "the header's name of a result code, or its number as 0x and 8 hexadecimal digits"
            ),
            "{wrong:?}: {error}"
        );
    }
}

#[test]
fn a_listed_item_without_a_time_may_say_so() {
    let listed = |time: &str| {
        let item = format!(
            r#"{{"list":{{"complete":true,"items":[{{"id":"{PHOTOS}","name":"photos","checked":true{time}}}]}}}}"#
        );
        let trace = lines(&[(r#"{"call":"items"}"#, &item)]);
        let Answer::List { items, .. } = trace.calls()[0].answer.clone() else {
            panic!("{trace}");
        };
        items[0].last_update
    };
    assert_eq!(listed(""), None);
    assert_eq!(listed(r#","last_update":null"#), None);
    assert_eq!(
        listed(r#","last_update":116444736000000001"#),
        Some(SystemTime::UNIX_EPOCH + Duration::from_nanos(100))
    );
}
