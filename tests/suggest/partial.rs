//! Inventories of a part of a cluster: who is missing there is not taken for outside without a word.

use serde_json::{Value, json};

use crate::common::{
    Flowmap,
    cluster::{endpoints, list, node, object, of, owned, pod, service, with},
};

const HEAD: &str = "client,server,protocol,port,connections,outcome,first_seen,last_seen\n";

const WHOLE: &str = "Import all of the cluster: `kubectl get no,svc,po,endpointslices -A -o json`.";

/// What came of a proposal for `shop`.
struct Proposed {
    flowmap: Flowmap,
    review: String,
    said: String,
}

/// Proposes from connections of `client server protocol port` and an inventory.
fn propose(items: &[Value], flows: &[&str]) -> Proposed {
    let flowmap = Flowmap::new();
    let row =
        |flow: &&str| format!("{},30,established,2026-11-28T01:00:00Z,2026-11-28T09:00:00Z\n", flow.replace(' ', ","));
    flowmap.write("flows.csv", format!("{HEAD}{}", flows.iter().map(row).collect::<String>()));
    flowmap.write("cluster.json", list(items));
    let files = ["--from", "flows.csv", "--inventory", "cluster.json"];
    let said =
        flowmap.ok(&[&["suggest", "-n", "shop", "--isolate-unseen", "--out-dir", "out"], &files[..]].concat()).stderr;
    let review = std::fs::read_to_string(flowmap.path("out/REVIEW.md")).expect("a review");
    Proposed { flowmap, review, said }
}

impl Proposed {
    fn document(&self, name: &str) -> String {
        std::fs::read_to_string(self.flowmap.path(&format!("out/shop/{name}.yaml"))).expect("a policy")
    }

    /// Connections allowed, denied and uncertain.
    #[track_caller]
    fn is_judged(&self, verdict: [u64; 3]) {
        let [allowed, denied, uncertain] = verdict;
        let words = format!("{allowed} allowed, {denied} denied, {uncertain} uncertain.");
        assert!(self.review.contains(&words), "{words}: {}", self.review);
    }

    #[track_caller]
    fn tells(&self, words: &str) {
        assert!(self.review.contains(words), "{words}: {}", self.review);
    }

    #[track_caller]
    fn tells_nothing_of(&self, words: &[&str]) {
        for words in words {
            assert!(!self.review.contains(words), "{words}: {}", self.review);
        }
    }
}

/// `web` and `api` of `shop` on two nodes, with a Service of api.
fn shop() -> Vec<Value> {
    vec![pod("web", "10.244.1.5"), pod("api", "10.244.0.5"), service("api", "10.96.120.4")]
}

fn nodes() -> [Value; 2] {
    [node("node-1", "192.0.2.1", "10.244.0.0/24"), node("node-2", "192.0.2.2", "10.244.1.0/24")]
}

/// The Service of the API server.
fn api_server() -> Value {
    let service = with(of("default", service("kubernetes", "10.96.0.1")), "/spec/selector", Value::Null);
    with(service, "/spec/ports", json!([{"name": "https", "port": 443, "targetPort": 6443, "protocol": "TCP"}]))
}

/// The cluster's DNS: its Service and a pod of it.
fn dns() -> [Value; 2] {
    let ports = json!([{"name": "dns", "port": 53, "targetPort": 53, "protocol": "UDP"}]);
    [
        with(of("kube-system", service("kube-dns", "10.96.0.10")), "/spec/ports", ports),
        of("kube-system", pod("kube-dns", "10.244.0.9")),
    ]
}

fn whole() -> Vec<Value> {
    [shop(), nodes().to_vec(), dns().to_vec(), vec![api_server()]].concat()
}

