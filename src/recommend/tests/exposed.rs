//! What is open to the outside, and by way of nodes.

use std::net::IpAddr;

use super::{
    lab::{Lab, TCP, lab, purposes, said},
    *,
};
use crate::model::{HostPort, Mark, Node, PartyKind, ServiceKind, Via};

#[test]
fn an_exposed_service_is_open_to_anyone_but_the_cluster() {
    let mut lab = lab(&["web"]);
    lab.service("shop", "web", ServiceKind::LoadBalancer, Some("web"), (80, 8080));
    lab.talk("203.0.113.9", "web", 8080);
    lab.talk("192.0.2.1", "web", 8080);
    let ingress = lab.group("web").ingress;
    assert_eq!(said(&ingress), "anyone of 0.0.0.0/0 TCP/8080");
    let except = vec!["10.244.1.0/24".parse().unwrap()];
    assert!(ingress.contains_key(&Peer::Anyone { all: "0.0.0.0/0".parse().unwrap(), except }));
    let exposed = Purpose::Exposed { service: "shop/web".into(), kind: ServiceKind::LoadBalancer };
    assert_eq!(purposes(&ingress), [&exposed]);
}

#[test]
fn an_exposed_service_is_open_also_where_nodes_replaced_the_addresses_of_its_clients() {
    for client in ["192.0.2.1", "10.244.1.1", "10.244.1.0"] {
        let mut lab = lab(&["web", "db"]);
        lab.service("shop", "web", ServiceKind::NodePort, Some("web"), (80, 8080));
        for server in ["web", "db"] {
            let dependency = lab.talk(client, server, 8080);
            if client.starts_with("10.") {
                dependency.client.kind = PartyKind::Unknown;
            } else {
                dependency.marks = BTreeSet::from([Mark::Node]);
            }
        }
        let ends = if client.starts_with("10.") {
            // what the nodes call themselves there lies in what is left out for pods
            format!("anyone of 0.0.0.0/0 TCP/8080; node {client} TCP/8080")
        } else {
            "anyone of 0.0.0.0/0 TCP/8080".to_owned()
        };
        let said_of = |name: &str| {
            let mut found: Vec<String> = said(&lab.group(name).ingress).split("; ").map(str::to_owned).collect();
            found.sort();
            found.join("; ")
        };
        assert_eq!(said_of("web"), ends, "{client}");
        assert_eq!(said_of("db"), "", "{client} to what is not exposed");
    }
}

#[test]
fn a_port_that_the_node_opens_is_exposed() {
    let mut lab = lab(&["gateway"]);
    lab.cluster.pods[0].host_ports = vec![HostPort { protocol: TCP, port: 443, target: 8443, address: None }];
    lab.talk("203.0.113.9", "gateway", 8443);
    lab.talk("203.0.113.9", "gateway", 9000);
    let ingress = lab.group("gateway").ingress;
    assert_eq!(said(&ingress), "203.0.113.9/32 TCP/9000; anyone of 0.0.0.0/0 TCP/8443");
    assert_eq!(purposes(&ingress), [&Purpose::HostPort]);
}

#[test]
fn what_a_pod_needs_of_its_own_node_it_needs_on_another_as_well() {
    let mut lab = lab(&["agent"]);
    lab.talk("agent", "192.0.2.1", 9100).marks = BTreeSet::from([Mark::Node]);
    assert_eq!(said(&lab.group("agent").egress), "node 192.0.2.1 TCP/9100");
}

#[test]
fn a_service_with_both_families_is_open_to_both() {
    let mut lab = lab(&["web"]);
    lab.service("shop", "web", ServiceKind::LoadBalancer, Some("web"), (80, 8080));
    lab.cluster.services[0].cluster_ips = vec!["10.96.0.7".parse().unwrap(), "fd00:96::7".parse().unwrap()];
    lab.talk("203.0.113.9", "web", 8080);
    assert_eq!(said(&lab.group("web").ingress), "anyone of 0.0.0.0/0 TCP/8080; anyone of ::/0 TCP/8080");
}

#[test]
fn health_checks_of_the_kubelet_open_nothing_to_the_outside() {
    let mut lab = lab(&["web"]);
    lab.service("shop", "web", ServiceKind::LoadBalancer, Some("web"), (80, 8080));
    let checks = lab.talk("192.0.2.1", "web", 8080);
    (checks.marks, checks.connections) = (BTreeSet::from([Mark::Node, Mark::Probe]), 60);
    assert_eq!(said(&lab.group("web").ingress), "");
    lab.talk("192.0.2.1", "web", 8080).marks = BTreeSet::from([Mark::Node]);
    assert_eq!(said(&lab.group("web").ingress), "anyone of 0.0.0.0/0 TCP/8080");
}

