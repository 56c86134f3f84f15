//! The rules of the contract.

use std::fmt;

/// The severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// An advisory finding: some handlers have a good reason for what they do. A test does not fail
    /// on it.
    Should,
    /// A breach of the contract.
    Must,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Should => "should",
            Self::Must => "must",
        })
    }
}

macro_rules! rules {
    ($(
        $(#[$doc:meta])*
        $name:ident = $id:literal
            asks $text:literal
            from $source:literal
            instead $advice:literal;
    )+) => {
        /// A rule of the contract: `H` binds the handler, `M` the host (the *manager*).
        ///
        /// The documentation of each says exactly what in a trace counts as a breach. Words that stand there:
        ///
        /// - A **report** of an item is a call of `progress` for it, or its short form `can_continue` with an item. It **only
        ///   asks** where nothing is set in the update; it is **final** where it carries a final status.
        /// - A **round** lasts from a call of `prepare_for_sync` to the next; what is said of an item starts anew with each
        ///   round that names it.
        /// - A call is **before** another where it had returned when the other began. Of two calls that overlap neither is
        ///   before the other, and no breach is made of their order.
        /// - A thread was **told** to stop an item where a report that it made of that item was answered by a cancel. What other
        ///   threads were told does not count.
        /// - A call that breaks [`NoCallAfterRelease`](Self::NoCallAfterRelease) is not judged by any other rule.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Rule {
            $($(#[$doc])* #[doc = concat!("\n\nSource: ", $source, ".")] $name,)+
        }

        impl Rule {
            /// Every rule, in the order of the ids.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The rule's id, such as `"H01"`. Ids are stable.
            #[must_use]
            pub const fn id(self) -> &'static str {
                match self { $(Self::$name => $id,)+ }
            }

            /// What the rule asks, in one sentence.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }

            /// Where the rule comes from: the reference page by its method's name, and what this crate made exact.
            #[must_use]
            pub const fn source(self) -> &'static str {
                match self { $(Self::$name => $source,)+ }
            }

            /// What to do in place of the breach.
            #[must_use]
            pub const fn advice(self) -> &'static str {
                match self { $(Self::$name => $advice,)+ }
            }
        }
    };
}

