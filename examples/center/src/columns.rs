//! The columns of the table, for as wide a terminal as there is.

use syncmgr_mirror::show::{padded, shortened, width};

/// How many columns each part of a row gets; 0 where it is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Columns {
    name: usize,
    status: usize,
    bar: usize,
    text: usize,
}

/// Before each row stands the mark of the cursor.
const MARK: usize = 2;
/// Between two parts.
const GAP: usize = 1;
/// The longest word for a status.
const STATUS: usize = 9;

impl Columns {
    /// The parts of a row of so many columns.
    pub fn of(columns: usize) -> Self {
        let bar = match columns {
            90.. => 20,
            70.. => 14,
            50.. => 11,
            36.. => 4,
            _ => 0,
        };
        let status = if columns >= 24 { STATUS } else { 0 };
        let with_gap = |part: usize| if part > 0 { part + GAP } else { 0 };
        let room = columns.saturating_sub(MARK + with_gap(status) + with_gap(bar));
        // The text is worth showing only where it can say something.
        let (name, text) = match room {
            38.. => {
                let name = (columns * 3 / 10).clamp(18, 36);
                (name, room - name - GAP)
            }
            _ => (room.saturating_sub(GAP), 0),
        };
        Self {
            name,
            status,
            bar,
            text,
        }
    }

    /// The titles of the columns.
    pub fn head(self) -> String {
        let bar = if self.bar < 8 { "DONE" } else { "PROGRESS" };
        let cells = self.cells("HANDLER, ITEM", "STATUS", bar, "TEXT");
        " ".repeat(MARK) + &cells.concat()
    }

    /// The parts of a row, each cut and padded to its columns, with the gap before the next.
    pub fn cells(self, name: &str, status: &str, bar: &str, text: &str) -> [String; 4] {
        let cell = |content: &str, room: usize| match room {
            0 => String::new(),
            room => padded(&shortened(content, room), room + GAP),
        };
        [
            cell(name, self.name),
            cell(status, self.status),
            cell(bar, self.bar),
            padded(&cut(text, self.text), self.text),
        ]
    }

    /// Whether a text fits its column.
    pub fn shows(self, text: &str) -> bool {
        width(text) <= self.text
    }

    /// A bar of the part that is done; empty where that is not known.
    pub fn bar(self, part: Option<f64>) -> String {
        bar(part, self.bar)
    }

    /// A bar that moves with the value, for work without a known end.
    pub fn marquee(self, value: u64) -> String {
        let room = self.bar;
        if room < 8 {
            return "...".get(..room).unwrap_or("...").to_owned();
        }
        const LENGTH: usize = 3;
        let steps = (room - LENGTH) as u64;
        let place = value % (2 * steps);
        let place = if place < steps {
            place
        } else {
            2 * steps - place
        } as usize;
        let (before, after) = (place, room - LENGTH - place);
        format!(
            "{}{}{}",
            "░".repeat(before),
            "█".repeat(LENGTH),
            "░".repeat(after)
        )
    }
}

/// A text in lines of at most so many columns, and at most so many of them; the last one is cut.
pub fn wrapped(text: &str, columns: usize, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        let is_last = lines.len() >= most;
        match lines.last_mut() {
            Some(line) if is_last || width(line) + 1 + width(word) <= columns => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.iter().map(|line| cut(line, columns)).collect()
}

/// A sentence, cut at its end so that it takes at most so many columns. Of a name the middle is left out instead.
pub fn cut(text: &str, room: usize) -> String {
    if width(text) <= room {
        return text.to_owned();
    }
    let mut cut = String::new();
    let mut left = room.saturating_sub(1);
    for c in text.chars() {
        let columns = width(c.encode_utf8(&mut [0; 4]));
        if columns > left {
            break;
        }
        left -= columns;
        cut.push(c);
    }
    if room > 0 {
        cut.push('…');
    }
    cut
}

/// A bar in so many columns, with the percentage after it; of few columns only the percentage.
pub fn bar(part: Option<f64>, room: usize) -> String {
    const NUMBER: usize = 5;
    let Some(part) = part else {
        return String::new();
    };
    let part = part.clamp(0.0, 1.0);
    // Rounded down: 100 % is said of what is all done.
    let percent = format!("{:>3}%", (part * 100.0) as u64);
    if room < NUMBER + 3 {
        return percent;
    }
    let all = room - NUMBER;
    let full = (part * all as f64) as usize;
    format!("{}{} {percent}", "█".repeat(full), "░".repeat(all - full))
}

#[cfg(test)]
mod tests {
    use super::*;
    use syncmgr_mirror::show::width;

    #[test]
    fn no_row_is_wider_than_the_terminal() {
        let long =
            "a name that is longer than any column of any terminal that is tested here ".repeat(3);
        for columns in 0..200 {
            let layout = Columns::of(columns);
            for bar in [layout.bar(Some(0.999)), layout.marquee(7), layout.bar(None)] {
                let left_out = layout.bar == 0;
                assert!(left_out || width(&bar) <= layout.bar, "{columns}: {bar:?}");
                let row: String = layout.cells(&long, "preparing", &bar, &long).concat();
                assert!(
                    MARK + width(&row) <= columns.max(MARK),
                    "{columns}: {row:?}"
                );
            }
        }
    }

    #[test]
    fn a_sentence_is_cut_at_its_end() {
        assert_eq!(cut("copied", 6), "copied");
        assert_eq!(cut("copied", 5), "copi…");
        assert_eq!(cut("写写写", 4), "写…");
        assert_eq!(cut("copied", 0), "");
    }

    #[test]
    fn a_text_is_wrapped_at_its_spaces() {
        assert_eq!(wrapped("one two three", 7, 3), ["one two", "three"]);
        assert_eq!(wrapped("one two three", 5, 2), ["one", "two …"]);
        assert_eq!(wrapped("seventeen", 5, 2), ["seve…"]);
        assert_eq!(wrapped("", 5, 2), [""]);
        assert_eq!(wrapped("one", 5, 0).len(), 1);
    }

    #[test]
    fn a_bar_is_full_only_in_the_end() {
        assert_eq!(bar(Some(0.999), 15), "█████████░  99%");
        assert_eq!(bar(Some(1.0), 15), "██████████ 100%");
        assert_eq!(bar(Some(7.0), 4), "100%");
        assert_eq!(bar(None, 15), "");
    }
}
