//! Hosts files, as operators write them: CSV with a header, or a YAML list of the same keys. Rows of a CSV become
//! entries of the YAML form, so that one reader knows both.

use std::{fmt, net::IpAddr};

use ipnet::{IpNet, Ipv4Net};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::{
    collect::Collector,
    csv::{self, Rows},
    field::Notes,
    read::ReadError,
};
use crate::{
    model::{Host, Labels},
    yaml,
};

/// What a hosts file may say of a host.
const KEYS: [&str; 6] = ["address", "name", "role", "site", "vlan", "labels"];

/// Whether the first line that says anything is a CSV header with the column `address`.
pub(super) fn is_csv(text: &str) -> bool {
    let header = text.split(['\n', '\r']).find(|line| !line.trim().is_empty() && !line.starts_with('#'));
    header.is_some_and(|line| line.split(',').any(|cell| key(cell.trim().trim_matches('"')) == Some("address")))
}

/// The key that a word names, whatever its case.
fn key(word: &str) -> Option<&'static str> {
    KEYS.into_iter().find(|key| word.eq_ignore_ascii_case(key))
}

/// Whether an entry of a list is a host.
pub(super) fn is_host(entry: &Value) -> bool {
    let mut keys = entry.as_object().into_iter().flat_map(Map::keys);
    entry["kind"].is_null() && keys.any(|word| key(word) == Some("address"))
}

/// An entry of a YAML list whose scalars are texts where a host has them: a host may be called `no`, `1e3` or `010`, which
/// YAML takes for a boolean and numbers.
struct Entry(Value);

/// The lists of a text that holds no other documents, as they are written.
pub(super) fn read_lists(lines: usize, text: &str) -> Option<Vec<Value>> {
    let lists: Vec<Option<Vec<Entry>>> = yaml::read_as(lines, text).ok()?;
    Some(lists.into_iter().flatten().map(|list| list.into_iter().map(|entry| entry.0).collect()).collect())
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        input.deserialize_map(Fields { of_labels: false }).map(Self)
    }
}

/// The keys of a host, or those of its labels.
#[derive(Clone, Copy)]
struct Fields {
    of_labels: bool,
}

impl<'de> DeserializeSeed<'de> for Fields {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Value, D::Error> {
        input.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Fields {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.of_labels { "labels" } else { "a host" })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut all = Map::new();
        while let Some(word) = fields.next_key::<String>()? {
            let value = match key(&word) {
                _ if self.of_labels => text(fields.next_value()?),
                Some("labels") => fields.next_value_seed(Self { of_labels: true })?,
                Some(_) => text(fields.next_value()?),
                None => fields.next_value()?,
            };
            all.insert(word, value);
        }
        Ok(Value::Object(all))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut all = Vec::new();
        while let Some(item) = items.next_element::<String>()? {
            all.push(Value::from(item));
        }
        Ok(Value::Array(all))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::from(text))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
}

fn text(given: Option<String>) -> Value {
    given.map_or(Value::Null, Value::from)
}

/// Reads the rows of a CSV; a short one is read as far as it goes. One with more cells than the header names has rather a
/// comma too many somewhere, and says nothing that can be relied on.
pub(super) fn read_csv(text: &str, collector: &mut Collector) -> Result<(), ReadError> {
    let text = csv::with_line_ends(text);
    let mut rows = Rows::new(&text);
    let header = match rows.next_row(|_| true) {
        Some((_, Ok(header))) => header,
        Some((line, Err(fault))) => {
            return Err(ReadError::Syntax { format: "CSV", reason: format!("line {line}: {fault}") });
        }
        None => Vec::new(),
    };
    if let Some(column) = KEYS.into_iter().find(|known| columns(&header, known) > 1) {
        return Err(ReadError::TwoColumns { column });
    }
    let is_known = |place: usize| header.get(place).is_some_and(|word| key(word).is_some());
    while let Some((line, row)) = rows.next_row(is_known) {
        let place = format!("line {line}");
        match row {
            Ok(cells) if cells.iter().skip(header.len()).any(|cell| !cell.is_empty()) => {
                let why = format!("has {} cells, the header names {}", cells.len(), header.len());
                collector.leave_out(&place, why);
            }
            Ok(cells) => {
                let entry = header.iter().cloned().zip(cells.into_iter().map(Value::from));
                collector.host(&place, &Value::Object(entry.collect()));
            }
            Err(fault) => collector.leave_out(&place, fault.to_string()),
        }
    }
    for word in header.iter().filter(|word| key(word).is_none()) {
        collector.problem("header", format!("column `{word}` is not known; known are {}", KEYS.join(", ")));
    }
    Ok(())
}

