//! Which names pods were answered, and whether Cilium would learn their addresses: it knows names by its DNS proxy alone,
//! which sees what rules of port 53 lead through it.
//!
//! Names come from packets, and whoever can send to a pod can make an answer up. So a name counts where the pod that was
//! answered it called the address so itself, and on the ports alone where it can have done so; and what is here is what a person decides of, with who asked and when, and it
//! is bounded.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use super::{
    Ground, Remark, holds_tcp,
    proxy::{Sight, blocks, covers, holds_dns, is_dns, is_dns_over_udp, is_of_own_node, sight_of, without_dns},
    words,
};
use crate::{
    model::{HostName, Labels, Protocol, Span},
    policy::{IpBlock, NetworkPolicy, Peer, PolicySet, Port, PortMatch, Rule},
};

/// Names of one block that are written: an address with more of them is a front that many share, and none of them tells whose it is.
pub(super) const MAX_OF_BLOCK: usize = 16;

/// Names of one rule that are written: more of them nobody reads before they are applied.
pub(super) const MAX_OF_RULE: usize = 64;

/// That a pod was answered a name over DNS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The pod's namespace.
    pub namespace: String,
    /// What it belongs to, for people.
    pub workload: String,
    /// The labels that it had.
    pub labels: Labels,
    /// Its address.
    pub asker: IpAddr,
    /// The name that it asked for.
    pub name: HostName,
    /// An address that was in the answer.
    pub address: IpAddr,
    /// The first and the last time.
    pub span: Span,
    /// How many answers there were.
    pub times: u64,
    /// The ports of TCP on which the pod can have called the address so itself, over TLS or HTTP; none where it did not: an
    /// answer alone may be anybody's.
    pub used_on: BTreeSet<u16>,
}

/// What pods were answered.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    /// By namespace and address.
    known: BTreeMap<String, BTreeMap<IpAddr, Vec<Answer>>>,
    /// The addresses with names of which is not told who was answered or used them, for too many were.
    crowded: BTreeSet<IpAddr>,
    /// The names that are not to be written.
    left_out: BTreeSet<HostName>,
}

/// On what a name in a rule rests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The name.
    pub name: HostName,
    /// The ports on which it is allowed, or those of its rule where it is not, in words.
    pub ports: String,
    /// Its addresses that the rule allowed already.
    pub addresses: BTreeSet<IpAddr>,
    /// Others that pods of the namespace were answered for it.
    pub also_at: BTreeSet<IpAddr>,
    /// Whose pods were answered it.
    pub askers: BTreeSet<String>,
    /// How many answers they got.
    pub times: u64,
    /// The first and the last.
    pub span: Span,
}

/// Names by the ports of TCP on which they are allowed.
pub(super) type NamesByPorts = BTreeMap<BTreeSet<u16>, Vec<HostName>>;

/// What names make of a policy.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// The names that a rule of egress allows besides, by its place.
    pub names: BTreeMap<usize, NamesByPorts>,
    /// Whether what its pods ask passes the DNS proxy.
    pub is_heard: bool,
    pub remarks: BTreeSet<Remark>,
    pub asked: Vec<Asked>,
    pub unused: Unused,
}

/// Names that pods were answered, and not seen to use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unused {
    /// The first of each rule.
    pub first: Vec<Asked>,
    /// How many more there are.
    pub more: usize,
}

impl Answers {
    /// From single ones, in any order.
    #[must_use]
    pub fn new(answers: impl IntoIterator<Item = Answer>) -> Self {
        let mut all = Self::default();
        for answer in answers.into_iter().filter(|answer| is_outside(&answer.name)) {
            let of_namespace = all.known.entry(answer.namespace.clone()).or_default();
            of_namespace.entry(answer.address).or_default().push(answer);
        }
        all
    }

    /// Adds addresses that many names share: of their names is not told whose they are.
    #[must_use]
    pub fn with_crowded(mut self, addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        self.crowded.extend(addresses);
        self
    }

