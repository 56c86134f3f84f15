//! What a report costs, beside the floor under it: one load and one store.
//!
//! Run by `cargo bench -p syncmgr-benches --bench progress`. The numbers of one run can be compared with each other, not with those of
//! another machine.

use std::cell::LazyCell;
use std::hint::black_box;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};
use syncmgr::{
    CallbackError, Dialog, ErrorOutcome, HResult, ItemId, ItemName, ItemReporter, LogRecord,
    LogSelector, ProgressUpdate, PropertiesOutcome, Session, SyncCallback, SyncItem, Verdict,
};

use syncmgr_benches::floor::Padded;

type Answer = Result<Verdict, CallbackError>;

fn id(n: u64) -> ItemId {
    ItemId::from_u128(u128::from(n))
}

fn items(count: u64) -> impl Iterator<Item = SyncItem> {
    (1..=count).map(|n| SyncItem::new(id(n), ItemName::truncate_start("item")))
}

/// An open session of items 1 to `count`.
fn session(count: u64) -> Arc<Session> {
    let session = Session::builder().items(items(count)).build();
    session.unwrap_or_else(|error| panic!("the items of the benchmark: {error}"))
}

/// The same with every item in work, so that the fast path takes its reports.
fn in_work(count: u64) -> Arc<Session> {
    let session = session(count);
    for n in 1..=count {
        assert_eq!(by_id(&*session, id(n), 1), Ok(Verdict::Continue));
    }
    session
}

/// A session whose items are in their second round.
fn retried(count: u64) -> Arc<Session> {
    let session = Session::builder().items(items(count)).driven().build();
    let session = session.unwrap_or_else(|error| panic!("the items of the benchmark: {error}"));
    let all: Vec<_> = (1..=count).map(id).collect();
    let round = || {
        session.driver().begin_prepare(&all)?;
        session.prepare_for_sync_completed(HResult::S_OK)?;
        session.driver().begin_synchronize()
    };
    let twice = round()
        .and_then(|()| session.synchronize_completed(HResult::S_OK))
        .and_then(|()| round());
    twice.unwrap_or_else(|error| panic!("two rounds: {error}"));
    for n in 1..=count {
        assert_eq!(by_id(&*session, id(n), 1), Ok(Verdict::Continue));
    }
    session
}

fn reporter(session: &Arc<Session>, n: u64) -> ItemReporter {
    let reporter = session.reporter(id(n));
    reporter.unwrap_or_else(|error| panic!("item {n} of the benchmark: {error}"))
}

#[inline]
fn by_id(callback: &dyn SyncCallback, id: ItemId, value: u64) -> Answer {
    callback.progress(id, &ProgressUpdate::new().value(value))
}

/// Somebody's own callback around a session: it passes every call on, and gives no slot.
struct Wrapper(Arc<Session>);

