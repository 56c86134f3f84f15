//! Answers of a handler that are seldom given: `S_OK` inside an error, a second list that is none, and a session that somebody
//! releases meanwhile.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use syncmgr::{
    CallbackError, HResult, HandlerError, HandlerReport, ItemList, ItemStatus, LogLevel, Phase,
    Prepared, PropertiesOutcome, ProtocolViolation, RunOptions, Session, SyncItem,
};

use support::handler::{Script, Scripted, Seen};
use support::{id, items};

/// An error that says that all is well.
const FINE: HandlerError = HandlerError::Code(HResult::S_OK);

#[track_caller]
fn ended(report: &HandlerReport, result: HResult, error: Option<&str>) {
    assert_eq!(
        (report.result, report.error.as_deref()),
        (result, error),
        "{report:?}"
    );
}

/// The texts of the log, but for what only informs.
fn logged(report: &HandlerReport) -> Vec<String> {
    let log = report.session.as_ref().map(|session| session.log());
    let told = log.into_iter().flatten();
    told.filter(|entry| entry.level != LogLevel::Information)
        .map(|entry| entry.text)
        .collect()
}

#[test]
fn an_error_that_carries_s_ok_is_none_where_there_is_something_to_go_on_with() {
    let (handler, report) = Script::new(2)
        .initialize(|_, _| Err(FINE))
        .callback_set(|_| Err(FINE))
        .prepare(|handler| {
            handler.complete_prepare(HResult::S_OK);
            Err(FINE)
        })
        .synchronize(|handler| {
            handler.finish_all(ItemStatus::Succeeded);
            handler.complete_synchronize(HResult::S_OK);
            Err(FINE)
        })
        .callback_cleared(|_| Err(FINE))
        .run(RunOptions::new());
    ended(&report, HResult::S_OK, None);
    assert!(report.is_success(), "{report:?}");
    assert_eq!(logged(&report), [] as [&str; 0]);
    assert_eq!(
        handler.seen(),
        [
            Seen::Initialize,
            Seen::Info,
            Seen::Items,
            Seen::SetCallback,
            Seen::Prepare(vec![id(1), id(2)]),
            Seen::Synchronize,
            Seen::ClearCallback,
        ]
    );
}

#[test]
fn an_error_that_carries_s_ok_is_one_where_there_is_nothing_to_go_on_with() {
    let (handler, report) = Script::new(1).info(|_| Err(FINE)).run(RunOptions::new());
    let text = format!("info: {FINE}");
    ended(&report, HResult::E_UNEXPECTED, Some(&text));
    assert_eq!(handler.seen(), [Seen::Initialize, Seen::Info]);
    assert!(report.session.is_none(), "{report:?}");

    let (handler, report) = Script::new(1).items(|_| Err(FINE)).run(RunOptions::new());
    let text = format!("items: {FINE}");
    ended(&report, HResult::E_UNEXPECTED, Some(&text));
    assert_eq!(handler.seen(), [Seen::Initialize, Seen::Info, Seen::Items]);
}

#[test]
fn a_success_code_other_than_s_ok_begins_nothing() {
    let odd = HResult::S_SYNCMGR_MISSINGITEMS;
    let (handler, report) = Script::new(1)
        .initialize(move |_, _| Err(HandlerError::Code(odd)))
        .run(RunOptions::new());
    let error = format!("initialize: {}", HandlerError::Code(odd));
    ended(&report, odd, Some(&error));
    assert_eq!(handler.seen(), [Seen::Initialize]);

    let (handler, report) = Script::new(1)
        .synchronize(move |_| Err(HandlerError::Code(odd)))
        .run(RunOptions::new());
    let error = format!("synchronize: {}", HandlerError::Code(odd));
    ended(&report, odd, Some(&error));
    assert_eq!(logged(&report), [error], "what it said is in the log");
    assert_eq!(handler.count(|seen| *seen == Seen::Synchronize), 1);
}

