//! Two network namespaces with a cable between them, and a daemon in one of them; needs root.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        atomic::{AtomicU32, Ordering},
        mpsc::{self, Receiver},
    },
    thread,
    time::{Duration, Instant},
};

use super::Flowmap;

/// The namespaces; gone when dropped.
pub struct Lab {
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
    pub fn new() -> Option<Self> {
        // one process may run several tests at once
        static LABS: AtomicU32 = AtomicU32::new(0);
        let lab = Self { name: format!("fm-{}-{}", std::process::id(), LABS.fetch_add(1, Ordering::Relaxed)) };
        let [a, b] = lab.hosts();
        if !ip(&["netns", "add", &a]) {
            super::skipped("network namespaces need root");
            return None;
        }
        assert!(ip(&["netns", "add", &b]));
        lab.cable("fm0", 9);
        Some(lab)
    }

    pub fn hosts(&self) -> [String; 2] {
        ["a", "b"].map(|host| format!("{}-{host}", self.name))
    }

    /// Lays a cable: an interface of this name in both, 10.NET.0.1 and 10.NET.0.2.
    pub fn cable(&self, name: &str, net: u8) {
        let [a, b] = self.hosts();
        assert!(ip(&["-n", &a, "link", "add", name, "type", "veth", "peer", "name", name, "netns", &b]));
        for (host, n) in [(&a, 1), (&b, 2)] {
            assert!(ip(&["-n", host, "addr", "add", &format!("10.{net}.0.{n}/24"), "dev", name]));
            assert!(ip(&["-n", host, "link", "set", name, "up"]));
            ip(&["-n", host, "link", "set", "lo", "up"]);
        }
    }

    /// Takes a cable away.
    pub fn cut(&self, name: &str) {
        assert!(ip(&["-n", &self.hosts()[0], "link", "del", name]));
    }

    /// A command in one of the namespaces.
    pub fn command(&self, host: usize, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.hosts()[host], program]);
        command
    }

    /// Runs Python in one of the namespaces to its end.
    #[track_caller]
    pub fn python(&self, host: usize, script: &str) {
        assert!(self.command(host, "python3").args(["-c", script]).status().expect("Python runs").success());
    }

    /// Starts something that says a line when it is ready.
    pub fn serve(&self, host: usize, script: &str) -> Running {
        let mut child = self
            .command(host, "python3")
            .args(["-c", script])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Python starts");
        let mut line = [0; 6];
        child.stdout.as_mut().expect("a pipe").read_exact(&mut line).expect("it is ready");
        Running(child)
    }

    /// Runs the clients against a server, while a capture watches.
    pub fn talk(&self) {
        let _server = self.serve(1, SERVER);
        self.python(0, CLIENT);
    }

    /// Starts a capture in the first namespace and waits until it watches.
    pub fn watch(&self, flowmap: &Flowmap, arguments: &[&str]) -> Daemon {
        self.watch_store(&flowmap.path("store.db"), arguments)
    }

    /// The same with a store anywhere.
    pub fn watch_store(&self, store: &Path, arguments: &[&str]) -> Daemon {
        watch_from(self.command(0, env!("CARGO_BIN_EXE_flowmap")), store, arguments)
    }

    /// What a daemon in the first namespace answers over HTTP.
    pub fn figures(&self, path: &str) -> String {
        let script = "import sys, urllib.request, urllib.error
try: print(urllib.request.urlopen(sys.argv[1], timeout=5).read().decode(), end='')
except urllib.error.HTTPError as e: print(e.code, e.read().decode(), end='')";
        let url = format!("http://127.0.0.1:9464{path}");
        let output = self.command(0, "python3").args(["-c", script, &url]).output().expect("Python runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for host in self.hosts() {
            ip(&["netns", "del", &host]);
        }
    }
}

