//! How a run of a batch ended.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use super::batch_items::BatchItems;
use super::batch_values::{BatchValues, ValueSnapshot};
use crate::driver::HandlerReport;
use crate::session::ItemView;

/// How a run of a [`Batch`](super::Batch) ended: a [`HandlerReport`] with the payloads and values of the items.
#[must_use = "the report says whether everything was done"]
pub struct BatchReport<T, R> {
    report: HandlerReport,
    items: Arc<BatchItems<T>>,
    values: ValueSnapshot<R>,
}

/// An item of a [`BatchReport`].
#[derive(Debug)]
#[non_exhaustive]
pub struct BatchEntry<'a, T, R> {
    /// How it ended.
    pub view: ItemView,
    /// Its payload.
    pub payload: &'a T,
    /// The value that the closure returned for it, if it was called and did not fail.
    pub value: Option<&'a R>,
}

impl<T, R> BatchReport<T, R> {
    pub(super) fn new(
        report: HandlerReport,
        items: &Arc<BatchItems<T>>,
        values: &BatchValues<R>,
    ) -> Self {
        Self {
            report,
            items: Arc::clone(items),
            values: values.snapshot(),
        }
    }

    /// Returns each item with its payload and value, in the order of the list.
    pub fn entries(&self) -> impl Iterator<Item = BatchEntry<'_, T, R>> {
        self.report
            .views()
            .enumerate()
            .filter_map(|(number, view)| {
                let (place, payload) = self.items.find(view.id, number)?;
                Some(BatchEntry {
                    payload,
                    value: self.values.get(place),
                    view,
                })
            })
    }

    /// Returns the report without the values.
    pub fn into_report(self) -> HandlerReport {
        self.report
    }
}

impl<T, R> Deref for BatchReport<T, R> {
    type Target = HandlerReport;

    fn deref(&self) -> &HandlerReport {
        &self.report
    }
}

impl<T, R> fmt::Debug for BatchReport<T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchReport")
            .field("report", &self.report)
            .field("values", &self.values.count())
            .finish_non_exhaustive()
    }
}
