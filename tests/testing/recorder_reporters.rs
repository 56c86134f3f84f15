//! A reporter is answered through the recorder as it is by the session itself.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use support::rules::{broken, obedient};
use support::{driven, id, item, start_round, status};
use syncmgr::testing::{Answer, Harness, Recorder, Rule};
use syncmgr::{
    CallbackError, ErrorId, ErrorOutcome, HResult, ItemReporter, ItemStatus, LogLevel, LogRecord,
    Session, SyncCallback, Verdict,
};

type Answered = Result<Verdict, CallbackError>;

/// A session of two items, and a way to it: none in between, a recorder, or one recorder after the
/// other.
fn ways() -> Vec<(&'static str, Arc<Session>, Arc<dyn SyncCallback>)> {
    let wrap = |session: &Arc<Session>, times: usize| {
        let callback: Arc<dyn SyncCallback> = session.clone();
        (0..times).fold(callback, |callback, _| Recorder::new().callback(callback))
    };
    [("plain", 0), ("recorded", 1), ("recorded twice", 2)]
        .map(|(name, times)| {
            let session = driven(2);
            let callback = wrap(&session, times);
            (name, session, callback)
        })
        .into()
}

fn complete(session: &Session) {
    session.synchronize_completed(HResult::S_OK).unwrap();
}

#[test]
fn a_reporter_from_before_a_retry_is_released() {
    for (name, session, callback) in ways() {
        start_round(&session, &[id(1)]);
        let kept = ItemReporter::new(&callback, id(1));
        assert_eq!(kept.set(1), Ok(Verdict::Continue), "{name}");
        complete(&session);
        start_round(&session, &[id(1)]);
        let released = Err(CallbackError::Released);
        let answers: [Answered; 4] = [
            kept.set(2),
            kept.advance(1),
            kept.check(),
            kept.wait_cancelled(Duration::ZERO),
        ];
        assert_eq!(answers, [released; 4], "{name}");
        let new = ItemReporter::new(&callback, id(1));
        assert_eq!(new.set(5), Ok(Verdict::Continue), "{name}");
        assert_eq!(kept.succeed(), Err(CallbackError::Released), "{name}");
        assert_eq!(support::view(&session, 1).value, 5, "{name}");
        assert_eq!(new.succeed(), Ok(()), "{name}");
    }
}

#[test]
fn a_reporter_from_before_its_item_was_added_is_released() {
    for (name, session, callback) in ways() {
        start_round(&session, &[id(1)]);
        let before = ItemReporter::new(&callback, id(2));
        callback.add_item(item(2)).unwrap();
        let released = Err(CallbackError::Released);
        assert_eq!(before.check(), released, "{name}");
        let after = ItemReporter::new(&callback, id(2));
        assert_eq!(after.check(), Ok(Verdict::Continue), "{name}");
    }
}

#[test]
fn a_reporter_that_goes_on_is_answered_alike() {
    for (name, session, callback) in ways() {
        let waiting = ItemReporter::new(&callback, id(1));
        assert_eq!(waiting.set(1), Err(CallbackError::WrongPhase), "{name}");
        start_round(&session, &[id(1)]);
        assert_eq!(waiting.set(1), Ok(Verdict::Continue), "{name}");
        session.cancel_item(id(1)).unwrap();
        assert_eq!(waiting.set(2), Ok(Verdict::CancelItem), "{name}");
        session.cancel_all();
        assert_eq!(waiting.check(), Ok(Verdict::CancelAll), "{name}");
        assert_eq!(waiting.stop(), Ok(()), "{name}");
        let late = ItemReporter::new(&callback, id(1));
        assert_eq!(late.set(3), Err(CallbackError::ItemFinished), "{name}");
        let unknown = ItemReporter::new(&callback, id(9));
        assert_eq!(unknown.set(3), Err(CallbackError::UnknownItem), "{name}");
        session.driver().release();
        assert_eq!(late.check(), Err(CallbackError::Released), "{name}");
    }
}

#[test]
fn the_refused_report_is_in_the_trace() {
    let session = driven(1);
    let recorder = Recorder::new();
    let callback = recorder.callback(session.clone());
    start_round(&session, &[id(1)]);
    let kept = ItemReporter::new(&callback, id(1));
    complete(&session);
    start_round(&session, &[id(1)]);
    assert!(kept.set(1).is_err());
    assert!(
        callback
            .progress(id(1), &status(ItemStatus::Updating))
            .is_ok()
    );
    let trace = recorder.trace();
    let answers: Vec<&Answer> = trace.calls().iter().map(|call| &call.answer).collect();
    let expected = [
        Answer::Refused(CallbackError::Released),
        Answer::Verdict(Verdict::Continue),
    ];
    assert_eq!(answers, expected.iter().collect::<Vec<_>>(), "{trace}");
    let callbacks: Vec<Option<u32>> = trace.calls().iter().map(|call| call.callback).collect();
    assert_eq!(
        callbacks,
        [Some(1); 2],
        "both are calls on the wrapped callback"
    );
}

#[test]
fn a_handler_that_keeps_its_reporter_across_a_retry_is_found_by_the_harness() {
    let error = ErrorId::from_u128(1);
    let kept: Mutex<Option<Arc<ItemReporter>>> = Mutex::new(None);
    let handler = obedient(1)
        .synchronize(move |handler| {
            let callback = handler.callback();
            let mut kept = kept.lock().unwrap();
            let again = kept.is_some();
            let reporter = match &*kept {
                Some(reporter) => Arc::clone(reporter),
                None => Arc::new(ItemReporter::new(&callback, id(1))),
            };
            *kept = Some(Arc::clone(&reporter));
            let _ = reporter.check();
            let end = match again {
                false => ItemStatus::Failed,
                true => ItemStatus::Succeeded,
            };
            if !again {
                let record = LogRecord::new(LogLevel::Error, "no disk");
                callback.log_error(&record.item(id(1)).jump_text(error))?;
            }
            let _ = reporter.report(&status(end));
            handler.complete_synchronize(HResult::S_OK);
            if again {
                *kept = None;
            }
            Ok(())
        })
        .show_error(|handler, _| {
            let callback = handler.callback();
            callback.show_error_completed(ErrorOutcome::Retry(&[id(1)]))?;
            Ok(())
        });
    let trace = Harness::new(handler.build()).show_errors().run();
    let rule = Rule::FinalStatusBeforeCompletion;
    assert_eq!(broken(&trace), [rule], "{trace}");
}
