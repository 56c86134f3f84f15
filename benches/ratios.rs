//! The bars that need nothing but this crate and the floor under it: P1, P5, P6, P7, P9. Those against other crates are
//! in `peer_ratios.rs`.
//!
//! Run by `cargo bench -p syncmgr-benches --bench ratios`; `-- P1 P6` at its end runs some of them. It prints a table and
//! fails nothing: machines are shared, so run it twice and read the medians.

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use syncmgr::per_item;
use syncmgr::{
    CallbackError, ItemId, ItemName, ItemReporter, LogLevel, LogRecord, Session, SyncCallback,
    SyncItem, Uuid, Verdict,
};

use syncmgr_benches::floor::Padded;

use syncmgr_benches::ratio::{Ratio, alternate, bars, quartiles, row, timed};

/// The floor as a worker uses it: report, and go on only if the answer says so.
#[inline(always)]
fn floor_report(floor: &Padded, value: u64) {
    if !black_box(floor).report(value) {
        stopped();
    }
}

/// Ours, used the same way.
#[inline(always)]
fn set(reporter: &ItemReporter, value: u64) {
    go_on(black_box(reporter).set(value));
}

#[inline(always)]
fn go_on(answer: Result<Verdict, CallbackError>) {
    if answer != Ok(Verdict::Continue) {
        stopped();
    }
}

/// Nobody cancels here: a benchmark that comes here measures something else.
#[cold]
#[inline(never)]
fn stopped() {
    panic!("a report was not answered Continue");
}

fn items(count: u128) -> impl Iterator<Item = SyncItem> {
    (1..=count).map(|n| {
        SyncItem::new(
            ItemId::from_u128(n),
            ItemName::truncate_start(&format!("item {n:07}")),
        )
    })
}

fn session(count: u128) -> Arc<Session> {
    let session = Session::builder().items(items(count)).build();
    session.unwrap_or_else(|error| panic!("the items of the benchmark: {error}"))
}

fn reporter(session: &Arc<Session>, n: u128) -> ItemReporter {
    let reporter = session.reporter(ItemId::from_u128(n));
    reporter.unwrap_or_else(|error| panic!("item {n} of the benchmark: {error}"))
}

fn p1() {
    let session = session(1);
    let reporter = reporter(&session, 1);
    let floor = Padded::new();
    let ratio = alternate(
        401,
        || timed(100_000, |n| floor_report(&floor, n)),
        || timed(100_000, |n| set(&reporter, n)),
    );
    row("P1", "`ItemReporter::set`", &ratio, 1.10);
    let ratio = alternate(
        401,
        || timed(100_000, |n| floor_report(&floor, n)),
        || timed(100_000, |_| go_on(black_box(&reporter).advance(1))),
    );
    row("-", "`ItemReporter::advance`", &ratio, f64::INFINITY);
    let mut reporter = reporter;
    let mut counter = reporter.counter();
    let ratio = alternate(
        401,
        || timed(100_000, |n| floor_report(&floor, n)),
        || timed(100_000, |_| go_on(black_box(&mut counter).advance(1))),
    );
    row(
        "-",
        "`ItemCounter::advance`, the counter in memory",
        &ratio,
        f64::INFINITY,
    );
    // As a worker has it: the counter is its own, so the total stays in a register.
    let ratio = alternate(
        401,
        || timed(100_000, |n| floor_report(&floor, n)),
        || timed(100_000, |n| go_on(counter.advance(n & 1))),
    );
    row(
        "P1b",
        "`ItemCounter::advance`, the counter in a register",
        &ratio,
        1.20,
    );
    let [own, shared] = context_ratios();
    row("P1b", "`ItemContext::advance`", &own, 1.80);
    row("-", "`SharedContext::advance`", &shared, f64::INFINITY);
}

/// What a closure of `per_item` pays.
fn context_ratios() -> [Ratio; 2] {
    let report = per_item::each([("item", ())], |item, ()| {
        let floor = Padded::new();
        let own = alternate(
            401,
            || timed(100_000, |n| floor_report(&floor, n)),
            || timed(100_000, |n| done(item.advance(n & 1))),
        );
        let shared = item.share();
        let all = alternate(
            401,
            || timed(100_000, |n| floor_report(&floor, n)),
            || timed(100_000, |n| done(shared.advance(n & 1))),
        );
        Ok([own, all])
    })
    .run();
    let mut entries = report.entries();
    let ratios = entries.next().and_then(|entry| entry.value.cloned());
    ratios.unwrap_or_else(|| panic!("{report:?}"))
}

