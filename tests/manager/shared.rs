//! What the handlers of a manager share: the turn to show a dialog, connections, the log.

use std::any::Any;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};

use support::manager::{Records, handler_id, script, succeed};
use support::{id, within};
use syncmgr::testing::mock::{Script, Step};
use syncmgr::testing::{Action, Answer};
use syncmgr::{
    CallbackError, Dialog, ErrorId, HResult, HandlerFlags, LogFilter, LogLevel, LogRecord,
    SyncManager,
};

#[test]
fn one_dialog_at_a_time_over_all_handlers() {
    let manager = SyncManager::builder().concurrency(2).build();
    let records = Records::default();
    let (asked, done) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
    let granted = Arc::new(AtomicUsize::new(0));
    for n in 1..=2 {
        let (asked, done, granted) = (asked.clone(), done.clone(), granted.clone());
        let script = Script::new()
            .item(id(n), "item")
            .prepare([Step::call(move |callback| {
                asked.wait();
                let turn = callback.enable_modeless(true);
                done.wait(); // both have asked, and whoever has the turn still has it
                if turn == Ok(Dialog::Granted) {
                    granted.fetch_add(1, Ordering::SeqCst);
                    assert_eq!(callback.enable_modeless(false), Ok(Dialog::Granted));
                }
            })]);
        records.register(&manager, n, script);
    }
    let run = manager.update_all();
    assert!(within("the run", move || run.wait()).is_success());
    assert_eq!(granted.load(Ordering::SeqCst), 1);
    records.judge();
    assert!(!manager.dialog_arbiter().is_taken());
}

#[test]
fn a_turn_that_a_handler_forgets_or_panics_with_is_free_again() {
    let manager = SyncManager::builder().concurrency(1).build();
    let records = Records::default();
    let item = |n| Script::new().item(id(n), "item");
    records.register(&manager, 1, item(1).prepare([Step::enable_modeless(true)]));
    let panics = [
        Step::enable_modeless(true),
        Step::run(|| panic!("with the turn")),
    ];
    records.register(&manager, 2, item(2).prepare(panics));
    records.register(&manager, 3, item(3).prepare([Step::dialog()]));
    let run = manager.update_all();
    let _ = within("the run", move || run.wait());
    let asked: Vec<_> = records
        .traces()
        .iter()
        .map(|trace| {
            let mut calls = trace.calls().iter();
            let asks = Action::EnableModeless { enable: true };
            calls
                .find(|call| call.action == asks)
                .map(|call| call.answer.clone())
        })
        .collect();
    assert_eq!(asked, vec![Some(Answer::Dialog(Dialog::Granted)); 3]);
    assert!(!manager.dialog_arbiter().is_taken());
    records.judge();
}

