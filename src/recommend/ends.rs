//! Parties of a dependency to the other ends of edges.

use std::net::IpAddr;

use super::{
    Purpose, baseline,
    gather::{Far, Gathering},
    known::NODE_LOCAL_DNS,
};
use crate::model::{Dependency, Party, PartyKind, Service, ServicePort};

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
        let Dependency { client, server, protocol, port, .. } = dependency;
        if matches!(client.kind, PartyKind::External | PartyKind::Host | PartyKind::Node) {
            let exposed = server.addresses.iter().find_map(|address| self.exposure.service(*address, *protocol, *port));
            if let Some(exposed) = exposed {
                let is_ipv4 = client.addresses.first().is_none_or(IpAddr::is_ipv4);
                return Ok(vec![(Far::Anyone { is_ipv4 }, Some(exposed.clone()))]);
            }
        }
        let ends = self.ends(client)?;
        if ends.is_empty() {
            return Err("the client has no address".to_owned());
        }
        Ok(ends.into_iter().map(|far| (far, purpose.cloned())).collect())
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
