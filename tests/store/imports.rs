//! Imports: what was imported counts once, however often it comes, and can be taken back.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::Write,
    process::Stdio,
};

use crate::common::{Flowmap, Output, files, sample};

#[test]
fn the_same_capture_under_another_name_or_compressed_adds_nothing() {
    let flowmap = Flowmap::new();
    let node = fs::read(sample("node-1.pcap")).unwrap();
    flowmap.ok(&["import", &sample("node-1.pcap")]);
    let before = flowmap.told();

    flowmap.write("other-name.cap", &node);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&node).unwrap();
    flowmap.write("node.gz", gzip.finish().unwrap());
    // the ending does not matter, the bytes do
    let zstd = zstd::encode_all(&node[..], 1).unwrap();
    flowmap.write("node.pcap", &zstd);
    let skipped = [0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 7, 7];
    flowmap.write("node.zst", [&skipped[..], &zstd].concat());
    for file in [&sample("node-1.pcap"), "other-name.cap", "node.gz", "node.pcap", "node.zst"] {
        let output = flowmap.ok(&["import", file]);
        assert!(output.stderr.contains("already in the store"), "{file}: {}", output.stderr);
        assert_eq!(flowmap.told(), before, "{file}");
    }
    let output = flowmap.ok(&["import", "other-name.cap", "-o", "json"]);
    let imported: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(imported[0]["added"], false);
}

#[test]
fn a_capture_on_stdin_is_the_same_as_its_file() {
    let (file, pipe) = (Flowmap::new(), Flowmap::new());
    let node = fs::read(sample("node-1.pcap")).unwrap();
    file.ok(&["import", &sample("node-1.pcap")]);
    let output = pipe.feed(&["import", "-"], &node);
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert_eq!(pipe.json(&["flows"]), file.json(&["flows"]));
    let run = &pipe.json(&["runs"])[0];
    assert_eq!((&run["source"], &run["id"]), (&"stdin".into(), &file.json(&["runs"])[0]["id"]));
    assert!(file.feed(&["import", "-"], &node).stderr.contains("already in the store as node-1.pcap"));

    pipe.feed(&["import", "-"], b"").is_an_error(&["the file is empty", "hint: "]);
    let cluster = fs::read(sample("cluster.json")).unwrap();
    assert_eq!(pipe.feed(&["inventory", "import", "-"], &cluster).code, 0);
    assert!(pipe.ok(&["flows"]).stdout.contains("production/api"));
}

#[test]
fn the_order_of_imports_does_not_matter() {
    let [a, b, c] = ["node-1.pcap", "node-2.pcap", "pod-api.pcap"].map(sample);
    let cluster = sample("cluster.json");
    let orders = [[&a, &b, &c], [&a, &c, &b], [&b, &a, &c], [&b, &c, &a], [&c, &a, &b], [&c, &b, &a]];
    let told = orders.map(|files| {
        let flowmap = Flowmap::new();
        for file in files {
            flowmap.ok(&["import", file]);
        }
        flowmap.ok(&["inventory", "import", &cluster]);
        flowmap.told()
    });
    let first = Flowmap::new();
    first.ok(&["inventory", "import", &cluster]);
    first.ok(&["import", &a, &b, &c]);
    assert!(told.iter().all(|it| *it == first.told()));
}

#[test]
fn a_run_can_be_left_out_and_taken_back() {
    let (flowmap, without) = (Flowmap::new(), Flowmap::new());
    flowmap.ok(&["import", &sample("node-1.pcap"), &sample("node-2.pcap")]);
    without.ok(&["import", &sample("node-2.pcap")]);
    let with_both = flowmap.told();
    let runs = flowmap.json(&["runs"]);
    let run = runs.as_array().unwrap().iter().find(|run| run["source"] == "node-1.pcap").unwrap();
    let id = run["id"].as_str().unwrap();
    assert_eq!(flowmap.json(&["flows", "--exclude-run", id]), without.json(&["flows"]));
    assert_eq!(flowmap.told(), with_both);

    flowmap.ok(&["runs", "rm", id]);
    assert_eq!(flowmap.told(), without.told());
    flowmap.run(&["runs", "rm", id]).is_an_error(&["not in the store", "hint: "]);

    flowmap.ok(&["import", &sample("node-1.pcap")]);
    assert_eq!(flowmap.told(), with_both);
}

#[test]
fn what_is_whole_of_a_compressed_capture_that_was_cut_is_used() {
    let flowmap = Flowmap::new();
    let node = fs::read(sample("node-1.pcap")).unwrap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&node).unwrap();
    let (gzip, zstd) = (gzip.finish().unwrap(), zstd::encode_all(&node[..], 1).unwrap());
    for (name, bytes) in [("cut.gz", gzip), ("cut.zst", zstd)] {
        flowmap.write(name, &bytes[..bytes.len() * 3 / 4]);
        flowmap
            .run(&["import", "--strict", name])
            .is_an_error(&["its compression is damaged", "hint: without --strict"]);
        let told = flowmap.ok(&["import", name]).stderr;
        assert!(told.contains("its compression is damaged") && told.contains("what stands before is used"), "{told}");
    }
    for run in flowmap.json(&["runs"]).as_array().unwrap() {
        assert!(run["decoded"].as_u64().unwrap() > 100, "{run}");
    }
    flowmap.write("empty.gz", [0x1f, 0x8b, 8, 0]);
    flowmap.run(&["import", "empty.gz"]).is_an_error(&["empty.gz: ", "unexpected end"]);
}

