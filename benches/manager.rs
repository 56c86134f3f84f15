//! What a manager adds to its handlers: C1, a run of many against the same handlers one by one through `run_handler`; C2, a
//! look at a run against a look at a small one with as much in work; C3, how calls with very many
//! ids grow with their number, and how long other calls on the manager wait for them.
//!
//! Run by `cargo bench -p syncmgr-benches --bench manager`; `-- C1` runs some of them. It prints a table and fails nothing: machines are
//! shared, so run it twice and read the medians.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use syncmgr::{
    CallbackError, ErrorId, ErrorOutcome, HResult, HandlerError, HandlerId, HandlerInfo,
    HandlerName, HandlerReport, ItemFlags, ItemId, ItemList, ItemName, ItemReporter, ItemStatus,
    LogLevel, LogRecord, Participation, Prepared, ProgressUpdate, Registration, Run, RunObserver,
    RunOptions, SyncCallback, SyncFlags, SyncHandler, SyncItem, SyncManager, run_handler,
};

use syncmgr_benches::ratio::{alternate, bars, row, timed};

/// What a handler does with its items.
#[derive(Clone)]
enum Work {
    /// Reports each of them once, as done.
    Nothing,
    /// Takes this many in work, and waits until the gate opens.
    Holds(u128, Arc<Barrier>, Arc<Barrier>),
    /// Waits in its list until the gate opens.
    ListsLate(Arc<Barrier>),
    /// Waits until the gate opens, then takes all additional items in.
    Takes(Arc<Barrier>, Arc<Barrier>),
    /// Logs an error for each of them that can be shown.
    Fails,
}

struct Handler {
    items: Arc<[SyncItem]>,
    work: Work,
    callback: Mutex<Option<Arc<dyn SyncCallback>>>,
}

impl Handler {
    fn make(items: &Arc<[SyncItem]>, work: Work) -> Arc<dyn SyncHandler> {
        Arc::new(Self {
            items: Arc::clone(items),
            work,
            callback: Mutex::new(None),
        })
    }

    fn callback(&self) -> Result<Arc<dyn SyncCallback>, CallbackError> {
        let callback = self.callback.lock().unwrap_or_else(PoisonError::into_inner);
        callback.clone().ok_or(CallbackError::Released)
    }
}

impl SyncHandler for Handler {
    fn initialize(&self, _: SyncFlags, _: Option<&[u8]>) -> Result<Participation, HandlerError> {
        Ok(Participation::Joins)
    }

    fn info(&self) -> Result<HandlerInfo, HandlerError> {
        Ok(HandlerInfo::new(HandlerName::truncate_start("idle")))
    }

    fn items(&self) -> Result<ItemList, HandlerError> {
        if let Work::ListsLate(open) = &self.work {
            open.wait(); // it has come this far
            open.wait();
        }
        Ok(ItemList::Complete(self.items.to_vec()))
    }

    fn set_progress_callback(
        &self,
        callback: Option<Arc<dyn SyncCallback>>,
    ) -> Result<(), HandlerError> {
        *self.callback.lock().unwrap_or_else(PoisonError::into_inner) = callback;
        Ok(())
    }

    fn prepare_for_sync(self: Arc<Self>, _: &[ItemId]) -> Result<Prepared, HandlerError> {
        let _ = self.callback()?.prepare_for_sync_completed(HResult::S_OK);
        Ok(Prepared::Started)
    }

