//! A little shop to judge policies over: web calls api, and api calls db.

use std::collections::BTreeSet;

use super::{
    super::{Census, Change, Evaluator, Excess, Options, Outside, Past, PolicySet, PortSet, Roster, diff, excess},
    strictly,
};
use crate::model::{
    Cluster, ContainerPort, Dependency, Direction, Node, Outcome, Party, PartyKind, Pod, Protocol, Span, Timestamp,
    WorkloadRef,
};

pub(super) fn pod(name: &str, address: &str, port: u16) -> Pod {
    let workload = WorkloadRef { namespace: "shop".into(), name: name.into(), kind: "Deployment".into() };
    Pod {
        namespace: "shop".into(),
        name: format!("{name}-1"),
        workload,
        maker: Some(format!("{name}-abc")),
        host_ports: Vec::new(),
        labels: [("app", name)].into_iter().collect(),
        addresses: vec![address.parse().unwrap()],
        node: Some("node-1".into()),
        host_network: false,
        ports: vec![ContainerPort { name: Some("main".into()), port, protocol: Protocol::TCP }],
        started: None,
        finished: false,
        mesh: None,
    }
}

/// A shop of three workloads: web calls api, api calls db.
pub(super) fn shop() -> Cluster {
    let node = Node {
        name: "node-1".into(),
        addresses: vec!["172.18.0.2".parse().unwrap()],
        pod_ranges: vec!["10.244.1.0/24".parse().unwrap()],
        labels: Some([("role", "worker")].into_iter().collect()),
    };
    let pods = vec![pod("web", "10.244.1.1", 80), pod("api", "10.244.1.2", 8080), pod("db", "10.244.1.3", 5432)];
    Cluster { nodes: vec![node], pods, ..Cluster::default() }
}

pub(super) fn policies(specs: &[(&str, &str)]) -> PolicySet {
    let policy = |(name, spec): &(&str, &str)| {
        format!(
            "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{namespace: shop, name: {name}}}\nspec: {spec}\n"
        )
    };
    strictly(&specs.iter().map(policy).collect::<Vec<_>>().join("---\n")).unwrap()
}

pub(super) fn selecting(app: &str, rest: &str) -> String {
    format!("{{podSelector: {{matchLabels: {{app: {app}}}}}, {rest}}}")
}

pub(super) fn from_app(app: &str, port: u16) -> String {
    format!("{{from: [{{podSelector: {{matchLabels: {{app: {app}}}}}}}], ports: [{{port: {port}}}]}}")
}

/// db hears api alone and calls nobody; nothing else is closed.
pub(super) fn db_closed() -> PolicySet {
    let rules = format!("policyTypes: [Ingress, Egress], ingress: [{}]", from_app("api", 5432));
    policies(&[("db", &selecting("db", &rules))])
}

/// The shop with what policies may be asked about it.
pub(super) struct Stage {
    pub(super) cluster: Cluster,
}

impl Stage {
    pub(super) fn evaluator<'a>(&'a self, set: &'a PolicySet) -> Evaluator<'a> {
        Evaluator::new(set, &self.cluster.namespaces, Options::default())
    }

    pub(super) fn outside(evaluators: &[&Evaluator<'_>]) -> Outside {
        Outside::new(evaluators, &shop(), &["10.244.1.0/24".parse().unwrap()])
    }

    pub(super) fn diff(&self, old: &PolicySet, new: &PolicySet) -> Vec<Change> {
        let (old, new) = (self.evaluator(old), self.evaluator(new));
        let roster = Roster::new(&self.cluster);
        diff(&Census::new(&roster, &Self::outside(&[&old, &new])), &old, &new)
    }

    pub(super) fn excess(&self, seen: &[Dependency], set: &PolicySet) -> Excess {
        let roster = Roster::new(&self.cluster);
        let evaluator = self.evaluator(set);
        excess(&Past::new(seen, &roster), &roster, &Self::outside(&[&evaluator]), &evaluator)
    }
}

pub(super) fn stage() -> Stage {
    Stage { cluster: shop() }
}

pub(super) fn party(name: &str, kind: PartyKind, address: &str) -> Party {
    let owner = (kind == PartyKind::Workload).then(|| "Deployment".to_owned());
    Party { kind, name: name.into(), owner, addresses: [address.parse().unwrap()].into(), names: Vec::new() }
}

pub(super) fn workload(app: &str) -> Party {
    let address = match app {
        "web" => "10.244.1.1",
        "api" => "10.244.1.2",
        _ => "10.244.1.3",
    };
    party(&format!("shop/{app}"), PartyKind::Workload, address)
}

pub(super) fn external(address: &str) -> Party {
    party(address, PartyKind::External, address)
}

pub(super) fn seen(client: Party, server: Party, port: u16) -> Dependency {
    Dependency {
        site: "default".into(),
        client,
        server,
        protocol: Protocol::TCP,
        port,
        via: BTreeSet::new(),
        sources: BTreeSet::new(),
        outcome: Outcome::Established,
        direction: Direction::Handshake,
        connections: 3,
        packets: 30,
        packets_are_least: false,
        bytes_to_server: 0,
        bytes_to_client: 0,
        span: Span { first: Timestamp(0), last: Timestamp(0) },
        vlans: BTreeSet::new(),
        tunnels: BTreeSet::new(),
        marks: BTreeSet::new(),
        history: [].into(),
    }
}

pub(super) fn tcp(port: u16) -> PortSet {
    PortSet::range(Protocol::TCP, port, port)
}