/// A load balancer that lets in two ranges, one of them around the pods.
fn bounded(keeps_sources: bool) -> Lab {
    let mut lab = lab(&["web"]);
    lab.service("shop", "web", ServiceKind::LoadBalancer, Some("web"), (80, 8080));
    let service = &mut lab.cluster.services[0];
    service.source_ranges = vec!["203.0.113.0/25".parse().unwrap(), "10.0.0.0/8".parse().unwrap()];
    service.keeps_sources = keeps_sources;
    lab
}

#[test]
fn a_load_balancer_that_lets_in_ranges_opens_no_more() {
    let mut lab = bounded(true);
    lab.talk("203.0.113.9", "web", 8080);
    let ingress = lab.group("web").ingress;
    assert_eq!(said(&ingress), "anyone of 10.0.0.0/8 TCP/8080; anyone of 203.0.113.0/25 TCP/8080");
    let except = vec!["10.244.1.0/24".parse().unwrap()];
    assert!(ingress.contains_key(&Peer::Anyone { all: "10.0.0.0/8".parse().unwrap(), except }));

    // who comes past it comes as he was seen
    lab.talk("198.51.100.7", "web", 8080);
    assert!(said(&lab.group("web").ingress).starts_with("198.51.100.7/32 TCP/8080; anyone of 10.0.0.0/8"));
}

#[test]
fn nodes_that_hand_on_what_a_load_balancer_lets_in_are_let_in_themselves() {
    let mut lab = bounded(false);
    lab.talk("203.0.113.9", "web", 8080);
    let ingress = lab.group("web").ingress;
    let has = |address: &str| ingress.contains_key(&Peer::NodeAddress(address.parse().unwrap()));
    assert!(has("192.0.2.1") && has("10.244.1.0") && !has("10.244.1.1"), "{}", said(&ingress));
    assert!(!said(&ingress).contains("0.0.0.0/0"));
}

#[test]
fn who_dials_the_port_of_a_node_needs_the_node_and_is_seen_as_one() {
    let mut lab = lab(&["web", "api"]);
    let address: IpAddr = "192.0.2.2".parse().unwrap();
    lab.cluster.nodes.push(Node { name: "node-2".into(), addresses: vec![address], ..Node::default() });
    let via = Via { address, port: 30_080, service: Some("shop/api".into()), disputed: false };
    lab.talk("web", "api", 8080).via = BTreeSet::from([via]);
    assert_eq!(said(&lab.group("web").egress), "api TCP/8080; node 192.0.2.2 TCP/30080");
    assert_eq!(said(&lab.group("api").ingress), "web TCP/8080; node 192.0.2.2 TCP/8080");
}

#[test]
fn an_address_behind_a_service_that_is_no_pods_and_no_nodes_is_outside() {
    let mut lab = lab(&["web"]);
    lab.api_server(&[[192, 0, 2, 1], [198, 51, 100, 5]]);
    let server = &mut lab.talk("web", "10.96.0.1", 443).server;
    (server.kind, server.name) = (PartyKind::Service, "default/kubernetes".into());
    lab.cluster.services[0].cluster_ips = vec!["10.96.0.1".parse().unwrap()];
    assert_eq!(said(&lab.group("web").egress), "198.51.100.5/32 TCP/6443; node 192.0.2.1 TCP/6443");
}

#[test]
fn an_exposed_service_opens_all_that_stand_behind_it() {
    let mut lab = lab(&["stable", "canary"]);
    for pod in &mut lab.cluster.pods {
        pod.labels.0.insert("role".into(), "api".into());
    }
    lab.service("shop", "api", ServiceKind::LoadBalancer, None, (80, 8080));
    lab.cluster.services[0].selector = Some([("role", "api")].into_iter().collect());
    lab.talk("203.0.113.9", "stable", 8080);
    assert_eq!(said(&lab.group("canary").ingress), "anyone of 0.0.0.0/0 TCP/8080");
    let widened: Vec<_> = lab.group("canary").ingress.into_values().flat_map(|access| access.widened).collect();
    assert_eq!(widened, [Widened::Unseen], "and that is told");
}