fn done(answer: Result<(), per_item::Cancelled>) {
    assert!(answer.is_ok(), "nobody cancels");
}

/// How long these threads take, each with `work` of its own, from the moment when all are there until the last is done.
fn together(threads: usize, work: impl Fn(usize) + Sync) -> Duration {
    let barrier = Barrier::new(threads);
    let run = |thread: usize| {
        barrier.wait();
        let start = Instant::now();
        work(thread);
        start.elapsed()
    };
    thread::scope(|scope| {
        let run = &run;
        let others: Vec<_> = (1..threads)
            .map(|thread| scope.spawn(move || run(thread)))
            .collect();
        let first = run(0);
        let others = others.into_iter().map(|other| other.join());
        others.fold(first, |longest, other| {
            longest.max(other.unwrap_or_default())
        })
    })
}

fn p5() {
    const EACH: u64 = 4_000_000;
    let session = session(2);
    // Two items that begin so that the fast path takes them.
    let reporters = [reporter(&session, 1), reporter(&session, 2)];
    let floors = [Padded::new(), Padded::new()];
    let floor = |at: usize| {
        let floor = &floors[at];
        timed(EACH, |n| floor_report(floor, n));
    };
    let subject = |at: usize| {
        let reporter = &reporters[at];
        timed(EACH, |n| set(reporter, n));
    };
    let scale = |one: &dyn Fn(), both: Duration| {
        let start = Instant::now();
        one();
        2.0 * start.elapsed().as_secs_f64() / both.as_secs_f64()
    };
    let (mut floor_scales, mut subject_scales, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..41 {
        let of_floor = scale(&|| floor(0), together(2, floor));
        let of_subject = scale(&|| subject(0), together(2, subject));
        floor_scales.push(of_floor);
        subject_scales.push(of_subject);
        ratios.push(of_subject / of_floor);
    }
    let [low, median, high] = quartiles(ratios);
    println!(
        "| P5 | two threads on two items: what they do more than one | {:.2} times | {:.2} times | {median:.3} ({low:.3} to {high:.3}) | at least 0.97 | {} |",
        quartiles(floor_scales)[1],
        quartiles(subject_scales)[1],
        if median >= 0.97 { "met" } else { "missed" },
    );
    for threads in [2, 4] {
        shared(threads);
    }
}

/// So many reports of the item at this place.
type Work<'a> = &'a (dyn Fn(usize, u64) + Sync);

/// What it costs that threads share an item in place of having one each: a report of one of them.
fn shared(threads: usize) {
    const EACH: u64 = 400_000;
    const STEP: u64 = 64;
    let session = session(threads as u128);
    let reporters: Vec<_> = (1..=threads as u128)
        .map(|n| reporter(&session, n))
        .collect();
    let floors: Vec<_> = (0..threads).map(|_| Padded::new()).collect();
    let time = |work: Work<'_>, place: fn(usize) -> usize| {
        let took = together(threads, |thread| work(place(thread), EACH));
        (took, EACH)
    };
    let rows: [(&str, Work<'_>); 4] = [
        ("the floor", &|at, each| {
            let floor = &floors[at];
            timed(each, |n| floor_report(floor, n));
        }),
        ("`set`", &|at, each| {
            let reporter = &reporters[at];
            timed(each, |n| set(reporter, n));
        }),
        ("`advance`", &|at, each| {
            let reporter = &reporters[at];
            timed(each, |_| go_on(black_box(reporter).advance(1)));
        }),
        ("`advance`, every 64th step", &|at, each| {
            let reporter = &reporters[at];
            timed(each, |n| {
                if black_box(n) % STEP == STEP - 1 {
                    go_on(black_box(reporter).advance(STEP));
                }
            });
        }),
    ];
    for (what, work) in rows {
        let ratio = alternate(101, || time(work, |thread| thread), || time(work, |_| 0));
        let what = format!("{what}, {threads} threads on one item, against one item each");
        row("-", &what, &ratio, f64::INFINITY);
    }
}

fn p6() {
    let session = session(1_000);
    let mut cursor = session.snapshot().cursor;
    let (ratio, looks) = watched(&session, HZ_60, || {
        let changes = session.changes(cursor);
        assert_eq!(black_box(changes.items().len()), 1_000);
        cursor = changes.cursor();
    });
    row(
        "P6",
        &format!("P1 with an observer of 1,000 items at 60 Hz ({looks} looks), against without"),
        &ratio,
        1.03,
    );
    #[cfg(feature = "full")]
    p6_traced();
}

/// How often somebody looks, and how long a round is: some frames, or a round would see a part of one.
#[derive(Clone, Copy)]
struct Looking {
    every: Duration,
    round: Duration,
}

const HZ_60: Looking = Looking {
    every: Duration::from_nanos(1_000_000_000 / 60),
    round: Duration::from_millis(100),
};

/// P1 on one of the session's 1,000 items, all of them in work, while another thread looks so often, against the same while it
/// does not. And how often it has looked.
fn watched(
    session: &Arc<Session>,
    looking: Looking,
    mut look: impl FnMut() + Send,
) -> (Ratio, u64) {
    let reporters: Vec<_> = (1..=1_000).map(|n| reporter(session, n)).collect();
    for reporter in &reporters {
        let _ = reporter.set(1);
    }
    let mine = &reporters[0];
    let round = || {
        let start = Instant::now();
        let mut operations = 0;
        while start.elapsed() < looking.round {
            operations += timed(100_000, |n| set(mine, n)).1;
        }
        (start.elapsed(), operations)
    };
    let watched = AtomicBool::new(false);
    let over = AtomicBool::new(false);
    let looks = AtomicU64::new(0);
    let ratio = thread::scope(|scope| {
        let observer = scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                thread::park_timeout(looking.every);
                if watched.load(Ordering::Relaxed) {
                    look();
                    looks.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        let ratio = alternate(
            61,
            || {
                watched.store(false, Ordering::Relaxed);
                round()
            },
            || {
                watched.store(true, Ordering::Relaxed);
                round()
            },
        );
        over.store(true, Ordering::Relaxed);
        observer.thread().unpark();
        ratio
    });
    (ratio, looks.into_inner())
}

/// P6 with what the feature `tracing` brings: a follower that tells all it sees to a subscriber that counts it. It looks when the
/// observer's thread of P6 would.
#[cfg(feature = "full")]
fn p6_traced() {
    use syncmgr::telemetry::Telemetry;

    let counted = traced::Counter::default();
    let subscriber = tracing::Dispatch::new(counted.clone());
    let telemetry = Telemetry::new()
        .poll_interval(Duration::MAX)
        .progress_every(Duration::from_millis(100));
    let session = session(1_000);
    let traced = tracing::dispatcher::with_default(&subscriber, || telemetry.session(&session));
    let (ratio, looks) = watched(&session, HZ_60, || traced.flush());
    traced.finish();
    row(
        "P6",
        &format!(
            "P1 with `telemetry` of 1,000 items at 60 Hz ({looks} looks, {} spans and events), against without",
            counted.count()
        ),
        &ratio,
        1.03,
    );
}

/// As P6, with the renderer as the observer: each look is drawn.
#[cfg(feature = "full")]
fn p6_drawn() {
    use indicatif::InMemoryTerm;
    use syncmgr::render::Bars;

    const HZ_20: Looking = Looking {
        every: Duration::from_millis(50),
        round: Duration::from_millis(250),
    };
    let session = session(1_000);
    let terminal = InMemoryTerm::new(24, 100);
    let mut frames = Bars::new()
        .draw_to(terminal.clone())
        .session_frames(&session);
    let (ratio, drawn) = watched(&session, HZ_20, || assert!(!frames.look()));
    assert!(terminal.contents().contains("and 980 more in work"));
    row(
        "P6",
        &format!("P1 with 1,000 items drawn at 20 Hz ({drawn} frames), against without"),
        &ratio,
        1.03,
    );
}

#[cfg(not(feature = "full"))]
fn p6_drawn() {}

#[cfg(feature = "full")]
mod traced {
    //! A subscriber that wants everything, and counts it.

    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Metadata, Subscriber};

    /// `Relaxed`: it orders nothing.
    #[derive(Clone, Default)]
    pub struct Counter(Arc<AtomicU64>);

    impl Counter {
        pub fn count(&self) -> u64 {
            self.0.load(Ordering::Relaxed)
        }
    }

    impl Subscriber for Counter {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(self.0.fetch_add(1, Ordering::Relaxed) + 1)
        }

        fn record(&self, _: &Id, _: &Record<'_>) {}

        fn record_follows_from(&self, _: &Id, _: &Id) {}

        fn event(&self, _: &Event<'_>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }

        fn enter(&self, _: &Id) {}

        fn exit(&self, _: &Id) {}
    }
}

fn p7() {
    const COUNT: u128 = 1_000_000;
    let names: Vec<(Uuid, String)> = (1..=COUNT)
        .map(|n| (Uuid::from_u128(n), format!("item {n:07}")))
        .collect();
    type Map = HashMap<Uuid, (String, u64, u64)>;
    let build_map = || -> Map {
        names
            .iter()
            .map(|(id, name)| (*id, (name.clone(), 0, 0)))
            .collect()
    };
    let build_session = || {
        let items = names
            .iter()
            .map(|(id, name)| SyncItem::new(ItemId::from(*id), ItemName::truncate_start(name)));
        let session = Session::builder().items(items).build();
        session.unwrap_or_else(|error| panic!("the items of the benchmark: {error}"))
    };
    // What is built is dropped outside the clock.
    let build = alternate(
        11,
        || {
            let start = Instant::now();
            let map = build_map();
            (start.elapsed(), map.len() as u64)
        },
        || {
            let start = Instant::now();
            let session = build_session();
            (
                start.elapsed(),
                session.driver().unfinished_items().len() as u64,
            )
        },
    );
    row("P7", "build 10^6 items, an item", &build, 2.0);

    let mut kept: Option<(Map, Arc<Session>)> = None;
    let bytes_of = |f: &mut dyn FnMut()| allocation_counter::measure(f).bytes_current;
    let mut map = Map::new();
    let of_map = bytes_of(&mut || map = build_map()) as f64;
    let mut session = None;
    let of_session = bytes_of(&mut || session = Some(build_session())) as f64;
    let Some(session) = session else {
        return;
    };
    let per_item = COUNT as f64;
    println!(
        "| P7 | memory of 10^6 items, an item | {:.0} bytes | {:.0} bytes | {:.3} | at most 2 | {} |",
        of_map / per_item,
        of_session / per_item,
        of_session / of_map,
        if of_session <= 2.0 * of_map {
            "met"
        } else {
            "missed"
        },
    );

    let snapshot = alternate(
        11,
        || {
            let start = Instant::now();
            let values: Vec<(String, u64, u64)> = map.values().cloned().collect();
            (start.elapsed(), black_box(values).len() as u64)
        },
        || {
            let start = Instant::now();
            let snapshot = session.snapshot();
            (start.elapsed(), black_box(snapshot).items.len() as u64)
        },
    );
    row("P7", "snapshot of 10^6 items, an item", &snapshot, 3.0);

    // 100 items in work: among 1,000, and among a million.
    let few = self::session(1_000);
    let changes = |session: &Arc<Session>| {
        let cursor = session.snapshot().cursor;
        let working: Vec<_> = (1..=100).map(|n| reporter(session, n)).collect();
        for reporter in &working {
            let _ = reporter.set(1);
        }
        let cursor = session.changes(cursor).cursor();
        (working, cursor)
    };
    let (_few, few_cursor) = changes(&few);
    let (_many, many_cursor) = changes(&session);
    let look = |session: &Arc<Session>, cursor| {
        timed(100, |_| {
            assert_eq!(black_box(session.changes(cursor)).items().len(), 100);
        })
    };
    let ratio = alternate(
        101,
        || look(&few, few_cursor),
        || look(&session, many_cursor),
    );
    row(
        "P7",
        "`changes` of 100 items in work among 10^6, against among 10^3",
        &ratio,
        1.5,
    );
    kept.replace((map, session));
}

fn p9() {
    let text = "copying photos/2026/11/23.raw: the disk is full, 0 bytes of 4 GB";
    assert_eq!(text.len(), 64);
    let id = ItemId::from_u128(1);
    let ratio: Ratio = alternate(
        201,
        || {
            let log = Mutex::new(Vec::new());
            timed(5_000, |_| {
                let mut log = black_box(&log)
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                log.push(text.to_owned());
            })
        },
        || {
            let session = session(1);
            let record = LogRecord::new(LogLevel::Error, text).item(id);
            timed(5_000, |_| {
                let taken = black_box(&session).log_error(&record);
                assert!(taken.is_ok());
            })
        },
    );
    row(
        "P9",
        "`log_error`, against a push into a locked `Vec`",
        &ratio,
        3.0,
    );
}

fn main() {
    bars(
        "floor",
        &[
            ("P1", p1),
            ("P5", p5),
            ("P6", p6),
            ("P6", p6_drawn),
            ("P7", p7),
            ("P9", p9),
        ],
    );
}
