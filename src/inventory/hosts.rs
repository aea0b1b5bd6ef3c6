//! Hosts files, for networks without Kubernetes: CSV with a header, or a YAML list of the same keys.

use ipnet::IpNet;
use serde_json::{Map, Value};

use super::field::text;
use crate::model::{Host, Labels};

/// Rows of a CSV whose header names an address, as objects of the YAML form; `None` where the text is something else.
pub(super) fn csv(text: &str) -> Option<Vec<Value>> {
    let header = text.lines().find(|line| !line.trim().is_empty() && !line.starts_with('#'))?;
    let is_header = header.split([',', ';']).any(|name| name.trim().trim_matches('"').eq_ignore_ascii_case("address"));
    if !is_header || header.contains(':') {
        return None;
    }
    let mut reader =
        csv::ReaderBuilder::new().flexible(true).comment(Some(b'#')).trim(csv::Trim::All).from_reader(text.as_bytes());
    let names: Vec<String> = reader.headers().ok()?.iter().map(str::to_lowercase).collect();
    let row = |record: csv::StringRecord| {
        let fields = names.iter().cloned().zip(record.iter().map(Value::from));
        Value::Object(fields.collect::<Map<_, _>>())
    };
    Some(reader.records().filter_map(Result::ok).map(row).collect())
}

/// Whether an object is a row of a hosts file.
pub(super) fn is_host(value: &Value) -> bool {
    value.get("kind").is_none() && value.get("address").is_some()
}

pub(super) fn host(value: &Value, problem: &mut dyn FnMut(String)) -> Option<Host> {
    let written = text(value, &["address"]).unwrap_or_default();
    let range = written.parse::<IpNet>().or_else(|_| written.parse::<std::net::IpAddr>().map(IpNet::from));
    let Ok(range) = range else {
        problem(format!("`{written}` is neither an address nor a range"));
        return None;
    };
    let own = |key: &str| text(value, &[key]).map(str::to_owned);
    Some(Host { range: range.trunc(), name: own("name"), role: own("role"), labels: labels(value) })
}

/// `k=v;k=v`, or a map.
fn labels(value: &Value) -> Labels {
    match value.get("labels") {
        Some(Value::String(pairs)) => {
            let pair =
                |pair: &str| pair.split_once('=').map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()));
            pairs.split(';').filter_map(pair).collect()
        }
        Some(Value::Object(pairs)) => {
            pairs.iter().filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
        }
        _ => Labels::default(),
    }
}
