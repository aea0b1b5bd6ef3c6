use super::{
    super::{Detail, Format, Reader},
    *,
};
use crate::model::{Flags, Opening, Protocol, Timestamp};

const HEADER: &str = "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n\
    #open\t2026-09-21-10-00-00\n#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tduration\
    \tconn_state\thistory\torig_pkts\torig_ip_bytes\tresp_pkts\tresp_ip_bytes\ttunnel_parents\n";

fn lines(text: &[u8]) -> Vec<Line> {
    let format = Format::of(text).expect("a flow log");
    assert!(matches!(format, Format::ZeekTsv | Format::ZeekJson), "{format:?}");
    let mut reader = Reader::new(format, text).unwrap();
    std::iter::from_fn(|| reader.next_line().unwrap()).collect()
}

fn only(text: &str) -> FlowRecord {
    let [Line::Flow(record)] = &lines(text.as_bytes())[..] else { panic!("{:?}", lines(text.as_bytes())) };
    record.clone()
}

fn faults(text: &[u8]) -> Vec<(u64, String)> {
    let fault = |line| match line {
        Line::NotUsed { line, fault } => Some((line, fault.to_string())),
        _ => None,
    };
    lines(text).into_iter().filter_map(fault).collect()
}

/// A row of TCP from 10.0.0.1:40000 to 10.0.0.9:5432.
fn stream(state: &str, history: &str) -> String {
    format!(
        "{HEADER}1789984801.250000\tC1\t10.0.0.1\t40000\t10.0.0.9\t5432\ttcp\t-\t{state}\t{history}\t3\t180\t2\t96\t-\n"
    )
}

fn flags(bits: &[Flags]) -> Flags {
    bits.iter().fold(Flags::default(), |mut all, bit| {
        all.add(*bit);
        all
    })
}

fn detail(record: &FlowRecord) -> &Detail {
    record.detail.as_ref().expect("details")
}

#[test]
fn columns_are_found_by_their_names_and_json_says_the_same() {
    let record = only(&stream("SF", "ShADadFf"));
    assert_eq!((record.client.to_string(), record.server.to_string()), ("10.0.0.1".into(), "10.0.0.9".into()));
    assert_eq!((record.protocol, record.port, detail(&record).client_port), (Protocol::TCP, 5432, 40000));
    assert_eq!((record.packets, record.bytes_to_server, record.bytes_to_client), (Some(5), 180, 96));
    assert_eq!(detail(&record).packets_to_client, 2);
    assert_eq!(record.span.unwrap().first, Timestamp::parse("2026-09-21T10:00:01.25Z").unwrap());
    let other_order = "#separator |\n#unset_field|~\n#path|conn\n#fields|resp_ip_bytes|resp_pkts|orig_ip_bytes|orig_pkts|\
        history|conn_state|note|proto|id.resp_p|id.resp_h|id.orig_p|id.orig_h|uid|ts|duration\n\
        96|2|180|3|ShADadFf|SF|a, b|tcp|5432|10.0.0.9|40000|::ffff:10.0.0.1|C1|1789984801.25|~\n";
    assert_eq!(only(other_order), record);
    for ts in ["1789984801.25", "1789984801250", "\"2026-09-21T10:00:01.250000Z\""] {
        let json = format!(
            "{{\"_path\":\"conn\",\"_write_ts\":\"2026-09-21T10:05:00Z\",\"ts\":{ts},\"uid\":\"C1\",\
            \"id.orig_h\":\"10.0.0.1\",\"id.orig_p\":40000,\"id.resp_h\":\"10.0.0.9\",\"id.resp_p\":5432,\"proto\":\"tcp\",\
            \"conn_state\":\"SF\",\"history\":\"ShADadFf\",\"orig_pkts\":3,\"orig_ip_bytes\":180,\"resp_pkts\":2,\
            \"resp_ip_bytes\":96,\"tunnel_parents\":[],\"local_orig\":true}}"
        );
        assert_eq!(only(&json), record, "{ts}");
        let nested =
            json.replace("\"id.orig_h\":", "\"id\":{\"orig_h\":").replace("id.", "").replace("5432,", "5432},");
        assert_eq!(only(&nested), record);
    }
}

