//! The driver's side of a session.

use std::fmt;
use std::task::Waker;
use std::time::Duration;

use super::state::event_queue::HostEvent;
use super::state::flags;
use super::state::lifecycle::Lifecycle;
use super::state::slot::Slot;
use super::{Completion, Connections, Phase, RefusedCompletion, Session};
use crate::util::panic::contained;
use crate::util::sync::Ordering;
use crate::util::wake::wake;
use crate::{CallbackError, HResult, ItemId};

/// How many refused completions are remembered.
const REFUSED_MOST: usize = 16;

/// The driver's side of a session, returned by [`Session::driver`].
///
/// [`run_handler`](crate::run_handler) uses nothing else.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use syncmgr::{HResult, HostEvent, ItemId, Phase, Session, SyncCallback, SyncItem, ItemName};
///
/// let id = ItemId::from_u128(1);
/// let session = Session::builder()
///     .item(SyncItem::new(id, ItemName::try_from("a")?))
///     .driven()
///     .build()?;
///
/// let driver = session.driver();
/// driver.begin_prepare(&[id])?;
/// session.prepare_for_sync_completed(HResult::S_OK)?; // the handler, from any thread
/// assert_eq!(
///     driver.next_event(Duration::from_secs(1)),
///     Some(HostEvent::PrepareCompleted(HResult::S_OK)),
/// );
/// driver.begin_synchronize()?;
/// session.reporter(id)?.succeed()?;
/// session.synchronize_completed(HResult::S_OK)?;
/// assert_eq!(
///     driver.next_event(Duration::from_secs(1)),
///     Some(HostEvent::SynchronizeCompleted(HResult::S_OK)),
/// );
/// driver.release();
/// assert_eq!(session.phase(), Phase::Released);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy)]
pub struct SessionDriver<'a>(pub(super) &'a Session);

impl fmt::Debug for SessionDriver<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SessionDriver").field(self.0).finish()
    }
}

