//! Text from outside, as it may be part of a message: it stays on its line, and a terminal obeys nothing in it.

use std::fmt::{self, Write as _};

/// A value whose text comes from outside, with the characters that a terminal or a log would not just draw as escapes: control
/// characters, line ends, and those that draw nothing or turn the direction of what follows.
pub(crate) struct Escaped<T>(pub(crate) T);

impl<T: fmt::Display> fmt::Display for Escaped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping(f), "{}", self.0)
    }
}

struct Escaping<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl fmt::Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            match c {
                '\n' | '\r' | '\t' => write!(self.0, "{}", c.escape_default())?,
                c if must_be_escaped(c) => write!(self.0, "{}", c.escape_unicode())?,
                c => self.0.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// Whether a character does more than to be drawn.
fn must_be_escaped(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') || is_invisible(c)
}

/// What Unicode calls default-ignorable, and annotations. But for U+FE00 to U+FE0F, which say how the character before them
/// looks: emoji have them.
pub(crate) fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// An error whose message is safe to print, also where another program prints it as a source. It repeats what was read, so if that
/// has characters that a terminal would obey, the error is replaced by one with the same message and place, and these escaped.
#[cfg(feature = "serde")]
pub(crate) fn printable(error: serde_json::Error) -> serde_json::Error {
    let text = error.to_string();
    match text.contains(must_be_escaped) {
        true => serde::de::Error::custom(Escaped(text)),
        false => error,
    }
}

#[cfg(test)]
mod tests {
    use super::Escaped;

    #[test]
    fn what_a_terminal_would_obey_is_escaped_and_nothing_else() {
        let cases = [
            ("", ""),
            (
                "plain, \"quoted\" and back\\slashed",
                "plain, \"quoted\" and back\\slashed",
            ),
            (
                "e\u{301}clair \u{65e5}\u{672c} \u{1f600}\u{fe0f}",
                "e\u{301}clair \u{65e5}\u{672c} \u{1f600}\u{fe0f}",
            ),
            ("a\nb\r\tc", "a\\nb\\r\\tc"),
            (
                "\u{1b}[2J\u{7}\u{9b}\u{7f}",
                "\\u{1b}[2J\\u{7}\\u{9b}\\u{7f}",
            ),
            (
                "\u{202e}\u{2066}\u{200b}\u{2028}",
                "\\u{202e}\\u{2066}\\u{200b}\\u{2028}",
            ),
            (
                "\u{34f}\u{115f}\u{3164}\u{e0041}",
                "\\u{34f}\\u{115f}\\u{3164}\\u{e0041}",
            ),
        ];
        for (text, escaped) in cases {
            assert_eq!(Escaped(text).to_string(), escaped);
        }
        assert_eq!(
            Escaped(format_args!("{}: {}", "a\u{7}", 1)).to_string(),
            "a\\u{7}: 1"
        );
    }
}
