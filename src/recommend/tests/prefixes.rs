//! Which addresses outside are put together, and who must not be let in with them.

use super::{
    lab::{Lab, lab, said},
    *,
};
use crate::model::{Host, HostName, Mark, NameSource, Outcome, PartyName, Timestamp};

/// That an address was called by a name, by the client itself.
fn called(address: &str, name: &str) -> PartyName {
    PartyName {
        address: address.parse().unwrap(),
        name: HostName::parse(name.as_bytes()).unwrap(),
        source: NameSource::Dns,
        first_seen: Timestamp(0),
        last_seen: Timestamp(0),
        also_at: Vec::new(),
        is_own: true,
    }
}

/// `web` uses three addresses of four on one port, by this name.
fn three_of_four(name: &str) -> Lab {
    let mut lab = lab(&["web", "api"]);
    for last in ["8", "9", "11"] {
        let address = format!("203.0.113.{last}");
        lab.talk("web", &address, 443).server.names = vec![called(&address, name)];
    }
    lab
}

fn of_web(lab: &Lab) -> String {
    said(&lab.group("web").egress)
}

const TOGETHER: &str = "203.0.113.8/30 TCP/443";
const APART: &str = "203.0.113.8/31 TCP/443; 203.0.113.11/32 TCP/443";

#[test]
fn addresses_of_one_name_are_put_together_and_others_are_not() {
    let mut lab = three_of_four("api.example");
    lab.talk("web", "203.0.113.77", 443).server.names = vec![called("203.0.113.77", "api.example")];
    for last in ["8", "9", "11"] {
        lab.talk("web", &format!("198.51.100.{last}"), 443);
    }
    let egress = lab.group("web").egress;
    let others = "198.51.100.8/31 TCP/443; 198.51.100.11/32 TCP/443";
    assert_eq!(said(&egress), format!("{others}; {TOGETHER}; 203.0.113.77/32 TCP/443"));
    let widened: Vec<_> = egress.values().flat_map(|access| &access.widened).collect();
    assert_eq!(widened, [&Widened::Prefix { seen: 3, extra: 1 }]);
    // whoever has addresses says in their reverse what he likes
    for dependency in &mut lab.dependencies {
        dependency.server.names.iter_mut().for_each(|name| name.source = NameSource::Ptr);
    }
    assert_eq!(of_web(&lab), format!("{others}; {APART}; 203.0.113.77/32 TCP/443"));
}

#[test]
fn a_name_that_others_used_and_one_that_is_no_servers_own_puts_nothing_together() {
    let mut lab = three_of_four("api.example");
    for dependency in &mut lab.dependencies {
        dependency.server.names.iter_mut().for_each(|name| name.is_own = false);
    }
    assert_eq!(of_web(&lab), APART);
    assert_eq!(of_web(&three_of_four("localhost")), APART);
}

#[test]
fn whom_the_inventory_lists_is_not_let_in_among_others() {
    let host = |range: &str| Host {
        range: range.parse().unwrap(),
        name: Some("payroll".into()),
        role: None,
        site: None,
        vlan: None,
        labels: Labels::default(),
    };
    let with = |ranges: &[&str]| {
        let mut lab = three_of_four("api.example");
        lab.cluster.hosts = ranges.iter().map(|range| host(range)).collect();
        of_web(&lab)
    };
    assert_eq!(with(&["203.0.113.10/32"]), APART);
    // what is meant by one entry with what was seen is one with it
    assert_eq!(with(&["203.0.113.8/32", "203.0.113.10/31", "203.0.113.0/24", "198.51.100.10/32"]), TOGETHER);
    let mut lab = three_of_four("api.example");
    lab.service("shop", "api", crate::model::ServiceKind::LoadBalancer, Some("api"), (80, 8080));
    lab.cluster.services[0].external_ips = vec!["203.0.113.10".parse().unwrap()];
    assert_eq!(of_web(&lab), APART);
}

#[test]
fn who_was_seen_otherwise_is_not_let_in_among_others() {
    let with = |client: &str, names: &[&str]| {
        let mut lab = three_of_four("api.example");
        let names = names.iter().map(|name| called("203.0.113.10", name)).collect();
        lab.talk(client, "203.0.113.10", 80).server.names = names;
        lab
    };
    assert_eq!(of_web(&with("api", &[])), APART);
    assert_eq!(of_web(&with("api", &["payroll.example"])), APART);
    assert_eq!(of_web(&with("web", &[])), "203.0.113.8/31 TCP/443; 203.0.113.10/32 TCP/80; 203.0.113.11/32 TCP/443");
    // each time by the name
    let mut lab = with("api", &["payroll.example", "api.example"]);
    assert_eq!(of_web(&lab), TOGETHER);
    lab.talk("api", "203.0.113.10", 443).server.names = vec![called("203.0.113.10", "payroll.example")];
    assert_eq!(of_web(&lab), APART);
    let mut lab = three_of_four("api.example");
    lab.talk("203.0.113.10", "api", 8080);
    assert_eq!(of_web(&lab), APART);
    // what a sweep went to in vain is nobody
    for (outcome, expected) in [(Outcome::Unanswered, TOGETHER), (Outcome::Refused, APART)] {
        let mut lab = three_of_four("api.example");
        let sweep = lab.talk("api", "203.0.113.10", 22);
        (sweep.outcome, sweep.marks) = (outcome, [Mark::Scan].into());
        assert_eq!(of_web(&lab), expected, "{outcome:?}");
    }
}
