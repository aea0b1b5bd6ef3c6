//! What is held against any text that people bring beside captures: inventories, hosts files and policies.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use flowmap::{
    convert::{Answer, Answers, Ground, Slot, Target, convert},
    inventory::{self, Directory, Listing, Owner, Reading, Sighted, Sighting},
    model::{
        Cluster, Coverage, Dependency, Direction, Host, HostName, Labels, Namespace, Outcome, Party, PartyKind,
        Protocol, RawObject, Span, Timestamp,
    },
    policy::{self, Dialled, Dnat, End, Evaluator, Options, PodEnd, PolicySet, Probe, Strictness},
    recommend::{self, recommend},
    render::{self, Decisions, Written},
    yaml,
};
use serde_json::Value;

use super::targets::number;

/// What the file is called.
const FILE: &str = "f";

/// An inventory of any form: `kubectl`'s JSON or YAML, manifests, a hosts file.
pub fn inventory(bytes: &[u8]) {
    let Ok(reading) = inventory::read(FILE, bytes) else { return };
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    // of a List that says a key twice nobody can tell what it holds
    let is_sound = reading.problems.iter().all(|problem| !problem.object.ends_with(" (List)"));
    if let Some(items) = items_of(text).or_else(|| rows_of(text)).filter(|_| is_sound) {
        assert_eq!(reading.objects.len() + unused(&reading), items, "every item is kept or told: {reading:?}");
    }
    // the store keeps the objects, and reads them again
    let again = inventory::read(FILE, format!("[{}]", reading.objects.join(",")).as_bytes());
    match again {
        Ok(again) => assert_eq!((&again.cluster, &again.objects), (&reading.cluster, &reading.objects), "read again"),
        Err(error) => assert!(reading.objects.is_empty(), "{error}: {:?}", reading.objects),
    }
    if reading.objects.len() <= 64 {
        tells_the_same_in_any_order(&reading);
    }
}

/// The items of a JSON List or array, where it holds no further ones.
fn items_of(text: &str) -> Option<usize> {
    let value: Value = serde_json::from_str(text).ok()?;
    let is_list = value["kind"] == "List" && value["metadata"]["name"].is_null() && value["apiVersion"].is_string();
    let items = if is_list { value["items"].as_array() } else { value.as_array() }?;
    let is_plain = |item: &Value| !item.is_array() && item.get("items").is_none() && !kind(item).ends_with("List");
    items.iter().all(is_plain).then_some(items.len())
}

fn kind(object: &Value) -> &str {
    object["kind"].as_str().unwrap_or_default()
}

/// The rows of a CSV without quotes.
fn rows_of(text: &str) -> Option<usize> {
    let mut lines = text.split(['\n', '\r']).filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    let is_header = lines.next()?.split(',').any(|cell| cell.trim() == "address");
    (is_header && !text.contains(['"', '\u{feff}'])).then(|| lines.count())
}

/// What a reading says was of no use at all.
fn unused(reading: &Reading) -> usize {
    let is_whole = |reason: &str| {
        ["is no Kubernetes object", "key `"].iter().any(|begin| reason.starts_with(begin))
            || reason.contains(" cells, the header")
    };
    // more than are kept one by one are not told apart
    assert_eq!(reading.more_problems, 0, "inputs are smaller than that");
    reading.problems.iter().filter(|problem| is_whole(&problem.reason)).count()
}

/// Neither the order of objects nor that they were kept changes who an address was.
fn tells_the_same_in_any_order(reading: &Reading) {
    let Cluster { pods, nodes, services, hosts, .. } = &reading.cluster;
    let mut addresses: BTreeSet<IpAddr> = pods.iter().flat_map(|pod| pod.addresses.iter().copied()).collect();
    addresses.extend(nodes.iter().flat_map(|node| node.addresses.iter().copied()));
    addresses.extend(services.iter().flat_map(|service| service.cluster_ips.iter().copied()));
    addresses.extend(hosts.iter().flat_map(|host| [host.range.network(), host.range.broadcast()]));
    let one = |objects: &mut dyn Iterator<Item = &String>| {
        let (taken_at, complete) = (reading.taken_at, reading.complete.clone());
        let listing = Listing { source: FILE.to_owned(), taken_at, until: None, complete };
        let seen = Sighting { listing: 0, since: None, until: None };
        let sighted = |text: &String| Sighted { object: serde_json::from_str(text).unwrap(), sightings: vec![seen] };
        Directory::over(&[listing], objects.map(sighted))
    };
    let (forth, back) = (one(&mut reading.objects.iter()), one(&mut reading.objects.iter().rev()));
    assert_eq!(forth.conflicts(), back.conflicts());
    let at = reading.taken_at.unwrap_or_default();
    for address in addresses {
        assert_eq!(who(&forth, address, at), who(&back, address, at), "{address}");
    }
}

