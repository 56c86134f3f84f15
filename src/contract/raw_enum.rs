//! The enums with the numbers of the header.

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

            /// Returns the text that `Display` writes.
            pub(crate) const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }

        impl TryFrom<u32> for $type {
            type Error = $crate::ValueError;

            /// Fails on a number that the header does not have.
            fn try_from(value: u32) -> Result<Self, $crate::ValueError> {
                $(if value == Self::$variant.raw() {
                    return Ok(Self::$variant);
                })+
                Err($crate::ValueError::number($header, $allowed, value))
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
