//! What the tests of handlers of items share.

use syncmgr::per_item::{self, Error, HandlerBuilder, ItemContext};

use crate::items;

/// A handler of items 1 to `n` whose work is this function.
pub fn handler<W>(n: u128, work: W) -> HandlerBuilder
where
    W: Fn(&ItemContext) -> Result<(), Error> + Send + Sync + 'static,
{
    HandlerBuilder::new(
        "test".parse().unwrap(),
        per_item::from_items(items(n), work),
    )
}
