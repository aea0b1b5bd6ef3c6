//! What of the allowed dependencies others can read on the way: counted for each namespace, and what goes in clear text
//! listed, the worst first. No rule depends on it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::{
    application::Spoken,
    model::{Dependency, Direction, Mark, Namesakes, Party, PartyKey, PartyKind, Protocol, Secrecy, words},
    policy::Simulation,
    tier::Tier,
};

/// The allowed dependencies of a namespace by whether others can read them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Audit {
    /// How many are in clear text.
    pub clear_text: usize,
    /// How many are in part, and encrypted in part.
    pub clear_text_in_part: usize,
    /// How many are encrypted.
    pub encrypted: usize,
    /// Of how many it is not known.
    pub not_known: usize,
    /// What is in clear text, the worst first.
    pub listed: Vec<Readable>,
}

/// The allowed dependencies of a proposal by whether others can read them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audits {
    /// Of each namespace: what goes from one to another is in both.
    pub by_namespace: BTreeMap<String, Audit>,
    /// Of all of them, each dependency once.
    pub whole: Audit,
}

/// Dependencies that others can read: one, or those of several addresses outside with one end inside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Readable {
    /// The client.
    pub from: String,
    /// The server.
    pub to: String,
    /// The protocol.
    pub protocol: Protocol,
    /// The server's port.
    pub port: u16,
    /// What is spoken.
    pub application: String,
    /// Whether some of it is encrypted.
    pub in_part: bool,
    /// The tiers of client and server: `outside` where it is no part of the cluster, none where it has none.
    pub tiers: [Option<&'static str>; 2],
    /// How many dependencies: of several addresses outside each is one.
    pub dependencies: usize,
    /// How many connections.
    pub connections: u64,
}

/// From whom to whom, on which port.
type Key = (PartyKey, PartyKey, Protocol, u16);

/// All dependencies with one key.
struct Joined<'d> {
    dependency: &'d Dependency,
    spoken: Spoken,
    connections: u64,
}

/// What it is worth.
pub const AS_SEEN: &str = "It is as captures recognised it where they were taken: what nodes encrypt between them (WireGuard, IPsec, \
                           MACsec) they may not show.";

const OUTSIDE: &str = "outside";

/// What dependencies that a proposal allows, held against the past in `replay`, tell of their namespaces, and of all of them.
#[must_use]
pub fn audit<'d>(
    told: impl IntoIterator<Item = (&'d Dependency, Spoken)>,
    tier: &dyn Fn(&Party) -> Option<Tier>,
    replay: &Simulation,
    namespaces: &BTreeSet<String>,
) -> Audits {
    let joined = allowed(told, replay);
    let namesakes = Namesakes::among(joined.values().flat_map(|it| [&it.dependency.client, &it.dependency.server]));
    let mut by_namespace: BTreeMap<&str, Vec<&Joined<'_>>> =
        namespaces.iter().map(|name| (name.as_str(), Vec::new())).collect();
    let mut whole = Vec::new();
    for it in joined.values() {
        let ends: BTreeSet<&str> =
            [&it.dependency.client, &it.dependency.server].into_iter().filter_map(Party::namespace).collect();
        let is_of_these = ends.iter().any(|namespace| by_namespace.contains_key(namespace));
        whole.extend(is_of_these.then_some(it));
        for namespace in ends {
            if let Some(all) = by_namespace.get_mut(namespace) {
                all.push(it);
            }
        }
    }
    let audit = |all: &[&Joined<'_>]| Audit::of(all, tier, &namesakes);
    let by_namespace = by_namespace.iter().map(|(namespace, all)| ((*namespace).to_owned(), audit(all))).collect();
    Audits { by_namespace, whole: audit(&whole) }
}

/// Those that are needed and that a rule can be for, of which the proposal does not deny all, or leave it uncertain.
fn allowed<'d>(
    told: impl IntoIterator<Item = (&'d Dependency, Spoken)>,
    replay: &Simulation,
) -> BTreeMap<Key, Joined<'d>> {
    let mut joined: BTreeMap<Key, Joined<'d>> = BTreeMap::new();
    for (dependency, spoken) in told {
        let needs_none = [Mark::Node, Mark::Itself].iter().any(|mark| dependency.marks.contains(mark));
        let is_named = dependency.protocol.has_ports() && dependency.direction != Direction::Unknown;
        if needs_none || !is_named || dependency.unneeded().is_some() {
            continue;
        }
        let Dependency { client, server, protocol, port, connections, .. } = dependency;
        let key = (client.into(), server.into(), *protocol, *port);
        let known =
            joined.entry(key).or_insert_with(|| Joined { dependency, spoken: Spoken::default(), connections: 0 });
        known.spoken.join(&spoken);
        known.connections = known.connections.saturating_add(*connections);
    }
    let mut broken: BTreeMap<Key, u64> = BTreeMap::new();
    for it in &replay.findings {
        let sum = broken.entry((it.from.clone(), it.to.clone(), it.protocol, it.port)).or_default();
        *sum = sum.saturating_add(it.connections);
    }
    joined.retain(|key, it| broken.get(key).is_none_or(|broken| *broken < it.connections));
    joined
}

