//! A session as JSON lines, for another program to show.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, BufWriter, Write};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use foldhash::fast::RandomState;
use serde::{Deserialize, Deserializer, Serialize};

use crate::session::LogEntry;
use crate::{
    Changes, Cursor, HResult, HandlerId, HandlerReport, ItemId, ItemStatus, ItemView, Observer,
    Phase, ProtocolViolation, Session, Totals,
};

/// The version of the form that is written. Every version up to it is read.
pub(super) const VERSION: u64 = 1;

/// The first line.
#[derive(Serialize, Deserialize)]
pub(super) struct StreamHead {
    pub(super) syncmgr_stream: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) handler: Option<HandlerId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) about: Option<String>,
}

/// Each other line: one of the first three fields, and what goes with it.
#[derive(Default, Serialize)]
struct StreamLine<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    snapshot: Option<SnapshotLine<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    changes: Option<&'a Changes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end: Option<&'a StreamSummary>,
    /// With a snapshot only; changes have their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<&'a [LogEntry]>,
    /// With changes only; a snapshot has its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    totals: Option<Totals>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
}

/// A [`SessionSnapshot`](crate::SessionSnapshot) of what a look told.
#[derive(Serialize)]
struct SnapshotLine<'a> {
    items: &'a [ItemView],
    phase: Phase,
    totals: Totals,
    cursor: Cursor,
}

/// How a stream ended: what there is to say about the run beyond its items and its log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StreamSummary {
    /// The result of the synchronization.
    pub result: HResult,
    /// Whether all went well: of a handler, [`HandlerReport::is_success`].
    pub success: bool,
    /// Whether everything was cancelled: of a handler, [`HandlerReport::was_cancelled`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cancelled: bool,
    /// What ended the run early.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The items that were open when it ended.
    #[serde(
        default,
        rename = "open",
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "none_or_list"
    )]
    pub unfinished: Vec<ItemId>,
    /// What the handler did against the contract.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "none_or_list"
    )]
    pub faults: Vec<ProtocolViolation>,
}

/// A list that is optional: `null` is an empty one.
fn none_or_list<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

impl From<HResult> for StreamSummary {
    /// An end with this result and nothing else to say. A success code is a success.
    fn from(result: HResult) -> Self {
        Self {
            result,
            success: result.is_success(),
            cancelled: false,
            error: None,
            unfinished: Vec::new(),
            faults: Vec::new(),
        }
    }
}

impl From<&HandlerReport> for StreamSummary {
    fn from(report: &HandlerReport) -> Self {
        Self {
            result: report.result,
            success: report.is_success(),
            cancelled: report.was_cancelled(),
            error: report.error.clone(),
            unfinished: report.unfinished.clone(),
            faults: report.faults.clone(),
        }
    }
}

/// Writes a session as JSON lines: what it is, then every item, then what has changed, at last how it ended. A
/// [`StreamReader`](super::StreamReader) reads them, and any other program that knows JSON.
///
/// Each line goes out whole, and at once. A writer that is gone answers its error, such as
/// [`BrokenPipe`](io::ErrorKind::BrokenPipe): the stream is over then, and the work need not know.
///
/// ```
/// use std::thread;
/// use std::time::Duration;
/// use syncmgr::json::{StreamMessage, StreamReader, StreamWriter};
/// use syncmgr::{HResult, ItemId, ItemStatus, Session, SyncCallback, SyncItem};
///
/// let photos = ItemId::from_u128(1);
/// let session = Session::builder().item(SyncItem::new(photos, "Photos".parse()?)).build()?;
///
/// let mut lines = Vec::new(); // a pipe, a socket, a file
/// let mut stream = StreamWriter::new(session.clone(), &mut lines).about("copies photos");
/// stream.write_changes()?; // every item
/// session.reporter(photos)?.succeed()?;
/// session.synchronize_completed(HResult::S_OK)?;
/// stream.follow(Duration::from_millis(100))?; // at most ten lines a second, until the session is over
/// stream.end(HResult::S_OK)?;
///
/// let mut read = StreamReader::new(&*lines)?;
/// assert_eq!(read.about(), Some("copies photos"));
/// let read: Vec<StreamMessage> = read.collect::<Result<_, _>>()?;
/// let [StreamMessage::Snapshot { snapshot, .. }, StreamMessage::Changes { changes, totals, .. }, StreamMessage::End(end)] = &read[..] else {
///     panic!("{read:?}");
/// };
/// assert_eq!(snapshot.items[0].status, ItemStatus::Pending);
/// assert_eq!(changes.items()[0].status, ItemStatus::Succeeded);
/// assert_eq!((totals.finished, totals.items, end.success), (1, 1, true));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// With [`run_handler`](crate::run_handler) the session is there only inside [`on_session`](crate::RunOptions::on_session). So the
/// thread that follows it goes out by a channel, and gives the stream back for the end:
///
/// ```
/// use std::sync::mpsc;
/// use std::time::Duration;
/// use std::{io, thread};
/// use syncmgr::json::StreamWriter;
/// use syncmgr::per_item::{HandlerBuilder, from_items};
/// use syncmgr::{ItemId, RunOptions, SyncItem, run_handler};
///
/// # let items = [SyncItem::new(ItemId::from_u128(1), "letters".parse()?)];
/// let handler = HandlerBuilder::new("Mail".parse()?, from_items(items, |item| Ok(item.set(1)?))).build();
/// let (give, take) = mpsc::channel();
/// let options = RunOptions::new().on_session(move |session| {
///     let mut stream = StreamWriter::new(session, io::stdout());
///     let follow = move || stream.follow(Duration::from_millis(100)).map(|()| stream);
///     let _ = give.send(thread::spawn(follow));
/// });
/// let report = run_handler(handler, options);
/// if let Ok(follower) = take.recv() {
///     let stream = follower.join().expect("it does not panic")?;
///     stream.end(&report)?; // there is none where the handler told no items
/// }
/// assert!(report.is_success());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "nothing is written before the first look"]
pub struct StreamWriter<W: Write> {
    observer: Observer,
    writer: BufWriter<W>,
    head: StreamHead,
    /// Whether the head and every item were written.
    begun: bool,
    /// The items in work as they were last written: a look tells them each time, a line only where they changed.
    working: HashMap<ItemId, ItemView, RandomState>,
    phase: Option<Phase>,
    text: String,
}

