//! Faults around the driver: skips that outlive their round, panics outside the handler's methods, late completions.

use std::error::Error;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use syncmgr::{
    CallbackError, ErrorId, ErrorOutcome, Fault, HResult, HandlerError, HandlerInfo, HandlerName,
    HandlerReport, ItemId, ItemList, ItemName, ItemStatus, LogLevel, LogRecord, Participation,
    Phase, Prepared, ProgressUpdate, RunOptions, Session, SyncCallback, SyncFlags, SyncHandler,
    SyncItem, Verdict, run_handler,
};

/// Only a failure waits so long.
const LIMIT: Duration = Duration::from_secs(20);

const A: ItemId = ItemId::from_u128(1);
const B: ItemId = ItemId::from_u128(2);
const ERROR: ErrorId = ErrorId::from_u128(7);

type Hook = Box<dyn Fn(&Script, &Arc<dyn SyncCallback>) -> Result<(), HandlerError> + Send + Sync>;

/// A handler of two items that does its duty, but for what a test hooks in.
struct Script {
    callback: Mutex<Option<Arc<dyn SyncCallback>>>,
    skipped: Mutex<Vec<ItemId>>,
    rounds: Mutex<Vec<Vec<ItemId>>>,
    items: Box<dyn Fn() -> Result<(), HandlerError> + Send + Sync>,
    synchronize: Hook,
    show_error: Hook,
    skip: Hook,
    clear: Hook,
}

impl Script {
    fn new() -> Self {
        Self {
            callback: Mutex::default(),
            skipped: Mutex::default(),
            rounds: Mutex::default(),
            items: Box::new(|| Ok(())),
            synchronize: Box::new(|script, callback| {
                script.finish(callback)?;
                callback.synchronize_completed(HResult::S_OK)?;
                Ok(())
            }),
            show_error: Box::new(|_, callback| {
                callback.show_error_completed(ErrorOutcome::Done)?;
                Ok(())
            }),
            skip: Box::new(|_, _| Ok(())),
            clear: Box::new(|_, _| Ok(())),
        }
    }

    fn callback(&self) -> Result<Arc<dyn SyncCallback>, CallbackError> {
        let callback = lock(&self.callback).clone();
        callback.ok_or(CallbackError::Released)
    }

    fn round(&self) -> Vec<ItemId> {
        lock(&self.rounds).last().cloned().unwrap_or_default()
    }

