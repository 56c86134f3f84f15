//! A test kit that checks handlers against the contract (feature `testing`).
//!
//! A handler is right when it obeys whatever the host does, at whatever moment. That is hard to see from its results: a
//! cancel that comes between two reports, a completion on an error path, a call after the release. So the kit drives the
//! handler as a host would, writes every call down, and judges what it wrote by the [rules](Rule) of the contract.
//!
//! ```
//! use syncmgr::testing::{Harness, explore_cancellations};
//! # use std::sync::Arc;
//! # use syncmgr::testing::mock::{Script, Step};
//! # use syncmgr::{ItemId, ItemStatus, SyncHandler};
//! # fn my_handler() -> Arc<dyn SyncHandler> {
//! #     let id = ItemId::from_u128(1);
//! #     Script::new().item(id, "photos").synchronize([
//! #         Step::report(id).status(ItemStatus::Updating),
//! #         Step::report(id).status(ItemStatus::Succeeded),
//! #     ]).handler()
//! # }
//!
//! // One run.
//! Harness::new(my_handler()).run().assert_conformant();
//!
//! // One run for each moment at which somebody could cancel.
//! explore_cancellations(my_handler).assert_conformant();
//! ```
//!
//! | | |
//! |---|---|
//! | [`Harness`] | drives a handler once, and does to it what a host and its user can do |
//! | [`explore_cancellations`], [`explore_faults`], [`Harness::explore`] | once for each point at which something can happen |
//! | [`Trace`] | the calls, as a timeline, with every [`Violation`] |
//! | [`Rule`] | H01 to H22 and M01 to M10: the text, and exactly what counts as a breach |
//! | [`Recorder`] | the same between a host and a handler of one's own |
//! | [`mock::Script`], [`mock::Step`] | a handler made of a list of steps, for tests of hosts |
//! | [`mock::ScriptedHost`], [`mock::Expect`] | a host that answers from a list, for tests of what reports |
//!
//! The [guide](crate::guide::testing) shows how a handler is tested with it.
//!
//! # What it can tell, and what not
//!
//! - It judges what is certain. Of two calls that overlap neither came first, so a race that shows in one run of a thousand
//!   shows here in one of a thousand too; what it does show is a breach. The points of the explorer make the moments
//!   of a cancel certain; those of threads against each other they leave to chance.
//! - It sees calls, and not work: a handler that stops reporting when it is told to, and goes on copying, looks obedient.
//!   Look at the world too: [`Harness::explore`] has a place for it.
//! - An exploration knows the paths of one run: see *Bad weather* and *What it does not find* in the guide.
//! - What a trace lacks is said, not guessed: [`Trace::undecided`].

mod answer;
mod call;
mod check;
mod drive;
mod exploration;
mod explore;
mod format;
mod harness;
mod injection;
mod intervention;
mod interventions;
mod item_ref;
#[cfg(feature = "serde")]
mod json;
mod labels;
mod listed;
pub mod mock;
mod reach;
mod recorder;
mod rule;
mod sample;
mod setting;
mod timeline;
mod trace;
mod trace_report;
mod violation;
mod wrappers;

pub use answer::Answer;
pub use call::{Action, Call, Side};
pub use exploration::Exploration;
pub use explore::{explore_cancellations, explore_faults};
pub use harness::Harness;
pub use intervention::Intervention;
pub use item_ref::ItemRef;
#[cfg(feature = "serde")]
pub use listed::Listed;
pub use recorder::Recorder;
pub use rule::{Rule, Severity};
pub use trace::Trace;
pub use violation::{Incident, Inconclusive, Violation};