/// How many columns say the same.
fn columns(header: &[String], known: &str) -> usize {
    header.iter().filter(|word| key(word) == Some(known)).count()
}

/// What an entry says under a key, whatever the key's case; where it says two things, which of them is meant cannot be told.
fn said<'e>(entry: &'e Value, wanted: &str) -> Result<Option<&'e Value>, String> {
    let mut fields = entry.as_object().into_iter().flatten().filter(|(word, _)| key(word) == Some(wanted));
    match (fields.next(), fields.next()) {
        (Some((first, _)), Some((second, _))) => Err(format!("says {wanted} twice, as `{first}` and as `{second}`")),
        (first, _) => Ok(first.map(|(_, value)| value)),
    }
}

/// A host, if its address is one.
pub(super) fn host(entry: &Value, notes: &mut Notes) -> Option<Host> {
    let field = |wanted: &str, notes: &mut Notes| match said(entry, wanted) {
        Ok(value) => value.map(|value| plain(wanted, value, notes)).unwrap_or_default(),
        Err(twice) => {
            notes.add(twice);
            String::new()
        }
    };
    let address = field("address", notes);
    let Some(range) = range(&address) else {
        notes.add(format!("address `{address}` is neither an address nor a CIDR"));
        return None;
    };
    let mut given = |key: &str| Some(field(key, notes)).filter(|text| !text.is_empty());
    let (name, role, site, vlan) = (given("name"), given("role"), given("site"), given("vlan"));
    let vlan = vlan.and_then(|text| self::vlan(&text, notes));
    let labels = labels(&field("labels", notes), notes);
    Some(Host { range, name, role, site, vlan, labels })
}

/// The site that an entry names.
pub(super) fn site(entry: &Value) -> Option<&str> {
    let site = said(entry, "site").ok().flatten().and_then(Value::as_str);
    site.map(str::trim).filter(|site| !site.is_empty())
}

/// A VLAN identifier (IEEE 802.1Q, 9.6: 0 and 4095 are none).
fn vlan(text: &str, notes: &mut Notes) -> Option<u16> {
    let vlan = text.parse().ok().filter(|vlan| (1..=4094).contains(vlan));
    if vlan.is_none() {
        notes.add(format!("vlan `{text}` is not a number from 1 to 4094"));
    }
    vlan
}

/// A value of the YAML form as it would stand in a cell: labels may be a map there. What is a boolean or a fraction is not
/// what was written, and cannot be told from it.
fn plain(field: &str, value: &Value, notes: &mut Notes) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.trim().to_owned(),
        Value::Object(map) => {
            let pairs = map.iter().map(|(key, value)| format!("{key}={}", plain(key, value, notes)));
            pairs.collect::<Vec<_>>().join(";")
        }
        Value::Array(items) => items.iter().map(|item| plain(field, item, notes)).collect::<Vec<_>>().join(";"),
        Value::Number(number) if !number.is_f64() => number.to_string(),
        other => {
            notes.add(format!("{field} is read as `{other}`, which is no text: it must be in quotes"));
            String::new()
        }
    }
}

fn range(text: &str) -> Option<IpNet> {
    let address = text.parse::<IpAddr>().map(IpNet::from);
    address.or_else(|_| text.parse::<IpNet>()).ok().map(|range| canonical(range.trunc()))
}

/// A range of IPv4 also where it is written as one of IPv6 (RFC 4291, section 2.5.5.2): packets come from the former.
fn canonical(range: IpNet) -> IpNet {
    const MAPPED_BITS: u8 = 96;
    let IpNet::V6(v6) = range else { return range };
    let bits = v6.prefix_len().checked_sub(MAPPED_BITS);
    let mapped = v6.addr().to_ipv4_mapped().zip(bits).and_then(|(address, bits)| Ipv4Net::new(address, bits).ok());
    mapped.map_or(range, IpNet::from)
}

/// Labels as `k=v;k=v`.
fn labels(text: &str, notes: &mut Notes) -> Labels {
    let mut labels = Labels::default();
    for pair in text.split(';').map(str::trim).filter(|pair| !pair.is_empty()) {
        match pair.split_once('=') {
            Some((key, value)) if !key.trim().is_empty() => {
                labels.0.insert(key.trim().to_owned(), value.trim().to_owned());
            }
            _ => notes.add(format!("label `{pair}` is not written as key=value")),
        }
    }
    labels
}
