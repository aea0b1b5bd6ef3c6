//! Numbers and times as logs write them.

use super::record::is_usable;
use crate::model::Timestamp;

/// Nanoseconds in a second.
const SECOND_NS: i128 = 1_000_000_000;

/// No log has seconds as large; milliseconds since 1970 are, from 1973 on.
const FIRST_MILLISECONDS: i128 = 100_000_000_000;

/// A time: seconds or milliseconds since 1970, or RFC 3339. After 1977.
pub(super) fn time(text: &str) -> Option<Timestamp> {
    let time = match nanoseconds(text) {
        Some(ns) if ns / SECOND_NS >= FIRST_MILLISECONDS => Timestamp(i64::try_from(ns / 1_000).ok()?),
        Some(ns) => Timestamp(i64::try_from(ns).ok()?),
        None => Timestamp::parse(text)?,
    };
    is_usable(time).then_some(time)
}

/// Seconds with decimals, in nanoseconds; further decimals are left out.
pub(super) fn nanoseconds(text: &str) -> Option<i128> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (whole, decimals) = digits.split_once('.').unwrap_or((digits, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || whole.len() > 20 || !is_number(whole) || !is_number(decimals) {
        return scientific(text);
    }
    let nine = decimals.get(..9).unwrap_or(decimals);
    let decimals: i128 = format!("{nine:0<9}").parse().ok()?;
    Some(sign * (whole.parse::<i128>().ok()? * SECOND_NS + decimals))
}

/// A number of seconds written as `9.5e-05`, in nanoseconds: to the microsecond, for a float of this size tells no more.
fn scientific(text: &str) -> Option<i128> {
    /// Beyond this no time can be told.
    const MAX_SECONDS: f64 = 1e12;
    let seconds: f64 = text.contains(['e', 'E']).then(|| text.parse().ok())??;
    #[expect(clippy::cast_possible_truncation, reason = "far within the range, by the check")]
    (seconds.abs() < MAX_SECONDS).then(|| (seconds * 1e6).round() as i128 * 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_may_be_seconds_milliseconds_or_rfc_3339() {
        let expected = Timestamp::parse("2026-09-21T10:00:01.25Z");
        for text in
            ["1789984801.25", "1789984801.250000", "1789984801250", "1.78998480125e9", "2026-09-21T10:00:01.25Z"]
        {
            assert_eq!(time(text), expected, "{text}");
        }
        for text in
            ["", "-", "-1.5", "0", "1.2.3", "1e300", "99999999999999999999", "nan", "inf", "1970-01-01T00:00:00Z"]
        {
            assert_eq!(time(text), None, "{text}");
        }
    }
}
