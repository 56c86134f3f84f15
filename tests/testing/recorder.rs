//! The recorder passes every call on as it is, with its answer, and writes it down.

use std::any::Any;
use std::sync::Arc;
use std::task::Waker;
use support::between::*;

use syncmgr::testing::{Action, Answer, Recorder};
use syncmgr::{
    CallbackError, Connector, Dialog, ErrorId, ErrorOutcome, HResult, HandlerError, ItemId,
    ItemName, ItemStatus, LogLevel, LogRecord, LogSelector, Participation, Prepared,
    ProgressUpdate, PropertiesOutcome, Session, SyncCallback, SyncEvent, SyncFlags, SyncItem, Uuid,
    Verdict,
};

#[test]
fn every_call_of_the_handler_reaches_the_host_and_its_answer_comes_back() {
    let item = || SyncItem::new(TWO, ItemName::truncate_start("two"));
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
        let which = LogSelector::ById(error);
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
        let told = host.set_handler_text("busy");
        done("set_handler_text busy", is(told, Verdict::CancelAll));
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
    let item = |id, name: &str| SyncItem::new(id, ItemName::truncate_start(name));
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
