//! Handlers and hosts that follow a script.
//!
//! [`Script`] is a handler without a type of its own: for tests of hosts and of the kit. [`ScriptedHost`]
//! is a callback that returns what a test expects.

mod forwarding;
mod script;
mod script_handler;
mod scripted_host;
mod step;

pub use forwarding::ForwardingCallback;
pub use script::Script;
pub use scripted_host::{Expect, ScriptedHost};
pub use step::Step;
