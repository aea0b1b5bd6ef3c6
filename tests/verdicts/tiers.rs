//! Random policies of whole clusters around random NetworkPolicies, judged by flowmap and by a plain reading of the API's text over
//! the objects as they are written: rule by rule, and where it cannot be told whether a rule is about a connection, both ways.
//! `FLOWMAP_CASES` says how many there are; `make differential` runs more.

use std::collections::BTreeSet;

use flowmap::{
    inventory::{Directory, Listing, Sighted, Sighting},
    model::{Protocol, RawObject},
    policy::{Classes, End, Evaluator, Options, PolicySet, PolicyType, Probe, Roster, Strictness},
};
use serde_json::{Map, Value, json};

use crate::common::random::Random;

const NAMESPACES: [&str; 3] = ["prod", "ops", "dev"];
const KEYS: [&str; 2] = ["app", "tier"];
const VALUES: [&str; 2] = ["a", "b"];
const PORT_NAMES: [&str; 2] = ["http", "dns"];
const PORTS: [u16; 5] = [53, 80, 81, 443, 8080];
const PROTOCOLS: [&str; 3] = ["TCP", "UDP", "SCTP"];
const NETWORKS: [&str; 6] =
    ["0.0.0.0/0", "10.244.0.0/16", "10.244.0.0/24", "172.18.0.0/16", "203.0.113.0/24", "10.244.0.1/32"];
const NODES: [&str; 3] = ["172.18.0.1", "172.18.0.2", "172.18.0.3"];
const OUTSIDE: [&str; 2] = ["203.0.113.9", "8.8.8.8"];

#[test]
fn a_plain_reading_of_the_text_gives_the_same_verdicts() {
    let (mut verdicts, mut decided) = ([0u64; 3], 0u64);
    let cases = std::env::var("FLOWMAP_CASES").map_or(200, |text| text.parse().unwrap());
    for seed in 0..cases {
        let case = Case::new(&mut Random::new(seed));
        case.judge(seed, &mut verdicts, &mut decided);
    }
    println!("allowed, denied, uncertain: {verdicts:?}; decided in a tier: {decided}");
    assert!(
        verdicts.iter().all(|count| *count > 500) && decided > 1_000,
        "all verdicts occur: {verdicts:?}, {decided}"
    );
}

struct Case {
    namespaces: Vec<Value>,
    nodes: Vec<Value>,
    pods: Vec<Value>,
    network: Vec<Value>,
    /// Those of whole clusters, in the order in which they are asked: the tier, the direction's rules and the subject are read
    /// from the object.
    wide: Vec<Value>,
}

/// Somebody: a pod, or an address.
#[derive(Clone, Copy)]
struct Party<'c> {
    pod: Option<&'c Value>,
    address: &'c str,
}

impl Party<'_> {
    /// Whether selectors of pods may mean it.
    fn is_pod(&self) -> bool {
        self.pod.is_some_and(|pod| pod["spec"]["hostNetwork"] != true)
    }

    fn namespace(&self) -> &str {
        self.pod.and_then(|pod| pod["metadata"]["namespace"].as_str()).unwrap_or_default()
    }

    fn labels(&self) -> &Value {
        self.pod.map_or(&Value::Null, |pod| &pod["metadata"]["labels"])
    }
}

/// A connection seen from one end.
struct Way<'c> {
    direction: &'static str,
    subject: Party<'c>,
    peer: Party<'c>,
    server: Party<'c>,
    protocol: &'static str,
    port: u16,
}

