//! The log of the handler at the cursor, as far as it is open.

use std::time::{Duration, Instant, SystemTime};

use syncmgr::{HandlerId, LogEntry, LogFilter, LogLevel, SyncManager};
use syncmgr_mirror::show::escaped;

use crate::model::Group;

/// So often the log is read anew though nothing seems to have changed: an entry that was deleted is told of nowhere, nor is one
/// of the manager's own.
const AGAIN: Duration = Duration::from_secs(1);

/// The log of one handler.
pub struct LogPane {
    pub is_open: bool,
    level: LogLevel,
    /// The oldest first.
    pub entries: Vec<LogEntry>,
    /// So many of the newest entries are scrolled out of sight.
    pub scrolled: usize,
    /// The entries may be others by now.
    pub stale: bool,
    read: Instant,
    started: SystemTime,
}

impl LogPane {
    pub fn new() -> Self {
        Self {
            is_open: false,
            level: LogLevel::Information,
            entries: Vec::new(),
            scrolled: 0,
            stale: true,
            read: Instant::now(),
            started: SystemTime::now(),
        }
    }

    pub fn open_or_close(&mut self) {
        self.is_open = !self.is_open;
        self.scrolled = 0;
        self.stale = true;
    }

    /// The next level: everything, warnings and errors, errors only.
    pub fn next_level(&mut self) {
        self.level = match self.level {
            LogLevel::Information => LogLevel::Warning,
            LogLevel::Warning => LogLevel::Error,
            LogLevel::Error => LogLevel::Information,
        };
        self.scrolled = 0;
        self.stale = true;
    }

    /// Scrolls so many entries towards the older ones.
    pub fn scroll(&mut self, entries: isize) {
        let most = self.entries.len().saturating_sub(1);
        self.scrolled = self.scrolled.saturating_add_signed(entries).min(most);
    }

    /// What the level lets through, in words.
    pub fn level(&self) -> &'static str {
        match self.level {
            LogLevel::Information => "all",
            LogLevel::Warning => "warnings and errors",
            LogLevel::Error => "errors",
        }
    }

    /// Reads the log anew, if it is open and may be another. Answers whether it is.
    pub fn refresh(&mut self, manager: &SyncManager, handler: HandlerId) -> bool {
        let due = self.stale || self.read.elapsed() >= AGAIN;
        if !self.is_open || !due {
            return false;
        }
        self.stale = false;
        self.read = Instant::now();
        let filter = LogFilter::new().handler(handler).level(self.level);
        let mut entries = manager.log(&filter);
        entries.sort_by_key(|entry| entry.time);
        let changed = entries != self.entries;
        self.entries = entries;
        self.scroll(0);
        changed
    }

    /// An entry as a line: when, how serious, of what, what.
    pub fn line(&self, entry: &LogEntry, group: &Group) -> String {
        let since = entry.time.duration_since(self.started).unwrap_or_default();
        let text = told(entry, group);
        format!("{:>6.1} s  {text}", since.as_secs_f64())
    }
}

/// An entry without its time.
pub fn told(entry: &LogEntry, group: &Group) -> String {
    let level = match entry.level {
        LogLevel::Information => "note",
        LogLevel::Warning => "warning",
        LogLevel::Error => "error",
    };
    let text = escaped(&entry.text);
    match entry.item.and_then(|item| group.row(item)) {
        Some(row) => format!("{level}: {}: {text}", row.name),
        None => format!("{level}: {text}"),
    }
}
