//! Reports as plain data: what is written in place of a session, and read.

use serde::{Deserialize, Serialize, Serializer};

use crate::driver::went_well;
use crate::session::LogEntry;
use crate::{
    HResult, HandlerId, HandlerInfo, HandlerReport, ItemId, ItemView, Phase, PropertiesOutcome,
    ProtocolViolation, RunReport,
};

/// A [`HandlerReport`] as plain data, to be kept, sent and compared. In place of the session it has what there is to be seen in
/// it: the items as they ended, the log, the handler's text.
///
/// ```
/// # use std::sync::Arc;
/// # use syncmgr::SyncHandler;
/// # use syncmgr::per_item::{HandlerBuilder, from_items};
/// # fn letters() -> Arc<dyn SyncHandler> {
/// #     let letter = syncmgr::SyncItem::new(syncmgr::ItemId::from_u128(1), "a letter".parse().unwrap());
/// #     HandlerBuilder::new("Mail".parse().unwrap(), from_items([letter], |_| Err("no stamp".into()))).build()
/// # }
/// use syncmgr::json::{self, HandlerReportData};
/// use syncmgr::{RunOptions, run_handler};
///
/// let report = run_handler(letters(), RunOptions::new());
/// let text = json::to_string(&report);
///
/// let record: HandlerReportData = json::from_str(&text)?; // another day
/// assert_eq!(record, HandlerReportData::from(&report));
/// assert_eq!(record.items, report.items());
/// assert_eq!(record.log[0].text, "no stamp");
/// assert!(!record.is_success());
/// # Ok::<(), json::JsonError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct HandlerReportData {
    /// The result: see [`HandlerReport::result`].
    pub result: HResult,
    /// Whether everything was cancelled: see [`HandlerReport::was_cancelled`]. False in a file that does not say it.
    #[serde(default)]
    pub cancelled: bool,
    /// The phase in which the run ended, before the release.
    pub phase: Phase,
    /// How many prepares were made.
    pub rounds: u32,
    /// How many threads were left behind.
    #[serde(default, rename = "abandoned")]
    pub abandoned_threads: u32,
    /// What the handler told about itself.
    #[serde(default)]
    pub info: Option<HandlerInfo>,
    /// What ended the run early.
    #[serde(default)]
    pub error: Option<String>,
    /// The handler's own line of text: see [`Session::handler_text`](crate::Session::handler_text).
    #[serde(default)]
    pub text: String,
    /// How every item ended: see [`HandlerReport::items`].
    pub items: Vec<ItemView>,
    /// The items of the last round without a final status when it ended.
    #[serde(default, rename = "open")]
    pub unfinished: Vec<ItemId>,
    /// The log, oldest first: see [`Session::log`](crate::Session::log).
    #[serde(default)]
    pub log: Vec<LogEntry>,
    /// How many entries it refused, being full.
    #[serde(default)]
    pub log_refused: u64,
    /// What the handler did against the contract.
    #[serde(default)]
    pub faults: Vec<ProtocolViolation>,
    /// What came of the properties that were shown, of an item or (none) the handler's own.
    #[serde(default, with = "properties")]
    pub properties: Vec<(Option<ItemId>, PropertiesOutcome)>,
}

impl HandlerReportData {
    /// Returns `true` if everything was done: see [`HandlerReport::is_success`].
    #[must_use]
    pub fn is_success(&self) -> bool {
        went_well(self.result, &self.unfinished, &self.faults, &self.items)
    }
}

impl From<&HandlerReport> for HandlerReportData {
    fn from(report: &HandlerReport) -> Self {
        let session = report.session.as_deref();
        Self {
            result: report.result,
            cancelled: report.was_cancelled(),
            phase: report.phase,
            rounds: report.rounds,
            abandoned_threads: report.abandoned_threads,
            info: report.info.clone(),
            error: report.error.clone(),
            text: session.map_or_else(String::new, |session| session.handler_text()),
            items: report.items(),
            unfinished: report.unfinished.clone(),
            log: session.map_or_else(Vec::new, |session| session.log()),
            log_refused: session.map_or(0, |session| session.log_refused()),
            faults: report.faults.clone(),
            properties: report.properties.clone(),
        }
    }
}

