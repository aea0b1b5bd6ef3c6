use super::*;
use crate::model::{Protocol, ServiceKind, TargetPort};

#[test]
fn a_pod_is_read_with_all_that_says_who_it_is() {
    let cluster = cluster(&[mk_pod("web-1", "10.244.1.5")]);
    let pod = &cluster.pods[0];
    assert_eq!((pod.namespace.as_str(), pod.name.as_str()), ("shop", "web-1"));
    assert_eq!(pod.addresses, [ip("10.244.1.5")]);
    assert_eq!(pod.labels.get("app"), Some("web-1"));
    assert_eq!(pod.node.as_deref(), Some("node-1"));
    assert_eq!(
        (pod.ports[0].name.as_deref(), pod.ports[0].port, pod.ports[0].protocol),
        (Some("http"), 8080, Protocol::TCP)
    );
    assert_eq!(pod.started, Some(at("10:00:00")));
    assert!(!pod.finished && !pod.host_network);
}

#[test]
fn a_pod_has_both_its_addresses_and_mapped_ones_as_ipv4() {
    let pod = mk_pod("web-1", "10.244.1.5");
    let pod = with(pod, "/status/podIPs", json!([{"ip": "::ffff:10.244.1.5"}, {"ip": "fd00:10::5"}]));
    assert_eq!(cluster(&[pod]).pods[0].addresses, [ip("10.244.1.5"), ip("fd00:10::5")]);
}

#[test]
fn a_pod_started_when_it_was_made_where_no_start_is_told() {
    let pod = with(mk_pod("web-1", "10.244.1.5"), "/status/startTime", Value::Null);
    let pod = with(pod, "/metadata/creationTimestamp", "2026-09-21T09:59:00Z".into());
    assert_eq!(cluster(&[pod]).pods[0].started, Some(at("09:59:00")));
}

#[test]
fn a_pod_that_succeeded_or_failed_has_finished() {
    for (phase, finished) in [("Pending", false), ("Running", false), ("Succeeded", true), ("Failed", true)] {
        let pod = with(mk_pod("job-1", "10.244.1.5"), "/status/phase", phase.into());
        assert_eq!(cluster(&[pod]).pods[0].finished, finished, "{phase}");
    }
}

#[test]
fn a_pod_with_its_nodes_address_is_of_the_host_network_also_without_saying_so() {
    let told = with(mk_pod("proxy", "192.0.2.9"), "/spec/hostNetwork", true.into());
    assert!(cluster(&[told]).pods[0].host_network);
    assert!(cluster(&[mk_pod("proxy", "192.0.2.1")]).pods[0].host_network);
}

#[test]
fn sidecars_serve_and_other_init_containers_do_not() {
    let init =
        json!([{"ports": [{"containerPort": 1}]}, {"restartPolicy": "Always", "ports": [{"containerPort": 15090}]}]);
    let pod = with(mk_pod("web-1", "10.244.1.5"), "/spec/initContainers", init);
    let ports: Vec<u16> = cluster(&[pod]).pods[0].ports.iter().map(|port| port.port).collect();
    assert_eq!(ports, [15090, 8080]);
}

#[test]
fn a_node_has_all_its_addresses_and_ranges() {
    let node = mk_node("node-1", "192.0.2.1", "10.244.1.0/24");
    let node = with(node, "/spec/podCIDRs", json!(["10.244.1.0/24", "fd00:10:1::/64"]));
    let node = with(node, "/metadata/annotations", json!({"projectcalico.org/IPv4IPIPTunnelAddr": "10.244.1.64"}));
    let cluster = cluster(&[node]);
    assert_eq!(cluster.nodes[0].addresses, [ip("10.244.1.64"), ip("192.0.2.1")]);
    let ranges: Vec<String> = cluster.nodes[0].pod_ranges.iter().map(ToString::to_string).collect();
    assert_eq!(ranges, ["10.244.1.0/24", "fd00:10:1::/64"]);
}

#[test]
fn pods_tell_of_nodes_that_are_not_listed() {
    let cluster = cluster(&[mk_pod("web-1", "10.244.1.5"), mk_pod("web-2", "10.244.1.6")]);
    assert_eq!(cluster.nodes.len(), 1);
    assert_eq!((cluster.nodes[0].name.as_str(), &cluster.nodes[0].addresses[..]), ("node-1", &[ip("192.0.2.1")][..]));
}

#[test]
fn every_namespace_has_the_label_with_its_name() {
    let cluster = cluster(&[mk_object("v1", "Namespace", "shop")]);
    assert_eq!(cluster.namespaces[0].labels.get("kubernetes.io/metadata.name"), Some("shop"));
}

