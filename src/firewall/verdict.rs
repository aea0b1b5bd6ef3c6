//! The past, held against rules.

use std::{collections::BTreeMap, net::IpAddr};

use super::{
    Firewall, Guard, Rule,
    need::{Leg, legs, unneeded},
};
use crate::model::{Dependency, Protocol};

/// A needed dependency that would not pass.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The client's address.
    pub from: IpAddr,
    /// The server's.
    pub to: IpAddr,
    /// The protocol.
    pub protocol: Protocol,
    /// The port.
    pub port: u16,
    /// How many connections.
    pub connections: u64,
}

/// What rules would have done to the past.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replay {
    /// Needed connections from or to closed hosts.
    pub connections: u64,
    /// Of them those that pass.
    pub allowed: u64,
    /// Of them those that do not.
    pub denied: u64,
    /// Connections of which it is not known who called whom.
    pub uncertain: u64,
    /// Attempts that got nothing, sweeps, and what needs no rule.
    pub unneeded: u64,
    /// Connections with no closed end: the rules are not asked.
    pub untouched: u64,
    /// What does not pass, in order.
    pub findings: Vec<Finding>,
}

/// Holds dependencies by address against rules. Every form in which one passes must be let through.
#[must_use]
pub fn replay(firewall: &Firewall, dependencies: &[Dependency]) -> Replay {
    let Firewall { directions, closed, zones, .. } = firewall;
    let guard = Guard { directions: *directions, closed, zones };
    let mut rules: BTreeMap<(usize, usize, Protocol), Vec<&Rule>> = BTreeMap::new();
    for rule in &firewall.rules {
        rules.entry((rule.from, rule.to, rule.protocol)).or_default().push(rule);
    }
    let passes = |protocol: Protocol, Leg { client, server, port }: Leg| {
        let of_zones = rules.get(&(zones.of(client), zones.of(server), protocol));
        of_zones.is_some_and(|rules| rules.iter().any(|rule| rule.allows(zones, (client, server), protocol, port)))
    };
    let mut replay = Replay::default();
    for dependency in dependencies {
        let connections = dependency.connections;
        let held: Vec<Leg> = legs(dependency).into_iter().filter(|leg| guard.holds(leg.client, leg.server)).collect();
        let Some(first) = held.first() else {
            replay.untouched += connections;
            continue;
        };
        // what is uncertain in one form is no finding in another
        let is_uncertain = |leg: &&Leg| unneeded(dependency, **leg, zones).is_some_and(|reason| reason.is_uncertain);
        match unneeded(dependency, *held.iter().find(is_uncertain).unwrap_or(first), zones) {
            Some(reason) if reason.is_uncertain => replay.uncertain += connections,
            Some(_) => replay.unneeded += connections,
            None => {
                replay.connections += connections;
                let denied = held.iter().filter(|leg| !passes(dependency.protocol, **leg));
                let denied: Vec<Finding> = denied
                    .map(|leg| Finding {
                        from: leg.client,
                        to: leg.server,
                        protocol: dependency.protocol,
                        port: leg.port,
                        connections,
                    })
                    .collect();
                if denied.is_empty() {
                    replay.allowed += connections;
                } else {
                    replay.denied += connections;
                }
                replay.findings.extend(denied);
            }
        }
    }
    replay.findings.sort();
    replay
}
