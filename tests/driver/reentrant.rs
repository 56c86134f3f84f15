//! No host lock is held while a handler is called: it may call back from inside every method, and everybody else may use
//! the session meanwhile, from other threads.

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use syncmgr::{
    Cursor, ErrorId, ErrorOutcome, HResult, HandlerReport, ItemStatus, LogLevel, LogRecord,
    LogSelector, Prepared, ProgressUpdate, PropertiesOutcome, RunOptions, Session, SyncCallback,
};

use support::handler::{Script, Scripted, Seen};
use support::{id, item, within};

/// Every call that a handler can make and that does not end what it is in.
fn call_back(callback: &dyn SyncCallback) {
    let _ = callback.progress(id(1), &ProgressUpdate::CHECK);
    let _ = callback.can_continue(Some(id(2)));
    let _ = callback.can_continue(None);
    let record = LogRecord::new(LogLevel::Warning, "called back").error_id(ErrorId::from_u128(9));
    let _ = callback.log_error(&record);
    let _ = callback.delete_log_error(LogSelector::ById(ErrorId::from_u128(9)));
    let _ = callback.enable_modeless(true);
    let _ = callback.enable_modeless(false);
    let _ = callback.establish_connection(Some("office"));
    let _ = callback.set_handler_text("called back");
    let _ = callback.wake_on_cancel(Some(id(1)), std::task::Waker::noop());
    let _ = callback.wake_on_cancel(None, std::task::Waker::noop());
    let _ = callback.show_properties_completed(PropertiesOutcome::Done);
    let _ = callback.add_item(item(7));
}

/// What a user, an observer and a canceller do on another thread while the handler is inside a call.
fn use_from_outside(session: &Arc<Session>) {
    let session = Arc::clone(session);
    within("the session's use from another thread", move || {
        let _ = session.snapshot();
        let _ = session.changes(Cursor::default());
        let _ = session.wait_for_change(Cursor::default(), Duration::ZERO);
        let _ = session.log();
        let _ = session.phase();
        let _ = session.driver().unfinished_items();
        let _ = session.driver().take_activity();
        let _ = session.skip_item(id(2));
        let _ = session.cancel_item(id(2));
        let _ = session.reporter(id(1)).map(|reporter| reporter.check());
        let _ = session.reporter(id(1)).map(|reporter| reporter.set(1));
    });
}

type Place = Arc<OnceLock<Arc<Session>>>;

/// A handler that does both in every method, once there is a session.
fn busy(place: &Place) -> Script {
    let both = |place: &Place| {
        let place = Arc::clone(place);
        move |handler: &Scripted| {
            call_back(&*handler.callback());
            if let Some(session) = place.get() {
                use_from_outside(session);
            }
        }
    };
    let (set, cleared, prepare) = (both(place), both(place), both(place));
    let (synchronize, skip, show) = (both(place), both(place), both(place));
    let shown = Mutex::new(false);
    Script::new(2)
        .callback_set(move |handler| {
            set(handler);
            Ok(())
        })
        .callback_cleared(move |handler| {
            cleared(handler);
            Ok(())
        })
        .prepare(move |handler| {
            prepare(handler);
            let handler = Arc::clone(handler);
            // Later, so that the skip finds a window.
            std::thread::spawn(move || {
                support::until("the skip", || {
                    handler.count(|seen| matches!(seen, Seen::SetItemStatus(..))) > 0
                        && !handler.is_inside()
                });
                handler.complete_prepare(HResult::S_OK);
            });
            Ok(Prepared::Started)
        })
        .synchronize(move |handler| {
            synchronize(handler);
            let record = LogRecord::new(LogLevel::Error, "full").jump_text(ErrorId::from_u128(1));
            handler.callback().log_error(&record)?;
            handler.finish_all(ItemStatus::Succeeded);
            let added = ProgressUpdate::new().status(ItemStatus::Succeeded);
            let _ = handler.callback().progress(id(7), &added);
            handler.complete_synchronize(HResult::S_OK);
            Ok(())
        })
        .set_item_status(move |handler, _| {
            skip(handler);
            Ok(())
        })
        .show_error(move |handler, _| {
            show(handler);
            let first = !std::mem::replace(&mut *shown.lock().expect("no panic"), true);
            assert!(first, "one error is shown once");
            handler
                .callback()
                .show_error_completed(ErrorOutcome::Done)?;
            Ok(())
        })
}

fn run(place: &Place) -> (Arc<Scripted>, HandlerReport) {
    let kept = Arc::clone(place);
    let options = RunOptions::new()
        .connector(|_: Option<&str>| Ok(Box::new(()) as Box<dyn std::any::Any + Send>))
        .on_session(move |session| {
            session.skip_item(id(2)).expect("the item is known");
            kept.set(session).expect("one session");
        })
        .show_error_if(|_| true);
    busy(place).run(options)
}

#[test]
fn every_method_may_call_back_while_others_use_the_session() {
    let place = Place::default();
    let (handler, report) = run(&place);
    assert!(report.is_success(), "{report:?}");
    let session = place.get().expect("it was handed over");
    assert!(session.item(id(7)).is_some(), "an item was added");
    // It came to each of them.
    for wanted in [
        Seen::SetCallback,
        Seen::ClearCallback,
        Seen::Synchronize,
        Seen::SetItemStatus(id(2), ItemStatus::Skipped),
        Seen::ShowError(ErrorId::from_u128(1)),
    ] {
        assert_eq!(handler.count(|seen| *seen == wanted), 1, "{wanted:?}");
    }
    assert!(!handler.was_nested(), "the host calls one method at a time");
}
