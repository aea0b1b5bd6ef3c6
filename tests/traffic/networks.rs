//! Equal addresses in several networks: VLANs, tunnels, and fragments, which tell less of where they belong.

use serde_json::{Value, json};

use crate::common::{
    Flowmap, data,
    frames::{
        CLIENT, Frames, Packet, SERVER, Tunnel, connection, datagram, esp, icmp, seen_again, syn, syn_ack, traffic,
        unreachable,
    },
    rows::{expect, row, rows},
    text,
};

fn in_vlan(packets: Vec<Packet>, vlan: u16) -> Vec<Packet> {
    packets.into_iter().map(|packet| packet.vlans(&[vlan])).collect()
}

/// Packets of two connections in turn.
fn in_turn(one: Vec<Packet>, other: Vec<Packet>) -> impl Iterator<Item = Packet> {
    one.into_iter().zip(other).flat_map(|(one, other)| [one, other])
}

#[test]
fn equal_ends_in_two_vlans_with_unrelated_numbers_are_two_connections() {
    let ten = in_vlan(connection(CLIENT, SERVER, 1_000, 900_000_000), 10);
    let twenty = in_vlan(connection(CLIENT, SERVER, 3_000_000_000, 7), 20);
    let row = "10.0.0.1 > 10.0.0.2:80/TCP established handshake 2 vlans 10,20";
    expect(&[Frames::ethernet(in_turn(ten, twenty))], &[row]);
}

#[test]
fn equal_ends_in_two_vlans_of_two_captures_are_two_connections() {
    let ten = in_vlan(connection(CLIENT, SERVER, 1_000, 900_000_000), 10);
    let twenty = in_vlan(connection(CLIENT, SERVER, 3_000_000_000, 7), 20);
    let row = "10.0.0.1 > 10.0.0.2:80/TCP established handshake 2 vlans 10,20";
    expect(&[Frames::ethernet(ten), Frames::ethernet(twenty)], &[row]);
}

#[test]
fn a_connection_routed_across_two_vlans_of_a_trunk_is_one() {
    let ten = in_vlan(connection(CLIENT, SERVER, 1_000, 2_000), 10);
    let routed = seen_again(ten, |packet| packet.clone().vlans(&[20]).hops(63));
    let row = "10.0.0.1 > 10.0.0.2:80/TCP established handshake 1 vlans 10,20";
    expect(&[Frames::ethernet(routed)], &[row]);
}

#[test]
fn one_datagram_in_two_vlans_is_one_exchange_and_two_datagrams_are_two() {
    let exchange = |id| {
        [
            datagram("10.0.0.1:5353", "10.0.0.2:53", "question").id(id),
            datagram("10.0.0.2:53", "10.0.0.1:5353", "answer"),
        ]
    };
    let routed = seen_again(exchange(7).map(|it| it.vlans(&[10])).to_vec(), |it| it.clone().vlans(&[20]).hops(63));
    let row = |count| format!("10.0.0.1 > 10.0.0.2:53/UDP established port {count} vlans 10,20");
    expect(&[Frames::ethernet(routed)], &[row(1)]);

    let (ten, twenty) = (exchange(7).map(|it| it.vlans(&[10])), exchange(8).map(|it| it.vlans(&[20]).id(9)));
    expect(&[Frames::ethernet(in_turn(ten.to_vec(), twenty.to_vec()))], &[row(2)]);
}

#[test]
fn a_priority_tag_makes_no_other_network() {
    let cases: [(&[u16], &[u16], &str); 4] = [
        (&[0xa000], &[], " vlans 0"),
        (&[100, 0xe000], &[100], " vlans 100,100.0"),
        (&[0x6000, 20], &[20], " vlans 0.20,20"),
        (&[0, 0], &[], " vlans 0.0"),
    ];
    for (priority, plain, vlans) in cases {
        // a phone tags what is urgent, and what answers it tags nothing
        let packets = [
            datagram("10.0.0.1:5060", "10.0.0.2:5061", "invite").vlans(priority).at(1.0),
            datagram("10.0.0.2:5061", "10.0.0.1:5060", "ringing").vlans(plain).at(2.0),
            datagram("10.0.0.1:5060", "10.0.0.2:5061", "cancel").vlans(plain).at(3.0),
            datagram("10.0.0.2:5061", "10.0.0.1:5060", "done").vlans(priority).at(4.0),
        ];
        let row = format!("10.0.0.1 > 10.0.0.2:5061/UDP established order 1{vlans}");
        expect(&[Frames::ethernet(packets.clone())], &[&row]);
        expect(&packets.map(|packet| Frames::ethernet([packet])), &[&row]);
        let packets = [priority, plain].map(|tags| esp("10.0.0.1", "10.0.0.2").vlans(tags));
        let row = format!("10.0.0.1 > 10.0.0.2:0/ESP oneway order 1{vlans}");
        expect(&[Frames::ethernet(packets)], &[row]);
    }
}

