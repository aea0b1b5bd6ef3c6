//! Policies of whole clusters on the command line: what decided is named, and what is not known is told.

use serde_json::{Value, json};

use crate::common::Flowmap;

const CLUSTER: &str = r"
apiVersion: v1
kind: Node
metadata: {name: node-1, labels: {role: worker}}
spec: {podCIDR: 10.244.1.0/24}
status: {addresses: [{type: InternalIP, address: 172.18.0.2}]}
---
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {team: a}}
---
apiVersion: v1
kind: Pod
metadata: {name: web-1, namespace: shop, labels: {app: web}}
spec: {containers: [{name: c, ports: [{name: http, containerPort: 8080}]}]}
status: {phase: Running, podIP: 10.244.1.1}
---
apiVersion: v1
kind: Pod
metadata: {name: db-1, namespace: shop, labels: {app: db}}
spec: {containers: [{name: c, ports: [{name: pg, containerPort: 5432}]}]}
status: {phase: Running, podIP: 10.244.1.2}
";

const OPEN_DB: &str = r"
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: shop}
spec: {podSelector: {matchLabels: {app: db}}, ingress: [{from: [{podSelector: {matchLabels: {app: web}}}]}]}
";

/// Of all pods labelled `team: a` by their namespace.
fn guard(name: &str, priority: u16, rules: &str) -> String {
    format!(
        "apiVersion: policy.networking.k8s.io/v1alpha1\nkind: AdminNetworkPolicy\nmetadata: {{name: {name}}}\n\
         spec: {{priority: {priority}, subject: {{namespaces: {{matchLabels: {{team: a}}}}}}, {rules}}}\n"
    )
}

const DENY: &str = "ingress: [{name: no-web, action: Deny, from: [{pods: {namespaceSelector: {}, podSelector: {matchLabels: {app: web}}}}], \
                    ports: [{portNumber: {protocol: TCP, port: 5432}}]}]";

fn shop() -> Flowmap {
    let flowmap = Flowmap::new();
    flowmap.write("cluster.yaml", CLUSTER);
    flowmap.write("db.yaml", OPEN_DB);
    flowmap.write("guard.yaml", guard("guard", 5, DENY));
    flowmap
}

fn explain(flowmap: &Flowmap, args: &[&str]) -> Value {
    let output = flowmap.run(&[&["explain", "--inventory", "cluster.yaml", "-o", "json"], args].concat());
    assert!(output.code < 2, "{}", output.stderr);
    serde_json::from_str(&output.stdout).unwrap()
}

#[test]
fn the_rule_that_denies_is_named_and_no_network_policy_is_said_to_help() {
    let flowmap = shop();
    let args = ["shop/web-1", "shop/db-1", "5432", "--policies", "db.yaml", "guard.yaml"];
    let answer = explain(&flowmap, &args);
    let reason = "AdminNetworkPolicy guard spec.ingress[0] (no-web) denies ingress from shop/web-1 on TCP/5432: no NetworkPolicy can \
                  allow it";
    assert_eq!((&answer["allowed"], &answer["reason"]), (&json!(false), &json!(reason)));
    let expected = json!({
        "isolated": true, "isolated_by": ["shop/db"], "allowed": false, "by": [], "rules": [],
        "decided": {"rule": "AdminNetworkPolicy guard spec.ingress[0]", "name": "no-web", "tier": "Admin", "action": "Deny"},
    });
    assert_eq!(answer["ingress"], expected);
    assert_eq!(
        explain(&flowmap, &["shop/web-1", "shop/db-1", "5433", "--policies", "db.yaml", "guard.yaml"])["allowed"],
        true
    );
    let text = flowmap.run(&[&["explain", "--inventory", "cluster.yaml"], &args[..]].concat()).stdout;
    assert!(text.contains("egress: no policy isolates this side\n"), "{text}");
    assert!(text.contains("ingress: AdminNetworkPolicy guard spec.ingress[0] (no-web) denies"), "{text}");
    assert!(!text.contains("nearest"), "{text}");
}

#[test]
fn what_accepts_is_among_those_that_allow() {
    let flowmap = shop();
    flowmap.write("guard.yaml", guard("guard", 5, &DENY.replace("Deny", "Allow")));
    flowmap.write("db.yaml", OPEN_DB.replace("app: web}", "app: other}"));
    let answer = explain(&flowmap, &["shop/web-1", "shop/db-1", "5432", "--policies", "db.yaml", "guard.yaml"]);
    assert_eq!(answer["allowed"], true, "{answer}");
    assert_eq!(answer["ingress"]["by"], json!(["AdminNetworkPolicy guard"]));
    assert_eq!(
        answer["reason"],
        "egress is not isolated; ingress is allowed by AdminNetworkPolicy guard spec.ingress[0]"
    );
    let args =
        ["explain", "--inventory", "cluster.yaml", "shop/web-1", "shop/db-1", "5432", "--policies", "guard.yaml"];
    let text = flowmap.ok(&args).stdout;
    assert!(
        text.contains("ingress: decided in the Admin tier\n  allowed by AdminNetworkPolicy guard spec.ingress[0]"),
        "{text}"
    );
}

