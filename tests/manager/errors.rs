//! What handlers log, which errors are shown and retried, and who may show a dialog.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use support::gate::{
    Gate, answers, finish, gated, goes_well, named, of, rounds, status_of, update, wait_for,
};
use support::id;
use support::manager::{Records, handler_id, script, succeed};
use syncmgr::per_item;
use syncmgr::testing::mock::{Script, Step};
use syncmgr::testing::{Action, Answer, Trace};
use syncmgr::{
    CallbackError, Dialog, ErrorId, ErrorOutcome, HResult, ItemStatus, LogEntry, LogFilter,
    LogLevel, LogRecord, LogSelector, Registration, RunOptions, Session, SyncCallback, SyncEvent,
    SyncHandler, SyncManager, run_handler,
};

fn error(n: u128) -> ErrorId {
    ErrorId::from_u128(n)
}

/// An entry that can be followed.
fn jump(n: u128) -> Step {
    Step::log(&LogRecord::new(LogLevel::Error, "no space").jump_text(error(n)))
}

fn texts(manager: &SyncManager) -> Vec<String> {
    let log = manager.log(&LogFilter::new()).into_iter();
    log.map(|entry| entry.text).collect()
}

fn shown(trace: &Trace) -> Vec<ErrorId> {
    let calls = trace.calls().iter();
    calls
        .filter_map(|call| match call.action {
            Action::ShowError { error } => Some(error),
            _ => None,
        })
        .collect()
}

/// One item, an error in each round, and this answer to the showing of it.
fn fails(show: Step) -> Script {
    let steps = [jump(7)].into_iter().chain(succeed(id(1)));
    Script::new()
        .sync_item(named(1))
        .synchronize(steps)
        .show_error([show], Ok(()))
}

#[test]
fn all_that_an_entry_says_is_in_the_log_of_all_handlers() {
    let manager = SyncManager::new();
    let records = Records::default();
    let record = LogRecord::new(LogLevel::Warning, "kept both")
        .item(id(1))
        .error_id(error(3))
        .name("Conflict")
        .link("file:///conflict")
        .link_text("open it")
        .context("revision 8");
    let steps = [Step::log(&record)].into_iter().chain(succeed(id(1)));
    records.register(&manager, 1, script(1).synchronize(steps));
    update(&manager);
    let log: Vec<LogEntry> = manager.log(&LogFilter::new());
    assert_eq!(log.len(), 1);
    let entry = &log[0];
    assert_eq!(entry.handler, Some(handler_id(1)));
    assert_eq!(
        (entry.level, &*entry.text),
        (LogLevel::Warning, "kept both")
    );
    assert_eq!((entry.item, entry.error_id), (Some(id(1)), Some(error(3))));
    assert_eq!(entry.name.as_deref(), Some("Conflict"));
    assert_eq!(entry.link.as_deref(), Some("file:///conflict"));
    assert_eq!(entry.link_text.as_deref(), Some("open it"));
    assert_eq!(entry.context.as_deref(), Some("revision 8"));
    assert!(LogFilter::new().item(id(1)).matches(entry));
    assert!(!LogFilter::new().level(LogLevel::Error).matches(entry));
    assert_eq!(manager.log_lost(), 0);
    records.judge();
}

#[test]
fn the_log_of_a_run_that_goes_on_comes_last_and_shows_what_is_deleted_no_more() {
    let manager = SyncManager::new();
    let records = Records::default();
    let (gate, after) = (Gate::new(), Gate::new());
    let log = |text| Step::log(&LogRecord::new(LogLevel::Error, text).error_id(error(5)));
    let steps = [
        log("one"),
        log("two"),
        gate.step(),
        Step::delete_log(LogSelector::ById(error(5))),
        Step::log(&LogRecord::new(LogLevel::Error, "three")),
        after.step(),
    ];
    let slow = script(1).synchronize(steps.into_iter().chain(succeed(id(1))));
    records.register(&manager, 1, slow);
    let over = [Step::log(&LogRecord::new(LogLevel::Error, "over"))];
    records.register(&manager, 2, script(2).prepare(over));
    let first = manager.sync_items(handler_id(1), [id(1)]).unwrap();
    gate.reached();
    goes_well(&manager.sync_items(handler_id(2), [id(2)]).unwrap());
    assert_eq!(texts(&manager), ["over", "one", "two"]);
    gate.open();
    after.reached();
    assert_eq!(texts(&manager), ["over", "three"]);
    after.open();
    goes_well(&first);
    assert_eq!(texts(&manager), ["over", "three"]);
    assert_eq!(manager.log_lost(), 0, "what is deleted is not lost");
    records.judge();
}

