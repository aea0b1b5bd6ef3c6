//! Who an address was at a time.

use std::net::IpAddr;

use foldhash::{HashMap, HashSet};
use ipnet::IpNet;
use serde_json::Value;

use super::{
    collect::Collector,
    conflict::{Conflict, conflicts, named_twice},
    field::sorted,
    gaps::Gaps,
    guesses::Guesses,
    host_ports::HostPorts,
    items::{Item, Items, Meta, State},
    past::{Past, past},
    present::present,
    ranges::{HostPlace, Hosts, Ranges, UNROUTED, is_link_local, pod_ranges, service_ranges},
    services::Services,
    sights::{Listing, Sighting, Sights},
    timeline::{Class, Timeline, Who},
};
use crate::model::{
    Cluster, Host, Node, PartyKind, Pod, Protocol, Service, Span, Timestamp, WorkloadRef, is_group, own_ends,
};

/// Who owned an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner<'c> {
    /// A pod with an address of its own.
    Pod(&'c Pod),
    /// A node: also all that shares its address.
    Node(&'c Node),
    /// A Service, by a ClusterIP.
    Service(&'c Service),
    /// A host or range of a hosts file.
    Host(&'c Host),
    /// Nobody alone: a multicast address, or broadcast.
    Multicast,
    /// Somebody inside the cluster, but it is not known who.
    Unknown,
    /// Somebody on the same link: the node itself, or a service that it or its cloud offers there.
    OnLink,
    /// Somebody outside.
    External,
}

impl Owner<'_> {
    /// What it is in a dependency.
    #[must_use]
    pub fn kind(&self) -> PartyKind {
        match self {
            Self::Pod(_) => PartyKind::Workload,
            Self::Node(_) => PartyKind::Node,
            Self::Service(_) => PartyKind::Service,
            Self::Host(_) => PartyKind::Host,
            Self::Multicast => PartyKind::Multicast,
            Self::Unknown | Self::OnLink => PartyKind::Unknown,
            Self::External => PartyKind::External,
        }
    }
}

/// An object with all the listings it stood in as it is written.
#[derive(Clone, Debug, PartialEq)]
pub struct Sighted {
    /// The object.
    pub object: Value,
    /// Where and when it stood so.
    pub sightings: Vec<Sighting>,
}

/// How far the clocks of two machines may differ, in nanoseconds: of the one that took a capture and the one that
/// wrote when a pod was started. Machines that keep time by NTP differ by less; the API writes whole seconds.
pub const CLOCK_SKEW_NS: i64 = 2_000_000_000;

/// All that is known of a cluster, arranged for looking up who had which address when.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    /// As it was last seen.
    present: Cluster,
    pub(super) past: Past,
    pub(super) timeline: Timeline,
    conflicts: Vec<Conflict>,
    pub(super) gaps: Gaps,
    pub(super) guesses: Guesses,
    pub(super) listed_until: Option<Timestamp>,
    hosts: Hosts,
    /// Where an address that nobody is known to own is not outside: the nodes' pod ranges, the Services', and
    /// addresses that no router forwards.
    inside: Ranges,
    pod_ranges: Vec<IpNet>,
    /// The addresses that ever were a node's.
    of_nodes: HashSet<IpAddr>,
    /// The addresses of nodes within their pod ranges, where nobody else was told to have them: of which node, by its place.
    ends: HashMap<IpAddr, usize>,
    pub(super) services: Services,
    pub(super) host_ports: HostPorts,
}

impl Directory {
    /// Arranges a cluster that was listed once, when the latest of its pods started.
    #[must_use]
    pub fn new(cluster: &Cluster) -> Self {
        let mut items = Items::default();
        for pod in &cluster.pods {
            let state = if pod.finished { State::Over(None) } else { State::Here };
            let object = items.meta(meta("Pod", &pod.namespace, &pod.name, pod.started, state));
            items.pods.push(Item { object, value: pod.clone() });
        }
        for service in &cluster.services {
            let object = items.meta(meta("Service", &service.namespace, &service.name, None, State::Here));
            items.services.push(Item { object, value: service.clone() });
        }
        for node in &cluster.nodes {
            let object = items.meta(meta("Node", "", &node.name, None, State::Here));
            items.nodes.push(Item { object, value: node.clone() });
        }
        let object = items.meta(Meta::default());
        items.endpoints.push(Item { object, value: cluster.endpoints.clone() });
        let taken_at = cluster.pods.iter().filter_map(|pod| pod.started).max();
        let listings = [Listing { taken_at, ..Listing::default() }];
        let sightings = vec![vec![Sighting { listing: 0, since: None, until: None }]; items.metas.len()];
        let sights = Sights::new(&items.metas, &sightings, &listings);
        Self::of(&items, &sights, cluster.clone())
    }

    /// Arranges the listings of one cluster, from snapshots and watches. Neither their order nor that of the objects
    /// matters. An object without a sighting tells who there was, but not when.
    #[must_use]
    pub fn over(listings: &[Listing], objects: impl IntoIterator<Item = Sighted>) -> Self {
        let mut collector = Collector::of_store();
        let mut sightings: Vec<Vec<Sighting>> = Vec::new();
        for Sighted { object, sightings: all } in objects {
            let sources = all.iter().filter_map(|one| listings.get(one.listing)).map(|one| one.source.as_str());
            collector.stored(sources.min().unwrap_or_default(), object);
            // what could not be used has no place
            if collector.count() > sightings.len() {
                sightings.push(all);
            }
        }
        let items = collector.items();
        let sights = Sights::new(&items.metas, &sightings, listings);
        let of_pods = items.pods.iter().flat_map(|pod| sights.of(pod.object));
        let listed_until = of_pods.map(|sight| Timestamp(sight.to)).max();
        let settled = settled(&items, &sights);
        let present = present(items, &sights);
        let gaps = Gaps::new(listings, &present);
        Self { gaps, listed_until, ..Self::with(settled, present) }
    }

    fn of(items: &Items, sights: &Sights, present: Cluster) -> Self {
        Self::with(settled(items, sights), present)
    }

    fn with(settled: Settled, present: Cluster) -> Self {
        let Settled { past, timeline, mut conflicts, guesses } = settled;
        conflicts.extend(named_twice(&present.hosts));
        conflicts.sort_unstable();
        let nodes = past.nodes.iter().chain(&present.nodes);
        let listed: Vec<IpNet> = sorted(nodes.flat_map(|node| node.pod_ranges.iter().copied()));
        let local = UNROUTED.iter().filter_map(|range| range.parse().ok());
        let networked = past.pods.iter().filter(|pod| !pod.host_network);
        let of_pods: HashSet<IpAddr> = networked.flat_map(|pod| pod.addresses.iter().copied()).collect();
        let of_nodes = timeline.all().filter(|(.., class, _)| *class == Class::Node).map(|(address, ..)| address);
        let mut of_nodes: HashSet<IpAddr> = of_nodes.collect();
        let services = past.service_versions.iter().map(|it| &it.service).chain(&present.services);
        let cluster_ips = services.flat_map(|service| service.cluster_ips.iter().copied()).collect();
        let others = of_nodes.union(&of_pods).copied().collect();
        let of_services = service_ranges(&present.service_ranges, &cluster_ips, &others);
        let ends = ends(&past.nodes, &past.pods);
        of_nodes.extend(ends.keys());
        Self {
            of_nodes,
            ends,
            hosts: Hosts::new(&present.hosts),
            inside: Ranges::new(&listed.iter().copied().chain(of_services).chain(local).collect()),
            pod_ranges: pod_ranges(listed, &of_pods),
            services: Services::new(&past),
            host_ports: HostPorts::new(&past.pods),
            present,
            past,
            timeline,
            conflicts,
            gaps: Gaps::default(),
            guesses,
            listed_until: None,
        }
    }

    /// The cluster as it was last seen.
    #[must_use]
    pub fn cluster(&self) -> &Cluster {
        &self.present
    }

    /// Addresses that two owners had at one time, in order: whose they were then is unknown.
    #[must_use]
    pub fn conflicts(&self) -> &[Conflict] {
        &self.conflicts
    }

    /// Who owned an address at a time.
    ///
    /// What is known of one address goes before what is known of a range, and what the cluster says before a hosts
    /// file, except where that names a part of one of the cluster's ranges. An address outside that leads to a Service is the
    /// Service at its ports alone: [`Directory::exposed_over`] tells it.
    #[must_use]
    pub fn who(&self, address: IpAddr, at: Timestamp) -> Owner<'_> {
        let address = address.to_canonical();
        if is_group(address) {
            return Owner::Multicast;
        }
        match self.timeline.at(address, at.0) {
            None | Some((Who::Nobody | Who::Untold | Who::By(Class::Exposed, _), false)) => self.who_by_range(address),
            Some((Who::Nobody | Who::Untold | Who::Disputed | Who::By(Class::Exposed, _), _)) => Owner::Unknown,
            Some((Who::By(class, owner), _)) => self.owner(class, owner),
        }
    }

    /// Who owned an address all through a stretch of time, as a capture saw it.
    ///
    /// Clocks may differ by [`CLOCK_SKEW_NS`]: an owner's time counts as longer by that at both ends. Where two owners
    /// come into question so, or none had the address all the time, it is unknown.
    #[must_use]
    pub fn who_over(&self, address: IpAddr, span: Span) -> Owner<'_> {
        let address = address.to_canonical();
        if is_group(address) {
            return Owner::Multicast;
        }
        let (first, last) = (span.first.0, span.last.0.max(span.first.0));
        let (from, to) = (first.saturating_sub(CLOCK_SKEW_NS), last.saturating_add(CLOCK_SKEW_NS));
        let Some((stretches, is_inside)) = self.timeline.over(address, from, to) else {
            return self.who_by_range(address);
        };
        let mut found: Option<(Class, u32)> = None;
        let mut is_covered = true;
        for (begin, end, who) in stretches {
            match (who, found) {
                // where one of several had it then, no clock tells which
                (Who::Untold, _) => is_covered &= end <= first || begin > last,
                // without an owner for longer than clocks differ
                (Who::Nobody | Who::By(Class::Exposed, _), _) => {
                    is_covered &= end.min(last).saturating_sub(begin.max(first)) <= CLOCK_SKEW_NS;
                }
                (Who::By(class, owner), None) => found = Some((class, owner)),
                (Who::By(class, owner), Some(known)) if self.is_same(class, owner, known) => {}
                (Who::Disputed, _) | (Who::By(..), Some(_)) => return Owner::Unknown,
            }
        }
        match found {
            Some((class, owner)) if is_covered => self.owner(class, owner),
            None if !is_inside => self.who_by_range(address),
            _ => Owner::Unknown,
        }
    }

    /// The Service to which an address outside of the cluster led when a connection began; of several the one that comes first.
    #[must_use]
    pub fn exposed_at(&self, address: IpAddr, span: Span) -> Option<&Service> {
        let (from, to) = (span.first.0.saturating_sub(CLOCK_SKEW_NS), span.first.0.saturating_add(CLOCK_SKEW_NS));
        let (mut stretches, _) = self.timeline.over(address.to_canonical(), from, to)?;
        let place = stretches.find_map(|(.., who)| match who {
            Who::By(Class::Exposed, owner) => Some(owner as usize),
            _ => None,
        });
        self.past.services.get(place?)
    }

    pub(super) fn owner(&self, class: Class, owner: u32) -> Owner<'_> {
        let place = owner as usize;
        let owner = match class {
            Class::Pod => self.past.pods.get(place).map(Owner::Pod),
            Class::Node => self.past.nodes.get(place).map(Owner::Node),
            Class::Service | Class::Exposed => self.past.services.get(place).map(Owner::Service),
        };
        owner.unwrap_or(Owner::Unknown)
    }

    fn is_same(&self, class: Class, owner: u32, (known_class, known): (Class, u32)) -> bool {
        class == known_class && self.past.is_same(class, owner, known)
    }

    fn who_by_range(&self, address: IpAddr) -> Owner<'_> {
        let host = match self.hosts.at(address) {
            Some(HostPlace::At(n)) => self.present.hosts.get(n),
            Some(HostPlace::Disputed) => return Owner::Unknown,
            None => None,
        };
        let node = self.ends.get(&address).and_then(|place| self.past.nodes.get(*place));
        if let (None, Some(node)) = (host, node) {
            return Owner::Node(node);
        }
        match (host, self.inside.at(address)) {
            (Some(host), None) => Owner::Host(host),
            // a wide host range around the cluster does not know who its pods are; one within it does
            (Some(host), Some(range)) if range.contains(&host.range) => Owner::Host(host),
            (None, Some(_)) if is_link_local(address) => Owner::OnLink,
            (_, Some(_)) => Owner::Unknown,
            (None, None) => Owner::External,
        }
    }

    /// Whether an address was ever a node's. Few are, so that most need not be looked up.
    #[must_use]
    pub fn was_node(&self, address: IpAddr) -> bool {
        self.of_nodes.contains(&address.to_canonical())
    }

    /// Whether the pod that owned an address at a time declares a port.
    #[must_use]
    pub fn declares(&self, address: IpAddr, at: Timestamp, protocol: Protocol, port: u16) -> bool {
        let Owner::Pod(pod) = self.who(address, at) else { return false };
        pod.ports.iter().any(|own| own.protocol == protocol && own.port == port)
    }

    /// Where an address that nobody is known to own is not outside all the same. In order.
    #[must_use]
    pub fn ranges_inside(&self) -> Vec<IpNet> {
        sorted(self.inside.all().chain(self.pod_ranges.iter().copied()))
    }

    /// The ranges that pods have their addresses from: those that nodes list, and the surroundings of the pods that
    /// lie outside them, for many network plugins tell their ranges to nobody. Aggregated and in order.
    #[must_use]
    pub fn pod_ranges(&self) -> Vec<IpNet> {
        self.pod_ranges.clone()
    }
}