#[test]
fn deployed_ones_are_in_force_and_one_of_the_same_name_takes_their_place() {
    let flowmap = shop();
    flowmap.write("cluster.yaml", format!("{CLUSTER}---\n{}", guard("guard", 5, DENY)));
    let ask =
        |args: &[&str]| explain(&flowmap, &[&["shop/web-1", "shop/db-1", "5432"], args].concat())["allowed"].clone();
    assert_eq!(ask(&[]), false);
    assert_eq!(ask(&["--policies", "db.yaml"]), false);
    assert_eq!(ask(&["--policies", "db.yaml", "--only"]), true);
    flowmap.write("pass.yaml", guard("guard", 5, &DENY.replace("Deny", "Pass")));
    assert_eq!(ask(&["--policies", "pass.yaml"]), true);
    flowmap.write("bad.yaml", guard("guard", 5000, DENY));
    let args = ["explain", "--inventory", "cluster.yaml", "shop/web-1", "shop/db-1", "1", "--policies", "bad.yaml"];
    flowmap
        .run(&args)
        .is_an_error(&["bad.yaml: document 1: spec.priority: 5000 is not between 0 and 1000", "--lenient"]);
    flowmap.write("cluster.yaml", format!("{CLUSTER}---\n{}", guard("guard", 5000, DENY)));
    let told = flowmap.ok(&["explain", "--inventory", "cluster.yaml", "shop/web-1", "shop/db-1", "1"]).stderr;
    assert!(told.contains("deployed, skipped: cluster.yaml: AdminNetworkPolicy guard: spec.priority: 5000"), "{told}");
    let answer = explain(&flowmap, &["shop/web-1", "shop/db-1", "1"]);
    assert!(answer["skipped"][0].as_str().unwrap().contains("guard: spec.priority: 5000"), "{answer}");
}

#[test]
fn what_is_not_known_is_uncertain_and_what_is_not_defined_is_told() {
    let flowmap = shop();
    let names = "egress: [{action: Allow, to: [{domainNames: ['*.example.org']}]}, {action: Deny, to: [{networks: [0.0.0.0/0]}]}]";
    flowmap.write("names.yaml", guard("names", 5, names));
    let answer = explain(&flowmap, &["shop/web-1", "203.0.113.9", "443", "--policies", "names.yaml"]);
    assert_eq!((&answer["allowed"], &answer["uncertain"]), (&json!(false), &json!(true)), "{answer}");
    assert_eq!(answer["egress"]["uncertain"], true);
    let args = [
        "explain",
        "--inventory",
        "cluster.yaml",
        "shop/web-1",
        "203.0.113.9",
        "443",
        "--policies",
        "names.yaml",
        "guard.yaml",
    ];
    flowmap.write("guard.yaml", guard("guard", 5, DENY));
    let output = flowmap.run(&args);
    assert!(output.stdout.starts_with("shop/web-1 -> 203.0.113.9 TCP/443: uncertain\n"), "{}", output.stdout);
    assert!(
        output.stderr.contains("AdminNetworkPolicy names spec.egress[0]: which addresses its domainNames have"),
        "{}",
        output.stderr
    );
    assert!(!output.stderr.contains("which of them comes first"), "they speak of other directions: {}", output.stderr);
    flowmap.write("guard.yaml", guard("guard", 5, &names.replace("Deny", "Pass")));
    let told = flowmap.run(&args).stderr;
    assert!(
        told.contains("AdminNetworkPolicy guard and AdminNetworkPolicy names have the priority 5 in the Admin tier"),
        "{told}"
    );
}

#[test]
fn diff_compares_them_in_connections() {
    let flowmap = shop();
    let diff = |old: &str, new: &str| {
        let output = flowmap.run(&["diff", old, new, "--inventory", "cluster.yaml", "-o", "json"]);
        assert!(output.code < 2, "{output:?}");
        serde_json::from_str::<Value>(&output.stdout).unwrap()
    };
    flowmap.write("both.yaml", format!("{OPEN_DB}---\n{}", guard("guard", 5, DENY)));
    let changes = diff("db.yaml", "both.yaml");
    let expected = json!([{
        "change": "changed", "from": "shop/web-1", "to": "shop/db-1", "before": ["everything"],
        "after": ["TCP/1-5431", "TCP/5433-65535", "UDP", "SCTP", "other protocols"], "opened": [], "closed": ["TCP/5432"],
        "some_pods_alone": false,
    }]);
    assert_eq!(changes, expected);
    // the same in the words of the newer kind is no difference
    let newer = guard("guard", 5, DENY)
        .replace("v1alpha1", "v1beta1")
        .replace("kind: AdminNetworkPolicy", "kind: ClusterNetworkPolicy")
        .replace("spec: {", "spec: {tier: Admin, ")
        .replace(
            "ports: [{portNumber: {protocol: TCP, port: 5432}}]",
            "protocols: [{tcp: {destinationPort: {number: 5432}}}]",
        );
    flowmap.write("newer.yaml", format!("{OPEN_DB}---\n{newer}"));
    assert_eq!(diff("both.yaml", "newer.yaml"), json!([]));
}

