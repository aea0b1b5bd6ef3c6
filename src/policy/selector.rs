//! Label selectors: all requirements must hold, and none holds for everything.

use std::{collections::BTreeSet, fmt};

use crate::model::Labels;

/// A label selector; `matchLabels` and `matchExpressions` are both requirements.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Selector(pub Vec<Requirement>);

/// What a selector asks of one label.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Requirement {
    /// The label's key.
    pub key: String,
    /// What is asked of it.
    pub operator: Operator,
}

/// The operators of `matchExpressions`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operator {
    /// The label is there, with one of these values.
    In(BTreeSet<String>),
    /// The label is not there, or has none of these values.
    NotIn(BTreeSet<String>),
    /// The label is there.
    Exists,
    /// The label is not there.
    DoesNotExist,
}

impl Selector {
    /// Whether all requirements hold.
    #[must_use]
    pub fn matches(&self, labels: &Labels) -> bool {
        self.unmet(labels).next().is_none()
    }

    /// The requirements that do not hold.
    pub fn unmet<'a>(&'a self, labels: &'a Labels) -> impl Iterator<Item = &'a Requirement> {
        self.0.iter().filter(|requirement| !requirement.holds(labels))
    }
}

impl Requirement {
    /// The requirement of a pair of `matchLabels`.
    #[must_use]
    pub fn equals(key: &str, value: &str) -> Self {
        Self { key: key.to_owned(), operator: Operator::In([value.to_owned()].into()) }
    }

    /// Whether it holds.
    #[must_use]
    pub fn holds(&self, labels: &Labels) -> bool {
        let value = labels.get(&self.key);
        match &self.operator {
            Operator::In(values) => value.is_some_and(|value| values.contains(value)),
            Operator::NotIn(values) => value.is_none_or(|value| !values.contains(value)),
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
        }
    }
}

impl fmt::Display for Requirement {
    /// As `kubectl get -l` takes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = &self.key;
        match &self.operator {
            Operator::In(values) if values.len() == 1 => write!(f, "{key}={}", join(values)),
            Operator::In(values) => write!(f, "{key} in ({})", join(values)),
            Operator::NotIn(values) if values.len() == 1 => write!(f, "{key}!={}", join(values)),
            Operator::NotIn(values) => write!(f, "{key} notin ({})", join(values)),
            Operator::Exists => f.write_str(key),
            Operator::DoesNotExist => write!(f, "!{key}"),
        }
    }
}

fn join(values: &BTreeSet<String>) -> String {
    values.iter().map(String::as_str).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_tell_an_absent_label_from_an_empty_one() {
        let values = || [String::new(), "a".to_owned()].into();
        let holds = |operator: Operator, labels: &[(&str, &str)]| {
            Requirement { key: "k".to_owned(), operator }.holds(&labels.iter().copied().collect())
        };
        for (labels, expected) in [
            (&[][..], [false, true, false, true]),
            (&[("k", "")], [true, false, true, false]),
            (&[("k", "b")], [false, true, true, false]),
        ] {
            let operators =
                [Operator::In(values()), Operator::NotIn(values()), Operator::Exists, Operator::DoesNotExist];
            assert_eq!(operators.map(|operator| holds(operator, labels)), expected, "{labels:?}");
        }
    }

    #[test]
    fn the_empty_selector_matches_everything() {
        assert!(Selector::default().matches(&Labels::default()));
    }
}
