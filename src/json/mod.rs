//! What leaves the program as JSON (feature `serde`): documents that say what they are and in which version, and a session as a
//! stream of lines.
//!
//! Every type that a user sees is `Serialize` and `Deserialize` by itself, for whoever has a format of their own. This module makes
//! of the ones that are kept or sent whole a [`Document`], which a later version of this crate still reads, and of a
//! [`Session`](crate::Session) that is watched from elsewhere a stream: [`StreamWriter`] and [`StreamReader`].
//!
//! A report of a run holds a session, which cannot be read back. So reports are written as what they say, and read as
//! [`HandlerReportData`] and [`RunReportData`]: the same as plain data.
//!
//! ```
//! use syncmgr::{ItemId, Session, SessionSnapshot, SyncItem, json};
//!
//! let session = Session::builder()
//!     .item(SyncItem::new(ItemId::from_u128(1), "Photos".parse()?))
//!     .build()?;
//! let text = json::to_string(&session.snapshot());
//! assert!(text.starts_with(r#"{"syncmgr_snapshot":1,"#));
//!
//! let read: SessionSnapshot = json::from_str(&text)?;
//! assert_eq!(read, session.snapshot());
//!
//! let later = text.replacen("1", "2", 1);
//! let error = json::from_str::<SessionSnapshot>(&later).unwrap_err();
//! assert_eq!(
//!     error.to_string(),
//!     "the syncmgr_snapshot has the version 2; versions 1 to 1 can be read",
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The guide follows: every form, field by field.
//!
#![doc = include_str!("../../docs/json.md")]

mod document;
mod envelope;
mod error;
mod reader;
mod reports;
mod stream;

pub use document::{Document, from_str, to_string, to_writer};
#[cfg(feature = "testing")]
pub(crate) use envelope::Envelope;
pub use error::{JsonError, JsonErrorKind};
pub use reader::{StreamMessage, StreamReader};
pub use reports::{HandlerReportData, RunReportData};
pub use stream::{StreamSummary, StreamWriter};
