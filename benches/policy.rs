//! Verdicts at scale: recorded connections a second on one core, and all pairs of 100,000 pods in 300 namespaces under
//! 2,000 policies.
//!
//! `make bench-policy`. A plain program: what is measured takes seconds, so that no statistics are needed.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on has failed")]
#![expect(clippy::cast_precision_loss, reason = "figures for people")]

use std::{collections::BTreeSet, fmt::Write, fs, net::IpAddr, time::Instant};

use flowmap::{
    model::{
        Cluster, ContainerPort, Dependency, Direction, Labels, Namespace, Node, Outcome, Party, PartyKind, Pod,
        Protocol, Span, Timestamp, WorkloadRef,
    },
    policy::{self, Census, Classes, End, Evaluator, Options, Outside, Past, PolicySet, Roster, Strictness},
};

const PODS: usize = 100_000;
const NAMESPACES: usize = 300;
const POLICIES: usize = 2_000;
/// Workloads of a namespace: some thirty replicas each.
const WORKLOADS: usize = 11;
const NODES: usize = 1_000;
/// Distinct dependencies that are replayed.
const ROWS: usize = 1_000_000;

/// What an administrator writes: names for all, an enemy, and a baseline that closes what nobody has opened.
const WIDE: &str = "apiVersion: policy.networking.k8s.io/v1beta1
kind: ClusterNetworkPolicy
metadata: {name: guard}
spec:
  tier: Admin
  priority: 10
  subject: {namespaces: {}}
  egress:
  - {action: Accept, to: [{namespaces: {matchLabels: {kubernetes.io/metadata.name: team-7}}}], protocols: [{udp: {destinationPort: {number: 53}}}]}
  ingress:
  - {action: Deny, from: [{namespaces: {matchLabels: {kubernetes.io/metadata.name: team-9}}}]}
---
apiVersion: policy.networking.k8s.io/v1beta1
kind: ClusterNetworkPolicy
metadata: {name: base}
spec: {tier: Baseline, priority: 10, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}
";

fn main() {
    let (cluster, text) = (cluster(), policies());
    let objects = policy::read("bench", &text).unwrap();
    let set = timed("read 2,000 policies", || PolicySet::from_objects(&objects, Strictness::Strict).unwrap());
    assert_eq!(set.policies.len(), POLICIES);
    let evaluator = Evaluator::new(&set, &cluster.namespaces, Options::default());
    let roster = timed("arrange 100,000 pods", || Roster::new(&cluster));
    all_pairs(&roster, &evaluator);
    let wide = policy::read("bench", WIDE).unwrap();
    let wide = PolicySet::from_objects(&wide, Strictness::Strict).unwrap().on_top_of(&set);
    println!("with policies of the whole cluster around them:");
    all_pairs(&roster, &Evaluator::of_cluster(&wide, &cluster, Options::default()));
    comparison(&roster, &evaluator, &cluster);
    replay(&roster, &evaluator);
    println!("peak resident memory: {} MB", peak_mb());
}

/// All pods with each other: how many of the ten thousand million pairs are open.
fn all_pairs(roster: &Roster<'_>, evaluator: &Evaluator<'_>) {
    let ends: Vec<End> = roster.workloads().flat_map(|id| roster.members(id)).map(|who| roster.end(who)).collect();
    assert_eq!(ends.len(), PODS);
    let classes = timed("build the classes", || Classes::new(evaluator, &ends));
    let open = timed("judge all pairs of pods", || {
        let mut sizes = vec![0u64; classes.kinds()];
        (0..ends.len()).for_each(|end| sizes[classes.kind(end)] += 1);
        let mut open = 0u64;
        for (from, a) in sizes.iter().enumerate() {
            open +=
                sizes.iter().enumerate().filter(|(to, _)| classes.is_open(from, *to)).map(|(_, b)| a * b).sum::<u64>();
        }
        open
    });
    println!("  {} kinds of pods; {open} of {} pairs are open", classes.kinds(), PODS * PODS);
}

