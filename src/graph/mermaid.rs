//! A map in Mermaid, which Markdown of many forges draws.

use std::{collections::BTreeMap, fmt::Write};

use super::{Layer, Map, Sight, Verdict, text};
use crate::model::visible;

/// Writes a map: a subgraph for each layer, names with their namespaces.
#[must_use]
pub fn mermaid(map: &Map, title: &str) -> String {
    let mut out = String::new();
    // writing to a String cannot fail
    let _ = writeln!(out, "flowchart LR\n  accTitle: {}\n  accDescr: {}", plain(title), plain(&map.summary()));
    let mut layers: BTreeMap<usize, (Layer, Vec<usize>)> = BTreeMap::new();
    for (id, node) in map.nodes.iter().enumerate() {
        layers.entry(node.layer.place()).or_insert((node.layer, Vec::new())).1.push(id);
    }
    for (place, (layer, ids)) in layers {
        let _ = writeln!(out, "  subgraph layer{place} [{}]", quoted(&layer.to_string()));
        for id in ids {
            let Some(node) = map.nodes.get(id) else { continue };
            let name = text::full_name(node);
            let _ = writeln!(out, "    n{id}[{}]", quoted(&format!("{name}, {}", node.what)));
        }
        out.push_str("  end\n");
    }
    for edge in &map.edges {
        let arrow = match edge.sight {
            Sight::Plain if edge.connections >= THICK => "==>",
            Sight::Plain => "-->",
            _ => "-.->",
        };
        let ports = || text::ports(&edge.ports, text::MAX_PORTS);
        let mut label = if edge.ports.is_empty() { "not seen".to_owned() } else { ports() };
        label += &text::share(edge, Verdict::Denied, "denied");
        let _ = writeln!(out, "  n{} {arrow}|{}| n{}", edge.from, quoted(&label), edge.to);
    }
    colours(&mut out, map);
    out
}

/// Whether Mermaid draws it, with the bounds that it has and no diagram can change (`maxEdges`, `maxTextSize` of its configuration).
#[must_use]
pub fn draws(map: &Map, text: &str) -> bool {
    const MAX_EDGES: usize = 500;
    const MAX_TEXT: usize = 50_000;
    map.edges.len() <= MAX_EDGES && text.chars().count() <= MAX_TEXT
}

/// From so many connections on a line is thick: there are two widths.
const THICK: u64 = 1_000;

fn colours(out: &mut String, map: &Map) {
    for (verdict, colour) in [(Verdict::Uncertain, "#a86400"), (Verdict::Denied, "#c62f3b")] {
        let of: Vec<String> = (0..)
            .zip(&map.edges)
            .filter(|(_, edge)| edge.verdict == verdict)
            .map(|(n, _): (usize, _)| n.to_string())
            .collect();
        if !of.is_empty() {
            let _ = writeln!(out, "  linkStyle {} stroke:{colour},color:{colour}", of.join(","));
        }
    }
    let open: Vec<String> =
        (0..).zip(&map.nodes).filter(|(_, node)| node.is_open).map(|(n, _): (usize, _)| format!("n{n}")).collect();
    if !open.is_empty() {
        let _ = writeln!(out, "  classDef open stroke-dasharray:5 3\n  class {} open", open.join(","));
    }
}

/// A quoted string: whatever could end it, begin markup or be read as Markdown is written by its number.
fn quoted(text: &str) -> String {
    format!("\"{}\"", escaped(text))
}

/// Text that stands by itself on a line, where nothing is read as the number of a letter.
fn plain(text: &str) -> String {
    let words: String = visible(text)
        .chars()
        .map(|letter| match letter {
            // ends a statement
            ';' => ',',
            _ if letter.is_alphanumeric() || " /.,-:".contains(letter) => letter,
            _ => ' ',
        })
        .collect();
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn escaped(text: &str) -> String {
    let mut safe = String::new();
    let text = visible(text);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        // `1. ` and `- ` would begin a list
        let is_list = matches!(letter, '.' | '-') && letters.peek() == Some(&' ');
        if !is_list && (letter.is_alphanumeric() || " /.,-:_()→\u{fffd}".contains(letter)) {
            safe.push(letter);
        } else {
            let _ = write!(safe, "#{};", u32::from(letter));
        }
    }
    safe
}
