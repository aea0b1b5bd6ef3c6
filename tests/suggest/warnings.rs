//! What a proposal cannot know, and says: jobs that did not run, connections that policies blocked, labels that lack.

use serde_json::{Value, json};

use crate::common::{
    Flowmap,
    cluster::{list, node, of, owned, pod, with},
    packets::Capture,
};

/// A store with a capture of one node and these objects beside the pods `web` and `api`.
pub(super) fn flowmap(capture: &Capture, objects: &[Value]) -> Flowmap {
    let flowmap = Flowmap::new();
    let mut items =
        vec![node("node-1", "192.0.2.1", "10.244.1.0/24"), pod("web", "10.244.1.5"), pod("api", "10.244.1.6")];
    items.extend_from_slice(objects);
    flowmap.write("cluster.json", list(&items));
    flowmap.write("x.pcap", capture.bytes());
    flowmap.ok(&["inventory", "import", "cluster.json"]);
    flowmap.ok(&["import", "--sensor", "node-1", "x.pcap"]);
    flowmap
}

pub(super) fn review(flowmap: &Flowmap) -> String {
    std::fs::read_to_string(flowmap.path("out/REVIEW.md")).unwrap()
}

pub(super) const SUGGEST: [&str; 5] = ["suggest", "-n", "shop", "--out-dir", "out"];

pub(super) fn talk() -> Capture {
    let mut capture = Capture::new();
    capture.at("2026-11-24T10:00:00Z").talk("10.244.1.5:40000", "10.244.1.6:8080");
    capture.at("2026-11-24T12:00:00Z").talk("10.244.1.5:40001", "10.244.1.6:8080");
    capture
}

/// A policy of somebody's that closes the API but for one port.
fn deployed(made: &str, port: u16) -> Value {
    json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": "closed", "namespace": "shop", "creationTimestamp": made},
        "spec": {"podSelector": {"matchLabels": {"app": "api"}}, "policyTypes": ["Ingress"],
                 "ingress": [{"ports": [{"protocol": "TCP", "port": port}]}]}})
}

