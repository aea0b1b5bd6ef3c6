//! Who may ask whom for names.

use super::{
    lab::{Lab, lab, purposes, said},
    *,
};
use crate::model::{PartyKind, Protocol, ServiceKind};

/// A cluster whose DNS Service leads to a pod of `shop`, which stands for its system namespace's.
fn with_dns(pods: &[&str]) -> Lab {
    let mut lab = lab(pods);
    for pod in lab.cluster.pods.iter_mut().filter(|pod| pod.workload.name == "coredns") {
        (pod.namespace, pod.workload.namespace) = ("kube-system".into(), "kube-system".into());
    }
    lab.service("kube-system", "kube-dns", ServiceKind::ClusterIp, Some("coredns"), (53, 53));
    lab
}

fn dns(lab: &Lab) -> Dns {
    lab.recommend().namespaces.remove(0).dns.unwrap()
}

#[test]
fn the_cache_on_the_node_answers_names_wherever_it_listens() {
    for (address, purpose) in [
        ("169.254.20.10", Purpose::NodeLocalDns),
        ("169.254.25.10", Purpose::NodeLocalDns),
        ("fe80::53", Purpose::NodeLocalDns),
    ] {
        let mut lab = lab(&["web"]);
        lab.talk("web", address, 53).server.kind = PartyKind::Node;
        let dns = dns(&lab);
        let bits = if address.contains('.') { 32 } else { 128 };
        assert_eq!(said(&dns.servers), format!("{address}/{bits} TCP/53 UDP/53"));
        assert_eq!(purposes(&dns.servers), [&purpose]);
    }
}

#[test]
fn what_one_pod_asks_outside_is_its_own_rule() {
    let mut lab = with_dns(&["web", "mailer", "coredns"]);
    lab.talk("web", "coredns", 53).protocol = Protocol::UDP;
    lab.talk("mailer", "203.0.113.53", 53).protocol = Protocol::UDP;
    assert_eq!(said(&dns(&lab).servers), "coredns TCP/53 UDP/53");
    let asker = lab.group("mailer").egress;
    assert_eq!(said(&asker), "203.0.113.53/32 TCP/53 UDP/53");
    assert_eq!(purposes(&asker), [&Purpose::Dns]);
    assert_eq!(said(&lab.group("web").egress), "");
    let clients = dns(&lab).clients;
    let clients: Vec<&str> = clients.iter().flat_map(|it| &it.members).map(|it| it.name.as_str()).collect();
    assert_eq!(clients, ["web"], "who asks outside alone needs nothing of the cluster's");
}

#[test]
fn a_resolver_outside_is_everybodys_where_there_is_no_other() {
    let mut lab = lab(&["web", "mailer"]);
    lab.talk("mailer", "203.0.113.53", 53).protocol = Protocol::UDP;
    assert_eq!(said(&dns(&lab).servers), "203.0.113.53/32 TCP/53 UDP/53");
    assert_eq!(said(&lab.group("mailer").egress), "");
}

#[test]
fn the_clusters_dns_is_open_to_every_pod_and_to_all_nodes_where_one_asks() {
    let mut lab = with_dns(&["web", "coredns"]);
    let of_coredns = |lab: &Lab| {
        let directory = crate::inventory::Directory::new(&lab.cluster);
        let (cluster, coverage) = (&lab.cluster, &Coverage::default());
        let input = Input { cluster, directory: &directory, coverage };
        let namespaces = BTreeSet::from(["kube-system".to_owned()]);
        let mut plan = recommend(input, &lab.dependencies, &namespaces, &lab.options).namespaces.remove(0);
        plan.groups.remove(0).ingress
    };
    assert_eq!(said(&of_coredns(&lab)), "every pod TCP/53 UDP/53", "before anybody was seen to ask");
    lab.talk("web", "coredns", 53).protocol = Protocol::UDP;
    lab.talk("web", "coredns", 9153);
    let ingress = of_coredns(&lab);
    assert_eq!(said(&ingress), "web TCP/9153; every pod TCP/53 UDP/53");
    assert_eq!(ingress[&Peer::EveryPod].evidence.len(), 1);
    assert_eq!(ingress[&Peer::EveryPod].widened, BTreeSet::from([Widened::EveryPod]));
    let second = crate::model::Node {
        name: "node-2".into(),
        addresses: vec!["192.0.2.2".parse().unwrap()],
        ..Default::default()
    };
    lab.cluster.nodes.push(second);
    lab.talk("192.0.2.2", "coredns", 53);
    let all = "web TCP/9153; node 192.0.2.1 TCP/53 UDP/53; node 192.0.2.2 TCP/53 UDP/53; every pod TCP/53 UDP/53";
    assert_eq!(said(&of_coredns(&lab)), all);
}

