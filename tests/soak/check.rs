//! What must hold of the reports, of the log, and in the end.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use syncmgr::{
    DialogArbiter, HandlerReport, LogFilter, Phase, ProtocolViolation, RunReport, Session,
    SyncManager,
};

use super::plan::{Life, Plan};
use super::world::{World, count, get, lock};

pub struct Check<'a> {
    world: &'a Arc<World>,
    /// The sessions that were seen. A weak one keeps its address, so that no other session has it.
    seen: HashMap<*const Session, Weak<Session>>,
    refused: u64,
}

impl<'a> Check<'a> {
    pub fn new(world: &'a Arc<World>) -> Self {
        Self {
            world,
            seen: HashMap::new(),
            refused: 0,
        }
    }

    pub fn run(&mut self, report: &RunReport) {
        let counts = &self.world.counts;
        for (_, report) in &report.handlers {
            count(&counts.reports);
            let life = self.life(report);
            if report.abandoned_threads > 0 {
                count(&counts.abandoned);
                lock(&self.world.abandoned).extend(life.as_ref().map(|life| life.number));
            }
            let Some(session) = &report.session else {
                continue;
            };
            let new = Arc::downgrade(session);
            if self.seen.insert(Arc::as_ptr(session), new).is_none() {
                self.refused += session.log_refused();
                self.report(report, session, life.as_deref());
            }
        }
    }

    /// The handler that a report is of: its name is its number.
    fn life(&self, report: &HandlerReport) -> Option<Arc<Life>> {
        let number = report.info.as_ref()?.name.as_str().parse().ok()?;
        lock(&self.world.lives).get(&number).cloned()
    }

    fn report(&self, report: &HandlerReport, session: &Session, life: Option<&Life>) {
        let counts = &self.world.counts;
        count(&counts.own_reports);
        counts.rounds.fetch_add(
            u64::from(report.rounds.saturating_sub(1)),
            Ordering::Relaxed,
        );
        let wrong = |what: &str| {
            let (plan, faults) = (life.map(|life| life.plan), &report.faults);
            let (result, error, phase) = (report.result, &report.error, report.phase);
            self.world.wrong(format!(
                "{what}: {plan:?}, {faults:?}, {result}, {error:?}, {phase}, open {}",
                report.unfinished.len()
            ));
        };
        if session.phase() != Phase::Released {
            wrong("a session is not released");
        }
        let explained = !report.faults.is_empty() || report.error.is_some();
        let open: HashSet<_> = report.unfinished.iter().collect();
        let items = report.items();
        counts
            .items
            .fetch_add(items.len() as u64, Ordering::Relaxed);
        for item in &items {
            let ended = item.is_finished() || !item.selected || report.rounds == 0;
            if !ended && !open.contains(&item.id) && !explained {
                wrong(&format!("an item is neither ended nor open: {item:?}"));
            }
        }
        if !open.is_empty() && !explained {
            wrong("items are open and nothing says why");
        }
        let Some(life) = life else {
            return wrong("a session of no handler");
        };
        if life.plan == Plan::Well {
            self.well(report, &wrong);
        }
        if let Some(recorder) = &life.recorder {
            count(&counts.judged);
            let trace = recorder.trace();
            let host = trace
                .violations()
                .iter()
                .find(|found| !found.rule.binds_handler());
            if let Some(found) = host {
                wrong(&format!("a rule of the host is broken: {found:?}\n{trace}"));
            }
        }
    }

    /// Of a handler that meant well.
    fn well(&self, report: &HandlerReport, wrong: &dyn Fn(&str)) {
        let late = |fault: &ProtocolViolation| {
            matches!(
                fault,
                ProtocolViolation::NotCompleted { .. } | ProtocolViolation::DidNotReturn { .. }
            )
        };
        if report.faults.iter().any(late) {
            // The machine had no time for it.
            return count(&self.world.counts.starved);
        }
        let host = report.error.as_ref().is_some_and(|error| {
            error.starts_with("the host panicked") || error.starts_with("the chooser panicked")
        });
        let connector =
            |fault: &ProtocolViolation| fault.to_string().contains("as planned in the connector");
        let odd = report.faults.iter().any(|fault| !connector(fault));
        let released = report
            .error
            .as_ref()
            .is_some_and(|error| error.contains("released"));
        if odd || (report.error.is_some() && report.faults.is_empty() && !host && !released) {
            return wrong("a handler that meant well is at fault");
        }
        count(&self.world.counts.well);
    }

    /// Every entry that was taken stands in the log, or was deleted; every one that was refused is counted.
    pub fn log(&self, manager: &SyncManager) {
        let counts = &self.world.counts;
        let log = manager.log(&LogFilter::new());
        let kept = log
            .iter()
            .filter(|entry| entry.text.starts_with("soak "))
            .count() as u64;
        let (logged, deleted) = (get(&counts.logged), get(&counts.deleted));
        counts.kept.store(kept, Ordering::Relaxed);
        counts.asked_for.store(logged, Ordering::Relaxed);
        counts.gone.store(deleted, Ordering::Relaxed);
        if logged != kept + deleted {
            self.world.wrong(format!(
                "{logged} entries were taken, {kept} are there, {deleted} were deleted"
            ));
        }
        let (lost, full) = (manager.log_lost(), get(&counts.full));
        if lost != self.refused || lost < full {
            let refused = self.refused;
            self.world.wrong(format!(
                "{lost} entries are lost, {refused} were refused, {full} of them to handlers"
            ));
        }
        counts
            .own_lost
            .store(lost.saturating_sub(full), Ordering::Relaxed);
    }

    /// When every thread has ended.
    pub fn end(&self, turns: &DialogArbiter) {
        let world = self.world;
        if turns.is_taken() {
            world.wrong("a turn is taken");
        }
        let (opened, closed) = (get(&world.counts.opened), get(&world.counts.closed));
        if opened != closed {
            world.wrong(format!("{opened} connections were opened, {closed} closed"));
        }
        let (lives, abandoned) = (lock(&world.lives), lock(&world.abandoned));
        for (other, place) in lock(&world.overlaps).iter() {
            if !abandoned.contains(other) {
                let plan = lives.get(other).map(|life| life.plan);
                world.wrong(format!(
                    "two of one handler at once: {plan:?}, and another in {place}"
                ));
            }
        }
        let left: Vec<_> = world
            .inside
            .iter()
            .filter(|inside| !lock(inside).is_empty())
            .collect();
        if !left.is_empty() {
            world.wrong(format!("{} handlers are still in a call", left.len()));
        }
    }
}
