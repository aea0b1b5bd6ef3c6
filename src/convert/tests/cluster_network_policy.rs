//! ClusterNetworkPolicies: what they say, and within which limits.

use std::collections::BTreeSet;

use super::*;
use crate::policy::Tier;

const BASELINE: Target = Target::ClusterNetworkPolicy(Slot::DEFAULT);

/// The specs of what a policy becomes, by the last part of their names.
fn specs(spec: &Value, target: Target) -> Vec<(String, Value)> {
    let objects = converted(spec, target).objects;
    let last = |name: &Value| name.as_str().unwrap().strip_prefix("shop.web.").unwrap().to_owned();
    objects.iter().map(|it| (last(&it["metadata"]["name"]), it["spec"].clone())).collect()
}

/// One of them.
fn phase(spec: &Value, name: &str) -> Value {
    let found = specs(spec, BASELINE).into_iter().find(|(own, _)| own == name);
    found.map(|(_, spec)| spec).unwrap_or_default()
}

fn remarks(spec: &Value) -> Vec<String> {
    converted(spec, BASELINE).remarks.iter().map(ToString::to_string).collect()
}

/// What policies of one namespace become, by name.
fn names(policies: &[(&str, Value)]) -> Vec<String> {
    let raw = |(name, spec): &(&str, Value)| RawObject {
        source: format!("{name}.yaml"),
        document: None,
        object: json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": {"name": name, "namespace": "shop"}, "spec": spec,
        }),
    };
    let objects: Vec<RawObject> = policies.iter().map(raw).collect();
    let set = PolicySet::from_objects(&objects, Strictness::Strict).unwrap();
    let all = convert(&set, &objects, BASELINE, &Ground::default(), None);
    assert_eq!(all.len(), policies.len(), "none is gone");
    let objects = all.iter().flat_map(|it| &it.objects);
    objects.map(|it| it["metadata"]["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn four_phases_allow_and_deny_pods_and_then_networks() {
    let spec = json!({
        "podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"from": [{"podSelector": {}}, {"namespaceSelector": {"matchLabels": {"team": "a"}}}], "ports": [{"port": 80}]}],
        "egress": [{
            "to": [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "db"}}}, {"ipBlock": {"cidr": "203.0.113.0/24"}}],
            "ports": [{"port": 5432}],
        }],
    });
    let shop = json!({"matchLabels": {"kubernetes.io/metadata.name": "shop"}});
    let subject = json!({"pods": {"namespaceSelector": shop, "podSelector": {"matchLabels": {"app": "web"}}}});
    let port = |number: u16| json!([{"tcp": {"destinationPort": {"number": number}}}]);
    let allow_pods = json!({
        "tier": "Baseline", "priority": 100, "subject": subject,
        "ingress": [{
            "action": "Accept", "from": [{"namespaces": shop}, {"namespaces": {"matchLabels": {"team": "a"}}}], "protocols": port(80),
        }],
        "egress": [{
            "action": "Accept", "to": [{"pods": {"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "db"}}}}],
            "protocols": port(5432),
        }],
    });
    let deny_pods = json!({
        "tier": "Baseline", "priority": 101, "subject": subject,
        "ingress": [{"action": "Deny", "from": [{"namespaces": {}}]}],
        "egress": [{"action": "Deny", "to": [{"namespaces": {}}]}],
    });
    let allow_networks = json!({
        "tier": "Baseline", "priority": 102, "subject": subject,
        "egress": [{"action": "Accept", "to": [{"networks": ["203.0.113.0/24"]}], "protocols": port(5432)}],
    });
    let deny_networks = json!({
        "tier": "Baseline", "priority": 103, "subject": subject,
        "egress": [{"action": "Deny", "to": [{"networks": ["0.0.0.0/0", "::/0"]}]}],
    });
    let expected = [
        ("allow-pods", allow_pods),
        ("deny-pods", deny_pods),
        ("allow-networks", allow_networks),
        ("deny-networks", deny_networks),
    ];
    assert_eq!(specs(&spec, BASELINE), expected.map(|(name, spec)| (name.to_owned(), spec)));
}

#[test]
fn the_admin_tier_passes_on_what_is_listed() {
    let spec = egress(&json!([]), &json!([{"port": 443}]));
    let target = Target::ClusterNetworkPolicy(Slot { tier: Tier::Admin, priority: 7 });
    let found: Vec<(Value, Value, Value)> = specs(&spec, target)
        .into_iter()
        .map(|(_, spec)| (spec["tier"].clone(), spec["priority"].clone(), spec["egress"][0]["action"].clone()))
        .collect();
    let one = |priority: u16, action: &str| (json!("Admin"), json!(priority), json!(action));
    assert_eq!(found, [one(7, "Pass"), one(8, "Deny"), one(9, "Pass"), one(10, "Deny")]);
}

#[test]
fn everybody_is_all_pods_and_all_networks() {
    let spec = egress(&json!([]), &json!([{"port": 443}]));
    assert_eq!(phase(&spec, "allow-pods")["egress"][0]["to"], json!([{"namespaces": {}}]));
    assert_eq!(phase(&spec, "allow-networks")["egress"][0]["to"], json!([{"networks": ["0.0.0.0/0", "::/0"]}]));
    // where all is allowed nothing is left to deny
    let open = json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "ingress": [{}], "egress": [{}]});
    let found: Vec<String> = specs(&open, BASELINE).into_iter().map(|(name, _)| name).collect();
    assert_eq!(found, ["allow-pods", "allow-networks"]);
    assert_eq!(phase(&open, "allow-pods")["ingress"], json!([{"action": "Accept", "from": [{"namespaces": {}}]}]));
    assert_eq!(remarks(&open), [""; 0]);
}

