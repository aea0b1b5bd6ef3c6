//! What people bring that is not what they think: one clear line, a hint, exit code 2, and a store that stays whole.

use std::{fs, io::Write};

use serde_json::{Value, json};

use crate::common::{Flowmap, Output, packets::Capture, review::Review, sample};

/// A file to be made, the arguments, and words that the error must hold.
type Case<'a> = (&'a str, &'a [u8], &'a [&'a str], &'a [&'a str]);

const IMPORT: [&str; 2] = ["import", "it"];
const INVENTORY: [&str; 3] = ["inventory", "import", "it"];

/// Runs the cases on a store that holds the sample, and looks that it is as before after each.
fn refuses(cases: &[Case]) {
    let flowmap = Flowmap::with_sample();
    let before = flowmap.told();
    for (name, bytes, args, words) in cases {
        println!("{name}");
        flowmap.write("it", bytes);
        flowmap.run(args).is_an_error(words);
        assert_eq!(flowmap.told(), before);
    }
}

/// A policy under which nothing passes.
const ALL_CLOSED: &str = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n\
                          metadata: {name: none, namespace: production}\nspec: {podSelector: {}}\n";

#[test]
fn a_file_that_is_no_capture_is_refused_with_its_cure() {
    let node = fs::read(sample("node-1.pcap")).unwrap();
    refuses(&[
        ("empty", b"", &IMPORT, &["flowmap: it: ", "the file is empty", "hint: captures are pcap or pcapng"]),
        ("text", b"hello world", &IMPORT, &["it: not a capture", "hint: captures are pcap or pcapng"]),
        ("one byte", b"\xd4", &IMPORT, &["it: not a capture", "hint: "]),
        ("cut in the file header", &node[..10], &IMPORT, &["it: ", "ends inside the file header", "hint: "]),
        ("zeros", &[0; 4096], &IMPORT, &["it: not a capture", "hint: "]),
        ("a line of kubectl's JSON", br#"{"items":[]}"#, &IMPORT, &["not a capture", "hint: ", "inventory import"]),
    ]);
}

#[test]
fn what_is_no_file_to_read_is_refused() {
    let flowmap = Flowmap::with_sample();
    let before = flowmap.told();
    fs::create_dir(flowmap.path("folder")).unwrap();
    let cases: [(&[&str], &[&str]); 6] = [
        (&["import", "folder"], &["folder: is a directory", "hint: name the captures in it"]),
        (&["import", "nothing"], &["nothing: no such file"]),
        (&["inventory", "import", "folder"], &["folder: is a directory", "hint: name the files in it"]),
        (&["inventory", "import", "nothing"], &["nothing: no such file"]),
        (&["simulate", "nothing"], &["nothing: no such file"]),
        (&["simulate", "folder"], &["no NetworkPolicy", "hint: "]),
    ];
    for (args, words) in cases {
        flowmap.run(args).is_an_error(words);
    }
    assert_eq!(flowmap.told(), before);
}

#[test]
fn a_file_that_may_not_be_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let flowmap = Flowmap::with_sample();
    flowmap.write("sealed", "");
    fs::set_permissions(flowmap.path("sealed"), fs::Permissions::from_mode(0o0)).unwrap();
    flowmap.as_a_mere_user(&["import", "sealed"]).is_an_error(&["sealed: permission denied", "hint: "]);
    flowmap.as_a_mere_user(&["inventory", "import", "sealed"]).is_an_error(&["sealed: permission denied"]);
}

#[test]
fn a_file_that_is_no_inventory_is_refused_with_its_cure() {
    let node = fs::read(sample("node-1.pcap")).unwrap();
    let expected = "hint: expected is the output of `kubectl get";
    refuses(&[
        ("empty", b"", &INVENTORY, &["it: the file is empty", expected]),
        ("other JSON", br#"{"name": "x", "version": 3}"#, &INVENTORY, &["it: holds neither", expected]),
        ("cut JSON", br#"{"apiVersion": "v1", "items": ["#, &INVENTORY, &["it: the JSON is cut short", expected]),
        ("broken YAML", b"a: [1\nb: }", &INVENTORY, &["it: not readable as YAML", expected]),
        ("text", b"hello world\n", &INVENTORY, &["it: holds neither", expected]),
        ("no text", &[0xff; 64], &INVENTORY, &["flowmap: it: ", expected]),
        ("a capture", &node, &INVENTORY, &["flowmap: it: ", "hint: this is a capture: use `flowmap import`"]),
    ]);
}

#[test]
fn an_inventory_that_nests_or_unfolds_without_end_is_refused() {
    let deep = "[".repeat(200_000);
    let json = format!(r#"{{"kind": "List", "items": {deep}"#);
    let yaml = format!("kind: Pod\nmetadata: {deep}");
    // each line names the one above nine times
    let line = |n: usize| format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 9].join(", "));
    let bomb = format!("a0: &a0 [x, x, x, x, x, x, x, x, x]\n{}", (1..9).map(line).collect::<String>());
    let expected = "hint: expected is the output of `kubectl get";
    refuses(&[
        ("deep JSON", json.as_bytes(), &INVENTORY, &["it: not readable as JSON: recursion limit", expected]),
        ("deep YAML", yaml.as_bytes(), &INVENTORY, &["it: not readable as YAML: ", expected]),
        ("YAML that unfolds", bomb.as_bytes(), &INVENTORY, &["it: not readable as YAML: ", expected]),
    ]);
}

#[test]
fn a_capture_cut_in_the_middle_of_a_record_counts_up_to_there() {
    let flowmap = Flowmap::new();
    let mut capture = Capture::new();
    capture.accepted([10, 0, 0, 1], 40_000, [10, 0, 0, 2], 80).accepted([10, 0, 0, 3], 40_000, [10, 0, 0, 2], 443);
    let cut = &capture.bytes()[..capture.bytes().len() - 7];
    flowmap.write("cut.pcap", cut);
    let output = flowmap.ok(&["import", "cut.pcap"]);
    assert!(output.stderr.contains("cut.pcap: warning: cut in the middle of a record at byte "), "{}", output.stderr);
    let runs = flowmap.json(&["runs"]);
    assert_eq!(runs[0]["packets"], 5);
    assert!(runs[0]["damage"].as_str().unwrap().starts_with("cut in the middle of a record at byte "));
    assert_eq!(flowmap.json(&["flows"]).as_array().unwrap().len(), 2);
    let status = flowmap.ok(&["status"]).stdout;
    assert!(status.contains("cut.pcap: cut in the middle of a record"), "{status}");
    let [table, csv] = ["table", "csv"].map(|form| flowmap.ok(&["runs", "-o", form]).stdout);
    assert!(table.contains("cut in the middle of a record"), "{table}");
    assert!(csv.lines().next().is_some_and(|header| header.split(',').any(|name| name == "damage")), "{csv}");
}

#[test]
fn a_cut_capture_is_refused_under_strict() {
    let flowmap = Flowmap::with_sample();
    let before = flowmap.told();
    let node = fs::read(sample("node-1.pcap")).unwrap();
    flowmap.write("cut.pcap", &node[..50_007]);
    flowmap.run(&["import", "--strict", "cut.pcap"]).is_an_error(&["cut.pcap: cut in the middle", "hint: without"]);
    assert_eq!(flowmap.told(), before);
}

#[test]
fn objects_that_cannot_be_used_are_counted_and_the_rest_is_used() {
    let flowmap = Flowmap::new();
    let pod = |name: &str, status: &str| {
        format!(r#"{{"kind": "Pod", "metadata": {{{name} "namespace": "shop"}}, "status": {{{status}}}}}"#)
    };
    let pods = [
        pod(r#""name": "good","#, r#""phase": "Running", "podIP": "10.0.0.1""#),
        pod(r#""name": "waits","#, r#""phase": "Pending""#),
        pod(r#""name": "lost","#, r#""phase": "Running""#),
        pod(r#""name": "odd","#, r#""phase": "Running", "podIP": "not-an-ip""#),
        pod("", r#""phase": "Running", "podIP": "10.0.0.9""#),
        "7".to_owned(),
        r#"{"kind": "Secret", "metadata": {"name": "s", "namespace": "shop"}}"#.to_owned(),
        r#"{"kind": "Pod", "metadata": {"name": "yes", "namespace": true}, "status": {"podIP": "10.0.0.8"}}"#
            .to_owned(),
    ];
    flowmap.write("cluster.json", format!(r#"{{"kind": "List", "items": [{}]}}"#, pods.join(",")));
    let output = flowmap.ok(&["inventory", "import", "cluster.json"]);
    let said = [
        ("Pod shop/lost: ", "without an address"),
        ("Pod shop/odd: ", "`not-an-ip` is not an address"),
        ("item 5", "has no metadata.name"),
        ("item 6", "no Kubernetes object"),
        ("item 8", "has a namespace that is no text: true"),
        ("not used: ", "1 Secret"),
    ];
    for (object, why) in said {
        let is_told = |line: &str| line.starts_with("cluster.json: ") && line.contains(object) && line.contains(why);
        assert!(output.stderr.lines().any(is_told), "no `{object}`, `{why}` in: {}", output.stderr);
    }
    assert!(!output.stderr.contains("waits"), "a pod that is yet to start is no fault: {}", output.stderr);
    let known = flowmap.json(&["inventory", "list"]);
    let good = known.as_array().unwrap().iter().find(|pod| pod["name"] == "shop/good").unwrap();
    assert_eq!(good["addresses"], "10.0.0.1");

    let before = flowmap.told();
    let strict = flowmap.run(&["inventory", "import", "--strict", "cluster.json"]);
    strict.is_an_error(&["flowmap: cluster.json: ", "hint: without --strict"]);
    assert_eq!(flowmap.told(), before);
}

#[test]
fn of_several_captures_the_bad_one_is_told_and_the_others_are_imported() {
    let (flowmap, clean) = (Flowmap::new(), Flowmap::new());
    flowmap.write("text.pcap", "hello world");
    let args = ["import", &sample("node-1.pcap"), "text.pcap", "nothing.pcap", &sample("node-2.pcap")];
    let output = flowmap.run(&args);
    assert_eq!(output.code, 2);
    for words in ["flowmap: text.pcap: not a capture", "nothing.pcap: no such file", "2 of 4 files"] {
        assert!(output.stderr.contains(words), "no `{words}` in: {}", output.stderr);
    }
    clean.ok(&["import", &sample("node-1.pcap"), &sample("node-2.pcap")]);
    assert_eq!(flowmap.told(), clean.told());
}

#[test]
fn a_namespace_that_cannot_be_proposed_for_is_an_error_not_a_guess() {
    let flowmap = Flowmap::with_sample();
    let known = "hint: known are default, kube-node-lease, kube-public, kube-system, monitoring, production";
    let unseen = "nothing was seen of its pods";
    let cases: [(&[&str], &[&str]); 6] = [
        (&["suggest", "-n", "nowhere"], &["namespace `nowhere`: not in the inventory", known]),
        (&["suggest", "-n", "production", "-n", "nowhere"], &["namespace `nowhere`: not in the inventory", known]),
        (&["suggest", "-n", "default"], &["namespace `default`: ", unseen, "hint: import captures"]),
        (&["suggest", "-n", "production", "-n", "kube-public"], &["namespace `kube-public`: ", unseen, "hint: "]),
        (&["suggest"], &["suggest: which namespace?", "hint: "]),
        (&["simulate", "-n", "nowhere", "policies"], &["namespace `nowhere`: not in the inventory", known]),
    ];
    flowmap.ok(&["suggest", "-n", "production", "--out-dir", "policies"]);
    for (args, words) in cases {
        flowmap.run(args).is_an_error(words);
    }
    assert!(!flowmap.path("policies-out").exists());
}

#[test]
fn an_empty_store_says_how_to_begin() {
    let flowmap = Flowmap::new();
    flowmap.run(&["suggest", "-n", "x"]).is_an_error(&["nothing was captured or imported yet", "hint: start with"]);
    for list in ["flows", "runs"] {
        let output = flowmap.ok(&[list]);
        assert!(output.stdout.is_empty() && output.stderr.contains("`flowmap import FILE`"), "{output:?}");
        assert_eq!(flowmap.json(&[list]), serde_json::json!([]));
    }
    flowmap.ok(&["import", &sample("node-1.pcap")]);
    let hint = "hint: no inventory of a cluster was imported: `flowmap inventory import cluster.json`; hosts have `flowmap graph`";
    flowmap.write("hosts.csv", "address,name\n192.0.2.1,printer\n");
    for inventory in [&["status"][..], &["inventory", "import", "hosts.csv"]] {
        flowmap.ok(inventory);
        flowmap
            .run(&["suggest", "-n", "production"])
            .is_an_error(&["namespace `production`: not in the inventory", hint]);
        flowmap.run(&["suggest", "-A"]).is_an_error(&["inventory: no pods are known", hint]);
    }
}

#[test]
fn where_the_clusters_own_namespaces_alone_were_seen_they_are_to_be_named() {
    let flowmap = Flowmap::new();
    flowmap.ok(&["inventory", "import", &sample("cluster.json")]);
    let call = "client,server,protocol,port,first_seen,last_seen\n\
                10.244.1.2,203.0.113.7,UDP,53,2026-11-23T23:23:30Z,2026-11-23T23:23:31Z\n";
    flowmap.write("flows.csv", call);
    flowmap.ok(&["import", "flows.csv"]);
    let output = flowmap.run(&["suggest", "-A"]);
    let hint = "hint: of the cluster's own something was: name it with -n: kube-system";
    assert!(output.code == 2 && output.stderr.contains(hint), "{}", output.stderr);
    let page = Review::start_unscoped(&flowmap, &[]).get("/").body;
    assert!(page.contains("--all-namespaces: nothing was seen") && page.contains("-n: kube-system"), "{page}");
}

#[test]
fn what_there_is_not_is_told_from_what_was_not_selected() {
    let flowmap = Flowmap::with_sample();
    let told = |args: &[&str], words: &str| {
        let output = flowmap.run(args);
        assert!(output.stderr.contains(words), "{args:?}: {}", output.stderr);
        output.code
    };
    for command in ["flows", "tiers", "status", "simulate", "graph", "segments"] {
        let policies: &[&str] = if command == "simulate" { &["none.yaml"] } else { &[] };
        flowmap.write("none.yaml", ALL_CLOSED);
        let args = [&[command], policies, &["--exclude-run", "00000000deadbeef"]].concat();
        flowmap
            .run(&args)
            .is_an_error(&["--exclude-run 00000000deadbeef: there is no such run", "hint: `flowmap runs`"]);
    }
    let known = "the namespace prodction is not in the inventory; known are";
    assert_eq!(told(&["flows", "-n", "prodction"], known), 0);
    assert_eq!(told(&["tiers", "-n", "prodction"], known), 0);
    assert_eq!(told(&["flows", "--site", "nosuch"], "nothing is known of the site nosuch; known are default"), 0);
    assert_eq!(told(&["flows", "--since", "2100-01-01T00:00:00Z"], "there are captures from 20"), 0);
    let none = ["simulate", "none.yaml", "--since", "2100-01-01T00:00:00Z"];
    assert_eq!(told(&none, "nothing was judged: no connections in what was selected"), 0);
    let nowhere = ["suggest", "-n", "production", "--site", "nosuch"];
    assert_eq!(told(&nowhere, "flowmap: --site nosuch: nothing is known of it\nhint: known are default"), 2);
}

#[test]
fn a_cut_capture_that_is_looked_at_alone_is_told() {
    let flowmap = Flowmap::new();
    let whole = std::fs::read(crate::common::sample("node-1.pcap")).unwrap();
    flowmap.write("cut.pcap", &whole[..whole.len() / 2 + 7]);
    for command in ["flows", "tiers", "segments", "status"] {
        let output = flowmap.ok(&[command, "--from", "cut.pcap"]);
        assert!(output.stderr.contains("cut.pcap: warning: "), "{command}: {}", output.stderr);
    }
}

#[test]
fn values_that_no_flag_takes_are_refused() {
    let flowmap = Flowmap::new();
    let cases: [(&[&str], &str); 11] = [
        (&["flows", "--since", "yesterday"], "neither a time in RFC 3339 nor an age such as 24h"),
        (&["flows", "--until", "2026-13-01T00:00:00Z"], "neither a time"),
        (&["flows", "--exclude-run", "zzz"], "is not the id of a run"),
        (&["flows", "-o", "xml"], "flowmap: --output xml: not one of table, wide, json, csv"),
        (&["flows", "-n", "a", "-A"], "--namespace: cannot be used with --all-namespaces"),
        (&["capture", "lo", "--snaplen", "12"], "--snaplen: 12 is not within 64 to 262144"),
        (&["capture", "lo", "--for", "3x"], "is not a duration such as 30s, 10m, 24h or 7d"),
        (&["import"], "flowmap: <FILE>...: missing\nhint: usage: flowmap import <FILE>...\n"),
        (
            &["simulate", "--inventory", "a.json", "po/"],
            "flowmap: <POLICIES>...: missing\nhint: name it before --from, --inventory and --versus: they take all that follows\n",
        ),
        (
            &["explain", "--policies", "po/", "shop/web", "shop/db", "80"],
            "<PORT[/PROTO]>: missing\nhint: name it before --policies, which takes all that follows\n",
        ),
        (&["frobnicate"], "flowmap: frobnicate: no such command"),
    ];
    for (args, words) in cases {
        flowmap.run(args).is_an_error(&[words]);
    }
    flowmap.run(&["runs", "rm", "123"]).is_an_error(&["run `123`: not in the store", "hint: `flowmap runs`"]);
    flowmap.run(&["--db", "mysql://x", "flows"]).is_an_error(&["--db mysql://x: ", "hint: name a file"]);
}

#[test]
fn what_the_command_line_does_not_know_is_told_as_all_errors_are() {
    let flowmap = Flowmap::new();
    let cases: [(&[&str], &str); 8] = [
        (&["flows", "--namespce", "a"], "flowmap: --namespce: unexpected argument\nhint: did you mean --namespace?\n"),
        (&["flows", "more"], "flowmap: more: unexpected argument\nhint: usage: flowmap flows "),
        (&["flws"], "flowmap: flws: no such command\nhint: did you mean flows?\n"),
        (&["flows", "--since"], "flowmap: --since: a value is missing\n"),
        (&["flows", "--site", "a", "--site", "b"], "flowmap: --site: given twice\n"),
        (&["capture", "lo", "--snaplen", "x"], "flowmap: --snaplen x: not a whole number\n"),
        (&["inventory", "frobnicate"], "flowmap: frobnicate: no such command\nhint: usage: flowmap inventory "),
        (&["flows", "--\u{1b}[31m"], "flowmap: --\u{fffd}[31m: unexpected argument\n"),
    ];
    for (args, words) in cases {
        let output = flowmap.run(args);
        output.is_an_error(&[]);
        assert!(output.stderr.starts_with(words), "{args:?}: {output:?}");
    }
    for (args, usage) in
        [(&[][..], "Usage: flowmap [OPTIONS] <COMMAND>\n"), (&["inventory"], "Usage: flowmap inventory ")]
    {
        let Output { code, stdout, stderr } = &flowmap.run(args);
        assert_eq!((*code, stdout.as_str()), (2, ""), "{stderr}");
        assert!(stderr.starts_with("flowmap: <COMMAND>: missing\n\n") && stderr.contains(usage), "{stderr}");
        assert!(stderr.contains("\n  import  ") && stderr.contains("\nExamples:\n"), "{stderr}");
    }
    for asked in [&["--help"][..], &["flows", "-h"], &["--version"]] {
        let output = flowmap.ok(asked);
        assert!(output.stderr.is_empty() && output.stdout.contains("flowmap"), "{output:?}");
    }
}

#[test]
fn stdin_is_read_once() {
    let flowmap = Flowmap::new();
    let cluster = fs::read(sample("cluster.json")).unwrap();
    let cases: [&[&str]; 5] = [
        &["flows", "--from", "-", "--inventory", "-"],
        &["flows", "--from", "-", "-"],
        &["inventory", "import", "-", "-"],
        &["simulate", "-", "--from", &sample("node-1.pcap"), "--inventory", "-"],
        &["explain", "--probes", "-", "--policies", "-", "--inventory", &sample("cluster.json")],
    ];
    for args in cases {
        let piped: &[u8] = match args[1] {
            "--from" => b"client,server,protocol,port\n10.0.0.1,10.0.0.2,TCP,80\n",
            "import" => &cluster,
            _ => ALL_CLOSED.as_bytes(),
        };
        let output = flowmap.feed(args, piped);
        assert_eq!((output.code, output.stdout.as_str()), (2, ""), "{args:?}");
        assert!(output.stderr.contains("flowmap: -: stdin can be read once"), "{args:?}: {}", output.stderr);
    }
}

#[test]
fn an_inventory_may_be_compressed() {
    let flowmap = Flowmap::with_sample();
    let cluster = fs::read(sample("cluster.json")).unwrap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&cluster).unwrap();
    let gzip = gzip.finish().unwrap();
    flowmap.write("cluster.json", &cluster);
    flowmap.write("cluster.json.gz", &gzip);
    flowmap.write("cluster.json.zst", zstd::encode_all(&cluster[..], 1).unwrap());
    flowmap.write("cut.gz", &gzip[..gzip.len() - 20]);
    let flows =
        |inventory: &str| flowmap.ok(&["flows", "--from", &sample("node-1.pcap"), "--inventory", inventory]).stdout;
    let plain = flows("cluster.json");
    assert!(plain.contains("production/api"), "{plain}");
    assert_eq!([flows("cluster.json.gz"), flows("cluster.json.zst")], [plain.clone(), plain]);
    flowmap.run(&["inventory", "import", "cut.gz"]).is_an_error(&["cut.gz: damaged: "]);
}

#[test]
fn a_hosts_file_of_another_kind_is_told_what_one_is() {
    let words = ["it: holds neither Kubernetes objects nor hosts", "a CSV with commas and a column `address`"];
    refuses(&[
        ("semicolons", b"address;name\n10.0.0.1;db\n", &INVENTORY, &words),
        ("another name", b"ip,name\n10.0.0.1,db\n", &INVENTORY, &words),
    ]);
}

#[test]
fn a_file_for_another_command_is_told_which() {
    let cluster = fs::read(sample("cluster.json")).unwrap();
    let value: Value = serde_json::from_slice(&cluster).unwrap();
    let pretty = serde_json::to_vec_pretty(&value).unwrap();
    let inventory = ["hint: ", "`flowmap inventory import`"];
    let log = ["it: ", "hint: this is a flow log: use `flowmap import`"];
    let hosts = b"# of the lab\n\"Address\",name\n10.0.0.1,db\n";
    refuses(&[
        ("pretty JSON", &pretty, &IMPORT, &inventory),
        ("YAML", b"---\nkind: Pod\n", &IMPORT, &inventory),
        ("a hosts file", hosts, &IMPORT, &inventory),
        ("a hosts file as YAML", b"- address: 10.0.0.1\n  name: db\n", &IMPORT, &inventory),
        ("a SQLite file", b"SQLite format 3\0\x10\0", &IMPORT, &["it: the store is damaged", "hint: "]),
        ("flows", b"client,server,protocol,port\n10.0.0.1,10.0.0.2,TCP,80\n", &INVENTORY, &log),
        ("flows of a collector", b"src_ip,dst_ip,proto,dst_port\n10.0.0.1,10.0.0.2,6,80\n", &INVENTORY, &log),
    ]);
}

#[test]
fn line_ends_in_names_make_no_lines_of_their_own() {
    let flowmap = Flowmap::new();
    fs::copy(sample("node-1.pcap"), flowmap.path("a\nflowmap: b.pcap")).unwrap();
    for said in ["packets", "already in the store"] {
        let stderr = flowmap.ok(&["import", "a\nflowmap: b.pcap"]).stderr;
        assert!(stderr.starts_with("a\u{fffd}flowmap: b.pcap: ") && stderr.contains(said), "{stderr}");
        assert!(!stderr.lines().any(|line| line.starts_with("flowmap: b")), "{stderr}");
    }
    let text = fs::read_to_string(sample("cluster.json")).unwrap();
    let mut cluster: Value = serde_json::from_str(&text).unwrap();
    for item in cluster["items"].as_array_mut().unwrap() {
        let name = item["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        if item["kind"] == "Pod" && name.starts_with("db-") {
            item["metadata"]["ownerReferences"][0]["name"] = "db\nforged: line".into();
        }
    }
    flowmap.write("c\nluster.json", cluster.to_string());
    let stderr = flowmap.ok(&["inventory", "import", "c\nluster.json"]).stderr;
    assert!(stderr.lines().all(|line| line.starts_with("c\u{fffd}luster.json: ")), "{stderr}");
    let Output { stdout, stderr, .. } = flowmap.run(&["suggest", "-n", "production"]);
    assert!(stdout.contains("coverage: production: ") && stdout.contains("db\u{fffd}forged: line"), "{stdout}");
    assert!(!format!("{stdout}\n{stderr}").lines().any(|line| line.starts_with("forged")), "{stdout}{stderr}");
}

#[test]
fn labels_and_names_that_no_api_server_takes_cost_nobody_else_a_policy() {
    let odd = "<script>\nalert(1)";
    let text = fs::read_to_string(sample("cluster.json")).unwrap();
    let mut cluster: Value = serde_json::from_str(&text).unwrap();
    for item in cluster["items"].as_array_mut().unwrap() {
        let name = item["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        match item["kind"].as_str() {
            Some("Pod") if name.starts_with("cache-") => item["metadata"]["labels"]["app"] = odd.into(),
            Some("Pod") if name == "debug" => item["metadata"]["labels"] = json!({odd: "debug"}),
            Some("Pod") if name == "db-0" => item["metadata"]["ownerReferences"][0]["name"] = odd.into(),
            Some("Namespace") if name == "monitoring" => item["metadata"]["name"] = odd.into(),
            _ if item["metadata"]["namespace"] == "monitoring" => item["metadata"]["namespace"] = odd.into(),
            _ => {}
        }
    }
    let flowmap = Flowmap::new();
    flowmap.ok(&["import", &sample("node-1.pcap"), &sample("node-2.pcap"), &sample("pod-api.pcap")]);
    flowmap.write("cluster.json", cluster.to_string());
    let told = flowmap.ok(&["inventory", "import", "cluster.json"]).stderr;
    for what in [
        "Pod production/cache-",
        "Pod production/debug: labels: ",
        "(Namespace): name `<script>",
        "namespace `<script>",
    ] {
        assert!(told.contains(what), "{what}: {told}");
    }
    assert!(told.lines().all(|line| !line.starts_with("alert")), "{told}");
    flowmap.ok(&["suggest", "-n", "production", "--out-dir", "out"]);
    let api = fs::read_to_string(flowmap.path("out/production/api.yaml")).unwrap();
    assert!(api.contains("app: api") && api.contains("port: 6379"), "{api}");
    let names: Vec<_> =
        fs::read_dir(flowmap.path("out/production")).unwrap().map(|it| it.unwrap().file_name()).collect();
    let is_of_db = |name: &&std::ffi::OsString| name.to_string_lossy().starts_with("script-alert-1-");
    assert!(names.iter().any(|name| is_of_db(&name)), "{names:?}");
    // what is proposed is what a strict API server takes, and denies nothing that was seen
    flowmap.ok(&["simulate", "out"]);
}

/// A frame of zstd says how much memory unpacking takes (RFC 8878, section 3.1.1.1.2): this one, 2 GiB.
#[test]
fn what_would_take_too_much_memory_to_unpack_says_how_else() {
    let flowmap = Flowmap::new();
    let window = (31 - 10) << 3;
    flowmap.write("long.zst", [&[0x28, 0xb5, 0x2f, 0xfd, 0, window][..], &[0x21, 0, 0], b"four"].concat());
    flowmap.run(&["import", "long.zst"]).is_an_error(&["long.zst: ", "hint: unpack it by itself: zstd -dc --long=31"]);
}
