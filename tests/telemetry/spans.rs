//! The spans that workers ask for, and those that the subscriber does not want.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use support::subscriber::Recorder;
use support::telemetry::{blocked_at, complete, follow, report, without_progress};
use support::{driven, id, items, join, open, start_round, status, until, value, view};
use syncmgr::{ItemStatus, LogLevel, LogRecord, Session, SyncCallback};

#[test]
fn a_worker_logs_inside_the_span_of_its_item() {
    let recorder = Recorder::new();
    let session = open(2);
    let telemetry = without_progress();
    let traced = follow(&recorder, &telemetry, &session);
    recorder.news();
    recorder.during(|| {
        let inside = telemetry.span(id(1)).entered(); // before the first report
        tracing::info!(target: "work", "begins");
        report(&session, 1, &value(1));
        traced.flush();
        let again = telemetry.span(id(1));
        assert_eq!(again.id(), inside.id(), "one span, whoever asks");
        tracing::info!(target: "work", "goes on");
        report(&session, 1, &status(ItemStatus::Succeeded));
        traced.flush();
        assert_eq!(
            recorder.news().last().map(String::as_str),
            Some("DEBUG status in item item 1: item 1: succeeded")
        );
        tracing::info!(target: "work", "late");
        drop(again);
        drop(inside); // the last that has it
        assert!(telemetry.span(id(1)).is_disabled(), "it is over");
        assert!(telemetry.span(id(9)).is_disabled(), "there is none");
    });
    assert_eq!(
        recorder.news(),
        ["INFO work in item item 1: late", "close item item 1"]
    );
    assert_eq!(
        recorder.span("item item 1").field("syncmgr.item.status"),
        Some("succeeded")
    );
    let told = recorder.events_of("work");
    let parents: Vec<_> = told
        .iter()
        .map(|event| recorder.label(event.parent))
        .collect();
    assert_eq!(parents, ["item item 1"; 3]);

    let kept = recorder.during(|| telemetry.span(id(2)));
    traced.finish();
    assert_eq!(
        recorder.span("item item 2").field("syncmgr.item.status"),
        Some("pending")
    );
    assert_eq!(
        recorder.news(),
        ["open item item 2 in handler", "close handler"]
    );
    assert!(
        recorder.during(|| telemetry.span(id(2))).is_disabled(),
        "nobody follows"
    );
    drop(kept);
    assert_eq!(recorder.news(), ["close item item 2"]);
}

#[test]
fn a_worker_opens_what_its_item_belongs_to() {
    let (recorder, block) = blocked_at("open handler");
    let session = open(1);
    let telemetry = without_progress();
    let traced = recorder.during(|| telemetry.session(&session));
    block.reached(); // the follower stands there, and a worker waits for it
    let asked = telemetry.clone();
    let worker = thread::spawn(move || asked.span(id(1)));
    block.open();
    let span = join("the worker", worker);
    assert!(!span.is_disabled());
    let opened = "open item item 1 in handler".to_owned();
    assert!(
        recorder.lines().contains(&opened),
        "{:#?}",
        recorder.lines()
    );
    drop(span);
    drop(traced);
}

#[test]
fn an_item_that_was_asked_for_and_then_left_out_has_its_span_closed() {
    let recorder = Recorder::new();
    let session = open(2);
    let telemetry = without_progress();
    let traced = follow(&recorder, &telemetry, &session);
    for n in [1, 2] {
        drop(telemetry.span(id(n)));
    }
    report(&session, 1, &status(ItemStatus::Skipped));
    traced.flush();
    let item = recorder.span("item item 1");
    assert_eq!(
        (item.open, item.field("syncmgr.item.status")),
        (false, Some("skipped"))
    );
    assert!(recorder.span("item item 2").open, "it may begin");
    assert_eq!(session.cancel_item(id(2)), Ok(()));
    traced.flush();
    assert_eq!(
        recorder.lines().last().map(String::as_str),
        Some("INFO cancel in item item 2: item 2: cancelled")
    );
    traced.finish();
    assert!(!recorder.span("item item 2").open);
}

#[test]
fn events_of_items_without_spans_go_to_what_they_belong_to() {
    let recorder = Recorder::without(&["syncmgr::item"]);
    let session = open(2);
    let telemetry = without_progress();
    let traced = follow(&recorder, &telemetry, &session);
    report(&session, 1, &status(ItemStatus::Failed));
    let span = telemetry.span(id(2));
    recorder.during(|| span.in_scope(|| tracing::info!(target: "work", "worked")));
    drop(span);
    report(&session, 2, &status(ItemStatus::Succeeded));
    traced.finish();
    assert_eq!(
        recorder.lines(),
        [
            "open handler in nothing",
            "DEBUG phase in handler: open",
            "INFO work in handler: worked",
            "ERROR status in handler: item 1: failed",
            "DEBUG status in handler: item 2: succeeded",
            "close handler",
        ]
    );
    let handler = recorder.span("handler");
    assert_eq!(
        handler.field("otel.status_description"),
        Some("1 of its items failed")
    );

    let recorder = Recorder::without(&["syncmgr::item", "syncmgr::handler"]);
    let session = open(1);
    let traced = recorder.during(|| {
        tracing::info_span!("nightly").in_scope(|| without_progress().session(&session))
    });
    report(&session, 1, &status(ItemStatus::Failed));
    traced.finish();
    let nightly = recorder.span("nightly");
    assert_eq!(nightly.fields.len(), 0, "what is not ours is not marked");
    assert_eq!(
        recorder.lines()[2],
        "ERROR status in nightly: item 1: failed"
    );
}

