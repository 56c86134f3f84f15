//! The log: what an entry holds, in which order, what is deleted, and what happens when it is full.

use std::collections::HashSet;
use std::sync::Arc;
use std::thread;
use std::time::SystemTime;

use syncmgr::{
    CallbackError, ErrorFlags, ErrorId, HResult, HandlerId, ItemStatus, LogEntry, LogLevel,
    LogRecord, LogSelector, Session, SyncCallback, Verdict,
};

use support::{Stage, id, item, join, open, status, synchronizing};

const fn error(n: u128) -> ErrorId {
    ErrorId::from_u128(n)
}

#[track_caller]
fn log(session: &Session, text: &str) {
    assert_eq!(
        session.log_error(&LogRecord::new(LogLevel::Warning, text)),
        Ok(()),
        "logging {text:?}"
    );
}

fn texts(session: &Session) -> Vec<String> {
    session.log().into_iter().map(|entry| entry.text).collect()
}

#[test]
fn an_entry_holds_what_was_logged() {
    let session = open(1);
    let before = SystemTime::now();
    for (level, text) in [
        (LogLevel::Information, "read"),
        (LogLevel::Warning, "slow"),
        (LogLevel::Error, "broken"),
    ] {
        assert_eq!(session.log_error(&LogRecord::new(level, text)), Ok(()));
        let entries = session.log();
        let entry = entries.last().expect("it was logged");
        assert_eq!((entry.level, entry.text.as_str()), (level, text));
        assert_eq!((entry.item, entry.error_id), (None, None));
        assert_eq!(entry.flags, ErrorFlags::empty());
        assert_eq!(entry.handler, None);
        assert!(
            entry.time >= before && entry.time <= SystemTime::now(),
            "{:?}",
            entry.time
        );
    }
}

#[test]
fn jump_text_carries_its_error_id_and_flag() {
    let session = open(1);
    let record = LogRecord::new(LogLevel::Error, "password?")
        .item(id(1))
        .jump_text(error(7));
    assert_eq!(session.log_error(&record), Ok(()));
    let plain = LogRecord::new(LogLevel::Error, "only an id").error_id(error(8));
    assert_eq!(session.log_error(&plain), Ok(()));
    let entries = session.log();
    assert_eq!(
        (entries[0].item, entries[0].error_id),
        (Some(id(1)), Some(error(7)))
    );
    assert!(entries[0].flags.contains(ErrorFlags::ENABLE_JUMP_TEXT));
    assert_eq!(entries[1].error_id, Some(error(8)));
    assert!(!entries[1].flags.contains(ErrorFlags::ENABLE_JUMP_TEXT));
}

#[test]
fn unknown_error_flags_survive() {
    let session = open(0);
    let odd = ErrorFlags::from_bits_retain(0x8000_0000);
    assert_eq!(
        session.log_error(&LogRecord::new(LogLevel::Error, "odd").flags(odd)),
        Ok(())
    );
    assert_eq!(session.log()[0].flags, odd);
}

#[test]
fn entries_stand_in_the_order_in_which_they_were_logged() {
    let session = open(0);
    let expected: Vec<String> = (0..100).map(|n| format!("entry {n}")).collect();
    for text in &expected {
        log(&session, text);
    }
    assert_eq!(texts(&session), expected);
    let sequences: Vec<_> = session.log().iter().map(|entry| entry.sequence).collect();
    assert!(
        sequences.is_sorted_by(|one, next| one < next),
        "{sequences:?}"
    );
}

#[test]
fn sequence_numbers_are_not_given_twice() {
    let session = open(0);
    log(&session, "first");
    let first = session.log()[0].sequence;
    assert_eq!(session.delete_log_error(LogSelector::All), Ok(()));
    log(&session, "second");
    assert!(session.log()[0].sequence > first);
}

#[test]
fn entries_carry_the_handler_that_the_session_was_built_for() {
    let handler = HandlerId::from_u128(42);
    let session = Session::builder()
        .item(item(1))
        .handler(handler)
        .build()
        .expect("one item builds");
    log(&session, "stamped");
    assert_eq!(session.log()[0].handler, Some(handler));
}

#[test]
fn an_unknown_item_may_be_named_in_the_log() {
    let session = open(1);
    assert_eq!(
        session.log_error(&LogRecord::new(LogLevel::Error, "who").item(id(9))),
        Ok(())
    );
    assert_eq!(session.log()[0].item, Some(id(9)));
}

#[test]
fn a_nil_error_id_is_no_error_id() {
    let session = open(1);
    for record in [
        LogRecord::new(LogLevel::Error, "nil").error_id(ErrorId::NIL),
        LogRecord::new(LogLevel::Error, "nil").jump_text(ErrorId::NIL),
    ] {
        assert_eq!(
            session.log_error(&record),
            Err(CallbackError::InvalidArgument)
        );
    }
    assert!(session.log().is_empty());
    session.driver().release();
    assert_eq!(
        session.log_error(&LogRecord::new(LogLevel::Error, "nil").error_id(ErrorId::NIL)),
        Err(CallbackError::Released),
        "the release comes before every other reason"
    );
}

