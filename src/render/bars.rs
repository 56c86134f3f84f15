//! The settings.

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use console::{Term, colors_enabled, colors_enabled_stderr};
use indicatif::TermLike;

use super::frame::Frame;
use super::frames::{Frames, Screen};
use super::number::Unit;
use super::plain::Plain;
use super::row::RowStyle;
use super::seats::RowSeats;
use super::shown::Shown;
use super::source::HandlerNames;
use super::text::clean;
use crate::manager::source::{Source, SourceObserver};
use crate::util::clock;
use crate::{HandlerId, Run, Session};

/// How a session or a run is shown: see [the module](super).
///
/// ```
/// use syncmgr::render::Bars;
/// use syncmgr::{HResult, ItemId, Session, SyncCallback, SyncItem};
///
/// let photos = ItemId::from_u128(1);
/// let session = Session::builder().item(SyncItem::new(photos, "Photos".parse()?)).build()?;
/// let shown = Bars::new().bytes().session(&session);
///
/// session.reporter(photos)?.succeed()?; // usually on other threads
/// session.synchronize_completed(HResult::S_OK)?;
/// shown.finish();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "nothing is shown before `session` or `run` is called"]
pub struct Bars {
    output: Output,
    frames_per_second: u32,
    rows: usize,
    unit: Unit,
    color: Option<bool>,
    progress_every: Duration,
    handlers: HandlerNames,
}

enum Output {
    /// Standard error: bars if it is a terminal, else lines.
    Auto,
    Term(Box<dyn TermLike>),
    Plain(Box<dyn Write + Send>),
}

impl Bars {
    /// Bars on standard error if it is a terminal, plain lines if it is none; 15 frames a second, at most 20 items, a line
    /// every 5 seconds.
    pub fn new() -> Self {
        Self {
            output: Output::Auto,
            frames_per_second: 15,
            rows: 20,
            unit: Unit::Count,
            color: None,
            progress_every: Duration::from_secs(5),
            handlers: HandlerNames::default(),
        }
    }

    /// How often it looks and draws: from 10 to 20 times a second; what is beyond becomes the nearest of the two. It looks less
    /// often where that would take more than a tenth of a processor, as with very many items in work.
    pub const fn frames_per_second(mut self, frames: u32) -> Self {
        self.frames_per_second = match frames {
            ..10 => 10,
            10..=20 => frames,
            _ => 20,
        };
        self
    }

    /// The most items that have a row; fewer where the terminal is not high enough.
    pub const fn rows(mut self, rows: usize) -> Self {
        self.rows = rows;
        self
    }

    /// The values of the items count bytes. Without it they are plain numbers.
    pub const fn bytes(mut self) -> Self {
        self.unit = Unit::Bytes;
        self
    }

    /// Draws bars on this terminal, in place of standard error, and whatever it is: a [`console::Term`], for example, or
    /// `indicatif::InMemoryTerm`. A frame is one call of `write_str`, with commands for an ANSI terminal in it, and one of
    /// `flush`.
    ///
    /// [`console::Term`]: https://docs.rs/console/0.16/console/struct.Term.html
    pub fn draw_to(mut self, terminal: impl TermLike + 'static) -> Self {
        self.output = Output::Term(Box::new(terminal));
        self
    }

    /// Writes plain lines here, in place of standard error, whether or not there is a terminal.
    pub fn plain_to(mut self, out: impl Write + Send + 'static) -> Self {
        self.output = Output::Plain(Box::new(out));
        self
    }

    /// How often plain lines say how far all is, at most, if there is news.
    pub const fn progress_every(mut self, time: Duration) -> Self {
        self.progress_every = time;
        self
    }

    /// Whether bars are color. Unless this says so, the terminal and the environment do, as for everything that is drawn
    /// with indicatif: `NO_COLOR`, `CLICOLOR` and `CLICOLOR_FORCE` are heeded.
    pub const fn color(mut self, color: bool) -> Self {
        self.color = Some(color);
        self
    }

    /// The name of a handler of a run: it is put before the names of its items. Without one they stand alone, and what is said
    /// of the handler itself is said under the name that it [told](crate::HandlerInfo::name).
    pub fn handler(mut self, handler: HandlerId, name: &str) -> Self {
        self.handlers.insert(handler, clean(name));
        self
    }

    /// Shows a session until it is over, on a thread of its own.
    ///
    /// Where no thread is to be had, nothing is shown.
    pub fn session(self, session: &Arc<Session>) -> Shown {
        self.show(Source::Session(Arc::clone(session)).observe())
    }

    /// Shows a run until it is over, on a thread of its own.
    pub fn run(self, run: &Run) -> Shown {
        self.show(Source::Run(run.clone()).observe())
    }

    /// Shows a session frame by frame, on the thread that asks for them.
    pub fn session_frames(self, session: &Arc<Session>) -> Frames {
        self.frames(Source::Session(Arc::clone(session)).observe())
    }

    /// Shows a run frame by frame, on the thread that asks for them.
    pub fn run_frames(self, run: &Run) -> Frames {
        self.frames(Source::Run(run.clone()).observe())
    }

    fn show(self, source: SourceObserver) -> Shown {
        let interval = Duration::from_secs(1) / self.frames_per_second;
        Shown::new(self.frames(source), interval)
    }

    fn frames(self, source: SourceObserver) -> Frames {
        let since = clock::now();
        let is_stderr = matches!(self.output, Output::Auto);
        let colours = || match is_stderr {
            true => colors_enabled_stderr(),
            false => colors_enabled(), // what indicatif asks for such a terminal
        };
        let look = RowStyle {
            unit: self.unit,
            color: self.color.unwrap_or_else(colours),
            since,
        };
        let bars = |terminal| Screen::Bars {
            frame: Frame::on(terminal),
            seats: RowSeats::default(),
            rows: self.rows,
            kept: Vec::new(),
        };
        let plain = |out| Screen::Plain(Plain::to(out, self.progress_every, since));
        let screen = match self.output {
            Output::Auto if is_possible() => bars(Box::new(Term::stderr())),
            Output::Auto => plain(Box::new(io::stderr())),
            Output::Term(terminal) => bars(terminal),
            Output::Plain(out) => plain(out),
        };
        Frames::new(source, self.handlers, screen, look)
    }
}

/// Whether standard error is a terminal on which frames can be drawn.
fn is_possible() -> bool {
    let term = Term::stderr();
    // On Windows the question for colours also makes the console understand the commands.
    let understands = !cfg!(windows) || term.features().colors_supported();
    term.is_term() && !console::is_dumb() && understands
}

impl Default for Bars {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Bars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bars")
            .field("frames_per_second", &self.frames_per_second)
            .field("rows", &self.rows)
            .finish_non_exhaustive()
    }
}
