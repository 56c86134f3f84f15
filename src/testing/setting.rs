//! The description of a harness setting.

use super::injection::FaultPoint;
use super::interventions::Interventions;
use super::item_ref::ItemRef;
use super::trace::Trace;

/// What is done to the handler on purpose, in words. `{}` stands for the item, whose name is known only in the end.
#[derive(Clone, Debug)]
pub(super) struct About {
    pub(super) words: String,
    pub(super) item: Option<ItemRef>,
    pub(super) setting: Setting,
}

impl About {
    pub(super) fn of(item: ItemRef, words: impl Into<String>) -> Self {
        Self {
            item: Some(item),
            ..Self::from(words.into())
        }
    }

    /// What was done, in words, and whether it was.
    pub(super) fn words(&self, trace: &Trace, interventions: &Interventions) -> (String, bool) {
        let words = match &self.item {
            None => self.words.clone(),
            Some(item) => self.words.replace("{}", &item.words(trace.labels())),
        };
        let [log, connection, dialog] = interventions.refused_occurred();
        let occurred = match self.setting {
            Setting::Always => true,
            Setting::Trigger(trigger) => interventions.occurred(trigger),
            Setting::Refused(FaultPoint::Log) => log,
            Setting::Refused(FaultPoint::Connection) => connection,
            Setting::Refused(FaultPoint::Dialog) => dialog,
        };
        (words, occurred)
    }

    /// The item that it names, if no item of the trace is meant by it.
    pub(super) fn unlisted(&self, trace: &Trace) -> Option<&ItemRef> {
        let item = self.item.as_ref();
        item.filter(|item| match item {
            ItemRef::Id(id) => trace.labels().plain(*id).is_none(),
            item => item.find(trace.labels()).is_none(),
        })
    }
}

/// On what it depends whether a setting comes about.
#[derive(Clone, Copy, Debug)]
pub(super) enum Setting {
    Always,
    /// On the trigger at this place of the interventions.
    Trigger(usize),
    /// On as many calls of this kind as there have to be.
    Refused(FaultPoint),
}

impl From<String> for About {
    fn from(words: String) -> Self {
        Self {
            words,
            item: None,
            setting: Setting::Always,
        }
    }
}

impl From<&str> for About {
    fn from(words: &str) -> Self {
        words.to_owned().into()
    }
}
