//! What is spoken and whether others can read it: told of each dependency from captures and logs, and
//! deciding nothing.

use std::fs;

use serde_json::Value;

use crate::common::{
    Flowmap, data,
    packets::Capture,
    sample,
    spoken::{REQUEST, SSL_REQUEST, client_hello, tls_data},
    text,
};

/// Pods and a Service of the sample's cluster, and an address outside.
const WEB: [u8; 4] = [10, 244, 1, 3];
const API: [u8; 4] = [10, 244, 1, 4];
const DB: [u8; 4] = [10, 244, 1, 5];
const API_SERVICE: [u8; 4] = [10, 96, 120, 7];
const PARTNER: [u8; 4] = [203, 0, 113, 9];

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

/// What was spoken, of the dependencies of TCP by address, as `client server:port outcome application encrypted`.
fn spoken(flows: &Value) -> Vec<String> {
    let word = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let row = |flow: &Value| {
        let ends = format!("{} {}:{}", word(&flow["client"]["name"]), word(&flow["server"]["name"]), flow["port"]);
        format!("{ends} {} {} {}", word(&flow["outcome"]), word(&flow["application"]), flow["encrypted"])
    };
    flows.as_array().unwrap().iter().map(row).collect()
}

fn imported(capture: &Capture) -> Flowmap {
    let flowmap = Flowmap::new();
    flowmap.write("capture.pcap", capture.bytes());
    flowmap.ok(&["import", "capture.pcap"]);
    flowmap
}

/// HTTP, TLS, and `PostgreSQL` that turns to TLS, that only asks to, and that does not; and TLS that nobody accepts.
fn mixed() -> Capture {
    let mut capture = Capture::new();
    let mut say = |client: u8, port: u16, all: &[&[u8]]| {
        let client = [10, 244, 1, client];
        capture.accepted(client, 40_001, PARTNER, port);
        for data in all {
            capture.said((client, 40_001), (PARTNER, port), data);
        }
    };
    let startup = b"\0\0\0\x13\0\x03\0\0user\0shop\0\0";
    say(1, 8_080, &[REQUEST]);
    say(2, 8_443, &[&client_hello(), &tls_data()]);
    say(3, 5_432, &[SSL_REQUEST, &client_hello(), &tls_data()]);
    say(4, 5_432, &[SSL_REQUEST]);
    say(5, 5_432, &[SSL_REQUEST, startup]);
    say(6, 9_999, &[b"something else entirely"]);
    say(7, 9_999, &[&client_hello()]);
    capture
}

#[test]
fn a_dependency_tells_what_is_spoken_and_whether_all_of_it_is_encrypted() {
    let flowmap = imported(&mixed());
    let expected = [
        "10.244.1.1 203.0.113.9:8080 established http false",
        "10.244.1.2 203.0.113.9:8443 established tls true",
        "10.244.1.3 203.0.113.9:5432 established postgresql,tls true",
        "10.244.1.4 203.0.113.9:5432 established postgresql null",
        "10.244.1.5 203.0.113.9:5432 established postgresql false",
        "10.244.1.6 203.0.113.9:9999 established null null",
        "10.244.1.7 203.0.113.9:9999 established tls null",
    ];
    assert_eq!(spoken(&flowmap.json(&["flows"])), expected);
    assert_eq!(spoken(&Flowmap::new().json(&["flows", "--from", &text(&flowmap.path("capture.pcap"))])), expected);
    let csv = flowmap.ok(&["flows", "-o", "csv"]).stdout;
    let encrypted: Vec<&str> = csv.lines().map(|line| line.rsplit(',').nth(3).unwrap()).collect();
    assert_eq!(encrypted, ["encrypted", "false", "true", "true", "", "false", "", ""]);
    assert!(csv.contains(",\"postgresql,tls\",true,1,"), "{csv}");
    let wide = flowmap.ok(&["flows", "-o", "wide"]).stdout;
    for words in ["APPLICATION", "http clear", "postgresql,tls encrypted", "postgresql  "] {
        assert!(wide.contains(words), "{words} in {wide}");
    }
    let table = flowmap.ok(&["flows"]).stdout;
    assert!(!table.contains("http"), "{table}");
}

