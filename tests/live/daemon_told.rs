//! How a daemon is told to stop or to change, and whom it tells of itself; in network namespaces that the test makes and removes; needs root.

use std::{
    io::{Read, Write},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::common::{
    Flowmap,
    lab::{Lab, Running, expected, rows, until},
    text,
};

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
    let said = format!("fm0: {packets} packets, {packets} decoded, {dropped} dropped by the kernel");
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
