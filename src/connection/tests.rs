use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::{
    decode::{TcpFlags, TunnelStack},
    model::{Flags, ObservationKey, Opening, Protocol, Trace, TraceSet, VlanStack},
};

const CLIENT: (&str, u16) = ("10.0.0.1", 40_000);
const SERVER: (&str, u16) = ("10.0.0.2", 443);

/// A TCP segment, as the decoder would give it.
fn segment(src: (&str, u16), dst: (&str, u16), flags: u8, sequence: u32, acknowledgment: u32) -> Packet<'static> {
    Packet {
        vlans: VlanStack::default(),
        tunnels: TunnelStack::default(),
        point: 1,
        is_broadcast: false,
        fragment: None,
        src: src.0.parse().unwrap(),
        dst: dst.0.parse().unwrap(),
        protocol: Protocol::TCP,
        hop_limit: 64,
        ip_id: 0,
        ip_bytes: 40,
        transport: Transport::Tcp {
            src_port: src.1,
            dst_port: dst.1,
            sequence,
            acknowledgment,
            flags: Some(TcpFlags(flags)),
            data_bytes: u32::from(flags & 8) / 8 * 100,
            data: &[],
        },
    }
}

fn datagram(src: (&str, u16), dst: (&str, u16), data: &'static [u8]) -> Packet<'static> {
    let transport =
        Transport::Udp { src_port: src.1, dst_port: dst.1, data_bytes: u32::try_from(data.len()).unwrap(), data };
    Packet { protocol: Protocol::UDP, transport, ..segment(src, dst, 0, 0, 0) }
}

fn handshake() -> Vec<Packet<'static>> {
    vec![
        segment(CLIENT, SERVER, 0x02, 100, 0),
        segment(SERVER, CLIENT, 0x12, 900, 101),
        segment(CLIENT, SERVER, 0x10, 101, 901),
        segment(CLIENT, SERVER, 0x18, 101, 901),
        segment(SERVER, CLIENT, 0x18, 901, 201),
    ]
}

/// All observations, in order.
fn finish(mut tracker: Tracker) -> Vec<Observation> {
    let mut all: Vec<Observation> =
        std::iter::from_fn(|| Some(end_some(std::slice::from_mut(&mut tracker))).filter(|some| !some.is_empty()))
            .flatten()
            .collect();
    all.sort_by(|one, other| one.key.cmp(&other.key));
    all
}

/// Packets of both sides at the places that saw most of them.
fn packets(trace: &Trace) -> u64 {
    trace.from_src.fullest().0 + trace.from_dst.fullest().0
}

/// One packet a millisecond.
fn observe(packets: &[Packet<'_>]) -> Vec<Observation> {
    let mut tracker = Tracker::default();
    for (n, packet) in packets.iter().enumerate() {
        tracker.ingest(Timestamp(i64::try_from(n).unwrap() * 1_000_000), packet);
    }
    finish(tracker)
}

fn only(observations: &[Observation]) -> (&Observation, Trace) {
    let [observation] = observations else { panic!("{observations:#?}") };
    let traces: Vec<_> = observation.traces.iter().collect();
    let [trace] = traces[..] else { panic!("{traces:#?}") };
    (observation, trace.clone())
}

#[test]
fn a_handshake_tells_the_client_and_the_outcome() {
    let observations = observe(&handshake());
    let (observation, trace) = only(&observations);
    assert_eq!((observation.key.opening, observation.key.dst_port), (Opening::Seen, 443));
    assert_eq!((trace.src_port, trace.identity, trace.answer), (40_000, 100, 900));
    assert_eq!((trace.from_src.fullest(), trace.from_dst.fullest()), ((3, 120), (2, 80)));
    assert!(trace.flags.has(Flags::ASKED.with(Flags::AGREED).with(Flags::PAYLOAD)));
}

#[test]
fn packets_seen_at_several_points_are_counted_at_each() {
    let mut tracker = Tracker::default();
    for (n, packet) in handshake().into_iter().enumerate() {
        let time = Timestamp(i64::try_from(n).unwrap() * 1_000_000);
        tracker.ingest(time, &packet);
        tracker.ingest(time, &Packet { point: 2, ..packet });
    }
    let observations = finish(tracker);
    let (_, trace) = only(&observations);
    let sent: Vec<_> = trace.from_src.iter().map(|sent| (sent.point, sent.packets, sent.bytes)).collect();
    assert_eq!(sent, [(1, 3, 120), (2, 3, 120)]);
    assert_eq!(packets(&trace), 5);
}

#[test]
fn a_connection_routed_across_vlans_is_one_with_both_tags() {
    let tagged = |packet: Packet<'static>, vlan: u16| Packet {
        vlans: VlanStack::of(&[vlan]).unwrap(),
        point: u32::from(vlan),
        ..packet
    };
    let routed: Vec<_> = handshake().into_iter().flat_map(|p| [tagged(p, 10), tagged(p, 20)]).collect();
    let observations = observe(&routed);
    let (observation, trace) = only(&observations);
    assert_eq!((observation.key.vlans.as_str(), packets(&trace)), ("10,20", 5));
}

