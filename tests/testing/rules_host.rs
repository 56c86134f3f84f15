//! M01 to M10: hosts that break one rule, driven by hand, and hosts that break none, `run_handler` with every option among
//! them.

use std::any::Any;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;
use support::handler;
use support::rules;

use syncmgr::testing::{Recorder, Rule, Trace, Violation};
use syncmgr::{
    CallbackError, Connections, Connector, Dialog, DialogArbiter, ErrorId, ErrorOutcome, HResult,
    HandlerError, HandlerFlags, HandlerId, HandlerInfo, HandlerName, HandlerReport, ItemId,
    ItemStatus, LogLevel, LogRecord, LogSelector, Prepared, ProgressUpdate, PropertiesOutcome,
    RunOptions, Session, SyncCallback, SyncEvent, SyncFlags, SyncHandler, Verdict, run_handler,
};

use support::handler::{Script, Seen};
use support::rules::{
    Skipped, clean, copy, copy_all, copy_parts, finish, named, obedient, only, tells,
};
use support::{LIMIT, id, ids, items, receive, status, value, within};

/// A callback that takes everything, and answers what it is told to: what a broken host may have.
#[derive(Default)]
struct Lax {
    grants: AtomicBool,
    verdict: Mutex<Option<Verdict>>,
    /// Tells that a completion has begun, and holds it until the host's word, which is that it is gone.
    holds: Mutex<Option<(mpsc::Sender<()>, mpsc::Receiver<()>)>>,
}

impl Lax {
    fn hold(&self) {
        let held = self.holds.lock().unwrap().take();
        if let Some((begun, go_on)) = held {
            begun.send(()).unwrap();
            assert_eq!(
                go_on.recv_timeout(LIMIT),
                Err(RecvTimeoutError::Disconnected)
            );
        }
    }

    /// Holds the next completion: its begin comes out of the receiver, and it returns once the sender is dropped.
    fn hold_next(&self) -> (mpsc::Receiver<()>, mpsc::Sender<()>) {
        let ((begun, has_begun), (go_on, told)) = (mpsc::channel(), mpsc::channel());
        *self.holds.lock().unwrap() = Some((begun, told));
        (has_begun, go_on)
    }
}

impl SyncCallback for Lax {
    fn progress(&self, _: ItemId, _: &ProgressUpdate<'_>) -> Result<Verdict, CallbackError> {
        Ok(self.verdict.lock().unwrap().unwrap_or(Verdict::Continue))
    }
    fn log_error(&self, _: &LogRecord<'_>) -> Result<(), CallbackError> {
        Ok(())
    }
    fn delete_log_error(&self, _: LogSelector) -> Result<(), CallbackError> {
        Ok(())
    }
    fn prepare_for_sync_completed(&self, _: HResult) -> Result<(), CallbackError> {
        self.hold();
        Ok(())
    }
    fn synchronize_completed(&self, _: HResult) -> Result<(), CallbackError> {
        self.hold();
        Ok(())
    }
    fn show_error_completed(&self, _: ErrorOutcome<'_>) -> Result<(), CallbackError> {
        Ok(())
    }
    fn show_properties_completed(&self, _: PropertiesOutcome) -> Result<(), CallbackError> {
        Ok(())
    }
    fn enable_modeless(&self, enable: bool) -> Result<Dialog, CallbackError> {
        match enable && !self.grants.load(Ordering::SeqCst) {
            true => Ok(Dialog::Denied),
            false => Ok(Dialog::Granted),
        }
    }
    fn establish_connection(&self, _: Option<&str>) -> Result<(), CallbackError> {
        Ok(())
    }
}

/// A host by hand: each step is one call, and nothing keeps it from calling out of order.
struct Host {
    recorder: Recorder,
    callback: Arc<Lax>,
    handler: Arc<dyn SyncHandler>,
}

impl Host {
    fn of(script: Script) -> Self {
        let recorder = Recorder::new();
        let handler = recorder.handler(script.build());
        Self {
            recorder,
            callback: Arc::new(Lax::default()),
            handler,
        }
    }

