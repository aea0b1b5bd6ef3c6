use super::{
    super::{Format, Reader},
    *,
};
use crate::model::{Flags, Opening, Timestamp, Trace};

/// Lines of a kernel of Linux 6.18, with its words as they are.
const SYN: &str = "NetworkPolicy-DROP: IN=vb OUT= MACSRC=f2:66:29:f1:c0:7b MACDST=fa:3c:1e:bd:d0:e4 MACPROTO=0800 SRC=10.9.0.1 \
     DST=10.9.0.2 LEN=60 TOS=0x00 PREC=0x00 TTL=64 ID=17916 DF PROTO=TCP SPT=59482 DPT=81 SEQ=2752775440 ACK=0 WINDOW=64240 \
     RES=0x00 SYN URGP=0 OPT (020405B40402080AAD886364000000000103030A) ";
const SYN_OF_IPV6: &str = "NetworkPolicy-DROP: IN=vb OUT= MACSRC=f2:66:29:f1:c0:7b MACDST=fa:3c:1e:bd:d0:e4 MACPROTO=86dd \
     SRC=fd09:0000:0000:0000:0000:0000:0000:0001 DST=fd09:0000:0000:0000:0000:0000:0000:0002 LEN=80 TC=0 HOPLIMIT=64 \
     FLOWLBL=855482 PROTO=TCP SPT=39708 DPT=81 WINDOW=64800 RES=0x00 SYN URGP=0 ";
const UDP: &str = "DROP:IN=vb OUT= MAC=fa:3c:1e:bd:d0:e4:f2:66:29:f1:c0:7b:08:00 SRC=10.9.0.1 DST=10.9.0.2 LEN=34 TOS=0x00 \
     PREC=0x00 TTL=64 ID=63412 DF PROTO=UDP SPT=35626 DPT=53 LEN=14 ";
const RESET: &str = "DROP IN=va OUT= MAC=f2:66:29:f1:c0:7b:fa:3c:1e:bd:d0:e4:08:00 SRC=10.9.0.2 DST=10.9.0.1 LEN=40 TOS=0x00 \
     PREC=0x00 TTL=64 ID=0 DF PROTO=TCP SPT=83 DPT=37626 WINDOW=0 RES=0x00 ACK RST URGP=0 ";
const UNREACHABLE: &str = "DROP IN=va OUT= MAC=f2:66:29:f1:c0:7b:fa:3c:1e:bd:d0:e4:08:00 SRC=10.9.0.2 DST=10.9.0.1 LEN=62 \
     TOS=0x00 PREC=0xC0 TTL=64 ID=7673 PROTO=ICMP TYPE=3 CODE=3 [SRC=10.9.0.1 DST=10.9.0.2 LEN=34 TOS=0x00 PREC=0x00 TTL=64 \
     ID=36808 DF PROTO=UDP SPT=40794 DPT=5353 LEN=14 ] ";
const SCTP: &str = "DROP IN=vb OUT= MAC=fa:3c:1e:bd:d0:e4:f2:66:29:f1:c0:7b:08:00 SRC=10.9.0.1 DST=10.9.0.2 LEN=44 TOS=0x00 \
     PREC=0x00 TTL=64 ID=44014 DF PROTO=132 ";

/// The line as `journalctl -k -o short-iso` has it.
fn dated(message: &str) -> String {
    format!("2026-11-29T10:20:18+0000 node-1 kernel: {message}\n")
}

struct Seen {
    rows: Vec<(String, Opening, Trace)>,
    faults: Vec<String>,
    times: Vec<Timestamp>,
    digest: u64,
}

fn read(text: &str) -> Seen {
    read_of(text, None)
}

fn read_of(text: &str, start: Option<&str>) -> Seen {
    assert_eq!(Format::of(text.as_bytes()), Some(Format::Netfilter), "{text}");
    let mut reader = Reader::new(Format::Netfilter, text.as_bytes()).unwrap();
    if let Some(start) = start {
        reader = reader.with_log_start(start.parse().unwrap());
    }
    let (mut faults, mut times) = (Vec::new(), Vec::new());
    while let Some(line) = reader.next_line().unwrap() {
        match line {
            Line::NotUsed { fault, .. } => faults.push(fault.to_string()),
            Line::Packet { time, .. } => times.push(time),
            Line::Flow(flow) => panic!("{flow:?}"),
        }
    }
    let mut rows: Vec<_> = reader
        .end()
        .into_iter()
        .flat_map(|row| {
            let key = row.key;
            let ends = format!("{} {} > {} {}", key.protocol, key.src, key.dst, key.dst_port);
            row.traces.into_traces().map(move |trace| (ends.clone(), key.opening, trace)).collect::<Vec<_>>()
        })
        .collect();
    rows.sort_by(|a, b| a.0.cmp(&b.0));
    Seen { rows, faults, times, digest: reader.digest() }
}

