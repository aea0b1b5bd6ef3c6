//! What is true of today alone: labels of one revision, load balancers' addresses, nodes, and whoever else may take a place.

use serde_json::{Value, json};

use crate::common::{
    Flowmap,
    cluster::{list, node, object, owned, pod, service, with},
};

/// A proposal for `shop` from connections by address, in a folder of its own.
struct Proposed(Flowmap);

impl Proposed {
    fn new(items: &[Value], seen: &[(&str, &str, u16)]) -> Self {
        let flowmap = Flowmap::new();
        let mut all = vec![node("node-1", "192.0.2.1", "10.244.1.0/24"), node("node-2", "192.0.2.2", "10.244.2.0/24")];
        all.extend_from_slice(items);
        flowmap.write("cluster.json", list(&all));
        let rows = seen.iter().map(|(client, server, port)| format!("{client},{server},TCP,{port}\n"));
        flowmap.write("seen.csv", format!("client,server,protocol,port\n{}", rows.collect::<String>()));
        let files = ["--from", "seen.csv", "--inventory", "cluster.json", "--isolate-unseen"];
        flowmap.ok(&[&["suggest", "-n", "shop", "--out-dir", "out"][..], &files].concat());
        Self(flowmap)
    }

    fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.0.path("out").join(path)).unwrap_or_else(|_| panic!("no {path}"))
    }

    /// Whom the policy of a workload selects, in a line.
    fn selects(&self, name: &str) -> String {
        let text = self.read(&format!("shop/{name}.yaml"));
        let labels = text.split("matchLabels:").nth(1).and_then(|rest| rest.split("policyTypes").next());
        labels.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// The caution of a kind, one line for each place.
    fn caution(&self, what: &str) -> String {
        let review = self.read("REVIEW.md");
        review.lines().filter(|line| line.contains(&format!("**{what}"))).collect::<Vec<_>>().join("\n")
    }

    fn policy(&self, name: &str) -> String {
        let text = self.read(&format!("shop/{name}.yaml"));
        text.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n")
    }
}

fn labelled(name: &str, address: &str, labels: Value) -> Value {
    with(with(pod(name, address), "/metadata/labels", labels), "/metadata/name", format!("{name}-xk2p9").into())
}

fn bare(name: &str, address: &str, labels: Value) -> Value {
    let named = with(labelled(name, address, labels), "/metadata/name", name.into());
    with(named, "/metadata/ownerReferences", json!([]))
}

/// A Deployment without pods.
fn template(name: &str, labels: Value) -> Value {
    let mut deployment = object("apps/v1", "Deployment", name);
    deployment["spec"] = json!({"replicas": 0, "template": {"spec": {"containers": [{"name": "c"}]}}});
    with(with(deployment, "/spec/template/metadata", json!({})), "/spec/template/metadata/labels", labels)
}

#[test]
fn the_next_revision_is_selected_too() {
    let knative = |n: u8| {
        json!({"app": format!("hello-0000{n}"), "serving.knative.dev/revision": format!("hello-0000{n}"),
               "serving.knative.dev/configuration": "hello"})
    };
    let items = [
        owned(labelled("hello-00002", "10.244.1.5", knative(2)), "Deployment", "hello-00002-deployment"),
        template("hello-00001-deployment", knative(1)),
        pod("db", "10.244.1.9"),
    ];
    let proposed = Proposed::new(&items, &[("10.244.1.5", "10.244.1.9", 5432)]);
    // both revisions, by the label that the third will have
    assert_eq!(proposed.selects("hello-00001-deployment"), "serving.knative.dev/configuration: hello");

    let config = json!({"deployment": "web-3", "deploymentconfig": "web"});
    let web = owned(labelled("web-3", "10.244.1.5", config), "ReplicationController", "web-3");
    let proposed = Proposed::new(&[web, pod("db", "10.244.1.9")], &[("10.244.1.5", "10.244.1.9", 5432)]);
    assert_eq!(proposed.selects("web"), "deploymentconfig: web", "whose controller is named after it");
}

