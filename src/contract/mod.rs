//! Floor 1: the vocabulary of the contract and its two sides.
//!
//! Ids, values, flags, reports, answers, errors and the two traits. Nothing here holds a lock, does
//! I/O or keeps state; nothing panics, whatever the input. The floors above depend on this one, and
//! this one on nothing of ours.

mod answer;
mod callback;
mod callback_error;
mod escaped;
mod event;
mod filetime;
mod flags;
mod handler;
mod handler_error;
mod hresult;
mod id;
pub mod iid;
mod item;
#[cfg(feature = "serde")]
mod json;
#[cfg(feature = "serde")]
pub(crate) mod json_time;
mod log;
mod name;
mod outcome;
mod scale;
mod slot;
mod status;
mod update;
mod value;

pub use answer::{Dialog, Participation, Prepared, Verdict};
pub use callback::SyncCallback;
pub use callback_error::CallbackError;
pub(crate) use escaped::Escaped;
#[cfg(feature = "indicatif")]
pub(crate) use escaped::is_invisible;
#[cfg(feature = "serde")]
pub(crate) use escaped::printable;
pub use event::SyncEvent;
pub use filetime::{from_filetime, to_filetime};
pub use flags::{
    ErrorFlags, HandlerFlags, InvokeFlags, ItemFlags, LogInfoMask, ProgressMask, RegisterFlags,
    SyncFlags,
};
pub use handler::SyncHandler;
pub use handler_error::HandlerError;
pub use hresult::HResult;
pub use id::{ErrorId, HandlerId, IdError, ItemId};
pub use item::{HandlerInfo, ItemList, SyncItem};
#[cfg(all(feature = "serde", feature = "testing"))]
pub(crate) use json::filetime_ticks;
pub use log::{LogLevel, LogRecord, LogSelector};
pub use name::{HandlerName, ItemName, NameError};
pub use outcome::{ErrorOutcome, PropertiesOutcome};
pub use scale::scale_to_i32;
pub use slot::SlotHandle;
pub use status::ItemStatus;
pub use update::ProgressUpdate;
pub use value::UnknownValue;