#[test]
fn what_an_ingress_controller_on_the_nodes_network_hands_on_may_come_from_any_node() {
    let mut lab = lab(&["web"]);
    lab.cluster.nodes.push(Node {
        name: "node-2".into(),
        addresses: vec!["192.0.2.2".parse().unwrap()],
        ..Node::default()
    });
    lab.service("shop", "web", ServiceKind::ClusterIp, Some("web"), (80, 8080));
    let backends = vec![("web".to_owned(), "80".to_owned())];
    let (namespace, name) = ("shop".to_owned(), "all".to_owned());
    lab.cluster.ingresses = vec![crate::model::Ingress { namespace, name, class: None, backends }];
    let checks = lab.talk("192.0.2.1", "web", 8080);
    (checks.marks, checks.connections) = (BTreeSet::from([Mark::Node, Mark::Probe]), 60);
    assert_eq!(said(&lab.group("web").ingress), "", "checks are none of it");
    lab.talk("192.0.2.1", "web", 8080).marks = BTreeSet::from([Mark::Node]);
    assert_eq!(said(&lab.group("web").ingress), "node 192.0.2.1 TCP/8080; node 192.0.2.2 TCP/8080");
    // no Ingress leads to this port: whoever it was on the node, it needs no rule there and gets none elsewhere
    lab.dependencies.clear();
    lab.talk("192.0.2.1", "web", 9000).marks = BTreeSet::from([Mark::Node]);
    lab.talk("web", "203.0.113.9", 443);
    assert_eq!(said(&lab.group("web").ingress), "");
}

#[test]
fn an_ingress_controller_that_is_a_daemonset_comes_from_its_own_nodes() {
    let mut lab = lab(&["web"]);
    let node = |n: u8| Node { name: format!("node-{n}"), addresses: vec![[192, 0, 2, n].into()], ..Node::default() };
    lab.cluster.nodes.extend([2, 3].map(node));
    lab.service("shop", "web", ServiceKind::ClusterIp, Some("web"), (80, 8080));
    let backends = vec![("web".to_owned(), "80".to_owned())];
    let (namespace, name) = ("shop".to_owned(), "all".to_owned());
    lab.cluster.ingresses = vec![crate::model::Ingress { namespace, name, class: None, backends }];
    for (name, node) in [("edge-a", "node-1"), ("edge-b", "node-2")] {
        let mut pod = Pod { host_network: true, node: Some(node.into()), ..mk_pod(name, "app=ingress-nginx") };
        pod.workload.kind = "DaemonSet".into();
        pod.workload.name = "edge".into();
        lab.cluster.pods.push(pod);
    }
    lab.talk("192.0.2.1", "web", 8080).marks = BTreeSet::from([Mark::Node]);
    assert_eq!(said(&lab.group("web").ingress), "node 192.0.2.1 TCP/8080; node 192.0.2.2 TCP/8080");
    // whoever is on a node without a controller is none
    lab.dependencies.clear();
    lab.talk("192.0.2.3", "web", 8080);
    assert_eq!(said(&lab.group("web").ingress), "node 192.0.2.3 TCP/8080");
    // a Deployment may come to any node
    lab.cluster.pods.last_mut().unwrap().workload.kind = "Deployment".into();
    assert_eq!(
        said(&lab.group("web").ingress),
        "node 192.0.2.1 TCP/8080; node 192.0.2.2 TCP/8080; node 192.0.2.3 TCP/8080"
    );
}

#[test]
fn nodes_that_live_among_the_pods_may_hand_on_what_comes_to_them() {
    // no node tells a range, and all have addresses of one subnet
    let mut lab = lab(&["web"]);
    lab.cluster.pods[0].addresses = vec!["10.0.1.50".parse().unwrap()];
    let node = |name: &str, address: &str| Node {
        name: name.into(),
        addresses: vec![address.parse().unwrap()],
        ..Node::default()
    };
    lab.cluster.nodes = vec![node("node-1", "10.0.1.4"), node("node-2", "10.0.1.5"), node("node-3", "10.0.9.4")];
    lab.service("shop", "web", ServiceKind::LoadBalancer, Some("web"), (80, 8080));
    lab.talk("203.0.113.9", "web", 8080);
    let said = said(&lab.group("web").ingress);
    assert_eq!(said, "node 10.0.1.4 TCP/8080; node 10.0.1.5 TCP/8080; anyone of 0.0.0.0/0 TCP/8080");
    // what leaves the addresses of clients as they are needs none
    lab.cluster.services[0].keeps_sources = true;
    assert_eq!(super::lab::said(&lab.group("web").ingress), "anyone of 0.0.0.0/0 TCP/8080");
}
