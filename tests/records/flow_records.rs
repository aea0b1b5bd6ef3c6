//! Flow logs as CSV, through the command line: what is in them is in the map, once, and what is damaged is told.

use std::io::Write;

use serde_json::{Value, json};

use crate::common::{Flowmap, sample};

const LOG: &str = "client,server,protocol,port,packets,bytes,connections,first_seen,last_seen,outcome
10.0.0.1,10.0.0.9,tcp,5432,140,61000,12,2026-09-21T10:00:01.5Z,2026-09-21T15:59:58Z,established
10.0.0.2,10.0.0.9,tcp,5432,3,180,3,2026-09-21T11:00:00Z,2026-09-21T11:00:09Z,refused
10.0.0.2,10.0.0.3,UDP,53,8,,4,2026-09-21T11:00:00Z,2026-09-21T11:10:00Z,
";

fn flow<'f>(flows: &'f Value, port: u64, outcome: &str) -> &'f Value {
    let mut all = flows.as_array().unwrap().iter();
    all.find(|flow| flow["port"] == port && flow["outcome"] == outcome).expect("the flow")
}

#[test]
fn records_become_dependencies_with_their_counts_and_times() {
    let flowmap = Flowmap::new();
    flowmap.write("log.txt", LOG);
    let told = flowmap.ok(&["import", "log.txt"]).stderr;
    assert_eq!(told, "log.txt: 3 records, 3 used\n");
    let flows = flowmap.json(&["flows"]);
    assert_eq!(flows.as_array().unwrap().len(), 3);
    let open = flow(&flows, 5432, "established");
    assert_eq!((&open["client"]["name"], &open["server"]["name"]), (&json!("10.0.0.1"), &json!("10.0.0.9")));
    assert_eq!(
        (&open["direction"], &open["connections"], &open["packets"]),
        (&json!("handshake"), &json!(12), &json!(140))
    );
    assert_eq!(open["bytes_to_server"], 61000);
    assert_eq!(
        (&open["first_seen"], &open["last_seen"]),
        (&json!("2026-09-21T10:00:01.5Z"), &json!("2026-09-21T15:59:58Z"))
    );
    assert_eq!(flow(&flows, 5432, "refused")["connections"], 3);
    assert_eq!(flow(&flows, 53, "established")["protocol"], "UDP");
}

#[test]
fn the_largest_counts_add_up_and_larger_ones_are_damage() {
    let (most, calls) = ((1_u64 << 53) - 1, (1_u64 << 36) - 1);
    let row = |client: u32, hour: u32, bytes: u64, calls: u64| {
        format!(
            "10.0.0.{client},10.0.0.9,udp,53,{most},{bytes},{most},{calls},2026-09-21T{hour}:00:00Z,2026-09-21T{hour}:00:00Z\n"
        )
    };
    let mut log = "client,server,proto,port,packets,bytes_to_server,bytes_to_client,connections,first_seen,last_seen\n"
        .to_owned();
    let rows = [row(1, 10, most, calls), row(1, 11, most, calls), row(2, 11, most, calls)];
    rows.iter().chain([&row(3, 11, most + 1, 1), &row(4, 11, 1, calls + 1)]).for_each(|row| log += row);
    let flowmap = Flowmap::new();
    flowmap.write("flows.csv", log);
    let told = flowmap.ok(&["import", "flows.csv"]).stderr;
    assert!(
        told.contains("is not a whole number below 2^53")
            && told.contains("is not a whole number from 1 to below 2^36"),
        "{told}"
    );
    let flows = flowmap.json(&["flows"]);
    assert_eq!((&flows[0]["connections"], &flows[0]["packets"]), (&json!(2 * calls), &json!(2 * most)));
    assert_eq!(flows.as_array().unwrap().len(), 2);
    for command in [&["tiers"][..], &["status"], &["graph", "-o", "svg"], &["flows"], &["segments"]] {
        flowmap.ok(command);
    }
}

