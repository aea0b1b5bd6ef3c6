//! Names from what captures say: where they are shown, how long they hold, and what they never do.

use std::fs;

use flowmap::policy;
use serde_json::{Value, json};

use crate::common::{
    Flowmap,
    cluster::{list, pod, with},
    data,
    packets::Capture,
    sample, text,
};

/// Pods of the sample's cluster, and addresses outside.
const DNS: ([u8; 4], u16) = ([10, 244, 1, 2], 53);
const API: [u8; 4] = [10, 244, 1, 4];
const WEB: [u8; 4] = [10, 244, 1, 3];
const PARTNER: [u8; 4] = [203, 0, 113, 9];

/// An answer with these addresses to the question for a name, whose labels may be any bytes.
fn answer(labels: &[&[u8]], addresses: &[[u8; 4]]) -> Vec<u8> {
    let mut bytes = vec![0, 7, 0x81, 0x80, 0, 1];
    bytes.extend(u16::try_from(addresses.len()).unwrap().to_be_bytes());
    bytes.extend([0; 4]);
    for label in labels {
        bytes.push(u8::try_from(label.len()).unwrap());
        bytes.extend(*label);
    }
    bytes.extend([0, 0, 1, 0, 1]);
    for address in addresses {
        bytes.extend(b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04");
        bytes.extend(address);
    }
    bytes
}

/// A hello of TLS that asks for a name of less than 256 bytes, and has another extension of seven bytes behind it.
fn hello(name: &[u8]) -> Vec<u8> {
    let length = u8::try_from(name.len()).unwrap();
    let server_name = [&[0, 0, 0, length + 5, 0, length + 3, 0, 0, length], name].concat();
    let extensions = [&[0, length + 16], &server_name[..], &[0, 43, 0, 3, 2, 3, 4]].concat();
    let body = [&[3, 3][..], &[0x5a; 32], &[0, 0, 2, 0x13, 0x01, 1, 0], &extensions].concat();
    let length = u8::try_from(body.len()).unwrap();
    [&[22, 3, 1, 0, length + 4, 1, 0, 0, length], &body[..]].concat()
}

/// The store with the sample's inventory and this capture.
fn with_cluster(capture: &Capture) -> Flowmap {
    let flowmap = Flowmap::new();
    flowmap.write("capture.pcap", capture.bytes());
    flowmap.ok(&["import", "capture.pcap"]);
    flowmap.ok(&["inventory", "import", &sample("cluster.json")]);
    flowmap
}

/// The flow to this server.
fn to<'v>(flows: &'v Value, server: &str) -> &'v Value {
    let found: Vec<&Value> = flows.as_array().unwrap().iter().filter(|flow| flow["server"]["name"] == server).collect();
    assert_eq!(found.len(), 1, "{flows:#}");
    found[0]
}

/// The names of a party as `source name`.
fn names(party: &Value) -> Vec<String> {
    let name = |name: &Value| format!("{} {}", name["source"].as_str().unwrap(), name["name"].as_str().unwrap());
    party["names"].as_array().into_iter().flatten().map(name).collect()
}

/// What a capture of the collection says, as `address name source used_by`.
fn heard(capture: &str) -> Option<Vec<String>> {
    let path = text(&data()?.join("pcaps").join(capture));
    let rows = Flowmap::new().json(&["inventory", "names", "--from", &path]);
    let word = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let row = |row: &Value| ["address", "name", "source", "used_by"].map(|key| word(&row[key])).join(" ");
    Some(rows.as_array().unwrap().iter().map(row).collect())
}

