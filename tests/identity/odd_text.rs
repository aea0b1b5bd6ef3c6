//! Inventories, hosts files, policies and probes that are damaged, packed, or written as other systems write them.

use std::{fs, io::Write as _, path::Path};

use flate2::{Compression, write::GzEncoder};

use crate::common::Flowmap;

const POLICY: &str = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n\
                      metadata: {name: none, namespace: production}\nspec: {podSelector: {}}\n";

fn packed(text: &str) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(text.as_bytes()).unwrap();
    packed.finish().unwrap()
}

/// How many connections these policies deny, and what is said beside.
fn denied(flowmap: &Flowmap, args: &[&str]) -> (u64, String) {
    let output = flowmap.run(&[&["simulate", "-o", "json"], args].concat());
    assert!(output.code < 2, "{args:?}: {}", output.stderr);
    let value: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    (value["denied"].as_u64().unwrap(), output.stderr)
}

#[test]
fn policies_are_read_through_compression_and_as_utf_16() {
    let flowmap = Flowmap::with_sample();
    flowmap.write("plain.yaml", POLICY);
    flowmap.write("marked.yaml", format!("\u{feff}{}", POLICY.replace('\n', "\r\n")));
    flowmap
        .write("wide.yaml", format!("\u{feff}{POLICY}").encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>());
    flowmap.write("packed", packed(POLICY));
    flowmap.write("folder/none.yaml.gz", packed(POLICY));
    flowmap.write("folder2/none.yml.zst", zstd::encode_all(POLICY.as_bytes(), 3).unwrap());
    let (expected, _) = denied(&flowmap, &["plain.yaml"]);
    assert!(expected > 100);
    for name in ["marked.yaml", "wide.yaml", "packed", "folder", "folder2"] {
        assert_eq!(denied(&flowmap, &[name]).0, expected, "{name}");
    }
    let mut cut = packed(POLICY);
    cut.truncate(cut.len() - 9);
    flowmap.write("cut.yaml.gz", cut);
    flowmap.run(&["simulate", "cut.yaml.gz"]).is_an_error(&["flowmap: cut.yaml.gz: damaged: "]);
}

#[test]
fn lenient_also_skips_documents_that_are_no_yaml() {
    let flowmap = Flowmap::with_sample();
    flowmap.write("plain.yaml", POLICY);
    flowmap.write("mixed.yaml", format!("kind: [\n---\n{POLICY}---\n7\n"));
    flowmap.run(&["simulate", "mixed.yaml"]).is_an_error(&["mixed.yaml: ", "hint: ", "--lenient"]);
    let (count, said) = denied(&flowmap, &["--lenient", "mixed.yaml"]);
    assert_eq!(count, denied(&flowmap, &["plain.yaml"]).0);
    for words in [
        "skipped: mixed.yaml: line ",
        "mixed.yaml: document 3: is no object",
        "2 documents that are no objects were skipped",
    ] {
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn a_time_without_zone_is_refused_with_one_that_has_it() {
    let flowmap = Flowmap::new();
    for (given, meant) in [
        ("2026-09-21T10:00", "2026-09-21T10:00Z"),
        ("2026-09-21 10:00:01", "2026-09-21T10:00:01Z"),
        ("2026-09-21", "2026-09-21T00:00:00Z"),
    ] {
        let words = format!("has no zone, as RFC 3339 wants it: in UTC it is {meant}");
        flowmap.run(&["flows", "--since", given]).is_an_error(&[&words]);
        let value = flowmap.run(&["flows", "--until", meant]);
        assert_eq!(value.code, 0, "{}", value.stderr);
    }
}

#[test]
fn devices_and_endless_files_are_refused() {
    if !Path::new("/dev/zero").exists() {
        return;
    }
    let flowmap = Flowmap::with_sample();
    for args in [
        &["inventory", "import", "/dev/zero"][..],
        &["simulate", "/dev/zero"],
        &["explain", "--probes", "/dev/zero", "--policies", "/dev/zero"],
    ] {
        flowmap.run(args).is_an_error(&["/dev/zero: "]);
    }
    // a question that cannot be answered has its error in its place
    let asked = flowmap.run(&["explain", "--probes", "/dev/zero"]);
    assert_eq!((asked.code, asked.stdout.lines().count()), (2, 1), "{}", asked.stdout);
    assert!(asked.stderr.contains("flowmap: /dev/zero: line 1: "), "{}", asked.stderr);
}

#[test]
fn a_hosts_file_with_two_columns_of_a_name_is_refused() {
    let flowmap = Flowmap::new();
    flowmap.write("hosts.csv", "address,name,Name\n10.0.0.1,a,b\n");
    flowmap.run(&["inventory", "import", "hosts.csv"]).is_an_error(&["hosts.csv: two columns are called `name`"]);
    flowmap.write("hosts.csv", "address,name\n10.0.0.1,\"a\n10.0.0.2,b\n");
    let said = flowmap.ok(&["inventory", "import", "hosts.csv"]).stderr;
    assert!(said.contains("hosts.csv: line 2: a quote is opened in it and not closed"), "{said}");
    assert!(said.contains("1 host"), "{said}");
    fs::remove_file(flowmap.path("hosts.csv")).unwrap();
}
