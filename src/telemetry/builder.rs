//! The settings, and the spans that workers request.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tracing::Span;

use super::emitter::Emitter;
use super::handle::TelemetryHandle;
use super::span_tree::SpanTree;
use crate::manager::source::Source;
use crate::{HandlerId, ItemId, Run, Session};

/// How sessions and runs are told, and where workers ask for the spans of their items.
///
/// It is a cheap handle: clones know the sessions and runs of each other, so a handler can have one before there is a run.
///
/// ```
/// use std::time::Duration;
/// use syncmgr::telemetry::Telemetry;
///
/// let telemetry = Telemetry::new()
///     .name("nightly")
///     .progress_every(Duration::from_secs(10))
///     .poll_interval(Duration::from_millis(5));
/// # let _ = telemetry;
/// ```
#[derive(Clone)]
#[must_use = "it tells nothing until `session` or `run`"]
pub struct Telemetry {
    name: Option<String>,
    progress_every: Duration,
    poll_interval: Duration,
    /// What is followed now. Locked for a look at the list only.
    trees: Arc<Mutex<Vec<Weak<SpanTree>>>>,
}

impl Telemetry {
    /// Progress is told once a second, and looks are taken 50 times a second.
    pub fn new() -> Self {
        Self {
            name: None,
            progress_every: Duration::from_secs(1),
            poll_interval: Duration::from_millis(20),
            trees: Arc::default(),
        }
    }

    /// What the run is called, or the handler of a lone session, which nobody else tells: `syncmgr.run.name` and
    /// `syncmgr.handler.name`.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// How often the progress of one item is told, and how often that of the whole session or run and the handler's line of text,
    /// at most: once a second, unless this says otherwise. What did not change is not told. With `Duration::ZERO` it is told in
    /// every look, with `Duration::MAX` never.
    pub fn progress_every(mut self, every: Duration) -> Self {
        self.progress_every = every;
        self
    }

    /// How long the follower rests between two looks: 20 ms, unless this says otherwise. So late may a span be opened or closed. A
    /// look costs what is in work or has changed. With `Duration::ZERO` the follower never rests; with `Duration::MAX` it looks
    /// when it is [told to](TelemetryHandle::flush).
    pub fn poll_interval(mut self, every: Duration) -> Self {
        self.poll_interval = every;
        self
    }

    /// Tells a session: one that a tool reports into, or that of [`run_handler`](crate::run_handler), as
    /// [`on_session`](crate::RunOptions::on_session) gives it.
    ///
    /// What has happened already is told first. The subscriber and the current span are those of this thread.
    pub fn session(&self, session: &Arc<Session>) -> TelemetryHandle {
        self.follow(Source::Session(Arc::clone(session)))
    }

    /// Tells a run of a [`SyncManager`](crate::SyncManager), with all its handlers.
    ///
    /// What has happened already is told first. The subscriber and the current span are those of this thread.
    pub fn run(&self, run: &Run) -> TelemetryHandle {
        self.follow(Source::Run(run.clone()))
    }

    fn follow(&self, source: Source) -> TelemetryHandle {
        let tree = SpanTree::of_this_thread(source, self.name.clone());
        {
            let mut trees = self.trees.lock();
            trees.retain(|tree| tree.strong_count() > 0);
            trees.push(Arc::downgrade(&tree));
        }
        TelemetryHandle::follow(Emitter::new(tree, self.progress_every), self.poll_interval)
    }

    /// The span of an item whose work has not ended, in any session or run that is told by this or a clone of it: for the work to
    /// enter, so that what it logs by `tracing` is in it. The item's span is opened if it is not yet, and the handler's and the
    /// run's with it.
    ///
    /// A disabled span, which may be entered all the same, is answered for an item that is over or is not told, and to a
    /// subscriber that asks while it is called. Where several
    /// handlers know an item of this id, ask by [`span_in`](Self::span_in).
    ///
    /// It calls the subscriber, on this thread, and waits for the follower where that is just opening the same span: so long does
    /// a slow subscriber hold up whoever asks. What it answers keeps the span open.
    #[must_use = "what is logged is in the span only while it is entered"]
    pub fn span(&self, item: ItemId) -> Span {
        self.find(None, item)
    }

    /// As [`span`](Self::span), of an item of this handler.
    #[must_use = "what is logged is in the span only while it is entered"]
    pub fn span_in(&self, handler: HandlerId, item: ItemId) -> Span {
        self.find(Some(handler), item)
    }

    fn find(&self, handler: Option<HandlerId>, item: ItemId) -> Span {
        let trees: Vec<Arc<SpanTree>> = {
            let trees = self.trees.lock();
            trees.iter().filter_map(Weak::upgrade).collect()
        };
        let mut found = trees.iter().filter_map(|tree| tree.span(handler, item));
        found.next().unwrap_or_else(Span::none)
    }
}

impl fmt::Debug for Telemetry {
    /// Without what is followed, which is locked: the formatter is the caller's code.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telemetry")
            .field("name", &self.name)
            .field("progress_every", &self.progress_every)
            .field("poll_interval", &self.poll_interval)
            .finish_non_exhaustive()
    }
}

impl Default for Telemetry {
    fn default() -> Self {
        Self::new()
    }
}
