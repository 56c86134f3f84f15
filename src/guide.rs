//! The guide: what the crate is for, chapter by chapter, where the [crate page](crate) leaves off. It is there in the documentation
//! only.
//!
//! | chapter | for whom |
//! |---|---|
//! | [`handler`] | who has something to synchronize: the easy way, the whole trait, and when to take which |
//! | [`host`] | who drives a handler, or has none: a session alone, one handler, many |
//! | [`observing`] | who shows it: frames, event loops, streams, logs |
//! | [`testing`] | who wants to know whether a handler obeys |
//! | [`rules`] | what the contract asks of both sides |
//! | [`performance`] | what costs what, and what follows for a handler |
//! | [`names`] | every name of `mobsync.h`, and its name here |
//! | [`porting`] | who has a handler in C++ and COM |
//!
//! Each chapter can be read alone. Their programs are compiled and run with the tests of the crate.

#[doc = include_str!("../docs/guide/handler.md")]
pub mod handler {}

#[doc = include_str!("../docs/guide/host.md")]
pub mod host {}

#[doc = include_str!("../docs/guide/observing.md")]
pub mod observing {}

#[cfg_attr(feature = "testing", doc = include_str!("../docs/testing.md"))]
#[cfg_attr(
    not(feature = "testing"),
    doc = "# Testing a handler\n\nThis chapter is in the documentation that is built with the feature `testing`."
)]
pub mod testing {}

#[doc = include_str!("../docs/guide/rules.md")]
pub mod rules {}

#[doc = include_str!("../docs/guide/performance.md")]
pub mod performance {}

// What was left out is found where it says why.
#[doc(alias = "AddIUnknownToSession")]
#[doc(alias = "AddRef")]
#[doc(alias = "Clone")]
#[doc(alias = "IEnumSyncMgrConflict")]
#[doc(alias = "IEnumSyncMgrEvents")]
#[doc(alias = "IEnumSyncMgrSyncItems")]
#[doc(alias = "ISyncMgrConflict")]
#[doc(alias = "ISyncMgrConflictFolder")]
#[doc(alias = "ISyncMgrConflictItems")]
#[doc(alias = "ISyncMgrConflictPresenter")]
#[doc(alias = "ISyncMgrConflictResolveInfo")]
#[doc(alias = "ISyncMgrConflictStore")]
#[doc(alias = "ISyncMgrEventLinkUIOperation")]
#[doc(alias = "ISyncMgrHandler")]
#[doc(alias = "ISyncMgrHandlerCollection")]
#[doc(alias = "ISyncMgrHandlerInfo")]
#[doc(alias = "ISyncMgrResolutionHandler")]
#[doc(alias = "ISyncMgrScheduleWizardUIOperation")]
#[doc(alias = "ISyncMgrSessionCreator")]
#[doc(alias = "ISyncMgrSyncItem")]
#[doc(alias = "ISyncMgrSyncItemContainer")]
#[doc(alias = "ISyncMgrSyncItemInfo")]
#[doc(alias = "ISyncMgrSyncResult")]
#[doc(alias = "ISyncMgrUIOperation")]
#[doc(alias = "LPSYNCMGRITEM")]
#[doc(alias = "PFNRFCDCALLBACK")]
#[doc(alias = "QueryInterface")]
#[doc(alias = "REFSYNCMGRERRORID")]
#[doc(alias = "REFSYNCMGRITEMID")]
#[doc(alias = "RFCCM_NEEDELEMENT")]
#[doc(alias = "RFCCM_VIEWLOCAL")]
#[doc(alias = "RFCCM_VIEWNETWORK")]
#[doc(alias = "RFCDLGPARAM")]
#[doc(alias = "RFCD_ALL")]
#[doc(alias = "RFCD_KEEPBOTHICON")]
#[doc(alias = "RFCD_KEEPLOCALICON")]
#[doc(alias = "RFCD_KEEPSERVERICON")]
#[doc(alias = "RFCD_LOCALMODIFIEDBY")]
#[doc(alias = "RFCD_LOCALMODIFIEDON")]
#[doc(alias = "RFCD_LOCATION")]
#[doc(alias = "RFCD_NAME")]
#[doc(alias = "RFCD_NETWORKMODIFIEDBY")]
#[doc(alias = "RFCD_NETWORKMODIFIEDON")]
#[doc(alias = "RFCD_NEWNAME")]
#[doc(alias = "RFCF_APPLY_ALL")]
#[doc(alias = "RFC_APPLY_TO_ALL")]
#[doc(alias = "RFC_CANCEL")]
#[doc(alias = "RFC_KEEPBOTH")]
#[doc(alias = "RFC_KEEPLOCAL")]
#[doc(alias = "RFC_KEEPNETWORK")]
#[doc(alias = "Release")]
#[doc(alias = "ReportManualSync")]
#[doc(alias = "SYNCMGRLOGLEVEL_LOGLEVELMAX")]
#[doc(alias = "Skip")]
#[doc(alias = "SyncMgrResolveConflict")]
#[doc(alias = "cItems")]
#[doc(alias = "cbCookie")]
#[doc(alias = "cbNumItems")]
#[doc(alias = "cbSize")]
#[doc(alias = "dwReserved")]
#[doc(alias = "hIcon")]
#[doc(alias = "hWndParent")]
#[doc(alias = "nFlags")]
#[doc = include_str!("../docs/guide/names.md")]
pub mod names {}

#[doc = include_str!("../docs/guide/porting.md")]
pub mod porting {}
