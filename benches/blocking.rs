//! The longest time for which others are kept waiting: a runtime by one poll of a `per_item` task, where 300,000 items are cancelled
//! before they begin; and `cancel_item` by observers that read a full log.
//!
//! Times are those of the thread on a core. Run by `cargo bench -p syncmgr-benches --features full --bench blocking`. It prints a table and fails nothing: machines are shared, so run
//! it twice and read the medians beside the maxima.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};
use std::task::{Context, Waker};
use std::thread;
use std::time::{Duration, Instant};

use syncmgr::per_item::{HandlerBuilder, Task, from_async_items};
use syncmgr::{
    ItemId, ItemName, LogLevel, LogRecord, RunOptions, Session, SyncCallback, SyncItem, run_handler,
};

fn items(count: u128) -> impl Iterator<Item = SyncItem> {
    (1..=count).map(|n| {
        let name = ItemName::truncate_start(&format!("item {n:07}"));
        SyncItem::new(ItemId::from_u128(n), name)
    })
}

/// A clock that stands still while the thread has no core (Linux; elsewhere it does not), so that other programs do not count.
struct Clock {
    start: Instant,
    waited: Duration,
}

impl Clock {
    fn start() -> Self {
        let (waited, start) = (waited(), Instant::now());
        Self { start, waited }
    }

    fn stop(self) -> Duration {
        let took = self.start.elapsed();
        took.saturating_sub(waited().saturating_sub(self.waited))
    }
}

/// How long this thread was ready to run and did not.
fn waited() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = stat
        .split_whitespace()
        .nth(1)
        .and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(nanos.unwrap_or(0))
}

fn print(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |share: usize| {
        let place = times.len().saturating_sub(1) * share / 1_000;
        times
            .get(place)
            .map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
    };
    println!(
        "| {what} | {} | {:.3} | {:.3} | {:.3} |",
        times.len(),
        at(500),
        at(999),
        at(1_000)
    );
}

/// How long each poll takes, of the one task that ends all items, its drop included.
fn polls(count: u128) -> Vec<Duration> {
    let (spawn, spawned) = mpsc::channel::<Task>();
    let runtime = thread::spawn(move || {
        let mut times = Vec::new();
        let mut context = Context::from_waker(Waker::noop());
        for task in spawned {
            let mut task = Some(task);
            while let Some(mut polled) = task.take() {
                let clock = Clock::start();
                if polled.as_mut().poll(&mut context).is_pending() {
                    task = Some(polled);
                } else {
                    drop(polled);
                }
                times.push(clock.stop());
            }
        }
        times
    });
    let items: Vec<_> = items(count).collect();
    let source = from_async_items(items, |work| async move { Ok(work.set(1).await?) });
    let spawn = Mutex::new(spawn);
    let handler = HandlerBuilder::new_async(
        "Cancelled"
            .parse()
            .unwrap_or_else(|error| panic!("{error}")),
        source,
        move |task| {
            let spawn = spawn.lock().unwrap_or_else(PoisonError::into_inner);
            spawn.send(task).unwrap_or_else(|error| panic!("{error}"));
        },
    );
    let options = RunOptions::new().on_session(|session| session.cancel_all());
    let report = run_handler(handler.workers(1).build(), options);
    drop(black_box(report));
    runtime.join().unwrap_or_else(|_| panic!("the runtime"))
}

/// How long each `cancel_item` takes beside so many threads that read a log of this many entries of 8 KiB, over and over.
fn cancels(entries: usize, readers: usize, times: u128) -> Vec<Duration> {
    let session = Session::builder().items(items(times)).build();
    let session = session.unwrap_or_else(|error| panic!("{error}"));
    let text = "x".repeat(Session::LOG_TEXT_LIMIT);
    for _ in 0..entries {
        let logged = session.log_error(&LogRecord::new(LogLevel::Error, &text));
        logged.unwrap_or_else(|error| panic!("{error}"));
    }
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..readers {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    black_box(session.log());
                }
            });
        }
        let took = (1..=times).map(|n| {
            thread::sleep(Duration::from_millis(1)); // a user is not faster
            let clock = Clock::start();
            let cancelled = session.cancel_item(ItemId::from_u128(n));
            cancelled.unwrap_or_else(|error| panic!("{error}"));
            clock.stop()
        });
        let took = took.collect();
        over.store(true, Ordering::Relaxed);
        took
    })
}

fn main() {
    // Without `--bench` it is a test whether the benchmarks still run.
    let measures = std::env::args().any(|arg| arg == "--bench");
    let (count, entries, times) = if measures {
        (300_000, 10_000, 2_000)
    } else {
        (3_000, 100, 10)
    };
    println!("| what, in ms | times | median | 99.9 % | longest |");
    println!("|---|---|---|---|---|");
    let mut polls = polls(count);
    let last = polls.pop();
    print("a poll, the items cancelled", polls);
    print("the last poll, which completes", last.into_iter().collect());
    print(
        "cancel_item, no reader of the log",
        cancels(entries, 0, times),
    );
    print(
        "cancel_item, two readers of a full log",
        cancels(entries, 2, times),
    );
}
