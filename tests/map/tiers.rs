//! Roles and tiers through the command line: each endpoint once, the same bytes for any order, the operator's word first,
//! and as people named the roles.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::Command,
};

use serde_json::Value;

use crate::common::{
    Flowmap, cluster, data,
    python::{has_modules, python},
    sample, text, tools,
};

/// A shop on hosts: two web servers, two application servers, a database, a cache, names.
const SHOP: &str = "client,server,protocol,port,packets,hours
198.51.100.7,10.0.0.1,tcp,443,900,24
198.51.100.9,10.0.0.2,tcp,443,900,24
10.0.0.1,10.0.0.11,tcp,8080,900,24
10.0.0.1,10.0.0.12,tcp,8080,900,24
10.0.0.2,10.0.0.11,tcp,8080,900,24
10.0.0.2,10.0.0.12,tcp,8080,900,24
10.0.0.11,10.0.0.21,tcp,5432,900,24
10.0.0.12,10.0.0.21,tcp,5432,900,24
10.0.0.11,10.0.0.31,tcp,6379,900,24
10.0.0.12,10.0.0.31,tcp,6379,900,24
10.0.0.1,10.0.0.53,udp,53,900,24
10.0.0.2,10.0.0.53,udp,53,900,24
10.0.0.11,10.0.0.53,udp,53,900,24
10.0.0.12,10.0.0.53,udp,53,900,24
";

fn members(role: &Value) -> Vec<String> {
    role["members"].as_array().unwrap().iter().map(|member| member.as_str().unwrap().to_owned()).collect()
}

/// Who is with whom, and in which tier.
fn partition(roles: &Value) -> BTreeMap<Vec<String>, String> {
    let all = roles.as_array().unwrap().iter();
    all.map(|role| (members(role), role["tier"].as_str().unwrap().to_owned())).collect()
}

fn shop(roles: &Value) -> Vec<(String, u64, String)> {
    let all = roles.as_array().unwrap().iter();
    all.map(|role| {
        (role["tier"].as_str().unwrap().to_owned(), role["level"].as_u64().unwrap(), members(role).join(" "))
    })
    .collect()
}

#[test]
fn a_shop_is_laid_in_tiers_with_a_reason_for_each() {
    let flowmap = Flowmap::new();
    flowmap.write("flows.csv", SHOP);
    let roles = flowmap.json(&["tiers", "--from", "flows.csv"]);
    let expected = [
        ("edge", 1, "10.0.0.1 10.0.0.2"),
        ("application", 2, "10.0.0.11 10.0.0.12"),
        ("data", 3, "10.0.0.21"),
        ("data", 3, "10.0.0.31"),
        ("infrastructure", 3, "10.0.0.53"),
    ];
    assert_eq!(shop(&roles), expected.map(|(tier, level, names)| (tier.to_owned(), level, names.to_owned())));
    let db = &roles[2];
    assert_eq!(db["role"], "serves TCP/5432");
    let reason = db["reason"].as_str().unwrap();
    let told = "1 of 1 serves TCP/5432 (0 of 6 others do); called only by 10.0.0.11 and 10.0.0.12; calls nothing";
    assert!(reason.starts_with(told), "{reason}");
    for role in roles.as_array().unwrap() {
        for key in ["tier", "level", "role", "members", "reason"] {
            assert!(!role[key].is_null(), "{key}: {role}");
        }
    }
}

#[test]
fn who_administers_all_through_a_jump_host_changes_no_role() {
    let flowmap = Flowmap::new();
    let hosts = ["1", "2", "11", "12", "21", "31", "53"].map(|host| format!("10.0.0.9,10.0.0.{host},tcp,22,900,24\n"));
    let admins = ["1", "2"].map(|n| format!("10.0.9.{n},10.0.0.9,tcp,22,900,24\n10.0.9.{n},10.0.0.1,tcp,443,900,24\n"));
    flowmap.write("flows.csv", SHOP);
    flowmap.write("administered.csv", [SHOP, &hosts.concat(), &admins.concat()].concat());
    let [before, after] =
        ["flows.csv", "administered.csv"].map(|file| partition(&flowmap.json(&["tiers", "--from", file])));
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let mut expected = before;
    expected.insert(names(&["10.0.0.9"]), "infrastructure".to_owned());
    expected.insert(names(&["10.0.9.1", "10.0.9.2"]), "client".to_owned());
    assert_eq!(after, expected);
}

