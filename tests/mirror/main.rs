//! The example `mirror` on real directories: the built program is run, and what it leaves is compared.
//!
//! `cargo test` builds the example; `cargo test --test mirror` and `cargo test NAME` do not.

#![cfg(unix)]

mod bad_input;
mod cancel;
mod delete;
mod faults;
mod held;
mod keeps;
mod kill;
mod main_job;
mod parts;
mod run;
mod terminal;
mod tree;
