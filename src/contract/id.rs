//! The ids of items, errors and handlers: a UUID each, and three types so that they cannot be mixed up.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use uuid::Uuid;

use super::ValueError;
use super::name::excerpt;
use super::value_error::InvalidValue;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
        pub struct $name(Uuid);

        impl $name {
            /// The id of all zeros, `GUID_NULL`: no id of anything.
            #[doc(alias = "GUID_NULL")]
            pub const NIL: Self = Self(Uuid::nil());

            /// Makes an id of a number, whose top digits come first in the text form.
            #[must_use]
            pub const fn from_u128(number: u128) -> Self {
                Self(Uuid::from_u128(number))
            }

            /// Makes a random id (UUID version 4) that nobody else has.
            #[must_use]
            pub fn new_random() -> Self {
                Self(Uuid::new_v4())
            }

            /// Makes the id that belongs to a name (UUID version 5): equal names, equal ids, on
            /// every machine and in every run.
            ///
            /// The namespace keeps the names of one program apart from those of another: choose a
            /// random UUID once and keep it. The name is any bytes, such as a path's raw ones.
            #[must_use]
            pub fn from_name(namespace: Uuid, name: &[u8]) -> Self {
                Self(Uuid::new_v5(&namespace, name))
            }

            /// Returns the UUID.
            #[must_use]
            pub const fn as_uuid(&self) -> Uuid {
                self.0
            }

            /// Returns the id as a number, the reverse of [`from_u128`](Self::from_u128).
            #[must_use]
            pub const fn as_u128(&self) -> u128 {
                self.0.as_u128()
            }
        }

        // By hand for speed: a derive hashes the 16 bytes as a slice, so with a length prefix and
        // through the hasher's byte loop. One 128-bit write is what fast hashers mix in a few
        // instructions, and a table of items is asked at every report. The byte order does not
        // matter to a hash, so the native one saves the swap. Consistent with `Eq`, since equal
        // bytes make equal numbers.
        impl Hash for $name {
            fn hash<H: Hasher>(&self, state: &mut H) {
                state.write_u128(u128::from_ne_bytes(*self.0.as_bytes()));
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl FromStr for $name {
            type Err = ValueError;

            /// Parses a UUID with or without hyphens; one with hyphens also in braces or after `urn:uuid:`.
            fn from_str(text: &str) -> Result<Self, ValueError> {
                Uuid::try_parse(text).map(Self).map_err(|_| {
                    ValueError(InvalidValue::Id {
                        text: excerpt(text),
                    })
                })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.0.hyphenated().encode_lower(&mut Uuid::encode_buffer()))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
    };
}

id! {
    /// The id of an item: `SYNCMGRITEMID` of `mobsync.h`.
    ///
    /// The host keeps the user's choices by it, so an item should have the same id in every run:
    /// [`from_name`](Self::from_name) gives one. Unique within a handler and not nil (rule H21).
    ///
    /// ```
    /// use syncmgr::{ItemId, Uuid};
    ///
    /// const MY_MIRROR: Uuid = Uuid::from_u128(0x7d0c_58f2_5d1e_4f0b_9a0f_5d8e_3b61_c7a4);
    ///
    /// let id = ItemId::from_name(MY_MIRROR, b"photos/2024");
    /// assert_eq!(id, ItemId::from_name(MY_MIRROR, b"photos/2024"));
    /// assert_ne!(id, ItemId::from_name(MY_MIRROR, b"photos/2025"));
    /// assert_eq!(format!("{{{id}}}").parse(), Ok(id));
    /// ```
    #[doc(alias = "SYNCMGRITEMID")]
    ItemId
}

id! {
    /// The id of a logged error: `SYNCMGRERRORID` of `mobsync.h`.
    ///
    /// The handler chooses it; the host deletes and shows entries by it. The nil id stands for all
    /// entries in `ISyncMgrSynchronizeCallback::DeleteLogError`, so no entry may have it.
    ///
    /// ```
    /// use syncmgr::ErrorId;
    ///
    /// let error = ErrorId::new_random();
    /// assert_ne!(error, ErrorId::NIL);
    /// assert_eq!(error.to_string().parse(), Ok(error));
    /// ```
    #[doc(alias = "SYNCMGRERRORID")]
    ErrorId
}

id! {
    /// The id of a handler: the class id by which `ISyncMgrRegister` knows it.
    ///
    /// ```
    /// use syncmgr::HandlerId;
    ///
    /// const MIRROR: HandlerId = HandlerId::from_u128(0x9d9c2e6e_34a5_4f3b_8a52_7c1c7b1b0d11);
    /// assert_eq!(MIRROR.to_string(), "9d9c2e6e-34a5-4f3b-8a52-7c1c7b1b0d11");
    /// ```
    #[doc(alias = "CLSID")]
    HandlerId
}
