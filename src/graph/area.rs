//! Parts of a map that one can look into, and what is drawn of a map then.

use super::{Edge, Fold, Layer, Map, Node, NotDrawn, fold};

/// A part of a map: a namespace, a tier of it, or one box. Without a namespace the part is a layer, or all.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Area {
    /// The namespace; empty for what has none.
    pub group: String,
    /// The layer; none for all of a namespace.
    pub layer: Option<Layer>,
    /// What is written on the box; none for all of a layer.
    pub label: Option<String>,
    /// The kind of the owner that the box is of, where it is one workload: others may have its name.
    pub owner: Option<String>,
}

impl Area {
    /// All that is on a map.
    #[must_use]
    pub fn is_all(&self) -> bool {
        *self == Self::default()
    }

    /// As one word, for an address: a namespace has no `/` in its name, and a layer neither.
    #[must_use]
    pub fn text(&self) -> String {
        let Self { group, layer, label, owner } = self;
        let owner = owner.as_ref().map(|owner| format!("{owner}:")).unwrap_or_default();
        match (layer, label) {
            (Some(layer), Some(label)) => format!("{group}/{layer}/{owner}{label}"),
            (Some(layer), None) => format!("{group}/{layer}"),
            _ => group.clone(),
        }
    }

    /// From such a word; none where a layer is not one.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '/');
        let group = parts.next().unwrap_or_default().to_owned();
        let layer = parts.next().filter(|word| !word.is_empty());
        let layer = layer.map(|word| Layer::ALL.into_iter().find(|layer| layer.to_string() == word).ok_or(()));
        // what is in no namespace has no owner, and may have colons in its name
        let (owner, label) = match parts.next().map(|label| (label.split_once(':'), label)) {
            Some((Some((owner, label)), _)) if !group.is_empty() => (Some(owner.to_owned()), Some(label.to_owned())),
            Some((_, label)) => (None, Some(label.to_owned())),
            None => (None, None),
        };
        let layer = layer.transpose().ok()?;
        (label.is_none() || layer.is_some()).then_some(Self { group, layer, label, owner })
    }

    /// Whether a part holds another, or is the same.
    #[must_use]
    pub fn holds(&self, other: &Self) -> bool {
        let is_layer = self.layer.is_none() || self.layer == other.layer;
        let is_label = self.label.is_none() || self.label == other.label;
        let is_owner = self.owner.is_none() || self.owner == other.owner;
        self.is_all() || self.group == other.group && is_layer && is_label && is_owner
    }

    /// The next larger parts, the largest first.
    #[must_use]
    pub fn around(&self) -> Vec<Self> {
        let namespace = Self { group: self.group.clone(), ..Self::default() };
        let layer = Self { label: None, owner: None, ..self.clone() };
        [namespace, layer].into_iter().filter(|it| !it.is_all() && it != self).collect()
    }
}

/// More boxes than this beside a single one are put together.
const MOST_BESIDE: usize = 40;

/// A part of a map with whom it talks to. A namespace is shown by tier, a tier by workload; what is around it is put
/// together.
#[must_use]
pub fn focus(map: Map, area: &Area) -> Map {
    let map = near(map, area);
    let is_inside = |node: &Node| area.holds(&node.area);
    let mut layers: Vec<Layer> = map.nodes.iter().filter(|node| is_inside(node)).map(|node| node.layer).collect();
    layers.dedup();
    // a namespace that is one tier has no step between it and its workloads
    let is_fine = area.layer.is_some() || layers.len() <= 1;
    let is_few = area.label.is_some() && map.nodes.len() <= MOST_BESIDE;
    let how = |node: &Node| match is_inside(node) {
        true if is_fine => Fold::Nothing,
        true => Fold::Tier,
        false if is_few => Fold::Nothing,
        false if node.group == area.group => Fold::Tier,
        false => Fold::Namespace,
    };
    fold::folded(&map, &how)
}

/// What is in a part, and what has a line to or from it.
fn near(map: Map, area: &Area) -> Map {
    let is_inside: Vec<bool> = map.nodes.iter().map(|node| area.holds(&node.area)).collect();
    let inside = |place: usize| is_inside.get(place).copied().unwrap_or_default();
    let edges: Vec<Edge> = map.edges.into_iter().filter(|edge| inside(edge.from) || inside(edge.to)).collect();
    let mut is_kept = is_inside.clone();
    for place in edges.iter().flat_map(|edge| [edge.from, edge.to]) {
        if let Some(kept) = is_kept.get_mut(place) {
            *kept = true;
        }
    }
    let mut places = Vec::new();
    let mut count = 0;
    for kept in &is_kept {
        places.push(count);
        count += usize::from(*kept);
    }
    let place = |old: usize| places.get(old).copied().unwrap_or_default();
    let edges = edges.into_iter().map(|edge| Edge { from: place(edge.from), to: place(edge.to), ..edge }).collect();
    let nodes = map.nodes.into_iter().zip(is_kept).filter(|(_, kept)| *kept).map(|(node, _)| node).collect();
    // what is not drawn was counted for the whole map
    Map { nodes, edges, not_drawn: NotDrawn::default() }
}