#[test]
fn equal_ends_in_two_networks_of_a_tunnel_with_unrelated_numbers_are_two_connections() {
    let networks: [fn(u32) -> Tunnel; 3] = [Tunnel::Geneve, |network| Tunnel::Vxlan(4_789, network), Tunnel::Gre];
    for tunnel in networks {
        let within = |packets: Vec<Packet>, network| packets.into_iter().map(move |it| it.through(tunnel(network)));
        let one: Vec<Packet> = within(connection(CLIENT, SERVER, 1_000, 900_000_000), 1).collect();
        let other: Vec<Packet> = within(connection(CLIENT, SERVER, 3_000_000_000, 7), 2).collect();
        let row = "10.0.0.1 > 10.0.0.2:80/TCP established handshake 2";
        expect(&[Frames::ethernet(in_turn(one.clone(), other.clone()))], &[row]);
        expect(&[Frames::ethernet(one), Frames::ethernet(other)], &[row]);
    }
}

#[test]
fn one_connection_in_several_tunnels_and_outside_of_them_is_one() {
    let row = "10.0.0.1 > 10.0.0.2:80/TCP established handshake 1";
    let plain = || connection(CLIENT, SERVER, 1_000, 2_000);
    let into = seen_again(plain(), |it| it.clone().through(Tunnel::Geneve(5)).hops(63));
    expect(&[Frames::ethernet(into)], &[row]);
    let first: Vec<Packet> = plain().into_iter().map(|it| it.through(Tunnel::Geneve(5))).collect();
    let across = seen_again(first, |it| it.clone().through(Tunnel::Vxlan(8_472, 9)).hops(63));
    expect(&[Frames::ethernet(across)], &[row]);
    let routed = seen_again(in_vlan(plain(), 10), |it| it.clone().through(Tunnel::Gre(9)).vlans(&[20]).hops(63));
    expect(&[Frames::ethernet(routed)], &["10.0.0.1 > 10.0.0.2:80/TCP established handshake 1 vlans 10"]);
}

#[test]
fn a_port_of_vxlan_that_is_not_the_usual_is_read_where_it_is_named() {
    let flowmap = Flowmap::new();
    let packets = connection(CLIENT, SERVER, 1_000, 2_000).into_iter().map(|it| it.through(Tunnel::Vxlan(9_999, 1)));
    flowmap.write("it.pcap", Frames::ethernet(packets).bytes());
    let listed = |args: &[&str]| -> Vec<String> {
        flowmap.json(&[&["flows", "--by", "address"], args].concat()).as_array().unwrap().iter().map(row).collect()
    };
    let inside = ["10.0.0.1 > 10.0.0.2:80/TCP established handshake 1"];
    let outside = ["192.0.2.1 > 192.0.2.2:9999/UDP oneway port 1"];
    assert_eq!(listed(&["--from", "it.pcap"]), outside);
    assert_eq!(listed(&["--vxlan-port", "9998", "--vxlan-port", "9999", "--from", "it.pcap"]), inside);
    flowmap.ok(&["import", "--vxlan-port", "9999", "it.pcap"]);
    assert_eq!(listed(&[]), inside);
    // other ports are no other capture: how to read it anew is told
    let again = flowmap.ok(&["import", "--vxlan-port", "9998", "it.pcap"]).stderr;
    let hint = again.lines().find_map(|line| line.split("take it back first: flowmap ").nth(1)).unwrap().to_owned();
    flowmap.ok(&hint.split(' ').collect::<Vec<_>>());
    assert!(!flowmap.ok(&["import", "it.pcap"]).stderr.contains("already in the store"));
    let refused = flowmap.run(&["import", "--vxlan-port", "0", "it.pcap"]);
    assert_eq!(refused.code, 2, "{refused:?}");
}

