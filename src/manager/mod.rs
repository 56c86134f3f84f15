//! The driver of a handler's life: [`run_handler`].
//!
//! | file | what lives there |
//! |---|---|
//! | `options`, `report` | what a host decides about a run, and what it came to |
//! | `run` | the whole of it |
//! | `start` | from `initialize` to the list of items |
//! | `drive` | from the callback to the release |
//! | `call` | a call of the handler, with its panics |

mod call;
mod drive;
mod options;
mod report;
mod run;
mod start;

#[cfg(feature = "testing")]
pub(crate) use call::panic_text;
pub use options::RunOptions;
pub use report::{Fault, HandlerReport};
pub use run::run_handler;
