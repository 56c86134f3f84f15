//! Handlers made of a list of items and a closure.
//!
//! The contract asks a handler for ten methods and two-step completions. Most handlers are a list of independent items, and for
//! those this module implements the rest. Start with [`each`], whose items carry a payload:
//!
//! ```
//! use std::fs::{self, File};
//! use syncmgr::per_item;
//!
//! # let directory = std::env::temp_dir().join("syncmgr per_item example");
//! # fs::create_dir_all(&directory)?;
//! # fs::write(directory.join("a.txt"), "some text")?;
//! let files = [("a.txt", directory.join("a.txt"))];
//! let report = per_item::each(files, |item, path| {
//!     item.max(fs::metadata(path)?.len())?;
//!     Ok(item.copy(File::open(path)?, File::create(path.with_extension("bak"))?)?)
//! })
//! .run();
//! assert!(report.is_success(), "{}", report.counts());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A [`HandlerBuilder`] takes any [`PerItem`]: a list that is read when the handler is asked for it, and items with flags.
//!
//! # Threads and tasks
//!
//! The closure runs on a worker's thread, and reports to an [`ItemContext`], which belongs to that thread. For threads of your own,
//! [`share`](ItemContext::share) it: a [`SharedContext`] may be cloned and sent. With feature `async` the work is a future
//! (`each_async`, `AsyncPerItem`), and reports to a `TaskContext`.
//!
//! # What the adapter does
//!
//! - It asks for the verdict before each item, and does not start one that is cancelled or skipped: it ends `Skipped`. One that it
//!   starts it reports as `Updating`, so that it is seen before its work has told a value.
//! - It gives the work a [`ItemContext`], whose reports answer `Ok` or [`Cancelled`]. A cancel therefore travels with `?`, and nobody
//!   needs to look at a verdict. An item whose work was told of a cancel ends `Stopped`, whatever the work answers then, an `Ok`
//!   too: it may have left a loop early.
//! - An `Ok` ends the item `Succeeded`, or as [`ItemContext::set_outcome`] says; an error ends it `Failed`, and is logged with its sources;
//!   so is a panic, with its text. The other items go on. Where an item has many parts, of which one may fail and the others go on,
//!   the work gives each result to [`ItemContext::record_part`].
//! - A failed item is done again where the host shows its error ([`show_error`](crate::SyncHandler::show_error)). Its entry is
//!   deleted from the log when it then succeeds, or fails again, which logs a new one; it stays where the item ends otherwise.
//! - Where it is told how to [measure](HandlerBuilder::measure) an item, it does so in the prepare, for all of them.
//! - It completes both steps once, when the last worker is done; the second after what there is to
//!   [finish](HandlerBuilder::finish).
//! - Items that the host [asks for](crate::SyncCallback::additional_items) while it works are taken in, if it listed them; the work
//!   can [add](ItemContext::add_item) others.
//!
//! If the host panics in a call of a worker, the item of that call ends `Failed`, and the worker goes on with the next one.
//!
//! Work that never reports and never asks cannot be stopped: it is done to its end, and its item is what it answers. The adapter
//! waits for it.

mod adapter;
#[cfg(feature = "async")]
mod async_batch;
#[cfg(feature = "async")]
mod async_traits;
mod batch;
mod batch_items;
mod batch_report;
mod batch_values;
mod builder;
mod callback_lease;
mod cancel;
mod cancelled;
mod context;
mod end_item;
mod error;
mod handler_state;
mod last_report;
mod listed_source;
mod maximum;
mod measure;
mod next_item;
#[cfg(feature = "async")]
mod payload;
mod prepared_items;
mod queue;
mod round;
mod shared_context;
#[cfg(feature = "async")]
mod task_context;
#[cfg(feature = "async")]
mod task_future;
#[cfg(feature = "async")]
mod tasks;
mod threads;
mod traits;
mod work_failure;
mod worker_group;
mod wrap;

#[cfg(feature = "async")]
pub use async_batch::each_async;
#[cfg(feature = "async")]
pub use async_traits::{AsyncPerItem, from_async_fn, from_async_items};
pub use batch::{Batch, each};
pub use batch_items::BatchItem;
pub use batch_report::{BatchEntry, BatchReport};
pub use batch_values::BatchValues;
pub use builder::HandlerBuilder;
pub use cancelled::Cancelled;
pub use context::ItemContext;
pub use error::Error;
#[cfg(feature = "async")]
pub use payload::Payload;
pub use shared_context::SharedContext;
#[cfg(feature = "async")]
pub use task_context::TaskContext;
#[cfg(feature = "async")]
pub use tasks::{Task, on_thread};
pub use traits::{PerItem, from_fn, from_items};
pub use wrap::{ProgressIter, ProgressReader, ProgressWriter};
