//! The map as a picture: who calls whom, in columns by tier. Pure drawing; it knows no policies but verdicts that it is
//! told.
//!
//! ```text
//! dependencies -> Map (boxes and lines) -> folded, where there are many -> Layout (where things are) -> SVG
//!                 build                    fold                            layout                     -> DOT, Mermaid
//! ```

use std::fmt::Write as _;

mod area;
mod build;
mod dot;
mod fold;
mod layout;
mod mermaid;
mod svg;
#[cfg(test)]
mod tests;
mod text;

use std::{cmp::Reverse, collections::BTreeMap, fmt};

pub use area::{Area, focus};
pub use build::{Judged, build, place};
pub use dot::dot;
pub use fold::{Fold, fold};
pub use layout::{Layout, Placed, Route, layout};
pub use mermaid::{draws as mermaid_draws, mermaid};
pub use svg::{Links, STYLE, Svg, svg};
pub use text::ports;

use crate::{
    model::{PartyKey, PartyKind, Protocol, words::counted},
    tier::Tier,
};

/// A column of the picture, from those who call to those who are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// Outside addresses that call.
    Callers,
    /// Endpoints of a tier.
    Tier(Tier),
    /// Endpoints without a tier: nodes, Services without a backend, addresses that nobody owned.
    Other,
    /// Outside addresses that are called.
    Outside,
}

impl Layer {
    /// All of them, in the order of the picture.
    pub const ALL: [Self; 8] = [
        Self::Callers,
        Self::Tier(Tier::Client),
        Self::Tier(Tier::Edge),
        Self::Tier(Tier::Application),
        Self::Tier(Tier::Data),
        Self::Tier(Tier::Infrastructure),
        Self::Other,
        Self::Outside,
    ];

    /// Its place among the columns: clients call, so they stand before what they enter by.
    fn place(self) -> usize {
        match self {
            Self::Callers => 0,
            Self::Tier(Tier::Client) => 1,
            Self::Tier(Tier::Edge) => 2,
            Self::Tier(Tier::Application) => 3,
            Self::Tier(Tier::Data) => 4,
            Self::Tier(Tier::Infrastructure) => 5,
            Self::Other => 6,
            Self::Outside => 7,
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Callers => f.write_str("from outside"),
            Self::Tier(tier) => write!(f, "{tier}"),
            Self::Other => f.write_str("no tier"),
            Self::Outside => f.write_str("to outside"),
        }
    }
}

/// A box: an endpoint, or several together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// What it is.
    pub kind: PartyKind,
    /// Where it stands.
    pub layer: Layer,
    /// The namespace; empty without one.
    pub group: String,
    /// What is written on it.
    pub label: String,
    /// What it is: `Deployment`, `3 nodes` ...
    pub what: String,
    /// Everybody it stands for.
    pub members: Vec<PartyKey>,
    /// Which part of the map it is.
    pub area: Area,
    /// Whether policies leave it open for want of sight.
    pub is_open: bool,
}

/// How well a line was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sight {
    /// Both ways, and again and again.
    Plain,
    /// In one hour alone, of many.
    Rare,
    /// One side alone, or the direction is not known.
    OneSided,
    /// Not at all: policies allow it.
    Never,
}

/// What policies say to a line, or to a port on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// All of it passes, or nobody asked.
    #[default]
    Allowed,
    /// Of some of it nobody can tell.
    Uncertain,
    /// Some of it would be denied.
    Denied,
}

/// Connections that were seen on a port, and what policies say to them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// All of them.
    pub connections: u64,
    /// Those that would be denied.
    pub denied: u64,
    /// Those of which nobody can tell.
    pub uncertain: u64,
}

impl Count {
    /// So many connections with one verdict.
    fn new(connections: u64, verdict: Verdict) -> Self {
        let of = |wanted| if verdict == wanted { connections } else { 0 };
        Self { connections, denied: of(Verdict::Denied), uncertain: of(Verdict::Uncertain) }
    }

    fn add(&mut self, other: Self) {
        self.connections = self.connections.saturating_add(other.connections);
        self.denied = self.denied.saturating_add(other.denied);
        self.uncertain = self.uncertain.saturating_add(other.uncertain);
    }

    /// Those that have a verdict.
    fn of(&self, verdict: Verdict) -> u64 {
        match verdict {
            Verdict::Denied => self.denied,
            Verdict::Uncertain => self.uncertain,
            Verdict::Allowed => self.connections.saturating_sub(self.denied.saturating_add(self.uncertain)),
        }
    }
}

