//! What is asked for: a site, namespaces, a window, how fine. It travels in the address of every page.

use super::{
    Config,
    fields::{Fields, query},
};
use crate::{
    model::{Directions, Timestamp},
    proposal::{Granularity, Window},
};

/// What is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Asking {
    /// The site; the first one where none is named.
    pub site: String,
    /// The namespaces, in order; all but the cluster's own where none is named.
    pub namespaces: Vec<String>,
    /// From when on, as it was typed.
    pub since: String,
    /// Until when, as it was typed.
    pub until: String,
    /// What gets one policy.
    pub granularity: Granularity,
    /// What is closed.
    pub direction: Direction,
    /// Whether also those are closed that the captures could not see.
    pub isolate_unseen: bool,
}

/// A window of the store as it was typed: ages are counted from when it is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Typed {
    since: String,
    until: String,
}

impl Typed {
    /// Whether it moves with the clock.
    pub fn slides(&self) -> bool {
        let is_age = |text: &String| !text.is_empty() && Timestamp::parse(text).is_none();
        [&self.since, &self.until].into_iter().any(is_age)
    }
}

/// What is closed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Direction {
    Ingress,
    Egress,
    #[default]
    Both,
}

impl Direction {
    pub const ALL: [Self; 3] = [Self::Both, Self::Ingress, Self::Egress];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ingress => "ingress",
            Self::Egress => "egress",
            Self::Both => "both",
        }
    }

    pub fn directions(self) -> Directions {
        match self {
            Self::Ingress => Directions::Ingress,
            Self::Egress => Directions::Egress,
            Self::Both => Directions::Both,
        }
    }
}

/// Why a window is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoWindow {
    /// A time that does not read.
    #[error("{}", Timestamp::refusal(.0))]
    Time(String),
    /// It ends before it begins.
    #[error("it ends at {until}, before it begins at {since}")]
    Reversed { since: Timestamp, until: Timestamp },
}

impl Asking {
    /// What the fields say; what they do not say is as the command line has it, where nothing was asked for yet.
    pub fn read(fields: &Fields, config: &Config) -> Self {
        let is_first = ["site", "ns", "since", "until", "granularity", "direction", "asked"]
            .iter()
            .all(|name| fields.get(name).is_empty());
        if is_first {
            return Self {
                site: config.site.clone().unwrap_or_default(),
                namespaces: config.namespaces.clone(),
                since: config.since.clone(),
                until: config.until.clone(),
                ..Self::default()
            };
        }
        let mut namespaces: Vec<String> = fields.all("ns").map(str::to_owned).collect();
        namespaces.sort();
        namespaces.dedup();
        let granularity = Granularity::ALL.into_iter().find(|it| it.as_str() == fields.get("granularity"));
        let direction = Direction::ALL.into_iter().find(|it| it.as_str() == fields.get("direction"));
        Self {
            site: fields.get("site").to_owned(),
            namespaces,
            since: fields.get("since").to_owned(),
            until: fields.get("until").to_owned(),
            granularity: granularity.unwrap_or_default(),
            direction: direction.unwrap_or_default(),
            isolate_unseen: fields.get("isolate") == "yes",
        }
    }

    /// As fields.
    pub fn pairs(&self) -> Vec<(&'static str, String)> {
        let mut pairs = vec![("asked", "yes".to_owned())];
        let mut add = |name, value: &str| {
            if !value.is_empty() {
                pairs.push((name, value.to_owned()));
            }
        };
        add("site", &self.site);
        for namespace in &self.namespaces {
            add("ns", namespace);
        }
        add("since", &self.since);
        add("until", &self.until);
        if self.granularity != Granularity::default() {
            add("granularity", self.granularity.as_str());
        }
        if self.direction != Direction::default() {
            add("direction", self.direction.as_str());
        }
        add("isolate", if self.isolate_unseen { "yes" } else { "" });
        pairs
    }

    /// As a query, with more behind it.
    pub fn query(&self, more: &[(&str, &str)]) -> String {
        let pairs = self.pairs();
        let own = pairs.iter().map(|(name, value)| (*name, value.as_str()));
        query(own.chain(more.iter().copied()))
    }

    /// The window as it was typed.
    pub fn typed(&self) -> Typed {
        Typed { since: self.since.clone(), until: self.until.clone() }
    }

    /// The window, where both times read.
    pub fn window(&self, config: &Config) -> Result<Window, NoWindow> {
        let now = (config.clock)();
        let time = |text: &str| match text {
            "" => Ok(None),
            text => Timestamp::parse_or_age(text, now).map(Some).ok_or_else(|| NoWindow::Time(text.to_owned())),
        };
        let (since, until) = (time(&self.since)?, time(&self.until)?);
        if let (Some(since), Some(until)) = (since, until)
            && until < since
        {
            return Err(NoWindow::Reversed { since, until });
        }
        Ok(Window { site: None, since, until, exclude: config.exclude.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::Asking;

    #[test]
    fn a_window_is_what_was_typed_and_slides_where_an_age_was() {
        let asking = |since: &str| Asking { since: since.into(), site: "a".into(), ..Asking::default() };
        assert_eq!(asking("24h").typed(), Asking { site: "b".into(), ..asking("24h") }.typed());
        assert_ne!(asking("24h").typed(), asking("25h").typed());
        assert!(asking("24h").typed().slides());
        assert!(!asking("").typed().slides() && !asking("2026-01-01T00:00:00Z").typed().slides());
    }
}