#[test]
fn the_history_tells_who_opened_and_what_became_of_it() {
    use Flags as F;
    let cases: [(&str, &str, bool, &[Flags]); 20] = [
        ("SF", "ShADadFf", true, &[F::ASKED, F::AGREED, F::FROM_SRC, F::FROM_DST, F::PAYLOAD, F::CLOSED]),
        ("S0", "S", true, &[F::ASKED]),
        ("REJ", "Sr", true, &[F::ASKED, F::REFUSED]),
        ("RSTOS0", "SR", true, &[F::ASKED, F::FROM_SRC, F::CLOSED]),
        ("SH", "SF", true, &[F::ASKED, F::FROM_SRC, F::CLOSED]),
        ("RSTR", "ShADr", true, &[F::ASKED, F::AGREED, F::FROM_SRC, F::FROM_DST, F::PAYLOAD, F::CLOSED]),
        // the SYN-ACK came first, and Zeek has turned the ends
        ("SHR", "^hf", true, &[F::AGREED, F::FROM_DST, F::CLOSED]),
        // a SYN with another flag opens nothing more
        ("S0", "SQ", true, &[F::ASKED]),
        // scans without a SYN: answered, and not; and refusals alone
        ("RSTR", "Fr", false, &[F::REFUSED, F::FROM_SRC, F::SRC_FIRST]),
        ("RSTRH", "Ar", false, &[F::REFUSED, F::FROM_SRC, F::SRC_FIRST]),
        ("RSTRH", "r", false, &[F::REFUSED, F::SRC_FIRST]),
        ("RSTOS0", "R", false, &[F::REFUSED]),
        ("RSTR", "Qr", false, &[F::REFUSED, F::SRC_FIRST]),
        ("SH", "F", false, &[F::ASKED]),
        // the ends of streams that carried something
        ("RSTR", "AdAr", false, &[F::FROM_SRC, F::FROM_DST, F::PAYLOAD, F::CLOSED]),
        ("RSTR", "Dr", false, &[F::FROM_SRC, F::FROM_DST, F::PAYLOAD, F::CLOSED]),
        ("OTH", "DadA", false, &[F::FROM_SRC, F::FROM_DST, F::PAYLOAD]),
        // turned by a port alone
        ("OTH", "^da", false, &[F::FROM_DST, F::PAYLOAD]),
        // both opened
        ("SF", "SsHhAa", false, &[F::FROM_SRC, F::FROM_DST]),
        // gaps and bad checksums are not what anybody sent
        ("OTH", "CcGgA", false, &[F::FROM_SRC]),
    ];
    for (state, history, is_known, bits) in cases {
        let record = only(&stream(state, history));
        let mut expected = flags(bits);
        if expected.has(F::ASKED) {
            expected.add(F::SRC_FIRST);
        }
        assert_eq!(detail(&record).flags, expected, "{history}");
        assert_eq!(detail(&record).opening == Opening::Seen, is_known, "{history}");
    }
}

#[test]
fn a_responder_that_opened_is_the_client() {
    let record = only(&stream("OTH", "sHaAd"));
    assert_eq!((record.client.to_string(), record.port), ("10.0.0.9".into(), 40000));
    assert_eq!((detail(&record).client_port, detail(&record).packets_to_client), (5432, 3));
    assert_eq!((record.bytes_to_server, record.bytes_to_client), (96, 180));
}

