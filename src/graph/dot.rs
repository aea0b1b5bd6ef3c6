//! A map in DOT, the language of Graphviz.

use std::{collections::BTreeMap, fmt::Write};

use super::{Map, Sight, Verdict, text};
use crate::model::visible;

/// Writes a map: layers from left to right, namespaces as clusters.
#[must_use]
pub fn dot(map: &Map, title: &str) -> String {
    let mut out = String::from("digraph flowmap {\n");
    // writing to a String cannot fail
    let _ = writeln!(
        out,
        "  graph [rankdir=LR, newrank=true, label={}, labelloc=t, fontname=\"sans-serif\"];",
        quoted(title)
    );
    out.push_str("  node [shape=box, style=rounded, fontname=\"sans-serif\", fontsize=11];\n");
    out.push_str("  edge [color=\"#6b7787\", fontname=\"sans-serif\", fontsize=9, arrowsize=0.7];\n");
    let mut groups: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    let mut layers: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (id, node) in map.nodes.iter().enumerate() {
        groups.entry(&node.group).or_default().push(id);
        layers.entry(node.layer.place()).or_default().push(id);
    }
    for (n, (group, ids)) in groups.iter().enumerate() {
        let indent = if group.is_empty() {
            "  "
        } else {
            let _ = writeln!(out, "  subgraph cluster_{n} {{\n    label={};\n    style=dotted;", quoted(group));
            "    "
        };
        for id in ids {
            node(&mut out, map, *id, indent);
        }
        out.push_str(if group.is_empty() { "" } else { "  }\n" });
    }
    for ids in layers.values().filter(|ids| ids.len() > 1) {
        let ids: Vec<String> = ids.iter().map(|id| format!("n{id}")).collect();
        let _ = writeln!(out, "  {{ rank=same; {} }}", ids.join("; "));
    }
    edges(&mut out, map);
    out + "}\n"
}

fn node(out: &mut String, map: &Map, id: usize, indent: &str) {
    let Some(node) = map.nodes.get(id) else { return };
    let style = if node.is_open { ", style=\"rounded,dashed\"" } else { "" };
    let label = format!("{}\n{}", visible(&node.label), visible(&node.what));
    let tooltip = format!("{}, {}", text::full_name(node), node.layer);
    let _ = writeln!(out, "{indent}n{id} [label={}, tooltip={}{style}];", quoted(&label), quoted(&tooltip));
}

fn edges(out: &mut String, map: &Map) {
    for edge in &map.edges {
        let width = 1.0 + f64::from(edge.connections.checked_ilog10().unwrap_or_default()) * 0.7;
        let style = if edge.sight == Sight::Plain { "solid" } else { "dashed" };
        let color = match edge.verdict {
            Verdict::Denied => ", color=\"#c62f3b\", fontcolor=\"#c62f3b\"",
            Verdict::Uncertain => ", color=\"#a86400\", fontcolor=\"#a86400\"",
            Verdict::Allowed => "",
        };
        let _ = writeln!(
            out,
            "  n{} -> n{} [label={}, tooltip={}, penwidth={width:.1}, style={style}{color}];",
            edge.from,
            edge.to,
            quoted(&text::ports(&edge.ports, text::MAX_PORTS)),
            quoted(&text::edge(map, edge))
        );
    }
}

/// A quoted string of DOT: only quotes need a backslash there, but labels read escapes of their own, so backslashes do too.
/// A line end is `\n` in labels.
fn quoted(text: &str) -> String {
    let lines: Vec<String> =
        text.split('\n').map(|line| visible(line).replace('\\', "\\\\").replace('"', "\\\"")).collect();
    // `&` begins an entity of HTML, which Graphviz reads in labels
    format!("\"{}\"", lines.join("\\n").replace('&', "&amp;"))
}