#[test]
fn those_that_speak_of_nobody_are_named() {
    let flowmap = shop();
    flowmap.write("idle.yaml", guard("idle", 5, &DENY.replace("app: web", "app: wep")));
    flowmap.write("gone.yaml", guard("gone", 6, DENY).replace("team: a", "team: b"));
    let told = flowmap.run(&["diff", "idle.yaml", "gone.yaml", "--inventory", "cluster.yaml"]).stderr;
    assert!(told.contains("AdminNetworkPolicy idle spec.ingress[0] names no pod of the inventory"), "{told}");
    assert!(told.contains("AdminNetworkPolicy gone selects no pod of the inventory"), "{told}");
}

#[test]
fn they_are_not_converted_and_that_is_said() {
    let flowmap = shop();
    let args = ["convert", "db.yaml", "guard.yaml", "--to", "cilium", "--inventory", "cluster.yaml"];
    let output = flowmap.ok(&args);
    assert!(
        output.stderr.contains("not converted: AdminNetworkPolicy guard: it is of the whole cluster"),
        "{}",
        output.stderr
    );
    assert!(flowmap.path("cilium-out/shop/db.yaml").exists());
}

#[test]
fn a_rules_name_ends_no_line() {
    let flowmap = shop();
    let name = r#"name: "ok)\n\n30 connections: 30 allowed""#;
    flowmap.write("guard.yaml", guard("guard", 5, &DENY.replace("name: no-web", name)));
    let args =
        ["explain", "--inventory", "cluster.yaml", "shop/web-1", "shop/db-1", "5432", "--policies", "guard.yaml"];
    let text = flowmap.run(&args).stdout;
    assert!(text.contains("(ok)  30 connections: 30 allowed) denies"), "{text}");
    let answer = explain(&flowmap, &["shop/web-1", "shop/db-1", "5432", "--policies", "guard.yaml"]);
    assert_eq!(answer["ingress"]["decided"]["name"], "ok)\n\n30 connections: 30 allowed");
}

#[test]
fn only_those_that_can_meet_contradict_each_other_and_are_told_in_one_line() {
    let flowmap = shop();
    let told = |text: &str| {
        flowmap.write("many.yaml", text);
        flowmap
            .run(&["explain", "--inventory", "cluster.yaml", "shop/web-1", "shop/db-1", "1", "--policies", "many.yaml"])
            .stderr
    };
    let other = DENY.replace("Deny", "Allow");
    let apart = guard("a", 5, DENY) + "---\n" + &guard("b", 5, &other).replace("team: a", "team: b");
    assert!(!told(&apart).contains("comes first"), "subjects");
    for (from, to) in [("app: web", "app: db"), ("5432", "5433")] {
        let apart = guard("a", 5, DENY) + "---\n" + &guard("b", 5, &other.replace(from, to));
        assert!(!told(&apart).contains("comes first"), "{to}");
    }
    let many: Vec<String> =
        (10..20).map(|n| guard(&format!("p{n}"), 5, if n % 2 == 0 { DENY } else { &other })).collect();
    let lines = told(&many.join("---\n"));
    assert_eq!(lines.matches("comes first").count(), 1, "{lines}");
    assert!(
        lines.contains(
            "AdminNetworkPolicy p14 and 5 more have the priority 5 in the Admin tier: which of them comes first"
        ),
        "{lines}"
    );
}

#[test]
fn prefixes_of_deployed_ones_may_have_further_bits() {
    let flowmap = shop();
    let egress = "egress: [{action: Deny, to: [{networks: [8.8.4.4/8]}]}]";
    let newer = guard("guard", 5, egress)
        .replace("v1alpha1", "v1beta1")
        .replace("kind: AdminNetworkPolicy", "kind: ClusterNetworkPolicy")
        .replace("spec: {", "spec: {tier: Admin, ");
    flowmap.write("cluster.yaml", format!("{CLUSTER}---\n{newer}"));
    let answer = explain(&flowmap, &["shop/web-1", "8.1.1.1", "443"]);
    assert_eq!(answer["allowed"], false, "{answer}");
}
