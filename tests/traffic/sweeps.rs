//! Sweeps: attempts by the thousand that nobody answers. They are summed up without loss, marked as what they are, and what
//! the same hosts do beside stays as it is.

use serde_json::Value;

use crate::common::{
    Flowmap,
    frames::{Frames, Packet, connection, datagram, syn},
};

const SCANNER: &str = "10.9.9.9:40000";

/// So many hosts are tried on so many ports each, a millisecond after the other, after a minute and more.
fn sweep(hosts: u16, ports: u16) -> Vec<Packet> {
    let targets = (0..hosts).flat_map(|host| (1..=ports).map(move |port| (host, port)));
    let one = |(n, (host, port)): (u32, (u16, u16))| {
        let target = format!("10.1.{}.{}:{port}", host / 200, 1 + host % 200);
        syn(SCANNER, &target, n).at(100.0 + f64::from(n) / 1_000.0)
    };
    (1..).zip(targets).map(one).collect()
}

/// The scanner's own application: it calls a server that answers, before, amid and after.
fn application() -> Vec<Packet> {
    let call = |n: u32| connection(&format!("10.9.9.9:{}", 50_000 + n), "10.1.0.1:443", 7_000 + n, 9_000 + n);
    (0..5).flat_map(|n| call(n).into_iter().map(move |packet| packet.at(f64::from(n) * 26.0))).collect()
}

fn sums(flowmap: &Flowmap) -> Vec<Value> {
    let status = flowmap.json(&["status"]);
    status["runs"][0]["sweeps"].as_array().unwrap().clone()
}

/// Connections of the rows that are marked as a sweep, and how many rows there are.
fn rows(flowmap: &Flowmap) -> (u64, usize) {
    let flows = flowmap.json(&["flows"]);
    let of_scan: Vec<&Value> = flows
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["marks"].as_array().unwrap().contains(&"scan".into()))
        .collect();
    (of_scan.iter().map(|row| row["connections"].as_u64().unwrap()).sum(), of_scan.len())
}

#[test]
fn a_sweep_is_summed_up_without_loss_and_what_the_host_does_beside_stays() {
    let flowmap = Flowmap::new();
    let (hosts, ports) = (40, 300);
    let mut packets = sweep(hosts, ports);
    packets.extend(application());
    flowmap.write("sweep.pcap", Frames::ethernet(packets).bytes());
    let told = flowmap.ok(&["import", "sweep.pcap"]);
    assert!(told.stderr.contains("10.9.9.9 swept at "), "{}", told.stderr);
    let sums = sums(&flowmap);
    let summed: u64 = sums.iter().map(|sum| sum["attempts"].as_u64().unwrap()).sum();
    let (listed, count) = rows(&flowmap);
    assert_eq!(summed + listed, u64::from(hosts) * u64::from(ports));
    // a table of eight parts keeps some of each
    assert!((8..=9_000).contains(&count), "{count}");
    let sum = &sums[0];
    let about = |name: &str, true_count: u64| {
        let told = sum[name].as_u64().unwrap();
        assert!(told.abs_diff(true_count) * 5 <= true_count, "{name}: {told}, truly {true_count}");
    };
    about("hosts", hosts.into());
    about("targets", summed);
    about("ports", ports.into());
    assert_eq!((sum["packets"].as_u64(), sum["source"].as_str()), (Some(summed), Some("10.9.9.9")));
    let flows = flowmap.json(&["flows"]);
    let app = flows.as_array().unwrap().iter().find(|row| row["outcome"] == "established").unwrap();
    assert_eq!((app["connections"].as_u64(), app["port"].as_u64()), (Some(5), Some(443)));
}

#[test]
fn few_attempts_are_told_one_by_one() {
    let flowmap = Flowmap::new();
    flowmap.write("few.pcap", Frames::ethernet(sweep(3, 20)).bytes());
    flowmap.ok(&["import", "few.pcap"]);
    assert_eq!((sums(&flowmap).len(), rows(&flowmap)), (0, (60, 60)));
}

#[test]
fn an_answer_that_comes_late_still_belongs_to_its_attempt() {
    let flowmap = Flowmap::new();
    let mut packets = sweep(40, 100);
    // opened amid the sweep, answered a quarter of a minute after its last attempt
    let late = connection("10.9.9.9:61000", "10.1.0.7:8443", 77, 99);
    let times = [101.0, 119.0, 119.1, 119.2, 119.3, 119.4, 119.5];
    packets.extend(late.into_iter().zip(times).map(|(packet, time)| packet.at(time)));
    flowmap.write("late.pcap", Frames::ethernet(packets).bytes());
    flowmap.ok(&["import", "late.pcap"]);
    let flows = flowmap.json(&["flows"]);
    let to_late: Vec<&Value> = flows.as_array().unwrap().iter().filter(|row| row["port"] == 8_443).collect();
    assert_eq!(to_late.len(), 1, "{to_late:?}");
    assert_eq!((to_late[0]["outcome"].as_str(), to_late[0]["connections"].as_u64()), (Some("established"), Some(1)));
}

#[test]
fn however_many_threads_there_are_the_store_is_the_same() {
    let mut packets = sweep(30, 200);
    packets.extend(application());
    let capture = Frames::ethernet(packets);
    let told = ["1", "2", "7"].map(|threads| {
        let flowmap = Flowmap::new();
        flowmap.write("all.pcap", capture.bytes());
        let mut command = flowmap.command(&["import", "all.pcap"]);
        assert!(command.env("RAYON_NUM_THREADS", threads).status().unwrap().success());
        (flowmap.told(), sums(&flowmap))
    });
    assert_eq!(told[0], told[1]);
    assert_eq!(told[0], told[2]);
}