#[test]
fn the_state_decides_where_there_is_no_history() {
    let known = |state: &str| detail(&only(&stream(state, "-"))).clone();
    assert!(known("SF").flags.has(Flags::AGREED) && known("RSTR").flags.has(Flags::AGREED));
    assert!(known("REJ").flags.has(Flags::REFUSED) && !known("S0").flags.has(Flags::AGREED));
    assert_eq!((known("OTH").opening, known("SHR").opening), (Opening::Unseen, Opening::Seen));
    assert_eq!(known("OTH").flags, flags(&[Flags::FROM_SRC, Flags::FROM_DST]));
}

fn datagrams(proto: &str, ports: (u16, u16), history: &str, packets: (u64, u64)) -> String {
    let (orig, resp) = packets;
    format!(
        "{HEADER}1789984801\tC1\t10.0.0.1\t{}\t10.0.0.9\t{}\t{proto}\t-\tOTH\t{history}\t{orig}\t1\t{resp}\t1\t-\n",
        ports.0, ports.1
    )
}

#[test]
fn of_datagrams_it_is_open_who_asked_and_only_known_who_was_first() {
    let told = |history, packets| detail(&only(&datagrams("udp", (5353, 53), history, packets))).flags;
    assert_eq!(told("Dd", (1, 1)), flags(&[Flags::FROM_SRC, Flags::FROM_DST, Flags::PAYLOAD, Flags::SRC_FIRST]));
    assert_eq!(told("D", (2, 0)), flags(&[Flags::FROM_SRC, Flags::PAYLOAD, Flags::SRC_FIRST]));
    assert_eq!(told("^dD", (1, 1)), flags(&[Flags::FROM_SRC, Flags::FROM_DST, Flags::PAYLOAD]));
    assert_eq!(detail(&only(&datagrams("udp", (5353, 53), "D", (1, 0)))).opening, Opening::Unseen);
}

#[test]
fn an_answer_of_icmp_alone_names_who_asked() {
    let told = |ports| {
        let record = only(&datagrams("icmp", ports, "-", (1, 0)));
        let sent = (record.packets, detail(&record).packets_to_client);
        (record.client.to_string(), detail(&record).flags, sent)
    };
    let (asker, _, _) = told((8, 0));
    let (client, answered, sent) = told((0, 8));
    assert_ne!(client, asker, "Zeek's originator answers");
    assert_eq!((answered, sent), (flags(&[Flags::FROM_DST, Flags::SRC_FIRST, Flags::PAYLOAD]), (Some(1), 1)));
    let (_, told, _) = told((11, 0));
    assert!(told.has(Flags::UNTOLD) && told.has(Flags::FROM_SRC));
}

#[test]
fn type_and_code_of_icmp_are_no_ports_and_an_error_is_no_flow() {
    let record = only(&datagrams("icmp", (8, 0), "-", (2, 2)));
    assert_eq!((record.protocol, record.port, detail(&record).client_port), (Protocol::ICMP, 0, 0));
    assert_eq!(
        faults(datagrams("icmp", (3, 1), "-", (1, 0)).as_bytes())[0].1,
        "ICMP unreachable: it answers another flow"
    );
    let neighbours = datagrams("icmp", (135, 136), "-", (1, 1)).replace("10.0.0.", "fe80::");
    assert_eq!(faults(neighbours.as_bytes())[0].1, "neighbour discovery, no flow");
    let v6 = datagrams("icmp", (128, 129), "-", (1, 1)).replace("10.0.0.", "fd00::");
    assert_eq!(only(&v6).protocol, Protocol::ICMPV6);
}

#[test]
fn vlans_and_tunnels_go_with_the_connection() {
    let json = |more: &str| {
        format!(
            "{{\"ts\":1789984801,\"uid\":\"C\",\"id.orig_h\":\"10.0.0.1\",\"id.orig_p\":1,\"id.resp_h\":\"10.0.0.2\",\
            \"id.resp_p\":2,\"proto\":\"tcp\",\"conn_state\":\"SF\"{more}}}"
        )
    };
    let record = only(&json(",\"vlan\":100,\"inner_vlan\":20,\"tunnel_parents\":[\"Cx\"]"));
    assert_eq!((detail(&record).vlans.to_string(), &detail(&record).tunnels[..]), ("100.20".to_owned(), "unknown"));
    assert!(detail(&only(&json(""))).vlans.is_empty());
    let record = only(&json(",\"vlan\":0,\"inner_vlan\":20"));
    assert_eq!(detail(&record).vlans.to_string(), "0.20");
    assert_eq!(faults(json(",\"vlan\":4096").as_bytes())[0].1, "vlan `4096` is not a VLAN from 0 to 4095");
}