    fn synchronize(self: Arc<Self>) -> Result<(), HandlerError> {
        let callback = self.callback()?;
        if let Work::Holds(count, held, open) = &self.work {
            for n in 1..=*count {
                let _ = ItemReporter::new(&callback, ItemId::from_u128(n)).set(1)?;
            }
            held.wait();
            open.wait();
        }
        let done = ProgressUpdate::new().status(ItemStatus::Succeeded);
        if let Work::Takes(held, open) = &self.work {
            held.wait();
            open.wait();
            for id in callback.additional_items()? {
                callback.add_item(SyncItem::new(id, ItemName::truncate_start("additional")))?;
                let _ = callback.progress(id, &done)?;
            }
        }
        for item in self.items.iter() {
            if let Work::Fails = self.work {
                let error = ErrorId::from_u128(item.id.as_u128());
                let record = LogRecord::new(LogLevel::Error, "it failed");
                callback.log_error(&record.item(item.id).jump_text(error))?;
            }
            let _ = callback.progress(item.id, &done); // refused unless the item takes part
        }
        let _ = callback.synchronize_completed(HResult::S_OK);
        Ok(())
    }

    fn show_error(self: Arc<Self>, _: ErrorId) -> Result<(), HandlerError> {
        let outcome = ErrorOutcome::Done;
        let _ = self.callback()?.show_error_completed(outcome);
        Ok(())
    }

    fn set_item_status(&self, _: ItemId, _: ItemStatus) -> Result<(), HandlerError> {
        Ok(())
    }
}

fn items(count: u128) -> Arc<[SyncItem]> {
    let named = |n: u128| {
        let name = ItemName::truncate_start(&format!("item {n:07}"));
        SyncItem::new(ItemId::from_u128(n), name)
    };
    (1..=count).map(named).collect()
}

fn register(manager: &SyncManager, n: u128, items: &Arc<[SyncItem]>, work: Work) {
    let items = Arc::clone(items);
    let make = move || Handler::make(&items, work.clone());
    let registered = manager.register(HandlerId::from_u128(n), Registration::new(), make);
    assert!(registered.is_ok(), "the id is not nil");
}

/// 10^3 handlers of 10^3 items that do nothing. What came of each is kept on both sides, as the report of a run does.
fn c1() {
    const HANDLERS: u128 = 1_000;
    const ITEMS: u128 = 1_000;
    let items = items(ITEMS);
    let manager = |concurrency| {
        let manager = SyncManager::builder().concurrency(concurrency).build();
        for n in 1..=HANDLERS {
            register(&manager, n, &items, Work::Nothing);
        }
        manager
    };
    let count = (HANDLERS * ITEMS) as u64;
    let one_by_one = || {
        let start = Instant::now();
        let reports: Vec<HandlerReport> = (0..HANDLERS)
            .map(|_| run_handler(Handler::make(&items, Work::Nothing), RunOptions::new()))
            .collect();
        let took = start.elapsed();
        assert!(reports.iter().all(|report| report.rounds == 1));
        (took, count)
    };
    let run = |manager: &SyncManager| {
        let start = Instant::now();
        let report = manager.update_all().wait();
        let took = start.elapsed();
        assert_eq!(report.handlers.len() as u128, HANDLERS);
        (took, count)
    };
    for concurrency in [1, 2] {
        let manager = manager(concurrency);
        let what = format!("a run of 10^3 handlers of 10^3 items, {concurrency} at once, an item");
        let ratio = alternate(7, one_by_one, || run(&manager));
        row("C1", &what, &ratio, 1.5);
    }
    // The memory of a new thread is new to it: what that costs is no matter of the manager.
    let manager = manager(1);
    let on_a_thread = || thread::scope(|scope| scope.spawn(one_by_one).join());
    let ratio = alternate(
        7,
        || on_a_thread().expect("the handlers do not panic"),
        || run(&manager),
    );
    row(
        "C1",
        "the same 1 at once, against `run_handler` on a new thread",
        &ratio,
        f64::INFINITY,
    );
}

/// A run that is held while one of its handlers has items in work.
struct Held {
    run: Run,
    observer: RunObserver,
    open: Arc<Barrier>,
}

