use super::*;
use crate::{inventory::ReadError, model::Scope};

/// What is told of one object.
fn told(object: Value) -> Vec<String> {
    reading(&[object]).problems.iter().map(ToString::to_string).collect()
}

#[test]
fn what_cannot_be_used_is_told_and_the_rest_is_used() {
    let pod = || mk_pod("web-1", "10.244.1.5");
    let service = || mk_service("web", "10.96.0.7");
    let ports = |port: Value| json!([{"port": 443}, port]);
    let containers = |port: Value| json!([{"ports": [port]}]);
    let table = [
        (
            with(pod(), "/metadata/labels", json!({"a": "b", "v": 1})),
            "Pod shop/web-1: labels: the value of `v` is not a string",
        ),
        (with(pod(), "/metadata/labels", json!(["a"])), "Pod shop/web-1: labels are not a map"),
        (
            with(pod(), "/metadata/labels", json!({"a b": "c"})),
            "Pod shop/web-1: labels: `a b` must be a label key: letters, digits, `-`, `_` and `.`, 63 at most, starting \
             and ending with a letter or digit, optionally after a DNS subdomain and `/`",
        ),
        (
            with(pod(), "/metadata/labels", json!({"app": "<script>"})),
            "Pod shop/web-1: labels: `<script>` must be a label value: empty, or letters, digits, `-`, `_` and `.`, 63 at \
             most, starting and ending with a letter or digit",
        ),
        (
            with(pod(), "/metadata/namespace", "<shop>".into()),
            "item 1 (Pod): namespace `<shop>` must be a DNS label: lower-case letters, digits and `-`, 63 at most, \
             starting and ending with a letter or digit",
        ),
        (
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a.b"}}),
            "item 1 (Namespace): name `a.b` must be a DNS label: lower-case letters, digits and `-`, 63 at most, starting \
             and ending with a letter or digit",
        ),
        (
            with(pod(), "/status/podIPs", json!([{"ip": "10.244.1"}])),
            "Pod shop/web-1: pod address `10.244.1` is not an address",
        ),
        (with(pod(), "/status/podIPs", json!([{"ip": 7}])), "Pod shop/web-1: pod address `7` is not an address"),
        (with(pod(), "/status/hostIP", "node-1".into()), "Pod shop/web-1: host address `node-1` is not an address"),
        (
            with(pod(), "/spec/containers", containers(json!({"containerPort": 0}))),
            "Pod shop/web-1: containerPort must be between 1 and 65535, not `0`",
        ),
        (
            with(pod(), "/spec/containers", containers(json!({"containerPort": "80"}))),
            "Pod shop/web-1: containerPort must be between 1 and 65535, not `\"80\"`",
        ),
        (
            with(pod(), "/spec/containers", containers(json!({"containerPort": 80, "protocol": "ICMP"}))),
            "Pod shop/web-1: protocol `ICMP` is none of TCP, UDP, SCTP",
        ),
        (
            with(service(), "/spec/ports", ports(json!({"port": 0}))),
            "Service shop/web: port must be between 1 and 65535, not `0`",
        ),
        (
            with(service(), "/spec/ports", ports(json!({}))),
            "Service shop/web: port must be between 1 and 65535, not nothing",
        ),
        (
            with(service(), "/spec/ports", ports(json!({"port": 80, "targetPort": 70_000}))),
            "Service shop/web: targetPort must be between 1 and 65535, not `70000`",
        ),
        (
            with(service(), "/spec/type", "Magic".into()),
            "Service shop/web: type `Magic` is not known; taken for ClusterIP",
        ),
        (
            with(service(), "/spec/clusterIP", "10.96.0".into()),
            "Service shop/web: clusterIP `10.96.0` is not an address",
        ),
        (
            with(mk_node("n1", "192.0.2.1", "10.0.0.0/24"), "/spec/podCIDR", "10.0.0.0/33".into()),
            "Node n1: pod range `10.0.0.0/33` is not a CIDR",
        ),
        (
            mk_object("discovery.k8s.io/v1", "EndpointSlice", "web-1"),
            "EndpointSlice shop/web-1: has no label kubernetes.io/service-name, so it belongs to no Service",
        ),
        (mk_object("apps/v1", "Deployment", "web"), "Deployment shop/web: has no pod template"),
        (with(pod(), "/metadata/name", Value::Null), "item 1 (Pod): has no metadata.name"),
        (with(pod(), "/metadata/name", 7.into()), "item 1 (Pod): has no metadata.name"),
    ];
    for (object, expected) in table {
        assert_eq!(told(object.clone()), [format!("cluster.json: {expected}")], "{object}");
    }
}

