//! A list of files with their checksums: lines as `sha256sum` writes and reads them.
//!
//! ```text
//! e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  empty/file
//! ```
//!
//! 64 hexadecimal digits, a space, a space or `*`, a path. A line that begins with `\` has `\\` and `\n` in its path for a
//! backslash and a line end. Here a path is relative, goes down only, stands in the list once, and is UTF-8.

use std::collections::HashSet;
use std::fmt;
use std::path::{Component, Path, PathBuf};

/// A SHA-256 checksum.
pub type Sum = [u8; 32];

/// A file of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub sum: Sum,
    pub path: PathBuf,
}

/// A line that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadLine {
    /// Counted from 1.
    pub number: usize,
    pub why: Why,
}

/// Why not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    NotALine(String),
    NotBelow(String),
    Twice(String),
}

impl fmt::Display for BadLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: ", self.number)?;
        match &self.why {
            Why::NotALine(text) => write!(
                f,
                "{text:?} is not 64 hexadecimal digits, two spaces and a path"
            ),
            Why::NotBelow(path) => write!(
                f,
                "the path {path:?} is not allowed; it has to be relative and without '.' and '..'"
            ),
            Why::Twice(path) => write!(f, "the path {path:?} stands in the list twice"),
        }
    }
}

impl std::error::Error for BadLine {}

/// Reads a list; empty lines are left out.
pub fn parse(text: &str) -> Result<Vec<Entry>, BadLine> {
    let mut seen = HashSet::new();
    let mut entries = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        if line.is_empty() {
            continue;
        }
        let entry = entry(line).map_err(|why| BadLine { number, why })?;
        if !seen.insert(entry.path.clone()) {
            let why = Why::Twice(entry.path.to_string_lossy().into_owned());
            return Err(BadLine { number, why });
        }
        entries.push(entry);
    }
    Ok(entries)
}

fn entry(line: &str) -> Result<Entry, Why> {
    let not_a_line = || Why::NotALine(line.chars().take(200).collect());
    let (escaped, rest) = match line.strip_prefix('\\') {
        Some(rest) => (true, rest),
        None => (false, line),
    };
    let (digits, rest) = rest.split_at_checked(64).ok_or_else(not_a_line)?;
    let sum = sum(digits).ok_or_else(not_a_line)?;
    let path = rest.strip_prefix("  ").or_else(|| rest.strip_prefix(" *"));
    let path = path.ok_or_else(not_a_line)?;
    let path = match escaped {
        true => unescaped(path).ok_or_else(not_a_line)?,
        false => path.to_owned(),
    };
    let below = |part: Component<'_>| matches!(part, Component::Normal(_));
    // Components leave out what a path says twice; joined again they must be the path.
    let parts = Path::new(&path).components();
    let again: PathBuf = parts.clone().collect();
    if path.is_empty() || path.contains('\0') || !parts.clone().all(below) {
        return Err(Why::NotBelow(path));
    }
    if again.as_os_str() != path.as_str() {
        return Err(Why::NotBelow(path));
    }
    Ok(Entry { sum, path: again })
}

fn sum(digits: &str) -> Option<Sum> {
    let mut sum = [0; 32];
    let digit = |byte: u8| char::from(byte).to_digit(16);
    for (byte, pair) in sum.iter_mut().zip(digits.as_bytes().chunks(2)) {
        *byte = u8::try_from(digit(pair[0])? * 16 + digit(*pair.get(1)?)?).ok()?;
    }
    Some(sum)
}

fn unescaped(path: &str) -> Option<String> {
    let mut text = String::with_capacity(path.len());
    let mut chars = path.chars();
    while let Some(c) = chars.next() {
        text.push(match c {
            '\\' => match chars.next()? {
                '\\' => '\\',
                'n' => '\n',
                'r' => '\r',
                _ => return None,
            },
            c => c,
        });
    }
    Some(text)
}

/// A checksum as it stands in a list.
pub fn hex(sum: &Sum) -> String {
    use std::fmt::Write;
    sum.iter().fold(String::new(), |mut text, byte| {
        _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn lines_of_every_form_are_read() {
        let text =
            format!("{EMPTY}  a\n\n{EMPTY} *b c/d\r\n\\{EMPTY}  e\\\\f\\ng\n{EMPTY}  \u{e4}");
        let entries = parse(&text).unwrap();
        let paths: Vec<_> = entries.iter().map(|entry| entry.path.clone()).collect();
        let wanted = ["a", "b c/d", "e\\f\ng", "\u{e4}"].map(PathBuf::from);
        assert_eq!(paths, wanted);
        assert!(entries.iter().all(|entry| hex(&entry.sum) == EMPTY));
    }

    #[test]
    fn what_is_no_line_is_told_with_its_number() {
        let short = &EMPTY[1..];
        for line in [
            "x",
            short,
            EMPTY,
            &format!("{EMPTY} a"),
            &format!("{short}g  a"),
            &format!("\\{EMPTY}  a\\b"),
            &format!("{}a\u{e4}  a", "\u{e4}".repeat(31)),
        ] {
            let error = parse(&format!("{EMPTY}  fine\n{line}")).unwrap_err();
            assert!(matches!(error.why, Why::NotALine(_)), "{line}: {error}");
            assert_eq!(error.number, 2);
            assert!(error.to_string().starts_with("line 2: "), "{error}");
        }
    }

    #[test]
    fn no_path_leads_out_of_the_directory_or_stands_there_twice() {
        for path in ["/a", "../a", "a/../b", "./a", "a//b", "a/", "."] {
            let error = parse(&format!("{EMPTY}  {path}")).unwrap_err();
            assert_eq!(error.why, Why::NotBelow(path.into()), "{error}");
        }
        let error = parse(&format!("{EMPTY}  a\n{EMPTY} *a")).unwrap_err();
        assert_eq!(error.why, Why::Twice("a".into()));
    }
}
