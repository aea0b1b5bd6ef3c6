use std::collections::BTreeSet;

use askama::Template;

use super::{
    Frame, ROWS, count,
    dependencies::{called, endpoint_link, link, spoken},
    minute, overview, port, shown,
};
use crate::{
    graph,
    map::By,
    model::{Dependency, Party, PartyKey, WorkloadRef},
    proposal::{ProposalError, Site},
    render::{
        Purpose,
        page::{ReachView, filters, grouped},
    },
    review::{map, view::View},
};

/// One endpoint: which policies are for it, who calls it, and whom it calls.
#[derive(Template)]
#[template(path = "review/endpoint.html")]
pub(in crate::review) struct EndpointPage {
    frame: Frame,
    name: String,
    sentence: String,
    around: Vec<(String, String)>,
    /// How far it reaches and is reached, before and after, where it is a workload.
    reach: Option<String>,
    /// Policies: address, name, standing and its class.
    policies: Vec<(String, String, &'static str, &'static str)>,
    sides: Vec<SideView>,
    everything: String,
}

struct SideView {
    id: &'static str,
    title: String,
    /// What the column of the others is called.
    other: &'static str,
    rows: Vec<Row>,
}

struct Row {
    name: String,
    link: String,
    port: String,
    query: String,
    outcome: &'static str,
    connections: String,
    last: String,
    spoken: String,
}

impl EndpointPage {
    pub fn new(frame: Frame, view: &View, name: &str) -> Result<Self, ProposalError> {
        let all = || view.seen.dependencies.iter();
        let is_it = |party: &Party| party.name == name || view.called(&party.into()) == name;
        let parties = || all().flat_map(|it| [&it.client, &it.server]).filter(|party| is_it(party)).map(PartyKey::from);
        let of_name: BTreeSet<PartyKey> = parties().collect();
        // of several with a name none is meant by it
        let who = of_name.iter().find(|party| of_name.len() == 1 || view.called(party) == name);
        let is_who = |party: &Party| who.is_some_and(|who| who.is(party));
        let calls: Vec<&Dependency> = all().filter(|it| is_who(&it.client)).collect();
        let called_by: Vec<&Dependency> = all().filter(|it| is_who(&it.server)).collect();
        let as_client = calls.iter().map(|it| (&it.client, true));
        let ends: Vec<(&Party, bool)> = as_client.chain(called_by.iter().map(|it| (&it.server, false))).collect();
        let places = view.places()?;
        let areas: BTreeSet<graph::Area> =
            ends.iter().map(|(party, is_client)| graph::place(party, places.tier(party), *is_client)).collect();
        let parts: Vec<graph::Area> =
            areas.iter().flat_map(|area| [area.around(), vec![area.clone()]].concat()).collect();
        let site = view.site()?;
        let on_map = |area: &graph::Area| (map::place(view, area), view.asking.query(&[("at", &area.text())]));
        Ok(Self {
            name: shown(name),
            sentence: if who.is_none() && !of_name.is_empty() {
                let all: Vec<String> = of_name.iter().map(|party| view.called(party)).collect();
                shown(&format!("Several have this name: {}.", all.join(", ")))
            } else {
                sentence(view, &ends)?
            },
            around: parts.iter().map(on_map).collect(),
            reach: reach_of(view, name, who)?.map(reach),
            policies: policies(view, name, who),
            sides: vec![side(view, site, CALLED_BY, &called_by), side(view, site, CALLS, &calls)],
            everything: view.asking.query(&[("q", name)]),
            frame,
        })
    }
}

/// How far it reaches and is reached: by its kind too, where another workload of the cluster has its name.
fn reach_of<'v>(view: &'v View, name: &str, who: Option<&PartyKey>) -> Result<Option<&'v ReachView>, ProposalError> {
    let all = view.reach()?;
    let workload = who.and_then(PartyKey::workload).map(|it| (it.to_string(), format!("{it} ({})", it.kind)));
    let (name, with_kind) = workload.unwrap_or_else(|| (name.to_owned(), String::new()));
    Ok(all.get(&with_kind).or_else(|| all.get(&name)))
}

