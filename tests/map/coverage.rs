//! What the captures could have seen: by the hop limits of packets, by the names of sensors, for a part of a pod's time.

use crate::common::{
    Flowmap,
    cluster::{MADE, list, node, owned, pod, with},
    packets::Capture,
};

/// Two pods on node-1, one on node-2.
fn flowmap() -> Flowmap {
    let flowmap = Flowmap::new();
    let on_2 = |pod| with(with(pod, "/spec/nodeName", "node-2".into()), "/status/hostIP", "192.0.2.2".into());
    let items = [
        node("node-1", "192.0.2.1", "10.244.1.0/24"),
        node("node-2", "192.0.2.2", "10.244.2.0/24"),
        pod("web", "10.244.1.5"),
        pod("api", "10.244.1.6"),
        on_2(pod("db", "10.244.2.5")),
    ];
    flowmap.write("cluster.json", list(&items));
    flowmap.ok(&["inventory", "import", "cluster.json"]);
    flowmap
}

/// `api covered 1, db unseen`: every workload in a line.
fn watched(flowmap: &Flowmap) -> String {
    let status = flowmap.json(&["status"]);
    let line = |it: &serde_json::Value| {
        let name = it["workload"].as_str().unwrap().trim_start_matches("shop/").to_owned();
        format!("{name} {} {}", it["state"].as_str().unwrap(), it["share"])
    };
    status["coverage"].as_array().unwrap().iter().map(line).collect::<Vec<_>>().join(", ")
}

#[test]
fn a_capture_that_sees_one_pods_packets_untouched_covers_its_node() {
    let flowmap = flowmap();
    let mut capture = Capture::new();
    // what comes from elsewhere has crossed routers
    capture.at("2026-11-24T10:00:00Z").talk("10.244.1.5:40000", "192.0.2.77:443");
    capture.at("2026-11-24T11:00:00Z").behind(1).talk("10.244.2.5:40000", "192.0.2.77:443");
    flowmap.write("x.pcap", capture.bytes());
    flowmap.ok(&["import", "x.pcap"]);
    assert_eq!(watched(&flowmap), "api covered 1.0, db unseen 0.0, web covered 1.0");
}

#[test]
fn a_capture_at_one_pods_interface_covers_that_pod_alone() {
    let flowmap = flowmap();
    let mut capture = Capture::new();
    // its neighbour's packets come untouched over the bridge
    capture.talk("10.244.1.5:40000", "10.244.1.6:8080").talk("10.244.1.5:40001", "192.0.2.77:443");
    flowmap.write("web.pcap", capture.bytes());
    flowmap.ok(&["import", "web.pcap"]);
    assert_eq!(watched(&flowmap), "api unseen 0.0, db unseen 0.0, web covered 1.0");
}

#[test]
fn where_all_is_between_two_pods_nobody_knows_at_which_it_was_taken() {
    let flowmap = flowmap();
    let mut capture = Capture::new();
    capture.talk("10.244.1.5:40000", "10.244.1.6:8080");
    flowmap.write("x.pcap", capture.bytes());
    flowmap.ok(&["import", "x.pcap"]);
    assert_eq!(watched(&flowmap), "api unseen 0.0, db unseen 0.0, web unseen 0.0");
    let other = self::flowmap();
    other.write("x.pcap", capture.bytes());
    other.ok(&["import", "--sensor", "node-1", "x.pcap"]);
    assert_eq!(watched(&other), "api covered 1.0, db unseen 0.0, web covered 1.0");
}

#[test]
fn what_a_bridge_floods_is_no_sign_of_more_than_one_pods_interface() {
    let flowmap = flowmap();
    let mut capture = Capture::new();
    capture.talk("10.244.1.5:40000", "192.0.2.76:8080").talk("10.244.1.5:40001", "192.0.2.77:443");
    capture.datagram(([10, 244, 1, 6], 40_000), ([10, 244, 1, 255], 137), b"anybody");
    capture.datagram(([10, 244, 1, 6], 40_001), ([10, 244, 1, 9], 99), b"whose port nobody knows");
    flowmap.write("web.pcap", capture.bytes());
    flowmap.ok(&["import", "web.pcap"]);
    assert_eq!(watched(&flowmap), "api unseen 0.0, db unseen 0.0, web covered 1.0");
}