impl Held {
    fn new(handlers: u128, items_each: u128, active: u128) -> Self {
        let items = items(items_each);
        let (held, open) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
        let manager = SyncManager::builder().concurrency(1).build();
        // Half of them are over when it holds, and half wait.
        for n in 1..=handlers {
            let work = match n == handlers.div_ceil(2) {
                true => Work::Holds(active, Arc::clone(&held), Arc::clone(&open)),
                false => Work::Nothing,
            };
            register(&manager, n, &items, work);
        }
        let run = manager.update_all();
        held.wait();
        let mut observer = run.observe();
        let _ = observer.refresh();
        // The manager goes; the run goes on, but what waits is over then.
        std::mem::forget(manager);
        Self {
            run,
            observer,
            open,
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.open.wait();
        let _ = self.run.wait();
    }
}

fn c2() {
    let (mut small, mut large) = (Held::new(1, 200, 100), Held::new(1_001, 1_000, 100));
    let mut look = |held: &mut Held| {
        timed(100, |_| {
            let changes = black_box(&mut held.observer).refresh();
            assert_eq!(changes.sessions.len(), 1);
            assert_eq!(changes.sessions[0].1.items().len(), 100);
        })
    };
    let ratio = {
        let look = std::cell::RefCell::new(&mut look);
        alternate(
            101,
            || (look.borrow_mut())(&mut small),
            || (look.borrow_mut())(&mut large),
        )
    };
    row(
        "C2",
        "a look at a run of 10^6 items, 100 of them in work, against at one of 200",
        &ratio,
        1.5,
    );
    let progress = alternate(
        101,
        || timed(100, |_| _ = black_box(small.run.progress())),
        || timed(100, |_| _ = black_box(large.run.progress())),
    );
    row("C2", "the same by `Run::progress`", &progress, 1.5);
}

/// The longest call of another thread on the manager while `f` runs.
fn held_up(manager: &SyncManager, f: impl FnOnce()) -> Duration {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let other = scope.spawn(|| {
            let mut longest = Duration::ZERO;
            while !stop.load(Ordering::Relaxed) {
                let start = Instant::now();
                black_box(manager.registration(OTHER));
                longest = longest.max(start.elapsed());
                thread::sleep(Duration::from_micros(100));
            }
            longest
        });
        f();
        stop.store(true, Ordering::Relaxed);
        other.join().expect("it does not panic")
    })
}

const OTHER: HandlerId = HandlerId::from_u128(2);
const ONE: HandlerId = HandlerId::from_u128(1);

/// How long something took with so many ids, and how long others were held up.
type Cost = (Duration, Duration);

