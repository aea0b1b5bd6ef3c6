//! Policies as a person decides on them: every permission with what it rests on and what was decided of it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{
    Decisions, Facts, Permission, Policies, PolicyKey,
    draft::{Atom, atoms, dns_name, numbered},
    peers, words,
};
use crate::{
    model::{Directions, PortRange, Protocol, Watched, WorkloadRef},
    policy::PolicyType,
    recommend::{Access, Accesses, Dns, DnsClient, Group, NamespacePlan, Peer, Recommendation},
};

/// What a policy is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// It closes the namespace.
    Deny,
    /// Name resolution.
    Dns,
    /// A workload, a tier, or a namespace.
    Group,
    /// A person's own.
    Own,
}

/// A policy as a person decides on it.
#[derive(Clone, Debug, PartialEq)]
pub struct Sheet {
    /// Document and name.
    pub key: PolicyKey,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub purpose: Purpose,
    /// The workloads it is for.
    pub members: Vec<WorkloadRef>,
    /// What selects their pods, in words.
    pub selects: String,
    /// What it closes.
    pub directions: Directions,
    /// Whether it is left open, for not enough was seen.
    pub is_open: bool,
    /// Whether the captures could have seen all that its pods do.
    pub watched: Option<Watched>,
    /// The policy as it would be written; none where it stays away.
    pub object: Option<Value>,
    /// Who may do what.
    pub rules: Vec<SheetRule>,
}

/// One peer of a policy, one way.
#[derive(Clone, Debug, PartialEq)]
pub struct SheetRule {
    /// Which way.
    pub side: PolicyType,
    /// What the peer is called.
    pub name: String,
    /// Who it is, where it is proposed.
    pub peer: Option<Peer>,
    /// The peers as a policy has them: several, where no one selector selects its pods.
    pub peers: Vec<Value>,
    /// The ports.
    pub ports: Vec<SheetPort>,
    /// On what it rests, where it is proposed.
    pub access: Option<Access>,
}

/// What is decided of a permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// It is proposed, and nobody minds.
    Proposed,
    /// A person added it.
    Added,
    /// It is proposed, and stays away.
    Rejected,
}

/// A port of a rule.
#[derive(Clone, Debug, PartialEq)]
pub struct SheetPort {
    /// As a policy has it; null for all.
    pub port: Value,
    /// In words.
    pub name: String,
    /// What is decided of it.
    pub state: State,
}

impl SheetRule {
    /// What tells it from other rules of its policy.
    #[must_use]
    pub fn id(&self) -> String {
        let peers: Vec<String> = self.peers.iter().map(super::canonical).collect();
        format!("{} {}", self.side.as_str(), peers.join(" "))
    }

    /// Its permissions in some states.
    pub fn permissions<'r>(&'r self, states: &'r [State]) -> impl Iterator<Item = Permission> + 'r {
        let ports = self.ports.iter().filter(|port| states.contains(&port.state));
        ports.flat_map(|port| {
            let one = |peer: &Value| Permission::new(self.side, peer.clone(), port.port.clone());
            self.peers.iter().map(one)
        })
    }

    /// Whether anything of it is in force.
    #[must_use]
    pub fn is_in_force(&self) -> bool {
        self.ports.iter().any(|port| port.state != State::Rejected)
    }

    /// Its ports that are in force, in words.
    #[must_use]
    pub fn ports_in_force(&self) -> Vec<&str> {
        let in_force = self.ports.iter().filter(|port| port.state != State::Rejected);
        in_force.map(|port| port.name.as_str()).collect()
    }
}

impl Sheet {
    /// `namespace/name` of the object that is applied, which a person may have edited.
    #[must_use]
    pub fn full_name(&self) -> String {
        let of = |field: &str| self.object.as_ref().and_then(|object| object["metadata"][field].as_str());
        let (namespace, name) = (of("namespace").unwrap_or(&self.namespace), of("name").unwrap_or(&self.name));
        format!("{namespace}/{name}")
    }

