//! The other rules of the handler: H11 to H13, and H18 to H22.

use std::collections::{HashMap, HashSet};

use super::checker::{Check, number};
use super::completions;
use crate::testing::answer::Answer;
use crate::testing::call::{Action, Call};
use crate::testing::listed::Listed;
use crate::testing::rule::{Rule, Severity};
use crate::{
    Dialog, ErrorId, HResult, HandlerFlags, HandlerName, ItemFlags, ItemId, ItemName, Phase,
    SyncFlags,
};

/// H13: marks the calls on a callback that was taken away, which no other rule judges.
pub(super) fn late_calls(check: &mut Check<'_>) {
    // For each callback: the call that took it away, and when that had returned.
    let mut taken: HashMap<u32, (usize, u64)> = HashMap::new();
    let mut current = None;
    for (at, call) in check.calls.iter().enumerate() {
        let Action::SetProgressCallback { set } = call.action else {
            continue;
        };
        // One that fails to set a new callback leaves the old one; but none is left where it is taken away.
        if let (Some(old), Some(ended)) = (current, call.ended) {
            if set.is_none() || call.answer.hresult() == Some(HResult::S_OK) {
                taken.insert(old, (at, ended));
            }
        }
        if set.is_none() || call.answer.hresult() == Some(HResult::S_OK) {
            current = set;
        }
    }
    for (at, call) in check.calls.iter().enumerate() {
        let Some((taken, ended)) = call.callback.and_then(|callback| taken.get(&callback)) else {
            continue;
        };
        if *ended < call.begun {
            if let Some(late) = check.late.get_mut(at) {
                *late = true;
            }
            let mut message = format!(
                "{} calls {} on a callback that {} had taken away",
                number(at),
                call.action.name(),
                number(*taken)
            );
            let mut related_calls = vec![*taken];
            if let Some((before, why)) = completions::not_due(check.calls, at) {
                message.push_str(&format!("; it is not due earlier either: {why}"));
                related_calls.push(before);
                related_calls.sort_unstable();
            }
            check.breach(Rule::NoCallAfterRelease, at, related_calls, None, message);
        }
    }
}

pub(super) fn check(check: &mut Check<'_>) {
    dialogs(check);
    may_bother(check);
    lists(check);
    retries(check);
    objects(check);
    deletions(check);
    connections(check);
}

/// H11: each granted turn is given back once.
fn dialogs(check: &mut Check<'_>) {
    // The granted turns that are not given back; a host grants one at a time (M09).
    let mut held: Vec<(usize, &Call)> = Vec::new();
    // The calls that left the handler without a turn, and how.
    let mut without: Option<(Vec<usize>, String)> = None;
    // For each thread: its last request, if that was denied.
    let mut denied: HashMap<u32, usize> = HashMap::new();
    for (at, call) in check.judged() {
        match call.action {
            Action::EnableModeless { enable: true } => {
                if call.answer == Answer::Dialog(Dialog::Granted) {
                    held.push((at, call));
                    denied.remove(&call.thread);
                } else if call.has_returned() {
                    // Asking is allowed while a turn is held, by whichever thread.
                    denied.insert(call.thread, at);
                    if held.is_empty() {
                        without = Some((vec![at], format!("{} was denied it", number(at))));
                    }
                }
            }
            Action::EnableModeless { enable: false } if held.is_empty() => {
                let (related_calls, why) = without
                    .clone()
                    .unwrap_or_else(|| (Vec::new(), "none was asked for".to_owned()));
                let message = format!(
                    "{} calls enable_modeless(false) without a turn for a dialog to give back: {why}",
                    number(at)
                );
                check.breach(Rule::DialogTurns, at, related_calls, None, message);
            }
            Action::EnableModeless { enable: false } => {
                let own = held
                    .iter()
                    .position(|(_, granted)| granted.thread == call.thread);
                let (turn, granted) = held.remove(own.unwrap_or(0));
                let mut related_calls = vec![turn];
                let mut why = format!("{} gave back the turn of {}", number(at), number(turn));
                // Probably the call at fault: it gave back the turn of another thread after a
                // denial.
                let other = granted.thread != call.thread;
                let refusal = denied.get(&call.thread).filter(|at| other && **at > turn);
                if let Some(refusal) = refusal {
                    why.push_str(&format!(", although {} was denied it", number(*refusal)));
                    related_calls.push(*refusal);
                }
                related_calls.push(at);
                without = Some((related_calls, why));
            }
            _ => {}
        }
    }
    if check.released.is_some() {
        return; // a callback that is released takes no turn back
    }
    for (turn, _) in held {
        if let Some((end, how)) = over(check.calls) {
            let message = format!(
                "{} was granted the turn for a dialog by enable_modeless(true), and it was never given back \
                 until {} {how}",
                number(turn),
                number(end)
            );
            check.breach(Rule::DialogTurns, turn, vec![end], None, message);
        } else {
            check.undecided(
                Rule::DialogTurns,
                "a turn for a dialog is not given back, and the trace ends before the handler's life does",
            );
        }
    }
}