fn cron_job(name: &str, schedule: &str) -> Value {
    let template = json!({"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "c"}]}});
    json!({"apiVersion": "batch/v1", "kind": "CronJob",
           "metadata": {"name": name, "namespace": "shop", "creationTimestamp": "2026-11-01T00:00:00Z"},
           "spec": {"schedule": schedule, "jobTemplate": {"spec": {"template": template}}}})
}

#[test]
fn a_job_that_was_not_due_in_the_window_is_named_and_left_open() {
    let jobs = [cron_job("nightly", "0 3 * * *"), cron_job("hourly", "30 * * * *"), cron_job("odd", "whenever")];
    let flowmap = flowmap(&talk(), &jobs);
    let output = flowmap.ok(&SUGGEST);
    let review = review(&flowmap);
    assert!(review.contains("CronJob shop/nightly (`0 3 * * *`) was not due in this window"), "{review}");
    assert!(review.contains("CronJob shop/odd (`whenever`) has a schedule that cannot be read"), "{review}");
    assert!(!review.contains("CronJob shop/hourly"), "{review}");
    assert!(review.contains("**Short-lived:** shop/hourly, shop/nightly, shop/odd"), "{review}");
    assert!(review.contains("It is shorter than a day."), "{review}");
    assert!(output.stderr.contains("shop/nightly: nothing of it was seen"), "{}", output.stderr);
}

#[test]
fn a_job_that_somebody_started_was_seen_whatever_its_schedule() {
    let mut run = pod("nightly", "10.244.1.40");
    run["metadata"]["ownerReferences"] = json!([{"apiVersion": "batch/v1", "kind": "Job", "name": "nightly-29400000",
                                                 "controller": true, "uid": "j"}]);
    let mut capture = talk();
    capture.talk("10.244.1.40:40000", "10.244.1.6:8080");
    let flowmap = flowmap(&capture, &[cron_job("nightly", "0 3 * * *"), run]);
    flowmap.ok(&SUGGEST);
    let review = review(&flowmap);
    assert!(!review.contains("was not due in this window"), "{review}");
}

#[test]
fn a_job_that_was_due_while_nothing_was_captured_is_named_and_documents_tell_the_window() {
    let flowmap = flowmap(&talk(), &[cron_job("noon", "10 13 24 11 *"), cron_job("early", "10 10 24 11 *")]);
    let mut later = Capture::new();
    later.at("2026-11-24T14:00:00Z").talk("10.244.1.5:40003", "10.244.1.6:8080");
    later.at("2026-11-24T15:00:00Z").talk("10.244.1.5:40004", "10.244.1.6:8080");
    flowmap.write("later.pcap", later.bytes());
    flowmap.ok(&["import", "--sensor", "node-1", "later.pcap"]);
    flowmap.ok(&SUGGEST);
    let whole = review(&flowmap);
    assert!(whole.contains("Seen from 2026-11-24 10:00 to 2026-11-24 15:00 UTC in 2 captures."), "{whole}");
    // between the two captures
    assert!(whole.contains("CronJob shop/noon (`10 13 24 11 *`) was not due in this window"), "{whole}");
    assert!(!whole.contains("CronJob shop/early"), "{whole}");
    flowmap.ok(&[&SUGGEST[..], &["--since", "2026-11-24T11:00:00Z", "--until", "2026-11-24T14:30:00Z"]].concat());
    let part = review(&flowmap);
    assert!(part.contains("Seen from 2026-11-24 11:00 to 2026-11-24 14:30 UTC in 2 captures."), "{part}");
    assert!(part.contains("CronJob shop/early (`10 10 24 11 *`) was not due in this window"), "{part}");
    let report = std::fs::read_to_string(flowmap.path("out/report.html")).unwrap();
    assert!(report.contains("Seen from 2026-11-24 11:00 to 2026-11-24 14:30 UTC in 2 captures"), "{report}");
}

#[test]
fn what_a_deployed_policy_blocked_while_learning_is_named_with_the_policy() {
    let mut capture = talk();
    capture.refused([10, 244, 1, 5], 40_002, [10, 244, 1, 6], 9090);
    let flowmap = flowmap(&capture, &[deployed("2026-11-20T10:00:00Z", 8080)]);
    let output = flowmap.ok(&SUGGEST);
    let review = review(&flowmap);
    assert!(review.contains("**Blocked while learning?** shop/web -> shop/api on TCP/9090"), "{review}");
    assert!(review.contains("shop/closed"), "{review}");
    assert!(review.contains("**Deployed already:** NetworkPolicy shop/closed."), "{review}");
    assert!(output.stderr.contains("shop/web -> shop/api TCP/9090: not answered"), "{}", output.stderr);
    let api = std::fs::read_to_string(flowmap.path("out/shop/api.yaml")).unwrap();
    assert!(!api.contains("9090"), "{api}");
}

#[test]
fn only_what_was_there_can_have_blocked_and_only_what_is_denied_still_is_missing() {
    let mut capture = talk();
    capture.refused([10, 244, 1, 5], 40_002, [10, 244, 1, 6], 9090);
    for (made, is_told) in [("2026-11-20T10:00:00Z", true), ("2026-11-30T10:00:00Z", false)] {
        let flowmap = flowmap(&capture, &[deployed(made, 8080)]);
        flowmap.ok(&SUGGEST);
        assert_eq!(review(&flowmap).contains("**Blocked while learning?**"), is_told, "{made}");
    }
    // allowed by hand on both sides: nothing is missing
    let flowmap = flowmap(&capture, &[deployed("2026-11-20T10:00:00Z", 8080)]);
    flowmap.ok(&SUGGEST);
    for name in ["api", "web"] {
        let path = format!("out/shop/{name}.yaml");
        let text = std::fs::read_to_string(flowmap.path(&path)).unwrap();
        assert!(text.contains("port: 8080"), "{text}");
        flowmap.write(&path, text.replace("port: 8080", "port: 9090"));
    }
    flowmap.run(&SUGGEST);
    let review = review(&flowmap);
    assert!(review.contains("TCP/9090") && !review.contains("**Blocked while learning?**"), "{review}");
}

#[test]
fn what_a_proposal_opens_that_a_deployed_policy_denies_is_named() {
    let closed = flowmap(&talk(), &[deployed("2026-11-20T10:00:00Z", 9090)]);
    closed.ok(&SUGGEST);
    let words =
        "**Opens what is denied today:** 1 pair: shop/web -> shop/api on TCP/8080. What is deployed denies it now";
    assert!(review(&closed).contains(words), "{}", review(&closed));
    let report = std::fs::read_to_string(closed.path("out/report.html")).unwrap();
    assert!(report.contains("Opens what is denied today"));
    let open = flowmap(&talk(), &[]);
    open.ok(&SUGGEST);
    assert!(!review(&open).contains("denied today"), "{}", review(&open));
}

#[test]
fn verdict_and_openness_are_also_told_with_what_is_deployed() {
    let flowmap = flowmap(&talk(), &[deployed("2026-11-20T10:00:00Z", 8080)]);
    flowmap.ok(&SUGGEST);
    let api = std::fs::read_to_string(flowmap.path("out/shop/api.yaml")).unwrap();
    flowmap.write("out/shop/api.yaml", api.replace("port: 8080", "port: 9090"));
    let output = flowmap.run(&SUGGEST);
    // by itself it denies what was seen; what is deployed lets everybody in on that port
    let review = review(&flowmap);
    assert!(review.contains("0 allowed, 2 denied, 0 uncertain. **Something that was seen would break.**"), "{review}");
    assert!(review.contains("as long as they are: 2 allowed, 0 denied, 0 uncertain."), "{review}");
    // as `simulate` measures it, which holds policies on top of what is deployed
    let measured: Value = serde_json::from_str(&flowmap.run(&["simulate", "out", "-o", "json"]).stdout).unwrap();
    let over = measured["excess"]["over_permission"].as_f64().unwrap();
    assert!(over > 1.0, "{measured}");
    let words = format!("for as long as they are, over-permission is {over:.2}.");
    assert!(review.contains(&words), "{words}: {review}");
    assert!(output.stdout.replace('\n', " ").contains(&words), "{}", output.stdout);
    assert!(output.stdout.lines().all(|line| line.chars().count() <= 100), "{}", output.stdout);
    let report = std::fs::read_to_string(flowmap.path("out/report.html")).unwrap();
    assert!(report.contains("2 allowed, 0 denied, 0 uncertain."), "{report}");
    assert!(report.contains("without what is deployed besides: 1.00"), "{report}");
    let alone = self::flowmap(&talk(), &[]);
    let output = alone.ok(&SUGGEST);
    assert!(!output.stdout.contains("deployed besides"), "{}", output.stdout);
}

#[test]
fn as_many_that_are_others_are_told_too() {
    let mut capture = talk();
    for (at, from) in [("2026-11-24T12:10:00Z", "10.244.1.9:40000"), ("2026-11-24T12:20:00Z", "10.244.1.9:40001")] {
        capture.at(at).talk(from, "10.244.1.6:8080");
    }
    let probe = with(pod("probe", "10.244.1.9"), "/metadata/namespace", json!("tools"));
    let policy = |namespace: &str, name: &str, egress: Value| {
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"podSelector": {}, "policyTypes": ["Egress"], "egress": egress}})
    };
    let flowmap =
        flowmap(&capture, &[probe, policy("tools", "closed", json!([])), policy("shop", "wide", json!([{}]))]);
    flowmap.run(&SUGGEST);
    let web = std::fs::read_to_string(flowmap.path("out/shop/web.yaml")).unwrap();
    flowmap.write("out/shop/web.yaml", web.replace("port: 8080", "port: 9090"));
    flowmap.run(&SUGGEST);
    let review = review(&flowmap);
    assert!(review.contains("2 allowed, 2 denied, 0 uncertain."), "{review}");
    assert!(review.contains("as long as they are: 2 allowed, 2 denied, 0 uncertain."), "{review}");
    assert!(review.contains("- denied by itself: shop/web -> shop/api on TCP/8080"), "{review}");
    assert!(review.contains("- denied besides: tools/probe -> shop/api on TCP/8080"), "{review}");
}

