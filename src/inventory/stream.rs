//! JSON read as a stream: the items of a List one at a time, so that a list of a whole cluster is never in memory as one
//! tree, and what stands before the place where a file was cut short can be used.

use std::{cell::RefCell, fmt};

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer};
use serde_json::{Map, Value};

use super::{collect::Collector, field::word, read::ReadError};
use crate::json::{self, Telling};

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

/// A value, and what is wrong with it: of a key that stands twice nobody can tell which was meant.
struct Noted {
    value: Value,
    fault: Option<String>,
}

impl Noted {
    fn sound(value: Value) -> Self {
        Self { value, fault: None }
    }
}

/// Reads a [`Noted`].
struct Noting;

impl<'de> DeserializeSeed<'de> for Noting {
    type Value = Noted;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Noted, D::Error> {
        let fault = RefCell::new(None);
        let note = |key: &str| {
            fault.borrow_mut().get_or_insert_with(|| json::fault(key));
            Ok(())
        };
        let value = Telling(note).deserialize(input)?;
        Ok(Noted { value, fault: fault.into_inner() })
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
        let mut faults = None;
        while let Some(key) = map.next_key::<String>()? {
            if head.contains_key(&key) || key == "items" && list.is_some() {
                faults.get_or_insert_with(|| json::fault(&key));
            }
            if key != "items" || list.is_some() {
                let Noted { value, fault } = map.next_value_seed(Noting)?;
                faults = faults.or(fault);
                head.insert(key, value);
                continue;
            }
            let outer = collector.open_list();
            let read = map.next_value_seed(Items { head: &head, collector: &mut *collector });
            match read {
                Ok(None) => list = Some(outer),
                Ok(Some(Noted { value, fault })) => {
                    collector.leave_list(outer);
                    faults = faults.or(fault);
                    head.insert(key, value);
                }
                Err(error) => {
                    collector.leave_list(outer);
                    collector.note_page(&Value::Object(head));
                    return Err(error);
                }
            }
        }
        let head = Value::Object(head);
        match (list, faults) {
            (Some(outer), None) => collector.close_list(outer, &head),
            (Some(outer), Some(fault)) => {
                collector.leave_list(outer);
                collector.refuse(&head, fault);
            }
            (None, None) => collector.document(head),
            (None, Some(fault)) => collector.refuse(&head, fault),
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while let Some(Noted { value, fault }) = items.next_element_seed(Noting)? {
            match fault {
                None => self.collector.document(value),
                Some(fault) => self.collector.refuse(&value, fault),
            }
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

impl Items<'_, '_, '_> {
    fn add(&mut self, Noted { value, fault }: Noted, head: &Value) {
        match fault {
            None => self.collector.list_item(value, head),
            Some(fault) => self.collector.refuse(&value, fault),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Items<'_, '_, '_> {
    type Value = Option<Noted>;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Option<Noted>, D::Error> {
        input.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Items<'_, '_, '_> {
    type Value = Option<Noted>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<Option<Noted>, A::Error> {
        let Some(first) = items.next_element_seed(Noting)? else {
            return Ok(Some(Noted::sound(Value::Array(Vec::new()))));
        };
        let head = Value::Object(self.head.clone());
        let is_typed = word(&head["kind"]).is_some_and(|kind| kind.ends_with("List"));
        let is_object = word(&first.value["kind"]).is_some() && first.value["metadata"].is_object();
        let is_list = is_object || is_typed && head["metadata"]["name"].is_null();
        if !is_list {
            let Noted { value, mut fault } = first;
            let mut all = vec![value];
            while let Some(item) = items.next_element_seed(Noting)? {
                fault = fault.or(item.fault);
                all.push(item.value);
            }
            return Ok(Some(Noted { value: Value::Array(all), fault }));
        }
        self.add(first, &head);
        while let Some(item) = items.next_element_seed(Noting)? {
            self.add(item, &head);
        }
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Option<Noted>, E> {
        Ok(Some(Noted::sound(Value::Null)))
    }

    scalars!(Option<Noted>, |_: Self, value: Value| Some(Noted::sound(value)));

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Option<Noted>, A::Error> {
        Noting.deserialize(MapAccessDeserializer::new(map)).map(Some)
    }
}
