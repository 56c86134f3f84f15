//! One progress report: `SYNCMGRPROGRESSITEM`.

use std::borrow::Cow;

use super::flags::ProgressMask;
use crate::ItemStatus;

/// One report about an item; only what is `Some` changes. `SYNCMGRPROGRESSITEM` of `mobsync.h`.
///
/// Passed to [`SyncCallback::progress`](crate::SyncCallback::progress). Value and maximum have no
/// unit of their own: bytes, files, messages; [`scale_to_i32`](crate::raw::scale_to_i32) gives the raw
/// pair of the header.
///
/// ```
/// use syncmgr::raw::ProgressMask;
/// use syncmgr::{ItemStatus, ProgressUpdate};
///
/// let update = ProgressUpdate::new().status(ItemStatus::Updating).value(10).max(200);
/// assert_eq!(
///     update.mask(),
///     ProgressMask::STATUS_TYPE | ProgressMask::PROG_VALUE | ProgressMask::MAX_VALUE,
/// );
/// assert!(ProgressUpdate::CHECK.mask().is_empty());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default)
)]
#[non_exhaustive]
#[doc(alias = "SYNCMGRPROGRESSITEM")]
pub struct ProgressUpdate<'a> {
    /// A line of text about what goes on (`lpcStatusText`).
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    #[doc(alias = "lpcStatusText")]
    pub text: Option<Cow<'a, str>>,
    /// The item's new status (`dwStatusType`).
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    #[doc(alias = "dwStatusType")]
    pub status: Option<ItemStatus>,
    /// How much is done (`iProgValue`), in the unit of `max`.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    #[doc(alias = "iProgValue")]
    pub value: Option<u64>,
    /// How much there is to do (`iMaxValue`); 0 takes back an earlier one.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    #[doc(alias = "iMaxValue")]
    pub max: Option<u64>,
}

impl<'a> ProgressUpdate<'a> {
    /// The update that changes nothing and only asks for the verdict: its mask is empty.
    pub const CHECK: Self = Self::new();

    /// The item is in work.
    pub(crate) const IN_WORK: ProgressUpdate<'static> =
        ProgressUpdate::new().status(ItemStatus::Updating);

    /// Makes an update that changes nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            text: None,
            status: None,
            value: None,
            max: None,
        }
    }

    /// Sets the status text.
    #[must_use]
    pub fn text(mut self, text: impl Into<Cow<'a, str>>) -> Self {
        self.text = Some(text.into());
        self
    }

    /// Sets the status.
    #[must_use]
    pub const fn status(mut self, status: ItemStatus) -> Self {
        self.status = Some(status);
        self
    }

    /// Sets how much is done.
    #[must_use]
    pub const fn value(mut self, value: u64) -> Self {
        self.value = Some(value);
        self
    }

    /// Sets how much there is to do.
    #[must_use]
    pub const fn max(mut self, max: u64) -> Self {
        self.max = Some(max);
        self
    }

    /// Returns the update with a text of its own.
    #[must_use]
    pub fn into_owned(self) -> ProgressUpdate<'static> {
        ProgressUpdate {
            text: self.text.map(|text| text.into_owned().into()),
            status: self.status,
            value: self.value,
            max: self.max,
        }
    }

    /// Returns `true` if the update only asks for the verdict: its mask is empty.
    #[must_use]
    pub const fn only_asks(&self) -> bool {
        self.mask().is_empty()
    }

    /// Returns `true` if the update sets a final status.
    #[must_use]
    pub fn is_final(&self) -> bool {
        self.status.is_some_and(ItemStatus::is_final)
    }

    /// Returns which members are set, as the header's mask tells.
    #[must_use]
    pub const fn mask(&self) -> ProgressMask {
        let mut mask = ProgressMask::empty();
        if self.text.is_some() {
            mask = mask.union(ProgressMask::STATUS_TEXT);
        }
        if self.status.is_some() {
            mask = mask.union(ProgressMask::STATUS_TYPE);
        }
        if self.value.is_some() {
            mask = mask.union(ProgressMask::PROG_VALUE);
        }
        if self.max.is_some() {
            mask = mask.union(ProgressMask::MAX_VALUE);
        }
        mask
    }
}
