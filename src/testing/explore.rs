//! The explorer, which runs a handler once for each injection point.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::call::{Action, Call};
use super::drive::Driven;
use super::exploration::{Again, Cause, Exploration};
use super::harness::Harness;
use super::injection::{Baseline, Kinds};
use super::intervention::Intervention;
use super::reach::Reach;
use super::rule::Rule;
use super::sample::sample;
use super::trace::Trace;
use super::violation::Incident;
use crate::util::panic::panicked;

/// How many failing traces are kept.
const KEPT: usize = 32;

/// After so many runs in which the handler fell silent, the exploration ends: each of them takes its deadline.
const SILENT_MOST: usize = 4;

/// How many more runs a point gets that threads have missed by chance.
const RETRIES: usize = 2;

/// Runs a handler once to learn its reports, then once for each point and each kind of cancellation, and judges every trace.
///
/// A point is the k-th report of an item. At each, one run cancels the item, one everything, and one skips the item. In
/// addition, each item is skipped before the prepare, in each retry's prepare, when `synchronize` is called, and while the item
/// before it begins.
///
/// `make` returns a fresh handler for each run, or a [`Harness`] of one with settings: flags, a deadline, a selection, the
/// size of a sample. Ids may differ from run to run. Names of items may not, unless
/// [`items_by_position`](Harness::items_by_position) is set: an exploration that reached fewer than nine in ten points of an item
/// [fails](Exploration::assert_conformant).
///
/// # Examples
///
/// ```
/// use syncmgr::testing::mock::{Script, Step};
/// use syncmgr::testing::explore_cancellations;
/// use syncmgr::{ItemId, ItemStatus};
///
/// let photos = ItemId::from_u128(1);
/// let exploration = explore_cancellations(|| {
///     let steps = [
///         Step::report(photos).status(ItemStatus::Updating),
///         Step::report(photos).value(1),
///         Step::report(photos).status(ItemStatus::Succeeded),
///     ];
///     Script::new().item(photos, "photos").synchronize(steps).handler()
/// });
/// // Three reports with three kinds of cancellation each, two skips before them, and the run that told of them.
/// assert_eq!(exploration.runs(), 12);
/// exploration.assert_conformant();
/// ```
///
/// With settings:
///
/// ```
/// use std::time::Duration;
/// use syncmgr::testing::mock::{Script, Step};
/// use syncmgr::testing::{Harness, explore_cancellations};
/// use syncmgr::{ItemId, ItemStatus, SyncEvent, SyncFlags};
///
/// # let photos = ItemId::from_u128(1);
/// # let script = Script::new().item(photos, "photos").synchronize([
/// #     Step::report(photos).status(ItemStatus::Updating),
/// #     Step::report(photos).status(ItemStatus::Succeeded),
/// # ]);
/// explore_cancellations(|| {
///     Harness::new(script.handler())
///         .flags(SyncFlags::new(SyncEvent::Scheduled))
///         .deadline(Duration::from_secs(2))
///         .select([photos])
///         .max_runs(100)
///         .seed(7)
/// })
/// .assert_conformant();
/// ```
pub fn explore_cancellations<H: Into<Harness>>(mut make: impl FnMut() -> H) -> Exploration {
    explore(|| (make().into(), ()), |_, ()| {}, Kinds::Cancellations)
}

/// Explores faults of the host as [`explore_cancellations`] does cancellations: each log entry refused, each connection refused,
/// each dialog denied, and the callback released at each report.
///
/// # Examples
///
/// ```
/// use syncmgr::testing::mock::{Script, Step};
/// use syncmgr::testing::explore_faults;
/// use syncmgr::{ItemId, ItemStatus, LogLevel, LogRecord};
///
/// let photos = ItemId::from_u128(1);
/// explore_faults(|| {
///     let steps = [
///         Step::report(photos).status(ItemStatus::Updating),
///         Step::log(&LogRecord::new(LogLevel::Warning, "one is blurred")), // the log may be full
///         Step::report(photos).status(ItemStatus::Succeeded),
///     ];
///     Script::new().item(photos, "photos").synchronize(steps).handler()
/// })
/// .assert_conformant();
/// ```
pub fn explore_faults<H: Into<Harness>>(mut make: impl FnMut() -> H) -> Exploration {
    explore(|| (make().into(), ()), |_, ()| {}, Kinds::Faults)
}

