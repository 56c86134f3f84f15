//! The host's side of a session: cancels for the user, phases and events for the driver.

use std::collections::HashSet;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use foldhash::fast::RandomState;

use super::state::event_queue::HostEvent;
use super::state::flags;
use super::state::slot::Slot;
use super::{Completion, Connections, ItemReporter, Phase, RefusedCompletion, Session, Stage};
use crate::util::panic::contained;
use crate::util::sync::Ordering;
use crate::util::wake::wake;
use crate::{CallbackError, HResult, ItemId};

/// How many refused completions are remembered.
const REFUSED_MOST: usize = 16;

/// What is left to do of a release.
#[derive(Default)]
#[must_use = "dropping it calls user code; no lock may be held"]
pub(crate) struct LetGo {
    waiting: Vec<Waker>,
    connections: Option<Connections>,
}

impl LetGo {
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.connections.is_none()
    }
}

impl Drop for LetGo {
    fn drop(&mut self) {
        wake(std::mem::take(&mut self.waiting));
        // Closes them, if no other session shares them. A panic in that is nobody's here, as in `wake`.
        let connections = self.connections.take();
        contained(|| drop(connections));
    }
}

/// For the user, on any thread.
impl Session {
    /// The fast handle on an item, for the worker that reports it.
    ///
    /// # Errors
    ///
    /// [`UnknownItem`](CallbackError::UnknownItem) for an id that the session does not know,
    /// [`Released`](CallbackError::Released) after the release.
    pub fn reporter(self: &Arc<Self>, item: ItemId) -> Result<ItemReporter, CallbackError> {
        match self.table.reported(item) {
            Some(found) if found.flags() & flags::RELEASED == 0 => {
                Ok(ItemReporter::on_slot(found.into_arc(), self.me.clone()))
            }
            _ => Err(self.unknown()),
        }
    }

    /// Cancels one item: once this has returned, each later report of it is answered `CancelItem`, on any thread
    /// (rule M10), until a retry names it.
    ///
    /// Cancelling an item that has a final status changes nothing.
    ///
    /// # Errors
    ///
    /// [`UnknownItem`](CallbackError::UnknownItem) for an item that the session does not know or that does not take
    /// part in the round, [`Released`](CallbackError::Released) after the release.
    ///
    /// ```
    /// use syncmgr::{ItemId, Session, SyncItem, Verdict};
    ///
    /// let (a, b) = (ItemId::from_u128(1), ItemId::from_u128(2));
    /// let items = [SyncItem::new(a, "a".parse()?), SyncItem::new(b, "b".parse()?)];
    /// let session = Session::builder().items(items).build()?;
    /// let reporter = session.reporter(a)?;
    /// assert_eq!(reporter.set(1), Ok(Verdict::Continue));
    /// session.cancel_item(a)?;
    /// assert_eq!(reporter.set(2), Ok(Verdict::CancelItem)); // what the host shows stays 1
    /// assert_eq!(session.reporter(b)?.check(), Ok(Verdict::Continue));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn cancel_item(&self, item: ItemId) -> Result<(), CallbackError> {
        self.cancel(item, 0)
    }

    /// Skips one item: cancels it as [`cancel_item`](Self::cancel_item) does, and asks the driver, by
    /// [`HostEvent::Skip`], to tell the handler so by `set_item_status`.
    ///
    /// # Errors
    ///
    /// As for [`cancel_item`](Self::cancel_item).
    pub fn skip_item(&self, item: ItemId) -> Result<(), CallbackError> {
        self.cancel(item, flags::SKIP)
    }

    fn cancel(&self, item: ItemId, skip: u32) -> Result<(), CallbackError> {
        // With the stage locked, a cancel comes before a retry, which clears it, or after it.
        let (stage, _) = self.stage()?;
        let found = self.table.find(item).ok_or(CallbackError::UnknownItem)?;
        let number = found.number();
        let change = found.change(
            |_, flags| {
                if flags & flags::MEMBER == 0 {
                    Err(CallbackError::UnknownItem)
                } else if flags & flags::FINISHED != 0 {
                    Ok(flags)
                } else {
                    Ok((flags | flags::CANCEL_ITEM | skip) & !flags::WAITED)
                }
            },
            |change| {
                self.announce(number, change);
                if change.sets(flags::SKIP) {
                    self.mailbox.push(HostEvent::Skip(item));
                }
            },
        )?;
        drop(stage);
        if change.clears(flags::WAITED) {
            wake(self.wakers.take(number));
        }
        self.board.ring();
        Ok(())
    }

    /// Cancels everything: once this has returned, each later report is answered `CancelAll`, on any thread (rule
    /// M10). Items that are added later are cancelled too, and there will be no retry. It cannot be taken back.
    ///
    /// Items that have a final status keep what they have.
    ///
    /// It costs what exists, since each item is told, so that a report needs to look at its own item only.
    pub fn cancel_all(&self) {
        let Ok((mut stage, _)) = self.stage() else {
            return;
        };
        if stage.cancelled {
            return;
        }
        stage.cancelled = true;
        self.change_all(|flags| match flags & flags::FINISHED {
            0 => (flags | flags::CANCEL_ALL) & !flags::WAITED,
            _ => flags,
        });
        self.board.cancel_all();
        let waiting = self.wakers.take_all();
        drop(stage);
        wake(waiting);
        self.board.ring();
    }

    /// Whether [`cancel_all`](Self::cancel_all) was called.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.stage.lock().cancelled
    }

    /// Changes the flags of every item in its current slot. To be called with the stage locked.
    fn change_all(&self, edit: impl Fn(u32) -> u32) {
        for number in 0..self.table.len() {
            self.change(number, &edit);
        }
        self.change_proposed(edit);
    }

    fn change(&self, number: u32, edit: impl Fn(u32) -> u32) {
        if let Some(slot) = self.table.by_number(number) {
            // This edit refuses nothing.
            let _ = slot.change::<()>(
                |_, flags| Ok(edit(flags)),
                |change| self.announce(number, change),
            );
        }
    }
}

