//! `flowmap segments`: an address at several MACs, which is a conflict, a move, or one host with several interfaces.

use super::segments::{found, of};
use crate::common::{
    Flowmap,
    links::{Link, Wire},
};

#[test]
fn an_address_at_two_macs_is_found() {
    let mut wire = Wire::new();
    wire.arp(&[10], 1, "10.0.0.1", "10.0.0.2").arp(&[10], 2, "10.0.0.2", "10.0.0.1");
    wire.arp(&[10], 3, "10.0.0.2", "10.0.0.1");
    let site = of(&wire);
    assert_eq!(found(&site), ["address-at-two-macs: 10.0.0.2 is at 02:00:00:00:00:02 and 02:00:00:00:00:03"]);
    assert_eq!(site["findings"][0]["place"], "10");
}

#[test]
fn a_long_finding_is_told_whole_on_a_page() {
    let mut wire = Wire::new();
    (1..=9).for_each(|station| _ = wire.arp(&[10], station, "10.0.0.2", "10.0.0.1"));
    let flowmap = Flowmap::new();
    flowmap.write("wire.pcap", wire.bytes());
    let text = flowmap.ok(&["segments", "--from", "wire.pcap"]).stdout;
    assert!(text.contains("02:00:00:00:00:01 and") && text.contains("02:00:00:00:00:09\n"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
}

#[test]
fn an_address_that_moved_is_at_one_mac_at_a_time() {
    let mut wire = Wire::new();
    let claims = |wire: &mut Wire, station| _ = wire.arp(&[10], station, "10.0.0.2", "10.0.0.1");
    claims(&mut wire, 3);
    claims(wire.wait(3), 2);
    claims(wire.wait(600), 2);
    let moved = "address-moved: 10.0.0.2 moved from 02:00:00:00:00:03 to 02:00:00:00:00:02 at 2026-11-24T06:00:03.01Z";
    assert_eq!(found(&of(&wire)), [moved]);
    // the first one is still there
    claims(&mut wire, 3);
    assert_eq!(found(&of(&wire)), ["address-at-two-macs: 10.0.0.2 is at 02:00:00:00:00:02 and 02:00:00:00:00:03"]);
}

/// A node beside another one, and at the interface of a pod, on all of its interfaces.
fn node(link: Link) -> Wire {
    let mut wire = Wire::of(link);
    wire.at(2).arp(&[], 1, "172.18.0.2", "172.18.0.3").arp(&[], 9, "172.18.0.3", "172.18.0.2");
    wire.at(3).arp(&[], 5, "172.18.0.2", "10.244.1.2").arp(&[], 6, "10.244.1.2", "172.18.0.2");
    wire
}

#[test]
fn an_address_that_a_host_tells_at_each_of_its_interfaces_is_no_conflict() {
    let conflict =
        |other| format!("address-at-two-macs: 172.18.0.2 is at 02:00:00:00:00:01 and 02:00:00:00:00:0{other}");
    assert_eq!(found(&of(&node(Link::Cooked2))), [""; 0]);
    let mut spoofed = node(Link::Cooked2);
    spoofed.at(2).arp(&[], 7, "172.18.0.2", "172.18.0.3");
    assert_eq!(found(&of(&spoofed)), [conflict(7)]);
    // who was seen at both interfaces joins them
    let mut bridged = node(Link::Cooked2);
    bridged.at(3).arp(&[], 9, "172.18.0.3", "10.244.1.2");
    assert_eq!(found(&of(&bridged)), [conflict(5)]);
    let unsure = "perhaps one host's own: the capture does not tell its interfaces apart";
    assert_eq!(found(&of(&node(Link::Cooked))), [format!("{}, {unsure}", conflict(5))]);
}
