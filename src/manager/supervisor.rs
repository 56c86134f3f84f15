//! The thread that watches for calls of handlers that do not return, if the manager has a deadline for them.

use std::collections::HashMap;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::job::Job;
use super::scheduler::Scheduler;
use crate::LogLevel;
use crate::driver::ProtocolViolation;
use crate::util::clock;

/// Starts the supervisor if it is needed and not running. `start_workers` is called after a call was given up, as the worker's
/// thread is lost with it.
pub(super) fn ensure_supervisor(scheduler: &Arc<Scheduler>, start_workers: fn(&Arc<Scheduler>)) {
    let Some(deadline) = scheduler.settings.deadline else {
        return;
    };
    let first = {
        let mut state = scheduler.state.lock();
        state.workers > 0 && !std::mem::replace(&mut state.supervised, true)
    };
    if first {
        let on_thread = Arc::clone(scheduler);
        let name = "syncmgr-monitor".to_owned();
        let spawned = thread::Builder::new()
            .name(name)
            .spawn(move || supervise(&on_thread, deadline, start_workers));
        if spawned.is_err() {
            // Calls that do not return are then not noticed; the next start tries again.
            scheduler.state.lock().supervised = false;
        }
    }
}

/// Gives up jobs whose handler is in a call that does not return. Ends with the last worker.
fn supervise(scheduler: &Arc<Scheduler>, deadline: Duration, start_workers: fn(&Arc<Scheduler>)) {
    // Looking eight times a deadline notices silence at most an eighth of it late.
    let slice = (deadline / 8).clamp(Duration::from_millis(1), Duration::from_secs(1));
    let mut active: HashMap<usize, Instant> = HashMap::new();
    while let Some(running) = scheduler.running_after(slice) {
        let now = clock::now();
        let mut still = HashMap::with_capacity(running.len());
        for job in running {
            // Only while the driver is in a call: between calls it looks after the handler itself.
            let Some((call, since)) = job.monitor.seen().call else {
                continue;
            };
            let key = Arc::as_ptr(&job) as usize;
            let mut last = active
                .get(&key)
                .copied()
                .map_or(since, |last| last.max(since));
            if job
                .session()
                .is_some_and(|session| session.driver().take_activity())
            {
                last = now;
            }
            still.insert(key, last);
            if now.saturating_duration_since(last) >= deadline {
                give_up(scheduler, &job, call, deadline, start_workers);
            }
        }
        active = still;
    }
}

/// The handler's call does not return: its thread is left behind.
fn give_up(
    scheduler: &Arc<Scheduler>,
    job: &Arc<Job>,
    call: &'static str,
    after: Duration,
    start_workers: fn(&Arc<Scheduler>),
) {
    if !job.monitor.give_up(after) {
        return; // it has returned this moment
    }
    let fault = ProtocolViolation::DidNotReturn { call, after };
    let text = fault.to_string();
    let mut report = job.too_late(fault);
    report.abandoned_threads = 1;
    scheduler.log(Some(job.id), LogLevel::Error, &text);
    let release_parts = job.session().map(|session| session.release_parts());
    if let Some(closing) = scheduler.give_up(job, report) {
        start_workers(scheduler);
        if !closing.is_empty() || release_parts.as_ref().is_some_and(|left| !left.is_empty()) {
            // That is user code, which may take its time or hang too, and other calls are to be looked after. Where no thread is
            // to be had, it is called here.
            let builder = thread::Builder::new().name("syncmgr-handler".to_owned());
            let _ = builder.spawn(move || drop((release_parts, closing)));
        }
    }
}
