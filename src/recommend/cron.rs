//! Periodic jobs that a window of captures cannot have seen.

use std::collections::BTreeSet;

use crate::model::{Cluster, Schedule, Span, Timestamp, WorkloadRef};

/// A `CronJob` that did not run while captures were taken.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MissedRun {
    /// Which.
    pub job: WorkloadRef,
    /// Its schedule, as it is written.
    pub schedule: String,
    /// Why it was not seen.
    pub why: &'static str,
}

/// The `CronJob`s of some namespaces whose schedule has no time while captures were taken: between two of them nothing was
/// seen. Schedules are read as UTC, which is what controllers mostly run by.
#[must_use]
pub fn missed_runs(cluster: &Cluster, captured: &[Span], namespaces: &BTreeSet<String>) -> Vec<MissedRun> {
    let here = cluster.schedules.iter().filter(|it| namespaces.contains(&it.id.namespace));
    here.filter_map(|schedule| {
        let why = why_missed(schedule, captured)?;
        Some(MissedRun { job: schedule.id.clone(), schedule: schedule.cron.clone(), why })
    })
    .collect()
}

fn why_missed(schedule: &Schedule, captured: &[Span]) -> Option<&'static str> {
    if schedule.is_suspended {
        return Some("is suspended");
    }
    if schedule.zone.as_deref().is_some_and(|zone| !matches!(zone, "UTC" | "Etc/UTC" | "Etc/GMT")) {
        return Some("runs by a time zone of its own: whether in this window is not known");
    }
    let Some(times) = Times::parse(&schedule.cron) else { return Some("has a schedule that cannot be read") };
    let runs = captured.iter().any(|span| times.has_one_in(*span));
    (!runs).then_some("was not due in this window")
}

/// The times of a schedule in the five fields of cron, as sets.
struct Times {
    minutes: BTreeSet<u32>,
    hours: BTreeSet<u32>,
    days: BTreeSet<u32>,
    months: BTreeSet<u32>,
    /// From 0, Sunday.
    weekdays: BTreeSet<u32>,
    /// Where both kinds of days are restricted either is enough (POSIX crontab).
    is_either: bool,
}

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

impl Times {
    fn parse(text: &str) -> Option<Self> {
        let text = match text.trim() {
            "@yearly" | "@annually" => "0 0 1 1 *",
            "@monthly" => "0 0 1 * *",
            "@weekly" => "0 0 * * 0",
            "@daily" | "@midnight" => "0 0 * * *",
            "@hourly" => "0 * * * *",
            other => other,
        };
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields.as_slice() else { return None };
        let mut weekdays = field(weekday, 0, 7, &WEEKDAYS, 0)?;
        if weekdays.remove(&7) {
            weekdays.insert(0);
        }
        let is_free = |field: &str| field.starts_with(['*', '?']);
        Some(Self {
            minutes: field(minute, 0, 59, &[], 0)?,
            hours: field(hour, 0, 23, &[], 0)?,
            days: field(day, 1, 31, &[], 0)?,
            months: field(month, 1, 12, &MONTHS, 1)?,
            weekdays,
            is_either: !is_free(day) && !is_free(weekday),
        })
    }

    /// Whether any of its times lies in a window, both ends included.
    fn has_one_in(&self, window: Span) -> bool {
        /// More days tell nothing new but leap years.
        const MAX_DAYS: i64 = 5 * 366;
        const MINUTE_NS: i64 = 60_000_000_000;
        let (first, last) = (minutes(window.first, MINUTE_NS - 1), minutes(window.last, 0));
        let (first_day, last_day) = (first.div_euclid(1440), last.div_euclid(1440));
        (first_day..=last_day.min(first_day + MAX_DAYS)).filter(|day| self.has_day(*day)).any(|day| {
            let is_within = |minute: i64| (first..=last).contains(&(day * 1440 + minute));
            self.hours.iter().any(|hour| self.minutes.iter().any(|minute| is_within(i64::from(hour * 60 + minute))))
        })
    }

