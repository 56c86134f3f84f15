//! Choices as JSON (feature `serde`). They carry their version wherever they are, since they are kept inside other files too.
//!
//! ```text
//! {"syncmgr_choices":1,"handlers":{"HANDLER":{"ITEM":true}}}
//! ```

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, IgnoredAny, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Choices;

/// Says what it is and which version of the form.
pub(crate) const HEAD: &str = "syncmgr_choices";

/// As files had it that were written before the others had a head. They are read as version 1.
pub(crate) const OLD_HEAD: &str = "version";

/// The version that is written. Every one up to it is read.
pub(crate) const VERSION: u64 = 1;

impl Serialize for Choices {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry(HEAD, &VERSION)?;
        map.serialize_entry("handlers", &self.handlers)?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for Choices {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ChoicesForm)
    }
}

struct ChoicesForm;

impl<'de> Visitor<'de> for ChoicesForm {
    type Value = Choices;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "choices, an object with the field {HEAD:?}")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Choices, A::Error> {
        let mut version = None;
        let mut handlers = None;
        while let Some(key) = map.next_key::<Cow<'_, str>>()? {
            match &*key {
                HEAD | OLD_HEAD => {
                    if version.is_some() {
                        return Err(de::Error::duplicate_field(HEAD));
                    }
                    let found: u64 = map.next_value()?;
                    if !(1..=VERSION).contains(&found) {
                        return Err(de::Error::custom(format_args!(
                            "the choices have the version {found}; versions 1 to {VERSION} can be read"
                        )));
                    }
                    version = Some(found);
                }
                "handlers" => {
                    if handlers.is_some() {
                        return Err(de::Error::duplicate_field("handlers"));
                    }
                    handlers = Some(map.next_value::<Once<_, Once<_, bool>>>()?);
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        version.ok_or_else(|| de::Error::missing_field(HEAD))?;
        let handlers = handlers.ok_or_else(|| de::Error::missing_field("handlers"))?;
        let handlers = handlers.0.into_iter();
        Ok(Choices {
            handlers: handlers
                .map(|(handler, items)| (handler, items.0))
                .filter(|(_, items)| !items.is_empty())
                .collect(),
        })
    }
}

/// A map in which no key comes twice: two choices for one item would leave it to chance which of them holds.
struct Once<K, V>(BTreeMap<K, V>);

impl<'de, K, V> Deserialize<'de> for Once<K, V>
where
    K: Deserialize<'de> + Ord + fmt::Display,
    V: Deserialize<'de>,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(OnceForm(PhantomData))
    }
}

struct OnceForm<K, V>(PhantomData<(K, V)>);

impl<'de, K, V> Visitor<'de> for OnceForm<K, V>
where
    K: Deserialize<'de> + Ord + fmt::Display,
    V: Deserialize<'de>,
{
    type Value = Once<K, V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object whose keys are ids, each once")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Once<K, V>, A::Error> {
        let mut read = BTreeMap::new();
        while let Some(key) = map.next_key::<K>()? {
            match read.entry(key) {
                Entry::Vacant(place) => {
                    place.insert(map.next_value()?);
                }
                Entry::Occupied(place) => {
                    return Err(de::Error::custom(format_args!(
                        "the id {} is there twice; each may be there once",
                        place.key()
                    )));
                }
            }
        }
        Ok(Once(read))
    }
}
