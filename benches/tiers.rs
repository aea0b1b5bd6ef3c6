//! A network of 100,000 endpoints with 10 million calls between 400 known roles: how long it takes to find them, how well
//! they are found, and what memory that takes.
//!
//! `make bench-tiers`. A plain program: what is measured takes seconds, so that no statistics are needed. Fewer endpoints
//! can be asked for: `cargo bench --bench tiers -- 10000`.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on has failed")]

use std::{collections::HashMap, time::Instant};

use flowmap::{
    model::Protocol,
    tier::{Edge, Graph, Member, Options, Service, of_graph},
};

const ENDPOINTS: u32 = 100_000;
const CALLS_EACH: u32 = 100;
const ROLES: u32 = 400;
/// Ports that roles serve; some have the same.
const PORTS: u64 = 900;
/// Of a hundred members so many lack one of the things that their role does, and as many do one of their own.
const ODD_PERCENT: u64 = 10;

/// Numbers that look drawn (splitmix64, Steele et al., OOPSLA 2014), the same in every run.
struct Draw(u64);

impl Draw {
    fn next(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (x ^ (x >> 31)) % below
    }

    fn small(&mut self, below: u64) -> u32 {
        u32::try_from(self.next(below)).unwrap()
    }
}

/// What a role does.
struct Role {
    ports: Vec<u16>,
    calls: Vec<usize>,
}

fn roles(draw: &mut Draw) -> Vec<Role> {
    let role = |draw: &mut Draw, n: u32| {
        let ports = (0..=draw.next(3)).map(|_| u16::try_from(1_000 + draw.next(PORTS)).unwrap()).collect();
        // everybody asks the first role for names; the others are called by those before them
        let calls = (0..2 + draw.next(4)).map(|_| usize::try_from(1 + draw.next(u64::from(ROLES) - 1)).unwrap());
        let calls = calls.filter(|other| *other > n as usize).chain([0]).collect();
        Role { ports, calls }
    };
    let mut all: Vec<Role> = (0..ROLES).map(|n| role(draw, n)).collect();
    all[0] = Role { ports: vec![53], calls: Vec::new() };
    all
}

fn edges(draw: &mut Draw, endpoints: u32) -> Vec<Edge> {
    let roles = roles(draw);
    let in_role = endpoints / ROLES;
    let mut edges = Vec::with_capacity((endpoints * CALLS_EACH) as usize);
    for client in 0..endpoints {
        let role = &roles[(client % ROLES) as usize];
        let is_odd = draw.next(100) < ODD_PERCENT;
        let missing = if is_odd { draw.next(8) } else { u64::MAX };
        let mut edge = |draw: &mut Draw, to: usize, port: u16| {
            let server = draw.small(u64::from(in_role)) * ROLES + u32::try_from(to).unwrap();
            let service = Service::new(if to == 0 { Protocol::UDP } else { Protocol::TCP }, port);
            edges.push(Edge { client, server, service, hours: 1, is_idle: false, is_oneway: false });
        };
        let targets: Vec<(usize, u16)> =
            role.calls.iter().flat_map(|to| roles[*to].ports.iter().map(|port| (*to, *port))).collect();
        for n in 0..CALLS_EACH as usize {
            let Some((to, port)) = targets.get(n % targets.len().max(1)) else { break };
            if (n % targets.len()) as u64 != missing || *to == 0 {
                edge(draw, *to, *port);
            }
        }
        if is_odd {
            let port = u16::try_from(2_000 + draw.next(60_000)).unwrap();
            let to = usize::try_from(draw.next(u64::from(ROLES))).unwrap();
            edge(draw, to, port);
        }
    }
    edges
}

/// The adjusted Rand index (Hubert and Arabie, 1985).
#[expect(clippy::cast_precision_loss, reason = "counts")]
fn adjusted_rand(pairs: &[(u32, u32)]) -> f64 {
    let choose = |count: u64| (count * count.saturating_sub(1) / 2) as f64;
    let (mut both, mut a, mut b) = (HashMap::new(), HashMap::new(), HashMap::new());
    for (x, y) in pairs {
        *both.entry((x, y)).or_insert(0u64) += 1;
        *a.entry(x).or_insert(0u64) += 1;
        *b.entry(y).or_insert(0u64) += 1;
    }
    let index: f64 = both.into_values().map(choose).sum();
    let (a, b): (f64, f64) = (a.into_values().map(choose).sum(), b.into_values().map(choose).sum());
    let expected = a * b / choose(pairs.len() as u64);
    (index - expected) / (f64::midpoint(a, b) - expected)
}

/// The most memory that the process had, in MB.
fn peak_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|text| text.split_whitespace().next()).and_then(|kb| kb.parse::<u64>().ok()).unwrap_or(0) / 1_024
}

fn main() {
    let endpoints = std::env::args().find_map(|word| word.parse().ok()).unwrap_or(ENDPOINTS);
    let mut draw = Draw(6);
    let edges = edges(&mut draw, endpoints);
    let mut turned = edges.clone();
    turned.reverse();
    let member = |n: u32| Member { name: format!("10.{}.{}.{}", n >> 16, n >> 8 & 255, n & 255), ..Member::default() };
    let members: Vec<Member> = (0..endpoints).map(member).collect();
    println!("{endpoints} endpoints, {} calls, {ROLES} roles; {} MB before", edges.len(), peak_mb());

    let start = Instant::now();
    let graph = Graph::from_parts(members.clone(), Vec::new(), edges);
    let laid = start.elapsed();
    let tiers = of_graph(graph, Options::default());
    println!(
        "{} roles found in {:.1} s ({:.1} s of it to lay the graph out); {} MB at most",
        tiers.roles.len(),
        start.elapsed().as_secs_f64(),
        laid.as_secs_f64(),
        peak_mb()
    );
    let number: HashMap<&str, u32> = (0u32..).zip(&members).map(|(n, member)| (member.name.as_str(), n)).collect();
    let found: Vec<(u32, u32)> = (0u32..)
        .zip(&tiers.roles)
        .flat_map(|(role, it)| it.members.iter().map(move |member| (role, member)))
        .map(|(role, member)| (role, number[member.name.as_str()] % ROLES))
        .collect();
    assert_eq!(found.len(), endpoints as usize, "every endpoint is in one role");
    println!("adjusted Rand index {:.4}", adjusted_rand(&found));
    drop(found);

    let again = of_graph(Graph::from_parts(members.clone(), Vec::new(), turned), Options::default());
    assert!(tiers.roles == again.roles, "another order of the calls gave other roles");
    println!("the same roles for the calls in reverse");
}
