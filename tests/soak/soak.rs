//! A manager of 50 handlers of 200 items each, for a minute: they panic, hang, are silent, refuse, log, ask for dialogs and
//! connections, while others start, cancel, unregister and look. In the end nothing of it is left: no thread, no connection, no
//! turn, no byte; and every item and every log entry is accounted for.
//!
//! `SYNCMGR_SOAK_SECONDS` says how long (60), `SYNCMGR_SOAK_SEED` what happens, as far as threads leave that to a seed.

mod check;
mod life;
mod plan;
mod users;
mod world;

use std::alloc::System;
use std::any::Any;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::panic;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use cap::Cap;
use syncmgr::{CallbackError, RegisterFlags, Registration, Run, SyncManager};

use check::Check;
use world::{Chance, Counts, HANDLERS, World, count, get, handler_id, lock};

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

static PANICS: AtomicU64 = AtomicU64::new(0);

/// How long anything may take in the end.
const LIMIT: Duration = Duration::from_secs(60);

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn main() {
    let seconds = number("SYNCMGR_SOAK_SECONDS").unwrap_or(60);
    let seed = number("SYNCMGR_SOAK_SEED").unwrap_or_else(|| RandomState::new().hash_one(seconds));
    println!("soak: SYNCMGR_SOAK_SEED={seed} SYNCMGR_SOAK_SECONDS={seconds}");
    // Silent: there are thousands of them, and a backtrace would keep memory.
    panic::set_hook(Box::new(|info| {
        PANICS.fetch_add(1, Ordering::Relaxed);
        let text = info.payload_as_str().unwrap_or("no text");
        let planned = ["as planned", "with the turn", "a scoped thread"];
        if !planned.iter().any(|planned| text.starts_with(planned)) {
            eprintln!("{info}");
        }
    }));
    let result = panic::catch_unwind(|| soak(seconds, seed));
    if let Err(payload) = result {
        println!("soak: failed, seed {seed}: {}", text_of(&*payload));
        std::process::exit(101);
    }
    println!("soak: ok, seed {seed}");
}

/// What a panic said.
fn text_of(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
    text.unwrap_or("no text")
}

fn soak(seconds: u64, seed: u64) {
    let counts = Counts::default();
    let cycles = (seconds / 8).clamp(2, 1_000);
    let length = Duration::from_secs(seconds) / cycles as u32;
    // Once before, so that what is made lazily and kept is there.
    warm_up();
    cycle(
        seed,
        0,
        length.min(Duration::from_secs(2)),
        &Counts::default(),
    );
    let base = ALLOCATOR.allocated();
    for n in 1..=cycles {
        cycle(seed, n, length, &counts);
        let live = ALLOCATOR.allocated();
        let started = get(&counts.runs);
        println!(
            "cycle {n} of {cycles}: {live} bytes are live, {base} were before; {started} runs so far"
        );
        assert_eq!(live, base, "bytes are left (seed {seed})");
    }
    counts
        .panics
        .store(PANICS.load(Ordering::Relaxed), Ordering::Relaxed);
    counts.print();
}

/// The table of waiting threads of `parking_lot` grows with the number of threads that have waited, for ever, and keeps what it
/// was. So more threads wait here at once than will ever do so later: 1,047,552 bytes in tables, nearly all of the base.
fn warm_up() {
    const MOST: usize = 2_000;
    let all = Barrier::new(MOST);
    let session = syncmgr::Session::builder().build();
    let session = session.expect("no items are distinct");
    thread::scope(|scope| {
        for _ in 0..MOST {
            let wait = || {
                let cursor = session.snapshot().cursor;
                let _ = session.wait_for_change(cursor, Duration::from_millis(1));
                all.wait(); // each of them has waited, and none has ended
            };
            let builder = thread::Builder::new().stack_size(1 << 16);
            builder
                .spawn_scoped(scope, wait)
                .expect("a thread is to be had");
        }
    });
}

/// A connection that counts.
struct Line(Arc<World>, bool);

impl Drop for Line {
    fn drop(&mut self) {
        count(&self.0.counts.closed);
        assert!(
            !self.1 || thread::panicking(),
            "as planned in the close of a connection"
        );
    }
}

fn manager(world: &Arc<World>, chance: &mut Chance) -> SyncManager {
    let (lines, seed) = (Arc::clone(world), world.seed);
    let calls = AtomicU64::new(0);
    SyncManager::builder()
        .concurrency(4 + chance.below(20) as usize)
        .dialogs(!chance.one_in(5))
        .deadline(world.deadline)
        .max_retries(3)
        .log_capacity(usize::MAX)
        .connector(move |_: Option<&str>| {
            let mut chance = Chance::new(seed, calls.fetch_add(1, Ordering::Relaxed));
            match chance.below(40) {
                0 => return Err(CallbackError::NotConnected),
                1 => panic!("as planned in the connector"),
                _ => {}
            }
            count(&lines.counts.opened);
            let line = Line(Arc::clone(&lines), chance.one_in(50));
            Ok(Box::new(line) as Box<dyn Any + Send>)
        })
        .show_error_if(move |entry| {
            let mut chance = Chance::new(seed, entry.sequence);
            assert!(!chance.one_in(5_000), "as planned in show_error_if");
            entry.sequence < 2_000 && chance.one_in(10)
        })
        .chooser(move |_, list, chosen| {
            let mut chance = Chance::new(seed, list.items().len() as u64 ^ chosen.len() as u64);
            assert!(!chance.one_in(500), "as planned in the chooser");
            let some = chosen.iter().filter(|_| chance.one_in(2));
            some.copied().collect()
        })
        .build()
}

