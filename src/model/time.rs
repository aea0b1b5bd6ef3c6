use std::{fmt, time::Duration};

use serde::{Serialize, Serializer};

/// Nanoseconds since 1970-01-01T00:00:00Z, without leap seconds. Covers 1677 to 2262.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

/// Hours since 1970-01-01T00:00Z: the bucket of the store's history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hour(pub i32);

/// Nanoseconds in an hour.
const HOUR_NS: i64 = 3_600 * 1_000_000_000;

impl Timestamp {
    /// A time from whole seconds and nanoseconds; what lies outside the range is clamped to it.
    #[must_use]
    pub fn new(seconds: i64, nanoseconds: u32) -> Self {
        Self(seconds.saturating_mul(1_000_000_000).saturating_add(i64::from(nanoseconds)))
    }

    /// The hour this time lies in.
    #[must_use]
    pub fn hour(self) -> Hour {
        Hour(i32::try_from(self.0.div_euclid(HOUR_NS)).unwrap_or(0))
    }

    /// Microseconds since the start of its hour.
    #[must_use]
    pub fn micros_in_hour(self) -> u32 {
        u32::try_from(self.0.rem_euclid(HOUR_NS) / 1_000).unwrap_or(0)
    }

    /// Its hour, and microseconds since the start of that.
    #[inline]
    #[must_use]
    pub fn in_hour(self) -> (Hour, u32) {
        let hour = self.0.div_euclid(HOUR_NS);
        // the first hour that a time can be in began before the first time
        let since = self.0.wrapping_sub(hour.wrapping_mul(HOUR_NS));
        (Hour(i32::try_from(hour).unwrap_or(0)), u32::try_from(since.unsigned_abs() / 1_000).unwrap_or(0))
    }

    /// Seconds from `earlier` to this, negative where it lies before.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a duration for comparing, not a time")]
    pub fn seconds_since(self, earlier: Self) -> f64 {
        self.0.saturating_sub(earlier.0) as f64 / 1e9
    }

    /// It, unless it stands for the time that a record did not name ([`Hour::unnamed`]).
    #[must_use]
    pub fn named(self) -> Option<Self> {
        self.hour().is_named().then_some(self)
    }

    /// Reads RFC 3339, e.g. `2026-09-21T10:00:01.5Z`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let time: jiff::Timestamp = text.parse().ok()?;
        i64::try_from(time.as_nanosecond()).ok().map(Self)
    }

    /// Why a text is neither a time nor an age. Where its zone alone is missing, how to write it: whose noon it is, nobody can
    /// tell from `12:00`.
    #[must_use]
    pub fn refusal(text: &str) -> String {
        let time = if text.contains(':') { text.replacen(' ', "T", 1) } else { format!("{text}T00:00:00") };
        let zoned = format!("{time}Z");
        match Self::parse(&zoned) {
            Some(_) => format!("`{text}` has no zone, as RFC 3339 wants it: in UTC it is {zoned}"),
            None => format!("`{text}` is neither a time in RFC 3339 nor an age such as 24h"),
        }
    }

    /// Reads RFC 3339, or an age as of `now`: a number with `s`, `m`, `h` or `d`.
    #[must_use]
    pub fn parse_or_age(text: &str, now: Self) -> Option<Self> {
        Self::parse(text).or_else(|| {
            let age = i64::try_from(parse_duration(text)?.as_nanos()).unwrap_or(i64::MAX);
            Some(Self(now.0.saturating_sub(age).max(0)))
        })
    }
}

/// Reads a duration: a number with `s`, `m`, `h` or `d`.
#[must_use]
pub fn parse_duration(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1))?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    let number: u64 = number.parse().ok()?;
    number.checked_mul(seconds).map(Duration::from_secs)
}

/// Hours before this one name no time: 65,536 hours after 1970, in 1977, when there were no captures.
const FIRST_NAMED: i32 = 1 << 16;

impl Hour {
    /// So many hours there are without a name.
    pub const MOST_UNNAMED: u32 = FIRST_NAMED.unsigned_abs();

    /// The hours that stand for those which a flow log counts without naming them: from 1970 on, where nobody looks for
    /// traffic. No more than there are.
    pub fn unnamed(count: u32) -> impl Iterator<Item = Self> {
        (0..FIRST_NAMED.min(i32::try_from(count).unwrap_or(FIRST_NAMED))).map(Self)
    }

    /// Whether it is an hour of some day, and not one of [`Hour::unnamed`].
    #[must_use]
    pub fn is_named(self) -> bool {
        self.0 >= FIRST_NAMED
    }

    /// Its first moment.
    #[must_use]
    pub fn start(self) -> Timestamp {
        // the first hour began before the first time that can be told
        Timestamp(i64::from(self.0).saturating_mul(HOUR_NS))
    }

    /// A moment in it.
    #[must_use]
    pub fn at(self, micros: u32) -> Timestamp {
        Timestamp(i64::from(self.0).saturating_mul(HOUR_NS).saturating_add(i64::from(micros) * 1_000))
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with as many decimals as the time has.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = jiff::Timestamp::from_nanosecond(i128::from(self.0)).unwrap_or_default();
        fmt::Display::fmt(&time, f)
    }
}

impl fmt::Display for Hour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.start().fmt(f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// From the first to the last moment of something, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first moment.
    pub first: Timestamp,
    /// The last moment.
    pub last: Timestamp,
}

impl Span {
    /// One moment.
    #[must_use]
    pub fn at(time: Timestamp) -> Self {
        Self { first: time, last: time }
    }

    /// Grows to hold `other` too.
    pub fn join(&mut self, other: Self) {
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
    }

    /// From the first to the last moment of all; `None` of nothing.
    pub fn over(spans: impl IntoIterator<Item = Self>) -> Option<Self> {
        spans.into_iter().reduce(|mut all, span| {
            all.join(span);
            all
        })
    }

    /// Whether a moment is within it.
    #[must_use]
    pub fn holds(self, time: Timestamp) -> bool {
        self.first <= time && time <= self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_and_the_last_time_have_an_hour() {
        for time in [Timestamp(i64::MIN), Timestamp(i64::MAX)] {
            let (hour, micros) = time.in_hour();
            assert_eq!(hour, time.hour());
            let again = hour.at(micros);
            assert!(again.0.abs_diff(time.0) < HOUR_NS.unsigned_abs(), "{again:?}");
            assert!(hour.start() <= again);
        }
    }

    #[test]
    fn a_time_is_found_again_from_its_hour() {
        for text in ["2026-09-21T10:59:59.999999Z", "1969-12-31T23:59:59.5Z", "1970-01-01T00:00:00Z"] {
            let time = Timestamp::parse(text).unwrap();
            assert_eq!(time.hour().at(time.micros_in_hour()), time, "{text}");
            assert_eq!(time.in_hour(), (time.hour(), time.micros_in_hour()), "{text}");
            assert_eq!(time.to_string(), text);
        }
    }
}
