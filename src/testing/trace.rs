//! The recorded calls of a run, and their judgement.

use std::fmt;

use super::call::{Action, Call};
use super::check::{Judgement, judge};
use super::intervention::Intervention;
use super::item_ref::ItemRef;
use super::labels::Labels;
use super::rule::Rule;
use super::violation::{Incident, Inconclusive, Violation};
use crate::{ItemId, ItemStatus};

/// What passed between a host and a handler, in order, judged by the rules of the contract.
///
/// Made by a [`Harness`](super::Harness) or a [`Recorder`](super::Recorder). Its `Display` is a timeline for people, with the
/// breaches under it. Items are called by their names there and errors by numbers, so that the text of a handler that works
/// on the host's thread is the same in each run, also where ids are random: good for snapshot tests. What a handler does on
/// threads of its own falls between the host's calls as chance has it; it is the same from run to run item by item:
/// [`item`](Self::item).
///
/// ```
/// # use std::sync::Arc;
/// # use syncmgr::testing::mock::{Script, Step};
/// # use syncmgr::testing::Harness;
/// # use syncmgr::{ItemId, ItemStatus};
/// # let photos = ItemId::from_u128(1);
/// # let script = Script::new().item(photos, "photos").synchronize([
/// #     Step::report(photos).status(ItemStatus::Updating),
/// #     Step::report(photos).status(ItemStatus::Succeeded),
/// # ]);
/// let trace = Harness::new(script.handler()).run();
/// println!("{trace}");
/// trace.assert_conformant();
/// ```
#[derive(Clone)]
#[must_use = "a trace says nothing until it is asked"]
pub struct Trace {
    calls: Vec<Call>,
    labels: Labels,
    judgement: Judgement,
    /// What was done to the handler on purpose, in words.
    about: Option<String>,
    unreached: Vec<String>,
    /// The items that settings of the harness name and that were never listed or added.
    pub(super) unlisted: Vec<ItemRef>,
    intervention: Option<Intervention>,
}

impl Trace {
    /// Judges calls, which are put into the order in which they began: a trace of one's own making.
    pub fn from_calls(mut calls: Vec<Call>) -> Self {
        calls.sort_by_key(|call| call.begun);
        let labels = Labels::of(&calls);
        let judgement = judge(&calls, &labels);
        Self {
            calls,
            labels,
            judgement,
            about: None,
            unreached: Vec::new(),
            unlisted: Vec::new(),
            intervention: None,
        }
    }

    pub(super) fn about(mut self, about: Option<String>) -> Self {
        self.about = about;
        self
    }

    pub(super) fn set_unreached(mut self, unreached: Vec<String>, unlisted: Vec<ItemRef>) -> Self {
        self.unreached = unreached;
        self.unlisted = unlisted;
        self
    }

    pub(super) fn set_intervention(&mut self, intervention: Option<Intervention>) {
        self.intervention = intervention;
    }

    pub(super) fn add_incident(&mut self, incident: Incident) {
        self.judgement.incidents.push(incident);
    }

    /// Every call of both sides, in the order in which they began.
    #[must_use]
    pub fn calls(&self) -> &[Call] {
        &self.calls
    }

    /// Returns all findings in the order of the calls at fault: the breaches and the advisory
    /// findings. [`faults`](Self::faults) and [`advisories`](Self::advisories) return them
    /// separately.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        &self.judgement.violations
    }

    /// Returns the breaches ([`Severity::Must`](super::Severity::Must)) in the order of the calls
    /// at fault. A trace that has one is not [conformant](Self::is_conformant).
    pub fn faults(&self) -> impl Iterator<Item = &Violation> {
        self.violations().iter().filter(|found| found.is_fault())
    }

    /// Returns the advisory findings ([`Severity::Should`](super::Severity::Should)) in the order
    /// of the calls at fault. They do not fail a test.
    pub fn advisories(&self) -> impl Iterator<Item = &Violation> {
        self.violations().iter().filter(|found| !found.is_fault())
    }

    /// The rules that the trace could not be judged by, and why. A rule that nothing in the trace touches is not among
    /// them, and neither is M07, which no trace of one run can tell of.
    #[must_use]
    pub fn undecided(&self) -> &[Inconclusive] {
        &self.judgement.undecided
    }

    /// What no rule speaks of and is wrong all the same: panics, and calls that did not return.
    #[must_use]
    pub fn incidents(&self) -> &[Incident] {
        &self.judgement.incidents
    }

    /// Whether no rule was broken, but for those that are only questions, and nothing else went wrong.
    #[must_use]
    pub fn is_conformant(&self) -> bool {
        self.judgement.incidents.is_empty() && self.faults().next().is_none()
    }

    /// Returns `true` if there is a finding of this rule, advisory ones included.
    #[must_use]
    pub fn breaks(&self, rule: Rule) -> bool {
        self.violations().iter().any(|found| found.rule == rule)
    }

    /// What the item is called, in the timeline and for the harness ([`ItemRef`](super::ItemRef)): its name, with a number where
    /// an earlier item has the same; `unknown item 1` for one that was never listed or added.
    #[must_use]
    pub fn name_of(&self, item: ItemId) -> String {
        match self.labels.plain(item) {
            Some(name) => name.to_owned(),
            None => self.labels.item(item),
        }
    }

    /// The last status of an item that the host took. The item may be named by its id or by its name.
    #[must_use]
    pub fn status(&self, item: impl Into<ItemRef>) -> Option<ItemStatus> {
        let item = item.into().find(&self.labels)?;
        self.calls.iter().rev().find_map(|call| match &call.action {
            Action::Progress { item: id, update } if *id == item && call.answer.is_taken() => {
                update.status
            }
            _ => None,
        })
    }

    /// Whether the callback was made to answer `Released`, by [`Intervention::Release`](super::Intervention::Release) or by
    /// the explorer. Nothing more is due of the handler then, and final statuses that it reports are refused.
    #[must_use]
    pub fn was_released(&self) -> bool {
        let mut calls = self.calls.iter();
        calls.any(|call| call.action == Action::CallbackReleased)
    }

    /// Returns what an exploration did to the handler in this run. Returns `None` for the first run of an exploration, which
    /// leaves the handler alone, and for traces from elsewhere.
    #[must_use]
    pub fn intervention(&self) -> Option<&Intervention> {
        self.intervention.as_ref()
    }

    /// The settings of the harness that did not come about, in words: a report that was never made, an item that was never
    /// there. A test that relies on one asserts that this is empty.
    #[must_use]
    pub fn unmet_conditions(&self) -> &[String] {
        &self.unreached
    }

    pub(super) fn labels(&self) -> &Labels {
        &self.labels
    }

    pub(super) fn what_was_done(&self) -> Option<&str> {
        self.about.as_deref()
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trace")
            .field("calls", &self.calls.len())
            .field("violations", &self.judgement.violations)
            .field("incidents", &self.judgement.incidents)
            .finish_non_exhaustive()
    }
}