#[test]
fn a_handler_deletes_what_it_logged_itself_and_nothing_of_others() {
    let manager = SyncManager::builder().concurrency(1).build();
    let records = Records::default();
    for n in 1..=2 {
        let mut steps = vec![
            Step::log(&LogRecord::new(LogLevel::Error, "same id").error_id(error(5))),
            Step::log(&LogRecord::new(LogLevel::Information, "no id")),
        ];
        if n == 2 {
            steps.push(Step::delete_log(LogSelector::All));
        }
        records.register(&manager, n, script(n).prepare(steps));
    }
    update(&manager);
    let log = manager.log(&LogFilter::new());
    assert_eq!(log.len(), 2);
    assert!(log.iter().all(|entry| entry.handler == Some(handler_id(1))));
    records.judge();
}

#[test]
fn the_oldest_entries_give_way_and_are_counted() {
    let manager = SyncManager::builder()
        .log_capacity(3)
        .concurrency(1)
        .build();
    let records = Records::default();
    for n in 1..=2 {
        let logs = (1..=2).map(|k| {
            let text = format!("{n}.{k}");
            Step::log(&LogRecord::new(LogLevel::Information, &text))
        });
        records.register(&manager, n, script(n).prepare(logs));
    }
    update(&manager);
    assert_eq!(texts(&manager), ["1.2", "2.1", "2.2"]);
    assert_eq!(manager.log_lost(), 1);
    update(&manager);
    assert_eq!(texts(&manager), ["1.2", "2.1", "2.2"]);
    assert_eq!(manager.log_lost(), 5);
    records.judge();
}

#[test]
fn a_log_that_keeps_nothing_counts_everything() {
    let manager = SyncManager::builder().log_capacity(0).build();
    let records = Records::default();
    let log = Step::log(&LogRecord::new(LogLevel::Error, "gone"));
    records.register(&manager, 1, script(1).prepare([log]));
    update(&manager);
    assert_eq!(texts(&manager), Vec::<String>::new());
    assert_eq!(manager.log_lost(), 1);
    records.judge();
}

#[test]
fn what_was_logged_before_a_hang_is_not_lost() {
    let manager = SyncManager::builder()
        .deadline(Duration::from_millis(200))
        .build();
    let records = Records::default();
    let hang = Gate::new();
    let steps = [
        Step::log(&LogRecord::new(LogLevel::Error, "before")),
        hang.step(),
    ];
    records.register(&manager, 1, script(1).prepare(steps));
    let report = finish(&manager.update_all());
    assert_eq!(of(&report, 1).abandoned_threads, 1);
    assert!(texts(&manager).contains(&"before".to_owned()));
    hang.open();
    records.judge();
}

#[test]
fn a_retry_is_made_as_often_as_it_is_asked_for() {
    let manager = SyncManager::builder().show_error_if(|_| true).build();
    let records = Records::default();
    let asked = AtomicUsize::new(0);
    let show = Step::call(move |callback| {
        let again = [id(1)];
        let outcome = match asked.fetch_add(1, Ordering::SeqCst) {
            0..3 => ErrorOutcome::Retry(&again),
            _ => ErrorOutcome::Done,
        };
        assert_eq!(callback.show_error_completed(outcome), Ok(()));
    });
    let script = fails(show).sync_item(named(2));
    records.register(&manager, 1, script);
    let report = finish(&manager.update_all());
    assert_eq!(of(&report, 1).rounds, 4);
    let trace = &records.traces()[0];
    let one = vec![id(1)];
    let both = vec![id(1), id(2)];
    assert_eq!(rounds(trace), [both, one.clone(), one.clone(), one]);
    assert_eq!(shown(trace), [error(7); 4]);
    assert_eq!(status_of(of(&report, 1), 1), Some(ItemStatus::Succeeded));
    records.judge();
}