#[test]
fn connections_of_which_one_side_was_seen_stand_beside_whole_ones() {
    let tagged = |packet: Packet<'static>| Packet { vlans: VlanStack::of(&[10]).unwrap(), ..packet };
    let mut packets: Vec<_> = handshake().into_iter().map(tagged).collect();
    packets.push(tagged(segment(("10.0.0.1", 40_001), SERVER, 0x02, 500, 0)));
    packets.push(tagged(segment(SERVER, ("10.0.0.1", 40_002), 0x12, 700, 601)));
    let observations = observe(&packets);
    let [observation] = &observations[..] else { panic!("{observations:#?}") };
    assert_eq!((observation.key.vlans.as_str(), observation.traces.total()), ("10", 3));
}

#[test]
fn a_reset_in_answer_to_an_opening_is_a_refusal() {
    let observations = observe(&[segment(CLIENT, SERVER, 0x02, 100, 0), segment(SERVER, CLIENT, 0x14, 0, 101)]);
    let (_, trace) = only(&observations);
    assert!(trace.flags.has(Flags::REFUSED) && !trace.flags.has(Flags::AGREED));
}

#[test]
fn a_refusal_tells_the_attempt_also_where_that_was_not_captured() {
    let observations = observe(&[segment(SERVER, CLIENT, 0x14, 0, 101)]);
    let (observation, trace) = only(&observations);
    assert_eq!((observation.key.opening, observation.key.dst_port, trace.identity), (Opening::Seen, 443, 100));
    assert!(trace.flags.has(Flags::REFUSED));
}

/// The head of an IPv4 packet from the client to the server, as routers quote it.
fn quote(protocol: Protocol, transport: &[u8]) -> Vec<u8> {
    let length = u8::try_from(20 + transport.len()).unwrap();
    let header = [0x45, 0, 0, length, 0, 0, 0, 0, 64, protocol.0, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
    [&header[..], transport].concat()
}

/// Ports 40000 and 443, then these bytes.
fn from_client(rest: &[u8]) -> Vec<u8> {
    [&[0x9c, 0x40, 0x01, 0xbb], rest].concat()
}

fn unreachable(quote: &[u8]) -> Packet<'_> {
    Packet { protocol: Protocol::ICMP, transport: Transport::Unreachable(quote), ..segment(SERVER, CLIENT, 0, 0, 0) }
}

#[test]
fn an_icmp_error_refuses_the_attempt_that_it_answers() {
    let quote = quote(Protocol::UDP, &from_client(&[0, 13, 0, 0, b'h', b'e', b'l', b'l', b'o']));
    let observations = observe(&[datagram(CLIENT, SERVER, b"hello"), unreachable(&quote)]);
    assert!(only(&observations).1.flags.has(Flags::REFUSED));
    // what was answered is not refused by what comes after
    let answered = [datagram(CLIENT, SERVER, b"hello"), datagram(SERVER, CLIENT, b"yes"), unreachable(&quote)];
    assert!(!only(&observe(&answered)).1.flags.has(Flags::REFUSED));
}

#[test]
fn an_icmp_error_tells_the_attempt_also_where_that_was_not_captured() {
    let datagram_quote = quote(Protocol::UDP, &from_client(&[0, 13, 0, 0, b'h', b'e', b'l', b'l', b'o']));
    let syn = from_client(&[0, 0, 0, 100, 0, 0, 0, 0, 0x50, 0x02, 0, 0, 0, 0, 0, 0]);
    let syn_quote = quote(Protocol::TCP, &syn);
    let cases = [
        (&datagram_quote, Opening::Unseen, vec![datagram(CLIENT, SERVER, b"hello")]),
        (&syn_quote, Opening::Seen, vec![segment(CLIENT, SERVER, 0x02, 100, 0)]),
    ];
    for (quote, opening, attempt) in cases {
        let alone = observe(&[unreachable(quote)]);
        let (observation, trace) = only(&alone);
        assert_eq!((observation.key.opening, observation.key.dst_port, trace.src_port), (opening, 443, 40_000));
        assert!(trace.flags.has(Flags::REFUSED));
        // the sighting of the attempt itself is known by the same number
        assert_eq!(only(&observe(&attempt)).1.id(), trace.id());
    }
    // of a segment past the opening it is not known what was refused
    let ack = quote(Protocol::TCP, &from_client(&[0, 0, 0, 100, 0, 0, 0, 9, 0x50, 0x10, 0, 0, 0, 0, 0, 0]));
    for head in [&ack[..], &syn_quote[..28], &syn_quote[..21], &[]] {
        assert_eq!(observe(&[unreachable(head)]), []);
    }
}

