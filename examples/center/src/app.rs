//! What the keys do: the state of the screen, and of the runs behind it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use syncmgr::{CallbackError, HandlerId, SyncManager};
use syncmgr_mirror::show::count;

use crate::centre::{Centre, Shown};
use crate::log_pane::LogPane;
use crate::model::Group;
use crate::runs::Runs;
use crate::saved;

/// Whoever quits waits at most so long for the handlers to stop.
const PATIENCE: Duration = Duration::from_secs(5);

/// The row at which the cursor stands: a handler, or an item of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    pub group: usize,
    pub row: Option<usize>,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    Well,
    /// Handlers did not stop.
    WaitTimeout,
}

/// The sync centre.
pub struct App {
    manager: SyncManager,
    shown: Arc<Shown>,
    pub groups: Vec<Group>,
    pub runs: Runs,
    pub cursor: Place,
    pub message: String,
    pub log: LogPane,
    choices: Option<PathBuf>,
    /// Until when it is waited for what was cancelled; then it ends.
    quits: Option<Instant>,
    /// Something is to be drawn.
    pub dirty: bool,
}

impl App {
    pub fn new(centre: Centre, choices: Option<PathBuf>) -> Self {
        let known = centre.manager.choices();
        let groups = centre.handlers.into_iter();
        Self {
            groups: groups.map(|listed| Group::new(listed, &known)).collect(),
            manager: centre.manager,
            shown: centre.shown,
            runs: Runs::default(),
            cursor: Place::default(),
            message: "s starts all that is checked".into(),
            log: LogPane::new(),
            choices,
            quits: None,
            dirty: true,
        }
    }

    /// Every row, from the top.
    pub fn places(&self) -> Vec<Place> {
        let of_group = |(group, handler): (usize, &Group)| {
            let rows = (0..handler.rows.len()).map(Some);
            [None]
                .into_iter()
                .chain(rows)
                .map(move |row| Place { group, row })
        };
        self.groups.iter().enumerate().flat_map(of_group).collect()
    }

    /// The handler at the cursor.
    pub fn group(&self) -> &Group {
        &self.groups[self.cursor.group]
    }

    pub fn shows_errors(&self) -> bool {
        self.shown.is_on()
    }

    /// Looks at what the handlers have done. Answers how it ended, once it has.
    pub fn tick(&mut self) -> Option<Ended> {
        for group in &mut self.groups {
            let news = group.update(self.runs.session(group.id));
            self.dirty |= news.changed;
            self.log.stale |= news.changed;
        }
        for report in self.runs.reports() {
            self.dirty = true;
            self.log.stale = true;
            for (id, report) in &report.handlers {
                if let Some(group) = self.groups.iter_mut().find(|group| group.id == *id) {
                    group.ended(report);
                }
            }
            if !self.runs.is_active() && self.quits.is_none() {
                let broken = self.groups.iter().any(|group| !group.note.is_empty());
                self.say(match self.failed().len() {
                    0 if broken => "all is over; a handler failed as a whole",
                    0 => "all is over, nothing failed",
                    _ => "all is over; r retries what failed",
                });
            }
        }
        let handler = self.group().id;
        self.dirty |= self.log.refresh(&self.manager, handler);
        match self.quits {
            Some(_) if !self.runs.is_active() => Some(Ended::Well),
            Some(until) if Instant::now() >= until => Some(Ended::WaitTimeout),
            _ => None,
        }
    }

    fn say(&mut self, text: impl Into<String>) {
        self.message = text.into();
        self.dirty = true;
    }

    /// The handlers with the items of theirs that failed.
    fn failed(&self) -> Vec<(HandlerId, Vec<syncmgr::ItemId>)> {
        let groups = self.groups.iter().map(|group| (group.id, group.failed()));
        groups.filter(|(_, failed)| !failed.is_empty()).collect()
    }

    /// Does what the key asks for. Answers how it ended, if that was it.
    pub fn key(&mut self, key: KeyEvent) -> Option<Ended> {
        self.dirty = true;
        match key.code {
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => {
                return self.quit();
            }
            KeyCode::Char('q') => return self.quit(),
            KeyCode::Up | KeyCode::Char('k') => self.move_by(-1),
            KeyCode::Down | KeyCode::Char('j') => self.move_by(1),
            KeyCode::Home => self.move_by(isize::MIN),
            KeyCode::End => self.move_by(isize::MAX),
            KeyCode::PageUp => self.log.scroll(1),
            KeyCode::PageDown => self.log.scroll(-1),
            KeyCode::Char('s') => self.start(),
            KeyCode::Char('r') => self.retry(),
            KeyCode::Char('c') => self.cancel_item(),
            KeyCode::Char('x') => self.skip_item(),
            KeyCode::Char('C') => self.cancel_handler(),
            KeyCode::Char('a') => self.cancel_all(),
            KeyCode::Char(' ') => self.check(),
            KeyCode::Char('l') => self.log.open_or_close(),
            KeyCode::Char('L') => self.log.next_level(),
            KeyCode::Char('e') => {
                self.shown.switch();
                self.say(match self.shown.is_on() {
                    true => "errors are shown to their handlers, which may ask for a retry",
                    false => "errors are not shown to their handlers",
                });
            }
            _ => {}
        }
        None
    }