#[test]
fn captures_from_elsewhere_tell_the_names_that_tcpdump_reads_in_them() {
    let cases: [(&str, &[&str]); 5] = [
        (
            "dns/zeek__wikipedia.trace",
            &[
                "208.80.152.2 meta.wikimedia.org dns 141.142.220.118",
                "208.80.152.3 upload.wikimedia.org dns 141.142.220.118",
                "208.80.152.118 bits.wikimedia.org http 141.142.220.118",
                "141.142.220.50 gemini.local mdns -",
            ],
        ),
        (
            "tls_http_l7/retina__quic.pcap",
            &[
                "172.217.164.99 beacons.gvt2.com dns 10.31.38.171",
                "172.217.164.99 beacons3.gvt2.com dns 10.31.38.171",
                "18.155.192.117 config.extension.grammarly.com dns 10.31.38.171",
            ],
        ),
        ("pcapng/ptcpdump__curl-user.pcapng", &["139.178.84.217 kernel.org tls 10.0.2.15"]),
        (
            "enterprise_multi_host/suricata-verify__output-eve-ftp-data__input.pcap",
            &["192.168.0.13 jaekuryu-hp dhcp -"],
        ),
        (
            "kubernetes/k8s-lab-A__pod_frontend_eth0_ns.pcap",
            &[
                "10.96.11.2 catalogue.sock-shop.svc.cluster.local dns 10.244.0.5",
                "10.96.11.2 catalogue http 10.244.0.5",
            ],
        ),
    ];
    for (capture, expected) in cases {
        let Some(heard) = heard(capture) else { return };
        for row in expected {
            assert!(heard.iter().any(|it| it == row), "{capture}: no {row} in {heard:#?}");
        }
    }
}

#[test]
fn the_outside_has_the_name_that_its_client_was_told() {
    let Some(data) = data() else { return };
    let path = text(&data.join("pcaps/dns/zeek__wikipedia.trace"));
    let flowmap = Flowmap::new();
    flowmap.ok(&["import", &path]);
    let flows = flowmap.json(&["flows"]);
    let upload = flows.as_array().unwrap().iter().find(|it| it["server"]["name"] == "208.80.152.3").unwrap();
    // the answer came first, then requests
    let expected = json!([{
        "address": "208.80.152.3", "name": "upload.wikimedia.org", "source": "dns",
        "first_seen": "2011-03-18T19:06:08.855229Z", "last_seen": "2011-03-18T19:06:09.014927Z",
    }]);
    assert_eq!(upload["server"]["names"], expected);
    assert_eq!(upload["server"]["kind"], "external");
    let wide = flowmap.ok(&["flows", "-o", "wide"]).stdout;
    assert!(wide.contains("208.80.152.3 (upload.wikimedia.org)"), "{wide}");
    for output in ["table", "csv"] {
        let list = flowmap.ok(&["flows", "-o", output]).stdout;
        assert!(list.contains("208.80.152.3") && !list.contains("wikimedia"), "{list}");
    }
}

#[test]
fn names_are_the_same_in_any_order_of_imports_and_go_with_their_run() {
    let Some(data) = data() else { return };
    let files = ["dns/zeek__wikipedia.trace", "tls_http_l7/retina__quic.pcap", "kubernetes/k8s-lab-A__node1_cni0.pcap"];
    let files = files.map(|file| text(&data.join("pcaps").join(file)));
    let told = |flowmap: &Flowmap| [flowmap.json(&["inventory", "names"]), flowmap.json(&["flows"])];
    let [forward, backward] = [Flowmap::new(), Flowmap::new()];
    for file in &files {
        forward.ok(&["import", file]);
    }
    for file in files.iter().rev().chain(&files) {
        backward.ok(&["import", file]);
    }
    let all = told(&forward);
    assert_eq!(all, told(&backward));

    let runs = forward.json(&["runs"]);
    let run = runs.as_array().unwrap().iter().find(|run| run["source"] == "zeek__wikipedia.trace").unwrap();
    let id = run["id"].as_str().unwrap();
    let without = forward.json(&["inventory", "names", "--exclude-run", id]);
    let is_there = |names: &Value| names.to_string().contains("wikimedia");
    assert!(is_there(&all[0]) && !is_there(&without));
    forward.ok(&["runs", "rm", id]);
    assert_eq!(forward.json(&["inventory", "names"]), without);
    forward.ok(&["import", &files[0]]);
    assert_eq!(told(&forward), all);
}

