//! What the rules say, from flow logs and hosts files.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::common::{
    Flowmap,
    frames::{Frames, Packet, connection, datagram},
    skipped,
};

const HOSTS: &str = "address,name,role
10.0.10.11,web1,web
10.0.10.12,web2,web
10.0.20.11,app1,app
10.0.20.12,app2,app
10.0.30.11,db1,db
10.0.40.9,nagios,
10.0.50.1,idle,
10.0.60.0/24,desks,desks
";

const HEAD: &str = "client,server,protocol,port,connections,packets,first_seen,last_seen,outcome\n";

/// What everybody does: the outside calls both web servers, of four pairs of web and app three are in use, two desks call
/// both web servers.
const FLOWS: &str = "203.0.113.1,10.0.10.11,TCP,443,5
198.51.100.2,10.0.10.12,TCP,443,1
10.0.10.11,10.0.20.11,TCP,8080,50
10.0.10.11,10.0.20.12,TCP,8080,50
10.0.10.12,10.0.20.11,TCP,8080,50
10.0.20.11,10.0.30.11,TCP,5432,50
10.0.20.12,10.0.30.11,TCP,5432,50
10.0.40.9,10.0.10.11,TCP,9100,50
10.0.40.9,10.0.20.11,TCP,9100,50
10.0.40.9,10.0.30.11,ICMP,0,50
10.0.20.11,192.0.2.55,TCP,443,3
10.0.60.3,10.0.10.11,TCP,443,9
10.0.60.4,10.0.10.12,TCP,443,9
";

fn flows(lines: &str) -> String {
    let line = |line: &str| format!("{line},900,2026-11-20T10:00:00Z,2026-11-20T11:00:00Z,established\n");
    HEAD.to_owned() + &lines.lines().map(line).collect::<String>()
}

/// A line for each number.
fn lines(numbers: std::ops::RangeInclusive<u16>, line: impl Fn(u16) -> String) -> String {
    numbers.map(|n| line(n) + "\n").collect()
}

fn lab(lines: &str) -> Flowmap {
    let flowmap = Flowmap::new();
    flowmap.write("hosts.csv", HOSTS);
    flowmap.write("flows.csv", flows(lines));
    flowmap
}

const FIREWALL: [&str; 6] = ["firewall", "--from", "flows.csv", "--inventory", "hosts.csv", "--out-dir"];

/// Whether nftables takes it; said aloud where it is not there or not allowed.
#[track_caller]
fn is_read(rules: &str) {
    // reading sets needs a network namespace of one's own
    let mut command = Command::new("unshare");
    command.args(["--net", "nft", "-c", "-f", "-"]).stdin(Stdio::piped()).stderr(Stdio::piped());
    let Ok(mut child) = command.spawn() else { return skipped("there is no unshare") };
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), rules.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    if told.contains("not permitted") || told.contains("No such file or directory") && told.contains("nft") {
        return skipped("nftables needs root, and to be there");
    }
    assert!(output.status.success(), "{told}\n{rules}");
}

/// The rules by who may reach whom on what.
#[track_caller]
fn rules(flowmap: &Flowmap, more: &[&str]) -> Vec<String> {
    let found = flowmap.json(&[&FIREWALL[..], &["out"], more].concat());
    let word = |rule: &Value, key: &str| rule[key].as_str().unwrap().to_owned();
    let ports = |rule: &Value| {
        rule["ports"].as_array().unwrap().iter().map(|port| port.as_str().unwrap()).collect::<Vec<_>>().join(",")
    };
    let line = |rule: &Value| {
        let extra = rule["extra"].as_u64().map_or("open".to_owned(), |extra| format!("+{extra}"));
        format!("{} -> {} {}/{} {extra}", word(rule, "from"), word(rule, "to"), word(rule, "protocol"), ports(rule))
    };
    is_read(&flowmap.ok(&[&FIREWALL[..], &["-"], more].concat()).stdout);
    found["rules"].as_array().unwrap().iter().map(line).collect()
}

