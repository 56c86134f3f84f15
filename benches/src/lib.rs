//! What the benchmarks share: the floor, ratios that hold on a noisy machine, and the crates that ours is compared with.

pub mod floor;
pub mod peers;
pub mod ratio;
