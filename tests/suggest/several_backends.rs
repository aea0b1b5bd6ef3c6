//! Services with several workloads behind them, of which it was not seen who answered: any of them may have.

use serde_json::{Value, json};

use crate::common::{
    Flowmap,
    cluster::{list, node, pod, service, with},
};

/// Closes all pods of `shop` that are behind the Service.
const CLOSED: &str = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: closed, namespace: shop}\n\
                      spec: {podSelector: {matchLabels: {app: x}}, policyTypes: [Ingress]}\n";

/// `a` and `b` of `shop` behind the Service `x` and its node port 30080, and `cli` on another node.
fn shop(targets: &[&str]) -> Flowmap {
    let target = |name: &str, address: &str| {
        let labels = json!({"app": "x", "track": name});
        let bare = with(with(pod(name, address), "/metadata/labels", labels), "/metadata/ownerReferences", json!([]));
        with(bare, "/metadata/name", name.into())
    };
    let mut items = vec![
        node("node-1", "192.0.2.1", "10.244.1.0/24"),
        node("node-2", "192.0.2.2", "10.244.2.0/24"),
        with(with(pod("cli", "10.244.2.7"), "/spec/nodeName", "node-2".into()), "/status/hostIP", "192.0.2.2".into()),
        with(service("x", "10.96.0.7"), "/spec/selector", json!({"app": "x"})),
    ];
    items[3]["spec"]["type"] = "NodePort".into();
    items[3]["spec"]["ports"][0]["nodePort"] = 30080.into();
    items.extend(targets.iter().zip(5..).map(|(name, n)| target(name, &format!("10.244.1.{n}"))));
    let flowmap = Flowmap::new();
    flowmap.write("cluster.json", list(&items));
    flowmap.write("closed.yaml", CLOSED);
    flowmap
}

/// What a flow log has of one connection.
fn seen(flowmap: &Flowmap, client: &str, server: &str, port: u16) {
    flowmap.write("seen.csv", format!("client,server,protocol,port\n{client},{server},TCP,{port}\n"));
}

fn ask(flowmap: &Flowmap, args: &[&str]) -> Value {
    let files = ["--from", "seen.csv", "--inventory", "cluster.json", "-o", "json"];
    let output = flowmap.run(&[args, &files].concat());
    serde_json::from_str(&output.stdout).expect("an answer")
}

fn verdict(flowmap: &Flowmap, args: &[&str]) -> Value {
    let told = ask(flowmap, &[&["simulate", "closed.yaml"], args].concat());
    json!([told["allowed"], told["denied"], told["uncertain"]])
}

#[test]
fn the_port_of_a_node_that_leads_to_several_workloads_is_no_node() {
    let flowmap = shop(&["a", "b"]);
    for client in ["198.51.100.8", "10.244.2.7"] {
        for (server, port) in [("192.0.2.1", 30080), ("192.0.2.2", 30080), ("10.96.0.7", 80)] {
            seen(&flowmap, client, server, port);
            let flows = ask(&flowmap, &["flows"]);
            let flow = (&flows[0]["server"]["name"], &flows[0]["port"], &flows[0]["marks"]);
            assert_eq!(flow, (&json!("shop/x"), &json!(80), &json!([])), "{client} to {server}");
            assert_eq!(verdict(&flowmap, &[]), json!([0, 1, 0]), "both are closed: {client} to {server}");
            assert_eq!(verdict(&flowmap, &["-n", "shop"]), json!([0, 1, 0]), "the Service is of shop");
        }
    }
}

#[test]
fn all_who_may_have_answered_let_in_who_dialled() {
    let flowmap = shop(&["a", "b"]);
    let propose = || {
        let files = ["--from", "seen.csv", "--inventory", "cluster.json", "--isolate-unseen"];
        let output = flowmap.run(&[&["suggest", "-n", "shop", "--out-dir", "-"][..], &files].concat());
        assert_eq!(output.code, 0, "nothing that was seen is denied: {}", output.stderr);
        output.stdout
    };
    seen(&flowmap, "10.244.2.7", "10.96.0.7", 80);
    let policies = propose();
    let of_clients =
        policies.matches("  - from:\n    - podSelector:\n        matchLabels:\n          app: cli").count();
    assert_eq!(of_clients, 2, "a and b let cli in: {policies}");
    // from another node the client's policy sees the node, and the servers' the node in its place
    seen(&flowmap, "10.244.2.7", "192.0.2.1", 30080);
    let policies = propose();
    let of_node = policies.matches("cidr: 192.0.2.1/32").count();
    assert!(of_node >= 3 && policies.contains("port: 30080"), "one way out, and two ways in: {policies}");
    seen(&flowmap, "198.51.100.8", "192.0.2.1", 30080);
    let policies = propose();
    assert_eq!(policies.matches("cidr: 0.0.0.0/0").count(), 2, "a node port is open to anyone: {policies}");
}