#[test]
fn no_more_retries_are_made_than_are_allowed() {
    for allowed in [0, 1] {
        let manager = SyncManager::builder()
            .show_error_if(|_| true)
            .max_retries(allowed)
            .build();
        let records = Records::default();
        let again = HResult::S_SYNCMGR_RETRYSYNC;
        records.register(
            &manager,
            1,
            fails(Step::complete_show_error(again, [id(1)])),
        );
        let report = finish(&manager.update_all());
        assert_eq!(of(&report, 1).rounds, allowed + 1);
        records.judge();
    }
}

#[test]
fn only_what_the_user_wants_to_see_and_what_can_be_followed_is_shown() {
    let asked: Arc<Mutex<Vec<Option<ErrorId>>>> = Arc::default();
    let log = asked.clone();
    let manager = SyncManager::builder()
        .show_error_if(move |entry| {
            log.lock().unwrap().push(entry.error_id);
            entry.error_id != Some(error(2))
        })
        .build();
    let records = Records::default();
    let plain = LogRecord::new(LogLevel::Error, "no jump text").error_id(error(4));
    let steps = [jump(1), jump(2), Step::log(&plain), jump(3)];
    let script = Script::new()
        .sync_item(named(1))
        .synchronize(steps.into_iter().chain(succeed(id(1))))
        .show_error([Step::complete_show_error(HResult::S_OK, [])], Ok(()));
    records.register(&manager, 1, script);
    goes_well(&manager.update_all());
    assert_eq!(shown(&records.traces()[0]), [error(1), error(3)]);
    assert!(asked.lock().unwrap().contains(&Some(error(2))));
    records.judge();
}

#[test]
fn without_the_setting_no_error_is_shown() {
    let manager = SyncManager::new();
    let records = Records::default();
    records.register(
        &manager,
        1,
        fails(Step::complete_show_error(HResult::S_OK, [])),
    );
    update(&manager);
    assert_eq!(shown(&records.traces()[0]), []);
    records.judge();
}

#[test]
fn errors_of_one_handler_are_shown_while_others_work() {
    let manager = SyncManager::builder()
        .concurrency(2)
        .show_error_if(|_| true)
        .build();
    let records = Records::default();
    let gate = Gate::new();
    let busy = Script::new()
        .sync_item(named(2))
        .synchronize(gated(id(2), &gate));
    records.register(&manager, 2, busy);
    let seen = Gate::new();
    let show = seen.clone();
    let show = Step::call(move |callback| {
        show.pass();
        assert_eq!(callback.show_error_completed(ErrorOutcome::Done), Ok(()));
    });
    records.register(&manager, 1, fails(show));
    let run = manager.update_all();
    gate.reached();
    seen.reached();
    seen.open();
    gate.open();
    goes_well(&run);
    records.judge();
}

#[test]
fn where_nobody_may_be_bothered_a_dialog_is_granted_only_for_an_error_that_is_shown() {
    for (event, dialogs, expected) in [
        (SyncEvent::Manual, true, [Dialog::Granted; 3]),
        (
            SyncEvent::Scheduled,
            true,
            [Dialog::Denied, Dialog::Denied, Dialog::Granted],
        ),
        (SyncEvent::Manual, false, [Dialog::Denied; 3]),
        (SyncEvent::Scheduled, false, [Dialog::Denied; 3]),
    ] {
        let manager = SyncManager::builder()
            .dialogs(dialogs)
            .show_error_if(|_| true)
            .build();
        let records = Records::default();
        let steps = [Step::dialog(), jump(7)].into_iter().chain(succeed(id(1)));
        let script = Script::new()
            .sync_item(named(1))
            .prepare([Step::dialog()])
            .synchronize(steps)
            .show_error(
                [Step::dialog(), Step::complete_show_error(HResult::S_OK, [])],
                Ok(()),
            );
        records.register(&manager, 1, script);
        wait_for(&manager.signal(event));
        let traces = records.traces();
        let calls = traces[0].calls().iter();
        let asked: Vec<_> = calls
            .filter(|call| call.action == Action::EnableModeless { enable: true })
            .map(|call| call.answer.clone())
            .collect();
        assert_eq!(asked, expected.map(Answer::Dialog), "{event}, {dialogs}");
        assert!(!manager.dialog_arbiter().is_taken());
        records.judge();
    }
}