#[test]
fn what_a_firewall_dropped_was_tried_and_refused() {
    let again = SYN.replace("SEQ", "X");
    let seen = read(&[SYN, SYN, &again, SYN_OF_IPV6, UDP, RESET].map(dated).concat());
    assert_eq!(seen.faults, [""; 0]);
    let told: Vec<_> = seen.rows.iter().map(|(ends, opening, _)| (ends.as_str(), *opening)).collect();
    let expected = [
        // no word on who opened it, and a reset is not who asks
        ("TCP 10.9.0.1 > 10.9.0.2 83", Opening::Unseen),
        ("TCP 10.9.0.1 > 10.9.0.2 81", Opening::Seen),
        ("TCP fd09::1 > fd09::2 81", Opening::Seen),
        ("UDP 10.9.0.1 > 10.9.0.2 53", Opening::Unseen),
    ];
    let mut expected = expected.to_vec();
    expected.sort_unstable();
    assert_eq!(told, expected);
    for (ends, _, trace) in &seen.rows {
        assert!(trace.flags.has(Flags::REFUSED), "{ends}");
        assert!(!trace.flags.has(Flags::AGREED) && !trace.flags.has(Flags::PAYLOAD), "{ends}");
    }
    // three packets of one attempt
    let (_, _, syn) = seen.rows.iter().find(|(ends, ..)| ends == "TCP 10.9.0.1 > 10.9.0.2 81").unwrap();
    assert_eq!((syn.src_port, syn.from_src.fullest().0), (59_482, 3));
}

#[test]
fn a_packet_that_several_rules_log_is_one() {
    let other = SYN.replace("NetworkPolicy-DROP", "all-drop");
    let seen = read(&[SYN, &other].map(dated).concat());
    assert_eq!(seen.rows.len(), 1);
    assert_eq!(seen.rows[0].2.from_src.fullest().0, 1);
}

#[test]
fn a_time_is_read_in_all_forms_that_tell_it() {
    let expected = Timestamp::parse("2026-11-29T10:20:18Z").unwrap();
    let json = |message: &str| {
        format!(
            r#"{{"__REALTIME_TIMESTAMP":"1795947618000000","_HOSTNAME":"node-1","MESSAGE":{}}}"#,
            serde_json::json!(message)
        )
    };
    let lines = [
        format!("2026-11-29T10:20:18+0000 node-1 kernel: {SYN}"),
        format!("2026-11-29T11:20:18+01:00 node-1 kernel: [16878.949480] {SYN}"),
        format!("2026-11-29T10:20:18,000000+00:00 {SYN}"),
        format!("1795947618.000000 node-1 kernel: {SYN}"),
        format!("Sun 2026-11-29 10:20:18 UTC node-1 kernel: {SYN}"),
        format!("<4>1 2026-11-29T10:20:18.000Z node-1 kernel - - - [16878.949480] {SYN}"),
        format!("<4>1 2026-11-29T10:20:18Z node-1 kernel - - [a@1 b=\"c\"] {SYN}"),
        json(SYN),
    ];
    for line in lines {
        let seen = read(&line);
        assert_eq!((seen.times, seen.faults), (vec![expected], Vec::new()), "{line}");
    }
    let undated = [
        format!("Nov 29 10:20:18 node-1 kernel: [16878.949480] {SYN}"),
        format!("[16878.949480] {SYN}"),
        format!("[Sun Nov 29 10:20:18 2026] {SYN}"),
        format!("Sun 2026-11-29 10:20:18 CET node-1 kernel: {SYN}"),
        SYN.to_owned(),
    ];
    for line in undated {
        let seen = read(&line);
        assert!(seen.rows.is_empty() && seen.faults.len() == 1, "{line}");
        assert!(seen.faults[0].starts_with("no time, or one without its year or its zone"), "{:?}", seen.faults);
    }
}

