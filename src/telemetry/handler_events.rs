//! What is told of one handler, from its first look to its end.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};

use foldhash::fast::RandomState;
use tracing::field::display;
use tracing::{Level, event};

use super::item_events::{EmittedItem, tell_cancel, tell_status};
use super::lazy_span::SpanContext;
use super::span_tree::{HandlerSpan, SpanTree};
use super::targets;
use super::targets::number;
use crate::util::escape::Escaped;
use crate::util::panic::contained;
use crate::util::throttle::Throttle;
use crate::{
    Changes, HResult, HandlerReport, ItemId, ItemStatus, ItemView, LogEntry, LogLevel, Phase,
    Session, Verdict,
};

/// A handler, as far as it was told.
pub(super) struct HandlerEmitter {
    tree: Arc<SpanTree>,
    handler: Arc<HandlerSpan>,
    context: SpanContext,
    progress_every: Duration,
    phase: Option<Phase>,
    cancelled: bool,
    text: String,
    text_throttle: Throttle,
    /// The items in work, and those that a worker has opened a span for.
    open: HashMap<ItemId, EmittedItem, RandomState>,
    /// How those ended that are over. All that is kept of them: by it an item that is listed once more, as after an overrun of
    /// the journal, is not told again.
    ended: HashMap<ItemId, ItemStatus, RandomState>,
    /// Items that were cancelled before their work began.
    cancels: HashSet<ItemId, RandomState>,
    failed: u64,
    /// The sequence number of the last log entry of the last look.
    logged: u64,
    /// Those of later entries that were emitted because their item ended, in order.
    logged_early: Vec<u64>,
}

/// What a handler came to.
pub(super) struct HandlerEnd {
    result: Option<HResult>,
    rounds: Option<u32>,
    /// Why it failed, apart from items that did.
    failure: Option<String>,
}

impl HandlerEnd {
    /// Of a lone session, as it stands.
    pub(super) fn of_session(session: &Session) -> Self {
        let result = session.result();
        let failure = result.filter(|result| result.is_failure());
        Self {
            result,
            rounds: None,
            failure: failure.map(|result| result.to_string()),
        }
    }

    pub(super) fn of_report(report: &HandlerReport) -> Self {
        let open = report.unfinished.len();
        let failure = match (&report.error, report.faults.first()) {
            (Some(error), _) if report.result.is_failure() => Some(error.clone()),
            _ if report.result.is_failure() => Some(report.result.to_string()),
            (_, Some(fault)) => Some(fault.to_string()),
            _ if open == 1 => Some("1 item has no final status".to_owned()),
            _ => (open > 0).then(|| format!("{open} items have no final status")),
        };
        Self {
            result: Some(report.result),
            rounds: Some(report.rounds),
            failure,
        }
    }

    /// Nothing is known of it: the follower leaves before the end.
    pub(super) const UNKNOWN: Self = Self {
        result: None,
        rounds: None,
        failure: None,
    };
}

impl HandlerEmitter {
    pub(super) fn new(
        tree: &Arc<SpanTree>,
        handler: Arc<HandlerSpan>,
        progress_every: Duration,
        now: Instant,
    ) -> Self {
        Self {
            context: tree.context(&handler),
            tree: Arc::clone(tree),
            handler,
            progress_every,
            phase: None,
            cancelled: false,
            text: String::new(),
            text_throttle: Throttle::new(progress_every, now),
            open: HashMap::default(),
            ended: HashMap::default(),
            cancels: HashSet::default(),
            failed: 0,
            logged: 0,
            logged_early: Vec::new(),
        }
    }

    pub(super) fn context(&self) -> &SpanContext {
        &self.context
    }

    /// Tells what a look has found. What belongs to an item comes while its span is open, so spans are opened first and closed
    /// last, and a log entry comes before the status that it explains.
    pub(super) fn tell(&mut self, changes: &Changes, now: Instant) {
        let asked = self.open_asked(now);
        for view in changes.items() {
            if self.begins(view) {
                self.open(view, now);
            }
        }
        let ends = matches!(changes.phase(), Phase::Completed | Phase::Released);
        if !ends {
            self.phase(changes.phase());
        }
        self.cancel_of_all();
        self.text(now);
        self.log_of_look(changes.log());
        self.log_of_ended(changes.items().iter().chain(&asked));
        for view in changes.items() {
            self.item(view, now);
        }
        // One that a worker asked for as it ended may have been listed before.
        for view in asked.iter().filter(|view| view.is_finished()) {
            if self.open.contains_key(&view.id) {
                self.item(view, now);
            }
        }
        if ends {
            self.phase(changes.phase());
        }
    }

