//! Many threads that start, cancel, choose, register and look: every run ends, and nobody is driven twice at once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use support::gate::{finish, named};
use support::manager::{Records, handler_id, remove, succeed};
use support::{Deadline, id, join, within};
use syncmgr::testing::mock::{Script, Step};
use syncmgr::{
    ErrorId, ErrorOutcome, HResult, HandlerFlags, HandlerId, InvokeFlags, ItemId, ItemView,
    LogFilter, LogLevel, LogRecord, Run, SyncEvent, SyncManager, Totals,
};

const HANDLERS: u128 = 4;

/// A handler that would notice a second one of its id beside it.
fn alone(n: u128, inside: &Arc<AtomicUsize>) -> Script {
    let (enter, leave) = (inside.clone(), inside.clone());
    let steps = [
        Step::report(id(n)).value(1),
        Step::dialog(),
        Step::log(&LogRecord::new(LogLevel::Information, "done")),
    ];
    Script::new()
        .flags(HandlerFlags::HAS_PROPERTIES)
        .sync_item(named(n))
        .sync_item(named(n + 10).checked(false))
        .prepare([Step::run(move || {
            assert_eq!(enter.fetch_add(1, Ordering::SeqCst), 0, "two at once");
        })])
        .synchronize(
            succeed(id(n))
                .into_iter()
                .take(1)
                .chain(steps)
                .chain(succeed(id(n + 10))),
        )
        .show_properties([Step::complete_show_properties(HResult::S_OK)], Ok(()))
        .release([Step::run(move || {
            leave.store(0, Ordering::SeqCst);
        })])
}

/// The next of a row of numbers that look random.
fn next(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
    *seed >> 33
}

/// Starts something, and does something to it.
fn one(manager: &SyncManager, seed: &mut u64) -> Option<Run> {
    let n = u128::from(next(seed)) % HANDLERS + 1;
    let handler = handler_id(n);
    let run = match next(seed) % 8 {
        0 => Some(manager.update_all()),
        1 => manager
            .update_items(handler, InvokeFlags::empty(), b"x")
            .ok(),
        2 => manager.sync_items(handler, [id(n), id(n + 10)]).ok(),
        3 => manager.sync_items(handler, [id(n + 10)]).ok(),
        4 => manager.enumerate(handler).ok(),
        5 => manager.show_properties(handler, None).ok(),
        6 => Some(manager.signal(SyncEvent::Scheduled)),
        _ => Some(manager.enumerate_all()),
    };
    if let Some(run) = &run {
        match next(seed) % 8 {
            0 => run.cancel_all(),
            1 => run.cancel_handler(handler),
            2 => drop(run.cancel_item(handler, id(n)).is_ok()),
            3 => drop(run.skip_item(handler, id(n)).is_ok()),
            4 => drop(run.observe().refresh()),
            5 => manager.choose(handler, id(n), next(seed) & 1 == 0),
            _ => drop((manager.listing(), manager.log(&LogFilter::new()))),
        }
    }
    run
}

/// Follows a run to its end. After each look the sums are those of what was told.
fn follow(run: &Run) -> BTreeMap<(HandlerId, ItemId), ItemView> {
    let deadline = Deadline::new("the end of the run");
    let mut observer = run.observe();
    let mut seen = BTreeMap::new();
    let mut ended = Vec::new();
    loop {
        let changes = observer.refresh();
        ended.extend(changes.ended.iter().copied());
        for (handler, session) in &changes.sessions {
            for view in session.items() {
                seen.insert((*handler, view.id), view.clone());
            }
        }
        let mut totals = Totals::default();
        for view in seen.values().filter(|view: &&ItemView| view.selected) {
            totals.value += view.value;
            totals.items += 1;
            totals.finished += u64::from(view.is_finished());
        }
        assert_eq!(changes.progress.totals, totals);
        assert_eq!(changes.progress.finished, ended.len());
        if changes.is_over() {
            ended.sort();
            let mut handlers = run.handlers();
            handlers.sort();
            assert_eq!(ended, handlers, "each once");
            return seen;
        }
        deadline.tick();
    }
}

/// Every handler of the run has its report, and the observers know of it.
fn is_whole(run: &Run) {
    let report = finish(run);
    let handlers: Vec<_> = report.handlers.iter().map(|(id, _)| *id).collect();
    assert_eq!(handlers, run.handlers());
    let mut observer = run.observe();
    let changes = observer.refresh();
    assert!(changes.is_over());
    assert_eq!(changes.ended.len(), handlers.len());
    assert_eq!(run.progress(), changes.progress);
    for (_, handler) in &report.handlers {
        assert_eq!(handler.faults, []);
    }
}

