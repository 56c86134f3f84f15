//! What observers read: the journal, the set of items in work, the phase and the log.
//!
//! # Invariants
//!
//! 1. Every change but the values, texts and maxima of items in work gets a sequence number here, under one lock. A reader keeps the
//!    last number it has seen as its [`Cursor`].
//! 2. The journal says *which* item changed, not how: the reader looks at the slot. So an entry is small, and an item
//!    that changed twice is read once.
//! 3. An item is in `active` from its first value or status until its end. The entry of its end is written in the same step
//!    that takes it out, so a reader finds it in one of the two, with its last value.
//! 4. Tasks that wait for an entry are user code, and entries are made while other locks are held. So whoever makes one calls
//!    [`Journal::ring`] afterwards, with no lock held.
//! 5. The ring is bounded. Nothing is lost by that: a reader whose cursor is older than the ring is told so and takes a
//!    snapshot.

use std::collections::{BTreeSet, VecDeque};
use std::task::Waker;
use std::time::Duration;

use super::log_store::{LogStore, StoredEntry};
use crate::session::Phase;
use crate::session::changes::Cursor;
use crate::session::log_entry::LogEntry;
use crate::util::clock::deadline;
use crate::util::panic::Foreign;
use crate::util::sync::Signal;
use crate::util::sync::{AtomicU32, CacheAligned, Mutex, Ordering};
use crate::util::text::{TEXT_LIMIT, cut};
use crate::util::wake::wake;
use crate::util::waker_set::WakerSet;
use crate::{CallbackError, ErrorId, HandlerId, LogLevel, LogRecord, LogSelector};

/// What happened, as far as the journal says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Note {
    /// The item with this number changed its status, its verdict or its part in the run, or was added.
    Item(u32),
    /// Everything was cancelled.
    CancelAll,
    /// The phase, the log or the handler's text changed.
    Other,
}

/// What each entry changes, together: workers take turns at it, and the fewer cache lines it has, the less moves between their
/// cores.
#[derive(Debug)]
struct Entries {
    phase: Phase,
    /// The number of the newest entry; 0 before the first.
    sequence: u64,
    ring: VecDeque<Note>,
    active: BTreeSet<u32>,
    /// How many calls of the handler were counted here, as the lock is held anyway.
    calls: u64,
    /// How many threads wait for an entry.
    waiting: usize,
}

#[derive(Debug)]
struct State {
    entries: Entries,
    log: LogStore,
    text: String,
    /// To be woken by the next entry.
    tasks: WakerSet,
    /// The number of the newest entry when the first of them came.
    tasks_came_at: u64,
}

#[derive(Debug)]
pub(crate) struct Journal {
    /// On cache lines of its own, so that what is only read here stays where it is.
    state: CacheAligned<Mutex<State>>,
    signal: Signal,
    /// Whether there are tasks, to be asked without the lock. Changed with the state locked, and asked by a thread that has made
    /// an entry with it locked: a task that registered before that entry is seen by the lock's order, and one that registers
    /// after it sees the entry. So `Relaxed`.
    has_tasks: AtomicU32,
    handler: Option<HandlerId>,
    journal_capacity: usize,
}

/// What a reader gets under the lock; the slots are read afterwards.
pub(crate) struct Gathered {
    pub(crate) cursor: Cursor,
    pub(crate) phase: Phase,
    /// Numbers of items, sorted, each once.
    pub(crate) numbers: Vec<u32>,
    pub(crate) all_cancelled: bool,
    pub(crate) complete: bool,
    pub(crate) log: Vec<LogEntry>,
}

impl Journal {
    pub(crate) fn new(
        phase: Phase,
        handler: Option<HandlerId>,
        log_capacity: usize,
        journal_capacity: usize,
    ) -> Self {
        Self {
            state: CacheAligned(Mutex::new(State {
                entries: Entries {
                    phase,
                    sequence: 0,
                    ring: VecDeque::new(),
                    active: BTreeSet::new(),
                    calls: 0,
                    waiting: 0,
                },
                log: LogStore::new(log_capacity),
                text: String::new(),
                tasks: WakerSet::default(),
                tasks_came_at: 0,
            })),
            signal: Signal::new(),
            has_tasks: AtomicU32::new(0),
            handler,
            journal_capacity: journal_capacity.max(1),
        }
    }