#[test]
fn exceptions_are_cut_out() {
    let block = json!({"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.128.0.0/9", "10.0.0.0/10"]}});
    let networks = |spec: &Value| phase(spec, "allow-networks")["egress"][0]["to"][0]["networks"].clone();
    assert_eq!(networks(&egress(&json!([block]), &json!([]))), json!(["10.64.0.0/10"]));
    let v6 = json!({"ipBlock": {"cidr": "fd00::/126", "except": ["fd00::1/128"]}});
    assert_eq!(networks(&egress(&json!([v6]), &json!([]))), json!(["fd00::/128", "fd00::2/127"]));
    // a block of which nothing is left allows nothing, and the same network twice is one
    let none = json!({"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.0.0.0/9", "10.128.0.0/9"]}});
    assert_eq!(networks(&egress(&json!([none]), &json!([]))), Value::Null);
    let twice = json!([{"ipBlock": {"cidr": "10.0.0.0/8"}}, {"ipBlock": {"cidr": "10.0.0.0/8"}}]);
    assert_eq!(networks(&egress(&twice, &json!([]))), json!(["10.0.0.0/8"]));
}

#[test]
fn ports_are_numbers_ranges_and_names_of_pods() {
    let ports = json!([
        {"port": 80}, {"protocol": "UDP"}, {"port": 9000, "endPort": 9010}, {"port": 90, "endPort": 90},
        {"port": "http"}, {"port": "http", "protocol": "UDP"},
    ]);
    let spec = egress(&json!([]), &ports);
    let numbers = [
        json!({"tcp": {"destinationPort": {"number": 80}}}),
        json!({"udp": {"destinationPort": {"range": {"start": 1, "end": 65535}}}}),
        json!({"tcp": {"destinationPort": {"range": {"start": 9000, "end": 9010}}}}),
        json!({"tcp": {"destinationPort": {"number": 90}}}),
    ];
    let protocols = |name: &str| phase(&spec, name)["egress"][0]["protocols"].as_array().unwrap().clone();
    assert_eq!(protocols("allow-pods"), [&numbers[..], &[json!({"destinationNamedPort": "http"})]].concat());
    assert_eq!(protocols("allow-networks"), numbers);
    let told = [
        "egress on TCP/http, UDP/http also opens ports of that name of other protocols: here a name is looked up for all of them",
        "egress on TCP/http, UDP/http is to pods with a network of their own alone: ports of addresses have no names",
    ];
    assert_eq!(remarks(&spec), told);
    // nothing but a name is no rule of networks, let alone one of all ports
    let named = egress(&json!([]), &json!([{"port": "http"}]));
    assert_eq!(phase(&named, "allow-networks"), Value::Null);
    let all = json!([{"port": "http"}, {"port": "http", "protocol": "UDP"}, {"port": "http", "protocol": "SCTP"}]);
    assert_eq!(remarks(&egress(&json!([{"podSelector": {}}]), &all)), [""; 0]);
}

#[test]
fn who_comes_from_outside_stays_and_is_told() {
    let spec = ingress(&json!([{"ipBlock": {"cidr": "203.0.113.0/24"}}]), &json!([{"port": 443}]));
    let found: Vec<String> = specs(&spec, BASELINE).into_iter().map(|(name, _)| name).collect();
    assert_eq!(found, ["deny-pods"]);
    let remark = converted(&spec, BASELINE).remarks.remove(0);
    let words = "closes ingress from pods only: nodes, pods on their network, and who is outside the cluster may come on all ports, for \
                 rules of ingress cannot name them; those for 203.0.113.0/24 are left out";
    assert_eq!((remark.to_string().as_str(), remark.is_wider()), (words, true));
    let nobody = json!({"podSelector": {}, "policyTypes": ["Ingress"]});
    assert!(remarks(&nobody)[0].ends_with("cannot name them"), "{:?}", remarks(&nobody));
    assert_eq!(remarks(&egress(&json!([{"podSelector": {}}]), &json!([]))), [""; 0]);
}

