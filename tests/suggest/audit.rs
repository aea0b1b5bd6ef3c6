//! What a proposal tells an auditor: what goes in clear text between whom, and who reaches a workload, why, before and after.

use std::fs;

use serde_json::{Value, json};

use crate::common::{
    Flowmap,
    cluster::{list, node, owned, pod},
    packets::Capture,
    proposal::{edit, read},
    review::Review,
    spoken::{REQUEST, SSL_REQUEST, client_hello, tls_data},
};

const WEB: [u8; 4] = [10, 244, 1, 3];
const API: [u8; 4] = [10, 244, 1, 4];
const DB: [u8; 4] = [10, 244, 1, 5];
const CACHE: [u8; 4] = [10, 244, 1, 6];
const JOB: [u8; 4] = [10, 244, 1, 7];

const STARTUP: &[u8] = b"\0\0\0\x13\0\x03\0\0user\0shop\0\0";

/// A shop: web calls api, api calls db and cache.
fn shop() -> String {
    let pods = [("web", WEB), ("api", API), ("db", DB), ("cache", CACHE), ("job", JOB)];
    let pods = pods.map(|(name, [a, b, c, d])| pod(name, &format!("{a}.{b}.{c}.{d}")));
    list(&[&pods[..], &[node("node-1", "192.0.2.1", "10.244.1.0/24")]].concat())
}

/// What is said over one connection to a port.
fn call(capture: &mut Capture, port: u16, (client, server): ([u8; 4], [u8; 4]), said: (u16, &[&[u8]])) {
    capture.accepted(client, port, server, said.0);
    for data in said.1 {
        capture.said((client, port), (server, said.0), data);
    }
}

/// In clear text: two clients outside of web, web of api, a job of db. In part: api of db. Encrypted: web to the outside. Not
/// known: api of cache. Refused, so that it is not allowed: the job of api.
fn mixture() -> Capture {
    let mut capture = Capture::new();
    capture.at("2026-11-24T10:00:00Z");
    let (hello, data) = (client_hello(), tls_data());
    call(&mut capture, 40_001, ([203, 0, 113, 9], WEB), (8_080, &[REQUEST]));
    call(&mut capture, 40_002, ([203, 0, 113, 10], WEB), (8_080, &[REQUEST]));
    call(&mut capture, 40_003, (WEB, API), (8_080, &[REQUEST]));
    call(&mut capture, 40_004, (API, DB), (5_432, &[SSL_REQUEST, &hello, &data]));
    call(&mut capture, 40_005, (API, DB), (5_432, &[SSL_REQUEST, STARTUP]));
    call(&mut capture, 40_006, (JOB, DB), (5_432, &[STARTUP]));
    call(&mut capture, 40_007, (WEB, [198, 51, 100, 7]), (443, &[&hello, &data]));
    call(&mut capture, 40_008, (API, CACHE), (7_000, &[b"something else"]));
    capture.refused(JOB, 40_009, API, 8_080);
    capture
}

fn imported(cluster: &str, files: &[(&str, &[u8])]) -> Flowmap {
    let flowmap = Flowmap::new();
    flowmap.write("cluster.json", cluster);
    for (name, bytes) in files {
        flowmap.write(name, bytes);
        flowmap.ok(&["import", name]);
    }
    flowmap.ok(&["inventory", "import", "cluster.json"]);
    flowmap
}

fn suggested(cluster: &str, files: &[(&str, &[u8])]) -> Flowmap {
    let flowmap = imported(cluster, files);
    flowmap.ok(&["suggest", "-n", "shop", "--isolate-unseen", "--out-dir", "out"]);
    flowmap
}

/// A part of the review below a heading, without the rest.
fn section(flowmap: &Flowmap, heading: &str) -> String {
    let review = read(flowmap, "REVIEW.md");
    let (_, section) = review.split_once(&format!("### {heading}")).unwrap_or_else(|| panic!("{heading} in {review}"));
    section.split("\n##").next().unwrap_or_default().to_owned()
}

/// The rows of a table, without its head.
fn rows(section: &str) -> Vec<&str> {
    section.lines().filter(|line| line.starts_with("| ")).skip(1).collect()
}

fn audit(flowmap: &Flowmap) -> Value {
    let evidence: Value = serde_json::from_str(&read(flowmap, "evidence.json")).unwrap();
    evidence["namespaces"]["shop"]["audit"].clone()
}