#[test]
fn a_service_is_read_with_its_addresses_and_ports() {
    let service = mk_service("web", "10.96.0.7");
    let service = with(service, "/spec/type", "LoadBalancer".into());
    let service = with(service, "/spec/externalIPs", json!(["198.51.100.7"]));
    let service = with(
        service,
        "/status",
        json!({"loadBalancer": {"ingress": [{"ip": "203.0.113.7"}, {"hostname": "lb.example"}]}}),
    );
    let ports = json!([{"name": "http", "port": 80, "targetPort": "http", "nodePort": 30080},
                       {"name": "same", "port": 81}, {"name": "dns", "port": 53, "targetPort": 5353, "protocol": "UDP"}]);
    let service = &cluster(&[with(service, "/spec/ports", ports)]).services[0];
    assert_eq!(service.kind, ServiceKind::LoadBalancer);
    assert_eq!(service.cluster_ips, [ip("10.96.0.7")]);
    assert_eq!(service.external_ips, [ip("198.51.100.7"), ip("203.0.113.7")]);
    let port = |name: &str| service.ports.iter().find(|port| port.name.as_deref() == Some(name)).unwrap();
    assert_eq!((&port("http").target, port("http").node_port), (&TargetPort::Name("http".into()), Some(30080)));
    assert_eq!((&port("same").target, port("same").node_port), (&TargetPort::Number(81), None));
    assert_eq!((&port("dns").target, port("dns").protocol), (&TargetPort::Number(5353), Protocol::UDP));
}

#[test]
fn whom_a_load_balancer_lets_in_is_read_from_its_field_else_from_the_annotation_of_old() {
    let ranges = |service: Value| -> Vec<String> {
        cluster(&[service]).services[0].source_ranges.iter().map(ToString::to_string).collect()
    };
    let service = mk_service("web", "10.96.0.7");
    let key = "service.beta.kubernetes.io/load-balancer-source-ranges";
    let annotated = with(service.clone(), "/metadata/annotations", json!({key: "198.51.100.0/24, 203.0.113.7/32"}));
    assert_eq!(ranges(service), [""; 0]);
    assert_eq!(ranges(annotated.clone()), ["198.51.100.0/24", "203.0.113.7/32"]);
    let both = with(annotated, "/spec/loadBalancerSourceRanges", json!(["2001:db8::/32"]));
    assert_eq!(ranges(both), ["2001:db8::/32"]);
}

#[test]
fn a_headless_service_has_no_address_and_an_empty_selector_is_none() {
    let service = with(mk_service("db", "None"), "/spec/selector", json!({}));
    let service = &cluster(&[service]).services[0];
    assert_eq!((&service.cluster_ips, &service.selector), (&vec![], &None));
}