/// An SCTP packet (RFC 9260): the receiver's tag, the first chunk, and the sender's tag where it opens.
fn chunk(src: (&str, u16), dst: (&str, u16), tag: u32, chunk: u8, initiate_tag: u32) -> Packet<'static> {
    let transport = Transport::Sctp { src_port: src.1, dst_port: dst.1, tag, chunk: Some(chunk), initiate_tag };
    Packet { protocol: Protocol::SCTP, transport, ..segment(src, dst, 0, 0, 0) }
}

#[test]
fn an_sctp_association_is_known_by_its_tags() {
    let whole = [
        chunk(CLIENT, SERVER, 0, 1, 77),
        chunk(SERVER, CLIENT, 77, 2, 88),
        chunk(CLIENT, SERVER, 88, 10, 0),
        chunk(CLIENT, SERVER, 88, 0, 0),
        chunk(SERVER, CLIENT, 77, 0, 0),
    ];
    let observations = observe(&whole);
    let (observation, trace) = only(&observations);
    assert_eq!((observation.key.opening, observation.key.dst_port), (Opening::Seen, 443));
    assert_eq!((trace.identity, trace.answer), (77, 88));
    assert!(trace.flags.has(Flags::ASKED.with(Flags::AGREED).with(Flags::PAYLOAD)));
    // met in the middle, it is known by the same tags
    let middle = observe(&whole[3..]);
    let (observation, trace) = only(&middle);
    assert_eq!((observation.key.opening, trace.identity, trace.answer), (Opening::Unseen, 77, 88));
    // an ABORT in answer to an INIT refuses
    let refused = observe(&[whole[0], chunk(SERVER, CLIENT, 77, 6, 0)]);
    assert!(only(&refused).1.flags.has(Flags::REFUSED));
}

#[test]
fn a_port_used_again_is_a_second_connection() {
    let mut packets = handshake();
    packets.push(segment(CLIENT, SERVER, 0x02, 5_000, 0));
    packets.push(segment(SERVER, CLIENT, 0x12, 7_000, 5_001));
    let observations = observe(&packets);
    assert_eq!(observations[0].traces.total(), 2);
}

#[test]
fn a_server_heard_first_is_still_the_server() {
    let observations = observe(&handshake()[1..]);
    assert_eq!(only(&observations).0.key.dst_port, 443);
    // mid-stream, the row is laid towards the service port whoever speaks first
    for packets in [&handshake()[4..], &handshake()[3..]] {
        let observations = observe(packets);
        let (observation, trace) = only(&observations);
        assert_eq!((observation.key.opening, observation.key.dst_port), (Opening::Unseen, 443));
        assert_eq!(trace.src_port, 40_000);
        assert_eq!(trace.flags.has(Flags::SRC_FIRST), packets.len() == 2);
    }
}

#[test]
fn silent_connections_are_written_out_and_forgotten() {
    let mut tracker = Tracker::default();
    for port in 1..=100 {
        tracker.ingest(Timestamp::new(10, 0), &segment(("10.0.0.1", port), SERVER, 0x02, 5, 0));
    }
    for n in 0..200u32 {
        tracker.ingest(Timestamp::new(4_000, 0), &segment(CLIENT, SERVER, 0x10, n, 7));
    }
    assert_eq!((tracker.live(), tracker.bounds().is_empty()), (1, true));
    let total: u64 = finish(tracker).iter().map(|observation| observation.traces.total()).sum();
    assert_eq!(total, 101);
}

#[test]
fn a_clock_that_jumps_loses_no_packet() {
    let mut tracker = Tracker::default();
    let years = [2_000_000_000, 10, 2_000_000_001, 11, -5_000_000_000, 12];
    for (packet, second) in handshake().iter().cycle().zip(years) {
        tracker.ingest(Timestamp::new(second, 0), packet);
    }
    let observations = finish(tracker);
    assert_eq!(observations.iter().flat_map(|it| it.traces.iter()).map(packets).sum::<u64>(), 6);
}