    /// Takes over the items that a worker has opened a span for.
    fn open_asked(&mut self, now: Instant) -> Vec<ItemView> {
        let Some(session) = self.handler.session().cloned() else {
            return Vec::new();
        };
        let asked = self.handler.opened_beside(&self.open).into_iter();
        let mut asked: Vec<_> = asked.filter_map(|id| session.item(id)).collect();
        asked.retain(|view| {
            // Asked for as it ended, by a worker that has not seen yet that this was told.
            let told = self.ended.get(&view.id) == Some(&view.status);
            if told {
                self.handler.close_item(view.id);
            }
            !told
        });
        for view in &asked {
            self.open(view, now);
        }
        asked
    }

    /// Whether the item's span is to be opened: it is in work, or was since the last look.
    fn begins(&mut self, view: &ItemView) -> bool {
        if !view.selected || self.open.contains_key(&view.id) {
            return false;
        }
        if !view.is_finished() {
            self.forget(view.id); // a retry
            return view.status != ItemStatus::Pending;
        }
        match self.ended.get(&view.id) {
            // After a final status only `Failed` may follow (rule H16): any other is that of a retry.
            Some(ended) => *ended != view.status && view.status != ItemStatus::Failed,
            None => view.status != ItemStatus::Skipped || view.value > 0,
        }
    }

    fn open(&mut self, view: &ItemView, now: Instant) {
        let context = self.tree.item(&self.handler, view);
        let told = EmittedItem::new(context, self.progress_every, now);
        self.open.insert(view.id, told);
    }

    fn phase(&mut self, phase: Phase) {
        if self.phase == Some(phase) {
            return;
        }
        self.phase = Some(phase);
        contained(|| {
            event!(
                target: targets::PHASE,
                parent: self.context.span(),
                Level::DEBUG,
                syncmgr.phase = %phase,
                "{phase}"
            );
        });
    }

    /// The handler's own line of text.
    fn text(&mut self, now: Instant) {
        let session = self.handler.session();
        let text = session.map(|session| session.handler_text());
        let text = text.unwrap_or_default();
        if text == self.text || !self.text_throttle.is_due(now) {
            return;
        }
        contained(|| {
            event!(
                target: targets::PROGRESS,
                parent: self.context.span(),
                Level::DEBUG,
                syncmgr.handler.text = text.as_str(),
                "{}", Escaped(&text)
            );
        });
        self.text = text;
    }

    fn cancel_of_all(&mut self) {
        let session = self.handler.session();
        let cancelled = session.is_some_and(|session| session.is_cancelled());
        if cancelled && !self.cancelled {
            contained(|| {
                event!(
                    target: targets::CANCEL,
                    parent: self.context.span(),
                    Level::WARN,
                    "everything is cancelled"
                );
            });
        }
        self.cancelled = cancelled;
    }

    fn log_of_look(&mut self, entries: &[LogEntry]) {
        let early = std::mem::take(&mut self.logged_early);
        for entry in entries {
            if early.binary_search(&entry.sequence).is_err() {
                self.log(entry);
            }
        }
        self.logged = entries.last().map_or(self.logged, |last| last.sequence);
    }

