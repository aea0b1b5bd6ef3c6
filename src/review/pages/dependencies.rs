use std::collections::BTreeSet;

use askama::Template;

use super::{Frame, NO_TIME, ROWS, minute, port, shown};
use crate::{
    application::Spoken,
    graph::{self, Area},
    map::By,
    model::{Dependency, Party, Secrecy, Timestamp, Via, words::counted},
    proposal::{Places, ProposalError, Site, concerned},
    render::{
        SheetRule,
        page::{filters, grouped},
    },
    review::{edit, fields::Fields, map, view::View},
    store::Run,
};

/// The dependencies of the namespaces, searched and in parts.
#[derive(Template)]
#[template(path = "review/dependencies.html")]
pub(in crate::review) struct Dependencies {
    frame: Frame,
    sentence: String,
    /// Of which part of the map they are, as fields.
    parts: Vec<(&'static str, String)>,
    everything: String,
    sought: String,
    /// Which can be chosen by whether others can read them: the word, what it is called, and whether it is chosen.
    secrecies: Vec<(&'static str, &'static str, bool)>,
    rows: Vec<Row>,
    earlier: Option<String>,
    later: Option<String>,
    place: String,
}

struct Row {
    client: (String, String),
    server: (String, String),
    port: String,
    query: String,
    outcome: &'static str,
    connections: String,
    last: String,
    spoken: String,
    marks: Vec<&'static str>,
}

/// What can be chosen of the dependencies by whether others can read them.
const SECRECIES: [(&str, &str); 4] =
    [("", "readable or not"), ("clear", "in clear text"), ("encrypted", "encrypted"), ("unknown", "not known")];

/// Whether others can read a dependency as it was chosen.
fn is_chosen(spoken: &Spoken, chosen: &str) -> bool {
    match chosen {
        "clear" => matches!(spoken.secrecy(), Secrecy::Clear | Secrecy::Mixed),
        "encrypted" => spoken.secrecy() == Secrecy::Encrypted,
        "unknown" => spoken.secrecy() == Secrecy::NotKnown,
        _ => true,
    }
}

/// What is spoken over a dependency, and where that is known whether others can read it.
pub(super) fn spoken(spoken: &Spoken) -> String {
    let known = Some(spoken.secrecy()).filter(|secrecy| *secrecy != Secrecy::NotKnown).map(Secrecy::as_str);
    let names = spoken.names().map(|names| names.replace(',', ", "));
    names.as_deref().into_iter().chain(known).collect::<Vec<_>>().join("; ")
}

/// The address of one dependency's page.
pub(super) fn link(view: &View, dependency: &Dependency) -> String {
    let Dependency { client, server, protocol, port, .. } = dependency;
    view.dependency_query((&client.into(), &server.into()), *protocol, *port)
}

/// Of which parts of the map the ends have to be.
struct Parts<'a> {
    view: &'a View,
    places: &'a Places,
    /// Of the clients, of the servers, and of either.
    of: [Option<Area>; 3],
}

/// What these are called in an address.
const PARTS: [&str; 3] = ["clients", "servers", "end"];

impl<'a> Parts<'a> {
    fn read(view: &'a View, fields: &Fields) -> Result<Self, ProposalError> {
        let of = PARTS.map(|name| Area::read(fields.get(name)).filter(|area| !area.is_all()));
        Ok(Self { view, places: view.places()?, of })
    }

    fn has(&self, it: &Dependency) -> bool {
        let place = |party: &Party, is_client| graph::place(party, self.places.tier(party), is_client);
        let [clients, servers, end] = &self.of;
        let is_in = |area: &Option<Area>, party: &Party, is_client| {
            area.as_ref().is_none_or(|area| area.holds(&place(party, is_client)))
        };
        is_in(clients, &it.client, true)
            && is_in(servers, &it.server, false)
            && (is_in(end, &it.client, true) || is_in(end, &it.server, false))
    }

    fn pairs(&self) -> Vec<(&'static str, String)> {
        let named = PARTS.into_iter().zip(&self.of);
        named.filter_map(|(name, area)| Some((name, area.as_ref()?.text()))).collect()
    }

    /// As a query, with more behind it.
    fn query(&self, more: &[(&str, &str)]) -> String {
        let pairs = self.pairs();
        let own: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.view.asking.query(&[&own[..], more].concat())
    }