#[test]
fn one_error_id_is_deleted_with_all_its_entries() {
    let session = open(0);
    for (text, which) in [("a", 1), ("b", 2), ("c", 1)] {
        let record = LogRecord::new(LogLevel::Error, text).error_id(error(which));
        assert_eq!(session.log_error(&record), Ok(()));
    }
    log(&session, "d");
    assert_eq!(
        session.delete_log_error(LogSelector::ById(error(1))),
        Ok(())
    );
    assert_eq!(texts(&session), ["b", "d"]);
    let again = session.delete_log_error(LogSelector::ById(error(1)));
    assert_eq!(again, Err(CallbackError::UnknownErrorId));
    assert_eq!(
        CallbackError::UnknownErrorId.hresult(),
        HResult::E_INVALIDARG
    );
    assert_eq!(
        session.delete_log_error(LogSelector::ById(error(9))),
        Err(CallbackError::UnknownErrorId)
    );
    assert_eq!(
        texts(&session),
        ["b", "d"],
        "a refused delete deletes nothing"
    );
}

#[test]
fn all_entries_are_deleted_at_once() {
    let session = open(0);
    assert_eq!(
        session.delete_log_error(LogSelector::All),
        Ok(()),
        "an empty log may be emptied"
    );
    for text in ["a", "b"] {
        log(&session, text);
    }
    assert_eq!(session.delete_log_error(LogSelector::All), Ok(()));
    assert!(session.log().is_empty());
    log(&session, "c");
    assert_eq!(texts(&session), ["c"]);
}

#[test]
fn a_full_log_refuses_and_counts() {
    let session = Session::builder()
        .items(support::items(1))
        .log_capacity(2)
        .build()
        .expect("one item builds");
    assert_eq!(session.log_refused(), 0);
    log(&session, "a");
    log(&session, "b");
    for refused in 1..=3 {
        let answer = session.log_error(&LogRecord::new(LogLevel::Error, "too much"));
        assert_eq!(answer, Err(CallbackError::LogFull));
        assert_eq!(session.log_refused(), refused);
    }
    assert_eq!(CallbackError::LogFull.hresult(), HResult::E_OUTOFMEMORY);
    assert_eq!(texts(&session), ["a", "b"], "the first entries stay");
    assert_eq!(
        session.progress(id(1), &status(ItemStatus::Succeeded)),
        Ok(Verdict::Continue),
        "reports go on"
    );
    assert_eq!(session.delete_log_error(LogSelector::All), Ok(()));
    log(&session, "c");
    assert_eq!(texts(&session), ["c"], "what was deleted makes room");
    assert_eq!(session.log_refused(), 3);
}

#[test]
fn only_a_full_log_counts_as_refused() {
    let session = open(0);
    let _ = session.log_error(&LogRecord::new(LogLevel::Error, "nil").error_id(ErrorId::NIL));
    session.driver().release();
    let _ = session.log_error(&LogRecord::new(LogLevel::Error, "late"));
    assert_eq!(session.log_refused(), 0);
}

#[test]
fn a_long_text_is_cut_between_characters_and_marked() {
    for character in ["x", "€", "🦀"] {
        let session = open(0);
        let whole = "w".repeat(Session::LOG_TEXT_LIMIT);
        log(&session, &whole);
        log(&session, &character.repeat(Session::LOG_TEXT_LIMIT + 1));
        let kept = texts(&session);
        assert_eq!(kept[0], whole);
        assert!(
            kept[1].len() <= Session::LOG_TEXT_LIMIT,
            "{} bytes",
            kept[1].len()
        );
        assert!(
            kept[1].len() > Session::LOG_TEXT_LIMIT - 4,
            "{} bytes",
            kept[1].len()
        );
        assert!(kept[1].ends_with('…') && kept[1].starts_with(character));
    }
}

#[test]
fn the_log_is_taken_in_every_phase_before_the_release() {
    for stage in Stage::ALL {
        let session = stage.session(1);
        let expected = if stage == Stage::Released {
            Err(CallbackError::Released)
        } else {
            Ok(())
        };
        assert_eq!(
            session.log_error(&LogRecord::new(LogLevel::Error, "text")),
            expected,
            "{stage:?}"
        );
        assert_eq!(
            session.log().len(),
            usize::from(expected.is_ok()),
            "{stage:?}"
        );
    }
}

#[test]
fn logging_does_not_touch_items_nor_verdicts() {
    let session = synchronizing(1);
    let before = session.snapshot().items;
    let record = LogRecord::new(LogLevel::Error, "it failed").item(id(1));
    assert_eq!(session.log_error(&record), Ok(()));
    assert_eq!(session.snapshot().items, before);
    assert_eq!(session.cancel_item(id(1)), Ok(()));
    assert_eq!(
        session.log_error(&record),
        Ok(()),
        "a cancelled item may still be logged"
    );
}

