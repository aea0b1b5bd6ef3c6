use askama::Template;

use super::{Frame, ROWS};
use crate::{
    graph::{self, Edge, Fold, Map, Svg, Verdict},
    render::page::grouped,
    review::{
        map::{FOLDS, lines, name, ports},
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
    source: String,
    svg: String,
    rows: Vec<Row>,
    more: usize,
}

struct Row {
    from: String,
    to: String,
    ports: String,
    connections: String,
    verdict: &'static str,
    class: &'static str,
}

/// Ports in one cell.
const PORTS: usize = 8;

impl MapPage {
    pub fn new(frame: Frame, view: &View, (map, fold): &(Map, Fold)) -> Self {
        let levels = FOLDS.map(|(name, it)| (format!("by {name}"), view.asking.query(&[("by", name)]), it == *fold));
        let by = FOLDS.iter().find(|(_, it)| it == fold).map_or("workload", |(name, _)| name);
        let options = Svg { title: "Who calls whom".to_owned(), within_page: Some("map-drawn".to_owned()) };
        let all = lines(map);
        Self {
            sentence: format!(
                "Who calls whom, in columns by tier: {}. What this proposal denies is red.",
                map.summary().trim_end_matches('.')
            ),
            levels: levels.into(),
            source: view.asking.query(&[("by", by)]),
            svg: graph::svg(map, &graph::layout(map), &options),
            more: all.len().saturating_sub(ROWS),
            rows: all.into_iter().take(ROWS).map(|edge| row(map, edge)).collect(),
            frame,
        }
    }
}

fn row(map: &Map, edge: &Edge) -> Row {
    let (verdict, class) = match edge.verdict {
        Verdict::Allowed => ("allowed", "good"),
        Verdict::Uncertain => ("uncertain", "doubt"),
        Verdict::Denied => ("denied", "bad"),
    };
    Row {
        from: name(map, edge.from),
        to: name(map, edge.to),
        ports: ports(&edge.ports, PORTS),
        connections: grouped(edge.connections),
        verdict,
        class,
    }
}
