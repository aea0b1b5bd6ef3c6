//! A map as SVG 1.1, that looks right in light and in dark, and tells what it shows to those who do not see it.

use std::fmt::Write;

use super::{
    Edge, Layout, Map, Node, Placed, Route, Sight, Verdict,
    layout::{LABEL_LETTERS, LABEL_PX, WHAT_LETTERS, WHAT_PX},
    text,
};

/// The looks of a map; a page that holds maps holds this once.
pub const STYLE: &str = include_str!("graph.css");

/// How a map is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Svg {
    /// What it shows, in some words.
    pub title: String,
    /// Part of a page, which has the looks and may hold several: what their ids begin with.
    pub within_page: Option<String>,
    /// Where boxes and lines lead.
    pub links: Links,
}

/// Where the boxes and lines of a map lead, by their places; nowhere where there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Links {
    /// Of boxes.
    pub nodes: Vec<String>,
    /// Of lines.
    pub edges: Vec<String>,
}

/// The corner of a box.
const CORNER: i32 = 6;
/// How long an arrow is: lines end before it.
const ARROW: i32 = 7;
/// Where the two lines of text of a box stand.
const LABEL_Y: i32 = 19;
const WHAT_Y: i32 = 35;
const TEXT_X: i32 = 12;

/// Writes a map that was laid out.
#[must_use]
pub fn svg(map: &Map, layout: &Layout, options: &Svg) -> String {
    let prefix = options.within_page.as_deref().unwrap_or("map");
    let dense = if map.edges.len() > DENSE { " dense" } else { "" };
    let wide = if layout.width > WIDE { " wide" } else { "" };
    // what is within an image is no link to anybody who hears it
    let role = if options.links == Links::default() { "img" } else { "group" };
    let mut out = String::new();
    let Layout { width, height, .. } = *layout;
    // writing to a String cannot fail
    let _ = writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"map{dense}{wide}\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" role=\"{role}\" aria-labelledby=\"{prefix}-title {prefix}-desc\">\n\
         <title id=\"{prefix}-title\">{}</title>\n<desc id=\"{prefix}-desc\">{}</desc>",
        text::xml(&options.title),
        text::xml(&map.summary())
    );
    if options.within_page.is_none() {
        let _ = writeln!(out, "<style>\n{STYLE}</style>\n<rect class=\"paper\" width=\"100%\" height=\"100%\"/>");
    }
    arrows(&mut out, prefix);
    for (layer, place) in &layout.bands {
        let middle = place.x + place.width / 2;
        let _ = writeln!(
            out,
            "<g class=\"band\">{}<text x=\"{middle}\" y=\"{}\">{layer}</text></g>",
            rect(place, 10),
            place.y + 20
        );
    }
    for (name, place) in &layout.frames {
        let name = text::xml(&text::shortened(name, LABEL_LETTERS));
        let _ = writeln!(
            out,
            "<g class=\"frame\">{}<text x=\"{}\" y=\"{}\">{name}</text></g>",
            rect(place, 8),
            place.x + 10,
            place.y + 14
        );
    }
    // what is worst is drawn last, above the others
    let mut order: Vec<(usize, (&Edge, &Route))> = map.edges.iter().zip(&layout.edges).enumerate().collect();
    order.sort_by_key(|(_, (edge, _))| (edge.verdict, edge.sight != Sight::Never));
    for (id, (edge, route)) in order {
        // by keyboard the table beside the map leads there: hundreds of stops would be no help
        linked(&mut out, options.links.edges.get(id), " tabindex=\"-1\" aria-hidden=\"true\"", |out| {
            line(out, map, edge, route, prefix);
        });
    }
    let below = text::below(map, WHAT_LETTERS);
    for (id, ((node, place), below)) in map.nodes.iter().zip(&layout.nodes).zip(&below).enumerate() {
        let label = format!(" aria-label=\"{}\"", text::xml(&about(node)));
        linked(&mut out, options.links.nodes.get(id), &label, |out| self::node(out, (id, node), place, below));
    }
    out + "</svg>\n"
}

/// What is drawn, as a link where it leads anywhere.
fn linked(out: &mut String, link: Option<&String>, more: &str, draw: impl FnOnce(&mut String)) {
    if let Some(link) = link {
        let _ = write!(out, "<a href=\"{}\"{more}>", text::xml(link));
    }
    draw(out);
    if link.is_some() {
        out.push_str("</a>");
    }
}

fn rect(place: &Placed, corner: i32) -> String {
    let Placed { x, y, width, height } = place;
    format!("<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"{corner}\"/>")
}

fn arrows(out: &mut String, prefix: &str) {
    out.push_str("<defs>");
    for class in ["allowed", "never", "uncertain", "denied"] {
        let _ = write!(
            out,
            "<marker id=\"{prefix}-{class}\" class=\"arrow {class}\" viewBox=\"0 0 8 8\" refX=\"1\" refY=\"4\" \
             markerWidth=\"8\" markerHeight=\"8\" markerUnits=\"userSpaceOnUse\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\"/></marker>"
        );
    }
    out.push_str("</defs>\n");
}

