//! Rules from dependencies.

use std::net::IpAddr;

use super::{
    lab::{TCP, lab, purposes, said},
    *,
};
use crate::model::{AskedFor, ContainerPort, Ingress, Mark, Outcome, ServiceKind, Webhook};

#[test]
fn who_was_not_watched_is_left_open_whatever_was_seen_of_it() {
    let mut lab = lab(&["web", "unseen-db"]);
    lab.talk("web", "unseen-db", 5432);
    assert!(lab.group("unseen-db").is_open && !lab.group("web").is_open);
    assert_eq!(said(&lab.group("web").egress), "unseen-db TCP/5432");
    lab.options.isolate_unseen = true;
    assert!(!lab.group("unseen-db").is_open);
    assert_eq!(said(&lab.group("unseen-db").ingress), "web TCP/5432");
}

#[test]
fn one_direction_has_rules_of_that_direction_alone() {
    let mut lab = lab(&["web", "db"]);
    lab.talk("web", "db", 5432);
    lab.options.directions = Directions::Ingress;
    assert_eq!(
        (said(&lab.group("db").ingress).as_str(), said(&lab.group("web").egress).as_str()),
        ("web TCP/5432", "")
    );
    lab.options.directions = Directions::Egress;
    assert_eq!((said(&lab.group("db").ingress).as_str(), said(&lab.group("web").egress).as_str()), ("", "db TCP/5432"));
}

#[test]
fn a_group_is_opened_as_a_whole_where_enough_of_its_pairs_were_seen() {
    let mut lab = lab(&["a1", "a2", "b1", "b2"]);
    let role = |pod: &Pod| (pod.workload.clone(), pod.workload.name[..1].to_owned());
    lab.options.grouping = Grouping::Roles(lab.cluster.pods.iter().map(role).collect());
    lab.talk("a1", "b1", 80);
    lab.talk("a2", "b2", 80);
    lab.talk("a1", "b1", 81);
    let (a, b) = (lab.group("a"), lab.group("b"));
    assert_eq!((a.members.len(), said(&a.egress).as_str(), said(&b.ingress).as_str()), (2, "b TCP/80", "a TCP/80"));
    let widened: Vec<_> = a.egress.values().flat_map(|access| &access.widened).collect();
    assert_eq!(widened, [&Widened::Members { seen: 2, of: 4 }]);
    // one pair of four is not enough: exact, for the members alone
    let rest = lab.group("a1");
    assert_eq!((rest.residue_of.as_deref(), said(&rest.egress).as_str()), (Some("a"), "b1 TCP/81"));
    assert_eq!(said(&lab.group("b1").ingress), "a1 TCP/81");
    lab.options.support = 0.25;
    assert_eq!(said(&lab.group("a").egress), "b TCP/80 TCP/81");
}

#[test]
fn a_namespace_is_open_within_itself_on_the_ports_in_use_and_no_wider() {
    let mut lab = lab(&["web", "api", "db"]);
    lab.options.grouping = Grouping::Namespace;
    lab.talk("web", "api", 8080);
    lab.talk("api", "db", 5432);
    lab.talk("api", "203.0.113.7", 443);
    let group = lab.group("namespace");
    assert_eq!(group.selectors, [Selector::default()]);
    assert_eq!(said(&group.egress), "namespace TCP/5432 TCP/8080");
    assert_eq!(said(&lab.group("api").egress), "203.0.113.7/32 TCP/443");
    assert_eq!(said(&group.ingress), "namespace TCP/5432 TCP/8080");
    // two of three are most of them, and not the third
    for (client, server) in [("web", "203.0.113.7"), ("203.0.113.9", "web"), ("203.0.113.9", "api")] {
        lab.talk(client, server, 443);
    }
    let group = lab.group("namespace");
    let inside = "namespace TCP/5432 TCP/8080";
    assert_eq!((said(&group.egress).as_str(), said(&group.ingress).as_str()), (inside, inside));
    assert_eq!(said(&lab.group("web").ingress), "203.0.113.9/32 TCP/443");
    lab.talk("db", "203.0.113.7", 443);
    assert_eq!(said(&lab.group("namespace").egress), "namespace TCP/5432 TCP/8080; 203.0.113.7/32 TCP/443");
}

#[test]
fn ports_that_come_and_go_are_a_range_and_declared_ones_are_not() {
    let mut lab = lab(&["ftp", "client"]);
    for n in 0..12_i32 {
        lab.talk_at(n, "client", "ftp", 21);
        lab.talk_at(n, "client", "ftp", 40_000 + u16::try_from(n * 7).unwrap());
        lab.talk_at(n, "client", "ftp", 50_000);
    }
    lab.cluster.pods[0].ports = vec![ContainerPort { name: None, port: 50_000, protocol: TCP }];
    assert_eq!(said(&lab.group("client").egress), "ftp TCP/21 TCP/40000-40077 TCP/50000");
    assert_eq!(said(&lab.group("ftp").ingress), "client TCP/21 TCP/40000-40077 TCP/50000");
}