#[test]
fn what_is_whole_of_a_compressed_flow_log_that_was_cut_is_used() {
    let record =
        |n: u32| format!("10.{}.{}.{},10.0.0.9,tcp,{}\n", n / 251 % 256, n * 7 % 256, n * 13 % 251, n % 60_000);
    for count in [300, 60_000] {
        let flowmap = Flowmap::new();
        let text = (0..count).map(record).fold("client,server,proto,port\n".to_owned(), |text, line| text + &line);
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(text.as_bytes()).unwrap();
        let (gzip, zstd) = (gzip.finish().unwrap(), zstd::encode_all(text.as_bytes(), 1).unwrap());
        for (name, bytes) in [("cut.gz", gzip), ("cut.zst", zstd)] {
            flowmap.write(name, &bytes[..bytes.len() * 3 / 4]);
            if name == "cut.zst" && count == 300 {
                // one block of it, of which nothing came out
                flowmap.run(&["import", name]).is_an_error(&["cut.zst: "]);
                continue;
            }
            flowmap
                .run(&["import", "--strict", name])
                .is_an_error(&["its compression is damaged", "hint: without --strict"]);
            let told = flowmap.ok(&["import", name]).stderr;
            assert!(
                told.contains("its compression is damaged") && told.contains("what stands before is used"),
                "{told}"
            );
            let runs = flowmap.json(&["runs"]);
            let run = runs.as_array().unwrap().iter().find(|run| run["source"] == name).unwrap();
            let used = run["decoded"].as_u64().unwrap();
            assert!(used > u64::from(count) / 2 && used < u64::from(count), "{run}");
            assert!(run["damage"].as_str().unwrap().contains("compression"), "{run}");
        }
    }
}

#[test]
fn packets_are_told_by_kind_and_every_one_has_a_protocol() {
    let flowmap = Flowmap::new();
    let told = flowmap.ok(&["import", &sample("node-1.pcap"), &sample("node-2.pcap")]);
    for run in flowmap.json(&["runs"]).as_array().unwrap() {
        let kinds = run["kinds"].as_object().unwrap();
        let is_protocol = |kind: &str| !["tagged", "tunnelled", "fragments"].contains(&kind);
        let of_protocols = kinds.iter().filter(|(kind, _)| is_protocol(kind));
        let sum: u64 = of_protocols.map(|(_, count)| count.as_u64().unwrap()).sum();
        assert_eq!(run["decoded"].as_u64(), Some(sum));
        let tcp = format!("tcp {}", kinds["tcp"]);
        assert!(told.stderr.contains(&tcp), "{tcp} in {}", told.stderr);
    }
    assert!(flowmap.ok(&["status"]).stdout.contains(" tcp\n"));
}

#[test]
fn a_window_takes_what_began_in_it() {
    let flowmap = Flowmap::with_sample();
    let all = flowmap.json(&["flows"]);
    assert_eq!(flowmap.json(&["flows", "--since", "2026-11-01T00:00:00Z"]), all);
    assert_eq!(flowmap.json(&["flows", "--until", "2026-12-31T00:00:00Z"]), all);
    assert_eq!(flowmap.json(&["flows", "--since", "2026-12-31T00:00:00Z"]), serde_json::json!([]));
    assert_eq!(flowmap.json(&["flows", "--until", "2026-11-01T00:00:00Z"]), serde_json::json!([]));
}

