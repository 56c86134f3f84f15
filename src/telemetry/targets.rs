//! The targets of spans and events, and numbers as OpenTelemetry represents them.

pub(super) const TARGET: &str = "syncmgr";
pub(super) const RUN: &str = "syncmgr::run";
pub(super) const HANDLER: &str = "syncmgr::handler";
pub(super) const ITEM: &str = "syncmgr::item";
pub(super) const LOG: &str = "syncmgr::log";
pub(super) const STATUS: &str = "syncmgr::status";
pub(super) const CANCEL: &str = "syncmgr::cancel";
pub(super) const PHASE: &str = "syncmgr::phase";
pub(super) const PROGRESS: &str = "syncmgr::progress";

/// A number as OpenTelemetry knows it.
pub(super) fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