/// Registers a handler for events by chance.
fn register(world: &Arc<World>, manager: &SyncManager, handler: usize, chance: &mut Chance) {
    let made = Arc::clone(world);
    let flags = RegisterFlags::from_bits_retain(chance.below(8) as u32);
    let number = world.number();
    let registration = Registration::new()
        .flags(flags)
        .description(number.to_string());
    let make = move || {
        if lock(&made.gone).contains(&number) {
            made.wrong("a handler was made after its registration was gone");
        }
        life::make(&made, handler)
    };
    let registered = manager.register(handler_id(handler), registration, make);
    assert_eq!(registered, Ok(()));
}

/// A manager, from its making to the last thread of its handlers.
fn cycle(seed: u64, n: u64, length: Duration, counts: &Counts) {
    let mut chance = Chance::new(seed, n);
    let deadline = Duration::from_millis(200 + chance.below(200));
    let world = World::new(chance.next(), deadline);
    let manager = Arc::new(manager(&world, &mut chance));
    let turns = manager.dialog_arbiter();
    for handler in 0..HANDLERS {
        register(&world, &manager, handler, &mut chance);
    }
    let (runs, stop) = (Mutex::new(Vec::<Run>::new()), AtomicBool::new(false));
    let mut check = Check::new(&world);
    thread::scope(|scope| {
        for user in 0..3 {
            let mut chance = Chance::new(seed, n << 8 | user);
            let (world, manager, runs, stop) = (&world, &manager, &runs, &stop);
            let act = move || {
                while !stop.load(Ordering::Relaxed) {
                    let call = panic::AssertUnwindSafe(|| match user {
                        0 => users::look(world, runs, &mut chance),
                        _ => users::act(world, manager, runs, &mut chance),
                    });
                    if let Err(payload) = panic::catch_unwind(call) {
                        let text = text_of(&*payload);
                        world.wrong(format!("a call of a user's panicked: {text}"));
                    }
                }
            };
            let builder = thread::Builder::new().name("soak user".into());
            builder
                .spawn_scoped(scope, act)
                .expect("a thread is to be had");
        }
        let until = Instant::now() + length;
        while Instant::now() < until {
            if lock(&runs).len() < 40 {
                let run = users::start(&world, &manager, &mut chance);
                lock(&runs).extend(run);
            }
            let over = {
                let mut runs = lock(&runs);
                let place = runs.iter().position(Run::is_over);
                place.map(|place| runs.swap_remove(place))
            };
            match over {
                Some(run) => check.run(&run.wait()),
                None => thread::yield_now(),
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    // Half of the managers are dropped while handlers are in work, and hang.
    let dropped = n.is_multiple_of(2);
    let manager = (!dropped).then_some(manager);
    world.open(true);
    for run in lock(&runs).drain(..) {
        match run.wait_timeout(LIMIT) {
            Ok(report) => check.run(&report),
            Err(unfinished) => panic!("seed {seed}, cycle {n}: {unfinished}"),
        }
    }
    drop(runs);
    if let Some(manager) = &manager {
        check.log(manager);
    }
    drop(manager);
    threads_end(seed);
    check.end(&turns);
    drop((check, turns));
    counts.add_all(&world.counts);
    let wrong = std::mem::take(&mut *lock(&world.wrong));
    assert!(wrong.is_empty(), "seed {seed}, cycle {n}: {wrong:#?}");
    lock(&world.lives).clear();
    assert_eq!(
        Arc::strong_count(&world),
        1,
        "handlers are left (seed {seed})"
    );
}

/// Waits until no thread of the manager or of a handler is left.
fn threads_end(seed: u64) {
    let until = Instant::now() + LIMIT;
    loop {
        let left = threads();
        if left.is_empty() {
            return;
        }
        assert!(
            Instant::now() < until,
            "threads are left (seed {seed}): {left:?}"
        );
        thread::sleep(Duration::from_millis(1)); // for what ends at this moment; a failure comes by the time
    }
}

/// The names of the threads of the manager and of the handlers, where the system tells them.
fn threads() -> Vec<String> {
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else {
        return Vec::new();
    };
    let name = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("comm"));
    let names = tasks.flatten().filter_map(|task| name(task).ok());
    names
        .filter(|name| name.starts_with("syncmgr") || name.starts_with("soak "))
        .collect()
}