    fn note(&self, state: &mut State, note: Note) {
        if state.entries.ring.len() >= self.journal_capacity {
            state.entries.ring.pop_front();
        }
        state.entries.ring.push_back(note);
        state.entries.sequence += 1;
        if state.entries.waiting > 0 {
            self.signal.notify_all();
        }
    }

    pub(crate) fn handler(&self) -> Option<HandlerId> {
        self.handler
    }

    pub(crate) fn phase(&self) -> Phase {
        self.state.lock().entries.phase
    }

    pub(crate) fn set_phase(&self, phase: Phase) {
        let mut state = self.state.lock();
        state.entries.phase = phase;
        self.note(&mut state, Note::Other);
    }

    /// The item begins to work. `calls` is how many calls of the handler this is.
    pub(crate) fn begin(&self, number: u32, news: bool, calls: u64) {
        let mut state = self.state.lock();
        state.entries.calls += calls;
        state.entries.active.insert(number);
        if news {
            self.note(&mut state, Note::Item(number));
        }
    }

    /// The item changed, likewise.
    pub(crate) fn record_change(&self, number: u32, calls: u64) {
        let mut state = self.state.lock();
        state.entries.calls += calls;
        self.note(&mut state, Note::Item(number));
    }

    /// The item's work is over, likewise.
    pub(crate) fn end(&self, number: u32, calls: u64) {
        let mut state = self.state.lock();
        state.entries.calls += calls;
        state.entries.active.remove(&number);
        self.note(&mut state, Note::Item(number));
    }

    pub(crate) fn cancel_all(&self) {
        self.note(&mut self.state.lock(), Note::CancelAll);
    }

    pub(crate) fn set_text(&self, text: &str) {
        let mut state = self.state.lock();
        state.text = cut(text, TEXT_LIMIT);
        self.note(&mut state, Note::Other);
    }

    pub(crate) fn text(&self) -> String {
        self.state.lock().text.clone()
    }

    pub(crate) fn log_error(&self, record: &LogRecord<'_>) -> Result<(), CallbackError> {
        // Clock and memory before the lock.
        let mut entry = StoredEntry::new(record);
        let mut state = self.state.lock();
        state.entries.calls += 1;
        if state.entries.phase == Phase::Released {
            return Err(CallbackError::Released);
        }
        if !state.log.has_room() {
            return Err(CallbackError::LogFull);
        }
        self.note(&mut state, Note::Other);
        entry.sequence = state.entries.sequence;
        state.log.push(entry);
        Ok(())
    }

    /// Logs an entry of the host's own, as far as there is room for them: it takes no room from the
    /// handler's entries, and the handler cannot delete it.
    pub(crate) fn log_own(&self, level: LogLevel, text: &str) {
        let mut entry = StoredEntry::own(level, text);
        let mut state = self.state.lock();
        if state.entries.phase == Phase::Released {
            return;
        }
        if !state.log.has_own_room() {
            return;
        }
        self.note(&mut state, Note::Other);
        entry.sequence = state.entries.sequence;
        state.log.push(entry);
    }

    pub(crate) fn delete_log_error(&self, which: LogSelector) -> Result<(), CallbackError> {
        let mut state = self.state.lock();
        if state.entries.phase == Phase::Released {
            return Err(CallbackError::Released);
        }
        // Many texts, to be dropped without the lock.
        let gone = match which {
            LogSelector::All => {
                Some(state.log.remove_all()).filter(|all| all.len() > all.own_len())
            }
            LogSelector::ById(id) => match state.log.remove(id) {
                0 => return Err(CallbackError::UnknownErrorId),
                _ => Some(LogStore::new(0)),
            },
        };
        if gone.is_some() {
            self.note(&mut state, Note::Other);
        }
        drop(state);
        drop(gone);
        Ok(())
    }

    pub(crate) fn entries(&self) -> Vec<LogEntry> {
        let all = self.state.lock().log.after(0);
        all.entries(self.handler)
    }

    /// The entries after the one with this sequence number.
    pub(crate) fn entries_after(&self, sequence: u64) -> Vec<LogEntry> {
        let part = self.state.lock().log.after(sequence);
        part.entries(self.handler)
    }