#[test]
fn what_deployed_policies_of_elsewhere_deny_is_among_what_would_be_denied() {
    let mut capture = talk();
    capture.at("2026-11-24T12:10:00Z").talk("10.244.1.9:40000", "10.244.1.6:8080");
    let probe = with(pod("probe", "10.244.1.9"), "/metadata/namespace", json!("tools"));
    let closed = json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": "closed", "namespace": "tools"},
        "spec": {"podSelector": {}, "policyTypes": ["Egress"]}});
    let flowmap = flowmap(&capture, &[probe, closed]);
    flowmap.run(&SUGGEST);
    let review = review(&flowmap);
    assert!(review.contains("3 connections seen, 3 allowed, 0 denied"), "{review}");
    assert!(review.contains("- denied besides: tools/probe -> shop/api on TCP/8080, 1 connection: "), "{review}");
    let report = std::fs::read_to_string(flowmap.path("out/report.html")).unwrap();
    assert!(report.contains("<span class=\"tag stop\">denied besides</span>"), "{report}");
}

#[test]
fn what_no_label_tells_apart_gets_a_patch() {
    let like_api = |name: &str, address: &str| {
        let twin = with(pod(name, address), "/metadata/labels", json!({"app": "api"}));
        owned(twin, "StatefulSet", name)
    };
    let flowmap = flowmap(&talk(), &[like_api("twin", "10.244.1.9")]);
    flowmap.ok(&SUGGEST);
    let review = review(&flowmap);
    assert!(review.contains("**No stable label tells api and twin apart:** they share one policy."), "{review}");
    for line in [
        r#"kubectl -n shop patch deployment api --type merge -p '{"spec":{"template":{"metadata":{"labels":{"app.kubernetes.io/name":"api"}}}}}'"#,
        r#"kubectl -n shop patch statefulset twin --type merge -p '{"spec":{"template":{"metadata":{"labels":{"app.kubernetes.io/name":"twin"}}}}}'"#,
    ] {
        assert!(review.contains(line), "{review}");
    }
}