#[test]
fn hours_are_counted_though_none_is_named() {
    let flowmap = Flowmap::new();
    flowmap.write(
        "flows.csv",
        "src_ip,dst_ip,proto,dst_port,packets,hours\n10.0.0.1,10.0.0.2,tcp,80,9,70\n10.0.0.1,10.0.0.2,tcp,81,0,2\n",
    );
    let told = flowmap.ok(&["import", "flows.csv"]).stderr;
    assert!(told.contains("no record names a time"), "{told}");
    let flows = flowmap.json(&["flows"]);
    assert_eq!((&flows[0]["hours"], &flows[0]["packets"]), (&json!(70), &json!(9)));
    assert_eq!(
        (&flows[1]["hours"], &flows[1]["packets"], &flows[1]["outcome"]),
        (&json!(2), &json!(0), &json!("established"))
    );
    assert_eq!(flowmap.json(&["flows", "--since", "2020-01-01T00:00:00Z"]), json!([]));
    let status = flowmap.json(&["status"]);
    // hours in no order tell nothing of what came when
    assert_eq!((&status["learning"]["state"], &status["learning"]["hours"]), (&json!("learning"), &json!(0)));
    assert_eq!(status["runs"][0]["first_packet"], Value::Null);
}

#[test]
fn a_record_that_stands_in_two_exports_counts_once() {
    let header = "client,server,protocol,port,packets,bytes,first_seen,last_seen\n";
    let row = |minute: u32| {
        format!("10.0.0.1,10.0.0.9,tcp,5432,20,1000,2026-09-21T10:{minute:02}:00Z,2026-09-21T10:{minute:02}:30Z\n")
    };
    let flowmap = Flowmap::new();
    flowmap.write("first.csv", [header, &row(1), &row(2)].concat());
    flowmap.write("then.csv", [header, &row(2), &row(3)].concat());
    let flows = flowmap.json(&["flows", "--from", "first.csv", "then.csv"]);
    let all = flow(&flows, 5432, "established");
    assert_eq!((&all["connections"], &all["packets"], &all["bytes_to_server"]), (&json!(3), &json!(60), &json!(3000)));
    // so do those of each way, of one stream
    let ways = |name: &str, minutes: [u32; 2]| {
        let of = |minute: u32| {
            let row = row(minute).replace("tcp,5432", "tcp,5432,40000");
            let back = row.replace("10.0.0.1,10.0.0.9,tcp,5432,40000", "10.0.0.9,10.0.0.1,tcp,40000,5432");
            row + &back
        };
        let header = "src_ip,dst_ip,proto,dst_port,src_port,packets,bytes,first_seen,last_seen\n";
        flowmap.write(name, [header, &of(minutes[0]), &of(minutes[1])].concat());
    };
    ways("one.csv", [1, 2]);
    ways("two.csv", [2, 3]);
    let flows = flowmap.json(&["flows", "--from", "one.csv", "two.csv"]);
    let all = flow(&flows, 5432, "established");
    assert_eq!((&all["connections"], &all["packets"], &all["bytes_to_client"]), (&json!(1), &json!(120), &json!(3000)));
}

#[test]
fn bytes_both_ways_and_of_one_way_are_those_of_the_other() {
    let flowmap = Flowmap::new();
    let header = "client,server,protocol,port,bytes,bytes_to_client";
    flowmap
        .write("log.csv", format!("{header}\n10.0.0.1,10.0.0.2,tcp,80,1000,400\n10.0.0.1,10.0.0.2,tcp,81,300,400\n"));
    let flows = flowmap.json(&["flows", "--from", "log.csv"]);
    let bytes = |port| {
        let flow = flow(&flows, port, "established");
        (flow["bytes_to_server"].as_u64(), flow["bytes_to_client"].as_u64())
    };
    assert_eq!(bytes(80), (Some(600), Some(400)));
    assert_eq!(bytes(81), (Some(0), Some(400)));
}

#[test]
fn a_table_of_flows_reads_back_as_a_log() {
    let flowmap = Flowmap::new();
    flowmap.write("log.csv", format!("{LOG}10.0.0.2,10.0.0.3,icmp,0,8,,4,,,\n"));
    let told = |flowmap: &Flowmap, log: &str| {
        let mut flows = flowmap.json(&["flows", "--by", "address", "--from", log]);
        // it says who the client was, whatever told that before
        flows.as_array_mut().unwrap().iter_mut().for_each(|flow| flow["direction"] = Value::Null);
        flows
    };
    let table = flowmap.ok(&["flows", "--by", "address", "-o", "csv", "--from", "log.csv"]).stdout;
    let other = Flowmap::new();
    other.write("again.csv", table);
    assert_eq!(told(&other, "again.csv"), told(&flowmap, "log.csv"));
}

