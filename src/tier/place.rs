//! Roles to tiers: by who calls whom.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Tier,
    calls::{Calls, MAX_CLIENTS},
    circles::{Circles, circles},
    graph::Graph,
    infrastructure::{Infrastructure, is_store},
    ports,
    token::Service,
};

/// Where a role stands, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub tier: Tier,
    /// Calls between the outside and the role, on the longest way; 0 for clients.
    pub level: usize,
    /// Why it is in this tier, where its calls do not say so themselves.
    pub because: Option<String>,
}

/// Gives every role its tier and level.
pub(super) fn place(graph: &Graph, roles: &[Vec<u32>], calls: &Calls) -> Vec<Place> {
    let given: BTreeMap<usize, Tier> =
        (0..roles.len()).filter_map(|role| Some((role, given(graph, &roles[role])?))).collect();
    let is_given = given.iter().map(|(role, tier)| (*role, *tier == Tier::Infrastructure)).collect();
    let infrastructure = Infrastructure::find(graph, roles, calls, &is_given);
    let stores = Stores::new(calls, &infrastructure);
    let tier = |role: usize| {
        if let Some(tier) = given.get(&role) {
            return (*tier, Some("the operator says so".to_owned()));
        }
        if let Some(because) = infrastructure.because(role) {
            return (Tier::Infrastructure, Some(because.clone()));
        }
        let entrance = entrance(graph, &roles[role], calls, role).map(|because| (Tier::Edge, Some(because)));
        entrance.unwrap_or_else(|| (stores.tier(role), None))
    };
    let mut places: Vec<Place> =
        (0..roles.len()).map(tier).map(|(tier, because)| Place { tier, level: 0, because }).collect();
    let levels = levels(calls, &places);
    for (place, level) in places.iter_mut().zip(levels) {
        place.level = level;
    }
    places
}

/// The tier that an operator gives.
fn given(graph: &Graph, role: &[u32]) -> Option<Tier> {
    role.iter().filter_map(|member| graph.members.get(*member as usize)).find_map(|member| member.tier)
}

/// How the outside enters.
fn entrance(graph: &Graph, members: &[u32], calls: &Calls, role: usize) -> Option<String> {
    let opened = |member: &u32| graph.members.get(*member as usize)?.opened_by.clone();
    if let Some(opener) = members.iter().find_map(opened) {
        return Some(format!("the outside enters here (DMZ), by {opener}"));
    }
    let entrants: BTreeSet<u32> = calls.entered[role].values().flatten().copied().collect();
    let told = || format!("the outside enters here (DMZ): {}", entry(&calls.entered[role], entrants.len()));
    (!entrants.is_empty()).then(told)
}

fn entry(entered: &BTreeMap<Service, BTreeSet<u32>>, peers: usize) -> String {
    let services: Vec<String> = entered.keys().take(3).map(Service::to_string).collect();
    let many = if peers >= MAX_CLIENTS { " or more" } else { "" };
    format!("{peers}{many} outside on {}", services.join(", "))
}

/// What a role's place among the others tells, once infrastructure is known.
struct Stores<'s> {
    calls: &'s Calls,
    infrastructure: &'s Infrastructure,
    /// Whether a role serves a port of stores.
    is_store: Vec<bool>,
    /// Circles of calls among those that are no infrastructure.
    circles: Circles,
    /// Whether a circle is one of stores that copy each other, and of such as nobody but these calls.
    are_kin: Vec<bool>,
}

impl<'s> Stores<'s> {
    fn new(calls: &'s Calls, infrastructure: &'s Infrastructure) -> Self {
        let count = calls.to.len();
        let next = |role: usize| -> Vec<usize> {
            let is_other = |to: &usize| !infrastructure.has(*to) && !infrastructure.has(role);
            calls.to[role].iter().copied().filter(is_other).collect()
        };
        let next: Vec<Vec<usize>> = (0..count).map(next).collect();
        let is_store = (0..count).map(|role| is_store(calls, role, &|user| infrastructure.has(user))).collect();
        let mut stores = Self { calls, infrastructure, is_store, circles: circles(&next), are_kin: Vec::new() };
        let mut has_store = vec![false; stores.circles.count];
        let mut is_closed = vec![true; stores.circles.count];
        for role in 0..count {
            let circle = stores.circles.of[role];
            has_store[circle] |= stores.is_store[role];
            is_closed[circle] &= stores.stores_alone(role);
        }
        stores.are_kin = has_store.iter().zip(&is_closed).map(|(has, closed)| *has && *closed).collect();
        stores
    }

    fn tier(&self, role: usize) -> Tier {
        let works_with = |other: &&usize| !self.infrastructure.has(**other);
        let calls_others = self.calls.to[role].iter().any(|other| works_with(&other) && !self.is_kin(role, *other));
        let is_called = self.calls.from[role].iter().any(|other| works_with(&other));
        // whoever has it alone, what serves and calls nothing is no client
        let serves_alone = !self.calls.from[role].is_empty() && !self.calls.asks[role];
        match (is_called || serves_alone || self.calls.serves_nodes[role] && !calls_others, calls_others) {
            (false, _) => Tier::Client,
            (true, false) if self.is_store[role] || self.are_kin[self.circles.of[role]] => Tier::Data,
            _ => Tier::Application,
        }
    }

    /// Whether a role that stores calls one of its own kind: another of its circle, or a store where it is nothing but one
    /// itself. Kafka asks `ZooKeeper`, routers of shards ask shards.
    fn is_kin(&self, role: usize, to: usize) -> bool {
        let is_circle = self.circles.of[role] == self.circles.of[to] && self.are_kin[self.circles.of[role]];
        let is_store = self.is_store[role] && self.is_store[to] && self.stores_alone(role);
        is_circle || is_store && self.calls.between(role, to).all(ports::is_store)
    }

    /// Whether all that others have of a role is what stores serve; what stores and its own circle have does not matter.
    fn stores_alone(&self, role: usize) -> bool {
        let is_replica = |user: &usize| {
            self.infrastructure.has(*user) || self.is_store[*user] || self.circles.of[*user] == self.circles.of[role]
        };
        self.calls.served[role].iter().all(|(service, users)| {
            ports::is_store(*service) || ports::is_kafka_or_alerts(*service) || users.roles.iter().all(is_replica)
        })
    }
}

/// The longest way from the outside to each role, over calls that infrastructure does not make. Roles that call each
/// other in a circle stand on one level.
fn levels(calls: &Calls, places: &[Place]) -> Vec<usize> {
    let count = places.len();
    let callees = |role: usize| -> Vec<usize> {
        let is_infrastructure = places[role].tier == Tier::Infrastructure;
        if is_infrastructure { Vec::new() } else { calls.to[role].iter().copied().collect() }
    };
    let next: Vec<Vec<usize>> = (0..count).map(callees).collect();
    let circles = circles(&next);
    // circles come out with those first that are called by others last: callees first
    let mut level_of_circle = vec![0; circles.count];
    for (role, place) in places.iter().enumerate() {
        let floor = usize::from(place.tier != Tier::Client);
        let level = &mut level_of_circle[circles.of[role]];
        *level = floor.max(*level);
    }
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by_key(|role| std::cmp::Reverse(circles.of[*role]));
    for role in order {
        let here = level_of_circle[circles.of[role]];
        for to in &next[role] {
            let there = circles.of[*to];
            if there != circles.of[role] {
                level_of_circle[there] = level_of_circle[there].max(here + 1);
            }
        }
    }
    (0..count).map(|role| level_of_circle[circles.of[role]]).collect()
}