    fn words(&self) -> String {
        match &self.of {
            [None, None, None] => "with an end in these namespaces".to_owned(),
            [clients, servers, end] => {
                let named = [("from", clients), ("to", servers), ("from or to", end)].into_iter();
                let named =
                    named.filter_map(|(word, area)| Some(format!("{word} {}", map::place(self.view, area.as_ref()?))));
                named.collect::<Vec<_>>().join(" ")
            }
        }
    }
}

impl Dependencies {
    pub fn new(frame: Frame, view: &View, fields: &Fields) -> Result<Self, ProposalError> {
        let sought = fields.get("q").to_lowercase();
        let parts = Parts::read(view, fields)?;
        let all: Vec<&Dependency> =
            concerned(&view.seen.dependencies, &view.namespaces).filter(|it| parts.has(it)).collect();
        let (site, chosen) = (view.site()?, fields.get("spoken"));
        let is_spoken = |it: &Dependency| chosen.is_empty() || is_chosen(&site.spoken(it, By::Workload), chosen);
        let is_found = |it: &&Dependency| has_all(it, &sought, (view, site)) && is_spoken(it);
        let found: Vec<&Dependency> = all.iter().copied().filter(is_found).collect();
        let from = fields.get("from").parse::<usize>().unwrap_or(0).min(found.len());
        let row = |it: &&Dependency| Row {
            client: (called(view, &it.client), endpoint_link(view, &it.client)),
            server: (called(view, &it.server), endpoint_link(view, &it.server)),
            port: port(it.protocol, it.port),
            query: link(view, it),
            outcome: it.outcome.as_str(),
            connections: grouped(it.connections),
            last: minute(it.span.last),
            spoken: spoken(&site.spoken(it, By::Workload)),
            marks: it.marks.iter().map(|mark| mark.as_str()).collect(),
        };
        let rows: Vec<Row> = found.iter().skip(from).take(ROWS).map(row).collect();
        let to = from + rows.len();
        let page =
            |from: usize| parts.query(&[("q", fields.get("q")), ("spoken", chosen), ("from", &from.to_string())]);
        let place = match rows.len() {
            0 => "nothing found".to_owned(),
            _ => format!("{} to {to} of {}", from + 1, found.len()),
        };
        Ok(Self {
            sentence: format!(
                "Who connects to whom, as the captures saw it: {} {}.",
                super::count(all.len(), "dependency", "dependencies"),
                parts.words()
            ),
            everything: view.asking.query(&[]),
            parts: parts.pairs(),
            sought: shown(fields.get("q")),
            secrecies: SECRECIES.map(|(word, name)| (word, name, word == chosen)).into(),
            earlier: (from > 0).then(|| page(from.saturating_sub(ROWS))),
            later: (to < found.len()).then(|| page(to)),
            rows,
            place,
            frame,
        })
    }
}

/// The address of a party's page.
pub(super) fn endpoint_link(view: &View, party: &Party) -> String {
    view.asking.query(&[("name", &view.called(&party.into()))])
}

/// Whether a dependency has every word of a search.
fn has_all(dependency: &Dependency, sought: &str, (view, site): (&View, &Site)) -> bool {
    let words = [
        view.called(&(&dependency.client).into()).to_lowercase(),
        view.called(&(&dependency.server).into()).to_lowercase(),
        port(dependency.protocol, dependency.port).to_lowercase(),
        dependency.outcome.as_str().to_owned(),
    ];
    let is_spoken = |word: &str| {
        let names = site.spoken(dependency, By::Workload).names();
        names.is_some_and(|names| names.split(',').any(|name| name == word))
    };
    let has = |word: &str| {
        let parties = [&dependency.client, &dependency.server];
        words.iter().any(|known| known.contains(word))
            || dependency.marks.iter().any(|mark| mark.as_str() == word)
            || parties.iter().flat_map(|it| &it.addresses).any(|address| address.to_string().contains(word))
            || parties.iter().flat_map(|it| &it.names).any(|name| name.name.as_str().to_lowercase().contains(word))
            || is_spoken(word)
    };
    sought.split_whitespace().all(has)
}

pub(super) fn called(view: &View, party: &Party) -> String {
    let name = view.called(&party.into());
    match party.names.first().filter(|_| party.workload().is_none()) {
        Some(best) => shown(&format!("{name} ({})", best.name)),
        None => shown(&name),
    }
}

