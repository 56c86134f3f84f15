//! The examples of `docs/json.md`: each is read, written again and compared, so that none of them can rot.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use syncmgr::json::{
    self, Document, HandlerReportData, RunReportData, StreamMessage, StreamReader, StreamSummary,
    StreamWriter,
};
use syncmgr::{
    Changes, Choices, HResult, ItemStatus, ItemView, Listing, LogEntry, LogLevel, Phase,
    ProtocolViolation, RunChanges, Session, SessionSnapshot, SyncEvent, Verdict, WaitTimeout,
};

const GUIDE: &str = include_str!("../../docs/json.md");

/// The blocks of the guide that have a name, and their text.
fn blocks() -> Vec<(&'static str, &'static str)> {
    let mut blocks = Vec::new();
    let mut rest = GUIDE;
    while let Some((_, after)) = rest.split_once("\n```") {
        let (kind, after) = after.split_once('\n').expect("a line");
        let (text, after) = after.split_once("\n```\n").expect("the block ends");
        match kind.split_once(' ') {
            Some((language, name)) => {
                assert!(language.starts_with("json"), "{kind}");
                blocks.push((name, text));
            }
            None => assert!(!kind.starts_with("json"), "a block of {kind} has no name"),
        }
        rest = after;
    }
    blocks
}

#[track_caller]
fn same(written: &str, text: &str) {
    let value = |text| serde_json::from_str::<Value>(text).expect("JSON");
    assert_eq!(value(written), value(text), "{written}");
}

#[track_caller]
fn document<T: Document + DeserializeOwned>(text: &str) {
    let read: T = json::from_str(text).expect("the guide's form");
    same(&json::to_string(&read), text);
}

#[track_caller]
fn value<T: Serialize + DeserializeOwned>(text: &str) {
    let read: T = serde_json::from_str(text).expect("the guide's form");
    same(
        &serde_json::to_string(&read).expect("it can be written"),
        text,
    );
}

/// Each line is one of a stream, and has no field that is not read.
#[track_caller]
fn stream(text: &str) {
    assert!(!text.ends_with('\n'));
    let mut lines = text.lines();
    let mut reader = StreamReader::new(text.as_bytes()).expect("a head");
    let head = serde_json::json!({
        "syncmgr_stream": 1, "handler": reader.handler(), "about": reader.about(),
    });
    same(&head.to_string(), lines.next().expect("a head"));
    for text in lines {
        let line = reader.next().expect("a line").expect("of a stream");
        let read = match line {
            StreamMessage::Snapshot { snapshot, log, .. } => {
                serde_json::json!({"snapshot": snapshot, "log": log})
            }
            StreamMessage::Changes {
                changes,
                totals,
                text,
                ..
            } => serde_json::json!({"changes": changes, "totals": totals, "text": text}),
            StreamMessage::End(end) => serde_json::json!({"end": end}),
            other => panic!("{other:?}"),
        };
        same(&read.to_string(), text);
    }
    assert!(reader.next().is_none());
}

#[test]
fn every_example_is_read_and_written_again() {
    let mut seen = Vec::new();
    for (name, text) in blocks() {
        match name {
            "item" => value::<ItemView>(text),
            "log_entry" => value::<LogEntry>(text),
            "snapshot" => document::<SessionSnapshot>(text),
            "changes" => document::<Changes>(text),
            "run_changes" => document::<RunChanges>(text),
            "unfinished" => document::<WaitTimeout>(text),
            "listing" => document::<Listing>(text),
            "choices" => document::<Choices>(text),
            "handler_report" => document::<HandlerReportData>(text),
            "faults" => value::<Vec<ProtocolViolation>>(text),
            "run_report" => document::<RunReportData>(text),
            "stream" => stream(text),
            "trace" => trace(text),
            other => panic!("nothing reads the example {other:?}"),
        }
        seen.push(name);
    }
    assert_eq!(
        seen,
        [
            "item",
            "log_entry",
            "snapshot",
            "changes",
            "run_changes",
            "unfinished",
            "listing",
            "choices",
            "handler_report",
            "faults",
            "run_report",
            "stream",
            "trace"
        ]
    );
}

