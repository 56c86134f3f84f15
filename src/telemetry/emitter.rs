//! What a follower does in a look: it reads what is new, and tells it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use foldhash::fast::RandomState;
use tracing::{Level, event};

use super::handler_events::{HandlerEmitter, HandlerEnd, fails};
use super::lazy_span::SpanContext;
use super::span_tree::SpanTree;
use super::targets;
use super::targets::number;
use crate::manager::source::SourceObserver;
use crate::util::clock;
use crate::util::panic::contained;
use crate::util::throttle::Throttle;
use crate::{HandlerId, Session, Totals};

pub(super) struct Emitter {
    tree: Arc<SpanTree>,
    feed: SourceObserver,
    progress_every: Duration,
    handlers: HashMap<HandlerId, HandlerEmitter, RandomState>,
    /// The sums, as they were told last, and how often they are.
    totals: Totals,
    throttle: Throttle,
    /// How many handlers have failed.
    failed: u64,
}

impl Emitter {
    pub(super) fn new(tree: Arc<SpanTree>, progress_every: Duration) -> Self {
        let feed = tree.source().observe();
        Self {
            tree,
            feed,
            progress_every,
            handlers: HashMap::default(),
            totals: Totals::default(),
            throttle: Throttle::new(progress_every, clock::now()),
            failed: 0,
        }
    }

    pub(super) fn tree(&self) -> &Arc<SpanTree> {
        &self.tree
    }

    /// Looks, and tells. Answers whether nothing more will come.
    pub(super) fn look(&mut self, now: Instant) -> bool {
        match &mut self.feed {
            SourceObserver::Session(observer) => {
                let changes = observer.refresh();
                let totals = observer.totals();
                let id = id_of(observer.session());
                if let Some(emitter) = self.emitter(id, now) {
                    emitter.tell(&changes, now);
                }
                self.progress(totals, now);
                changes.is_over()
            }
            SourceObserver::Run(run, observer) => {
                let changes = observer.refresh();
                let run = run.clone();
                for (id, changes) in &changes.sessions {
                    if let Some(emitter) = self.emitter(*id, now) {
                        emitter.tell(changes, now);
                    }
                }
                self.progress(changes.progress.totals, now);
                for id in &changes.ended {
                    let report = run.handler_report(*id);
                    let outcome = report.as_ref().map(HandlerEnd::of_report);
                    // One that was let go before it told anything is told here.
                    self.emitter(*id, now);
                    self.end(*id, &outcome.unwrap_or(HandlerEnd::UNKNOWN), now);
                }
                changes.is_over()
            }
        }
    }

    fn emitter(&mut self, id: HandlerId, now: Instant) -> Option<&mut HandlerEmitter> {
        if !self.handlers.contains_key(&id) {
            let handler = self.tree.handler(id)?;
            let emitter = HandlerEmitter::new(&self.tree, handler, self.progress_every, now);
            self.handlers.insert(id, emitter);
        }
        self.handlers.get_mut(&id)
    }

    fn end(&mut self, id: HandlerId, outcome: &HandlerEnd, now: Instant) {
        if let Some(emitter) = self.handlers.remove(&id) {
            self.failed += u64::from(emitter.end(outcome, now));
        }
    }

    /// Tells the sums, of the session or the run.
    fn progress(&mut self, totals: Totals, now: Instant) {
        if totals == self.totals || !self.throttle.is_due(now) {
            return;
        }
        self.totals = totals;
        let tell = |context: &SpanContext| {
            contained(|| {
                event!(
                    target: targets::PROGRESS,
                    parent: context.span(),
                    Level::DEBUG,
                    syncmgr.total.value = number(totals.value),
                    syncmgr.total.max = number(totals.max),
                    syncmgr.total.items = number(totals.items),
                    syncmgr.total.finished = number(totals.finished),
                    "{} of {} items are finished", totals.finished, totals.items
                );
            });
        };
        match &self.feed {
            SourceObserver::Run(..) => tell(&self.tree.run()),
            SourceObserver::Session(observer) => {
                if let Some(emitter) = self.handlers.get(&id_of(observer.session())) {
                    tell(emitter.context());
                }
            }
        }
    }

    /// Closes what is open, as it stands.
    pub(super) fn close(mut self, now: Instant) {
        let outcome = match &self.feed {
            SourceObserver::Session(observer) => HandlerEnd::of_session(observer.session()),
            SourceObserver::Run(..) => HandlerEnd::UNKNOWN,
        };
        let left: Vec<HandlerId> = self.handlers.keys().copied().collect();
        for id in left {
            self.end(id, &outcome, now);
        }
        if let SourceObserver::Run(..) = self.feed {
            let context = self.tree.run();
            if context.is_own() {
                contained(|| {
                    context
                        .span()
                        .record("syncmgr.run.failed", number(self.failed));
                    if self.failed > 0 {
                        fails(
                            context.span(),
                            &format!("{} of its handlers failed", self.failed),
                        );
                    }
                });
            }
        }
        self.tree.close();
    }
}

/// What the handler of a lone session is called here.
fn id_of(session: &Session) -> HandlerId {
    session.handler().unwrap_or_default()
}