    /// Adds names that are not to be written.
    #[must_use]
    pub fn without(mut self, names: impl IntoIterator<Item = HostName>) -> Self {
        self.left_out.extend(names);
        self
    }

    /// The names that are not to be written and that no pod was answered: they may be mistyped.
    pub fn never_answered(&self) -> impl Iterator<Item = &HostName> {
        let answers = || self.known.values().flat_map(BTreeMap::values).flatten();
        self.left_out.iter().filter(move |name| !answers().any(|answer| answer.name == **name))
    }

    /// Whether no pod was answered a name of anybody outside.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }
}

/// Whether a name may be somebody's outside of the cluster, and one that `matchName` takes: no single label, which a search
/// path completes, none of this link or this cluster, whatever its domain is called.
fn is_outside(name: &HostName) -> bool {
    let name = name.as_str();
    // `^([-a-zA-Z0-9_]+[.]?)+$`, and 255 bytes at most
    let is_taken = name.len() <= 255
        && name.split('.').all(|label| {
            !label.is_empty() && label.bytes().all(|it| it.is_ascii_alphanumeric() || b"-_".contains(&it))
        });
    let is_inside = ["local", "localhost", "arpa"].iter().any(|last| name.rsplit('.').next() == Some(last));
    is_taken && name.contains('.') && !is_inside && name.split('.').all(|label| label != "svc")
}

/// What names make of each policy, by its full name.
pub(super) fn plans(set: &PolicySet, ground: &Ground, answers: &Answers) -> BTreeMap<String, Plan> {
    let mut by_namespace: BTreeMap<&str, Vec<&NetworkPolicy>> = BTreeMap::new();
    for policy in &set.policies {
        by_namespace.entry(&policy.namespace).or_default().push(policy);
    }
    let none = BTreeMap::new();
    let mut plans = BTreeMap::new();
    for (namespace, policies) in by_namespace {
        let room = Room::new(policies, answers, answers.known.get(namespace).unwrap_or(&none), ground);
        let mut own: Vec<(&NetworkPolicy, Plan)> = room.policies.iter().map(|policy| room.plan(policy)).collect();
        let askers = room.askers(namespace, &own);
        for (policy, plan) in &mut own {
            if askers.iter().any(|labels| policy.pod_selector.matches(labels)) {
                room.listen(policy, plan);
            }
        }
        plans.extend(own.into_iter().map(|(policy, plan)| (policy.full_name(), plan)));
    }
    plans
}

/// One namespace.
struct Room<'a> {
    policies: Vec<&'a NetworkPolicy>,
    all: &'a Answers,
    answers: &'a BTreeMap<IpAddr, Vec<Answer>>,
    /// The addresses that names had.
    addresses: BTreeMap<&'a HostName, BTreeSet<IpAddr>>,
    ground: &'a Ground,
    /// What is seen of pods with these labels.
    sights: BTreeMap<&'a Labels, Sight>,
}

/// What was answered of one block, by name.
type Found<'a> = BTreeMap<&'a HostName, Vec<&'a Answer>>;

impl<'a> Room<'a> {
    fn new(
        policies: Vec<&'a NetworkPolicy>,
        all: &'a Answers,
        answers: &'a BTreeMap<IpAddr, Vec<Answer>>,
        ground: &'a Ground,
    ) -> Self {
        let mut addresses: BTreeMap<&HostName, BTreeSet<IpAddr>> = BTreeMap::new();
        for answer in answers.values().flatten() {
            addresses.entry(&answer.name).or_default().insert(answer.address);
        }
        let mut room = Self { policies, all, answers, addresses, ground, sights: BTreeMap::new() };
        let askers: BTreeSet<&Labels> = answers.values().flatten().map(|answer| &answer.labels).collect();
        room.sights = askers.into_iter().map(|labels| (labels, room.sight(labels))).collect();
        room
    }

