//! A strict walk through an object that knows at every step where it is.
//!
//! Null counts as absent, and as empty where it stands in a list: so the API server decodes it.

use serde_json::{Map, Value};

use super::fault::{Fault, Reason};

/// A value and its place.
#[derive(Clone, Debug)]
pub(super) struct Field<'a> {
    path: String,
    value: &'a Value,
}

/// The fields of an object, none of them unknown.
#[derive(Clone, Debug)]
pub(super) struct Fields<'a> {
    path: String,
    map: Option<&'a Map<String, Value>>,
}

impl<'a> Field<'a> {
    /// The whole object.
    pub(super) fn root(value: &'a Value) -> Self {
        Self { path: String::new(), value }
    }

    /// A fault here.
    pub(super) fn fault(&self, reason: Reason) -> Fault {
        Fault::at(self.path.clone(), reason)
    }

    /// An object that may have these fields and no others.
    pub(super) fn fields(&self, known: &'static [&'static str]) -> Result<Fields<'a>, Fault> {
        let fields = Fields { path: self.path.clone(), map: self.map()? };
        match fields.map.into_iter().flat_map(Map::keys).find(|name| !known.contains(&name.as_str())) {
            Some(name) => Err(fields.fault(name, Reason::UnknownField { known })),
            None => Ok(fields),
        }
    }

    /// A text; null is the empty one.
    pub(super) fn text(&self) -> Result<&'a str, Fault> {
        match self.value {
            Value::String(text) => Ok(text),
            Value::Null => Ok(""),
            _ => Err(self.type_fault("a string")),
        }
    }

    /// A whole number.
    pub(super) fn integer(&self) -> Result<i64, Fault> {
        self.value.as_i64().ok_or_else(|| self.type_fault("a whole number"))
    }

    /// Whether it is a text, where a number could stand too.
    pub(super) fn is_text(&self) -> bool {
        self.value.is_string()
    }

    fn entries(&self) -> Result<Vec<(&'a str, Field<'a>)>, Fault> {
        let entry =
            |(key, value): (&'a String, _)| (key.as_str(), Field { path: format!("{}[{key}]", self.path), value });
        Ok(self.map()?.into_iter().flatten().map(entry).collect())
    }

    /// The items of a list.
    pub(super) fn list(&self) -> Result<Vec<Field<'a>>, Fault> {
        let items = self.value.as_array().ok_or_else(|| self.type_fault("a list"))?;
        let item = |(n, value)| Field { path: format!("{}[{n}]", self.path), value };
        Ok(items.iter().enumerate().map(item).collect())
    }

    fn map(&self) -> Result<Option<&'a Map<String, Value>>, Fault> {
        match self.value {
            Value::Object(map) => Ok(Some(map)),
            Value::Null => Ok(None),
            _ => Err(self.type_fault("an object")),
        }
    }

    fn type_fault(&self, expected: &'static str) -> Fault {
        let found = match self.value {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::Array(_) => "a list",
            Value::Object(_) => "an object",
        };
        self.fault(Reason::Type { expected, found })
    }
}

impl<'a> Fields<'a> {
    /// The fields of an object that is not there.
    pub(super) fn empty(path: &str) -> Self {
        Self { path: path.to_owned(), map: None }
    }

    /// A field, where it is there and not null.
    pub(super) fn get(&self, name: &str) -> Option<Field<'a>> {
        let value = self.map?.get(name).filter(|value| !value.is_null())?;
        Some(Field { path: self.join(name), value })
    }

    /// A field that must be there.
    pub(super) fn require(&self, name: &str) -> Result<Field<'a>, Fault> {
        self.get(name).ok_or_else(|| self.fault(name, Reason::Missing))
    }

    /// The items of a list that may be absent.
    pub(super) fn list(&self, name: &str) -> Result<Vec<Field<'a>>, Fault> {
        self.get(name).map_or_else(|| Ok(Vec::new()), |field| field.list())
    }

    /// The entries of a map with keys of the user's, such as labels, that may be absent.
    pub(super) fn entries(&self, name: &str) -> Result<Vec<(&'a str, Field<'a>)>, Fault> {
        self.get(name).map_or_else(|| Ok(Vec::new()), |field| field.entries())
    }

    /// The one field that is there and not null, with its name; null counts as absent.
    pub(super) fn only(&self) -> Result<(&'a str, Field<'a>), usize> {
        let there = self.map.into_iter().flatten().filter(|(_, value)| !value.is_null());
        let there: Vec<(&'a String, &'a Value)> = there.collect();
        match there[..] {
            [(name, value)] => Ok((name, Field { path: self.join(name), value })),
            _ => Err(there.len()),
        }
    }

    /// A fault in a field of this object, there or not.
    pub(super) fn fault(&self, name: &str, reason: Reason) -> Fault {
        Fault::at(self.join(name), reason)
    }

    /// A fault in the object itself.
    pub(super) fn fault_here(&self, reason: Reason) -> Fault {
        Fault::at(self.path.clone(), reason)
    }

    fn join(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }
}
