//! Logs that tell of each way by itself, beside what tells more of the same streams, through the command line.

use crate::common::{
    Flowmap,
    frames::{self, CLIENT, Frames, Packet, SERVER, disowned, reset, rest, syn, traffic},
    rows::rows,
};

/// The beginning of [`Frames`], in the times of each log.
const DAY: &str = "2026-11-24";
const MORNING: &str = "T06:00:0";
const SECOND: u32 = 1_795_500_000;

/// So many streams, that none is met by chance where each would be in one of eight.
const STREAMS: u16 = 64;

/// A log of rows of one way each: from, to, packets and bytes. All are of the same nine seconds.
fn ways(rows: &[(&str, &str, u64, u64)]) -> String {
    let header = "src_ip,src_port,dst_ip,dst_port,proto,packets,bytes,first_seen,last_seen\n";
    let row = |(from, to, packets, bytes): &(&str, &str, u64, u64)| {
        let [from, to] = [from, to].map(|end| end.replace(':', ","));
        format!("{from},{to},tcp,{packets},{bytes},{DAY}{MORNING}0Z,{DAY}{MORNING}9Z\n")
    };
    header.to_owned() + &rows.iter().map(row).collect::<String>()
}

/// Connections as Zeek tells of them, of those seconds: the client's end, the state, the history, and packets of both.
fn zeek(conns: &[(&str, &str, &str, u64, u64)]) -> String {
    let fields = "ts uid id.orig_h id.orig_p id.resp_h id.resp_p proto duration conn_state history orig_pkts \
                  orig_ip_bytes resp_pkts resp_ip_bytes";
    let row = |(client, state, history, orig, resp): &(&str, &str, &str, u64, u64)| {
        let ends = [*client, SERVER].map(|end| end.replace(':', "\t")).join("\t");
        let (to_server, to_client) = (orig * 100, resp * 100);
        format!(
            "{SECOND}.0\tC{client}\t{ends}\ttcp\t5.0\t{state}\t{history}\t{orig}\t{to_server}\t{resp}\t{to_client}\n"
        )
    };
    format!("#separator \\x09\n#path\tconn\n#fields\t{}\n", fields.replace(' ', "\t"))
        + &conns.iter().map(row).collect::<String>()
}

/// A SYN as Hubble reports it.
fn hubble(verdict: &str) -> String {
    let [[from, from_port], [to, to_port]] = [CLIENT, SERVER].map(|end| {
        let (address, port) = end.split_once(':').unwrap();
        [address, port]
    });
    format!(
        r#"{{"flow":{{"time":"{DAY}{MORNING}0Z","verdict":"{verdict}","IP":{{"source":"{from}","destination":"{to}"}},"l4":{{"TCP":{{"source_port":{from_port},"destination_port":{to_port},"flags":{{"SYN":true}}}}}},"Type":"L3_L4","event_type":{{"type":4}},"trace_reason":"NEW","is_reply":false}},"node_name":"node-1"}}"#
    ) + "\n"
}

/// A SYN as the kernel logs it where it drops it.
fn dropped() -> String {
    let [[from, from_port], [to, to_port]] = [CLIENT, SERVER].map(|end| {
        let (address, port) = end.split_once(':').unwrap();
        [address, port]
    });
    format!(
        "{DAY}{MORNING}0+0000 node-1 kernel: NetworkPolicy-DROP: IN=eth0 OUT=cali1 SRC={from} DST={to} LEN=60 TTL=64 ID=1 \
         DF PROTO=TCP SPT={from_port} DPT={to_port} WINDOW=64240 RES=0x00 SYN URGP=0\n"
    )
}

fn captured(packets: impl IntoIterator<Item = Packet>) -> Vec<u8> {
    Frames::ethernet(packets).bytes().to_vec()
}

/// What these logs and captures give together, in whatever order they come.
#[track_caller]
fn told(files: &[&[u8]]) -> Vec<String> {
    let flowmap = Flowmap::new();
    let mut names = Vec::new();
    for (n, file) in files.iter().enumerate() {
        flowmap.write(&n.to_string(), file);
        names.push(n.to_string());
    }
    let forth = rows(&flowmap, &names);
    names.reverse();
    assert_eq!(rows(&flowmap, &names), forth);
    forth
}

/// The outcomes of what is told.
fn outcomes(files: &[&[u8]]) -> Vec<String> {
    told(files).iter().map(|row| row.split(' ').nth(3).unwrap().to_owned()).collect()
}

