//! The runs that were started by keys, until the next start.

use std::sync::Arc;

use syncmgr::{CallbackError, HandlerId, ItemId, Run, RunReport, Session};

/// The runs of one start and the retries that came after it.
#[derive(Default)]
pub struct Runs {
    /// The oldest first.
    runs: Vec<Started>,
}

struct Started {
    run: Run,
    /// Its report was taken.
    told: bool,
}

/// How far they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    pub handlers: usize,
    pub finished: usize,
    pub items: u64,
    pub items_finished: u64,
}

impl Runs {
    /// Adds a run. Those that are over give way, once they were reported.
    pub fn add(&mut self, run: Run) {
        self.runs.retain(|started| !started.told);
        self.runs.push(Started { run, told: false });
    }

    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    fn active(&self) -> impl Iterator<Item = &Run> {
        let runs = self.runs.iter().map(|started| &started.run);
        runs.filter(|run| !run.is_over())
    }

    pub fn is_active(&self) -> bool {
        self.active().next().is_some()
    }

    /// Whether the handler is in a run that is not over.
    pub fn has(&self, handler: HandlerId) -> bool {
        self.active().any(|run| run.handlers().contains(&handler))
    }

    /// Whether the handler is in a run in which it has not told its items, and has not ended either.
    pub fn is_waiting(&self, handler: HandlerId) -> bool {
        self.active().any(|run| {
            let is_in = run.handlers().contains(&handler);
            is_in && run.session(handler).is_none() && run.handler_report(handler).is_none()
        })
    }

    /// The newest session of the handler.
    pub fn session(&self, handler: HandlerId) -> Option<Arc<Session>> {
        let mut newest = self.runs.iter().rev();
        newest.find_map(|started| started.run.session(handler))
    }

    /// The reports of runs that are over since this was asked last.
    pub fn reports(&mut self) -> Vec<RunReport> {
        let over = |started: &&mut Started| !started.told && started.run.is_over();
        let over = self.runs.iter_mut().filter(over);
        over.map(|started| {
            let report = started.run.wait(); // it is over, so this returns at once
            started.told = true;
            report
        })
        .collect()
    }

    /// How far all of them are.
    pub fn sums(&self) -> Sums {
        let mut sums = Sums::default();
        for started in &self.runs {
            let progress = started.run.progress();
            sums.handlers += progress.handlers;
            sums.finished += progress.finished;
            sums.items += progress.totals.items;
            sums.items_finished += progress.totals.finished;
        }
        sums
    }

    pub fn cancel_item(&self, handler: HandlerId, item: ItemId) -> Result<(), CallbackError> {
        self.of(handler, |run| run.cancel_item(handler, item))
    }

    pub fn skip(&self, handler: HandlerId, item: ItemId) -> Result<(), CallbackError> {
        self.of(handler, |run| run.skip_item(handler, item))
    }

    /// Acts on every run of the handler that goes on; one of them has to have the item.
    fn of(
        &self,
        handler: HandlerId,
        act: impl Fn(&Run) -> Result<(), CallbackError>,
    ) -> Result<(), CallbackError> {
        let of_handler = |run: &&Run| run.handlers().contains(&handler);
        let answers: Vec<_> = self.active().filter(of_handler).map(act).collect();
        let taken = answers.iter().find(|answer| answer.is_ok());
        let answer = taken.or(answers.first()).copied();
        answer.unwrap_or(Err(CallbackError::UnknownItem))
    }

    pub fn cancel_handler(&self, handler: HandlerId) {
        self.active().for_each(|run| run.cancel_handler(handler));
    }

    pub fn cancel_all(&self) {
        self.active().for_each(Run::cancel_all);
    }
}
