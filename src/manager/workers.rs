//! The threads that drive a manager's handlers: as many as the setting allows and as there is work for.
//!
//! # Invariants
//!
//! 1. A handler id has at most one job that is running or ready to run; the others wait behind it. So two runs of one handler
//!    never overlap.
//! 2. A worker that finds nothing ready ends. So there is no thread for a handler that is not driven.
//! 3. Each job gets one report: from its worker, or from whoever gave it up or cancelled it before. The second one is dropped.
//! 4. The manager's state is never locked while user code is called or dropped: a handler, a factory, a chooser, a connector, a
//!    waker.
//! 5. A worker is counted from its start until it finds nothing ready, is given up, or dies of a panic: once. While it closes
//!    connections it is counted apart, and it drives again afterwards if no other worker could take its place.
//! 6. Foreign values that a worker drops are wrapped in [`Foreign`](crate::session::Foreign), so that their panics are
//!    contained. [`Worker`] restores the count if another panic ends a worker's thread nevertheless.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

use super::choices::temporary;
use super::job::Job;
use super::scheduler::{CANCELLED, Closing, Scheduler};
use super::supervisor::ensure_supervisor;
use crate::driver::RunOptions;
use crate::driver::run_handler;
use crate::driver::{HandlerReport, ProtocolViolation};
use crate::util::panic::contained;
use crate::util::panic::panicked;
use crate::{HResult, InvokeFlags, ItemId, ItemList, LogLevel, SyncEvent, SyncFlags, SyncHandler};

/// Starts workers for what is ready, and the supervisor.
pub(super) fn ensure_workers(scheduler: &Arc<Scheduler>) {
    loop {
        {
            let mut state = scheduler.state.lock();
            if !state.wants_worker(scheduler.settings.concurrency) {
                break;
            }
            state.workers += 1;
        }
        let on_thread = Arc::clone(scheduler);
        let name = "syncmgr-handler".to_owned();
        let spawned = thread::Builder::new()
            .name(name)
            .spawn(move || work(&on_thread));
        if let Err(error) = spawned {
            no_thread(scheduler, &error.to_string());
            break;
        }
    }
    ensure_supervisor(scheduler, ensure_workers);
}

/// No thread can be created. What is ready waits for the workers that there are, including those that close connections; if
/// there are none, it fails.
fn no_thread(scheduler: &Scheduler, error: &str) {
    scheduler.retire();
    loop {
        let job = {
            let mut state = scheduler.state.lock();
            if state.workers + state.closing > 0 {
                return;
            }
            state.ready.pop_front()
        };
        let Some(job) = job else {
            return;
        };
        let text = format!("no thread was to be had to call the handler on: {error}");
        let report = job.failed(HResult::E_OUTOFMEMORY, text, Vec::new());
        drop(scheduler.end(&job, report)); // what waits behind it is ready then
    }
}

/// Drives one job after the other, and ends when there is none.
fn work(scheduler: &Arc<Scheduler>) {
    let mut worker = Worker {
        scheduler,
        job: None,
        counted: true,
    };
    while let Some(job) = worker.next() {
        let report = drive(scheduler, &job);
        let closing = scheduler.end(&job, report);
        if job.was_given_up() {
            worker.counted = false; // by the supervisor, and this thread ends
            return;
        }
        drop(job);
        if !closing.is_empty() && !worker.close(closing) {
            return;
        }
    }
}

/// A worker's place in the count. If a panic ends the thread, the place is given back and the job in
/// progress fails.
struct Worker<'a> {
    scheduler: &'a Arc<Scheduler>,
    /// The job in progress.
    job: Option<Arc<Job>>,
    counted: bool,
}

impl Worker<'_> {
    fn next(&mut self) -> Option<Arc<Job>> {
        self.job = None;
        self.job = self.scheduler.next();
        self.counted = self.job.is_some();
        self.job.clone()
    }

    /// Closes connections. This may take long, so another worker takes over what is ready meanwhile.
    /// Returns `true` if this one must go on, because no thread could be created for another.
    fn close(&mut self, closing: Closing) -> bool {
        self.job = None;
        self.scheduler.step_aside();
        self.counted = false;
        ensure_workers(self.scheduler);
        drop(closing);
        self.counted = self.scheduler.step_back();
        if self.counted {
            ensure_workers(self.scheduler); // the supervisor may have ended
        }
        self.counted
    }
}

impl Drop for Worker<'_> {
    fn drop(&mut self) {
        if !self.counted {
            return;
        }
        if let Some(job) = self.job.take() {
            let text = "the worker's thread panicked".to_owned();
            let report = job.failed(HResult::E_UNEXPECTED, text, Vec::new());
            drop(self.scheduler.end(&job, report));
            if job.was_given_up() {
                return; // the supervisor has uncounted it
            }
        }
        self.scheduler.retire();
        ensure_workers(self.scheduler);
    }
}

/// Drives one handler through its life.
fn drive(scheduler: &Arc<Scheduler>, job: &Arc<Job>) -> HandlerReport {
    let Some(items) = job.to_do() else {
        return Job::never_begun(CANCELLED);
    };
    let handler = {
        let _inside = job.monitor.enter("the factory");
        match catch_unwind(AssertUnwindSafe(|| (job.make)())) {
            Ok(handler) => handler,
            Err(payload) => {
                let fault = ProtocolViolation::Panicked {
                    call: "the factory",
                    message: panicked(payload),
                };
                let report = job.failed(HResult::E_UNEXPECTED, fault.to_string(), vec![fault]);
                log_early(scheduler, job, &report);
                return report;
            }
        }
    };
    if let Some(after) = job.monitor.take_given_up() {
        contained(|| drop(handler));
        let call = "the factory";
        return job.too_late(ProtocolViolation::DidNotReturn { call, after });
    }
    let options = options(scheduler, job, items);
    let mut report = drive_with(job, handler, options);
    log_early(scheduler, job, &report);
    if let Some(error) = job.failure() {
        report.result = HResult::E_UNEXPECTED;
        report.error = Some(error);
    }
    report
}

