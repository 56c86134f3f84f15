//! A run of several handlers as spans and events of `tracing`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use support::gate::{Gate, finish, gated, goes_well, jump, named, shows_errors, succeed_in};
use support::manager::{Records, handler_id, succeed};
use support::subscriber::Recorder;
use support::telemetry::{stepped, without_progress};
use support::{id, until};
use syncmgr::per_item::{HandlerBuilder, from_items};
use syncmgr::testing::mock::{Script, Step};
use syncmgr::{
    HResult, HandlerId, ItemStatus, LogLevel, LogRecord, Participation, Prepared, ProgressUpdate,
    Registration, RunOptions, SyncCallback, SyncHandler, SyncManager, run_handler,
};

/// A script of items that succeed.
fn of(name: &str, items: &[u128]) -> Script {
    let script = items.iter().map(|n| named(*n));
    let script = script.fold(Script::new().name(name), Script::sync_item);
    script.synchronize(items.iter().flat_map(|n| succeed(id(*n))))
}

#[test]
fn a_run_is_told_as_a_tree() {
    let manager = SyncManager::new();
    let records = Records::default();
    let gate = Gate::new();
    records.register(&manager, 1, of("Mail", &[1, 2]));
    let waits = Script::new().name("Files").sync_item(named(3));
    records.register(&manager, 2, waits.synchronize(gated(id(3), &gate)));
    let recorder = Recorder::new();
    let run = manager.update_all();
    let traced = recorder
        .during(|| tracing::info_span!("caller").in_scope(|| stepped().name("nightly").run(&run)));
    gate.reached();
    until("the first handler's end", || {
        run.handler_report(handler_id(1)).is_some()
    });
    traced.flush();
    let open: BTreeSet<_> = {
        let spans = recorder.spans().into_iter().filter(|span| span.open);
        spans.map(|span| span.label()).collect()
    };
    let in_work = ["caller", "handler Files", "item item 3", "run nightly"];
    assert_eq!(open, in_work.map(str::to_owned).into());
    gate.open();
    goes_well(&run);
    traced.finish();

    for (label, parent) in [
        ("run nightly", "caller"),
        ("handler Mail", "run nightly"),
        ("handler Files", "run nightly"),
        ("item item 1", "handler Mail"),
        ("item item 2", "handler Mail"),
        ("item item 3", "handler Files"),
    ] {
        let span = recorder.span(label);
        assert_eq!(recorder.label(span.parent), parent, "{label}");
        assert!(!span.open, "{label}");
    }
    let run = recorder.span("run nightly");
    assert_eq!(
        (run.name, run.target.as_str()),
        ("syncmgr.run", "syncmgr::run")
    );
    assert_eq!(run.field("syncmgr.run.handlers"), Some("2"));
    assert_eq!(run.field("syncmgr.run.failed"), Some("0"));
    assert_eq!(run.field("otel.status_code"), None);
    let mail = recorder.span("handler Mail");
    assert_eq!(
        mail.field("syncmgr.handler.id"),
        Some(handler_id(1).to_string().as_str())
    );
    assert_eq!(
        mail.field("syncmgr.handler.result"),
        Some("S_OK (0x00000000)")
    );
    assert_eq!(mail.field("syncmgr.handler.rounds"), Some("1"));
    assert_eq!(mail.field("syncmgr.handler.finished"), Some("2"));

    let sums = recorder.events_of("syncmgr::progress").into_iter();
    let sums: Vec<_> = sums
        .filter(|event| event.field("syncmgr.total.items").is_some())
        .collect();
    assert!(
        sums.iter()
            .all(|event| recorder.label(event.parent) == "run nightly")
    );
    assert_eq!(
        sums.last()
            .and_then(|event| event.field("syncmgr.total.finished")),
        Some("3")
    );
    let last: Vec<_> = recorder.lines().split_off(recorder.lines().len() - 3);
    assert_eq!(
        last,
        ["close handler Files", "close run nightly", "close caller"]
    );
}