impl SessionDriver<'_> {
    /// Begins a round with these items: from [`Phase::Idle`] or [`Phase::Completed`] to [`Phase::Preparing`]. To be
    /// called before the handler's `prepare_for_sync`, with the same items.
    ///
    /// The first round clears nothing: a cancel that was made before it stays. A later one is a retry: the items that it
    /// names start anew (`Pending`, no value, no maximum, no text, not cancelled), and reporters of theirs from before
    /// are answered `Released`. Items that it does not name keep what they have and take no more reports.
    ///
    /// # Errors
    ///
    /// Nothing changes where it answers an error: [`Released`](CallbackError::Released);
    /// [`UnknownItem`](CallbackError::UnknownItem) for an id that the session does not know;
    /// [`WrongPhase`](CallbackError::WrongPhase) in another phase, in a session that is not driven, and for a retry
    /// after [`cancel_all`](Session::cancel_all); [`InvalidArgument`](CallbackError::InvalidArgument) for no items at all
    /// (rule M02).
    pub fn begin_prepare(self, items: &[ItemId]) -> Result<(), CallbackError> {
        let (mut lifecycle, phase) = self.0.lifecycle()?;
        let mut named = vec![false; self.0.table.len() as usize];
        let mut members = Vec::with_capacity(items.len());
        for (place, item) in items.iter().enumerate() {
            // Mostly all of them, in their order.
            let number = match self.0.table.guess(place as u32, *item) {
                Some(slot) => slot.number(),
                None => {
                    let found = self.0.table.find(*item);
                    found.ok_or(CallbackError::UnknownItem)?.number()
                }
            };
            if let Some(named @ false) = named.get_mut(number as usize) {
                *named = true;
                members.push(number);
            }
        }
        let begun = match phase {
            Phase::Idle => true,
            Phase::Completed => self.0.driven && !lifecycle.cancelled,
            _ => false,
        };
        if !begun {
            return Err(CallbackError::WrongPhase);
        }
        if members.is_empty() {
            return Err(CallbackError::InvalidArgument);
        }

        const TAKES_PART: u32 = flags::MEMBER | flags::OPEN | flags::JOINED;
        let mut left = Vec::new();
        for number in self.0.round(&lifecycle) {
            if named.get(number as usize) != Some(&true) {
                self.0
                    .change(number, |flags| flags & !(flags::MEMBER | flags::WAITED));
                left.extend(self.0.wakers.take(number));
            }
        }
        for number in &members {
            if phase == Phase::Idle {
                self.0.change(*number, |flags| flags | TAKES_PART);
            } else if let Some(slot) = self.0.table.by_number(*number) {
                self.0.table.reopen(&slot, TAKES_PART);
                self.0.journal.record_change(*number, 0);
            }
        }
        lifecycle.begun = true;
        lifecycle.result = None;
        lifecycle.members = members;
        for item in items {
            lifecycle.requests.remove(*item);
        }
        self.0.open_proposed(phase == Phase::Completed);
        self.0.journal.set_phase(Phase::Preparing);
        drop(lifecycle);
        wake(left);
        self.0.journal.notify();
        Ok(())
    }

    /// Goes on from [`Phase::Prepared`] to [`Phase::Synchronizing`]. To be called before the handler's `synchronize`.
    ///
    /// # Errors
    ///
    /// [`WrongPhase`](CallbackError::WrongPhase) unless the prepare was completed with `S_OK` (rule M01),
    /// [`Released`](CallbackError::Released) after the release.
    pub fn begin_synchronize(self) -> Result<(), CallbackError> {
        let (lifecycle, phase) = self.0.lifecycle()?;
        if phase != Phase::Prepared {
            return Err(CallbackError::WrongPhase);
        }
        self.0.journal.set_phase(Phase::Synchronizing);
        drop(lifecycle);
        self.0.journal.notify();
        Ok(())
    }

    /// The next thing that the driver must act on, waiting at most `timeout` for it; `Duration::MAX` waits for ever.
    ///
    /// Events come in order, each once, and none is dropped. At most 16 completions of `show_error`
    /// and `show_properties` wait to be fetched. Further ones are refused with
    /// [`WrongPhase`](CallbackError::WrongPhase). After the release, what is left is handed out,
    /// then none at
    /// once.
    pub fn next_event(self, timeout: Duration) -> Option<HostEvent> {
        self.0.events.take(timeout)
    }

    /// Lets the handler go: every later call on the callback is answered `Released`, connections and the dialog turn are
    /// given back, and whoever waits is woken. A second call does nothing.
    pub fn release(self) {
        drop(self.0.release_parts());
    }

    /// Whether a [`skip_item`](Session::skip_item) of this item holds in the current round, and the item has not ended: what a
    /// driver asks before it tells the handler of a [`HostEvent::Skip`], since a retry may have come between, which takes a skip
    /// back or leaves the item out.
    ///
    /// ```
    /// use syncmgr::{ItemId, Session, SyncItem};
    ///
    /// let id = ItemId::from_u128(1);
    /// let session = Session::builder().item(SyncItem::new(id, "a".parse()?)).build()?;
    /// session.skip_item(id)?;
    /// assert!(session.driver().is_skipped(id));
    /// session.reporter(id)?.skip()?; // the handler's answer to it
    /// assert!(!session.driver().is_skipped(id));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn is_skipped(self, item: ItemId) -> bool {
        const SKIPPED: u32 = flags::MEMBER | flags::SKIP;
        self.0
            .table
            .find(item)
            .is_some_and(|slot| slot.flags() & (SKIPPED | flags::FINISHED) == SKIPPED)
    }

    /// The items of the current round that have no final status, in the order of the prepare, then as they were added.
    /// In an open session, and before the first prepare, that is every unfinished item.
    #[must_use]
    pub fn unfinished_items(self) -> Vec<ItemId> {
        let numbers = self.0.round(&self.0.lifecycle.lock());
        let open = numbers.into_iter().filter(|number| {
            self.0
                .table
                .by_number(*number)
                .is_some_and(|slot| slot.flags() & flags::FINISHED == 0)
        });
        open.filter_map(|number| self.0.table.item(number, |item| item.id))
            .collect()
    }

    /// The completions that were refused, the first 16 of them: what a driver reports about a handler that completes
    /// too early or twice.
    #[must_use]
    pub fn refused_completions(self) -> Vec<RefusedCompletion> {
        self.0.lifecycle.lock().refused.clone()
    }

    /// Whether the handler made a call, or a value changed, since this was asked last: what a driver with a deadline
    /// asks, and nobody else, since each answer is given once.
    ///
    /// A report that stores the value that is there already counts as silence.
    ///
    /// ```
    /// use syncmgr::{ItemId, Session, SyncItem};
    ///
    /// let id = ItemId::from_u128(1);
    /// let session = Session::builder().item(SyncItem::new(id, "a".parse()?)).build()?;
    /// let reporter = session.reporter(id)?;
    /// session.driver().take_activity(); // what was before
    /// reporter.set(1)?;
    /// assert!(session.driver().take_activity());
    /// assert!(!session.driver().take_activity(), "each answer is given once");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn take_activity(self) -> bool {
        let mut touched = false;
        let mut values = 0_u64;
        let mut look = |number: u32, slot: &Slot| {
            // Each value and whose it is go into one number, which stays the same only if all of them do.
            values = (values.rotate_left(5) ^ u64::from(number))
                .wrapping_mul(0x9E37_79B9_7F4A_7C15)
                ^ slot.value_relaxed();
            if slot.flags() & flags::TOUCHED != 0 {
                touched = true;
                self.0.change(number, |flags| flags & !flags::TOUCHED);
            }
        };
        let (active, log_calls) = self.0.journal.activity();
        for number in active {
            if let Some(slot) = self.0.table.by_number(number) {
                look(number, &slot);
            }
        }
        for slot in self.0.table.proposed() {
            if slot.flags() & flags::WORKING != 0 {
                look(slot.number(), &slot);
            }
        }
        let calls = self.0.calls.load(Ordering::Relaxed).wrapping_add(log_calls);
        let mut last = self.0.activity.lock();
        touched |= last.calls != calls || last.values != values;
        last.calls = calls;
        last.values = values;
        touched
    }
}

