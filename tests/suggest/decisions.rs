//! What a person made of a proposal outlasts the next one.

use std::fs;

use crate::common::{
    Flowmap, files,
    proposal::{REDIS, SUGGEST, edit, proposed, read},
};

/// Proposes again, twice: the second time changes no byte. Gives the code of the first.
#[track_caller]
fn again(flowmap: &Flowmap) -> i32 {
    let output = flowmap.run(&SUGGEST);
    assert!(output.code != 2, "{}", output.stderr);
    let before = files(&flowmap.path("out"));
    flowmap.run(&SUGGEST);
    let after = files(&flowmap.path("out"));
    for (name, bytes) in &before {
        assert!(after[name] == *bytes, "{name} changed without new traffic");
    }
    output.code
}

#[test]
fn a_rule_that_was_removed_stays_removed_and_is_told() {
    let flowmap = proposed();
    edit(&flowmap, "production/api.yaml", REDIS, "");
    // what is denied now was seen: the verdict says so
    assert_eq!(again(&flowmap), 1);
    let api = read(&flowmap, "production/api.yaml");
    assert!(!api.contains("port: 6379"), "{api}");
    assert!(api.contains("#   removed: egress to app=cache on TCP/6379"), "{api}");
    let review = read(&flowmap, "REVIEW.md");
    assert!(review.contains("  production/api.yaml#api\n-egress to app=cache on TCP/6379\n"), "{review}");
    assert!(review.contains("production/api -> production/cache on TCP/6379, 2 connections"), "{review}");
    let evidence: serde_json::Value = serde_json::from_str(&read(&flowmap, "evidence.json")).unwrap();
    assert_eq!(evidence["decisions"]["rejected"]["production/api.yaml#api"][0]["side"], "egress");
}

#[test]
fn a_rule_that_is_put_back_is_back() {
    let flowmap = proposed();
    let before = files(&flowmap.path("out"));
    edit(&flowmap, "production/api.yaml", REDIS, "");
    again(&flowmap);
    let api = read(&flowmap, "production/api.yaml");
    flowmap.write("out/production/api.yaml", format!("{api}{REDIS}"));
    assert_eq!(again(&flowmap), 0);
    assert!(files(&flowmap.path("out")) == before);
}

#[test]
fn a_rule_that_was_added_stays() {
    let flowmap = proposed();
    let rule = "  - to:\n    - ipBlock:\n        cidr: 192.0.2.0/24\n    ports:\n    - port: 9999\n";
    let api = read(&flowmap, "production/api.yaml");
    flowmap.write("out/production/api.yaml", format!("{api}{rule}"));
    assert_eq!(again(&flowmap), 0);
    let api = read(&flowmap, "production/api.yaml");
    assert!(api.contains("cidr: 192.0.2.0/24") && api.contains("port: 9999"), "{api}");
    assert!(api.contains("#   added: egress to 192.0.2.0/24 on TCP/9999"), "{api}");
    assert!(read(&flowmap, "REVIEW.md").contains("+egress to 192.0.2.0/24 on TCP/9999"));
    // it counts as a rule, wherever rules are counted
    let told = flowmap.json(&SUGGEST);
    let [decided, apart] = ["chosen", "decisions_apart"].map(|is_it| {
        let all = told["granularities"].as_array().unwrap();
        all.iter().find(|it| it["granularity"] == "workload" && it[is_it] == true).unwrap()["rules"].as_u64().unwrap()
    });
    assert_eq!((decided, decided), (told["namespaces"][0]["rules"].as_u64().unwrap(), apart + 1), "{told}");
    // taken out again by hand
    edit(
        &flowmap,
        "production/api.yaml",
        "  - to:\n    - ipBlock:\n        cidr: 192.0.2.0/24\n    ports:\n    - protocol: TCP\n      port: 9999\n",
        "",
    );
    again(&flowmap);
    assert!(!read(&flowmap, "production/api.yaml").contains("192.0.2.0/24"));
}

#[test]
fn a_port_that_was_changed_is_one_rejected_and_one_added() {
    let flowmap = proposed();
    edit(&flowmap, "production/api.yaml", "port: 6379", "port: 6380\n      endPort: 6390");
    assert_eq!(again(&flowmap), 1);
    let review = read(&flowmap, "REVIEW.md");
    assert!(review.contains("-egress to app=cache on TCP/6379\n+egress to app=cache on TCP/6380-6390\n"), "{review}");
}