fn who(directory: &Directory, address: IpAddr, at: Timestamp) -> String {
    match directory.who(address, at) {
        Owner::Pod(pod) => format!("pod {}/{}", pod.namespace, pod.name),
        Owner::Node(node) => format!("node {}", node.name),
        Owner::Service(service) => format!("service {}/{}", service.namespace, service.name),
        Owner::Host(Host { range, name, .. }) => format!("host {range} {name:?}"),
        other => format!("{other:?}"),
    }
}

/// Policies, and other documents among them.
pub fn policies(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (objects, others) = policy::read_some(FILE, text);
    match policy::read_all(FILE, text) {
        Ok(all) => assert_eq!(all, (objects.clone(), others.clone()), "what is whole reads alike"),
        Err(error) => assert!(!others.is_empty(), "{error}"),
    }
    let places: BTreeSet<_> = objects.iter().filter_map(|raw| raw.document).collect();
    assert_eq!(places.len(), objects.len(), "each object has a number");
    assert!(places.last().is_none_or(|last| *last <= objects.len() + others.len()));
    let set = PolicySet::from_objects(&objects, Strictness::Lenient).unwrap();
    let strict = PolicySet::from_objects(&objects, Strictness::Strict);
    assert_eq!(strict.is_err(), !set.skipped.is_empty());
    let taken = set.policies.len() + set.cluster_wide.len();
    assert!(taken + set.not_evaluated.len() + set.skipped.len() <= objects.len());
    written_again(&objects, &set);
    judged(&set, number(bytes));
    converted(&objects, &set);
    // what a cluster holds is taken as it means it: no less of it
    let deployed = PolicySet::deployed(&objects);
    assert!(deployed.policies.len() >= set.policies.len() && deployed.skipped.len() <= set.skipped.len());
    judged(&deployed, number(bytes) / 7);
}

/// Written out and read again they are the same policies.
fn written_again(objects: &[RawObject], set: &PolicySet) {
    let texts: Vec<String> = objects.iter().map(|raw| yaml::write(&raw.object).unwrap()).collect();
    let again = policy::read(FILE, &texts.join("---\n")).unwrap();
    let values = |objects: &[RawObject]| objects.iter().map(|raw| raw.object.clone()).collect::<Vec<_>>();
    // a List within another kind's fields stays, an empty object stays: number by number
    if again.len() == objects.len() {
        assert_eq!(values(&again), values(objects));
    }
    let again = PolicySet::from_objects(&again, Strictness::Lenient).unwrap();
    assert_eq!((again.policies, again.cluster_wide), (set.policies.clone(), set.cluster_wide.clone()));
}

const CLUSTER_WIDE: Target = Target::ClusterNetworkPolicy(Slot::DEFAULT);

/// Every policy becomes one object, whose rules name their peers in one way and no more ports than a list may hold, whatever names
/// pods were answered; or several of whole clusters, which are valid.
fn converted(objects: &[RawObject], set: &PolicySet) {
    let answers = answers(set);
    for (target, answers) in [(Target::Cilium, Some(&answers)), (Target::CalicoStaged, None), (CLUSTER_WIDE, None)] {
        let all = convert(set, objects, target, &Ground::default(), answers);
        assert_eq!(all.len(), set.policies.len(), "{target:?}");
        let objects = || all.iter().flat_map(|it| &it.objects);
        if target == CLUSTER_WIDE {
            let raw = |object: &Value| RawObject { source: FILE.into(), document: None, object: object.clone() };
            let set = PolicySet::from_objects(&objects().map(raw).collect::<Vec<_>>(), Strictness::Strict).unwrap();
            assert!(all.iter().all(|it| !it.objects.is_empty()) && set.cluster_wide.len() == objects().count());
        }
        let sides = objects().flat_map(|object| ["ingress", "egress"].map(|side| &object["spec"][side]));
        let rules = sides.flat_map(|side| side.as_array().into_iter().flatten());
        for rule in rules.filter(|_| target == Target::Cilium) {
            let ways = rule.as_object().unwrap().keys().filter(|key| *key != "toPorts");
            assert!(ways.count() <= 1, "{rule}");
            let mut lists = rule["toPorts"].as_array().into_iter().flatten();
            assert!(lists.all(|list| (1..=40).contains(&list["ports"].as_array().unwrap().len())), "{rule}");
            let lists = rule["toPorts"].as_array().into_iter().flatten().filter(|list| list["rules"].is_object());
            let mut ports = lists.flat_map(|list| list["ports"].as_array().unwrap());
            assert!(ports.all(|port| port["port"] == "53" && port["endPort"].is_null()), "{rule}");
        }
    }
}

