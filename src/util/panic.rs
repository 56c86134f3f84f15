//! User code whose panic is nobody's here: the panic hook has shown it, and whoever called goes on.

use std::any::Any;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Calls user code, or drops what is the user's. None where it panicked.
pub(crate) fn contained<R>(code: impl FnOnce() -> R) -> Option<R> {
    catch_unwind(AssertUnwindSafe(code)).map_err(discard).ok()
}

/// A foreign value, such as a closure of the user, a connection or a waker, whose drop may panic. The
/// panic is contained wherever the last owner drops the value.
///
/// A struct with two such values needs one wrapper for each: if two drops panic while the same stack
/// unwinds, the process aborts.
#[derive(Debug)]
pub(crate) struct Foreign<T>(Option<T>);

impl<T> Foreign<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Some(value))
    }

    /// Hands the value out. It is always there.
    pub(crate) fn into_inner(mut self) -> Option<T> {
        self.0.take()
    }
}

impl<T> Deref for Foreign<T> {
    type Target = T;

    fn deref(&self) -> &T {
        match &self.0 {
            Some(value) => value,
            None => unreachable!("only the drop and `into_inner` take the value"),
        }
    }
}

impl<T> Drop for Foreign<T> {
    fn drop(&mut self) {
        if std::mem::needs_drop::<T>() {
            let value = self.0.take();
            contained(|| drop(value));
        }
    }
}

/// Drops what a panic carried. It may be anything, and so may its drop.
fn discard(payload: Box<dyn Any + Send>) {
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(second); // or there would be a third one, and so on
    }
}

/// What a panic said. The rest of what it carried is dropped.
pub(crate) fn panicked(payload: Box<dyn Any + Send>) -> String {
    let text = panic_text(&*payload);
    discard(payload);
    text
}

/// What a panic said that goes on.
pub(crate) fn panic_text(payload: &(dyn Any + Send)) -> String {
    match payload.downcast_ref::<&str>() {
        Some(text) => (*text).to_owned(),
        None => match payload.downcast_ref::<String>() {
            Some(text) => text.clone(),
            None => "it gave no text".to_owned(),
        },
    }
}