#[test]
fn a_policy_that_was_deleted_is_not_proposed_again() {
    let flowmap = proposed();
    fs::remove_file(flowmap.path("out/production/default-deny.yaml")).unwrap();
    again(&flowmap);
    assert!(!flowmap.path("out/production/default-deny.yaml").exists());
    assert!(!read(&flowmap, "production/kustomization.yaml").contains("default-deny"));
    assert!(read(&flowmap, "REVIEW.md").contains("production/default-deny.yaml#default-deny: deleted, and stays away"));
    // a namespace of which nothing is left begins anew
    fs::remove_dir_all(flowmap.path("out/production")).unwrap();
    assert_eq!(again(&flowmap), 0);
    assert!(flowmap.path("out/production/default-deny.yaml").exists());
}

#[test]
fn comments_labels_and_selectors_of_a_person_stay() {
    let flowmap = proposed();
    edit(&flowmap, "production/db.yaml", "apiVersion", "# asked for by the DBA team, see TICKET-7\napiVersion");
    edit(&flowmap, "production/db.yaml", "managed-by: flowmap", "managed-by: flowmap\n    team: data");
    edit(
        &flowmap,
        "production/web.yaml",
        "      app.kubernetes.io/name: web\n",
        "      app.kubernetes.io/name: web\n      tier: front\n",
    );
    edit(&flowmap, "production/kustomization.yaml", "- web.yaml", "- web.yaml\n- ../base\nnamePrefix: x-");
    again(&flowmap);
    let db = read(&flowmap, "production/db.yaml");
    assert!(db.contains("# asked for by the DBA team, see TICKET-7\napiVersion") && db.contains("team: data"), "{db}");
    assert!(read(&flowmap, "production/web.yaml").contains("tier: front"));
    let kustomization = read(&flowmap, "production/kustomization.yaml");
    assert!(kustomization.contains("- ../base") && kustomization.contains("namePrefix: x-"), "{kustomization}");
}

#[test]
fn a_policy_of_a_person_in_a_file_of_flowmaps_stays() {
    let flowmap = proposed();
    let own = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: mine\n  namespace: production\nspec:\n  podSelector: {}\n  policyTypes:\n  - Egress\n  egress:\n  - {}\n";
    let db = read(&flowmap, "production/db.yaml");
    flowmap.write("out/production/db.yaml", format!("{db}---\n{own}"));
    let web = read(&flowmap, "production/web.yaml");
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: mine\n";
    flowmap.write("out/production/web.yaml", format!("{web}---\n{map}"));
    again(&flowmap);
    assert!(read(&flowmap, "production/web.yaml").ends_with(&format!("---\n{map}")));
    assert!(read(&flowmap, "production/db.yaml").ends_with(&format!("---\n{own}")));
    assert!(read(&flowmap, "REVIEW.md").contains("production/db.yaml#mine: yours, kept as it is"));
}

#[test]
fn the_order_of_rules_of_ports_and_of_fields_decides_nothing() {
    let flowmap = proposed();
    let before = files(&flowmap.path("out"));
    let api = read(&flowmap, "production/api.yaml");
    let moved = api.replacen(REDIS, "", 1).replacen("  egress:\n", &format!("  egress:\n{REDIS}"), 1);
    assert_ne!(moved, api);
    flowmap.write("out/production/api.yaml", moved);
    again(&flowmap);
    assert!(files(&flowmap.path("out")) == before);
    edit(&flowmap, "production/api.yaml", "protocol: TCP\n      port: 6379", "port: 6379\n      protocol: TCP");
    again(&flowmap);
    assert!(files(&flowmap.path("out")) == before);
}

#[test]
fn what_cannot_be_read_is_an_error_and_nothing_is_lost() {
    let flowmap = proposed();
    edit(&flowmap, "production/api.yaml", "spec:", "spec: [");
    let before = files(&flowmap.path("out"));
    flowmap
        .run(&SUGGEST)
        .is_an_error(&["out/production/api.yaml: what was changed there cannot be read", "hint: mend it"]);
    assert!(files(&flowmap.path("out")) == before);
}

