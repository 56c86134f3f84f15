//! How the parts of the renderer print themselves, what is shown where nothing is said of the output, and what is not shown.

use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Mutex, PoisonError};

use super::plain::Text;
use super::*;
use support::{LIMIT, driven, id, open, start_round, status, within};
use syncmgr::render::Shown;
use syncmgr::{HResult, ItemStatus, LogLevel, LogRecord, SyncCallback};

#[test]
fn bars_print_their_settings_and_are_new_by_default() {
    let text = "Bars { frames_per_second: 15, rows: 20, .. }";
    assert_eq!(format!("{:?}", Bars::new()), text);
    assert_eq!(format!("{:?}", Bars::default()), text);
    let bars = Bars::new().rows(3).frames_per_second(99);
    assert_eq!(
        format!("{bars:?}"),
        "Bars { frames_per_second: 20, rows: 3, .. }"
    );
}

#[test]
fn frames_print_what_they_draw_and_no_terminal() {
    let session = named(&["Mail"]);
    let mut stage = Stage::new(Bars::new(), &session, 24, 60);
    let _ = begin(&session, 1, 1, 4);
    stage.look();
    let text = format!("{:?}", stage.frames);
    assert!(text.starts_with("Frames { source: Session("), "{text}");
    let frame =
        "screen: Bars { frame: Frame { size: Size { columns: 60, rows: 24 }, rows: [\"Mail ";
    assert!(text.contains(frame), "{text}");
    let bars = Bars::new()
        .progress_every(Duration::from_secs(7))
        .plain_to(io::sink());
    let text = format!("{:?}", bars.session_frames(&session));
    assert!(
        text.contains("screen: Plain(Plain { every: 7s, .. })"),
        "{text}"
    );
}

/// A writer that waits for leave for each write, and tells what was written.
struct Held(Mutex<Receiver<()>>, Sender<String>);

