//! What a firewall dropped, from the kernel's log, through the command line.

use crate::common::{
    Flowmap,
    cluster::{list, pod},
    proposal,
};
use serde_json::json;

/// A SYN of `api` to port 5432 of `db`, as the kernel logs it.
fn logged(prefix: &str, source_port: u16) -> String {
    format!(
        "{prefix}IN=eth0 OUT=cali1 MAC=fa:3c:1e:bd:d0:e4:f2:66:29:f1:c0:7b:08:00 SRC=10.244.1.5 DST=10.244.2.7 LEN=60 TOS=0x00 \
         PREC=0x00 TTL=64 ID=17916 DF PROTO=TCP SPT={source_port} DPT=5432 WINDOW=64240 RES=0x00 SYN URGP=0 \n"
    )
}

fn dated(message: &str) -> String {
    format!("2026-11-29T10:20:18+0000 node-1 kernel: [16878.949480] {message}")
}

const POLICY: &str = r#"{"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
    "metadata": {"name": "closed", "creationTimestamp": "2026-11-20T10:00:00Z", "namespace": "shop"}, "spec": {"podSelector": {}, "policyTypes": ["Ingress"]}}"#;

fn with_pods() -> Flowmap {
    let flowmap = Flowmap::new();
    let policy = serde_json::from_str(POLICY).unwrap();
    flowmap.write("cluster.json", list(&[pod("api", "10.244.1.5"), pod("db", "10.244.2.7"), policy]));
    flowmap.ok(&["inventory", "import", "cluster.json"]);
    flowmap
}

#[test]
fn who_was_turned_away_is_told_by_name_makes_no_rule_and_is_found_again_in_what_a_policy_denies() {
    let flowmap = with_pods();
    let retried = dated(&logged("NetworkPolicy-DROP: ", 40_000)).repeat(3);
    flowmap.write("kern.log", retried + &dated(&logged("NetworkPolicy-DROP: ", 40_001)));
    let said = flowmap.ok(&["import", "--strict", "kern.log"]).stderr;
    assert!(said.contains("4 packets that a firewall dropped"), "{said}");
    let flows = flowmap.json(&["flows"]);
    let [flow] = &flows.as_array().unwrap()[..] else { panic!("{flows}") };
    let words = [&flow["client"]["name"], &flow["server"]["name"], &flow["port"], &flow["outcome"], &flow["direction"]];
    let expected = [json!("shop/api"), json!("shop/db"), json!(5432), json!("refused"), json!("handshake")];
    assert_eq!(words, expected.each_ref());
    assert_eq!((&flow["connections"], &flow["packets"]), (&json!(2), &json!(4)));
    // something that works, from a log of another kind
    let seen = "2026-11-29T10:20:00Z,2026-11-29T10:21:00Z";
    let csv = format!("client,server,protocol,port,first_seen,last_seen\n10.244.1.5,10.244.2.7,tcp,9090,{seen}\n");
    flowmap.write("flows.csv", csv);
    flowmap.ok(&["import", "flows.csv"]);
    let suggest = ["suggest", "-n", "shop", "--out-dir", "out", "--isolate-unseen"];
    let said = flowmap.ok(&suggest).stderr;
    assert!(said.contains("shop/api -> shop/db TCP/5432: not answered, maybe blocked"), "{said}");
    let review = proposal::read(&flowmap, "REVIEW.md");
    assert!(review.contains("**Blocked while learning?**") && review.contains("shop/closed"), "{review}");
    assert!(review.contains("Seen from 2026-11-29 10:20 to 2026-11-29 10:21 UTC in 1 capture."), "{review}");
    assert!(!proposal::read(&flowmap, "shop/db.yaml").contains("5432"));
}

#[test]
fn the_name_of_a_host_is_no_part_of_a_rules_prefix_whoever_hands_the_line_on() {
    let line = |host: &str, logger: &str, prefix: &str, port: u16| {
        format!("2026-11-29T10:20:18+00:00 {host} {logger}: {}", logged(prefix, port))
    };
    let flowmap = Flowmap::new();
    let dropped = [
        line("pass-1", "klogd", "[UFW BLOCK] ", 40_000),
        line("node-1", "kernel[0]", "[ 12.3] fw drop: ", 40_001),
        // dmesg names neither host nor logger
        format!("2026-11-29T10:20:18,000000+00:00 fw drop: {}", logged("", 40_002)),
    ];
    let other =
        [line("drop-proxy-1", "klogd", "[UFW AUDIT] ", 40_003), line("block-7", "kernel[0]", "LOGGED ", 40_004)];
    flowmap.write("kern.log", dropped.concat() + &other.concat());
    let said = flowmap.ok(&["import", "kern.log"]).stderr;
    assert!(
        said.contains("3 packets that a firewall dropped") && said.contains("2 packets of a firewall's log left out"),
        "{said}"
    );
    let flows = flowmap.json(&["flows"]);
    assert_eq!((&flows[0]["outcome"], &flows[0]["connections"]), (&json!("refused"), &json!(3)));
}

