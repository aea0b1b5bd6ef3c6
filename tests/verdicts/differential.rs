//! Random clusters and policies, judged by flowmap and by an evaluator that is not flowmap's.
//!
//! That evaluator, `npeval.py`, is not part of the repository; it is looked for in `tools` beside the test data. The cases
//! hold all of `networking.k8s.io/v1` but what it does not know: IPv6, the node's network, a pod with itself or its
//! own node. `FLOWMAP_CASES` says how many there are; `make differential` runs 20,000.

use std::{collections::BTreeMap, fmt::Write, net::IpAddr};

use flowmap::{
    inventory::{Directory, Listing, Sighted, Sighting},
    model::{Protocol, RawObject},
    policy::{Classes, End, Evaluator, Options, PolicySet, Probe, Roster, Strictness},
};
use serde_json::{Map, Value, json};

use crate::common::{python::script, random::Random, tools};

const NAMESPACES: [&str; 3] = ["prod", "ops", "dev"];
const KEYS: [&str; 3] = ["app", "tier", "track"];
const VALUES: [&str; 4] = ["a", "b", "c", ""];
const PORT_NAMES: [&str; 3] = ["http", "admin", "dns"];
const PORTS: [u16; 8] = [1, 53, 80, 81, 443, 8080, 9090, 65535];
const PROTOCOLS: [&str; 3] = ["TCP", "UDP", "SCTP"];
const OUTSIDE: [&str; 6] = ["8.8.8.8", "10.1.2.3", "10.1.3.3", "192.168.7.7", "172.16.0.1", "0.0.0.0"];
const RANGES: [&str; 9] = [
    "0.0.0.0/0",
    "10.0.0.0/8",
    "10.1.0.0/16",
    "10.1.2.0/24",
    "10.244.0.0/16",
    "10.244.1.0/24",
    "10.244.1.2/32",
    "192.168.0.0/16",
    "128.0.0.0/1",
];

/// A cluster with its policies, and what is asked of it.
pub struct Case {
    pub objects: Vec<Value>,
    ipblock_matches_pods: bool,
    pub probes: Vec<Asked>,
}

/// From whom, to whom, by which protocol, on which port.
pub type Asked = (String, String, String, u16);

#[test]
fn another_evaluator_gives_the_same_verdicts() {
    let Some(tools) = tools() else { return };
    let cases: u64 = std::env::var("FLOWMAP_CASES").map_or(1_000, |text| text.parse().unwrap());
    let cases: Vec<Case> = (0..cases).map(|seed| case(&mut Random::new(seed))).collect();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cases.jsonl");
    std::fs::write(&file, cases.iter().map(line).collect::<String>()).unwrap();
    let answers = script("npeval_answers.py", &[&tools, &file]);
    assert_eq!(answers.lines().count(), cases.len());
    let (mut verdicts, mut wrong) = (BTreeMap::new(), Vec::new());
    for (seed, (case, answers)) in cases.iter().zip(answers.lines()).enumerate() {
        for (probe, expected, found) in judged(case, answers) {
            *verdicts.entry(expected).or_insert(0u64) += 1;
            if found != [expected; 3] {
                wrong.push(format!("case {seed}: {probe:?} is {expected}, not {found:?}"));
            }
        }
    }
    println!("{} cases, verdicts {verdicts:?}, {} wrong", cases.len(), wrong.len());
    assert!(wrong.is_empty(), "{}", wrong[..wrong.len().min(20)].join("\n"));
    assert!(verdicts.len() == 2 && verdicts.values().all(|count| *count > 1_000), "both verdicts occur: {verdicts:?}");
}

pub fn sighted(object: Value) -> Sighted {
    Sighted { object, sightings: vec![Sighting { listing: 0, since: None, until: None }] }
}

fn line(case: &Case) -> String {
    let Case { objects, ipblock_matches_pods, probes } = case;
    let mut line = String::new();
    let value = json!({"objects": objects, "ipblock_matches_pods": ipblock_matches_pods, "probes": probes});
    writeln!(line, "{value}").unwrap();
    line
}

