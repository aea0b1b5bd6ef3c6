//! Live capture, in network namespaces that the test makes and removes; needs root.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::{
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use common::Flowmap;

/// Two namespaces with a cable between them; gone when dropped.
struct Lab {
    name: String,
}

/// A server that answers each connection with a line, and says so when it listens.
const SERVER: &str = "import socket
server = socket.create_server(('10.9.0.2', 8080))
print('ready', flush=True)
while True:
    client, _ = server.accept()
    client.sendall(client.recv(100))
    client.close()";

const CLIENT: &str = "import socket
for _ in range(3):
    with socket.create_connection(('10.9.0.2', 8080), timeout=5) as client:
        client.sendall(b'hello'); client.recv(100)
try: socket.create_connection(('10.9.0.2', 9), timeout=5)
except ConnectionRefusedError: pass";

impl Lab {
    /// `None` where the rights are missing, which is said aloud.
    fn new(test: &str) -> Option<Self> {
        let lab = Self { name: format!("fm-{test}-{}", std::process::id()) };
        let [a, b] = lab.hosts();
        if !ip(&["netns", "add", &a]) {
            println!("skipped: network namespaces need root");
            return None;
        }
        assert!(ip(&["netns", "add", &b]));
        assert!(ip(&["-n", &a, "link", "add", "fm0", "type", "veth", "peer", "name", "fm0", "netns", &b]));
        for (host, address) in [(&a, "10.9.0.1/24"), (&b, "10.9.0.2/24")] {
            assert!(ip(&["-n", host, "addr", "add", address, "dev", "fm0"]));
            assert!(ip(&["-n", host, "link", "set", "fm0", "up"]));
        }
        Some(lab)
    }

    fn hosts(&self) -> [String; 2] {
        ["a", "b"].map(|host| format!("{}-{host}", self.name))
    }

    /// A command in one of the namespaces.
    fn command(&self, host: usize, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.hosts()[host], program]);
        command
    }

    /// Runs the clients against a server, while a capture watches.
    fn talk(&self) {
        let mut server = self
            .command(1, "python3")
            .args(["-c", SERVER])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = [0; 6];
        std::io::Read::read_exact(server.stdout.as_mut().unwrap(), &mut line).unwrap();
        assert!(self.command(0, "python3").args(["-c", CLIENT]).status().unwrap().success());
        server.kill().unwrap();
        server.wait().unwrap();
    }

    /// Starts a capture and waits until it watches.
    fn watch(&self, flowmap: &Flowmap, arguments: &[&str]) -> Child {
        let mut child = self
            .command(0, env!("CARGO_BIN_EXE_flowmap"))
            .args(["--db", flowmap.path("store.db").to_str().unwrap(), "capture", "fm0"])
            .args(arguments)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = Vec::new();
        let mut byte = [0];
        let stderr = child.stderr.as_mut().unwrap();
        while line.last() != Some(&b'\n') && std::io::Read::read(stderr, &mut byte).unwrap() > 0 {
            line.push(byte[0]);
        }
        assert!(String::from_utf8_lossy(&line).starts_with("watching fm0"), "{}", String::from_utf8_lossy(&line));
        child
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for host in self.hosts() {
            ip(&["netns", "del", &host]);
        }
    }
}

fn ip(arguments: &[&str]) -> bool {
    Command::new("ip").args(arguments).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

fn rows(flowmap: &Flowmap) -> Vec<(String, String, u64, String, u64)> {
    let store = flowmap.path("store.db");
    let all = flowmap.json(&["--db", store.to_str().unwrap(), "flows", "--by", "address"]);
    let tcp = all.as_array().unwrap().iter().filter(|flow| flow["protocol"] == "TCP");
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    tcp.map(|flow| {
        let (client, server) = (text(&flow["client"]["name"]), text(&flow["server"]["name"]));
        (client, server, flow["port"].as_u64().unwrap(), text(&flow["outcome"]), flow["connections"].as_u64().unwrap())
    })
    .collect()
}

fn expected() -> Vec<(String, String, u64, String, u64)> {
    let row =
        |port, outcome: &str, count| ("10.9.0.1".to_owned(), "10.9.0.2".to_owned(), port, outcome.to_owned(), count);
    vec![row(9, "refused", 1), row(8080, "established", 3)]
}

#[test]
fn what_passes_while_it_watches_is_in_the_store_when_it_is_told_to_stop() {
    for (n, signal) in ["-INT", "-TERM"].into_iter().enumerate() {
        let Some(lab) = Lab::new(&format!("s{n}")) else { return };
        let flowmap = Flowmap::new();
        let mut capture = lab.watch(&flowmap, &[]);
        lab.talk();
        thread::sleep(Duration::from_millis(500));
        let pid = capture.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
        let asked = Instant::now();
        assert!(capture.wait().unwrap().success(), "{signal}");
        assert!(asked.elapsed() < Duration::from_secs(20), "{signal}: it must not wait for packets");
        assert_eq!(rows(&flowmap), expected(), "{signal}");
    }
}

#[test]
fn a_capture_ends_by_itself_after_the_time_given() {
    let Some(lab) = Lab::new("t") else { return };
    let flowmap = Flowmap::new();
    let mut capture = lab.watch(&flowmap, &["--for", "3s"]);
    lab.talk();
    assert!(capture.wait().unwrap().success());
    assert_eq!(rows(&flowmap), expected());
}

#[test]
fn an_interface_that_is_not_there_is_an_error_with_a_hint() {
    let flowmap = Flowmap::new();
    let output = flowmap.run(&["capture", "nosuch0"]);
    assert_eq!(output.code, 2, "{}", output.stderr);
    assert!(output.stderr.starts_with("flowmap: interface `nosuch0`: "), "{}", output.stderr);
    assert!(output.stderr.contains("\nhint: "), "{}", output.stderr);
}
