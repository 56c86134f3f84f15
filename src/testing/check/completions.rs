//! The rules of two-step calls and their completions: H05 to H10.

use std::collections::HashMap;
use std::fmt::Write as _;

use super::checker::{Check, number};
use crate::testing::answer::Answer;
use crate::testing::call::{Action, Call, Side};
use crate::testing::rule::Rule;
use crate::{HResult, ItemId};

/// A call of the host and its completion.
struct Pair {
    starts: fn(&Action) -> bool,
    completes: fn(&Action) -> bool,
    completion: &'static str,
    /// Whether a completion is due after this answer.
    is_due: fn(HResult) -> bool,
    /// Broken by a completion too many, or one that does not come.
    due: Rule,
    /// Broken by a completion after a call that asks for none.
    never: Rule,
    /// Whether every item has its final status by then.
    ends_items: bool,
}

const PAIRS: [Pair; 4] = [
    Pair {
        starts: |action| matches!(action, Action::PrepareForSync { .. }),
        completes: |action| matches!(action, Action::PrepareForSyncCompleted { .. }),
        completion: "prepare_for_sync_completed",
        is_due: |code| matches!(code, HResult::S_OK),
        due: Rule::PrepareCompletedOnce,
        never: Rule::NoPrepareCompletedAfterRefusal,
        ends_items: false,
    },
    Pair {
        starts: |action| matches!(action, Action::Synchronize),
        completes: |action| matches!(action, Action::SynchronizeCompleted { .. }),
        completion: "synchronize_completed",
        is_due: |code| matches!(code, HResult::S_OK),
        due: Rule::SynchronizeCompletedOnce,
        never: Rule::NoSynchronizeCompletedAfterFailure,
        ends_items: true,
    },
    Pair {
        starts: |action| matches!(action, Action::ShowError { .. }),
        completes: |action| matches!(action, Action::ShowErrorCompleted { .. }),
        completion: "show_error_completed",
        is_due: HResult::is_success,
        due: Rule::ShowErrorCompletedOnce,
        never: Rule::ShowErrorCompletedOnce,
        ends_items: false,
    },
    Pair {
        starts: |action| matches!(action, Action::ShowProperties { .. }),
        completes: |action| matches!(action, Action::ShowPropertiesCompleted { .. }),
        completion: "show_properties_completed",
        is_due: HResult::is_success,
        due: Rule::ShowPropertiesCompletedOnce,
        never: Rule::ShowPropertiesCompletedOnce,
        ends_items: false,
    },
];

/// Of how many items in work the last report is shown.
const IN_WORK_MOST: usize = 3;

/// The items that were reported between two calls, and not ended: each with its last report. Those that were silent longest come
/// first.
fn in_work(calls: &[Call], from: usize, to: usize) -> Vec<(ItemId, usize)> {
    let mut last: HashMap<ItemId, (usize, bool)> = HashMap::new();
    for (at, call) in calls.iter().enumerate().take(to).skip(from) {
        if let Some(item) = call.action.reported() {
            let entry = last.entry(item).or_default();
            let update = call.action.update();
            *entry = (at, entry.1 || update.is_final());
        }
    }
    let open = last.into_iter().filter(|(_, (_, ended))| !ended);
    let mut open: Vec<(ItemId, usize)> = open.map(|(item, (at, _))| (item, at)).collect();
    open.sort_unstable_by_key(|(_, at)| *at);
    open.truncate(IN_WORK_MOST);
    open
}

/// How the host's call was answered.
fn answered(at: usize, call: &Call) -> String {
    let name = call.action.name();
    match call.answer.hresult() {
        Some(code) => format!("{name} ({}) answered {code}", number(at)),
        None => format!("{name} ({}) panicked", number(at)),
    }
}

/// Why the completion at this place is not due, and the call that says so: it completes a call that
/// failed, or one that was completed already. For a late completion, which must not be made earlier
/// either.
pub(super) fn not_due(calls: &[Call], at: usize) -> Option<(usize, String)> {
    let late = calls.get(at)?;
    let pair = PAIRS.iter().find(|pair| (pair.completes)(&late.action))?;
    let before = calls.get(..at)?;
    let start = before
        .iter()
        .rposition(|call| (pair.starts)(&call.action))?;
    let call = calls.get(start)?;
    if call.has_returned() && !call.answer.hresult().is_some_and(pair.is_due) {
        return Some((
            start,
            format!("{}: nothing is to be completed", answered(start, call)),
        ));
    }
    let of_start = calls.get(start..at)?;
    let done = of_start
        .iter()
        .position(|call| (pair.completes)(&call.action))?
        + start;
    Some((
        done,
        format!(
            "{} had completed {} already",
            number(done),
            call.action.name()
        ),
    ))
}

pub(super) fn check(check: &mut Check<'_>) {
    for pair in &PAIRS {
        pair.check(check);
    }
}

impl Pair {
    fn check(&self, check: &mut Check<'_>) {
        let mut start: Option<(usize, &Call)> = None;
        let mut completions = Vec::new();
        for (at, call) in check.judged() {
            if (self.starts)(&call.action) {
                self.judge(check, start, &completions);
                start = Some((at, call));
                completions.clear();
            } else if (self.completes)(&call.action) {
                completions.push(at);
            }
        }
        self.judge(check, start, &completions);
    }

