//! The texts of a session: errors in one line, and texts of bounded length, since what a handler says is kept, but not
//! without limit.

use std::error::Error;

/// The longest status text and handler text that is kept, in bytes.
pub(crate) const TEXT_LIMIT: usize = 1_024;

/// The longest log text that is kept, in bytes.
pub(crate) const LOG_TEXT_LIMIT: usize = 8_192;

/// What stands at the end of a text that was cut.
const MARK: &str = "…";

/// Appends `text` to `kept`, at most `limit` bytes of it. A longer text is cut at a character boundary and ends in
/// `…`, which counts towards the limit.
#[inline]
pub(crate) fn push_cut(kept: &mut String, text: &str, limit: usize) {
    if text.len() <= limit {
        kept.push_str(text);
    } else {
        push_part(kept, text, limit);
    }
}

#[cold]
fn push_part(kept: &mut String, text: &str, limit: usize) {
    let mut end = limit.saturating_sub(MARK.len());
    while !text.is_char_boundary(end) {
        end -= 1; // 0 is a boundary
    }
    kept.push_str(text.get(..end).unwrap_or_default());
    kept.push_str(MARK);
}

/// How many sources of an error are followed. An error may be one of its own sources.
pub(crate) const SOURCES_MOST: usize = 64;

/// The error and its sources in one line: the first [`SOURCES_MOST`] of them, then `…` if there are more.
pub(crate) fn error_chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    let mut left = SOURCES_MOST;
    while let Some(cause) = source {
        if left == 0 {
            text.push_str(": ");
            text.push_str(MARK);
            break;
        }
        left -= 1;
        let cause_text = cause.to_string();
        // Many errors already say their source at the end.
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

/// The first `limit` bytes of `text`, as [`push_cut`] cuts them.
pub(crate) fn cut(text: &str, limit: usize) -> String {
    let mut kept = String::with_capacity(text.len().min(limit));
    push_cut(&mut kept, text, limit);
    kept
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::cut;

    #[test]
    fn a_text_within_the_limit_is_kept_whole() {
        assert_eq!(cut("", 8), "");
        assert_eq!(cut("12345678", 8), "12345678");
    }

    #[test]
    fn a_longer_text_is_cut_at_a_character_and_marked() {
        assert_eq!(cut("123456789", 8), "12345…");
        assert_eq!(cut("1234ééé", 8), "1234…");
        assert_eq!(cut("ééééé", 8), "éé…");
        assert_eq!(cut("ééééé", 3), "…");
    }
}
