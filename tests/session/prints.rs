//! How the parts of a session print themselves, and what its shared handles tell.

use std::any::Any;

use syncmgr::{
    Completion, Connections, DialogArbiter, LogLevel, LogRecord, Phase, Session, SyncCallback,
};

use support::{id, open};

#[test]
fn phases_are_named_in_lower_case() {
    let named = [
        (Phase::Open, "open"),
        (Phase::Idle, "idle"),
        (Phase::Preparing, "preparing"),
        (Phase::Prepared, "prepared"),
        (Phase::Synchronizing, "synchronizing"),
        (Phase::Completed, "completed"),
        (Phase::Released, "released"),
    ];
    for (phase, name) in named {
        assert_eq!(phase.to_string(), name);
        assert_eq!(format!("{phase:>15}|"), format!("{name:>15}|"));
    }
}

#[test]
fn completions_are_named_as_the_calls() {
    assert_eq!(
        Completion::Prepare.to_string(),
        "prepare_for_sync_completed"
    );
    assert_eq!(Completion::Synchronize.to_string(), "synchronize_completed");
}

#[test]
fn a_session_says_how_long_its_log_is() {
    let session = open(1);
    for entries in 0..4 {
        let text = format!("{session:?}");
        assert!(text.contains(&format!("log: {entries}")), "{text}");
        let record = LogRecord::new(LogLevel::Warning, "w");
        assert_eq!(session.log_error(&record), Ok(()));
    }
}

#[test]
fn a_reporter_names_its_item() {
    let reporter = open(1).reporter(id(1)).expect("the item is known");
    let text = format!("{reporter:?}");
    assert!(text.starts_with("ItemReporter"), "{text}");
    assert!(text.contains(&id(1).to_string()), "{text}");
}

#[test]
fn connections_say_how_many_are_open() {
    let connector = |_: Option<&str>| Ok(Box::new(()) as Box<dyn Any + Send>);
    let connections = Connections::new(connector);
    let session = Session::builder()
        .connections(connections.clone())
        .build()
        .expect("a session without items builds");
    for open in 0..4 {
        let text = format!("{connections:?}");
        assert!(text.contains(&format!("open: {open}")), "{text}");
        assert_eq!(session.establish_connection(None), Ok(()));
    }
}

#[test]
fn an_arbiter_says_whether_its_turn_is_taken() {
    let arbiter = DialogArbiter::new();
    let session = Session::builder()
        .dialog_arbiter(arbiter.clone())
        .build()
        .expect("a session without items builds");
    assert!(!arbiter.is_taken());
    assert!(session.enable_modeless(true).is_ok());
    assert!(arbiter.is_taken());
    assert!(session.enable_modeless(false).is_ok());
    assert!(!arbiter.is_taken());
}

#[test]
fn a_driver_prints_its_session() {
    let session = support::driven(1);
    let text = format!("{:?}", session.driver());
    assert_eq!(text, format!("SessionDriver({session:?})"));
}