impl Case {
    fn new(random: &mut Random) -> Self {
        let named = |random: &mut Random, kind: &str, name: &str| json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "labels": labels(random)}});
        let namespaces = NAMESPACES.iter().map(|name| named(random, "Namespace", name)).collect();
        // the last node is known by its pod alone
        let nodes = (0..2).map(|n| {
            let mut node = named(random, "Node", &format!("node-{n}"));
            node["status"] = json!({"addresses": [{"type": "InternalIP", "address": NODES[n]}]});
            node
        });
        let nodes = nodes.collect();
        let mut pods: Vec<Value> = (0..5).map(|n| pod(random, n)).collect();
        pods.push(agent());
        let network = (0..random.below(3)).map(|n| network_policy(random, n)).collect();
        let mut wide: Vec<Value> = (0..=random.below(4)).map(|n| cluster_policy(random, n)).collect();
        wide.sort_by_key(|policy| (tier(policy) == "Baseline", policy["spec"]["priority"].as_u64()));
        Self { namespaces, nodes, pods, network, wide }
    }

    fn judge(&self, seed: u64, verdicts: &mut [u64; 3], decided: &mut u64) {
        let raw = |object: &Value| RawObject { source: "case".to_owned(), document: Some(1), object: object.clone() };
        let mut objects: Vec<RawObject> = self.network.iter().chain(&self.wide).map(raw).collect();
        objects.reverse();
        let set = PolicySet::from_objects(&objects, Strictness::Strict).unwrap();
        let all = [&self.namespaces[..], &self.nodes, &self.pods].concat();
        let sighted = |object| Sighted { object, sightings: vec![Sighting { listing: 0, since: None, until: None }] };
        let directory = Directory::over(&[Listing::default()], all.into_iter().map(sighted));
        let cluster = directory.cluster();
        let roster = Roster::new(cluster);
        let evaluator = Evaluator::of_cluster(&set, cluster, Options::default());
        let pods =
            self.pods.iter().map(|pod| Party { pod: Some(pod), address: pod["status"]["podIP"].as_str().unwrap() });
        let addresses = NODES.iter().chain(&OUTSIDE).map(|address| Party { pod: None, address });
        let parties: Vec<Party> = pods.chain(addresses).collect();
        let end = |party: &Party| match party.pod {
            Some(pod) => {
                let word = |key: &str| pod["metadata"][key].as_str().unwrap();
                roster.find(&format!("{}/{}", word("namespace"), word("name"))).unwrap().remove(0)
            }
            None => End::Address(party.address.parse().unwrap()),
        };
        let ends: Vec<End> = parties.iter().map(end).collect();
        let classes = Classes::new(&evaluator, &ends);
        for (n, from) in parties.iter().enumerate() {
            for (m, to) in parties.iter().enumerate() {
                for (protocol, port) in PROTOCOLS.into_iter().flat_map(|protocol| PORTS.map(|port| (protocol, port))) {
                    let of: Protocol = protocol.parse().unwrap();
                    let probe = Probe::new(&ends[n], &ends[m], of, port);
                    if probe.is_always_allowed() || from.pod.is_none() && to.pod.is_none() {
                        continue;
                    }
                    let way = |direction, subject: &Party<'_>, peer: &Party<'_>| {
                        let way = Way { direction, subject: *subject, peer: *peer, server: *to, protocol, port };
                        self.outcomes(&way)
                    };
                    let sides = [way("egress", from, to), way("ingress", to, from)];
                    let verdict = evaluator.evaluate(&probe);
                    let case = || {
                        let objects = (&self.wide, &self.network);
                        format!("case {seed}: {probe:?} {sides:?}\n{verdict:?}\n{objects:#?}")
                    };
                    for (expected, (way, side)) in sides
                        .iter()
                        .zip([(PolicyType::Egress, &verdict.egress), (PolicyType::Ingress, &verdict.ingress)])
                    {
                        let found = [side.allowed, side.uncertain];
                        assert_eq!(found, [!expected.contains(&false), expected.len() == 2], "{}", case());
                        let ports = classes.side(way, classes.kind(n), classes.kind(m));
                        assert_eq!(ports.contains(of, port), side.allowed, "{}", case());
                        *decided += u64::from(side.decided.is_some());
                    }
                    assert_eq!(evaluator.allows(&probe), verdict.allowed(), "{}", case());
                    let place = if verdict.allowed() { 0 } else { 1 + usize::from(verdict.uncertain()) };
                    verdicts[place] += 1;
                }
            }
        }
    }

    /// All that may become of a connection at one end, by whatever the rules turn out to be about of which that is not known.
    fn outcomes(&self, way: &Way<'_>) -> BTreeSet<bool> {
        let met: Vec<(&str, &str, bool)> = if way.subject.is_pod() { self.met(way) } else { Vec::new() };
        let open: Vec<usize> = met.iter().enumerate().filter(|(_, it)| !it.2).map(|(n, _)| n).collect();
        let world = |mask: usize| {
            let holds = |n: usize| open.iter().position(|it| *it == n).is_none_or(|bit| mask >> bit & 1 == 1);
            let first = |tier: &str| {
                let mut of_tier = met.iter().enumerate().filter(|(n, it)| it.0 == tier && holds(*n));
                of_tier.next().map(|(_, it)| it.1)
            };
            match first("Admin") {
                Some("Accept" | "Allow") => return true,
                Some("Deny") => return false,
                _ => {}
            }
            match self.network_policies(way) {
                Some(verdict) => verdict,
                None => first("Baseline") != Some("Deny"),
            }
        };
        (0..1usize << open.len()).map(world).collect()
    }

    /// The rules that are about a connection, in order: the tier, what they do, and whether they surely are.
    fn met(&self, way: &Way<'_>) -> Vec<(&str, &str, bool)> {
        let mut met = Vec::new();
        for policy in
            self.wide.iter().filter(|policy| self.is_peer(&policy["spec"]["subject"], &way.subject) == Some(true))
        {
            for rule in policy["spec"][way.direction].as_array().into_iter().flatten() {
                let peers = rule["from"].as_array().or(rule["to"].as_array()).unwrap();
                let answers: Vec<Option<bool>> = peers.iter().map(|peer| self.is_peer(peer, &way.peer)).collect();
                let is_about = answers.contains(&Some(true));
                if (is_about || answers.contains(&None)) && is_port(rule, way) {
                    met.push((tier(policy), rule["action"].as_str().unwrap(), is_about));
                }
            }
        }
        met
    }

    /// Whether somebody is meant, none where that is not known.
    fn is_peer(&self, peer: &Value, party: &Party<'_>) -> Option<bool> {
        let in_namespaces = |selector: &Value| selects(selector, self.namespace_labels(party.namespace()));
        let (key, value) = peer.as_object().unwrap().iter().next().unwrap();
        match key.as_str() {
            "namespaces" => Some(party.is_pod() && in_namespaces(value)),
            "pods" => {
                let is_meant =
                    in_namespaces(&value["namespaceSelector"]) && selects(&value["podSelector"], party.labels());
                Some(party.is_pod() && is_meant)
            }
            "networks" => {
                let address: std::net::IpAddr = party.address.parse().unwrap();
                let network = |text: &Value| text.as_str().unwrap().parse::<ipnet::IpNet>().unwrap();
                Some(value.as_array().unwrap().iter().any(|text| network(text).contains(&address)))
            }
            "nodes" => match NODES.iter().position(|node| *node == party.address) {
                None => Some(false),
                Some(n) => match self.nodes.get(n) {
                    Some(node) => Some(selects(value, &node["metadata"]["labels"])),
                    None => value.as_object().unwrap().is_empty().then_some(true),
                },
            },
            _ => (party.pod.is_some() || NODES.contains(&party.address)).then_some(false),
        }
    }

    fn namespace_labels(&self, name: &str) -> &Value {
        let namespace = self.namespaces.iter().find(|namespace| namespace["metadata"]["name"] == name);
        namespace.map_or(&Value::Null, |namespace| &namespace["metadata"]["labels"])
    }

    /// What NetworkPolicies say, where any isolates the pod: these here allow by labels of pods alone.
    fn network_policies(&self, way: &Way<'_>) -> Option<bool> {
        let own = self.network.iter().filter(|policy| {
            policy["metadata"]["namespace"] == way.subject.namespace()
                && way.subject.is_pod()
                && selects(&policy["spec"]["podSelector"], way.subject.labels())
                && policy["spec"][way.direction].is_array()
        });
        let own: Vec<&Value> = own.collect();
        let allows = |rule: &Value| {
            let peers = rule["from"].as_array().or(rule["to"].as_array()).unwrap();
            way.peer.is_pod()
                && peers.iter().any(|peer| {
                    selects(&peer["namespaceSelector"], self.namespace_labels(way.peer.namespace()))
                        && selects(&peer["podSelector"], way.peer.labels())
                })
        };
        let mut rules = own.iter().flat_map(|policy| policy["spec"][way.direction].as_array().unwrap());
        (!own.is_empty()).then(|| rules.any(allows))
    }
}

