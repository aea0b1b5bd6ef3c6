//! `docs/json.md` names every field that comes out of `-o json`.

use std::{collections::BTreeSet, fs};

use serde_json::Value;

use crate::common::{Flowmap, sample};

/// Objects whose keys are data, by heading and path.
const KEYS_ARE_DATA: [(&str, &str); 5] = [
    ("runs", "kinds"),       // names of protocols
    ("runs", "not_decoded"), // reasons
    ("runs", "bounds"),      // names of bounds
    ("suggest", "coverage"), // namespaces
    ("segments", "within"),  // names of segments
];

/// Objects that the page describes elsewhere: heading and path, and where.
const SAME_AS: [(&str, &str, &str, &str); 11] = [
    ("import", "run.", "runs", ""),
    ("status", "runs.", "runs", ""),
    ("suggest", "replay.", "simulate", ""),
    ("simulate", "closed.", "simulate", "findings."),
    ("simulate", "versus.", "simulate", ""),
    ("simulate", "reach.after.", "simulate", "reach.before."),
    ("explain", "ingress.", "explain", "egress."),
    ("tiers --why", "nearest.", "tiers --why", "role."),
    ("tiers --why", "role.missing.", "tiers --why", "role.shared."),
    ("tiers --why", "role.own.", "tiers --why", "role.shared."),
    ("firewall", "replay.findings.", "firewall", "left_out."),
];

/// A policy that denies what is needed, for findings.
const CLOSED: &str = "apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: closed, namespace: production}
spec: {podSelector: {}, policyTypes: [Ingress]}
";

/// Policies of the whole cluster decide before and after NetworkPolicies.
const ADMIN: &str = "apiVersion: policy.networking.k8s.io/v1alpha1
kind: AdminNetworkPolicy
metadata: {name: first}
spec:
  priority: 1
  subject: {namespaces: {}}
  ingress: [{name: nobody, action: Deny, from: [{namespaces: {}}]}]
";

/// The fields of a value by their paths, lists left out: `client.kind`; `*` stands for a key that is data.
fn fields(heading: &str, value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| fields(heading, item, path, found)),
        Value::Object(object) => {
            let (at, here) = place(heading, path);
            let is_data = KEYS_ARE_DATA.contains(&(&at, &here));
            for (key, value) in object {
                let key = if is_data { "*" } else { key };
                let below = if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
                fields(heading, value, &below, found);
                found.insert(below);
            }
        }
        _ => {}
    }
}

/// Where the page has a field: its heading, and its path there.
fn place(heading: &str, path: &str) -> (String, String) {
    let same = |(of, before, at, after): &(&str, &str, &'static str, &str)| {
        let rest = path.strip_prefix(before).filter(|_| *of == heading)?;
        Some((*at, format!("{after}{rest}")))
    };
    match SAME_AS.iter().find_map(same) {
        Some((at, path)) => place(at, &path),
        None => (heading.to_owned(), path.to_owned()),
    }
}

/// What stands below a heading of the page, its samples left out: a field is to be explained.
fn section<'p>(page: &'p str, heading: &str) -> Vec<&'p str> {
    let (_, rest) = page.split_once(&format!("\n## {heading}\n")).unwrap_or_else(|| panic!("no heading `{heading}`"));
    let section = rest.split("\n## ").next().unwrap_or_default();
    // between fences, and then between backquotes: every second piece
    let prose = section.split("```").step_by(2);
    prose.flat_map(|text| text.split('`').skip(1).step_by(2)).collect()
}

/// What every command prints, with its heading.
fn printed(flowmap: &Flowmap) -> Vec<(&'static str, Value)> {
    let tell = |args: &[&str]| -> Value {
        let output = flowmap.run(&[args, &["-o", "json"]].concat());
        assert!(output.code < 2, "{args:?}: {}", output.stderr);
        serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{args:?}: {error}"))
    };
    flowmap.write("closed/closed.yaml", CLOSED);
    flowmap.write("admin/admin.yaml", ADMIN);
    let node = sample("node-1.pcap");
    let ask = |policies| tell(&["explain", "production/web", "production/db", "5432", "--policies", policies]);
    vec![
        ("flows", tell(&["flows"])),
        ("flows", tell(&["flows", "--by", "address"])),
        ("tiers", tell(&["tiers"])),
        ("tiers --why", tell(&["tiers", "--why", "production/db"])),
        ("tiers --why", tell(&["tiers", "--from", &node, "--why", "10.244.1.3"])),
        ("segments", tell(&["segments"])),
        ("suggest", tell(&["suggest", "-n", "production"])),
        ("simulate", tell(&["simulate", "policies-out"])),
        ("simulate", tell(&["simulate", "closed", "--reach"])),
        ("simulate", tell(&["simulate", "closed", "--versus", "policies-out"])),
        ("explain", ask("policies-out")),
        ("explain", ask("admin")),
        ("diff", tell(&["diff", "closed", "policies-out"])),
        ("convert", tell(&["convert", "policies-out", "--to", "cilium"])),
        ("firewall", tell(&["firewall", "--from", &node])),
        ("runs", tell(&["runs"])),
        ("import", tell(&["import", &node])),
        ("status", tell(&["status"])),
        ("inventory list", tell(&["inventory", "list"])),
        ("inventory names", tell(&["inventory", "names"])),
        ("doctor", tell(&["doctor", "lo"])),
    ]
}

#[test]
fn the_reference_of_json_names_every_field_that_is_printed() {
    let page = fs::read_to_string("docs/json.md").expect("the page");
    let mut missing = BTreeSet::new();
    for (heading, value) in printed(&Flowmap::with_sample()) {
        let mut found = BTreeSet::new();
        fields(heading, &value, "", &mut found);
        assert!(!found.is_empty(), "{heading}: nothing was printed");
        let places = found.iter().map(|path| place(heading, path));
        missing.extend(places.filter(|(at, path)| !section(&page, at).contains(&&*path.replace(".*", ""))));
    }
    assert!(missing.is_empty(), "docs/json.md does not name {missing:#?}");
}
