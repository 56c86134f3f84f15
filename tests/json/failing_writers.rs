//! What is written goes out as a whole or says that it did not: wherever a writer fails, nothing panics, the error comes back, and
//! what came before it is a beginning of the text.

use std::fmt::{self, Debug, Display, Write as _};
use std::io::{self, Write};
use std::time::{Duration, SystemTime};

use support::lines::*;
use syncmgr::json::{self, Document, StreamSummary, StreamWriter};
use syncmgr::testing::mock::{Script, Step};
use syncmgr::testing::{Harness, Incident, Rule, Trace, explore_cancellations, explore_faults};
use syncmgr::{
    Choices, Cursor, HResult, HandlerFlags, HandlerId, ItemFlags, ItemId, ItemStatus, Listing,
    LogLevel, LogRecord, ProgressUpdate, RunOptions, Session, SyncCallback, SyncEvent, SyncFlags,
    SyncManager, WaitTimeout, run_handler,
};

use support::{id, item, open};

/// Takes so many bytes and then fails.
struct Narrow {
    left: usize,
    text: String,
}

impl fmt::Write for Narrow {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.left = self.left.checked_sub(text.len()).ok_or(fmt::Error)?;
        self.text.push_str(text);
        Ok(())
    }
}

/// Writes with every width that is too narrow, then with the one that is not.
#[track_caller]
fn fails_everywhere(whole: &str, write: impl Fn(&mut Narrow) -> fmt::Result) {
    for left in 0..=whole.len() {
        let mut narrow = Narrow {
            left,
            text: String::new(),
        };
        let written = write(&mut narrow);
        assert_eq!(
            written.is_ok(),
            left == whole.len(),
            "{left} bytes of {whole}"
        );
        assert!(whole.starts_with(&narrow.text), "{}", narrow.text);
    }
}

#[track_caller]
fn shows(value: &impl Display) {
    fails_everywhere(&value.to_string(), |narrow| write!(narrow, "{value}"));
}

#[track_caller]
fn debugs(value: &impl Debug) {
    fails_everywhere(&format!("{value:?}"), |narrow| write!(narrow, "{value:?}"));
}

#[test]
fn words_for_flags_and_codes() {
    let manual = SyncFlags::new(SyncEvent::Manual);
    for flags in [
        manual,
        SyncFlags::from_bits_retain(0x77),
        manual | SyncFlags::SETTINGS | SyncFlags::MAY_BOTHER_USER,
        manual | SyncFlags::from_bits_retain(0x8000),
    ] {
        debugs(&flags);
    }
    debugs(&(HandlerFlags::HIDDEN | HandlerFlags::from_bits_retain(0x80)));
    debugs(&(ItemFlags::TEMPORARY | ItemFlags::ROAMING_USER));
    for code in [HResult::S_OK, HResult::from_u32(0x8123_4567)] {
        shows(&code);
    }
    shows(&ItemId::from_u128(7));
    shows(&item(3).name);
}

