//! Parties of a dependency to the other ends of edges.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use super::{
    Purpose,
    edge::Far,
    exposure::Exposed,
    gather::{Dialled, Gathering},
    units::UnitId,
};
use crate::{
    inventory::is_link_local,
    model::{Dependency, Mesh, NoEnds, Party, PartyKind, Pod, Protocol, Service, ServicePort, Via, is_ambient_probe},
};

impl<'a> Gathering<'a> {
    /// What the client must be let reach: ends, each with its port. More than one where a Service has pods of several
    /// workloads and none was seen to answer.
    pub(super) fn servers(&self, dependency: &Dependency) -> Result<Vec<(Far, u16)>, NoEnds> {
        let party = &dependency.server;
        if party.kind == PartyKind::Service {
            return self.behind_service(dependency);
        }
        let on_link = party.addresses.iter().filter(|address| is_link_local(**address));
        let on_link: Vec<(Far, u16)> = on_link.map(|address| (Far::Address(*address), dependency.port)).collect();
        if !on_link.is_empty() {
            return Ok(on_link);
        }
        Ok(self.ends(party)?.into_iter().map(|far| (far, dependency.port)).collect())
    }

    /// Who the server must let in.
    pub(super) fn clients(
        &self,
        dependency: &Dependency,
        purpose: Option<&Purpose>,
    ) -> Result<Vec<(Far, Option<Purpose>)>, NoEnds> {
        let client = &dependency.client;
        if let Some(exposed) = self.exposed(dependency) {
            let fars = self.let_in(exposed, dependency);
            return Ok(fars.into_iter().map(|far| (far, Some(exposed.purpose.clone()))).collect());
        }
        if self.is_ambient_probe(dependency) {
            let probes = client.addresses.iter().copied().map(Far::Address);
            return Ok(probes.map(|far| (far, Some(Purpose::AmbientProbe))).collect());
        }
        let ends = self.ends(client)?;
        if ends.is_empty() {
            return Err(NoEnds::NoAddress);
        }
        let ends = ends.into_iter().chain(self.sources(dependency));
        Ok(ends.map(|far| (far, purpose.cloned())).collect())
    }

    /// Whether these are health checks of a pod of Istio's ambient mode, which come under an address of their own.
    fn is_ambient_probe(&self, Dependency { client, server, .. }: &Dependency) -> bool {
        let is_ambient = |pod: &&Pod| {
            pod.mesh == Some(Mesh::IstioAmbient) && pod.addresses.iter().any(|own| server.addresses.contains(own))
        };
        let is_probe = !client.addresses.is_empty() && client.addresses.iter().all(is_ambient_probe);
        is_probe && self.input.cluster.pods.iter().filter(|pod| !pod.finished).any(|pod| is_ambient(&pod))
    }

    /// Who the server sees in the place of the client: nodes, of which it may be another tomorrow, or somebody on the way.
    pub(super) fn sources(&self, dependency: &Dependency) -> BTreeSet<Far> {
        let like = |address: &IpAddr| -> Vec<Far> {
            if self.known.is_node(*address) || self.known.is_end_of_node(*address) {
                self.known.ends_like(*address).map(Far::Node).collect()
            } else {
                vec![Far::Address(*address)]
            }
        };
        dependency.sources.iter().flat_map(like).collect()
    }

