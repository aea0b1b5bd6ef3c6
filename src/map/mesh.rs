//! Traffic that a service mesh carries: the port on the wire is the mesh's, and what runs inside is hidden.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::Serialize;

use crate::model::{Cluster, Dependency, Mesh, Party, Protocol};

/// Dependencies on one port of a mesh.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hidden {
    /// The mesh.
    pub mesh: Mesh,
    /// The port on the wire.
    pub port: u16,
    /// Who was reached so: the rules for them name the mesh's port, not their own.
    pub servers: BTreeSet<String>,
    /// Who was seen to call so.
    pub clients: BTreeSet<String>,
    /// How many connections.
    pub connections: u64,
}

impl fmt::Display for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { port, servers, connections, .. } = self;
        let names: Vec<&str> = servers.iter().map(String::as_str).collect();
        let name = port_name(Protocol::TCP, *port).unwrap_or("a mesh");
        let names = names.join(", ");
        let plural = if *connections == 1 { "connection to" } else { "connections to" };
        write!(f, "the real port of {names} is hidden in {connections} {plural} TCP/{port} ({name})")
    }
}

/// Ports of proxies: HBONE of Istio's ambient mode, its sidecar's outbound and inbound ports, Linkerd's inbound port.
const PORTS: [(u16, Mesh); 4] =
    [(15_008, Mesh::IstioAmbient), (15_001, Mesh::IstioSidecar), (15_006, Mesh::IstioSidecar), (4_143, Mesh::Linkerd)];

/// What a port of a mesh is called.
#[must_use]
pub fn port_name(protocol: Protocol, port: u16) -> Option<&'static str> {
    match (protocol, port) {
        (Protocol::TCP, 15_008) => Some("Istio HBONE"),
        (Protocol::TCP, 15_001 | 15_006) => Some("Istio sidecar"),
        (Protocol::TCP, 4_143) => Some("Linkerd proxy"),
        _ => None,
    }
}

/// Dependencies that hide their real port, by mesh and port. Linkerd's port is an ordinary number: it counts only
/// where the server is known to have Linkerd's proxy. Istio's are its own.
#[must_use]
pub fn hidden(dependencies: &[Dependency], cluster: &Cluster) -> Vec<Hidden> {
    let meshed: BTreeSet<(Mesh, String)> =
        cluster.pods.iter().filter_map(|pod| Some((pod.mesh?, pod.workload.to_string()))).collect();
    let mut found: BTreeMap<(Mesh, u16), Hidden> = BTreeMap::new();
    for dependency in dependencies.iter().filter(|it| it.protocol == Protocol::TCP && it.outcome.is_needed()) {
        let Dependency { client, server, port, connections, .. } = dependency;
        let Some((_, mesh)) = PORTS.iter().copied().find(|(number, _)| number == port) else { continue };
        let has_proxy = |party: &Party| meshed.contains(&(mesh, party.name.clone()));
        if mesh == Mesh::Linkerd && !has_proxy(server) {
            continue;
        }
        let hidden = found.entry((mesh, *port)).or_insert_with(|| Hidden {
            mesh,
            port: *port,
            servers: BTreeSet::new(),
            clients: BTreeSet::new(),
            connections: 0,
        });
        hidden.servers.insert(server.name.clone());
        hidden.clients.insert(client.name.clone());
        hidden.connections += connections;
    }
    found.into_values().collect()
}