/// The scanner's own connections, for two hours: it is heard, and seen long after what else it does.
fn heard() -> Vec<Packet> {
    let call = |n: u32| {
        let packets = connection(&format!("10.9.9.9:{}", 50_000 + n), "10.1.0.99:443", 7_000 + n, 9_000 + n);
        packets.into_iter().map(move |packet| packet.at(f64::from(n) * 3_600.0))
    };
    (0..3).flat_map(call).collect()
}

/// Whom datagrams are sent to.
fn ends(hosts: u16, ports: &[u16]) -> Vec<String> {
    (1..=hosts).flat_map(|host| ports.iter().map(move |port| format!("10.1.0.{host}:{port}"))).collect()
}

/// A datagram to each end at each of these times, from another port each time, as who tries again sends them.
fn tries(ends: &[String], times: &[f64]) -> Vec<Packet> {
    let from = |n: u32| format!("10.9.9.9:{}", 40_000 + n);
    let at = |n: usize, time: f64| time + f64::from(u32::try_from(n).unwrap()) / 20.0;
    let round = |(n, time): (u32, &f64)| {
        let (from, time) = (from(n), *time);
        ends.iter()
            .enumerate()
            .map(move |(n, end)| datagram(&from, end, "anybody?").at(at(n, time)))
            .collect::<Vec<_>>()
    };
    (0..).zip(times).flat_map(round).collect()
}

/// How many ends of datagrams are part of a scan, and how many are not; no connection of TCP is.
fn scanned(packets: Vec<Packet>) -> (usize, usize) {
    let flowmap = Flowmap::new();
    flowmap.write("all.pcap", Frames::ethernet(packets.into_iter().chain(heard())).bytes());
    let flows = flowmap.json(&["flows", "--by", "address", "--from", "all.pcap"]);
    let is_scan = |row: &&Value| row["marks"].as_array().unwrap().contains(&"scan".into());
    let (datagrams, others): (Vec<&Value>, Vec<&Value>) =
        flows.as_array().unwrap().iter().partition(|row| row["protocol"] == "UDP");
    assert!(!others.is_empty() && !others.iter().any(is_scan), "{others:?}");
    let marked = datagrams.iter().filter(|row| is_scan(row)).count();
    (marked, datagrams.len() - marked)
}

const PORTS: [u16; 11] = [53, 69, 111, 123, 137, 161, 177, 500, 514, 1_900, 5_353];

#[test]
fn tries_of_many_ports_are_a_scan_however_often_each_is_tried() {
    let ends = ends(6, &PORTS);
    assert_eq!(scanned(tries(&ends, &[10.0, 10.8, 12.4])), (66, 0), "again and again within seconds");
    assert_eq!(scanned(tries(&ends, &[10.0, 3_600.0, 7_200.0])), (66, 0), "once in each hour");
    let nights: Vec<f64> = (0..30).flat_map(|night| [0.0, 0.8, 1.6].map(|s| f64::from(night) * 86_400.0 + s)).collect();
    assert_eq!(scanned(tries(&ends, &nights)), (66, 0), "every night");
}

#[test]
fn tries_of_one_port_of_many_hosts_are_a_scan_where_the_source_goes_on_and_they_do_not() {
    let hosts = ends(20, &[161]);
    assert_eq!(scanned(tries(&hosts, &[10.0, 10.8, 12.4])), (20, 0));
    // in the last minutes of a capture they may be the beginning of what goes on
    assert_eq!(scanned(tries(&hosts, &[7_000.0, 7_000.8, 7_002.4])), (0, 20));
    // and what is sent again later goes on
    assert_eq!(scanned(tries(&hosts, &[10.0, 1_000.0, 2_000.0, 3_000.0])), (0, 20));
}

#[test]
fn logs_and_metrics_are_no_scan_however_few_of_them_were_captured() {
    let few = |ports: &[u16]| tries(&ends(2, ports), &[10.0, 11.0, 12.0]);
    assert_eq!(scanned(few(&[162, 514, 2_055, 8_125])), (0, 8), "to a few ports");
    // a sender of everything to everybody sends on
    let all: Vec<f64> = (0..12).map(|n| f64::from(n) * 600.0).collect();
    assert_eq!(scanned(tries(&ends(3, &PORTS), &all)), (0, 33));
    // voice, with its reports on the ports beside, to one server, one way
    let call = |n: u16| {
        let end = |port: u16| vec![format!("10.1.0.1:{}", port + 2 * n)];
        let start = f64::from(n) * 60.0;
        let voice: Vec<f64> = (0..50).map(|n| start + f64::from(n) / 50.0).collect();
        [tries(&end(20_000), &voice[..]), tries(&end(20_001), &[start + 0.5, start + 0.9, start + 1.3])].concat()
    };
    assert_eq!(scanned((0..20).flat_map(call).collect()), (0, 40));
}

#[test]
fn datagrams_that_a_firewall_drops_accuse_nobody_of_the_connections_made_in_their_place() {
    let hosts = ends(20, &[443]);
    let instead = hosts.iter().zip(0..).flat_map(|(host, n)| {
        let packets = connection(&format!("10.9.9.9:{}", 60_000 + n), host, n, 7 + n);
        packets.into_iter().map(move |packet| packet.at(13.0 + f64::from(n)))
    });
    let (scanned, _) = scanned(tries(&hosts, &[10.0, 10.3, 10.9]).into_iter().chain(instead).collect());
    assert_eq!(scanned, 20, "of what nobody answers nobody has need");
}
