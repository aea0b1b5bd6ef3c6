//! What pods reach by Services and on their link, and who reaches them by Services: rules that hold where it is used.

#![cfg(feature = "cli")]

mod common;

use common::{
    case::{Case, cluster},
    cluster::{pod, service, with},
};
use serde_json::json;

#[test]
fn services_on_the_link_of_a_node_are_reached_by_their_address() {
    let case = Case::new(&cluster(&[]), |capture| {
        capture.talk("10.244.1.5:40000", "169.254.170.23:80").ask("10.244.1.6:40001", "169.254.25.10:53");
        capture.talk("10.244.1.6:40002", "169.254.169.254:80");
    });
    let flows =
        ["shop/api > 169.254.169.254 80/TCP", "shop/api > node-local-dns 53/UDP", "shop/web > 169.254.170.23 80/TCP"];
    assert_eq!(case.flows(), flows);
    assert!(case.policy("web").contains("cidr: 169.254.170.23/32"), "{}", case.policy("web"));
    assert!(case.policy("allow-dns").contains("cidr: 169.254.25.10/32"), "{}", case.policy("allow-dns"));
    assert!(case.is_whole());
    let review = case.document("REVIEW.md");
    assert!(review.contains("Instance metadata is reached"), "whoever reads it may have the node's rights: {review}");
}

#[test]
fn an_address_among_those_of_services_that_is_nobodys_is_unknown() {
    let known =
        [service("api", "10.96.0.7"), with(service("web", "10.96.4.1"), "/spec/selector", json!({"app": "web"}))];
    let case = Case::new(&cluster(&known), |capture| {
        capture.talk("10.244.1.5:40000", "10.96.1.9:80").talk("10.244.1.5:40001", "10.96.8.1:80");
    });
    let kinds = |name: &str| {
        let flows = case.flowmap.json(&["flows"]);
        let found = flows.as_array().and_then(|all| all.iter().find(|flow| flow["server"]["name"] == name));
        found.map(|flow| flow["server"]["kind"].clone())
    };
    assert_eq!(kinds("10.96.1.9"), Some("unknown".into()), "between two that are known");
    assert_eq!(kinds("10.96.8.1"), Some("external".into()), "beyond them nothing is known");
    let policies = case.all_policies();
    assert!(!policies.contains("10.96.1.9") && policies.contains("10.96.8.1/32"), "{policies}");
    assert!(case.document("REVIEW.md").contains("nobody known owned 10.96.1.9 then"));

    // a cluster that lists its ranges tells of all
    let mut range = common::cluster::object("networking.k8s.io/v1", "ServiceCIDR", "kubernetes");
    range["spec"] = json!({"cidrs": ["10.96.0.0/12"]});
    case.flowmap.write("range.json", range.to_string());
    case.flowmap.ok(&["inventory", "import", "range.json"]);
    assert_eq!(kinds("10.96.8.1"), Some("unknown".into()));
}

#[test]
fn a_load_balancer_that_lets_in_a_range_opens_its_pods_to_that_alone() {
    let mut exposed = service("api", "10.96.0.7");
    exposed["spec"]["type"] = "LoadBalancer".into();
    exposed["spec"]["externalTrafficPolicy"] = "Local".into();
    exposed["spec"]["loadBalancerSourceRanges"] = json!(["203.0.113.0/24"]);
    let case = Case::new(&cluster(&[exposed.clone()]), |capture| {
        capture.talk("203.0.113.9:40000", "10.244.1.6:8080");
    });
    let policy = case.policy("api");
    assert!(policy.contains("cidr: 203.0.113.0/24") && !policy.contains("0.0.0.0/0"), "{policy}");
    assert!(!policy.contains("192.0.2."), "{policy}");
    assert!(case.is_whole());

    // nodes that hand on what comes to them do so under their own addresses
    exposed["spec"]["externalTrafficPolicy"] = "Cluster".into();
    let case = Case::new(&cluster(&[exposed]), |capture| {
        capture.talk("203.0.113.9:40000", "10.244.1.6:8080");
    });
    let policy = case.policy("api");
    assert!(policy.contains("cidr: 192.0.2.2/32") && !policy.contains("0.0.0.0/0"), "{policy}");
}

#[test]
fn the_port_of_another_node_is_dialled_at_the_node() {
    let mut exposed = service("api", "10.96.0.7");
    exposed["spec"]["type"] = "NodePort".into();
    exposed["spec"]["ports"][0]["nodePort"] = 30_080.into();
    let case = Case::new(&cluster(&[exposed, pod("idle", "10.244.1.9")]), |capture| {
        capture.talk("10.244.1.5:40000", "192.0.2.2:30080");
    });
    assert_eq!(case.flows(), ["shop/web > shop/api 8080/TCP"]);
    let web = case.policy("web");
    assert!(web.contains("cidr: 192.0.2.2/32") && web.contains("port: 30080") && web.contains("port: 8080"), "{web}");
    let api = case.policy("api");
    assert!(api.contains("cidr: 192.0.2.2/32") && !api.contains("0.0.0.0/0"), "{api}");
    assert!(case.is_whole());
    let before = case.flowmap.json(&["simulate", "out", "--dnat", "before"]);
    assert_eq!(before["denied"], 0, "{before}");
}
