//! Zeek's and Hubble's logs, through the command line. What a log tells is what a capture of the same traffic tells, as far
//! as a log can show it: logs are made here from the packets of captures.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    io::Write as _,
    net::{IpAddr, SocketAddr},
};

use flowmap::model::Protocol;
use serde_json::{Value, json};

use crate::common::{
    Flowmap,
    cluster::{list, node, pod},
    sample,
    zeek::{FIELDS, conns, ends, json_lines, letter, packets, tsv},
};
use crate::hubble_lines::told;

/// The flows by address, without what logs do not tell: to microseconds, without VLANs and what is spoken.
fn flows(flowmap: &Flowmap, file: &str) -> Vec<Value> {
    let mut flows = flowmap.json(&["flows", "--by", "address", "--from", file]).as_array().unwrap().clone();
    for flow in &mut flows {
        let flow = flow.as_object_mut().unwrap();
        for name in ["vlans", "tunnels", "first_seen", "last_seen", "application", "encrypted"] {
            flow.remove(name);
        }
        for end in ["client", "server"] {
            flow[end].as_object_mut().unwrap().remove("names");
        }
    }
    flows
}

#[test]
fn a_log_of_zeek_gives_what_the_capture_gives() {
    let flowmap = Flowmap::new();
    let pcap = sample("pod-api.pcap");
    let conns = conns(&pcap);
    flowmap.write("conn.log", tsv(&conns));
    flowmap.write("conn.json", json_lines(&conns));
    let captured = flows(&flowmap, &pcap);
    assert!(captured.len() > 25);
    assert_eq!(flows(&flowmap, "conn.log"), captured);
    assert_eq!(flows(&flowmap, "conn.json"), captured);
}

/// Captures of one place each. Left out are those of several interfaces, whose packets a log counts at each, with translation,
/// with SCTP, whose ports Zeek does not tell, and with ICMP errors, which it does not tie to what they answer.
const PLAIN: [&str; 20] = [
    "dns/pcapplusplus__DnsPackets.pcap",
    "dns/zeek__ticks-dns.pcap",
    "dns/zeek__wikipedia.trace",
    "enterprise_multi_host/suricata-verify__output-eve-ftp-data__input.pcap",
    "enterprise_multi_host/tracepcap__week1_baseline.pcap",
    "enterprise_multi_host/zeek__mapi.pcap",
    "ipv6_ext/zeek__ip6_esp.trace",
    "kubernetes/akita-cli__simple_http_two_with_noise.pcap",
    "midstream/tracepcap__http_demo.pcap",
    "nanosecond_bigendian/zeek__get-to-ssh-server.pcap",
    "sctp_icmp/skydive__icmpv4-symetric.pcap",
    "sll_sll2_raw_null_loopback/weave__test_loopback.pcap",
    "tls_http_l7/deepflow__171-mysql.pcap",
    "tls_http_l7/retina__quic.pcap",
    "tls_http_l7/zeek__django-cloud.pcapng",
    "truncated_malformed/ipfixprobe__tls.pcap",
    "tunnels_vxlan_geneve_gre_ipip_mpls_pppoe/suricata-verify__decode-teredo-01__input.pcap",
    "vlan/arkime__no-syn-ack.pcap",
    "vlan/ent-lab-A__ws1_access_port.pcap",
    "vlan/zeek__http-vlan-0.pcap",
];

/// Where a capture has resets and nothing else of a connection, by how many flows: by their numbers they answer no SYN, and are of
/// something that was not seen. Letters have no numbers, so that a log shows as many refusals.
const LONE_RESETS: [(&str, usize); 1] = [("enterprise_multi_host/zeek__mapi.pcap", 2)];

#[test]
fn logs_of_captures_from_elsewhere_give_what_they_give() {
    let Some(data) = crate::common::data() else { return };
    let mut count = 0;
    for name in PLAIN {
        let path = crate::common::text(&data.join("pcaps").join(name));
        let flowmap = Flowmap::new();
        flowmap.write("conn.log", tsv(&conns(&path)));
        let (captured, logged) = (flows(&flowmap, &path), flows(&flowmap, "conn.log"));
        let only = |these: &[Value], those: &[Value]| -> Vec<String> {
            these.iter().filter(|flow| !those.contains(flow)).map(Value::to_string).collect()
        };
        let (of_log, of_capture) = (only(&logged, &captured), only(&captured, &logged));
        let of_capture_as_told: Vec<String> = of_capture.iter().map(|it| it.replace("oneway", "refused")).collect();
        assert_eq!(of_log, of_capture_as_told, "{name}");
        let lone_resets = LONE_RESETS.iter().find(|(it, _)| *it == name).map_or(0, |(_, count)| *count);
        assert_eq!(of_capture.len(), lone_resets, "{name}: {of_capture:?}");
        count += captured.len();
    }
    assert!(count > 500, "{count}");
}

