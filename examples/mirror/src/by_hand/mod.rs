//! A mirror on the whole [`SyncHandler`](syncmgr::SyncHandler) trait, without [`per_item`](syncmgr::per_item).

pub mod crew;
pub mod handler;
