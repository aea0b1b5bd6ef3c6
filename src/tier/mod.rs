//! Roles and tiers from dependencies: endpoints that do the same job are one role, and roles stand where their calls put
//! them. How, on what evidence, and how well, is told in docs/tiers.md.
//!
//! ```text
//! dependencies -> graph -> signatures -> similarity -> clusters -> second addresses -> places -> reasons
//! ```

mod attach;
mod calls;
mod circles;
mod cluster;
mod copies;
mod graph;
mod infrastructure;
mod place;
mod ports;
mod reason;
mod scope;
mod signature;
mod similarity;
mod token;
mod why;

use std::{collections::BTreeMap, fmt};

use foldhash::{HashMap, HashSet};
use serde::Serialize;

pub use graph::{Edge, Graph, Outsider};
pub use scope::{Member, Scope};
pub use token::{Service, Token};
pub use why::{Beside, Said, Why};

use crate::model::Contacts;
use attach::Joined;
use calls::Calls;
use signature::Signatures;
use similarity::{ONE, Weighted, Weights};

/// Where a role stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// The outside enters here.
    Edge,
    /// Serves, and calls others.
    Application,
    /// Stores: serves, and calls nobody but infrastructure and its own kind.
    Data,
    /// Names, monitoring, logs, and what nearly everybody needs.
    Infrastructure,
    /// Calls, and serves nobody.
    Client,
}

impl Tier {
    /// As in the output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Edge => "edge",
            Self::Application => "application",
            Self::Data => "data",
            Self::Infrastructure => "infrastructure",
            Self::Client => "client",
        }
    }

    /// The tier of this name. A role of a hosts file says what its hosts do; `web` or `db` may stand anywhere.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        let all = [Self::Edge, Self::Application, Self::Data, Self::Infrastructure, Self::Client];
        all.into_iter().find(|tier| tier.as_str().eq_ignore_ascii_case(name))
    }

    /// The tier that an operator's word names, where it is one for tiers.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        match word.to_ascii_lowercase().as_str() {
            "edge" | "dmz" | "web" | "front" | "frontend" | "front-end" | "gateway" | "ingress" | "presentation" => {
                Some(Self::Edge)
            }
            "application" | "app" | "backend" | "back-end" | "middle" | "middleware" | "logic" | "service" => {
                Some(Self::Application)
            }
            "data" | "database" | "db" | "store" | "storage" | "cache" | "persistence" => Some(Self::Data),
            "infrastructure" | "infra" | "platform" | "monitoring" | "logging" | "dns" | "observability" => {
                Some(Self::Infrastructure)
            }
            "client" | "load" | "user" | "workstation" => Some(Self::Client),
            _ => None,
        }
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How to find roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Groups are merged while their members are at least so much alike, on average: in percent of what they do.
    pub cut_percent: u8,
    /// Whether workloads of different namespaces may be one role.
    pub across_namespaces: bool,
}

impl Options {
    /// The cut that was measured best, in the middle of where it changes little (docs/tiers.md).
    pub const CUT_PERCENT: u8 = 38;
}

impl Default for Options {
    fn default() -> Self {
        Self { cut_percent: Self::CUT_PERCENT, across_namespaces: false }
    }
}

/// Endpoints that do the same job.
#[derive(Clone, Debug, PartialEq)]
pub struct Role {
    /// Where it stands.
    pub tier: Tier,
    /// Calls between the outside and the role, on the longest way; 0 for clients.
    pub level: usize,
    /// The operator's name for it, else what it does that others do not.
    pub name: String,
    /// Who is in it, by name.
    pub members: Vec<Member>,
    /// One sentence: what its members do, who calls them, whom they call.
    pub reason: String,
    /// How much its members are alike, from 0 to 1; none where it has one, copies of it left out.
    pub cohesion: Option<f64>,
    /// Whether anything tells what its members do, their traffic or an operator: else they have nothing in common.
    pub is_told: bool,
}

