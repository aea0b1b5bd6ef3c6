//! Who had an address when, through the command line; the rules one by one are tested in the library.

use serde_json::{Value, json};

use crate::common::{
    Flowmap,
    cluster::{list, node, object, of, pod, with},
    frames::{Frames, Packet, connection, datagram, disowned, opening, traffic},
    packets::Capture,
    rows::row,
};

/// A cluster listed at an hour: these pods, and what tells the hour and that all namespaces were asked for.
fn listed(hour: &str, pods: &[Value]) -> String {
    let mut node = node("node-1", "192.0.2.1", "10.244.1.0/24");
    node["status"]["conditions"] = json!([{"lastHeartbeatTime": format!("2026-11-24T{hour}:00:00Z")}]);
    let others = ["a", "b"].map(|namespace| of(namespace, pod("x", "10.244.1.99")));
    list(&[pods, &[node], &others].concat())
}

/// A store with two lists of one cluster, the first with `web`, the second, six hours later, without.
fn flowmap(options: &[&str]) -> Flowmap {
    let flowmap = Flowmap::new();
    flowmap.write("first.json", listed("06", &[pod("web", "10.244.1.5")]));
    flowmap.write("second.json", listed("12", &[]));
    for file in ["first.json", "second.json"] {
        flowmap.ok(&[&["inventory", "import"], options, &[file]].concat());
    }
    let mut capture = Capture::new();
    for hour in ["01", "06", "09", "13"] {
        capture.at(&format!("2026-11-24T{hour}:00:00Z")).talk(&format!("10.244.1.5:400{hour}"), "198.51.100.1:443");
    }
    flowmap.write("x.pcap", capture.bytes());
    flowmap.ok(&["import", "x.pcap"]);
    flowmap
}

/// Connections by the name of their client.
fn clients(flowmap: &Flowmap) -> Vec<(String, u64)> {
    let flows = flowmap.json(&["flows"]);
    let client =
        |flow: &Value| (flow["client"]["name"].as_str().unwrap().to_owned(), flow["connections"].as_u64().unwrap());
    let mut clients: Vec<_> = flows.as_array().unwrap().iter().map(client).collect();
    clients.sort();
    clients
}

#[test]
fn what_a_later_list_lacks_was_gone_by_then() {
    let flowmap = flowmap(&[]);
    assert_eq!(clients(&flowmap), [("10.244.1.5".into(), 1), ("shop/web".into(), 3)]);
    let names = |args: &[&str]| flowmap.ok(&[&["inventory", "list", "-n", "shop"], args].concat()).stdout;
    assert_eq!(names(&[]), "");
    assert!(names(&["--at", "2026-11-24T06:00:00Z"]).contains("10.244.1.5"));
    assert_eq!(names(&["--at", "2026-11-24T12:00:00Z"]), "");
}

#[test]
fn a_list_of_a_selection_makes_nobody_absent() {
    let flowmap = flowmap(&["--partial"]);
    assert_eq!(clients(&flowmap), [("shop/web".into(), 4)]);
    // the same files without the word: the last word counts, and nothing is there twice
    flowmap.ok(&["inventory", "import", "first.json", "second.json"]);
    assert_eq!(clients(&flowmap), [("10.244.1.5".into(), 1), ("shop/web".into(), 3)]);
}

#[test]
fn several_inventory_files_alone_are_snapshots_too() {
    let flowmap = flowmap(&[]);
    let files = ["flows", "--from", "x.pcap", "--inventory", "second.json", "first.json"];
    let alone = flowmap.json(&files);
    assert_eq!(alone, flowmap.json(&["flows"]));
    // in place of what the store knows
    let other = flowmap.json(&["flows", "--inventory", "second.json"]);
    assert!(other.as_array().unwrap().iter().all(|flow| flow["client"]["name"] == "10.244.1.5"), "{other}");
}

#[test]
fn an_ingress_is_listed_with_the_services_that_it_opens() {
    let flowmap = Flowmap::new();
    let backend = json!({"service": {"name": "web", "port": {"number": 80}}});
    let rules = json!([{"http": {"paths": [{"path": "/", "backend": backend}]}}]);
    let ingress = with(object("networking.k8s.io/v1", "Ingress", "shop"), "/spec", json!({"rules": rules}));
    flowmap.write("cluster.json", list(&[pod("web", "10.244.1.5"), ingress]));
    flowmap.ok(&["inventory", "import", "cluster.json"]);
    let known = flowmap.json(&["inventory", "list"]);
    let ingress = known.as_array().unwrap().iter().find(|it| it["kind"] == "ingress").unwrap();
    assert_eq!((&ingress["name"], &ingress["workload"]), (&"shop/shop".into(), &"Service web:80".into()));
}

