use super::*;

/// The workload of the one pod among these, as `Deployment shop/web`.
fn workload(items: &[Value]) -> String {
    let cluster = cluster(items);
    let id = &cluster.pods[0].workload;
    format!("{} {id}", id.kind)
}

fn pod_of(kind: &str, owner: &str) -> Value {
    owned(mk_pod("one", "10.244.1.5"), kind, owner)
}

fn labelled(pod: Value, label: &str, value: &str) -> Value {
    let mut pod = pod;
    pod["metadata"]["labels"][label] = value.into();
    pod
}

#[test]
fn listed_owners_are_followed_to_the_top() {
    let set = owned(mk_owner("apps/v1", "ReplicaSet", "web-5d78c9869d"), "Deployment", "web");
    let pod = pod_of("ReplicaSet", "web-5d78c9869d");
    assert_eq!(workload(&[pod.clone(), set.clone()]), "Deployment shop/web");
    let deployment = owned(mk_owner("apps/v1", "Deployment", "web"), "WebApp", "site");
    let custom = mk_object("example.com/v1", "WebApp", "site");
    assert_eq!(workload(&[custom, pod, deployment, set]), "WebApp shop/site");
}

#[test]
fn a_deployment_stands_for_itself_where_its_owner_is_not_listed() {
    let set = owned(mk_owner("apps/v1", "StatefulSet", "prometheus-k8s"), "Prometheus", "k8s");
    assert_eq!(workload(&[pod_of("StatefulSet", "prometheus-k8s"), set.clone()]), "StatefulSet shop/prometheus-k8s");
    assert_eq!(cluster(&[set]).workloads.len(), 1);
}

#[test]
fn a_listed_replica_set_that_nobody_controls_is_a_workload() {
    let set = mk_owner("apps/v1", "ReplicaSet", "web-5d78c9869d");
    assert_eq!(workload(&[pod_of("ReplicaSet", "web-5d78c9869d"), set]), "ReplicaSet shop/web-5d78c9869d");
}

#[test]
fn owners_that_are_not_listed_are_known_by_their_names() {
    let hashed = |name: &str, label: &str, hash: &str| labelled(pod_of("ReplicaSet", name), label, hash);
    let table = [
        (hashed("web-abc", "pod-template-hash", "abc"), "Deployment shop/web"),
        (hashed("web-abc", "rollouts-pod-template-hash", "abc"), "Rollout shop/web"),
        (hashed("web-5d78c9869d", "pod-template-hash", "other"), "ReplicaSet shop/web-5d78c9869d"),
        (pod_of("ReplicaSet", "web-5d78c9869d"), "Deployment shop/web"),
        (pod_of("ReplicaSet", "my-web-97f7da3490"), "Deployment shop/my-web"),
        (pod_of("ReplicaSet", "web-v1"), "ReplicaSet shop/web-v1"),
        (pod_of("ReplicaSet", "my-frontend"), "ReplicaSet shop/my-frontend"),
        (pod_of("Job", "backup-28812345"), "CronJob shop/backup"),
        (pod_of("Job", "backup-1"), "Job shop/backup-1"),
        (pod_of("Job", "migrate"), "Job shop/migrate"),
        (pod_of("StatefulSet", "db"), "StatefulSet shop/db"),
        (pod_of("DaemonSet", "agent-5d78c9869d"), "DaemonSet shop/agent-5d78c9869d"),
        (pod_of("CloneSet", "web"), "CloneSet shop/web"),
        (mk_pod("one", "10.244.1.5"), "Pod shop/one"),
    ];
    for (pod, expected) in table {
        assert_eq!(workload(std::slice::from_ref(&pod)), expected, "{pod}");
    }
}

#[test]
fn a_job_leads_to_the_cron_job_it_names() {
    let job = owned(mk_owner("batch/v1", "Job", "backup-manual"), "CronJob", "backup");
    let mut cron = mk_object("batch/v1", "CronJob", "backup");
    cron["spec"] = json!({"jobTemplate": {"spec": {"template": {"metadata": {"labels": {"app": "backup"}}, "spec": {"containers": []}}}}});
    let items = [pod_of("Job", "backup-manual"), job, cron];
    assert_eq!(workload(&items), "CronJob shop/backup");
    let workloads = cluster(&items).workloads;
    assert_eq!(workloads.len(), 1);
    assert_eq!((workloads[0].id.kind.as_str(), workloads[0].template_labels.get("app")), ("CronJob", Some("backup")));
}

#[test]
fn static_pods_of_several_nodes_are_one_workload() {
    let on = |pod: &str, node: &str| with(owned(mk_pod(pod, "192.0.2.1"), "Node", node), "/spec/nodeName", node.into());
    assert_eq!(workload(&[on("kube-apiserver-cp-1", "cp-1")]), "Pod shop/kube-apiserver");
    assert_eq!(workload(&[on("kube-apiserver-cp-2", "cp-2")]), "Pod shop/kube-apiserver");
    assert_eq!(workload(&[on("odd", "cp-2")]), "Pod shop/odd");
    assert_eq!(workload(&[on("cp-2", "cp-2")]), "Pod shop/cp-2");
}

#[test]
fn an_owner_that_does_not_control_is_none() {
    let mut pod = pod_of("ConfigMap", "settings");
    pod["metadata"]["ownerReferences"][0]["controller"] = false.into();
    assert_eq!(workload(&[pod]), "Pod shop/one");
}

#[test]
fn owners_that_go_round_end() {
    let a = owned(mk_object("example.com/v1", "A", "a"), "B", "b");
    let b = owned(mk_object("example.com/v1", "B", "b"), "A", "a");
    assert_eq!(workload(&[pod_of("A", "a"), a, b]), "A shop/a");
}

#[test]
fn the_owners_of_another_namespace_are_others() {
    let set = owned(mk_owner("apps/v1", "ReplicaSet", "web"), "Deployment", "site");
    let set = with(set, "/metadata/namespace", "elsewhere".into());
    assert_eq!(workload(&[pod_of("ReplicaSet", "web"), set]), "ReplicaSet shop/web");
}

#[test]
fn whatever_has_a_pod_template_and_no_controller_is_a_workload() {
    let items = [
        mk_owner("apps/v1", "Deployment", "web"),
        owned(mk_owner("apps/v1", "ReplicaSet", "web-5d78c9869d"), "Deployment", "web"),
        with(mk_owner("apps/v1", "DaemonSet", "agent"), "/spec/template/spec/hostNetwork", true.into()),
        mk_owner("argoproj.io/v1alpha1", "Rollout", "api"),
    ];
    let cluster = cluster(&items);
    let names: Vec<String> =
        cluster.workloads.iter().map(|workload| format!("{} {}", workload.id.kind, workload.id.name)).collect();
    assert_eq!(names, ["DaemonSet agent", "Rollout api", "Deployment web"].map(str::to_owned));
    assert_eq!(cluster.workloads[2].ports[0].port, 8080);
    assert!(cluster.workloads[0].host_network && !cluster.workloads[2].host_network);
}