/// What is left to do of a release.
#[derive(Default)]
#[must_use = "dropping it calls user code; no lock may be held"]
pub(crate) struct Released {
    waiting: Vec<Waker>,
    connections: Option<Connections>,
}

impl Released {
    #[cfg(feature = "manager")]
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.connections.is_none()
    }
}

impl Drop for Released {
    fn drop(&mut self) {
        wake(std::mem::take(&mut self.waiting));
        // Closes them, if no other session shares them. A panic in that is nobody's here, as in `wake`.
        let connections = self.connections.take();
        contained(|| drop(connections));
    }
}

impl Session {
    /// Returns the driver's side of this session.
    #[must_use]
    pub fn driver(&self) -> SessionDriver<'_> {
        SessionDriver(self)
    }

    /// As [`release`](Self::release), but who waits is woken and connections are closed only when the answer is dropped: that is
    /// user code, which may take its time.
    pub(crate) fn release_parts(&self) -> Released {
        let Ok((lifecycle, _)) = self.lifecycle() else {
            return Released::default();
        };
        // No item has taken part where nothing was prepared.
        let leaves = match self.driven && !lifecycle.begun {
            true => flags::MEMBER,
            false => 0,
        };
        self.change_all(|flags| {
            (flags | flags::RELEASED | flags::FROZEN)
                & !(flags::OPEN | flags::WORKING | flags::WAITED | leaves)
        });
        self.journal.set_phase(Phase::Released);
        self.events.close();
        self.arbiter.give_back(self.token());
        let mut waiting = self.wakers.take_all();
        waiting.extend(self.journal.take_tasks());
        let connections = self.connections.lock().take();
        drop(lifecycle);
        Released {
            waiting,
            connections,
        }
    }

    /// The numbers of the items of the current round.
    fn round(&self, lifecycle: &Lifecycle) -> Vec<u32> {
        if lifecycle.begun {
            lifecycle.members.clone()
        } else {
            (0..self.table.len()).collect()
        }
    }

    pub(super) fn complete(&self, call: Completion, result: HResult) -> Result<(), CallbackError> {
        let (mut lifecycle, phase) = self.lifecycle()?;
        let (next, event) = match (call, phase) {
            (Completion::Prepare, Phase::Preparing) => {
                let next = if result == HResult::S_OK {
                    Phase::Prepared
                } else {
                    Phase::Completed
                };
                (next, HostEvent::PrepareCompleted(result))
            }
            (Completion::Synchronize, Phase::Open | Phase::Synchronizing) => {
                (Phase::Completed, HostEvent::SynchronizeCompleted(result))
            }
            _ => {
                if lifecycle.refused.len() < REFUSED_MOST {
                    lifecycle.refused.push(RefusedCompletion {
                        call,
                        result,
                        phase,
                    });
                }
                return Err(CallbackError::WrongPhase);
            }
        };
        let mut waiting = Vec::new();
        if next == Phase::Completed {
            lifecycle.result = Some(result);
            let close =
                |flags| (flags | flags::FROZEN) & !(flags::OPEN | flags::WORKING | flags::WAITED);
            for number in self.round(&lifecycle) {
                self.change(number, close);
            }
            self.change_proposed(close);
            waiting = self.wakers.take_all();
            self.arbiter.give_back(self.token());
        }
        self.journal.set_phase(next);
        self.events.push(event);
        drop(lifecycle);
        wake(waiting);
        self.journal.notify();
        Ok(())
    }
}