#[test]
fn a_port_that_stays_is_no_end_of_the_range_of_those_that_come_and_go() {
    let mut lab = lab(&["web", "db"]);
    for hour in 0..8u8 {
        lab.talk_at(hour.into(), "web", "db", 3_310);
        lab.talk_at(hour.into(), "web", "db", 3_400);
        lab.talk_at(hour.into(), "web", "db", 40_000 + 10 * u16::from(hour));
    }
    let ports = "TCP/3310 TCP/3400 TCP/40000-40070";
    assert_eq!(said(&lab.group("web").egress), format!("db {ports}"));
    assert_eq!(said(&lab.group("db").ingress), format!("web {ports}"));
}

#[test]
fn many_ports_that_stay_are_no_range() {
    let mut lab = lab(&["server", "client"]);
    for hour in 0..3 {
        for n in 0..12 {
            lab.talk_at(hour, "client", "server", 9_000 + n * 10);
        }
    }
    assert_eq!(lab.group("client").egress.values().next().unwrap().ports.len(), 12);
}

#[test]
fn who_asks_one_api_server_may_ask_all() {
    let mut lab = lab(&["operator", "web"]);
    lab.api_server(&[[192, 0, 2, 1], [198, 51, 100, 5]]);
    lab.talk("operator", "192.0.2.1", 6443);
    let egress = lab.group("operator").egress;
    assert_eq!(said(&egress), "198.51.100.5/32 TCP/6443; node 192.0.2.1 TCP/6443");
    assert!(purposes(&egress).iter().all(|purpose| **purpose == Purpose::ApiServer));
    assert_eq!(said(&lab.group("web").egress), "");
}

#[test]
fn who_calls_services_gets_names_and_who_asks_the_api_server_alone_does_not() {
    let mut lab = lab(&["operator", "web", "api"]);
    lab.api_server(&[[192, 0, 2, 1]]);
    lab.service("shop", "api", ServiceKind::ClusterIp, Some("api"), (80, 8080));
    lab.talk("api", "203.0.113.53", 53);
    let through = |address: [u8; 4], port, dependency: &mut Dependency| {
        dependency.via = [crate::model::Via { address: address.into(), port, service: None, disputed: false }].into();
    };
    lab.talk("operator", "192.0.2.1", 6443);
    through([10, 96, 0, 1], 443, lab.dependencies.last_mut().unwrap());
    lab.talk("web", "api", 8080);
    through([10, 96, 0, 7], 80, lab.dependencies.last_mut().unwrap());
    let dns = lab.recommend().namespaces.remove(0).dns;
    let members: Vec<&str> =
        dns.iter().flat_map(|dns| &dns.clients).flat_map(|client| &client.members).map(|it| it.name.as_str()).collect();
    assert_eq!(members, ["api", "web"]);
}

#[test]
fn the_api_server_may_ask_webhooks_before_it_ever_did() {
    let mut lab = lab(&["guard", "web"]);
    lab.api_server(&[[192, 0, 2, 1]]);
    lab.service("shop", "guard", ServiceKind::ClusterIp, Some("guard"), (443, 9443));
    let (namespace, service) = ("shop".to_owned(), "guard".to_owned());
    lab.cluster.webhooks =
        vec![Webhook { configuration: "checks".into(), asked_for: AskedFor::Admission, namespace, service, port: 443 }];
    let ingress = lab.group("guard").ingress;
    assert_eq!(said(&ingress), "node 192.0.2.1 TCP/9443");
    assert_eq!(
        purposes(&ingress),
        [&Purpose::Webhook { configuration: "checks".into(), asked_for: AskedFor::Admission }]
    );
    assert_eq!(said(&lab.group("web").ingress), "");
}

#[test]
fn what_is_known_by_its_purpose_is_named_so() {
    let mut lab = lab(&["prometheus", "prometheus-operator", "ingress-nginx", "web"]);
    lab.service("shop", "web", ServiceKind::ClusterIp, Some("web"), (80, 8080));
    let backends = vec![("web".to_owned(), "80".to_owned())];
    lab.cluster.ingresses = vec![Ingress { namespace: "shop".into(), name: "all".into(), class: None, backends }];
    lab.talk("prometheus", "web", 9090);
    lab.talk("prometheus-operator", "web", 9091);
    lab.talk("ingress-nginx", "web", 8080);
    let ingress = lab.group("web").ingress;
    let of = |name: &str| {
        let mut found = ingress.iter().filter(|(peer, _)| matches!(peer, Peer::Pods(pods) if pods.name == name));
        found.next().unwrap().1.purposes.iter().cloned().collect::<Vec<_>>()
    };
    assert_eq!(of("prometheus"), [Purpose::Scrape]);
    assert_eq!(of("prometheus-operator"), []);
    assert_eq!(of("ingress-nginx"), [Purpose::IngressController]);
}

