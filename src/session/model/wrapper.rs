//! A reporter through somebody else's callback.

use super::*;
use crate::{Dialog, ErrorOutcome, LogRecord, LogSelector, PropertiesOutcome};

/// Forwards to a session, whose slots it does not show.
pub(super) struct Wrapper {
    session: Arc<Session>,
    /// How often it wakes at once and without need before it forwards a waker.
    spurious: AtomicUsize,
    /// It does not wake.
    refuses: bool,
    /// How often it was asked, or told something of an item.
    asked: AtomicUsize,
    /// The last waker it was given. Not loom's lock: it is taken with nothing else going on.
    last: std::sync::Mutex<Option<Waker>>,
}

impl Wrapper {
    pub(super) fn host(
        session: &Arc<Session>,
        spurious: usize,
        refuses: bool,
    ) -> Arc<dyn SyncCallback> {
        Self::new(session, spurious, refuses)
    }

    pub(super) fn new(session: &Arc<Session>, spurious: usize, refuses: bool) -> Arc<Self> {
        Arc::new(Self {
            session: Arc::clone(session),
            spurious: AtomicUsize::new(spurious),
            refuses,
            asked: AtomicUsize::new(0),
            last: std::sync::Mutex::new(None),
        })
    }

    /// Wakes without need.
    pub(super) fn wake(&self) {
        let last = self.last.lock().expect("nobody panicked").clone();
        last.expect("it was given one").wake();
    }

    pub(super) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl SyncCallback for Wrapper {
    fn progress(
        &self,
        item: ItemId,
        update: &ProgressUpdate<'_>,
    ) -> Result<Verdict, CallbackError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.session.progress(item, update)
    }

    fn log_error(&self, record: &LogRecord<'_>) -> Result<(), CallbackError> {
        self.session.log_error(record)
    }

    fn delete_log_error(&self, which: LogSelector) -> Result<(), CallbackError> {
        self.session.delete_log_error(which)
    }

    fn prepare_for_sync_completed(&self, result: HResult) -> Result<(), CallbackError> {
        self.session.prepare_for_sync_completed(result)
    }

    fn synchronize_completed(&self, result: HResult) -> Result<(), CallbackError> {
        self.session.synchronize_completed(result)
    }

    fn show_error_completed(&self, outcome: ErrorOutcome<'_>) -> Result<(), CallbackError> {
        self.session.show_error_completed(outcome)
    }

    fn show_properties_completed(&self, outcome: PropertiesOutcome) -> Result<(), CallbackError> {
        self.session.show_properties_completed(outcome)
    }

    fn enable_modeless(&self, enable: bool) -> Result<Dialog, CallbackError> {
        self.session.enable_modeless(enable)
    }

    fn establish_connection(&self, connection: Option<&str>) -> Result<(), CallbackError> {
        self.session.establish_connection(connection)
    }

    fn wake_on_cancel(&self, item: Option<ItemId>, waker: &Waker) -> Result<(), CallbackError> {
        if self.refuses {
            return Err(CallbackError::NotImplemented);
        }
        *self.last.lock().expect("nobody panicked") = Some(waker.clone());
        if self.spurious.load(Ordering::SeqCst) > 0 {
            self.spurious.fetch_sub(1, Ordering::SeqCst);
            waker.wake_by_ref();
            return Ok(());
        }
        self.session.wake_on_cancel(item, waker)
    }
}

#[test]
fn two_threads_that_advance_one_item_through_a_wrapper_lose_no_step() {
    check(|| {
        let session = open(&[A]);
        assert_eq!(session.progress(A, &value(0)), Ok(Verdict::Continue));
        let callback = Wrapper::host(&session, 0, false);
        let reporter = ItemReporter::new(&callback, A);
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
