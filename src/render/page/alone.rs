//! A map as a page of its own, with its lines as a table for those who do not see it.

use askama::Template;

use super::{SCRIPT, STYLE, Sealed, filters, sealed};
use crate::{
    graph::{self, Links, Map, Svg},
    render::RenderError,
};

#[derive(Debug, Template)]
#[template(path = "map.html")]
struct MapPage<'a> {
    title: &'a str,
    summary: String,
    svg: String,
    rows: Vec<[String; 5]>,
    /// Lines that the table leaves out.
    more: usize,
    sealed: Sealed,
}

/// Lines that the table has.
const MAX_ROWS: usize = 2_000;

/// Writes a map as a page of its own; why there is none where a template fails.
pub fn map_page(map: &Map, title: &str) -> Result<String, RenderError> {
    let options = Svg { title: title.to_owned(), within_page: Some("map".into()), links: Links::default() };
    let page = MapPage {
        title,
        summary: map.summary(),
        svg: graph::svg(map, &graph::layout(map), &options),
        rows: map.rows().take(MAX_ROWS).collect(),
        more: map.edges.len().saturating_sub(MAX_ROWS),
        sealed: Sealed::new(STYLE, SCRIPT),
    };
    let fault = |error: askama::Error| RenderError::Page { path: "map".into(), reason: error.to_string() };
    Ok(sealed::tidy(&page.render().map_err(fault)?) + "\n")
}
