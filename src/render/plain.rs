//! Plain lines, for a pipe, a log file, or whoever wants them.

use std::fmt;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use super::number::{Unit, count, counted, percent, rest, time};
use super::rate::Rate;
use super::source::{Key, Standing};
use super::tally::ItemTally;
use crate::ItemView;

/// A line for what begins, ends and fails, and now and then one for how far all is.
pub(super) struct Plain {
    out: Box<dyn Write + Send>,
    every: Duration,
    since: Instant,
    /// When the last line about all was written; none before the first look.
    last: Option<Instant>,
    /// And what it said.
    said: String,
    /// The lines of this look: written at once.
    lines: String,
    /// Those that failed by this look or the last: key, name and reason.
    failed: Vec<(Key, String, String)>,
    /// How many of them are of the last.
    old: usize,
}

impl Plain {
    pub(super) fn to(out: Box<dyn Write + Send>, every: Duration, since: Instant) -> Self {
        Self {
            out,
            every,
            since,
            last: None,
            said: String::new(),
            lines: String::new(),
            failed: Vec::new(),
            old: 0,
        }
    }

    pub(super) fn line(&mut self, text: &str) {
        self.lines.push_str(text);
        self.lines.push('\n');
    }

    /// An item has ended. `reason` is why, if it failed.
    pub(super) fn ended(
        &mut self,
        key: Key,
        name: String,
        view: &ItemView,
        reason: Option<String>,
    ) {
        let status = view.status;
        let Some(reason) = reason else {
            return self.line(&format!("{name}: {status}"));
        };
        match reason.as_str() {
            "" => self.line(&format!("{name}: {status}")),
            reason => self.line(&format!("{name}: {status}: {reason}")),
        }
        self.failed.push((key, name, reason));
    }

    /// An error was logged for an item that had failed. It may be the one that is told already: a look that comes between the
    /// two reads the status, and its text, before the entry.
    pub(super) fn late(&mut self, key: Key, text: &str) {
        let failed = self.failed.iter().find(|(other, ..)| *other == key);
        match failed {
            Some((_, _, reason)) if reason == text => {}
            Some((_, name, _)) => {
                let line = format!("{name}: error: {text}");
                self.line(&line);
            }
            None => self.line(&format!("error: {text}")),
        }
    }

    /// The look is over: the lines are written.
    pub(super) fn look(
        &mut self,
        standing: &Standing,
        tally: &ItemTally,
        rate: &Rate,
        unit: Unit,
        now: Instant,
    ) -> io::Result<()> {
        match self.last {
            None => {
                let begin = match standing.handlers {
                    Some((_, all)) => counted(all as u64, "handler"),
                    None => counted(standing.totals.items, "item"),
                };
                self.lines.insert_str(0, &format!("{begin}\n"));
                self.last = Some(now);
                self.said = progress(standing, tally, rate, unit);
            }
            Some(last) if now.saturating_duration_since(last) >= self.every => {
                let progress = progress(standing, tally, rate, unit);
                self.last = Some(now);
                if progress != self.said {
                    self.line(&progress);
                    self.said = progress;
                }
            }
            Some(_) => {}
        }
        self.failed.drain(..self.old);
        self.old = self.failed.len();
        self.write()
    }

    /// The last line.
    pub(super) fn end(
        &mut self,
        standing: &Standing,
        tally: &ItemTally,
        now: Instant,
    ) -> io::Result<()> {
        let mut text = counts(standing, tally);
        text += &format!(", in {}", time(now.saturating_duration_since(self.since)));
        self.line(&text);
        self.write()
    }

    fn write(&mut self) -> io::Result<()> {
        if self.lines.is_empty() {
            return Ok(());
        }
        self.out.write_all(self.lines.as_bytes())?;
        self.lines.clear();
        self.out.flush()
    }
}

/// "12 of 40 items, 2 failed, 1 cancelled".
fn counts(standing: &Standing, tally: &ItemTally) -> String {
    let totals = &standing.totals;
    let mut text = format!(
        "{} of {}",
        count(totals.finished),
        counted(totals.items, "item")
    );
    for (number, what) in [(tally.failed, "failed"), (tally.cancelled, "cancelled")] {
        if number > 0 {
            text += &format!(", {} {what}", count(number));
        }
    }
    if let Some((finished, all)) = standing.handlers {
        text += &format!(", {finished} of {}", counted(all as u64, "handler"));
    }
    if tally.handlers_failed > 0 {
        text += &format!(", {} failed", counted(tally.handlers_failed, "handler"));
    }
    text
}

/// "12 of 40 items, 45%, 12.3 MiB of 30.0 MiB, 3.10 MiB/s, 0:12 left".
fn progress(standing: &Standing, tally: &ItemTally, rate: &Rate, unit: Unit) -> String {
    let mut text = counts(standing, tally);
    let totals = &standing.totals;
    let settled = tally.settled(standing);
    match settled {
        Some((done, max)) => {
            text += &format!(", {}", percent(done as f64 / max as f64));
            text += &format!(", {}", unit.part(totals.measured, max));
        }
        None if totals.value > 0 => text += &format!(", {}", unit.amount(totals.value)),
        None => {}
    }
    if let Some(per_second) = rate.per_second() {
        text += &format!(", {}", unit.rate(per_second));
    }
    let left = settled.and_then(|(done, max)| rate.left(max.saturating_sub(done)));
    if let Some(left) = left {
        text += &format!(", {} left", rest(left));
    }
    text
}

impl fmt::Debug for Plain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plain")
            .field("every", &self.every)
            .finish_non_exhaustive()
    }
}
