//! `REVIEW.md`, `report.html` and `evidence.json` tell of every policy what it allows as it is written.

use std::fs;

use crate::common::{
    Flowmap,
    cluster::{list, node, pod, with},
    proposal::{SUGGEST, edit, read},
};

/// The row of a policy in `REVIEW.md`.
fn row(flowmap: &Flowmap, name: &str) -> String {
    let review = read(flowmap, "REVIEW.md");
    let row = review.lines().find(|line| line.starts_with(&format!("| {name} |")));
    row.unwrap_or_else(|| panic!("no {name} in {review}")).to_owned()
}

/// What `report.html` says of a policy.
fn part(flowmap: &Flowmap, name: &str) -> String {
    let page = read(flowmap, "report.html");
    let rest = page.split(&format!("<h5>{name}</h5>")).nth(1).unwrap_or_else(|| panic!("no {name}"));
    rest.split("</details>").next().unwrap_or_default().to_owned()
}

/// Of a workload whose policies were rejected with that which closes the namespace nothing is closed, and that is told.
#[test]
fn what_is_open_by_decision_is_told_and_counted() {
    let flowmap = Flowmap::with_sample();
    flowmap.ok(&SUGGEST);
    assert!(!read(&flowmap, "REVIEW.md").contains("Open by decision"));
    fs::remove_file(flowmap.path("out/production/db.yaml")).unwrap();
    flowmap.run(&SUGGEST);
    assert!(!read(&flowmap, "REVIEW.md").contains("Open by decision"), "the namespace is closed all the same");
    fs::remove_file(flowmap.path("out/production/default-deny.yaml")).unwrap();
    let told = flowmap.run(&SUGGEST).stdout;
    let review = read(&flowmap, "REVIEW.md");
    assert!(
        review.contains("**Open by decision:** production/db, production: what no other policy selects."),
        "{review}"
    );
    assert!(read(&flowmap, "report.html").contains("Open by decision"));
    let row: Vec<&str> =
        told.lines().find(|line| line.starts_with("production ")).unwrap().split_whitespace().collect();
    assert_eq!(row[3], "1", "{told}");
}

/// A deployed policy of somebody else that has the name of a proposed one does not stay in force.
#[test]
fn deployed_policies_that_are_replaced_are_told_from_those_that_stay() {
    let flowmap = Flowmap::with_sample();
    let mut cluster: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(crate::common::sample("cluster.json")).unwrap()).unwrap();
    for name in ["api", "of-another-team"] {
        cluster["items"].as_array_mut().unwrap().push(serde_json::json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": {"name": name, "namespace": "production"}, "spec": {"podSelector": {}, "ingress": [{}]},
        }));
    }
    flowmap.write("cluster.json", cluster.to_string());
    flowmap.ok(&["inventory", "import", "cluster.json"]);
    flowmap.ok(&SUGGEST);
    let review = read(&flowmap, "REVIEW.md");
    assert!(review.contains("**Replaced:** NetworkPolicy production/api."), "{review}");
    assert!(review.contains("**Deployed already:** NetworkPolicy production/of-another-team. They stay"), "{review}");
}

/// Three workloads ask the same server: each policy tells what its own pods asked.
#[test]
fn a_policy_of_name_resolution_rests_on_what_its_own_pods_asked() {
    let flowmap = Flowmap::with_sample();
    flowmap.ok(&SUGGEST);
    let flows = flowmap.json(&["flows", "-n", "production"]);
    for name in ["api", "debug", "web"] {
        let asked = |flow: &&serde_json::Value| {
            flow["client"]["name"] == format!("production/{name}") && flow["server"]["name"] == "kube-system/coredns"
        };
        let count: u64 =
            flows.as_array().unwrap().iter().filter(asked).map(|it| it["connections"].as_u64().unwrap()).sum();
        let part = part(&flowmap, &format!("allow-dns-{name}"));
        assert!(count > 0 && part.contains(&format!("TCP/53, UDP/53<td class=\"n\">{count}<")), "{count}: {part}");
    }
}

