//! Live capture, in network namespaces that the test makes and removes; needs root.

use std::{
    fs,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use flowmap::model::Timestamp;
use serde_json::{Value, json};

use crate::common::{
    Flowmap,
    lab::{Lab, expected, ip, rows, until},
    skipped, text,
};

#[test]
fn what_passes_while_it_watches_is_in_the_store_when_it_is_told_to_stop() {
    for signal in ["-INT", "-TERM"] {
        let Some(lab) = Lab::new() else { return };
        let flowmap = Flowmap::new();
        let mut daemon = lab.watch(&flowmap, &["fm0"]);
        lab.talk();
        daemon.signal(signal);
        let (code, took) = daemon.wait();
        assert_eq!(code, 0, "{signal}: {}", daemon.said);
        assert!(took < Duration::from_secs(5), "{signal}: it must not wait for packets");
        assert_eq!(rows(&flowmap, &flowmap.path("store.db")), expected(), "{signal}");
    }
}

#[test]
fn who_is_told_to_stop_twice_at_once_is_told_once() {
    let Some(lab) = Lab::new() else { return };
    let flowmap = Flowmap::new();
    let mut daemon = lab.watch(&flowmap, &["fm0"]);
    lab.talk();
    // as `timeout` does: its child, then the group
    (0..3).for_each(|_| daemon.signal("-TERM"));
    let (code, _) = daemon.wait();
    assert_eq!(code, 0, "{}", daemon.said);
    assert_eq!(rows(&flowmap, &flowmap.path("store.db")), expected());
}

#[test]
fn a_capture_ends_by_itself_after_the_time_given() {
    let Some(lab) = Lab::new() else { return };
    let flowmap = Flowmap::new();
    let mut daemon = lab.watch(&flowmap, &["fm0", "--for", "3s"]);
    lab.talk();
    assert_eq!(daemon.wait().0, 0);
    assert_eq!(rows(&flowmap, &flowmap.path("store.db")), expected());
}

#[test]
fn an_interface_that_is_not_there_is_an_error_with_a_hint() {
    let flowmap = Flowmap::new();
    let output = flowmap.run(&["capture", "nosuch0"]);
    assert_eq!(output.code, 2, "{}", output.stderr);
    assert!(output.stderr.starts_with("flowmap: interface `nosuch0`: "), "{}", output.stderr);
    assert!(output.stderr.contains("\nhint: "), "{}", output.stderr);
    assert!(!flowmap.path("flowmap.db").exists(), "nothing is written where an interface fails");
}

#[test]
fn of_long_frames_the_kernel_keeps_no_more_than_is_taken() {
    const COUNT: u64 = 400;
    for interface in ["fm0", "any"] {
        let Some(lab) = Lab::new() else { return };
        let flowmap = Flowmap::new();
        for host in [0, 1] {
            assert!(lab.command(host, "ip").args(["link", "set", "fm0", "mtu", "9000"]).status().unwrap().success());
        }
        let mut daemon = lab.watch(&flowmap, &[interface, "--buffer", "1"]);
        // it is not scheduled while far more comes than its buffer has room for
        daemon.signal("-STOP");
        let burst = format!(
            "import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for n in range({COUNT}): s.sendto(bytes(8900), ('10.9.0.2', 4711))"
        );
        lab.python(0, &burst);
        daemon.signal("-CONT");
        daemon.stop();
        let run = &flowmap.json(&["--db", &text(&flowmap.path("store.db")), "runs"])[0];
        assert_eq!(run["dropped_by_kernel"], 0, "{interface}: {run}");
        assert!(run["packets"].as_u64().unwrap() >= COUNT, "{interface}: {run}");
    }
}

#[test]
fn several_interfaces_and_all_of_them_give_each_connection_once() {
    for interfaces in [&["fm0", "lo"][..], &["any"]] {
        let Some(lab) = Lab::new() else { return };
        let flowmap = Flowmap::new();
        let mut daemon = lab.watch(&flowmap, interfaces);
        lab.talk();
        daemon.stop();
        assert_eq!(rows(&flowmap, &flowmap.path("store.db")), expected(), "{interfaces:?}");
        if interfaces == ["any"] {
            let segments = flowmap.json(&["--db", &text(&flowmap.path("store.db")), "segments"]);
            // tags were lost on the way: unknown, which is not none
            let points = segments[0]["points"].as_array().unwrap();
            assert!(points.iter().all(|it| it["kind"] == "cooked" && it["stacks"][0]["vlans"].is_null()), "{segments}");
        }
    }
}

#[test]
fn what_was_seen_is_in_the_store_after_an_interval_though_no_packet_follows() {
    let Some(lab) = Lab::new() else { return };
    let flowmap = Flowmap::new();
    let daemon = lab.watch(&flowmap, &["fm0"]);
    lab.talk();
    thread::sleep(Duration::from_secs(7));
    daemon.signal("-KILL");
    assert_eq!(rows(&flowmap, &flowmap.path("store.db")), expected());
}

#[test]
fn an_interface_that_goes_away_is_waited_for_and_watched_again() {
    let Some(lab) = Lab::new() else { return };
    let flowmap = Flowmap::new();
    lab.cable("fm1", 8);
    let mut daemon = lab.watch(&flowmap, &["fm0", "fm1", "--metrics", "127.0.0.1:9464"]);
    lab.cut("fm0");
    daemon.hear("fm0: ");
    until("its absence is told", || lab.figures("/metrics").contains("flowmap_interface_up{interface=\"fm0\"} 0\n"));
    assert_eq!(lab.figures("/healthz"), "ok\n", "the other one is watched");
    lab.cable("fm0", 9);
    daemon.hear("fm0 is back");
    lab.talk();
    assert!(lab.figures("/metrics").contains("flowmap_interface_gone_total{interface=\"fm0\"} 1\n"));
    daemon.stop();
    assert_eq!(daemon.said.matches("waiting for it").count(), 1, "{}", daemon.said);
    assert_eq!(rows(&flowmap, &flowmap.path("store.db")), expected());
}

#[test]
fn an_interface_that_is_taken_down_is_told_and_nothing_after_it_is_missed() {
    let Some(lab) = Lab::new() else { return };
    let flowmap = Flowmap::new();
    let set = |state: &str| assert!(ip(&["-n", &lab.hosts()[0], "link", "set", "fm0", state]));
    let mut daemon = lab.watch(&flowmap, &["fm0", "--metrics", "127.0.0.1:9464"]);
    set("down");
    daemon.hear("fm0: it is down; waiting for it");
    until("its state is told", || lab.figures("/metrics").contains("flowmap_interface_up{interface=\"fm0\"} 0\n"));
    assert!(lab.figures("/healthz").starts_with("503 "));
    assert_eq!(lab.figures("/livez"), "ok\n", "to start it anew would not help");
    set("up");
    lab.talk();
    daemon.hear("fm0 is up again");
    daemon.stop();
    assert_eq!(rows(&flowmap, &flowmap.path("store.db")), expected());
}

#[test]
fn an_interface_that_is_called_otherwise_while_it_is_up_is_watched_no_more_until_one_has_its_name() {
    let Some(lab) = Lab::new() else { return };
    let flowmap = Flowmap::new();
    let host = &lab.hosts()[0];
    let rename = |from: &str, to: &str| ip(&["-n", host, "link", "set", from, "name", to]);
    let mut daemon = lab.watch(&flowmap, &["fm0", "--metrics", "127.0.0.1:9464"]);
    lab.talk();
    if !rename("fm0", "fm7") {
        return skipped("this kernel does not rename what is up");
    }
    daemon.hear("fm0: the interface is called `fm7` now; waiting for one of this name");
    until("its absence is told", || lab.figures("/metrics").contains("flowmap_interface_up{interface=\"fm0\"} 0\n"));
    assert!(lab.figures("/healthz").starts_with("503 "));
    lab.talk();
    assert!(rename("fm7", "fm0"));
    daemon.hear("fm0 is back");
    // another has its name from one moment to the next
    assert!(rename("fm0", "fm7") && ip(&["-n", host, "link", "add", "fm0", "type", "veth", "peer", "name", "fm8"]));
    assert!(["fm0", "fm8"].iter().all(|name| ip(&["-n", host, "link", "set", name, "up"])));
    daemon.hear("fm0: the interface is called `fm7` now; waiting for one of this name");
    daemon.hear("fm0 is back");
    lab.talk();
    assert!(ip(&["-n", host, "link", "del", "fm0"]) && rename("fm7", "fm0"));
    daemon.hear("fm0: the interface went down; waiting for it");
    daemon.hear("fm0 is back");
    lab.talk();
    daemon.stop();
    let twice: Vec<_> = expected().into_iter().map(|(a, b, port, out, count)| (a, b, port, out, count * 2)).collect();
    let store = flowmap.path("store.db");
    assert_eq!(rows(&flowmap, &store), twice, "of what it carried under its name");
    let runs = flowmap.json(&["--db", &text(&store), "runs"]);
    assert!(runs[0]["bounds"].to_string().contains("times the interface was away"), "{runs}");
    assert!(!runs[0]["bounds"].to_string().contains("packets may be missing"), "{runs}");
}

#[test]
fn tags_of_frames_that_cross_an_interface_are_in_the_map() {
    let Some(lab) = Lab::new() else { return };
    let flowmap = Flowmap::new();
    let mut daemon = lab.watch(&flowmap, &["fm0"]);
    lab.python(
        1,
        "import socket, struct
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(('fm0', 0))
def send(tags, port):
    ip = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 28, 1, 0, 64, 17, 0, bytes([10, 1, 0, 1]), bytes([10, 2, 0, 1]))
    s.send(b'\\xff' * 6 + b'\\2' * 6 + tags + b'\\x08\\x00' + ip + struct.pack('!HHHH', 5000, port, 8, 0) + bytes(18))
send(b'', 1000)
send(struct.pack('!HH', 0x8100, 10), 1001)
send(struct.pack('!HHHH', 0x88a8, 100, 0x8100, 20), 1002)
send(struct.pack('!HHHH', 0x8100, 7, 0x8100, 8), 1003)",
    );
    daemon.stop();
    let flows = flowmap.json(&["--db", &text(&flowmap.path("store.db")), "flows", "--by", "address"]);
    let vlans = |port: u64| {
        let flow = flows.as_array().unwrap().iter().find(|flow| flow["port"] == port).unwrap();
        flow["vlans"].to_string()
    };
    let seen = [1000, 1001, 1002, 1003].map(vlans);
    assert_eq!(seen, ["[]", "[\"10\"]", "[\"100.20\"]", "[\"7.8\"]"]);
}

