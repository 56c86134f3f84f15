//! The clock. Nothing else in the crate reads the time, and the hot path does not read it at all; so a test can say what time it
//! is, by a `ManualClock` on its thread.

use std::time::{Duration, Instant, SystemTime};

/// The time for durations and deadlines.
pub(crate) fn now() -> Instant {
    #[cfg(test)]
    if let Some(clock) = manual::current() {
        return clock.now();
    }
    Instant::now()
}

/// The time for the user: of log entries.
pub(crate) fn system_time() -> SystemTime {
    #[cfg(test)]
    if let Some(clock) = manual::current() {
        return clock.system_time();
    }
    SystemTime::now()
}

/// How much time has passed since `earlier`.
pub(crate) fn elapsed(earlier: Instant) -> Duration {
    now().saturating_duration_since(earlier)
}

/// The point in time `timeout` from now, or `None` where it lies beyond what the clock can say: for ever.
pub(crate) fn deadline(timeout: Duration) -> Option<Instant> {
    now().checked_add(timeout)
}

/// Time that passes when a test says so.
#[cfg(test)]
pub(crate) mod manual {
    use std::cell::RefCell;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::{Duration, Instant, SystemTime};

    thread_local! {
        static CURRENT: RefCell<Option<ManualClock>> = const { RefCell::new(None) };
    }

    pub(super) fn current() -> Option<ManualClock> {
        CURRENT.with_borrow(Clone::clone)
    }

    /// A clock that a test sets on. Clones show the same time.
    #[derive(Clone, Debug)]
    pub(crate) struct ManualClock {
        start: (Instant, SystemTime),
        passed: Arc<AtomicU64>,
    }

    impl ManualClock {
        pub(crate) fn new() -> Self {
            Self {
                start: (Instant::now(), SystemTime::UNIX_EPOCH),
                passed: Arc::default(),
            }
        }

        /// Lets time pass.
        pub(crate) fn advance(&self, time: Duration) {
            let nanoseconds =
                u64::try_from(time.as_nanos()).expect("a test takes less than 500 years");
            self.passed.fetch_add(nanoseconds, Ordering::Relaxed);
        }

        fn passed(&self) -> Duration {
            Duration::from_nanos(self.passed.load(Ordering::Relaxed))
        }

        pub(super) fn now(&self) -> Instant {
            self.start.0 + self.passed()
        }

        pub(super) fn system_time(&self) -> SystemTime {
            self.start.1 + self.passed()
        }

        /// Runs `code` with this clock on this thread.
        pub(crate) fn run<R>(&self, code: impl FnOnce() -> R) -> R {
            struct Reset(Option<ManualClock>);
            impl Drop for Reset {
                fn drop(&mut self) {
                    CURRENT.set(self.0.take());
                }
            }
            let _reset = Reset(CURRENT.replace(Some(self.clone())));
            code()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::manual::ManualClock;
    use super::*;

    #[test]
    fn time_passes_when_the_test_says_so() {
        const HOUR: Duration = Duration::from_secs(3_600);
        let clock = ManualClock::new();
        clock.run(|| {
            let start = now();
            assert_eq!(
                (elapsed(start), system_time()),
                (Duration::ZERO, SystemTime::UNIX_EPOCH)
            );
            clock.advance(HOUR);
            assert_eq!(
                (elapsed(start), deadline(HOUR)),
                (HOUR, Some(start + 2 * HOUR))
            );
            assert_eq!(system_time(), SystemTime::UNIX_EPOCH + HOUR);
            assert_eq!(deadline(Duration::MAX), None);
        });
        assert!(
            system_time() > SystemTime::UNIX_EPOCH + HOUR && elapsed(now()) < HOUR,
            "it is the system's again"
        );
    }
}