/// For each probe what is expected, and what the plain evaluator says in full, says shortly, and says by class.
fn judged<'c>(case: &'c Case, answers: &str) -> Vec<(&'c Asked, bool, [bool; 3])> {
    let raw = |(n, object): (usize, &Value)| RawObject {
        source: "case".to_owned(),
        document: Some(n + 1),
        object: object.clone(),
    };
    let objects: Vec<RawObject> = case.objects.iter().enumerate().map(raw).collect();
    let set = PolicySet::from_objects(&objects, Strictness::Strict).unwrap();
    let directory = Directory::over(&[Listing::default()], case.objects.iter().cloned().map(sighted));
    let cluster = directory.cluster();
    let roster = Roster::new(cluster);
    let options = Options { ipblock_matches_pods: case.ipblock_matches_pods, ..Options::default() };
    let evaluator = Evaluator::new(&set, &cluster.namespaces, options);
    let mut names: Vec<&str> = case.probes.iter().flat_map(|(from, to, ..)| [from.as_str(), to.as_str()]).collect();
    names.sort_unstable();
    names.dedup();
    let end = |name: &&str| match name.parse::<IpAddr>() {
        Ok(address) => End::Address(address),
        Err(_) => roster.find(name).unwrap().remove(0),
    };
    let ends: Vec<End> = names.iter().map(end).collect();
    let classes = Classes::new(&evaluator, &ends);
    let place = |name: &String| names.binary_search(&name.as_str()).unwrap();
    let judge = |probe: &'c Asked| {
        let (from, to, protocol, port) = probe;
        let (from, to, protocol): (_, _, Protocol) = (place(from), place(to), protocol.parse().unwrap());
        let asked = Probe::new(&ends[from], &ends[to], protocol, *port);
        [
            evaluator.evaluate(&asked).allowed(),
            evaluator.allows(&asked),
            classes.allows(classes.kind(from), classes.kind(to), protocol, *port),
        ]
    };
    assert_eq!(answers.len(), case.probes.len());
    case.probes.iter().zip(answers.bytes()).map(|(probe, answer)| (probe, answer == b'1', judge(probe))).collect()
}

/// One of all cases.
pub fn case(random: &mut Random) -> Case {
    let listed = 1 + random.below(NAMESPACES.len());
    let namespaces = NAMESPACES[..listed].iter().map(|name| namespace(random, name));
    let mut objects: Vec<Value> = namespaces.collect();
    let pods = 2 + random.below(5);
    let mut names: Vec<String> = Vec::new();
    for n in 0..pods {
        let pod = pod(random, n);
        names.push(format!("{}/p{n}", pod["metadata"]["namespace"].as_str().unwrap()));
        objects.push(pod);
    }
    let policies = 1 + random.below(5);
    objects.extend((0..policies).map(|n| policy(random, n)));
    names.extend(random.some(&OUTSIDE, 2).into_iter().map(str::to_owned));
    let mut probes = Vec::new();
    for (from, to) in names.iter().flat_map(|from| names.iter().map(move |to| (from, to))) {
        // a pod with itself is always allowed, which the other evaluator does not say; outside with itself says nothing
        if from != to && (from.contains('/') || to.contains('/')) {
            for _ in 0..3 {
                let (protocol, port) = (*random.pick(&PROTOCOLS), *random.pick(&PORTS));
                probes.push((from.clone(), to.clone(), protocol.to_owned(), port));
            }
        }
    }
    Case { objects, ipblock_matches_pods: random.chance(1, 2), probes }
}

fn namespace(random: &mut Random, name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels(random)}})
}

fn pod(random: &mut Random, n: usize) -> Value {
    let namespace = random.pick(&NAMESPACES);
    let mut ports = Vec::new();
    for name in random.some(&PORT_NAMES, 3) {
        ports.push(json!({"name": name, "containerPort": random.pick(&PORTS), "protocol": random.pick(&PROTOCOLS)}));
    }
    if random.chance(1, 3) {
        ports.push(json!({"containerPort": random.pick(&PORTS)}));
    }
    let address = format!("10.244.{}.{}", random.below(2), n + 1);
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": format!("p{n}"), "namespace": namespace, "labels": labels(random)},
        "spec": {"containers": [{"name": "c", "ports": ports}]},
        "status": {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]},
    })
}

