//! What pods reach by Services and on their link, and who reaches them by Services: rules that hold where it is used.

use serde_json::{Value, json};

use crate::common::{
    Flowmap,
    case::{Case, cluster},
    cluster::{list, pod, service, with},
    frames::{Frames, connection},
};

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
fn names_that_somebody_unknown_answers_are_the_first_thing_told() {
    let case = Case::new(&cluster(&[service("api", "10.96.0.7"), service("web", "10.96.4.1")]), |capture| {
        capture.ask("10.244.1.5:40000", "10.96.0.10:53");
    });
    let review = case.document("REVIEW.md");
    assert!(review.contains("**Names are asked of somebody unknown:** shop/web (10.96.0.10)"), "{review}");
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
    let mut range = crate::common::cluster::object("networking.k8s.io/v1", "ServiceCIDR", "kubernetes");
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

/// A connection as two nodes see it on its way: with its own ends on the first, and translated on both.
fn on_its_way(near: [&str; 2], far: [&str; 2], number: u32) -> [Frames; 2] {
    let pairs = connection(near[0], near[1], number, number + 7).into_iter();
    let pairs = pairs.zip(connection(far[0], far[1], number, number + 7));
    let is_reply = [false, true, false, false, true, false, true];
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for (((near, far), is_reply), n) in pairs.zip(is_reply).zip(0..) {
        let at = f64::from(n) * 0.01;
        // each router on the way takes a hop
        let [hops_near, hops_far, hops_behind] = if is_reply { [61, 62, 63] } else { [63, 62, 61] };
        let (near, behind) = (near.hops(hops_near), far.clone().hops(hops_behind));
        let far = far.hops(hops_far);
        let on_first = if is_reply { [far, near] } else { [near, far] };
        first.extend(on_first.into_iter().zip([0.0, 0.000_05]).map(|(packet, later)| packet.at(at + later)));
        second.push(behind.at(at + 0.000_2));
    }
    [Frames::ethernet(first), Frames::ethernet(second)]
}

#[test]
fn who_the_server_sees_in_the_place_of_its_client_is_let_in() {
    let on_2 = with(pod("api", "10.244.2.6"), "/spec/nodeName", "node-2".into());
    let mut items = cluster(&[]);
    items[3] = with(on_2, "/status/hostIP", "192.0.2.2".into());
    let mut exposed = service("api", "10.96.0.7");
    exposed["spec"]["type"] = "NodePort".into();
    exposed["spec"]["ports"][0]["nodePort"] = 30_080.into();
    items.push(exposed);
    for (client, dialled, source, likes) in [
        ("203.0.113.5:40000", "192.0.2.1:30080", "10.244.1.0", ["10.244.1.0/32", "10.244.2.0/32"]),
        ("10.244.1.5:40000", "10.96.0.7:80", "192.0.2.1", ["192.0.2.1/32", "192.0.2.2/32"]),
    ] {
        let flowmap = Flowmap::new();
        let captures = on_its_way([client, dialled], [&format!("{source}:50111"), "10.244.2.6:8080"], 5_000);
        flowmap.write("cluster.json", list(&items));
        flowmap.ok(&["inventory", "import", "cluster.json"]);
        for (node, capture) in ["node-1", "node-2"].into_iter().zip(&captures) {
            let name = format!("{node}.pcap");
            flowmap.write(&name, capture.bytes());
            flowmap.ok(&["import", "--sensor", node, &name]);
        }
        let flows = flowmap.json(&["flows"]);
        assert_eq!(flows.as_array().map(Vec::len), Some(1), "{flows}");
        flowmap.ok(&["suggest", "-n", "shop", "--out-dir", "out", "--isolate-unseen"]);
        let policy = std::fs::read_to_string(flowmap.path("out/shop/api.yaml")).unwrap_or_default();
        assert!(likes.iter().all(|range| policy.contains(range)), "{source}: {policy}");
        let answer = flowmap.json(&["explain", source, "shop/api", "8080/tcp", "--policies", "out"]);
        assert_eq!(answer["allowed"], true, "{answer}");
        // a policy for the client's own address is not said to allow it
        let narrow = json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": {"name": "api", "namespace": "shop"},
            "spec": {"podSelector": {"matchLabels": {"app": "api"}}, "ingress": [{"from": [
                {"podSelector": {"matchLabels": {"app": "web"}}}, {"ipBlock": {"cidr": "203.0.113.0/24"}}]}]}});
        flowmap.write("narrow/api.yaml", narrow.to_string());
        let replay: serde_json::Value =
            serde_json::from_str(&flowmap.run(&["simulate", "narrow", "-o", "json"]).stdout).unwrap_or_default();
        assert_eq!((&replay["denied"], &replay["findings"][0]["to"]), (&1.into(), &"shop/api".into()), "{replay}");
        assert!(replay["findings"][0]["reason"].as_str().is_some_and(|why| why.contains(source)), "{replay}");
    }
}

