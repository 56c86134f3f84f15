//! Random values, sessions, streams and texts: what is written is read as it was; a reader of a stream knows what the session
//! knows; and whatever a text holds, no reader panics.
//!
//! A failure is shrunk, and its seed is kept beside this file. `PROPTEST_CASES=…` tries more cases.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, prop_oneof};
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, FileFailurePersistence, TestCaseError, TestRunner};

use syncmgr::json::{
    self, HandlerReportData, RunReportData, StreamMessage, StreamReader, StreamWriter,
};
use syncmgr::{
    Changes, Choices, Cursor, ErrorId, HResult, HandlerFlags, HandlerId, HandlerInfo, HandlerName,
    ItemFlags, ItemId, ItemList, ItemName, ItemStatus, ItemView, Listing, LogLevel, LogRecord,
    ProgressUpdate, Registration, RunChanges, Session, SessionSnapshot, SyncCallback, SyncItem,
    Totals, WaitTimeout,
};

use support::{id, items};

fn check<S: Strategy>(
    cases: u32,
    strategy: S,
    test: impl Fn(S::Value) -> Result<(), TestCaseError>,
) {
    let default = Config::default();
    let config = Config {
        cases: default.cases.max(cases),
        source_file: Some(file!()),
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("failures"))),
        ..default
    };
    if let Err(error) = TestRunner::new(config).run(&strategy, test) {
        panic!("{error}");
    }
}

/// Any text: every character there is, and those that JSON and terminals treat in a way of their own more often.
fn texts() -> impl Strategy<Value = String> {
    let odd = select(vec![
        '\0',
        '\u{1}',
        '\u{1b}',
        '\u{7f}',
        '\u{85}',
        '\u{2028}',
        '\u{2029}',
        '\u{d7ff}',
        '\u{e000}',
        '\u{feff}',
        '\u{fffd}',
        '\u{ffff}',
        '\u{10ffff}',
        '"',
        '\\',
        '/',
        '\n',
        '\r',
    ]);
    let characters = prop_oneof![any::<char>(), odd];
    vec(characters, 0..20).prop_map(String::from_iter)
}

/// Any time that this machine has.
fn times() -> impl Strategy<Value = SystemTime> {
    let after = (any::<i64>(), 0..1_000_000_000_u32);
    let near = (-99_999_999_999..999_999_999_999_i64, 0..1_000_000_000_u32);
    prop_oneof![after, near].prop_filter_map("the machine has no such time", |(seconds, nanos)| {
        let whole = Duration::from_secs(seconds.unsigned_abs());
        let time = match seconds {
            0.. => SystemTime::UNIX_EPOCH.checked_add(whole),
            _ => SystemTime::UNIX_EPOCH.checked_sub(whole),
        };
        time?.checked_add(Duration::from_nanos(nanos.into()))
    })
}

fn sync_items() -> impl Strategy<Value = SyncItem> {
    let fields = (
        any::<u128>(),
        texts(),
        any::<u32>(),
        any::<bool>(),
        option::of(times()),
    );
    fields.prop_map(|(id, name, flags, checked, time)| {
        let item = SyncItem::new(ItemId::from_u128(id), ItemName::truncate_start(&name));
        let mut item = item
            .flags(ItemFlags::from_bits_retain(flags))
            .checked(checked);
        item.last_update = time;
        item
    })
}

#[test]
fn items_and_what_handlers_say_of_themselves_are_read_as_they_were() {
    let info = (texts(), any::<u32>(), option::of(texts()));
    check(
        1_000,
        (vec(sync_items(), 0..4), any::<bool>(), info),
        |(items, complete, info)| {
            let list = match complete {
                true => ItemList::Complete(items),
                false => ItemList::Incomplete(items),
            };
            let text = serde_json::to_string(&list)?;
            prop_assert_eq!(serde_json::from_str::<ItemList>(&text)?, list);
            let (name, flags, description) = info;
            let flags = HandlerFlags::from_bits_retain(flags);
            let info = HandlerInfo::new(HandlerName::truncate_start(&name)).flags(flags);
            let text = serde_json::to_string(&info)?;
            prop_assert_eq!(serde_json::from_str::<HandlerInfo>(&text)?, info);
            let mut registration = Registration::new();
            registration.description = description;
            let text = serde_json::to_string(&registration)?;
            prop_assert_eq!(serde_json::from_str::<Registration>(&text)?, registration);
            Ok(())
        },
    );
}