/// The call that ended the handler's life, and how.
fn over(calls: &[Call]) -> Option<(usize, &'static str)> {
    let mut calls = calls
        .iter()
        .enumerate()
        .filter(|(_, call)| call.has_returned());
    calls.find_map(|(at, call)| match call.action {
        Action::SetProgressCallback { set: None } => Some((at, "took the callback away")),
        Action::HandlerDropped => Some((at, "dropped the handler")),
        _ => None,
    })
}

/// H12: no dialog where nobody may be bothered.
fn may_bother(check: &mut Check<'_>) {
    let working = |phase| {
        matches!(
            phase,
            Phase::Preparing | Phase::Prepared | Phase::Synchronizing
        )
    };
    for (at, call) in check.judged() {
        if call.action != (Action::EnableModeless { enable: true }) {
            continue;
        }
        match check.flags {
            // Without the host's calls the phase is not known either.
            None if working(call.phase) || !check.has_host => check.undecided(
                Rule::NoDialogUnlessMayBother,
                "the trace does not have initialize, so whether the user may be bothered is not known",
            ),
            Some((initialize, flags))
                if working(call.phase) && !flags.contains(SyncFlags::MAY_BOTHER_USER) =>
            {
                let message = format!(
                    "{} calls enable_modeless(true) while {}, and the flags of {} lack MAY_BOTHER_USER",
                    number(at),
                    call.phase,
                    number(initialize)
                );
                check.breach(Rule::NoDialogUnlessMayBother, at, vec![initialize], None, message);
            }
            _ => {}
        }
    }
}

/// H21: what the handler tells about itself and its items.
fn lists(check: &mut Check<'_>) {
    for (at, call) in check.judged() {
        match (&call.action, &call.answer) {
            (Action::Info, Answer::Info { name, .. }) => {
                if let Err(error) = HandlerName::try_from(name.as_str()) {
                    let message = format!(
                        "info ({}) answers a name that does not fit: {error}; HandlerName::truncate_start makes one that does",
                        number(at)
                    );
                    check.breach(Rule::WellFormedItems, at, Vec::new(), None, message);
                }
            }
            (Action::Items, Answer::List { items, .. }) => {
                let mut seen: HashMap<ItemId, usize> = HashMap::with_capacity(items.len());
                for (place, item) in items.iter().enumerate() {
                    well_formed(check, at, call, item);
                    if let Some(other) = seen.insert(item.id, place) {
                        let message = format!(
                            "items ({}) lists the id {} twice: at the places {} and {}, the latter {:?}",
                            number(at),
                            item.id,
                            other + 1,
                            place + 1,
                            item.name,
                        );
                        check.breach(
                            Rule::WellFormedItems,
                            at,
                            Vec::new(),
                            Some(item.id),
                            message,
                        );
                    }
                }
            }
            (Action::AddItem { item } | Action::ProposeItem { item }, _) => {
                well_formed(check, at, call, item);
            }
            _ => {}
        }
    }
}

fn well_formed(check: &mut Check<'_>, at: usize, call: &Call, item: &Listed) {
    let fault = if item.id == ItemId::NIL {
        format!("the item {:?} has the nil id", item.name)
    } else if item.flags.contains(ItemFlags::LAST_UPDATE_TIME) && item.last_update.is_none() {
        format!(
            "the item {:?} has LAST_UPDATE_TIME among its flags, and no time; SyncItem::last_update sets both",
            item.name
        )
    } else if let Err(error) = ItemName::try_from(item.name.as_str()) {
        format!("an item does not fit: {error}; ItemName::truncate_start makes a name that does")
    } else {
        return;
    };
    let message = format!("in {} ({}) {fault}", call.action.name(), number(at));
    check.breach(
        Rule::WellFormedItems,
        at,
        Vec::new(),
        Some(item.id),
        message,
    );
}

