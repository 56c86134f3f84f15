//! The observer: looks at the session some times a second and has it drawn.
//!
//! It is the only thread that draws. The workers do not know that they are watched: what they report lies in the session, and
//! this thread collects it with `wait_for_change`.

use crate::bars::Bars;
use crate::input::Input;
use crate::job::Subject;
use crate::lines::Lines;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use syncmgr::{Cursor, ItemId, ItemView, LogEntry, LogLevel, Session};

/// Time between two looks, unless something happens sooner.
const FRAME: Duration = Duration::from_millis(100);

/// The items' numbers, as the user types and reads them.
pub struct Numbers {
    ids: Vec<ItemId>,
    numbers: HashMap<ItemId, usize>,
}

impl Numbers {
    pub fn new(subjects: &[(ItemId, Subject)]) -> Self {
        let ids: Vec<_> = subjects.iter().map(|(id, _)| *id).collect();
        let numbers = ids
            .iter()
            .zip(1..)
            .map(|(id, number)| (*id, number))
            .collect();
        Self { ids, numbers }
    }

    pub fn item(&self, number: usize) -> Option<ItemId> {
        self.ids.get(number.checked_sub(1)?).copied()
    }

    pub fn of(&self, item: ItemId) -> usize {
        self.numbers.get(&item).copied().unwrap_or(0)
    }

    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Columns of the largest number.
    pub fn width(&self) -> usize {
        self.len().to_string().len()
    }

    /// A log entry as a line.
    pub fn line(&self, entry: &LogEntry) -> String {
        let level = match entry.level {
            LogLevel::Information => "note",
            LogLevel::Warning => "warning",
            LogLevel::Error => "error",
        };
        match entry.item {
            Some(item) => format!("[{}] {level}: {}", self.of(item), entry.text),
            None => format!("{level}: {}", entry.text),
        }
    }
}

/// What the user typed and was told.
#[derive(Default)]
pub struct Talk {
    pub typed: String,
    pub told: Vec<String>,
}

/// Sums over all items, kept up to date by what changed: looking at every item each time would cost the more the more
/// there are.
#[derive(Default)]
pub struct Sums {
    items: HashMap<ItemId, (u64, u64, bool)>,
    pub value: u64,
    pub max: u64,
    pub finished: usize,
}

impl Sums {
    fn add(&mut self, view: &ItemView) {
        let now = (view.value, view.max, view.is_finished());
        let old = self.items.insert(view.id, now).unwrap_or_default();
        self.value = self.value - old.0 + now.0;
        self.max = self.max - old.1 + now.1;
        self.finished = self.finished - usize::from(old.2) + usize::from(now.2);
    }
}

/// One way to show a session.
pub trait Screen {
    /// Items in work, or changed since the last call. Called in each frame, before `frame`.
    fn items(&mut self, views: &[ItemView]);
    /// An entry of the log.
    fn log(&mut self, entry: &LogEntry);
    /// A line to be read and kept.
    fn line(&mut self, text: &str);
    /// The sums, and what the user is typing. Called last in each frame.
    fn frame(&mut self, sums: &Sums, typed: &str);
    /// Nothing more will come.
    fn end(&mut self);
}

/// Watches the session until it is over, and shows it live or in plain lines.
pub fn watch(
    session: &Session,
    numbers: &Arc<Numbers>,
    talk: &Mutex<Talk>,
    input: &Input,
    live: bool,
) {
    if live {
        let mut bars = Bars::new(Arc::clone(numbers), input.hints());
        observe(session, talk, &mut bars);
    } else {
        observe(session, talk, &mut Lines::new(Arc::clone(numbers)));
    }
}

/// Shows each log entry once, and each item as often as it changes, until the session is over.
pub fn observe(session: &Session, talk: &Mutex<Talk>, screen: &mut dyn Screen) {
    let mut sums = Sums::default();
    // From the beginning: the first items may have ended, and entries been logged, before this thread has started.
    let mut cursor = Cursor::default();
    loop {
        let changes = session.wait_for_change(cursor, FRAME);
        let begun = Instant::now();
        // The log is whole, and goes on from here, even where the journal of the items is not. A snapshot's cursor
        // would leave out what was logged between the two looks.
        cursor = changes.cursor();
        for entry in changes.log() {
            screen.log(entry);
        }
        let typed = {
            let mut talk = talk.lock().unwrap_or_else(PoisonError::into_inner);
            talk.told.drain(..).for_each(|line| screen.line(&line));
            talk.typed.clone()
        };
        let snapshot;
        let views = if changes.is_complete() {
            changes.items()
        } else {
            // Too much happened since: look at everything once.
            snapshot = session.snapshot();
            &snapshot.items
        };
        views.iter().for_each(|view| sums.add(view));
        screen.items(views);
        screen.frame(&sums, &typed);
        if changes.is_over() {
            return screen.end();
        }
        // Many events a second need not be drawn one by one; and with many items in work a look costs something, which
        // the workers need more: it takes at most a tenth of a processor.
        std::thread::sleep((FRAME / 5).max(begun.elapsed() * 9));
    }
}
