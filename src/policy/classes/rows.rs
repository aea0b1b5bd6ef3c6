//! For each subject the ports that are open with each peer.

use std::{collections::BTreeMap, rc::Rc};

use foldhash::HashMap;

use crate::{model::Protocol, policy::Action};

use super::{
    PortSet,
    rules::{CompiledPorts, Rules, Wide},
    shapes::{Ports, Side, Subject},
    table::{EVERYTHING, NOTHING, PortSets, SetId},
};

/// What a subject opens: to peers named here, and to all others.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub others: SetId,
    /// By peer, in order.
    pub peers: Vec<(u32, SetId)>,
}

impl Row {
    /// What is open with a peer.
    pub fn with(&self, peer: u32) -> SetId {
        match self.peers.binary_search_by_key(&peer, |(peer, _)| *peer) {
            Ok(place) => self.peers[place].1,
            Err(_) => self.others,
        }
    }
}

/// The rows of all subjects of a direction.
pub(super) fn rows(rules: &Rules<'_>, side: &Side, sets: &mut PortSets) -> Vec<Row> {
    let count = rules.atoms[side.direction].len();
    let (mut by_atom, mut by_doubt) = (vec![Vec::new(); count], vec![Vec::new(); count]);
    for (peer, kind) in (0u32..).zip(&side.peers) {
        for (atoms, peers) in [(&kind.atoms, &mut by_atom), (&kind.maybe, &mut by_doubt)] {
            for atom in atoms {
                peers[*atom as usize].push(peer);
            }
        }
    }
    let open = vec![NOTHING; side.peers.len()];
    let (touched, groups) = (Vec::new(), HashMap::default());
    let mut builder = Builder { rules, side, by_atom, by_doubt, sets, open, touched, groups };
    side.subjects.iter().map(|subject| builder.row(subject)).collect()
}

struct Builder<'a> {
    rules: &'a Rules<'a>,
    side: &'a Side,
    /// The peers that match each atom.
    by_atom: Vec<Vec<u32>>,
    /// The peers that may match it.
    by_doubt: Vec<Vec<u32>>,
    sets: &'a mut PortSets,
    /// What the subject at hand opens to each peer.
    open: Vec<SetId>,
    /// The peers to which it opens anything.
    touched: Vec<u32>,
    /// By the policies of whole clusters that apply to a subject, whom their rules are about.
    groups: HashMap<Vec<u32>, Rc<Groups>>,
}

/// A rule of a policy of the whole cluster that is about a peer, by its place among those of the subject, and whether it surely
/// is.
type Met = (u32, bool);

