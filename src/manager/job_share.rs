//! A run's share in a job.

use std::sync::{Arc, OnceLock};

use super::job::{Job, Leave};
use super::run_events::RunEvents;
use crate::HandlerReport;
use crate::session::Session;

/// A run's share in a job. A pending job can be shared by identical starts.
pub(super) struct JobShare {
    pub(super) job: Arc<Job>,
    /// The run's own report, if it cancelled the job before it began and others wanted it still.
    left: OnceLock<HandlerReport>,
}

impl JobShare {
    pub(super) fn new(job: Arc<Job>) -> Self {
        Self {
            job,
            left: OnceLock::new(),
        }
    }

    pub(super) fn notify(&self, events: &Arc<RunEvents>, place: usize) {
        self.job.notify(events, place);
    }

    /// The job, unless the run has cancelled its share.
    pub(super) fn shared(&self) -> Option<&Arc<Job>> {
        self.left.get().is_none().then_some(&self.job)
    }

    /// Cancels the share of a run whose events this is.
    pub(super) fn leave(&self, events: &Arc<RunEvents>, why: &str) -> Leave {
        let report = Job::never_begun(why);
        self.job.leave(events, &self.left, report)
    }

    pub(super) fn session(&self) -> Option<Arc<Session>> {
        self.shared()?.session()
    }

    pub(super) fn is_over(&self) -> bool {
        self.shared().is_none_or(|job| job.is_over())
    }

    pub(super) fn report(&self) -> Option<HandlerReport> {
        match self.left.get() {
            Some(report) => Some(report.clone()),
            None => self.job.report(),
        }
    }
}
