//! Captures and flow logs that lack something, and what a proposal says of that.

use serde_json::json;

use super::warnings::{SUGGEST, flowmap, review, talk};
use crate::common::{
    Flowmap,
    cluster::{list, node, pod},
    frames::{Frames, opening},
    python::sql,
};

#[test]
fn a_capture_is_incomplete_where_something_was_lost_and_not_where_a_note_tells_what_its_figures_are_worth() {
    let mut doubled = talk();
    for _ in 0..2 {
        doubled.at("2026-11-24T12:30:00Z").datagram(([10, 244, 1, 5], 40_000), ([10, 244, 1, 6], 53), b"ask");
    }
    let flowmap = flowmap(&doubled, &[]);
    let status = flowmap.ok(&["status"]).stdout;
    assert!(status.contains("1 packets stand in it once more"), "{status}");
    flowmap.ok(&SUGGEST);
    assert!(!review(&flowmap).contains("incomplete"), "{}", review(&flowmap));
    let lost = [
        "connections written out early, the table was full",
        "parts of connections left out with their packets, for too many before them waited for the store",
        "record in a last line without a line end, taken as whole: look whether the file was cut there",
        // of earlier versions, and of later ones
        "connections left out, the store could not be written for too long",
        "packets that the moon hid",
    ];
    for note in lost {
        let bounds = json!({note: 7});
        sql(&flowmap.path("flowmap.db"), &format!("UPDATE run SET bounds = '{bounds}' WHERE kind = 'file'"));
        let runs = flowmap.json(&["runs"]);
        assert!(runs.as_array().unwrap().iter().any(|run| run["bounds"] == bounds), "{runs}");
        flowmap.ok(&SUGGEST);
        assert!(review(&flowmap).contains("1 capture damaged or incomplete"), "{note}: {}", review(&flowmap));
    }
    let light = "times fewer packets within TCP connections were taken (--mode connections): TCP's packets and bytes are too low, \
                 names in TLS and HTTP are missing, and streams that were open before may be";
    let bounds = json!({light: 32}).to_string().replace('\'', "''");
    sql(&flowmap.path("flowmap.db"), &format!("UPDATE run SET bounds = '{bounds}' WHERE kind = 'file'"));
    flowmap.ok(&SUGGEST);
    let told = review(&flowmap);
    assert!(told.contains("1 capture took of TCP") && !told.contains("incomplete"), "{told}");
    // figures of a store from elsewhere may be as large as can be
    let most = i64::MAX;
    let figures = format!("packets = {most}, dropped_by_kernel = {most}, dropped_by_interface = {most}");
    sql(&flowmap.path("flowmap.db"), &format!("UPDATE run SET {figures}"));
    flowmap.ok(&["status"]);
    flowmap.ok(&SUGGEST);
}

#[test]
fn what_could_not_be_read_is_told_of_the_proposal() {
    let flowmap = Flowmap::new();
    let items = [node("node-1", "192.0.2.1", "10.244.1.0/24"), pod("web", "10.244.1.5"), pod("api", "10.244.1.6")];
    flowmap.write("cluster.json", list(&items));
    flowmap.ok(&["inventory", "import", "cluster.json"]);
    let good = "10.244.1.5,10.244.1.6,tcp,8080,2026-11-24T06:00:00Z,2026-11-24T06:10:00Z\n";
    let bad = "10.244.1.5,nobody,tcp,8080,2026-11-24T06:00:00Z,2026-11-24T06:10:00Z\n".repeat(50);
    flowmap.write("flows.csv", format!("client,server,protocol,port,first_seen,last_seen\n{good}{bad}"));
    let output = flowmap.ok(&["import", "flows.csv"]);
    assert!(output.stderr.contains("flows.csv: warning: 50 packets or records could not be read"), "{}", output.stderr);
    let lacks = "flowmap: 1 of 1 capture damaged or incomplete: rare connections may be missing";
    for args in [&[&SUGGEST[..], &["--isolate-unseen"]].concat(), &["simulate", "out"][..]] {
        let output = flowmap.ok(args);
        assert!(output.stderr.contains(lacks), "{}", output.stderr);
    }
    let review = review(&flowmap);
    assert!(
        review.contains("1 capture damaged or incomplete (50 of their packets or records could not be read)"),
        "{review}"
    );
    // of packets too; a few of very many are no news
    let cut = Frames::ethernet(opening("10.244.1.5:40000", "10.244.1.6:8080", 1_000, 2_000)).cut_to(20);
    flowmap.write("cut.pcap", cut.bytes());
    let output = flowmap.ok(&["import", "cut.pcap"]);
    assert!(output.stderr.contains("cut.pcap: warning: 3 packets or records could not be read"), "{}", output.stderr);
}

