//! The runs that were started by keys, until the next start.

use std::sync::Arc;

use syncmgr::{CallbackError, HandlerId, ItemId, Run, RunReport, Session};

/// The runs of one start and the retries that came after it.
#[derive(Default)]
pub struct Runs {
    /// The oldest first, and whether its report was taken.
    runs: Vec<(Run, bool)>,
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
        self.runs.retain(|(run, told)| !told || !run.is_over());
        self.runs.push((run, false));
    }

    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    fn active(&self) -> impl Iterator<Item = &Run> {
        let runs = self.runs.iter().map(|(run, _)| run);
        runs.filter(|run| !run.is_over())
    }

    pub fn is_active(&self) -> bool {
        self.active().next().is_some()
    }

    /// Whether the handler is in a run that is not over.
    pub fn has(&self, handler: HandlerId) -> bool {
        self.active().any(|run| run.handlers().contains(&handler))
    }

    /// Whether the newest run of the handler has no session of its own yet.
    pub fn is_waiting(&self, handler: HandlerId) -> bool {
        let mut newest = self.runs.iter().rev().map(|(run, _)| run);
        newest
            .find(|run| run.handlers().contains(&handler))
            .is_some_and(|run| !run.is_over() && run.session(handler).is_none())
    }

    /// The newest session of the handler.
    pub fn session(&self, handler: HandlerId) -> Option<Arc<Session>> {
        let mut newest = self.runs.iter().rev();
        newest.find_map(|(run, _)| run.session(handler))
    }

    /// The reports of runs that are over since this was asked last.
    pub fn reports(&mut self) -> Vec<RunReport> {
        let over = self
            .runs
            .iter_mut()
            .filter(|(run, told)| !told && run.is_over());
        over.map(|(run, told)| {
            *told = true;
            run.wait() // it is over, so this returns at once
        })
        .collect()
    }

    /// How far all of them are.
    pub fn sums(&self) -> Sums {
        let mut sums = Sums::default();
        for (run, _) in &self.runs {
            let progress = run.progress();
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
        self.of(handler, |run| run.skip(handler, item))
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
