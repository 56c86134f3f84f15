//! The rules of reports: H01 to H04, and H14 to H17.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use super::{Check, number};
use crate::testing::answer::Answer;
use crate::testing::call::{Action, Call};
use crate::testing::data::Update;
use crate::testing::rule::{Rule, Severity};
use crate::testing::words;
use crate::{CallbackError, HResult, ItemId, ItemStatus, Verdict};

/// What is known of an item in the current round.
#[derive(Default)]
struct Item {
    /// The first report, with when it began.
    first: Option<(usize, u64)>,
    /// For each thread: the last cancel that a report of its own was answered, and where.
    told: HashMap<u32, (usize, Verdict)>,
    /// The final status that was taken first, and when that report had returned.
    ended: Option<(usize, u64)>,
    /// A final status was begun, whether or not it has returned.
    ending: Option<usize>,
    /// The skip that was told first, and when that call had returned.
    skipped: Option<(usize, u64)>,
    /// The value, and the report that set it; the maximum likewise.
    value: Option<(usize, u64)>,
    max: Option<(usize, u64)>,
    status: Option<ItemStatus>,
    /// The last call of the handler's about it.
    last: Option<usize>,
}

/// Of how many items without an end the last call is shown.
const OPEN_MOST: usize = 3;

/// The items of the current round.
#[derive(Default)]
struct Round {
    /// The `prepare_for_sync` that began it.
    prepare: Option<usize>,
    members: Vec<ItemId>,
    is_member: HashSet<ItemId>,
    /// Items that may be reported, and whose end is not waited for until they are committed.
    proposed: HashSet<ItemId>,
    items: HashMap<ItemId, Item>,
    /// The `add_item` or `commit_item` by which an item joined last.
    added: HashMap<ItemId, usize>,
    synchronize: Option<usize>,
    completed: bool,
}

impl Round {
    /// A proposed item of an earlier round starts anew, unless it has ended well.
    fn reopen_proposed(&mut self) {
        for id in &self.proposed {
            let status = self.items.get(id).and_then(|item| item.status);
            if status.is_none_or(|status| !status.is_final() || status == ItemStatus::Failed) {
                self.items.remove(id);
            }
        }
    }

    /// A proposed item is an item of the round, with what was reported of it, unless that is nothing.
    fn commit(&mut self, item: ItemId, at: usize) {
        let known = self.items.get(&item);
        let is_begun = known.is_some_and(|item| item.status.is_some() || item.value.is_some());
        if self.proposed.remove(&item) && is_begun && self.is_member.insert(item) {
            self.members.push(item);
            self.added.insert(item, at);
        }
    }

    fn join(&mut self, item: ItemId) {
        if self.is_member.insert(item) {
            self.members.push(item);
            self.items.remove(&item);
        }
    }
}

pub(super) fn check(check: &mut Check<'_>) {
    let writers = writers(check.calls);
    let mut round = Round::default();
    for (at, call) in check.judged() {
        match &call.action {
            Action::PrepareForSync { items } => {
                round.prepare = Some(at);
                round.members.clear();
                round.is_member.clear();
                round.completed = false;
                round.reopen_proposed();
                for item in items {
                    round.items.remove(item);
                    round.join(*item);
                }
            }
            // One that has not returned may have been taken.
            Action::AddItem { item } if call.answer.is_taken() || call.answer == Answer::None => {
                round.proposed.remove(&item.id);
                round.join(item.id);
                round.added.insert(item.id, at);
            }
            Action::ProposeItem { item }
                if call.answer.is_taken() || call.answer == Answer::None =>
            {
                round.proposed.insert(item.id);
            }
            Action::CommitItem { item } if call.answer.is_taken() => round.commit(*item, at),
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
                    if !check.has_host {
                        // An open session, or one that was prepared out of sight: what is reported takes part.
                        round.join(id);
                    }
                    report(check, &mut round, &writers, id, at, call);
                }
            }
        }
    }
}