/// For the driver: all that one needs; [`run_handler`](crate::run_handler) uses nothing else.
///
/// # A driver of one's own
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
/// session.begin_prepare(&[id])?;
/// session.prepare_for_sync_completed(HResult::S_OK)?; // the handler, from any thread
/// assert_eq!(
///     session.host_event(Duration::from_secs(1)),
///     Some(HostEvent::PrepareCompleted(HResult::S_OK)),
/// );
/// session.begin_synchronize()?;
/// session.reporter(id)?.succeed()?;
/// session.synchronize_completed(HResult::S_OK)?;
/// assert_eq!(
///     session.host_event(Duration::from_secs(1)),
///     Some(HostEvent::SynchronizeCompleted(HResult::S_OK)),
/// );
/// session.release();
/// assert_eq!(session.phase(), Phase::Released);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
impl Session {
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
    /// after [`cancel_all`](Self::cancel_all); [`InvalidArgument`](CallbackError::InvalidArgument) for no items at all
    /// (rule M02).
    pub fn begin_prepare(&self, items: &[ItemId]) -> Result<(), CallbackError> {
        let (mut stage, phase) = self.stage()?;
        let mut named = HashSet::with_capacity_and_hasher(items.len(), RandomState::default());
        let mut members = Vec::with_capacity(items.len());
        for item in items {
            let number = self
                .table
                .find(*item)
                .ok_or(CallbackError::UnknownItem)?
                .number();
            if named.insert(number) {
                members.push(number);
            }
        }
        let begun = match phase {
            Phase::Idle => true,
            Phase::Completed => self.driven && !stage.cancelled,
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
        for number in self.round(&stage) {
            if !named.contains(&number) {
                self.change(number, |flags| flags & !(flags::MEMBER | flags::WAITED));
                left.extend(self.wakers.take(number));
            }
        }
        for number in &members {
            if phase == Phase::Idle {
                self.change(*number, |flags| flags | TAKES_PART);
            } else if let Some(slot) = self.table.by_number(*number) {
                self.table.reopen(&slot, TAKES_PART);
                self.board.touch(*number);
            }
        }
        stage.begun = true;
        stage.result = None;
        stage.members = members;
        for item in items {
            stage.requests.remove(*item);
        }
        self.open_proposed(phase == Phase::Completed);
        self.board.set_phase(Phase::Preparing);
        drop(stage);
        wake(left);
        self.board.ring();
        Ok(())
    }

    /// Goes on from [`Phase::Prepared`] to [`Phase::Synchronizing`]. To be called before the handler's `synchronize`.
    ///
    /// # Errors
    ///
    /// [`WrongPhase`](CallbackError::WrongPhase) unless the prepare was completed with `S_OK` (rule M01),
    /// [`Released`](CallbackError::Released) after the release.
    pub fn begin_synchronize(&self) -> Result<(), CallbackError> {
        let (stage, phase) = self.stage()?;
        if phase != Phase::Prepared {
            return Err(CallbackError::WrongPhase);
        }
        self.board.set_phase(Phase::Synchronizing);
        drop(stage);
        self.board.ring();
        Ok(())
    }

    /// The next thing that the driver must act on, waiting at most `timeout` for it; `Duration::MAX` waits for ever.
    ///
    /// Events come in order, each once, and none is dropped. At most 16 completions of `show_error`
    /// and `show_properties` wait to be fetched. Further ones are refused with
    /// [`WrongPhase`](CallbackError::WrongPhase). After the release, what is left is handed out,
    /// then none at
    /// once.
    pub fn host_event(&self, timeout: Duration) -> Option<HostEvent> {
        self.mailbox.take(timeout)
    }

    /// Lets the handler go: every later call on the callback is answered `Released`, connections and the dialog turn are
    /// given back, and whoever waits is woken. A second call does nothing.
    pub fn release(&self) {
        drop(self.let_go());
    }

    /// As [`release`](Self::release), but who waits is woken and connections are closed only when the answer is dropped: that is
    /// user code, which may take its time.
    pub(crate) fn let_go(&self) -> LetGo {
        let Ok((stage, _)) = self.stage() else {
            return LetGo::default();
        };
        // No item has taken part where nothing was prepared.
        let leaves = match self.driven && !stage.begun {
            true => flags::MEMBER,
            false => 0,
        };
        self.change_all(|flags| {
            (flags | flags::RELEASED | flags::FROZEN)
                & !(flags::OPEN | flags::WORKING | flags::WAITED | leaves)
        });
        self.board.set_phase(Phase::Released);
        self.mailbox.close();
        self.arbiter.give_back(self.token());
        let mut waiting = self.wakers.take_all();
        waiting.extend(self.board.take_tasks());
        let connections = self.connections.lock().take();
        drop(stage);
        LetGo {
            waiting,
            connections,
        }
    }

    /// Whether a [`skip_item`](Self::skip_item) of this item holds in the current round, and the item has not ended: what a
    /// driver asks before it tells the handler of a [`HostEvent::Skip`], since a retry may have come between, which takes a skip
    /// back or leaves the item out.
    ///
    /// ```
    /// use syncmgr::{ItemId, Session, SyncItem};
    ///
    /// let id = ItemId::from_u128(1);
    /// let session = Session::builder().item(SyncItem::new(id, "a".parse()?)).build()?;
    /// session.skip_item(id)?;
    /// assert!(session.is_skipped(id));
    /// session.reporter(id)?.skip()?; // the handler's answer to it
    /// assert!(!session.is_skipped(id));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn is_skipped(&self, item: ItemId) -> bool {
        const SKIPPED: u32 = flags::MEMBER | flags::SKIP;
        self.table
            .find(item)
            .is_some_and(|slot| slot.flags() & (SKIPPED | flags::FINISHED) == SKIPPED)
    }