// --- fragments ---------------------------------------------------------------------------------------------------------

/// A datagram of 3,000 bytes in three fragments.
fn in_fragments(id: u16) -> Vec<Packet> {
    datagram("10.0.0.1:40000", "10.0.0.2:514", &"x".repeat(3_000)).id(id).fragments(1_480)
}

#[test]
fn all_fragments_of_a_datagram_count_to_its_flow() {
    let flowmap = Flowmap::new();
    flowmap.write("it.pcap", Frames::ethernet(in_fragments(7)).bytes());
    let flows = flowmap.json(&["flows", "--by", "address", "--from", "it.pcap"]);
    assert_eq!(row(&flows[0]), "10.0.0.1 > 10.0.0.2:514/UDP oneway port 1");
    assert_eq!((&flows[0]["packets"], &flows[0]["bytes_to_server"]), (&3.into(), &(3_008 + 3 * 20).into()));
    assert_eq!(flows.as_array().unwrap().len(), 1);
}

#[test]
fn one_fragmented_datagram_in_two_vlans_is_one_exchange_and_two_are_two() {
    let row = |count| format!("10.0.0.1 > 10.0.0.2:514/UDP oneway port {count} vlans 10,20");
    let tagged = |packets: Vec<Packet>, vlan: u16| in_vlan(packets, vlan);
    let routed = [tagged(in_fragments(7), 10), tagged(in_fragments(7), 20)];
    expect(&[Frames::ethernet(routed.concat())], &[row(1)]);
    let [ten, twenty] = routed;
    expect(&[Frames::ethernet(in_turn(ten.clone(), twenty))], &[row(1)]);
    expect(&[Frames::ethernet(in_turn(ten, tagged(in_fragments(8), 20)))], &[row(2)]);
}

/// The link behind a router may have another MTU.
#[test]
fn a_datagram_that_is_whole_or_in_other_fragments_elsewhere_is_one() {
    let whole = || datagram("10.0.0.1:40000", "10.0.0.2:514", &"x".repeat(3_000)).id(7);
    let row = "10.0.0.1 > 10.0.0.2:514/UDP oneway port 1 vlans 10,20";
    for near in [vec![whole()], whole().fragments(2_000)] {
        let [near, far] = [in_vlan(near, 10), in_vlan(whole().hops(63).fragments(800), 20)];
        expect(&[Frames::ethernet([near.clone(), far.clone()].concat())], &[row]);
        expect(&[Frames::ethernet(near), Frames::ethernet(far)], &[row]);
    }
}

#[test]
fn a_packet_inside_of_a_fragmented_one_counts_once_with_its_whole_length() {
    for tunnel in [Tunnel::Vxlan(4_789, 7), Tunnel::Geneve(7), Tunnel::Gre(7)] {
        let inner = datagram("10.0.0.1:40000", "10.0.0.2:514", &"x".repeat(3_000));
        let flowmap = Flowmap::new();
        flowmap.write("it.pcap", Frames::ethernet(inner.carried_by(tunnel).id(9).fragments(800)).bytes());
        let flows = flowmap.json(&["flows", "--by", "address", "--from", "it.pcap"]);
        let [flow] = &flows.as_array().unwrap()[..] else { panic!("{flows}") };
        assert_eq!(row(flow), "10.0.0.1 > 10.0.0.2:514/UDP oneway port 1");
        assert_eq!((&flow["packets"], &flow["bytes_to_server"]), (&json!(1), &json!(3_028)));
        let told = flowmap.ok(&["import", "it.pcap"]).stderr;
        assert!(told.starts_with("it.pcap: 4 packets, 4 decoded"), "{told}");
    }
}

#[test]
fn fragments_whose_first_was_not_captured_are_counted_and_make_no_flow() {
    let flowmap = Flowmap::new();
    let packets = in_fragments(7).into_iter().skip(1).chain(in_fragments(8));
    flowmap.write("it.pcap", Frames::ethernet(packets).bytes());
    let said = flowmap.ok(&["import", "it.pcap"]).stderr;
    assert!(
        said.contains(
            "5 packets, 3 decoded (fragments 3, udp 3), not decoded: ipv4: fragment whose first part was not seen 2"
        ),
        "{said}"
    );
    let flows = flowmap.json(&["flows", "--by", "address"]);
    assert_eq!((flows.as_array().unwrap().len(), &flows[0]["packets"]), (1, &3.into()));
}

