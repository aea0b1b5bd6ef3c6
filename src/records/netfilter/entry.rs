//! A line of a log: when it was written, on which host, and the kernel's message.

use std::borrow::Cow;

use jiff::fmt::strtime::BrokenDownTime;
use serde::Deserialize;
use serde_json::Value;

use super::super::{Fault, LogStart, json, number};
use crate::model::Timestamp;

/// A line taken apart.
pub(super) struct Entry<'l> {
    /// When, where it or the start of the log says so with its year and zone.
    pub time: Option<Timestamp>,
    /// Whether that took the start of the log.
    pub is_placed: bool,
    /// The host; empty where none is named.
    pub host: Cow<'l, str>,
    /// The kernel's message.
    pub message: Cow<'l, str>,
}

/// An entry of the journal as `journalctl -o json` prints it (systemd.journal-fields(7)). What is no text is a list of bytes.
#[derive(Deserialize)]
struct Journal {
    #[serde(rename = "MESSAGE", default)]
    message: Value,
    /// Microseconds since 1970.
    #[serde(rename = "__REALTIME_TIMESTAMP", default)]
    realtime: String,
    #[serde(rename = "_HOSTNAME", default)]
    host: Value,
}

impl<'l> Entry<'l> {
    /// Takes a line apart, of a log that began then.
    pub fn read(line: &'l [u8], start: Option<LogStart>) -> Result<Self, Fault> {
        if line.trim_ascii_start().starts_with(b"{") {
            let Journal { message, realtime, host } = json::read(line, "an entry of the journal")?;
            let Value::String(message) = message else { return Err(Fault::NoFlow) };
            let time = realtime.parse::<i64>().ok().and_then(|micros| micros.checked_mul(1_000)).map(Timestamp);
            let host = host.as_str().unwrap_or_default().to_owned();
            return Ok(Self { time, is_placed: false, host: host.into(), message: message.into() });
        }
        let line = std::str::from_utf8(line).map_err(|_| Fault::NotText)?;
        let old_style = || {
            let (time, is_placed, rest) = time(line, start);
            let (host, message) = if time.is_some() && !is_of_dmesg(line) { host(rest) } else { ("", rest) };
            (time, is_placed, host, message)
        };
        let (time, is_placed, host, message) =
            rfc_5424(line).map_or_else(old_style, |(time, host, message)| (time, false, host, message));
        Ok(Self { time, is_placed, host: host.into(), message: without_uptime(message).into() })
    }
}

/// What an entry of RFC 5424, section 6, tells; its other fields say nothing here:
/// `<4>1 2026-11-29T10:20:18Z node-1 kernel - - - DROP IN=...`.
fn rfc_5424(line: &str) -> Option<(Option<Timestamp>, &str, &str)> {
    let (_, rest) = line.strip_prefix('<')?.split_once(">1 ")?;
    let mut words = rest.splitn(6, ' ');
    let (time, host, _, _, _, rest) =
        (words.next()?, words.next()?, words.next()?, words.next()?, words.next()?, words.next()?);
    let message = rest.strip_prefix("- ").or_else(|| rest.split_once("] ").map(|(_, message)| message))?;
    Some((number::time(time), host, message.trim_start_matches('\u{feff}')))
}

/// The time that a line begins with, whether that took the start of the log, and what stands behind it. One that lacks its year
/// (RFC 3164) or its zone (`dmesg -T`) is none without a start.
fn time(line: &str, start: Option<LogStart>) -> (Option<Timestamp>, bool, &str) {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    if let Some(time) = number::time(word).or_else(|| nearly_rfc_3339(word)) {
        return (Some(time), false, rest);
    }
    // `journalctl -o short-full`: Sun 2026-11-29 10:20:18 UTC
    let mut words = line.splitn(5, ' ');
    if let (Some(_), Some(day), Some(clock), Some("UTC"), Some(rest)) =
        (words.next(), words.next(), words.next(), words.next(), words.next())
        && let Some(time) = number::time(&format!("{day}T{clock}Z"))
    {
        return (Some(time), false, rest);
    }
    match start.and_then(|start| rfc_3164(line, start).or_else(|| of_dmesg(line, start))) {
        Some((time, rest)) => (Some(time), true, rest),
        None => (None, false, line),
    }
}

/// What a line begins with by RFC 3164, section 4.1: `Nov  9 10:20:18 node-1 kernel: ...`, where it came from another host with a
/// priority such as `<4>` before it.
fn rfc_3164(line: &str, start: LogStart) -> Option<(Timestamp, &str)> {
    let line = line.strip_prefix('<').and_then(|rest| rest.split_once('>')).map_or(line, |(_, rest)| rest);
    let (moment, rest) = line.split_at_checked("Nov  9 10:20:18".len())?;
    let moment = BrokenDownTime::parse("%b %e %H:%M:%S", moment).ok()?;
    let time = start.of_day(moment.month()?, moment.day()?, moment.to_time().ok()?)?;
    Some((time, rest.strip_prefix(' ')?))
}

/// What `dmesg -T` begins a line with: `[Sun Nov 29 10:20:18 2026] `.
fn of_dmesg(line: &str, start: LogStart) -> Option<(Timestamp, &str)> {
    let (moment, rest) = line.strip_prefix('[')?.split_once("] ")?;
    let moment = BrokenDownTime::parse("%a %b %e %H:%M:%S %Y", moment).ok()?;
    Some((start.of(moment.to_datetime().ok()?)?, rest))
}

/// A comma before the fraction (`dmesg --time-format iso`), a zone without its colon (`journalctl -o short-iso`).
fn nearly_rfc_3339(word: &str) -> Option<Timestamp> {
    let word = word.replacen(',', ".", 1);
    let zone = word.len().checked_sub(2).and_then(|at| word.split_at_checked(at));
    number::time(&word).or_else(|| zone.and_then(|(hours, minutes)| number::time(&format!("{hours}:{minutes}"))))
}

/// Whether a line is as `dmesg` prints it: without the host and the name of who logs.
fn is_of_dmesg(line: &str) -> bool {
    line.starts_with('[') || line.split(' ').next().is_some_and(|time| time.contains(','))
}

/// The host and the message behind the name of who logs, as RFC 3164, section 4.1.3, has them: `node-1 kernel: ...`. The name
/// of a host is no part of a rule's prefix, whatever it sounds like.
fn host(rest: &str) -> (&str, &str) {
    let Some((host, behind)) = rest.split_once(' ') else { return ("", rest) };
    match behind.split_once(": ") {
        Some((logger, message)) if is_logger(logger) => (host, message),
        _ => ("", rest),
    }
}

/// Whether a word may be the name of who logs, with its process: `kernel`, `klogd`, `ulogd[431]`.
fn is_logger(word: &str) -> bool {
    let (name, process) = word.split_once('[').map_or((word, None), |(name, process)| (name, Some(process)));
    let is_named = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_named && process.is_none_or(|process| process.strip_suffix(']').is_some_and(is_number))
}

/// Without the time since the kernel began, as printk sets it before a message: `[16878.949480] `.
fn without_uptime(message: &str) -> &str {
    let behind = message.trim_start().strip_prefix('[').and_then(|rest| rest.split_once("] "));
    let is_time = |text: &str| text.trim().bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    behind.filter(|(time, _)| is_time(time)).map_or(message, |(_, rest)| rest)
}
