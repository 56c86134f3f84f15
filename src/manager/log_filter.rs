//! A filter for the log of all handlers.

use crate::session::LogEntry;
use crate::{HandlerId, ItemId, LogLevel};

/// Which entries of the log of all handlers are wanted: see [`SyncManager::log`](crate::SyncManager::log).
///
/// ```
/// use syncmgr::{HandlerId, LogFilter, LogLevel};
///
/// let filter = LogFilter::new().handler(HandlerId::from_u128(1)).level(LogLevel::Warning);
/// # drop(filter);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[must_use = "a filter does nothing until it is given to `log`"]
pub struct LogFilter {
    handler: Option<HandlerId>,
    item: Option<ItemId>,
    level: Option<LogLevel>,
}

impl LogFilter {
    /// Every entry.
    pub const fn new() -> Self {
        Self {
            handler: None,
            item: None,
            level: None,
        }
    }

    /// Only those of this handler.
    pub const fn handler(mut self, handler: HandlerId) -> Self {
        self.handler = Some(handler);
        self
    }

    /// Only those about this item.
    pub const fn item(mut self, item: ItemId) -> Self {
        self.item = Some(item);
        self
    }

    /// Only those of this level or a more severe one.
    pub const fn level(mut self, level: LogLevel) -> Self {
        self.level = Some(level);
        self
    }

    /// Whether the entry is wanted.
    #[must_use]
    pub fn matches(&self, entry: &LogEntry) -> bool {
        self.handler
            .is_none_or(|handler| entry.handler == Some(handler))
            && self.item.is_none_or(|item| entry.item == Some(item))
            && self.level.is_none_or(|level| entry.level >= level)
    }
}