#[test]
fn what_another_node_leads_on_is_judged_by_that_node_as_well() {
    let egress = |rules: &str| {
        format!(
            "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: cli, namespace: shop}}\n\
             spec: {{podSelector: {{matchLabels: {{app: cli}}}}, policyTypes: [Egress], egress: [{rules}]}}\n"
        )
    };
    let pods = "{to: [{podSelector: {matchLabels: {app: x}}}]}";
    let node = "{to: [{ipBlock: {cidr: 192.0.2.1/32}}], ports: [{port: 30080}]}";
    for targets in [&["a"][..], &["a", "b"]] {
        let flowmap = shop(targets);
        let told = |server: &str, rules: &str| {
            flowmap.write("closed.yaml", egress(rules));
            seen(&flowmap, "10.244.2.7", server, 30080);
            verdict(&flowmap, &[])
        };
        assert_eq!(told("192.0.2.1", pods), json!([0, 0, 1]), "{targets:?}: by its labels alone");
        assert_eq!(told("192.0.2.1", node), json!([0, 0, 1]), "{targets:?}: by the node alone");
        assert_eq!(told("192.0.2.1", &format!("{pods}, {node}")), json!([1, 0, 0]), "{targets:?}");
        assert_eq!(told("192.0.2.1", ""), json!([0, 1, 0]), "{targets:?}");
        assert_eq!(told("192.0.2.2", pods), json!([1, 0, 0]), "{targets:?}: its own node");
    }
}

#[test]
fn a_client_may_dial_the_node_also_where_nobody_behind_it_is_asked_about() {
    let flowmap = shop(&["a", "b"]);
    let text = std::fs::read_to_string(flowmap.path("cluster.json")).expect("an inventory");
    let mut cluster: Value = serde_json::from_str(&text).expect("JSON");
    cluster["items"][2]["metadata"]["namespace"] = "ops".into();
    flowmap.write("cluster.json", cluster.to_string());
    seen(&flowmap, "10.244.2.7", "192.0.2.1", 30080);
    let files = ["--from", "seen.csv", "--inventory", "cluster.json"];
    flowmap.run(&[&["suggest", "-n", "ops", "--out-dir", "out"][..], &files].concat());
    let told = ask(&flowmap, &["simulate", "out"]);
    assert_eq!(json!([told["allowed"], told["denied"], told["uncertain"]]), json!([1, 0, 0]), "{told}");
}

#[test]
fn a_pod_reaches_itself_by_its_service() {
    let flowmap = shop(&["a"]);
    seen(&flowmap, "10.244.1.5", "10.96.0.7", 80);
    assert_eq!(verdict(&flowmap, &[]), json!([1, 0, 0]), "there is no other");
    let flowmap = shop(&["a", "b"]);
    seen(&flowmap, "10.244.1.5", "10.96.0.7", 80);
    assert_eq!(verdict(&flowmap, &[]), json!([0, 0, 1]), "itself, or b, which is closed");
    let explained = |from: &str| {
        let who = ["--policies", "closed.yaml", "--inventory", "cluster.json", "-o", "json"];
        let output = flowmap.run(&[&["explain", from, "10.96.0.7", "80"][..], &who].concat());
        serde_json::from_str::<Value>(&output.stdout).expect("an answer")
    };
    let partly = explained("shop/a");
    assert_eq!((&partly["allowed"], &partly["partly"]), (&json!(false), &json!("1 of 2 pairs are denied")), "{partly}");
    assert_eq!(explained("shop/cli")["allowed"], false);
}

#[test]
fn of_a_workloads_pods_each_is_judged_by_whom_it_talked_with() {
    let flowmap = Flowmap::new();
    let numbered = |name: &str, address: &str, n: &str| {
        let labels = json!({"app": name, "n": n});
        let named = with(pod(name, address), "/metadata/name", format!("{name}-{n}").into());
        let owner = json!([{"kind": "StatefulSet", "name": name, "controller": true}]);
        with(with(named, "/metadata/labels", labels), "/metadata/ownerReferences", owner)
    };
    let items = [
        node("node-1", "192.0.2.1", "10.244.1.0/24"),
        numbered("cli", "10.244.1.10", "0"),
        numbered("cli", "10.244.1.11", "1"),
        numbered("db", "10.244.1.20", "0"),
        numbered("db", "10.244.1.21", "1"),
    ];
    flowmap.write("cluster.json", list(&items));
    let pair = |n: u8| {
        format!(
            "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: db-{n}, namespace: shop}}\n\
             spec: {{podSelector: {{matchLabels: {{app: db, n: '{n}'}}}}, policyTypes: [Ingress], \
             ingress: [{{from: [{{podSelector: {{matchLabels: {{app: cli, n: '{n}'}}}}}}]}}]}}\n---\n"
        )
    };
    flowmap.write("closed.yaml", pair(0) + &pair(1));
    let log = |rows: &[(u8, u8, u8)]| {
        let rows = rows.iter().map(|(from, to, n)| format!("10.244.1.1{from},10.244.1.2{to},TCP,5432,{n}\n"));
        flowmap.write("seen.csv", format!("client,server,protocol,port,connections\n{}", rows.collect::<String>()));
    };
    log(&[(0, 0, 5), (1, 1, 3)]);
    assert_eq!(verdict(&flowmap, &[]), json!([8, 0, 0]), "each talks with its own");
    log(&[(0, 0, 5), (1, 0, 3)]);
    assert_eq!(verdict(&flowmap, &[]), json!([5, 3, 0]), "one with another's");
    let told = ask(&flowmap, &["simulate", "closed.yaml"]);
    let finding = &told["findings"][0];
    assert_eq!(
        (&finding["from"], &finding["to"], &finding["connections"]),
        (&json!("shop/cli"), &json!("shop/db"), &json!(3))
    );
    assert!(finding["reason"].as_str().is_some_and(|reason| reason.contains("shop/cli")), "{finding}");
}