/// A name at the first address of every block, which a pod without labels was answered.
fn answers(set: &PolicySet) -> Answers {
    let rules = set.policies.iter().flat_map(|policy| policy.egress.iter().flatten().map(move |rule| (policy, rule)));
    let blocks = rules.flat_map(|(policy, rule)| rule.peers.iter().map(move |peer| (policy, peer)));
    let answer = |(policy, peer): (&policy::NetworkPolicy, &policy::Peer)| {
        let policy::Peer::Block(block) = peer else { return None };
        Some(Answer {
            namespace: policy.namespace.clone(),
            workload: "w".into(),
            labels: Labels::default(),
            asker: "10.0.0.1".parse().unwrap(),
            name: HostName::parse(b"name.example").unwrap(),
            address: block.cidr.network(),
            span: Span::at(Timestamp(0)),
            times: 1,
            used_on: [443].into(),
        })
    };
    Answers::new(blocks.filter_map(answer))
}

/// Every verdict has its reason, and both ways of asking agree.
fn judged(set: &PolicySet, chance: u64) {
    let options = Options {
        ipblock_matches_pods: chance.is_multiple_of(2),
        host_network_selected: chance.is_multiple_of(3),
        dnat: if chance.is_multiple_of(5) { Dnat::Before } else { Dnat::After },
    };
    let named = |name: &str| Namespace { name: name.to_owned(), labels: [("team", "a")].into_iter().collect() };
    let namespaces: Vec<Namespace> = ["production", "default"].map(named).into();
    let evaluator = Evaluator::new(set, &namespaces, options);
    let ends = ends();
    let mut pairs = ends.iter().flat_map(|from| ends.iter().map(move |to| (from, to)));
    assert!(pairs.clone().count() > 16);
    pairs.by_ref().for_each(|(from, to)| {
        for (protocol, port) in
            [(Protocol::TCP, 80), (Protocol::TCP, 5432), (Protocol::UDP, 53), (Protocol::SCTP, 65_535)]
        {
            let is_of_node = chance.is_multiple_of(2);
            let dialled = chance.is_multiple_of(7).then(|| Dialled {
                address: "10.96.0.10".parse().unwrap(),
                port: 443,
                is_of_node,
            });
            let probe = Probe { dialled, ..Probe::new(from, to, protocol, port) };
            let verdict = evaluator.evaluate(&probe);
            let is_allowed = evaluator.allows(&probe);
            if !probe.is_always_allowed() {
                assert_eq!(verdict.allowed(), is_allowed, "{from:?} {to:?} {port}");
                assert_eq!(verdict.reason().is_none(), is_allowed, "{from:?} {to:?} {port}: {:?}", verdict.reason());
            }
            let selected = [from, to].into_iter().any(|end| evaluator.isolates(end));
            assert!(is_allowed || selected, "denied by nobody");
        }
    });
}

fn ends() -> Vec<End> {
    let pod = |namespace: &str, name: &str, labels: &[(&str, &str)], address: &str| {
        End::Pod(PodEnd {
            namespace: namespace.into(),
            name: name.into(),
            pod: Some(name.into()),
            labels: labels.iter().copied().collect(),
            addresses: vec![address.parse().unwrap()],
            host_network: name == "agent",
            ..PodEnd::default()
        })
    };
    vec![
        pod("production", "api", &[("app", "api"), ("tier", "")], "10.244.1.5"),
        pod("production", "db", &[("app", "db")], "fd00::5"),
        pod("default", "web", &[("app", "web"), ("app.kubernetes.io/name", "web")], "10.244.2.6"),
        pod("kube-system", "agent", &[], "192.168.0.4"),
        End::Address("10.0.0.7".parse().unwrap()),
        End::Address("2001:db8::7".parse().unwrap()),
    ]
}