    /// Ends the items of the round that are not ended yet, each as its verdict says.
    fn finish(&self, callback: &Arc<dyn SyncCallback>) -> Result<(), HandlerError> {
        for item in self.round() {
            let last = match callback.can_continue(Some(item)) {
                Ok(Verdict::Continue) => ItemStatus::Succeeded,
                Ok(_) => ItemStatus::Skipped,
                Err(CallbackError::ItemFinished) => continue,
                Err(error) => return Err(error.into()),
            };
            let _ = callback.progress(item, &ProgressUpdate::new().status(last))?;
        }
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SyncHandler for Script {
    fn initialize(&self, _: SyncFlags, _: Option<&[u8]>) -> Result<Participation, HandlerError> {
        Ok(Participation::Joins)
    }
    fn info(&self) -> Result<HandlerInfo, HandlerError> {
        Ok(HandlerInfo::new(HandlerName::try_from("script")?))
    }
    fn items(&self) -> Result<ItemList, HandlerError> {
        (self.items)()?;
        let item = |id| Ok::<_, HandlerError>(SyncItem::new(id, ItemName::try_from("item")?));
        Ok(ItemList::Complete(vec![item(A)?, item(B)?]))
    }
    fn set_progress_callback(
        &self,
        callback: Option<Arc<dyn SyncCallback>>,
    ) -> Result<(), HandlerError> {
        if callback.is_none() {
            (self.clear)(self, &self.callback()?)?;
        }
        *lock(&self.callback) = callback;
        Ok(())
    }
    fn prepare_for_sync(self: Arc<Self>, items: &[ItemId]) -> Result<Prepared, HandlerError> {
        lock(&self.rounds).push(items.to_vec());
        self.callback()?.prepare_for_sync_completed(HResult::S_OK)?;
        Ok(Prepared::Started)
    }
    fn synchronize(self: Arc<Self>) -> Result<(), HandlerError> {
        (self.synchronize)(&self, &self.callback()?)
    }
    fn set_item_status(&self, item: ItemId, status: ItemStatus) -> Result<(), HandlerError> {
        assert_eq!(status, ItemStatus::Skipped);
        lock(&self.skipped).push(item);
        (self.skip)(self, &self.callback()?)
    }
    fn show_error(self: Arc<Self>, _: ErrorId) -> Result<(), HandlerError> {
        (self.show_error)(&self, &self.callback()?)
    }
}

/// Runs the handler on a thread of its own, so that a run that hangs fails the test.
fn run(script: &Arc<Script>, options: RunOptions) -> HandlerReport {
    let (done, result) = mpsc::channel();
    let handler: Arc<dyn SyncHandler> = script.clone();
    thread::spawn(move || {
        let _ = done.send(catch_unwind(AssertUnwindSafe(|| {
            run_handler(handler, options)
        })));
    });
    let ended = result.recv_timeout(LIMIT).expect("the run ends");
    ended.expect("the driver does not panic")
}

/// Keeps the session for the handler's hooks, which then play the user.
fn kept() -> (Arc<Mutex<Option<Arc<Session>>>>, RunOptions) {
    let session = Arc::new(Mutex::new(None));
    let keep = session.clone();
    let options = RunOptions::new().on_session(move |session| *lock(&keep) = Some(session));
    (session, options)
}

fn user(session: &Mutex<Option<Arc<Session>>>) -> Arc<Session> {
    lock(session).clone().expect("on_session came first")
}

/// The user skips A so late in the first round that the handler cannot be told, and B in the second round, which has
/// these items. Answers the items that the handler was told to skip.
fn told_after_a_late_skip(second: &'static [ItemId]) -> Vec<ItemId> {
    let (session, options) = kept();
    let mut script = Script::new();
    script.synchronize = Box::new({
        let session = session.clone();
        move |script, callback| {
            if lock(&script.rounds).len() > 1 {
                user(&session).skip_item(B)?;
                return Ok(()); // completed when B is told, see below
            }
            user(&session).skip_item(A)?;
            let record = LogRecord::new(LogLevel::Error, "again?").jump_text(ERROR);
            callback.log_error(&record)?;
            script.finish(callback)?;
            callback.synchronize_completed(HResult::S_OK)?;
            Ok(())
        }
    });
    script.skip = Box::new(|script, callback| {
        if lock(&script.skipped).last() == Some(&B) {
            script.finish(callback)?;
            callback.synchronize_completed(HResult::S_OK)?;
        }
        Ok(())
    });
    script.show_error = Box::new(move |_, callback| {
        callback.show_error_completed(ErrorOutcome::Retry(second))?;
        Ok(())
    });
    let script = Arc::new(script);
    let report = run(&script, options.show_error_if(|_| true).max_retries(1));
    assert_eq!(report.faults, []);
    assert_eq!(*lock(&script.rounds), [vec![A, B], second.to_vec()]);
    lock(&script.skipped).clone()
}

#[test]
fn a_skip_of_an_earlier_round_is_not_told_after_the_retry_took_it_back() {
    assert_eq!(told_after_a_late_skip(&[A, B]), [B]);
}

#[test]
fn a_skip_of_an_earlier_round_is_not_told_in_a_round_without_the_item() {
    assert_eq!(told_after_a_late_skip(&[B]), [B]);
}

#[test]
fn a_skip_of_an_item_that_is_not_selected_is_not_told() {
    let mut script = Script::new();
    script.synchronize = Box::new(|_, _| Ok(())); // completed when B is told
    script.skip = Box::new(|script, callback| {
        if lock(&script.skipped).last() == Some(&B) {
            script.finish(callback)?;
            callback.synchronize_completed(HResult::S_OK)?;
        }
        Ok(())
    });
    let script = Arc::new(script);
    let options = RunOptions::new().select([B]).on_session(|session| {
        assert_eq!(session.skip_item(A), Ok(()));
        assert_eq!(session.skip_item(B), Ok(()));
    });
    let report = run(&script, options);
    assert!(report.is_success(), "{report:?}");
    assert_eq!(*lock(&script.skipped), [B]);
}

#[test]
fn a_panic_in_on_session_releases_the_session() {
    let (session, options) = kept();
    let options = options.on_session(|_| panic!("the host's own code"));
    let handler: Arc<dyn SyncHandler> = Arc::new(Script::new());
    let ended = catch_unwind(AssertUnwindSafe(|| run_handler(handler, options)));
    assert!(ended.is_err(), "the host's own panic goes on to the host");
    assert_eq!(user(&session).phase(), Phase::Released); // so whoever follows it stops
}

/// An error that cannot even say what it is.
#[derive(Debug)]
struct Speechless;

impl fmt::Display for Speechless {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("no words");
    }
}

impl Error for Speechless {}

fn speechless() -> HandlerError {
    HandlerError::Failed(Box::new(Speechless))
}

#[test]
fn an_error_whose_text_panics_ends_the_run_as_a_panic_of_the_method() {
    let mut in_items = Script::new();
    in_items.items = Box::new(|| Err(speechless()));
    let mut in_synchronize = Script::new();
    in_synchronize.synchronize = Box::new(|_, _| Err(speechless()));
    for (script, name) in [(in_items, "items"), (in_synchronize, "synchronize")] {
        let report = run(&Arc::new(script), RunOptions::new());
        assert_eq!(report.result, HResult::E_UNEXPECTED, "{name}");
        let fault = Fault::Panicked {
            call: name,
            message: "no words".to_owned(),
        };
        assert_eq!(report.faults, [fault]);
    }
}

#[test]
fn a_completion_that_comes_while_the_callback_is_taken_away_is_a_fault() {
    let mut script = Script::new();
    script.clear = Box::new(|_, callback| {
        callback.show_error_completed(ErrorOutcome::Done)?;
        Ok(())
    });
    let report = run(&Arc::new(script), RunOptions::new());
    let fault = Fault::UnexpectedCompletion {
        call: "show_error_completed",
    };
    assert_eq!(report.faults, [fault]);
}

#[test]
fn a_session_that_the_user_releases_ends_the_run_wherever_it_is() {
    // In on_session.
    let script = Arc::new(Script::new());
    let report = run(
        &script,
        RunOptions::new().on_session(|session| session.release()),
    );
    assert_eq!((report.rounds, report.phase), (0, Phase::Released));
    assert!(!report.is_success());
    // While its completion is awaited, for ever and with a deadline that does not come.
    for deadline in [None, Some(Duration::MAX)] {
        let (session, mut options) = kept();
        if let Some(deadline) = deadline {
            options = options.deadline(deadline);
        }
        let mut script = Script::new();
        script.synchronize = Box::new(move |_, _| {
            let session = user(&session);
            thread::spawn(move || session.release());
            Ok(())
        });
        let report = run(&Arc::new(script), options);
        assert_eq!(report.result, HResult::E_ABORT);
        assert_eq!((report.phase, report.open), (Phase::Released, vec![A, B]));
        assert_eq!(report.faults, []);
    }
}

#[test]
fn a_deadline_of_nothing_ends_a_silent_wait_and_takes_a_completion_that_is_there() {
    let options = || RunOptions::new().deadline(Duration::ZERO);
    let report = run(&Arc::new(Script::new()), options());
    assert!(report.is_success(), "{report:?}");
    let mut script = Script::new();
    script.synchronize = Box::new(|_, _| Ok(()));
    let report = run(&Arc::new(script), options());
    assert_eq!(report.result, HResult::E_ABORT);
    let fault = Fault::NotCompleted {
        call: "synchronize_completed",
        after: Duration::ZERO,
    };
    assert_eq!(report.faults, [fault]);
}
