//! A subscriber that writes down what it is told, and can be made to refuse, to block and to panic.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_core::span::Current;

/// Fields by their names.
pub type Fields = BTreeMap<String, String>;

/// A span, as far as it was told.
#[derive(Clone, Debug)]
pub struct Span {
    pub name: &'static str,
    pub target: String,
    pub level: Level,
    pub parent: Option<u64>,
    pub fields: Fields,
    pub open: bool,
    metadata: &'static Metadata<'static>,
    handles: usize,
}

/// An event, as it was told.
#[derive(Clone, Debug)]
pub struct Told {
    pub target: String,
    pub level: Level,
    pub parent: Option<u64>,
    pub fields: Fields,
}

type Hook = Box<dyn Fn(&str) + Send + Sync>;

/// The subscriber. Clones are the same one.
#[derive(Clone)]
pub struct Recorder(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// Targets that are not wanted.
    off: Vec<&'static str>,
    /// Called with each line, before it is written down and with no lock held.
    hook: Option<Hook>,
}

#[derive(Default)]
struct State {
    /// The span of id `n` is at `n - 1`.
    spans: Vec<Span>,
    events: Vec<Told>,
    lines: Vec<String>,
    entered: HashMap<ThreadId, Vec<u64>>,
    open: usize,
    most_open: usize,
    /// What was done to a span that is closed. A panic of a subscriber would be contained, so it is written down.
    faults: Vec<String>,
}

impl Recorder {
    pub fn new() -> Self {
        Self::with(&[], None)
    }

    /// One that does not want these targets.
    pub fn without(off: &[&'static str]) -> Self {
        Self::with(off, None)
    }

    /// One that calls this with each line, before it is written down.
    pub fn hooked(hook: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self::with(&[], Some(Box::new(hook)))
    }

    fn with(off: &[&'static str], hook: Option<Hook>) -> Self {
        Self(Arc::new(Shared {
            state: Mutex::default(),
            off: off.to_vec(),
            hook,
        }))
    }

    /// Calls this with it as the subscriber of this thread.
    pub fn during<R>(&self, work: impl FnOnce() -> R) -> R {
        tracing::subscriber::with_default(self.clone(), work)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For a test to read: nothing may have been done to a span that is closed.
    #[track_caller]
    fn read(&self) -> MutexGuard<'_, State> {
        let state = self.lock();
        assert!(state.faults.is_empty(), "{:?}", state.faults);
        state
    }

    /// What was told, a line each, in order.
    #[track_caller]
    pub fn lines(&self) -> Vec<String> {
        self.read().lines.clone()
    }

    /// The lines since this was asked last.
    #[track_caller]
    pub fn news(&self) -> Vec<String> {
        std::mem::take(&mut self.read().lines)
    }

    #[track_caller]
    pub fn spans(&self) -> Vec<Span> {
        self.read().spans.clone()
    }

    #[track_caller]
    pub fn events(&self) -> Vec<Told> {
        self.read().events.clone()
    }

    /// The events of this target.
    pub fn events_of(&self, target: &str) -> Vec<Told> {
        let events = self.events().into_iter();
        events.filter(|event| event.target == target).collect()
    }

    /// How many spans are open now, and how many were at most.
    pub fn open(&self) -> (usize, usize) {
        let state = self.read();
        (state.open, state.most_open)
    }

    /// The spans with this label, in order.
    pub fn spans_of(&self, label: &str) -> Vec<Span> {
        let state = self.read();
        let spans = state.spans.iter().filter(|span| span.label() == label);
        spans.cloned().collect()
    }

    /// The only span with this label.
    #[track_caller]
    pub fn span(&self, label: &str) -> Span {
        let found = self.spans_of(label);
        assert_eq!(found.len(), 1, "{label} in {:#?}", self.lines());
        found[0].clone()
    }

    /// The label of a span.
    pub fn label(&self, id: Option<u64>) -> String {
        self.lock().label(id)
    }

    fn tell(&self, line: String, write: impl FnOnce(&mut State)) {
        if let Some(hook) = &self.0.hook {
            hook(&line);
        }
        let mut state = self.lock();
        state.lines.push(line);
        write(&mut state);
    }
}

impl State {
    /// A span that something is done to: it has to be open.
    fn opened(&mut self, id: &Id, what: &str) -> &mut Span {
        let span = &mut self.spans[place(id)];
        if !span.open {
            self.faults
                .push(format!("{what}: {} is closed", span.label()));
        }
        span
    }

    fn label(&self, id: Option<u64>) -> String {
        let place = id.map(|id| usize::try_from(id).expect("ids are small") - 1);
        let span = place.and_then(|place| self.spans.get(place));
        span.map_or_else(|| "nothing".to_owned(), Span::label)
    }
}

impl Span {
    /// The last part of its name, and the name of what it is about.
    pub fn label(&self) -> String {
        label(self.name, &self.fields)
    }

    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }
}

impl Told {
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }
}