#[test]
fn a_damaged_or_hostile_record_is_an_error_and_nothing_is_lost() {
    let flowmap = proposed();
    let good = read(&flowmap, "evidence.json");
    let inward = r#"{"side": "inward", "peer": null, "port": null}"#;
    let cases = [
        good[..good.len() / 2].to_owned(),
        "[]".to_owned(),
        "{}".to_owned(),
        good.replacen("\"decisions\": {", "\"decisions\": 7, \"x\": {", 1),
        good.replacen("\"written\": {", "\"written\": [], \"x\": {", 1),
        good.replacen("\"rejected_policies\": []", "\"rejected_policies\": [\"production/web.yaml\"]", 1),
        good.replacen("\"added\": {}", &format!("\"added\": {{\"production/web.yaml#web\": [{inward}]}}"), 1),
        "[".repeat(100_000),
    ];
    for case in cases {
        flowmap.write("out/evidence.json", &case);
        let before = files(&flowmap.path("out"));
        flowmap.run(&SUGGEST).is_an_error(&["out/evidence.json: is there already", "hint: move it away"]);
        assert!(files(&flowmap.path("out")) == before);
    }
    // names that lead elsewhere are not believed
    flowmap.write("secret.yaml", "a: 1\n");
    let hostile = good.replacen("\"files\": [", "\"files\": [\"../secret.yaml\", \"/etc/passwd\", ", 1).replacen(
        "\"written\": {",
        "\"written\": {\"../secret.yaml#x\": {\"object\": {}}, ",
        1,
    );
    flowmap.write("out/evidence.json", hostile);
    flowmap.run(&SUGGEST);
    assert_eq!(fs::read_to_string(flowmap.path("secret.yaml")).unwrap(), "a: 1\n");
}

#[test]
fn the_folder_of_an_older_flowmap_is_taken_over_and_told() {
    let flowmap = proposed();
    let before = files(&flowmap.path("out"));
    let mut evidence: serde_json::Value = serde_json::from_str(&read(&flowmap, "evidence.json")).unwrap();
    evidence.as_object_mut().unwrap().retain(|key, _| !matches!(key.as_str(), "written" | "decisions"));
    flowmap.write("out/evidence.json", evidence.to_string());
    let output = flowmap.ok(&SUGGEST);
    assert!(output.stderr.contains("was written by an older flowmap"), "{}", output.stderr);
    assert!(files(&flowmap.path("out")) == before);
}

#[test]
fn another_granularity_or_direction_in_the_same_folder_decides_nothing() {
    let flowmap = proposed();
    let before = files(&flowmap.path("out"));
    flowmap.ok(&[&SUGGEST[..], &["--granularity", "namespace"]].concat());
    flowmap.ok(&[&SUGGEST[..], &["--direction", "ingress"]].concat());
    flowmap.ok(&SUGGEST);
    assert!(files(&flowmap.path("out")) == before);
}

#[test]
fn another_folder_and_none_know_what_was_decided() {
    let flowmap = proposed();
    edit(&flowmap, "production/api.yaml", REDIS, "");
    again(&flowmap);
    let stream = flowmap.run(&["suggest", "-n", "production", "--out-dir", "-"]);
    // the ingress of cache alone
    assert_eq!((stream.code, stream.stdout.matches("port: 6379").count()), (1, 1), "{}", stream.stdout);
    flowmap.run(&["suggest", "-n", "production", "--out-dir", "other"]);
    let files_of = |folder: &str| files(&flowmap.path(folder));
    assert!(files_of("other") == files_of("out"));
    // a folder that knows another namespace alone
    flowmap.ok(&["suggest", "-n", "monitoring", "--out-dir", "third"]);
    flowmap.run(&["suggest", "-n", "production", "--out-dir", "third"]);
    let api = fs::read_to_string(flowmap.path("third/production/api.yaml")).unwrap();
    assert!(!api.contains("port: 6379"), "{api}");
    // put back, it is back everywhere
    let api = read(&flowmap, "production/api.yaml");
    flowmap.write("out/production/api.yaml", format!("{api}{REDIS}"));
    again(&flowmap);
    assert_eq!(flowmap.run(&["suggest", "-n", "production", "--out-dir", "-"]).code, 0);
}

/// Proposes again at a granularity.
#[track_caller]
fn at(flowmap: &Flowmap, granularity: &str) -> crate::common::Output {
    let output = flowmap.run(&[&SUGGEST[..], &["--granularity", granularity]].concat());
    assert!(output.code != 2, "{}", output.stderr);
    output
}

const OWN: &str =
    "  - to:\n    - ipBlock:\n        cidr: 192.0.2.77/32\n    ports:\n    - protocol: TCP\n      port: 4444\n";

