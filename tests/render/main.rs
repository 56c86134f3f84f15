//! What the renderer shows, on a terminal in memory, frame by frame and at times that the tests say.

mod items;
mod late;
mod plain;
mod prints;
mod run;
mod terminal;

use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::InMemoryTerm;
use support::id;
use syncmgr::render::{Bars, Frames};
use syncmgr::{ItemName, ItemReporter, ProgressUpdate, Session, SyncItem, Verdict};

/// A session of items with these names.
fn named(names: &[&str]) -> Arc<Session> {
    let items = (1..).zip(names);
    let items = items.map(|(n, name)| SyncItem::new(id(n), ItemName::truncate_start(name)));
    Session::builder().items(items).build().expect("they build")
}

fn reporter(session: &Arc<Session>, n: u128) -> ItemReporter {
    session.reporter(id(n)).expect("the item is there")
}

/// Item `n` is at `value` of `max`.
fn begin(session: &Arc<Session>, n: u128, value: u64, max: u64) -> ItemReporter {
    let reporter = reporter(session, n);
    let update = ProgressUpdate::new().value(value).max(max);
    assert_eq!(reporter.report(&update), Ok(Verdict::Continue));
    reporter
}

/// Frames on a terminal in memory. A look comes a tenth of a second after the last.
struct Stage {
    terminal: InMemoryTerm,
    frames: Frames,
    now: Instant,
}

impl Stage {
    fn new(bars: Bars, session: &Arc<Session>, rows: u16, columns: u16) -> Self {
        let terminal = InMemoryTerm::new(rows, columns);
        let bars = bars.draw_to(terminal.clone()).color(false);
        Self {
            frames: bars.session_frames(session),
            terminal,
            now: Instant::now(),
        }
    }

    fn wide(session: &Arc<Session>) -> Self {
        Self::new(Bars::new(), session, 24, 100)
    }

    /// What stands on the terminal after one more look.
    #[track_caller]
    fn look(&mut self) -> String {
        assert!(!self.frames.look_at(self.now), "there is more to come");
        self.now += Duration::from_millis(100);
        self.terminal.contents()
    }

    /// After the last look.
    #[track_caller]
    fn last(&mut self) -> String {
        assert!(self.frames.look_at(self.now), "nothing more is to come");
        assert!(self.frames.look_at(self.now), "and it stays so");
        self.terminal.contents()
    }
}

/// A line without its bar, and with one space where there are more.
fn words(line: &str) -> String {
    let (before, rest) = line.split_once('[').unwrap_or((line, ""));
    let after = rest.split_once(']').map_or(rest, |(_, after)| after);
    let words: Vec<_> = before
        .split_whitespace()
        .chain(after.split_whitespace())
        .collect();
    words.join(" ")
}

/// The words of the last line.
fn total(screen: &str) -> String {
    words(screen.lines().last().unwrap_or_default())
}

fn lines(screen: &str) -> Vec<&str> {
    screen.lines().collect()
}
