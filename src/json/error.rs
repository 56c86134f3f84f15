//! The error of reading JSON.

use std::error::Error as StdError;
use std::{fmt, io};

use crate::util::escape::{Escaped, printable};

/// The error for a text that is not the wanted document, stream or trace, or not a whole one.
///
/// Its message names the line, where there are lines, and contains no character that a terminal would obey. Its
/// [source](std::error::Error::source) is the [`serde_json::Error`] or [`io::Error`], if there is one.
///
/// # Examples
///
/// ```
/// use syncmgr::json::{self, JsonErrorKind};
/// use syncmgr::Choices;
///
/// let error = json::from_str::<Choices>(r#"{"syncmgr_snapshot":1}"#).unwrap_err();
/// assert_eq!(error.kind(), JsonErrorKind::WrongDocument);
/// assert_eq!(
///     error.to_string(),
///     r#"the text is a syncmgr_snapshot; an object with the field "syncmgr_choices" is wanted"#,
/// );
/// ```
#[derive(Debug)]
pub struct JsonError {
    kind: JsonErrorKind,
    line: Option<u64>,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// What is wrong with a text that was to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum JsonErrorKind {
    /// It is another document, or does not say that it is one.
    WrongDocument,
    /// It was written by a later version, whose form is not known.
    UnsupportedVersion,
    /// It is not JSON, or not of the form.
    InvalidData,
    /// A stream ends in the middle of a line, or before the line that says how the run ended.
    Truncated,
    /// A line is longer than [the limit](super::StreamReader::with_limit).
    LineTooLong,
    /// The reader failed.
    Io,
}

impl JsonError {
    pub(crate) fn new(kind: JsonErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            line: None,
            message: message.into(),
            source: None,
        }
    }

    /// An error of `serde_json`, whose message follows `what`.
    pub(crate) fn invalid(kind: JsonErrorKind, what: &str, source: serde_json::Error) -> Self {
        let source = printable(source);
        Self {
            message: format!("{what}: {}", shortened(&source)),
            source: Some(source.into()),
            ..Self::new(kind, "")
        }
    }

    pub(super) fn io(line: u64, source: io::Error) -> Self {
        let message = format!("line {line} cannot be read: {}", Escaped(&source));
        Self {
            source: Some(source.into()),
            ..Self::new(JsonErrorKind::Io, message).at_line(line)
        }
    }

    pub(crate) fn at_line(mut self, line: u64) -> Self {
        self.line = Some(line);
        self
    }

    /// The error of a line that was read alone. The message has no other line number.
    pub(crate) fn in_line(mut self, line: u64) -> Self {
        self.message = self.message.replace(" at line 1 column ", " at column ");
        self.at_line(line)
    }

    /// Puts the message behind `what`.
    pub(crate) fn prefixed(mut self, what: &str) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }

    /// Returns what is wrong.
    #[must_use]
    pub fn kind(&self) -> JsonErrorKind {
        self.kind
    }

    /// Returns the number of the line, counted from 1, in a stream or a trace.
    #[must_use]
    pub fn line(&self) -> Option<u64> {
        self.line
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.message)
    }
}

impl StdError for JsonError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        let source = self.source.as_deref();
        source.map(|source| source as &(dyn StdError + 'static))
    }
}

/// The message. Of a very long one, which repeats what was read, the beginning and the end.
fn shortened(error: &serde_json::Error) -> String {
    const KEPT: usize = 200;
    let text = error.to_string();
    let begin = text.char_indices().nth(KEPT).map(|(at, _)| at);
    let end = text.char_indices().nth_back(KEPT).map(|(at, _)| at);
    match (begin, end) {
        (Some(begin), Some(end)) if begin < end => {
            let part = |range: Option<&str>| range.unwrap_or_default().to_owned();
            part(text.get(..begin)) + " … " + &part(text.get(end..))
        }
        _ => text,
    }
}