    /// Judges the completions between a call and the next of its kind.
    fn judge(&self, check: &mut Check<'_>, start: Option<(usize, &Call)>, completions: &[usize]) {
        let Some((at, call)) = start else {
            return self.stray(check, completions);
        };
        match call.answer.hresult() {
            Some(code) if (self.is_due)(code) => match completions {
                [] => self.missing(check, at, call),
                // The host had given up by then.
                [late]
                    if check
                        .gave_up
                        .is_some_and(|gave_up| (at..*late).contains(&gave_up)) =>
                {
                    self.missing(check, at, call);
                }
                [_] => {}
                _ => self.surplus(check, Some(at), completions),
            },
            // Not returned: one completion may be due, but never two.
            None if !call.has_returned() => self.surplus(check, Some(at), completions),
            _ => {
                for completion in completions {
                    let message = format!(
                        "{} calls {}, and {}: nothing is to be completed",
                        number(*completion),
                        self.completion,
                        answered(at, call)
                    );
                    check.breach(self.never, *completion, vec![at], None, message);
                }
            }
        }
    }

    /// The completions beyond the one that counts: the first, or of those that overlap the first
    /// the one that the host took.
    fn surplus(&self, check: &mut Check<'_>, start: Option<usize>, completions: &[usize]) {
        let calls = check.calls;
        let all = || {
            completions
                .iter()
                .filter_map(|at| Some((*at, calls.get(*at)?)))
        };
        let Some(first) = all().next() else {
            return;
        };
        let is_taken = |(at, call): &(usize, &Call)| {
            call.answer == Answer::Done && (*at == first.0 || !first.1.is_before(call))
        };
        let (counts, taken) = all().find(is_taken).unwrap_or(first);
        let name = self.completion.trim_end_matches("_completed");
        for (again, call) in all().filter(|(at, _)| *at != counts) {
            let (calls, counted) = (
                format!("{} calls {}", number(again), self.completion),
                number(counts),
            );
            let message = if taken.is_before(call) {
                format!("{calls} again; {counted} had completed {name} already")
            } else {
                format!("{calls} too, while {counted} completes {name}")
            };
            let related_calls = start.into_iter().chain([counts]).collect();
            check.breach(self.due, again, related_calls, None, message);
        }
    }

    fn missing(&self, check: &mut Check<'_>, at: usize, call: &Call) {
        if check.released.is_some() {
            return; // a callback that is released takes no completion
        }
        let name = call.action.name();
        match check.gave_up {
            Some(gave_up) if gave_up > at => {
                // Where one looks first: what the handler did last, and what it was told.
                let before = check.calls.iter().enumerate().take(gave_up).skip(at);
                let last = |wanted: fn(&Call) -> bool| {
                    let mut before = before.clone().rev();
                    before.find(|(_, call)| wanted(call)).map(|(at, _)| at)
                };
                let did = last(|call| call.action.side() == Side::Handler);
                let interrupted = last(|call| {
                    matches!(
                        call.action,
                        Action::CancelItem { .. } | Action::CancelAll | Action::SkipItem { .. }
                    )
                });
                let silent = match did {
                    Some(did) => format!("its last call was {}", number(did)),
                    None => "it made no call".to_owned(),
                };
                let mut message = format!(
                    "{name} ({}) was answered by a success, and {} had not come when the host gave up waiting at {}; {silent}",
                    number(at),
                    self.completion,
                    number(gave_up)
                );
                let mut related_calls: Vec<usize> = interrupted.into_iter().chain(did).collect();
                let items = if self.ends_items {
                    in_work(check.calls, at, gave_up)
                } else {
                    Vec::new()
                };
                for (item, last) in items {
                    let item = check.labels.item(item);
                    let _ = write!(
                        message,
                        "; {item} has no final status since {}",
                        number(last)
                    );
                    related_calls.push(last);
                }
                related_calls.sort_unstable();
                related_calls.dedup();
                related_calls.push(gave_up);
                check.breach(self.due, at, related_calls, None, message);
            }
            _ => {
                let why = if check.is_over {
                    "did not come before the callback was taken away; whether the host waited long enough the trace does not tell"
                } else {
                    "has not come, and the trace ends before the handler's life does"
                };
                check.undecided(self.due, format!("{} {why}", self.completion));
            }
        }
    }

    /// Completions before any call that could be completed.
    fn stray(&self, check: &mut Check<'_>, completions: &[usize]) {
        let [first, more @ ..] = completions else {
            return;
        };
        // A callback alone, without its handler: what the host called is not known, but twice is once too often. An open
        // session is completed without a call before it.
        if check.has_host {
            let message = format!(
                "{} calls {} before the host has called what it completes",
                number(*first),
                self.completion
            );
            check.breach(self.due, *first, Vec::new(), None, message);
        } else if more.is_empty() {
            check.undecided(
                self.due,
                "the trace does not have the host's calls, so what was due is not known",
            );
        } else {
            self.surplus(check, None, completions);
        }
    }
}
