use proptest::prelude::*;

use super::*;
use crate::model::{Flags, Hour, Lump, Observation, Opening, Outcome, Protocol, Timestamp};

fn lines(text: &[u8]) -> Vec<Line> {
    assert_eq!(Format::of(text), Some(Format::Csv));
    let mut reader = Reader::new(Format::Csv, text).unwrap();
    std::iter::from_fn(|| reader.next_line().unwrap()).collect()
}

fn flows(text: &str) -> Vec<FlowRecord> {
    let flow = |line| match line {
        Line::Flow(record) => record,
        other => panic!("{other:?}"),
    };
    lines(text.as_bytes()).into_iter().map(flow).collect()
}

fn faults(text: &[u8]) -> Vec<(u64, String)> {
    let fault = |line| match line {
        Line::NotUsed { line, fault } => Some((line, fault.to_string())),
        _ => None,
    };
    lines(text).into_iter().filter_map(fault).collect()
}

fn digest(text: &str) -> u64 {
    let mut reader = Reader::new(Format::Csv, text.as_bytes()).unwrap();
    while reader.next_line().unwrap().is_some() {}
    reader.digest()
}

#[test]
fn both_sets_of_names_and_any_order_of_columns_say_the_same() {
    let one = flows("client,server,protocol,port\n10.0.0.1,10.0.0.2,TCP,443\n");
    let other = flows("Dst_Port , note, PROTO,\"dst_ip\",src_ip\n443,\"a, b\",6,10.0.0.2,::ffff:10.0.0.1\r\n");
    assert_eq!(one, other);
    assert_eq!((one[0].protocol, one[0].port, one[0].connections), (Protocol::TCP, 443, 1));
}

#[test]
fn a_log_of_each_way_tells_who_sent_and_not_who_opened() {
    let header = "src_ip,dst_ip,proto,src_port,dst_port,bytes,action\n";
    let opening = |row: &str| flows(&format!("{header}{row}\n"))[0].detail.as_ref().map(|detail| detail.opening);
    for row in [
        "10.0.0.1,10.0.0.2,tcp,51234,443,80,",
        "10.0.0.2,10.0.0.1,tcp,443,51234,900,ACCEPT",
        "10.0.0.1,10.0.0.2,tcp,51234,40100,7,REJECT",
        "10.0.0.1,10.0.0.2,icmp,0,0,7,",
        "10.0.0.1,10.0.0.2,47,,,7,",
    ] {
        assert_eq!(opening(row), Some(Opening::Unseen), "{row}");
    }
    // without the source's port nothing could lay the ways together
    assert_eq!(opening("10.0.0.1,10.0.0.2,tcp,,443,80,"), None);
    let named = flows("client,server,proto,src_port,port\n10.0.0.2,10.0.0.1,tcp,443,51234\n");
    assert_eq!((named[0].port, &named[0].detail), (51_234, &None), "who names a client has decided");
}

#[test]
fn a_record_of_no_connection_is_none_and_protocols_have_more_than_one_name() {
    let text = b"client,server,protocol,port,connections\n10.0.0.1,10.0.0.2,tcp,80,0\n";
    let why = "connections `0` is not a whole number from 1 to below 2^36";
    assert_eq!(faults(text), [(2, why.to_owned())]);
    let icmp = flows("client,server,protocol,port\nfd00::1,fd00::2,ipv6-icmp,\n");
    assert_eq!(icmp[0].protocol, Protocol::ICMPV6);
}

#[test]
fn comments_empty_lines_and_the_mark_of_utf_8_are_passed_over() {
    let text = "\u{feff}# from the collector\n\nclient,server,proto,port\n# one\n\n10.0.0.1,10.0.0.2,udp,53\n";
    assert_eq!(flows(text).len(), 1);
}