/// Starts a capture by a command that runs flowmap somewhere, and waits until it watches.
pub fn watch_from(mut command: Command, store: &Path, arguments: &[&str]) -> Daemon {
    let mut child = command
        .args(["--db", super::text(store).as_str(), "capture"])
        .args(arguments)
        .stderr(Stdio::piped())
        .spawn()
        .expect("flowmap starts");
    let mut stderr = BufReader::new(child.stderr.take().expect("a pipe"));
    let (tell, lines) = mpsc::channel();
    // read in a thread, so that a test does not wait for ever for words that never come
    thread::spawn(move || {
        let mut line = String::new();
        while stderr.read_line(&mut line).is_ok_and(|bytes| bytes > 0) && tell.send(std::mem::take(&mut line)).is_ok() {
        }
    });
    let mut daemon = Daemon { child, lines, said: String::new() };
    daemon.hear("watching ");
    daemon
}

/// A process that is killed when dropped.
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A capture that runs.
pub struct Daemon {
    child: Child,
    /// What it says, by lines; closed with its end.
    lines: Receiver<String>,
    /// What it said so far.
    pub said: String,
}

impl Daemon {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Reads what it says until a line has these words; the line.
    #[track_caller]
    pub fn hear(&mut self, words: &str) -> String {
        loop {
            match self.lines.recv_timeout(Duration::from_mins(1)) {
                Ok(line) => {
                    self.said.push_str(&line);
                    if line.contains(words) {
                        return line;
                    }
                }
                Err(why) => panic!("it did not say `{words}` ({why}): {}", self.said),
            }
        }
    }

    /// Whether it has a file open that is still under its name.
    pub fn holds(&self, file: &Path) -> bool {
        let open = fs::read_dir(format!("/proc/{}/fd", self.pid())).expect("it runs");
        open.flatten().any(|entry| fs::read_link(entry.path()).is_ok_and(|target| target == file))
    }

    pub fn signal(&self, signal: &str) {
        assert!(Command::new("kill").args([signal, &self.pid().to_string()]).status().expect("kill runs").success());
    }

    /// Waits for its end: the exit code, and how long that took. What it said is all there then.
    pub fn wait(&mut self) -> (i32, Duration) {
        let asked = Instant::now();
        self.lines.iter().for_each(|line| self.said.push_str(&line));
        let code = self.child.wait().expect("it ends").code().unwrap_or(-1);
        (code, asked.elapsed())
    }

    /// Tells it to stop, which must end well.
    #[track_caller]
    pub fn stop(&mut self) {
        self.signal("-TERM");
        let (code, _) = self.wait();
        assert_eq!(code, 0, "{}", self.said);
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until something holds.
#[track_caller]
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(30), "waited in vain: {what}");
        thread::sleep(Duration::from_millis(100));
    }
}

pub fn ip(arguments: &[&str]) -> bool {
    Command::new("ip").args(arguments).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// The lines of a process's status that begin with this, of all its threads.
pub fn status_of_threads(pid: u32, name: &str) -> Vec<String> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("it runs");
    let read = |task: fs::DirEntry| fs::read_to_string(task.path().join("status")).unwrap_or_default();
    let mut lines = Vec::new();
    for status in tasks.flatten().map(read) {
        lines.extend(status.lines().filter(|line| line.starts_with(name)).map(str::to_owned));
    }
    lines
}

/// TCP connections of a store by client, server, port and outcome, with their number.
pub type Row = (String, String, u64, String, u64);

pub fn rows(flowmap: &Flowmap, store: &Path) -> Vec<Row> {
    let all = flowmap.json(&["--db", &super::text(store), "flows", "--by", "address"]);
    let tcp = all.as_array().expect("a list").iter().filter(|flow| flow["protocol"] == "TCP");
    let word = |value: &serde_json::Value| value.as_str().expect("text").to_owned();
    tcp.map(|flow| {
        let (client, server) = (word(&flow["client"]["name"]), word(&flow["server"]["name"]));
        let numbers = [&flow["port"], &flow["connections"]].map(|number| number.as_u64().expect("a number"));
        (client, server, numbers[0], word(&flow["outcome"]), numbers[1])
    })
    .collect()
}

/// What [`Lab::talk`] makes.
pub fn expected() -> Vec<Row> {
    let row =
        |port, outcome: &str, count| ("10.9.0.1".to_owned(), "10.9.0.2".to_owned(), port, outcome.to_owned(), count);
    vec![row(9, "refused", 1), row(8080, "established", 3)]
}