fn report(
    check: &mut Check<'_>,
    round: &mut Round,
    writers: &HashMap<ItemId, Vec<usize>>,
    id: ItemId,
    at: usize,
    call: &Call,
) {
    let name = check.names.item(id);
    if !check.has_host {
        check.undecided(
            Rule::OnlyPreparedItems,
            "the trace does not have the host's calls, so what was prepared is not known",
        );
    }
    if !round.is_member.contains(&id) && !round.proposed.contains(&id) {
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
            check.names.item_with_id(id)
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
    let update = call.action.update();
    let works = !update.only_asks() && !update.is_final();
    let item = round.items.entry(id).or_default();

    item.last = Some(at);
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
        } else if let Some((told, verdict)) = item.told.get(&call.thread).copied() {
            let (rule, verdict) = stop_rule(verdict);
            let message = format!(
                "{} reports more work on {name} although the same thread was answered {verdict} by {}",
                number(at),
                number(told)
            );
            check.breach(rule, at, vec![told], Some(id), message);
        }
    }
    if is_first {
        first(check, &name, id, at, &update);
    }
    if call.answer.is_taken() {
        value(check, item, writers, &name, id, at, call, &update);
        if update.status == Some(ItemStatus::Succeeded) {
            succeeded(check, item, &name, id, at, call);
        }
    }

    item.first.get_or_insert((at, call.begun));
    match call.answer.verdict() {
        Some(verdict) if !verdict.is_continue() => {
            item.told.insert(call.thread, (at, verdict));
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
fn first(check: &mut Check<'_>, name: &str, id: ItemId, at: usize, update: &Update) {
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
    update: &Update,
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
        words::update(update).trim_start_matches(','),
        number(end)
    );
    check.breach(Rule::OnlyFailedAfterFinal, at, vec![end], Some(id), message);
    true
}

/// H17: the value and the maximum after a report that was taken.
#[allow(clippy::too_many_arguments)]
fn value(
    check: &mut Check<'_>,
    item: &mut Item,
    writers: &HashMap<ItemId, Vec<usize>>,
    name: &str,
    id: ItemId,
    at: usize,
    call: &Call,
    update: &Update,
) {
    if let Some(status) = update.status {
        item.status = Some(status);
    }
    if let Some(value) = update.value {
        item.value = Some((at, value));
    }
    if let Some(max) = update.max {
        item.max = Some((at, max));
    }
    if update.value.is_none() && update.max.is_none() {
        return;
    }
    let (Some((set, value)), Some((told, max))) = (item.value, item.max) else {
        return;
    };
    let marquee = item.status == Some(ItemStatus::UpdatingIndeterminate);
    if max == 0 || value <= max || marquee || overlaps(check.calls, writers.get(&id), at, call) {
        return;
    }
    let message = format!(
        "{} sets {name} to {value} of {max}; the value may not exceed the maximum",
        number(at)
    );
    let led_by = [set, told]
        .into_iter()
        .filter(|place| *place != at)
        .collect();
    check.breach(Rule::ValueWithinMaximum, at, led_by, Some(id), message);
}

/// The rule of work that goes on after this cancel, and the cancel's name.
fn stop_rule(cancel: Verdict) -> (Rule, &'static str) {
    match cancel {
        Verdict::CancelAll => (Rule::StopAllWhenCancelled, "CancelAll"),
        _ => (Rule::StopCancelledItem, "CancelItem"),
    }
}

/// H02 and H03: an item that succeeds after a cancel, and before its value has come to its maximum. Whether the rest was done
/// all the same, nobody can tell from here.
fn succeeded(check: &mut Check<'_>, item: &Item, name: &str, id: ItemId, at: usize, call: &Call) {
    let (Some((_, max)), value) = (item.max, item.value.map_or(0, |(_, value)| value)) else {
        return;
    };
    let told = item.told.values().filter(|(told, _)| {
        let told = check.calls.get(*told);
        told.is_some_and(|told| told.is_before(call))
    });
    // The one that was told first: where the work should have ended.
    let Some((told, verdict)) = told.min_by_key(|(told, _)| *told).copied() else {
        return;
    };
    let (rule, verdict) = stop_rule(verdict);
    if value >= max || check.knows(rule, Some(id), at) {
        return;
    }
    let message = format!(
        "{} ends {name} as succeeded, with {value} of {max} reported, although {} was answered {verdict}: was the rest done all \
         the same?",
        number(at),
        number(told)
    );
    check.weighed(rule, Severity::Should, at, vec![told], Some(id), message);
}

/// For each item the reports that change its value, maximum or status.
fn writers(calls: &[Call]) -> HashMap<ItemId, Vec<usize>> {
    let mut writers: HashMap<ItemId, Vec<usize>> = HashMap::new();
    for (at, call) in calls.iter().enumerate() {
        if let Action::Progress { item, update } = &call.action {
            if !update.only_asks() {
                writers.entry(*item).or_default().push(at);
            }
        }
    }
    writers
}

/// Whether another report of the item overlaps this one, so that nobody knows which came first.
fn overlaps(calls: &[Call], writers: Option<&Vec<usize>>, at: usize, call: &Call) -> bool {
    let Some(writers) = writers else {
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

/// H15: what is open when the synchronization is completed.
fn completion(check: &mut Check<'_>, round: &mut Round, at: usize, call: &Call) {
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
        check.names.list(&open, 5)
    );
    if let Some((later, item)) = still_at_work(check, &open, at, call) {
        let _ = write!(
            message,
            "; another thread is still at work on {}, by {}: the last worker is to complete",
            check.names.item(item),
            number(later)
        );
    }
    let last = |item: &ItemId| round.items.get(item)?.last;
    let last = open.iter().filter_map(last).take(OPEN_MOST);
    let mut led_by: Vec<usize> = round.prepare.into_iter().chain(last).collect();
    led_by.sort_unstable();
    led_by.dedup();
    check.breach(
        Rule::FinalStatusBeforeCompletion,
        at,
        led_by,
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