#[test]
fn what_is_selected_by_its_release_alone_gets_a_patch() {
    let next = |name: &str, address: &str, build: &str| {
        with(pod(name, address), "/metadata/labels", json!({"app": "api", "build": build}))
    };
    // api itself has no such label: the policy is for pods without one
    let flowmap = flowmap(&talk(), &[next("one", "10.244.1.8", "9fceb02"), next("two", "10.244.1.9", "4ac1d77")]);
    flowmap.ok(&SUGGEST);
    let review = review(&flowmap);
    for name in ["one", "two"] {
        let told = format!("- **Only its release tells {name} from others:** it is selected by build, ");
        assert!(review.contains(&told), "{review}");
        assert!(review.contains(&format!("kubectl -n shop patch deployment {name} --type merge")), "{review}");
        let policy = std::fs::read_to_string(flowmap.path(&format!("out/shop/{name}.yaml"))).unwrap();
        assert!(policy.contains("# Only build tells it from others, "), "{policy}");
    }
    assert!(review.contains("- **No label says who api is:**"), "{review}");
}

#[test]
fn connections_from_before_the_captures_are_told() {
    let mut capture = talk();
    capture.said(([10, 244, 1, 5], 40_009), ([10, 244, 1, 6], 8080), b"hello");
    capture.said(([10, 244, 1, 6], 8080), ([10, 244, 1, 5], 40_009), b"hello");
    let flowmap = flowmap(&capture, &[]);
    flowmap.ok(&SUGGEST);
    let review = review(&flowmap);
    assert!(review.contains("**Long-lived:** 1 connection"), "{review}");
}

