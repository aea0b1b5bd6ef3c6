//! An API server of the tests' own that speaks list and watch, and `flowmap inventory sync` against it.

use std::{
    collections::{BTreeMap, VecDeque},
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    process::{Child, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime},
};

use serde_json::{Value, json};

use crate::common::{Flowmap, Output};

pub const PODS: &str = "/api/v1/pods";

/// An answer of the server.
#[derive(Clone)]
pub enum Reply {
    Text(u16, String),
    /// Text over time, and whether it then ends as it should, breaks off, or stays open.
    Stream(Vec<String>, End),
    /// The same, with a pause before each part; the first one is before the answer begins.
    Slow(Vec<(Duration, String)>, End),
}

#[derive(Clone, Copy, PartialEq)]
pub enum End {
    Proper,
    Cut,
    Open,
}

/// An API server: answers in their order, by list (`GET /api/v1/pods`) or watch (`WATCH /api/v1/pods`); then what it always
/// answers, empty lists and silent watches where nothing else was said.
#[derive(Clone)]
pub struct Server {
    pub url: String,
    replies: Arc<Mutex<BTreeMap<String, VecDeque<Reply>>>>,
    always: Arc<Mutex<BTreeMap<String, Reply>>>,
    /// Whether silent watches tell four times a second that nothing happened.
    beats: Arc<AtomicBool>,
    asked: Arc<Mutex<Vec<(SystemTime, String)>>>,
}

impl Server {
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server =
            Self { url, replies: Arc::default(), always: Arc::default(), beats: Arc::default(), asked: Arc::default() };
        let of_thread = server.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = of_thread.clone();
                thread::spawn(move || server.serve(stream));
            }
        });
        server
    }

    pub fn on(&self, verb: &str, path: &str, reply: Reply) -> &Self {
        self.replies.lock().unwrap().entry(format!("{verb} {path}")).or_default().push_back(reply);
        self
    }

    pub fn always(&self, verb: &str, path: &str, reply: Reply) -> &Self {
        self.always.lock().unwrap().insert(format!("{verb} {path}"), reply);
        self
    }

    pub fn beats(&self) -> &Self {
        self.beats.store(true, Ordering::Release);
        self
    }

    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().iter().map(|(_, line)| line.clone()).collect()
    }

    /// When a path was watched, or listed, for the n-th time, from 1 on; waits for it.
    #[track_caller]
    pub fn asked_at(&self, verb: &str, path: &str, n: usize) -> SystemTime {
        self.asked_at_within(verb, path, n, PATIENCE)
    }

    /// The same, with more patience.
    #[track_caller]
    pub fn asked_at_within(&self, verb: &str, path: &str, n: usize, patience: Duration) -> SystemTime {
        let start = format!("{verb} {path}?");
        let at = || {
            let asked = self.asked.lock().unwrap();
            asked.iter().filter(|(_, line)| line.starts_with(&start)).map(|(at, _)| *at).nth(n - 1)
        };
        until_within(&format!("{verb} {path} is asked {n} times"), patience, || at().is_some());
        at().unwrap()
    }

    fn silent(&self) -> Reply {
        if self.beats.load(Ordering::Acquire) {
            Reply::Slow(
                (0..240).map(|n| (Duration::from_millis(250.min(n * 250)), bookmark("100"))).collect(),
                End::Open,
            )
        } else {
            Reply::Stream(vec![bookmark("100")], End::Open)
        }
    }

    /// One question and one answer, and that is the end of the connection.
    fn serve(&self, mut stream: TcpStream) {
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
        let first = lines.next().unwrap_or_default();
        while lines.next().is_some_and(|line| !line.is_empty()) {}
        let target = first.split(' ').nth(1).unwrap_or_default().to_owned();
        let path = target.split('?').next().unwrap_or_default();
        let verb = if target.contains("watch=true") { "WATCH" } else { "GET" };
        self.asked.lock().unwrap().push((SystemTime::now(), format!("{verb} {target}")));
        let question = format!("{verb} {path}");
        let reply = self.replies.lock().unwrap().get_mut(&question).and_then(VecDeque::pop_front);
        let reply = reply.or_else(|| self.always.lock().unwrap().get(&question).cloned());
        let _ = answer(
            &mut stream,
            reply.unwrap_or_else(|| if verb == "WATCH" { self.silent() } else { list("100", "", &[]) }),
        );
    }
}

