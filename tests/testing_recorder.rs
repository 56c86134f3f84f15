//! The recorder passes every call on as it is, with its answer; and it knows where the handler's life stands.

#![cfg(feature = "testing")]

use std::any::Any;
use std::sync::{Arc, Mutex};
use std::task::Waker;

use syncmgr::testing::{Action, Answer, Call, Harness, Recorder, Script, Step};
use syncmgr::{
    CallbackError, Connector, Dialog, ErrorId, ErrorOutcome, HResult, HandlerError, HandlerInfo,
    HandlerName, ItemId, ItemList, ItemName, ItemStatus, LogLevel, LogRecord, LogSelector,
    Participation, Phase, Prepared, ProgressUpdate, PropertiesOutcome, Session, SyncCallback,
    SyncEvent, SyncFlags, SyncHandler, SyncItem, Uuid, Verdict,
};

const ONE: ItemId = ItemId::from_u128(1);
const TWO: ItemId = ItemId::from_u128(2);

/// What was called, and what is to be done before the call is answered.
#[derive(Default)]
struct Seen {
    calls: Mutex<Vec<String>>,
    inside: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Seen {
    fn see(&self, call: impl Into<String>) {
        self.calls.lock().unwrap().push(call.into());
        let inside = self.inside.lock().unwrap().take();
        if let Some(inside) = inside {
            inside();
        }
    }

    /// The next call of either side does this before it is answered.
    fn inside(&self, work: impl FnOnce() + Send + 'static) {
        *self.inside.lock().unwrap() = Some(Box::new(work));
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }
}

/// A callback that answers each call in a way that no other one does.
struct Host {
    seen: Arc<Seen>,
    fails: bool,
}

impl Host {
    fn done(&self, call: impl Into<String>) -> Result<(), CallbackError> {
        self.seen.see(call);
        match self.fails {
            true => Err(CallbackError::Other(HResult::E_OUTOFMEMORY)),
            false => Ok(()),
        }
    }
}

impl SyncCallback for Host {
    fn progress(&self, id: ItemId, update: &ProgressUpdate<'_>) -> Result<Verdict, CallbackError> {
        self.done(format!("progress {id:?} {:?}", update.value))?;
        Ok(Verdict::CancelItem)
    }

    fn log_error(&self, record: &LogRecord<'_>) -> Result<(), CallbackError> {
        self.done(format!("log_error {}", record.text))
    }

    fn delete_log_error(&self, which: LogSelector) -> Result<(), CallbackError> {
        self.done(format!("delete_log_error {which:?}"))
    }

    fn prepare_for_sync_completed(&self, result: HResult) -> Result<(), CallbackError> {
        self.done(format!("prepare_for_sync_completed {result}"))
    }

    fn synchronize_completed(&self, result: HResult) -> Result<(), CallbackError> {
        self.done(format!("synchronize_completed {result}"))
    }

    fn show_error_completed(&self, outcome: ErrorOutcome<'_>) -> Result<(), CallbackError> {
        self.done(format!("show_error_completed {outcome:?}"))
    }

    fn show_properties_completed(&self, outcome: PropertiesOutcome) -> Result<(), CallbackError> {
        self.done(format!("show_properties_completed {outcome:?}"))
    }

    fn enable_modeless(&self, enable: bool) -> Result<Dialog, CallbackError> {
        self.done(format!("enable_modeless {enable}"))?;
        Ok(Dialog::Granted)
    }

    fn establish_connection(&self, connection: Option<&str>) -> Result<(), CallbackError> {
        self.done(format!("establish_connection {connection:?}"))
    }

    fn can_continue(&self, item: Option<ItemId>) -> Result<Verdict, CallbackError> {
        self.done(format!("can_continue {item:?}"))?;
        Ok(Verdict::CancelAll)
    }

    fn wake_on_cancel(&self, item: Option<ItemId>, _: &Waker) -> Result<(), CallbackError> {
        self.done(format!("wake_on_cancel {item:?}"))
    }

    fn add_item(&self, item: SyncItem) -> Result<(), CallbackError> {
        self.done(format!("add_item {:?}", item.id))
    }

