//! The error of reading a document.

use crate::util::escape::Escaped;

/// Why a text is not the document that is wanted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JsonError {
    /// It does not say that it is one.
    #[error("the text is {}; an object with the field {head:?} is wanted", .found.as_deref().map_or("an object without a head".into(), |found| format!("a {}", Escaped(found))))]
    NoHead {
        /// The field that is wanted.
        head: &'static str,
        /// What it says that it is.
        found: Option<String>,
    },
    /// The version is not known.
    #[error("the {head} has the version {version}; versions 1 to {known} can be read")]
    Version {
        /// The field that says what it is.
        head: &'static str,
        /// The version.
        version: u64,
        /// The last version that is known.
        known: u64,
    },
    /// It is no JSON, or not of this form.
    #[error("the text is no {head}: {}", said(.source))]
    Form {
        /// The field that says what it should be.
        head: &'static str,
        /// What is wrong with it, and where.
        source: serde_json::Error,
    },
}

/// What is wrong, and where: of a very long message, which repeats what was read, the beginning and the end.
pub(super) fn said(error: &serde_json::Error) -> String {
    const KEPT: usize = 200;
    let text = error.to_string();
    let begin = text.char_indices().nth(KEPT).map(|(at, _)| at);
    let end = text.char_indices().nth_back(KEPT).map(|(at, _)| at);
    match (begin, end) {
        (Some(begin), Some(end)) if begin < end => {
            let part = |range: Option<&str>| range.unwrap_or_default().to_owned();
            part(text.get(..begin)) + " … " + &part(text.get(end..))
        }
        _ => text,
    }
}
