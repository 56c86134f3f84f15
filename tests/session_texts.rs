//! Texts of items: kept whole up to the limit, cut between characters past it.

mod support;

use syncmgr::{Session, SyncCallback, Verdict};

use support::{id, open, text, view};

#[test]
fn a_text_at_the_limit_is_kept_whole() {
    let session = open(1);
    let whole = "x".repeat(Session::TEXT_LIMIT);
    assert_eq!(
        session.progress(id(1), &text(&whole)),
        Ok(Verdict::Continue)
    );
    assert_eq!(view(&session, 1).text, whole);
    assert_eq!(session.progress(id(1), &text("")), Ok(Verdict::Continue));
    assert_eq!(view(&session, 1).text, "", "an empty text is a text");
}

#[test]
fn a_text_past_the_limit_is_cut_between_characters_and_marked() {
    // One, two, three and four bytes a character, shifted so that the limit falls on each place within one.
    for character in ["x", "ä", "€", "🦀"] {
        for shift in 0..4 {
            let long = format!(
                "{}{}",
                "y".repeat(shift),
                character.repeat(Session::TEXT_LIMIT + 1)
            );
            let session = open(1);
            assert_eq!(session.progress(id(1), &text(&long)), Ok(Verdict::Continue));
            let kept = view(&session, 1).text;
            assert!(
                kept.len() <= Session::TEXT_LIMIT,
                "{character} by {shift}: {} bytes",
                kept.len()
            );
            let start = kept
                .strip_suffix('…')
                .unwrap_or_else(|| panic!("{character} by {shift}: no mark"));
            assert!(
                long.starts_with(start),
                "{character} by {shift}: another text"
            );
            let lost = Session::TEXT_LIMIT - kept.len();
            assert!(
                lost < character.len(),
                "{character} by {shift}: {lost} bytes more than needed were cut"
            );
        }
    }
}

#[test]
fn texts_hold_what_they_are_given() {
    let session = open(1);
    for odd in ["with\0nul", "line\nbreak", "\u{202e}right to left", "👨‍👩‍👧"] {
        assert_eq!(session.progress(id(1), &text(odd)), Ok(Verdict::Continue));
        assert_eq!(view(&session, 1).text, odd);
    }
}
