//! `SyncManager`: many handlers.

mod attack;
mod attack_code;
mod bad_input;
mod connections;
mod control;
mod deadline;
mod drops;
mod errors;
mod faults;
mod identical;
mod listing;
mod observe;
mod pairs;
mod pairs_retry;
mod pending;
mod prints;
mod properties;
mod runs;
mod shared;
mod starts;
mod threads;
mod unregister;