#[test]
fn options_out_of_range_are_errors() {
    let flowmap = Flowmap::new();
    for option in [
        ["--support", "2"],
        ["--support", "x"],
        ["--cidr-floor", "33"],
        ["--cidr-floor", "24,129"],
        ["--cidr-floor", "a,b"],
    ] {
        let output = flowmap.run(&[&SUGGEST[..], &option].concat());
        assert_eq!(output.code, 2, "{option:?}");
        assert!(output.stderr.contains(option[1]), "{}", output.stderr);
    }
}

#[test]
fn a_list_of_policies_that_is_dated_before_what_is_known_says_so_and_is_taken_at_its_word() {
    let changed = |port: u16| deployed("2026-11-20T10:00:00Z", port);
    let flowmap = flowmap(&talk(), &[changed(8080)]);
    let allows = || flowmap.run(&["explain", "shop/web", "shop/api", "8080"]).code == 0;
    assert!(allows());
    flowmap.write("policies.json", list(&[changed(9090)]));
    let output = flowmap.ok(&["inventory", "import", "policies.json"]);
    assert!(output.stderr.contains("policies.json: 1 policy\n"), "{}", output.stderr);
    assert!(output.stderr.contains("as they were known stay shop/closed\nhint: "), "{}", output.stderr);
    assert!(allows());
    let output = flowmap.ok(&["inventory", "import", "--taken-at", "2026-11-25T00:00:00Z", "policies.json"]);
    assert!(!output.stderr.contains("as they were known"), "{}", output.stderr);
    assert!(!allows());
    let early = flowmap.run(&["inventory", "import", "--taken-at", "2026-11-01T00:00:00Z", "policies.json"]);
    early.is_an_error(&["is before 2026-11-20T10:00:00", "no older"]);
}

#[test]
fn one_packet_with_another_date_makes_no_long_window() {
    let mut capture = talk();
    capture.at("2026-08-01T00:00:00Z").talk("10.244.1.5:40009", "10.244.1.6:8080");
    let flowmap = flowmap(&capture, &[]);
    flowmap.ok(&SUGGEST);
    let review = review(&flowmap);
    assert!(review.contains("Seen from 2026-08-01 00:00 to 2026-11-24 12:00 UTC"), "{review}");
    assert!(review.contains("was not seen and is denied. It is shorter than a day."), "two hours: {review}");
    assert!(review.contains("0 of 2 workloads watched all the time"), "nobody watched in between: {review}");
}

#[test]
fn policies_that_are_about_all_namespaces_are_named() {
    let wide = |version: &str, kind: &str| json!({"apiVersion": version, "kind": kind, "metadata": {"name": "all"}, "spec": {}});
    let kinds = [
        ("policy.networking.k8s.io/v1alpha1", "AdminNetworkPolicy"),
        ("projectcalico.org/v3", "GlobalNetworkPolicy"),
        ("cilium.io/v2", "CiliumClusterwideNetworkPolicy"),
    ];
    let flowmap = flowmap(&talk(), &kinds.map(|(version, kind)| wide(version, kind)));
    flowmap.ok(&SUGGEST);
    let review = review(&flowmap);
    for (_, kind) in kinds {
        assert!(review.contains(&format!("{kind} all")), "{kind}: {review}");
    }
}

#[test]
fn all_namespaces_are_those_but_the_clusters_own_which_is_said() {
    let dns = of("kube-system", pod("coredns", "10.244.1.53"));
    let mut capture = talk();
    capture.ask("10.244.1.5:40010", "10.244.1.53:53");
    let flowmap = flowmap(&capture, &[dns]);
    let output = flowmap.ok(&["suggest", "-A", "--out-dir", "out"]);
    assert!(output.stderr.contains("without the cluster's own: kube-system; name it with -n"), "{}", output.stderr);
    assert!(flowmap.path("out/shop").exists() && !flowmap.path("out/kube-system").exists());
}

