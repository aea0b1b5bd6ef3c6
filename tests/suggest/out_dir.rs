//! The folder that `flowmap suggest` writes to: all of a proposal or nothing, and never a file of somebody else.

use std::fs;

use crate::common::{Flowmap, files, proposal::SUGGEST};

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
    let told = flowmap.ok(&["suggest", "-n", "monitoring", "--out-dir", "out"]).stderr;
    assert!(told.contains("out: the documents of production go, for it was not asked for"), "{told}");
    flowmap.ok(&SUGGEST);
    assert!(!flowmap.path("out/monitoring").exists(), "a folder goes with its last file");
}

#[test]
fn what_was_edited_of_a_namespace_holds_also_where_the_next_run_asks_for_another() {
    let flowmap = Flowmap::with_sample();
    flowmap.ok(&["suggest", "-n", "monitoring", "-n", "production", "--out-dir", "out"]);
    let api = fs::read_to_string(flowmap.path("out/production/api.yaml")).unwrap();
    flowmap.write("out/production/api.yaml", api.replacen("port: 6379", "port: 6380", 1));
    flowmap.ok(&["suggest", "-n", "monitoring", "--out-dir", "out"]);
    for out_dir in ["out", "elsewhere"] {
        flowmap.run(&["suggest", "-n", "production", "--out-dir", out_dir]);
        let api = fs::read_to_string(flowmap.path(&format!("{out_dir}/production/api.yaml"))).unwrap();
        assert!(api.contains("port: 6380") && !api.contains("port: 6379"), "{out_dir}: {api}");
    }
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

/// Kills a run at the call that would put its `n`th file into its place, or remove it. False where it ended before.
fn is_killed(flowmap: &Flowmap, n: usize, args: &[&str]) -> bool {
    let calls = "rename,renameat,renameat2,unlink,unlinkat";
    let inject = format!("inject={calls}:signal=KILL:when={n}");
    let trace = format!("trace={calls}");
    let own = flowmap.command(args);
    let mut command = std::process::Command::new("strace");
    command.args(["-f", "-q", "-o", "/dev/null", "-e", &trace, "-e", &inject]).arg(own.get_program()).args(args);
    command.current_dir(flowmap.path("")).env("FLOWMAP_DB", flowmap.path("flowmap.db"));
    command.output().expect("strace starts").status.code().is_none_or(|code| code > 100)
}

fn has_strace() -> bool {
    let is_there = std::process::Command::new("strace").args(["-o", "/dev/null", "true"]).output();
    let is_there = is_there.is_ok_and(|output| output.status.success());
    if !is_there {
        crate::common::skipped("strace is not there, or may not trace");
    }
    is_there
}

const BY_NAMESPACE: [&str; 7] = ["suggest", "-n", "production", "--out-dir", "out", "--granularity", "namespace"];

#[test]
fn the_next_run_understands_a_folder_whose_writer_was_killed_at_any_file() {
    if !has_strace() {
        return;
    }
    let reference = Flowmap::with_sample();
    reference.ok(&SUGGEST);
    let expected = files(&reference.path("out"));
    for (killed, first) in [(&SUGGEST[..], true), (&BY_NAMESPACE, false)] {
        for n in 1.. {
            let flowmap = Flowmap::with_sample();
            if !first {
                flowmap.ok(&SUGGEST);
                flowmap.write("out/production/mine.yaml", "a: 1\n");
            }
            if !is_killed(&flowmap, n, killed) {
                assert!(n > 8, "{n} calls alone");
                break;
            }
            flowmap.ok(&SUGGEST);
            let mut found = files(&flowmap.path("out"));
            assert_eq!(found.remove("production/mine.yaml").is_some(), !first);
            for (name, bytes) in &expected {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                assert_eq!(found.remove(name).as_deref().map(text), Some(text(bytes)), "{name}, killed at {n}");
            }
            assert!(found.is_empty(), "left over at {n}: {:?}", found.keys());
        }
    }
}

#[test]
fn what_a_person_decided_outlasts_a_run_that_was_killed() {
    if !has_strace() {
        return;
    }
    let edited = || {
        let flowmap = Flowmap::with_sample();
        flowmap.ok(&SUGGEST);
        let api = fs::read_to_string(flowmap.path("out/production/api.yaml")).expect("a policy");
        let api = api.replacen("port: 6379", "port: 6380", 1).replacen("apiVersion", "# see TICKET-7\napiVersion", 1);
        flowmap.write("out/production/api.yaml", api);
        fs::remove_file(flowmap.path("out/production/db.yaml")).expect("a policy");
        flowmap
    };
    let reference = edited();
    reference.run(&SUGGEST);
    let expected = files(&reference.path("out"));
    for n in 1.. {
        let flowmap = edited();
        if !is_killed(&flowmap, n, &SUGGEST) {
            break;
        }
        flowmap.run(&SUGGEST);
        assert!(files(&flowmap.path("out")) == expected, "killed at {n}");
    }
}

#[test]
fn a_folder_in_the_place_of_a_file_is_an_error_and_nothing_is_written() {
    let flowmap = Flowmap::with_sample();
    flowmap.ok(&SUGGEST);
    fs::remove_file(flowmap.path("out/REVIEW.md")).expect("a review");
    fs::create_dir(flowmap.path("out/REVIEW.md")).expect("a folder");
    let before = files(&flowmap.path("out"));
    flowmap.run(&BY_NAMESPACE).is_an_error(&["out/REVIEW.md: is a folder", "hint: move it away"]);
    assert_eq!(files(&flowmap.path("out")), before);
    fs::remove_dir(flowmap.path("out/REVIEW.md")).expect("a folder");
    flowmap.ok(&SUGGEST);
}

#[test]
fn two_at_a_time_write_one_after_the_other() {
    let flowmap = Flowmap::with_sample();
    for _ in 0..3 {
        let runs = [&SUGGEST[..], &BY_NAMESPACE, &SUGGEST, &BY_NAMESPACE];
        let children = runs.map(|args| {
            let mut command = flowmap.command(args);
            command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
            command.spawn().expect("flowmap starts")
        });
        for mut child in children {
            child.wait().expect("flowmap ends");
        }
        flowmap.ok(&SUGGEST);
        let found = files(&flowmap.path("out"));
        assert!(found.keys().all(|name| !name.contains(".flowmap-")), "{:?}", found.keys());
        let review = String::from_utf8_lossy(&found["REVIEW.md"]).into_owned();
        assert!(!review.contains("by hand"), "{review}");
    }
}

#[test]
fn a_file_that_a_person_made_from_a_policy_of_flowmaps_is_theirs() {
    let flowmap = Flowmap::with_sample();
    flowmap.ok(&SUGGEST);
    let api = fs::read_to_string(flowmap.path("out/production/api.yaml")).expect("a policy");
    flowmap.write("out/production/namespace.yaml", api.replace("name: api", "name: mine").replace("6379", "7777"));
    let before = files(&flowmap.path("out"));
    let words = ["out/production/namespace.yaml: is there already, and flowmap did not write it", "hint: move it away"];
    flowmap.run(&BY_NAMESPACE).is_an_error(&words);
    assert_eq!(files(&flowmap.path("out")), before);
}

#[test]
fn what_cannot_be_written_leaves_nothing_behind() {
    use std::os::unix::fs::PermissionsExt;
    let flowmap = Flowmap::with_sample();
    flowmap.ok(&SUGGEST);
    let before = files(&flowmap.path("out"));
    fs::set_permissions(flowmap.path("out/production"), fs::Permissions::from_mode(0o555)).expect("a folder");
    flowmap.as_a_mere_user(&SUGGEST).is_an_error(&["flowmap: out: "]);
    fs::set_permissions(flowmap.path("out/production"), fs::Permissions::from_mode(0o755)).expect("a folder");
    assert_eq!(files(&flowmap.path("out")), before);
}

#[test]
fn workloads_that_are_called_like_policies_have_a_policy_each_at_every_granularity() {
    use crate::common::{
        cluster::{list, node, pod},
        packets::Capture,
    };
    let long = "x".repeat(253);
    let names = ["web", "allow-dns-web", "default-deny", "default-deny-pod", "web-open", "application-2", &long];
    let mut items = vec![node("node-1", "192.0.2.1", "10.244.1.0/24")];
    let mut capture = Capture::new();
    for (n, name) in names.iter().enumerate() {
        let mut pod = pod(name, &format!("10.244.1.{}", n + 5));
        if *name == long {
            pod["metadata"]["labels"]["app"] = "long".into();
        }
        items.push(pod);
        let from = format!("10.244.1.{}:39999", n + 5);
        capture.talk(&from, "198.51.100.1:443").talk(&from, "10.244.1.5:53");
    }
    let flowmap = Flowmap::new();
    flowmap.write("node-1.pcap", capture.bytes());
    flowmap.write("cluster.json", list(&items));
    flowmap.ok(&["import", "--sensor", "node-1", "node-1.pcap"]);
    flowmap.ok(&["inventory", "import", "cluster.json"]);
    for granularity in ["workload", "tier", "namespace"] {
        for extra in [&[][..], &["--isolate-unseen"]] {
            let args = ["suggest", "-n", "shop", "--out-dir", "out", "--granularity", granularity];
            let output = flowmap.run(&[&args[..], extra].concat());
            assert!(output.code == 0, "{granularity}: {}", output.stderr);
            assert!(!output.stdout.contains("  -  "), "{}", output.stdout);
        }
        if granularity == "workload" {
            let policies = files(&flowmap.path("out/shop"));
            // default-deny, allow-dns and the kustomization
            assert_eq!(policies.len(), names.len() + 3, "{:?}", policies.keys());
        }
    }
}
