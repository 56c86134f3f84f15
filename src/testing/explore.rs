//! The explorer: a handler is run once to learn its calls, then once for each thing that can happen at each of them.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::call::Action;
use super::harness::Harness;
use super::point::{Kinds, Learned, Point};
use super::rule::Rule;
use super::sample::sample;
use super::trace::Trace;
use super::violation::Incident;
use super::words::counted;
use crate::SyncHandler;
use crate::session::panicked;

/// How many failing traces are kept.
const KEPT: usize = 32;

/// After so many runs in which the handler fell silent, the exploration ends: each of them takes its deadline.
const SILENT_MOST: usize = 4;

/// Runs a handler once to learn its reports, then once for each point and each kind of cancel, and judges every trace.
///
/// A point is the k-th report of an item. At each, one run cancels the item, one everything, and one skips the item; besides, each
/// item is skipped before the prepare, when `synchronize` is called, and while the item before it begins.
///
/// `make` answers a fresh handler for each run. Ids may differ from run to run, names of items may not.
///
/// ```
/// use syncmgr::testing::{Script, Step, explore_cancellations};
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
/// // Three reports with three kinds of cancel each, two skips before them, and the run that told of them.
/// assert_eq!(exploration.runs(), 12);
/// exploration.assert_conformant();
/// ```
pub fn explore_cancellations(mut make: impl FnMut() -> Arc<dyn SyncHandler>) -> Exploration {
    explore(
        || (Harness::new(make()), ()),
        |_, ()| {},
        Kinds::Cancellations,
    )
}

/// As [`explore_cancellations`], for faults of the host: each log entry refused, each connection refused, each dialog denied,
/// and the callback released at each report.
///
/// ```
/// use syncmgr::testing::{Script, Step, explore_faults};
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
pub fn explore_faults(mut make: impl FnMut() -> Arc<dyn SyncHandler>) -> Exploration {
    explore(|| (Harness::new(make()), ()), |_, ()| {}, Kinds::Faults)
}

impl Harness {
    /// Runs a handler once to learn its calls, then once for each cancel and each fault at each of them, and judges every
    /// trace: what [`explore_cancellations`] and [`explore_faults`] do together, with the settings of the harness and with a
    /// look at the world after each run.
    ///
    /// `make` answers, for each run, a harness of a fresh handler, and that run's world, such as its directory. `after` looks
    /// at it. Where it panics, the run has failed; the exploration goes on, and says so in the end.
    ///
    /// ```
    /// use std::sync::{Arc, Mutex};
    /// use syncmgr::testing::{Harness, Script, Step};
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
struct Failed {
    point: Option<Point>,
    diverged: bool,
    trace: Trace,
}

fn explore<T>(
    mut make: impl FnMut() -> (Harness, T),
    mut after: impl FnMut(&Trace, T),
    kinds: Kinds,
) -> Exploration {
    let mut run = |point: Option<&Point>, harness: Harness, world: T| {
        let harness = match point {
            Some(point) => point.arm(harness),
            None => harness,
        };
        let mut trace = harness.run();
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| after(&trace, world))) {
            let text = panicked(payload);
            trace.add_incident(Incident::After { text });
        }
        trace
    };

    let (harness, world) = make();
    let (max_runs, seed) = (harness.max_runs.max(1), harness.seed);
    let first = run(None, harness, world);
    let learned = Learned::of(&first);
    let all = learned.points(kinds);
    let points = all.len();
    let chosen = sample(all, max_runs - 1, seed);
    let is_sample = chosen.len() < points;
    let mut explored = 0;

    let mut failures = Vec::new();
    let mut failed = 0;
    let mut causes = BTreeMap::new();
    let mut runs = 1;
    let mut diverged = 0;
    let mut silent = usize::from(fell_silent(&first));
    if !first.is_conformant() {
        failed += 1;
        count(&mut causes, &first, None);
        failures.push(Failed {
            point: None,
            diverged: false,
            trace: first,
        });
    }
    for point in chosen {
        if silent >= SILENT_MOST {
            break;
        }
        explored += 1;
        let (harness, world) = make();
        let trace = run(Some(&point), harness, world);
        runs += 1;
        let is_diverged = learned.diverges(&point, &trace);
        diverged += usize::from(is_diverged);
        silent += usize::from(fell_silent(&trace));
        if trace.is_conformant() {
            continue;
        }
        failed += 1;
        count(&mut causes, &trace, Some(&point).filter(|_| !is_diverged));
        failures.push(Failed {
            point: Some(point),
            diverged: is_diverged,
            trace,
        });
        // The run without anything done to it first; then the smallest: those that can be made again, with the fewest calls.
        failures.sort_by_key(|failed| {
            (
                failed.point.is_some(),
                failed.diverged,
                failed.trace.calls().len(),
            )
        });
        failures.truncate(KEPT);
    }

    // What is called the way to make it again is tried.
    let mut again = Again::NotNeeded;
    if let Some(smallest) = failures.first() {
        if smallest.diverged {
            again = Again::Diverged;
        } else {
            let (harness, world) = make();
            let trace = run(smallest.point.as_ref(), harness, world);
            runs += 1;
            again = if broken(&trace) == broken(&smallest.trace) {
                Again::Same
            } else {
                Again::Diverged
            };
        }
    }
    let line = failures.first().map(|failed| {
        let incidents = failed.trace.incidents();
        let looked = incidents
            .iter()
            .any(|incident| matches!(incident, Incident::After { .. }));
        let end = match looked {
            true => "let trace = {}; // then look at the world",
            false => "{}.assert_conformant();",
        };
        end.replace("{}", &kinds.line(failed.point.as_ref()))
    });
    let causes = causes.into_iter().map(|(name, cause)| Cause {
        name,
        runs: cause.runs,
        line: cause.smallest.map(|(_, point)| kinds.line(Some(&point))),
    });
    let plain = failures
        .first()
        .is_some_and(|failed| failed.point.is_none());
    Exploration {
        runs,
        points,
        explored,
        seed: is_sample.then_some(seed),
        diverged,
        failed,
        causes: causes.collect(),
        again,
        line,
        plain,
        silent: silent >= SILENT_MOST,
        failures: failures.into_iter().map(|failed| failed.trace).collect(),
    }
}

