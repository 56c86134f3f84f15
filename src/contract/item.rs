//! What a handler tells about itself and its items.

use std::time::SystemTime;

use crate::{HResult, HandlerFlags, HandlerName, ItemFlags, ItemId, ItemName};

/// One thing that can be synchronized: `SYNCMGRITEM` of `mobsync.h`.
///
/// A folder, a file, a mailbox: what the user sees as one line, and can choose and cancel apart from
/// the others.
///
/// ```
/// use std::time::SystemTime;
/// use syncmgr::{ItemFlags, ItemId, ItemName, SyncItem};
///
/// let item = SyncItem::new(ItemId::from_u128(1), ItemName::try_from("photos")?)
///     .last_update(SystemTime::UNIX_EPOCH)
///     .checked(false);
/// assert_eq!(item.flags, ItemFlags::LAST_UPDATE_TIME);
/// # Ok::<(), syncmgr::ValueError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
#[doc(alias = "SYNCMGRITEM")]
pub struct SyncItem {
    /// Its id, unique within the handler and not nil (rule H21).
    #[doc(alias = "ItemID")]
    pub id: ItemId,
    /// The name that the user sees.
    #[doc(alias = "wszItemName")]
    pub name: ItemName,
    /// What it is like.
    #[cfg_attr(feature = "serde", serde(default))]
    #[doc(alias = "dwFlags")]
    pub flags: ItemFlags,
    /// Whether it takes part unless the user says otherwise; `true` to begin with. As a number it is
    /// the header's `SYNCMGRITEMSTATE`: 0 unchecked, 1 checked.
    #[doc(alias = "dwItemState")]
    #[doc(alias = "SYNCMGRITEMSTATE")]
    #[doc(alias = "SYNCMGRITEMSTATE_CHECKED")]
    #[doc(alias = "SYNCMGRITEMSTATE_UNCHECKED")]
    pub checked: bool,
    /// When it was last synchronized; with [`ItemFlags::LAST_UPDATE_TIME`] it has to be there.
    #[cfg_attr(
        feature = "serde",
        serde(
            default,
            skip_serializing_if = "Option::is_none",
            with = "super::serde_time::time_or_none"
        )
    )]
    #[doc(alias = "ftLastUpdate")]
    pub last_update: Option<SystemTime>,
}

impl SyncItem {
    /// Makes an item with no flags, checked, and with no time of a last update.
    #[must_use]
    pub const fn new(id: ItemId, name: ItemName) -> Self {
        Self {
            id,
            name,
            flags: ItemFlags::empty(),
            checked: true,
            last_update: None,
        }
    }

    /// Sets the flags, in place of any set before.
    ///
    /// [`ItemFlags::LAST_UPDATE_TIME`] stays if the time is there, so the order of the calls does not
    /// matter.
    #[must_use]
    pub const fn flags(mut self, flags: ItemFlags) -> Self {
        self.flags = if self.last_update.is_some() {
            flags.union(ItemFlags::LAST_UPDATE_TIME)
        } else {
            flags
        };
        self
    }

    /// Sets whether the item takes part unless the user says otherwise.
    #[must_use]
    pub const fn checked(mut self, checked: bool) -> Self {
        self.checked = checked;
        self
    }

    /// Sets when the item was last synchronized, and with it [`ItemFlags::LAST_UPDATE_TIME`].
    #[must_use]
    pub const fn last_update(mut self, time: SystemTime) -> Self {
        self.last_update = Some(time);
        self.flags = self.flags.union(ItemFlags::LAST_UPDATE_TIME);
        self
    }
}

/// What a handler tells about itself: `SYNCMGRHANDLERINFO` of `mobsync.h`.
///
/// ```
/// use syncmgr::{HandlerFlags, HandlerInfo, HandlerName};
///
/// let info = HandlerInfo::new(HandlerName::try_from("Mirror")?)
///     .flags(HandlerFlags::MAY_ESTABLISH_CONNECTION);
/// assert_eq!(info.name.as_str(), "Mirror");
/// # Ok::<(), syncmgr::ValueError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
#[doc(alias = "SYNCMGRHANDLERINFO")]
pub struct HandlerInfo {
    /// The name that the user sees.
    #[doc(alias = "wszHandlerName")]
    pub name: HandlerName,
    /// What the handler can do.
    #[cfg_attr(feature = "serde", serde(default))]
    #[doc(alias = "SyncMgrHandlerFlags")]
    pub flags: HandlerFlags,
}

impl HandlerInfo {
    /// Makes the information of a handler with no flags.
    #[must_use]
    pub const fn new(name: HandlerName) -> Self {
        Self {
            name,
            flags: HandlerFlags::empty(),
        }
    }

    /// Sets the flags, in place of any set before.
    #[must_use]
    pub const fn flags(mut self, flags: HandlerFlags) -> Self {
        self.flags = flags;
        self
    }
}

/// The items of a handler: the answer of `ISyncMgrSynchronize::EnumSyncMgrItems`, in place of an
/// `ISyncMgrEnumItems`.
///
/// The difference matters to what the host stores: after a complete list it may drop the user's
/// choices for items that are no longer listed, after an incomplete one it keeps them (rule M07).
///
/// ```
/// use syncmgr::{HResult, ItemList};
///
/// let list = ItemList::Incomplete(Vec::new());
/// assert!(!list.is_complete());
/// assert_eq!(HResult::from(&list), HResult::S_SYNCMGR_MISSINGITEMS);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "ISyncMgrEnumItems")]
pub enum ItemList {
    /// `S_OK`: these are all.
    Complete(Vec<SyncItem>),
    /// `S_SYNCMGR_MISSINGITEMS`: there are more, which cannot be listed now.
    Incomplete(Vec<SyncItem>),
}

impl ItemList {
    /// Returns the listed items.
    #[must_use]
    #[doc(alias = "Next")]
    pub fn items(&self) -> &[SyncItem] {
        match self {
            Self::Complete(items) | Self::Incomplete(items) => items,
        }
    }

    /// Returns whether the list has all items of the handler.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        matches!(self, Self::Complete(_))
    }

    /// Returns the listed items by value.
    #[must_use]
    pub fn into_items(self) -> Vec<SyncItem> {
        match self {
            Self::Complete(items) | Self::Incomplete(items) => items,
        }
    }
}

impl From<&ItemList> for HResult {
    fn from(list: &ItemList) -> Self {
        if list.is_complete() {
            Self::S_OK
        } else {
            Self::S_SYNCMGR_MISSINGITEMS
        }
    }
}