    /// A host that has done all up to the callback.
    fn begun(script: Script) -> Self {
        let host = Self::of(script);
        host.start();
        host.set_callback();
        host
    }

    fn start(&self) {
        self.start_with(SyncFlags::new(SyncEvent::Manual), None);
    }

    fn start_with(&self, flags: SyncFlags, cookie: Option<&[u8]>) {
        let _joins = self.handler.initialize(flags, cookie).unwrap();
        let _info = self.handler.info().unwrap();
        let _items = self.handler.items().unwrap();
    }

    fn set_callback(&self) {
        self.handler
            .set_progress_callback(Some(self.callback.clone()))
            .unwrap();
    }

    fn prepare(&self, items: &[ItemId]) {
        let _answer = self.handler.clone().prepare_for_sync(items);
    }

    fn synchronize(&self) {
        let _answer = self.handler.clone().synchronize();
    }

    fn skip(&self, item: ItemId) {
        let _answer = self.handler.set_item_status(item, ItemStatus::Skipped);
    }

    /// Takes the callback away and lets go of the handler.
    fn release(self) -> Trace {
        self.handler.set_progress_callback(None).unwrap();
        self.drop()
    }

    /// Lets go of the handler.
    fn drop(self) -> Trace {
        drop(self.handler);
        self.recorder.trace()
    }
}

#[track_caller]
fn breach(trace: &Trace, rule: Rule, at: usize) -> &Violation {
    let found = only(trace, rule);
    tells(found, at, &[], &[]);
    assert!(!found.rule.binds_handler());
    found
}

// M01 -------------------------------------------------------------------------------------------------------------

/// A handler that refuses a synchronize that should not have come.
fn wary(n: u128) -> Script {
    obedient(n).synchronize(|handler| {
        let count = |like: fn(&Seen) -> bool| handler.count(like);
        let prepared = count(|seen| matches!(seen, Seen::Prepare(_)));
        if count(|seen| *seen == Seen::Synchronize) > prepared {
            return Err(HResult::E_UNEXPECTED.into());
        }
        copy_all(handler);
        handler.complete_synchronize(HResult::S_OK);
        Ok(())
    })
}

#[test]
fn m01_a_host_that_does_not_look_at_the_result_of_the_prepare() {
    let host = Host::begun(obedient(1).prepare(|handler| {
        handler.complete_prepare(HResult::E_FAIL);
        Ok(Prepared::Started)
    }));
    host.prepare(&[id(1)]);
    host.synchronize();
    let trace = host.release();
    let found = breach(
        &trace,
        Rule::SynchronizeAfterPrepare,
        named(&trace, "synchronize")[0],
    );
    let completed = named(&trace, "prepare_for_sync_completed")[0];
    assert!(found.related_calls.contains(&completed), "{found:?}");
}

#[test]
fn m01_a_host_that_does_not_wait_for_the_completion() {
    let host = Host::begun(
        wary(1)
            .prepare(|_| Ok(Prepared::Started))
            .synchronize(|handler| {
                handler.complete_prepare(HResult::S_OK);
                copy_all(handler);
                handler.complete_synchronize(HResult::S_OK);
                Ok(())
            }),
    );
    host.prepare(&[id(1)]);
    host.synchronize();
    let trace = host.release();
    let _ = breach(
        &trace,
        Rule::SynchronizeAfterPrepare,
        named(&trace, "synchronize")[0],
    );
}

#[test]
fn m01_a_host_that_synchronizes_twice_or_without_a_prepare() {
    let host = Host::begun(wary(1));
    host.prepare(&[id(1)]);
    host.synchronize();
    host.synchronize();
    let trace = host.release();
    let _ = breach(
        &trace,
        Rule::SynchronizeAfterPrepare,
        named(&trace, "synchronize")[1],
    );

    let host = Host::begun(wary(1));
    host.synchronize();
    let trace = host.release();
    let _ = breach(
        &trace,
        Rule::SynchronizeAfterPrepare,
        named(&trace, "synchronize")[0],
    );
}

