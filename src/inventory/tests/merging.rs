use super::*;
use crate::inventory::merge;

fn merged(parts: &[Cluster]) -> Cluster {
    let forth = merge(parts.iter().cloned());
    assert_eq!(merge(parts.iter().rev().cloned()), forth);
    assert_eq!(merge([forth.clone(), forth.clone()]), forth);
    forth
}

#[test]
fn nothing_merges_to_nothing() {
    assert_eq!(merge([]), Cluster::default());
}

#[test]
fn a_pod_of_two_snapshots_is_one_and_its_end_is_the_later_news() {
    let pod = mk_pod("job-1", "10.244.1.5");
    let ended = with(with(pod.clone(), "/status/phase", "Succeeded".into()), "/status/podIPs", json!([]));
    let ended = with(ended, "/status/podIP", Value::Null);
    let whole = merged(&[cluster(&[pod]), cluster(&[ended])]);
    assert_eq!(whole.pods.len(), 1);
    assert!(whole.pods[0].finished);
}

#[test]
fn the_snapshot_that_knows_more_addresses_counts() {
    let one = mk_pod("web-1", "10.244.1.5");
    let both = with(one.clone(), "/status/podIPs", json!([{"ip": "10.244.1.5"}, {"ip": "fd00:10::5"}]));
    let whole = merged(&[cluster(&[one]), cluster(&[both])]);
    assert_eq!(whole.pods.len(), 1);
    assert_eq!(whole.pods[0].addresses.len(), 2);
}

#[test]
fn a_name_given_again_is_another_pod() {
    let again = with(mk_pod("db-0", "10.244.1.9"), "/status/startTime", "2026-09-21T11:00:00Z".into());
    assert_eq!(merged(&[cluster(&[mk_pod("db-0", "10.244.1.5")]), cluster(&[again])]).pods.len(), 2);
}

#[test]
fn a_pod_seen_before_it_had_an_address_is_not_another() {
    let pending = with(mk_pod("web-1", ""), "/status", json!({"phase": "Pending"}));
    let pending = with(pending, "/metadata/creationTimestamp", "2026-09-21T09:59:58Z".into());
    let whole = merged(&[cluster(&[pending]), cluster(&[mk_pod("web-1", "10.244.1.5")])]);
    assert_eq!(whole.pods.len(), 1);
    assert_eq!(whole.pods[0].addresses, [ip("10.244.1.5")]);
}

#[test]
fn a_service_keeps_all_addresses_it_had() {
    let manifest = with(with(mk_service("web", ""), "/spec/clusterIPs", Value::Null), "/spec/clusterIP", Value::Null);
    let parts = [mk_service("web", "10.96.0.7"), mk_service("web", "10.96.0.8"), manifest].map(|one| cluster(&[one]));
    let whole = merged(&parts);
    assert_eq!(whole.services.len(), 1);
    assert_eq!(whole.services[0].cluster_ips, [ip("10.96.0.7"), ip("10.96.0.8")]);
}

#[test]
fn nodes_namespaces_and_hosts_are_joined_by_name_and_range() {
    let labelled = with(mk_object("v1", "Namespace", "shop"), "/metadata/labels", json!({"team": "a"}));
    let hosts = |text: &str| read("hosts.csv", text.as_bytes()).unwrap().cluster;
    let whole = merged(&[
        cluster(&[mk_node("node-1", "192.0.2.1", "10.244.1.0/24"), mk_object("v1", "Namespace", "shop")]),
        cluster(&[mk_node("node-1", "192.0.2.8", "10.244.1.0/24"), labelled]),
        hosts("address\n10.0.0.5\n"),
        hosts("address,name\n10.0.0.5,db\n"),
    ]);
    assert_eq!(whole.nodes.len(), 1);
    assert_eq!(whole.nodes[0].addresses, [ip("192.0.2.1"), ip("192.0.2.8")]);
    assert_eq!((whole.namespaces.len(), whole.namespaces[0].labels.get("team")), (1, Some("a")));
    assert_eq!((whole.hosts.len(), whole.hosts[0].name.as_deref()), (1, Some("db")));
}

#[test]
fn a_policy_read_from_two_places_is_one() {
    let policy = mk_object("networking.k8s.io/v1", "NetworkPolicy", "deny");
    let changed = with(policy.clone(), "/spec", json!({"podSelector": {}}));
    let from = |source: &str, policy: &Value| read(source, &mk_list(std::slice::from_ref(policy))).unwrap().cluster;
    let whole = merged(&[from("b", &policy), from("a", &policy), from("c", &changed)]);
    let sources: Vec<&str> = whole.policies.iter().map(|policy| policy.source.as_str()).collect();
    assert_eq!(sources, ["a", "c"]);
}
