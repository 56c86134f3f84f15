//! A session as spans and events of `tracing`: what is told, and where.

use std::time::Duration;
use support::subscriber;

use support::subscriber::Recorder;
use support::telemetry::{complete, follow, report, stepped, without_progress};
use support::{LIMIT, driven, id, ids, item, open, start_round, status, text, until, value};
use syncmgr::telemetry::Telemetry;
use syncmgr::{
    ErrorId, HResult, HandlerId, ItemStatus, LogLevel, LogRecord, Session, SyncCallback,
};
use tracing::Level;

#[test]
fn a_session_is_told_as_a_handler_and_its_items() {
    let recorder = Recorder::new();
    let session = open(2);
    let traced = follow(&recorder, &without_progress().name("Photos"), &session);
    assert_eq!(
        recorder.news(),
        [
            "open handler Photos in nothing",
            "DEBUG phase in handler Photos: open"
        ]
    );

    report(&session, 1, &value(3).max(10));
    traced.flush();
    assert_eq!(
        recorder.news(),
        [
            "open item item 1 in handler Photos",
            "DEBUG status in item item 1: item 1: updating"
        ]
    );

    report(&session, 1, &status(ItemStatus::Paused));
    traced.flush();
    traced.flush();
    assert_eq!(
        recorder.news(),
        ["DEBUG status in item item 1: item 1: paused"]
    );

    report(&session, 1, &value(10).text("all of it"));
    report(&session, 1, &status(ItemStatus::Succeeded));
    report(&session, 2, &status(ItemStatus::Succeeded));
    complete(&session);
    traced.finish();
    assert_eq!(
        recorder.news(),
        [
            "open item item 2 in handler Photos",
            "DEBUG status in item item 1: item 1: succeeded",
            "close item item 1",
            "DEBUG status in item item 2: item 2: succeeded",
            "close item item 2",
            "DEBUG phase in handler Photos: completed",
            "close handler Photos",
        ]
    );

    let item = recorder.span("item item 1");
    assert_eq!((item.name, item.level), ("syncmgr.item", Level::INFO));
    assert_eq!(item.target, "syncmgr::item");
    let one = id(1).to_string();
    let fields = [
        ("syncmgr.item.id", one.as_str()),
        ("syncmgr.item.max", "10"),
        ("syncmgr.item.name", "item 1"),
        ("syncmgr.item.status", "succeeded"),
        ("syncmgr.item.text", "all of it"),
        ("syncmgr.item.value", "10"),
    ];
    let told: Vec<_> = item
        .fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(told, fields);
    let handler = recorder.span("handler Photos");
    assert_eq!(
        (handler.name, handler.target.as_str()),
        ("syncmgr.handler", "syncmgr::handler")
    );
    assert_eq!(
        handler.field("syncmgr.handler.result"),
        Some("S_OK (0x00000000)")
    );
    assert_eq!(handler.field("syncmgr.handler.finished"), Some("2"));
    assert_eq!(handler.field("syncmgr.handler.failed"), Some("0"));
    assert_eq!(handler.field("otel.status_code"), None);
}

#[test]
fn the_handler_of_a_session_has_the_id_that_the_session_was_built_for() {
    let recorder = Recorder::new();
    let mail = HandlerId::from_u128(7);
    let session = Session::builder()
        .handler(mail)
        .build()
        .expect("it has no items");
    follow(&recorder, &stepped(), &session).finish();
    let handler = recorder.span("handler");
    assert_eq!(
        handler.field("syncmgr.handler.id"),
        Some(mail.to_string().as_str())
    );
    assert_eq!(
        handler.field("syncmgr.handler.result"),
        None,
        "nothing has completed it"
    );
}

#[test]
fn it_is_told_in_the_span_of_the_caller() {
    let recorder = Recorder::new();
    let session = open(1);
    let traced =
        recorder.during(|| tracing::info_span!("nightly").in_scope(|| stepped().session(&session)));
    complete(&session);
    traced.finish();
    let handler = recorder.span("handler");
    assert_eq!(recorder.label(handler.parent), "nightly");
    assert_eq!(recorder.open().0, 0, "{:#?}", recorder.lines());
    let last = recorder.lines().pop();
    assert_eq!(
        last.as_deref(),
        Some("close nightly"),
        "it is kept open that long"
    );
}

