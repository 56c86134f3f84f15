//! The enums that mirror a header's numbers, and the error for a number that none of them has.

use crate::HResult;

/// The error for a number that a header's enumeration does not have.
///
/// Its message names the enumeration, the number and the numbers that are allowed.
///
/// ```
/// use syncmgr::{HResult, ItemStatus};
///
/// let error = ItemStatus::try_from(9).unwrap_err();
/// assert_eq!(error.value(), 9);
/// assert_eq!(error.hresult(), HResult::E_INVALIDARG);
/// assert_eq!(
///     error.to_string(),
///     "9 is not a value of SYNCMGRSTATUS; allowed are 0 to 8 and 0x100 (256)",
/// );
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("{value} is not a value of {type_name}; allowed are {allowed}")]
pub struct UnknownValue {
    type_name: &'static str,
    allowed: &'static str,
    value: u32,
}

impl UnknownValue {
    pub(crate) const fn new(type_name: &'static str, allowed: &'static str, value: u32) -> Self {
        Self {
            type_name,
            allowed,
            value,
        }
    }

    /// Returns the number that was refused.
    #[must_use]
    pub const fn value(&self) -> u32 {
        self.value
    }

    /// Returns the header's name of the enumeration, such as `SYNCMGRSTATUS`.
    #[must_use]
    pub const fn type_name(&self) -> &'static str {
        self.type_name
    }

    /// Returns [`HResult::E_INVALIDARG`].
    #[must_use]
    pub const fn hresult(&self) -> HResult {
        HResult::E_INVALIDARG
    }
}

/// Gives an enum with the header's discriminants its `raw`, `name`, `as_str`, `Display` and conversions.
macro_rules! raw_values {
    ($type:ident is $header:literal, allowed $allowed:literal {
        $($variant:ident => $text:literal, $name:literal;)+
    }) => {
        impl $type {
            #[doc = concat!("Returns the number that `", $header, "` has for it.")]
            #[must_use]
            pub const fn raw(self) -> u32 {
                self as u32
            }

            /// Returns the header's name of it: for logs that have to say what they said before a port.
            ///
            /// ```
            /// use syncmgr::{ItemStatus, LogLevel, SyncEvent};
            ///
            /// assert_eq!(ItemStatus::Updating.name(), "SYNCMGRSTATUS_UPDATING");
            /// assert_eq!(LogLevel::Error.name(), "SYNCMGRLOGLEVEL_ERROR");
            /// assert_eq!(SyncEvent::Scheduled.name(), "SYNCMGRFLAG_SCHEDULED");
            /// ```
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// Returns it in words, in lower case, as `Display` shows it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }

        impl TryFrom<u32> for $type {
            type Error = $crate::UnknownValue;

            /// Fails with an [`UnknownValue`](crate::UnknownValue) on a number that the header does not have.
            fn try_from(value: u32) -> Result<Self, $crate::UnknownValue> {
                $(if value == Self::$variant.raw() {
                    return Ok(Self::$variant);
                })+
                Err($crate::UnknownValue::new($header, $allowed, value))
            }
        }

        impl From<$type> for u32 {
            fn from(value: $type) -> Self {
                value.raw()
            }
        }

        impl ::std::fmt::Display for $type {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

pub(crate) use raw_values;