/// Protocols and ports with the connections seen on each.
pub type PortCounts = BTreeMap<(Protocol, u16), Count>;

/// A line: everything between two boxes in one direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    /// The client's box by its place.
    pub from: usize,
    /// The server's.
    pub to: usize,
    /// On which ports, and how often.
    pub ports: PortCounts,
    /// Connections in all.
    pub connections: u64,
    /// Ways open that nobody was seen to need, where that was asked for.
    pub ways: u64,
    /// How well it was seen.
    pub sight: Sight,
    /// The worst that policies say to any of its ports.
    pub verdict: Verdict,
}

impl Edge {
    /// What of it policies let through: connections that would be denied are left out, and ports on which all would be. None
    /// where nothing is left.
    #[must_use]
    pub fn without_denied(&self) -> Option<Self> {
        let left = |(port, count): (&(Protocol, u16), &Count)| {
            let connections = count.connections.saturating_sub(count.denied);
            (connections > 0).then_some((*port, Count { connections, denied: 0, ..*count }))
        };
        let ports: PortCounts = self.ports.iter().filter_map(left).collect();
        let connections = ports.values().map(|count| count.connections).fold(0, u64::saturating_add);
        let verdict = worst(&ports);
        (!ports.is_empty()).then(|| Self { ports, connections, verdict, ..self.clone() })
    }
}

fn worst(ports: &PortCounts) -> Verdict {
    let has = |verdict| ports.values().any(|count| count.of(verdict) > 0);
    [Verdict::Denied, Verdict::Uncertain].into_iter().find(|verdict| has(*verdict)).unwrap_or_default()
}

/// What is not drawn, in connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NotDrawn {
    /// Attempts that failed or were part of a scan, and what needs no rule.
    pub unneeded: u64,
    /// Between a pod and its own node, which no policy can forbid.
    pub own_node: u64,
}

impl NotDrawn {
    /// In words; nothing where all is drawn.
    #[must_use]
    pub fn words(self) -> Option<String> {
        let Self { unneeded, own_node } = self;
        let attempts = format!("{} that failed, were part of a scan or need no rule", counted(unneeded, "attempt"));
        let own = format!("{} of pods with their own node", counted(own_node, "connection"));
        match (unneeded, own_node) {
            (0, 0) => None,
            (_, 0) => Some(attempts),
            (0, _) => Some(own),
            _ => Some(format!("{attempts}, and {own}")),
        }
    }
}

/// Boxes and lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Map {
    /// The boxes, in the order of layer, namespace and name.
    pub nodes: Vec<Node>,
    /// The lines, in the order of their ends.
    pub edges: Vec<Edge>,
    /// What is not drawn.
    pub not_drawn: NotDrawn,
}

impl Map {
    /// Everybody the boxes stand for.
    #[must_use]
    pub fn endpoints(&self) -> usize {
        self.nodes.iter().map(|node| node.members.len()).sum()
    }

    /// Lines of which something would be denied.
    #[must_use]
    pub fn denied(&self) -> usize {
        self.edges.iter().filter(|edge| edge.verdict == Verdict::Denied).count()
    }

    /// The lines as rows of a table, the worst and then the busiest first: from, to, ports, connections, and what there is to
    /// say of it.
    pub fn rows(&self) -> impl Iterator<Item = [String; 5]> {
        let mut edges: Vec<&Edge> = self.edges.iter().collect();
        edges.sort_by_key(|edge| (Reverse((edge.verdict, edge.connections)), edge.from, edge.to));
        edges.into_iter().map(|edge| text::cells(self, edge))
    }

    /// What is on it, in a sentence.
    #[must_use]
    pub fn summary(&self) -> String {
        let connections = self.edges.iter().map(|edge| edge.connections).fold(0, u64::saturating_add);
        let mut text = format!(
            "{} in {}, {} with {}",
            counted(self.endpoints() as u64, "endpoint"),
            counted(self.nodes.len() as u64, "box"),
            counted(self.edges.len() as u64, "line"),
            counted(connections, "connection"),
        );
        if self.denied() > 0 {
            let _ = write!(text, ", {} denied in whole or in part", counted(self.denied() as u64, "line"));
        }
        if let Some(not_drawn) = self.not_drawn.words() {
            let _ = write!(text, "; not drawn: {not_drawn}");
        }
        text + "."
    }
}