impl<W: Write> StreamWriter<W> {
    /// A stream of this session. Nothing is written before the first [`write_changes`](Self::write_changes).
    pub fn new(session: Arc<Session>, writer: W) -> Self {
        let head = StreamHead {
            syncmgr_stream: VERSION,
            handler: session.handler(),
            about: None,
        };
        Self {
            observer: Observer::new(session),
            writer: BufWriter::new(writer),
            head,
            begun: false,
            working: HashMap::default(),
            phase: None,
            text: String::new(),
        }
    }

    /// Says in the first line what the stream is about.
    pub fn about(mut self, text: impl Into<String>) -> Self {
        self.head.about = Some(text.into());
        self
    }

    /// Says in the first line of which handler it is: unless this does, the one that the session was
    /// [built for](Session::handler), if any.
    pub fn handler(mut self, handler: HandlerId) -> Self {
        self.head.handler = Some(handler);
        self
    }

    /// Writes what has changed since the last look, in one line, and nothing where nothing has; the first look writes what the stream is,
    /// and every item. Answers whether the session is over, so that no look tells more.
    ///
    /// # Errors
    ///
    /// What the writer answers. The line may have gone out in part: write no more into the stream.
    pub fn write_changes(&mut self) -> io::Result<bool> {
        let mut changes = self.observer.refresh();
        let totals = self.observer.totals();
        let text = self.observer.session().handler_text();
        let new_text = (text != self.text).then_some(&*text);
        let is_first = !self.begun;
        self.keep_news(&mut changes);
        let phase = self.phase.replace(changes.phase());
        let line = if is_first {
            self.begun = true;
            write_line(&mut self.writer, &self.head)?;
            StreamLine {
                snapshot: Some(SnapshotLine {
                    items: changes.items(),
                    phase: changes.phase(),
                    totals,
                    cursor: changes.cursor(),
                }),
                log: Some(changes.log()),
                text: new_text,
                ..StreamLine::default()
            }
        } else {
            StreamLine {
                changes: Some(&changes),
                totals: Some(totals),
                text: new_text,
                ..StreamLine::default()
            }
        };
        let is_news = is_first
            || !changes.items().is_empty()
            || !changes.log().is_empty()
            || phase != Some(changes.phase())
            || new_text.is_some();
        if is_news {
            write_line(&mut self.writer, &line)?;
            self.writer.flush()?;
        }
        self.text = text;
        Ok(changes.is_over())
    }

    /// Leaves out the items that are as they were last written.
    fn keep_news(&mut self, changes: &mut Changes) {
        let last = std::mem::take(&mut self.working);
        let working = |view: &&ItemView| {
            !view.is_finished() && view.status != ItemStatus::Pending // is told by the next look too
        };
        let now = changes.items().iter().filter(working);
        self.working = now.map(|view| (view.id, view.clone())).collect();
        changes.retain_items(|view| last.get(&view.id) != Some(view));
    }

    /// Looks until the session is over, with a pause of this length after each look: at most one line in this time.
    ///
    /// An [open](Phase::Open) session is over only when it is completed or released.
    ///
    /// # Errors
    ///
    /// As for [`write_changes`](Self::write_changes).
    pub fn follow(&mut self, every: Duration) -> io::Result<()> {
        while !self.write_changes()? {
            thread::sleep(every);
        }
        Ok(())
    }

    /// Looks once more, and writes the last line.
    ///
    /// It takes what the run came to: a [`HandlerReport`] by reference, or an [`HResult`].
    ///
    /// # Errors
    ///
    /// As for [`write_changes`](Self::write_changes).
    pub fn end(mut self, end: impl Into<StreamSummary>) -> io::Result<()> {
        self.write_changes()?;
        let end = end.into();
        let line = StreamLine {
            end: Some(&end),
            ..StreamLine::default()
        };
        write_line(&mut self.writer, &line)?;
        self.writer.flush()
    }
}

fn write_line(writer: &mut impl Write, line: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *writer, line)?;
    writer.write_all(b"\n")
}

impl<W: Write> fmt::Debug for StreamWriter<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamWriter")
            .field("observer", &self.observer)
            .field("begun", &self.begun)
            .finish_non_exhaustive()
    }
}
