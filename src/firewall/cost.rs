//! What rules cost, and what they leave open.

use super::{Firewall, Rule, Ways, rule::pairs};

/// How many rules there are, and how much they let pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Rules.
    pub rules: usize,
    /// Client, server and port: how many of them were seen to be needed, between addresses that are known.
    pub needed: u64,
    /// How many more pass.
    pub extra: u64,
    /// Rules that are open to anyone outside, or to all of a cluster: these are not counted by addresses.
    pub open_ended: usize,
}

impl Cost {
    /// What passes, for each that is needed, as of policies: 1 is least privilege.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a ratio for people")]
    pub fn over_permission(self) -> Option<f64> {
        (self.needed > 0).then(|| (self.needed + self.extra) as f64 / self.needed as f64)
    }
}

/// Counts the ways that rules leave open.
#[must_use]
pub fn cost(firewall: &Firewall) -> Cost {
    let mut cost = Cost { rules: firewall.rules.len(), ..Cost::default() };
    for rule in &firewall.rules {
        match extra(firewall, rule) {
            Some(extra) => {
                cost.needed += rule.needed;
                cost.extra += extra;
            }
            None => cost.open_ended += 1,
        }
    }
    cost
}

/// Client, server and port: how many pass by a rule that nobody was seen to need; none where it is open to more than are
/// known.
#[must_use]
pub fn extra(firewall: &Firewall, rule: &Rule) -> Option<u64> {
    let ports: u64 = rule.ports.iter().map(|range| range.count()).sum();
    Some((open_pairs(firewall, rule)? * ports).saturating_sub(rule.needed))
}

/// How many pairs a rule lets pass; none where it is open to more than are known.
fn open_pairs(firewall: &Firewall, rule: &Rule) -> Option<u64> {
    match &rule.ways {
        Ways::Pairs(pairs) => Some(pairs.len() as u64),
        Ways::Product(from, to) => {
            let zones = &firewall.zones;
            Some(pairs(zones.units(from, rule.from)?, zones.units(to, rule.to)?))
        }
    }
}
