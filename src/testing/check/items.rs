//! The rules of reports: H01, H04, and H14 to H16.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use super::cancels::{self, CancelNotice, Cancels};
use super::checker::{Check, number};
use super::values::{Values, Writers};
use crate::testing::answer::Answer;
use crate::testing::call::{Action, Call};
use crate::testing::format;
use crate::testing::rule::{Rule, Severity};
use crate::{CallbackError, HResult, ItemId, ItemStatus, ProgressUpdate};

/// What is known of an item in the current round.
#[derive(Default)]
struct Item {
    /// The first report, with when it began.
    first: Option<(usize, u64)>,
    /// A report of it did more than ask.
    is_worked_on: bool,
    cancel_notice: CancelNotice,
    /// The final status that was taken first, and when that report had returned.
    ended: Option<(usize, u64)>,
    /// A final status was begun, whether or not it has returned.
    ending: Option<usize>,
    /// The skip that was told first, and when that call had returned.
    skipped: Option<(usize, u64)>,
    values: Values,
    /// The last call of the handler's about it.
    last: Option<usize>,
}

/// Of how many items without an end the last call is shown.
const OPEN_MOST: usize = 3;

/// The items of the current round.
#[derive(Default)]
struct PreparedRound {
    /// The `prepare_for_sync` that began it.
    prepare: Option<usize>,
    members: Vec<ItemId>,
    is_member: HashSet<ItemId>,
    items: HashMap<ItemId, Item>,
    /// The `add_item` or `commit_item` by which an item joined after the prepare.
    added: HashMap<ItemId, usize>,
    /// Items that were proposed, and the `commit_item` of those that were committed since.
    proposed: HashMap<ItemId, Option<usize>>,
    cancels: Cancels,
    synchronize: Option<usize>,
    completed: bool,
}

impl PreparedRound {
    fn join(&mut self, item: ItemId) {
        if self.is_member.insert(item) {
            self.members.push(item);
            self.items.remove(&item);
        }
    }

    /// Starts the round of a `prepare_for_sync`.
    fn begin(&mut self, prepare: usize, items: &[ItemId]) {
        self.prepare = Some(prepare);
        self.members.clear();
        self.is_member.clear();
        self.added.clear();
        // A committed item is listed, so the next prepare names it like any other.
        self.proposed.retain(|_, committed| committed.is_none());
        self.cancels = Cancels::default();
        self.synchronize = None;
        self.completed = false;
        for item in items {
            self.items.remove(item);
            self.join(*item);
        }
    }

    /// Makes a committed item a member once it is worked on too; one that was only proposed owes no
    /// final status.
    fn join_committed(&mut self, id: ItemId) {
        let committed = self.proposed.get(&id).copied().flatten();
        let is_worked_on = self.items.get(&id).is_some_and(|item| item.is_worked_on);
        if let Some(commit) = committed.filter(|_| is_worked_on) {
            if self.is_member.insert(id) {
                self.members.push(id);
                self.added.insert(id, commit);
            }
        }
    }
}

pub(super) fn check(check: &mut Check<'_>) {
    let writers = Writers::of(check.calls);
    let mut round = PreparedRound::default();
    for (at, call) in check.judged() {
        match &call.action {
            Action::PrepareForSync { items } => round.begin(at, items),
            // One that has not returned may have been taken.
            Action::AddItem { item } if call.answer.is_taken() || call.answer == Answer::None => {
                round.join(item.id);
                round.added.insert(item.id, at);
                round.proposed.remove(&item.id);
            }
            Action::ProposeItem { item }
                if call.answer.is_taken() || call.answer == Answer::None =>
            {
                round.proposed.entry(item.id).or_insert(None);
            }
            Action::CommitItem { item } if call.answer.is_taken() => {
                if let Some(committed) = round.proposed.get_mut(item) {
                    committed.get_or_insert(at);
                    round.join_committed(*item);
                }
            }
            Action::Synchronize => {
                round.synchronize = Some(at);
                round.completed = false;
            }
            Action::SetItemStatus {
                item,
                status: ItemStatus::Skipped,
            } => {
                if let Some(ended) = call.ended {
                    let item = round.items.entry(*item).or_default();
                    item.skipped.get_or_insert((at, ended));
                }
            }
            Action::SynchronizeCompleted { .. } => completion(check, &mut round, at, call),
            Action::LogError { record } => {
                if let Some(item) = record.item {
                    round.items.entry(item).or_default().last = Some(at);
                }
            }
            action => {
                if let Some(id) = action.reported() {
                    if !check.has_host && !round.proposed.contains_key(&id) {
                        // An open session, or one that was prepared out of sight: what is reported takes part.
                        round.join(id);
                    }
                    report(check, &mut round, &writers, id, at, call);
                    round.join_committed(id);
                }
            }
        }
    }
}