    /// Whether it allows something, or nothing, one way; else it says nothing of it.
    #[must_use]
    pub fn is_about(&self, side: PolicyType) -> bool {
        match side {
            PolicyType::Ingress => self.directions.has_ingress(),
            PolicyType::Egress => self.directions.has_egress(),
        }
    }

    /// The rules of a side that are in force.
    pub fn in_force(&self, side: PolicyType) -> impl Iterator<Item = &SheetRule> {
        self.rules.iter().filter(move |rule| rule.side == side && rule.is_in_force())
    }
}

/// All policies of a proposal, those that stay away among them, in the order of their names.
#[must_use]
pub fn sheets(recommendation: &Recommendation, policies: &Policies) -> Vec<Sheet> {
    let mut sheets = Vec::new();
    for plan in &recommendation.namespaces {
        sheets.extend(of_namespace(plan, recommendation.directions, policies));
    }
    sheets.sort_by(|a, b| (&a.namespace, a.purpose, &a.key).cmp(&(&b.namespace, b.purpose, &b.key)));
    sheets
}

/// What nothing closes since a person rejected the policies that did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Opened {
    /// Workloads, and whether their egress stays closed but for name resolution, whose policy was not rejected.
    pub workloads: BTreeMap<String, bool>,
    /// Namespaces, for what no policy of a workload selects.
    pub namespaces: BTreeSet<String>,
}

impl Opened {
    /// Each in words.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        let workload = |(name, resolves): (&String, &bool)| {
            let rest = if *resolves { " (its egress stays closed but for name resolution)" } else { "" };
            format!("{name}{rest}")
        };
        let rest = self.namespaces.iter().map(|name| format!("{name}: what no other policy selects"));
        self.workloads.iter().map(workload).chain(rest).collect()
    }
}

/// What nothing closes since a person rejected the policies that did: workloads, and the rest of namespaces.
#[must_use]
pub fn opened(sheets: &[Sheet]) -> Opened {
    let is_closed = |namespace: &str| {
        let mut closing = sheets.iter().filter(|sheet| sheet.purpose == Purpose::Deny && sheet.namespace == namespace);
        closing.any(|sheet| sheet.object.is_some())
    };
    let there = |purpose: Purpose| -> BTreeSet<&WorkloadRef> {
        let sheets = sheets.iter().filter(|sheet| sheet.purpose == purpose && sheet.object.is_some());
        sheets.flat_map(|sheet| &sheet.members).collect()
    };
    let (closed, resolving) = (there(Purpose::Group), there(Purpose::Dns));
    let mut opened = Opened::default();
    for sheet in sheets.iter().filter(|sheet| sheet.object.is_none() && !is_closed(&sheet.namespace)) {
        match sheet.purpose {
            Purpose::Deny => drop(opened.namespaces.insert(sheet.namespace.clone())),
            Purpose::Group => {
                let members = sheet.members.iter().filter(|it| !closed.contains(it));
                opened.workloads.extend(members.map(|it| (it.to_string(), resolving.contains(it))));
            }
            _ => {}
        }
    }
    opened
}

/// Workloads of a namespace that nothing closes: not seen enough to be closed, or by decision. What else there is in the
/// namespace is none of them.
#[must_use]
pub fn left_open(plan: &NamespacePlan, sheets: &[Sheet]) -> BTreeSet<String> {
    let of_namespace = format!("{}/", plan.namespace);
    let by_decision = opened(sheets).workloads.into_keys().filter(|it| it.starts_with(&of_namespace));
    let not_seen = plan.groups.iter().filter(|group| group.is_open).flat_map(|group| &group.members);
    not_seen.map(ToString::to_string).chain(by_decision).collect()
}

/// Why a rule deserves a second look, in words.
#[must_use]
pub fn doubts(access: &Access, facts: &Facts) -> Vec<String> {
    super::review::doubts(access, facts)
}

