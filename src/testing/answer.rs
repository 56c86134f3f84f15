//! The answer of a recorded call.

use super::listed::Listed;
use crate::{
    CallbackError, Dialog, HResult, HandlerError, HandlerFlags, HandlerInfo, ItemId, ItemList,
    Participation, Prepared, Verdict,
};

/// What a call answered.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum Answer {
    /// Nothing yet: it had not returned when the trace was taken. Also the answer of what is no call.
    None,
    /// It panicked, with this text.
    Panicked(String),
    /// `Ok(())`.
    Done,
    /// The verdict on a report.
    Verdict(Verdict),
    /// Whether a dialog may be shown.
    Dialog(Dialog),
    /// Whether the handler takes part.
    Participation(Participation),
    /// Whether the prepare has started.
    Prepared(Prepared),
    /// What the handler tells about itself.
    Info {
        /// Its name.
        name: String,
        /// Its flags.
        flags: HandlerFlags,
    },
    /// The items of the handler.
    List {
        /// Whether these are all.
        complete: bool,
        /// The items.
        items: Vec<Listed>,
    },
    /// The items that were asked for since.
    Items(Vec<ItemId>),
    /// An object of the interface that was asked for; rule H19 allows none.
    Object,
    /// The host refused the call.
    Refused(CallbackError),
    /// The handler's call failed, or answered a success code that is not `S_OK`.
    Failed {
        /// The code.
        code: HResult,
        /// What the error says.
        text: String,
    },
}

impl Answer {
    /// The code that stands for the answer; none where there is none yet, and after a panic.
    #[must_use]
    pub fn hresult(&self) -> Option<HResult> {
        Some(match self {
            Self::None | Self::Panicked(_) => return None,
            Self::Done | Self::Info { .. } | Self::Items(_) | Self::Object => HResult::S_OK,
            Self::Verdict(verdict) => (*verdict).into(),
            Self::Dialog(dialog) => (*dialog).into(),
            Self::Participation(participation) => (*participation).into(),
            Self::Prepared(prepared) => (*prepared).into(),
            Self::List { complete: true, .. } => HResult::S_OK,
            Self::List { .. } => HResult::S_SYNCMGR_MISSINGITEMS,
            Self::Refused(error) => error.hresult(),
            Self::Failed { code, .. } => *code,
        })
    }

    /// The verdict, where it is one.
    #[must_use]
    pub fn verdict(&self) -> Option<Verdict> {
        match self {
            Self::Verdict(verdict) => Some(*verdict),
            _ => None,
        }
    }

    /// Whether the call was taken: it did not fail, and was not refused.
    #[must_use]
    pub fn is_taken(&self) -> bool {
        !matches!(
            self,
            Self::None | Self::Panicked(_) | Self::Refused(_) | Self::Failed { .. }
        )
    }

    /// The answer of a call on the callback.
    pub(super) fn of_callback<T>(
        result: &Result<T, CallbackError>,
        ok: impl FnOnce(&T) -> Self,
    ) -> Self {
        match result {
            Ok(value) => ok(value),
            Err(error) => Self::Refused(*error),
        }
    }

    /// The answer of a call of the handler.
    pub(super) fn of_handler<T>(
        result: &Result<T, HandlerError>,
        ok: impl FnOnce(&T) -> Self,
    ) -> Self {
        match result {
            Ok(value) => ok(value),
            Err(error) => Self::Failed {
                code: error.hresult(),
                text: error.to_string(),
            },
        }
    }
}

impl From<&HandlerInfo> for Answer {
    fn from(info: &HandlerInfo) -> Self {
        Self::Info {
            name: info.name.as_str().to_owned(),
            flags: info.flags,
        }
    }
}

impl From<&ItemList> for Answer {
    fn from(list: &ItemList) -> Self {
        Self::List {
            complete: list.is_complete(),
            items: list.items().iter().map(Listed::from).collect(),
        }
    }
}