#[test]
fn a_worker_that_is_administered_like_any_other_host_is_no_infrastructure() {
    let worker = ["21,tcp,5432", "31,tcp,6379", "41,tcp,5672", "51,tcp,25"]
        .map(|service| format!("10.0.0.61,10.0.0.{service},900,24\n"));
    let admin = "10.0.9.1,10.0.0.61,tcp,22,900,24\n10.0.9.1,10.0.0.1,tcp,443,900,24\n";
    let flowmap = Flowmap::new();
    flowmap.write("flows.csv", [SHOP, &worker.concat(), admin].concat());
    let roles = partition(&flowmap.json(&["tiers", "--from", "flows.csv"]));
    assert_eq!(roles.get(&vec!["10.0.0.61".to_owned()]).map(String::as_str), Some("application"), "{roles:?}");
}

#[test]
fn a_log_that_counts_no_packets_is_enough() {
    let flowmap = Flowmap::new();
    let bare: Vec<String> = SHOP.lines().map(|row| row.split(',').take(4).collect::<Vec<_>>().join(",")).collect();
    flowmap.write("flows.csv", SHOP);
    flowmap.write("bare.csv", bare.join("\n"));
    let [full, bare] = ["flows.csv", "bare.csv"].map(|file| partition(&flowmap.json(&["tiers", "--from", file])));
    assert_eq!(bare, full);
}

#[test]
fn tables_fit_the_page_and_csv_has_every_column() {
    let flowmap = Flowmap::with_sample();
    let table = flowmap.ok(&["tiers"]).stdout;
    assert!(table.lines().all(|line| line.chars().count() <= 100), "{table}");
    assert!(table.contains("production/web"), "{table}");
    let csv = flowmap.ok(&["tiers", "-o", "csv"]).stdout;
    assert!(csv.starts_with("site,tier,level,role,members,reason\n"), "{csv}");
    assert!(flowmap.ok(&["tiers", "-o", "wide"]).stdout.contains("serves TCP/"));
}

#[test]
fn namespaces_choose_which_roles_are_shown() {
    let flowmap = Flowmap::with_sample();
    let all = flowmap.json(&["tiers"]);
    let production = flowmap.json(&["tiers", "-n", "production"]);
    let names = |roles: &Value| -> BTreeSet<String> { roles.as_array().unwrap().iter().flat_map(members).collect() };
    assert!(names(&production).iter().all(|name| name.starts_with("production/")));
    assert!(names(&all).is_superset(&names(&production)));
    assert_eq!(flowmap.json(&["tiers", "-A"]), all);
}

#[test]
fn why_shows_shared_and_missing_tokens_and_the_nearest_other_role() {
    let flowmap = Flowmap::new();
    flowmap.write("flows.csv", format!("{SHOP}10.0.0.12,10.0.0.31,tcp,6380,900,24\n"));
    let args = ["tiers", "--from", "flows.csv", "--why", "10.0.0.11"];
    let told = flowmap.ok(&args).stdout;
    for words in
        ["10.0.0.11 is in: serves TCP/8080", "shared", "calls TCP/5432", "2 of 2, 2 in all", "like no other role"]
    {
        assert!(told.contains(words), "no `{words}` in: {told}");
    }
    let why = flowmap.json(&args);
    assert_eq!(why["role"]["tier"], "application");
    flowmap.run(&["tiers", "--from", "flows.csv", "--why", "10.9.9.9"]).is_an_error(&["--why 10.9.9.9", "hint: "]);
}

