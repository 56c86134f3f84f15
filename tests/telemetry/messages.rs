//! Messages are for people: nothing in the name or text of an item, or in a log entry, forges a line or commands a terminal.

use support::hostile::{ESCAPED, HOSTILE, is_harmless};
use support::subscriber::Recorder;
use support::telemetry::{complete, follow, report, stepped};
use support::{id, status, value};
use syncmgr::{ItemStatus, LogLevel, LogRecord, Session, SyncCallback, SyncItem};

#[test]
fn control_characters_are_escaped_in_messages_and_kept_in_fields() {
    let recorder = Recorder::new();
    let items = [1, 2].map(|n| SyncItem::new(id(n), HOSTILE.parse().expect("no NUL, and short")));
    let session = Session::builder().items(items).build().expect("two items");
    let telemetry = stepped();
    let traced = follow(&recorder, &telemetry, &session);
    report(&session, 1, &value(1).text(HOSTILE));
    let _ = session.set_handler_text(HOSTILE).expect("it is open");
    for level in [LogLevel::Information, LogLevel::Warning, LogLevel::Error] {
        let record = LogRecord::new(level, HOSTILE).item(id(1)).name(HOSTILE);
        session.log_error(&record).expect("there is room");
    }
    session.cancel_item(id(2)).expect("it takes part");
    traced.flush();
    session.cancel_item(id(1)).expect("it takes part");
    traced.flush();
    report(&session, 1, &status(ItemStatus::Failed).text(HOSTILE));
    report(&session, 2, &status(ItemStatus::Skipped));
    complete(&session);
    traced.finish();

    let mut escaped = 0;
    for target in ["status", "cancel", "log", "progress", "phase"] {
        for event in recorder.events_of(&format!("syncmgr::{target}")) {
            let message = event.fields.get("message").expect("each has one");
            is_harmless(message, false);
            escaped += usize::from(message.contains(ESCAPED));
        }
    }
    assert!(escaped >= 7, "{escaped}: {:?}", recorder.news());
    let log = recorder.events_of("syncmgr::log");
    let name = log[0].fields.get("syncmgr.log.name");
    assert_eq!(name.map(String::as_str), Some(HOSTILE), "data, as they are");
}
