//! What is infrastructure, what stores, and who copies whom.

use super::*;

/// The tier of each endpoint.
fn tiers_of(graph: Graph) -> BTreeMap<String, Tier> {
    let tiers = of_graph(graph, Options::default());
    tiers.roles.iter().flat_map(|role| role.members.iter().map(|it| (it.name.clone(), role.tier))).collect()
}

fn all_are(found: &BTreeMap<String, Tier>, tier: Tier, names: &[&str]) {
    for name in names {
        assert_eq!(found.get(*name), Some(&tier), "{name}: {found:?}");
    }
}

/// Who is in one role with it.
fn beside(tiers: &Tiers, name: &str) -> Vec<String> {
    let is_in = |role: &&Role| role.members.iter().any(|it| it.name == name);
    tiers.roles.iter().find(is_in).unwrap().members.iter().map(|it| it.name.clone()).collect()
}

#[test]
fn what_everybody_needs_may_be_in_another_namespace() {
    let shop = ["shop/api", "shop/cache", "shop/db", "shop/web"];
    let mut edges =
        vec!["X>shop/web 443", "shop/web>shop/api 8080", "shop/api>shop/db 5432", "shop/api>shop/cache 6379"];
    let calls: Vec<String> = shop.iter().map(|name| format!("{name}>safe/vault 8200")).collect();
    edges.extend(calls.iter().map(String::as_str));
    // another application does not need it, and one of its workloads asks it for something all the same
    edges.extend(["other/a>other/b 81", "other/b>other/c 82", "other/c>safe/vault 8200", "other/d>other/b 81"]);
    let names =
        ["other/a", "other/b", "other/c", "other/d", "safe/vault", "shop/api", "shop/cache", "shop/db", "shop/web"];
    let found = tiers_of(named(&names, &edges));
    all_are(&found, Tier::Infrastructure, &["safe/vault"]);
    all_are(&found, Tier::Data, &["shop/cache", "shop/db"]);
    all_are(&found, Tier::Application, &["shop/api", "other/b"]);
}

/// Web servers `ab`, applications `cd` and databases `ef`, each of which calls these.
fn all_call(services: &[&str]) -> Vec<String> {
    let own = [
        "X>a 443", "X>b 443", "a>c 8080", "b>d 8080", "a>d 8080", "b>c 8080", "c>e 5432", "d>e 5432", "c>f 5432",
        "d>f 5432",
    ];
    let calls = services.iter().flat_map(|service| "abcdef".chars().map(move |name| format!("{name}>{service}")));
    own.iter().map(|it| (*it).to_owned()).chain(calls).collect()
}

fn places(members: &str, edges: &[String], more: &[&str]) -> BTreeMap<String, Tier> {
    let edges: Vec<&str> = edges.iter().map(String::as_str).chain(more.iter().copied()).collect();
    tiers_of(graph(members, &edges))
}

#[test]
fn infrastructure_may_call_infrastructure_and_counts_among_nobodys_callers() {
    // `g` and `h` call each other, `i` calls both; `j`, `k`, `l` and `m` get logs: none of them is one of the others
    let logs = ["g 7001", "h 7002", "i 7003", "j 515/udp~", "k 516/udp~", "l 517/udp~", "m 518/udp~"];
    let found = places("abcdefghijklm", &all_call(&logs), &["g>h 7002", "h>g 7001", "i>g 7001", "i>h 7002"]);
    all_are(&found, Tier::Infrastructure, &["g", "h", "i", "j", "k", "l", "m"]);
    all_are(&found, Tier::Data, &["e", "f"]);
}

#[test]
fn whom_one_role_alone_calls_is_not_what_everybody_needs() {
    let found = tiers_of(graph(
        "abcdef",
        &["X>a 443", "X>b 443", "X>c 443", "X>d 443", "a>e 81", "b>e 81", "c>e 81", "d>e 81"],
    ));
    all_are(&found, Tier::Application, &["e"]);
}

#[test]
fn time_identity_and_logs_are_known_by_their_ports_as_names_are() {
    for (service, back) in
        [("123/udp", "636"), ("389", "123/udp"), ("88/udp", "53/udp"), ("6514", "123/udp"), ("4317", "4317")]
    {
        // too few call it for everybody, and it calls on
        let calls =
            [format!("c>g {service}"), format!("d>g {service}"), format!("e>g {service}"), format!("g>h {back}")];
        let found = places("abcdefgh", &[&all_call(&[])[..], &calls].concat(), &["h>X 443"]);
        all_are(&found, Tier::Infrastructure, &["g", "h"]);
        all_are(&found, Tier::Data, &["e", "f"]);
    }
    // what else it serves is its work where few ask it
    let found = places("abcdefgh", &all_call(&[]), &["c>g 389", "a>g 8443", "g>e 5432"]);
    all_are(&found, Tier::Application, &["g"]);
}

