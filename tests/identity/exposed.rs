//! Addresses outside of the cluster that lead to Services.

use serde_json::{Value, json};

use crate::common::{
    Flowmap,
    cluster::{list, node, pod, service, with},
    packets::Capture,
};

/// Flows by the names of their ends: `client > server:port via Service`.
fn flows(flowmap: &Flowmap, files: &[&str]) -> Vec<String> {
    let flows = flowmap.json(&[&["flows", "--from", "x.pcap", "--inventory"], files].concat());
    let word = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let line = |flow: &Value| {
        let (client, server) = (word(&flow["client"]["name"]), word(&flow["server"]["name"]));
        let via = flow["via"].as_array().unwrap().first().map(|via| format!(" via {}", word(&via["service"])));
        format!("{client} > {server}:{}{}", flow["port"], via.unwrap_or_default())
    };
    let mut lines: Vec<String> = flows.as_array().unwrap().iter().map(line).collect();
    lines.sort();
    lines
}

#[test]
fn an_address_outside_is_a_service_at_its_ports_alone_and_as_a_server() {
    let exposed = |name: &str, own: &str, port: u16| {
        let service = with(service(name, own), "/spec/externalIPs", json!(["192.0.2.50"]));
        with(service, "/spec/ports/0/port", port.into())
    };
    let pods = [pod("web", "10.244.1.5"), pod("api", "10.244.1.6"), node("node-1", "192.0.2.1", "10.244.1.0/24")];
    let services = [exposed("web", "10.96.0.7", 443), exposed("empty", "10.96.0.8", 444)];
    let flowmap = Flowmap::new();
    flowmap.write("cluster.json", list(&[&pods[..], &services].concat()));
    flowmap.write("hosts.csv", "address,name\n192.0.2.50,keepalived\n");
    let mut capture = Capture::new();
    for (n, port) in [443, 444, 5432].into_iter().enumerate() {
        capture.talk(&format!("10.244.1.6:4000{n}"), &format!("192.0.2.50:{port}"));
    }
    capture.talk("203.0.113.9:41000", "192.0.2.50:443").talk("192.0.2.50:50000", "10.244.1.6:9000");
    flowmap.write("x.pcap", capture.bytes());
    let told = |name: &str| {
        let mut lines = vec![
            "203.0.113.9 > shop/web:8080 via shop/web".to_owned(),
            "shop/api > shop/empty:444 via shop/empty".to_owned(),
            "shop/api > shop/web:8080 via shop/web".to_owned(),
            format!("shop/api > {name}:5432"),
            format!("{name} > shop/api:9000"),
        ];
        lines.sort();
        lines
    };
    assert_eq!(flows(&flowmap, &["cluster.json", "hosts.csv"]), told("keepalived"));
    assert_eq!(flows(&flowmap, &["cluster.json"]), told("192.0.2.50"));
}

#[test]
fn a_pod_that_dials_a_load_balancer_that_proxies_is_let_out_to_its_address_and_the_service_lets_in_what_comes_back() {
    let balanced = |mode: &str| {
        let service = with(service("web", "10.96.0.7"), "/spec/type", "LoadBalancer".into());
        let ingress = json!({"loadBalancer": {"ingress": [{"ip": "192.0.2.80", "ipMode": mode}]}});
        with(service, "/status", ingress)
    };
    let pods = [pod("web", "10.244.1.5"), pod("api", "10.244.1.6"), pod("other", "10.244.1.7")];
    let node = node("node-1", "192.0.2.1", "10.244.1.0/24");
    let mut capture = Capture::new();
    capture.talk("10.244.1.6:40000", "192.0.2.80:80").talk("10.244.1.7:40000", "10.244.1.5:8080");
    let suggested = |mode: &str| {
        let flowmap = Flowmap::new();
        flowmap.write("x.pcap", capture.bytes());
        flowmap.write("cluster.json", list(&[&pods[..], &[balanced(mode), node.clone()]].concat()));
        let files = ["--from", "x.pcap", "--inventory", "cluster.json"];
        flowmap.ok(&[&["suggest", "-n", "shop", "--out-dir", "out"][..], &files].concat());
        ["api", "web"].map(|name| flowmap.read(&format!("out/shop/{name}.yaml")))
    };
    let [api, web] = suggested("Proxy");
    assert!(api.contains("192.0.2.80/32") && !api.contains("app: web"), "{api}");
    assert!(web.contains("0.0.0.0/0") && !web.contains("app: api"), "{web}");
    let [api, web] = suggested("VIP");
    assert!(!api.contains("192.0.2.80") && api.contains("app: web"), "{api}");
    assert!(!web.contains("0.0.0.0/0") && web.contains("app: api"), "{web}");
}
