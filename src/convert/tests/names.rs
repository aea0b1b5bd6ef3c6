//! Names that pods asked for, as rules.

use super::*;
use crate::{
    model::{HostName, Span, Timestamp},
    policy::IpBlock,
};

/// What asks DNS in `kube-system`, and ports beside it.
fn dns() -> Value {
    let resolvers = json!({
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
        "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
    });
    let ports = json!([{"port": 53, "protocol": "UDP"}, {"port": 9153}, {"port": 53}]);
    egress(&json!([resolvers]), &ports)
}

/// What `web` was answered.
fn answer(name: &str, address: &str) -> Answer {
    let moment = |time: &str| Timestamp::parse(time).unwrap();
    Answer {
        namespace: "shop".into(),
        workload: "shop/web".into(),
        labels: [("app", "web"), ("pod-template-hash", "1")].into_iter().collect(),
        asker: [10, 244, 1, 10].into(),
        name: HostName::parse(name.as_bytes()).unwrap(),
        address: address.parse().unwrap(),
        span: Span { first: moment("2026-11-24T10:00:00Z"), last: moment("2026-11-24T11:00:00Z") },
        times: 3,
        used_on: [443].into(),
    }
}

/// Policies of `shop` with these specs, and names that were answered.
fn named(specs: &[Value], answers: &[Answer]) -> Vec<Converted> {
    with(specs, &Answers::new(answers.iter().cloned()))
}

fn with(specs: &[Value], answers: &Answers) -> Vec<Converted> {
    let object = |(n, spec): (usize, &Value)| RawObject {
        source: "web.yaml".into(),
        document: Some(n),
        object: json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": {"name": format!("p{n}"), "namespace": "shop"}, "spec": spec,
        }),
    };
    let objects: Vec<RawObject> = specs.iter().enumerate().map(object).collect();
    let set = PolicySet::from_objects(&objects, Strictness::Strict).unwrap();
    convert(&set, &objects, Target::Cilium, &ground(), Some(answers))
}

