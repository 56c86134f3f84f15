//! Plain lines.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use super::*;
use syncmgr::{HResult, ItemStatus, LogLevel, LogRecord, SyncCallback};

/// A writer that others can read.
#[derive(Clone, Default)]
pub struct Text(Arc<Mutex<Vec<u8>>>);

impl Text {
    pub fn take(&self) -> String {
        let mut text = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8(std::mem::take(&mut *text)).expect("lines are UTF-8")
    }
}

impl Write for Text {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .write(text)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn without_a_terminal_there_are_plain_lines() {
    let session = named(&["Mail", "Notes", "Music", "Keys\x1b[2J"]);
    let text = Text::default();
    let mut frames = Bars::new().plain_to(text.clone()).session_frames(&session);
    let begun = Instant::now();
    assert!(!frames.look_at(begun));
    assert_eq!(text.take(), "4 items\n");
    begin(&session, 1, 1, 3)
        .fail(&io::Error::other("the server\nsaid no"))
        .unwrap();
    let notes = begin(&session, 2, 10, 100);
    assert!(!frames.look_at(begun + Duration::from_secs(1)));
    assert_eq!(text.take(), "Mail: failed: the server said no\n");
    assert!(!frames.look_at(begun + Duration::from_secs(4)));
    assert_eq!(text.take(), "", "nothing is new");
    assert_eq!(notes.set(20), Ok(Verdict::Continue));
    assert!(!frames.look_at(begun + Duration::from_secs(5)));
    let progress = text.take();
    assert!(
        progress.starts_with("1 of 4 items, 1 failed, 21, "),
        "{progress}"
    );
    assert!(progress.ends_with("/s\n"), "{progress}");
    assert!(!frames.look_at(begun + Duration::from_secs(9)));
    assert_eq!(text.take(), "");
    frames.line("by hand\x1b");
    session
        .log_error(&LogRecord::new(LogLevel::Error, "for no item"))
        .unwrap();
    notes.succeed().unwrap();
    session.cancel_item(support::id(3)).unwrap();
    reporter(&session, 3).skip().unwrap();
    reporter(&session, 4).succeed().unwrap();
    session.synchronize_completed(HResult::S_OK).unwrap();
    assert!(frames.look_at(begun + Duration::from_secs(9)));
    let rest = text.take();
    assert_eq!(
        rest.lines().collect::<Vec<_>>()[..5],
        [
            "by hand�",
            "error: for no item",
            "Notes: succeeded",
            "Music: skipped",
            "Keys�[2J: succeeded"
        ]
    );
    assert!(
        rest.lines()
            .nth(5)
            .unwrap()
            .starts_with("4 of 4 items, 1 failed, 1 cancelled, in 0:0"),
        "{rest}"
    );
    assert!(frames.look_at(begun + Duration::from_secs(20)));
    assert_eq!(text.take(), "");
}

#[test]
fn an_end_is_one_line_even_where_the_journal_was_too_short() {
    let items = support::items(100);
    let session = Session::builder()
        .items(items)
        .journal_capacity(4)
        .build()
        .unwrap();
    let text = Text::default();
    let mut frames = Bars::new().plain_to(text.clone()).session_frames(&session);
    assert!(!frames.look());
    for n in 1..=50 {
        reporter(&session, n).succeed().unwrap();
    }
    assert!(!frames.look());
    for n in 51..=100 {
        reporter(&session, n).succeed().unwrap();
    }
    assert!(!frames.look());
    let lines = text.take();
    let mut ends: Vec<_> = lines
        .lines()
        .filter(|line| line.ends_with(": succeeded"))
        .collect();
    assert_eq!(ends.len(), 100);
    ends.sort_unstable();
    ends.dedup();
    assert_eq!(ends.len(), 100);
}

#[test]
fn a_reason_that_comes_late_is_told_once() {
    let session = named(&["Mail", "Notes", "Music"]);
    let text = Text::default();
    let mut frames = Bars::new().plain_to(text.clone()).session_frames(&session);
    let log = |n, text| {
        let entry = LogRecord::new(LogLevel::Error, text).item(id(n));
        session.log_error(&entry).unwrap();
    };
    // Before, with and after the end; and what the item's text said already.
    log(1, "no such mailbox");
    let failed = ProgressUpdate::new().status(ItemStatus::Failed);
    for (n, text) in [(1, ""), (2, "no space"), (3, "no sound")] {
        assert!(session.progress(id(n), &failed.clone().text(text)).is_ok());
    }
    assert!(!frames.look());
    log(2, "no space");
    log(3, "no device");
    assert!(!frames.look());
    assert!(!frames.look());
    log(2, "later");
    assert!(!frames.look());
    assert_eq!(
        lines(&text.take()),
        [
            "3 items",
            "Mail: failed: no such mailbox",
            "Notes: failed: no space",
            "Music: failed: no sound",
            "Music: error: no device",
            "error: later",
        ]
    );
}

#[test]
fn an_item_that_had_nothing_to_do_is_not_told_as_cancelled() {
    use syncmgr::per_item::{HandlerBuilder, from_items};
    use syncmgr::{ItemId, ItemStatus, RunOptions, SyncItem, run_handler};

    let items = (1..=3).map(|n| SyncItem::new(ItemId::from_u128(n), "a".parse().unwrap()));
    let handler = HandlerBuilder::new(
        "Copies".parse().unwrap(),
        from_items(items, |work| {
            work.set_outcome(ItemStatus::Skipped);
            Ok(())
        }),
    );
    let report = run_handler(handler.build(), RunOptions::new());
    let session = report.session.expect("it told its items");
    let text = Text::default();
    let mut frames = Bars::new().plain_to(text.clone()).session_frames(&session);
    assert!(frames.look());
    let lines = text.take();
    assert!(lines.contains("3 of 3 items, in"), "{lines}");
}