#[test]
fn several_threads_see_what_one_sees() {
    let mut capture = mixed();
    for n in 0..3_000 {
        let client = [10, 1, u8::try_from(n / 250).unwrap(), u8::try_from(n % 250).unwrap()];
        capture.said((client, 40_001), (PARTNER, 443), &tls_data()).said((PARTNER, 443), (client, 40_001), &tls_data());
        capture.said((client, 40_002), (PARTNER, 80), REQUEST).said((PARTNER, 80), (client, 40_002), ANSWER);
    }
    let flowmap = Flowmap::new();
    flowmap.write("capture.pcap", capture.bytes());
    let dump = |threads: &str| {
        let db = text(&flowmap.path(&format!("{threads}.db")));
        let mut import = flowmap.command(&["--db", &db, "import", "capture.pcap"]);
        assert!(import.env("RAYON_NUM_THREADS", threads).status().unwrap().success());
        flowmap.ok(&["--db", &db, "flows", "-o", "json"]).stdout
    };
    let one = dump("1");
    assert!(one.contains("\"tls\"") && one.contains("\"http\""));
    assert_eq!(one, dump("2"));
}

#[test]
fn what_was_spoken_with_a_service_is_told_of_the_workload_behind_it() {
    let mut capture = Capture::new();
    capture.through("10.244.1.3:40001", "10.96.120.7:80", "10.244.1.4:8080");
    // on the side of the client alone, before the translation
    capture.said((WEB, 40_001), (API_SERVICE, 80), REQUEST);
    let flowmap = imported(&capture);
    flowmap.ok(&["inventory", "import", &sample("cluster.json")]);
    let expected = ["production/web production/api:8080 established http false"];
    assert_eq!(spoken(&flowmap.json(&["flows"])), expected);
}

#[test]
fn the_reverse_dependency_keeps_its_own() {
    let mut capture = Capture::new();
    capture.accepted(WEB, 40_001, API, 8_080).said((WEB, 40_001), (API, 8_080), REQUEST);
    capture.accepted(API, 40_001, WEB, 8_080).said((API, 40_001), (WEB, 8_080), &tls_data());
    let expected =
        ["10.244.1.3 10.244.1.4:8080 established http false", "10.244.1.4 10.244.1.3:8080 established tls true"];
    assert_eq!(spoken(&imported(&capture).json(&["flows"])), expected);
}

#[test]
fn a_stream_that_was_met_in_its_middle_is_known_by_its_records() {
    let mut capture = Capture::new();
    for _ in 0..3 {
        capture.said((WEB, 40_001), (PARTNER, 443), &tls_data()).said((PARTNER, 443), (WEB, 40_001), &tls_data());
    }
    // another connection shows who serves at a port that tells nothing
    capture.accepted(API, 40_009, DB, 41_000);
    capture.said((WEB, 50_001), (DB, 41_000), &tls_data()).said((DB, 41_000), (WEB, 50_001), &tls_data());
    let flows = spoken(&imported(&capture).json(&["flows"]));
    for row in ["10.244.1.3 203.0.113.9:443 midstream tls true", "10.244.1.3 10.244.1.5:41000 midstream tls true"] {
        assert!(flows.iter().any(|flow| flow == row), "{flows:?}");
    }
}

