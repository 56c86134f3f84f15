//! What everything but a report costs, and how that grows with the number of items.
//!
//! Run by `cargo bench -p syncmgr-benches --bench session`; it takes about three minutes. At its end it prints a table of how the cost
//! grows: the medians of what was measured, for each item or for each call.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput};
use syncmgr::{
    HResult, ItemId, ItemName, LogLevel, LogRecord, LogSelector, Phase, ProgressUpdate, Session,
    SessionBuilder, SyncCallback, SyncItem, Verdict,
};

const SIZES: [u64; 4] = [10, 1_000, 100_000, 1_000_000];

fn id(n: u64) -> ItemId {
    ItemId::from_u128(u128::from(n))
}

fn ids(count: u64) -> Vec<ItemId> {
    (1..=count).map(id).collect()
}

fn item(n: u64) -> SyncItem {
    SyncItem::new(id(n), ItemName::truncate_start(&format!("item {n:07}")))
}

fn builder(count: u64) -> SessionBuilder {
    Session::builder().items((1..=count).map(item))
}

fn built(builder: SessionBuilder) -> Arc<Session> {
    let session = builder.build();
    session.unwrap_or_else(|error| panic!("the items of the benchmark: {error}"))
}

/// Nothing that these benchmarks ask for is refused.
#[track_caller]
fn done<T, E: std::fmt::Display>(answer: Result<T, E>) -> T {
    answer.unwrap_or_else(|error| panic!("{error}"))
}

/// What is measured, for each item or for each call.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Per {
    Item,
    Call,
}

/// The medians, by what was measured (in the order of measuring) and the number of items.
#[derive(Default)]
struct Growth(RefCell<Vec<Row>>);

struct Row {
    what: &'static str,
    per: Per,
    medians: BTreeMap<u64, f64>,
}

impl Growth {
    fn keep(&self, what: &'static str, per: Per, size: u64, ns: f64) {
        let mut rows = self.0.borrow_mut();
        if !rows.iter().any(|row| row.what == what) {
            let medians = BTreeMap::new();
            rows.push(Row { what, per, medians });
        }
        for row in rows.iter_mut().filter(|row| row.what == what) {
            row.medians.insert(size, ns);
        }
    }

    fn print(&self) {
        println!("\nHow the cost grows with the number of items, in ns (medians):\n");
        println!("| what | for each | 10 | 1,000 | 100,000 | 1,000,000 |");
        println!("|---|---|---|---|---|---|");
        for row in self.0.borrow().iter() {
            print!(
                "| {} | {} |",
                row.what,
                if row.per == Per::Item { "item" } else { "call" }
            );
            for size in SIZES {
                match row.medians.get(&size) {
                    Some(ns) if *ns < 100.0 => print!(" {ns:.1} |"),
                    Some(ns) => print!(" {ns:.0} |"),
                    None => print!(" - |"),
                }
            }
            println!();
        }
    }
}