/// A `CronJob` has no pods between its runs, and a Deployment may have none for a while.
#[test]
fn workloads_without_pods_that_a_service_selects_are_behind_it() {
    let flowmap = shop(&["a", "b"]);
    let text = std::fs::read_to_string(flowmap.path("cluster.json")).expect("an inventory");
    let mut cluster: Value = serde_json::from_str(&text).expect("JSON");
    let items = cluster["items"].as_array_mut().expect("items");
    let labels = |name: &str| json!({"app": "x", "track": name});
    let template = |name: &str| json!({"metadata": {"labels": labels(name)}, "spec": {"containers": [{"name": "c"}]}});
    let spec = json!({"schedule": "*/5 * * * *", "jobTemplate": {"spec": {"template": template("nightly")}}});
    items.push(json!({"apiVersion": "batch/v1", "kind": "CronJob", "spec": spec,
                      "metadata": {"name": "nightly", "namespace": "shop"}}));
    let spec = json!({"replicas": 0, "selector": {"matchLabels": labels("spare")}, "template": template("spare")});
    items.push(json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": spec,
                      "metadata": {"name": "spare", "namespace": "shop"}}));
    flowmap.write("cluster.json", cluster.to_string());
    seen(&flowmap, "10.244.2.7", "10.96.0.7", 80);
    let files = ["--from", "seen.csv", "--inventory", "cluster.json", "--isolate-unseen"];
    let output = flowmap.run(&[&["suggest", "-n", "shop", "--out-dir", "out"][..], &files].concat());
    assert_eq!(output.code, 0, "{}", output.stderr);
    for name in ["a", "b", "nightly", "spare"] {
        let to = format!("shop/{name}");
        let told =
            flowmap.json(&["explain", "shop/cli", &to, "8080", "--policies", "out", "--inventory", "cluster.json"]);
        assert_eq!(told["allowed"], true, "{name}: {told}");
    }
    // where one of them lets nobody in, it is not sure that all will go on
    std::fs::remove_file(flowmap.path("out/shop/spare.yaml")).expect("a policy");
    let told = ask(&flowmap, &["simulate", "out"]);
    assert_eq!((&told["allowed"], &told["uncertain"]), (&json!(0), &json!(1)), "{told}");
}

/// A port that the pods of one workload give different numbers to: that it leads to both is no reason to count twice.
#[test]
fn what_was_seen_at_a_service_counts_once_however_many_ports_it_leads_to() {
    let flowmap = Flowmap::new();
    let numbered = |address: &str, number: u16| {
        let port = json!([{"name": "c", "ports": [{"name": "grpc", "containerPort": number}]}]);
        with(pod("mixed", address), "/spec/containers", port)
    };
    let mut dialled = service("mixed", "10.96.0.7");
    dialled["spec"]["ports"][0]["targetPort"] = "grpc".into();
    let items = [
        node("node-1", "192.0.2.1", "10.244.1.0/24"),
        pod("web", "10.244.1.4"),
        numbered("10.244.1.5", 7000),
        numbered("10.244.1.6", 7001),
        dialled,
    ];
    flowmap.write("cluster.json", list(&items));
    flowmap.write("seen.csv", "client,server,protocol,port,connections\n10.244.1.4,10.96.0.7,TCP,80,24\n");
    let files = ["--from", "seen.csv", "--inventory", "cluster.json", "--isolate-unseen"];
    flowmap.ok(&[&["suggest", "-n", "shop", "--out-dir", "out"][..], &files].concat());
    let evidence = std::fs::read_to_string(flowmap.path("out/evidence.json")).expect("evidence");
    let evidence: Value = serde_json::from_str(&evidence).expect("JSON");
    let policies = &evidence["namespaces"]["shop"]["policies"];
    for rule in [&policies["mixed"]["ingress"][0], &policies["web"]["egress"][0]] {
        assert_eq!(rule["ports"], json!(["TCP/7000", "TCP/7001"]), "{rule}");
        assert_eq!(rule["confidence"]["connections"], 24, "{rule}");
        let [seen] = rule["evidence"].as_array().expect("a list").as_slice() else { panic!("{rule}") };
        assert_eq!((&seen["server"], &seen["port"]), (&json!("shop/mixed"), &json!(80)), "who answered was not seen");
    }
}