#[test]
fn pairs_that_were_seen_are_all_that_passes() {
    let flowmap = lab(FLOWS);
    let expected = [
        "web -> app TCP/8080 +0",
        "app -> db TCP/5432 +0",
        "app -> outside TCP/443 +0",
        "desks -> web TCP/443 +0",
        "nagios -> web TCP/9100 +0",
        "nagios -> app TCP/9100 +0",
        "nagios -> db ICMP/0 +0",
        "outside -> web TCP/443 +0",
    ];
    let mut found = rules(&flowmap, &[]);
    let mut expected = expected.map(str::to_owned).to_vec();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
    let text = flowmap.read("out/flowmap.nft");
    let pairs = "ip saddr . ip daddr { 10.0.10.11 . 10.0.20.11, 10.0.10.11 . 10.0.20.12, 10.0.10.12 . 10.0.20.11 }";
    assert!(text.contains(&format!("{pairs} tcp dport 8080 counter accept")), "{text}");
    assert!(text.contains("ip saddr 10.0.40.9 ") || text.contains("@infrastructure_nagios_4"), "{text}");
}

#[test]
fn a_role_is_let_through_as_a_whole_where_enough_of_its_pairs_were_seen() {
    let flowmap = lab(FLOWS);
    let found = rules(&flowmap, &["--granularity", "role"]);
    assert!(found.contains(&"web -> app TCP/8080 +1".to_owned()), "{found:?}");
    // a range is one host: both desks that were seen are it
    assert!(found.contains(&"desks -> web TCP/443 +0".to_owned()), "{found:?}");
    assert!(flowmap.read("out/flowmap.nft").contains("10.0.60.0/24"));
    let found = rules(&flowmap, &["--granularity", "role", "--support", "0.8"]);
    assert!(found.contains(&"web -> app TCP/8080 +0".to_owned()), "{found:?}");
}

