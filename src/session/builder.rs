//! How a session is made.

use std::sync::Arc;

use super::connections::{Connections, Connector};
use super::dialog_arbiter::DialogArbiter;
use super::state::index::Index;
use super::state::table::Table;
use super::{Phase, Session, SessionConfig};
use crate::{HResult, HandlerId, ItemId, ItemName, SyncFlags, SyncItem};

/// Makes a [`Session`]: see [`Session::builder`].
///
/// ```
/// use syncmgr::{ItemId, ItemName, Phase, Session, SyncItem};
///
/// let session = Session::builder()
///     .item(SyncItem::new(ItemId::from_u128(1), ItemName::try_from("Inbox")?))
///     .item(SyncItem::new(ItemId::from_u128(2), ItemName::try_from("Drafts")?))
///     .build()?;
/// assert_eq!(session.phase(), Phase::Open);
/// assert_eq!(session.snapshot().items.len(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "a builder does nothing until `build`"]
pub struct SessionBuilder {
    items: Vec<SyncItem>,
    driven: bool,
    handler: Option<HandlerId>,
    flags: Option<SyncFlags>,
    dialogs: bool,
    arbiter: DialogArbiter,
    connections: Option<Connections>,
    log_capacity: usize,
    journal_capacity: usize,
}

/// Why a session cannot be built.
///
/// ```
/// use syncmgr::{HResult, ItemId, Session, SyncItem};
///
/// let item = |name: &str| SyncItem::new(ItemId::from_u128(1), name.parse().unwrap());
/// let error = Session::builder().items([item("Inbox"), item("Drafts")]).build().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "the item \"Drafts\" has the id 00000000-0000-0000-0000-000000000001, \
///      as an earlier item has; ids must be unique",
/// );
/// assert_eq!(error.hresult(), HResult::E_INVALIDARG);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum BuildError {
    /// Two items have the same id.
    #[error("the item {:?} has the id {id}, as an earlier item has; ids must be unique", .name.as_str())]
    DuplicateItem {
        /// The id.
        id: ItemId,
        /// The name of the second of them.
        name: ItemName,
    },
    /// An item has the nil id.
    #[error("the item {:?} has the nil id; an item needs an id of its own", .name.as_str())]
    NilItem {
        /// Its name.
        name: ItemName,
    },
    /// There are too many items.
    #[error("there are {count} items; a session takes at most {most}")]
    TooManyItems {
        /// How many there are.
        count: usize,
        /// How many are allowed.
        most: usize,
    },
}

impl BuildError {
    /// The result code that stands for the error: `E_INVALIDARG`.
    #[must_use]
    pub const fn hresult(&self) -> HResult {
        HResult::E_INVALIDARG
    }
}

impl SessionBuilder {
    pub(super) fn new() -> Self {
        Self {
            items: Vec::new(),
            driven: false,
            handler: None,
            flags: None,
            dialogs: true,
            arbiter: DialogArbiter::new(),
            connections: None,
            log_capacity: 10_000,
            journal_capacity: 16_384,
        }
    }

    /// Adds an item.
    pub fn item(mut self, item: SyncItem) -> Self {
        self.items.push(item);
        self
    }

    /// Adds items.
    pub fn items(mut self, items: impl IntoIterator<Item = SyncItem>) -> Self {
        self.items.extend(items);
        self
    }

    /// The session is driven through its phases by `begin_prepare` and `begin_synchronize`: it starts
    /// [`Phase::Idle`] in place of [`Phase::Open`].
    pub fn driven(mut self) -> Self {
        self.driven = true;
        self
    }

    /// The handler that the session is for: log entries carry it.
    pub fn handler(mut self, handler: HandlerId) -> Self {
        self.handler = Some(handler);
        self
    }

    /// The flags that the handler was initialized with. Where they lack
    /// [`MAY_BOTHER_USER`](SyncFlags::MAY_BOTHER_USER), no dialog is granted from the prepare to the completion of the
    /// synchronization (rule H12); in an open session from the start to the completion. Without this call there is no such limit.
    pub fn flags(mut self, flags: SyncFlags) -> Self {
        self.flags = Some(flags);
        self
    }

    /// Whether dialogs may be shown at all, one at a time. They may, unless this says otherwise.
    pub fn dialogs(mut self, allowed: bool) -> Self {
        self.dialogs = allowed;
        self
    }

    /// Shares the turn to show a dialog with other sessions. Without this call the session has one to itself.
    pub fn dialog_arbiter(mut self, arbiter: DialogArbiter) -> Self {
        self.arbiter = arbiter;
        self
    }

    /// Opens the connections that the handler asks for. Without a connector they are refused.
    pub fn connector(self, connector: impl Connector + 'static) -> Self {
        self.connections(Connections::new(connector))
    }

    /// Shares connections with other sessions, in place of a connector of its own.
    pub fn connections(mut self, connections: Connections) -> Self {
        self.connections = Some(connections);
        self
    }

    /// How many log entries are kept: 10,000 unless this says otherwise. When the log is full, entries are refused
    /// with [`LogFull`](crate::CallbackError::LogFull) and counted. At most 16 entries of the host
    /// itself are kept in addition, such as the summary of [selected](crate::RunOptions::select)
    /// items that are not listed.
    pub fn log_capacity(mut self, entries: usize) -> Self {
        self.log_capacity = entries;
        self
    }

    /// How many journal entries are kept: 16,384 unless this says otherwise, and at least one. An observer who falls
    /// further behind is told so ([`Changes::is_complete`](crate::Changes::is_complete)) and takes a snapshot.
    pub fn journal_capacity(mut self, entries: usize) -> Self {
        self.journal_capacity = entries;
        self
    }

    /// Makes the session.
    ///
    /// # Errors
    ///
    /// [`BuildError`] names the item whose id is nil or not unique (rule H21).
    pub fn build(self) -> Result<Arc<Session>, BuildError> {
        let index = Self::check(&self.items)?;
        Ok(self.build_checked(index))
    }

    /// Whether a session can be built of these items.
    pub(crate) fn check(items: &[SyncItem]) -> Result<Index, BuildError> {
        let most = Table::MOST as usize;
        if items.len() > most {
            return Err(BuildError::TooManyItems {
                count: items.len(),
                most,
            });
        }
        if let Some(nil) = items.iter().find(|item| item.id == ItemId::NIL) {
            return Err(BuildError::NilItem {
                name: nil.name.clone(),
            });
        }
        Index::new(items).map_err(|item| BuildError::DuplicateItem {
            id: item.id,
            name: item.name.clone(),
        })
    }

    /// Makes the session, of items that were checked and are the builder's own.
    pub(crate) fn build_checked(self, index: Index) -> Arc<Session> {
        Session::from_config(SessionConfig {
            items: self.items,
            index,
            phase: if self.driven {
                Phase::Idle
            } else {
                Phase::Open
            },
            handler: self.handler,
            // Nobody may be bothered where flags were given that do not say so.
            may_bother_user: self
                .flags
                .is_none_or(|flags| flags.contains(SyncFlags::MAY_BOTHER_USER)),
            dialogs: self.dialogs,
            arbiter: self.arbiter,
            connections: self.connections,
            log_capacity: self.log_capacity,
            journal_capacity: self.journal_capacity,
        })
    }
}
