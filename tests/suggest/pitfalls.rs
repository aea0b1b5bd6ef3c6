//! What other recommenders got wrong, one test each, by its number in the study that this project grew from.

use serde_json::{Value, json};

use crate::common::{
    Flowmap,
    case::{Case, cluster},
    cluster::{endpoints, list, node, object, of, owned, pod, service, with},
    packets::Capture,
};

/// A pod of the host network of node-2.
fn on_host(app: &str) -> Value {
    let pod = with(pod(app, "192.0.2.2"), "/spec/hostNetwork", true.into());
    with(with(pod, "/status/hostIP", "192.0.2.2".into()), "/spec/nodeName", "node-2".into())
}

/// The API server's Service, without a selector, in front of a control plane node.
fn api_server() -> Vec<Value> {
    let mut service = service("kubernetes", "10.96.0.1");
    service["spec"].as_object_mut().unwrap().remove("selector");
    service["spec"]["ports"] = json!([{"name": "https", "port": 443, "targetPort": 6443}]);
    let mut endpoints = endpoints("kubernetes", "192.0.2.100", 6443);
    endpoints["subsets"][0]["ports"][0]["name"] = "https".into();
    vec![of("default", service), of("default", endpoints), node("cp-1", "192.0.2.100", "10.244.0.0/24")]
}

/// DNS pods and their Service.
fn dns(namespace: &str, labels: &Value, name: &str, target: u16) -> Vec<Value> {
    let pod = with(pod("coredns", "10.244.1.53"), "/metadata/labels", labels.clone());
    let pod = with(pod, "/spec/containers/0/ports", json!([{"containerPort": target, "protocol": "UDP"}]));
    let mut service = with(service(name, "10.96.0.10"), "/spec/selector", labels.clone());
    service["spec"]["ports"] = json!([{"name": "dns", "port": 53, "targetPort": target, "protocol": "UDP"},
                                      {"name": "dns-tcp", "port": 53, "targetPort": target, "protocol": "TCP"}]);
    vec![of(namespace, pod), of(namespace, service)]
}

#[test]
fn pitfall_01_a_service_port_is_not_the_pods_port() {
    // on the client's own interface the Service's address alone is seen
    let case = Case::new(&cluster(&[service("api", "10.96.0.7")]), |capture| {
        capture.talk("10.244.1.5:40000", "10.96.0.7:80");
    });
    assert_eq!(case.flows(), ["shop/web > shop/api 8080/TCP"]);
    assert!(case.policy("api").contains("port: 8080") && case.policy("web").contains("port: 8080"));
    assert!(!case.all_policies().contains("port: 80\n"));
}

#[test]
fn pitfall_02_it_is_said_that_ports_are_those_after_translation() {
    let case = Case::new(&cluster(&[service("api", "10.96.0.7")]), |capture| {
        capture.through("10.244.1.5:40000", "10.96.0.7:80", "10.244.1.6:8080");
    });
    assert_eq!(case.flows(), ["shop/web > shop/api 8080/TCP"]);
    assert!(case.document("REVIEW.md").contains("Ports are those of the pods, behind Services"));
}

#[test]
fn pitfall_03_pods_are_selected_by_the_services_selector_not_by_its_labels() {
    let mut items = dns("kube-system", &json!({"k8s-app": "dns-pods"}), "kube-dns", 53);
    items[1]["metadata"]["labels"] = json!({"k8s-app": "kube-dns-service"});
    let case = Case::new(&cluster(&items), |capture| {
        capture.ask("10.244.1.5:40000", "10.96.0.10:53");
    });
    let policy = case.policy("allow-dns");
    assert!(policy.contains("k8s-app: dns-pods") && !policy.contains("kube-dns-service"), "{policy}");
}

