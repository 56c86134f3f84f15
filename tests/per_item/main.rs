//! Handlers made of a list of items and a closure.

mod edges;
mod foreign_calls;
mod items;
mod steps;
mod tasks;
