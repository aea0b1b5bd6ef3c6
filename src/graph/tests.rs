//! What lines keep of the verdicts on what they stand for, and parts of the map as words.

use super::{Area, Count, Edge, Fold, Layer, Map, Node, NotDrawn, PortCounts, Sight, Verdict, fold, text};
use crate::model::{PartyKey, PartyKind, Protocol};

const HTTP: (Protocol, u16) = (Protocol::TCP, 80);
const ADMIN: (Protocol, u16) = (Protocol::TCP, 81);

fn workload(namespace: &str, name: &str) -> Node {
    Node {
        kind: PartyKind::Workload,
        layer: Layer::Other,
        group: namespace.into(),
        label: name.into(),
        what: "Deployment".into(),
        members: vec![PartyKey {
            name: format!("{namespace}/{name}"),
            kind: PartyKind::Workload,
            owner: Some("Deployment".into()),
        }],
        area: Area {
            group: namespace.into(),
            layer: Some(Layer::Other),
            label: Some(name.into()),
            owner: Some("Deployment".into()),
        },
        is_open: false,
    }
}

fn line(from: usize, to: usize, counts: &[((Protocol, u16), u64, Verdict)]) -> Edge {
    let ports: PortCounts = counts.iter().map(|(port, count, verdict)| (*port, Count::new(*count, *verdict))).collect();
    let connections = counts.iter().map(|(_, count, _)| count).sum();
    let verdict = counts.iter().map(|(_, _, verdict)| *verdict).max().unwrap_or_default();
    Edge { from, to, ports, connections, ways: 0, sight: Sight::Plain, verdict }
}

fn map(edges: Vec<Edge>) -> Map {
    let nodes = vec![workload("shop", "a"), workload("shop", "b"), workload("till", "c"), workload("till", "d")];
    Map { nodes, edges, not_drawn: NotDrawn::default() }
}

#[test]
fn a_line_loses_the_ports_that_are_denied_and_keeps_the_others() {
    let edge = line(0, 1, &[(HTTP, 90, Verdict::Allowed), (ADMIN, 1, Verdict::Denied)]);
    let left = edge.without_denied().expect("port 80 stays");
    assert_eq!(left.ports.keys().collect::<Vec<_>>(), [&HTTP]);
    assert_eq!((left.connections, left.verdict), (90, Verdict::Allowed));
    assert_eq!(
        text::edge(&map(vec![]), &edge),
        "shop/a → shop/b: TCP/80, TCP/81, 91 connections, DENIED: TCP/81 (1 of 91)"
    );
    let denied = line(0, 1, &[(HTTP, 90, Verdict::Denied), (ADMIN, 1, Verdict::Denied)]);
    assert_eq!(denied.without_denied(), None);
    assert_eq!(text::edge(&map(vec![]), &denied), "shop/a → shop/b: TCP/80, TCP/81, 91 connections, DENIED");
}

#[test]
fn a_port_of_a_folded_line_stays_while_one_pair_may_use_it() {
    let denied_and_not = vec![line(0, 2, &[(HTTP, 5, Verdict::Denied)]), line(1, 3, &[(HTTP, 7, Verdict::Uncertain)])];
    let (folded, _) = fold(map(denied_and_not), Some(Fold::Namespace));
    let [edge] = &folded.edges[..] else { panic!("{folded:?}") };
    assert_eq!((edge.connections, edge.verdict), (12, Verdict::Denied));
    let words = text::edge(&folded, edge);
    assert!(words.ends_with("12 connections, DENIED: TCP/80 (5 of 12), uncertain: TCP/80 (7 of 12)"), "{words}");
    let left = edge.without_denied().expect("one pair may use it");
    assert_eq!((left.connections, left.verdict), (7, Verdict::Uncertain));
}

#[test]
fn a_part_of_the_map_is_read_as_it_was_written() {
    let of = |group: &str, label: Option<&str>, owner: Option<&str>| Area {
        group: group.into(),
        layer: label.map(|_| Layer::Other),
        label: label.map(Into::into),
        owner: owner.map(Into::into),
    };
    for area in [
        of("shop", None, None),
        of("shop", Some("db"), Some("StatefulSet")),
        of("shop", Some("db"), None),
        of("", Some("2001:db8::7"), None),
        of("", Some("a/b:c"), None),
    ] {
        assert_eq!(Area::read(&area.text()).as_ref(), Some(&area), "{}", area.text());
    }
    assert!(!of("shop", Some("db"), Some("StatefulSet")).holds(&of("shop", Some("db"), Some("Deployment"))));
    assert!(of("shop", Some("db"), None).holds(&of("shop", Some("db"), Some("Deployment"))));
}