#[track_caller]
fn trace(text: &str) {
    let read = syncmgr::testing::Trace::from_json_lines(text).expect("a trace");
    let written = read.to_json_lines();
    let pairs = written.lines().zip(text.lines());
    pairs.for_each(|(written, text)| same(written, text));
    assert_eq!(written.lines().count(), text.lines().count());
}

/// The words between backquotes in the row of the table of values that begins so, each as JSON.
fn words(row: &str) -> Vec<String> {
    let begin = format!("| {row} | ");
    let row = GUIDE.lines().find_map(|line| line.strip_prefix(&begin));
    let words = row
        .expect("there is such a row")
        .split('`')
        .skip(1)
        .step_by(2);
    words.map(|word| format!("\"{word}\"")).collect()
}

#[test]
fn every_word_of_the_guide_is_one_and_there_are_no_others() {
    #[track_caller]
    fn check<T: Serialize + DeserializeOwned>(row: &str, values: impl IntoIterator<Item = T>) {
        let written = values
            .into_iter()
            .map(|value| serde_json::to_string(&value).expect("a word"));
        assert_eq!(written.collect::<Vec<_>>(), words(row));
        for word in words(row) {
            let read = serde_json::from_str::<T>(&word).expect("a word");
            same(&serde_json::to_string(&read).expect("a word"), &word);
        }
    }
    check(
        "status",
        (0..=8)
            .chain([0x100])
            .filter_map(|raw| ItemStatus::try_from(raw).ok()),
    );
    check(
        "level",
        (1..=3).filter_map(|raw| LogLevel::try_from(raw).ok()),
    );
    check(
        "event",
        (1..=6).filter_map(|raw| SyncEvent::try_from(raw).ok()),
    );
    check(
        "verdict",
        [Verdict::Continue, Verdict::CancelItem, Verdict::CancelAll],
    );
    use Phase::{Completed, Idle, Open, Prepared, Preparing, Released, Synchronizing};
    check(
        "phase",
        [
            Open,
            Idle,
            Preparing,
            Prepared,
            Synchronizing,
            Completed,
            Released,
        ],
    );
}

/// What this crate writes has no field that the guide does not name.
#[test]
fn every_field_that_is_written_is_in_the_guide() {
    let mut examples = Vec::new();
    for (_, text) in blocks() {
        let lines = match serde_json::from_str::<Value>(text) {
            Ok(whole) => vec![whole],
            Err(_) => text
                .lines()
                .map(|line| serde_json::from_str(line).expect("a line"))
                .collect(),
        };
        lines.iter().for_each(|value| fields(value, &mut examples));
    }
    let session = Session::builder().build().expect("no items");
    let mut lines = Vec::new();
    let stream = StreamWriter::new(session, &mut lines);
    stream
        .end(StreamSummary::from(HResult::S_OK))
        .expect("a vector takes all");
    let sample = |name: &str| {
        let path = format!("{}/data/{name}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).expect("the sample is there")
    };
    let samples = [
        String::from_utf8(lines).expect("JSON"),
        sample("run_changes-1.json"),
        sample("listing-1.json"),
        sample("run_report-1.json"),
        sample("stream-1.jsonl"),
    ];
    let mut written = Vec::new();
    for line in samples.iter().flat_map(|text| text.lines()) {
        fields(&serde_json::from_str(line).expect("JSON"), &mut written);
    }
    for field in written {
        let named = examples.contains(&field) || GUIDE.contains(&format!("\"{field}\""));
        assert!(named || GUIDE.contains(&format!("`{field}`")), "{field}");
    }
}

fn fields(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            for (field, value) in object {
                into.push(field.clone());
                fields(value, into);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| fields(value, into)),
        _ => {}
    }
}
