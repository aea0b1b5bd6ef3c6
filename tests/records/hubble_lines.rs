//! Hubble's lines one by one: who opened, what became of it, and what they do not tell.

use std::{collections::BTreeMap, net::SocketAddr};

use serde_json::{Value, json};

use crate::common::{
    Flowmap,
    cluster::{list, pod},
    rows::rows,
};

/// A packet of TCP as Hubble reports it, at a time of 2026-09-21, with what Cilium's connection tracking made of it.
pub fn report(time: &str, [from, to]: [&str; 2], flags: &[&str], tracked: &str) -> String {
    let [from, to]: [SocketAddr; 2] = [from, to].map(|end| end.parse().unwrap());
    let flags: BTreeMap<&str, bool> = flags.iter().map(|flag| (*flag, true)).collect();
    let tcp = json!({"source_port": from.port(), "destination_port": to.port(), "flags": flags});
    let mut flow = json!({
        "time": format!("2026-09-21T{time}Z"), "verdict": "FORWARDED", "l4": {"TCP": tcp}, "Type": "L3_L4",
        "IP": {"source": from.ip().to_string(), "destination": to.ip().to_string()}, "event_type": {"type": 4},
    });
    if !tracked.is_empty() {
        (flow["trace_reason"], flow["is_reply"]) = (tracked.into(), (tracked == "REPLY").into());
    }
    format!("{}\n", json!({"flow": flow, "node_name": "node-1"}))
}

/// The flows of a log, a line each.
pub fn told(flowmap: &Flowmap, file: &str, log: &str) -> Vec<String> {
    flowmap.write(file, log);
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let line = |flow: &Value| {
        let [client, server] = ["client", "server"].map(|end| text(&flow[end]["name"]));
        let [port, outcome, direction] = ["port", "outcome", "direction"].map(|name| text(&flow[name]));
        format!("{client} > {server}:{port} {outcome} {direction} {}", flow["connections"])
    };
    flowmap.json(&["flows", "--from", file]).as_array().unwrap().iter().map(line).collect()
}

const CLIENT: &str = "10.0.0.1:40000";
const SERVER: &str = "10.0.0.9:9090";

#[test]
fn a_reset_refuses_in_any_order_of_lines_and_across_hours() {
    let flowmap = Flowmap::new();
    let log = |times: [&str; 2]| {
        let asked = report(times[0], [CLIENT, SERVER], &["SYN"], "NEW");
        [asked, report(times[1], [SERVER, CLIENT], &["RST", "ACK"], "REPLY")]
    };
    for times in [["10:00:00", "10:00:01"], ["10:59:59.9", "11:00:00.1"]] {
        for [one, other] in [log(times), {
            let [asked, reset] = log(times);
            [reset, asked]
        }] {
            let expected = ["10.0.0.1 > 10.0.0.9:9090 refused handshake 1"];
            assert_eq!(told(&flowmap, "flows.json", &(one + &other)), expected, "{times:?}");
        }
    }
}

#[test]
fn a_stream_that_conntrack_met_midway_is_not_turned_by_what_its_entry_says_from_then_on() {
    let flowmap = Flowmap::new();
    let midway = |hour: &str| {
        report(&format!("{hour}:00:00"), [SERVER, CLIENT], &["PSH", "ACK"], "NEW")
            + &report(&format!("{hour}:00:01"), [CLIENT, SERVER], &["ACK"], "REPLY")
            + &report(&format!("{hour}:00:02"), [SERVER, CLIENT], &["PSH", "ACK"], "ESTABLISHED")
            + &report(&format!("{hour}:00:03"), [CLIENT, SERVER], &["PSH", "ACK"], "REPLY")
    };
    let backwards = |log: &str| log.lines().rev().collect::<Vec<_>>().join("\n") + "\n";
    for log in [midway("10"), backwards(&midway("10"))] {
        assert_eq!(told(&flowmap, "flows.json", &log), ["10.0.0.1 > 10.0.0.9:9090 midstream port 1"]);
    }
    let opening = report("07:00:00", [CLIENT, SERVER], &["SYN"], "NEW")
        + &report("07:00:00.1", [SERVER, CLIENT], &["SYN", "ACK"], "REPLY");
    for log in [opening.clone() + &midway("10"), backwards(&(opening + &midway("10")))] {
        assert_eq!(told(&flowmap, "flows.json", &log), ["10.0.0.1 > 10.0.0.9:9090 established handshake 1"]);
    }
    // where the ports tell nothing either, nobody knows
    let unknown = midway("10").replace("9090", "50505");
    let flows = told(&flowmap, "flows.json", &unknown);
    assert!(flows.len() == 1 && flows[0].ends_with(" midstream unknown 1"), "{flows:?}");
}