/// An attempt as each source tells of it, with what it came to.
fn attempts() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let syns = || (0..3).map(|n| syn(CLIENT, SERVER, 9_000_000).at(f64::from(n)));
    vec![
        ("hubble", hubble("FORWARDED").into(), "unanswered"),
        ("zeek", zeek(&[(CLIENT, "S0", "S", 3, 0)]).into(), "unanswered"),
        ("capture", captured(syns()), "unanswered"),
        ("hubble, dropped", hubble("DROPPED").into(), "refused"),
        ("kernel", dropped().into(), "refused"),
        ("zeek, refused", zeek(&[(CLIENT, "REJ", "SrSrSr", 3, 3)]).into(), "refused"),
        (
            "capture, refused",
            captured(syns().flat_map(|syn| {
                let at_s = syn.time_s() + 0.1;
                [syn, reset(SERVER, CLIENT, 9_000_001).at(at_s)]
            })),
            "refused",
        ),
        ("capture of a reset alone", captured([reset(SERVER, CLIENT, 9_000_001).at(0.1)]), "refused"),
        (
            "capture of the client alone, half open",
            captured([syn(CLIENT, SERVER, 9_000_000), disowned(CLIENT, SERVER, 9_000_001)]),
            "unanswered",
        ),
    ]
}

#[test]
fn an_attempt_stays_one_whatever_a_log_of_each_way_counts_of_it() {
    for (source, log, outcome) in attempts() {
        assert_eq!(outcomes(&[&log]), [outcome], "{source} alone");
        for packets in [1, 3, 9] {
            let forth = ways(&[(CLIENT, SERVER, packets, packets * 60)]);
            assert_eq!(outcomes(&[&log, forth.as_bytes()]), [outcome], "{source} beside {packets}");
        }
        // a reset for each attempt, and what opens and breaks off again
        for (forth, back) in [(1, 1), (3, 3)] {
            let both = ways(&[(CLIENT, SERVER, forth, forth * 60), (SERVER, CLIENT, back, back * 40)]);
            let expected = if outcome == "unanswered" && forth == 3 && !source.contains("half open") {
                "established"
            } else {
                outcome
            };
            assert_eq!(outcomes(&[&log, both.as_bytes()]), [expected], "{source} beside {forth} and {back}");
        }
    }
}

#[test]
fn a_reset_that_ends_what_was_in_use_refuses_nothing() {
    let end = captured([reset(SERVER, CLIENT, 9_000_001).at(8.0)]);
    let both = ways(&[(CLIENT, SERVER, 40, 40_000), (SERVER, CLIENT, 40, 40_000)]);
    assert_eq!(outcomes(&[&end, both.as_bytes()]), ["midstream"]);
}

#[test]
fn a_stream_of_which_another_source_saw_no_more_than_the_opening_is_established() {
    // who saw no opening tells nothing of it
    for (source, log, outcome) in attempts().into_iter().filter(|(source, ..)| !source.ends_with("reset alone")) {
        let (forth, back) = ((CLIENT, SERVER, 20, 4_000), (SERVER, CLIENT, 20, 20_000));
        for records in [&[forth, back][..], &[back], &[forth]] {
            let both = ways(records);
            assert_eq!(outcomes(&[&log, both.as_bytes()]), ["established"], "{source} beside {records:?}");
        }
        // what came back and carried nothing is an answer where no reset was seen
        let empty = ways(&[(CLIENT, SERVER, 20, 1_040), (SERVER, CLIENT, 20, 1_040)]);
        let expected = if outcome == "refused" || source.contains("half open") { outcome } else { "established" };
        assert_eq!(outcomes(&[&log, empty.as_bytes()]), [expected], "{source} beside what carried nothing");
    }
}

/// The packets of a stream, by its client's end and the first numbers of both sides.
type Packets = fn(&str, u32, u32) -> Vec<Packet>;

/// Streams to one server, each with numbers of its own that lie all over.
fn streams(packets: Packets) -> (Vec<Packet>, Vec<String>) {
    let clients: Vec<String> = (0..STREAMS).map(|n| format!("10.0.0.1:{}", 40_000 + n)).collect();
    let numbers = (1u32..).map(|n| (n.wrapping_mul(0x9e37_79b9), n.wrapping_mul(0x85eb_ca6b)));
    let all = clients.iter().zip(numbers).flat_map(|(client, (a, b))| packets(client, a, b));
    (all.collect(), clients)
}

fn ways_of(clients: &[String], packets: u64) -> String {
    let both = |client: &'_ String| {
        let ends = [(client.clone(), SERVER.to_owned()), (SERVER.to_owned(), client.clone())];
        ends.map(|(from, to)| ways(&[(&from, &to, packets, 100 * packets)]).lines().nth(1).unwrap().to_owned() + "\n")
    };
    ways(&[]) + &clients.iter().flat_map(both).collect::<String>()
}

