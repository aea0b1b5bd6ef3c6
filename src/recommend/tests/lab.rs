//! A cluster to recommend policies for, with who talks to whom in it.

use std::net::IpAddr;

use super::*;
use crate::{
    model::{
        Cover, Direction, Endpoint, Hour, Node, Outcome, Party, PartyKind, Protocol, Service, ServiceKind, ServicePort,
        Span, TargetPort, Watched,
    },
    render,
};

pub(super) const TCP: Protocol = Protocol::TCP;

/// A cluster with a pod for every name, labelled `app=NAME`; all were watched, but those named `unseen-...`.
pub(super) struct Lab {
    pub(super) cluster: Cluster,
    pub(super) dependencies: Vec<Dependency>,
    pub(super) options: Options,
}

pub(super) fn lab(pods: &[&str]) -> Lab {
    let pod = |(n, name): (usize, &&str)| {
        let address = IpAddr::from([10, 244, 1, u8::try_from(n).unwrap() + 10]);
        Pod { addresses: vec![address], node: Some("node-1".into()), ..mk_pod(name, &format!("app={name}")) }
    };
    let node = Node {
        name: "node-1".into(),
        addresses: vec![IpAddr::from([192, 0, 2, 1])],
        pod_ranges: vec!["10.244.1.0/24".parse().unwrap()],
        labels: None,
    };
    let pods = pods.iter().enumerate().map(pod).collect();
    let cluster = Cluster { pods, nodes: vec![node], ..Cluster::default() };
    Lab { cluster, dependencies: Vec::new(), options: Options::default() }
}

pub(super) fn party(lab: &Lab, name: &str) -> Party {
    if let Ok(address) = name.parse::<IpAddr>() {
        let is_node = lab.cluster.nodes.iter().any(|node| node.addresses.contains(&address));
        let kind = if is_node { PartyKind::Node } else { PartyKind::External };
        return Party { kind, name: name.into(), owner: None, addresses: [address].into(), names: Vec::new() };
    }
    let pod = lab.cluster.pods.iter().find(|pod| pod.workload.name == name).unwrap();
    Party {
        kind: PartyKind::Workload,
        name: pod.workload.to_string(),
        owner: Some("Deployment".into()),
        addresses: pod.addresses.iter().copied().collect(),
        names: Vec::new(),
    }
}

impl Lab {
    /// Talks once in an hour.
    pub(super) fn talk_at(&mut self, hour: i32, client: &str, server: &str, port: u16) -> &mut Dependency {
        let hour = Hour(497_000 + hour);
        let dependency = Dependency {
            site: "default".into(),
            client: party(self, client),
            server: party(self, server),
            protocol: TCP,
            port,
            via: BTreeSet::new(),
            sources: BTreeSet::new(),
            outcome: Outcome::Established,
            direction: Direction::Handshake,
            connections: 1,
            packets: 10,
            packets_are_least: false,
            bytes_to_server: 1_000,
            bytes_to_client: 1_000,
            span: Span::at(hour.start()),
            vlans: BTreeSet::new(),
            tunnels: BTreeSet::new(),
            marks: BTreeSet::new(),
            history: BTreeMap::from([(hour, 1)]),
        };
        self.dependencies.push(dependency);
        self.dependencies.last_mut().unwrap()
    }

    pub(super) fn talk(&mut self, client: &str, server: &str, port: u16) -> &mut Dependency {
        self.talk_at(0, client, server, port)
    }

    /// A Service in front of one pod; without a selector where there is none, but with Endpoints.
    pub(super) fn service(
        &mut self,
        namespace: &str,
        name: &str,
        kind: ServiceKind,
        selected: Option<&str>,
        port: (u16, u16),
    ) {
        let ports = vec![ServicePort {
            name: None,
            port: port.0,
            target: TargetPort::Number(port.1),
            node_port: None,
            protocol: TCP,
        }];
        let selector = selected.map(|app| [("app", app)].into_iter().collect());
        let (namespace, name) = (namespace.to_owned(), name.to_owned());
        self.cluster.services.push(Service {
            namespace,
            name,
            kind,
            selector,
            cluster_ips: Vec::new(),
            external_ips: Vec::new(),
            proxied_ips: Vec::new(),
            source_ranges: Vec::new(),
            keeps_sources: false,
            ports,
        });
    }

    pub(super) fn api_server(&mut self, addresses: &[[u8; 4]]) {
        self.service("default", "kubernetes", ServiceKind::ClusterIp, None, (443, 6443));
        for address in addresses {
            self.cluster.endpoints.push(Endpoint {
                namespace: "default".into(),
                service: "kubernetes".into(),
                address: IpAddr::from(*address),
                port_name: None,
                port: Some(6443),
                protocol: TCP,
            });
        }
    }

    pub(super) fn recommend(&self) -> Recommendation {
        let directory = Directory::new(&self.cluster);
        let state = |pod: &Pod| {
            let is_unseen = pod.workload.name.starts_with("unseen");
            let state = if is_unseen { Watched::Unseen } else { Watched::Covered };
            let share = if is_unseen { 0.0 } else { 1.0 };
            (pod.workload.clone(), Cover { state, share, ..Cover::default() })
        };
        let coverage = Coverage { workloads: self.cluster.pods.iter().map(state).collect(), ..Coverage::default() };
        let input = Input { cluster: &self.cluster, directory: &directory, coverage: &coverage };
        recommend(input, &self.dependencies, &BTreeSet::from(["shop".to_owned()]), &self.options)
    }

    pub(super) fn group(&self, name: &str) -> Group {
        let plan = self.recommend().namespaces.remove(0);
        plan.groups.into_iter().find(|group| group.name == name).unwrap_or_else(|| panic!("no group {name}"))
    }

    pub(super) fn yaml(&self) -> Vec<render::Document> {
        render::policies(&self.recommend(), &render::Decisions::default(), &render::Written::default())
            .unwrap()
            .documents
    }
}

/// `db TCP/5432; 192.0.2.7/32 TCP/443`.
pub(super) fn said(accesses: &Accesses) -> String {
    let one = |(peer, access): (&Peer, &Access)| {
        let peer = match peer {
            Peer::Pods(pods) => pods.name.clone(),
            Peer::Addresses(range) => range.to_string(),
            Peer::NodeAddress(address) => format!("node {address}"),
            Peer::EveryPod => "every pod".to_owned(),
            Peer::Anyone { all, .. } => format!("anyone of {all}"),
        };
        let ports: Vec<String> = access.ports.iter().map(|(protocol, port)| format!("{protocol}/{port}")).collect();
        format!("{peer} {}", ports.join(" "))
    };
    accesses.iter().map(one).collect::<Vec<_>>().join("; ")
}

pub(super) fn purposes(accesses: &Accesses) -> Vec<&Purpose> {
    accesses.values().flat_map(|access| &access.purposes).collect()
}
