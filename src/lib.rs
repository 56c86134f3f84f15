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
//!   implement them, and name the [rules](#the-rules) that bind each.
//! - [`Session`] is an in-memory host of one synchronization. A tool without a handler builds one, reports and finishes.
//! - [`ItemReporter`] is the fast handle on one item.
//! - [`per_item`] makes a whole handler of a list of items and the work of one.
//! - [`run_handler`] takes a handler through its whole life.
//! - [`SyncManager`] knows many handlers, remembers what the user chose, and runs them together.
//! - The module `render` (feature `indicatif`) shows a session or a run on a terminal.
//! - The module `testing` (feature `testing`) drives a handler as a host would and judges every call by the rules.
//!
//! # Features
//!
//! None is on by default.
//!
//! | feature | what it adds |
//! |---|---|
//! | `async` | futures and streams, of no runtime: work of [`per_item`] that is a future, tasks that wait for a cancel, a change or the end of a run. Brings `futures-core` |
//! | `indicatif` | the module `render`: bars on a terminal, or plain lines. Brings `indicatif` and `console` |
//! | `serde` | `Serialize` and `Deserialize` for what a user sees, and the module `json`: documents with a version, and a session as a stream of lines; with `testing`, traces as JSON lines. Brings `serde` and `serde_json` |
//! | `testing` | the module `testing`; no dependency |
//! | `tracing` | the module `telemetry`: runs, handlers and items as spans, what happens to them as events. Brings `tracing` |
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
//!     if reporter.check()? != Verdict::Continue {
//!         return reporter.skip(); // ask before the work is started
//!     }
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
//! # The rules
//!
//! `H` binds the handler, `M` the host. Where a page of the original says it, the rule is from there; what the pages leave
//! open was made exact here.
//!
//! | rule | what it asks |
//! |---|---|
//! | H01 | ask for a verdict, by any report of the item, before starting it |
//! | H02 | after `CancelItem`: no more work on that item, and nothing but its final status. A thread is told by its own answer |
//! | H03 | after `CancelAll`: the same for every item; start no new one |
//! | H04 | report only items of the current prepare, or added since |
//! | H05 | `prepare_for_sync_completed` exactly once if `prepare_for_sync` answered `Started` |
//! | H06 | and never if it answered anything else |
//! | H07 | `synchronize_completed` exactly once if `synchronize` answered `Ok` |
//! | H08 | and never if it answered anything else |
//! | H09 | `show_error_completed` once after a success of `show_error`, never after a failure |
//! | H10 | `show_properties_completed` once after a success of `show_properties`, never after a failure |
//! | H11 | a dialog only after `enable_modeless(true)` was granted, and exactly one `enable_modeless(false)` after it |
//! | H12 | no dialog in prepare or synchronize without [`MAY_BOTHER_USER`](SyncFlags::MAY_BOTHER_USER); not even the question |
//! | H13 | no call on a callback after it was replaced or taken away |
//! | H14 | do not start an item after `set_item_status(Skipped)` for it |
//! | H15 | every item of the round has a final status when `synchronize_completed` is called |
//! | H16 | after a final status only `Failed` may follow, until the next prepare |
//! | H17 | the value does not exceed the maximum, unless the status is `UpdatingIndeterminate` |
//! | H18 | a retry names only items that were listed or added |
//! | H19 | `item_object` answers `NotImplemented` |
//! | H20 | delete only error ids that were logged, or all of one's own |
//! | H21 | an item with [`LAST_UPDATE_TIME`](ItemFlags::LAST_UPDATE_TIME) carries the time; names fit; ids are unique and not nil |
//! | H22 | `establish_connection` only with [`MAY_ESTABLISH_CONNECTION`](HandlerFlags::MAY_ESTABLISH_CONNECTION) |
//! | M01 | `synchronize` only after a prepare that was completed with `S_OK` |
//! | M02 | neither prepare nor synchronize where no item is selected |
//! | M03 | the callback is set before prepare and before properties are shown, and taken away before the release |
//! | M04 | `set_item_status` only with `Skipped`, and only between the return of prepare or synchronize and its completion |
//! | M05 | `show_error` only for entries that were logged with [`jump_text`](LogRecord::jump_text), with that error id |
//! | M06 | a cookie only with the event [`Invoke`](SyncEvent::Invoke) |
//! | M07 | choices of items that are not listed are kept after an [`Incomplete`](ItemList::Incomplete) list |
//! | M08 | connections are closed only when all handlers of the run have finished |
//! | M09 | one dialog at a time |
//! | M10 | once a cancel call has returned, every later report of the item answers the cancel, on any thread |
//!
//! # How it is built
//!
//! Dependencies point downwards only.
//!
//! | floor | what lives there |
//! |---|---|
//! | `testing` (feature) | the kit that proves a handler obeys the rules above |
//! | `json` (feature `serde`) | documents with a version, and streams, of what the floors below tell |
//! | `render` (feature `indicatif`) | bars and plain lines of a session or a run |
//! | `telemetry` (feature `tracing`) | tells a session or a run to the `tracing` ecosystem |
//! | manager, [`per_item`] | [`run_handler`], [`SyncManager`]; the easy way to a handler |
//! | session | [`Session`], the in-memory host, and what observers, drivers and workers use of it |
//! | contract | ids, values, flags, reports, answers, errors and the two traits: no locks, no I/O, no state |

#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod contract;
#[cfg(feature = "serde")]
#[cfg_attr(docsrs, doc(cfg(feature = "serde")))]
pub mod json;
mod manager;
pub mod per_item;
#[cfg(feature = "indicatif")]
#[cfg_attr(docsrs, doc(cfg(feature = "indicatif")))]
pub mod render;
mod session;
#[cfg(feature = "tracing")]
#[cfg_attr(docsrs, doc(cfg(feature = "tracing")))]
pub mod telemetry;
#[cfg(feature = "testing")]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub mod testing;

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
pub use manager::{
    Choices, Fault, HandlerReport, Listing, LogFilter, ManagerError, Registration, Run, RunChanges,
    RunObserver, RunOptions, RunProgress, RunReport, SyncManager, Unfinished, run_handler,
};
pub use session::{
    BuildError, CancelGuard, Changes, Completion, Connections, Connector, Cursor, DialogArbiter,
    HostEvent, ItemReporter, ItemView, LogEntry, Observer, Phase, RefusedCompletion, Session,
    SessionBuilder, SessionSnapshot, Totals,
};
#[doc(no_inline)]
pub use uuid::Uuid;

/// The README's program is compiled and run with the doc tests.
#[cfg(all(doctest, feature = "testing", feature = "indicatif"))]
#[doc = include_str!("../README.md")]
struct Readme;

/// And so is the guide to the testing kit.
#[cfg(all(doctest, feature = "testing"))]
#[doc = include_str!("../docs/testing.md")]
struct TestingGuide;