    /// Whether a day since 1970-01-01, a Thursday, is one of its days.
    fn has_day(&self, day: i64) -> bool {
        let weekday = u32::try_from((day + 4).rem_euclid(7)).unwrap_or_default();
        let (month, of_month) = month_and_day(day);
        let (is_day, is_weekday) = (self.days.contains(&of_month), self.weekdays.contains(&weekday));
        self.months.contains(&month) && if self.is_either { is_day || is_weekday } else { is_day && is_weekday }
    }
}

/// The first minute since 1970 that is not before a time, with what rounds it up in nanoseconds.
fn minutes(time: Timestamp, up: i64) -> i64 {
    time.0.saturating_add(up).div_euclid(60_000_000_000)
}

/// Month and day of a day since 1970-01-01 (Howard Hinnant, "chrono-compatible low-level date algorithms").
fn month_and_day(day: i64) -> (u32, u32) {
    let shifted = day + 719_468;
    let of_era = shifted.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (u32::try_from(month).unwrap_or_default(), u32::try_from(of_month).unwrap_or_default())
}

/// A field: `*`, numbers, names, ranges, steps, and lists of these.
fn field(text: &str, low: u32, high: u32, names: &[&str], first_name: u32) -> Option<BTreeSet<u32>> {
    let number = |text: &str| {
        let lower = text.to_lowercase();
        let place = names.iter().position(|name| *name == lower).and_then(|place| u32::try_from(place).ok());
        place.map(|place| place + first_name).or_else(|| text.parse().ok()).filter(|it| (low..=high).contains(it))
    };
    let mut all = BTreeSet::new();
    for part in text.split(',') {
        let (range, step) = part.split_once('/').map_or((part, None), |(range, step)| (range, Some(step)));
        let step: u32 = step.map_or(Some(1), |step| step.parse().ok()).filter(|step| *step > 0)?;
        let (from, to) = match range.split_once('-') {
            _ if matches!(range, "*" | "?") => (low, high),
            Some((from, to)) => (number(from)?, number(to)?),
            None if part.contains('/') => (number(range)?, high),
            None => (number(range)?, number(range)?),
        };
        let step = usize::try_from(step).ok()?;
        all.extend((from..=to).step_by(step));
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_due(cron: &str, first: &str, last: &str) -> Option<bool> {
        let time = |text: &str| Timestamp::parse(text).unwrap();
        Times::parse(cron).map(|times| times.has_one_in(Span { first: time(first), last: time(last) }))
    }

    #[test]
    fn a_schedule_is_held_against_the_window() {
        // 2026-11-23 is a Monday
        let (first, last) = ("2026-11-23T08:00:30Z", "2026-11-23T14:00:00Z");
        for cron in
            ["*/15 * * * *", "0 14 * * *", "1 8 * * *", "0 9-17 * * mon-fri", "@hourly", "30 12 23 11 *", "0 9 1 * 1"]
        {
            assert_eq!(is_due(cron, first, last), Some(true), "{cron}");
        }
        for cron in
            ["0 3 * * *", "@daily", "0 8 * * *", "0 9 * * 0", "0 9 * * sun", "0 9 1 * *", "@monthly", "0 9 * 12 *"]
        {
            assert_eq!(is_due(cron, first, last), Some(false), "{cron}");
        }
    }

    #[test]
    fn what_is_no_schedule_is_told() {
        for cron in ["", "* * * *", "60 * * * *", "*/0 * * * *", "a b c d e", "5-70 * * * *"] {
            assert_eq!(is_due(cron, "2026-11-23T08:00:00Z", "2026-11-24T08:00:00Z"), None, "{cron}");
        }
    }

    #[test]
    fn leap_days_are_found() {
        assert_eq!(is_due("0 0 29 2 *", "2028-02-28T12:00:00Z", "2028-03-01T12:00:00Z"), Some(true));
        assert_eq!(is_due("0 0 29 2 *", "2027-02-28T12:00:00Z", "2027-03-01T12:00:00Z"), Some(false));
    }
}