/// One dependency: who, when, how often, in which captures.
#[derive(Template)]
#[template(path = "review/dependency.html")]
pub(in crate::review) struct DependencyPage {
    frame: Frame,
    client: (String, String),
    server: (String, String),
    port: String,
    sentence: String,
    rows: Vec<Card>,
    rules: Vec<(String, String)>,
}

struct Card {
    title: String,
    pairs: Vec<(&'static str, String)>,
    /// Place, top, height and words of each hour.
    bars: Vec<(usize, u64, u64, String)>,
    bars_label: String,
    runs: Vec<String>,
}

/// Hours that are drawn.
const MAX_BARS: usize = 336;
/// Addresses that are listed.
const MAX_ADDRESSES: usize = 40;

impl DependencyPage {
    pub fn new(frame: Frame, view: &View, fields: &Fields) -> Result<Self, ProposalError> {
        let (client, server) = (fields.get("client"), fields.get("server"));
        let (protocol, number) = (fields.get("protocol"), fields.get("port"));
        let is_it = |it: &&Dependency| {
            view.called(&(&it.client).into()) == client
                && view.called(&(&it.server).into()) == server
                && it.protocol.to_string() == protocol
                && it.port.to_string() == number
        };
        let found: Vec<&Dependency> = view.seen.dependencies.iter().filter(is_it).collect();
        let site = view.site()?;
        let runs = &view.loaded.world.runs;
        let rows = found.iter().map(|it| card(it, &site.spoken(it, By::Workload), &site.runs_with(it), runs)).collect();
        let connections: u64 = found.iter().map(|it| it.connections).sum();
        Ok(Self {
            client: (shown(client), view.asking.query(&[("name", client)])),
            server: (shown(server), view.asking.query(&[("name", server)])),
            port: shown(&if number == "0" { protocol.to_owned() } else { format!("{protocol}/{number}") }),
            sentence: format!(
                "{}, each counted once, however often it was captured.",
                counted(connections, "connection")
            ),
            rows,
            rules: rules(view, &found),
            frame,
        })
    }
}

fn card(it: &Dependency, spoken: &Spoken, seen_in: &BTreeSet<&str>, runs: &[Run]) -> Card {
    let marks: Vec<&str> = it.marks.iter().map(|mark| mark.as_str()).collect();
    let title = if marks.is_empty() {
        it.outcome.as_str().to_owned()
    } else {
        format!("{}, {}", it.outcome.as_str(), marks.join(", "))
    };
    // a flow log may tell none
    let counted = |is_told: bool, count: u64| if is_told { grouped(count) } else { "not counted".to_owned() };
    let has_bytes = it.bytes_to_server > 0 || it.bytes_to_client > 0;
    let mut pairs = vec![
        ("connections", grouped(it.connections)),
        ("first seen", whole_time(it.span.first)),
        ("last seen", whole_time(it.span.last)),
        ("in hours", it.history.len().to_string()),
        ("who is the client was told by", it.direction.as_str().to_owned()),
        ("packets", counted(it.packets > 0, it.packets)),
        ("bytes to the server", counted(has_bytes, it.bytes_to_server)),
        ("bytes to the client", counted(has_bytes, it.bytes_to_client)),
        ("client", party(&it.client)),
        ("server", party(&it.server)),
    ];
    pairs
        .push(("spoken", spoken.names().map_or_else(|| "not recognised".to_owned(), |names| names.replace(',', ", "))));
    pairs.push(("others can read it", secrecy(spoken.secrecy()).to_owned()));
    let via: Vec<String> = it.via.iter().map(via).collect();
    let lists = [
        ("dialled", via),
        ("VLANs", it.vlans.iter().cloned().collect()),
        ("tunnels", it.tunnels.iter().cloned().collect()),
    ];
    for (name, list) in lists.into_iter().filter(|(_, list): &(_, Vec<String>)| !list.is_empty()) {
        pairs.push((name, shown(&list.join(", "))));
    }
    if let Some(why) = it.unneeded() {
        pairs.push(("makes no rule", why.to_owned()));
    }
    let run = |run: &Run| {
        let (first, last) = (run.first_packet.map(minute), run.last_packet.map(minute));
        let when = first.zip(last).map(|(first, last)| format!(", {first} to {last}")).unwrap_or_default();
        shown(&format!("{} of sensor {} (run {}{when})", run.source, run.sensor, run.id))
    };
    Card {
        title,
        pairs,
        bars: bars(it),
        bars_label: format!("{} hours with traffic", it.history.len()),
        runs: runs.iter().filter(|run| seen_in.contains(run.id.to_string().as_str())).map(run).collect(),
    }
}

/// Whether others can read it, in words.
fn secrecy(secrecy: Secrecy) -> &'static str {
    match secrecy {
        Secrecy::Clear => "yes: it is in clear text",
        Secrecy::Mixed => "in part: some is in clear text, some encrypted",
        Secrecy::Encrypted => "no: it is encrypted",
        Secrecy::NotKnown => "not known",
    }
}

