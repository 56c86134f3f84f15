//! What a run of a handler came to.

use std::borrow::Borrow;
use std::sync::Arc;
use std::time::Duration;

use super::outcome::{Outcome, OutcomeCounts};
use crate::session::ItemView;
use crate::session::{BuildError, Phase, RefusedCompletion, Session};
use crate::util::escape::Escaped;
use crate::{CallbackError, HResult, HandlerInfo, ItemId, PropertiesOutcome};

/// What a run of a handler came to: see [`run_handler`](crate::run_handler).
///
/// With feature `serde`, `json::to_string` writes it; it is read as a `json::HandlerReportData`, which has no session.
///
/// ```
/// use syncmgr::per_item::{HandlerBuilder, from_items};
/// use syncmgr::{HResult, ItemId, ItemStatus, Phase, RunOptions, SyncItem, run_handler};
///
/// let items = (1..=2).map(|n| SyncItem::new(ItemId::from_u128(n), "a letter".parse().unwrap()));
/// let send = from_items(items, |item| match item.item().id.as_u128() {
///     1 => Ok(()),
///     _ => Err("there is no such address".into()),
/// });
/// let report = run_handler(HandlerBuilder::new("Mail".parse()?, send).build(), RunOptions::new());
///
/// assert!(!report.is_success());
/// // The handler did all that is due of it; one of its items has failed.
/// assert_eq!((report.result, report.phase), (HResult::S_OK, Phase::Completed));
/// assert!(report.unfinished.is_empty() && report.faults.is_empty() && report.error.is_none());
/// let failed = report.items().into_iter().filter(|item| item.status == ItemStatus::Failed);
/// assert_eq!(failed.count(), 1);
/// let session = report.session.ok_or("it told its items")?;
/// assert_eq!(session.log()[0].text, "there is no such address");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "whether the run went well stands in the report only"]
#[non_exhaustive]
pub struct HandlerReport {
    /// The result of the synchronization, or of the call that ended the run before it: `S_FALSE` where the handler took no
    /// part or needed the user, `E_UNEXPECTED` after a panic, `E_ABORT` past the deadline, `S_OK` where no item was
    /// selected.
    pub result: HResult,
    /// The phase in which the run ended, before the release: `Completed` after a whole run, `Idle` where nothing was
    /// prepared, `Preparing` or `Synchronizing` where a completion never came.
    pub phase: Phase,
    /// The session, released but still to be looked at; none where the handler told no items.
    pub session: Option<Arc<Session>>,
    /// The items of the last round without a final status when it ended (rule H15), in the order of the prepare.
    pub unfinished: Vec<ItemId>,
    /// How many prepares were made: 1, and one more for each retry.
    pub rounds: u32,
    /// How many threads were left behind in a call of the handler that did not return. Always 0 for
    /// [`run_handler`](crate::run_handler), which calls on its own thread; a host that calls on threads of its own counts
    /// them here.
    pub abandoned_threads: u32,
    /// What the handler told about itself.
    pub info: Option<HandlerInfo>,
    /// What ended the run early: the call and what it said. None after a whole run, and where the handler took no part or
    /// no item was selected. A host that keeps a log over many runs ([`SyncManager`](crate::SyncManager)) has it there, too.
    pub error: Option<String>,
    /// What the handler did against the contract, as far as a host can see it.
    pub faults: Vec<ProtocolViolation>,
    /// The properties that were [shown](crate::RunOptions::show_properties), of an item or (none) the handler's own, and what
    /// came of it. A handler that refused has its code in [`Other`](PropertiesOutcome::Other).
    pub properties: Vec<(Option<ItemId>, PropertiesOutcome)>,
    /// It was cancelled before there was a session to say so.
    pub(crate) never_begun: bool,
}

impl HandlerReport {
    /// The report of a run in which nothing was called, or of which nothing is known.
    pub(crate) fn without_run(result: HResult, error: String) -> Self {
        Self {
            result,
            phase: Phase::Idle,
            session: None,
            unfinished: Vec::new(),
            rounds: 0,
            abandoned_threads: 0,
            info: None,
            error: Some(error),
            faults: Vec::new(),
            properties: Vec::new(),
            never_begun: false,
        }
    }

    /// Returns `true` if everything was done: the result is a success code, no item failed, was cancelled, was left out or has
    /// no end, and the handler kept the contract.
    ///
    /// An item is left out if the host skips it, or if it never starts. An item that the handler itself ends as `Skipped`
    /// is not left out, and neither is one that was not selected. A handler that takes no part has succeeded.
    ///
    /// ```
    /// use syncmgr::per_item::{HandlerBuilder, from_items};
    /// use syncmgr::{ItemId, RunOptions, SyncItem, run_handler};
    ///
    /// let inbox = SyncItem::new(ItemId::from_u128(1), "Inbox".parse()?);
    /// let offline = from_items([inbox], |_work| Err("the server is down".into()));
    /// let report = run_handler(HandlerBuilder::new("Mail".parse()?, offline).build(), RunOptions::new());
    /// assert!(report.result.is_success()); // the handler did what it should
    /// assert!(!report.is_success()); // an item failed
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn is_success(&self) -> bool {
        went_well(self.result, &self.unfinished, &self.faults, self.views())
    }

    /// Whether everything was cancelled: in the session, or before the handler was started. Cancels of single items are told by
    /// their [verdicts](ItemView::verdict).
    #[must_use]
    pub fn was_cancelled(&self) -> bool {
        self.never_begun || (self.session.as_ref()).is_some_and(|session| session.is_cancelled())
    }

    /// How every item ended, those that took no part too ([`ItemView::selected`]), in the order in which they were listed and
    /// added. None where the handler told no items.
    #[must_use]
    pub fn items(&self) -> Vec<ItemView> {
        self.views().collect()
    }