#[test]
fn a_dialog_of_the_host_keeps_the_handlers_from_showing_theirs() {
    let manager = SyncManager::new();
    let records = Records::default();
    records.register(&manager, 1, script(1).prepare([Step::dialog()]));
    let own = Session::builder()
        .dialog_arbiter(manager.dialog_arbiter())
        .build()
        .unwrap();
    assert_eq!(own.enable_modeless(true), Ok(Dialog::Granted));
    update(&manager);
    assert_eq!(own.enable_modeless(false), Ok(Dialog::Granted));
    update(&manager);
    let traces = records.traces();
    let first = |trace| answers(trace, "enable_modeless")[0].clone();
    assert_eq!(first(&traces[0]), Answer::Dialog(Dialog::Denied));
    assert_eq!(first(&traces[1]), Answer::Dialog(Dialog::Granted));
    records.judge();
}

#[test]
fn a_dialog_asked_for_twice_is_denied_the_second_time() {
    let manager = SyncManager::new();
    let records = Records::default();
    let asks = Step::call(|callback| {
        assert_eq!(callback.enable_modeless(true), Ok(Dialog::Granted));
        assert_eq!(callback.enable_modeless(true), Ok(Dialog::Denied));
        assert_eq!(callback.enable_modeless(false), Ok(Dialog::Granted));
        assert_eq!(callback.enable_modeless(true), Ok(Dialog::Granted));
        assert_eq!(callback.enable_modeless(false), Ok(Dialog::Granted));
    });
    records.register(&manager, 1, script(1).prepare([asks]));
    update(&manager);
    records.judge();
}

#[test]
fn a_full_log_in_a_retry_refuses_the_entry_and_nothing_else() {
    let manager = SyncManager::builder().show_error_if(|_| true).build();
    let records = Records::default();
    let round = AtomicUsize::new(0);
    let refused = Arc::new(AtomicUsize::new(0));
    let count = refused.clone();
    let logs = Step::call(move |callback| {
        if round.fetch_add(1, Ordering::SeqCst) == 0 {
            let record = LogRecord::new(LogLevel::Error, "once").jump_text(error(7));
            assert_eq!(callback.log_error(&record), Ok(()));
            return;
        }
        let record = LogRecord::new(LogLevel::Information, "again and again");
        for _ in 0..10_050 {
            match callback.log_error(&record) {
                Ok(()) => {}
                Err(error) => {
                    assert_eq!(error, CallbackError::LogFull);
                    count.fetch_add(1, Ordering::SeqCst);
                }
            }
        }
    });
    let again = Step::complete_show_error(HResult::S_SYNCMGR_RETRYSYNC, [id(1)]);
    let script = Script::new()
        .sync_item(named(1))
        .synchronize([logs].into_iter().chain(succeed(id(1))))
        .show_error([again], Ok(()));
    records.register(&manager, 1, script);
    let report = finish(&manager.update_all());
    assert!(report.is_success(), "{report:?}");
    assert_eq!(of(&report, 1).rounds, 2);
    assert_eq!(status_of(of(&report, 1), 1), Some(ItemStatus::Succeeded));
    assert_eq!(refused.load(Ordering::SeqCst), 51);
    assert_eq!(manager.log_lost(), 51);
    assert_eq!(texts(&manager).len(), 10_000);
    records.judge();
}

#[test]
fn selected_items_that_are_not_listed_leave_room_for_the_errors_of_the_handler() {
    let manager = SyncManager::builder().show_error_if(|_| true).build();
    let records = Records::default();
    let again = Step::complete_show_error(HResult::S_SYNCMGR_RETRYSYNC, [id(1)]);
    records.register(&manager, 1, fails(again));
    let gone = (2..=10_001).map(id);
    let run = manager
        .sync_items(handler_id(1), gone.chain([id(1)]))
        .unwrap();
    let report = finish(&run);
    assert!(of(&report, 1).rounds > 1, "it was not retried");
    assert_eq!(manager.log_lost(), 0);
    let logged = texts(&manager);
    let (summary, errors) = logged.split_first().unwrap();
    let names = [2, 3, 4].map(|n| id(n).to_string()).join(", ");
    assert_eq!(
        *summary,
        format!(
            "10000 selected items are not in the handler's list and are left out: {names} and \
             9997 more"
        )
    );
    assert!(
        errors[..2].iter().all(|text| text == "no space"),
        "{errors:?}"
    );
    records.judge();
}

