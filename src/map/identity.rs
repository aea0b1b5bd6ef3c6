//! Addresses to parties, as they were at the time.

use std::{collections::BTreeSet, net::IpAddr};

use super::connections::{Connection, End};
use crate::{
    inventory::{Directory, NODE_LOCAL_DNS, Owner, is_cloud_metadata},
    model::{Flags, Party, PartyKind, Pod, Protocol, Service, ServicePort, Span, Via, well_known},
};

/// A server as it is known: the party, its port, and what was dialled in its place.
pub(super) struct Server {
    pub party: Party,
    pub port: u16,
    pub via: Option<Via>,
}

/// The client of a connection.
pub(super) fn client(connection: &Connection, directory: &Directory) -> Party {
    if is_in_another_vlan(connection, directory) {
        return party(connection.client.0, Owner::Unknown);
    }
    let owner = directory.who_over(connection.client.0, connection.moment());
    party(connection.client.0, if connection.is_disowned().0 { former(owner) } else { owner })
}

/// Whether both ends have the addresses of hosts that are meant to be in one VLAN, and it was seen in others alone: what they say to
/// each other leaves their VLAN in none, so that these are others who have the same addresses there.
fn is_in_another_vlan(connection: &Connection, directory: &Directory) -> bool {
    let ids = || connection.vlans.iter().flat_map(|stack| stack.without_priority_tags().ids());
    if ids().next().is_none() {
        return false;
    }
    let meant = |address| match directory.who_over(address, connection.moment()) {
        Owner::Host(host) => host.vlan,
        _ => None,
    };
    let own = meant(connection.client.0).filter(|own| meant(connection.server.0) == Some(*own));
    own.is_some_and(|own| ids().all(|id| id != own))
}