/// Counts itself for as long as it is open.
struct Line(Arc<Mutex<Vec<&'static str>>>);

impl Drop for Line {
    fn drop(&mut self) {
        self.0.lock().unwrap().push("closed");
    }
}

#[test]
fn connections_stay_open_until_the_last_handler_of_the_run_has_finished() {
    let events: Arc<Mutex<Vec<&'static str>>> = Arc::default();
    let opened = events.clone();
    let manager = SyncManager::builder()
        .concurrency(1)
        .connector(
            move |name: Option<&str>| -> Result<Box<dyn Any + Send>, CallbackError> {
                if name == Some("nowhere") {
                    return Err(CallbackError::NotConnected);
                }
                opened.lock().unwrap().push("opened");
                Ok(Box::new(Line(opened.clone())))
            },
        )
        .build();
    let records = Records::default();
    let connects = Script::new()
        .flags(HandlerFlags::MAY_ESTABLISH_CONNECTION)
        .item(id(1), "item");
    records.register(
        &manager,
        1,
        connects.clone().prepare([
            Step::connect(Some("office")),
            Step::connect(Some("nowhere")),
        ]),
    );
    let panics = [
        Step::connect(None),
        Step::run(|| panic!("with a connection")),
    ];
    records.register(&manager, 2, connects.prepare(panics));
    let last = events.clone();
    let looks = Step::run(move || last.lock().unwrap().push("the last handler"));
    records.register(
        &manager,
        3,
        Script::new().item(id(3), "item").prepare([looks]),
    );
    let run = manager.update_all();
    let _ = within("the run", move || run.wait());
    records.judge();
    support::until("the connections are closed", || {
        events.lock().unwrap().len() == 5
    });
    let order = ["opened", "opened", "the last handler", "closed", "closed"];
    assert_eq!(*events.lock().unwrap(), order);
}

#[test]
fn without_a_connector_connections_are_refused() {
    let manager = SyncManager::new();
    let records = Records::default();
    let script = Script::new()
        .flags(HandlerFlags::MAY_ESTABLISH_CONNECTION)
        .item(id(1), "item")
        .prepare([Step::connect(None)]);
    records.register(&manager, 1, script);
    let run = manager.update_all();
    assert!(within("the run", move || run.wait()).is_success());
    let traces = records.traces();
    let mut calls = traces[0].calls().iter();
    let asked = calls
        .find(|call| call.action.name() == "establish_connection")
        .unwrap();
    assert_eq!(asked.answer, Answer::Refused(CallbackError::NotConnected));
}

#[test]
fn the_log_of_all_handlers_is_filtered_and_outlives_the_runs() {
    let manager = SyncManager::builder().concurrency(1).build();
    let records = Records::default();
    for n in 1..=2 {
        let log = |level, text, item| Step::log(&LogRecord::new(level, text).item(item));
        let script = script(n).synchronize(
            [
                log(LogLevel::Information, "fine", id(n)),
                log(LogLevel::Warning, "hm", id(n)),
                log(LogLevel::Error, "boom", id(9)),
                Step::log(&LogRecord::new(LogLevel::Error, "gone").error_id(ErrorId::from_u128(5))),
                Step::delete_log(syncmgr::LogSelector::ById(ErrorId::from_u128(5))),
            ]
            .into_iter()
            .chain(succeed(id(n))),
        );
        records.register(&manager, n, script);
    }
    let run = manager.update_all();
    let _ = within("the run", move || run.wait());
    let texts = |filter: &LogFilter| -> Vec<(u128, String)> {
        let log = manager.log(filter).into_iter();
        log.map(|entry| (entry.handler.unwrap().as_u128(), entry.text))
            .collect()
    };
    let all = LogFilter::new();
    assert_eq!(texts(&all).len(), 6, "what the handler deleted is gone");
    assert_eq!(texts(&all.clone().handler(handler_id(2))).len(), 3);
    assert_eq!(texts(&all.clone().item(id(9))).len(), 2);
    assert_eq!(texts(&all.clone().level(LogLevel::Warning)).len(), 4);
    let one = all
        .handler(handler_id(1))
        .item(id(1))
        .level(LogLevel::Warning);
    assert_eq!(texts(&one), [(1, "hm".to_owned())]);
}

#[test]
fn errors_are_shown_and_retried_within_the_bound() {
    let rounds = Arc::new(AtomicUsize::new(0));
    let manager = SyncManager::builder()
        .show_error_if(|_| true)
        .max_retries(3)
        .build();
    let records = Records::default();
    let count = rounds.clone();
    let error = ErrorId::from_u128(7);
    let script = Script::new()
        .item(id(1), "item")
        .prepare([Step::run(move || {
            count.fetch_add(1, Ordering::SeqCst);
        })])
        .synchronize([
            Step::report(id(1)).status(syncmgr::ItemStatus::Updating),
            Step::log(&LogRecord::new(LogLevel::Error, "again").jump_text(error)),
            Step::report(id(1)).status(syncmgr::ItemStatus::Failed),
        ])
        .show_error(
            [Step::complete_show_error(
                HResult::S_SYNCMGR_RETRYSYNC,
                [id(1)],
            )],
            Ok(()),
        );
    records.register(&manager, 1, script);
    let run = manager.update_all();
    let report = within("the run", move || run.wait());
    assert_eq!(report.handlers[0].1.rounds, 4, "one, and three retries");
    assert_eq!(rounds.load(Ordering::SeqCst), 4);
    records.judge();
}

#[test]
fn a_manager_that_is_dropped_cancels_what_runs_and_ends_what_waits() {
    let manager = SyncManager::builder().concurrency(1).build();
    let records = Records::default();
    let begun = Arc::new(Barrier::new(2));
    let here = begun.clone();
    let script_1 = Script::new().item(id(1), "item").synchronize([
        Step::report(id(1)).status(syncmgr::ItemStatus::Updating),
        Step::call(move |callback| {
            here.wait();
            support::until("the cancel", || {
                callback.can_continue(None) == Ok(syncmgr::Verdict::CancelAll)
            });
        }),
        Step::report(id(1)).value(1),
    ]);
    records.register(&manager, 1, script_1);
    records.register(&manager, 2, script(2));
    let run = manager.update_all();
    begun.wait();
    drop(manager);
    let report = within("the run", move || run.wait());
    let first = report.handler(handler_id(1)).unwrap();
    let session = first.session.clone().unwrap();
    assert_eq!(
        session.item(id(1)).unwrap().status,
        syncmgr::ItemStatus::Stopped
    );
    let second = report.handler(handler_id(2)).unwrap();
    assert_eq!(second.result, HResult::E_ABORT);
    assert_eq!(records.made(), 1);
    records.judge();
}
