//! One handler, from `initialize` to its release.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use super::enumerate::{Enumerate, Enumerated};
use super::options::RunOptions;
use super::report::HandlerReport;
use super::rounds::{Rounds, RoundsEnd};
use crate::SyncHandler;
use crate::session::Phase;
use crate::util::panic::contained;

/// Takes one handler through its whole life, on this thread: initialize, list, prepare, synchronize, errors and retries,
/// release.
///
/// ```text
/// initialize, info, items        the session is built and handed to `on_session`
/// set_progress_callback(some)
/// prepare_for_sync               then its completion is awaited, from whatever thread it comes
/// synchronize                    likewise; only after a prepare that was completed with S_OK (rule M01)
/// show_error                     for the errors that the options want shown; a retry goes back to prepare_for_sync
/// set_progress_callback(none)
/// ```
///
/// - Where no item is selected, neither prepare nor synchronize is called (rule M02), and no callback is set.
/// - [`skip_item`](crate::Session::skip_item) reaches the handler as `set_item_status(SKIPPED)` in its two windows (rule M04):
///   between the return of a call and its completion.
/// - A method that panics ends the run; its text stands in the report and in the session's log. A completion that never
///   comes ends it past the [`deadline`](RunOptions::deadline), if there is one; a method that never returns blocks it.
/// - No lock is held while the handler is called: it may call back from inside any method.
///
/// # In an async program
///
/// `run_handler` blocks its thread, so give it one:
///
/// ```ignore
/// let report = tokio::task::spawn_blocking(move || run_handler(handler, options)).await?;
/// ```
///
/// Called inside a task it holds that worker of the runtime; on a current-thread runtime, which is that of `#[tokio::test]` too, it
/// waits for ever where the items are done by the runtime, since nobody is left to run them. Or use a
/// [`SyncManager`](crate::SyncManager), whose `Run::finished` (feature `async`) is awaited.
///
/// # Panics
///
/// Only where the host's own code does: a panic in [`on_session`](RunOptions::on_session) or
/// [`show_error_if`](RunOptions::show_error_if) goes to the caller, after the handler was let go and the session released.
///
/// ```
/// # use std::sync::{Arc, Mutex, PoisonError};
/// use syncmgr::*;
///
/// /// The smallest handler: one item, done on the caller's thread.
/// #[derive(Default)]
/// struct Tidy {
///     callback: Mutex<Option<Arc<dyn SyncCallback>>>,
/// }
/// const ROOM: ItemId = ItemId::from_u128(1);
///
/// impl Tidy {
///     fn callback(&self) -> Result<Arc<dyn SyncCallback>, CallbackError> {
///         let callback = self.callback.lock().unwrap_or_else(PoisonError::into_inner);
///         callback.clone().ok_or(CallbackError::Released)
///     }
/// }
///
/// impl SyncHandler for Tidy {
///     fn initialize(&self, _: SyncFlags, _: Option<&[u8]>) -> Result<Participation, HandlerError> {
///         Ok(Participation::Joins)
///     }
///     fn info(&self) -> Result<HandlerInfo, HandlerError> {
///         Ok(HandlerInfo::new(HandlerName::try_from("Tidy")?))
///     }
///     fn items(&self) -> Result<ItemList, HandlerError> {
///         Ok(ItemList::Complete(vec![SyncItem::new(ROOM, ItemName::try_from("Room")?)]))
///     }
///     fn set_progress_callback(&self, callback: Option<Arc<dyn SyncCallback>>) -> Result<(), HandlerError> {
///         *self.callback.lock().unwrap_or_else(PoisonError::into_inner) = callback;
///         Ok(())
///     }
///     fn prepare_for_sync(self: Arc<Self>, _: &[ItemId]) -> Result<Prepared, HandlerError> {
///         let _ = self.callback()?.prepare_for_sync_completed(HResult::S_OK); // no `?`: rule H06
///         Ok(Prepared::Started)
///     }
///     fn synchronize(self: Arc<Self>) -> Result<(), HandlerError> {
///         let callback = self.callback()?;
///         let room = ItemReporter::new(&callback, ROOM);
///         match room.check()? {
///             Verdict::Continue => room.succeed()?,
///             _ => room.skip()?,
///         }
///         let _ = callback.synchronize_completed(HResult::S_OK); // no `?`: rule H08
///         Ok(())
///     }
///     fn set_item_status(&self, _: ItemId, _: ItemStatus) -> Result<(), HandlerError> {
///         Ok(())
///     }
/// }
///
/// let report = run_handler(Arc::new(Tidy::default()), RunOptions::new());
/// assert!(report.is_success());
/// assert_eq!(report.rounds, 1);
/// # #[cfg(feature = "testing")]
/// # syncmgr::testing::explore_cancellations(|| Arc::new(Tidy::default())).assert_conformant();
/// ```
pub fn run_handler(handler: Arc<dyn SyncHandler>, options: RunOptions) -> HandlerReport {
    let monitor = options.monitor.clone();
    let report = catch_unwind(AssertUnwindSafe(|| run(&handler, options)));
    // The last reference may be ours, and a handler's drop is its own code. It may panic, so it is not dropped while a panic of
    // the host's passes.
    let inside = monitor.enter("drop");
    contained(|| drop(handler));
    drop(inside);
    report.unwrap_or_else(|panic| resume_unwind(panic))
}

fn run(handler: &Arc<dyn SyncHandler>, mut options: RunOptions) -> HandlerReport {
    let mut start = Enumerate {
        handler,
        faults: Vec::new(),
        info: None,
        monitor: options.monitor.clone(),
    };
    let mut properties = Vec::new();
    let (session, end, rounds) = match start.begin(&mut options) {
        Ok(Enumerated { session, items }) => {
            let select = options.select.take();
            let mut run = Rounds {
                handler,
                session: &session,
                options: &options,
                faults: std::mem::take(&mut start.faults),
                select,
                properties: Vec::new(),
                skips: VecDeque::new(),
                shown: 0,
                rounds: 0,
            };
            // What panics here is the host's own `show_error_if`: the handler is let go all the same.
            let end = catch_unwind(AssertUnwindSafe(|| run.drive(items)));
            let end = run.finish(end);
            let rounds = run.rounds;
            start.faults = run.faults;
            properties = run.properties;
            (Some(session), end, rounds)
        }
        Err((session, end)) => {
            let phase = session
                .as_ref()
                .map_or(Phase::Idle, |session| session.phase());
            if let Some(session) = &session {
                session.driver().release();
            }
            let ended = RoundsEnd {
                end,
                phase,
                open: Vec::new(),
            };
            (session, ended, 0)
        }
    };
    let Enumerate { faults, info, .. } = start;
    HandlerReport {
        result: end.end.result,
        phase: end.phase,
        session,
        unfinished: end.open,
        rounds,
        abandoned_threads: 0,
        info,
        error: end.end.error,
        faults,
        properties,
        never_begun: false,
    }
}