/// It needs nothing but what the next one was seen to need, and does not keep that open.
#[test]
fn a_past_revision_without_pods_leaves_nothing_open() {
    let labels = |n: u8| json!({"app": "web", "moniker.spinnaker.io/sequence": n.to_string()});
    let web = owned(labelled("web-v012", "10.244.1.5", labels(12)), "ReplicaSet", "web-v012");
    let past = |labels: Value| {
        let set = with(template("web-v011", labels), "/kind", "ReplicaSet".into());
        let flowmap = Flowmap::new();
        let items = [node("node-1", "192.0.2.1", "10.244.1.0/24"), web.clone(), set, pod("db", "10.244.1.9")];
        flowmap.write("cluster.json", list(&items));
        let mut capture = crate::common::packets::Capture::new();
        capture.talk("10.244.1.5:40000", "10.244.1.9:5432").talk("10.244.1.5:40001", "10.244.1.9:5432");
        flowmap.write("x.pcap", capture.bytes());
        flowmap.ok(&["inventory", "import", "cluster.json"]);
        flowmap.ok(&["import", "--sensor", "node-1", "x.pcap"]);
        flowmap.ok(&["suggest", "-n", "shop", "--out-dir", "out"]).stderr
    };
    assert!(!past(labels(11)).contains("left open"), "{}", past(labels(11)));
    // of another with the very same labels nobody knows what it needs
    assert!(past(labels(12)).contains("left open"));
}

#[test]
fn the_name_of_the_workload_selects_before_the_number_of_a_build() {
    let labels = json!({"build": "123", "service": "web"});
    let web = owned(labelled("web", "10.244.1.5", labels), "CloneSet", "web");
    let proposed = Proposed::new(&[web, pod("db", "10.244.1.9")], &[("10.244.1.5", "10.244.1.9", 5432)]);
    assert_eq!(proposed.selects("web"), "service: web");
}

/// The next `Trial` of the same experiment has another name.
#[test]
fn the_name_of_one_run_does_not_select_before_what_lasts() {
    let labels = json!({"katib.kubeflow.org/experiment": "exp", "katib.kubeflow.org/trial": "exp-abc123"});
    let trial = owned(labelled("exp-abc123", "10.244.1.5", labels), "Trial", "exp-abc123");
    let proposed = Proposed::new(&[trial, pod("db", "10.244.1.9")], &[("10.244.1.5", "10.244.1.9", 5432)]);
    assert_eq!(proposed.selects("exp-abc123"), "katib.kubeflow.org/experiment: exp");
}

/// A pipeline makes a Job for each release, with the number of its build.
#[test]
fn jobs_of_one_run_each_are_told() {
    let run = |build: &str, label: &str, address: &str| {
        let labels = json!({"app": "migrate", "build": label});
        let mut job =
            owned(labelled(&format!("migrate-{build}-x"), address, labels), "Job", &format!("migrate-{build}"));
        job["status"]["phase"] = "Succeeded".into();
        job
    };
    let seen = [("10.244.1.5", "10.244.1.9", 5432), ("10.244.1.6", "10.244.1.9", 5432)];
    let told = |labels: [&str; 2]| {
        let runs = [run("7", labels[0], "10.244.1.5"), run("8", labels[1], "10.244.1.6"), pod("db", "10.244.1.9")];
        Proposed::new(&runs, &seen).caution("Pods made one by one")
    };
    let runs = told(["1231", "1232"]);
    assert!(runs.contains("migrate-7, migrate-8 of shop") && runs.contains("differ in build alone"), "{runs}");
    assert_eq!(told(["1", "1"]), "");
    // Jobs of different work, of which each run is labelled as the one before
    let of = |name: &str, app: &str, address: &str| {
        let mut job = owned(labelled(&format!("{name}-x"), address, json!({"app": app})), "Job", name);
        job["status"]["phase"] = "Succeeded".into();
        job
    };
    for names in [["db-migrate", "db-seed"], ["backup-db-29400000", "backup-files-29400000"]] {
        let [first, second] = names;
        let jobs = [of(first, "one", "10.244.1.5"), of(second, "other", "10.244.1.6"), pod("db", "10.244.1.9")];
        assert_eq!(Proposed::new(&jobs, &seen).caution("Pods made one by one"), "", "{names:?}");
    }
}

