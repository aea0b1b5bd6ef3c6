//! A line of a log: when it was written, on which host, and the kernel's message.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;

use super::super::{Fault, json, number};
use crate::model::Timestamp;

/// A line taken apart.
pub(super) struct Entry<'l> {
    /// When, where it says so with its year and zone.
    pub time: Option<Timestamp>,
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
    /// Takes a line apart.
    pub fn read(line: &'l [u8]) -> Result<Self, Fault> {
        if line.trim_ascii_start().starts_with(b"{") {
            let Journal { message, realtime, host } = json::read(line, "an entry of the journal")?;
            let Value::String(message) = message else { return Err(Fault::NoFlow) };
            let time = realtime.parse::<i64>().ok().and_then(|micros| micros.checked_mul(1_000)).map(Timestamp);
            let host = host.as_str().unwrap_or_default().to_owned();
            return Ok(Self { time, host: host.into(), message: message.into() });
        }
        let line = std::str::from_utf8(line).map_err(|_| Fault::NotText)?;
        let (time, host, message) = rfc_5424(line).unwrap_or_else(|| {
            let (time, rest) = time(line);
            let (host, message) = host(rest);
            (time, host, message)
        });
        Ok(Self { time, host: host.into(), message: without_uptime(message).into() })
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

/// The time that a line begins with, and what stands behind it. One that lacks its year (RFC 3164) or its zone
/// (`dmesg -T`) is none.
fn time(line: &str) -> (Option<Timestamp>, &str) {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    if let Some(time) = number::time(word).or_else(|| nearly_rfc_3339(word)) {
        return (Some(time), rest);
    }
    // `journalctl -o short-full`: Sun 2026-11-29 10:20:18 UTC
    let mut words = line.splitn(5, ' ');
    if let (Some(_), Some(day), Some(clock), Some("UTC"), Some(rest)) =
        (words.next(), words.next(), words.next(), words.next(), words.next())
        && let Some(time) = number::time(&format!("{day}T{clock}Z"))
    {
        return (Some(time), rest);
    }
    (None, line)
}

/// A comma before the fraction (`dmesg --time-format iso`), a zone without its colon (`journalctl -o short-iso`).
fn nearly_rfc_3339(word: &str) -> Option<Timestamp> {
    let word = word.replacen(',', ".", 1);
    let zone = word.len().checked_sub(2).and_then(|at| word.split_at_checked(at));
    number::time(&word).or_else(|| zone.and_then(|(hours, minutes)| number::time(&format!("{hours}:{minutes}"))))
}

/// The host and the message behind the name of who logs, `node-1 kernel: ...`; what `dmesg` prints has the message alone.
fn host(rest: &str) -> (&str, &str) {
    let Some((host, behind)) = rest.split_once(' ') else { return ("", rest) };
    match behind.split_once(": ") {
        Some((logger, message)) if logger == "kernel" || logger.starts_with("ulogd") => (host, message),
        _ => ("", rest),
    }
}

/// Without the time since the kernel began, as printk sets it before a message: `[16878.949480] `.
fn without_uptime(message: &str) -> &str {
    let behind = message.trim_start().strip_prefix('[').and_then(|rest| rest.split_once("] "));
    let is_time = |text: &str| text.trim().bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    behind.filter(|(time, _)| is_time(time)).map_or(message, |(_, rest)| rest)
}
