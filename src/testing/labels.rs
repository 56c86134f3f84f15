//! Labels for items and errors, which are the same in each run.

use std::collections::HashMap;

use super::answer::Answer;
use super::call::{Action, Call};
use crate::{ErrorId, ItemId};

/// Labels of ids, learned from the calls in their order.
#[derive(Clone, Debug, Default)]
pub(super) struct Labels {
    items: HashMap<ItemId, String>,
    /// How many items have a name.
    taken: HashMap<String, u32>,
    /// In the order in which they were listed and added.
    order: Vec<ItemId>,
    unknown: HashMap<ItemId, usize>,
    errors: HashMap<ErrorId, usize>,
}

impl Labels {
    /// The names of all that these calls mention.
    pub(super) fn of(calls: &[Call]) -> Self {
        let mut labels = Self::default();
        for call in calls {
            labels.learn_action(&call.action);
            labels.learn_answer(&call.answer);
        }
        for call in calls {
            labels.learn_unknown(call);
        }
        labels
    }

    fn name(&mut self, id: ItemId, name: &str) {
        if self.items.contains_key(&id) {
            return;
        }
        let count = self.taken.entry(name.to_owned()).or_insert(0);
        *count += 1;
        let name = match *count {
            1 => name.to_owned(),
            more => format!("{name} ({more})"),
        };
        self.items.insert(id, name);
        self.order.push(id);
    }

    pub(super) fn learn_action(&mut self, action: &Action) {
        match action {
            Action::AddItem { item } | Action::ProposeItem { item } => {
                self.name(item.id, &item.name);
            }
            Action::LogError { record } => {
                if let Some(error) = record.error_id {
                    self.error(error);
                }
            }
            _ => {}
        }
    }

    pub(super) fn learn_answer(&mut self, answer: &Answer) {
        if let Answer::List { items, .. } = answer {
            for item in items {
                self.name(item.id, &item.name);
            }
        }
    }

    fn error(&mut self, id: ErrorId) {
        let next = self.errors.len() + 1;
        self.errors.entry(id).or_insert(next);
    }

    /// Numbers what is mentioned and was never named.
    fn learn_unknown(&mut self, call: &Call) {
        let mut item = |id: ItemId| {
            if !self.items.contains_key(&id) {
                let next = self.unknown.len() + 1;
                self.unknown.entry(id).or_insert(next);
            }
        };
        match &call.action {
            Action::PrepareForSync { items } | Action::ShowErrorCompleted { items, .. } => {
                items.iter().copied().for_each(item);
            }
            Action::SetItemStatus { item: id, .. }
            | Action::ItemObject { item: id, .. }
            | Action::ShowProperties { target: Some(id) }
            | Action::Progress { item: id, .. }
            | Action::CanContinue { item: Some(id) }
            | Action::WakeOnCancel { item: Some(id) }
            | Action::CommitItem { item: id }
            | Action::CancelItem { item: id }
            | Action::SkipItem { item: id } => item(*id),
            Action::LogError { record } => record.item.into_iter().for_each(item),
            Action::DeleteLogError { error: Some(error) } | Action::ShowError { error } => {
                self.error(*error);
            }
            _ => {}
        }
        if let Answer::Items(items) = &call.answer {
            for id in items {
                if !self.items.contains_key(id) {
                    let next = self.unknown.len() + 1;
                    self.unknown.entry(*id).or_insert(next);
                }
            }
        }
    }

    /// The item's plain name, where it has one.
    pub(super) fn plain(&self, id: ItemId) -> Option<&str> {
        self.items.get(&id).map(String::as_str)
    }

    /// The items that have a name, in the order in which they were listed and added.
    pub(super) fn in_order(&self) -> impl Iterator<Item = ItemId> + '_ {
        self.order.iter().copied()
    }

    /// The item at this position in that order, counted from 1.
    pub(super) fn at(&self, position: usize) -> Option<ItemId> {
        self.order.get(position.checked_sub(1)?).copied()
    }

    /// The item of this plain name.
    pub(super) fn find(&self, name: &str) -> Option<ItemId> {
        let mut items = self.items.iter();
        items.find(|(_, known)| *known == name).map(|(id, _)| *id)
    }

    /// What the item is called: its name in quotes.
    pub(super) fn item(&self, id: ItemId) -> String {
        match (self.items.get(&id), self.unknown.get(&id)) {
            (Some(name), _) => format!("{name:?}"),
            _ if id == ItemId::NIL => "the nil item".to_owned(),
            (None, Some(number)) => format!("unknown item {number}"),
            (None, None) => format!("the item {id}"),
        }
    }

    /// What the item is called in a message about it: with its id where it has no name by which it could be found.
    pub(super) fn item_with_id(&self, id: ItemId) -> String {
        match self.unknown.get(&id) {
            Some(number) if id != ItemId::NIL => format!("unknown item {number} (the id {id})"),
            _ => self.item(id),
        }
    }

    /// What the error is called in a message about it: with its id.
    pub(super) fn error_with_id(&self, id: ErrorId) -> String {
        match self.errors.get(&id) {
            Some(number) => format!("error {number} (the id {id})"),
            None => self.error_name(id),
        }
    }

    /// What the error is called: its number in the order of appearance.
    pub(super) fn error_name(&self, id: ErrorId) -> String {
        match self.errors.get(&id) {
            Some(number) => format!("error {number}"),
            None => format!("the error {id}"),
        }
    }

    /// Items by what they are called, separated by commas; at most `most` of them.
    pub(super) fn list(&self, ids: &[ItemId], most: usize) -> String {
        let mut text = String::new();
        for (place, id) in ids.iter().enumerate() {
            if place > 0 {
                text.push_str(", ");
            }
            if place == most {
                text.push_str(&format!("and {} more", ids.len() - most));
                break;
            }
            text.push_str(&self.item(*id));
        }
        text
    }
}