#[test]
fn the_light_mode_finds_the_same_connections_with_fewer_packets_and_says_so() {
    let Some(lab) = Lab::new() else { return };
    let flowmap = Flowmap::new();
    let mut daemon = lab.watch(&flowmap, &["fm0", "--mode", "connections"]);
    lab.talk();
    let _server = lab.serve(
        1,
        "import socket
server = socket.create_server(('10.9.0.2', 8081))
print('ready', flush=True)
while True: server.accept()[0].sendall(bytes(20_000_000))",
    );
    lab.python(
        0,
        "import socket
c = socket.create_connection(('10.9.0.2', 8081)); n = 0
while n < 20_000_000: n += len(c.recv(1 << 16))",
    );
    daemon.stop();
    let store = flowmap.path("store.db");
    let mut wanted = expected();
    wanted.push(("10.9.0.1".into(), "10.9.0.2".into(), 8081, "established".into(), 1));
    assert_eq!(rows(&flowmap, &store), wanted);
    let status = flowmap.ok(&["--db", &text(&store), "status"]).stdout;
    assert!(
        status.contains("fm0: 32 times fewer packets within TCP connections were taken (--mode connections)"),
        "{status}"
    );
    let flows = flowmap.json(&["--db", &text(&store), "flows", "--by", "address"]);
    let bulk = flows.as_array().unwrap().iter().find(|flow| flow["port"] == 8081).unwrap();
    // a veth hands on segments of up to 64 kB: at least 300 each way
    assert!(bulk["bytes_to_client"].as_u64().unwrap() < 5_000_000, "{bulk}");
}

