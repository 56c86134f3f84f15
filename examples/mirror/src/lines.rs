//! Plain lines, for a pipe, a log file, or whoever wants them.

use crate::job::Counts;
use crate::show;
use crate::watch::{Numbers, Screen, Sums};
use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};
use syncmgr::{ItemId, ItemStatus, ItemView, LogEntry};

/// While nothing else is to be said, the sums are, this often.
const SUMS_EVERY: Duration = Duration::from_secs(10);

/// A line when an item begins, and when it ends.
pub struct Lines {
    numbers: Arc<Numbers>,
    /// Whether an item that has begun has ended too.
    seen: HashMap<ItemId, bool>,
    sums_at: Instant,
    /// The lines of this frame: written at once.
    lines: String,
}

impl Lines {
    pub fn new(numbers: Arc<Numbers>) -> Self {
        Self {
            numbers,
            seen: HashMap::new(),
            sums_at: Instant::now(),
            lines: String::new(),
        }
    }
}

/// The word for what becomes of an item, in lines and in the table.
pub fn word(view: &ItemView) -> &'static str {
    match view.status {
        // It was not begun any more.
        ItemStatus::Skipped if !view.verdict.is_continue() => "cancelled",
        ItemStatus::Succeeded => "done",
        ItemStatus::Failed => "failed",
        ItemStatus::Stopped => "cancelled",
        ItemStatus::Skipped => "left out",
        ItemStatus::Pending => "not begun",
        _ => "in work",
    }
}

/// Writes to standard output. Whoever closed it does not want to know.
pub fn print(text: &str) {
    let mut out = io::stdout().lock();
    _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

impl Screen for Lines {
    fn items(&mut self, views: &[ItemView]) {
        for view in views {
            let ended = view.is_finished();
            let begun = ended || view.status != ItemStatus::Pending;
            let news = self.seen.get(&view.id).is_none_or(|seen| ended && !seen);
            if !begun || !news {
                continue;
            }
            self.seen.insert(view.id, ended);
            let what = if ended && view.text.is_empty() {
                format!("{}, {}", word(view), Counts::default())
            } else if ended {
                format!("{}, {}", word(view), view.text)
            } else {
                format!("begun, {}", show::bytes(view.max))
            };
            let number = self.numbers.of(view.id);
            self.line(&format!("[{number}] {}: {what}", view.name));
        }
    }

    fn log(&mut self, entry: &LogEntry) {
        let line = self.numbers.line(entry);
        self.line(&line);
    }

    fn line(&mut self, text: &str) {
        self.lines.push_str(text);
        self.lines.push('\n');
    }

    fn frame(&mut self, sums: &Sums, _typed: &str) {
        if self.sums_at.elapsed() >= SUMS_EVERY {
            self.sums_at = Instant::now();
            self.line(&format!(
                "{} of {} items, {} of {}",
                sums.finished,
                self.numbers.len(),
                show::bytes(sums.value),
                show::bytes(sums.max)
            ));
        }
        if !self.lines.is_empty() {
            print(self.lines.trim_end());
            self.lines.clear();
        }
    }

    fn end(&mut self) {}
}
