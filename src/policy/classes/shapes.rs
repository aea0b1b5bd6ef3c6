//! Ends by what policies may look at, and which policies and peers each of them matches.

use std::net::IpAddr;

use foldhash::HashMap;

use super::{
    DIRECTIONS, End, Interned, Kind,
    rules::{Atom, Rules, rarest},
};
use crate::{
    model::{Labels, Protocol},
    policy::{ClusterPeer, Evaluator, PodsOf, Selector, addresses::Partition, end::Families, evaluate::Match},
};

/// The numbers of port names at a server: (name, protocol, port), in order.
pub(super) type Ports = Vec<(u32, Protocol, u16)>;

/// What policies may look at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Shape<'a> {
    /// The namespace, for ends that selectors see.
    namespace: Option<&'a str>,
    /// Its labels that any selector names.
    labels: Vec<(&'a str, &'a str)>,
    ports: Ports,
    /// The pieces of the address space that its addresses lie in, where `ipBlock`s may cover them.
    pieces: Vec<u32>,
    /// What policies of whole clusters look at besides, where there are any.
    wide: Option<WideShape>,
}

/// What policies of whole clusters look at besides.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct WideShape {
    is_pod: bool,
    /// Whether it shares its node's network: then it is no pod to them.
    is_at_node: bool,
    /// The pieces of the address space that its addresses lie in.
    pieces: Vec<u32>,
}

/// All shapes of the given ends.
pub(super) struct Shapes<'a> {
    /// For each end its shape.
    pub of_ends: Vec<u32>,
    all: Vec<Shape<'a>>,
    /// For each shape all labels of some end that has it.
    labels: Vec<&'a Labels>,
    partition: Partition,
    index: Index<'a>,
}

/// Which shapes have what.
#[derive(Default)]
struct Index<'a> {
    by_namespace: HashMap<&'a str, Vec<u32>>,
    by_label: HashMap<(&'a str, &'a str), Vec<u32>>,
}

/// One direction: who is subject to what, and who is which peer.
pub(super) struct Side {
    pub direction: usize,
    pub subjects: Vec<Subject>,
    pub peers: Vec<PeerKind>,
}

/// Whom policies apply to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Subject {
    /// The policies that isolate it, by place.
    pub policies: Vec<u32>,
    /// The policies of whole clusters that apply to it, by place.
    pub wide: Vec<u32>,
    /// Its ports where names are resolved there.
    pub ports: Ports,
}

/// Whom rules name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct PeerKind {
    /// The atoms that it matches.
    pub atoms: Vec<u32>,
    /// Those that it may match.
    pub maybe: Vec<u32>,
    /// Its ports where names are resolved there.
    pub ports: Ports,
}

/// The atoms that a shape matches, and those that it may.
#[derive(Clone, Debug, Default)]
struct Matched {
    sure: Vec<u32>,
    maybe: Vec<u32>,
}

static NO_LABELS: Labels = Labels(std::collections::BTreeMap::new());

impl<'a> Shapes<'a> {
    pub fn new(evaluator: &Evaluator<'_>, rules: &Rules<'a>, ends: &'a [End]) -> Self {
        let partition = Partition::new(evaluator.ranges());
        let mut interned = Interned::default();
        let mut labels: Vec<&Labels> = Vec::new();
        let mut of_ends = Vec::with_capacity(ends.len());
        for end in ends {
            let id = interned.id(shape(evaluator, rules, &partition, end));
            of_ends.push(id);
            if id as usize == labels.len() {
                labels.push(match end {
                    End::Pod(pod) => &pod.labels,
                    End::Address(_) => &NO_LABELS,
                });
            }
        }
        let all: Vec<Shape> = interned.values;
        let mut index = Index::default();
        for (shape, n) in all.iter().zip(0u32..) {
            let Some(namespace) = shape.namespace else { continue };
            index.by_namespace.entry(namespace).or_default().push(n);
            for label in &shape.labels {
                index.by_label.entry(*label).or_default().push(n);
            }
        }
        Self { of_ends, all, labels, partition, index }
    }