#[test]
fn choices_are_read_as_they_were() {
    let small = || prop_oneof![0..4_u128, any::<u128>()];
    let chosen = btree_map((small(), small()), any::<bool>(), 0..12);
    check(1_000, chosen, |chosen| {
        let mut choices = Choices::new();
        for ((handler, item), checked) in chosen {
            choices.set(
                HandlerId::from_u128(handler),
                ItemId::from_u128(item),
                checked,
            );
        }
        let text = json::to_string(&choices);
        prop_assert_eq!(&json::from_str::<Choices>(&text)?, &choices);
        prop_assert_eq!(serde_json::from_str::<Choices>(&text)?, choices);
        Ok(())
    });
}

/// How many items a session is built with; the next ones may be added.
const LISTED: u128 = 4;
const KNOWN: u128 = 6;

/// A call by the handler, the driver or the user. What it is answered does not matter here.
#[derive(Clone, Debug)]
enum Op {
    Report(
        u128,
        Option<ItemStatus>,
        Option<u64>,
        Option<u64>,
        Option<String>,
    ),
    Cancel(u128),
    CancelAll,
    Drive(Vec<u128>),
    Add(u128, String),
    Log(u128, String, Option<String>),
    Text(String),
    Look,
}

fn ops() -> impl Strategy<Value = Op> {
    use ItemStatus::{Failed, Paused, Pending, Succeeded, Updating, UpdatingIndeterminate};
    let n = || 1..=KNOWN;
    let statuses = select(vec![
        Failed,
        Paused,
        Pending,
        Succeeded,
        Updating,
        UpdatingIndeterminate,
    ]);
    let values = || prop_oneof![4 => 0..20_u64, 1 => Just(u64::MAX), 1 => any::<u64>()];
    let report = (
        n(),
        option::of(statuses),
        option::of(values()),
        option::of(values()),
        option::of(texts()),
    );
    prop_oneof![
        12 => report.prop_map(|(n, status, value, max, text)| Op::Report(n, status, value, max, text)),
        2 => n().prop_map(Op::Cancel),
        1 => Just(Op::CancelAll),
        6 => vec(n(), 1..4).prop_map(Op::Drive),
        2 => (n(), texts()).prop_map(|(n, name)| Op::Add(n, name)),
        2 => (n(), texts(), option::of(texts())).prop_map(|(n, text, more)| Op::Log(n, text, more)),
        1 => texts().prop_map(Op::Text),
        4 => Just(Op::Look),
    ]
}

fn make(session: &Session, op: &Op) {
    let callback: &dyn SyncCallback = session;
    match op {
        Op::Report(n, status, value, max, text) => {
            let mut update = ProgressUpdate::new();
            update.text = text.as_deref().map(Into::into);
            update.status = *status;
            update.value = *value;
            update.max = *max;
            let _ = callback.progress(id(*n), &update);
        }
        Op::Cancel(n) => {
            let _ = session.cancel_item(id(*n));
        }
        Op::CancelAll => session.cancel_all(),
        Op::Drive(items) => {
            let items: Vec<ItemId> = items.iter().copied().map(id).collect();
            let _ = match session.phase() {
                syncmgr::Phase::Preparing => callback.prepare_for_sync_completed(HResult::S_OK),
                syncmgr::Phase::Prepared => session.driver().begin_synchronize(),
                syncmgr::Phase::Synchronizing => callback.synchronize_completed(HResult::S_OK),
                _ => session.driver().begin_prepare(&items),
            };
        }
        Op::Add(n, name) => {
            let _ = callback.add_item(SyncItem::new(id(*n), ItemName::truncate_start(name)));
        }
        Op::Log(n, text, more) => {
            let mut record =
                LogRecord::new(LogLevel::Error, text).jump_text(ErrorId::from_u128(*n));
            if let Some(more) = more.as_deref() {
                record = record.name(more).link(more).link_text(more).context(more);
            }
            let _ = callback.log_error(&record.item(id(*n)));
        }
        Op::Text(text) => {
            let _ = callback.set_handler_text(text);
        }
        Op::Look => {}
    }
}