/// Whether the host gave up waiting.
fn fell_silent(trace: &Trace) -> bool {
    trace
        .calls()
        .iter()
        .any(|call| call.action == Action::GaveUp)
}

/// The rules that a trace breaks, and how many incidents it has.
fn broken(trace: &Trace) -> (Vec<Rule>, usize) {
    let faults = trace.violations().iter().filter(|found| found.is_fault());
    let mut rules: Vec<Rule> = faults.map(|found| found.rule).collect();
    rules.sort_unstable();
    rules.dedup();
    (rules, trace.incidents().len())
}

/// What runs fail by: how many, and the smallest that can be made again, with the number of its calls.
#[derive(Default)]
struct Counted {
    runs: usize,
    smallest: Option<(usize, Point)>,
}

/// What runs fail by, as it is told.
#[derive(Clone, Debug)]
struct Cause {
    name: &'static str,
    runs: usize,
    line: Option<String>,
}

/// Counts what a failing run fails by; the point is there if the run can be made again.
fn count(causes: &mut BTreeMap<&'static str, Counted>, trace: &Trace, point: Option<&Point>) {
    let (rules, _) = broken(trace);
    let mut found: Vec<&'static str> = rules.into_iter().map(Rule::id).collect();
    found.extend(trace.incidents().iter().map(|incident| match incident {
        Incident::Panicked { .. } => "a panic",
        Incident::DidNotReturn { .. } => "a call that did not return",
        Incident::After { .. } => "the look at the world",
    }));
    found.sort_unstable();
    found.dedup();
    let calls = trace.calls().len();
    for name in found {
        let cause = causes.entry(name).or_default();
        cause.runs += 1;
        if let Some(point) = point {
            if cause
                .smallest
                .as_ref()
                .is_none_or(|(least, _)| calls < *least)
            {
                cause.smallest = Some((calls, point.clone()));
            }
        }
    }
}

/// What came of making the smallest failure again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Again {
    NotNeeded,
    Same,
    Diverged,
}

