use askama::Template;

use super::{Frame, ROWS, shown};
use crate::{
    graph::{self, Area, Edge, Fold, Map, Svg, Verdict},
    render::page::{filters, grouped},
    review::{
        asking::Asking,
        fields::Fields,
        map::{Drawn, FOLDS, called, edge_link, is_drawable, is_sought, lines, name, node_link, place, ports, sought},
        view::View,
    },
};

/// The map: drawn by the server, drawn again by a script that one can reach into, and as a table.
#[derive(Template)]
#[template(path = "review/map.html")]
pub(in crate::review) struct MapPage {
    frame: Frame,
    sentence: String,
    levels: Vec<(String, String, bool)>,
    /// Where one is, the largest part first: words and, but for the last, an address.
    crumbs: Vec<(String, String)>,
    /// What asks for the same again.
    same: Vec<(&'static str, String)>,
    source: String,
    /// None where it would be too large to be looked at.
    svg: Option<String>,
    sought: String,
    /// Who was looked for: words, address, and the address on the map.
    found: Vec<(String, String, String)>,
    found_word: String,
    rows: Vec<Row>,
    more: usize,
}

struct Row {
    from: (String, String),
    to: (String, String),
    link: String,
    ports: String,
    connections: String,
    verdict: &'static str,
    class: &'static str,
}

/// Ports in one cell.
const PORTS: usize = 8;
/// Endpoints that a search lists.
const MAX_FOUND: usize = 50;

impl MapPage {
    pub fn new(frame: Frame, view: &View, whole: Map, fields: &Fields) -> Self {
        let asking = &view.asking;
        let (found, found_word) = found(view, &whole, &sought(fields));
        let drawn = Drawn::new(whole, fields);
        let map = &drawn.map;
        let (links, within_page) = (drawn.links(view), Some("map-drawn".to_owned()));
        let options = Svg { title: "Who calls whom".to_owned(), within_page, links };
        let all = lines(map);
        let same = drawn.pairs();
        let mut asks: Vec<(&str, &str)> = same.iter().map(|(name, value)| (*name, value.as_str())).collect();
        asks.push(("q", fields.get("q")));
        Self {
            sentence: sentence(view, &drawn),
            levels: levels(asking, drawn.fold),
            crumbs: crumbs(view, &drawn.area),
            source: asking.query(&asks),
            svg: is_drawable(map).then(|| graph::svg(map, &graph::layout(map), &options)),
            sought: shown(fields.get("q")),
            found,
            found_word,
            more: all.len().saturating_sub(ROWS),
            rows: all.into_iter().take(ROWS).map(|edge| row(view, map, edge)).collect(),
            same,
            frame,
        }
    }
}

fn sentence(view: &View, drawn: &Drawn) -> String {
    let what = if drawn.area.is_all() { "Who calls whom" } else { "Who calls whom here, and whom it talks to around" };
    let summary = drawn.map.summary();
    let beside = view.facts.beside(grouped).map(|words| format!(" {words}")).unwrap_or_default();
    format!(
        "{what}, in columns by tier: {}. What this proposal denies by itself is red, what is uncertain amber.{beside}",
        summary.trim_end_matches('.')
    )
}

fn levels(asking: &Asking, fold: Option<Fold>) -> Vec<(String, String, bool)> {
    FOLDS.map(|(name, it)| (format!("by {name}"), asking.query(&[("by", name)]), Some(it) == fold)).into()
}

fn crumbs(view: &View, area: &Area) -> Vec<(String, String)> {
    if area.is_all() {
        return Vec::new();
    }
    let all = [("Map".to_owned(), view.asking.query(&[]))];
    let around = area.around().into_iter().map(|part| (place(view, &part), view.asking.query(&[("at", &part.text())])));
    all.into_iter().chain(around).chain([(place(view, area), String::new())]).collect()
}

/// Who has all words in its name, wherever on the map it is.
fn found(view: &View, whole: &Map, words: &[String]) -> (Vec<(String, String, String)>, String) {
    if words.is_empty() {
        return Default::default();
    }
    let all: Vec<_> = whole.nodes.iter().filter(|node| is_sought(node, words)).collect();
    let one = |node: &&graph::Node| {
        let at = view.asking.query(&[("at", &node.area.text())]);
        (format!("{}, {}", called(node), node.layer), node_link(view, node), at)
    };
    let word = match all.len() {
        0 => "Nobody on this map has all of these words in its name.".to_owned(),
        count if count > MAX_FOUND => format!("{count} found, the first {MAX_FOUND} of them:"),
        count => format!("{count} found:"),
    };
    (all.iter().take(MAX_FOUND).map(one).collect(), word)
}

fn row(view: &View, map: &Map, edge: &Edge) -> Row {
    let (verdict, class) = match edge.verdict {
        Verdict::Allowed => ("allowed", "good"),
        Verdict::Uncertain => ("uncertain", "doubt"),
        Verdict::Denied => ("denied", "bad"),
    };
    let end = |at: usize| {
        let link = map.nodes.get(at).map(|node| node_link(view, node)).unwrap_or_default();
        (name(map, at), link)
    };
    Row {
        from: end(edge.from),
        to: end(edge.to),
        link: edge_link(view, map, edge),
        ports: ports(&edge.ports, PORTS),
        connections: grouped(edge.connections),
        verdict,
        class,
    }
}
