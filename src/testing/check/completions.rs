//! The rules of the calls that are completed by another call: H05 to H10.

use std::collections::HashMap;
use std::fmt::Write as _;

use super::{Check, number};
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
}

const PAIRS: [Pair; 4] = [
    Pair {
        starts: |action| matches!(action, Action::PrepareForSync { .. }),
        completes: |action| matches!(action, Action::PrepareForSyncCompleted { .. }),
        completion: "prepare_for_sync_completed",
        is_due: |code| matches!(code, HResult::S_OK),
        due: Rule::PrepareCompletedOnce,
        never: Rule::NoPrepareCompletedAfterRefusal,
    },
    Pair {
        starts: |action| matches!(action, Action::Synchronize),
        completes: |action| matches!(action, Action::SynchronizeCompleted { .. }),
        completion: "synchronize_completed",
        is_due: |code| matches!(code, HResult::S_OK),
        due: Rule::SynchronizeCompletedOnce,
        never: Rule::NoSynchronizeCompletedAfterFailure,
    },
    Pair {
        starts: |action| matches!(action, Action::ShowError { .. }),
        completes: |action| matches!(action, Action::ShowErrorCompleted { .. }),
        completion: "show_error_completed",
        is_due: HResult::is_success,
        due: Rule::ShowErrorCompletedOnce,
        never: Rule::ShowErrorCompletedOnce,
    },
    Pair {
        starts: |action| matches!(action, Action::ShowProperties { .. }),
        completes: |action| matches!(action, Action::ShowPropertiesCompleted { .. }),
        completion: "show_properties_completed",
        is_due: HResult::is_success,
        due: Rule::ShowPropertiesCompletedOnce,
        never: Rule::ShowPropertiesCompletedOnce,
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
        let name = call.action.name();
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
                [first, more @ ..] => {
                    for again in more {
                        let message = format!(
                            "{} calls {} again; {} had completed {name} already",
                            number(*again),
                            self.completion,
                            number(*first)
                        );
                        check.breach(self.due, *again, vec![at, *first], None, message);
                    }
                }
            },
            // Not returned: one completion may be due, but never two.
            None if !call.has_returned() => {
                if let [first, again, ..] = completions {
                    let message = format!(
                        "{} calls {} again; {} had completed {name} already",
                        number(*again),
                        self.completion,
                        number(*first)
                    );
                    check.breach(self.due, *again, vec![at, *first], None, message);
                }
            }
            code => {
                for completion in completions {
                    let answer = match code {
                        Some(code) => format!("answered {code}"),
                        None => "panicked".to_owned(),
                    };
                    let message = format!(
                        "{} calls {}, and {name} ({}) {answer}: nothing is to be completed",
                        number(*completion),
                        self.completion,
                        number(at)
                    );
                    check.breach(self.never, *completion, vec![at], None, message);
                }
            }
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
                let told = last(|call| {
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
                let mut led_by: Vec<usize> = told.into_iter().chain(did).collect();
                for (item, last) in in_work(check.calls, at, gave_up) {
                    let item = check.names.item(item);
                    let _ = write!(
                        message,
                        "; {item} has no final status since {}",
                        number(last)
                    );
                    led_by.push(last);
                }
                led_by.sort_unstable();
                led_by.dedup();
                led_by.push(gave_up);
                check.breach(self.due, at, led_by, None, message);
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
        let (at, message) = if check.has_host {
            let message = format!(
                "{} calls {} before the host has called what it completes",
                number(*first),
                self.completion
            );
            (*first, message)
        } else if let Some(again) = more.first() {
            let message = format!("{} calls {} again", number(*again), self.completion);
            (*again, message)
        } else {
            check.undecided(
                self.due,
                "the trace does not have the host's calls, so what was due is not known",
            );
            return;
        };
        check.breach(self.due, at, Vec::new(), None, message);
    }
}
