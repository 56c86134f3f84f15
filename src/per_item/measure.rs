//! How much there is to do for an item: the user's function, and how it is called.

#[cfg(feature = "async")]
use std::pin::Pin;

use super::context::ItemContext;
use super::error::Error;
use super::shared_context::SharedContext;
#[cfg(feature = "async")]
use super::task_context::TaskContext;
#[cfg(feature = "async")]
use super::task_future::{TaskFuture, block_on};
use super::work_failure::{WorkFailure, guarded};
use crate::util::panic::Foreign;

type BlockingMeasure = Box<dyn Fn(&ItemContext) -> Result<u64, Error> + Send + Sync>;
#[cfg(feature = "async")]
type MeasureFuture = Pin<Box<dyn Future<Output = Result<u64, Error>> + Send>>;
#[cfg(feature = "async")]
type AsyncMeasure = Box<dyn Fn(TaskContext) -> MeasureFuture + Send + Sync>;

// A worker may be the last owner of the handler, so panics in the drop of these are contained.
pub(super) enum MeasureFn {
    Blocking(Foreign<BlockingMeasure>),
    #[cfg(feature = "async")]
    Async(Foreign<AsyncMeasure>),
}

impl MeasureFn {
    pub(super) fn blocking(
        measure: impl Fn(&ItemContext) -> Result<u64, Error> + Send + Sync + 'static,
    ) -> Self {
        Self::Blocking(Foreign::new(Box::new(measure)))
    }

    #[cfg(feature = "async")]
    pub(super) fn new_async<F>(measure: impl Fn(TaskContext) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<u64, Error>> + Send + 'static,
    {
        let measure = move |item| -> MeasureFuture { Box::pin(measure(item)) };
        Self::Async(Foreign::new(Box::new(measure)))
    }

    /// Calls it on a thread, which a future blocks.
    pub(super) fn call(&self, item: &SharedContext) -> Result<u64, WorkFailure> {
        match self {
            Self::Blocking(measure) => {
                let item = ItemContext::new(item.clone());
                let measured = guarded(|| measure(&item));
                item.keep_total();
                measured
            }
            #[cfg(feature = "async")]
            Self::Async(_) => block_on(self.call_in_task(item)),
        }
    }

    #[cfg(feature = "async")]
    pub(super) async fn call_in_task(&self, item: &SharedContext) -> Result<u64, WorkFailure> {
        match self {
            Self::Blocking(_) => self.call(item),
            Self::Async(measure) => {
                TaskFuture::call(|| measure(TaskContext::new(item.clone()))).await
            }
        }
    }
}
