//! The program on a terminal: keys go in, and what then stands on the screen is waited for.

use std::io::{Read, Write};
use std::num::NonZero;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Instant;

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use crate::support::{DEADLINE, PROGRAM, Place};

pub const END: &str = "\x1b[F";
pub const HOME: &str = "\x1b[H";
pub const UP: &str = "\x1b[A";
pub const DOWN: &str = "\x1b[B";

/// The running program, and its screen.
pub struct Terminal {
    master: Box<dyn MasterPty + Send>,
    keyboard: Box<dyn Write + Send>,
    output: Receiver<Vec<u8>>,
    screen: vt100::Parser,
    child: Box<dyn Child + Send + Sync>,
}

fn size(columns: u16, rows: u16) -> PtySize {
    PtySize {
        rows,
        cols: columns,
        pixel_width: 0,
        pixel_height: 0,
    }
}

fn some(length: u16) -> NonZero<u16> {
    NonZero::new(length).expect("a screen has a size")
}

impl Terminal {
    /// Starts the program on a terminal of this size.
    pub fn start(place: &Place, columns: u16, rows: u16) -> Self {
        let pair = native_pty_system().openpty(size(columns, rows));
        let pair = pair.expect("there are pseudo-terminals");
        let mut command = CommandBuilder::new(PROGRAM);
        command.args(place.args());
        command.env("TERM", "xterm-256color");
        let child = pair.slave.spawn_command(command);
        let mut reader = pair.master.try_clone_reader().expect("it can be read");
        let (sender, output) = mpsc::channel();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            // Where the program has ended, some systems answer an error.
            while let Ok(read @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..read].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self {
            keyboard: pair.master.take_writer().expect("it is taken once"),
            master: pair.master,
            output,
            screen: vt100::Parser::new(some(rows), some(columns), 0),
            child: child.expect("the program starts"),
        }
    }

    /// Presses a key.
    pub fn press(&mut self, key: &str) {
        let pressed = self.keyboard.write_all(key.as_bytes());
        pressed
            .and_then(|()| self.keyboard.flush())
            .expect("the program reads its keys");
    }

    /// Makes the terminal another size.
    pub fn resize(&mut self, columns: u16, rows: u16) {
        self.screen.screen_mut().set_size(some(rows), some(columns));
        self.master
            .resize(size(columns, rows))
            .expect("it has a size");
    }

    /// What stands on the screen, line by line.
    pub fn lines(&self) -> Vec<String> {
        let (_, columns) = self.screen.screen().size();
        self.screen.screen().rows(0, columns.get()).collect()
    }

    /// The line that has this text.
    pub fn line(&self, text: &str) -> Option<String> {
        self.lines().into_iter().find(|line| line.contains(text))
    }

    pub fn shows(&self, text: &str) -> bool {
        self.line(text).is_some()
    }

    /// Waits until this holds of the screen.
    #[track_caller]
    pub fn until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        while !holds(self) {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.output.recv_timeout(left) {
                Ok(bytes) => self.screen.process(&bytes),
                Err(RecvTimeoutError::Timeout) => panic!(
                    "{what} did not come in {DEADLINE:?}; the screen is\n{}",
                    self.lines().join("\n")
                ),
                Err(RecvTimeoutError::Disconnected) => panic!(
                    "{what} did not come before the program ended; the screen was\n{}",
                    self.lines().join("\n")
                ),
            }
        }
    }

    /// Waits until this text stands somewhere.
    #[track_caller]
    pub fn until_shown(&mut self, text: &str) {
        self.until(text, |terminal| terminal.shows(text));
    }

    /// Waits until the row of that item says this about it.
    #[track_caller]
    pub fn until_row(&mut self, item: &str, says: &str) {
        let holds = |line: String| line.contains(says);
        let what = format!("the row of {item} with {says:?}");
        self.until(&what, |terminal| terminal.line(item).is_some_and(holds));
    }

    /// Waits until the program has ended; answers its exit code.
    #[track_caller]
    pub fn ended(mut self) -> u32 {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.output.recv_timeout(left) {
                Ok(bytes) => self.screen.process(&bytes),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("it did not end in {DEADLINE:?}"),
            }
        }
        assert!(
            !self.screen.screen().alternate_screen(),
            "the old screen is back"
        );
        assert!(!self.screen.screen().hide_cursor(), "and its cursor");
        // Its output has ended, and so has it, or does this moment.
        self.child.wait().expect("it is our child").exit_code()
    }
}

/// No test that fails leaves a program behind.
impl Drop for Terminal {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}