#[test]
fn a_header_without_a_column_that_every_record_needs_says_which() {
    let error = |text: &str| Reader::new(Format::Csv, text.as_bytes()).map(|_| ()).unwrap_err().to_string();
    assert_eq!(error("src_ip,dst_ip,proto\n"), "no column for the port: its header names none of port, dst_port");
    assert_eq!(error("src_ip,client,dst_ip,proto,port\n"), "two columns for the client");
}

/// Gives a little each second time it is asked, and is interrupted in between.
struct Interrupted<'t>(&'t [u8], bool);

impl std::io::Read for Interrupted<'_> {
    fn read(&mut self, room: &mut [u8]) -> std::io::Result<usize> {
        self.1 = !self.1;
        let end = room.len().min(4_096);
        if self.1 {
            Err(std::io::ErrorKind::Interrupted.into())
        } else {
            std::io::Read::read(&mut self.0, &mut room[..end])
        }
    }
}

#[test]
fn an_interruption_ends_no_reading_also_in_a_line_that_is_too_long() {
    let long = "9".repeat(200_000);
    let text = format!("client,server,proto,port\n{long}\n10.0.0.1,10.0.0.2,udp,53\n");
    let mut reader = Reader::new(Format::Csv, Interrupted(text.as_bytes(), false)).unwrap();
    let lines: Vec<Line> = std::iter::from_fn(|| reader.next_line().unwrap()).collect();
    assert!(matches!(&lines[..], [Line::NotUsed { line: 2, .. }, Line::Flow(_)]), "{lines:?}");
}

#[test]
fn what_is_no_header_of_flows_is_no_flow_log() {
    for text in
        ["", "address,name\n10.0.0.1,a\n", "client\n", "port,protocol\n80,tcp\n", "\u{0}\u{0}", "{\"client\": 1}"]
    {
        assert_eq!(Format::of(text.as_bytes()), None, "{text}");
    }
}

#[test]
fn a_damaged_record_is_told_by_its_line_and_the_next_one_is_read() {
    let mut text = b"client,server,protocol,port,hours,first_seen,last_seen,outcome\n".to_vec();
    text.extend_from_slice(b"10.0.0.1,10.0.0.2,tcp,80\n10.0.0.300,10.0.0.2,tcp,80\n10.0.0.1,,tcp,80\n");
    text.extend_from_slice(b"10.0.0.1,10.0.0.2,tcp,70000\n10.0.0.1,10.0.0.2,tcp\n10.0.0.1,10.0.0.2,tcp,80,many\n");
    text.extend_from_slice(b"10.0.0.1,10.0.0.2,tcp,80,,2026-01-02T00:00:00Z,2026-01-01T00:00:00Z\n");
    text.extend_from_slice(b"10.0.0.1,10.0.0.2,tcp,80,,yesterday\n10.0.0.1,10.0.0.2,tcp,80,,,,open\n\xff,,,\n");
    text.extend_from_slice(&vec![b'x'; line::MAX_BYTES + 9]);
    text.extend_from_slice(b"\n10.0.0.1,10.0.0.2,tcp,81\n");
    let expected = [
        (3, "client `10.0.0.300` is not an address"),
        (4, "no server"),
        (5, "port `70000` is not a port from 0 to 65535"),
        (6, "no port"),
        (7, "hours `many` is not a whole number"),
        (8, "last seen before it was first seen"),
        (9, "time first seen `yesterday` is not a time in RFC 3339 with its zone (2026-09-21T10:00:00Z) after 1977"),
        (10, "outcome `open` is not an outcome as `flowmap flows` names them"),
        (11, "not UTF-8"),
        (12, "longer than 65536 bytes"),
    ];
    assert_eq!(faults(&text), expected.map(|(line, why)| (line, why.to_owned())));
    assert_eq!(lines(&text).len(), expected.len() + 2);
}