#[test]
fn a_sensor_called_as_a_node_was_there_and_its_packets_tell_what_it_could_see() {
    // one pod's packets as it sent them: without the name it might be that pod's interface
    let node = flowmap();
    let mut capture = Capture::new();
    capture.talk("10.244.2.5:40000", "192.0.2.77:443").talk("192.0.2.2:40000", "192.0.2.78:443");
    node.write("x.pcap", capture.bytes());
    node.ok(&["import", "--sensor", "node-2", "x.pcap"]);
    assert_eq!(watched(&node), "api unseen 0.0, db covered 1.0, web unseen 0.0");
    // behind the node's router: what its pods say to each other never passes there
    for talk in ["10.244.1.5:40000", "192.0.2.76:40000"] {
        let uplink = flowmap();
        let mut capture = Capture::new();
        capture.behind(1).talk(talk, "192.0.2.77:443");
        uplink.write("x.pcap", capture.bytes());
        uplink.ok(&["import", "--sensor", "node-1", "x.pcap"]);
        assert_eq!(watched(&uplink), "api unseen 0.0, db unseen 0.0, web unseen 0.0", "{talk}");
    }
    // records have no hop limits
    let log = flowmap();
    let row = "10.244.1.5,192.0.2.77,tcp,443,10,2026-11-24T06:00:00Z,2026-11-24T07:00:00Z";
    log.write("x.csv", format!("client,server,protocol,port,packets,first_seen,last_seen\n{row}\n"));
    log.ok(&["import", "--sensor", "node-1", "x.csv"]);
    assert_eq!(watched(&log), "api covered 1.0, db unseen 0.0, web covered 1.0");
}

#[test]
fn that_a_capture_had_a_filter_is_told() {
    let flowmap = flowmap();
    let mut capture = Capture::new();
    capture.talk("10.244.1.5:40000", "10.244.1.6:8080").talk("10.244.1.5:40001", "192.0.2.77:443");
    flowmap.write("plain.pcapng", pcapng(capture.bytes(), b""));
    let status = || flowmap.ok(&["status"]).stdout;
    flowmap.ok(&["import", "plain.pcapng"]);
    assert!(!status().contains("filter"), "{}", status());
    flowmap.ok(&["runs", "rm", flowmap.json(&["runs"])[0]["id"].as_str().unwrap()]);
    flowmap.write("filtered.pcapng", pcapng(capture.bytes(), b"\0port 8080"));
    let import = flowmap.ok(&["import", "filtered.pcapng"]);
    assert!(import.stderr.contains("1 filter was set while it was captured"), "{import:?}");
    assert!(status().contains("filtered.pcapng: 1 filter was set while it was captured"), "{}", status());
    flowmap.ok(&["suggest", "-n", "shop", "--out-dir", "out"]);
    let review = flowmap.read("out/REVIEW.md");
    assert!(review.contains("1 capture had a filter set"), "{review}");
}

/// The packets of a capture as pcapng, of an interface with this `if_filter`.
fn pcapng(pcap: &[u8], filter: &[u8]) -> Vec<u8> {
    let block = |kind: u32, body: &[u8]| {
        let mut body = body.to_vec();
        body.resize(body.len().next_multiple_of(4), 0);
        let length = u32::try_from(body.len() + 12).unwrap().to_le_bytes();
        [&kind.to_le_bytes()[..], &length, &body, &length].concat()
    };
    let mut option = Vec::new();
    if !filter.is_empty() {
        option = [&11u16.to_le_bytes()[..], &u16::try_from(filter.len()).unwrap().to_le_bytes(), filter].concat();
        option.resize(option.len().next_multiple_of(4), 0);
        option.extend([0; 4]);
    }
    let mut file = block(0x0a0d_0d0a, &[0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255]);
    let (header, mut rest) = pcap.split_at(24);
    file.extend(block(1, &[&header[20..22], &[0, 0], &65_535u32.to_le_bytes()[..], &option].concat()));
    while let Some((head, packets)) = rest.split_at_checked(16) {
        let word = |at: usize| u32::from_le_bytes(head[at..at + 4].try_into().unwrap());
        let micros = u64::from(word(0)) * 1_000_000 + u64::from(word(4));
        let (high, low) = (u32::try_from(micros >> 32).unwrap(), u32::try_from(micros & 0xffff_ffff).unwrap());
        let (data, others) = packets.split_at(word(8) as usize);
        let words = [0, high, low, word(8), word(12)].map(u32::to_le_bytes).concat();
        file.extend(block(6, &[&words[..], data].concat()));
        rest = others;
    }
    file
}

#[test]
fn a_capture_of_a_part_of_the_time_covers_a_part() {
    let flowmap = flowmap();
    let files =
        [("a.pcap", "node-1", "10.244.1.5", "10:00", "11:00"), ("b.pcap", "node-2", "10.244.2.5", "10:00", "14:00")];
    for (file, sensor, pod, from, to) in files {
        let mut capture = Capture::new();
        capture.at(&format!("2026-11-24T{from}:00Z")).talk(&format!("{pod}:40000"), "192.0.2.78:443");
        capture.at(&format!("2026-11-24T{to}:00Z")).talk("192.0.2.77:40001", "192.0.2.78:443");
        flowmap.write(file, capture.bytes());
        flowmap.ok(&["import", "--sensor", sensor, file]);
    }
    assert_eq!(watched(&flowmap), "api partly 0.25, db covered 1.0, web partly 0.25");
    let pods = flowmap.json(&["inventory", "list", "-n", "shop"]);
    let web = pods.as_array().unwrap().iter().find(|pod| pod["addresses"] == "10.244.1.5").unwrap();
    assert_eq!((&web["watched"], &web["watched_share"]), (&"partly".into(), &0.25.into()));
    assert!(flowmap.ok(&["inventory", "list", "-o", "wide"]).stdout.contains("partly"));
}