    fn sight(&self, labels: &Labels) -> Sight {
        let own = self.policies.iter().filter(|policy| policy.pod_selector.matches(labels));
        let rules = own.flat_map(|policy| egress(policy)).filter(|rule| rule.ports.iter().any(is_dns_over_udp));
        rules.map(|rule| sight_of(rule, self.ground)).max().unwrap_or(Sight::None)
    }

    /// The names of a policy's rules.
    fn plan(&self, policy: &'a NetworkPolicy) -> (&'a NetworkPolicy, Plan) {
        let mut plan = Plan::default();
        for (place, rule) in egress(policy).iter().enumerate() {
            // whom names are asked of must be known without one
            if !without_dns(&rule.ports).is_empty() {
                self.plan_rule(policy, (place, rule), &mut plan);
            }
        }
        (policy, plan)
    }

    fn plan_rule(&self, policy: &NetworkPolicy, (place, rule): (usize, &Rule), plan: &mut Plan) {
        let mut sorted = Sorted::default();
        // not so many ports as its addresses have
        let ports = without_dns(&rule.ports);
        for block in outside(rule, self.ground) {
            self.sort(policy, (block, &ports), &mut sorted);
        }
        sorted.bound();
        plan.remarks.extend(sorted.remarks(&words(&rule.ports)));
        let names = sorted.names(&ports);
        for (numbers, names) in &names {
            let ports = words(&tcp_ports(numbers));
            plan.remarks.insert(Remark::LaterAddresses { ports, names: names.clone() });
        }
        plan.remarks.extend(sorted.on_some_ports(&rule.ports, &names));
        plan.asked.extend(sorted.found.iter().filter_map(|(name, answers)| {
            Asked::of(name, &words(&tcp_ports(&used_on(answers, &ports))), answers, &self.addresses)
        }));
        sorted.alone.retain(|name, _| !sorted.found.contains_key(name));
        let ports = words(&ports);
        let unused = sorted.alone.iter().take(MAX_OF_RULE);
        plan.unused
            .first
            .extend(unused.filter_map(|(name, answers)| Asked::of(name, &ports, answers, &self.addresses)));
        if !names.is_empty() {
            plan.names.insert(place, names);
        }
        plan.unused.more += sorted.alone.len().saturating_sub(MAX_OF_RULE);
    }

    fn sort(&self, policy: &NetworkPolicy, (block, ports): (&IpBlock, &[Port]), sorted: &mut Sorted<'a>) {
        let cidr = block.cidr.to_string();
        let mut seen = self.answered(policy, block, Sight::Seen);
        let is_answered = !seen.is_empty();
        seen.retain(|name, _| !self.all.left_out.contains(*name));
        let is_wanted = !seen.is_empty();
        let alone = take_unused(&mut seen, ports);
        for (name, answers) in alone {
            sorted.alone.entry(name).or_default().extend(answers);
        }
        if seen.is_empty() {
            let place = if self.is_crowded(block) {
                &mut sorted.crowded
            } else if is_wanted {
                &mut sorted.unused
            } else if is_answered {
                &mut sorted.left_out
            } else if self.answered(policy, block, Sight::None).is_empty() {
                &mut sorted.unknown
            } else if self.answered(policy, block, Sight::OwnNode).is_empty() {
                &mut sorted.unasked
            } else {
                &mut sorted.of_own_node
            };
            place.push(cidr);
        } else if seen.len() > MAX_OF_BLOCK {
            sorted.many.push(cidr);
        } else {
            sorted.named.push(cidr);
            for (name, answers) in seen {
                sorted.found.entry(name).or_default().extend(answers);
            }
        }
    }

    /// Whether names of a block are known, and not whose.
    fn is_crowded(&self, block: &IpBlock) -> bool {
        let within = self.all.crowded.range(block.cidr.network()..=block.cidr.broadcast());
        within.into_iter().any(|address| block.contains(*address))
    }

