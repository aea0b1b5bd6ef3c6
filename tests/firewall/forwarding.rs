//! Real packets through a router that the rules are loaded on; needs root and nftables.

use std::{
    path::Path,
    process::{Command, Output},
    sync::atomic::{AtomicU32, Ordering},
};

use crate::common::{
    Flowmap,
    lab::{Running, ip, watch_from},
    skipped, text,
};

/// A router with three hosts, each in a subnet of its own.
struct Routed {
    name: String,
}

const HOSTS: [&str; 3] = ["web", "app", "db"];

/// A server that answers each connection with what it got, as long as that comes.
const SERVER: &str = "import socket, sys, threading
server = socket.create_server(('', int(sys.argv[1])))
print('ready', flush=True)
def serve(client):
    while data := client.recv(100): client.sendall(data)
while True: threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()";

/// Calls a server and waits for its answer.
const CLIENT: &str = "import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=2) as it:
    it.sendall(b'hello'); assert it.recv(100) == b'hello'";

/// An echo request (RFC 792) and its reply.
const PING: &str = "import socket, struct, sys
it = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
it.settimeout(2); it.connect((sys.argv[1], 0))
it.send(struct.pack('!BBHHH', 8, 0, 0xffff ^ (0x0800 + 7 + 1), 7, 1))
while it.recv(200)[20] != 0: pass";

impl Routed {
    fn new() -> Option<Self> {
        static ROUTERS: AtomicU32 = AtomicU32::new(0);
        let name = format!("fm-r{}-{}", std::process::id(), ROUTERS.fetch_add(1, Ordering::Relaxed));
        let net = Self { name };
        if !Command::new("nft").arg("--version").output().is_ok_and(|it| it.status.success()) {
            skipped("nftables is not installed");
            return None;
        }
        if !ip(&["netns", "add", &net.space("r")]) {
            skipped("network namespaces need root");
            return None;
        }
        assert!(net.run("r", "sysctl", &["-qw", "net.ipv4.ip_forward=1"]).status.success());
        for (n, host) in HOSTS.iter().enumerate() {
            let (router, space) = (net.space("r"), net.space(host));
            assert!(ip(&["netns", "add", &space]));
            assert!(ip(&["-n", &router, "link", "add", host, "type", "veth", "peer", "name", "eth0", "netns", &space]));
            let third = 71 + n;
            assert!(ip(&["-n", &router, "addr", "add", &format!("10.{third}.0.1/24"), "dev", host]));
            assert!(ip(&["-n", &space, "addr", "add", &format!("10.{third}.0.2/24"), "dev", "eth0"]));
            assert!(ip(&["-n", &router, "link", "set", host, "up"]));
            assert!(ip(&["-n", &space, "link", "set", "eth0", "up"]));
            assert!(ip(&["-n", &space, "route", "add", "default", "via", &format!("10.{third}.0.1")]));
        }
        Some(net)
    }

    fn space(&self, host: &str) -> String {
        format!("{}-{host}", self.name)
    }

    fn command(&self, host: &str, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.space(host), program]);
        command
    }

    fn run(&self, host: &str, program: &str, args: &[&str]) -> Output {
        self.command(host, program).args(args).output().unwrap()
    }

    fn serve(&self, host: &str, port: &str) -> Running {
        use std::io::Read;
        let mut command = self.command(host, "python3");
        let mut child = command.args(["-c", SERVER, port]).stdout(std::process::Stdio::piped()).spawn().unwrap();
        child.stdout.as_mut().unwrap().read_exact(&mut [0; 6]).unwrap();
        Running(child)
    }

    /// Whether a host gets an answer of another.
    fn calls(&self, client: &str, server: &str, port: &str) -> bool {
        self.run(client, "python3", &["-c", CLIENT, &Self::address(server), port]).status.success()
    }

    fn pings(&self, client: &str, server: &str) -> bool {
        self.run(client, "python3", &["-c", PING, &Self::address(server)]).status.success()
    }

    fn address(host: &str) -> String {
        let n = HOSTS.iter().position(|it| *it == host).unwrap();
        format!("10.{}.0.2", 71 + n)
    }

    #[track_caller]
    fn load(&self, file: &Path) {
        let output = self.run("r", "nft", &["-f", &text(file)]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    fn list(&self, chain: &str) -> String {
        let output = self.run("r", "nft", &["list", "chain", "inet", "flowmap", chain]);
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Routed {
    fn drop(&mut self) {
        for host in HOSTS.iter().chain(&["r"]) {
            ip(&["netns", "del", &self.space(host)]);
        }
    }
}

#[test]
fn what_was_seen_passes_and_nothing_else_once_it_is_enforced() {
    let Some(net) = Routed::new() else { return };
    let flowmap = Flowmap::new();
    let _servers = [net.serve("app", "8080"), net.serve("db", "5432"), net.serve("db", "22")];
    let router = net.command("r", env!("CARGO_BIN_EXE_flowmap"));
    let mut watch = watch_from(router, &flowmap.path("flowmap.db"), &HOSTS);
    for _ in 0..3 {
        assert!(net.calls("web", "app", "8080") && net.calls("app", "db", "5432"));
    }
    assert!(net.pings("web", "app"));
    watch.stop();

    let told = flowmap.ok(&["firewall", "--out-dir", "out"]);
    assert!(told.stdout.contains("7 connections: 7 allowed, 0 denied, 0 uncertain"), "{}", told.stdout);
    assert_eq!(told.stderr, "");
    net.load(&flowmap.path("out/flowmap.nft"));
    assert!(net.calls("web", "db", "22"), "it is in trial");
    assert!(net.list("rest").contains("counter packets 1 "), "{}", net.list("rest"));
    // a connection that lives since before the rules are in force goes on
    let lasting = "import socket, sys
with socket.create_connection((sys.argv[1], 22), timeout=2) as it:
    print('ready', flush=True); sys.stdin.readline()
    it.sendall(b'hello'); assert it.recv(100) == b'hello'";
    let mut lasting = net
        .command("web", "python3")
        .args(["-c", lasting, &Routed::address("db")])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Read::read_exact(lasting.stdout.as_mut().unwrap(), &mut [0; 6]).unwrap();

    net.load(&flowmap.path("out/enforce.nft"));
    assert!(net.calls("web", "app", "8080") && net.calls("app", "db", "5432") && net.pings("web", "app"));
    let closed = [("web", "db", "22"), ("web", "db", "5432"), ("db", "app", "8080"), ("app", "db", "22")];
    for (client, server, port) in closed {
        assert!(!net.calls(client, server, port), "{client} reaches {server} on {port}");
    }
    assert!(!net.pings("app", "web") && !net.pings("web", "db"));
    drop(lasting.stdin.take());
    assert!(lasting.wait().unwrap().success(), "what was open before stays");

    net.load(&flowmap.path("out/trial.nft"));
    assert!(net.calls("web", "db", "22"), "the way back");
    net.load(&flowmap.path("out/flowmap.nft"));
    assert!(net.calls("app", "db", "22"), "loaded anew it is in trial");
}