// M02, M03 --------------------------------------------------------------------------------------------------------

#[test]
fn m02_a_host_that_prepares_nothing() {
    let host = Host::begun(obedient(1));
    host.prepare(&[]);
    host.synchronize();
    let trace = host.release();
    let _ = breach(
        &trace,
        Rule::NothingWithoutSelection,
        named(&trace, "prepare_for_sync")[0],
    );
}

#[test]
fn m03_a_host_that_sets_the_callback_too_late() {
    let refuses = || {
        obedient(1)
            .prepare(|_| Err(HandlerError::failed("no callback")))
            .show_properties(|_, _| Err(HandlerError::failed("no callback")))
    };
    let host = Host::of(refuses());
    host.start();
    host.prepare(&[id(1)]);
    host.set_callback();
    let trace = host.release();
    let _ = breach(
        &trace,
        Rule::CallbackAroundUse,
        named(&trace, "prepare_for_sync")[0],
    );

    let host = Host::of(refuses());
    host.start();
    let _refused = host.handler.clone().show_properties(Some(id(1)));
    let trace = host.drop();
    let _ = breach(
        &trace,
        Rule::CallbackAroundUse,
        named(&trace, "show_properties")[0],
    );
}

#[test]
fn m03_a_host_that_forgets_to_take_the_callback_away() {
    let host = Host::begun(obedient(1));
    host.prepare(&[id(1)]);
    host.synchronize();
    let trace = host.drop();
    println!("{trace}");
    let _ = breach(&trace, Rule::CallbackAroundUse, trace.calls().len() - 1);
}

#[test]
fn m03_a_handler_that_was_never_given_a_callback_needs_none_taken_away() {
    let host = Host::of(obedient(1));
    host.start();
    clean(&host.drop());
}

// M04 -------------------------------------------------------------------------------------------------------------

#[test]
fn m04_another_status_than_skipped() {
    let (host, finish) = half_way();
    let _answer = host.handler.set_item_status(id(1), ItemStatus::Failed);
    finish.send(()).unwrap();
    let trace = ended(host);
    let _ = breach(
        &trace,
        Rule::SkipInItsWindows,
        named(&trace, "set_item_status")[0],
    );
}

#[test]
fn m04_a_skip_before_the_prepare_and_after_the_end() {
    let host = Host::begun(obedient(1));
    host.skip(id(1));
    host.prepare(&[id(1)]);
    host.synchronize();
    let trace = host.release();
    let _ = breach(
        &trace,
        Rule::SkipInItsWindows,
        named(&trace, "set_item_status")[0],
    );

    let host = Host::begun(obedient(1));
    host.prepare(&[id(1)]);
    host.synchronize();
    host.handler.set_progress_callback(None).unwrap();
    host.skip(id(1));
    let trace = host.drop();
    let _ = breach(
        &trace,
        Rule::SkipInItsWindows,
        named(&trace, "set_item_status")[0],
    );
}

#[test]
fn m04_a_skip_before_the_call_has_returned() {
    for in_prepare in [true, false] {
        let other: Arc<Mutex<Option<Arc<dyn SyncHandler>>>> = Arc::default();
        let skips = Arc::clone(&other);
        let skip = move || {
            let handler = skips.lock().unwrap().take().unwrap();
            thread::spawn(move || handler.set_item_status(id(1), ItemStatus::Skipped))
                .join()
                .unwrap()
        };
        let script = if in_prepare {
            obedient(1).prepare(move |handler| {
                skip()?;
                handler.complete_prepare(HResult::S_OK);
                Ok(Prepared::Started)
            })
        } else {
            obedient(1).synchronize(move |handler| {
                skip()?;
                finish(&*handler.callback(), id(1), ItemStatus::Skipped);
                handler.complete_synchronize(HResult::S_OK);
                Ok(())
            })
        };
        let script = if in_prepare {
            script.synchronize(|handler| {
                finish(&*handler.callback(), id(1), ItemStatus::Skipped);
                handler.complete_synchronize(HResult::S_OK);
                Ok(())
            })
        } else {
            script
        };
        let host = Host::begun(script);
        *other.lock().unwrap() = Some(host.handler.clone());
        host.prepare(&[id(1)]);
        host.synchronize();
        let trace = host.release();
        let _ = breach(
            &trace,
            Rule::SkipInItsWindows,
            named(&trace, "set_item_status")[0],
        );
    }
}

