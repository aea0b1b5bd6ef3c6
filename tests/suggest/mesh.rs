//! Meshes that hide the real port, and plugins that enforce nothing: said aloud, in status, on stderr and in the review.

use serde_json::{Value, json};

use crate::common::{
    Flowmap,
    cluster::{list, of, owned, pod, with},
    packets::Capture,
};

/// A store with these pods, and web's connections to one port of api.
fn flowmap(pods: &[Value], port: u16) -> Flowmap {
    let flowmap = Flowmap::new();
    flowmap.write("cluster.json", list(pods));
    let mut capture = Capture::new();
    capture.talk("10.244.1.5:40000", &format!("10.244.1.6:{port}")).talk("10.244.1.5:40001", "192.0.2.77:443");
    capture.talk("10.244.1.6:40001", "192.0.2.77:443");
    flowmap.write("x.pcap", capture.bytes());
    flowmap.ok(&["inventory", "import", "cluster.json"]);
    flowmap.ok(&["import", "x.pcap"]);
    flowmap
}

fn with_container(pod: Value, name: &str) -> Value {
    with(pod, "/spec/containers", json!([{"name": "app"}, {"name": name}]))
}

fn review(flowmap: &Flowmap) -> (String, String) {
    let output = flowmap.ok(&["suggest", "-n", "shop", "--out-dir", "out"]);
    (output.stderr, std::fs::read_to_string(flowmap.path("out/REVIEW.md")).unwrap())
}

#[test]
fn a_tunnel_of_a_mesh_is_said_and_its_rule_is_named() {
    let flowmap = flowmap(&[pod("web", "10.244.1.5"), pod("api", "10.244.1.6")], 15_008);
    let status = flowmap.json(&["status"]);
    assert_eq!(status["mesh"][0]["mesh"], "istio-ambient");
    assert_eq!(status["mesh"][0]["servers"], json!(["shop/api"]));
    let words = "the real port of shop/api is hidden in 1 connection to TCP/15008 (Istio HBONE)";
    let (stderr, review) = review(&flowmap);
    assert!(stderr.contains(words) && review.contains(words), "{stderr}{review}");
    let policy = std::fs::read_to_string(flowmap.path("out/shop/api.yaml")).unwrap();
    assert!(policy.contains("web on TCP/15008 (Istio HBONE)") && policy.contains("port: 15008"), "{policy}");
}

#[test]
fn linkerds_port_counts_where_linkerd_runs() {
    let web = pod("web", "10.244.1.5");
    let plain = flowmap(&[web.clone(), pod("api", "10.244.1.6")], 4_143);
    assert_eq!(plain.json(&["status"])["mesh"], json!([]));
    let meshed = flowmap(&[web, with_container(pod("api", "10.244.1.6"), "linkerd-proxy")], 4_143);
    assert_eq!(meshed.json(&["status"])["mesh"][0]["mesh"], "linkerd");
}

#[test]
fn an_ordinary_port_hides_nothing() {
    let flowmap = flowmap(&[pod("web", "10.244.1.5"), with_container(pod("api", "10.244.1.6"), "istio-proxy")], 8_080);
    assert_eq!(flowmap.json(&["status"])["mesh"], json!([]));
    assert!(!review(&flowmap).1.contains("Mesh"));
}

/// The agent of a network plugin.
fn agent(namespace: &str, name: &str) -> Value {
    let agent = with(owned(pod(name, "192.0.2.1"), "DaemonSet", name), "/spec/hostNetwork", true.into());
    of(namespace, agent)
}

#[test]
fn the_network_plugin_is_known_by_its_agent() {
    let table = [
        ("kube-flannel", "kube-flannel-ds", "Flannel", "no"),
        ("kube-system", "kube-flannel-ds-amd64", "Flannel", "no"),
        ("kube-system", "cilium", "Cilium", "yes"),
        ("kube-system", "anetd", "Cilium", "yes"),
        ("calico-system", "calico-node", "Calico", "yes"),
        ("kube-system", "canal", "Canal", "yes"),
        ("openshift-ovn-kubernetes", "ovnkube-node", "OVN-Kubernetes", "yes"),
        ("kube-system", "kindnet", "kindnet", "unknown"),
        ("kube-system", "aws-node", "Amazon VPC CNI", "unknown"),
        // an operator is left behind where the agent is not, and anybody may call a pod so
        ("kube-system", "cilium-operator", "unknown", "unknown"),
        ("shop", "calico-node", "unknown", "unknown"),
    ];
    for (namespace, name, plugin, enforces) in table {
        let flowmap = flowmap(&[pod("web", "10.244.1.5"), pod("api", "10.244.1.6"), agent(namespace, name)], 8_080);
        let found = &flowmap.json(&["status"])["network_plugins"][0]["plugin"];
        assert_eq!((&found["name"], &found["ingress"]), (&plugin.into(), &enforces.into()), "{namespace}/{name}");
    }
}

#[test]
fn calico_beside_flannel_enforces() {
    let agents = [agent("kube-flannel", "kube-flannel-ds"), agent("kube-system", "calico-node")];
    let flowmap = flowmap(&[&[pod("web", "10.244.1.5"), pod("api", "10.244.1.6")], &agents[..]].concat(), 8_080);
    assert_eq!(flowmap.json(&["status"])["network_plugins"][0]["plugin"]["name"], "Calico");
}

#[test]
fn a_plugin_that_ignores_policies_is_warned_of_loudly() {
    let pods = [pod("web", "10.244.1.5"), pod("api", "10.244.1.6"), agent("kube-flannel", "kube-flannel-ds")];
    let flowmap = flowmap(&pods, 8_080);
    let (stderr, review) = review(&flowmap);
    assert!(stderr.contains("WARNING: network plugin Flannel: does not enforce NetworkPolicies"), "{stderr}");
    assert!(review.contains("**The network plugin ignores policies:** Flannel"), "{review}");
    let known = flowmap.json(&["inventory", "list"]);
    let plugin = known.as_array().unwrap().iter().find(|it| it["kind"] == "network-plugin").unwrap();
    assert!(plugin["name"].as_str().unwrap().starts_with("Flannel: does not enforce"));
}

/// Istio's ambient mode hands on the kubelet's checks under one link-local address, which no node has.
#[test]
fn health_checks_of_an_ambient_pod_are_let_in() {
    let annotated = |name: &str, address: &str| {
        with(pod(name, address), "/metadata/annotations", json!({"ambient.istio.io/redirection": "enabled"}))
    };
    let policy = |api: Value| {
        let flowmap = Flowmap::new();
        flowmap.write("cluster.json", list(&[pod("web", "10.244.1.5"), api]));
        flowmap.write("seen.csv", "client,server,protocol,port\n169.254.7.127,10.244.1.6,TCP,8080\n");
        let files = ["--from", "seen.csv", "--inventory", "cluster.json"];
        flowmap.run(&[&["suggest", "-n", "shop", "--out-dir", "out", "--isolate-unseen"][..], &files].concat());
        let simulated = flowmap.run(&[&["simulate", "out", "-o", "json"][..], &files].concat()).stdout;
        let simulated: Value = serde_json::from_str(&simulated).unwrap();
        (std::fs::read_to_string(flowmap.path("out/shop/api.yaml")).unwrap(), simulated["allowed"].clone())
    };
    let (ambient, allowed) = policy(annotated("api", "10.244.1.6"));
    assert!(ambient.contains("cidr: 169.254.7.127/32") && allowed == json!(1), "{ambient}");
    let (plain, _) = policy(pod("api", "10.244.1.6"));
    assert!(!plain.contains("cidr: 169.254.7.127/32"), "{plain}");
}
