//! The lines at the end of the terminal that are drawn again and again.
//!
//! indicatif renders each bar into a [`Row`]; [`Frame`] places the rows. Between two frames the cursor rests at the
//! beginning of the first row, and all that follows it is ours. So whatever a terminal does when it is resized, and many
//! break long lines anew, one "clear to the end of the screen" removes the old frame and nothing else.

use crate::show::shortened;
use console::Term;
use indicatif::TermLike;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const CLEAR_TO_END: &str = "\x1b[J";
/// From the beginning of the row. Some terminals move all to their history if it is cleared from its very first place,
/// so that one is cleared by a space.
const CLEAR_ALL: &str = "\r \x1b[J\r";
const CLEAR_REST_OF_LINE: &str = "\x1b[K";
/// While a frame is drawn, a line that is too long is cut by the terminal: it may have become narrower a moment ago.
const WRAP_OFF: &str = "\x1b[?7l";
const WRAP_ON: &str = "\x1b[?7h";

/// Whether there is a frame on the screen, for [`leave`].
static SHOWN: AtomicBool = AtomicBool::new(false);

/// Whether standard error is a terminal on which frames can be drawn.
pub fn is_possible() -> bool {
    let term = Term::stderr();
    if cfg!(windows) {
        // On Windows this question also makes the console understand the commands.
        return term.is_term() && term.features().colors_supported();
    }
    term.is_term() && std::env::var_os("TERM").is_some_and(|name| name != "dumb")
}

/// Removes the frame. For ends that drop nothing.
pub fn leave() {
    if SHOWN.swap(false, Relaxed) {
        _ = write!(io::stderr(), "{CLEAR_ALL}{WRAP_ON}");
    }
}

/// Rows and columns of the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    pub columns: usize,
    pub rows: usize,
}

/// The live end of the terminal.
pub struct Frame {
    term: Term,
    /// The size for which the last frame was drawn.
    size: Size,
    /// What stands above the frame and stays; not yet written.
    kept: String,
    rows: Vec<String>,
}

impl Frame {
    pub fn on(term: Term) -> Self {
        Self {
            size: size(&term),
            term,
            kept: String::new(),
            rows: Vec::new(),
        }
    }

    /// The size that the terminal has now.
    pub fn size(&self) -> Size {
        size(&self.term)
    }

    /// Puts a line above the frame, for good. It is written with the next frame.
    pub fn keep(&mut self, line: &str) {
        self.kept.push_str(line);
        self.kept.push_str("\r\n");
    }

    /// Draws these rows in place of the last ones, unless nothing is new.
    pub fn draw(&mut self, mut rows: Vec<String>, size: Size) {
        rows.drain(..rows.len().saturating_sub(size.rows));
        for row in &mut rows {
            // The last column stays free: some terminals break the line there already.
            *row = shortened(row, size.columns.saturating_sub(1));
        }
        if rows != self.rows || size != self.size || !self.kept.is_empty() {
            self.write(rows, size);
        }
    }

    fn write(&mut self, rows: Vec<String>, size: Size) {
        let mut text = String::from("\r");
        if size != self.size || !self.kept.is_empty() || rows.is_empty() {
            text.push_str(CLEAR_ALL);
        }
        text.push_str(&self.kept);
        text.push_str(WRAP_OFF);
        for (number, row) in rows.iter().enumerate() {
            if number > 0 {
                text.push_str(CLEAR_REST_OF_LINE);
                text.push_str("\r\n");
            }
            text.push_str(row);
        }
        if !rows.is_empty() {
            text.push_str(CLEAR_TO_END);
        }
        if rows.len() > 1 {
            _ = write!(text, "\x1b[{}A", rows.len() - 1);
        }
        text.push('\r');
        text.push_str(WRAP_ON);
        SHOWN.store(true, Relaxed);
        // Whoever closed the terminal does not want to know.
        _ = self.term.write_str(&text);
        self.kept.clear();
        self.rows = rows;
        self.size = size;
    }

    /// Removes the frame; what was kept stays.
    pub fn end(&mut self) {
        self.write(Vec::new(), self.size);
        SHOWN.store(false, Relaxed);
    }
}

fn size(term: &Term) -> Size {
    let (rows, columns) = term.size();
    Size {
        columns: columns.into(),
        rows: rows.into(),
    }
}

/// What indicatif takes for a terminal: it holds the one line of one bar.
#[derive(Clone, Debug, Default)]
pub struct Row(Arc<Mutex<Line>>);

#[derive(Debug, Default)]
struct Line {
    columns: u16,
    /// What was written since the last flush.
    written: String,
    text: String,
}

impl Row {
    fn line(&self) -> MutexGuard<'_, Line> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the width of what is rendered from now on.
    pub fn set_columns(&self, columns: usize) {
        self.line().columns = u16::try_from(columns).unwrap_or(u16::MAX);
    }

    /// What was rendered last.
    pub fn text(&self) -> String {
        self.line().text.clone()
    }
}

impl TermLike for Row {
    fn width(&self) -> u16 {
        self.line().columns
    }

    fn move_cursor_up(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_down(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_right(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_left(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.write_str(text)
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.line().written.push_str(text);
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        let line = &mut *self.line();
        let written = std::mem::take(&mut line.written);
        line.text.clear();
        line.text.push_str(written.trim_end());
        Ok(())
    }
}