#[test]
fn what_was_spoken_before_or_after_is_not_told() {
    let mut capture = Capture::new();
    capture.at("2026-11-20T10:00:00Z").accepted(WEB, 40_001, API, 8_080).said((WEB, 40_001), (API, 8_080), REQUEST);
    capture.at("2026-11-20T12:00:00Z").accepted(WEB, 40_002, API, 8_080);
    let flowmap = imported(&capture);
    let at = |since| spoken(&flowmap.json(&["flows", "--since", since]));
    assert_eq!(at("2026-11-20T09:00:00Z"), ["10.244.1.3 10.244.1.4:8080 established http false"]);
    assert_eq!(at("2026-11-20T11:00:00Z"), ["10.244.1.3 10.244.1.4:8080 established null null"]);
}

#[test]
fn applications_are_of_their_site_and_go_with_their_run() {
    let (mut bare, mut told) = (Capture::new(), Capture::new());
    bare.accepted(WEB, 40_001, API, 8_080);
    told.accepted(WEB, 40_001, API, 8_080).said((WEB, 40_001), (API, 8_080), REQUEST);
    let flowmap = imported(&bare);
    flowmap.write("told.pcap", told.bytes());
    flowmap.ok(&["import", "--site", "other", "told.pcap"]);
    let of = |more: &[&str]| spoken(&flowmap.json(&[&["flows"], more].concat()));
    let (null, http) = (
        "10.244.1.3 10.244.1.4:8080 established null null".to_owned(),
        "10.244.1.3 10.244.1.4:8080 established http false".to_owned(),
    );
    assert_eq!(of(&[]), [null.clone(), http.clone()]);
    flowmap.ok(&["import", "told.pcap"]);
    assert_eq!(of(&["--site", "default"]), [http]);
    let runs = flowmap.json(&["runs"]);
    let is_it = |run: &&Value| run["source"] == "told.pcap" && run["site"] == "default";
    let id = runs.as_array().unwrap().iter().find(is_it).unwrap()["id"].as_str().unwrap().to_owned();
    assert_eq!(of(&["--site", "default", "--exclude-run", &id]), std::slice::from_ref(&null));
    flowmap.ok(&["runs", "rm", &id]);
    assert_eq!(of(&["--site", "default"]), [null]);
}

#[test]
fn logs_of_zeek_and_hubble_tell_what_they_recognised() {
    let zeek = |service: &str, port: u16, proto: &str| {
        format!(
            "{{\"_path\":\"conn\",\"ts\":1789984801.25,\"uid\":\"C{port}\",\"id.orig_h\":\"10.0.0.1\",\"id.orig_p\":40000,\
            \"id.resp_h\":\"10.0.0.9\",\"id.resp_p\":{port},\"proto\":\"{proto}\",\"conn_state\":\"SF\",\"history\":\"ShADadFf\",\
            \"orig_pkts\":3,\"orig_ip_bytes\":180,\"resp_pkts\":2,\"resp_ip_bytes\":96,\"service\":\"{service}\"}}\n"
        )
    };
    let flowmap = Flowmap::new();
    let log = [
        zeek("http", 80, "tcp"),
        zeek("ssl,smtp", 25, "tcp"),
        zeek("smtp", 587, "tcp"),
        // one of two with TLS tells nothing of the other
        zeek("postgresql,ssl", 5_432, "tcp"),
        zeek("postgresql", 5_432, "tcp"),
        zeek("xmpp,ssl", 5_222, "tcp"),
        zeek("xmpp", 5_222, "tcp"),
        zeek("-http,gssapi", 81, "tcp"),
        zeek("ssl", 443, "udp"),
    ];
    flowmap.write("conn.json", log.concat());
    flowmap.ok(&["import", "conn.json"]);
    let expected = [
        "10.0.0.1 10.0.0.9:25 established smtp,tls true",
        "10.0.0.1 10.0.0.9:80 established http false",
        "10.0.0.1 10.0.0.9:81 established null null",
        "10.0.0.1 10.0.0.9:587 established smtp null",
        "10.0.0.1 10.0.0.9:5222 established tls,xmpp null",
        "10.0.0.1 10.0.0.9:5432 established postgresql,tls null",
        "10.0.0.1 10.0.0.9:443 established dtls true",
    ];
    assert_eq!(spoken(&flowmap.json(&["flows"])), expected);

    let hubble = |l7: &str, source: (&str, u16), destination: (&str, u16)| {
        format!(
            "{{\"flow\":{{\"time\":\"2026-09-21T10:00:01Z\",\"verdict\":\"FORWARDED\",\"IP\":{{\"source\":\"{}\",\"destination\":\"{}\"}},\
            \"l4\":{{\"TCP\":{{\"source_port\":{},\"destination_port\":{}}}}},\"Type\":\"L7\",\"l7\":{l7},\
            \"is_reply\":false,\"node_name\":\"n\"}}}}\n",
            source.0, destination.0, source.1, destination.1
        )
    };
    let flowmap = Flowmap::new();
    let http = "{\"type\":\"REQUEST\",\"http\":{\"method\":\"GET\"}}";
    flowmap.write("hubble.json", hubble(http, ("10.0.0.1", 40_000), ("10.0.0.9", 8_080)));
    flowmap.ok(&["import", "hubble.json"]);
    let flows = spoken(&flowmap.json(&["flows"]));
    assert_eq!(flows.len(), 1);
    assert!(flows[0].starts_with("10.0.0.1 10.0.0.9:8080") && flows[0].ends_with(" http null"), "{flows:?}");
}

