//! Texts from outside, as they may reach a terminal: no command in them, and no wider than there is room.

use crate::util::escape::is_invisible;

/// The text without what a terminal would obey: line ends and tabs become spaces, other control characters, and those that
/// draw nothing or turn the direction of what follows, become `�`.
pub(super) fn clean(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\t' | '\n' | '\r' | '\u{2028}' | '\u{2029}' => ' ',
            c if c.is_control() || is_invisible(c) => '\u{fffd}',
            c => c,
        })
        .collect()
}

/// How many columns of a terminal a clean text takes.
pub(super) fn width(text: &str) -> usize {
    console::measure_text_width(text)
}

fn columns(c: char) -> usize {
    width(c.encode_utf8(&mut [0; 4]))
}

/// The beginning of a clean text, with `…` where it is cut, in at most `room` columns.
pub(super) fn begun(text: &str, room: usize) -> String {
    if width(text) <= room {
        return text.to_owned();
    }
    let Some(room) = room.checked_sub(1) else {
        return String::new();
    };
    let mut head = head(text, room);
    head.push('…');
    head
}

/// A clean text that is cut in its middle: both ends of a name tell most.
pub(super) fn shortened(text: &str, room: usize) -> String {
    if width(text) <= room {
        return text.to_owned();
    }
    let Some(room) = room.checked_sub(1) else {
        return String::new();
    };
    let mut head = head(text, room / 2);
    let room = room - width(&head);
    let mut from = text.len();
    let mut used = 0;
    for (at, c) in text.char_indices().rev() {
        used += columns(c);
        if used > room {
            break;
        }
        from = at;
    }
    let mut tail = text.get(from..).unwrap_or_default();
    while width(tail) > room {
        let mut rest = tail.chars();
        rest.next();
        tail = rest.as_str();
    }
    head.push('…');
    head.push_str(tail);
    head
}

/// As many characters of the beginning as take at most `room` columns.
fn head(text: &str, room: usize) -> String {
    let mut head = String::new();
    let mut used = 0;
    for c in text.chars() {
        used += columns(c);
        if used > room {
            break;
        }
        head.push(c);
    }
    // A sequence may be wider than its characters one by one.
    while width(&head) > room {
        head.pop();
    }
    head
}

/// The text with spaces after it, so that it takes `room` columns at least.
pub(super) fn padded(text: &str, room: usize) -> String {
    let spaces = room.saturating_sub(width(text));
    format!("{text}{:spaces$}", "")
}

/// The text with spaces before it.
pub(super) fn right(text: &str, room: usize) -> String {
    let spaces = room.saturating_sub(width(text));
    format!("{:spaces$}{text}", "")
}

#[cfg(test)]
mod tests {
    use super::{begun, clean, padded, shortened, width};

    #[test]
    fn what_a_terminal_would_obey_is_replaced() {
        assert_eq!(clean("a\x1b[2Jb"), "a\u{fffd}[2Jb");
        assert_eq!(
            clean("two\nlines\tand\r\u{9b}K\u{7f}"),
            "two lines and \u{fffd}K\u{fffd}"
        );
        assert_eq!(clean("\u{202e}gpj.exe\u{200b}"), "\u{fffd}gpj.exe\u{fffd}");
        for nothing in [
            "\u{34f}",
            "\u{1160}",
            "\u{180b}",
            "\u{3164}",
            "\u{ffa0}",
            "\u{e0100}",
        ] {
            assert_eq!(clean(nothing), "\u{fffd}", "{nothing:?}");
        }
        assert_eq!(clean("Füße, 写真, ❤\u{fe0f}"), "Füße, 写真, ❤\u{fe0f}");
    }

    #[test]
    fn a_cut_text_takes_no_more_columns_than_there_are() {
        let texts = [
            "",
            "a",
            "photos/2026",
            "写真写真写真",
            "a写b真c",
            "e\u{301}e\u{301}e\u{301}",
            "❤\u{fe0f}❤\u{fe0f}❤\u{fe0f}",
        ];
        for text in texts {
            for room in 0..14 {
                for cut in [begun(text, room), shortened(text, room)] {
                    assert!(width(&cut) <= room, "{text:?} in {room}: {cut:?}");
                    assert_eq!(
                        cut == text,
                        width(text) <= room,
                        "{text:?} in {room}: {cut:?}"
                    );
                }
                assert!(width(&padded(text, room)) >= room);
            }
        }
        assert_eq!(begun("photos/2026", 6), "photo…");
        assert_eq!(shortened("photos/2026", 6), "ph…026");
    }
}
