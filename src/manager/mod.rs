//! The manager of many handlers: [`SyncManager`].

// The documentation lists the manager's methods in the order of these files.
mod sync_manager;

mod registry;

mod starts;

#[cfg(feature = "serde")]
pub(crate) mod by_handler;
mod choices;
#[cfg(feature = "serde")]
pub(crate) mod choices_form;
mod job;
mod listing;
mod log;
mod pending;
mod run;
mod run_events;
mod run_observer;
mod scheduler;
mod start_request;
mod workers;

pub use choices::Choices;
pub use listing::Listing;
pub use log::LogFilter;
pub use registry::{ManagerError, Registration};
pub use run::{Run, RunReport, WaitTimeout};
pub use run_observer::{RunChanges, RunObserver, RunProgress};
pub use sync_manager::{SyncManager, SyncManagerBuilder};