#[test]
fn what_a_person_added_comes_through_other_granularities() {
    let flowmap = proposed();
    let api = read(&flowmap, "production/api.yaml");
    flowmap.write("out/production/api.yaml", format!("{api}{OWN}"));
    edit(&flowmap, "production/api.yaml", "apiVersion", "# see TICKET-7\napiVersion");
    again(&flowmap);
    let before = files(&flowmap.path("out"));
    for granularity in ["namespace", "tier", "namespace", "workload"] {
        at(&flowmap, granularity);
        assert!(read(&flowmap, "production/api.yaml").contains("port: 4444"), "{granularity}");
    }
    assert!(files(&flowmap.path("out")) == before);
    // what is edited meanwhile counts too
    at(&flowmap, "namespace");
    edit(&flowmap, "production/api.yaml", "port: 4444", "port: 5555");
    at(&flowmap, "namespace");
    at(&flowmap, "workload");
    let api = read(&flowmap, "production/api.yaml");
    assert!(api.contains("port: 5555") && !api.contains("port: 4444"), "{api}");
    edit(&flowmap, "production/api.yaml", "port: 5555", "port: 6666");
    again(&flowmap);
    let api = read(&flowmap, "production/api.yaml");
    assert!(api.contains("port: 6666") && !api.contains("port: 5555"), "{api}");
}

#[test]
fn a_policy_that_was_deleted_and_put_back_is_a_proposal_that_can_be_edited() {
    let flowmap = proposed();
    let before = files(&flowmap.path("out"));
    let api = read(&flowmap, "production/api.yaml");
    fs::remove_file(flowmap.path("out/production/api.yaml")).unwrap();
    again(&flowmap);
    flowmap.write("out/production/api.yaml", &api);
    again(&flowmap);
    assert!(files(&flowmap.path("out")) == before);
    flowmap.write("out/production/api.yaml", format!("{api}{OWN}"));
    again(&flowmap);
    assert!(read(&flowmap, "production/api.yaml").contains("#   added: egress to 192.0.2.77/32 on TCP/4444"));
}

#[test]
fn an_older_file_that_is_restored_leaves_no_comments_of_flowmaps_behind() {
    let flowmap = proposed();
    let before = files(&flowmap.path("out"));
    let older = read(&flowmap, "production/api.yaml").replacen("connections", "connections in all, 7 connections", 1);
    flowmap.write("out/production/api.yaml", &older);
    again(&flowmap);
    assert!(files(&flowmap.path("out")) == before);
    // a rule and its line, taken out and put back
    edit(&flowmap, "production/api.yaml", REDIS, "");
    again(&flowmap);
    flowmap.write("out/production/api.yaml", &older);
    again(&flowmap);
    assert!(files(&flowmap.path("out")) == before);
}

#[test]
fn what_a_person_added_and_took_out_again_leaves_nothing_behind() {
    let flowmap = proposed();
    let before = files(&flowmap.path("out"));
    let api = read(&flowmap, "production/api.yaml");
    flowmap.write("out/production/api.yaml", format!("{api}{OWN}"));
    again(&flowmap);
    flowmap.write("out/production/api.yaml", &api);
    again(&flowmap);
    assert!(files(&flowmap.path("out")) == before);
}

#[test]
fn decisions_that_do_not_apply_at_a_granularity_are_told_and_kept() {
    let flowmap = proposed();
    edit(&flowmap, "production/api.yaml", REDIS, "");
    again(&flowmap);
    let before = files(&flowmap.path("out"));
    let output = at(&flowmap, "namespace");
    let told = "production/api.yaml#api: removed: egress to app=cache on TCP/6379";
    assert!(output.stderr.contains(&format!("flowmap: {told} by hand: not in force")), "{}", output.stderr);
    let review = read(&flowmap, "REVIEW.md");
    assert!(review.contains(&format!("- {told}\n")) && review.contains("**not in force"), "{review}");
    at(&flowmap, "workload");
    assert!(files(&flowmap.path("out")) == before);
}

#[test]
fn a_field_that_was_taken_out_stays_out() {
    let flowmap = proposed();
    edit(&flowmap, "production/api.yaml", "  policyTypes:\n  - Ingress\n  - Egress\n", "");
    again(&flowmap);
    assert!(!read(&flowmap, "production/api.yaml").contains("policyTypes"));
    // put back, it is back
    edit(&flowmap, "production/api.yaml", "  ingress:\n", "  policyTypes:\n  - Ingress\n  - Egress\n  ingress:\n");
    again(&flowmap);
    assert!(read(&flowmap, "production/api.yaml").contains("  policyTypes:\n  - Ingress\n  - Egress\n"));
}