#[test]
fn leases_tell_who_gives_addresses_and_nothing_of_who_asks() {
    let leases = ["a>g 67/udp", "c>g 67/udp", "e>g 67/udp", "h>g 67/udp", "i>g 547/udp"];
    let tiers = of_graph(graph("abcdefghi", &[&SHOP[..], &leases].concat()), Options::default());
    let giving = tiers.roles.iter().find(|role| role.tier == Tier::Infrastructure).unwrap();
    assert_eq!((giving.members[0].name.as_str(), giving.is_told), ("g", true));
    assert!(giving.reason.contains("it gives addresses to others"), "{}", giving.reason);
    // the roles of the others are as without; of who asks for an address alone nothing is known
    assert_eq!(told(&tiers)[..4], told(&of_graph(graph("abcdef", &SHOP), Options::default())));
    let idle = tiers.roles.iter().find(|role| role.name == "not seen").unwrap();
    assert_eq!((idle.members.len(), idle.is_told), (2, false));
    // a store that gets its address from one that serves few is no less of a store
    let found = tiers_of(graph("abcdefghijkl", &[&SHOP[..], &["e>c 67/udp"]].concat()));
    all_are(&found, Tier::Data, &["e", "f"]);
    all_are(&found, Tier::Application, &["c", "d"]);
}

#[test]
fn monitoring_is_none_the_less_for_dashboards_and_for_being_managed() {
    // `p` reads figures, `q` asks it, `r` gets its alerts, `s` manages all
    let reads =
        ["p>a 443", "p>b 443", "p>c 9100", "p>d 9100", "p>e 9187", "p>f 9187", "q>p 9090", "p>r 9093", "r>Y 443"];
    let found = places("abcdefpqr", &all_call(&[]), &reads);
    all_are(&found, Tier::Infrastructure, &["p", "q", "r"]);
    all_are(&found, Tier::Data, &["e", "f"]);
    let manages: Vec<String> = "abcdefp".chars().map(|name| format!("s>{name} 22")).collect();
    let found = places("abcdefps", &[&all_call(&[])[..], &manages].concat(), &reads[..6]);
    all_are(&found, Tier::Infrastructure, &["p", "s"]);
}

#[test]
fn a_gateway_on_such_a_port_and_many_who_print_watch_nobody() {
    // `c` is called on 9090 and calls services on 9091 and 9092 that nobody else uses
    let found =
        tiers_of(graph("abcdef", &["X>a 443", "a>c 9090", "b>c 9090", "c>d 9091", "c>e 9092", "d>f 5432", "e>f 5432"]));
    all_are(&found, Tier::Application, &["c", "d", "e"]);
    let prints: Vec<String> =
        "abcdef".chars().flat_map(|pc| [format!("{pc}>p 9100"), format!("{pc}>q 445"), format!("{pc}>r 25")]).collect();
    let found = places("abcdefpqr", &prints, &[]);
    all_are(&found, Tier::Client, &["a", "f"]);
}

#[test]
fn who_alone_needs_stores_is_their_client_and_no_monitor() {
    let found = tiers_of(graph("abcde", &["e>a 3306", "e>b 5432", "e>c 6379", "e>d 5672"]));
    all_are(&found, Tier::Data, &["a", "b", "c", "d"]);
    all_are(&found, Tier::Client, &["e"]);
    // one service beside them changes nothing
    let found = tiers_of(graph("abcde", &["e>a 3306", "e>b 5432", "e>c 6379", "e>d 8080"]));
    all_are(&found, Tier::Data, &["a", "b", "c"]);
    all_are(&found, Tier::Client, &["e"]);
    // who asks most for something else watches them
    let found = tiers_of(graph("abcde", &["e>a 3306", "e>b 81", "e>c 82", "e>d 83"]));
    all_are(&found, Tier::Infrastructure, &["e"]);
}

#[test]
fn what_serves_infrastructure_alone_and_calls_nothing_is_no_client() {
    let found =
        tiers_of(graph("abcdef", &["X>a 443", "a>b 81", "b>c 82", "e>a 22", "e>b 22", "e>c 22", "e>d 5432", "e>f 83"]));
    all_are(&found, Tier::Infrastructure, &["e"]);
    all_are(&found, Tier::Data, &["d"]);
    all_are(&found, Tier::Application, &["f"]);
    // who asks for an address asks, though everybody does
    let edges = ["X>a 443", "a>b 81", "b>c 82", "e>a 22", "e>b 22", "e>c 22", "e>d 22", "d>f 67/udp"];
    all_are(&tiers_of(graph("abcdef", &edges)), Tier::Client, &["d"]);
}

#[test]
fn kafka_and_alerts_share_a_port() {
    let found = tiers_of(graph("abd", &["X>a 443", "a>b 8080", "a>d 9093", "b>d 9093"]));
    all_are(&found, Tier::Data, &["d"]);
    let found = tiers_of(graph("abd", &["X>a 443", "a>b 8080", "b>d 9093"]));
    all_are(&found, Tier::Application, &["d"]);
}