#[test]
fn the_review_lists_what_goes_in_clear_text_the_worst_first_and_never_more_than_was_seen() {
    let flowmap = suggested(&shop(), &[("capture.pcap", mixture().bytes())]);
    let section = section(&flowmap, "Clear text");
    let sentence = "Of 7 allowed dependencies: 5 in clear text, 1 of them in part; 1 encrypted; 1 not known.";
    assert!(section.contains(sentence), "{section}");
    let expected = [
        "| 2 addresses outside | shop/web | TCP/8080 | http | outside → edge | 2 |",
        "| shop/job | shop/db | TCP/5432 | postgresql | client → data | 1 |",
        "| shop/api | shop/db | TCP/5432 | postgresql, tls (encrypted in part) | application → data | 2 |",
        "| shop/web | shop/api | TCP/8080 | http | edge → application | 1 |",
    ];
    assert_eq!(rows(&section), expected);
    let audit = audit(&flowmap);
    let counts = ["clear_text", "clear_text_in_part", "encrypted", "not_known"].map(|name| audit[name].clone());
    assert_eq!(counts, [json!(4), json!(1), json!(1), json!(1)]);
    let part = &audit["listed"][2];
    assert_eq!((&part["in_part"], &part["tiers"]), (&json!(true), &json!(["application", "data"])), "{audit}");
    let page = read(&flowmap, "report.html").replace("<wbr>", "");
    for words in [
        sentence,
        "<b>5 of 7</b>",
        "<tr><th scope=\"row\">shop/job<td>shop/db<td>TCP/5432<td>postgresql<td>client → data<td class=\"n\">1",
    ] {
        assert!(page.contains(words), "{words}");
    }
}

#[test]
fn what_goes_from_one_namespace_to_another_counts_once() {
    let mut pods = [pod("web", "10.244.1.3"), pod("api", "10.244.1.4")];
    pods[0]["metadata"]["namespace"] = json!("front");
    let mut capture = Capture::new();
    call(capture.at("2026-11-24T10:00:00Z"), 40_001, (WEB, API), (8_080, &[REQUEST]));
    let node = node("node-1", "192.0.2.1", "10.244.1.0/24");
    let flowmap = imported(&list(&[&pods[..], &[node]].concat()), &[("capture.pcap", capture.bytes())]);
    flowmap.ok(&["suggest", "-A", "--isolate-unseen", "--out-dir", "out"]);
    let page = read(&flowmap, "report.html");
    let (_, figure) = page.split_once("In clear text").unwrap_or_else(|| panic!("no figure in {page}"));
    assert!(figure[..120].contains("<b>1 of 1</b>") && figure[..250].contains("of 0 it is not known"), "{figure}");
    // and is a matter of both
    assert_eq!(page.matches("Of 1 allowed dependency: 1 in clear text.").count(), 2);
}

#[test]
fn the_order_of_captures_changes_nothing() {
    let (mut tls, mut clear) = (Capture::new(), Capture::new());
    call(tls.at("2026-11-24T10:00:00Z"), 40_001, (API, DB), (5_432, &[&client_hello(), &tls_data()]));
    call(clear.at("2026-11-24T10:00:30Z"), 40_002, (API, DB), (5_432, &[STARTUP]));
    let (tls, clear) = (("tls.pcap", tls.bytes()), ("clear.pcap", clear.bytes()));
    let [one, other] = [[tls, clear], [clear, tls]].map(|files| suggested(&shop(), &files));
    for name in ["REVIEW.md", "report.html", "evidence.json"] {
        assert_eq!(read(&one, name), read(&other, name), "{name}");
    }
    assert!(section(&one, "Clear text").contains("Of 1 allowed dependency: 1 in clear text, 1 of them in part."));
}

/// A line of Zeek's log of connections.
fn zeek(number: usize, client: &str, port: u16, service: &str) -> String {
    let line = json!({
        "_path": "conn", "ts": 1_795_514_400.25, "uid": format!("C{number}"), "id.orig_h": client, "id.orig_p": 40_000,
        "id.resp_h": "10.244.1.5", "id.resp_p": port, "proto": "tcp", "conn_state": "SF", "history": "ShADadFf",
        "orig_pkts": 6, "orig_ip_bytes": 400, "resp_pkts": 5, "resp_ip_bytes": 600, "service": service,
    });
    format!("{line}\n")
}

#[test]
fn of_a_log_what_it_does_not_decide_is_not_known_and_long_lists_are_counted() {
    let clients: Vec<(String, String)> = (10..35).map(|n| (format!("c{n}"), format!("10.244.1.{n}"))).collect();
    let mut items: Vec<Value> = clients.iter().map(|(name, address)| pod(name, address)).collect();
    items.extend([pod("db", "10.244.1.5"), node("node-1", "192.0.2.1", "10.244.1.0/24")]);
    let mut log: String = clients.iter().enumerate().map(|(n, (_, address))| zeek(n, address, 9_200, "http")).collect();
    log += &zeek(100, "10.244.1.10", 9_201, "ssl");
    log += &zeek(101, "10.244.1.10", 25, "smtp");
    log += &zeek(102, "10.244.1.10", 9_202, "");
    let flowmap = suggested(&list(&items), &[("conn.json", log.as_bytes())]);
    let section = section(&flowmap, "Clear text");
    assert!(section.contains("Of 28 allowed dependencies: 25 in clear text; 1 encrypted; 2 not known."), "{section}");
    assert_eq!(rows(&section).len(), 20);
    assert!(section.contains("\n5 rows more in `evidence.json`."), "{section}");
    assert_eq!(audit(&flowmap)["listed"].as_array().unwrap().len(), 25);
}

