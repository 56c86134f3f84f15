//! The error for a text or number that is not a value of the contract.

use crate::HResult;

/// The error for a text or number that is not a value of the contract: a name that is too long or contains NUL, a text
/// that is not an id, a number that an enumeration of the header does not have.
///
/// Its message contains what was refused and what is allowed. Of a text of more than 256 UTF-16 units it contains the end,
/// after `…`.
///
/// # Examples
///
/// ```
/// use syncmgr::{HResult, HandlerName, ItemId, ItemStatus};
///
/// let error = HandlerName::try_from("a name of far more than thirty-one units").unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "the name \"a name of far more than thirty-one units\" has 40 UTF-16 units; at most 31 are allowed",
/// );
/// assert_eq!(error.hresult(), HResult::E_INVALIDARG);
///
/// assert!("item 1".parse::<ItemId>().is_err());
/// assert_eq!(
///     ItemStatus::try_from(9).unwrap_err().to_string(),
///     "9 is not a value of SYNCMGRSTATUS; allowed are 0 to 8 and 0x100 (256)",
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error(transparent)]
pub struct ValueError(pub(super) InvalidValue);

/// What is wrong with a value.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub(super) enum InvalidValue {
    #[error("the name {text:?} has {units} UTF-16 units; at most {limit} are allowed")]
    NameTooLong {
        text: Box<str>,
        units: usize,
        limit: usize,
    },
    #[error(
        "the name {text:?} contains a NUL character; up to {limit} UTF-16 units without NUL are allowed"
    )]
    NameWithNul { text: Box<str>, limit: usize },
    #[error(
        "{text:?} is not an id; expected a UUID of 32 hexadecimal digits, with or without hyphens"
    )]
    Id { text: Box<str> },
    #[error("{value} is not a value of {type_name}; allowed are {allowed}")]
    Number {
        type_name: &'static str,
        allowed: &'static str,
        value: u32,
    },
}

impl ValueError {
    pub(super) const fn number(type_name: &'static str, allowed: &'static str, value: u32) -> Self {
        Self(InvalidValue::Number {
            type_name,
            allowed,
            value,
        })
    }

    /// Returns [`HResult::E_INVALIDARG`].
    #[must_use]
    pub const fn hresult(&self) -> HResult {
        HResult::E_INVALIDARG
    }
}