rules! {
    /// H01: the first report of an item in a round carries `Succeeded` (must), or a value above 0 (should: a handler that
    /// resumes an item begins where it had stopped).
    VerdictBeforeItem = "H01"
        asks "ask for a verdict, by any report of the item, before starting it"
        from "the remarks on ISyncMgrSynchronizeCallback"
        instead "report the item before the first piece of work, for example by `check()` or with the status Updating, and start it only if the answer is Continue";
    /// H02: a thread that was told `CancelItem` for an item makes another report of it that neither
    /// only asks nor is final. The first such report of a thread is advisory (should): the page
    /// says "as soon as possible", and a report may be on its way. The second is a breach (must).
    ///
    /// Or an item is ended as `Succeeded` after any thread was told, with less than its maximum reported (should: the rest may have
    /// been done between two reports).
    StopCancelledItem = "H02"
        asks "after CancelItem do no more work on that item and report nothing of it but its final status"
        from "Progress (\"as soon as possible\") and ReportProgress of syncmgr.h; made exact by this crate"
        instead "look at the answer of every report; when it is CancelItem, stop working on the item and report its final status, such as Stopped";
    /// H03: the same as H02 for every item, after `CancelAll`: of the reports of an item that a
    /// thread makes after it was told, the first that neither only asks nor is final is advisory
    /// (should), and the second is a breach (must).
    ///
    /// The first report by that thread of each other item is free, because that is how the thread
    /// is told; if it starts the item, it must only ask or have the status `Updating` or
    /// `UpdatingIndeterminate` (otherwise: should). A second report of that item, which neither
    /// only asks nor is final, is a breach (must), unless the thread was told by the answer to a
    /// final status only: then it is graded like the first item.
    ///
    /// Threads that were not told owe nothing. But an item that gets three or more such reports
    /// from them, after another thread was told, is asked about (should): the work may have been
    /// handed to new threads. So is an item that is ended as `Succeeded`, as for H02 (should).
    StopAllWhenCancelled = "H03"
        asks "after CancelAll stop every item and start no new one"
        from "Progress (\"as soon as possible\") and ReportProgress of syncmgr.h; made exact by this crate"
        instead "look at the answer of every report; when it is CancelAll, stop the item, start no other, and report a final status for each";
    /// H04: a report, which does not only ask, of an item that is neither named by the last
    /// `prepare_for_sync` nor added since by an `add_item` that was taken, nor proposed by a
    /// `propose_item` that was taken.
    OnlyPreparedItems = "H04"
        asks "report only items of the current prepare, or added since, or proposed"
        from "PrepareForSync, Synchronize, AddItemToSession of syncmgr.h; \"only\" is this crate's"
        instead "report only the ids that prepare_for_sync was given; a new item has to be added by add_item or proposed by propose_item first";
    /// H05: `prepare_for_sync` answered `Started` and its completion was called more than once, or not at all when the host
    /// gave up waiting. Or it was called before any prepare.
    PrepareCompletedOnce = "H05"
        asks "call prepare_for_sync_completed exactly once if prepare_for_sync answered Started"
        from "PrepareForSyncCompleted; \"once\" is this crate's"
        instead "call it once on every way out of the prepare, also on those of errors and panics, and let only one thread do it";
    /// H06: `prepare_for_sync` answered anything but `Started`, or panicked, and its completion was called.
    NoPrepareCompletedAfterRefusal = "H06"
        asks "do not call prepare_for_sync_completed if prepare_for_sync answered anything but Started"
        from "PrepareForSyncCompleted"
        instead "tell a failure in one way: by the answer of prepare_for_sync, or by Started and a completion with its code";
    /// H07: `synchronize` answered `Ok` and its completion was called more than once, or not at all when the host gave up
    /// waiting. Or it was called before any synchronize.
    SynchronizeCompletedOnce = "H07"
        asks "call synchronize_completed exactly once if synchronize answered Ok"
        from "SynchronizeCompleted; \"once\" is this crate's"
        instead "call it once on every way out of the work, also after a cancel, an error or a panic, when the last worker has finished";
    /// H08: `synchronize` answered anything but `Ok`, or panicked, and its completion was called.
    NoSynchronizeCompletedAfterFailure = "H08"
        asks "do not call synchronize_completed if synchronize answered anything but Ok"
        from "SynchronizeCompleted"
        instead "tell a failure in one way: by the answer of synchronize, or by Ok and a completion with its code";
    /// H09: `show_error` answered a success code and its completion was called more than once, or not at all when the host gave
    /// up waiting. Or `show_error` failed or was never called, and the completion was.
    ShowErrorCompletedOnce = "H09"
        asks "call show_error_completed once after a success of show_error, never after a failure"
        from "ShowErrorCompleted; \"once\" is this crate's"
        instead "call it once when the user has seen the error, and not at all if show_error answers an error";
    /// H10: the same for `show_properties`.
    ShowPropertiesCompletedOnce = "H10"
        asks "call show_properties_completed once after a success of show_properties, never after a failure"
        from "ShowPropertiesCompleted; \"once\" is this crate's"
        instead "call it once when the properties are closed, and not at all if show_properties answers an error";
    /// H11: `enable_modeless(false)` without a turn, so after `Denied` or twice; or a turn that was
    /// never given back until the callback was taken away. Asking again while a turn is held, by
    /// the same thread or another, is no breach: the answer is `Denied`.
    DialogTurns = "H11"
        asks "show a dialog only after enable_modeless(true) was granted, then call enable_modeless(false) exactly once; not after Denied"
        from "EnableModeless, ShowError; \"exactly one, none after S_FALSE\" is this crate's"
        instead "pair each granted enable_modeless(true) with one enable_modeless(false), also on the way of an error, and show no dialog and give nothing back after Denied";
    /// H12: `enable_modeless(true)` between the prepare and the completion of the synchronization, and the flags of
    /// `initialize` lack `MAY_BOTHER_USER`.
    NoDialogUnlessMayBother = "H12"
        asks "show no dialog in prepare or synchronize without MAY_BOTHER_USER; do not even ask"
        from "SYNCMGRFLAG, PrepareForSync; that asking counts is this crate's"
        instead "keep the flags of initialize, and ask for a dialog only if they have MAY_BOTHER_USER; else answer NeedsUser or fail";
    /// H13: a call on a callback begins after the `set_progress_callback` that replaced it or took it away had returned.
    NoCallAfterRelease = "H13"
        asks "make no call on a callback after it was replaced or taken away"
        from "SetProgressCallback"
        instead "in set_progress_callback drop every copy of the callback, and have the workers that hold one end before it returns; a completion that is not due must not be made earlier either";
    /// H14: an item that had no report in the round when `set_item_status(Skipped)` for it had returned gets one after that
    /// which neither only asks nor is final.
    SkippedItemNotStarted = "H14"
        asks "do not start an item after set_item_status(Skipped) for it"
        from "SetItemStatus"
        instead "ask before an item is started, for example by `check()`, and start it only if the answer is Continue; or look at the skipped items under the lock that set_item_status takes, and report under it. Its final status is then Skipped";
    /// H15: `synchronize_completed` is called while an item of the round has no final status that
    /// was taken. Not judged where `synchronize` itself fails. A proposed item belongs to the round
    /// once it is committed and worked on.
    FinalStatusBeforeCompletion = "H15"
        asks "give every item of the round a final status before synchronize_completed"
        from "the remarks on ISyncMgrSyncCallback of syncmgr.h; the list of final statuses is this crate's"
        instead "report Succeeded, Failed, Skipped, Stopped or Deleted for each item of the prepare, also for those that a cancel kept from being started";
    /// H16: a report of an item that does not only ask and does not carry `Failed`, after a final status of it was taken in
    /// the same round.
    OnlyFailedAfterFinal = "H16"
        asks "after a final status of an item only Failed may follow, until the next prepare"
        from "ReportProgress of syncmgr.h (E_ACCESSDENIED)"
        instead "let only one place report the final status, when all work on the item has ended";
    /// H17: a report sets a value or a maximum so that the value exceeds the maximum, while the
    /// item's status is not `UpdatingIndeterminate` (must). Or a report ends that status by another
    /// one that is not final, sets neither, and leaves the value above the maximum (should). A
    /// maximum of 0 is none.
    ValueWithinMaximum = "H17"
        asks "the value does not exceed the maximum, unless the status is UpdatingIndeterminate"
        from "this crate; ReportProgress of syncmgr.h (steps ignored)"
        instead "raise the maximum in the same report, or use UpdatingIndeterminate while it is not known";
    /// H18: `show_error_completed` asks for a retry of an item that no `items` had listed, no
    /// `add_item` had added and no `commit_item` had committed. The host does not know a mere
    /// proposal.
    RetryOnlyKnownItems = "H18"
        asks "a retry names only items that were listed, added or committed"
        from "this crate (the ids of ShowErrorCompleted go to PrepareForSync)"
        instead "name the ids of items that the host knows; an error that belongs to no item has nothing to retry";
    /// H19: `item_object` answers anything but `NotImplemented` (should: later handlers serve icons
    /// there).
    NoItemObject = "H19"
        asks "item_object answers NotImplemented"
        from "GetItemObject"
        instead "leave the method at its default";
    /// H20: `delete_log_error` names an error id that no `log_error` before had named.
    DeleteOnlyOwnErrors = "H20"
        asks "delete only error ids that were logged, or all of one's own"
        from "DeleteLogError"
        instead "keep the error ids that were logged, or delete all with LogSelector::All";
    /// H21: a list of items has an id twice or a nil one, an item whose flags have `LAST_UPDATE_TIME` without the time, or a
    /// name that is too long or holds a NUL. The name of the handler likewise, and an item that is added or proposed.
    WellFormedItems = "H21"
        asks "items have unique ids that are not nil, the time that their flags promise, and names that fit"
        from "SYNCMGRITEM, SYNCMGRITEMFLAGS, SYNCMGRHANDLERINFO; the two rules on ids are this crate's"
        instead "make ids of what the item is (ItemId::from_name), and set the time by SyncItem::last_update";
    /// H22: `establish_connection` although the flags of `info` lack `MAY_ESTABLISH_CONNECTION`.
    ConnectOnlyIfDeclared = "H22"
        asks "call establish_connection only with MAY_ESTABLISH_CONNECTION among the handler's flags"
        from "SYNCMGRHANDLERFLAGS; \"only\" is this crate's"
        instead "set HandlerFlags::MAY_ESTABLISH_CONNECTION in info";

    /// M01: `synchronize` is called before the prepare of the round was completed with `S_OK`, or twice in a round.
    SynchronizeAfterPrepare = "M01"
        asks "call synchronize only after prepare_for_sync_completed(S_OK), once a round"
        from "PrepareForSyncCompleted"
        instead "wait for the completion of the prepare, and release the handler if it is not S_OK";
    /// M02: `prepare_for_sync` is called with no items.
    NothingWithoutSelection = "M02"
        asks "call neither prepare_for_sync nor synchronize when no item is selected"
        from "Synchronize; \"prepare\" is this crate's"
        instead "release the handler if the user selected none of its items";
    /// M03: `prepare_for_sync` or `show_properties` is called while no callback is set, or the handler is let go while one
    /// is.
    CallbackAroundUse = "M03"
        asks "set the callback before prepare_for_sync and show_properties, and take it away before the handler is let go"
        from "SetProgressCallback; ShowProperties is this crate's"
        instead "call set_progress_callback(Some) first and set_progress_callback(None) last, on every way out";
    /// M04: `set_item_status` is called with another status than `Skipped`, while no prepare or synchronize is in hand, before
    /// that call has returned, or after the host has acted on its completion.
    SkipInItsWindows = "M04"
        asks "call set_item_status only with Skipped, and only between the return of prepare_for_sync or synchronize and its completion"
        from "SetItemStatus"
        instead "keep skips until one of the two windows is open";
    /// M05: `show_error` is called with an id of which no entry with `ENABLE_JUMP_TEXT` was logged before.
    ShowErrorOnlyForJumpText = "M05"
        asks "call show_error only for entries with jump text, with their error id"
        from "SYNCMGRLOGERRORINFO, ShowError"
        instead "ask LogEntry::can_be_shown first";
    /// M06: `initialize` has a cookie, and the event is not `Invoke`.
    CookieOnlyWithInvoke = "M06"
        asks "pass a cookie only with the event Invoke"
        from "Initialize"
        instead "leave the cookie out, or start the handler with SyncEvent::Invoke";
    /// M07: never judged by one trace: it speaks of what the host keeps from run to run.
    KeepChoicesOfUnlisted = "M07"
        asks "keep stored choices of items that are not listed after an incomplete list"
        from "EnumSyncMgrItems, SYNCMGRITEMFLAGS"
        instead "drop choices only after ItemList::Complete, or of temporary items";
    /// M08: a connection is closed while a prepare or synchronize of the handler is not completed, and the host has not given
    /// up waiting. What other handlers of
    /// the run do, one trace does not tell.
    ConnectionsOutliveHandlers = "M08"
        asks "close connections only when all handlers of the run have finished"
        from "EstablishConnection"
        instead "keep what the connector opened until the last handler was let go";
    /// M09: `enable_modeless(true)` is granted while a turn that was granted before is not given back, by the handler or by the
    /// end of its work. What other handlers hold, one trace does not tell.
    OneDialogAtATime = "M09"
        asks "grant one dialog at a time"
        from "EnableModeless; \"over all handlers\" is this crate's"
        instead "answer Denied while anybody holds the turn";
    /// M10: a report of an item is answered `Continue` although a cancel of it, or of everything, had returned before, or an
    /// earlier report of it had been answered by a cancel.
    CancelIsSeen = "M10"
        asks "once a cancel has returned, answer every later report of the item by the cancel, on any thread"
        from "Progress (\"as soon as possible\"); made exact by this crate"
        instead "make the cancel visible to every thread before the call that makes it returns";
}

impl Rule {
    /// Returns the greatest severity that a finding of the rule has. The documentation of the rule
    /// tells which of its findings are advisory; each [`Violation`](super::Violation) carries its
    /// own severity.
    #[must_use]
    pub const fn severity(self) -> Severity {
        match self {
            Self::NoItemObject => Severity::Should,
            _ => Severity::Must,
        }
    }

    /// Whether the rule binds the handler, and not the host.
    #[must_use]
    pub fn binds_handler(self) -> bool {
        self.id().starts_with('H')
    }
}

impl fmt::Display for Rule {
    /// The id: `H01`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.id())
    }
}