#[test]
fn the_objects_of_one_namespace_tell_neither_names_nor_other_pods() {
    let flows = ["10.244.1.5 10.96.120.4 TCP 80", "10.244.1.5 10.96.0.10 UDP 53", "10.244.2.7 10.244.0.5 TCP 8080"];
    let proposed = propose(&shop(), &flows);
    proposed.is_judged([30, 0, 60]);
    proposed.tells("**The inventory is partial:** It lists pods of shop alone, no nodes, Services of shop alone. ");
    proposed.tells("**Names are asked of somebody unknown:** 10.96.0.10: the cluster's DNS is not in the inventory.");
    proposed.tells(
        "**Pods taken for outside?** 10.244.2.7: pods have addresses near them, and the inventory lists neither all",
    );
    proposed.tells(WHOLE);
    assert!(
        proposed.said.contains("10.96.0.10 and 1 more taken for outside, and maybe of the cluster"),
        "{}",
        proposed.said
    );
    // as the replay of the proposal does
    let files = ["simulate", "out", "--from", "flows.csv", "--inventory", "cluster.json", "-o", "json"];
    let simulated: Value = serde_json::from_str(&proposed.flowmap.run(&files).stdout).unwrap();
    let reasons: Vec<&Value> = simulated["findings"].as_array().unwrap().iter().map(|it| &it["reason"]).collect();
    let expected = [
        "the inventory lists neither all pods nor their ranges: 10.244.2.7 may be a pod",
        "the cluster's DNS is not in the inventory: 10.96.0.10 may be its Service",
    ];
    assert_eq!(reasons, expected);
}

#[test]
fn an_address_may_be_a_services_that_is_not_listed() {
    let flows = ["10.244.1.5 10.96.3.3 TCP 80"];
    let [web, api, _] = shop().try_into().unwrap();
    let pods = [&nodes()[..], &[web, api]].concat();
    for (services, known) in [
        (vec![], "no Services"),
        (vec![api_server()], "Services of default alone"),
        (vec![service("api", "10.97.0.40")], "Services of shop alone"),
    ] {
        let proposed = propose(&[&pods[..], &services].concat(), &flows);
        proposed.is_judged([0, 0, 30]);
        proposed
            .tells(&format!(", {known}. Whoever it lacks").replace(", Services of default", " Services of default"));
        proposed.tells(
            "**Services taken for outside?** 10.96.3.3: pods dial them, and the inventory does not list all Services.",
        );
        proposed.tells("the inventory does not list all Services: 10.96.3.3 may be one");
    }
    // no ClusterIP is further from another than the widest range there is
    let proposed = propose(&[&pods[..], &[api_server()]].concat(), &["10.244.1.5 10.112.3.3 TCP 80"]);
    proposed.is_judged([30, 0, 0]);
    // what stands behind a Service is none
    let database = with(service("database", "10.96.7.7"), "/spec/selector", Value::Null);
    let known = [database, endpoints("database", "10.99.1.1", 5432)];
    let proposed = propose(&[&pods[..], &known].concat(), &["10.244.1.5 10.99.1.1 TCP 5432"]);
    proposed.is_judged([30, 0, 0]);
}

#[test]
fn who_is_outside_of_a_cluster_that_is_listed_whole_is_outside() {
    let flows = [
        "10.244.1.5 192.168.7.20 TCP 5432",
        "10.244.1.5 10.0.0.2 UDP 53",
        "10.244.1.5 10.96.0.10 UDP 53",
        "10.244.1.5 10.99.3.3 TCP 5432",
        "10.244.77.5 10.244.0.5 TCP 8080",
    ];
    let proposed = propose(&whole(), &flows);
    proposed.is_judged([150, 0, 0]);
    proposed.tells_nothing_of(&["The inventory is partial", "taken for outside", "somebody unknown"]);
    assert!(!proposed.said.contains("taken for outside"), "{}", proposed.said);
    // of pods that get their addresses from elsewhere than from their nodes' ranges all are known
    let nodes = [node("node-1", "192.0.2.1", "10.1.0.0/24"), node("node-2", "192.0.2.2", "10.1.1.0/24")];
    let elsewhere = [shop(), nodes.to_vec(), dns().to_vec(), vec![api_server()]].concat();
    propose(&elsewhere, &["10.244.1.5 10.244.7.20 TCP 5432"]).is_judged([30, 0, 0]);
}

