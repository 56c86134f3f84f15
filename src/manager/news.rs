//! What those who follow a run are told: which of its parts have begun, and which are over. So a look at a run need not ask
//! each part that waits or has long been over.

use std::sync::Weak;

use parking_lot::Mutex;

/// The news of one run. Locked last, and for a push or a copy only.
#[derive(Debug, Default)]
pub(super) struct News(Mutex<Lists>);

/// Places of parts in the run, each once, in the order in which it happened.
#[derive(Debug, Default)]
struct Lists {
    begun: Vec<usize>,
    ended: Vec<usize>,
}

/// How far a reader has read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Place {
    begun: usize,
    ended: usize,
}

impl News {
    /// What has begun and ended since, and the next place.
    pub(super) fn since(&self, place: Place) -> (Vec<usize>, Vec<usize>, Place) {
        let lists = self.0.lock();
        let after = |list: &[usize], from| list.get(from..).unwrap_or_default().to_vec();
        let next = Place {
            begun: lists.begun.len(),
            ended: lists.ended.len(),
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
}

/// Who is to be told about a part: runs, and the part's place in each. A run that nobody has any more is told nothing.
#[derive(Debug, Default)]
pub(super) struct Readers(Vec<(Weak<News>, usize)>);

impl Readers {
    /// From now on it is told what happens; what has happened already it is told at once.
    pub(super) fn add(&mut self, news: Weak<News>, place: usize, begun: bool, ended: bool) {
        let new = Self(vec![(news.clone(), place)]);
        if begun {
            new.begun();
        }
        if ended {
            new.tell(|lists, place| lists.ended.push(place));
            return;
        }
        // Many starts may join a part that waits long; those whose run is dropped go before the list grows.
        if self.0.len() == self.0.capacity() {
            self.0.retain(|(news, _)| news.strong_count() > 0);
        }
        self.0.push((news, place));
    }

    pub(super) fn begun(&self) {
        self.tell(|lists, place| lists.begun.push(place));
    }

    /// The last that is told.
    pub(super) fn ended(&mut self) {
        self.tell(|lists, place| lists.ended.push(place));
        self.0 = Vec::new();
    }

    fn tell(&self, what: impl Fn(&mut Lists, usize)) {
        for (news, place) in &self.0 {
            if let Some(news) = news.upgrade() {
                what(&mut news.0.lock(), *place);
            }
        }
    }
}