fn comparison(roster: &Roster<'_>, evaluator: &Evaluator<'_>, cluster: &Cluster) {
    let ranges: Vec<_> = cluster.nodes.iter().flat_map(|node| node.pod_ranges.clone()).collect();
    let nothing = PolicySet::default();
    let before = Evaluator::new(&nothing, &cluster.namespaces, Options::default());
    let outside = Outside::new(&[evaluator], cluster, &ranges);
    let census = Census::new(roster, &outside);
    let reach = timed("reach of every workload", || policy::reach(&census, evaluator));
    println!("  of {} workloads", reach.len());
    let changes = timed("diff against no policies", || policy::diff(&census, &before, evaluator));
    println!("  {} changes", changes.len());
}

/// Rows a second, from the difference between many rows and few: the classes are built in both.
fn replay(roster: &Roster<'_>, evaluator: &Evaluator<'_>) {
    let few: Vec<Dependency> = (0..ROWS / 10).map(dependency).collect();
    let many: Vec<Dependency> = (0..ROWS).map(dependency).collect();
    let past = timed("arrange a million dependencies", || Past::new(&many, roster));
    let short = Past::new(&few, roster);
    let time = |past: &Past<'_>| {
        let start = Instant::now();
        let simulation = policy::simulate(past, evaluator, None);
        (start.elapsed().as_secs_f64(), simulation)
    };
    let (base, _) = time(&short);
    let (all, simulation) = time(&past);
    println!("  {} allowed, {} denied, {} uncertain", simulation.allowed, simulation.denied, simulation.uncertain);
    println!("replay of {ROWS} dependencies: {all:.3} s, classes and reasons included");
    let rate = (ROWS - ROWS / 10) as f64 / (all - base) / 1e6;
    println!("  beyond the first tenth, with the classes built: {rate:.1} million dependencies a second");
    let ends: Vec<End> = roster.workloads().flat_map(|id| roster.members(id)).map(|who| roster.end(who)).collect();
    let classes = Classes::new(evaluator, &ends);
    let start = Instant::now();
    let lookups = 20_000_000usize;
    let allowed = (0..lookups)
        .filter(|n| {
            let (from, to) = (n.wrapping_mul(2_654_435_761) % PODS, n.wrapping_mul(40_503) % PODS);
            classes.allows(classes.kind(from), classes.kind(to), Protocol::TCP, 8080)
        })
        .count();
    let seconds = start.elapsed().as_secs_f64();
    println!("verdicts on pairs of pods: {:.1} million a second ({allowed} allowed)", lookups as f64 / seconds / 1e6);
}

fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    println!("{what}: {:.3} s", start.elapsed().as_secs_f64());
    result
}

/// The most memory that the process had at one time, by Linux.
fn peak_mb() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|rest| rest.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()).unwrap_or_default() / 1024
}

fn app(n: usize) -> String {
    format!("app-{}", n % WORKLOADS)
}

fn namespace(n: usize) -> String {
    format!("team-{}", n % NAMESPACES)
}

fn address(n: usize) -> IpAddr {
    IpAddr::from([10, u8::try_from(n >> 16).unwrap() + 128, n.to_be_bytes()[6], n.to_be_bytes()[7]])
}

fn cluster() -> Cluster {
    let named = |n: usize| Namespace {
        name: namespace(n),
        labels: [("team", format!("t{}", n % 7)), ("kubernetes.io/metadata.name", namespace(n))].into_iter().collect(),
    };
    let node = |n: usize| Node {
        name: format!("node-{n}"),
        addresses: vec![IpAddr::from([172, 18, n.to_be_bytes()[6], n.to_be_bytes()[7]])],
        ..Node::default()
    };
    Cluster {
        namespaces: (0..NAMESPACES).map(named).collect(),
        nodes: (0..NODES).map(node).collect(),
        pods: (0..PODS).map(pod).collect(),
        ..Cluster::default()
    }
}

fn workload(n: usize) -> WorkloadRef {
    WorkloadRef { namespace: namespace(n), name: app(n / NAMESPACES), kind: "Deployment".into() }
}

fn pod(n: usize) -> Pod {
    let id = workload(n);
    let labels: Labels = [
        ("app", id.name.clone()),
        ("tier", format!("tier-{}", n / NAMESPACES % WORKLOADS % 3)),
        ("pod-template-hash", format!("{:x}", n / NAMESPACES % WORKLOADS)),
        ("pod-index", n.to_string()),
    ]
    .into_iter()
    .collect();
    Pod {
        namespace: id.namespace.clone(),
        name: format!("{}-{n}", id.name),
        workload: id,
        maker: None,
        host_ports: Vec::new(),
        labels,
        addresses: vec![address(n)],
        node: Some(format!("node-{}", n % NODES)),
        host_network: false,
        ports: vec![ContainerPort { name: Some("http".into()), port: 8080, protocol: Protocol::TCP }],
        started: None,
        finished: false,
        mesh: None,
    }
}

