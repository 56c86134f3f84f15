//! Followers whose subscriber blocks, panics or comes late, and how they end.

use std::fmt::Write;
use std::sync::{Arc, Mutex};

use std::time::Duration;

use support::hooked::OnWrite;
use support::subscriber::Recorder;
use support::telemetry::{blocked_at, complete, follow, report, stepped, without_progress};
use support::{id, items, open, status, until, value, within};
use syncmgr::telemetry::{Telemetry, TelemetryHandle};
use syncmgr::{ItemStatus, LogLevel, LogRecord, Session, SyncCallback};

#[test]
fn a_subscriber_that_blocks_holds_up_neither_a_worker_nor_the_drop() {
    for begin in ["open handler", "open item", "DEBUG status", "close item"] {
        let (recorder, block) = blocked_at(begin);
        let session = open(2);
        let telemetry = without_progress().poll_interval(Duration::ZERO);
        let traced = recorder.during(|| telemetry.session(&session));
        report(&session, 1, &value(1));
        if begin == "close item" {
            report(&session, 1, &status(ItemStatus::Succeeded));
        }
        block.reached();

        // It stands in the subscriber. Nobody else notices.
        let reporter = session.reporter(id(2)).expect("it is known");
        for n in 0..100_000 {
            assert!(reporter.set(n).is_ok());
        }
        assert_eq!(
            session.log_error(&LogRecord::new(LogLevel::Error, "x")),
            Ok(())
        );
        assert_eq!(reporter.succeed(), Ok(()));
        complete(&session);
        assert!(!traced.is_over());
        drop(traced);

        block.open();
        until("the follower's end", || {
            recorder
                .lines()
                .last()
                .is_some_and(|line| line == "close handler")
        });
        assert_eq!(recorder.open().0, 0);
        assert_eq!(
            recorder.span("item item 2").field("syncmgr.item.status"),
            Some("succeeded")
        );
    }
}

#[test]
fn a_journal_that_was_overrun_loses_no_item_and_tells_none_twice() {
    let recorder = Recorder::new();
    let session = Session::builder()
        .items(items(100))
        .journal_capacity(1)
        .build()
        .expect("distinct items build");
    let traced = follow(&recorder, &without_progress(), &session);
    assert_eq!(session.cancel_item(id(95)), Ok(()));
    for n in 1..=90 {
        report(&session, n, &value(1));
        let end = if n % 2 == 0 {
            ItemStatus::Succeeded
        } else {
            ItemStatus::Failed
        };
        report(&session, n, &status(end));
        if n % 30 == 0 {
            traced.flush();
        }
    }
    assert_eq!(
        session.log_error(&LogRecord::new(LogLevel::Error, "one")),
        Ok(())
    );
    assert_eq!(
        session.log_error(&LogRecord::new(LogLevel::Error, "two")),
        Ok(())
    );
    complete(&session);
    traced.finish();
    for n in 1..=100_u128 {
        let spans = recorder.spans_of(&format!("item item {n}"));
        let told: Vec<_> = spans
            .iter()
            .map(|span| span.field("syncmgr.item.status"))
            .collect();
        match n {
            91.. => assert_eq!(told, []),
            _ if n % 2 == 0 => assert_eq!(told, [Some("succeeded")]),
            _ => assert_eq!(told, [Some("failed")]),
        }
    }
    assert_eq!(recorder.events_of("syncmgr::status").len(), 90);
    assert_eq!(recorder.events_of("syncmgr::cancel").len(), 1);
    assert_eq!(recorder.events_of("syncmgr::log").len(), 2);
    assert_eq!(
        recorder.span("handler").field("syncmgr.handler.failed"),
        Some("45")
    );
}

#[test]
fn as_many_spans_are_open_as_items_are_in_work() {
    const COUNT: u128 = 20_000;
    let recorder = Recorder::new();
    let session = open(COUNT);
    let traced = follow(&recorder, &without_progress(), &session);
    assert_eq!(recorder.open(), (1, 1), "no item has begun");
    for n in 1..=COUNT / 2 {
        report(&session, n, &value(1));
        if n > 4 {
            report(&session, n - 4, &status(ItemStatus::Succeeded));
        }
        if n % 4 == 0 {
            traced.flush();
        }
    }
    traced.flush();
    assert_eq!(recorder.open().0, 5, "4 in work, and the handler");
    // In a look: the 4 of the last, and the 4 that have begun since.
    assert_eq!(recorder.open().1, 9);
    drop(traced);
    until("the end", || recorder.open().0 == 0);
    assert_eq!(recorder.spans().len() as u128, COUNT / 2 + 1);
}