#[test]
fn pitfall_04_behind_a_service_without_a_selector_stand_its_endpoints() {
    let mut legacy = service("legacy", "10.96.0.8");
    legacy["spec"].as_object_mut().unwrap().remove("selector");
    let mut name = service("elsewhere", "");
    name["spec"] = json!({"type": "ExternalName", "externalName": "db.example.com"});
    let items = [api_server(), vec![legacy, endpoints("legacy", "203.0.113.9", 5432), name]].concat();
    let case = Case::new(&cluster(&items), |capture| {
        capture.talk("10.244.1.5:40000", "10.96.0.1:443").talk("10.244.1.5:40001", "10.96.0.8:80");
    });
    let policy = case.policy("web");
    for block in ["cidr: 192.0.2.100/32", "port: 6443", "cidr: 203.0.113.9/32", "port: 5432"] {
        assert!(policy.contains(block), "{policy}");
    }
    assert!(!policy.contains("podSelector: {}\n    ports") && !policy.contains("10.96.0."), "{policy}");
    assert!(case.is_whole());
}

#[test]
fn pitfall_05_pods_of_the_host_network_are_known_by_their_nodes_address() {
    let case = Case::new(&cluster(&[on_host("exporter")]), |capture| {
        capture.talk("10.244.1.5:40000", "192.0.2.2:9100").talk("192.0.2.2:40000", "10.244.1.6:8080");
    });
    assert_eq!(case.flows(), ["node-2 > shop/api 8080/TCP", "shop/web > node-2 9100/TCP"]);
    assert!(case.policy("web").contains("cidr: 192.0.2.2/32"), "{}", case.policy("web"));
    assert!(!case.flowmap.path("out/shop/exporter.yaml").exists());
    assert!(!case.all_policies().contains("app: exporter"));
    assert!(case.is_whole());
}

#[test]
fn pitfall_06_probes_of_a_pods_own_node_make_no_rule() {
    let case = Case::new(&cluster(&[]), |capture| {
        capture.talk("192.0.2.1:40000", "10.244.1.6:8080").talk("10.244.1.5:40000", "10.244.1.6:8080");
    });
    assert!(!case.policy("api").contains("ipBlock:\n        cidr: 192.0.2.1"), "{}", case.policy("api"));
    assert!(!case.all_policies().contains("192.0.2.1/32"));
    assert!(case.document("REVIEW.md").contains("with its own node: always allowed"));
    assert!(case.is_whole());
}

#[test]
fn pitfall_07_the_api_server_is_an_address_and_cilium_is_told_what_that_means() {
    let agent = of("kube-system", owned(on_host("cilium"), "DaemonSet", "cilium"));
    let case = Case::new(&cluster(&[api_server(), vec![agent]].concat()), |capture| {
        capture.through("10.244.1.5:40000", "10.96.0.1:443", "192.0.2.100:6443");
    });
    let policy = case.policy("web");
    assert!(policy.contains("cidr: 192.0.2.100/32") && policy.contains("port: 6443"), "{policy}");
    assert!(!policy.contains("10.96.0.1"), "{policy}");
    let review = case.document("REVIEW.md");
    assert!(review.contains("Cilium") && review.contains("policyCIDRMatchMode"), "{review}");
}

#[test]
fn pitfall_08_the_api_server_may_call_a_webhook() {
    let case = Case::new(&cluster(&api_server()), |capture| {
        capture.behind(1).talk("192.0.2.100:40000", "10.244.1.6:8443").behind(0);
    });
    let policy = case.policy("api");
    assert!(policy.contains("cidr: 192.0.2.100/32") && policy.contains("port: 8443"), "{policy}");
    assert!(case.is_whole());
}

