//! Documents and streams from outside whose texts would command a terminal: no error message passes that on.

use std::error::Error;
use std::io::{self, BufRead, Read};

use support::hostile::{ESCAPED, HOSTILE, Json, says_nothing_harmful};
use syncmgr::json::{self, Document, JsonError, JsonErrorKind, StreamReader};
use syncmgr::testing::Trace;
use syncmgr::{Choices, Listing, ProtocolViolation, SessionSnapshot};

#[track_caller]
fn refused<T: Document + serde::de::DeserializeOwned>(text: &str) -> JsonError {
    let Err(error) = json::from_str::<T>(text) else {
        panic!("{text:?} is read");
    };
    says_nothing_harmful(&error);
    error
}

#[test]
fn a_head_that_is_none_is_escaped() {
    let head = Json(&format!("syncmgr_{HOSTILE}")).to_string();
    let error = refused::<SessionSnapshot>(&format!("{{{head}:1}}"));
    let message = error.to_string();
    assert!(message.contains(ESCAPED), "{message}");
    assert_eq!(error.kind(), JsonErrorKind::WrongDocument);
}

#[track_caller]
fn of_serde(error: &JsonError) -> &serde_json::Error {
    assert_eq!(error.kind(), JsonErrorKind::InvalidData);
    let source = error.source().expect("it has a source");
    source.downcast_ref().expect("it is an error of serde_json")
}

#[test]
fn an_unknown_word_is_escaped_and_its_place_is_kept() {
    let word = Json(HOSTILE);
    let text = format!("{{\"syncmgr_snapshot\":1,\n\"items\":[],\"phase\":{word}}}");
    let error = refused::<SessionSnapshot>(&text);
    let source = of_serde(&error);
    assert_eq!(source.line(), 2);
    assert!(source.column() > 20, "{source}");
    let message = error.to_string();
    assert!(message.contains(ESCAPED), "{message}");
    assert!(message.contains(" at line 2 column "), "{message}");
    // One that says nothing harmful is passed on as it is.
    let error = refused::<SessionSnapshot>("{\"syncmgr_snapshot\":1,");
    let source = of_serde(&error);
    assert!(source.is_eof());
}

#[test]
fn every_kind_of_text_in_a_document_is_escaped() {
    let word = Json(HOSTILE);
    refused::<SessionSnapshot>(&format!("{{\"syncmgr_snapshot\":{word}}}"));
    refused::<SessionSnapshot>(&format!(
        "{{\"syncmgr_snapshot\":1,\"items\":[{{\"id\":{word}}}]}}"
    ));
    refused::<SessionSnapshot>(&format!(
        "{{\"syncmgr_snapshot\":1,\"items\":[{{\"name\":{}}}]}}",
        Json(&HOSTILE.repeat(20))
    ));
    refused::<SessionSnapshot>(&format!("{{\"syncmgr_snapshot\":1,\"totals\":{word}}}"));
    refused::<Listing>(&format!(
        "{{\"syncmgr_listing\":1,\"handlers\":{{{word}:1}}}}"
    ));
    refused::<Listing>(&format!("{{\"syncmgr_listing\":1,\"handlers\":[{word}]}}"));
    refused::<Choices>(&format!(
        "{{\"syncmgr_choices\":1,\"handlers\":{{{word}:{{}}}}}}"
    ));
}

#[track_caller]
fn stream(lines: &str) -> JsonError {
    let error = match StreamReader::new(lines.as_bytes()) {
        Ok(mut reader) => reader.find_map(Result::err).expect("it is no stream"),
        Err(error) => error,
    };
    says_nothing_harmful(&error);
    error
}

#[test]
fn a_line_of_a_stream_is_escaped() {
    let word = Json(HOSTILE);
    let head = "{\"syncmgr_stream\":1}\n";
    let error = stream(&format!("{head}{{\"end\":{{\"result\":{word}}}}}\n"));
    let told = (error.kind(), error.line());
    assert_eq!(told, (JsonErrorKind::InvalidData, Some(2)), "{error:?}");
    let error = stream(&format!("{head}{{\"end\":{{\"result\":{word}"));
    let told = (error.kind(), error.line());
    assert_eq!(told, (JsonErrorKind::InvalidData, Some(2)), "{error:?}");
    let error = stream(&format!("{head}{{\"text\":{word},"));
    let told = (error.kind(), error.line());
    assert_eq!(told, (JsonErrorKind::Truncated, Some(2)), "{error:?}");
    stream(&format!("{{\"syncmgr_{}:1}}\n", &word.to_string()[1..]));
    stream(&format!("{{\"syncmgr_stream\":1,\"handler\":{word}}}\n"));
}

/// Fails with a text from outside, as a connection may.
struct Fails(&'static [u8]);

impl Read for Fails {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.0.read(bytes)
    }
}

impl BufRead for Fails {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        match self.0 {
            [] => Err(io::Error::other(HOSTILE)),
            bytes => Ok(bytes),
        }
    }

    fn consume(&mut self, count: usize) {
        self.0.consume(count);
    }
}

#[test]
fn what_a_reader_fails_with_is_escaped() {
    let mut reader = StreamReader::new(Fails(b"{\"syncmgr_stream\":1}\n")).expect("it has a head");
    let error = reader.next().expect("it fails").expect_err("it fails");
    assert_eq!(
        error.to_string(),
        format!("line 2 cannot be read: {ESCAPED}")
    );
}

#[track_caller]
fn trace(text: &str) -> JsonError {
    let error = Trace::from_json_lines(text).expect_err("it is no trace");
    says_nothing_harmful(&error);
    error
}

#[test]
fn a_line_of_a_trace_is_escaped() {
    let word = Json(HOSTILE);
    trace(&format!("{{\"syncmgr_trace\":{word}}}"));
    let error = trace(&format!("{{\"syncmgr_trace\":1}}\n{{\"phase\":{word}}}"));
    assert!(error.to_string().contains(ESCAPED), "{error}");
}

#[test]
fn a_call_out_of_order_is_told_in_words() {
    let call = |begun: u64, ended: &str| {
        format!(
            "{{\"thread\":0,\"phase\":\"idle\",\"begun\":{begun},{ended}\"action\":{{\"call\":\"items\"}},\"answer\":{{\"list\":{{\"complete\":true,\"items\":[]}}}}}}\n"
        )
    };
    let head = "{\"syncmgr_trace\":1}\n".to_owned();
    let message = trace(&(head.clone() + &call(2, "\"ended\":1,"))).to_string();
    assert!(
        message.contains(" begins at 2 and ends at 1; "),
        "{message}"
    );
    let message = trace(&(head + &call(2, "") + &call(1, ""))).to_string();
    assert!(
        message.contains(" begins at 1 and does not end; "),
        "{message}"
    );
}

#[test]
fn a_fault_of_a_report_that_was_read_is_escaped() {
    let fault = ProtocolViolation::Panicked {
        call: "items",
        message: HOSTILE.to_owned(),
    };
    assert_eq!(
        fault.to_string(),
        format!("the handler panicked in items: {ESCAPED}")
    );
}
