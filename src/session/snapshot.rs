//! A look at every item.

use super::Phase;
use super::changes::Cursor;
use super::item_view::ItemView;
use super::totals::Totals;

/// A look at every item of a session.
///
/// No change of an item or of the phase falls between a snapshot and [`Session::changes`](crate::Session::changes) with
/// its cursor: what is not in the one is in the other. The log is apart: a snapshot has none of it. Who draws the log too
/// begins with [`Session::log`](crate::Session::log), whose entries carry their `sequence`, or with the changes since
/// [`Cursor::default`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct SessionSnapshot {
    /// Every item, in the order in which they were built and added.
    pub items: Vec<ItemView>,
    /// The phase.
    pub phase: Phase,
    /// The sums over the items that take part.
    pub totals: Totals,
    /// From where to go on with [`Session::changes`](crate::Session::changes).
    pub cursor: Cursor,
}
