//! The field that says what a document is, and its version. It is looked for before anything else is read, wherever in the object
//! it stands, so that a form that is not known is refused as such, and not for what it has in it.

use std::borrow::Cow;
use std::fmt;

use serde::Deserializer;
use serde::de::{self, DeserializeOwned, DeserializeSeed, IgnoredAny, MapAccess, Visitor};

use super::error::{JsonError, JsonErrorKind};
use crate::util::escape::Escaped;

/// What every such field begins with.
const PREFIX: &str = "syncmgr_";

/// Which head is wanted.
#[derive(Clone, Copy)]
pub(crate) struct Envelope {
    /// The field.
    pub(crate) head: &'static str,
    /// How files had it before.
    pub(crate) old_head: Option<&'static str>,
    /// The version that is written. Every one up to it is read.
    pub(crate) version: u64,
}

impl Envelope {
    /// Reads a text of this kind.
    pub(crate) fn read<T: DeserializeOwned>(self, text: &[u8]) -> Result<T, JsonError> {
        self.check(text)?;
        serde_json::from_slice(text).map_err(|source| self.invalid(source))
    }

    /// Whether the text is a document of this kind that can be read.
    fn check(self, text: &[u8]) -> Result<(), JsonError> {
        let form = |source| self.invalid(source);
        let mut deserializer = serde_json::Deserializer::from_slice(text);
        let found = self.deserialize(&mut deserializer).map_err(form)?;
        deserializer.end().map_err(form)?;
        match found {
            FoundHead::Version(version) if (1..=self.version).contains(&version) => Ok(()),
            FoundHead::Version(version) => Err(JsonError::new(
                JsonErrorKind::UnsupportedVersion,
                format!(
                    "the {} has the version {version}; versions 1 to {} can be read",
                    self.head, self.version
                ),
            )),
            FoundHead::Other(found) => {
                let found = match found {
                    Some(found) => format!("a {}", Escaped(found)),
                    None => "an object without a head".to_owned(),
                };
                Err(JsonError::new(
                    JsonErrorKind::WrongDocument,
                    format!(
                        "the text is {found}; an object with the field {:?} is wanted",
                        self.head
                    ),
                ))
            }
        }
    }

    /// The error for a text that is not of the form.
    fn invalid(self, source: serde_json::Error) -> JsonError {
        let what = format!("the text is no {}", self.head);
        JsonError::invalid(JsonErrorKind::InvalidData, &what, source)
    }
}

pub(crate) enum FoundHead {
    Version(u64),
    /// Another head, or none.
    Other(Option<String>),
}

impl<'de> DeserializeSeed<'de> for Envelope {
    type Value = FoundHead;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<FoundHead, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Envelope {
    type Value = FoundHead;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object with the field {:?}", self.head)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<FoundHead, A::Error> {
        let mut version = None;
        let mut other = None;
        while let Some(key) = map.next_key::<Cow<'_, str>>()? {
            if key == self.head || self.old_head.is_some_and(|old| key == old) {
                if version.is_some() {
                    return Err(de::Error::duplicate_field(self.head));
                }
                version = Some(map.next_value()?);
                continue;
            }
            if key.starts_with(PREFIX) {
                other = Some(key.into_owned());
            }
            map.next_value::<IgnoredAny>()?;
        }
        Ok(version.map_or(FoundHead::Other(other), FoundHead::Version))
    }
}