#[test]
fn threads_lose_no_entry() {
    const EACH: usize = 1_000;
    let session = open(0);
    let threads: Vec<_> = (0..3)
        .map(|worker| {
            let session = Arc::clone(&session);
            thread::spawn(move || (0..EACH).for_each(|n| log(&session, &format!("{worker} {n}"))))
        })
        .collect();
    threads
        .into_iter()
        .for_each(|worker| join("a logging thread", worker));
    let entries = session.log();
    assert_eq!(entries.len(), 3 * EACH);
    assert!(entries.is_sorted_by(|one, next| one.sequence < next.sequence));
    let distinct: HashSet<&str> = entries.iter().map(|entry| entry.text.as_str()).collect();
    assert_eq!(distinct.len(), 3 * EACH);
    for worker in 0..3 {
        let own = |entry: &&LogEntry| entry.text.starts_with(&format!("{worker} "));
        let order: Vec<&str> = entries
            .iter()
            .filter(own)
            .map(|entry| entry.text.as_str())
            .collect();
        assert_eq!(
            order[..3],
            [
                format!("{worker} 0"),
                format!("{worker} 1"),
                format!("{worker} 2")
            ]
        );
    }
}

#[test]
fn an_entry_holds_what_the_newer_interface_says_of_it() {
    let session = open(1);
    let record = LogRecord::new(LogLevel::Warning, "changed here and there")
        .name("Conflict")
        .link("file:///other")
        .link_text("the other one")
        .context("row 7");
    assert_eq!(session.log_error(&record), Ok(()));
    log(&session, "plain");

    let entries = session.log();
    let told = |entry: &LogEntry| {
        [
            entry.name.clone(),
            entry.link.clone(),
            entry.link_text.clone(),
            entry.context.clone(),
        ]
    };
    let expected = ["Conflict", "file:///other", "the other one", "row 7"];
    assert_eq!(
        told(&entries[0]),
        expected.map(|text| Some(text.to_owned()))
    );
    assert_eq!(told(&entries[1]), [None, None, None, None]);
    assert_eq!(session.changes(Default::default()).log(), entries);
}

#[test]
fn each_of_the_details_stands_for_itself() {
    let session = open(1);
    let plain = LogRecord::new(LogLevel::Error, "text");
    for record in [
        plain.clone().name("a"),
        plain.clone().link("b"),
        plain.clone().link_text("c"),
        plain.clone().context("d"),
    ] {
        assert_eq!(session.log_error(&record), Ok(()));
    }
    let told: Vec<_> = session
        .log()
        .into_iter()
        .map(|entry| {
            let LogEntry {
                name,
                link,
                link_text,
                context,
                ..
            } = entry;
            [name, link, link_text, context].map(Option::unwrap_or_default)
        })
        .collect();
    let expected = [
        ["a", "", "", ""],
        ["", "b", "", ""],
        ["", "", "c", ""],
        ["", "", "", "d"],
    ];
    assert_eq!(told, expected);
}

#[test]
fn details_past_their_limit_are_cut_and_a_link_is_left_out() {
    let session = open(1);
    let long = "x".repeat(Session::LOG_TEXT_LIMIT + 1);
    let fits = "y".repeat(Session::LOG_TEXT_LIMIT);
    let record = LogRecord::new(LogLevel::Error, "text");
    let too_long = record
        .clone()
        .name(&long)
        .link(&long)
        .link_text(&long)
        .context(&long);
    assert_eq!(session.log_error(&too_long), Ok(()));
    assert_eq!(
        session.log_error(&record.link(&fits).context(&fits)),
        Ok(())
    );

    let entries = session.log();
    let length = |text: &Option<String>| text.as_ref().map(String::len);
    assert_eq!(length(&entries[0].name), Some(Session::TEXT_LIMIT));
    assert_eq!(length(&entries[0].link_text), Some(Session::TEXT_LIMIT));
    assert_eq!(length(&entries[0].context), Some(Session::LOG_TEXT_LIMIT));
    assert_eq!(entries[0].link, None, "cut, it would lead nowhere");
    assert_eq!(entries[1].link.as_ref(), Some(&fits));
    assert_eq!(entries[1].context.as_ref(), Some(&fits));
}

#[test]
fn details_go_with_their_entry() {
    let session = open(1);
    let record = LogRecord::new(LogLevel::Error, "text");
    assert_eq!(
        session.log_error(&record.clone().error_id(error(1)).name("first")),
        Ok(())
    );
    assert_eq!(
        session.log_error(&record.clone().error_id(error(2)).name("second")),
        Ok(())
    );
    assert_eq!(
        session.delete_log_error(LogSelector::ById(error(1))),
        Ok(())
    );
    assert_eq!(session.log()[0].name.as_deref(), Some("second"));
    assert_eq!(session.delete_log_error(LogSelector::All), Ok(()));
    assert_eq!(session.log_error(&record), Ok(()));
    assert_eq!(session.log()[0].name, None);
}

#[test]
fn a_refused_entry_leaves_no_details() {
    let session = Session::builder()
        .log_capacity(1)
        .build()
        .expect("no item is bad");
    let record = LogRecord::new(LogLevel::Error, "text");
    assert_eq!(session.log_error(&record), Ok(()));
    assert_eq!(
        session.log_error(&record.name("late")),
        Err(CallbackError::LogFull)
    );
    assert_eq!(session.log()[0].name, None);
}
