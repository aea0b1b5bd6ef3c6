use super::*;
use crate::model::{Protocol, Span, Timestamp};

fn directory(items: &[Value]) -> Directory {
    Directory::new(&cluster(items))
}

/// A pod that the Service `web` selects.
fn web(name: &str, address: &str) -> Value {
    with(mk_pod(name, address), "/metadata/labels", json!({"app": "web", "of": name}))
}

fn names(pods: &[&crate::model::Pod]) -> Vec<String> {
    pods.iter().map(|pod| pod.name.clone()).collect()
}

fn mk_endpoints(name: &str, addresses: &[&str]) -> Value {
    let addresses: Vec<Value> = addresses.iter().map(|ip| json!({"ip": ip})).collect();
    let ports = json!([{"name": "http", "port": 6443}, {"name": "metrics", "port": 9090}]);
    with(mk_object("v1", "Endpoints", name), "/subsets", json!([{"addresses": addresses, "ports": ports}]))
}

#[test]
fn backends_are_selected_in_the_services_namespace_and_have_not_ended() {
    let elsewhere = with(web("web-3", "10.244.1.7"), "/metadata/namespace", "other".into());
    let ended = with(web("web-4", "10.244.1.8"), "/status/phase", "Failed".into());
    let items = [
        web("web-1", "10.244.1.5"),
        web("web-2", "10.244.1.6"),
        elsewhere,
        ended,
        mk_pod("db", "10.244.1.9"),
        mk_service("web", "10.96.0.7"),
    ];
    let directory = directory(&items);
    assert_eq!(names(&directory.backends(&directory.cluster().services[0])), ["web-1", "web-2"]);
}

#[test]
fn without_a_selector_backends_are_behind_the_endpoints() {
    let service = with(mk_service("legacy", "10.96.0.8"), "/spec/selector", Value::Null);
    let endpoints = mk_endpoints("legacy", &["10.244.1.5", "198.51.100.9"]);
    let directory = directory(&[service, endpoints, web("web-1", "10.244.1.5"), web("web-2", "10.244.1.6")]);
    assert_eq!(names(&directory.backends(&directory.cluster().services[0])), ["web-1"]);
}

#[test]
fn a_named_target_port_is_each_pods_own() {
    let other =
        with(web("web-2", "10.244.1.6"), "/spec/containers/0/ports", json!([{"name": "http", "containerPort": 9090}]));
    let unnamed = with(web("web-3", "10.244.1.7"), "/spec/containers/0/ports", json!([{"containerPort": 80}]));
    let udp = with(
        web("web-4", "10.244.1.8"),
        "/spec/containers/0/ports",
        json!([{"name": "http", "containerPort": 80, "protocol": "UDP"}]),
    );
    let directory = directory(&[web("web-1", "10.244.1.5"), other, unnamed, udp, mk_service("web", "10.96.0.7")]);
    let service = &directory.cluster().services[0];
    let targets: Vec<Option<u16>> = directory.backends(service).iter().map(|pod| service.ports[0].on(pod)).collect();
    assert_eq!(targets, [Some(8080), Some(9090), None, None]);
    assert_eq!(
        directory.present_targets(service, &service.ports[0]),
        [(ip("10.244.1.5"), 8080), (ip("10.244.1.6"), 9090)]
    );
}

#[test]
fn targets_without_pods_are_the_endpoints_of_that_port() {
    let service = with(mk_service("kubernetes", "10.96.0.1"), "/spec/selector", Value::Null);
    let directory =
        directory(&[service, mk_endpoints("kubernetes", &["192.0.2.1"]), mk_endpoints("other", &["192.0.2.2"])]);
    let service = &directory.cluster().services[0];
    assert_eq!(directory.present_targets(service, &service.ports[0]), [(ip("192.0.2.1"), 6443)]);
}

#[test]
fn a_service_is_found_by_any_of_its_addresses_and_a_port_it_has() {
    let service = with(mk_service("web", "10.96.0.7"), "/spec/externalIPs", json!(["198.51.100.7"]));
    let directory = directory(&[service]);
    let found = |address: &str, protocol, port| {
        directory.service_at(ip(address), protocol, port).map(|(service, _)| service.name.as_str())
    };
    assert_eq!(found("10.96.0.7", Protocol::TCP, 80), Some("web"));
    assert_eq!(found("198.51.100.7", Protocol::TCP, 80), Some("web"));
    assert_eq!(found("10.96.0.7", Protocol::UDP, 80), None);
    assert_eq!(found("10.96.0.7", Protocol::TCP, 8080), None);
    assert_eq!(directory.cluster_ips(), [ip("10.96.0.7")]);
}

#[test]
fn services_that_share_an_address_are_told_apart_by_port() {
    let shared = |name: &str, own: &str, port: u16| {
        let service = with(mk_service(name, own), "/spec/externalIPs", json!(["198.51.100.7"]));
        with(service, "/spec/ports", json!([{"port": port}]))
    };
    let directory = directory(&[shared("a", "10.96.0.7", 80), shared("b", "10.96.0.8", 443)]);
    let (service, port) = directory.service_at(ip("198.51.100.7"), Protocol::TCP, 443).unwrap();
    assert_eq!((service.name.as_str(), port.port), ("b", 443));
}

#[test]
fn a_node_port_leads_to_its_service() {
    let ports = json!([{"name": "http", "port": 80, "nodePort": 30080}]);
    let directory =
        directory(&[with(with(mk_service("web", "None"), "/spec/ports", ports), "/spec/type", "NodePort".into())]);
    let at = Timestamp::new(1_790_000_000, 0);
    let (service, port) = directory.node_port_over(Protocol::TCP, 30080, Span::at(at)).unwrap();
    assert_eq!((service.name.as_str(), port.port), ("web", 80));
    assert!(directory.node_port_over(Protocol::UDP, 30080, Span::at(at)).is_none());
    assert!(directory.node_port_over(Protocol::TCP, 80, Span::at(at)).is_none());
}

#[test]
fn a_pod_declares_its_container_ports_while_it_owns_its_address() {
    let directory = directory(&[web("web-1", "10.244.1.5")]);
    let declares = |time: &str, protocol, port| directory.declares(ip("10.244.1.5"), at(time), protocol, port);
    assert!(declares("10:30:00", Protocol::TCP, 8080));
    assert!(!declares("10:30:00", Protocol::UDP, 8080));
    assert!(!declares("10:30:00", Protocol::TCP, 80));
    assert!(!declares("09:30:00", Protocol::TCP, 8080));
}