#[test]
fn each_stream_of_a_capture_counts_once_beside_logs_of_both_kinds() {
    let cases: [(&str, Packets); 3] = [
        ("established handshake", |client, a, b| frames::connection(client, SERVER, a, b)),
        ("midstream fan-in", |client, a, b| rest(client, SERVER, a, b).to_vec()),
        ("unanswered handshake", |client, a, _| vec![syn(client, SERVER, a)]),
    ];
    for (expected, packets) in cases {
        let (packets, clients) = streams(packets);
        let capture = captured(packets);
        let is_attempt = expected.starts_with("unanswered");
        let csv = if is_attempt {
            let forth = |client: &String| ways(&[(client, SERVER, 1, 60)]).lines().nth(1).unwrap().to_owned() + "\n";
            ways(&[]) + &clients.iter().map(forth).collect::<String>()
        } else {
            ways_of(&clients, 8)
        };
        let conns: Vec<_> = clients.iter().map(|client| (client.as_str(), "OTH", "Dd", 8, 8)).collect();
        let expected = format!("10.0.0.1 > {SERVER}/TCP {expected} {STREAMS}");
        assert_eq!(told(&[&capture]), [expected.as_str()]);
        assert_eq!(told(&[&capture, csv.as_bytes()]), [expected.as_str()]);
        if !is_attempt {
            assert_eq!(told(&[&capture, zeek(&conns).as_bytes()]), [expected.as_str()]);
            assert_eq!(told(&[&capture, zeek(&conns).as_bytes(), csv.as_bytes()]), [expected.as_str()]);
        }
    }
}

#[test]
fn what_a_log_of_each_way_and_one_of_both_count_of_a_stream_is_the_same() {
    let flowmap = Flowmap::new();
    let clients = ["10.0.0.1:40000".to_owned()];
    flowmap.write("ways.csv", ways_of(&clients, 8));
    flowmap.write("conn.log", zeek(&[(CLIENT, "OTH", "Dd", 8, 8)]));
    let flows = flowmap.json(&["flows", "--from", "ways.csv", "conn.log"]);
    let [flow] = &flows.as_array().unwrap()[..] else { panic!("{flows}") };
    let counts = ["connections", "packets", "bytes_to_server", "bytes_to_client"].map(|name| flow[name].as_u64());
    assert_eq!(counts, [1, 16, 800, 800].map(Some));
}

#[test]
fn what_a_capture_shows_of_a_stream_holds_beside_records_of_few_packets() {
    let both = |packets| ways(&[(CLIENT, SERVER, packets, 52 * packets), (SERVER, CLIENT, packets, 52 * packets)]);
    // the words of an idle stream
    let idle = captured([traffic(CLIENT, SERVER, 500_000, 700_000, 1), traffic(SERVER, CLIENT, 700_000, 500_001, 0)]);
    assert_eq!(outcomes(&[&idle]), ["midstream"]);
    assert_eq!(outcomes(&[&idle, both(1).as_bytes()]), ["midstream"]);
    // the resets that answer a scan of ACKs
    let scan = captured([traffic(CLIENT, SERVER, 500_000, 700_000, 0), disowned(SERVER, CLIENT, 700_000)]);
    assert_eq!(outcomes(&[&scan]), ["refused"]);
    assert_eq!(outcomes(&[&scan, both(3).as_bytes()]), ["refused"]);
    let used = ways(&[(CLIENT, SERVER, 90, 9_000), (SERVER, CLIENT, 90, 90_000)]);
    assert_eq!(outcomes(&[&scan, used.as_bytes()]), ["midstream"]);
}

#[test]
fn a_translation_is_seen_beside_a_log_of_each_way() {
    let pod = "10.0.0.9:8080";
    let (service, backend) = (
        frames::connection(CLIENT, SERVER, 9_000_000, 7_000_000),
        frames::connection(CLIENT, pod, 9_000_000, 7_000_000),
    );
    let both = service.into_iter().zip(backend).flat_map(|(near, far)| {
        let is_forth = near.is_from(CLIENT);
        if is_forth { [near.hops(64), far.hops(63)] } else { [far.hops(64), near.hops(63)] }
    });
    let capture = captured(both);
    let expected = ["10.0.0.1 > 10.0.0.9:8080/TCP established handshake 1 via 10.0.0.2:80"];
    assert_eq!(told(&[&capture]), expected);
    for server in [pod, SERVER] {
        let log = ways(&[(CLIENT, server, 8, 800), (server, CLIENT, 8, 8_000)]);
        assert_eq!(told(&[&capture, log.as_bytes()]), expected, "{server}");
    }
}