#[test]
fn log_entries_have_their_level_and_are_told_in_their_items_span() {
    let recorder = Recorder::new();
    let session = open(2);
    let traced = follow(&recorder, &without_progress(), &session);
    report(&session, 1, &status(ItemStatus::Updating));
    let error = ErrorId::from_u128(5);
    for record in [
        LogRecord::new(LogLevel::Information, "begins")
            .item(id(1))
            .name("start")
            .context("here"),
        LogRecord::new(LogLevel::Warning, "slow")
            .item(id(1))
            .link("https://example.org/slow"),
        LogRecord::new(LogLevel::Error, "gone")
            .item(id(1))
            .jump_text(error),
        LogRecord::new(LogLevel::Error, "waits").item(id(2)),
        LogRecord::new(LogLevel::Information, "for all"),
    ] {
        assert_eq!(session.log_error(&record), Ok(()));
    }
    report(&session, 1, &status(ItemStatus::Succeeded));
    traced.finish();
    assert_eq!(
        recorder.news()[2..],
        [
            "open item item 1 in handler",
            "INFO log in item item 1: begins",
            "WARN log in item item 1: slow",
            "ERROR log in item item 1: gone",
            "ERROR log in handler: waits",
            "INFO log in handler: for all",
            "DEBUG status in item item 1: item 1: succeeded",
            "close item item 1",
            "close handler",
        ]
    );
    let events = recorder.events_of("syncmgr::log");
    let field = |n: usize, name: &str| events[n].field(name).map(str::to_owned);
    assert_eq!(field(0, "syncmgr.log.name").as_deref(), Some("start"));
    assert_eq!(field(0, "syncmgr.log.context").as_deref(), Some("here"));
    assert_eq!(
        field(1, "syncmgr.log.link").as_deref(),
        Some("https://example.org/slow")
    );
    assert_eq!(field(2, "syncmgr.log.error_id"), Some(error.to_string()));
    assert_eq!(field(3, "syncmgr.item.id"), Some(id(2).to_string()));
    assert_eq!(field(4, "syncmgr.item.id"), None);
    for (entry, event) in session.log().iter().zip(&events) {
        let since = entry
            .time
            .duration_since(std::time::UNIX_EPOCH)
            .expect("the clock is right");
        let millis = event.field("syncmgr.log.time_unix_ms");
        assert_eq!(millis, Some(since.as_millis().to_string().as_str()));
    }
}

#[test]
fn log_entries_that_a_full_log_refused_are_counted() {
    let recorder = Recorder::new();
    let session = Session::builder()
        .log_capacity(0)
        .build()
        .expect("it has no items");
    for _ in 0..3 {
        let _ = session.log_error(&LogRecord::new(LogLevel::Error, "lost"));
    }
    follow(&recorder, &stepped(), &session).finish();
    let events = recorder.events_of("syncmgr::log");
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].level, Level::WARN);
    assert_eq!(events[0].field("syncmgr.log.refused"), Some("3"));
}

#[test]
fn what_failed_is_marked_and_says_why() {
    let recorder = Recorder::new();
    let session = open(4);
    let failed = || status(ItemStatus::Failed);
    let reporter = session.reporter(id(1)).expect("it is known");
    assert_eq!(
        reporter.fail(&std::io::Error::other("the disk is full")),
        Ok(())
    );
    report(&session, 2, &failed().text("no such letter"));
    report(&session, 3, &failed());
    report(&session, 4, &status(ItemStatus::Succeeded));
    complete(&session);
    follow(&recorder, &without_progress(), &session).finish();
    for (label, code, why) in [
        ("item item 1", Some("ERROR"), Some("the disk is full")),
        ("item item 2", Some("ERROR"), Some("no such letter")),
        ("item item 3", Some("ERROR"), Some("the item failed")),
        ("item item 4", None, None),
        ("handler", Some("ERROR"), Some("3 of its items failed")),
    ] {
        let span = recorder.span(label);
        assert_eq!(span.field("otel.status_code"), code, "{label}");
        assert_eq!(span.field("otel.status_description"), why, "{label}");
    }
    assert_eq!(
        recorder.span("handler").field("syncmgr.handler.failed"),
        Some("3")
    );
    let errors = recorder.events_of("syncmgr::status").into_iter();
    assert_eq!(
        errors.filter(|event| event.level == Level::ERROR).count(),
        3
    );
}