/// What comes of the last line of a file that ends so: used, used with a note, or the fault.
fn last(columns: &str, line: &str) -> String {
    let text = format!("client,server,protocol,{columns}\n10.0.0.1,10.0.0.2,tcp,80,1\n10.0.0.1,10.0.0.2,{line}");
    let mut reader = Reader::new(Format::Csv, text.as_bytes()).unwrap();
    match std::iter::from_fn(|| reader.next_line().unwrap()).last().unwrap() {
        Line::Flow(_) if reader.notes().is_empty() => "whole".into(),
        Line::Flow(_) => "open".into(),
        Line::NotUsed { line, fault } => format!("line {line}: {fault}"),
        Line::Packet { .. } => panic!("no packet"),
    }
}

#[test]
fn a_last_line_without_its_end_is_used_where_it_may_be_whole_and_told_where_it_may_be_a_part() {
    let cut = "line 3: cut short: the file ends in it, before all columns of the header";
    let cases = [
        ("port", "tcp,5432\n", "whole"),
        ("port", "tcp,5432", "open"),
        ("port", "tcp,54", "open"),
        ("port", "tcp,\"5432\"", "whole"),
        ("port", "tcp,\"54", cut),
        ("port,packets", "tcp,54", cut),
        ("port,packets", "tcp,54\n", "whole"),
        ("port,packets", "tcp,5432,", "whole"),
        ("port,packets", "tcp,5432,1", "open"),
        ("port,note", "tcp,5432,from the fire", "whole"),
        ("port,last_seen", "tcp,5432,2026-09-21T10:00:01Z", "whole"),
        (
            "port,last_seen",
            "tcp,5432,2026-09-21T10:00",
            "line 3: time last seen `2026-09-21T10:00` is not a time in RFC 3339 with its zone (2026-09-21T10:00:00Z) after 1977",
        ),
        // the packets would be taken for unknown
        ("port,note,packets", "tcp,5432,\"x,1\n", "line 3: in a quote that is not closed"),
        ("port,outcome", "tcp,5432,established", "whole"),
        ("port,outcome", "tcp,5432,establ", "line 3: outcome `establ` is not an outcome as `flowmap flows` names them"),
        ("port", "tcp,", "line 3: no port"),
    ];
    for (columns, line, expected) in cases {
        assert_eq!(last(columns, line), expected, "{columns}: {line}");
    }
    // what is the same record is the same log
    let head = "client,server,protocol,port,packets\n";
    let digests = |line: &str| [line.to_owned(), format!("{line}\n")].map(|line| digest(&format!("{head}{line}")));
    let [open, ended] = digests("10.0.0.1,10.0.0.2,tcp,80,9");
    assert_eq!(open, ended);
    let [cut, ended] = digests("10.0.0.1,10.0.0.2,tcp,80");
    assert_ne!(cut, ended);
}

#[test]
fn logs_in_forms_that_are_not_read_are_known_for_what_they_are() {
    let csv = "client,server,protocol,port\n10.0.0.1,10.0.0.2,tcp,80\n";
    let utf16 = |text: &str, swap: bool| -> Vec<u8> {
        text.encode_utf16().flat_map(|it| if swap { it.to_be_bytes() } else { it.to_le_bytes() }).collect()
    };
    let cases: [(Vec<u8>, Foreign); 10] = [
        (csv.replace('\n', "\r").into(), Foreign::CarriageReturns),
        (csv.replace(',', ";").into(), Foreign::Semicolons),
        (csv.replace(',', ";").replace('\n', "\r").into(), Foreign::Semicolons),
        (csv.replace(',', "\t").into(), Foreign::Tabs),
        (utf16(csv, false), Foreign::Utf16),
        (utf16(csv, true), Foreign::Utf16),
        (utf16(&format!("\u{feff}{csv}"), false), Foreign::Utf16),
        (utf16(&format!("\u{feff}{csv}"), true), Foreign::Utf16),
        (b"[\n  {\"ts\":1,\"id.orig_h\":\"10.0.0.1\"}]".into(), Foreign::JsonArray("Zeek")),
        (b"\xef\xbb\xbf[{\"flow\":{}}]".into(), Foreign::JsonArray("Hubble")),
    ];
    for (text, foreign) in cases {
        assert_eq!((Format::of(&text), Foreign::of(&text)), (None, Some(foreign)), "{text:?}");
    }
    // captures, inventories and other text are not
    for text in
        [&b"\xd4\xc3\xb2\xa1\x02\0\x04\0"[..], b"\n\r\r\n\x1c\0\0\0", b"[{\"kind\":\"Pod\"}]", b"a;b\n1;2\n", b""]
    {
        assert_eq!(Foreign::of(text), None, "{text:?}");
    }
}

