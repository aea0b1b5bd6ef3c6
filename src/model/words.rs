//! Counts and ports in words: the same wherever people read them.

use super::Protocol;

/// `1 connection`, `3 connections`, `2 policies`, `5 boxes`.
#[must_use]
pub fn count(number: u64, one: &str) -> String {
    format!("{number} {}", noun(number, one))
}

/// What so many are called: `connection` for one, else `connections`.
#[must_use]
pub fn noun(number: u64, one: &str) -> String {
    if number == 1 {
        return one.to_owned();
    }
    match one.strip_suffix('y').filter(|stem| !stem.ends_with(['a', 'e', 'i', 'o', 'u'])) {
        Some(stem) => format!("{stem}ies"),
        None if one.ends_with(['s', 'x']) || one.ends_with("ch") => format!("{one}es"),
        None => format!("{one}s"),
    }
}

/// A number and its noun, with gaps between thousands: `2 216 rules`.
#[must_use]
pub fn counted(number: u64, one: &str) -> String {
    format!("{} {}", grouped(number), noun(number, one))
}

/// A number with thin gaps between thousands, as it is easiest read.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// A length of time in its largest unit, of which there are two at least: `90 seconds`, `3 hours`.
#[must_use]
pub fn length(nanoseconds: i64) -> String {
    const UNITS: [(u64, &str); 3] = [(86_400, "day"), (3_600, "hour"), (60, "minute")];
    let seconds = u64::try_from(nanoseconds / 1_000_000_000).unwrap_or_default();
    let whole = UNITS.into_iter().find(|(unit, _)| seconds >= 2 * unit);
    whole.map_or_else(|| count(seconds, "second"), |(unit, name)| count(seconds / unit, name))
}

/// `TCP/8080`; `ICMP` where a protocol has no ports.
#[must_use]
pub fn port(protocol: Protocol, port: u16) -> String {
    if port == 0 { protocol.to_string() } else { format!("{protocol}/{port}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_of_time_is_told_in_a_unit_that_it_holds_twice() {
        let words = [0, 1, 90, 150, 7_199, 7_200, 200_000].map(|seconds: i64| length(seconds * 1_000_000_000));
        assert_eq!(words, ["0 seconds", "1 second", "90 seconds", "2 minutes", "119 minutes", "2 hours", "2 days"]);
    }

    #[test]
    fn many_are_named_as_english_has_it() {
        let words = ["policy", "address", "box", "way", "dependency", "batch", "port"].map(|one| count(2, one));
        let right = ["2 policies", "2 addresses", "2 boxes", "2 ways", "2 dependencies", "2 batches", "2 ports"];
        assert_eq!(words, right);
        assert_eq!([count(0, "policy"), count(1, "policy")], ["0 policies", "1 policy"]);
    }

    #[test]
    fn thousands_stand_apart() {
        assert_eq!(counted(3_092_952, "line"), "3\u{202f}092\u{202f}952 lines");
        assert_eq!([grouped(0), grouped(999), grouped(1_000)], ["0", "999", "1\u{202f}000"]);
    }

    #[test]
    fn a_protocol_without_ports_is_named_alone() {
        assert_eq!([port(Protocol::TCP, 8080), port(Protocol::ICMP, 0)], ["TCP/8080", "ICMP"]);
    }
}
