//! `flowmap segments`: VLANs, subnets, gateways and borders, on the captures of the enterprise lab and on frames by hand.

use std::{collections::BTreeSet, path::PathBuf};

use serde_json::{Value, json};

use crate::common::{
    Flowmap, data,
    links::{VIRTUAL, Wire},
    pcap::Pcap,
    text,
};

const TRUNK: &str = "enterprise_multi_host/ent-lab-A__trunk_8021q.pcap";
const ROUTER: &str = "enterprise_multi_host/ent-lab-A__router_any_sll.pcap";
const SWITCH: &str = "enterprise_multi_host/ent-lab-A__switchA_any_sll2.pcap";
const ACCESS: &str = "vlan/ent-lab-A__ws1_access_port.pcap";

fn lab(name: &str) -> Option<PathBuf> {
    data().map(|data| data.join("pcaps").join(name))
}

/// What `segments` says of captures, of the one site that there is.
fn segments(files: &[&str]) -> Value {
    let args = [&["segments", "--from"], files].concat();
    only(&Flowmap::new().json(&args))
}

fn only(sites: &Value) -> Value {
    let [site] = &sites.as_array().unwrap()[..] else { panic!("{sites}") };
    site.clone()
}

/// What it says of frames.
pub(super) fn of(wire: &Wire) -> Value {
    let flowmap = Flowmap::new();
    flowmap.write("wire.pcap", wire.bytes());
    only(&flowmap.json(&["segments", "--from", "wire.pcap"]))
}

fn words(values: &Value, key: &str) -> Vec<String> {
    values.as_array().unwrap().iter().map(|it| it[key].as_str().unwrap_or("?").to_owned()).collect()
}

/// `name: subnets; gateways`, a line for each segment.
fn told(site: &Value) -> Vec<String> {
    let line = |it: &Value| {
        let subnets = words(&it["subnets"], "prefix").join(" ");
        let addresses = it["gateways"].as_array().unwrap().iter().flat_map(|it| it["addresses"].as_array().unwrap());
        let gateways: Vec<&str> = addresses.filter_map(Value::as_str).filter(|it| !it.starts_with("fe80")).collect();
        format!("{}: {subnets}; {}", it["name"].as_str().unwrap(), gateways.join(" "))
    };
    site["segments"].as_array().unwrap().iter().map(line).collect()
}