#[test]
fn requests_and_replies_in_different_vlans_are_one_exchange() {
    let Some(data) = data() else { return };
    // ten resolvers asked once each; the requests of the first four come in VLAN 100, of the others in 300
    let capture = data.join("pcaps/vlan/trex-core__bp_sim_dns_vlans.pcap");
    let expected = [(1..=4, "100,200"), (5..=9, "300,400")].into_iter().flat_map(|(hosts, vlans)| {
        hosts.map(move |host| format!("16.0.0.{host} > 48.0.0.{host}:53/UDP established port 1 vlans {vlans}"))
    });
    assert_eq!(rows(&Flowmap::new(), &[text(&capture)]), expected.collect::<Vec<_>>());
}

#[test]
fn replies_alone_make_one_way_connections_to_who_sent_them() {
    let Some(data) = data() else { return };
    let capture = text(&data.join("pcaps/midstream/pcapplusplus__650HttpResponses.pcap"));
    let flows = Flowmap::new().json(&["flows", "--by", "address", "--from", &capture]);
    let flows = flows.as_array().unwrap();
    assert_eq!(flows.iter().map(|flow| flow["connections"].as_u64().unwrap()).sum::<u64>(), 284);
    assert_eq!(flows.iter().map(|flow| flow["packets"].as_u64().unwrap()).sum::<u64>(), 682);
    for flow in flows {
        assert_eq!(
            (&flow["client"]["name"], &flow["port"], &flow["outcome"]),
            (&"10.0.0.1".into(), &80.into(), &"oneway".into())
        );
        assert_ne!(flow["direction"], "unknown", "{flow}");
        assert_eq!(flow["bytes_to_server"], 0, "{flow}");
    }
}

#[test]
fn who_asked_first_in_one_hour_is_the_client_also_in_the_next() {
    let packets = [
        datagram("10.0.0.1:5060", "10.0.0.2:5061", "invite").at(3_590.0),
        datagram("10.0.0.2:5061", "10.0.0.1:5060", "ringing").at(3_601.0),
        datagram("10.0.0.1:5060", "10.0.0.2:5061", "cancel").at(3_602.0),
    ];
    let row = "10.0.0.1 > 10.0.0.2:5061/UDP established order 1";
    expect(&[Frames::ethernet(packets.clone())], &[row]);
    let [first, rest @ ..] = packets;
    expect(&[Frames::ethernet([first]), Frames::ethernet(rest)], &[row]);
}

fn flows(frames: &Frames) -> Vec<Value> {
    let flowmap = Flowmap::new();
    flowmap.write("it.pcap", frames.bytes());
    flowmap.json(&["flows", "--by", "address", "--from", "it.pcap"]).as_array().unwrap().clone()
}

fn total(frames: &Frames, key: &str) -> u64 {
    flows(frames).iter().map(|flow| flow[key].as_u64().unwrap()).sum()
}

#[test]
fn an_answer_in_one_network_is_none_in_another() {
    let ask = |vlan| icmp("10.0.0.1", "10.0.0.2", 8).vlans(&[vlan]);
    let answer = |vlan| icmp("10.0.0.2", "10.0.0.1", 0).vlans(&[vlan]);
    let ping = "10.0.0.1 > 10.0.0.2:0/ICMP";
    let [one_answers, both_answer] = [vec![answer(20)], vec![answer(20), answer(10)]].map(|answers| {
        let packets: Vec<Packet> = [ask(10), ask(20)].into_iter().chain(answers).collect();
        Frames::ethernet(packets)
    });
    let rows = [format!("{ping} established order 1 vlans 20"), format!("{ping} unanswered order 1 vlans 10")];
    expect(&[one_answers], &[&rows[0], &rows[1]]);
    expect(&[both_answer], &[format!("{ping} established order 2 vlans 10,20")]);

    // what is sent in one network is no answer to an opening in another that it acknowledges nothing of
    let data = (0..4).map(|n| traffic(SERVER, CLIENT, 3_000_000_000 + n * 100, 4_000_000_000, 100).vlans(&[20]));
    let opened = vec![syn(CLIENT, SERVER, 777).vlans(&[10])];
    let rows = [
        "10.0.0.1 > 10.0.0.2:80/TCP unanswered handshake 1 vlans 10",
        "10.0.0.1 > 10.0.0.2:80/TCP oneway port 1 vlans 20",
    ];
    expect(&[Frames::ethernet(opened.into_iter().chain(data))], &rows);
    // and half a connection in one is not the opening of another
    let halves = (0..4).map(|n| traffic(CLIENT, SERVER, 3_000_000_000 + n * 100, 4_000_000_000, 100).vlans(&[10]));
    let whole = in_vlan(connection(CLIENT, SERVER, 1_000, 2_000), 20);
    let rows = [
        "10.0.0.1 > 10.0.0.2:80/TCP established handshake 1 vlans 20",
        "10.0.0.1 > 10.0.0.2:80/TCP oneway listener 1 vlans 10",
    ];
    expect(&[Frames::ethernet(in_turn(halves.collect(), whole.clone()).chain(whole[4..].to_vec()))], &rows);
}

