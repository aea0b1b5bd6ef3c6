use proptest::prelude::*;

use super::*;
use crate::{
    decode::{TunnelStack, VlanStack},
    model::{Flags, Trace, TraceSet},
};

const CLIENT: (&str, u16) = ("10.0.0.1", 40_000);
const SERVER: (&str, u16) = ("10.0.0.2", 443);

/// A TCP segment, as the decoder would give it.
fn segment(src: (&str, u16), dst: (&str, u16), flags: u8, sequence: u32, acknowledgment: u32) -> Packet<'static> {
    Packet {
        vlans: VlanStack::default(),
        tunnels: TunnelStack::default(),
        point: 1,
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

/// One packet a millisecond.
fn observe(packets: &[Packet<'_>]) -> Vec<Observation> {
    let mut tracker = Tracker::default();
    for (n, packet) in packets.iter().enumerate() {
        tracker.ingest(Timestamp(i64::try_from(n).unwrap() * 1_000_000), packet);
    }
    tracker.finish()
}

fn only(observations: &[Observation]) -> (&Observation, Trace) {
    let [observation] = observations else { panic!("{observations:#?}") };
    let traces: Vec<_> = observation.traces.iter().collect();
    let [trace] = traces[..] else { panic!("{traces:#?}") };
    (observation, *trace)
}

#[test]
fn a_handshake_tells_the_client_and_the_outcome() {
    let observations = observe(&handshake());
    let (observation, trace) = only(&observations);
    assert_eq!((observation.key.opening, observation.key.dst_port), (Opening::Seen, 443));
    assert_eq!((trace.src_port, trace.identity, trace.answer, trace.packets), (40_000, 100, 900, 5));
    assert_eq!((trace.bytes_to_dst, trace.bytes_to_src), (120, 80));
    assert!(trace.flags.has(Flags(Flags::ASKED.0 | Flags::AGREED.0 | Flags::PAYLOAD.0)));
}

#[test]
fn packets_seen_at_several_points_count_once() {
    let mut tracker = Tracker::default();
    for (n, packet) in handshake().into_iter().enumerate() {
        let time = Timestamp(i64::try_from(n).unwrap() * 1_000_000);
        tracker.ingest(time, &packet);
        tracker.ingest(time, &Packet { point: 2, ..packet });
    }
    assert_eq!(tracker.finish(), observe(&handshake()));
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
    assert_eq!((observation.key.vlans.as_str(), trace.packets), ("10,20", 5));
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

#[test]
fn an_icmp_error_refuses_the_attempt_that_it_answers() {
    let attempt = Attempt {
        src: CLIENT.0.parse().unwrap(),
        dst: SERVER.0.parse().unwrap(),
        protocol: Protocol::UDP,
        src_port: CLIENT.1,
        dst_port: SERVER.1,
    };
    let error = Packet { transport: Transport::Unreachable(attempt), ..segment(SERVER, CLIENT, 0, 0, 0) };
    let observations = observe(&[datagram(CLIENT, SERVER, b"hello"), error]);
    assert!(only(&observations).1.flags.has(Flags::REFUSED));
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
        assert_eq!((observation.key.opening, observation.key.dst_port), (Opening::Open, 443));
        assert_eq!(trace.src_port, 40_000);
        assert_eq!(trace.flags.has(Flags::SRC_FIRST), packets.len() == 2);
    }
}

#[test]
fn datagrams_after_a_long_silence_are_a_new_exchange() {
    let mut tracker = Tracker::default();
    for second in [0, 1, 30, 200] {
        tracker.ingest(Timestamp::new(second, 0), &datagram(CLIENT, ("10.0.0.2", 53), b"question"));
        let answer = if second == 200 { b"reply 2." } else { b"reply 1." };
        tracker.ingest(Timestamp::new(second, 5), &datagram(("10.0.0.2", 53), CLIENT, answer));
    }
    let observations = tracker.finish();
    // the same question again is told from the first by nothing but time
    assert_eq!(observations[0].traces.iter().map(|trace| trace.packets).sum::<u64>(), 8);
}

#[test]
fn an_hour_ends_in_the_middle_of_a_connection() {
    let mut tracker = Tracker::default();
    for (n, packet) in handshake().iter().enumerate() {
        tracker.ingest(Timestamp::new(3_598 + i64::try_from(n).unwrap(), 0), packet);
    }
    let observations = tracker.finish();
    let packets: Vec<_> =
        observations.iter().map(|o| (o.key.hour.0, o.traces.iter().next().unwrap().packets)).collect();
    assert_eq!(packets, [(0, 2), (1, 3)]);
    let ids: Vec<_> = observations.iter().map(|o| o.traces.iter().next().unwrap().id()).collect();
    assert_eq!(ids[0], ids[1]);
}

#[test]
fn a_full_table_writes_out_early_and_loses_nothing() {
    let mut tracker = Tracker::new(Limits { connections: 16, ..Limits::default() });
    for port in 1_000..1_100 {
        tracker.ingest(Timestamp(i64::from(port)), &segment(("10.0.0.1", port), SERVER, 0x02, u32::from(port), 0));
    }
    assert!(tracker.live() <= 16 && tracker.evicted() >= 84, "{} {}", tracker.live(), tracker.evicted());
    assert_eq!(tracker.finish()[0].traces.total(), 100);
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
        let mut joined = TraceSet::default();
        for part in &parts {
            for trace in part.traces.iter() {
                joined.append(*trace);
            }
        }
        let whole = observe(&handshake());
        prop_assert_eq!(joined, whole[0].traces.clone());
    }
}