#[test]
fn over_permission_is_counted_as_of_policies_so_that_1_is_the_least() {
    let flowmap = lab(FLOWS);
    let args = [&FIREWALL[..], &["out"]].concat();
    let costs = &flowmap.json(&args)["granularities"];
    let measured = |n: usize| ["needed", "extra", "over_permission"].map(|key| costs[n][key].as_f64().unwrap());
    assert_eq!((measured(0), measured(1)), ([13.0, 0.0, 1.0], [13.0, 3.0, 16.0 / 13.0]), "{costs}");
    let review = flowmap.read("out/REVIEW.md");
    assert!(
        review.contains("| host (chosen) | 8 | 13 | 0 | 1.00 | 0 |\n| role | 8 | 13 | 3 | 1.23 | 0 |\n"),
        "{review}"
    );
    let lines: Vec<String> =
        flowmap.ok(&args).stdout.lines().map(|it| it.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert!(lines.contains(&"host (chosen) 8 13 0 1.00".to_owned()), "{lines:?}");
}

#[test]
fn what_nobody_saw_is_left_open_and_said() {
    let flowmap = lab(FLOWS);
    let told = flowmap.ok(&[&FIREWALL[..], &["out"]].concat());
    assert!(
        told.stderr.contains("flowmap: desks, all of 10.0.60.0/24 that was not seen; idle: left open"),
        "{}",
        told.stderr
    );
    assert!(told.stderr.contains("1 flow log does not tell the place"), "{}", told.stderr);
    let review = flowmap.read("out/REVIEW.md");
    assert!(review.contains("- idle: left open, unseen\n"), "{review}");
    assert!(!flowmap.read("out/flowmap.nft").contains("10.0.50.1"));
    // of a range that is no one host what was not seen is open too
    let rest = "desks, all of 10.0.60.0/24 that was not seen: left open, unseen";
    assert!(review.contains(&format!("- {rest}\n")), "{review}");
    flowmap.ok(&[&FIREWALL[..], &["out", "--isolate-unseen"]].concat());
    assert!(flowmap.read("out/REVIEW.md").contains(rest));
    assert!(flowmap.read("out/flowmap.nft").contains("10.0.50.1"));
}

#[test]
fn a_log_of_one_host_closes_nobody_else() {
    let of_web1: String =
        FLOWS.lines().filter(|line| line.contains("10.0.10.11")).map(|it| it.to_owned() + "\n").collect();
    let flowmap = lab(&of_web1);
    let found = flowmap.json(&[&FIREWALL[..], &["out"]].concat());
    assert_eq!(found["closed"], serde_json::json!(["10.0.10.11/32"]));
    let open: Vec<&str> =
        found["left_open"].as_array().unwrap().iter().map(|it| it["host"].as_str().unwrap()).collect();
    let expected =
        ["app1", "app2", "db1", "desks", "desks, all of 10.0.60.0/24 that was not seen", "idle", "nagios", "web2"];
    assert_eq!(open, expected);
}

#[test]
fn strangers_are_let_in_one_by_one_unless_a_port_is_public() {
    let strangers: String = lines(1..=20, |n| format!("198.51.100.{n},10.0.10.11,TCP,443,1"));
    let called: String = lines(1..=9, |n| format!("10.0.20.12,192.0.2.{n},UDP,123,4"));
    let flowmap = lab(&(FLOWS.to_owned() + &strangers + &called));
    let told = flowmap.ok(&[&FIREWALL[..], &["out"]].concat()).stderr;
    assert!(told.contains("come to web on TCP/443, 19 of them once") && told.contains("--public 443/TCP"), "{told}");
    assert!(
        told.contains("are called by app on UDP/123, 0 of them once") && told.contains("--anywhere 123/UDP"),
        "{told}"
    );
    let text = flowmap.read("out/flowmap.nft");
    assert!(text.contains("198.51.100.20 . 10.0.10.11") && !text.contains("@inside"), "{text}");

    let found = rules(&flowmap, &["--public", "443", "--anywhere", "123/UDP"]);
    assert!(found.contains(&"outside -> web TCP/443 open".to_owned()), "{found:?}");
    assert!(found.contains(&"app -> outside UDP/123 open".to_owned()), "{found:?}");
    // the other way is not opened with it
    assert!(found.contains(&"app -> outside TCP/443 +0".to_owned()), "{found:?}");
    let text = flowmap.read("out/flowmap.nft");
    assert!(text.contains("ip saddr != @inside4 ip daddr @edge_web_4 tcp dport 443 counter accept"), "{text}");
    assert!(text.contains("ip saddr 10.0.20.12 ip daddr != @inside4 udp dport 123 counter accept"), "{text}");
    // what is for everyone is no question any more
    assert!(!flowmap.read("out/REVIEW.md").contains("come to web on TCP/443"));
    assert!(text.contains("224.0.0.0/3"), "groups are not outside: {text}");
    let told = flowmap.ok(&[&FIREWALL[..], &["out", "--public", "25"]].concat()).stderr;
    assert!(told.contains("--public 25/TCP: nothing with the outside was seen on it"), "{told}");
}

#[test]
fn what_got_nothing_or_sweeps_makes_no_rule() {
    let flowmap = lab(FLOWS);
    let refused = "10.0.20.12,10.0.30.11,TCP,22,7,9,2026-11-20T10:00:00Z,2026-11-20T11:00:00Z,refused\n";
    flowmap.write("flows.csv", flows(FLOWS) + refused);
    let found = rules(&flowmap, &[]);
    assert!(found.iter().all(|rule| !rule.contains("/22")), "{found:?}");
    let told = flowmap.json(&[&FIREWALL[..], &["out"]].concat());
    assert_eq!(told["replay"]["unneeded"], 7);
    assert_eq!(told["left_out"][0]["reason"], "refused");
    assert!(flowmap.read("out/REVIEW.md").contains("| app2 | db1 | TCP/22 | 7 | refused |"));
}

#[test]
fn one_direction_closes_that_direction_alone() {
    let flowmap = lab(FLOWS);
    let ingress = rules(&flowmap, &["--direction", "ingress"]);
    assert!(!ingress.iter().any(|rule| rule.starts_with("app -> outside")), "{ingress:?}");
    let text = flowmap.read("out/flowmap.nft");
    assert!(text.contains("ip daddr @closed4 goto needed") && !text.contains("ip saddr @closed4"), "{text}");
    let egress = rules(&flowmap, &["--direction", "egress"]);
    assert!(!egress.iter().any(|rule| rule.starts_with("outside -> web")), "{egress:?}");
}

#[test]
fn ports_that_a_server_hands_out_are_a_range() {
    let line = |n: u16| {
        let (port, hour) = (40_000 + 37 * n, 1 + n % 12);
        let times = format!("2026-11-20T{hour:02}:00:00Z,2026-11-20T{hour:02}:00:09Z");
        format!("10.0.20.11,10.0.30.11,TCP,{port},1,90,{times},established\n")
    };
    let flowmap = lab(FLOWS);
    flowmap.write("flows.csv", flows(FLOWS) + &(0..12).map(line).collect::<String>());
    let found = rules(&flowmap, &[]);
    assert!(found.contains(&"app -> db TCP/40000-40407 +396".to_owned()), "{found:?}");
    assert!(found.contains(&"app -> db TCP/5432 +0".to_owned()), "{found:?}");
    assert!(flowmap.read("out/flowmap.nft").contains("WIDENED: 12 ports seen that a server hands out"));
}

#[test]
fn both_families_and_ports_without_names_are_written() {
    let flowmap = lab("2001:db8::1,fd00::5,UDP,53,4
fd00::7,fd00::5,TCP,53,4
fd00::7,fd00::5,ICMPV6,0,4
10.0.20.11,10.0.30.11,GRE,0,4
10.0.20.11,10.0.30.11,SCTP,3868,4
");
    flowmap.write("hosts.csv", HOSTS.to_owned() + "fd00::5,dns6,\nfd00::7,mail6,\n");
    rules(&flowmap, &[]);
    let text = flowmap.read("out/flowmap.nft");
    for line in ["meta l4proto 47 counter accept", "sctp dport 3868", "meta l4proto 58", "ip6 saddr"] {
        assert!(text.contains(line), "{line}: {text}");
    }
}

#[test]
fn rules_that_somebody_edited_are_not_written_over() {
    let flowmap = lab(FLOWS);
    let args = [&FIREWALL[..], &["out"]].concat();
    flowmap.ok(&args);
    let first = flowmap.read("out/flowmap.nft");
    flowmap.ok(&args);
    assert_eq!(flowmap.read("out/flowmap.nft"), first);
    flowmap.write("out/flowmap.nft", first.replace("8080", "8081"));
    let output = flowmap.run(&args);
    output.is_an_error(&["flowmap: out/flowmap.nft: was edited since flowmap wrote it"]);
    assert!(flowmap.read("out/flowmap.nft").contains("8081"));
    flowmap.write("out/flowmap.nft", "table ip mine {}\n");
    flowmap.run(&args).is_an_error(&["flowmap: out/flowmap.nft: is there already, and flowmap did not write it"]);
}

#[test]
fn names_of_hosts_cannot_leave_their_comment() {
    let flowmap = lab(FLOWS);
    let hostile = "\"evil\n\tflush ruleset #\",\"x\nflush ruleset\"";
    flowmap.write("hosts.csv", HOSTS.replace("web1,web", hostile));
    rules(&flowmap, &[]);
    for file in ["out/flowmap.nft", "out/REVIEW.md"] {
        let text = flowmap.read(file);
        assert!(text.lines().all(|line| !line.trim_start().starts_with("flush ruleset")), "{text}");
    }
}

#[test]
fn names_of_hosts_are_no_markup() {
    let flowmap = lab(FLOWS);
    flowmap.write("hosts.csv", HOSTS.replace("web1,web", "<img src=x>,![i](http://evil/x)[go](javascript:x)"));
    rules(&flowmap, &[]);
    let text = flowmap.read("out/REVIEW.md");
    let review: String = text.lines().skip(1).flat_map(|line| [line, "\n"]).collect();
    assert!(review.contains("img src=x") && review.contains("javascript:x"), "{review}");
    assert!(!review.replace("\\<", "").contains('<') && !review.contains("]("), "{review}");
}

#[test]
fn the_order_of_lines_and_files_changes_no_byte() {
    let flowmap = lab(FLOWS);
    flowmap.ok(&[&FIREWALL[..], &["one"]].concat());
    let turned: String = FLOWS.lines().rev().map(|line| line.to_owned() + "\n").collect();
    flowmap.write("flows.csv", flows(&turned));
    flowmap.ok(&[&FIREWALL[..], &["two"]].concat());
    for file in ["flowmap.nft", "REVIEW.md", "enforce.nft", "trial.nft"] {
        assert_eq!(flowmap.read(&format!("one/{file}")), flowmap.read(&format!("two/{file}")));
    }
}

#[test]
fn without_hosts_there_is_nothing_to_write() {
    let flowmap = Flowmap::with_sample();
    let output = flowmap.run(&["firewall"]);
    output.is_an_error(&["flowmap: hosts: nothing was seen of private addresses"]);
    assert!(!flowmap.path("firewall-out").exists());
}

#[test]
fn a_range_lets_nobody_pass_who_is_listed_within_it() {
    let flowmap = lab(&(FLOWS.to_owned() + "10.0.60.9,10.0.30.11,TCP,22,4\n"));
    flowmap.write("hosts.csv", HOSTS.to_owned() + "10.0.60.9,printer,\n");
    let found = rules(&flowmap, &["--granularity", "role"]);
    assert!(found.contains(&"printer -> db TCP/22 +0".to_owned()), "{found:?}");
    let text = flowmap.read("out/flowmap.nft");
    let desks = text.split("set client_desks_4").nth(1).and_then(|rest| rest.split('}').next()).unwrap_or(&text);
    assert!(desks.contains("10.0.60.8,") && desks.contains("10.0.60.10/31") && !desks.contains("10.0.60.9"), "{text}");
    assert!(!desks.contains("10.0.60.0/24"), "{text}");
}

#[test]
fn an_address_that_two_names_claim_is_nobodys() {
    let flowmap = lab(FLOWS);
    flowmap.write("hosts.csv", HOSTS.to_owned() + "10.0.30.11,db-old,db\n");
    let found = flowmap.json(&[&FIREWALL[..], &["out"]].concat());
    assert!(!found["closed"].to_string().contains("10.0.30.11"), "{found}");
}

#[test]
fn leases_that_routers_forward_are_needed_and_broadcasts_are_not() {
    let flowmap = lab(&(FLOWS.to_owned() + "10.0.60.3,10.0.30.11,UDP,67,2\n10.0.60.3,255.255.255.255,UDP,67,2\n"));
    let found = rules(&flowmap, &[]);
    assert!(found.contains(&"desks -> db UDP/67 +0".to_owned()), "{found:?}");
    assert!(!flowmap.read("out/flowmap.nft").contains("255.255.255.255"));
}

#[test]
fn a_port_that_is_named_is_no_part_of_a_range() {
    let line = |n: u16| {
        let (port, hour) = (50_000 + 37 * n, 1 + n % 12);
        let times = format!("2026-11-20T{hour:02}:00:00Z,2026-11-20T{hour:02}:00:09Z");
        format!("203.0.113.9,10.0.10.11,TCP,{port},1,90,{times},established\n")
    };
    let flowmap = lab(FLOWS);
    flowmap.write("flows.csv", flows(FLOWS) + &(0..12).map(line).collect::<String>());
    for named in [50_000, 50_037] {
        let port = named.to_string();
        let found = rules(&flowmap, &["--public", &port]);
        assert!(found.contains(&format!("outside -> web TCP/{named} open")), "{found:?}");
        assert_eq!(found.iter().filter(|rule| rule.ends_with(" open")).count(), 1, "{found:?}");
    }
}

#[test]
fn who_was_never_seen_is_in_nobodys_role_or_tier() {
    let flowmap = lab(FLOWS);
    flowmap.write("hosts.csv", HOSTS.replace("idle,", "idle,web"));
    for granularity in ["role", "tier"] {
        let found = rules(&flowmap, &["--granularity", granularity, "--isolate-unseen"]);
        assert!(!found.is_empty());
        let text = flowmap.read("out/flowmap.nft");
        let closed = text.split("set closed4").nth(1).and_then(|rest| rest.split('}').next()).unwrap();
        assert!(closed.contains("10.0.50.1"), "{text}");
        assert_eq!(text.matches("10.0.50.1").count(), 1, "{text}");
    }
}

#[test]
fn a_sweep_makes_nobody_a_host_and_opens_no_other() {
    let flowmap = lab(FLOWS);
    let args = ["firewall", "--from", "flows.csv", "--out-dir", "out"];
    let before = flowmap.json(&args);
    let swept: String = lines(1..=250, |n| {
        let from = "2026-11-20T10:00:00Z,2026-11-20T10:00:00Z";
        format!("10.0.70.9,10.0.80.{n},TCP,22,1,1,{from},unanswered")
    });
    flowmap.write("flows.csv", flows(FLOWS) + &swept);
    let after = flowmap.json(&args);
    let list = |found: &Value, key: &str| -> Vec<String> {
        found[key].as_array().unwrap().iter().map(ToString::to_string).collect()
    };
    let open = list(&after, "left_open").join(" ");
    assert!(!open.contains("10.0.80."), "{open}");
    let of_others: Vec<String> = list(&after, "closed").into_iter().filter(|it| !it.contains("10.0.70.9")).collect();
    assert_eq!(of_others, list(&before, "closed"));
    assert_eq!(list(&after, "rules").len(), list(&before, "rules").len());
}

#[test]
fn what_answered_a_sweep_is_told_for_it_may_be_needed() {
    let swept: String = lines(1..=60, |n| {
        let (outcome, packets) = if n % 10 == 0 { ("established", 12) } else { ("unanswered", 1) };
        format!("10.0.70.9,10.0.80.{n},TCP,22,1,{packets},2026-11-20T10:00:{n:02}Z,2026-11-20T10:00:{n:02}Z,{outcome}")
    });
    let flowmap = lab(FLOWS);
    let told = || flowmap.ok(&["firewall", "--from", "flows.csv", "--out-dir", "out"]).stderr;
    assert!(!told().contains("parts of sweeps"));
    flowmap.write("flows.csv", flows(FLOWS) + &swept.replace(":60Z", ":59Z").replace(",12,", ",3,"));
    assert!(!told().contains("parts of sweeps"), "what an opening takes");
    flowmap.write("flows.csv", flows(FLOWS) + &swept.replace(":60Z", ":59Z"));
    let told = told();
    assert!(told.contains("flowmap: 10.0.70.9: 6 answered connections taken for parts of sweeps: no rule"), "{told}");
}

#[test]
fn connections_of_which_answers_alone_were_seen_make_rules_and_are_told() {
    let (host, resolver) = ("10.0.10.11:40000", "198.51.100.1:53");
    let mut packets = connection("10.0.10.12:41000", "10.0.10.11:443", 1_000, 2_000);
    packets.extend((0..4).map(|n| datagram(resolver, host, &format!("answer {n}"))));
    let flowmap = Flowmap::new();
    let told = |packets: &[Packet]| {
        flowmap.write("trunk.pcap", Frames::ethernet(packets.iter().cloned()).bytes());
        let args = ["firewall", "--from", "trunk.pcap", "--isolate-unseen", "--out-dir", "out"];
        flowmap.ok(&args).stderr
    };
    let words = "flowmap: 10.0.10.11: of 1 connection answers alone were captured";
    let all = told(&packets);
    assert!(all.contains(words), "{all}");
    assert!(flowmap.read("out/flowmap.nft").contains("udp dport 53 counter accept"));
    // with its question
    packets.insert(0, datagram(host, resolver, "a question"));
    assert!(!told(&packets).contains("answers alone"));
    // where nothing that the host sends is captured at all, answers are all there is
    let is_of_host = |it: &&Packet| it.is_from(host) || it.is_from("10.0.10.11:443");
    let from_others: Vec<Packet> = packets.iter().filter(|it| !is_of_host(it)).cloned().collect();
    assert!(!told(&from_others).contains("answers alone"));
}

#[test]
fn ftp_takes_ports_that_no_rule_knows_and_that_is_told() {
    let flowmap = lab(FLOWS);
    let told = flowmap.ok(&[&FIREWALL[..], &["out"]].concat());
    assert!(!(told.stderr + &flowmap.read("out/REVIEW.md") + &flowmap.read("out/flowmap.nft")).contains("FTP"));
    flowmap.write("flows.csv", flows(&(FLOWS.to_owned() + "10.0.20.11,10.0.10.12,TCP,21,50\n")));
    let told = flowmap.ok(&[&FIREWALL[..], &["out"]].concat()).stderr;
    assert!(told.contains("flowmap: web2: FTP takes another port for each transfer"), "{told}");
    let rules = flowmap.read("out/flowmap.nft");
    assert!(rules.contains("# FTP takes another port for each transfer, and needs a `ct helper`"), "{rules}");
    let review = flowmap.read("out/REVIEW.md");
    let (_, table) = review.split_once("```\n").unwrap();
    is_read(table.split_once("```").unwrap().0);
}

#[test]
fn tftp_answers_from_ports_that_no_rule_knows_and_that_is_told() {
    let flowmap = lab(FLOWS);
    let told = flowmap.ok(&[&FIREWALL[..], &["out"]].concat());
    assert!(!(told.stderr + &flowmap.read("out/REVIEW.md") + &flowmap.read("out/flowmap.nft")).contains("TFTP"));
    flowmap.write("flows.csv", flows(&(FLOWS.to_owned() + "10.0.20.11,10.0.10.12,UDP,69,50\n")));
    let told = flowmap.ok(&[&FIREWALL[..], &["out"]].concat()).stderr;
    assert!(told.contains("flowmap: web2: TFTP answers from another port each time"), "{told}");
    let rules = flowmap.read("out/flowmap.nft");
    assert!(rules.contains("# TFTP answers from another port, and needs a `ct helper`"), "{rules}");
    let review = flowmap.read("out/REVIEW.md");
    let (_, table) = review.split_once("```\n").unwrap();
    assert!(table.contains("ct helper tftp"), "{review}");
    is_read(table.split_once("```").unwrap().0);
}

#[test]
fn who_asks_for_names_by_udp_may_get_them_by_tcp() {
    let flowmap = lab(&(FLOWS.to_owned() + "10.0.20.11,10.0.10.12,UDP,53,50\n"));
    let found = rules(&flowmap, &[]);
    let names: Vec<&String> =
        found.iter().filter(|rule| rule.ends_with("P/53 +0") || rule.ends_with("/53 +1")).collect();
    assert_eq!(names, ["app -> web TCP/53 +1", "app -> web UDP/53 +0"]);
    let review = flowmap.read("out/REVIEW.md");
    assert!(
        review.contains("1 pair asks by UDP/53: by TCP comes what is too long for a datagram (RFC 7766)"),
        "{review}"
    );
    for told in ["nf_conntrack_max", "No rules outlive a reboot"] {
        assert!(review.contains(told), "{review}");
    }
}