#[test]
fn pitfall_12_an_address_belongs_to_whoever_had_it_then() {
    let started = |pod: Value, time: &str| {
        let pod = with(pod, "/metadata/creationTimestamp", time.into());
        with(with(pod, "/status/startTime", time.into()), "/metadata/uid", format!("uid-{time}").into())
    };
    let at = "10.244.1.9";
    let mut heir = cluster(&[started(pod("heir", at), "2026-11-24T12:00:00Z")]);
    // the job's pod is still listed, with the address that it had; the node tells when the list was taken
    let job = with(started(pod("job", "10.244.1.8"), "2026-11-24T09:00:00Z"), "/status/phase", "Succeeded".into());
    let ended = json!([{"state": {"terminated": {"finishedAt": "2026-11-24T09:30:00Z"}}}]);
    heir.push(with(job, "/status/containerStatuses", ended));
    heir.push(started(pod("next", "10.244.1.8"), "2026-11-24T10:00:00Z"));
    let before = cluster(&[started(pod("before", at), "2026-11-24T08:00:00Z"), of("other", pod("x", "10.244.1.99"))]);
    let mut before = before;
    before[0]["status"]["conditions"] = json!([{"lastHeartbeatTime": "2026-11-24T10:00:00Z"}]);
    let mut capture = Capture::new();
    for (time, address) in [
        ("07:00", at),
        ("09:00", at),
        ("11:00", at),
        ("12:30", at),
        ("09:10", "10.244.1.8"),
        ("09:45", "10.244.1.8"),
        ("10:10", "10.244.1.8"),
    ] {
        let port = time.replace(':', "").parse::<u16>().unwrap() + 40_000;
        capture.at(&format!("2026-11-24T{time}:00Z")).talk(&format!("{address}:{port}"), "10.244.1.6:8080");
    }
    let expected = [
        "10.244.1.8 > shop/api 8080/TCP x1",
        "10.244.1.9 > shop/api 8080/TCP x2",
        "shop/before > shop/api 8080/TCP x1",
        "shop/heir > shop/api 8080/TCP x1",
        "shop/job > shop/api 8080/TCP x1",
        "shop/next > shop/api 8080/TCP x1",
    ];
    // in whichever order they come
    let imports: [&[&str]; 3] =
        [&["import", "x.pcap"], &["inventory", "import", "before.json"], &["inventory", "import", "heir.json"]];
    for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2], [2, 0, 1]] {
        let flowmap = Flowmap::new();
        flowmap.write("x.pcap", capture.bytes());
        flowmap.write("before.json", list(&before));
        flowmap.write("heir.json", list(&heir));
        for n in order {
            flowmap.ok(imports[n]);
        }
        let flows = flowmap.json(&["flows"]);
        let line = |flow: &Value| {
            let client = flow["client"]["name"].as_str().unwrap();
            format!(
                "{client} > {} {}/TCP x{}",
                flow["server"]["name"].as_str().unwrap(),
                flow["port"],
                flow["connections"]
            )
        };
        let mut lines: Vec<String> = flows.as_array().unwrap().iter().map(line).collect();
        lines.sort();
        assert_eq!(lines, expected);
        let then = flowmap.json(&["inventory", "list", "--at", "2026-11-24T09:00:00Z", "-n", "shop"]);
        let names: Vec<&str> = then.as_array().unwrap().iter().map(|pod| pod["workload"].as_str().unwrap()).collect();
        assert_eq!(names, ["api", "before", "job", "web"].map(|name| format!("Deployment shop/{name}")));
    }
}

#[test]
fn pitfall_12_two_owners_at_one_time_are_unknown_and_reported() {
    let case = Case::new(&cluster(&[pod("a", "10.244.1.9"), pod("b", "10.244.1.9")]), |capture| {
        capture.talk("10.244.1.9:40000", "10.244.1.6:8080");
    });
    assert_eq!(case.flows(), ["10.244.1.9 > shop/api 8080/TCP"]);
    let conflict = &case.flowmap.json(&["status"])["conflicts"][0];
    assert_eq!(conflict["address"], "10.244.1.9");
    assert_eq!(conflict["owners"], json!(["Pod shop/a-5d78c9869d-x1024419", "Pod shop/b-5d78c9869d-x1024419"]));
    let said = case.flowmap.ok(&["inventory", "list"]).stderr;
    assert!(said.contains("10.244.1.9: ") && said.contains("whose it was then is unknown"), "{said}");
    assert!(case.document("REVIEW.md").contains("nobody known owned 10.244.1.9 then"));
}