#[test]
fn an_address_beside_those_of_pods_that_counts_as_outside_is_named() {
    let flowmap = Flowmap::new();
    let pods = [pod("web", "10.244.1.5"), pod("api", "10.244.1.6")];
    let mut capture = talk();
    capture.at("2026-11-24T12:00:00Z").talk("10.244.1.99:40000", "10.244.1.6:8080");
    capture.talk("198.51.100.7:40000", "10.244.1.6:8080");
    flowmap.write("x.pcap", capture.bytes());
    let suggest = |nodes: &[Value]| {
        flowmap.write("cluster.json", list(&[nodes, &pods].concat()));
        let args = ["--from", "x.pcap", "--inventory", "cluster.json", "--isolate-unseen"];
        (flowmap.ok(&[&SUGGEST[..], &args].concat()).stderr, review(&flowmap))
    };
    let (said, review) = suggest(&[]);
    assert!(said.contains("10.244.1.99 taken for outside, though pods have addresses beside"), "{said}");
    assert!(review.contains("**Pods taken for outside?** 10.244.1.99: "), "{review}");
    let simulate = ["simulate", "out", "--from", "x.pcap", "--inventory", "cluster.json", "-o", "json"];
    let simulated: Value = serde_json::from_str(&flowmap.run(&simulate).stdout).unwrap();
    assert_eq!((&simulated["denied"], &simulated["uncertain"]), (&json!(0), &json!(1)), "{simulated}");
    let reason = "pods have addresses beside 10.244.1.99: it may be one that the inventory does not know";
    assert_eq!(simulated["findings"][0]["reason"], reason, "an address lets no pod through");
    // who it is is unknown where a node says that pods have their addresses there
    let (said, review) = suggest(&[node("node-1", "192.0.2.1", "10.244.1.0/24")]);
    assert!(!said.contains("taken for outside") && !review.contains("taken for outside"), "{said}{review}");
}

#[test]
fn what_of_an_inventory_could_not_be_used_is_told_wherever_it_is_given() {
    let flowmap = Flowmap::new();
    let mut odd = pod("api", "10.244.1.6");
    odd["metadata"]["namespace"] = json!(true);
    flowmap.write("cluster.json", list(&[node("node-1", "192.0.2.1", "10.244.1.0/24"), pod("web", "10.244.1.5"), odd]));
    flowmap.write("none.json", deployed("2026-11-24T00:00:00Z", 443).to_string());
    flowmap.write("x.pcap", talk().bytes());
    flowmap.ok(&["import", "x.pcap"]);
    let alone = ["--from", "x.pcap", "--inventory", "cluster.json"];
    let beside = ["--inventory", "cluster.json"];
    let explain = ["explain", "shop/web", "external", "443", "--policies", "none.json"];
    for (command, args) in [
        (&["flows"][..], &alone[..]),
        (&["flows"], &beside),
        (&SUGGEST, &alone),
        (&["simulate", "none.json"], &alone),
        (&["tiers"], &beside),
        (&explain, &beside),
    ] {
        let said = flowmap.run(&[command, args].concat()).stderr;
        let told = said.lines().filter(|line| line.starts_with("cluster.json: ") && line.contains("namespace"));
        assert_eq!(told.count(), 1, "{command:?}: {said}");
    }
}

/// A host before it has asked for the time, and what it saw then: nobody watched in the years between.
#[test]
fn a_packet_of_a_wrong_clock_makes_no_long_watch() {
    let proposal = |stray: Option<&str>| {
        let mut capture = talk();
        capture.talk("10.244.1.5:40002", "10.244.1.6:8080").talk("10.244.1.5:40003", "10.244.1.6:8080");
        for n in 0..20 {
            capture.talk(&format!("10.244.1.5:{}", 41_000 + n), "10.244.1.6:8080");
        }
        if let Some(time) = stray {
            capture.at(time).talk("10.244.1.5:40009", "10.244.1.6:8080");
        }
        let flowmap = flowmap(&capture, &[]);
        let said = flowmap.ok(&SUGGEST).stderr;
        let seen = review(&flowmap).lines().find(|line| line.contains("Seen from")).unwrap_or_default().to_owned();
        (said, seen)
    };
    let (said, seen) = proposal(None);
    assert!(seen.contains("Seen from 2026-11-24 10:00 to 2026-11-24 12:00 UTC"), "{seen}");
    for time in ["1970-01-01T00:00:05Z", "2055-12-19T00:00:00Z"] {
        let (with, seen_with) = proposal(Some(time));
        let lines: Vec<&str> = with.lines().filter(|line| !line.contains("a clock was wrong")).collect();
        assert_eq!((lines, seen_with), (said.lines().collect(), seen.clone()), "{time}");
        assert!(with.contains("x.pcap: 1 of its connections from "), "{with}");
    }
}

