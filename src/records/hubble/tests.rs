use std::collections::BTreeMap;

use super::{
    super::{Format, Reader as AnyReader},
    *,
};
use crate::model::{Flags, ObservationKey, Opening, Protocol, TraceSet};

const CLIENT: (&str, u16) = ("10.0.0.1", 40_000);
const SERVER: (&str, u16) = ("10.0.0.9", 5_432);

/// A packet that goes from one end to the other.
fn flow(from: (&str, u16), to: (&str, u16), l4: &str, more: &str) -> String {
    let ports = format!("\"source_port\":{},\"destination_port\":{}", from.1, to.1);
    let l4 = l4.replace("PORTS", &ports);
    format!(
        "{{\"flow\":{{\"time\":\"2026-09-21T10:00:01.25Z\",\"verdict\":\"FORWARDED\",\"IP\":{{\"source\":\"{}\",\
        \"destination\":\"{}\",\"ipVersion\":\"IPv4\"}},\"l4\":{l4},\"source\":{{\"identity\":7,\"labels\":[\"k8s:a=b\"]}},\
        \"Type\":\"L3_L4\",\"event_type\":{{\"type\":4}},\"node_name\":\"kind/worker\",{more}\"Summary\":\"x\"}},\
        \"node_name\":\"kind/worker\",\"time\":\"2026-09-21T10:00:01.25Z\"}}\n",
        from.0, to.0
    )
}

fn tcp(from: (&str, u16), to: (&str, u16), flags: &[&str], more: &str) -> String {
    let flags: Vec<String> = flags.iter().map(|flag| format!("\"{flag}\":true")).collect();
    flow(from, to, &format!("{{\"TCP\":{{PORTS,\"flags\":{{{}}}}}}}", flags.join(",")), more)
}

fn udp(from: (&str, u16), to: (&str, u16), more: &str) -> String {
    flow(from, to, "{\"UDP\":{PORTS}}", more)
}

const REPLY: &str = "\"is_reply\":true,\"trace_reason\":\"REPLY\",";
const NEW: &str = "\"is_reply\":false,\"trace_reason\":\"NEW\",";
const ASK: &str = "\"is_reply\":false,\"trace_reason\":\"ESTABLISHED\",";

type Seen = (BTreeMap<ObservationKey, TraceSet>, Vec<(u64, String)>, BTreeMap<Note, u64>);

fn read_with(text: &[u8], max: usize) -> Seen {
    let mut reader = Reader::with_table(text, max);
    let (mut rows, mut faults) = (BTreeMap::<_, TraceSet>::new(), Vec::new());
    let mut all = Vec::new();
    while let Some(line) = reader.next_line().unwrap() {
        if let Line::NotUsed { line, fault } = line {
            faults.push((line, fault.to_string()));
        }
        all.extend(reader.observations());
    }
    all.extend(reader.end());
    for row in all {
        rows.entry(row.key).or_default().extend(row.traces);
    }
    (rows, faults, reader.notes())
}

fn read(text: &str) -> Seen {
    assert_eq!(Format::of(text.as_bytes()), Some(Format::Hubble));
    read_with(text.as_bytes(), MAX_HELD)
}

fn only(text: &str) -> (ObservationKey, crate::model::Trace) {
    let (rows, faults, _) = read(text);
    assert!(faults.is_empty() && rows.len() == 1, "{rows:#?} {faults:?}");
    let (key, traces) = rows.into_iter().next().unwrap();
    assert_eq!(traces.total(), 1);
    let trace = traces.iter().next().unwrap().clone();
    (key, trace)
}

fn has(trace: &crate::model::Trace, bits: &[Flags]) -> bool {
    bits.iter().all(|bit| trace.flags.has(*bit))
}

#[test]
fn one_connection_reported_at_many_points_is_one_and_its_packets_count_once() {
    let mut text = String::new();
    for point in ["TO_ENDPOINT", "TO_OVERLAY", "TO_STACK"] {
        let at = format!("\"trace_observation_point\":\"{point}\",");
        text += &tcp(CLIENT, SERVER, &["SYN"], &at);
        text += &tcp(SERVER, CLIENT, &["SYN", "ACK"], &format!("{at}{REPLY}"));
        text += &tcp(CLIENT, SERVER, &["ACK", "PSH"], &format!("{at}{ASK}"));
    }
    let (key, trace) = only(&text);
    assert_eq!((key.opening, key.dst_port, key.src.to_string()), (Opening::Seen, 5_432, "10.0.0.1".into()));
    assert!(has(&trace, &[Flags::ASKED, Flags::AGREED, Flags::FROM_SRC, Flags::PAYLOAD]));
    assert_eq!((trace.src_port, trace.from_src.fullest(), trace.from_dst.fullest()), (40_000, (2, 0), (1, 0)));
}