#[test]
fn the_same_log_adds_nothing_under_any_name_compression_or_line_end() {
    let flowmap = Flowmap::new();
    flowmap.write("log.csv", LOG);
    flowmap.ok(&["import", "log.csv"]);
    let before = flowmap.told();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(LOG.as_bytes()).unwrap();
    flowmap.write("other.pcap", gzip.finish().unwrap());
    flowmap.write("windows.json", LOG.replace('\n', "\r\n"));
    for file in ["log.csv", "other.pcap", "windows.json"] {
        assert!(flowmap.ok(&["import", file]).stderr.contains("already in the store"), "{file}");
    }
    assert!(flowmap.feed(&["import", "-"], LOG.as_bytes()).stderr.contains("already in the store"));
    let said = flowmap.ok(&["import", "--sensor", "node-1", "log.csv"]).stderr;
    assert!(said.contains("hint: its sensor stays log") && said.contains("flowmap runs rm "), "{said}");
    assert_eq!(flowmap.told(), before);
}

#[test]
fn what_a_cut_left_of_a_record_is_not_used_as_if_it_were_whole() {
    let flowmap = Flowmap::new();
    let log = "client,server,protocol,port\n10.0.0.1,10.0.0.9,tcp,443\n10.0.0.1,10.0.0.9,tcp,5432\n";
    let ports = |file: &str| -> Vec<u64> {
        let flows = flowmap.json(&["flows", "--from", file]);
        flows.as_array().unwrap().iter().map(|flow| flow["port"].as_u64().unwrap()).collect()
    };
    // of what a damaged compression gives, only lines with their ends
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    gzip.write_all(log.as_bytes()).unwrap();
    let gzip = gzip.finish().unwrap();
    flowmap.write("log.csv.gz", &gzip[..gzip.len() - 11]);
    assert_eq!(ports("log.csv.gz"), [443]);
    // of a plain file nothing tells it from one whose last line was never ended: it is said
    flowmap.write("log.csv", &log[..log.len() - 3]);
    assert_eq!(ports("log.csv"), [54, 443]);
    let told = flowmap.ok(&["import", "log.csv"]).stderr;
    assert!(told.contains("1 record in a last line without a line end, taken as whole"), "{told}");
    assert!(flowmap.ok(&["status"]).stdout.contains("without a line end"));
    flowmap.write("log.csv", &log[..log.len() - 6]);
    let told = flowmap.ok(&["import", "log.csv"]).stderr;
    assert!(told.contains("log.csv: line 3: no port"), "{told}");
}

