//! How often something is told.

use std::time::{Duration, Instant};

/// Lets something through at most once in a while.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Throttle {
    every: Duration,
    last: Instant,
}

impl Throttle {
    /// The first while begins now.
    pub(crate) fn new(every: Duration, now: Instant) -> Self {
        Self { every, last: now }
    }

    /// Whether the while is over. Then the next one begins.
    pub(crate) fn is_due(&mut self, now: Instant) -> bool {
        let due = now.saturating_duration_since(self.last) >= self.every;
        if due {
            self.last = now;
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn it_lets_one_through_in_each_while() {
        let start = Instant::now();
        let mut throttle = Throttle::new(SECOND, start);
        let mut through = Vec::new();
        for tick in 0..=50 {
            let at = Duration::from_millis(100) * tick;
            if throttle.is_due(start + at) {
                through.push(at);
            }
        }
        assert_eq!(through, [1, 2, 3, 4, 5].map(|n| SECOND * n));
    }

    #[test]
    fn a_while_begins_when_the_last_was_let_through() {
        let start = Instant::now();
        let mut throttle = Throttle::new(SECOND, start);
        assert!(throttle.is_due(start + SECOND * 7 / 2));
        assert!(!throttle.is_due(start + SECOND * 4));
        assert!(throttle.is_due(start + SECOND * 9 / 2));
    }

    #[test]
    fn nothing_is_too_often_for_zero_and_too_late_for_the_longest() {
        let start = Instant::now();
        let mut always = Throttle::new(Duration::ZERO, start);
        assert!(always.is_due(start) && always.is_due(start));
        let mut never = Throttle::new(Duration::MAX, start);
        assert!(!never.is_due(start + SECOND * 1_000_000));
    }

    #[test]
    fn a_clock_that_stands_behind_lets_nothing_through() {
        let start = Instant::now();
        let mut throttle = Throttle::new(SECOND, start + SECOND);
        assert!(!throttle.is_due(start));
    }
}
