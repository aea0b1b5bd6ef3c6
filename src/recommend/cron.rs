//! Periodic jobs that a window of captures cannot have seen. Schedules are read as Kubernetes does, which takes
//! `ParseStandard` of github.com/robfig/cron/v3: five fields, or a word that begins with `@`.

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
    // clusters before 1.29 took a zone before the fields as well
    let own = ["TZ=", "CRON_TZ="].iter().find_map(|prefix| schedule.cron.trim().strip_prefix(prefix));
    let own = own.map(|rest| rest.split_once(char::is_whitespace).unwrap_or((rest, "")));
    let (zone, cron) =
        own.map_or((schedule.zone.as_deref(), schedule.cron.as_str()), |(zone, cron)| (Some(zone), cron));
    if zone.is_some_and(|zone| !matches!(zone, "UTC" | "Etc/UTC" | "Etc/GMT")) {
        return Some("runs by a time zone of its own: whether in this window is not known");
    }
    let Some(rhythm) = Rhythm::parse(cron) else { return Some("has a schedule that cannot be read") };
    let runs = captured.iter().any(|span| rhythm.is_due_in(*span));
    (!runs).then_some("was not due in this window")
}

/// When a job runs.
enum Rhythm {
    At(Times),
    /// So many seconds after it ran last (`@every 1h30m`).
    Every(f64),
}

impl Rhythm {
    fn parse(text: &str) -> Option<Self> {
        match text.trim().strip_prefix("@every ") {
            Some(pause) => seconds(pause.trim()).map(Self::Every),
            None => Times::parse(text).map(Self::At),
        }
    }

    /// Whether it surely runs in a window.
    fn is_due_in(&self, window: Span) -> bool {
        match self {
            Self::At(times) => times.has_one_in(window),
            Self::Every(pause_s) => window.last.seconds_since(window.first) >= *pause_s,
        }
    }
}

/// A duration as Go writes it: `1h30m`, `90s`, `1.5h`.
fn seconds(text: &str) -> Option<f64> {
    let (mut sum, mut rest) = (0.0, text);
    while !rest.is_empty() {
        let number = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?;
        let (count, after) = rest.split_at(number);
        let unit = after.find(|letter: char| letter.is_ascii_digit() || letter == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(unit);
        let unit_s = match unit {
            "h" => 3_600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            _ => return None,
        };
        sum += count.parse::<f64>().ok()? * unit_s;
        rest = after;
    }
    (sum > 0.0).then_some(sum)
}

/// The times of a schedule in the five fields of cron, as sets.
struct Times {
    minutes: BTreeSet<u32>,
    hours: BTreeSet<u32>,
    days: BTreeSet<u32>,
    months: BTreeSet<u32>,
    /// From 0, Sunday.
    weekdays: BTreeSet<u32>,
    /// Where both kinds of days are restricted either is enough (POSIX crontab). A star with a step restricts.
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
        let is_free = |field: &str| field.split(',').any(|part| matches!(part, "*" | "?" | "*/1" | "?/1"));
        Some(Self {
            minutes: field(minute, 0, 59, &[], 0)?,
            hours: field(hour, 0, 23, &[], 0)?,
            days: field(day, 1, 31, &[], 0)?,
            months: field(month, 1, 12, &MONTHS, 1)?,
            weekdays: field(weekday, 0, 6, &WEEKDAYS, 0)?,
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
        Rhythm::parse(cron).map(|rhythm| rhythm.is_due_in(Span { first: time(first), last: time(last) }))
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
    fn a_star_with_a_step_restricts_the_days() {
        // a Tuesday, the third of the month: `*/2` has it, Saturday has not
        let (first, last) = ("2026-11-03T00:00:00Z", "2026-11-03T01:00:00Z");
        for (cron, is_it) in [
            ("0 0 */2 * 6", true),
            ("0 0 */1 * 6", false),
            ("0 0 * * 6", false),
            ("0 0 4 * */2", true),
            ("0 0 4 * ?", false),
        ] {
            assert_eq!(is_due(cron, first, last), Some(is_it), "{cron}");
        }
    }

    #[test]
    fn a_pause_is_due_where_the_window_is_as_long() {
        let (first, last) = ("2026-11-23T08:00:00Z", "2026-11-23T09:30:00Z");
        for (cron, is_it) in
            [("@every 1h30m", true), ("@every 90s", true), ("@every 1.5h", true), ("@every 91m", false)]
        {
            assert_eq!(is_due(cron, first, last), Some(is_it), "{cron}");
        }
    }

    #[test]
    fn what_is_no_schedule_is_told() {
        let none = [
            "",
            "* * * *",
            "60 * * * *",
            "*/0 * * * *",
            "a b c d e",
            "5-70 * * * *",
            "0 0 * * 7",
            "@every",
            "@every 5",
        ];
        for cron in none {
            assert_eq!(is_due(cron, "2026-11-23T08:00:00Z", "2026-11-24T08:00:00Z"), None, "{cron}");
        }
    }

    #[test]
    fn leap_days_are_found() {
        assert_eq!(is_due("0 0 29 2 *", "2028-02-28T12:00:00Z", "2028-03-01T12:00:00Z"), Some(true));
        assert_eq!(is_due("0 0 29 2 *", "2027-02-28T12:00:00Z", "2027-03-01T12:00:00Z"), Some(false));
    }
}