    /// Whether there is an entry with this error id. The one with this sequence number is the first
    /// guess, which makes it O(log n) unless that was deleted.
    pub(crate) fn is_logged(&self, sequence: u64, id: ErrorId) -> bool {
        self.state.lock().log.has_error(sequence, id)
    }

    pub(crate) fn log_len(&self) -> usize {
        self.state.lock().log.len()
    }

    pub(crate) fn log_refused(&self) -> u64 {
        self.state.lock().log.refused()
    }

    /// The numbers of the items in work, and how many calls were counted here.
    pub(crate) fn activity(&self) -> (Vec<u32>, u64) {
        let state = self.state.lock();
        (
            state.entries.active.iter().copied().collect(),
            state.entries.calls,
        )
    }

    pub(crate) fn cursor_and_phase(&self) -> (Cursor, Phase) {
        let state = self.state.lock();
        (Cursor(state.entries.sequence), state.entries.phase)
    }

    /// What is in work, and what was journalled after `since`.
    pub(crate) fn gather(&self, since: Cursor) -> Gathered {
        let state = self.state.lock();
        let kept = state.entries.ring.len() as u64;
        // How many of the ring's entries are news; a cursor from the future has none.
        let news = state.entries.sequence.saturating_sub(since.0);
        let complete = news <= kept;
        let skip = kept.saturating_sub(news) as usize; // at most the ring's length
        let mut numbers: Vec<u32> = state.entries.active.iter().copied().collect();
        let mut all_cancelled = false;
        for note in state.entries.ring.iter().skip(skip) {
            match note {
                Note::Item(number) => numbers.push(*number),
                Note::CancelAll => all_cancelled = true,
                Note::Other => {}
            }
        }
        let log = state.log.after(since.0);
        let (cursor, phase) = (Cursor(state.entries.sequence), state.entries.phase);
        drop(state);
        numbers.sort_unstable();
        numbers.dedup();
        Gathered {
            cursor,
            phase,
            numbers,
            all_cancelled,
            complete,
            log: log.entries(self.handler),
        }
    }

    /// Keeps the waker until there is an entry after `since`; answers false, and keeps nothing, where there is one already, or
    /// the session is over. One that wakes the same task gives way to it.
    pub(crate) fn wake_on_change(&self, since: Cursor, waker: &Waker, driven: bool) -> bool {
        // Cloned and dropped with no lock held: both are user code.
        let waker = waker.clone();
        let mut state = self.state.lock();
        let waits = state.entries.sequence <= since.0 && !state.entries.phase.is_over(driven);
        let replaced = if waits {
            if state.tasks.is_empty() {
                state.tasks_came_at = state.entries.sequence;
                self.has_tasks.store(1, Ordering::Relaxed);
            }
            state.tasks.keep(waker)
        } else {
            Some(Foreign::new(waker))
        };
        drop(state);
        drop(replaced);
        waits
    }

    /// Wakes the tasks that wait for an entry, if there is one. To be called after one may have been made, with no lock held.
    #[inline]
    pub(crate) fn notify(&self) {
        if self.has_tasks.load(Ordering::Relaxed) != 0 {
            self.wake_tasks();
        }
    }

    #[cold]
    fn wake_tasks(&self) {
        // A report that is refused or only asks is none: work that asks over and over is not to wake over and over.
        let news = {
            let state = self.state.lock();
            state.entries.sequence > state.tasks_came_at
        };
        if news {
            wake(self.take_tasks());
        }
    }

    /// Hands out the tasks that wait for an entry.
    #[cold]
    pub(crate) fn take_tasks(&self) -> Vec<Waker> {
        let mut state = self.state.lock();
        self.has_tasks.store(0, Ordering::Relaxed);
        std::mem::take(&mut state.tasks).into_wakers()
    }

    /// Waits until there is an entry after `since`, or the session is over, or the time has passed.
    pub(crate) fn wait(&self, since: Cursor, timeout: Duration, driven: bool) {
        let until = deadline(timeout);
        let mut state = self.state.lock();
        while state.entries.sequence <= since.0 && !state.entries.phase.is_over(driven) {
            state.entries.waiting += 1;
            let (woken, late) = self.signal.wait(state, until);
            state = woken;
            state.entries.waiting -= 1;
            if late {
                break;
            }
        }
    }
}
