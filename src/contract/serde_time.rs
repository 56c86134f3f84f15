//! How times and spans are written with feature `serde`: a time as RFC 3339 in UTC, a span as seconds with their unit, both as
//! text, exact to the nanosecond.
//!
//! Every time that a [`SystemTime`] can hold is written and read as it was. A year before 0 or after 9999, which RFC 3339 does not
//! have, gets a sign and at least six digits, as in ECMAScript and ISO 8601.

use std::borrow::Cow;
use std::fmt;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

const DAY: i128 = 86_400;

/// A text that is no time, or a time that this machine has not.
struct NoTime<'a>(&'a str);

impl fmt::Display for NoTime<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = super::name::excerpt(self.0);
        write!(
            f,
            "{text:?} is no time of this machine's range; one as 2024-02-29T12:30:00.5Z is wanted, in UTC or with an offset"
        )
    }
}

/// The time as text.
struct TimeText(SystemTime);

impl fmt::Display for TimeText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, nanos) = since_epoch(self.0);
        let (year, month, day) = civil(seconds.div_euclid(DAY));
        match year {
            0..=9999 => write!(f, "{year:04}")?,
            _ => write!(f, "{year:+07}")?,
        }
        let second = seconds.rem_euclid(DAY);
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        write!(f, "-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        write_fraction(f, nanos)?;
        f.write_str("Z")
    }
}

/// Nothing, or as many digits as are needed: 3, 6 or 9.
fn write_fraction(f: &mut fmt::Formatter<'_>, nanos: u32) -> fmt::Result {
    match nanos {
        0 => Ok(()),
        _ if nanos % 1_000_000 == 0 => write!(f, ".{:03}", nanos / 1_000_000),
        _ if nanos % 1_000 == 0 => write!(f, ".{:06}", nanos / 1_000),
        _ => write!(f, ".{nanos:09}"),
    }
}

/// Whole seconds since the Unix epoch, towards the past, and what is left.
fn since_epoch(time: SystemTime) -> (i128, u32) {
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => (after.as_secs().into(), after.subsec_nanos()),
        Err(before) => {
            let before = before.duration();
            let seconds = -i128::from(before.as_secs());
            match before.subsec_nanos() {
                0 => (seconds, 0),
                nanos => (seconds - 1, 1_000_000_000 - nanos),
            }
        }
    }
}

/// The date of a day, counted from the Unix epoch, in the Gregorian calendar as if it had always been in use.
fn civil(days: i128) -> (i128, i128, i128) {
    // Counted from 0000-03-01, so that the leap day is a year's last; 400 years have 146,097 days.
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let first = (153 * month + 2) / 5;
    let (month, next) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    (era * 400 + year + next, month, day - first + 1)
}

/// The day of a date, counted from the Unix epoch: the reverse of [`civil`]. None where there is no such date.
fn day_of(year: i128, month: i128, day: i128) -> Option<i128> {
    if !(1..=12).contains(&month) {
        return None;
    }
    let before = i128::from(month <= 2);
    let from_march = (month + 9) % 12;
    let shifted = year - before;
    let (era, of_era) = (shifted.div_euclid(400), shifted.rem_euclid(400));
    let of_year = (153 * from_march + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    (civil(days) == (year, month, day)).then_some(days)
}

/// What of a text is not yet read.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn take(&mut self, wanted: impl Fn(u8) -> bool) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        wanted(*first).then(|| {
            self.0 = rest;
            *first
        })
    }

    /// A number of at least and at most so many digits, as many as there are.
    fn number(&mut self, least: usize, most: usize) -> Option<i128> {
        let mut number = 0;
        for place in 0..most {
            match self.take(|byte| byte.is_ascii_digit()) {
                Some(digit) => number = number * 10 + i128::from(digit - b'0'),
                None if place < least => return None,
                None => break,
            }
        }
        Some(number)
    }

    /// A number of two digits up to `most`.
    fn two(&mut self, most: i128) -> Option<i128> {
        self.number(2, 2).filter(|number| *number <= most)
    }

    /// What comes after a point, if one is there, in nanoseconds. What is finer is dropped.
    fn fraction(&mut self) -> Option<u32> {
        if self.take(|byte| byte == b'.').is_none() {
            return Some(0);
        }
        let mut nanos = 0;
        let mut unit = 100_000_000;
        let before = self.0.len();
        while let Some(digit) = self.take(|byte| byte.is_ascii_digit()) {
            nanos += u32::from(digit - b'0') * unit;
            unit /= 10;
        }
        (self.0.len() < before).then_some(nanos)
    }

    fn offset(&mut self) -> Option<i128> {
        let sign = match self.take(|byte| matches!(byte, b'Z' | b'z' | b'+' | b'-'))? {
            b'+' => 1,
            b'-' => -1,
            _ => return Some(0),
        };
        let hours = self.two(23)?;
        self.take(|byte| byte == b':')?;
        Some(sign * (hours * 3_600 + self.two(59)? * 60))
    }
}