/// The packets of a capture as Hubble would report them: each at two points, or with what aggregation leaves of them.
fn hubble(path: &str, is_aggregated: bool) -> String {
    let clients: BTreeMap<(u8, BTreeSet<SocketAddr>), SocketAddr> =
        conns(path).iter().map(|conn| ((conn.protocol.0, conn.ends.into()), conn.ends[0])).collect();
    let mut seen = BTreeSet::new();
    let mut text = String::new();
    packets(path, |time, packet| {
        let Some((letter, _)) = letter(packet) else { return };
        let [from, to] = ends(packet);
        let is_reply = clients[&(packet.protocol.0, BTreeSet::from([from, to]))] != from;
        if is_aggregated && !seen.insert((packet.protocol.0, from, to, letter)) {
            return;
        }
        let flags = match letter {
            'S' => json!({"SYN": true}),
            'H' => json!({"SYN": true, "ACK": true}),
            'R' => json!({"RST": true, "ACK": true}),
            'F' => json!({"FIN": true, "ACK": true}),
            'D' => json!({"PSH": true, "ACK": true}),
            _ => json!({"ACK": true}),
        };
        let ports = json!({"source_port": from.port(), "destination_port": to.port()});
        let mut l4 = json!({"UDP": ports.clone()});
        if packet.protocol == Protocol::TCP {
            l4 = json!({"TCP": ports});
            l4["TCP"]["flags"] = flags;
        } else if packet.protocol == Protocol::ICMP {
            l4 = json!({"ICMPv4": {"type": if is_reply { 0 } else { 8 }}});
        }
        for point in ["TO_STACK", "TO_ENDPOINT"] {
            let flow = json!({
                "time": time.to_string(), "verdict": "FORWARDED",
                "IP": {"source": from.ip().to_string(), "destination": to.ip().to_string(), "ipVersion": "IPv4"},
                "l4": l4, "Type": "L3_L4", "event_type": {"type": 4}, "trace_observation_point": point,
                "trace_reason": if is_reply { "REPLY" } else { "ESTABLISHED" }, "is_reply": is_reply, "node_name": "node-1",
            });
            let _ = writeln!(text, "{}", json!({"flow": flow, "node_name": "node-1", "time": time.to_string()}));
        }
    });
    text
}

/// Who called whom, and what became of it.
fn who(flows: &[Value]) -> BTreeMap<String, (u64, u64)> {
    let key = |flow: &Value| {
        let [client, server] = ["client", "server"].map(|end| &flow[end]["name"]);
        format!("{client} {server} {} {} {} {}", flow["protocol"], flow["port"], flow["outcome"], flow["marks"])
    };
    let counts = |flow: &Value| (flow["connections"].as_u64().unwrap(), flow["packets"].as_u64().unwrap());
    flows.iter().map(|flow| (key(flow), counts(flow))).collect()
}

#[test]
fn flows_of_hubble_give_the_dependencies_of_the_capture_and_count_no_packet_twice() {
    let flowmap = Flowmap::new();
    let pcap = sample("pod-api.pcap");
    let captured = who(&flows(&flowmap, &pcap));
    flowmap.write("flows.json", hubble(&pcap, false));
    assert_eq!(who(&flows(&flowmap, "flows.json")), captured);
    flowmap.write("some.json", hubble(&pcap, true));
    let some = who(&flows(&flowmap, "some.json"));
    let lower = |(key, (connections, packets)): (&String, &(u64, u64))| {
        let (all_connections, all_packets) = captured[key];
        *connections <= all_connections && *packets <= all_packets
    };
    assert_eq!(some.keys().collect::<Vec<_>>(), captured.keys().collect::<Vec<_>>());
    assert!(some.iter().all(lower), "{some:#?}");
}

fn conn_log() -> String {
    tsv(&conns(&sample("pod-api.pcap")))
}

