//! Documents: what was written is read as it was; what is of a later version, another document or none is refused, and says why.

use std::sync::Arc;
use std::time::Duration;

use syncmgr::json::{self, HandlerReportData, JsonError, JsonErrorKind, RunReportData};
use syncmgr::per_item::{HandlerBuilder, from_items};
use syncmgr::{
    Changes, Choices, Cursor, ErrorId, HResult, HandlerId, HandlerInfo, Listing, LogLevel,
    LogRecord, ProgressUpdate, Registration, RunChanges, RunOptions, SessionSnapshot, SyncCallback,
    SyncHandler, SyncManager, WaitTimeout, run_handler,
};

use support::{LIMIT, id, item, items, open};

/// Each form's sample file, and how it is read.
type Reads = fn(&str) -> Result<String, JsonError>;

fn forms() -> Vec<(&'static str, &'static str, Reads)> {
    macro_rules! forms {
        ($($head:literal: $type:ty = $file:literal,)+) => {
            vec![$(($head, include_str!(concat!("../data/", $file)), |text| {
                json::from_str::<$type>(text).map(|read| json::to_string(&read))
            })),+]
        };
    }
    forms! {
        "syncmgr_snapshot": SessionSnapshot = "snapshot-1.json",
        "syncmgr_changes": Changes = "changes-1.json",
        "syncmgr_run_changes": RunChanges = "run_changes-1.json",
        "syncmgr_unfinished": WaitTimeout = "unfinished-1.json",
        "syncmgr_listing": Listing = "listing-1.json",
        "syncmgr_choices": Choices = "choices-1.json",
        "syncmgr_handler_report": HandlerReportData = "handler_report-1.json",
        "syncmgr_run_report": RunReportData = "run_report-1.json",
    }
}

#[test]
fn what_a_session_shows_is_read_as_it_was() {
    let session = open(3);
    let reporter = session.reporter(id(1)).unwrap();
    let update = ProgressUpdate::new().value(u64::MAX).max(u64::MAX);
    let _ = reporter.report(&update.text("NUL \0 \u{1b} \u{2028} \u{10FFFF} \"\\/"));
    let record = LogRecord::new(LogLevel::Warning, "w\0")
        .item(id(2))
        .jump_text(ErrorId::from_u128(7))
        .name("n")
        .link("l")
        .link_text("t")
        .context("c");
    session.log_error(&record).unwrap();
    session.cancel_item(id(2)).unwrap();

    let snapshot = session.snapshot();
    let text = json::to_string(&snapshot);
    assert_eq!(json::from_str::<SessionSnapshot>(&text).unwrap(), snapshot);
    let changes = session.changes(Cursor::default());
    assert_eq!((changes.log().len(), changes.items().len()), (1, 2));
    let text = json::to_string(&changes);
    let read: Changes = json::from_str(&text).unwrap();
    assert_eq!(read, changes);

    // What was read goes on where the session stands.
    assert_eq!(session.changes(read.cursor()).log(), []);
    let mut bytes = Vec::new();
    json::to_writer(&mut bytes, &changes).unwrap();
    assert_eq!(bytes, text.as_bytes());
}

#[test]
fn a_cursor_from_elsewhere_does_no_harm() {
    let session = open(1);
    let cursor = |number: u64| {
        let text = include_str!("../data/changes-1.json");
        let other = text.replacen("\"cursor\":12", &format!("\"cursor\":{number}"), 1);
        json::from_str::<Changes>(&other).unwrap().cursor()
    };
    let late = session.changes(cursor(u64::MAX));
    assert_eq!((late.items(), late.log()), (&[][..], &[][..]));
    let _ = session.wait_for_change(cursor(u64::MAX), Duration::ZERO);
    session.reporter(id(1)).unwrap().succeed().unwrap();
    assert_eq!(session.changes(cursor(0)).items().len(), 1);
}

/// A handler whose second item fails, and whose third panics.
fn broken() -> Arc<dyn SyncHandler> {
    let work = from_items(items(3), |work| match work.item().id {
        second if second == id(2) => Err("no \0 stamp".into()),
        third if third == id(3) => panic!("third"),
        _ => Ok(()),
    });
    HandlerBuilder::new("Broken".parse().unwrap(), work).build()
}

