//! What the user types: the number of an item and Enter cancel that item, `?` and Enter list the items with their numbers.
//!
//! It is read on a thread of its own, from a terminal or a pipe. While bars are drawn the terminal must not echo what
//! is typed into them, so it is shown in a line of its own.

use crate::watch::{Numbers, Talk};
use std::sync::{Arc, Mutex, PoisonError};
use syncmgr::{CallbackError, ItemStatus, ItemView, Session};

/// More than this nobody types.
pub const MOST_DIGITS: usize = 10;

/// So many items are listed at once.
const MOST_LISTED: usize = 50;

/// Where the numbers come from.
pub struct Input {
    keys: system::Keys,
}

impl Input {
    /// Standard input; with `live`, the terminal is told not to echo.
    pub fn new(live: bool) -> Self {
        Self {
            keys: system::Keys::new(live),
        }
    }

    /// What to tell the user, the longest text first.
    pub fn hints(&self) -> &'static [&'static str] {
        if self.keys.typed() {
            &[
                "Ctrl-C cancels all, number + Enter one item, ? + Enter lists them:",
                "Number: cancel item, ?: list, Ctrl-C: all:",
                "Item to cancel, or ?:",
            ]
        } else {
            &["Ctrl-C cancels all."]
        }
    }

    /// Starts reading. The thread ends with the input, or with the process.
    pub fn start(&self, session: Arc<Session>, numbers: Arc<Numbers>, talk: Arc<Mutex<Talk>>) {
        let reader = move || {
            let mut buffer = [0; 256];
            loop {
                let read = match system::read(&mut buffer) {
                    Ok(0) | Err(_) => return,
                    Ok(read) => read,
                };
                let mut talk = talk.lock().unwrap_or_else(PoisonError::into_inner);
                for byte in &buffer[..read] {
                    match byte {
                        b'0'..=b'9' if talk.typed.len() < MOST_DIGITS => {
                            talk.typed.push(char::from(*byte));
                        }
                        b'?' if talk.typed.is_empty() => talk.typed.push('?'),
                        b'\n' | b'\r' => {
                            let typed = std::mem::take(&mut talk.typed);
                            match typed.strip_prefix('?') {
                                Some(from) => talk.told.extend(list(&session, &numbers, from)),
                                None => talk.told.extend(cancel(&session, &numbers, &typed)),
                            }
                        }
                        // Backspace.
                        8 | 127 => _ = talk.typed.pop(),
                        // Ctrl-U.
                        21 => talk.typed.clear(),
                        _ => {}
                    }
                }
            }
        };
        // Without it the mirror works as well.
        _ = std::thread::Builder::new()
            .name("mirror-input".into())
            .spawn(reader);
    }
}

/// Cancels the item of that number; answers what to tell the user.
fn cancel(session: &Session, numbers: &Numbers, typed: &str) -> Option<String> {
    if typed.is_empty() {
        return None;
    }
    let item = typed.parse().ok().and_then(|number| numbers.item(number));
    let Some(item) = item else {
        return Some(format!("there is no item {typed}: 1 to {}", numbers.len()));
    };
    if session.item(item).is_some_and(|view| view.is_finished()) {
        return Some(format!("item {typed} has ended already"));
    }
    match session.cancel_item(item) {
        Ok(()) => Some(format!("cancelling item {typed}")),
        Err(CallbackError::Released) => None,
        Err(error) => Some(format!("cannot cancel item {typed}: {error}")),
    }
}

/// The items that can still be cancelled, with their numbers; only those from a number on, if one was typed.
fn list(session: &Session, numbers: &Numbers, from: &str) -> Vec<String> {
    let from = from.parse().unwrap_or(1);
    let mut open: Vec<(usize, ItemView)> = (session.snapshot().items.into_iter())
        .filter(|view| !view.is_finished())
        .map(|view| (numbers.of(view.id), view))
        .filter(|(number, _)| *number >= from)
        .collect();
    open.sort_unstable_by_key(|(number, _)| *number);
    let line = |(number, view): &(usize, ItemView)| {
        let state = match view.status {
            _ if !view.verdict.is_continue() => "is being cancelled",
            ItemStatus::Pending => "waits",
            _ => "in work",
        };
        let width = numbers.width();
        format!("{number:>width$} {}: {state}", view.name)
    };
    let mut lines: Vec<_> = open.iter().take(MOST_LISTED).map(line).collect();
    match open.get(MOST_LISTED) {
        Some((next, _)) => lines.push(format!(
            "and {} more: ?{next} and Enter go on from item {next}",
            open.len() - MOST_LISTED
        )),
        None if open.is_empty() => lines.push("no such item waits or is in work".into()),
        None => {}
    }
    lines
}

/// Gives the terminal back as it was. For ends that drop nothing.
pub fn restore() {
    system::restore();
}

#[cfg(unix)]
mod system {
    use rustix::event::{PollFd, PollFlags, poll};
    use rustix::termios::{self, LocalModes, OptionalActions, Termios};
    use std::io::{self, IsTerminal};
    use std::sync::{Mutex, PoisonError};
    use std::time::Duration;

    /// The terminal's modes as they were.
    static SAVED: Mutex<Option<Termios>> = Mutex::new(None);

    /// The keyboard, while bars are drawn.
    pub struct Keys {
        typed: bool,
    }

    impl Keys {
        pub fn new(live: bool) -> Self {
            let stdin = io::stdin();
            let typed = live && stdin.is_terminal() && is_foreground();
            if typed {
                if let Ok(modes) = termios::tcgetattr(&stdin) {
                    let mut quiet = modes.clone();
                    quiet.local_modes -= LocalModes::ECHO | LocalModes::ICANON;
                    *SAVED.lock().unwrap_or_else(PoisonError::into_inner) = Some(modes);
                    _ = termios::tcsetattr(&stdin, OptionalActions::Now, &quiet);
                }
            }
            Self { typed }
        }

        pub fn typed(&self) -> bool {
            self.typed
        }
    }

    impl Drop for Keys {
        fn drop(&mut self) {
            restore();
        }
    }

    pub fn restore() {
        if let Some(modes) = SAVED.lock().unwrap_or_else(PoisonError::into_inner).take() {
            _ = termios::tcsetattr(io::stdin(), OptionalActions::Now, &modes);
        }
    }

    /// Whether the terminal is ours. A job in the background that reads it, or sets its modes, is stopped.
    fn is_foreground() -> bool {
        termios::tcgetpgrp(io::stdin()).is_ok_and(|group| group == rustix::process::getpgrp())
    }

    /// Reads what there is; waits for it.
    pub fn read(buffer: &mut [u8]) -> io::Result<usize> {
        let stdin = io::stdin();
        loop {
            poll(&mut [PollFd::new(&stdin, PollFlags::IN)], None)?;
            if !stdin.is_terminal() || is_foreground() {
                return Ok(rustix::io::read(&stdin, &mut *buffer)?);
            }
            // What is typed now is for somebody else.
            std::thread::sleep(Duration::from_millis(300));
        }
    }
}

#[cfg(not(unix))]
mod system {
    use std::io::{self, IsTerminal, Read};

    /// The keyboard; it is not asked to be quiet here.
    pub struct Keys {
        typed: bool,
    }

    impl Keys {
        pub fn new(_live: bool) -> Self {
            let typed = io::stdin().is_terminal();
            Self { typed }
        }

        pub fn typed(&self) -> bool {
            self.typed
        }
    }

    pub fn restore() {}

    /// Reads what there is; waits for it.
    pub fn read(buffer: &mut [u8]) -> io::Result<usize> {
        io::stdin().read(buffer)
    }
}