/// In each namespace a default deny and policies such as people write, until there are enough.
fn policies() -> String {
    let mut text = String::new();
    for n in 0..POLICIES {
        let (namespace, kind) = (namespace(n), n / NAMESPACES);
        let (app, other) = (app(n % NAMESPACES), app(n % NAMESPACES + 1));
        let _ = writeln!(
            text,
            "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{namespace: {namespace}, name: p{kind}}}"
        );
        let spec = match kind {
            0 => "{podSelector: {}, policyTypes: [Ingress, Egress]}".to_owned(),
            1 => "{podSelector: {}, policyTypes: [Egress], egress: [{ports: [{port: 53, protocol: UDP}, {port: 53}]}]}"
                .to_owned(),
            2 => format!(
                "{{podSelector: {{matchLabels: {{app: {app}}}}}, ingress: [{{from: [{{podSelector: {{matchLabels: {{app: {other}}}}}}}], ports: [{{port: http}}]}}]}}"
            ),
            3 => format!(
                "{{podSelector: {{matchLabels: {{app: {other}}}}}, policyTypes: [Egress], egress: [{{to: [{{podSelector: {{matchLabels: {{app: {app}}}}}}}], ports: [{{port: 8080}}]}}]}}"
            ),
            4 => format!(
                "{{podSelector: {{matchLabels: {{app: {app}}}}}, ingress: [{{from: [{{namespaceSelector: {{matchLabels: {{team: t{}}}}}, podSelector: {{matchExpressions: [{{key: tier, operator: In, values: [tier-1]}}]}}}}], ports: [{{port: 9090, endPort: 9100}}]}}]}}",
                n % 7
            ),
            5 => format!(
                "{{podSelector: {{matchExpressions: [{{key: tier, operator: NotIn, values: [tier-0]}}]}}, policyTypes: [Egress], egress: [{{to: [{{ipBlock: {{cidr: 203.0.{}.0/24, except: [203.0.{}.128/25]}}}}], ports: [{{port: 443}}]}}]}}",
                n % 256,
                n % 256
            ),
            _ => format!(
                "{{podSelector: {{matchLabels: {{app: {other}}}}}, ingress: [{{from: [{{ipBlock: {{cidr: 0.0.0.0/0, except: [10.128.0.0/9]}}}}], ports: [{{port: 8080}}]}}]}}"
            ),
        };
        let _ = writeln!(text, "spec: {spec}");
    }
    text
}

fn party(n: usize) -> Party {
    let n = n % PODS;
    let id = workload(n);
    let (name, owner) = (id.to_string(), Some(id.kind));
    Party { kind: PartyKind::Workload, name, owner, addresses: [address(n)].into(), names: Vec::new() }
}

/// What the policies allow within a namespace; one of twenty is not allowed.
fn dependency(n: usize) -> Dependency {
    let namespace = n % NAMESPACES;
    let replica = |app: usize, salt: usize| {
        namespace
            + NAMESPACES * (app % WORKLOADS + WORKLOADS * ((n / NAMESPACES * salt) % (PODS / NAMESPACES / WORKLOADS)))
    };
    Dependency {
        site: "default".into(),
        client: party(replica(namespace + 1 + n % 20 / 19, 1)),
        server: party(replica(namespace, 7)),
        protocol: Protocol::TCP,
        port: 8080,
        via: BTreeSet::new(),
        sources: BTreeSet::new(),
        outcome: Outcome::Established,
        direction: Direction::Handshake,
        connections: 1,
        packets: 10,
        packets_are_least: false,
        bytes_to_server: 0,
        bytes_to_client: 0,
        span: Span { first: Timestamp(0), last: Timestamp(0) },
        vlans: BTreeSet::new(),
        tunnels: BTreeSet::new(),
        marks: BTreeSet::new(),
        history: [].into(),
    }
}
