//! The parts of the directory mirror. The programs around them are `main.rs` and `bin/mirror_by_hand.rs`.

pub mod args;
pub mod bars;
pub mod by_hand;
pub mod copy;
pub mod dir;
pub mod fault;
pub mod folder;
pub mod frame;
pub mod handler;
pub mod hands;
pub mod input;
pub mod job;
pub mod lines;
pub mod place;
pub mod remove;
pub mod show;
pub mod table;
pub mod temp;
pub mod watch;
pub mod work;