#[test]
fn the_tiers_and_roles_of_an_operator_win() {
    let flowmap = Flowmap::new();
    flowmap.write("flows.csv", SHOP);
    let hosts = "address,name,role,labels
10.0.0.1,web-1,,
10.0.0.2,web-2,,
10.0.0.11,app-1,,tier=data
10.0.0.12,app-2,,
10.0.0.21,db,store,
10.0.0.31,cache,store,
10.0.0.53,dns,,
";
    flowmap.write("hosts.csv", hosts);
    let roles = partition(&flowmap.json(&["tiers", "--from", "flows.csv", "--inventory", "hosts.csv"]));
    let tier = |names: &[&str]| roles.get(&names.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>()).cloned();
    assert_eq!(tier(&["cache", "db"]), Some("data".to_owned()));
    assert_eq!(tier(&["app-1"]), Some("data".to_owned()));
    assert_eq!(tier(&["app-2"]), Some("application".to_owned()));
    assert_eq!(tier(&["web-1", "web-2"]), Some("edge".to_owned()));
}

#[test]
fn a_role_is_a_tier_only_where_it_is_called_as_one() {
    let flowmap = Flowmap::new();
    flowmap.write("flows.csv", SHOP);
    let hosts = "address,name,role,labels
10.0.0.1,web-1,,
10.0.0.2,web-2,,
10.0.0.11,app-1,web,
10.0.0.12,app-2,,tier=web
10.0.0.21,db,edge,
10.0.0.31,cache,client,
10.0.0.53,dns,,
";
    flowmap.write("hosts.csv", hosts);
    let roles = partition(&flowmap.json(&["tiers", "--from", "flows.csv", "--inventory", "hosts.csv"]));
    let tier = |name: &str| roles.get(&vec![name.to_owned()]).cloned();
    let found = ["app-1", "app-2", "db", "cache"].map(|name| tier(name).unwrap());
    assert_eq!(found, ["application", "edge", "edge", "client"]);
}

#[test]
fn a_standby_is_with_what_it_copies_and_no_server_of_another_port() {
    let flowmap = Flowmap::new();
    flowmap.write("flows.csv", format!("{SHOP}10.0.0.22,10.0.0.21,tcp,5432,900,24\n"));
    let hosts = ["1,web-1", "2,web-2", "11,app-1", "12,app-2", "21,db-1", "22,db-2", "31,cache", "53,dns"];
    flowmap.write("hosts.csv", format!("address,name\n{}\n", hosts.map(|host| format!("10.0.0.{host}")).join("\n")));
    let found = |args: &[&str]| partition(&flowmap.json(&[&["tiers", "--from", "flows.csv"], args].concat()));
    let roles = found(&["--inventory", "hosts.csv"]);
    assert_eq!(
        roles.get(["db-1", "db-2"].map(str::to_owned).as_slice()).map(String::as_str),
        Some("data"),
        "{roles:?}"
    );
    let roles = found(&[]);
    assert!(roles.contains_key(&vec!["10.0.0.22".to_owned()]), "{roles:?}");
}

#[test]
fn shuffled_records_give_the_same_bytes() {
    let flowmap = Flowmap::new();
    let mut rows: Vec<&str> = SHOP.lines().skip(1).collect();
    flowmap.write("straight.csv", SHOP);
    rows.reverse();
    rows.rotate_left(5);
    flowmap.write("shuffled.csv", format!("client,server,protocol,port,packets,hours\n{}\n", rows.join("\n")));
    for format in ["json", "csv", "wide"] {
        let told = |file: &str| flowmap.ok(&["tiers", "--from", file, "-o", format]).stdout;
        assert_eq!(told("straight.csv"), told("shuffled.csv"));
    }
}

