//! Handlers made of a list of items and a closure.

mod edges;
mod items;
mod steps;
mod tasks;
mod yields;