/// The ends of the pod network that nodes have within their own ranges; none where two nodes list one range, or where pods
/// have addresses from elsewhere: then the network plugin gives them out by a plan of its own.
fn ends(nodes: &[Node], pods: &[Pod]) -> HashMap<IpAddr, usize> {
    let ranges: HashMap<&str, &Vec<IpNet>> = nodes.iter().map(|node| (node.name.as_str(), &node.pod_ranges)).collect();
    let is_elsewhere = |pod: &Pod| {
        let own = pod.node.as_deref().and_then(|node| ranges.get(node)).filter(|ranges| !ranges.is_empty());
        let is_outside = |address: &IpAddr| {
            own.is_some_and(|ranges| {
                let mut of_family =
                    ranges.iter().filter(|range| range.addr().is_ipv4() == address.is_ipv4()).peekable();
                of_family.peek().is_some() && of_family.all(|range| !range.contains(address))
            })
        };
        !pod.host_network && pod.addresses.iter().any(is_outside)
    };
    if pods.iter().any(is_elsewhere) {
        return HashMap::default();
    }
    let mut ends: HashMap<IpAddr, Option<usize>> = HashMap::default();
    for (place, node) in nodes.iter().enumerate() {
        for address in node.pod_ranges.iter().flat_map(|range| own_ends(*range)) {
            ends.entry(address).and_modify(|known| *known = None).or_insert(Some(place));
        }
    }
    ends.into_iter().filter_map(|(address, place)| Some((address, place?))).collect()
}

fn meta(kind: &str, namespace: &str, name: &str, started: Option<Timestamp>, state: State) -> Meta {
    let id = WorkloadRef { namespace: namespace.to_owned(), name: name.to_owned(), kind: kind.to_owned() };
    let uid = started.map(|time| time.to_string()).unwrap_or_default();
    Meta { id, uid, created: started.or(Some(Timestamp(i64::MIN))), started, networked: None, state }
}

/// Everybody there was, with the claims settled.
struct Settled {
    past: Past,
    timeline: Timeline,
    conflicts: Vec<Conflict>,
    guesses: Guesses,
}

fn settled(items: &Items, sights: &Sights) -> Settled {
    let (past, claims) = past(items, sights);
    let guesses = Guesses::new(&claims);
    let (mut timeline, disputes) = Timeline::new(claims, |class, a, b| past.is_same(class, a, b));
    for pod in past.pods.iter().filter(|pod| !pod.host_network) {
        pod.addresses.iter().for_each(|address| timeline.own(*address));
    }
    let conflicts = conflicts(&past, disputes);
    Settled { past, timeline, conflicts, guesses }
}