fn tier(policy: &Value) -> &str {
    match policy["kind"].as_str().unwrap() {
        "AdminNetworkPolicy" => "Admin",
        "BaselineAdminNetworkPolicy" => "Baseline",
        _ => policy["spec"]["tier"].as_str().unwrap(),
    }
}

fn selects(selector: &Value, labels: &Value) -> bool {
    let equal = selector["matchLabels"].as_object().into_iter().flatten().all(|(key, value)| labels[key] == *value);
    let holds = |it: &Value| {
        let own = &labels[it["key"].as_str().unwrap()];
        let is_in = it["values"].as_array().is_some_and(|values| values.contains(own));
        match it["operator"].as_str().unwrap() {
            "In" => is_in,
            "NotIn" => !is_in,
            "Exists" => !own.is_null(),
            _ => own.is_null(),
        }
    };
    equal && selector["matchExpressions"].as_array().into_iter().flatten().all(holds)
}

/// Whether the port is one of a rule's; without any it does not matter.
fn is_port(rule: &Value, way: &Way<'_>) -> bool {
    let Some(all) = rule["ports"].as_array().or(rule["protocols"].as_array()) else { return true };
    let is_named = |name: &Value| {
        let declared = way.server.pod.and_then(|pod| pod["spec"]["containers"][0]["ports"].as_array());
        declared
            .into_iter()
            .flatten()
            .any(|own| own["name"] == *name && own["protocol"] == way.protocol && own["containerPort"] == way.port)
    };
    let within = |range: &Value| {
        (range["start"].as_u64().unwrap()..=range["end"].as_u64().unwrap()).contains(&u64::from(way.port))
    };
    all.iter().any(|entry| {
        let (key, value) = entry.as_object().unwrap().iter().next().unwrap();
        let protocol = value["protocol"].as_str().unwrap_or("TCP");
        match key.as_str() {
            "namedPort" | "destinationNamedPort" => is_named(value),
            "portNumber" => protocol == way.protocol && value["port"] == way.port,
            "portRange" => protocol == way.protocol && within(value),
            of => {
                let port = &value["destinationPort"];
                let is_it = if port["range"].is_object() { within(&port["range"]) } else { port["number"] == way.port };
                of.eq_ignore_ascii_case(way.protocol) && is_it
            }
        }
    })
}