#[test]
fn stores_that_call_each_other_are_stores() {
    // mirrors over a port of their own, of which the applications use one
    let found = tiers_of(graph("abcde", &["X>a 443", "a>b 8080", "b>d 1433", "d>e 5022", "e>d 5022"]));
    all_are(&found, Tier::Data, &["d", "e"]);
    // brokers and their registry, routers and shards
    let found = tiers_of(graph("abcde", &["X>a 443", "a>b 8080", "b>c 9092", "c>d 2181", "a>e 5432"]));
    all_are(&found, Tier::Data, &["c", "d", "e"]);
    // an application with a shared folder calls a store as any other does; and so does one that a store calls back
    let found =
        tiers_of(graph("abcde", &["X>a 443", "a>b 8080", "a>b 445", "b>d 1433", "a>e 8081", "e>d 1433", "d>e 8081"]));
    all_are(&found, Tier::Application, &["b", "e"]);
}

const STANDBY: [&str; 8] = [
    "X>web1 443",
    "X>web2 443",
    "web1>app1 8080",
    "web2>app2 8080",
    "app1>db1 5432",
    "app2>db1 5432",
    "db2>db1 5432",
    "report>db1 5432",
];

#[test]
fn a_standby_stands_by_its_original_and_no_client_among_servers() {
    let names = ["app1", "app2", "db1", "db2", "report", "web1", "web2"];
    let tiers = of_graph(named(&names, &STANDBY), Options::default());
    assert_eq!(beside(&tiers, "db2"), ["db1", "db2"]);
    assert_eq!(beside(&tiers, "report"), ["report"]);
    assert_eq!(beside(&tiers, "app1"), ["app1", "app2"]);
    assert!(tiers.why("db2").unwrap().note.unwrap().contains("copies"));
    let db = tiers.roles.iter().find(|role| role.tier == Tier::Data).unwrap();
    assert!(db.reason.contains("db2 copying one of these"), "{}", db.reason);
    assert_eq!(db.cohesion, None);
    // where no name tells, it is a client as the report is, and no application
    let edges: Vec<String> = STANDBY.iter().map(|it| it.replace("db2", "other")).collect();
    let names = ["app1", "app2", "db1", "other", "report", "web1", "web2"];
    let tiers = of_graph(named(&names, &edges.iter().map(String::as_str).collect::<Vec<_>>()), Options::default());
    assert_eq!(beside(&tiers, "other"), ["other", "report"]);
    assert_eq!(beside(&tiers, "app1"), ["app1", "app2"]);
}

#[test]
fn a_name_that_others_with_other_work_have_tells_of_no_copy() {
    let edges: Vec<String> = STANDBY.iter().map(|it| it.replace("app", "vm-app-").replace("db", "vm-")).collect();
    let edges: Vec<String> = edges.iter().map(|it| it.replace("vm-app-", "vm-1")).collect();
    let names = ["report", "vm-1", "vm-11", "vm-12", "vm-2", "web1", "web2"];
    let tiers = of_graph(named(&names, &edges.iter().map(String::as_str).collect::<Vec<_>>()), Options::default());
    assert_eq!(beside(&tiers, "vm-2"), ["report", "vm-2"]);
}

#[test]
fn the_names_of_parts_and_of_partners_tell_who_copies_whom() {
    let edges = [
        "X>s/web 443",
        "s/web>s/api 8080",
        "s/api>s/pg-primary 5432",
        "s/pg-read>s/pg-primary 5432",
        "s/api>s/q-a 6379",
        "s/q-a>s/other 26379",
        "s/other>s/q-a 26379",
    ];
    let tiers = of_graph(
        named(&["s/api", "s/other", "s/pg-primary", "s/pg-read", "s/q-a", "s/web"], &edges),
        Options::default(),
    );
    assert_eq!(beside(&tiers, "s/pg-read"), ["s/pg-primary", "s/pg-read"]);
    assert_eq!(beside(&tiers, "s/other"), ["s/other", "s/q-a"]);
}

#[test]
fn a_reason_names_only_those_who_were_called() {
    // `c` and `d` are one role, of which `a` and `b` call `c` alone; `h` calls no other than `d`
    let edges =
        ["X>a 443", "X>b 443", "a>c 8080", "b>c 8080", "h>d 8080", "c>e 5432", "d>e 5432", "c>f 6379", "d>f 6379"];
    let tiers = of_graph(graph("abcdefh", &edges), Options::default());
    assert_eq!(beside(&tiers, "c"), ["c", "d"]);
    let reason = |tier| &tiers.roles.iter().find(|role| role.tier == tier).unwrap().reason;
    assert!(reason(Tier::Edge).contains("; calls c;"), "{}", reason(Tier::Edge));
    assert!(reason(Tier::Application).contains("called by a, b and h; calls e and f"), "{}", reason(Tier::Application));
    let more: Vec<String> = "cd".chars().map(|name| format!("i>{name} 22")).collect();
    let edges: Vec<&str> = SHOP.iter().copied().chain(more.iter().map(String::as_str)).collect();
    let tiers = of_graph(graph("abcdefi", &edges), Options::default());
    let app = tiers.roles.iter().find(|role| role.tier == Tier::Application).unwrap();
    assert!(app.reason.contains("called by a, b and i"), "{}", app.reason);
}
