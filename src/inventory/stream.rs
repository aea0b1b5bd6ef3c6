//! JSON read as a stream: the items of a List one at a time, so that a list of a whole cluster is never in memory as one
//! tree, and what stands before the place where a file was cut short can be used.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::{collect::Collector, field::word, read::ReadError};

/// Reads one JSON document, or many one after another, as `kubectl get --watch` prints them. What is damaged is an error
/// only where nothing stands before it.
pub(super) fn read_json(text: &str, collector: &mut Collector) -> Result<(), ReadError> {
    let mut input = serde_json::Deserializer::from_str(text);
    for n in 1.. {
        if let Err(error) = (Document { collector }).deserialize(&mut input) {
            let error = fault(&error);
            if collector.count() == 0 && n == 1 {
                return Err(error);
            }
            collector.problem(&format!("document {n}"), error.to_string());
            return Ok(());
        }
        if input.end().is_ok() {
            break;
        }
    }
    Ok(())
}

fn fault(error: &serde_json::Error) -> ReadError {
    if error.is_eof() {
        ReadError::CutShort { line: error.line(), column: error.column() }
    } else {
        ReadError::Syntax { format: "JSON", reason: error.to_string() }
    }
}

/// A visitor's methods for values that hold no others.
macro_rules! scalars {
    ($result:ty, $take:expr) => {
        scalars!($result, $take, visit_str &str, visit_bool bool, visit_i64 i64, visit_u64 u64, visit_f64 f64);
    };
    ($result:ty, $take:expr, $($visit:ident $scalar:ty),*) => {
        $(fn $visit<E>(self, value: $scalar) -> Result<$result, E> {
            Ok($take(self, value.into()))
        })*
    };
}

/// One document, on its way into the collector.
struct Document<'c, 'a> {
    collector: &'c mut Collector<'a>,
}

impl<'de> DeserializeSeed<'de> for Document<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        input.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Document<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON document")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { collector } = self;
        let mut head = Map::new();
        let mut list = None;
        while let Some(key) = map.next_key::<String>()? {
            if key != "items" || list.is_some() {
                head.insert(key, map.next_value()?);
                continue;
            }
            let outer = collector.open_list();
            let read = map.next_value_seed(Items { head: &head, collector: &mut *collector });
            match read {
                Ok(None) => list = Some(outer),
                Ok(Some(items)) => {
                    collector.leave_list(outer);
                    head.insert(key, items);
                }
                Err(error) => {
                    collector.leave_list(outer);
                    return Err(error);
                }
            }
        }
        match list {
            Some(outer) => collector.close_list(outer, &Value::Object(head)),
            None => collector.document(Value::Object(head)),
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while let Some(item) = items.next_element()? {
            self.collector.document(item);
        }
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.collector.document(Value::Null);
        Ok(())
    }

    scalars!((), |this: Self, value: Value| this.collector.document(value));
}

/// The field `items`: taken one by one where its first element is an object of the API, else given back as it is. What
/// holds it is not known yet, for kubectl writes the kind of a List behind its items.
struct Items<'c, 'a, 'h> {
    head: &'h Map<String, Value>,
    collector: &'c mut Collector<'a>,
}

impl<'de> DeserializeSeed<'de> for Items<'_, '_, '_> {
    type Value = Option<Value>;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Option<Value>, D::Error> {
        input.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Items<'_, '_, '_> {
    type Value = Option<Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Option<Value>, A::Error> {
        let Some(first) = items.next_element::<Value>()? else { return Ok(Some(Value::Array(Vec::new()))) };
        let head = Value::Object(self.head.clone());
        let is_typed = word(&head["kind"]).is_some_and(|kind| kind.ends_with("List"));
        let is_object = word(&first["kind"]).is_some() && first["metadata"].is_object();
        let is_list = is_object || is_typed && head["metadata"]["name"].is_null();
        if !is_list {
            let mut all = vec![first];
            while let Some(item) = items.next_element()? {
                all.push(item);
            }
            return Ok(Some(Value::Array(all)));
        }
        self.collector.list_item(first, &head);
        while let Some(item) = items.next_element()? {
            self.collector.list_item(item, &head);
        }
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Option<Value>, E> {
        Ok(Some(Value::Null))
    }

    scalars!(Option<Value>, |_: Self, value: Value| Some(value));

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Option<Value>, A::Error> {
        let mut all = Map::new();
        while let Some((key, value)) = map.next_entry()? {
            all.insert(key, value);
        }
        Ok(Some(Value::Object(all)))
    }
}