#[test]
fn what_another_node_leads_on_under_its_own_address_is_no_surer_at_the_client() {
    let on_2 = with(pod("api", "10.244.2.6"), "/spec/nodeName", "node-2".into());
    let mut items = cluster(&[]);
    items[3] = with(on_2, "/status/hostIP", "192.0.2.2".into());
    let mut exposed = service("api", "10.96.0.7");
    exposed["spec"]["type"] = "NodePort".into();
    exposed["spec"]["ports"][0]["nodePort"] = 30_080.into();
    items.push(exposed);
    let near = ["10.244.1.5:40000", "192.0.2.2:30080"];
    let captures = on_its_way(near, ["192.0.2.2:50111", "10.244.2.6:8080"], 5_000);
    let flowmap = Flowmap::new();
    flowmap.write("cluster.json", list(&items));
    flowmap.ok(&["inventory", "import", "cluster.json"]);
    for (node, capture) in ["node-1", "node-2"].into_iter().zip(&captures) {
        let name = format!("{node}.pcap");
        flowmap.write(&name, capture.bytes());
        flowmap.ok(&["import", "--sensor", node, &name]);
    }
    let policy = |name: &str, spec: Value| {
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": {"name": name, "namespace": "shop"}, "spec": spec})
    };
    let to_api = json!({"podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": ["Egress"],
        "egress": [{"to": [{"podSelector": {"matchLabels": {"app": "api"}}}]}]});
    let from_node = json!({"podSelector": {"matchLabels": {"app": "api"}},
        "ingress": [{"from": [{"ipBlock": {"cidr": "192.0.2.2/32"}}]}]});
    flowmap.write("by-hand/web.yaml", policy("web", to_api).to_string());
    flowmap.write("by-hand/api.yaml", policy("api", from_node).to_string());
    let replay = flowmap.json(&["simulate", "by-hand"]);
    let told = json!([replay["allowed"], replay["denied"], replay["uncertain"]]);
    assert_eq!(told, json!([0, 0, 1]), "its own address would not be let in, the node's is: {replay}");
}

/// What `evidence.json` has of whom `api` lets in: whether he was seen himself, and in how many connections.
fn let_in(case: &Case) -> Vec<String> {
    let evidence: Value = serde_json::from_str(&case.document("evidence.json")).expect("JSON");
    let rules = evidence["namespaces"]["shop"]["policies"]["api"]["ingress"].as_array().expect("a list").clone();
    let line = |rule: &Value| {
        let connections = &rule["confidence"]["connections"];
        let generalised = rule.get("generalised").is_some_and(|all| all.to_string().contains("not seen itself"));
        format!("{}: {connections} {generalised}", rule["peer"].as_str().expect("a peer"))
    };
    rules.iter().map(line).collect()
}

#[test]
fn nodes_that_may_hand_on_what_comes_to_a_load_balancer_are_told_from_those_that_were_seen_to() {
    let mut exposed = service("api", "10.96.0.7");
    exposed["spec"]["type"] = "LoadBalancer".into();
    exposed["spec"]["loadBalancerSourceRanges"] = json!(["203.0.113.0/24"]);
    let case = Case::new(&cluster(&[exposed]), |capture| {
        capture.talk("192.0.2.2:40000", "10.244.1.6:8080");
    });
    let told = let_in(&case);
    let of_nodes: Vec<&String> = told.iter().filter(|line| line.starts_with("node address")).collect();
    let expected = [
        "node address 10.244.1.0: null true",
        "node address 10.244.2.0: null true",
        "node address 192.0.2.1: null true",
        "node address 192.0.2.2: 1 false",
    ];
    assert_eq!(of_nodes, expected);
    let review = case.document("REVIEW.md");
    let twice = "api from node address 192.0.2.1 on TCP/8080: not seen itself: exposed by LoadBalancer shop/api";
    assert!(review.contains(twice) && !review.contains("node address 192.0.2.2 on TCP/8080: not seen"), "{review}");
}