#[test]
fn a_client_has_its_own_name_for_a_server_and_another_client_another() {
    let mut capture = Capture::new();
    capture.datagram(DNS, (API, 40_000), &answer(&[b"api", b"partner", b"example"], &[PARTNER]));
    capture.datagram(DNS, (WEB, 40_000), &answer(&[b"cdn", b"example"], &[PARTNER]));
    capture.accepted(API, 40_001, PARTNER, 443);
    capture.accepted(WEB, 40_001, PARTNER, 443);
    capture.accepted([10, 244, 2, 6], 40_001, PARTNER, 443);
    let flows = with_cluster(&capture).json(&["flows"]);
    let of = |client: &str| {
        let is_of = |flow: &&Value| flow["client"]["name"] == client && flow["server"]["name"] == "203.0.113.9";
        names(&flows.as_array().unwrap().iter().find(is_of).unwrap()["server"])
    };
    assert_eq!(of("production/api"), ["dns api.partner.example"]);
    assert_eq!(of("production/web"), ["dns cdn.example"]);
    // who was told nothing has what the others were told
    assert_eq!(of("production/debug"), ["dns cdn.example", "dns api.partner.example"]);
}

#[test]
fn whom_the_inventory_knows_keeps_its_name_and_nobody_changes_by_one() {
    let connections = |capture: &mut Capture| {
        capture.accepted(API, 40_001, [10, 244, 1, 5], 5_432);
        capture.accepted(API, 40_001, PARTNER, 443);
    };
    let (mut bare, mut named) = (Capture::new(), Capture::new());
    connections(&mut bare);
    // names that speak of others: a pod called like a bank, the outside called like a pod
    connections(&mut named);
    named.datagram(DNS, (API, 40_000), &answer(&[b"bank", b"example"], &[[10, 244, 1, 5]]));
    named.datagram(DNS, (API, 40_000), &answer(&[b"db", b"production", b"svc", b"cluster", b"local"], &[PARTNER]));
    let edges = |flows: Value| {
        let tcp = |flow: &&mut Value| flow["protocol"] == "TCP";
        let mut flows = flows;
        let edges = flows.as_array_mut().unwrap().iter_mut().filter(tcp).map(|flow| {
            flow["server"].as_object_mut().unwrap().remove("names");
            flow.take()
        });
        edges.collect::<Vec<Value>>()
    };
    let (bare, named) = (with_cluster(&bare), with_cluster(&named));
    assert!(!named.ok(&["flows", "-o", "json"]).stdout.contains("bank.example"));
    assert_eq!(edges(bare.json(&["flows"])), edges(named.json(&["flows"])));
}

#[test]
fn a_rule_for_an_address_tells_its_name_and_the_other_addresses_of_that_name() {
    let mut capture = Capture::new();
    let partner = [b"api".as_slice(), b"partner", b"example"];
    capture.datagram(DNS, (API, 40_000), &answer(&partner, &[PARTNER, [203, 0, 113, 10], [203, 0, 113, 11]]));
    capture.accepted(API, 40_001, PARTNER, 443);
    capture.accepted(API, 40_002, [203, 0, 113, 11], 443);
    let flowmap = with_cluster(&capture);
    flowmap.ok(&["suggest", "-n", "production"]);
    let policy = fs::read_to_string(flowmap.path("policies-out/production/api.yaml")).unwrap();
    for line in [
        "#   203.0.113.9 (api.partner.example) on TCP/443: 1 connection",
        "#     api.partner.example was also at 203.0.113.10: not seen in use, not allowed\n",
        "#   203.0.113.11 (api.partner.example) on TCP/443: 1 connection",
    ] {
        assert!(policy.contains(line), "{policy}");
    }
    // a name makes no rule
    assert!(!policy.contains("203.0.113.10/32"), "{policy}");
    let review = fs::read_to_string(flowmap.path("policies-out/REVIEW.md")).unwrap();
    assert!(review.contains("203.0.113.9 (api.partner.example) (TCP/443; 1 connection)"), "{review}");
    let evidence: Value =
        serde_json::from_slice(&fs::read(flowmap.path("policies-out/evidence.json")).unwrap()).unwrap();
    let egress = evidence["namespaces"]["production"]["policies"]["api"]["egress"].as_array().unwrap();
    let peer = egress.iter().find(|access| access["peer"] == "203.0.113.9").unwrap();
    assert_eq!(names(peer), ["dns api.partner.example"]);
    assert_eq!(peer["names"][0]["also_at"], json!(["203.0.113.10", "203.0.113.11"]));
}

