//! The map as a picture: who calls whom, in columns by tier. Pure drawing; it knows no policies but verdicts that it is
//! told.
//!
//! ```text
//! dependencies -> Map (boxes and lines) -> folded, where there are many -> Layout (where things are) -> SVG
//!                 build                    fold                            layout                     -> DOT, Mermaid
//! ```

use std::fmt::Write as _;

mod build;
mod dot;
mod fold;
mod layout;
mod mermaid;
mod svg;
mod text;

use std::{collections::BTreeMap, fmt};

use serde::Serialize;

pub use build::{Judged, build};
pub use dot::dot;
pub use fold::{Fold, fold};
pub use layout::{Layout, Placed, Route, layout};
pub use mermaid::mermaid;
pub use svg::{STYLE, Svg, svg};

use crate::{
    model::{PartyKind, Protocol},
    tier::Tier,
};

/// A column of the picture, from those who call to those who are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
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
    /// Everybody it stands for, by full name.
    pub members: Vec<String>,
    /// Whether policies leave it open for want of sight.
    pub is_open: bool,
}

/// How well a line was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
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

/// What policies say to a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// All of it passes, or nobody asked.
    #[default]
    Allowed,
    /// Of some of it nobody can tell.
    Uncertain,
    /// Some of it would be denied.
    Denied,
}

/// Protocols and ports with the connections seen on each.
pub type PortCounts = BTreeMap<(Protocol, u16), u64>;

/// A line: everything between two boxes in one direction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Edge {
    /// The client's box by its place.
    pub from: usize,
    /// The server's.
    pub to: usize,
    /// On which ports, and how often.
    #[serde(serialize_with = "port_words")]
    pub ports: PortCounts,
    /// Connections in all.
    pub connections: u64,
    /// Ways open that nobody was seen to need, where that was asked for.
    pub ways: u64,
    /// How well it was seen.
    pub sight: Sight,
    /// What policies say.
    pub verdict: Verdict,
}

fn port_words<S: serde::Serializer>(ports: &PortCounts, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(ports.iter().map(|(port, count)| (text::port(*port), count)))
}

/// What is not drawn, in connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct NotDrawn {
    /// Attempts that failed or were part of a scan, and what needs no rule.
    pub unneeded: u64,
    /// Between a pod and its own node, which no policy can forbid.
    pub own_node: u64,
}

/// Boxes and lines.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
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

    /// Connections that are drawn, and those of them that would be denied, by line.
    #[must_use]
    pub fn denied(&self) -> usize {
        self.edges.iter().filter(|edge| edge.verdict == Verdict::Denied).count()
    }

    /// What is on it, in a sentence.
    #[must_use]
    pub fn summary(&self) -> String {
        let count = |number: usize, one: &str, many: &str| format!("{number} {}", if number == 1 { one } else { many });
        let connections: u64 = self.edges.iter().map(|edge| edge.connections).sum();
        let mut text = format!(
            "{} in {}, {} with {connections} connections",
            count(self.endpoints(), "endpoint", "endpoints"),
            count(self.nodes.len(), "box", "boxes"),
            count(self.edges.len(), "line", "lines"),
        );
        if self.denied() > 0 {
            let _ = write!(text, ", {} denied", count(self.denied(), "line", "lines"));
        }
        let NotDrawn { unneeded, own_node } = self.not_drawn;
        if unneeded > 0 {
            let _ = write!(text, "; not drawn: {unneeded} attempts that failed, were part of a scan or need no rule");
        }
        if own_node > 0 {
            let _ = write!(text, "; not drawn: {own_node} connections of pods with their own node");
        }
        text + "."
    }
}
