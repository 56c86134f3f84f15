//! Handlers made of a list of items and a closure.

mod async_batches;
mod batches;
mod contexts;
mod drops;
mod edges;
mod foreign_calls;
mod items;
mod steps;
mod tasks;
mod yields;