#[test]
fn a_run_that_is_over_is_told_whole() {
    let manager = SyncManager::new();
    let records = Records::default();
    for n in 1..=5 {
        records.register(&manager, n, of(&format!("number {n}"), &[n]));
    }
    let run = manager.update_all();
    let report = succeed_in(&run);
    let recorder = Recorder::new();
    recorder.during(|| without_progress().run(&run)).finish();
    let closed = recorder
        .lines()
        .into_iter()
        .filter(|line| line.starts_with("close"));
    assert_eq!(closed.count(), 11);
    assert_eq!(report.handlers.len(), 5);
    for n in 1..=5_u128 {
        let item = recorder.span(&format!("item item {n}"));
        assert_eq!(item.field("syncmgr.item.status"), Some("succeeded"));
        assert_eq!(recorder.label(item.parent), format!("handler number {n}"));
    }
}

#[test]
fn handlers_that_fail_are_marked_and_those_that_decline_are_not() {
    let manager = SyncManager::new();
    let records = Records::default();
    records.register(
        &manager,
        1,
        of("Declines", &[1]).participation(Ok(Participation::Declines)),
    );
    records.register(
        &manager,
        2,
        of("Refuses", &[2]).synchronized(Err(HResult::E_FAIL)),
    );
    let fails = Script::new().name("Fails").sync_item(named(3));
    let steps = [
        Step::report(id(3)).status(ItemStatus::Updating),
        Step::report(id(3))
            .status(ItemStatus::Failed)
            .text("no such letter"),
    ];
    records.register(&manager, 3, fails.synchronize(steps));
    let made = manager.register(
        handler_id(4),
        Registration::new(),
        || -> Arc<dyn SyncHandler> { std::panic::resume_unwind(Box::new("as wanted")) },
    );
    assert_eq!(made, Ok(()));
    let run = manager.update_all();
    let report = finish(&run);
    let recorder = Recorder::new();
    recorder.during(|| without_progress().run(&run)).finish();

    let handlers = recorder
        .spans()
        .into_iter()
        .filter(|span| span.name == "syncmgr.handler");
    let mut codes: Vec<_> = handlers.collect();
    codes.sort_by_key(|span| span.field("syncmgr.handler.id").map(str::to_owned));
    let of = |name| -> Vec<_> { codes.iter().map(|span| span.field(name)).collect() };
    let error = Some("ERROR");
    assert_eq!(of("otel.status_code"), [None, error, error, error]);
    assert_eq!(
        of("otel.status_description")[2],
        Some("1 of its items failed")
    );
    assert_eq!(
        of("syncmgr.handler.result")[0],
        Some("S_FALSE (0x00000001)")
    );
    for n in [2, 4] {
        let told = report.handler(handler_id(n)).expect("it is in the run");
        let place = usize::try_from(n).expect("it is small") - 1;
        assert_eq!(
            of("syncmgr.handler.result")[place],
            Some(told.result.to_string().as_str())
        );
        assert_eq!(of("otel.status_description")[place], told.error.as_deref());
    }
    let run = recorder.span("run");
    assert_eq!(run.field("syncmgr.run.failed"), Some("3"));
    assert_eq!(
        run.field("otel.status_description"),
        Some("3 of its handlers failed")
    );
    assert_eq!(recorder.open().0, 0);
}

#[test]
fn a_retry_by_the_host_counts_its_rounds() {
    let manager = shows_errors().build();
    let records = Records::default();
    let script = Script::new().name("Retries").sync_item(named(1));
    let script = script.synchronize([jump()].into_iter().chain(succeed(id(1))));
    let steps = [Step::complete_show_error(
        HResult::S_SYNCMGR_RETRYSYNC,
        [id(1)],
    )];
    records.register(&manager, 1, script.show_error(steps, Ok(())));
    let run = manager.update_all();
    let recorder = Recorder::new();
    let traced = recorder.during(|| without_progress().run(&run));
    let report = finish(&run);
    traced.finish();
    let rounds = report
        .handler(handler_id(1))
        .expect("it is in the run")
        .rounds;
    assert_eq!(rounds, 2);
    assert_eq!(
        recorder
            .span("handler Retries")
            .field("syncmgr.handler.rounds"),
        Some("2")
    );
}