#[test]
fn an_entry_that_was_made_midway_turns_no_stream_also_where_the_line_that_shows_it_is_in_another_file() {
    let flowmap = Flowmap::new();
    let server = "10.0.0.9:31000";
    flowmap.write("events.log.1", report("10:00:01", [server, CLIENT], &["PSH", "ACK"], "NEW"));
    let later = report("10:30:01", [server, CLIENT], &["PSH", "ACK"], "ESTABLISHED")
        + &report("10:30:02", [CLIENT, server], &["PSH", "ACK"], "REPLY");
    flowmap.write("events.log", &later);
    let opened = report("09:00:00", [CLIENT, server], &["SYN"], "NEW")
        + &report("09:00:00.1", [server, CLIENT], &["SYN", "ACK"], "REPLY");
    flowmap.write("events.log.2", &opened);
    let midstream = "10.0.0.1 > 10.0.0.9:31000/TCP midstream port 1";
    let established = "10.0.0.1 > 10.0.0.9:31000/TCP established handshake 1";
    let cases = [
        (&["events.log"][..], midstream),
        (&["events.log.1", "events.log"], midstream),
        (&["events.log", "events.log.1"], midstream),
        // who opened one part opened all
        (&["events.log", "events.log.2"], established),
        (&["events.log.2", "events.log.1", "events.log"], established),
    ];
    for (files, expected) in cases {
        let files: Vec<String> = files.iter().map(ToString::to_string).collect();
        assert_eq!(rows(&flowmap, &files), [expected], "{files:?}");
    }
}

#[test]
fn scans_without_a_syn_and_lone_refusals_are_attempts_in_hubbles_flows_and_what_carried_data_is_not() {
    let flowmap = Flowmap::new();
    let asks = |flags: &[&str]| report("10:00:00", [CLIENT, SERVER], flags, "NEW");
    let answers = |flags: &[&str]| report("10:00:01", [SERVER, CLIENT], flags, "REPLY");
    let (reset, disowned) = (&["RST", "ACK"][..], &["RST"][..]);
    let cases = [
        // FIN, NULL, Xmas, Maimon and ACK scans, and a refusal alone
        (asks(&["FIN"]) + &answers(reset), "refused"),
        (asks(&[]) + &answers(reset), "refused"),
        (asks(&["FIN", "PSH", "URG"]) + &answers(reset), "refused"),
        (asks(&["FIN", "ACK"]) + &answers(disowned), "refused"),
        (asks(&["ACK"]) + &answers(disowned), "refused"),
        (asks(&["ACK"]) + &answers(reset), "refused"),
        (answers(reset), "refused"),
        (answers(disowned), "refused"),
        (report("10:00:01", [SERVER, CLIENT], reset, "NEW"), "refused"),
        (asks(&["FIN"]), "unanswered"),
        // streams that were met near their end
        (asks(&["PSH", "ACK"]) + &answers(disowned), "midstream"),
        (asks(&["ACK"]) + &answers(&["PSH", "ACK"]) + &answers(reset), "midstream"),
        (asks(&["FIN", "ACK"]) + &answers(&["FIN", "ACK"]), "midstream"),
        (asks(&["ACK"]).replace("NEW", "ESTABLISHED") + &answers(reset), "midstream"),
    ];
    for (log, outcome) in cases {
        let flows = told(&flowmap, "flows.json", &log);
        let expected = format!("10.0.0.1 > 10.0.0.9:9090 {outcome} ");
        assert!(flows.len() == 1 && flows[0].starts_with(&expected), "{log}{flows:?} is not {outcome}");
    }
}

