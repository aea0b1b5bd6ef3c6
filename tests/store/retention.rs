//! Old hours of live captures brought into days: the map of them stays as it was.

#![expect(clippy::cast_precision_loss, reason = "times of made-up packets, and sizes to be read")]

use std::{collections::BTreeMap, path::Path};

use flowmap::{
    capture::file::CaptureReader,
    connection::Limits,
    intake::Intake,
    model::{Flags, Hops, Hour, Observation, ObservationKey, Opening, Protocol, Tally, Timestamp, Trace},
    store::{Learnt, Run, RunId, RunKind, Store, Thinned, Thinning},
};
use serde_json::Value;

use crate::common::{
    Flowmap,
    frames::{Frames, Packet, connection, datagram, reset, syn, traffic},
    text,
};

const HOUR: f64 = 3_600.0;
const DAYS: u32 = 3;

/// A host for some days: short connections every hour, a long one with a packet now and then, datagrams, an attempt in vain,
/// and a stream whose opening was not seen.
fn days() -> Vec<Packet> {
    let mut packets = Vec::new();
    let mut put = |at: f64, all: Vec<Packet>| {
        packets.extend(all.into_iter().enumerate().map(|(n, packet)| (at + n as f64 * 0.01, packet)));
    };
    for hour in 0..DAYS * 24 {
        let begin = f64::from(hour) * HOUR + 60.0;
        for n in 0..20 {
            let client = format!("10.0.1.{}:{}", n % 5 + 1, 20_000 + hour * 100 + n);
            put(begin + f64::from(n) * 90.0, connection(&client, "10.0.0.1:443", hour * 1_000 + n + 1, 77 + n));
        }
        if hour % 5 == 0 {
            put(
                begin + 5.0,
                vec![syn("10.0.1.1:30000", "10.0.0.1:81", hour + 1), reset("10.0.0.1:81", "10.0.1.1:30000", hour + 2)],
            );
        }
        let ask = datagram("10.0.1.2:5353", "10.0.0.2:53", "question").id(u16::try_from(hour).unwrap());
        put(begin + 7.0, vec![ask, datagram("10.0.0.2:53", "10.0.1.2:5353", "answer")]);
        // a stream that lives all the time, of which some hours see nothing
        if hour % 7 != 3 {
            let number = 5_000_000 + hour * 100;
            put(
                begin + 11.0,
                vec![
                    traffic("10.0.1.3:40000", "10.0.0.3:5432", number, 9, 100),
                    traffic("10.0.0.3:5432", "10.0.1.3:40000", 9 + hour, number + 100, 10),
                ],
            );
        }
    }
    put(30.0, connection("10.0.1.4:50000", "10.0.0.4:22", 1_000, 2_000).into_iter().take(4).collect());
    for hour in 1..DAYS * 24 {
        put(
            f64::from(hour) * HOUR + 33.0,
            vec![traffic("10.0.1.4:50000", "10.0.0.4:22", 1_001 + hour * 10, 2_001, 10)],
        );
    }
    packets.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    packets.into_iter().map(|(at, packet)| packet.at(at)).collect()
}

/// One client that opens so many connections in each hour of a day.
fn busy(in_hour: u32) -> Vec<Packet> {
    let of = |n: u32| {
        let client = format!("10.0.1.{}:{}", 9, 1_024 + n % 60_000);
        let packets = connection(&client, "10.0.0.1:443", n.wrapping_mul(2_654_435_761), n);
        let at = f64::from(n) * HOUR / f64::from(in_hour);
        packets.into_iter().enumerate().map(move |(k, packet)| packet.at(at + k as f64 * 0.000_1))
    };
    let mut all: Vec<Packet> = (0..24 * in_hour).flat_map(of).collect();
    // one that is refused, among thousands that are not
    all.push(syn("10.0.1.9:999", "10.0.0.1:443", 5).at(24.0 * HOUR));
    all.push(reset("10.0.0.1:443", "10.0.1.9:999", 6).at(24.0 * HOUR + 0.1));
    all
}