/// H18: retries name items that are in the host's list or in its session.
fn retries(check: &mut Check<'_>) {
    let mut known: HashSet<ItemId> = HashSet::new();
    let mut proposed: HashSet<ItemId> = HashSet::new();
    let mut is_listed = false;
    let last_prepare = check
        .calls
        .iter()
        .rposition(|call| matches!(call.action, Action::PrepareForSync { .. }));
    for (at, call) in check.judged() {
        match (&call.action, &call.answer) {
            (Action::Items, Answer::List { items, .. }) => {
                is_listed = true;
                known.extend(items.iter().map(|item| item.id));
            }
            (Action::AddItem { item }, answer) if answer.is_taken() => {
                known.insert(item.id);
            }
            (Action::ProposeItem { item }, answer) if answer.is_taken() => {
                proposed.insert(item.id);
            }
            (Action::CommitItem { item }, answer) if answer.is_taken() => {
                known.insert(*item);
            }
            (Action::ShowErrorCompleted { result, items }, _)
                if *result == HResult::S_SYNCMGR_RETRYSYNC =>
            {
                let unknown = items.iter().find(|item| !known.contains(item));
                let Some(item) = unknown.copied() else {
                    continue;
                };
                if is_listed {
                    let what = if proposed.contains(&item) {
                        "which was proposed and not committed"
                    } else {
                        "which was neither listed nor added"
                    };
                    let mut message = format!(
                        "{} asks for a retry of {}, {what}",
                        number(at),
                        check.labels.item_with_id(item)
                    );
                    if last_prepare.is_none_or(|prepare| prepare < at) {
                        message.push_str("; no retry follows");
                    }
                    check.breach(
                        Rule::RetryOnlyKnownItems,
                        at,
                        Vec::new(),
                        Some(item),
                        message,
                    );
                } else {
                    check.undecided(
                        Rule::RetryOnlyKnownItems,
                        "the trace does not have the list of items",
                    );
                }
            }
            _ => {}
        }
    }
}

/// H19: there are no item objects.
fn objects(check: &mut Check<'_>) {
    for (at, call) in check.judged() {
        let Action::ItemObject { item, .. } = call.action else {
            continue;
        };
        if let Some(code) = call
            .answer
            .hresult()
            .filter(|code| *code != HResult::E_NOTIMPL)
        {
            let message = format!(
                "item_object ({}) of {} answers {code}, where E_NOTIMPL is due",
                number(at),
                check.labels.item(item)
            );
            check.weighed(
                Rule::NoItemObject,
                Severity::Should,
                at,
                Vec::new(),
                Some(item),
                message,
            );
        }
    }
}

/// H20: what is deleted was logged.
fn deletions(check: &mut Check<'_>) {
    let mut logged: HashSet<ErrorId> = HashSet::new();
    for (at, call) in check.judged() {
        match &call.action {
            Action::LogError { record } => logged.extend(record.error_id),
            Action::DeleteLogError { error: Some(error) } if !logged.contains(error) => {
                let message = format!(
                    "{} deletes {}, which this handler had not logged before",
                    number(at),
                    check.labels.error_with_id(*error)
                );
                check.breach(Rule::DeleteOnlyOwnErrors, at, Vec::new(), None, message);
            }
            _ => {}
        }
    }
}

/// H22: connections only where the handler said so.
fn connections(check: &mut Check<'_>) {
    let mut known: Option<(usize, HandlerFlags)> = None;
    for (at, call) in check.judged() {
        match (&call.action, &call.answer) {
            (Action::Info, Answer::Info { flags, .. }) => known = Some((at, *flags)),
            (Action::EstablishConnection { .. }, _) => match known {
                Some((_, flags)) if flags.contains(HandlerFlags::MAY_ESTABLISH_CONNECTION) => {}
                Some((info, _)) => {
                    let message = format!(
                        "{} asks for a connection, and the flags that {} answered lack MAY_ESTABLISH_CONNECTION",
                        number(at),
                        number(info)
                    );
                    check.breach(Rule::ConnectOnlyIfDeclared, at, vec![info], None, message);
                }
                None => check.undecided(
                    Rule::ConnectOnlyIfDeclared,
                    "the trace does not have info, so the handler's flags are not known",
                ),
            },
            _ => {}
        }
    }
}