/// Twelve digits of a year are more than any `SystemTime` has, and far from any limit of the calculation.
const YEAR_DIGITS: usize = 12;

fn read(text: &str) -> Option<SystemTime> {
    let mut rest = Rest(text.as_bytes());
    let year = match rest.take(|byte| matches!(byte, b'+' | b'-')) {
        None => rest.number(4, 4)?,
        Some(b'-') => -rest.number(6, YEAR_DIGITS)?,
        Some(_) => rest.number(6, YEAR_DIGITS)?,
    };
    rest.take(|byte| byte == b'-')?;
    let month = rest.two(12)?;
    rest.take(|byte| byte == b'-')?;
    let days = day_of(year, month, rest.two(31)?)?;
    rest.take(|byte| matches!(byte, b'T' | b't' | b' '))?;
    let mut seconds = days * DAY + rest.two(23)? * 3_600;
    rest.take(|byte| byte == b':')?;
    seconds += rest.two(59)? * 60;
    rest.take(|byte| byte == b':')?;
    seconds += rest.two(59)?;
    let nanos = rest.fraction()?;
    seconds -= rest.offset()?;
    if !rest.0.is_empty() {
        return None;
    }
    let whole = Duration::from_secs(u64::try_from(seconds.unsigned_abs()).ok()?);
    let second = match seconds {
        0.. => SystemTime::UNIX_EPOCH.checked_add(whole),
        _ => SystemTime::UNIX_EPOCH.checked_sub(whole),
    };
    second?.checked_add(Duration::from_nanos(nanos.into()))
}

/// For a field that is a time.
pub(crate) mod time {
    use super::{
        Cow, Deserialize, Deserializer, NoTime, Serializer, SystemTime, TimeText, de, read,
    };

    pub(crate) fn serialize<S: Serializer>(
        time: &SystemTime,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&TimeText(*time))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<SystemTime, D::Error> {
        let text = Cow::<'_, str>::deserialize(deserializer)?;
        read(&text).ok_or_else(|| de::Error::custom(NoTime(&text)))
    }
}

/// For a field that may be a time.
pub(crate) mod time_or_none {
    use super::{Deserialize, Deserializer, Serialize, Serializer, SystemTime, time};

    #[derive(Serialize, Deserialize)]
    struct Time(#[serde(with = "time")] SystemTime);

    pub(crate) fn serialize<S: Serializer>(
        time: &Option<SystemTime>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        time.map(Time).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<SystemTime>, D::Error> {
        let time = Option::<Time>::deserialize(deserializer)?;
        Ok(time.map(|time| time.0))
    }
}

/// For a field that is a span of time: `"10s"`, `"0.250s"`.
pub(crate) mod span {
    use super::{
        Cow, Deserialize, Deserializer, Duration, Rest, Serializer, de, fmt, write_fraction,
    };

    struct TimeText(Duration);

    impl fmt::Display for TimeText {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "{}", self.0.as_secs())?;
            write_fraction(f, self.0.subsec_nanos())?;
            f.write_str("s")
        }
    }

    fn read(text: &str) -> Option<Duration> {
        let mut rest = Rest(text.as_bytes());
        // As many digits as a u64 has at most.
        let seconds = u64::try_from(rest.number(1, 20)?).ok()?;
        let nanos = rest.fraction()?;
        rest.take(|byte| byte == b's')?;
        rest.0.is_empty().then_some(Duration::new(seconds, nanos))
    }

    pub(crate) fn serialize<S: Serializer>(
        span: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&TimeText(*span))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        let text = Cow::<'_, str>::deserialize(deserializer)?;
        read(&text).ok_or_else(|| {
            let text = crate::contract::name::excerpt(&text);
            de::Error::custom(format_args!(
                "{text:?} is no span of time; seconds as 10s or 0.250s are wanted"
            ))
        })
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{TimeText, read};
    use std::time::{Duration, SystemTime};