#[test]
fn the_doctor_tells_what_stands_in_the_way_and_how_to_cure_it() {
    let Some(lab) = Lab::new() else { return };
    let flowmap = Flowmap::new();
    let store = text(&flowmap.path("store.db"));
    let doctor = |arguments: &[&str]| {
        let mut command = lab.command(0, env!("CARGO_BIN_EXE_flowmap"));
        command.args(["--db", &store, "doctor", "-o", "json"]).args(arguments).stdout(Stdio::piped());
        let child = command.spawn().unwrap();
        thread::sleep(Duration::from_millis(500));
        lab.talk();
        lab.python(1, "import socket, struct
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(('fm0', 0))
inner = bytes(12) + b'\\x08\\x00' + struct.pack('!BBHHHBBH4s4s', 0x45, 0, 28, 1, 0, 64, 17, 0, bytes([10, 1, 0, 1]), bytes([10, 2, 0, 1])) + struct.pack('!HHHH', 5000, 53, 8, 0)
udp = struct.pack('!HHHH', 5000, 4789, 16 + len(inner), 0) + b'\\x08\\0\\0\\0\\0\\0\\x2a\\0' + inner
s.send(bytes(12) + b'\\x08\\x00' + struct.pack('!BBHHHBBH4s4s', 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0, bytes([10, 9, 0, 2]), bytes([10, 9, 0, 1])) + udp)");
        let output = child.wait_with_output().unwrap();
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code().unwrap(), found)
    };
    let of = |found: &Value, check: &str| {
        found.as_array().unwrap().iter().find(|it| it["check"] == check).unwrap_or(&Value::Null).clone()
    };
    let (code, found) = doctor(&["fm0", "--for", "4s"]);
    assert_eq!(code, 0, "{found}");
    for check in ["rights", "trial", "snaplen", "store"] {
        assert_eq!(of(&found, check)["state"], "fine", "{found}");
    }
    assert!(of(&found, "snaplen")["what"].as_str().unwrap().contains("tunnels seen: vxlan:42"), "{found}");
    let (code, found) = doctor(&["fm0", "--for", "4s", "--snaplen", "64"]);
    assert_eq!(
        (code, &of(&found, "snaplen")["state"], &of(&found, "snaplen")["cure"]),
        (1, &"wrong".into(), &"raise --snaplen".into())
    );
    let (code, found) = doctor(&["nosuch0"]);
    assert_eq!((code, &of(&found, "interface")["state"]), (1, &"wrong".into()), "{found}");
}

