//! Helpers of several modules.

pub(crate) mod clock;
pub(crate) mod escape;
#[cfg(any(feature = "indicatif", feature = "tracing"))]
pub(crate) mod follower;
pub(crate) mod inside;
pub(crate) mod panic;
pub(crate) mod sync;
pub(crate) mod text;
#[cfg(feature = "tracing")]
pub(crate) mod throttle;
pub(crate) mod wake;
pub(crate) mod waker_set;