fn report(
    check: &mut Check<'_>,
    round: &mut PreparedRound,
    writers: &Writers,
    id: ItemId,
    at: usize,
    call: &Call,
) {
    let name = check.labels.item(id);
    let update = call.action.update();
    let takes_reports = round.is_member.contains(&id) || round.proposed.contains_key(&id);
    if !takes_reports && update.only_asks() {
        return; // whoever asks learns from the answer that the item takes no part
    }
    if !check.has_host {
        check.undecided(
            Rule::OnlyPreparedItems,
            "the trace does not have the host's calls, so what was prepared is not known",
        );
    }
    if !takes_reports {
        let what = match round.prepare {
            Some(prepare) => format!(
                "the prepare of {} does not name it, and no add_item did since",
                number(prepare)
            ),
            None => "there was no prepare yet".to_owned(),
        };
        let message = format!(
            "{} reports {}; {what}",
            number(at),
            check.labels.item_with_id(id)
        );
        check.breach(
            Rule::OnlyPreparedItems,
            at,
            round.prepare.into_iter().collect(),
            Some(id),
            message,
        );
        return;
    }
    let works = !update.only_asks() && !update.is_final();
    let item = round.items.entry(id).or_default();

    item.last = Some(at);
    item.is_worked_on |= !update.only_asks();
    let is_first = item.first.is_none();
    if finished(check, item, &name, id, at, call, &update) {
        return;
    }
    if works {
        let waits = |(_, ended): &(usize, u64)| {
            *ended < call.begun && item.first.is_none_or(|(_, begun)| begun > *ended)
        };
        if let Some((skip, _)) = item.skipped.filter(waits) {
            let message = format!(
                "{} starts {name} after {} had told the handler to skip it",
                number(at),
                number(skip)
            );
            check.breach(
                Rule::SkippedItemNotStarted,
                at,
                vec![skip],
                Some(id),
                message,
            );
        } else {
            cancels::work(
                check,
                &round.cancels,
                &mut item.cancel_notice,
                is_first,
                id,
                at,
                call,
            );
        }
    }
    if is_first {
        first(check, &name, id, at, &update);
    }
    if call.answer.is_taken() {
        item.values.report(check, writers, id, at, call);
        if update.status == Some(ItemStatus::Succeeded) {
            cancels::succeeded(check, &item.cancel_notice, &item.values, id, at, call);
        }
    }

    item.first.get_or_insert((at, call.begun));
    match call.answer.verdict() {
        Some(verdict) if !verdict.is_continue() => {
            round
                .cancels
                .learn(&mut item.cancel_notice, at, call, verdict);
        }
        _ => {}
    }
    if update.is_final() && (call.answer.is_taken() || call.answer == Answer::None) {
        item.ending.get_or_insert(at);
        if let Some(ended) = call.ended {
            match item.ended {
                Some((_, earlier)) if earlier <= ended => {}
                _ => item.ended = Some((at, ended)),
            }
        }
    }
}

/// H01: the first report of an item.
fn first(check: &mut Check<'_>, name: &str, id: ItemId, at: usize, update: &ProgressUpdate<'_>) {
    let rule = Rule::VerdictBeforeItem;
    if update.status == Some(ItemStatus::Succeeded) {
        let message = format!(
            "{} is the first report of {name}, and says that it succeeded: nobody was asked whether to start it",
            number(at)
        );
        check.breach(rule, at, Vec::new(), Some(id), message);
    } else if let Some(value) = update.value.filter(|value| *value > 0) {
        let message = format!(
            "{} is the first report of {name}, and has the value {value} already: unless the item is resumed there, it \
             was started without asking",
            number(at)
        );
        check.weighed(rule, Severity::Should, at, Vec::new(), Some(id), message);
    }
}