#[test]
fn of_a_list_of_flows_nothing_is_known() {
    let flows = "client,server,protocol,port\n10.244.1.3,10.244.1.4,TCP,80\n";
    let flowmap = suggested(&shop(), &[("flows.csv", flows.as_bytes())]);
    let section = section(&flowmap, "Clear text");
    assert!(section.contains("Of 1 allowed dependency: 1 not known.") && rows(&section).is_empty(), "{section}");
    assert!(!read(&flowmap, "report.html").contains("<dt>In clear text"));
}

#[test]
fn what_somebody_rejected_is_no_more_among_what_is_allowed() {
    let flowmap = suggested(&shop(), &[("capture.pcap", mixture().bytes())]);
    let rule = "  - to:\n    - podSelector:\n        matchLabels:\n          app: api\n    ports:\n    - protocol: TCP\n      port: 8080\n";
    edit(&flowmap, "shop/web.yaml", rule, "");
    flowmap.run(&["suggest", "-n", "shop", "--isolate-unseen", "--out-dir", "out"]);
    let section = section(&flowmap, "Clear text");
    assert!(!section.contains("| shop/web | shop/api |"), "{section}");
}

#[test]
fn hostile_names_are_text_in_the_list() {
    let name = "<img src=x onerror=alert(1)>|";
    let items = vec![owned(pod("web", "10.244.1.3"), "StatefulSet", name), pod("api", "10.244.1.4")];
    let mut capture = Capture::new();
    call(capture.at("2026-11-24T10:00:00Z"), 40_001, (WEB, API), (8_080, &[REQUEST]));
    let flowmap = suggested(&list(&items), &[("capture.pcap", capture.bytes())]);
    let section = section(&flowmap, "Clear text");
    assert!(section.contains("| shop/\\<img src=x onerror=alert(1)>  | shop/api | TCP/8080 | http |"), "{section}");
    let page = read(&flowmap, "report.html");
    let (_, page) = page.split_once("id=\"clear-text\"").unwrap();
    assert!(page.contains("&#60;img src=x") && !page.contains("<img"), "the name is there, as text");
}

#[test]
fn the_review_tells_who_reaches_the_database_and_why_before_and_after() {
    let flowmap = suggested(&shop(), &[("capture.pcap", mixture().bytes())]);
    let review = read(&flowmap, "REVIEW.md");
    let policy = "| db | app=db | api (TCP/5432; 2 connections); job (TCP/5432; 1 connection) | - |";
    assert!(review.contains(policy), "{review}");
    let section = section(&flowmap, "Reach");
    assert!(section.contains("| db | 4 → 2 | yes → no | 4 → 0 | yes → no |"), "{section}");
    assert!(section.contains("| web | 4 → 0 | yes | 4 → 1 | yes |"), "{section}");
}

#[test]
fn the_review_page_shows_what_is_spoken_and_finds_what_goes_in_clear_text() {
    let flowmap = imported(&shop(), &[("capture.pcap", mixture().bytes())]);
    let review = Review::start_unscoped(&flowmap, &["-n", "shop", "--author", "Ann"]);
    let found = |query: &str| {
        let body = review.get(&format!("/dependencies?{query}")).body;
        body.matches("<tr><td class=\"name\">").count()
    };
    assert_eq!(["", "spoken=clear", "spoken=encrypted"].map(found), [8, 5, 1]);
    // what was refused spoke nothing
    assert_eq!(["spoken=unknown", "q=http", "q=postgresql+api"].map(found), [2, 3, 1]);
    let page = review.get("/dependencies?spoken=clear");
    assert!(page.body.contains("<option value=\"clear\" selected>"), "{}", page.body);
    assert!(page.body.contains("<td>postgresql, tls; clear text in part</td>"), "{}", page.body);
    let one = review.get("/dependency?client=shop%2Fjob&server=shop%2Fdb&protocol=TCP&port=5432").body;
    for words in ["<dd><bdi>postgresql</bdi></dd>", "<dd><bdi>yes: it is in clear text</bdi></dd>"] {
        assert!(one.contains(words), "{words} in {one}");
    }
    let db = review.get("/endpoint?name=shop%2Fdb").body;
    for words in ["<td>postgresql; clear text</td>", "Workloads that can reach it, on whatever port: 4 → "] {
        assert!(db.contains(words), "{words} in {db}");
    }
}

#[test]
fn what_the_review_page_exports_tells_the_same() {
    let flowmap = imported(&shop(), &[("capture.pcap", mixture().bytes())]);
    flowmap.ok(&["suggest", "-n", "shop", "--out-dir", "out"]);
    let suggested = section(&flowmap, "Clear text");
    let args = ["-n", "shop", "--author", "Ann", "--out-dir", "export"];
    let review = Review::start_unscoped(&flowmap, &args);
    review.approve_all();
    review.post("/export", &review.get("/export").form("/export")).lands("/export");
    let exported = fs::read_to_string(flowmap.path("export/REVIEW.md")).unwrap();
    assert!(exported.contains(&suggested) && exported.contains("### Reach"), "{exported}");
}
