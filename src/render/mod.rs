//! Bars on a terminal, or plain lines, for any [`Session`](crate::Session) and any [`Run`](crate::Run) of a manager (feature
//! `indicatif`).
//!
//! ```no_run
//! use syncmgr::render::Bars;
//! # use syncmgr::{SyncManager, Session, HResult, SyncCallback};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let manager = SyncManager::new();
//! let run = manager.update_all();
//! let shown = Bars::new().bytes().run(&run);
//! let report = run.wait();
//! shown.finish(); // the last frame stands
//! # assert!(report.is_success());
//! # Ok(())
//! # }
//! ```
//!
//! ```text
//! IMG_2041.raw         [====>     ]   58%  12.3 MiB of 21.0 MiB  3.10 MiB/s     0:03  copying
//! Mail                 failed: the server said no
//! Calendar             cancelling
//! Index                [    <=>   ]                    1.17 MiB   204 KiB/s           looking for ch…
//! and 12 more in work
//! 14 of 40 items  [======>          ]   41%  64.1 MiB of 156 MiB  5.12 MiB/s      0:18 left  1 failed
//! ```
//!
//! # The normal program
//!
//! Ctrl-C cancels everything, and the last frame is drawn when the work has stopped. Here with the crate `ctrlc`:
//!
//! ```no_run
//! use syncmgr::render::Bars;
//! # use syncmgr::SyncManager;
//! # mod ctrlc {
//! #     pub fn set_handler(_: impl FnMut() + 'static + Send) -> Result<(), std::io::Error> { Ok(()) }
//! # }
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let manager = SyncManager::new();
//! let run = manager.update_all();
//! let shown = Bars::new().run(&run);
//! let cancelled = run.clone();
//! ctrlc::set_handler(move || cancelled.cancel_all())?; // of a session it is `session.cancel_all()`
//! let report = run.wait();
//! shown.finish();
//! # assert!(report.is_success());
//! # Ok(())
//! # }
//! ```
//!
//! A program that reads keys switches the terminal's echo off; Enter would leave a row behind.
//!
//! # With `run_handler`
//!
//! The session is there only inside [`on_session`](crate::RunOptions::on_session). So what shows it goes out by a channel:
//!
//! ```
//! use std::sync::mpsc;
//! use syncmgr::per_item::{HandlerBuilder, from_items};
//! use syncmgr::render::Bars;
//! use syncmgr::{ItemId, RunOptions, SyncItem, run_handler};
//!
//! # let items = [SyncItem::new(ItemId::from_u128(1), "letters".parse()?)];
//! let handler = HandlerBuilder::new("Mail".parse()?, from_items(items, |item| Ok(item.set(1)?))).build();
//! let (give, take) = mpsc::channel();
//! let options = RunOptions::new().on_session(move |session| {
//!     let _ = give.send(Bars::new().session(&session));
//! });
//! let report = run_handler(handler, options);
//! if let Ok(shown) = take.recv() {
//!     shown.finish(); // there is none where the handler told no items
//! }
//! assert!(report.is_success());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is shown
//!
//! - An item in work has a row until it ends: its name, how far it is, how fast, how long it will take, what it says. One that told no
//!   maximum, or is [`UpdatingIndeterminate`](crate::ItemStatus::UpdatingIndeterminate), has a bar that goes to and fro, and no percentage.
//!   A name is cut in its middle where there is little room, and takes what columns no item's text has needed so far.
//! - A failed item keeps its row, with the last error that was logged for it, or else its text. A cancelled one is marked: first as
//!   `cancelling`, then as it ended. One that its session leaves without a final status is `unfinished`. Where rows are wanted for items in work, these make room; then the failed ones are put as lines
//!   above the bars, for good.
//! - The last line is that of all items: how many have ended, a bar over the sums, and what went wrong. Where the maximum of an
//!   item is not told yet, nobody knows the sum, and the bar is over the number of items. What an ended item has left undone
//!   counts as settled in it.
//! - An error that was logged for no item is a line above the bars, and so is a handler of a run that failed.
//! - There are no more rows than [`Bars::rows`] and the terminal's height allow; a line says how many more items are in work.
//!
//! Plain lines say how many items there are, how each of them ended, how far all is, now and then, and what it came to.
//!
//! # What it costs
//!
//! It follows by an [`Observer`](crate::Observer), and so costs what is in work or has changed, not what exists: the first look alone
//! tells every item. It keeps the items that have a row, the ids of those that did not end well, and of those that told a maximum
//! and have not ended. A report costs the same whether it is shown or not.
//!
//! # Names and texts
//!
//! They come from outside. What a terminal would obey does not reach it, and their width is that of their characters on a
//! terminal, so that no row is broken.

mod bars;
mod frame;
mod frames;
mod number;
mod plain;
mod rate;
mod row;
mod seats;
mod shown;
mod source;
mod tally;
mod text;

pub use bars::Bars;
pub use frames::Frames;
pub use shown::Shown;

/// A terminal to draw to: see [`Bars::draw_to`]. It is indicatif's, so that its terminals serve here.
pub use indicatif::TermLike;