/// What an exploration found.
///
/// Its `Display` is what [`assert_conformant`](Self::assert_conformant) says: how much was explored, and the smallest failing
/// run with the line of code that makes it again. Where a second run of it came out differently, it says that it diverged, and
/// does not claim that the line does.
#[must_use = "whether the handler passed stands in the exploration only: call `assert_conformant`"]
#[derive(Clone, Debug)]
pub struct Exploration {
    runs: usize,
    points: usize,
    explored: usize,
    /// Where only a sample was to be explored.
    seed: Option<u64>,
    diverged: usize,
    failed: usize,
    /// What they failed by, and in how many runs.
    causes: Vec<Cause>,
    again: Again,
    line: Option<String>,
    /// The run without anything done to the handler failed already.
    plain: bool,
    /// The handler fell silent too often to go on.
    silent: bool,
    failures: Vec<Trace>,
}

impl Exploration {
    /// How many times the handler was run.
    #[must_use]
    pub fn runs(&self) -> usize {
        self.runs
    }

    /// How many points the first run told of, each with its kind of cancel or fault.
    #[must_use]
    pub fn points(&self) -> usize {
        self.points
    }

    /// How many of them were explored: all, unless that would have been more than
    /// [`max_runs`](Harness::max_runs).
    #[must_use]
    pub fn explored(&self) -> usize {
        self.explored
    }

    /// How many runs had other reports than the first one before their point, or did not come there: what a handler on
    /// several threads may do, or one whose work depends on the time.
    #[must_use]
    pub fn diverged(&self) -> usize {
        self.diverged
    }

    /// How many runs failed.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.failed
    }

    /// The failing runs, the smallest first; of very many only the smallest are kept.
    pub fn failures(&self) -> &[Trace] {
        &self.failures
    }

    /// The line of code that makes the smallest failing run again; none where nothing failed, or where it came out
    /// differently the second time.
    #[must_use]
    pub fn reproduction(&self) -> Option<&str> {
        match self.again {
            Again::Same => self.line.as_deref(),
            _ => None,
        }
    }

    /// Panics with the smallest failing run, if a run failed, and if there was nothing to explore: the first run made no report.
    /// A handler without items, or whose directory is not there, has proved nothing.
    ///
    /// # Panics
    ///
    /// That is what it is for.
    #[track_caller]
    pub fn assert_conformant(&self) {
        assert!(self.failed == 0 && self.points > 0, "{self}");
    }
}

impl fmt::Display for Exploration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} of {} explored in {}",
            self.explored,
            counted(self.points, "point", "points"),
            counted(self.runs, "run", "runs"),
        )?;
        if let Some(seed) = self.seed {
            write!(f, " (a sample, seed {seed})")?;
        }
        if self.diverged > 0 {
            write!(f, ", {} diverged from the first", self.diverged)?;
        }
        if self.silent {
            write!(f, ", and no more, since the handler fell silent too often")?;
        }
        if self.points == 0 && self.failed == 0 {
            return writeln!(
                f,
                ": nothing was explored, since the handler made no report in its first run; has it items, and is what it works on still there?"
            );
        }
        if self.failed == 0 {
            return writeln!(f, ": none failed");
        }
        write!(f, ": {} failed", self.failed)?;
        let cause = |cause: &Cause| format!("{} in {}", cause.name, cause.runs);
        let causes: Vec<String> = self.causes.iter().map(cause).collect();
        writeln!(f, " ({})", causes.join(", "))?;
        if self.plain {
            writeln!(
                f,
                "the run in which nothing is done to the handler fails already"
            )?;
        }
        match (&self.again, &self.line) {
            (Again::Same, Some(line)) => {
                writeln!(f, "the smallest, made again by\n\n    {line}\n")?
            }
            (_, Some(line)) => writeln!(
                f,
                "the smallest, which diverged when it was made again: this line may or may not do it\n\n    {line}\n"
            )?,
            (_, None) => {}
        }
        // The report shows one of them; what it fails by may hide the others.
        if self.causes.len() > 1 && !self.plain {
            let each = self
                .causes
                .iter()
                .filter_map(|cause| Some((cause.name, cause.line.as_ref()?)));
            for (name, line) in each {
                writeln!(f, "{name}, the smallest: {line}")?;
            }
            writeln!(f)?;
        }
        match self.failures.first() {
            Some(trace) => write!(f, "{}", trace.report()),
            None => Ok(()),
        }
    }
}
