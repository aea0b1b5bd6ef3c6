//! Fields of an object as they are wanted, with a note where they are not: one bad field never costs the object.

use std::{net::IpAddr, str::FromStr};

use ipnet::IpNet;
use serde_json::Value;

use super::read::Problem;
use crate::model::{
    Labels, Protocol, Timestamp,
    form::{LABEL_KEY, LABEL_VALUE},
};

/// Where the faults of one object are noted.
pub(super) struct Notes<'a> {
    /// The file.
    pub source: &'a str,
    /// The object: `Pod production/web-1`.
    pub object: String,
    /// The notes of the whole file.
    pub problems: &'a mut Problems,
}

impl Notes<'_> {
    /// Notes one fault.
    pub fn add(&mut self, reason: impl Into<String>) {
        let (source, object) = (self.source.to_owned(), self.object.clone());
        self.problems.add(Problem { source, object, reason: reason.into() });
    }
}

/// Problems that are kept one by one: a file may hold millions that are all alike.
const MAX_KEPT: usize = 1_000;

/// What could not be used of a file.
#[derive(Default)]
pub(super) struct Problems {
    /// The first of them.
    pub kept: Vec<Problem>,
    /// How many more there were.
    pub beyond: usize,
}

impl Problems {
    pub fn add(&mut self, mut problem: Problem) {
        if self.kept.len() < MAX_KEPT {
            for text in [&mut problem.object, &mut problem.reason] {
                clip(text);
            }
            self.kept.push(problem);
        } else {
            self.beyond += 1;
        }
    }
}

/// Cuts what is longer than anybody reads: whole files stand in single labels.
fn clip(text: &mut String) {
    const MOST: usize = 400;
    if let Some((end, _)) = text.char_indices().nth(MOST) {
        text.truncate(end);
        text.push('…');
    }
}

/// A text that says something.
pub(super) fn word(value: &Value) -> Option<&str> {
    value.as_str().filter(|text| !text.is_empty())
}

/// The elements of a list; none where it is absent.
pub(super) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A time as the API writes it.
pub(super) fn time(value: &Value) -> Option<Timestamp> {
    word(value).and_then(Timestamp::parse)
}

/// Labels; those that no API server would have taken are left out, for no policy could select by them.
pub(super) fn labels(value: &Value, what: &str, notes: &mut Notes) -> Labels {
    let mut labels = texts(value, what, notes);
    labels.0.retain(|key, value| {
        let (form, word) = if (LABEL_KEY.holds)(key) { (LABEL_VALUE, &*value) } else { (LABEL_KEY, key) };
        let is_taken = (form.holds)(word);
        if !is_taken {
            notes.add(format!("{what}: {}", form.refusal(word)));
        }
        is_taken
    });
    labels
}

/// What must be among the labels of what is selected. It is not looked at further: without what nobody has it would
/// select more.
pub(super) fn selector(value: &Value, notes: &mut Notes) -> Labels {
    texts(value, "selector", notes)
}

/// A map of texts; what else it holds is left out.
fn texts(value: &Value, what: &str, notes: &mut Notes) -> Labels {
    let Some(map) = value.as_object() else {
        if !value.is_null() {
            notes.add(format!("{what} are not a map"));
        }
        return Labels::default();
    };
    let mut labels = Labels::default();
    for (key, value) in map {
        match value {
            Value::String(text) => drop(labels.0.insert(key.clone(), text.clone())),
            // "key:" alone in a manifest is the empty value to kubectl
            Value::Null => drop(labels.0.insert(key.clone(), String::new())),
            _ => notes.add(format!("{what}: the value of `{key}` is not a string")),
        }
    }
    labels
}

/// Addresses from texts; a mapped IPv4 address is the IPv4 address.
pub(super) fn addresses<'v>(texts: impl IntoIterator<Item = &'v Value>, what: &str, notes: &mut Notes) -> Vec<IpAddr> {
    sorted(parsed::<IpAddr>(texts, what, "an address", notes).map(|address| address.to_canonical()))
}

/// Ranges from texts, without the host bits.
pub(super) fn ranges<'v>(texts: impl IntoIterator<Item = &'v Value>, what: &str, notes: &mut Notes) -> Vec<IpNet> {
    sorted(parsed::<IpNet>(texts, what, "a CIDR", notes).map(|range| range.trunc()))
}

fn parsed<'v, T: FromStr>(
    texts: impl IntoIterator<Item = &'v Value>,
    what: &str,
    wanted: &str,
    notes: &mut Notes,
) -> impl Iterator<Item = T> {
    let mut good = Vec::new();
    for value in texts {
        match value {
            // the API writes an address that is not yet known as "" or not at all
            Value::Null => {}
            Value::String(text) if text.is_empty() => {}
            Value::String(text) if let Ok(item) = text.trim().parse() => good.push(item),
            Value::String(text) => notes.add(format!("{what} `{text}` is not {wanted}")),
            other => notes.add(format!("{what} `{other}` is not {wanted}")),
        }
    }
    good.into_iter()
}

/// A port from 1 to 65535.
pub(super) fn port(value: &Value, what: &str, notes: &mut Notes) -> Option<u16> {
    let port = value.as_u64().and_then(|number| u16::try_from(number).ok()).filter(|port| *port > 0);
    if port.is_none() {
        let found = if value.is_null() { "nothing".to_owned() } else { format!("`{value}`") };
        notes.add(format!("{what} must be between 1 and 65535, not {found}"));
    }
    port
}

/// The protocol of a port; TCP where none is named.
pub(super) fn protocol(value: &Value, notes: &mut Notes) -> Option<Protocol> {
    let Some(name) = word(value) else { return Some(Protocol::TCP) };
    let protocol = name.parse().ok().filter(|protocol: &Protocol| protocol.has_ports());
    if protocol.is_none() {
        notes.add(format!("protocol `{name}` is none of TCP, UDP, SCTP"));
    }
    protocol
}

/// All, in order, each once.
pub(super) fn sorted<T: Ord>(items: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut items: Vec<T> = items.into_iter().collect();
    items.sort_unstable();
    items.dedup();
    items
}