#[test]
fn pitfall_13_labels_of_one_job_do_not_select_the_next() {
    let run = |minute: &str, address: &str, phase: &str| {
        let name = format!("backup-{minute}");
        let labels = json!({"app": "backup", "batch.kubernetes.io/controller-uid": minute, "batch.kubernetes.io/job-name": name,
                            "controller-uid": minute, "job-name": name});
        let pod = with(pod("backup", address), "/metadata/labels", labels);
        let pod = with(owned(pod, "Job", &name), "/metadata/name", format!("{name}-x").into());
        let ended = json!([{"state": {"terminated": {"finishedAt": "2026-11-24T23:00:00Z"}}}]);
        with(with(pod, "/status/phase", phase.into()), "/status/containerStatuses", ended)
    };
    // both are over: what the next will be like is known all the same
    let items = cluster(&[run("29400000", "10.244.1.20", "Succeeded"), run("29401440", "10.244.1.21", "Succeeded")]);
    let case = Case::new(&items, |capture| {
        capture.talk("10.244.1.20:40000", "10.244.1.6:8080").talk("10.244.1.21:40000", "10.244.1.6:8080");
    });
    assert_eq!(case.flows(), ["shop/backup > shop/api 8080/TCP"]);
    let flows = case.flowmap.json(&["flows"]);
    let of_job = flows.as_array().unwrap().iter().find(|flow| flow["client"]["name"] == "shop/backup").unwrap();
    assert_eq!((&of_job["client"]["owner"], &of_job["connections"]), (&"CronJob".into(), &2.into()));
    assert!(case.policy("backup").contains("matchLabels:\n      app: backup"), "{}", case.policy("backup"));
    assert!(!case.all_policies().contains("uid") && !case.all_policies().contains("job-name"));
    assert!(case.is_whole());
}

#[test]
fn pitfall_14_labels_of_a_revision_or_a_place_select_nothing() {
    let labels = json!({"app": "web", "pod-template-hash": "5d78c9869d", "topology.kubernetes.io/zone": "a", "helm.sh/chart": "web-1.2.3",
                        "app.kubernetes.io/version": "1.2.3", "controller-revision-hash": "77d9", "apps.kubernetes.io/pod-index": "0",
                        "rollouts-pod-template-hash": "5d78c9869d"});
    let mut items = cluster(&[]);
    items[2] = with(items[2].clone(), "/metadata/labels", labels);
    let case = Case::new(&items, |capture| {
        capture.talk("10.244.1.5:40000", "10.244.1.6:8080");
    });
    assert!(case.policy("web").contains("matchLabels:\n      app: web\n"), "{}", case.policy("web"));
    for volatile in ["hash", "zone", "chart", "1.2.3", "pod-index"] {
        assert!(!case.all_policies().contains(volatile), "{volatile}");
    }
}

#[test]
fn pitfall_15_a_namespace_is_selected_by_the_label_that_every_one_has() {
    let mut namespace = object("v1", "Namespace", "backend");
    namespace["metadata"].as_object_mut().unwrap().remove("namespace");
    let case = Case::new(&cluster(&[of("backend", pod("db", "10.244.2.5")), namespace]), |capture| {
        capture.talk("10.244.1.5:40000", "10.244.2.5:5432");
    });
    let policy = case.policy("web");
    assert!(policy.contains("kubernetes.io/metadata.name: backend") && !policy.contains(" name: backend"), "{policy}");
}

#[test]
fn pitfall_16_node_local_dns_is_no_stranger() {
    let items = dns("kube-system", &json!({"k8s-app": "kube-dns"}), "kube-dns", 53);
    let case = Case::new(&cluster(&items), |capture| {
        capture.ask("10.244.1.5:40000", "169.254.20.10:53");
    });
    assert_eq!(case.flows(), ["shop/web > node-local-dns 53/UDP"]);
    let policy = case.policy("allow-dns");
    assert!(policy.contains("cidr: 169.254.20.10/32") && policy.contains("protocol: TCP\n"), "{policy}");
    assert!(case.is_whole());
}

