//! `ForwardingCallback`: what it does not override reaches the callback that it wraps.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Waker;

use support::forward::{Counts, Forward};
use support::{id, item, open, view};
use syncmgr::testing::mock::ForwardingCallback;
use syncmgr::{
    CallbackError, ErrorOutcome, HResult, ItemId, ItemReporter, LogLevel, LogRecord, LogSelector,
    ProgressUpdate, PropertiesOutcome, SyncCallback, Verdict,
};

struct Plain(Arc<dyn SyncCallback>);

impl ForwardingCallback for Plain {
    fn inner(&self) -> &dyn SyncCallback {
        &*self.0
    }
}

#[test]
fn every_method_is_forwarded() {
    let session = open(1);
    let counts = Counts::new();
    let inner = Forward {
        inner: session.clone(),
        counts: Arc::clone(&counts),
    };
    let callback: Arc<dyn SyncCallback> = Arc::new(Plain(Arc::new(inner)));
    let one = id(1);
    let value = ProgressUpdate::new().value(1);
    assert_eq!(callback.progress(one, &value), Ok(Verdict::Continue));
    let record = LogRecord::new(LogLevel::Warning, "text");
    assert_eq!(callback.log_error(&record), Ok(()));
    assert_eq!(callback.delete_log_error(LogSelector::All), Ok(()));
    assert!(callback.enable_modeless(true).is_ok());
    assert!(callback.establish_connection(None).is_err());
    assert_eq!(callback.can_continue(Some(one)), Ok(Verdict::Continue));
    assert_eq!(callback.wake_on_cancel(Some(one), Waker::noop()), Ok(()));
    assert_eq!(callback.add_item(item(2)), Ok(()));
    assert_eq!(callback.propose_item(item(3)), Ok(()));
    assert_eq!(callback.commit_item(id(3)), Ok(()));
    assert_eq!(callback.additional_items(), Ok(Vec::new()));
    assert_eq!(callback.set_handler_text("text"), Ok(Verdict::Continue));
    let refused = Err(CallbackError::WrongPhase);
    assert_eq!(callback.prepare_for_sync_completed(HResult::S_OK), refused);
    let _ = callback.show_error_completed(ErrorOutcome::Done);
    let _ = callback.show_properties_completed(PropertiesOutcome::Done);
    assert_eq!(callback.synchronize_completed(HResult::S_OK), Ok(()));
    let mut called = counts.order();
    called.sort();
    assert_eq!(
        called,
        [
            "add_item",
            "additional_items",
            "can_continue",
            "commit_item",
            "delete_log_error",
            "enable_modeless",
            "establish_connection",
            "log_error",
            "prepare_for_sync_completed",
            "progress",
            "propose_item",
            "set_handler_text",
            "show_error_completed",
            "show_properties_completed",
            "synchronize_completed",
            "wake_on_cancel",
        ]
    );
    assert_eq!(view(&session, 1).value, 1);
}

/// Counts the reports.
struct Counting(Arc<dyn SyncCallback>, AtomicUsize);

impl ForwardingCallback for Counting {
    fn inner(&self) -> &dyn SyncCallback {
        &*self.0
    }

    fn progress(
        &self,
        item: ItemId,
        update: &ProgressUpdate<'_>,
    ) -> Result<Verdict, CallbackError> {
        self.1.fetch_add(1, Ordering::SeqCst);
        self.inner().progress(item, update)
    }
}

#[test]
fn a_reporter_makes_each_report_through_the_wrapper() {
    let session = open(1);
    let host = Arc::new(Counting(session.clone(), AtomicUsize::new(0)));
    let callback: Arc<dyn SyncCallback> = host.clone();
    let reporter = ItemReporter::new(&callback, id(1));
    for n in 1..=10 {
        assert_eq!(reporter.set(n), Ok(Verdict::Continue));
    }
    assert_eq!(host.1.load(Ordering::SeqCst), 10);
    assert_eq!(view(&session, 1).value, 10);
}