#[test]
fn endpoints_and_slices_of_one_service_count_once() {
    let mut endpoints = mk_object("v1", "Endpoints", "web");
    endpoints["subsets"] = json!([{"addresses": [{"ip": "10.244.1.5"}], "notReadyAddresses": [{"ip": "10.244.1.6"}],
                                   "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}]}]);
    let mut slice = mk_object("discovery.k8s.io/v1", "EndpointSlice", "web-x7k2p");
    slice["metadata"]["labels"] = json!({"kubernetes.io/service-name": "web"});
    slice["addressType"] = "IPv4".into();
    slice["endpoints"] = json!([{"addresses": ["10.244.1.5"], "conditions": {"ready": true}},
                                {"addresses": ["10.244.1.7"], "conditions": {"ready": false}}]);
    slice["ports"] = json!([{"name": "http", "port": 8080, "protocol": "TCP"}]);
    let cluster = cluster(&[endpoints, slice]);
    let addresses: Vec<IpAddr> = cluster.endpoints.iter().map(|endpoint| endpoint.address).collect();
    assert_eq!(addresses, [ip("10.244.1.5"), ip("10.244.1.6"), ip("10.244.1.7")]);
    assert!(cluster.endpoints.iter().all(|endpoint| endpoint.service == "web" && endpoint.port == Some(8080)));
}

#[test]
fn policies_of_every_kind_are_kept_as_they_were_written() {
    let kinds = [
        ("networking.k8s.io/v1", "NetworkPolicy"),
        ("cilium.io/v2", "CiliumNetworkPolicy"),
        ("crd.projectcalico.org/v1", "GlobalNetworkPolicy"),
    ];
    let policies: Vec<Value> = kinds.map(|(version, kind)| mk_object(version, kind, "deny")).to_vec();
    let cluster = cluster(&policies);
    assert_eq!(cluster.policies.len(), 3);
    assert!(cluster.policies.iter().all(|raw| raw.source == "cluster.json" && policies.contains(&raw.object)));
}

#[test]
fn kinds_that_say_nothing_are_counted_and_keep_their_secrets() {
    let secret = with(mk_object("v1", "Secret", "key"), "/data", json!({"key": "aHVzaA=="}));
    let foreign = mk_object("serving.knative.dev/v1", "Service", "web");
    let reading = reading(&[secret.clone(), secret, foreign]);
    let skipped: Vec<(&str, usize)> = reading.skipped.iter().map(|(kind, count)| (kind.as_str(), *count)).collect();
    assert_eq!(skipped, [("Secret", 2), ("Service.serving.knative.dev", 1)]);
    assert!(reading.objects.iter().all(|object| !object.contains("aHVzaA")));
    assert_eq!(reading.problems, []);
}

#[test]
fn a_kind_that_is_called_a_list_but_has_a_name_is_an_object() {
    let reading = reading(&[mk_object("example.com/v1", "AllowList", "office")]);
    assert_eq!(reading.skipped.get("AllowList.example.com"), Some(&1));
}

#[test]
fn typed_lists_of_the_api_lend_their_items_the_kind() {
    let mut pod = mk_pod("web-1", "10.244.1.5");
    pod.as_object_mut().unwrap().retain(|key, _| key != "kind" && key != "apiVersion");
    let list = json!({"kind": "PodList", "apiVersion": "v1", "items": [pod]});
    assert_eq!(read("pods.json", list.to_string().as_bytes()).unwrap().cluster.pods.len(), 1);
}

#[test]
fn json_yaml_and_many_documents_give_the_same_cluster() {
    let objects = [mk_pod("web-1", "10.244.1.5"), mk_service("web-1", "10.96.0.7")];
    let expected = cluster(&objects);
    let yaml = objects.iter().map(|object| crate::yaml::write(object).unwrap()).collect::<Vec<_>>().join("---\n");
    let list_yaml = crate::yaml::write(&json!({"apiVersion": "v1", "kind": "List", "items": objects})).unwrap();
    let lines = objects.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    let array = json!(objects).to_string();
    let marked = format!("\u{feff}{array}");
    let in_flow_style = format!("{{kind: List, items: {}}}", json!(objects));
    for text in [yaml, list_yaml, lines, array, marked, in_flow_style] {
        assert_eq!(read("any", text.as_bytes()).unwrap().cluster, expected, "{text}");
    }
}

#[test]
fn the_objects_of_a_reading_give_it_again() {
    let policy = mk_object("networking.k8s.io/v1", "NetworkPolicy", "deny");
    let pod = owned(mk_pod("web-5d78c9869d-x2x9q", "10.244.1.5"), "ReplicaSet", "web-5d78c9869d");
    let set = owned(mk_owner("apps/v1", "ReplicaSet", "web-5d78c9869d"), "Deployment", "web");
    let custom = mk_object("example.com/v1", "Shop", "all");
    let mut first =
        reading(&[pod, set, owned(mk_owner("apps/v1", "Deployment", "web"), "Shop", "all"), custom, policy]);
    first.skipped.clear();
    let again = read("cluster.json", first.objects.join("\n").as_bytes()).unwrap();
    assert_eq!(again.cluster, first.cluster);
    assert_eq!(again.objects, first.objects);
    assert_eq!(first.cluster.pods[0].workload.kind, "Shop");
}

#[test]
fn a_reading_is_as_old_as_the_latest_time_in_it() {
    let node = mk_node("node-1", "192.0.2.1", "10.244.1.0/24");
    let node = with(node, "/status/conditions", json!([{"lastHeartbeatTime": "2026-09-21T12:00:00Z"}]));
    assert_eq!(reading(&[mk_pod("web-1", "10.244.1.5"), node]).taken_at, Some(at("12:00:00")));
}

#[test]
fn items_in_another_order_give_an_equal_cluster() {
    let mut items = vec![
        mk_node("node-1", "192.0.2.1", "10.244.1.0/24"),
        mk_node("node-2", "192.0.2.2", "10.244.2.0/24"),
        mk_object("v1", "Namespace", "shop"),
        owned(mk_owner("apps/v1", "ReplicaSet", "web-5d78c9869d"), "Deployment", "web"),
        mk_owner("apps/v1", "Deployment", "web"),
        owned(mk_pod("web-5d78c9869d-x2x9q", "10.244.1.5"), "ReplicaSet", "web-5d78c9869d"),
        // the same pod with another controller: two listings that disagree
        owned(mk_pod("web-5d78c9869d-x2x9q", "10.244.1.5"), "ReplicaSet", "other"),
        mk_pod("bare", "10.244.1.6"),
        mk_service("web", "10.96.0.7"),
        with(mk_service("web", "10.96.0.8"), "/spec/ports", json!([])),
    ];
    let expected = cluster(&items);
    for turn in 0..items.len() {
        items.rotate_left(1);
        items.swap(0, turn);
        assert_eq!(cluster(&items), expected);
    }
    items.extend(items.clone());
    assert_eq!(cluster(&items), expected);
}