/// A host whose handler is at work on a thread of its own until it is sent for.
fn half_way() -> (Host, mpsc::Sender<()>) {
    let (finish_now, sent_for) = mpsc::channel();
    let sent_for = Arc::new(Mutex::new(sent_for));
    let host = Host::begun(obedient(1).synchronize(move |handler| {
        let sent_for = Arc::clone(&sent_for);
        let callback = handler.callback();
        let _ = callback.progress(id(1), &status(ItemStatus::Updating));
        thread::spawn(move || {
            receive("the host's word", &sent_for.lock().unwrap());
            finish(&*callback, id(1), ItemStatus::Stopped);
            let _taken = callback.synchronize_completed(HResult::S_OK);
        });
        Ok(())
    }));
    host.prepare(&[id(1)]);
    host.synchronize();
    (host, finish_now)
}

/// Waits for the completion, and releases.
fn ended(host: Host) -> Trace {
    support::until("the completion", || {
        let trace = host.recorder.trace();
        let completed = named(&trace, "synchronize_completed");
        completed
            .iter()
            .any(|place| trace.calls()[*place].has_returned())
    });
    host.release()
}

#[test]
fn m04_a_skip_that_crosses_the_completion_is_in_time() {
    // The completion was called, and the host has not acted on it yet.
    let host = Host::begun(obedient(1));
    host.prepare(&[id(1)]);
    host.skip(id(1));
    clean(&host.release());

    let (host, finish) = half_way();
    host.skip(id(1));
    finish.send(()).unwrap();
    clean(&ended(host));
}

// M05, M06, M07 ---------------------------------------------------------------------------------------------------

#[test]
fn m05_a_host_that_shows_what_cannot_be_shown() {
    let plain = ErrorId::from_u128(1);
    let logs = move || {
        obedient(1)
            .synchronize(move |handler| {
                let callback = handler.callback();
                callback.log_error(&LogRecord::new(LogLevel::Error, "full").error_id(plain))?;
                copy_all(handler);
                handler.complete_synchronize(HResult::S_OK);
                Ok(())
            })
            .show_error(|_, _| Err(HandlerError::NotImplemented))
    };
    for shown in [plain, ErrorId::from_u128(99), ErrorId::NIL] {
        let host = Host::begun(logs());
        host.prepare(&[id(1)]);
        host.synchronize();
        let _refused = host.handler.clone().show_error(shown);
        let trace = host.release();
        let _ = breach(
            &trace,
            Rule::ShowErrorOnlyForJumpText,
            named(&trace, "show_error")[0],
        );
    }
}

#[test]
fn m06_a_host_that_passes_a_cookie_with_another_event() {
    for (event, is_breach) in [
        (SyncEvent::Manual, true),
        (SyncEvent::Scheduled, true),
        (SyncEvent::Invoke, false),
    ] {
        let host = Host::of(obedient(1));
        host.start_with(SyncFlags::new(event), Some(b"photos"));
        let trace = host.drop();
        if is_breach {
            let _ = breach(&trace, Rule::CookieOnlyWithInvoke, 0);
        } else {
            clean(&trace);
        }
    }
    // The event may come without one.
    let host = Host::of(obedient(1));
    host.start_with(SyncFlags::new(SyncEvent::Invoke), None);
    clean(&host.drop());
}