    /// What each shape is in both directions.
    pub fn sides(&self, evaluator: &Evaluator<'_>, rules: &Rules<'_>) -> (Vec<Kind>, [Side; 2]) {
        let mut kinds = vec![Kind { subject: [0; 2], peer: [0; 2], families: Families::BOTH }; self.all.len()];
        let sides = [0, 1].map(|direction| {
            let isolating = self.isolating(rules, direction);
            let matched = self.matched(evaluator, &rules.atoms[direction]);
            // port names are the server's, who is the peer of egress and the subject of ingress
            let is_egress = direction == 0;
            let (mut subjects, mut peers) = (Interned::default(), Interned::default());
            subjects.id(Subject::default());
            let applying = self.applying(evaluator, rules, direction);
            for (n, ((policies, wide), matched)) in isolating.into_iter().zip(applying).zip(matched).enumerate() {
                let ports = &self.all[n].ports;
                let is_open = policies.is_empty() && wide.is_empty();
                let at_subject = if is_egress || is_open { Ports::new() } else { ports.clone() };
                let at_peer = if is_egress { ports.clone() } else { Ports::new() };
                kinds[n].subject[direction] = subjects.id(Subject { policies, wide, ports: at_subject });
                let Matched { sure: atoms, maybe } = matched;
                kinds[n].peer[direction] = peers.id(PeerKind { atoms, maybe, ports: at_peer });
            }
            Side { direction, subjects: subjects.values, peers: peers.values }
        });
        (kinds, sides)
    }

    /// For each shape the policies that isolate it.
    fn isolating(&self, rules: &Rules<'_>, direction: usize) -> Vec<Vec<u32>> {
        let mut isolating = vec![Vec::new(); self.all.len()];
        for (policy, n) in rules.policies.iter().zip(0u32..) {
            if policy.rules(DIRECTIONS[direction]).is_some() {
                self.select(&[policy.namespace.as_str()], &policy.pod_selector, |shape| isolating[shape].push(n));
            }
        }
        isolating
    }

    /// For each shape the policies of whole clusters that apply to it.
    fn applying(&self, evaluator: &Evaluator<'_>, rules: &Rules<'_>, direction: usize) -> Vec<Vec<u32>> {
        let mut applying = vec![Vec::new(); self.all.len()];
        for (policy, n) in rules.wide.iter().zip(0u32..) {
            if !policy.rules[direction].is_empty() {
                self.select_wide(evaluator, &policy.policy.subject, |shape| applying[shape].push(n));
            }
        }
        applying
    }

    /// Finds the shapes that policies of whole clusters mean by some pods.
    fn select_wide(&self, evaluator: &Evaluator<'_>, pods: &PodsOf, mut found: impl FnMut(usize)) {
        let within = self.within(evaluator, &pods.namespaces);
        let is_at_node = |shape: usize| self.all[shape].wide.as_ref().is_some_and(|wide| wide.is_at_node);
        self.select(&within, &pods.pods, |shape| {
            if !is_at_node(shape) {
                found(shape);
            }
        });
    }

    /// The namespaces that a selector selects, in order.
    fn within(&self, evaluator: &Evaluator<'_>, selector: &Selector) -> Vec<&'a str> {
        let all = self.index.by_namespace.keys().copied();
        let mut within: Vec<&str> = all.filter(|name| selector.matches(&evaluator.namespace_labels(name))).collect();
        within.sort_unstable();
        within
    }

    /// For each shape the atoms that it matches, and those that it may match.
    fn matched(&self, evaluator: &Evaluator<'_>, atoms: &[Atom<'_>]) -> Vec<Matched> {
        let mut matched = vec![Matched::default(); self.all.len()];
        let mut namespaces: HashMap<&Selector, Vec<&str>> = HashMap::default();
        let mut by_piece: HashMap<u32, Vec<u32>> = HashMap::default();
        for (n, shape) in (0u32..).zip(&self.all) {
            for piece in &shape.pieces {
                by_piece.entry(*piece).or_default().push(n);
            }
        }
        for (atom, n) in atoms.iter().zip(0u32..) {
            match atom {
                Atom::Own(namespace, pods) => self.select(&[*namespace], pods, |shape| matched[shape].sure.push(n)),
                Atom::Selected(selector, pods) => {
                    let within = namespaces.entry(*selector).or_insert_with(|| self.within(evaluator, selector));
                    self.select(within, pods, |shape| matched[shape].sure.push(n));
                }
                Atom::Block(block) => {
                    for (piece, shapes) in &by_piece {
                        if block.contains(self.partition.range(*piece as usize).first) {
                            for shape in shapes {
                                // a shape with addresses in several pieces of the block matches once
                                let atoms = &mut matched[*shape as usize].sure;
                                if atoms.last() != Some(&n) {
                                    atoms.push(n);
                                }
                            }
                        }
                    }
                }
                Atom::Wide(ClusterPeer::Pods(pods)) => {
                    self.select_wide(evaluator, pods, |shape| matched[shape].sure.push(n));
                }
                Atom::Wide(peer) => {
                    for (shape, atoms) in self.all.iter().zip(&mut matched) {
                        match self.is_outside_peer(evaluator, peer, shape) {
                            Match::No => {}
                            Match::Maybe => atoms.maybe.push(n),
                            Match::Yes => atoms.sure.push(n),
                        }
                    }
                }
            }
        }
        matched
    }

