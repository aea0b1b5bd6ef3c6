//! How a daemon is told to stop or to change, and whom it tells of itself; in network namespaces that the test makes and removes; needs root.

use std::{
    fs,
    io::{Read, Write},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::common::{
    Flowmap, Output,
    lab::{Lab, Running, expected, ip, rows, until},
    text,
};

#[test]
fn its_figures_are_those_of_the_run() {
    let Some(lab) = Lab::new() else { return };
    let flowmap = Flowmap::new();
    let mut daemon = lab.watch(&flowmap, &["fm0", "--metrics", "127.0.0.1:9464", "--log", "json"]);
    lab.talk();
    until("a flush is told", || !lab.figures("/metrics").contains("flowmap_flush_seconds_count 0\n"));
    let told = lab.figures("/metrics");
    assert_eq!(lab.figures("/healthz"), "ok\n");
    assert!(lab.figures("/other").starts_with("404 "));
    let store = text(&flowmap.path("store.db"));
    are_described(&told, &flowmap.json(&["--db", &store, "status"])["daemon"]);
    daemon.stop();
    let figure = |name: &str| -> u64 {
        let line = told.lines().find(|line| line.starts_with(&format!("{name}{{interface=\"fm0\"}} "))).unwrap();
        line.rsplit(' ').next().unwrap().parse().unwrap()
    };
    let runs = flowmap.json(&["--db", &store, "runs"]);
    assert!(figure("flowmap_decoded_packets_total") > 20, "{told}");
    assert!(figure("flowmap_packets_total") <= runs[0]["packets"].as_u64().unwrap());
    assert!(figure("flowmap_bytes_total") > figure("flowmap_packets_total") * 40, "{told}");
    assert!(told.contains("flowmap_dependencies_new_total 2\n"), "{told}");
    assert_eq!(figure("flowmap_kernel_drops_total"), 0);
    let first: serde_json::Value = serde_json::from_str(daemon.said.lines().next().unwrap()).unwrap();
    assert_eq!(first["message"], "watching fm0; Ctrl-C stops");
    assert!(first["timestamp"].is_string() && first["level"] == "INFO", "{first}");
}

/// That the documentation names every metric, and every field of what `status` tells of the daemon.
#[track_caller]
fn are_described(metrics: &str, daemon: &serde_json::Value) {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let page = |name: &str| fs::read_to_string(docs.join(name)).expect("a page");
    let (of_metrics, of_json) = (page("daemon.md"), page("json.md"));
    let names: Vec<&str> = metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    assert!(names.len() > 10, "{metrics}");
    for name in names {
        assert!(of_metrics.contains(&format!("`{name}`")), "docs/daemon.md lacks {name}");
    }
    let objects = [daemon, &daemon["interfaces"][0], &daemon["store"]].map(|it| it.as_object().expect("an object"));
    for key in objects.into_iter().flat_map(|it| it.keys()) {
        let is_told = [format!("`{key}`"), format!("`daemon.{key}`")].iter().any(|name| of_json.contains(name));
        assert!(is_told, "docs/json.md lacks {key}");
    }
}

#[test]
fn under_load_it_ends_at_once_and_has_what_it_counted() {
    let Some(lab) = Lab::new() else { return };
    let flowmap = Flowmap::new();
    let sender = lab.serve(1, "import socket, struct
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(('fm0', 0))
print('ready', flush=True)
n = 0
while True:
    n += 1
    ip = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 28, n & 0xffff, 0, 64, 17, 0, bytes([10, 1, n >> 8 & 255, n & 255]), bytes([10, 2, 0, 1]))
    s.send(bytes(6) + bytes(6) + b'\\x08\\x00' + ip + struct.pack('!HHHH', 1024 + (n >> 16), 53, 8, 0) + bytes(18))");
    let mut daemon = lab.watch(&flowmap, &["fm0"]);
    thread::sleep(Duration::from_secs(3));
    daemon.signal("-TERM");
    let (code, took) = daemon.wait();
    drop(sender);
    assert_eq!(code, 0, "{}", daemon.said);
    assert!(took < Duration::from_secs(15), "{took:?}");
    let runs = flowmap.json(&["--db", &text(&flowmap.path("store.db")), "runs"]);
    let packets = runs[0]["packets"].as_u64().unwrap();
    assert!(packets > 10_000, "{runs}");
    // a build for development on a busy machine may lose some: it says so
    let dropped = runs[0]["dropped_by_kernel"].as_u64().unwrap();
    // what runs the link comes too
    let decoded = runs[0]["decoded"].as_u64().unwrap();
    assert!(packets - decoded < 100, "{runs}");
    let said = format!("fm0: {packets} packets, {decoded} decoded, {dropped} dropped by the kernel");
    assert!(daemon.said.contains(&said), "{}", daemon.said);
}

#[test]
fn a_hangup_has_it_read_its_file_again_and_a_wrong_file_changes_nothing() {
    let Some(lab) = Lab::new() else { return };
    let flowmap = Flowmap::new();
    flowmap.write("etc/flowmap.yaml", "filter: port 9\n");
    let config = text(&flowmap.path("etc/flowmap.yaml"));
    let mut daemon = lab.watch(&flowmap, &["fm0", "--config", &config]);
    lab.talk();
    flowmap.write("etc/flowmap.yaml", "filter: port 8080\n");
    daemon.signal("-HUP");
    daemon.hear("fm0 is opened again");
    lab.talk();
    for (text, said) in [("filtr: x\n", "all stays as it was"), ("filter: no filter at all\n", "it stays as it was")] {
        flowmap.write("etc/flowmap.yaml", text);
        daemon.signal("-HUP");
        daemon.hear(said);
    }
    lab.talk();
    // of one that is away it is told when it is back
    lab.cut("fm0");
    daemon.hear("waiting for it");
    flowmap.write("etc/flowmap.yaml", "filter: nor this\n");
    daemon.signal("-HUP");
    thread::sleep(Duration::from_secs(1));
    lab.cable("fm0", 9);
    daemon.hear("it stays as it was");
    daemon.hear("fm0 is back");
    lab.talk();
    daemon.stop();
    let wanted: Vec<_> = expected()
        .into_iter()
        .map(|(a, b, port, out, count)| (a, b, port, out, if port == 9 { count } else { count * 3 }))
        .collect();
    assert_eq!(rows(&flowmap, &flowmap.path("store.db")), wanted);
}

#[test]
fn a_service_manager_is_told_that_it_is_ready_alive_and_stopping() {
    let Some(lab) = Lab::new() else { return };
    let flowmap = Flowmap::new();
    let socket = std::os::unix::net::UnixDatagram::bind(flowmap.path("notify")).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let hear = |wanted: &str| {
        let mut bytes = [0; 200];
        loop {
            let count = socket.recv(&mut bytes).unwrap_or_else(|error| panic!("{wanted}: {error}"));
            if String::from_utf8_lossy(&bytes[..count]).lines().any(|line| line == wanted) {
                return;
            }
        }
    };
    let mut command = lab.command(0, env!("CARGO_BIN_EXE_flowmap"));
    let store = text(&flowmap.path("store.db"));
    let command = command.args(["--db", &store, "capture", "fm0"]).env("NOTIFY_SOCKET", flowmap.path("notify"));
    let child = Running(command.stderr(Stdio::null()).spawn().unwrap());
    hear("READY=1");
    hear("WATCHDOG=1");
    hear("WATCHDOG=1");
    assert!(Command::new("kill").arg(child.0.id().to_string()).status().unwrap().success());
    hear("STOPPING=1");
}

/// A pipe that is full and that nobody reads, as a terminal that was stopped.
#[test]
fn who_does_not_read_what_it_says_stops_nothing() {
    let Some(lab) = Lab::new() else { return };
    let flowmap = Flowmap::new();
    let store = flowmap.path("store.db");
    let (mut reader, mut writer) = std::io::pipe().unwrap();
    let full = vec![b'.'; 1 << 16];
    writer.write_all(&full).unwrap();
    let mut child = {
        let mut command = lab.command(0, env!("CARGO_BIN_EXE_flowmap"));
        let command = command.args(["--db", &text(&store), "capture", "fm0"]);
        Running(command.stderr(Stdio::from(writer)).spawn().unwrap())
    };
    let runs = || flowmap.json(&["--db", &text(&store), "runs"]);
    until("its run is written", || {
        assert_eq!(child.0.try_wait().unwrap(), None, "it runs");
        store.exists() && runs().as_array().is_some_and(|runs| !runs.is_empty())
    });
    lab.talk();
    until("it is written", || rows(&flowmap, &store) == expected());
    let asked = Instant::now();
    assert!(Command::new("kill").arg(child.0.id().to_string()).status().unwrap().success());
    assert_eq!(child.0.wait().unwrap().code(), Some(0));
    assert!(asked.elapsed() < Duration::from_secs(10));
    let mut said = Vec::new();
    reader.read_to_end(&mut said).unwrap();
    assert_eq!(said, full, "what nobody took is lost, and nothing of it in half");
}

#[test]
fn whoever_connects_and_asks_nothing_keeps_nobody_from_an_answer() {
    let Some(lab) = Lab::new() else { return };
    let flowmap = Flowmap::new();
    let mut daemon = lab.watch(&flowmap, &["fm0", "--metrics", "127.0.0.1:9464"]);
    let idle = lab.serve(
        0,
        "import socket, time
print('ready', flush=True)
held = []
while True:
    s = socket.socket(); s.setblocking(False); s.connect_ex(('127.0.0.1', 9464)); held.append(s)
    if len(held) > 400: held.pop(0).close()
    time.sleep(0.015)",
    );
    thread::sleep(Duration::from_secs(4));
    let ask = "import urllib.request
answered = 0
for _ in range(6):
    try: answered += urllib.request.urlopen('http://127.0.0.1:9464/healthz', timeout=3).read() == b'ok\\n'
    except OSError: pass
print(answered)";
    let output = lab.command(0, "python3").args(["-c", ask]).output().unwrap();
    let answered: u32 = String::from_utf8_lossy(&output.stdout).trim().parse().unwrap();
    // on a busy machine one may be too late
    assert!(answered >= 3, "{answered} of 6");
    drop(idle);
    daemon.stop();
}

#[test]
fn a_run_counts_no_packet_whose_connection_is_not_in_the_store() {
    let Some(lab) = Lab::new() else { return };
    let flowmap = Flowmap::new();
    let server = lab.serve(
        1,
        "import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('10.9.0.2', 9999))
print('ready', flush=True)
while True: s.recv(100)",
    );
    let mut daemon = lab.watch(&flowmap, &["fm0"]);
    let client = lab.serve(
        0,
        "import socket
print('ready', flush=True)
while True:
    for n in range(40000):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('10.9.0.1', 20000 + n))
        s.sendto(b'x', ('10.9.0.2', 9999)); s.close()",
    );
    thread::sleep(Duration::from_secs(14));
    daemon.signal("-KILL");
    daemon.wait();
    drop((client, server));
    let store = text(&flowmap.path("store.db"));
    let runs = flowmap.json(&["--db", &store, "runs"]);
    let flows = flowmap.json(&["--db", &store, "flows", "--by", "address"]);
    let counted = runs[0]["decoded"].as_u64().unwrap();
    let there: u64 = flows.as_array().unwrap().iter().map(|flow| flow["packets"].as_u64().unwrap()).sum();
    assert!(counted > 1_000 && counted <= there, "{counted} of which {there} are in the store");
}

#[test]
fn an_interface_that_is_named_twice_is_watched_once() {
    let Some(lab) = Lab::new() else { return };
    let flowmap = Flowmap::new();
    let mut daemon = lab.watch(&flowmap, &["fm0", "fm0"]);
    lab.talk();
    daemon.stop();
    let store = flowmap.path("store.db");
    assert_eq!(flowmap.json(&["--db", &text(&store), "runs"]).as_array().unwrap().len(), 1);
    assert_eq!(rows(&flowmap, &store), expected());
}

#[test]
fn an_interface_that_is_down_is_an_error_with_a_hint() {
    let Some(lab) = Lab::new() else { return };
    let flowmap = Flowmap::new();
    let [host, _] = lab.hosts();
    assert!(ip(&["-n", &host, "link", "add", "fm9", "type", "veth", "peer", "name", "fm8"]));
    let store = text(&flowmap.path("store.db"));
    let output =
        lab.command(0, env!("CARGO_BIN_EXE_flowmap")).args(["--db", &store, "capture", "fm9"]).output().unwrap();
    Output::of(&output).is_an_error(&["interface `fm9`: it is down", "hint: `ip link set fm9 up`"]);
}
