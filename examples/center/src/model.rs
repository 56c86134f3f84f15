//! What the screen shows of the handlers: their items as the last run that they took part in left them.
//!
//! A group follows the session of its handler by what has changed since the last look; nothing of the session is locked
//! meanwhile, and no look costs more than what changed.

use std::collections::HashMap;
use std::sync::Arc;

use syncmgr::{
    Choices, Cursor, HandlerId, HandlerReport, ItemId, ItemStatus, ItemView, LogEntry, Phase,
    Session,
};
use syncmgr_mirror::show::escaped;

use crate::centre::Listed;

/// An item.
pub struct Row {
    pub id: ItemId,
    pub name: String,
    pub checked: bool,
    /// As it was when it last took part in a run.
    pub view: Option<ItemView>,
}

/// A handler with its items.
pub struct Group {
    pub id: HandlerId,
    pub title: String,
    pub rows: Vec<Row>,
    /// What went wrong with the handler itself.
    pub note: String,
    index: HashMap<ItemId, usize>,
    follow: Option<Follow>,
}

/// A session that is followed.
struct Follow {
    session: Arc<Session>,
    cursor: Cursor,
    phase: Phase,
    /// The first prepare has begun. Before it a session tells of every item that it takes part.
    begun: bool,
    over: bool,
}

/// What a look found.
#[derive(Default)]
pub struct News {
    /// Something is to be drawn.
    pub changed: bool,
    /// The places of rows that were told of.
    pub rows: Vec<usize>,
    pub log: Vec<LogEntry>,
}

/// How many items of a group stand where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub taking_part: usize,
    pub ended: usize,
    pub succeeded: usize,
    pub failed: usize,
    /// Stopped or skipped.
    pub left: usize,
}

impl Group {
    pub fn new(listed: Listed, choices: &Choices) -> Self {
        let mut group = Self {
            id: listed.id,
            title: listed.title,
            rows: Vec::new(),
            note: String::new(),
            index: HashMap::new(),
            follow: None,
        };
        match listed.items {
            Ok(items) => {
                for item in items {
                    let chosen = choices.get(group.id, item.id);
                    group.add(item.id, item.name.as_str(), chosen.unwrap_or(item.checked));
                }
            }
            Err(error) => group.note = escaped(error),
        }
        group
    }

    /// A name comes from anybody, and must not command the terminal.
    fn add(&mut self, id: ItemId, name: &str, checked: bool) -> usize {
        let place = self.rows.len();
        self.index.insert(id, place);
        self.rows.push(Row {
            id,
            name: escaped(name),
            checked,
            view: None,
        });
        place
    }

    pub fn row(&self, item: ItemId) -> Option<&Row> {
        self.rows.get(*self.index.get(&item)?)
    }

    /// Looks at what has changed in the session, which may be another than at the last look.
    pub fn update(&mut self, session: Option<Arc<Session>>) -> News {
        let mut news = News::default();
        if let Some(session) = session
            && !self.follows(&session)
        {
            self.note.clear();
            news.changed = true;
            self.follow = Some(Follow {
                session,
                cursor: Cursor::default(),
                phase: Phase::Idle,
                begun: false,
                over: false,
            });
        }
        let Some(follow) = self.follow.as_mut().filter(|follow| !follow.over) else {
            return news;
        };
        let changes = follow.session.changes(follow.cursor);
        let phase = changes.phase();
        // The log goes on from this cursor. That of a snapshot would leave out what was logged between the two looks.
        follow.cursor = changes.cursor();
        follow.over = changes.is_over();
        news.changed |= phase != follow.phase || !changes.log().is_empty();
        news.log = changes.log().to_vec();
        follow.phase = phase;
        let begins = !follow.begun && phase > Phase::Idle;
        follow.begun |= begins;
        let views = match follow.begun {
            false => Vec::new(),
            true if begins || !changes.is_complete() => follow.session.snapshot().items,
            true => changes.items().to_vec(),
        };
        for view in views {
            // An item that is pending when all is over was never prepared.
            let never = phase == Phase::Released && view.status == ItemStatus::Pending;
            if !view.selected || never {
                continue;
            }
            let place = match self.index.get(&view.id) {
                Some(place) => *place,
                None => self.add(view.id, view.name.as_str(), true),
            };
            let row = &mut self.rows[place];
            if row.view.as_ref() != Some(&view) {
                row.view = Some(view);
                news.changed = true;
                news.rows.push(place);
            }
        }
        news
    }

    fn follows(&self, session: &Arc<Session>) -> bool {
        let follow = self.follow.as_ref();
        follow.is_some_and(|follow| Arc::ptr_eq(&follow.session, session))
    }

    /// The run of the handler is over.
    pub fn ended(&mut self, report: &HandlerReport) {
        let faults = report.faults.iter().map(ToString::to_string);
        let error = report.error.iter().cloned();
        let mut texts: Vec<String> = error.chain(faults).collect();
        texts.dedup();
        if !report.unfinished.is_empty() {
            texts.push(format!("{} left open", report.unfinished.len()));
        }
        self.note = escaped(texts.join("; "));
    }

    /// Where the handler stands in its run; none where it has not told its items.
    pub fn phase(&self) -> Option<Phase> {
        self.follow.as_ref().map(|follow| follow.phase)
    }

    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for view in self.rows.iter().filter_map(|row| row.view.as_ref()) {
            counts.taking_part += 1;
            counts.ended += usize::from(view.is_finished());
            match view.status {
                ItemStatus::Succeeded => counts.succeeded += 1,
                ItemStatus::Failed => counts.failed += 1,
                ItemStatus::Stopped | ItemStatus::Skipped => counts.left += 1,
                _ => {}
            }
        }
        counts
    }

    /// The items that failed when they last took part.
    pub fn failed(&self) -> Vec<ItemId> {
        let failed = |row: &&Row| {
            let view = row.view.as_ref();
            view.is_some_and(|view| view.status == ItemStatus::Failed)
        };
        self.rows.iter().filter(failed).map(|row| row.id).collect()
    }
}

impl Row {
    /// The word for where the item stands.
    pub fn word(&self) -> &'static str {
        let Some(view) = &self.view else {
            return if self.checked { "ready" } else { "" };
        };
        match view.status {
            ItemStatus::Succeeded => "done",
            ItemStatus::Failed => "failed",
            ItemStatus::Stopped => "stopped",
            ItemStatus::Skipped => "skipped",
            ItemStatus::Deleted => "deleted",
            _ if !view.verdict.is_continue() => "stopping",
            ItemStatus::Pending => "waiting",
            ItemStatus::Paused => "paused",
            _ => "working",
        }
    }

    pub fn is_finished(&self) -> bool {
        self.view.as_ref().is_some_and(ItemView::is_finished)
    }
}
