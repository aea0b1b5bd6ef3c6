//! Verdicts of other evaluators, probe by probe.
//!
//! The cases are not part of the repository; they are looked for in `$FLOWMAP_DATA/oracle`, else beside it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::IpAddr,
    path::Path,
};

use crate::{cilium::Cilium, cluster_network_policy};
use flowmap::{
    convert::{Answer, Answers, Ground, Remark, Target, convert},
    model::{ContainerPort, HostName, Labels, Namespace, Protocol, RawObject, Span, Timestamp},
    policy::{Classes, End, Evaluator, Options, Peer, PodEnd, PolicySet, Probe, Strictness},
};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct Case {
    ipblock_matches_pods: bool,
    objects: Vec<Value>,
    probes: Vec<(String, String, Protocol, u16, bool)>,
}

#[derive(Default)]
struct Tally {
    cases: usize,
    allowed: usize,
    denied: usize,
    wrong: Vec<String>,
    /// Pairs of ends that were held against what Cilium makes of the converted policies.
    converted: usize,
    /// Pairs that were held against ClusterNetworkPolicies, and those that these deny.
    cluster_wide: cluster_network_policy::Verdicts,
    /// Cilium's beside which names are allowed, and those that these made wider.
    named: usize,
    wider: usize,
}

/// Where a name leads later.
const LATER: [u8; 4] = [198, 51, 100, 222];

#[test]
fn np_guard_agrees() {
    check("npguard");
}

#[test]
fn cyclonus_agrees() {
    check("cyclonus");
}

#[test]
fn the_recipes_agree() {
    check("recipes");
}

fn check(suite: &str) {
    let Some(data) = crate::common::data() else { return };
    let folder = data.join("oracle").join(suite);
    let mut tally = Tally::default();
    for entry in fs::read_dir(&folder).unwrap() {
        run(&entry.unwrap().path(), &mut tally);
    }
    let Tally { cases, allowed, denied, wrong, converted, cluster_wide, named, wider } = tally;
    println!("{suite}: {cases} cases, {allowed} probes allowed, {denied} denied, {} wrong", wrong.len());
    println!("{suite}: {converted} verdicts of converted policies; of ClusterNetworkPolicies {cluster_wide:?}");
    println!("{suite}: {named} verdicts beside names, {wider} of them wider");
    assert!(converted > 0 && named > wider && wider > 0);
    assert!(cluster_wide.allowed > 0 && cluster_wide.denied > 0);
    assert!(wrong.is_empty(), "{}", wrong[..wrong.len().min(20)].join("\n"));
    assert!(allowed > 0 && denied > 0, "no probes in {}", folder.display());
}