#[test]
fn a_log_is_the_same_under_any_name_and_compression() {
    let flowmap = Flowmap::new();
    let log = conn_log();
    flowmap.write("conn.log", &log);
    flowmap.ok(&["import", "conn.log"]);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(log.as_bytes()).unwrap();
    flowmap.write("a.pcap", gzip.finish().unwrap());
    flowmap.write("b.csv", zstd::encode_all(log.as_bytes(), 1).unwrap());
    for file in ["a.pcap", "b.csv"] {
        assert!(flowmap.ok(&["import", file]).stderr.contains("already in the store"), "{file}");
    }
    assert!(flowmap.feed(&["import", "-"], log.as_bytes()).stderr.contains("already in the store"));
}

#[test]
fn a_log_in_two_files_and_beside_itself_is_one() {
    let conns = conns(&sample("pod-api.pcap"));
    let flowmap = Flowmap::new();
    flowmap.write("whole.log", tsv(&conns));
    let (early, late) = conns.split_at(conns.len() / 2);
    flowmap.write("1.log", tsv(early));
    flowmap.write("2.log", tsv(late));
    let whole = flowmap.json(&["flows", "--from", "whole.log"]);
    assert_eq!(flowmap.json(&["flows", "--from", "1.log", "2.log"]), whole);
    assert_eq!(flowmap.json(&["flows", "--from", "2.log", "whole.log"]), whole);
    flowmap.write("both.log", tsv(early) + &tsv(late));
    assert_eq!(flowmap.json(&["flows", "--from", "both.log"]), whole);
}

/// A flow of Hubble from one address to port 80 or 53 of another.
fn dropped(protocol: &str, client: IpAddr, verdict: &str, reason: &str) -> String {
    let ports = json!({"source_port": 40_000, "destination_port": if protocol == "TCP" { 80 } else { 53 }, "flags": {"SYN": true}});
    let flow = json!({
        "time": "2026-09-21T10:00:00Z", "verdict": verdict, "drop_reason_desc": reason,
        "IP": {"source": client.to_string(), "destination": "10.0.0.9"}, "l4": {protocol: ports}, "Type": "L3_L4",
        "event_type": {"type": 1},
    });
    format!("{}\n", json!({"flow": flow, "node_name": "node-1"}))
}

#[test]
fn what_a_policy_dropped_is_no_need_and_is_said() {
    let flowmap = Flowmap::new();
    let client: IpAddr = "10.0.0.1".parse().unwrap();
    let log = dropped("TCP", client, "DROPPED", "POLICY_DENIED")
        + &dropped("UDP", client, "DROPPED", "POLICY_DENIED").repeat(9)
        + &dropped("UDP", "10.0.0.2".parse().unwrap(), "DROPPED", "STALE_OR_UNROUTABLE_IP");
    flowmap.write("flows.json", log);
    let told = flowmap.ok(&["import", "flows.json"]).stderr;
    assert!(told.contains("warning: 10 reports of packets that a policy denied"), "{told}");
    assert!(told.contains("warning: 1 reports of packets that Cilium dropped for other reasons"), "{told}");
    let flows = flowmap.json(&["flows"]);
    let outcomes: Vec<&Value> = flows.as_array().unwrap().iter().map(|flow| &flow["outcome"]).collect();
    assert_eq!(outcomes, ["refused", "refused", "refused"]);
    let text = flowmap.ok(&["status"]).stdout;
    assert!(text.contains("note") && text.contains("counts are the least"), "{text}");
}

#[test]
fn suggest_warns_of_what_a_deployed_policy_dropped_while_hubble_looked() {
    let policy = json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": "closed", "namespace": "shop"},
        "spec": {"podSelector": {"matchLabels": {"app": "api"}}, "policyTypes": ["Ingress"]}});
    let flowmap = Flowmap::new();
    let pods = [node("node-1", "192.0.2.1", "10.0.0.0/24"), pod("web", "10.0.0.1"), pod("api", "10.0.0.9"), policy];
    flowmap.write("cluster.json", list(&pods));
    let client: IpAddr = "10.0.0.1".parse().unwrap();
    let works = dropped("TCP", client, "FORWARDED", "").replace(":80,", ":8080,");
    let data =
        works.replace("\"SYN\":true", "\"PSH\":true,\"ACK\":true").replace("\"Type\"", "\"is_reply\":false,\"Type\"");
    let drops = ["TCP", "UDP"].map(|it| dropped(it, client, "DROPPED", "POLICY_DENIED").repeat(5)).concat();
    // when the pods were there
    flowmap.write("flows.json", (works + &data + &drops).replace("2026-09-21", "2026-11-24"));
    let files = ["--from", "flows.json", "--inventory", "cluster.json"];
    let told =
        flowmap.ok(&[&["suggest", "-n", "shop", "--isolate-unseen", "--out-dir", "out"], &files[..]].concat()).stderr;
    for port in ["TCP/80", "UDP/53"] {
        assert!(told.contains(&format!("shop/web -> shop/api {port}: not answered, maybe blocked")), "{told}");
    }
    let api = std::fs::read_to_string(flowmap.path("out/shop/api.yaml")).unwrap();
    assert!(api.contains("port: 8080") && !api.contains("port: 80\n") && !api.contains("port: 53\n"), "{api}");
}