#[test]
fn verdicts_of_policies_alone_are_no_failed_attempts_and_it_is_said_that_they_show_no_answer() {
    let flowmap = Flowmap::new();
    let verdicts: String = (1..=20)
        .map(|n| {
            let line = report("10:00:00", [&format!("10.0.0.1:{}", 40_000 + n), SERVER], &["SYN"], "");
            line.replace("\"type\":4", "\"type\":5").replace("2026-09-21", "2026-11-24")
        })
        .collect();
    flowmap.write("flows.json", &verdicts);
    flowmap.write("cluster.json", list(&[pod("web", "10.0.0.1"), pod("api", "10.0.0.9")]));
    let alone = "20 connections of TCP or SCTP left out: the log has nothing but verdicts";
    let told = flowmap.ok(&["import", "flows.json"]).stderr;
    assert!(told.contains(&format!("warning: {alone}")), "{told}");
    assert_eq!(flowmap.json(&["flows"]), json!([]));
    assert!(flowmap.ok(&["status"]).stdout.contains(alone));
    let log = report("10:00:00", [CLIENT, "10.0.0.9:80"], &["SYN"], "NEW").replace("2026-09-21", "2026-11-24")
        + &report("10:00:00", [CLIENT, "10.0.0.9:80"], &["PSH", "ACK"], "ESTABLISHED")
            .replace("2026-09-21", "2026-11-24");
    // where other lines tell of an answer, or of none, the verdict adds nothing
    let both = log.lines().next().unwrap().replace("\"type\":4", "\"type\":5") + "\n" + &log;
    flowmap.write("more.json", both);
    let suggest = [
        "suggest",
        "--from",
        "flows.json",
        "more.json",
        "--inventory",
        "cluster.json",
        "-n",
        "shop",
        "--isolate-unseen",
    ];
    let told = flowmap.ok(&[&suggest[..], &["--out-dir", "out"]].concat()).stderr;
    assert!(told.contains("flowmap: WARNING: of 20 connections a log of Hubble has nothing but verdicts"), "{told}");
    let review = std::fs::read_to_string(flowmap.path("out/REVIEW.md")).unwrap();
    assert!(review.contains("Verdicts alone") && !review.contains("unanswered"), "{review}");
    assert!(std::fs::read_to_string(flowmap.path("out/shop/api.yaml")).unwrap().contains("port: 80\n"));
}

#[test]
fn frames_without_ip_and_packets_without_a_transport_are_no_damage() {
    let flowmap = Flowmap::new();
    let flow = |more: Value| {
        let mut flow = json!({"time": "2026-09-21T10:00:00Z", "verdict": "DROPPED", "Type": "L3_L4", "event_type": {"type": 1},
            "drop_reason_desc": "UNSUPPORTED_L3_PROTOCOL", "ethernet": {"source": "02:00:00:00:00:01"}});
        flow.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        format!("{}\n", json!({"flow": flow, "node_name": "node-1"}))
    };
    let log = flow(json!({}))
        + &flow(json!({"IP": {"source": "10.0.0.1", "destination": "10.0.0.9"}, "verdict": "FORWARDED"}));
    flowmap.write("flows.json", report("10:00:00", [CLIENT, SERVER], &["SYN"], "NEW") + &log);
    let told = flowmap.ok(&["import", "--strict", "flows.json"]).stderr;
    assert!(
        told.starts_with("flows.json: 3 records, 1 used, not used: record: a frame without IP, no flow 1, record: its protocol is not named 1"),
        "{told}"
    );
}