/// The way back may be another: what it acknowledges tells whose it is.
#[test]
fn two_connections_whose_answers_come_in_further_networks_are_two() {
    let split = |packets: Vec<Packet>, [there, back]: [u16; 2]| -> Vec<Packet> {
        let vlan = |packet: &Packet| if packet.is_from(CLIENT) { there } else { back };
        packets.into_iter().map(|packet| packet.clone().vlans(&[vlan(&packet)])).collect()
    };
    let one = split(connection(CLIENT, SERVER, 1_000, 900_000_000), [10, 11]);
    let other = split(connection(CLIENT, SERVER, 3_000_000_000, 7), [20, 21]);
    let frames = Frames::ethernet(in_turn(one, other));
    assert_eq!((total(&frames, "connections"), total(&frames, "packets")), (2, 14));
}

#[test]
fn datagrams_of_one_way_are_told_apart_whichever_way_they_go() {
    for [from, to] in [["10.0.0.1:514", "10.0.0.2:514"], ["10.0.0.2:514", "10.0.0.1:514"]] {
        let log = |vlan: u16, n: u16| datagram(from, to, &format!("{vlan} {n}")).id(vlan * 10 + n).vlans(&[vlan]);
        let frames = Frames::ethernet((0..5).flat_map(|n| [log(10, n), log(20, n)]));
        assert_eq!((total(&frames, "connections"), total(&frames, "packets")), (2, 10), "{from}");
        let hours = Frames::ethernet((0..5u16).map(|n| datagram(from, to, "x").id(n + 1).at(f64::from(n) * 100.0)));
        assert_eq!((total(&hours, "connections"), total(&hours, "packets")), (5, 5), "{from}");
    }
}

#[test]
fn who_was_refused_once_and_goes_on_is_not_refused() {
    let log =
        |n: u16| datagram("10.0.0.1:40000", "10.0.0.2:514", &format!("log {n}")).id(n + 1).at(f64::from(n) * 15.0);
    let refused = |n: u16| unreachable("10.0.0.2", &log(n), 60).at(f64::from(n) * 15.0 + 0.001);
    let outcome = |errors: &[u16]| {
        let frames = (0..30u16).flat_map(|n| [Some(log(n)), errors.contains(&n).then(|| refused(n))]).flatten();
        flows(&Frames::ethernet(frames))[0]["outcome"].clone()
    };
    assert_eq!(outcome(&[7]), "oneway", "the collector was started again");
    assert_eq!(outcome(&(0..30).collect::<Vec<_>>()), "refused");
    assert_eq!(outcome(&[29]), "refused", "and is gone at the end");
    // an error in one network says nothing of another
    let in_two = |n| {
        [
            log(n).vlans(&[10]),
            refused(n).vlans(&[10]),
            datagram("10.0.0.1:40000", "10.0.0.2:514", &format!("other {n}"))
                .id(n + 1_000)
                .vlans(&[20])
                .at(f64::from(n) * 15.0 + 0.002),
        ]
    };
    let rows =
        ["10.0.0.1 > 10.0.0.2:514/UDP oneway port 1 vlans 20", "10.0.0.1 > 10.0.0.2:514/UDP refused port 1 vlans 10"];
    expect(&[Frames::ethernet((0..30).flat_map(in_two))], &rows);
}