#[test]
fn a_session_that_failed_is_marked() {
    let recorder = Recorder::new();
    let session = driven(1);
    assert_eq!(session.driver().begin_prepare(&ids(1)), Ok(()));
    assert_eq!(
        session.prepare_for_sync_completed(HResult::E_ACCESSDENIED),
        Ok(())
    );
    session.driver().release();
    follow(&recorder, &stepped(), &session).finish();
    let handler = recorder.span("handler");
    assert_eq!(handler.field("otel.status_code"), Some("ERROR"));
    let code = HResult::E_ACCESSDENIED.to_string();
    assert_eq!(handler.field("syncmgr.handler.result"), Some(code.as_str()));
    assert_eq!(
        handler.field("otel.status_description"),
        Some(code.as_str())
    );
}

#[test]
fn an_item_that_fails_after_its_end_is_told_once_in_its_handler() {
    let recorder = Recorder::new();
    let session = open(1);
    let traced = follow(&recorder, &without_progress(), &session);
    report(&session, 1, &status(ItemStatus::Succeeded));
    traced.flush();
    recorder.news();
    report(&session, 1, &status(ItemStatus::Failed));
    traced.flush();
    traced.flush();
    assert_eq!(recorder.news(), ["ERROR status in handler: item 1: failed"]);
    traced.finish();
    let handler = recorder.span("handler");
    assert_eq!(handler.field("syncmgr.handler.finished"), Some("1"));
    assert_eq!(handler.field("syncmgr.handler.failed"), Some("1"));
}

#[test]
fn a_cancel_is_told_where_it_belongs() {
    let recorder = Recorder::new();
    let session = open(1_000);
    let traced = follow(&recorder, &without_progress(), &session);
    report(&session, 1, &status(ItemStatus::Updating));
    report(&session, 3, &status(ItemStatus::Updating));
    traced.flush();
    recorder.news();

    assert_eq!(session.cancel_item(id(1)), Ok(()));
    assert_eq!(session.cancel_item(id(2)), Ok(()));
    traced.flush();
    traced.flush();
    assert_eq!(
        recorder.news(),
        [
            "INFO cancel in item item 1: item 1: cancelled",
            "INFO cancel in handler: item 2: cancelled"
        ]
    );

    session.cancel_all();
    traced.flush();
    traced.flush();
    assert_eq!(
        recorder.news(),
        [
            "WARN cancel in handler: everything is cancelled",
            "INFO cancel in item item 3: item 3: cancelled"
        ],
        "998 items wait: they are not told one by one"
    );

    report(&session, 1, &status(ItemStatus::Stopped));
    report(&session, 2, &status(ItemStatus::Skipped));
    report(&session, 3, &status(ItemStatus::Stopped));
    complete(&session);
    traced.finish();
    assert_eq!(
        recorder.news(),
        [
            "DEBUG status in item item 1: item 1: stopped",
            "close item item 1",
            "DEBUG status in handler: item 2: skipped",
            "DEBUG status in item item 3: item 3: stopped",
            "close item item 3",
            "DEBUG phase in handler: completed",
            "close handler",
        ],
        "the work of item 2 never began: it has no span"
    );
    let handler = recorder.span("handler");
    assert_eq!(
        handler.field("otel.status_code"),
        None,
        "a cancel is no failure"
    );
    assert_eq!(handler.field("syncmgr.handler.finished"), Some("3"));
}

