//! Words on boxes and lines, and how much room they take.

use std::fmt::Write as _;

use crate::model::{Protocol, visible, words};

use super::{Edge, Map, PortCounts, Sight, Verdict};

/// `8080` for TCP, `53/UDP` for others, `ICMP` without ports.
pub(super) fn port((protocol, port): (Protocol, u16)) -> String {
    match (protocol, port) {
        (_, 0) => protocol.to_string(),
        (Protocol::TCP, port) => port.to_string(),
        _ => format!("{port}/{protocol}"),
    }
}

/// So many ports are named.
pub(super) const MAX_PORTS: usize = 6;

/// `TCP/8080, UDP/53`, and how many more than that.
#[must_use]
pub fn ports(ports: &PortCounts, most: usize) -> String {
    let word = |(protocol, port): &(Protocol, u16)| words::port(*protocol, *port);
    let mut text = ports.keys().take(most).map(word).collect::<Vec<_>>().join(", ");
    if ports.len() > most {
        let _ = write!(text, " and {} more", ports.len() - most);
    }
    text
}

/// Ports that a box names.
const BOX_PORTS: usize = 3;

/// What is written below each name: what it is, and on which ports it is called.
pub(super) fn below(map: &Map, most: usize) -> Vec<String> {
    let mut ports: Vec<PortCounts> = vec![PortCounts::new(); map.nodes.len()];
    for edge in &map.edges {
        if let Some(of) = ports.get_mut(edge.to) {
            of.extend(&edge.ports);
        }
    }
    let line = |(node, ports): (&super::Node, PortCounts)| {
        let is_one = node.members.len() == 1 && !ports.is_empty();
        let mut words: Vec<String> = ports.keys().take(BOX_PORTS).map(|it| port(*it)).collect();
        if ports.len() > BOX_PORTS {
            words.push(format!("+{}", ports.len() - BOX_PORTS));
        }
        let text = if is_one { format!("{} · {}", node.what, words.join(", ")) } else { node.what.clone() };
        shortened(&text, most)
    };
    map.nodes.iter().zip(ports).map(line).collect()
}

/// A line in words.
pub(super) fn edge(map: &Map, edge: &Edge) -> String {
    let name = |node: usize| map.nodes.get(node).map(full_name).unwrap_or_default();
    let mut text = format!("{} → {}", name(edge.from), name(edge.to));
    if edge.sight == Sight::Never {
        return text + &format!(": {} allowed that nobody was seen to need", words::count(edge.ways, "way"));
    }
    let connections = words::count(edge.connections, "connection");
    let _ = write!(text, ": {}, {connections}{}", ports(&edge.ports, MAX_PORTS), remarks(edge));
    text
}

/// What there is to say of a line, each after a comma.
fn remarks(edge: &Edge) -> String {
    let mut text = String::from(match edge.sight {
        Sight::Rare => ", in one hour alone",
        Sight::OneSided => ", one side alone was seen",
        Sight::Plain | Sight::Never => "",
    });
    for (verdict, word) in [(Verdict::Denied, "DENIED"), (Verdict::Uncertain, "uncertain")] {
        text += &share(edge, verdict, word);
    }
    text
}

/// A line as cells of a table: from, to, ports, connections, and what there is to say of it.
pub(super) fn cells(map: &Map, edge: &Edge) -> [String; 5] {
    let name = |node: usize| map.nodes.get(node).map(full_name).unwrap_or_default();
    let ports = ports(&edge.ports, MAX_PORTS);
    let remarks = remarks(edge).trim_start_matches(", ").to_owned();
    [name(edge.from), name(edge.to), ports, edge.connections.to_string(), remarks]
}

/// How much of a line has a verdict, and on which ports: `, DENIED` where all of it has, nothing where none.
pub(super) fn share(edge: &Edge, verdict: Verdict, word: &str) -> String {
    let of: PortCounts =
        edge.ports.iter().filter(|(_, count)| count.of(verdict) > 0).map(|(port, count)| (*port, *count)).collect();
    match of.values().map(|count| count.of(verdict)).fold(0, u64::saturating_add) {
        0 => String::new(),
        all if all >= edge.connections => format!(", {word}"),
        some => format!(", {word}: {} ({some} of {})", ports(&of, MAX_PORTS), edge.connections),
    }
}

/// What a box is called in full.
pub(super) fn full_name(node: &super::Node) -> String {
    match &node.members[..] {
        // an address of several boxes has its name besides
        [one] if node.group.is_empty() => visible(&one.name).into_owned(),
        _ if node.group.is_empty() => visible(&node.label).into_owned(),
        _ => visible(&format!("{}/{}", node.group, node.label)).into_owned(),
    }
}

/// Text of at most so many letters: the middle is left out, for names differ at their ends.
pub(super) fn shortened(text: &str, most: usize) -> String {
    let letters: Vec<char> = visible(text).chars().collect();
    if letters.len() <= most {
        return letters.into_iter().collect();
    }
    let tail = most * 2 / 5;
    let head = most - tail - 1;
    letters[..head].iter().chain(&['…']).chain(&letters[letters.len() - tail..]).collect()
}

/// About how wide text is, in pixels. Widths are those of `DejaVu Sans`, the widest of the usual fonts, so that no other
/// leaves its box.
pub(super) fn width(text: &str, size_px: f64) -> f64 {
    let em = |letter: char| match letter {
        'i' | 'j' | 'l' | '|' | '\'' => 0.29,
        '.' | ',' | ':' | ';' | '/' | ' ' | '-' | 't' | 'f' | 'r' | 'I' | '(' | ')' => 0.42,
        'm' | 'W' | '@' | '%' | '…' => 1.0,
        'w' | 'M' | 'O' | 'Q' | 'N' | 'G' | 'H' | 'D' | 'U' => 0.86,
        'a'..='z' | '0'..='9' => 0.64,
        'A'..='Z' => 0.74,
        '\u{1100}'.. => 1.05,
        _ => 0.78,
    };
    text.chars().map(em).sum::<f64>() * size_px
}

/// Text for XML: nothing in it is markup, nor what XML cannot hold.
pub(super) fn xml(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in visible(text).chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            letter => safe.push(letter),
        }
    }
    safe
}