impl Harness {
    /// Runs a handler once to learn its calls, then once for each cancellation and each fault at each of them, and judges every
    /// trace. It does what [`explore_cancellations`] and [`explore_faults`] do together, and calls a closure after each run.
    ///
    /// `make` returns, for each run, a harness of a fresh handler, and that run's world, such as its directory. `after` checks
    /// the world. Its trace says what was done to the handler: [`Trace::intervention`]. If `after` panics, the run has failed;
    /// the exploration goes on, and says so in the end.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::{Arc, Mutex};
    /// use syncmgr::testing::mock::{Script, Step};
    /// use syncmgr::testing::Harness;
    /// use syncmgr::{ItemId, ItemStatus};
    ///
    /// let photos = ItemId::from_u128(1);
    /// Harness::explore(
    ///     || {
    ///         let world = Arc::new(Mutex::new(Vec::new())); // a directory, say
    ///         let written = world.clone();
    ///         let script = Script::new().item(photos, "photos").synchronize([
    ///             Step::report(photos).status(ItemStatus::Updating),
    ///             Step::work(photos, move || written.lock().unwrap().push("photos")),
    ///             Step::report(photos).status(ItemStatus::Succeeded),
    ///         ]);
    ///         (Harness::new(script.handler()), world)
    ///     },
    ///     |trace, world| {
    ///         if trace.was_released() {
    ///             return; // a released callback takes no status
    ///         }
    ///         let written = !world.lock().unwrap().is_empty();
    ///         assert_eq!(written, trace.status(photos) == Some(ItemStatus::Succeeded));
    ///     },
    /// )
    /// .assert_conformant();
    /// ```
    pub fn explore<T>(
        make: impl FnMut() -> (Harness, T),
        after: impl FnMut(&Trace, T),
    ) -> Exploration {
        explore(make, after, Kinds::Both)
    }
}

/// A run that failed.
struct FailedRun {
    point: Option<Intervention>,
    diverged: bool,
    trace: Trace,
}

/// The findings of the runs so far.
#[derive(Default)]
struct Findings {
    runs: usize,
    diverged: usize,
    silent: usize,
    failed: usize,
    causes: BTreeMap<&'static str, CauseCounts>,
    /// The smallest first.
    failures: Vec<FailedRun>,
}

/// The failing runs of one cause: their number, and the smallest that can be reproduced, with the
/// number of its calls.
#[derive(Default)]
struct CauseCounts {
    rule: Option<Rule>,
    runs: usize,
    smallest: Option<(usize, Intervention)>,
}

impl Findings {
    fn add(&mut self, point: Option<&Intervention>, is_diverged: bool, trace: Trace) {
        self.runs += 1;
        self.diverged += usize::from(is_diverged);
        self.silent += usize::from(fell_silent(&trace));
        if trace.is_conformant() {
            return;
        }
        self.failed += 1;
        self.count(&trace, point.filter(|_| !is_diverged));
        self.failures.push(FailedRun {
            point: point.cloned(),
            diverged: is_diverged,
            trace,
        });
        // The run without anything done to it first; then the smallest: those that can be made again, with the fewest calls.
        self.failures.sort_by_key(|failed| {
            (
                failed.point.is_some(),
                failed.diverged,
                failed.trace.calls().len(),
            )
        });
        self.failures.truncate(KEPT);
    }

    /// Counts what a failing run fails by; the point is there if the run can be made again.
    fn count(&mut self, trace: &Trace, point: Option<&Intervention>) {
        let (rules, _) = broken(trace);
        let rules = rules.into_iter().map(|rule| (rule.id(), Some(rule)));
        let mut found: BTreeMap<&'static str, Option<Rule>> = rules.collect();
        found.extend(trace.incidents().iter().map(|incident| match incident {
            Incident::Panicked { .. } => ("a panic", None),
            Incident::DidNotReturn { .. } => ("a call that did not return", None),
            Incident::After { .. } => ("the look at the world", None),
        }));
        let calls = trace.calls().len();
        for (name, rule) in found {
            let cause = self.causes.entry(name).or_default();
            cause.rule = rule;
            cause.runs += 1;
            if let Some(point) = point {
                let smallest = cause.smallest.as_ref();
                if smallest.is_none_or(|(least, _)| calls < *least) {
                    cause.smallest = Some((calls, point.clone()));
                }
            }
        }
    }
}