fn label(name: &str, fields: &Fields) -> String {
    let kind = name.rsplit('.').next().unwrap_or_default();
    match fields.get(&format!("{name}.name")) {
        Some(name) => format!("{kind} {name}"),
        None => kind.to_owned(),
    }
}

/// Reads fields.
struct Reader<'a>(&'a mut Fields);

impl Visit for Reader<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.to_owned());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        // No test wants this: OpenTelemetry knows signed numbers only.
        self.0
            .insert(field.name().to_owned(), format!("{value}, unsigned"));
    }
}

fn place(id: &Id) -> usize {
    usize::try_from(id.into_u64()).expect("ids are small") - 1
}

impl Subscriber for Recorder {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        !self.0.off.contains(&metadata.target())
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let mut fields = Fields::new();
        attributes.record(&mut Reader(&mut fields));
        let parent = match attributes.parent() {
            Some(parent) => Some(parent.into_u64()),
            None if attributes.is_contextual() => self.current(),
            None => None,
        };
        if let Some(parent) = parent {
            self.lock().opened(&Id::from_u64(parent), "child");
        }
        let metadata = attributes.metadata();
        let line = format!(
            "open {} in {}",
            label(metadata.name(), &fields),
            self.label(parent)
        );
        let mut id = 0;
        self.tell(line, |state| {
            state.spans.push(Span {
                name: metadata.name(),
                target: metadata.target().to_owned(),
                level: *metadata.level(),
                parent,
                fields,
                open: true,
                metadata,
                handles: 1,
            });
            id = state.spans.len() as u64;
            state.open += 1;
            state.most_open = state.most_open.max(state.open);
        });
        Id::from_u64(id)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        let mut state = self.lock();
        let span = state.opened(span, "record");
        values.record(&mut Reader(&mut span.fields));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::new();
        event.record(&mut Reader(&mut fields));
        let parent = match event.parent() {
            Some(parent) => Some(parent.into_u64()),
            None if event.is_contextual() => self.current(),
            None => None,
        };
        if let Some(parent) = parent {
            self.lock().opened(&Id::from_u64(parent), "event");
        }
        let metadata = event.metadata();
        let message = fields.get("message").map_or("", String::as_str);
        let target = metadata.target().rsplit("::").next().unwrap_or_default();
        let level = metadata.level();
        let line = format!("{level} {target} in {}: {message}", self.label(parent));
        self.tell(line, |state| {
            state.events.push(Told {
                target: metadata.target().to_owned(),
                level: *level,
                parent,
                fields,
            });
        });
    }

    fn enter(&self, span: &Id) {
        let mut state = self.lock();
        let entered = state.entered.entry(thread::current().id()).or_default();
        entered.push(span.into_u64());
    }

    fn exit(&self, span: &Id) {
        let mut state = self.lock();
        let entered = state.entered.entry(thread::current().id()).or_default();
        entered.retain(|entered| *entered != span.into_u64());
    }

    fn clone_span(&self, id: &Id) -> Id {
        self.lock().opened(id, "clone").handles += 1;
        id.clone()
    }

    fn try_close(&self, id: Id) -> bool {
        let label = {
            let mut state = self.lock();
            let span = &mut state.spans[place(&id)];
            span.handles -= 1;
            if span.handles > 0 {
                return false;
            }
            span.label()
        };
        self.tell(format!("close {label}"), |state| {
            state.spans[place(&id)].open = false;
            state.open -= 1;
        });
        true
    }

    fn current_span(&self) -> Current {
        let current = self.current();
        let state = self.lock();
        match current {
            Some(id) => {
                let id = Id::from_u64(id);
                Current::new(id.clone(), state.spans[place(&id)].metadata)
            }
            None => Current::none(),
        }
    }
}

impl Recorder {
    fn current(&self) -> Option<u64> {
        let state = self.lock();
        let entered = state.entered.get(&thread::current().id())?;
        entered.last().copied()
    }
}
