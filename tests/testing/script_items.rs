//! Scripted handlers: what becomes of the items of a round.

use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::scripts::*;

use syncmgr::testing::mock::{Script, Step};
use syncmgr::testing::{Harness, Recorder};
use syncmgr::{
    CallbackError, HResult, ItemId, ItemName, ItemStatus, LogRecord, LogSelector, Session,
    SyncHandler, SyncItem,
};

use ItemStatus::{Failed, Skipped, Stopped, Succeeded, Updating};

#[test]
fn each_item_of_the_round_has_an_end_whatever_its_steps() {
    let steps = |item| Step::report(item).status(Updating);
    makes(
        script().item(THREE, "three").synchronize([
            steps(ONE),
            steps(TWO),
            Step::report(TWO).status(Failed),
            // It has ended.
            Step::report(TWO).status(Succeeded),
        ]),
        &[
            "prepare_for_sync_completed(S_OK) -> ok",
            "progress(\"one\", updating) -> Continue",
            "progress(\"two\", updating) -> Continue",
            "progress(\"two\", failed) -> Continue",
            "progress(\"one\", stopped) -> Continue",
            "progress(\"three\", skipped) -> Continue",
            "synchronize_completed(S_OK) -> ok",
        ],
    );
    makes(
        script().ignore_verdicts().synchronize([
            steps(ONE),
            Step::report(ONE).status(Failed),
            Step::report(ONE).status(Failed),
            Step::report(TWO),
        ]),
        &[
            "prepare_for_sync_completed(S_OK) -> ok",
            "progress(\"one\", updating) -> Continue",
            "progress(\"one\", failed) -> Continue",
            "progress(\"one\", failed) -> Continue",
            "progress(\"two\", only asks) -> Continue",
            "synchronize_completed(S_OK) -> ok",
        ],
    );
}

#[test]
fn an_item_that_is_cancelled_is_stopped_at_once_and_does_no_more() {
    let trace = Harness::new(
        script()
            .synchronize([
                Step::report(ONE).status(Updating),
                Step::report(ONE).value(1),
                Step::report(TWO).status(Updating),
                Step::report(TWO).status(Succeeded),
            ])
            .handler(),
    )
    .cancel_item_at(1)
    .run();
    trace.assert_conformant();
    assert_eq!(
        calls(&trace)[1..],
        [
            "progress(\"one\", updating)",
            "progress(\"one\", stopped) -> CancelItem",
            "progress(\"two\", updating) -> Continue",
            "progress(\"two\", succeeded) -> Continue",
            "synchronize_completed(S_OK) -> ok",
        ]
    );
}

#[test]
fn a_step_of_an_item_that_is_not_in_the_round_is_not_done() {
    let steps = [
        Step::report(ONE).status(Updating),
        Step::report(TWO).status(Updating),
        Step::report(THREE).status(Updating),
        Step::report(ONE).status(Succeeded),
    ];
    let trace = Harness::new(script().synchronize(steps).handler())
        .select([ONE])
        .run();
    trace.assert_conformant();
    assert_eq!(
        calls(&trace)[1..],
        [
            "progress(\"one\", updating) -> Continue",
            "progress(\"one\", succeeded) -> Continue",
            "synchronize_completed(S_OK) -> ok",
        ]
    );
}

#[test]
fn an_item_that_is_added_takes_part_where_it_was_taken() {
    let late = |id| SyncItem::new(id, ItemName::truncate_start("late"));
    makes(
        script().synchronize([
            Step::add_item(late(THREE)),
            // The host knows that one.
            Step::add_item(late(ONE)),
            Step::report(ONE).status(Succeeded),
            Step::report(TWO).status(Succeeded),
            Step::report(THREE).status(Updating),
        ]),
        &[
            "prepare_for_sync_completed(S_OK) -> ok",
            "add_item(\"late\") -> ok",
            "add_item(\"one\") -> refused: InvalidArgument",
            "progress(\"one\", succeeded) -> Continue",
            "progress(\"two\", succeeded) -> Continue",
            "progress(\"late\", updating) -> Continue",
            "progress(\"late\", stopped) -> Continue",
            "synchronize_completed(S_OK) -> ok",
        ],
    );
}

fn statuses(recorder: &Recorder, item: ItemId) -> Vec<ItemStatus> {
    let trace = recorder.trace();
    let reports = trace.calls().iter();
    reports
        .filter(|call| call.action.reported() == Some(item))
        .filter_map(|call| call.action.update().status)
        .collect()
}