#[test]
fn captures_from_elsewhere_speak_what_tshark_reads_in_them() {
    /// Protocol, port, and what is spoken.
    type Expected<'e> = (&'e str, u16, &'e str);
    let cases: [(&str, &[Expected<'_>]); 4] = [
        ("tls_http_l7/retina__quic.pcap", &[("UDP", 443, "quic true"), ("UDP", 53, "dns false")]),
        ("tls_http_l7/deepflow__171-mysql.pcap", &[("TCP", 20_130, "mysql false")]),
        ("tls_http_l7/zeek__django-cloud.pcapng", &[("TCP", 10_625, "redis false")]),
        ("midstream/pcapplusplus__650HttpResponses.pcap", &[("TCP", 80, "http false")]),
    ];
    let Some(data) = data() else { return };
    for (capture, expected) in cases {
        let flows = Flowmap::new().json(&["flows", "--from", &text(&data.join("pcaps").join(capture))]);
        for (protocol, port, words) in expected {
            let is_it = |flow: &&Value| flow["protocol"] == *protocol && flow["port"] == *port;
            let said =
                |flow: &Value| format!("{} {}", flow["application"].as_str().unwrap_or("null"), flow["encrypted"]);
            let told: Vec<String> = flows.as_array().unwrap().iter().filter(is_it).map(said).collect();
            assert!(told.iter().any(|told| told == words), "{capture}: {told:?}");
        }
    }
}

/// Calls to one server, which calls another with this request.
fn calls(request: &[u8]) -> Capture {
    let mut capture = Capture::new();
    capture.at("2026-11-24T10:00:00Z").talk("10.244.1.3:40010", "10.244.1.4:8080");
    capture.talk("10.244.1.4:40001", "10.244.1.5:5432").said((API, 40_001), (DB, 5_432), request);
    capture
}

#[test]
fn no_rule_goes_by_what_is_spoken() {
    let policies = |request: &[u8]| {
        let flowmap = imported(&calls(request));
        flowmap.ok(&["inventory", "import", &sample("cluster.json")]);
        flowmap.ok(&["suggest", "-n", "production", "--isolate-unseen"]);
        ["api", "db"]
            .map(|name| fs::read_to_string(flowmap.path(&format!("policies-out/production/{name}.yaml"))).unwrap())
    };
    let suggested = policies(b"Q\0\0\0\x0dselect 1\0");
    assert_eq!(policies(b"Q\0\0\0\x0dsomething\0"), suggested);
    assert!(suggested[0].contains("port: 5432") && suggested[1].contains("port: 5432"), "{suggested:?}");
}