/// H16: a report after the item's end. Answers whether it is one.
fn finished(
    check: &mut Check<'_>,
    item: &Item,
    name: &str,
    id: ItemId,
    at: usize,
    call: &Call,
    update: &ProgressUpdate<'_>,
) -> bool {
    if update.only_asks() || update.status == Some(ItemStatus::Failed) {
        return false;
    }
    let before = item.ended.filter(|(_, ended)| *ended < call.begun);
    // Where the two overlap, the host's answer tells which was first.
    let refused = || {
        item.ending
            .filter(|_| call.answer == Answer::Refused(CallbackError::ItemFinished))
    };
    let Some(end) = before.map(|(end, _)| end).or_else(refused) else {
        return false;
    };
    let last = check
        .calls
        .get(end)
        .and_then(|end| end.action.update().status);
    let last = last.map_or("", ItemStatus::as_str);
    let message = format!(
        "{} reports{} of {name}, which {} had ended as {last}",
        number(at),
        format::update(update).trim_start_matches(','),
        number(end)
    );
    check.breach(Rule::OnlyFailedAfterFinal, at, vec![end], Some(id), message);
    true
}

/// Whether this completion was refused because another one, which overlaps it, was taken.
fn is_refused_for_another(calls: &[Call], at: usize, call: &Call) -> bool {
    let ended = call.ended.unwrap_or(u64::MAX);
    let later = calls.iter().skip(at + 1);
    let mut others = later.take_while(|other| other.begun < ended);
    matches!(call.answer, Answer::Refused(_))
        && others.any(|other| {
            matches!(other.action, Action::SynchronizeCompleted { .. })
                && other.answer == Answer::Done
        })
}

/// H15: what is open when the synchronization is completed.
fn completion(check: &mut Check<'_>, round: &mut PreparedRound, at: usize, call: &Call) {
    if is_refused_for_another(check.calls, at, call) {
        return; // the one that was taken is judged
    }
    let again = std::mem::replace(&mut round.completed, true);
    let in_hand = round.synchronize.is_some() || !check.has_host;
    let failed = round
        .synchronize
        .and_then(|synchronize| check.calls.get(synchronize))
        .is_some_and(|synchronize| {
            synchronize.has_returned() && synchronize.answer.hresult() != Some(HResult::S_OK)
        });
    if again || !in_hand || failed || check.is_released_before(call) {
        return;
    }
    let is_open = |id: &ItemId| {
        let item = round.items.get(id);
        item.and_then(|item| item.ending).is_none()
    };
    let open: Vec<ItemId> = round
        .members
        .iter()
        .copied()
        .filter(is_open)
        .filter(|id| {
            // One whose `add_item` had not returned may have come too late.
            let add = round.added.get(id).and_then(|add| check.calls.get(*add));
            add.is_none_or(|add| add.is_before(call))
        })
        .collect();
    if !check.has_host {
        check.undecided(
            Rule::FinalStatusBeforeCompletion,
            "the trace does not have the list of items: those that were never reported are not known",
        );
    }
    let Some(first) = open.first() else {
        return;
    };
    let mut message = format!(
        "{} completes the synchronization, and {} {} no final status: {}",
        number(at),
        open.len(),
        if open.len() == 1 {
            "item has"
        } else {
            "items have"
        },
        check.labels.list(&open, 5)
    );
    if let Some((later, item)) = still_at_work(check, &open, at, call) {
        let _ = write!(
            message,
            "; another thread is still at work on {}, by {}: the last worker is to complete",
            check.labels.item(item),
            number(later)
        );
    }
    let last = |item: &ItemId| round.items.get(item)?.last;
    let last = open.iter().filter_map(last).take(OPEN_MOST);
    // What brought the items into the round.
    let added = open
        .iter()
        .filter_map(|item| round.added.get(item))
        .copied();
    let is_prepared = open.iter().any(|item| !round.added.contains_key(item));
    let prepare = round.prepare.filter(|_| is_prepared);
    let mut related_calls: Vec<usize> = prepare.into_iter().chain(added.take(OPEN_MOST)).collect();
    related_calls.extend(last);
    related_calls.sort_unstable();
    related_calls.dedup();
    check.breach(
        Rule::FinalStatusBeforeCompletion,
        at,
        related_calls,
        Some(*first),
        message,
    );
}

/// A report of one of these items that another thread makes after this call, or is in while it is made.
fn still_at_work(
    check: &Check<'_>,
    open: &[ItemId],
    at: usize,
    call: &Call,
) -> Option<(usize, ItemId)> {
    let mut others = check.calls.iter().enumerate().filter(|(place, other)| {
        let lasts = other.ended.is_none_or(|ended| ended > call.begun);
        other.thread != call.thread && (*place > at || lasts)
    });
    others.find_map(|(place, other)| {
        let item = other.action.reported()?;
        open.contains(&item).then_some((place, item))
    })
}