#[test]
fn pitfall_17_dns_may_listen_on_another_port_in_another_namespace() {
    let labels = json!({"dns.operator.openshift.io/daemonset-dns": "default"});
    let items = dns("openshift-dns", &labels, "dns-default", 5353);
    let case = Case::new(&cluster(&items), |capture| {
        capture.ask("10.244.1.5:40000", "10.96.0.10:53");
    });
    assert_eq!(case.flows(), ["shop/web > openshift-dns/coredns 5353/UDP"]);
    let policy = case.policy("allow-dns");
    for words in ["kubernetes.io/metadata.name: openshift-dns", "dns.operator.openshift.io/daemonset-dns: default"] {
        assert!(policy.contains(words), "{policy}");
    }
    assert_eq!(policy.matches("port: 5353").count(), 2, "{policy}");
    assert!(
        policy.contains("protocol: TCP") && policy.contains("protocol: UDP") && !policy.contains("port: 53\n"),
        "{policy}"
    );
}

#[test]
fn pitfall_18_a_node_that_translates_for_clients_outside_is_not_the_client() {
    let mut exposed = service("api", "10.96.0.7");
    exposed["spec"]["type"] = "NodePort".into();
    exposed["spec"]["ports"][0]["nodePort"] = 30_080.into();
    let case = Case::new(&cluster(&[exposed]), |capture| {
        capture.behind(1).talk("192.0.2.2:40000", "10.244.1.6:8080").behind(0);
    });
    let policy = case.policy("api");
    assert!(policy.contains("cidr: 0.0.0.0/0") && policy.contains("- 10.244.1.0/24"), "{policy}");
    assert!(!policy.contains("192.0.2.2/32"), "{policy}");
}

#[test]
fn pitfall_22_peers_of_a_headless_service_are_selected_as_pods() {
    let member = |name: &str, address: &str| {
        let labels = json!({"app": "db", "statefulset.kubernetes.io/pod-name": name, "apps.kubernetes.io/pod-index": &name[3..]});
        let pod = with(pod("db", address), "/metadata/labels", labels);
        with(owned(pod, "StatefulSet", "db"), "/metadata/name", name.into())
    };
    let mut headless = service("db", "None");
    headless["spec"]["clusterIPs"] = json!(["None"]);
    let items = cluster(&[member("db-0", "10.244.1.30"), member("db-1", "10.244.2.30"), headless]);
    let case = Case::new(&items, |capture| {
        capture.talk("10.244.1.5:40000", "10.244.1.30:5432").talk("10.244.1.30:40000", "10.244.2.30:5432");
    });
    assert_eq!(case.flows(), ["shop/db > shop/db 5432/TCP", "shop/web > shop/db 5432/TCP"]);
    let policy = case.policy("web");
    assert!(policy.contains("app: db") && !policy.contains("pod-name") && !policy.contains("10.244.1.30"), "{policy}");
    assert!(case.is_whole());
}

