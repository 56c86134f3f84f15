//! What the renderer shows, on a terminal in memory, frame by frame and at times that the tests say.

#![cfg(feature = "indicatif")]

mod support;

use std::io::{self, Write};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{InMemoryTerm, TermLike};
use support::{LIMIT, driven, id, open, start_round, status, within};
use syncmgr::render::{Bars, Frames};
use syncmgr::{
    HResult, ItemName, ItemReporter, ItemStatus, LogLevel, LogRecord, ProgressUpdate, Session,
    SyncCallback, SyncItem, Verdict,
};

/// A session of items with these names.
fn named(names: &[&str]) -> Arc<Session> {
    let items = (1..).zip(names);
    let items = items.map(|(n, name)| SyncItem::new(id(n), ItemName::shortened(name)));
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
        let bars = bars.draw_to(terminal.clone()).coloured(false);
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
        assert!(self.frames.look_at(self.now), "there is more to come");
        self.now += Duration::from_millis(100);
        self.terminal.contents()
    }

    /// After the last look.
    #[track_caller]
    fn last(&mut self) -> String {
        assert!(!self.frames.look_at(self.now), "nothing more is to come");
        assert!(!self.frames.look_at(self.now), "and it stays so");
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

#[test]
fn a_job_from_its_start_to_its_end() {
    let session = named(&["Photos", "Mail", "Notes"]);
    let mut stage = Stage::wide(&session);
    assert_eq!(stage.look(), "0 of 3 items  [                      ]    0%");

    let photos = begin(&session, 1, 50, 200);
    let update = ProgressUpdate::new().value(30).max(40).text("fetching");
    assert_eq!(reporter(&session, 2).report(&update), Ok(Verdict::Continue));
    let screen = stage.look();
    assert_eq!(
        lines(&screen),
        [
            "Photos               [=>        ]   25%             50 of 200",
            "Mail                 [======>   ]   75%              30 of 40                       fetching",
            // Of three items one quarter and three quarters are done.
            "0 of 3 items  [======>               ]   33%                    80",
        ]
    );

    // 100 a second, so the rest takes a second and a half.
    for value in [60, 70, 80, 90, 100, 110, 120] {
        assert_eq!(photos.set(value), Ok(Verdict::Continue));
        stage.look();
    }
    for value in [130, 140, 150] {
        assert_eq!(photos.set(value), Ok(Verdict::Continue));
        stage.look();
    }
    let screen = stage.look();
    let row = lines(&screen)[0];
    assert!(row.contains(" 75%            150 of 200"), "{screen}");
    assert!(row.contains("/s     0:01"), "{screen}");

    photos.succeed().unwrap();
    let screen = stage.look();
    assert_eq!(lines(&screen).len(), 2, "its row is gone: {screen}");
    assert!(screen.contains("1 of 3 items"), "{screen}");

    begin(&session, 3, 5, 5).succeed().unwrap();
    begin(&session, 2, 40, 40).succeed().unwrap();
    session.synchronize_completed(HResult::S_OK).unwrap();
    let screen = stage.last();
    assert_eq!(total(&screen), "3 of 3 items 100% 195 of 245");
}

#[test]
fn the_sums_are_shown_once_every_maximum_is_told() {
    let session = open(2);
    let mut stage = Stage::new(Bars::new().bytes(), &session, 24, 100);
    let one = begin(&session, 1, 1 << 20, 4 << 20);
    // Nobody knows how much the other is: a quarter of one of two items.
    assert_eq!(total(&stage.look()), "0 of 2 items 12% 1.00 MiB");
    let _two = begin(&session, 2, 0, 4 << 20);
    for step in 0..15 {
        assert_eq!(one.set((1 << 20) + (step << 17)), Ok(Verdict::Continue));
        stage.look();
    }
    let screen = total(&stage.look());
    assert_eq!(
        screen,
        "0 of 2 items 34% 2.75 MiB of 8.00 MiB 1.09 MiB/s 0:05 left"
    );
    // What is cancelled is not waited for.
    session.cancel_item(id(2)).unwrap();
    reporter(&session, 2).stop().unwrap();
    let screen = total(&stage.look());
    assert!(
        screen.starts_with("1 of 2 items 84% 2.75 MiB of 8.00 MiB"),
        "{screen}"
    );
    assert!(screen.ends_with("0:02 left 1 cancelled"), "{screen}");
}

#[test]
fn what_has_no_maximum_has_no_percentage() {
    let session = named(&["Index", "Strange"]);
    let mut stage = Stage::wide(&session);
    let index = reporter(&session, 1);
    assert_eq!(index.set(7), Ok(Verdict::Continue));
    let strange = begin(&session, 2, 9, 3);
    let update = status(ItemStatus::UpdatingIndeterminate);
    assert_eq!(strange.report(&update), Ok(Verdict::Continue));
    let mut bars = Vec::new();
    for _ in 0..40 {
        let screen = stage.look();
        for row in &lines(&screen)[..2] {
            assert!(!row.contains('%'), "{screen}");
            assert!(row.contains("<=>"), "{screen}");
            assert_eq!(row.find(']'), Some(32), "{screen}");
        }
        bars.push(screen.lines().next().map(str::to_owned));
    }
    bars.dedup();
    assert!(bars.len() > 20, "it moves: {bars:?}");
}

#[test]
fn a_cancel_is_marked_on_its_way_and_afterwards() {
    let session = named(&["Videos", "Music", "Games"]);
    let mut stage = Stage::wide(&session);
    let videos = begin(&session, 1, 40, 100);
    let _music = begin(&session, 2, 1, 2);
    stage.look();
    session.cancel_item(id(1)).unwrap();
    session.cancel_item(id(3)).unwrap();
    let screen = stage.look();
    assert_eq!(lines(&screen)[0], "Videos               cancelling");
    assert_eq!(
        lines(&screen)[2],
        "Games                cancelling",
        "it has not begun"
    );
    videos.stop().unwrap();
    reporter(&session, 3).skip().unwrap();
    for _ in 0..3 {
        let screen = stage.look();
        assert_eq!(lines(&screen)[0], "Videos               stopped at 40%");
        assert_eq!(lines(&screen)[2], "Games                skipped");
        assert!(screen.ends_with("  2 cancelled"), "{screen}");
    }
}

#[test]
fn a_failed_item_stays_with_its_error() {
    let session = named(&["Mail", "Notes", "Music", "Keys"]);
    let mut stage = Stage::wide(&session);
    begin(&session, 1, 1, 3)
        .fail(&io::Error::other("the server said no"))
        .unwrap();
    let _notes = begin(&session, 2, 1, 2);
    // One whose text says it, and one that says nothing.
    let failed = ProgressUpdate::new()
        .status(ItemStatus::Failed)
        .text("no such disk");
    assert!(session.progress(id(3), &failed).is_ok());
    assert!(session.progress(id(4), &status(ItemStatus::Failed)).is_ok());
    let screen = stage.look();
    let told = |screen: &str, row: &str| screen.lines().any(|line| line == row);
    assert!(
        told(&screen, "Mail                 failed: the server said no"),
        "{screen}"
    );
    assert!(
        told(&screen, "Music                failed: no such disk"),
        "{screen}"
    );
    assert!(told(&screen, "Keys                 failed"), "{screen}");
    assert!(screen.ends_with("3 failed"), "{screen}");
    // The reason may come late.
    session
        .log_error(&LogRecord::new(LogLevel::Error, "the key\nis broken").item(id(4)))
        .unwrap();
    let screen = stage.look();
    assert!(
        told(&screen, "Keys                 failed: the key is broken"),
        "{screen}"
    );
    assert!(screen.ends_with("3 failed"), "{screen}");
    session.synchronize_completed(HResult::S_OK).unwrap();
    assert!(told(
        &stage.last(),
        "Mail                 failed: the server said no"
    ));
}

#[test]
fn a_failure_may_follow_an_end() {
    let session = named(&["Mail"]);
    let mut stage = Stage::wide(&session);
    begin(&session, 1, 3, 3).succeed().unwrap();
    let screen = stage.look();
    assert_eq!(lines(&screen).len(), 1, "{screen}");
    assert!(session.progress(id(1), &status(ItemStatus::Failed)).is_ok());
    let screen = stage.look();
    assert!(
        screen.starts_with("Mail                 failed"),
        "{screen}"
    );
    assert!(screen.ends_with("1 failed"), "{screen}");
}

#[test]
fn a_retry_begins_anew() {
    let session = driven(2);
    let mut stage = Stage::wide(&session);
    stage.look();
    start_round(&session, &[id(1), id(2)]);
    begin(&session, 1, 90, 100)
        .fail(&io::Error::other("no"))
        .unwrap();
    begin(&session, 2, 100, 100).succeed().unwrap();
    session.synchronize_completed(HResult::S_OK).unwrap();
    let screen = stage.look();
    assert_eq!(total(&screen), "2 of 2 items 100% 190 of 200 1 failed");

    start_round(&session, &[id(1)]);
    let screen = stage.look();
    assert!(!screen.contains("failed"), "{screen}");
    assert!(screen.contains("1 of 2 items"), "{screen}");
    let again = begin(&session, 1, 10, 100);
    let screen = stage.look();
    assert!(
        screen.starts_with("item 1               [>         ]   10%"),
        "{screen}"
    );
    again.succeed().unwrap();
    session.synchronize_completed(HResult::S_OK).unwrap();
    session.release();
    let screen = stage.last();
    assert!(screen.starts_with("2 of 2 items"), "{screen}");
    assert!(!screen.contains("failed"), "{screen}");
}

#[test]
fn items_are_added_while_it_runs() {
    let session = open(1);
    let mut stage = Stage::wide(&session);
    assert!(stage.look().contains("0 of 1 item "));
    session
        .add_item(SyncItem::new(id(7), ItemName::shortened("late")))
        .unwrap();
    let _late = begin(&session, 7, 1, 4);
    let screen = stage.look();
    assert!(
        screen.starts_with("late                 [=>        ]   25%"),
        "{screen}"
    );
    assert!(screen.contains("0 of 2 items"), "{screen}");
}

#[test]
fn what_finds_no_row_is_counted() {
    let session = open(30);
    let mut stage = Stage::new(Bars::new().rows(4), &session, 24, 100);
    let mut working: Vec<_> = (1..=10).map(|n| begin(&session, n, 1, 2)).collect();
    let screen = stage.look();
    let rows = lines(&screen);
    assert_eq!(rows.len(), 6, "{screen}");
    assert_eq!(rows[4], "and 6 more in work");

    // Its place is taken by the next, and no other row moves.
    working.remove(1).succeed().unwrap();
    let screen = stage.look();
    let begins: Vec<_> = lines(&screen)[..4].iter().map(|row| &row[..7]).collect();
    assert_eq!(
        begins,
        ["item 1 ", "item 5 ", "item 3 ", "item 4 "],
        "{screen}"
    );
    assert_eq!(lines(&screen)[4], "and 5 more in work");

    // A failed one makes room for one in work, and then stands above for good.
    working
        .remove(0)
        .fail(&io::Error::other("it broke"))
        .unwrap();
    let screen = stage.look();
    let rows = lines(&screen);
    assert_eq!(rows[0], "item 1  failed: it broke");
    assert_eq!(rows.len(), 7, "{screen}");
    assert_eq!(rows[5], "and 4 more in work");

    // It stays in its row where there is no need for that.
    for reporter in working.drain(..7) {
        reporter.succeed().unwrap();
    }
    working.remove(0).fail(&io::Error::other("too")).unwrap();
    let screen = stage.look();
    assert_eq!(
        lines(&screen)[..2],
        [
            "item 1  failed: it broke",
            "item 10              failed: too"
        ]
    );
    assert!(lines(&screen)[2].ends_with("2 failed"), "{screen}");
}

#[test]
fn rows_are_as_many_as_the_terminal_has_room_for() {
    let session = open(30);
    let _working: Vec<_> = (1..=30).map(|n| begin(&session, n, 1, 2)).collect();
    for (height, rows) in [(1, 1), (2, 2), (3, 2), (4, 3), (10, 9), (24, 22), (60, 22)] {
        let mut stage = Stage::new(Bars::new(), &session, height, 80);
        let screen = stage.look();
        assert_eq!(lines(&screen).len(), rows, "{height}: {screen}");
        assert!(
            lines(&screen)[rows - 1].starts_with("0 of 30 items"),
            "{screen}"
        );
        stage.look();
        assert_eq!(
            stage.terminal.contents().lines().count(),
            rows,
            "it does not scroll"
        );
    }
}

#[test]
fn a_row_is_never_wider_than_the_terminal() {
    let names = [
        "写真と音楽とその他のもの",
        "a name that is far too long for any terminal that there is",
        "é",
        "",
    ];
    let session = named(&names);
    let mail = begin(&session, 1, 123_456_789, 9_876_543_210);
    assert!(
        mail.report(&ProgressUpdate::new().text("写真を写真を写真を"))
            .is_ok()
    );
    begin(&session, 2, 1, 0)
        .fail(&io::Error::other(
            "an error with a text that has no end ".repeat(9),
        ))
        .unwrap();
    let _three = begin(&session, 3, u64::MAX, u64::MAX);
    session.cancel_item(id(4)).unwrap();
    for bars in [Bars::new, || Bars::new().bytes()] {
        for columns in 1..=200 {
            let mut stage = Stage::new(bars(), &session, 24, columns);
            for _ in 0..13 {
                stage.look();
            }
            let screen = stage.look();
            assert!(lines(&screen).len() <= 5, "{columns}: {screen}");
            for line in lines(&screen) {
                let width = console::measure_text_width(line);
                assert!(width < columns.into(), "{columns}: {line}");
            }
        }
    }
}

#[test]
fn a_narrow_row_tells_the_most_important() {
    let session = named(&["Mail", "Notes", "Music"]);
    let mut stage = Stage::new(Bars::new(), &session, 10, 30);
    begin(&session, 1, 1, 3)
        .fail(&io::Error::other("the server said no"))
        .unwrap();
    let _notes = begin(&session, 2, 1, 2);
    let _music = begin(&session, 3, 1, 4);
    session.cancel_item(id(3)).unwrap();
    let screen = stage.look();
    let mut rows = lines(&screen);
    rows[..3].sort_unstable();
    assert_eq!(
        rows,
        [
            "Mail            failed: the …",
            "Music           cancelling",
            "Notes                     50%",
            "1/3   55%  1 failed",
        ]
    );
}

/// A terminal of which nothing is used but its writing.
macro_rules! only_writes {
    ($type:ty) => {
        impl TermLike for $type {
            fn width(&self) -> u16 {
                80
            }
            fn move_cursor_up(&self, _: usize) -> io::Result<()> {
                unreachable!("a frame is one write")
            }
            fn move_cursor_down(&self, _: usize) -> io::Result<()> {
                unreachable!("a frame is one write")
            }
            fn move_cursor_right(&self, _: usize) -> io::Result<()> {
                unreachable!("a frame is one write")
            }
            fn move_cursor_left(&self, _: usize) -> io::Result<()> {
                unreachable!("a frame is one write")
            }
            fn write_line(&self, _: &str) -> io::Result<()> {
                unreachable!("a frame is one write")
            }
            fn write_str(&self, text: &str) -> io::Result<()> {
                self.write(text)
            }
            fn clear_line(&self) -> io::Result<()> {
                unreachable!("a frame is one write")
            }
            fn flush(&self) -> io::Result<()> {
                Ok(())
            }
        }
    };
}

/// A terminal that keeps what is written.
#[derive(Clone, Debug, Default)]
struct Raw(Arc<Mutex<String>>);

impl Raw {
    fn write(&self, text: &str) -> io::Result<()> {
        let mut written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        written.push_str(text);
        Ok(())
    }
}

only_writes!(Raw);

#[test]
fn no_command_reaches_the_terminal() {
    let session = named(&["a\x1b[2Jb\u{9b}31mc\u{202e}d"]);
    let raw = Raw::default();
    let bars = Bars::new().draw_to(raw.clone()).coloured(false);
    let mut frames = bars.session_frames(&session);
    let item = begin(&session, 1, 1, 2);
    let text = "x\r\n\x1b]0;title\x07y\tz";
    assert!(item.report(&ProgressUpdate::new().text(text)).is_ok());
    frames.line("above\x1b[1A");
    assert!(frames.look());
    item.fail(&io::Error::other("\x1b[31m")).unwrap();
    let entry = LogRecord::new(LogLevel::Error, "no item\x1b[H");
    session.log_error(&entry).unwrap();
    assert!(frames.look());
    frames.end();
    let mut written = raw.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let parts = [
        "a�[2Jb�31mc�d",
        "x  �]0;title",
        "above�[1A",
        "failed: �[31m",
        "error: no item�[H",
    ];
    for part in parts {
        assert!(written.contains(part), "{part:?} in {written:?}");
    }
    // Nothing but the frame's own commands.
    for command in [
        "\x1b[J", "\x1b[K", "\x1b[?7l", "\x1b[?7h", "\x1b[1A", "\r", "\n",
    ] {
        written = written.replace(command, "");
    }
    assert!(!written.contains(char::is_control), "{written:?}");
}

#[test]
fn colours_only_where_they_are_wanted() {
    let session = named(&["Mail"]);
    begin(&session, 1, 1, 3)
        .fail(&io::Error::other("no"))
        .unwrap();
    for coloured in [false, true] {
        let terminal = InMemoryTerm::new(10, 60);
        let bars = Bars::new().draw_to(terminal.clone()).coloured(coloured);
        assert!(bars.session_frames(&session).look());
        let formatted = terminal.contents_formatted();
        let red = formatted.windows(5).any(|part| part == b"\x1b[31m");
        assert_eq!(red, coloured);
        assert!(
            terminal
                .contents()
                .starts_with("Mail            failed: no"),
            "{}",
            terminal.contents()
        );
    }
}

#[test]
fn a_million_items_cost_what_is_in_work() {
    let items = (1..=1_000_000).map(|n| SyncItem::new(id(n), ItemName::shortened("a file")));
    let session = Session::builder().items(items).build().unwrap();
    let mut stage = Stage::wide(&session);
    assert_eq!(
        stage.look(),
        "0 of 1,000,000 items  [                      ]    0%"
    );
    let working: Vec<_> = (1..=1_000)
        .map(|n| begin(&session, n * 999, 1, 2))
        .collect();
    let screen = stage.look();
    assert_eq!(lines(&screen).len(), 22, "{screen}");
    assert_eq!(lines(&screen)[20], "and 980 more in work");
    // What a look allocates does not depend on what exists.
    let few = open(1_000);
    let _few: Vec<_> = (1..=1_000).map(|n| begin(&few, n, 1, 2)).collect();
    let mut other = Stage::wide(&few);
    other.look();
    other.look();
    stage.look();
    let cost = |stage: &mut Stage| {
        let info = allocation_counter::measure(|| assert!(stage.frames.look_at(stage.now)));
        (info.count_total, info.bytes_total)
    };
    let (many, few) = (cost(&mut stage), cost(&mut other));
    assert!(
        many.0 <= few.0 + few.0 / 4 && many.1 <= few.1 * 2,
        "{many:?}, and of 1,000: {few:?}"
    );
    drop(working); // they end as failed or stay; nothing is asked of that
    session.cancel_all();
    let screen = stage.look();
    assert!(lines(&screen).len() <= 22, "{screen}");
    session.release();
    stage.last();
}

/// A writer that others can read.
#[derive(Clone, Default)]
struct Text(Arc<Mutex<Vec<u8>>>);

impl Text {
    fn take(&self) -> String {
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
    assert!(frames.look_at(begun));
    assert_eq!(text.take(), "4 items\n");
    begin(&session, 1, 1, 3)
        .fail(&io::Error::other("the server\nsaid no"))
        .unwrap();
    let notes = begin(&session, 2, 10, 100);
    assert!(frames.look_at(begun + Duration::from_secs(1)));
    assert_eq!(text.take(), "Mail: failed: the server said no\n");
    assert!(frames.look_at(begun + Duration::from_secs(4)));
    assert_eq!(text.take(), "", "nothing is new");
    assert_eq!(notes.set(20), Ok(Verdict::Continue));
    assert!(frames.look_at(begun + Duration::from_secs(5)));
    let progress = text.take();
    assert!(
        progress.starts_with("1 of 4 items, 1 failed, 21, "),
        "{progress}"
    );
    assert!(progress.ends_with("/s\n"), "{progress}");
    assert!(frames.look_at(begun + Duration::from_secs(9)));
    assert_eq!(text.take(), "");
    frames.line("by hand\x1b");
    session
        .log_error(&LogRecord::new(LogLevel::Error, "for no item"))
        .unwrap();
    notes.succeed().unwrap();
    reporter(&session, 3).skip().unwrap();
    reporter(&session, 4).succeed().unwrap();
    session.synchronize_completed(HResult::S_OK).unwrap();
    assert!(!frames.look_at(begun + Duration::from_secs(9)));
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
    assert!(!frames.look_at(begun + Duration::from_secs(20)));
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
    assert!(frames.look());
    for n in 1..=50 {
        reporter(&session, n).succeed().unwrap();
    }
    assert!(frames.look());
    for n in 51..=100 {
        reporter(&session, n).succeed().unwrap();
    }
    assert!(frames.look());
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

/// A terminal that takes so many writes and then answers an error.
#[derive(Debug)]
struct Closed(Mutex<u32>);

impl Closed {
    fn write(&self, _: &str) -> io::Result<()> {
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *left = left.checked_sub(1).ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(())
    }
}

only_writes!(Closed);

#[test]
fn a_terminal_that_is_gone_is_left_alone() {
    for writes in 0..3 {
        let session = open(2);
        let mut frames = Bars::new()
            .draw_to(Closed(Mutex::new(writes)))
            .session_frames(&session);
        for n in 0..writes {
            assert!(frames.look());
            let _ = reporter(&session, 1).set(n.into());
        }
        let _ = begin(&session, 2, 1, 2);
        assert!(!frames.look(), "the write fails");
        assert!(!frames.look());
        // On a thread it ends, and the session goes on.
        let shown = Bars::new()
            .draw_to(Closed(Mutex::new(writes)))
            .session(&session);
        assert_eq!(reporter(&session, 1).set(7), Ok(Verdict::Continue));
        shown.finish();
        assert!(session.item(id(1)).is_some_and(|view| view.value == 7));
    }
}

/// A terminal that takes nothing before it is opened.
#[derive(Debug)]
struct Blocked(Arc<Gate>, Mutex<Option<Sender<()>>>);

/// Whether it is open.
type Gate = (Mutex<bool>, Condvar);

impl Blocked {
    /// The terminal, what opens it, and what tells that somebody writes, then that it is dropped.
    fn new() -> (Self, Arc<Gate>, Receiver<()>) {
        let gate = Arc::new((Mutex::new(false), Condvar::new()));
        let (sender, receiver) = mpsc::channel();
        (
            Self(Arc::clone(&gate), Mutex::new(Some(sender))),
            gate,
            receiver,
        )
    }

    fn write(&self, _: &str) -> io::Result<()> {
        if let Some(sender) = &*self.1.lock().unwrap_or_else(PoisonError::into_inner) {
            let _ = sender.send(());
        }
        let (open, opened) = &*self.0;
        let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
        while !*open {
            open = opened.wait(open).unwrap_or_else(PoisonError::into_inner);
        }
        Ok(())
    }
}

only_writes!(Blocked);

fn open_gate(gate: &Gate) {
    *gate.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
    gate.1.notify_all();
}

#[test]
fn a_terminal_that_blocks_holds_up_nobody() {
    let session = open(2);
    let (terminal, gate, told) = Blocked::new();
    let shown = Bars::new().draw_to(terminal).session(&session);
    told.recv_timeout(LIMIT).expect("the renderer draws");
    // While it stands in the write, everything else goes on.
    let item = begin(&session, 1, 1, 2);
    assert_eq!(item.set(2), Ok(Verdict::Continue));
    session.cancel_item(id(2)).unwrap();
    item.succeed().unwrap();
    session.synchronize_completed(HResult::S_OK).unwrap();
    session.release();
    shown.line("nobody reads it");
    assert!(!shown.is_over());
    assert!(
        !shown.finish_within(Duration::from_millis(1)),
        "the terminal takes nothing"
    );
    open_gate(&gate);
    within("its thread ends, and drops the terminal", move || {
        while told.recv().is_ok() {}
    });

    let (terminal, gate, told) = Blocked::new();
    let shown = Bars::new().draw_to(terminal).session(&open(1));
    told.recv_timeout(LIMIT).expect("the renderer draws");
    drop(shown); // returns at once
    open_gate(&gate);
    within("and so does this one", move || while told.recv().is_ok() {});
}

#[test]
fn the_last_frame_is_always_drawn() {
    for release in [false, true] {
        for fps in [0, 10, 20, 1_000] {
            let session = open(3);
            let terminal = InMemoryTerm::new(24, 80);
            let bars = Bars::new().frames_per_second(fps).draw_to(terminal.clone());
            let shown = bars.coloured(false).session(&session);
            shown.line("a line above");
            for n in 1..=3 {
                begin(&session, n, 5, 5).succeed().unwrap();
            }
            if release {
                session.synchronize_completed(HResult::S_OK).unwrap();
            }
            shown.finish();
            let screen = terminal.contents();
            assert_eq!(total(&screen), "3 of 3 items 100% 15 of 15");
            // The thread may have ended before it could have taken the line.
            assert!(release || screen.starts_with("a line above\n"), "{screen}");
        }
    }
}

#[test]
fn it_ends_by_itself_when_the_session_is_over() {
    let session = open(1);
    let terminal = InMemoryTerm::new(24, 80);
    let shown = Bars::new()
        .draw_to(terminal.clone())
        .coloured(false)
        .session(&session);
    reporter(&session, 1).succeed().unwrap();
    session.synchronize_completed(HResult::S_OK).unwrap();
    support::until("the renderer is over", || shown.is_over());
    assert!(
        terminal.contents().starts_with("1 of 1 item "),
        "{}",
        terminal.contents()
    );
    let weak = Arc::downgrade(&session);
    drop(session);
    support::until("it keeps nothing", || weak.upgrade().is_none());
}

#[cfg(feature = "testing")]
mod run {
    use super::*;
    use syncmgr::testing::{Script, Step};
    use syncmgr::{HandlerId, Registration, SyncHandler, SyncManager};

    const MAIL: HandlerId = HandlerId::from_u128(1);
    const FILES: HandlerId = HandlerId::from_u128(2);
    const BROKEN: HandlerId = HandlerId::from_u128(3);

    fn script(n: u128, name: &str, end: ItemStatus) -> Arc<dyn SyncHandler> {
        Script::new()
            .item(id(n), name)
            .synchronize([
                Step::report(id(n))
                    .status(ItemStatus::Updating)
                    .value(5)
                    .max(10),
                Step::report(id(n)).status(end),
            ])
            .handler()
    }

    fn manager() -> SyncManager {
        let manager = SyncManager::new();
        let register = |id, make: fn() -> Arc<dyn SyncHandler>| {
            manager.register(id, Registration::new(), make).unwrap();
        };
        register(MAIL, || script(1, "Inbox", ItemStatus::Succeeded));
        register(FILES, || script(1, "Inbox", ItemStatus::Failed));
        register(BROKEN, || panic!("no handler today"));
        manager
    }

    fn bars() -> Bars {
        Bars::new().handler(MAIL, "Mail").handler(BROKEN, "Broken")
    }

    #[test]
    fn a_run_of_several_handlers() {
        let manager = manager();
        let terminal = InMemoryTerm::new(24, 100);
        let run = manager.update_all();
        let mut frames = bars()
            .draw_to(terminal.clone())
            .coloured(false)
            .run_frames(&run);
        assert!(!run.wait().is_success());
        assert!(!frames.look());
        let screen = terminal.contents();
        let rows = lines(&screen);
        assert_eq!(rows.len(), 3, "{screen}");
        assert!(
            rows[0].starts_with("Broken failed: ") && rows[0].contains("no handler today"),
            "{screen}"
        );
        assert_eq!(rows[1], "Inbox                failed", "{screen}");
        assert!(
            rows[2].starts_with("2 of 2 items ")
                && rows[2].ends_with("1 failed  3 of 3 handlers  1 handler failed"),
            "{screen}"
        );
    }

    #[test]
    fn a_run_in_plain_lines_on_a_thread() {
        let manager = manager();
        let text = Text::default();
        let run = manager.update_all();
        let shown = bars().plain_to(text.clone()).run(&run);
        assert!(!run.wait().is_success());
        shown.finish();
        let text = text.take();
        let mut rows = lines(&text);
        assert_eq!(rows[0], "3 handlers");
        rows[1..4].sort_unstable();
        assert!(rows[1].starts_with("Broken failed: "), "{text}");
        assert_eq!(rows[2..4], ["Inbox: failed", "Mail: Inbox: succeeded"]);
        assert!(
            rows[4]
                .starts_with("2 of 2 items, 1 failed, 3 of 3 handlers, 1 handler failed, in 0:0"),
            "{text}"
        );
    }
}