#[test]
fn a_scanner_changes_no_role_however_much_it_probes() {
    let flowmap = Flowmap::new();
    flowmap.write("flows.csv", SHOP);
    let hosts = ["1", "2", "11", "12", "21", "31", "53"].map(|host| format!("10.0.0.{host}"));
    flowmap.write("hosts.csv", format!("address\n{}\n", hosts.join("\n")));
    let roles = |file: &str| flowmap.json(&["tiers", "--from", file, "--inventory", "hosts.csv"]);
    let quiet = roles("flows.csv");
    for scanner in ["203.0.113.66", "10.0.0.12"] {
        for probes in [1, 10, 50] {
            let probe = |n: usize| {
                let outcome = ["refused", "unanswered", "established"][n % 3];
                format!("{scanner},{},tcp,{},3,1,{outcome}", hosts[n % hosts.len()], 20 + n)
            };
            let rows: Vec<String> =
                SHOP.lines().skip(1).map(|row| format!("{row},")).chain((0..probes).map(probe)).collect();
            flowmap
                .write("scan.csv", format!("client,server,protocol,port,packets,hours,outcome\n{}\n", rows.join("\n")));
            assert_eq!(roles("scan.csv"), quiet, "{scanner} {probes}");
        }
    }
}

/// The adjusted Rand index of two partitions (Hubert and Arabie, "Comparing partitions", 1985).
#[expect(clippy::cast_precision_loss, reason = "small counts")]
fn adjusted_rand(a: &BTreeMap<String, usize>, b: &BTreeMap<String, usize>) -> f64 {
    let pairs = |count: usize| (count * count.saturating_sub(1) / 2) as f64;
    let (mut both, mut of_a, mut of_b) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for (name, role) in a.iter().filter(|(name, _)| b.contains_key(*name)) {
        *both.entry((role, b[name])).or_insert(0) += 1;
        *of_a.entry(role).or_insert(0) += 1;
        *of_b.entry(b[name]).or_insert(0) += 1;
    }
    let sum = |counts: Vec<usize>| counts.into_iter().map(pairs).sum::<f64>();
    let all = pairs(both.values().sum());
    let (index, a, b) =
        (sum(both.into_values().collect()), sum(of_a.into_values().collect()), sum(of_b.into_values().collect()));
    let expected = a * b / all;
    (index - expected) / (f64::midpoint(a, b) - expected)
}

fn labelled(groups: impl Iterator<Item = Vec<String>>) -> BTreeMap<String, usize> {
    groups.enumerate().flat_map(|(n, members)| members.into_iter().map(move |name| (name, n))).collect()
}

#[test]
fn the_hosts_of_a_data_centre_are_grouped_as_people_named_them() {
    let Some(data) = data() else { return };
    let folder = data.join("roles/g21");
    if !folder.is_dir() {
        return crate::common::skipped(&format!("{} is not there", folder.display()));
    }
    let flowmap = Flowmap::new();
    flowmap.ok(&["inventory", "import", &text(&folder.join("hosts.csv"))]);
    flowmap.ok(&["import", &text(&folder.join("flows.csv"))]);
    let groups: Vec<Vec<String>> = serde_json::from_slice(&fs::read(folder.join("groups.json")).unwrap()).unwrap();
    let truth = labelled(groups.into_iter());
    let flows = fs::read_to_string(folder.join("flows.csv")).unwrap();
    let seen: BTreeSet<&str> = flows.lines().skip(1).flat_map(|row| row.split(',').take(2)).collect();
    let roles = flowmap.json(&["tiers"]);
    let mut found = labelled(roles.as_array().unwrap().iter().map(members));
    assert_eq!(found.len(), truth.len(), "every host is in one role");
    found.retain(|name, _| seen.contains(name.as_str()));
    assert_eq!(found.len(), 58);
    let agreement = adjusted_rand(&found, &truth);
    assert!(agreement >= 0.90, "adjusted Rand index {agreement}");
}