impl Serialize for HandlerReportData {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct ReportForm<'a> {
            /// For who has not this crate; not read.
            success: bool,
            cancelled: bool,
            result: HResult,
            phase: Phase,
            rounds: u32,
            abandoned: u32,
            #[serde(skip_serializing_if = "Option::is_none")]
            info: &'a Option<HandlerInfo>,
            #[serde(skip_serializing_if = "Option::is_none")]
            error: &'a Option<String>,
            text: &'a str,
            items: &'a [ItemView],
            open: &'a [ItemId],
            log: &'a [LogEntry],
            log_refused: u64,
            faults: &'a [ProtocolViolation],
            #[serde(with = "properties")]
            properties: &'a [(Option<ItemId>, PropertiesOutcome)],
        }
        ReportForm {
            success: self.is_success(),
            cancelled: self.cancelled,
            result: self.result,
            phase: self.phase,
            rounds: self.rounds,
            abandoned: self.abandoned_threads,
            info: &self.info,
            error: &self.error,
            text: &self.text,
            items: &self.items,
            open: &self.unfinished,
            log: &self.log,
            log_refused: self.log_refused,
            faults: &self.faults,
            properties: &self.properties,
        }
        .serialize(serializer)
    }
}

impl Serialize for HandlerReport {
    /// As [`HandlerReportData`].
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        HandlerReportData::from(self).serialize(serializer)
    }
}

mod properties {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::{ItemId, PropertiesOutcome};

    #[derive(Serialize, Deserialize)]
    struct ShownProperties {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        item: Option<ItemId>,
        result: PropertiesOutcome,
    }

    pub(super) fn serialize<S: Serializer>(
        list: &[(Option<ItemId>, PropertiesOutcome)],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let shown = list.iter().map(|(item, result)| ShownProperties {
            item: *item,
            result: *result,
        });
        serializer.collect_seq(shown)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<(Option<ItemId>, PropertiesOutcome)>, D::Error> {
        let list = Vec::<ShownProperties>::deserialize(deserializer)?;
        let pairs = list.into_iter().map(|shown| (shown.item, shown.result));
        Ok(pairs.collect())
    }
}

/// A [`RunReport`] as plain data.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "RunReportInput")]
#[non_exhaustive]
pub struct RunReportData {
    /// Each handler with its record, in the order in which they were asked for.
    pub handlers: Vec<(HandlerId, HandlerReportData)>,
}

impl RunReportData {
    /// Whether every handler succeeded.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.handlers.iter().all(|(_, record)| record.is_success())
    }

    /// Whether everything was cancelled in [one of the handlers](HandlerReportData::cancelled).
    #[must_use]
    pub fn was_cancelled(&self) -> bool {
        self.handlers.iter().any(|(_, record)| record.cancelled)
    }

    /// The record of one handler.
    #[must_use]
    pub fn handler(&self, id: HandlerId) -> Option<&HandlerReportData> {
        let mut handlers = self.handlers.iter();
        handlers
            .find(|(handler, _)| *handler == id)
            .map(|(_, record)| record)
    }

    /// How every item of every handler ended.
    pub fn items(&self) -> impl Iterator<Item = (HandlerId, &ItemView)> + '_ {
        let handlers = self.handlers.iter();
        handlers.flat_map(|(handler, record)| record.items.iter().map(|item| (*handler, item)))
    }
}

impl From<&RunReport> for RunReportData {
    fn from(report: &RunReport) -> Self {
        let handlers = report.handlers.iter();
        Self {
            handlers: handlers.map(|(id, report)| (*id, report.into())).collect(),
        }
    }
}

#[derive(Serialize)]
struct RunReportForm<'a, T> {
    /// For who has not this crate; not read.
    success: bool,
    /// As `success`.
    cancelled: bool,
    handlers: Vec<HandlerPart<&'a T>>,
}

#[derive(Serialize, Deserialize)]
struct HandlerPart<T> {
    handler: HandlerId,
    report: T,
}

impl<'a, T> RunReportForm<'a, T> {
    fn new(success: bool, cancelled: bool, handlers: &'a [(HandlerId, T)]) -> Self {
        let parts = handlers.iter().map(|(handler, report)| HandlerPart {
            handler: *handler,
            report,
        });
        Self {
            success,
            cancelled,
            handlers: parts.collect(),
        }
    }
}

impl Serialize for RunReportData {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (success, cancelled) = (self.is_success(), self.was_cancelled());
        RunReportForm::new(success, cancelled, &self.handlers).serialize(serializer)
    }
}

impl Serialize for RunReport {
    /// As [`RunReportData`].
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (success, cancelled) = (self.is_success(), self.was_cancelled());
        RunReportForm::new(success, cancelled, &self.handlers).serialize(serializer)
    }
}

#[derive(Deserialize)]
struct RunReportInput {
    handlers: Vec<HandlerPart<HandlerReportData>>,
}

impl From<RunReportInput> for RunReportData {
    fn from(read: RunReportInput) -> Self {
        let parts = read.handlers.into_iter();
        Self {
            handlers: parts.map(|part| (part.handler, part.report)).collect(),
        }
    }
}