    /// Who must be let in where a port is exposed: whoever its load balancer lets in, and the nodes that hand on what
    /// comes, where they may do so under addresses that this leaves out.
    fn let_in(&self, exposed: &Exposed, dependency: &Dependency) -> BTreeSet<Far> {
        let client = &dependency.client;
        let ranges = exposed.ranges(&client.addresses);
        let is_within = |address: &IpAddr| {
            !self.exposure.is_left_out(*address) && ranges.iter().any(|range| range.contains(address))
        };
        let mut fars: BTreeSet<Far> = ranges.iter().copied().map(Far::Anyone).collect();
        let is_by_node = client.kind == PartyKind::Node || client.kind == PartyKind::Unknown;
        let seen = client.addresses.iter().filter(|address| is_by_node && !is_within(address));
        let mut nodes: BTreeSet<IpAddr> = seen.flat_map(|address| self.known.ends_like(*address)).collect();
        if exposed.may_come_from_nodes() {
            nodes.extend(self.known.ends());
        }
        if exposed.is_through_nodes {
            // where nodes have addresses among those of pods, they are left out with these
            nodes.extend(self.known.own_addresses());
        }
        fars.extend(nodes.into_iter().filter(|address| !is_within(address)).map(Far::Node));
        let is_let_in = |far: &Far| matches!(far, Far::Node(address) | Far::Address(address) if is_within(address));
        fars.extend(self.sources(dependency).into_iter().filter(|far| !is_let_in(far)));
        if !is_by_node {
            // it came past the load balancer
            fars.extend(client.addresses.iter().filter(|address| !is_within(address)).copied().map(Far::Address));
        }
        fars
    }

