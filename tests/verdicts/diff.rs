//! `flowmap diff` on the cluster that questions are asked about.

use serde_json::{Value, json};

use super::explain::{CLUSTER, DB_POLICY, shop};

#[test]
fn a_diff_tells_connections_and_exits_with_one() {
    let flowmap = shop();
    flowmap.write("new.yaml", DB_POLICY.replace("app: api", "app: web"));
    let args = ["diff", "db.yaml", "new.yaml", "--inventory", "cluster.yaml"];
    let output = flowmap.run(&[&args[..], &["-o", "json"]].concat());
    assert_eq!(output.code, 1, "{}", output.stderr);
    let changes: Value = serde_json::from_str(&output.stdout).unwrap();
    let ports = json!(["TCP/80", "TCP/443"]);
    let change = json!({
        "change": "added", "from": "shop/web-1", "to": "shop/db-1",
        "before": [], "after": ports, "opened": ports, "closed": [], "some_pods_alone": false,
    });
    assert_eq!(changes, json!([change]));
    let text = flowmap.run(&args).stdout;
    assert!(text.contains("added   shop/web-1  shop/db-1  TCP/80, TCP/443  -"), "{text}");
    let same = flowmap.ok(&["diff", "db.yaml", "db.yaml", "--inventory", "cluster.yaml", "-o", "json"]);
    assert_eq!(same.stdout.trim(), "[]");
    let back = flowmap.run(&["diff", "new.yaml", "db.yaml", "--inventory", "cluster.yaml", "-o", "csv"]);
    assert!(back.stdout.contains("removed,shop/web-1,shop/db-1,nothing,"), "{}", back.stdout);
}

#[test]
fn a_diff_does_not_tell_port_zero() {
    let flowmap = shop();
    let ports = "[{port: 80}, {port: 443}]";
    flowmap.write("all.yaml", DB_POLICY.replace(ports, "[{protocol: TCP}]"));
    flowmap.write("from-one.yaml", DB_POLICY.replace(ports, "[{port: 1, endPort: 65535}]"));
    flowmap.write("first.yaml", DB_POLICY.replace(ports, "[{port: 1}]"));
    let diff = |old, new| flowmap.run(&["diff", old, new, "--inventory", "cluster.yaml", "-o", "json"]);
    for (old, new) in [("all.yaml", "from-one.yaml"), ("from-one.yaml", "all.yaml")] {
        let same = diff(old, new);
        assert_eq!((same.code, same.stdout.trim()), (0, "[]"));
    }
    flowmap.write("api.yaml", CLUSTER.replace("app: web}}\nspec: {node", "app: api}}\nspec: {node"));
    let args = ["diff", "first.yaml", "all.yaml", "--inventory", "api.yaml", "-o", "json"];
    let wider: Value = serde_json::from_str(&flowmap.run(&args).stdout).unwrap();
    assert_eq!(wider[0]["opened"], json!(["TCP/2-65535"]));
}

#[test]
fn a_diff_needs_somebody_to_compare_over() {
    let flowmap = shop();
    flowmap.run(&["diff", "db.yaml", "db.yaml"]).is_an_error(&["inventory: nobody is known yet", "--inventory"]);
    flowmap.write("hosts.csv", "address,name\n10.0.0.1,x\n");
    let args = ["diff", "db.yaml", "db.yaml", "--inventory", "hosts.csv"];
    flowmap.run(&args).is_an_error(&["holds no workloads"]);
}
