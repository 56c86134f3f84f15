//! Numbers and times as a person reads them.

use std::time::Duration;

use indicatif::HumanCount;

/// What the values of the items count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Unit {
    /// Whatever the handler counts.
    #[default]
    Count,
    Bytes,
}

impl Unit {
    /// "12.3 MiB", "1,234", "12.3 M".
    pub(super) fn amount(self, number: u64) -> String {
        match self {
            Self::Bytes => bytes(number),
            Self::Count => count(number),
        }
    }

    /// "3.10 MiB/s", "12/s", "0.2/s".
    pub(super) fn rate(self, per_second: f64) -> String {
        if self == Self::Count && per_second > 0.0 && per_second < 9.95 {
            return format!("{per_second:.1}/s");
        }
        // A number that no integer holds becomes the nearest one.
        format!("{}/s", self.amount(per_second.round() as u64))
    }

    /// "12.3 MiB of 30.0 MiB", or "12.3 MiB" where no maximum was told.
    pub(super) fn part(self, value: u64, max: u64) -> String {
        if max == 0 {
            return self.amount(value);
        }
        format!("{} of {}", self.amount(value), self.amount(max))
    }
}

/// "17 B", "4.20 KiB", "1023 MiB": at most 8 columns.
fn bytes(number: u64) -> String {
    if number < 1024 {
        return format!("{number} B");
    }
    short(number, 1024.0, &["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"])
}

/// "1,234", "12.3 M": at most 9 columns.
pub(super) fn count(number: u64) -> String {
    // "9,999,999" is hardly longer than what it would become.
    if number < 10_000_000 {
        return HumanCount(number).to_string();
    }
    short(number, 1000.0, &["k", "M", "G", "T", "P", "E"])
}

/// Three digits, or the four that are left below the next name. Rounded down: "1.00 MiB" is one at least.
fn short(number: u64, step: f64, names: &[&str]) -> String {
    let mut number = number as f64 / step;
    let mut names = names.iter();
    let mut name = names.next();
    while number >= step {
        number /= step;
        name = names.next();
    }
    let digits = match number {
        ..10.0 => 2,
        ..100.0 => 1,
        _ => 0,
    };
    let one = 10_f64.powi(digits);
    let number = (number * one).floor() / one;
    let digits = digits as usize; // 0 to 2
    format!("{number:.digits$} {}", name.unwrap_or(&""))
}

/// "1 item", "2 items".
pub(super) fn counted(number: u64, one: &str) -> String {
    let end = if number == 1 { "" } else { "s" };
    format!("{} {one}{end}", count(number))
}

/// "0:07", "12:00", "1:02:03".
pub(super) fn time(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

/// The time that is left, rounded up: "0:00" means done.
pub(super) fn rest(left: Duration) -> String {
    time(left.saturating_add(Duration::from_nanos(999_999_999)))
}

/// The whole percentage, rounded down: 100 means done.
pub(super) fn percent(fraction: f64) -> String {
    format!("{}%", (fraction * 100.0).floor().clamp(0.0, 100.0))
}

#[cfg(test)]
mod tests {
    use super::{Unit, count, counted, percent, rest, time};
    use std::time::Duration;

    #[test]
    fn numbers_are_short_and_say_their_unit() {
        assert_eq!(count(9_999_999), "9,999,999");
        assert_eq!(count(12_345_678), "12.3 M");
        assert_eq!(count(u64::MAX), "18.4 E");
        assert_eq!(counted(1, "item"), "1 item");
        assert_eq!(counted(1_000_000, "item"), "1,000,000 items");
        assert_eq!(Unit::Bytes.part(1 << 20, 3 << 20), "1.00 MiB of 3.00 MiB");
        assert_eq!(Unit::Bytes.amount((1 << 20) - 1), "1023 KiB");
        assert_eq!(Unit::Bytes.amount(1023), "1023 B");
        assert_eq!(Unit::Count.part(3, 0), "3");
        assert_eq!(Unit::Count.rate(0.0), "0/s");
        assert_eq!(Unit::Count.rate(0.25), "0.2/s");
        assert_eq!(Unit::Count.rate(9.96), "10/s");
        // An integer of that size is rounded on its way.
        assert_eq!(Unit::Bytes.rate(f64::INFINITY), "16.0 EiB/s");
    }

    #[test]
    fn times_and_percentages() {
        assert_eq!(time(Duration::from_millis(7_900)), "0:07");
        assert_eq!(time(Duration::from_secs(3_723)), "1:02:03");
        assert_eq!(rest(Duration::from_millis(7_001)), "0:08");
        assert_eq!(rest(Duration::ZERO), "0:00");
        assert_eq!(percent(0.999_9), "99%");
        assert_eq!(percent(7.0), "100%");
    }
}
