//! A session as a stream of lines: what is written in which line, and what a reader says of lines that are broken or cut.

use std::io::{self, BufReader, Read, Write};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use syncmgr::json::{JsonErrorKind, StreamMessage, StreamReader, StreamSummary, StreamWriter};
use syncmgr::per_item::{HandlerBuilder, from_items};
use syncmgr::{
    HResult, HandlerId, ItemStatus, LogLevel, LogRecord, Phase, ProgressUpdate, RunOptions,
    Session, SyncCallback, run_handler,
};

use support::hooked::OnWrite;
use support::{Deadline, id, items, join, open, view};

const SAMPLE: &str = include_str!("../data/stream-1.jsonl");

/// What was written so far, to be looked at while the stream has it.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Written {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).expect("JSON is UTF-8")
    }

    fn lines(&self) -> usize {
        let text = self.text();
        assert!(text.is_empty() || text.ends_with('\n'), "{text}");
        text.lines().count()
    }
}

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn read(text: &str) -> Vec<StreamMessage> {
    let lines = StreamReader::new(text.as_bytes()).expect("a head");
    lines.map(|line| line.expect("a line")).collect()
}

#[test]
fn a_line_goes_out_for_each_look_that_sees_something_new() {
    let (session, written) = (open(2), Written::default());
    let mut stream = StreamWriter::new(session.clone(), written.clone())
        .about("two items")
        .handler(HandlerId::from_u128(7));
    assert_eq!(written.lines(), 0);
    assert!(!stream.write_changes().unwrap());
    assert_eq!(written.lines(), 2);
    assert!(!stream.write_changes().unwrap());
    assert_eq!(written.lines(), 2, "nothing has changed");

    let reporter = session.reporter(id(1)).unwrap();
    let _ = reporter.set(3).unwrap();
    stream.write_changes().unwrap();
    stream.write_changes().unwrap();
    assert_eq!(written.lines(), 3, "in work, and as it was");
    let _ = reporter.set(4).unwrap();
    stream.write_changes().unwrap();
    session.set_handler_text("at work").map(drop).unwrap();
    stream.write_changes().unwrap();
    session
        .log_error(&LogRecord::new(LogLevel::Error, "boom"))
        .unwrap();
    stream.write_changes().unwrap();
    reporter.succeed().unwrap();
    stream.write_changes().unwrap();
    session.synchronize_completed(HResult::S_OK).unwrap();
    assert!(stream.write_changes().unwrap(), "over");
    assert_eq!(written.lines(), 8);
    stream.end(HResult::E_FAIL).unwrap();
    assert_eq!(written.lines(), 9);

    let text = written.text();
    assert!(
        text.starts_with("{\"syncmgr_stream\":1,\"handler\":\"00000000-0000-0000-0000-000000000007\",\"about\":\"two items\"}\n{\"snapshot\":")
    );
    let lines = read(&text);
    let StreamMessage::Snapshot { snapshot, .. } = &lines[0] else {
        panic!("{lines:?}");
    };
    assert_eq!(snapshot.items.len(), 2);
    let told: Vec<_> = lines[1..7]
        .iter()
        .map(|line| match line {
            StreamMessage::Changes {
                changes,
                totals,
                text,
                ..
            } => {
                let values: Vec<_> = changes.items().iter().map(|view| view.value).collect();
                let log = changes.log().len();
                (values, log, totals.value, text.as_deref())
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        told,
        [
            (vec![3], 0, 3, None),
            (vec![4], 0, 4, None),
            (vec![], 0, 4, Some("at work")),
            (vec![], 1, 4, None),
            (vec![4], 0, 4, None),
            (vec![], 0, 4, None),
        ]
    );
    let StreamMessage::End(end) = &lines[7] else {
        panic!("{lines:?}");
    };
    assert_eq!((end.result, end.success), (HResult::E_FAIL, false));
}

#[test]
fn the_handler_of_a_session_is_in_the_first_line() {
    let of = |handler: Option<u128>| {
        let session = Session::builder()
            .handler(HandlerId::from_u128(1))
            .build()
            .unwrap();
        let written = Written::default();
        let mut stream = StreamWriter::new(session, written.clone());
        if let Some(handler) = handler {
            stream = stream.handler(HandlerId::from_u128(handler));
        }
        stream.end(HResult::S_OK).unwrap();
        let text = written.text();
        StreamReader::new(text.as_bytes()).unwrap().handler()
    };
    assert_eq!(of(None), Some(HandlerId::from_u128(1)));
    assert_eq!(of(Some(2)), Some(HandlerId::from_u128(2)));
}

#[test]
fn a_stream_without_a_look_has_every_item_all_the_same() {
    let (session, written) = (open(3), Written::default());
    session.cancel_all();
    session
        .log_error(&LogRecord::new(LogLevel::Warning, "early"))
        .unwrap();
    session.set_handler_text("text").map(drop).unwrap();
    let stream = StreamWriter::new(session.clone(), written.clone());
    stream.end(HResult::S_OK).unwrap();
    let lines = read(&written.text());
    let [
        StreamMessage::Snapshot {
            snapshot,
            log,
            text,
            ..
        },
        StreamMessage::End(_),
    ] = &lines[..]
    else {
        panic!("{lines:?}");
    };
    assert_eq!(snapshot.items, session.snapshot().items);
    assert_eq!(snapshot.cursor, session.snapshot().cursor);
    assert_eq!(*log, session.log());
    assert_eq!(text.as_deref(), Some("text"));
}

#[test]
fn following_ends_with_the_session_and_writes_its_last_state() {
    let (session, written) = (open(100), Written::default());
    let mut stream = StreamWriter::new(session.clone(), written.clone());
    let following = thread::spawn(move || stream.follow(Duration::from_millis(1)).map(|()| stream));
    for n in 1..=100 {
        let reporter = session.reporter(id(n)).unwrap();
        for value in 0..50 {
            let _ = reporter.set(value).unwrap();
        }
        reporter.succeed().unwrap();
    }
    session.synchronize_completed(HResult::S_OK).unwrap();
    let stream = join("the follower", following).unwrap();
    stream.end(HResult::S_OK).unwrap();
    let mut seen = std::collections::BTreeMap::new();
    let mut phase = None;
    for line in read(&written.text()) {
        match line {
            StreamMessage::Snapshot { snapshot, .. } => {
                phase = Some(snapshot.phase);
                seen.extend(snapshot.items.into_iter().map(|view| (view.id, view)));
            }
            StreamMessage::Changes { changes, .. } => {
                seen.extend(changes.items().iter().map(|view| (view.id, view.clone())));
                phase = Some(changes.phase());
            }
            _ => {}
        }
    }
    assert_eq!(phase, Some(Phase::Completed));
    assert!(seen.into_values().eq(session.snapshot().items));
}

#[test]
fn looks_are_no_more_often_than_asked() {
    let (session, written) = (open(1), Written::default());
    let every = Duration::from_millis(20);
    let mut stream = StreamWriter::new(session.clone(), written.clone());
    let begun = Instant::now();
    let following = thread::spawn(move || stream.follow(every));
    let reporter = session.reporter(id(1)).unwrap();
    let mut value = 0;
    let deadline = Deadline::new("six lines");
    while written.lines() < 6 {
        value += 1;
        let _ = reporter.set(value).unwrap();
        deadline.tick();
    }
    // Six lines are the head and five looks, so there were four pauses at least, and a pause is never shorter.
    assert!(begun.elapsed() >= every * 4);
    session.driver().release();
    join("the follower", following).unwrap();
}

#[test]
fn a_report_is_an_end() {
    let work = from_items(items(2), |work| match work.item().id {
        first if first == id(1) => Err("no stamp".into()),
        _ => Ok(()),
    });
    let handler = HandlerBuilder::new("x".parse().unwrap(), work).build();
    let report = run_handler(handler, RunOptions::new());
    let session = report.session.clone().unwrap();
    let written = Written::default();
    let stream = StreamWriter::new(session, written.clone());
    stream.end(&report).unwrap();
    let lines = read(&written.text());
    let Some(StreamMessage::End(end)) = lines.last() else {
        panic!("{lines:?}");
    };
    assert_eq!(*end, StreamSummary::from(&report));
    assert!(!end.success && end.result.is_success() && !end.cancelled);
    assert!(!written.text().contains("cancelled"));
}

#[test]
fn the_end_tells_that_everything_was_cancelled() {
    let work = from_items(items(1), |_| Ok(()));
    let handler = HandlerBuilder::new("x".parse().unwrap(), work).build();
    let report = run_handler(
        handler,
        RunOptions::new().on_session(|session| session.cancel_all()),
    );
    let written = Written::default();
    let stream = StreamWriter::new(report.session.clone().unwrap(), written.clone());
    stream.end(&report).unwrap();
    let lines = read(&written.text());
    let Some(StreamMessage::End(end)) = lines.last() else {
        panic!("{lines:?}");
    };
    assert!(report.was_cancelled() && end.cancelled);
    assert!(written.text().contains(r#""cancelled":true"#));
}

#[test]
fn a_writer_that_is_gone_ends_the_stream_and_not_the_work() {
    struct Gone(usize);
    impl Write for Gone {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.0 == 0 {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            let taken = bytes.len().min(self.0);
            self.0 -= taken;
            Ok(taken)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    for room in [0, 10, 60, 400] {
        let session = open(3);
        let mut stream = StreamWriter::new(session.clone(), Gone(room));
        let finish =
            |session: &Session, n| session.progress(id(n), &support::status(ItemStatus::Succeeded));
        let mut answers = vec![stream.write_changes().map(drop)];
        let _ = finish(&session, 1).unwrap();
        answers.push(stream.write_changes().map(drop));
        let _ = finish(&session, 2).unwrap();
        answers.push(stream.end(HResult::S_OK));
        let refused = answers.iter().find_map(|answer| answer.as_ref().err());
        let kind = refused.map(io::Error::kind);
        assert_eq!(kind, Some(io::ErrorKind::BrokenPipe), "{room}");
        assert_eq!(view(&session, 2).status, ItemStatus::Succeeded);
    }
}

/// Every answer of a reader of this text, the errors as text.
fn answers(text: &[u8]) -> Vec<Result<&'static str, String>> {
    let kind = |line: StreamMessage| match line {
        StreamMessage::Snapshot { .. } => "snapshot",
        StreamMessage::Changes { .. } => "changes",
        StreamMessage::End(_) => "end",
        _ => "another",
    };
    match StreamReader::new(text) {
        Ok(lines) => lines
            .map(|line| line.map(kind).map_err(|error| error.to_string()))
            .collect(),
        Err(error) => vec![Err(error.to_string())],
    }
}

#[test]
fn a_broken_line_is_told_and_those_after_it_are_read() {
    let lines: Vec<&str> = SAMPLE.lines().collect();
    let with = |third: &[u8]| {
        let before = format!("{}\n{}\n", lines[0], lines[1]);
        let after = format!("\n{}\n{}\n", lines[3], lines[4]);
        answers(&[before.as_bytes(), third, after.as_bytes()].concat())
    };
    let long = "x".repeat(10_000_000);
    let nested = "[".repeat(1_000_000);
    for (third, wrong) in [
        ("hello", "expected value at column 1"),
        ("[]", "invalid length 0"),
        ("{\"changes\":7}", "invalid type: integer `7`"),
        ("{\"changes\":{}}", "missing field `cursor`"),
        (
            "{\"changes\":{\"phase\":\"half\"}}",
            "unknown variant `half`",
        ),
        (&lines[2][..100], "EOF while parsing"),
        (&long, "expected value at column 1"),
        (&nested, "invalid type: sequence"),
    ] {
        let answers = with(third.as_bytes());
        let [Ok("snapshot"), Err(error), Ok("changes"), Ok("end")] = &answers[..] else {
            panic!("{answers:?}");
        };
        assert!(error.starts_with("line 3 is none of a stream: "), "{error}");
        assert!(
            error.contains(wrong) && !error.contains("line 1"),
            "{error}"
        );
    }
    // Where a part is kept for later, the depth has a limit; where it is passed over, it has none.
    let fault = format!("{{\"end\":{{\"faults\":[{{\"later\":{nested}");
    let answers = with(fault.as_bytes());
    let told = answers[1].as_ref().unwrap_err();
    assert!(told.contains("recursion limit exceeded"), "{told}");
    let deep = format!("{{\"later\":{nested}{}}}", "]".repeat(1_000_000));
    assert_eq!(
        with(deep.as_bytes()),
        [Ok("snapshot"), Ok("changes"), Ok("end")]
    );
    let answers = with(b"{\"changes\":\"\xff\"}");
    assert!(
        answers[1].is_err() && answers[3] == Ok("end"),
        "{answers:?}"
    );
}

#[test]
fn a_stream_that_is_cut_says_after_which_line() {
    let ends: Vec<usize> = SAMPLE.match_indices('\n').map(|(at, _)| at + 1).collect();
    for end in 0..SAMPLE.len() {
        let all = answers(&SAMPLE.as_bytes()[..end]);
        let whole = ends.iter().filter(|at| **at <= end).count();
        let error = match all.last() {
            Some(Err(error)) => error,
            // All but what ends the last line: there is nothing more to come.
            Some(Ok("end")) if end + 1 == SAMPLE.len() => continue,
            _ => panic!("{end}: {all:?}"),
        };
        // A line that lacks nothing but its end counts too.
        let lines = match ends.contains(&(end + 1)) {
            true => whole + 1,
            false => whole,
        };
        let told = match (lines, ends.contains(&end) || ends.contains(&(end + 1))) {
            (0, _) => "line 1 is no head of a stream".to_owned(),
            (lines, true) => {
                format!("the stream ends after line {lines}; its last line has to tell the end")
            }
            (lines, false) => format!(
                "line {} is cut: the stream ends in the middle of it: EOF",
                lines + 1
            ),
        };
        assert!(error.starts_with(&told), "{end}: {error}, not {told}");
        assert_eq!(
            all.iter().filter(|answer| answer.is_ok()).count(),
            lines.saturating_sub(1)
        );
    }
}

#[test]
fn what_is_no_stream_is_refused_at_its_first_line() {
    let error = |text: &str| StreamReader::new(text.as_bytes()).unwrap_err().to_string();
    let head = "line 1 is no head of a stream, such as {\"syncmgr_stream\":1}: ";
    for (text, told) in [
        (
            "",
            "the text is no syncmgr_stream: EOF while parsing a value",
        ),
        (
            "\n{\"syncmgr_stream\":1}\n",
            "the text is no syncmgr_stream: EOF while parsing a value",
        ),
        ("hello\n", "the text is no syncmgr_stream: expected value"),
        ("{}\n", "the text is an object without a head"),
        (
            "{\"syncmgr_trace\":1}\n",
            "the text is a syncmgr_trace; an object with the field \"syncmgr_stream\" is wanted",
        ),
        (
            "{\"syncmgr_stream\":2,\"about\":7}\n",
            "the syncmgr_stream has the version 2; versions 1 to 1 can be read",
        ),
        (
            "{\"syncmgr_stream\":1,\"about\":7}\n",
            "the text is no syncmgr_stream: invalid type: integer `7`, expected a string",
        ),
    ] {
        let error = error(text);
        assert!(error.starts_with(&format!("{head}{told}")), "{error}");
    }
}

#[test]
fn lines_and_fields_of_a_later_version_are_passed_over() {
    let wanted = answers(SAMPLE.as_bytes());
    assert_eq!(
        wanted,
        [Ok("snapshot"), Ok("changes"), Ok("changes"), Ok("end")]
    );
    let later = SAMPLE
        .replace(
            "}\n",
            ",\"later\":{\"a\":[1e400]}}\n{\"weather\":\"fine\"}\n\n   \r\n{}\n",
        )
        .replace("\"selected\":true}", "\"selected\":true,\"colour\":[]}");
    assert_eq!(answers(later.as_bytes()), wanted);
    let read_as = |text: &str| read(text);
    assert_eq!(read_as(&later), read_as(SAMPLE));
    let crlf = SAMPLE.replace('\n', "\r\n");
    assert_eq!(read_as(&crlf), read_as(SAMPLE));
}

#[test]
fn null_is_read_as_nothing_where_a_field_is_optional() {
    let text = "{\"syncmgr_stream\":1,\"handler\":null,\"about\":null}\n\
        {\"end\":{\"result\":\"S_OK\",\"success\":true,\"error\":null,\"open\":null,\"faults\":null}}\n";
    let whole = StreamSummary::from(HResult::S_OK);
    assert!(matches!(&read(text)[..], [StreamMessage::End(end)] if *end == whole));
}

#[test]
fn after_the_end_there_is_nothing() {
    let mut lines = StreamReader::new(SAMPLE.as_bytes()).unwrap();
    assert_eq!(lines.by_ref().count(), 4);
    assert_eq!(lines.line(), 5);
    assert!(lines.next().is_none());
    let more = format!("{SAMPLE}hello\n");
    assert_eq!(answers(more.as_bytes()).len(), 4);
}

#[test]
fn a_line_past_the_limit_is_not_taken_into_memory() {
    let longest = SAMPLE.lines().map(str::len).max().unwrap() as u64;
    let read = |most| {
        let lines = StreamReader::with_limit(SAMPLE.as_bytes(), most)?;
        lines.collect::<Result<Vec<_>, _>>()
    };
    assert_eq!(read(longest).unwrap().len(), 4);
    let error = read(longest - 1).unwrap_err();
    let told = format!(
        "line 2 is longer than {} bytes; lines up to that are read",
        longest - 1
    );
    assert_eq!(error.to_string(), told);
    for limit in [3, 0] {
        let error = read(limit).unwrap_err();
        let told = (error.kind(), error.line());
        assert_eq!(told, (JsonErrorKind::LineTooLong, Some(1)));
    }
    assert_eq!(read(u64::MAX).unwrap().len(), 4);

    // What ends a line is not counted, whether it is there or not.
    let head = "{\"syncmgr_stream\":1}";
    for text in [head.to_owned(), format!("{head}\n")] {
        assert!(StreamReader::with_limit(text.as_bytes(), head.len() as u64).is_ok());
        assert!(StreamReader::with_limit(text.as_bytes(), head.len() as u64 - 1).is_err());
    }

    // A line without end, and what comes after it is not read.
    let head: &[u8] = b"{\"syncmgr_stream\":1}\n";
    let endless = BufReader::new(head.chain(io::repeat(b'[')));
    let mut lines = StreamReader::with_limit(endless, 10_000_000).unwrap();
    let error = lines.next().unwrap().unwrap_err();
    let told = (error.kind(), error.line());
    assert_eq!(told, (JsonErrorKind::LineTooLong, Some(2)));
    assert!(lines.next().is_none());
}

#[test]
fn a_reader_that_fails_is_told_with_its_line() {
    struct Fails;
    impl Read for Fails {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the cable is out"))
        }
    }
    let head: &[u8] = b"{\"syncmgr_stream\":1}\n";
    let mut lines = StreamReader::new(BufReader::new(head.chain(Fails))).unwrap();
    let error = lines.next().unwrap().unwrap_err();
    assert_eq!(error.to_string(), "line 2 cannot be read: the cable is out");
    assert_eq!((error.kind(), error.line()), (JsonErrorKind::Io, Some(2)));
    let source = std::error::Error::source(&error).unwrap();
    assert!(source.is::<io::Error>());
    assert!(lines.next().is_none());
    assert!(StreamReader::new(BufReader::new(Fails)).is_err());
}

#[test]
fn the_ends_of_a_stream_say_how_far_they_are() {
    let mut bytes = Vec::new();
    let mut writer = StreamWriter::new(open(1), &mut bytes);
    let text = format!("{writer:?}");
    assert!(
        text.starts_with("StreamWriter { observer: Observer "),
        "{text}"
    );
    assert!(text.ends_with(", begun: false, .. }"), "{text}");
    writer.write_changes().unwrap();
    let text = format!("{writer:?}");
    assert!(text.ends_with(", begun: true, .. }"), "{text}");

    let mut lines = StreamReader::new(SAMPLE.as_bytes()).unwrap();
    let about = lines.about().map(str::to_owned);
    assert_eq!(
        format!("{lines:?}"),
        format!("StreamReader {{ line: 1, about: {about:?}, .. }}")
    );
    assert!(lines.next().is_some());
    assert!(format!("{lines:?}").starts_with("StreamReader { line: 2, "));
}

#[test]
fn a_last_line_that_is_malformed_is_not_reported_as_truncated() {
    for bad in ["no JSON", r#"{"end":[1]}"#, r#"{"snapshot":"none"}"#] {
        let text = format!("{{\"syncmgr_stream\":1}}\n{bad}");
        let mut lines = StreamReader::new(text.as_bytes()).expect("a head");
        let error = lines.next().expect("a second line").expect_err(bad);
        let told = (error.kind(), error.line());
        assert_eq!(told, (JsonErrorKind::InvalidData, Some(2)), "{bad}");
    }
}

#[test]
fn a_writer_may_report_to_the_session_whose_stream_it_takes() {
    support::within("the stream", || {
        let (session, mut value) = (open(1), 0);
        let inside = session.clone();
        let out = OnWrite(move || {
            value += 1;
            let update = ProgressUpdate::new().value(value).text("from inside");
            let _ = inside.progress(id(1), &update);
            let _ = inside.log_error(&LogRecord::new(LogLevel::Information, "from inside"));
            let _ = (inside.snapshot(), inside.log());
        });
        let mut stream = StreamWriter::new(session.clone(), out);
        assert!(!stream.write_changes().unwrap());
        assert!(!stream.write_changes().unwrap());
        session.synchronize_completed(HResult::S_OK).unwrap();
        stream.end(HResult::S_OK).unwrap();
        assert!(view(&session, 1).value > 2);
    });
}
