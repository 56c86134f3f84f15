//! The example programs.

mod stream;