#[test]
fn a_pod_with_a_bad_field_keeps_the_others() {
    let pod = with(mk_pod("web-1", "10.244.1.5"), "/metadata/labels", json!({"app": "web", "v": 1}));
    let cluster = reading(&[with(pod, "/spec/containers", "none".into())]).cluster;
    assert_eq!(cluster.pods[0].labels.get("app"), Some("web"));
    assert_eq!(cluster.pods[0].addresses, [ip("10.244.1.5")]);
}

#[test]
fn only_a_running_pod_must_have_an_address() {
    let bare =
        |phase: &str| with(with(mk_pod("web-1", ""), "/status/podIPs", json!([])), "/status/phase", phase.into());
    assert_eq!(told(bare("Running")), ["cluster.json: Pod shop/web-1: is running without an address"]);
    assert!(told(bare("Pending")).is_empty());
    assert_eq!(reading(&[bare("Running")]).cluster.pods.len(), 1);
}

#[test]
fn items_that_are_no_objects_are_told_by_their_place() {
    for item in
        [json!(7), json!("pod"), json!(null), json!({}), json!({"metadata": {}}), json!({"kind": 3, "metadata": {}})]
    {
        let reading = reading(&[mk_pod("web-1", "10.244.1.5"), item]);
        assert_eq!(reading.cluster.pods.len(), 1);
        assert_eq!(reading.problems[0].to_string(), "cluster.json: item 2: is no Kubernetes object: it has no kind");
    }
}

