//! Label selectors as objects of the API have them.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::policy::{Operator, Selector};

/// A selector as it is written.
#[derive(Default)]
pub(super) struct LabelSelector {
    equal: BTreeMap<String, String>,
    expressions: Vec<Value>,
}

impl LabelSelector {
    /// Adds what is asked of a label.
    pub(super) fn add(&mut self, key: &str, operator: &Operator) {
        let (name, values) = match operator {
            Operator::In(values) if values.len() == 1 && !self.equal.contains_key(key) => {
                self.equal.extend(values.iter().map(|value| (key.to_owned(), value.clone())));
                return;
            }
            Operator::In(values) => ("In", Some(values)),
            Operator::NotIn(values) => ("NotIn", Some(values)),
            Operator::Exists => ("Exists", None),
            Operator::DoesNotExist => ("DoesNotExist", None),
        };
        let mut expression = json!({"key": key, "operator": name});
        if let Some(values) = values {
            expression["values"] = json!(values);
        }
        self.expressions.push(expression);
    }
}

impl From<LabelSelector> for Value {
    fn from(selector: LabelSelector) -> Self {
        let mut value = Map::new();
        if !selector.equal.is_empty() {
            value.insert("matchLabels".into(), json!(selector.equal));
        }
        if !selector.expressions.is_empty() {
            value.insert("matchExpressions".into(), selector.expressions.into());
        }
        value.into()
    }
}

impl From<&Selector> for LabelSelector {
    fn from(Selector(all): &Selector) -> Self {
        let mut selector = Self::default();
        for requirement in all {
            selector.add(&requirement.key, &requirement.operator);
        }
        selector
    }
}