#[test]
fn an_item_that_is_skipped_before_it_begins_is_not_begun() {
    let steps = [ONE, TWO].into_iter().flat_map(|item| {
        [
            Step::report(item).status(Updating),
            Step::report(item).status(Succeeded),
        ]
    });
    let (handler, recorder) = prepared(&script().synchronize(steps));
    let unknown = handler.set_item_status(THREE, Skipped).unwrap_err();
    assert_eq!(unknown.hresult(), HResult::E_INVALIDARG);
    assert!(handler.set_item_status(ONE, Skipped).is_ok());
    assert!(handler.set_item_status(ONE, Skipped).is_ok(), "once more");
    Arc::clone(&handler).synchronize().unwrap();
    assert_eq!(statuses(&recorder, ONE), [Skipped]);
    assert_eq!(statuses(&recorder, TWO), [Updating, Succeeded]);
    // What has ended is not skipped any more.
    assert!(handler.set_item_status(TWO, Skipped).is_ok());
}

#[test]
fn a_skip_that_comes_while_the_first_report_is_made_waits_for_it() {
    let handler: Arc<Mutex<Option<Arc<dyn SyncHandler>>>> = Arc::default();
    let (told, waits) = mpsc::channel();
    /// Skips the item from another thread while its first report is being made.
    struct SkipInside {
        inner: Arc<Session>,
        skip: Mutex<Option<Box<dyn FnOnce() + Send>>>,
    }
    impl syncmgr::SyncCallback for SkipInside {
        fn progress(
            &self,
            item: ItemId,
            update: &syncmgr::ProgressUpdate<'_>,
        ) -> Result<syncmgr::Verdict, CallbackError> {
            if let Some(skip) = self.skip.lock().unwrap().take() {
                skip();
            }
            self.inner.progress(item, update)
        }
        fn log_error(&self, _: &LogRecord<'_>) -> Result<(), CallbackError> {
            Ok(())
        }
        fn delete_log_error(&self, _: LogSelector) -> Result<(), CallbackError> {
            Ok(())
        }
        fn prepare_for_sync_completed(&self, _: HResult) -> Result<(), CallbackError> {
            Ok(())
        }
        fn synchronize_completed(&self, _: HResult) -> Result<(), CallbackError> {
            Ok(())
        }
        fn show_error_completed(&self, _: syncmgr::ErrorOutcome<'_>) -> Result<(), CallbackError> {
            Ok(())
        }
        fn show_properties_completed(
            &self,
            _: syncmgr::PropertiesOutcome,
        ) -> Result<(), CallbackError> {
            Ok(())
        }
        fn enable_modeless(&self, _: bool) -> Result<syncmgr::Dialog, CallbackError> {
            Ok(syncmgr::Dialog::Denied)
        }
        fn establish_connection(&self, _: Option<&str>) -> Result<(), CallbackError> {
            Ok(())
        }
    }
    let one = SyncItem::new(ONE, ItemName::truncate_start("one"));
    let session = Session::builder().item(one).build().unwrap();
    let (place, waited) = (handler.clone(), Arc::new(Mutex::new(None)));
    let seen = waited.clone();
    let skip = move || {
        let handler = place.lock().unwrap().take().unwrap();
        std::thread::spawn(move || {
            let answer = handler.set_item_status(ONE, Skipped);
            let _heard = told.send(answer.is_ok());
        });
        // It does not come back while the report is being made.
        let early = waits.recv_timeout(Duration::from_millis(30));
        *seen.lock().unwrap() = Some((early, waits));
    };
    let callback = SkipInside {
        inner: session.clone(),
        skip: Mutex::new(Some(Box::new(skip))),
    };
    let scripted = Script::new()
        .item(ONE, "one")
        .inline()
        .synchronize([
            Step::report(ONE).status(Updating),
            Step::report(ONE).status(Succeeded),
        ])
        .handler();
    *handler.lock().unwrap() = Some(scripted.clone());
    let callback: Arc<dyn syncmgr::SyncCallback> = Arc::new(callback);
    scripted.set_progress_callback(Some(callback)).unwrap();
    Arc::clone(&scripted).prepare_for_sync(&[ONE]).unwrap();
    Arc::clone(&scripted).synchronize().unwrap();
    let (early, waits) = waited.lock().unwrap().take().unwrap();
    assert_eq!(early, Err(mpsc::RecvTimeoutError::Timeout));
    assert_eq!(waits.recv_timeout(Duration::from_secs(20)), Ok(true));
    // It was begun, so it goes on.
    let view = session.item(ONE).unwrap();
    assert_eq!(view.status, Succeeded);
}

#[test]
fn an_item_that_was_in_an_earlier_round_has_no_part_in_the_next() {
    let steps = [ONE, TWO].map(|item| Step::report(item).status(Updating));
    let (handler, recorder) = prepared(&script().synchronize(steps));
    Arc::clone(&handler).prepare_for_sync(&[TWO]).unwrap();
    Arc::clone(&handler).synchronize().unwrap();
    assert_eq!(statuses(&recorder, ONE), []);
    assert_eq!(statuses(&recorder, TWO), [Updating, Stopped]);
    // It is known, and there is nothing to skip.
    assert!(handler.set_item_status(ONE, Skipped).is_ok());
}
