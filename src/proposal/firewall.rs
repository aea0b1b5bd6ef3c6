//! Rules for a firewall between hosts, from all that is known of one site.

mod links;
mod watched;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use foldhash::{HashMap, HashSet};
use ipnet::IpNet;

use super::{ProposalError, doubts, world::Site};
use crate::{
    firewall::{self, Dispute, Finding, Firewall, Grouping, Host, Input, Options, Sight},
    inventory::{Directory, Owner, is_link_local},
    map::By,
    model::{Dependency, Mark, Outcome, Party, PartyKind, Protocol, Span, words},
    render::FirewallFacts,
    segment::{Layout, crossings},
    store::Run,
    tier::{self, Member, Role, Scope},
};

/// The hosts of a site that may be closed: those that the inventory knows; without one, private addresses.
fn hosts(site: &Site, dependencies: &[Dependency]) -> Vec<Host> {
    let contacts = site.contacts();
    let scope = Scope::new(&site.directory, &contacts.parties);
    let options = tier::Options { across_namespaces: true, ..tier::Options::default() };
    let roles = tier::find(&contacts, &scope, options).roles;
    let mut places: BTreeMap<String, (String, &Role)> = BTreeMap::new();
    for (n, role) in roles.iter().enumerate() {
        let name = called(role, &roles[..n]);
        let hosts = role.members.iter().filter(|member| member.workload.is_none());
        places.extend(hosts.map(|member| (member.name.clone(), (name.clone(), role))));
    }
    let mut found: BTreeMap<String, (BTreeSet<IpAddr>, BTreeSet<IpNet>)> = BTreeMap::new();
    let listed = &site.cluster().hosts;
    let mut names: BTreeMap<IpNet, BTreeSet<Option<&String>>> = BTreeMap::new();
    for host in listed {
        names.entry(host.range).or_default().insert(host.name.as_ref());
    }
    for host in listed {
        let is_one = host.range.prefix_len() == host.range.max_prefix_len();
        let is_disputed = names.get(&host.range).is_some_and(|names| names.len() > 1);
        match &host.name {
            // whose it is nobody can tell
            _ if is_disputed => {}
            Some(name) if !is_one => drop(found.entry(name.clone()).or_default().1.insert(host.range)),
            None if !is_one => {}
            _ => drop(found.entry(host_name(host, host.range.addr())).or_default().0.insert(host.range.addr())),
        }
    }
    for (party, span) in dependencies.iter().flat_map(who_is_there) {
        if let Some((name, address)) = host_of(&site.directory, party, span) {
            found.entry(name).or_default().0.insert(address);
        }
    }
    let has_any = |(_, (addresses, ranges)): &(String, (BTreeSet<IpAddr>, BTreeSet<IpNet>))| {
        !addresses.is_empty() || !ranges.is_empty()
    };
    let known = found.into_iter().filter(has_any).filter_map(|(name, (addresses, ranges))| {
        let (name_of_role, role) = places.get(&name)?;
        let (tier, is_told, role) = (role.tier, role.is_told, name_of_role.clone());
        Some(Host { name, role, tier, is_told, addresses, ranges, sights: BTreeMap::new() })
    });
    known.collect()
}

/// The ends of a dependency that are somebody: not what was asked for in vain, whoever was looking for it.
fn who_is_there(dependency: &Dependency) -> impl Iterator<Item = (&Party, Span)> {
    let is_scan = dependency.marks.contains(&Mark::Scan);
    let has_server = match dependency.outcome {
        Outcome::Unanswered => false,
        Outcome::Oneway => !is_scan,
        Outcome::Established | Outcome::Midstream | Outcome::Refused => true,
    };
    let server = has_server.then_some(&dependency.server);
    std::iter::once(&dependency.client).chain(server).map(|party| (party, dependency.span))
}