#[test]
fn m07_is_told_by_no_trace_of_one_run() {
    let host = Host::begun(obedient(1).items(|_| Ok(syncmgr::ItemList::Incomplete(items(1)))));
    host.prepare(&[id(1)]);
    host.synchronize();
    let trace = host.release();
    clean(&trace);
    let undecided = |rule: Rule| trace.undecided().iter().any(|entry| entry.rule == rule);
    assert!(!undecided(Rule::KeepChoicesOfUnlisted));
}

// M08 -------------------------------------------------------------------------------------------------------------

fn connects(n: u128) -> Script {
    obedient(n).info(|_| {
        let name = HandlerName::try_from("connects")?;
        Ok(HandlerInfo::new(name).flags(HandlerFlags::MAY_ESTABLISH_CONNECTION))
    })
}

#[derive(Debug)]
struct Line;

fn line(_: Option<&str>) -> Result<Box<dyn Any + Send>, CallbackError> {
    Ok(Box::new(Line))
}

#[test]
fn m08_a_host_that_hangs_up_while_the_handler_works() {
    let connection: Arc<Mutex<Option<Box<dyn Any + Send>>>> = Arc::default();
    let hang_up = Arc::clone(&connection);
    let host = Host::begun(connects(1).synchronize(move |handler| {
        copy_all(handler);
        drop(hang_up.lock().unwrap().take()); // the host's timer
        handler.complete_synchronize(HResult::S_OK);
        Ok(())
    }));
    host.prepare(&[id(1)]);
    let connector = host.recorder.connector(line);
    *connection.lock().unwrap() = Some(connector.open(Some("vpn")).unwrap());
    host.synchronize();
    let trace = host.release();
    println!("{trace}");
    let closed = rules::places(&trace, |call| {
        matches!(
            call.action,
            syncmgr::testing::Action::ConnectionClosed { .. }
        )
    });
    assert_eq!(closed.len(), 1, "{trace}");
    let _ = breach(&trace, Rule::ConnectionsOutliveHandlers, closed[0]);
}

#[test]
fn m08_connections_may_be_closed_when_the_work_has_ended() {
    let host = Host::begun(connects(1));
    let connector = host.recorder.connector(line);
    host.prepare(&[id(1)]);
    let connection = connector.open(None).unwrap();
    host.synchronize();
    let recorder = host.recorder.clone();
    let _trace = host.release();
    drop(connection);
    clean(&recorder.trace());
}

// M09, M10 --------------------------------------------------------------------------------------------------------

#[test]
fn m09_a_host_that_grants_two_turns() {
    // The handler's second question is a breach of its own (H11): no handler that obeys lets this be seen.
    let host = Host::of(obedient(1).synchronize(|handler| {
        let callback = handler.callback();
        let _first = callback.enable_modeless(true)?;
        let _second = callback.enable_modeless(true)?;
        let _back = callback.enable_modeless(false)?;
        copy_all(handler);
        handler.complete_synchronize(HResult::S_OK);
        Ok(())
    }));
    host.callback.grants.store(true, Ordering::SeqCst);
    host.start_with(
        SyncFlags::new(SyncEvent::Manual) | SyncFlags::MAY_BOTHER_USER,
        None,
    );
    host.set_callback();
    host.prepare(&[id(1)]);
    host.synchronize();
    let trace = host.release();
    println!("{}", trace.report());
    let asked = named(&trace, "enable_modeless");
    let found = trace
        .violations()
        .iter()
        .find(|found| found.rule == Rule::OneDialogAtATime);
    tells(found.expect("M09 is broken"), asked[1], &[asked[0]], &[]);
    let other = |rule: &Rule| !matches!(rule, Rule::OneDialogAtATime | Rule::DialogTurns);
    assert!(!rules::broken(&trace).iter().any(other), "{trace}");
}