#[test]
fn a_reply_alone_tells_the_client_and_the_older_layout_says_the_same() {
    let line = udp(SERVER, CLIENT, REPLY);
    let (key, trace) = only(&line);
    // an entry for datagrams tells who was first within a minute
    assert_eq!((key.opening, key.src.to_string(), key.dst_port), (Opening::Unseen, "10.0.0.1".into(), 5_432));
    assert!(has(&trace, &[Flags::FROM_DST, Flags::SRC_FIRST]) && !trace.flags.has(Flags::FROM_SRC));
    let begin = line.find("{\"time").unwrap();
    let end = line.find(",\"node_name\":\"kind/worker\",\"time").unwrap();
    assert_eq!(only(&format!("{}\n", &line[begin..end])), (key.clone(), trace.clone()));
    let camel = line
        .replace("is_reply", "isReply")
        .replace("source_port", "sourcePort")
        .replace("destination_p", "destinationP");
    assert_eq!(only(&camel), (key, trace));
}

#[test]
fn without_word_of_a_reply_it_is_open_who_asked() {
    let (key, _) = only(&udp(SERVER, CLIENT, ""));
    // laid towards the likelier server, for the map to decide
    assert_eq!((key.opening, key.dst_port), (Opening::Unseen, 5_432));
    // what is learnt later of the same connection holds for what came before
    let later = tcp(SERVER, CLIENT, &["ACK"], "") + &tcp(CLIENT, SERVER, &["SYN"], NEW);
    assert_eq!(only(&later).0.opening, Opening::Seen);
}

#[test]
fn messages_of_icmp_tell_by_their_type_who_asked_whatever_is_said_of_a_reply() {
    let (a, b) = (("10.0.0.1", 0), ("10.0.0.9", 0));
    let icmp = |kind: u8, more: &str| only(&flow(b, a, &format!("{{\"ICMPv4\":{{\"type\":{kind}}}}}"), more));
    // an echo reply that was dropped has no word of it
    let (key, _) = icmp(0, "");
    assert_eq!((key.opening, key.src.to_string()), (Opening::Seen, "10.0.0.1".into()));
    let (key, _) = icmp(8, "");
    assert_eq!((key.opening, key.src.to_string()), (Opening::Seen, "10.0.0.9".into()));
    // time exceeded is a word on another packet
    let (key, trace) = icmp(11, "\"is_reply\":false,\"trace_reason\":\"RELATED\",");
    assert_eq!(key.opening, Opening::Unseen);
    assert!(has(&trace, &[Flags::UNTOLD]));
}

#[test]
fn an_entry_for_a_stream_tells_nothing_of_who_opened_and_a_syn_does() {
    let opening = |text: &str| only(text).0.opening;
    let server = ("10.0.0.9", 40_001);
    let (new, wrong) = (tcp(server, CLIENT, &["ACK"], NEW), tcp(CLIENT, server, &["ACK"], REPLY));
    // the line that shows that the entry was made midway may be in another file
    for text in [&new, &wrong, &(new.clone() + &wrong), &(wrong.clone() + &new)] {
        assert_eq!(opening(text), Opening::Unseen, "{text}");
    }
    let known = tcp(CLIENT, server, &["ACK"], ASK).replace("10:00:01", "09:00:01");
    assert_eq!(opening(&known), Opening::Unseen);
    let syn = tcp(CLIENT, server, &["SYN"], NEW).replace("10:00:01", "09:00:01");
    let rows = read(&(new.clone() + &wrong + &syn)).0;
    let is_told = |key: &ObservationKey| key.opening == Opening::Seen && key.dst_port == 40_001;
    assert!(rows.len() == 2 && rows.keys().all(is_told), "{rows:#?}");
    // verdicts are given on what is new, and say that it is no reply
    let verdict = new.replace(NEW, "\"is_reply\":false,").replace("\"type\":4", "\"type\":5");
    assert_eq!(opening(&(verdict + &wrong)), Opening::Unseen);
}

