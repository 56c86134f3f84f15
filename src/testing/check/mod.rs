//! The conformance checker.
//!
//! The checker turns the calls of a trace into findings. It uses nothing but the calls, so it also
//! judges traces from elsewhere. A finding is certain: of two calls that overlap, neither came
//! first. The checker reports what it cannot decide as
//! [`Inconclusive`](super::violation::Inconclusive).

mod cancels;
mod checker;
mod completions;
mod handler;
mod host;
mod items;
mod values;

use super::call::Call;
use super::labels::Labels;
use checker::Check;

pub(super) use checker::Judgement;

/// Judges calls, which are in the order in which they began.
pub(super) fn judge(calls: &[Call], labels: &Labels) -> Judgement {
    let mut check = Check::new(calls, labels);
    handler::late_calls(&mut check);
    items::check(&mut check);
    completions::check(&mut check);
    handler::check(&mut check);
    host::check(&mut check);
    check.finish()
}
