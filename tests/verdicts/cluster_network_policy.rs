//! ClusterNetworkPolicies held against the NetworkPolicies that they were made of: written, read again and judged.
//!
//! In the Baseline tier, without any NetworkPolicy, they must give the same verdict at both ends of every connection, but for what is
//! told: whoever is no pod with a network of its own comes in, and a port's name is one of any protocol. Beside the NetworkPolicies
//! they must change nothing, in either tier.

use std::ops::AddAssign;

use flowmap::{
    convert::{Ground, Slot, Target, convert},
    inventory::{Directory, Listing},
    model::{Namespace, Protocol, RawObject},
    policy::{
        self, End, Evaluator, NetworkPolicy, Options, PolicySet, Port, PortMatch, Probe, Roster, Strictness, Tier,
    },
    render,
};
use serde_json::{Value, json};

use crate::{
    common::random::Random,
    differential::{Asked, case, sighted},
};

/// From which end to which, by which protocol, on which port.
type Question = (usize, usize, Protocol, u16);

/// How many verdicts were the same, of one end each.
#[derive(Clone, Copy, Debug, Default)]
pub struct Verdicts {
    pub allowed: usize,
    pub denied: usize,
    /// Those that were let in though the NetworkPolicies deny it, as is told.
    pub let_in: usize,
}

impl AddAssign for Verdicts {
    fn add_assign(&mut self, other: Self) {
        self.allowed += other.allowed;
        self.denied += other.denied;
        self.let_in += other.let_in;
    }
}

/// Holds what policies become against them.
pub fn held(objects: &[RawObject], namespaces: &[Namespace], ends: &[End], questions: &[Question]) -> Verdicts {
    let set = PolicySet::from_objects(objects, Strictness::Strict).unwrap();
    let [baseline, admin] = [Tier::Baseline, Tier::Admin].map(|tier| converted(&set, objects, tier));
    let beside = |wide: &PolicySet| PolicySet { policies: set.policies.clone(), ..wide.clone() };
    let (named, sets) = (with_names_of_any_protocol(&set), [beside(&baseline), beside(&admin)]);
    let evaluator = |set| Evaluator::new(set, namespaces, Options::default());
    let ([plain, named, alone], both) = ([&set, &named, &baseline].map(evaluator), sets.each_ref().map(evaluator));
    let ends: Vec<End> = ends.iter().cloned().map(without_names_on_nodes).collect();
    let mut verdicts = Verdicts::default();
    for (from, to, protocol, port) in questions {
        let probe = Probe::new(&ends[*from], &ends[*to], *protocol, *port);
        let sides = |evaluator: &Evaluator<'_>| {
            let verdict = evaluator.evaluate(&probe);
            [verdict.egress.allowed, verdict.ingress.allowed]
        };
        let is_pod = matches!(probe.from, End::Pod(pod) if !pod.host_network);
        let [egress, ingress] = sides(&named);
        let case = || format!("{probe:?}\n{:#?}\n{:#?}", set.policies, baseline.cluster_wide);
        assert_eq!(sides(&alone), [egress, ingress || !is_pod], "{}", case());
        assert_eq!(both.each_ref().map(sides), [sides(&plain); 2], "{}", case());
        verdicts.let_in += usize::from(!ingress && !is_pod);
        for is_allowed in [egress, ingress || !is_pod] {
            *(if is_allowed { &mut verdicts.allowed } else { &mut verdicts.denied }) += 1;
        }
    }
    verdicts
}

/// What policies become, read as an API server reads it, in the version that is written and in the one after.
fn converted(set: &PolicySet, objects: &[RawObject], tier: Tier) -> PolicySet {
    let target = Target::ClusterNetworkPolicy(Slot { tier, ..Slot::DEFAULT });
    let all = convert(set, objects, target, &Ground::default(), None);
    assert_eq!(all.len(), set.policies.len());
    let documents = render::converted(&all, &|_| String::new()).unwrap();
    assert_eq!(documents.len(), all.len(), "each has a document");
    let text = documents.iter().map(|document| document.text.as_str()).collect::<Vec<_>>().join("---\n");
    let read =
        |text: &str| PolicySet::from_objects(&policy::read("all.yaml", text).unwrap(), Strictness::Strict).unwrap();
    let again = read(&text);
    assert_eq!(again.cluster_wide.len(), all.iter().map(|it| it.objects.len()).sum::<usize>());
    assert_eq!(again.cluster_wide, read(&text.replace("/v1alpha2", "/v1beta1")).cluster_wide);
    assert!(again.policies.is_empty() && again.not_evaluated.is_empty() && again.doubts().is_empty());
    assert!(again.cluster_wide.iter().all(|it| it.tier == tier && (100..=103).contains(&it.priority)));
    again
}