fn answer(stream: &mut TcpStream, reply: Reply) -> std::io::Result<()> {
    let head = "content-type: application/json\r\nconnection: close\r\n";
    match reply {
        Reply::Text(code, text) => {
            write!(stream, "HTTP/1.1 {code} So\r\n{head}content-length: {}\r\n\r\n{text}", text.len())
        }
        Reply::Stream(parts, end) => {
            answer(stream, Reply::Slow(parts.into_iter().map(|part| (Duration::ZERO, part)).collect(), end))
        }
        Reply::Slow(parts, end) => {
            let mut parts = parts.into_iter();
            let first = parts.next();
            thread::sleep(first.as_ref().map_or(Duration::ZERO, |(pause, _)| *pause));
            write!(stream, "HTTP/1.1 200 OK\r\n{head}transfer-encoding: chunked\r\n\r\n")?;
            let first = first.map(|(_, part)| (Duration::ZERO, part));
            for (pause, part) in first.into_iter().chain(parts) {
                thread::sleep(pause);
                write!(stream, "{:x}\r\n{part}\r\n", part.len())?;
            }
            match end {
                End::Proper => write!(stream, "0\r\n\r\n"),
                End::Cut => Ok(()),
                End::Open => {
                    thread::sleep(Duration::from_mins(1));
                    Ok(())
                }
            }
        }
    }
}

/// The https URL of a server that speaks no TLS.
pub fn without_tls() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    url
}

pub fn list(version: &str, go_on: &str, items: &[Value]) -> Reply {
    let metadata = json!({"resourceVersion": version, "continue": go_on});
    Reply::Text(200, json!({"kind": "List", "apiVersion": "v1", "metadata": metadata, "items": items}).to_string())
}

pub fn status(code: u16, message: &str) -> Reply {
    Reply::Text(code, json!({"kind": "Status", "code": code, "message": message}).to_string())
}

pub fn event(kind: &str, object: &Value) -> String {
    format!("{}\n", json!({"type": kind, "object": object}))
}

pub fn bookmark(version: &str) -> String {
    event("BOOKMARK", &json!({"kind": "Pod", "metadata": {"resourceVersion": version}}))
}

pub fn gone() -> String {
    event("ERROR", &json!({"kind": "Status", "code": 410, "message": "too old resource version"}))
}

pub fn pod(name: &str, address: &str, version: &str) -> Value {
    json!({"metadata": {"name": name, "namespace": "shop", "uid": name, "resourceVersion": version,
            "creationTimestamp": "2026-01-01T00:00:00Z", "managedFields": [{"time": version}]},
        "spec": {"nodeName": "node-1", "containers": []},
        "status": {"phase": "Running", "podIP": address, "startTime": "2026-01-01T00:00:00Z",
            "conditions": [{"type": "Ready", "lastProbeTime": version}]}})
}

pub fn kubeconfig(server: &str) -> String {
    json!({"apiVersion": "v1", "kind": "Config", "current-context": "lab",
        "clusters": [{"name": "c", "cluster": {"server": server}}], "users": [{"name": "u", "user": {}}],
        "contexts": [{"name": "lab", "context": {"cluster": "c", "user": "u"}},
            {"name": "backup", "context": {"cluster": "c", "user": "u"}}]})
    .to_string()
}

pub fn flowmap_of(server: &str) -> Flowmap {
    let flowmap = Flowmap::new();
    flowmap.write("kubeconfig", kubeconfig(server));
    flowmap
}

pub const SYNC: [&str; 4] = ["inventory", "sync", "--kubeconfig", "kubeconfig"];

/// The names and addresses of the pods that are known now.
pub fn pods(flowmap: &Flowmap) -> Vec<(String, String)> {
    let listed = flowmap.json(&["inventory", "list"]);
    let text = |entry: &Value, key: &str| entry[key].as_str().unwrap_or_default().to_owned();
    let pods = listed.as_array().unwrap().iter().filter(|entry| entry["kind"] == "pod");
    pods.map(|entry| (text(entry, "name"), text(entry, "addresses"))).collect()
}

pub fn is(name: &str, address: &str) -> (String, String) {
    (name.to_owned(), address.to_owned())
}

pub fn start(flowmap: &Flowmap) -> Child {
    let mut command = flowmap.command(&[&SYNC[..], &["--watch"]].concat());
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// How long something is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until something is so, for at most 20 seconds.
#[track_caller]
pub fn until(what: &str, is_so: impl Fn() -> bool) {
    until_within(what, PATIENCE, is_so);
}

#[track_caller]
fn until_within(what: &str, patience: Duration, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < patience, "{what}");
        thread::sleep(Duration::from_millis(50));
    }
}

pub fn stop(child: Child) -> Output {
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let output = Output::of(&child.wait_with_output().unwrap());
    assert_eq!(output.code, 0, "{output:?}");
    output
}

/// Watches until the pods were watched from this version and that had its time to be heard; then ends it.
pub fn watched(server: &Server, flowmap: &Flowmap, version: &str) -> Output {
    let child = start(flowmap);
    let from = format!("resourceVersion={version}");
    let is_asked = |line: &String| line.starts_with(&format!("WATCH {PODS}?")) && line.ends_with(&from);
    until(&format!("pods are watched from {version}"), || server.asked().iter().any(is_asked));
    thread::sleep(Duration::from_millis(1_500));
    stop(child)
}