fn explore<T>(
    mut make: impl FnMut() -> (Harness, T),
    mut after: impl FnMut(&Trace, T),
    kinds: Kinds,
) -> Exploration {
    let mut run = |point: Option<&Intervention>, harness: Harness, world: T| {
        let harness = match point {
            Some(point) => harness.intervene(point.clone()),
            None => harness,
        };
        let mut driven = harness.drive();
        driven.trace.set_intervention(point.cloned());
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| after(&driven.trace, world))) {
            let text = panicked(payload);
            driven.trace.add_incident(Incident::After { text });
        }
        driven
    };

    let (harness, world) = make();
    let (max_runs, seed) = (harness.max_runs.max(1), harness.seed);
    let by_position = harness.by_position;
    // With settings of its own it is the test's harness that makes a run again.
    let harness_in_words = match kinds {
        Kinds::Cancellations | Kinds::Faults if harness.is_bare => "Harness::new(handler)",
        _ => "harness",
    };
    let Driven {
        trace: first,
        unlisted,
        ..
    } = run(None, harness, world);
    let baseline = Baseline::of(&first, by_position);
    let all = baseline.points(kinds);
    let points = all.len();
    let chosen = sample(all, max_runs - 1, seed);
    let is_sample = chosen.len() < points;
    let mut reach = Reach::new(&chosen, unlisted);
    let mut findings = Findings::default();
    findings.add(None, false, first);
    for point in chosen {
        if findings.silent >= SILENT_MOST {
            break;
        }
        let mut is_reached = false;
        let mut is_listed = false;
        for tries_left in (0..=RETRIES).rev() {
            let (harness, world) = make();
            let driven = run(Some(&point), harness, world);
            is_reached = driven.last_occurred;
            is_listed = point
                .item()
                .is_none_or(|item| !driven.unlisted.contains(item));
            let by_chance = has_threads(&driven.trace) && !fell_silent(&driven.trace);
            let is_diverged = !is_reached || baseline.differs(&point, &driven.trace);
            findings.add(Some(&point), is_diverged, driven.trace);
            if is_reached || tries_left == 0 || !by_chance || reach.is_lost(&point) {
                break;
            }
        }
        reach.add(point, is_reached, is_listed);
    }

    // What is called the way to make it again is tried.
    let mut again = Again::NotNeeded;
    if let Some(smallest) = findings.failures.first() {
        if smallest.diverged {
            again = Again::Diverged;
        } else {
            let (harness, world) = make();
            let second = run(smallest.point.as_ref(), harness, world).trace;
            findings.runs += 1;
            again = if broken(&second) == broken(&smallest.trace) {
                Again::Same
            } else {
                Again::Diverged
            };
        }
    }
    let in_code = |point: Option<&Intervention>| match point {
        Some(point) => format!("{harness_in_words}.{point}.run()"),
        None => format!("{harness_in_words}.run()"),
    };
    let line = findings.failures.first().map(|failed| {
        let incidents = failed.trace.incidents();
        let looked = incidents
            .iter()
            .any(|incident| matches!(incident, Incident::After { .. }));
        let run = in_code(failed.point.as_ref());
        match looked {
            true => format!("let trace = {run}; // then look at the world"),
            false => format!("{run}.assert_conformant();"),
        }
    });
    let rules = findings.causes.values();
    let mut rules: Vec<(Rule, usize)> = rules
        .filter_map(|cause| Some((cause.rule?, cause.runs)))
        .collect();
    rules.sort_unstable();
    let causes = findings.causes.into_iter().map(|(name, cause)| Cause {
        name,
        runs: cause.runs,
        line: cause.smallest.map(|(_, point)| in_code(Some(&point))),
    });
    let first_failure = findings.failures.first();
    Exploration {
        runs: findings.runs,
        points,
        reach,
        seed: is_sample.then_some(seed),
        diverged: findings.diverged,
        failed: findings.failed,
        causes: causes.collect(),
        rules,
        again,
        line,
        plain: first_failure.is_some_and(|failed| failed.point.is_none()),
        silent: findings.silent >= SILENT_MOST,
        failures: findings
            .failures
            .into_iter()
            .map(|failed| failed.trace)
            .collect(),
    }
}

/// Whether the host gave up waiting.
fn fell_silent(trace: &Trace) -> bool {
    trace
        .calls()
        .iter()
        .any(|call| call.action == Action::GaveUp)
}

/// Whether the handler made a call on a thread other than the host's, so that the order of its calls is a matter of chance.
fn has_threads(trace: &Trace) -> bool {
    let (handlers, hosts): (Vec<&Call>, Vec<&Call>) = trace
        .calls()
        .iter()
        .partition(|call| call.callback.is_some());
    let host = hosts.first().map(|call| call.thread);
    handlers.iter().any(|call| Some(call.thread) != host)
}

/// The rules that a trace breaks, and how many incidents it has.
fn broken(trace: &Trace) -> (Vec<Rule>, usize) {
    let faults = trace.violations().iter().filter(|found| found.is_fault());
    let mut rules: Vec<Rule> = faults.map(|found| found.rule).collect();
    rules.sort_unstable();
    rules.dedup();
    (rules, trace.incidents().len())
}