#[test]
fn a_run_that_is_not_over() {
    let handlers = [(1, "preparing", vec![ONE]), (2, "idle", vec![])];
    let handlers = handlers.map(|(handler, phase, open)| {
        let handler = HandlerId::from_u128(handler);
        format!(r#"{{"handler":"{handler}","phase":"{phase}","open":{open:?}}}"#)
    });
    let text = format!(
        r#"{{"syncmgr_unfinished":1,"handlers":[{}]}}"#,
        handlers.join(",")
    );
    let unfinished: WaitTimeout = json::from_str(&text).unwrap();
    assert_eq!(
        unfinished.to_string(),
        format!(
            "the run is not over: the handler {} is preparing and has 1 open; the handler {} is idle and has 0 open; \
             wait longer, or cancel the run",
            HandlerId::from_u128(1),
            HandlerId::from_u128(2)
        )
    );
    shows(&unfinished);
}

/// Everything that a trace can be shown as.
#[track_caller]
fn trace_shows(trace: &Trace) {
    shows(trace);
    shows(&trace.report());
    shows(&trace.by_item());
    for name in ["one", "two"] {
        let of_item = trace.item(name).to_string();
        fails_everywhere(&of_item, |narrow| write!(narrow, "{}", trace.item(name)));
    }
}

#[test]
fn a_trace_with_a_breach_far_from_its_ends() {
    let asked = |lines: Lines, times: usize| {
        (0..times).fold(lines, |lines, _| lines.report(ONE, "").report(TWO, ""))
    };
    let lines = asked(Lines::synchronizing(&[ONE, TWO]), 6)
        .report(ONE, UPDATING)
        .report(ONE, r#""max":1,"value":2"#)
        .report(ONE, r#""value":3"#)
        .handler(&with("can_continue", "item", TWO), CANCEL);
    let lines = asked(lines, 8).handler(&progress(TWO, UPDATING), CANCEL);
    let trace = asked(lines, 6).trace();
    assert!(trace.breaks(Rule::ValueWithinMaximum), "{trace}");
    assert!(trace.breaks(Rule::StopCancelledItem), "{trace}");
    let report = trace.report().to_string();
    assert!(report.contains("led by:"), "{report}");
    assert!(report.contains("\n  ...\n"), "{report}");
    trace_shows(&trace);
}

#[test]
fn a_trace_with_very_many_breaches() {
    let lines = Lines::synchronizing(&[ONE]).report(ONE, UPDATING);
    let lines = (2..40).fold(lines, |lines, n| {
        let item = format!("00000000-0000-0000-0000-0000000001{n:02}");
        lines.report(&item, r#""max":1,"value":2"#)
    });
    let trace = lines.trace();
    let report = trace.report().to_string();
    assert!(report.contains("breaches more"), "{report}");
    shows(&trace.report());
    shows(&trace);
}

#[test]
fn a_trace_with_a_question() {
    let trace = Lines::synchronizing(&[ONE])
        .report(ONE, r#""value":7"#)
        .report(ONE, SUCCEEDED)
        .complete()
        .breaks(&[Rule::VerdictBeforeItem]);
    let text = trace.to_string();
    assert!(text.contains(": 0 breaches, 1 question\n"), "{text}");
    trace_shows(&trace);
}

#[test]
fn traces_with_incidents_and_what_was_done() {
    let script = Script::new().item(id(1), "one").inline().synchronize([
        Step::report(id(1)).status(ItemStatus::Updating),
        Step::run(|| panic!("the disk is gone")),
    ]);
    let trace = Harness::new(script.handler()).cancel_item_at(1).run();
    assert!(
        matches!(trace.incidents(), [Incident::Panicked { text, .. }] if text == "the disk is gone"),
        "{trace}"
    );
    assert!(trace.to_string().contains("1 incident"), "{trace}");
    trace_shows(&trace);
}

#[test]
fn a_call_that_did_not_return() {
    let (let_go, held) = std::sync::mpsc::channel::<()>();
    let held = std::sync::Mutex::new(held);
    let script = Script::new()
        .item(id(1), "one")
        .inline()
        .synchronize([Step::run(move || {
            // Until the test lets go of the other end.
            let _ = held.lock().unwrap().recv();
        })]);
    let harness = Harness::new(script.handler()).deadline(Duration::from_millis(50));
    let trace = harness.run();
    drop(let_go);
    assert!(
        matches!(trace.incidents(), [Incident::DidNotReturn { .. }]),
        "{trace}"
    );
    trace_shows(&trace);
}

#[test]
fn explorations_that_fail_and_that_do_not() {
    let script = || {
        Script::new().item(id(1), "one").inline().synchronize([
            Step::report(id(1)).status(ItemStatus::Updating),
            Step::report(id(1)).value(1),
            Step::report(id(1)).status(ItemStatus::Succeeded),
        ])
    };
    shows(&explore_cancellations(|| script().handler()));
    shows(&explore_cancellations(|| {
        script().ignore_verdicts().handler()
    }));
    shows(&explore_faults(|| Script::new().handler()));
    let twice = || {
        let twice = [
            Step::complete_synchronize(HResult::S_OK),
            Step::complete_synchronize(HResult::S_OK),
        ];
        script().ignore_verdicts().synchronize(twice).handler()
    };
    shows(&explore_faults(twice));
    let sample = Harness::explore(
        || {
            let harness = Harness::new(script().ignore_verdicts().handler());
            (harness.max_runs(9).seed(77), ())
        },
        |_, ()| {},
    );
    assert!(
        sample.to_string().contains(" (a sample, seed 77)"),
        "{sample}"
    );
    shows(&sample);
    let runs = std::cell::Cell::new(0);
    let other = [
        Step::report(id(1)).status(ItemStatus::Updating),
        Step::report(id(1)).value(7),
        Step::report(id(1)).value(8),
        Step::report(id(1)).status(ItemStatus::Succeeded),
    ];
    let diverged = explore_cancellations(|| {
        runs.set(runs.get() + 1);
        match runs.get() {
            7 => script()
                .ignore_verdicts()
                .synchronize(other.clone())
                .handler(),
            _ => script().handler(),
        }
    });
    assert!(
        diverged.to_string().contains(", 1 diverged from the first"),
        "{diverged}"
    );
    shows(&diverged);
    let runs = std::cell::Cell::new(0);
    let silent = Harness::explore(
        || {
            runs.set(runs.get() + 1);
            let silent = script()
                .prepare([Step::complete_prepare(HResult::S_OK)])
                .without_completions();
            let harness = Harness::new(silent.handler()).deadline(Duration::from_millis(50));
            (harness, ())
        },
        |_, ()| {},
    );
    assert!(
        silent.to_string().contains("fell silent too often"),
        "{silent}"
    );
    shows(&silent);
}

#[test]
fn a_look_at_the_world_that_found_something() {
    let script = || {
        let steps = [Step::report(id(1)).status(ItemStatus::Succeeded)];
        Script::new().item(id(1), "one").inline().synchronize(steps)
    };
    let exploration = Harness::explore(
        || (Harness::new(script().handler()), ()),
        |_, ()| panic!("half a file"),
    );
    let trace = &exploration.failures()[0];
    assert!(
        matches!(trace.incidents(), [Incident::After { text }] if text.contains("half a file")),
        "{trace}"
    );
    trace_shows(trace);
    shows(&exploration);
}

/// Takes so many bytes and then fails, for ever.
struct Full<'a> {
    left: usize,
    taken: &'a mut Vec<u8>,
}

impl Write for Full<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let count = bytes.len().min(self.left);
        self.left -= count;
        self.taken.extend(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes into every space that is too small, then into the one that is not. What is long is tried at some places only.
#[track_caller]
fn is_never_half_written(whole: &str, write: impl Fn(Full<'_>) -> io::Result<()>) {
    let step = (whole.len() / 500).max(1);
    for left in (0..whole.len()).step_by(step).chain([whole.len()]) {
        let mut taken = Vec::new();
        let written = write(Full {
            left,
            taken: &mut taken,
        });
        match written {
            Ok(()) => assert_eq!(left, whole.len(), "an error is lost"),
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::StorageFull);
                assert!(left < whole.len(), "{left} bytes of {whole}");
            }
        }
        assert!(whole.as_bytes().starts_with(&taken), "{whole}");
    }
}

/// A document, with and without a buffer between.
/// What a stream writes, as [`is_never_half_written`] wants it; answers how many bytes that is.
#[track_caller]
fn stream(write: impl Fn(&mut dyn Write) -> io::Result<()>) -> usize {
    let mut whole = Vec::new();
    write(&mut whole).unwrap();
    let whole = String::from_utf8(whole).unwrap();
    is_never_half_written(&whole, |mut full| write(&mut full));
    whole.len()
}

#[track_caller]
fn document<T: Document>(value: &T) {
    let whole = json::to_string(value);
    is_never_half_written(&whole, |full| json::to_writer(full, value));
    let unbuffered = serde_json::to_string(value).unwrap();
    is_never_half_written(&unbuffered, |full| {
        serde_json::to_writer(full, value).map_err(io::Error::from)
    });
}

#[test]
fn choices_and_listings_and_what_a_session_shows() {
    let mut choices = Choices::new();
    for n in 1..=3 {
        choices.set(HandlerId::from_u128(n % 2), ItemId::from_u128(n), n > 1);
    }
    document(&choices);
    document(&Choices::new());

    let time = SystemTime::UNIX_EPOCH + Duration::new(1_700_000_000, 123_456_700);
    let far = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(400_000_000_000));
    let session = Session::builder()
        .item(item(1).last_update(time))
        .item(item(2).last_update(far.unwrap_or(time)))
        .build()
        .unwrap();
    let update = ProgressUpdate::new().text("\0 \u{2028} \"\\/").value(7);
    assert!(session.progress(id(1), &update).is_ok());
    let record = LogRecord::new(LogLevel::Warning, "w").item(id(2));
    session.log_error(&record).unwrap();
    document(&session.snapshot());
    document(&session.changes(Cursor::default()));
    for item in session.items() {
        let whole = serde_json::to_string(&item).unwrap();
        is_never_half_written(&whole, |full| {
            serde_json::to_writer(full, &item).map_err(io::Error::from)
        });
    }
    document(&SyncManager::new().update_all().observe().refresh());
}

#[test]
fn reports_of_handlers() {
    let script = Script::new()
        .item(id(1), "one")
        .inline()
        .without_completions()
        .synchronize([Step::report(id(1)).status(ItemStatus::Updating)])
        .prepare([Step::complete_prepare(HResult::S_OK)]);
    let options = RunOptions::new().deadline(Duration::from_millis(10));
    let report = run_handler(script.handler(), options);
    assert!(!report.faults.is_empty(), "{report:?}");
    document(&report);
}

#[test]
fn a_stream_in_lines_short_and_long() {
    for about in ["short".to_owned(), "x".repeat(10_000)] {
        let write = |writer: &mut dyn Write| {
            let session = open(2);
            let mut stream = StreamWriter::new(session.clone(), writer).about(about.as_str());
            stream.write_changes()?;
            let update = ProgressUpdate::new().value(1).text(&about);
            assert!(session.progress(id(1), &update).is_ok());
            stream.write_changes()?;
            session.synchronize_completed(HResult::S_OK).unwrap();
            stream.follow(Duration::ZERO)?;
            stream.end(HResult::S_OK)
        };
        stream(write);
    }
}

#[test]
fn a_snapshot_that_is_too_long_for_the_buffer() {
    let write = |writer: &mut dyn Write| {
        let session = open(200);
        let mut stream = StreamWriter::new(session.clone(), writer);
        stream.write_changes()?;
        session.synchronize_completed(HResult::S_OK).unwrap();
        stream.end(HResult::S_OK)
    };
    assert!(stream(write) > 20_000);
}

#[test]
fn an_end_that_is_too_long_for_the_buffer() {
    let write = |writer: &mut dyn Write| {
        let session = open(1);
        session.synchronize_completed(HResult::E_FAIL).unwrap();
        let mut end = StreamSummary::from(HResult::E_FAIL);
        end.error = Some("no ".repeat(10_000));
        StreamWriter::new(session, writer).end(end)
    };
    stream(write);
}

#[test]
fn why_a_text_is_no_document() {
    for text in [
        "7",
        "{}",
        r#"{"syncmgr_listing":9}"#,
        r#"{"syncmgr_listing":1}"#,
    ] {
        shows(&json::from_str::<Listing>(text).unwrap_err());
    }
}
