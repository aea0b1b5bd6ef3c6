use askama::Template;

use super::shown;
use crate::{
    proposal::{Granularity, ProposalError},
    review::{
        asking::{Asking, Direction},
        view::Loaded,
    },
};

/// The form that asks for something else to be shown: a name, and whether it is what is shown now.
pub(super) struct Choice {
    pub sites: Vec<(String, bool)>,
    pub namespaces: Vec<(String, bool)>,
    pub since: String,
    pub until: String,
    pub granularities: Vec<(&'static str, bool)>,
    pub directions: Vec<(&'static str, bool)>,
    pub isolate: bool,
}

impl Choice {
    /// At a site, with the namespaces that are shown.
    pub fn new(loaded: &Loaded, asking: &Asking, site: &str, is_shown: impl Fn(&str) -> bool) -> Self {
        let sites = loaded.world.sites.iter().map(|it| (shown(&it.name), it.name == site)).collect();
        let known = loaded.known_namespaces(site);
        Self {
            sites,
            namespaces: known.into_iter().map(|name| (name.clone(), is_shown(&name))).collect(),
            since: asking.since.clone(),
            until: asking.until.clone(),
            granularities: Granularity::ALL.map(|it| (it.as_str(), it == asking.granularity)).into(),
            directions: Direction::ALL.map(|it| (it.as_str(), it == asking.direction)).into(),
            isolate: asking.isolate_unseen,
        }
    }
}

/// Why there is nothing to show, and the form that asks for something else.
#[derive(Template)]
#[template(path = "review/no_proposal.html")]
pub(in crate::review) struct NoProposalPage {
    text: String,
    hint: String,
    choice: Choice,
}

impl NoProposalPage {
    pub fn new(loaded: &Loaded, asking: &Asking, error: &ProposalError) -> Self {
        // a site that is none has no namespaces to choose from: those of the first one are
        let site = loaded.site(&asking.site, &asking.namespaces).or_else(|_| loaded.site("", &[]));
        let site = site.map_or("", |site| &site.name);
        let is_asked = |name: &str| asking.namespaces.iter().any(|it| it == name);
        Self {
            text: shown(&error.to_string()),
            hint: shown(&error.hint().unwrap_or_default()),
            choice: Choice::new(loaded, asking, site, is_asked),
        }
    }
}
