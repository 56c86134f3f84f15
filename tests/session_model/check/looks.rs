//! The looks: what observers, drivers and the test itself see of a session beside what its model has.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use syncmgr::{Cursor, ItemId, ItemView, LogEntry};

use super::{One, same};
use crate::model::{self, Entry, Item, Task};
use crate::ops::{Call, IDS, id, name};
use crate::reached::Reached;

impl One {
    /// The looks that a call changes first.
    pub(super) fn glance(&self, call: &Call) -> Result<(), String> {
        let (real, model) = (&self.real, &self.model);
        same("phase()", &real.phase(), &model.phase)?;
        match call {
            Call::Progress(item, _)
            | Call::AddItem(item)
            | Call::CommitItem(item)
            | Call::CancelItem(item)
            | Call::SkipItem(item) => {
                agree(*item, real.item(*item).as_ref(), model.find(*item), model)
            }
            _ => Ok(()),
        }
    }

    pub(super) fn look(&self, reached: &mut Reached) -> Result<(), String> {
        let (real, model) = (&self.real, &self.model);
        self.look_at_items()?;
        let mut observer = self.observer.borrow_mut();
        let complete = observer.refresh().is_complete();
        same("an observer's look is complete", &complete, &true)?;
        same(
            "the totals of an observer",
            &observer.totals(),
            &model.totals(),
        )?;
        for (cursor, since) in &self.cursors {
            self.look_at_changes(*cursor, *since, reached)
                .map_err(|told| {
                    format!(
                        "changes() since entry {since} of {}: {told}",
                        model.journal.len()
                    )
                })?;
        }
        same_log("log()", &real.log(), &model.log)?;
        same("log_refused()", &real.log_refused(), &model.log_refused)?;
        same("handler_text()", &real.handler_text(), &model.text)?;
        same(
            "requested_items()",
            &real.requested_items(),
            &model.requested,
        )?;
        same(
            "unfinished_items()",
            &real.driver().unfinished_items(),
            &model.unfinished_items(),
        )?;
        let refused = real.driver().refused_completions();
        let refused = refused.iter();
        let refused: Vec<_> = refused
            .map(|one| (one.call, one.result, one.phase))
            .collect();
        same("refused_completions()", &refused, &model.refused)?;
        for number in 0..IDS {
            let item = id(number);
            if real.driver().is_skipped(item) != model.is_skipped(item) {
                let skipped = real.driver().is_skipped(item);
                return Err(format!("is_skipped({}) is {skipped}", name(item)));
            }
        }
        let taken = self.turn.get().is_some();
        same("a dialog turn is taken", &self.arbiter.is_taken(), &taken)?;
        for (task, wakes) in self.wakes.iter().enumerate() {
            let count = wakes.0.load(Ordering::Relaxed);
            same("how often a task was woken", &count, &model.wakes[task])?;
            let waits = |waiting: &BTreeSet<Task>| usize::from(waiting.contains(&task));
            let all = model.items.iter().chain(&model.proposed);
            let kept: usize = all.map(|item| waits(&item.waiting)).sum();
            // Besides those that are kept, this test has the task and its waker.
            let real = Arc::strong_count(wakes) - 2;
            same(
                "wakers of a task that are kept",
                &real,
                &(kept + waits(&model.waiting)),
            )?;
        }
        Ok(())
    }

    fn look_at_items(&self) -> Result<(), String> {
        let (real, model) = (&self.real, &self.model);
        let snapshot = real.snapshot();
        let order: Vec<_> = snapshot.items.iter().map(|view| view.id).collect();
        let expected: Vec<_> = model.items.iter().map(|item| item.id).collect();
        same("the items of snapshot()", &order, &expected)?;
        for (view, item) in snapshot.items.iter().zip(&model.items) {
            agree(item.id, Some(view), Some(item), model)?;
            agree(item.id, real.item(item.id).as_ref(), Some(item), model)?;
        }
        same("the phase of snapshot()", &snapshot.phase, &model.phase)?;
        same(
            "the totals of snapshot()",
            &snapshot.totals,
            &model.totals(),
        )?;
        let present = real.changes(snapshot.cursor).cursor();
        same("the cursor of changes()", &present, &snapshot.cursor)?;
        for (cursor, since) in &self.cursors {
            let real = cursor.cmp(&snapshot.cursor);
            let expected = since.cmp(&model.journal.len());
            same("an older cursor beside this one", &real, &expected)?;
        }
        Ok(())
    }

    fn look_at_changes(
        &self,
        cursor: Cursor,
        since: usize,
        reached: &mut Reached,
    ) -> Result<(), String> {
        let model = &self.model;
        let real = self.real.changes(cursor);
        let expected = model.changes(since);
        reached.looked(&expected);
        same("complete", &real.is_complete(), &expected.complete)?;
        same("phase", &real.phase(), &model.phase)?;
        same("over", &real.is_over(), &expected.over)?;
        same_log("log", real.log(), &expected.log)?;
        let listed: Vec<_> = real.items().iter().map(|view| view.id).collect();
        if expected.complete {
            same("items", &listed, &expected.items)?;
        } else {
            // The journal does not reach back so far: some of them may be missing, but none that is in work.
            let mut rest = expected.items.iter();
            if !listed.iter().all(|item| rest.any(|other| item == other)) {
                return same("some of the items, in order", &listed, &expected.items);
            }
            let in_work = model.items.iter().filter(|item| item.in_work);
            for item in in_work {
                if !listed.contains(&item.id) {
                    return Err(format!("{} is missing, which is in work", name(item.id)));
                }
            }
        }
        for view in real.items() {
            agree(view.id, Some(view), model.find(view.id), model)?;
        }
        Ok(())
    }
}

/// The look at an item shows what the model has.
fn agree(
    id: ItemId,
    view: Option<&ItemView>,
    item: Option<&Item>,
    model: &model::Session,
) -> Result<(), String> {
    let agreed = match (view, item) {
        (None, None) => true,
        (Some(view), Some(item)) => {
            view.id == item.id
                && view.name == name(item.id)
                && view.status == item.status
                && view.value == item.value
                && view.max == item.max
                && view.text == item.text
                && view.verdict == item.verdict()
                && view.selected == model.is_selected(item.id)
        }
        _ => false,
    };
    if agreed {
        return Ok(());
    }
    let selected = model.is_selected(id);
    Err(format!(
        "the look at item {}\n  session: {view:?}\n  model:   {item:?}, selected: {selected}",
        name(id)
    ))
}

fn same_log(what: &str, real: &[LogEntry], model: &[Entry]) -> Result<(), String> {
    let agree = |real: &LogEntry, model: &Entry| {
        real.sequence == model.sequence as u64
            && real.handler.is_none()
            && real.level == model.level
            && real.text == model.text
            && real.item == model.item
            && real.error_id == model.error_id
            && real.flags == model.flags
    };
    let agreed = real.len() == model.len()
        && real
            .iter()
            .zip(model)
            .all(|(real, model)| agree(real, model));
    if agreed {
        return Ok(());
    }
    Err(format!("{what}\n  session: {real:?}\n  model:   {model:?}"))
}
