//! Names with the length limits of the header's fixed UTF-16 buffers.
//!
//! The limits count UTF-16 units, of which a character outside the basic plane takes two. The
//! buffers end with a NUL, so a name has one unit less and no NUL of its own.

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::ValueError;
use super::value_error::InvalidValue;

/// Stands for what was left out in front of a shortened name: one UTF-16 unit, three bytes.
const ELLIPSIS: char = '…';

/// How much of a refused text an error message repeats, in UTF-16 units.
const EXCERPT_UNITS: usize = 256;

/// Returns `text` for an error message: whole, or its end after `…`.
pub(super) fn excerpt(text: &str) -> Box<str> {
    match cut(text, EXCERPT_UNITS) {
        None => text.into(),
        Some(end) => with_ellipsis(end).into(),
    }
}

/// Returns `None` if `text` fits, and otherwise the longest end of it that leaves one unit free.
///
/// Looks at no more characters than the limit, however long the text is.
fn cut(text: &str, limit: usize) -> Option<&str> {
    // A character has at most as many UTF-16 units as bytes.
    if text.len() <= limit {
        return None;
    }
    let room = limit.saturating_sub(ELLIPSIS.len_utf16());
    let mut units = 0;
    let mut end = "";
    for (at, character) in text.char_indices().rev() {
        units += character.len_utf16();
        if units > limit {
            return Some(end);
        }
        if units <= room {
            end = text.get(at..).unwrap_or(end);
        }
    }
    None
}

fn with_ellipsis(end: &str) -> String {
    let mut text = String::with_capacity(ELLIPSIS.len_utf8() + end.len());
    text.push(ELLIPSIS);
    text.push_str(end);
    text
}

fn check(text: &str, limit: usize) -> Result<(), ValueError> {
    let invalid = if text.contains('\0') {
        InvalidValue::NameWithNul {
            text: excerpt(text),
            limit,
        }
    } else if cut(text, limit).is_some() {
        InvalidValue::NameTooLong {
            text: excerpt(text),
            units: text.encode_utf16().count(),
            limit,
        }
    } else {
        return Ok(());
    };
    Err(ValueError(invalid))
}

fn shorten(text: &str, limit: usize) -> Arc<str> {
    let short = match cut(text, limit) {
        None => Cow::Borrowed(text),
        Some(end) => Cow::Owned(with_ellipsis(end)),
    };
    // Both characters are one unit, so the length stays what it is.
    if short.contains('\0') {
        short.replace('\0', "\u{FFFD}").into()
    } else {
        short.into()
    }
}

/// Returns the beginning of `text`: to its first NUL, and to the last character that ends within the limit.
fn begin(text: &str, limit: usize) -> &str {
    let mut units = 0;
    for (at, character) in text.char_indices() {
        units += character.len_utf16();
        if units > limit || character == '\0' {
            return text.get(..at).unwrap_or_default();
        }
    }
    text
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $limit:literal, $alias:literal) => {
        $(#[$doc])*
        // Shared, as a name is kept by the handler, its session and each view of its item, and never changes.
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            #[doc = concat!("How many UTF-16 units a name may have: ", stringify!($limit), ".")]
            #[doc(alias = $alias)]
            pub const MAX_UTF16_LEN: usize = $limit;

            /// Returns the name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Makes a name of any text, without failing.
            ///
            /// Of a text that is too long the end is kept, which in a path tells most, after a `…`
            /// that counts as one unit. No character is split. A NUL becomes U+FFFD.
            #[must_use]
            pub fn truncate_start(text: &str) -> Self {
                Self(shorten(text, Self::MAX_UTF16_LEN))
            }

            /// Makes a name of any text, without failing, as `StringCchCopyW` fills the header's buffer.
            ///
            /// Of a text that is too long the beginning is kept, with no mark; a NUL ends the text. Unlike there, a
            /// character of two units for which only one is left is left out, not split.
            #[must_use]
            pub fn truncate_end(text: &str) -> Self {
                Self(begin(text, Self::MAX_UTF16_LEN).into())
            }
        }

        impl TryFrom<&str> for $name {
            type Error = ValueError;

            /// Fails if the text is too long or contains a NUL.
            fn try_from(text: &str) -> Result<Self, ValueError> {
                check(text, Self::MAX_UTF16_LEN)?;
                Ok(Self(text.into()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = ValueError;

            /// Fails if the text is too long or contains a NUL.
            fn try_from(text: String) -> Result<Self, ValueError> {
                check(&text, Self::MAX_UTF16_LEN)?;
                Ok(Self(text.into()))
            }
        }

        impl FromStr for $name {
            type Err = ValueError;

            /// Fails if the text is too long or contains a NUL.
            fn from_str(text: &str) -> Result<Self, ValueError> {
                Self::try_from(text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.as_str().to_owned()
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        // Eq, Ord and Hash are those of the text, as `Borrow` asks.
        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                *self.0 == *other
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                *self.0 == **other
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:?})"), &*self.0)
            }
        }
    };
}

name! {
    /// The name of an item: at most 127 UTF-16 units without NUL (`SYNCMGRITEM`, rule H21).
    ///
    /// ```
    /// use syncmgr::ItemName;
    ///
    /// let name = ItemName::try_from("photos/2024")?;
    /// assert_eq!(name.as_str(), "photos/2024");
    ///
    /// let path = "a/".repeat(100) + "report.txt";
    /// assert!(ItemName::try_from(&*path).is_err());
    /// assert!(ItemName::truncate_start(&path).as_str().starts_with('…'));
    /// assert!(ItemName::truncate_start(&path).as_str().ends_with("/a/report.txt"));
    /// assert_eq!(ItemName::truncate_end(&path).as_str(), &path[..127]);
    /// # Ok::<(), syncmgr::ValueError>(())
    /// ```
    ItemName, 127, "MAX_SYNCMGRITEMNAME"
}

name! {
    /// The name of a handler: at most 31 UTF-16 units without NUL (`SYNCMGRHANDLERINFO`, rule H21).
    ///
    /// ```
    /// use syncmgr::HandlerName;
    ///
    /// assert_eq!(HandlerName::try_from("Mirror")?, "Mirror");
    /// let error = HandlerName::try_from("a name that is far too long for it").unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "the name \"a name that is far too long for it\" has 34 UTF-16 units; \
    ///      at most 31 are allowed",
    /// );
    /// assert_eq!(HandlerName::truncate_end("a name that is far too long for it"), "a name that is far too long for");
    /// # Ok::<(), syncmgr::ValueError>(())
    /// ```
    HandlerName, 31, "MAX_SYNCMGRHANDLERNAME"
}
