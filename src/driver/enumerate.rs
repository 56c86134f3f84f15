//! From `initialize` to the list of items.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::call_monitor::CallMonitor;
use super::guarded_call::{RunEnd, call, log};
use super::options::RunOptions;
use super::options::Select;
use super::report::ProtocolViolation;
use crate::session::{BuildError, Session, SessionBuilder};
use crate::{
    HResult, HandlerError, HandlerInfo, ItemId, ItemList, LogLevel, Participation, SyncEvent,
    SyncFlags, SyncHandler,
};

/// From `initialize` to the list of items: there is no session yet.
pub(crate) struct Enumerate<'a> {
    pub(crate) handler: &'a Arc<dyn SyncHandler>,
    pub(crate) faults: Vec<ProtocolViolation>,
    pub(crate) info: Option<HandlerInfo>,
    pub(crate) monitor: CallMonitor,
}

pub(crate) struct Enumerated {
    pub(crate) session: Arc<Session>,
    /// None of them: only properties are to be shown.
    pub(crate) items: Vec<ItemId>,
}

impl Enumerate<'_> {
    fn call<R>(
        &mut self,
        name: &'static str,
        method: impl FnOnce(Arc<dyn SyncHandler>) -> Result<R, HandlerError>,
    ) -> Result<Result<R, RunEnd>, RunEnd> {
        call(
            self.handler,
            None,
            &self.monitor,
            &mut self.faults,
            name,
            method,
        )
    }

    /// Either the session and the items to prepare, or how the run ended before that.
    pub(crate) fn begin(
        &mut self,
        options: &mut RunOptions,
    ) -> Result<Enumerated, (Option<Arc<Session>>, RunEnd)> {
        let list = self.list(options).map_err(|end| (None, end))?;
        // Before anybody sees the list: one that cannot be used is none.
        let index = SessionBuilder::check(list.items())
            .map_err(|error| (None, bad_items(&mut self.faults, error)))?;
        let is_chosen = options.select.is_some();
        let wanted = selected(options.select.as_mut(), &list);
        let builder = options.take_session().items(list.into_items());
        let session = builder.build_checked(index);
        if let Some(left_out) = cookie_left_out(options) {
            log(Some(&session), LogLevel::Warning, &left_out);
        }
        for on_session in options.on_session.drain(..) {
            let given = Arc::clone(&session);
            let call = || on_session.into_inner().map(|call| call(given));
            if let Err(panic) = catch_unwind(AssertUnwindSafe(call)) {
                session.driver().release(); // whoever follows it already is to stop
                resume_unwind(panic);
            }
        }
        let items = match is_chosen {
            true => known(&session, wanted),
            false => wanted, // the session is built of the list
        };
        let items = match options.flags.contains(SyncFlags::SETTINGS) {
            true => Vec::new(),
            false => items,
        };
        if items.is_empty() && options.show_properties.is_empty() {
            return Err((Some(session), RunEnd::of(HResult::S_OK)));
        }
        Ok(Enumerated { session, items })
    }

    fn list(&mut self, options: &RunOptions) -> Result<ItemList, RunEnd> {
        let flags = options.flags;
        let cookie = options.cookie.as_deref();
        let cookie = cookie.filter(|_| takes_cookie(options));
        match self.call("initialize", |handler| handler.initialize(flags, cookie))? {
            Ok(Participation::Joins) => {}
            Ok(Participation::Declines) => return Err(RunEnd::of(HResult::S_FALSE)),
            Err(error) if error.result == HResult::S_OK => {}
            Err(error) => return Err(error),
        }
        let info = self.call("info", |handler| handler.info())?;
        let info = info.map_err(RunEnd::failed)?;
        self.monitor.info(&info);
        self.info = Some(info);
        let items = self.call("items", |handler| handler.items())?;
        items.map_err(RunEnd::failed)
    }
}

/// Whether a cookie goes with the event of the run (rule M06).
fn takes_cookie(options: &RunOptions) -> bool {
    options.flags.event() == SyncEvent::Invoke
}

/// What is said of a cookie that goes to nobody, since another event was set after it.
fn cookie_left_out(options: &RunOptions) -> Option<String> {
    let event = options.flags.event();
    let left_out = options.cookie.is_some() && !takes_cookie(options);
    left_out.then(|| {
        format!("the cookie is left out: it goes with the event invoke, and the run has {event} (rule M06)")
    })
}

/// The list cannot be used (rule H21).
pub(crate) fn bad_items(faults: &mut Vec<ProtocolViolation>, error: BuildError) -> RunEnd {
    let end = RunEnd {
        result: error.hresult(),
        error: Some(error.to_string()),
    };
    faults.push(ProtocolViolation::BadItems(error));
    end
}

/// The items that take part: those that the user wants, or else those that do unless the user says otherwise.
pub(crate) fn selected(select: Option<&mut Select>, list: &ItemList) -> Vec<ItemId> {
    if let Some(wanted) = select {
        return wanted(list);
    }
    let mut items = Vec::with_capacity(list.items().len());
    let checked = list.items().iter().filter(|item| item.checked);
    items.extend(checked.map(|item| item.id));
    items
}

/// The items of `wanted` that the session knows, each once.
pub(crate) fn known(session: &Session, wanted: Vec<ItemId>) -> Vec<ItemId> {
    let (known, unknown): (Vec<_>, Vec<_>) = distinct(wanted)
        .into_iter()
        .partition(|item| session.has_item(*item));
    if let Some(text) = left_out(&unknown) {
        session.log_own(LogLevel::Warning, &text);
    }
    known
}

/// How many of the items that were left out are named.
const NAMED: usize = 3;

/// One entry for all selected items that are not listed, however many.
fn left_out(unknown: &[ItemId]) -> Option<String> {
    let named: Vec<String> = unknown.iter().take(NAMED).map(ItemId::to_string).collect();
    let named = named.join(", ");
    match (unknown.len(), unknown.len().saturating_sub(NAMED)) {
        (0, _) => None,
        (1, _) => Some(format!(
            "the selected item {named} is not in the handler's list; it is left out"
        )),
        (count, 0) => Some(format!(
            "{count} selected items are not in the handler's list and are left out: {named}"
        )),
        (count, more) => Some(format!(
            "{count} selected items are not in the handler's list and are left out: {named} and {more} more"
        )),
    }
}

/// Each item once, where it stands first.
pub(crate) fn distinct(items: Vec<ItemId>) -> Vec<ItemId> {
    let mut seen = HashSet::with_capacity_and_hasher(items.len(), RandomState::default());
    items
        .into_iter()
        .filter(|item| seen.insert(*item))
        .collect()
}
