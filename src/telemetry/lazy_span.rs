//! A span that is opened once, by whoever needs it first: the follower, or a worker that wants to log inside it.
//!
//! # Invariants
//!
//! 1. It is opened at most once, and closed at most once; after that nobody gets it.
//! 2. The subscriber is called with no lock held, and a panic of it ends here: the span is then a disabled one.
//! 3. Who comes while another thread opens it waits for that thread. Who comes from inside its opening (a subscriber that asks
//!    for the very span that it is told of) gets a disabled span, since it would wait for itself.

use std::fmt;
use std::sync::Arc;
use std::thread::{self, ThreadId};

use parking_lot::{Condvar, Mutex};
use tracing::Span;

use crate::util::panic::contained;

/// Where events about something go.
///
/// The last of its clones closes the span; so no context is dropped while a lock is held. A subscriber that panics then is
/// contained.
#[derive(Clone, Debug)]
pub(super) struct SpanContext {
    /// None: nowhere.
    span: Option<Arc<Span>>,
    /// It has a span of its own. Otherwise the subscriber wants none, and the span is that of what it belongs to.
    own: bool,
}

static NONE: Span = Span::none();

impl SpanContext {
    pub(super) const fn nowhere() -> Self {
        Self {
            span: None,
            own: false,
        }
    }

    pub(super) fn own(span: Span) -> Self {
        Self {
            span: Some(Arc::new(span)),
            own: true,
        }
    }

    /// This span, or the outer context if the subscriber does not want it.
    pub(super) fn inside(outer: &SpanContext, span: Span) -> Self {
        if span.is_disabled() {
            Self {
                span: outer.span.clone(),
                own: false,
            }
        } else {
            Self::own(span)
        }
    }

    pub(super) fn span(&self) -> &Span {
        self.span.as_deref().unwrap_or(&NONE)
    }

    pub(super) fn is_own(&self) -> bool {
        self.own
    }

    /// The span for a user to keep.
    pub(super) fn to_span(&self) -> Span {
        contained(|| self.span().clone()).unwrap_or_else(Span::none)
    }
}

impl Drop for SpanContext {
    fn drop(&mut self) {
        let span = self.span.take();
        contained(|| drop(span));
    }
}

enum State {
    Unopened,
    Opening(ThreadId),
    Open(SpanContext),
    Closed,
}

pub(super) struct LazySpan {
    /// Never locked while the subscriber is called.
    state: Mutex<State>,
    changed: Condvar,
}

impl LazySpan {
    pub(super) fn new() -> Self {
        Self {
            state: Mutex::new(State::Unopened),
            changed: Condvar::new(),
        }
    }

    /// One that is open already.
    pub(super) fn of(context: SpanContext) -> Self {
        Self {
            state: Mutex::new(State::Open(context)),
            changed: Condvar::new(),
        }
    }

    pub(super) fn is_unopened(&self) -> bool {
        matches!(*self.state.lock(), State::Unopened)
    }

    /// The context, which `open` opens if nobody has yet.
    pub(super) fn get(&self, open: impl FnOnce() -> SpanContext) -> SpanContext {
        let me = thread::current().id();
        {
            let mut state = self.state.lock();
            loop {
                match &*state {
                    State::Unopened => break,
                    State::Opening(who) if *who == me => return SpanContext::nowhere(),
                    State::Opening(_) => self.changed.wait(&mut state),
                    State::Open(context) => return context.clone(),
                    State::Closed => return SpanContext::nowhere(),
                }
            }
            *state = State::Opening(me);
        }
        let context = contained(open).unwrap_or_else(SpanContext::nowhere);
        {
            let mut state = self.state.lock();
            // It may have been closed meanwhile.
            if matches!(*state, State::Opening(_)) {
                *state = State::Open(context.clone());
            }
        }
        self.changed.notify_all();
        context
    }

    /// Nobody gets the span any more. It is closed when those who have it let it go.
    pub(super) fn close(&self) {
        let before = std::mem::replace(&mut *self.state.lock(), State::Closed);
        self.changed.notify_all();
        drop(before); // no lock is held
    }
}

impl fmt::Debug for LazySpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match *self.state.lock() {
            State::Unopened => "Unopened",
            State::Opening(_) => "Opening",
            State::Open(_) => "Open",
            State::Closed => "Closed",
        };
        f.write_str(state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_opened_once() {
        let opened = LazySpan::new();
        let mut times = 0;
        for _ in 0..3 {
            opened.get(|| {
                times += 1;
                SpanContext::nowhere()
            });
        }
        assert_eq!(times, 1);
    }

    #[test]
    fn who_asks_from_inside_the_opening_does_not_wait() {
        let opened = LazySpan::new();
        let mut asked = false;
        opened.get(|| {
            let inner = opened.get(|| panic!("it is being opened"));
            asked = inner.span().is_disabled();
            SpanContext::nowhere()
        });
        assert!(asked);
    }

    #[test]
    fn who_asks_meanwhile_gets_the_same() {
        let opened = LazySpan::new();
        let (begun, wait) = std::sync::mpsc::channel();
        thread::scope(|scope| {
            scope.spawn(|| {
                opened.get(|| {
                    begun.send(()).unwrap();
                    thread::yield_now();
                    SpanContext::nowhere()
                });
            });
            wait.recv().unwrap();
            // Its own opening is not called, or the context would be its own.
            assert!(!opened.get(|| SpanContext::own(Span::none())).is_own());
        });
    }

    #[test]
    fn one_that_is_closed_is_not_opened() {
        let opened = LazySpan::new();
        opened.close();
        opened.get(|| panic!("it is closed"));
        assert_eq!(format!("{opened:?}"), "Closed");
    }

    #[test]
    fn one_that_is_closed_while_it_opens_stays_closed() {
        let opened = LazySpan::new();
        opened.get(|| {
            opened.close();
            SpanContext::nowhere()
        });
        assert_eq!(format!("{opened:?}"), "Closed");
    }

    #[test]
    fn a_panic_of_the_opening_ends_here() {
        let opened = LazySpan::new();
        let context = opened.get(|| panic!("as a subscriber may"));
        assert!(context.span().is_disabled());
        assert_eq!(format!("{opened:?}"), "Open");
    }
}