/// A time as exact as it is known.
fn whole_time(time: Timestamp) -> String {
    time.named().map_or_else(|| NO_TIME.to_owned(), |time| time.to_string())
}

/// The last hours, from the first with traffic to the last.
fn bars(it: &Dependency) -> Vec<(usize, u64, u64, String)> {
    const HEIGHT: u64 = 56;
    let named = || it.history.iter().filter(|(hour, _)| hour.is_named());
    let (Some((first, _)), Some((last, _))) = (named().next(), named().next_back()) else { return Vec::new() };
    let first = first.0.max(last.0.saturating_sub(i32::try_from(MAX_BARS).unwrap_or(i32::MAX) - 1));
    let most = named().map(|(_, count)| *count).max().unwrap_or(1).max(1);
    let bar = |(n, hour): (usize, i32)| {
        let hour = crate::model::Hour(hour);
        let count = it.history.get(&hour).copied().unwrap_or(0);
        let height = if count == 0 { 0 } else { (count.saturating_mul(HEIGHT) / most).max(2) };
        (n * 6, 60 - height, height, format!("{}: {count}", minute(hour.start())))
    };
    (first..=last.0).enumerate().map(bar).collect()
}

fn party(party: &Party) -> String {
    let all: Vec<String> = party.addresses.iter().take(MAX_ADDRESSES).map(ToString::to_string).collect();
    let more = party.addresses.len().saturating_sub(all.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let names: BTreeSet<&str> = party.names.iter().map(|name| name.name.as_str()).take(MAX_ADDRESSES).collect();
    let names: Vec<&str> = names.into_iter().collect();
    let names = if names.is_empty() { String::new() } else { format!("; called {}", names.join(", ")) };
    let owner = party.owner.as_deref().map(|owner| format!("{owner} ")).unwrap_or_default();
    shown(&format!("{} {owner}{}: {}{more}{names}", party.kind.as_str(), party.name, all.join(", ")))
}

fn via(via: &Via) -> String {
    let service = via.service.as_deref().unwrap_or("no Service that is known");
    let disputed = if via.disputed { ", and somebody unknown answered" } else { "" };
    format!("{}:{} ({service}{disputed})", via.address, via.port)
}

/// The rules that rest on these.
fn rules(view: &View, found: &[&Dependency]) -> Vec<(String, String)> {
    let rests = |rule: &SheetRule| {
        let evidence = rule.access.iter().flat_map(|access| &access.evidence);
        evidence.into_iter().any(|one| {
            found.iter().any(|it| {
                one.client.is(&it.client)
                    && one.server.is(&it.server)
                    && (it.protocol, it.port, it.outcome) == (one.protocol, one.port, one.outcome)
            })
        })
    };
    let mut rules = Vec::new();
    for sheet in &view.facts.sheets {
        for rule in sheet.rules.iter().filter(|rule| rests(rule)) {
            let standing = match (sheet.object.is_some(), rule.is_in_force()) {
                (true, true) => "",
                (true, false) => " (removed)",
                (false, _) => " (the policy was rejected)",
            };
            let (side, word) = (rule.side.as_str(), rule.side.preposition());
            let name = format!("{}/{}: {side} {word} {}{standing}", sheet.namespace, sheet.name, rule.name);
            let query = view.asking.query(&[("policy", sheet.key.as_str())]);
            rules.push((format!("{query}#{}", edit::rule_ref(rule)), shown(&name)));
        }
    }
    rules
}