/// The tiers of an application's workloads, whose truth calls them frontend, app, data, infra and load.
fn application(name: &str, options: &[&str]) {
    let (Some(data), Some(tools)) = (data(), tools()) else { return };
    if !has_modules(&["yaml"]) {
        return;
    }
    let flowmap = Flowmap::new();
    let (source, scenario) = (data.join("apps").join(name), flowmap.path("scenario"));
    let play = Command::new(python())
        .arg(tools.join("traffic.py"))
        .args([&text(&source), &text(&scenario)])
        .args(options)
        .output()
        .unwrap();
    assert!(play.status.success(), "{}", String::from_utf8_lossy(&play.stderr));
    let nodes = crate::common::files(&scenario).into_keys().filter(|file| file.starts_with("node-"));
    let nodes: Vec<String> = nodes.map(|file| text(&scenario.join(file))).collect();
    flowmap.ok(&[&["import"], &nodes.iter().map(String::as_str).collect::<Vec<_>>()[..]].concat());
    flowmap.ok(&["inventory", "import", &text(&scenario.join("cluster.json"))]);
    let truth = read(&source.join("truth.json"));
    let namespace = truth["namespace"].as_str().unwrap();
    let roles = flowmap.json(&["tiers", "-n", namespace]);
    let mut found: BTreeMap<String, (String, u64)> = BTreeMap::new();
    for role in roles.as_array().unwrap() {
        for member in members(role) {
            found.insert(member, (role["tier"].as_str().unwrap().to_owned(), role["level"].as_u64().unwrap()));
        }
    }
    let words = BTreeMap::from([
        ("frontend", "edge"),
        ("app", "application"),
        ("data", "data"),
        ("infra", "infrastructure"),
        ("load", "client"),
    ]);
    for (workload, tier) in truth["tiers"].as_object().unwrap() {
        let (got, _) = &found[&format!("{namespace}/{workload}")];
        assert_eq!(got, words[tier.as_str().unwrap()], "{name} {options:?}: {workload}");
    }
    // who calls stands nearer to the outside than whom it calls
    let level = |wanted: &str| -> Vec<u64> {
        found.values().filter(|(tier, _)| tier == wanted).map(|(_, level)| *level).collect()
    };
    let (edge, application) = (level("edge").into_iter().max(), level("application").into_iter().min());
    assert!(edge < application, "{name} {options:?}: {edge:?} {application:?}");
    assert!(level("data").into_iter().all(|data| Some(data) > application), "{name} {options:?}");
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn bookinfo_is_laid_in_its_tiers() {
    for options in [["--seed", "1"], ["--seed", "2"], ["--seed", "3"]] {
        application("bookinfo", &options);
    }
}

#[test]
fn online_boutique_is_laid_in_its_tiers() {
    for options in [["--seed", "1"], ["--seed", "2"], ["--seed", "3"]] {
        application("online-boutique", &options);
    }
}

#[test]
fn teastore_is_laid_in_its_tiers() {
    for options in [["--seed", "1"], ["--seed", "2"], ["--seed", "3"]] {
        application("teastore", &options);
    }
}

#[test]
fn an_application_without_noise_is_laid_in_its_tiers() {
    for name in ["bookinfo", "online-boutique", "teastore"] {
        application(name, &["--seed", "1", "--plain"]);
    }
}

#[test]
fn the_sample_has_no_role_for_what_it_does_not_know() {
    let flowmap = Flowmap::new();
    let none = flowmap.run(&["tiers"]);
    assert_eq!((none.code, none.stdout.as_str()), (0, ""));
    assert!(none.stderr.contains("no endpoints in scope"), "{}", none.stderr);
    let alone = flowmap.json(&["tiers", "--inventory", &sample("cluster.json"), "--from", &sample("node-1.pcap")]);
    assert!(alone.as_array().unwrap().iter().any(|role| members(role).contains(&"production/db".to_owned())));
}

/// Opening and agreement of so many connections to a database, as Hubble reports them; and nothing else of any.
fn opened(count: u32) -> String {
    let end = |address: &str, port: u32| (address.to_owned(), port);
    let line = |n: u32, is_reply: bool| {
        let (client, server) = (end("10.0.0.11", 40_000 + n), end("10.0.0.21", 5_432));
        let (from, to) = if is_reply { (server, client) } else { (client, server) };
        let flow = serde_json::json!({
            "time": format!("2026-11-24T10:{n:02}:00Z"), "verdict": "FORWARDED", "Type": "L3_L4", "is_reply": is_reply,
            "IP": {"source": from.0, "destination": to.0, "ipVersion": "IPv4"},
            "l4": {"TCP": {"source_port": from.1, "destination_port": to.1, "flags": {"SYN": true, "ACK": is_reply}}},
            "event_type": {"type": 4}, "trace_observation_point": "TO_ENDPOINT",
        });
        format!("{}\n", serde_json::json!({"flow": flow}))
    };
    (0..count).flat_map(|n| [line(n, false), line(n, true)]).collect()
}

#[test]
fn connections_of_which_a_log_reports_few_packets_have_been_used() {
    let flowmap = Flowmap::new();
    flowmap.write("hubble.json", opened(20));
    let roles = flowmap.json(&["tiers", "--from", "hubble.json"]);
    assert!(roles.as_array().unwrap().iter().any(|role| role["role"] == "serves TCP/5432"), "{roles}");
    // what a record has counted is all there was
    flowmap.write("flows.csv", "client,server,protocol,port,packets,connections\n10.0.0.11,10.0.0.21,tcp,5432,40,20\n");
    let roles = flowmap.json(&["tiers", "--from", "flows.csv"]);
    assert!(roles.as_array().unwrap().iter().all(|role| role["role"] == "not seen"), "{roles}");
}

/// A ping, or looking for a neighbour, whoever does it.
#[test]
fn to_ask_whether_somebody_is_there_is_no_call() {
    let flowmap = Flowmap::new();
    flowmap.write("hosts.csv", "address,name\n2001:db8::1,web\n2001:db8::2,db\n2001:db8::3,monitor\n");
    let log = "client,server,protocol,port,packets,outcome\n2001:db8::1,2001:db8::2,TCP,5432,40,established\n\
               2001:db8::2,fe80::1,ICMPV6,0,4,established\nfe80::1,2001:db8::2,ICMPV6,0,4,oneway\n\
               2001:db8::2,2001:db8::1,ICMPV6,0,4,established\n2001:db8::3,2001:db8::2,ICMPV6,0,4,established\n\
               2001:500::7,2001:db8::2,ICMPV6,0,4,established\n";
    flowmap.write("flows.csv", log);
    let roles = flowmap.json(&["tiers", "--from", "flows.csv", "--inventory", "hosts.csv"]);
    let role = |name: &str| {
        let of = |role: &&Value| members(role).contains(&name.to_owned());
        roles.as_array().unwrap().iter().find(of).unwrap().clone()
    };
    let db = role("db");
    assert_eq!((&db["tier"], &db["role"]), (&"data".into(), &"serves TCP/5432".into()), "{db}");
    assert!(db["reason"].as_str().unwrap().contains("calls nothing"), "{db}");
    assert_eq!(role("monitor")["role"], "not seen");
}

#[test]
fn who_is_called_by_nodes_alone_is_no_client() {
    let flowmap = Flowmap::new();
    let node = cluster::node("node-2", "192.0.2.2", "10.244.2.0/24");
    let pods = [cluster::pod("sink", "10.244.1.5"), cluster::pod("job", "10.244.1.6"), node];
    flowmap.write("cluster.json", cluster::list(&pods));
    let log = "client,server,protocol,port,packets,outcome\n192.0.2.2,10.244.1.5,TCP,24224,40,established\n\
               10.244.1.6,198.51.100.1,TCP,443,40,established\n";
    flowmap.write("flows.csv", log);
    let roles = flowmap.json(&["tiers", "--from", "flows.csv", "--inventory", "cluster.json"]);
    let tier = |name: &str| {
        let of = |role: &&Value| members(role).contains(&name.to_owned());
        roles.as_array().unwrap().iter().find(of).map(|role| role["tier"].as_str().unwrap().to_owned())
    };
    assert_eq!(tier("shop/sink").as_deref(), Some("application"), "{roles}");
    assert_eq!(tier("shop/job").as_deref(), Some("client"), "{roles}");
}