#[test]
fn pitfall_23_ipv6_hosts_are_single_and_families_do_not_mix() {
    let both = |pod: Value, addresses: Value| with(pod, "/status/podIPs", addresses);
    let mut items = cluster(&[]);
    items[0]["spec"]["podCIDRs"] = json!(["10.244.1.0/24", "fd00:10:1::/64"]);
    items[2] = both(items[2].clone(), json!([{"ip": "10.244.1.5"}, {"ip": "fd00:10:1::5"}]));
    items[3] = both(items[3].clone(), json!([{"ip": "10.244.1.6"}, {"ip": "fd00:10:1::6"}]));
    let mut exposed = service("api", "10.96.0.7");
    exposed["spec"]["type"] = "LoadBalancer".into();
    items.push(exposed);
    let case = Case::new(&items, |capture| {
        capture.talk("[fd00:10:1::5]:40000", "[fd00:10:1::6]:8080").talk("[fd00:10:1::5]:40001", "[2001:db8::9]:443");
        capture.talk("[2001:db8::7]:40000", "[fd00:10:1::6]:8080");
    });
    assert!(case.flows().contains(&"shop/web > shop/api 8080/TCP".to_owned()));
    assert!(case.policy("web").contains("cidr: 2001:db8::9/128"), "{}", case.policy("web"));
    let policy = case.policy("api");
    assert!(policy.contains("cidr: \"::/0\"") && policy.contains("- fd00:10:1::/64"), "{policy}");
    // the Service has an address of IPv4, which clients may come by as well
    let (of_v4, of_v6) = policy.split_once("cidr: \"::/0\"").unwrap();
    assert!(of_v4.contains("cidr: 0.0.0.0/0") && of_v4.contains("- 10.244.1.0/24"), "{policy}");
    assert!(!of_v6.contains("10.244."), "an IPv4 range left out of an IPv6 block is refused: {policy}");
    assert!(!of_v4.contains("fd00:"), "{policy}");
    assert!(case.is_whole());
}

#[test]
fn pitfall_29_nobody_inside_the_cluster_is_named_by_address() {
    let items = cluster(&[service("api", "10.96.0.7"), of("backend", pod("db", "10.244.2.5"))]);
    let case = Case::new(&items, |capture| {
        capture
            .through("10.244.1.5:40000", "10.96.0.7:80", "10.244.1.6:8080")
            .talk("10.244.1.6:40000", "10.244.2.5:5432");
        // nobody known has this address of the pods' range
        capture.talk("10.244.1.6:40001", "10.244.2.99:5432");
    });
    let policies = case.all_policies();
    assert!(!policies.contains("10.244.") && !policies.contains("10.96."), "{policies}");
    assert!(case.document("REVIEW.md").contains("nobody known owned 10.244.2.99 then"), "{}", case.said);
}

#[test]
fn pitfall_38_owners_that_are_gone_are_still_owners() {
    // its ReplicaSet and Deployment are not listed: names tell
    let case = Case::new(&cluster(&[]), |capture| {
        capture.talk("10.244.1.5:40000", "10.244.1.6:8080");
    });
    assert_eq!(case.flows(), ["shop/web > shop/api 8080/TCP"]);
    // an hour later web is gone with all that owned it
    let mut later = cluster(&[of("other", pod("x", "10.244.1.99"))]);
    later.remove(2);
    later[0]["status"]["conditions"] = json!([{"lastHeartbeatTime": "2026-11-25T00:00:00Z"}]);
    case.flowmap.write("later.json", list(&later));
    case.flowmap.ok(&["inventory", "import", "later.json"]);
    assert_eq!(case.flows(), ["shop/web > shop/api 8080/TCP"]);
    case.flowmap.ok(&["suggest", "-n", "shop", "--out-dir", "out"]);
    assert!(case.policy("api").contains("app: web"), "it may come back: {}", case.policy("api"));
    // unless its kind is listed without it
    later.push(with(
        object("apps/v1", "Deployment", "api"),
        "/spec",
        json!({"template": {"spec": {"containers": []}}}),
    ));
    later[0]["status"]["conditions"] = json!([{"lastHeartbeatTime": "2026-11-25T01:00:00Z"}]);
    case.flowmap.write("last.json", list(&later));
    case.flowmap.ok(&["inventory", "import", "last.json"]);
    assert_eq!(case.flows(), ["shop/web > shop/api 8080/TCP"]);
    case.flowmap.ok(&["suggest", "-n", "shop", "--out-dir", "out"]);
    assert!(!case.all_policies().contains("app: web"));
    assert!(case.document("REVIEW.md").contains("has no pods in the inventory"));
}
