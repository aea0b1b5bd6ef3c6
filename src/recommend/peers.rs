//! Parties of a dependency to peers of a rule.

use std::net::IpAddr;

use super::{Exposure, Input, Peer, PodPeer, Selectors};
use crate::model::{Cluster, Dependency, Party, PartyKind, Service, ServicePort, WorkloadRef};

pub(super) struct Peers<'a> {
    pub input: Input<'a>,
    pub selectors: &'a Selectors,
    pub exposure: &'a Exposure,
}

impl Peers<'_> {
    /// What the client must be let reach: peers, each with its port. More than one where a Service has pods of several
    /// workloads and none was seen to answer.
    pub(super) fn servers(&self, dependency: &Dependency) -> Result<Vec<(Peer, u16)>, String> {
        let party = &dependency.server;
        if party.kind == PartyKind::Service {
            return self.behind_service(dependency);
        }
        let peers = self.peers(party)?;
        Ok(peers.into_iter().map(|peer| (peer, dependency.port)).collect())
    }

    /// Who the server must let in.
    pub(super) fn client(&self, dependency: &Dependency) -> Result<Peer, String> {
        let Dependency { client, server, protocol, port, .. } = dependency;
        let is_outside = matches!(client.kind, PartyKind::External | PartyKind::Host | PartyKind::Node);
        let exposed = self.exposure.service(&server.addresses, *protocol, *port);
        if is_outside && exposed.is_some() {
            let like = client.addresses.first().copied().unwrap_or(IpAddr::from([0, 0, 0, 0]));
            return Ok(Peer::Anyone { except: self.exposure.ranges(like) });
        }
        self.peers(client)?.into_iter().next().ok_or_else(|| "the client has no address".to_owned())
    }

    fn peers(&self, party: &Party) -> Result<Vec<Peer>, String> {
        match party.kind {
            PartyKind::Workload => {
                let workload = party.workload().ok_or("it has no namespace")?;
                self.pods(&workload).map(|peer| vec![peer])
            }
            PartyKind::Node => Ok(party.addresses.iter().map(|address| Peer::NodeAddress(*address)).collect()),
            PartyKind::Host | PartyKind::External => {
                Ok(party.addresses.iter().map(|address| Peer::Address(*address)).collect())
            }
            PartyKind::Unknown => Err(format!("nobody known owned {} then", party.name)),
            PartyKind::Multicast => Err("multicast and broadcast make no rule".to_owned()),
            PartyKind::Service => Err(format!("no pod behind {} is known", party.name)),
        }
    }

    fn pods(&self, workload: &WorkloadRef) -> Result<Peer, String> {
        let group = self.selectors.group(workload).ok_or_else(|| format!("{workload} has no pods in the inventory"))?;
        Ok(Peer::Pods(PodPeer {
            namespace: workload.namespace.clone(),
            name: group.name.clone(),
            selector: group.selector.clone(),
        }))
    }

    /// The pods, or the addresses, that a port of a Service leads to.
    pub(super) fn targets(&self, service: &Service, port: &ServicePort) -> Vec<(Peer, u16)> {
        let targets = self.input.directory.present_targets(service, port).into_iter();
        targets
            .filter_map(|(address, port)| match owner(self.input.cluster, address) {
                Some(workload) => self.pods(workload).ok().map(|peer| (peer, port)),
                None => Some((Peer::NodeAddress(address), port)),
            })
            .collect()
    }

    fn behind_service(&self, dependency: &Dependency) -> Result<Vec<(Peer, u16)>, String> {
        let Dependency { server, protocol, port, .. } = dependency;
        let mut peers = Vec::new();
        for address in &server.addresses {
            let Some((service, service_port)) = self.input.directory.service_at(*address, *protocol, *port) else {
                return Err(format!("{} has no port {port}/{protocol}", server.name));
            };
            peers.extend(self.targets(service, service_port));
        }
        peers.sort();
        peers.dedup();
        if peers.is_empty() { Err(format!("no pod behind {} is known", server.name)) } else { Ok(peers) }
    }
}

fn owner(cluster: &Cluster, address: IpAddr) -> Option<&WorkloadRef> {
    let is_owner = |pod: &&crate::model::Pod| !pod.host_network && !pod.finished && pod.addresses.contains(&address);
    cluster.pods.iter().find(is_owner).map(|pod| &pod.workload)
}
