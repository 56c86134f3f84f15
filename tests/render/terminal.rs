//! Terminals of every kind: color or not, resized, gone, blocked; and the thread that draws on them.

use std::io;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;

use super::*;
use indicatif::TermLike;
use support::{LIMIT, id, open, until, within};
use syncmgr::render::Shown;
use syncmgr::{HResult, LogLevel, LogRecord, SyncCallback};

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

/// A terminal whose size changes.
#[derive(Clone, Debug)]
struct Resized(InMemoryTerm, Arc<Mutex<(u16, u16)>>);

impl TermLike for Resized {
    fn width(&self) -> u16 {
        self.1.lock().unwrap_or_else(PoisonError::into_inner).1
    }
    fn height(&self) -> u16 {
        self.1.lock().unwrap_or_else(PoisonError::into_inner).0
    }
    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_up(n)
    }
    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_down(n)
    }
    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_right(n)
    }
    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_left(n)
    }
    fn write_line(&self, text: &str) -> io::Result<()> {
        self.0.write_line(text)
    }
    fn write_str(&self, text: &str) -> io::Result<()> {
        self.0.write_str(text)
    }
    fn clear_line(&self) -> io::Result<()> {
        self.0.clear_line()
    }
    fn flush(&self) -> io::Result<()> {
        self.0.flush()
    }
}

#[test]
fn a_frame_has_the_size_that_the_terminal_has_now() {
    let session = open(10);
    let working: Vec<_> = (1..=6).map(|n| begin(&session, n, 1, 2)).collect();
    begin(&session, 7, 1, 2)
        .fail(&io::Error::other("no"))
        .unwrap();
    let size = Arc::new(Mutex::new((24, 100)));
    let terminal = Resized(InMemoryTerm::new(24, 100), Arc::clone(&size));
    let bars = Bars::new().draw_to(terminal.clone()).color(false);
    let mut frames = bars.session_frames(&session);
    let mut look = |rows, columns| {
        *size.lock().unwrap_or_else(PoisonError::into_inner) = (rows, columns);
        assert!(!frames.look());
        terminal.0.contents()
    };
    assert_eq!(lines(&look(24, 100)).len(), 8);
    // The failed one goes first, and is kept above.
    let screen = look(8, 40);
    let rows = lines(&screen);
    assert_eq!(rows[0], "item 7  failed: no");
    assert_eq!(rows.len(), 8, "{screen}");
    assert_eq!(rows[6], "and 1 more in work");
    assert!(rows[1..].iter().all(|row| row.len() < 40), "{screen}");
    // And comes back as it was, but for that.
    let screen = look(24, 100);
    assert_eq!(lines(&screen).len(), 8, "{screen}");
    assert!(
        screen.starts_with("item 7  failed: no\nitem 1 "),
        "{screen}"
    );
    assert!(!screen.contains("more in work"), "{screen}");
    drop(working);
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
    let bars = Bars::new().draw_to(raw.clone()).color(false);
    let mut frames = bars.session_frames(&session);
    let item = begin(&session, 1, 1, 2);
    let text = "x\r\n\x1b]0;title\x07y\tz";
    assert!(item.report(&ProgressUpdate::new().text(text)).is_ok());
    frames.line("above\x1b[1A");
    assert!(!frames.look());
    item.fail(&io::Error::other("\x1b[31m")).unwrap();
    let entry = LogRecord::new(LogLevel::Error, "no item\x1b[H");
    session.log_error(&entry).unwrap();
    assert!(!frames.look());
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
    for color in [false, true] {
        let terminal = InMemoryTerm::new(10, 60);
        let bars = Bars::new().draw_to(terminal.clone()).color(color);
        assert!(!bars.session_frames(&session).look());
        let formatted = terminal.contents_formatted();
        let red = formatted.windows(5).any(|part| part == b"\x1b[31m");
        assert_eq!(red, color);
        assert!(
            terminal
                .contents()
                .starts_with("Mail            failed: no"),
            "{}",
            terminal.contents()
        );
    }
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
            assert!(!frames.look());
            let _ = reporter(&session, 1).set(n.into());
        }
        let _ = begin(&session, 2, 1, 2);
        assert!(frames.look(), "the write fails");
        assert!(frames.look());
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
    session.driver().release();
    shown.line("nobody reads it");
    assert!(!shown.is_over());
    for _ in 0..2 {
        assert!(
            !shown.finish_within(Duration::from_millis(1)),
            "the terminal takes nothing"
        );
    }
    open_gate(&gate);
    within("its thread ends, and drops the terminal", move || {
        while told.recv().is_ok() {}
    });
    assert!(shown.finish_within(LIMIT), "it is asked again");

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
            let shown = bars.color(false).session(&session);
            shown.line("a line above");
            for n in 1..=3 {
                begin(&session, n, 5, 5).succeed().unwrap();
            }
            if release {
                session.synchronize_completed(HResult::S_OK).unwrap();
            }
            // Whoever finishes first, and however often.
            thread::scope(|scope| {
                let finish = || (shown.finish(), shown.finish_within(Duration::ZERO)).1;
                let threads = [scope.spawn(finish), scope.spawn(finish)];
                for thread in threads {
                    assert!(thread.join().unwrap(), "it is over");
                }
            });
            let screen = terminal.contents();
            assert_eq!(total(&screen), "3 of 3 items 100% 15 of 15");
            terminal.write_str("next").unwrap();
            assert!(
                terminal.contents().ends_with("15\nnext"),
                "the cursor is below"
            );
            // The thread may have ended before it could have taken the line.
            assert!(release || screen.starts_with("a line above\n"), "{screen}");
        }
    }
}

/// A terminal of a program that ends the show where it is drawn.
#[derive(Debug)]
struct Finishes(Mutex<Receiver<Arc<Shown>>>);

impl Finishes {
    fn write(&self, _: &str) -> io::Result<()> {
        let shown = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(shown) = shown.recv() {
            shown.finish();
        }
        Ok(())
    }
}

only_writes!(Finishes);

#[test]
fn who_finishes_from_inside_the_terminal_does_not_wait_for_itself() {
    let (give, take) = mpsc::channel();
    let shown = Bars::new()
        .draw_to(Finishes(Mutex::new(take)))
        .session(&open(1));
    let shown = Arc::new(shown);
    give.send(Arc::clone(&shown)).unwrap();
    drop(give);
    until("the end", || shown.is_over());
}

#[test]
fn dropping_it_stops_it_and_leaves_the_cursor_below() {
    let session = open(1);
    let raw = Raw::default();
    let shown = Bars::new().draw_to(raw.clone()).session(&session);
    let written = || raw.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    until("a frame is drawn", || !written().is_empty());
    drop(shown);
    until("the cursor is below", || written().ends_with('\n'));
    let weak = Arc::downgrade(&session);
    drop(session);
    until("it keeps nothing", || weak.upgrade().is_none());
    assert!(written().ends_with('\n'), "and nothing was drawn since");
}

#[test]
fn it_ends_by_itself_when_the_session_is_over() {
    let session = open(1);
    let terminal = InMemoryTerm::new(24, 80);
    let shown = Bars::new()
        .draw_to(terminal.clone())
        .color(false)
        .session(&session);
    reporter(&session, 1).succeed().unwrap();
    session.synchronize_completed(HResult::S_OK).unwrap();
    until("the renderer is over", || shown.is_over());
    assert!(
        terminal.contents().starts_with("1 of 1 item "),
        "{}",
        terminal.contents()
    );
    let weak = Arc::downgrade(&session);
    drop(session);
    until("it keeps nothing", || weak.upgrade().is_none());
}
