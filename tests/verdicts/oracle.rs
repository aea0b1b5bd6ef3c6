//! Verdicts of other evaluators, probe by probe.
//!
//! The cases are not part of the repository; they are looked for in `$FLOWMAP_DATA/oracle`, else beside it.

use std::{collections::BTreeMap, fs, path::Path};

use crate::cilium::Cilium;
use flowmap::{
    convert::{Ground, Remark, Target, convert},
    model::{ContainerPort, Labels, Namespace, Protocol, RawObject},
    policy::{Classes, End, Evaluator, Options, PodEnd, PolicySet, Probe, Strictness},
};
use serde::Deserialize;
use serde_json::Value;

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
}

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
    let Tally { cases, allowed, denied, wrong, converted } = tally;
    println!("{suite}: {cases} cases, {allowed} probes allowed, {denied} denied, {} wrong", wrong.len());
    println!("{suite}: {converted} verdicts of converted policies");
    assert!(converted > 0);
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
    let converted = convert(&set, &objects, Target::Cilium, &Ground::default());
    let is_left_out = |remark: &Remark| matches!(remark, Remark::LabelLeftOut { .. });
    let is_same = !converted.iter().flat_map(|it| &it.remarks).any(is_left_out);
    let cilium = Cilium { policies: converted.into_iter().map(|it| it.object).collect(), namespaces: &namespaces };
    tally.cases += 1;
    for (from, to, protocol, port, allowed) in &case.probes {
        *(if *allowed { &mut tally.allowed } else { &mut tally.denied }) += 1;
        let pairs =
            places[from.as_str()].iter().flat_map(|from| places[to.as_str()].iter().map(move |to| (*from, *to)));
        for (n, m) in pairs {
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
