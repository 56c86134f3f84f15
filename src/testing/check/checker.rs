//! The state of the checker: the calls, and the findings so far.

use std::collections::HashMap;

use crate::testing::answer::Answer;
use crate::testing::call::{Action, Call, Side};
use crate::testing::labels::Labels;
use crate::testing::rule::{Rule, Severity};
use crate::testing::violation::{Incident, Inconclusive, Violation};
use crate::{ItemId, SyncFlags};

/// The findings of the checker for a trace.
#[derive(Clone, Debug, Default)]
pub(in crate::testing) struct Judgement {
    pub(in crate::testing) violations: Vec<Violation>,
    pub(in crate::testing) undecided: Vec<Inconclusive>,
    pub(in crate::testing) incidents: Vec<Incident>,
}

/// The calls, what is known of them as a whole, and what was found.
pub(super) struct Check<'a> {
    pub(super) calls: &'a [Call],
    pub(super) labels: &'a Labels,
    /// Calls on a callback that was taken away: no other rule judges them.
    pub(super) late: Vec<bool>,
    /// Where `initialize` is in the trace, and its flags.
    pub(super) flags: Option<(usize, SyncFlags)>,
    /// The host makes calls in this trace: a handler was watched, and not just a callback.
    pub(super) has_host: bool,
    /// The callback was taken away, or the handler let go.
    pub(super) is_over: bool,
    /// Where the host gave up waiting.
    pub(super) gave_up: Option<usize>,
    /// Where the callback began to answer `Released`: nothing is due from there on.
    pub(super) released: Option<u64>,
    judgement: Judgement,
    /// Where the findings are in the judgement. The severity is part of the key: an advisory
    /// finding must not swallow a later breach.
    seen: HashMap<(Rule, Severity, Option<ItemId>, Option<u32>), usize>,
}

impl<'a> Check<'a> {
    pub(super) fn new(calls: &'a [Call], labels: &'a Labels) -> Self {
        let find = |wanted: fn(&Action) -> bool| calls.iter().position(|call| wanted(&call.action));
        Self {
            calls,
            labels,
            late: vec![false; calls.len()],
            flags: calls
                .iter()
                .enumerate()
                .find_map(|(at, call)| match call.action {
                    Action::Initialize { flags, .. } => Some((at, flags)),
                    _ => None,
                }),
            has_host: calls.iter().any(|call| call.action.side() == Side::Host),
            is_over: calls.iter().any(|call| {
                matches!(
                    call.action,
                    Action::SetProgressCallback { set: None } | Action::HandlerDropped
                ) && call.has_returned()
            }),
            gave_up: find(|action| matches!(action, Action::GaveUp)),
            released: find(|action| matches!(action, Action::CallbackReleased))
                .and_then(|at| calls.get(at))
                .map(|call| call.begun),
            judgement: Judgement::default(),
            seen: HashMap::new(),
        }
    }

    /// The calls that are judged, with their places.
    pub(super) fn judged(&self) -> impl Iterator<Item = (usize, &'a Call)> + use<'a> {
        let late = self.late.clone();
        self.calls
            .iter()
            .enumerate()
            .filter(move |(at, _)| !late.get(*at).copied().unwrap_or(false))
    }

    pub(super) fn is_released_before(&self, call: &Call) -> bool {
        self.released.is_some_and(|begun| begun < call.begun)
    }

    pub(super) fn breach(
        &mut self,
        rule: Rule,
        at: usize,
        related_calls: Vec<usize>,
        item: Option<ItemId>,
        message: String,
    ) {
        self.weighed(rule, Severity::Must, at, related_calls, item, message);
    }

    /// Adds a finding, or counts it if there is one of the same rule and severity, for the same
    /// item and on the same callback.
    pub(super) fn weighed(
        &mut self,
        rule: Rule,
        severity: Severity,
        at: usize,
        related_calls: Vec<usize>,
        item: Option<ItemId>,
        message: String,
    ) {
        let callback = self.calls.get(at).and_then(|call| call.callback);
        let key = (rule, severity, item, callback);
        let violations = &mut self.judgement.violations;
        if let Some(known) = self
            .seen
            .get(&key)
            .and_then(|place| violations.get_mut(*place))
        {
            known.repeats += 1;
            return;
        }
        self.seen.insert(key, violations.len());
        violations.push(Violation {
            rule,
            severity,
            at,
            related_calls,
            item,
            repeats: 0,
            message,
        });
    }

    pub(super) fn undecided(&mut self, rule: Rule, why: impl Into<String>) {
        let undecided = &mut self.judgement.undecided;
        if !undecided.iter().any(|known| known.rule == rule) {
            undecided.push(Inconclusive {
                rule,
                why: why.into(),
            });
        }
    }

    pub(super) fn finish(mut self) -> Judgement {
        for (at, call) in self.calls.iter().enumerate() {
            if let Answer::Panicked(text) = &call.answer {
                self.judgement.incidents.push(Incident::Panicked {
                    at,
                    text: text.clone(),
                });
            }
            if self.gave_up.is_some() && call.action.side() == Side::Host && !call.has_returned() {
                self.judgement.incidents.push(Incident::DidNotReturn { at });
            }
        }
        self.judgement
            .violations
            .sort_by_key(|violation| (violation.at, violation.rule));
        self.judgement
            .undecided
            .sort_by_key(|undecided| undecided.rule);
        self.judgement
    }
}

/// How a call is referred to in messages: by its number in the timeline.
pub(super) fn number(at: usize) -> String {
    format!("call {}", at + 1)
}