#[test]
fn of_datagrams_an_entry_tells_who_was_first_and_of_peers_both_may_be() {
    for (from, to) in [(("10.0.0.9", 53), CLIENT), (CLIENT, ("10.0.0.9", 53))] {
        let (key, trace) = only(&udp(from, to, NEW));
        assert_eq!((key.opening, key.dst_port), (Opening::Unseen, 53));
        assert_eq!(trace.flags.has(Flags::SRC_FIRST), from == CLIENT);
    }
    let [a, b] = ["10.0.0.1", "10.0.0.9"].map(|address| (address, 7_946));
    let (rows, ..) = read(&(udp(a, b, NEW) + &udp(b, a, REPLY) + &udp(b, a, NEW) + &udp(a, b, "")));
    let callers: Vec<_> = rows.keys().map(|key| (key.opening, key.src.to_string())).collect();
    assert_eq!(callers, [(Opening::Seen, a.0.to_owned()), (Opening::Seen, b.0.to_owned())]);
}

#[test]
fn what_a_policy_dropped_is_refused_and_has_carried_nothing() {
    let dropped = |line: String| {
        line.replace("FORWARDED", "DROPPED")
            .replace("\"Summary\"", "\"drop_reason_desc\":\"POLICY_DENIED\",\"Summary\"")
    };
    let (key, trace) = only(&dropped(tcp(CLIENT, SERVER, &["SYN"], "")));
    assert_eq!((key.opening, has(&trace, &[Flags::ASKED, Flags::REFUSED])), (Opening::Seen, true));
    let (_, trace) = only(&(udp(CLIENT, SERVER, ASK) + &dropped(udp(CLIENT, SERVER, ""))));
    assert!(has(&trace, &[Flags::REFUSED]) && !trace.flags.has(Flags::FROM_DST));
    // a packet that was lost on the way of an open connection refuses nothing
    let open = udp(CLIENT, SERVER, ASK) + &udp(SERVER, CLIENT, REPLY) + &dropped(udp(CLIENT, SERVER, ""));
    assert!(!only(&open).1.flags.has(Flags::REFUSED));
    let notes = read(&dropped(udp(CLIENT, SERVER, ""))).2;
    assert!(notes.iter().any(|(what, count)| *what == Note::PolicyDenied && *count == 1), "{notes:?}");
}

#[test]
fn datagrams_that_were_delivered_are_not_refused_by_one_that_was_dropped() {
    const FULL: &str = "CT_MAP_INSERTION_FAILED";
    const DENIED: &str = "POLICY_DENIED";
    let at = |time: &str, line: String| line.replace("10:00:01", time);
    let point = |name: &str| format!("{NEW}\"trace_observation_point\":{name},");
    let delivered = |time| at(time, udp(CLIENT, SERVER, &point("\"TO_ENDPOINT\"")));
    let dropped = |time: &str, why: &str| {
        let line = udp(CLIENT, SERVER, &format!("\"drop_reason_desc\":\"{why}\",")).replace("FORWARDED", "DROPPED");
        at(time, line)
    };
    let refused = |lines: &[String]| {
        let hours: Vec<bool> = [lines.concat(), lines.iter().rev().cloned().collect()]
            .iter()
            .flat_map(|log| read(log).0.into_values().map(|it| has(it.iter().next().unwrap(), &[Flags::REFUSED])))
            .collect();
        let (forwards, backwards) = hours.split_at(hours.len() / 2);
        assert_eq!(forwards, backwards, "{lines:?}");
        forwards.to_vec()
    };
    let [soon, late] = ["10:00:01", "10:50:00"];
    for (first, last) in [(soon, late), (late, soon)] {
        assert_eq!(refused(&[delivered(first), dropped(last, FULL)]), [false]);
        assert_eq!(refused(&[dropped(first, FULL), dropped(last, FULL)]), [true]);
    }
    // the number of the point in place of its name
    let numbered = at(soon, udp(CLIENT, SERVER, &point("101")));
    assert_eq!(refused(&[numbered, dropped(late, FULL)]), [false]);
    // also where nothing was delivered within the hour
    assert_eq!(refused(&[delivered("09:00:00"), dropped(soon, FULL)]), [false, false]);
    // a policy's word holds until it is taken back
    assert_eq!(refused(&[delivered(soon), dropped(late, DENIED)]), [true]);
    assert_eq!(refused(&[dropped(soon, DENIED), delivered(late)]), [false]);
    assert_eq!(refused(&[delivered("09:00:00"), dropped(soon, DENIED)]), [false, true]);
    assert_eq!(refused(&[dropped(soon, DENIED), delivered("11:00:00")]), [true, false]);
    let later = [delivered("08:00:00"), dropped("08:00:09", DENIED), dropped("09:00:00", FULL)];
    assert_eq!(refused(&later), [true, true], "until it is delivered again");
    assert_eq!(refused(&[delivered(soon), dropped(soon, DENIED)]), [true], "at one moment");
    // what goes through at its sender's node has not arrived
    for why in [FULL, DENIED] {
        let sent = ["FROM_ENDPOINT", "TO_STACK", "TO_OVERLAY", "TO_NETWORK", "FROM_OVERLAY", "TO_PROXY"];
        let lines = sent.map(|it| at(late, udp(CLIENT, SERVER, &point(&format!("\"{it}\"")))) + &dropped(soon, why));
        assert_eq!(refused(&lines), [true], "{why}");
    }
    // nor is a stream open whose SYN arrived
    let syn = tcp(CLIENT, SERVER, &["SYN"], &point("\"TO_ENDPOINT\""));
    assert_eq!(refused(&[syn.clone(), at(late, syn.replace("FORWARDED", "DROPPED"))]), [true]);
}