    pub(crate) fn views(&self) -> impl Iterator<Item = ItemView> {
        self.session.iter().flat_map(|session| session.views())
    }

    /// Returns the items that ended in this way, in the order in which they were listed and added.
    ///
    /// # Examples
    ///
    /// ```
    /// use syncmgr::per_item::{HandlerBuilder, from_items};
    /// use syncmgr::{ItemId, Outcome, RunOptions, SyncItem, run_handler};
    ///
    /// let items = (1..=3).map(|n| SyncItem::new(ItemId::from_u128(n), "a letter".parse().unwrap()));
    /// let send = from_items(items, |item| match item.item().id.as_u128() {
    ///     2 => Err("there is no such address".into()),
    ///     _ => Ok(()),
    /// });
    /// let handler = HandlerBuilder::new("Mail".parse()?, send).build();
    /// let report = run_handler(handler.clone(), RunOptions::new());
    /// assert_eq!(report.counts().to_string(), "2 succeeded, 1 failed");
    /// for item in report.items_with(Outcome::Failed) {
    ///     eprintln!("{} failed", item.name);
    /// }
    ///
    /// let again = RunOptions::new().select(report.failed_items());
    /// assert_eq!(run_handler(handler, again).counts().total(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn items_with(&self, outcome: Outcome) -> Vec<ItemView> {
        let items = self.views();
        items
            .filter(|item| Outcome::of(item) == Some(outcome))
            .collect()
    }

    /// Returns how many items ended in which way. Items that were not selected are not counted.
    #[must_use]
    pub fn counts(&self) -> OutcomeCounts {
        OutcomeCounts::of(self.views())
    }

    /// Returns the ids of the items that failed, to [select](crate::RunOptions::select) them in another run.
    #[must_use]
    pub fn failed_items(&self) -> Vec<ItemId> {
        let failed = self
            .views()
            .filter(|item| Outcome::of(item) == Some(Outcome::Failed));
        failed.map(|item| item.id).collect()
    }
}

/// Whether all went well: see [`HandlerReport::is_success`].
pub(crate) fn went_well(
    result: HResult,
    open: &[ItemId],
    faults: &[ProtocolViolation],
    items: impl IntoIterator<Item = impl Borrow<ItemView>>,
) -> bool {
    let is_done = |item: &ItemView| match Outcome::of(item) {
        // Those without an end are in `open`, unless they were committed and wait for another round.
        None | Some(Outcome::Succeeded | Outcome::Skipped | Outcome::Unfinished) => true,
        Some(Outcome::Failed | Outcome::Cancelled) => false,
    };
    result.is_success()
        && open.is_empty()
        && faults.is_empty()
        && items.into_iter().all(|item| is_done(item.borrow()))
}

/// What a handler did against the contract, as far as its host can see it.
///
/// ```
/// use syncmgr::per_item::{HandlerBuilder, from_fn};
/// use syncmgr::{ProtocolViolation, HResult, RunOptions, run_handler};
///
/// let broken = from_fn(|| panic!("no such list"), |_work| Ok(()));
/// let report = run_handler(HandlerBuilder::new("Broken".parse()?, broken).build(), RunOptions::new());
/// assert_eq!(report.result, HResult::E_UNEXPECTED);
/// assert!(matches!(&report.faults[..], [ProtocolViolation::Panicked { call: "items", .. }]));
/// assert_eq!(report.faults[0].to_string(), "the handler panicked in items: no such list");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ProtocolViolation {
    /// A method of the handler panicked; the run ended there.
    #[error("the handler panicked in {call}: {}", Escaped(.message))]
    Panicked {
        /// The method.
        call: &'static str,
        /// The panic's text.
        message: String,
    },
    /// An awaited completion did not come before the deadline.
    #[error("{call} was not called: there was neither a call nor a new value for {after:?}")]
    NotCompleted {
        /// The completion.
        call: &'static str,
        /// The deadline.
        after: Duration,
    },
    /// A call of the handler did not return before the deadline; its thread was left behind.
    #[error("{call} did not return: there was neither a call nor a new value for {after:?}")]
    DidNotReturn {
        /// The method.
        call: &'static str,
        /// The deadline.
        after: Duration,
    },
    /// A completion came twice, or in the wrong phase (rules H05 to H08).
    #[error(
        "{} with {} came in the phase {}; one is allowed for each call that answered S_OK",
        .0.call, .0.result, .0.phase
    )]
    RefusedCompletion(RefusedCompletion),
    /// A completion came that nobody waits for (rules H06, H08, H09).
    #[error(
        "{call} was called with nothing to complete; it is due once, after a call that answered a success"
    )]
    UnexpectedCompletion {
        /// The completion.
        call: &'static str,
    },
    /// The list of items cannot be used (rule H21).
    #[error("the list of items cannot be used: {0}")]
    BadItems(BuildError),
    /// A retry named no item, or one that the handler did not list (rule H18).
    #[error("the retry cannot be made: {0}")]
    BadRetry(CallbackError),
}

impl ProtocolViolation {
    /// The result code that stands for the fault: `E_UNEXPECTED` for a panic and for a completion out of place, `E_ABORT`
    /// past the deadline, and the code of the error that the others carry.
    #[must_use]
    pub const fn hresult(&self) -> HResult {
        match self {
            Self::Panicked { .. }
            | Self::RefusedCompletion(_)
            | Self::UnexpectedCompletion { .. } => HResult::E_UNEXPECTED,
            Self::NotCompleted { .. } | Self::DidNotReturn { .. } => HResult::E_ABORT,
            Self::BadItems(error) => error.hresult(),
            Self::BadRetry(error) => error.hresult(),
        }
    }
}
