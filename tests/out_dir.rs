//! The folder that `flowmap suggest` writes to: all of a proposal or nothing, and never a file of somebody else.

#![cfg(feature = "cli")]

mod common;

use std::fs;

use common::{Flowmap, files};

const SUGGEST: [&str; 5] = ["suggest", "-n", "production", "--out-dir", "out"];

#[test]
fn a_proposal_holds_the_files_that_the_contract_names() {
    let flowmap = Flowmap::with_sample();
    flowmap.ok(&SUGGEST);
    let found = files(&flowmap.path("out"));
    let namespace = ["allow-dns", "api", "cache", "db", "debug", "default-deny", "kustomization", "web"];
    let mut expected: Vec<String> = namespace.map(|name| format!("production/{name}.yaml")).to_vec();
    expected.extend(["evidence.json", "REVIEW.md", "production/"].map(str::to_owned));
    for name in &expected {
        assert!(found.contains_key(name), "{name} is missing among {:?}", found.keys());
    }
    assert!(found.keys().all(|name| expected.contains(name) || name == "report.html"), "{:?}", found.keys());
}

#[test]
fn files_of_others_stay_and_those_no_longer_wanted_go() {
    let flowmap = Flowmap::with_sample();
    flowmap.ok(&["suggest", "-n", "monitoring", "-n", "production", "--out-dir", "out"]);
    flowmap.write("out/monitoring/notes.txt", "ours");
    flowmap.write("out/production/extra.yaml", "kind: ConfigMap\n");
    flowmap.write("out/.gitignore", "*.bak\n");
    assert!(flowmap.path("out/monitoring/prometheus.yaml").exists());

    flowmap.ok(&SUGGEST);
    let found = files(&flowmap.path("out"));
    assert_eq!(found["monitoring/notes.txt"], b"ours");
    assert_eq!(found["production/extra.yaml"], b"kind: ConfigMap\n");
    assert_eq!(found[".gitignore"], b"*.bak\n");
    let in_monitoring: Vec<_> = found.keys().filter(|name| name.starts_with("monitoring/")).collect();
    assert_eq!(in_monitoring, ["monitoring/", "monitoring/notes.txt"]);

    fs::remove_file(flowmap.path("out/monitoring/notes.txt")).unwrap();
    flowmap.ok(&["suggest", "-n", "monitoring", "--out-dir", "out"]);
    flowmap.ok(&SUGGEST);
    assert!(!flowmap.path("out/monitoring").exists(), "a folder goes with its last file");
}

#[test]
fn a_file_of_somebody_else_in_the_way_is_an_error_and_stays() {
    for name in ["production/api.yaml", "production/kustomization.yaml", "REVIEW.md", "evidence.json"] {
        let flowmap = Flowmap::with_sample();
        flowmap.write(&format!("out/{name}"), "files: [mine]\n");
        let before = files(&flowmap.path("out"));
        flowmap.run(&SUGGEST).is_an_error(&[&format!("out/{name}: is there already"), "hint: move it away"]);
        assert_eq!(files(&flowmap.path("out")), before);
    }
}

#[test]
fn what_is_no_folder_to_write_to_is_an_error() {
    use std::os::unix::fs::PermissionsExt;
    let flowmap = Flowmap::with_sample();
    flowmap.write("file", "mine");
    for folder in ["file", "file/below"] {
        let output = flowmap.run(&["suggest", "-n", "production", "--out-dir", folder]);
        output.is_an_error(&[&format!("flowmap: {folder}: "), "hint: name a folder"]);
    }
    assert_eq!(fs::read(flowmap.path("file")).unwrap(), b"mine");

    flowmap.ok(&SUGGEST);
    let before = files(&flowmap.path("out"));
    for folder in ["out", "out/production"] {
        fs::set_permissions(flowmap.path(folder), fs::Permissions::from_mode(0o555)).unwrap();
    }
    flowmap.as_a_mere_user(&SUGGEST).is_an_error(&["flowmap: out: ", "hint: name a folder"]);
    assert!(files(&flowmap.path("out")) == before);
    for folder in ["out", "out/production"] {
        fs::set_permissions(flowmap.path(folder), fs::Permissions::from_mode(0o755)).unwrap();
    }
}

#[test]
fn a_run_that_fails_before_it_writes_leaves_the_folder_as_it_was() {
    let flowmap = Flowmap::with_sample();
    flowmap.ok(&SUGGEST);
    let before = files(&flowmap.path("out"));
    flowmap.run(&["suggest", "-n", "production", "-n", "default", "--out-dir", "out"]).is_an_error(&["default"]);
    assert!(files(&flowmap.path("out")) == before);
    flowmap.run(&["suggest", "-n", "default", "--out-dir", "new"]).is_an_error(&["default"]);
    assert!(!flowmap.path("new").exists());
}