/// Measures one thing at one size. `work` does it so many times and answers how long that took.
fn measure(
    c: &mut Criterion,
    growth: &Growth,
    (what, per): (&'static str, Per),
    size: u64,
    mut work: impl FnMut(u64) -> Duration,
) {
    let samples = if size >= 100_000 { 10 } else { 30 };
    let mut group = c.benchmark_group("session");
    group.sample_size(samples);
    group.warm_up_time(Duration::from_millis(300));
    group.measurement_time(Duration::from_millis(900));
    if size >= 100_000 {
        group.sampling_mode(SamplingMode::Flat);
    }
    if per == Per::Item {
        group.throughput(Throughput::Elements(size));
    }
    let mut times = Vec::new();
    group.bench_function(BenchmarkId::new(what, size), |b| {
        b.iter_custom(|iterations| {
            let took = work(iterations);
            times.push(took.as_secs_f64() * 1e9 / iterations as f64);
            took
        });
    });
    group.finish();
    // The first times are those of the warm-up.
    let first = times.len().saturating_sub(samples);
    let mut times = times.split_off(first);
    times.sort_by(f64::total_cmp);
    if let Some(median) = times.get(times.len() / 2) {
        let each = if per == Per::Item { size as f64 } else { 1.0 };
        growth.keep(what, per, size, median / each);
    }
}

/// Does `work` so many times, each on something that `make` makes; making and dropping it does not count.
fn each_on_new<T>(
    times: u64,
    mut make: impl FnMut() -> T,
    mut work: impl FnMut(&mut T),
) -> Duration {
    let mut total = Duration::ZERO;
    for _ in 0..times {
        let mut on = make();
        let start = Instant::now();
        work(black_box(&mut on));
        total += start.elapsed();
    }
    total
}

fn each(times: u64, mut work: impl FnMut()) -> Duration {
    let start = Instant::now();
    for _ in 0..times {
        work();
    }
    start.elapsed()
}

/// What changes the number of items or their state, so that each needs a session of its own.
fn changing(c: &mut Criterion, growth: &Growth, size: u64) {
    measure(c, growth, ("build", Per::Item), size, |times| {
        let parts = || (Some(builder(size)), None);
        each_on_new(times, parts, |(builder, session)| {
            *session = builder.take().map(built);
        })
    });
    // As many as there were: so an item of the table's row is one added to between one and two times the size.
    measure(c, growth, ("add_item", Per::Item), size, |times| {
        let parts = || {
            let new: Vec<_> = (size + 1..=2 * size).map(item).collect();
            (built(builder(size)), new)
        };
        each_on_new(times, parts, |(session, new)| {
            for item in new.drain(..) {
                done(session.add_item(item));
            }
        })
    });
    measure(c, growth, ("cancel_all", Per::Item), size, |times| {
        each_on_new(
            times,
            || built(builder(size)),
            |session| session.cancel_all(),
        )
    });
    let all = ids(size);
    measure(c, growth, ("begin_prepare", Per::Item), size, |times| {
        each_on_new(
            times,
            || built(builder(size).driven()),
            |session| done(session.driver().begin_prepare(&all)),
        )
    });
    let session = built(builder(size).driven());
    let fail = || {
        done(session.prepare_for_sync_completed(HResult::E_FAIL));
        assert_eq!(session.phase(), Phase::Completed);
    };
    done(session.driver().begin_prepare(&all));
    measure(
        c,
        growth,
        ("begin_prepare, a retry", Per::Item),
        size,
        |times| each_on_new(times, fail, |()| done(session.driver().begin_prepare(&all))),
    );
}

/// Takes items into work, up to this number of them.
fn start(session: &Session, count: u64) {
    for n in 1..=count {
        let answer = session.progress(id(n), &ProgressUpdate::new().value(n));
        assert_eq!(answer, Ok(Verdict::Continue));
    }
}

/// What observers do, and the log.
fn looking(c: &mut Criterion, growth: &Growth, size: u64) {
    let session = built(builder(size));
    measure(c, growth, ("snapshot", Per::Item), size, |times| {
        let mut snapshot = None;
        each_on_new(times, || (), |()| snapshot = Some(session.snapshot()))
    });
    let record = LogRecord::new(
        LogLevel::Error,
        "copying photos/2026/11/23.raw: the disk is full, 0 bytes of 4 GB",
    )
    .item(id(1));
    measure(
        c,
        growth,
        ("log_error, 64 bytes", Per::Call),
        size,
        |times| {
            let mut total = Duration::ZERO;
            let mut left = times;
            while left > 0 {
                // The log is bounded: it is emptied outside the clock.
                let now = left.min(5_000);
                total += each(now, || done(session.log_error(black_box(&record))));
                done(session.delete_log_error(LogSelector::All));
                left -= now;
            }
            total
        },
    );
    let before = session.snapshot().cursor;
    assert_eq!(session.set_handler_text("an event"), Ok(Verdict::Continue));
    measure(
        c,
        growth,
        ("wait_for_change, an event there", Per::Call),
        size,
        |times| {
            each(times, || {
                black_box(session.wait_for_change(black_box(before), Duration::MAX));
            })
        },
    );
    let working = [
        ("changes, 0 items in work", 0),
        ("changes, 10 items in work", 10),
        ("changes, 1,000 items in work", 1_000),
    ];
    for (what, count) in working {
        if count > size {
            continue;
        }
        start(&session, count);
        let cursor = session.snapshot().cursor;
        measure(c, growth, (what, Per::Call), size, |times| {
            each(times, || {
                let changes = session.changes(black_box(cursor));
                assert_eq!(changes.items().len() as u64, count);
            })
        });
    }
}

fn main() {
    // Without `--bench` it is a test whether the benchmarks still run: the large ones are too slow for that.
    let measures = std::env::args().any(|arg| arg == "--bench");
    let sizes = if measures { &SIZES[..] } else { &SIZES[..2] };
    let mut c = Criterion::default().configure_from_args();
    let growth = Growth::default();
    for &size in sizes {
        looking(&mut c, &growth, size);
        changing(&mut c, &growth, size);
    }
    c.final_summary();
    if measures {
        growth.print();
    }
}