impl Write for Held {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let leave = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let gone = leave.recv_timeout(LIMIT).is_err();
        let _ = self.1.send(String::from_utf8_lossy(text).into_owned());
        match gone {
            true => Err(io::ErrorKind::BrokenPipe.into()),
            false => Ok(text.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_show_says_whether_it_is_over_while_its_writer_stands_still() {
    let (let_write, leave) = mpsc::channel();
    let (tell, written) = mpsc::channel();
    let session = open(1);
    let shown = Bars::new()
        .plain_to(Held(Mutex::new(leave), tell))
        .session(&session);
    assert_eq!(format!("{shown:?}"), "Shown { is_over: false, .. }");
    let_write.send(()).unwrap();
    assert_eq!(written.recv_timeout(LIMIT).as_deref(), Ok("1 item\n"));
    begin(&session, 1, 1, 1).succeed().unwrap();
    session.synchronize_completed(HResult::S_OK).unwrap();
    assert_eq!(format!("{shown:?}"), "Shown { is_over: false, .. }");
    drop(let_write); // the rest is not written
    support::until("it is over", || shown.is_over());
    assert_eq!(format!("{shown:?}"), "Shown { is_over: true, .. }");
    assert!(shown.finish_within(LIMIT));
}

#[test]
fn a_last_frame_that_is_drawn_in_time_is_said_to_be() {
    for _ in 0..20 {
        let session = open(1);
        let text = Text::default();
        let shown = Bars::new().plain_to(text.clone()).session(&session);
        begin(&session, 1, 1, 1).succeed().unwrap();
        assert!(shown.finish_within(LIMIT));
        let text = text.take();
        let last = lines(&text).last().copied().unwrap_or_default();
        assert!(last.starts_with("1 of 1 item, in 0:0"), "{text}");
    }
}

#[test]
fn of_very_many_lines_that_wait_the_first_are_kept() {
    const MOST: usize = 10_000;
    let (let_write, leave) = mpsc::channel();
    let (tell, written) = mpsc::channel();
    let session = open(1);
    let held = Held(Mutex::new(leave), tell.clone());
    let shown = Bars::new().plain_to(held).session(&session);
    // The first write has begun, or is about to: what it does not have in it yet comes with the next.
    let shown = within("the lines, which nobody takes", move || {
        (0..3 * MOST).for_each(|n| shown.line(format!("line {n}")));
        shown
    });
    // As many writes as it may be: the beginning, perhaps with lines, then the rest, then the end.
    (0..4).for_each(|_| let_write.send(()).unwrap());
    assert!(shown.finish_within(LIMIT));
    drop(tell);
    let text: String = written.try_iter().collect();
    let kept: Vec<&str> = lines(&text)
        .into_iter()
        .filter(|line| line.starts_with("line "))
        .collect();
    // Of those that came before the thread took its first look it may have taken some more.
    assert!((MOST..3 * MOST).contains(&kept.len()), "{}", kept.len());
    for (n, line) in kept.iter().enumerate().take(MOST) {
        assert_eq!(*line, format!("line {n}"));
    }
}

#[test]
fn frames_that_were_never_drawn_leave_nothing_behind() {
    let terminal = InMemoryTerm::new(24, 60);
    let session = open(1);
    drop(
        Bars::new()
            .draw_to(terminal.clone())
            .session_frames(&session),
    );
    indicatif::TermLike::write_str(&terminal, "$").unwrap();
    assert_eq!(terminal.contents(), "$");
    let text = Text::default();
    drop(Bars::new().plain_to(text.clone()).session_frames(&session));
    assert_eq!(text.take(), "");
}

#[test]
fn in_a_panic_the_terminal_is_left_alone() {
    let terminal = InMemoryTerm::new(24, 60);
    let session = named(&["Mail"]);
    let _ = begin(&session, 1, 1, 4);
    let panic = catch_unwind(AssertUnwindSafe(|| {
        let bars = Bars::new().draw_to(terminal.clone()).color(false);
        let mut frames = bars.session_frames(&session);
        assert!(!frames.look());
        panic!("of the program's own");
    }));
    assert!(panic.is_err());
    indicatif::TermLike::write_str(&terminal, "$").unwrap();
    let screen = terminal.contents();
    assert!(
        screen.starts_with('$'),
        "the cursor was not moved: {screen}"
    );
}

#[test]
fn after_the_end_no_line_is_taken() {
    let session = named(&["Mail"]);
    let mut stage = Stage::wide(&session);
    session.synchronize_completed(HResult::S_OK).unwrap();
    let last = stage.last();
    stage.frames.line("too late");
    assert_eq!(stage.last(), last);
    assert!(!stage.terminal.contents().contains("too late"));
}

#[test]
fn a_failure_without_words_is_kept_without_words() {
    let session = open(2);
    // No row for anybody, so that each failure is kept above.
    let mut stage = Stage::new(Bars::new().rows(0), &session, 24, 60);
    stage.look();
    let failed = status(ItemStatus::Failed);
    assert!(session.progress(id(1), &failed).is_ok());
    assert!(
        session
            .progress(id(2), &failed.clone().text("no space"))
            .is_ok()
    );
    let screen = stage.look();
    assert_eq!(
        lines(&screen)[..2],
        ["item 1  failed", "item 2  failed: no space"],
        "{screen}"
    );
    // What is said of it afterwards finds no row, and changes nothing.
    let entry = LogRecord::new(LogLevel::Error, "no reason").item(id(1));
    session.log_error(&entry).unwrap();
    let next = stage.look();
    assert_eq!(lines(&next)[..2], lines(&screen)[..2], "{next}");
}

#[test]
fn one_that_failed_twice_between_two_looks_keeps_its_reason() {
    let session = driven(1);
    let mut stage = Stage::wide(&session);
    let failed = status(ItemStatus::Failed);
    start_round(&session, &[id(1)]);
    assert!(
        session
            .progress(id(1), &failed.clone().text("no space"))
            .is_ok()
    );
    let screen = stage.look();
    assert!(lines(&screen)[0].ends_with("failed: no space"), "{screen}");
    session.synchronize_completed(HResult::S_OK).unwrap();
    start_round(&session, &[id(1)]);
    assert!(session.progress(id(1), &failed).is_ok());
    let next = stage.look();
    assert_eq!(lines(&next)[0], lines(&screen)[0], "{next}");
}

#[test]
fn items_that_pause_and_resume_say_so_with_their_text() {
    let session = named(&["Mail", "Notes", "Music", "Keys"]);
    let mut stage = Stage::new(Bars::new(), &session, 24, 120);
    for (n, status, text) in [
        (1, ItemStatus::Paused, ""),
        (2, ItemStatus::Paused, "by the user"),
        (3, ItemStatus::Resuming, ""),
        (4, ItemStatus::Resuming, "from 7"),
    ] {
        let update = ProgressUpdate::new().status(status).value(1).max(2);
        assert!(session.progress(id(n), &update.text(text)).is_ok());
    }
    let screen = stage.look();
    let rows = lines(&screen).into_iter().map(words);
    assert_eq!(
        rows.take(4).collect::<Vec<_>>(),
        [
            "Mail 50% 1 of 2 paused",
            "Notes 50% 1 of 2 paused: by the user",
            "Music 50% 1 of 2 resuming",
            "Keys 50% 1 of 2 resuming: from 7",
        ],
        "{screen}"
    );
}

#[test]
fn where_there_is_no_room_for_a_bar_a_mark_turns() {
    let session = named(&["Index"]);
    assert_eq!(reporter(&session, 1).set(7), Ok(Verdict::Continue));
    for columns in 10..=90 {
        let mut stage = Stage::new(Bars::new(), &session, 24, columns);
        let screens: Vec<String> = (0..5).map(|_| stage.look()).collect();
        let rows: Vec<&str> = screens.iter().map(|screen| lines(screen)[0]).collect();
        match columns {
            // Not even for a mark.
            ..=20 => assert_eq!(rows, ["Index"; 5], "{columns}"),
            21..=34 | 41..=44 => {
                // From wherever it begins.
                let marks: String = rows.iter().flat_map(|row| row.chars().last()).collect();
                assert!("|/-\\|/-\\|/-\\".contains(&marks), "{columns}: {marks}");
                for row in rows {
                    let name = row.trim_end_matches(['|', '/', '-', '\\']);
                    assert_eq!(name.trim_end(), "Index", "{columns}: {row}");
                    assert_eq!(row.len(), name.len() + 1, "{columns}: {row}");
                }
            }
            _ => assert!(
                rows.iter()
                    .all(|row| row.contains("<=>") && row.ends_with(']')),
                "{columns}: {rows:?}"
            ),
        }
    }
}

#[test]
fn what_is_the_same_as_before_is_not_said_again() {
    let session = named(&["Mail", "Notes"]);
    let text = Text::default();
    let bars = Bars::new().progress_every(Duration::from_secs(1));
    let mut frames = bars.plain_to(text.clone()).session_frames(&session);
    let begun = Instant::now();
    let at = |tenths: u64| begun + Duration::from_millis(tenths * 100);
    assert!(!frames.look_at(begun));
    assert_eq!(text.take(), "2 items\n");
    // Then the rate is known.
    assert!(!frames.look_at(at(10)));
    assert_eq!(text.take(), "0 of 2 items, 0/s\n");
    for tenths in [20, 30, 40] {
        assert!(!frames.look_at(at(tenths)));
        assert_eq!(text.take(), "", "nothing is new");
    }
    begin(&session, 1, 10, 10).succeed().unwrap();
    assert!(!frames.look_at(at(45)));
    assert_eq!(text.take(), "Mail: succeeded\n", "not yet a second");
    assert!(!frames.look_at(at(50)));
    let progress = text.take();
    assert!(progress.starts_with("1 of 2 items, 10"), "{progress}");
}

#[test]
fn plain_lines_say_how_much_time_is_left() {
    let session = named(&["Mail"]);
    let text = Text::default();
    let bars = Bars::new().progress_every(Duration::from_secs(5));
    let mut frames = bars.plain_to(text.clone()).session_frames(&session);
    let begun = Instant::now();
    let mail = begin(&session, 1, 0, 1_000);
    for second in 0..=10 {
        assert_eq!(mail.set(10 * second), Ok(Verdict::Continue));
        assert!(!frames.look_at(begun + Duration::from_secs(second)));
    }
    let text = text.take();
    assert_eq!(
        lines(&text),
        [
            "1 item",
            "0 of 1 item, 5%, 50 of 1,000, 10/s, 1:35 left",
            "0 of 1 item, 10%, 100 of 1,000, 10/s, 1:30 left",
        ]
    );
}

/// Takes nothing.
struct Gone;

impl Write for Gone {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn lines_that_nobody_takes_end_the_show_and_not_the_session() {
    let session = open(1);
    let mut frames = Bars::new().plain_to(Gone).session_frames(&session);
    assert!(frames.look(), "the writer is gone");
    assert!(frames.look(), "and stays so");
    assert_eq!(reporter(&session, 1).set(1), Ok(Verdict::Continue));
    let shown = Bars::new().plain_to(Gone).session(&session);
    shown.finish();
}

/// Says to this program, when it is run as a child, that it is to show something on standard error.
const CHILD: &str = "SYNCMGR_SHOWS_ON_STDERR";

#[test]
fn without_a_word_plain_lines_go_to_standard_error_where_that_is_no_terminal() {
    if std::env::var_os(CHILD).is_some() {
        let session = named(&["Mail"]);
        let mut frames = Bars::new().session_frames(&session);
        assert!(!frames.look());
        begin(&session, 1, 5, 5).succeed().unwrap();
        session.synchronize_completed(HResult::S_OK).unwrap();
        assert!(frames.look());
        return;
    }
    let own = std::env::current_exe().expect("this program is somewhere");
    let name = "prints::without_a_word_plain_lines_go_to_standard_error_where_that_is_no_terminal";
    let child = Command::new(own)
        .args(["--exact", name, "--nocapture"])
        .env(CHILD, "1")
        .output();
    let child = child.expect("this program runs");
    let told = String::from_utf8(child.stderr).expect("lines are UTF-8");
    assert!(child.status.success(), "{told}");
    let rows = lines(&told);
    assert_eq!(rows[..2], ["1 item", "Mail: succeeded"], "{told}");
    assert!(rows[2].starts_with("1 of 1 item, in 0:0"), "{told}");
    assert_eq!(rows.len(), 3, "{told}");
    let out = String::from_utf8(child.stdout).expect("it is text");
    assert!(!out.contains("Mail"), "{out}");
}

/// A line that is written when it is asked for, by a program that puts another one above the bars meanwhile.
struct Nested<'a>(&'a Shown);

impl From<Nested<'_>> for String {
    fn from(Nested(shown): Nested<'_>) -> Self {
        shown.line("inner");
        "outer".to_owned()
    }
}

#[test]
fn a_text_may_put_another_line_above_the_bars() {
    let (session, text) = (open(1), Text::default());
    let shown = Bars::new().plain_to(text.clone()).session(&session);
    let shown = within("the line", move || {
        shown.line(Nested(&shown));
        shown
    });
    shown.finish();
    let text = text.take();
    assert!(
        text.contains("inner\n") && text.contains("outer\n"),
        "{text}"
    );
}
