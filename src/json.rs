//! JSON of which it is told where a key stands twice: a strict API server refuses that, where most readers let the last one win
//! in silence.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value, map::Entry};

/// A value without a key that is given twice.
pub(crate) struct Strict(pub Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        Telling(|key: &str| Err(fault(key))).deserialize(input).map(Self)
    }
}

/// What is wrong with a key that stands twice.
pub(crate) fn fault(key: &str) -> String {
    format!("key `{key}` stands twice")
}

/// Reads a value, and tells of keys that stand twice in one map. Reading ends with an error where the one that is told gives
/// one; else the last value holds.
#[derive(Clone, Copy)]
pub(crate) struct Telling<F>(pub F);

impl<'de, F: Copy + Fn(&str) -> Result<(), String>> DeserializeSeed<'de> for Telling<F> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Value, D::Error> {
        input.deserialize_any(self)
    }
}

impl<'de, F: Copy + Fn(&str) -> Result<(), String>> Visitor<'de> for Telling<F> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            list.push(item);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            match map.entry(key) {
                Entry::Vacant(free) => drop(free.insert(entries.next_value_seed(self)?)),
                Entry::Occupied(mut known) => {
                    (self.0)(known.key()).map_err(A::Error::custom)?;
                    known.insert(entries.next_value_seed(self)?);
                }
            }
        }
        Ok(map.into())
    }
}