/// Who had the address when a connection was opened that whoever has it now knows nothing of. A pod's kernel says goodbye for
/// programs that end, so the pod that had it was another one; a host may have been started anew.
fn former(owner: Owner<'_>) -> Owner<'_> {
    if matches!(owner, Owner::Pod(_)) { Owner::Unknown } else { owner }
}

/// The server of a connection. A Service address that was not seen translated stands for its workload where all its
/// pods are of one and listen on one port.
pub(super) fn server(connection: &Connection, directory: &Directory) -> Server {
    let (address, port) = connection.server;
    let (protocol, span) = (connection.protocol, connection.moment());
    if connection.trace.flags.has(Flags::BROADCAST) {
        return Server { party: party(address, Owner::Multicast), port, via: None };
    }
    if is_in_another_vlan(connection, directory) {
        return Server { party: party(address, Owner::Unknown), port, via: None };
    }
    if let Some((party, target)) = behind_service(directory, connection) {
        return Server { party, port: target, via: Some(dialled(connection.server, connection, directory)) };
    }
    let party = match directory.who_over(address, span) {
        Owner::OnLink => on_link(address, protocol, port),
        // an attempt that was refused was meant for who is there now
        owner if connection.is_disowned().1 && connection.outcome().is_needed() => party(address, former(owner)),
        owner => party(address, owner),
    };
    let via = connection.via.map(|via| {
        let disputed = is_disputed(via, connection, directory);
        Via { disputed, ..dialled(via, connection, directory) }
    });
    Server { party, port, via }
}

/// An end that the client dialled, with the Service that it was then.
fn dialled((address, port): End, connection: &Connection, directory: &Directory) -> Via {
    let (protocol, span) = (connection.protocol, connection.moment());
    let service = directory.dialled_over(address, protocol, port, span);
    let service = service.map(|(service, _)| format!("{}/{}", service.namespace, service.name));
    Via { address, port, service, disputed: false }
}

/// Whether the packets led elsewhere than where the inventory says that the Service led then. A pod that the inventory does
/// not know, or a Service of which it knows no pods, says nothing against it.
fn is_disputed((address, port): End, connection: &Connection, directory: &Directory) -> bool {
    let Connection { protocol, span, .. } = *connection;
    let Some((service, service_port)) = directory.dialled_over(address, protocol, port, span) else { return false };
    let workload = |address| match directory.who_over(address, span) {
        Owner::Pod(pod) => Some(&pod.workload),
        _ => None,
    };
    let Some(reached) = workload(connection.server.0) else { return false };
    let targets = directory.targets_over(service, service_port, span);
    let mut behind = targets.iter().filter_map(|(address, _)| workload(*address)).peekable();
    behind.peek().is_some() && behind.all(|target| target != reached)
}

/// A server on the link of its clients: the cache of names on every node, else a service that the node or its cloud
/// offers under an address that is the same everywhere.
fn on_link(address: IpAddr, protocol: Protocol, port: u16) -> Party {
    let is_dns = matches!(protocol, Protocol::UDP | Protocol::TCP) && port == well_known::DNS;
    if is_dns && !is_cloud_metadata(address) {
        return Party { kind: PartyKind::Node, name: NODE_LOCAL_DNS.into(), ..party(address, Owner::OnLink) };
    }
    party(address, Owner::External)
}

fn behind_service(directory: &Directory, connection: &Connection) -> Option<(Party, u16)> {
    let (protocol, (address, port), span) = (connection.protocol, connection.server, connection.moment());
    let owner = directory.who_over(address, span);
    let is_outside = matches!(owner, Owner::Host(_) | Owner::External | Owner::Unknown | Owner::OnLink);
    let (service, service_port) = match owner {
        Owner::Service(_) => directory.service_over(address, protocol, port, span)?,
        // an external address may be a node's as well: what a Service says of one of its ports is said of that alone
        Owner::Node(_) => {
            let Some(found) = directory.dialled_over(address, protocol, port, span) else {
                let (pod, own, target) = directory.host_port_over(address, protocol, port, span)?;
                return Some((party(own, Owner::Pod(pod)), target));
            };
            found
        }
        _ if is_outside && is_by_balancer(connection, directory) => return None,
        _ if is_outside => directory.exposed_over(address, protocol, port, span)?,
        _ => return None,
    };
    let targets = directory.targets_over(service, service_port, span);
    let Some((first, first_port)) = targets.first().copied() else {
        return is_outside.then(|| (party(address, Owner::Service(service)), port));
    };
    let mut whole = party(first, directory.who_over(first, span));
    for (target, target_port) in &targets {
        let other = party(*target, directory.who_over(*target, span));
        if *target_port != first_port || (other.kind, &other.name) != (whole.kind, &whole.name) {
            let itself = is_outside.then(|| (party(address, Owner::Service(service)), port));
            return at_node(service, service_port, address).or(itself);
        }
        whole.addresses.extend(other.addresses);
    }
    Some((whole, first_port))
}

/// Whether a pod dialled a load balancer whose connections its node leaves to it: a policy sees the balancer's address.
fn is_by_balancer(connection: &Connection, directory: &Directory) -> bool {
    directory.is_proxied(connection.server.0)
        && matches!(directory.who_over(connection.client.0, connection.moment()), Owner::Pod(_))
}

/// The Service itself, where a node's address leads to it and not to one workload: the node hands on whatever comes there.
/// A Service's own address is its name already.
fn at_node(service: &Service, port: &ServicePort, dialled: IpAddr) -> Option<(Party, u16)> {
    let is_own = service.cluster_ips.contains(&dialled);
    let address = service.cluster_ips.iter().find(|own| own.is_ipv4() == dialled.is_ipv4());
    let address = address.or(service.cluster_ips.first()).filter(|_| !is_own)?;
    Some((party(*address, Owner::Service(service)), port.port))
}

/// Whether one end is a pod and the other its own node, which always reach each other. A port of the node that leads to a
/// Service or a pod is not the node.
pub(super) fn is_at_home(connection: &Connection, directory: &Directory) -> bool {
    let ((client, _), (server, port), span) = (connection.client, connection.server, connection.moment());
    is_own_node(client, server, directory, span) && !directory.leads_on(server, connection.protocol, port, span)
}

/// Whether an end is a pod and the other its own node, or the same pod: such traffic is always allowed.
fn is_own_node(a: IpAddr, b: IpAddr, directory: &Directory, span: Span) -> bool {
    if !directory.was_node(a) && !directory.was_node(b) {
        return false;
    }
    let hosts = |pod: &Pod, node: &str| pod.node.as_deref() == Some(node);
    match directory.who_over(a, span) {
        Owner::Pod(pod) => matches!(directory.who_over(b, span), Owner::Node(node) if hosts(pod, &node.name)),
        Owner::Node(node) => matches!(directory.who_over(b, span), Owner::Pod(pod) if hosts(pod, &node.name)),
        _ => false,
    }
}

fn party(address: IpAddr, owner: Owner<'_>) -> Party {
    let (kind, name, owner) = match owner {
        Owner::Pod(pod) => (PartyKind::Workload, pod.workload.to_string(), Some(pod.workload.kind.clone())),
        Owner::Service(service) => (PartyKind::Service, format!("{}/{}", service.namespace, service.name), None),
        Owner::Node(node) => (PartyKind::Node, node.name.clone(), None),
        Owner::Host(host) => (PartyKind::Host, host.name.clone().unwrap_or_else(|| address.to_string()), None),
        Owner::External => (PartyKind::External, address.to_string(), None),
        Owner::Unknown | Owner::OnLink => (PartyKind::Unknown, address.to_string(), None),
        Owner::Multicast => (PartyKind::Multicast, address.to_string(), None),
    };
    Party { kind, name, owner, addresses: BTreeSet::from([address]), names: Vec::new() }
}
