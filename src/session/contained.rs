//! User code whose panic is nobody's here: the panic hook has shown it, and whoever called goes on.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Calls user code, or drops what is the user's. None where it panicked.
pub(crate) fn contained<R>(code: impl FnOnce() -> R) -> Option<R> {
    catch_unwind(AssertUnwindSafe(code)).map_err(discard).ok()
}

/// Drops what a panic carried. It may be anything, and so may its drop.
pub(crate) fn discard(payload: Box<dyn Any + Send>) {
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(second); // or there would be a third one, and so on
    }
}

/// What a panic said.
pub(crate) fn panic_text(payload: &(dyn Any + Send)) -> String {
    match payload.downcast_ref::<&str>() {
        Some(text) => (*text).to_owned(),
        None => match payload.downcast_ref::<String>() {
            Some(text) => text.clone(),
            None => "it gave no text".to_owned(),
        },
    }
}
