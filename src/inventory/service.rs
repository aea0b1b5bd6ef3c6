//! Services, and the addresses behind them.

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::Value;

use super::field::{Notes, addresses, list, port, protocol, ranges, selector, sorted, word};
use crate::model::{
    AskedFor, Endpoint, Ingress, Protocol, Service, ServiceKind, ServicePort, TargetPort, Webhook, WorkloadRef,
};

/// The label by which an `EndpointSlice` says whose it is.
const SERVICE_NAME_LABEL: &str = "kubernetes.io/service-name";

/// A Service.
pub(super) fn service(item: &Value, id: WorkloadRef, notes: &mut Notes) -> Service {
    let spec = &item["spec"];
    let selector = selector(&spec["selector"], notes);
    let cluster_ips = list(&spec["clusterIPs"]).iter().chain([&spec["clusterIP"]]).filter(|ip| *ip != "None");
    let balancers = || list(&item["status"]["loadBalancer"]["ingress"]).iter();
    let external_ips = list(&spec["externalIPs"]).iter().chain(balancers().map(|ingress| &ingress["ip"]));
    let proxied_ips =
        balancers().filter(|ingress| ingress["ipMode"] == "Proxy").filter_map(|ingress| word(&ingress["ip"]));
    Service {
        namespace: id.namespace,
        name: id.name,
        kind: kind(&spec["type"], notes),
        selector: Some(selector).filter(|selector| !selector.is_empty()),
        cluster_ips: addresses(cluster_ips, "clusterIP", notes),
        external_ips: addresses(external_ips, "external address", notes),
        proxied_ips: sorted(proxied_ips.filter_map(|ip| Some(ip.parse::<IpAddr>().ok()?.to_canonical()))),
        source_ranges: source_ranges(item, notes),
        keeps_sources: word(&spec["externalTrafficPolicy"]) == Some("Local"),
        ports: sorted(list(&spec["ports"]).iter().filter_map(|item| service_port(item, notes))),
    }
}

/// What clusters said before there was a field for it.
const SOURCE_RANGES_ANNOTATION: &str = "service.beta.kubernetes.io/load-balancer-source-ranges";

/// Whom a load balancer lets in: its field, else the annotation of old.
fn source_ranges(item: &Value, notes: &mut Notes) -> Vec<IpNet> {
    let told = list(&item["spec"]["loadBalancerSourceRanges"]);
    if !told.is_empty() {
        return ranges(told, "source range", notes);
    }
    let annotated = word(&item["metadata"]["annotations"][SOURCE_RANGES_ANNOTATION]).unwrap_or_default();
    let annotated: Vec<Value> = annotated.split(',').map(|range| range.trim().into()).collect();
    ranges(&annotated, "source range", notes)
}

fn kind(value: &Value, notes: &mut Notes) -> ServiceKind {
    match word(value) {
        None | Some("ClusterIP") => ServiceKind::ClusterIp,
        Some("NodePort") => ServiceKind::NodePort,
        Some("LoadBalancer") => ServiceKind::LoadBalancer,
        Some("ExternalName") => ServiceKind::ExternalName,
        Some(other) => {
            notes.add(format!("type `{other}` is not known; taken for ClusterIP"));
            ServiceKind::ClusterIp
        }
    }
}

fn service_port(item: &Value, notes: &mut Notes) -> Option<ServicePort> {
    let number = port(&item["port"], "port", notes)?;
    let protocol = protocol(&item["protocol"], notes)?;
    let node_port = Some(&item["nodePort"]).filter(|value| !is_zero(value));
    Some(ServicePort {
        name: word(&item["name"]).map(str::to_owned),
        port: number,
        target: target(&item["targetPort"], number, notes)?,
        node_port: node_port.and_then(|value| port(value, "nodePort", notes)),
        protocol,
    })
}

/// Absent and 0 mean the Service's own port.
fn target(value: &Value, own: u16, notes: &mut Notes) -> Option<TargetPort> {
    match value {
        value if is_zero(value) => Some(TargetPort::Number(own)),
        // no port name is all digits, so a number in quotes can only be meant as a number
        Value::String(text) => Some(text.parse().map_or_else(|_| TargetPort::Name(text.clone()), TargetPort::Number)),
        value => port(value, "targetPort", notes).map(TargetPort::Number),
    }
}

/// Whether a field was left to its default.
fn is_zero(value: &Value) -> bool {
    value.is_null() || *value == 0 || *value == ""
}

/// A port behind a Service: its name, its number (none means all), its protocol.
type EndpointPort = (Option<String>, Option<u16>, Protocol);

/// The addresses of an Endpoints object. Those not ready are included: they were ready at another time.
pub(super) fn endpoints(item: &Value, id: &WorkloadRef, notes: &mut Notes) -> Vec<Endpoint> {
    let mut all = Vec::new();
    for subset in list(&item["subsets"]) {
        let entries = list(&subset["addresses"]).iter().chain(list(&subset["notReadyAddresses"]));
        let behind = addresses(entries.map(|entry| &entry["ip"]), "endpoint address", notes);
        all.extend(combine(id, &id.name, &behind, &endpoint_ports(&subset["ports"], notes)));
    }
    all
}

