//! The types of the contract and its two traits.
//!
//! Ids, values, flags, reports, answers, errors and the two traits. Nothing here holds a lock, does
//! I/O or keeps state; nothing panics, whatever the input.

mod callback;
mod callback_error;
mod response;

mod event;
mod filetime;
mod flags;
mod handler;
mod handler_error;
mod hresult;
mod id;
mod item;
mod log;
mod name;
mod outcome;
mod raw_enum;
mod scale;
#[cfg(feature = "serde")]
mod serde_forms;
#[cfg(feature = "serde")]
pub(crate) mod serde_time;
mod slot;
mod status;
mod update;
mod value_error;

pub use callback::SyncCallback;
pub use callback_error::CallbackError;
pub use event::SyncEvent;
pub use filetime::{from_filetime, to_filetime};
pub use flags::{
    ErrorFlags, HandlerFlags, InvokeFlags, ItemFlags, LogInfoMask, ProgressMask, RegisterFlags,
    SyncFlags,
};
pub use handler::SyncHandler;
pub use handler_error::HandlerError;
pub use hresult::HResult;
pub use id::{ErrorId, HandlerId, ItemId};
pub use item::{HandlerInfo, ItemList, SyncItem};
pub use log::{LogLevel, LogRecord, LogSelector};
pub use name::{HandlerName, ItemName};
pub use outcome::{ErrorOutcome, PropertiesOutcome};
pub use response::{Dialog, Participation, Prepared, Verdict};
pub use scale::scale_to_i32;
#[cfg(all(feature = "serde", feature = "testing"))]
pub(crate) use serde_forms::filetime_ticks;
pub(crate) use slot::SlotHandle;
pub use status::ItemStatus;
pub use update::ProgressUpdate;
pub use value_error::ValueError;