    /// Whether a shape is a peer that is known by its addresses: as [`Evaluator::is_cluster_peer`] has it of ends.
    fn is_outside_peer(&self, evaluator: &Evaluator<'_>, peer: &ClusterPeer, shape: &Shape<'_>) -> Match {
        let Some(WideShape { is_pod, is_at_node, pieces }) = &shape.wide else { return Match::No };
        let addresses = || pieces.iter().map(|piece| self.partition.range(*piece as usize).first);
        match peer {
            ClusterPeer::Networks(networks) if pieces.is_empty() => {
                if ClusterPeer::holds_all(networks) {
                    Match::Yes
                } else {
                    Match::Maybe
                }
            }
            ClusterPeer::Networks(networks) => {
                let is_in = |address: IpAddr| networks.iter().any(|network| network.contains(&address));
                if addresses().any(is_in) { Match::Yes } else { Match::No }
            }
            ClusterPeer::Nodes(_) if pieces.is_empty() => {
                if *is_at_node {
                    Match::Maybe
                } else {
                    Match::No
                }
            }
            ClusterPeer::Nodes(selector) => {
                addresses().map(|address| evaluator.is_node_of(selector, address)).max().unwrap_or(Match::No)
            }
            ClusterPeer::Names(_) => {
                let is_stranger = !is_pod && !addresses().any(|address| evaluator.is_node(address));
                if is_stranger { Match::Maybe } else { Match::No }
            }
            ClusterPeer::Pods(_) => Match::No,
        }
    }

    /// Finds the shapes of some namespaces, named in order, that a selector of pods selects.
    fn select(&self, namespaces: &[&str], selector: &Selector, mut found: impl FnMut(usize)) {
        let of_namespace = |name: &&str| self.index.by_namespace.get(*name).map(Vec::as_slice).unwrap_or_default();
        let inside: usize = namespaces.iter().map(|name| of_namespace(name).len()).sum();
        let having = |key: &str, value: &str| self.index.by_label.get(&(key, value)).map_or(0, Vec::len);
        match rarest(selector, having) {
            Some((key, values, count)) if count < inside => {
                for shape in values.iter().filter_map(|value| self.index.by_label.get(&(key, value.as_str()))).flatten()
                {
                    let shape = *shape as usize;
                    let namespace = self.all[shape].namespace.unwrap_or_default();
                    if namespaces.binary_search(&namespace).is_ok() && selector.matches(self.labels[shape]) {
                        found(shape);
                    }
                }
            }
            _ => {
                for shape in namespaces.iter().flat_map(of_namespace) {
                    let shape = *shape as usize;
                    if selector.matches(self.labels[shape]) {
                        found(shape);
                    }
                }
            }
        }
    }
}

fn shape<'a>(evaluator: &Evaluator<'_>, rules: &Rules<'_>, partition: &Partition, end: &'a End) -> Shape<'a> {
    let addresses = evaluator.plain_addresses(end);
    #[expect(clippy::cast_possible_truncation, reason = "policies name fewer ranges than that")]
    let mut pieces: Vec<u32> = addresses.iter().map(|address| partition.at(*address) as u32).collect();
    pieces.sort_unstable();
    pieces.dedup();
    let wide = (!rules.wide.is_empty()).then(|| wide_shape(partition, end));
    let End::Pod(pod) = end else {
        return Shape { namespace: None, labels: Vec::new(), ports: Vec::new(), pieces, wide };
    };
    let number = |port: &crate::model::ContainerPort| {
        let name = rules.names.get(&(port.protocol, port.name.as_deref()?))?;
        Some((*name, port.protocol, port.port))
    };
    let mut ports: Ports = evaluator.named_ports(end).iter().filter_map(number).collect();
    ports.sort_unstable();
    ports.dedup();
    let is_seen = evaluator.is_selectable(pod);
    let labels = pod.labels.0.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    let labels = labels.filter(|(key, _)| is_seen && rules.keys.contains(key)).collect();
    Shape { namespace: is_seen.then_some(pod.namespace.as_str()), labels, ports, pieces, wide }
}

fn wide_shape(partition: &Partition, end: &End) -> WideShape {
    let (addresses, is_pod, is_at_node) = match end {
        End::Address(address) => (std::slice::from_ref(address), false, false),
        End::Pod(pod) => (&pod.addresses[..], true, pod.host_network),
    };
    #[expect(clippy::cast_possible_truncation, reason = "policies name fewer ranges than that")]
    let mut pieces: Vec<u32> = addresses.iter().map(|address| partition.at(address.to_canonical()) as u32).collect();
    pieces.sort_unstable();
    pieces.dedup();
    WideShape { is_pod, is_at_node, pieces }
}