/// On what a rule rests, what it is for, and what it allows besides, in words.
#[must_use]
pub fn rests_on(access: &Access) -> String {
    words::access(access)
}

fn of_namespace(plan: &NamespacePlan, directions: Directions, policies: &Policies) -> Vec<Sheet> {
    let namespace = &plan.namespace;
    let decisions = &policies.decisions;
    let blank = |document: &str, name: &str| {
        let key = PolicyKey::in_file(namespace, document, name);
        let object = policies.written.0.get(&key).map(|written| written.object.clone());
        Sheet {
            key,
            namespace: namespace.clone(),
            name: name.to_owned(),
            purpose: Purpose::Deny,
            members: Vec::new(),
            selects: "all pods".to_owned(),
            directions,
            is_open: false,
            watched: None,
            object,
            rules: Vec::new(),
        }
    };
    let mut sheets = vec![blank("default-deny", "default-deny")];
    let asked = |dns: &Dns, client: &DnsClient| Sheet {
        purpose: Purpose::Dns,
        members: client.members.clone(),
        selects: words::selector(&client.selector),
        directions: Directions::Egress,
        rules: proposed(&dns.asked_by(client), PolicyType::Egress, namespace),
        ..blank("allow-dns", &dns_name(client))
    };
    sheets.extend(plan.dns.iter().flat_map(|dns| dns.clients.iter().map(|client| asked(dns, client))));
    for group in &plan.groups {
        sheets.extend(of_group(plan, group, directions, &blank));
    }
    for sheet in &mut sheets {
        decide(sheet, decisions);
    }
    let known: BTreeSet<PolicyKey> = sheets.iter().map(|sheet| sheet.key.clone()).collect();
    sheets.extend(own(namespace, policies, &known));
    sheets
}

fn of_group(
    plan: &NamespacePlan,
    group: &Group,
    directions: Directions,
    blank: &dyn Fn(&str, &str) -> Sheet,
) -> Vec<Sheet> {
    let mut rules = Vec::new();
    if directions.has_ingress() {
        rules.extend(proposed(&group.ingress, PolicyType::Ingress, &plan.namespace));
    }
    if directions.has_egress() {
        rules.extend(proposed(&group.egress, PolicyType::Egress, &plan.namespace));
    }
    let sheet = |(n, selector)| {
        let name = numbered(&group.name, n);
        Sheet {
            purpose: Purpose::Group,
            members: group.members.clone(),
            selects: words::selector(selector),
            is_open: group.is_open,
            watched: Some(group.watched),
            rules: rules.clone(),
            ..blank(&group.name, &name)
        }
    };
    group.selectors.iter().enumerate().map(sheet).collect()
}

fn proposed(accesses: &Accesses, side: PolicyType, namespace: &str) -> Vec<SheetRule> {
    let port = |(protocol, range): &(Protocol, PortRange)| SheetPort {
        port: peers::port((*protocol, *range)),
        name: words::ports_of_one(*protocol, *range),
        state: State::Proposed,
    };
    let rule = |(peer, access): (&Peer, &Access)| SheetRule {
        side,
        name: words::named(peer, access, namespace),
        peer: Some(peer.clone()),
        peers: peers::peer(peer, namespace),
        ports: access.ports.iter().map(port).collect(),
        access: Some(access.clone()),
    };
    accesses.iter().map(rule).collect()
}