#[test]
fn what_a_person_added_and_removed_is_told_in_policies_of_name_resolution_too() {
    let flowmap = Flowmap::with_sample();
    flowmap.ok(&SUGGEST);
    let added =
        "  - to:\n    - ipBlock:\n        cidr: 192.0.2.0/24\n    ports:\n    - protocol: TCP\n      port: 9999\n";
    edit(&flowmap, "production/api.yaml", "  egress:\n", &format!("  egress:\n{added}"));
    // of one client of three the names by TCP
    edit(&flowmap, "production/allow-dns.yaml", "    - protocol: TCP\n      port: 53\n", "");
    flowmap.run(&SUGGEST);
    assert!(row(&flowmap, "api").contains("192.0.2.0/24 (TCP/9999; added by hand)"), "{}", row(&flowmap, "api"));
    assert!(!row(&flowmap, "allow-dns-api").contains("TCP/53"), "{}", row(&flowmap, "allow-dns-api"));
    assert!(row(&flowmap, "allow-dns-web").contains("TCP/53"), "{}", row(&flowmap, "allow-dns-web"));
    let page = read(&flowmap, "report.html");
    assert!(page.contains("<tr><th scope=\"row\">192.0.2.0/24<td>TCP/9999") && page.contains("added by hand"));
    assert!(part(&flowmap, "allow-dns-web").contains("TCP/53") && !part(&flowmap, "allow-dns-api").contains("TCP/53"));
    let evidence: serde_json::Value = serde_json::from_str(&read(&flowmap, "evidence.json")).unwrap();
    let egress = evidence["namespaces"]["production"]["policies"]["api"]["egress"].as_array().unwrap();
    let own = egress.iter().find(|it| it["peer"] == "192.0.2.0/24").unwrap();
    assert_eq!((&own["by_hand"], &own["ports"][0]), (&true.into(), &"TCP/9999".into()));
    let head = read(&flowmap, "production/allow-dns.yaml");
    let head = head.split("apiVersion").next().unwrap_or_default();
    assert!(head.contains("coredns on UDP/53") && !head.contains("TCP/53, UDP/53"), "{head}");
}

/// A tier of two workloads that no one label tells has a policy for each, and a peer of two selectors is decided on one by
/// one.
#[test]
fn each_policy_of_a_group_and_each_selector_of_a_peer_is_told_by_itself() {
    const AT: [&str; 8] = ["suggest", "-n", "shop", "--granularity", "tier", "--isolate-unseen", "--out-dir", "out"];
    const DB: &str = "    ports:\n    - protocol: TCP\n      port: 5432\n";
    let flowmap = Flowmap::new();
    let site = with(pod("site", "10.244.1.11"), "/metadata/labels", serde_json::json!({"run": "site"}));
    let items =
        [node("node-1", "192.0.2.1", "10.244.1.0/24"), pod("web", "10.244.1.10"), site, pod("db", "10.244.1.12")];
    flowmap.write("cluster.json", list(&items));
    let flow = |from: &str, to: &str, port: u16| {
        format!("{from},{to},TCP,{port},9,established,2026-11-25T10:00:00Z,2026-11-25T12:00:09Z\n")
    };
    let mut flows = "client,server,protocol,port,connections,outcome,first_seen,last_seen\n".to_owned();
    for client in ["10.244.1.10", "10.244.1.11"] {
        flows += &flow("203.0.113.9", client, 8080);
        flows += &flow(client, "10.244.1.12", 5432);
    }
    flowmap.write("flows.csv", flows);
    flowmap.ok(&["import", "flows.csv"]);
    flowmap.ok(&["inventory", "import", "cluster.json"]);
    flowmap.ok(&AT);
    // the second policy of the group reaches nobody, and of the two who may reach the data one may no longer
    let edge = read(&flowmap, "shop/edge.yaml");
    let (first, second) = edge.split_once("\n---\n").unwrap();
    let to_db = second.split("  egress:\n").nth(1).unwrap();
    assert!(to_db.ends_with(DB), "{edge}");
    flowmap
        .write("out/shop/edge.yaml", format!("{first}\n---\n{}", second.replace(&format!("  egress:\n{to_db}"), "")));
    let name = if second.contains("run: site") { "run: site" } else { "app: web" };
    edit(&flowmap, "shop/data.yaml", &format!("    - podSelector:\n        matchLabels:\n          {name}\n"), "");
    flowmap.run(&AT);
    assert!(row(&flowmap, "edge").contains("data (TCP/5432; "), "{}", row(&flowmap, "edge"));
    assert!(row(&flowmap, "edge-2").ends_with("| - |"), "{}", row(&flowmap, "edge-2"));
    let other = if name == "run: site" { "app=web" } else { "run=site" };
    assert!(row(&flowmap, "data").contains(&format!("| edge ({other}) (TCP/5432; ")), "{}", row(&flowmap, "data"));
    assert!(part(&flowmap, "edge").contains("TCP/5432") && !part(&flowmap, "edge-2").contains("TCP/5432"));
    let evidence: serde_json::Value = serde_json::from_str(&read(&flowmap, "evidence.json")).unwrap();
    let policies = &evidence["namespaces"]["shop"]["policies"];
    assert_eq!(policies["edge-2"]["egress"], serde_json::json!([]));
    assert_eq!(policies["edge"]["egress"].as_array().unwrap().len(), 1);
}

