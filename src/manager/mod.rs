//! The drivers of handlers: [`run_handler`] for one, [`SyncManager`] for many.
//!
//! | file | what lives there |
//! |---|---|
//! | `options`, `report` | what a host decides about a run of one handler, and what it came to |
//! | `run` | the whole of it |
//! | `start` | from `initialize` to the list of items |
//! | `drive` | from the callback to the release |
//! | `call`, `watch` | a call of the handler, with its panics, and who looks whether it returns |
//! | `sync_manager` | the manager of many handlers: what it is, and its builder with the settings |
//! | `registry`, `listing`, `choices`, `log` | what it knows of them, what they listed, what the user chose, what they logged: each with the manager's methods for it |
//! | `invoke`, `order` | its methods that start them, and how a handler is to be started |
//! | `runs`, `part`, `pending` | a run of several, one handler's part in it, and the parts that wait for a handler |
//! | `observer`, `news` | who follows a run, and what he is told |
//! | `json`, `choices_json` | how faults, lists by handlers and choices are written (feature `serde`) |
//! | `hub`, `pool` | what manager, runs and threads share; the threads |

// The documentation has the manager's methods in the order of their files: the settings, the registry and the starts first.
mod sync_manager;

mod registry;

mod invoke;

mod call;
mod choices;
#[cfg(feature = "serde")]
pub(crate) mod choices_json;
mod drive;
mod hub;
#[cfg(feature = "serde")]
pub(crate) mod json;
mod listing;
mod log;
mod news;
mod observer;
mod options;
mod order;
mod part;
mod pending;
mod pool;
mod report;
mod run;
mod runs;
mod start;
mod watch;

pub use choices::Choices;
pub use listing::Listing;
pub use log::LogFilter;
pub use observer::{RunChanges, RunObserver, RunProgress};
pub use options::RunOptions;
pub use registry::{ManagerError, Registration};
#[cfg(feature = "serde")]
pub(crate) use report::went_well;
pub use report::{HandlerReport, ProtocolViolation};
pub use run::run_handler;
pub use runs::{Run, RunReport, WaitTimeout};
pub use sync_manager::{SyncManager, SyncManagerBuilder};