#[test]
fn more_networks_than_are_told_apart_are_counted() {
    let mut tracker = Tracker::default();
    for vlan in 1..=300u16 {
        let vlans = VlanStack::of(&[vlan]).unwrap();
        let syn = segment(CLIENT, SERVER, 0x02, u32::from(vlan) << 22, 0);
        tracker.ingest(Timestamp(i64::from(vlan)), &Packet { vlans, ..syn });
    }
    assert!(tracker.bounds()[&Note::NetworksMixed] > 0, "{:?}", tracker.bounds());
}

#[test]
fn datagrams_after_a_long_silence_are_a_new_exchange() {
    let mut tracker = Tracker::default();
    for second in [0, 1, 30, 200] {
        tracker.ingest(Timestamp::new(second, 0), &datagram(CLIENT, ("10.0.0.2", 53), b"question"));
        let answer = if second == 200 { b"reply 2." } else { b"reply 1." };
        tracker.ingest(Timestamp::new(second, 5), &datagram(("10.0.0.2", 53), CLIENT, answer));
    }
    let observations = finish(tracker);
    // the same question again is told from the first by nothing but time
    assert_eq!(observations[0].traces.iter().map(packets).sum::<u64>(), 8);
}

#[test]
fn an_hour_ends_in_the_middle_of_a_connection() {
    let mut tracker = Tracker::default();
    for (n, packet) in handshake().iter().enumerate() {
        tracker.ingest(Timestamp::new(3_598 + i64::try_from(n).unwrap(), 0), packet);
    }
    let observations = finish(tracker);
    let by_hour: Vec<_> =
        observations.iter().map(|o| (o.key.hour.0, packets(o.traces.iter().next().unwrap()))).collect();
    assert_eq!(by_hour, [(0, 2), (1, 3)]);
    let ids: Vec<_> = observations.iter().map(|o| o.traces.iter().next().unwrap().id()).collect();
    assert_eq!(ids[0], ids[1]);
}

#[test]
fn a_full_table_writes_out_early_and_loses_nothing() {
    let mut tracker = Tracker::new(Limits { connections: 16, ..Limits::default() });
    for port in 1_000..1_100 {
        tracker.ingest(Timestamp(i64::from(port)), &segment(("10.0.0.1", port), SERVER, 0x02, u32::from(port), 0));
    }
    let evicted = tracker.bounds()[&Note::TableFull];
    assert!(tracker.live() <= 16 && evicted >= 84, "{} {evicted}", tracker.live());
    assert_eq!(finish(tracker)[0].traces.total(), 100);
}

#[test]
fn a_sweep_is_summed_up_while_it_goes_on_and_loses_nothing() {
    let (targets, rounds) = (25_000, 2);
    let (mut tracker, mut most) = (Tracker::default(), 0);
    for n in 0..targets * rounds {
        let target = Ipv4Addr::from_bits(0x0a01_0000 + n % targets).to_string();
        let time = Timestamp(i64::from(n) * 1_000_000);
        tracker.ingest(time, &segment(CLIENT, (&target, 80), 0x02, n % targets, 0));
        most = most.max(tracker.waiting());
    }
    assert!(most < 10_000, "{most} attempts were held");
    let mut rows = Vec::new();
    loop {
        let mut some = end_some(std::slice::from_mut(&mut tracker));
        if some.is_empty() {
            break;
        }
        rows.append(&mut some);
    }
    let told = sweeps(std::slice::from_ref(&tracker));
    let [sweep] = &told[..] else { panic!("{told:?}") };
    let of_rows: u64 = rows.iter().flat_map(|row| row.traces.iter()).map(packets).sum();
    assert_eq!(sweep.packets + of_rows, u64::from(targets * rounds));
    assert!((targets..=targets * rounds).contains(&u32::try_from(sweep.attempts).unwrap()), "{sweep:?}");
    assert!(rows.len() < 200, "{} rows", rows.len());
}

proptest! {
    #[test]
    fn flushing_in_between_changes_nothing(flush_after in prop::collection::vec(0usize..5, 0..4)) {
        let mut tracker = Tracker::default();
        let mut parts: Vec<Observation> = Vec::new();
        for (n, packet) in handshake().iter().enumerate() {
            tracker.ingest(Timestamp(i64::try_from(n).unwrap() * 1_000_000), packet);
            if flush_after.contains(&n) {
                parts.extend(tracker.flush());
            }
        }
        parts.extend(tracker.flush());
        let joined: TraceSet = parts.iter().flat_map(|part| part.traces.iter()).cloned().collect();
        let whole = observe(&handshake());
        prop_assert_eq!(joined, whole[0].traces.clone());
    }
}