#[test]
fn a_reset_refuses_what_was_asked_and_closes_what_was_open() {
    let refused = tcp(CLIENT, SERVER, &["SYN"], "") + &tcp(SERVER, CLIENT, &["RST", "ACK"], REPLY);
    assert!(only(&refused).1.flags.has(Flags::REFUSED));
    let open = tcp(CLIENT, SERVER, &["ACK"], ASK) + &tcp(SERVER, CLIENT, &["RST", "ACK"], REPLY);
    let (_, trace) = only(&open);
    assert!(has(&trace, &[Flags::CLOSED, Flags::FROM_DST]) && !trace.flags.has(Flags::REFUSED));
}

#[test]
fn what_tells_of_no_connection_is_counted_under_its_reason() {
    let socket = udp(CLIENT, SERVER, "\"sock_xlate_point\":\"SOCK_XLATE_POINT_PRE_DIRECTION_FWD\",");
    let lines = [
        socket.replace("FORWARDED", "TRACED"),
        udp(CLIENT, SERVER, "").replace("\"FORWARDED\"", "\"ERROR\""),
        udp(CLIENT, SERVER, "").replace("\"verdict\":\"FORWARDED\",", ""),
        udp((CLIENT.0, 0), SERVER, "").replace("\"source_port\":0,", ""),
        flow(CLIENT, SERVER, "{\"ICMPv4\":{\"type\":3,\"code\":1}}", ""),
        flow(("fe80::1", 0), ("ff02::1:ff00:2", 0), "{\"ICMPv6\":{\"type\":135}}", ""),
        flow(CLIENT, SERVER, "{}", ""),
        udp(("", 1), SERVER, ""),
        udp(("pod", 1), SERVER, ""),
        udp(CLIENT, SERVER, "").replace("2026-", "126-"),
        "{\"lost_events\":{\"source\":\"HUBBLE_RING_BUFFER\",\"num_events_lost\":\"12\"}}\n".into(),
        "{\"node_status\":{\"state_change\":\"NODE_CONNECTED\"}}\n".into(),
        "{}\n{\"flow\n[]\n".into(),
    ];
    let (rows, faults, notes) = read(&lines.concat());
    assert!(rows.is_empty(), "{rows:#?}");
    let told: Vec<&str> = faults.iter().map(|(_, why)| why.as_str()).collect();
    assert_eq!(
        told[..13],
        [
            "a translation at a socket, no packet",
            "no verdict whether it was forwarded",
            "no verdict whether it was forwarded",
            "its ports are not named",
            "ICMP unreachable: it answers another flow",
            "neighbour discovery, no flow",
            "its protocol is not named",
            "no source address",
            "source address `pod` is not an address",
            "time `126-09-21T10:00:01.25Z` is not a time after 1977",
            "word of lost flows, no flow",
            "no flow",
            "no flow",
        ]
    );
    assert_eq!(told[13], "not JSON");
    assert!(told[14].starts_with("not a Hubble flow") && told.len() == 15, "{told:?}");
    assert_eq!(notes.values().collect::<Vec<_>>(), [&12]);
}

