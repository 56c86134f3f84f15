//! The handlers of the sync centre. The program around them, which hosts them under one
//! [`SyncManager`](syncmgr::SyncManager), is `main.rs`.
//!
//! | file | what it is |
//! |---|---|
//! | `pull` | brings the files of a list from another directory, each by its checksum |
//! | `list` | the list: lines as `sha256sum` writes them |
//! | `flaky` | fails on purpose, and shows what becomes of errors, retries and cancels |
//! | `broken` | what stands in for a handler that cannot be made |
//! | `each`, `task` | what a handler of independent items owes its host: `pull` and `flaky` stand on it |
//!
//! The directory mirror is that of `examples/mirror`, from its library.

pub mod broken;
pub mod each;
pub mod flaky;
pub mod list;
pub mod pull;
pub mod task;