fn told(converted: &Converted) -> String {
    converted.remarks.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// HTTPS to these blocks.
fn https(cidrs: &[&str]) -> Value {
    let peers: Vec<Value> = cidrs.iter().map(|cidr| json!({"ipBlock": {"cidr": cidr}})).collect();
    egress(&json!(peers), &json!([{"port": 443}]))
}

#[test]
fn names_are_allowed_beside_the_addresses_and_what_is_asked_passes_the_proxy() {
    let answers = [answer("b.example.com", "203.0.113.9"), answer("a.example.com", "203.0.113.9")];
    let all = named(&[https(&["203.0.113.9/32"]), dns()], &answers);
    let ports = json!([{"ports": [{"port": "443", "protocol": "TCP"}]}]);
    assert_eq!(
        all[0].objects[0]["spec"]["egress"],
        json!([
            {"toCIDRSet": [{"cidr": "203.0.113.9/32"}], "toPorts": ports},
            {"toFQDNs": [{"matchName": "a.example.com"}, {"matchName": "b.example.com"}], "toPorts": ports},
        ])
    );
    assert_eq!(
        all[1].objects[0]["spec"]["egress"][0]["toPorts"],
        json!([
            {
                "ports": [{"port": "53", "protocol": "UDP"}, {"port": "53", "protocol": "TCP"}],
                "rules": {"dns": [{"matchPattern": "*"}]},
            },
            {"ports": [{"port": "9153", "protocol": "TCP"}]},
        ])
    );
    assert_eq!(
        told(&all[0]),
        "egress on TCP/443 also goes to every address that a.example.com, b.example.com will have, as Cilium's DNS proxy learns them"
    );
    assert!(all[0].remarks[0].is_wider() && !all[1].remarks[0].is_wider());
    assert!(
        told(&all[1]).starts_with("leads what its pods ask on port 53 through Cilium's DNS proxy"),
        "{}",
        told(&all[1])
    );
    let asked = &all[0].asked[0];
    assert_eq!((asked.name.as_str(), asked.times, asked.ports.as_str()), ("a.example.com", 3, "TCP/443"));
    assert_eq!(asked.askers, ["shop/web".to_owned()].into());
    // the same in any order
    assert_eq!(named(&[https(&["203.0.113.9/32"]), dns()], &[answers[1].clone(), answers[0].clone()])[0], all[0]);
}

#[test]
fn names_go_on_the_ports_of_their_use_and_on_no_port_of_dns() {
    let answers = [Answer { used_on: [53, 80, 443].into(), ..answer("a.example.com", "203.0.113.9") }];
    let ports = |ports: Value| {
        let rule = egress(&json!([{"ipBlock": {"cidr": "203.0.113.9/32"}}]), &ports);
        let all = named(&[rule, dns()], &answers);
        let rules = all[0].objects[0]["spec"]["egress"].as_array().unwrap().clone();
        let names = rules.into_iter().find(|rule| rule["toFQDNs"].is_array());
        names.map(|rule| rule["toPorts"][0]["ports"].clone())
    };
    let dns_alone = json!([{"port": 53, "protocol": "UDP"}, {"port": 53}]);
    assert_eq!(ports(dns_alone), None);
    assert_eq!(
        ports(json!([{"port": 53, "protocol": "UDP"}, {"port": 443}])),
        Some(json!([{"port": "443", "protocol": "TCP"}]))
    );
    let (http, https) = (json!({"port": "80", "protocol": "TCP"}), json!({"port": "443", "protocol": "TCP"}));
    assert_eq!(ports(json!([{"port": 30, "endPort": 80}])), Some(json!([http])));
    assert_eq!(ports(json!([])), Some(json!([http, https])));
    for without in [json!([{"port": 5432}]), json!([{"port": 443, "protocol": "UDP"}]), json!([{"port": "https"}])] {
        assert_eq!(ports(without.clone()), None, "{without}");
    }
}

#[test]
fn each_name_has_its_own_ports_and_the_rest_of_the_rule_is_by_address_alone() {
    let on = |name: &str, address: &str, ports: &[u16]| Answer {
        used_on: ports.iter().copied().collect(),
        ..answer(name, address)
    };
    let answers = [
        on("a.example.com", "203.0.113.9", &[80]),
        on("b.example.com", "203.0.113.9", &[443, 8_443]),
        on("c.example.com", "203.0.113.9", &[8_443]),
        on("d.example.com", "203.0.113.10", &[80]),
    ];
    let blocks = json!([{"ipBlock": {"cidr": "203.0.113.9/32"}}, {"ipBlock": {"cidr": "203.0.113.10/32"}}]);
    let web = |ports: Value| named(&[egress(&blocks, &ports), dns()], &answers).remove(0);
    let all = web(json!([{"port": 80}, {"port": 443}, {"port": 5_432}]));
    let port = |number: &str| json!([{"ports": [{"port": number, "protocol": "TCP"}]}]);
    assert_eq!(
        all.objects[0]["spec"]["egress"].as_array().unwrap()[1..],
        [
            json!({"toFQDNs": [{"matchName": "a.example.com"}, {"matchName": "d.example.com"}], "toPorts": port("80")}),
            json!({"toFQDNs": [{"matchName": "b.example.com"}], "toPorts": port("443")}),
        ]
    );
    let told = all.remarks.iter().find(|remark| !remark.by_address_alone().is_empty()).unwrap().to_string();
    let expected = "egress on TCP/80, TCP/443, TCP/5432 goes to 203.0.113.9/32, 203.0.113.10/32 by name on TCP/80, TCP/443 alone, and";
    assert!(told.starts_with(expected), "{told}");
    let ports: Vec<&str> = all.asked.iter().map(|asked| asked.ports.as_str()).collect();
    assert_eq!((ports, all.unused.first.len()), (vec!["TCP/80", "TCP/443", "TCP/80"], 1), "c was not used on them");
    let whole = web(json!([{"port": 80}, {"port": 443}, {"port": 53}]));
    assert_eq!(whole.without_names().count(), 0);
}

#[test]
fn a_name_of_too_many_to_tell_whose_it_is_is_told_so() {
    let answers = Answers::new([]).with_crowded(["203.0.113.9".parse().unwrap()]);
    let all = with(&[https(&["203.0.113.9/32"]), dns()], &answers);
    assert!(
        told(&all[0]).ends_with("too many asked for a name of that, or used it, to tell who did"),
        "{}",
        told(&all[0])
    );
}

#[test]
fn an_answer_with_several_addresses_counts_once_for_each_who_asked() {
    let other = Answer { asker: [10, 244, 1, 11].into(), times: 2, ..answer("a.example.com", "203.0.113.9") };
    let answers = [answer("a.example.com", "203.0.113.9"), answer("a.example.com", "203.0.113.10"), other];
    let all = named(&[https(&["203.0.113.8/30"]), dns()], &answers);
    assert_eq!((all[0].asked.len(), all[0].asked[0].times, all[0].asked[0].addresses.len()), (1, 5, 2));
}

#[test]
fn a_name_counts_for_the_pods_that_were_answered_it_and_in_their_blocks() {
    let good = answer("a.example.com", "203.0.113.9");
    let others = [
        Answer { labels: [("app", "api")].into_iter().collect(), ..good.clone() },
        Answer { namespace: "other".into(), ..good.clone() },
        answer("a.example.com", "203.0.113.8"),
    ];
    let of_web = with_selector(https(&["203.0.113.9/32"]), "web");
    let all = named(&[of_web.clone(), dns()], &others);
    assert_eq!(
        told(&all[0]),
        "egress on TCP/443 goes to 203.0.113.9/32 by address alone: no answer is known in which DNS gave its pods a name of that"
    );
    assert_eq!((all[0].remarks[0].by_address_alone().len(), all[0].asked.len()), (1, 0));
    // nothing passes the proxy for nothing
    assert_eq!(all[1].remarks, []);
    let except = json!([{"ipBlock": {"cidr": "203.0.113.0/24", "except": ["203.0.113.9/32"]}}]);
    let all = named(&[egress(&except, &json!([{"port": 443}])), dns()], std::slice::from_ref(&good));
    assert!(told(&all[0]).contains("203.0.113.0/24 by address alone"));
    assert!(named(&[of_web, dns()], &[good])[0].asked.len() == 1);
}

fn with_selector(mut spec: Value, app: &str) -> Value {
    spec["podSelector"] = json!({"matchLabels": {"app": app}});
    spec
}

#[test]
fn names_of_the_cluster_and_the_link_are_none() {
    for name in [
        "db",
        "svc.example.com",
        "db.shop.svc.cluster.local",
        "a.shop.svc.k8s.corp",
        "printer.local",
        "9.113.0.203.in-addr.arpa",
    ] {
        let all = named(&[https(&["203.0.113.9/32"]), dns()], &[answer(name, "203.0.113.9")]);
        assert!(all[0].asked.is_empty() && told(&all[0]).contains("by address alone"), "{name}: {}", told(&all[0]));
    }
}

#[test]
fn a_block_in_which_somebody_of_the_cluster_may_be_gets_no_names() {
    for cidr in ["10.244.1.0/24", "192.0.2.2/32", "169.254.169.254/32", "0.0.0.0/0", "224.0.0.9/32"] {
        let inside = cidr.parse::<IpNet>().unwrap().network().to_string();
        let all = named(&[https(&[cidr]), dns()], &[answer("a.example.com", &inside)]);
        assert!(all[0].asked.is_empty() && !told(&all[0]).contains("address alone"), "{cidr}: {}", told(&all[0]));
    }
    // a private address beside the cluster moves as others do, where it is known where the cluster is
    let all = named(&[https(&["10.1.2.3/32"]), dns()], &[answer("db.corp.example", "10.1.2.3")]);
    assert_eq!(all[0].asked.len(), 1);
    let block = |cidr: &str| IpBlock { cidr: cidr.parse().unwrap(), except: Vec::new() };
    assert!(
        !Ground::default().is_outside(&block("10.1.2.3/32")) && Ground::default().is_outside(&block("203.0.113.9/32"))
    );
    let known = ground().with_ranges(["10.1.0.0/16".parse().unwrap()]);
    assert!(!known.is_outside(&block("10.1.2.3/32")) && known.is_outside(&block("10.2.0.0/16")));
}

#[test]
fn more_names_than_somebody_reads_are_not_written() {
    let many = |addresses: u8, of_each: usize| -> Vec<Answer> {
        let all = (0..addresses).flat_map(|n| (0..of_each).map(move |name| (n, name)));
        all.map(|(n, name)| answer(&format!("n{name}.a{n}.example.com"), &format!("203.0.113.{n}"))).collect()
    };
    let all = named(&[https(&["203.0.113.0/32", "203.0.113.1/32"]), dns()], &[many(1, 17), many(2, 1)].concat());
    assert!(told(&all[0]).contains("203.0.113.0/32 by address alone: its pods use more names"), "{}", told(&all[0]));
    assert_eq!(all[0].asked.len(), 1, "the other block has its name");
    let blocks: Vec<String> = (0..5).map(|n| format!("203.0.113.{n}/32")).collect();
    let blocks: Vec<&str> = blocks.iter().map(String::as_str).collect();
    assert_eq!(named(&[https(&blocks[..4]), dns()], &many(4, 16))[0].asked.len(), 64);
    let all = named(&[https(&blocks), dns()], &many(5, 16));
    assert_eq!((all[0].asked.len(), all[0].remarks[0].by_address_alone().len()), (0, 5));
}

#[test]
fn names_that_the_proxy_would_not_learn_are_not_written() {
    let answers = [answer("a.example.com", "203.0.113.9")];
    let web = https(&["203.0.113.9/32"]);
    let alone = named(std::slice::from_ref(&web), &answers);
    assert!(
        told(&alone[0])
            .ends_with("no rule of port 53 (UDP) among these policies lets them ask through Cilium's DNS proxy")
    );
    assert_eq!(alone[0].objects[0]["spec"]["egress"].as_array().map(Vec::len), Some(1));
    let cache = egress(&json!([{"ipBlock": {"cidr": "169.254.20.10/32"}}]), &json!([{"port": 53, "protocol": "UDP"}]));
    let by_node = named(&[web.clone(), cache.clone()], &answers);
    assert!(told(&by_node[0]).ends_with("they ask on their own node, where Cilium's DNS proxy does not see it"));
    assert_eq!(by_node[1].objects[0]["spec"], cilium(&cache));
    // beside a resolver elsewhere the cache stays as it was
    let both = json!([{"ipBlock": {"cidr": "169.254.20.10/32"}}, {"ipBlock": {"cidr": "198.51.100.53/32"}}]);
    let both = named(&[web.clone(), egress(&both, &json!([{"port": 53, "protocol": "UDP"}]))], &answers);
    let rules = both[1].objects[0]["spec"]["egress"].as_array().unwrap();
    let is_led = |rule: &Value| rule["toPorts"][0]["rules"].is_object();
    assert_eq!(rules.iter().map(is_led).collect::<Vec<_>>(), [true, false, false], "{rules:?}");
    assert_eq!(rules[1]["toCIDRSet"][0]["cidr"], "169.254.20.10/32");
    assert!(told(&both[1]).contains("lets its pods ask on their own node"), "{}", told(&both[1]));
    // by the address of a Service or of pods nobody is asked, for the target knows none by it
    for inside in ["10.96.0.10/32", "10.244.2.0/24"] {
        let asking = egress(&json!([{"ipBlock": {"cidr": inside}}]), &json!([{"port": 53, "protocol": "UDP"}]));
        assert!(named(&[web.clone(), asking], &answers)[0].asked.is_empty(), "{inside}");
    }
    // another port, or a range, is no rule about DNS
    for ports in [json!([{"port": 5353, "protocol": "UDP"}]), json!([{"port": 50, "endPort": 60, "protocol": "UDP"}])] {
        assert!(named(&[web.clone(), egress(&json!([]), &ports)], &answers)[0].asked.is_empty());
    }
}

#[test]
fn a_rule_beside_which_one_about_dns_has_no_effect_is_told() {
    let answers = [answer("a.example.com", "203.0.113.9")];
    let mut open = dns();
    open["egress"][0].as_object_mut().unwrap().remove("ports");
    let all = named(&[https(&["203.0.113.9/32"]), dns(), open], &answers);
    assert!(
        told(&all[2]).contains("egress on all ports lets its pods ask DNS without a rule about DNS"),
        "{}",
        told(&all[2])
    );
    // all of the namespace that the resolvers are in, and all pods there are
    let whole = json!({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}});
    for wide in [whole, json!({"namespaceSelector": {}})] {
        let all = named(&[https(&["203.0.113.9/32"]), dns(), egress(&json!([wide]), &json!([]))], &answers);
        assert!(told(&all[2]).contains("lets its pods ask DNS without a rule about DNS"), "{}", told(&all[2]));
    }
    let of_others =
        named(&[https(&["203.0.113.9/32"]), dns(), egress(&json!([{"podSelector": {}}]), &json!([]))], &answers);
    assert_eq!(of_others[2].remarks, []);
}