/// RFC 7413: the SYN-ACK acknowledges the data of the SYN, too.
#[test]
fn an_opening_with_data_is_one_connection_wherever_it_is_seen() {
    let (a, b) = (1_101, 9_001);
    let opened = [
        syn(CLIENT, SERVER, 1_000),
        syn_ack(SERVER, CLIENT, 9_000, a),
        traffic(CLIENT, SERVER, a, b, 0),
        traffic(SERVER, CLIENT, b, a, 300),
    ];
    let routed = seen_again(in_vlan(opened.to_vec(), 10), |packet| packet.clone().vlans(&[20]).hops(63));
    let row = "10.0.0.1 > 10.0.0.2:80/TCP established handshake 1 vlans 10,20";
    expect(&[Frames::ethernet(routed)], &[row]);
    let plain = "10.0.0.1 > 10.0.0.2:80/TCP established handshake 1";
    let again = seen_again(opened.to_vec(), Packet::clone);
    expect(&[Frames::ethernet(again)], &[plain]);
    // each way in a capture of its own
    let ways = [CLIENT, SERVER].map(|end| opened.iter().filter(|packet| packet.is_from(end)).cloned());
    expect(&ways.map(Frames::ethernet), &[plain]);
    // what nobody went on with is another attempt
    let [asked, agreed] = [&opened[..1], &opened[1..2]].map(|packets| Frames::ethernet(packets.to_vec()));
    let rows = ["unanswered", "established"].map(|it| format!("10.0.0.1 > 10.0.0.2:80/TCP {it} handshake 1"));
    expect(&[asked, agreed], &rows);
}

#[test]
fn a_capture_that_goes_on_long_after_an_opening_with_data_changes_nothing_of_it() {
    let (a, b) = (1_101, 9_001);
    let opened = [
        syn(CLIENT, SERVER, 1_000),
        syn_ack(SERVER, CLIENT, 9_000, a),
        traffic(CLIENT, SERVER, a, b, 0),
        traffic(SERVER, CLIENT, b, a, 300),
    ];
    let opened = opened.into_iter().zip(0..).map(|(packet, n)| packet.at(100.0 + f64::from(n) * 0.01));
    let other = |n: u16, at_s: f64| datagram("10.0.0.1:514", "10.0.0.2:514", &format!("log {n}")).id(n).at(at_s);
    let opened: Vec<Packet> = opened.collect();
    let rows = ["10.0.0.1 > 10.0.0.2:514/UDP oneway order 2", "10.0.0.1 > 10.0.0.2:80/TCP established handshake 1"];
    for before in 24..34 {
        let early = (0..before).map(|n| other(n, f64::from(n) * 0.1));
        let packets = early.chain(opened.clone()).chain([other(99, 9_000.0)]);
        expect(&[Frames::ethernet(packets)], &rows);
    }
}

#[test]
fn a_stream_of_datagrams_that_is_met_in_the_middle_at_two_places_is_one() {
    let sent = |n: u16, vlan: u16| {
        datagram("10.0.0.1:16384", "10.1.0.2:16384", &format!("voice {n:04}")).id(n + 1).vlans(&[vlan])
    };
    // two at a time, each seen in one network and then in the other
    let burst = |n: u16| [(n, 10), (n + 1, 10), (n, 20), (n + 1, 20)];
    let all: Vec<Packet> = (0..20).step_by(2).flat_map(burst).map(|(n, vlan)| sent(n, vlan)).collect();
    for missed in 0..5 {
        let frames = Frames::ethernet(all[missed..].to_vec());
        let packets = total(&frames, "packets");
        assert_eq!(total(&frames, "connections"), 1, "without the first {missed}");
        assert!((18..=20).contains(&packets), "without the first {missed}: {packets}");
    }
}

#[test]
fn equal_ends_in_a_hundred_vlans_of_a_trunk_are_a_hundred_connections() {
    let asked = |vlan: u16| datagram("10.0.0.1:500", "10.0.0.2:500", &format!("hello {vlan}")).id(vlan).vlans(&[vlan]);
    let frames = Frames::ethernet((1..=100).chain(1..=100).map(asked));
    assert_eq!((total(&frames, "connections"), total(&frames, "packets")), (100, 200));
}
