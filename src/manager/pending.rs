//! The pending starts of one handler.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::job::Job;
use super::start_request::StartRequest;
use crate::ItemId;
use crate::session::Session;

/// How many pending starts and items a running handler is offered. The end of every run checks them all
/// with the manager's state locked, so there must be a limit.
const OFFERED_MOST: usize = 10_000;

/// The jobs of one handler that wait for its current one, in order. Everything here is done with the
/// manager's state locked.
#[derive(Default)]
pub(super) struct Pending {
    /// Jobs that ended while they were pending stay until they are half of all, so that removing one is
    /// O(1) amortized.
    queue: VecDeque<Arc<Job>>,
    live: usize,
    /// The latest job of each request that has not begun, the current one included: an identical start
    /// shares it.
    shareable: HashMap<Arc<StartRequest>, Arc<Job>, RandomState>,
    offered: Offered,
}

/// What the handler's current run is offered: the items of the first pending jobs.
#[derive(Default)]
struct Offered {
    /// How many of those jobs want each item.
    wanted: HashMap<ItemId, usize, RandomState>,
    /// The number of jobs and of their items.
    size: usize,
    /// A job did not fit, so none behind it is offered either.
    full: bool,
}

impl Offered {
    /// Offers a job's items, if they fit. The first job always does. Returns the items.
    fn add(&mut self, job: &Job) -> Vec<ItemId> {
        job.with_left(|items, offered| {
            let size = self.size + 1 + items.len();
            self.full |= self.size > 0 && size > OFFERED_MOST;
            *offered = !self.full;
            if self.full {
                return Vec::new();
            }
            self.size = size;
            for item in items {
                *self.wanted.entry(*item).or_default() += 1;
            }
            items.to_vec()
        })
    }

    /// Takes a job's items back. Returns those that no other job wants.
    fn remove(&mut self, job: &Job) -> Vec<ItemId> {
        job.with_left(|items, offered| {
            let mut unwanted = Vec::new();
            if !std::mem::take(offered) {
                return unwanted;
            }
            self.size = self.size.saturating_sub(1 + items.len());
            for item in items {
                if let Some(count) = self.wanted.get_mut(item) {
                    *count -= 1;
                    if *count == 0 {
                        self.wanted.remove(item);
                        unwanted.push(*item);
                    }
                }
            }
            unwanted
        })
    }
}

impl Pending {
    /// Nothing is pending behind a current job, which has not begun.
    pub(super) fn behind(current: &Arc<Job>) -> Self {
        let mut pending = Self::default();
        pending.let_share(current);
        pending
    }

    fn let_share(&mut self, job: &Arc<Job>) {
        self.shareable
            .insert(Arc::clone(&job.request), Arc::clone(job));
    }

    /// Returns the job of an identical start that has not begun, if this one can share it.
    pub(super) fn share(&mut self, job: &Job, current: &Job) -> Option<Arc<Job>> {
        let earlier = self.shareable.get(&job.request)?;
        if !earlier.share() {
            return None;
        }
        // They are requested anew: the current run may have done them before this start.
        let offered = |items: &[ItemId], offered: &mut bool| offered.then(|| items.to_vec());
        if let Some(items) = earlier.with_left(offered) {
            current.request(items);
        }
        Some(Arc::clone(earlier))
    }

    /// No later start shares a job any more.
    pub(super) fn unshare(&mut self, job: &Arc<Job>) {
        let is_it = |other: &Arc<Job>| Arc::ptr_eq(other, job);
        if self.shareable.get(&job.request).is_some_and(is_it) {
            self.shareable.remove(&job.request);
        }
    }

    /// Appends a job. Its items are offered to the current one.
    pub(super) fn push(&mut self, job: &Arc<Job>, current: &Job) {
        self.let_share(job);
        current.request(self.offered.add(job));
        self.queue.push_back(Arc::clone(job));
        self.live += 1;
    }

    /// Removes a job that has ended, and withdraws what only it wanted. Returns jobs to be dropped with
    /// no lock held.
    #[must_use = "dropping a job may drop user code"]
    pub(super) fn remove(&mut self, job: &Arc<Job>, current: &Job) -> Vec<Arc<Job>> {
        self.unshare(job);
        let unwanted = self.offered.remove(job);
        if !unwanted.is_empty() {
            current.withdraw(unwanted);
        }
        self.live = self.live.saturating_sub(1);
        if self.queue.len() <= 2 * self.live + 16 {
            return Vec::new();
        }
        let (ended, live): (Vec<_>, Vec<_>) = self.queue.drain(..).partition(|job| job.is_over());
        self.live = live.len();
        self.queue = live.into();
        ended
    }

    /// Takes the job that is current from now on. It is offered the items of those behind it. Those that
    /// had ended before it are added to `ended`, to be dropped with no lock held.
    pub(super) fn next(&mut self, ended: &mut Vec<Arc<Job>>) -> Option<Arc<Job>> {
        let next = loop {
            let next = self.queue.pop_front()?;
            if !next.is_over() {
                break next;
            }
            ended.push(next);
        };
        next.with_left(|_, offered| *offered = false);
        self.live = self.live.saturating_sub(1);
        self.offered = Offered::default();
        for job in &self.queue {
            if job.is_over() {
                continue;
            }
            next.request(self.offered.add(job));
            if self.offered.full {
                break;
            }
        }
        Some(next)
    }

    /// Takes the jobs of which the run of the current one has done all items.
    pub(super) fn take_done_by(&mut self, current: &Job, session: &Arc<Session>) -> Vec<Arc<Job>> {
        if self.offered.wanted.is_empty() {
            return Vec::new();
        }
        let left = current.left(session);
        let is_offered = |job: &&Arc<Job>| job.is_over() || job.with_left(|_, offered| *offered);
        let count = self.queue.iter().take_while(is_offered).count();
        let (done, others): (Vec<_>, Vec<_>) = self
            .queue
            .drain(..count)
            .partition(|job| job.is_done_by(session, &left));
        for job in &done {
            self.unshare(job);
        }
        for job in others.into_iter().rev() {
            self.queue.push_front(job);
        }
        self.live = self.live.saturating_sub(done.len());
        done
    }

    /// Takes all jobs.
    pub(super) fn take(&mut self) -> Vec<Arc<Job>> {
        self.shareable.clear();
        self.offered = Offered::default();
        self.live = 0;
        self.queue.drain(..).collect()
    }
}