/// `db-0` of a `StatefulSet` on a node, in one of its lives.
fn db_0(node: u8, started: &str) -> serde_json::Value {
    let address = format!("10.244.{node}.9");
    let mut pod = owned(with(pod("db", &address), "/metadata/name", "db-0".into()), "StatefulSet", "db");
    pod["metadata"]["uid"] = format!("db-0 of {started}").into();
    pod["metadata"]["creationTimestamp"] = started.into();
    pod["status"]["startTime"] = started.into();
    pod["status"]["hostIP"] = format!("192.0.2.{node}").into();
    with(pod, "/spec/nodeName", format!("node-{node}").into())
}

#[test]
fn a_pod_that_moved_to_a_node_that_nobody_watched_was_not_watched_there() {
    for (watched_node, share) in [(1, 0.2), (2, 0.8)] {
        let flowmap = Flowmap::new();
        let at = |minute: u8| format!("2026-11-24T10:{minute:02}:00Z");
        let nodes = [node("node-1", "192.0.2.1", "10.244.1.0/24"), node("node-2", "192.0.2.2", "10.244.2.0/24")];
        let lives = [db_0(1, MADE), db_0(2, &at(10))];
        for (life, taken_at) in [(0, 0), (0, 10), (1, 10), (1, 50)] {
            let file = format!("{life}-{taken_at}.json");
            flowmap.write(&file, list(&[nodes[0].clone(), nodes[1].clone(), lives[life].clone()]));
            flowmap.ok(&["inventory", "import", "--taken-at", &at(taken_at), &file]);
        }
        let mut capture = Capture::new();
        for minute in 0..=50 {
            let pod = if minute < 10 { 1 } else { 2 };
            let talk = format!("10.244.{pod}.9:{}", 40_000 + u16::from(minute));
            // what is sent on the other node has crossed routers
            capture.at(&at(minute)).behind(u8::from(pod != watched_node)).talk(&talk, "192.0.2.77:443");
            capture.behind(0).talk(&format!("192.0.2.{watched_node}:{}", 50_000 + u16::from(minute)), "192.0.2.78:443");
        }
        flowmap.write("x.pcap", capture.bytes());
        flowmap.ok(&["import", "--sensor", &format!("node-{watched_node}"), "x.pcap"]);
        let known = flowmap.json(&["status"])["coverage"][0].clone();
        assert_eq!(known["state"], "partly", "{known}");
        assert!((known["share"].as_f64().unwrap() - share).abs() < 0.01, "{known}");
        let output = flowmap.ok(&["suggest", "-n", "shop", "--out-dir", "out"]);
        assert!(output.stdout.contains("left open: db"), "{output:?}");
        for (minute, node) in [(5, 1), (20, 2)] {
            let pods = flowmap.json(&["inventory", "list", "-n", "shop", "--at", &at(minute)]);
            let state = if node == watched_node { "covered" } else { "unseen" };
            assert_eq!(pods[0]["watched"], state, "{pods}");
        }
    }
}

#[test]
fn the_interface_of_a_pod_that_is_made_anew_shows_no_other_pod() {
    let flowmap = Flowmap::new();
    let at = |minute: u8| format!("2026-11-24T10:{minute:02}:00Z");
    let lives = [db_0(1, MADE), db_0(1, &at(10))];
    for (life, taken_at) in [(0, 0), (0, 10), (1, 10), (1, 50)] {
        let file = format!("{life}-{taken_at}.json");
        let items = [node("node-1", "192.0.2.1", "10.244.1.0/24"), pod("api", "10.244.1.6"), lives[life].clone()];
        flowmap.write(&file, list(&items));
        flowmap.ok(&["inventory", "import", "--taken-at", &at(taken_at), &file]);
    }
    let mut capture = Capture::new();
    for minute in 0..=50 {
        capture.at(&at(minute)).talk(&format!("10.244.1.9:{}", 40_000 + u16::from(minute)), "192.0.2.77:443");
    }
    flowmap.write("x.pcap", capture.bytes());
    flowmap.ok(&["import", "x.pcap"]);
    let watched = watched(&flowmap);
    assert!(watched.contains("api unseen") && watched.contains("db covered"), "{watched}");
}

