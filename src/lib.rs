//! The contract of the Windows Synchronization Manager as portable Rust traits, with an in-memory host.
//!
//! A program that synchronizes something (a *handler*) and the program that hosts it agree on little, but on that
//! exactly: progress for each item, a verdict on every report, logged errors, completion in two steps, retry, one dialog
//! at a time. `mobsync.h` fixed that contract for Windows; this crate gives it to every platform, without COM and
//! without unsafe code.
//!
//! A report costs as much as the store that it makes, and a cancel is never missed: once a cancel call has returned, no
//! later report of the item is answered [`Continue`](Verdict::Continue), on any thread.
//!
//! # The two sides
//!
//! ```text
//! host                                             handler
//!  | initialize(flags, cookie)  ------------------>  takes part, or not
//!  | info, items                ------------------>  what it is, what it can synchronize
//!  | set_progress_callback(some)  ---------------->  keeps the callback
//!  | prepare_for_sync(items)    ------------------>  returns fast
//!  |        <---- prepare_for_sync_completed         from any thread
//!  | synchronize()              ------------------>  returns fast
//!  |        <---- progress(item, update)             from any thread; the answer is the verdict
//!  |        <---- log_error(record)
//!  | set_item_status(item, Skipped)  ------------->  drops that item
//!  |        <---- synchronize_completed              from any thread
//!  | show_error(id)             ------------------>  for a logged error that the user follows
//!  |        <---- show_error_completed(retry items)  prepare and synchronize again
//!  | set_progress_callback(none)  ---------------->  makes no call any more
//! ```
//!
//! - [`SyncHandler`] is the handler's side, [`SyncCallback`] the host's. Their pages are the reference for those who
//!   implement them, and name the rules that bind each: `H01` to `H22` the handler, `M01` to `M10` the host.
//! - [`Session`] is an in-memory host of one synchronization. A tool without a handler builds one, reports and finishes.
//! - [`ItemReporter`] is the fast handle on one item.
//! - [`run_handler`] takes a handler through its whole life.
//!
//! # A first program
//!
//! ```
//! use std::thread;
//! use syncmgr::{HResult, ItemId, Session, SyncCallback, SyncItem, Verdict};
//!
//! let photos = ItemId::from_u128(1);
//! let session = Session::builder().item(SyncItem::new(photos, "Photos".parse()?)).build()?;
//!
//! let reporter = session.reporter(photos)?;
//! let worker = thread::spawn(move || {
//!     for done in 1..=1_000_000 {
//!         if reporter.set(done)? != Verdict::Continue {
//!             return reporter.stop();
//!         }
//!     }
//!     reporter.succeed()
//! });
//!
//! session.cancel_item(photos)?; // from any thread; no later report is answered Continue

//! worker.join().expect("the worker does not panic")?;
//! session.synchronize_completed(HResult::S_OK)?;
//! println!("{:?}", session.item(photos));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # How it is built
//!
//! Dependencies point downwards only.
//!
//! | floor | what lives there |
//! |---|---|
//! | manager | [`run_handler`] |
//! | session | [`Session`], the in-memory host, and what observers, drivers and workers use of it |
//! | contract | ids, values, flags, reports, answers, errors and the two traits: no locks, no I/O, no state |

#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![cfg_attr(docsrs, feature(doc_cfg))]

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

/// The README's program is compiled and run with the doc tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