#[test]
fn what_is_not_used_adds_up_and_strict_refuses_damage_alone() {
    let flowmap = Flowmap::new();
    let client: IpAddr = "10.0.0.1".parse().unwrap();
    let lost = "{\"lost_events\":{\"num_events_lost\":\"7\"}}\n";
    let whole = dropped("UDP", client, "FORWARDED", "") + lost + &dropped("UDP", client, "TRACED", "");
    flowmap.write("whole.json", &whole);
    let told = flowmap.ok(&["import", "--strict", "whole.json"]).stderr;
    assert!(
        told.starts_with("whole.json: 3 records, 1 used, not used: record: a translation at a socket, no packet 1, "),
        "{told}"
    );
    assert!(told.contains("warning: 7 flows that Hubble lost"), "{told}");
    flowmap.write("cut.json", &whole[..whole.len() - 20]);
    let told = flowmap.ok(&["import", "cut.json"]).stderr;
    assert!(told.contains("cut.json: line 3: not JSON"), "{told}");
    flowmap.run(&["import", "--strict", "cut.json"]).is_an_error(&["cut.json: line 3: not JSON", "hint: "]);
    let status = flowmap.json(&["status"]);
    for run in status["runs"].as_array().unwrap() {
        let not_used: u64 = run["not_decoded"].as_object().unwrap().values().filter_map(Value::as_u64).sum();
        assert_eq!(run["packets"].as_u64(), run["decoded"].as_u64().map(|used| used + not_used));
    }
}

#[test]
fn scans_without_a_syn_and_lone_refusals_are_attempts_in_zeeks_logs_and_what_carried_data_is_not() {
    let flowmap = Flowmap::new();
    let cases = [
        ("OTH", "Fr", "refused"),
        ("OTH", "Ar", "refused"),
        ("OTH", "r", "refused"),
        ("OTH", "^r", "refused"),
        ("OTH", "Ir", "refused"),
        ("S0", "SQ", "unanswered"),
        ("SH", "F", "unanswered"),
        ("S0", "Ss", "unanswered"),
        // without the history
        ("RSTR", "-", "refused"),
        ("RSTRH", "-", "refused"),
        ("OTH", "Ffa", "midstream"),
        ("OTH", "ADdRr", "midstream"),
        ("OTH", "Gr", "oneway"),
    ];
    for (state, history, outcome) in cases {
        let log = format!(
            "#separator \\x09\n#fields\t{}\n1789984801.5\tC1\t10.0.0.1\t40000\t10.0.0.9\t9090\ttcp\t6\t0.1\t{state}\t{history}\
            \t1\t40\t1\t40\t-\n",
            FIELDS.join("\t")
        );
        let flows = told(&flowmap, "conn.log", &log);
        let expected = format!("10.0.0.1 > 10.0.0.9:9090 {outcome} ");
        assert!(flows.len() == 1 && flows[0].starts_with(&expected), "{history}: {flows:?} is not {outcome}");
    }
}

#[test]
fn a_log_of_many_connections_counts_them_all() {
    let flowmap = Flowmap::new();
    let mut log = format!("#separator \\x09\n#fields\t{}\n", FIELDS.join("\t"));
    for n in 0..30_000u32 {
        let (client, port) = (n % 40 + 2, 20_000 + n / 40);
        let _ = writeln!(
            log,
            "{}.5\tC{n}\t10.0.0.{client}\t{port}\t10.0.1.1\t443\ttcp\t6\t0.1\tSF\tShADadFf\t5\t500\t4\t400\t-",
            1_789_984_801 + n / 100
        );
    }
    flowmap.write("conn.log", log);
    let flows = flowmap.json(&["flows", "--from", "conn.log"]);
    let sum = |name: &str| flows.as_array().unwrap().iter().filter_map(|flow| flow[name].as_u64()).sum::<u64>();
    assert_eq!((sum("connections"), sum("packets")), (30_000, 270_000));
}