    fn after(seconds: u64, nanos: u32) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::new(seconds, nanos)
    }

    fn before(seconds: u64, nanos: u32) -> SystemTime {
        SystemTime::UNIX_EPOCH - Duration::new(seconds, nanos)
    }

    #[track_caller]
    fn is(time: SystemTime, text: &str) {
        assert_eq!(TimeText(time).to_string(), text);
        assert_eq!(read(text), Some(time), "{text}");
    }

    #[test]
    fn known_times_have_their_texts() {
        is(after(0, 0), "1970-01-01T00:00:00Z");
        is(after(951_782_400, 0), "2000-02-29T00:00:00Z");
        is(after(951_868_799, 0), "2000-02-29T23:59:59Z");
        is(after(951_868_800, 0), "2000-03-01T00:00:00Z");
        is(
            after(1_600_000_000, 123_456_700),
            "2020-09-13T12:26:40.123456700Z",
        );
        // 3, 6 or 9 digits.
        is(
            after(1_600_000_000, 500_000_000),
            "2020-09-13T12:26:40.500Z",
        );
        is(
            after(1_600_000_000, 20_003_000),
            "2020-09-13T12:26:40.020003Z",
        );
        is(after(1_600_000_000, 999_000), "2020-09-13T12:26:40.000999Z");
        is(after(4_107_542_400, 0), "2100-03-01T00:00:00Z");
        is(before(1, 0), "1969-12-31T23:59:59Z");
        is(before(11_644_473_600, 0), "1601-01-01T00:00:00Z");
        is(
            after(253_402_300_799, 999_999_900),
            "9999-12-31T23:59:59.999999900Z",
        );
    }

    #[test]
    #[cfg(unix)] // others have neither these years nor single nanoseconds
    fn years_that_rfc_3339_does_not_have_get_a_sign() {
        is(before(0, 1), "1969-12-31T23:59:59.999999999Z");
        is(after(253_402_300_800, 0), "+010000-01-01T00:00:00Z");
        is(before(62_167_219_200, 0), "0000-01-01T00:00:00Z");
        is(before(62_167_219_201, 0), "-000001-12-31T23:59:59Z");
        is(
            after(i64::MAX as u64, 999_999_999),
            "+292277026596-12-04T15:30:07.999999999Z",
        );
        is(before(1 << 63, 0), "-292277022657-01-27T08:29:52Z");
    }

    #[test]
    fn every_day_of_eight_centuries_is_read_as_it_was_written() {
        let mut last = String::new();
        for day in 0..300_000 {
            // From 1601 on, where the times of Windows begin.
            let time = before(11_644_473_600, 0) + Duration::from_secs(day * 86_400 + day % 86_400);
            let text = TimeText(time).to_string();
            assert_eq!(read(&text), Some(time), "{text}");
            assert!(text > last, "{text} after {last}");
            last = text;
        }
    }

    #[test]
    fn other_spellings_are_read_too() {
        for text in [
            "2020-09-13T12:26:40.5Z",
            "2020-09-13t12:26:40.50z",
            "2020-09-13 14:26:40.500+02:00",
            "2020-09-13T07:56:40.5000000009-04:30",
            "+002020-09-13T12:26:40.5Z",
        ] {
            assert_eq!(
                read(text),
                Some(after(1_600_000_000, 500_000_000)),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "2020",
            "2020-09-13",
            "2020-09-13T12:26:40",
            "2020-0913T12:26:40Z",
            "2020-09-1T12:26:40Z",
            "2020-09-13T1226:40Z",
            "2020-09-13T12:2640Z",
            "2020-09-13T12:26:40.Z",
            "2020-09-13T12:26:60Z",
            "2020-09-13T24:00:00Z",
            "2020-02-30T00:00:00Z",
            "2019-02-29T00:00:00Z",
            "2020-00-13T00:00:00Z",
            "2020-13-01T00:00:00Z",
            "2020-01-00T00:00:00Z",
            "2020-09-13T12:26:40+24:00",
            "2020-09-13T12:26:40ZZ",
            "2020-09-13T12:26:40\u{e9}",
            "20200-09-13T12:26:40Z",
            "+2020-09-13T12:26:40Z",
            "+999999999999-01-01T00:00:00Z",
            "-999999999999-01-01T00:00:00Z",
            "+9999999999999-01-01T00:00:00Z",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
