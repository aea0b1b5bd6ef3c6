//! What pages are drawn with: from the program itself, never from elsewhere.

use axum::{
    extract::Path,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

/// Name, kind and content.
const ASSETS: [(&str, &str, &str); 7] = [
    ("review.css", "text/css; charset=utf-8", include_str!("assets/review.css")),
    ("map.css", "text/css; charset=utf-8", include_str!("assets/map.css")),
    ("graph.css", "text/css; charset=utf-8", crate::graph::STYLE),
    ("map.js", "text/javascript; charset=utf-8", include_str!("assets/map.js")),
    ("icon.svg", "image/svg+xml", include_str!("assets/icon.svg")),
    ("cytoscape.min.js", "text/javascript; charset=utf-8", include_str!("vendor/cytoscape.min.js")),
    ("cytoscape-dagre.min.js", "text/javascript; charset=utf-8", include_str!("vendor/cytoscape-dagre.min.js")),
];

/// Nothing of it is secret, and it does not change while the program runs.
pub(super) async fn asset(Path(name): Path<String>) -> Response {
    match ASSETS.iter().find(|(known, ..)| *known == name) {
        Some((_, kind, text)) => {
            ([(header::CONTENT_TYPE, *kind), (header::CACHE_CONTROL, "private, max-age=300")], *text).into_response()
        }
        None => (StatusCode::NOT_FOUND, "there is no such file\n").into_response(),
    }
}
