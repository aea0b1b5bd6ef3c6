use super::*;

fn directory(items: &[Value]) -> Directory {
    Directory::new(&cluster(items))
}

fn started(pod: Value, time: &str) -> Value {
    with(pod, "/status/startTime", format!("2026-09-21T{time}Z").into())
}

fn unknown_start(pod: Value) -> Value {
    with(pod, "/status/startTime", Value::Null)
}

#[test]
fn addresses_of_many_are_multicast() {
    let directory = directory(&[]);
    for address in ["224.0.0.1", "239.255.255.250", "255.255.255.255", "ff02::1"] {
        assert_eq!(who(&directory, address, "10:00:00"), "Multicast", "{address}");
    }
}

#[test]
fn a_pod_owns_its_address_from_its_start() {
    let directory = directory(&[mk_pod("web-1", "10.244.1.5")]);
    assert_eq!(who(&directory, "10.244.1.5", "09:59:59"), "Unknown");
    assert_eq!(who(&directory, "10.244.1.5", "10:00:00"), "Pod shop/web-1");
    assert_eq!(who(&directory, "::ffff:10.244.1.5", "10:00:00"), "Pod shop/web-1");
    assert_eq!(who(&directory, "10.244.1.6", "10:00:00"), "External");
}

#[test]
fn a_pod_whose_start_is_unknown_owned_its_address_always() {
    let directory = directory(&[unknown_start(mk_pod("web-1", "10.244.1.5"))]);
    assert_eq!(who(&directory, "10.244.1.5", "00:00:00"), "Pod shop/web-1");
}

#[test]
fn a_finished_pod_owns_nothing_but_was_never_outside() {
    let directory = directory(&[with(mk_pod("job-1", "10.244.1.5"), "/status/phase", "Succeeded".into())]);
    assert_eq!(who(&directory, "10.244.1.5", "10:30:00"), "Unknown");
}

#[test]
fn a_finished_pod_leaves_its_address_to_the_next() {
    let ended = with(mk_pod("job-1", "10.244.1.5"), "/status/phase", "Failed".into());
    let directory = directory(&[ended, started(mk_pod("web-1", "10.244.1.5"), "11:00:00")]);
    assert_eq!(who(&directory, "10.244.1.5", "10:30:00"), "Unknown");
    assert_eq!(who(&directory, "10.244.1.5", "11:00:00"), "Pod shop/web-1");
}

#[test]
fn two_workloads_listed_at_one_address_are_unknown_while_both_run() {
    let late = started(mk_pod("b-late", "10.244.1.5"), "11:00:00");
    let directory = directory(&[late, mk_pod("early", "10.244.1.5")]);
    assert_eq!(who(&directory, "10.244.1.5", "09:00:00"), "Unknown");
    assert_eq!(who(&directory, "10.244.1.5", "10:59:59"), "Pod shop/early");
    assert_eq!(who(&directory, "10.244.1.5", "11:00:00"), "Unknown");
    let conflicts: Vec<String> = directory.conflicts().iter().map(ToString::to_string).collect();
    assert_eq!(
        conflicts,
        ["10.244.1.5: Pod shop/b-late and Pod shop/early had it at one time, from 2026-09-21T11:00:00Z until now"]
    );
}

#[test]
fn of_two_pods_that_nobody_dates_neither_is_the_owner() {
    let pods = [unknown_start(mk_pod("a", "10.244.1.5")), unknown_start(mk_pod("b", "10.244.1.5"))];
    assert_eq!(who(&directory(&pods), "10.244.1.5", "10:30:00"), "Unknown");
    assert_eq!(directory(&pods).conflicts().len(), 1);
}

#[test]
fn two_pods_of_one_workload_are_no_question() {
    let pods = ["a", "b"].map(|name| owned(mk_pod(name, "10.244.1.5"), "StatefulSet", "db"));
    assert!(who(&directory(&pods), "10.244.1.5", "10:30:00").starts_with("Pod shop/"));
}

#[test]
fn the_address_of_host_network_pods_is_their_nodes() {
    let pod = with(mk_pod("proxy", "192.0.2.1"), "/spec/hostNetwork", true.into());
    let listed = directory(&[pod.clone(), mk_node("node-1", "192.0.2.1", "10.244.1.0/24")]);
    assert_eq!(who(&listed, "192.0.2.1", "10:30:00"), "Node node-1");
    assert_eq!(who(&directory(&[pod]), "192.0.2.1", "10:30:00"), "Node node-1");
}

#[test]
fn services_own_their_addresses_and_pods_and_nodes_go_before() {
    let service =
        with(mk_service("web", "10.96.0.7"), "/spec/externalIPs", json!(["198.51.100.7", "192.0.2.1", "10.244.1.5"]));
    let node = mk_node("node-1", "192.0.2.1", "10.244.1.0/24");
    let directory = directory(&[service, node, mk_pod("web-1", "10.244.1.5")]);
    assert_eq!(who(&directory, "10.96.0.7", "10:30:00"), "Service shop/web");
    // a Service at its ports alone
    assert_eq!(who(&directory, "198.51.100.7", "10:30:00"), "External");
    assert_eq!(who(&directory, "192.0.2.1", "10:30:00"), "Node node-1");
    assert_eq!(who(&directory, "10.244.1.5", "10:30:00"), "Pod shop/web-1");
}