/// The same policies, where a port's name is one of any protocol.
fn with_names_of_any_protocol(set: &PolicySet) -> PolicySet {
    let mut set = set.clone();
    let of = |policy: &mut NetworkPolicy| {
        for rule in [&mut policy.ingress, &mut policy.egress].into_iter().flatten().flatten() {
            let every = |port: &Port| match port.ports {
                PortMatch::Named(_) => [Protocol::TCP, Protocol::UDP, Protocol::SCTP]
                    .map(|protocol| Port { protocol, ports: port.ports.clone() })
                    .into(),
                PortMatch::All | PortMatch::Range(..) => vec![port.clone()],
            };
            rule.ports = rule.ports.iter().flat_map(every).collect();
        }
    };
    set.policies.iter_mut().for_each(of);
    set
}

/// Networks take no names of ports, and who is in a node's network is one of these.
fn without_names_on_nodes(mut end: End) -> End {
    if let End::Pod(pod) = &mut end
        && pod.host_network
    {
        pod.ports.clear();
    }
    end
}

#[test]
fn the_verdicts_are_those_of_the_network_policies() {
    let cases: u64 = std::env::var("FLOWMAP_CASES").map_or(150, |text| text.parse().unwrap());
    let mut verdicts = Verdicts::default();
    for seed in 0..cases {
        verdicts += of_case(seed);
    }
    println!("{cases} cases: {verdicts:?}");
    assert!(verdicts.allowed > 1_000 && verdicts.denied > 1_000 && verdicts.let_in > 50, "{verdicts:?}");
}

fn of_case(seed: u64) -> Verdicts {
    let mut case = case(&mut Random::new(seed));
    let agent = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "agent", "namespace": "ops", "labels": {"app": "a"}},
        "spec": {"hostNetwork": true, "containers": [{"name": "c"}]},
        "status": {"phase": "Running", "podIP": "192.168.7.7", "podIPs": [{"ip": "192.168.7.7"}]},
    });
    case.objects.push(agent);
    let pods: Vec<String> = case.objects.iter().filter(|it| it["kind"] == "Pod").map(name).collect();
    for pod in &pods {
        for other in ["ops/agent", "2001:db8::1", "10.244.1.77"].into_iter().filter(|other| other != pod) {
            let port = |from: &str, to: &str| -> Asked { (from.to_owned(), to.to_owned(), "TCP".to_owned(), 443) };
            case.probes.extend([port(pod, other), port(other, pod)]);
        }
    }
    let raw = |(n, object): (usize, &Value)| RawObject {
        source: "case".to_owned(),
        document: Some(n + 1),
        object: object.clone(),
    };
    let objects: Vec<RawObject> = case.objects.iter().enumerate().map(raw).collect();
    let directory = Directory::over(&[Listing::default()], case.objects.iter().cloned().map(sighted));
    let cluster = directory.cluster();
    let roster = Roster::new(cluster);
    let mut names: Vec<&str> = case.probes.iter().flat_map(|(from, to, ..)| [from.as_str(), to.as_str()]).collect();
    names.sort_unstable();
    names.dedup();
    let end = |name: &&str| match name.parse() {
        Ok(address) => End::Address(address),
        Err(_) => roster.find(name).unwrap().remove(0),
    };
    let ends: Vec<End> = names.iter().map(end).collect();
    let place = |name: &String| names.binary_search(&name.as_str()).unwrap();
    let question = |(from, to, protocol, port): &Asked| (place(from), place(to), protocol.parse().unwrap(), *port);
    let questions: Vec<Question> = case.probes.iter().map(question).collect();
    held(&objects, &cluster.namespaces, &ends, &questions)
}

fn name(pod: &Value) -> String {
    let word = |key: &str| pod["metadata"][key].as_str().unwrap();
    format!("{}/{}", word("namespace"), word("name"))
}
