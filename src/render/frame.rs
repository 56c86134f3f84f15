//! The lines at the end of the terminal that are drawn again and again.
//!
//! A frame is one write. Between two frames the cursor rests at the beginning of the first row, and all that follows it is
//! ours: whatever a terminal does when it is resized, and many break long lines anew, one "clear to the end of the screen"
//! removes the old frame and nothing else. indicatif leaves the cursor behind the last row and counts the lines back, which
//! such a terminal makes wrong; so its terminals are used here, but not its way over them.

use std::fmt::{self, Write as _};
use std::io;

use indicatif::TermLike;

const CLEAR_TO_END: &str = "\x1b[J";
/// From the beginning of the row. Some terminals move all to their history if it is cleared from its very first place,
/// so that one is cleared by a space.
const CLEAR_ALL: &str = "\r \x1b[J\r";
const CLEAR_REST_OF_LINE: &str = "\x1b[K";
/// While a frame is drawn, a line that is too long is cut by the terminal: it may have become narrower a moment ago.
const WRAP_OFF: &str = "\x1b[?7l";
const WRAP_ON: &str = "\x1b[?7h";

/// Columns and rows of the terminal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) columns: usize,
    pub(super) rows: usize,
}

impl Size {
    /// Columns for a row: the last one stays free, since some terminals break the line there already.
    pub(super) fn room(self) -> usize {
        self.columns.saturating_sub(1)
    }
}

/// The live end of a terminal.
pub(super) struct Frame {
    term: Box<dyn TermLike>,
    /// The size for which the last frame was drawn.
    size: Size,
    rows: Vec<String>,
    is_drawn: bool,
}

impl Frame {
    pub(super) fn on(term: Box<dyn TermLike>) -> Self {
        Self {
            term,
            size: Size::default(),
            rows: Vec::new(),
            is_drawn: false,
        }
    }

    /// The size that the terminal has now.
    pub(super) fn size(&self) -> Size {
        Size {
            columns: self.term.width().into(),
            rows: self.term.height().into(),
        }
    }

    /// Draws these rows in place of the last ones, and above them, for good, the lines of `kept`. Writes nothing where nothing
    /// is new.
    pub(super) fn draw(
        &mut self,
        mut rows: Vec<String>,
        kept: &[String],
        size: Size,
    ) -> io::Result<()> {
        rows.drain(..rows.len().saturating_sub(size.rows.max(1)));
        if rows == self.rows && size == self.size && kept.is_empty() && self.is_drawn {
            return Ok(());
        }
        let mut text = String::from("\r");
        if self.is_drawn && (size != self.size || !kept.is_empty()) {
            text.push_str(CLEAR_ALL);
        }
        for line in kept {
            text.push_str(line);
            text.push_str("\r\n");
        }
        text.push_str(WRAP_OFF);
        for (number, row) in rows.iter().enumerate() {
            if number > 0 {
                text.push_str("\r\n");
            }
            text.push_str(row);
            text.push_str(CLEAR_REST_OF_LINE);
        }
        text.push_str(CLEAR_TO_END);
        if rows.len() > 1 {
            _ = write!(text, "\x1b[{}A", rows.len() - 1);
        }
        text.push('\r');
        text.push_str(WRAP_ON);
        self.is_drawn = true;
        self.rows = rows;
        self.size = size;
        self.write(&text)
    }

    /// Leaves the last frame on the screen, and the cursor below it.
    pub(super) fn end(&mut self) -> io::Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        self.is_drawn = false;
        let below = "\r\n".repeat(std::mem::take(&mut self.rows).len());
        self.write(&below)
    }

    fn write(&self, text: &str) -> io::Result<()> {
        self.term.write_str(text)?;
        self.term.flush()
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame")
            .field("size", &self.size)
            .field("rows", &self.rows)
            .finish_non_exhaustive()
    }
}