fn run(path: &Path, tally: &mut Tally) {
    let case: Case = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let raw = |(n, object): (usize, &Value)| RawObject {
        source: path.display().to_string(),
        document: Some(n + 1),
        object: object.clone(),
    };
    let objects: Vec<RawObject> = case.objects.iter().enumerate().map(raw).collect();
    let set = PolicySet::from_objects(&objects, Strictness::Strict).unwrap();
    let namespaces: Vec<Namespace> = case.objects.iter().filter(|o| o["kind"] == "Namespace").map(namespace).collect();
    let options = Options { ipblock_matches_pods: case.ipblock_matches_pods, ..Options::default() };
    let evaluator = Evaluator::new(&set, &namespaces, options);
    let pods = pods(&case.objects);
    let mut places: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    let mut ends: Vec<End> = Vec::new();
    for name in case.probes.iter().flat_map(|(from, to, ..)| [from.as_str(), to.as_str()]) {
        places.entry(name).or_insert_with(|| {
            let from = ends.len();
            match name.parse() {
                Ok(address) => ends.push(End::Address(address)),
                Err(_) => {
                    ends.extend(pods.get(name).unwrap_or_else(|| panic!("{}: no {name}", path.display())).clone());
                }
            }
            (from..ends.len()).collect()
        });
    }
    let classes = Classes::new(&evaluator, &ends);
    let apart = Evaluator::new(&set, &namespaces, Options::default());
    let converted = convert(&set, &objects, Target::Cilium, &Ground::default(), None);
    let is_left_out = |remark: &Remark| matches!(remark, Remark::LabelLeftOut { .. });
    let is_same = !converted.iter().flat_map(|it| &it.remarks).any(is_left_out);
    let policies = converted.into_iter().flat_map(|it| it.objects).collect();
    let cilium = Cilium { policies, namespaces: &namespaces, learnt: BTreeMap::new() };
    tally.cases += 1;
    let ports: BTreeSet<(Protocol, u16)> =
        case.probes.iter().map(|(.., protocol, port, _)| (*protocol, *port)).chain([(Protocol::TCP, 443)]).collect();
    beside_names(&objects, &namespaces, &ends, &ports, tally);
    let mut asked = Vec::new();
    for (from, to, protocol, port, allowed) in &case.probes {
        *(if *allowed { &mut tally.allowed } else { &mut tally.denied }) += 1;
        let pairs =
            places[from.as_str()].iter().flat_map(|from| places[to.as_str()].iter().map(move |to| (*from, *to)));
        for (n, m) in pairs {
            asked.push((n, m, *protocol, *port));
            let probe = Probe::new(&ends[n], &ends[m], *protocol, *port);
            let verdict = evaluator.evaluate(&probe);
            let is_of_nodes = [&ends[n], &ends[m]].iter().any(|end| matches!(end, End::Pod(pod) if pod.host_network));
            if is_same && !is_of_nodes && !probe.is_always_allowed() {
                tally.converted += 1;
                let by_cilium = cilium.allows(&ends[n], &ends[m], *protocol, *port);
                assert_eq!(by_cilium, apart.allows(&probe), "{}: {from} -> {to} {protocol}/{port}", path.display());
            }
            let by_class = classes.allows(classes.kind(n), classes.kind(m), *protocol, *port);
            assert_eq!(evaluator.allows(&probe), verdict.allowed());
            assert_eq!(by_class || probe.is_always_allowed(), verdict.allowed());
            assert_eq!(verdict.reason().is_none(), verdict.allowed());
            if verdict.allowed() != *allowed {
                let file = path.display();
                tally.wrong.push(format!("{file}: {from} -> {to} {protocol}/{port} is {allowed}, not {verdict:?}"));
            }
        }
    }
    tally.cluster_wide += cluster_network_policy::held(&objects, &namespaces, &ends, &asked);
}

/// The same policies, which let their pods ask DNS and go to somebody outside as well, with a name at every block of addresses and without: what Cilium allows
/// is what it was, and where the names lead later.
fn beside_names(
    objects: &[RawObject],
    namespaces: &[Namespace],
    ends: &[End],
    ports: &BTreeSet<(Protocol, u16)>,
    tally: &mut Tally,
) {
    let mut objects = objects.to_vec();
    for object in &mut objects {
        if let Some(rules) = object.object["spec"]["egress"].as_array_mut() {
            rules.push(json!({"ports": [{"port": 53, "protocol": "UDP"}]}));
            rules.push(json!({"to": [{"ipBlock": {"cidr": "203.0.113.9/32"}}], "ports": [{"port": 443}]}));
        }
    }
    let set = PolicySet::from_objects(&objects, Strictness::Strict).unwrap();
    let answers = answers(&set, ends);
    let cilium = |answers| {
        let all = convert(&set, &objects, Target::Cilium, &Ground::default(), answers);
        let policies = all.into_iter().flat_map(|it| it.objects).collect();
        Cilium { policies, namespaces, learnt: [("name.example", vec![LATER.into()])].into() }
    };
    let (before, after) = (cilium(None), cilium(Some(&answers)));
    let later = [End::Address(LATER.into())];
    for (from, to) in ends.iter().flat_map(|from| ends.iter().chain(&later).map(move |to| (from, to))) {
        for (protocol, port) in ports {
            let [before, after] = [&before, &after].map(|it| it.allows(from, to, *protocol, *port));
            let is_later = matches!(to, End::Address(address) if *address == IpAddr::from(LATER));
            let is_wider = after && is_later && (*protocol, *port) == (Protocol::TCP, 443);
            assert!(before == after || is_wider, "{from:?} -> {to:?} {protocol}/{port}");
            tally.named += 1;
            tally.wider += usize::from(before != after);
        }
    }
}