#[test]
fn dns_answers_of_the_proxy_are_names_and_no_packets() {
    let l7 =
        "\"l7\":{\"type\":\"RESPONSE\",\"dns\":{\"query\":\"db.example.com.\",\"ips\":[\"10.0.0.7\"],\"ttl\":30}},";
    let text = udp((SERVER.0, 53), CLIENT, &format!("{l7}{REPLY}")).replace("L3_L4", "L7");
    let mut reader = AnyReader::new(Format::Hubble, text.as_bytes()).unwrap();
    let Some(Line::Packet { answers: Some(answers), .. }) = reader.next_line().unwrap() else { panic!("an answer") };
    assert_eq!(
        (&answers.name[..], answers.ttl_s, answers.asked_by.to_string()),
        ("db.example.com.", 30, "10.0.0.1".into())
    );
    assert_eq!(only(&text).1.from_dst.fullest(), (0, 0));
    let (_, faults, _) = read(&text.replace("FORWARDED", "DROPPED"));
    assert_eq!(faults[0].1, "an L7 message that was denied, within a connection that was not");
}

#[test]
fn a_small_table_gives_what_a_large_one_gives_but_for_what_it_forgot() {
    let mut text = String::new();
    for n in 0..300u16 {
        let client = (CLIENT.0, 30_000 + n % 60);
        let hour = format!("T1{}:00", n / 100);
        let line =
            if n % 3 == 0 { tcp(SERVER, client, &["SYN", "ACK"], REPLY) } else { tcp(client, SERVER, &["SYN"], "") };
        text += &line.replace("T10:00", &hour);
    }
    let [large, small] = [MAX_HELD, 4].map(|max| read_with(text.as_bytes(), max).0);
    let rows = |rows: &BTreeMap<ObservationKey, TraceSet>| -> Vec<_> {
        let traces = |(key, traces): (&ObservationKey, &TraceSet)| {
            (key.clone(), traces.iter().map(|it| (it.src_port, it.flags, it.from_src.fullest())).collect::<Vec<_>>())
        };
        rows.iter().map(traces).collect()
    };
    assert_eq!(rows(&large), rows(&small));
    assert_eq!(large.len(), 3);
    assert!(large.keys().all(|key| key.protocol == Protocol::TCP && key.opening == Opening::Seen));
}

#[test]
fn a_stream_that_a_small_table_forgot_between_its_verdict_and_its_packets_is_not_said_to_be_left_out() {
    let clients = || (0..20u16).map(|n| (CLIENT.0, 30_000 + n));
    let verdicts = || clients().map(|it| tcp(it, SERVER, &["SYN"], "").replace("\"type\":4", "\"type\":5"));
    let packets = || clients().map(|it| tcp(SERVER, it, &["SYN", "ACK"], REPLY));
    let alone = |lines: Vec<String>| {
        let (rows, _, notes) = read_with(lines.concat().as_bytes(), 4);
        (rows.into_values().map(|traces| traces.total()).sum::<u64>(), notes.get(&Note::VerdictsAlone).copied())
    };
    assert_eq!(alone(verdicts().chain(packets()).collect()), (20, None));
    assert_eq!(alone(packets().chain(verdicts()).collect()), (20, None));
    assert_eq!(alone(verdicts().chain(packets().take(15)).chain(verdicts()).collect()), (15, Some(5)));
}

#[test]
fn one_connection_of_very_many_hours_is_held_in_part_and_loses_none() {
    let line = |n: u32| {
        let time = format!("{}-{:02}-{:02}T{:02}:", 1980 + n / 8_064, n / 672 % 12 + 1, n / 24 % 28 + 1, n % 24);
        udp(CLIENT, SERVER, NEW).replace("2026-09-21T10:", &time)
    };
    let log = |order: &mut dyn Iterator<Item = u32>| order.map(line).collect::<String>();
    let large = read(&log(&mut (0..100))).0;
    assert_eq!(large.len(), 100);
    for text in [log(&mut (0..100)), log(&mut (0..100).rev()), log(&mut (0..100).chain(0..100).step_by(2))] {
        let hours = text.lines().collect::<std::collections::BTreeSet<_>>().len();
        for max in [9, 64] {
            let small = read_with(text.as_bytes(), max).0;
            assert!(small.len() == hours && small.keys().all(|key| large.contains_key(key)), "{max}: {small:#?}");
        }
    }
    // what is held at the end is bounded
    let text = log(&mut (0..1_000));
    let (mut reader, mut written) = (Reader::with_table(text.as_bytes(), 64), 0);
    while reader.next_line().unwrap().is_some() {
        written += reader.observations().len();
    }
    assert!(written > 900 && written + reader.end().len() == 1_000, "{written}");
}
