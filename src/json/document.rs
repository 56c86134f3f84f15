//! A value as a document of its own.

use std::io::{self, BufWriter, Write};

use serde::de::DeserializeOwned;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::envelope::Envelope;
use super::error::JsonError;
use super::reports::{HandlerReportData, RunReportData};
use crate::manager::choices_form;
use crate::{
    Changes, Choices, HandlerReport, Listing, RunChanges, RunReport, SessionSnapshot, WaitTimeout,
};

/// What can be kept or sent whole: an object whose first field says what it is and in which version, as
/// `{"syncmgr_snapshot":1,…}`.
///
/// It is implemented for the types below, and not to be implemented elsewhere.
pub trait Document: Serialize + sealed::Sealed {
    /// The field that says what it is.
    const HEAD: &'static str;

    /// The version that is written. Every one up to it is read.
    const VERSION: u64;
}

mod sealed {
    pub trait Sealed {
        /// How files had the head before.
        const OLD_HEAD: Option<&'static str> = None;
        /// Whether the type writes the head by itself.
        const HEADED: bool = false;
    }
}

macro_rules! documents {
    ($($type:ty: $head:literal,)+) => {$(
        impl sealed::Sealed for $type {}
        impl Document for $type {
            const HEAD: &'static str = $head;
            const VERSION: u64 = 1;
        }
    )+};
}

documents! {
    SessionSnapshot: "syncmgr_snapshot",
    Changes: "syncmgr_changes",
    RunChanges: "syncmgr_run_changes",
    WaitTimeout: "syncmgr_unfinished",
    Listing: "syncmgr_listing",
    HandlerReport: "syncmgr_handler_report",
    HandlerReportData: "syncmgr_handler_report",
    RunReport: "syncmgr_run_report",
    RunReportData: "syncmgr_run_report",
}

impl sealed::Sealed for Choices {
    const OLD_HEAD: Option<&'static str> = Some(choices_form::OLD_HEAD);
    const HEADED: bool = true;
}

impl Document for Choices {
    const HEAD: &'static str = choices_form::HEAD;
    const VERSION: u64 = choices_form::VERSION;
}

/// A value with its head.
pub(super) struct Headed<'a, T>(pub(super) &'a T);

impl<T: Document> Serialize for Headed<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct DocumentForm<'a, T> {
            #[serde(flatten)]
            head: DocumentHead,
            #[serde(flatten)]
            body: &'a T,
        }
        if T::HEADED {
            return self.0.serialize(serializer);
        }
        let head = DocumentHead(T::HEAD, T::VERSION);
        let body = self.0;
        DocumentForm { head, body }.serialize(serializer)
    }
}

/// The first field.
struct DocumentHead(&'static str, u64);

impl Serialize for DocumentHead {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(self.0, &self.1)?;
        map.end()
    }
}

/// The document as text, on one line.
///
/// ```
/// use syncmgr::{Choices, HandlerId, ItemId, json};
///
/// let mut choices = Choices::new();
/// choices.set(HandlerId::from_u128(1), ItemId::from_u128(2), false);
/// let text = json::to_string(&choices);
/// assert_eq!(json::from_str::<Choices>(&text)?, choices);
/// # Ok::<(), json::JsonError>(())
/// ```
#[must_use]
pub fn to_string<T: Document>(document: &T) -> String {
    // Nothing here has a key that is no text, which is all that can go wrong.
    serde_json::to_string(&Headed(document)).unwrap_or_default()
}

/// Writes the document, on one line without an end of line. It is never in memory as a whole, and written in pieces of some
/// kilobytes.
///
/// ```
/// use std::fs::File;
/// use syncmgr::{Choices, json};
///
/// # let path = std::env::temp_dir().join("syncmgr json to_writer example");
/// json::to_writer(File::create(&path)?, &Choices::new())?;
/// let choices: Choices = json::from_str(&std::fs::read_to_string(&path)?)?;
/// # std::fs::remove_file(&path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// What the writer answers.
pub fn to_writer<T: Document>(writer: impl Write, document: &T) -> io::Result<()> {
    let mut writer = BufWriter::new(writer);
    serde_json::to_writer(&mut writer, &Headed(document))?;
    writer.flush()
}

/// Reads a document: see [`to_string`] for an example.
///
/// Fields that are not known are passed over, so that a file of a later minor version can be read.
///
/// # A report is read as `HandlerReportData`
///
/// A [`HandlerReport`] holds a session, which cannot be read back: `from_str` is not there for it. It is read as a
/// [`HandlerReportData`], and a [`RunReport`] as a [`RunReportData`].
///
/// # Errors
///
/// The [kind](JsonError::kind) says whether it is another document, has a version that is not known, or is not of the form.
pub fn from_str<T: Document + DeserializeOwned>(text: &str) -> Result<T, JsonError> {
    let wanted = Envelope {
        head: T::HEAD,
        old_head: T::OLD_HEAD,
        version: T::VERSION,
    };
    wanted.read(text.as_bytes())
}