    fn propose_item(&self, item: SyncItem) -> Result<(), CallbackError> {
        self.done(format!("propose_item {:?}", item.id))
    }

    fn commit_item(&self, item: ItemId) -> Result<(), CallbackError> {
        self.done(format!("commit_item {item:?}"))
    }

    fn additional_items(&self) -> Result<Vec<ItemId>, CallbackError> {
        self.done("additional_items")?;
        Ok(vec![TWO, ONE])
    }

    fn handler_text(&self, text: &str) -> Result<Verdict, CallbackError> {
        self.done(format!("handler_text {text}"))?;
        Ok(Verdict::CancelAll)
    }
}

/// A handler that answers each call as it is told.
#[derive(Default)]
struct Handler {
    seen: Arc<Seen>,
    fails: Mutex<bool>,
    prepares: Mutex<Option<Result<Prepared, HandlerError>>>,
}

impl Handler {
    fn done(&self, call: impl Into<String>) -> Result<(), HandlerError> {
        self.seen.see(call);
        match *self.fails.lock().unwrap() {
            true => Err(HandlerError::Code(HResult::E_OUTOFMEMORY)),
            false => Ok(()),
        }
    }
}

impl SyncHandler for Handler {
    fn initialize(
        &self,
        flags: SyncFlags,
        cookie: Option<&[u8]>,
    ) -> Result<Participation, HandlerError> {
        self.done(format!("initialize {:?} {cookie:?}", flags.event()))?;
        Ok(Participation::Declines)
    }

    fn info(&self) -> Result<HandlerInfo, HandlerError> {
        self.done("info")?;
        Ok(HandlerInfo::new(HandlerName::shortened("probe")))
    }

    fn items(&self) -> Result<ItemList, HandlerError> {
        self.done("items")?;
        let item = SyncItem::new(ONE, ItemName::shortened("one"));
        Ok(ItemList::Incomplete(vec![item]))
    }

    fn set_progress_callback(
        &self,
        callback: Option<Arc<dyn SyncCallback>>,
    ) -> Result<(), HandlerError> {
        self.done(format!("set_progress_callback {}", callback.is_some()))
    }

    fn prepare_for_sync(self: Arc<Self>, items: &[ItemId]) -> Result<Prepared, HandlerError> {
        self.done(format!("prepare_for_sync {items:?}"))?;
        let answer = self.prepares.lock().unwrap().take();
        answer.unwrap_or(Ok(Prepared::Started))
    }

    fn synchronize(self: Arc<Self>) -> Result<(), HandlerError> {
        self.done("synchronize")
    }

    fn set_item_status(&self, item: ItemId, status: ItemStatus) -> Result<(), HandlerError> {
        self.done(format!("set_item_status {item:?} {status}"))
    }

    fn item_object(&self, item: ItemId, of: Uuid) -> Result<Box<dyn Any + Send>, HandlerError> {
        self.done(format!("item_object {item:?} {of}"))?;
        Ok(Box::new(7_u8))
    }

    fn show_properties(self: Arc<Self>, target: Option<ItemId>) -> Result<(), HandlerError> {
        self.done(format!("show_properties {target:?}"))
    }

    fn show_error(self: Arc<Self>, error: ErrorId) -> Result<(), HandlerError> {
        self.done(format!("show_error {error:?}"))
    }
}

/// A recorder between a handler and a host, both of which do as they are told.
struct Between {
    recorder: Recorder,
    seen: Arc<Seen>,
    probe: Arc<Handler>,
    handler: Arc<dyn SyncHandler>,
    callback: Arc<dyn SyncCallback>,
}

fn between() -> Between {
    let recorder = Recorder::new();
    let seen = Arc::new(Seen::default());
    let probe = Arc::new(Handler {
        seen: seen.clone(),
        ..Handler::default()
    });
    let host = Host {
        seen: seen.clone(),
        fails: false,
    };
    Between {
        handler: recorder.handler(probe.clone()),
        callback: recorder.callback(Arc::new(host)),
        recorder,
        seen,
        probe,
    }
}

impl Between {
    /// The phase that a call has which begins now.
    fn phase(&self) -> Phase {
        let _text = self.callback.handler_text("now");
        self.last().phase
    }