impl Builder<'_> {
    fn row(&mut self, subject: &Subject) -> Row {
        let own = self.network_row(subject);
        if subject.wide.is_empty() { own } else { self.wide_row(subject, &own) }
    }

    /// What NetworkPolicies open.
    fn network_row(&mut self, Subject { policies, ports, .. }: &Subject) -> Row {
        if policies.is_empty() {
            return Row { others: EVERYTHING, peers: Vec::new() };
        }
        let rules = &self.rules.compiled[self.side.direction];
        let is_egress = self.side.direction == 0;
        let mut others = NOTHING;
        for rule in policies.iter().filter_map(|policy| rules[*policy as usize].as_ref()).flatten() {
            let mut fixed = rule.ports.numbered.clone();
            if !is_egress {
                fixed = fixed.union(&resolved(&rule.ports, ports));
            }
            let fixed = self.sets.id(fixed);
            let by_peer = is_egress && !rule.ports.named.is_empty();
            match &rule.peers {
                None => {
                    others = self.sets.union(others, fixed);
                    if by_peer {
                        for peer in (0u32..).take(self.side.peers.len()) {
                            self.add(peer, NOTHING, &rule.ports);
                        }
                    }
                }
                Some(atoms) => {
                    for atom in atoms {
                        for n in 0..self.by_atom[*atom as usize].len() {
                            let peer = self.by_atom[*atom as usize][n];
                            if by_peer { self.add(peer, fixed, &rule.ports) } else { self.open_to(peer, fixed) }
                        }
                    }
                }
            }
        }
        self.touched.sort_unstable();
        let mut peers = Vec::with_capacity(self.touched.len());
        for peer in std::mem::take(&mut self.touched) {
            let set = std::mem::replace(&mut self.open[peer as usize], NOTHING);
            let set = self.sets.union(set, others);
            if set != others {
                peers.push((peer, set));
            }
        }
        Row { others, peers }
    }

    /// Opens to a peer what a rule names by number, and by names as the peer gives them.
    fn add(&mut self, peer: u32, fixed: SetId, ports: &CompiledPorts) {
        let named = resolved(ports, &self.side.peers[peer as usize].ports);
        let named = self.sets.id(named);
        let set = self.sets.union(fixed, named);
        self.open_to(peer, set);
    }

    fn open_to(&mut self, peer: u32, set: SetId) {
        let before = self.open[peer as usize];
        if before == NOTHING && set != NOTHING {
            self.touched.push(peer);
        }
        self.open[peer as usize] = self.sets.union(before, set);
    }

    /// What is open once the tiers around NetworkPolicies have had their say: these open `own`.
    fn wide_row(&mut self, subject: &Subject, own: &Row) -> Row {
        let all_rules = self.rules;
        let policies = subject.wide.iter().map(|n| &all_rules.wide[*n as usize]);
        let rules: Vec<(bool, &Wide)> = policies
            .flat_map(|policy| policy.rules[self.side.direction].iter().map(|rule| (policy.is_admin, rule)))
            .collect();
        let groups = self.groups(subject, &rules);
        let is_egress = self.side.direction == 0;
        let fixed = |(_, wide): &(bool, &Wide)| {
            let ports = &wide.rule.ports;
            if is_egress { ports.numbered.clone() } else { ports.numbered.union(&resolved(ports, &subject.ports)) }
        };
        let fixed: Vec<PortSet> = rules.iter().map(fixed).collect();
        let mut peers: Vec<(u32, SetId)> =
            own.peers.iter().filter(|(peer, _)| !groups.is_met[*peer as usize]).copied().collect();
        for (met, of_group) in &groups.all {
            // names are the server's: what two of them give is not the same
            let has_names = |(n, _): &Met| !rules[*n as usize].1.rule.ports.named.is_empty();
            let is_by_peer = is_egress && met.iter().any(has_names);
            let mut known: HashMap<SetId, SetId> = HashMap::default();
            for peer in of_group {
                let before = own.with(*peer);
                if let Some(set) = known.get(&before).filter(|_| !is_by_peer) {
                    peers.push((*peer, *set));
                    continue;
                }
                let step = |(n, is_sure): &Met| {
                    let (is_admin, wide) = rules[*n as usize];
                    let mut ports = fixed[*n as usize].clone();
                    if is_by_peer {
                        ports = ports.union(&resolved(&wide.rule.ports, &self.side.peers[*peer as usize].ports));
                    }
                    Step { is_admin, action: wide.action, ports, is_sure: *is_sure }
                };
                let isolated = (!subject.policies.is_empty()).then(|| self.sets.get(before));
                let open = judged(met.iter().map(step), isolated);
                let set = self.sets.id(open);
                known.insert(before, set);
                peers.push((*peer, set));
            }
        }
        peers.retain(|(_, set)| *set != own.others);
        peers.sort_unstable();
        Row { others: own.others, peers }
    }

    /// The peers that the rules for a subject are about: most subjects are under the same policies.
    fn groups(&mut self, subject: &Subject, rules: &[(bool, &Wide)]) -> Rc<Groups> {
        if let Some(known) = self.groups.get(&subject.wide) {
            return Rc::clone(known);
        }
        let mut met: BTreeMap<u32, Vec<Met>> = BTreeMap::new();
        for ((_, wide), n) in rules.iter().zip(0u32..) {
            for atom in wide.rule.peers.iter().flatten() {
                for (peers, is_sure) in [(&self.by_atom, true), (&self.by_doubt, false)] {
                    for peer in &peers[*atom as usize] {
                        let of_peer = met.entry(*peer).or_default();
                        match of_peer.last_mut().filter(|(last, _)| *last == n) {
                            Some((_, sure)) => *sure |= is_sure,
                            None => of_peer.push((n, is_sure)),
                        }
                    }
                }
            }
        }
        let mut is_met = vec![false; self.side.peers.len()];
        let mut all: BTreeMap<Vec<Met>, Vec<u32>> = BTreeMap::new();
        for (peer, met) in met {
            is_met[peer as usize] = true;
            all.entry(met).or_default().push(peer);
        }
        let groups = Rc::new(Groups { all: all.into_iter().collect(), is_met });
        self.groups.insert(subject.wide.clone(), Rc::clone(&groups));
        groups
    }
}

/// Peers by the rules that are about them.
struct Groups {
    all: Vec<(Vec<Met>, Vec<u32>)>,
    /// Which peers are in any.
    is_met: Vec<bool>,
}

/// A rule on its way.
struct Step {
    is_admin: bool,
    action: Action,
    ports: PortSet,
    is_sure: bool,
}

/// What is surely open: `isolated` is what NetworkPolicies open, where they isolate.
fn judged(steps: impl Iterator<Item = Step>, isolated: Option<&PortSet>) -> PortSet {
    let mut left = PortSet::everything();
    let (mut denied, mut passed) = (PortSet::default(), PortSet::default());
    let (admin, baseline): (Vec<Step>, Vec<Step>) = steps.partition(|step| step.is_admin);
    let mut take = |steps: &[Step], left: &mut PortSet| {
        for step in steps {
            let about = step.ports.intersection(left);
            match step.action {
                Action::Accept => {}
                Action::Deny => denied = denied.union(&about),
                Action::Pass => passed = passed.union(&about),
            }
            if step.is_sure {
                *left = left.minus(&about);
            }
        }
        std::mem::take(&mut passed)
    };
    let passed = take(&admin, &mut left);
    left = left.union(&passed);
    match isolated {
        Some(open) => denied = denied.union(&left.minus(open)),
        None => drop(take(&baseline, &mut left)),
    }
    PortSet::everything().minus(&denied)
}

/// The ports that a rule names by name, at a server with these.
fn resolved(rule: &CompiledPorts, ports: &Ports) -> PortSet {
    let named = rule.named.iter().flat_map(|(protocol, name)| {
        let is_named = move |(of, at, _): &&(u32, Protocol, u16)| (of, at) == (name, protocol);
        ports.iter().filter(is_named).map(move |(_, _, port)| PortSet::range(*protocol, *port, *port))
    });
    PortSet::all(named)
}
