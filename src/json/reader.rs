//! What reads the lines of a stream again.

use std::fmt;
use std::io::{BufRead, Read};

use serde::Deserialize;

use super::envelope::Envelope;
use super::error::{JsonError, JsonErrorKind};
use super::stream::{self, StreamHead, StreamSummary};
use crate::session::LogEntry;
use crate::{Changes, HandlerId, SessionSnapshot, Totals};

/// How long a line may be, in bytes, unless [`StreamReader::with_limit`] says otherwise: enough for a million items.
const LIMIT: u64 = 512 << 20;

/// How many bytes are kept for the next line.
const KEPT: usize = 1 << 20;

/// A line of a stream, after the first.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StreamMessage {
    /// Every item: the first line that is no head.
    #[non_exhaustive]
    Snapshot {
        /// The items, the phase, and the sums.
        snapshot: SessionSnapshot,
        /// The log so far.
        log: Vec<LogEntry>,
        /// The handler's own line of text, where it has one.
        text: Option<String>,
    },
    /// What has changed.
    #[non_exhaustive]
    Changes {
        /// The items that changed, the new entries of the log, and the phase.
        changes: Changes,
        /// The sums over all items.
        totals: Totals,
        /// The handler's own line of text, where it changed.
        text: Option<String>,
    },
    /// How it ended: the last line.
    End(StreamSummary),
}

/// Reads the lines that a [`StreamWriter`](super::StreamWriter) wrote: an iterator over each as a [`StreamMessage`], which waits for the next
/// one as long as the reader does.
///
/// Lines and fields that are not known are passed over, and so are empty lines. After the end, and after an error that nothing can
/// come after, there is no more.
///
/// ```
/// use syncmgr::json::{JsonError, JsonErrorKind, StreamMessage, StreamReader};
///
/// let text = r#"{"syncmgr_stream":1,"about":"copies photos"}
/// {"end":{"result":"S_OK","success":true}}
/// "#;
/// let mut lines = StreamReader::new(text.as_bytes())?;
/// assert!(matches!(lines.next(), Some(Ok(StreamMessage::End(end))) if end.success));
/// assert!(lines.next().is_none());
///
/// let cut = &text[..text.len() - 20];
/// let error = StreamReader::new(cut.as_bytes())?.last().unwrap().unwrap_err();
/// assert_eq!((error.kind(), error.line()), (JsonErrorKind::Truncated, Some(2)));
/// # Ok::<(), JsonError>(())
/// ```
pub struct StreamReader<R> {
    reader: R,
    /// The line that is read, with what ends it.
    bytes: Vec<u8>,
    line: u64,
    most: u64,
    handler: Option<HandlerId>,
    about: Option<String>,
    over: bool,
}

impl<R: BufRead> StreamReader<R> {
    /// Reads the first line.
    ///
    /// # Errors
    ///
    /// The first line is not the head of a stream, too long, or cannot be read.
    pub fn new(reader: R) -> Result<Self, JsonError> {
        Self::with_limit(reader, LIMIT)
    }

    /// As [`new`](Self::new), but of lines of at most this many bytes: for who does not trust the other end. A snapshot has some 160
    /// bytes for each item, and its name and text; [`new`](Self::new) reads lines of up to 512 MiB.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new).
    pub fn with_limit(reader: R, most: u64) -> Result<Self, JsonError> {
        let mut this = Self {
            reader,
            bytes: Vec::new(),
            line: 0,
            most,
            handler: None,
            about: None,
            over: false,
        };
        this.read_line()?;
        let wanted = Envelope {
            head: "syncmgr_stream",
            old_head: None,
            version: stream::VERSION,
        };
        let head: StreamHead = wanted.read(&this.bytes).map_err(|error| {
            let what = r#"line 1 is no head of a stream, such as {"syncmgr_stream":1}"#;
            error.prefixed(what).at_line(1)
        })?;
        (this.handler, this.about) = (head.handler, head.about);
        Ok(this)
    }