/// Marks what was rejected, and adds what was added.
fn decide(sheet: &mut Sheet, decisions: &Decisions) {
    let key = sheet.key.clone();
    let is_rejected = |side: PolicyType, peer: &Value, port: &Value| {
        decisions.rejects_atom(&key, side, &Atom { peer: peer.clone(), port: port.clone() })
    };
    let rules = std::mem::take(&mut sheet.rules).into_iter();
    sheet.rules = rules.flat_map(|rule| alike(rule, &is_rejected)).collect();
    for rule in &mut sheet.rules {
        for port in &mut rule.ports {
            if !rule.peers.is_empty() && rule.peers.iter().all(|peer| is_rejected(rule.side, peer, &port.port)) {
                port.state = State::Rejected;
            }
        }
    }
    let added = decisions.added.get(&key).into_iter().flatten();
    for (side, one) in added.filter_map(|one| Some((one.side.of_policy()?, one))) {
        let is_proposed = sheet.rules.iter().any(|rule| {
            rule.side == side && rule.peers.contains(&one.peer) && rule.ports.iter().any(|port| port.port == one.port)
        });
        if !is_proposed {
            add(sheet, side, &one.peer, &one.port, State::Added);
        }
    }
}

/// A rule as it is, where its selectors are decided on alike; else a rule for each of them, called by what it selects.
fn alike(rule: SheetRule, is_rejected: &dyn Fn(PolicyType, &Value, &Value) -> bool) -> Vec<SheetRule> {
    let is_mixed = |port: &SheetPort| {
        let mut rejected = rule.peers.iter().map(|peer| is_rejected(rule.side, peer, &port.port));
        rejected.next().is_some_and(|first| rejected.any(|other| other != first))
    };
    if !rule.ports.iter().any(is_mixed) {
        return vec![rule];
    }
    let of_one = |peer: &Value| SheetRule {
        name: format!("{} ({})", rule.name, words::any_peer(peer)),
        peers: vec![peer.clone()],
        ..rule.clone()
    };
    rule.peers.iter().map(of_one).collect()
}

/// Adds a permission to the rule of its peer that is not proposed, made where there is none.
fn add(sheet: &mut Sheet, side: PolicyType, peer: &Value, port: &Value, state: State) {
    let port = SheetPort { port: port.clone(), name: words::any_port(port), state };
    let is_it = |rule: &&mut SheetRule| {
        rule.peer.is_none() && rule.side == side && rule.peers.iter().all(|known| known == peer)
    };
    if let Some(rule) = sheet.rules.iter_mut().find(is_it) {
        rule.ports.push(port);
        return;
    }
    let (name, peers) = (words::any_peer(peer), vec![peer.clone()]);
    sheet.rules.push(SheetRule { side, name, peer: None, peers, ports: vec![port], access: None });
}

/// What a policy of a person's closes: without a word of it ingress, and egress where it has rules for it.
fn directions(object: &Value) -> Directions {
    let spec = &object["spec"];
    let types: Vec<&str> = spec["policyTypes"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    match (types.contains(&"Ingress"), types.contains(&"Egress"), types.is_empty()) {
        (true, true, _) => Directions::Both,
        (false, true, _) => Directions::Egress,
        (_, _, true) if !spec["egress"].is_null() => Directions::Both,
        _ => Directions::Ingress,
    }
}

/// Policies of a person in documents of flowmap's.
fn own(namespace: &str, policies: &Policies, known: &BTreeSet<PolicyKey>) -> Vec<Sheet> {
    let is_own = |key: &&PolicyKey| key.is_policy_of(namespace) && !known.contains(*key);
    let sheet = |key: &PolicyKey| {
        let object = policies.written.0.get(key).map(|written| written.object.clone()).unwrap_or_default();
        let mut sheet = Sheet {
            key: key.clone(),
            namespace: namespace.to_owned(),
            name: key.name().to_owned(),
            purpose: Purpose::Own,
            members: Vec::new(),
            selects: words::any_selector(&object["spec"]["podSelector"]),
            directions: directions(&object),
            is_open: false,
            watched: None,
            object: Some(object.clone()),
            rules: Vec::new(),
        };
        for side in PolicyType::ALL {
            for Atom { peer, port } in atoms(&object["spec"], side) {
                add(&mut sheet, side, &peer, &port, State::Added);
            }
        }
        sheet
    };
    policies.written.0.keys().filter(is_own).map(sheet).collect()
}