#[test]
fn endpoints_do_not_make_an_address_somebody_elses() {
    let mut endpoints = mk_object("v1", "Endpoints", "kubernetes");
    endpoints["subsets"] =
        json!([{"addresses": [{"ip": "192.0.2.1"}, {"ip": "198.51.100.9"}], "ports": [{"port": 6443}]}]);
    let service = with(mk_service("kubernetes", "10.96.0.1"), "/spec/selector", Value::Null);
    let directory = directory(&[service, endpoints, mk_node("node-1", "192.0.2.1", "10.244.1.0/24")]);
    assert_eq!(who(&directory, "192.0.2.1", "10:30:00"), "Node node-1");
    assert_eq!(who(&directory, "198.51.100.9", "10:30:00"), "External");
}

#[test]
fn inside_the_listed_ranges_nobody_is_outside() {
    let directory = directory(&[
        mk_node("node-1", "192.0.2.1", "10.244.0.0/24"),
        mk_node("node-2", "192.0.2.2", "10.244.1.0/24"),
        mk_node("node-9", "192.0.2.9", "10.244.9.0/24"),
    ]);
    for address in ["10.244.0.7", "10.244.1.255", "10.244.9.2", "127.0.0.1", "::1", "0.0.0.0", "::"] {
        assert_eq!(who(&directory, address, "10:30:00"), "Unknown", "{address}");
    }
    // what network plugins give to the node itself
    for (address, node) in [("10.244.0.0", "node-1"), ("10.244.1.0", "node-2"), ("10.244.9.1", "node-9")] {
        assert_eq!(who(&directory, address, "10:30:00"), format!("Node {node}"), "{address}");
    }
    for address in ["169.254.1.1", "169.254.170.23", "fe80::1"] {
        assert_eq!(who(&directory, address, "10:30:00"), "OnLink", "{address}");
    }
    for address in ["10.244.2.1", "10.244.8.255", "10.245.0.0", "198.51.100.1", "2001:db8::1"] {
        assert_eq!(who(&directory, address, "10:30:00"), "External", "{address}");
    }
}

#[test]
fn the_narrowest_range_of_the_hosts_file_counts() {
    let hosts =
        "address,name\n10.0.0.0/8,corp\n10.1.0.0/16,lab\n10.1.0.7,printer\n2001:db8::/32,v6\n10.244.1.1,gateway\n";
    let hosts = read("hosts.csv", hosts.as_bytes()).unwrap().cluster;
    let nodes = cluster(&[mk_node("node-1", "10.1.0.1", "10.244.1.0/24")]);
    let directory = Directory::new(&crate::inventory::merge([hosts, nodes]));
    let expected = [
        ("10.9.9.9", "Host corp"),
        ("10.1.2.3", "Host lab"),
        ("10.1.0.7", "Host printer"),
        ("2001:db8::7", "Host v6"),
        ("2001:db9::7", "External"),
        ("10.1.0.1", "Node node-1"),
        // the wide range does not know the cluster's pods; the entry within the pod range knows better
        ("10.244.1.9", "Unknown"),
        ("10.244.1.1", "Host gateway"),
    ];
    for (address, owner) in expected {
        assert_eq!(who(&directory, address, "10:30:00"), owner, "{address}");
    }
}

#[test]
fn pod_ranges_are_what_the_nodes_list_and_else_what_is_around_the_pods() {
    let ranges = |items: &[Value]| directory(items).pod_ranges().iter().map(ToString::to_string).collect::<Vec<_>>();
    let nodes = [mk_node("n0", "192.0.2.1", "10.244.0.0/24"), mk_node("n1", "192.0.2.2", "10.244.1.0/24")];
    assert_eq!(ranges(&nodes), ["10.244.0.0/23"]);
    assert_eq!(ranges(&[mk_pod("a", "10.244.1.5"), mk_pod("b", "fd00:10:1::5")]), ["10.244.1.0/24", "fd00:10:1::/64"]);
    assert_eq!(
        ranges(&[nodes[0].clone(), mk_pod("a", "10.244.0.5"), mk_pod("b", "10.9.0.5")]),
        ["10.9.0.0/24", "10.244.0.0/24"]
    );
    assert!(ranges(&[mk_pod("proxy", "192.0.2.1")]).is_empty());
}

#[test]
fn an_owner_is_of_a_kind_of_party() {
    let directory = directory(&[mk_pod("web-1", "10.244.1.5")]);
    assert_eq!(directory.who(ip("10.244.1.5"), at("10:30:00")).kind().as_str(), "workload");
    assert_eq!(directory.who(ip("192.0.2.1"), at("10:30:00")).kind().as_str(), "node");
    assert_eq!(directory.who(ip("198.51.100.1"), at("10:30:00")).kind().as_str(), "external");
}

#[test]
fn an_empty_directory_knows_nobody() {
    assert_eq!(who(&Directory::default(), "10.0.0.1", "10:30:00"), "External");
    assert!(Directory::default().pod_ranges().is_empty());
}
