//! The rules of work after a cancellation: H02 and H03.
//!
//! A thread learns of a cancellation by the answer to its own report. One further report of work
//! may be on its way by then, so it is an advisory finding. The next report of work is a breach.

use std::collections::HashMap;

use super::checker::{Check, number};
use super::values::Values;
use crate::testing::call::Call;
use crate::testing::rule::{Rule, Severity};
use crate::{ItemId, ItemStatus, Verdict};

/// The number of reports of work, by threads without an answer of their own, at which the handler
/// seems to have handed the work to new threads.
const UNINFORMED_MOST: usize = 3;

/// The answers `CancelAll` of a round, whatever the item.
#[derive(Default)]
pub(super) struct Cancels {
    /// For each thread: its first report that was answered so.
    threads: HashMap<u32, usize>,
    /// The same of reports that were not final: the answer to a final status often goes unread.
    of_work: HashMap<u32, usize>,
    /// The one that returned first, and when.
    first: Option<(usize, u64)>,
}

/// The answers by which threads learned that an item is cancelled.
#[derive(Default)]
pub(super) struct CancelNotice {
    threads: HashMap<u32, AnsweredReport>,
    /// How many reports of work there were by threads that had not learned it, after another thread
    /// had; and the first of them.
    uninformed: usize,
    first_uninformed: Vec<usize>,
    /// Work after the cancellation was found already.
    is_found: bool,
}

/// What one thread was answered for an item.
struct AnsweredReport {
    at: usize,
    verdict: Verdict,
    /// The report of another item by which the thread knew already that everything is cancelled.
    known: Option<usize>,
    /// The first report of work after the answer.
    further: Option<usize>,
}

impl Cancels {
    /// Keeps that a report was answered by a cancellation.
    pub(super) fn learn(
        &mut self,
        notice: &mut CancelNotice,
        at: usize,
        call: &Call,
        verdict: Verdict,
    ) {
        let known = self.of_work.get(&call.thread).copied();
        let answered = notice.threads.entry(call.thread).or_insert(AnsweredReport {
            at,
            verdict,
            known,
            further: None,
        });
        if answered.further.is_none() || answered.verdict != verdict {
            answered.at = at;
            answered.verdict = verdict;
        }
        if verdict != Verdict::CancelAll {
            return;
        }
        self.threads.entry(call.thread).or_insert(at);
        if !call.action.update().is_final() {
            self.of_work.entry(call.thread).or_insert(at);
        }
        if let Some(ended) = call.ended {
            if self.first.is_none_or(|(_, earlier)| ended < earlier) {
                self.first = Some((at, ended));
            }
        }
    }
}

/// The rule of work that goes on after this cancellation, and the cancellation's name.
fn stop_rule(cancel: Verdict) -> (Rule, &'static str) {
    match cancel {
        Verdict::CancelAll => (Rule::StopAllWhenCancelled, "CancelAll"),
        _ => (Rule::StopCancelledItem, "CancelItem"),
    }
}

/// Judges a report that neither only asks nor is final.
pub(super) fn work(
    check: &mut Check<'_>,
    cancels: &Cancels,
    notice: &mut CancelNotice,
    is_first: bool,
    id: ItemId,
    at: usize,
    call: &Call,
) {
    if let Some(answered) = notice.threads.get_mut(&call.thread) {
        notice.is_found = true;
        further(check, answered, id, at);
    } else if let Some(known) = cancels.threads.get(&call.thread) {
        // How the thread learns it for this item too. Only the start of an item says what it is
        // for.
        let status = call.action.update().status;
        let is_free = matches!(
            status,
            Some(ItemStatus::Updating | ItemStatus::UpdatingIndeterminate)
        );
        if is_first && !is_free {
            notice.is_found = true;
            let message = format!(
                "{} starts {} by a report of work although the same thread was answered CancelAll by {}; \
                 a first report that only asks, or has the status updating, is free",
                number(at),
                check.labels.item(id),
                number(*known)
            );
            let rule = Rule::StopAllWhenCancelled;
            check.weighed(rule, Severity::Should, at, vec![*known], Some(id), message);
        }
    } else if let Some((first, _)) = cancels.first.filter(|(_, ended)| *ended < call.begun) {
        notice.uninformed += 1;
        if notice.uninformed < UNINFORMED_MOST {
            notice.first_uninformed.push(at);
            return;
        }
        notice.is_found = true;
        let message = format!(
            "{} is report {} of work on {} since {} was answered CancelAll, each by a thread without \
             such an answer: is the work handed to new threads?",
            number(at),
            notice.uninformed,
            check.labels.item(id),
            number(first)
        );
        let mut related_calls = vec![first];
        related_calls.extend(&notice.first_uninformed);
        let rule = Rule::StopAllWhenCancelled;
        check.weighed(rule, Severity::Should, at, related_calls, Some(id), message);
    }
}

/// Judges a further report of work by a thread that was answered for this item.
fn further(check: &mut Check<'_>, answered: &mut AnsweredReport, id: ItemId, at: usize) {
    let (rule, verdict) = stop_rule(answered.verdict);
    let mut message = format!(
        "{} reports more work on {} although the same thread was answered {verdict} by {}",
        number(at),
        check.labels.item(id),
        number(answered.at)
    );
    let mut related_calls = vec![answered.at];
    let severity = match (answered.further, answered.known) {
        (Some(first), _) => {
            message.push_str(&format!(
                ", for the second time: {} was the first",
                number(first)
            ));
            related_calls.push(first);
            Severity::Must
        }
        (None, Some(known)) => {
            message.push_str(&format!(", and for another item by {}", number(known)));
            related_calls.insert(0, known);
            Severity::Must
        }
        (None, None) => {
            message.push_str("; one such report may be on its way, a second is a breach");
            Severity::Should
        }
    };
    related_calls.sort_unstable();
    related_calls.dedup();
    answered.further.get_or_insert(at);
    check.weighed(rule, severity, at, related_calls, Some(id), message);
}

/// Judges an item that succeeds after a cancellation, before its value has reached its maximum.
/// Whether the rest was done all the same does not show in a trace.
pub(super) fn succeeded(
    check: &mut Check<'_>,
    notice: &CancelNotice,
    values: &Values,
    id: ItemId,
    at: usize,
    call: &Call,
) {
    let Some((value, max)) = values.short().filter(|_| !notice.is_found) else {
        return;
    };
    let before = notice.threads.values().filter(|answered| {
        let answered = check.calls.get(answered.at);
        answered.is_some_and(|answered| answered.is_before(call))
    });
    // The earliest answer: where the work should have ended.
    let Some(answered) = before.min_by_key(|answered| answered.at) else {
        return;
    };
    let (rule, verdict) = stop_rule(answered.verdict);
    let message = format!(
        "{} ends {} as succeeded, with {value} of {max} reported, although {} was answered {verdict}: was the rest done all \
         the same?",
        number(at),
        check.labels.item(id),
        number(answered.at)
    );
    check.weighed(
        rule,
        Severity::Should,
        at,
        vec![answered.at],
        Some(id),
        message,
    );
}