#[test]
fn who_dials_a_service_may_be_answered_by_any_of_its_workloads() {
    let mut lab = lab(&["web", "stable", "canary"]);
    for pod in lab.cluster.pods.iter_mut().skip(1) {
        pod.labels.0.insert("role".into(), "api".into());
    }
    lab.service("shop", "api", ServiceKind::ClusterIp, None, (80, 8080));
    lab.cluster.services[0].selector = Some([("role", "api")].into_iter().collect());
    let address = IpAddr::from([10, 96, 0, 7]);
    let via = crate::model::Via { address, port: 80, service: Some("shop/api".into()), disputed: false };
    lab.talk("web", "stable", 8080).via = BTreeSet::from([via]);
    let web = lab.group("web").egress;
    assert_eq!(said(&web), "canary TCP/8080; stable TCP/8080");
    let widened: Vec<usize> = web.values().map(|access| access.widened.len()).collect();
    assert_eq!(widened, [1, 0], "what was not seen is told");
    assert_eq!(said(&lab.group("canary").ingress), "web TCP/8080");
}

#[test]
fn what_two_workloads_do_in_several_hours_is_one_piece_of_evidence_for_each() {
    let mut lab = lab(&["web", "db"]);
    for hour in 0..3 {
        lab.talk_at(hour, "web", "db", 5432);
    }
    lab.talk("web", "db", 5432).outcome = Outcome::Midstream;
    let told = |accesses: &Accesses| -> Vec<(Outcome, u64, usize)> {
        let evidence = accesses.values().flat_map(|access| &access.evidence);
        evidence.map(|it| (it.outcome, it.connections, it.hours.len())).collect()
    };
    let expected = [(Outcome::Established, 3, 3), (Outcome::Midstream, 1, 1)];
    assert_eq!(told(&lab.group("web").egress), expected);
    assert_eq!(told(&lab.group("db").ingress), expected);
}

#[test]
fn a_range_of_ports_leaves_out_what_the_server_declares() {
    let mut lab = lab(&["client", "server"]);
    lab.cluster.pods[1].ports = vec![ContainerPort { name: None, port: 9_050, protocol: TCP }];
    for hour in 0..10 {
        lab.talk_at(hour, "client", "server", 9_000 + u16::try_from(hour).unwrap() * 10);
    }
    let egress = lab.group("client").egress;
    assert_eq!(said(&egress), "server TCP/9000-9049 TCP/9050 TCP/9051-9090");
}

#[test]
fn port_0_is_no_port() {
    let mut lab = lab(&["web", "db"]);
    lab.talk("web", "db", 0);
    assert_eq!(said(&lab.group("web").egress), "");
    assert_eq!(lab.recommend().namespaces[0].left_out.len(), 1);
}

#[test]
fn a_scan_makes_no_rule_however_many_probes_it_has() {
    for probes in [1, 10, 50] {
        let mut lab = lab(&["web", "db", "scanner"]);
        lab.talk("web", "db", 5432);
        let before = lab.yaml();
        for n in 0..probes {
            let dependency = lab.talk("scanner", if n % 2 == 0 { "db" } else { "web" }, 1_000 + n);
            if n % 3 > 0 {
                dependency.outcome = Outcome::Refused;
            }
            dependency.marks = BTreeSet::from([Mark::Scan]);
        }
        assert!(lab.yaml() == before, "{probes} probes");
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(40))]

    #[test]
    fn neither_order_nor_parts_of_dependencies_change_a_byte(
        talks in proptest::collection::vec((0_usize..6, 0_usize..8, 0_u16..3, 0_i32..4), 1..40),
        order in proptest::prelude::any::<u64>(),
        grouping in 0_usize..3,
    ) {
        let pods = ["a1", "a2", "b1", "b2", "prometheus", "unseen-c"];
        let far = ["a1", "a2", "b1", "b2", "prometheus", "unseen-c", "203.0.113.7", "203.0.113.6"];
        let mut lab = lab(&pods);
        let role = |pod: &Pod| (pod.workload.clone(), pod.workload.name[..1].to_owned());
        lab.options.grouping = match grouping {
            0 => Grouping::Workload,
            1 => Grouping::Roles(lab.cluster.pods.iter().map(role).collect()),
            _ => Grouping::Namespace,
        };
        for (client, server, port, hour) in talks {
            if pods[client] != far[server] {
                lab.talk_at(hour, pods[client], far[server], 80 + port);
            }
        }
        let expected = (lab.yaml(), lab.recommend());
        let mut random = order | 1;
        for n in (1..lab.dependencies.len()).rev() {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            lab.dependencies.swap(n, usize::try_from(random >> 33).unwrap() % (n + 1));
        }
        lab.cluster.pods.reverse();
        proptest::prop_assert_eq!((lab.yaml(), lab.recommend()), expected);
    }
}
