//! Listed items, with names that may be invalid.

use std::time::SystemTime;

use crate::{ItemFlags, ItemId, SyncItem};

/// A [`SyncItem`] as the trace keeps it. The name is a plain text, so that a trace from elsewhere can hold one that no
/// [`ItemName`](crate::ItemName) could (rule H21).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Listed {
    /// The id.
    pub id: ItemId,
    /// The name.
    pub name: String,
    /// The flags.
    #[cfg_attr(feature = "serde", serde(default))]
    pub flags: ItemFlags,
    /// Whether it takes part unless the user says otherwise.
    pub checked: bool,
    /// When it was last synchronized.
    #[cfg_attr(
        feature = "serde",
        serde(
            default,
            skip_serializing_if = "Option::is_none",
            with = "crate::contract::filetime_ticks"
        )
    )]
    pub last_update: Option<SystemTime>,
}

impl From<&SyncItem> for Listed {
    fn from(item: &SyncItem) -> Self {
        Self {
            id: item.id,
            name: item.name.as_str().to_owned(),
            flags: item.flags,
            checked: item.checked,
            last_update: item.last_update,
        }
    }
}