#[test]
fn what_a_pod_was_answered_is_not_told_of_the_next_that_has_its_address() {
    let mut capture = Capture::new();
    capture.at("2026-11-24T10:00:00Z").answered("10.244.1.5:40000", "old.example", PARTNER);
    capture.talk("10.244.1.5:40001", "203.0.113.9:9000");
    capture.at("2026-11-24T10:14:30Z").answered("10.244.1.6:40000", "new.example", PARTNER);
    capture.at("2026-11-24T10:15:00Z").talk("10.244.1.5:40002", "203.0.113.9:9000");
    let ended = json!({"terminated": {"startedAt": "2026-11-24T06:00:00Z", "finishedAt": "2026-11-24T10:05:00Z"}});
    let job = with(pod("job", "10.244.1.5"), "/status/phase", json!("Succeeded"));
    let job = with(job, "/status/containerStatuses", json!([{"restartCount": 0, "state": ended}]));
    let web = with(pod("web", "10.244.1.5"), "/status/startTime", json!("2026-11-24T10:10:00Z"));
    let flowmap = Flowmap::new();
    flowmap.write("capture.pcap", capture.bytes());
    flowmap.write("cluster.json", list(&[job, web, pod("api", "10.244.1.6")]));
    flowmap.ok(&["import", "capture.pcap"]);
    flowmap.ok(&["inventory", "import", "cluster.json"]);
    let told = |by: &str| -> Vec<(String, Vec<String>)> {
        let flows = flowmap.json(&["flows", "--by", by]);
        let to_partner = flows.as_array().unwrap().iter().filter(|flow| flow["port"] == 9_000);
        to_partner.map(|flow| (flow["client"]["name"].as_str().unwrap().to_owned(), names(&flow["server"]))).collect()
    };
    let (old, new) = ("dns old.example".to_owned(), "dns new.example".to_owned());
    assert_eq!(told("workload"), [("shop/job".into(), vec![old.clone()]), ("shop/web".into(), vec![new])]);
    // by address nobody asks whose it was
    assert_eq!(told("address"), [("10.244.1.5".into(), vec![old])]);
}

#[test]
fn a_name_made_to_break_out_of_a_comment_or_a_terminal_never_gets_in() {
    let mut capture = Capture::new();
    let hostile: [&[&[u8]]; 5] = [
        &[b"x\nspec: {}\n#", b"example"],
        &[b"\x1b]0;owned\x07", b"example"],
        &[b"a|b", b"`id`", b"<script>"],
        &[b"\xe2\x80\xaeelpmaxe", b"com"],
        &[b"*", b"example"],
    ];
    for labels in hostile {
        capture.datagram(DNS, (API, 40_000), &answer(labels, &[PARTNER]));
    }
    let request = b"GET / HTTP/1.1\r\nHost: x: {y}\t#\x1b[2J\r\n\r\n";
    capture.accepted(API, 40_001, PARTNER, 443).said((API, 40_001), (PARTNER, 443), request);
    let flowmap = with_cluster(&capture);
    let summary = flowmap.ok(&["import", "--site", "other", "capture.pcap"]).stderr;
    assert!(summary.contains("6 host names were none and are left out"), "{summary}");
    assert_eq!(flowmap.json(&["inventory", "names"]), json!([]));
    assert_eq!(flowmap.json(&["runs"])[0]["names_not_kept"], json!({"not_a_name": 6, "too_many": 0, "cut_off": 0}));
    assert_eq!(to(&flowmap.json(&["flows", "--site", "default"]), "203.0.113.9")["server"]["names"], Value::Null);
    flowmap.ok(&["suggest", "-n", "production", "--site", "default"]);
    let policy = fs::read_to_string(flowmap.path("policies-out/production/api.yaml")).unwrap();
    assert!(policy.contains("#   203.0.113.9 on TCP/443: 1 connection"), "{policy}");
    assert_eq!(policy::read("api.yaml", &policy).unwrap().len(), 1);
}

