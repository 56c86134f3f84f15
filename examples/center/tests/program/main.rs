//! The built program, on a terminal and without one.

#![cfg(unix)]

mod plain;
mod pty;
mod support;
mod terminal;