/// Writes a live run as the daemon does: a flush after some packets.
async fn captured(path: &Path, packets: Vec<Packet>, flush_every: usize) -> Timestamp {
    let frames = Frames::ethernet(packets);
    let store = Store::open(path).await.unwrap();
    let (mut reader, mut intake) = (CaptureReader::new(frames.bytes()).unwrap(), Intake::new(Limits::default()));
    let mut run = Run {
        id: RunId(7),
        site: "default".into(),
        sensor: "host".into(),
        source: "eth0".into(),
        kind: RunKind::Live,
        ..Run::default()
    };
    for n in 1.. {
        let Ok(Some(frame)) = reader.next_frame() else { break };
        intake.take_soon(&frame);
        if n % flush_every == 0 {
            flush(&store, &mut run, &mut intake).await;
        }
    }
    flush(&store, &mut run, &mut intake).await;
    store.close().await;
    run.last_packet.unwrap()
}

async fn flush(store: &Store, run: &mut Run, intake: &mut Intake) {
    let rows = intake.flush();
    let counts = intake.counts();
    (run.packets, run.decoded) = (counts.packets, counts.decoded);
    (run.first_packet, run.last_packet) = (counts.span.map(|it| it.first), counts.span.map(|it| it.last));
    store.extend_run(run, &rows, &Learnt::default()).await.unwrap();
}

/// Brings all days before this time into one each; how many transactions that took.
async fn thin(path: &Path, before: Timestamp) -> usize {
    let store = Store::open(path).await.unwrap();
    let (mut steps, mut thinning) = (0, Thinning::default());
    while store.thin_some(&mut thinning, Some(before)).await.unwrap() != Thinned::Done {
        steps += 1;
    }
    store.close().await;
    steps
}

fn after(time: Timestamp, hours: i64) -> Timestamp {
    Timestamp(time.0 + hours * 3_600_000_000_000)
}

fn flows(flowmap: &Flowmap, store: &Path, more: &[&str]) -> Value {
    flowmap.json(&[&["--db", &text(store), "flows", "--by", "address"], more].concat())
}