#[test]
fn the_doctor_says_where_a_store_cannot_be_made() {
    let flowmap = Flowmap::new();
    flowmap.write("file", "x");
    let told = |store: &str| {
        let output = flowmap.run(&["--db", store, "doctor", "-o", "json"]);
        let found: Value = serde_json::from_str(&output.stdout).unwrap();
        found.as_array().unwrap().iter().find(|it| it["check"] == "store").cloned().unwrap()
    };
    assert_eq!(told("new/folder/store.db")["state"], "fine");
    let found = told("file/store.db");
    assert_eq!(found["state"], "wrong", "{found}");
    assert!(found["what"].as_str().unwrap().contains("cannot be made: file is no folder"), "{found}");
    let found = told("/sys/store.db");
    assert_eq!(found["state"], "wrong", "{found}");
}

/// Starts real servers in the second namespace of a lab, each in a folder of its own; `None` where one is not installed.
fn real_servers(lab: &Lab, folder: &std::path::Path) -> Option<Vec<crate::common::lab::Running>> {
    let binaries =
        fs::read_dir("/usr/lib/postgresql").ok().and_then(|all| all.flatten().map(|it| it.path().join("bin")).max());
    let is_there =
        |program: &str| Command::new("which").arg(program).stdout(Stdio::null()).status().is_ok_and(|it| it.success());
    let missing: Vec<&str> =
        ["nginx", "dnsmasq", "curl", "psql", "tcpdump", "setpriv"].into_iter().filter(|it| !is_there(it)).collect();
    let (Some(binaries), []) = (binaries, &missing[..]) else {
        skipped(&format!("PostgreSQL or one of these is not there: {}", missing.join(", ")));
        return None;
    };
    let path = |name: &str| text(&folder.join(name));
    fs::create_dir(folder.join("db")).unwrap();
    fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    assert!(Command::new("chown").args(["postgres", &path("db")]).status().unwrap().success());
    let as_postgres = ["--reuid=postgres", "--regid=postgres", "--clear-groups"];
    let (initdb, postgres, data) = (text(&binaries.join("initdb")), text(&binaries.join("postgres")), path("db/data"));
    let made = Command::new("setpriv")
        .args(as_postgres)
        .args([&initdb, "--pgdata", &data, "--username=shop", "--auth=trust", "--no-sync"])
        .stdout(Stdio::null())
        .current_dir(folder.join("db"))
        .status();
    assert!(made.unwrap().success());
    fs::write(path("db/data/pg_hba.conf"), "host all all all trust\n").unwrap();
    fs::write(path("nginx.conf"), format!(
        "daemon off; master_process off; pid {0}/nginx.pid; error_log stderr; events {{}} http {{ access_log off; client_body_temp_path {0}; proxy_temp_path {0};
         fastcgi_temp_path {0}; uwsgi_temp_path {0}; scgi_temp_path {0}; server {{ listen 80; location / {{ return 200 'hello\n'; }} }} }}",
        text(folder))).unwrap();
    let serve = |program: &str, arguments: &[&str]| {
        let mut command = lab.command(1, program);
        crate::common::lab::Running(
            command
                .args(arguments)
                .current_dir(folder.join("db"))
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap(),
        )
    };
    let sockets = format!("unix_socket_directories={}", path("db"));
    let db = [&as_postgres[..], &[&postgres, "-D", &data, "-c", "listen_addresses=*", "-c", &sockets]].concat();
    let dns = [
        "--keep-in-foreground",
        "--no-resolv",
        "--no-hosts",
        "--conf-file=/dev/null",
        "--user=root",
        "--address=/shop.test/10.9.0.2",
    ];
    Some(vec![serve("nginx", &["-c", &path("nginx.conf")]), serve("dnsmasq", &dns), serve("setpriv", &db)])
}

