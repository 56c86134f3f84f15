//! The tables of the guide, against the code.

mod mingw;
mod names;
mod tables;