#[test]
fn what_is_open_is_closed_as_it_stands_when_the_follower_leaves() {
    let recorder = Recorder::new();
    let session = open(1);
    let traced = follow(&recorder, &without_progress(), &session);
    report(&session, 1, &value(3).max(4));
    traced.finish();
    assert_eq!(recorder.open().0, 0);
    let item = recorder.span("item item 1");
    assert_eq!(item.field("syncmgr.item.status"), Some("updating"));
    assert_eq!(item.field("syncmgr.item.value"), Some("3"));
    assert_eq!(
        recorder.span("handler").field("syncmgr.handler.result"),
        None
    );
    report(&session, 1, &value(4)); // nobody follows
}

#[test]
fn a_subscriber_that_panics_loses_what_it_was_told_and_no_more() {
    for line in [
        "open item item 1",
        "DEBUG status in item item 1: item 1: updating",
        "close item item 1",
        "ERROR log in item item 1: x",
    ] {
        let recorder = Recorder::hooked(move |told| {
            if told.starts_with(line) {
                std::panic::resume_unwind(Box::new("as wanted")); // the panic hook is not called
            }
        });
        let session = open(2);
        let traced = follow(&recorder, &without_progress(), &session);
        for n in [1, 2] {
            report(&session, n, &value(1));
            let record = LogRecord::new(LogLevel::Error, "x").item(id(n));
            assert_eq!(session.log_error(&record), Ok(()));
        }
        traced.flush();
        report(&session, 1, &status(ItemStatus::Succeeded));
        report(&session, 2, &status(ItemStatus::Succeeded));
        complete(&session);
        traced.finish();
        assert_eq!(
            recorder.span("item item 2").field("syncmgr.item.status"),
            Some("succeeded")
        );
        let lines = recorder.lines();
        assert_eq!(
            lines.last().map(String::as_str),
            Some("close handler"),
            "{line}: {lines:#?}"
        );
        assert!(
            lines
                .iter()
                .any(|line| line == "ERROR log in item item 2: x"),
            "{lines:#?}"
        );
    }
}

#[test]
fn the_end_is_waited_for_no_longer_than_is_wanted() {
    let (recorder, block) = blocked_at("open handler");
    let session = open(1);
    let telemetry = without_progress();
    let traced = recorder.during(|| telemetry.session(&session));
    let other = recorder.during(|| telemetry.session(&session));
    block.reached();
    for _ in 0..2 {
        assert!(!traced.finish_within(Duration::ZERO));
    }
    block.open();
    for _ in 0..2 {
        assert!(traced.finish_within(Duration::MAX));
        assert!(other.finish_within(Duration::MAX));
    }
    assert!(traced.finish_within(Duration::ZERO), "it is over");
    until("the end", || recorder.open().0 == 0);
}

#[test]
fn the_follower_ends_by_itself() {
    let recorder = Recorder::new();
    let session = open(1);
    let telemetry = Telemetry::new().poll_interval(Duration::ZERO);
    let traced = recorder.during(|| telemetry.session(&session));
    let other = recorder.during(|| telemetry.session(&session));
    other.detach();
    assert!(!traced.is_over());
    complete(&session);
    until("its end", || traced.is_over());
    traced.flush(); // does nothing any more
    traced.finish();
    until("the other's end", || {
        recorder.spans_of("handler").len() == 2 && recorder.open().0 == 0
    });
}

#[test]
fn who_asks_from_inside_the_subscriber_does_not_wait_for_itself() {
    let slot: Arc<Mutex<Option<TelemetryHandle>>> = Arc::default();
    let session = open(1);
    let telemetry = without_progress().poll_interval(Duration::ZERO);
    let (inside, asked) = (Arc::clone(&slot), telemetry.clone());
    let recorder = Recorder::hooked(move |line| {
        if line.starts_with("open item") {
            assert!(asked.span(id(1)).is_disabled(), "it is just being opened");
            let traced = inside.lock().unwrap().take();
            let traced = traced.expect("it is opened once");
            traced.flush();
            traced.finish();
        }
    });
    *slot.lock().unwrap() = Some(follow(&recorder, &telemetry, &session));
    report(&session, 1, &value(1));
    until("the end", || {
        recorder.open().0 == 0 && !recorder.lines().is_empty()
    });
    let closed = recorder
        .lines()
        .into_iter()
        .skip_while(|line| !line.starts_with("close"));
    assert_eq!(
        closed.collect::<Vec<_>>(),
        ["close item item 1", "close handler"]
    );
}

#[test]
fn nothing_is_told_where_there_is_no_subscriber() {
    let session = open(1);
    let telemetry = stepped();
    let traced = telemetry.session(&session);
    report(&session, 1, &value(1));
    traced.flush();
    let _in = telemetry.span(id(1)).entered();
    complete(&session);
    traced.finish();
}

#[test]
fn telemetry_may_be_used_while_it_is_printed() {
    within("the text", || {
        let (telemetry, session) = (stepped(), open(1));
        let mut out = OnWrite(|| {
            let _span = telemetry.span(id(1));
            telemetry.session(&session).finish();
        });
        write!(out, "{telemetry:?}").expect("it takes everything");
    });
}
