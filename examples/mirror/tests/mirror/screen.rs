//! The frame of the example on a terminal that breaks lines anew when it is resized, as most do.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use console::Term;

use syncmgr_mirror::frame::{Frame, Size};

/// As much of a terminal as the frame uses. It has rows without end, so nothing scrolls.
struct Screen {
    columns: usize,
    /// Each row, and whether its line goes on in the next one.
    rows: Vec<(Vec<char>, bool)>,
    row: usize,
    column: usize,
    wraps: bool,
}

impl Screen {
    fn new(columns: usize) -> Self {
        Self {
            columns,
            rows: vec![(Vec::new(), false)],
            row: 0,
            column: 0,
            wraps: true,
        }
    }

    fn down(&mut self) {
        self.row += 1;
        if self.row == self.rows.len() {
            self.rows.push((Vec::new(), false));
        }
    }

    fn put(&mut self, c: char) {
        if self.column == self.columns {
            if self.wraps {
                self.rows[self.row].1 = true;
                self.down();
                self.column = 0;
            } else {
                self.column -= 1;
            }
        }
        let row = &mut self.rows[self.row].0;
        row.resize(row.len().max(self.column + 1), ' ');
        row[self.column] = c;
        self.column += 1;
    }

    fn write(&mut self, text: &str) {
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            match c {
                '\r' => self.column = 0,
                '\n' => self.down(),
                '\x1b' => {
                    assert_eq!(rest.next(), Some('['));
                    let is_end = |c: &char| c.is_ascii_alphabetic();
                    let mut number = String::new();
                    let end = loop {
                        let c = rest.next().expect("a command has an end");
                        if is_end(&c) {
                            break c;
                        }
                        number.push(c);
                    };
                    self.command(&number, end);
                }
                c => self.put(c),
            }
        }
    }

    fn command(&mut self, number: &str, end: char) {
        match (number, end) {
            ("?7", 'l') => self.wraps = false,
            ("?7", 'h') => self.wraps = true,
            (up, 'A') => self.row -= up.parse::<usize>().expect("so many rows"),
            ("", 'J' | 'K') => {
                let row = &mut self.rows[self.row];
                row.0.truncate(self.column);
                row.1 = false;
                if end == 'J' {
                    self.rows.truncate(self.row + 1);
                }
            }
            other => panic!("{other:?} is not a command"),
        }
    }

    /// Breaks all lines anew. The cursor stays with its character, which must be the first one of a line.
    fn resize(&mut self, columns: usize) {
        assert_eq!(self.column, 0);
        let old = std::mem::take(&mut self.rows);
        let mut goes_on = false;
        let mut lines: Vec<Vec<char>> = Vec::new();
        let mut line_of_cursor = 0;
        for (at, (row, wrapped)) in old.into_iter().enumerate() {
            if at == self.row {
                assert!(!goes_on, "the cursor is in the middle of a line");
                line_of_cursor = lines.len();
            }
            if goes_on {
                lines.last_mut().expect("it has begun").extend(row);
            } else {
                lines.push(row);
            }
            goes_on = wrapped;
        }
        for (at, line) in lines.into_iter().enumerate() {
            if at == line_of_cursor {
                self.row = self.rows.len();
            }
            let count = line.len().div_ceil(columns).max(1);
            for number in 0..count {
                let row = line.iter().skip(number * columns).take(columns);
                self.rows.push((row.copied().collect(), number + 1 < count));
            }
        }
        self.columns = columns;
    }

    fn text(&self) -> Vec<String> {
        let text = |row: &(Vec<char>, bool)| row.0.iter().collect::<String>();
        self.rows
            .iter()
            .map(text)
            .map(|row| row.trim_end().to_owned())
            .collect()
    }
}

/// A frame that is drawn on a screen.
struct Drawn {
    frame: Frame,
    file: File,
    screen: Screen,
}

impl Drawn {
    fn new(columns: usize) -> Self {
        let file = tempfile::tempfile().unwrap();
        let (input, output) = (file.try_clone().unwrap(), file.try_clone().unwrap());
        Self {
            frame: Frame::on(Term::read_write_pair(input, output)),
            file,
            screen: Screen::new(columns),
        }
    }

    fn draw(&mut self, rows: &[&str], columns: usize) {
        let rows = rows.iter().map(|row| (*row).to_owned()).collect();
        self.frame.draw(rows, Size { columns, rows: 24 });
        self.show();
    }

    fn show(&mut self) {
        let mut text = String::new();
        self.file.seek(SeekFrom::Start(0)).unwrap();
        self.file.read_to_string(&mut text).unwrap();
        self.file.set_len(0).unwrap();
        self.file.seek(SeekFrom::Start(0)).unwrap();
        self.screen.write(&text);
    }
}

#[test]
fn a_resize_leaves_nothing_of_the_old_frame() {
    let row = |c: &str, columns: usize| c.repeat(columns - 1);
    let wide = ["1", "2", "3"].map(|c| row(c, 90));
    let wide = wide.each_ref().map(String::as_str);
    let narrow = ["4", "5", "6"].map(|c| row(c, 40));
    let narrow = narrow.each_ref().map(String::as_str);
    let kept = "k".repeat(60);

    let mut drawn = Drawn::new(90);
    drawn.screen.write("title\r\n");
    drawn.draw(&wide, 90);
    drawn.frame.keep(&kept);
    drawn.draw(&wide, 90);
    assert_eq!(
        drawn.screen.text(),
        [&["title", &kept][..], &wide[..]].concat()
    );

    drawn.screen.resize(40);
    // Not noticed yet: the rows are too long, and are cut.
    let late = ["7", "8", "9"].map(|c| row(c, 90));
    drawn.draw(&late.each_ref().map(String::as_str), 90);
    drawn.draw(&narrow, 40);
    let in_two = [&kept[..40], &kept[40..]];
    assert_eq!(
        drawn.screen.text(),
        [&["title"], &in_two[..], &narrow[..]].concat()
    );

    drawn.screen.resize(90);
    drawn.draw(&wide, 90);
    drawn.draw(&wide[1..], 90);
    assert_eq!(
        drawn.screen.text(),
        [&["title", &kept][..], &wide[1..]].concat()
    );

    drawn.frame.end();
    drawn.show();
    assert_eq!(drawn.screen.text(), ["title", &kept, ""]);
}

#[test]
fn a_frame_that_is_too_large_is_cut() {
    let mut drawn = Drawn::new(10);
    let rows: Vec<String> = (0..30).map(|n| format!("row number {n}")).collect();
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    drawn.draw(&rows, 10);
    let text = drawn.screen.text();
    assert_eq!(text.len(), 24);
    assert!(text.iter().all(|row| row.chars().count() == 9), "{text:?}");
    assert_eq!(text[23], "row \u{2026}r 29");
}
