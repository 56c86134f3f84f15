//! The driver of one handler: [`run_handler`] and [`start`].

pub(crate) mod call_monitor;
pub(crate) mod enumerate;
mod guarded_call;
mod options;
mod outcome;
mod report;
mod rounds;
mod run_handler;
mod running;
#[cfg(feature = "serde")]
mod violation_json;

pub use options::RunOptions;
pub use outcome::{Outcome, OutcomeCounts};
#[cfg(feature = "serde")]
pub(crate) use report::went_well;
pub use report::{HandlerReport, ProtocolViolation};
pub use run_handler::run_handler;
pub use running::{Running, WaitError, start};
