//! Names, sizes and times as a person reads them.
//!
//! A file's name is any bytes: it may hold line ends, terminal commands, half characters. Nothing
//! of that reaches the terminal, a log or the host: see [`escaped`].

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

/// The name with control characters, invisible and direction-changing characters, bytes that are not UTF-8, and the
/// backslash itself escaped as in a Rust string. What is not escaped is unambiguous.
pub fn escaped(name: impl AsRef<OsStr>) -> String {
    let mut text = String::new();
    for chunk in name.as_ref().as_encoded_bytes().utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => text.push_str("\\\\"),
                c if c.is_control() || is_invisible(c) => {
                    // `escape_default` gives \n, \r, \t and \u{…}.
                    text.extend(c.escape_default());
                }
                c => text.push(c),
            }
        }
        for byte in chunk.invalid() {
            _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

/// Characters that draw nothing, or change the direction of what follows.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// The command that removes a directory, to be copied into a shell.
pub fn removal(dir: &Path) -> String {
    let command = if cfg!(windows) {
        "rmdir /s /q"
    } else {
        "rm -rf"
    };
    let text = escaped(dir);
    let is_plain = |c: char| c.is_alphanumeric() || "/.-_:".contains(c);
    if text.chars().all(is_plain) {
        format!("{command} {text}")
    } else if cfg!(windows) {
        format!("{command} \"{}\"", dir.display())
    } else if dir.to_str() == Some(&text) {
        format!("{command} '{}'", text.replace('\'', r"'\''"))
    } else {
        // Escaped, it is not what a shell would take.
        format!("remove the directory {text}")
    }
}

/// How many columns of a terminal the text takes.
pub fn width(text: &str) -> usize {
    console::measure_text_width(text)
}

/// The text, cut in its middle so that it takes at most `room` columns: both ends of a name tell most.
pub fn shortened(text: &str, room: usize) -> String {
    if width(text) <= room {
        return text.to_owned();
    }
    if room == 0 {
        return String::new();
    }
    let head_room = room / 2;
    let mut head = String::new();
    let mut used = 0;
    for c in text.chars() {
        let columns = width(c.encode_utf8(&mut [0; 4]));
        if used + columns > head_room {
            break;
        }
        used += columns;
        head.push(c);
    }
    let mut tail = Vec::new();
    let mut left = room - 1 - used;
    for c in text.chars().rev() {
        let columns = width(c.encode_utf8(&mut [0; 4]));
        if columns > left {
            break;
        }
        left -= columns;
        tail.push(c);
    }
    head.push('…');
    head.extend(tail.iter().rev());
    head
}

/// The text with spaces after it, so that it takes `room` columns.
pub fn padded(text: &str, room: usize) -> String {
    let spaces = room.saturating_sub(width(text));
    format!("{text}{}", " ".repeat(spaces))
}

/// "17 B", "4.2 KiB", "1.0 GiB".
pub fn bytes(count: u64) -> String {
    indicatif::BinaryBytes(count).to_string()
}

/// "0.02 s", "12.3 s", "4:05 min", "2:04:05 h".
pub fn time(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..10 => format!("{:.2} s", time.as_secs_f64()),
        10..60 => format!("{:.1} s", time.as_secs_f64()),
        60..3600 => format!("{}:{:02} min", seconds / 60, seconds % 60),
        _ => format!(
            "{}:{:02}:{:02} h",
            seconds / 3600,
            seconds / 60 % 60,
            seconds % 60
        ),
    }
}

/// "1 file", "2 files".
pub fn count(number: u64, one: &str) -> String {
    let end = if number == 1 { "" } else { "s" };
    format!("{number} {one}{end}")
}
