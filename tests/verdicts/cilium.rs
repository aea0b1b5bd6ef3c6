//! What Cilium makes of its policies, as its documentation tells it: enough of it to hold converted policies against the
//! NetworkPolicies that they were made of. Nodes and the API server are not in it.

use std::{collections::BTreeMap, net::IpAddr};

use flowmap::{
    model::{Namespace, Protocol},
    policy::{End, PodEnd},
};
use ipnet::IpNet;
use serde_json::{Value, json};

const NAMESPACE: &str = "k8s:io.kubernetes.pod.namespace";
const NAMESPACE_LABELS: &str = "k8s:io.cilium.k8s.namespace.labels.";

/// Policies, and the labels of namespaces.
pub struct Cilium<'a> {
    pub policies: Vec<Value>,
    pub namespaces: &'a [Namespace],
    /// What was answered to names, as far as the DNS proxy saw it.
    pub learnt: BTreeMap<&'a str, Vec<IpAddr>>,
}

impl Cilium<'_> {
    /// Whether a connection may be opened.
    pub fn allows(&self, from: &End, to: &End, protocol: Protocol, port: u16) -> bool {
        self.passes("ingress", (to, from), to, (protocol, port))
            && self.passes("egress", (from, to), to, (protocol, port))
    }

    fn passes(&self, side: &str, (own, far): (&End, &End), server: &End, port: (Protocol, u16)) -> bool {
        let End::Pod(pod) = own else { return true };
        let speaks = |policy: &&Value| {
            let is_there = policy["metadata"]["namespace"] == *pod.namespace && policy["spec"][side].is_array();
            is_there && selects(&policy["spec"]["endpointSelector"], &self.labels(pod))
        };
        let policies: Vec<&Value> = self.policies.iter().filter(speaks).collect();
        let rules = || policies.iter().flat_map(|policy| policy["spec"][side].as_array().unwrap());
        let way = if side == "ingress" { "from" } else { "to" };
        policies.is_empty() || rules().any(|rule| self.is_peer(rule, way, pod, far) && is_port(rule, server, port))
    }

    /// Whether a rule names the other end; each names its peers in one way.
    fn is_peer(&self, rule: &Value, way: &str, pod: &PodEnd, far: &End) -> bool {
        let ways: Vec<&String> = rule.as_object().unwrap().keys().filter(|key| *key != "toPorts").collect();
        assert!(ways.len() <= 1, "Cilium refuses several ways in one rule: {rule}");
        let all = |kind: &str| rule[format!("{way}{kind}")].as_array().cloned().unwrap_or_default();
        let in_set = |set: &Value, address| {
            let within = |cidr: &Value| cidr.as_str().unwrap().parse::<IpNet>().unwrap().contains(address);
            within(&set["cidr"]) && !set["except"].as_array().into_iter().flatten().any(within)
        };
        let by_address = |address| all("CIDRSet").iter().any(|set| in_set(set, address));
        let is_learnt = |name: &str, address| self.learnt.get(name).is_some_and(|all| all.contains(address));
        let by_name = |address| all("FQDNs").iter().any(|it| is_learnt(it["matchName"].as_str().unwrap(), address));
        let by_entity = all("Entities").iter().any(|entity| entity == "all");
        by_entity
            || match far {
                End::Pod(other) => all("Endpoints").iter().any(|selector| {
                    let is_near = other.namespace == pod.namespace || names_namespace(selector);
                    is_near && selects(selector, &self.labels(other))
                }),
                End::Address(address) => by_address(address) || by_name(address),
            }
    }

    /// What Cilium knows of a pod.
    fn labels(&self, pod: &PodEnd) -> BTreeMap<String, String> {
        let own = pod.labels.0.iter().map(|(key, value)| (key.clone(), value.clone()));
        let namespace = self.namespaces.iter().find(|namespace| namespace.name == pod.namespace);
        let of_namespace = namespace.into_iter().flat_map(|namespace| &namespace.labels.0);
        let of_namespace = of_namespace.map(|(key, value)| (format!("{NAMESPACE_LABELS}{key}"), value.clone()));
        own.chain(of_namespace).chain([(NAMESPACE.to_owned(), pod.namespace.clone())]).collect()
    }
}

fn names_namespace(selector: &Value) -> bool {
    let mut expressions = selector["matchExpressions"].as_array().into_iter().flatten();
    selector["matchLabels"][NAMESPACE].is_string() || expressions.any(|expression| expression["key"] == NAMESPACE)
}

fn selects(selector: &Value, labels: &BTreeMap<String, String>) -> bool {
    let mut equal = selector["matchLabels"].as_object().into_iter().flatten();
    let mut expressions = selector["matchExpressions"].as_array().into_iter().flatten();
    equal.all(|(key, value)| labels.get(key).is_some_and(|known| value == known))
        && expressions.all(|expression| {
            let value = labels.get(expression["key"].as_str().unwrap());
            let is_one =
                || value.is_some_and(|it| expression["values"].as_array().unwrap().iter().any(|one| one == it));
            match expression["operator"].as_str().unwrap() {
                "In" => is_one(),
                "NotIn" => !is_one(),
                "Exists" => value.is_some(),
                "DoesNotExist" => value.is_none(),
                other => panic!("{other}"),
            }
        })
}

fn is_port(rule: &Value, server: &End, (protocol, port): (Protocol, u16)) -> bool {
    let Some(lists) = rule["toPorts"].as_array() else { return true };
    let led = lists.iter().filter(|list| !list["rules"].is_null());
    for list in led {
        assert_eq!(list["rules"], json!({"dns": [{"matchPattern": "*"}]}), "what is asked is all allowed");
        assert!(list["ports"].as_array().unwrap().iter().all(|port| port["port"] == "53"), "{list}");
    }
    let is_one = |wanted: &Value| {
        let is_protocol = wanted["protocol"] == protocol.to_string();
        is_protocol && numbers(wanted, server, protocol).is_some_and(|(first, last)| (first..=last).contains(&port))
    };
    lists.iter().flat_map(|list| list["ports"].as_array().unwrap()).any(is_one)
}

fn numbers(wanted: &Value, server: &End, protocol: Protocol) -> Option<(u16, u16)> {
    let text = wanted["port"].as_str().unwrap();
    match text.parse::<u16>() {
        Ok(0) => Some((0, u16::MAX)),
        Ok(first) => Some((first, wanted["endPort"].as_u64().map_or(first, |last| last.try_into().unwrap()))),
        Err(_) => {
            let End::Pod(pod) = server else { return None };
            let own = pod.ports.iter().find(|own| own.name.as_deref() == Some(text) && own.protocol == protocol)?;
            Some((own.port, own.port))
        }
    }
}