#[test]
fn progress_is_told_once_a_look_at_most_and_only_where_it_changed() {
    let recorder = Recorder::new();
    let session = open(2);
    let traced = follow(&recorder, &stepped(), &session);
    recorder.news();
    for look in 1..=3_u64 {
        for n in 0..100 {
            report(&session, 1, &value(look * 100 + n).max(1_000));
        }
        traced.flush();
        traced.flush();
    }
    report(&session, 1, &text("nearly there"));
    traced.flush();
    let events = recorder.events_of("syncmgr::progress");
    let (items, sums): (Vec<_>, Vec<_>) = events
        .iter()
        .partition(|event| event.field("syncmgr.item.id").is_some());
    let values: Vec<_> = items
        .iter()
        .map(|event| event.field("syncmgr.item.value"))
        .collect();
    assert_eq!(values, [Some("199"), Some("299"), Some("399"), Some("399")]);
    assert_eq!(items[0].field("syncmgr.item.max"), Some("1000"));
    assert_eq!(items[2].field("syncmgr.item.text"), None);
    assert_eq!(items[3].field("syncmgr.item.text"), Some("nearly there"));
    assert!(items.iter().all(|event| event.level == Level::TRACE));
    assert_eq!(recorder.label(items[0].parent), "item item 1");

    let values: Vec<_> = sums
        .iter()
        .map(|event| event.field("syncmgr.total.value"))
        .collect();
    assert_eq!(values, [Some("0"), Some("199"), Some("299"), Some("399")]);
    assert_eq!(sums[0].field("syncmgr.total.items"), Some("2"));
    assert!(sums.iter().all(|event| event.level == Level::DEBUG));
    assert_eq!(recorder.label(sums[0].parent), "handler");
    traced.finish();
}

#[test]
fn progress_is_not_told_before_its_time() {
    let recorder = Recorder::new();
    let session = open(1);
    let telemetry = stepped().progress_every(Duration::from_secs(3_600));
    let traced = follow(&recorder, &telemetry, &session);
    for n in 1..=50 {
        report(&session, 1, &value(n));
        traced.flush();
    }
    report(&session, 1, &status(ItemStatus::Succeeded));
    traced.finish();
    assert_eq!(recorder.events_of("syncmgr::progress").len(), 0);
    assert_eq!(
        recorder.span("item item 1").field("syncmgr.item.value"),
        Some("50")
    );
}

#[test]
fn a_retry_is_a_new_span() {
    let recorder = Recorder::new();
    let session = driven(2);
    let traced = follow(&recorder, &without_progress(), &session);
    start_round(&session, &ids(2));
    report(&session, 1, &value(5));
    report(&session, 1, &status(ItemStatus::Failed));
    report(&session, 2, &status(ItemStatus::Succeeded));
    complete(&session);
    traced.flush();
    start_round(&session, &[id(1)]);
    traced.flush();
    assert_eq!(
        recorder.spans_of("item item 1").len(),
        1,
        "it has not begun"
    );
    report(&session, 1, &value(7));
    traced.flush();
    report(&session, 1, &status(ItemStatus::Succeeded));
    complete(&session);
    session.driver().release();
    traced.finish();

    let spans = recorder.spans_of("item item 1");
    let told = |name| -> Vec<_> { spans.iter().map(|span| span.field(name)).collect() };
    assert_eq!(
        told("syncmgr.item.status"),
        [Some("failed"), Some("succeeded")]
    );
    assert_eq!(told("syncmgr.item.value"), [Some("5"), Some("7")]);
    assert_eq!(told("otel.status_code"), [Some("ERROR"), None]);
    assert_eq!(recorder.spans_of("item item 2").len(), 1);
    let handler = recorder.span("handler");
    assert_eq!(
        handler.field("syncmgr.handler.failed"),
        Some("0"),
        "it did in the end"
    );
    assert_eq!(handler.field("otel.status_code"), None);
    assert_eq!(
        handler.field("syncmgr.handler.result"),
        Some("S_OK (0x00000000)")
    );
}

#[test]
fn a_retry_that_was_seen_waiting_is_told_however_it_ends() {
    let recorder = Recorder::new();
    let session = driven(1);
    let traced = follow(&recorder, &without_progress(), &session);
    for _ in 0..2 {
        start_round(&session, &ids(1));
        traced.flush();
        report(&session, 1, &status(ItemStatus::Failed));
        complete(&session);
        traced.flush();
    }
    session.driver().release();
    traced.finish();
    assert_eq!(recorder.spans_of("item item 1").len(), 2);
    let handler = recorder.span("handler");
    assert_eq!(handler.field("syncmgr.handler.failed"), Some("1"));
}

