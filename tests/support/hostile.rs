//! Texts from outside that a terminal would obey, and what a message may have of them.

use std::error::Error;
use std::fmt;

/// Clears the screen, turns the direction of what follows, forges a line, rings the bell, and draws nothing.
pub const HOSTILE: &str = "a\u{1b}[2J\u{202e}b\nERROR forged\r\u{7}\u{9b}c\u{2028}\u{200b}";

/// The same as it may be printed.
pub const ESCAPED: &str = "a\\u{1b}[2J\\u{202e}b\\nERROR forged\\r\\u{7}\\u{9b}c\\u{2028}\\u{200b}";

/// Fails where a terminal would obey something in a text, other than its line ends if these are its own.
#[track_caller]
pub fn is_harmless(text: &str, has_lines: bool) {
    let bad = |c: char| {
        let own = has_lines && c == '\n';
        let turns = matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2028}'..='\u{2029}');
        (c.is_control() && !own) || turns
    };
    assert!(!text.contains(bad), "{text:?}");
}

/// As [`is_harmless`], for a message of one line, and for those of its sources, which many programs print too.
#[track_caller]
pub fn says_nothing_harmful(error: &(dyn Error + 'static)) {
    let mut next = Some(error);
    while let Some(error) = next {
        is_harmless(&error.to_string(), false);
        is_harmless(&format!("{error:?}"), false);
        next = error.source();
    }
}

/// As a string of JSON.
pub struct Json<'a>(pub &'a str);

impl fmt::Display for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for c in self.0.chars() {
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                c if u32::from(c) < 0x20 => write!(f, "\\u{:04x}", u32::from(c))?,
                c => write!(f, "{c}")?,
            }
        }
        f.write_str("\"")
    }
}
