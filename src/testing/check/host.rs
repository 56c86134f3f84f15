//! The rules of the host: M01 to M10.

use std::collections::{HashMap, HashSet};

use super::checker::{Check, number};
use crate::testing::answer::Answer;
use crate::testing::call::{Action, Call};
use crate::testing::rule::Rule;
use crate::{Dialog, ErrorId, HResult, ItemId, ItemStatus, SyncEvent, Verdict};

pub(super) fn check(check: &mut Check<'_>) {
    if check.has_host {
        rounds(check);
        callbacks(check);
        skips(check);
        shown(check);
        cookies(check);
        connections(check);
    }
    turns(check);
    cancels(check);
}

/// M01 and M02: what begins when.
fn rounds(check: &mut Check<'_>) {
    let mut prepare: Option<usize> = None;
    // The completions of the prepare, with their results.
    let mut completions: Vec<(usize, HResult)> = Vec::new();
    let mut synchronized: Option<usize> = None;
    for (at, call) in check.judged() {
        match &call.action {
            Action::PrepareForSync { items } => {
                prepare = Some(at);
                completions.clear();
                synchronized = None;
                if items.is_empty() {
                    let message = format!("{} prepares no items", number(at));
                    check.breach(Rule::NothingWithoutSelection, at, Vec::new(), None, message);
                }
            }
            Action::PrepareForSyncCompleted { result } => completions.push((at, *result)),
            Action::Synchronize => {
                let mut related_calls: Vec<usize> = prepare.into_iter().collect();
                let mut fault = None;
                if let Some(first) = synchronized {
                    related_calls.push(first);
                    fault = Some(format!("again; {} did in this round", number(first)));
                } else if !completions
                    .iter()
                    .any(|(_, result)| *result == HResult::S_OK)
                {
                    fault = Some(match completions.last() {
                        Some((completion, result)) => {
                            related_calls.push(*completion);
                            format!(
                                "although {} had completed the prepare with {result}",
                                number(*completion)
                            )
                        }
                        None => "although the prepare was not completed".to_owned(),
                    });
                }
                if let Some(fault) = fault {
                    let message = format!("{} synchronizes {fault}", number(at));
                    check.breach(
                        Rule::SynchronizeAfterPrepare,
                        at,
                        related_calls,
                        None,
                        message,
                    );
                }
                synchronized = Some(at);
            }
            _ => {}
        }
    }
}

/// M03: the callback is there while it is needed, and gone in the end.
fn callbacks(check: &mut Check<'_>) {
    let mut set: Option<usize> = None;
    for (at, call) in check.judged() {
        match &call.action {
            Action::SetProgressCallback { set: now } => set = now.map(|_| at),
            Action::PrepareForSync { .. } | Action::ShowProperties { .. } if set.is_none() => {
                let message = format!(
                    "{} ({}) comes while no callback is set",
                    call.action.name(),
                    number(at)
                );
                check.breach(Rule::CallbackAroundUse, at, Vec::new(), None, message);
            }
            Action::HandlerDropped => {
                if let Some(set) = set {
                    let message = format!(
                        "the handler is let go, and the callback that {} had set was not taken away",
                        number(set)
                    );
                    check.breach(Rule::CallbackAroundUse, at, vec![set], None, message);
                }
            }
            _ => {}
        }
    }
}

/// M04: skips are told in their windows.
fn skips(check: &mut Check<'_>) {
    // The call that opened the window, until the host's next step.
    let mut step: Option<usize> = None;
    for (at, call) in check.judged() {
        match &call.action {
            Action::PrepareForSync { .. } | Action::Synchronize => step = Some(at),
            Action::SetItemStatus { item, status } => {
                let opened = step.and_then(|step| check.calls.get(step).map(|call| (step, call)));
                let name = check.labels.item(*item);
                let fault = match opened {
                    _ if *status != ItemStatus::Skipped => {
                        format!("sets the status {status}; only Skipped is used")
                    }
                    None => "comes while no prepare and no synchronize is in hand".to_owned(),
                    Some((step, opened)) if !opened.is_before(call) => {
                        format!("comes before {} has returned", number(step))
                    }
                    Some((step, opened)) if opened.answer.hresult() != Some(HResult::S_OK) => {
                        format!("comes after {} has failed", number(step))
                    }
                    Some(_) => continue,
                };
                let message = format!("{} for {name} {fault}", number(at));
                check.breach(
                    Rule::SkipInItsWindows,
                    at,
                    step.into_iter().collect(),
                    Some(*item),
                    message,
                );
            }
            // The host has acted on what ended the window, so it knew.
            Action::ShowError { .. } | Action::SetProgressCallback { .. } => step = None,
            _ => {}
        }
    }
}

/// M05: only what the handler offered is shown.
fn shown(check: &mut Check<'_>) {
    let mut offered: HashSet<ErrorId> = HashSet::new();
    for (at, call) in check.judged() {
        match &call.action {
            Action::LogError { record } if record.can_be_shown() => offered.extend(record.error_id),
            Action::ShowError { error } if !offered.contains(error) => {
                let message = format!(
                    "{} shows {}, and no entry with jump text has that id",
                    number(at),
                    check.labels.error_name(*error)
                );
                check.breach(
                    Rule::ShowErrorOnlyForJumpText,
                    at,
                    Vec::new(),
                    None,
                    message,
                );
            }
            _ => {}
        }
    }
}