/// Proposes into a folder, and tells whether api may reach cache there.
#[track_caller]
fn reaches_cache(flowmap: &Flowmap, folder: &str) -> bool {
    let output = flowmap.run(&["suggest", "-n", "production", "--out-dir", folder]);
    assert!(output.code != 2, "{}", output.stderr);
    let api = || fs::read_to_string(flowmap.path(folder).join("production/api.yaml")).unwrap();
    if folder == "-" { output.stdout.matches("port: 6379").count() == 2 } else { api().contains("port: 6379") }
}

#[test]
fn an_older_folder_does_not_undo_what_was_decided_in_another() {
    let flowmap = proposed();
    assert!(reaches_cache(&flowmap, "other"));
    edit(&flowmap, "production/api.yaml", REDIS, "");
    again(&flowmap);
    for folder in ["other", "new", "-", "out", "other"] {
        assert!(!reaches_cache(&flowmap, folder), "{folder}");
    }
    // two folders with a decision each
    let own = |folder: &str, port: &str| {
        let path = format!("{folder}/production/api.yaml");
        let api = fs::read_to_string(flowmap.path(&path)).unwrap();
        flowmap.write(&path, format!("{api}{}", OWN.replace("4444", port)));
    };
    own("out", "4444");
    own("other", "5555");
    for folder in ["out", "other", "out", "new"] {
        assert!(!reaches_cache(&flowmap, folder), "{folder}");
    }
    let api = fs::read_to_string(flowmap.path("new/production/api.yaml")).unwrap();
    assert!(api.contains("port: 4444") && api.contains("port: 5555"), "{api}");
    // taken back in one folder, it is taken back in all
    let api = fs::read_to_string(flowmap.path("other/production/api.yaml")).unwrap();
    flowmap.write("other/production/api.yaml", format!("{api}{REDIS}"));
    for folder in ["other", "out", "new", "-", "out"] {
        assert!(reaches_cache(&flowmap, folder), "{folder}");
    }
    // and decided again
    let api = read(&flowmap, "production/api.yaml");
    flowmap.write("out/production/api.yaml", api.replacen(REDIS, "", 1));
    let api = read(&flowmap, "production/api.yaml");
    assert!(!api.contains("port: 6379"), "{api}");
    for folder in ["out", "other", "-"] {
        assert!(!reaches_cache(&flowmap, folder), "{folder}");
    }
}

#[test]
fn a_folder_from_elsewhere_keeps_its_decisions_where_the_store_knows_none() {
    let flowmap = proposed();
    edit(&flowmap, "production/api.yaml", REDIS, "");
    again(&flowmap);
    let elsewhere = Flowmap::with_sample();
    elsewhere.ok(&["suggest", "-n", "production", "--out-dir", "own"]);
    for (name, bytes) in files(&flowmap.path("out")).iter().filter(|(name, _)| !name.ends_with('/')) {
        elsewhere.write(&format!("out/{name}"), bytes);
    }
    for folder in ["out", "own", "-"] {
        assert!(!reaches_cache(&elsewhere, folder), "{folder}");
    }
}

#[test]
fn granularities_are_compared_as_nobody_decided_on_them() {
    let flowmap = proposed();
    let rows = |flowmap: &Flowmap| -> Vec<String> {
        read(flowmap, "REVIEW.md").lines().filter(|line| line.starts_with("| ")).map(str::to_owned).collect()
    };
    let before = rows(&flowmap);
    let row = |rows: &[String], name: &str| rows.iter().find(|row| row.starts_with(&format!("| {name} |"))).cloned();
    let figures = |row: Option<String>| row.and_then(|row| Some(row.splitn(3, '|').nth(2)?.to_owned()));
    assert!(row(&before, "**workload**").is_some() && row(&before, "tier").is_some(), "{before:?}");
    fs::remove_file(flowmap.path("out/production/db.yaml")).unwrap();
    again(&flowmap);
    let after = rows(&flowmap);
    for (name, apart) in [("**workload**", "workload"), ("tier", "tier"), ("namespace", "namespace")] {
        let apart = row(&after, &format!("{apart}, without decisions by hand"));
        assert_eq!(figures(apart), figures(row(&before, name)), "{name}: {after:?}");
    }
    assert_ne!(row(&after, "**workload**"), row(&before, "**workload**"));
}