#[test]
fn a_named_port_is_each_pods_own_number() {
    let flowmap = Flowmap::new();
    let named = |app: &str, address: &str, port: u16| {
        let pod = with(pod(app, address), "/spec/containers/0/ports", json!([{"name": "http", "containerPort": port}]));
        with(pod, "/metadata/labels", json!({"app": app, "serves": "web"}))
    };
    let mut web = crate::common::cluster::service("web", "10.96.0.7");
    web["spec"]["selector"] = json!({"serves": "web"});
    web["spec"]["ports"][0]["targetPort"] = "http".into();
    let pods = [named("old", "10.244.1.5", 8_080), named("new", "10.244.1.6", 9_090), pod("client", "10.244.1.7"), web];
    flowmap.write("cluster.json", listed("06", &pods));
    let mut capture = Capture::new();
    // which of them answered was not seen
    capture.at("2026-11-24T07:00:00Z").talk("10.244.1.7:40000", "10.96.0.7:80");
    flowmap.write("x.pcap", capture.bytes());
    flowmap.ok(&["inventory", "import", "cluster.json"]);
    flowmap.ok(&["import", "x.pcap"]);
    flowmap.ok(&["suggest", "-n", "shop", "--out-dir", "out"]);
    let client = std::fs::read_to_string(flowmap.path("out/shop/client.yaml")).unwrap();
    let rule = |app: &str, port: u16| {
        let at = client.find(&format!("app: {app}")).unwrap();
        client[at..].find(&format!("port: {port}")).is_some_and(|place| place < 80)
    };
    assert!(rule("old", 8_080) && rule("new", 9_090), "{client}");
}

#[test]
fn what_was_dialled_is_the_service_that_it_was_then() {
    let flowmap = Flowmap::new();
    let service = |name: &str, made: &str| {
        let service = crate::common::cluster::service(name, "10.96.0.7");
        with(service, "/metadata/creationTimestamp", format!("2026-11-24T{made}:00:00Z").into())
    };
    let pods = [pod("web", "10.244.1.5"), pod("old", "10.244.1.6"), pod("new", "10.244.1.7")];
    flowmap.write("first.json", listed("06", &[&pods[..], &[service("old", "01")]].concat()));
    flowmap.write("second.json", listed("12", &[&pods[..], &[service("new", "09")]].concat()));
    let mut capture = Capture::new();
    capture.at("2026-11-24T05:00:00Z").through("10.244.1.5:40000", "10.96.0.7:80", "10.244.1.6:8080");
    // on its own the Service's address stands for the pods that it led to then
    capture.at("2026-11-24T05:30:00Z").talk("10.244.1.5:40001", "10.96.0.7:80");
    capture.at("2026-11-24T10:00:00Z").through("10.244.1.5:40002", "10.96.0.7:80", "10.244.1.7:8080");
    flowmap.write("x.pcap", capture.bytes());
    flowmap.ok(&["import", "x.pcap"]);
    flowmap.ok(&["inventory", "import", "second.json", "first.json"]);
    let flows = flowmap.json(&["flows"]);
    let line = |flow: &Value| {
        assert_ne!(flow["via"][0]["disputed"], true, "{flow}");
        format!("{} via {} x{}", flow["server"]["name"], flow["via"][0]["service"], flow["connections"])
            .replace('"', "")
    };
    let lines: Vec<String> = flows.as_array().unwrap().iter().map(line).collect();
    assert_eq!(lines, ["shop/new via shop/new x1", "shop/old via shop/old x2"]);
}

/// What one capture tells of a cluster with these pods.
fn told(pods: &[Value], frames: Vec<crate::common::frames::Packet>) -> Vec<String> {
    let flowmap = Flowmap::new();
    flowmap.write("cluster.json", listed("06", pods));
    flowmap.write("x.pcap", Frames::ethernet(frames).bytes());
    let flows = flowmap.json(&["flows", "--from", "x.pcap", "--inventory", "cluster.json"]);
    let mut rows: Vec<String> = flows.as_array().unwrap().iter().map(row).collect();
    rows.sort();
    rows
}

#[test]
fn a_stream_that_a_pod_knows_nothing_of_was_that_of_whoever_had_its_address_before() {
    let pods = [pod("cache", "10.244.1.5"), pod("web", "10.244.1.6"), pod("mop", "10.244.1.7")];
    let (cache, mop) = ("10.244.1.5:6379", "10.244.1.7:40000");
    let opened = opening("10.244.1.6:41000", cache, 1_000, 2_000);
    let server_speaks = [traffic(cache, mop, 5_000, 9_000, 100), disowned(mop, cache, 9_000)];
    let web = "shop/web > shop/cache:6379/TCP established handshake 1";
    assert_eq!(
        told(&pods, opened.iter().cloned().chain(server_speaks).collect()),
        ["10.244.1.7 > shop/cache:6379/TCP midstream listener 1", web]
    );
    let client_speaks = [traffic(mop, cache, 9_000, 5_000, 100), disowned(cache, mop, 5_000)];
    assert_eq!(
        told(&pods, opened.iter().cloned().chain(client_speaks.clone()).collect()),
        ["shop/mop > 10.244.1.5:6379/TCP midstream listener 1", web]
    );
    // an attempt was meant for who is there, and who has spoken before had a stream that it lost later
    let attempt = [traffic(mop, cache, 9_000, 5_000, 0), disowned(cache, mop, 5_000)];
    assert_eq!(told(&pods, attempt.to_vec()), ["shop/mop > shop/cache:6379/TCP refused port 1"]);
    let answered = [traffic(cache, mop, 4_900, 9_000, 100)].into_iter().chain(client_speaks).collect();
    assert_eq!(told(&pods, answered), ["shop/mop > shop/cache:6379/TCP midstream port 1"]);
}

