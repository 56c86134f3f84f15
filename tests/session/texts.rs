//! Texts of items: kept whole up to the limit, cut between characters past it; and what a failure says.

use std::error::Error;
use std::fmt;

use syncmgr::{Session, SyncCallback, Verdict};

use support::{id, open, text, view, within};

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

/// An error that says a text, and may have a source.
#[derive(Debug)]
struct Said(&'static str, Option<Box<Said>>);

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for Said {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.1.as_deref().map(|source| source as _)
    }
}

#[test]
fn a_failure_tells_the_error_with_its_sources_and_none_of_them_twice() {
    let said = |text, source: Option<Said>| Said(text, source.map(Box::new));
    let disk = || said("the disk is full", None);
    let cases = [
        (disk(), "the disk is full"),
        (
            said("no copy", Some(said("no block", Some(disk())))),
            "no copy: no block: the disk is full",
        ),
        (
            said("no copy: the disk is full", Some(disk())),
            "no copy: the disk is full",
        ),
    ];
    for (error, expected) in cases {
        let session = open(1);
        let reporter = session.reporter(id(1)).expect("the item is known");
        assert_eq!(reporter.fail(&error), Ok(()));
        assert_eq!(view(&session, 1).text, expected);
        let logged: Vec<_> = session.log().into_iter().map(|entry| entry.text).collect();
        assert_eq!(logged, [expected]);
    }
}

/// An error that is its own source.
#[derive(Debug)]
struct Alone;

/// Errors that are the sources of each other.
#[derive(Debug)]
struct Even;

#[derive(Debug)]
struct Odd;

macro_rules! error {
    ($type:ty, $text:literal, $source:expr) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($text)
            }
        }
        impl Error for $type {
            fn source(&self) -> Option<&(dyn Error + 'static)> {
                Some($source)
            }
        }
    };
}

error!(Alone, "alone", &Alone);
error!(Even, "even", &Odd);
error!(Odd, "odd", &Even);

#[test]
fn an_error_among_its_own_sources_is_told_with_the_first_of_them() {
    let fails = |error: &'static (dyn Error + Sync)| {
        within("the end of the item", move || {
            let session = open(1);
            assert_eq!(support::reporter(&session, 1).fail(error), Ok(()));
            session.log().remove(0).text
        })
    };
    assert_eq!(fails(&Alone), "alone: …");
    let expected = ["even: odd: "; 32].concat() + "even: …";
    assert_eq!(fails(&Even), expected);
}
