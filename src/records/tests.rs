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
        Line::Damaged { line, fault } => panic!("line {line}: {fault}"),
    };
    lines(text.as_bytes()).into_iter().map(flow).collect()
}

fn faults(text: &[u8]) -> Vec<(u64, String)> {
    let fault = |line| match line {
        Line::Damaged { line, fault } => Some((line, fault.to_string())),
        Line::Flow(_) => None,
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
        (9, "time first seen `yesterday` is not a time in RFC 3339 after 1977"),
        (10, "outcome `open` is not an outcome as `flowmap flows` names them"),
        (11, "not UTF-8"),
        (12, "longer than 65536 bytes"),
    ];
    assert_eq!(faults(&text), expected.map(|(line, why)| (line, why.to_owned())));
    assert_eq!(lines(&text).len(), expected.len() + 2);
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
