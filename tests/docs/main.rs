//! The tables of the guide, against the code.

mod names;
mod tables;