#[test]
fn a_record_with_times_lies_in_its_first_and_last_hour() {
    let text = "client,server,protocol,port,packets,bytes,connections,first_seen,last_seen\n\
                10.0.0.1,10.0.0.2,tcp,443,90,5000,7,2026-09-21T10:00:01.5Z,2026-09-21T15:59:58Z\n";
    let [first, last] = &flows(text)[0].observations()[..] else { panic!("two rows") };
    let ends = |it: &Observation| it.traces.iter().map(|trace| (it.span(trace).first, it.span(trace).last)).next();
    let begin = Timestamp::parse("2026-09-21T10:00:01.5Z").unwrap();
    assert_eq!(ends(first), Some((begin, begin)));
    assert_eq!(ends(last).unwrap().1, Timestamp::parse("2026-09-21T15:59:58Z").unwrap());
    let trace = first.traces.iter().next().unwrap();
    assert_eq!((trace.from_src.fullest(), trace.lump.connections), ((90, 5000), 7));
    assert!(last.traces.iter().all(|trace| trace.from_src.is_empty()));
}

#[test]
fn a_record_that_counts_hours_without_naming_them_lies_in_an_hour_that_names_no_time() {
    let record = &flows("src_ip,dst_ip,proto,dst_port,packets,hours\n10.0.0.1,10.0.0.2,tcp,1,0,70\n")[0];
    let [row] = &record.observations()[..] else { panic!("one row") };
    let trace = row.traces.iter().next().unwrap();
    assert!(!row.key.hour.is_named() && row.key.hour == Hour(0));
    assert_eq!((row.key.opening, trace.lump), (Opening::Seen, Lump { connections: 1, hours: 70 }));
    assert_eq!(trace.from_src.fullest(), (0, 0));
    assert!(!trace.flags.has(Flags::PAYLOAD) && trace.flags.has(Flags::AGREED));
}

#[test]
fn a_protocol_without_ports_needs_none() {
    let record = &flows("client,server,protocol,port,outcome\n10.0.0.1,10.0.0.2,icmp,,oneway\n")[0];
    assert_eq!((record.protocol, record.port, record.outcome), (Protocol::ICMP, 0, Some(Outcome::Oneway)));
}

#[test]
fn line_ends_do_not_make_another_log_and_records_do() {
    let text = "client,server,protocol,port\n10.0.0.1,10.0.0.2,tcp,80\n";
    assert_eq!(digest(text), digest(&text.replace('\n', "\r\n")));
    assert_eq!(digest(text), digest(text.trim_end()));
    assert_ne!(digest(text), digest(&text.replace("80", "81")));
}

