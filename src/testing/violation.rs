//! The findings of the conformance checker.

use std::fmt;

use super::rule::{Rule, Severity};
use crate::ItemId;

/// A breach of a rule, or an advisory finding.
///
/// ```
/// use syncmgr::testing::mock::{Script, Step};
/// use syncmgr::testing::Harness;
/// use syncmgr::{ItemId, ItemStatus};
///
/// let photos = ItemId::from_u128(1);
/// let script = Script::new().item(photos, "photos").ignore_verdicts().synchronize([
///     Step::report(photos).status(ItemStatus::Updating),
///     Step::report(photos).value(1),
///     Step::report(photos).value(2),
///     Step::report(photos).status(ItemStatus::Succeeded),
/// ]);
/// let trace = Harness::new(script.handler()).cancel_item_at(2).run();
/// let advisory = trace.advisories().next().unwrap();
/// assert_eq!((advisory.rule.id(), advisory.item), ("H02", Some(photos)));
/// assert!(!advisory.is_fault());
/// println!("{advisory}"); // H02 (should) at call 11: call 11 reports more work on "photos" ...
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Violation {
    /// The rule.
    pub rule: Rule,
    /// The severity: a breach, or an advisory finding.
    pub severity: Severity,
    /// The place in [`Trace::calls`](super::Trace::calls), counted from 0, of the call at fault: the one that should not have
    /// been made, or after which the missing one was due.
    pub at: usize,
    /// The places of the calls that led to it, in order.
    pub related_calls: Vec<usize>,
    /// The item it is about.
    pub item: Option<ItemId>,
    /// How many more findings there are of the same rule and severity for the same item.
    pub repeats: usize,
    /// What happened, with the calls numbered from 1 as the timeline shows them.
    pub message: String,
}

impl Violation {
    /// What to do in place of it.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        self.rule.advice()
    }

    /// Returns `true` if the finding is a breach ([`Severity::Must`]), and `false` if it is
    /// advisory.
    #[must_use]
    pub fn is_fault(&self) -> bool {
        self.severity == Severity::Must
    }
}

impl fmt::Display for Violation {
    /// One line: `H02 (must) at call 12: ` and the message. [`Trace::report`](super::Trace::report) has more.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rule, severity, call) = (self.rule, self.severity, self.at + 1);
        write!(f, "{rule} ({severity}) at call {call}: {}", self.message)
    }
}

/// A rule that the trace could not be judged by, and why.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Inconclusive {
    /// The rule.
    pub rule: Rule,
    /// What the trace lacks.
    pub why: String,
}

/// Something that no rule speaks of, and that no handler should do all the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Incident {
    /// A method of the handler panicked.
    Panicked {
        /// The place of the call in the trace, counted from 0.
        at: usize,
        /// The panic's text.
        text: String,
    },
    /// A method of the handler had not returned when the host gave up.
    DidNotReturn {
        /// The place of the call in the trace, counted from 0.
        at: usize,
    },
    /// The look at the world after the run, in [`Harness::explore`](super::Harness::explore), panicked.
    After {
        /// The panic's text.
        text: String,
    },
}

impl fmt::Display for Incident {
    /// Writes one line: `call 12 panicked: ` and the text. [`Trace::report`](super::Trace::report) has more.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panicked { at, text } => write!(f, "call {} panicked: {text}", at + 1),
            Self::DidNotReturn { at } => {
                write!(
                    f,
                    "call {} had not returned when the host gave up waiting",
                    at + 1
                )
            }
            Self::After { text } => write!(f, "the check after the run panicked: {text}"),
        }
    }
}
