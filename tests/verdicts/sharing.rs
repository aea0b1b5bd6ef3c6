//! An address that several pods of an inventory have: `explain` does not know which of them is meant, and says so.

use serde_json::json;

use crate::{
    common::Flowmap,
    explain::{CLUSTER, DB_POLICY, ask, shop},
};

/// The shop, where `db-1` has the address of `web-1`.
fn shared() -> Flowmap {
    let flowmap = shop();
    flowmap.write("cluster.yaml", CLUSTER.replace("podIP: 10.244.1.2", "podIP: 10.244.1.1"));
    flowmap.write("all.yaml", DB_POLICY.replace("{matchLabels: {app: db}}", "{}"));
    flowmap
}

#[test]
fn an_address_that_two_pods_have_is_judged_for_each_of_them() {
    let flowmap = shared();
    for (policies, uncertain) in [("db.yaml", true), ("all.yaml", false)] {
        let answer = ask(&flowmap, &["8.8.8.8", "10.244.1.1", "5432", "--policies", policies]);
        assert_eq!(
            (&answer["allowed"], answer["uncertain"] == true),
            (&json!(false), uncertain),
            "{policies}: {answer}"
        );
        let note = "10.244.1.1 is the address of shop/db-1 and of shop/web-1: each of them was asked";
        assert_eq!(answer["notes"], json!([note]));
    }
    let out = ask(&flowmap, &["10.244.1.1", "8.8.8.8", "443", "--policies", "all.yaml"]);
    assert_eq!(out["allowed"], true, "what all of them may, it may: {out}");
    let args = ["explain", "8.8.8.8", "10.244.1.1", "5432", "--policies", "db.yaml", "--inventory", "cluster.yaml"];
    let text = flowmap.run(&args).stdout;
    assert!(text.starts_with("8.8.8.8 -> 10.244.1.1 TCP/5432: uncertain\n"), "{text}");
}
