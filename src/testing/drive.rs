//! The run of a harness: the handler's thread and the deadline.

use std::any::Any;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::call::Action;
use super::harness::Harness;
use super::interventions::Interventions;
use super::item_ref::ItemRef;
use super::recorder::Recorder;
use super::trace::Trace;
use crate::util::clock;
use crate::{CallbackError, ItemId, RunOptions, SyncEvent, SyncFlags, SyncHandler, run_handler};

/// How long a handler whose callback was released on purpose may be silent before the host lets it go: nothing is due of
/// it any more.
const RELEASED_SILENCE: Duration = Duration::from_millis(200);

/// What a run of the harness came to.
pub(super) struct Driven {
    pub(super) trace: Trace,
    /// Whether the last setting of the harness came about.
    pub(super) last_occurred: bool,
    /// The items that settings name and that were never listed.
    pub(super) unlisted: Vec<ItemRef>,
}

impl Harness {
    /// Drives the handler through its life, and answers what passed.
    ///
    /// # Panics
    ///
    /// Where a predicate of the test's own has panicked, and where no thread is to be had.
    #[track_caller]
    pub fn run(self) -> Trace {
        self.drive().trace
    }

    #[track_caller]
    pub(super) fn drive(self) -> Driven {
        let recorder = Recorder::new();
        recorder.state().max_calls = self.max_calls;
        recorder.state().replaces_callback = self.replaces_callback;
        let interventions = Arc::new(self.interventions);
        recorder.watch(interventions.clone());

        let mut options = RunOptions::new()
            .flags(self.flags.unwrap_or(SyncFlags::new(SyncEvent::Manual)))
            .dialogs(!self.no_dialogs)
            .item_objects(self.objects);
        for target in self.properties {
            options = options.show_properties(target);
        }
        let mut other_event = None;
        if let Some(cookie) = self.cookie {
            options = options.cookie(cookie);
            let event = self.flags.map(SyncFlags::event);
            other_event = event.filter(|event| *event != SyncEvent::Invoke);
        }
        let selected = self.select.clone().unwrap_or_default();
        if let Some(select) = self.select {
            options = options.select(select);
        }
        if self.full_log {
            options = options.log_capacity(0);
        }
        if !self.no_connections {
            let open = |_: Option<&str>| -> Result<Box<dyn Any + Send>, CallbackError> {
                Ok(Box::new(()))
            };
            options = options.connector(recorder.connector(open));
        }
        if self.show_errors {
            // Of a released callback nothing more is due, so no error is shown either: nobody could complete it.
            let interventions = interventions.clone();
            options = options.show_error_if(move |_| !interventions.is_released());
        }
        if let Some(retries) = self.max_retries {
            options = options.max_retries(retries);
        }
        let requests = self.requests;
        options = options.on_session(move |session| {
            // Nobody has released it yet.
            let _ = session.request_items(&requests);
        });
        let (start, on_start) = (interventions.clone(), recorder.clone());
        options = options.on_session(move |session| start.start(&on_start, session));

        let handler = recorder.handler(self.handler);
        host(
            &recorder,
            &interventions,
            handler,
            options,
            self.deadline,
            self.max_calls,
        );
        // Whoever still holds the callback may still call it.
        recorder.wait_until(after(clock::now(), self.listen), |state| state.live == 0);
        if let Some(text) = interventions.take_panic() {
            panic!("a predicate of the harness panicked: {text}");
        }
        let trace = Trace::from_calls(recorder.freeze());
        let (mut about, mut unreached) = (Vec::new(), Vec::new());
        let named = self.about.iter().filter_map(|about| about.unlisted(&trace));
        let mut unlisted: Vec<ItemRef> = named.cloned().collect();
        let mut last_occurred = true;
        for (mut words, occurred) in self
            .about
            .iter()
            .map(|about| about.words(&trace, &interventions))
        {
            last_occurred = occurred;
            if !occurred {
                unreached.push(words.clone());
                words.push_str(" (which did not come about)");
            }
            about.push(words);
        }
        for item in selected
            .into_iter()
            .filter(|item| !was_prepared(&trace, *item))
        {
            let words = format!("{} selected", trace.name_of(item));
            about.push(format!("{words} (which did not come about)"));
            unreached.push(words);
            unlisted.extend(
                trace
                    .labels()
                    .plain(item)
                    .is_none()
                    .then_some(ItemRef::Id(item)),
            );
        }
        if let Some(event) = other_event {
            unreached.push(format!(
                "the event {event}, since a cookie makes it {}",
                SyncEvent::Invoke
            ));
        }
        let about = (!about.is_empty()).then(|| about.join(", "));
        Driven {
            trace: trace
                .about(about)
                .set_unreached(unreached, unlisted.clone()),
            last_occurred,
            unlisted,
        }
    }
}

fn was_prepared(trace: &Trace, item: ItemId) -> bool {
    trace.calls().iter().any(|call| match &call.action {
        Action::PrepareForSync { items } => items.contains(&item),
        _ => false,
    })
}

/// So much later; where that is beyond every clock, in thirty years.
fn after(since: Instant, time: Duration) -> Instant {
    let until = since.checked_add(time);
    until.unwrap_or_else(|| since + Duration::from_secs(1_000_000_000))
}

/// Drives the handler on a thread of its own, and waits for it as long as there is a sign of life.
fn host(
    recorder: &Recorder,
    interventions: &Arc<Interventions>,
    handler: Arc<dyn SyncHandler>,
    options: RunOptions,
    deadline: Duration,
    mut max_calls: usize,
) {
    let finish = FinishGuard(recorder.clone());
    let drive = move || {
        drop(run_handler(handler, options));
        drop(finish);
    };
    let spawned = thread::Builder::new()
        .name("syncmgr-harness".into())
        .spawn(drive);
    let thread = match spawned {
        Ok(thread) => thread,
        // An empty trace would pass for a good one.
        Err(error) => panic!("the harness needs a thread to call the handler on: {error}"),
    };
    let mut chances = 2_u32;
    let mut limit = deadline;
    let mut seen = recorder.state().signs_of_life();
    let mut since = clock::now();
    loop {
        if interventions.is_released() {
            limit = limit.min(RELEASED_SILENCE);
        }
        let until = after(since, limit);
        let alive = recorder.wait_until(until, |state| {
            state.finished || state.signs_of_life() != seen
        });
        let (finished, held, signs, calls) = {
            let state = recorder.state();
            let held = state.held > 0;
            let signs = state.signs_of_life();
            (state.finished, held, signs, state.calls.len())
        };
        if finished {
            break;
        }
        // While the harness holds a worker, the silence is its own; it holds none for long.
        if (alive || held) && calls < max_calls {
            seen = signs;
            since = clock::now();
            continue;
        }
        max_calls = usize::MAX;
        // Silence, or a handler that does not end. The first time the host lets go, and whatever waits for the handler wakes up.
        chances -= 1;
        if chances == 0 {
            return; // the thread is left behind in a call that does not return
        }
        if !interventions.is_released() {
            recorder.note(Action::GaveUp);
        }
        recorder.change(|state| state.gave_up = true);
        if let Some(session) = interventions.session() {
            session.driver().release();
        }
        limit = limit.min(Duration::from_secs(1));
        seen = recorder.state().signs_of_life();
        since = clock::now();
    }
    // It has finished, so this does not wait; a panic in it would be the driver's own, and says itself what it was.
    let _ = thread.join();
}

/// Says that the host's thread has finished, also where it unwinds.
struct FinishGuard(Recorder);

impl Drop for FinishGuard {
    fn drop(&mut self) {
        self.0.change(|state| state.finished = true);
    }
}