/// `from > to connections+attempts ports`, a line for each border that is crossed.
fn crossed(site: &Value) -> Vec<String> {
    let line = |it: &Value| {
        let ports: Vec<&str> = it["ports"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        let [from, to] = ["from", "to"].map(|key| it[key].as_str().unwrap());
        format!("{from} > {to} {}+{} {}", it["connections"], it["attempts"], ports.join(" "))
    };
    site["crossings"].as_array().unwrap().iter().map(line).collect()
}

/// `segment: address macs`, a line for each who lives somewhere.
fn living(site: &Value) -> Vec<String> {
    let line = |segment: &Value, host: &Value| {
        let macs: Vec<&str> = host["macs"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        let [name, address] = [&segment["name"], &host["address"]].map(|it| it.as_str().unwrap());
        format!("{name}: {address} {}", macs.join(" "))
    };
    let segments = site["segments"].as_array().unwrap().iter();
    segments.flat_map(|it| it["hosts"].as_array().unwrap().iter().map(move |host| line(it, host))).collect()
}

/// `kind: what`, a line for each finding.
pub(super) fn found(site: &Value) -> Vec<String> {
    let line = |it: &Value| format!("{}: {}", it["kind"].as_str().unwrap(), it["what"].as_str().unwrap());
    site["findings"].as_array().unwrap().iter().map(line).collect()
}

// --- the enterprise lab ----------------------------------------------------------------------------------------------

const VLANS: [&str; 5] = [
    "10: 10.1.10.0/24 fd00:10::/64; 10.1.10.1 fd00:10::1",
    "20: 10.1.20.0/24 fd00:20::/64; 10.1.20.1 fd00:20::1",
    "30: 10.1.30.0/24; 10.1.30.1",
    "40: 10.1.40.0/24; 10.1.40.1",
    "99: 10.1.99.0/24; 10.1.99.1",
];

/// By the scenario: three rounds, and one attempt at 10.1.30.31:22.
const BORDERS: [&str; 7] = [
    "10 > 20 12+0 443/TCP 8080/TCP",
    "10 > 30 9+1 22/TCP 445/TCP",
    "10 > 40 9+0 9100/TCP",
    "20 > 30 6+0 1433/TCP 5432/TCP",
    "20 > 99 6+0 514/UDP",
    "30 > 99 6+0 514/UDP",
    "99 > 20 6+0 443/TCP 8080/TCP",
];

#[test]
fn a_trunk_tells_vlans_subnets_routers_and_who_crosses() {
    let Some(trunk) = lab(TRUNK) else { return };
    let site = segments(&[&text(&trunk)]);
    assert_eq!(words(&site["points"], "kind"), ["trunk"]);
    let stacks = words(&site["points"][0]["stacks"], "vlans");
    assert_eq!(stacks, ["", "10", "20", "30", "40", "99"]);
    assert_eq!(told(&site), VLANS);
    assert_eq!(crossed(&site), BORDERS);
    assert_eq!(found(&site), [""; 0]);
}

#[test]
fn an_access_port_is_told_from_a_trunk_and_says_nothing_of_other_segments() {
    let Some(access) = lab(ACCESS) else { return };
    let site = segments(&[&text(&access)]);
    assert_eq!(words(&site["points"], "kind"), ["access"]);
    assert!(site["points"][0]["reason"].as_str().unwrap().contains("10.1.10.11"), "{site}");
    assert_eq!(told(&site), ["10.1.10.0/24: 10.1.10.0/24 fd00:10::/64; 10.1.10.1 fd00:10::1"]);
    assert_eq!((crossed(&site), &site["segments"][0]["vlan"]), (vec![], &Value::Null));
    assert!(site["unknown"].as_u64().unwrap() > 0, "connections that leave go where nobody knows: {site}");
}

#[test]
fn where_tags_were_lost_subnets_are_the_segments() {
    for capture in [ROUTER, SWITCH] {
        let Some(capture) = lab(capture) else { return };
        let site = segments(&[&text(&capture)]);
        assert_eq!(words(&site["points"], "kind").into_iter().collect::<BTreeSet<_>>(), ["cooked".to_owned()].into());
        let without_vlans = VLANS.map(|line| {
            let rest = line.split_once(": ").unwrap().1;
            format!("{}: {rest}", rest.split([' ', ';']).next().unwrap())
        });
        assert_eq!(told(&site), without_vlans, "{}", capture.display());
        assert_eq!(crossed(&site).len(), BORDERS.len());
    }
}

#[test]
fn vlans_that_are_mirrored_without_tags_are_several_segments_also_where_their_router_has_one_mac() {
    const ROUTER: u32 = 99;
    let hosts = [(1, "10.1.10.50"), (2, "10.1.10.51"), (3, "10.1.20.11"), (4, "10.1.20.12")];
    let mut wire = Wire::new();
    for (station, address) in hosts {
        let gateway = if address.starts_with("10.1.10") { "10.1.10.1" } else { "10.1.20.1" };
        wire.arp(&[], station, address, gateway).arp(&[], ROUTER, gateway, address);
    }
    for (pc, from) in &hosts[..2] {
        for (server, to) in &hosts[2..] {
            wire.ip(&[], (*pc, ROUTER), (from, to), 64).ip(&[], (ROUTER, *server), (from, to), 63);
            wire.ip(&[], (*server, ROUTER), (to, from), 64).ip(&[], (ROUTER, *pc), (to, from), 63);
        }
    }
    let site = of(&wire);
    assert_eq!(words(&site["points"], "kind"), ["untagged"]);
    let gateways = "10.1.10.1 10.1.20.1";
    assert_eq!(told(&site), ["10.1.10.0/24", "10.1.20.0/24"].map(|subnet| format!("{subnet}: {subnet}; {gateways}")));
    assert_eq!(crossed(&site).len(), 2, "{site}");
    let flowmap = Flowmap::new();
    flowmap.write("wire.pcap", wire.bytes());
    let table = flowmap.ok(&["segments", "--from", "wire.pcap"]).stdout;
    for row in ["10.1.10.0/24  arp  10.1.10.1 (02:", "10.1.20.0/24  arp  10.1.20.1 (02:"] {
        assert!(table.contains(row), "{table}");
    }
    // at the router's port in one of them the other side comes by once, from the router alone
    let mut wire = Wire::new();
    for (station, address) in &hosts[..2] {
        wire.arp(&[], *station, address, "10.1.10.1").arp(&[], ROUTER, "10.1.10.1", address);
        wire.ip(&[], (*station, ROUTER), (address, "10.1.20.11"), 64);
        wire.ip(&[], (ROUTER, *station), ("10.1.20.11", address), 63);
    }
    assert_eq!(words(&of(&wire)["points"], "kind"), ["access"]);
}

#[test]
fn points_that_saw_the_same_segments_are_put_together_in_any_order() {
    let (Some(trunk), Some(router), Some(access)) = (lab(TRUNK), lab(ROUTER), lab(ACCESS)) else { return };
    let files = [trunk, router, access].map(|path| text(&path));
    let [a, b, c] = [&files[0][..], &files[1][..], &files[2][..]];
    let site = segments(&[a, b, c]);
    assert_eq!(told(&site), VLANS);
    assert_eq!(crossed(&site), BORDERS);
    assert_eq!(site, segments(&[c, a, b]));
}

#[test]
fn a_capture_in_parts_and_twice_tells_what_the_whole_does() {
    let Some(trunk) = lab(TRUNK) else { return };
    let whole = segments(&[&text(&trunk)]);
    let parts = Pcap::read(&trunk).cut([300, 301, 900].into_iter());
    let flowmap = Flowmap::new();
    for _ in 0..2 {
        for (n, part) in parts.iter().enumerate().rev() {
            flowmap.write(&format!("{n}.pcap"), part.bytes());
            flowmap.ok(&["import", "--sensor", "trunk", &format!("{n}.pcap")]);
        }
    }
    let site = only(&flowmap.json(&["segments"]));
    for key in ["crossings", "within", "unknown", "findings"] {
        assert_eq!(site[key], whole[key], "{key}");
    }
    assert_eq!(told(&site), told(&whole));
}

#[test]
fn a_run_that_is_taken_back_takes_what_it_said_of_links() {
    let Some(trunk) = lab(TRUNK) else { return };
    let flowmap = Flowmap::new();
    flowmap.ok(&["import", &text(&trunk)]);
    let run = flowmap.json(&["runs"])[0]["id"].as_str().unwrap().to_owned();
    flowmap.ok(&["runs", "rm", &run]);
    assert_eq!(flowmap.json(&["segments"]), json!([]));
}

#[test]
fn its_table_fits_a_terminal() {
    let Some(trunk) = lab(TRUNK) else { return };
    let table = Flowmap::new().ok(&["segments", "--from", &text(&trunk)]).stdout;
    assert!(table.lines().all(|line| line.chars().count() <= 100), "{table}");
    assert!(table.contains("10.1.10.1 (6a:10:51:db:8e:5b)"), "{table}");
}

// --- frames by hand --------------------------------------------------------------------------------------------------

#[test]
fn a_host_in_two_vlans_is_found_and_a_router_is_none() {
    let mut wire = Wire::new();
    for (vlan, net) in [(10, "10.0.10"), (20, "10.0.20")] {
        wire.arp(&[vlan], 9, &format!("{net}.1"), &format!("{net}.7"));
        wire.arp(&[vlan], 7, &format!("{net}.7"), &format!("{net}.1"));
    }
    // packets of a host in the one reach the other by the router, one hop on
    wire.arp(&[10], 5, "10.0.10.5", "10.0.10.1");
    wire.ip(&[10], (5, 9), ("10.0.10.5", "10.0.20.7"), 64).ip(&[20], (9, 7), ("10.0.10.5", "10.0.20.7"), 63);
    let site = of(&wire);
    assert_eq!(found(&site), ["host-in-two-segments: 02:00:00:00:00:07 has addresses in each"]);
    assert_eq!(told(&site), ["10: 10.0.10.0/24; ", "20: 10.0.20.0/24; 10.0.20.1"]);
    assert_eq!(crossed(&site), ["10 > 20 1+0 53/UDP"]);
}

#[test]
fn double_tags_at_an_access_port_are_found() {
    let mut wire = Wire::new();
    for _ in 0..10 {
        wire.arp(&[], 1, "10.0.0.1", "10.0.0.2").ip(&[], (1, 2), ("10.0.0.1", "10.0.0.2"), 64);
    }
    wire.ip(&[1, 20], (1, 2), ("10.0.0.1", "10.0.20.2"), 64);
    let site = of(&wire);
    assert_eq!(words(&site["points"], "kind"), ["access"]);
    let double = "double-tags-at-access-port: 1 frames came with the tags 1.20 where frames carry none: VLAN hopping?";
    assert_eq!(found(&site), [double, "special-vlan: 1 frames in 1.20: 1 is the default VLAN"]);
}

#[test]
fn priority_tags_are_reported_and_are_no_vlan() {
    let mut wire = Wire::new();
    wire.arp(&[0], 1, "10.0.0.1", "10.0.0.2").arp(&[], 2, "10.0.0.2", "10.0.0.1");
    wire.ip(&[0], (1, 2), ("10.0.0.1", "10.0.0.2"), 64);
    let site = of(&wire);
    assert_eq!(told(&site), ["10.0.0.0/24: 10.0.0.0/24; "]);
    assert_eq!(found(&site), ["special-vlan: 2 frames in 0: 0 is a priority tag, no VLAN"]);
    assert_ne!(site["points"][0]["kind"], "trunk");
}

#[test]
fn a_host_that_a_hosts_file_puts_elsewhere_is_found() {
    let mut wire = Wire::new();
    wire.arp(&[10], 1, "10.0.0.1", "10.0.0.2").arp(&[20], 3, "10.0.20.3", "10.0.20.1");
    let flowmap = Flowmap::new();
    flowmap.write("wire.pcap", wire.bytes());
    flowmap.write("hosts.csv", "address,name,vlan\n10.0.0.1,db,10\n10.0.20.3,web,30\n");
    let site = only(&flowmap.json(&["segments", "--from", "wire.pcap", "--inventory", "hosts.csv"]));
    assert_eq!(found(&site), ["host-in-wrong-vlan: web (10.0.20.3) is meant to be in VLAN 30"]);
    assert_eq!(site["segments"][0]["hosts"][0]["name"], "db");
}

#[test]
fn one_host_that_nobody_asks_for_has_no_subnet_that_is_known() {
    let mut wire = Wire::new();
    wire.ip(&[10], (1, 2), ("198.51.100.7", "203.0.113.9"), 128);
    assert_eq!(told(&of(&wire)), ["10: ; "]);
}

#[test]
fn what_a_host_says_in_one_family_or_of_its_link_alone_takes_none_of_its_other_addresses() {
    let (a, b) = ("02:00:00:00:00:01", "02:00:00:00:00:02");
    let mut wire = Wire::new();
    wire.ip6(&[10], (1, 2), ("fe80::1", "ff02::fb"), 255);
    wire.ip(&[10], (1, 2), ("10.0.0.1", "10.0.0.2"), 64).ip(&[10], (2, 1), ("10.0.0.2", "10.0.0.1"), 64);
    wire.ip6(&[10], (1, 2), ("fd00::1", "fd00::2"), 64).ip6(&[10], (2, 1), ("fd00::2", "fd00::1"), 64);
    let four = [format!("10: 10.0.0.1 {a}"), format!("10: 10.0.0.2 {b}")];
    let all = [&four[..], &[format!("10: fd00::1 {a}"), format!("10: fd00::2 {b}")]].concat();
    assert_eq!(living(&of(&wire)), all);
    wire.arp(&[10], 1, "10.0.0.1", "10.0.0.2").arp(&[10], 2, "10.0.0.2", "10.0.0.1");
    assert_eq!(living(&of(&wire)), all, "with claims of IPv4 too");
    // within a family it does: nobody knows whose addresses a bridge translates to
    wire.ip(&[10], (1, 2), ("198.51.100.1", "10.0.0.2"), 64);
    assert_eq!(living(&of(&wire)), all);
}

#[test]
fn a_router_with_a_link_local_address_alone_routes_for_the_prefix_that_it_advertises() {
    for prefix in [Some("fd00:10::"), None] {
        let mut wire = Wire::new();
        wire.advertised(&[], 9, "fe80::9", prefix);
        for (net, hosts) in [("fd00:10::", [1, 2]), ("fd00:20::", [3, 4])] {
            let [a, b] = hosts.map(|n| format!("{net}{n}"));
            for (from, to, ends) in [(hosts[0], hosts[1], (&a, &b)), (hosts[1], hosts[0], (&b, &a))] {
                wire.ip6(&[], (from, to), (ends.0, ends.1), 64);
            }
        }
        wire.arp(&[], 5, "10.0.0.5", "10.0.0.6").arp(&[], 6, "10.0.0.6", "10.0.0.5");
        let site = of(&wire);
        assert_eq!(words(&site["points"], "kind"), ["untagged"]);
        let routed =
            |it: &Value| it["gateways"].as_array().unwrap().iter().any(|it| it["addresses"] == json!(["fe80::9"]));
        let routed = site["segments"].as_array().unwrap().iter().map(routed).collect::<Vec<_>>();
        // where it tells no prefix, it may be of any with IPv6
        assert_eq!((told(&site).len(), routed), (3, vec![false, true, prefix.is_none()]), "{site}");
    }
}

#[test]
fn a_virtual_router_is_no_second_host_at_the_address_of_the_router_that_speaks() {
    for virtual_router in VIRTUAL {
        let mut wire = Wire::new();
        wire.arp(&[10], virtual_router, "10.0.0.1", "10.0.0.9").arp(&[10], 9, "10.0.0.9", "10.0.0.1");
        // one is claimed, one only talks, and of one nothing but its advertisements is seen
        wire.arp(&[10], 2, "10.0.0.2", "10.0.0.9").ip(&[10], (3, 9), ("10.0.0.3", "10.0.0.9"), 64);
        for router in ["10.0.0.2", "10.0.0.3", "10.0.0.4"] {
            wire.ip(&[10], (virtual_router, 18), (router, "224.0.0.18"), 255);
        }
        let site = of(&wire);
        assert_eq!(found(&site), [""; 0]);
        let at = |n: usize| living(&site)[n].clone();
        assert_eq!((at(1), at(2)), ("10: 10.0.0.2 02:00:00:00:00:02".into(), "10: 10.0.0.3 02:00:00:00:00:03".into()));
        assert!(at(0).starts_with("10: 10.0.0.1 00:0") && at(3).starts_with("10: 10.0.0.4 00:0"), "{site}");
    }
}

#[test]
fn a_virtual_router_may_have_several_macs_and_one_number_in_several_networks() {
    let [number, ..] = VIRTUAL;
    let mut wire = Wire::new();
    wire.arp(&[10], number, "10.0.10.1", "10.0.10.9").arp(&[10], number + 1, "10.0.10.1", "10.0.10.8");
    wire.arp(&[20], number, "10.0.20.1", "10.0.20.9");
    assert_eq!(found(&of(&wire)), [""; 0]);
    // who else says so is in the middle
    wire.arp(&[20], 66, "10.0.20.1", "10.0.20.9");
    assert_eq!(found(&of(&wire)), ["address-at-two-macs: 10.0.20.1 is at 00:00:5e:00:01:01 and 02:00:00:00:00:42"]);
}

#[test]
fn a_router_that_answers_for_hosts_behind_it_is_their_gateway_and_they_live_elsewhere() {
    let mut wire = Wire::new();
    wire.arp(&[10], 1, "10.0.10.1", "10.0.10.5").arp(&[10], 5, "10.0.10.5", "10.0.20.7");
    for host in [7, 8] {
        let address = format!("10.0.20.{host}");
        wire.arp(&[10], 1, &address, "10.0.10.5").ip(&[10], (1, 5), (&address, "10.0.10.5"), 63);
        wire.arp(&[20], host, &address, "10.0.20.1").ip(&[20], (host, 2), (&address, "10.0.10.5"), 64);
    }
    wire.arp(&[20], 2, "10.0.20.1", "10.0.20.7").ip(&[20], (2, 7), ("10.0.10.5", "10.0.20.7"), 63);
    let site = of(&wire);
    assert_eq!(told(&site), ["10: 10.0.10.0/24; 10.0.10.1", "20: 10.0.20.0/24; 10.0.20.1"]);
    assert_eq!(found(&site), [""; 0]);
    assert_eq!(words(&site["segments"][0]["hosts"], "address"), ["10.0.10.1", "10.0.10.5"]);
    let reasons = &site["segments"][0]["gateways"][0]["reasons"];
    assert_eq!(reasons[0], "forwards packets of 2 addresses, by their hop limits");
}

#[test]
fn a_host_with_a_hop_limit_of_its_own_is_no_router() {
    let mut wire = Wire::new();
    wire.arp(&[10], 1, "10.0.0.1", "10.0.0.2").arp(&[10], 2, "10.0.0.2", "10.0.0.1");
    wire.ip(&[10], (1, 2), ("10.0.0.1", "10.0.0.2"), 60);
    let site = of(&wire);
    assert_eq!((told(&site), living(&site).len()), (vec!["10: 10.0.0.0/24; ".to_owned()], 2));
}

#[test]
fn a_flood_of_forged_stations_is_bounded_and_said() {
    let mut wire = Wire::new();
    for station in 1..=80_000u32 {
        let [_, a, b, c] = station.to_be_bytes();
        let tags = [u16::try_from(station % 4_000).unwrap(), 7];
        wire.arp(&tags, station, &format!("10.{a}.{b}.{c}"), "10.0.0.1");
    }
    let flowmap = Flowmap::new();
    flowmap.write("flood.pcap", wire.bytes());
    flowmap.ok(&["import", "flood.pcap"]);
    let left_out = "packets whose word about links was left out, there was too much";
    assert!(flowmap.json(&["runs"])[0]["bounds"][left_out].as_u64().unwrap() > 0, "{}", flowmap.json(&["runs"]));
    assert!(only(&flowmap.json(&["segments"]))["points"][0]["left_out"].as_u64().unwrap() > 0);
}

/// In a table for few, of a capture that goes on for long.
#[test]
fn what_was_told_of_hosts_that_are_gone_makes_room_for_others() {
    use flowmap::{
        capture::{Frame, LinkType},
        model::{How, Span, Timestamp},
        segment::{Limits, Table},
    };
    const DAY: i64 = 86_400 * 1_000_000_000;
    let mut table = Table::new(Limits { traffic_rows: 6, announced_rows: 10, stacks: 4, addresses_of_mac: 2 });
    // each host answers ARP and sends a packet, in a VLAN of its own
    let hear = |table: &mut Table, day: u8, host: u8| {
        let (mac, address) = ([2, 0, 0, 0, day, host], [10, 0, day, host]);
        let arp = [&[8, 6, 0, 1, 8, 0, 6, 4, 0, 2][..], &mac, &address, &[2, 0, 0, 0, 0, 1], &[10, 0, 0, 1]].concat();
        let mut packet = vec![8, 0, 0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0];
        packet.extend([&address[..], &[10, 0, 0, 1, 9, 9, 0, 53, 0, 8, 0, 0]].concat());
        for payload in [arp, packet] {
            let data = [&[0xff; 6][..], &mac, &[0x81, 0, day, host], &payload].concat();
            let frame = Frame {
                time: Timestamp(i64::from(day) * DAY),
                link: LinkType::ETHERNET,
                interface: 0,
                wire_length: 60,
                data: &data,
            };
            table.take(&frame, true);
        }
    };
    let addresses = |table: &mut Table, how: How| {
        let news = table.news();
        news.iter().filter(|it| it.key.how == how).filter_map(|it| it.key.address).collect::<BTreeSet<_>>().len()
    };
    for day in [1, 3, 5] {
        (1..=4).for_each(|host| hear(&mut table, day, host));
        assert_eq!((addresses(&mut table, How::Traffic), table.left_out()), (4, 0), "day {day}");
        let [first, last] = [day, day + 2].map(|day| Timestamp(i64::from(day) * DAY + 1));
        table.forget(Span { first, last });
    }
    hear(&mut table, 7, 1);
    table.forget(Span { first: Timestamp(9 * DAY), last: Timestamp(9 * DAY) });
    assert_eq!(addresses(&mut table, How::Traffic), 1, "what was not told yet stays");
}

/// A router stays known as one, while its addresses are forgotten.
#[test]
fn who_had_too_many_addresses_is_not_asked_for_them_again() {
    use flowmap::{
        capture::{Frame, LinkType},
        model::{How, Span, Timestamp},
        segment::{Limits, Table},
    };
    let mut table = Table::new(Limits { traffic_rows: 5, announced_rows: 4, stacks: 4, addresses_of_mac: 3 });
    let hear = |table: &mut Table, time: i64, address: u8| {
        let mut data = vec![2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0];
        data.extend([198, 51, 100, address, 198, 51, 100, 0, 9, 9, 0, 53, 0, 8, 0, 0]);
        let frame =
            Frame { time: Timestamp(time), link: LinkType::ETHERNET, interface: 0, wire_length: 60, data: &data };
        table.take(&frame, true);
    };
    (1..6).for_each(|address| hear(&mut table, 0, address));
    hear(&mut table, 9, 7);
    let told = |table: &mut Table| -> Vec<(How, u64)> {
        let news = table.news();
        news.iter().filter(|it| it.key.mac.0[5] == 1).map(|it| (it.key.how, it.packets)).collect()
    };
    let rows = vec![(How::Traffic, 1), (How::Traffic, 1), (How::Traffic, 1), (How::More, 3)];
    assert_eq!(told(&mut table), rows);
    table.forget(Span { first: Timestamp(5), last: Timestamp(9) });
    hear(&mut table, 10, 8);
    assert_eq!(told(&mut table), [(How::More, 4)]);
}