#[test]
fn who_asks_from_the_port_that_he_serves_on_is_the_client() {
    let ports = json!([{"containerPort": 123, "protocol": "UDP"}]);
    let chrony = with(pod("chrony", "10.244.1.5"), "/spec/containers", json!([{"name": "it", "ports": ports}]));
    let pods = [chrony, pod("web", "10.244.1.6")];
    let (chrony, web, outside) = ("10.244.1.5:123", "10.244.1.6:123", "203.0.113.1:123");
    let frames = vec![
        datagram(chrony, outside, "what time is it?"),
        datagram(outside, chrony, "noon"),
        datagram(web, chrony, "and here?"),
        datagram(chrony, web, "noon as well"),
    ];
    let expected =
        ["shop/chrony > 203.0.113.1:123/UDP established order 1", "shop/web > shop/chrony:123/UDP established order 1"];
    assert_eq!(told(&pods, frames), expected);
}

#[test]
fn a_hosts_file_that_was_wrong_is_taken_back() {
    let flowmap = Flowmap::new();
    let hosts = |name: &str| format!("address,name\n10.0.0.1,web\n10.0.0.3,{name}\n");
    flowmap.write("flows.csv", "client,server,protocol,port,packets\n10.0.0.1,10.0.0.3,tcp,5432,900\n");
    flowmap.ok(&["import", "flows.csv"]);
    let import = |name: &str| {
        flowmap.write("hosts.csv", hosts(name));
        flowmap.ok(&["inventory", "import", "hosts.csv"]).stderr
    };
    let server = || flowmap.json(&["flows"])[0]["server"]["name"].clone();
    assert!(!import("typo").contains("hint"));
    assert_eq!(server(), "typo");
    let said = import("db-1");
    assert!(said.contains("hint: where it was wrong: flowmap inventory rm hosts.csv"), "{said}");
    assert_eq!(server(), "10.0.0.3", "which of them is right, nobody knows");
    flowmap.write("other.csv", "address,name\n10.0.0.9,cache\n");
    flowmap.ok(&["inventory", "import", "other.csv"]);
    flowmap.run(&["inventory", "rm", "hosts.csv", "host.csv"]).is_an_error(&[
        "host.csv: nothing was imported from a file of this name",
        "hint: there is hosts.csv, other.csv",
    ]);
    flowmap.run(&["inventory", "rm", "--site", "lab", "hosts.csv"]).is_an_error(&["at the site lab"]);
    assert_eq!(server(), "10.0.0.3", "all or nothing");
    assert_eq!(flowmap.ok(&["inventory", "rm", "hosts.csv"]).stderr, "hosts.csv: 2 listings taken back\n");
    import("db-1");
    assert_eq!(server(), "db-1");
    let names = |list: &Value| -> Vec<Value> { list.as_array().unwrap().iter().map(|it| it["name"].clone()).collect() };
    assert_eq!(names(&flowmap.json(&["inventory", "list"])), ["web", "db-1", "cache"]);
}

#[test]
fn hosts_that_are_meant_to_be_in_one_vlan_are_not_those_of_their_addresses_in_another() {
    let flowmap = Flowmap::new();
    flowmap.write("hosts.csv", "address,name,vlan\n10.0.0.10,web,10\n10.0.0.12,bastion,10\n10.0.9.1,db,30\n");
    let in_vlan = |vlan: u16, packets: Vec<Packet>| packets.into_iter().map(move |packet| packet.vlans(&[vlan]));
    let packets = in_vlan(10, connection("10.0.0.10:40000", "10.0.0.12:80", 1_000, 2_000))
        .chain(in_vlan(20, connection("10.0.0.10:40001", "10.0.0.12:22", 3_000, 4_000)))
        // between VLANs it is seen in either
        .chain(in_vlan(20, connection("10.0.0.10:40002", "10.0.9.1:5432", 5_000, 6_000)));
    flowmap.write("trunk.pcap", Frames::ethernet(packets).bytes());
    let alone = ["--from", "trunk.pcap", "--inventory", "hosts.csv"];
    let mut flows: Vec<String> =
        flowmap.json(&[&["flows"][..], &alone].concat()).as_array().unwrap().iter().map(row).collect();
    flows.sort();
    let ends = |row: &String| row.split(' ').take(3).collect::<Vec<_>>().join(" ");
    assert_eq!(
        flows.iter().map(ends).collect::<Vec<_>>(),
        ["10.0.0.10 > 10.0.0.12:22/TCP", "web > bastion:80/TCP", "web > db:5432/TCP"]
    );
    let rules = flowmap.ok(&[&["firewall", "--isolate-unseen", "--out-dir", "-"][..], &alone].concat()).stdout;
    assert!(rules.contains("dport 80") && !rules.contains("dport 22"), "{rules}");
}
