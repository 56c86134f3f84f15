//! Scripts that stand in for a handler or a host.

pub(crate) mod script;
mod script_handler;
pub(crate) mod scripted_host;
pub(crate) mod step;