    /// The items of the current round that have no final status, in the order of the prepare, then as they were added.
    /// In an open session, and before the first prepare, that is every unfinished item.
    #[must_use]
    pub fn unfinished_items(&self) -> Vec<ItemId> {
        let numbers = self.round(&self.stage.lock());
        let open = numbers.into_iter().filter(|number| {
            self.table
                .by_number(*number)
                .is_some_and(|slot| slot.flags() & flags::FINISHED == 0)
        });
        open.filter_map(|number| self.table.item(number, |item| item.id))
            .collect()
    }

    /// The completions that were refused, the first 16 of them: what a driver reports about a handler that completes
    /// too early or twice.
    #[must_use]
    pub fn refused_completions(&self) -> Vec<RefusedCompletion> {
        self.stage.lock().refused.clone()
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
    /// session.take_activity(); // what was before
    /// reporter.set(1)?;
    /// assert!(session.take_activity());
    /// assert!(!session.take_activity(), "each answer is given once");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn take_activity(&self) -> bool {
        let mut touched = false;
        let mut values = 0_u64;
        let mut look = |number: u32, slot: &Slot| {
            // Each value and whose it is go into one number, which stays the same only if all of them do.
            values = (values.rotate_left(5) ^ u64::from(number))
                .wrapping_mul(0x9E37_79B9_7F4A_7C15)
                ^ slot.glance();
            if slot.flags() & flags::TOUCHED != 0 {
                touched = true;
                self.change(number, |flags| flags & !flags::TOUCHED);
            }
        };
        let (active, log_calls) = self.board.activity();
        for number in active {
            if let Some(slot) = self.table.by_number(number) {
                look(number, &slot);
            }
        }
        for slot in self.table.proposed() {
            if slot.flags() & flags::WORKING != 0 {
                look(slot.number(), &slot);
            }
        }
        let calls = self.calls.load(Ordering::Relaxed).wrapping_add(log_calls);
        let mut last = self.activity.lock();
        touched |= last.calls != calls || last.values != values;
        last.calls = calls;
        last.values = values;
        touched
    }

    /// The numbers of the items of the current round.
    fn round(&self, stage: &Stage) -> Vec<u32> {
        if stage.begun {
            stage.members.clone()
        } else {
            (0..self.table.len()).collect()
        }
    }

    pub(super) fn complete(&self, call: Completion, result: HResult) -> Result<(), CallbackError> {
        let (mut stage, phase) = self.stage()?;
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
                if stage.refused.len() < REFUSED_MOST {
                    stage.refused.push(RefusedCompletion {
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
            stage.result = Some(result);
            let close =
                |flags| (flags | flags::FROZEN) & !(flags::OPEN | flags::WORKING | flags::WAITED);
            for number in self.round(&stage) {
                self.change(number, close);
            }
            self.change_proposed(close);
            waiting = self.wakers.take_all();
            self.arbiter.give_back(self.token());
        }
        self.board.set_phase(next);
        self.mailbox.push(event);
        drop(stage);
        wake(waiting);
        self.board.ring();
        Ok(())
    }
}
