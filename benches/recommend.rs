//! What it takes to recommend and to write policies for 100,000 pods from 10 million dependencies between them. Exits with
//! 1 where it is more than a minute or 4 GB. Linux alone tells memory.
//!
//! The pods are the replicas of 5,000 workloads in 100 namespaces, each of one of ten roles in its namespace; who calls
//! whom goes by roles. Every dependency is between two pods, as captures show them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::{IpAddr, Ipv4Addr},
    process::ExitCode,
    time::Instant,
};

use flowmap::{
    inventory::Directory,
    model::{
        Cluster, Cover, Coverage, Dependency, Direction, Hour, Labels, Node, Outcome, Party, PartyKind, Pod, Protocol,
        Span, Watched, WorkloadRef,
    },
    recommend::{Grouping, Input, Options, recommend},
    render::{Decisions, Written, policies},
};

const NAMESPACES: u32 = 100;
const WORKLOADS: u32 = 5_000;
const REPLICAS: u32 = 20;
const ROLES: u32 = 10;
const DEPENDENCIES: u32 = 10_000_000;
const LIMIT_S: f64 = 60.0;
const LIMIT_MB: u64 = 4_000;

fn workload(number: u32) -> WorkloadRef {
    let (namespace, within) = (number % NAMESPACES, number / NAMESPACES);
    WorkloadRef {
        namespace: format!("ns-{namespace:03}"),
        name: format!("role-{}-{within:02}", within % ROLES),
        kind: "Deployment".to_owned(),
    }
}

/// The address of a pod: four nodes to a namespace.
fn address(workload: u32, replica: u32) -> IpAddr {
    let number = workload * REPLICAS + replica;
    IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + number))
}

fn cluster() -> Cluster {
    let mut cluster = Cluster::default();
    for number in 0..WORKLOADS {
        let id = workload(number);
        for replica in 0..REPLICAS {
            let labels: Labels = [
                ("app".to_owned(), id.name.clone()),
                ("pod-template-hash".to_owned(), format!("{number:x}")),
                ("team".to_owned(), format!("team-{}", number % 7)),
            ]
            .into_iter()
            .collect();
            cluster.pods.push(Pod {
                namespace: id.namespace.clone(),
                name: format!("{}-{replica}", id.name),
                workload: id.clone(),
                labels,
                addresses: vec![address(number, replica)],
                node: None,
                host_network: false,
                ports: Vec::new(),
                started: None,
                finished: false,
                mesh: None,
                maker: None,
                host_ports: Vec::new(),
            });
        }
    }
    let range = "10.0.0.0/8".parse().expect("a range");
    cluster.nodes.push(Node { name: "node".to_owned(), addresses: Vec::new(), pod_ranges: vec![range], labels: None });
    cluster
}

/// A dependency of a pod on a pod: of one role on the next one, mostly in its namespace.
fn dependency(number: u32) -> Dependency {
    let random = u64::from(number).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (random ^ (random >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let part = |shift: u32, below: u32| u32::try_from((mixed >> shift) & 0xffff).unwrap_or_default() % below;
    let client = number % WORKLOADS;
    let (namespace, role) = (client % NAMESPACES, client / NAMESPACES % ROLES);
    let of_role = WORKLOADS / NAMESPACES / ROLES;
    let within = part(0, of_role) * ROLES + (role + 1) % ROLES;
    let server = within * NAMESPACES + if part(16, 50) == 0 { (namespace + 1) % NAMESPACES } else { namespace };
    let party = |number: u32, replica: u32| {
        let id = workload(number);
        let address = address(number, replica);
        Party {
            kind: PartyKind::Workload,
            name: id.to_string(),
            owner: Some(id.kind),
            addresses: BTreeSet::from([address]),
            names: Vec::new(),
        }
    };
    let hour = Hour(497_000 + i32::try_from(part(32, 48)).unwrap_or_default());
    Dependency {
        site: "default".to_owned(),
        client: party(client, part(8, REPLICAS)),
        server: party(server, part(24, REPLICAS)),
        protocol: Protocol::TCP,
        port: 8_000 + u16::try_from(role).unwrap_or_default(),
        via: BTreeSet::new(),
        sources: BTreeSet::new(),
        outcome: Outcome::Established,
        direction: Direction::Handshake,
        connections: 3,
        packets: 30,
        packets_are_least: false,
        bytes_to_server: 3_000,
        bytes_to_client: 9_000,
        span: Span { first: hour.start(), last: hour.at(3_000_000) },
        vlans: BTreeSet::new(),
        tunnels: BTreeSet::new(),
        marks: BTreeSet::new(),
        history: BTreeMap::from([(hour, 3)]),
    }
}

fn memory_mb(field: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or_default() / 1_024
}

fn main() -> ExitCode {
    let begun = Instant::now();
    let made: u64 = (0..DEPENDENCIES).map(|number| dependency(number).connections).sum();
    let making = begun.elapsed().as_secs_f64();
    println!(
        "{} pods, {DEPENDENCIES} dependencies; making them takes {making:.1} s ({made} connections)",
        WORKLOADS * REPLICAS
    );

    let cluster = cluster();
    let directory = Directory::new(&cluster);
    let cover = Cover { state: Watched::Covered, share: 1.0, runs: BTreeSet::new() };
    let workloads = (0..WORKLOADS).map(|number| (workload(number), cover.clone())).collect();
    let coverage = Coverage { workloads, ..Coverage::default() };
    let namespaces: BTreeSet<String> = (0..WORKLOADS).map(|number| workload(number).namespace).collect();
    let roles = (0..WORKLOADS).map(|number| (workload(number), format!("role-{}", number / NAMESPACES % ROLES)));
    let cases = [
        ("workload", Grouping::Workload),
        ("tier", Grouping::Roles(roles.collect())),
        ("namespace", Grouping::Namespace),
    ];
    let mut is_within = true;
    for (name, grouping) in cases {
        let input = Input { cluster: &cluster, directory: &directory, coverage: &coverage };
        let options = Options { grouping, ..Options::default() };
        let begun = Instant::now();
        let recommendation = recommend(input, (0..DEPENDENCIES).map(dependency), &namespaces, &options);
        let recommended = begun.elapsed().as_secs_f64() - making;
        let written = policies(&recommendation, &Decisions::default(), &Written::default()).expect("policies");
        let seconds = begun.elapsed().as_secs_f64() - making;
        let (bytes, peak) = (written.documents.iter().map(|it| it.text.len()).sum::<usize>(), memory_mb("VmHWM:"));
        println!(
            "{name:10} {:5} policies, {:7} entries, {:4} MB of YAML: {recommended:5.1} s and {:4.1} s to write; peak {peak} MB",
            written.count,
            written.entries,
            bytes >> 20,
            seconds - recommended
        );
        is_within &= seconds <= LIMIT_S && peak <= LIMIT_MB;
    }
    if is_within { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
