//! Counts of the injection points that an exploration reached.
//!
//! A point that was not reached tests nothing, so an exploration has to reach at least nine in ten
//! points of each item and of each kind of fault. Points of `Intervention::SkipNext` do not count: if
//! all items have started, there is no item to skip.

use std::fmt;

use super::format::counted;
use super::intervention::Intervention;
use super::item_ref::ItemRef;

/// How many points that were not reached are shown.
const SHOWN: usize = 10;

/// What a point is counted for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Subject {
    Item(ItemRef),
    Log,
    Connections,
    Dialogs,
}

impl Subject {
    fn of(point: &Intervention) -> Option<Self> {
        match point {
            Intervention::SkipNext { .. } => None,
            Intervention::FillLog(_) => Some(Self::Log),
            Intervention::RefuseConnection(_) => Some(Self::Connections),
            Intervention::DenyDialog(_) => Some(Self::Dialogs),
            point => point.item().cloned().map(Self::Item),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Item(item) => item.fmt(f),
            Self::Log => f.write_str("the log"),
            Self::Connections => f.write_str("connections"),
            Self::Dialogs => f.write_str("dialogs"),
        }
    }
}

/// The points of one subject.
#[derive(Clone, Debug)]
struct ReachCounts {
    subject: Subject,
    /// How many are to be explored.
    points: usize,
    explored: usize,
    reached: usize,
    /// A run listed the item.
    is_listed: bool,
}

impl ReachCounts {
    fn is_short(&self) -> bool {
        self.reached.saturating_mul(10) < self.explored.saturating_mul(9)
    }
}

/// The points of an exploration.
#[derive(Clone, Debug)]
pub(super) struct Reach {
    tallies: Vec<ReachCounts>,
    pub(super) explored: usize,
    pub(super) reached: usize,
    pub(super) unreached: Vec<Intervention>,
    /// Items that the test's own settings name and that the first run did not list.
    unlisted: Vec<ItemRef>,
}

impl Reach {
    pub(super) fn new(points: &[Intervention], unlisted: Vec<ItemRef>) -> Self {
        let mut reach = Self {
            tallies: Vec::new(),
            explored: 0,
            reached: 0,
            unreached: Vec::new(),
            unlisted,
        };
        for point in points {
            if let Some(tally) = reach.tally(point) {
                tally.points += 1;
            }
        }
        reach
    }

    fn tally(&mut self, point: &Intervention) -> Option<&mut ReachCounts> {
        let subject = Subject::of(point)?;
        let mut tallies = self.tallies.iter();
        let place = match tallies.position(|tally| tally.subject == subject) {
            Some(place) => place,
            None => {
                self.tallies.push(ReachCounts {
                    subject,
                    points: 0,
                    explored: 0,
                    reached: 0,
                    is_listed: false,
                });
                self.tallies.len() - 1
            }
        };
        self.tallies.get_mut(place)
    }

    /// Whether the exploration fails anyway, however the other points of this subject turn out.
    pub(super) fn is_lost(&mut self, point: &Intervention) -> bool {
        self.tally(point).is_some_and(|tally| {
            let missed = tally.explored - tally.reached;
            missed.saturating_mul(10) > tally.points
        })
    }

    pub(super) fn add(&mut self, point: Intervention, is_reached: bool, is_listed: bool) {
        self.explored += 1;
        self.reached += usize::from(is_reached);
        if let Some(tally) = self.tally(&point) {
            tally.explored += 1;
            tally.reached += usize::from(is_reached);
            tally.is_listed |= is_listed;
        }
        if !is_reached {
            self.unreached.push(point);
        }
    }

    /// Whether at least nine in ten points of each item and of each kind of fault were reached, and each named item was listed.
    pub(super) fn is_enough(&self) -> bool {
        self.explored > 0
            && self.unlisted.is_empty()
            && !self.tallies.iter().any(ReachCounts::is_short)
    }
}

impl fmt::Display for Reach {
    /// Writes what was not reached, and, if too little was, why that is and what helps.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.unreached.is_empty() {
            let shown = self.unreached.iter().take(SHOWN);
            let shown: Vec<String> = shown.map(Intervention::to_string).collect();
            write!(f, "not reached: {}", shown.join(", "))?;
            match self.unreached.len() - shown.len() {
                0 => writeln!(f)?,
                more => writeln!(f, ", and {more} more")?,
            }
        }
        let mut is_unlisted = false;
        let mut is_missed = false;
        for item in &self.unlisted {
            is_unlisted = true;
            writeln!(
                f,
                "{item} is named by a setting of the harness, and was not listed"
            )?;
        }
        for tally in self.tallies.iter().filter(|tally| tally.is_short()) {
            let ReachCounts {
                subject,
                explored,
                reached,
                ..
            } = tally;
            let points = counted(*explored, "point", "points");
            write!(f, "{subject}: {reached} of {points} reached")?;
            match subject {
                Subject::Item(_) if !tally.is_listed => {
                    is_unlisted = true;
                    writeln!(f, ", because no later run listed this item")?;
                }
                _ => {
                    is_missed = true;
                    writeln!(f)?;
                }
            }
        }
        if is_unlisted || is_missed {
            writeln!(
                f,
                "a point that is not reached tests nothing: at least nine in ten of each item must be"
            )?;
        }
        if is_unlisted {
            writeln!(
                f,
                "give items the same names in each run, without the path of a temporary directory, or identify them by their \
                 position in the list (Harness::items_by_position, ItemRef::Position)"
            )?;
        }
        if is_missed {
            writeln!(
                f,
                "let the handler make the same calls in each run: a report for each part of the work and not by the clock, and a \
                 fresh handler with fresh data for each run"
            )?;
        }
        Ok(())
    }
}