#[test]
fn a_report_is_read_as_what_it_says() {
    let report = run_handler(broken(), RunOptions::new().show_properties(None));
    let record = HandlerReportData::from(&report);
    assert_eq!(record.items, report.items());
    assert_eq!(record.log, report.session.as_ref().unwrap().log());
    assert_eq!(record.log.len(), 2);
    assert_eq!(record.properties.len(), 1);
    assert_eq!((record.result, record.phase), (report.result, report.phase));
    assert!(!record.is_success() && !report.is_success());

    let text = json::to_string(&report);
    assert_eq!(json::to_string(&record), text);
    assert!(text.starts_with(r#"{"syncmgr_handler_report":1,"success":false,"#));
    assert_eq!(json::from_str::<HandlerReportData>(&text).unwrap(), record);

    // A log that was full is told so.
    let full = run_handler(broken(), RunOptions::new().log_capacity(1));
    let read: HandlerReportData = json::from_str(&json::to_string(&full)).unwrap();
    let session = full.session.as_ref().unwrap();
    assert_eq!(
        (read.log.len(), read.log_refused),
        (1, session.log_refused())
    );
    assert!(read.log_refused > 0);

    // A handler that told no items has no session.
    let twice = from_items([item(1), item(1)], |_| Ok(()));
    let twice = HandlerBuilder::new("Twice".parse().unwrap(), twice).build();
    let report = run_handler(twice, RunOptions::new());
    assert!(report.session.is_none() && report.error.is_some());
    let read: HandlerReportData = json::from_str(&json::to_string(&report)).unwrap();
    assert_eq!(read, HandlerReportData::from(&report));

    // One that was never made has a fault.
    let manager = SyncManager::new();
    let handler = HandlerId::from_u128(1);
    let make = || panic!("no handler \0");
    let registered = manager.register(handler, Registration::new(), make);
    registered.unwrap();
    let report = manager.update_all().wait_timeout(LIMIT).unwrap();
    let read: RunReportData = json::from_str(&json::to_string(&report)).unwrap();
    let faults = &report.handler(handler).unwrap().faults;
    assert_eq!(faults.len(), 1);
    assert_eq!(read.handler(handler).map(|read| &read.faults), Some(faults));
}

#[test]
fn a_report_that_was_cancelled_says_so() {
    let cancels = RunOptions::new().on_session(|session| session.cancel_all());
    let report = run_handler(broken(), cancels);
    assert!(!report.is_success() && report.was_cancelled());
    let text = json::to_string(&report);
    let begin = r#"{"syncmgr_handler_report":1,"success":false,"cancelled":true,"result":"S_OK","#;
    assert!(text.starts_with(begin), "{text}");
    assert!(
        json::from_str::<HandlerReportData>(&text)
            .unwrap()
            .cancelled
    );
    let early = text.replacen(r#""cancelled":true,"#, "", 1); // as it was before the field
    assert!(
        !json::from_str::<HandlerReportData>(&early)
            .unwrap()
            .cancelled
    );

    let manager = SyncManager::new();
    let waits = || {
        let waits = from_items([item(1)], |work| Ok(work.wait_cancelled(LIMIT)?));
        HandlerBuilder::new("Waits".parse().unwrap(), waits).build()
    };
    for (handler, make) in [(1, waits as fn() -> _), (2, broken)] {
        let handler = HandlerId::from_u128(handler);
        manager
            .register(handler, Registration::new(), make)
            .unwrap();
    }
    let run = manager.update_all();
    run.cancel_handler(HandlerId::from_u128(1));
    let report = run.wait_timeout(LIMIT).unwrap();
    let text = json::to_string(&report);
    let begin = r#"{"syncmgr_run_report":1,"success":false,"cancelled":true,"#;
    assert!(text.starts_with(begin), "{text}");
    let read: RunReportData = json::from_str(&text).unwrap();
    assert!(read.was_cancelled());
    let of = |handler| read.handler(HandlerId::from_u128(handler)).unwrap();
    assert_eq!((of(1).cancelled, of(2).cancelled), (true, false));
}

#[test]
fn what_a_manager_tells_is_read_as_it_was() {
    let manager = SyncManager::new();
    let handler = HandlerId::from_u128(1);
    let registration = Registration::new().description("d");
    manager.register(handler, registration, broken).unwrap();
    let run = manager.update_all();
    let mut observer = run.observe();
    let report = run.wait_timeout(LIMIT).unwrap();

    let changes = observer.refresh();
    assert_eq!(changes.sessions.len(), 1);
    let text = json::to_string(&changes);
    assert_eq!(json::from_str::<RunChanges>(&text).unwrap(), changes);

    let record = RunReportData::from(&report);
    let text = json::to_string(&report);
    assert_eq!(json::to_string(&record), text);
    let read: RunReportData = json::from_str(&text).unwrap();
    assert_eq!(read, record);
    assert_eq!(read.is_success(), report.is_success());
    let items = read.items().map(|(handler, item)| (handler, item.clone()));
    assert!(items.eq(report.items()));
    assert_eq!(read.handler(handler).map(|read| read.items.len()), Some(3));

    let listing = &manager.listing()[0];
    let text = json::to_string(listing);
    assert_eq!(json::from_str::<Listing>(&text).unwrap(), *listing);
}

#[test]
fn fields_that_are_not_known_are_passed_over() {
    let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
    for (head, text, read) in forms() {
        let own = read(text).unwrap();
        for more in [
            r#""syncmgr_x":"later""#.to_owned(),
            r#""\u0000":{"a":[null,1e400,-0.5,"\ud83d\ude00"]}"#.to_owned(),
            format!("\"deep\":{deep}"),
        ] {
            // In front, behind, and in every object but the maps of the choices.
            let front = text.replacen('{', &format!("{{{more},"), 1);
            assert_eq!(read(&front).unwrap(), own, "{front}");
            let behind = format!("{},{more}}}", text.strip_suffix('}').unwrap());
            assert_eq!(read(&behind).unwrap(), own, "{behind}");
            if head != "syncmgr_choices" && !text.contains(r#"{"duplicate_item""#) {
                let each = text.replace("\"}", &format!("\",{more}}}"));
                assert_eq!(read(&each).unwrap(), own, "{each}");
                let each = text.replace("true}", &format!("true,{more}}}"));
                assert_eq!(read(&each).unwrap(), own, "{each}");
            }
        }
    }
}

#[test]
fn a_version_that_is_not_known_is_refused_as_such() {
    for (head, text, read) in forms() {
        let now = format!("\"{head}\":1");
        assert!(text.contains(&now), "{text}");
        for version in ["0", "2", "18446744073709551615"] {
            let other = text.replacen(&now, &format!("\"{head}\":{version}"), 1);
            // Also where nothing else is as it was, and where the version comes last.
            let alone = format!("{{\"{head}\":{version}}}");
            let last = format!(r#"{{"items":7,"handlers":null,"phase":{{}},"{head}":{version}}}"#);
            for text in [other, alone, last] {
                let error = read(&text).unwrap_err();
                assert_eq!(error.kind(), JsonErrorKind::UnsupportedVersion);
                assert_eq!(
                    error.to_string(),
                    format!("the {head} has the version {version}; versions 1 to 1 can be read")
                );
            }
        }
        for version in [
            "-1",
            "1.0",
            "1e0",
            "\"1\"",
            "null",
            "18446744073709551616",
            "[1]",
        ] {
            let other = text.replacen(&now, &format!("\"{head}\":{version}"), 1);
            let error = read(&other).unwrap_err();
            assert_eq!(error.kind(), JsonErrorKind::InvalidData, "{version}");
        }
    }
}

#[test]
fn another_document_is_refused_by_its_name() {
    let forms = forms();
    for (head, _, read) in &forms {
        for (other, text, _) in &forms {
            if head != other {
                assert_eq!(
                    read(text).unwrap_err().to_string(),
                    format!("the text is a {other}; an object with the field \"{head}\" is wanted")
                );
            }
        }
        let error = read("{}").unwrap_err();
        assert_eq!(error.kind(), JsonErrorKind::WrongDocument);
        assert_eq!(
            error.to_string(),
            format!(
                "the text is an object without a head; an object with the field \"{head}\" is wanted"
            )
        );
    }
}

#[test]
fn what_is_cut_anywhere_is_refused() {
    for (_, text, read) in forms() {
        let ends = text.char_indices().map(|(end, _)| end);
        for end in ends {
            let error = read(&text[..end]).unwrap_err();
            assert_eq!(error.kind(), JsonErrorKind::InvalidData, "{end}");
        }
        for after in ["}", ",", "x", "{}", "\0"] {
            assert!(read(&format!("{text}{after}")).is_err(), "{after}");
        }
        assert!(read(&format!(" \r\n{text}\t\n")).is_ok());
    }
}

#[test]
fn what_is_no_object_is_refused() {
    let nested = "[".repeat(200_000);
    let objects = "{\"a\":".repeat(200_000);
    let long = format!("\"{}\"", "x".repeat(10_000_000));
    let texts = [
        "",
        " ",
        "\0",
        "null",
        "true",
        "7",
        "-1e999",
        "\"text\"",
        "[]",
        "[{}]",
        "{",
        "}",
        "{]",
        "{1:2}",
        "{\"a\"}",
        "\u{feff}{}",
        "{\"\\ud800\":1}",
        &nested,
        &objects,
        &long,
    ];
    for (_, _, read) in forms() {
        for text in texts {
            let error = read(text).unwrap_err();
            assert_eq!(error.kind(), JsonErrorKind::InvalidData, "{error:?}");
        }
    }
}

#[test]
fn a_field_that_comes_twice_is_refused() {
    for (head, text, read) in forms() {
        let twice = text.replacen('{', &format!("{{\"{head}\":1,"), 1);
        let error = read(&twice).unwrap_err().to_string();
        assert!(error.contains("duplicate field"), "{error}");
        let (second, value) = if text.contains("\"phase\":\"completed\"") {
            ("phase", "\"open\"")
        } else {
            continue;
        };
        let twice = text.replacen(
            &format!("\"{second}\":"),
            &format!("\"{second}\":{value},\"{second}\":"),
            1,
        );
        let error = read(&twice).unwrap_err().to_string();
        assert!(error.contains("duplicate field `phase`"), "{error}");
    }
}

#[test]
fn a_choice_that_is_there_twice_is_refused_however_its_id_is_spelt() {
    let [a, spelt] = [
        "00000000-0000-0000-0000-00000000000a",
        "{00000000-0000-0000-0000-00000000000A}",
    ];
    let read = |handlers: &str| {
        let text = format!(r#"{{"syncmgr_choices":1,"handlers":{{{handlers}}}}}"#);
        json::from_str::<Choices>(&text).map_err(|error| error.to_string())
    };
    let items = read(&format!(r#""{a}":{{"{a}":true,"{spelt}":false}}"#));
    let handlers = read(&format!(r#""{a}":{{"{a}":true}},"{spelt}":{{}}"#));
    for error in [items.unwrap_err(), handlers.unwrap_err()] {
        let told = format!("the id {a} is there twice; each may be there once");
        assert!(error.contains(&told), "{error}");
    }
    // A handler without a choice is none.
    assert_eq!(read(&format!(r#""{a}":{{}}"#)), Ok(Choices::new()));
}

#[test]
fn values_out_of_their_range_are_refused_with_what_is_allowed() {
    let snapshot = include_str!("../data/snapshot-1.json");
    let with = |old: &str, new: &str| {
        let text = snapshot.replacen(old, new, 1);
        assert_ne!(text, snapshot);
        json::from_str::<SessionSnapshot>(&text)
            .unwrap_err()
            .to_string()
    };
    let value = "\"value\":3,";
    for number in [
        "18446744073709551616",
        "-1",
        "1.5",
        "1e3",
        "1e400",
        &"9".repeat(1_000_000),
    ] {
        let error = with(value, &format!("\"value\":{number},"));
        assert!(
            error.starts_with("the text is no syncmgr_snapshot: "),
            "{error}"
        );
        assert!(error.len() < 300, "{error}");
    }
    let error = with(
        "\"name\":\"item 1\"",
        &format!("\"name\":\"{}\"", "n".repeat(128)),
    );
    assert!(error.contains("at most 127 are allowed"), "{error}");
    let error = with("\"name\":\"item 1\"", "\"name\":\"\\u0000\"");
    assert!(error.contains("contains a NUL character"), "{error}");
    let error = with("\"stopped\"", "\"halted\"");
    assert!(
        error.contains("unknown variant `halted`, expected one of `stopped`"),
        "{error}"
    );
    // What it repeats of the text is cut.
    let error = with("\"stopped\"", &format!("\"{}\"", "é".repeat(5_000_000)));
    assert!(
        error.contains("unknown variant `é") && error.len() < 1_000,
        "{error}"
    );
    assert!(
        error.contains(" … ") && error.contains(" at line 1 column "),
        "{error}"
    );
    let error = with("00000000-0000-0000-0000-000000000001", "item 1");
    assert!(error.contains("\"item 1\" is not an id"), "{error}");
    assert!(error.contains(" at line 1 column "), "{error}");

    let changes = include_str!("../data/changes-1.json");
    let error = json::from_str::<Changes>(&changes.replacen("2024-02-29T", "2023-02-29T", 1));
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("\"2023-02-29T12:30:00.123456700Z\" is no time of this machine's range; one as 2024-02-29T12:30:00.5Z is wanted"),
        "{error}"
    );
    let report = include_str!("../data/handler_report-1.json");
    for code in ["0x", "0x+1", "0x-1", "0x123456789", "S_FINE", "1"] {
        let text = report.replacen("\"E_ABORT\"", &format!("{code:?}"), 1);
        assert_ne!(text, report);
        let error = json::from_str::<HandlerReportData>(&text)
            .unwrap_err()
            .to_string();
        assert!(
            error
                .contains("expected the header's name of a result code, or its number as 0x and 8"),
            "{code}: {error}"
        );
    }
    for span in [
        "",
        "s",
        "1",
        "-1s",
        "1.s",
        "1ss",
        "99999999999999999999s",
        "184467440737095516160s",
    ] {
        let text = report.replacen("0.250s", span, 1);
        let error = json::from_str::<HandlerReportData>(&text)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("is no span of time; seconds as 10s or 0.250s are wanted"),
            "{error}"
        );
    }
}

#[test]
fn a_call_that_is_not_known_is_another_call() {
    let report = include_str!("../data/handler_report-1.json");
    let text = report.replacen("\"call\":\"items\"", "\"call\":\"foresee\"", 1);
    let record: HandlerReportData = json::from_str(&text).unwrap();
    assert!(
        record.faults[2]
            .to_string()
            .starts_with("another call did not return")
    );
}

#[test]
fn an_error_is_one_of_the_programs() {
    let error: Box<dyn std::error::Error + Send + Sync> =
        json::from_str::<Choices>("{").unwrap_err().into();
    assert!(error.source().is_some());
    assert!(
        error
            .to_string()
            .starts_with("the text is no syncmgr_choices: EOF"),
        "{error}"
    );
}

#[test]
fn what_the_writer_answers_is_answered() {
    struct Full;
    impl std::io::Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let error = json::to_writer(Full, &open(1_000).snapshot()).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
}

#[test]
fn the_result_codes_of_the_parts_survive() {
    let info = HandlerInfo::new("x".parse().unwrap());
    let report = run_handler(broken(), RunOptions::new());
    let mut record = HandlerReportData::from(&report);
    record.info = Some(info);
    for code in [HResult::S_OK, HResult::E_FAIL, HResult(0x123), HResult(-1)] {
        record.result = code;
        let read: HandlerReportData = json::from_str(&json::to_string(&record)).unwrap();
        assert_eq!(read, record);
    }
}

#[test]
fn a_time_is_read_only_as_it_is_written() {
    let changes = include_str!("../data/changes-1.json");
    let time = "2024-02-29T12:30:00.123456700Z";
    let read = |text: &str| {
        let document = changes.replacen(time, text, 1);
        assert!(text == time || document != changes);
        json::from_str::<Changes>(&document).map(|read| read.log()[0].time)
    };
    let utc = read(time).unwrap();
    let shifted = read("2024-02-29T18:00:00.1234567+05:30").unwrap();
    assert_eq!(utc, shifted);
    assert_eq!(utc, read("2024-02-29 10:25:00.1234567-02:05").unwrap());
    for no_time in [
        "2024-02-29T12:30:00+0530",
        "2024-02-29T12:30:00+05",
        "2024-02-29T12:30:00+05:60",
        "2024-02-29T12:30:00+05:3",
        "2024-02-29T12:30:00-24:00",
        "-00024-02-29T12:30:00Z",
        "-2024-02-29T12:30:00Z",
        "+2024-02-29T12:30:00Z",
        // More seconds than 64 bits have, with a sign and without.
        "+400000000000-01-01T00:00:00Z",
        "-400000000000-01-01T00:00:00Z",
        "+999999999999-12-31T23:59:59Z",
    ] {
        let error = read(no_time).unwrap_err().to_string();
        let told = format!("{no_time:?} is no time of this machine's range");
        assert!(error.contains(&told), "{error}");
    }
}

#[test]
fn what_is_no_text_is_no_time_and_no_span() {
    let changes = include_str!("../data/changes-1.json");
    let text = changes.replacen("\"2024-02-29T12:30:00.123456700Z\"", "7", 1);
    let error = json::from_str::<Changes>(&text).unwrap_err().to_string();
    assert!(
        error.contains("invalid type: integer `7`, expected a string"),
        "{error}"
    );
    let report = include_str!("../data/handler_report-1.json");
    let text = report.replacen("\"0.250s\"", "0.250", 1);
    assert_ne!(text, report);
    let error = json::from_str::<HandlerReportData>(&text).unwrap_err();
    let error = error.to_string();
    assert!(
        error.contains("invalid type: floating point `0.25`, expected a string"),
        "{error}"
    );
}