impl SyncCallback for Wrapper {
    fn progress(&self, item: ItemId, update: &ProgressUpdate<'_>) -> Answer {
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

/// One thread, one item, or a thousand in turn.
fn report(c: &mut Criterion) {
    let mut group = c.benchmark_group("report");
    let mut n = 0_u64;

    let floor = Padded::new();
    group.bench_function("floor: one load, one store", |b| {
        b.iter(|| {
            n += 1;
            black_box(&floor).report(n)
        });
    });
    let one = session(1);
    let mine = reporter(&one, 1);
    group.bench_function("ItemReporter::set", |b| {
        b.iter(|| {
            n += 1;
            black_box(&mine).set(n)
        });
    });
    group.bench_function("ItemReporter::advance", |b| {
        b.iter(|| black_box(&mine).advance(1));
    });
    group.bench_function("ItemReporter::check", |b| {
        b.iter(|| black_box(&mine).check());
    });

    let (callback, first): (Arc<dyn SyncCallback>, _) = (one.clone(), id(1));
    group.bench_function("progress, a value, one item", |b| {
        b.iter(|| {
            n += 1;
            by_id(&**black_box(&callback), *black_box(&first), n)
        });
    });
    // The host keeps an id as 16 bytes and reads it at once: what was just written as two halves is not forwarded to it.
    group.bench_function("progress, a value, one item, its id made anew", |b| {
        b.iter(|| {
            n += 1;
            by_id(&**black_box(&callback), id(black_box(1)), n)
        });
    });
    group.bench_function("progress, a text and a value", |b| {
        b.iter(|| {
            n += 1;
            let update = ProgressUpdate::new().text("photos/2026/11/23.raw").value(n);
            black_box(&callback).progress(*black_box(&first), &update)
        });
    });
    let many: Arc<dyn SyncCallback> = in_work(1_000);
    let ids: Vec<_> = (1..=1_000).map(id).collect();
    group.bench_function("progress, a value, 1,000 items in turn", |b| {
        b.iter(|| {
            n += 1;
            by_id(&**black_box(&many), ids[(n % 1_000) as usize], n)
        });
    });

    let added = session(1);
    for item in items(1_001).skip(1) {
        let taken = added.add_item(item);
        assert_eq!(taken, Ok(()));
    }
    for n in 2..=1_001 {
        assert_eq!(by_id(&*added, id(n), 1), Ok(Verdict::Continue));
    }
    let added: Arc<dyn SyncCallback> = added;
    let ids: Vec<_> = (2..=1_001).map(id).collect();
    group.bench_function("progress, a value, 1,000 added items in turn", |b| {
        b.iter(|| {
            n += 1;
            by_id(&**black_box(&added), ids[(n % 1_000) as usize], n)
        });
    });
    group.finish();
}

/// In the second round of an item, whose slot is another one then.
fn after_a_retry(c: &mut Criterion) {
    let mut group = c.benchmark_group("after a retry");
    let mut n = 0_u64;
    for count in [1, 1_000] {
        let session = retried(count);
        let reporters: Vec<_> = (1..=count).map(|n| reporter(&session, n)).collect();
        group.bench_function(format!("ItemReporter::set, {count} items in turn"), |b| {
            b.iter(|| {
                n += 1;
                black_box(&reporters)[(n % count) as usize].set(n)
            });
        });
        let callback: Arc<dyn SyncCallback> = session;
        let ids: Vec<_> = (1..=count).map(id).collect();
        group.bench_function(format!("progress, {count} items in turn"), |b| {
            b.iter(|| {
                n += 1;
                by_id(&**black_box(&callback), ids[(n % count) as usize], n)
            });
        });
    }
    group.finish();
}

/// Through a callback that is not a session.
fn through_a_wrapper(c: &mut Criterion) {
    let mut group = c.benchmark_group("through a wrapper");
    let mut n = 0_u64;
    let callback: Arc<dyn SyncCallback> = Arc::new(Wrapper(in_work(1)));
    let mine = ItemReporter::new(&callback, id(1));
    group.bench_function("ItemReporter::set", |b| {
        b.iter(|| {
            n += 1;
            black_box(&mine).set(n)
        });
    });
    group.bench_function("ItemReporter::advance", |b| {
        b.iter(|| black_box(&mine).advance(1));
    });
    let first = id(1);
    group.bench_function("progress", |b| {
        b.iter(|| {
            n += 1;
            by_id(&**black_box(&callback), *black_box(&first), n)
        });
    });
    group.finish();
}

/// As many numbers below `count`, in an order that no prefetcher guesses, whatever `count` is.
fn shuffled(count: u64) -> Vec<u32> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % count) as u32
    };
    std::iter::repeat_with(next).take(1 << 20).collect()
}