#[test]
fn of_two_families_that_are_open_to_anyone_each_is_told_what_was_seen_of_it() {
    let mut items = cluster(&[]);
    items[3]["status"]["podIPs"] = json!([{"ip": "10.244.1.6"}, {"ip": "fd00:10:1::6"}]);
    let mut exposed = service("api", "10.96.0.7");
    exposed["spec"]["type"] = "LoadBalancer".into();
    items.push(exposed);
    let case = Case::new(&items, |capture| {
        capture.talk("[2001:db8::7]:40000", "[fd00:10:1::6]:8080");
    });
    assert_eq!(
        let_in(&case),
        ["anyone outside the cluster: null true", "anyone outside the cluster by IPv6: 1 false"],
        "the Service has an address of IPv4 alone"
    );
}

#[test]
fn a_pod_that_reaches_itself_by_its_service_may_reach_another_of_its_workload_too() {
    let services = [service("web", "10.96.4.1"), service("api", "10.96.0.7")];
    let case = Case::new(&cluster(&services), |capture| {
        capture.through("10.244.1.5:40000", "10.96.4.1:80", "10.244.1.5:8080");
        // by its own address it is never another
        capture.talk("10.244.1.6:40000", "10.244.1.6:8080");
    });
    // a second pod of each, as while they are rolled out
    let rolled = cluster(&[pod("web", "10.244.1.8"), pod("api", "10.244.1.9"), services[0].clone()]);
    case.flowmap.write("rolled.json", list(&rolled));
    let is_allowed = |from: &str, to: &str| {
        let args = ["explain", from, to, "8080", "--policies", "out", "--inventory", "rolled.json"];
        let output = case.flowmap.run(&[&args[..], &["-o", "json"]].concat());
        serde_json::from_str::<Value>(&output.stdout).expect("JSON")["allowed"] == true
    };
    assert!(is_allowed("10.244.1.5", "10.244.1.8"), "{}", case.policy("web"));
    assert!(!is_allowed("10.244.1.6", "10.244.1.9"), "{}", case.policy("api"));
    assert!(case.is_whole());
}

/// Addresses behind a Service that selects no pods.
fn behind(name: &str, addresses: &[&str], port: u16) -> Value {
    let mut endpoints = crate::common::cluster::object("v1", "Endpoints", name);
    let addresses: Vec<Value> = addresses.iter().map(|address| json!({"ip": address})).collect();
    endpoints["subsets"] = json!([{"addresses": addresses, "ports": [{"name": "http", "port": port}]}]);
    endpoints
}

#[test]
fn all_addresses_behind_a_service_may_answer_the_next_time() {
    let mut database = service("pg", "10.96.0.12");
    database["spec"].as_object_mut().unwrap().remove("selector");
    let case = Case::new(&cluster(&[database, behind("pg", &["10.70.0.5", "10.70.0.6"], 5433)]), |capture| {
        capture.through("10.244.1.5:40000", "10.96.0.12:80", "10.70.0.5:5433");
        capture.talk("10.244.1.6:40000", "10.70.0.5:5433");
    });
    let web = case.policy("web");
    assert!(web.contains("cidr: 10.70.0.5/32") && web.contains("cidr: 10.70.0.6/32"), "{web}");
    assert!(!case.policy("api").contains("10.70.0.6"), "it dialled the address itself");
    assert!(case.document("REVIEW.md").contains("web to 10.70.0.6 on TCP/5433: in part not seen itself"));
}

#[test]
fn whoever_is_behind_the_port_of_a_node_may_answer_the_next_time() {
    let canary = pod("canary", "10.244.1.7");
    let mut items = cluster(&[with(canary, "/metadata/labels", json!({"role": "api", "app": "canary"}))]);
    items[3]["metadata"]["labels"] = json!({"role": "api", "app": "api"});
    let mut both = with(service("both", "10.96.0.7"), "/spec/selector", json!({"role": "api"}));
    both["spec"]["type"] = "NodePort".into();
    both["spec"]["ports"][0]["nodePort"] = 30_080.into();
    items.push(both);
    let case = Case::new(&items, |capture| {
        capture.through("10.244.1.5:40000", "192.0.2.2:30080", "10.244.1.6:8080");
        capture.talk("10.244.1.7:40000", "198.51.100.1:443");
    });
    for (from, to) in [("shop/web", "shop/canary"), ("192.0.2.2", "shop/canary"), ("shop/web", "shop/api")] {
        let told = case.flowmap.json(&["explain", from, to, "8080", "--policies", "out"]);
        assert_eq!(told["allowed"], true, "{from} to {to}: {told}");
    }
}