/// What a role is called: as the operator does, or as its only member is; else by what it does, and by a number where others
/// before it are called so.
fn called(role: &Role, before: &[Role]) -> String {
    match &role.members[..] {
        [Member { role: Some(given), .. }, ..] => return given.clone(),
        [only] => return only.name.clone(),
        _ => {}
    }
    let alike = before.iter().filter(|other| other.name == role.name && other.members.len() > 1).count();
    if alike == 0 { role.name.clone() } else { format!("{} ({})", role.name, alike + 1) }
}

/// What a party by address is called, where it may be a host.
fn host_of(directory: &Directory, party: &Party, span: Span) -> Option<(String, IpAddr)> {
    // no router forwards what is of a link alone
    let address: IpAddr = party.name.parse().ok().filter(|address| !is_link_local(*address))?;
    match party.kind {
        PartyKind::Host => match directory.who_over(address, span) {
            Owner::Host(host) => Some((host_name(host, address), address)),
            _ => None,
        },
        PartyKind::External | PartyKind::Unknown => Some((address.to_string(), address)),
        PartyKind::Workload | PartyKind::Service | PartyKind::Node | PartyKind::Multicast => None,
    }
}

fn host_name(host: &crate::model::Host, address: IpAddr) -> String {
    host.name.clone().unwrap_or_else(|| address.to_string())
}

/// The hosts with what the captures could see of each of their addresses.
fn seen(captures: &[firewall::Capture], disputed: &BTreeMap<IpAddr, Dispute>, mut hosts: Vec<Host>) -> Vec<Host> {
    let by_address: HashMap<IpAddr, usize> =
        hosts.iter().enumerate().flat_map(|(n, host)| host.addresses.iter().map(move |it| (*it, n))).collect();
    let sights = firewall::sights(captures, |address| by_address.get(&address).copied());
    let sight = |address: &IpAddr| match disputed.get(address) {
        Some(Dispute::Open) => Some(Sight::Disputed),
        _ => sights.get(address).copied(),
    };
    for host in &mut hosts {
        host.sights = host.addresses.iter().filter_map(|address| Some((*address, sight(address)?))).collect();
    }
    hosts
}

/// Where the pods, Services and nodes of the cluster have their addresses.
fn ranges(site: &Site) -> Vec<IpNet> {
    let cluster = site.cluster();
    let nodes = cluster.nodes.iter().flat_map(|node| &node.addresses);
    let services = cluster.services.iter().flat_map(|it| it.cluster_ips.iter().chain(&it.external_ips));
    let single = nodes.chain(services).map(|address| IpNet::from(*address));
    IpNet::aggregate(&site.directory.pod_ranges().into_iter().chain(single).collect())
}