#[test]
fn two_sites_with_the_same_addresses_never_mix() {
    let (flowmap, alone) = (Flowmap::new(), Flowmap::new());
    let (node, other, cluster) = (sample("node-1.pcap"), sample("node-2.pcap"), sample("cluster.json"));
    flowmap.ok(&["import", "--site", "east", &node]);
    flowmap.ok(&["import", "--site", "west", &other]);
    flowmap.ok(&["inventory", "import", "--site", "east", &cluster]);
    // east knows its names, west does not: nothing of the one helps the other
    alone.ok(&["import", "--site", "west", &other]);
    assert_eq!(flowmap.json(&["flows", "--site", "west"]), alone.json(&["flows"]));
    let sites = |args: &[&str]| {
        let flows = flowmap.json(args);
        flows.as_array().unwrap().iter().map(|flow| flow["site"].to_string()).collect::<BTreeSet<_>>()
    };
    assert_eq!(sites(&["flows"]).len(), 2);
    assert_eq!(sites(&["flows", "-n", "production"]).len(), 1);

    flowmap.ok(&["suggest", "-n", "production"]);
    flowmap.ok(&["inventory", "import", "--site", "west", &cluster]);
    let status = flowmap.ok(&["status"]).stdout;
    let of_sites: Vec<&str> = status.lines().filter_map(|line| line.split_whitespace().next()).collect();
    let first = of_sites.iter().position(|word| *word == "site").expect("the sites");
    assert_eq!(of_sites[first..], ["site", "watched", "plugin", "site", "watched", "plugin"], "{status}");
    let output = flowmap.run(&["suggest", "-n", "production", "--out-dir", "both"]);
    output.is_an_error(&["namespace `production`: is in several sites: east, west", "hint: choose one with --site"]);
    assert!(!flowmap.path("both").exists());
    flowmap.ok(&["suggest", "-n", "production", "--site", "east", "--out-dir", "east"]);
    assert!(files(&flowmap.path("policies-out")) == files(&flowmap.path("east")));
    // what is edited there is decided on that site
    let other = flowmap.run(&["suggest", "-n", "production", "--site", "west", "--out-dir", "east"]);
    other.is_an_error(&[
        "east: holds the policies of site east, and these are for west",
        "hint: choose another --out-dir",
    ]);
    assert!(files(&flowmap.path("policies-out")) == files(&flowmap.path("east")));
    // an inventory of a site without captures names nobody in those of others
    flowmap.ok(&["inventory", "import", "--site", "north", &cluster]);
    let refused = flowmap.run(&["suggest", "-n", "production", "--site", "north", "--out-dir", "north"]);
    let hint = "hint: take the inventory in at the captures' site: `flowmap inventory import --site";
    refused.is_an_error(&["captures: none is of site north, which this inventory is of; there are of", hint]);
    // the same capture at another site is another run
    flowmap.ok(&["import", "--site", "west", &node]);
    assert_eq!(flowmap.json(&["runs"]).as_array().unwrap().len(), 3);
}

#[test]
fn a_site_with_a_comma_in_its_name_is_named_whole() {
    let flowmap = Flowmap::new();
    flowmap.ok(&["import", "--site", "east,west", &sample("node-1.pcap")]);
    flowmap.ok(&["inventory", "import", "--site", "north", &sample("cluster.json")]);
    let refused = flowmap.run(&["suggest", "-n", "production", "--site", "north"]);
    refused.is_an_error(&["there are of east,west", "`flowmap inventory import --site 'east,west' FILE`"]);
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let flowmap = Flowmap::with_sample();
    // more than is held back before it is written
    let rows: Vec<String> = (1..3_000).map(|port| format!("10.9.0.1,10.9.0.2,tcp,{port}")).collect();
    flowmap.write("log.csv", format!("client,server,protocol,port\n{}\n", rows.join("\n")));
    flowmap.ok(&["import", "log.csv"]);
    let commands: [&[&str]; 7] = [
        &["flows"],
        &["flows", "-o", "json"],
        &["flows", "-o", "csv"],
        &["runs"],
        &["status"],
        &["inventory", "list", "-o", "csv"],
        &["suggest", "-n", "production", "--out-dir", "-"],
    ];
    for args in commands {
        let mut child = flowmap.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = Output::of(&child.wait_with_output().unwrap());
        assert_eq!((output.code, output.stderr.as_str()), (0, ""), "{args:?}");
    }
}

#[test]
fn a_full_disk_under_the_answer_is_an_error() {
    let flowmap = Flowmap::with_sample();
    let full = File::options().write(true).open("/dev/full").unwrap();
    let child = flowmap.command(&["flows"]).stdout(full).stderr(Stdio::piped()).spawn().unwrap();
    let output = Output::of(&child.wait_with_output().unwrap());
    output.is_an_error(&["No space left on device"]);
}

#[test]
fn what_a_capture_says_was_dropped_is_told_with_its_run() {
    let block = |kind: u32, body: &[u8]| {
        let length = u32::try_from(12 + body.len()).unwrap().to_le_bytes();
        [&kind.to_le_bytes()[..], &length, body, &length].concat()
    };
    let statistics = |dropped: u64| {
        let [by_interface, by_kernel] = [(5u16, dropped), (7, 2 * dropped)]
            .map(|(code, count)| [&code.to_le_bytes()[..], &8u16.to_le_bytes(), &count.to_le_bytes()].concat());
        block(5, &[&[0; 12][..], &by_interface, &by_kernel].concat())
    };
    let section = [&0x1a2b_3c4du32.to_le_bytes()[..], &[1, 0, 0, 0], &[0xff; 8]].concat();
    let file = [block(0x0a0d_0d0a, &section), block(1, &[1, 0, 0, 0, 0, 0, 0, 0]), statistics(3), statistics(4)];
    let flowmap = Flowmap::new();
    flowmap.write("it.pcapng", file.concat());
    let said = flowmap.ok(&["import", "it.pcapng"]).stderr;
    assert!(said.contains("it.pcapng: warning: 8 packets dropped by the kernel while it was captured"), "{said}");
    let runs = flowmap.json(&["runs"]);
    assert_eq!((&runs[0]["dropped_by_kernel"], &runs[0]["dropped_by_interface"]), (&8.into(), &4.into()));
    assert!(flowmap.ok(&["status"]).stdout.contains("8 by the kernel, 4 by interfaces"));
}