#[test]
fn each_item_has_one_span_however_workers_and_follower_meet() {
    const EACH: u128 = 150;
    const WORKERS: u128 = 4;
    let seed = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(1, |since| since.subsec_nanos().into());
    println!("seed {seed}");
    let recorder = Recorder::new();
    let session = Session::builder()
        .items(items(EACH * WORKERS))
        .journal_capacity(64)
        .build()
        .expect("distinct items build");
    let telemetry = without_progress().poll_interval(Duration::ZERO);
    let traced = recorder.during(|| telemetry.session(&session));
    thread::scope(|scope| {
        for worker in 0..WORKERS {
            let (telemetry, session, recorder) = (&telemetry, &session, &recorder);
            let mut random = seed ^ (u64::try_from(worker).expect("it is small") << 32);
            let mut one_in = move |many: u64| {
                random = random
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                (random >> 33) % many == 0
            };
            scope.spawn(move || {
                recorder.during(|| {
                    for n in worker * EACH + 1..=(worker + 1) * EACH {
                        let before = one_in(2).then(|| telemetry.span(id(n)));
                        report(session, n, &value(1));
                        if one_in(2) {
                            telemetry
                                .span(id(n))
                                .in_scope(|| tracing::info!(target: "work", "{n}"));
                        }
                        if one_in(8) {
                            thread::yield_now();
                        }
                        let end = if one_in(3) {
                            ItemStatus::Failed
                        } else {
                            ItemStatus::Succeeded
                        };
                        report(session, n, &status(end));
                        drop(before);
                    }
                });
            });
        }
    });
    complete(&session);
    traced.finish();
    assert_eq!(recorder.open().0, 0);
    for n in 1..=EACH * WORKERS {
        let item = recorder.span(&format!("item item {n}"));
        let ended = view(&session, n).status.to_string();
        assert_eq!(item.field("syncmgr.item.status"), Some(&*ended.to_string()));
        assert_eq!(recorder.label(item.parent), "handler");
    }
    for event in recorder.events_of("work") {
        let n = event.field("message").expect("it has one");
        assert_eq!(recorder.label(event.parent), format!("item item {n}"));
    }
}

#[test]
fn who_asks_as_an_item_ends_opens_no_second_span() {
    const ITEMS: u128 = 1_000;
    let asked = AtomicUsize::new(0);
    let recorder = Recorder::new();
    let session = open(ITEMS);
    let telemetry = without_progress().poll_interval(Duration::ZERO);
    let traced = follow(&recorder, &telemetry, &session);
    thread::scope(|scope| {
        scope.spawn(|| {
            recorder.during(|| {
                for n in 1..=ITEMS {
                    asked.store(n as usize, Ordering::SeqCst);
                    // Until it is over.
                    while !telemetry.span(id(n)).is_disabled() {}
                }
            });
        });
        for n in 1..=ITEMS {
            until("a worker asks", || {
                asked.load(Ordering::SeqCst) >= n as usize
            });
            report(&session, n, &status(ItemStatus::Succeeded));
        }
    });
    complete(&session);
    traced.finish();
    assert_eq!(recorder.open().0, 0);
    for n in 1..=ITEMS {
        let name = format!("item item {n}");
        assert_eq!(recorder.spans_of(&name).len(), 1, "{name}");
    }
    assert_eq!(recorder.events_of("syncmgr::status").len() as u128, ITEMS);
}

/// What an entry of the log says comes before the end that it explains, so a look that finds the end has to find the entry too.
#[test]
fn an_error_is_told_before_its_item_failed_and_in_its_span_whenever_a_look_comes() {
    const ITEMS: u128 = 2_000;
    let recorder = Recorder::new();
    let session = open(ITEMS);
    let telemetry = without_progress().poll_interval(Duration::ZERO);
    let traced = follow(&recorder, &telemetry, &session);
    for n in 1..=ITEMS {
        report(&session, n, &value(1));
        let text = format!("error {n}");
        let record = LogRecord::new(LogLevel::Error, &text).item(id(n));
        assert_eq!(session.log_error(&record), Ok(()));
        report(&session, n, &status(ItemStatus::Failed));
    }
    complete(&session);
    traced.finish();
    let errors = recorder.events_of("syncmgr::log");
    assert_eq!(errors.len() as u128, ITEMS, "each is told once");
    for n in 1..=ITEMS {
        let item = recorder.span(&format!("item item {n}"));
        let description = item.field("otel.status_description");
        assert_eq!(description, Some(&*format!("error {n}")));
    }
    for event in errors {
        let number = event
            .field("message")
            .and_then(|text| text.split(' ').nth(1));
        let number = number.expect("it was logged so");
        assert_eq!(recorder.label(event.parent), format!("item item {number}"));
    }
}

#[test]
fn the_work_of_a_retry_is_given_a_new_span() {
    let recorder = Recorder::new();
    let session = driven(1);
    let telemetry = without_progress();
    let traced = follow(&recorder, &telemetry, &session);
    for end in [ItemStatus::Failed, ItemStatus::Succeeded] {
        start_round(&session, &[id(1)]);
        let span = telemetry.span(id(1));
        report(&session, 1, &value(1));
        report(&session, 1, &status(end));
        drop(span);
        assert!(telemetry.span(id(1)).is_disabled(), "it is over");
        complete(&session);
        traced.flush();
    }
    session.driver().release();
    traced.finish();
    let spans = recorder.spans_of("item item 1");
    let told: Vec<_> = spans
        .iter()
        .map(|span| span.field("syncmgr.item.status"))
        .collect();
    assert_eq!(told, [Some("failed"), Some("succeeded")]);
    assert_eq!(recorder.open().0, 0);
}