/// A log of each format.
fn samples() -> [(Format, Vec<u8>); 5] {
    let tsv = "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n#fields\tts\tuid\tid.orig_h\t\
               id.orig_p\tid.resp_h\tid.resp_p\tproto\tduration\tconn_state\thistory\torig_pkts\tvlan\n\
               1789984801.25\tC1\t10.0.0.1\t40000\t10.0.0.9\t5432\ttcp\t1.5\tSF\tShADadFf\t3\t-\n\
               1789984802.25\tC2\tfd00::1\t40000\tfd00::9\t53\tudp\t-\tS0\tD\t1\t20\n#close\t2026\n";
    let zeek = "{\"ts\":1789984801.25,\"uid\":\"C1\",\"id.orig_h\":\"10.0.0.1\",\"id.orig_p\":4,\"id.resp_h\":\"10.0.0.9\",\
                \"id.resp_p\":5,\"proto\":\"tcp\",\"conn_state\":\"SF\",\"history\":\"^hA\",\"tunnel_parents\":[\"C\"]}\n";
    let hubble = "{\"flow\":{\"time\":\"2026-09-21T10:00:01.25Z\",\"verdict\":\"DROPPED\",\"IP\":{\"source\":\"10.0.0.1\",\
                  \"destination\":\"10.0.0.2\"},\"l4\":{\"TCP\":{\"source_port\":4,\"destination_port\":5,\"flags\":{\"SYN\":true}}},\
                  \"is_reply\":false,\"drop_reason_desc\":\"POLICY_DENIED\"},\"node_name\":\"n\"}\n\
                  {\"lost_events\":{\"num_events_lost\":\"3\"}}\n";
    let csv = "client,server,protocol,port,packets,outcome\n10.0.0.1,10.0.0.2,tcp,80,4,refused\n";
    let netfilter = "2026-09-21T10:00:01+0000 node-1 kernel: DROP IN=eth0 OUT= MAC= SRC=10.0.0.1 DST=10.0.0.9 LEN=60 TTL=64 PROTO=TCP \
                     SPT=4 DPT=5 WINDOW=64240 RES=0x00 SYN URGP=0\n{\"MESSAGE\":\"DROP IN=a OUT= SRC=::1 DST=::2 PROTO=ICMPv6 TYPE=128\",\
                     \"__REALTIME_TIMESTAMP\":\"1789984801000000\"}\n<4>1 2026-09-21T10:00:01Z n kernel - - - eth0: link is up\n";
    let texts = [tsv, zeek, hubble, csv, netfilter].map(|text| text.as_bytes().to_vec());
    let [tsv, zeek, hubble, csv, netfilter] = texts;
    [
        (Format::ZeekTsv, tsv),
        (Format::ZeekJson, zeek.repeat(2)),
        (Format::Hubble, hubble),
        (Format::Csv, csv),
        (Format::Netfilter, netfilter),
    ]
}

/// Lines that are no headers: those that must be counted.
fn records_of(format: Format, text: &[u8]) -> usize {
    let is_full = |line: &&[u8]| !line::trimmed(line).is_empty();
    let full = text.split(|byte| *byte == b'\n').filter(is_full);
    match format {
        Format::ZeekTsv => {
            full.filter(|line| !line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line).starts_with(b"#")).count()
        }
        Format::Csv => full.filter(|line| !line::trimmed(line).starts_with(b"#")).count().saturating_sub(1),
        Format::ZeekJson | Format::Hubble | Format::Netfilter => full.count(),
    }
}

/// Reads to the end: how many lines were told, and how many observations came of it.
fn read_all(format: Format, text: &[u8]) -> Option<(usize, usize)> {
    let mut reader = Reader::new(format, text).ok()?;
    let (mut told, mut observed) = (0, 0);
    while let Some(line) = reader.next_line().unwrap() {
        told += 1;
        if let Line::Flow(record) = line {
            observed += record.observations().len();
        }
        observed += reader.observations().len();
    }
    Some((told, observed + reader.end().len()))
}

#[test]
fn each_format_is_told_by_its_first_bytes() {
    for (format, text) in samples() {
        assert_eq!(Format::of(&text), Some(format));
        assert_eq!(Format::of(&[b"\xef\xbb\xbf\r\n", &text[..]].concat()), Some(format), "{format:?}");
        assert_ne!(read_all(format, &text).unwrap().1, 0);
    }
    let spaced = "{ \"_path\": \"conn\", \"id.orig_h\": \"::1\" }";
    assert_eq!(Format::of(spaced.as_bytes()), Some(Format::ZeekJson));
    for other in [
        "{\n  \"apiVersion\": \"v1\"\n}",
        "{\"apiVersion\":\"v1\",\"kind\":\"List\",\"items\":[]}",
        "[{\"flow\":{}}]",
        "# a comment\n",
        "#fields of corn\n",
    ] {
        assert_eq!(Format::of(other.as_bytes()), None, "{other}");
    }
}

