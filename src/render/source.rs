//! What is followed: a session, or the run of a manager.

use std::collections::HashMap;

use super::text::clean;
use crate::manager::source::SourceObserver;
use crate::{
    Changes, HResult, HandlerId, HandlerReport, ItemId, ItemStatus, ItemView, LogEntry, LogLevel,
    Run, Totals,
};

/// An item: its handler, nil in a session that is followed by itself, and its id.
pub(super) type Key = (HandlerId, ItemId);

/// One thing that a look tells.
pub(super) enum RenderEvent<'a> {
    /// An error was logged, for an item or for none.
    Error(HandlerId, &'a LogEntry),
    /// An item is in work, or has changed, and the status in which it was told last, if it took part. Told after the errors.
    Item(Key, &'a ItemView, Option<ItemStatus>),
    /// A handler was let go; what was wrong with it, and whether that is a failure.
    Ended(HandlerId, Option<(String, bool)>),
}

/// Where it stands after a look.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Standing {
    pub(super) totals: Totals,
    /// How many handlers have been let go, and how many there are; none for a session.
    pub(super) handlers: Option<(usize, usize)>,
    /// Handlers that have not told their items yet may be among them.
    pub(super) more_to_come: bool,
    pub(super) over: bool,
    /// The sum of the fractions of the items in work: so much of an item each.
    pub(super) begun: f64,
}

/// Looks once, and tells what is new.
pub(super) fn look(source: &mut SourceObserver, mut tell: impl FnMut(RenderEvent<'_>)) -> Standing {
    match source {
        SourceObserver::Session(observer) => {
            let (changes, before) = observer.refresh_with_previous();
            told(HandlerId::NIL, &changes, &before, &mut tell);
            let over = changes.is_over();
            if over {
                // What came between the gathering of that look and its end.
                let (changes, before) = observer.refresh_with_previous();
                told(HandlerId::NIL, &changes, &before, &mut tell);
            }
            Standing {
                totals: observer.totals(),
                over,
                ..Standing::default()
            }
        }
        SourceObserver::Run(run, observer) => {
            let (changes, before) = observer.refresh_with_previous();
            for ((handler, changes), before) in changes.sessions.iter().zip(&before) {
                told(*handler, changes, before, &mut tell);
            }
            for handler in &changes.ended {
                let report = run.handler_report(*handler);
                tell(RenderEvent::Ended(
                    *handler,
                    report.as_ref().and_then(wrong),
                ));
            }
            let progress = changes.progress;
            Standing {
                totals: progress.totals,
                handlers: Some((progress.finished, progress.handlers)),
                more_to_come: progress.waiting > 0,
                begun: 0.0,
                over: changes.is_over(),
            }
        }
    }
}

fn told(
    handler: HandlerId,
    changes: &Changes,
    before: &[Option<ItemStatus>],
    tell: &mut impl FnMut(RenderEvent<'_>),
) {
    let errors = changes.log().iter();
    for entry in errors.filter(|entry| entry.level == LogLevel::Error) {
        tell(RenderEvent::Error(handler, entry));
    }
    for (view, before) in changes.items().iter().zip(before) {
        tell(RenderEvent::Item((handler, view.id), view, *before));
    }
}

/// What was wrong with a handler, beside its items, and whether that is a failure: to be cancelled before it has begun is none.
fn wrong(report: &HandlerReport) -> Option<(String, bool)> {
    let fault = report.faults.first().map(ToString::to_string);
    let failed = fault.is_some() || report.result != HResult::E_ABORT;
    let code = report.result;
    let code = code.is_failure().then(|| code.to_string());
    let wrong = report.error.clone().or(fault).or(code)?;
    Some((wrong, failed))
}

/// Names of handlers.
#[derive(Debug, Default)]
pub(super) struct HandlerNames {
    /// As they stand before those of their items.
    given: HashMap<HandlerId, String>,
    /// Where there is one: it knows what those call themselves that were given no name.
    run: Option<Run>,
}

impl HandlerNames {
    /// `name` is clean.
    pub(super) fn insert(&mut self, handler: HandlerId, name: String) {
        self.given.insert(handler, name);
    }

    pub(super) fn of(&mut self, source: &SourceObserver) {
        if let SourceObserver::Run(run, _) = source {
            self.run = Some(run.clone());
        }
    }

    /// The clean name of a handler: the one that was given, or its own, or its id where it has told none.
    pub(super) fn name(&self, handler: HandlerId) -> String {
        let told = || self.run.as_ref()?.info(handler);
        let own = || told().map(|info| clean(info.name.as_str()));
        let name = self.given.get(&handler).cloned().or_else(own);
        name.unwrap_or_else(|| handler.to_string())
    }

    /// The clean name of an item, with that of its handler where there is one.
    pub(super) fn item(&self, key: Key, view: &ItemView) -> String {
        let name = clean(view.name.as_str());
        match self.given.get(&key.0) {
            Some(handler) => format!("{handler}: {name}"),
            None => name,
        }
    }
}