fn pod(random: &mut Random, n: usize) -> Value {
    let mut ports = Vec::new();
    for name in random.some(&PORT_NAMES, 2) {
        ports.push(json!({"name": name, "containerPort": random.pick(&PORTS), "protocol": random.pick(&PROTOCOLS)}));
    }
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": format!("p{n}"), "namespace": random.pick(&NAMESPACES), "labels": labels(random)},
        "spec": {"containers": [{"name": "c", "ports": ports}]},
        "status": {"phase": "Running", "podIP": format!("10.244.{}.{}", n % 2, n + 1)},
    })
}

/// A pod in the network of a node that nothing else tells of.
fn agent() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "agent", "namespace": "ops", "labels": {"app": "a"}},
        "spec": {"nodeName": "node-2", "hostNetwork": true, "containers": [{"name": "c"}]},
        "status": {"phase": "Running", "podIP": NODES[2], "hostIP": NODES[2]},
    })
}

fn labels(random: &mut Random) -> Value {
    let keys = random.some(&KEYS, 2);
    keys.into_iter().map(|key| (key.to_owned(), Value::from(*random.pick(&VALUES)))).collect::<Map<_, _>>().into()
}

fn selector(random: &mut Random) -> Value {
    match random.below(4) {
        0 => json!({}),
        1 | 2 => json!({"matchLabels": {*random.pick(&KEYS): random.pick(&VALUES)}}),
        _ => {
            let (key, operator) = (random.pick(&KEYS), *random.pick(&["In", "NotIn", "Exists", "DoesNotExist"]));
            let values = if operator.ends_with("In") { json!(["a"]) } else { json!([]) };
            json!({"matchExpressions": [{"key": key, "operator": operator, "values": values}]})
        }
    }
}

fn network_policy(random: &mut Random, n: usize) -> Value {
    let mut spec = json!({"podSelector": selector(random), "policyTypes": []});
    for (direction, way, peers) in [("ingress", "Ingress", "from"), ("egress", "Egress", "to")] {
        if random.chance(1, 2) {
            spec["policyTypes"].as_array_mut().unwrap().push(way.into());
            let rules = (0..random.below(3))
                .map(|_| json!({peers: [{"namespaceSelector": selector(random), "podSelector": selector(random)}]}));
            spec[direction] = rules.collect::<Vec<_>>().into();
        }
    }
    if spec["policyTypes"] == json!([]) {
        spec["policyTypes"] = json!(["Ingress"]);
        spec["ingress"] = json!([]);
    }
    let metadata = json!({"name": format!("n{n}"), "namespace": random.pick(&NAMESPACES)});
    json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec})
}

