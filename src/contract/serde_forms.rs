//! How ids, names, codes and flags are written with feature `serde`: ids and names as text, codes by their names, flags as
//! numbers, so that bits without a name survive.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    ErrorFlags, ErrorId, HResult, HandlerFlags, HandlerId, HandlerName, InvokeFlags, ItemFlags,
    ItemId, ItemList, ItemName, PropertiesOutcome, RegisterFlags, SyncFlags, SyncItem,
};

macro_rules! as_text {
    ($($id:ident)+) => {$(
        impl Serialize for $id {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $id {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = Cow::<'_, str>::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }
    )+};
}

as_text! { ItemId ErrorId HandlerId ItemName HandlerName }

macro_rules! as_number {
    ($($flags:ident)+) => {$(
        impl Serialize for $flags {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_u32(self.bits())
            }
        }

        impl<'de> Deserialize<'de> for $flags {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                u32::deserialize(deserializer).map(Self::from_bits_retain)
            }
        }
    )+};
}

as_number! { SyncFlags HandlerFlags ItemFlags InvokeFlags RegisterFlags ErrorFlags }

impl Serialize for HResult {
    /// The header's name, or the number as `"0x80070002"`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.name() {
            Some(name) => serializer.serialize_str(name),
            None => serializer.collect_str(&format_args!("0x{:08X}", self.to_u32())),
        }
    }
}

impl<'de> Deserialize<'de> for HResult {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Code)
    }
}

struct Code;

impl Visitor<'_> for Code {
    type Value = HResult;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the header's name of a result code, or its number as 0x and 8 hexadecimal digits",
        )
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<HResult, E> {
        let code = match text.strip_prefix("0x") {
            // A sign is a number to `from_str_radix`, and none here.
            Some(digits) if digits.len() <= 8 && !digits.starts_with('+') => {
                u32::from_str_radix(digits, 16).ok().map(HResult::from_u32)
            }
            _ => HResult::from_name(text),
        };
        code.ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}

impl Serialize for PropertiesOutcome {
    /// Its code.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        HResult::from(*self).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for PropertiesOutcome {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        HResult::deserialize(deserializer).map(Self::from)
    }
}

#[derive(Serialize)]
struct ListRef<'a> {
    complete: bool,
    items: &'a [SyncItem],
}

#[derive(Deserialize)]
struct List {
    complete: bool,
    items: Vec<SyncItem>,
}

impl Serialize for ItemList {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (complete, items) = (self.is_complete(), self.items());
        ListRef { complete, items }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ItemList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let list = List::deserialize(deserializer)?;
        Ok(match list.complete {
            true => Self::Complete(list.items),
            false => Self::Incomplete(list.items),
        })
    }
}

/// Times as ticks of a `FILETIME`: 100 ns since 1601, the precision of the contract.
#[cfg(feature = "testing")]
pub(crate) mod filetime_ticks {
    use std::time::SystemTime;

    use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

    use crate::contract::filetime::{from_filetime, to_filetime};

    pub(crate) fn serialize<S: Serializer>(
        time: &Option<SystemTime>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        // A time before 1601 has no ticks, and is left out.
        time.and_then(to_filetime).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<SystemTime>, D::Error> {
        let Some(ticks) = Option::<u64>::deserialize(deserializer)? else {
            return Ok(None);
        };
        from_filetime(ticks).map(Some).ok_or_else(|| {
            let text = format!(
                "the time of {ticks} ticks of 100 ns since 1601 is out of this machine's range"
            );
            de::Error::custom(text)
        })
    }
}