/// M06: cookies come with invocations.
fn cookies(check: &mut Check<'_>) {
    for (at, call) in check.judged() {
        if let Action::Initialize {
            flags,
            cookie: Some(_),
        } = &call.action
        {
            if flags.event() != SyncEvent::Invoke {
                let message = format!(
                    "{} passes a cookie, and the event is {}",
                    number(at),
                    flags.event()
                );
                check.breach(Rule::CookieOnlyWithInvoke, at, Vec::new(), None, message);
            }
        }
    }
}

/// M08: connections stay open while the handler works.
fn connections(check: &mut Check<'_>) {
    // What is in hand, until its completion begins: one that has not returned may have been acted on.
    let mut working: Option<usize> = None;
    for (at, call) in check.judged() {
        match &call.action {
            Action::PrepareForSync { .. } | Action::Synchronize => working = Some(at),
            Action::PrepareForSyncCompleted {
                result: HResult::S_OK,
            } => {}
            // The host does not wait any longer.
            Action::GaveUp | Action::CallbackReleased => working = None,
            Action::PrepareForSyncCompleted { .. } | Action::SynchronizeCompleted { .. } => {
                working = None;
            }
            Action::ConnectionClosed { name } => {
                let in_hand = |step: &usize| {
                    let step = check.calls.get(*step);
                    step.is_some_and(|step| {
                        !step.has_returned() || step.answer.hresult() == Some(HResult::S_OK)
                    })
                };
                if let Some(step) = working.filter(in_hand) {
                    let name = name.as_deref().map_or_else(
                        || "the default connection".to_owned(),
                        |name| format!("the connection {name:?}"),
                    );
                    let message = format!(
                        "{} closes {name} while {} is not completed",
                        number(at),
                        number(step)
                    );
                    check.breach(
                        Rule::ConnectionsOutliveHandlers,
                        at,
                        vec![step],
                        None,
                        message,
                    );
                }
            }
            _ => {}
        }
    }
}

/// M09: one turn at a time.
fn turns(check: &mut Check<'_>) {
    let mut held: Option<(usize, &Call)> = None;
    for (at, call) in check.judged() {
        match call.action {
            Action::EnableModeless { enable: true }
                if call.answer == Answer::Dialog(Dialog::Granted) =>
            {
                match held {
                    Some((turn, granted)) if granted.is_before(call) => {
                        let message = format!(
                            "{} is granted a dialog while the turn of {} is not given back",
                            number(at),
                            number(turn)
                        );
                        check.breach(Rule::OneDialogAtATime, at, vec![turn], None, message);
                    }
                    _ => held = Some((at, call)),
                }
            }
            // What ends the work gives the turn back too.
            Action::EnableModeless { enable: false }
            | Action::PrepareForSyncCompleted { .. }
            | Action::SynchronizeCompleted { .. }
            | Action::ShowErrorCompleted { .. }
            | Action::ShowPropertiesCompleted { .. }
            | Action::SetProgressCallback { .. } => held = None,
            _ => {}
        }
    }
}

/// What is known of an item's cancel in the current round: the call that tells it, and when that had returned.
type CancelCall = (usize, u64);

/// M10: a cancel that has returned is seen by every later report.
fn cancels(check: &mut Check<'_>) {
    let mut everything: Option<CancelCall> = None;
    let mut items: HashMap<ItemId, CancelCall> = HashMap::new();
    // Items with a final status: a cancel of theirs changes nothing.
    let mut finished: HashSet<ItemId> = HashSet::new();
    let mut is_retry = false;
    let sooner = |known: Option<CancelCall>, new: CancelCall| match known {
        Some(known) if known.1 <= new.1 => known,
        _ => new,
    };
    for (at, call) in check.judged() {
        let ended = call.ended.map(|ended| (at, ended));
        match &call.action {
            Action::PrepareForSync { items: named } => {
                // Only a retry takes a cancel back; one that was made before the first round holds.
                for item in named.iter().filter(|_| is_retry) {
                    items.remove(item);
                    finished.remove(item);
                }
                is_retry = true;
            }
            Action::CancelAll => {
                if let Some(ended) = ended {
                    everything = Some(sooner(everything, ended));
                }
            }
            Action::CancelItem { item } | Action::SkipItem { item } if call.answer.is_taken() => {
                if let Some(ended) = ended.filter(|_| !finished.contains(item)) {
                    let known = items.get(item).copied();
                    items.insert(*item, sooner(known, ended));
                }
            }
            action => {
                let Some(item) = action.reported() else {
                    continue;
                };
                let before = |known: Option<&CancelCall>| {
                    known.copied().filter(|(_, ended)| *ended < call.begun)
                };
                match call.answer.verdict() {
                    Some(Verdict::Continue) => {
                        let cancel = before(items.get(&item)).or(before(everything.as_ref()));
                        let is_finished = finished.contains(&item);
                        if let Some((cancel, _)) = cancel.filter(|_| !is_finished) {
                            let message = format!(
                                "{} of {} is answered Continue after the cancel of {}",
                                number(at),
                                check.labels.item(item),
                                number(cancel)
                            );
                            check.breach(Rule::CancelIsSeen, at, vec![cancel], Some(item), message);
                        }
                    }
                    Some(_) => {
                        if let Some(ended) = ended {
                            let known = items.get(&item).copied();
                            items.insert(item, sooner(known, ended));
                        }
                    }
                    None => {}
                }
                if action.update().is_final() && call.answer.is_taken() {
                    finished.insert(item);
                }
            }
        }
    }
}