/// One of any kind and version; priorities differ.
fn cluster_policy(random: &mut Random, n: usize) -> Value {
    let (kind, version) = match random.below(5) {
        0 => ("AdminNetworkPolicy", "v1alpha1"),
        1 if n == 0 => ("BaselineAdminNetworkPolicy", "v1alpha1"),
        2 => ("ClusterNetworkPolicy", "v1alpha2"),
        _ => ("ClusterNetworkPolicy", "v1beta1"),
    };
    let is_old = version == "v1alpha1";
    let mut spec = json!({"subject": peer(random, "ingress", kind)});
    if kind != "BaselineAdminNetworkPolicy" {
        spec["priority"] = (10 + 10 * n + random.below(10)).into();
    }
    if kind == "ClusterNetworkPolicy" {
        spec["tier"] = (*random.pick(&["Admin", "Baseline"])).into();
    }
    for direction in ["ingress", "egress"] {
        let rules: Vec<Value> = (0..random.below(4)).map(|_| rule(random, direction, kind, is_old)).collect();
        spec[direction] = rules.into();
    }
    let name = if kind == "BaselineAdminNetworkPolicy" { "default".to_owned() } else { format!("w{n}") };
    json!({"apiVersion": format!("policy.networking.k8s.io/{version}"), "kind": kind, "metadata": {"name": name}, "spec": spec})
}

fn rule(random: &mut Random, direction: &str, kind: &str, is_old: bool) -> Value {
    let actions: &[&str] = match kind {
        "BaselineAdminNetworkPolicy" => &["Allow", "Deny"],
        "AdminNetworkPolicy" => &["Allow", "Deny", "Pass"],
        _ => &["Accept", "Deny", "Pass"],
    };
    let peers: Vec<Value> = (0..=random.below(2)).map(|_| peer(random, direction, kind)).collect();
    let has_names = peers.iter().all(|peer| ["namespaces", "pods"].iter().any(|key| peer[key].is_object()));
    let ports: Vec<Value> = (0..random.below(3)).map(|_| port(random, is_old, has_names)).collect();
    let mut rule = json!({"action": random.pick(actions), if direction == "ingress" { "from" } else { "to" }: peers});
    if !ports.is_empty() {
        rule[if is_old { "ports" } else { "protocols" }] = ports.into();
    }
    rule
}

fn peer(random: &mut Random, direction: &str, kind: &str) -> Value {
    let kinds = match (direction, kind) {
        ("ingress", _) => 2,
        (_, "BaselineAdminNetworkPolicy") => 4,
        _ => 5,
    };
    match random.below(kinds) {
        0 => json!({"namespaces": selector(random)}),
        1 => json!({"pods": {"namespaceSelector": selector(random), "podSelector": selector(random)}}),
        2 => {
            let mut some = random.some(&NETWORKS, 3);
            some.push("192.0.2.0/24");
            json!({"networks": some})
        }
        3 => json!({"nodes": selector(random)}),
        _ => json!({"domainNames": ["*.example.org"]}),
    }
}

fn port(random: &mut Random, is_old: bool, has_names: bool) -> Value {
    let protocol = *random.pick(&PROTOCOLS);
    let kind = random.below(if has_names { 3 } else { 2 });
    match (is_old, kind) {
        (true, 0) => json!({"portNumber": {"protocol": protocol, "port": random.pick(&PORTS)}}),
        (true, 1) => json!({"portRange": {"protocol": protocol, "start": 80, "end": 443}}),
        (true, _) => json!({"namedPort": random.pick(&PORT_NAMES)}),
        (false, 0) => json!({protocol.to_lowercase(): {"destinationPort": {"number": random.pick(&PORTS)}}}),
        (false, 1) => json!({protocol.to_lowercase(): {"destinationPort": {"range": {"start": 53, "end": 80}}}}),
        (false, _) => json!({"destinationNamedPort": random.pick(&PORT_NAMES)}),
    }
}