/// How far a workload reaches and is reached, in words.
fn reach(it: &ReachView) -> String {
    let ReachView { reached_by, reaches, from_outside, to_outside } = it;
    format!(
        "Workloads that can reach it, on whatever port: {} → {}; the outside: {}. Workloads that it can reach: {} → {}; the \
         outside: {}.",
        reached_by.before,
        reached_by.after,
        ReachView::words(from_outside),
        reaches.before,
        reaches.after,
        ReachView::words(to_outside)
    )
}

fn sentence(view: &View, ends: &[(&Party, bool)]) -> Result<String, ProposalError> {
    let Some((party, _)) = ends.first() else {
        return Ok("Nothing was seen of it in this window.".to_owned());
    };
    let kind = party.owner.as_deref().unwrap_or(party.kind.as_str());
    let tier = view.places()?.tier(party).map_or_else(|| "no tier".to_owned(), |tier| format!("tier {tier}"));
    let addresses: BTreeSet<String> =
        ends.iter().flat_map(|(party, _)| &party.addresses).map(ToString::to_string).collect();
    let addresses = count(addresses.len(), "address", "addresses");
    Ok(shown(&format!("{kind}, {tier}, seen with {addresses}.")))
}

/// The policies that are for it.
fn policies(view: &View, name: &str, who: Option<&PartyKey>) -> Vec<(String, String, &'static str, &'static str)> {
    let namespace = name.split_once('/').map(|(namespace, _)| namespace);
    let workload = who.and_then(PartyKey::workload);
    let is_member = |member: &WorkloadRef| match &workload {
        Some(workload) => member == workload,
        None => who.is_none() && member.to_string() == name,
    };
    let is_for_it = |sheet: &&crate::render::Sheet| {
        let is_of_all = sheet.purpose == Purpose::Deny && Some(sheet.namespace.as_str()) == namespace;
        sheet.members.iter().any(is_member) || is_of_all
    };
    let one = |sheet: &crate::render::Sheet| {
        let (standing, class) = overview::standing(view, sheet);
        (view.asking.query(&[("policy", sheet.key.as_str())]), shown(&sheet.name), standing, class)
    };
    view.facts.sheets.iter().filter(is_for_it).map(one).collect()
}

/// One side of an endpoint's dependencies.
#[derive(Clone, Copy)]
struct Facing {
    id: &'static str,
    title: &'static str,
    /// What the other end is.
    other: &'static str,
    end: fn(&Dependency) -> &Party,
}

const CALLED_BY: Facing = Facing { id: "called-by", title: "Who calls it", other: "Client", end: |it| &it.client };
const CALLS: Facing = Facing { id: "calls", title: "Whom it calls", other: "Server", end: |it| &it.server };

fn side(view: &View, site: &Site, facing: Facing, all: &[&Dependency]) -> SideView {
    let Facing { id, title, other, end } = facing;
    let mut sorted = all.to_vec();
    sorted.sort_by_key(|it| (std::cmp::Reverse(it.connections), &end(it).name, it.port));
    let row = |it: &&Dependency| Row {
        name: called(view, end(it)),
        link: endpoint_link(view, end(it)),
        port: port(it.protocol, it.port),
        query: link(view, it),
        outcome: it.outcome.as_str(),
        connections: grouped(it.connections),
        last: minute(it.span.last),
        spoken: spoken(&site.spoken(it, By::Workload)),
    };
    let rows: Vec<Row> = sorted.iter().take(ROWS).map(row).collect();
    // the rest is among the dependencies
    let many = if rows.len() < all.len() {
        format!("the busiest {} of {}", rows.len(), all.len())
    } else {
        all.len().to_string()
    };
    SideView { id, title: format!("{title}: {many}"), other, rows }
}