    /// Emits what was logged for items that have ended, but after the look: the items were read after the log, so an item may
    /// have logged and ended between the two.
    fn log_of_ended<'a>(&mut self, views: impl Iterator<Item = &'a ItemView>) {
        let ended = views.filter(|view| view.is_finished() && self.open.contains_key(&view.id));
        let ended: HashSet<ItemId, RandomState> = ended.map(|view| view.id).collect();
        let Some(session) = self.handler.session().filter(|_| !ended.is_empty()) else {
            return;
        };
        for entry in session.log_after(self.logged) {
            if entry.item.is_some_and(|item| ended.contains(&item)) {
                self.logged_early.push(entry.sequence);
                self.log(&entry);
            }
        }
    }

    fn log(&mut self, entry: &LogEntry) {
        let told = entry.item.and_then(|item| self.open.get_mut(&item));
        if let Some(told) = told.filter(|_| entry.level == LogLevel::Error) {
            told.error = Some(entry.text.clone());
        }
        let told = entry.item.and_then(|item| self.open.get(&item));
        let context = told.map_or(&self.context, |told| &told.context);
        let since = entry.time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let millis = number(u64::try_from(since.as_millis()).unwrap_or(u64::MAX));
        macro_rules! tell {
            ($level:expr) => {
                event!(
                    target: targets::LOG,
                    parent: context.span(),
                    $level,
                    syncmgr.log.time_unix_ms = millis,
                    syncmgr.item.id = entry.item.map(display),
                    syncmgr.log.error_id = entry.error_id.map(display),
                    syncmgr.log.name = entry.name.as_deref(),
                    syncmgr.log.link = entry.link.as_deref(),
                    syncmgr.log.context = entry.context.as_deref(),
                    "{}", Escaped(&entry.text)
                )
            };
        }
        contained(|| match entry.level {
            LogLevel::Error => tell!(Level::ERROR),
            LogLevel::Warning => tell!(Level::WARN),
            LogLevel::Information => tell!(Level::INFO),
        });
    }

    fn item(&mut self, view: &ItemView, now: Instant) {
        let Some(told) = self.open.get_mut(&view.id) else {
            return self.item_out_of_work(view);
        };
        let cancelled = !view.verdict.is_continue();
        if cancelled && !told.cancelled {
            tell_cancel(&told.context, view);
        }
        told.cancelled = cancelled;
        // One that is pending again was left by its work: a retry may have begun.
        let over = view.is_finished()
            || (view.status == ItemStatus::Pending && told.status != ItemStatus::Pending);
        if view.status != told.status {
            tell_status(&told.context, view);
            told.status = view.status;
        }
        if !over {
            told.progress(view, now);
            return;
        }
        if let Some(told) = self.open.remove(&view.id) {
            self.close(told, view);
        }
    }

    /// An item that has no span: its work has not begun, or is over.
    fn item_out_of_work(&mut self, view: &ItemView) {
        if !view.selected {
            return;
        }
        if view.is_finished() {
            self.cancels.remove(&view.id);
            if self.ended.get(&view.id) != Some(&view.status) {
                tell_status(&self.context, view);
                self.ended(view);
            }
            return;
        }
        // A cancel of everything is told once, and not for each item that waits.
        match view.verdict {
            Verdict::Continue => {
                self.cancels.remove(&view.id);
            }
            Verdict::CancelItem if self.cancels.insert(view.id) => tell_cancel(&self.context, view),
            Verdict::CancelItem | Verdict::CancelAll => {}
        }
    }

    /// It is not over any more.
    fn forget(&mut self, item: ItemId) {
        if self.ended.remove(&item) == Some(ItemStatus::Failed) {
            self.failed = self.failed.saturating_sub(1);
        }
    }

    fn ended(&mut self, view: &ItemView) {
        if view.is_finished() {
            self.forget(view.id);
            self.failed += u64::from(view.status == ItemStatus::Failed);
            self.ended.insert(view.id, view.status);
        }
    }

    /// Tells the span how the item ended, and lets it go.
    fn close(&mut self, told: EmittedItem, view: &ItemView) {
        self.cancels.remove(&view.id);
        self.ended(view);
        if told.context.is_own() {
            contained(|| {
                let span = told.context.span();
                span.record("syncmgr.item.status", display(view.status));
                span.record("syncmgr.item.value", number(view.value));
                if view.max > 0 {
                    span.record("syncmgr.item.max", number(view.max));
                }
                if !view.text.is_empty() {
                    span.record("syncmgr.item.text", view.text.as_str());
                }
                if view.status == ItemStatus::Failed {
                    let text = Some(view.text.as_str()).filter(|text| !text.is_empty());
                    let why = told.error.as_deref().or(text);
                    fails(span, why.unwrap_or("the item failed"));
                }
            });
        }
        self.handler.close_item(view.id);
    }

    /// The last that is told: what is still open is closed as it stands.
    pub(super) fn end(mut self, outcome: &HandlerEnd, now: Instant) -> bool {
        self.open_asked(now);
        let session = self.handler.session().cloned();
        for (id, told) in std::mem::take(&mut self.open) {
            if let Some(view) = session.as_ref().and_then(|session| session.item(id)) {
                self.close(told, &view);
            }
        }
        let refused = session.map_or(0, |session| session.log_refused());
        if refused > 0 {
            contained(|| {
                event!(
                    target: targets::LOG,
                    parent: self.context.span(),
                    Level::WARN,
                    syncmgr.log.refused = number(refused),
                    "log entries were refused, since the log was full"
                );
            });
        }
        let failed = self.failed;
        let why = match &outcome.failure {
            Some(why) => Some(why.clone()),
            None => (failed > 0).then(|| format!("{failed} of its items failed")),
        };
        if self.context.is_own() {
            contained(|| {
                let span = self.context.span();
                if let Some(result) = outcome.result {
                    span.record("syncmgr.handler.result", display(result));
                }
                if let Some(rounds) = outcome.rounds {
                    span.record("syncmgr.handler.rounds", number(rounds.into()));
                }
                let finished = self.ended.len() as u64;
                span.record("syncmgr.handler.finished", number(finished));
                span.record("syncmgr.handler.failed", number(failed));
                if let Some(why) = &why {
                    fails(span, why);
                }
            });
        }
        self.handler.close();
        why.is_some()
    }
}

/// What the span is about has failed. The code comes first: it would wipe out the description.
pub(super) fn fails(span: &tracing::Span, why: &str) {
    span.record("otel.status_code", "ERROR");
    span.record("otel.status_description", why);
}
