//! The manager of many handlers: [`SyncManager`].

// The documentation lists the manager's methods in the order of these files.
mod supervisor;
mod sync_manager;

mod registry;

mod starts;

#[cfg(feature = "serde")]
pub(crate) mod by_handler;
mod choices;
#[cfg(feature = "serde")]
pub(crate) mod choices_form;
mod job;
mod job_group;
mod job_share;
mod listing;
mod log_filter;
mod pending;
mod registration;
mod run;
mod run_events;
mod run_observer;
mod scheduler;
#[cfg(any(feature = "indicatif", feature = "tracing"))]
pub(crate) mod source;
mod start_request;
mod workers;

pub use choices::Choices;
pub use listing::Listing;
pub use log_filter::LogFilter;
pub use registration::{ManagerError, Registration};
pub use run::{Run, RunReport, WaitTimeout};
pub use run_observer::{RunChanges, RunObserver, RunProgress};
pub use sync_manager::{SyncManager, SyncManagerBuilder};
