//! The Windows Synchronization Manager contract as portable Rust traits, with an in-memory host.

#![forbid(unsafe_code)]
#![deny(missing_docs)]