#[test]
fn who_was_watched_and_kept_silent_is_closed_and_who_was_not_is_left_open() {
    let flowmap = flowmap();
    let mut capture = Capture::new();
    capture.talk("10.244.1.5:40000", "192.0.2.77:443").talk("192.0.2.1:40000", "192.0.2.78:443");
    flowmap.write("x.pcap", capture.bytes());
    flowmap.ok(&["import", "--sensor", "node-1", "x.pcap"]);
    let output = flowmap.ok(&["suggest", "-n", "shop", "--out-dir", "out"]);
    assert!(output.stderr.contains("shop/db: nothing of it was seen"), "{}", output.stderr);
    assert!(!output.stderr.contains("shop/api"), "{}", output.stderr);
    let policy = |name: &str| std::fs::read_to_string(flowmap.path(&format!("out/shop/{name}.yaml"))).unwrap();
    assert!(policy("db").contains("LEFT OPEN"));
    assert!(!policy("api").contains("ingress:\n  -") && !policy("api").contains("LEFT OPEN"), "{}", policy("api"));
}

#[test]
fn a_proposal_names_who_was_seen_from_elsewhere_alone() {
    let flowmap = flowmap();
    let mut far = Capture::new();
    far.talk("10.244.1.6:40001", "192.0.2.77:443");
    far.behind(1).talk("10.244.2.5:40001", "10.244.1.5:8080").talk("10.244.2.5:40002", "10.244.1.6:8080");
    flowmap.write("far.pcap", far.bytes());
    flowmap.ok(&["import", "far.pcap"]);
    let output = flowmap.ok(&["suggest", "-n", "shop", "--out-dir", "out"]);
    assert!(output.stderr.contains("shop: not watched at their own side all the time: db"), "{}", output.stderr);
    let review = std::fs::read_to_string(flowmap.path("out/REVIEW.md")).unwrap();
    assert!(review.contains("Not watched at their own side") && review.contains("- db: never"), "{review}");
    assert!(output.stderr.contains("shop/db: was seen from elsewhere alone: it is left open"), "{}", output.stderr);
    let policy = || std::fs::read_to_string(flowmap.path("out/shop/db.yaml")).unwrap();
    assert!(policy().contains("LEFT OPEN"), "{}", policy());

    flowmap.ok(&["suggest", "-n", "shop", "--out-dir", "out", "--isolate-unseen"]);
    assert!(!policy().contains("LEFT OPEN") && policy().contains("web on TCP/8080"), "{}", policy());
}

#[test]
fn a_proposal_leads_with_what_the_captures_could_see() {
    let flowmap = flowmap();
    let mut capture = Capture::new();
    capture.talk("10.244.1.5:40000", "10.244.1.6:8080").talk("192.0.2.1:40000", "192.0.2.78:443");
    flowmap.write("x.pcap", capture.bytes());
    flowmap.ok(&["import", "--sensor", "node-1", "x.pcap"]);
    let output = flowmap.ok(&["suggest", "-n", "shop", "--out-dir", "out"]);
    let line = "2 of 3 workloads watched all the time; never: db; left open: db";
    assert_eq!(output.stdout.lines().next(), Some(format!("coverage: shop: {line}").as_str()));
    let review = std::fs::read_to_string(flowmap.path("out/REVIEW.md")).unwrap();
    assert!(
        review.starts_with(&format!("# Review\n\n## What the captures could see\n\n- **shop:** {line}.")),
        "{review}"
    );
    let evidence = std::fs::read_to_string(flowmap.path("out/evidence.json")).unwrap();
    assert!(evidence.starts_with("{\n  \"coverage\": {\n    \"shop\": {\n      \"covered\": 2,"), "{evidence}");
    let json = flowmap.json(&["suggest", "-n", "shop", "--out-dir", "out"]);
    assert_eq!(json["coverage"]["shop"]["left_open"], serde_json::json!(["db"]));
}

#[test]
fn one_direction_closes_nothing_in_the_other() {
    let flowmap = flowmap();
    let mut capture = Capture::new();
    capture.talk("10.244.1.5:40000", "10.244.1.6:8080").talk("192.0.2.1:40000", "192.0.2.78:443");
    flowmap.write("x.pcap", capture.bytes());
    flowmap.ok(&["import", "--sensor", "node-1", "x.pcap"]);
    for (direction, own, other) in [("ingress", "Ingress", "Egress"), ("egress", "Egress", "Ingress")] {
        flowmap.ok(&["suggest", "-n", "shop", "--out-dir", "out", "--direction", direction]);
        for name in ["default-deny", "api", "web", "db"] {
            let text = std::fs::read_to_string(flowmap.path(&format!("out/shop/{name}.yaml"))).unwrap();
            assert!(text.contains(&format!("  - {own}\n")) && !text.contains(&format!("  - {other}\n")), "{text}");
        }
        assert!(!flowmap.path("out/shop/allow-dns.yaml").exists());
    }
}