#[test]
fn a_retry_between_two_looks_is_told_as_far_as_it_shows() {
    let recorder = Recorder::new();
    let session = driven(3);
    let traced = follow(&recorder, &without_progress(), &session);
    let fail = |n| report(&session, n, &status(ItemStatus::Failed));
    start_round(&session, &ids(3));
    report(&session, 1, &value(1)); // in work at the first look
    fail(2);
    fail(3);
    traced.flush();
    fail(1);
    complete(&session);
    start_round(&session, &ids(3));
    report(&session, 2, &status(ItemStatus::Succeeded));
    fail(3);
    traced.flush();
    report(&session, 1, &status(ItemStatus::Succeeded));
    complete(&session);
    session.driver().release();
    traced.finish();
    let told = |n| -> Vec<String> {
        let spans = recorder.spans_of(&format!("item item {n}"));
        let status = |span: &subscriber::Span| span.field("syncmgr.item.status").map(str::to_owned);
        spans.iter().filter_map(status).collect()
    };
    assert_eq!(
        told(1),
        ["pending", "succeeded"],
        "its failure was not seen, but that it began anew"
    );
    assert_eq!(told(2), ["failed", "succeeded"]);
    assert_eq!(
        told(3),
        ["failed"],
        "the second failure looks like the first"
    );
    assert_eq!(
        recorder.span("handler").field("syncmgr.handler.failed"),
        Some("1")
    );
}

#[test]
fn items_that_are_added_while_it_runs_are_told() {
    let recorder = Recorder::new();
    let session = open(1);
    let traced = follow(&recorder, &without_progress(), &session);
    assert_eq!(session.add_item(item(7)), Ok(()));
    traced.flush();
    assert_eq!(recorder.spans_of("item item 7").len(), 0);
    report(&session, 7, &status(ItemStatus::Updating));
    traced.flush();
    report(&session, 7, &status(ItemStatus::Deleted));
    traced.finish();
    let span = recorder.span("item item 7");
    assert_eq!(span.field("syncmgr.item.status"), Some("deleted"));
    assert!(!span.open);
}

#[test]
fn the_handlers_line_of_text_is_told_as_progress_is() {
    let recorder = Recorder::new();
    let session = open(1);
    let traced = follow(&recorder, &stepped(), &session);
    for text in ["one", "two", "two"] {
        assert!(session.set_handler_text(text).is_ok());
        traced.flush();
    }
    let events = recorder.events_of("syncmgr::progress");
    let texts = events
        .iter()
        .filter_map(|event| event.field("syncmgr.handler.text"));
    assert_eq!(texts.collect::<Vec<_>>(), ["one", "two"]);
    traced.finish();
    let session = open(1);
    assert!(session.set_handler_text("three").is_ok());
    follow(&recorder, &without_progress(), &session).finish();
    assert_eq!(recorder.events_of("syncmgr::progress").len(), events.len());
}

#[test]
fn telemetry_by_default_is_a_new_one_and_its_follower_says_whether_it_is_over() {
    let telemetry = Telemetry::default();
    assert_eq!(format!("{telemetry:?}"), format!("{:?}", Telemetry::new()));
    let recorder = Recorder::new();
    let session = open(1);
    let traced = recorder.during(|| telemetry.poll_interval(Duration::MAX).session(&session));
    traced.flush();
    assert_eq!(format!("{traced:?}"), "TelemetryHandle { over: false, .. }");
    complete(&session);
    traced.flush();
    until("the follower has ended", || traced.is_over());
    assert_eq!(format!("{traced:?}"), "TelemetryHandle { over: true, .. }");
    assert_eq!(recorder.open().0, 0);
}

#[test]
fn a_follower_ends_in_the_time_that_it_is_given() {
    for _ in 0..20 {
        let recorder = Recorder::new();
        let session = open(1);
        let traced = follow(&recorder, &stepped(), &session);
        complete(&session);
        assert!(traced.finish_within(LIMIT));
        assert_eq!(recorder.open().0, 0);
    }
}

#[test]
fn an_item_of_a_session_is_found_by_the_handler_that_the_session_was_built_for() {
    let recorder = Recorder::new();
    let (mail, files) = (HandlerId::from_u128(7), HandlerId::from_u128(8));
    let session = Session::builder().handler(mail).item(item(1)).build();
    let session = session.expect("one item builds");
    let telemetry = without_progress();
    let traced = follow(&recorder, &telemetry, &session);
    recorder.during(|| {
        assert!(telemetry.span_in(files, id(1)).is_disabled());
        assert!(telemetry.span_in(HandlerId::NIL, id(1)).is_disabled());
        assert!(telemetry.span_in(mail, id(2)).is_disabled());
        let span = telemetry.span_in(mail, id(1));
        span.in_scope(|| tracing::info!(target: "work", "by its handler"));
    });
    complete(&session);
    traced.finish();
    let event = &recorder.events_of("work")[0];
    assert_eq!(recorder.label(event.parent), "item item 1");
    assert_eq!(recorder.spans_of("item item 1").len(), 1);

    // One that was built for none is that of the nil id.
    let session = open(1);
    let traced = follow(&recorder, &telemetry, &session);
    recorder.during(|| {
        assert!(telemetry.span_in(mail, id(1)).is_disabled());
        assert!(!telemetry.span_in(HandlerId::NIL, id(1)).is_disabled());
    });
    complete(&session);
    traced.finish();
}

