//! An observer that keeps its place and its sums.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use foldhash::fast::RandomState;

use super::Session;
use super::changes::{Changes, Cursor};
use super::item_view::ItemView;
use super::totals::{Share, Sums, Totals};
use crate::{ItemId, ItemStatus};

/// Follows a session: it keeps the cursor, takes a snapshot where one is needed, and knows the sums over all items at the cost
/// of those that changed.
///
/// It uses nothing but [`Session::changes`] and [`Session::snapshot`]; any number of them may follow one session.
///
/// ```
/// use syncmgr::{ItemId, ItemName, Observer, ProgressUpdate, Session, SyncItem};
///
/// let items = (1..=1_000).map(|n| SyncItem::new(ItemId::from_u128(n), ItemName::truncate_start("a file")));
/// let session = Session::builder().items(items).build()?;
/// let mut observer = Observer::new(session.clone());
/// assert_eq!(observer.refresh().items().len(), 1_000); // the first look tells every item
///
/// let reporter = session.reporter(ItemId::from_u128(7))?;
/// reporter.report(&ProgressUpdate::new().value(3).max(10))?;
/// assert_eq!(observer.refresh().items().len(), 1); // then what is in work, or changed
/// assert_eq!((observer.totals().value, observer.totals().items), (3, 1_000));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Observer {
    session: Arc<Session>,
    /// None before the first look.
    cursor: Option<Cursor>,
    /// What each item that takes part adds to the sums.
    shares: HashMap<ItemId, Share, RandomState>,
    sums: Sums,
    /// The last look found the session over.
    over: bool,
}

impl Observer {
    /// Nothing was looked at yet.
    #[must_use]
    pub fn new(session: Arc<Session>) -> Self {
        Self {
            session,
            cursor: None,
            shares: HashMap::default(),
            sums: Sums::default(),
            over: false,
        }
    }

    /// What is in work, and what has changed since the last look; the first look tells every item and the whole log. The
    /// answer is always [complete](Changes::is_complete): where the journal does not reach back, every item is told again.
    ///
    /// It costs what it tells.
    pub fn refresh(&mut self) -> Changes {
        let changes = self.session.changes(self.cursor.unwrap_or_default());
        self.take(changes, |_| {})
    }

    /// As [`refresh`](Self::refresh), and beside each item the status in which the looks before saw it last; none where they did not,
    /// or where it took no part.
    #[cfg(feature = "indicatif")]
    pub(crate) fn refresh_with_previous(&mut self) -> (Changes, Vec<Option<ItemStatus>>) {
        let changes = self.session.changes(self.cursor.unwrap_or_default());
        let mut before = Vec::new();
        let changes = self.take(changes, |status| before.push(status));
        (changes, before)
    }

    /// As [`refresh`](Self::refresh), once something is journalled, the session is over or `timeout` has passed: see
    /// [`Session::wait_for_change`]. The first look waits for nothing.
    pub fn wait(&mut self, timeout: Duration) -> Changes {
        match self.cursor {
            Some(cursor) => {
                let changes = self.session.wait_for_change(cursor, timeout);
                self.take(changes, |_| {})
            }
            None => self.refresh(),
        }
    }

    /// Calls `before` for each item, with the status in which it was seen last.
    fn take(
        &mut self,
        mut changes: Changes,
        mut before: impl FnMut(Option<ItemStatus>),
    ) -> Changes {
        if self.cursor.is_none() || !changes.complete {
            // Taken after the changes: what falls between is told again by the next look.
            changes.items = self.session.snapshot().items;
            changes.complete = true;
        }
        self.cursor = Some(changes.cursor);
        self.over = changes.over;
        for view in &changes.items {
            before(self.count(view));
        }
        changes
    }

    /// Answers the status in which the item was seen last.
    fn count(&mut self, view: &ItemView) -> Option<ItemStatus> {
        let old = match Share::of(view) {
            Some(share) => {
                self.sums.add(share);
                self.shares.insert(view.id, share)
            }
            None => self.shares.remove(&view.id),
        };
        old.map(|old| {
            self.sums.take(old);
            old.status
        })
    }

    /// The sums over the items that take part, as of the last look. It costs nothing.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.sums.totals()
    }

    /// The same, before they stop at a limit.
    #[cfg(feature = "manager")]
    pub(crate) fn sums(&self) -> &Sums {
        &self.sums
    }

    /// Asks for a task to be woken once there is something new to look at: see [`Session::wake_on_change`]. Answers false where
    /// there is already, as before the first look.
    #[must_use = "where it answers false, nothing is woken"]
    pub fn wake_on_change(&self, waker: &Waker) -> bool {
        self.cursor
            .is_some_and(|cursor| self.session.wake_on_change(cursor, waker))
    }

    /// Whether the last look found the session over.
    #[cfg(any(feature = "async", feature = "manager"))]
    pub(crate) fn is_over(&self) -> bool {
        self.over
    }

    /// The session that is followed.
    #[must_use]
    pub fn session(&self) -> &Arc<Session> {
        &self.session
    }
}

/// A stream (feature `async`): yields a [look](Observer::refresh) immediately, then one each time something is journalled, and ends
/// when the session is over: the last look says so. Plain values wake nobody, and many small items wake it often. To draw, use
/// [`throttle`](Observer::throttle).
///
/// `next` is that of `tokio_stream::StreamExt` or `futures::StreamExt`:
///
/// ```ignore
/// use tokio_stream::StreamExt;
///
/// let mut observer = Observer::new(session);
/// while let Some(changes) = observer.next().await {
///     draw(changes.items(), observer.totals());
/// }
/// ```
#[cfg(feature = "async")]
#[cfg_attr(docsrs, doc(cfg(feature = "async")))]
impl futures_core::Stream for Observer {
    type Item = Changes;

    fn poll_next(
        self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Changes>> {
        let observer = self.get_mut();
        if observer.over {
            return std::task::Poll::Ready(None);
        }
        if observer.wake_on_change(context.waker()) {
            return std::task::Poll::Pending;
        }
        std::task::Poll::Ready(Some(observer.refresh()))
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observer")
            .field("session", &self.session)
            .field("cursor", &self.cursor)
            .field("totals", &self.totals())
            .finish_non_exhaustive()
    }
}
