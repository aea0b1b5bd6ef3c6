//! For each subject the ports that are open with each peer.

use crate::model::Protocol;

use super::{
    PortSet,
    rules::{Compiled, Rules},
    shapes::{Ports, Side},
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
    let mut by_atom: Vec<Vec<u32>> = vec![Vec::new(); rules.atoms[side.direction].len()];
    for (peer, (atoms, _)) in (0u32..).zip(&side.peers) {
        for atom in atoms {
            by_atom[*atom as usize].push(peer);
        }
    }
    let mut builder = Builder { side, by_atom, sets, open: vec![NOTHING; side.peers.len()], touched: Vec::new() };
    let rules = &rules.compiled[side.direction];
    side.subjects.iter().map(|(policies, ports)| builder.row(rules, policies, ports)).collect()
}

struct Builder<'a> {
    side: &'a Side,
    /// The peers that match each atom.
    by_atom: Vec<Vec<u32>>,
    sets: &'a mut PortSets,
    /// What the subject at hand opens to each peer.
    open: Vec<SetId>,
    /// The peers to which it opens anything.
    touched: Vec<u32>,
}

impl Builder<'_> {
    fn row(&mut self, rules: &[Option<Vec<Compiled>>], policies: &[u32], ports: &Ports) -> Row {
        if policies.is_empty() {
            return Row { others: EVERYTHING, peers: Vec::new() };
        }
        let is_egress = self.side.direction == 0;
        let mut others = NOTHING;
        for rule in policies.iter().filter_map(|policy| rules[*policy as usize].as_ref()).flatten() {
            let mut fixed = rule.numbered.clone();
            if !is_egress {
                fixed = fixed.union(&resolved(rule, ports));
            }
            let fixed = self.sets.id(fixed);
            let by_peer = is_egress && !rule.named.is_empty();
            match &rule.peers {
                None => {
                    others = self.sets.union(others, fixed);
                    if by_peer {
                        for peer in (0u32..).take(self.side.peers.len()) {
                            self.add(peer, NOTHING, rule);
                        }
                    }
                }
                Some(atoms) => {
                    for atom in atoms {
                        for n in 0..self.by_atom[*atom as usize].len() {
                            let peer = self.by_atom[*atom as usize][n];
                            if by_peer { self.add(peer, fixed, rule) } else { self.open_to(peer, fixed) }
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
    fn add(&mut self, peer: u32, fixed: SetId, rule: &Compiled) {
        let named = resolved(rule, &self.side.peers[peer as usize].1);
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
}

/// The ports that a rule names by name, at a server with these.
fn resolved(rule: &Compiled, ports: &Ports) -> PortSet {
    let named = rule.named.iter().flat_map(|(protocol, name)| {
        let is_named = move |(of, at, _): &&(u32, Protocol, u16)| (of, at) == (name, protocol);
        ports.iter().filter(is_named).map(move |(_, _, port)| PortSet::range(*protocol, *port, *port))
    });
    PortSet::all(named)
}