#[test]
fn m10_a_host_that_forgets_the_cancel() {
    let session = support::driven(1);
    let user = session.clone();
    let recorder = Recorder::new();
    let cancels = recorder.clone();
    let script = obedient(1).synchronize(move |handler| {
        let callback = handler.callback();
        let _ = callback.progress(id(1), &status(ItemStatus::Updating))?;
        cancels.cancel_item(&user, id(1))?;
        // The callback is not the session's, and knows nothing of it.
        let _ = callback.progress(id(1), &value(1))?;
        let _ = callback.progress(id(1), &value(2))?;
        finish(&*callback, id(1), ItemStatus::Succeeded);
        handler.complete_synchronize(HResult::S_OK);
        Ok(())
    });
    let handler = recorder.handler(script.build());
    let host = Host {
        recorder,
        callback: Arc::default(),
        handler,
    };
    host.start();
    host.set_callback();
    host.prepare(&[id(1)]);
    host.synchronize();
    let trace = host.release();
    let cancelled = rules::places(&trace, |call| {
        matches!(call.action, syncmgr::testing::Action::CancelItem { .. })
    });
    let found = only(&trace, Rule::CancelIsSeen);
    tells(
        found,
        rules::reports(&trace, id(1))[1],
        &[cancelled[0]],
        &["item 1"],
    );
    assert_eq!(found.repeats, 2);
}

#[test]
fn m10_a_host_that_takes_a_cancel_back() {
    let host = Host::begun(obedient(2));
    let callback = host.callback.clone();
    let host = {
        let script = obedient(2).synchronize(move |handler| {
            let told = handler.callback();
            let _ = told.progress(id(1), &status(ItemStatus::Updating))?;
            *callback.verdict.lock().unwrap() = Some(Verdict::CancelItem);
            let _ = told.progress(id(1), &value(1))?;
            *callback.verdict.lock().unwrap() = None;
            let _ = told.progress(id(1), &ProgressUpdate::CHECK)?;
            finish(&*told, id(1), ItemStatus::Stopped);
            copy(&*told, id(2));
            handler.complete_synchronize(HResult::S_OK);
            Ok(())
        });
        let recorder = Recorder::new();
        let handler = recorder.handler(script.build());
        Host {
            recorder,
            callback: host.callback.clone(),
            handler,
        }
    };
    host.start();
    host.set_callback();
    host.prepare(&ids(2));
    host.synchronize();
    let trace = host.release();
    let of_item = rules::reports(&trace, id(1));
    let found = only(&trace, Rule::CancelIsSeen);
    tells(found, of_item[2], &[of_item[1]], &["item 1"]);
}

#[test]
fn m10_a_retry_forgives_the_cancel() {
    let host = Host::begun(obedient(1));
    for verdict in [Some(Verdict::CancelItem), None] {
        *host.callback.verdict.lock().unwrap() = verdict;
        host.prepare(&[id(1)]);
        host.synchronize();
    }
    clean(&host.release());
}

// Good hosts ------------------------------------------------------------------------------------------------------

#[test]
fn a_host_that_does_all_in_order_is_clean() {
    let host = Host::begun(obedient(2));
    host.prepare(&ids(2));
    host.synchronize();
    host.prepare(&[id(2)]); // a retry
    let _listed = host.handler.items().unwrap(); // it may list again at any time
    host.synchronize();
    clean(&host.release());
}

#[test]
fn a_completion_that_has_not_returned_when_the_error_is_shown() {
    // The host acts on a completion while the worker is still inside the call.
    let script = obedient(1)
        .synchronize(|handler| {
            let handler = Arc::clone(handler);
            thread::spawn(move || {
                let record = LogRecord::new(LogLevel::Error, "full").jump_text(FULL);
                let _taken = handler.callback().log_error(&record);
                copy_all(&handler);
                handler.complete_synchronize(HResult::S_OK);
            });
            Ok(())
        })
        .show_error(|handler, _| {
            let callback = handler.callback();
            let _granted = callback.enable_modeless(true)?;
            let _back = callback.enable_modeless(false)?;
            callback.show_error_completed(ErrorOutcome::Done)?;
            Ok(())
        });
    let host = Host::begun(script);
    host.callback.grants.store(true, Ordering::SeqCst);
    host.prepare(&[id(1)]);
    let (begun, go_on) = host.callback.hold_next();
    host.synchronize();
    receive("the completion", &begun);
    host.handler.clone().show_error(FULL).unwrap();
    drop(go_on);
    clean(&ended(host));
}

