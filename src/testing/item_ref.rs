//! A reference to an item, by id, name or position.

use std::fmt;

use super::labels::Labels;
use crate::ItemId;

/// An item, identified by its id, by the name that a [`Trace`](super::Trace) gives it, or by its position.
///
/// # Examples
///
/// ```
/// use syncmgr::testing::mock::{Script, Step};
/// use syncmgr::testing::{Harness, ItemRef};
/// use syncmgr::{ItemId, ItemStatus};
///
/// // Neither the id nor the name is the same in the next run.
/// let (item, name) = (ItemId::new_random(), format!("copy {}", std::process::id()));
/// let script = Script::new().item(item, &name).synchronize([
///     Step::report(item).status(ItemStatus::Updating),
///     Step::report(item).status(ItemStatus::Succeeded),
/// ]);
/// let trace = Harness::new(script.handler()).cancel_item_at_report(ItemRef::Position(1), 2).run();
/// assert_eq!(trace.status(item), Some(ItemStatus::Succeeded)); // its last report was the second
/// assert!(trace.unmet_conditions().is_empty());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ItemRef {
    /// By its id.
    Id(ItemId),
    /// By its name; the second of two with the same name is called `name (2)`.
    Name(String),
    /// By its position in the handler's list, counted from 1. Items that are added later follow in the order in which they
    /// were added.
    Position(usize),
}

impl From<ItemId> for ItemRef {
    fn from(id: ItemId) -> Self {
        Self::Id(id)
    }
}

impl From<&str> for ItemRef {
    fn from(name: &str) -> Self {
        Self::Name(name.to_owned())
    }
}

impl From<String> for ItemRef {
    fn from(name: String) -> Self {
        Self::Name(name)
    }
}

impl ItemRef {
    /// The item of a trace.
    pub(super) fn find(&self, labels: &Labels) -> Option<ItemId> {
        match self {
            Self::Id(id) => Some(*id),
            Self::Name(name) => labels.find(name),
            Self::Position(position) => labels.at(*position),
        }
    }

    pub(super) fn is(&self, id: ItemId, labels: &Labels) -> bool {
        match self {
            Self::Id(wanted) => *wanted == id,
            Self::Name(wanted) => labels.plain(id) == Some(wanted),
            Self::Position(position) => labels.at(*position) == Some(id),
        }
    }

    /// The item in words: by its name in the trace, if it has one.
    pub(super) fn words(&self, labels: &Labels) -> String {
        match (self, self.find(labels)) {
            (Self::Name(name), _) => format!("{name:?}"),
            (_, Some(id)) => labels.item(id),
            (_, None) => self.to_string(),
        }
    }

    /// The item as an argument of a method of the harness.
    pub(super) fn argument(&self) -> String {
        match self {
            Self::Id(id) => format!("ItemId::from_u128({:#x})", id.as_u128()),
            Self::Name(name) => format!("{name:?}"),
            Self::Position(position) => format!("ItemRef::Position({position})"),
        }
    }

    /// The item as an expression of this type.
    pub(super) fn expression(&self) -> String {
        match self {
            Self::Id(_) | Self::Name(_) => self.argument() + ".into()",
            Self::Position(_) => self.argument(),
        }
    }
}

impl fmt::Display for ItemRef {
    /// Writes `"name"`, `item 3 of the list` or `the item` and its id.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => write!(f, "the item {id}"),
            Self::Name(name) => write!(f, "{name:?}"),
            Self::Position(position) => write!(f, "item {position} of the list"),
        }
    }
}
