//! The mirror on real directories: the built program is run, and what it leaves is compared; its handlers are driven by the
//! testing kit.

#![cfg(unix)]

mod bad_input;
mod by_hand;
mod cancel;
mod delete;
mod faults;
mod handler;
mod held;
mod keeps;
mod kill;
mod main_job;
mod observer;
mod parts;
mod run;
mod screen;
mod terminal;
mod tree;
