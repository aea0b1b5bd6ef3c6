//! Pages that say one thing, whatever is asked for.

use askama::Template;
use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

use super::words::shown;

#[derive(Template)]
#[template(path = "review/message.html")]
struct Message {
    title: String,
    text: String,
    hint: String,
    link: String,
    link_name: &'static str,
    refresh: bool,
}

/// A page as an answer.
pub(super) fn page(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(text) => (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], text).into_response(),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, "the page cannot be written\n").into_response(),
    }
}

/// A page that says one thing.
pub(super) fn message(status: StatusCode, title: &str, text: &str, hint: &str, link: &str) -> Response {
    let message = Message {
        title: shown(title),
        text: shown(text),
        hint: shown(hint),
        link: link.to_owned(),
        link_name: if link.starts_with("/policy?") { "back to the policy" } else { "back to the policies" },
        refresh: false,
    };
    page(status, &message)
}

/// The store is being read.
pub(super) fn waiting(here: &str) -> Response {
    let message = Message {
        title: "Reading the store".to_owned(),
        text: "This page asks again every two seconds.".to_owned(),
        hint: String::new(),
        link: here.to_owned(),
        link_name: "ask now",
        refresh: true,
    };
    page(StatusCode::SERVICE_UNAVAILABLE, &message)
}

/// Whoever may not ask gets as little as that.
pub(super) fn refused(status: StatusCode, why: &str) -> Response {
    let message = Message {
        title: "Not let in".to_owned(),
        text: why.to_owned(),
        hint: String::new(),
        link: "/".to_owned(),
        link_name: "try again",
        refresh: false,
    };
    page(status, &message)
}