impl Audit {
    fn of(all: &[&Joined<'_>], tier: &dyn Fn(&Party) -> Option<Tier>, namesakes: &Namesakes) -> Self {
        let mut audit = Self::default();
        let mut listed: BTreeMap<(String, String, Protocol, u16), Vec<&Joined<'_>>> = BTreeMap::new();
        for it in all.iter().copied() {
            let secrecy = it.spoken.secrecy();
            *match secrecy {
                Secrecy::Clear => &mut audit.clear_text,
                Secrecy::Mixed => &mut audit.clear_text_in_part,
                Secrecy::Encrypted => &mut audit.encrypted,
                Secrecy::NotKnown => &mut audit.not_known,
            } += 1;
            if matches!(secrecy, Secrecy::Clear | Secrecy::Mixed) {
                let Dependency { client, server, protocol, port, .. } = it.dependency;
                let key = (group_name(client, namesakes), group_name(server, namesakes), *protocol, *port);
                listed.entry(key).or_default().push(it);
            }
        }
        audit.listed = listed.values().map(|all| Readable::of(all, tier, namesakes)).collect();
        audit.listed.sort_by(|a, b| a.order().cmp(&b.order()));
        audit
    }

    /// How many there are.
    #[must_use]
    pub fn all(&self) -> usize {
        self.readable() + self.encrypted + self.not_known
    }

    /// How many are in clear text, in part or as far as it is known in all.
    #[must_use]
    pub fn readable(&self) -> usize {
        self.clear_text + self.clear_text_in_part
    }

    /// In a sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        let part = match self.clear_text_in_part {
            0 => String::new(),
            part => format!(", {part} of them in part"),
        };
        let parts = [
            (self.readable(), format!("in clear text{part}")),
            (self.encrypted, "encrypted".to_owned()),
            (self.not_known, "not known".to_owned()),
        ];
        let parts: Vec<String> = parts
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, words)| format!("{count} {words}"))
            .collect();
        format!("Of {}: {}.", words::count(self.all() as u64, "allowed dependency"), parts.join("; "))
    }
}

/// Addresses outside are one: many clients of one server are one finding.
fn group_name(party: &Party, namesakes: &Namesakes) -> String {
    if party.kind == PartyKind::External { String::new() } else { namesakes.called(&party.into()) }
}

impl Readable {
    fn of(all: &[&Joined<'_>], tier: &dyn Fn(&Party) -> Option<Tier>, namesakes: &Namesakes) -> Self {
        let names = |end: fn(&Dependency) -> &Party| {
            let names: BTreeSet<String> = all.iter().map(|it| namesakes.called(&end(it.dependency).into())).collect();
            match names.len() {
                1 => names.into_iter().next().unwrap_or_default(),
                many => format!("{many} addresses outside"),
            }
        };
        let place = |party: &Party| match party.kind {
            PartyKind::External => Some(OUTSIDE),
            _ => tier(party).map(Tier::as_str),
        };
        let mut spoken = Spoken::default();
        for it in all {
            spoken.join(&it.spoken);
        }
        let Dependency { client, server, protocol, port, .. } = all[0].dependency;
        Self {
            from: names(|it| &it.client),
            to: names(|it| &it.server),
            protocol: *protocol,
            port: *port,
            application: spoken.names().unwrap_or_default().replace(',', ", "),
            in_part: spoken.secrecy() == Secrecy::Mixed,
            tiers: [place(client), place(server)],
            dependencies: all.len(),
            connections: all.iter().fold(0, |sum, it| sum.saturating_add(it.connections)),
        }
    }

    /// The border that it crosses, in words.
    #[must_use]
    pub fn border(&self) -> String {
        match self.tiers {
            [Some(from), Some(to)] if from == to => format!("within {to}"),
            tiers => tiers.map(|tier| tier.unwrap_or("no tier")).join(" → "),
        }
    }

    /// What is spoken, and whether in part alone in clear text.
    #[must_use]
    pub fn spoken(&self) -> String {
        let part = if self.in_part { " (encrypted in part)" } else { "" };
        format!("{}{part}", self.application)
    }

    /// The worst first: what leaves the cluster, then what goes to the data, over another border, over one that is not known,
    /// over none; names and metrics come last.
    fn rank(&self) -> u8 {
        let infrastructure = Some(Tier::Infrastructure.as_str());
        match self.tiers {
            tiers if tiers.contains(&Some(OUTSIDE)) => 0,
            [from, to] if to == Some(Tier::Data.as_str()) && from != to => 1,
            tiers if tiers.contains(&infrastructure) => 5,
            tiers if tiers.contains(&None) => 3,
            [from, to] if from == to => 4,
            _ => 2,
        }
    }

    fn order(&self) -> impl Ord + '_ {
        let key = (&self.from, &self.to, self.protocol, self.port);
        (self.rank(), self.in_part, std::cmp::Reverse(self.connections), key)
    }
}