#[test]
fn real_servers_watched_live_give_the_map_of_the_same_traffic_captured_by_tcpdump() {
    let Some(lab) = Lab::new() else { return };
    let flowmap = Flowmap::new();
    fs::create_dir(flowmap.path("servers")).unwrap();
    let Some(_servers) = real_servers(&lab, &flowmap.path("servers")) else { return };
    let connects = "import socket, time
for port in (80, 53, 5432):
    for _ in range(200):
        try: socket.create_connection(('10.9.0.2', port), timeout=1).close(); break
        except OSError: time.sleep(0.1)
    else: raise SystemExit(port)";
    lab.python(0, connects);
    let capture = text(&flowmap.path("traffic.pcap"));
    let mut daemon = lab.watch(&flowmap, &["fm0"]);
    let mut tcpdump = lab
        .command(0, "tcpdump")
        .args(["-ni", "fm0", "-s", "704", "--time-stamp-precision=nano", "-U", "-w", &capture])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    thread::sleep(Duration::from_secs(2));
    let asks = "import socket, struct
def ask(name, kind):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(5); s.connect(('10.9.0.2', 53))
    q = b''.join(bytes([len(p)]) + p.encode() for p in name.split('.')) + b'\\0'
    s.send(struct.pack('!HHHHHH', kind, 256, 1, 0, 0, 0) + q + struct.pack('!HH', kind, 1)); s.recv(512)
for n in range(20): ask('shop.test', 1); ask('shop.test', 28)";
    for _ in 0..10 {
        lab.python(0, asks);
        let run = |program: &str, arguments: &[&str]| {
            let status = lab.command(0, program).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
            assert!(status.unwrap().success(), "{program}");
        };
        run("curl", &["-s", "--max-time", "5", "--resolve", "shop.test:80:10.9.0.2", "http://shop.test/[1-20]"]);
        run("psql", &["-h", "10.9.0.2", "-U", "shop", "-d", "postgres", "-c", "select count(*) from pg_class"]);
    }
    lab.talk();
    thread::sleep(Duration::from_secs(1));
    assert!(Command::new("kill").arg(tcpdump.id().to_string()).status().unwrap().success());
    tcpdump.wait().unwrap();
    daemon.stop();
    let live = text(&flowmap.path("store.db"));
    let imported = text(&flowmap.path("imported.db"));
    flowmap.ok(&["--db", &imported, "import", &capture]);
    let map = |store: &str| {
        let flows = flowmap.json(&["--db", store, "flows", "--by", "address"]);
        // what the kernel says by itself in the moment between the two starts
        let said = |flow: &&Value| {
            ["TCP", "UDP"].contains(&flow["protocol"].as_str().unwrap()) && flow["port"].as_u64() < Some(9_000)
        };
        flows.as_array().unwrap().iter().filter(said).cloned().collect::<Vec<_>>()
    };
    let (seen, wanted) = (map(&live), map(&imported));
    for port in [53, 80, 5432, 8080] {
        assert!(seen.iter().any(|flow| flow["port"] == port && flow["outcome"] == "established"), "{port}: {seen:?}");
    }
    assert!(is_alike(&json!(seen), &json!(wanted)), "{seen:#?}\n{wanted:#?}");
    let names = |store: &str| flowmap.json(&["--db", store, "inventory", "names"]);
    let (heard, told) = (names(&live), names(&imported));
    assert!(heard.to_string().contains("shop.test"));
    assert!(is_alike(&heard, &told), "{heard:#?}\n{told:#?}");
}

