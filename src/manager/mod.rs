//! The driver of a handler's life: [`run_handler`].

mod options;
mod report;
mod run;

pub use options::RunOptions;
pub use report::{Fault, HandlerReport};
pub use run::run_handler;
