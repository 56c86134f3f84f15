//! The context of an item whose work runs on one thread.

use std::cell::Cell;
use std::fmt;
use std::sync::Arc;

use super::cancelled::Cancelled;
use super::error::Error;
use super::shared_context::SharedContext;
use crate::{
    CallbackError, ItemStatus, LogLevel, LogRecord, ProgressUpdate, SyncCallback, SyncFlags,
    SyncItem,
};

/// The context of one item in work: the closure reports to it, and asks it whether to go on.
///
/// Every report returns `Ok`, or [`Cancelled`] if the work is to end: pass that on by `?`. A plain report ([`set`](Self::set),
/// [`advance`](Self::advance)) costs a few loads and one store.
///
/// The context belongs to the thread of the closure. For threads of your own, [`share`](Self::share) it.
///
/// # Examples
///
/// ```no_run
/// use syncmgr::per_item::{Error, ItemContext};
///
/// fn copy(item: &ItemContext, blocks: &[&[u8]]) -> Result<(), Error> {
///     item.max(blocks.iter().map(|block| block.len() as u64).sum())?;
///     for block in blocks {
///         // ... write the block ...
///         item.advance(block.len() as u64)?; // a cancellation ends the function here
///     }
///     Ok(())
/// }
/// # let _ = copy;
/// ```
///
/// It cannot be sent to another thread:
///
/// ```compile_fail,E0277
/// use std::thread;
/// use syncmgr::per_item;
///
/// let batch = per_item::each([("blocks", ())], |item, ()| {
///     thread::scope(|scope| {
///         scope.spawn(|| item.advance(1));
///     });
///     Ok(())
/// });
/// ```
pub struct ItemContext {
    pub(super) shared: SharedContext,
    /// The value of the item, as long as the context is not shared: all of its reports come from this thread.
    total: Cell<u64>,
    /// Values below it are stored directly: what `Maximum` says, and 0 once the context is shared.
    limit: Cell<u64>,
    is_shared: Cell<bool>,
}

impl ItemContext {
    pub(super) fn new(shared: SharedContext) -> Self {
        Self {
            limit: Cell::new(shared.state.maximum.limit()),
            // Not 0 if an item that came later was measured by the same context.
            total: Cell::new(shared.state.maximum.done()),
            shared,
            is_shared: Cell::new(false),
        }
    }

    /// Returns the item, as it was listed.
    #[must_use]
    pub fn item(&self) -> &SyncItem {
        self.shared.item()
    }

    /// Returns the item's name, as the user sees it: a long one was shortened.
    #[must_use]
    pub fn name(&self) -> &str {
        self.shared.name()
    }

    /// Returns why the handler was started, and whether it may bother the user.
    #[must_use]
    pub fn flags(&self) -> SyncFlags {
        self.shared.flags()
    }

    /// Returns a context for threads of your own. Clones of it may outlive the closure; their reports are then refused.
    ///
    /// From now on, `advance` costs an atomic add on this context too, so that no step is lost.
    #[must_use]
    pub fn share(&self) -> SharedContext {
        if !self.is_shared.replace(true) {
            self.keep_total();
            self.limit.set(0);
        }
        self.shared.clone()
    }

    /// Keeps the value where the other contexts of the item find it.
    pub(super) fn keep_total(&self) {
        if self.limit.get() > 0 {
            let _ = self.shared.state.maximum.set(self.total.get());
        }
    }

    /// Reports how much of the item is done, in the units of its [maximum](Self::max).
    ///
    /// A value above the maximum raises it, as there was more to do than expected (rule H17): a file may grow while it is read.
    ///
    /// # Errors
    ///
    /// Returns [`Cancelled`] if the work is to end: pass it on.
    #[inline]
    pub fn set(&self, value: u64) -> Result<(), Cancelled> {
        if self.store(value) {
            Ok(())
        } else {
            self.slow(|shared| shared.set(value))
        }
    }