fn session(journal: usize, driven: bool) -> Arc<Session> {
    let builder = Session::builder()
        .items(items(LISTED))
        .handler(HandlerId::from_u128(1))
        .journal_capacity(journal);
    let builder = if driven { builder.driven() } else { builder };
    builder.build().expect("distinct items build")
}

#[test]
fn what_a_session_shows_is_read_as_it_was() {
    check(500, (any::<bool>(), vec(ops(), 0..40)), |(driven, ops)| {
        let session = session(16_384, driven);
        ops.iter().for_each(|op| make(&session, op));
        let snapshot = session.snapshot();
        let text = json::to_string(&snapshot);
        prop_assert_eq!(json::from_str::<SessionSnapshot>(&text)?, snapshot);
        let changes = session.changes(Cursor::default());
        let text = json::to_string(&changes);
        prop_assert_eq!(json::from_str::<Changes>(&text)?, changes);
        Ok(())
    });
}

/// What a reader of a stream knows.
#[derive(Default)]
struct Known {
    items: BTreeMap<ItemId, ItemView>,
    log: Vec<syncmgr::LogEntry>,
    totals: Totals,
    text: String,
    phase: Option<syncmgr::Phase>,
}

impl Known {
    fn take(&mut self, line: StreamMessage) {
        let (items, log, text) = match line {
            StreamMessage::Snapshot {
                snapshot,
                log,
                text,
                ..
            } => {
                (self.totals, self.phase) = (snapshot.totals, Some(snapshot.phase));
                (snapshot.items, log, text)
            }
            StreamMessage::Changes {
                changes,
                totals,
                text,
                ..
            } => {
                assert!(changes.is_complete());
                (self.totals, self.phase) = (totals, Some(changes.phase()));
                (changes.items().to_vec(), changes.log().to_vec(), text)
            }
            _ => return,
        };
        self.items
            .extend(items.into_iter().map(|view| (view.id, view)));
        self.log.extend(log);
        self.text = text.unwrap_or(std::mem::take(&mut self.text));
    }
}

#[test]
fn a_reader_of_a_stream_knows_what_the_session_knows() {
    let journals = select(vec![1, 2, 5, 16_384]);
    check(
        500,
        (journals, any::<bool>(), vec(ops(), 0..60)),
        |(journal, driven, ops)| {
            let session = session(journal, driven);
            let mut lines = Vec::new();
            let mut stream = StreamWriter::new(session.clone(), &mut lines);
            let mut looks = 0;
            for op in &ops {
                make(&session, op);
                if matches!(op, Op::Look) {
                    stream.write_changes()?;
                    looks += 1;
                }
            }
            stream.end(HResult::S_OK)?;

            let mut known = Known::default();
            let mut count = 0;
            for line in StreamReader::new(&*lines)? {
                known.take(line?);
                count += 1;
            }
            prop_assert!(count <= looks + 2, "{} lines for {} looks", count, looks);
            let snapshot = session.snapshot();
            prop_assert_eq!(known.items.len(), snapshot.items.len());
            for mut view in snapshot.items {
                let seen = &known.items[&view.id];
                if !view.selected {
                    view.verdict = seen.verdict; // a cancel of everything is told of items that take part
                }
                prop_assert_eq!(seen, &view);
            }
            prop_assert_eq!(known.totals, snapshot.totals);
            prop_assert_eq!(known.phase, Some(snapshot.phase));
            prop_assert_eq!(known.log, session.log());
            prop_assert_eq!(known.text, session.handler_text());
            Ok(())
        },
    );
}

const SAMPLES: [&str; 10] = [
    include_str!("../data/snapshot-1.json"),
    include_str!("../data/changes-1.json"),
    include_str!("../data/run_changes-1.json"),
    include_str!("../data/unfinished-1.json"),
    include_str!("../data/listing-1.json"),
    include_str!("../data/choices-1.json"),
    include_str!("../data/handler_report-1.json"),
    include_str!("../data/run_report-1.json"),
    include_str!("../data/stream-1.jsonl"),
    include_str!("../data/trace-1.jsonl"),
];

