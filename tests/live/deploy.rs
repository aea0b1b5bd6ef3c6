//! What is handed to others to run flowmap: manifests of Kubernetes, and a unit of systemd.

use std::{path::Path, process::Command};

use crate::common::{
    Flowmap,
    python::{has_modules, script},
    skipped,
};

#[test]
fn the_manifests_are_what_an_api_server_accepts_and_the_kustomization_lists_them_all() {
    if has_modules(&["yaml", "kubernetes_validate"]) {
        let told = script("manifests.py", &[&Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy")]);
        assert_eq!(told.trim(), "Namespace ServiceAccount DaemonSet ServiceAccount ClusterRole ClusterRoleBinding");
    }
}

/// What kustomize makes of a folder, as documents; `None`, said, where there is no `kubectl`.
fn kustomized(folder: &Path) -> Option<Vec<serde_json::Value>> {
    let Ok(output) = Command::new("kubectl").arg("kustomize").arg(folder).output() else {
        skipped("no kubectl");
        return None;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(flowmap::yaml::read_all(&String::from_utf8(output.stdout).expect("UTF-8")).expect("YAML"))
}

#[test]
fn kustomize_takes_the_manifests_and_the_policies_as_they_are() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let Some(manifests) = kustomized(&root.join("deploy")) else { return };
    let kinds: Vec<&str> = manifests.iter().filter_map(|it| it["kind"].as_str()).collect();
    assert_eq!(
        kinds,
        ["Namespace", "ServiceAccount", "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "DaemonSet"]
    );
    let folder = root.join("policies-out/production");
    let mut expected: Vec<serde_json::Value> = Vec::new();
    for file in std::fs::read_dir(&folder).expect("the folder") {
        let path = file.expect("a file").path();
        let text = std::fs::read_to_string(&path).expect("text");
        expected.extend(flowmap::yaml::read_all(&text).expect("YAML"));
    }
    expected.retain(|document| document["kind"] == "NetworkPolicy");
    let policies = kustomized(&folder).expect("kubectl, as before");
    let by_name = |mut all: Vec<serde_json::Value>| {
        all.sort_by_key(|it| it["metadata"]["name"].as_str().map(str::to_owned));
        all
    };
    assert!(expected.len() > 5, "{expected:?}");
    assert_eq!(by_name(policies), by_name(expected));
}

#[test]
fn the_daemon_of_the_manifests_has_one_capability_and_no_token() {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/daemonset.yaml"));
    let documents = flowmap::yaml::read_all(&text.expect("the manifest")).expect("YAML");
    let pod = &documents.last().expect("a document")["spec"]["template"]["spec"];
    let rights = &pod["containers"][0]["securityContext"];
    assert_eq!(rights["capabilities"], serde_json::json!({"drop": ["ALL"], "add": ["NET_RAW"]}));
    assert_eq!(pod["automountServiceAccountToken"], false);
    // its arguments are some that flowmap knows
    let args = pod["containers"][0]["args"].as_array().expect("arguments").iter();
    let args: Vec<&str> = args.map(|it| it.as_str().expect("text")).chain(["--for", "nonsense"]).collect();
    let said = Flowmap::new().run(&args).stderr;
    assert!(said.contains("`nonsense` is not a duration"), "{said}");
}

#[test]
fn the_image_is_built_with_the_oldest_rust_that_the_package_wants_and_runs_a_command_that_there_is() {
    let text =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/Dockerfile")).expect("the file");
    let wanted = format!("FROM rust:{}-slim-bookworm AS build", env!("CARGO_PKG_RUST_VERSION"));
    assert!(text.lines().any(|line| line == wanted), "{text}");
    let command = text.lines().find_map(|line| line.strip_prefix("CMD ")).expect("a command");
    let command: Vec<String> = serde_json::from_str(command).expect("a list");
    let arguments: Vec<&str> = command.iter().map(String::as_str).chain(["--for", "nonsense"]).collect();
    assert!(Flowmap::new().run(&arguments).stderr.contains("`nonsense` is not a duration"));
}

#[test]
fn the_unit_is_one_that_systemd_takes() {
    let flowmap = Flowmap::new();
    let unit = flowmap.ok(&["gen", "systemd", "eth0", "eth1", "--program", "/bin/true"]).stdout;
    for line in ["Type=notify", "CapabilityBoundingSet=CAP_NET_RAW", "WatchdogSec=60", "NoNewPrivileges=yes"] {
        assert!(unit.lines().any(|it| it == line), "{unit}");
    }
    let start = "ExecStart=/bin/true --db /var/lib/flowmap/flowmap.db capture --metrics 127.0.0.1:9464 eth0 eth1";
    assert!(unit.lines().any(|it| it == start), "{unit}");
    let told = flowmap.ok(&["--db", "mine.db", "gen", "systemd"]).stderr;
    assert!(
        told.starts_with("flowmap: mine.db: the unit has a store of its own, /var/lib/flowmap/flowmap.db"),
        "{told}"
    );
    assert_eq!(flowmap.run(&["gen", "systemd", "eth0\nExecStartPre=/bin/true"]).code, 2);
    flowmap.write("flowmap.service", &unit);
    let verify =
        Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(flowmap.path("flowmap.service")).output();
    match verify {
        Err(_) => skipped("systemd-analyze is not there"),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(!said.contains("flowmap.service:"), "{said}");
        }
    }
}