#[test]
fn a_log_in_a_form_that_is_not_read_is_refused_with_what_it_is_and_a_cure() {
    let flowmap = Flowmap::new();
    flowmap.write("mac.csv", LOG.replace('\n', "\r"));
    flowmap.write("excel.csv", LOG.replace(',', ";"));
    flowmap.write("conn.json", "[{\"ts\":1,\"id.orig_h\":\"10.0.0.1\"}]");
    let utf16: Vec<u8> = format!("\u{feff}{LOG}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    flowmap.write("wide.csv", utf16);
    flowmap.write("pretty.json", "{\n  \"ts\": 1,\n  \"id.orig_h\": \"10.0.0.1\"\n}\n");
    flowmap.write("trunk.pcap.bz2", b"BZh91AY&SY\x18");
    flowmap.write("trunk.pcap.xz", b"\xfd7zXZ\x00\x00\x04");
    let cases = [
        ("mac.csv", "a flow CSV whose lines end with a carriage return alone", "tr '\\r' '\\n'"),
        ("excel.csv", "a flow CSV with semicolons between its columns", "tr ';' ','"),
        ("conn.json", "a JSON array of Zeek records", "jq -c '.[]'"),
        ("wide.csv", "text in UTF-16, which is not read", "iconv -f UTF-16 -t UTF-8"),
        ("pretty.json", "Zeek records over several lines each", "jq -c ."),
        ("trunk.pcap.bz2", "compressed by bzip2, which is not read", "decompress it first"),
        ("trunk.pcap.xz", "compressed by xz, which is not read", "decompress it first"),
    ];
    for (file, what, cure) in cases {
        let refused = flowmap.run(&["import", file]);
        assert_eq!(refused.code, 2, "{refused:?}");
        assert!(refused.stderr.starts_with(&format!("flowmap: {file}: {what}\n")), "{refused:?}");
        assert!(refused.stderr.contains(cure), "{refused:?}");
    }
    flowmap.write("marked.csv", format!("\u{feff}{LOG}"));
    assert!(flowmap.ok(&["import", "marked.csv"]).stderr.contains("3 records, 3 used"));
}

#[test]
fn a_log_alone_gives_the_same_flows_as_in_the_store() {
    let flowmap = Flowmap::new();
    flowmap.write("log.csv", LOG);
    let alone = flowmap.json(&["flows", "--from", "log.csv"]);
    flowmap.ok(&["import", "log.csv"]);
    assert_eq!(flowmap.json(&["flows"]), alone);
}

#[test]
fn equal_records_are_so_many_connections() {
    let flowmap = Flowmap::new();
    let row = "10.0.0.1,10.0.0.2,tcp,80\n";
    flowmap.write("log.csv", format!("client,server,protocol,port\n{}", row.repeat(300)));
    let flows = flowmap.json(&["flows", "--from", "log.csv"]);
    assert_eq!((&flows[0]["connections"], &flows[0]["packets"]), (&json!(300), &json!(0)));
}

#[test]
fn a_damaged_record_is_counted_and_told_and_the_others_are_used() {
    let flowmap = Flowmap::new();
    let damaged = "10.0.0.1,nobody,tcp,80,,,,,,\n\u{1b}[31m,10.0.0.2,tcp,80\n10.0.0.1,fd00::1,tcp,80\n";
    flowmap.write("log.csv", format!("{LOG}{damaged}"));
    let told = flowmap.ok(&["import", "log.csv"]).stderr;
    for wrong in
        ["line 5: server `nobody` is not an address", "line 7: server `fd00::1` is not an address of the client's"]
    {
        assert!(told.contains(&format!("log.csv: {wrong}")), "{told}");
    }
    assert!(
        told.contains("log.csv: 6 records, 3 used, not used: record: client is not an address 1, record: server"),
        "{told}"
    );
    assert!(!told.contains('\u{1b}'));
    let run = &flowmap.json(&["status"])["runs"][0];
    let not_decoded: u64 = run["not_decoded"].as_object().unwrap().values().filter_map(Value::as_u64).sum();
    assert_eq!(run["packets"].as_u64(), run["decoded"].as_u64().map(|used| used + not_decoded));
    let text = flowmap.ok(&["status"]).stdout;
    assert!(text.contains("6, 3 used"), "{text}");

    let strict = Flowmap::new();
    strict.write("log.csv", format!("{LOG}{damaged}"));
    strict.run(&["import", "--strict", "log.csv"]).is_an_error(&["log.csv: line 5: server `nobody`", "hint: "]);
    assert_eq!(strict.json(&["runs"]), json!([]));
}

#[test]
fn a_log_without_a_column_that_it_needs_is_an_error() {
    let flowmap = Flowmap::new();
    flowmap.write("log.csv", "src_ip,dst_ip,proto\n10.0.0.1,10.0.0.2,tcp\n");
    flowmap.run(&["import", "log.csv"]).is_an_error(&["log.csv: no column for the port", "dst_port", "hint: "]);
    flowmap.write("names.csv", "address,name\n10.0.0.1,a\n");
    flowmap.run(&["import", "names.csv"]).is_an_error(&["names.csv: not a capture", "hint: "]);
}

#[test]
fn records_without_times_are_about_the_workloads_that_are_there() {
    let flowmap = Flowmap::new();
    let inventory: Value = serde_json::from_slice(&std::fs::read(sample("cluster.json")).unwrap()).unwrap();
    let pods = inventory["items"].as_array().unwrap().iter().filter(|item| item["kind"] == "Pod");
    let of = |app: &str| {
        let mut pods = pods.clone().filter(|pod| pod["metadata"]["name"].as_str().unwrap().starts_with(app));
        pods.find_map(|pod| pod["status"]["podIP"].as_str().map(str::to_owned)).expect("an address")
    };
    flowmap.write("log.csv", format!("client,server,protocol,port,hours\n{},{},tcp,8080,5\n", of("web"), of("api")));
    let flows = flowmap.json(&["flows", "--from", "log.csv", "--inventory", &sample("cluster.json")]);
    assert_eq!(
        (&flows[0]["client"]["name"], &flows[0]["server"]["name"]),
        (&json!("production/web"), &json!("production/api"))
    );
}

#[test]
fn a_log_larger_than_what_waits_in_memory_is_whole() {
    let flowmap = Flowmap::new();
    let row = |n: u32| format!("10.{}.{}.{},10.0.0.1,tcp,80,2", n % 3, n / 250 % 200, n % 250 + 2);
    let rows: Vec<String> = (0..20_000).map(row).collect();
    flowmap.write("log.csv", format!("client,server,protocol,port,connections\n{}", rows.join("\n")));
    let flows = flowmap.json(&["flows", "--from", "log.csv"]);
    let connections: u64 = flows.as_array().unwrap().iter().filter_map(|flow| flow["connections"].as_u64()).sum();
    assert_eq!(connections, 40_000);
}

/// Logs of clouds have a record for each way, and not every server listens on a port that is known for it.
#[test]
fn the_answers_of_a_port_without_a_name_are_no_dependency_of_their_own() {
    let flowmap = Flowmap::new();
    let row = |from: &str, to: &str, at: u32| {
        format!("{from},{to},tcp,2026-09-21T10:{at:02}:00Z,2026-09-21T10:{at:02}:05Z\n")
    };
    let mut log = "src_ip,src_port,dst_ip,dst_port,proto,first_seen,last_seen\n".to_owned();
    for (n, client) in (0u32..).zip([45_000, 45_001, 45_002, 33_000]) {
        let (client, server) = (format!("10.0.0.1,{client}"), "10.0.0.9,31000");
        log += &row(&client, server, n);
        log += &row(server, &client, n);
    }
    flowmap.write("vpc.csv", log);
    let flows = flowmap.json(&["flows", "--from", "vpc.csv"]);
    let [flow] = &flows.as_array().unwrap()[..] else { panic!("{flows}") };
    let words = [&flow["client"]["name"], &flow["server"]["name"], &flow["port"], &flow["connections"]];
    assert_eq!(words, [&json!("10.0.0.1"), &json!("10.0.0.9"), &json!(31_000), &json!(4)]);
    assert_ne!(flow["direction"], "handshake", "nobody has seen one");
}

#[test]
fn a_time_that_no_record_names_is_not_told() {
    let flowmap = Flowmap::new();
    flowmap.write("flows.csv", "client,server,protocol,port\n10.0.0.1,10.0.0.9,tcp,80\n");
    let flow = flowmap.json(&["flows", "--from", "flows.csv"])[0].clone();
    assert_eq!([&flow["first_seen"], &flow["last_seen"]], [&json!(null), &json!(null)]);
    for output in ["csv", "wide"] {
        let text = flowmap.ok(&["flows", "--from", "flows.csv", "-o", output]).stdout;
        assert!(!text.contains("1970"), "{text}");
    }
    // beside one that does it says nothing
    let seen = "2026-09-21T10:00:00Z";
    let log =
        format!("client,server,protocol,port,first_seen\n10.0.0.1,10.0.0.9,tcp,80,\n10.0.0.1,10.0.0.9,tcp,80,{seen}\n");
    flowmap.write("flows.csv", log);
    let flow = flowmap.json(&["flows", "--from", "flows.csv"])[0].clone();
    assert_eq!([&flow["first_seen"], &flow["last_seen"]], [&json!(seen), &json!(seen)]);
    assert_eq!(flow["connections"], 2);
}