#[test]
fn a_time_without_year_or_zone_is_placed_by_when_the_log_began() {
    let start = Some("2026-11-01T00:00:00+01:00");
    let at_nine = Timestamp::parse("2026-11-29T09:20:18Z").unwrap();
    let placed = [
        format!("Nov 29 10:20:18 node-1 kernel: [16878.949480] {SYN}"),
        format!("<4>Nov 29 10:20:18 node-1 kernel: {SYN}"),
        format!("Nov 29 10:20:18 node-1 ulogd[431]: {SYN}"),
        format!("[Sun Nov 29 10:20:18 2026] {SYN}"),
    ];
    for line in &placed {
        let seen = read_of(line, start);
        assert_eq!((seen.times, seen.faults), (vec![at_nine], Vec::new()), "{line}");
        assert_eq!(seen.rows.len(), 1, "{line}");
        // another start makes another log of it
        assert_ne!(seen.digest, read_of(line, Some("2026-11-01T00:00:00Z")).digest, "{line}");
    }
    let of_day_with_one_digit = read_of(&format!("Dec  9 10:20:18 node-1 kernel: {SYN}"), start);
    assert_eq!(of_day_with_one_digit.times, [Timestamp::parse("2026-12-09T09:20:18Z").unwrap()]);
    // a time that is whole stays what it is, and so does the log
    let whole = dated(SYN);
    assert_eq!(read_of(&whole, start).times, [Timestamp::parse("2026-11-29T10:20:18Z").unwrap()]);
    assert_eq!(read_of(&whole, start).digest, read(&whole).digest);
    let never = [
        format!("Foo 29 10:20:18 node-1 kernel: {SYN}"),
        format!("Nov 31 10:20:18 node-1 kernel: {SYN}"),
        format!("Nov 29 25:20:18 node-1 kernel: {SYN}"),
        format!("Feb 29 10:20:18 node-1 kernel: {SYN}"),
        format!("[16878.949480] {SYN}"),
        format!("Nov \u{e4}9 10:20:1\u{e4} node-1 kernel: {SYN}"),
        SYN.to_owned(),
    ];
    for line in never {
        let seen = read_of(&line, start);
        assert!(seen.times.is_empty() && seen.faults.len() == 1, "{line}: {:?}", seen.times);
    }
}

#[test]
fn what_became_of_a_packet_its_prefix_says_and_nothing_else() {
    let fate = |prefix: &str| {
        let seen = read(&dated(&SYN.replace("NetworkPolicy-DROP: ", prefix)));
        seen.faults.first().cloned().unwrap_or_default()
    };
    for prefix in
        ["DROP ", "dropped:", "[UFW BLOCK] ", "filter_IN_public_REJECT: ", "Shorewall:net2fw:DROP:", "nft DENIED"]
    {
        assert_eq!(fate(prefix), "", "{prefix}");
    }
    for prefix in ["[UFW ALLOW] ", "ACCEPT new "] {
        assert!(fate(prefix).starts_with("let through"), "{prefix}: {}", fate(prefix));
    }
    for prefix in ["", "calico-packet: ", "eyedropper ", "DROP or ACCEPT ", "IN=x y "] {
        assert!(fate(prefix).starts_with("its prefix does not say"), "{prefix}: {}", fate(prefix));
    }
    // neither a host nor what else stands before the message is the prefix
    for line in ["2026-11-29T10:20:18+0000 block-1 kernel: ", "<4>1 2026-11-29T10:20:18Z drop kernel - deny [reject] "]
    {
        let seen = read(&format!("{line}{}", SYN.replace("NetworkPolicy-DROP", "x")));
        assert!(seen.faults[0].starts_with("its prefix does not say"), "{line}");
    }
}

#[test]
fn what_tells_of_no_connection_is_counted_under_its_reason() {
    let lines = [
        dated("usb 1-1: new device"),
        dated(UNREACHABLE),
        dated(&SCTP.replace("10.9.0.", "fe80::").replace("PROTO=132", "PROTO=ICMPv6 TYPE=136 CODE=0")),
        dated(SCTP),
        dated(&UDP.replace("SPT=35626 DPT=53 LEN=14 ", "FRAG:185 ")),
        dated(&SYN.replace("10.9.0.1", "10.9.0")),
        dated(&SYN.replace("PROTO=TCP", "PROTO=?")),
        dated(&SYN.replace("SPT=59482", "SPT=70000")),
        "{\"MESSAGE\":[1,2],\"__REALTIME_TIMESTAMP\":\"1\"}\n".to_owned(),
        "{\"MESSAGE\n".to_owned(),
        "-- Boot 0123 --\n".to_owned(),
        "\n".to_owned(),
    ];
    let seen = read(&lines.concat());
    assert!(seen.rows.is_empty());
    let expected = [
        "no flow",
        "ICMP unreachable: it answers another flow",
        "neighbour discovery, no flow",
        "its ports are not named",
        "its ports are not named",
        "source address `10.9.0` is not an address",
        "protocol `?` is not one that the kernel names",
        "source port `70000` is not a port",
        "no flow",
        "not JSON",
        "no flow",
    ];
    assert_eq!(seen.faults, expected);
}

#[test]
fn an_echo_that_was_dropped_has_its_client() {
    let ping = |kind: u8| dated(&SCTP.replace("PROTO=132", &format!("PROTO=ICMP TYPE={kind} CODE=0 ID=7 SEQ=1")));
    for (kind, expected) in [(8, "ICMP 10.9.0.1 > 10.9.0.2 0"), (0, "ICMP 10.9.0.2 > 10.9.0.1 0")] {
        let seen = read(&ping(kind));
        assert_eq!((seen.rows[0].0.as_str(), seen.rows[0].1), (expected, Opening::Seen));
    }
}