    /// What pods of a policy were answered with an address of a block, of whose asking at least so much is seen.
    fn answered(&self, policy: &NetworkPolicy, block: &IpBlock, least: Sight) -> Found<'a> {
        let mut found = Found::new();
        let within = self.answers.range(block.cidr.network()..=block.cidr.broadcast());
        for answer in within.filter(|(address, _)| block.contains(**address)).flat_map(|(_, answers)| answers) {
            let is_seen = self.sights.get(&answer.labels).is_some_and(|sight| *sight >= least);
            if is_seen && policy.pod_selector.matches(&answer.labels) {
                found.entry(&answer.name).or_default().push(answer);
            }
        }
        found
    }

    /// The labels of pods that names are allowed to: of those that asked, and of those that are there.
    fn askers<'s>(&'s self, namespace: &str, plans: &[(&NetworkPolicy, Plan)]) -> BTreeSet<&'s Labels> {
        let known = self.sights.keys().copied().chain(self.ground.labels_in(namespace));
        let has_names = |labels: &&Labels| {
            plans.iter().any(|(policy, plan)| !plan.names.is_empty() && policy.pod_selector.matches(labels))
        };
        known.filter(has_names).collect()
    }

    /// Leads what the pods of a policy ask through the proxy, as far as that can be.
    fn listen(&self, policy: &NetworkPolicy, plan: &mut Plan) {
        let asks = egress(policy).iter().filter(|rule| rule.ports.iter().any(is_dns));
        for rule in asks {
            if sight_of(rule, self.ground) == Sight::Seen {
                plan.is_heard = true;
                plan.remarks.insert(Remark::ThroughProxy);
            }
            if blocks(rule).any(|block| is_of_own_node(block, self.ground)) {
                plan.remarks.insert(Remark::OwnNodeDns);
            }
        }
        let asked = self.policies.iter().flat_map(|policy| egress(policy));
        let asked: Vec<&Peer> =
            asked.filter(|rule| rule.ports.iter().any(is_dns)).flat_map(|rule| &rule.peers).collect();
        let is_asked = |peer: &Peer| asked.iter().any(|asked| covers(peer, asked));
        let goes_there = |rule: &&Rule| rule.peers.is_empty() || rule.peers.iter().any(is_asked);
        let wide = egress(policy).iter().filter(|rule| holds_dns(rule)).find(goes_there);
        if let Some(rule) = wide {
            plan.remarks.insert(Remark::BesidesProxy { ports: words(&rule.ports) });
        }
    }
}

/// Single ports of TCP.
pub(super) fn tcp_ports(numbers: &BTreeSet<u16>) -> Vec<Port> {
    let one = |number: &u16| Port { protocol: Protocol::TCP, ports: PortMatch::Range(*number, *number) };
    numbers.iter().map(one).collect()
}

/// On which of these ports a name can have been used.
fn used_on(answers: &[&Answer], ports: &[Port]) -> BTreeSet<u16> {
    let used = answers.iter().flat_map(|answer| &answer.used_on).copied();
    used.filter(|number| ports.iter().any(|port| holds_tcp(port, *number))).collect()
}

/// Takes what no pod used on these ports that was answered it, and leaves of the others the answers to those that did.
fn take_unused<'a>(found: &mut Found<'a>, ports: &[Port]) -> Found<'a> {
    let mut unused = Found::new();
    found.retain(|name, answers| {
        let is_used = !used_on(answers, ports).is_empty();
        if is_used {
            answers.retain(|answer| !used_on(&[*answer], ports).is_empty());
        } else {
            unused.insert(name, std::mem::take(answers));
        }
        is_used
    });
    unused
}

/// The blocks outside of one rule.
#[derive(Default)]
struct Sorted<'a> {
    /// Of which no name is known.
    unknown: Vec<String>,
    /// Of whose names no pod may ask where the proxy sees it.
    unasked: Vec<String>,
    /// Of whose names pods may ask on their own node, where the proxy does not see it.
    of_own_node: Vec<String>,
    /// With names that were not seen in use.
    unused: Vec<String>,
    /// With names that are not to be written.
    left_out: Vec<String>,
    /// With names of so many that it is not told who they are.
    crowded: Vec<String>,
    /// With too many names.
    many: Vec<String>,
    /// With names.
    named: Vec<String>,
    found: Found<'a>,
    /// What was answered and not seen in use.
    alone: Found<'a>,
}