/// A change of a text: what goes where.
fn any_change() -> impl Strategy<Value = (prop::sample::Index, usize, Vec<u8>)> {
    let bytes = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..6),
        prop::sample::select(vec![
            &b"\n"[..],
            b"\t",
            b"-",
            b"\"",
            b"{",
            b"}",
            b"[",
            b"#",
            b"9",
            b"null",
            b"#fields\t",
            b"\\x",
            b"e9"
        ])
        .prop_map(<[u8]>::to_vec),
    ];
    (any::<prop::sample::Index>(), 0usize..9, bytes)
}

proptest! {
    #[test]
    fn every_line_of_a_damaged_log_is_used_or_counted(
        which in 0usize..5, changes in prop::collection::vec(any_change(), 0..12),
    ) {
        let (format, mut text) = samples()[which].clone();
        for (place, removed, bytes) in changes {
            let at = place.index(text.len() + 1);
            let end = (at + removed).min(text.len());
            text.splice(at..end, bytes);
        }
        if let Some((told, _)) = read_all(format, &text) {
            // the header of a CSV may have become a comment or another line
            prop_assert!(told == records_of(format, &text) || format == Format::Csv);
        }
        if let Some(format) = Format::of(&text) {
            read_all(format, &text);
        }
    }

    #[test]
    fn no_bytes_break_a_reader(text in prop::collection::vec(any::<u8>(), 0..400), which in 0usize..5) {
        read_all(samples()[which].0, &text);
        let _ = Format::of(&text);
    }
}

#[test]
fn what_a_firewall_turned_away_was_refused() {
    let outcome = |header: &str, word: &str| {
        let text = format!("client,server,protocol,port,{header}\n10.0.0.1,10.0.0.9,tcp,5432,{word}\n");
        let mut reader = Reader::new(Format::Csv, text.as_bytes()).unwrap();
        match reader.next_line().unwrap().unwrap() {
            Line::Flow(record) => Ok(record.outcome),
            Line::NotUsed { fault, .. } => Err(fault.to_string()),
            Line::Packet { .. } => panic!("{text}"),
        }
    };
    for word in ["REJECT", "Rejected", "deny", "DENIED", "drop", "DROPPED", "blocks", "blocked"] {
        assert_eq!(outcome("action", word), Ok(Some(crate::model::Outcome::Refused)), "{word}");
        assert_eq!(outcome("Verdict", word), Ok(Some(crate::model::Outcome::Refused)), "{word}");
    }
    for word in ["ACCEPT", "allowed", "pass", "permitted", "FORWARDED", "closed", "timeout", "server-rst", "-", ""] {
        assert_eq!(outcome("action", word), Ok(None), "{word}");
    }
    for word in ["AUDIT", "REJ", "acceptance", "no"] {
        assert!(outcome("action", word).unwrap_err().contains("action"), "{word}");
    }
    // of how a session ended no more than that, but for one that never was one
    let ended = |packets: &str, word: &str| outcome("packets,action", &format!("{packets},{word}"));
    assert_eq!(ended("2", "server-rst"), Ok(Some(crate::model::Outcome::Refused)));
    assert_eq!(ended("1", "timeout"), Ok(Some(crate::model::Outcome::Unanswered)));
    assert_eq!([ended("9", "server-rst"), ended("9", "timeout")], [Ok(None), Ok(None)]);
    // the outcome says more
    assert_eq!(outcome("outcome,action", "unanswered,DROP"), Ok(Some(crate::model::Outcome::Unanswered)));
}