/// Whether two answers are the same, but for moments: the kernel may stamp a packet for each of two sockets by itself.
fn is_alike(one: &Value, other: &Value) -> bool {
    const STAMPS_APART_S: f64 = 0.001;
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(key, value)| other.get(key).is_some_and(|it| is_alike(value, it)))
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| is_alike(one, other))
        }
        (Value::String(a), Value::String(b)) => match (Timestamp::parse(a), Timestamp::parse(b)) {
            (Some(a), Some(b)) => a.seconds_since(b).abs() <= STAMPS_APART_S,
            _ => a == b,
        },
        _ => one == other,
    }
}

#[test]
fn packet_times_that_jump_both_ways_lose_no_packet() {
    use flowmap::{
        capture::{Frame, LinkType},
        connection::Limits,
        intake::Intake,
    };
    const DAY: i64 = 86_400 * 1_000_000_000;
    let mut intake = Intake::new(Limits { connections: 1_000, ..Limits::default() });
    let mut packets = 0;
    let mut take = |intake: &mut Intake, time: i64, n: u16| {
        // UDP from a port of its own
        let mut data = [0; 42];
        data[12..14].copy_from_slice(&[8, 0]);
        data[14..24].copy_from_slice(&[0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17]);
        data[26..34].copy_from_slice(&[10, 0, 0, 1, 10, 0, 0, 2]);
        data[34..36].copy_from_slice(&(1_024 + n).to_be_bytes());
        data[36..40].copy_from_slice(&[0, 53, 0, 8]);
        let time = Timestamp(1_760_000_000_000_000_000 + time);
        intake.take(&Frame { time, link: LinkType::ETHERNET, interface: 0, wire_length: 42, data: &data });
        packets += 1;
    };
    let mut rows = Vec::new();
    for n in 0..5_000 {
        let jump = [0, DAY, -DAY, 400 * DAY, -400 * DAY, 1, -1][usize::from(n) % 7];
        take(&mut intake, jump + i64::from(n) * 1_000_000, n % 3_000);
        if n % 700 == 0 {
            rows.extend(intake.flush());
        }
    }
    rows.extend(intake.finish());
    let counted: u64 = rows
        .iter()
        .flat_map(|row| row.traces.iter())
        .map(|trace| trace.from_src.fullest().0 + trace.from_dst.fullest().0)
        .sum();
    assert_eq!(counted, packets, "of {} rows", rows.len());
}
