//! The Windows Synchronization Manager contract as portable Rust traits, with an in-memory host.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod contract;
mod manager;
mod session;

#[doc(hidden)]
pub use contract::SlotHandle;
pub use contract::{
    CallbackError, Dialog, ErrorFlags, ErrorId, ErrorOutcome, HResult, HandlerError, HandlerFlags,
    HandlerId, HandlerInfo, HandlerName, IdError, InvokeFlags, ItemFlags, ItemId, ItemList,
    ItemName, ItemStatus, LogInfoMask, LogLevel, LogRecord, LogSelector, NameError, Participation,
    Prepared, ProgressMask, ProgressUpdate, PropertiesOutcome, RegisterFlags, SyncCallback,
    SyncEvent, SyncFlags, SyncHandler, SyncItem, UnknownValue, Verdict, from_filetime, iid,
    scale_to_i32, to_filetime,
};
pub use manager::{Fault, HandlerReport, RunOptions, run_handler};
pub use session::{
    BuildError, Changes, Completion, Connections, Connector, Cursor, DialogArbiter, HostEvent,
    ItemReporter, ItemView, LogEntry, Phase, RefusedCompletion, Session, SessionBuilder,
    SessionSnapshot, Totals,
};
pub use uuid::Uuid;
