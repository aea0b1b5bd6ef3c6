//! Two workloads of one name, as charts make them: whatever is said of the one is not said of the other.

use serde_json::json;

use crate::common::{
    Flowmap,
    cluster::{node, owned, pod, with},
    review::Review,
};

/// `api` calls a Deployment `db` 7 times and a `StatefulSet` `db` 90 times, on one port.
fn namesakes() -> Flowmap {
    let flowmap = Flowmap::new();
    let db =
        |address: &str, part: &str| with(pod("db", address), "/metadata/labels", json!({"app": "db", "part": part}));
    let set = with(owned(db("10.244.1.12", "set"), "StatefulSet", "db"), "/metadata/name", "db-0".into());
    let items =
        [node("node-1", "192.0.2.1", "10.244.0.0/16"), pod("api", "10.244.1.10"), db("10.244.1.11", "one"), set];
    flowmap.write("cluster.json", json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string());
    flowmap.write(
        "flows.csv",
        "client,server,protocol,port,connections,outcome,first_seen,last_seen\n\
         10.244.1.10,10.244.1.11,TCP,3306,7,established,2026-11-25T10:00:00Z,2026-11-25T12:00:09Z\n\
         10.244.1.10,10.244.1.12,TCP,3306,90,established,2026-11-25T10:00:00Z,2026-11-25T12:00:09Z\n",
    );
    flowmap.ok(&["import", "flows.csv"]);
    flowmap.ok(&["inventory", "import", "cluster.json"]);
    flowmap.write(
        "closed.yaml",
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: one, namespace: shop}\n\
         spec: {podSelector: {matchLabels: {part: one}}, policyTypes: [Ingress]}\n",
    );
    flowmap
}

#[test]
fn a_change_of_the_ones_policy_is_told_of_the_one_alone() {
    let flowmap = namesakes();
    let review = Review::start_unscoped(&flowmap, &["--author", "Ann"]);
    let at = "&asked=yes&ns=shop&isolate=yes";
    let [one, set] = ["shop/db-deployment.yaml#db-deployment", "shop/db-statefulset.yaml#db-statefulset"];
    let preview = review.edit_at(one, at, "ingress", "api", "remove", &[]);
    assert!(preview.body.contains("shop/db (Deployment)") && !preview.body.contains("shop/db (StatefulSet)"));
    review.decide(&preview, "no").lands("/policy");
    // the other's verdict is no secret because the first has one already
    let preview = review.edit_at(set, at, "ingress", "api", "remove", &[]).body;
    assert!(preview.contains("shop/db (StatefulSet)") && preview.contains(">90<"), "{preview}");
    assert!(!preview.contains("Nothing of the past"), "{preview}");
}

#[test]
fn pages_lead_to_the_one_or_to_the_other() {
    let flowmap = namesakes();
    let review = Review::start_unscoped(&flowmap, &[]);
    let at = "asked=yes&ns=shop&isolate=yes";
    let rows = review.get(&format!("/dependencies?{at}")).body;
    assert!(rows.contains("shop/db (Deployment)") && rows.contains("shop/db (StatefulSet)"), "{rows}");
    let set = review.get(&format!("/endpoint?{at}&name=shop%2Fdb+%28StatefulSet%29")).body;
    assert!(set.contains("StatefulSet, tier data, seen with 1 address.") && set.contains("db-statefulset"), "{set}");
    assert!(!set.contains("db-deployment"), "{set}");
    let both = review.get(&format!("/endpoint?{at}&name=shop%2Fdb")).body;
    assert!(both.contains("Several have this name: shop/db (Deployment), shop/db (StatefulSet)."), "{both}");
    let map = review.get(&format!("/map?{at}&by=workload"));
    let to_set = map.links("/endpoint?").into_iter().filter(|link| link.contains("StatefulSet")).count();
    assert!(to_set > 0, "{}", map.body);
    let link = map.links("/dependency?").into_iter().find(|link| link.contains("StatefulSet")).expect("a line to it");
    assert!(review.get(&link).body.contains("90 connections"), "{link}");
}

