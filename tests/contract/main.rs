//! The vocabulary: values, flags, data, and the two traits.

mod api;
mod data;
mod flags;
mod traits;
mod types;
mod values;
