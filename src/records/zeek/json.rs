//! The JSON writer, also for streaming (`_path`, `_write_ts`).

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use super::{
    super::{Fault, json},
    conn::NAMES,
};

/// Whether a line is a JSON record of a Zeek log.
pub fn is_record(line: &[u8]) -> bool {
    let has = |text: &str| line.windows(text.len()).any(|bytes| bytes == text.as_bytes());
    line.starts_with(b"{") && (has("orig_h\"") || has("\"_path\":\"conn\"") || has("\"_path\": \"conn\""))
}

/// The values of a line by their columns, as text.
#[derive(Default)]
pub struct Row(pub [Option<String>; NAMES.len()]);

impl Row {
    pub fn read(line: &[u8]) -> Result<Self, Fault> {
        json::read(line, "a Zeek record")
    }

    fn set(&mut self, name: &str, value: Option<String>) {
        let column = NAMES.iter().zip(&mut self.0).find(|(known, _)| **known == name);
        if let Some((_, known)) = column {
            *known = value;
        }
    }
}

impl<'de> Deserialize<'de> for Row {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(RowVisitor)
    }
}

struct RowVisitor;

impl<'de> Visitor<'de> for RowVisitor {
    type Value = Row;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Row, A::Error> {
        let mut row = Row::default();
        while let Some(key) = map.next_key::<String>()? {
            if key == "id" {
                // some writers nest what Zeek flattens
                let ends: Value = map.next_value()?;
                for (name, value) in ends.nested {
                    row.set(&format!("id.{name}"), value);
                }
            } else if NAMES.contains(&key.as_str()) {
                row.set(&key, map.next_value::<Value>()?.text);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(row)
    }
}

/// A value as text; of a list its length alone.
#[derive(Default)]
struct Value {
    text: Option<String>,
    nested: Vec<(String, Option<String>)>,
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self { text: (!text.is_empty()).then_some(text), nested: Vec::new() }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.to_owned().into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(number.to_string().into())
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number.to_string().into())
    }

    /// Zeek writes microseconds, and no float of this size tells more.
    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(format!("{number:.6}").into())
    }

    fn visit_bool<E>(self, is: bool) -> Result<Value, E> {
        Ok(is.to_string().into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut count = 0u64;
        while list.next_element::<IgnoredAny>()?.is_some() {
            count += 1;
        }
        Ok(if count == 0 { Value::default() } else { count.to_string().into() })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut nested = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            nested.push((name, map.next_value::<Value>()?.text));
        }
        Ok(Value { text: None, nested })
    }
}
