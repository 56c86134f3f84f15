//! How fast a value grows, and how long the rest takes.
//!
//! The clock is an argument everywhere, so a test can say what time it is. indicatif's own estimator reads the clock itself.

use std::time::{Duration, Instant};

/// After so long what was seen counts for a third (1/e) of what it did.
const MEMORY: f64 = 5.0;

/// Seconds that have to be seen before a rate is told.
const ENOUGH: f64 = 1.0;

/// A left time of more than this tells nobody anything.
const LONGEST: f64 = 100.0 * 3600.0;

/// The rate of a value that is looked at now and then: a mean of what was seen, in which what is older counts less.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Rate {
    last: Option<(Instant, u64)>,
    /// The sum of the rates, each with its weight, and the sum of the weights.
    sum: f64,
    weight: f64,
    seconds: f64,
}

impl Rate {
    /// A look. A value that has fallen begins anew: it is that of another round.
    pub(super) fn see(&mut self, now: Instant, value: u64) {
        let Some((then, old)) = self.last else {
            self.last = Some((now, value));
            return;
        };
        if value < old {
            *self = Self {
                last: Some((now, value)),
                ..Self::default()
            };
            return;
        }
        let seconds = now.saturating_duration_since(then).as_secs_f64();
        if seconds < 1e-3 {
            return; // too short to tell anything
        }
        let keep = (-seconds / MEMORY).exp();
        self.sum = self.sum * keep + (1.0 - keep) * (value - old) as f64 / seconds;
        self.weight = self.weight * keep + (1.0 - keep);
        self.seconds += seconds;
        self.last = Some((now, value));
    }

    /// Units a second; none before enough was seen.
    pub(super) fn per_second(&self) -> Option<f64> {
        (self.seconds >= ENOUGH).then(|| self.sum / self.weight)
    }

    /// How long so much more takes; none where that cannot be told.
    pub(super) fn left(&self, rest: u64) -> Option<Duration> {
        let seconds = rest as f64 / self.per_second()?;
        // Not a number where nothing is left at no rate.
        (seconds < LONGEST).then(|| Duration::from_secs_f64(seconds))
    }
}

#[cfg(test)]
mod tests {
    use super::Rate;
    use std::time::{Duration, Instant};

    /// Looks each tenth of a second at a value that grows by `step`, for so many looks.
    fn seen(rate: &mut Rate, from: (Instant, u64), step: u64, looks: u32) -> (Instant, u64) {
        let (mut now, mut value) = from;
        for _ in 0..looks {
            rate.see(now, value);
            now += Duration::from_millis(100);
            value += step;
        }
        (now, value)
    }

    #[test]
    fn a_steady_value_has_its_rate_from_the_first_second_on() {
        let mut rate = Rate::default();
        let mut at = (Instant::now(), 0);
        at = seen(&mut rate, at, 50, 10);
        assert_eq!(rate.per_second(), None, "nine tenths of a second");
        assert_eq!(rate.left(1), None);
        at = seen(&mut rate, at, 50, 2);
        let per_second = rate.per_second().expect("more than a second was seen");
        assert!((per_second - 500.0).abs() < 1e-6, "{per_second}");
        assert_eq!(rate.left(1_000).map(|left| left.as_secs()), Some(2));
        seen(&mut rate, at, 0, 100);
        let slow = rate.per_second().expect("it was seen");
        assert!(slow < 100.0, "{slow}: it has stood for ten seconds");
    }

    #[test]
    fn a_value_that_falls_begins_anew() {
        let mut rate = Rate::default();
        let (now, _) = seen(&mut rate, (Instant::now(), 1_000), 50, 20);
        rate.see(now, 0);
        assert_eq!(rate.per_second(), None);
        seen(&mut rate, (now, 0), 1, 20);
        let per_second = rate.per_second().expect("more than a second was seen");
        assert!((per_second - 10.0).abs() < 1e-6, "{per_second}");
    }

    #[test]
    fn what_stands_still_has_no_end() {
        let mut rate = Rate::default();
        let (now, value) = seen(&mut rate, (Instant::now(), 7), 0, 30);
        assert_eq!(rate.per_second(), Some(0.0));
        assert_eq!(rate.left(0), None);
        assert_eq!(rate.left(u64::MAX), None);
        // A clock that goes back, or stands, is no look.
        rate.see(now - Duration::from_secs(60), value + 1);
        rate.see(now, u64::MAX);
        assert!(rate.per_second().is_some_and(f64::is_finite));
        assert!(
            rate.left(u64::MAX)
                .is_none_or(|left| left.as_secs() < 360_000)
        );
    }
}
