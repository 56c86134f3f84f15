//! The points that the explorer visits: one act at one call, named so that it can be found again in another run.

use std::collections::{HashMap, HashSet};
use std::fmt;

use super::call::Action;
use super::data::Update;
use super::harness::Harness;
use super::plan::{Act, Which};
use super::trace::Trace;
use crate::ItemId;

/// A call of the host's that is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Log,
    Connection,
    Dialog,
}

/// One act at one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Point {
    /// At the k-th report of the item of this name.
    Report {
        item: String,
        report: usize,
        act: Act,
    },
    /// The item is skipped before anything is prepared.
    Skip { item: String },
    /// The item is skipped when `synchronize` is called.
    SkipInSynchronize { item: String },
    /// The k-th call of this kind is refused.
    Fault { fault: Fault, number: usize },
}

/// Which points are visited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kinds {
    Cancellations,
    Faults,
    Both,
}

impl Kinds {
    /// The code that runs the handler with this done to it.
    pub(super) fn line(self, point: Option<&Point>) -> String {
        // With settings of one's own it is that harness.
        let harness = match self {
            Self::Both => "harness",
            Self::Cancellations | Self::Faults => "Harness::new(handler)",
        };
        match point {
            Some(point) => format!("{harness}.{point}.run()"),
            None => format!("{harness}.run()"),
        }
    }
}

/// What a report said, as far as another run should say the same: the text may tell of the time or of a temporary name.
type Said = (Option<crate::ItemStatus>, Option<u64>, Option<u64>);

fn said(update: &Update) -> Said {
    (update.status, update.value, update.max)
}

/// What the first run told: the reports of each item by name, in the order of the items' first reports.
pub(super) struct Learned {
    order: Vec<String>,
    reports: HashMap<String, Vec<Said>>,
    /// The items of the prepares: those that can be skipped before they are begun.
    prepared: Vec<String>,
    logged: usize,
    connected: usize,
    asked: usize,
}

impl Learned {
    pub(super) fn of(trace: &Trace) -> Self {
        let mut learned = Self {
            order: Vec::new(),
            reports: HashMap::new(),
            prepared: Vec::new(),
            logged: 0,
            connected: 0,
            asked: 0,
        };
        let mut prepared: Vec<ItemId> = Vec::new();
        let mut seen = HashSet::new();
        for call in trace.calls() {
            match &call.action {
                Action::PrepareForSync { items } => prepared.extend(items),
                Action::LogError { .. } => learned.logged += 1,
                Action::EstablishConnection { .. } => learned.connected += 1,
                Action::EnableModeless { enable: true } => learned.asked += 1,
                _ => {}
            }
            // An item without a name cannot be found again.
            let item = call.action.reported();
            let Some(name) = item.and_then(|item| trace.names().plain(item)) else {
                continue;
            };
            let reports = learned.reports.entry(name.to_owned()).or_default();
            if reports.is_empty() {
                learned.order.push(name.to_owned());
            }
            reports.push(said(&call.action.update()));
        }
        for item in prepared.into_iter().filter(|item| seen.insert(*item)) {
            if let Some(name) = trace.names().plain(item) {
                learned.prepared.push(name.to_owned());
            }
        }
        learned
    }

    /// Every point that the first run tells of.
    pub(super) fn points(&self, kinds: Kinds) -> Vec<Point> {
        let mut points = Vec::new();
        let cancels = kinds != Kinds::Faults;
        let faults = kinds != Kinds::Cancellations;
        if cancels {
            for item in &self.prepared {
                points.push(Point::Skip { item: item.clone() });
                points.push(Point::SkipInSynchronize { item: item.clone() });
            }
        }
        for (place, item) in self.order.iter().enumerate() {
            let reports = self.reports.get(item).map_or(0, Vec::len);
            for report in 1..=reports {
                let mut at = |act| {
                    points.push(Point::Report {
                        item: item.clone(),
                        report,
                        act,
                    });
                };
                if cancels {
                    at(Act::CancelItem);
                    at(Act::CancelAll);
                    at(Act::Skip);
                    if report == 1 && place + 1 < self.order.len() {
                        at(Act::SkipNext);
                    }
                }
                if faults {
                    at(Act::Release);
                }
            }
        }
        if faults {
            let mut refused = |fault, count| {
                points.extend((1..=count).map(|number| Point::Fault { fault, number }));
            };
            refused(Fault::Log, self.logged);
            refused(Fault::Connection, self.connected);
            refused(Fault::Dialog, self.asked);
        }
        points
    }

    /// Whether a run differs from the first one before the point: the point was not reached, or the item had other reports
    /// up to there.
    pub(super) fn diverges(&self, point: &Point, trace: &Trace) -> bool {
        let other = Self::of(trace);
        match point {
            Point::Report { item, report, .. } => {
                let upto = |learned: &Self| {
                    let reports = learned.reports.get(item)?;
                    reports.get(..*report).map(<[Said]>::to_vec)
                };
                upto(&other) != upto(self)
            }
            Point::Skip { .. } | Point::SkipInSynchronize { .. } => false,
            Point::Fault { fault, number } => {
                *number
                    > match fault {
                        Fault::Log => other.logged,
                        Fault::Connection => other.connected,
                        Fault::Dialog => other.asked,
                    }
            }
        }
    }
}

impl Point {
    pub(super) fn arm(&self, harness: Harness) -> Harness {
        match self {
            Self::Report { item, report, act } => {
                harness.at_report(Which::Name(item.clone()), *report, act.clone())
            }
            Self::Skip { item } => harness.skip(item.as_str()),
            Self::SkipInSynchronize { item } => harness.skip_in_synchronize(item.as_str()),
            Self::Fault { fault, number } => harness.refuse_at(*fault, *number),
        }
    }
}

impl fmt::Display for Point {
    /// The call on the harness that makes the same happen.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Report { item, report, act } => {
                let method = match act {
                    Act::CancelItem => "cancel_item_at_report",
                    Act::CancelAll => "cancel_all_at_report",
                    Act::Skip | Act::SkipThis(_) => "skip_at_report",
                    Act::SkipNext => "skip_next_at_report",
                    Act::Release => "release_at_report",
                };
                write!(f, "{method}({item:?}, {report})")
            }
            Self::Skip { item } => write!(f, "skip({item:?})"),
            Self::SkipInSynchronize { item } => write!(f, "skip_in_synchronize({item:?})"),
            Self::Fault { fault, number } => {
                let method = match fault {
                    Fault::Log => "full_log_at",
                    Fault::Connection => "refuse_connection_at",
                    Fault::Dialog => "deny_dialog_at",
                };
                write!(f, "{method}({number})")
            }
        }
    }
}