    fn quit(&mut self) -> Option<Ended> {
        if self.quits.is_some() {
            return Some(Ended::WaitTimeout);
        }
        self.runs.cancel_all();
        self.quits = Some(Instant::now() + PATIENCE);
        self.say("stopping; q again ends at once");
        None
    }

    fn move_by(&mut self, rows: isize) {
        let places = self.places();
        let here = places.iter().position(|place| *place == self.cursor);
        let last = places.len().saturating_sub(1);
        let there = here.unwrap_or(0).saturating_add_signed(rows).min(last);
        if let Some(place) = places.get(there) {
            self.log.stale |= place.group != self.cursor.group;
            self.cursor = *place;
        }
    }

    fn start(&mut self) {
        if self.runs.is_active() {
            return self.say("a run goes on; wait for it, or cancel it with a");
        }
        self.groups
            .iter()
            .for_each(|group| self.shown.begin(group.id));
        self.runs = Runs::default();
        self.runs.add(self.manager.update_all());
        self.say("started");
    }

    /// Runs the handlers of the items that failed again, for these items.
    fn retry(&mut self) {
        let failed = self.failed();
        let mut items = 0;
        for (handler, failed) in failed {
            // One that runs is retried when it has ended, and then by what has failed until then.
            if self.runs.has(handler) {
                continue;
            }
            items += failed.len() as u64;
            self.shown.begin(handler);
            match self.manager.sync_items(handler, failed) {
                Ok(run) => self.runs.add(run),
                Err(error) => return self.say(error.to_string()),
            }
        }
        self.say(match items {
            0 => "nothing to retry: nothing failed whose handler has ended".into(),
            items => format!("retrying {}", count(items, "item")),
        });
    }

    fn cancel_item(&mut self) {
        let cancel = |runs: &Runs, handler, item| runs.cancel_item(handler, item);
        self.stop_item("cancelling", cancel);
    }

    fn skip_item(&mut self) {
        let skip = |runs: &Runs, handler, item| runs.skip(handler, item);
        self.stop_item("skipping", skip);
    }

    fn stop_item(
        &mut self,
        doing: &str,
        stop: impl FnOnce(&Runs, HandlerId, syncmgr::ItemId) -> Result<(), CallbackError>,
    ) {
        let group = self.group();
        let Some(row) = self.cursor.row.and_then(|row| group.rows.get(row)) else {
            return self.say("this is a handler, which C cancels; move to an item");
        };
        let name = row.name.clone();
        if !self.runs.has(group.id) {
            return self.say(format!("{name} is not in a run"));
        }
        if row.is_finished() {
            return self.say(format!("{name} has ended already: {}", row.word()));
        }
        let answer = stop(&self.runs, group.id, row.id);
        self.say(match answer {
            Ok(()) => format!("{doing} {name}"),
            Err(CallbackError::UnknownItem | CallbackError::Released) => {
                format!("{name} takes no part in the run")
            }
            Err(error) => format!("{name}: {error}"),
        });
    }

    fn cancel_handler(&mut self) {
        let group = self.group();
        let title = group.title.clone();
        match self.runs.has(group.id) {
            true => {
                self.runs.cancel_handler(group.id);
                self.say(format!("cancelling {title}"));
            }
            false => self.say(format!("{title} is not in a run")),
        }
    }

    fn cancel_all(&mut self) {
        match self.runs.is_active() {
            true => {
                self.runs.cancel_all();
                self.say("cancelling all");
            }
            false => self.say("nothing runs"),
        }
    }

    /// Checks or unchecks the item at the cursor, or all of the handler at it.
    fn check(&mut self) {
        let group = &mut self.groups[self.cursor.group];
        let rows = match self.cursor.row {
            Some(row) => group.rows.get_mut(row..=row).unwrap_or_default(),
            None => &mut group.rows[..],
        };
        let checked = !rows.iter().all(|row| row.checked);
        for row in rows {
            row.checked = checked;
            self.manager.choose(group.id, row.id, checked);
        }
        match self.keep_choices() {
            Ok(()) => self.say(match checked {
                true => "checked: takes part from the next start on",
                false => "unchecked: takes no part from the next start on",
            }),
            Err(error) => self.say(error.to_string()),
        }
    }

    /// Writes the choices to their file, if there is one.
    pub fn keep_choices(&self) -> Result<(), saved::BadChoices> {
        match &self.choices {
            Some(file) => saved::write(file, &self.manager.choices()),
            None => Ok(()),
        }
    }
}