#[test]
fn a_run_that_is_left_early_is_closed_as_it_stands() {
    let manager = SyncManager::new();
    let records = Records::default();
    let gate = Gate::new();
    let waits = Script::new().name("Files").sync_item(named(3));
    records.register(&manager, 1, waits.synchronize(gated(id(3), &gate)));
    let recorder = Recorder::new();
    let run = manager.update_all();
    let traced = recorder.during(|| without_progress().run(&run));
    gate.reached();
    traced.finish();
    assert_eq!(recorder.open().0, 0);
    assert_eq!(
        recorder.span("item item 3").field("syncmgr.item.status"),
        Some("updating")
    );
    assert_eq!(
        recorder
            .span("handler Files")
            .field("syncmgr.handler.result"),
        None
    );
    gate.open();
    goes_well(&run);
}

#[test]
fn the_work_of_a_handler_logs_inside_its_items() {
    let recorder = Recorder::new();
    let telemetry = without_progress().poll_interval(Duration::ZERO);
    let told = telemetry.clone();
    let worker = recorder.clone();
    let work = from_items((1..=20).map(named), move |work| {
        worker.during(|| {
            let _in = told.span(work.item().id).entered();
            tracing::info!(target: "work", "{}", work.item().name);
        });
        Ok(())
    });
    let handler = HandlerBuilder::new("Mail".parse().expect("it is short"), work)
        .workers(4)
        .build();
    let follower = recorder.clone();
    let options = RunOptions::new().on_session(move |session| {
        follower.during(|| telemetry.session(&session).detach());
    });
    assert!(run_handler(handler, options).is_success());
    until("the end", || {
        recorder
            .lines()
            .last()
            .is_some_and(|line| line == "close handler")
    });
    let events = recorder.events_of("work");
    assert_eq!(events.len(), 20);
    for event in events {
        let name = event.field("message").expect("it has one").to_owned();
        assert_eq!(recorder.label(event.parent), format!("item {name}"));
        let item = recorder.span(&format!("item {name}"));
        assert_eq!(item.field("syncmgr.item.status"), Some("succeeded"));
    }
}

/// A look reads the log first. What an item logs after that, and then ends by, belongs to the same look all the same.
#[test]
fn an_error_is_told_in_the_span_of_an_item_that_ends_during_the_look() {
    let manager = SyncManager::new();
    let records = Records::default();
    let gates = [Gate::new(), Gate::new()];
    for (n, gate) in (1..).zip(&gates) {
        let script = Script::new().name("Files").sync_item(named(n));
        records.register(&manager, n, script.synchronize(gated(id(n), gate)));
    }
    let run = manager.update_all();
    gates.iter().for_each(Gate::reached);
    let session = run.session(handler_id(2)).expect("it is driven");
    let telemetry = without_progress();
    let (worker, ended) = (telemetry.clone(), AtomicBool::new(false));
    // While the first handler is told, a worker of the second one opens its span, logs and fails.
    let recorder = Recorder::hooked(move |line| {
        let is_first = line.starts_with("DEBUG status in item item 1");
        if !is_first || ended.swap(true, Ordering::SeqCst) {
            return;
        }
        let opens = || drop(worker.span_in(handler_id(2), id(2)));
        thread::scope(|scope| scope.spawn(opens).join()).expect("it is opened");
        for text in ["no space", "no time"] {
            let record = LogRecord::new(LogLevel::Error, text).item(id(2));
            assert_eq!(session.log_error(&record), Ok(()));
        }
        let record = LogRecord::new(LogLevel::Error, "of no item");
        assert_eq!(session.log_error(&record), Ok(()));
        let failed = ProgressUpdate::new().status(ItemStatus::Failed);
        assert!(session.progress(id(2), &failed).is_ok());
    });
    let traced = recorder.during(|| telemetry.run(&run));
    traced.flush();
    let told = || {
        let events = recorder.events_of("syncmgr::log").into_iter();
        let told = events.map(|event| {
            let text = event.field("message").expect("it has one").to_owned();
            (recorder.label(event.parent), text)
        });
        told.collect::<Vec<_>>()
    };
    let of_item = |text: &str| ("item item 2".to_owned(), text.to_owned());
    // The next look tells what is left of the log, and nothing twice.
    traced.flush();
    let of_none = ("handler Files".to_owned(), "of no item".to_owned());
    let expected = [of_item("no space"), of_item("no time"), of_none];
    assert_eq!(told(), expected);
    let item = recorder.span("item item 2");
    assert_eq!(item.field("otel.status_description"), Some("no time"));
    assert!(!item.open);
    gates.iter().for_each(Gate::open);
    assert!(!run.wait().is_success(), "an item failed");
    traced.finish();
    assert_eq!(told().len(), 3);
}