#[test]
fn another_server_of_names_lets_in_who_may_ask_it_by_both_protocols() {
    let mut lab = lab(&["web", "api", "resolver"]);
    lab.talk("web", "resolver", 53).protocol = Protocol::UDP;
    assert_eq!(said(&lab.group("resolver").ingress), "web TCP/53 UDP/53");
    assert_eq!(said(&dns(&lab).servers), "resolver TCP/53 UDP/53");
}

#[test]
fn who_was_not_seen_asking_asks_the_clusters_dns_and_other_servers_are_of_those_who_ask_them() {
    let mut lab = with_dns(&["web", "api", "resolver", "coredns"]);
    lab.talk("web", "resolver", 53).protocol = Protocol::UDP;
    lab.talk("api", "203.0.113.5", 443);
    assert_eq!(said(&dns(&lab).servers), "coredns TCP/53 UDP/53");
    let clients = dns(&lab).clients;
    let clients: Vec<&str> = clients.iter().flat_map(|it| &it.members).map(|it| it.name.as_str()).collect();
    assert_eq!(clients, ["api"], "what is outside is known by a name");
    assert_eq!(said(&lab.group("web").egress), "resolver TCP/53 UDP/53");
    assert_eq!(said(&lab.group("resolver").ingress), "web TCP/53 UDP/53");
}

#[test]
fn who_was_not_seen_asking_the_cache_of_its_node_may_ask_it_too() {
    let mut lab = with_dns(&["web", "other", "db", "coredns"]);
    for pod in lab.cluster.pods.iter_mut().filter(|pod| pod.workload.name == "other") {
        (pod.namespace, pod.workload.namespace) = ("elsewhere".into(), "elsewhere".into());
    }
    let asked = lab.talk("other", "169.254.20.10", 53);
    (asked.client.name, asked.server.kind) = ("elsewhere/other".into(), PartyKind::Node);
    let via = crate::model::Via { address: "10.96.0.7".parse().unwrap(), port: 5432, service: None, disputed: false };
    lab.talk("web", "db", 5432).via = [via].into();
    let dns = dns(&lab);
    assert_eq!(said(&dns.servers), "coredns TCP/53 UDP/53; 169.254.20.10/32 TCP/53 UDP/53");
    assert!(dns.servers.values().all(|access| access.evidence.is_empty()), "none of them was seen itself");
    let clients: Vec<&str> = dns.clients.iter().flat_map(|it| &it.members).map(|it| it.name.as_str()).collect();
    assert_eq!(clients, ["web"]);
}

#[test]
fn the_clusters_dns_may_answer_on_any_port() {
    let mut lab = with_dns(&["web", "coredns"]);
    lab.cluster.services.clear();
    lab.service("kube-system", "kube-dns", ServiceKind::ClusterIp, Some("coredns"), (53, 8053));
    let address = "10.96.0.10".parse().unwrap();
    let via = crate::model::Via { address, port: 53, service: Some("kube-system/kube-dns".into()), disputed: false };
    let asked = lab.talk("web", "coredns", 8053);
    (asked.protocol, asked.via) = (Protocol::UDP, [via].into());
    assert_eq!(said(&dns(&lab).servers), "coredns TCP/8053 UDP/8053");
    assert_eq!(said(&lab.group("web").egress), "");
}