/// What could not be read of an inventory was told when it was imported; whoever reads the proposal is told too.
#[test]
fn what_could_not_be_used_of_the_inventory_is_told_with_the_proposal() {
    let flowmap = Flowmap::with_sample();
    flowmap.run(&SUGGEST);
    assert!(!read(&flowmap, "REVIEW.md").contains("of the inventory could not be used"));
    let mut cluster: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(crate::common::sample("cluster.json")).unwrap()).unwrap();
    cluster["items"].as_array_mut().unwrap().push(serde_json::json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "odd", "namespace": "production"},
        "spec": {"containers": [{"name": "c"}]}, "status": {"phase": "Running", "podIP": "10.244.1"},
    }));
    flowmap.write("cluster.json", cluster.to_string());
    let told = flowmap.ok(&["inventory", "import", "cluster.json"]);
    assert!(told.stderr.contains("10.244.1"), "{}", told.stderr);
    flowmap.run(&SUGGEST);
    let review = read(&flowmap, "REVIEW.md");
    assert!(review.contains("2 faults of the inventory could not be used"), "{review}");
    // mended, it is told no more
    flowmap.ok(&["inventory", "rm", "cluster.json"]);
    flowmap.ok(&["inventory", "import", &crate::common::sample("cluster.json")]);
    flowmap.run(&SUGGEST);
    assert!(!read(&flowmap, "REVIEW.md").contains("of the inventory could not be used"));
}

#[test]
fn of_whose_work_nothing_was_seen_is_in_no_tier() {
    const FROM: [&str; 5] = ["suggest", "--from", "flows.csv", "--inventory", "cluster.json"];
    let flowmap = Flowmap::new();
    let pods = ["load", "web", "idle"].into_iter().zip(10..).map(|(name, n)| pod(name, &format!("10.244.1.{n}")));
    let items: Vec<_> = std::iter::once(node("node-1", "192.0.2.1", "10.244.1.0/24")).chain(pods).collect();
    flowmap.write("cluster.json", list(&items));
    flowmap.write(
        "flows.csv",
        "client,server,protocol,port,connections,first_seen,last_seen\n\
         10.244.1.10,10.244.1.11,TCP,8080,9,2026-11-25T10:00:00Z,2026-11-25T12:00:09Z\n",
    );
    flowmap.ok(&[&FROM[..], &["-n", "shop", "--granularity", "tier", "--isolate-unseen", "--out-dir", "out"]].concat());
    let client = read(&flowmap, "shop/client.yaml");
    assert!(client.contains("app: load") && !client.contains("idle"), "{client}");
    assert!(!read(&flowmap, "shop/application.yaml").contains("idle"));
    let idle = read(&flowmap, "shop/idle.yaml");
    assert!(idle.contains("app: idle") && !idle.contains("8080"), "{idle}");
}