#[test]
fn blocks_that_hold_pods_and_services_are_told() {
    let told = |cidr: &str| remarks(&egress(&json!([{"ipBlock": {"cidr": cidr}}]), &json!([])));
    let words = "egress names 10.0.0.0/8, in which the inventory has 1 pod and 1 Service: these are told by their labels alone, even \
                 where the network plugin holds an ipBlock against them";
    assert_eq!(told("10.0.0.0/8"), [words]);
    assert!(told("10.244.1.0/24")[0].contains("has 1 pod: "));
    assert_eq!(told("203.0.113.0/24"), [""; 0]);
}

#[test]
fn what_another_policy_closes_is_not_closed_twice() {
    let deny = json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]});
    let web = json!({
        "podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": ["Ingress"],
        "ingress": [{"from": [{"podSelector": {}}]}],
    });
    assert_eq!(
        names(&[("deny", deny.clone()), ("web", web.clone())]),
        ["shop.deny.deny-pods", "shop.deny.deny-networks", "shop.web.allow-pods"]
    );
    // not by a policy of another direction, nor by one of fewer pods
    let out = json!({"podSelector": {}, "policyTypes": ["Egress"]});
    let few = json!({"podSelector": {"matchLabels": {"app": "web", "tier": "a"}}, "policyTypes": ["Ingress"]});
    assert!(names(&[("out", out), ("web", web.clone())]).contains(&"shop.web.deny-pods".to_owned()));
    assert!(names(&[("few", few.clone()), ("web", web.clone())]).contains(&"shop.web.deny-pods".to_owned()));
    // of two alike the first closes; one that would be gone is written nonetheless
    assert_eq!(
        names(&[("a", web.clone()), ("b", web)]),
        ["shop.a.allow-pods", "shop.a.deny-pods", "shop.b.allow-pods"]
    );
    let all = names(&[("deny", deny), ("few", few)]);
    assert_eq!(all, ["shop.deny.deny-pods", "shop.deny.deny-networks", "shop.few.deny-pods"]);
}

#[test]
fn lists_are_as_long_as_they_may_be() {
    let pod = |n: usize| json!({"podSelector": {"matchLabels": {"app": format!("a{n}")}}});
    let ports: Vec<Value> = (1..=26).map(|port| json!({"port": port})).collect();
    let block = |n: usize| json!({"ipBlock": {"cidr": format!("203.0.{n}.0/25")}});
    let peers: Vec<Value> = (0..26).map(pod).chain((0..=255).map(block)).collect();
    let rule = json!({"to": peers, "ports": ports});
    let spec = json!({"podSelector": {}, "policyTypes": ["Egress"], "egress": vec![rule; 7]});
    let all = specs(&spec, BASELINE);
    let len = |value: &Value| value.as_array().map_or(0, Vec::len);
    let counts: Vec<(&str, usize)> = all.iter().map(|(name, spec)| (name.as_str(), len(&spec["egress"]))).collect();
    // two lists of peers by two of ports, seven times, and two more for all that are beyond
    let expected =
        [("allow-pods", 25), ("allow-pods-2", 3), ("deny-pods", 1), ("allow-networks", 14), ("deny-networks", 1)];
    assert_eq!(counts, expected);
    for rule in all.iter().flat_map(|(_, spec)| spec["egress"].as_array().unwrap()) {
        assert!((1..=25).contains(&len(&rule["to"])) && len(&rule["protocols"]) <= 25, "{rule}");
        let networks = rule["to"].as_array().unwrap().iter().map(|peer| len(&peer["networks"]));
        assert!(networks.max() <= Some(25), "{rule}");
    }
    let networks: BTreeSet<&str> = all
        .iter()
        .filter(|(name, _)| name == "allow-networks")
        .flat_map(|(_, spec)| spec["egress"].as_array().unwrap())
        .flat_map(|rule| rule["to"].as_array().unwrap())
        .flat_map(|peer| peer["networks"].as_array().unwrap())
        .map(|network| network.as_str().unwrap())
        .collect();
    assert_eq!(networks.len(), 256);
}

#[test]
fn names_are_told_apart_and_no_longer_than_they_may_be() {
    let deny = json!({"podSelector": {}, "policyTypes": ["Ingress"]});
    let selected = |app: &str| json!({"podSelector": {"matchLabels": {"app": app}}, "policyTypes": ["Egress"]});
    let long = format!("{}.b", "a".repeat(251));
    let other = format!("{}.c", "a".repeat(251));
    let all =
        names(&[(&long, deny), (&other, selected("a")), ("web", selected("b")), ("web.deny-pods", selected("c"))]);
    let distinct: BTreeSet<&String> = all.iter().collect();
    assert_eq!((all.len(), distinct.len()), (7, 7), "{all:?}");
    assert!(all.iter().all(|name| name.len() <= 253), "{all:?}");
    assert!(all[0].starts_with("shop.aaaa") && all[0].contains("aa.deny-pods-x"), "{all:?}");
}
