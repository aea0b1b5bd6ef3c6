//! Fields of objects, read leniently: what is missing or of another type is as if it were not there.

use std::net::IpAddr;

use serde_json::Value;

use crate::model::{Labels, Protocol, Timestamp};

/// The value at a path of keys.
pub(super) fn at<'v>(value: &'v Value, path: &[&str]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, key| value.get(key))
}

/// A text that is not empty.
pub(super) fn text<'v>(value: &'v Value, path: &[&str]) -> Option<&'v str> {
    at(value, path)?.as_str().filter(|text| !text.is_empty())
}

/// The items of a list; none where there is no list.
pub(super) fn list<'v>(value: &'v Value, path: &[&str]) -> impl Iterator<Item = &'v Value> {
    at(value, path).and_then(Value::as_array).into_iter().flatten()
}

/// A port that can be: 1 to 65535.
pub(super) fn port(value: &Value, path: &[&str]) -> Option<u16> {
    at(value, path)?.as_u64().and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0)
}

/// The protocol of a port; TCP where none is named.
pub(super) fn protocol(value: &Value) -> Option<Protocol> {
    text(value, &["protocol"]).map_or(Some(Protocol::TCP), |name| name.parse().ok())
}

/// A time in RFC 3339.
pub(super) fn time(value: &Value, path: &[&str]) -> Option<Timestamp> {
    text(value, path).and_then(Timestamp::parse)
}

/// What `metadata` or a selector labels; values that are no strings are told by `problem`.
pub(super) fn labels(value: &Value, path: &[&str], problem: &mut dyn FnMut(String)) -> Labels {
    let Some(pairs) = at(value, path).and_then(Value::as_object) else { return Labels::default() };
    let string = |(key, value): (&String, &Value)| {
        if value.as_str().is_none() {
            problem(format!("label {key} is not a string"));
        }
        value.as_str().map(|value| (key.clone(), value.to_owned()))
    };
    pairs.iter().filter_map(string).collect()
}

/// An address; one that does not parse is told by `problem`.
pub(super) fn address(text: &str, problem: &mut dyn FnMut(String)) -> Option<IpAddr> {
    let address = text.parse().ok();
    if address.is_none() {
        problem(format!("`{text}` is not an address"));
    }
    address
}

/// Those of several texts that are addresses, in order and once.
pub(super) fn addresses<'t>(texts: impl Iterator<Item = &'t str>, problem: &mut dyn FnMut(String)) -> Vec<IpAddr> {
    let mut found: Vec<IpAddr> = Vec::new();
    for text in texts {
        if let Some(address) = address(text, problem).filter(|address| !found.contains(address)) {
            found.push(address);
        }
    }
    found
}