#[test]
fn a_worker_names_its_handler_where_ids_are_the_same() {
    let manager = SyncManager::new();
    let gate = Gate::new();
    let telemetry = without_progress();
    let recorder = Recorder::new();
    for (n, name) in [(1, "Mail"), (2, "Files")] {
        let (told, gate, recorder) = (telemetry.clone(), gate.clone(), recorder.clone());
        let made = manager.register(handler_id(n), Registration::new(), move || {
            let (told, gate, recorder) = (told.clone(), gate.clone(), recorder.clone());
            let work = from_items([named(7)], move |work| {
                gate.pass(); // until the run is told
                recorder.during(|| {
                    let span = told.span_in(handler_id(n), work.item().id);
                    span.in_scope(|| tracing::info!(target: "work", "{name}"));
                    assert!(told.span_in(handler_id(3), id(7)).is_disabled());
                    assert!(!told.span(id(7)).is_disabled());
                });
                Ok(())
            });
            HandlerBuilder::new(name.parse().expect("it is short"), work).build()
        });
        assert_eq!(made, Ok(()));
    }
    let run = manager.update_all();
    let traced = recorder.during(|| telemetry.run(&run));
    gate.open();
    goes_well(&run);
    traced.finish();
    let events = recorder.events_of("work");
    assert_eq!(events.len(), 2);
    for event in events {
        let name = event.field("message").expect("it has one").to_owned();
        let spans = recorder.spans();
        let place = event.parent.and_then(|id| usize::try_from(id).ok());
        let item = &spans[place.expect("it is in a span") - 1];
        assert_eq!(item.label(), "item item 7");
        assert_eq!(recorder.label(item.parent), format!("handler {name}"));
    }
    assert_eq!(
        recorder.spans_of("item item 7").len(),
        2,
        "one in each handler"
    );
    assert!(
        telemetry
            .span_in(HandlerId::from_u128(1), id(7))
            .is_disabled()
    );
}

#[test]
fn what_a_handler_failed_by_is_told_where_it_says_nothing_itself() {
    let manager = SyncManager::new();
    let records = Records::default();
    // It completes with a failure, and has no words for it.
    let fails = Script::new().name("Fails").sync_item(named(1)).inline();
    let steps = succeed(id(1)).into_iter();
    let steps = steps.chain([Step::complete_synchronize(HResult::E_FAIL)]);
    records.register(
        &manager,
        1,
        fails
            .without_completions()
            .prepare(completes())
            .synchronize(steps),
    );
    // These leave items open, and say that all is well.
    for (n, name, items) in [(2, "Leaves", &[2, 3][..]), (4, "Leaves one", &[5])] {
        let leaves = items.iter().fold(Script::new().name(name), |script, item| {
            script.sync_item(named(*item))
        });
        let steps = [
            Step::report(id(items[0])).status(ItemStatus::Updating),
            Step::complete_synchronize(HResult::S_OK),
        ];
        records.register(
            &manager,
            n,
            leaves
                .inline()
                .without_completions()
                .prepare(completes())
                .synchronize(steps),
        );
    }
    // It completes what it has completed.
    let twice = Script::new().name("Twice").sync_item(named(4)).inline();
    let steps = succeed(id(4)).into_iter();
    let steps = steps.chain([
        Step::complete_synchronize(HResult::S_OK),
        Step::complete_synchronize(HResult::S_OK),
    ]);
    records.register(
        &manager,
        3,
        twice
            .without_completions()
            .prepare(completes())
            .synchronize(steps),
    );

    let run = manager.update_all();
    let report = finish(&run);
    let recorder = Recorder::new();
    recorder.during(|| without_progress().run(&run)).finish();
    let of = |n, name| {
        let told = report.handler(handler_id(n)).expect("it is in the run");
        let span = recorder.span(&format!("handler {name}"));
        let field = |name| span.field(name).map(str::to_owned);
        assert_eq!(
            field("syncmgr.handler.result"),
            Some(told.result.to_string())
        );
        assert_eq!(told.error, None, "{told:?}");
        let failed = field("otel.status_code");
        assert_eq!(failed.as_deref(), Some("ERROR"), "{told:?}");
        (told, field("otel.status_description").unwrap_or_default())
    };
    let (told, text) = of(1, "Fails");
    assert_eq!(told.result, HResult::E_FAIL);
    assert_eq!(text, HResult::E_FAIL.to_string());
    let (told, text) = of(2, "Leaves");
    assert_eq!(told.faults, []);
    assert_eq!(text, "2 items have no final status");
    let (_, text) = of(4, "Leaves one");
    assert_eq!(text, "1 item has no final status");
    let (told, text) = of(3, "Twice");
    assert_eq!(told.faults.len(), 1);
    assert_eq!(text, told.faults[0].to_string());
    assert_eq!(recorder.span("run").field("syncmgr.run.failed"), Some("4"));
}