const FULL: ErrorId = ErrorId::from_u128(0xF);

#[test]
fn completions_that_have_not_returned_when_the_host_goes_on() {
    // A worker for each step; the host acts on each completion while the worker is still inside the call.
    let on_thread = |work: fn(&handler::Scripted)| {
        move |handler: &Arc<handler::Scripted>| {
            let handler = Arc::clone(handler);
            thread::spawn(move || work(&handler));
        }
    };
    let prepare = on_thread(|handler| handler.complete_prepare(HResult::S_OK));
    let synchronize = on_thread(|handler| {
        copy_all(handler);
        handler.complete_synchronize(HResult::S_OK);
    });
    let host = Host::begun(
        connects(2)
            .prepare(move |handler| {
                prepare(handler);
                Ok(Prepared::Started)
            })
            .synchronize(move |handler| {
                synchronize(handler);
                Ok(())
            }),
    );
    let connection = host.recorder.connector(line).open(None).unwrap();
    let mut held = Vec::new();
    for round in [&ids(2)[..], &[id(1)]] {
        let (begun, go_on) = host.callback.hold_next();
        host.prepare(round);
        receive("the completion of the prepare", &begun);
        held.push(go_on);
        let (begun, go_on) = host.callback.hold_next();
        host.synchronize();
        receive("the completion of the synchronization", &begun);
        held.push(go_on);
    }
    drop(connection);
    host.handler.set_progress_callback(None).unwrap();
    drop(held);
    support::until("every call has returned", || {
        host.recorder
            .trace()
            .calls()
            .iter()
            .all(syncmgr::testing::Call::has_returned)
    });
    clean(&host.drop());
}

/// A handler that uses all that there is, on two threads, and obeys.
fn busy() -> Script {
    let skipped = Skipped::new();
    let told = skipped.clone();
    connects(4)
        .prepare(|handler| {
            let handler = Arc::clone(handler);
            thread::spawn(move || {
                let callback = handler.callback();
                let _connected = callback.establish_connection(Some("vpn"));
                let _taken = callback.prepare_for_sync_completed(HResult::S_OK);
            });
            Ok(Prepared::Started)
        })
        .synchronize(move |handler| {
            let (handler, skipped) = (Arc::clone(handler), skipped.clone());
            thread::spawn(move || {
                let callback = handler.callback();
                let again = handler.count(|seen| matches!(seen, Seen::Prepare(_))) > 1;
                if !again {
                    let record = LogRecord::new(LogLevel::Error, "full").jump_text(FULL);
                    let _full = callback.log_error(&record);
                    if callback.add_item(support::item(5)).is_ok() {
                        copy(&*callback, id(5));
                    }
                }
                thread::scope(|scope| {
                    for item in handler.round() {
                        let (callback, skipped) = (&*callback, &skipped);
                        scope.spawn(move || {
                            let begun = skipped.look(|skipped| {
                                let first = status(ItemStatus::Updating).max(2);
                                (!skipped.contains(&item)).then(|| callback.progress(item, &first))
                            });
                            let end = match begun {
                                None => ItemStatus::Skipped,
                                Some(first) => copy_parts(callback, item, first),
                            };
                            finish(callback, item, end);
                        });
                    }
                });
                let _taken = callback.synchronize_completed(HResult::S_OK);
            });
            Ok(())
        })
        .set_item_status(move |_, item| {
            told.insert(item);
            Ok(())
        })
        .show_error(|handler, _| {
            let callback = handler.callback();
            if callback.enable_modeless(true)? == Dialog::Granted {
                let _ = callback.enable_modeless(false)?;
            }
            callback.show_error_completed(ErrorOutcome::Retry(&[id(1)]))?;
            Ok(())
        })
}

