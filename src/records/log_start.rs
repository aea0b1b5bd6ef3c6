//! When a log began, which places times that tell no year or no zone.

use std::str::FromStr;

use jiff::{
    ToSpan,
    civil::{Date, DateTime, Time},
    fmt::temporal::Pieces,
    tz::Offset,
};

use super::record::is_usable;
use crate::model::Timestamp;

/// When a log began: its times are of the year from then on, by the clock of that zone, without summer time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogStart {
    /// A day before, for lines are written nearly in order.
    first: DateTime,
    offset: Offset,
}

/// The text names no moment with a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no time in RFC 3339 with a zone, such as 2026-11-01T00:00:00+01:00")]
pub struct NoLogStart;

impl FromStr for LogStart {
    type Err = NoLogStart;

    fn from_str(text: &str) -> Result<Self, NoLogStart> {
        let pieces = Pieces::parse(text).map_err(|_| NoLogStart)?;
        let (Some(time), Some(offset)) = (pieces.time(), pieces.to_numeric_offset()) else { return Err(NoLogStart) };
        let start = pieces.date().to_datetime(time);
        let first = start.checked_sub(1.day()).map_err(|_| NoLogStart)?;
        offset.to_timestamp(first).ok().and_then(usable).ok_or(NoLogStart)?;
        Ok(Self { first, offset })
    }
}

impl LogStart {
    /// The moment of a day that is told without its year: the first from the start on, if the day is of that year.
    pub(super) fn of_day(self, month: i8, day: i8, time: Time) -> Option<Timestamp> {
        let year = self.first.year();
        let in_year = |year| Date::new(year, month, day).ok().map(|date| date.to_datetime(time));
        let moment = in_year(year).filter(|moment| *moment >= self.first).or_else(|| in_year(year + 1))?;
        self.of(moment)
    }

    /// The moment of a clock that is told without its zone.
    pub(super) fn of(self, moment: DateTime) -> Option<Timestamp> {
        self.offset.to_timestamp(moment).ok().and_then(usable)
    }

    /// It in bytes: what it places is another log with another start.
    pub(super) fn bytes(self) -> [u8; 12] {
        let mut bytes = [0; 12];
        let first = self.of(self.first).map_or(0, |time| time.0);
        bytes[..8].copy_from_slice(&first.to_le_bytes());
        bytes[8..].copy_from_slice(&self.offset.seconds().to_le_bytes());
        bytes
    }
}

fn usable(time: jiff::Timestamp) -> Option<Timestamp> {
    let time = Timestamp(i64::try_from(time.as_nanosecond()).ok()?);
    is_usable(time).then_some(time)
}

#[cfg(test)]
mod tests {
    use jiff::civil::time;

    use super::*;

    fn start(text: &str) -> LogStart {
        text.parse().unwrap()
    }

    #[test]
    fn a_day_without_its_year_is_of_the_twelve_months_from_the_start_on() {
        let at = |text: &str| Timestamp::parse(text);
        let autumn = start("2026-11-01T00:00:00+01:00");
        assert_eq!(autumn.of_day(11, 29, time(10, 20, 18, 0)), at("2026-11-29T09:20:18Z"));
        assert_eq!(autumn.of_day(1, 2, time(0, 0, 0, 0)), at("2027-01-01T23:00:00Z"));
        // lines are nearly in order
        assert_eq!(autumn.of_day(10, 31, time(23, 59, 59, 0)), at("2026-10-31T22:59:59Z"));
        assert_eq!(autumn.of_day(10, 30, time(23, 59, 59, 0)), at("2027-10-30T22:59:59Z"));
        // there is none such
        assert_eq!(autumn.of_day(2, 29, time(0, 0, 0, 0)), None);
        assert_eq!(start("2027-12-01T00:00:00Z").of_day(2, 29, time(0, 0, 0, 0)), at("2028-02-29T00:00:00Z"));
    }

    #[test]
    fn a_start_has_a_zone() {
        for text in ["2026-11-01T00:00:00", "2026-11-01", "2026", "yesterday", "", "0001-01-01T00:00:00Z"] {
            assert_eq!(text.parse::<LogStart>(), Err(NoLogStart), "{text}");
        }
        assert_ne!(start("2026-11-01T00:00:00Z").bytes(), start("2026-11-01T00:00:00+01:00").bytes());
        assert_ne!(start("2026-11-01T00:00:00Z").bytes(), start("2026-11-01T01:00:00+01:00").bytes());
    }
}
