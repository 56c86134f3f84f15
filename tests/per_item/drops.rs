//! What a handler of items has captured may panic when the handler is dropped, also by its last worker.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use support::hooked::Gate;
use support::{id, item, items, until, within};
use syncmgr::per_item::{HandlerBuilder, from_async_items, from_items, on_thread};
use syncmgr::{
    CallbackError, Dialog, ErrorOutcome, HResult, ItemId, LogRecord, LogSelector, ProgressUpdate,
    PropertiesOutcome, SyncCallback, SyncHandler, Verdict,
};

/// Counts its drop, and panics in it.
struct Bomb(Arc<AtomicUsize>);

impl Drop for Bomb {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
        panic!("the drop of a captured value");
    }
}

/// A host that takes everything, and panics when it is dropped.
struct Host(#[expect(dead_code, reason = "it is dropped")] Bomb);

impl SyncCallback for Host {
    fn progress(&self, _: ItemId, _: &ProgressUpdate<'_>) -> Result<Verdict, CallbackError> {
        Ok(Verdict::Continue)
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
    fn show_error_completed(&self, _: ErrorOutcome<'_>) -> Result<(), CallbackError> {
        Ok(())
    }
    fn show_properties_completed(&self, _: PropertiesOutcome) -> Result<(), CallbackError> {
        Ok(())
    }
    fn enable_modeless(&self, _: bool) -> Result<Dialog, CallbackError> {
        Ok(Dialog::Denied)
    }
    fn establish_connection(&self, _: Option<&str>) -> Result<(), CallbackError> {
        Err(CallbackError::NotConnected)
    }
}

/// Starts the handler, and lets it go while its worker is at the gate; then the worker has all of it.
fn dropped_by_its_worker(
    handler: Arc<dyn SyncHandler>,
    host: Host,
    dropped: &Arc<AtomicUsize>,
    [reached, gate]: [Gate; 2],
) {
    assert!(handler.items().is_ok());
    assert!(handler.set_progress_callback(Some(Arc::new(host))).is_ok());
    assert!(Arc::clone(&handler).prepare_for_sync(&[id(1)]).is_ok());
    assert!(Arc::clone(&handler).synchronize().is_ok());
    within("the worker", move || reached.pass());
    assert!(handler.set_progress_callback(None).is_ok());
    drop(handler);
    assert_eq!(dropped.load(Ordering::SeqCst), 0);
    gate.open();
    until("the drops", || dropped.load(Ordering::SeqCst) == 4);
}

#[test]
fn by_a_worker_that_is_a_thread() {
    let dropped = Arc::new(AtomicUsize::new(0));
    let [host, works, orders, finishes] = [(); 4].map(|()| Bomb(Arc::clone(&dropped)));
    let (reached, gate) = (Gate::default(), Gate::default());
    let (told, held) = (reached.clone(), gate.clone());
    let source = from_items(items(1), move |_| {
        let _captured = &works;
        told.open();
        held.pass();
        Ok(())
    });
    let handler = HandlerBuilder::new("bombs".parse().unwrap(), source)
        .order_by(move |a, b| {
            let _captured = &orders;
            a.id.cmp(&b.id)
        })
        .finish(move || {
            let _captured = &finishes;
            Ok(())
        });
    dropped_by_its_worker(handler.build(), Host(host), &dropped, [reached, gate]);
}

#[test]
fn by_a_worker_that_is_a_task() {
    let dropped = Arc::new(AtomicUsize::new(0));
    let [host, works, spawns, measures] = [(); 4].map(|()| Bomb(Arc::clone(&dropped)));
    let (reached, gate) = (Gate::default(), Gate::default());
    let (told, held) = (reached.clone(), gate.clone());
    let source = from_async_items([item(1)], move |_| {
        let _captured = &works;
        let (told, held) = (told.clone(), held.clone());
        async move {
            told.open();
            held.pass();
            Ok(())
        }
    });
    let spawn = move |task| {
        let _captured = &spawns;
        on_thread(task);
    };
    let handler =
        HandlerBuilder::new_async("bombs".parse().unwrap(), source, spawn).finish(move || {
            let _captured = &measures;
            Ok(())
        });
    dropped_by_its_worker(handler.build(), Host(host), &dropped, [reached, gate]);
}
