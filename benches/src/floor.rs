//! What a report is measured against.

use std::sync::atomic::{AtomicU64, Ordering};

/// A value and a flag, alone on their cache line, as a slot is.
#[repr(align(64))]
pub struct Padded {
    flag: AtomicU64,
    value: AtomicU64,
}

impl Padded {
    /// With the flag set and no value.
    pub fn new() -> Self {
        Self {
            flag: AtomicU64::new(1),
            value: AtomicU64::new(0),
        }
    }

    /// The floor: one load, one store.
    #[inline(always)]
    pub fn report(&self, value: u64) -> bool {
        let go_on = self.flag.load(Ordering::Acquire) == 1;
        if go_on {
            self.value.store(value, Ordering::Release);
        }
        go_on
    }
}