impl Sorted<'_> {
    fn bound(&mut self) {
        if self.found.len() > MAX_OF_RULE {
            self.many.append(&mut self.named);
            self.found.clear();
        }
    }

    fn names(&self, ports: &[Port]) -> NamesByPorts {
        let mut names = NamesByPorts::new();
        for (name, answers) in &self.found {
            names.entry(used_on(answers, ports)).or_default().push((*name).clone());
        }
        names
    }

    /// What to say where a rule has names, and not on all of its ports.
    fn on_some_ports(&self, ports: &[Port], names: &NamesByPorts) -> Option<Remark> {
        let used: BTreeSet<u16> = names.keys().flatten().copied().collect();
        let is_whole = |port: &Port| match port.ports {
            PortMatch::Range(first, last) if port.protocol == Protocol::TCP => {
                (first..=last).all(|it| used.contains(&it))
            }
            _ => false,
        };
        let is_some = !used.is_empty() && !without_dns(ports).iter().all(is_whole);
        let cidrs = self.named.clone();
        is_some.then(|| Remark::OnSomePorts { ports: words(ports), named: words(&tcp_ports(&used)), cidrs })
    }

    fn remarks(&mut self, ports: &str) -> Vec<Remark> {
        let mut remarks = Vec::new();
        let mut tell = |cidrs: &mut Vec<String>, remark: fn(String, Vec<String>) -> Remark| {
            if !cidrs.is_empty() {
                remarks.push(remark(ports.to_owned(), std::mem::take(cidrs)));
            }
        };
        tell(&mut self.unknown, |ports, cidrs| Remark::NoName { ports, cidrs });
        tell(&mut self.many, |ports, cidrs| Remark::ManyNames { ports, cidrs });
        tell(&mut self.unasked, |ports, cidrs| Remark::NotHeard { ports, cidrs, asks_own_node: false });
        tell(&mut self.of_own_node, |ports, cidrs| Remark::NotHeard { ports, cidrs, asks_own_node: true });
        tell(&mut self.unused, |ports, cidrs| Remark::NotUsed { ports, cidrs });
        tell(&mut self.left_out, |ports, cidrs| Remark::LeftOut { ports, cidrs });
        tell(&mut self.crowded, |ports, cidrs| Remark::Crowded { ports, cidrs });
        remarks
    }
}

impl Asked {
    fn of(
        name: &HostName,
        ports: &str,
        answers: &[&Answer],
        known: &BTreeMap<&HostName, BTreeSet<IpAddr>>,
    ) -> Option<Self> {
        let span = Span::over(answers.iter().map(|answer| answer.span))?;
        // an answer with several addresses was heard once
        let mut times: BTreeMap<IpAddr, u64> = BTreeMap::new();
        for answer in answers {
            let most = times.entry(answer.asker).or_default();
            *most = answer.times.max(*most);
        }
        let addresses: BTreeSet<IpAddr> = answers.iter().map(|answer| answer.address).collect();
        let also_at = known.get(name).map(|all| all.difference(&addresses).copied().collect());
        Some(Self {
            name: name.clone(),
            ports: ports.to_owned(),
            also_at: also_at.unwrap_or_default(),
            addresses,
            askers: answers.iter().map(|answer| answer.workload.clone()).collect(),
            times: times.into_values().fold(0, u64::saturating_add),
            span,
        })
    }
}

fn egress(policy: &NetworkPolicy) -> &[Rule] {
    policy.egress.as_deref().unwrap_or_default()
}

/// The blocks of a rule in which nobody of the cluster can be.
fn outside<'r>(rule: &'r Rule, ground: &Ground) -> impl Iterator<Item = &'r IpBlock> {
    blocks(rule).filter(|block| ground.is_outside(block))
}
