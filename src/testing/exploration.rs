//! The result of an exploration.

use std::fmt;

use super::format::counted;
use super::intervention::Intervention;
use super::reach::Reach;
use super::rule::Rule;
use super::trace::Trace;

/// What runs fail by, as it is told.
#[derive(Clone, Debug)]
pub(super) struct Cause {
    pub(super) name: &'static str,
    pub(super) runs: usize,
    pub(super) line: Option<String>,
}

/// What came of making the smallest failure again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Again {
    NotNeeded,
    Same,
    Diverged,
}

/// What an exploration found.
///
/// Its `Display` is the message of [`assert_conformant`](Self::assert_conformant): how much was explored and reached, and the
/// smallest failing run with the line of code that makes it again. Where a second run of it came out differently, it says that
/// it diverged, and does not claim that the line does.
#[must_use = "whether the handler passed stands in the exploration only: call `assert_conformant`"]
#[derive(Clone, Debug)]
pub struct Exploration {
    pub(super) runs: usize,
    pub(super) points: usize,
    pub(super) reach: Reach,
    /// Where only a sample was to be explored.
    pub(super) seed: Option<u64>,
    pub(super) diverged: usize,
    pub(super) failed: usize,
    /// What they failed by, and in how many runs.
    pub(super) causes: Vec<Cause>,
    pub(super) rules: Vec<(Rule, usize)>,
    pub(super) again: Again,
    pub(super) line: Option<String>,
    /// The run without anything done to the handler failed already.
    pub(super) plain: bool,
    /// The handler fell silent too often to go on.
    pub(super) silent: bool,
    pub(super) failures: Vec<Trace>,
}

impl Exploration {
    /// Returns how many times the handler was run.
    #[must_use]
    pub fn runs(&self) -> usize {
        self.runs
    }

    /// Returns how many points the first run told of, each with its kind of cancellation or fault.
    #[must_use]
    pub fn points(&self) -> usize {
        self.points
    }

    /// Returns how many of the points were explored: all, unless that would have been more than
    /// [`max_runs`](super::Harness::max_runs).
    #[must_use]
    pub fn explored(&self) -> usize {
        self.reach.explored
    }

    /// Returns how many of the explored points were reached: in a run for the point, its report or call came, and the
    /// intervention was made.
    ///
    /// A point that was missed and whose handler has threads of its own is tried up to twice more.
    #[must_use]
    pub fn reached(&self) -> usize {
        self.reach.reached
    }

    /// Returns the interventions that were explored and never came about. They tested nothing.
    pub fn unreached(&self) -> &[Intervention] {
        &self.reach.unreached
    }

    /// Returns how many runs had other reports than the first one before their point, or did not reach it: what a handler on
    /// several threads may do, or one whose work depends on the time.
    #[must_use]
    pub fn diverged(&self) -> usize {
        self.diverged
    }

    /// Returns how many runs failed.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.failed
    }

    /// Returns the failing runs, the smallest first; of very many only the smallest are kept.
    pub fn failures(&self) -> &[Trace] {
        &self.failures
    }

    /// Returns the rules that runs violated, in order, each with the number of these runs. Advisory findings are not among
    /// them.
    #[must_use]
    pub fn violated_rules(&self) -> &[(Rule, usize)] {
        &self.rules
    }

    /// Returns the line of code that makes the smallest failing run again; none where nothing failed, or where it came out
    /// differently the second time.
    #[must_use]
    pub fn reproduction(&self) -> Option<&str> {
        match self.again {
            Again::Same => self.line.as_deref(),
            _ => None,
        }
    }

    /// Returns `true` if no run failed and enough was explored, as [`assert_conformant`](Self::assert_conformant) requires it.
    #[must_use]
    pub fn is_conformant(&self) -> bool {
        self.failed == 0 && self.reach.is_enough()
    }

    /// Panics unless every run was conformant and the exploration reached enough to prove something.
    ///
    /// # Panics
    ///
    /// Panics if
    /// - a run failed, with the smallest failing run
    /// - nothing was explored: the first run made no report (a handler without items, or whose directory is not there), or
    ///   the sample has no point
    /// - fewer than nine in ten points of an item, or of the log entries, connections or dialogs, were reached
    /// - a setting of the harness names an item that the first run did not list
    #[track_caller]
    pub fn assert_conformant(&self) {
        assert!(self.is_conformant(), "{self}");
    }
}

impl fmt::Display for Exploration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} of {} explored in {}",
            self.explored(),
            counted(self.points, "point", "points"),
            counted(self.runs, "run", "runs"),
        )?;
        if let Some(seed) = self.seed {
            write!(f, " (a sample, seed {seed})")?;
        }
        if self.reached() < self.explored() {
            write!(f, ", {} reached", self.reached())?;
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
        if self.explored() == 0 && self.failed == 0 {
            return writeln!(
                f,
                ": nothing was explored, because a sample of no point was asked for; set max_runs to 2 or more"
            );
        }
        if self.failed == 0 {
            let but = match self.reach.is_enough() {
                true => "",
                false => ", but not enough was reached",
            };
            writeln!(f, ": none failed{but}")?;
            return self.reach.fmt(f);
        }
        write!(f, ": {} failed", self.failed)?;
        let cause = |cause: &Cause| format!("{} in {}", cause.name, cause.runs);
        let causes: Vec<String> = self.causes.iter().map(cause).collect();
        writeln!(f, " ({})", causes.join(", "))?;
        self.reach.fmt(f)?;
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