/// The addresses of an `EndpointSlice`.
pub(super) fn endpoint_slice(item: &Value, id: &WorkloadRef, notes: &mut Notes) -> Vec<Endpoint> {
    if item["addressType"] == "FQDN" {
        return Vec::new();
    }
    let Some(service) = word(&item["metadata"]["labels"][SERVICE_NAME_LABEL]) else {
        notes.add(format!("has no label {SERVICE_NAME_LABEL}, so it belongs to no Service"));
        return Vec::new();
    };
    let entries = list(&item["endpoints"]).iter().flat_map(|entry| list(&entry["addresses"]));
    let behind = addresses(entries, "endpoint address", notes);
    combine(id, service, &behind, &endpoint_ports(&item["ports"], notes))
}

fn endpoint_ports(value: &Value, notes: &mut Notes) -> Vec<EndpointPort> {
    if list(value).is_empty() {
        return vec![(None, None, Protocol::TCP)];
    }
    list(value).iter().filter_map(|item| endpoint_port(item, notes)).collect()
}

fn endpoint_port(item: &Value, notes: &mut Notes) -> Option<EndpointPort> {
    let number = match &item["port"] {
        Value::Null => None,
        value => Some(port(value, "port", notes)?),
    };
    Some((word(&item["name"]).map(str::to_owned), number, protocol(&item["protocol"], notes)?))
}

/// Every address with every port.
fn combine(id: &WorkloadRef, service: &str, behind: &[IpAddr], ports: &[EndpointPort]) -> Vec<Endpoint> {
    let pairs = behind.iter().flat_map(|address| ports.iter().map(move |port| (*address, port)));
    pairs
        .map(|(address, (name, port, protocol))| Endpoint {
            namespace: id.namespace.clone(),
            service: service.to_owned(),
            address,
            port_name: name.clone(),
            port: *port,
            protocol: *protocol,
        })
        .collect()
}

/// An Ingress, as `networking.k8s.io/v1` and, before Kubernetes 1.19, `v1beta1` write it.
pub(super) fn ingress(item: &Value, id: WorkloadRef) -> Ingress {
    let spec = &item["spec"];
    let paths = list(&spec["rules"]).iter().flat_map(|rule| list(&rule["http"]["paths"])).map(|path| &path["backend"]);
    let all = paths.chain([&spec["defaultBackend"], &spec["backend"]]);
    let class = ingress_class(item).map(str::to_owned);
    Ingress { namespace: id.namespace, name: id.name, class, backends: sorted(all.filter_map(backend)) }
}

/// Whose controller an Ingress is for: by its field, else by the annotation of old. Google's takes those that say nothing, and
/// notes on them what it has made.
fn ingress_class(item: &Value) -> Option<&str> {
    const MADE_BY_GOOGLE: [&str; 2] =
        ["ingress.kubernetes.io/forwarding-rule", "ingress.kubernetes.io/https-forwarding-rule"];
    let annotations = &item["metadata"]["annotations"];
    let told = word(&item["spec"]["ingressClassName"]).or_else(|| word(&annotations["kubernetes.io/ingress.class"]));
    let is_googles = || MADE_BY_GOOGLE.iter().any(|key| word(&annotations[*key]).is_some());
    told.or_else(|| is_googles().then_some("gce"))
}

/// The Services that a webhook configuration names; those outside the cluster are named by URL, and left out.
pub(super) fn webhooks(item: &Value, id: &WorkloadRef) -> Vec<Webhook> {
    let services = list(&item["webhooks"]).iter().map(|hook| &hook["clientConfig"]["service"]);
    sorted(services.filter_map(|service| asked(service, id, AskedFor::Admission)))
}

/// The Service that converts objects of a `CustomResourceDefinition`; `v1beta1`, until Kubernetes 1.22, had it elsewhere.
pub(super) fn conversion(item: &Value, id: &WorkloadRef) -> Option<Webhook> {
    let conversion = &item["spec"]["conversion"];
    let clients = [&conversion["webhook"]["clientConfig"], &conversion["webhookClientConfig"]];
    clients.into_iter().find_map(|client| asked(&client["service"], id, AskedFor::Conversion))
}

/// The Service that serves a group of the API; none where the API server does so itself.
pub(super) fn api_service(item: &Value, id: &WorkloadRef) -> Option<Webhook> {
    asked(&item["spec"]["service"], id, AskedFor::Api)
}

/// A Service that the API server asks.
fn asked(service: &Value, id: &WorkloadRef, asked_for: AskedFor) -> Option<Webhook> {
    const DEFAULT_PORT: u64 = 443;
    let port = u16::try_from(service["port"].as_u64().unwrap_or(DEFAULT_PORT)).ok()?;
    let (namespace, name) = (word(&service["namespace"])?.to_owned(), word(&service["name"])?.to_owned());
    Some(Webhook { configuration: id.name.clone(), asked_for, namespace, service: name, port })
}

fn backend(value: &Value) -> Option<(String, String)> {
    let port = &value["service"]["port"];
    let ports = [&port["number"], &port["name"], &value["servicePort"]];
    let service = word(&value["service"]["name"]).or_else(|| word(&value["serviceName"]))?;
    let port = ports.into_iter().find(|port| !port.is_null()).map_or_else(String::new, |port| match port {
        Value::String(name) => name.clone(),
        number => number.to_string(),
    });
    Some((service.to_owned(), port))
}
