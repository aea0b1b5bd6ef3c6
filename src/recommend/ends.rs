//! Parties of a dependency to the other ends of edges.

use std::net::IpAddr;

use super::{
    Purpose, baseline,
    exposure::Exposed,
    gather::{Far, Gathering},
    known::NODE_LOCAL_DNS,
};
use crate::model::{Dependency, Party, PartyKind, Protocol, Service, ServicePort};

impl Gathering<'_> {
    /// What the client must be let reach: ends, each with its port. More than one where a Service has pods of several
    /// workloads and none was seen to answer.
    pub(super) fn servers(&self, dependency: &Dependency) -> Result<Vec<(Far, u16)>, String> {
        let party = &dependency.server;
        if party.kind == PartyKind::Service {
            return self.behind_service(dependency);
        }
        if baseline::is_dns(dependency) && party.addresses.contains(&NODE_LOCAL_DNS) {
            return Ok(vec![(Far::Node(NODE_LOCAL_DNS), dependency.port)]);
        }
        Ok(self.ends(party)?.into_iter().map(|far| (far, dependency.port)).collect())
    }

    /// Who the server must let in.
    pub(super) fn clients(
        &self,
        dependency: &Dependency,
        purpose: Option<&Purpose>,
    ) -> Result<Vec<(Far, Option<Purpose>)>, String> {
        let client = &dependency.client;
        if let Some(exposed) = self.exposed(dependency) {
            let seen = client.addresses.first().is_none_or(IpAddr::is_ipv4);
            let anyone = |is_ipv4| (Far::Anyone { is_ipv4 }, Some(exposed.purpose.clone()));
            let families = [true, false].into_iter().filter(|is_ipv4| *is_ipv4 == seen || exposed.has_family(*is_ipv4));
            return Ok(families.map(anyone).collect());
        }
        let ends = self.ends(client)?;
        if ends.is_empty() {
            return Err("the client has no address".to_owned());
        }
        Ok(ends.into_iter().map(|far| (far, purpose.cloned())).collect())
    }

    /// How the port of a dependency is exposed to the outside, where its client comes from there or may do so: nodes
    /// replace the addresses of clients by their own, by their bridge's, or by their end of an overlay.
    pub(super) fn exposed(&self, dependency: &Dependency) -> Option<&Exposed> {
        let Dependency { client, server, protocol, port, .. } = dependency;
        let is_outside = match client.kind {
            PartyKind::External | PartyKind::Host | PartyKind::Node => true,
            PartyKind::Unknown => client.addresses.iter().any(|address| self.is_of_a_node(*address)),
            PartyKind::Workload | PartyKind::Service | PartyKind::Multicast => false,
        };
        let mut addresses = server.addresses.iter().filter(|_| is_outside);
        addresses.find_map(|address| self.exposure.of(*address, *protocol, *port))
    }

    /// Whether an address is the first or the second of a node's pod range: network plugins give them to the node's end of
    /// an overlay (`flannel.1`) and to its bridge (`cni0`).
    fn is_of_a_node(&self, address: IpAddr) -> bool {
        let ranges = self.input.cluster.nodes.iter().flat_map(|node| &node.pod_ranges);
        ranges.into_iter().any(|range| range.hosts().next() == Some(address) || range.network() == address)
    }

    /// Where a port of a Service that was dialled leads: nowhere where the Service is not known.
    pub(super) fn dialled(&self, name: &str, protocol: Protocol, port: u16) -> Vec<(Far, u16)> {
        let service = self.known.service(name);
        let own = service.and_then(|service| {
            let own = service.ports.iter().find(|own| own.protocol == protocol && own.port == port)?;
            Some((service, own))
        });
        own.map(|(service, own)| self.targets(service, own)).unwrap_or_default()
    }

    fn ends(&self, party: &Party) -> Result<Vec<Far>, String> {
        match party.kind {
            PartyKind::Workload => {
                let known = self.unit(party).map(Far::Unit);
                known.map(|far| vec![far]).ok_or_else(|| format!("{} has no pods in the inventory", party.name))
            }
            PartyKind::Node => Ok(party.addresses.iter().copied().map(Far::Node).collect()),
            PartyKind::Host | PartyKind::External => Ok(party.addresses.iter().copied().map(Far::Address).collect()),
            PartyKind::Unknown => Err(format!("nobody known owned {} then", party.name)),
            PartyKind::Multicast => Err("multicast and broadcast make no rule".to_owned()),
            PartyKind::Service => Err(format!("no pod behind {} is known", party.name)),
        }
    }

    /// The pods, or the addresses, that a port of a Service leads to.
    pub fn targets(&self, service: &Service, port: &ServicePort) -> Vec<(Far, u16)> {
        let targets = self.input.directory.present_targets(service, port).into_iter();
        let end =
            |(address, port)| (self.owners.get(&address).map_or(Far::Node(address), |unit| Far::Unit(*unit)), port);
        targets.map(end).collect()
    }

    fn behind_service(&self, dependency: &Dependency) -> Result<Vec<(Far, u16)>, String> {
        let Dependency { server, protocol, port, .. } = dependency;
        let mut ends = Vec::new();
        for address in &server.addresses {
            let Some((service, service_port)) = self.input.directory.service_at(*address, *protocol, *port) else {
                return Err(format!("{} has no port {port}/{protocol}", server.name));
            };
            ends.extend(self.targets(service, service_port));
        }
        ends.sort_unstable();
        ends.dedup();
        if ends.is_empty() { Err(format!("no pod behind {} is known", server.name)) } else { Ok(ends) }
    }
}
