//! What the tests of handlers of items share.

use syncmgr::per_item::{self, Error, Handler, Work};

use crate::items;

/// A handler of items 1 to `n` whose work is this function.
pub fn handler<W>(n: u128, work: W) -> Handler
where
    W: Fn(&Work) -> Result<(), Error> + Send + Sync + 'static,
{
    Handler::new(
        "test".parse().unwrap(),
        per_item::from_items(items(n), work),
    )
}
