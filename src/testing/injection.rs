//! The injection points of an exploration.

use std::collections::{HashMap, HashSet};

use super::answer::Answer;
use super::call::Action;
use super::intervention::Intervention;
use super::item_ref::ItemRef;
use super::trace::Trace;
use crate::{ItemId, ProgressUpdate};

/// A kind of call that the host refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FaultPoint {
    Log,
    Connection,
    Dialog,
}

/// The points that an exploration visits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kinds {
    Cancellations,
    Faults,
    Both,
}

/// The values of a report that are the same in each run. The text may contain a time or a temporary
/// name, so it is left out.
type ReportedValues = (Option<crate::ItemStatus>, Option<u64>, Option<u64>);

fn reported_values(update: &ProgressUpdate<'_>) -> ReportedValues {
    (update.status, update.value, update.max)
}

/// The calls of the first run. Items are in the order of their first reports.
pub(super) struct Baseline {
    by_position: bool,
    order: Vec<ItemRef>,
    reports: HashMap<ItemRef, Vec<ReportedValues>>,
    /// The items at whose first report another item of the round had none.
    have_next: HashSet<ItemRef>,
    /// The items of the prepares that were listed before the first one: those that can be skipped before they are begun.
    prepared: Vec<ItemRef>,
    /// The items of the prepares that were listed later.
    added: Vec<ItemRef>,
    /// The items of the retries, with the number of the prepare.
    retried: Vec<(ItemRef, usize)>,
    log_entries: usize,
    connections: usize,
    dialogs: usize,
}

impl Baseline {
    pub(super) fn of(trace: &Trace, by_position: bool) -> Self {
        let mut baseline = Self {
            by_position,
            order: Vec::new(),
            reports: HashMap::new(),
            have_next: HashSet::new(),
            prepared: Vec::new(),
            added: Vec::new(),
            retried: Vec::new(),
            log_entries: 0,
            connections: 0,
            dialogs: 0,
        };
        let labels = trace.labels();
        // An item without a name cannot be found again.
        let found: HashMap<ItemId, ItemRef> = match by_position {
            true => (1..)
                .zip(labels.in_order())
                .map(|(position, id)| (id, ItemRef::Position(position)))
                .collect(),
            false => labels
                .in_order()
                .filter_map(|id| Some((id, labels.plain(id)?.into())))
                .collect(),
        };
        let mut listed: Option<HashSet<ItemId>> = None;
        // The items of the round that had no report yet, and all that had one.
        let mut waiting: HashSet<ItemId> = HashSet::new();
        let mut reported: HashSet<ItemId> = HashSet::new();
        let mut prepares = 0;
        let mut prepared: HashSet<ItemId> = HashSet::new();
        for call in trace.calls() {
            if let (Answer::List { items, .. }, None) = (&call.answer, &listed) {
                listed = Some(items.iter().map(|item| item.id).collect());
            }
            match &call.action {
                Action::PrepareForSync { items } => {
                    prepares += 1;
                    let items_left = items.iter().filter(|id| !reported.contains(id));
                    waiting = items_left.copied().collect();
                    for id in items {
                        let Some(item) = found.get(id) else {
                            continue;
                        };
                        if prepares > 1 {
                            baseline.retried.push((item.clone(), prepares));
                        }
                        if !prepared.insert(*id) {
                            continue;
                        }
                        let is_listed = listed.as_ref().is_some_and(|listed| listed.contains(id));
                        let list = match is_listed {
                            true => &mut baseline.prepared,
                            false => &mut baseline.added,
                        };
                        list.push(item.clone());
                    }
                }
                Action::LogError { .. } => baseline.log_entries += 1,
                Action::EstablishConnection { .. } => baseline.connections += 1,
                Action::EnableModeless { enable: true } => baseline.dialogs += 1,
                _ => {}
            }
            let Some(id) = call.action.reported() else {
                continue;
            };
            reported.insert(id);
            waiting.remove(&id);
            let Some(item) = found.get(&id) else {
                continue;
            };
            let reports = baseline.reports.entry(item.clone()).or_default();
            if reports.is_empty() {
                baseline.order.push(item.clone());
                if !waiting.is_empty() {
                    baseline.have_next.insert(item.clone());
                }
            }
            reports.push(reported_values(&call.action.update()));
        }
        baseline
    }

    /// Returns every point of the first run.
    pub(super) fn points(&self, kinds: Kinds) -> Vec<Intervention> {
        let mut points = Vec::new();
        let cancels = kinds != Kinds::Faults;
        let faults = kinds != Kinds::Cancellations;
        if cancels {
            for item in &self.prepared {
                points.push(Intervention::SkipBeforePrepare(item.clone()));
                points.push(Intervention::SkipInSynchronize(item.clone()));
            }
            for item in &self.added {
                points.push(Intervention::SkipInSynchronize(item.clone()));
            }
            for (item, prepare) in &self.retried {
                let (item, prepare) = (item.clone(), *prepare);
                points.push(Intervention::SkipInPrepare { item, prepare });
            }
        }
        for key in &self.order {
            let reports = self.reports.get(key).map_or(0, Vec::len);
            for report in 1..=reports {
                let item = || key.clone();
                if cancels {
                    points.push(Intervention::CancelItem {
                        item: item(),
                        report,
                    });
                    points.push(Intervention::CancelAll {
                        item: item(),
                        report,
                    });
                    points.push(Intervention::Skip {
                        item: item(),
                        report,
                    });
                    if report == 1 && self.have_next.contains(key) {
                        points.push(Intervention::SkipNext {
                            item: item(),
                            report,
                        });
                    }
                }
                if faults {
                    points.push(Intervention::Release {
                        item: item(),
                        report,
                    });
                }
            }
        }
        if faults {
            points.extend((1..=self.log_entries).map(Intervention::FillLog));
            let connections = 1..=self.connections;
            points.extend(connections.map(Intervention::RefuseConnection));
            points.extend((1..=self.dialogs).map(Intervention::DenyDialog));
        }
        points
    }

    /// Whether the item of the point had other reports than in the first run before the point.
    pub(super) fn differs(&self, point: &Intervention, trace: &Trace) -> bool {
        let (Some(item), Some(report)) = (point.item(), point.report()) else {
            return false;
        };
        let other = Self::of(trace, self.by_position);
        let upto = |baseline: &Self| {
            let reports = baseline.reports.get(item)?;
            reports.get(..report).map(<[ReportedValues]>::to_vec)
        };
        upto(&other) != upto(self)
    }
}