#[test]
fn whatever_is_started_on_whatever_thread_ends() {
    let manager = Arc::new(SyncManager::builder().concurrency(3).build());
    let records = Records::default();
    for n in 1..=HANDLERS {
        let inside = Arc::new(AtomicUsize::new(0));
        records.register(&manager, n, alone(n, &inside));
    }
    let threads: Vec<_> = (1..=4)
        .map(|mut seed| {
            let manager = manager.clone();
            thread::spawn(move || {
                let runs = (0..60).filter_map(|_| one(&manager, &mut seed));
                runs.collect::<Vec<_>>()
            })
        })
        .collect();
    for thread in threads {
        let runs = join("a thread", thread);
        within("the runs", move || runs.iter().for_each(is_whole));
    }
    assert!(!manager.dialog_arbiter().is_taken());
    records.judge();
}

#[test]
fn handlers_come_and_go_while_everything_runs() {
    let manager = Arc::new(SyncManager::builder().concurrency(2).build());
    let records = Records::default();
    let insides: Vec<_> = (1..=HANDLERS)
        .map(|n| (n, Arc::new(AtomicUsize::new(0))))
        .collect();
    for (n, inside) in &insides {
        records.register(&manager, *n, alone(*n, inside));
    }
    let starts: Vec<_> = (1..=3)
        .map(|mut seed| {
            let manager = manager.clone();
            thread::spawn(move || {
                let runs = (0..40).filter_map(|_| one(&manager, &mut seed));
                runs.collect::<Vec<_>>()
            })
        })
        .collect();
    let changes = {
        let (manager, records) = (manager.clone(), records.clone());
        thread::spawn(move || {
            for _ in 0..10 {
                for (n, inside) in &insides {
                    let gone = remove(&manager, *n);
                    assert!(gone.0.is_ok(), "{gone:?}");
                    records.register(&manager, *n, alone(*n, inside));
                }
            }
        })
    };
    join("who registers", changes);
    for thread in starts {
        let runs = join("a thread", thread);
        within("the runs", move || runs.iter().for_each(is_whole));
    }
    assert_eq!(manager.handlers().len(), 4);
    records.judge();
}

#[test]
fn a_manager_that_is_dropped_in_the_middle_ends_every_run() {
    for mut seed in 1..=20 {
        let manager = SyncManager::builder().concurrency(2).build();
        let records = Records::default();
        for n in 1..=HANDLERS {
            let inside = Arc::new(AtomicUsize::new(0));
            records.register(&manager, n, alone(n, &inside));
        }
        let runs: Vec<_> = (0..10).filter_map(|_| one(&manager, &mut seed)).collect();
        drop(manager);
        within("the runs", move || runs.iter().for_each(is_whole));
        records.judge();
    }
}

#[test]
fn who_follows_the_runs_of_many_threads_knows_what_they_came_to() {
    let manager = Arc::new(
        SyncManager::builder()
            .concurrency(3)
            .show_error_if(|_| true)
            .build(),
    );
    let records = Records::default();
    for n in 1..=HANDLERS {
        let inside = Arc::new(AtomicUsize::new(0));
        let once = AtomicUsize::new(0);
        let again = Step::call(move |callback| {
            let again = [id(1)];
            let outcome = match once.fetch_add(1, Ordering::SeqCst) % 2 {
                0 => ErrorOutcome::Retry(&again),
                _ => ErrorOutcome::Done,
            };
            let _ = callback.show_error_completed(outcome);
        });
        let error = LogRecord::new(LogLevel::Error, "e").jump_text(ErrorId::from_u128(n));
        let mut script = alone(n, &inside).prepare([Step::log(&error)]);
        if n == 1 {
            script = script.show_error([again], Ok(()));
        }
        records.register(&manager, n, script);
    }
    let threads: Vec<_> = (11..=13)
        .map(|mut seed| {
            let manager = manager.clone();
            thread::spawn(move || {
                for _ in 0..25 {
                    let Some(run) = one(&manager, &mut seed) else {
                        continue;
                    };
                    let seen = follow(&run);
                    let report = finish(&run);
                    let items = report.items();
                    let there: BTreeMap<_, _> = items
                        .map(|(handler, view)| ((handler, view.id), view))
                        .collect();
                    assert_eq!(seen.len(), there.len());
                    for (key, view) in &there {
                        let seen = &seen[key];
                        assert_eq!(seen.status, view.status, "{key:?}");
                        assert_eq!(seen.value, view.value, "{key:?}");
                        assert_eq!(seen.selected, view.selected, "{key:?}");
                    }
                }
            })
        })
        .collect();
    for thread in threads {
        join("a thread", thread);
    }
    records.judge();
}