#[test]
fn pods_that_something_makes_one_by_one_share_a_policy_or_are_told() {
    let seen = [("10.244.1.5", "10.244.1.9", 8081), ("10.244.1.6", "10.244.1.9", 8081)];
    let users = |key: &str| {
        let user = |name: &str, address: &str| {
            bare(&format!("jupyter-{name}"), address, json!({"component": "server", key: name}))
        };
        Proposed::new(&[user("alice", "10.244.1.5"), user("bob", "10.244.1.6"), pod("hub", "10.244.1.9")], &seen)
    };
    let known = users("hub.jupyter.org/username");
    assert_eq!(known.selects("jupyter-alice"), "component: server");
    assert_eq!(known.caution("Pods made one by one"), "");
    let told = users("example.com/user").caution("Pods made one by one");
    assert!(told.contains("jupyter-alice, jupyter-bob of shop") && told.contains("example.com/user alone"), "{told}");
}

/// An Ingress of a class to `web`.
fn ingress(class: &str) -> Value {
    let mut ingress = object("networking.k8s.io/v1", "Ingress", "web");
    ingress["metadata"]["annotations"] = json!({"kubernetes.io/ingress.class": class});
    let backend = json!({"service": {"name": "web", "port": {"number": 80}}});
    with(with(ingress, "/spec", json!({})), "/spec/rules", json!([{"http": {"paths": [{"backend": backend}]}}]))
}

#[test]
fn a_load_balancer_outside_that_an_ingress_is_for_is_let_in_by_whatever_address_it_comes() {
    let from = |class: &str, client: &str| {
        let items = [pod("web", "10.244.1.5"), service("web", "10.96.0.7"), ingress(class)];
        Proposed::new(&items, &[(client, "10.244.1.5", 8080), (client, "10.244.1.5", 9000)])
    };
    let alb = from("alb", "10.0.100.17");
    let policy = alb.policy("web");
    assert!(policy.contains("cidr: 10.0.0.0/8") && policy.contains("- 10.244.1.0/24"), "{policy}");
    assert!(policy.contains("cidr: 192.168.0.0/16") && !policy.contains("cidr: 35.191.0.0/16"), "{policy}");
    assert!(!policy.contains("0.0.0.0/0"), "a private client tells of no public one: {policy}");
    assert!(policy.contains("cidr: 10.0.100.17/32"), "the other port is no Ingress's: {policy}");
    assert!(alb.read("REVIEW.md").contains("exposed by the Ingress shop/web (alb)"));

    let public = from("alb", "203.0.113.9").policy("web");
    assert!(public.contains("cidr: 0.0.0.0/0") && public.contains("- 10.244.1.0/24"), "{public}");

    for client in ["10.129.0.7", "35.191.4.5"] {
        let internal = from("gce-internal", client).policy("web");
        assert!(internal.contains("cidr: 10.0.0.0/8") && internal.contains("cidr: 35.191.0.0/16"), "{internal}");
        assert!(!internal.contains("0.0.0.0/0"), "{internal}");
    }

    let google = from("gce", "35.191.4.5").policy("web");
    assert!(google.contains("cidr: 35.191.0.0/16") && google.contains("cidr: 130.211.0.0/22"), "{google}");
    assert!(!google.contains("0.0.0.0/0"), "{google}");

    // of a controller in the cluster such a client is not the load balancer, or nobody knows it
    let nginx = from("nginx", "10.0.100.17");
    assert!(!nginx.policy("web").contains("0.0.0.0/0"));
    let told = nginx.caution("A load balancer's addresses?");
    assert!(
        told.contains("shop/web from 10.0.100.17") && !alb.read("REVIEW.md").contains("A load balancer's"),
        "{told}"
    );

    // what comes from a node is the node's own
    assert!(!from("alb", "192.0.2.2").policy("web").contains("0.0.0.0/0"));
}