/// Proposes rules for the hosts of a site, with the verdict on the past and what each grouping would leave open.
pub fn firewall(site: &Site, runs: &[Run], options: &Options) -> Result<(Firewall, FirewallFacts), ProposalError> {
    let dependencies = site.dependencies(By::Address);
    let layout = Layout::of(site.links.iter().cloned());
    let disputed = links::disputed(&layout, &site.cluster().hosts);
    let hosts = hosts(site, &dependencies);
    let captures = watched::captures(site, runs, &hosts, &dependencies, &disputed);
    let hosts = seen(&captures, &disputed, hosts);
    if hosts.iter().all(|host| host.sight() == Sight::Unseen) {
        return Err(ProposalError::NoHosts { known: hosts.len() });
    }
    let cluster = ranges(site);
    let input = Input { hosts: &hosts, cluster: &cluster, disputed: &disputed };
    let at = |grouping| firewall::propose(input, &dependencies, &Options { grouping, ..options.clone() });
    let mut all: BTreeMap<Grouping, Firewall> = Grouping::ALL.into_iter().map(|it| (it, at(it))).collect();
    let costs = all.iter().map(|(grouping, firewall)| (*grouping, firewall::cost(firewall))).collect();
    let firewall = all.remove(&options.grouping).unwrap_or_else(|| at(options.grouping));
    let denied = firewall::replay(&firewall, &site.outlasting(By::Address)).findings;
    let mut outlasting: BTreeMap<String, u64> = BTreeMap::new();
    for Finding { from, to, protocol, port, connections } in denied {
        let [from, to] = [from, to].map(|address| firewall.zones.name(address));
        *outlasting.entry(format!("{from} -> {to} on {}", words::port(protocol, port))).or_default() += connections;
    }
    let of_site: Vec<&Run> = runs.iter().filter(|run| run.site == site.name && !run.is_drops()).collect();
    let spans = of_site.iter().flat_map(|run| site.times(run));
    let facts = FirewallFacts {
        captures: of_site.len(),
        logs: of_site.iter().filter(|run| run.is_records()).count(),
        span: Span::over(spans),
        packets: of_site.iter().map(|run| run.packets).fold(0, u64::saturating_add),
        lost: of_site.iter().map(|run| run.loss.lost()).fold(0, u64::saturating_add),
        damaged: of_site.iter().filter(|run| run.is_incomplete()).count(),
        replay: firewall::replay(&firewall, &dependencies),
        costs,
        chosen: options.grouping,
        crossings: borders(&layout, &dependencies),
        beside: links::beside(&layout, &firewall),
        swept: named(&firewall, doubts::swept(of_closed(&firewall, &dependencies))),
        unasked: named(&firewall, doubts::unasked(ruled(&firewall, &dependencies))),
        outlasting,
        ftp: doubts::ftp(ruled(&firewall, &dependencies)).into_iter().map(|it| name_of(&firewall, it)).collect(),
        tftp: doubts::tftp(of_closed(&firewall, &dependencies)).into_iter().map(|it| name_of(&firewall, it)).collect(),
    };
    Ok((firewall, facts))
}

/// Dependencies with an end that is closed.
fn of_closed<'d>(firewall: &Firewall, dependencies: &'d [Dependency]) -> impl Iterator<Item = &'d Dependency> {
    let is_closed = |address: &IpAddr| firewall.closed.contains(&firewall.zones.unit(*address));
    let has_closed = move |it: &&Dependency| it.client.addresses.union(&it.server.addresses).any(is_closed);
    dependencies.iter().filter(has_closed)
}

/// Of these the ones that make a rule.
fn ruled<'d>(firewall: &Firewall, dependencies: &'d [Dependency]) -> impl Iterator<Item = &'d Dependency> {
    let left_out = firewall.left_out.iter().map(|it| (it.client, it.server, it.protocol, it.port));
    let left_out: HashSet<(IpAddr, IpAddr, Protocol, u16)> = left_out.collect();
    of_closed(firewall, dependencies).filter(move |it| {
        let mut ends = it.client.addresses.iter().flat_map(|from| it.server.addresses.iter().map(move |to| (from, to)));
        ends.any(|(from, to)| !left_out.contains(&(*from, *to, it.protocol, it.port)))
    })
}

/// The name of the host that has an address.
fn name_of(firewall: &Firewall, address: String) -> String {
    address.parse().map_or(address, |address| firewall.zones.name(address))
}

/// Counts by the names of hosts instead of their addresses.
fn named(firewall: &Firewall, counts: BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let mut named: BTreeMap<String, u64> = BTreeMap::new();
    for (address, count) in counts {
        *named.entry(name_of(firewall, address)).or_default() += count;
    }
    named
}

/// Connections across borders between segments, within them, and of which that is unknown; none where no capture tells of
/// segments.
fn borders(layout: &Layout, dependencies: &[Dependency]) -> Option<[u64; 3]> {
    if layout.segments.is_empty() {
        return None;
    }
    let found = crossings(layout, dependencies);
    let across = found.across.iter().map(|it| it.connections + it.attempts).sum();
    Some([across, found.within.values().sum(), found.unknown])
}
