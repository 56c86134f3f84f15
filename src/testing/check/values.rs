//! The rule of values and maxima: H17.

use std::collections::HashMap;

use super::checker::{Check, number};
use crate::testing::call::{Action, Call};
use crate::testing::rule::{Rule, Severity};
use crate::{ItemId, ItemStatus};

/// What the reports of an item that were taken have set in the current round.
#[derive(Default)]
pub(super) struct Values {
    /// The value, and the report that set it; the maximum likewise.
    value: Option<(usize, u64)>,
    max: Option<(usize, u64)>,
    status: Option<ItemStatus>,
}

impl Values {
    /// Returns the value and the maximum if the value is short of it.
    pub(super) fn short(&self) -> Option<(u64, u64)> {
        let (_, max) = self.max?;
        let value = self.value.map_or(0, |(_, value)| value);
        (value < max).then_some((value, max))
    }

    /// Takes over what a report sets, and judges it.
    pub(super) fn report(
        &mut self,
        check: &mut Check<'_>,
        writers: &Writers,
        id: ItemId,
        at: usize,
        call: &Call,
    ) {
        let update = call.action.update();
        let was_marquee = self.status == Some(ItemStatus::UpdatingIndeterminate);
        if let Some(status) = update.status {
            self.status = Some(status);
        }
        if let Some(value) = update.value {
            self.value = Some((at, value));
        }
        if let Some(max) = update.max {
            self.max = Some((at, max));
        }
        let sets = update.value.is_some() || update.max.is_some();
        // The status that allowed the value ends, and work goes on.
        let ends = was_marquee && update.status.is_some_and(|status| !status.is_final());
        if !sets && !ends {
            return;
        }
        let (Some((value_set, value)), Some((max_set, max))) = (self.value, self.max) else {
            return;
        };
        let marquee = self.status == Some(ItemStatus::UpdatingIndeterminate);
        if max == 0 || value <= max || marquee || writers.overlap(check.calls, id, at, call) {
            return;
        }
        let does = if sets {
            "sets"
        } else {
            "ends the status updating_indeterminate, which leaves"
        };
        let message = format!(
            "{} {does} {} {} {value} of {max}; the value may not exceed the maximum",
            number(at),
            check.labels.item(id),
            if sets { "to" } else { "at" },
        );
        let mut related_calls: Vec<usize> = [value_set, max_set]
            .into_iter()
            .filter(|place| *place != at)
            .collect();
        related_calls.sort_unstable();
        related_calls.dedup();
        let severity = if sets {
            Severity::Must
        } else {
            Severity::Should
        };
        check.weighed(
            Rule::ValueWithinMaximum,
            severity,
            at,
            related_calls,
            Some(id),
            message,
        );
    }
}

/// For each item the reports that change its value, maximum or status.
pub(super) struct Writers(HashMap<ItemId, Vec<usize>>);

impl Writers {
    pub(super) fn of(calls: &[Call]) -> Self {
        let mut writers: HashMap<ItemId, Vec<usize>> = HashMap::new();
        for (at, call) in calls.iter().enumerate() {
            if let Action::Progress { item, update } = &call.action {
                if !update.only_asks() {
                    writers.entry(*item).or_default().push(at);
                }
            }
        }
        Self(writers)
    }

    /// Whether another report of the item overlaps this one, so that nobody knows which came first.
    fn overlap(&self, calls: &[Call], id: ItemId, at: usize, call: &Call) -> bool {
        let Some(writers) = self.0.get(&id) else {
            return false;
        };
        let here = writers.partition_point(|place| *place < at);
        let ended = call.ended.unwrap_or(u64::MAX);
        let during = |place: &usize| {
            calls.get(*place).is_some_and(|other| {
                other.begun < ended && other.ended.is_none_or(|ended| ended > call.begun)
            })
        };
        let later = writers.get(here + 1..).unwrap_or_default();
        // A report that began before this one may last as long as it likes, but a thread is in one at a time: as many calls
        // back as there are threads would do. A few more cost nothing.
        let earlier = writers
            .get(here.saturating_sub(64)..here)
            .unwrap_or_default();
        later.first().is_some_and(during) || earlier.iter().any(during)
    }
}