fn class(edge: &Edge) -> &'static str {
    match (edge.verdict, edge.sight) {
        (Verdict::Denied, _) => "denied",
        (Verdict::Uncertain, _) => "uncertain",
        (Verdict::Allowed, Sight::Never) => "never",
        (Verdict::Allowed, _) => "allowed",
    }
}

/// More lines than this are drawn thin and pale, so that what is behind them is seen.
const DENSE: usize = 300;

/// Wider maps are not made smaller to fit a page: nobody could read them.
const WIDE: i32 = 1_600;

/// How thick a line is, in tenths of a pixel: by the decimal logarithm of its connections, from 1 for one to 4.
fn thickness(connections: u64) -> u64 {
    let digits = u64::from(connections.checked_ilog10().unwrap_or_default());
    // between two powers of ten it grows evenly
    let base = 10_u64.pow(u32::try_from(digits).unwrap_or_default());
    let rest = connections.saturating_sub(base).saturating_mul(10) / base.saturating_mul(9).max(1);
    (10 + 5 * digits + rest / 2).min(40)
}

fn line(out: &mut String, map: &Map, edge: &Edge, route: &Route, prefix: &str) {
    let class = class(edge);
    let dashed = if matches!(edge.sight, Sight::Rare | Sight::OneSided | Sight::Never) { " dashed" } else { "" };
    let width = if edge.sight == Sight::Never { 10 } else { thickness(edge.connections) };
    let _ = writeln!(
        out,
        "<g class=\"line {class}{dashed}\" data-from=\"{}\" data-to=\"{}\"><title>{}</title><path d=\"{}\" \
         stroke-width=\"{}.{}\" marker-end=\"url(#{prefix}-{class})\"/></g>",
        edge.from,
        edge.to,
        text::xml(&text::edge(map, edge)),
        path(route),
        width / 10,
        width % 10
    );
}

/// A path through the points of a route: bends between columns, straight lines past boxes.
fn path(route: &Route) -> String {
    let [first, .., last] = &route.points[..] else { return String::new() };
    let mut path = format!("M{} {}", first.0, first.1);
    if route.is_loop {
        // far out where the ends are far apart
        let out = 26 + ((last.1 - first.1).abs() / 6).min(24);
        let x = first.0.max(last.0) + out;
        let _ = write!(path, "C{x} {} {x} {} {} {}", first.1, last.1, last.0 + ARROW, last.1);
        return path;
    }
    let towards = if last.0 > first.0 { 1 } else { -1 };
    let mut before = *first;
    for (n, point) in route.points.iter().enumerate().skip(1) {
        let is_last = n + 1 == route.points.len();
        let (x, y) = (if is_last { point.0 - towards * ARROW } else { point.0 }, point.1);
        // from an odd point on a line bends to the next column; between the two ends of a lane it is straight
        let _ = if n % 2 == 0 {
            write!(path, "H{x}")
        } else {
            let middle = i32::midpoint(before.0, x);
            write!(path, "C{middle} {} {middle} {y} {x} {y}", before.1)
        };
        before = (x, y);
    }
    path
}

fn node(out: &mut String, (id, node): (usize, &Node), place: &Placed, below: &str) {
    let open = if node.is_open { " open" } else { "" };
    let label = text::xml(&text::shortened(&node.label, LABEL_LETTERS));
    let what = text::xml(below);
    let several = if node.members.len() > 1 { " several" } else { "" };
    let x = place.x + TEXT_X;
    let _ = writeln!(
        out,
        "<g class=\"node {}{open}{several}\" data-node=\"{id}\"><title>{}</title>{}<text class=\"name\" x=\"{x}\" y=\"{}\" \
         font-size=\"{LABEL_PX}\">{label}</text><text class=\"what\" x=\"{x}\" y=\"{}\" font-size=\"{WHAT_PX}\">{what}</text></g>",
        node.kind.as_str(),
        text::xml(&about(node)),
        rect(place, CORNER),
        place.y + LABEL_Y,
        place.y + WHAT_Y,
    );
}

/// Members that are named.
const MAX_MEMBERS: usize = 12;

/// A box in words.
fn about(node: &Node) -> String {
    let mut text = format!("{}, {}, {}", text::full_name(node), node.what, node.layer);
    if node.is_open {
        text += ", left open";
    }
    if node.members.len() > 1 {
        text += ": ";
        text += &node.members.iter().take(MAX_MEMBERS).map(|it| it.name.as_str()).collect::<Vec<_>>().join(", ");
        if node.members.len() > MAX_MEMBERS {
            let _ = write!(text, " and {} more", node.members.len() - MAX_MEMBERS);
        }
    }
    text
}