/// What is measured, and with how many ids.
type Row = (&'static str, u128, fn(u128) -> Cost);

/// A manager of one handler that has come to a gate, and its run.
fn gated(work: impl FnOnce(&[Arc<Barrier>; 2]) -> Work) -> (SyncManager, Run, [Arc<Barrier>; 2]) {
    let gates = [(); 2].map(|()| Arc::new(Barrier::new(2)));
    let manager = SyncManager::new();
    register(&manager, 1, &items(1), work(&gates));
    let run = manager.update_all();
    gates[0].wait();
    (manager, run, gates)
}

fn timed_beside(manager: &SyncManager, f: impl FnOnce()) -> Cost {
    let mut took = Duration::ZERO;
    let held = held_up(manager, || {
        let start = Instant::now();
        f();
        took = start.elapsed();
    });
    (took, held)
}

fn ids(count: u128) -> impl Iterator<Item = ItemId> {
    (1..=count).map(|n| ItemId::from_u128(n + 1))
}

fn cancels_pending(count: u128) -> Cost {
    let (manager, first, [gate, _]) = gated(|gates| Work::ListsLate(Arc::clone(&gates[0])));
    let second = manager.sync_items(ONE, ids(count)).expect("registered");
    let cost = timed_beside(&manager, || second.cancel_all());
    gate.wait();
    let _ = first.wait();
    cost
}

fn ends_temporary(count: u128) -> Cost {
    let manager = SyncManager::new();
    let temporary: Arc<[SyncItem]> = (items(count).iter().cloned())
        .map(|item| item.flags(ItemFlags::TEMPORARY))
        .collect();
    register(&manager, 1, &temporary, Work::Nothing);
    for item in temporary.iter() {
        manager.choose(ONE, item.id, true);
    }
    timed_beside(&manager, || _ = manager.update_all().wait())
}

fn starts_many(manager: &SyncManager, count: u128) -> Vec<Run> {
    let start = |id| manager.sync_items(ONE, [id]).expect("registered");
    ids(count).map(start).collect()
}

fn shares(count: u128) -> Cost {
    let (manager, first, [_, gate]) =
        gated(|[held, open]| Work::Holds(1, Arc::clone(held), Arc::clone(open)));
    register(&manager, 1, &items(1), Work::Nothing); // for later runs
    let runs: Vec<Run> = (0..count).map(|_| manager.update_all()).collect();
    timed_beside(&manager, || {
        gate.wait();
        let _ = first.wait();
        runs.iter().for_each(|run| _ = run.wait());
    })
}

fn unfollowed(count: u128) -> Cost {
    let (manager, first, [gate, _]) = gated(|gates| Work::ListsLate(Arc::clone(&gates[0])));
    let cost = timed_beside(&manager, || {
        for id in ids(count) {
            let _ = manager.sync_items(ONE, [id]);
        }
    });
    gate.wait();
    let _ = first.wait();
    cost
}

fn taken_in(count: u128) -> Cost {
    let (manager, first, [_, gate]) =
        gated(|[held, open]| Work::Takes(Arc::clone(held), Arc::clone(open)));
    let runs = starts_many(&manager, count);
    let cost = timed_beside(&manager, || {
        gate.wait();
        let _ = first.wait();
    });
    manager.stop_handler(ONE); // those that the handler was not offered
    runs.iter().for_each(|run| _ = run.wait());
    cost
}

fn cancels_each(count: u128) -> Cost {
    let (manager, first, [gate, _]) = gated(|gates| Work::ListsLate(Arc::clone(&gates[0])));
    let runs = starts_many(&manager, count);
    let cost = timed_beside(&manager, || runs.iter().for_each(Run::cancel_all));
    gate.wait();
    let _ = first.wait();
    cost
}

fn shows_errors(count: u128) -> Cost {
    let manager = SyncManager::builder().show_error_if(|_| true).build();
    register(&manager, 1, &items(count), Work::Fails);
    timed_beside(&manager, || _ = manager.update_all().wait())
}

/// With ten times as many ids, each should cost the same; and nothing is to wait for more than 50
/// ms.
fn c3() {
    let rows: [Row; 7] = [
        ("cancelling a pending start", 100_000, cancels_pending),
        ("a run of temporary items", 100_000, ends_temporary),
        ("cancelling as many pending starts", 100_000, cancels_each),
        ("one run for as many identical starts", 100_000, shares),
        ("as many unfollowed starts", 100_000, unfollowed),
        (
            "as many followed starts, taken in by the run before",
            100_000,
            taken_in,
        ),
        ("showing as many errors", 10_000, shows_errors),
    ];
    for (what, count, cost) in rows {
        let each = |count: u128| {
            let runs: Vec<Cost> = (0..3).map(|_| cost(count)).collect();
            let held = runs.iter().map(|(_, held)| *held).min().unwrap_or_default();
            let took = runs.iter().map(|(took, _)| *took).min().unwrap_or_default();
            (took.as_secs_f64() * 1e9 / count as f64, held)
        };
        let ((small, _), (large, held)) = (each(count / 10), each(count));
        let ratio = large / small;
        println!(
            "| C3 | {what}: {} ids against {count} | {small:.0} ns | {large:.0} ns | {ratio:.2} \
             | others held up at most 50 ms | {held:.1?} |",
            count / 10
        );
    }
}

fn main() {
    bars("against", &[("C1", c1), ("C2", c2), ("C3", c3)]);
}