#[test]
fn of_a_million_faults_the_first_are_kept_and_all_are_counted() {
    let text = format!(r#"{{"kind": "List", "items": [{}{}]}}"#, "7,".repeat(999_999), mk_pod("web-1", "10.244.1.5"));
    let reading = read("any", text.as_bytes()).unwrap();
    assert_eq!((reading.problems.len(), reading.more_problems, reading.cluster.pods.len()), (1_000, 998_999, 1));
}

#[test]
fn one_object_listed_many_times_over_costs_no_more_than_many() {
    let service = |name: &str, n: u32| {
        let service = mk_service(name, &std::net::Ipv4Addr::from(0x0a60_0000 + n).to_string());
        with(service, "/metadata/creationTimestamp", "2026-09-21T10:00:00Z".into())
    };
    let listing = crate::inventory::Listing { taken_at: Some(at("10:30:00")), ..Default::default() };
    let sighting = crate::inventory::Sighting { listing: 0, since: None, until: None };
    let sighted = |name: &str, n| crate::inventory::Sighted { object: service(name, n), sightings: vec![sighting] };
    let begun = std::time::Instant::now();
    let many = Directory::over(std::slice::from_ref(&listing), (0..10_000).map(|n| sighted(&format!("web-{n}"), n)));
    assert_eq!(many.cluster().services.len(), 10_000);
    let of_many = begun.elapsed();
    let begun = std::time::Instant::now();
    let directory = Directory::over(&[listing], (0..10_000).map(|n| sighted("web", n)));
    assert_eq!(who(&directory, "10.96.0.7", "10:29:59"), "Service shop/web");
    assert_eq!(directory.cluster().services[0].cluster_ips.len(), 10_000);
    // of all pairs of them it would be thousands of times as much
    assert!(begun.elapsed() < 20 * of_many, "{:?} and {of_many:?}", begun.elapsed());
}

#[test]
fn files_of_no_use_say_why() {
    let table: [(&[u8], &str); 12] = [
        (b"", "the file is empty"),
        (b" \n", "the file is empty"),
        (b"a\xff", "neither JSON, YAML nor CSV: not UTF-8 after byte 1"),
        (b"{\"kind\": }", "not readable as JSON: expected value at line 1 column 10"),
        (b"{}", "holds neither Kubernetes objects nor hosts"),
        (b"[]", "holds neither Kubernetes objects nor hosts"),
        (b"[1, 2]", "holds neither Kubernetes objects nor hosts"),
        (b"{\"a\": {\"kind\": \"Pod\"}}", "holds neither Kubernetes objects nor hosts"),
        (b"just words", "holds neither Kubernetes objects nor hosts"),
        (b"a: 1\nb: 2\n", "holds neither Kubernetes objects nor hosts"),
        (b"# nothing\n", "holds neither Kubernetes objects nor hosts"),
        (b"NAME READY STATUS\nweb-1 1/1 Running\n", "holds neither Kubernetes objects nor hosts"),
    ];
    for (text, expected) in table {
        let error = read("any", text).unwrap_err();
        assert_eq!(error.to_string(), expected, "{}", String::from_utf8_lossy(text));
    }
}

#[test]
fn a_key_that_stands_twice_costs_its_object_alone_and_no_other_one() {
    let pod = |name: &str, labels: &str| {
        format!(r#"{{"kind": "Pod", "metadata": {{"name": "{name}", "namespace": "shop", "labels": {{{labels}}}}}}}"#)
    };
    let (good, twice) = (pod("a", r#""app": "a""#), pod("b", r#""app": "b", "app": "c""#));
    let list = |items: &[&str]| format!(r#"{{"kind": "List", "items": [{}]}}"#, items.join(", "));
    let whole = read("any", list(&[&good]).as_bytes()).unwrap();
    assert_ne!(whole.complete, Scope::default());
    for text in [list(&[&good, &twice, &good]), list(&[&twice, &good]), format!("[{good}, {twice}]"), good + &twice] {
        let reading = read("any", text.as_bytes()).unwrap();
        let [problem] = &reading.problems[..] else { panic!("{text}: {:?}", reading.problems) };
        assert!(problem.line().ends_with(" (Pod b): key `app` stands twice"), "{}", problem.line());
        assert!(reading.cluster.pods.iter().all(|pod| pod.name == "a"), "{text}");
        // who is not in it may be the one that was left out
        assert_eq!(reading.complete, Scope::default(), "{text}");
    }
    let error = read("any", twice.as_bytes()).unwrap_err();
    assert_eq!(error.to_string(), "nothing in it can be used: item 1 (Pod b): key `app` stands twice");
    // of the List itself
    let text = list(&[]).replace(r#""items""#, r#""kind": "PodList", "items""#);
    assert_eq!(
        read("any", text.as_bytes()).unwrap_err().to_string(),
        "nothing in it can be used: item 1 (PodList): key `kind` stands twice"
    );
}

#[test]
fn what_is_told_of_an_object_is_no_longer_than_anybody_reads() {
    let told = told(with(mk_pod(&"x".repeat(1 << 20), "10.244.1.5"), "/metadata/labels", json!(["a"])));
    assert!(told.iter().all(|line| line.len() < 1_000 && line.ends_with("…: labels are not a map")), "{}", told.len());
}

#[test]
fn a_hosts_file_whose_rows_are_all_at_fault_says_the_first() {
    let error = read("any", b"address,name\n10.0.0.1,a,b\n10.0.0.2,\"a\n").unwrap_err();
    assert_eq!(error.to_string(), "nothing in it can be used: line 2: has 3 cells, the header names 2; and 1 more");
}

#[test]
fn bad_yaml_is_told_with_its_line() {
    let error = read("any", b"kind: Pod\nmetadata: {name: [\n").unwrap_err();
    assert!(matches!(&error, ReadError::Syntax { format: "YAML", reason } if reason.contains("line")), "{error}");
}

#[test]
fn of_a_list_cut_short_anywhere_the_whole_objects_are_used() {
    let text = mk_list(&[mk_pod("web-1", "10.244.1.5"), mk_service("web", "10.96.0.7")]);
    let mut used = 0;
    for length in 1..text.len() {
        match read("any", &text[..length]) {
            Err(error) => assert!(used == 0 && matches!(error, ReadError::CutShort { .. }), "{length}: {error}"),
            Ok(reading) => {
                assert!(reading.objects.len() >= used, "{length}");
                used = reading.objects.len();
                assert!(reading.problems[0].reason.contains("cut short"), "{:?}", reading.problems);
                // what is missing may stand behind the cut
                assert_eq!(reading.complete, crate::model::Scope::default());
            }
        }
    }
    assert_eq!(used, 2);
}

#[test]
fn a_list_is_one_wherever_its_kind_stands() {
    let pod = mk_pod("web-1", "10.244.1.5");
    let bare = json!({"metadata": pod["metadata"], "spec": pod["spec"], "status": pod["status"]});
    let table = [
        format!(r#"{{"apiVersion": "v1", "items": [{pod}], "kind": "List"}}"#),
        format!(r#"{{"kind": "List", "apiVersion": "v1", "items": [{pod}]}}"#),
        format!(r#"{{"kind": "PodList", "apiVersion": "v1", "items": [{bare}]}}"#),
        format!(r#"{{"items": [{bare}], "apiVersion": "v1", "kind": "PodList"}}"#),
        format!(r#"{{"items": [{{"items": [{pod}], "kind": "List"}}], "kind": "List"}}"#),
    ];
    for text in table {
        let reading = read("any", text.as_bytes()).unwrap();
        assert_eq!((reading.cluster.pods.len(), reading.problems.len()), (1, 0), "{text}");
        assert!(reading.complete.covers("Pod", "shop"), "{text}");
    }
}

#[test]
fn items_of_another_meaning_are_left_alone() {
    for items in [r#"["a", "b"]"#, r#"{"a": 1}"#, "7", "null", "\"x\"", "[]", "1.5", "-3", "true"] {
        let text = format!(
            r#"{{"apiVersion": "example.com/v1", "items": {items}, "kind": "Shop", "metadata": {{"name": "x"}}}}"#
        );
        let reading = read("any", text.as_bytes()).unwrap();
        assert_eq!(reading.skipped.get("Shop.example.com"), Some(&1), "{items}");
        assert_eq!(reading.problems, [], "{items}");
    }
}

#[test]
fn an_empty_list_is_an_answer() {
    for text in [r#"{"kind": "List", "items": []}"#, r#"{"kind": "PodList", "items": null}"#] {
        assert_eq!(read("any", text.as_bytes()).unwrap(), Reading::default());
    }
}

#[test]
fn one_bad_document_does_not_cost_the_others() {
    let good = crate::yaml::write(&mk_pod("web-1", "10.244.1.5")).unwrap();
    let reading = read("m.yaml", format!("{good}---\nkind: [\n---\n{good}").as_bytes()).unwrap();
    assert_eq!(reading.cluster.pods.len(), 1);
    assert_eq!(reading.problems.len(), 1);
    let problem = reading.problems[0].to_string();
    let line = good.lines().count() + 2;
    assert!(
        problem.starts_with("m.yaml: document 2: not readable as YAML") && problem.contains(&format!("line {line}")),
        "{problem}"
    );
    let lines = format!("{}\n{{\"kind\"", mk_pod("web-1", "10.244.1.5"));
    let reading = read("watch.json", lines.as_bytes()).unwrap();
    assert_eq!(reading.cluster.pods.len(), 1);
    assert!(reading.problems[0].reason.contains("cut short"), "{:?}", reading.problems);
}