#[test]
fn a_handler_whose_log_is_full_or_deleted_does_not_lose_the_summary_of_its_host() {
    let handler = |steps: Vec<Step>| {
        Script::new()
            .sync_item(named(1))
            .prepare(steps)
            .synchronize(succeed(id(1)))
            .handler()
    };
    let two_unknown = || RunOptions::new().select([1, 2, 3].map(id)).log_capacity(1);
    let names = [2, 3].map(|n| id(n).to_string()).join(", ");
    let summary =
        format!("2 selected items are not in the handler's list and are left out: {names}");
    let info = || Step::log(&LogRecord::new(LogLevel::Information, "one"));
    for (steps, expected) in [
        (vec![info()], vec![summary.as_str(), "one"]),
        (
            vec![info(), Step::delete_log(LogSelector::All)],
            vec![&summary],
        ),
        (
            vec![Step::delete_log(LogSelector::All), info()],
            vec![&summary, "one"],
        ),
    ] {
        let report = run_handler(handler(steps), two_unknown());
        let log = report.session.as_ref().unwrap().log();
        let texts: Vec<&str> = log.iter().map(|entry| entry.text.as_str()).collect();
        assert_eq!(texts, expected);
        assert_eq!(report.session.as_ref().unwrap().log_refused(), 0);
    }
}

#[test]
fn an_error_that_is_deleted_and_logged_again_before_it_is_shown_is_shown() {
    let manager = SyncManager::builder().show_error_if(|_| true).build();
    let records = Records::default();
    let anew = Step::call(|callback| {
        let _ = callback.delete_log_error(LogSelector::ById(error(8)));
        let record = LogRecord::new(LogLevel::Error, "again").jump_text(error(8));
        assert_eq!(callback.log_error(&record), Ok(()));
        let _ = callback.delete_log_error(LogSelector::ById(error(9)));
        assert_eq!(callback.show_error_completed(ErrorOutcome::Done), Ok(()));
    });
    let steps = [7, 8, 9].map(jump).into_iter().chain(succeed(id(1)));
    let script = Script::new()
        .sync_item(named(1))
        .synchronize(steps)
        .show_error([anew], Ok(()));
    records.register(&manager, 1, script);
    wait_for(&manager.update_all());
    assert_eq!(shown(&records.traces()[0]), [error(7), error(8)]);
    records.judge();
}

#[test]
fn the_managers_own_log_entries_are_numbered() {
    let manager = SyncManager::new();
    for n in [1, 2] {
        let make = || -> Arc<dyn SyncHandler> { panic!("there is no handler") };
        let registered = manager.register(handler_id(n), Registration::new(), make);
        assert_eq!(registered, Ok(()));
        let _ = finish(
            &manager
                .signal_handler(handler_id(n), SyncEvent::Manual)
                .unwrap(),
        );
    }
    let log = manager.log(&LogFilter::new());
    let numbers: Vec<u64> = log.iter().map(|entry| entry.sequence).collect();
    assert_eq!(numbers, [1, 2], "{log:?}");
}

#[test]
fn a_manager_retries_failed_items_as_often_as_it_is_told() {
    for (retries, success) in [(1, false), (2, true)] {
        let manager = SyncManager::builder().retries(retries).build();
        let attempts = Arc::new(AtomicUsize::new(0));
        let batch = per_item::each([("flaky", ())], move |_, ()| {
            match attempts.fetch_add(1, Ordering::SeqCst) {
                0..2 => Err("the server is busy".into()),
                attempt => Ok(attempt),
            }
        });
        let values = batch.values();
        let make = move || batch.handler();
        manager
            .register(handler_id(1), Registration::new(), make)
            .unwrap();
        let report = manager.update_all().wait();
        assert_eq!(report.is_success(), success, "{report:?}");
        let item = report.handlers[0].1.items()[0].id;
        assert_eq!(values.get(item, |attempt| *attempt), success.then_some(2));
    }
}