#[test]
fn the_map_marks_the_line_that_is_denied() {
    let flowmap = namesakes();
    let dot = flowmap.run(&["graph", "-n", "shop", "--policies", "closed.yaml", "-o", "dot"]).stdout;
    let lines: Vec<&str> = dot.lines().filter(|line| line.contains(" -> ")).collect();
    assert_eq!(lines.len(), 2, "{dot}");
    for line in lines {
        assert_eq!(line.contains("DENIED"), line.contains("shop/db (Deployment): TCP/3306, 7 connections"), "{line}");
    }
}

#[test]
fn tables_tell_the_kind_where_the_name_does_not() {
    let flowmap = namesakes();
    let flows = flowmap.ok(&["flows"]).stdout;
    assert!(flows.contains("shop/db (StatefulSet)  3306/TCP  established     90"), "{flows}");
    let csv = flowmap.ok(&["flows", "-o", "csv"]).stdout;
    assert!(csv.lines().next().unwrap().ends_with("client_owner,server_owner"), "{csv}");
    assert!(csv.contains(",Deployment,Deployment\n") && csv.contains(",Deployment,StatefulSet\n"), "{csv}");
    let denied = flowmap.run(&["simulate", "closed.yaml"]);
    assert!(denied.stdout.contains("denied   shop/api  shop/db (Deployment)  3306/TCP"), "{}", denied.stdout);
    let json = flowmap.run(&["simulate", "closed.yaml", "-o", "json"]).stdout;
    let finding = &serde_json::from_str::<serde_json::Value>(&json).unwrap()["findings"][0];
    assert_eq!((&finding["to"], &finding["to_owner"]), (&json!("shop/db"), &json!("Deployment")));
    let asked = |to: &str| flowmap.run(&["explain", "shop/api", to, "3306", "--policies", "closed.yaml"]).stdout;
    assert!(asked("shop/db").contains("shop/db means shop/db (Deployment) and shop/db (StatefulSet)"));
    assert!(asked("shop/db (StatefulSet)").contains("allowed") && asked("shop/db (Deployment)").contains("denied"));
}

#[test]
fn a_role_is_explained_of_the_one_that_is_meant() {
    let flowmap = namesakes();
    let table = flowmap.ok(&["tiers", "-o", "wide"]).stdout;
    assert!(table.contains("shop/db (Deployment)") && table.contains("shop/db (StatefulSet)"), "{table}");
    let why = |name: &str| flowmap.run(&["tiers", "--why", name]);
    why("shop/db").is_an_error(&[
        "flowmap: --why shop/db: several endpoints have this name\n",
        "hint: name one of shop/db (Deployment), shop/db (StatefulSet)",
    ]);
    assert!(why("shop/db (StatefulSet)").stdout.starts_with("shop/db (StatefulSet) is in: "));
}

#[test]
fn what_is_written_says_whose_each_piece_of_evidence_is() {
    let flowmap = namesakes();
    flowmap.ok(&["suggest", "-n", "shop", "--isolate-unseen", "--out-dir", "out"]);
    let evidence: serde_json::Value = serde_json::from_str(&flowmap.read("out/evidence.json")).unwrap();
    let of = |policy: &str| evidence["namespaces"]["shop"]["policies"][policy]["ingress"][0]["evidence"][0].clone();
    for (policy, kind) in [("db-deployment", "Deployment"), ("db-statefulset", "StatefulSet")] {
        assert_eq!((&of(policy)["server"], &of(policy)["server_owner"]), (&json!("shop/db"), &json!(kind)));
    }
    let asked = |to: &str| flowmap.ok(&["explain", "shop/api", to, "3306"]).stdout;
    assert!(asked("shop/db (Deployment)").contains("allowed"));
}