    /// What the stream is about.
    #[must_use]
    pub fn about(&self) -> Option<&str> {
        self.about.as_deref()
    }

    /// Of which handler it is.
    #[must_use]
    pub const fn handler(&self) -> Option<HandlerId> {
        self.handler
    }

    /// The number of the line that was read last, counted from 1.
    #[must_use]
    pub const fn line(&self) -> u64 {
        self.line
    }

    /// Answers whether there was one.
    fn read_line(&mut self) -> Result<bool, JsonError> {
        // A snapshot may be long; what comes after it is short.
        self.bytes.clear();
        self.bytes.shrink_to(KEPT);
        self.line += 1;
        let line = self.line;
        // One more than is allowed, to see that there is more; what ends the line is not counted.
        let mut limited = (&mut self.reader).take(self.most.saturating_add(1));
        let read = limited
            .read_until(b'\n', &mut self.bytes)
            .map_err(|source| JsonError::io(line, source))?;
        if read as u64 > self.most && !self.is_whole() {
            let most = self.most;
            let message =
                format!("line {line} is longer than {most} bytes; lines up to that are read");
            return Err(JsonError::new(JsonErrorKind::LineTooLong, message).at_line(line));
        }
        Ok(read > 0)
    }

    /// Whether the line has its end.
    fn is_whole(&self) -> bool {
        self.bytes.last() == Some(&b'\n')
    }

    fn next_line(&mut self) -> Result<StreamMessage, JsonError> {
        loop {
            let last = self.line;
            if !self.read_line().inspect_err(|_| self.over = true)? {
                self.over = true;
                self.line = last;
                let message =
                    format!("the stream ends after line {last}; its last line has to tell the end");
                return Err(JsonError::new(JsonErrorKind::Truncated, message).at_line(last));
            }
            let text = self.bytes.trim_ascii();
            if text.is_empty() {
                continue;
            }
            let line = self.line;
            let read: Any = match serde_json::from_slice(text) {
                Ok(read) => read,
                Err(source) if !self.is_whole() && source.is_eof() => {
                    self.over = true;
                    let what = format!("line {line} is cut: the stream ends in the middle of it");
                    return Err(
                        JsonError::invalid(JsonErrorKind::Truncated, &what, source).in_line(line)
                    );
                }
                Err(source) => {
                    let what = format!("line {line} is none of a stream");
                    return Err(
                        JsonError::invalid(JsonErrorKind::InvalidData, &what, source).in_line(line),
                    );
                }
            };
            if let Some(line) = read.line() {
                self.over = matches!(line, StreamMessage::End(_));
                return Ok(line);
            }
        }
    }
}

/// A line with any of the fields that are known.
#[derive(Deserialize)]
struct Any {
    snapshot: Option<SessionSnapshot>,
    changes: Option<Changes>,
    end: Option<StreamSummary>,
    #[serde(default)]
    log: Vec<LogEntry>,
    #[serde(default)]
    totals: Totals,
    text: Option<String>,
}

impl Any {
    /// None where it is of a kind that is not known.
    fn line(self) -> Option<StreamMessage> {
        let text = self.text;
        if let Some(snapshot) = self.snapshot {
            let log = self.log;
            return Some(StreamMessage::Snapshot {
                snapshot,
                log,
                text,
            });
        }
        if let Some(changes) = self.changes {
            let totals = self.totals;
            return Some(StreamMessage::Changes {
                changes,
                totals,
                text,
            });
        }
        self.end.map(StreamMessage::End)
    }
}

impl<R: BufRead> Iterator for StreamReader<R> {
    type Item = Result<StreamMessage, JsonError>;

    fn next(&mut self) -> Option<Self::Item> {
        (!self.over).then(|| self.next_line())
    }
}

impl<R> fmt::Debug for StreamReader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamReader")
            .field("line", &self.line)
            .field("about", &self.about)
            .finish_non_exhaustive()
    }
}