    fn last(&self) -> Call {
        self.recorder.trace().calls().last().unwrap().clone()
    }

    fn prepare(&self) {
        let _answer = Arc::clone(&self.handler).prepare_for_sync(&[ONE]);
    }

    fn prepares(&self, answer: Result<Prepared, HandlerError>) {
        *self.probe.prepares.lock().unwrap() = Some(answer);
        self.prepare();
    }

    fn prepared(&self, result: HResult) {
        let _taken = self.callback.prepare_for_sync_completed(result);
    }

    fn synchronize(&self) {
        let _answer = Arc::clone(&self.handler).synchronize();
    }

    fn synchronized(&self) {
        let _taken = self.callback.synchronize_completed(HResult::S_OK);
    }

    fn synchronizing() -> Self {
        let between = between();
        between.prepare();
        between.prepared(HResult::S_OK);
        between.synchronize();
        between
    }
}

// Every call is passed on -------------------------------------------------------------------------------------------

#[test]
fn every_call_of_the_handler_reaches_the_host_and_its_answer_comes_back() {
    let item = || SyncItem::new(TWO, ItemName::shortened("two"));
    let record = LogRecord::new(LogLevel::Error, "boom");
    let error = ErrorId::from_u128(9);
    for fails in [false, true] {
        let seen = Arc::new(Seen::default());
        let host = Host {
            seen: seen.clone(),
            fails,
        };
        let recorder = Recorder::new();
        let host = recorder.callback(Arc::new(host));
        let no = CallbackError::Other(HResult::E_OUTOFMEMORY);
        let done = |call: &str, answer: Result<(), CallbackError>| {
            assert_eq!(answer, if fails { Err(no) } else { Ok(()) }, "{call}");
            assert_eq!(seen.take(), [call]);
            let last = recorder.trace().calls().last().unwrap().answer.clone();
            let expected = match fails {
                true => Answer::Refused(no),
                false => last.clone(),
            };
            assert_eq!(last, expected);
            assert_ne!(last, Answer::None);
        };
        let is = |answer: Result<Verdict, CallbackError>, verdict| {
            answer.map(|answer| assert_eq!(answer, verdict))
        };
        let update = ProgressUpdate::new().value(3);
        let told = host.progress(ONE, &update);
        done(
            &format!("progress {ONE:?} Some(3)"),
            is(told, Verdict::CancelItem),
        );
        done("log_error boom", host.log_error(&record));
        let which = LogSelector::One(error);
        done(
            &format!("delete_log_error {which:?}"),
            host.delete_log_error(which),
        );
        done(
            &format!("prepare_for_sync_completed {}", HResult::E_FAIL),
            host.prepare_for_sync_completed(HResult::E_FAIL),
        );
        done(
            &format!("synchronize_completed {}", HResult::S_OK),
            host.synchronize_completed(HResult::S_OK),
        );
        let outcome = ErrorOutcome::Retry(&[TWO]);
        done(
            &format!("show_error_completed {outcome:?}"),
            host.show_error_completed(outcome),
        );
        let outcome = PropertiesOutcome::from(HResult::E_FAIL);
        done(
            &format!("show_properties_completed {outcome:?}"),
            host.show_properties_completed(outcome),
        );
        let dialog = host.enable_modeless(true);
        let dialog = dialog.map(|dialog| assert_eq!(dialog, Dialog::Granted));
        done("enable_modeless true", dialog);
        done(
            "establish_connection Some(\"office\")",
            host.establish_connection(Some("office")),
        );
        let told = host.can_continue(Some(TWO));
        done(
            &format!("can_continue {:?}", Some(TWO)),
            is(told, Verdict::CancelAll),
        );
        done(
            &format!("wake_on_cancel {:?}", Some(ONE)),
            host.wake_on_cancel(Some(ONE), Waker::noop()),
        );
        done(&format!("add_item {TWO:?}"), host.add_item(item()));
        done(&format!("propose_item {TWO:?}"), host.propose_item(item()));
        done(&format!("commit_item {TWO:?}"), host.commit_item(TWO));
        let items = host.additional_items();
        let items = items.map(|items| assert_eq!(items, [TWO, ONE]));
        done("additional_items", items);
        let told = host.handler_text("busy");
        done("handler_text busy", is(told, Verdict::CancelAll));
        assert_eq!(recorder.trace().calls().len(), 16);
    }
}

#[test]
fn every_call_of_the_host_reaches_the_handler_and_its_answer_comes_back() {
    for fails in [false, true] {
        let between = between();
        *between.probe.fails.lock().unwrap() = fails;
        let handler = &between.handler;
        let done = |call: &str, answer: Result<(), HandlerError>| {
            match answer {
                Ok(()) => assert!(!fails, "{call}"),
                Err(error) => {
                    assert!(fails, "{call}");
                    assert_eq!(error.hresult(), HResult::E_OUTOFMEMORY, "{call}");
                }
            }
            assert_eq!(between.seen.take(), [call]);
            let answer = between.last().answer;
            assert_eq!(matches!(answer, Answer::Failed { .. }), fails, "{call}");
            assert_ne!(answer, Answer::None);
        };
        let joins = handler.initialize(SyncFlags::new(SyncEvent::Invoke), Some(b"x"));
        let joins = joins.map(|joins| assert_eq!(joins, Participation::Declines));
        done("initialize Invoke Some([120])", joins);
        let info = handler.info();
        done(
            "info",
            info.map(|info| assert_eq!(info.name.as_str(), "probe")),
        );
        let items = handler.items();
        let items = items.map(|items| {
            assert!(!items.is_complete());
            assert_eq!(items.items()[0].id, ONE);
        });
        done("items", items);
        done(
            "set_progress_callback true",
            handler.set_progress_callback(Some(between.callback.clone())),
        );
        let prepared = Arc::clone(handler).prepare_for_sync(&[TWO]);
        let prepared = prepared.map(|prepared| assert_eq!(prepared, Prepared::Started));
        done(&format!("prepare_for_sync {:?}", [TWO]), prepared);
        done("synchronize", Arc::clone(handler).synchronize());
        done(
            &format!("set_item_status {ONE:?} skipped"),
            handler.set_item_status(ONE, ItemStatus::Skipped),
        );
        let of = Uuid::from_u128(5);
        let object = handler.item_object(ONE, of);
        let object = object.map(|object| assert_eq!(object.downcast_ref(), Some(&7_u8)));
        done(&format!("item_object {ONE:?} {of}"), object);
        done(
            &format!("show_properties {:?}", Some(ONE)),
            Arc::clone(handler).show_properties(Some(ONE)),
        );
        let error = ErrorId::from_u128(9);
        done(
            &format!("show_error {error:?}"),
            Arc::clone(handler).show_error(error),
        );
        done(
            "set_progress_callback false",
            handler.set_progress_callback(None),
        );
    }
}

#[test]
fn connections_are_passed_on_and_written_down_when_they_open_and_close() {
    let recorder = Recorder::new();
    let open = |name: Option<&str>| -> Result<Box<dyn Any + Send>, CallbackError> {
        match name {
            Some(_) => Ok(Box::new(7_u8)),
            None => Err(CallbackError::NotConnected),
        }
    };
    let connector = recorder.connector(open);
    assert_eq!(
        connector.open(None).err(),
        Some(CallbackError::NotConnected)
    );
    let office = connector.open(Some("office")).unwrap();
    let actions = || -> Vec<Action> {
        let trace = recorder.trace();
        trace
            .calls()
            .iter()
            .map(|call| call.action.clone())
            .collect()
    };
    let opened = Action::ConnectionOpened {
        name: Some("office".to_owned()),
    };
    let closed = Action::ConnectionClosed {
        name: Some("office".to_owned()),
    };
    assert_eq!(actions().len(), 1);
    drop(office);
    assert_eq!(actions(), [opened, closed]);
}

#[test]
fn what_the_user_does_is_done_to_the_session_and_written_down() {
    let item = |id, name: &str| SyncItem::new(id, ItemName::shortened(name));
    let session = Session::builder()
        .item(item(ONE, "one"))
        .item(item(TWO, "two"))
        .build()
        .unwrap();
    let recorder = Recorder::new();
    let unknown = ItemId::from_u128(9);
    assert_eq!(recorder.cancel_item(&session, ONE), Ok(()));
    assert_eq!(recorder.skip_item(&session, TWO), Ok(()));
    let refused = recorder.cancel_item(&session, unknown);
    assert!(refused.is_err());
    assert_eq!(recorder.skip_item(&session, unknown), refused);
    assert_eq!(session.can_continue(Some(ONE)), Ok(Verdict::CancelItem));
    assert_eq!(session.can_continue(None), Ok(Verdict::Continue));
    recorder.cancel_all(&session);
    assert_eq!(session.can_continue(None), Ok(Verdict::CancelAll));
    let trace = recorder.trace();
    let written: Vec<(Action, Answer)> = trace
        .calls()
        .iter()
        .map(|call| (call.action.clone(), call.answer.clone()))
        .collect();
    let refused = Answer::Refused(refused.unwrap_err());
    assert_eq!(
        written,
        [
            (Action::CancelItem { item: ONE }, Answer::Done),
            (Action::SkipItem { item: TWO }, Answer::Done),
            (Action::CancelItem { item: unknown }, refused.clone()),
            (Action::SkipItem { item: unknown }, refused),
            (Action::CancelAll, Answer::Done),
        ]
    );
}

// Where the life stands ---------------------------------------------------------------------------------------------

#[test]
fn a_callback_alone_is_open_and_a_handler_idle() {
    let host = Host {
        seen: Arc::default(),
        fails: false,
    };
    let recorder = Recorder::new();
    let _told = recorder.callback(Arc::new(host)).can_continue(None);
    assert_eq!(recorder.trace().calls()[0].phase, Phase::Open);
    assert_eq!(between().phase(), Phase::Idle);
}

#[test]
fn the_phases_of_a_life_that_goes_well() {
    let between = between();
    between.prepare();
    assert_eq!(between.last().phase, Phase::Preparing);
    assert_eq!(between.phase(), Phase::Preparing);
    between.prepared(HResult::S_OK);
    assert_eq!(between.last().phase, Phase::Preparing);
    assert_eq!(between.phase(), Phase::Prepared);
    between.synchronize();
    assert_eq!(between.last().phase, Phase::Synchronizing);
    assert_eq!(between.phase(), Phase::Synchronizing);
    between.synchronized();
    assert_eq!(between.phase(), Phase::Completed);
    let _shown = Arc::clone(&between.handler).show_error(ErrorId::from_u128(1));
    assert_eq!(between.last().phase, Phase::Completed);
    between.prepare();
    assert_eq!(between.phase(), Phase::Preparing);
    let _taken = between.handler.set_progress_callback(None);
    assert_eq!(between.last().phase, Phase::Preparing);
    assert_eq!(between.phase(), Phase::Released);
}

#[test]
fn a_step_that_fails_is_completed() {
    for answer in [
        Ok(Prepared::NeedsUser),
        Err(HandlerError::Code(HResult::E_FAIL)),
    ] {
        let between = between();
        between.prepares(answer);
        assert_eq!(between.phase(), Phase::Completed);
    }
    let failed = between();
    failed.prepare();
    failed.prepared(HResult::E_FAIL);
    assert_eq!(failed.phase(), Phase::Completed);

    let failed = between();
    failed.prepare();
    failed.prepared(HResult::S_OK);
    *failed.probe.fails.lock().unwrap() = true;
    failed.synchronize();
    assert_eq!(failed.phase(), Phase::Completed);
}

#[test]
fn a_completion_that_is_refused_changes_nothing() {
    let refuses = |between: &Between| {
        between.recorder.callback(Arc::new(Host {
            seen: between.seen.clone(),
            fails: true,
        }))
    };
    let preparing = between();
    preparing.prepare();
    let _refused = refuses(&preparing).prepare_for_sync_completed(HResult::S_OK);
    assert_eq!(preparing.phase(), Phase::Preparing);
    let synchronizing = Between::synchronizing();
    let _refused = refuses(&synchronizing).synchronize_completed(HResult::S_OK);
    assert_eq!(synchronizing.phase(), Phase::Synchronizing);
}

#[test]
fn what_is_completed_inside_its_call_stays_so_when_the_call_fails() {
    // The prepare is completed, and answers that it needs the user.
    let between = between();
    let callback = between.callback.clone();
    between.seen.inside(move || {
        let _taken = callback.prepare_for_sync_completed(HResult::S_OK);
    });
    between.prepares(Ok(Prepared::NeedsUser));
    assert_eq!(between.phase(), Phase::Prepared);
}

#[test]
fn a_completion_from_before_the_hosts_last_step_says_nothing_of_what_came_since() {
    // The host begins the next round while the completion has not returned.
    let between = Between::synchronizing();
    let handler = between.handler.clone();
    between.seen.inside(move || {
        let _answer = handler.prepare_for_sync(&[ONE]);
    });
    between.synchronized();
    assert_eq!(between.phase(), Phase::Preparing);

    // It synchronizes while the completion of the prepare has not returned.
    let between = self::between();
    between.prepare();
    let handler = between.handler.clone();
    between.seen.inside(move || {
        let _answer = handler.synchronize();
    });
    between.prepared(HResult::S_OK);
    assert_eq!(between.phase(), Phase::Synchronizing);
}

#[test]
fn a_synchronize_that_fails_after_the_next_round_began_says_nothing_of_it() {
    let between = between();
    between.prepare();
    between.prepared(HResult::S_OK);
    let handler = between.handler.clone();
    let probe = between.probe.clone();
    between.seen.inside(move || {
        let _answer = handler.prepare_for_sync(&[ONE]);
        *probe.fails.lock().unwrap() = true;
    });
    between.synchronize();
    assert_eq!(between.phase(), Phase::Preparing);
}

#[test]
fn a_call_that_lasts_is_in_the_trace_without_an_answer() {
    let between = between();
    let (recorder, taken) = (between.recorder.clone(), Arc::new(Mutex::new(None)));
    let place = taken.clone();
    between.seen.inside(move || {
        *place.lock().unwrap() = Some(recorder.trace());
    });
    let _info = between.handler.info();
    let trace = taken.lock().unwrap().take().unwrap();
    let [call] = trace.calls() else {
        panic!("{trace}");
    };
    assert_eq!((call.ended, &call.answer), (None, &Answer::None));
    assert!(!call.has_returned());
    let call = between.last();
    assert_eq!((call.begun, call.ended), (1, Some(2)));
    assert!(call.has_returned());
}

#[test]
fn threads_and_callbacks_are_numbered_in_the_order_in_which_they_come() {
    let between = between();
    let _info = between.handler.info();
    let second = between.recorder.callback(Arc::new(Host {
        seen: between.seen.clone(),
        fails: false,
    }));
    std::thread::scope(|scope| {
        scope.spawn(|| between.callback.can_continue(None).map(drop));
    });
    std::thread::scope(|scope| {
        scope.spawn(|| second.can_continue(None).map(drop));
    });
    let _told = second.can_continue(None);
    let trace = between.recorder.trace();
    let numbers: Vec<(u32, Option<u32>)> = trace
        .calls()
        .iter()
        .map(|call| (call.thread, call.callback))
        .collect();
    assert_eq!(
        numbers,
        [(0, None), (1, Some(1)), (2, Some(2)), (0, Some(2))]
    );
}

#[test]
fn that_the_host_gave_up_stands_on_its_own_thread() {
    // The prepare is completed on another thread, and nothing more comes.
    let script = Script::new()
        .item(ONE, "one")
        .without_completions()
        .prepare_on_thread([Step::complete_prepare(HResult::S_OK)]);
    let trace = Harness::new(script.handler())
        .deadline(std::time::Duration::from_millis(50))
        .run();
    let mut calls = trace.calls().iter();
    let gave_up = calls.find(|call| call.action == Action::GaveUp).unwrap();
    assert_eq!(gave_up.thread, 0, "{trace}");
    assert_eq!(trace.calls()[0].thread, 0);
}