#[test]
fn a_namespace_that_is_imported_besides_leaves_gaps_until_all_are() {
    let flowmap = Flowmap::new();
    flowmap.write(
        "flows.csv",
        format!("{HEAD}10.244.1.5,10.97.3.3,TCP,80,30,established,2026-11-28T01:00:00Z,2026-11-28T09:00:00Z\n"),
    );
    flowmap.ok(&["import", "flows.csv"]);
    let suggest = |name: &str, items: &[Value]| {
        flowmap.write(name, list(items));
        flowmap.ok(&["inventory", "import", name]);
        flowmap.ok(&["suggest", "-n", "shop", "--isolate-unseen", "--out-dir", "out"]);
        std::fs::read_to_string(flowmap.path("out/REVIEW.md")).expect("a review")
    };
    let review = suggest("shop.json", &shop());
    assert!(review.contains("It lists pods of shop alone, no nodes, Services of shop alone."), "{review}");
    let review = suggest("dns.json", &dns());
    assert!(
        review.contains("It lists pods of kube-system, shop alone, no nodes, Services of kube-system, shop alone."),
        "{review}"
    );
    let review = suggest("all.json", &whole());
    assert!(
        !review.contains("The inventory is partial") && review.contains("30 allowed, 0 denied, 0 uncertain"),
        "{review}"
    );
}

#[test]
fn where_the_api_server_answers_its_endpoints_tell() {
    let flows = ["10.244.1.5 10.96.0.1 TCP 443"];
    let proposed = propose(&whole(), &flows);
    let why = "default/kubernetes selects no pods, and its endpoints are not in the inventory: import them (`kubectl get \
               endpoints,endpointslices -A -o json`)";
    proposed.tells(&format!("egress: {why}"));
    proposed.is_judged([0, 0, 30]);
    proposed.tells(&format!("30 connections: {why}"));
    let mut known = of("default", endpoints("kubernetes", "192.0.2.1", 6443));
    known["subsets"][0]["ports"][0]["name"] = "https".into();
    let proposed = propose(&[whole(), vec![known]].concat(), &flows);
    proposed.is_judged([30, 0, 0]);
}

/// `api`, whose next pods have another number for the port that its Service leads to by name.
fn rolling_out(kind: &str) -> Vec<Value> {
    let ports = |number: u16| json!([{"name": "http", "containerPort": number, "protocol": "TCP"}]);
    let mut deployment = object("apps/v1", "Deployment", "api");
    let labels = json!({"app": "api"});
    deployment["spec"] = json!({"selector": {"matchLabels": labels}, "template": {
        "metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "ports": ports(9090)}]}}});
    let replica_set = owned(object("apps/v1", "ReplicaSet", "api-5d78c9869d"), "Deployment", "api");
    let old = with(pod("api", "10.244.0.5"), "/spec/containers/0/ports", ports(8080));
    let named = json!([{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP", "nodePort": 30080}]);
    let service = with(with(service("api", "10.96.120.4"), "/spec/ports", named), "/spec/type", kind.into());
    let others = [nodes().to_vec(), dns().to_vec(), vec![api_server(), pod("web", "10.244.1.5")]].concat();
    [others, vec![deployment, replica_set, old, service]].concat()
}

#[test]
fn a_port_by_name_that_a_rollout_changes_is_open_at_both_numbers() {
    for flow in ["10.244.1.5 10.96.120.4 TCP 80", "198.51.100.4 10.244.0.5 TCP 8080"] {
        let proposed = propose(&rolling_out("LoadBalancer"), &[flow]);
        proposed.is_judged([30, 0, 0]);
        let has_both =
            |name: &str| ["port: 8080", "port: 9090"].iter().all(|port| proposed.document(name).contains(port));
        assert!(has_both("api"), "{flow}: {}", proposed.document("api"));
        if flow.contains("TCP 80 ") || flow.ends_with(" 80") {
            assert!(has_both("web"), "{}", proposed.document("web"));
        }
        proposed.tells("9090");
    }
}