/// What ended a run before there was a session to log it in.
fn log_early(scheduler: &Scheduler, job: &Job, report: &HandlerReport) {
    if let (None, Some(error)) = (&report.session, &report.error) {
        scheduler.log(Some(job.id), LogLevel::Error, error);
    }
}

fn drive_with(job: &Job, handler: Arc<dyn SyncHandler>, options: RunOptions) -> HandlerReport {
    match catch_unwind(AssertUnwindSafe(|| run_handler(handler, options))) {
        Ok(report) => report,
        // What panics there is a setting of the host's own.
        Err(payload) => {
            let text = format!("the host panicked: {}", panicked(payload));
            job.failed(HResult::E_UNEXPECTED, text, Vec::new())
        }
    }
}

fn options(scheduler: &Arc<Scheduler>, job: &Arc<Job>, items: Option<Vec<ItemId>>) -> RunOptions {
    let (settings, request) = (&scheduler.settings, &job.request);
    let mut options = RunOptions::new()
        .flags(request.flags)
        .handler(job.id)
        .dialogs(settings.dialogs)
        .dialog_arbiter(scheduler.arbiter.clone())
        .max_retries(settings.max_retries)
        .monitored(job.monitor.clone());
    if let Some(connections) = job.group.connections() {
        options = options.connections(connections);
    }
    if let Some(deadline) = settings.deadline {
        options = options.deadline(deadline);
    }
    if let Some(wanted) = settings.show_error_if.clone() {
        options = options.show_error_if(move |entry| wanted(entry));
    }
    if request.flags.event() == SyncEvent::Invoke {
        if let Some(cookie) = &request.cookie {
            options = options.cookie(cookie.clone());
        }
    }
    if let Some(target) = request.properties {
        options = options.show_properties(target);
    }
    let (on_session, selecting) = (Arc::clone(job), Arc::clone(job));
    let scheduler = Arc::clone(scheduler);
    options
        .on_session(move |session| on_session.set_session(&session))
        .select_by(Box::new(move |list| {
            select(&scheduler, &selecting, list, items.as_deref())
        }))
}

/// The handler has told its items: which of them take part in the run.
fn select(
    scheduler: &Scheduler,
    job: &Job,
    list: &ItemList,
    items: Option<&[ItemId]>,
) -> Vec<ItemId> {
    let request = &job.request;
    let settings = request.flags.contains(SyncFlags::SETTINGS);
    // A look at the list is no run of a temporary item.
    let temporary = if settings {
        Vec::new()
    } else {
        temporary(list)
    };
    job.set_listed(list.items().len(), temporary);
    let info = job.monitor.seen().info;
    if let Some(info) = info {
        scheduler.know(job.id, info, list);
    }
    let chosen = scheduler.chosen(job.id, list);
    if settings {
        return Vec::new(); // nothing is synchronized
    }
    if let Some(items) = items {
        return items.to_vec();
    }
    match &scheduler.settings.chooser {
        Some(chooser) if !request.invoke.contains(InvokeFlags::START_SYNC) => {
            match catch_unwind(AssertUnwindSafe(|| chooser(job.id, list, &chosen))) {
                Ok(chosen) => chosen,
                Err(payload) => {
                    let text = format!("the chooser panicked: {}", panicked(payload));
                    scheduler.log(Some(job.id), LogLevel::Error, &text);
                    job.fail(text);
                    Vec::new()
                }
            }
        }
        _ => chosen,
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::super::SyncManager;
    use super::super::job_group::JobGroup;
    use super::super::start_request::StartRequest;
    use super::*;
    use crate::HandlerId;

    /// Foreign values are contained before a panic can end a worker, so only a test of the guard itself reaches it.
    #[test]
    fn a_worker_that_dies_gives_its_place_back_and_ends_its_part() {
        let scheduler = Arc::clone(&SyncManager::new().scheduler);
        let request = StartRequest {
            flags: SyncFlags::default(),
            cookie: None,
            invoke: InvokeFlags::empty(),
            items: None,
            properties: None,
        };
        let make = || -> Arc<dyn SyncHandler> { unreachable!("it is not driven") };
        let id = HandlerId::from_u128(1);
        let job = Job::new(
            id,
            Arc::new(make),
            JobGroup::new(None, 1),
            Arc::new(request),
        );
        {
            let mut state = scheduler.state.lock();
            assert!(state.ask(&job).is_none());
            state.workers = 1;
        }
        let dies = catch_unwind(AssertUnwindSafe(|| {
            let mut worker = Worker {
                scheduler: &scheduler,
                job: None,
                counted: true,
            };
            assert!(worker.next().is_some());
            panic!("nothing contains this");
        }));
        assert!(dies.is_err());
        let report = job.report().expect("it is over");
        assert_eq!(
            report.error.as_deref(),
            Some("the worker's thread panicked")
        );
        let state = scheduler.state.lock();
        assert_eq!((state.workers, state.running.len()), (0, 0));
        assert!(state.busy.is_empty());
    }
}
