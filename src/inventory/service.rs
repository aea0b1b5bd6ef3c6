//! Services and the addresses behind them.

use serde_json::Value;

use super::field::{addresses, at, labels, list, port, protocol, text};
use crate::model::{Endpoint, Service, ServiceKind, ServicePort, TargetPort};

type Tell<'t> = &'t mut dyn FnMut(String);

pub(super) fn service(value: &Value, namespace: String, name: String, problem: Tell<'_>) -> Option<Service> {
    let kind = match text(value, &["spec", "type"]) {
        None | Some("ClusterIP") => ServiceKind::ClusterIp,
        Some("NodePort") => ServiceKind::NodePort,
        Some("LoadBalancer") => ServiceKind::LoadBalancer,
        Some("ExternalName") => ServiceKind::ExternalName,
        Some(other) => {
            problem(format!("`{other}` is not a type of Service"));
            return None;
        }
    };
    let selector = Some(labels(value, &["spec", "selector"], problem)).filter(|selector| !selector.is_empty());
    let listed = list(value, &["spec", "clusterIPs"]).filter_map(Value::as_str);
    let cluster_ips = text(value, &["spec", "clusterIP"]).into_iter().chain(listed).filter(|ip| *ip != "None");
    let balancers = list(value, &["status", "loadBalancer", "ingress"]).filter_map(|ingress| text(ingress, &["ip"]));
    let external = list(value, &["spec", "externalIPs"]).filter_map(Value::as_str).chain(balancers);
    Some(Service {
        cluster_ips: addresses(cluster_ips, problem),
        external_ips: addresses(external, problem),
        ports: list(value, &["spec", "ports"]).filter_map(|value| service_port(value, problem)).collect(),
        namespace,
        name,
        kind,
        selector,
    })
}

fn service_port(value: &Value, problem: Tell<'_>) -> Option<ServicePort> {
    let (Some(number), Some(protocol)) = (port(value, &["port"]), protocol(value)) else {
        problem("a port of the Service is not one".into());
        return None;
    };
    let target = match at(value, &["targetPort"]) {
        Some(Value::String(name)) => name.parse().map_or_else(|_| TargetPort::Name(name.clone()), TargetPort::Number),
        _ => TargetPort::Number(port(value, &["targetPort"]).unwrap_or(number)),
    };
    let name = text(value, &["name"]).map(str::to_owned);
    Some(ServicePort { name, port: number, target, node_port: port(value, &["nodePort"]), protocol })
}

pub(super) fn endpoints(value: &Value, namespace: &str, name: &str, problem: Tell<'_>) -> Vec<Endpoint> {
    let mut found = Vec::new();
    for subset in list(value, &["subsets"]) {
        let listed = list(subset, &["addresses"]).chain(list(subset, &["notReadyAddresses"]));
        let listed: Vec<&str> = listed.filter_map(|address| text(address, &["ip"])).collect();
        found.extend(pairs(subset, &listed, namespace, name, problem));
    }
    found
}

pub(super) fn endpoint_slice(value: &Value, namespace: &str, problem: Tell<'_>) -> Vec<Endpoint> {
    let Some(service) = text(value, &["metadata", "labels", "kubernetes.io/service-name"]) else { return Vec::new() };
    if text(value, &["addressType"]) == Some("FQDN") {
        return Vec::new();
    }
    let listed = list(value, &["endpoints"]).flat_map(|endpoint| list(endpoint, &["addresses"]));
    let listed: Vec<&str> = listed.filter_map(Value::as_str).collect();
    pairs(value, &listed, namespace, service, problem)
}

/// Every address with every port.
fn pairs(value: &Value, listed: &[&str], namespace: &str, service: &str, problem: Tell<'_>) -> Vec<Endpoint> {
    let found = addresses(listed.iter().copied(), problem);
    let mut endpoints = Vec::new();
    for declared in list(value, &["ports"]) {
        let Some(protocol) = protocol(declared) else {
            problem("a port of the endpoints has an unknown protocol".into());
            continue;
        };
        endpoints.extend(found.iter().map(|address| Endpoint {
            namespace: namespace.to_owned(),
            service: service.to_owned(),
            address: *address,
            port_name: text(declared, &["name"]).map(str::to_owned),
            port: port(declared, &["port"]),
            protocol,
        }));
    }
    endpoints
}