#[test]
fn several_logs_in_one_file_each_go_by_their_own_headers() {
    let one = stream("SF", "ShAa");
    let other = "#separator \\x2c\n#path,dns\n#fields,ts,uid,id.orig_h,id.orig_p,id.resp_h,id.resp_p,proto\n\
        1789984801,C,10.0.0.1,1,10.0.0.2,53,udp\n";
    let text = format!("{one}#close\t2026-09-21\n{other}{}", one.replace("\tC1\t", "\tC2\t"));
    assert_eq!(lines(text.as_bytes()).len(), 3);
    assert_eq!(faults(text.as_bytes()), [(13, "of another log than conn".to_owned())]);
}

#[test]
fn a_damaged_line_is_told_and_the_next_one_is_read() {
    let good = stream("SF", "ShAa");
    let row = good.lines().last().unwrap();
    let mut text = format!("{HEADER}{row}\n{}\n", &row[..40]).into_bytes();
    for (from, to) in [
        ("1789984801.250000", "soon"),
        ("1789984801.250000", "-"),
        ("10.0.0.9", "nobody"),
        ("5432", "70000"),
        ("tcp\t-", "tcp\t-1.5"),
        ("tcp\t-", "tcp\t9999999999"),
        ("\ttcp\t", "\tunknown_transport\t"),
        ("\tShAa\t", "\tC\t"),
        ("\t180\t", "\tmany\t"),
    ] {
        text.extend_from_slice(row.replacen(from, to, 1).as_bytes());
        text.push(b'\n');
    }
    text.extend_from_slice(b"\xff\n");
    text.extend_from_slice(row.as_bytes());
    let told: Vec<String> = faults(&text).into_iter().map(|(_, why)| why).collect();
    assert_eq!(
        told,
        [
            "not as many fields as #fields names",
            "ts `soon` is not a time after 1977",
            "no ts",
            "id.resp_h `nobody` is not an address",
            "id.resp_p `70000` is not a port from 0 to 65535",
            "last seen before it was first seen",
            "it ends later than any time",
            "its protocol is not named",
            "a connection of which no packet was seen whole",
            "orig_ip_bytes `many` is not a count",
            "not as many fields as #fields names",
        ]
    );
    assert_eq!(lines(&text).len(), told.len() + 2);
    assert_eq!(faults(b"#separator \\x09\n1\t2\n"), [(2, "no #fields before it".to_owned())]);
    let json = "{\"_path\":\"conn\",\"id.orig_h\":\n[1]\n{\"_path\":\"dns\",\"id.orig_h\":\"10.0.0.1\"}\n";
    let told: Vec<String> = faults(json.as_bytes()).into_iter().map(|(_, why)| why).collect();
    assert_eq!((&told[0][..], &told[2][..]), ("not JSON", "of another log than conn"));
    assert!(told[1].starts_with("not a Zeek record: "), "{}", told[1]);
}

#[test]
fn a_sensor_that_lost_packets_is_told() {
    let text = HEADER.replace("tunnel_parents", "missed_bytes")
        + "1789984801\tC1\t10.0.0.1\t4\t10.0.0.9\t5\ttcp\t-\tSF\tShAa\t3\t180\t2\t96\t1448\n";
    let mut reader = Reader::new(Format::ZeekTsv, text.as_bytes()).unwrap();
    while reader.next_line().unwrap().is_some() {}
    assert_eq!(reader.notes().values().collect::<Vec<_>>(), [&1]);
}