fn completes() -> [Step; 1] {
    [Step::complete_prepare(HResult::S_OK)]
}

#[test]
fn a_run_without_a_span_marks_its_handlers_alone() {
    let manager = SyncManager::new();
    let records = Records::default();
    let fails = of("Fails", &[1]).synchronized(Err(HResult::E_FAIL));
    records.register(&manager, 1, fails);
    let run = manager.update_all();
    let _ = finish(&run);
    let recorder = Recorder::without(&["syncmgr::run"]);
    recorder.during(|| without_progress().run(&run)).finish();
    assert!(recorder.spans_of("run").is_empty());
    let handler = recorder.span("handler Fails");
    assert_eq!(handler.parent, None);
    assert_eq!(handler.field("otel.status_code"), Some("ERROR"));
    assert_eq!(handler.field("syncmgr.run.failed"), None);
    assert_eq!(recorder.open().0, 0);
}

#[test]
fn a_handler_that_returned_no_name_does_not_get_that_of_the_run() {
    let manager = SyncManager::new();
    let make = || -> Arc<dyn SyncHandler> { panic!("there is no handler") };
    manager
        .register(handler_id(1), Registration::new(), make)
        .unwrap();
    let recorder = Recorder::new();
    let run = manager.update_all();
    let _ = finish(&run);
    let handle = recorder.during(|| stepped().name("nightly").run(&run));
    handle.finish();
    let spans = recorder.spans();
    let handler = spans.iter().find(|span| span.name == "syncmgr.handler");
    let handler = handler.expect("it has a span");
    assert_eq!(handler.field("syncmgr.handler.name"), None);
}

#[test]
fn a_handler_that_needs_the_user_fails_only_by_its_unfinished_item() {
    let manager = SyncManager::builder().dialogs(false).build();
    let records = Records::default();
    let script = of("Mail", &[1]).prepared(Ok(Prepared::NeedsUser));
    records.register(&manager, 1, script);
    let recorder = Recorder::new();
    let run = manager.update_all();
    let handle = recorder.during(|| stepped().run(&run));
    let report = finish(&run);
    assert_eq!(report.handlers[0].1.result, HResult::S_FALSE);
    handle.finish();
    let handler = recorder.span("handler Mail");
    assert_eq!(
        handler.field("otel.status_description"),
        Some("1 item has no final status")
    );
    records.judge();
}

#[test]
fn a_failed_run_without_a_span_does_not_mark_the_span_around_it() {
    let manager = SyncManager::new();
    let make = || -> Arc<dyn SyncHandler> { panic!("there is no handler") };
    manager
        .register(handler_id(1), Registration::new(), make)
        .unwrap();
    let recorder = Recorder::without(&["syncmgr::run"]);
    let run = manager.update_all();
    let _ = finish(&run);
    let handle = recorder.during(|| {
        let caller = tracing::info_span!("caller", otel.status_code = tracing::field::Empty);
        caller.in_scope(|| stepped().run(&run))
    });
    handle.finish();
    assert_eq!(recorder.span("caller").field("otel.status_code"), None);
}