#[test]
fn connections_end_in_the_order_of_their_keys() {
    let mut parts = [Tracker::default(), Tracker::default()];
    let client = |n: u32| format!("10.{}.{}.{}", n % 7, n / 256, n % 256);
    // more than leave at once; of each another hour was written before
    for (hour, n) in (0..2).flat_map(|hour| (0..6_000u32).map(move |n| (hour, n.wrapping_mul(2_741) % 6_000))) {
        let time = Timestamp(hour * 3_600_000_000_000 + i64::from(n));
        let packet = segment((&client(n), 40_000), SERVER, 0x02, 100, 0);
        parts[n as usize % 2].ingest(time, &packet);
    }
    let calls: Vec<_> = std::iter::from_fn(|| Some(end_some(&mut parts)).filter(|some| !some.is_empty())).collect();
    assert!(calls.len() > 1, "all at once");
    let keys: Vec<_> = calls.iter().flatten().map(|row| &row.key).collect();
    assert_eq!(keys.len(), 12_000);
    assert!(keys.is_sorted_by(|a, b| a < b));
}

#[test]
fn a_flush_hands_over_what_fits_the_memory() {
    let mut tracker = Tracker::default();
    for n in 0..30_000u32 {
        let client = format!("10.{}.{}.9", n / 256 % 256, n % 256);
        tracker.ingest(Timestamp(i64::from(n)), &segment((&client, 40_000), SERVER, 0x02, n, 0));
    }
    tracker.begin_flush();
    let mut pieces = Vec::new();
    while tracker.is_flushing() {
        pieces.push(tracker.flush_some(512).len());
    }
    assert_eq!(pieces.iter().sum::<usize>(), 30_000);
    assert!(pieces.iter().all(|rows| *rows < 10_000), "{:?}", pieces.iter().max());
}

/// The packets between two ends, whoever of them the rows call the client, in each hour.
fn packets_by_ends(rows: &[Observation]) -> BTreeMap<(i32, [IpAddr; 2], u16), u64> {
    let mut all = BTreeMap::new();
    for row in rows {
        let mut ends = [row.key.src, row.key.dst];
        ends.sort_unstable();
        for trace in row.traces.iter() {
            let port = trace.src_port.max(row.key.dst_port);
            *all.entry((row.key.hour.0, ends, port)).or_default() += packets(trace);
        }
    }
    all
}

proptest! {
    /// Of few connections, so that they turn their hours, begin anew and leave a full table while a flush goes on.
    #[test]
    fn flushes_in_steps_lose_nothing_and_are_in_order(
        steps in prop::collection::vec((0u16..24, 0usize..5, 0i64..9, 1usize..6), 1..300),
    ) {
        let limits = Limits { connections: 16, ..Limits::default() };
        let (mut by_steps, mut at_once) = (Tracker::new(limits), Tracker::new(limits));
        let (mut seconds, mut rows, mut flushed) = (0, Vec::new(), Vec::new());
        for (port, n, jump, slots) in steps {
            let (client, server) = (("10.0.0.1", 40_000 + port), SERVER);
            let packet = match n {
                0 => segment(client, server, 0x02, u32::from(port), 0),
                1 => segment(server, client, 0x12, 900, u32::from(port) + 1),
                2 => segment(client, server, 0x18, u32::from(port) + 1, 901),
                3 => datagram(client, server, b"one"),
                _ => segment(server, client, 0x18, 901, u32::from(port) + 101),
            };
            seconds += if jump == 8 { 1_800 } else { jump };
            by_steps.ingest(Timestamp::new(seconds, 0), &packet);
            at_once.ingest(Timestamp::new(seconds, 0), &packet);
            if !by_steps.is_flushing() {
                let keys: Vec<&ObservationKey> = flushed.iter().map(|row: &Observation| &row.key).collect();
                prop_assert!(keys.is_sorted_by(|a, b| a < b), "{:?}", keys);
                rows.append(&mut flushed);
                by_steps.begin_flush();
            }
            flushed.extend(by_steps.flush_some(slots));
        }
        rows.append(&mut flushed);
        while by_steps.is_flushing() {
            rows.extend(by_steps.flush_some(2));
        }
        rows.extend(by_steps.flush());
        prop_assert_eq!(packets_by_ends(&rows), packets_by_ends(&at_once.flush()));
    }
}