    /// How the port of a dependency is exposed to the outside, where its client comes from there or may do so: nodes
    /// replace the addresses of clients by their own, by their bridge's, or by their end of an overlay.
    pub(super) fn exposed(&self, dependency: &Dependency) -> Option<&'a Exposed> {
        let Dependency { client, server, .. } = dependency;
        let is_outside = match client.kind {
            PartyKind::External | PartyKind::Host | PartyKind::Node => true,
            PartyKind::Unknown => client.addresses.iter().any(|address| self.known.is_end_of_node(*address)),
            PartyKind::Workload | PartyKind::Service | PartyKind::Multicast => false,
        };
        let mut addresses = server.addresses.iter().filter(|_| is_outside);
        let is_itself = matches!(client.kind, PartyKind::External | PartyKind::Host);
        addresses.find_map(|address| self.exposure.of(*address, dependency, is_itself))
    }

    /// The ports of nodes that a client dialled in the place of a pod.
    pub(super) fn dialled_nodes(&self, dependency: &Dependency) -> Vec<(IpAddr, u16)> {
        let dialled = dependency.via.iter().filter(|via| !via.disputed && self.known.is_node(via.address));
        dialled.map(|via| (via.address, via.port)).collect()
    }

    fn address(&self, address: IpAddr) -> Far {
        if self.known.is_node(address) { Far::Node(address) } else { Far::Address(address) }
    }

    /// Where a port of a Service that was dialled leads: nowhere where the Service is not known.
    pub(super) fn dialled(&self, name: &str, protocol: Protocol, (port, is_of_node): Dialled) -> Vec<(Far, u16)> {
        let service = self.known.service(name);
        let own = service.and_then(|service| {
            let find = |is_it: &dyn Fn(&ServicePort) -> bool| {
                service.ports.iter().find(|own| own.protocol == protocol && is_it(own))
            };
            // an address of a node may be an external one of the Service, too
            let by_node = if is_of_node { find(&|own| own.node_port == Some(port)) } else { None };
            let own = by_node.or_else(|| find(&|own| own.port == port))?;
            Some((service, own))
        });
        let Some((service, own)) = own else { return Vec::new() };
        let rolled_out = self.input.directory.rolled_out_targets(service, own).into_iter();
        let rolled_out = rolled_out.filter_map(|(workload, port)| Some((Far::Unit(self.units.of(workload)?), port)));
        self.targets(service, own).into_iter().chain(rolled_out).collect()
    }

    fn ends(&self, party: &Party) -> Result<Vec<Far>, NoEnds> {
        match party.kind {
            PartyKind::Workload => {
                let known = self.unit(party).map(Far::Unit);
                known.map(|far| vec![far]).ok_or_else(|| NoEnds::NoPods(party.name.clone()))
            }
            PartyKind::Node => Ok(party.addresses.iter().copied().map(Far::Node).collect()),
            PartyKind::Host | PartyKind::External => Ok(party.addresses.iter().copied().map(Far::Address).collect()),
            PartyKind::Unknown => Err(NoEnds::Unowned(party.name.clone())),
            PartyKind::Multicast => Err(NoEnds::Multicast),
            PartyKind::Service => Err(NoEnds::NothingBehind(party.name.clone())),
        }
    }

    /// The pods, or the addresses, that a port of a Service leads to, and the workloads whose next pods it will lead to.
    pub fn targets(&self, service: &Service, port: &ServicePort) -> Vec<(Far, u16)> {
        let targets = self.input.directory.present_targets(service, port).into_iter();
        let end = |(address, port)| {
            (self.owners.get(&address).map_or_else(|| self.address(address), |it| Far::Unit(*it)), port)
        };
        let next = self.input.directory.next_targets(service, port).into_iter();
        let next = next.filter_map(|(workload, port)| Some((Far::Unit(self.units.of(workload)?), port)));
        targets.map(end).chain(next).collect()
    }

    /// What a Service was dialled for, where it was not seen who of several workloads answered: each of those that are
    /// wanted may have, and may the next time.
    pub(super) fn behind(&self, dependency: &Dependency) -> Vec<(UnitId, Dependency)> {
        let server = &dependency.server;
        if server.kind != PartyKind::Service {
            return Vec::new();
        }
        let dialled = |address: &IpAddr| {
            let service = self.input.directory.service_at(*address, dependency.protocol, dependency.port);
            service.map(|(service, port)| (*address, service, port))
        };
        let mut ends: BTreeMap<(UnitId, u16), BTreeSet<IpAddr>> = BTreeMap::new();
        let mut via = dependency.via.clone();
        for (address, service, port) in server.addresses.iter().filter_map(dialled) {
            let name = Some(server.name.clone());
            via.insert(Via { address, port: dependency.port, service: name, disputed: false });
            for (target, port) in self.input.directory.present_targets(service, port) {
                if let Some(unit) = self.owners.get(&target).copied().filter(|unit| self.is_wanted(*unit)) {
                    ends.entry((unit, port)).or_default().insert(target);
                }
            }
            for (workload, port) in self.input.directory.next_targets(service, port) {
                if let Some(unit) = self.units.of(workload).filter(|unit| self.is_wanted(*unit)) {
                    ends.entry((unit, port)).or_default();
                }
            }
        }
        let answered = |((unit, port), addresses): ((UnitId, u16), BTreeSet<IpAddr>)| {
            let workload = self.members(unit).first()?;
            let (name, owner) = (workload.to_string(), Some(workload.kind.clone()));
            let server = Party { kind: PartyKind::Workload, name, owner, addresses, names: Vec::new() };
            Some((unit, Dependency { server, port, via: via.clone(), ..dependency.clone() }))
        };
        ends.into_iter().filter_map(answered).collect()
    }

    /// What a load balancer calls in the place of the pod that dialled it, where that pod's node leaves it to.
    pub(super) fn behind_balancer(&self, dependency: &Dependency) -> Vec<(UnitId, Dependency)> {
        let Dependency { client, server, .. } = dependency;
        let is_balancer = |address: &IpAddr| self.input.directory.is_proxied(*address);
        if client.kind != PartyKind::Workload || !server.addresses.iter().any(is_balancer) {
            return Vec::new();
        }
        let dialled = Party { kind: PartyKind::Service, ..server.clone() };
        let balancer = Party { kind: PartyKind::External, ..server.clone() };
        self.behind(&Dependency { client: balancer, server: dialled, ..dependency.clone() })
    }

    fn behind_service(&self, dependency: &Dependency) -> Result<Vec<(Far, u16)>, NoEnds> {
        let Dependency { server, protocol, port, .. } = dependency;
        let (mut ends, mut is_without_selector) = (Vec::new(), false);
        for address in &server.addresses {
            let Some((service, service_port)) = self.input.directory.service_at(*address, *protocol, *port) else {
                let service = server.name.clone();
                return Err(NoEnds::NoPort { service, port: *port, protocol: *protocol });
            };
            is_without_selector |= service.selector.is_none();
            ends.extend(self.targets(service, service_port));
        }
        ends.sort_unstable();
        ends.dedup();
        match (ends.is_empty(), is_without_selector) {
            (true, true) => Err(NoEnds::NoEndpoints(server.name.clone())),
            (true, false) => Err(NoEnds::NothingBehind(server.name.clone())),
            (false, _) => Ok(ends),
        }
    }
}