#[test]
fn hellos_and_requests_that_end_before_their_name_are_counted_and_told() {
    let mut capture = Capture::new();
    let whole = hello(b"api.example.com");
    let head: &[u8] = b"GET / HTTP/1.1\r\nAccept: */*\r\n";
    let cut: [&[u8]; 3] = [&whole[..70], head, b"PUT /x HTTP/1.1\r\nHost: api.exam"];
    // whole ones, one whose name stands before the cut, an address, and what only begins alike
    let named = whole.len() - 7;
    let by_address: &[u8] = b"GET / HTTP/1.1\r\nHost: 10.1.2.3\r\nAccept";
    let others: [&[u8]; 6] =
        [&whole, &whole[..named], b"GET / HTTP/1.1\r\n\r\n", by_address, b"HELLO there", b"\x16\x03\x03\x02\x00\x02"];
    for (n, data) in (40_001u16..).zip(cut.iter().chain(&others)) {
        capture.accepted(API, n, PARTNER, 443).said((API, n), (PARTNER, 443), data);
    }
    let flowmap = Flowmap::new();
    flowmap.write("cut.pcap", capture.bytes());
    let words = "3 names of TLS and HTTP servers may be in what was cut off, or in a further segment";
    assert!(flowmap.ok(&["import", "cut.pcap"]).stderr.contains(words));
    assert_eq!(flowmap.json(&["runs"])[0]["names_not_kept"]["cut_off"], 3);
    assert!(flowmap.ok(&["status"]).stdout.contains("3 of TLS and HTTP servers may be in what was cut off"));
}

#[test]
fn a_flood_of_names_is_bounded_and_told() {
    let mut capture = Capture::new();
    for a in 0..=400u16 {
        let [high, low] = a.to_be_bytes();
        let addresses: Vec<_> = (0..=255).map(|b| [198, 18 + high, low, b]).collect();
        capture.datagram(DNS, (API, 40_000), &answer(&[b"flood", b"example"], &addresses));
    }
    let flowmap = Flowmap::new();
    flowmap.write("flood.pcap", capture.bytes());
    let summary = flowmap.ok(&["import", "flood.pcap"]).stderr;
    // 401 messages of 256 addresses each; a run holds 100,000
    assert!(summary.contains("flood.pcap: warning: 2656 host names left out, there were too many"), "{summary}");
    let output = flowmap.ok(&["inventory", "names", "-o", "csv"]);
    assert_eq!(output.stdout.lines().count(), 100_001);
    assert!(output.stderr.contains("2656 host names left out"), "{}", output.stderr);
}

#[test]
fn dns_answers_that_hubble_saw_name_their_addresses() {
    let flowmap = Flowmap::new();
    let flow = json!({
        "time": "2026-09-21T10:00:00Z", "verdict": "FORWARDED", "IP": {"source": "10.96.0.10", "destination": "10.0.0.1"},
        "l4": {"UDP": {"source_port": 53, "destination_port": 40_000}}, "Type": "L7", "is_reply": true,
        "l7": {"type": "RESPONSE", "dns": {"query": "db.example.com.", "ips": ["192.0.2.7"], "ttl": 30}},
    });
    flowmap.write("flows.json", format!("{}\n", json!({"flow": flow})));
    let names = flowmap.json(&["inventory", "names", "--from", "flows.json"]);
    assert_eq!((&names[0]["address"], &names[0]["name"]), (&json!("192.0.2.7"), &json!("db.example.com")));
}