#[test]
fn an_ingress_does_not_lift_the_bounds_of_a_load_balancer_to_the_same_pods() {
    let from = |client: &str| {
        let balancer = with(service("web", "10.96.0.7"), "/spec/type", "LoadBalancer".into());
        let bounded = with(balancer, "/spec/loadBalancerSourceRanges", json!(["10.50.0.0/16"]));
        let items = [pod("web", "10.244.1.5"), bounded, ingress("alb")];
        Proposed::new(&items, &[(client, "10.244.1.5", 8080)]).policy("web")
    };
    for client in ["10.50.3.3", "192.0.2.2"] {
        let service = from(client);
        assert!(service.contains("cidr: 10.50.0.0/16") && service.contains("cidr: 192.0.2.1/32"), "{service}");
        assert!(!service.contains("cidr: 0.0.0.0/0") && !service.contains("cidr: 10.0.0.0/8"), "{service}");
    }
    // whom the Service does not let in dialled the pod
    let balancer = from("10.0.100.17");
    assert!(balancer.contains("cidr: 10.0.0.0/8") && !balancer.contains("cidr: 192.0.2.1/32"), "{balancer}");
}

#[test]
fn the_twin_that_a_service_may_be_switched_to_is_told() {
    let web = |name: &str, address: &str, label: (&str, &str)| {
        owned(labelled(name, address, json!({"app": "web", label.0: label.1})), "StatefulSet", name)
    };
    let told = |key: &str, selector: Value| {
        let items = [
            web("web-blue", "10.244.1.5", (key, "blue")),
            web("web-green", "10.244.1.6", (key, "green")),
            pod("client", "10.244.1.9"),
            with(service("web", "10.96.0.7"), "/spec/selector", selector),
        ];
        Proposed::new(&items, &[("10.244.1.9", "10.244.1.5", 8080)]).caution("One of two")
    };
    let blue = told("color", json!({"app": "web", "color": "blue"}));
    assert!(blue.contains("shop/web-green differs from it in color alone"), "{blue}");
    assert_eq!(told("color", json!({"app": "web"})), "", "it leads to both");
    assert_eq!(told("component", json!({"app": "web", "component": "blue"})), "", "they have roles of their own");
}

#[test]
fn others_behind_a_service_that_was_not_seen_to_be_dialled_are_told() {
    let api = |name: &str, address: &str| {
        owned(labelled(name, address, json!({"app": "api", "track": name})), "StatefulSet", name)
    };
    let told = |server: &str, port: u16| {
        let items = [
            api("stable", "10.244.1.5"),
            api("canary", "10.244.1.6"),
            pod("web", "10.244.1.9"),
            service("api", "10.96.0.7"),
        ];
        Proposed::new(&items, &[("10.244.1.9", server, port)]).caution("Some of those behind")
    };
    let direct = told("10.244.1.5", 8080);
    let words = "shop/web was seen with shop/stable, by their own addresses. If it asks for shop/api, it may be led to shop/canary";
    assert!(direct.contains(words), "{direct}");
    assert_eq!(told("10.96.0.7", 80), "", "both are allowed");
    assert_eq!(told("10.244.1.5", 9090), "", "the Service does not lead there");
}

#[test]
fn nodes_are_those_of_today_and_what_may_leave_one_is_told() {
    let agent = |kind: &str| {
        let agent = with(owned(pod("scraper", "192.0.2.2"), kind, "scraper"), "/spec/hostNetwork", true.into());
        with(with(agent, "/spec/nodeName", "node-2".into()), "/status/hostIP", "192.0.2.2".into())
    };
    let from = |kind: &str, client: &str| {
        Proposed::new(&[agent(kind), pod("api", "10.244.1.5")], &[(client, "10.244.1.5", 8080)])
    };
    let deployment = from("StatefulSet", "192.0.2.2");
    assert!(deployment.caution("Nodes of today").contains("shop/api: nodes are named by their addresses"));
    let told = deployment.caution("What may move");
    assert!(told.contains("shop/scraper: on the network of a node that a policy names"), "{told}");
    assert_eq!(from("DaemonSet", "192.0.2.2").caution("What may move"), "");
    assert_eq!(from("StatefulSet", "198.51.100.7").caution("Nodes of today"), "");
}
