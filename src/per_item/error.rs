//! The error of an item's work.

/// Anything that went wrong with an item. A text converts into it: `"the server is down".into()`.
pub type Error = Box<dyn std::error::Error + Send + Sync>;