#[test]
fn rules_that_name_nodes_where_cilium_reaches_none_by_its_address_are_a_stop() {
    let plugin = |name: &str| owned(of("kube-system", pod(name, "10.244.1.77")), "DaemonSet", name);
    let mut capture = talk();
    capture.talk("192.0.2.9:40000", "10.244.1.6:8080");
    for (name, is_told) in [("cilium", true), ("calico-node", false)] {
        let flowmap = flowmap(&capture, &[node("node-9", "192.0.2.9", "10.244.9.0/24"), plugin(name)]);
        flowmap.ok(&[&SUGGEST[..], &["--isolate-unseen"]].concat());
        let (review, policy) = (review(&flowmap), flowmap.read("out/shop/api.yaml"));
        assert!(policy.contains("192.0.2.9/32"), "{policy}");
        assert_eq!(review.contains("**Nodes by their addresses:** shop/api"), is_told, "{name}: {review}");
    }
}

#[test]
fn ftp_takes_ports_that_no_policy_knows_and_that_is_told() {
    let said = |port: u16| {
        let mut capture = talk();
        capture.talk("10.244.1.5:41000", &format!("10.244.1.6:{port}"));
        let flowmap = flowmap(&capture, &[]);
        flowmap.ok(&SUGGEST).stderr + &review(&flowmap)
    };
    let told = said(21);
    assert!(told.contains("flowmap: shop/api: FTP takes another port for each transfer"), "{told}");
    assert!(told.contains("shop/api: FTP takes another port for each transfer, and a policy knows"), "{told}");
    assert!(!said(22).contains("FTP"));
}

#[test]
fn tftp_answers_from_ports_that_no_policy_knows_and_that_is_told() {
    let mut capture = talk();
    capture.datagram(([10, 244, 1, 5], 41_000), ([10, 244, 1, 6], 69), b"\0\x01image\0octet\0");
    let flowmap = flowmap(&capture, &[]);
    let told = flowmap.ok(&SUGGEST).stderr + &review(&flowmap);
    assert!(told.contains("flowmap: shop/api: TFTP answers from another port each time"), "{told}");
    assert!(told.contains("shop/api: TFTP answers from another port each time, and a policy knows"), "{told}");
}

#[test]
fn what_was_open_before_the_window_and_went_on_is_named_unless_somebody_opened_it_again() {
    let (client, server) = (([10, 244, 1, 5], 42_000), ([10, 244, 1, 6], 5432));
    let said = |reopened: bool, since: &[&str]| {
        let mut capture = talk();
        capture.at("2026-11-24T10:05:00Z").accepted(client.0, client.1, server.0, server.1);
        for time in ["2026-11-24T10:30:00Z", "2026-11-24T11:30:00Z"] {
            capture.at(time).said(client, server, b"select 1").said(server, client, b"1");
        }
        if reopened {
            capture.at("2026-11-24T11:40:00Z").talk("10.244.1.5:42001", "10.244.1.6:5432");
        }
        let flowmap = flowmap(&capture, &[]);
        flowmap.ok(&[&SUGGEST[..], since].concat()).stderr + &review(&flowmap)
    };
    let since = ["--since", "2026-11-24T11:00:00Z"];
    let told = said(false, &since);
    let pair = "shop/web -> shop/api on TCP/5432";
    assert!(told.contains(&format!("flowmap: {pair}: 1 connection began before --since and went on")), "{told}");
    assert!(told.contains(&format!("**Open before the window:** 1 connection of {pair} began before")), "{told}");
    for (reopened, since) in [(true, &since[..]), (false, &[]), (false, &["--since", "2026-11-24T12:00:00Z"])] {
        assert!(!said(reopened, since).contains("went on"), "{reopened} {since:?}");
    }
}
