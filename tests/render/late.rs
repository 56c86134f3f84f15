//! What comes late, or between two looks.

use super::plain::Text;
use super::*;
use support::{driven, id, start_round, status};
use syncmgr::{HResult, ItemStatus, LogLevel, LogRecord, SyncCallback};

#[test]
fn what_is_first_seen_when_all_is_over_has_one_row() {
    let session = named(&["Mail"]);
    let mut stage = Stage::wide(&session);
    stage.look();
    let _ = begin(&session, 1, 1, 4);
    session.synchronize_completed(HResult::S_OK).unwrap();
    let screen = stage.last();
    assert_eq!(lines(&screen)[0], "Mail                 unfinished");
    assert_eq!(lines(&screen).len(), 2, "{screen}");
}

#[test]
fn what_is_first_seen_when_all_is_over_counts_once() {
    let session = named(&["Mail", "Notes"]);
    let mut stage = Stage::wide(&session);
    let _ = begin(&session, 1, 1, 4);
    session.synchronize_completed(HResult::S_OK).unwrap();
    assert_eq!(total(&stage.last()), "0 of 2 items 12% 1");
}

#[test]
fn an_error_that_comes_with_a_late_failure_is_its_reason() {
    let session = named(&["Mail"]);
    let text = Text::default();
    let mut frames = Bars::new().plain_to(text.clone()).session_frames(&session);
    begin(&session, 1, 4, 4).succeed().unwrap();
    assert!(!frames.look());
    let entry = LogRecord::new(LogLevel::Error, "the disk is gone").item(id(1));
    session.log_error(&entry).unwrap();
    assert!(session.progress(id(1), &status(ItemStatus::Failed)).is_ok());
    assert!(!frames.look());
    assert_eq!(
        lines(&text.take()),
        [
            "1 item",
            "Mail: succeeded",
            "Mail: failed: the disk is gone"
        ]
    );
}

#[test]
fn an_error_of_a_retry_between_two_looks_is_its_reason() {
    let session = driven(1);
    let mut stage = Stage::wide(&session);
    start_round(&session, &[id(1)]);
    begin(&session, 1, 1, 4).stop().unwrap();
    stage.look();
    session.synchronize_completed(HResult::S_OK).unwrap();
    start_round(&session, &[id(1)]);
    let _ = begin(&session, 1, 1, 4);
    let entry = LogRecord::new(LogLevel::Error, "the disk is gone").item(id(1));
    session.log_error(&entry).unwrap();
    assert!(session.progress(id(1), &status(ItemStatus::Failed)).is_ok());
    let screen = stage.look();
    assert!(screen.contains("failed: the disk is gone"), "{screen}");
}

#[test]
fn what_a_retry_between_two_looks_has_done_is_done() {
    let session = driven(2);
    let mut stage = Stage::wide(&session);
    start_round(&session, &[id(1), id(2)]);
    begin(&session, 1, 0, 100).stop().unwrap();
    let _ = begin(&session, 2, 0, 100);
    stage.look();
    session.synchronize_completed(HResult::S_OK).unwrap();
    start_round(&session, &[id(1), id(2)]);
    begin(&session, 1, 100, 100).stop().unwrap();
    let _ = begin(&session, 2, 0, 100);
    let screen = stage.look();
    assert_eq!(total(&screen), "1 of 2 items 50% 100 of 200 1 cancelled");
}

#[test]
fn frames_that_are_dropped_leave_the_cursor_below() {
    let session = named(&["Mail"]);
    let terminal = InMemoryTerm::new(24, 100);
    let bars = Bars::new().draw_to(terminal.clone()).color(false);
    let mut frames = bars.session_frames(&session);
    let _ = begin(&session, 1, 1, 4);
    assert!(!frames.look());
    drop(frames);
    indicatif::TermLike::write_str(&terminal, "$").unwrap();
    assert!(
        terminal.contents().ends_with("\n$"),
        "{}",
        terminal.contents()
    );
}