#[test]
fn flows_that_hubble_lost_are_told_as_loss_with_their_number() {
    let flowmap = Flowmap::new();
    let items = [node("node-1", "192.0.2.1", "10.244.1.0/24"), pod("web", "10.244.1.5"), pod("api", "10.244.1.6")];
    flowmap.write("cluster.json", list(&items));
    let ends = [("10.244.1.5", 40_000), ("10.244.1.6", 8_080)];
    let line = |minute: u32, [from, to]: [(&str, u16); 2], flags: &[&str]| {
        let flags: serde_json::Map<_, _> = flags.iter().map(|flag| ((*flag).to_owned(), true.into())).collect();
        let tcp = json!({"source_port": from.1, "destination_port": to.1, "flags": flags});
        let flow = json!({"time": format!("2026-11-24T06:{minute:02}:00Z"), "verdict": "FORWARDED", "l4": {"TCP": tcp},
            "IP": {"source": from.0, "destination": to.0}, "Type": "L3_L4", "event_type": {"type": 4}});
        format!("{}\n", json!({"flow": flow, "node_name": "node-1"}))
    };
    let [client, server] = ends;
    let mut log = line(0, ends, &["SYN"]) + &line(0, [server, client], &["SYN", "ACK"]);
    log.extend((1..18).map(|minute| line(minute, ends, &["ACK", "PSH"])));
    let files = ["--from", "node-1.json", "--inventory", "cluster.json"];
    let told = |lost: u32| {
        let lost = format!("{{\"lost_events\":{{\"num_events_lost\":\"{lost}\"}}}}\n");
        flowmap.write("node-1.json", log.clone() + &lost);
        let said = flowmap.ok(&[&["suggest", "-n", "shop", "--out-dir", "out"], &files[..]].concat()).stderr;
        flowmap.ok(&[&["firewall", "--out-dir", "fw"], &files[..2]].concat());
        let read = |name: &str| std::fs::read_to_string(flowmap.path(name)).unwrap();
        let shown = [read("out/REVIEW.md"), read("out/report.html"), read("out/evidence.json"), read("fw/REVIEW.md")];
        (said, shown)
    };
    // 20 records, of which one tells of the loss
    let (said, [review, report, evidence, firewall]) = told(5);
    let few =
        "5 flows never reached a log of Hubble, 1 capture damaged or incomplete: rare connections may be missing.";
    assert!(review.contains(few) && report.contains(few), "{review}");
    assert!(review.contains("captures lost 20.0 % of packets or records in that time"), "{review}");
    assert!(evidence.contains("\"capture_loss\": 0.2"), "{evidence}");
    assert!(firewall.contains("20 packets or records, 5 lost, 1 damaged or incomplete"), "{firewall}");
    assert!(!said.contains("more was lost") && !review.contains("more was lost"), "{said}");
    let (said, [review, report, ..]) = told(24_805);
    let most =
        "24805 flows never reached a log of Hubble, 1 capture damaged or incomplete: more was lost than was seen";
    assert!(review.contains(most) && report.contains(most), "{review}");
    assert!(said.contains("flowmap: more was lost than was seen, 24805 to 20: needed"), "{said}");
    // of the kernel's drops alike
    flowmap.write("flow.pcap", talk().bytes());
    flowmap.ok(&["import", "flow.pcap"]);
    flowmap.ok(&["inventory", "import", "cluster.json"]);
    sql(&flowmap.path("flowmap.db"), "UPDATE run SET dropped_by_kernel = 1000000");
    let said = flowmap.ok(&SUGGEST).stderr;
    assert!(said.contains("more was lost than was seen, 1000000 to "), "{said}");
}
