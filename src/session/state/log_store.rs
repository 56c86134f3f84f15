//! The entries of the log, as the journal keeps them, and how many there may be.
//!
//! A log may hold many long texts, and is read while work reports and users cancel. So it consists of chunks that readers share: what
//! a reader does with the journal's lock held is to take the chunks, and the texts are copied afterwards.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::SystemTime;

use crate::session::log_entry::LogEntry;
use crate::util::clock;
use crate::util::text::{LOG_TEXT_LIMIT, TEXT_LIMIT, cut};
use crate::{ErrorFlags, ErrorId, HandlerId, ItemId, LogLevel, LogRecord};

/// How many entries a chunk has that takes no more of them.
const CHUNK: usize = 256;

/// How many entries of the host's own a log has at most, beside those of the handler.
const OWN_CAPACITY: usize = 16;

/// What only the newer interface says of a log entry.
#[derive(Debug, Default)]
struct Details {
    name: Option<String>,
    link: Option<String>,
    link_text: Option<String>,
    context: Option<String>,
}

impl Details {
    /// None where the record has none of them.
    fn of(record: &LogRecord<'_>) -> Option<Arc<Self>> {
        let has_any = record.name.is_some()
            || record.link.is_some()
            || record.link_text.is_some()
            || record.context.is_some();
        has_any.then(|| {
            let kept =
                |text: &Option<Cow<'_, str>>, limit| text.as_deref().map(|text| cut(text, limit));
            let link = record.link.as_deref().map(str::to_owned);
            Arc::new(Self {
                name: kept(&record.name, TEXT_LIMIT),
                link: link.filter(|link| link.len() <= LOG_TEXT_LIMIT),
                link_text: kept(&record.link_text, TEXT_LIMIT),
                context: kept(&record.context, LOG_TEXT_LIMIT),
            })
        })
    }
}

/// A log entry as it is kept: what all of them share is left out, and what few of them have is kept apart, so that logging
/// moves less memory. To clone one copies no text.
#[derive(Debug, Clone)]
pub(crate) struct StoredEntry {
    time: SystemTime,
    pub(crate) sequence: u64,
    text: Arc<str>,
    details: Option<Arc<Details>>,
    item: Option<ItemId>,
    error_id: Option<ErrorId>,
    flags: ErrorFlags,
    level: LogLevel,
    /// The host's, not the handler's.
    own: bool,
}

impl StoredEntry {
    /// An entry that has no number yet.
    pub(crate) fn new(record: &LogRecord<'_>) -> Self {
        let text = match record.text.len() <= LOG_TEXT_LIMIT {
            true => Arc::from(&*record.text), // one allocation
            false => Arc::from(cut(&record.text, LOG_TEXT_LIMIT)),
        };
        Self {
            time: clock::system_time(),
            sequence: 0,
            text,
            details: Details::of(record),
            item: record.item,
            error_id: record.error_id,
            flags: record.flags,
            level: record.level,
            own: false,
        }
    }

    /// An entry of the host's own, which has no number yet.
    pub(crate) fn own(level: LogLevel, text: &str) -> Self {
        let mut entry = Self::new(&LogRecord::new(level, text));
        entry.own = true;
        entry
    }

    fn entry(&self, handler: Option<HandlerId>) -> LogEntry {
        let details = self.details.as_deref();
        let detail = |which: fn(&Details) -> &Option<String>| which(details?).clone();
        LogEntry {
            time: self.time,
            sequence: self.sequence,
            handler,
            level: self.level,
            text: (*self.text).to_owned(),
            item: self.item,
            error_id: self.error_id,
            flags: self.flags,
            name: detail(|it| &it.name),
            link: detail(|it| &it.link),
            link_text: detail(|it| &it.link_text),
            context: detail(|it| &it.context),
        }
    }
}

/// The entries by their numbers: those of the full chunks, then the rest. No chunk is empty.
#[derive(Debug, Default)]
pub(crate) struct LogStore {
    full: Vec<Arc<Vec<StoredEntry>>>,
    rest: Vec<StoredEntry>,
    len: usize,
    /// How many of the entries are the host's own.
    own: usize,
    /// How many entries of the handler there may be.
    capacity: usize,
    /// How many entries were refused.
    refused: u64,
}