/// What is proposed for any inventory: documents that a strict API server takes, under the names that were proposed.
pub fn suggest(bytes: &[u8]) {
    let Ok(reading) = inventory::read(FILE, bytes) else { return };
    let cluster = &reading.cluster;
    let directory = Directory::new(cluster);
    let dependencies = dependencies(cluster, number(bytes));
    let namespaces: BTreeSet<String> =
        cluster.pods.iter().map(|pod| pod.namespace.clone()).chain([String::from("default")]).collect();
    let coverage = Coverage::default();
    let input = recommend::Input { cluster, directory: &directory, coverage: &coverage };
    let options = recommend::Options { isolate_unseen: true, ..recommend::Options::default() };
    let recommendation = recommend(input, &dependencies, &namespaces, &options);
    let policies = render::policies(&recommendation, &Decisions::default(), &Written::default()).unwrap();
    let mut found = BTreeMap::new();
    for document in &policies.documents {
        assert!(is_below(&document.path), "{}", document.path);
        let written = render::read_document(&document.path, &document.text).unwrap();
        found.extend(written.0.into_iter().map(|(key, it)| (key, it.object)));
        let objects = policy::read(&document.path, &document.text).unwrap();
        let is_policy = |raw: &&RawObject| kind(&raw.object) == "NetworkPolicy";
        let wanted = objects.iter().filter(is_policy).count();
        let set = PolicySet::from_objects(&objects, Strictness::Lenient).unwrap();
        let refused: Vec<String> = set.skipped.iter().map(ToString::to_string).collect();
        assert!(set.policies.len() >= wanted, "an API server refuses {refused:?}:\n{}", document.text);
        // nothing that a name holds leaves its line
        assert!(!document.text.chars().any(|letter| letter.is_control() && letter != '\n'), "{}", document.text);
    }
    let proposed: BTreeMap<_, _> = policies.written.0.into_iter().map(|(key, it)| (key, it.object)).collect();
    assert_eq!(found, proposed, "what is written is what was proposed");
}

/// Whether a document stays where it belongs: in a folder of its namespace.
fn is_below(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    parts.len() <= 3 && !parts.iter().any(|part| part.is_empty() || part.starts_with('.') || part.contains('\\'))
}

/// Everybody calls the next one; the ports vary by chance.
fn dependencies(cluster: &Cluster, chance: u64) -> Vec<Dependency> {
    const MOST: usize = 12;
    let pods = cluster.pods.iter().take(MOST).map(|pod| Party {
        kind: PartyKind::Workload,
        name: format!("{}/{}", pod.workload.namespace, pod.workload.name),
        owner: Some(pod.workload.kind.clone()),
        addresses: pod.addresses.iter().copied().collect(),
        names: Vec::new(),
    });
    let other = |kind, name: String, addresses: BTreeSet<IpAddr>| Party {
        kind,
        name,
        owner: None,
        addresses,
        names: Vec::new(),
    };
    let hosts = cluster.hosts.iter().take(MOST).map(|host| {
        let name = host.name.clone().unwrap_or_else(|| host.range.to_string());
        other(PartyKind::Host, name, [host.range.network()].into())
    });
    let nodes = cluster
        .nodes
        .iter()
        .take(MOST)
        .map(|node| other(PartyKind::Node, node.name.clone(), node.addresses.iter().copied().collect()));
    let services = cluster.services.iter().take(MOST).map(|service| {
        let name = format!("{}/{}", service.namespace, service.name);
        other(PartyKind::Service, name, service.cluster_ips.iter().copied().collect())
    });
    let outside = ["203.0.113.9", "2001:db8::9"]
        .map(|text| other(PartyKind::External, text.into(), [text.parse().unwrap()].into()));
    let all: Vec<Party> = pods.chain(hosts).chain(nodes).chain(services).chain(outside).collect();
    let step = usize::try_from(chance % 5).unwrap() + 1;
    let pairs = all.iter().zip(all.iter().cycle().skip(step));
    let port = |n: u64| u16::try_from(chance.rotate_left(u32::try_from(n % 64).unwrap()) % 65_535).unwrap() + 1;
    (0..).zip(pairs).map(|(n, (client, server))| called(client.clone(), server.clone(), port(n))).collect()
}

fn called(client: Party, server: Party, port: u16) -> Dependency {
    Dependency {
        site: "default".into(),
        client,
        server,
        protocol: if port.is_multiple_of(4) { Protocol::UDP } else { Protocol::TCP },
        port,
        via: BTreeSet::new(),
        sources: BTreeSet::new(),
        outcome: Outcome::Established,
        direction: Direction::Handshake,
        connections: 3,
        packets: 30,
        packets_are_least: false,
        bytes_to_server: 0,
        bytes_to_client: 0,
        span: Span { first: Timestamp(0), last: Timestamp(0) },
        vlans: BTreeSet::new(),
        tunnels: BTreeSet::new(),
        marks: BTreeSet::new(),
        history: BTreeMap::new(),
    }
}
