//! What policies say to a connection.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::policy::{Action, PolicyType, Tier};

/// What policies say to a connection: both ends must allow it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The client's side.
    pub egress: Side,
    /// The server's side.
    pub ingress: Side,
}

/// What the policies that select one end say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Side {
    /// Whether any NetworkPolicy isolates this end in this direction; where none does, all is allowed that `decided` does not deny.
    pub isolated: bool,
    /// The NetworkPolicies that isolate it, as `namespace/name`.
    pub isolated_by: Vec<String>,
    /// Whether this end allows the connection.
    pub allowed: bool,
    /// The policies that allow it, each once, as `namespace/name`, or `AdminNetworkPolicy name` where it is in no namespace.
    pub by: Vec<String>,
    /// The rules that allow it.
    pub rules: Vec<RuleRef>,
    /// Where it is denied, the rule that misses least, where any policy has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nearest: Option<Nearest>,
    /// The rule of a policy of the whole cluster that decides, before or after NetworkPolicies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided: Option<Decided>,
    /// Whether what is known does not tell; it counts as denied.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub uncertain: bool,
    /// Why it is denied, or uncertain, but for what `nearest` misses; none where it is allowed.
    #[serde(skip)]
    pub reason: Option<String>,
}

/// A rule that decides without regard to others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Decided {
    /// The rule.
    pub rule: RuleRef,
    /// What the rule is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its tier.
    pub tier: Tier,
    /// What it does: allow or deny.
    pub action: Action,
}

/// A rule of a policy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RuleRef {
    /// `namespace/name`, or `AdminNetworkPolicy name` where it is in no namespace.
    pub policy: String,
    /// The direction.
    pub direction: PolicyType,
    /// Its place among the rules of that direction, from 0.
    pub index: usize,
}

/// A rule that does not allow a connection, and what in it does not match.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Nearest {
    /// The rule.
    pub rule: RuleRef,
    /// Everything that does not match, as clauses.
    pub misses: Vec<String>,
}

impl Side {
    /// Whether its policies alone allow the connection: where they do not, it is always allowed.
    #[must_use]
    pub fn is_enough(&self) -> bool {
        match &self.decided {
            Some(decided) => decided.action == Action::Accept,
            None => !self.uncertain && (!self.isolated || !self.rules.is_empty()),
        }
    }

    /// What is said where a connection is judged in this way or in another, and it is not known in which; `why` says so.
    pub(super) fn or_else_judged(mut self, other: Self, why: &str) -> Self {
        match (self.allowed, other.allowed) {
            (true, true) => {
                let (mut rules, mut by) = (other.rules, other.by);
                rules.retain(|rule| !self.rules.contains(rule));
                by.retain(|policy| !self.by.contains(policy));
                self.rules.extend(rules);
                self.by.extend(by);
                self
            }
            // what is not known of one of them is not known of both
            (false, false) if other.uncertain => other,
            (false, false) => self,
            (is_first, _) => {
                let closed = if is_first { other } else { self };
                let reason = closed.reason.map(|reason| format!("{why}: {reason}"));
                Self { uncertain: true, decided: None, reason, ..closed }
            }
        }
    }

    /// Why it is denied, or uncertain, with what the nearest rule misses; none where it is allowed.
    #[must_use]
    pub fn why(&self) -> Option<String> {
        let reason = self.reason.as_ref()?;
        let misses = self.nearest.as_ref().map(|nearest| format!(": {}", nearest.misses.join(", ")));
        Some(format!("{reason}{}", misses.unwrap_or_default()))
    }
}

impl Verdict {
    /// Whether the connection is allowed.
    #[must_use]
    pub fn allowed(&self) -> bool {
        self.egress.allowed && self.ingress.allowed
    }

    /// Whether it cannot be told: no side surely denies it, and of one it is not known.
    #[must_use]
    pub fn uncertain(&self) -> bool {
        let sides = [&self.egress, &self.ingress];
        sides.iter().any(|side| side.uncertain) && sides.iter().all(|side| side.allowed || side.uncertain)
    }

    /// Why it is denied, by both sides where both deny it.
    #[must_use]
    pub fn reason(&self) -> Option<String> {
        let reasons: Vec<String> = [&self.egress, &self.ingress].into_iter().filter_map(Side::why).collect();
        (!reasons.is_empty()).then(|| reasons.join("; "))
    }
}

impl RuleRef {
    /// The rule's place in its policy: `spec.ingress[0]`.
    #[must_use]
    pub fn path(&self) -> String {
        format!("spec.{}[{}]", self.direction.as_str(), self.index)
    }
}

impl Serialize for RuleRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for RuleRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.policy, self.path())
    }
}
