//! Pages as values, each with its template. Every text from outside goes through [`shown`] before it gets there, and
//! templates escape what they are given.

mod again;
mod changes;
mod choice;
mod dependencies;
mod edit;
mod endpoint;
mod exports;
mod findings;
mod history;
mod maps;
mod overview;
mod policy;

pub(super) use again::AgainPage;
pub(super) use changes::Changes;
pub(super) use choice::NoProposalPage;
pub(super) use dependencies::{Dependencies, DependencyPage};
pub(super) use edit::EditPage;
pub(super) use endpoint::EndpointPage;
pub(super) use exports::ExportPage;
pub(super) use findings::Findings;
pub(super) use history::{ConflictPage, History};
pub(super) use maps::MapPage;
pub(super) use overview::Overview;
pub(super) use policy::{PolicyPage, Refused};

use axum::http::HeaderMap;

use super::{
    asking::Direction,
    desk::{Desk, Shown},
    fields::cookie,
    view::View,
    words::{NO_TIME, count, minute, port, shown},
};
use crate::{
    policy::{Finding, Ruling, Simulation},
    render::{self, Caution, Level, page::grouped},
};

/// A line with what it means for the reader.
pub(super) struct Line {
    pub class: &'static str,
    /// Its meaning as a word, for who sees no colours; empty where the text says it.
    pub word: &'static str,
    pub text: String,
}

impl Line {
    pub fn new(class: &'static str, text: impl AsRef<str>) -> Self {
        Self { class, word: "", text: shown(text.as_ref()) }
    }

    /// Of a caution, a line for each of its first places.
    pub fn of_caution(caution: &Caution) -> Vec<Self> {
        /// Places that are written out.
        const MAX_PLACES: usize = 6;
        let Caution { level, what, why } = caution;
        let (class, word) = match level {
            Level::Stop => ("bad", level.word()),
            Level::Look => ("doubt", level.word()),
            Level::Note | Level::Good => ("", ""),
        };
        let colon = if what.ends_with('?') { "" } else { ":" };
        let line = |why: &str| Self { word, ..Self::new(class, format!("{what}{colon} {why}")) };
        let more = why.len().saturating_sub(MAX_PLACES);
        let rest = (more > 0).then(|| line(&format!("and {more} more.")));
        why.iter().take(MAX_PLACES).map(|it| line(it)).chain(rest).collect()
    }
}

/// What all pages have around what they are about.
pub(super) struct Frame {
    pub title: String,
    pub active: &'static str,
    pub pages: [(&'static str, &'static str); 7],
    pub query: String,
    pub fields: Vec<(&'static str, String)>,
    pub is_stale: bool,
    pub read_at: String,
    pub here: String,
    /// What is shown, in a sentence: paper has no form that tells it.
    pub asked: String,
    pub folder_fault: Option<String>,
    pub csrf: String,
    pub author: String,
    pub about: String,
}

const PAGES: [(&str, &str); 7] = [
    ("/", "Policies"),
    ("/map", "Map"),
    ("/dependencies", "Dependencies"),
    ("/denied", "Denied"),
    ("/changes", "Changes"),
    ("/history", "Decisions"),
    ("/export", "Export"),
];

/// The cookie that remembers who decides.
pub(super) const AUTHOR: &str = "flowmap-author";

/// What a request tells beside what it asks for.
pub(super) struct Asker {
    pub author: String,
    pub here: String,
}

impl Asker {
    pub fn of(desk: &Desk, headers: &HeaderMap, uri: &axum::http::Uri) -> Self {
        let remembered = cookie(headers, AUTHOR).and_then(|text| {
            form_urlencoded::parse(format!("a={text}").as_bytes()).next().map(|(_, value)| value.into_owned())
        });
        let author = remembered.filter(|name| !name.is_empty()).unwrap_or_else(|| desk.config.author.clone());
        let here = uri.path_and_query().map(ToString::to_string).unwrap_or_default();
        Self { author, here }
    }
}

impl Frame {
    pub fn new(desk: &Desk, looked: &Shown, asker: &Asker, active: &'static str, title: &str) -> Self {
        let view = &looked.view;
        Self {
            title: shown(title),
            active,
            pages: PAGES,
            query: view.asking.query(&[]),
            fields: view.asking.pairs(),
            is_stale: looked.is_stale,
            read_at: render::minute(view.loaded.read_at),
            here: asker.here.clone(),
            asked: asked(view),
            folder_fault: view.folder_fault.as_deref().map(shown),
            csrf: desk.guard.form.text().to_owned(),
            author: shown(&asker.author),
            about: about(desk, view),
        }
    }
}

fn asked(view: &View) -> String {
    let asking = &view.asking;
    let namespaces: Vec<&str> = view.namespaces.iter().map(String::as_str).collect();
    let or = |time: &str, none: &str| if time.is_empty() { none.to_owned() } else { time.to_owned() };
    let (since, until) = (or(&asking.since, "the first packet"), or(&asking.until, "now"));
    let closed = match asking.direction {
        Direction::Both => "ingress and egress",
        one => one.as_str(),
    };
    let unseen = if asking.isolate_unseen { "closed too" } else { "left open" };
    shown(&format!(
        "Site {}, {}; from {since} until {until}; one policy for each {}; closing {closed}; what was not watched is {unseen}.",
        view.site,
        namespaces.join(", "),
        asking.granularity.as_str(),
    ))
}

fn about(desk: &Desk, view: &View) -> String {
    let store = desk.config.store.file_name().unwrap_or_default().to_string_lossy();
    let folder = desk.config.out_dir.file_name().unwrap_or_default().to_string_lossy();
    let site = &view.site;
    shown(&format!(
        "Store {store}, site {site}, read {} UTC. Exports go to {folder}. flowmap {}.",
        render::minute(view.loaded.read_at),
        env!("CARGO_PKG_VERSION")
    ))
}

/// Figures of a verdict.
pub(super) struct Figures {
    pub connections: String,
    pub allowed: String,
    pub denied: String,
    pub uncertain: String,
    pub is_denied: bool,
    pub is_uncertain: bool,
}

impl Figures {
    pub fn of(simulation: &Simulation) -> Self {
        let Simulation { connections, allowed, denied, uncertain, .. } = *simulation;
        Self {
            connections: grouped(connections),
            allowed: grouped(allowed),
            denied: grouped(denied),
            uncertain: grouped(uncertain),
            is_denied: denied > 0,
            is_uncertain: uncertain > 0,
        }
    }
}

/// A finding as a row.
pub(super) struct FindingRow {
    pub class: &'static str,
    pub verdict: String,
    pub from: String,
    pub to: String,
    pub port: String,
    pub connections: String,
    pub reason: String,
}

impl FindingRow {
    pub fn of(view: &View, finding: &Finding) -> Self {
        Self::called(view, finding, finding.verdict.as_str())
    }

    /// With a verdict in other words.
    pub fn called(view: &View, finding: &Finding, verdict: &str) -> Self {
        let class = match finding.verdict {
            Ruling::Denied => "bad",
            Ruling::Uncertain => "doubt",
            Ruling::Closed => "",
        };
        Self {
            class,
            verdict: verdict.to_owned(),
            from: shown(&view.called(&finding.from)),
            to: shown(&view.called(&finding.to)),
            port: port(finding.protocol, finding.port),
            connections: grouped(finding.connections),
            reason: shown(&finding.reason),
        }
    }
}

/// Rows of a list on one page.
pub(super) const ROWS: usize = 200;
