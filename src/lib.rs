//! The contract of the Windows Synchronization Manager as portable Rust traits, with an in-memory host.
//!
//! A program that synchronizes something (a *handler*) and the program that hosts it agree on little, but on that
//! exactly: progress for each item, a verdict on every report, logged errors, completion in two steps, retry, one dialog
//! at a time. Sync tools invent that again and again: a progress bar that takes a lock on each report, a cancel flag that is checked
//! in some places and not in others. `mobsync.h` fixed it for Windows; this crate gives it to every platform, without COM and
//! without unsafe code.
//!
//! A report costs as much as the store that it makes, and a cancel is never missed: once a cancel call has returned, no
//! later report of the item is answered [`Continue`](Verdict::Continue), on any thread.
//!
//! # The two sides, and the life of one synchronization
//!
//! ```text
//!        the host: SyncCallback                      the handler: SyncHandler
//!
//!        initialize(flags, cookie)  -------------->  takes part, or not
//!        info(), items()  ------------------------>  what it is, what it can synchronize
//!        the user chooses
//!        set_progress_callback(Some(host))  ------>  keeps it
//!
//!   +--> prepare_for_sync(items)  ---------------->  gets ready
//!   |      <---------------------------------------  prepare_for_sync_completed(S_OK)
//!   |    synchronize()  -------------------------->  starts to work
//!   |      <---------------------------------------  progress(item, update)           any number, on any thread
//!   |    Continue, CancelItem or CancelAll  ------>  goes on, or stops the item, or everything
//!   |      <---------------------------------------  log_error(record)
//!   |    set_item_status(item, Skipped)  --------->  does not begin it
//!   |      <---------------------------------------  progress(item, a final status)   for each item
//!   |      <---------------------------------------  synchronize_completed(S_OK)
//!   |    the user follows a logged error
//!   |    show_error(error)  ---------------------->  tells more
//!   |      <---------------------------------------  show_error_completed(Retry(items))
//!   +--- again, with these items
//!
//!        set_progress_callback(None)  ------------>  makes no call any more
//! ```
//!
//! What the host calls returns soon; what takes long is completed later, from any thread. The [rules](guide::rules) say what
//! each side owes the other, to the letter.
//!
//! | | |
//! |---|---|
//! | [`SyncHandler`] | the handler's side: the reference for who implements it |
//! | [`SyncCallback`] | the host's side, likewise |
//! | [`Session`] | an in-memory host of one synchronization. A tool without a handler builds one, reports and finishes |
//! | [`ItemReporter`] | the fast handle on one item |
//! | [`per_item`] | makes a whole handler of a list of items and a closure: start with [`per_item::each`] |
//! | [`run_handler`], [`start`] | take a handler through its whole life, on this thread or on another |
//! | [`SyncManager`] | knows many handlers, remembers what the user chose, and runs them together |
//! | [`Observer`] | follows a session, for who draws it |
//! | `render`, `telemetry`, `json` (features) | show a session or a run: as bars or lines, as spans and events, as JSON |
//! | `testing` (feature) | drives a handler as a host would, and judges every call by the rules |
//!
//! # A first program
//!
//! ```
//! use std::thread;
//! use syncmgr::{ItemId, Session, SyncItem, Verdict};
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
//! session.finish()?;
//! println!("{:?}", session.item(photos));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Features
//!
//! None is on by default, and none takes anything away.
//!
//! | feature | what it adds |
//! |---|---|
//! | `async` | futures and streams, of no runtime: work of [`per_item`] that is a future, tasks that wait for a cancel, a change or the end of a run. Brings `futures-core` |
//! | `indicatif` | the module `render`: bars on a terminal, or plain lines. Brings `indicatif` and `console` |
//! | `serde` | `Serialize` and `Deserialize` for what a user sees, and the module `json`: documents with a version, and a session as a stream of lines; with `testing`, traces as JSON lines. Brings `serde` and `serde_json` |
//! | `testing` | the module `testing`; no dependency |
//! | `tracing` | the module `telemetry`: runs, handlers and items as spans, what happens to them as events. Brings `tracing` |
//!
//! # Where to read on
//!
//! | chapter of the [guide] | what it tells |
//! |---|---|
//! | [`handler`](guide::handler) | how to write a handler: the easy way first, then the whole trait |
//! | [`host`](guide::host) | how to host one, or several, or a loop of your own |
//! | [`seeing`](guide::observing) | how to show it |
//! | [`testing`](guide::testing) | how to test that a handler obeys, and what that does not find |
//! | [`rules`](guide::rules) | what the contract asks, rule by rule |
//! | [`costs`](guide::performance) | what costs what |
//! | [`names`](guide::names) | every name of `mobsync.h`, and its name here |
//! | [`porting`](guide::porting) | how a handler in C++ and COM becomes one of this crate |

#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod contract;
mod driver;
#[cfg(any(doc, all(doctest, feature = "manager")))]
pub mod guide;
#[cfg(feature = "serde")]
#[cfg_attr(docsrs, doc(cfg(feature = "serde")))]
pub mod json;
#[cfg(feature = "manager")]
mod manager;
pub mod per_item;
pub mod raw;
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
mod util;

pub use contract::{
    CallbackError, Dialog, ErrorFlags, ErrorId, ErrorOutcome, HResult, HandlerError, HandlerFlags,
    HandlerId, HandlerInfo, HandlerName, InvokeFlags, ItemFlags, ItemId, ItemList, ItemName,
    ItemStatus, LogLevel, LogRecord, LogSelector, Participation, Prepared, ProgressUpdate,
    PropertiesOutcome, RegisterFlags, SyncCallback, SyncEvent, SyncFlags, SyncHandler, SyncItem,
    ValueError, Verdict,
};
pub use driver::{
    HandlerReport, Outcome, OutcomeCounts, ProtocolViolation, RunOptions, Running, WaitError,
    run_handler, start,
};
#[cfg(feature = "manager")]
#[cfg_attr(docsrs, doc(cfg(feature = "manager")))]
pub use manager::{
    Choices, Listing, LogFilter, ManagerError, Registration, Run, RunChanges, RunObserver,
    RunProgress, RunReport, SyncManager, SyncManagerBuilder, WaitTimeout,
};
#[cfg(feature = "async")]
pub use session::ThrottledObserver;
pub use session::{
    BuildError, CancelGuard, Changes, Completion, Connections, Connector, Cursor, DialogArbiter,
    HostEvent, ItemCounter, ItemReporter, ItemView, LogEntry, Observer, Phase, RefusedCompletion,
    Session, SessionBuilder, SessionDriver, SessionSnapshot, Totals,
};
#[doc(no_inline)]
pub use uuid::Uuid;

/// The README's program is compiled and run with the doc tests.
#[cfg(all(doctest, feature = "testing", feature = "indicatif"))]
#[doc = include_str!("../README.md")]
struct Readme;