/// All pods were answered one name, at the first address of every block.
fn answers(set: &PolicySet, ends: &[End]) -> Answers {
    let peers = set.policies.iter().flat_map(|policy| policy.egress.iter().flatten()).flat_map(|rule| &rule.peers);
    let addresses: BTreeSet<IpAddr> = peers
        .filter_map(|peer| match peer {
            Peer::Block(block) => Some(block.cidr.network()),
            Peer::Pods { .. } => None,
        })
        .collect();
    let pods = ends.iter().filter_map(|end| match end {
        End::Pod(pod) => Some(pod),
        End::Address(_) => None,
    });
    let answer = |pod: &PodEnd, address: IpAddr| Answer {
        namespace: pod.namespace.clone(),
        workload: pod.name.clone(),
        labels: pod.labels.clone(),
        asker: [10, 0, 0, 1].into(),
        name: HostName::parse(b"name.example").unwrap(),
        address,
        span: Span::at(Timestamp(0)),
        times: 1,
        used_on: [443].into(),
    };
    Answers::new(pods.flat_map(|pod| addresses.iter().map(move |address| answer(pod, *address))))
}

/// Pods by `namespace/name`, and by the name of what controls them.
fn pods(objects: &[Value]) -> BTreeMap<String, Vec<End>> {
    let mut pods: BTreeMap<String, Vec<End>> = BTreeMap::new();
    for object in objects {
        let metadata = &object["metadata"];
        let spec = &object["spec"];
        let end = match object["kind"].as_str().unwrap() {
            "Pod" => pod(metadata, metadata, spec, &object["status"]),
            "CronJob" => template(metadata, &spec["jobTemplate"]["spec"]["template"]),
            _ if spec["template"].is_object() => template(metadata, &spec["template"]),
            _ => continue,
        };
        let mut owners = metadata["ownerReferences"].as_array().into_iter().flatten();
        let owner = owners.find(|owner| owner["controller"] == true && owner["kind"] != "Node");
        let name = format!("{}/{}", end.namespace, owner.map_or(end.name.as_str(), |owner| text(&owner["name"])));
        pods.entry(name).or_default().push(End::Pod(end));
    }
    pods
}

fn template(metadata: &Value, template: &Value) -> PodEnd {
    PodEnd { pod: None, ..pod(metadata, &template["metadata"], &template["spec"], &Value::Null) }
}

fn pod(identity: &Value, labelled: &Value, spec: &Value, status: &Value) -> PodEnd {
    let containers = spec["containers"].as_array().into_iter().flatten();
    let ports = containers.flat_map(|container| container["ports"].as_array().into_iter().flatten());
    let mut addresses: Vec<_> = status["podIPs"].as_array().into_iter().flatten().map(|ip| text(&ip["ip"])).collect();
    if addresses.is_empty() {
        addresses.extend(status["podIP"].as_str());
    }
    PodEnd {
        namespace: identity["namespace"].as_str().unwrap_or("default").to_owned(),
        name: text(&identity["name"]).to_owned(),
        pod: identity["name"].as_str().map(str::to_owned),
        labels: labels(&labelled["labels"]),
        addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
        ports: ports.map(container_port).collect(),
        host_network: spec["hostNetwork"] == true,
        node: Vec::new(),
    }
}

fn container_port(port: &Value) -> ContainerPort {
    ContainerPort {
        name: port["name"].as_str().map(str::to_owned),
        port: port["containerPort"].as_u64().and_then(|number| number.try_into().ok()).unwrap(),
        protocol: port["protocol"].as_str().unwrap_or("TCP").parse().unwrap(),
    }
}

fn namespace(object: &Value) -> Namespace {
    let metadata = &object["metadata"];
    Namespace { name: text(&metadata["name"]).to_owned(), labels: labels(&metadata["labels"]) }
}

fn labels(value: &Value) -> Labels {
    value.as_object().into_iter().flatten().map(|(key, value)| (key, text(value))).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
