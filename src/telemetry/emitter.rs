//! What a follower does in a look: it reads what is new, and tells it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use foldhash::fast::RandomState;
use tracing::{Level, event};

use super::handler_emitter::{Outcome, Story, fails};
use super::lazy_span::Place;
use super::number;
use super::span_tree::{Source, Tree};
use crate::util::panic::contained;
use crate::util::throttle::Pace;
use crate::{HandlerId, Observer, Run, RunObserver, Session, Totals};

pub(super) struct Teller {
    tree: Arc<Tree>,
    feed: Feed,
    progress_every: Duration,
    stories: HashMap<HandlerId, Story, RandomState>,
    /// The sums, as they were told last, and how often they are.
    totals: Totals,
    pace: Pace,
    /// How many handlers have failed.
    failed: u64,
}

enum Feed {
    Session(Observer),
    Run(RunObserver, Run),
}

impl Teller {
    pub(super) fn new(tree: Arc<Tree>, progress_every: Duration) -> Self {
        let feed = match tree.source() {
            Source::Session(session) => Feed::Session(Observer::new(Arc::clone(session))),
            Source::Run(run) => Feed::Run(run.observe(), run.clone()),
        };
        Self {
            tree,
            feed,
            progress_every,
            stories: HashMap::default(),
            totals: Totals::default(),
            pace: Pace::new(progress_every, Instant::now()),
            failed: 0,
        }
    }

    pub(super) fn tree(&self) -> &Arc<Tree> {
        &self.tree
    }

    /// Looks, and tells. Answers whether nothing more will come.
    pub(super) fn look(&mut self, now: Instant) -> bool {
        match &mut self.feed {
            Feed::Session(observer) => {
                let changes = observer.refresh();
                let totals = observer.totals();
                let id = id_of(observer.session());
                if let Some(story) = self.story(id, now) {
                    story.tell(&changes, now);
                }
                self.progress(totals, now);
                changes.is_over()
            }
            Feed::Run(observer, run) => {
                let changes = observer.refresh();
                let run = run.clone();
                for (id, changes) in &changes.sessions {
                    if let Some(story) = self.story(*id, now) {
                        story.tell(changes, now);
                    }
                }
                self.progress(changes.progress.totals, now);
                for id in &changes.ended {
                    let report = run.handler_report(*id);
                    let outcome = report.as_ref().map(Outcome::of_report);
                    // One that was let go before it told anything is told here.
                    self.story(*id, now);
                    self.end(*id, &outcome.unwrap_or(Outcome::UNKNOWN), now);
                }
                changes.is_over()
            }
        }
    }

    fn story(&mut self, id: HandlerId, now: Instant) -> Option<&mut Story> {
        if !self.stories.contains_key(&id) {
            let handler = self.tree.handler(id)?;
            let story = Story::new(&self.tree, handler, self.progress_every, now);
            self.stories.insert(id, story);
        }
        self.stories.get_mut(&id)
    }

    fn end(&mut self, id: HandlerId, outcome: &Outcome, now: Instant) {
        if let Some(story) = self.stories.remove(&id) {
            self.failed += u64::from(story.end(outcome, now));
        }
    }

    /// Tells the sums, of the session or the run.
    fn progress(&mut self, totals: Totals, now: Instant) {
        if totals == self.totals || !self.pace.is_due(now) {
            return;
        }
        self.totals = totals;
        let tell = |place: &Place| {
            contained(|| {
                event!(
                    target: super::PROGRESS,
                    parent: place.span(),
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
            Feed::Run(..) => tell(&self.tree.run()),
            Feed::Session(observer) => {
                if let Some(story) = self.stories.get(&id_of(observer.session())) {
                    tell(story.place());
                }
            }
        }
    }

    /// Closes what is open, as it stands.
    pub(super) fn close(mut self, now: Instant) {
        let outcome = match &self.feed {
            Feed::Session(observer) => Outcome::of_session(observer.session()),
            Feed::Run(..) => Outcome::UNKNOWN,
        };
        let left: Vec<HandlerId> = self.stories.keys().copied().collect();
        for id in left {
            self.end(id, &outcome, now);
        }
        if let Feed::Run(..) = self.feed {
            let place = self.tree.run();
            if place.is_own() {
                contained(|| {
                    place
                        .span()
                        .record("syncmgr.run.failed", number(self.failed));
                    if self.failed > 0 {
                        fails(
                            place.span(),
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
