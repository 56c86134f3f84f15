//! A counter that owns the value of an item.

use super::reporter::ItemReporter;
use crate::{CallbackError, Verdict};

/// Counts what is done of an item, and has the item's value for itself: see [`ItemReporter::counter`].
#[derive(Debug)]
pub struct ItemCounter<'a> {
    reporter: &'a ItemReporter,
    total: u64,
}

impl ItemReporter {
    /// Returns a counter that has the item's value for itself, for work on one thread: each of its steps costs one store, and not
    /// an atomic add as [`advance`](Self::advance) does. It starts at the value that this reporter has reported.
    ///
    /// While it exists, this reporter cannot be used otherwise. Another reporter of the same item can: what it sets, the counter
    /// overwrites at its next step.
    ///
    /// # Examples
    ///
    /// ```
    /// use syncmgr::{ItemId, Session, SyncItem, Verdict};
    ///
    /// let photos = ItemId::from_u128(1);
    /// let session = Session::builder().item(SyncItem::new(photos, "Photos".parse()?)).build()?;
    /// let mut reporter = session.reporter(photos)?;
    ///
    /// let mut bytes = reporter.counter();
    /// for block in [512, 512, 100] {
    ///     if bytes.advance(block)? != Verdict::Continue {
    ///         return Ok(reporter.stop()?);
    ///     }
    /// }
    /// assert_eq!(bytes.total(), 1_124);
    /// reporter.succeed()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// It does not compile to mix both:
    ///
    /// ```compile_fail,E0502
    /// # fn mixed(mut reporter: syncmgr::ItemReporter) -> Result<(), syncmgr::CallbackError> {
    /// let mut bytes = reporter.counter();
    /// let _verdict = reporter.advance(1)?;
    /// let _verdict = bytes.advance(1)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn counter(&mut self) -> ItemCounter<'_> {
        let total = match &self.calls {
            None => self.slot.snapshot().value,
            Some(calls) => calls.total(),
        };
        ItemCounter {
            reporter: self,
            total,
        }
    }
}

impl ItemCounter<'_> {
    /// Adds to the value, and returns the verdict. It costs one store, as [`ItemReporter::set`] does. Past `u64::MAX` it wraps.
    ///
    /// # Errors
    ///
    /// As for [`ItemReporter::set`]. A refused amount is not added.
    #[inline]
    pub fn advance(&mut self, amount: u64) -> Result<Verdict, CallbackError> {
        let total = self.total.wrapping_add(amount);
        let verdict = self.reporter.set(total)?;
        self.total = total;
        Ok(verdict)
    }

    /// Returns the value.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }
}