/// A handler whose items change when its properties are shown: it lists two, and then answers this.
fn changing(
    again: impl Fn(&Scripted) -> Result<ItemList, HandlerError> + Send + Sync + 'static,
) -> Script {
    let times = AtomicUsize::new(0);
    Script::new(2)
        .items(move |handler| match times.fetch_add(1, Ordering::SeqCst) {
            0 => Ok(ItemList::Complete(items(2))),
            _ => again(handler),
        })
        .show_properties(|handler, _| {
            let callback = handler.callback();
            callback.show_properties_completed(PropertiesOutcome::ItemsChanged)?;
            Ok(())
        })
}

/// Both lists were asked for, and nothing was prepared.
#[track_caller]
fn listed_twice_and_let_go(handler: &Scripted) {
    assert_eq!(
        handler.seen(),
        [
            Seen::Initialize,
            Seen::Info,
            Seen::Items,
            Seen::SetCallback,
            Seen::ShowProperties(None),
            Seen::Items,
            Seen::ClearCallback,
        ]
    );
}

#[test]
fn a_second_list_that_fails_ends_the_run() {
    for (error, result) in [
        (HResult::E_FAIL, HResult::E_FAIL),
        (HResult::S_OK, HResult::E_UNEXPECTED),
    ] {
        let (handler, report) = changing(move |_| Err(HandlerError::Code(error)))
            .run(RunOptions::new().show_properties(None));
        let text = format!("items: {}", HandlerError::Code(error));
        ended(&report, result, Some(&text));
        assert_eq!(report.faults, []);
        assert_eq!(report.phase, Phase::Idle);
        assert_eq!(
            report.properties,
            [(None, PropertiesOutcome::ItemsChanged)],
            "what the user saw counts all the same"
        );
        listed_twice_and_let_go(&handler);
    }
}

#[test]
fn a_second_list_that_panics_ends_the_run() {
    let (handler, report) =
        changing(|_| panic!("the index is broken")).run(RunOptions::new().show_properties(None));
    let fault = ProtocolViolation::Panicked {
        call: "items",
        message: "the index is broken".to_owned(),
    };
    ended(&report, HResult::E_UNEXPECTED, Some(&fault.to_string()));
    assert_eq!(logged(&report), [fault.to_string()]);
    assert_eq!(report.faults, [fault]);
    listed_twice_and_let_go(&handler);
}

/// Options, and the session that they hand out.
fn known() -> (Arc<OnceLock<Arc<Session>>>, RunOptions) {
    let known = Arc::new(OnceLock::new());
    let keep = Arc::clone(&known);
    let options = RunOptions::new().on_session(move |session| {
        assert!(keep.set(session).is_ok(), "it is handed out once");
    });
    (known, options)
}

#[test]
fn a_session_that_is_released_while_the_handler_lists_again_takes_no_new_item() {
    let (known, options) = known();
    let session = Arc::clone(&known);
    let again = move |_: &Scripted| {
        session.get().expect("it is there").driver().release();
        let new: Vec<SyncItem> = items(3);
        Ok(ItemList::Complete(new))
    };
    let (handler, report) = changing(again).run(options.show_properties(None));
    let released = CallbackError::Released;
    ended(&report, released.hresult(), Some(&released.to_string()));
    assert_eq!(report.phase, Phase::Released);
    let session = known.get().expect("it is there");
    assert!(session.item(id(3)).is_none(), "the new item is left out");
    assert!(session.item(id(2)).is_some());
    listed_twice_and_let_go(&handler);
}

#[test]
fn a_session_that_is_released_in_the_prepare_is_not_synchronized() {
    let (known, options) = known();
    let session = Arc::clone(&known);
    let (handler, report) = Script::new(1)
        .prepare(move |handler| {
            handler.complete_prepare(HResult::S_OK);
            session.get().expect("it is there").driver().release();
            Ok(Prepared::Started)
        })
        .run(options);
    let released = CallbackError::Released;
    ended(&report, released.hresult(), Some(&released.to_string()));
    assert_eq!(handler.count(|seen| *seen == Seen::Synchronize), 0);
    assert_eq!(handler.count(|seen| *seen == Seen::ClearCallback), 1);
}