fn labels(random: &mut Random) -> Value {
    let keys = random.some(&KEYS, 3);
    keys.into_iter().map(|key| (key.to_owned(), Value::from(*random.pick(&VALUES)))).collect::<Map<_, _>>().into()
}

fn policy(random: &mut Random, n: usize) -> Value {
    let mut spec = json!({"podSelector": selector(random)});
    for direction in ["ingress", "egress"] {
        if random.chance(2, 3) {
            let rules: Vec<Value> = (0..random.below(4)).map(|_| rule(random, direction)).collect();
            spec[direction] = rules.into();
        }
    }
    if random.chance(2, 3) {
        spec["policyTypes"] = random.some(&["Ingress", "Egress"], 2).into();
    }
    let mut metadata = json!({"name": format!("n{n}")});
    // without a namespace it stands in `default`, where no pod is
    if random.chance(19, 20) {
        metadata["namespace"] = (*random.pick(&NAMESPACES)).into();
    }
    json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec})
}

fn rule(random: &mut Random, direction: &str) -> Value {
    let mut rule = json!({});
    let peers = if direction == "ingress" { "from" } else { "to" };
    if random.chance(4, 5) {
        rule[peers] = (0..random.below(3)).map(|_| peer(random)).collect::<Vec<_>>().into();
    }
    if random.chance(2, 3) {
        rule["ports"] = (0..random.below(3)).map(|_| port(random)).collect::<Vec<_>>().into();
    }
    rule
}

fn peer(random: &mut Random) -> Value {
    match random.below(4) {
        0 => json!({"podSelector": selector(random)}),
        1 => json!({"namespaceSelector": selector(random)}),
        2 => json!({"namespaceSelector": selector(random), "podSelector": selector(random)}),
        _ => block(random),
    }
}

fn block(random: &mut Random) -> Value {
    let cidr: ipnet::IpNet = random.pick(&RANGES).parse().unwrap();
    let inside = |text: &&&str| {
        let range: ipnet::IpNet = text.parse().unwrap();
        cidr.contains(&range) && cidr != range
    };
    let except: Vec<&str> = RANGES.iter().filter(inside).copied().filter(|_| random.chance(1, 3)).collect();
    let mut block = json!({"cidr": cidr.to_string()});
    if !except.is_empty() || random.chance(1, 2) {
        block["except"] = except.into();
    }
    json!({"ipBlock": block})
}

fn port(random: &mut Random) -> Value {
    let mut port = json!({});
    if random.chance(2, 3) {
        port["protocol"] = (*random.pick(&PROTOCOLS)).into();
    }
    match random.below(5) {
        0 => {}
        1 => port["port"] = (*random.pick(&PORT_NAMES)).into(),
        2 | 3 => port["port"] = (*random.pick(&PORTS)).into(),
        _ => {
            let (a, b) = (*random.pick(&PORTS), *random.pick(&PORTS));
            port["port"] = a.min(b).into();
            port["endPort"] = a.max(b).into();
        }
    }
    port
}

fn selector(random: &mut Random) -> Value {
    let mut selector = json!({});
    if random.chance(1, 2) {
        let keys = random.some(&KEYS, 2);
        let pairs = keys.into_iter().map(|key| (key.to_owned(), Value::from(*random.pick(&VALUES))));
        selector["matchLabels"] = pairs.collect::<Map<_, _>>().into();
    }
    if random.chance(1, 3) {
        let expressions: Vec<Value> = (0..=random.below(2)).map(|_| expression(random)).collect();
        selector["matchExpressions"] = expressions.into();
    }
    if random.chance(1, 10) {
        selector["matchLabels"] = json!({"kubernetes.io/metadata.name": random.pick(&NAMESPACES)});
    }
    selector
}

fn expression(random: &mut Random) -> Value {
    let (key, operator) = (random.pick(&KEYS), *random.pick(&["In", "NotIn", "Exists", "DoesNotExist"]));
    if operator.ends_with("In") {
        let mut values = random.some(&VALUES, 2);
        if values.is_empty() {
            values.push("a");
        }
        return json!({"key": key, "operator": operator, "values": values});
    }
    json!({"key": key, "operator": operator})
}