/// The roles of all endpoints in scope: each is in exactly one.
pub struct Tiers {
    /// By tier, level and name.
    pub roles: Vec<Role>,
    graph: Graph,
    signatures: Signatures,
    weights: Weights,
    weighted: Vec<Weighted>,
    /// The classes of each role.
    groups: Vec<Vec<u32>>,
    joined: HashMap<u32, Joined>,
}

/// Finds the roles of the endpoints in scope.
#[must_use]
pub fn find(contacts: &Contacts, scope: &Scope, options: Options) -> Tiers {
    of_graph(Graph::new(contacts, scope), options)
}

/// Roles and tiers of a graph that was made elsewhere.
#[must_use]
pub fn of_graph(graph: Graph, options: Options) -> Tiers {
    let mut pens = Pens::new(&graph.members, options);
    let signatures = Signatures::new(&graph, &pens.of);
    let cut = u64::from(options.cut_percent.min(100)) * ONE / 100;
    let mut tiers = Tiers::grouped(graph, signatures, &pens, cut, &HashSet::default());
    let infrastructure = tiers.infrastructure();
    let is_aside = tiers.are_of(&infrastructure);
    let copied = copies::find(&tiers.graph, &is_aside, &pens.of);
    let has_copies = copied.iter().any(Option::is_some);
    if has_copies || !infrastructure.is_empty() {
        let Tiers { graph, mut signatures, .. } = tiers;
        let mut aside = infrastructure;
        if has_copies {
            pens.part(copied);
            signatures = Signatures::new(&graph, &pens.of);
            aside = (0..is_aside.len()).filter(|n| is_aside[*n]).map(|n| signatures.class_of[n]).collect();
        }
        tiers = Tiers::grouped(graph, signatures, &pens, cut, &aside);
    }
    tiers.describe();
    tiers
}

/// Endpoints in different pens are never alike.
struct Pens {
    /// The pen of each member.
    of: Vec<u32>,
    /// For each pen, whether an operator made it.
    given: Vec<bool>,
    /// For each member, the one that it copies. Copies are in pens of their own, and join the role of what they copy.
    copied: Vec<Option<u32>>,
}

impl Pens {
    fn new(members: &[Member], options: Options) -> Self {
        let pen = |member: &Member| {
            let namespace =
                member.workload.as_ref().filter(|_| !options.across_namespaces).map(|it| it.namespace.clone());
            // what the outside is let in to is another job than what stands behind it
            (namespace, member.role.clone(), member.tier, member.opened_by.is_some())
        };
        let all: BTreeMap<_, u32> = {
            let mut keys: Vec<_> = members.iter().map(pen).collect();
            keys.sort_unstable();
            keys.dedup();
            keys.into_iter().zip(0u32..).collect()
        };
        let of = members.iter().map(|member| all.get(&pen(member)).copied().unwrap_or_default()).collect();
        Self { of, given: all.keys().map(|(_, role, ..)| role.is_some()).collect(), copied: vec![None; members.len()] }
    }

    /// Puts the copies of each endpoint in a pen of their own.
    fn part(&mut self, copied: Vec<Option<u32>>) {
        let mut pens: BTreeMap<u32, u32> = BTreeMap::new();
        for (pen, original) in self.of.iter_mut().zip(&copied).filter_map(|(pen, copied)| Some((pen, (*copied)?))) {
            let next = u32::try_from(self.given.len()).unwrap_or(u32::MAX);
            *pen = *pens.entry(original).or_insert(next);
            if *pen == next {
                self.given.push(false);
            }
        }
        self.copied = copied;
    }
}

/// Those whom an operator gave one role are in one, whatever they do.
fn gather_given(groups: &mut Vec<Vec<u32>>, signatures: &Signatures, given: &[bool]) {
    let pen =
        |group: &[u32]| group.first().and_then(|class| signatures.classes.get(*class as usize)).map(|class| class.pen);
    let mut gathered: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    groups.retain(|group| match pen(group).filter(|pen| given.get(*pen as usize) == Some(&true)) {
        Some(pen) => {
            gathered.entry(pen).or_default().extend(group);
            false
        }
        None => true,
    });
    groups.extend(gathered.into_values());
}