/// Reads the text as everything there is. What is read can be written, and read again as it was.
fn read_all(text: &[u8]) -> Result<(), TestCaseError> {
    if let Ok(lines) = StreamReader::with_limit(text, 1 << 20) {
        lines.for_each(drop);
    }
    let Ok(text) = std::str::from_utf8(text) else {
        return Ok(());
    };
    macro_rules! read {
        ($($type:ty)+) => {$(
            if let Ok(read) = json::from_str::<$type>(text) {
                let written = json::to_string(&read);
                prop_assert_eq!(json::from_str::<$type>(&written)?, read);
            }
        )+};
    }
    read! { SessionSnapshot Changes RunChanges WaitTimeout Listing Choices HandlerReportData RunReportData }
    drop(syncmgr::testing::Trace::from_json_lines(text));
    Ok(())
}

#[test]
fn no_text_makes_a_reader_panic() {
    let pieces = select(vec![
        "null",
        "true",
        "0",
        "-1",
        "1e400",
        "18446744073709551616",
        "\"\"",
        "\"\\u0000\"",
        "\"\\ud800\"",
        "[]",
        "{}",
        "[",
        "{",
        "}",
        "]",
        ",",
        ":",
        "\"",
        "\n",
        "S_OK",
        "+999999999999-12-31T23:59:59Z",
        "9999999999999999999999s",
        "completed",
    ]);
    let edit = (
        any::<Index>(),
        any::<Index>(),
        0..12_usize,
        pieces,
        any::<u8>(),
    );
    check(
        3_000,
        (select(&SAMPLES[..]), vec(edit, 1..6)),
        |(sample, edits)| {
            let mut text = sample.as_bytes().to_vec();
            for (from, to, cut, piece, byte) in edits {
                let at = from.index(text.len());
                match cut {
                    0 => text.truncate(at),
                    1 => text[at] = byte,
                    // A piece of the text, once more, elsewhere.
                    2..4 => {
                        let end = (at + to.index(80)).min(text.len());
                        let copy = text[at..end].to_vec();
                        let into = to.index(text.len());
                        text.splice(into..into, copy);
                    }
                    // A value in place of another, where one begins.
                    4..9 => {
                        let begins = |at: &usize| text[*at] == b':';
                        let at = (at..text.len()).find(begins).map_or(at, |at| at + 1);
                        let ends = |at: &usize| matches!(text[*at], b',' | b'}' | b']');
                        let end = (at..text.len()).find(ends).unwrap_or(at);
                        text.splice(at..end, piece.bytes());
                    }
                    _ => {
                        text.splice(at..at, piece.bytes());
                    }
                }
                if text.is_empty() {
                    break;
                }
            }
            read_all(&text)
        },
    );
}

#[test]
fn no_bytes_make_a_reader_panic() {
    let heads = select(vec![
        "",
        "{\"syncmgr_stream\":1}\n",
        "{\"syncmgr_snapshot\":1,",
        "{\"syncmgr_changes\":1,",
        "{\"syncmgr_choices\":1,\"handlers\":{",
    ]);
    check(2_000, (heads, vec(any::<u8>(), 0..60)), |(head, bytes)| {
        read_all(&[head.as_bytes(), &bytes].concat())
    });
}

#[test]
fn what_is_no_list_of_items_is_refused() {
    let text = "{\"complete\":true,\"items\":[]}";
    let read = serde_json::from_str::<ItemList>(text).unwrap();
    assert_eq!(read, ItemList::Complete(Vec::new()));
    let text = "{\"complete\":false,\"items\":[]}";
    let read = serde_json::from_str::<ItemList>(text).unwrap();
    assert_eq!(read, ItemList::Incomplete(Vec::new()));
    for text in [
        "7",
        "{}",
        "{\"complete\":true}",
        "{\"complete\":1,\"items\":[]}",
    ] {
        assert!(serde_json::from_str::<ItemList>(text).is_err(), "{text}");
    }
}
