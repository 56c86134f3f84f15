//! The state of a session: what reports write and observers read.

pub(crate) mod event_queue;
pub(crate) mod flags;
pub(crate) mod index;
pub(crate) mod item_wakers;
pub(crate) mod journal;
pub(crate) mod lifecycle;
pub(crate) mod log_store;
pub(crate) mod slot;
pub(crate) mod table;