    /// Adds to what is done. A total above the maximum raises it, as for [`set`](Self::set).
    ///
    /// It costs a store, as this context knows the value: one that another [`ItemReporter`](crate::ItemReporter) of the item sets
    /// meanwhile is overwritten.
    ///
    /// # Errors
    ///
    /// Returns [`Cancelled`] if the work is to end: pass it on.
    #[inline]
    pub fn advance(&self, amount: u64) -> Result<(), Cancelled> {
        if self.store(self.total.get().wrapping_add(amount)) {
            Ok(())
        } else {
            self.slow(|shared| shared.advance(amount))
        }
    }

    /// Where the item most likely is in the list.
    pub(super) fn place(&self) -> usize {
        self.shared.place()
    }

    /// Stores a value directly, if the item is in work, not cancelled and not shared, and the value needs no other maximum.
    #[inline]
    fn store(&self, value: u64) -> bool {
        let state = &*self.shared.state;
        let stored =
            value < self.limit.get() && state.lease.is_open() && state.reporter.set_if_live(value);
        if stored {
            self.total.set(value);
        }
        stored
    }

    /// Makes a report by the way that all threads share.
    #[cold]
    #[inline(never)]
    fn slow<R>(&self, report: impl FnOnce(&SharedContext) -> R) -> R {
        let maximum = &self.shared.state.maximum;
        if self.is_shared.get() {
            return report(&self.shared);
        }
        let _ = maximum.set(self.total.get());
        // Also if the host panics.
        let _sync = TakeTotal(self);
        report(&self.shared)
    }

    /// Asks whether to go on, if there is nothing to report.
    ///
    /// # Errors
    ///
    /// Returns [`Cancelled`] if the work is to end: pass it on.
    #[inline]
    pub fn check(&self) -> Result<(), Cancelled> {
        self.shared.check()
    }

    /// Reports how much there is to do. A maximum below what is done already is raised to that; 0 means unknown.
    ///
    /// # Errors
    ///
    /// Returns [`Cancelled`] if the work is to end: pass it on.
    pub fn max(&self, max: u64) -> Result<(), Cancelled> {
        self.slow(|shared| shared.max(max))
    }

    /// Reports a line of text about what is being done.
    ///
    /// # Errors
    ///
    /// Returns [`Cancelled`] if the work is to end: pass it on.
    pub fn text(&self, text: &str) -> Result<(), Cancelled> {
        self.shared.text(text)
    }

    /// Makes any report except a final status, which the item gets when the work returns. One in the update is left out.
    ///
    /// # Errors
    ///
    /// Returns [`Cancelled`] if the work is to end: pass it on.
    pub fn report(&self, update: &ProgressUpdate<'_>) -> Result<(), Cancelled> {
        self.slow(|shared| shared.report(update))
    }

    /// Records the result of one part of an item that has many parts, of which one may fail and the others go on. An error is
    /// logged with the part's name, this returns `None`, and the item ends `Failed` when the work is done, unless
    /// [`set_outcome`](Self::set_outcome) says otherwise afterwards.
    ///
    /// A cancellation is not a failure of the part: it is returned as an error.
    ///
    /// # Errors
    ///
    /// Returns [`Cancelled`] if the work is to end: pass it on.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use std::fs::File;
    /// use std::io;
    /// use std::path::PathBuf;
    /// use syncmgr::per_item::{Error, ItemContext};
    ///
    /// fn checksums(item: &ItemContext, files: &[PathBuf]) -> Result<(), Error> {
    ///     for path in files {
    ///         let copied = File::open(path)
    ///             .and_then(|file| io::copy(&mut item.wrap_read(file), &mut io::sink()));
    ///         if let Some(bytes) = item.record_part(path.display(), copied)? {
    ///             println!("{}: {bytes} bytes", path.display());
    ///         }
    ///     }
    ///     Ok(())
    /// }
    /// # let _ = checksums;
    /// ```
    pub fn record_part<T>(
        &self,
        what: impl fmt::Display,
        result: Result<T, impl Into<Error>>,
    ) -> Result<Option<T>, Cancelled> {
        self.slow(|shared| shared.record_part(what, result))
    }