fn parts(store: &Path) -> String {
    let script = "import sqlite3, sys
print(sqlite3.connect(sys.argv[1]).execute('select count(distinct hour), min(hours), max(hours), min(batch) > 0 from observation_part').fetchone())";
    let output =
        std::process::Command::new(crate::common::python::python()).args(["-c", script]).arg(store).output().unwrap();
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[tokio::test]
async fn days_in_the_place_of_their_hours_give_the_same_map() {
    let flowmap = Flowmap::new();
    let store = flowmap.path("days.db");
    let last = captured(&store, days(), 50).await;
    let before = flows(&flowmap, &store, &[]);
    assert!(before.as_array().unwrap().len() >= 9, "{before}");
    assert!(thin(&store, after(last, 24)).await >= 4);
    // the capture began within a day of UTC
    assert_eq!(parts(&store), "(4, 24, 24, 1)");
    assert_eq!(flows(&flowmap, &store, &[]), before);
    assert_eq!(thin(&store, after(last, 24)).await, 0, "nothing is left to do");
}

#[tokio::test]
async fn what_is_not_old_enough_keeps_its_hours_and_what_comes_late_is_not_lost() {
    let flowmap = Flowmap::new();
    let store = flowmap.path("days.db");
    let last = captured(&store, days(), 50).await;
    let before = flows(&flowmap, &store, &[]);
    thin(&store, after(last, -24)).await;
    assert!(parts(&store).ends_with(", 1, 24, 1)"), "{}", parts(&store));
    assert_eq!(flows(&flowmap, &store, &[]), before);
    // a part of a day that is not finished counts for nothing, and is begun again
    let open = Store::open(&store).await.unwrap();
    let mut thinning = Thinning::default();
    assert_eq!(open.thin_some(&mut thinning, Some(after(last, 24))).await.unwrap(), Thinned::Some);
    drop(thinning);
    open.close().await;
    assert_eq!(flows(&flowmap, &store, &[]), before);
    thin(&store, after(last, 24)).await;
    assert_eq!(flows(&flowmap, &store, &[]), before);
}

/// Two thousand connections between the same ends that live all day, written some times an hour.
#[tokio::test]
async fn more_connections_than_are_kept_count_once_however_long_they_live() {
    const COUNT: u32 = 2_000;
    let client = |n: u32| format!("10.0.1.9:{}", 1_024 + n);
    let mut packets: Vec<Packet> = Vec::new();
    for n in 0..COUNT {
        let open = connection(&client(n), "10.0.0.1:443", n * 1_000 + 1, 9).into_iter().take(4);
        packets.extend(open.enumerate().map(|(k, packet)| packet.at(f64::from(n) * 0.01 + k as f64 * 0.001)));
    }
    for half_hour in 1..48 {
        let number = |n: u32| n * 1_000 + 1 + half_hour * 10;
        let one = |n: u32| traffic(&client(n), "10.0.0.1:443", number(n), 10, 10);
        packets.extend((0..COUNT).map(|n| one(n).at(f64::from(half_hour) * HOUR / 2.0 + 60.0 + f64::from(n) * 0.01)));
    }
    let sent = u64::try_from(packets.len()).unwrap();
    let flowmap = Flowmap::new();
    let store = flowmap.path("long.db");
    let last = captured(&store, packets, COUNT as usize).await;
    let is_near = |flows: &Value| {
        let [connections, packets] = ["connections", "packets"].map(|name| flows[0][name].as_u64().unwrap());
        assert_eq!(flows.as_array().unwrap().len(), 1, "{flows}");
        assert!(connections.abs_diff(u64::from(COUNT)) * 8 <= u64::from(COUNT), "{connections} connections");
        assert!(packets.abs_diff(sent) * 8 <= sent, "{packets} packets of {sent}");
    };
    is_near(&flows(&flowmap, &store, &[]));
    thin(&store, after(last, 24)).await;
    is_near(&flows(&flowmap, &store, &[]));
}

#[tokio::test]
async fn of_more_connections_a_day_than_are_kept_all_are_counted_and_no_outcome_is_lost() {
    let flowmap = Flowmap::new();
    let store = flowmap.path("busy.db");
    let last = captured(&store, busy(500), 20_000).await;
    let size = |store: &Path| std::fs::metadata(store).unwrap().len();
    let before = flows(&flowmap, &store, &[]);
    let hourly = size(&store);
    thin(&store, after(last, 24)).await;
    let after = flows(&flowmap, &store, &[]);
    let told = |flows: &Value| -> BTreeMap<String, (u64, u64)> {
        let number = |flow: &Value, name: &str| flow[name].as_u64().unwrap();
        let all = flows.as_array().unwrap().iter();
        all.map(|flow| (flow["outcome"].to_string(), (number(flow, "connections"), number(flow, "packets")))).collect()
    };
    let (before, after) = (told(&before), told(&after));
    assert_eq!(before["\"established\""].0 + before["\"refused\""].0, 12_001);
    assert_eq!(after.keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
    let sum = |told: &BTreeMap<String, (u64, u64)>| told.values().map(|(connections, _)| connections).sum::<u64>();
    assert!(sum(&after).abs_diff(12_001) <= 12, "{after:?}");
    let packets = |told: &BTreeMap<String, (u64, u64)>| told.values().map(|(_, packets)| packets).sum::<u64>();
    assert!(packets(&after).abs_diff(packets(&before)) * 20 <= packets(&before), "{after:?} {before:?}");
    let open = Store::open(&store).await.unwrap();
    while open.forget_some(Timestamp(0), &[]).await.unwrap() {}
    open.close().await;
    let empty = flowmap.path("empty.db");
    Store::open(&empty).await.unwrap().close().await;
    let (hourly, daily) = (hourly - size(&empty), size(&store) - size(&empty));
    assert!(daily * 3 < hourly, "{hourly} bytes became {daily}");
}

#[tokio::test]
async fn a_window_that_begins_or_ends_in_days_is_said_to_be_coarse() {
    let flowmap = Flowmap::new();
    let store = flowmap.path("days.db");
    let last = captured(&store, days(), 50).await;
    thin(&store, after(last, -24)).await;
    let window = |since: &str| flowmap.ok(&["--db", &text(&store), "flows", "--since", since]).stderr;
    let words = "hours were brought into days";
    assert!(window("2026-11-24T12:00:00Z").contains(words), "{}", window("2026-11-24T12:00:00Z"));
    assert!(!window("2026-11-27T00:00:00Z").contains(words));
    assert!(!flowmap.ok(&["--db", &text(&store), "flows"]).stderr.contains(words));
}

/// What a busy host sees in an hour: 54,600 connections between 4,060 ends.
fn busy_hour(hour: i32) -> Vec<Observation> {
    let row = |client: u32, server: u32, connections: u32, is_long: bool| {
        let key = ObservationKey {
            hour: Hour(hour),
            protocol: Protocol::TCP,
            opening: Opening::Seen,
            src: std::net::Ipv4Addr::from_bits(0x0a00_0000 + client).into(),
            dst: std::net::Ipv4Addr::from_bits(0x0a80_0000 + server).into(),
            dst_port: 443,
            vlans: String::new(),
            tunnels: String::new(),
        };
        let trace = |n: u32| {
            // a long connection is the same in all hours of some days
            let number = if is_long {
                client ^ (hour.unsigned_abs() / 100)
            } else {
                (hour.unsigned_abs() * 1_000 + n) ^ client << 10
            };
            let identity = number.wrapping_mul(2_654_435_761);
            let first = (n * 4_987_654 + client * 37) % 3_500_000_000;
            let flags = [
                Flags::ASKED,
                Flags::AGREED,
                Flags::FROM_SRC,
                Flags::FROM_DST,
                Flags::SRC_FIRST,
                Flags::CLOSED,
                Flags::PAYLOAD,
            ];
            Trace {
                src_port: u16::try_from(32_768 + identity % 28_000).unwrap(),
                identity,
                answer: identity.rotate_left(9),
                src_end: identity.wrapping_add(700),
                dst_end: identity.rotate_left(9).wrapping_add(9_000 + n),
                flags: flags.into_iter().fold(Flags::default(), Flags::with),
                first,
                last: first + 180_000 + n * 100,
                from_src: Tally::one(7, 9, 1_200),
                from_dst: Tally::one(7, 12, 9_700),
                hops_src: Hops::of(64),
                hops_dst: Hops::of(61),
                ..Trace::default()
            }
        };
        Observation { key, traces: (0..connections).map(trace).collect() }
    };
    let mut rows: Vec<Observation> = (0..3_000).map(|n| row(n % 600, n / 600, 4, false)).collect();
    rows.extend((0..60).map(|n| row(1_000 + n, 60, 693, false)));
    rows.extend((0..1_000).map(|n| row(2_000 + n, 70, 1, true)));
    rows.sort_by(|a, b| a.key.cmp(&b.key));
    flowmap::connection::merged(rows)
}

/// By hand, for some minutes: `cargo nextest run --run-ignored only --no-capture -E 'test(the_store_of_a_busy_host)'`.
#[tokio::test]
#[ignore = "takes some minutes"]
async fn the_store_of_a_busy_host_stays_bounded() {
    const KEEP_H: i32 = 8 * 24;
    const THIN_AFTER_H: i32 = 3 * 24;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("busy.db");
    let store = Store::open_for_daemon(&path).await.unwrap();
    let begin = 500_016;
    let (mut thinning, mut sizes, mut longest) = (Thinning::default(), Vec::new(), std::time::Duration::ZERO);
    for hour in begin..begin + 14 * 24 {
        let at = |hour: i32| Hour(hour).start();
        let run = Run {
            id: RunId(7),
            kind: RunKind::Live,
            first_packet: Some(at(begin)),
            last_packet: Some(at(hour)),
            ..Run::default()
        };
        store.extend_run(&run, &busy_hour(hour), &Learnt::default()).await.unwrap();
        loop {
            let started = std::time::Instant::now();
            let thinned = store.thin_some(&mut thinning, Some(at(hour - THIN_AFTER_H))).await.unwrap();
            let is_more_left =
                store.forget_some(at(hour - KEEP_H), &[RunId(7)]).await.unwrap() || thinned != Thinned::Done;
            longest = longest.max(started.elapsed());
            if !is_more_left {
                break;
            }
        }
        if (hour - begin) % 24 == 23 {
            let bytes = std::fs::metadata(&path).unwrap().len();
            println!("day {:>2}: {:>6.1} MB", (hour - begin) / 24 + 1, bytes as f64 / 1e6);
            sizes.push(bytes);
        }
    }
    println!("the longest step took {:.0} ms", longest.as_secs_f64() * 1e3);
    store.close().await;
    let (settled, last) = (sizes[9], sizes[13]);
    assert!(last * 10 <= settled * 11, "{sizes:?}");
    assert!(sizes[2] * 4 > last, "three days with their hours, and five more without: {sizes:?}");
}
