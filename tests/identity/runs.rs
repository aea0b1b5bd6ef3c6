//! Pods of workflows, pipelines and builds, whose owners live for one run.

use serde_json::{Value, json};

use crate::common::{
    Flowmap,
    cluster::{list, node, owned, pod, with},
    packets::Capture,
};

/// A pod of a run, with the labels that tell which.
fn run(name: &str, address: &str, labels: &Value) -> Value {
    with(with(pod(name, address), "/metadata/name", name.into()), "/metadata/labels", labels.clone())
}

/// A store in which all of these pods called a database.
fn flowmap(pods: &[Value]) -> Flowmap {
    let flowmap = Flowmap::new();
    let others = [pod("db", "10.244.1.5"), node("node-1", "192.0.2.1", "10.244.1.0/24")];
    flowmap.write("cluster.json", list(&[pods, &others].concat()));
    let mut capture = Capture::new();
    for (n, pod) in pods.iter().enumerate() {
        capture.talk(&format!("{}:4000{n}", pod["status"]["podIP"].as_str().unwrap()), "10.244.1.5:8080");
    }
    flowmap.write("x.pcap", capture.bytes());
    flowmap.ok(&["inventory", "import", "cluster.json"]);
    flowmap.ok(&["import", "x.pcap"]);
    flowmap
}

#[test]
fn what_tells_a_run_never_selects() {
    let workflow = |name: &str, address: &str| {
        let pod = run(&format!("{name}-extract-1"), address, &json!({"workflows.argoproj.io/workflow": name}));
        owned(pod, "Workflow", name)
    };
    let mut build = run("runner-7", "10.244.1.8", &json!({"job.runner.gitlab.com/pod": "runner-7"}));
    build["metadata"].as_object_mut().unwrap().remove("ownerReferences");
    let task = json!({"tekton.dev/taskRun": "scan-8k2", "tekton.dev/taskRunUID": "c0ffee", "tekton.dev/task": "scan"});
    let task = owned(run("scan-8k2-pod", "10.244.1.9", &task), "TaskRun", "scan-8k2");
    let pods = [workflow("etl-x7f2q", "10.244.1.6"), workflow("etl-b2k9z", "10.244.1.7"), build, task];
    let flowmap = flowmap(&pods);
    flowmap.ok(&["suggest", "-n", "shop", "--out-dir", "out"]);
    let files: Vec<_> = std::fs::read_dir(flowmap.path("out/shop")).unwrap().map(|file| file.unwrap().path()).collect();
    let policies: String = files.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    assert!(policies.contains("app: db") && policies.contains("tekton.dev/task: scan"), "{policies}");
    for key in ["workflows.argoproj.io/workflow:", "job.runner.gitlab.com/pod:", "tekton.dev/taskRun"] {
        assert!(!policies.contains(key), "{key}: {policies}");
    }
}

#[test]
fn the_workflows_of_a_schedule_are_one_workload() {
    let scheduled = |second: u32, address: &str| {
        let name = format!("report-{second}");
        let pod = run(&format!("{name}-send-1"), address, &json!({"workflows.argoproj.io/workflow": name}));
        owned(pod, "Workflow", &name)
    };
    let flowmap = flowmap(&[scheduled(1_795_478_400, "10.244.1.6"), scheduled(1_795_482_000, "10.244.1.7")]);
    let flows = flowmap.json(&["flows"]);
    let [flow] = &flows.as_array().unwrap()[..] else { panic!("{flows}") };
    assert_eq!((&flow["client"]["name"], &flow["connections"]), (&"shop/report".into(), &2.into()));
}