    /// Sets what the item ends as if the work returns `Ok`: `Succeeded` by default, `Skipped` (there was nothing to do),
    /// `Deleted`, `Stopped` or `Failed`. Any other status means `Succeeded`.
    ///
    /// `Failed` is for work of many parts that has [logged](Self::log) what went wrong with each: nothing more is logged, the
    /// item's text stays, and the item cannot be retried by showing its error. It stands after a cancellation too.
    ///
    /// # Examples
    ///
    /// ```
    /// use syncmgr::ItemStatus;
    /// use syncmgr::per_item;
    ///
    /// let report = per_item::each([("Inbox", ())], |item, ()| {
    ///     item.set_outcome(ItemStatus::Skipped);
    ///     item.set_final_text("nothing new");
    ///     Ok(())
    /// })
    /// .run();
    /// let inbox = &report.items()[0];
    /// assert_eq!((inbox.status, inbox.text.as_str()), (ItemStatus::Skipped, "nothing new"));
    /// ```
    pub fn set_outcome(&self, status: ItemStatus) {
        self.shared.set_outcome(status);
    }

    /// Sets the text that goes with the final status, whatever that is. After a cancellation it is the only text that can still
    /// be reported.
    pub fn set_final_text(&self, text: impl Into<String>) {
        self.shared.set_final_text(text);
    }

    /// Logs something about the item. This is also allowed after a cancellation.
    ///
    /// # Errors
    ///
    /// As for [`log_error`](SyncCallback::log_error).
    pub fn log(&self, level: LogLevel, text: &str) -> Result<(), CallbackError> {
        self.shared.log(level, text)
    }

    /// Logs a record as [`log`](Self::log) does. Its item is set to this one.
    ///
    /// # Errors
    ///
    /// As for [`log_error`](SyncCallback::log_error).
    pub fn log_record(&self, record: &LogRecord<'_>) -> Result<(), CallbackError> {
        self.shared.log_record(record)
    }

    /// Adds an item that the work has found. One of the workers does it, as it does those of the list.
    ///
    /// # Errors
    ///
    /// - As for [`add_item`](SyncCallback::add_item); a host may not offer it.
    /// - [`ItemFinished`](CallbackError::ItemFinished) if the work has returned, as nobody may be left to do the item.
    /// - [`WrongPhase`](CallbackError::WrongPhase) while items are only [measured](super::HandlerBuilder::measure).
    ///
    /// # Examples
    ///
    /// ```
    /// use syncmgr::per_item::{HandlerBuilder, from_items};
    /// use syncmgr::{ItemId, RunOptions, SyncItem, run_handler};
    ///
    /// let folder = SyncItem::new(ItemId::from_u128(1), "Inbox".parse()?);
    /// let source = from_items([folder], |item| {
    ///     if item.item().id == ItemId::from_u128(1) {
    ///         item.add_item(SyncItem::new(ItemId::from_u128(2), "Inbox/2026".parse()?))?;
    ///     }
    ///     Ok(())
    /// });
    /// let report = run_handler(HandlerBuilder::new("Mail".parse()?, source).build(), RunOptions::new());
    /// assert_eq!(report.items().len(), 2);
    /// assert!(report.is_success());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn add_item(&self, item: SyncItem) -> Result<(), CallbackError> {
        self.shared.add_item(item)
    }

    /// Returns the host's callback, for what is not offered here: connections and dialogs. Statuses and completions are up to the
    /// adapter.
    ///
    /// # Errors
    ///
    /// Returns [`Released`](CallbackError::Released) if the host has taken it away.
    pub fn callback(&self) -> Result<&Arc<dyn SyncCallback>, CallbackError> {
        self.shared.callback()
    }
}

impl fmt::Debug for ItemContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ItemContext")
            .field("item", self.item())
            .finish_non_exhaustive()
    }
}

/// Takes over what was reported by the way that all threads share, when it is dropped.
struct TakeTotal<'a>(&'a ItemContext);

impl Drop for TakeTotal<'_> {
    fn drop(&mut self) {
        let ItemContext {
            shared,
            total,
            limit,
            ..
        } = self.0;
        let maximum = &shared.state.maximum;
        total.set(maximum.done());
        // Work that was told to end makes no more reports (rule H02).
        limit.set(match shared.stop_requested() {
            true => 0,
            false => maximum.limit(),
        });
    }
}
