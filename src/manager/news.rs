//! What those who follow a run are told: which of its parts have begun, which have a session, and which are over. So a look at a
//! run need not ask each part that waits or has long been over.
//!
//! Tasks that wait for news are user code, and news are told while the manager's state is locked. So those that are to be woken
//! are gathered in the part's [`Readers`], and woken by whoever told the news, with no lock held: [`Part::ring`](super::part::Part::ring).

use std::sync::{Arc, Weak};
use std::task::Waker;

use parking_lot::Mutex;

use crate::session::{Foreign, WakerSet};

/// The news of one run. Locked last, and for a push or a copy only.
#[derive(Debug, Default)]
pub(super) struct News(Mutex<Lists>);

/// Places of parts in the run, each once, in the order in which it happened.
#[derive(Debug, Default)]
struct Lists {
    begun: Vec<usize>,
    ended: Vec<usize>,
    /// How many sessions have come.
    sessions: usize,
    /// To be woken by the next news.
    tasks: WakerSet,
}

/// How far a reader has read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Place {
    begun: usize,
    ended: usize,
    sessions: usize,
}

impl News {
    /// What has begun and ended since, and the next place.
    pub(super) fn since(&self, place: Place) -> (Vec<usize>, Vec<usize>, Place) {
        let lists = self.0.lock();
        let after = |list: &[usize], from| list.get(from..).unwrap_or_default().to_vec();
        let next = Place {
            begun: lists.begun.len(),
            ended: lists.ended.len(),
            sessions: lists.sessions,
        };
        (
            after(&lists.begun, place.begun),
            after(&lists.ended, place.ended),
            next,
        )
    }

    /// How many parts are over.
    pub(super) fn ended(&self) -> usize {
        self.0.lock().ended.len()
    }

    /// Keeps the waker until there are news after `place`; answers false, and keeps nothing, where there are some already. One
    /// that wakes the same task gives way to it.
    pub(super) fn wake_on_change(&self, place: Place, waker: &Waker) -> bool {
        let is_new = |lists: &Lists| {
            let Place {
                begun,
                ended,
                sessions,
            } = place;
            lists.begun.len() > begun || lists.ended.len() > ended || lists.sessions > sessions
        };
        self.keep(waker, |lists| !is_new(lists))
    }

    /// As [`wake_on_change`](Self::wake_on_change), until so many parts are over.
    #[cfg(feature = "async")]
    pub(super) fn wake_on_end(&self, parts: usize, waker: &Waker) -> bool {
        self.keep(waker, |lists| lists.ended.len() < parts)
    }

    fn keep(&self, waker: &Waker, waits: impl FnOnce(&Lists) -> bool) -> bool {
        // Cloned and dropped with no lock held: both are user code.
        let waker = waker.clone();
        let mut lists = self.0.lock();
        let waits = waits(&lists);
        let replaced = match waits {
            true => lists.tasks.keep(waker),
            false => Some(Foreign::new(waker)),
        };
        drop(lists);
        drop(replaced);
        waits
    }
}

/// Who is to be told about a part: the run that it was made for, and its place there. A run that nobody has any more is told
/// nothing.
#[derive(Debug, Default)]
pub(super) struct Readers {
    run: Option<(Weak<News>, usize)>,
    woken: Woken,
}

/// The tasks that what was told must wake.
#[derive(Debug, Default)]
pub(super) struct Woken {
    pub(super) tasks: Vec<Waker>,
    /// The run may be gone meanwhile, and its last waiting tasks are dropped with this: not under a lock.
    news: Option<Arc<News>>,
}

impl Readers {
    /// From now on it is told what happens; what has happened already it is told at once.
    pub(super) fn add(&mut self, news: Weak<News>, place: usize, begun: bool, ended: bool) {
        self.run = Some((news, place));
        if begun {
            self.begun();
        }
        if ended {
            self.ended();
        }
        self.woken.news = None; // the caller has it
    }

    pub(super) fn begun(&mut self) {
        self.tell(|lists, place| lists.begun.push(place));
    }

    /// There is a session to look at.
    pub(super) fn session(&mut self) {
        self.tell(|lists, _| lists.sessions += 1);
    }

    /// The last that is told.
    pub(super) fn ended(&mut self) {
        self.tell(|lists, place| lists.ended.push(place));
        self.run = None;
    }

    fn tell(&mut self, what: impl Fn(&mut Lists, usize)) {
        if let Some((news, place)) = &self.run {
            if let Some(news) = news.upgrade() {
                let mut lists = news.0.lock();
                what(&mut lists, *place);
                let tasks = std::mem::take(&mut lists.tasks);
                self.woken.tasks.extend(tasks.into_wakers());
                drop(lists);
                self.woken.news = Some(news);
            }
        }
    }

    /// The tasks to be woken, with no lock held.
    pub(super) fn take_woken(&mut self) -> Woken {
        std::mem::take(&mut self.woken)
    }
}