/// A thousand items, whose slots fit the second-level cache, and a million, whose slots fit none.
fn random_order(c: &mut Criterion, counts: &[u64]) {
    let mut group = c.benchmark_group("random order");
    let mut n = 0_u64;
    for &count in counts {
        let order = shuffled(count);
        let ids: Vec<_> = order.iter().map(|n| id(u64::from(*n) + 1)).collect();
        let mut at = 0;
        let mut next = || {
            at = (at + 1) & (order.len() - 1);
            at
        };
        let floors = LazyCell::new(|| -> Vec<_> { (0..count).map(|_| Padded::new()).collect() });
        group.bench_function(format!("floor, {count} items"), |b| {
            let floors = &*floors;
            b.iter(|| {
                n += 1;
                black_box(floors)[order[next()] as usize].report(n)
            });
        });
        drop(floors);

        let session = LazyCell::new(|| in_work(count));
        group.bench_function(format!("progress, {count} items"), |b| {
            let callback: Arc<dyn SyncCallback> = session.clone();
            b.iter(|| {
                n += 1;
                by_id(&**black_box(&callback), ids[next()], n)
            });
        });
        let reporters =
            LazyCell::new(|| -> Vec<_> { (1..=count).map(|n| reporter(&session, n)).collect() });
        group.bench_function(format!("ItemReporter::set, {count} items"), |b| {
            let reporters = &*reporters;
            b.iter(|| {
                n += 1;
                black_box(reporters)[order[next()] as usize].set(n)
            });
        });
    }
    group.finish();
}

/// How long `threads` threads take from the moment when all are there until the last is done.
fn together(threads: usize, work: impl Fn(usize) + Sync) -> Duration {
    let barrier = Barrier::new(threads + 1);
    thread::scope(|scope| {
        let (barrier, work) = (&barrier, &work);
        let workers: Vec<_> = (0..threads)
            .map(|n| {
                scope.spawn(move || {
                    barrier.wait();
                    work(n);
                })
            })
            .collect();
        let start = Instant::now();
        barrier.wait();
        for worker in workers {
            assert!(worker.join().is_ok());
        }
        start.elapsed()
    })
}

/// Two and four threads, on one item that they share and on one each. An iteration is one report of each thread, so the
/// throughput is that of all of them.
fn threads(c: &mut Criterion) {
    let mut group = c.benchmark_group("threads");
    for threads in [2, 4] {
        group.throughput(Throughput::Elements(threads));
        let count = threads as usize;
        for items in [1, threads] {
            let place = |thread: usize| if items == 1 { 0 } else { thread };
            let floors: Vec<_> = (0..items).map(|_| Padded::new()).collect();
            let session = in_work(items);
            let reporters: Vec<_> = (1..=items).map(|n| reporter(&session, n)).collect();
            let name = |what: &str| match items {
                1 => format!("{what}, {threads} threads on 1 item"),
                _ => format!("{what}, {threads} threads on {items} items"),
            };
            group.bench_function(name("floor"), |b| {
                b.iter_custom(|reports| {
                    together(count, |thread| {
                        for n in 0..reports {
                            black_box(black_box(&floors[place(thread)]).report(n));
                        }
                    })
                });
            });
            group.bench_function(name("ItemReporter::set"), |b| {
                b.iter_custom(|reports| {
                    together(count, |thread| {
                        for n in 0..reports {
                            let _ = black_box(black_box(&reporters[place(thread)]).set(n));
                        }
                    })
                });
            });
            group.bench_function(name("ItemReporter::advance"), |b| {
                b.iter_custom(|reports| {
                    together(count, |thread| {
                        for _ in 0..reports {
                            let _ = black_box(black_box(&reporters[place(thread)]).advance(1));
                        }
                    })
                });
            });
            group.bench_function(name("ItemReporter::advance, every 64th step"), |b| {
                b.iter_custom(|reports| {
                    together(count, |thread| {
                        for n in 1..=reports {
                            if black_box(n) % 64 == 0 {
                                let _ = black_box(black_box(&reporters[place(thread)]).advance(64));
                            }
                        }
                    })
                });
            });
        }
    }
    group.finish();
}

fn main() {
    // Without `--bench` it is a test whether the benchmarks still run: a million items are too slow for that.
    let measures = std::env::args().any(|arg| arg == "--bench");
    let counts: &[u64] = if measures {
        &[1_000, 1_000_000]
    } else {
        &[1_000]
    };
    let mut c = Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    report(&mut c);
    after_a_retry(&mut c);
    through_a_wrapper(&mut c);
    random_order(&mut c, counts);
    threads(&mut c);
    c.final_summary();
}
