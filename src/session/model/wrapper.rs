//! A reporter through somebody else's callback.

use super::*;
use crate::{Dialog, ErrorOutcome, LogRecord, LogSelector, PropertiesOutcome};

/// Forwards to a session, whose slots it does not show.
struct Wrapper(Arc<Session>);

impl SyncCallback for Wrapper {
    fn progress(
        &self,
        item: ItemId,
        update: &ProgressUpdate<'_>,
    ) -> Result<Verdict, CallbackError> {
        self.0.progress(item, update)
    }

    fn log_error(&self, record: &LogRecord<'_>) -> Result<(), CallbackError> {
        self.0.log_error(record)
    }

    fn delete_log_error(&self, which: LogSelector) -> Result<(), CallbackError> {
        self.0.delete_log_error(which)
    }

    fn prepare_for_sync_completed(&self, result: HResult) -> Result<(), CallbackError> {
        self.0.prepare_for_sync_completed(result)
    }

    fn synchronize_completed(&self, result: HResult) -> Result<(), CallbackError> {
        self.0.synchronize_completed(result)
    }

    fn show_error_completed(&self, outcome: ErrorOutcome<'_>) -> Result<(), CallbackError> {
        self.0.show_error_completed(outcome)
    }

    fn show_properties_completed(&self, outcome: PropertiesOutcome) -> Result<(), CallbackError> {
        self.0.show_properties_completed(outcome)
    }

    fn enable_modeless(&self, enable: bool) -> Result<Dialog, CallbackError> {
        self.0.enable_modeless(enable)
    }

    fn establish_connection(&self, connection: Option<&str>) -> Result<(), CallbackError> {
        self.0.establish_connection(connection)
    }
}

#[test]
fn two_threads_that_advance_one_item_through_a_wrapper_lose_no_step() {
    check(|| {
        let session = open(&[A]);
        assert_eq!(session.progress(A, &value(0)), Ok(Verdict::Continue));
        let callback: Arc<dyn SyncCallback> = Arc::new(Wrapper(session.clone()));
        let reporter = ItemReporter::new(&callback, A).expect("no call is made");
        let reporter = Arc::new(reporter);
        let other = {
            let reporter = Arc::clone(&reporter);
            thread::spawn(move || reporter.advance(1))
        };
        assert_eq!(reporter.advance(10), Ok(Verdict::Continue));
        assert_eq!(join(other), Ok(Verdict::Continue));
        assert_eq!(session.item(A).expect("known").value, 11);
    });
}