/// With `--closed`, what was dropped beside the rule that is missing: who runs into the policies that are deployed.
#[test]
fn who_runs_into_a_policy_is_listed_with_the_rule_that_is_missing() {
    let flowmap = with_pods();
    flowmap.write("closed.json", POLICY);
    flowmap.write("kern.log", dated(&logged("DROP ", 40_000)) + &dated(&logged("DROP ", 40_001)));
    flowmap.ok(&["import", "kern.log"]);
    let simulate = ["simulate", "closed.json", "--only"];
    let without = flowmap.ok(&simulate);
    assert!(
        without.stdout.starts_with("0 connections: 0 allowed, 0 denied, 0 uncertain; also closed: 2"),
        "{without:?}"
    );
    assert_eq!(without.stderr, "", "something was judged");
    let with = flowmap.ok(&[&simulate[..], &["--closed"]].concat()).stdout;
    let lines: Vec<String> = with.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(lines[1], "closed shop/api shop/db 5432/TCP 2");
    let reason = "refused; no rule of shop/closed allows ingress from shop/api on TCP/5432";
    assert!(lines[2..].join(" ").starts_with(reason), "{with}");
    let csv = flowmap.ok(&[&simulate[..], &["--closed", "-o", "csv"]].concat()).stdout;
    assert!(csv.contains("closed,shop/api,shop/db,5432/TCP,2,"), "{csv}");
    flowmap.run(&[&simulate[..], &["--closed", "--versus", "closed.json"]].concat()).is_an_error(&["--versus"]);
}

#[test]
fn what_did_not_pass_shows_of_no_pod_all_that_it_did() {
    let flowmap = with_pods();
    let at = |time: &str, port| dated(&logged("DROP ", port)).replace("2026-11-29T10:20:18", time);
    flowmap.write("kern.log", at("2026-11-29T09:00:00", 40_000) + &at("2026-11-29T11:00:00", 40_001));
    flowmap.ok(&["import", "--sensor", "node-1", "kern.log"]);
    let seen = "2026-11-29T10:20:00Z,2026-11-29T10:21:00Z";
    let csv = format!("client,server,protocol,port,first_seen,last_seen\n10.244.1.5,10.244.2.7,tcp,9090,{seen}\n");
    flowmap.write("flows.csv", csv);
    flowmap.ok(&["import", "flows.csv"]);
    let said = flowmap.ok(&["suggest", "-n", "shop", "--out-dir", "out"]).stderr;
    assert!(said.contains("shop: not watched at their own side all the time: api, db"), "{said}");
    assert_eq!(flowmap.json(&["runs"])[0]["kind"], "drops");
}

#[test]
fn the_same_log_adds_nothing_however_it_comes() {
    let flowmap = with_pods();
    let log = dated(&logged("DROP ", 40_000));
    flowmap.write("a.log", &log);
    flowmap.ok(&["import", "a.log"]);
    let again = flowmap.feed(&["import", "--sensor", "node-1", "-"], log.as_bytes());
    assert!(
        again.stdout.contains("already in the store") || again.stderr.contains("already in the store"),
        "{again:?}"
    );
}

#[test]
fn what_was_let_through_and_what_has_no_time_is_left_out_and_said() {
    let flowmap = with_pods();
    let undated = format!("Nov 29 10:20:18 node-1 kernel: {}", logged("DROP ", 40_000));
    let lines =
        [undated, dated(&logged("ACCEPT ", 40_001)), dated(&logged("seen: ", 40_002)), dated("usb 1-1: new device\n")];
    flowmap.write("kern.log", lines.concat());
    // without a word nothing is left out where files alone are looked at, either
    let said = flowmap.ok(&["flows", "--from", "kern.log"]).stderr;
    assert!(said.contains("1 packets of a firewall's log left out, for their times have no year"), "{said}");
    assert!(said.contains("left out, for no prefix says whether they were dropped"), "{said}");
    let said = flowmap.ok(&["import", "--strict", "kern.log"]).stderr;
    // the times are there, and of nothing that is used
    assert!(!said.contains("names a time"), "{said}");
    assert_eq!(flowmap.json(&["flows"]), json!([]));
    let run = &flowmap.json(&["status"])["runs"][0];
    assert_eq!((&run["packets"], &run["decoded"]), (&json!(4), &json!(0)));
    let reasons = run["not_decoded"].as_object().unwrap();
    assert!(reasons.keys().any(|reason| reason.contains("let through")), "{reasons:?}");
    assert_eq!(reasons.values().filter_map(serde_json::Value::as_u64).sum::<u64>(), 4);
}

/// `/var/log/kern.log` as most systems have it: what it does not say, the command line does.
#[test]
fn a_log_whose_times_have_no_year_is_read_where_it_is_told_when_it_began() {
    let flowmap = with_pods();
    let line = |time: &str, port| format!("{time} node-1 kernel: {}", logged("DROP ", port));
    flowmap.write("kern.log", line("Nov 29 10:20:18", 40_000) + &line("Jan  2 00:00:00", 40_001));
    let without = flowmap.ok(&["import", "kern.log"]).stderr;
    assert!(without.contains("2 packets of a firewall's log left out") && without.contains("--log-start"), "{without}");
    assert_eq!(flowmap.json(&["flows"]), json!([]));
    let start = ["--log-start", "2026-11-01T00:00:00+01:00"];
    for flows in
        [flowmap.json(&[&["flows", "--inventory", "cluster.json"], &start[..], &["--from", "kern.log"]].concat()), {
            flowmap.ok(&[&["import", "kern.log"], &start[..]].concat());
            flowmap.json(&["flows"])
        }]
    {
        let times = (&flows[0]["first_seen"], &flows[0]["last_seen"], &flows[0]["connections"]);
        assert_eq!(times, (&json!("2026-11-29T09:20:18Z"), &json!("2027-01-01T23:00:00Z"), &json!(2)), "{flows}");
    }
    let wrong = flowmap.run(&["import", "kern.log", "--log-start", "2026-11-01"]);
    wrong.is_an_error(&["--log-start", "2026-11-01", "zone"]);
}
