//! Who starts, cancels and looks.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use syncmgr::{
    Choices, Cursor, InvokeFlags, ItemId, LogFilter, LogLevel, Run, SyncEvent, SyncManager,
};

use super::register;
use super::world::{Chance, HANDLERS, ITEMS, World, count, handler_id, item_id, lock};

fn any_handler(chance: &mut Chance) -> usize {
    chance.below(HANDLERS as u64) as usize
}

fn any_item(chance: &mut Chance) -> ItemId {
    match chance.below(300) {
        0 => ItemId::NIL,
        n => item_id(u128::from(n) % (ITEMS + 20)),
    }
}

/// Starts something.
pub fn start(world: &World, manager: &SyncManager, chance: &mut Chance) -> Option<Run> {
    let id = handler_id(any_handler(chance));
    let run = match chance.below(20) {
        0 => manager.update_all(),
        1 => manager.signal(chance.of(&[
            SyncEvent::Connect,
            SyncEvent::PendingDisconnect,
            SyncEvent::Idle,
            SyncEvent::Scheduled,
            SyncEvent::Invoke,
        ])),
        2 => manager.enumerate_all(),
        3..=8 => {
            let items: Vec<_> = (0..chance.below(40)).map(|_| any_item(chance)).collect();
            manager.sync_items(id, items).ok()?
        }
        9 => manager.enumerate(id).ok()?,
        10..=12 => {
            let item = chance.one_in(2).then(|| any_item(chance));
            manager.show_properties(id, item).ok()?
        }
        _ => {
            let flags = chance.of(&[InvokeFlags::START_SYNC, InvokeFlags::empty()]);
            let cookie = [chance.below(3) as u8];
            manager.update_items(id, flags, &cookie).ok()?
        }
    };
    count(&world.counts.runs);
    Some(run)
}

fn any_run(runs: &Mutex<Vec<Run>>, chance: &mut Chance) -> Option<Run> {
    let runs = lock(runs);
    let place = chance.below(runs.len() as u64) as usize;
    runs.get(place).cloned()
}

/// Cancels, skips, chooses, registers anew, unregisters and stops.
pub fn act(world: &Arc<World>, manager: &SyncManager, runs: &Mutex<Vec<Run>>, chance: &mut Chance) {
    let handler = any_handler(chance);
    let (id, item) = (handler_id(handler), any_item(chance));
    let run = any_run(runs, chance);
    match (chance.below(40), run) {
        (0, Some(run)) => {
            count(&world.counts.cancels);
            run.cancel_all();
        }
        (1..=4, Some(run)) => {
            let handlers = run.handlers();
            if let Some(id) = handlers.get(chance.below(handlers.len() as u64) as usize) {
                count(&world.counts.cancels);
                run.cancel_handler(*id);
            }
        }
        (5..=14, Some(run)) => {
            let id = run.handlers().first().copied().unwrap_or(id);
            if run.cancel_item(id, item).is_ok() {
                count(&world.counts.cancels);
            }
        }
        (15..=24, Some(run)) => {
            let id = run.handlers().last().copied().unwrap_or(id);
            if run.skip_item(id, item).is_ok() {
                count(&world.counts.skips);
            }
        }
        (25, _) => {
            if let Ok(registration) = manager.unregister(id) {
                count(&world.counts.unregistered);
                let number = registration
                    .description
                    .and_then(|text| text.parse::<u64>().ok());
                // Nothing of it is left, unless the wait for its run was given up.
                if manager.stop_handler(id) {
                    lock(&world.gone).extend(number);
                }
            }
            register(world, manager, handler, chance);
        }
        (26, _) => register(world, manager, handler, chance),
        (27..=29, _) => manager.choose(id, item, chance.one_in(2)),
        (30, _) => manager.set_choices(Choices::new()),
        (31, _) if chance.one_in(20) => world.open(false),
        (32, _) => _ = manager.listing(),
        (33, _) if chance.one_in(20) => {
            _ = manager.log(&LogFilter::new().handler(id).level(LogLevel::Warning));
        }
        (_, Some(run)) => _ = run.wait_timeout(Duration::from_millis(chance.below(3))),
        _ => std::thread::yield_now(),
    }
}

/// Looks at a run in every way there is.
pub fn look(world: &World, runs: &Mutex<Vec<Run>>, chance: &mut Chance) {
    let Some(run) = any_run(runs, chance) else {
        return std::thread::yield_now();
    };
    count(&world.counts.looks);
    let mut observer = run.observe();
    for _ in 0..chance.below(4) {
        let (changes, progress) = (observer.refresh(), run.progress());
        for progress in [changes.progress, progress] {
            let sum = progress.waiting + progress.running + progress.finished;
            if sum != progress.handlers || progress.handlers != run.handlers().len() {
                world.wrong(format!("the sums of a run do not agree: {progress:?}"));
            }
        }
        let _ = run.wait_timeout(Duration::from_millis(chance.below(2)));
    }
    for (_, session) in run.sessions() {
        let cursor = match chance.one_in(2) {
            true => session.snapshot().cursor,
            false => Cursor::default(),
        };
        let _ = session.wait_for_change(cursor, Duration::from_micros(chance.below(500)));
    }
}