/// Runs a handler by `run_handler` through a recorder.
fn recorded(options: impl FnOnce(RunOptions, &Recorder) -> RunOptions) -> (HandlerReport, Trace) {
    let recorder = Recorder::new();
    let handler = recorder.handler(busy().build());
    let options = options(RunOptions::new(), &recorder);
    let report = within("run_handler", move || run_handler(handler, options));
    let trace = recorder.trace();
    clean(&trace);
    (report, trace)
}

#[test]
fn run_handler_keeps_the_rules_whatever_it_is_told() {
    type Option = Box<dyn Fn(RunOptions, &Recorder) -> RunOptions>;
    let bothering = SyncFlags::new(SyncEvent::Scheduled) | SyncFlags::MAY_BOTHER_USER;
    let options: [(&str, Option); 15] = [
        ("nothing", Box::new(|options, _| options)),
        (
            "select",
            Box::new(|options, _| options.select([id(2), id(3), id(77)])),
        ),
        ("select none", Box::new(|options, _| options.select([]))),
        (
            "flags",
            Box::new(move |options, _| options.flags(bothering)),
        ),
        (
            "settings only",
            Box::new(|options, _| {
                options.flags(SyncFlags::new(SyncEvent::Manual) | SyncFlags::SETTINGS)
            }),
        ),
        (
            "handler",
            Box::new(|options, _| options.handler(HandlerId::from_u128(1))),
        ),
        (
            "connector",
            Box::new(|options, recorder| options.connector(recorder.connector(line))),
        ),
        (
            "connections",
            Box::new(|options, recorder| {
                options.connections(Connections::new(recorder.connector(line)))
            }),
        ),
        (
            "no dialogs",
            Box::new(|options, _| options.dialogs(false).show_error_if(|_| true)),
        ),
        (
            "arbiter",
            Box::new(|options, _| {
                options
                    .dialog_arbiter(DialogArbiter::new())
                    .show_error_if(|_| true)
            }),
        ),
        ("deadline", Box::new(|options, _| options.deadline(LIMIT))),
        (
            "errors",
            Box::new(|options, _| options.show_error_if(|_| true)),
        ),
        (
            "no retries",
            Box::new(|options, _| options.show_error_if(|_| true).max_retries(0)),
        ),
        ("cookie", Box::new(|options, _| options.cookie(*b"photos"))),
        (
            "no log",
            Box::new(|options, _| options.log_capacity(0).show_error_if(|_| true)),
        ),
    ];
    for (name, option) in options {
        println!("{name}");
        let (report, _) = recorded(option);
        assert!(report.faults.is_empty(), "{name}: {report:?}");
    }
}

#[test]
fn run_handler_keeps_the_rules_when_the_user_interferes() {
    for item in ids(4) {
        for kind in 0..6 {
            let (report, trace) = recorded(|options, recorder| {
                let recorder = recorder.clone();
                options
                    .show_error_if(|_| true)
                    .on_session(move |session: Arc<Session>| {
                        let act = move || match kind % 3 {
                            0 => recorder.cancel_item(&session, item).unwrap(),
                            1 => recorder.skip_item(&session, item).unwrap(),
                            _ => recorder.cancel_all(&session),
                        };
                        if kind < 3 {
                            act();
                        } else {
                            thread::spawn(act);
                        }
                    })
            });
            assert!(report.faults.is_empty(), "{report:?}\n{trace}");
        }
    }
}

#[test]
fn run_handler_keeps_the_rules_when_it_gives_up() {
    // The handler breaks H07; the host none.
    let recorder = Recorder::new();
    let script = obedient(1).synchronize(|handler| {
        copy_all(handler);
        Ok(())
    });
    let handler = recorder.handler(script.build());
    let options = RunOptions::new().deadline(Duration::from_millis(200));
    let report = within("run_handler", move || run_handler(handler, options));
    assert_eq!(report.result, HResult::E_ABORT);
    let trace = recorder.trace();
    assert!(
        trace
            .violations()
            .iter()
            .all(|found| found.rule.binds_handler()),
        "{trace}"
    );
}