impl LogStore {
    /// An empty log that takes so many entries of the handler.
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            ..Self::default()
        }
    }

    /// Whether there is room for an entry of the handler. If not, counts it as refused.
    pub(crate) fn has_room(&mut self) -> bool {
        self.admits(self.len - self.own < self.capacity)
    }

    /// Whether there is room for an entry of the host's own. If not, counts it as refused.
    pub(crate) fn has_own_room(&mut self) -> bool {
        self.admits(self.own < OWN_CAPACITY)
    }

    fn admits(&mut self, room: bool) -> bool {
        self.refused += u64::from(!room);
        room
    }

    /// How many entries were refused.
    pub(crate) fn refused(&self) -> u64 {
        self.refused
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// How many entries are the host's own.
    pub(crate) fn own_len(&self) -> usize {
        self.own
    }

    /// Adds an entry, whose number is larger than those before.
    pub(crate) fn push(&mut self, entry: StoredEntry) {
        self.own += usize::from(entry.own);
        self.rest.push(entry);
        self.len += 1;
        if self.rest.len() == CHUNK {
            let next = Vec::with_capacity(CHUNK);
            self.full
                .push(Arc::new(std::mem::replace(&mut self.rest, next)));
        }
    }

    /// Removes the entries of an error, and returns how many there were. A chunk that a reader has at that moment is copied.
    pub(crate) fn remove(&mut self, error: ErrorId) -> usize {
        let is_of = |entry: &StoredEntry| entry.error_id == Some(error);
        for chunk in &mut self.full {
            if chunk.iter().any(is_of) {
                Arc::make_mut(chunk).retain(|entry| !is_of(entry));
            }
        }
        self.full.retain(|chunk| !chunk.is_empty());
        self.rest.retain(|entry| !is_of(entry));
        let left = self.full.iter().map(|chunk| chunk.len()).sum::<usize>() + self.rest.len();
        let before = std::mem::replace(&mut self.len, left);
        before - left
    }

    /// Removes all entries of the handler, and returns the log as it was. Those of the host stay.
    pub(crate) fn remove_all(&mut self) -> Self {
        let kept = Self {
            refused: self.refused,
            ..Self::new(self.capacity)
        };
        let old = std::mem::replace(self, kept);
        if old.own > 0 {
            old.iter()
                .filter(|entry| entry.own)
                .for_each(|entry| self.push(entry.clone()));
        }
        old
    }

    /// Whether there is an entry of this error. The entry with this number is the first guess, which
    /// makes it O(log n) unless that was removed.
    pub(crate) fn has_error(&self, sequence: u64, error: ErrorId) -> bool {
        let is_of = |entry: &StoredEntry| entry.error_id == Some(error);
        let old = |chunk: &Arc<Vec<StoredEntry>>| {
            chunk.last().is_some_and(|last| last.sequence < sequence)
        };
        let place = self.full.partition_point(old);
        let chunk = self.full.get(place).map_or(&self.rest, |chunk| &**chunk);
        let guess = chunk.binary_search_by_key(&sequence, |entry| entry.sequence);
        let guess = guess.ok().and_then(|place| chunk.get(place));
        guess.is_some_and(is_of) || self.iter().any(is_of)
    }

    fn iter(&self) -> impl Iterator<Item = &StoredEntry> {
        let full = self.full.iter().flat_map(|chunk| chunk.iter());
        full.chain(&self.rest)
    }

    /// What was logged after the entry with this number.
    pub(crate) fn after(&self, since: u64) -> Chunk {
        let old =
            |chunk: &Arc<Vec<StoredEntry>>| chunk.last().is_some_and(|last| last.sequence <= since);
        let first = self.full.partition_point(old);
        Chunk {
            since,
            full: self.full.get(first..).unwrap_or_default().to_vec(),
            rest: self.rest.clone(),
        }
    }
}

/// A part of the log as it was at one moment.
pub(crate) struct Chunk {
    since: u64,
    full: Vec<Arc<Vec<StoredEntry>>>,
    rest: Vec<StoredEntry>,
}

impl Chunk {
    /// The entries. To be called with no lock held: it copies each text.
    pub(crate) fn entries(&self, handler: Option<HandlerId>) -> Vec<LogEntry> {
        let full = self.full.iter().flat_map(|chunk| chunk.iter());
        let all = full.chain(&self.rest);
        let wanted = all.filter(|entry| entry.sequence > self.since);
        wanted.map(|entry| entry.entry(handler)).collect()
    }
}