impl Tiers {
    /// Groups the classes. What is done with infrastructure alone - asking for names, sending logs, being watched - makes
    /// nobody alike.
    fn grouped(graph: Graph, signatures: Signatures, pens: &Pens, cut: u64, infrastructure: &HashSet<u32>) -> Self {
        let weights = Weights::new(&signatures);
        let weighted: Vec<Weighted> = (0u32..)
            .zip(&signatures.classes)
            .map(|(number, class)| Weighted::new(number, class, &weights, infrastructure))
            .collect();
        let mut groups = cluster::cluster(&signatures, &weighted, cut);
        gather_given(&mut groups, &signatures, &pens.given);
        let joined = attach::attach(&mut groups, &signatures, &weights, &pens.copied);
        for group in &mut groups {
            group.sort_unstable();
        }
        groups.sort_unstable();
        Self { roles: Vec::new(), graph, signatures, weights, weighted, groups, joined }
    }

    /// The classes that are infrastructure, as the groups are now.
    fn infrastructure(&self) -> HashSet<u32> {
        let numbers = self.numbers();
        let calls = self.calls(&numbers);
        let places = place::place(&self.graph, &numbers, &calls);
        let is_infrastructure = |(_, place): &(&Vec<u32>, place::Place)| place.tier == Tier::Infrastructure;
        self.groups.iter().zip(places).filter(is_infrastructure).flat_map(|(group, _)| group).copied().collect()
    }

    /// For each member whether its class is one of these.
    fn are_of(&self, classes: &HashSet<u32>) -> Vec<bool> {
        self.signatures.class_of.iter().map(|class| classes.contains(class)).collect()
    }

    fn calls(&self, numbers: &[Vec<u32>]) -> Calls {
        let mut role_of = vec![0; self.graph.members.len()];
        for (role, members) in numbers.iter().enumerate() {
            for member in members {
                role_of[*member as usize] = role;
            }
        }
        Calls::new(&self.graph, &role_of, numbers.len())
    }

    /// The members' numbers of every role.
    fn numbers(&self) -> Vec<Vec<u32>> {
        let of_class = |class: &u32| self.signatures.classes.get(*class as usize).map(|class| class.members.clone());
        let members = |group: &Vec<u32>| {
            let mut members: Vec<u32> = group.iter().filter_map(of_class).flatten().collect();
            members.sort_unstable();
            members
        };
        self.groups.iter().map(members).collect()
    }

    /// Whether an operator said what a member does, or where it stands.
    fn is_given(&self, member: u32) -> bool {
        self.graph.members.get(member as usize).is_some_and(|it| it.role.is_some() || it.tier.is_some())
    }

    fn describe(&mut self) {
        let numbers = self.numbers();
        let calls = self.calls(&numbers);
        let places = place::place(&self.graph, &numbers, &calls);
        let does: Vec<_> = (0..numbers.len()).map(|n| self.does(n)).collect();
        let names = reason::names(self, &numbers, &does);
        let roles = (0..numbers.len()).map(|n| Role {
            tier: places[n].tier,
            level: places[n].level,
            name: names[n].clone(),
            members: numbers[n].iter().filter_map(|member| self.graph.members.get(*member as usize)).cloned().collect(),
            reason: reason::reason(self, n, &does[n], &calls, &places[n], &names),
            cohesion: self.cohesion(n),
            is_told: !does[n].is_empty() || numbers[n].iter().any(|member| self.is_given(*member)),
        });
        let mut order: Vec<(Role, Vec<u32>)> = roles.zip(self.groups.clone()).collect();
        order.sort_by(|(a, _), (b, _)| {
            let key = |role: &Role| {
                (role.tier, role.level, role.name.clone(), role.members.first().map(|it| it.name.clone()))
            };
            key(a).cmp(&key(b))
        });
        (self.roles, self.groups) = order.into_iter().unzip();
    }
}

#[cfg(test)]
mod tests;