#[test]
fn an_item_that_takes_no_part_is_not_told() {
    let recorder = Recorder::new();
    let session = driven(2);
    let traced = follow(&recorder, &without_progress(), &session);
    let _ = recorder.news();
    // The second is seen once more, since it is out.
    start_round(&session, &ids(1));
    traced.flush();
    assert!(!session.item(id(2)).expect("it is known").selected);
    report(&session, 1, &status(ItemStatus::Succeeded));
    complete(&session);
    traced.flush();
    session.driver().release();
    traced.finish();
    let lines = recorder.news();
    assert!(
        lines.iter().any(|line| line.contains("item 1: succeeded")),
        "{lines:?}"
    );
    assert!(
        !lines.iter().any(|line| line.contains("item 2")),
        "{lines:?}"
    );
}

#[test]
fn where_the_subscriber_wants_no_spans_events_are_told_all_the_same() {
    let recorder = Recorder::without(&["syncmgr::run", "syncmgr::handler", "syncmgr::item"]);
    let session = open(1);
    let traced = follow(&recorder, &without_progress(), &session);
    report(&session, 1, &status(ItemStatus::Failed));
    complete(&session);
    traced.finish();
    assert!(recorder.spans().is_empty());
    assert_eq!(
        recorder.news(),
        [
            "DEBUG phase in nothing: open",
            "ERROR status in nothing: item 1: failed",
            "DEBUG phase in nothing: completed",
        ]
    );
}

#[test]
fn the_settings_are_printed_and_each_keeps_the_others() {
    let telemetry = Telemetry::new()
        .name("nightly")
        .progress_every(Duration::from_secs(7))
        .poll_interval(Duration::MAX);
    let text = format!("{telemetry:?}");
    for part in [
        "nightly",
        "7s",
        "poll_interval",
        &format!("{:?}", Duration::MAX),
    ] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn a_worker_finds_the_span_of_a_session_that_was_followed_before_another() {
    let recorder = Recorder::new();
    let telemetry = without_progress();
    let (first, second) = (open(1), open(2));
    let followed = [&first, &second].map(|session| follow(&recorder, &telemetry, session));
    report(&first, 1, &value(1));
    second.driver().release();
    recorder.during(|| assert!(!telemetry.span(id(1)).is_disabled()));
    for handle in followed {
        handle.finish();
    }
}

#[test]
fn a_skipped_item_that_has_made_progress_gets_a_span() {
    let recorder = Recorder::new();
    let session = open(2);
    let handle = follow(&recorder, &without_progress(), &session);
    report(&session, 1, &value(3));
    report(&session, 1, &status(ItemStatus::Skipped));
    report(&session, 2, &status(ItemStatus::Skipped));
    handle.finish();
    let span = recorder.span("item item 1");
    assert_eq!(span.field("syncmgr.item.status"), Some("skipped"));
    assert_eq!(span.field("syncmgr.item.max"), None, "it has none");
    assert!(recorder.spans_of("item item 2").is_empty());
}

#[test]
fn an_item_fails_by_its_last_error_and_not_by_a_later_warning() {
    let recorder = Recorder::new();
    let session = open(1);
    let handle = follow(&recorder, &without_progress(), &session);
    report(&session, 1, &value(1));
    handle.flush();
    for (level, text) in [(LogLevel::Error, "disk full"), (LogLevel::Warning, "slow")] {
        let record = LogRecord::new(level, text).item(id(1));
        assert_eq!(session.log_error(&record), Ok(()));
    }
    report(&session, 1, &status(ItemStatus::Failed).text("gave up"));
    handle.finish();
    let span = recorder.span("item item 1");
    assert_eq!(span.field("otel.status_description"), Some("disk full"));
}
